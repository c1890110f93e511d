/* SPDX-License-Identifier: ISC */
/*
 * Page tables: 48 bits, 4 KiB granule, four levels. Nothing here knows where
 * tables live or how a TLB is flushed, so it runs on the host as well.
 */
#ifndef GUEST_CPU_PT_H
#define GUEST_CPU_PT_H

#include "mtypes.h"
#include "pte.h"

#define PT_ENTRIES	512
#define PT_ADDR		0x0000fffffffff000ull

struct pt {
	paddr_t		pt_root;
	bool		pt_bti;		/* GP on executable pages */
	/* set by the owner */
	paddr_t		(*pt_alloc)(struct pt *);	/* zeroed; 0: none */
	void		(*pt_free)(struct pt *, paddr_t);
	uint64_t	*(*pt_ptr)(struct pt *, paddr_t);
	/*
	 * pt_sync: stores to tables are seen by walks.  pt_flush: no CPU
	 * translates that page any more when it returns.
	 */
	void		(*pt_sync)(struct pt *);
	void		(*pt_flush)(struct pt *, vaddr_t);
};

/* Attribute bits of a leaf for VM_* protection and attribute. */
uint64_t pt_leaf(const struct pt *, int prot, int attr);
/* The way back. */
void	pt_decode(uint64_t pte, int *prot, int *attr);

/*
 * All take page-aligned ranges. pt_map uses blocks of 2 MiB and 1 GiB where
 * alignment allows and `blocks` is set; EEXIST and ENOMEM leave nothing
 * mapped that was not before.  pt_unmap and pt_protect act on whole leaves:
 * EINVAL if the range would cut a block.
 */
int	pt_map(struct pt *, vaddr_t va, paddr_t pa, uint64_t size,
	    uint64_t bits, bool blocks);
int	pt_unmap(struct pt *, vaddr_t va, uint64_t size);
int	pt_protect(struct pt *, vaddr_t va, uint64_t size, int prot);
/* The leaf that maps va and its size; ENOENT. */
int	pt_find(struct pt *, vaddr_t va, uint64_t *pte, uint64_t *size);
/* Free all tables below the root; leaves are forgotten. Root stays. */
void	pt_clear(struct pt *);

#endif
