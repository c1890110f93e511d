/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "pages.h"

#define NONE	((size_t)-1)

static size_t
words(size_t npages)
{
	return (npages + 63) / 64;
}

size_t
pagemap_bytes(size_t npages)
{
	return 2 * words(npages) * sizeof(uint64_t);
}

void
pagemap_init(struct pagemap *pm, paddr_t base, size_t npages, void *bits)
{
	pm->pm_base = base;
	pm->pm_npages = npages;
	pm->pm_nfree = 0;
	pm->pm_hint = 0;
	pm->pm_free = bits;
	pm->pm_last = pm->pm_free + words(npages);
	memset(bits, 0, pagemap_bytes(npages));
}

/* The first page from i on whose bit is `free`, or end. */
static size_t
next(const struct pagemap *pm, size_t i, size_t end, bool free)
{
	uint64_t w;

	while (i < end) {
		w = pm->pm_free[i / 64];
		if (!free)
			w = ~w;
		w &= ~0ull << (i % 64);
		if (w != 0) {
			i = i / 64 * 64 + (size_t)__builtin_ctzll(w);
			return i < end ? i : end;
		}
		i = i / 64 * 64 + 64;
	}
	return end;
}

/* Pages that lie wholly at or below limit. */
static size_t
below(const struct pagemap *pm, paddr_t limit)
{
	uint64_t n;

	if (limit == 0)
		return pm->pm_npages;
	if (limit < pm->pm_base)
		return 0;
	n = (limit - pm->pm_base) >> PAGE_SHIFT;
	if (((limit - pm->pm_base) & PAGE_MASK) == PAGE_MASK)
		n++;
	return n < pm->pm_npages ? (size_t)n : pm->pm_npages;
}

/* The first index from i on whose address is a multiple of align. */
static size_t
align_up(const struct pagemap *pm, size_t i, uint64_t align)
{
	uint64_t pa = pm->pm_base + ((uint64_t)i << PAGE_SHIFT);

	pa = (pa + align - 1) & ~(align - 1);
	return (size_t)((pa - pm->pm_base) >> PAGE_SHIFT);
}

size_t
pagemap_find(struct pagemap *pm, size_t npages, uint64_t align, paddr_t limit)
{
	size_t end = below(pm, limit);
	size_t i, start, stop;

	if (npages == 0 || npages > pm->pm_nfree)
		return NONE;
	i = next(pm, pm->pm_hint, pm->pm_npages, true);
	pm->pm_hint = i;
	while (i < end) {
		start = align_up(pm, i, align);
		if (start >= end || end - start < npages)
			return NONE;
		stop = next(pm, start, start + npages, false);
		if (stop == start + npages)
			return start;
		i = next(pm, stop, end, true);
	}
	return NONE;
}

size_t
pagemap_find_best(struct pagemap *pm, size_t npages, paddr_t limit,
    size_t *got)
{
	size_t end = below(pm, limit);
	size_t best = NONE, i, stop, most;

	*got = 0;
	for (i = next(pm, pm->pm_hint, end, true); i < end;
	    i = next(pm, stop, end, true)) {
		most = end - i < npages ? end - i : npages;
		stop = next(pm, i, i + most, false);
		if (stop - i > *got) {
			*got = stop - i;
			best = i;
		}
		if (*got == npages)
			break;
	}
	return best;
}

/* Set or clear n bits, a word at a time: memory comes by the gigabyte. */
static void
fill(uint64_t *bits, size_t at, size_t n, bool on)
{
	while (n > 0) {
		size_t bit = at % 64;
		size_t k = n < 64 - bit ? n : 64 - bit;
		uint64_t mask = (~0ull >> (64 - k)) << bit;

		if (on)
			bits[at / 64] |= mask;
		else
			bits[at / 64] &= ~mask;
		at += k;
		n -= k;
	}
}

void
pagemap_take(struct pagemap *pm, size_t index, size_t npages)
{
	fill(pm->pm_free, index, npages, false);
	fill(pm->pm_last, index, npages, false);
	pm->pm_nfree -= npages;
	if (index == pm->pm_hint)
		pm->pm_hint = index + npages;
}

bool
pagemap_give(struct pagemap *pm, size_t index, size_t npages)
{
	if (next(pm, index, index + npages, true) != index + npages)
		return false;
	fill(pm->pm_free, index, npages, true);
	fill(pm->pm_last, index, npages, false);
	pm->pm_nfree += npages;
	if (index < pm->pm_hint)
		pm->pm_hint = index;
	return true;
}
