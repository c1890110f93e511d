/* SPDX-License-Identifier: ISC */
/* UNIT: guest/usb/hid.c */
/* Keyboards and pointers, by their reports; and reports that are anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ktime.h"

#include "../../guest/usb/hid.h"

static char typed[4096];
static size_t ntyped;

static void
out(const unsigned char *bytes, size_t len)
{
	assert_true(len > 0 && len <= HID_BYTES);
	assert_true(ntyped + len < sizeof(typed));
	memcpy(typed + ntyped, bytes, len);
	ntyped += len;
	typed[ntyped] = '\0';
}

static struct hid_keyboard hk;

static bool
report(uint8_t modifiers, const char *keys)
{
	uint8_t r[8] = { modifiers };

	memcpy(r + 2, keys, strlen(keys));
	return hid_keyboard_report(&hk, r, sizeof(r), 0);
}

static int
setup(void **state)
{
	(void)state;
	memset(&hk, 0, sizeof(hk));
	hk.hk_out = out;
	ntyped = 0;
	typed[0] = '\0';
	return 0;
}

static void
is(const char *want)
{
	assert_string_equal(typed, want);
	ntyped = 0;
	typed[0] = '\0';
}

/* A key is pressed once, however often it is reported, and in whichever place. */
static void
pressed_once(void **state)
{
	(void)state;
	report(0, "\4");
	report(0, "\4");
	report(0, "\5\4");
	report(0, "\4\5");
	report(0, "\5");
	report(0, "\5\4");
	report(0, "");
	is("aba");
}

static void
modifiers(void **state)
{
	(void)state;
	report(0x02, "\4");
	report(0x20, "\36");
	report(0x01, "\6");
	report(0x10, "\7");
	report(0x04, "\5");
	report(0x01, "\57");
	report(0x01, "\36");
	report(0, "\122\120");
	is("A!\003\004\033b\0331\033[A\033[D");
}

static void
caps_lock(void **state)
{
	(void)state;
	assert_true(report(0, "\71"));
	assert_false(report(0, "\71\4"));
	report(0x02, "\71\5");
	report(0, "\36");
	assert_true(report(0, "\71"));
	report(0, "\4");
	is("Ab1a");
}

/* Too many keys: nothing is known, so nothing is let go. */
static void
rollover(void **state)
{
	(void)state;
	report(0, "\4\5");
	report(0, "\1\1\1\1\1\1");
	report(0, "\4\5\6");
	is("abc");
}

static void
repeats(void **state)
{
	uint64_t at;

	(void)state;
	assert_int_equal(hid_keyboard_repeat(&hk, 0), UINT64_MAX);
	report(0, "\4");
	assert_int_equal(hid_keyboard_repeat(&hk, 0), 500 * NS_PER_MS);
	at = hid_keyboard_repeat(&hk, 500 * NS_PER_MS);
	at = hid_keyboard_repeat(&hk, at);
	/* The last that was pressed, and once for each time that it is looked at. */
	report(0, "\4\5");
	at = hid_keyboard_repeat(&hk, 60 * NS_PER_S);
	assert_true(at > 60 * NS_PER_S);
	report(0, "\4");
	assert_int_equal(hid_keyboard_repeat(&hk, 90 * NS_PER_S), UINT64_MAX);
	is("aaabb");
}

/* Two reports of which the second has a place, buttons, and a wheel behind them. */
static const uint8_t tablet[] = {
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x85, 0x02, 0x09, 0x01, 0xa1, 0x00,
	0x05, 0x09, 0x19, 0x01, 0x29, 0x03, 0x15, 0x00, 0x25, 0x01, 0x95, 0x03,
	0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x05, 0x81, 0x01, 0x05, 0x01,
	0x09, 0x30, 0x09, 0x31, 0x26, 0xff, 0x0f, 0x75, 0x0c, 0x95, 0x02, 0x81,
	0x02, 0x09, 0x38, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06, 0xc0, 0xc0,
};

static void
pointer(void **state)
{
	struct hid_pointer hp;
	uint8_t relative[sizeof(tablet)];

	(void)state;
	assert_true(hid_pointer_parse(&hp, tablet, sizeof(tablet)));
	assert_int_equal(hp.hp_id, 2);
	assert_int_equal(hp.hp_x.hf_bit, 16);
	assert_int_equal(hp.hp_y.hf_bit, 28);
	assert_int_equal(hp.hp_y.hf_bits, 12);
	assert_int_equal(hp.hp_x.hf_max, 4095);
	hid_pointer_report(&hp, (const uint8_t *)"\2\5\x34\x62\x45\0", 6);
	assert_int_equal(hp.hp_at_x, 0x234);
	assert_int_equal(hp.hp_at_y, 0x456);
	assert_int_equal(hp.hp_pressed, 5);
	/* Another report's, and a short one. */
	hid_pointer_report(&hp, (const uint8_t *)"\1\0\0\0\0\0", 6);
	assert_int_equal(hp.hp_at_x, 0x234);
	hid_pointer_report(&hp, (const uint8_t *)"\2\1\x11", 3);
	assert_int_equal(hp.hp_at_x, 0x11);
	assert_int_equal(hp.hp_at_y, 0);

	memcpy(relative, tablet, sizeof(tablet));
	relative[48] = 0x06;
	assert_false(hid_pointer_parse(&hp, relative, sizeof(relative)));
	assert_false(hid_pointer_parse(&hp, tablet, 40));
	assert_false(hid_pointer_parse(&hp, tablet, 0));
}

/* Nothing that a device says reaches beyond what it is about. */
static void
anything(void **state)
{
	struct hid_pointer hp;
	uint8_t *buf;
	unsigned i, n;
	size_t len;

	(void)state;
	srand(1);
	for (i = 0; i < 200000; i++) {
		len = (size_t)rand() % 80;
		buf = malloc(len + 1);
		for (n = 0; n < len; n++)
			buf[n] = rand() % 4 != 0 && n < sizeof(tablet) ?
			    tablet[n] : (uint8_t)rand();
		if (hid_pointer_parse(&hp, buf, len))
			assert_true(hp.hp_x.hf_bit + hp.hp_x.hf_bits <= 512);
		hid_pointer_report(&hp, buf, len);
		ntyped = 0;
		hid_keyboard_report(&hk, buf, len, i);
		hid_keyboard_repeat(&hk, i * NS_PER_MS);
		free(buf);
	}
}

#define TEST(fn)	cmocka_unit_test_setup(fn, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pressed_once),
		TEST(modifiers),
		TEST(caps_lock),
		TEST(rollover),
		TEST(repeats),
		TEST(pointer),
		TEST(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
