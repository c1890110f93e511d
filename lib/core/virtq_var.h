/* SPDX-License-Identifier: ISC */
/*
 * A queue's private state. What the device can write is reached by vq_used, or
 * is a packed ring's descriptors and event; everything here is ours.
 *
 * virtq.c has what both kinds of ring share, and hands the rest to the kind:
 * virtq_split.c, virtq_packed.c.
 *
 * A chain goes by an id: the index of its first descriptor in a split ring, the
 * buffer id in a packed one. vq_ids says for each place in the ring which id
 * the chain has that is put there next; so no list of free ones is followed,
 * and where a device uses chains in order the same id is in the same place for
 * ever: a split ring's available ring is then never written again.
 */
#ifndef CORE_VIRTQ_VAR_H
#define CORE_VIRTQ_VAR_H

#include <paravane/virtq.h>

#include "dmamem.h"
#include "ring.h"
#include "virtio_var.h"

/* A chain's state, by id. */
struct virtq_entry {
	void *qe_cookie;	/* not NULL: the chain is outstanding */
	uint32_t qe_inlen;	/* posted for the device to write, bytes */
	uint32_t qe_where;	/* its place among all ever enqueued, the low
				 * half; QE_* */
};

#define QE_SYNC		0x00010000u	/* some map needs POST syncs */
#define QE_TABLE	0x00020000u	/* and so does its indirect table */
#define QE_LONG		0x00040000u	/* several descriptors of the ring:
					 * vq_next */
#define QE_FLAGS	0xffff0000u

/* An indirect table; one belongs to each id. */
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

/* What a chain's pieces come to, before it is known where they go. */
struct virtq_seg {
	uint64_t sg_addr;
	uint32_t sg_len;
	uint32_t sg_flags;	/* RING_DESC_F_WRITE */
};

struct virtq_chain {
	unsigned int vc_count;	/* of vq_segs */
	uint32_t vc_inlen;
	uint32_t vc_flags;	/* QE_* */
	bool vc_table;		/* to be put into a table */
};

/*
 * Where pointers have 64 bits, submitting and consuming have a line of 64 bytes
 * each (but for two counters of what is seldom): together one of 128.
 */
struct pv_virtq {
	/* submitting */
	struct pv_virtio *vq_dev;
	struct virtq_entry *vq_entries;
	uint16_t *vq_ids;
	struct ring_desc *vq_desc;	/* table, or packed ring */
	uint32_t vq_posted;		/* chains enqueued; a split ring's low
					 * half is the index to be shown */
	uint32_t vq_published;		/* of them shown */
	uint32_t vq_front;		/* descriptors taken; up to */
	uint32_t vq_end;		/* here they are free */
	uint16_t vq_size;
	uint16_t vq_slot;		/* packed: where the next one goes, */
	uint16_t vq_wrap;		/* RING_DESC_F_AVAIL or RING_DESC_F_USED: its lap */
	uint16_t vq_flags;		/* VQ_* */
	uint16_t vq_head_slot;		/* packed: of the first not shown, */
	uint16_t vq_head_flags;		/* and what will show it */
	uint32_t vq_shown;		/* packed: vq_front when last shown */

	/* consuming: the next line */
	struct ring_used *vq_used;
	uint32_t vq_used_idx;		/* chains that we took; split: the low
					 * half is the next used entry */
	uint32_t vq_batch;		/* IN_ORDER: vq_used_idx at its end */
	uint32_t vq_batchlen;		/* what its last chain's length is */
	uint16_t vq_used_seen;		/* used index as last read and checked */
	uint16_t vq_used_slot;		/* packed: where the next used is */
	uint16_t vq_used_wrap;		/* RING_DESC_F_BOTH, or 0: its lap */
	uint16_t vq_event;		/* packed: event flags as written */
	struct pv_virtq_counters vq_counters;

	/* chains, and what is not coherent */
	struct ring_avail *vq_avail;
	uint16_t *vq_next;		/* descriptors, or ids, of long chains */
	struct virtq_table *vq_tables;	/* NULL: no indirect descriptors */
	struct virtq_seg *vq_segs;	/* vq_maxsegs */
	bus_dma_tag_t vq_dmat;
	uint16_t vq_maxpieces;
	uint16_t vq_maxsegs;
	uint8_t vq_policy;		/* enum pv_virtq_policy */

	/* seldom */
	struct pv_dmamem vq_mem;	/* the three areas */
	struct pv_dmamem vq_tablemem;
	bus_size_t vq_avail_off;	/* driver area, in vq_mem */
	bus_size_t vq_used_off;		/* device area */
	struct virtq_saved *vq_saved;	/* by id */
	size_t vq_savedlen;		/* of one */
	unsigned int vq_index;
	unsigned int vq_align;		/* legacy: of the used ring */
	unsigned int vq_drained;	/* ids that drain has seen */
	unsigned int vq_wantsegs;	/* vq_maxsegs, but for the size */
	uint32_t vq_delay;		/* chains that moderate waits for, */
	uint32_t vq_delayed;		/* from this many used on */
	uint8_t vq_lost;
	const char *vq_name;
	void (*vq_intr)(void *);
	void *vq_arg;
} __attribute__((__aligned__(DMA_LINE)));

#define VQ_EVENT_IDX	0x01
#define VQ_INTR_OFF	0x02	/* NO_INTERRUPT is set */
#define VQ_OUTER	0x04	/* ORDER_PLATFORM */
#define VQ_NOTIFY_DATA	0x08
#define VQ_COHERENT	0x10	/* the ring's own memory needs no sync */
#define VQ_STOPPED	0x20	/* by pv_virtq_reset */
#define VQ_PACKED	0x40
#define VQ_IN_ORDER	0x80
#define VQ_PLAIN	0x100	/* chains of one piece go the short way */

#define VIRTQ_NONE	0xffffu	/* no further descriptor, in vq_next */

static inline unsigned int
virtq_size(const struct pv_virtq *vq)
{
	return vq->vq_size;
}

static inline bool
virtq_outer(const struct pv_virtq *vq)
{
	return (vq->vq_flags & VQ_OUTER) != 0;
}

/* Descriptors of the ring that are free. */
static inline uint32_t
virtq_room(const struct pv_virtq *vq)
{
	return vq->vq_end - vq->vq_front;
}

/* Chains that the device has been shown and not yet used. */
static inline uint32_t
virtq_inflight(const struct pv_virtq *vq)
{
	return vq->vq_published - vq->vq_used_idx;
}

/* Whether the device has a chain: enqueued, shown, and not used. */
static inline bool
virtq_is_outstanding(const struct pv_virtq *vq, const struct virtq_entry *qe)
{
	return qe->qe_cookie != NULL &&
	    (uint16_t)(qe->qe_where - vq->vq_published) >=
	    (uint16_t)(vq->vq_posted - vq->vq_published);
}

static inline struct virtq_saved *
virtq_saved(const struct pv_virtq *vq, unsigned int id)
{
	return (struct virtq_saved *)(void *)((char *)vq->vq_saved +
	    id * vq->vq_savedlen);
}

/*
 * The segment of a coherent map in which the last piece was: the next is often
 * there too. Its length fits 32 bits; 0: there is none.
 */
struct window {
	bus_dmamap_t w_map;
	bus_size_t w_off;
	bus_size_t w_len;
	uint64_t w_addr;	/* of the map's byte 0, if it were there */
};

#define LIKELY(x)	__builtin_expect(!!(x), 1)
#define UNLIKELY(x)	__builtin_expect(!!(x), 0)

/* The coherent segment that a piece lies in whole, or NULL; *off in it. */
static inline __attribute__((__always_inline__)) const bus_dma_segment_t *
virtq_segment(const struct pv_virtq *vq, const struct pv_piece *pc,
    bus_size_t *off)
{
	const bus_dmamap_t map = pc->pc_map;
	const bus_dma_segment_t *seg = map->dm_segs;

	*off = pc->pc_off;
	if (UNLIKELY(*off >= map->dm_mapsize) ||
	    !PV_DMAMAP_COHERENT(vq->vq_dmat, map))
		return NULL;
	while (UNLIKELY(*off >= seg->ds_len))
		*off -= (seg++)->ds_len;
	if (UNLIKELY(pc->pc_len - 1 >= seg->ds_len - *off ||
	    pc->pc_len > UINT32_MAX))
		return NULL;
	return seg;
}

/* Whether a piece is in it, at w_addr + pc_off. An empty piece is not. */
static inline __attribute__((__always_inline__)) bool
window_holds(const struct window *w, const struct pv_piece *pc)
{
	bus_size_t off = pc->pc_off - w->w_off;

	return LIKELY(pc->pc_map == w->w_map && off < w->w_len &&
	    pc->pc_len - 1 < w->w_len - off);
}

/* Open it where a piece is. */
static inline __attribute__((__always_inline__)) bool
window_find(struct window *w, const struct pv_virtq *vq,
    const struct pv_piece *pc)
{
	const bus_dma_segment_t *seg;
	bus_size_t off;

	seg = virtq_segment(vq, pc, &off);
	if (seg == NULL)
		return false;
	w->w_map = pc->pc_map;
	w->w_off = pc->pc_off - off;
	w->w_len = seg->ds_len < UINT32_MAX ? seg->ds_len : UINT32_MAX;
	w->w_addr = (uint64_t)seg->ds_addr - w->w_off;
	return true;
}

static inline void
virtq_entry_set(struct virtq_entry *qe, void *cookie, uint32_t inlen,
    uint32_t pos, uint32_t flags)
{
	qe->qe_cookie = cookie;
	qe->qe_inlen = inlen;
	qe->qe_where = (pos & ~QE_FLAGS) | flags;
}

/* virtq.c, for virtio.c: where the areas are; ring once more after start */
void virtq_place(const struct pv_virtq *, struct pv_queue_place *);
void virtq_notify_again(struct pv_virtq *);

/* virtq.c, for negotiate.c: whether the tag has what a packed ring lies in */
bool virtq_can_pack(bus_dma_tag_t);

/*
 * virtq.c, for the kinds. A part of the ring's memory is synced where it needs
 * that. A chain's table is filled. A used chain, which was judged, is the
 * caller's again.
 */
void virtq_sync(const struct pv_virtq *, const void *field, bus_size_t len,
    int ops);
uint32_t virtq_fill_table(struct pv_virtq *, unsigned int id,
    struct virtq_chain *);
int virtq_judge(struct pv_virtq *, const struct virtq_entry *, uint32_t *len);
void virtq_finish(struct pv_virtq *, unsigned int id, uint32_t len,
    struct pv_used *);

static inline void
virtq_sync_ring(const struct pv_virtq *vq, const void *field, bus_size_t len,
    int ops)
{
	if (!(vq->vq_flags & VQ_COHERENT))
		virtq_sync(vq, field, len, ops);
}

/* virtq.c: the long way of any chain */
int virtq_enqueue_chain(struct pv_virtq *, const struct pv_piece *,
    unsigned int nout, unsigned int nin, void *cookie);

/* The kinds. _run: how many pieces went the short way. */
int split_alloc(struct pv_virtq *);
void split_reset(struct pv_virtq *);
int split_enqueue(struct pv_virtq *, const struct pv_piece *,
    unsigned int nout, unsigned int nin, void *cookie);
unsigned int split_run(struct pv_virtq *, const struct pv_piece *,
    void *const *cookies, unsigned int n, unsigned int in);
unsigned int split_chain(struct pv_virtq *, struct virtq_chain *,
    void *cookie);
int split_publish(struct pv_virtq *);
int split_dequeue(struct pv_virtq *, struct pv_used *);
unsigned int split_dequeue_run(struct pv_virtq *, struct pv_used *,
    unsigned int n, int *error);
int split_pending(struct pv_virtq *);
void split_intr_disable(struct pv_virtq *);
int split_intr_enable(struct pv_virtq *, unsigned int n);

int packed_alloc(struct pv_virtq *);
void packed_reset(struct pv_virtq *);
int packed_enqueue(struct pv_virtq *, const struct pv_piece *,
    unsigned int nout, unsigned int nin, void *cookie);
unsigned int packed_run(struct pv_virtq *, const struct pv_piece *,
    void *const *cookies, unsigned int n, unsigned int in);
unsigned int packed_chain(struct pv_virtq *, struct virtq_chain *,
    void *cookie);
int packed_publish(struct pv_virtq *);
uint32_t packed_notify_data(const struct pv_virtq *);
int packed_dequeue(struct pv_virtq *, struct pv_used *);
unsigned int packed_dequeue_run(struct pv_virtq *, struct pv_used *,
    unsigned int n, int *error);
int packed_pending(struct pv_virtq *);
void packed_intr_disable(struct pv_virtq *);
int packed_intr_enable(struct pv_virtq *, unsigned int n);

#endif
