/* SPDX-License-Identifier: ISC */
/*
 * Addresses for BARs and for bridges' windows. What firmware set is kept where
 * it is possible; the rest is given out in order of size, largest first, so
 * that nothing is lost to alignment.
 */
#include <errno.h>

#include "kmem.h"
#include "log.h"
#include "pcivar.h"
#include "vm.h"

#define MIB		(UINT64_C(1) << 20)
#define BRIDGE_SPARE	(2 * MIB)	/* for what is plugged in later */
#define BUS_32BIT	(UINT64_C(1) << 32)

enum { WINDOW_MEM, WINDOW_PREF };	/* of a bridge */

static bool
used_free(const struct pci_window *w, uint64_t base, uint64_t size)
{
	const struct pci_used *u;

	for (u = w->pw_used; u != NULL; u = u->pu_next)
		if (base < u->pu_base + u->pu_size &&
		    u->pu_base < base + size)
			return false;
	return true;
}

static bool
window_holds(const struct pci_window *w, uint64_t base, uint64_t size)
{
	return size != 0 && w->pw_size >= size && base >= w->pw_base &&
	    base - w->pw_base <= w->pw_size - size;
}

static int
window_take(struct pci_window *w, uint64_t base, uint64_t size)
{
	struct pci_used **up, *u;

	if (!window_holds(w, base, size) || !used_free(w, base, size))
		return EBUSY;
	u = kzalloc(sizeof(*u));
	if (u == NULL)
		return ENOMEM;
	u->pu_base = base;
	u->pu_size = size;
	for (up = &w->pw_used; *up != NULL && (*up)->pu_base < base;)
		up = &(*up)->pu_next;
	u->pu_next = *up;
	*up = u;
	return 0;
}

/*
 * The lowest free place. Address 0 on the bus means "not set" to too many, and
 * is not given out.
 */
static int
window_alloc(struct pci_window *w, uint64_t size, uint64_t align,
    uint64_t *base)
{
	const struct pci_used *u = w->pw_used;
	uint64_t at = w->pw_base == 0 ? align : w->pw_base;

	for (;;) {
		at = (at + align - 1) & ~(align - 1);
		if (!window_holds(w, at, size))
			return ENOSPC;
		while (u != NULL && u->pu_base + u->pu_size <= at)
			u = u->pu_next;
		if (u == NULL || at + size <= u->pu_base)
			break;
		at = u->pu_base + u->pu_size;
	}
	*base = at;
	return window_take(w, at, size);
}

/* Whether a BAR may be in this window: 0 no, higher is better. */
static int
window_rank(const struct pci_bus *bus, const struct pci_window *w,
    bool mem64, bool prefetch)
{
	if (w->pw_size == 0)
		return 0;
	if (!mem64 && w->pw_base + w->pw_size > BUS_32BIT)
		return 0;
	/*
	 * Bridges read ahead in a prefetchable window; a host bridge doesn't.
	 */
	if (w->pw_prefetch && !prefetch && bus->pb_up != NULL)
		return 0;
	if (mem64 && prefetch)
		return w->pw_mem64 ? 3 : w->pw_prefetch ? 2 : 1;
	return w->pw_mem64 || w->pw_prefetch ? 1 : 2;
}

static struct pci_window *
bus_alloc(struct pci_bus *bus, uint64_t size, uint64_t align, bool mem64,
    bool prefetch, uint64_t *base)
{
	unsigned i;
	int rank;

	for (rank = 3; rank > 0; rank--)
		for (i = 0; i < bus->pb_nwindows; i++) {
			struct pci_window *w = &bus->pb_window[i];

			if (window_rank(bus, w, mem64, prefetch) == rank &&
			    window_alloc(w, size, align, base) == 0)
				return w;
		}
	return NULL;
}

/* Firmware's address, if it lies in a window and nothing else does there. */
static struct pci_window *
bus_claim(struct pci_bus *bus, uint64_t base, uint64_t size)
{
	unsigned i;

	for (i = 0; i < bus->pb_nwindows; i++)
		if (window_take(&bus->pb_window[i], base, size) == 0)
			return &bus->pb_window[i];
	return NULL;
}

/*
 * No windows are told (ACPI without an interpreter): what firmware assigned is
 * believed, each by itself a window.
 */
static struct pci_window *
bus_believe(struct pci_bus *bus, uint64_t base, uint64_t size)
{
	static struct pci_window direct;	/* bus and processor see the same */

	if (!bus->pb_host->mh_windows_guessed || bus->pb_up != NULL)
		return NULL;
	if (base + (size - 1) < base || base + (size - 1) >=
	    UINT64_C(1) << vm_pa_bits() || page_is_ram(base, size))
		return NULL;
	direct.pw_offset = 0;
	return &direct;
}

void
pci_host_windows(struct pci_bus *bus)
{
	const struct machine_host *h = bus->pb_host;
	uint64_t limit = UINT64_C(1) << vm_pa_bits();
	unsigned i;

	for (i = 0; i < h->mh_nwindows; i++) {
		const struct machine_window *mw = &h->mh_window[i];
		struct pci_window *w = &bus->pb_window[bus->pb_nwindows];

		if (mw->mw_space == MACHINE_WINDOW_IO || mw->mw_cpu >= limit)
			continue;
		w->pw_base = mw->mw_bus;
		w->pw_size = mw->mw_size;
		if (w->pw_size > limit - mw->mw_cpu)
			w->pw_size = limit - mw->mw_cpu;
		w->pw_offset = mw->mw_cpu - mw->mw_bus;
		w->pw_prefetch = mw->mw_prefetch;
		w->pw_mem64 = mw->mw_space == MACHINE_WINDOW_MEM64;
		bus->pb_nwindows++;
	}
}

static void
bar_write(struct pci_dev *pd, unsigned n, uint64_t v)
{
	pci_conf_write(pd, PCI_BAR(n), (uint32_t)v);
	if (pd->pd_bar[n].pb_kind == PCI_BAR_MEM64)
		pci_conf_write(pd, PCI_BAR(n + 1), (uint32_t)(v >> 32));
}

static uint64_t
bar_read(const struct pci_dev *pd, unsigned n)
{
	uint64_t v = pci_conf_read(pd, PCI_BAR(n)) & ~0xfu;

	if (pd->pd_bar[n].pb_kind == PCI_BAR_MEM64)
		v |= (uint64_t)pci_conf_read(pd, PCI_BAR(n + 1)) << 32;
	return v;
}

/*
 * Size and kind of BAR n. Decoding is off. Returns how many registers it takes.
 */
static unsigned
bar_size(struct pci_dev *pd, unsigned n, unsigned nbars)
{
	struct pci_bar *b = &pd->pd_bar[n];
	uint32_t low = pci_conf_read(pd, PCI_BAR(n));
	uint64_t addr, mask;
	unsigned regs;

	if ((low & 1) != 0) {
		b->pb_kind = PCI_BAR_IO;
		return 1;
	}
	b->pb_prefetch = (low & 8) != 0;
	b->pb_kind = (low & 6) == 4 && n + 1 < nbars ? PCI_BAR_MEM64 :
	    PCI_BAR_MEM32;
	addr = bar_read(pd, n);
	bar_write(pd, n, UINT64_MAX);
	mask = bar_read(pd, n);
	bar_write(pd, n, addr);
	b->pb_size = mask & -mask;
	if (mask == 0 || b->pb_size > UINT64_C(1) << 48) {
		regs = b->pb_kind == PCI_BAR_MEM64 ? 2 : 1;
		b->pb_kind = PCI_BAR_NONE;
		b->pb_size = 0;
		return regs;
	}
	b->pb_bus = addr;
	return b->pb_kind == PCI_BAR_MEM64 ? 2 : 1;
}

void
pci_bars_read(struct pci_dev *pd)
{
	uint32_t command = pci_conf_read(pd, PCI_COMMAND) & 0xffff;
	unsigned n, nbars = pd->pd_below != NULL ? 2 : PCI_MAXBARS;

	/*
	 * While a BAR is all ones it must not decode; and a function that
	 * nobody drives must not hold a line that another one shares.
	 */
	command &= ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEM |
	    PCI_COMMAND_MASTER);
	pci_conf_write(pd, PCI_COMMAND, command | PCI_COMMAND_INTX_OFF);
	for (n = 0; n < nbars;)
		n += bar_size(pd, n, nbars);
}

static void
bar_settle(struct pci_dev *pd, unsigned n, const struct pci_window *w,
    uint64_t base, bool kept)
{
	struct pci_bar *b = &pd->pd_bar[n];

	b->pb_bus = base;
	b->pb_cpu = base + w->pw_offset;
	b->pb_assigned = true;
	b->pb_kept = kept;
	if (kept)
		return;
	bar_write(pd, n, base);
	if (bar_read(pd, n) == base)
		return;
	/* The hypervisor refused it. */
	klog(LOG_WARN, "pci: %02x:%02x.%x: BAR %u doesn't take 0x%llx",
	    pd->pd_bus->pb_number, pd->pd_slot, pd->pd_func, n,
	    (unsigned long long)base);
	b->pb_assigned = false;
}

static void
bar_claim(struct pci_dev *pd, unsigned n)
{
	struct pci_bar *b = &pd->pd_bar[n];
	struct pci_window *w;

	if (b->pb_kind < PCI_BAR_MEM32 || b->pb_assigned || b->pb_bus == 0 ||
	    (b->pb_bus & (b->pb_size - 1)) != 0)
		return;
	w = bus_claim(pd->pd_bus, b->pb_bus, b->pb_size);
	if (w == NULL)
		w = bus_believe(pd->pd_bus, b->pb_bus, b->pb_size);
	if (w != NULL)
		bar_settle(pd, n, w, b->pb_bus, true);
}

static void
bar_assign(struct pci_dev *pd, unsigned n)
{
	struct pci_bar *b = &pd->pd_bar[n];
	uint64_t base, align = b->pb_size;
	struct pci_window *w;

	/* Never two functions on one page: each is mapped by itself. */
	if (align < PAGE_SIZE)
		align = PAGE_SIZE;
	w = bus_alloc(pd->pd_bus, b->pb_size, align,
	    b->pb_kind == PCI_BAR_MEM64, b->pb_prefetch, &base);
	if (w == NULL) {
		klog(LOG_WARN, "pci: %02x:%02x.%x: no room for BAR %u, "
		    "%llu bytes", pd->pd_bus->pb_number, pd->pd_slot,
		    pd->pd_func, n, (unsigned long long)b->pb_size);
		return;
	}
	bar_settle(pd, n, w, base, false);
}

/* The windows that firmware gave a bridge, if its bus's windows hold them. */
static void
bridge_claim(struct pci_bus *below, unsigned i, uint64_t base, uint64_t limit)
{
	struct pci_window *w = &below->pb_window[i], *up = NULL;

	if (base == 0 || limit <= base || w->pw_size != 0)
		return;
	up = bus_claim(below->pb_up, base, limit - base + 1);
	if (up == NULL)
		up = bus_believe(below->pb_up, base, limit - base + 1);
	if (up == NULL)
		return;
	w->pw_base = base;
	w->pw_size = limit - base + 1;
	w->pw_offset = up->pw_offset;
	w->pw_mem64 = i == WINDOW_PREF && base >= BUS_32BIT;
}

void
pci_bridge_windows_read(struct pci_dev *pd)
{
	struct pci_bus *below = pd->pd_below;
	uint32_t mem = pci_conf_read(pd, PCI_MEM_WINDOW);
	uint32_t pref = pci_conf_read(pd, PCI_PREF_WINDOW);
	uint64_t base, limit;

	below->pb_nwindows = 2;
	below->pb_window[WINDOW_PREF].pw_prefetch = true;
	bridge_claim(below, WINDOW_MEM, (mem & 0xfff0) << 16,
	    (mem & 0xfff00000) | 0xfffff);
	base = (uint64_t)(pref & 0xfff0) << 16;
	limit = (pref & 0xfff00000) | 0xfffff;
	if ((pref & 0xf) == 1) {
		base |= (uint64_t)pci_conf_read(pd, PCI_PREF_BASE_HI) << 32;
		limit |= (uint64_t)pci_conf_read(pd, PCI_PREF_LIMIT_HI) << 32;
	}
	bridge_claim(below, WINDOW_PREF, base, limit);
}

static void
bridge_window_write(struct pci_dev *pd, unsigned i, uint64_t base,
    uint64_t size)
{
	uint64_t limit = base + size - 1;
	uint32_t v = (uint32_t)(base >> 16 & 0xfff0) |
	    (uint32_t)(limit & 0xfff00000);

	if (size == 0)
		v = 0x0000fff0;		/* closed: base above limit */
	if (i == WINDOW_MEM) {
		pci_conf_write(pd, PCI_MEM_WINDOW, v);
		return;
	}
	pci_conf_write(pd, PCI_PREF_BASE_HI, size == 0 ? 0 :
	    (uint32_t)(base >> 32));
	pci_conf_write(pd, PCI_PREF_WINDOW, v);
	pci_conf_write(pd, PCI_PREF_LIMIT_HI, size == 0 ? 0 :
	    (uint32_t)(limit >> 32));
}

/* What a bus wants of a window beyond what is there. */
static uint64_t
bus_spare(const struct pci_bus *bus, bool prefetch, uint64_t *align)
{
	uint64_t spare = bus->pb_reserve[prefetch];

	if (spare <= BRIDGE_SPARE)
		return BRIDGE_SPARE;
	/* It may be asked for in one piece. */
	while (*align <= spare / 2)
		*align *= 2;
	return spare;
}

/* What the BARs of one kind below a bridge need at most, alignment included. */
static uint64_t
bus_need(const struct pci_bus *bus, bool prefetch, bool spare, uint64_t *align)
{
	struct pci_dev *pd;
	uint64_t need = 0;
	unsigned n;

	for (pd = pci_next(NULL); pd != NULL; pd = pci_next(pd)) {
		if (pd->pd_bus != bus)
			continue;
		for (n = 0; n < PCI_MAXBARS; n++) {
			const struct pci_bar *b = &pd->pd_bar[n];

			if (b->pb_kind < PCI_BAR_MEM32 ||
			    b->pb_prefetch != prefetch)
				continue;
			need += b->pb_size < PAGE_SIZE ? PAGE_SIZE :
			    b->pb_size;
			if (b->pb_size > *align)
				*align = b->pb_size;
		}
		if (pd->pd_below != NULL)
			need += bus_need(pd->pd_below, prefetch, spare, align);
	}
	need += *align;
	if (spare)
		need += bus_spare(bus, prefetch, align);
	return (need + MIB - 1) & ~(MIB - 1);
}

/* Of a bridge's bus: room for what may be put in, if there is room for that. */
static struct pci_window *
bridge_alloc(struct pci_dev *pd, bool pref, uint64_t *base, uint64_t *size)
{
	/* Whether the window has an upper half is in its lowest bits. */
	bool wide = pref && (pci_conf_read(pd, PCI_PREF_WINDOW) & 0xf) == 1;
	struct pci_window *up = NULL;
	uint64_t align;
	int spare;

	for (spare = 1; up == NULL && spare >= 0; spare--) {
		align = MIB;
		*size = bus_need(pd->pd_below, pref, spare != 0, &align);
		up = bus_alloc(pd->pd_bus, *size, align, wide, pref, base);
	}
	return up;
}

static void
bridge_window(struct pci_dev *pd, unsigned i)
{
	struct pci_window *w = &pd->pd_below->pb_window[i], *up;
	bool pref = i == WINDOW_PREF;
	uint64_t size, base;

	if (w->pw_size != 0)
		return;		/* firmware's */
	up = bridge_alloc(pd, pref, &base, &size);
	if (up == NULL) {
		klog(LOG_WARN, "pci: %02x:%02x.%x: no room for a bridge "
		    "window of %llu bytes", pd->pd_bus->pb_number, pd->pd_slot,
		    pd->pd_func, (unsigned long long)size);
		bridge_window_write(pd, i, 0, 0);
		return;
	}
	w->pw_base = base;
	w->pw_size = size;
	w->pw_offset = up->pw_offset;
	w->pw_prefetch = pref;
	w->pw_mem64 = pref && base >= BUS_32BIT;
	bridge_window_write(pd, i, base, size);
}

static void
bus_each_bar(struct pci_bus *bus, uint64_t size,
    void (*fn)(struct pci_dev *, unsigned))
{
	struct pci_dev *pd;
	unsigned n;

	for (pd = pci_next(NULL); pd != NULL; pd = pci_next(pd)) {
		if (pd->pd_bus != bus)
			continue;
		for (n = 0; n < PCI_MAXBARS; n++)
			if (pd->pd_bar[n].pb_kind >= PCI_BAR_MEM32 &&
			    !pd->pd_bar[n].pb_assigned &&
			    (size == 0 || pd->pd_bar[n].pb_size == size))
				fn(pd, n);
	}
}

/* Give addresses to all of a bus, and of the buses below, that has none yet. */
void
pci_assign(struct pci_bus *bus)
{
	struct pci_dev *pd;
	unsigned shift;

	/* First what firmware set, so that nothing is put in its place. */
	for (pd = pci_next(NULL); pd != NULL; pd = pci_next(pd))
		if (pd->pd_bus == bus && pd->pd_below != NULL &&
		    !pd->pd_below->pb_settled)
			pci_bridge_windows_read(pd);
	bus_each_bar(bus, 0, bar_claim);
	for (pd = pci_next(NULL); pd != NULL; pd = pci_next(pd)) {
		if (pd->pd_bus != bus || pd->pd_below == NULL ||
		    pd->pd_below->pb_settled)
			continue;
		pd->pd_below->pb_settled = true;
		bridge_window(pd, WINDOW_MEM);
		bridge_window(pd, WINDOW_PREF);
		/* No window for I/O ports. */
		pci_conf_write(pd, PCI_IO_WINDOW, 0x000000f0);
	}
	for (shift = 48; shift >= 4; shift--)
		bus_each_bar(bus, UINT64_C(1) << shift, bar_assign);
	for (pd = pci_next(NULL); pd != NULL; pd = pci_next(pd))
		if (pd->pd_bus == bus && pd->pd_below != NULL)
			pci_assign(pd->pd_below);
}

/* Whoever comes next may have the place. */
static void
window_give_back(struct pci_window *w, uint64_t base)
{
	struct pci_used **up, *u;

	for (up = &w->pw_used; (u = *up) != NULL; up = &u->pu_next)
		if (u->pu_base == base) {
			*up = u->pu_next;
			kfree(u);
			return;
		}
}

void
pci_bars_give_back(struct pci_dev *pd)
{
	unsigned n, i;

	for (n = 0; n < PCI_MAXBARS; n++)
		for (i = 0; pd->pd_bar[n].pb_assigned &&
		    i < pd->pd_bus->pb_nwindows; i++)
			if (window_holds(&pd->pd_bus->pb_window[i],
			    pd->pd_bar[n].pb_bus, pd->pd_bar[n].pb_size))
				window_give_back(&pd->pd_bus->pb_window[i],
				    pd->pd_bar[n].pb_bus);
}

/*
 * A bridge goes: so does all that its windows had, and their place in the
 * windows above.
 */
void
pci_windows_forget(struct pci_bus *below)
{
	unsigned i, j;

	for (i = 0; i < below->pb_nwindows; i++) {
		struct pci_window *w = &below->pb_window[i];

		while (w->pw_used != NULL)
			window_give_back(w, w->pw_used->pu_base);
		for (j = 0; w->pw_size != 0 && j < below->pb_up->pb_nwindows;
		    j++)
			if (window_holds(&below->pb_up->pb_window[j],
			    w->pw_base, w->pw_size))
				window_give_back(&below->pb_up->pb_window[j],
				    w->pw_base);
	}
}
