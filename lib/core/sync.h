/* SPDX-License-Identifier: ISC */
/*
 * The two disciplines of shared memory, each in one place: coherence (may the
 * other side see stale bytes?) by pv_dma_sync, order (may it see them in
 * another order?) by the barriers.
 */
#ifndef CORE_SYNC_H
#define CORE_SYNC_H

#include <paravane/kern.h>

/*
 * The only caller of bus_dmamap_sync in the library. Nothing to do where CPU
 * and device are known to see the same bytes.
 */
static inline void
pv_dma_sync(bus_dma_tag_t tag, bus_dmamap_t map, bus_size_t off,
    bus_size_t len, int ops)
{
	if (!PV_DMAMAP_COHERENT(tag, map))
		bus_dmamap_sync(tag, map, (bus_addr_t)off, len, ops);
}

/* Descriptors and ring entries before the index that shows them. */
static inline void
pv_barrier_publish(bool outer)
{
	pv_md_wmb(outer);
}

/*
 * Between our store (an index, an event, a flag) and the load that asks whether
 * the other side has gone on meanwhile: either we see its store or it sees
 * ours.
 */
static inline void
pv_barrier_check(bool outer)
{
	pv_md_mb(outer);
}

/* The used index before the entries that it shows. */
static inline void
pv_barrier_consume(bool outer)
{
	pv_md_rmb(outer);
}

#endif
