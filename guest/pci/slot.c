/* SPDX-License-Identifier: ISC */
/*
 * Native hot plug: the slot of a PCI Express port, by the registers of its
 * capability (PCI Express Base Specification, PCI Express Hot-Plug Support, and
 * the Slot Capabilities, Control and Status Registers).
 *
 * A slot is looked at when its port interrupts, when the time that its state
 * waits for is over, and now and then, since an interrupt may be lost or there
 * may be none. What it does is decided by what is there at that time; of the
 * events in the status register only those matter that levels don't tell: the
 * button, a fault, and a change that is over before we look.
 */
#include <errno.h>
#include <string.h>

#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "pcivar.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"

#define EXPRESS_SLOT		(1u << 24)	/* there is a slot */
#define EXPRESS_MESSAGE(v)	((v) >> 25 & 0x1f)
#define EXPRESS_LINKCAP		0x0c
#define EXPRESS_LINK		0x10		/* status in the upper half */
#define EXPRESS_SLOTCAP		0x14
#define EXPRESS_SLOT_CONTROL	0x18		/* the same */

#define LINKCAP_ACTIVE_TOLD	(1u << 20)
#define LINK_ACTIVE		(1u << 29)

#define CAP_BUTTON		(1u << 0)
#define CAP_POWER		(1u << 1)
#define CAP_MRL			(1u << 2)	/* a latch: is it open */
#define CAP_ATTENTION		(1u << 3)
#define CAP_LAMP		(1u << 4)
#define CAP_HOTPLUG		(1u << 6)
#define CAP_NO_COMPLETION	(1u << 18)
#define CAP_NUMBER(v)		((v) >> 19)

#define CTL_BUTTON		(1u << 0)
#define CTL_FAULT		(1u << 1)
#define CTL_MRL			(1u << 2)
#define CTL_PRESENCE		(1u << 3)
#define CTL_INTERRUPT		(1u << 5)
#define CTL_ATTENTION		(3u << 6)
#define CTL_ATTENTION_ON	(1u << 6)
#define CTL_ATTENTION_OFF	(3u << 6)
#define CTL_LAMP		(3u << 8)
#define CTL_LAMP_ON		(1u << 8)
#define CTL_LAMP_BLINK		(2u << 8)
#define CTL_LAMP_OFF		(3u << 8)
#define CTL_POWER_OFF		(1u << 10)
#define CTL_INTERLOCK		(1u << 11)	/* a one turns it over */
#define CTL_LINK		(1u << 12)

#define STA_BUTTON		(1u << 16)
#define STA_FAULT		(1u << 17)
#define STA_MRL			(1u << 18)
#define STA_PRESENCE		(1u << 19)
#define STA_COMPLETED		(1u << 20)
#define STA_MRL_OPEN		(1u << 21)
#define STA_PRESENT		(1u << 22)
#define STA_LINK		(1u << 24)
#define STA_EVENTS		(STA_BUTTON | STA_FAULT | STA_MRL | \
				 STA_PRESENCE | STA_LINK)
#define STA_CLEARED		(STA_EVENTS | STA_COMPLETED)

#define COMMAND_PENDING		(1u << 19)	/* in the status half: INTx */

#define COMPLETION_NS		(1 * NS_PER_S)	/* a command takes at most */
#define LINK_NS			(1 * NS_PER_S)	/* the link trains */
#define SETTLE_NS		(100 * NS_PER_MS) /* then, before it is asked */
#define ANSWER_NS		(1 * NS_PER_S)	/* a device gets ready */
#define CANCEL_NS		(5 * NS_PER_S)	/* from button to power */
#define OFF_NS			(1 * NS_PER_S)	/* before it is on again */
#define STEP_NS			(10 * NS_PER_MS)
#define CUT_NS			(200 * NS_PER_MS)
#define LOOK_POLLED_NS		(100 * NS_PER_MS)
#define LOOK_NS			(2 * NS_PER_S)

enum slot_state {
	SLOT_EMPTY,
	SLOT_RISING,		/* power is on, the link is not */
	SLOT_SETTLING,		/* the device may be asked soon */
	SLOT_ON,
	SLOT_LEAVING,		/* asked out; may be taken back */
	SLOT_OFF,		/* until what is in it is out, or the button */
	SLOT_COOLING,		/* empty, or soon: too early to be on again */
};

static const char *const state_names[] = {
	"empty", "powering up", "settling", "on", "asked out", "off", "empty",
};

#define VECTOR_NONE	(-2)

struct pci_slot {
	struct pci_dev	*sl_port;
	struct pci_bus	*sl_bus;	/* behind it */
	char		sl_name[16];
	unsigned	sl_cap;		/* where the capability is */
	uint32_t	sl_caps;	/* Slot Capabilities */
	bool		sl_link_told;	/* link status tells if it is active */
	bool		sl_linked;	/* it was, since the slot is on */
	bool		sl_commanded;	/* a command is under way */
	enum slot_state	sl_state;
	uint64_t	sl_next;	/* when it is looked at again */
	uint64_t	sl_end;		/* of what the state waits for */
	uint64_t	sl_off;		/* when it was switched off */
	bool		sl_attention;	/* the light is on */
	uint32_t	sl_events;	/* of STA_EVENTS, not dealt with yet */
	bool		sl_pressed;	/* the button, not dealt with yet */
	bool		sl_cut;		/* switched off in a test, unheard */
	int		sl_vector;	/* -1 INTx, VECTOR_NONE polled */
	volatile bool	sl_called;	/* by its interrupt */
	struct log_limit sl_log;
	unsigned	sl_in, sl_out, sl_lost;
};

static uint32_t
slot_read(const struct pci_slot *sl)
{
	return pci_conf_read(sl->sl_port, sl->sl_cap + EXPRESS_SLOT_CONTROL);
}

static bool
link_active(const struct pci_slot *sl)
{
	uint32_t v = pci_conf_read(sl->sl_port, sl->sl_cap + EXPRESS_LINK);

	return sl->sl_link_told && v != UINT32_MAX && (v & LINK_ACTIVE) != 0;
}

/*
 * Take over the events that were read, and clear these alone in the register:
 * others may come meanwhile.
 */
static void
slot_collect(struct pci_slot *sl, uint32_t v)
{
	if (v == UINT32_MAX || (v & STA_CLEARED) == 0)
		return;
	sl->sl_events |= v & STA_EVENTS;
	if ((v & STA_COMPLETED) != 0)
		sl->sl_commanded = false;
	pci_conf_write_16(sl->sl_port, sl->sl_cap + EXPRESS_SLOT_CONTROL + 2,
	    (uint16_t)((v & STA_CLEARED) >> 16));
}

/*
 * A write of the control register is a command, and there is one at a time
 * (Command Completed Events).
 */
static void
slot_command(struct pci_slot *sl, uint32_t clear, uint32_t set)
{
	uint64_t end = uptime_ns() + COMPLETION_NS;
	uint32_t v = slot_read(sl);

	slot_collect(sl, v);
	while (sl->sl_commanded && uptime_ns() < end) {
		thread_sleep(NS_PER_MS);
		v = slot_read(sl);
		slot_collect(sl, v);
	}
	if (v == UINT32_MAX)
		return;
	sl->sl_commanded = (sl->sl_caps & CAP_NO_COMPLETION) == 0;
	pci_conf_write(sl->sl_port, sl->sl_cap + EXPRESS_SLOT_CONTROL,
	    ((v & 0xffff & ~clear) | set) & ~CTL_INTERLOCK);
}

/* Lamp and power, as far as the slot has them. */
static void
slot_lamp(struct pci_slot *sl, uint32_t lamp, uint32_t power)
{
	uint32_t clear = 0, set = 0;

	if ((sl->sl_caps & CAP_LAMP) != 0) {
		clear |= CTL_LAMP;
		set |= lamp;
	}
	if ((sl->sl_caps & CAP_POWER) != 0) {
		clear |= CTL_POWER_OFF;
		set |= power;
	}
	slot_command(sl, clear, set);
}

static void
slot_attention(struct pci_slot *sl, bool on)
{
	if ((sl->sl_caps & CAP_ATTENTION) != 0 && sl->sl_attention != on)
		slot_command(sl, CTL_ATTENTION, on ? CTL_ATTENTION_ON :
		    CTL_ATTENTION_OFF);
	sl->sl_attention = on;
}

static void
slot_enter(struct pci_slot *sl, enum slot_state state, uint64_t end)
{
	sl->sl_state = state;
	sl->sl_end = end;
}

static void
slot_cool(struct pci_slot *sl)
{
	slot_enter(sl, SLOT_COOLING, sl->sl_off + OFF_NS);
}

static void
slot_off(struct pci_slot *sl)
{
	slot_lamp(sl, CTL_LAMP_OFF, CTL_POWER_OFF);
	sl->sl_off = uptime_ns();
	sl->sl_pressed = false;
	slot_enter(sl, SLOT_OFF, UINT64_MAX);
}

static void
slot_rise(struct pci_slot *sl)
{
	klog_some(&sl->sl_log, LOG_DEBUG, "%s: filled: power on",
	    sl->sl_name);
	slot_lamp(sl, CTL_LAMP_BLINK, 0);
	slot_enter(sl, SLOT_RISING, uptime_ns() + LINK_NS);
}

static void
slot_fault(struct pci_slot *sl, const char *why)
{
	klog_some(&sl->sl_log, LOG_ERR, "%s: %s: switched off", sl->sl_name,
	    why);
	sl->sl_lost++;
	slot_off(sl);
	slot_attention(sl, true);
}

static void
slot_leave(struct pci_slot *sl)
{
	klog_some(&sl->sl_log, LOG_INFO,
	    "%s: asked out: off in %u seconds, unless asked again",
	    sl->sl_name, (unsigned)(CANCEL_NS / NS_PER_S));
	slot_lamp(sl, CTL_LAMP_BLINK, 0);
	slot_enter(sl, SLOT_LEAVING, uptime_ns() + CANCEL_NS);
}

static void
slot_on(struct pci_slot *sl)
{
	slot_lamp(sl, CTL_LAMP_ON, 0);
	sl->sl_linked = link_active(sl);
	slot_enter(sl, SLOT_ON, UINT64_MAX);
	/* What became of the link and the presence meanwhile was the power. */
	sl->sl_events &= STA_BUTTON | STA_FAULT;
	if (sl->sl_pressed)
		slot_leave(sl);
	sl->sl_pressed = false;
}

static void
slot_fill(struct pci_slot *sl, unsigned *found)
{
	unsigned n = pci_bus_fill(sl->sl_bus);

	if (n == 0) {
		slot_fault(sl, "nothing answers");
		return;
	}
	*found += n;
	sl->sl_in++;
	klog_some(&sl->sl_log, LOG_INFO, "%s: filled: %u function%s",
	    sl->sl_name, n, n == 1 ? "" : "s");
	slot_on(sl);
}

/*
 * Without power first: whatever is there by now, drivers that let go of what
 * was there must not reach it.
 */
static void
slot_lose(struct pci_slot *sl, const char *why)
{
	klog_some(&sl->sl_log, LOG_WARN, "%s: %s", sl->sl_name, why);
	sl->sl_lost++;
	if ((sl->sl_caps & CAP_POWER) != 0)
		slot_command(sl, 0, CTL_POWER_OFF);
	pci_bus_empty(sl->sl_bus, true);
	slot_off(sl);
	slot_cool(sl);
}

/* Why what was here is not any more; NULL: it is. */
static const char *
slot_loss(const struct pci_slot *sl, uint32_t events, bool present)
{
	if ((events & STA_FAULT) != 0)
		return "the power failed";
	if (!present)
		return "taken out by surprise";
	if ((events & STA_PRESENCE) != 0)
		return "taken out and filled again";
	if ((events & STA_LINK) != 0 && sl->sl_linked && !link_active(sl))
		return "the link went down";
	return NULL;
}

static void
step_on(struct pci_slot *sl, uint32_t events, bool present, uint64_t now)
{
	const char *why = slot_loss(sl, events, present);
	bool leaving = sl->sl_state == SLOT_LEAVING;

	if (sl->sl_cut) {
		sl->sl_cut = false;
		why = "switched off in a test";
	}
	if (why != NULL)
		slot_lose(sl, why);
	else if (leaving && (events & STA_BUTTON) != 0) {
		klog_some(&sl->sl_log, LOG_INFO, "%s: stays", sl->sl_name);
		slot_on(sl);
	} else if (leaving && now >= sl->sl_end) {
		pci_bus_empty(sl->sl_bus, false);
		slot_off(sl);
		sl->sl_out++;
	} else if (!leaving && (events & STA_BUTTON) != 0)
		slot_leave(sl);
}

static void
step_rising(struct pci_slot *sl, uint32_t events, bool present, uint64_t now)
{
	/* Asked out when it had only just come in; not the same press. */
	if ((events & (STA_BUTTON | STA_PRESENCE)) == STA_BUTTON)
		sl->sl_pressed = !sl->sl_pressed;
	if ((events & STA_FAULT) != 0)
		slot_fault(sl, "the power failed");
	else if (!present) {
		slot_off(sl);
		slot_cool(sl);
	} else if (!sl->sl_link_told || link_active(sl) || now >= sl->sl_end) {
		slot_enter(sl, SLOT_SETTLING, now + SETTLE_NS + ANSWER_NS);
		sl->sl_next = now + SETTLE_NS;
	}
}

static void
step_settling(struct pci_slot *sl, uint32_t events, bool present, uint64_t now,
    unsigned *found)
{
	uint32_t id;

	if ((events & (STA_BUTTON | STA_PRESENCE)) == STA_BUTTON)
		sl->sl_pressed = !sl->sl_pressed;
	if ((events & STA_FAULT) != 0) {
		slot_fault(sl, "the power failed");
		return;
	}
	if (!present) {
		slot_off(sl);
		slot_cool(sl);
		return;
	}
	if (now + ANSWER_NS < sl->sl_end)
		return;
	/* All ones and 0001 as the vendor: not ready yet. */
	id = pci_bus_read(sl->sl_bus, 0, 0, PCI_ID) & 0xffff;
	if ((id != 0xffff && id != 0 && id != 1) || now >= sl->sl_end)
		slot_fill(sl, found);
}

static void
slot_step(struct pci_slot *sl, uint32_t events, bool present, unsigned *found)
{
	uint64_t now = uptime_ns();

	switch (sl->sl_state) {
	case SLOT_EMPTY:
		if (present)
			slot_rise(sl);
		break;
	case SLOT_RISING:
		step_rising(sl, events, present, now);
		break;
	case SLOT_SETTLING:
		step_settling(sl, events, present, now, found);
		break;
	case SLOT_ON:
	case SLOT_LEAVING:
		step_on(sl, events, present, now);
		break;
	case SLOT_OFF:
		if (present && (events & (STA_BUTTON | STA_PRESENCE)) == 0)
			break;
		slot_attention(sl, false);
		slot_cool(sl);
		break;
	case SLOT_COOLING:
		if (now >= sl->sl_end)
			slot_enter(sl, SLOT_EMPTY, UINT64_MAX);
		break;
	}
}

/* When the state has something to do, or to look for, by itself. */
static uint64_t
slot_next(const struct pci_slot *sl)
{
	uint64_t now = uptime_ns(), next;

	next = now + (sl->sl_vector == VECTOR_NONE ? LOOK_POLLED_NS : LOOK_NS);
	if (sl->sl_state == SLOT_RISING || sl->sl_state == SLOT_SETTLING)
		next = now + STEP_NS;
	else if (sl->sl_end < next)
		next = sl->sl_end;
	return next;
}

static bool
slot_present(const struct pci_slot *sl, uint32_t v)
{
	if ((sl->sl_caps & CAP_MRL) != 0 && (v & STA_MRL_OPEN) != 0)
		return false;
	return (v & STA_PRESENT) != 0 || link_active(sl);
}

uint64_t
pci_slot_look(struct pci_bus *bus, unsigned *found)
{
	struct pci_slot *sl = bus->pb_slot;
	enum slot_state before;
	uint32_t v, events;
	unsigned n;

	if (!sl->sl_called && uptime_ns() < sl->sl_next)
		return sl->sl_next;
	sl->sl_called = false;
	/* A state that is over at once gives way to the next. */
	for (n = 0; n < 4; n++) {
		v = slot_read(sl);
		if (v == UINT32_MAX)
			break;
		slot_collect(sl, v);
		events = sl->sl_events;
		sl->sl_events = 0;
		before = sl->sl_state;
		slot_step(sl, events, slot_present(sl, v), found);
		if (sl->sl_state == before && sl->sl_events == 0)
			break;
	}
	if (sl->sl_vector == -1)
		pci_intr_line_allow(sl->sl_port, true);
	sl->sl_called |= sl->sl_events != 0;
	sl->sl_next = slot_next(sl);
	return sl->sl_called ? 0 : sl->sl_next;
}

/* The line is quiet once the events are cleared; until then it is off. */
static int
slot_intr(void *arg)
{
	struct pci_slot *sl = arg;
	uint32_t v;

	if (sl->sl_vector == -1) {
		v = pci_conf_read(sl->sl_port, PCI_COMMAND);
		if ((v & COMMAND_PENDING) == 0 ||
		    (v & PCI_COMMAND_INTX_OFF) != 0)
			return 0;
		pci_intr_line_allow(sl->sl_port, false);
	}
	sl->sl_called = true;
	if (pci_event_hook != NULL)
		pci_event_hook();
	return 1;
}

static void
slot_establish(struct pci_slot *sl)
{
	int vector = (int)EXPRESS_MESSAGE(pci_conf_read(sl->sl_port,
	    sl->sl_cap));
	uint32_t enable = CTL_PRESENCE;

	pci_bridge_use(sl->sl_port, true);
	if (pci_intr_establish(sl->sl_port, vector, 0, sl->sl_name, slot_intr,
	    sl) == 0)
		sl->sl_vector = vector;
	else if (pci_intr_establish(sl->sl_port, -1, 0, sl->sl_name, slot_intr,
	    sl) == 0)
		sl->sl_vector = -1;
	if ((sl->sl_caps & CAP_BUTTON) != 0)
		enable |= CTL_BUTTON;
	if ((sl->sl_caps & CAP_POWER) != 0)
		enable |= CTL_FAULT;
	if ((sl->sl_caps & CAP_MRL) != 0)
		enable |= CTL_MRL;
	if (sl->sl_link_told)
		enable |= CTL_LINK;
	if (sl->sl_vector != VECTOR_NONE)
		enable |= CTL_INTERRUPT;
	slot_command(sl, 0, enable);
}

/* What firmware and the time before us have left. */
static void
slot_begin(struct pci_slot *sl)
{
	uint32_t v = slot_read(sl);
	bool on = (sl->sl_caps & CAP_POWER) == 0 || (v & CTL_POWER_OFF) == 0;

	if (!on || !slot_present(sl, v)) {
		if (on)
			slot_lamp(sl, CTL_LAMP_OFF, CTL_POWER_OFF);
		slot_enter(sl, SLOT_EMPTY, UINT64_MAX);
		sl->sl_events = 0;
		return;
	}
	/* Pressed with the filling of a slot it says nothing; alone, out. */
	sl->sl_pressed = (sl->sl_events & (STA_BUTTON | STA_PRESENCE)) ==
	    STA_BUTTON;
	sl->sl_events = 0;
	if (pci_bus_filled(sl->sl_bus))
		slot_on(sl);
	else
		slot_enter(sl, SLOT_SETTLING, uptime_ns() + ANSWER_NS);
}

void
pci_slot_init(struct pci_bus *bus)
{
	struct pci_dev *port = bus->pb_bridge;
	unsigned at = pci_capability(port, PCI_CAP_EXPRESS);
	struct pci_slot *sl;
	uint32_t caps;

	if (!bus->pb_single || bus->pb_slot != NULL || at == 0 ||
	    (pci_conf_read(port, at) & EXPRESS_SLOT) == 0)
		return;
	caps = pci_conf_read(port, at + EXPRESS_SLOTCAP);
	if (caps == UINT32_MAX || (caps & (CAP_HOTPLUG | CAP_POWER)) == 0)
		return;
	sl = kzalloc(sizeof(*sl));
	if (sl == NULL)
		return;
	sl->sl_port = port;
	sl->sl_bus = bus;
	sl->sl_cap = at;
	sl->sl_caps = caps;
	sl->sl_link_told = (pci_conf_read(port, at + EXPRESS_LINKCAP) &
	    LINKCAP_ACTIVE_TOLD) != 0;
	sl->sl_vector = VECTOR_NONE;
	pci_name(port, sl->sl_name, sizeof(sl->sl_name));
	bus->pb_slot = sl;
	slot_establish(sl);
	slot_begin(sl);
}

void
pci_slot_forget(struct pci_bus *bus)
{
	struct pci_slot *sl = bus->pb_slot;

	if (sl == NULL)
		return;
	bus->pb_slot = NULL;
	pci_intr_release(sl->sl_port);
	pci_bridge_use(sl->sl_port, false);
	kfree(sl);
}

static const char *
slot_intr_name(const struct pci_slot *sl)
{
	return sl->sl_vector == VECTOR_NONE ? "polled" :
	    sl->sl_vector == -1 ? "INTx" : "MSI-X";
}

void
pci_slot_show(const struct pci_bus *bus)
{
	const struct pci_slot *sl = bus->pb_slot;

	tty_printf("    slot %u  %s, %s; %u in, %u out, %u lost\n",
	    (unsigned)CAP_NUMBER(sl->sl_caps), state_names[sl->sl_state],
	    slot_intr_name(sl), sl->sl_in, sl->sl_out, sl->sl_lost);
}

/* Without a word to the drivers: what they meet is all ones. */
static void
slot_cut(struct pci_slot *sl)
{
	slot_command(sl, 0, CTL_POWER_OFF);
	sl->sl_cut = true;
	sl->sl_next = uptime_ns() + CUT_NS;
}

static int
slot_order(struct pci_slot *sl, const char *what)
{
	if (strcmp(what, "off") != 0 && strcmp(what, "cut") != 0)
		return shell_usage("slot");
	if (sl->sl_state != SLOT_ON && sl->sl_state != SLOT_LEAVING) {
		tty_printf("%s: the slot is %s\n", sl->sl_name,
		    state_names[sl->sl_state]);
		return EBUSY;
	}
	if (*what == 'c') {
		slot_cut(sl);
		return 0;
	}
	/* As if by the button. */
	sl->sl_events |= STA_BUTTON;
	sl->sl_called = true;
	if (pci_event_hook != NULL)
		pci_event_hook();
	return 0;
}

static int
cmd_slot(int argc, char **argv)
{
	const struct pci_bus *bus;
	int error = argc == 1 ? 0 : ENXIO;
	bool any = false;

	if (argc != 1 && argc != 3)
		return shell_usage(argv[0]);
	(void)pci_hold();
	for (bus = pci_buses; bus != NULL; bus = bus->pb_next) {
		if (bus->pb_slot == NULL)
			continue;
		if (argc == 1) {
			tty_printf("%s\n", bus->pb_slot->sl_name);
			pci_slot_show(bus);
		} else if (strcmp(argv[1], bus->pb_slot->sl_name) == 0)
			error = slot_order(bus->pb_slot, argv[2]);
		else
			continue;
		any = true;
	}
	pci_drop();
	if (!any)
		tty_printf("slot: there is none%s\n", argc == 1 ? "" :
		    " of that name");
	return error;
}
COMMAND(slot, cmd_slot, "slot [PORT off | cut]",
    "slots for hot plug; press one's button, or cut its power unannounced");
