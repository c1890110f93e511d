/* SPDX-License-Identifier: ISC */
/*
 * A queue's private state. What the device can write is reached through
 * vq_used alone; everything here is ours.
 *
 * virtq.c has what all kinds of ring share, and hands the rest to the kind:
 * virtq_split.c.
 */
#ifndef CORE_VIRTQ_VAR_H
#define CORE_VIRTQ_VAR_H

#include <paravane/virtq.h>

#include "dmamem.h"
#include "ring.h"

/* One descriptor's state; all but qe_next is valid on the head of a chain. */
struct virtq_entry {
	void *qe_cookie;	/* not NULL: a chain begins here */
	uint32_t qe_inlen;	/* posted for the device to write, bytes */
	uint32_t qe_pos;	/* its place among all ever made available */
	uint16_t qe_next;	/* in the chain, or in the free list */
	uint16_t qe_last;	/* descriptor of the chain */
	uint16_t qe_ndesc;	/* descriptors of the ring that it takes */
	uint16_t qe_flags;
};

#define QE_SYNC		0x0001	/* some map needs POST syncs */
#define QE_TABLE	0x0002	/* and so does its indirect table */

/* An indirect table; one belongs to each descriptor. */
struct virtq_table {
	struct ring_desc *qt_desc;
	uint64_t qt_addr;
	bus_size_t qt_off;	/* in vq_tablemem */
};

/* What POST syncs need; kept only of chains with QE_SYNC, or QE_TABLE. */
struct virtq_saved {
	bus_size_t qs_tablelen;		/* bytes */
	unsigned int qs_nout;
	unsigned int qs_nin;
	struct pv_piece qs_pieces[];	/* vq_maxpieces */
};

struct pv_virtq {
	/* submitting: one line */
	struct pv_virtio *vq_dev;
	struct virtq_entry *vq_entries;
	struct ring_desc *vq_desc;
	struct ring_avail *vq_avail;
	struct virtq_table *vq_tables;	/* NULL: no indirect descriptors */
	uint32_t vq_posted;		/* chains enqueued; the low half is the
					 * index that publish will show */
	uint32_t vq_published;		/* of them shown */
	uint16_t vq_mask;		/* size - 1 */
	uint16_t vq_free;		/* first free descriptor */
	uint16_t vq_nfree;
	uint16_t vq_maxpieces;
	uint16_t vq_maxsegs;
	uint8_t vq_flags;		/* VQ_* */
	uint8_t vq_policy;		/* enum pv_virtq_policy */

	/* consuming */
	struct ring_used *vq_used;
	uint16_t vq_used_idx;		/* next that we take */
	uint16_t vq_used_seen;		/* used index as last read and checked */
	bus_dma_tag_t vq_dmat;
	struct pv_virtq_counters vq_counters;

	/* seldom */
	struct pv_dmamem vq_mem;	/* the three areas */
	struct pv_dmamem vq_tablemem;
	bus_size_t vq_avail_off;	/* in vq_mem */
	bus_size_t vq_used_off;
	struct virtq_saved *vq_saved;	/* by descriptor */
	size_t vq_savedlen;		/* of one */
	unsigned int vq_index;
	unsigned int vq_align;		/* legacy: of the used ring */
	unsigned int vq_drained;	/* descriptors that drain has seen */
	unsigned int vq_wantsegs;	/* vq_maxsegs, but for the size */
	uint32_t vq_delay;		/* chains that moderate waits for, */
	uint32_t vq_delayed;		/* from this many used on */
	uint8_t vq_lost;
	const char *vq_name;
	void (*vq_intr)(void *);
	void *vq_arg;
};

#define VQ_EVENT_IDX	0x01
#define VQ_INTR_OFF	0x02	/* NO_INTERRUPT is set */
#define VQ_OUTER	0x04	/* ORDER_PLATFORM */
#define VQ_NOTIFY_DATA	0x08
#define VQ_COHERENT	0x10	/* the ring's own memory needs no sync */
#define VQ_STOPPED	0x20	/* by pv_virtq_reset */

static inline unsigned int
virtq_size(const struct pv_virtq *vq)
{
	return vq->vq_mask + 1u;
}

static inline bool
virtq_outer(const struct pv_virtq *vq)
{
	return (vq->vq_flags & VQ_OUTER) != 0;
}

static inline struct virtq_saved *
virtq_saved(const struct pv_virtq *vq, unsigned int head)
{
	return (struct virtq_saved *)(void *)((char *)vq->vq_saved +
	    head * vq->vq_savedlen);
}

/* virtq.c, for virtio.c: where the areas are; ring once more after start */
void virtq_place(const struct pv_virtq *, struct pv_queue_place *);
void virtq_notify_again(struct pv_virtq *);

/* virtq.c, for the kinds: syncs of a chain's memory. */
void virtq_pieces_pre(struct pv_virtq *, const struct pv_piece *,
    unsigned int nout, unsigned int nin, unsigned int head);
void virtq_chain_post(struct pv_virtq *, unsigned int head, uint32_t len);

/* virtq_split.c */
int split_alloc(struct pv_virtq *, unsigned int size, bool legacy);
void split_reset(struct pv_virtq *);
int split_enqueue(struct pv_virtq *, const struct pv_piece *,
    unsigned int nout, unsigned int nin, void *cookie);
int split_publish(struct pv_virtq *);
int split_dequeue(struct pv_virtq *, struct pv_used *);
int split_pending(struct pv_virtq *);
void split_intr_disable(struct pv_virtq *);
int split_intr_enable(struct pv_virtq *, unsigned int n);

#endif
