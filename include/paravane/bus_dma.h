/* SPDX-License-Identifier: ISC */
/*
 * bus_dma.h - bus_dma(9) for kernels that have none
 *
 * A port that lacks bus_dma(9) includes this from its <paravane_machdep.h>,
 * after bus_addr_t, bus_size_t, paddr_t, off_t and uint32_t are defined, and
 * supplies a struct pv_bus_dma_tag for each kind of DMA it has. Names, argument
 * order, flags and meaning are those of OpenBSD's bus_dma(9), which is the
 * manual; what is said here is what that page leaves open.
 *
 * An address has a type. bus_addr_t is what the device sees, a pointer what the
 * CPU sees, paddr_t what a page table maps. dm_segs of a loaded map is the only
 * source of a bus_addr_t.
 *
 * What the library asks of a tag:
 *
 *	bus_dmamem_alloc, bus_dmamem_map, bus_dmamap_create, bus_dmamap_load
 *			from threads, in this order, for memory of its own,
 *			while it attaches or reconfigures; then the four that
 *			undo them. With BUS_DMA_WAITOK, and of create
 *			BUS_DMA_ALLOCNOW; boundary and proc are 0. The load is
 *			of all that bus_dmamem_map gave, and dm_segs then tells
 *			where its pieces are: rings are in one, framebuffers in
 *			what there was.
 *	BUS_DMA_COHERENT of bus_dmamem_map, for rings: a tag that can't returns
 *			an error, and is asked again without. A packed ring
 *			needs it.
 *	bus_dmamap_sync	from any context, of any bytes of what is loaded; never
 *			where PV_DMAMAP_COHERENT is true
 *	bus_dmamem_mmap	from pv_gpu_mmap and pv_gpu_fb_mmap
 *
 * bus_dmamap_load_raw is for callers that have lists of pages: the library does
 * not call it.
 */
#ifndef PARAVANE_BUS_DMA_H
#define PARAVANE_BUS_DMA_H

#define BUS_DMA_WAITOK		0x0000
#define BUS_DMA_NOWAIT		0x0001
#define BUS_DMA_ALLOCNOW	0x0002
#define BUS_DMA_COHERENT	0x0004
#define BUS_DMA_STREAMING	0x0040
#define BUS_DMA_READ		0x0100	/* device to memory only */
#define BUS_DMA_WRITE		0x0200	/* memory to device only */
#define BUS_DMA_NOCACHE		0x0800
#define BUS_DMA_ZERO		0x1000

/*
 * READ means device to memory. PRE and POST never stand in one call; READ and
 * WRITE may.
 */
#define BUS_DMASYNC_PREREAD	0x01
#define BUS_DMASYNC_POSTREAD	0x02
#define BUS_DMASYNC_PREWRITE	0x04
#define BUS_DMASYNC_POSTWRITE	0x08

struct pv_bus_dma_segment {
	bus_addr_t ds_addr;	/* as the device sees it */
	bus_size_t ds_len;	/* bytes */
	void *_ds_port;		/* the port's own */
};

#define PV_BUS_DMAMAP_ISCOHERENT	0x01	/* no sync is ever needed */

struct pv_bus_dmamap {
	bus_size_t dm_mapsize;	/* bytes loaded; 0 when nothing is */
	int dm_nsegs;		/* valid segments */
	struct pv_bus_dma_segment *dm_segs;
	unsigned int dm_flags;	/* PV_BUS_DMAMAP_*, set by the port at create */
	void *_dm_port;		/* the port's own */
};

typedef struct pv_bus_dma_segment bus_dma_segment_t;
typedef struct pv_bus_dmamap *bus_dmamap_t;
typedef const struct pv_bus_dma_tag *bus_dma_tag_t;

struct pv_bus_dma_tag {
	void *dt_cookie;	/* the port's own */
	int (*dt_dmamap_create)(bus_dma_tag_t, bus_size_t size, int nsegments,
	    bus_size_t maxsegsz, bus_size_t boundary, int flags,
	    bus_dmamap_t *);
	void (*dt_dmamap_destroy)(bus_dma_tag_t, bus_dmamap_t);
	int (*dt_dmamap_load)(bus_dma_tag_t, bus_dmamap_t, void *buf,
	    bus_size_t buflen, void *proc, int flags);
	int (*dt_dmamap_load_raw)(bus_dma_tag_t, bus_dmamap_t,
	    bus_dma_segment_t *segs, int nsegs, bus_size_t size, int flags);
	void (*dt_dmamap_unload)(bus_dma_tag_t, bus_dmamap_t);
	void (*dt_dmamap_sync)(bus_dma_tag_t, bus_dmamap_t, bus_addr_t offset,
	    bus_size_t len, int ops);
	int (*dt_dmamem_alloc)(bus_dma_tag_t, bus_size_t size,
	    bus_size_t alignment, bus_size_t boundary, bus_dma_segment_t *segs,
	    int nsegs, int *rsegs, int flags);
	void (*dt_dmamem_free)(bus_dma_tag_t, bus_dma_segment_t *segs,
	    int nsegs);
	int (*dt_dmamem_map)(bus_dma_tag_t, bus_dma_segment_t *segs, int nsegs,
	    size_t size, void **kvap, int flags);
	void (*dt_dmamem_unmap)(bus_dma_tag_t, void *kva, size_t size);
	paddr_t (*dt_dmamem_mmap)(bus_dma_tag_t, bus_dma_segment_t *segs,
	    int nsegs, off_t off, int prot, int flags);
};

#define bus_dmamap_create(t, size, nsegs, maxsegsz, boundary, flags, mapp) \
	((t)->dt_dmamap_create((t), (size), (nsegs), (maxsegsz), (boundary), \
	    (flags), (mapp)))
#define bus_dmamap_destroy(t, map) \
	((t)->dt_dmamap_destroy((t), (map)))
#define bus_dmamap_load(t, map, buf, buflen, proc, flags) \
	((t)->dt_dmamap_load((t), (map), (buf), (buflen), (proc), (flags)))
#define bus_dmamap_load_raw(t, map, segs, nsegs, size, flags) \
	((t)->dt_dmamap_load_raw((t), (map), (segs), (nsegs), (size), (flags)))
#define bus_dmamap_unload(t, map) \
	((t)->dt_dmamap_unload((t), (map)))
#define bus_dmamap_sync(t, map, offset, len, ops) \
	((t)->dt_dmamap_sync((t), (map), (offset), (len), (ops)))
#define bus_dmamem_alloc(t, size, align, boundary, segs, nsegs, rsegs, flags) \
	((t)->dt_dmamem_alloc((t), (size), (align), (boundary), (segs), \
	    (nsegs), (rsegs), (flags)))
#define bus_dmamem_free(t, segs, nsegs) \
	((t)->dt_dmamem_free((t), (segs), (nsegs)))
#define bus_dmamem_map(t, segs, nsegs, size, kvap, flags) \
	((t)->dt_dmamem_map((t), (segs), (nsegs), (size), (kvap), (flags)))
#define bus_dmamem_unmap(t, kva, size) \
	((t)->dt_dmamem_unmap((t), (kva), (size)))
#define bus_dmamem_mmap(t, segs, nsegs, off, prot, flags) \
	((t)->dt_dmamem_mmap((t), (segs), (nsegs), (off), (prot), (flags)))

#define PV_DMAMAP_COHERENT(t, map) \
	((void)(t), ((map)->dm_flags & PV_BUS_DMAMAP_ISCOHERENT) != 0)

#endif /* PARAVANE_BUS_DMA_H */
