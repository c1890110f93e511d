/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shmem.h"

#define FIRST_ADDR	0x100000000ull	/* no small number is an address */

/* Free pages of a region, from sn_off on. Two never touch. */
struct shmem_run {
	struct shmem_run *sn_next;
	size_t sn_off;
	size_t sn_len;
};

struct shmem_map {
	struct pv_bus_dmamap mp_pub;	/* first */
	struct shmem_map *mp_next;	/* all there are */
	struct shmem_map **mp_at;	/* what points here */
	bus_size_t mp_size;
	bus_size_t mp_maxsegsz;
	int mp_maxsegs;
	struct pv_bus_dma_segment mp_segs[];
};

static struct shmem *
shmem_of(bus_dma_tag_t t)
{
	return t->dt_cookie;
}

static size_t
pages(size_t size)
{
	return (size + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
}

static const struct shmem_region *
region_of(const struct shmem *sm, const void *va)
{
	const struct shmem_region *sr = sm->sm_regions;
	unsigned int i, n;

	n = __atomic_load_n(&sm->sm_nregions, __ATOMIC_ACQUIRE);
	for (i = 0; i < n; i++, sr++)
		if ((uintptr_t)va - (uintptr_t)sr->sr_va < sr->sr_size)
			return sr;
	return NULL;
}

void *
shmem_kva(const struct shmem *sm, bus_addr_t addr, size_t len)
{
	const struct shmem_region *sr = sm->sm_regions;
	unsigned int i, n;

	n = __atomic_load_n(&sm->sm_nregions, __ATOMIC_ACQUIRE);
	for (i = 0; i < n; i++, sr++)
		if (addr >= sr->sr_addr && addr - sr->sr_addr < sr->sr_size &&
		    len <= sr->sr_size - (addr - sr->sr_addr))
			return sr->sr_va + (size_t)(addr - sr->sr_addr);
	return NULL;
}

/* The first offset in a run from which size bytes are aligned, or SIZE_MAX. */
static size_t
fit(const struct shmem_region *sr, const struct shmem_run *sn, size_t size,
    size_t align)
{
	uintptr_t va = (uintptr_t)sr->sr_va + sn->sn_off;
	size_t skip = (size_t)(-va & (align - 1));

	if (skip > sn->sn_len || size > sn->sn_len - skip)
		return SIZE_MAX;
	return sn->sn_off + skip;
}

/* Take off .. off + size out of the run at *p, which holds it. */
static int
carve(struct shmem_run **p, size_t off, size_t size)
{
	struct shmem_run *sn = *p, *rest;
	size_t after = sn->sn_off + sn->sn_len - (off + size);

	if (after != 0 && off != sn->sn_off) {
		rest = calloc(1, sizeof(*rest));
		if (rest == NULL)
			return ENOMEM;
		rest->sn_off = off + size;
		rest->sn_len = after;
		rest->sn_next = sn->sn_next;
		sn->sn_next = rest;
		sn->sn_len = off - sn->sn_off;
	} else if (after != 0) {
		sn->sn_off += size;
		sn->sn_len -= size;
	} else if (off != sn->sn_off) {
		sn->sn_len -= size;
	} else {
		*p = sn->sn_next;
		free(sn);
	}
	return 0;
}

static uint8_t *
region_alloc(struct shmem_region *sr, size_t size, size_t align)
{
	struct shmem_run **p;
	size_t off;

	for (p = &sr->sr_free; *p != NULL; p = &(*p)->sn_next) {
		off = fit(sr, *p, size, align);
		if (off != SIZE_MAX)
			return carve(p, off, size) == 0 ? sr->sr_va + off :
			    NULL;
	}
	return NULL;
}

void *
shmem_alloc(struct shmem *sm, size_t size, size_t align)
{
	uint8_t *va = NULL;
	unsigned int i;

	if (size == 0 || size > SIZE_MAX / 2 || align > SHMEM_ALIGN ||
	    (align & (align - 1)) != 0)
		return NULL;
	size = pages(size);
	if (align < PAGE_SIZE)
		align = PAGE_SIZE;
	pthread_mutex_lock(&sm->sm_lock);
	for (i = 0; i < sm->sm_nregions && va == NULL; i++)
		va = region_alloc(&sm->sm_regions[i], size, align);
	if (va != NULL)
		sm->sm_used += size;
	pthread_mutex_unlock(&sm->sm_lock);
	if (va != NULL)
		memset(va, 0, size);
	return va;
}

/* A run between its neighbours, grown together with those that it touches. */
static void
region_free(struct shmem_region *sr, struct shmem_run *new)
{
	struct shmem_run **p = &sr->sr_free, *sn = NULL, *next;

	while (*p != NULL && (*p)->sn_off < new->sn_off) {
		sn = *p;
		p = &sn->sn_next;
	}
	next = *p;
	new->sn_next = next;
	*p = new;
	if (next != NULL && new->sn_off + new->sn_len == next->sn_off) {
		new->sn_len += next->sn_len;
		new->sn_next = next->sn_next;
		free(next);
	}
	if (sn != NULL && sn->sn_off + sn->sn_len == new->sn_off) {
		sn->sn_len += new->sn_len;
		sn->sn_next = new->sn_next;
		free(new);
	}
}

void
shmem_free(struct shmem *sm, void *va, size_t size)
{
	const struct shmem_region *sr;
	struct shmem_run *new;

	if (va == NULL)
		return;
	sr = region_of(sm, va);
	new = calloc(1, sizeof(*new));
	if (sr == NULL || new == NULL) {
		free(new);
		return;		/* not ours; or it stays out of use */
	}
	new->sn_off = (size_t)((uint8_t *)va - sr->sr_va);
	new->sn_len = pages(size);
	pthread_mutex_lock(&sm->sm_lock);
	sm->sm_used -= new->sn_len;
	region_free(&sm->sm_regions[sr - sm->sm_regions], new);
	pthread_mutex_unlock(&sm->sm_lock);
}

static int
dmamap_create(bus_dma_tag_t t, bus_size_t size, int nsegments,
    bus_size_t maxsegsz, bus_size_t boundary, int flags, bus_dmamap_t *mapp)
{
	struct shmem *sm = shmem_of(t);
	struct shmem_map *mp;

	(void)flags;
	if (nsegments < 1 || size == 0 || boundary != 0)
		return EINVAL;
	mp = calloc(1, sizeof(*mp) +
	    (size_t)nsegments * sizeof(mp->mp_segs[0]));
	if (mp == NULL)
		return ENOMEM;
	mp->mp_pub.dm_segs = mp->mp_segs;
	mp->mp_pub.dm_flags = PV_BUS_DMAMAP_ISCOHERENT;
	mp->mp_size = size;
	mp->mp_maxsegs = nsegments;
	mp->mp_maxsegsz = maxsegsz;
	pthread_mutex_lock(&sm->sm_lock);
	mp->mp_next = sm->sm_maps;
	mp->mp_at = &sm->sm_maps;
	if (mp->mp_next != NULL)
		mp->mp_next->mp_at = &mp->mp_next;
	sm->sm_maps = mp;
	pthread_mutex_unlock(&sm->sm_lock);
	*mapp = &mp->mp_pub;
	return 0;
}

static void
dmamap_destroy(bus_dma_tag_t t, bus_dmamap_t dm)
{
	struct shmem_map *mp = (struct shmem_map *)(void *)dm;
	struct shmem *sm = shmem_of(t);

	pthread_mutex_lock(&sm->sm_lock);
	*mp->mp_at = mp->mp_next;
	if (mp->mp_next != NULL)
		mp->mp_next->mp_at = mp->mp_at;
	pthread_mutex_unlock(&sm->sm_lock);
	free(mp);
}

static int
dmamap_load(bus_dma_tag_t t, bus_dmamap_t dm, void *buf, bus_size_t buflen,
    void *proc, int flags)
{
	struct shmem_map *mp = (struct shmem_map *)(void *)dm;
	const struct shmem_region *sr;
	bus_size_t left = buflen, run;
	uint8_t *p = buf;
	int n = 0;

	(void)proc;
	(void)flags;
	if (buflen == 0 || buflen > mp->mp_size)
		return EINVAL;
	for (; left > 0; left -= run, p += (size_t)run) {
		sr = region_of(shmem_of(t), p);
		if (sr == NULL)
			return EINVAL;
		if (n == mp->mp_maxsegs)
			return EFBIG;
		run = sr->sr_size - (size_t)(p - sr->sr_va);
		if (run > left)
			run = left;
		if (mp->mp_maxsegsz != 0 && run > mp->mp_maxsegsz)
			run = mp->mp_maxsegsz;
		dm->dm_segs[n].ds_addr = sr->sr_addr +
		    (bus_addr_t)(p - sr->sr_va);
		dm->dm_segs[n++].ds_len = run;
	}
	dm->dm_nsegs = n;
	dm->dm_mapsize = buflen;
	return 0;
}

static int
dmamap_load_raw(bus_dma_tag_t t, bus_dmamap_t dm, bus_dma_segment_t *segs,
    int nsegs, bus_size_t size, int flags)
{
	(void)nsegs;
	return dmamap_load(t, dm, segs[0]._ds_port, size, NULL, flags);
}

static void
dmamap_unload(bus_dma_tag_t t, bus_dmamap_t dm)
{
	(void)t;
	dm->dm_mapsize = 0;
	dm->dm_nsegs = 0;
}

static void
dmamap_sync(bus_dma_tag_t t, bus_dmamap_t dm, bus_addr_t off, bus_size_t len,
    int ops)
{
	(void)t;
	(void)dm;
	(void)off;
	(void)len;
	(void)ops;
}

static int
dmamem_alloc(bus_dma_tag_t t, bus_size_t size, bus_size_t alignment,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	struct shmem *sm = shmem_of(t);
	const struct shmem_region *sr;
	uint8_t *va;

	(void)flags;
	if (nsegs < 1 || boundary != 0 || size > SIZE_MAX / 2)
		return EINVAL;
	va = shmem_alloc(sm, (size_t)size, (size_t)alignment);
	if (va == NULL)
		return ENOMEM;
	sr = region_of(sm, va);
	segs[0].ds_addr = sr->sr_addr + (bus_addr_t)(va - sr->sr_va);
	segs[0].ds_len = size;
	segs[0]._ds_port = va;
	*rsegs = 1;
	return 0;
}

static void
dmamem_free(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs)
{
	(void)nsegs;
	shmem_free(shmem_of(t), segs[0]._ds_port, (size_t)segs[0].ds_len);
}

static int
dmamem_map(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, size_t size,
    void **kvap, int flags)
{
	(void)t;
	(void)nsegs;
	(void)flags;
	if (size > segs[0].ds_len)
		return EINVAL;
	*kvap = segs[0]._ds_port;
	return 0;
}

static void
dmamem_unmap(bus_dma_tag_t t, void *kva, size_t size)
{
	(void)t;
	(void)kva;
	(void)size;
}

/* What mmap(2) of the region's file takes: an offset, in a page of it. */
static paddr_t
dmamem_mmap(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, off_t off,
    int prot, int flags)
{
	(void)t;
	(void)nsegs;
	(void)prot;
	(void)flags;
	if (off < 0 || (uint64_t)off >= segs[0].ds_len ||
	    (uint64_t)off % PAGE_SIZE != 0)
		return (paddr_t)-1;
	return segs[0].ds_addr + (paddr_t)off;
}

static const struct pv_bus_dma_tag shmem_tag = {
	.dt_dmamap_create = dmamap_create,
	.dt_dmamap_destroy = dmamap_destroy,
	.dt_dmamap_load = dmamap_load,
	.dt_dmamap_load_raw = dmamap_load_raw,
	.dt_dmamap_unload = dmamap_unload,
	.dt_dmamap_sync = dmamap_sync,
	.dt_dmamem_alloc = dmamem_alloc,
	.dt_dmamem_free = dmamem_free,
	.dt_dmamem_map = dmamem_map,
	.dt_dmamem_unmap = dmamem_unmap,
	.dt_dmamem_mmap = dmamem_mmap,
};

/*
 * At a multiple of SHMEM_ALIGN, as the address that the device sees: so an
 * alignment holds for both, and large pages fit.
 */
static uint8_t *
map_aligned(int fd, size_t size)
{
	uint8_t *area, *va;
	size_t before;

	area = mmap(NULL, size + SHMEM_ALIGN, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	before = (size_t)(-(uintptr_t)area & (SHMEM_ALIGN - 1));
	va = mmap(area + before, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
	if (va == MAP_FAILED) {
		munmap(area, size + SHMEM_ALIGN);
		return NULL;
	}
	if (before != 0)
		munmap(area, before);
	if (before != SHMEM_ALIGN)
		munmap(va + size, SHMEM_ALIGN - before);
	return va;
}

static int
region_make(struct shmem_region *sr, size_t size)
{
	struct shmem_run *all;
	int error;

	if (size == 0 || size > SIZE_MAX / 4)
		return EINVAL;
	size = (size + SHMEM_ALIGN - 1) & ~(size_t)(SHMEM_ALIGN - 1);
	all = calloc(1, sizeof(*all));
	if (all == NULL)
		return ENOMEM;
	sr->sr_fd = memfd_create("paravane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (sr->sr_fd < 0) {
		error = errno;
		goto fail;
	}
	/* Sealed: the other side has the file too, and might cut it short. */
	if (ftruncate(sr->sr_fd, (off_t)size) != 0 ||
	    fcntl(sr->sr_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0 ||
	    (sr->sr_va = map_aligned(sr->sr_fd, size)) == NULL) {
		error = errno;
		goto fd;
	}
	all->sn_len = size;
	sr->sr_free = all;
	sr->sr_size = size;
	return 0;

fd:
	close(sr->sr_fd);
fail:
	free(all);
	return error;
}

int
shmem_grow(struct shmem *sm, size_t size)
{
	struct shmem_region *sr = &sm->sm_regions[sm->sm_nregions];
	int error;

	if (sm->sm_nregions == SHMEM_MAXREGIONS)
		return ENOSPC;
	error = region_make(sr, size);
	if (error)
		return error;
	pthread_mutex_lock(&sm->sm_lock);
	sr->sr_addr = sm->sm_next;
	sm->sm_next += sr->sr_size + SHMEM_ALIGN;
	__atomic_store_n(&sm->sm_nregions, sm->sm_nregions + 1,
	    __ATOMIC_RELEASE);
	pthread_mutex_unlock(&sm->sm_lock);
	return 0;
}

int
shmem_init(struct shmem *sm, unsigned int n, size_t size)
{
	int error = EINVAL;

	memset(sm, 0, sizeof(*sm));
	sm->sm_tag = shmem_tag;
	sm->sm_tag.dt_cookie = sm;
	sm->sm_next = FIRST_ADDR;
	pthread_mutex_init(&sm->sm_lock, NULL);
	if (n > 0 && n <= SHMEM_MAXREGIONS)
		error = 0;
	while (error == 0 && sm->sm_nregions < n)
		error = shmem_grow(sm, size);
	if (error)
		shmem_fini(sm);
	return error;
}

void
shmem_fini(struct shmem *sm)
{
	struct shmem_region *sr;
	struct shmem_map *mp;
	struct shmem_run *sn;

	/* Of buffers that were lost. */
	while ((mp = sm->sm_maps) != NULL) {
		sm->sm_maps = mp->mp_next;
		free(mp);
	}
	while (sm->sm_nregions > 0) {
		sr = &sm->sm_regions[--sm->sm_nregions];
		while ((sn = sr->sr_free) != NULL) {
			sr->sr_free = sn->sn_next;
			free(sn);
		}
		munmap(sr->sr_va, sr->sr_size);
		close(sr->sr_fd);
	}
	pthread_mutex_destroy(&sm->sm_lock);
}
