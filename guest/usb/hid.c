/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "hid.h"
#include "ktime.h"

#define REPEAT_FIRST_NS	(500 * NS_PER_MS)
#define REPEAT_NS	(33 * NS_PER_MS)

/* Modifiers: left and right */
#define MOD_CONTROL	0x11
#define MOD_SHIFT	0x22
#define MOD_ALT		0x44

/* Usages of the keyboard page */
#define KEY_ROLLOVER	3	/* and below: no key, or too many at once */
#define KEY_A		4
#define KEY_Z		29
#define KEY_LAST_CHAR	56
#define KEY_CAPS	57
#define KEY_INSERT	73
#define KEY_UP		82
#define KEY_PAD		84
#define KEY_PAD_LAST	99
#define KEY_102ND	100

/* From KEY_A on, without and with shift. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyz1234567890"
    "\r\033\177\t -=[]\\\\;'`,./";
static const char shifted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()"
    "\r\033\177\t _+{}||:\"~<>?";
static const char pad[] = "/*-+\r1234567890.";

/* From KEY_INSERT on. */
static const char *const movement[] = {
	"\033[2~", "\033[H", "\033[5~", "\033[3~", "\033[F", "\033[6~",
	"\033[C", "\033[D", "\033[B", "\033[A",
};

static char
key_char(const struct hid_keyboard *hk, uint8_t key)
{
	bool shift = (hk->hk_modifiers & MOD_SHIFT) != 0;

	if (key >= KEY_A && key <= KEY_Z && hk->hk_caps)
		shift = !shift;
	if (key >= KEY_A && key <= KEY_LAST_CHAR)
		return (shift ? shifted : plain)[key - KEY_A];
	if (key >= KEY_PAD && key <= KEY_PAD_LAST)
		return pad[key - KEY_PAD];
	if (key == KEY_102ND)
		return shift ? '|' : '\\';
	return '\0';
}

static void
key_press(struct hid_keyboard *hk, uint8_t key)
{
	unsigned char bytes[HID_BYTES];
	size_t n = 0;
	char c = key_char(hk, key);

	if ((hk->hk_modifiers & MOD_ALT) != 0)
		bytes[n++] = '\033';
	if (c != '\0') {
		/* Of control with what has no control character, the key. */
		if ((hk->hk_modifiers & MOD_CONTROL) != 0 && c >= '@' &&
		    c < '\177')
			c &= 0x1f;
		bytes[n++] = (unsigned char)c;
	} else if (key >= KEY_INSERT && key <= KEY_UP) {
		c = (char)strlen(movement[key - KEY_INSERT]);
		memcpy(bytes + n, movement[key - KEY_INSERT], (size_t)c);
		n += (size_t)c;
	} else
		return;
	hk->hk_out(bytes, n);
}

static bool
held(const uint8_t *keys, uint8_t key)
{
	return memchr(keys, key, HID_KEYS) != NULL;
}

bool
hid_keyboard_report(struct hid_keyboard *hk, const uint8_t *report, size_t len,
    uint64_t now)
{
	uint8_t keys[HID_KEYS];
	bool caps = false;
	unsigned i;

	if (len < 2 + HID_KEYS)
		return false;
	memcpy(keys, report + 2, HID_KEYS);
	/* Too many keys: which ones they are is not told. */
	if (keys[0] != 0 && keys[0] <= KEY_ROLLOVER)
		return false;
	hk->hk_modifiers = report[0];
	for (i = 0; i < HID_KEYS; i++) {
		if (keys[i] <= KEY_ROLLOVER || held(hk->hk_keys, keys[i]))
			continue;
		if (keys[i] == KEY_CAPS) {
			hk->hk_caps = !hk->hk_caps;
			caps = !caps;
			continue;
		}
		hk->hk_repeat = keys[i];
		hk->hk_next = now + REPEAT_FIRST_NS;
		key_press(hk, keys[i]);
	}
	memcpy(hk->hk_keys, keys, HID_KEYS);
	if (hk->hk_repeat != 0 && !held(keys, hk->hk_repeat))
		hk->hk_repeat = 0;
	return caps;
}

uint64_t
hid_keyboard_repeat(struct hid_keyboard *hk, uint64_t now)
{
	if (hk->hk_repeat == 0)
		return UINT64_MAX;
	if (now >= hk->hk_next) {
		key_press(hk, hk->hk_repeat);
		/* Those that we were too late for are not made up for. */
		hk->hk_next = now + REPEAT_NS;
	}
	return hk->hk_next;
}

/*
 * Report descriptors (HID, Report Descriptor): items of a prefix and up to four
 * bytes.
 */
#define ITEM_INPUT		0x80
#define ITEM_USAGE_PAGE		0x04
#define ITEM_LOGICAL_MAX	0x24
#define ITEM_REPORT_SIZE	0x74
#define ITEM_REPORT_ID		0x84
#define ITEM_REPORT_COUNT	0x94
#define ITEM_USAGE		0x08
#define ITEM_LONG		0xfc
#define ITEM_MAIN(item)		(((item) & 0x0c) == 0)

#define INPUT_CONSTANT		0x1
#define INPUT_RELATIVE		0x4

#define PAGE_DESKTOP		1
#define PAGE_BUTTON		9
#define USAGE_X			0x30
#define USAGE_Y			0x31

#define REPORT_MAXBITS		512
#define MAXUSAGES		8

struct parser {
	uint32_t	page, max, size, count, bit;
	uint32_t	usage[MAXUSAGES];
	unsigned	nusages;
};

static void
field_set(struct hid_field *hf, const struct parser *ps, uint32_t bit,
    uint32_t bits)
{
	if (hf->hf_bits != 0 || bits == 0 || bits > 32)
		return;
	hf->hf_bit = (uint16_t)bit;
	hf->hf_bits = (uint8_t)bits;
	hf->hf_max = ps->max;
}

static void
input_item(struct hid_pointer *hp, struct parser *ps, uint32_t flags)
{
	uint32_t i, bit = ps->bit;

	/* Nothing of this size is anybody's report. */
	if (ps->size > REPORT_MAXBITS || ps->count > REPORT_MAXBITS ||
	    ps->bit + ps->size * ps->count > REPORT_MAXBITS) {
		ps->bit = REPORT_MAXBITS;
		return;
	}
	ps->bit += ps->size * ps->count;
	if ((flags & INPUT_CONSTANT) != 0)
		return;
	if (ps->page == PAGE_BUTTON && ps->size == 1)
		field_set(&hp->hp_buttons, ps, bit, ps->count);
	if (ps->page != PAGE_DESKTOP || (flags & INPUT_RELATIVE) != 0)
		return;
	for (i = 0; i < ps->count && i < ps->nusages; i++, bit += ps->size)
		if (ps->usage[i] == USAGE_X)
			field_set(&hp->hp_x, ps, bit, ps->size);
		else if (ps->usage[i] == USAGE_Y)
			field_set(&hp->hp_y, ps, bit, ps->size);
}

static void
item(struct hid_pointer *hp, struct parser *ps, unsigned tag, uint32_t v)
{
	switch (tag) {
	case ITEM_INPUT:
		input_item(hp, ps, v);
		break;
	case ITEM_USAGE_PAGE:
		ps->page = v;
		break;
	case ITEM_LOGICAL_MAX:
		ps->max = v;
		break;
	case ITEM_REPORT_SIZE:
		ps->size = v;
		break;
	case ITEM_REPORT_COUNT:
		ps->count = v;
		break;
	case ITEM_REPORT_ID:
		/* Of several reports the first that has a place. */
		if (hp->hp_x.hf_bits == 0)
			hp->hp_id = (uint8_t)v;
		ps->bit = hp->hp_id == v ? 8 : REPORT_MAXBITS;
		break;
	case ITEM_USAGE:
		if (ps->nusages < MAXUSAGES)
			ps->usage[ps->nusages++] = v;
		break;
	default:
		break;
	}
	if (ITEM_MAIN(tag))
		ps->nusages = 0;
}

bool
hid_pointer_parse(struct hid_pointer *hp, const uint8_t *d, size_t len)
{
	struct parser ps = { .page = 0 };
	size_t at = 0, n, i;
	uint32_t v;

	memset(hp, 0, sizeof(*hp));
	while (at < len) {
		unsigned prefix = d[at++];

		n = (prefix & 3) == 3 ? 4 : prefix & 3;
		if ((prefix & ITEM_LONG) == ITEM_LONG || n > len - at)
			break;
		for (v = 0, i = 0; i < n; i++)
			v |= (uint32_t)d[at + i] << 8 * i;
		item(hp, &ps, prefix & 0xfc, v);
		at += n;
	}
	return hp->hp_x.hf_bits != 0 && hp->hp_y.hf_bits != 0;
}

static uint32_t
field_get(const struct hid_field *hf, const uint8_t *report, size_t len)
{
	uint32_t v = 0, i, bit;

	for (i = 0; i < hf->hf_bits; i++) {
		bit = hf->hf_bit + i;
		if (bit / 8 < len && (report[bit / 8] >> bit % 8 & 1) != 0)
			v |= UINT32_C(1) << i;
	}
	return v;
}

void
hid_pointer_report(struct hid_pointer *hp, const uint8_t *report, size_t len)
{
	if (len == 0 || (hp->hp_id != 0 && report[0] != hp->hp_id))
		return;
	hp->hp_at_x = field_get(&hp->hp_x, report, len);
	hp->hp_at_y = field_get(&hp->hp_y, report, len);
	hp->hp_pressed = field_get(&hp->hp_buttons, report, len);
	hp->hp_reports++;
}
