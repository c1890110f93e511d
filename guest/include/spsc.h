/* SPDX-License-Identifier: ISC */
/*
 * A ring of pointers between two CPUs, or a thread and another CPU: one puts,
 * one gets, and neither takes a lock. Each keeps what it writes on cache lines
 * of its own, and a copy of the other's index, which it reads anew only when
 * the ring seems full, or empty.
 */
#ifndef GUEST_SPSC_H
#define GUEST_SPSC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spsc {
	/* the producer's */
	uint32_t	sq_head __attribute__((aligned(128)));
	uint32_t	sq_tail_seen;
	/* the consumer's */
	uint32_t	sq_tail __attribute__((aligned(128)));
	uint32_t	sq_head_seen;
	/* nobody's after spsc_init */
	uint32_t	sq_mask __attribute__((aligned(128)));
	void		**sq_slot;
};

/* spsc_init - slot has size entries, a power of two; empties the ring */
static inline void
spsc_init(struct spsc *sq, void **slot, uint32_t size)
{
	sq->sq_head = sq->sq_tail = 0;
	sq->sq_tail_seen = sq->sq_head_seen = 0;
	sq->sq_mask = size - 1;
	sq->sq_slot = slot;
}

/* spsc_room - how many may be put at least; for the producer */
static inline uint32_t
spsc_room(struct spsc *sq)
{
	uint32_t used = sq->sq_head - sq->sq_tail_seen;

	if (used > sq->sq_mask) {
		sq->sq_tail_seen = __atomic_load_n(&sq->sq_tail,
		    __ATOMIC_ACQUIRE);
		used = sq->sq_head - sq->sq_tail_seen;
	}
	return sq->sq_mask + 1 - used;
}

/* spsc_put - false: full */
static inline bool
spsc_put(struct spsc *sq, void *p)
{
	if (spsc_room(sq) == 0)
		return false;
	sq->sq_slot[sq->sq_head & sq->sq_mask] = p;
	__atomic_store_n(&sq->sq_head, sq->sq_head + 1, __ATOMIC_RELEASE);
	return true;
}

/* spsc_count - how many may be got at least; for the consumer */
static inline uint32_t
spsc_count(struct spsc *sq)
{
	if (sq->sq_tail == sq->sq_head_seen)
		sq->sq_head_seen = __atomic_load_n(&sq->sq_head,
		    __ATOMIC_ACQUIRE);
	return sq->sq_head_seen - sq->sq_tail;
}

/* spsc_get - NULL: empty */
static inline void *
spsc_get(struct spsc *sq)
{
	void *p;

	if (spsc_count(sq) == 0)
		return NULL;
	p = sq->sq_slot[sq->sq_tail & sq->sq_mask];
	__atomic_store_n(&sq->sq_tail, sq->sq_tail + 1, __ATOMIC_RELEASE);
	return p;
}

#endif
