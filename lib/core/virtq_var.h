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

#include "count.h"
#include "dmamem.h"
#include "ring.h"
#include "virtio_var.h"

#define LIKELY(x)	__builtin_expect(!!(x), 1)
#define UNLIKELY(x)	__builtin_expect(!!(x), 0)
#ifdef __OPTIMIZE_SIZE__
#define ALWAYS_INLINE	static inline
#else
#define ALWAYS_INLINE	static inline __attribute__((__always_inline__))
#endif
#define NOINLINE	__attribute__((__noinline__))

/*
 * A chain's state, by id. A used length below qe_limit is good, and the chain
 * is one that goes the short way: one piece in coherent memory. It is 0 where
 * the device has no chain, or one that went the long way (virtq_saved): so one
 * comparison judges the length, and whether the chain is outstanding.
 */
struct virtq_entry {
	void *qe_cookie;
	uint32_t qe_limit;
	uint32_t qe_where;	/* virtq_where; not with VQ_IN_PLACE */
};

/* An indirect table; one belongs to each id. */
struct virtq_table {
	struct ring_desc *qt_desc;
	uint64_t qt_addr;
	bus_size_t qt_off;	/* in vq_tablemem */
};

/*
 * A chain that went the long way. What POST syncs need is kept only with
 * QE_SYNC, or QE_TABLE.
 */
struct virtq_saved {
	unsigned int qs_flags;		/* QE_*; 0: there is none */
	uint32_t qs_inlen;		/* for the device to write, bytes */
	bus_size_t qs_tablelen;		/* bytes */
	unsigned int qs_nout;
	unsigned int qs_nin;
	struct pv_piece qs_pieces[];	/* vq_maxpieces */
};

#define QE_HELD		0x01u
#define QE_SYNC		0x02u	/* some map needs POST syncs */
#define QE_TABLE	0x04u	/* and so does its indirect table */
#define QE_LONG		0x08u	/* several descriptors of the ring: vq_next */

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
 * The ways in and out of a queue, chosen when it is made anew: a ring whose
 * memory is coherent has short ones, and a queue that is stopped none.
 *
 * vw_enqueue	as pv_virtq_enqueue
 * vw_run	as pv_virtq_enqueue_batch
 * vw_publish	shows the device all that was enqueued; whether it rang
 * vw_take	as pv_virtq_dequeue: without a loop's preparations
 * vw_dequeue	as pv_virtq_dequeue_batch
 */
struct virtq_ways {
	int (*vw_enqueue)(struct pv_virtq *, const struct pv_piece *,
	    unsigned int nout, unsigned int nin, void *cookie);
	int (*vw_run)(struct pv_virtq *, const struct pv_piece *,
	    void *const *cookies, unsigned int n, int in, unsigned int *taken);
	int (*vw_publish)(struct pv_virtq *);
	int (*vw_take)(struct pv_virtq *, struct pv_used *);
	int (*vw_dequeue)(struct pv_virtq *, struct pv_used *, unsigned int n,
	    unsigned int *taken);
};

/*
 * Where pointers have 64 bits, submitting and consuming have a line of 64 bytes
 * each (but for counters of what is seldom): together one of 128. Of what
 * anybody may look at (pv_virtq_counters) vq_published and vq_nused are stored
 * atomically; on the way of data nothing else is counted.
 */
struct pv_virtq {
	/* submitting */
	struct pv_virtio *vq_dev;
	const struct virtq_ways *vq_ways;
	struct virtq_entry *vq_entries;
	uint16_t *vq_ids;
	struct ring_desc *vq_desc;	/* table, or packed ring */
	uint32_t vq_posted;		/* chains enqueued; a split ring's low
					 * half is the index to be shown */
	uint32_t vq_published;		/* of them shown */
	uint32_t vq_room;		/* descriptors that are free */
	uint32_t vq_place;		/* packed: where the next one goes, as
					 * its mark: lap << 16 | slot; split:
					 * how far descriptors, in order, are
					 * ahead of vq_posted */
	uint32_t vq_head;		/* packed: of the first not shown, what
					 * will show it: flags << 16 | slot */
	uint16_t vq_size;
	uint16_t vq_flags;		/* VQ_* */

	/* consuming: the next line */
	struct ring_used *vq_used;
	unsigned long vq_nused;		/* chains that we took */
	uint32_t vq_batch;		/* IN_ORDER: its last chain's id + 1 */
	uint32_t vq_batchlen;		/* and that chain's length */
	uint16_t vq_used_seen;		/* used index as last read and checked */
	uint16_t vq_used_slot;		/* packed: where the next used is */
	uint16_t vq_used_wrap;		/* RING_DESC_F_BOTH, or 0: its lap */
	uint16_t vq_event;		/* packed: event flags as written */
	struct pv_virtq_counters vq_counters; /* qc_enqueued, qc_used: of what
					 * was before the last start */

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
	unsigned int vq_todrain;	/* of vq_ids, then a heap of what drain
					 * has still to give back */
	unsigned int vq_wantsegs;	/* vq_maxsegs, but for the size */
	uint32_t vq_delay;		/* chains that moderate waits for, */
	uint32_t vq_delayed;		/* from this many used on */
	unsigned long vq_stalled_used;	/* the watchdog's: as vq_nused was, */
	uint64_t vq_stalled_ns;		/* and since when; 0: not seen so */
	bool vq_again;			/* rung again since */
	bool vq_draining;
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
#define VQ_IN_PLACE	0x100	/* in order, and an id is its place */

#define VIRTQ_NONE	0xffffu	/* no further descriptor, in vq_next */

static inline unsigned int
virtq_size(const struct pv_virtq *vq)
{
	return vq->vq_size;
}

static inline bool
virtq_outer(const struct pv_virtq *vq)
{
	return UNLIKELY(vq->vq_flags & VQ_OUTER);
}

/* Descriptors of the ring that are free. */
static inline uint32_t
virtq_room(const struct pv_virtq *vq)
{
	return vq->vq_room;
}

/* Chains that we took; split: the low half is the next used entry. */
static inline uint32_t
virtq_used_idx(const struct pv_virtq *vq)
{
	return (uint32_t)vq->vq_nused;
}

/* Chains that the device has been shown and not yet used. */
static inline uint32_t
virtq_inflight(const struct pv_virtq *vq)
{
	return vq->vq_published - virtq_used_idx(vq);
}

static inline struct virtq_saved *
virtq_saved(const struct pv_virtq *vq, unsigned int id)
{
	return (struct virtq_saved *)(void *)((char *)vq->vq_saved +
	    id * vq->vq_savedlen);
}

/* Whether there is a chain, which the device may have or may not. */
static inline bool
virtq_is_held(const struct pv_virtq *vq, unsigned int id)
{
	return vq->vq_entries[id].qe_limit != 0 ||
	    virtq_saved(vq, id)->qs_flags != 0;
}

/* Whether something was enqueued that the device was not shown. */
static inline bool
virtq_is_dirty(const struct pv_virtq *vq)
{
	return vq->vq_posted != vq->vq_published;
}

/*
 * A chain's place among all ever enqueued; the chain is held. With VQ_IN_PLACE
 * it is known by its id alone.
 */
static inline uint32_t
virtq_where(const struct pv_virtq *vq, unsigned int id)
{
	unsigned int slot;

	if (!(vq->vq_flags & VQ_IN_PLACE))
		return vq->vq_entries[id].qe_where;
	slot = vq->vq_flags & VQ_PACKED ? vq->vq_used_slot :
	    virtq_used_idx(vq) & (vq->vq_size - 1u);
	return virtq_used_idx(vq) + id - slot + (id < slot ? vq->vq_size : 0);
}

/* Whether the device has a chain: enqueued, shown, and not used. */
static inline bool
virtq_is_outstanding(const struct pv_virtq *vq, unsigned int id)
{
	return virtq_is_held(vq, id) &&
	    virtq_where(vq, id) - vq->vq_published >=
	    vq->vq_posted - vq->vq_published;
}

/* What a chain has for the device to write, bytes. */
static inline uint32_t
virtq_inlen(const struct pv_virtq *vq, unsigned int id)
{
	uint32_t limit = vq->vq_entries[id].qe_limit;

	return limit != 0 ? limit - 1 : virtq_saved(vq, id)->qs_inlen;
}

/* What the device wrote into the next chain of a batch, which its last ends. */
static inline uint32_t
virtq_batch_len(struct pv_virtq *vq, unsigned int id)
{
	if (id + 1 != vq->vq_batch)
		return virtq_inlen(vq, id);
	vq->vq_batch = 0;
	return vq->vq_batchlen;
}

/*
 * The segment of a coherent map in which the last piece was: the next is often
 * there too. w_len is 0 where there is none.
 */
struct window {
	bus_dmamap_t w_map;
	bus_size_t w_end;	/* in the map */
	bus_size_t w_len;
	uint64_t w_addr;	/* of the map's byte 0, if it were there */
};

/* Of n, as many as there are or fit, none behind the ring's end. */
static inline unsigned int
virtq_fits(const struct pv_virtq *vq, unsigned int n, unsigned int most,
    unsigned int slot)
{
	unsigned int left = vq->vq_size - slot;

	if (n > most)
		n = most;
	return n < left ? n : left;
}

#define PIECE_MAX	0x80000000u	/* qe_limit is one more */

/* The coherent segment that a piece lies in whole, or NULL; *off in it. */
ALWAYS_INLINE const bus_dma_segment_t *
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
	    (pc->pc_len - 1) / PIECE_MAX != 0))
		return NULL;
	return seg;
}

/* Whether a piece is in it, at w_addr + pc_off. An empty piece is not. */
ALWAYS_INLINE bool
window_holds(const struct window *w, const struct pv_piece *pc)
{
	bus_size_t left = w->w_end - pc->pc_off;

	return LIKELY(pc->pc_map == w->w_map && left <= w->w_len &&
	    pc->pc_len - 1 < left);
}

/* Open it where a piece is. */
ALWAYS_INLINE bool
window_find(struct window *w, const struct pv_virtq *vq,
    const struct pv_piece *pc)
{
	const bus_dma_segment_t *seg;
	bus_size_t off;

	seg = virtq_segment(vq, pc, &off);
	if (seg == NULL)
		return false;
	off = pc->pc_off - off;
	w->w_map = pc->pc_map;
	w->w_len = seg->ds_len < PIECE_MAX ? seg->ds_len : PIECE_MAX;
	w->w_end = off + w->w_len;
	w->w_addr = (uint64_t)seg->ds_addr - off;
	return true;
}

/* A chain that goes the short way. in is 0 or 1. */
ALWAYS_INLINE void
virtq_entry_set(struct virtq_entry *qe, void *cookie, uint32_t len,
    unsigned int in)
{
	qe->qe_cookie = cookie;
	qe->qe_limit = (len & (0u - in)) + 1;
}

/* A chain that went the short way was used. */
ALWAYS_INLINE void
virtq_entry_take(struct virtq_entry *qe, uint32_t len, struct pv_used *us)
{
	us->us_cookie = qe->qe_cookie;
	us->us_len = len;
	qe->qe_limit = 0;
}

/* n such were. */
static inline void
virtq_used(struct pv_virtq *vq, unsigned int n)
{
	vq->vq_room += n;
	count_add(&vq->vq_nused, n);
}

/* The device was shown all up to that. */
static inline void
virtq_published(struct pv_virtq *vq, uint32_t posted)
{
	__atomic_store_n(&vq->vq_published, posted, __ATOMIC_RELAXED);
}

/* virtq.c, for virtio.c: where the areas are; ring once more after start */
void virtq_place(const struct pv_virtq *, struct pv_queue_place *);
void virtq_notify_again(struct pv_virtq *);

/* virtq.c, for negotiate.c: whether the tag has what a packed ring lies in */
bool virtq_can_pack(bus_dma_tag_t);

/*
 * virtq.c, for the kinds. A part of the ring's memory is synced where it needs
 * that. A chain's table is filled. A used length is judged. A used chain, which
 * was judged, is the caller's again.
 */
void virtq_sync(const struct pv_virtq *, const void *field, bus_size_t len,
    int ops);
uint32_t virtq_fill_table(struct pv_virtq *, unsigned int id,
    struct virtq_chain *);
int virtq_judge(struct pv_virtq *, unsigned int id, uint32_t *len);
void virtq_finish(struct pv_virtq *, unsigned int id, uint32_t len,
    struct pv_used *);

static inline void
virtq_sync_ring(const struct pv_virtq *vq, const void *field, bus_size_t len,
    int ops)
{
	if (!(vq->vq_flags & VQ_COHERENT))
		virtq_sync(vq, field, len, ops);
}

/* virtq.c: the doorbell, once the device is started; whether it rang */
int virtq_ring(struct pv_virtq *);

/*
 * virtq.c: the long way in of any chain; what a run has left, of which *taken
 * went in; and a run where there is no short way
 */
int virtq_enqueue_chain(struct pv_virtq *, const struct pv_piece *,
    unsigned int nout, unsigned int nin, void *cookie);
int virtq_run_rest(struct pv_virtq *, const struct pv_piece *,
    void *const *cookies, unsigned int n, int in, unsigned int *taken);
int virtq_run_none(struct pv_virtq *, const struct pv_piece *,
    void *const *cookies, unsigned int n, int in, unsigned int *taken);

/* virtq.c: a vw_take and a vw_dequeue that go the long way out */
int virtq_take_any(struct pv_virtq *, struct pv_used *);
int virtq_dequeue_any(struct pv_virtq *, struct pv_used *, unsigned int n,
    unsigned int *taken);

/*
 * What the common case, a chain of one piece in one segment, puts straight into
 * the ring: one, or of n that lie in a window those before the first that does
 * not. in, and placed (an id is its place), are known where this is compiled:
 * once for each way.
 */
typedef void virtq_put_one(struct pv_virtq *, uint64_t addr, uint32_t len,
    void *cookie, unsigned int in, bool placed);
typedef unsigned int virtq_put_some(struct pv_virtq *, const struct window *,
    const struct pv_piece *, void *const *cookies, unsigned int n,
    unsigned int in, bool placed);

ALWAYS_INLINE int
virtq_enqueue_one(struct pv_virtq *vq, const struct pv_piece *pc, void *cookie,
    virtq_put_one *put, const unsigned int in, const bool placed)
{
	const bus_dma_segment_t *seg;
	bus_size_t off;

	if (UNLIKELY(cookie == NULL || virtq_room(vq) == 0))
		return virtq_enqueue_chain(vq, pc, 1 - in, in, cookie);
	seg = virtq_segment(vq, pc, &off);
	if (UNLIKELY(seg == NULL))
		return virtq_enqueue_chain(vq, pc, 1 - in, in, cookie);
	put(vq, seg->ds_addr + off, (uint32_t)pc->pc_len, cookie, in, placed);
	vq->vq_posted++;
	vq->vq_room--;
	return 0;
}

/* A vw_enqueue. */
ALWAYS_INLINE int
virtq_enqueue(struct pv_virtq *vq, const struct pv_piece *pc, unsigned int nout,
    unsigned int nin, void *cookie, virtq_put_one *put, const bool placed)
{
	if (nin == 1 && nout == 0)
		return virtq_enqueue_one(vq, pc, cookie, put, 1, placed);
	if (nin == 0 && nout == 1)
		return virtq_enqueue_one(vq, pc, cookie, put, 0, placed);
	return virtq_enqueue_chain(vq, pc, nout, nin, cookie);
}

/* From slot on, not behind the ring's end. */
ALWAYS_INLINE unsigned int
virtq_put_windows(struct pv_virtq *vq, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, unsigned int slot,
    virtq_put_some *put, const unsigned int in, const bool placed)
{
	struct window w = { NULL, 0, 0, 0 };
	unsigned int i, got;

	n = virtq_fits(vq, n, virtq_room(vq), slot);
	for (i = 0; i < n; i += got) {
		if (UNLIKELY(!window_find(&w, vq, pc + i)))
			break;
		got = put(vq, &w, pc + i, cookies + i, n - i, in, placed);
		if (UNLIKELY(got == 0))
			break;
	}
	return i;
}

/* A vw_run. */
ALWAYS_INLINE int
virtq_run(struct pv_virtq *vq, const struct pv_piece *pc, void *const *cookies,
    unsigned int n, int in, unsigned int *taken, unsigned int slot,
    virtq_put_some *put, const bool placed)
{
	*taken = in ?
	    virtq_put_windows(vq, pc, cookies, n, slot, put, 1, placed) :
	    virtq_put_windows(vq, pc, cookies, n, slot, put, 0, placed);
	return LIKELY(*taken == n) ? 0 :
	    virtq_run_rest(vq, pc, cookies, n, in, taken);
}

/*
 * The kinds. _chain: an id for what is in vq_segs, which goes into the ring.
 * _take: up to n by the long way out; where they end early *error is set.
 * _awaited: whether the device awaits a doorbell for some chain that it has.
 */
int split_alloc(struct pv_virtq *);
const struct virtq_ways *split_reset(struct pv_virtq *);
unsigned int split_chain(struct pv_virtq *, struct virtq_chain *);
unsigned int split_take(struct pv_virtq *, struct pv_used *, unsigned int n,
    int *error);
int split_pending(struct pv_virtq *);
bool split_awaited(const struct pv_virtq *);
void split_intr_disable(struct pv_virtq *);
int split_intr_enable(struct pv_virtq *, unsigned int n);

int packed_alloc(struct pv_virtq *);
const struct virtq_ways *packed_reset(struct pv_virtq *);
unsigned int packed_chain(struct pv_virtq *, struct virtq_chain *);
unsigned int packed_take(struct pv_virtq *, struct pv_used *, unsigned int n,
    int *error);
uint32_t packed_notify_data(const struct pv_virtq *);
int packed_pending(struct pv_virtq *);
bool packed_awaited(const struct pv_virtq *);
void packed_intr_disable(struct pv_virtq *);
int packed_intr_enable(struct pv_virtq *, unsigned int n);

#endif
