/* SPDX-License-Identifier: ISC */
/*
 * The machine by a flattened device tree. libfdt keeps us within the tree; this file keeps within each property: all values
 * go through struct cells, which gives 0 beyond the end and remembers that it did.
 *
 * The tree is walked in order, with a stack of what a node inherits (cells, interrupt parent, coherence), twice: interrupt
 * controllers first, then all that names them. No other search grows with the tree but the lookup of a phandle, which is
 * done once for each of a bounded number of nodes.
 */
#include <errno.h>
#include <string.h>

#include <libfdt.h>

#include "machine.h"

#define MAXDEPTH	16
#define MAXSTRINGS	(64 * 1024)
#define MAXROWS		1024	/* of a table in a property */
#define SPI_BASE	32
#define PPI_BASE	16
#define INTID_END	1020
#define REG_ALIGN	8	/* of registers: an access out of line faults */
#define FREQ_MIN	1000000	/* of a timer that anybody would build */

struct cells {
	const uint8_t	*c_data;
	unsigned	 c_count;
	bool		 c_short;	/* something beyond the end was asked for */
};

struct level {
	int		l_node;
	unsigned	l_ac, l_sc;	/* for the node's children */
	uint32_t	l_intparent;	/* phandle, 0: none named */
	bool		l_coherent;
	bool		l_disabled;
	struct cells	l_ranges;
};

#define CACHED		24

struct prop {
	const char	*p_name;
	const void	*p_data;
	int		 p_len;
};

/* A controller that an interrupt-map names. The look for one goes through the whole tree: it is done once. */
struct parent {
	uint32_t	p_phandle;
	unsigned	p_cells;
};

#define MAXPARENTS	8

struct tree {
	const void	*t_fdt;
	struct machine	*t_m;
	int		 t_depth;
	struct level	 t_level[MAXDEPTH];
	uint32_t	 t_gic;		/* phandle, 0: it has none */
	int		 t_gic_node;
	unsigned	 t_gic_ac;	/* #address-cells and #interrupt-cells of it */
	unsigned	 t_gic_ic;
	int		 t_stdout;	/* node, or negative */
	const char	*t_compat;	/* of the node that is looked at */
	int		 t_compat_len;
	uint32_t	 t_v2m[MACHINE_MAXV2M];	/* phandles */
	unsigned	 t_nparents;
	struct parent	 t_parent[MAXPARENTS];
	int		 t_cached;	/* whose properties these are, or -1 */
	unsigned	 t_nprops;
	struct prop	 t_prop[CACHED];
};

/*
 * A node is asked for many properties, most of which it does not have, and
 * each question to libfdt goes over all that there are. So they are listed
 * once. False: there are too many.
 */
static bool
props_list(struct tree *t, int node)
{
	struct prop *p;
	int at;

	t->t_cached = -1;
	t->t_nprops = 0;
	fdt_for_each_property_offset(at, t->t_fdt, node) {
		if (t->t_nprops == CACHED)
			return false;
		p = &t->t_prop[t->t_nprops];
		p->p_data = fdt_getprop_by_offset(t->t_fdt, at, &p->p_name,
		    &p->p_len);
		if (p->p_data != NULL)
			t->t_nprops++;
	}
	t->t_cached = node;
	return true;
}

static const void *
prop_get(struct tree *t, int node, const char *name, int *len)
{
	if (t->t_cached != node && !props_list(t, node))
		return fdt_getprop(t->t_fdt, node, name, len);
	for (unsigned i = 0; i < t->t_nprops; i++) {
		if (strcmp(t->t_prop[i].p_name, name) != 0)
			continue;
		*len = t->t_prop[i].p_len;
		return t->t_prop[i].p_data;
	}
	*len = -FDT_ERR_NOTFOUND;
	return NULL;
}

static struct cells
cells_get(struct tree *t, int node, const char *name)
{
	struct cells c = { NULL, 0, false };
	int len = 0;

	c.c_data = prop_get(t, node, name, &len);
	if (c.c_data != NULL && len > 0)
		c.c_count = (unsigned)len / 4;
	return c;
}

static uint32_t
cell(struct cells *c, unsigned i)
{
	const uint8_t *p;

	if (i >= c->c_count) {
		c->c_short = true;
		return 0;
	}
	p = c->c_data + (size_t)i * 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* n cells as one number; what is above 64 bits is dropped. */
static uint64_t
cells_number(struct cells *c, unsigned i, unsigned n)
{
	uint64_t v = 0;

	for (; n > 0; n--)
		v = v << 32 | cell(c, i++);
	return v;
}

static uint32_t
prop_u32(struct tree *t, int node, const char *name, uint32_t fallback)
{
	struct cells c = cells_get(t, node, name);

	return c.c_count > 0 ? cell(&c, 0) : fallback;
}

static const char *
prop_string(struct tree *t, int node, const char *name)
{
	int len;
	const char *s = prop_get(t, node, name, &len);

	if (s == NULL || len <= 0 || memchr(s, '\0', (size_t)len) == NULL)
		return NULL;
	return s;
}

static bool
prop_present(struct tree *t, int node, const char *name)
{
	int len;

	return prop_get(t, node, name, &len) != NULL;
}

/* The node's list of names is looked up once: most nodes are asked about all that we know. */
static bool
compatible(struct tree *t, const char *what)
{
	return t->t_compat != NULL && fdt_stringlist_contains(t->t_compat,
	    t->t_compat_len, what);
}

static void
note_node(struct tree *t, int node, const char *what)
{
	const char *name = fdt_get_name(t->t_fdt, node, NULL);

	machine_note(t->t_m, "device tree: ", name == NULL ? "?" : name, what);
}

static const struct level *
parent(struct tree *t)
{
	return &t->t_level[t->t_depth > 0 ? t->t_depth - 1 : 0];
}

/* One step up: an address on the bus below l as one on the bus above. False where nothing maps it. */
static bool
translate_step(const struct level *l, unsigned parent_ac, uint64_t *addr)
{
	struct cells c = l->l_ranges;
	unsigned row = l->l_ac + parent_ac + l->l_sc, i, n;

	if (c.c_data == NULL)
		return false;
	if (c.c_count == 0)
		return true;
	for (i = n = 0; row > 0 && i + row <= c.c_count && n < MAXROWS;
	    i += row, n++) {
		uint64_t child = cells_number(&c, i, l->l_ac);
		uint64_t up = cells_number(&c, i + l->l_ac, parent_ac);
		uint64_t size = cells_number(&c, i + l->l_ac + parent_ac,
		    l->l_sc);

		if (*addr >= child && *addr - child < size) {
			*addr = up + (*addr - child);
			return true;
		}
	}
	return false;
}

/* Addresses in the node at t_depth are in its parent's terms. */
static bool
translate(struct tree *t, uint64_t *addr)
{
	int d;

	for (d = t->t_depth - 1; d > 0; d--)
		if (!translate_step(&t->t_level[d], t->t_level[d - 1].l_ac,
		    addr))
			return false;
	return true;
}

static bool
range_good(uint64_t base, uint64_t size)
{
	return size != 0 && base + (size - 1) >= base &&
	    base + (size - 1) < UINT64_C(1) << 52;
}

/* Entry i of the node's reg, as the processor sees it. */
static bool
reg_get(struct tree *t, int node, unsigned i, uint64_t *base, uint64_t *size)
{
	struct cells c = cells_get(t, node, "reg");
	unsigned ac = parent(t)->l_ac, sc = parent(t)->l_sc;

	if (i >= 1024)
		return false;
	*base = cells_number(&c, i * (ac + sc), ac);
	*size = cells_number(&c, i * (ac + sc) + ac, sc);
	if (c.c_short || ac + sc == 0)
		return false;
	return translate(t, base) && range_good(*base, *size);
}

/* The same, with a note where a node that we want has none. */
static bool
reg_need(struct tree *t, int node, unsigned i, uint64_t *base, uint64_t *size)
{
	if (reg_get(t, node, i, base, size) && *base % REG_ALIGN == 0)
		return true;
	note_node(t, node, ": registers missing or out of range");
	return false;
}

/* Three cells, as the GIC's binding has them: SPI or PPI, number, flags. */
static bool
gic_specifier(struct cells *c, unsigned i, struct machine_intr *intr)
{
	uint32_t type = cell(c, i), n = cell(c, i + 1), flags = cell(c, i + 2);

	intr->mi_intid = 0;
	intr->mi_edge = (flags & 3) != 0;
	if (c->c_short)
		return false;
	if (type == 0 && n < INTID_END - SPI_BASE)
		intr->mi_intid = SPI_BASE + n;
	else if (type == 1 && n < SPI_BASE - PPI_BASE)
		intr->mi_intid = PPI_BASE + n;
	return intr->mi_intid != 0;
}

static bool
is_gic(struct tree *t, uint32_t phandle)
{
	return t->t_gic_node >= 0 && t->t_gic_ic >= 3 &&
	    (phandle == t->t_gic || phandle == 0);
}

/* Interrupt i of the node, by interrupts-extended (of the GIC alone) or interrupts. */
static bool
intr_get(struct tree *t, int node, unsigned i, struct machine_intr *intr)
{
	struct cells c = cells_get(t, node, "interrupts-extended");
	unsigned at;

	intr->mi_intid = 0;
	intr->mi_edge = false;
	if (i >= 64 || t->t_gic_ic > 8)
		return false;
	if (c.c_count > 0) {
		at = i * (1 + t->t_gic_ic);
		return is_gic(t, cell(&c, at)) &&
		    gic_specifier(&c, at + 1, intr);
	}
	c = cells_get(t, node, "interrupts");
	if (!is_gic(t, t->t_level[t->t_depth].l_intparent))
		return false;
	return gic_specifier(&c, i * t->t_gic_ic, intr);
}

static void
gic_found(struct tree *t, int node, unsigned version)
{
	struct machine_gic *g = &t->t_m->m_gic;
	uint32_t n, i;

	if (t->t_gic_node >= 0 || !reg_need(t, node, 0, &g->mg_dist,
	    &g->mg_dist_size))
		return;
	t->t_gic_node = node;
	t->t_gic = fdt_get_phandle(t->t_fdt, node);
	t->t_gic_ac = prop_u32(t, node, "#address-cells", 0);
	t->t_gic_ic = prop_u32(t, node, "#interrupt-cells", 0);
	g->mg_version = version;
	if (version == 2) {
		if (!reg_need(t, node, 1, &g->mg_cpu, &g->mg_cpu_size))
			g->mg_version = 0;
		return;
	}
	n = prop_u32(t, node, "#redistributor-regions", 1);
	for (i = 0; i < n && i < MACHINE_MAXREDIST; i++) {
		struct machine_redist *r = &g->mg_redist[g->mg_nredist];

		if (!reg_need(t, node, 1 + i, &r->mr_base, &r->mr_size))
			continue;
		r->mr_stride = prop_u32(t, node, "redistributor-stride", 0);
		g->mg_nredist++;
	}
	if (g->mg_nredist == 0)
		g->mg_version = 0;
}

static void
v2m_found(struct tree *t, int node)
{
	struct machine_gic *g = &t->t_m->m_gic;
	struct machine_v2m *v = &g->mg_v2m[g->mg_nv2m];
	uint32_t base, count;

	if (g->mg_nv2m == MACHINE_MAXV2M ||
	    !reg_need(t, node, 0, &v->mv_base, &v->mv_size))
		return;
	base = prop_u32(t, node, "arm,msi-base-spi", 0);
	count = prop_u32(t, node, "arm,msi-num-spis", 0);
	/* The binding counts these as INTIDs. */
	if (count != 0 && (base < SPI_BASE || base >= INTID_END ||
	    count > INTID_END - base)) {
		note_node(t, node, ": interrupts out of range");
		return;
	}
	v->mv_intid_base = count != 0 ? base : 0;
	v->mv_intid_count = count;
	t->t_v2m[g->mg_nv2m++] = fdt_get_phandle(t->t_fdt, node);
}

static void
its_found(struct tree *t, int node)
{
	struct machine_gic *g = &t->t_m->m_gic;
	struct machine_its *its = &g->mg_its[g->mg_nits];

	if (g->mg_nits == MACHINE_MAXITS ||
	    !reg_need(t, node, 0, &its->mi_base, &its->mi_size))
		return;
	its->mi_id = fdt_get_phandle(t->t_fdt, node);
	g->mg_nits++;
}

static void
memory_found(struct tree *t, int node)
{
	uint64_t base, size;
	unsigned i;

	for (i = 0; i < MACHINE_MAXMEM &&
	    reg_get(t, node, i, &base, &size); i++)
		machine_add_memory(t->t_m, base, size);
	if (i == 0)
		note_node(t, node, ": no usable range");
}

static void
reserved_found(struct tree *t, int node)
{
	uint64_t base, size;
	unsigned i;
	bool nomap = prop_present(t, node, "no-map");

	for (i = 0; i < MACHINE_MAXRESERVED &&
	    reg_get(t, node, i, &base, &size); i++)
		machine_add_reserved(t->t_m, base, size, nomap);
}

static void
cpu_found(struct tree *t, int node)
{
	struct machine *m = t->t_m;
	struct machine_cpu *cpu = &m->m_cpu[m->m_ncpus];
	struct cells c = cells_get(t, node, "reg");
	const char *method = prop_string(t, node, "enable-method");

	if (m->m_ncpus == MACHINE_MAXCPUS)
		return;
	memset(cpu, 0, sizeof(*cpu));
	cpu->mc_mpidr = cells_number(&c, 0, parent(t)->l_ac) &
	    MACHINE_MPIDR_MASK;
	if (c.c_short || parent(t)->l_ac == 0) {
		note_node(t, node, ": processor without a number");
		return;
	}
	if (method != NULL && strcmp(method, "psci") == 0)
		cpu->mc_enable = MACHINE_ENABLE_PSCI;
	else if (method != NULL && strcmp(method, "spin-table") == 0) {
		c = cells_get(t, node, "cpu-release-addr");
		cpu->mc_release = cells_number(&c, 0, 2);
		if (!c.c_short && range_good(cpu->mc_release, 8))
			cpu->mc_enable = MACHINE_ENABLE_SPIN;
	}
	m->m_ncpus++;
}

static void
psci_found(struct tree *t, int node)
{
	struct machine_psci *p = &t->t_m->m_psci;
	const char *method = prop_string(t, node, "method");

	if (method == NULL)
		method = "";
	if (strcmp(method, "hvc") == 0)
		p->mp_conduit = MACHINE_PSCI_HVC;
	else if (strcmp(method, "smc") == 0)
		p->mp_conduit = MACHINE_PSCI_SMC;
	else {
		note_node(t, node, ": unknown PSCI method");
		return;
	}
	if (compatible(t, "arm,psci-0.2") ||
	    compatible(t, "arm,psci-1.0")) {
		p->mp_cpu_on = MACHINE_PSCI_CPU_ON;
		p->mp_system_off = MACHINE_PSCI_SYSTEM_OFF;
		p->mp_system_reset = MACHINE_PSCI_SYSTEM_RESET;
	} else
		p->mp_cpu_on = prop_u32(t, node, "cpu_on", 0);
}

static void
timer_intr(struct tree *t, int node, unsigned i, struct machine_intr *intr)
{
	/* Each processor has its own: anything but a PPI is nonsense. */
	if (!intr_get(t, node, i, intr) || intr->mi_intid >= SPI_BASE)
		intr->mi_intid = 0;
}

static void
timer_found(struct tree *t, int node)
{
	struct machine_timer *timer = &t->t_m->m_timer;

	/* In the binding's order: secure, non-secure, virtual, hypervisor. */
	timer_intr(t, node, 1, &timer->mt_phys);
	timer_intr(t, node, 2, &timer->mt_virt);
	timer_intr(t, node, 3, &timer->mt_hyp);
	timer->mt_freq = prop_u32(t, node, "clock-frequency", 0);
	if (timer->mt_freq != 0 && timer->mt_freq < FREQ_MIN) {
		note_node(t, node, ": frequency is nonsense");
		timer->mt_freq = 0;
	}
	if (timer->mt_virt.mi_intid == 0 && timer->mt_phys.mi_intid == 0)
		note_node(t, node, ": timer without an interrupt");
}

static void
uart_found(struct tree *t, int node)
{
	struct machine_uart *u = &t->t_m->m_uart;
	uint64_t base, size;

	if (u->mu_stdout || (u->mu_base != 0 && node != t->t_stdout))
		return;
	if (!reg_need(t, node, 0, &base, &size))
		return;
	u->mu_base = base;
	u->mu_size = size;
	u->mu_stdout = node == t->t_stdout;
	intr_get(t, node, 0, &u->mu_intr);
}

static void
mmio_found(struct tree *t, int node)
{
	struct machine *m = t->t_m;
	struct machine_mmio *mm = &m->m_mmio[m->m_nmmio];

	if (m->m_nmmio == MACHINE_MAXMMIO ||
	    !reg_need(t, node, 0, &mm->mm_base, &mm->mm_size))
		return;
	intr_get(t, node, 0, &mm->mm_intr);
	mm->mm_coherent = t->t_level[t->t_depth].l_coherent;
	m->m_nmmio++;
}

static void
host_windows(struct tree *t, int node, struct machine_host *h)
{
	struct cells c = cells_get(t, node, "ranges");
	unsigned ac = parent(t)->l_ac, row = 3 + ac + 2, i;

	for (i = 0; i + row <= c.c_count && i < row * MAXROWS; i += row) {
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
		if ((hi >> 24 & 3) == 0 || !translate(t, &w->mw_cpu) ||
		    !range_good(w->mw_cpu, w->mw_size) ||
		    w->mw_bus + (w->mw_size - 1) < w->mw_bus ||
		    ((hi >> 24 & 3) < 3 && w->mw_bus >= UINT64_C(1) << 32) ||
		    h->mh_nwindows == MACHINE_MAXWINDOWS - 1) {
			note_node(t, node, ": a window is out of range");
			continue;
		}
		w->mw_space = (hi >> 24 & 3) == 1 ? MACHINE_WINDOW_IO :
		    (hi >> 24 & 3) == 2 ? MACHINE_WINDOW_MEM32 :
		    MACHINE_WINDOW_MEM64;
		h->mh_nwindows++;
	}
}

/* Cells that a controller's row has behind its phandle; 0 if there is no such controller, or more of them than one believes. */
static unsigned
intmap_parent(struct tree *t, uint32_t phandle)
{
	struct parent *p;
	uint32_t ac, ic;
	unsigned i;
	int node;

	for (i = 0; i < t->t_nparents; i++)
		if (t->t_parent[i].p_phandle == phandle)
			return t->t_parent[i].p_cells;
	if (i == MAXPARENTS)
		return 0;
	p = &t->t_parent[t->t_nparents++];
	p->p_phandle = phandle;
	p->p_cells = 0;
	node = fdt_node_offset_by_phandle(t->t_fdt, phandle);
	if (node < 0)
		return 0;
	ac = prop_u32(t, node, "#address-cells", 0);
	ic = prop_u32(t, node, "#interrupt-cells", 0);
	if (ac <= 4 && ic != 0 && ic <= 8)
		p->p_cells = ac + ic;
	return p->p_cells;
}

static void
host_intmap(struct tree *t, int node, struct machine_host *h)
{
	struct cells c = cells_get(t, node, "interrupt-map");
	struct cells mask = cells_get(t, node, "interrupt-map-mask");
	unsigned i = 0, n, rows = 0;

	if (c.c_data == NULL)
		return;
	h->mh_intmap_devfn_mask = 0xffff00;
	if (mask.c_count >= 4)
		h->mh_intmap_devfn_mask &= cell(&mask, 0);
	h->mh_intmap_pin_mask = mask.c_count >= 4 ? cell(&mask, 3) & 7 : 7;
	while (i + 5 < c.c_count && h->mh_nintmap < MACHINE_MAXINTMAP &&
	    rows++ < MAXROWS) {
		struct machine_intmap *im = &h->mh_intmap[h->mh_nintmap];
		uint32_t phandle = cell(&c, i + 4);

		n = intmap_parent(t, phandle);
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
		note_node(t, node, ": interrupt-map is damaged");
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
host_msi(struct tree *t, int node, struct machine_host *h)
{
	struct cells c = cells_get(t, node, "msi-map");
	unsigned i;

	h->mh_msimap_mask = prop_u32(t, node, "msi-map-mask", 0xffff) & 0xffff;
	for (i = 0; i + 4 <= c.c_count && i < 4 * MAXROWS; i += 4)
		host_msi_add(t, h, cell(&c, i), cell(&c, i + 1),
		    cell(&c, i + 2), cell(&c, i + 3));
	if (h->mh_nmsimap == 0)
		host_msi_add(t, h, 0, prop_u32(t, node, "msi-parent", 0), 0,
		    0x10000);
}

static void
host_found(struct tree *t, int node)
{
	struct machine *m = t->t_m;
	struct machine_host *h = &m->m_host[m->m_nhosts];
	struct cells c = cells_get(t, node, "bus-range");
	uint32_t first = 0, last = 255;
	uint64_t buses;

	if (m->m_nhosts == MACHINE_MAXHOSTS)
		return;
	memset(h, 0, sizeof(*h));
	if (!reg_need(t, node, 0, &h->mh_ecam, &h->mh_ecam_size))
		return;
	if (c.c_count >= 2) {
		first = cell(&c, 0);
		last = cell(&c, 1);
	}
	buses = h->mh_ecam_size >> 20;
	if (first > last || last > 255 || buses == 0) {
		note_node(t, node, ": bus range is nonsense");
		return;
	}
	if (last - first >= buses)
		last = first + (uint32_t)buses - 1;
	h->mh_bus_first = (uint8_t)first;
	h->mh_bus_last = (uint8_t)last;
	h->mh_segment = prop_u32(t, node, "linux,pci-domain", 0);
	h->mh_coherent = t->t_level[t->t_depth].l_coherent;
	host_windows(t, node, h);
	host_intmap(t, node, h);
	host_msi(t, node, h);
	m->m_nhosts++;
}

static void
chosen_found(struct tree *t, int node)
{
	struct machine *m = t->t_m;
	int len = 0;
	const char *s = prop_get(t, node, "bootargs", &len);
	size_t n;

	if (s == NULL || len <= 0)
		return;
	n = strnlen(s, (size_t)len);
	if (n > sizeof(m->m_cmdline) - 1) {
		n = sizeof(m->m_cmdline) - 1;
		machine_note(m, "command line is too long and was cut", NULL,
		    NULL);
	}
	memcpy(m->m_cmdline, s, n);
	m->m_cmdline[n] = '\0';
}

static void
stdout_find(struct tree *t)
{
	int chosen = fdt_path_offset(t->t_fdt, "/chosen");
	const char *path;
	size_t len;

	t->t_stdout = -1;
	if (chosen < 0)
		return;
	path = prop_string(t, chosen, "stdout-path");
	if (path == NULL)
		path = prop_string(t, chosen, "linux,stdout-path");
	if (path == NULL)
		return;
	len = strcspn(path, ":");
	if (len > 0 && len < 256)
		t->t_stdout = fdt_path_offset_namelen(t->t_fdt, path,
		    (int)len);
}

static bool
parent_is(struct tree *t, const char *name)
{
	const char *p = fdt_get_name(t->t_fdt, parent(t)->l_node, NULL);

	return t->t_depth == 2 && p != NULL && strcmp(p, name) == 0;
}

static void
node_controller(struct tree *t, int node)
{
	if (compatible(t, "arm,gic-v3"))
		gic_found(t, node, 3);
	else if (compatible(t, "arm,cortex-a15-gic") ||
	    compatible(t, "arm,gic-400") ||
	    compatible(t, "arm,cortex-a9-gic"))
		gic_found(t, node, 2);
	else if (compatible(t, "arm,gic-v2m-frame"))
		v2m_found(t, node);
	else if (compatible(t, "arm,gic-v3-its"))
		its_found(t, node);
}

static void
node_device(struct tree *t, int node)
{
	const char *type = prop_string(t, node, "device_type");
	const char *name = fdt_get_name(t->t_fdt, node, NULL);

	if (type != NULL && strcmp(type, "memory") == 0)
		memory_found(t, node);
	else if (parent_is(t, "reserved-memory"))
		reserved_found(t, node);
	else if (parent_is(t, "cpus") && type != NULL &&
	    strcmp(type, "cpu") == 0)
		cpu_found(t, node);
	else if (t->t_depth == 1 && name != NULL && strcmp(name, "chosen") == 0)
		chosen_found(t, node);
	else if (compatible(t, "arm,psci-1.0") ||
	    compatible(t, "arm,psci-0.2") ||
	    compatible(t, "arm,psci"))
		psci_found(t, node);
	else if (compatible(t, "arm,armv8-timer") ||
	    compatible(t, "arm,armv7-timer"))
		timer_found(t, node);
	else if (compatible(t, "arm,pl011") ||
	    compatible(t, "arm,sbsa-uart"))
		uart_found(t, node);
	else if (compatible(t, "virtio,mmio"))
		mmio_found(t, node);
	else if (compatible(t, "pci-host-ecam-generic"))
		host_found(t, node);
}

/* What the node inherits and hands on. False if its cells are nonsense: then what is below it can't be read. */
static bool
level_enter(struct tree *t, int node, int depth)
{
	struct level *l = &t->t_level[depth];
	const struct level *up = depth > 0 ? &t->t_level[depth - 1] : NULL;
	const char *status = prop_string(t, node, "status");

	l->l_node = node;
	l->l_ranges = cells_get(t, node, "ranges");
	l->l_ac = prop_u32(t, node, "#address-cells", 2);
	l->l_sc = prop_u32(t, node, "#size-cells", 1);
	l->l_intparent = prop_u32(t, node, "interrupt-parent",
	    up != NULL ? up->l_intparent : 0);
	l->l_coherent = prop_present(t, node, "dma-coherent") ||
	    (up != NULL && up->l_coherent);
	l->l_disabled = (up != NULL && up->l_disabled) ||
	    (status != NULL && strcmp(status, "okay") != 0 &&
	    strcmp(status, "ok") != 0);
	if (l->l_ac > 3 || l->l_sc > 2) {
		note_node(t, node, ": cells are nonsense");
		l->l_ac = l->l_sc = 0;
		l->l_disabled = true;
	}
	return !l->l_disabled;
}

static int
tree_walk(struct tree *t, void (*found)(struct tree *, int))
{
	int node = -1, depth = -1;

	for (;;) {
		node = fdt_next_node(t->t_fdt, node, &depth);
		if (node == -FDT_ERR_NOTFOUND || (node >= 0 && depth < 0))
			return 0;
		if (node < 0)
			return EINVAL;
		if (depth >= MAXDEPTH)
			continue;
		t->t_depth = depth;
		if (!level_enter(t, node, depth))
			continue;
		t->t_compat = prop_get(t, node, "compatible",
		    &t->t_compat_len);
		found(t, node);
	}
}

static void
memreserve(struct tree *t)
{
	int i, n = fdt_num_mem_rsv(t->t_fdt);
	uint64_t base, size;

	for (i = 0; i < n && i < MACHINE_MAXRESERVED; i++)
		if (fdt_get_mem_rsv(t->t_fdt, i, &base, &size) == 0)
			machine_add_reserved(t->t_m, base, size, false);
}

size_t
machine_fdt_size(const void *fdt)
{
	uint32_t size;

	if (fdt_magic(fdt) != FDT_MAGIC)
		return 0;
	size = fdt_totalsize(fdt);
	if (size < MACHINE_FDT_HEADER || size > MACHINE_FDT_MAX)
		return 0;
	return size;
}

static const char *
tree_check(const void *fdt, size_t avail)
{
	size_t size;

	if (((uintptr_t)fdt & 7) != 0 || avail < MACHINE_FDT_HEADER)
		return "not there";
	size = machine_fdt_size(fdt);
	if (size == 0)
		return "none, or of an impossible size";
	if (size > avail)
		return "cut short";
	if (fdt_size_dt_strings(fdt) > MAXSTRINGS)
		return "too many names";
	/* libfdt takes alignment for granted. */
	if ((fdt_off_dt_struct(fdt) & 3) != 0 ||
	    (fdt_off_mem_rsvmap(fdt) & 7) != 0)
		return "unaligned";
	/* No fdt_strerror: its table of pointers is of no use to the EFI application. */
	return fdt_check_full(fdt, size) == 0 ? NULL : "damaged";
}

int
machine_from_fdt(struct machine *m, const void *fdt, size_t avail)
{
	struct tree t;
	const char *why;
	const char *model;

	memset(m, 0, sizeof(*m));
	why = tree_check(fdt, avail);
	if (why != NULL) {
		machine_note(m, "device tree: ", why, NULL);
		return EINVAL;
	}
	memset(&t, 0, sizeof(t));
	t.t_fdt = fdt;
	t.t_m = m;
	t.t_gic_node = -1;
	t.t_cached = -1;
	m->m_source = MACHINE_FDT;
	stdout_find(&t);
	memreserve(&t);
	if (tree_walk(&t, node_controller) != 0 ||
	    tree_walk(&t, node_device) != 0) {
		machine_note(m, "device tree: damaged", NULL, NULL);
		return EINVAL;
	}
	model = prop_string(&t, 0, "model");
	if (model == NULL)
		model = prop_string(&t, 0, "compatible");
	if (model != NULL)
		strncpy(m->m_model, model, sizeof(m->m_model) - 1);
	if (t.t_gic_node < 0)
		machine_note(m, "device tree: no interrupt controller", NULL,
		    NULL);
	if (m->m_nmem == 0) {
		machine_note(m, "device tree: no memory", NULL, NULL);
		return ENOMEM;
	}
	return 0;
}
