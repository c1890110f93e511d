/* SPDX-License-Identifier: ISC */
/*
 * Runs within the EFI application: see efi.c for what that forbids. So it has
 * no printf, whose tables are of pointers.
 */
#include "efi_log.h"
#include "machine.h"

struct text {
	char	*x_buf;
	size_t	 x_len, x_at;
};

static void
put(struct text *x, const char *s)
{
	for (; *s != '\0'; s++)
		if (x->x_at < x->x_len)
			x->x_buf[x->x_at++] = *s;
}

static void
put_number(struct text *x, uint64_t v, unsigned base)
{
	char s[24];
	unsigned at = sizeof(s) - 1;

	s[at] = '\0';
	do {
		s[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	put(x, base == 16 ? "0x" : "");
	put(x, s + at);
}

static void
put_range(struct text *x, const char *what, uint64_t base, uint64_t size)
{
	put(x, what);
	put_number(x, base, 16);
	put(x, " + ");
	put_number(x, size, 16);
	put(x, "\r\n");
}

static void
put_count(struct text *x, const char *what, uint64_t n)
{
	put(x, what);
	put_number(x, n, 10);
	put(x, "\r\n");
}

static void
gic_log(struct text *x, const struct machine_gic *g)
{
	unsigned i;

	put_count(x, "gic: version ", g->mg_version);
	put_range(x, "gic: distributor ", g->mg_dist, g->mg_dist_size);
	if (g->mg_version == 2)
		put_range(x, "gic: processor interface ", g->mg_cpu,
		    g->mg_cpu_size);
	for (i = 0; i < g->mg_nredist; i++)
		put_range(x, "gic: redistributors ", g->mg_redist[i].mr_base,
		    g->mg_redist[i].mr_size);
	for (i = 0; i < g->mg_nv2m; i++)
		put_range(x, "gic: v2m frame ", g->mg_v2m[i].mv_base,
		    g->mg_v2m[i].mv_size);
	for (i = 0; i < g->mg_nits; i++)
		put_range(x, "gic: ITS ", g->mg_its[i].mi_base,
		    g->mg_its[i].mi_size);
}

static void
host_log(struct text *x, const struct machine_host *h)
{
	unsigned i;

	put_range(x, "pci: configuration space ", h->mh_ecam, h->mh_ecam_size);
	put_count(x, "pci: last bus ", h->mh_bus_last);
	for (i = 0; i < h->mh_nwindows; i++)
		put_range(x, "pci: window ", h->mh_window[i].mw_cpu,
		    h->mh_window[i].mw_size);
}

size_t
efi_log(const struct machine *m, char *buf, size_t len)
{
	struct text x = { buf, len, 0 };
	unsigned i;

	put(&x, "paravane: machine by ");
	put(&x, m->m_source == MACHINE_ACPI ? "ACPI, " :
	    m->m_source == MACHINE_FDT ? "device tree, " : "nothing, ");
	put(&x, m->m_model);
	put(&x, "\r\n");
	put_count(&x, "processors: ", m->m_ncpus);
	put(&x, "psci: ");
	put(&x, m->m_psci.mp_conduit == MACHINE_PSCI_HVC ? "hvc\r\n" :
	    m->m_psci.mp_conduit == MACHINE_PSCI_SMC ? "smc\r\n" : "none\r\n");
	put_count(&x, "timer: virtual, intid ", m->m_timer.mt_virt.mi_intid);
	put_count(&x, "timer: physical, intid ", m->m_timer.mt_phys.mi_intid);
	gic_log(&x, &m->m_gic);
	if (m->m_uart.mu_base != 0)
		put_range(&x, "pl011: ", m->m_uart.mu_base, m->m_uart.mu_size);
	for (i = 0; i < m->m_nhosts; i++)
		host_log(&x, &m->m_host[i]);
	put_count(&x, "virtio-mmio: ", m->m_nmmio);
	for (i = 0; i < m->m_nmem; i++)
		put_range(&x, "memory: ", m->m_mem[i].mr_base,
		    m->m_mem[i].mr_size);
	put(&x, "command line: ");
	put(&x, m->m_cmdline);
	put(&x, "\r\n");
	put(&x, m->m_notes);
	return x.x_at;
}
