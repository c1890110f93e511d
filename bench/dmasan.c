/* SPDX-License-Identifier: ISC */
/*
 * bus_dma(9) that holds driver and device to every rule of it. An address of
 * one kind is never one of another: pointers are the process's, physical
 * addresses lie in a range of their own, and each load makes new bus addresses
 * that are never used again.
 *
 * The plain bus (port_dma.c) keeps books of its own, and far fewer: fuzzers run
 * on it, and it knows nothing of the bench. Here each entry has a history, and
 * each fault is a rule with stacks; what the two could share is a list.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_var.h"
#include "port_var.h"

#define GAP		0x10000u	/* between any two segments */
#define PHYS_BASE	0x1000000000ull
#define MAXMEMSEGS	4096
#define KEEP_DEAD	512		/* unloaded segments remembered */

struct mem {
	struct mem *m_next;
	uint8_t *m_base;
	size_t m_size;
	int m_nsegs;
	int m_mapped;
	int m_users;
	int m_flags;			/* of bus_dmamem_map */
	int m_coherent;
	int m_both;			/* was asked to be coherent */
	struct stack m_alloc;
	struct {
		paddr_t pa;
		size_t off;
		size_t len;
	} m_segs[MAXMEMSEGS];
};

struct map {
	struct pv_bus_dmamap mp_pub;	/* first */
	struct map *mp_next;
	struct map *mp_same;		/* of the same bucket */
	bus_size_t mp_size;
	int mp_maxsegs;
	bus_size_t mp_maxsegsz;
	int mp_flags;			/* of load: the direction */
	uint16_t mp_kind;		/* O_LINE, O_BOUNCE, O_COHERENT */
	uint8_t *mp_buf;
	uint8_t *mp_copy;		/* O_BOUNCE */
	struct stack mp_load;
	struct stack mp_sync;		/* the last one */
	int mp_synced;
};

/* What was loaded once, for findings of after. */
struct grave {
	unsigned int gr_refs;
	struct stack gr_load;
	struct stack gr_unload;
};

/* Device addresses in use, and of the past, in ascending order. */
struct range {
	bus_addr_t ra_addr;
	bus_size_t ra_len;
	struct map *ra_map;		/* NULL: unloaded */
	struct grave *ra_grave;
	size_t ra_off;			/* in the map */
};

static struct mem *mems;
static struct mem *zombies;		/* freed too early */
static struct map *maps;		/* the newest first */
static struct map *map_buckets[256];	/* by the driver's pointer */
static struct range *ranges;
static size_t nranges, maxranges, ndead;
static paddr_t next_pa = PHYS_BASE;

static void
about_map(const struct map *mp, struct about *ab)
{
	memset(ab, 0, sizeof(*ab));
	if (mp == NULL || mp->mp_buf == NULL)
		return;
	ab->ab_what = "loaded";
	ab->ab_stack = &mp->mp_load;
	if (mp->mp_synced) {
		ab->ab_what2 = "last synced";
		ab->ab_stack2 = &mp->mp_sync;
	}
}

void
about_cpu(uintptr_t addr, struct about *ab)
{
	const struct map *mp;

	for (mp = maps; mp != NULL; mp = mp->mp_next)
		if (mp->mp_buf != NULL &&
		    addr - (uintptr_t)mp->mp_buf < mp->mp_pub.dm_mapsize)
			break;
	about_map(mp, ab);
}

/* Ranges */

static void
range_bury(struct range *ra)
{
	if (--ra->ra_grave->gr_refs == 0)
		free(ra->ra_grave);
	ndead--;
}

/* Forget the oldest of the unloaded ones. */
static void
ranges_compact(void)
{
	size_t i, n = 0;

	for (i = 0; i < nranges; i++) {
		if (ranges[i].ra_map == NULL && ndead > KEEP_DEAD)
			range_bury(&ranges[i]);
		else
			ranges[n++] = ranges[i];
	}
	nranges = n;
}

static void
range_add(struct map *mp, bus_addr_t addr, bus_size_t len, size_t off)
{
	if (ndead > 2 * KEEP_DEAD)
		ranges_compact();
	if (nranges == maxranges) {
		maxranges = maxranges != 0 ? 2 * maxranges : 256;
		ranges = realloc(ranges, maxranges * sizeof(*ranges));
	}
	ranges[nranges++] = (struct range){
		.ra_addr = addr, .ra_len = len, .ra_map = mp, .ra_off = off
	};
}

/* The last one that begins at or below addr; NULL: none does. */
static struct range *
range_find(bus_addr_t addr)
{
	size_t lo = 0, hi = nranges, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (ranges[mid].ra_addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 ? NULL : &ranges[lo - 1];
}

static void
ranges_unload(struct map *mp)
{
	struct grave *gr = NULL;
	struct range *ra;
	int i;

	for (i = 0; i < mp->mp_pub.dm_nsegs; i++) {
		ra = range_find(mp->mp_pub.dm_segs[i].ds_addr);
		if (ra == NULL || ra->ra_map != mp)
			continue;
		if (gr == NULL) {
			gr = calloc(1, sizeof(*gr));
			gr->gr_load = mp->mp_load;
			stack_take(&gr->gr_unload);
		}
		gr->gr_refs++;
		ra->ra_map = NULL;
		ra->ra_grave = gr;
		ndead++;
	}
}

/* A test may move the addresses down; they are in order all the same. */
static bus_addr_t
new_addr(const void *p, bus_size_t len)
{
	bus_addr_t addr;

	if (nranges > 0 && port.po_base <= ranges[nranges - 1].ra_addr)
		nranges = 0, ndead = 0;
	addr = (port.po_base + GAP - 1) & ~(bus_addr_t)(GAP - 1);
	addr += (uintptr_t)p & (PAGE_SIZE - 1);
	port.po_base = addr + len + GAP;
	return addr;
}

/* Memory */

static struct mem *
mem_of(uintptr_t p)
{
	struct mem *m;

	for (m = mems; m != NULL; m = m->m_next)
		if (p - (uintptr_t)m->m_base < m->m_size)
			return m;
	return NULL;
}

/* The segments that a driver holds, as bus_dmamem_alloc gave them. */
static struct mem *
mem_check(const bus_dma_segment_t *segs, int nsegs, const char *what)
{
	struct mem *m;
	struct about ab;

	for (m = mems; m != NULL; m = m->m_next)
		if (m == segs[0]._ds_port)
			break;
	if (m == NULL) {
		finding(BENCH_MEM_UNKNOWN, NULL, "%s of segments that "
		    "are not allocated", what);
		return NULL;
	}
	if (nsegs != m->m_nsegs) {
		ab = (struct about){ "allocated", &m->m_alloc, NULL, NULL };
		finding(BENCH_MEM_UNKNOWN, &ab, "%s of %d segments of %d", what,
		    nsegs, m->m_nsegs);
	}
	return m;
}

/*
 * The longest run of device addresses: as short as asked for, but no shorter
 * than what lets total bytes pass in nsegs segments.
 */
static bus_size_t
segment_limit(bus_size_t total, int nsegs, bus_size_t align)
{
	bus_size_t limit = bench_config.bd_segsize;
	bus_size_t least = (total + (bus_size_t)nsegs - 1) / (bus_size_t)nsegs;

	if (port.po_segsize != 0)
		return port.po_segsize;
	if (limit == 0)
		return 0;
	if (limit < least)
		limit = least;
	return (limit + align - 1) & ~(align - 1);
}

static int
mem_place(struct mem *m, bus_dma_segment_t *segs, int nsegs, bus_size_t align)
{
	bus_size_t limit = segment_limit(m->m_size, nsegs, align);
	size_t off, run;
	int i = 0;

	for (off = 0; off < m->m_size; off += run, i++) {
		if (i == nsegs || i == MAXMEMSEGS)
			return ENOMEM;
		run = m->m_size - off;
		if (limit != 0 && run > limit)
			run = (size_t)limit;
		m->m_segs[i].pa = next_pa;
		m->m_segs[i].off = off;
		m->m_segs[i].len = run;
		next_pa += (run + 3 * PAGE_SIZE - 1) &
		    ~(paddr_t)(PAGE_SIZE - 1);
		segs[i]._ds_port = m;
		segs[i].ds_addr = m->m_segs[i].pa;
		segs[i].ds_len = run;
	}
	m->m_nsegs = i;
	return 0;
}

static int
san_mem_alloc(bus_dma_tag_t t, bus_size_t size, bus_size_t alignment,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	struct mem *m;

	(void)t;
	(void)boundary;
	(void)flags;
	if (port_may_fail())
		return ENOMEM;
	if (alignment > PAGE_SIZE || (alignment & (alignment - 1)) != 0)
		port_violation("bus_dmamem_alloc: alignment 0x%llx",
		    (unsigned long long)alignment);
	m = calloc(1, sizeof(*m));
	m->m_size = (size_t)size;
	if (mem_place(m, segs, nsegs, alignment != 0 ? alignment : 1)) {
		free(m);
		return ENOMEM;
	}
	/* To the byte, so that an access beyond it is seen. */
	if (posix_memalign((void **)&m->m_base, PAGE_SIZE, m->m_size) != 0)
		abort();
	memset(m->m_base, 0xcb, m->m_size);
	stack_take(&m->m_alloc);
	m->m_next = mems;
	mems = m;
	port.po_dmamems++;
	*rsegs = m->m_nsegs;
	return 0;
}

static void
judge_free(const struct mem *m)
{
	struct about ab = { "allocated", &m->m_alloc, NULL, NULL };
	const struct map *mp;

	if (m->m_mapped)
		finding(BENCH_MEM_FREE_MAPPED, &ab, "%zu bytes are freed while "
		    "the kernel maps them", m->m_size);
	if (m->m_users)
		finding(BENCH_MEM_FREE_USER, &ab, "%zu bytes are freed while "
		    "user space maps %d pages of them", m->m_size, m->m_users);
	for (mp = maps; mp != NULL; mp = mp->mp_next)
		if (mp->mp_buf != NULL && mem_of((uintptr_t)mp->mp_buf) == m) {
			about_map(mp, &ab);
			finding(BENCH_MEM_FREE_LOADED, &ab, "%zu bytes are "
			    "freed while a map has them loaded", m->m_size);
			return;
		}
}

static void
san_mem_free(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs)
{
	struct mem *m = mem_check(segs, nsegs, "bus_dmamem_free"), **p;

	(void)t;
	if (m == NULL)
		return;
	judge_free(m);
	for (p = &mems; *p != m; p = &(*p)->m_next)
		;
	*p = m->m_next;
	port.po_dmamems--;
	/* What somebody still has is not given to others. */
	if (m->m_users || m->m_mapped || chunk_find((uintptr_t)m->m_base)) {
		m->m_next = zombies;
		zombies = m;
		return;
	}
	free(m->m_base);
	free(m);
}

static int
san_mem_map(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, size_t size,
    void **kvap, int flags)
{
	struct mem *m = mem_check(segs, nsegs, "bus_dmamem_map");

	(void)t;
	if (m == NULL)
		return EINVAL;
	if (size > m->m_size)
		finding(BENCH_MEM_UNKNOWN, NULL, "bus_dmamem_map of %zu bytes "
		    "of %zu", size, m->m_size);
	m->m_both = (flags & BUS_DMA_COHERENT) != 0 || m->m_both;
	if ((flags & BUS_DMA_COHERENT) &&
	    (port.po_refuse_coherent || bench_config.bd_refuse_coherent))
		return ENOTSUP;
	if (port_may_fail())
		return ENOMEM;
	m->m_mapped++;
	m->m_flags = flags & (BUS_DMA_COHERENT | BUS_DMA_NOCACHE);
	m->m_coherent = m->m_flags != 0;
	*kvap = m->m_base;
	return 0;
}

static void
san_mem_unmap(bus_dma_tag_t t, void *kva, size_t size)
{
	struct mem *m = mem_of((uintptr_t)kva);

	(void)t;
	if (m == NULL || !m->m_mapped || size != m->m_size) {
		finding(BENCH_MEM_UNKNOWN, NULL, "bus_dmamem_unmap of %zu "
		    "bytes at %p, which are not mapped so", size, kva);
		return;
	}
	m->m_mapped--;
}

static paddr_t
san_mem_mmap(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, off_t off,
    int prot, int flags)
{
	struct mem *m = mem_check(segs, nsegs, "bus_dmamem_mmap");
	struct about ab;
	int i;

	(void)t;
	(void)prot;
	if (m == NULL || off < 0)
		return (paddr_t)-1;
	flags &= BUS_DMA_COHERENT | BUS_DMA_NOCACHE;
	if (m->m_mapped && flags != m->m_flags) {
		ab = (struct about){ "allocated", &m->m_alloc, NULL, NULL };
		finding(BENCH_MMAP_CACHE, &ab, "mapped for the kernel with "
		    "flags 0x%x, for user space with 0x%x", m->m_flags, flags);
	}
	for (i = 0; i < m->m_nsegs; i++)
		if ((size_t)off - m->m_segs[i].off < m->m_segs[i].len)
			return m->m_segs[i].pa + ((size_t)off -
			    m->m_segs[i].off);
	return (paddr_t)-1;
}

/* Maps */

static int
tag_is_coherent(void)
{
	return bench_config.bd_coherent && !bench_config.bd_bounce &&
	    !port.po_shadow;
}

static struct map **
map_bucket(bus_dmamap_t dm)
{
	return &map_buckets[(uintptr_t)dm / sizeof(struct map) % 256];
}

static struct map *
map_of(bus_dmamap_t dm, const char *what)
{
	struct map *mp;

	for (mp = *map_bucket(dm); mp != NULL; mp = mp->mp_same)
		if (&mp->mp_pub == dm)
			return mp;
	finding(BENCH_MAP_UNKNOWN, NULL, "%s of a map that does not exist",
	    what);
	return NULL;
}

static int
san_map_create(bus_dma_tag_t t, bus_size_t size, int nsegments,
    bus_size_t maxsegsz, bus_size_t boundary, int flags, bus_dmamap_t *mapp)
{
	struct map *mp, **bucket;

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
	mp->mp_pub.dm_flags = tag_is_coherent() ? PV_BUS_DMAMAP_ISCOHERENT : 0;
	mp->mp_size = size;
	mp->mp_maxsegs = nsegments;
	mp->mp_maxsegsz = maxsegsz;
	mp->mp_next = maps;
	maps = mp;
	bucket = map_bucket(&mp->mp_pub);
	mp->mp_same = *bucket;
	*bucket = mp;
	port.po_dmamaps++;
	*mapp = &mp->mp_pub;
	return 0;
}

/* The part of off .. off + len that lies in one chunk. */
static size_t
span_at(const struct map *mp, size_t off, size_t len, struct span *sp)
{
	uintptr_t addr = (uintptr_t)mp->mp_buf + off;

	sp->sp_ck = chunk_find(addr);
	sp->sp_i = addr % CHUNK;
	sp->sp_n = CHUNK - sp->sp_i < len ?
	    CHUNK - sp->sp_i : (unsigned int)len;
	sp->sp_cpu = mp->mp_buf + off;
	if (mp->mp_copy != NULL)
		sp->sp_dev = mp->mp_copy + off;
	else
		sp->sp_dev = &sp->sp_ck->ck_dev[sp->sp_i];
	return sp->sp_n;
}

static unsigned int
span_find(const struct span *sp, uint16_t mask, uint16_t want)
{
	return own_find(sp->sp_ck->ck_own + sp->sp_i, sp->sp_n, mask, want);
}

static void
span_change(const struct span *sp, uint16_t set, uint16_t clear)
{
	own_change(sp->sp_ck->ck_own + sp->sp_i, sp->sp_n, set, clear);
}

static bus_addr_t
addr_at(const struct map *mp, size_t off)
{
	const bus_dma_segment_t *seg = mp->mp_pub.dm_segs;

	for (; off >= seg->ds_len; seg++)
		off -= (size_t)seg->ds_len;
	return seg->ds_addr + off;
}

/*
 * What was given to the device to read (and which it has read, by then), and
 * not taken back; 0: nothing. It may be in several chains at once: then the
 * others' turn is to come.
 */
static int
judge_no_post(const struct map *mp, const struct span *sp, size_t off,
    uint16_t which, const struct about *ab, const char *what)
{
	const uint16_t mask = (uint16_t)(which | O_BOTH | O_USER);
	unsigned int k = span_find(sp, mask, which);

	if (k == sp->sp_n || port_held(addr_at(mp, off + k), 1, 0) != NULL)
		return 0;
	finding(BENCH_SYNC_NO_POST, ab, "%s of byte %zu of a map of %llu, which "
	    "had PREWRITE, and no POSTWRITE after it", what, off + k,
	    (unsigned long long)mp->mp_pub.dm_mapsize);
	return 1;
}

static void
judge_unload(const struct map *mp)
{
	size_t off, n, len = (size_t)mp->mp_pub.dm_mapsize;
	const char *what;
	struct about ab;
	struct span sp;
	int i;

	about_map(mp, &ab);
	for (i = 0; i < mp->mp_pub.dm_nsegs; i++) {
		what = port_held(mp->mp_pub.dm_segs[i].ds_addr,
		    mp->mp_pub.dm_segs[i].ds_len, 1);
		if (what == NULL)
			continue;
		finding(BENCH_MAP_HELD, &ab, "unload of a map of %zu bytes, "
		    "part of %s", len, what);
		return;
	}
	for (off = 0; off < len; off += n) {
		n = span_at(mp, off, len - off, &sp);
		if (sp.sp_ck != NULL &&
		    judge_no_post(mp, &sp, off, O_WRITE, &ab, "unload"))
			return;
	}
}

static void
map_forget(struct map *mp)
{
	order_catch_up();
	if (mp->mp_buf != NULL) {
		judge_unload(mp);
		ranges_unload(mp);
		memory_remove(mp->mp_buf, (size_t)mp->mp_pub.dm_mapsize);
		port.po_loads--;
	}
	free(mp->mp_copy);
	mp->mp_copy = NULL;
	mp->mp_buf = NULL;
	mp->mp_synced = 0;
	mp->mp_pub.dm_mapsize = 0;
	mp->mp_pub.dm_nsegs = 0;
	memset(mp->mp_pub.dm_segs, 0xee,
	    (size_t)mp->mp_maxsegs * sizeof(*mp->mp_pub.dm_segs));
}

static void
san_map_destroy(bus_dma_tag_t t, bus_dmamap_t dm)
{
	struct map *mp = map_of(dm, "bus_dmamap_destroy"), **p;
	struct about ab;

	(void)t;
	if (mp == NULL)
		return;
	if (mp->mp_buf != NULL) {
		about_map(mp, &ab);
		finding(BENCH_MAP_DESTROY_LOADED, &ab,
		    "a map is destroyed that has %llu bytes loaded",
		    (unsigned long long)dm->dm_mapsize);
	}
	map_forget(mp);
	for (p = &maps; *p != mp; p = &(*p)->mp_next)
		;
	*p = mp->mp_next;
	for (p = map_bucket(dm); *p != mp; p = &(*p)->mp_same)
		;
	*p = mp->mp_same;
	free(mp->mp_pub.dm_segs);
	free(mp);
	port.po_dmamaps--;
}

/* Bytes from p on, inside of left, that have device addresses without a gap. */
static size_t
run_at(const struct map *mp, const uint8_t *p, size_t left)
{
	const struct mem *m = mem_of((uintptr_t)p);
	bus_size_t limit = segment_limit(mp->mp_size, mp->mp_maxsegs, 1);
	size_t off;
	int i;

	if (m != NULL) {
		off = (size_t)(p - m->m_base);
		for (i = 0; off - m->m_segs[i].off >= m->m_segs[i].len; i++)
			;
		limit = m->m_segs[i].off + m->m_segs[i].len - off;
	}
	if (limit != 0 && left > limit)
		left = (size_t)limit;
	if (mp->mp_maxsegsz != 0 && left > mp->mp_maxsegsz)
		left = (size_t)mp->mp_maxsegsz;
	return left;
}

static int
count_runs(const struct map *mp, const uint8_t *p, size_t left)
{
	size_t run;
	int n = 0;

	for (; left > 0; left -= run, p += run, n++)
		run = run_at(mp, p, left);
	return n;
}

static uint16_t
kind_of(const void *buf)
{
	const struct mem *m = mem_of((uintptr_t)buf);

	if (tag_is_coherent() || (m != NULL && m->m_coherent))
		return O_COHERENT;
	return bench_config.bd_bounce ? O_BOUNCE : O_LINE;
}

static uint16_t
both_of(const void *buf)
{
	const struct mem *m = mem_of((uintptr_t)buf);

	return m != NULL && m->m_both ? O_BOTH : 0;
}

static void
map_fill(struct map *mp, uint8_t *p, size_t left)
{
	bus_dma_segment_t *seg = mp->mp_pub.dm_segs;
	size_t run, off;

	for (off = 0; off < left; off += run, seg++) {
		run = run_at(mp, p + off, left - off);
		seg->ds_addr = new_addr(p + off, run);
		seg->ds_len = run;
		range_add(mp, seg->ds_addr, run, off);
	}
	mp->mp_pub.dm_nsegs = (int)(seg - mp->mp_pub.dm_segs);
}

static int
san_map_load(bus_dma_tag_t t, bus_dmamap_t dm, void *buf, bus_size_t buflen,
    void *proc, int flags)
{
	struct map *mp = map_of(dm, "bus_dmamap_load");
	struct about ab;

	(void)t;
	(void)proc;
	if (mp == NULL)
		return EINVAL;
	if (mp->mp_buf != NULL) {
		about_map(mp, &ab);
		finding(BENCH_MAP_DOUBLE_LOAD, &ab, "a map is loaded that has "
		    "%llu bytes loaded", (unsigned long long)dm->dm_mapsize);
		map_forget(mp);
	}
	if (buflen == 0 || buflen > mp->mp_size)
		return EINVAL;
	if (port_may_fail())
		return ENOMEM;
	if (count_runs(mp, buf, (size_t)buflen) > mp->mp_maxsegs)
		return EFBIG;
	mp->mp_kind = kind_of(buf);
	mp->mp_flags = flags & (BUS_DMA_READ | BUS_DMA_WRITE);
	mp->mp_buf = buf;
	map_fill(mp, buf, (size_t)buflen);
	dm->dm_mapsize = buflen;
	dm->dm_flags = mp->mp_kind == O_COHERENT ? PV_BUS_DMAMAP_ISCOHERENT : 0;
	memory_add(buf, (size_t)buflen,
	    (uint16_t)(mp->mp_kind | both_of(buf)));
	if (mp->mp_kind == O_BOUNCE) {
		mp->mp_copy = malloc((size_t)buflen);
		memset(mp->mp_copy, 0xa5, (size_t)buflen);
	}
	stack_take(&mp->mp_load);
	port.po_loads++;
	return 0;
}

static int
san_map_load_raw(bus_dma_tag_t t, bus_dmamap_t dm, bus_dma_segment_t *segs,
    int nsegs, bus_size_t size, int flags)
{
	struct mem *m = mem_check(segs, nsegs, "bus_dmamap_load_raw");
	struct about ab;

	if (m == NULL)
		return EINVAL;
	if (!m->m_mapped) {
		ab = (struct about){ "allocated", &m->m_alloc, NULL, NULL };
		finding(BENCH_MEM_LOAD_RAW, &ab, "bus_dmamap_load_raw of "
		    "memory that the kernel has not mapped");
		return EINVAL;
	}
	return san_map_load(t, dm, m->m_base, size, NULL, flags);
}

static void
san_map_unload(bus_dma_tag_t t, bus_dmamap_t dm)
{
	struct map *mp = map_of(dm, "bus_dmamap_unload");

	(void)t;
	if (mp == NULL)
		return;
	if (mp->mp_buf == NULL)
		finding(BENCH_MAP_NOT_LOADED, NULL, "bus_dmamap_unload of a "
		    "map that is not loaded");
	map_forget(mp);
	mp->mp_pub.dm_flags = tag_is_coherent() ? PV_BUS_DMAMAP_ISCOHERENT : 0;
}

/* Syncs */

static void
sync_pre(const struct map *mp, const struct span *sp, size_t off, int ops,
    const struct about *ab)
{
	unsigned int k;

	judge_no_post(mp, sp, off, O_WRITE | O_SEEN, ab, "PRE");
	for (k = span_find(sp, O_READ, O_READ); k < sp->sp_n; k++)
		if (sp->sp_ck->ck_own[sp->sp_i + k] & O_READ)
			sp->sp_ck->ck_own[sp->sp_i + k] |= O_TWICE;
	if (ops & BUS_DMASYNC_PREREAD)
		span_change(sp, O_READ, O_WRITTEN);
	if (ops & BUS_DMASYNC_PREWRITE)
		span_change(sp, O_WRITE, O_WRITTEN | O_SEEN);
	if (mp->mp_kind == O_BOUNCE) {
		memcpy(sp->sp_ck->ck_snap + sp->sp_i, sp->sp_cpu, sp->sp_n);
		if (ops & BUS_DMASYNC_PREWRITE)
			memcpy(sp->sp_dev, sp->sp_cpu, sp->sp_n);
		return;
	}
	lines_clean(sp->sp_ck, sp->sp_i, sp->sp_n, ab);
	if (ops & BUS_DMASYNC_PREREAD)
		lines_invalidate(sp->sp_ck, sp->sp_i, sp->sp_n, ab);
}

static void
judge_post(const struct map *mp, const struct span *sp, size_t off,
    const struct about *ab)
{
	unsigned int k = span_find(sp, O_READ | O_TWICE, 0);

	if (k < sp->sp_n)
		finding(BENCH_SYNC_POST_NO_PRE, ab, "POSTREAD of byte %zu of a "
		    "map of %llu, which had no PREREAD", off + k,
		    (unsigned long long)mp->mp_pub.dm_mapsize);
}

static void
bounce_post(const struct map *mp, const struct span *sp, size_t off,
    const struct about *ab)
{
	unsigned int k;

	k = memcmp(sp->sp_cpu, sp->sp_ck->ck_snap + sp->sp_i, sp->sp_n) == 0 ?
	    sp->sp_n : 0;
	for (; k < sp->sp_n; k++)
		if (sp->sp_cpu[k] != sp->sp_ck->ck_snap[sp->sp_i + k]) {
			finding(BENCH_CPU_STORE, ab, "POSTREAD overwrites what "
			    "the CPU stored at byte %zu of a map of %llu",
			    off + k, (unsigned long long)mp->mp_pub.dm_mapsize);
			break;
		}
	memcpy(sp->sp_cpu, sp->sp_dev, sp->sp_n);
	memcpy(sp->sp_ck->ck_snap + sp->sp_i, sp->sp_dev, sp->sp_n);
}

static void
sync_post(const struct map *mp, const struct span *sp, size_t off, int ops,
    const struct about *ab)
{
	if (ops & BUS_DMASYNC_POSTWRITE)
		span_change(sp, 0, O_WRITE | O_SEEN);
	if (!(ops & BUS_DMASYNC_POSTREAD))
		return;
	judge_post(mp, sp, off, ab);
	if (mp->mp_kind == O_BOUNCE)
		bounce_post(mp, sp, off, ab);
	else
		lines_invalidate(sp->sp_ck, sp->sp_i, sp->sp_n, ab);
	span_change(sp, 0, O_READ | O_WRITTEN | O_FETCHED);
}

#define PRE	(BUS_DMASYNC_PREREAD | BUS_DMASYNC_PREWRITE)
#define POST	(BUS_DMASYNC_POSTREAD | BUS_DMASYNC_POSTWRITE)

/* 0: the sync is in order. */
static int
judge_sync(const struct map *mp, bus_addr_t off, bus_size_t len, int ops)
{
	struct about ab;

	about_map(mp, &ab);
	if (mp->mp_buf == NULL) {
		finding(BENCH_SYNC_NOT_LOADED, NULL, "bus_dmamap_sync of a map "
		    "that is not loaded");
		return -1;
	}
	if ((ops & PRE) && (ops & POST))
		finding(BENCH_SYNC_PRE_POST, &ab, "bus_dmamap_sync with 0x%x",
		    (unsigned int)ops);
	if (len == 0 || off > mp->mp_pub.dm_mapsize ||
	    len > mp->mp_pub.dm_mapsize - off) {
		finding(BENCH_SYNC_OUTSIDE, &ab, "bus_dmamap_sync of %llu "
		    "bytes at %llu of a map of %llu", (unsigned long long)len,
		    (unsigned long long)off,
		    (unsigned long long)mp->mp_pub.dm_mapsize);
		return -1;
	}
	return 0;
}

static void
san_map_sync(bus_dma_tag_t t, bus_dmamap_t dm, bus_addr_t offset,
    bus_size_t length, int ops)
{
	struct map *mp = map_of(dm, "bus_dmamap_sync");
	size_t off = (size_t)offset, len = (size_t)length, n;
	struct about ab;
	struct span sp;

	(void)t;
	order_catch_up();
	if (mp == NULL || judge_sync(mp, offset, length, ops))
		return;
	stack_take(&mp->mp_sync);
	mp->mp_synced = 1;
	if (mp->mp_kind == O_COHERENT)
		return;
	about_map(mp, &ab);
	for (; len > 0; len -= n, off += n) {
		n = span_at(mp, off, len, &sp);
		if (sp.sp_ck == NULL)
			continue;
		if (ops & POST)
			sync_post(mp, &sp, off, ops, &ab);
		if (ops & PRE)
			sync_pre(mp, &sp, off, ops, &ab);
		if (mp->mp_kind == O_LINE)
			lines_chance(sp.sp_ck);
	}
}

static const struct pv_bus_dma_tag san_tag = {
	.dt_dmamap_create = san_map_create,
	.dt_dmamap_destroy = san_map_destroy,
	.dt_dmamap_load = san_map_load,
	.dt_dmamap_load_raw = san_map_load_raw,
	.dt_dmamap_unload = san_map_unload,
	.dt_dmamap_sync = san_map_sync,
	.dt_dmamem_alloc = san_mem_alloc,
	.dt_dmamem_free = san_mem_free,
	.dt_dmamem_map = san_mem_map,
	.dt_dmamem_unmap = san_mem_unmap,
	.dt_dmamem_mmap = san_mem_mmap,
};

/* The device */

/* The page of memory at this physical address, or NULL. */
static struct mem *
mem_at_phys(paddr_t pa, uint8_t **cpu)
{
	struct mem *m;
	int i;

	for (m = mems; m != NULL; m = m->m_next)
		for (i = 0; i < m->m_nsegs; i++)
			if (pa - m->m_segs[i].pa < m->m_segs[i].len) {
				*cpu = m->m_base + m->m_segs[i].off +
				    (size_t)(pa - m->m_segs[i].pa);
				return m;
			}
	return NULL;
}

/* One of ours, or as high up as the stack, the heap or the program. */
static int
is_pointer(uint64_t addr)
{
	static const char here;
	uint64_t near[2] = { (uintptr_t)&here, (uintptr_t)&addr };
	void *heap;
	int hit;

	if (mem_of((uintptr_t)addr) != NULL ||
	    chunk_find((uintptr_t)addr) != NULL)
		return 1;
	if (sizeof(void *) < 8)
		return 0;
	heap = malloc(1);
	hit = addr >> 40 == near[0] >> 40 || addr >> 40 == near[1] >> 40 ||
	    addr >> 40 == (uint64_t)(uintptr_t)heap >> 40;
	free(heap);
	return hit;
}

static void
no_range(bus_addr_t addr, size_t len, const char *what, const struct range *ra)
{
	struct about ab = { 0 };
	const struct mem *m;
	uint8_t *cpu;

	if (is_pointer(addr)) {
		m = mem_of((uintptr_t)addr);
		if (m != NULL)
			ab = (struct about){ "allocated", &m->m_alloc, 0, 0 };
		finding(BENCH_DEVICE_CPU_ADDRESS, &ab, "device %s %zu bytes at "
		    "0x%llx, which is a pointer of the CPU's", what, len,
		    (unsigned long long)addr);
		return;
	}
	m = mem_at_phys(addr, &cpu);
	if (m != NULL) {
		ab = (struct about){ "allocated", &m->m_alloc, 0, 0 };
		finding(BENCH_DEVICE_PHYS_ADDRESS, &ab, "device %s %zu bytes "
		    "at 0x%llx, which is a physical address", what, len,
		    (unsigned long long)addr);
		return;
	}
	if (ra != NULL && ra->ra_map != NULL &&
	    addr - ra->ra_addr - ra->ra_len < GAP / 2) {
		about_map(ra->ra_map, &ab);
		finding(BENCH_DEVICE_OUTSIDE, &ab, "device %s %zu bytes at "
		    "0x%llx, %llu beyond the end of a segment of %llu", what,
		    len, (unsigned long long)addr, (unsigned long long)
		    (addr - ra->ra_addr - ra->ra_len),
		    (unsigned long long)ra->ra_len);
		return;
	}
	finding(BENCH_DEVICE_NOT_LOADED, NULL, "device %s %zu bytes at 0x%llx, "
	    "which is nowhere", what, len, (unsigned long long)addr);
}

/* The map at this device address; what is wrong is a finding. */
static struct map *
device_find(bus_addr_t addr, size_t len, const char *what, size_t *off)
{
	struct range *ra = range_find(addr);
	struct about ab;

	if (ra == NULL || addr - ra->ra_addr >= ra->ra_len) {
		no_range(addr, len, what, ra);
		return NULL;
	}
	if (ra->ra_map == NULL) {
		ab = (struct about){ "unloaded", &ra->ra_grave->gr_unload,
		    "loaded", &ra->ra_grave->gr_load };
		finding(BENCH_DEVICE_AFTER_UNLOAD, &ab, "device %s %zu bytes "
		    "at 0x%llx, byte %llu of a segment that was unloaded", what,
		    len, (unsigned long long)addr,
		    (unsigned long long)(addr - ra->ra_addr));
		return NULL;
	}
	if (len > ra->ra_len - (addr - ra->ra_addr)) {
		about_map(ra->ra_map, &ab);
		finding(BENCH_DEVICE_OUTSIDE, &ab, "device %s %zu bytes at "
		    "0x%llx, of which %llu are in the segment", what, len,
		    (unsigned long long)addr,
		    (unsigned long long)(ra->ra_len - (addr - ra->ra_addr)));
		return NULL;
	}
	*off = ra->ra_off + (size_t)(addr - ra->ra_addr);
	return ra->ra_map;
}

static void
judge_direction(const struct map *mp, int flag, const char *what)
{
	struct about ab;

	if (mp->mp_flags == 0 || (mp->mp_flags & flag))
		return;
	about_map(mp, &ab);
	finding(BENCH_DEVICE_DIRECTION, &ab, "device %s a map that was loaded "
	    "with %s alone", what, flag == BUS_DMA_READ ? "BUS_DMA_WRITE" :
	    "BUS_DMA_READ");
}

/* Has the CPU stored there since the bytes were given to the device? */
static int
stale(const struct map *mp, const struct span *sp, unsigned int k)
{
	uint16_t own = sp->sp_ck->ck_own[sp->sp_i + k];

	if (own & (O_WRITTEN | O_USER))
		return 0;
	if (mp->mp_kind == O_BOUNCE)
		return sp->sp_cpu[k] != sp->sp_dev[k];
	return sp->sp_cpu[k] != sp->sp_dev[k] &&
	    byte_changed(sp->sp_ck, sp->sp_i + k);
}

static void
judge_read(const struct map *mp, const struct span *sp, size_t off)
{
	unsigned int k, end = span_find(sp, O_WRITE | O_WRITTEN | O_FROMDEV, 0);
	struct about ab;

	k = bench_stepping || memcmp(sp->sp_cpu, sp->sp_dev, end) == 0 ? end : 0;
	while (k < end && !stale(mp, sp, k))
		k++;
	if (k == sp->sp_n)
		return;
	about_map(mp, &ab);
	if (k == end)
		finding(BENCH_DEVICE_NO_PREWRITE, &ab, "device reads byte %zu "
		    "of a map of %llu, which had no PREWRITE", off + k,
		    (unsigned long long)mp->mp_pub.dm_mapsize);
	else
		finding(BENCH_DEVICE_STALE, &ab, "device reads byte %zu of a "
		    "map of %llu: it gets 0x%02x, the CPU has stored 0x%02x "
		    "since PREWRITE", off + k,
		    (unsigned long long)mp->mp_pub.dm_mapsize, sp->sp_dev[k],
		    sp->sp_cpu[k]);
}

static int
san_read(bus_addr_t addr, void *buf, size_t len)
{
	uint8_t *to = buf;
	struct map *mp;
	struct span sp;
	size_t off, n;

	if (len == 0)
		return 0;
	mp = device_find(addr, len, "reads", &off);
	if (mp == NULL) {
		memset(buf, 0xdd, len);
		return -1;
	}
	judge_direction(mp, BUS_DMA_WRITE, "reads");
	for (; len > 0; len -= n, off += n, to += n) {
		n = span_at(mp, off, len, &sp);
		if (mp->mp_kind == O_COHERENT) {
			memcpy(to, sp.sp_cpu, n);
			order_device_read((uintptr_t)sp.sp_cpu, to, n);
		} else {
			judge_read(mp, &sp, off);
			memcpy(to, sp.sp_dev, n);
			span_change(&sp, O_SEEN, 0);
		}
		chunk_touch(sp.sp_ck, sp.sp_i, sp.sp_n, 1);
		if (mp->mp_kind == O_LINE)
			lines_chance(sp.sp_ck);
	}
	return 0;
}

/*
 * Lines that the CPU has dirty while the device writes into them: one of the
 * two loses.
 */
static void
judge_dirty(const struct map *mp, const struct span *sp)
{
	unsigned int l, k, end = sp->sp_i + sp->sp_n;
	struct about ab;

	for (l = line_of(sp->sp_i); l < end; l += line_size()) {
		if (!line_dirty(sp->sp_ck, l))
			continue;
		for (k = l; line_of(k) == line_of(l) && k < CHUNK; k++)
			if (byte_changed(sp->sp_ck, k))
				break;
		if (k == CHUNK || line_of(k) != line_of(l))
			continue;
		about_map(mp, &ab);
		finding(sp->sp_ck->ck_own[k] & O_READ ? BENCH_CPU_STORE :
		    BENCH_SHARED_LINE, &ab, "device writes into a line in "
		    "which the CPU has stored byte %u, %p, meanwhile",
		    k - line_of(l), (void *)(sp->sp_ck->ck_base + k));
		return;
	}
}

/*
 * A device that runs beside the CPU may write an index while the CPU is just
 * looking at it: nothing is dirty there, so nothing is lost.
 */
static void
judge_write(const struct map *mp, const struct span *sp, size_t off)
{
	const uint16_t may = bench_stepping ? O_READ | O_POLLED : O_READ;
	unsigned int k = span_find(sp, may, 0);
	struct about ab;

	if (k < sp->sp_n) {
		about_map(mp, &ab);
		finding(BENCH_DEVICE_NO_PREREAD, &ab, "device writes byte %zu "
		    "of a map of %llu, which had no PREREAD", off + k,
		    (unsigned long long)mp->mp_pub.dm_mapsize);
		return;
	}
	if (mp->mp_kind == O_LINE)
		judge_dirty(mp, sp);
}

static int
san_write(bus_addr_t addr, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	struct map *mp;
	struct span sp;
	size_t off, n;

	if (len == 0)
		return 0;
	mp = device_find(addr, len, "writes", &off);
	if (mp == NULL)
		return -1;
	judge_direction(mp, BUS_DMA_READ, "writes");
	for (; len > 0; len -= n, off += n, from += n) {
		n = span_at(mp, off, len, &sp);
		if (mp->mp_kind == O_COHERENT) {
			order_device_write((uintptr_t)sp.sp_cpu, n);
			memcpy(sp.sp_cpu, from, n);
			span_change(&sp, O_FROMDEV, O_FETCHED);
		} else {
			judge_write(mp, &sp, off);
			memcpy(sp.sp_dev, from, n);
			span_change(&sp, O_FROMDEV | O_WRITTEN, O_FETCHED);
		}
		chunk_touch(sp.sp_ck, sp.sp_i, sp.sp_n, 1);
		if (mp->mp_kind == O_LINE)
			lines_chance(sp.sp_ck);
	}
	return 0;
}

static void *
san_kva(bus_addr_t addr, size_t len)
{
	struct range *ra = range_find(addr);

	if (ra == NULL || ra->ra_map == NULL ||
	    addr - ra->ra_addr >= ra->ra_len ||
	    len > ra->ra_len - (addr - ra->ra_addr))
		return NULL;
	return ra->ra_map->mp_buf + ra->ra_off + (size_t)(addr - ra->ra_addr);
}

static size_t
san_owned(bus_dmamap_t dm, size_t off, size_t len, int ops)
{
	const struct map *mp = map_of(dm, "port_dma_owned");
	uint16_t own = 0;
	size_t k, n = 0;
	struct span sp;

	if (ops & BUS_DMASYNC_PREREAD)
		own |= O_READ;
	if (ops & BUS_DMASYNC_PREWRITE)
		own |= O_WRITE;
	for (k = off; k < off + len; k++) {
		span_at(mp, k, 1, &sp);
		n += (sp.sp_ck->ck_own[sp.sp_i] & own) != 0;
	}
	return n;
}

static void
san_field(bus_addr_t addr, size_t len, enum port_field kind)
{
	static const uint16_t own[] = {
		[PORT_FIELD_POLLED] = O_POLLED, [PORT_FIELD_INDEX] = O_INDEX,
		[PORT_FIELD_EVENT] = O_EVENT, [PORT_FIELD_FLAGS] = O_FLAGS,
		[PORT_FIELD_NEXT] = O_POLLED | O_INDEX,
		[PORT_FIELD_LOST] = O_POLLED | O_INDEX | O_FLAGS,
	};
	uintptr_t cpu = (uintptr_t)san_kva(addr, len);
	struct chunk *ck;

	if (!(own[kind] & O_POLLED))
		order_field(cpu, len);
	for (; cpu != 0 && len > 0; len--, cpu++) {
		ck = chunk_find(cpu);
		if (ck == NULL)
			continue;
		ck->ck_own[cpu % CHUNK] &= (uint16_t)~O_FIELD;
		ck->ck_own[cpu % CHUNK] |= own[kind];
	}
}

static void
mems_free(struct mem **list)
{
	struct mem *m;

	while ((m = *list) != NULL) {
		*list = m->m_next;
		free(m->m_base);
		free(m);
	}
}

static void
san_reset(void)
{
	struct map *mp;
	size_t i;

	while ((mp = maps) != NULL) {
		maps = mp->mp_next;
		free(mp->mp_copy);
		free(mp->mp_pub.dm_segs);
		free(mp);
	}
	memset(map_buckets, 0, sizeof(map_buckets));
	for (i = 0; i < nranges; i++)
		if (ranges[i].ra_grave != NULL)
			range_bury(&ranges[i]);
	nranges = 0;
	ndead = 0;
	mems_free(&mems);
	mems_free(&zombies);
	memory_reset();
	order_reset();
}

static const struct port_bus san_bus = {
	.pb_name = "dmasan",
	.pb_tag = &san_tag,
	.pb_read = san_read,
	.pb_write = san_write,
	.pb_kva = san_kva,
	.pb_owned = san_owned,
	.pb_field = san_field,
	.pb_barrier = order_barrier,
	.pb_reset = san_reset,
};

void
bench_dma_use(const struct bench_dma *bd)
{
	if (bd != NULL)
		bench_config = *bd;
	findings_reset();
	port_bus_use(bd != NULL ? &san_bus : NULL);
}

/* User space */

static void
user_mark(const uint8_t *cpu, const uint8_t *end)
{
	struct chunk *ck;
	unsigned int k;

	for (k = 0; k < PAGE_SIZE && cpu + k < end; k++) {
		ck = chunk_find((uintptr_t)cpu + k);
		if (ck != NULL)
			ck->ck_own[((uintptr_t)cpu + k) % CHUNK] |= O_USER;
	}
}

void *
bench_user_map(paddr_t pa)
{
	struct range *ra;
	struct mem *m;
	uint8_t *cpu;

	if (pa == (paddr_t)-1)
		return NULL;
	m = mem_at_phys(pa, &cpu);
	if (m != NULL && pa % PAGE_SIZE == 0) {
		m->m_users++;
		user_mark(cpu, m->m_base + m->m_size);
		return cpu;
	}
	ra = range_find(pa);
	if (is_pointer(pa))
		finding(BENCH_USER_CPU_ADDRESS, NULL, "user space is given a "
		    "page at 0x%llx, which is a pointer of the kernel's",
		    (unsigned long long)pa);
	else if (ra != NULL && pa - ra->ra_addr < ra->ra_len)
		finding(BENCH_USER_BUS_ADDRESS, NULL, "user space is given a "
		    "page at 0x%llx, which is a device's address",
		    (unsigned long long)pa);
	else
		finding(BENCH_USER_NO_PAGE, NULL, "user space is given a page "
		    "at 0x%llx, which is none", (unsigned long long)pa);
	return NULL;
}

void
bench_user_unmap(void *va)
{
	struct mem *m = mem_of((uintptr_t)va);

	if (m != NULL && m->m_users > 0)
		m->m_users--;
}

/* The environment */

static int
parse_word(const char *word, struct bench_dma *bd)
{
	unsigned long long n = 0;
	char name[24];
	int fields;

	fields = sscanf(word, "%23[a-z-]=%llu", name, &n);
	if (fields == 1 && strcmp(name, "coherent") == 0)
		bd->bd_coherent = 1;
	else if (fields == 1 && strcmp(name, "noncoherent") == 0)
		bd->bd_coherent = 0;
	else if (fields == 1 && strcmp(name, "refuse-coherent") == 0)
		bd->bd_refuse_coherent = 1;
	else if (fields == 1 && strcmp(name, "bounce") == 0)
		bd->bd_bounce = 1;
	else if (fields == 1 && strcmp(name, "change") == 0)
		bd->bd_change = 1;
	else if (fields == 2 && strcmp(name, "line") == 0)
		bd->bd_line = (unsigned int)n;
	else if (fields == 2 && strcmp(name, "segsize") == 0)
		bd->bd_segsize = n;
	else if (fields == 2 && strcmp(name, "seed") == 0)
		bd->bd_seed = n;
	else if (fields == 2 && strcmp(name, "chance") == 0)
		bd->bd_chance = (unsigned int)n;
	else
		return -1;
	return 0;
}

int
bench_dma_parse(const char *text, struct bench_dma *bd)
{
	char buf[256], *word, *save;

	snprintf(buf, sizeof(buf), "%s", text);
	for (word = strtok_r(buf, ",", &save); word != NULL;
	    word = strtok_r(NULL, ",", &save))
		if (parse_word(word, bd))
			return -1;
	return 0;
}

__attribute__((__constructor__)) void
bench_environment(void)
{
	static int done;
	const char *words = getenv("PARAVANE_BENCH");
	struct bench_dma bd = { 0 };

	if (done++ || words == NULL || *words == '\0')
		return;
	if (bench_dma_parse(words, &bd)) {
		fprintf(stderr, "PARAVANE_BENCH: %s?\n", words);
		exit(2);
	}
	bench_dma_use(&bd);
}
