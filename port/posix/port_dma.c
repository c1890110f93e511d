/* SPDX-License-Identifier: ISC */
/*
 * bus_dma(9) on the host. An I/O MMU as it were: each load gets device
 * addresses that were never used before, with gaps between segments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "port_var.h"

#define GAP		0x10000u	/* between any two segments */
#define MAXMEMSEGS	4096

/* Who owns a byte of a loaded map, with po_shadow. */
#define OWN_PREREAD	0x01	/* the device may write it */
#define OWN_PREWRITE	0x02	/* the device may read it */

struct mem {
	struct mem *m_next;
	uint8_t *m_base;
	size_t m_size;
	int m_nsegs;
	int m_mapped;
	size_t m_lens[];		/* of segments */
};

struct map {
	struct pv_bus_dmamap mp_pub;	/* first */
	struct map *mp_next;
	bus_size_t mp_size;
	int mp_maxsegs;
	bus_size_t mp_maxsegsz;
	uint8_t *mp_buf;
	uint8_t *mp_shadow;
	uint8_t *mp_own;
};

static struct mem *mems;
static struct map *maps;

static bus_addr_t
new_addr(const void *p, bus_size_t len)
{
	bus_addr_t addr;

	addr = (port.po_base + GAP - 1) & ~(bus_addr_t)(GAP - 1);
	addr += (uintptr_t)p & (PAGE_SIZE - 1);
	port.po_base = addr + len + GAP;
	return addr;
}

static int
dmamap_create(bus_dma_tag_t t, bus_size_t size, int nsegments,
    bus_size_t maxsegsz, bus_size_t boundary, int flags, bus_dmamap_t *mapp)
{
	struct map *mp;

	(void)t;
	(void)boundary;
	(void)flags;
	if (port_may_fail())
		return ENOMEM;
	if (size == 0 || nsegments <= 0)
		port_violation("bus_dmamap_create of nothing");
	mp = calloc(1, sizeof(*mp));
	mp->mp_pub.dm_segs = calloc((size_t)nsegments,
	    sizeof(*mp->mp_pub.dm_segs));
	mp->mp_pub.dm_flags = port.po_shadow ? 0 : PV_BUS_DMAMAP_ISCOHERENT;
	mp->mp_size = size;
	mp->mp_maxsegs = nsegments;
	mp->mp_maxsegsz = maxsegsz;
	mp->mp_next = maps;
	maps = mp;
	port.po_dmamaps++;
	*mapp = &mp->mp_pub;
	return 0;
}

/* What was asked for is asked for again: tests have hundreds of maps. */
static struct map *
to_front(struct map *mp)
{
	struct map **p;

	for (p = &maps; *p != mp; p = &(*p)->mp_next)
		;
	*p = mp->mp_next;
	mp->mp_next = maps;
	maps = mp;
	return mp;
}

static struct map *
map_of(bus_dmamap_t dm, const char *what)
{
	struct map *mp;

	for (mp = maps; mp != NULL; mp = mp->mp_next)
		if (&mp->mp_pub == dm)
			return to_front(mp);
	port_violation("%s of a map that does not exist", what);
	return NULL;
}

static void
map_forget(struct map *mp)
{
	free(mp->mp_shadow);
	free(mp->mp_own);
	mp->mp_shadow = mp->mp_own = NULL;
	mp->mp_buf = NULL;
	if (mp->mp_pub.dm_mapsize != 0)
		port.po_loads--;
	mp->mp_pub.dm_mapsize = 0;
	mp->mp_pub.dm_nsegs = 0;
	memset(mp->mp_pub.dm_segs, 0xee,
	    (size_t)mp->mp_maxsegs * sizeof(*mp->mp_pub.dm_segs));
}

static void
dmamap_destroy(bus_dma_tag_t t, bus_dmamap_t dm)
{
	struct map *mp = map_of(dm, "bus_dmamap_destroy"), **p;

	(void)t;
	if (mp == NULL)
		return;
	if (dm->dm_mapsize != 0)
		port_violation("bus_dmamap_destroy of a loaded map");
	map_forget(mp);
	for (p = &maps; *p != mp; p = &(*p)->mp_next)
		;
	*p = mp->mp_next;
	free(mp->mp_pub.dm_segs);
	free(mp);
	port.po_dmamaps--;
}

static struct mem *
mem_of(const uint8_t *p)
{
	struct mem *m;

	for (m = mems; m != NULL; m = m->m_next)
		if (p >= m->m_base && p < m->m_base + m->m_size)
			return m;
	return NULL;
}

/* Bytes from p on that have device addresses without a gap. */
static size_t
run_at(const uint8_t *p, size_t len)
{
	const struct mem *m = mem_of(p);
	size_t off, end = 0;
	int i;

	if (m == NULL)
		return port.po_segsize != 0 && port.po_segsize < len ?
		    (size_t)port.po_segsize : len;
	off = (size_t)(p - m->m_base);
	for (i = 0; i < m->m_nsegs; i++) {
		end += m->m_lens[i];
		if (off < end)
			break;
	}
	return end - off < len ? end - off : len;
}

static int
dmamap_load(bus_dma_tag_t t, bus_dmamap_t dm, void *buf, bus_size_t buflen,
    void *proc, int flags)
{
	struct map *mp = map_of(dm, "bus_dmamap_load");
	bus_dma_segment_t *seg;
	uint8_t *p = buf;
	size_t left = (size_t)buflen, run;

	(void)t;
	(void)proc;
	(void)flags;
	if (mp == NULL)
		return EINVAL;
	if (dm->dm_mapsize != 0)
		port_violation("bus_dmamap_load of a loaded map");
	if (buflen > mp->mp_size)
		return EINVAL;
	if (port_may_fail())
		return ENOMEM;
	dm->dm_nsegs = 0;
	while (left > 0) {
		run = run_at(p, left);
		if (mp->mp_maxsegsz != 0 && run > mp->mp_maxsegsz)
			run = (size_t)mp->mp_maxsegsz;
		if (dm->dm_nsegs == mp->mp_maxsegs)
			return EFBIG;
		seg = &dm->dm_segs[dm->dm_nsegs++];
		seg->ds_addr = new_addr(p, run);
		seg->ds_len = run;
		p += run;
		left -= run;
	}
	mp->mp_buf = buf;
	dm->dm_mapsize = buflen;
	port.po_loads++;
	if (port.po_shadow) {
		mp->mp_shadow = malloc((size_t)buflen);
		mp->mp_own = calloc(1, (size_t)buflen);
		memset(mp->mp_shadow, 0xa5, (size_t)buflen);
	}
	return 0;
}

static int
dmamap_load_raw(bus_dma_tag_t t, bus_dmamap_t dm, bus_dma_segment_t *segs,
    int nsegs, bus_size_t size, int flags)
{
	struct mem *m = segs[0]._ds_port;

	(void)nsegs;
	if (m == NULL || !m->m_mapped) {
		port_violation("bus_dmamap_load_raw before bus_dmamem_map");
		return EINVAL;
	}
	return dmamap_load(t, dm, m->m_base, size, NULL, flags);
}

static void
dmamap_unload(bus_dma_tag_t t, bus_dmamap_t dm)
{
	struct map *mp = map_of(dm, "bus_dmamap_unload");

	(void)t;
	if (mp == NULL)
		return;
	if (dm->dm_mapsize == 0)
		port_violation("bus_dmamap_unload of what is not loaded");
	map_forget(mp);
}

/* Each byte of each sync: many at once, which sanitizers would prevent. */
static __attribute__((__no_sanitize__("address", "undefined"))) void
own_change(uint8_t *own, bus_size_t len, unsigned int gets, unsigned int loses)
{
	bus_size_t i;

	for (i = 0; i < len; i++)
		own[i] = (uint8_t)((own[i] | gets) & ~loses);
}

static void
dmamap_sync(bus_dma_tag_t t, bus_dmamap_t dm, bus_addr_t off, bus_size_t len,
    int ops)
{
	struct map *mp = map_of(dm, "bus_dmamap_sync");
	const int pre = BUS_DMASYNC_PREREAD | BUS_DMASYNC_PREWRITE;
	const int post = BUS_DMASYNC_POSTREAD | BUS_DMASYNC_POSTWRITE;
	const unsigned int gets =
	    (ops & BUS_DMASYNC_PREREAD ? OWN_PREREAD : 0u) |
	    (ops & BUS_DMASYNC_PREWRITE ? OWN_PREWRITE : 0u);
	const unsigned int loses =
	    (ops & BUS_DMASYNC_POSTREAD ? OWN_PREREAD : 0u) |
	    (ops & BUS_DMASYNC_POSTWRITE ? OWN_PREWRITE : 0u);

	(void)t;
	if (mp == NULL)
		return;
	if ((ops & pre) && (ops & post))
		port_violation("bus_dmamap_sync: PRE and POST in one call");
	if (len == 0 || off > dm->dm_mapsize || len > dm->dm_mapsize - off) {
		port_violation("bus_dmamap_sync beyond what is loaded: "
		    "%llu + %llu of %llu", (unsigned long long)off,
		    (unsigned long long)len,
		    (unsigned long long)dm->dm_mapsize);
		return;
	}
	if (mp->mp_shadow == NULL)
		return;
	if (ops & BUS_DMASYNC_PREWRITE)
		memcpy(mp->mp_shadow + off, mp->mp_buf + off, (size_t)len);
	if (ops & BUS_DMASYNC_POSTREAD)
		memcpy(mp->mp_buf + off, mp->mp_shadow + off, (size_t)len);
	own_change(mp->mp_own + off, len, gets, loses);
}

static int
dmamem_alloc(bus_dma_tag_t t, bus_size_t size, bus_size_t alignment,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	struct mem *m;
	size_t left, run;

	(void)t;
	(void)boundary;
	(void)flags;
	if (port_may_fail())
		return ENOMEM;
	if (alignment > PAGE_SIZE || (alignment & (alignment - 1)) != 0)
		port_violation("bus_dmamem_alloc: alignment 0x%llx",
		    (unsigned long long)alignment);
	if (nsegs > MAXMEMSEGS)
		nsegs = MAXMEMSEGS;
	m = calloc(1, sizeof(*m) + (size_t)nsegs * sizeof(m->m_lens[0]));
	m->m_size = (size_t)size;
	for (left = (size_t)size; left > 0; left -= run) {
		if (m->m_nsegs == nsegs) {
			free(m);
			return ENOMEM;
		}
		run = port.po_segsize != 0 && port.po_segsize < left ?
		    (size_t)port.po_segsize : left;
		segs[m->m_nsegs]._ds_port = m;
		segs[m->m_nsegs].ds_addr = 0xbad00000ull;
		segs[m->m_nsegs].ds_len = run;
		m->m_lens[m->m_nsegs++] = run;
	}
	/* To the byte, so that an access beyond it is seen. */
	if (posix_memalign((void **)&m->m_base, PAGE_SIZE, (size_t)size) != 0)
		abort();
	memset(m->m_base, 0xcb, (size_t)size);
	m->m_next = mems;
	mems = m;
	port.po_dmamems++;
	*rsegs = m->m_nsegs;
	return 0;
}

static void
dmamem_free(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs)
{
	struct mem *m = segs[0]._ds_port, **p;
	struct map *mp;

	(void)t;
	if (nsegs != m->m_nsegs)
		port_violation("bus_dmamem_free of %d segments of %d", nsegs,
		    m->m_nsegs);
	if (m->m_mapped)
		port_violation("bus_dmamem_free of mapped memory");
	for (mp = maps; mp != NULL; mp = mp->mp_next)
		if (mp->mp_buf >= m->m_base &&
		    mp->mp_buf < m->m_base + m->m_size)
			port_violation("bus_dmamem_free of loaded memory");
	for (p = &mems; *p != m; p = &(*p)->m_next)
		;
	*p = m->m_next;
	free(m->m_base);
	free(m);
	port.po_dmamems--;
}

static int
dmamem_map(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, size_t size,
    void **kvap, int flags)
{
	struct mem *m = segs[0]._ds_port;

	(void)t;
	if (nsegs != m->m_nsegs || size > m->m_size)
		port_violation("bus_dmamem_map of other segments");
	if ((flags & BUS_DMA_COHERENT) && port.po_refuse_coherent)
		return ENOTSUP;
	if (port_may_fail())
		return ENOMEM;
	m->m_mapped++;
	*kvap = m->m_base;
	return 0;
}

static void
dmamem_unmap(bus_dma_tag_t t, void *kva, size_t size)
{
	struct mem *m = mem_of(kva);

	(void)t;
	if (m == NULL || !m->m_mapped || size != m->m_size) {
		port_violation("bus_dmamem_unmap of what is not mapped");
		return;
	}
	m->m_mapped--;
}

/* Pages of user space: neither a device's address nor a CPU's. */
static paddr_t
dmamem_mmap(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, off_t off,
    int prot, int flags)
{
	struct mem *m = segs[0]._ds_port;

	(void)t;
	(void)nsegs;
	(void)prot;
	(void)flags;
	if (off < 0 || (size_t)off >= m->m_size)
		return (paddr_t)-1;
	return 0x70000000ull + (paddr_t)off;
}

static const struct pv_bus_dma_tag plain_tag = {
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

static void
plain_reset(void)
{
	struct map *mp;
	struct mem *m;

	while ((mp = maps) != NULL) {
		maps = mp->mp_next;
		free(mp->mp_shadow);
		free(mp->mp_own);
		free(mp->mp_pub.dm_segs);
		free(mp);
	}
	while ((m = mems) != NULL) {
		mems = m->m_next;
		free(m->m_base);
		free(m);
	}
}

/* The map that holds addr .. addr + len in one segment, and the offset. */
static struct map *
find(bus_addr_t addr, size_t len, size_t *offp)
{
	struct map *mp;
	const bus_dma_segment_t *seg;
	size_t off;
	int i;

	for (mp = maps; mp != NULL; mp = mp->mp_next) {
		off = 0;
		for (i = 0; i < mp->mp_pub.dm_nsegs; i++) {
			seg = &mp->mp_pub.dm_segs[i];
			if (addr >= seg->ds_addr &&
			    addr - seg->ds_addr < seg->ds_len &&
			    len <= seg->ds_len - (addr - seg->ds_addr)) {
				*offp = off + (size_t)(addr - seg->ds_addr);
				return to_front(mp);
			}
			off += (size_t)seg->ds_len;
		}
	}
	return NULL;
}

static void
check_owner(const struct map *mp, size_t off, size_t len, int own,
    const char *what)
{
	size_t i;

	for (i = off; i < off + len; i++)
		if ((mp->mp_own[i] & own) == 0) {
			port_violation("device %s byte %zu of a map without "
			    "the PRE sync for it", what, i);
			return;
		}
}

static size_t
plain_owned(bus_dmamap_t dm, size_t off, size_t len, int ops)
{
	const struct map *mp = map_of(dm, "port_dma_owned");
	int own = 0;
	size_t i, n = 0;

	if (ops & BUS_DMASYNC_PREREAD)
		own |= OWN_PREREAD;
	if (ops & BUS_DMASYNC_PREWRITE)
		own |= OWN_PREWRITE;
	for (i = off; i < off + len; i++)
		n += (mp->mp_own[i] & own) != 0;
	return n;
}

static void *
plain_kva(bus_addr_t addr, size_t len)
{
	struct map *mp;
	size_t off;

	mp = find(addr, len, &off);
	return mp == NULL ? NULL : mp->mp_buf + off;
}

static int
plain_read(bus_addr_t addr, void *buf, size_t len)
{
	struct map *mp;
	size_t off;

	mp = find(addr, len, &off);
	if (mp == NULL) {
		port_violation("device reads 0x%llx + %zu: not loaded",
		    (unsigned long long)addr, len);
		memset(buf, 0xdd, len);
		return -1;
	}
	if (mp->mp_shadow != NULL) {
		check_owner(mp, off, len, OWN_PREWRITE, "reads");
		memcpy(buf, mp->mp_shadow + off, len);
	} else
		memcpy(buf, mp->mp_buf + off, len);
	return 0;
}

static int
plain_write(bus_addr_t addr, const void *buf, size_t len)
{
	struct map *mp;
	size_t off;

	mp = find(addr, len, &off);
	if (mp == NULL) {
		port_violation("device writes 0x%llx + %zu: not loaded",
		    (unsigned long long)addr, len);
		return -1;
	}
	if (mp->mp_shadow != NULL) {
		check_owner(mp, off, len, OWN_PREREAD, "writes");
		memcpy(mp->mp_shadow + off, buf, len);
	} else
		memcpy(mp->mp_buf + off, buf, len);
	return 0;
}

const struct port_bus port_plain_bus = {
	.pb_name = "plain",
	.pb_tag = &plain_tag,
	.pb_read = plain_read,
	.pb_write = plain_write,
	.pb_kva = plain_kva,
	.pb_owned = plain_owned,
	.pb_reset = plain_reset,
};
