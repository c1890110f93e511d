/* SPDX-License-Identifier: ISC */
/*
 * shmem.h - DMA memory that another process is given: regions of memfd
 *
 * A device that is a process (vhost_user.h) reaches memory by mapping the same
 * files. So all that it may see is here: the library's rings, by bus_dma(9) on
 * sm_tag, and the caller's buffers, by shmem_alloc and then bus_dmamap_load.
 * Memory from elsewhere can't be loaded (EINVAL).
 *
 * The address that the device sees is region's address + offset in the region;
 * it is neither the CPU's nor the same in two regions, and between two regions
 * there is a gap. A load that crosses from one region into another whose memory
 * happens to lie right behind it gives two segments. All maps are coherent.
 *
 * The other process may write to all of it at any time, whatever the protocol
 * says: what must not change behind one's back is not kept here.
 */
#ifndef SHMEM_H
#define SHMEM_H

#include <pthread.h>

#include <paravane/kern.h>

#define SHMEM_MAXREGIONS	16
#define SHMEM_ALIGN		0x200000u	/* of addresses, and sizes */

struct shmem_run;
struct shmem_map;

struct shmem_region {
	int sr_fd;			/* memfd; the region is all of it */
	uint8_t *sr_va;
	size_t sr_size;			/* a multiple of SHMEM_ALIGN */
	bus_addr_t sr_addr;		/* as the device sees it */
	struct shmem_run *sr_free;	/* by address; not in the memory */
};

/* Members are read, not written, by others. */
struct shmem {
	struct pv_bus_dma_tag sm_tag;	/* pass &sm->sm_tag */
	pthread_mutex_t sm_lock;
	unsigned int sm_nregions;
	bus_addr_t sm_next;		/* address of the next region */
	struct shmem_region sm_regions[SHMEM_MAXREGIONS];
	size_t sm_used;			/* bytes given out */
	struct shmem_map *sm_maps;
};

/*
 * shmem_init - make memory of n regions, each of size bytes (rounded up to
 * SHMEM_ALIGN), in memory at once
 *
 * Errors: EINVAL n or size is 0, or n above SHMEM_MAXREGIONS; ENOMEM; or what
 * memfd_create(2) and mmap(2) say. On error nothing stays.
 */
int shmem_init(struct shmem *, unsigned int n, size_t size);

/*
 * shmem_grow - one more region. vhost_memory then shows it to a device that
 * runs. One caller at a time. Errors: ENOSPC there are SHMEM_MAXREGIONS; as
 * shmem_init.
 */
int shmem_grow(struct shmem *, size_t size);

/*
 * shmem_fini - end. Nothing of it may be in use, by a device or here; maps that
 * were never destroyed are freed.
 */
void shmem_fini(struct shmem *);

/*
 * shmem_alloc - memory for buffers, zeroed; within one region
 *
 * align	a power of two up to SHMEM_ALIGN; it holds for the CPU's address
 *		and for the device's. The size is rounded up to PAGE_SIZE.
 *
 * NULL if there is no such run of memory. Any thread.
 *
 * shmem_free - give it back: the address and size that were asked for
 */
void *shmem_alloc(struct shmem *, size_t size, size_t align);
void shmem_free(struct shmem *, void *, size_t size);

/* The region's memory behind len bytes at an address; NULL: there is none. */
void *shmem_kva(const struct shmem *, bus_addr_t addr, size_t len);

#endif
