/* SPDX-License-Identifier: ISC */
/* UNIT: guest/console/loglimit.c test/unit/kern_fake.c */
/*
 * Slots, over a port's registers as the specification has them: events are
 * cleared by ones, a write of the control register is a command that is
 * completed later, the link comes up some time after the power. Time is made
 * up.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../guest/pci/slot.c"

#define CAP	0x40
#define MS	NS_PER_MS

/* The port and what is in its slot */
static struct {
	uint32_t	caps;
	uint16_t	control, status;
	bool		no_link_told;	/* its link is as it is, but not told */
	bool		in;		/* something is in the slot */
	bool		dumb;		/* which never answers */
	uint64_t	powered;	/* since when; 0 it is not */
	uint64_t	link_ns;	/* that the link takes to come up */
	uint64_t	answer_ns;	/* and the device after that */
	uint64_t	completion_ns;
	uint64_t	completes;	/* when the last command does; 0: none is under way */
	bool		absent;		/* the port itself is gone */
	bool		msix, intx;	/* what interrupts there are */
	bool		line_off;	/* the command register's bit */
	int		(*handler)(void *);
	void		*arg;
	unsigned	commands, early, cleared_unseen;
	uint16_t	seen;		/* status as it was read last */
} port;

static uint64_t now;
static unsigned functions;	/* the kernel has of it */
static unsigned fills, empties, gones;
static bool attached_power;	/* there was power when drivers let go */

static struct pci_dev bridge;
static struct pci_bus bus;

uint64_t
uptime_ns(void)
{
	return now;
}

static bool
powered(void)
{
	return (port.caps & CAP_POWER) == 0 ||
	    (port.control & CTL_POWER_OFF) == 0;
}

static bool
linked(void)
{
	return port.in && powered() && now >= port.powered + port.link_ns;
}

static void
raise_event(uint32_t bits)
{
	uint16_t before = port.status;

	port.status |= (uint16_t)(bits >> 16);
	if (port.handler == NULL || (port.control & CTL_INTERRUPT) == 0 ||
	    (before & (STA_EVENTS >> 16)) != 0)
		return;
	if (!port.intx || !port.line_off)
		port.handler(port.arg);
}

static void
tick(uint64_t ns)
{
	now += ns;
	if (port.completes != 0 && now >= port.completes) {
		port.completes = 0;
		port.status |= STA_COMPLETED >> 16;
	}
}

void
thread_sleep(uint64_t ns)
{
	tick(ns);
}

static void
control_write(uint16_t v)
{
	bool was = powered();

	port.commands++;
	port.early += port.completes != 0;
	port.control = v & (uint16_t)~CTL_INTERLOCK;
	if (powered() && !was)
		port.powered = now;
	if ((port.caps & CAP_NO_COMPLETION) == 0)
		port.completes = now + port.completion_ns;
	tick(0);
}

uint32_t
pci_conf_read(const struct pci_dev *pd, unsigned reg)
{
	(void)pd;
	if (port.absent)
		return UINT32_MAX;
	switch (reg) {
	case PCI_COMMAND:
		return (port.status & (STA_EVENTS >> 16)) != 0 ?
		    COMMAND_PENDING | (port.line_off ? PCI_COMMAND_INTX_OFF : 0)
		    : 0;
	case CAP:
		return 0x10 | EXPRESS_SLOT | 0x00420000;
	case CAP + EXPRESS_LINKCAP:
		return port.no_link_told ? 0 : LINKCAP_ACTIVE_TOLD;
	case CAP + EXPRESS_LINK:
		return linked() ? LINK_ACTIVE : 0;
	case CAP + EXPRESS_SLOTCAP:
		return port.caps;
	case CAP + EXPRESS_SLOT_CONTROL:
		port.seen = port.status;
		return (uint32_t)port.status << 16 | port.control |
		    (port.in ? STA_PRESENT : 0);
	}
	return 0;
}

void
pci_conf_write(const struct pci_dev *pd, unsigned reg, uint32_t v)
{
	(void)pd;
	assert_int_equal(reg, CAP + EXPRESS_SLOT_CONTROL);
	assert_int_equal(v >> 16, 0);
	assert_int_equal(v & CTL_INTERLOCK, 0);
	control_write((uint16_t)v);
}

void
pci_conf_write_16(const struct pci_dev *pd, unsigned reg, uint16_t v)
{
	(void)pd;
	assert_int_equal(reg, CAP + EXPRESS_SLOT_CONTROL + 2);
	port.cleared_unseen += (v & ~port.seen) != 0;
	port.status &= (uint16_t)~v;
}

unsigned
pci_capability(const struct pci_dev *pd, unsigned id)
{
	(void)pd;
	return id == PCI_CAP_EXPRESS ? CAP : 0;
}

uint32_t
pci_bus_read(const struct pci_bus *b, unsigned slot, unsigned func,
    unsigned reg)
{
	(void)b;
	assert_int_equal(slot + func + reg, 0);
	/* Never before the link was up for 100 ms, or might have been. */
	if (!port.no_link_told && linked())
		assert_true(now >= port.powered + port.link_ns + SETTLE_NS);
	if (!linked() || port.dumb ||
	    now < port.powered + port.link_ns + port.answer_ns)
		return 0xffff0001;
	return 0x10411af4;
}

unsigned
pci_bus_fill(struct pci_bus *b)
{
	assert_ptr_equal(b, &bus);
	assert_int_equal(functions, 0);
	fills++;
	functions = linked() && !port.dumb ? 2 : 0;
	return functions;
}

void
pci_bus_empty(struct pci_bus *b, bool gone)
{
	assert_ptr_equal(b, &bus);
	assert_int_not_equal(functions, 0);
	functions = 0;
	empties++;
	gones += gone;
	attached_power = powered();
}

bool
pci_bus_filled(const struct pci_bus *b)
{
	(void)b;
	return functions != 0;
}

int
pci_intr_establish(struct pci_dev *pd, int vector, unsigned cpu,
    const char *name, int (*fn)(void *), void *arg)
{
	(void)pd;
	(void)cpu;
	(void)name;
	if (vector == -1 ? !port.intx : !port.msix)
		return ENXIO;
	port.handler = fn;
	port.arg = arg;
	return 0;
}

void
pci_intr_line_allow(struct pci_dev *pd, bool on)
{
	(void)pd;
	port.line_off = !on;
}

void
pci_intr_release(struct pci_dev *pd)
{
	(void)pd;
	port.handler = NULL;
}

void
pci_bridge_use(struct pci_dev *pd, bool on)
{
	(void)pd;
	(void)on;
}

void
pci_name(const struct pci_dev *pd, char *buf, size_t len)
{
	(void)pd;
	strncpy(buf, "port", len);
}

void (*pci_event_hook)(void);
struct pci_bus *pci_buses = &bus;

int
pci_hold(void)
{
	return 0;
}

void
pci_drop(void)
{
}

/* What the user does */

static void
put_in(void)
{
	port.in = true;
	raise_event(STA_PRESENCE);
}

static void
pull_out(void)
{
	port.in = false;
	raise_event(STA_PRESENCE | STA_LINK);
}

static void
press(void)
{
	raise_event(STA_BUTTON);
}

static enum slot_state
state_of(void)
{
	return bus.pb_slot->sl_state;
}

/* Time goes by, and the slot is looked at when it asks for it. */
static unsigned
pass(uint64_t ns)
{
	uint64_t end = now + ns, at;
	unsigned found = 0, looks = 0;

	for (;;) {
		at = pci_slot_look(&bus, &found);
		assert_true(++looks < 2000);
		if (at > end)
			break;
		if (at > now)
			tick(at - now);
	}
	if (end > now)
		tick(end - now);
	return found;
}

static void
begin(void)
{
	memset(&bridge, 0, sizeof(bridge));
	memset(&bus, 0, sizeof(bus));
	bus.pb_bridge = &bridge;
	bus.pb_single = true;
	fills = empties = gones = 0;
	tick(NS_PER_S);		/* firmware's last command is completed */
	pci_slot_init(&bus);
	assert_non_null(bus.pb_slot);
}

static int
setup(void **state)
{
	(void)state;
	memset(&port, 0, sizeof(port));
	now = NS_PER_S;
	functions = 0;
	port.caps = CAP_BUTTON | CAP_POWER | CAP_LAMP | CAP_ATTENTION |
	    CAP_HOTPLUG;
	port.control = CTL_POWER_OFF | CTL_LAMP_OFF | CTL_ATTENTION_OFF;
	port.link_ns = 30 * MS;
	port.answer_ns = 250 * MS;
	port.completion_ns = 5 * MS;
	port.msix = true;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(port.early, 0);
	assert_int_equal(port.cleared_unseen, 0);
	pci_slot_forget(&bus);
	return 0;
}

static void
is_off(void)
{
	assert_int_equal(port.control & CTL_POWER_OFF, CTL_POWER_OFF);
	assert_int_equal(port.control & CTL_LAMP, CTL_LAMP_OFF);
	assert_int_equal(functions, 0);
}

static void
is_on(void)
{
	assert_int_equal(state_of(), SLOT_ON);
	assert_int_equal(port.control & CTL_POWER_OFF, 0);
	assert_int_equal(port.control & CTL_LAMP, CTL_LAMP_ON);
	assert_int_equal(functions, 2);
}

static void
filled_and_asked_out(void **state)
{
	(void)state;
	begin();
	is_off();
	assert_int_equal(pass(10 * NS_PER_S), 0);
	put_in();
	assert_int_equal(pass(20 * MS), 0);
	assert_int_equal(port.control & CTL_LAMP, CTL_LAMP_BLINK);
	assert_int_equal(pass(NS_PER_S), 2);
	is_on();
	pass(10 * NS_PER_S);
	press();
	pass(4900 * MS);
	assert_int_equal(port.control & CTL_LAMP, CTL_LAMP_BLINK);
	assert_int_equal(functions, 2);
	pass(200 * MS);
	is_off();
	assert_int_equal(gones, 0);
	assert_true(attached_power);
	/* It is still in there, and is not switched on again. */
	pass(10 * NS_PER_S);
	is_off();
	pull_out();
	pass(10 * NS_PER_S);
	put_in();
	pass(2 * NS_PER_S);
	is_on();
	assert_int_equal(fills, 2);
	assert_int_equal(empties, 1);
}

/* A second press within five seconds takes the first one back. */
static void
taken_back(void **state)
{
	(void)state;
	begin();
	put_in();
	pass(2 * NS_PER_S);
	press();
	pass(4 * NS_PER_S);
	press();
	pass(10 * NS_PER_S);
	is_on();
	assert_int_equal(empties, 0);
	press();
	pass(6 * NS_PER_S);
	is_off();
}

static unsigned nlogged;

void
klog(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	nlogged++;
}

/* Who leans on the button does not bury all else in the log. */
static void
pressed_without_end(void **state)
{
	unsigned i;

	(void)state;
	begin();
	put_in();
	pass(100 * NS_PER_S);
	nlogged = 0;
	for (i = 0; i < 1000; i++) {
		press();
		pass(MS);
	}
	is_on();
	assert_int_equal(empties, 0);
	assert_in_range(nlogged, 16, 40);	/* it took some seconds */
}

/* QEMU presses the button along with filling a slot. */
static void
button_with_filling(void **state)
{
	(void)state;
	begin();
	port.in = true;
	raise_event(STA_PRESENCE | STA_BUTTON);
	pass(10 * NS_PER_S);
	is_on();
}

/*
 * Asked out before it was ready: neither forgotten, nor taken for the filling.
 */
static void
asked_out_at_once(void **state)
{
	(void)state;
	begin();
	put_in();
	pass(50 * MS);
	press();
	pass(NS_PER_S);
	assert_int_equal(state_of(), SLOT_LEAVING);
	pass(5 * NS_PER_S);
	is_off();
	assert_int_equal(fills, 1);
}

/* Swapped so quickly that the levels never show it. */
static void
swapped(void **state)
{
	(void)state;
	begin();
	put_in();
	pass(2 * NS_PER_S);
	pull_out();
	put_in();
	pass(100 * MS);
	is_off();
	assert_int_equal(gones, 1);
	/* Not before it was off for a second. */
	pass(800 * MS);
	is_off();
	pass(2 * NS_PER_S);
	is_on();
}

static void
torn_out(void **state)
{
	(void)state;
	begin();
	put_in();
	pass(2 * NS_PER_S);
	pull_out();
	pass(10 * MS);
	is_off();
	assert_int_equal(gones, 1);
	assert_false(attached_power);
	put_in();
	pass(3 * NS_PER_S);
	is_on();
	/* Also when it was asked out. */
	press();
	pass(NS_PER_S);
	pull_out();
	pass(10 * MS);
	is_off();
	assert_int_equal(gones, 2);
}

/* Out again before it was found. */
static void
torn_out_early(void **state)
{
	uint64_t ms;

	(void)state;
	begin();
	for (ms = 0; ms < 400; ms += 7) {
		put_in();
		pass(ms * MS);
		pull_out();
		pass(10 * MS);
		is_off();
		pass(2 * NS_PER_S);
	}
	assert_int_equal(fills, empties);
	put_in();
	pass(3 * NS_PER_S);
	is_on();
}

static void
link_lost(void **state)
{
	(void)state;
	begin();
	put_in();
	pass(2 * NS_PER_S);
	port.link_ns = 60 * NS_PER_S;
	raise_event(STA_LINK);
	pass(MS);
	is_off();
	assert_int_equal(gones, 1);
}

static void
power_fault(void **state)
{
	(void)state;
	begin();
	put_in();
	pass(2 * NS_PER_S);
	raise_event(STA_FAULT);
	pass(100 * MS);
	is_off();
	assert_int_equal(gones, 1);
}

/*
 * Nothing answers, or the link stays down: off after two seconds, and quiet
 * until someone looks.
 */
static void
never_answers(void **state)
{
	(void)state;
	port.dumb = true;
	begin();
	put_in();
	pass(3 * NS_PER_S);
	is_off();
	assert_int_equal(port.control & CTL_ATTENTION, CTL_ATTENTION_ON);
	pass(20 * NS_PER_S);
	assert_int_equal(fills, 1);
	port.dumb = false;
	port.link_ns = 30 * NS_PER_S;
	press();
	pass(5 * NS_PER_S);
	is_off();
	port.link_ns = 0;
	pull_out();
	pass(3 * NS_PER_S);
	assert_int_equal(port.control & CTL_ATTENTION, CTL_ATTENTION_OFF);
	put_in();
	pass(3 * NS_PER_S);
	is_on();
}

/* Filled, or asked out, before we were there. */
static void
before_the_start(void **state)
{
	(void)state;
	port.in = true;
	port.status = (STA_PRESENCE | STA_BUTTON) >> 16;
	begin();
	pass(2 * NS_PER_S);
	is_on();
	pci_slot_forget(&bus);

	port.control = CTL_LAMP_ON;
	port.powered = 0;
	begin();
	is_on();
	assert_int_equal(fills, 0);
	pci_slot_forget(&bus);

	port.control = CTL_LAMP_ON;
	port.status = STA_BUTTON >> 16;
	begin();
	pass(4 * NS_PER_S);
	assert_int_equal(functions, 2);
	pass(2 * NS_PER_S);
	is_off();
	pci_slot_forget(&bus);

	/* Firmware left an empty slot on. */
	port.in = false;
	port.control = 0;
	begin();
	is_off();
}

/*
 * Without interrupts it takes a tenth of a second longer; by the line, none is
 * left asserted.
 */
static void
interrupts(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		port.msix = i == 0;
		port.intx = i == 1;
		begin();
		put_in();
		pass(NS_PER_S);
		is_on();
		press();
		pass(5200 * MS);
		is_off();
		assert_int_equal(port.status & (STA_EVENTS >> 16), 0);
		assert_false(port.line_off);
		port.in = false;
		pass(5 * NS_PER_S);
		assert_int_equal(state_of(), SLOT_EMPTY);
		if (i < 2)
			pci_slot_forget(&bus);
	}
}

/* An interrupt that never comes costs two seconds. */
static void
interrupt_lost(void **state)
{
	(void)state;
	begin();
	port.handler = NULL;
	put_in();
	pass(4 * NS_PER_S);
	is_on();
}

/*
 * Slots that have less: no controller of power, no lamps, no word of the link
 * or of completion.
 */
static void
plain(void **state)
{
	(void)state;
	port.caps = CAP_HOTPLUG | CAP_NO_COMPLETION;
	port.no_link_told = true;
	port.control = 0;
	begin();
	put_in();
	pass(3 * NS_PER_S);
	assert_int_equal(state_of(), SLOT_ON);
	assert_int_equal(port.control & (CTL_LAMP | CTL_ATTENTION), 0);
	pull_out();
	pass(100 * MS);
	assert_int_equal(functions, 0);
	assert_int_equal(gones, 1);
}

/* A port that never completes a command is not waited for without end. */
static void
never_completes(void **state)
{
	(void)state;
	port.completion_ns = UINT64_MAX / 2;
	begin();
	put_in();
	pass(10 * NS_PER_S);
	assert_int_equal(functions, 2);
	press();
	pass(20 * NS_PER_S);
	assert_int_equal(functions, 0);
	port.early = 0;		/* it left no choice */
}

/* The port goes itself, with what is above it: nothing is done to it. */
static void
port_gone(void **state)
{
	unsigned commands;

	(void)state;
	begin();
	put_in();
	pass(2 * NS_PER_S);
	port.absent = true;
	commands = port.commands;
	pass(10 * NS_PER_S);
	assert_int_equal(functions, 2);
	assert_int_equal(port.commands, commands);
	port.absent = false;
}

/*
 * Anything at any time: it goes on, and in the end the slot does what it is
 * for.
 */
static void
anything(void **state)
{
	unsigned i;

	(void)state;
	srand(1);
	begin();
	for (i = 0; i < 20000; i++) {
		switch (rand() % 8) {
		case 0:
			put_in();
			break;
		case 1:
			pull_out();
			break;
		case 2:
			press();
			break;
		case 3:
			raise_event((uint32_t)rand() << 16 & STA_EVENTS);
			break;
		default:
			break;
		}
		pass((unsigned)rand() % 4000 * NS_PER_MS);
	}
	port.in = false;
	pass(20 * NS_PER_S);
	is_off();
	assert_int_equal(state_of(), SLOT_EMPTY);
	put_in();
	pass(5 * NS_PER_S);
	is_on();
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filled_and_asked_out),
		TEST(taken_back),
		TEST(pressed_without_end),
		TEST(button_with_filling),
		TEST(asked_out_at_once),
		TEST(swapped),
		TEST(torn_out),
		TEST(torn_out_early),
		TEST(link_lost),
		TEST(power_fault),
		TEST(never_answers),
		TEST(before_the_start),
		TEST(interrupts),
		TEST(interrupt_lost),
		TEST(plain),
		TEST(never_completes),
		TEST(port_gone),
		TEST(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
