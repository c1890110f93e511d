/* SPDX-License-Identifier: ISC */
/*
 * Memory shared with a device: allocated, mapped and loaded in one step.
 */
#ifndef CORE_DMAMEM_H
#define CORE_DMAMEM_H

#include "sync.h"

/*
 * What the CPU writes and what the device writes never share a line: 128 bytes
 * on Apple silicon, the longest there is.
 */
#define DMA_LINE		128u
#define DMA_LINES(n)		(((n) + DMA_LINE - 1) & \
					    ~(bus_size_t)(DMA_LINE - 1))

struct pv_dmamem {
	bus_dma_tag_t dm_tag;
	bus_dmamap_t dm_map;		/* loaded, from byte 0 */
	bus_dma_segment_t *dm_mem;	/* as allocated */
	int dm_nmem;
	int dm_maxmem;
	bus_size_t dm_size;
	int dm_flags;			/* of bus_dmamem_map, and _mmap */
	void *dm_kva;			/* NULL: nothing is allocated */
};

/*
 * pv_dmamem_alloc - size bytes, zeroed, in at most nsegs segments
 *
 * align	of each segment's device address, a power of two
 * maxseg	the longest segment; 0: no limit
 * flags	BUS_DMA_COHERENT: for memory that both sides poll; where the
 *		tag has no such mapping the usual one is had
 *
 * Errors: ENOMEM, or what bus_dma(9) gave. Then *dm is as before. The bytes
 * have not been synced. Context: thread.
 *
 * pv_dmamem_alloc_raw leaves in it what was there, for the caller to fill.
 */
int pv_dmamem_alloc(struct pv_dmamem *, bus_dma_tag_t, bus_size_t size,
    bus_size_t align, unsigned int nsegs, bus_size_t maxseg, int flags);
int pv_dmamem_alloc_raw(struct pv_dmamem *, bus_dma_tag_t, bus_size_t size,
    bus_size_t align, unsigned int nsegs, bus_size_t maxseg, int flags);

/* Give it back; of a zeroed struct, nothing. Context: thread. */
void pv_dmamem_free(struct pv_dmamem *);

/*
 * The same after a reset: where that was not confirmed (lost) the device may
 * still reach the memory, and it is forgotten without being given back.
 */
void pv_dmamem_release(struct pv_dmamem *, bool lost);

static inline void
pv_dmamem_sync(const struct pv_dmamem *dm, bus_size_t off, bus_size_t len,
    int ops)
{
	pv_dma_sync(dm->dm_tag, dm->dm_map, off, len, ops);
}

#endif
