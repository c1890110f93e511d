/* SPDX-License-Identifier: ISC */
/*
 * PCI host bridges by a flattened device tree: windows, interrupts, MSI.
 */
#include <string.h>

#include <libfdt.h>

#include "fdt_tree.h"

static void
host_windows(struct tree *t, struct machine_host *h)
{
	struct cells c = tree_cells(t, "ranges");
	unsigned ac = tree_parent(t)->l_ac, row = 3 + ac + 2, i;

	for (i = 0; i + row <= c.c_count && i < row * TREE_MAXROWS; i += row) {
		struct machine_window *w = &h->mh_window[h->mh_nwindows];
		uint32_t hi = cell(&c, i);

		w->mw_bus = cells_number(&c, i + 1, 2);
		w->mw_cpu = cells_number(&c, i + 3, ac);
		w->mw_size = cells_number(&c, i + 3 + ac, 2);
		w->mw_prefetch = (hi & 0x40000000) != 0;
		/* A 32-bit window reaches no further than 32 bits do. */
		if ((hi >> 24 & 3) < 3 && w->mw_bus < UINT64_C(1) << 32 &&
		    w->mw_size > (UINT64_C(1) << 32) - w->mw_bus)
			w->mw_size = (UINT64_C(1) << 32) - w->mw_bus;
		if ((hi >> 24 & 3) == 0 || !tree_translate(t, &w->mw_cpu) ||
		    !range_good(w->mw_cpu, w->mw_size) ||
		    w->mw_bus + (w->mw_size - 1) < w->mw_bus ||
		    ((hi >> 24 & 3) < 3 && w->mw_bus >= UINT64_C(1) << 32) ||
		    h->mh_nwindows == MACHINE_MAXWINDOWS - 1) {
			tree_note(t, ": a window is out of range");
			continue;
		}
		w->mw_space = (hi >> 24 & 3) == 1 ? MACHINE_WINDOW_IO :
		    (hi >> 24 & 3) == 2 ? MACHINE_WINDOW_MEM32 :
		    MACHINE_WINDOW_MEM64;
		h->mh_nwindows++;
	}
}

/* What #address-cells and the like have of any node; 0 without. */
static uint32_t
cells_of(const void *fdt, int node, const char *name)
{
	int len;
	const fdt32_t *value = fdt_getprop(fdt, node, name, &len);

	return value != NULL && len >= 4 ? fdt32_ld(value) : 0;
}

/*
 * Cells that a controller's row has behind its phandle; 0 if there is no such
 * controller, or more of them than one believes.
 */
static unsigned
intmap_cells(struct tree *t, uint32_t phandle)
{
	struct intmap_parent *p;
	uint32_t ac, ic;
	unsigned i;
	int node;

	for (i = 0; i < t->t_nparents; i++)
		if (t->t_parent[i].ip_phandle == phandle)
			return t->t_parent[i].ip_cells;
	if (i == TREE_MAXPARENTS)
		return 0;
	p = &t->t_parent[t->t_nparents++];
	p->ip_phandle = phandle;
	p->ip_cells = 0;
	if (t->t_have_gic && phandle == t->t_gic && phandle != 0) {
		ac = t->t_gic_ac;
		ic = t->t_gic_ic;
	} else {
		node = fdt_node_offset_by_phandle(t->t_fdt, phandle);
		if (node < 0)
			return 0;
		ac = cells_of(t->t_fdt, node, "#address-cells");
		ic = cells_of(t->t_fdt, node, "#interrupt-cells");
	}
	if (ac <= 4 && ic != 0 && ic <= 8)
		p->ip_cells = ac + ic;
	return p->ip_cells;
}

static void
host_intmap(struct tree *t, struct machine_host *h)
{
	struct cells c = tree_cells(t, "interrupt-map");
	struct cells mask = tree_cells(t, "interrupt-map-mask");
	unsigned i = 0, n, rows = 0;

	if (c.c_data == NULL)
		return;
	h->mh_intmap_devfn_mask = 0xffff00;
	if (mask.c_count >= 4)
		h->mh_intmap_devfn_mask &= cell(&mask, 0);
	h->mh_intmap_pin_mask = mask.c_count >= 4 ? cell(&mask, 3) & 7 : 7;
	while (i + 5 < c.c_count && h->mh_nintmap < MACHINE_MAXINTMAP &&
	    rows++ < TREE_MAXROWS) {
		struct machine_intmap *im = &h->mh_intmap[h->mh_nintmap];
		uint32_t phandle = cell(&c, i + 4);

		n = intmap_cells(t, phandle);
		if (n == 0)
			break;
		im->mi_devfn = cell(&c, i) & 0xffff00;
		im->mi_pin = cell(&c, i + 3) & 7;
		if (is_gic(t, phandle) && phandle != 0 && t->t_gic_ac <= 4 &&
		    gic_specifier(&c, i + 5 + t->t_gic_ac, &im->mi_intr))
			h->mh_nintmap++;
		i += 5 + n;
	}
	if (i < c.c_count && h->mh_nintmap < MACHINE_MAXINTMAP)
		tree_note(t, ": interrupt-map is damaged");
}

static enum machine_msi
msi_kind(struct tree *t, uint32_t phandle)
{
	unsigned i;

	if (phandle == 0)
		return MACHINE_MSI_NONE;
	for (i = 0; i < t->t_m->m_gic.mg_nv2m; i++)
		if (t->t_v2m[i] == phandle)
			return MACHINE_MSI_V2M;
	for (i = 0; i < t->t_m->m_gic.mg_nits; i++)
		if (t->t_m->m_gic.mg_its[i].mi_id == phandle)
			return MACHINE_MSI_ITS;
	return MACHINE_MSI_NONE;
}

static void
host_msi_add(struct tree *t, struct machine_host *h, uint32_t rid, uint32_t id,
    uint32_t devid, uint32_t count)
{
	enum machine_msi kind = msi_kind(t, id);
	struct machine_msimap *mm = &h->mh_msimap[h->mh_nmsimap];

	if (kind == MACHINE_MSI_NONE || count == 0 ||
	    h->mh_nmsimap == MACHINE_MAXMSIMAP ||
	    (h->mh_msi != MACHINE_MSI_NONE && h->mh_msi != kind))
		return;
	h->mh_msi = kind;
	mm->mm_rid = rid;
	mm->mm_devid = devid;
	mm->mm_count = count;
	mm->mm_id = id;
	h->mh_nmsimap++;
}

static void
host_msi(struct tree *t, struct machine_host *h)
{
	struct cells c = tree_cells(t, "msi-map");
	unsigned i;

	h->mh_msimap_mask = tree_u32(t, "msi-map-mask", 0xffff) & 0xffff;
	for (i = 0; i + 4 <= c.c_count && i < 4 * TREE_MAXROWS; i += 4)
		host_msi_add(t, h, cell(&c, i), cell(&c, i + 1),
		    cell(&c, i + 2), cell(&c, i + 3));
	if (h->mh_nmsimap == 0)
		host_msi_add(t, h, 0, tree_u32(t, "msi-parent", 0), 0,
		    0x10000);
}

void
host_found(struct tree *t)
{
	struct machine *m = t->t_m;
	struct machine_host *h = &m->m_host[m->m_nhosts];
	struct cells c = tree_cells(t, "bus-range");
	uint32_t first = 0, last = 255;
	uint64_t buses;

	if (m->m_nhosts == MACHINE_MAXHOSTS)
		return;
	memset(h, 0, sizeof(*h));
	if (!tree_reg_need(t, 0, &h->mh_ecam, &h->mh_ecam_size))
		return;
	if (c.c_count >= 2) {
		first = cell(&c, 0);
		last = cell(&c, 1);
	}
	buses = h->mh_ecam_size >> 20;
	if (first > last || last > 255 || buses == 0) {
		tree_note(t, ": bus range is nonsense");
		return;
	}
	if (last - first >= buses)
		last = first + (uint32_t)buses - 1;
	h->mh_bus_first = (uint8_t)first;
	h->mh_bus_last = (uint8_t)last;
	h->mh_segment = tree_u32(t, "linux,pci-domain", 0);
	h->mh_coherent = tree_level(t)->l_coherent;
	host_windows(t, h);
	host_intmap(t, h);
	host_msi(t, h);
	m->m_nhosts++;
}
