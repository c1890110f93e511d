/* SPDX-License-Identifier: ISC */
/*
 * What machine.h promises of a struct machine, however damaged the tables were that it was made from.
 */
#ifndef MACHINE_CHECK_H
#define MACHINE_CHECK_H

#include <string.h>

#include "machine.h"

static inline int
check_range(uint64_t base, uint64_t size)
{
	return size != 0 && base + (size - 1) >= base &&
	    base + (size - 1) < UINT64_C(1) << 52;
}

/* An access out of line faults. */
static inline int
check_registers(uint64_t base, uint64_t size)
{
	return check_range(base, size) && base % 8 == 0;
}

static inline int
check_gic(const struct machine_gic *g)
{
	unsigned i;

	if (g->mg_version != 0 && g->mg_version != 2 && g->mg_version != 3)
		return 0;
	if (g->mg_nredist > MACHINE_MAXREDIST || g->mg_nv2m > MACHINE_MAXV2M ||
	    g->mg_nits > MACHINE_MAXITS)
		return 0;
	if (g->mg_version == 3 && g->mg_nredist == 0)
		return 0;
	if (g->mg_version != 0 && !check_registers(g->mg_dist, g->mg_dist_size))
		return 0;
	for (i = 0; i < g->mg_nredist; i++)
		if (!check_registers(g->mg_redist[i].mr_base,
		    g->mg_redist[i].mr_size))
			return 0;
	for (i = 0; i < g->mg_nits; i++)
		if (!check_registers(g->mg_its[i].mi_base, g->mg_its[i].mi_size))
			return 0;
	for (i = 0; i < g->mg_nv2m; i++)
		if (g->mg_v2m[i].mv_intid_base + g->mg_v2m[i].mv_intid_count >
		    1020)
			return 0;
	return 1;
}

static inline int
check_host(const struct machine_host *h)
{
	unsigned i;

	if (h->mh_bus_first > h->mh_bus_last ||
	    h->mh_nwindows > MACHINE_MAXWINDOWS ||
	    h->mh_nintmap > MACHINE_MAXINTMAP ||
	    h->mh_nmsimap > MACHINE_MAXMSIMAP)
		return 0;
	if (!check_registers(h->mh_ecam, h->mh_ecam_size) ||
	    h->mh_ecam_size >> 20 <
	    (uint64_t)h->mh_bus_last - h->mh_bus_first + 1)
		return 0;
	for (i = 0; i < h->mh_nwindows; i++)
		if (!check_range(h->mh_window[i].mw_cpu,
		    h->mh_window[i].mw_size))
			return 0;
	for (i = 0; i < h->mh_nintmap; i++)
		if (h->mh_intmap[i].mi_intr.mi_intid >= 1020)
			return 0;
	return 1;
}

static inline int
check_memory(const struct machine *m)
{
	uint64_t end = 0;
	unsigned i;

	if (m->m_nmem > MACHINE_MAXMEM || m->m_nreserved > MACHINE_MAXRESERVED)
		return 0;
	for (i = 0; i < m->m_nmem; i++) {
		const struct machine_range *r = &m->m_mem[i];

		if (!check_range(r->mr_base, r->mr_size) || r->mr_base < end ||
		    ((r->mr_base | r->mr_size) & 0xfff) != 0)
			return 0;
		end = r->mr_base + r->mr_size;
	}
	for (i = 0; i < m->m_nreserved; i++)
		if (!check_range(m->m_reserved[i].mr_base,
		    m->m_reserved[i].mr_size))
			return 0;
	return 1;
}

/* 1 if every promise is kept. */
static inline int
check_machine(const struct machine *m)
{
	unsigned i;

	if (m->m_ncpus > MACHINE_MAXCPUS || m->m_nhosts > MACHINE_MAXHOSTS ||
	    m->m_nmmio > MACHINE_MAXMMIO || !check_memory(m) ||
	    strnlen(m->m_tables, MACHINE_TABLES) == MACHINE_TABLES ||
	    !check_gic(&m->m_gic))
		return 0;
	for (i = 0; i < m->m_nhosts; i++)
		if (!check_host(&m->m_host[i]))
			return 0;
	for (i = 0; i < m->m_nmmio; i++)
		if (!check_registers(m->m_mmio[i].mm_base,
		    m->m_mmio[i].mm_size) ||
		    m->m_mmio[i].mm_intr.mi_intid >= 1020)
			return 0;
	if (m->m_timer.mt_freq != 0 && m->m_timer.mt_freq < 1000000)
		return 0;
	if (m->m_timer.mt_virt.mi_intid >= 32 ||
	    m->m_timer.mt_phys.mi_intid >= 32)
		return 0;
	return memchr(m->m_cmdline, '\0', sizeof(m->m_cmdline)) != NULL &&
	    memchr(m->m_notes, '\0', sizeof(m->m_notes)) != NULL &&
	    memchr(m->m_model, '\0', sizeof(m->m_model)) != NULL;
}

#endif
