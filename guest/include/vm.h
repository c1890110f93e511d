/* SPDX-License-Identifier: ISC */
/*
 * Address spaces, mappings and cache maintenance.
 *
 * The kernel lives in TTBR1: 48 bits, 4 KiB pages.
 *
 *   DMAP_BASE + pa	all RAM, write-back; the kernel's text and constants
 *			are read-only there too
 *   VM_KVA_BASE	mappings made at run time: devices, stacks, DMA memory
 *   KERNBASE		the image
 *
 * No mapping is ever writable and executable. Programs live in TTBR0.
 */
#ifndef GUEST_VM_H
#define GUEST_VM_H

#include "mtypes.h"

#define DMAP_BASE	0xffff000000000000ul
#define DMAP_SIZE	0x0000800000000000ul
#define VM_KVA_BASE	0xffffa00000000000ul
#define VM_KVA_SIZE	0x0000001000000000ul	/* 64 GiB */
#define KERNBASE	0xffffffff80000000ul
#define VM_USER_MIN	0x0000000000010000ul
#define VM_USER_MAX	0x0000800000000000ul	/* 47 bits */

/* Protection. VM_USER gives EL0 what READ, WRITE and EXEC say. */
#define VM_READ		0x1
#define VM_WRITE	0x2
#define VM_EXEC		0x4
#define VM_USER		0x8

/*
 * Memory attributes. Mappings of one page carry the same; only the direct map
 * stays write-back, and is not touched while a page is mapped otherwise.
 */
#define VM_WB		0	/* Normal, write-back, inner shareable */
#define VM_NC		1	/* Normal, non-cacheable */
#define VM_DEV		2	/* Device-nGnRnE */
#define VM_DEV_POSTED	3	/* Device-nGnRE */

struct vmspace;

/* The kernel's own space. */
extern struct vmspace vm_kernel;

/*
 * vm_map - map pages
 *
 * va, pa and size are multiples of PAGE_SIZE.  Returns 0; EINVAL for an
 * unaligned or empty request, one outside of the space's range, an
 * attribute or a protection that does not exist, or WRITE with EXEC; EFAULT
 * for pa beyond what the CPU addresses; EEXIST if a page there is mapped
 * already; ENOMEM without memory for a table.  Nothing stays mapped after an
 * error.
 */
int vm_map(struct vmspace *, vaddr_t va, paddr_t pa, size_t size, int prot,
    int attr);

/*
 * vm_unmap - remove mappings, on all CPUs, before it returns
 *
 * Pages that are not mapped are passed over.  The memory is not freed.
 * Returns 0, EINVAL as vm_map.
 */
int vm_unmap(struct vmspace *, vaddr_t va, size_t size);

/* vm_protect - change the protection of mapped pages. ENOENT: not mapped. */
int vm_protect(struct vmspace *, vaddr_t va, size_t size, int prot);

/*
 * vm_query - the page table entry that maps an address
 *
 * ENOENT if there is none.  vq_pa is the physical address of that very byte.
 */
struct vm_query {
	uint64_t	vq_pte;		/* the descriptor */
	paddr_t		vq_pa;
	size_t		vq_size;	/* of the block: 4 KiB, 2 MiB, 1 GiB */
	int		vq_prot;
	int		vq_attr;
};
int vm_query(struct vmspace *, vaddr_t va, struct vm_query *);

/*
 * vm_dmap - the direct map's pointer to RAM. NULL if pa to pa + len is not
 * RAM that is mapped.
 */
void *vm_dmap(paddr_t pa, size_t len);

/*
 * vm_physical - the physical address of a pointer into the direct map or the
 * image, without a table walk: for page tables, the allocator, bus_dmamem.
 * (paddr_t)-1 for any other pointer.
 */
paddr_t vm_physical(const void *);

/*
 * Kernel virtual space without memory behind it. An unmapped guard page
 * follows each. vm_kva_free takes what vm_kva_alloc gave, after vm_unmap.
 */
vaddr_t vm_kva_alloc(size_t size);		/* 0: ENOMEM */
void	vm_kva_free(vaddr_t, size_t size);

/*
 * vm_map_device - map registers, Device-nGnRnE
 *
 * Any alignment.  NULL if there is no memory or pa is out of reach.  RAM is
 * refused: two attributes for one page are not allowed.
 * vm_unmap_device takes the same pointer and size.
 */
volatile void *vm_map_device(paddr_t, size_t size);
void	vm_unmap_device(volatile void *, size_t size);

/*
 * User address spaces. vm_space_free unmaps all, frees the tables (not the
 * pages) and forgets the ASID; no CPU may be using it.
 */
struct vmspace *vm_space_alloc(void);		/* NULL: ENOMEM */
void	vm_space_free(struct vmspace *);
/* Make it TTBR0's; NULL for none. Threads do this at a switch. */
void	vm_space_activate(struct vmspace *);

/*
 * copyin, copyout, copyinstr - between the kernel and the present program
 *
 * The accesses are made with EL0's rights: a kernel or device address, a
 * read-only page, an unmapped or a huge range give EFAULT, nothing else
 * happens; what came before the fault has been copied.  copyinstr copies
 * with the NUL; ENAMETOOLONG if it is not within len.
 */
int copyin(const void *uaddr, void *kaddr, size_t len);
int copyout(const void *kaddr, void *uaddr, size_t len);
int copyinstr(const void *uaddr, char *kaddr, size_t len, size_t *done);

/*
 * Access to a kernel address that may fault, for tests and probes. Returns
 * 0 or EFAULT.
 */
int vm_probe_read(const volatile uint32_t *, uint32_t *);
int vm_probe_write(volatile uint32_t *, uint32_t);

/*
 * Cache maintenance by address, to the point of coherency, of any range
 * that is mapped write-back: partial lines at the ends are cleaned and
 * invalidated, never thrown away.  Each ends with a DSB.
 */
void cache_clean(const void *, size_t);
void cache_invalidate(void *, size_t);
void cache_clean_invalidate(void *, size_t);
/* Make instructions that were written through `va` visible to fetches. */
void cache_sync_code(const void *va, size_t);

/* Bits of physical address that the CPU has and we use, at most 47. */
unsigned vm_pa_bits(void);

/* Print the kernel's and the direct map's ranges: tests and `mem`. */
void vm_print(void (*print)(const char *fmt, ...));

#endif
