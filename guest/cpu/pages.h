/* SPDX-License-Identifier: ISC */
/*
 * Runs of pages in a bitmap, one for each range of memory. No knowledge of
 * where the memory is: the host's tests use it too.
 */
#ifndef GUEST_CPU_PAGES_H
#define GUEST_CPU_PAGES_H

#include "mtypes.h"

struct pagemap {
	paddr_t		pm_base;
	size_t		pm_npages;
	size_t		pm_nfree;
	size_t		pm_hint;	/* no free page below this index */
	uint64_t	*pm_free;	/* a bit a page: 1 is free */
	uint64_t	*pm_last;	/* 1: ends what kmalloc handed out */
};

/* Bytes of memory for both bitmaps. */
size_t	pagemap_bytes(size_t npages);
/* All pages are in use at first. */
void	pagemap_init(struct pagemap *, paddr_t base, size_t npages, void *bits);

/*
 * The lowest run of npages whose address is a multiple of align (a power of
 * two, at least a page) and that ends at or below limit (inclusive): its index,
 * or (size_t)-1.  It is not taken yet.
 */
size_t	pagemap_find(struct pagemap *, size_t npages, uint64_t align,
	    paddr_t limit);
/* The longest run of at most npages; *got its length, 0 if none. */
size_t	pagemap_find_best(struct pagemap *, size_t npages, paddr_t limit,
	    size_t *got);
void	pagemap_take(struct pagemap *, size_t index, size_t npages);
/* False, and nothing changed, if one of them is free already. */
bool	pagemap_give(struct pagemap *, size_t index, size_t npages);

static inline bool
pagemap_bit(const uint64_t *bits, size_t i)
{
	return (bits[i / 64] >> (i % 64)) & 1;
}

static inline void
pagemap_mark(uint64_t *bits, size_t i, bool on)
{
	if (on)
		bits[i / 64] |= 1ull << (i % 64);
	else
		bits[i / 64] &= ~(1ull << (i % 64));
}

#endif
