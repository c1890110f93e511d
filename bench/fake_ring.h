/* SPDX-License-Identifier: ISC */
/*
 * Between the two kinds of ring of a fake device: what both do of a chain.
 */
#ifndef FAKE_RING_H
#define FAKE_RING_H

#include "fake.h"

static inline int
fake_is_packed(const struct fake_dev *fd)
{
	return fake_has(fd, PV_F_RING_PACKED);
}

/* A piece of the chain, as a descriptor says. Nonzero: there are too many. */
int fake_add_piece(struct fake_chain *, bus_addr_t, uint32_t len, int write);

/* What its descriptors are, in one number. */
uint64_t fake_sum(uint64_t sum, uint64_t addr, uint64_t rest);

/* What is held against a chain of either kind. */
void fake_judge_chain(const struct fake_dev *, struct fake_chain *);

/* Packed rings */
int fake_packed_place(const struct fake_dev *, const struct fake_queue *,
    unsigned int queue);
void fake_packed_begin(struct fake_queue *);
void fake_packed_pop(struct fake_dev *, struct fake_queue *,
    struct fake_chain *);
void fake_packed_judge_return(struct fake_queue *, const struct fake_chain *);
void fake_packed_give(const struct fake_dev *, struct fake_queue *,
    uint32_t id, uint32_t len, uint32_t inlen, unsigned int ndescs);
void fake_packed_ask(const struct fake_dev *, struct fake_queue *, int on);

/* The next descriptor that is not available: of a doorbell's value. */
uint16_t fake_packed_next(const struct fake_queue *);

#endif
