/* SPDX-License-Identifier: ISC */
/*
 * The machine by a flattened device tree. The tree is walked in order, with a
 * stack of what a node inherits (cells, interrupt parent, coherence), twice:
 * interrupt controllers first, then all that names them. No other search grows
 * with the tree but the lookup of an unknown phandle, which is done once for
 * each of a bounded number.
 */
#include <errno.h>
#include <string.h>

#include <libfdt.h>

#include "fdt_tree.h"

#define SPI_BASE	32
#define PPI_BASE	16
#define INTID_END	1020
#define FREQ_MIN	1000000	/* of a timer that anybody would build */

/* Three cells, as the GIC's binding has them: SPI or PPI, number, flags. */
bool
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

bool
is_gic(const struct tree *t, uint32_t phandle)
{
	return t->t_have_gic && t->t_gic_ic >= 3 &&
	    (phandle == t->t_gic || phandle == 0);
}

/*
 * Interrupt i of the node, by interrupts-extended (of the GIC alone) or
 * interrupts.
 */
static bool
intr_get(struct tree *t, unsigned i, struct machine_intr *intr)
{
	struct cells c = tree_cells(t, "interrupts-extended");
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
	c = tree_cells(t, "interrupts");
	if (!is_gic(t, tree_level(t)->l_intparent))
		return false;
	return gic_specifier(&c, i * t->t_gic_ic, intr);
}

static void
gic_found(struct tree *t, unsigned version)
{
	struct machine_gic *g = &t->t_m->m_gic;
	uint32_t n, i;

	if (t->t_have_gic || !tree_reg_need(t, 0, &g->mg_dist,
	    &g->mg_dist_size))
		return;
	t->t_have_gic = true;
	t->t_gic = tree_phandle(t);
	t->t_gic_ac = tree_u32(t, "#address-cells", 0);
	t->t_gic_ic = tree_u32(t, "#interrupt-cells", 0);
	g->mg_version = version;
	if (version == 2) {
		if (!tree_reg_need(t, 1, &g->mg_cpu, &g->mg_cpu_size))
			g->mg_version = 0;
		return;
	}
	n = tree_u32(t, "#redistributor-regions", 1);
	for (i = 0; i < n && i < MACHINE_MAXREDIST; i++) {
		struct machine_redist *r = &g->mg_redist[g->mg_nredist];

		if (!tree_reg_need(t, 1 + i, &r->mr_base, &r->mr_size))
			continue;
		r->mr_stride = tree_u32(t, "redistributor-stride", 0);
		g->mg_nredist++;
	}
	if (g->mg_nredist == 0)
		g->mg_version = 0;
}

static void
v2m_found(struct tree *t)
{
	struct machine_gic *g = &t->t_m->m_gic;
	struct machine_v2m *v = &g->mg_v2m[g->mg_nv2m];
	uint32_t base, count;

	if (g->mg_nv2m == MACHINE_MAXV2M ||
	    !tree_reg_need(t, 0, &v->mv_base, &v->mv_size))
		return;
	base = tree_u32(t, "arm,msi-base-spi", 0);
	count = tree_u32(t, "arm,msi-num-spis", 0);
	/* The binding counts these as INTIDs. */
	if (count != 0 && (base < SPI_BASE || base >= INTID_END ||
	    count > INTID_END - base)) {
		tree_note(t, ": interrupts out of range");
		return;
	}
	v->mv_intid_base = count != 0 ? base : 0;
	v->mv_intid_count = count;
	t->t_v2m[g->mg_nv2m++] = tree_phandle(t);
}

static void
its_found(struct tree *t)
{
	struct machine_gic *g = &t->t_m->m_gic;
	struct machine_its *its = &g->mg_its[g->mg_nits];

	if (g->mg_nits == MACHINE_MAXITS ||
	    !tree_reg_need(t, 0, &its->mi_base, &its->mi_size))
		return;
	its->mi_id = tree_phandle(t);
	g->mg_nits++;
}

static void
memory_found(struct tree *t)
{
	uint64_t base, size;
	unsigned i;

	for (i = 0; i < MACHINE_MAXMEM &&
	    tree_reg(t, i, &base, &size); i++)
		machine_add_memory(t->t_m, base, size);
	if (i == 0)
		tree_note(t, ": no usable range");
}

static void
reserved_found(struct tree *t)
{
	uint64_t base, size;
	unsigned i;
	bool nomap = tree_present(t, "no-map");

	for (i = 0; i < MACHINE_MAXRESERVED &&
	    tree_reg(t, i, &base, &size); i++)
		machine_add_reserved(t->t_m, base, size, nomap);
}

static void
cpu_found(struct tree *t)
{
	struct machine *m = t->t_m;
	struct machine_cpu *cpu = &m->m_cpu[m->m_ncpus];
	struct cells c = tree_cells(t, "reg");
	const char *method = tree_string(t, "enable-method");

	if (m->m_ncpus == MACHINE_MAXCPUS)
		return;
	memset(cpu, 0, sizeof(*cpu));
	cpu->mc_mpidr = cells_number(&c, 0, tree_parent(t)->l_ac) &
	    MACHINE_MPIDR_MASK;
	if (c.c_short || tree_parent(t)->l_ac == 0) {
		tree_note(t, ": processor without a number");
		return;
	}
	if (method != NULL && strcmp(method, "psci") == 0)
		cpu->mc_enable = MACHINE_ENABLE_PSCI;
	else if (method != NULL && strcmp(method, "spin-table") == 0) {
		c = tree_cells(t, "cpu-release-addr");
		cpu->mc_release = cells_number(&c, 0, 2);
		if (!c.c_short && range_good(cpu->mc_release, 8))
			cpu->mc_enable = MACHINE_ENABLE_SPIN;
	}
	m->m_ncpus++;
}

static void
psci_found(struct tree *t)
{
	struct machine_psci *p = &t->t_m->m_psci;
	const char *method = tree_string(t, "method");

	if (method == NULL)
		method = "";
	if (strcmp(method, "hvc") == 0)
		p->mp_conduit = MACHINE_PSCI_HVC;
	else if (strcmp(method, "smc") == 0)
		p->mp_conduit = MACHINE_PSCI_SMC;
	else {
		tree_note(t, ": unknown PSCI method");
		return;
	}
	if (tree_compatible(t, "arm,psci-0.2") ||
	    tree_compatible(t, "arm,psci-1.0")) {
		p->mp_cpu_on = MACHINE_PSCI_CPU_ON;
		p->mp_system_off = MACHINE_PSCI_SYSTEM_OFF;
		p->mp_system_reset = MACHINE_PSCI_SYSTEM_RESET;
	} else
		p->mp_cpu_on = tree_u32(t, "cpu_on", 0);
}

static void
timer_intr(struct tree *t, unsigned i, struct machine_intr *intr)
{
	/* Each processor has its own: anything but a PPI is nonsense. */
	if (!intr_get(t, i, intr) || intr->mi_intid >= SPI_BASE)
		intr->mi_intid = 0;
}

static void
timer_found(struct tree *t)
{
	struct machine_timer *timer = &t->t_m->m_timer;

	/* In the binding's order: secure, non-secure, virtual, hypervisor. */
	timer_intr(t, 1, &timer->mt_phys);
	timer_intr(t, 2, &timer->mt_virt);
	timer_intr(t, 3, &timer->mt_hyp);
	timer->mt_freq = tree_u32(t, "clock-frequency", 0);
	if (timer->mt_freq != 0 && timer->mt_freq < FREQ_MIN) {
		tree_note(t, ": frequency is nonsense");
		timer->mt_freq = 0;
	}
	if (timer->mt_virt.mi_intid == 0 && timer->mt_phys.mi_intid == 0)
		tree_note(t, ": timer without an interrupt");
}

/*
 * A name as paths have it: without the unit's address it is still the node's.
 */
static bool
name_is(const char *name, const char *s, size_t len)
{
	if (strncmp(name, s, len) != 0)
		return false;
	return name[len] == '\0' ||
	    (name[len] == '@' && memchr(s, '@', len) == NULL);
}

/*
 * Go down from a level as a path says, along the walk's way; a level below 0 is
 * none.
 */
static int
path_follow(const struct tree *t, int level, const char *path)
{
	size_t len;

	for (; level >= 0; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/:");
		if (len == 0)
			break;
		if (level == t->t_depth ||
		    !name_is(t->t_level[++level].l_name, path, len))
			return -1;
	}
	return level;
}

static bool
stdout_is_here(const struct tree *t)
{
	const char *path = t->t_stdout;
	int level = 0;

	if (path == NULL)
		return false;
	if (t->t_alias != NULL) {
		level = path_follow(t, 0, t->t_alias);
		path += strcspn(path, "/:");
	}
	return path_follow(t, level, path) == t->t_depth;
}

/* Of /chosen. A path that does not begin at the root begins with an alias. */
static void
stdout_found(struct tree *t)
{
	const char *path = tree_string(t, "stdout-path");
	size_t len;

	if (path == NULL)
		path = tree_string(t, "linux,stdout-path");
	if (path == NULL)
		return;
	len = strcspn(path, ":");
	if (len == 0 || len >= 256)
		return;
	if (path[0] != '/') {
		t->t_alias = fdt_get_alias_namelen(t->t_fdt, path,
		    (int)strcspn(path, "/:"));
		if (t->t_alias == NULL)
			return;
	}
	t->t_stdout = path;
}

static void
uart_found(struct tree *t)
{
	struct machine_uart *u = &t->t_m->m_uart;
	uint64_t base, size;
	bool is_stdout = stdout_is_here(t);

	if (u->mu_stdout || (u->mu_base != 0 && !is_stdout))
		return;
	if (!tree_reg_need(t, 0, &base, &size))
		return;
	u->mu_base = base;
	u->mu_size = size;
	u->mu_stdout = is_stdout;
	intr_get(t, 0, &u->mu_intr);
}

static void
mmio_found(struct tree *t)
{
	struct machine *m = t->t_m;
	struct machine_mmio *mm = &m->m_mmio[m->m_nmmio];

	if (m->m_nmmio == MACHINE_MAXMMIO ||
	    !tree_reg_need(t, 0, &mm->mm_base, &mm->mm_size))
		return;
	intr_get(t, 0, &mm->mm_intr);
	mm->mm_coherent = tree_level(t)->l_coherent;
	m->m_nmmio++;
}

static void
chosen_found(struct tree *t)
{
	struct machine *m = t->t_m;
	int len = 0;
	const char *s = tree_prop(t, "bootargs", &len);
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

static bool
parent_is(const struct tree *t, const char *name)
{
	return t->t_depth == 2 && strcmp(tree_parent(t)->l_name, name) == 0;
}

/* First all that others name. */
static void
node_controller(struct tree *t)
{
	if (tree_compatible(t, "arm,gic-v3"))
		gic_found(t, 3);
	else if (tree_compatible(t, "arm,cortex-a15-gic") ||
	    tree_compatible(t, "arm,gic-400") ||
	    tree_compatible(t, "arm,cortex-a9-gic"))
		gic_found(t, 2);
	else if (tree_compatible(t, "arm,gic-v2m-frame"))
		v2m_found(t);
	else if (tree_compatible(t, "arm,gic-v3-its"))
		its_found(t);
	else if (t->t_depth == 1 && strcmp(tree_level(t)->l_name, "chosen") == 0)
		stdout_found(t);
}

static void
root_found(struct tree *t)
{
	const char *model = tree_string(t, "model");

	if (model == NULL)
		model = tree_string(t, "compatible");
	if (model != NULL)
		strncpy(t->t_m->m_model, model, sizeof(t->t_m->m_model) - 1);
}

static void
node_device(struct tree *t)
{
	const char *type = tree_string(t, "device_type");
	const char *name = tree_level(t)->l_name;

	if (t->t_depth == 0)
		root_found(t);
	else if (type != NULL && strcmp(type, "memory") == 0)
		memory_found(t);
	else if (parent_is(t, "reserved-memory"))
		reserved_found(t);
	else if (parent_is(t, "cpus") && type != NULL &&
	    strcmp(type, "cpu") == 0)
		cpu_found(t);
	else if (t->t_depth == 1 && strcmp(name, "chosen") == 0)
		chosen_found(t);
	else if (tree_compatible(t, "arm,psci-1.0") ||
	    tree_compatible(t, "arm,psci-0.2") ||
	    tree_compatible(t, "arm,psci"))
		psci_found(t);
	else if (tree_compatible(t, "arm,armv8-timer") ||
	    tree_compatible(t, "arm,armv7-timer"))
		timer_found(t);
	else if (tree_compatible(t, "arm,pl011") ||
	    tree_compatible(t, "arm,sbsa-uart"))
		uart_found(t);
	else if (tree_compatible(t, "virtio,mmio"))
		mmio_found(t);
	else if (tree_compatible(t, "pci-host-ecam-generic"))
		host_found(t);
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

int
machine_from_fdt(struct machine *m, const void *fdt, size_t avail)
{
	struct tree t;
	const char *why;

	memset(m, 0, sizeof(*m));
	why = tree_check(fdt, avail);
	if (why != NULL) {
		machine_note(m, "device tree: ", why, NULL);
		return EINVAL;
	}
	memset(&t, 0, sizeof(t));
	t.t_fdt = fdt;
	t.t_m = m;
	m->m_source = MACHINE_FDT;
	memreserve(&t);
	if (tree_walk(&t, node_controller) != 0 ||
	    tree_walk(&t, node_device) != 0) {
		machine_note(m, "device tree: damaged", NULL, NULL);
		return EINVAL;
	}
	if (!t.t_have_gic)
		machine_note(m, "device tree: no interrupt controller", NULL,
		    NULL);
	if (m->m_nmem == 0) {
		machine_note(m, "device tree: no memory", NULL, NULL);
		return ENOMEM;
	}
	return 0;
}
