/* SPDX-License-Identifier: ISC */
/*
 * Finding functions: every bus is walked, bridges that firmware left without
 * numbers get some. Walked again, only what was not there before is new: a
 * device may appear long after the machine has started.
 */
#include <errno.h>
#include <stdio.h>

#include "init.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "pcivar.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"
#include "vm.h"

#define SPARE_BUSES	2	/* behind a port, for a bridge that is put in */
#define PCI_CAP_VENDOR	0x09
#define VENDOR_REDHAT	0x1b36
#define RESERVE_MAX	0x80000000u

struct pci_bus *pci_buses;
/* Functions go while who lists them is waiting for a console. */
static struct mutex pci_mutex;
static struct pci_dev *pci_devs, **pci_tail = &pci_devs;
static unsigned pci_ndevs;

void (*pci_event_hook)(void);
static struct pci_driver *drivers;

static unsigned bus_scan(struct pci_bus *, unsigned depth);

struct pci_dev *
pci_next(struct pci_dev *pd)
{
	return pd == NULL ? pci_devs : pd->pd_next;
}

static struct pci_bus *
bus_new(const struct machine_host *h, struct pci_bus *up, unsigned number,
    unsigned last)
{
	struct pci_bus *bus = kzalloc(sizeof(*bus)), **bp;

	if (bus == NULL)
		return NULL;
	bus->pb_host = h;
	bus->pb_up = up;
	bus->pb_number = (uint8_t)number;
	bus->pb_last = (uint8_t)last;
	if (pci_bus_map(bus) != 0) {
		kfree(bus);
		return NULL;
	}
	for (bp = &pci_buses; *bp != NULL;)
		bp = &(*bp)->pb_next;
	*bp = bus;
	return bus;
}

static struct pci_dev *
dev_find(const struct pci_bus *bus, unsigned slot, unsigned func)
{
	struct pci_dev *pd;

	for (pd = pci_devs; pd != NULL; pd = pd->pd_next)
		if (pd->pd_bus == bus && pd->pd_slot == slot &&
		    pd->pd_func == func)
			return pd;
	return NULL;
}

static unsigned
express_type(const struct pci_dev *pd)
{
	unsigned at = pci_capability(pd, PCI_CAP_EXPRESS);

	return at == 0 ? 0xff : pci_conf_read(pd, at) >> 20 & 0xf;
}

/* The highest bus number that is taken on a bus or below it. */
static unsigned
bus_taken(const struct pci_bus *up)
{
	const struct pci_bus *bus;
	unsigned last = up->pb_number;

	for (bus = pci_buses; bus != NULL; bus = bus->pb_next)
		if (bus->pb_up == up && bus->pb_last > last)
			last = bus->pb_last;
	return last;
}

static void
bridge_numbers(struct pci_dev *pd, unsigned primary, unsigned secondary,
    unsigned subordinate)
{
	uint32_t v = pci_conf_read(pd, PCI_BUSES) & 0xff000000;

	pci_conf_write(pd, PCI_BUSES, v | subordinate << 16 | secondary << 8 |
	    primary);
}

/* Numbers that firmware gave are kept if they nest and are nobody else's. */
static bool
bridge_numbered(const struct pci_dev *pd, uint32_t v)
{
	const struct pci_bus *up = pd->pd_bus;
	unsigned secondary = v >> 8 & 0xff, subordinate = v >> 16 & 0xff;

	return up->pb_host->mh_assigned && (v & 0xff) == up->pb_number &&
	    secondary > bus_taken(up) && subordinate >= secondary &&
	    subordinate <= up->pb_last;
}

/*
 * QEMU's ports tell in a vendor's capability what is to be kept free behind
 * them (docs/pcie_pci_bridge.txt there): number of buses, bytes of addresses
 * from +16 on without prefetching, +20 and +24 with. All ones: nothing is told.
 */
static void
reserve_read(const struct pci_dev *pd, struct pci_bus *below)
{
	unsigned at = pci_capability(pd, PCI_CAP_VENDOR);
	uint32_t head = at == 0 ? 0 : pci_conf_read(pd, at), v;

	below->pb_spare = below->pb_single ? SPARE_BUSES : 0;
	if ((pd->pd_id & 0xffff) != VENDOR_REDHAT ||
	    (head >> 16 & 0xff) < 32 || head >> 24 != 1)
		return;
	v = pci_conf_read(pd, at + 4);
	if (v <= 0xff)
		below->pb_spare = (uint8_t)v;
	v = pci_conf_read(pd, at + 16);
	if (v <= RESERVE_MAX)
		below->pb_reserve[0] = v;
	v = pci_conf_read(pd, at + 20);
	if (v == UINT32_MAX && pci_conf_read(pd, at + 28) == 0)
		v = pci_conf_read(pd, at + 24);
	if (v <= RESERVE_MAX)
		below->pb_reserve[1] = v;
}

/*
 * A bridge's other side, open to all numbers that are left while it is walked.
 */
static struct pci_bus *
bridge_open(struct pci_dev *pd, bool numbered, uint32_t v)
{
	struct pci_bus *up = pd->pd_bus, *below;
	unsigned secondary = v >> 8 & 0xff, last = v >> 16 & 0xff, type;

	if (!numbered) {
		secondary = bus_taken(up) + 1;
		last = up->pb_last;
		if (secondary > last) {
			klog(LOG_WARN, "pci: %02x:%02x.%x: no bus number is "
			    "left for what is behind it", up->pb_number,
			    pd->pd_slot, pd->pd_func);
			return NULL;
		}
		bridge_numbers(pd, up->pb_number, secondary, last);
	}
	below = bus_new(up->pb_host, up, secondary, last);
	if (below == NULL)
		return NULL;
	type = express_type(pd);
	below->pb_single = type == PCI_EXPRESS_ROOT_PORT ||
	    type == PCI_EXPRESS_DOWNSTREAM;
	below->pb_bridge = pd;
	reserve_read(pd, below);
	pd->pd_below = below;
	return below;
}

static unsigned
bridge_scan(struct pci_dev *pd, unsigned depth)
{
	uint32_t v = pci_conf_read(pd, PCI_BUSES);
	bool numbered = bridge_numbered(pd, v);
	struct pci_bus *below = bridge_open(pd, numbered, v);
	unsigned found, last;

	if (below == NULL)
		return 0;
	found = bus_scan(below, depth + 1);
	if (numbered)
		return found;
	/* A bridge that is plugged into a port later needs numbers, too. */
	last = bus_taken(below) + below->pb_spare;
	if (last < below->pb_last)
		below->pb_last = (uint8_t)last;
	bridge_numbers(pd, pd->pd_bus->pb_number, below->pb_number,
	    below->pb_last);
	return found;
}

static struct pci_dev *
dev_new(struct pci_bus *bus, unsigned slot, unsigned func, uint32_t id)
{
	struct pci_dev *pd;

	if (pci_ndevs == PCI_MAXDEVS)
		return NULL;
	pd = kzalloc(sizeof(*pd));
	if (pd == NULL)
		return NULL;
	pd->pd_bus = bus;
	pd->pd_slot = (uint8_t)slot;
	pd->pd_func = (uint8_t)func;
	pd->pd_id = id;
	pd->pd_class = pci_conf_read(pd, PCI_CLASS);
	pd->pd_subsystem = pci_conf_read(pd, PCI_SUBSYSTEM);
	pd->pd_pin = pci_conf_read(pd, PCI_INTERRUPT) >> 8 & 0xff;
	if (pd->pd_pin > 4)
		pd->pd_pin = 0;
	*pci_tail = pd;
	pci_tail = &pd->pd_next;
	pci_ndevs++;
	return pd;
}

/* Whether there is a function; one that is new is taken up. */
static bool
func_scan(struct pci_bus *bus, unsigned slot, unsigned func, unsigned depth,
    unsigned *found, bool *multi)
{
	uint32_t id = pci_bus_read(bus, slot, func, PCI_ID), header;
	struct pci_dev *pd;

	/* 0 and 0001 are read where a device is not ready yet. */
	if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0 || id == 0xffff0001)
		return false;
	header = pci_bus_read(bus, slot, func, PCI_HEADER);
	*multi = PCI_HEADER_MULTI(header);
	if (dev_find(bus, slot, func) != NULL)
		return true;
	pd = dev_new(bus, slot, func, id);
	if (pd == NULL)
		return true;
	(*found)++;
	if (PCI_HEADER_TYPE(header) == 1 && depth < PCI_MAXDEPTH)
		*found += bridge_scan(pd, depth);
	if (PCI_HEADER_TYPE(header) == 0 || pd->pd_below != NULL)
		pci_bars_read(pd);
	return true;
}

static unsigned
bus_scan(struct pci_bus *bus, unsigned depth)
{
	unsigned slot, func, found = 0;
	bool multi;

	for (slot = 0; slot < (bus->pb_single ? 1u : 32u); slot++) {
		multi = false;
		if (!func_scan(bus, slot, 0, depth, &found, &multi) || !multi)
			continue;
		for (func = 1; func < 8; func++)
			func_scan(bus, slot, func, depth, &found, &multi);
	}
	return found;
}

static void
dev_log(const struct pci_dev *pd)
{
	char name[16];
	unsigned n;

	pci_name(pd, name, sizeof(name));
	klog(LOG_DEBUG, "pci %s: %04x:%04x class %06x%s", name,
	    (unsigned)(pd->pd_id & 0xffff), (unsigned)(pd->pd_id >> 16),
	    (unsigned)(pd->pd_class >> 8), pd->pd_below != NULL ? ", bridge" :
	    "");
	for (n = 0; n < PCI_MAXBARS; n++) {
		const struct pci_bar *b = &pd->pd_bar[n];

		if (b->pb_kind >= PCI_BAR_MEM32)
			klog(LOG_DEBUG, "pci %s: BAR %u %s%s 0x%llx+0x%llx%s",
			    name, n, b->pb_kind == PCI_BAR_MEM64 ? "mem64" :
			    "mem32", b->pb_prefetch ? " prefetch" : "",
			    (unsigned long long)b->pb_bus,
			    (unsigned long long)b->pb_size, !b->pb_assigned ?
			    " unassigned" : b->pb_kept ? " kept" : "");
	}
}

void
pci_on_event(void (*fn)(void))
{
	pci_event_hook = fn;
}

void
pci_register(struct pci_driver *pr)
{
	pr->pr_next = drivers;
	drivers = pr;
}

void
pci_attach(void)
{
	struct pci_driver *pr;
	struct pci_dev *pd;

	for (pd = pci_devs; pd != NULL; pd = pd->pd_next)
		for (pr = drivers; pr != NULL && pd->pd_driver == NULL;
		    pr = pr->pr_next)
			if (pr->pr_attach(pd))
				pd->pd_driver = pr;
}

static void
bus_forget(struct pci_bus *bus)
{
	struct pci_bus **bp;

	for (bp = &pci_buses; *bp != bus;)
		bp = &(*bp)->pb_next;
	*bp = bus->pb_next;
	pci_slot_forget(bus);
	pci_bus_unmap(bus);
	kfree(bus);
}

static void
dev_forget(struct pci_dev *pd)
{
	struct pci_dev **pp;

	for (pp = &pci_devs; *pp != pd;)
		pp = &(*pp)->pd_next;
	*pp = pd->pd_next;
	if (pd->pd_next == NULL)
		pci_tail = pp;
	pci_ndevs--;
	kfree(pd);
}

bool
pci_bus_filled(const struct pci_bus *bus)
{
	const struct pci_dev *pd;

	for (pd = pci_devs; pd != NULL; pd = pd->pd_next)
		if (pd->pd_bus == bus)
			return true;
	return false;
}

void
pci_bus_empty(struct pci_bus *bus, bool gone)
{
	struct pci_dev *pd;

	for (;;) {
		for (pd = pci_devs; pd != NULL && pd->pd_bus != bus;)
			pd = pd->pd_next;
		if (pd == NULL)
			return;
		pd->pd_gone = gone;
		if (pd->pd_below != NULL) {
			pci_bus_empty(pd->pd_below, gone);
			pci_windows_forget(pd->pd_below);
			bus_forget(pd->pd_below);
		} else if (pd->pd_driver != NULL)
			pd->pd_driver->pr_detach(pd);
		pci_release(pd);
		pci_bars_give_back(pd);
		dev_forget(pd);
	}
}

/* Addresses for what was found, from there in the list on. */
static void
found_settle(struct pci_dev **before)
{
	struct pci_bus *bus;
	struct pci_dev *pd;

	for (bus = pci_buses; bus != NULL; bus = bus->pb_next)
		if (bus->pb_up == NULL)
			pci_assign(bus);
	for (pd = *before; pd != NULL; pd = pd->pd_next) {
		dev_log(pd);
		if (pd->pd_below != NULL)
			pci_slot_init(pd->pd_below);
	}
}

unsigned
pci_bus_fill(struct pci_bus *bus)
{
	struct pci_dev **before = pci_tail;
	unsigned found = bus_scan(bus, 0);

	if (found != 0)
		found_settle(before);
	return found;
}

static unsigned
rescan(void)
{
	struct pci_bus *bus, *last;
	struct pci_dev **before = pci_tail;
	unsigned found = 0;

	/* Buses that are found meanwhile have been walked already. */
	for (last = pci_buses; last != NULL && last->pb_next != NULL;)
		last = last->pb_next;
	for (bus = pci_buses; bus != NULL; bus = bus->pb_next) {
		if (bus->pb_slot == NULL)
			found += bus_scan(bus, 0);
		if (bus == last)
			break;
	}
	if (found != 0)
		found_settle(before);
	return found;
}

unsigned
pci_rescan(void)
{
	unsigned found;

	/* Later, then: consoles may need the thread that calls this. */
	if (pci_mutex.mtx_owner != NULL)
		return 0;
	mutex_lock(&pci_mutex);
	found = rescan();
	mutex_unlock(&pci_mutex);
	return found;
}

unsigned
pci_service(uint64_t *next_ns)
{
	struct pci_bus *bus;
	unsigned found = 0;
	uint64_t at;

	*next_ns = UINT64_MAX;
	if (pci_mutex.mtx_owner != NULL)
		return 0;
	mutex_lock(&pci_mutex);
	/* A slot may take buses away that are below it, and come later. */
	for (bus = pci_buses; bus != NULL; bus = bus->pb_next) {
		if (bus->pb_slot == NULL)
			continue;
		at = pci_slot_look(bus, &found);
		if (at < *next_ns)
			*next_ns = at;
	}
	mutex_unlock(&pci_mutex);
	return found;
}

int
pci_hold(void)
{
	return tty_lock(&pci_mutex);
}

void
pci_drop(void)
{
	mutex_unlock(&pci_mutex);
}

static void
pci_init(void)
{
	struct pci_bus *bus;
	unsigned i, found;

	for (i = 0; i < machine.m_nhosts; i++) {
		const struct machine_host *h = &machine.m_host[i];

		bus = bus_new(h, NULL, h->mh_bus_first, h->mh_bus_last);
		if (bus == NULL) {
			klog(LOG_WARN, "pci: host bridge %u is out of reach",
			    i);
			continue;
		}
		pci_host_windows(bus);
	}
	found = pci_rescan();
	if (machine.m_nhosts != 0)
		klog(LOG_INFO, "pci: %u functions", found);
}
INIT(INIT_BUS, pci_init);

static void
command_change(struct pci_dev *pd, uint32_t clear, uint32_t set)
{
	uint32_t v = pci_conf_read(pd, PCI_COMMAND) & 0xffff;

	pci_conf_write(pd, PCI_COMMAND, (v & ~clear) | set);
}

void
pci_bridge_use(struct pci_dev *br, bool on)
{
	for (; br != NULL; br = br->pd_bus->pb_bridge)
		if (on && br->pd_users++ == 0)
			command_change(br, PCI_COMMAND_IO,
			    PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
		else if (!on && --br->pd_users == 0)
			command_change(br,
			    PCI_COMMAND_MEM | PCI_COMMAND_MASTER, 0);
}

void
pci_enable(struct pci_dev *pd)
{
	if (pd->pd_enabled++ != 0)
		return;
	pci_bridge_use(pd->pd_bus->pb_bridge, true);
	command_change(pd, PCI_COMMAND_IO, PCI_COMMAND_MEM);
}

void
pci_master(struct pci_dev *pd, bool on)
{
	pd->pd_master = on;
	if (on)
		command_change(pd, 0, PCI_COMMAND_MASTER);
	else
		command_change(pd, PCI_COMMAND_MASTER, 0);
}

void
pci_disable(struct pci_dev *pd)
{
	if (pd->pd_enabled == 0 || --pd->pd_enabled != 0)
		return;
	pd->pd_master = false;
	command_change(pd, PCI_COMMAND_MEM | PCI_COMMAND_MASTER, 0);
	pci_bridge_use(pd->pd_bus->pb_bridge, false);
}

static bool
is_memory(const struct pci_dev *pd, unsigned n)
{
	return n < PCI_MAXBARS && pd->pd_bar[n].pb_kind >= PCI_BAR_MEM32 &&
	    pd->pd_bar[n].pb_assigned;
}

int
pci_bar_size(const struct pci_dev *pd, unsigned n, uint64_t *size)
{
	if (!is_memory(pd, n))
		return ENXIO;
	*size = pd->pd_bar[n].pb_size;
	return 0;
}

int
pci_map_bar(struct pci_dev *pd, unsigned n, volatile void **va, uint64_t *size)
{
	struct pci_bar *b;

	if (!is_memory(pd, n))
		return ENXIO;
	b = &pd->pd_bar[n];
	if (b->pb_size > VM_KVA_SIZE / 4)
		return ENXIO;
	if (b->pb_mapped == 0) {
		b->pb_va = vm_map_device(b->pb_cpu, b->pb_size);
		if (b->pb_va == NULL)
			return ENOMEM;
	}
	b->pb_mapped++;
	*va = b->pb_va;
	*size = b->pb_size;
	return 0;
}

void
pci_unmap_bar(struct pci_dev *pd, unsigned n)
{
	struct pci_bar *b = &pd->pd_bar[n];

	if (n >= PCI_MAXBARS || b->pb_mapped == 0 || --b->pb_mapped != 0)
		return;
	vm_unmap_device(b->pb_va, b->pb_size);
	b->pb_va = NULL;
}

void
pci_release(struct pci_dev *pd)
{
	pci_intr_release(pd);
	pci_disable(pd);
}

void
pci_quiesce(void)
{
	struct pci_dev *pd;

	for (pd = pci_devs; pd != NULL; pd = pd->pd_next)
		command_change(pd, PCI_COMMAND_MASTER, 0);
}

static void
bars_show(const struct pci_dev *pd)
{
	unsigned n;

	for (n = 0; n < PCI_MAXBARS; n++) {
		const struct pci_bar *b = &pd->pd_bar[n];

		if (b->pb_kind < PCI_BAR_MEM32)
			continue;
		tty_printf("    BAR %u  0x%llx + 0x%llx%s%s%s\n", n,
		    (unsigned long long)b->pb_bus,
		    (unsigned long long)b->pb_size,
		    b->pb_kind == PCI_BAR_MEM64 ? " 64-bit" : "",
		    b->pb_prefetch ? " prefetchable" : "", !b->pb_assigned ?
		    ", unassigned" : b->pb_kept ? ", firmware's" : "");
	}
	if (pd->pd_below == NULL)
		return;
	tty_printf("    buses %u to %u\n", pd->pd_below->pb_number,
	    pd->pd_below->pb_last);
	for (n = 0; n < pd->pd_below->pb_nwindows; n++)
		tty_printf("    window  0x%llx + 0x%llx%s\n",
		    (unsigned long long)pd->pd_below->pb_window[n].pw_base,
		    (unsigned long long)pd->pd_below->pb_window[n].pw_size,
		    pd->pd_below->pb_window[n].pw_prefetch ? " prefetchable" :
		    "");
}

static int
cmd_pci(int argc, char **argv)
{
	const struct pci_dev *pd;
	char name[16];

	if (argc != 1)
		return shell_usage(argv[0]);
	if (pci_hold() != 0)
		return EBUSY;
	for (pd = pci_devs; pd != NULL; pd = pd->pd_next) {
		pci_name(pd, name, sizeof(name));
		tty_printf("%s  %04x:%04x  class %06x  command %04x\n", name,
		    (unsigned)(pd->pd_id & 0xffff), (unsigned)(pd->pd_id >> 16),
		    (unsigned)(pd->pd_class >> 8),
		    (unsigned)(pci_conf_read(pd, PCI_COMMAND) & 0xffff));
		bars_show(pd);
		if (pd->pd_below != NULL && pd->pd_below->pb_slot != NULL)
			pci_slot_show(pd->pd_below);
	}
	pci_drop();
	return 0;
}
COMMAND(pci, cmd_pci, "pci", "list what is on the PCI buses");
