/* SPDX-License-Identifier: ISC */
/*
 * The page allocator over `machine`'s memory, and kmalloc: slabs of one page
 * for sizes up to 1920 bytes, runs of pages above.
 */
#include <string.h>

#include "bootinfo.h"
#include "vm.h"
#include "kmem.h"
#include "log.h"
#include "machine.h"
#include "cpu.h"
#include "pages.h"

static struct pagemap maps[MACHINE_MAXMEM];
static unsigned nmaps;

/* Slabs. The header takes the first 64 or 128 bytes of the page. */
#define SLAB_MAGIC	0x62616c73u
#define SLAB_BITS	4

struct slab {
	uint32_t	sl_magic;
	uint32_t	sl_class;
	uint32_t	sl_nfree;
	uint32_t	sl_first;	/* offset of object 0 */
	uint64_t	sl_free[SLAB_BITS];
	struct slab	*sl_next;	/* in the class's list of not-full */
	struct slab	*sl_prev;
};

static const uint16_t class_size[] = {
	16, 32, 64, 128, 256, 384, 512, 640, 768, 1024, 1280, 1920
};
#define NCLASSES	(sizeof(class_size) / sizeof(class_size[0]))

static struct slab *class_list[NCLASSES];

static struct pagemap *
map_of(paddr_t pa, size_t npages, size_t *index)
{
	for (unsigned i = 0; i < nmaps; i++) {
		struct pagemap *pm = &maps[i];
		uint64_t at;

		if (pa < pm->pm_base)
			continue;
		at = (pa - pm->pm_base) >> PAGE_SHIFT;
		if (at < pm->pm_npages && npages <= pm->pm_npages - at) {
			*index = (size_t)at;
			return pm;
		}
	}
	return NULL;
}

/*
 * The first part of [base, end) that is not ours to give: what the machine
 * reserves, or the image. It may reach beyond the end.
 */
static bool
first_reserved(paddr_t base, paddr_t end, paddr_t *rbase, paddr_t *rend)
{
	const struct machine *m = &machine;
	bool found = false;
	paddr_t b, e;

	for (unsigned i = 0; i <= m->m_nreserved; i++) {
		if (i == m->m_nreserved) {
			b = vm_physical(_image_start);
			e = b + (paddr_t)(_image_end - _image_start);
		} else {
			b = m->m_reserved[i].mr_base;
			e = b + m->m_reserved[i].mr_size;
		}
		b &= ~(paddr_t)PAGE_MASK;
		e = (e + PAGE_MASK) & ~(paddr_t)PAGE_MASK;
		if (e <= base || b >= end)
			continue;
		if (b < base)
			b = base;
		if (!found || b < *rbase) {
			*rbase = b;
			*rend = e;
			found = true;
		} else if (b == *rbase && e > *rend)
			*rend = e;
	}
	return found;
}

/*
 * The next stretch [base, end) from *at on that is free of reservations.
 * False at the end.
 */
static bool
next_stretch(paddr_t *at, paddr_t limit, paddr_t *end)
{
	paddr_t rb = 0, re = 0;

	while (*at < limit) {
		if (!first_reserved(*at, limit, &rb, &re)) {
			*end = limit;
			return true;
		}
		if (rb > *at) {
			*end = rb;
			return true;
		}
		*at = re;
	}
	return false;
}

static void
add_range(paddr_t base, paddr_t limit)
{
	struct pagemap *pm = &maps[nmaps];
	size_t npages = (size_t)((limit - base) >> PAGE_SHIFT);
	size_t need = (pagemap_bytes(npages) + PAGE_MASK) & ~PAGE_MASK;
	paddr_t at, end, store = 0;
	bool fit = false;

	/* The first stretch that holds the bitmaps; never page 0. */
	for (at = base; !fit && next_stretch(&at, limit, &end); at = end) {
		if (at == 0)
			at = PAGE_SIZE;
		if (at < end && end - at >= need) {
			store = at;
			fit = true;
		}
	}
	if (!fit)
		return;
	pagemap_init(pm, base, npages, vm_dmap(store, need));
	for (at = base; next_stretch(&at, limit, &end); at = end) {
		paddr_t b = at == 0 ? PAGE_SIZE : at;

		if (b == store)
			b += need;
		if (b < end)
			pagemap_give(pm, (size_t)((b - base) >> PAGE_SHIFT),
			    (size_t)((end - b) >> PAGE_SHIFT));
	}
	nmaps++;
}

void
kmem_add(paddr_t base, paddr_t end)
{
	if (nmaps < MACHINE_MAXMEM)
		add_range(base, end);
}

paddr_t
page_alloc(size_t npages, size_t align, paddr_t limit)
{
	uint64_t daif;
	paddr_t pa = 0;
	size_t at;

	if (align < PAGE_SIZE)
		align = PAGE_SIZE;
	if ((align & (align - 1)) != 0)
		return 0;
	daif = intr_disable();
	for (unsigned i = 0; i < nmaps; i++) {
		at = pagemap_find(&maps[i], npages, align, limit);
		if (at == (size_t)-1)
			continue;
		pagemap_take(&maps[i], at, npages);
		pa = maps[i].pm_base + ((paddr_t)at << PAGE_SHIFT);
		break;
	}
	intr_restore(daif);
	return pa;
}

paddr_t
page_alloc_best(size_t npages, paddr_t limit, size_t *got)
{
	struct pagemap *best = NULL;
	size_t at, best_at = 0, n;
	uint64_t daif;

	*got = 0;
	daif = intr_disable();
	for (unsigned i = 0; i < nmaps && *got < npages; i++) {
		at = pagemap_find_best(&maps[i], npages, limit, &n);
		if (n > *got) {
			*got = n;
			best = &maps[i];
			best_at = at;
		}
	}
	if (best != NULL)
		pagemap_take(best, best_at, *got);
	intr_restore(daif);
	return best == NULL ? 0 :
	    best->pm_base + ((paddr_t)best_at << PAGE_SHIFT);
}

void
page_free(paddr_t pa, size_t npages)
{
	struct pagemap *pm;
	uint64_t daif;
	size_t at;
	bool ok;

	pm = map_of(pa, npages, &at);
	if (pm == NULL || (pa & PAGE_MASK) != 0)
		panic("page_free: %zu pages at 0x%llx are no memory", npages,
		    (unsigned long long)pa);
	daif = intr_disable();
	ok = pagemap_give(pm, at, npages);
	intr_restore(daif);
	if (!ok)
		panic("page_free: %zu pages at 0x%llx are free", npages,
		    (unsigned long long)pa);
}

bool
page_is_ram(paddr_t pa, size_t len)
{
	size_t at;
	paddr_t first = pa & ~(paddr_t)PAGE_MASK;

	if (len == 0 || pa + len < pa)
		return false;
	return map_of(first, (size_t)((pa + len - first + PAGE_MASK) >>
	    PAGE_SHIFT), &at) != NULL;
}

size_t
page_total(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < nmaps; i++)
		n += maps[i].pm_npages;
	return n;
}

size_t
page_free_count(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < nmaps; i++)
		n += maps[i].pm_nfree;
	return n;
}

static void *
large_alloc(size_t size)
{
	size_t npages = (size + PAGE_MASK) >> PAGE_SHIFT, at;
	struct pagemap *pm;
	paddr_t pa;

	pa = page_alloc(npages, 0, 0);
	if (pa == 0)
		return NULL;
	pm = map_of(pa, npages, &at);
	pagemap_mark(pm->pm_last, at + npages - 1, true);
	return vm_dmap(pa, npages << PAGE_SHIFT);
}

/* Pages of a large allocation; 0 if it is none. */
static size_t
large_pages(const void *p)
{
	struct pagemap *pm;
	size_t at, i;

	pm = map_of(vm_physical(p), 1, &at);
	if (pm == NULL)
		return 0;
	for (i = at; i < pm->pm_npages; i++) {
		if (pagemap_bit(pm->pm_free, i))
			return 0;
		if (pagemap_bit(pm->pm_last, i))
			return i - at + 1;
	}
	return 0;
}

static void
list_add(struct slab *sl)
{
	struct slab **head = &class_list[sl->sl_class];

	sl->sl_prev = NULL;
	sl->sl_next = *head;
	if (*head != NULL)
		(*head)->sl_prev = sl;
	*head = sl;
}

static void
list_remove(struct slab *sl)
{
	if (sl->sl_prev != NULL)
		sl->sl_prev->sl_next = sl->sl_next;
	else
		class_list[sl->sl_class] = sl->sl_next;
	if (sl->sl_next != NULL)
		sl->sl_next->sl_prev = sl->sl_prev;
}

static unsigned
slab_objects(const struct slab *sl)
{
	return (unsigned)(PAGE_SIZE - sl->sl_first) / class_size[sl->sl_class];
}

static struct slab *
slab_new(unsigned class)
{
	paddr_t pa = page_alloc(1, 0, 0);
	struct slab *sl;

	if (pa == 0)
		return NULL;
	sl = vm_dmap(pa, PAGE_SIZE);
	memset(sl, 0, sizeof(*sl));
	sl->sl_magic = SLAB_MAGIC;
	sl->sl_class = class;
	sl->sl_first = class_size[class] < 128 ? 64 : 128;
	sl->sl_nfree = slab_objects(sl);
	for (unsigned i = 0; i < sl->sl_nfree; i++)
		pagemap_mark(sl->sl_free, i, true);
	list_add(sl);
	return sl;
}

static void *
slab_take(struct slab *sl)
{
	unsigned i = 0;

	while (sl->sl_free[i] == 0)
		i++;
	i = i * 64 + (unsigned)__builtin_ctzll(sl->sl_free[i]);
	pagemap_mark(sl->sl_free, i, false);
	if (--sl->sl_nfree == 0)
		list_remove(sl);
	return (char *)sl + sl->sl_first + i * class_size[sl->sl_class];
}

void *
kmalloc(size_t size)
{
	unsigned class = 0;
	struct slab *sl;
	uint64_t daif;
	void *p = NULL;

	if (size > SIZE_MAX / 2)
		return NULL;
	while (class < NCLASSES && class_size[class] < size)
		class++;
	daif = intr_disable();
	if (class == NCLASSES) {
		p = large_alloc(size);
	} else {
		sl = class_list[class];
		if (sl == NULL)
			sl = slab_new(class);
		if (sl != NULL)
			p = slab_take(sl);
	}
	intr_restore(daif);
	return p;
}

void *
kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p != NULL)
		memset(p, 0, size);
	return p;
}

/* The slab and index of an object; panics if p is none that is in use. */
static struct slab *
slab_of(void *p, unsigned *index)
{
	struct slab *sl = (struct slab *)((vaddr_t)p & ~PAGE_MASK);
	size_t off = (vaddr_t)p & PAGE_MASK;
	unsigned size;

	if (!page_is_ram(vm_physical(p), 1) || sl->sl_magic != SLAB_MAGIC ||
	    sl->sl_class >= NCLASSES || off < sl->sl_first)
		panic("kfree: %p was not allocated", p);
	size = class_size[sl->sl_class];
	*index = (unsigned)(off - sl->sl_first) / size;
	if ((off - sl->sl_first) % size != 0 ||
	    pagemap_bit(sl->sl_free, *index))
		panic("kfree: %p is not in use", p);
	return sl;
}

static void
slab_free(void *p)
{
	struct slab *sl;
	unsigned index;

	sl = slab_of(p, &index);
	pagemap_mark(sl->sl_free, index, true);
	if (sl->sl_nfree++ == 0)
		list_add(sl);
	/* Keep one empty slab of a class. */
	if (sl->sl_nfree == slab_objects(sl) &&
	    (sl->sl_next != NULL || sl->sl_prev != NULL)) {
		list_remove(sl);
		sl->sl_magic = 0;
		page_free(vm_physical(sl), 1);
	}
}

void
kfree(void *p)
{
	uint64_t daif;
	size_t npages;

	if (p == NULL)
		return;
	daif = intr_disable();
	if (((vaddr_t)p & PAGE_MASK) != 0) {
		slab_free(p);
	} else {
		npages = large_pages(p);
		if (npages == 0)
			panic("kfree: %p was not allocated", p);
		page_free(vm_physical(p), npages);
	}
	intr_restore(daif);
}
