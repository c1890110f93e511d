/* SPDX-License-Identifier: ISC */
/*
 * Memory: physical pages, and kmalloc on them. Callable from threads and
 * with interrupts off on CPU 0, not from interrupt handlers.
 */
#ifndef GUEST_KMEM_H
#define GUEST_KMEM_H

#include "mtypes.h"

/*
 * kmem_add - a range of memory, mapped by now, for the allocator
 *
 * The start calls it for each. What `machine` reserves in it, and the image,
 * are left out.
 */
void kmem_add(paddr_t base, paddr_t end);

/*
 * page_alloc - a contiguous run of pages
 *
 * npages	how many, at least 1
 * align	of its physical address, in bytes: a power of two, or 0
 * limit	the last byte lies below or at this address; 0: no limit
 *
 * Returns the physical address, page aligned, or 0 if there is no such run
 * (page 0 is never handed out).  Contents are undefined.  Reach it through
 * vm_dmap().
 */
paddr_t page_alloc(size_t npages, size_t align, paddr_t limit);

/*
 * page_alloc_best - the longest run up to npages
 *
 * As page_alloc with the page alignment, but takes the largest run that
 * there is, down to one page.  *got is how many pages came.
 */
paddr_t page_alloc_best(size_t npages, paddr_t limit, size_t *got);

/* Give back any part of what was allocated. Freeing twice is a panic. */
void page_free(paddr_t, size_t npages);

/* True if the whole range is memory of the allocator's, handed out or not. */
bool page_is_ram(paddr_t, size_t len);

size_t page_total(void);	/* pages that the allocator manages */
size_t page_free_count(void);

/*
 * kmalloc - memory for the kernel
 *
 * Aligned to 16 bytes; from 128 bytes on to 128, so that what a device
 * writes shares no cache line with anything else if the caller rounds its
 * sizes to 128 too; from a page on to a page.  NULL: ENOMEM.  kzalloc clears
 * it.  kfree(NULL) does nothing; freeing what was not allocated is a panic.
 */
void *kmalloc(size_t);
void *kzalloc(size_t);
void kfree(void *);

#endif
