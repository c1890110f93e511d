/* SPDX-License-Identifier: ISC */
/*
 * bench.h - drivers in a process, under a bus stricter than any
 *
 * The DMA sanitizer is a bus for port/posix (port.h): drivers and device models
 * stay as they are, port_dma_tag and port_dma_read and _write then go through
 * it.
 *
 *	static const struct bench_dma config = { .bd_line = 128, .bd_seed = 7 };
 *
 *	bench_dma_use(&config);		before anything is allocated
 *	... attach a driver to a model, use it, detach ...
 *	assert(bench_check() == 0);
 *
 * or, for a program that knows nothing of it, the environment:
 *
 *	PARAVANE_BENCH=noncoherent,line=128,seed=7 build/host/test_net
 *
 * The CPU has the memory that it always has. The device has another, and what
 * joins them is only what joins them on a real machine: a bus_dmamap_sync(9),
 * or a cache line that happens to be written back or fetched. So a sync that is
 * missing, short or of the wrong direction gives wrong data; and what was wrong
 * is reported where it is known for certain:
 *
 *	paravane: bench: device-no-prewrite: device reads bytes 24..31 ...
 *	    bus_dmamap_sync(9): PREWRITE before the device may read
 *	  accessed at
 *	    #0 fake_pop bench/fake_ring.c:201
 *	  loaded at
 *	    #0 pv_dmamem_alloc lib/core/dmamem.c:70
 *
 * Each finding also is a port_violation(), so that port_check() fails; a
 * process that ends with unexpected findings has status BENCH_EXIT.
 *
 * What is compiled with BENCH_TRACE_CFLAGS (mk/bench.mk) passes the sanitizer
 * with each load and store: then the owner of a byte is exact, and reads of one
 * field twice and missing barriers are seen too. Without, the CPU's stores are
 * known by comparing memory at each sync and each device access. Of coherent
 * memory the device then sees stores in any order until a barrier, and the CPU
 * what was there before an index said otherwise, until a barrier too.
 */
#ifndef BENCH_H
#define BENCH_H

#include <port.h>

#define BENCH_EXIT	66

struct bench_dma {
	int bd_coherent;	/* CPU and device see one memory; maps are
				 * marked so. Otherwise there is a cache in
				 * between, which only syncs (and chance) join
				 * with memory */
	unsigned int bd_line;	/* of the cache, bytes: 64 (0) or 128 */
	int bd_refuse_coherent;	/* bus_dmamem_map with COHERENT fails;
				 * otherwise such memory is uncached */
	int bd_bounce;		/* each load has a copy, at byte grain */
	bus_size_t bd_segsize;	/* longest run of device addresses, as far as
				 * the driver takes so many; 0: no limit.
				 * port.po_segsize, where set, wins */
	uint64_t bd_seed;
	unsigned int bd_chance;	/* one in so many accesses is followed by a
				 * write-back or a fetch; 0: 16 */
	int bd_change;		/* a second read of one field reads another
				 * value (traced code) */
};

/*
 * bench_dma_use - put the sanitizer in the place of the plain bus; NULL: take
 * it away. Forgets all that is loaded, and all findings. port.po_shadow and
 * po_refuse_coherent have the same meaning as without it.
 */
void bench_dma_use(const struct bench_dma *);

/*
 * bench_dma_parse - the words of PARAVANE_BENCH: coherent, noncoherent, line=,
 * refuse-coherent, bounce, segsize=, seed=, chance=, change. 0, or -1 for a
 * word that is none.
 */
int bench_dma_parse(const char *text, struct bench_dma *);

/* Do what PARAVANE_BENCH says, once; without it nothing. */
void bench_environment(void);

/*
 * Rules. The name in a report is the identifier, small, with '-'.
 */
enum bench_rule {
	/* what devices do because drivers told them to */
	BENCH_DEVICE_NOT_LOADED,	/* no map holds this address */
	BENCH_DEVICE_AFTER_UNLOAD,
	BENCH_DEVICE_OUTSIDE,		/* beyond the segment's end */
	BENCH_DEVICE_DIRECTION,		/* loaded for the other direction */
	BENCH_DEVICE_CPU_ADDRESS,	/* a pointer, used as bus address */
	BENCH_DEVICE_PHYS_ADDRESS,	/* a paddr_t, used as bus address */
	BENCH_DEVICE_NO_PREWRITE,
	BENCH_DEVICE_NO_PREREAD,
	BENCH_DEVICE_STALE,		/* stored after PREWRITE */
	/* syncs */
	BENCH_SYNC_NOT_LOADED,
	BENCH_SYNC_OUTSIDE,
	BENCH_SYNC_PRE_POST,		/* in one call */
	BENCH_SYNC_POST_NO_PRE,		/* POSTREAD of what had no PREREAD */
	BENCH_SYNC_NO_POST,		/* PRE, or unload, after a PREWRITE that
					 * had no POSTWRITE */
	/* the CPU, and cache lines */
	BENCH_CPU_LOAD,			/* after PREREAD, before POSTREAD */
	BENCH_CPU_STORE,		/* the same, or after PREWRITE and
					 * before POSTWRITE */
	BENCH_SHARED_LINE,		/* with what the device writes */
	BENCH_DOUBLE_FETCH,
	BENCH_STORE_ORDER,		/* no barrier before the index */
	BENCH_LOAD_ORDER,		/* no barrier after the index */
	BENCH_FULL_ORDER,		/* none between a store and a check */
	/* life of maps and memory */
	BENCH_MAP_DOUBLE_LOAD,
	BENCH_MAP_NOT_LOADED,		/* unload of what is not */
	BENCH_MAP_DESTROY_LOADED,
	BENCH_MAP_HELD,			/* unload of what a device has */
	BENCH_MAP_UNKNOWN,		/* no such map */
	BENCH_MEM_FREE_MAPPED,
	BENCH_MEM_FREE_LOADED,
	BENCH_MEM_FREE_USER,		/* user space maps it */
	BENCH_MEM_UNKNOWN,		/* segments not allocated so */
	BENCH_MEM_LOAD_RAW,		/* before bus_dmamem_map */
	BENCH_MMAP_CACHE,		/* map and mmap disagree */
	BENCH_USER_CPU_ADDRESS,		/* a pointer, given to user space */
	BENCH_USER_BUS_ADDRESS,
	BENCH_USER_NO_PAGE,		/* no such page, or unaligned */
	BENCH_NRULES
};

const char *bench_rule_name(enum bench_rule);
const char *bench_rule_text(enum bench_rule);	/* what the manual says */

/*
 * bench_expect - findings of this rule are what the test is about: from here on
 * they are counted, not printed, and fail nothing. Until the next bench_check
 * or bench_dma_use.
 */
void bench_expect(enum bench_rule);

/* Findings of a rule since then, expected or not; of all rules. */
unsigned int bench_found(enum bench_rule);
unsigned int bench_found_all(void);

/*
 * bench_check - 0 if each expected rule had a finding, and no other had one.
 * Otherwise says what, and returns how many rules are wrong. Begins anew.
 */
unsigned int bench_check(void);

/* The text of the last report, as printed (expected or not). */
const char *bench_last(void);

/*
 * User space
 *
 * bench_user_map - what a kernel's mmap does with what a driver's mmap entry
 *	gave: pa becomes a page of user space. Returns where "user space" sees
 *	it, or NULL, with a finding, where pa is no physical page.
 * bench_user_unmap - the mapping is gone; va as bench_user_map returned it.
 *
 * What is drawn through such a mapping owes the device no sync by itself;
 * memory that is mapped may not be freed.
 */
void *bench_user_map(paddr_t pa);
void bench_user_unmap(void *va);

/*
 * Tracing
 *
 * bench_step_use - call step at one in so many traced accesses to DMA memory:
 *	a device that runs beside the CPU, at any point between two of its
 *	accesses. NULL: no more. Steps never nest.
 */
void bench_step_use(void (*step)(void *), void *arg, unsigned int one_in);

struct bench_counts {
	uint64_t bc_loads;		/* traced, of DMA memory */
	uint64_t bc_stores;
	uint64_t bc_moves;		/* lines touched by one side that the
					 * other had touched last */
};

/* Since bench_counts_reset; lines are bd_line bytes. */
void bench_counts(struct bench_counts *);
void bench_counts_reset(void);

/* Whether code compiled with tracing has run. */
int bench_traced(void);

/* A number from the seed, for models and tests; below n. */
unsigned int bench_random(unsigned int n);

#endif /* BENCH_H */
