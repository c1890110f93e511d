/* SPDX-License-Identifier: ISC */
/* UNIT: guest/usb/xhci.c guest/usb/hid.c guest/console/loglimit.c test/unit/kern_fake.c */
/*
 * USB over a controller that is made up here, register by register and ring by
 * ring, with keyboards in its ports: one that does as it should, and one whose
 * every event, register and descriptor may be anything.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "init.h"
#include "../../guest/usb/usbvar.h"

static const struct port_bus_space space;

/* The registers lie in a space of the test's. */
#define xhci_find(hc, t, h, size)	((void)(h), xhci_find(hc, &space, 0, size))
#define dma_tag_coherent		port_dma_tag
#define dma_tag_noncoherent		port_dma_tag
#include "../../guest/usb/usb.c"

static uint16_t pointed_x, pointed_y;

void
fbcon_point(uint16_t x, uint16_t y)
{
	pointed_x = x;
	pointed_y = y;
}

#include <port.h>

#define OP	0x40
#define RUN	0x800
#define BELL	0xc00
#define SLOTS	16
#define PORTS	4

struct trb {
	uint32_t	t_word[4];
};

struct ring {
	uint64_t	r_at;
	uint32_t	r_cycle;
};

/* The controller */
static struct {
	uint32_t	command, status, iman;
	uint64_t	crcr, dcbaap, erstba, erdp;
	uint32_t	port[PORTS + 1];
	struct ring	ring;
	uint64_t	event;		/* where the next goes */
	unsigned	event_at, event_size;
	uint32_t	event_cycle;
	bool		slot[SLOTS + 1];
	struct ring	ep0[SLOTS + 1], ep1[SLOTS + 1];
	bool		listening[SLOTS + 1];
	uint8_t		setup[8];
	bool		gone, deaf, stuck;	/* all ones; no answers; no reset */
	bool		stalls;		/* requests of a class are refused */
	uint32_t	left;		/* more bytes are said to be left than were */
	unsigned	evil;		/* of a hundred events so many are wrong */
	unsigned	enables;
} hc;

static const uint8_t device_desc[18] = {
	18, 1, 0x00, 0x02, 0, 0, 0, 64, 0xac, 0x05, 0x05, 0x81, 0, 1, 0, 0, 0, 1,
};
static uint8_t config_desc[34] = {
	9, 2, 34, 0, 1, 7, 0, 0xa0, 50,
	9, 4, 0, 0, 1, 3, 1, 1, 0,
	9, 0x21, 0x11, 1, 0, 1, 0x22, 63, 0,
	7, 5, 0x81, 3, 8, 0, 10,
};

static char typed[8192];
static size_t ntyped;

static unsigned
chance(unsigned n)
{
	return (unsigned)rand() % n;
}

static void
event_put(uint64_t addr, uint32_t status, uint32_t control)
{
	struct trb t = { { (uint32_t)addr, (uint32_t)(addr >> 32), status,
	    control | hc.event_cycle } };

	if (hc.event_size == 0 || hc.deaf)
		return;
	if (chance(100) < hc.evil) {
		switch (chance(4)) {
		case 0:
			return;
		case 1:
			t.t_word[chance(3)] ^= 1u << chance(32);
			break;
		case 2:
			t.t_word[3] ^= 2u << chance(31);
			break;
		default:
			t.t_word[chance(3)] = (uint32_t)rand() * 5;
			break;
		}
	}
	port_dma_write(hc.event + hc.event_at * 16, &t, sizeof(t));
	if (++hc.event_at == hc.event_size) {
		hc.event_at = 0;
		hc.event_cycle ^= 1;
	}
	hc.status |= 8;
}

static bool
ring_get(struct ring *r, struct trb *t, uint64_t *addr)
{
	for (;;) {
		if (r->r_at == 0 || port_dma_read(r->r_at, t, sizeof(*t)) != 0 ||
		    (t->t_word[3] & 1) != r->r_cycle)
			return false;
		if ((t->t_word[3] >> 10 & 0x3f) != 6)
			break;
		r->r_at = t->t_word[0] | (uint64_t)t->t_word[1] << 32;
		r->r_cycle ^= t->t_word[3] >> 1 & 1;
	}
	*addr = r->r_at;
	r->r_at += 16;
	return true;
}

static uint64_t
input_ring(const struct trb *t, unsigned context)
{
	uint64_t where = (t->t_word[0] | (uint64_t)t->t_word[1] << 32) +
	    (context + 1) * 64 + 8, at = 0;

	port_dma_read(where, &at, sizeof(at));
	return at;
}

static void
command_run(const struct trb *t, uint64_t addr)
{
	unsigned slot = t->t_word[3] >> 24, code = 1;
	uint64_t at;

	if (slot > SLOTS)
		slot = 0;
	switch (t->t_word[3] >> 10 & 0x3f) {
	case 9:
		hc.enables++;
		for (slot = 1; slot < SLOTS && hc.slot[slot];)
			slot++;
		hc.slot[slot] = true;
		break;
	case 10:
		hc.slot[slot] = false;
		hc.listening[slot] = false;
		hc.ep0[slot].r_at = hc.ep1[slot].r_at = 0;
		break;
	case 11:
		at = input_ring(t, 1);
		hc.ep0[slot] = (struct ring){ at & ~15ull, 1 };
		break;
	case 12:
		at = input_ring(t, 3);
		hc.ep1[slot] = (struct ring){ at & ~15ull, 1 };
		break;
	case 16:
		at = t->t_word[0] | (uint64_t)t->t_word[1] << 32;
		hc.ep0[slot] = (struct ring){ at & ~15ull, at & 1 };
		break;
	default:
		break;
	}
	event_put(addr, code << 24, 33 << 10 | slot << 24);
}

/* What a request asks for; its length, or -1: refused. */
static int
answer(uint8_t *buf)
{
	unsigned type = hc.setup[0], what = hc.setup[1], value = hc.setup[3];
	int n = 0, i;

	if (type == 0x80 && what == 6 && value == 1)
		memcpy(buf, device_desc, (size_t)(n = sizeof(device_desc)));
	else if (type == 0x80 && what == 6 && value == 2)
		memcpy(buf, config_desc, (size_t)(n = sizeof(config_desc)));
	else if (type == 0x21 && hc.stalls)
		return -1;
	else if (type != 0 && type != 0x21)
		return -1;
	for (i = 0; i < n; i++)
		if (chance(400) < hc.evil)
			buf[i] = (uint8_t)rand();
	return n;
}

static void
control_run(unsigned slot)
{
	uint8_t buf[512];
	uint64_t addr, to;
	struct trb t;
	int n = 0;
	uint32_t len;

	while (ring_get(&hc.ep0[slot], &t, &addr)) {
		to = t.t_word[0] | (uint64_t)t.t_word[1] << 32;
		switch (t.t_word[3] >> 10 & 0x3f) {
		case 2:
			memcpy(hc.setup, t.t_word, 8);
			break;
		case 3:
			n = answer(buf);
			len = t.t_word[2] & 0x1ffff;
			if (n < 0) {
				event_put(addr, 6u << 24, 32 << 10 | 1 << 16 |
				    slot << 24);
				return;
			}
			if ((t.t_word[3] & 0x10000) == 0)
				break;
			if ((uint32_t)n > len)
				n = (int)len;
			port_dma_write(to, buf, (size_t)n);
			if ((uint32_t)n < len)
				event_put(addr, 13u << 24 | (len - (uint32_t)n +
				    hc.left),
				    32 << 10 | 1 << 16 | slot << 24);
			break;
		case 4:
			if (n == 0)
				n = answer(buf);
			event_put(addr, (n < 0 ? 6u : 1u) << 24, 32 << 10 |
			    1 << 16 | slot << 24);
			n = 0;
			break;
		default:
			break;
		}
	}
}

static void
key(unsigned slot, uint8_t modifiers, uint8_t usage)
{
	uint8_t report[8] = { modifiers, 0, usage };
	uint64_t addr, to;
	struct trb t;

	if (!hc.listening[slot] || !ring_get(&hc.ep1[slot], &t, &addr))
		return;
	to = t.t_word[0] | (uint64_t)t.t_word[1] << 32;
	port_dma_write(to, report, sizeof(report));
	event_put(addr, 1u << 24 | hc.left, 32 << 10 | 3 << 16 | slot << 24);
}

static void
controller_reset(void)
{
	unsigned i;

	hc.status = 1;
	hc.event_size = 0;
	memset(hc.slot, 0, sizeof(hc.slot));
	memset(hc.listening, 0, sizeof(hc.listening));
	for (i = 0; i <= SLOTS; i++)
		hc.ep0[i].r_at = hc.ep1[i].r_at = 0;
	hc.ring.r_at = 0;
}

static void
command_write(uint32_t v)
{
	uint64_t erst[2] = { 0, 0 };

	if (hc.stuck) {
		hc.command |= v & 2;
		return;
	}
	hc.command = v & ~2u;
	if ((v & 2) != 0) {
		controller_reset();
		return;
	}
	if ((v & 1) == 0) {
		hc.status |= 1;
		return;
	}
	hc.status &= ~1u;
	port_dma_read(hc.erstba, erst, sizeof(erst));
	hc.event = erst[0];
	hc.event_size = (unsigned)erst[1] & 0xffff;
	hc.event_at = 0;
	hc.event_cycle = 1;
	hc.ring = (struct ring){ hc.crcr & ~63ull, hc.crcr & 1 };
}

static void
bell(unsigned slot, uint32_t endpoint)
{
	struct trb t;
	uint64_t addr;

	if ((hc.command & 1) == 0 || hc.deaf)
		return;
	if (slot == 0)
		while (ring_get(&hc.ring, &t, &addr))
			command_run(&t, addr);
	else if (slot <= SLOTS && endpoint == 1)
		control_run(slot);
	else if (slot <= SLOTS && endpoint == 3)
		hc.listening[slot] = true;
}

static uint32_t
reg_read(void *arg, bus_size_t off, unsigned int width)
{
	(void)arg;
	assert_int_equal(width, 4);
	assert_true(off < 0x1000);
	if (hc.gone)
		return UINT32_MAX;
	switch (off) {
	case 0x00:
		return 0x01100000 | OP;
	case 0x04:
		return (uint32_t)PORTS << 24 | 1 << 8 | SLOTS;
	case 0x08:
		return 2u << 27;
	case 0x10:
		return 5;
	case 0x14:
		return BELL;
	case 0x18:
		return RUN;
	case OP:
		return hc.command;
	case OP + 4:
		return hc.status | (chance(4000) < hc.evil ? 4 : 0);
	case OP + 8:
		return 1;
	default:
		if (off >= OP + 0x400 && off < OP + 0x400 + 16 * PORTS)
			return hc.port[(off - OP - 0x400) / 16 + 1];
		return 0;
	}
}

static void
half(uint64_t *reg, bus_size_t off, uint32_t v)
{
	*reg = (off & 4) != 0 ? (*reg & UINT32_MAX) | (uint64_t)v << 32 :
	    (*reg & ~(uint64_t)UINT32_MAX) | v;
}

static void
reg_write(void *arg, bus_size_t off, unsigned int width, uint32_t v)
{
	uint32_t *p;

	(void)arg;
	assert_int_equal(width, 4);
	assert_true(off < 0x1000);
	if (hc.gone)
		return;
	if (off == OP)
		command_write(v);
	else if (off == OP + 4)
		hc.status &= ~(v & 8);
	else if (off == OP + 0x18 || off == OP + 0x1c)
		half(&hc.crcr, off, v);
	else if (off == RUN + 0x30 || off == RUN + 0x34)
		half(&hc.erstba, off, v);
	else if (off >= BELL && off < BELL + 4 * (SLOTS + 1))
		bell((unsigned)(off - BELL) / 4, v);
	else if (off >= OP + 0x400 && off < OP + 0x400 + 16 * PORTS) {
		p = &hc.port[(off - OP - 0x400) / 16 + 1];
		/* Never switched off by a bit that is written back. */
		assert_int_equal(v & PORT_ENABLED, 0);
		*p = (*p & ~(v & PORT_CHANGES)) | (v & PORT_POWER);
		if ((v & PORT_RESET) != 0)
			*p |= PORT_ENABLED | PORT_RESET_CHANGE;
	}
}

static const struct port_bus_space space = { reg_read, reg_write, NULL };

/* What stands around the code under test */

uint64_t
uptime_ns(void)
{
	return port.po_now_ns;
}

void
init_hold(void)
{
}

void
init_release(void)
{
}

int
event_wait(struct event *ev, uint64_t ns)
{
	(void)ev;
	port.po_now_ns += ns < NS_PER_S ? ns : NS_PER_S;
	return ETIMEDOUT;
}

void
event_signal(struct event *ev)
{
	(void)ev;
}

struct thread *
thread_create(const char *who, void (*fn)(void *), void *arg)
{
	(void)who;
	(void)fn;
	(void)arg;
	return (struct thread *)&hc;
}

void
tty_input(const unsigned char *buf, size_t len)
{
	if (ntyped + len >= sizeof(typed))
		ntyped = 0;
	memcpy(typed + ntyped, buf, len);
	ntyped += len;
	typed[ntyped] = '\0';
}

bool
cmdline_is(const char *word, const char *value)
{
	(void)word;
	(void)value;
	return false;
}

static bool mastering;

bool
pci_coherent(const struct pci_dev *pd)
{
	(void)pd;
	return true;
}

void
pci_enable(struct pci_dev *pd)
{
	(void)pd;
}

/* Not before the controller was reset, whatever it did before. */
void
pci_master(struct pci_dev *pd, bool on)
{
	(void)pd;
	if (on)
		assert_true(hc.gone || (hc.command & 1) == 0);
	mastering = on;
}

int
pci_map_bar(struct pci_dev *pd, unsigned bar, volatile void **va,
    uint64_t *size)
{
	(void)pd;
	(void)bar;
	*va = &hc;
	*size = 0x1000;
	return 0;
}

void
pci_unmap_bar(struct pci_dev *pd, unsigned bar)
{
	(void)pd;
	(void)bar;
}

int
pci_intr_establish(struct pci_dev *pd, int vector, unsigned cpu,
    const char *who, int (*fn)(void *), void *arg)
{
	(void)pd;
	(void)vector;
	(void)cpu;
	(void)who;
	(void)fn;
	(void)arg;
	return ENXIO;
}

void
pci_intr_disestablish(struct pci_dev *pd, int vector)
{
	(void)pd;
	(void)vector;
}

void
pci_release(struct pci_dev *pd)
{
	(void)pd;
}

void
pci_register(struct pci_driver *pr)
{
	(void)pr;
}

void
pci_name(const struct pci_dev *pd, char *buf, size_t len)
{
	(void)pd;
	snprintf(buf, len, "pci");
}

static struct pci_dev pci;

/* Time goes by; never more than a minute for one round. */
static void
run(unsigned rounds)
{
	uint64_t began;

	while (rounds-- > 0 && controllers != NULL) {
		began = port.po_now_ns;
		(void)service(controllers);
		assert_true(port.po_now_ns - began < 60 * NS_PER_S);
		port.po_now_ns += POLL_NS;
	}
}

static void
connect(unsigned p)
{
	hc.port[p] = PORT_CONNECTED | PORT_POWER | SPEED_HIGH << 10 |
	    PORT_CONNECT_CHANGE;
	event_put(0, 1u << 24, 34 << 10);
}

static void
disconnect(unsigned p)
{
	hc.port[p] = PORT_POWER | PORT_CONNECT_CHANGE;
	event_put(0, 1u << 24, 34 << 10);
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	memset(&hc, 0, sizeof(hc));
	hc.status = 1;
	memset(&pci, 0, sizeof(pci));
	pci.pd_class = PCI_CLASS_XHCI << 8;
	srand(1);
	ntyped = 0;
	typed[0] = '\0';
	return 0;
}

/*
 * Nothing is left, but for what a controller without a confirmed reset may
 * have.
 */
static int
teardown(void **state)
{
	int bad;

	(void)state;
	if (controllers != NULL)
		usb_detach(&pci);
	assert_false(mastering);
	bad = hc.gone || hc.stuck ? port_check_rules() : port_check();
	port_reset();
	return bad;
}

static void
types(void **state)
{
	(void)state;
	hc.command = 1;		/* firmware left it running */
	assert_true(usb_attach(&pci));
	run(2);
	connect(2);
	run(100);
	assert_int_equal(controllers->hc_port[2].xp_dev->ud_kind, USB_KEYBOARD);
	assert_int_equal(controllers->hc_port[2].xp_dev->ud_id, 0x810505ac);
	key(1, 0, 4);
	run(1);
	key(1, 0, 0);
	run(1);
	key(1, 2, 5);
	run(1);
	assert_string_equal(typed, "aB");
	run(100);
	assert_true(strlen(typed) > 5);
	disconnect(2);
	run(100);
	assert_null(controllers->hc_port[2].xp_dev);
	assert_int_equal(controllers->hc_strange, 0);
}

/*
 * Rings go round: more commands, transfers and events than there is room for at
 * once.
 */
static void
round_and_round(void **state)
{
	unsigned i;

	(void)state;
	assert_true(usb_attach(&pci));
	for (i = 0; i < 60; i++) {
		connect(1);
		run(100);
		assert_non_null(controllers->hc_port[1].xp_dev);
		key(1, 0, (uint8_t)(4 + i % 26));
		run(1);
		key(1, 0, 0);
		run(1);
		disconnect(1);
		run(100);
	}
	assert_int_equal(ntyped, 60);
	for (i = 0, connect(1), run(100); i < 300; i++) {
		key(1, 0, 4);
		run(1);
		key(1, 0, 0);
		run(1);
	}
	assert_int_equal(ntyped, 360);
	assert_int_equal(controllers->hc_strange, 0);
}

/* Requests of the class are refused: it types nevertheless. */
static void
stalls(void **state)
{
	(void)state;
	hc.stalls = true;
	assert_true(usb_attach(&pci));
	connect(1);
	run(100);
	assert_non_null(controllers->hc_port[1].xp_dev);
	key(1, 0, 4);
	run(1);
	assert_string_equal(typed, "a");
}

/*
 * More is said to be left than there was to be: the device is set up anew, some
 * times.
 */
static void
residuals(void **state)
{
	(void)state;
	assert_true(usb_attach(&pci));
	connect(1);
	run(100);
	hc.left = 9;
	key(1, 0, 4);
	run(100);
	assert_int_equal(ntyped, 0);
	hc.left = 0;
	run(100);
	assert_non_null(controllers->hc_port[1].xp_dev);
	key(1, 0, 4);
	run(1);
	assert_string_equal(typed, "a");
	disconnect(1);
	run(100);
	hc.left = 512;
	memset(config_desc + 2, 0xff, 2);
	connect(1);
	run(300);
	config_desc[2] = 34;
	config_desc[3] = 0;
	assert_null(controllers->hc_port[1].xp_dev);
}

/*
 * A controller that does not answer is reset some times, and then left in
 * peace.
 */
static void
deaf(void **state)
{
	unsigned enables;

	(void)state;
	assert_true(usb_attach(&pci));
	connect(1);
	hc.deaf = true;
	run(500);
	assert_true(controllers->hc_failures > 0);
	enables = hc.enables;
	run(500);
	assert_int_equal(hc.enables, enables);
}

static void
never_resets(void **state)
{
	(void)state;
	hc.stuck = true;
	hc.command = 2;
	assert_true(usb_attach(&pci));
	assert_null(controllers);
}

/* Out of the machine with a key held down. */
static void
torn_out(void **state)
{
	(void)state;
	assert_true(usb_attach(&pci));
	connect(1);
	run(100);
	key(1, 0, 4);
	run(1);
	hc.gone = pci.pd_gone = true;
	run(20);
	usb_detach(&pci);
	assert_null(controllers);
}

/* It does not confirm its reset: its memory is nobody's any more. */
static void
keeps_memory(void **state)
{
	(void)state;
	assert_true(usb_attach(&pci));
	connect(1);
	run(100);
	hc.stuck = true;
	hc.status &= ~1u;
	usb_detach(&pci);
	assert_true(port.po_dmamems > 0);
}

/* Memory ends at any allocation. */
static void
no_memory(void **state)
{
	int n;

	(void)state;
	for (n = 0; n < 24; n++) {
		port.po_fail_after = n;
		hc.stuck = false;
		assert_true(usb_attach(&pci));
		connect(1);
		run(300);
		port.po_fail_after = -1;
		if (controllers != NULL)
			usb_detach(&pci);
		assert_int_equal(port.po_dmamems, 0);
		memset(hc.port, 0, sizeof(hc.port));
		controller_reset();
	}
}

/* Any descriptor: nothing beyond its end is looked at. */
static void
any_descriptor(void **state)
{
	struct usb_dev ud;
	uint8_t *buf;
	unsigned i, n;
	size_t len;

	(void)state;
	for (i = 0; i < 200000; i++) {
		len = chance(sizeof(config_desc) + 6);
		buf = malloc(len + 1);
		for (n = 0; n < len; n++)
			buf[n] = chance(8) != 0 && n < sizeof(config_desc) ?
			    config_desc[n] : (uint8_t)rand();
		memset(&ud, 0, sizeof(ud));
		usb_config_parse(&ud, buf, len);
		if (ud.ud_kind != USB_OTHER) {
			assert_in_range(ud.ud_endpoint, 1, 15);
			assert_in_range(ud.ud_maxpacket, 1, USB_REPORT);
			assert_in_range(ud.ud_interval, 0, 15);
		}
		free(buf);
	}
}

/*
 * Events, registers and descriptors that are wrong now and then: bounded, and
 * nothing leaks.
 */
static void
lies(void **state)
{
	unsigned round, i;

	(void)state;
	for (round = 0; round < 200; round++) {
		srand(round);
		hc.evil = chance(3) == 0 ? 1 + chance(60) : 3;
		assert_true(usb_attach(&pci));
		for (i = 0; i < 40 && controllers != NULL; i++) {
			switch (chance(5)) {
			case 0:
				connect(1 + chance(PORTS));
				break;
			case 1:
				disconnect(1 + chance(PORTS));
				break;
			default:
				key(1 + chance(4), (uint8_t)chance(4),
				    (uint8_t)chance(110));
				break;
			}
			run(5);
		}
		hc.evil = 0;
		if (controllers != NULL)
			usb_detach(&pci);
		memset(hc.port, 0, sizeof(hc.port));
		port_reset();
	}
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(types),
		TEST(round_and_round),
		TEST(stalls),
		TEST(residuals),
		TEST(deaf),
		TEST(never_resets),
		TEST(torn_out),
		TEST(keeps_memory),
		TEST(no_memory),
		TEST(any_descriptor),
		TEST(lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
