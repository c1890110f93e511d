/* SPDX-License-Identifier: ISC */
/*
 * The machine by ACPI's static tables (ACPI 6.5; SPCR and MCFG by their own
 * documents). There is no interpreter for AML, so what only the DSDT tells is
 * not known: the routes of INTx, the windows of host bridges, devices that are
 * not on PCI. DMA is taken as coherent, as the base system architecture has it.
 *
 * Each table is checked as a whole (length, checksum) before it is looked into,
 * and looked into by accessors that give 0 beyond its end. This runs within the
 * EFI application: no tables of pointers.
 */
#include <errno.h>
#include <string.h>

#include "machine.h"

#define RSDP_LENGTH	36
#define HEADER_LENGTH	36
#define MAXLENGTH	(1u << 20)
#define MAXTABLES	64
#define INTID_END	1020

/* ACPI gives no sizes: these are the architecture's. */
#define GICD_SIZE	0x10000
#define GICC_SIZE	0x2000
#define GICR_SIZE	0x20000
#define V2M_SIZE	0x1000
#define ITS_SIZE	0x20000
#define PL011_SIZE	0x1000

#define MADT_GICC	0x0b
#define MADT_GICD	0x0c
#define MADT_MSI_FRAME	0x0d
#define MADT_GICR	0x0e
#define MADT_ITS	0x0f

#define SPCR_PL011	0x03
#define SPCR_SBSA_32	0x0d
#define SPCR_SBSA	0x0e

struct table {
	const uint8_t	*t_data;
	uint32_t	 t_len;
};

struct acpi {
	struct machine	*a_m;
	const void	*(*a_map)(void *, uint64_t, size_t);
	void		*a_arg;
	bool		 a_gicr;	/* the MADT names redistributor ranges */
	uint64_t	 a_gicc;	/* the first processor's CPU interface */
};

static uint64_t
get(const struct table *t, uint32_t off, unsigned width)
{
	uint64_t v = 0;

	if (off > t->t_len || width > t->t_len - off)
		return 0;
	while (width > 0)
		v = v << 8 | t->t_data[off + --width];
	return v;
}

static uint8_t
get8(const struct table *t, uint32_t off)
{
	return (uint8_t)get(t, off, 1);
}

static uint16_t
get16(const struct table *t, uint32_t off)
{
	return (uint16_t)get(t, off, 2);
}

static uint32_t
get32(const struct table *t, uint32_t off)
{
	return (uint32_t)get(t, off, 4);
}

static uint64_t
get64(const struct table *t, uint32_t off)
{
	return get(t, off, 8);
}

static bool
checksum_good(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len-- > 0)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

/* Of registers all: an access out of line faults. */
static bool
range_good(uint64_t base, uint64_t size)
{
	return base != 0 && base % 8 == 0 && size != 0 &&
	    base + (size - 1) >= base &&
	    base + (size - 1) < UINT64_C(1) << 52;
}

static void
intr_set(struct machine_intr *mi, uint32_t gsi, bool edge)
{
	mi->mi_intid = gsi >= 16 && gsi < INTID_END ? gsi : 0;
	mi->mi_edge = edge;
}

/*
 * The table at an address, whole, or false; a note says what is wrong with it.
 */
static bool
table_open(struct acpi *a, uint64_t pa, struct table *t)
{
	char name[5] = "";

	t->t_len = HEADER_LENGTH;
	t->t_data = pa == 0 ? NULL : a->a_map(a->a_arg, pa, HEADER_LENGTH);
	if (t->t_data == NULL) {
		machine_note(a->a_m, "ACPI: a table is out of reach", NULL,
		    NULL);
		return false;
	}
	memcpy(name, t->t_data, 4);
	t->t_len = get32(t, 4);
	if (t->t_len < HEADER_LENGTH || t->t_len > MAXLENGTH ||
	    (t->t_data = a->a_map(a->a_arg, pa, t->t_len)) == NULL) {
		machine_note(a->a_m, "ACPI: ", name, ": length is nonsense");
		return false;
	}
	if (!checksum_good(t->t_data, t->t_len)) {
		machine_note(a->a_m, "ACPI: ", name, ": checksum is wrong");
		return false;
	}
	return true;
}

static bool
table_is(const struct table *t, const char *signature)
{
	return memcmp(t->t_data, signature, 4) == 0;
}

static void
cpu_found(struct acpi *a, const struct table *t)
{
	struct machine *m = a->a_m;
	struct machine_cpu *cpu = &m->m_cpu[m->m_ncpus];

	if ((get32(t, 12) & 1) == 0 || m->m_ncpus == MACHINE_MAXCPUS)
		return;
	memset(cpu, 0, sizeof(*cpu));
	cpu->mc_mpidr = get64(t, 68) & MACHINE_MPIDR_MASK;
	cpu->mc_gicc = range_good(get64(t, 32), GICC_SIZE) ? get64(t, 32) : 0;
	cpu->mc_gicr = range_good(get64(t, 60), GICR_SIZE) ? get64(t, 60) : 0;
	if (a->a_gicc == 0)
		a->a_gicc = cpu->mc_gicc;
	m->m_ncpus++;
}

static void
gicd_found(struct acpi *a, const struct table *t)
{
	struct machine_gic *g = &a->a_m->m_gic;
	uint8_t version = get8(t, 20);

	if (g->mg_dist_size != 0)
		return;
	if (!range_good(get64(t, 8), GICD_SIZE) || version > 4) {
		machine_note(a->a_m, "ACPI: distributor is nonsense", NULL,
		    NULL);
		return;
	}
	g->mg_dist = get64(t, 8);
	g->mg_dist_size = GICD_SIZE;
	g->mg_version = version;
}

static void
v2m_found(struct acpi *a, const struct table *t)
{
	struct machine_gic *g = &a->a_m->m_gic;
	struct machine_v2m *v = &g->mg_v2m[g->mg_nv2m];
	uint32_t count = get16(t, 20), base = get16(t, 22);

	if (g->mg_nv2m == MACHINE_MAXV2M || !range_good(get64(t, 8), V2M_SIZE))
		return;
	/* Otherwise the frame's own register tells. */
	if ((get32(t, 16) & 1) == 0)
		base = count = 0;
	if (count != 0 && (base < 32 || base >= INTID_END ||
	    count > INTID_END - base)) {
		machine_note(a->a_m, "ACPI: MSI frame is nonsense", NULL, NULL);
		return;
	}
	v->mv_base = get64(t, 8);
	v->mv_size = V2M_SIZE;
	v->mv_intid_base = count != 0 ? base : 0;
	v->mv_intid_count = count;
	g->mg_nv2m++;
}

static void
redist_add(struct machine_gic *g, uint64_t base, uint64_t size)
{
	unsigned i;

	if (!range_good(base, size))
		return;
	for (i = 0; i < g->mg_nredist; i++) {
		struct machine_redist *r = &g->mg_redist[i];

		if (base >= r->mr_base && base - r->mr_base < r->mr_size)
			return;
		if (base == r->mr_base + r->mr_size) {
			r->mr_size += size;
			return;
		}
	}
	if (g->mg_nredist == MACHINE_MAXREDIST)
		return;
	g->mg_redist[g->mg_nredist].mr_base = base;
	g->mg_redist[g->mg_nredist].mr_size = size;
	g->mg_redist[g->mg_nredist++].mr_stride = 0;
}

static void
its_found(struct acpi *a, const struct table *t)
{
	struct machine_gic *g = &a->a_m->m_gic;
	struct machine_its *its = &g->mg_its[g->mg_nits];

	if (g->mg_nits == MACHINE_MAXITS || !range_good(get64(t, 8), ITS_SIZE))
		return;
	its->mi_base = get64(t, 8);
	its->mi_size = ITS_SIZE;
	its->mi_id = get32(t, 4);
	g->mg_nits++;
}

static void
madt_entry(struct acpi *a, const struct table *t)
{
	switch (get8(t, 0)) {
	case MADT_GICC:
		cpu_found(a, t);
		break;
	case MADT_GICD:
		gicd_found(a, t);
		break;
	case MADT_MSI_FRAME:
		v2m_found(a, t);
		break;
	case MADT_GICR:
		redist_add(&a->a_m->m_gic, get64(t, 4), get32(t, 12));
		a->a_gicr = true;
		break;
	case MADT_ITS:
		its_found(a, t);
		break;
	}
}

/*
 * Redistributors may be named by range or processor by processor; the version
 * by neither.
 */
static void
gic_settle(struct acpi *a)
{
	struct machine *m = a->a_m;
	struct machine_gic *g = &m->m_gic;
	unsigned i;

	for (i = 0; i < m->m_ncpus && !a->a_gicr; i++)
		redist_add(g, m->m_cpu[i].mc_gicr, GICR_SIZE);
	if (g->mg_dist_size == 0)
		g->mg_version = 0;
	else if (g->mg_version == 0)
		g->mg_version = g->mg_nredist != 0 ? 3 : 2;
	if (g->mg_version == 4)
		g->mg_version = 3;
	if (g->mg_version == 1)
		g->mg_version = 2;
	if (g->mg_version == 3 && g->mg_nredist == 0)
		g->mg_version = 0;
	if (g->mg_version == 2) {
		g->mg_cpu = a->a_gicc;
		g->mg_cpu_size = GICC_SIZE;
		if (a->a_gicc == 0)
			g->mg_version = 0;
	}
	if (g->mg_version == 0)
		machine_note(m, "ACPI: no interrupt controller", NULL, NULL);
}

static void
madt(struct acpi *a, const struct table *t)
{
	struct table entry;
	uint32_t at = 44;

	while (at < t->t_len && t->t_len - at >= 2) {
		entry.t_data = t->t_data + at;
		entry.t_len = t->t_data[at + 1];
		if (entry.t_len < 2 || entry.t_len > t->t_len - at) {
			machine_note(a->a_m, "ACPI: APIC: an entry's length is "
			    "nonsense", NULL, NULL);
			break;
		}
		madt_entry(a, &entry);
		at += entry.t_len;
	}
}

static void
timer_intr(struct machine_intr *mi, const struct table *t, uint32_t off)
{
	intr_set(mi, get32(t, off), (get32(t, off + 4) & 1) != 0);
	/* Each processor has its own: anything but a PPI is nonsense. */
	if (mi->mi_intid >= 32)
		mi->mi_intid = 0;
}

static void
gtdt(struct acpi *a, const struct table *t)
{
	struct machine_timer *timer = &a->a_m->m_timer;

	timer_intr(&timer->mt_phys, t, 56);
	timer_intr(&timer->mt_virt, t, 64);
	timer_intr(&timer->mt_hyp, t, 72);
	if (timer->mt_virt.mi_intid == 0 && timer->mt_phys.mi_intid == 0)
		machine_note(a->a_m, "ACPI: timer without an interrupt", NULL,
		    NULL);
}

static void
fadt(struct acpi *a, const struct table *t)
{
	struct machine_psci *p = &a->a_m->m_psci;
	uint16_t flags = get16(t, 129);

	if ((flags & 1) == 0)
		return;
	p->mp_conduit = (flags & 2) != 0 ? MACHINE_PSCI_HVC : MACHINE_PSCI_SMC;
	p->mp_cpu_on = MACHINE_PSCI_CPU_ON;
	p->mp_system_off = MACHINE_PSCI_SYSTEM_OFF;
	p->mp_system_reset = MACHINE_PSCI_SYSTEM_RESET;
}

static void
mcfg(struct acpi *a, const struct table *t)
{
	struct machine *m = a->a_m;
	uint32_t at;

	for (at = 44; at < t->t_len && t->t_len - at >= 16 &&
	    m->m_nhosts < MACHINE_MAXHOSTS; at += 16) {
		struct machine_host *h = &m->m_host[m->m_nhosts];
		uint64_t base = get64(t, at);
		uint8_t first = get8(t, at + 10), last = get8(t, at + 11);

		if (first > last || (base & 0xfffff) != 0 ||
		    !range_good(base, (uint64_t)(last + 1) << 20)) {
			machine_note(m, "ACPI: MCFG: a host bridge is nonsense",
			    NULL, NULL);
			continue;
		}
		memset(h, 0, sizeof(*h));
		/* The table's address is bus 0's, whichever is the first. */
		h->mh_ecam = base + ((uint64_t)first << 20);
		h->mh_ecam_size = (uint64_t)(last - first + 1) << 20;
		h->mh_segment = get16(t, at + 8);
		h->mh_bus_first = first;
		h->mh_bus_last = last;
		h->mh_coherent = true;
		h->mh_assigned = true;
		h->mh_windows_guessed = true;
		h->mh_msimap_mask = 0xffff;
		m->m_nhosts++;
	}
}

static void
spcr(struct acpi *a, const struct table *t)
{
	struct machine_uart *u = &a->a_m->m_uart;
	uint8_t type = get8(t, 36);

	if (type != SPCR_PL011 && type != SPCR_SBSA && type != SPCR_SBSA_32)
		return;
	/* In memory, not in ports. */
	if (get8(t, 40) != 0 || !range_good(get64(t, 44), PL011_SIZE))
		return;
	u->mu_base = get64(t, 44);
	u->mu_size = PL011_SIZE;
	u->mu_stdout = true;
	if ((get8(t, 52) & 8) != 0)
		intr_set(&u->mu_intr, get32(t, 54), false);
}

static size_t
tables_number(struct machine *m, size_t at, uint32_t v)
{
	char digits[10];
	size_t n = 0;

	m->m_tables[at++] = '/';
	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	while (n > 0)
		m->m_tables[at++] = digits[--n];
	return at;
}

/* For the record: a table's name, revision and length. */
static void
tables_add(struct machine *m, const struct table *t)
{
	size_t at = strnlen(m->m_tables, sizeof(m->m_tables));
	unsigned i;
	uint8_t c;

	if (at + sizeof(" SIGN/255/4294967295") > sizeof(m->m_tables))
		return;
	m->m_tables[at++] = ' ';
	for (i = 0; i < 4; i++) {
		c = get8(t, i);
		m->m_tables[at++] = c > ' ' && c <= '~' ? (char)c : '?';
	}
	at = tables_number(m, at, get8(t, 8));
	at = tables_number(m, at, t->t_len);
	m->m_tables[at] = '\0';
}

static void
table_read(struct acpi *a, const struct table *t)
{
	tables_add(a->a_m, t);
	if (table_is(t, "APIC") && a->a_m->m_ncpus == 0)
		madt(a, t);
	else if (table_is(t, "GTDT"))
		gtdt(a, t);
	else if (table_is(t, "FACP"))
		fadt(a, t);
	else if (table_is(t, "MCFG") && a->a_m->m_nhosts == 0)
		mcfg(a, t);
	else if (table_is(t, "SPCR"))
		spcr(a, t);
}

/* The XSDT's address; 0 with a note where the RSDP is none. */
static uint64_t
rsdp_read(struct acpi *a, uint64_t pa)
{
	struct table t = { NULL, RSDP_LENGTH };

	t.t_data = pa == 0 ? NULL : a->a_map(a->a_arg, pa, RSDP_LENGTH);
	if (t.t_data == NULL || memcmp(t.t_data, "RSD PTR ", 8) != 0) {
		machine_note(a->a_m, "ACPI: no RSDP", NULL, NULL);
		return 0;
	}
	if (!checksum_good(t.t_data, 20) || get8(&t, 15) < 2 ||
	    get32(&t, 20) < RSDP_LENGTH ||
	    !checksum_good(t.t_data, RSDP_LENGTH)) {
		machine_note(a->a_m, "ACPI: RSDP is damaged", NULL, NULL);
		return 0;
	}
	return get64(&t, 24);
}

static void
machine_settle(struct acpi *a)
{
	struct machine *m = a->a_m;
	unsigned i;

	gic_settle(a);
	for (i = 0; i < m->m_ncpus; i++)
		m->m_cpu[i].mc_enable =
		    m->m_psci.mp_conduit != MACHINE_PSCI_NONE ?
		    MACHINE_ENABLE_PSCI : MACHINE_ENABLE_NONE;
	for (i = 0; i < m->m_nhosts; i++)
		m->m_host[i].mh_msi = m->m_gic.mg_nits != 0 ? MACHINE_MSI_ITS :
		    m->m_gic.mg_nv2m != 0 ? MACHINE_MSI_V2M : MACHINE_MSI_NONE;
}

static void
machine_clear(struct machine *m)
{
	m->m_ncpus = 0;
	m->m_nhosts = 0;
	m->m_nmmio = 0;
	memset(&m->m_psci, 0, sizeof(m->m_psci));
	memset(&m->m_gic, 0, sizeof(m->m_gic));
	memset(&m->m_timer, 0, sizeof(m->m_timer));
	memset(&m->m_uart, 0, sizeof(m->m_uart));
	memset(m->m_model, 0, sizeof(m->m_model));
	memset(m->m_notes, 0, sizeof(m->m_notes));
	memset(m->m_tables, 0, sizeof(m->m_tables));
	m->m_source = MACHINE_UNKNOWN;
}

int
machine_from_acpi(struct machine *m, uint64_t rsdp,
    const void *(*map)(void *, uint64_t, size_t), void *arg)
{
	struct acpi a = { m, map, arg, false, 0 };
	struct table xsdt, t;
	uint32_t at, n;

	machine_clear(m);
	rsdp = rsdp_read(&a, rsdp);
	if (rsdp == 0 || !table_open(&a, rsdp, &xsdt))
		return EINVAL;
	if (!table_is(&xsdt, "XSDT")) {
		machine_note(m, "ACPI: no XSDT", NULL, NULL);
		return EINVAL;
	}
	for (at = HEADER_LENGTH, n = 0; xsdt.t_len - at >= 8 && n < MAXTABLES;
	    at += 8, n++)
		if (table_open(&a, get64(&xsdt, at), &t))
			table_read(&a, &t);
	/* Names of its maker and its kind stand in the XSDT's header. */
	memcpy(m->m_model, xsdt.t_data + 10, 14);
	m->m_source = MACHINE_ACPI;
	machine_settle(&a);
	return 0;
}
