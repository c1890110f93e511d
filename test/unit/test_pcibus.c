/* SPDX-License-Identifier: ISC */
/* UNIT: guest/firmware/machine.c test/unit/kern_fake.c */
/*
 * Enumeration and addresses, over configuration spaces that are made up here: a
 * tree of bridges that forward by the numbers they were given, BARs that take
 * what real ones take, and functions that take anything.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../guest/pci/assign.c"
#include "../../guest/pci/scan.c"

#define MAXFUNCS	512

struct func {
	int		f_behind;	/* index of the bridge; -1: root bus */
	unsigned	f_slot, f_func;
	bool		f_hidden;
	uint32_t	f_conf[64];
	uint32_t	f_writable[64];
};

static struct func funcs[MAXFUNCS];
static int nfuncs;
static unsigned long accesses;

/* What stands around the code under test */

bool
page_is_ram(paddr_t pa, size_t len)
{
	return pa < 0x80000000 && pa + len > 0x40000000;
}

unsigned
vm_pa_bits(void)
{
	return 44;
}

volatile void *
vm_map_device(paddr_t pa, size_t size)
{
	(void)pa;
	return malloc(size > 16 ? 16 : size);
}

void
vm_unmap_device(volatile void *va, size_t size)
{
	(void)size;
	free((void *)(uintptr_t)va);
}

void
pci_bus_unmap(struct pci_bus *bus)
{
	(void)bus;
}

void
pci_intr_release(struct pci_dev *pd)
{
	(void)pd;
}

/* Slots are tested by themselves. */
void
pci_slot_init(struct pci_bus *bus)
{
	(void)bus;
}

uint64_t
pci_slot_look(struct pci_bus *bus, unsigned *found)
{
	(void)bus;
	(void)found;
	return UINT64_MAX;
}

void
pci_slot_forget(struct pci_bus *bus)
{
	(void)bus;
}

void
pci_slot_show(const struct pci_bus *bus)
{
	(void)bus;
}

int
pci_bus_map(struct pci_bus *bus)
{
	return bus->pb_number > bus->pb_host->mh_bus_last ? ENXIO : 0;
}

/*
 * A bridge that leads to a bus, by its registers, from behind another (or the
 * root); -2: nobody does.
 */
static int
route(int behind, unsigned from, unsigned to, unsigned depth)
{
	int i, found;

	if (from == to)
		return behind;
	if (depth > 16)
		return -2;
	for (i = 0; i < nfuncs; i++) {
		uint32_t v = funcs[i].f_conf[6];
		unsigned secondary = v >> 8 & 0xff;

		if (funcs[i].f_behind != behind || funcs[i].f_hidden ||
		    (funcs[i].f_conf[3] >> 16 & 0x7f) != 1 ||
		    to < secondary || to > (v >> 16 & 0xff) || secondary <= from)
			continue;
		found = route(i, secondary, to, depth + 1);
		if (found != -2)
			return found;
	}
	return -2;
}

static struct func *
func_at(const struct pci_bus *bus, unsigned slot, unsigned func)
{
	int behind = route(-1, bus->pb_host->mh_bus_first, bus->pb_number, 0), i;

	accesses++;
	for (i = 0; i < nfuncs && behind != -2; i++)
		if (funcs[i].f_behind == behind && !funcs[i].f_hidden &&
		    funcs[i].f_slot == slot && funcs[i].f_func == func)
			return &funcs[i];
	return NULL;
}

uint32_t
pci_bus_read(const struct pci_bus *bus, unsigned slot, unsigned func,
    unsigned reg)
{
	const struct func *f = func_at(bus, slot, func);

	return f == NULL || reg >= 256 ? UINT32_MAX : f->f_conf[reg / 4];
}

uint32_t
pci_conf_read(const struct pci_dev *pd, unsigned reg)
{
	return pci_bus_read(pd->pd_bus, pd->pd_slot, pd->pd_func, reg);
}

void
pci_conf_write(const struct pci_dev *pd, unsigned reg, uint32_t v)
{
	struct func *f = func_at(pd->pd_bus, pd->pd_slot, pd->pd_func);

	if (f == NULL || reg >= 256)
		return;
	f->f_conf[reg / 4] = (f->f_conf[reg / 4] & ~f->f_writable[reg / 4]) |
	    (v & f->f_writable[reg / 4]);
}

unsigned
pci_capability(const struct pci_dev *pd, unsigned id)
{
	unsigned at = pci_conf_read(pd, PCI_CAP_POINTER) & 0xfc, n;

	if ((pci_conf_read(pd, PCI_COMMAND) >> 20 & 1) == 0)
		return 0;
	for (n = 0; at >= 0x40 && n < 48; n++) {
		if ((pci_conf_read(pd, at) & 0xff) == id)
			return at;
		at = pci_conf_read(pd, at) >> 8 & 0xfc;
	}
	return 0;
}

void
pci_name(const struct pci_dev *pd, char *buf, size_t len)
{
	(void)pd;
	memset(buf, 0, len);
}

/* Making a machine */

static struct machine_host *
host(uint64_t mem32, uint64_t size32, uint64_t mem64, uint64_t size64)
{
	struct machine_host *h = &machine.m_host[0];

	memset(&machine, 0, sizeof(machine));
	memset(funcs, 0, sizeof(funcs));
	nfuncs = 0;
	accesses = 0;
	machine.m_nhosts = 1;
	h->mh_bus_last = 255;
	if (size32 != 0)
		h->mh_window[h->mh_nwindows++] = (struct machine_window){
		    MACHINE_WINDOW_MEM32, false, mem32, mem32, size32 };
	if (size64 != 0)
		h->mh_window[h->mh_nwindows++] = (struct machine_window){
		    MACHINE_WINDOW_MEM64, true, mem64, mem64, size64 };
	return h;
}

static int
add(int behind, unsigned slot, unsigned func, uint32_t type)
{
	struct func *f = &funcs[nfuncs];

	f->f_behind = behind;
	f->f_slot = slot;
	f->f_func = func;
	f->f_conf[0] = 0x10411af4;
	f->f_writable[1] = 0x0407;
	f->f_conf[3] = type << 16;
	f->f_writable[15] = 0xff;
	return nfuncs++;
}

static void
add_bar(int i, unsigned n, uint64_t size, bool mem64, bool prefetch)
{
	struct func *f = &funcs[i];

	f->f_conf[4 + n] = (mem64 ? 4u : 0) | (prefetch ? 8u : 0);
	f->f_writable[4 + n] = (uint32_t)-size & ~0xfu;
	if (mem64)
		f->f_writable[5 + n] = (uint32_t)(-size >> 32);
}

/* A bridge; a root port has the capability that says so. */
static int
add_bridge(int behind, unsigned slot, bool port)
{
	int i = add(behind, slot, 0, 1);
	struct func *f = &funcs[i];

	f->f_writable[6] = 0x00ffffff;
	f->f_writable[7] = 0xf0f0;
	f->f_writable[8] = 0xfff0fff0;
	f->f_conf[9] = 0x00010001;
	f->f_writable[9] = 0xfff0fff0;
	f->f_writable[10] = f->f_writable[11] = UINT32_MAX;
	if (port) {
		f->f_conf[1] = 0x00100000;
		f->f_conf[13] = 0x40;
		f->f_conf[16] = 0x00420010;
	}
	return i;
}

static void
forget(void)
{
	struct pci_dev *pd;
	struct pci_bus *bus;
	struct pci_used *u;
	unsigned i;

	while ((pd = pci_devs) != NULL) {
		pci_devs = pd->pd_next;
		free(pd);
	}
	while ((bus = pci_buses) != NULL) {
		pci_buses = bus->pb_next;
		for (i = 0; i < MACHINE_MAXWINDOWS; i++)
			while ((u = bus->pb_window[i].pw_used) != NULL) {
				bus->pb_window[i].pw_used = u->pu_next;
				free(u);
			}
		free(bus);
	}
	pci_tail = &pci_devs;
	pci_ndevs = 0;
}

static bool
inside(uint64_t base, uint64_t size, uint64_t outer, uint64_t outer_size)
{
	return base >= outer && size <= outer_size &&
	    base - outer <= outer_size - size;
}

/* The window of a bus that a range lies in. */
static const struct pci_window *
window_of(const struct pci_bus *bus, uint64_t base, uint64_t size)
{
	unsigned i;

	for (i = 0; i < bus->pb_nwindows; i++)
		if (inside(base, size, bus->pb_window[i].pw_base,
		    bus->pb_window[i].pw_size))
			return &bus->pb_window[i];
	return NULL;
}

/*
 * Each assigned BAR can be reached, through all bridges' registers, and is
 * nobody else's.
 */
static void
check_bars(unsigned *assigned)
{
	const struct pci_dev *pd, *other;
	const struct pci_bus *bus;
	unsigned i, j;

	*assigned = 0;
	for (pd = pci_devs; pd != NULL; pd = pd->pd_next)
		for (i = 0; i < PCI_MAXBARS; i++) {
			const struct pci_bar *b = &pd->pd_bar[i];

			if (!b->pb_assigned)
				continue;
			(*assigned)++;
			assert_true(b->pb_size != 0);
			assert_int_equal(b->pb_bus & (b->pb_size - 1), 0);
			for (bus = pd->pd_bus; bus != NULL; bus = bus->pb_up)
				assert_non_null(window_of(bus, b->pb_bus,
				    b->pb_size));
			for (other = pd; other != NULL; other = other->pd_next)
				for (j = 0; j < PCI_MAXBARS; j++) {
					const struct pci_bar *o =
					    &other->pd_bar[j];

					if ((other == pd && j <= i) ||
					    !o->pb_assigned)
						continue;
					assert_true(b->pb_bus >= o->pb_bus +
					    o->pb_size || o->pb_bus >=
					    b->pb_bus + b->pb_size);
				}
		}
}

/* Tests */

static void
flat(void **state)
{
	unsigned n;
	int i;

	(void)state;
	host(0x10000000, 0x2eff0000, UINT64_C(0x8000000000),
	    UINT64_C(0x8000000000));
	for (i = 0; i < 20; i++) {
		add(-1, (unsigned)i + 1, 0, 0);
		add_bar(i, 1, 0x1000, false, false);
		add_bar(i, 4, 0x4000u << (i % 5), true, true);
	}
	pci_init();
	assert_int_equal(pci_ndevs, 20);
	check_bars(&n);
	assert_int_equal(n, 40);
	assert_true(pci_devs->pd_bar[4].pb_bus >= UINT64_C(0x8000000000));
	assert_int_equal(pci_devs->pd_bar[4].pb_bus & 0xffffffff,
	    funcs[0].f_conf[8] & ~0xfu);
	forget();
}

static void
bridges(void **state)
{
	const struct pci_dev *pd;
	unsigned n;
	int rp, br, i;

	(void)state;
	host(0x10000000, 0x2eff0000, UINT64_C(0x8000000000),
	    UINT64_C(0x8000000000));
	rp = add_bridge(-1, 1, true);
	br = add_bridge(rp, 0, false);
	for (i = 0; i < 4; i++) {
		add_bar(add(br, (unsigned)i + 1, 0, 0), 0, 0x100000, false,
		    false);
		add_bar(nfuncs - 1, 2, 0x1000000, true, true);
	}
	rp = add_bridge(-1, 2, true);
	add_bar(add(rp, 0, 0, 0), 0, 0x4000, true, true);
	/* Below a port there is one device: this one is an echo. */
	add(rp, 7, 0, 0);
	pci_init();
	assert_int_equal(pci_ndevs, 8);
	check_bars(&n);
	assert_int_equal(n, 9);
	for (pd = pci_devs; pd != NULL; pd = pd->pd_next)
		if (pd->pd_below != NULL)
			assert_true(pd->pd_below->pb_number >
			    pd->pd_bus->pb_number);
	forget();
}

/* What firmware set is kept if it is sound, and moved if not. */
static void
kept(void **state)
{
	const struct pci_dev *pd;
	unsigned n;
	int i;

	(void)state;
	host(0x10000000, 0x1000000, 0, 0);
	for (i = 0; i < 4; i++) {
		add(-1, (unsigned)i + 1, 0, 0);
		add_bar(i, 0, 0x10000, false, false);
	}
	funcs[0].f_conf[4] = 0x10800000;	/* sound */
	funcs[1].f_conf[4] = 0x10800000;	/* the same again */
	funcs[2].f_conf[4] = 0x50000000;	/* outside */
	pci_init();
	check_bars(&n);
	assert_int_equal(n, 4);
	pd = pci_devs;
	assert_true(pd->pd_bar[0].pb_kept);
	assert_int_equal(pd->pd_bar[0].pb_bus, 0x10800000);
	for (pd = pd->pd_next; pd != NULL; pd = pd->pd_next)
		assert_false(pd->pd_bar[0].pb_kept);
	forget();
}

static void
no_room(void **state)
{
	unsigned n;

	(void)state;
	host(0x10000000, 0x10000, 0, 0);
	add_bar(add(-1, 1, 0, 0), 0, 0x100000, false, false);
	add_bar(add(-1, 2, 0, 0), 0, 0x8000, false, false);
	add_bar(add(add_bridge(-1, 3, true), 0, 0, 0), 0, 0x1000, false, false);
	pci_init();
	check_bars(&n);
	assert_int_equal(n, 1);
	forget();
}

static void
buses_run_out(void **state)
{
	struct machine_host *h = host(0x10000000, 0x10000000, 0, 0);
	int i, behind = -1;

	(void)state;
	h->mh_bus_last = 3;
	for (i = 0; i < 20; i++)
		behind = add_bridge(behind, 0, i == 0);
	for (i = 1; i < 20; i++)
		add_bridge(-1, (unsigned)i, true);
	pci_init();
	assert_true(pci_ndevs < 40);
	forget();
}

/* Something appears behind a port that was empty. */
static void
late(void **state)
{
	unsigned n;
	int rp, dev;

	(void)state;
	host(0x10000000, 0x2eff0000, UINT64_C(0x8000000000), 0x10000000);
	rp = add_bridge(-1, 1, true);
	dev = add(rp, 0, 0, 0);
	add_bar(dev, 0, 0x4000, true, true);
	add_bar(dev, 2, 0x1000, false, false);
	funcs[dev].f_hidden = true;
	pci_init();
	assert_int_equal(pci_ndevs, 1);
	assert_int_equal(pci_rescan(), 0);
	funcs[dev].f_hidden = false;
	assert_int_equal(pci_rescan(), 1);
	assert_int_equal(pci_rescan(), 0);
	check_bars(&n);
	assert_int_equal(n, 2);
	forget();
}

static unsigned attached, detached;

static bool
attach(struct pci_dev *pd)
{
	attached += pd->pd_below == NULL;
	return pd->pd_below == NULL;
}

static void
detach(struct pci_dev *pd)
{
	detached++;
	pci_release(pd);
}

static struct pci_driver driver = { .pr_attach = attach, .pr_detach = detach };

/*
 * Out and in again, with a bridge in between: its place, its numbers and its
 * addresses are given anew.
 */
static void
out_and_in(void **state)
{
	unsigned n, round;
	struct pci_bus *slot;
	int rp, br, i;

	(void)state;
	host(0x10000000, 0x2000000, UINT64_C(0x8000000000), 0x2000000);
	rp = add_bridge(-1, 1, true);
	br = add_bridge(rp, 0, false);
	for (i = 0; i < 3; i++) {
		add_bar(add(br, (unsigned)i, 0, 0), 0, 0x100000, false, false);
		add_bar(nfuncs - 1, 2, 0x40000, true, true);
	}
	attached = detached = 0;
	pci_register(&driver);
	pci_init();
	assert_int_equal(pci_ndevs, 5);
	slot = pci_devs->pd_below;
	for (round = 1; round <= 50; round++) {
		pci_attach();
		assert_int_equal(attached, round * 3);
		funcs[br].f_hidden = true;
		pci_bus_empty(slot, round % 2 == 0);
		assert_int_equal(detached, round * 3);
		assert_int_equal(pci_ndevs, 1);
		assert_false(pci_bus_filled(slot));
		assert_int_equal(pci_bus_fill(slot), 0);
		funcs[br].f_hidden = false;
		assert_int_equal(pci_bus_fill(slot), 4);
		assert_true(pci_bus_filled(slot));
		check_bars(&n);
		assert_int_equal(n, 6);
	}
	drivers = NULL;
	forget();
}

/*
 * An empty port, and a bridge put into it: there are numbers and addresses for
 * what is behind that, too.
 */
static void
bridge_into_a_port(void **state)
{
	unsigned n;
	int rp, br;

	(void)state;
	host(0x10000000, 0x2000000, UINT64_C(0x8000000000), 0x2000000);
	rp = add_bridge(-1, 1, true);
	add_bridge(-1, 2, true);
	br = add_bridge(rp, 0, false);
	add_bar(add(br, 0, 0, 0), 0, 0x4000, false, false);
	funcs[br].f_hidden = true;
	pci_init();
	assert_int_equal(pci_ndevs, 2);
	funcs[br].f_hidden = false;
	assert_int_equal(pci_bus_fill(pci_devs->pd_below), 2);
	check_bars(&n);
	assert_int_equal(n, 1);
	forget();
}

/* QEMU's word on what a port is to keep free. */
static void
reserve(void **state)
{
	const struct pci_bus *below;
	struct func *port;
	unsigned n;
	int rp, dev;

	(void)state;
	host(0x10000000, 0x10000000, UINT64_C(0x8000000000), 0x100000000);
	rp = add_bridge(-1, 1, true);
	port = &funcs[rp];
	port->f_conf[0] = 0x000c1b36;
	port->f_conf[16] = (port->f_conf[16] & ~0xff00u) | 0x8000;
	port->f_conf[32] = 0x01200009;
	port->f_conf[33] = 5;
	port->f_conf[36] = 0x1000000;
	port->f_conf[37] = UINT32_MAX;
	port->f_conf[38] = 0x40000000;
	port->f_conf[39] = 0;
	dev = add(rp, 0, 0, 0);
	add_bar(dev, 0, 0x1000000, false, false);
	add_bar(dev, 2, 0x40000000, true, true);
	funcs[dev].f_hidden = true;
	pci_init();
	below = pci_devs->pd_below;
	assert_int_equal(below->pb_last, below->pb_number + 5);
	funcs[dev].f_hidden = false;
	assert_int_equal(pci_bus_fill(pci_devs->pd_below), 1);
	check_bars(&n);
	assert_int_equal(n, 2);
	forget();
}

/*
 * Without windows (ACPI) firmware's addresses are believed, but not those of
 * memory.
 */
static void
believed(void **state)
{
	struct machine_host *h = host(0, 0, 0, 0);

	(void)state;
	h->mh_assigned = true;
	h->mh_windows_guessed = true;
	add_bar(add(-1, 1, 0, 0), 0, 0x1000, false, false);
	add_bar(add(-1, 2, 0, 0), 0, 0x1000, false, false);
	funcs[0].f_conf[4] = 0x10000000;
	funcs[1].f_conf[4] = 0x50000000;
	pci_init();
	assert_true(pci_devs->pd_bar[0].pb_assigned);
	assert_false(pci_devs->pd_next->pd_bar[0].pb_assigned);
	forget();
}

static uint32_t
random32(void)
{
	uint32_t v = (uint32_t)rand() << 16 ^ (uint32_t)rand();

	switch (rand() % 4) {
	case 0:
		return 0;
	case 1:
		return UINT32_MAX;
	default:
		return v;
	}
}

/*
 * Any bytes as configuration space, any bits of it writable: it ends soon, and
 * what was given out is sound.
 */
static void
anything(void **state)
{
	unsigned round, n;
	int i, j;

	(void)state;
	srand(1);
	for (round = 0; round < 3000; round++) {
		struct machine_host *h = host(0x10000000, 0x2000000,
		    UINT64_C(0x8000000000), 0x10000000);

		h->mh_assigned = rand() % 2;
		h->mh_bus_last = (uint8_t)rand();
		for (i = rand() % 24 + 1; i > 0; i--) {
			j = add(nfuncs == 0 ? -1 : rand() % (nfuncs + 1) - 1,
			    (unsigned)rand() % 4, (unsigned)rand() % 8, 0);
			for (n = 1; n < 64; n++) {
				funcs[j].f_conf[n] = random32();
				funcs[j].f_writable[n] = random32();
			}
			if (rand() % 2)
				funcs[j].f_conf[3] = 0x00810000;
		}
		pci_init();
		check_bars(&n);
		assert_true(pci_rescan() <= PCI_MAXDEVS);
		check_bars(&n);
		assert_true(accesses < 2000000);
		forget();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat),
		cmocka_unit_test(bridges),
		cmocka_unit_test(kept),
		cmocka_unit_test(no_room),
		cmocka_unit_test(buses_run_out),
		cmocka_unit_test(late),
		cmocka_unit_test(out_and_in),
		cmocka_unit_test(bridge_into_a_port),
		cmocka_unit_test(reserve),
		cmocka_unit_test(believed),
		cmocka_unit_test(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
