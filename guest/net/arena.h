/* SPDX-License-Identifier: ISC */
/*
 * Memory that lwIP allocates from, and that devices read packets from: one
 * range, loaded for DMA once by each interface. A buddy allocator, so that any
 * mixture of small segments and 64 KiB datagrams leaves no hole for ever.
 *
 * A block is a power of two, 128 bytes at least, and aligned to its size within
 * the range: no two share a cache line. What describes the blocks lies apart
 * from them. Threads of one CPU only.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_MINSHIFT	7
#define ARENA_MAXORDER	18		/* 32 MiB */

/* The range's length is a multiple of this: what 65535 bytes with headers need. */
#define ARENA_UNIT	(128u * 1024)

struct arena_counters {
	uint64_t	ac_failed;
	size_t		ac_used;	/* bytes, rounded up to blocks */
	size_t		ac_peak;
	size_t		ac_size;
};

/*
 * arena_init - hand the memory over; once
 *
 * mem		aligned to 128 bytes
 * size		a multiple of ARENA_UNIT
 * map		size >> ARENA_MINSHIFT bytes for the allocator's own use
 */
void	arena_init(void *mem, size_t size, uint8_t *map);

/* For arena_init: how lwIP calls them (arch/cc.h). NULL if there is none left. */
void	*net_alloc(size_t);
void	*net_calloc(size_t, size_t);
void	net_free(void *);

/* arena_has - whether all of the range is the arena's */
bool	arena_has(const void *, size_t);
void	*arena_base(void);
size_t	arena_size(void);
const struct arena_counters *arena_counters(void);

#endif
