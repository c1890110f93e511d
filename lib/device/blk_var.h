/* SPDX-License-Identifier: ISC */
/*
 * The block driver's parts, to one another: blk.c its life and queues,
 * blk_config.c what is negotiated and what the configuration says, blk_data.c
 * the way of requests.
 */
#ifndef DEVICE_BLK_VAR_H
#define DEVICE_BLK_VAR_H

#include <paravane/blk.h>

#include "blkreg.h"
#include "dev.h"

/* A part of a request that the device has. */
struct blk_part {
	struct pv_blk_request *pt_br;	/* NULL: free */
	struct blk_part *pt_next;	/* free list */
	uint64_t pt_since_ns;
	uint32_t pt_inlen;		/* bytes that the device writes */
	unsigned int pt_status;		/* number of its status byte */
};

struct blk_list {
	struct pv_blk_request *bl_first;
	struct pv_blk_request *bl_last;
};

struct pv_blk_queue {
	struct pv_blk *bq_sc;
	struct pv_virtq *bq_vq;
	unsigned int bq_index;
	unsigned int bq_segs;		/* bq_vq takes so many, of data */
	unsigned int bq_nparts;
	struct blk_part *bq_parts;
	struct blk_part *bq_free;
	struct pv_piece *bq_pieces;	/* of the part that is being made */
	struct pv_dmamem bq_mem;	/* headers; ranges; lines of status */
	bus_size_t bq_ranges;
	bus_size_t bq_statuses;
	uint8_t bq_lost;		/* parts were drained as lost: bq_mem
					 * was not taken back from the device */
	uint8_t *bq_lineuse;		/* bytes of each that the device has */
	unsigned int bq_nlines;
	unsigned int bq_line;		/* that is being handed out */
	unsigned int bq_fill;		/* bytes of it that are */
	struct blk_list bq_waiting;	/* not sent, or not whole */
	struct blk_list bq_done;
	unsigned int bq_requests;	/* that the port has not got back */
	unsigned int bq_writes;		/* parts that a flush waits for */
	struct pv_blk_counters bq_counters;
};

static inline int
blk_has(const struct pv_blk *sc, unsigned int bit)
{
	return pv_virtio_has(sc->sc_dev, bit);
}

static inline struct pv_blk_queue *
blk_queue(const struct pv_blk *sc, unsigned int queue)
{
	return queue < sc->sc_info.bi_nqueues ? &sc->sc_queues[queue] : NULL;
}

/*
 * What is read on the way of data while another CPU finds it changed. Where 64
 * bits are not read at once it may be half of the old: the device judges too.
 */
static inline uint64_t
blk_capacity(const struct pv_blk_info *bi)
{
#if __GCC_ATOMIC_LLONG_LOCK_FREE == 2
	return __atomic_load_n(&bi->bi_capacity, __ATOMIC_RELAXED);
#else
	return *(const volatile uint64_t *)&bi->bi_capacity;
#endif
}

static inline void
blk_capacity_set(struct pv_blk_info *bi, uint64_t capacity)
{
#if __GCC_ATOMIC_LLONG_LOCK_FREE == 2
	__atomic_store_n(&bi->bi_capacity, capacity, __ATOMIC_RELAXED);
#else
	*(volatile uint64_t *)&bi->bi_capacity = capacity;
#endif
}

/* blk_config.c */
extern const struct pv_feature_table blk_features;

/* What was negotiated; capacity and cache are read later. */
void blk_set_info(struct pv_blk *);

/*
 * What may change while the device runs. Returns 1 if the capacity did, a
 * negative errno if it can't be read.
 */
int blk_read_live(struct pv_blk *);

/*
 * blk_data.c
 *
 * blk_ready - a queue's interrupt: tell the port
 * blk_parts_reset - all parts are free, and no line of status is prepared
 */
void blk_ready(void *bq);
void blk_parts_reset(struct pv_blk_queue *);

#endif /* DEVICE_BLK_VAR_H */
