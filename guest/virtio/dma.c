/* SPDX-License-Identifier: ISC */
/*
 * bus_dma(9). There is no IOMMU: what a device sees is a physical address.
 * There are two tags. Behind the one, devices see the caches; behind the other
 * they don't, and every sync is real maintenance by address, to the point of
 * coherency, through the direct map (whose lines are the same, whatever mapping
 * the data was written through).
 */
#include <paravane/kern.h>

#include <string.h>

#include "cmdline.h"
#include "dma.h"
#include "kmem.h"
#include "log.h"
#include "vm.h"

struct dmamap {
	struct pv_bus_dmamap dm;	/* first: the library's view */
	bool		dm_coherent;
	int		dm_maxsegs;
	bus_size_t	dm_size;
	bus_size_t	dm_maxsegsz;
	bus_size_t	dm_boundary;
	struct pv_bus_dma_segment dm_store[];
};

static uint64_t sync_errors;

static bool
coherent(bus_dma_tag_t t)
{
	return t == &dma_tag_coherent;
}

static int
dmamap_create(bus_dma_tag_t t, bus_size_t size, int nsegs, bus_size_t maxsegsz,
    bus_size_t boundary, int flags, bus_dmamap_t *mapp)
{
	struct dmamap *dm;

	(void)flags;
	if (nsegs <= 0 || nsegs > 65536 || size == 0 ||
	    (boundary & (boundary - 1)) != 0)
		return EINVAL;
	dm = kzalloc(sizeof(*dm) + (size_t)nsegs * sizeof(dm->dm_store[0]));
	if (dm == NULL)
		return ENOMEM;
	dm->dm.dm_segs = dm->dm_store;
	dm->dm.dm_flags = coherent(t) ? PV_BUS_DMAMAP_ISCOHERENT : 0;
	dm->dm.dm_mapsize = 0;
	dm->dm._dm_port = dm;
	dm->dm_coherent = coherent(t);
	dm->dm_maxsegs = nsegs;
	dm->dm_size = size;
	dm->dm_maxsegsz = maxsegsz == 0 ? size : maxsegsz;
	dm->dm_boundary = boundary;
	*mapp = &dm->dm;
	return 0;
}

static void
dmamap_destroy(bus_dma_tag_t t, bus_dmamap_t map)
{
	(void)t;
	kfree(map);
}

static void
dmamap_unload(bus_dma_tag_t t, bus_dmamap_t map)
{
	(void)t;
	map->dm_mapsize = 0;
	map->dm_nsegs = 0;
}

/* How much of a run at pa may go into one segment. */
static bus_size_t
segment_room(const struct dmamap *dm, paddr_t pa, bus_size_t len)
{
	bus_size_t to;

	if (len > dm->dm_maxsegsz)
		len = dm->dm_maxsegsz;
	if (dm->dm_boundary != 0) {
		to = dm->dm_boundary - (pa & (dm->dm_boundary - 1));
		if (len > to)
			len = to;
	}
	return len;
}

/* Add a run of memory, to the last segment if it goes on there. */
static int
map_append(struct dmamap *dm, paddr_t pa, bus_size_t len)
{
	struct pv_bus_dma_segment *seg;
	bus_size_t n;

	while (len > 0) {
		seg = dm->dm.dm_nsegs > 0 ?
		    &dm->dm_store[dm->dm.dm_nsegs - 1] : NULL;
		if (seg != NULL && seg->ds_addr + seg->ds_len == pa) {
			n = segment_room(dm, seg->ds_addr, seg->ds_len + len) -
			    seg->ds_len;
			if (n != 0) {
				seg->ds_len += n;
				pa += n;
				len -= n;
				continue;
			}
		}
		if (dm->dm.dm_nsegs == dm->dm_maxsegs)
			return EFBIG;
		n = segment_room(dm, pa, len);
		seg = &dm->dm_store[dm->dm.dm_nsegs++];
		seg->ds_addr = pa;
		seg->ds_len = n;
		pa += n;
		len -= n;
	}
	return 0;
}

/* The physical address behind a kernel pointer, whatever it points into. */
static int
kernel_address(const void *p, paddr_t *pa)
{
	struct vm_query q;

	*pa = vm_physical(p);
	if (*pa != (paddr_t)-1)
		return 0;
	if (vm_query(&vm_kernel, (vaddr_t)p, &q) != 0)
		return EINVAL;
	*pa = q.vq_pa;
	return 0;
}

/* How much of a buffer is in one piece where pa is. */
static bus_size_t
kernel_run(const char *p, bus_size_t len, paddr_t pa)
{
	bus_size_t n = PAGE_SIZE - ((uintptr_t)p & PAGE_MASK);

	/* In the image or in the direct map, all of it is. */
	if (len <= n || vm_physical(p + len - 1) == pa + len - 1)
		return len;
	return n;
}

static int
dmamap_load(bus_dma_tag_t t, bus_dmamap_t map, void *buf, bus_size_t len,
    void *proc, int flags)
{
	struct dmamap *dm = map->_dm_port;
	const char *p = buf;
	bus_size_t left = len, n;
	paddr_t pa;
	int error = 0;

	(void)flags;
	if (len == 0 || len > dm->dm_size || proc != NULL)
		return EINVAL;
	dmamap_unload(t, map);
	while (left > 0 && error == 0) {
		error = kernel_address(p, &pa);
		if (error != 0)
			break;
		n = kernel_run(p, left, pa);
		error = map_append(dm, pa, n);
		p += n;
		left -= n;
	}
	if (error != 0) {
		dmamap_unload(t, map);
		return error;
	}
	map->dm_mapsize = len;
	return 0;
}

static int
dmamap_load_raw(bus_dma_tag_t t, bus_dmamap_t map, bus_dma_segment_t *segs,
    int nsegs, bus_size_t size, int flags)
{
	struct dmamap *dm = map->_dm_port;
	bus_size_t left = size, n;
	int i, error = 0;

	(void)flags;
	if (size == 0 || size > dm->dm_size)
		return EINVAL;
	dmamap_unload(t, map);
	for (i = 0; i < nsegs && left > 0 && error == 0; i++) {
		n = segs[i].ds_len < left ? segs[i].ds_len : left;
		error = map_append(dm, segs[i].ds_addr, n);
		left -= n;
	}
	if (error == 0 && left > 0)
		error = EINVAL;
	if (error != 0) {
		dmamap_unload(t, map);
		return error;
	}
	map->dm_mapsize = size;
	return 0;
}

static void
sync_range(paddr_t pa, bus_size_t len, int ops)
{
	void *p = vm_dmap(pa, len);

	if (p == NULL)
		return;
	if (ops & BUS_DMASYNC_PREREAD)
		cache_clean_invalidate(p, len);
	else if (ops & BUS_DMASYNC_PREWRITE)
		cache_clean(p, len);
	else if (ops & BUS_DMASYNC_POSTREAD)
		cache_invalidate(p, len);
}

static void
dmamap_sync(bus_dma_tag_t t, bus_dmamap_t map, bus_addr_t off, bus_size_t len,
    int ops)
{
	bus_size_t n;
	int i;

	if (off > map->dm_mapsize || len > map->dm_mapsize - off) {
		if (sync_errors++ == 0)
			klog(LOG_ERR, "bus_dmamap_sync beyond what is loaded");
		return;
	}
	if (coherent(t))
		return;
	for (i = 0; i < map->dm_nsegs && len > 0; i++) {
		const struct pv_bus_dma_segment *seg = &map->dm_segs[i];

		if (off >= seg->ds_len) {
			off -= seg->ds_len;
			continue;
		}
		n = seg->ds_len - off < len ? seg->ds_len - off : len;
		sync_range(seg->ds_addr + off, n, ops);
		len -= n;
		off = 0;
	}
}

static void
dmamem_free(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs)
{
	int i;

	(void)t;
	for (i = 0; i < nsegs; i++)
		page_free(segs[i].ds_addr, segs[i].ds_len / PAGE_SIZE);
}

static size_t
round_page(bus_size_t size)
{
	return (size_t)((size + PAGE_MASK) & ~PAGE_MASK);
}

/* segsize=, in pages; 0: no limit. */
static size_t
run_limit(void)
{
	return (size_t)cmdline_get_number("segsize", 0) / PAGE_SIZE;
}

/*
 * One run of at most want pages. With segsize= runs are that long and have a
 * page more, which run_gaps_free gives back when all runs are there, so that
 * none joins the next by chance.
 */
static paddr_t
run_alloc(size_t want, size_t *got)
{
	size_t limit = run_limit();

	if (limit == 0)
		return page_alloc_best(want, 0, got);
	*got = want < limit ? want : limit;
	return page_alloc(*got + 1, 0, 0);
}

static void
run_gaps_free(const bus_dma_segment_t *segs, int nsegs)
{
	int i;

	for (i = 0; i < nsegs; i++)
		page_free(segs[i].ds_addr + segs[i].ds_len, 1);
}

static void
segs_zero(const bus_dma_segment_t *segs, int nsegs)
{
	void *p;
	int i;

	for (i = 0; i < nsegs; i++) {
		p = vm_dmap(segs[i].ds_addr, segs[i].ds_len);
		if (p != NULL)
			memset(p, 0, segs[i].ds_len);
	}
}

static int
dmamem_alloc(bus_dma_tag_t t, bus_size_t size, bus_size_t align,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	size_t left = round_page(size) / PAGE_SIZE, got;
	bool one = nsegs == 1 || align > PAGE_SIZE || boundary != 0;
	int n = 0;

	if (size == 0 || nsegs <= 0 || (align & (align - 1)) != 0 ||
	    (boundary != 0 && boundary < size))
		return EINVAL;
	/* One run where that is asked for, or alone keeps the constraints. */
	while (left > 0 && n < nsegs) {
		if (one) {
			got = left;
			/* Aligned to the boundary it does not cross it. */
			segs[n].ds_addr = page_alloc(got,
			    boundary > align ? boundary : align, 0);
		} else
			segs[n].ds_addr = run_alloc(left, &got);
		if (segs[n].ds_addr == 0)
			break;
		segs[n].ds_len = got * PAGE_SIZE;
		segs[n]._ds_port = NULL;
		left -= got;
		n++;
	}
	if (!one && run_limit() != 0)
		run_gaps_free(segs, n);
	if (left > 0) {
		dmamem_free(t, segs, n);
		return ENOMEM;
	}
	if (flags & BUS_DMA_ZERO)
		segs_zero(segs, n);
	*rsegs = n;
	return 0;
}

/*
 * The one decision on cacheability: dmamem_map's and, for who maps what
 * dmamem_mmap gives, everybody's.
 */
int
dma_attr(bus_dma_tag_t t, int flags)
{
	if (flags & BUS_DMA_NOCACHE)
		return VM_NC;
	return (flags & BUS_DMA_COHERENT) != 0 && !coherent(t) ? VM_NC : VM_WB;
}

static int
segs_map(bus_dma_segment_t *segs, int nsegs, vaddr_t va, size_t size, int attr)
{
	size_t done = 0, n;
	int i, error;

	for (i = 0; i < nsegs && done < size; i++) {
		n = segs[i].ds_len < size - done ? segs[i].ds_len :
		    size - done;
		error = vm_map(&vm_kernel, va + done, segs[i].ds_addr, n,
		    VM_READ | VM_WRITE, attr);
		if (error != 0) {
			if (done != 0)
				vm_unmap(&vm_kernel, va, done);
			return error;
		}
		done += n;
	}
	return done == size ? 0 : EINVAL;
}

static int
dmamem_map(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, size_t size,
    void **kvap, int flags)
{
	int attr = dma_attr(t, flags), i, error;
	vaddr_t va;

	size = round_page(size);
	if (nsegs == 1 && attr == VM_WB && size <= segs[0].ds_len) {
		*kvap = vm_dmap(segs[0].ds_addr, size);
		return *kvap == NULL ? EINVAL : 0;
	}
	/* Nothing that was written through the direct map may come later. */
	for (i = 0; i < nsegs && attr != VM_WB; i++)
		sync_range(segs[i].ds_addr, segs[i].ds_len,
		    BUS_DMASYNC_PREREAD);
	va = vm_kva_alloc(size);
	if (va == 0)
		return ENOMEM;
	error = segs_map(segs, nsegs, va, size, attr);
	if (error != 0) {
		vm_kva_free(va, size);
		return error;
	}
	*kvap = (void *)va;
	return 0;
}

static void
dmamem_unmap(bus_dma_tag_t t, void *kva, size_t size)
{
	vaddr_t va = (vaddr_t)kva;

	(void)t;
	if (va < VM_KVA_BASE || va >= VM_KVA_BASE + VM_KVA_SIZE)
		return;		/* the direct map */
	size = round_page(size);
	vm_unmap(&vm_kernel, va, size);
	vm_kva_free(va, size);
}

static paddr_t
dmamem_mmap(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, off_t off,
    int prot, int flags)
{
	uint64_t left = (uint64_t)off;
	int i;

	(void)t;
	(void)prot;
	(void)flags;
	if (off < 0 || (left & PAGE_MASK) != 0)
		return (paddr_t)-1;
	for (i = 0; i < nsegs; i++) {
		if (left < segs[i].ds_len)
			return segs[i].ds_addr + left;
		left -= segs[i].ds_len;
	}
	return (paddr_t)-1;
}

#define DMA_OPS								\
	.dt_dmamap_create = dmamap_create,				\
	.dt_dmamap_destroy = dmamap_destroy,				\
	.dt_dmamap_load = dmamap_load,					\
	.dt_dmamap_load_raw = dmamap_load_raw,				\
	.dt_dmamap_unload = dmamap_unload,				\
	.dt_dmamap_sync = dmamap_sync,					\
	.dt_dmamem_alloc = dmamem_alloc,				\
	.dt_dmamem_free = dmamem_free,					\
	.dt_dmamem_map = dmamem_map,					\
	.dt_dmamem_unmap = dmamem_unmap,				\
	.dt_dmamem_mmap = dmamem_mmap

const struct pv_bus_dma_tag dma_tag_coherent = { DMA_OPS };
const struct pv_bus_dma_tag dma_tag_noncoherent = { DMA_OPS };
