/* SPDX-License-Identifier: ISC */
/*
 * Packed virtqueues (Virtqueues / Packed Virtqueues).
 *
 * Chains are written into the ring as they are enqueued, but for the flags of
 * the first: the device looks at nothing behind a descriptor that is not
 * available, so that storing those shows it the whole batch. vq_ids gives each
 * place the id of the chain that begins there next. Sizes are no power of two:
 * a lap is counted by its wrap counter, as the bits that mark it.
 *
 * vq_used is the device event suppression, vq_avail the driver's.
 */
#include "mem.h"
#include "virtq_var.h"

#define TURN(bits)	((uint16_t)((bits) ^ RING_DESC_F_BOTH))

static struct ring_packed *
desc_at(const struct pv_virtq *vq, unsigned int slot)
{
	return (struct ring_packed *)(void *)&vq->vq_desc[slot];
}

int
packed_alloc(struct pv_virtq *vq)
{
	bus_size_t len = DMA_LINES(virtq_size(vq) * sizeof(struct ring_desc));
	int error;

	error = pv_dmamem_alloc(&vq->vq_mem, vq->vq_dmat, len + 2 * DMA_LINE,
	    DMA_LINE, 1, 0, BUS_DMA_COHERENT);
	if (error)
		return error;
	if ((vq->vq_mem.dm_flags & BUS_DMA_COHERENT) == 0)
		return ENOTSUP;
	vq->vq_align = DMA_LINE;
	vq->vq_avail_off = len;
	vq->vq_used_off = len + DMA_LINE;
	vq->vq_desc = vq->vq_mem.dm_kva;
	vq->vq_avail = (void *)((char *)vq->vq_mem.dm_kva + vq->vq_avail_off);
	vq->vq_used = (void *)((char *)vq->vq_mem.dm_kva + vq->vq_used_off);
	return 0;
}

void
packed_reset(struct pv_virtq *vq)
{
	vq->vq_slot = vq->vq_used_slot = 0;
	vq->vq_wrap = RING_DESC_F_AVAIL;
	vq->vq_used_wrap = RING_DESC_F_BOTH;
	vq->vq_shown = 0;
	vq->vq_event = RING_EVENT_ENABLE;
	pv_dmamem_sync(&vq->vq_mem, 0, vq->vq_mem.dm_size,
	    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
}

/* What marks a descriptor of this lap as not available. */
static inline unsigned int
held(unsigned int wrap)
{
	return wrap == RING_DESC_F_AVAIL ? 0 : RING_DESC_F_BOTH;
}

/* The first chain that is not shown begins at the slot, with these flags. */
static inline void
hold(struct pv_virtq *vq, unsigned int slot, unsigned int flags)
{
	vq->vq_head_slot = (uint16_t)slot;
	vq->vq_head_flags = (uint16_t)flags;
}

/* What a loop keeps in registers of a queue. */
struct place {
	const uint16_t *pl_ids;
	struct ring_desc *pl_desc;
	struct virtq_entry *pl_entries;
	unsigned int pl_size;
	unsigned int pl_slot;
	unsigned int pl_flags;		/* of a descriptor put there */
	unsigned int pl_mark;		/* of the next one, while it is held */
};

static inline __attribute__((__always_inline__)) struct place
place_of(struct pv_virtq *vq, unsigned int in)
{
	unsigned int wrap = vq->vq_wrap;
	struct place pl = {
		vq->vq_ids, vq->vq_desc, vq->vq_entries, vq->vq_size,
		vq->vq_slot, wrap | in * RING_DESC_F_WRITE, 0
	};

	pl.pl_mark = pl.pl_flags;
	if (vq->vq_posted == vq->vq_published) {
		hold(vq, pl.pl_slot, pl.pl_flags);
		pl.pl_mark = held(wrap);
	}
	return pl;
}

/* A chain of one piece in one segment, the i-th of all. in is 0 or 1. */
static inline __attribute__((__always_inline__)) void
put(struct place *pl, uint32_t i, uint64_t addr, uint32_t len,
    unsigned int in, void *cookie)
{
	unsigned int id = pl->pl_ids[pl->pl_slot];

	ring_packed_set(&pl->pl_desc[pl->pl_slot], addr, len, id,
	    pl->pl_mark);
	virtq_entry_set(&pl->pl_entries[id], cookie, len & (0u - in), i, 0);
	if (UNLIKELY(++pl->pl_slot == pl->pl_size)) {
		pl->pl_slot = 0;
		pl->pl_flags = TURN(pl->pl_flags);
	}
	pl->pl_mark = pl->pl_flags;
}

static inline __attribute__((__always_inline__)) void
place_keep(struct pv_virtq *vq, const struct place *pl, uint32_t n)
{
	vq->vq_slot = (uint16_t)pl->pl_slot;
	vq->vq_wrap = pl->pl_flags & RING_DESC_F_BOTH;
	vq->vq_front += n;
	vq->vq_posted += n;
}

/* The common case, one piece in one segment, goes straight into the ring. */
int
packed_enqueue(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, void *cookie)
{
	const bus_dma_segment_t *seg;
	unsigned int slot, flags, id;
	bus_size_t off;
	uint32_t len;

	if (UNLIKELY(nout + nin != 1 || nin > 1 || cookie == NULL ||
	    vq->vq_end == vq->vq_front))
		return virtq_enqueue_chain(vq, pc, nout, nin, cookie);
	seg = virtq_segment(vq, pc, &off);
	if (UNLIKELY(seg == NULL))
		return virtq_enqueue_chain(vq, pc, nout, nin, cookie);
	slot = vq->vq_slot;
	id = vq->vq_ids[slot];
	len = (uint32_t)pc->pc_len;
	flags = vq->vq_wrap | nin * RING_DESC_F_WRITE;
	if (vq->vq_posted == vq->vq_published) {
		hold(vq, slot, flags);
		flags = held(vq->vq_wrap);
	}
	ring_packed_set(&vq->vq_desc[slot], seg->ds_addr + off, len, id,
	    flags);
	virtq_entry_set(&vq->vq_entries[id], cookie, len & (0u - nin),
	    vq->vq_posted, 0);
	if (UNLIKELY(++slot == vq->vq_size)) {
		slot = 0;
		vq->vq_wrap = TURN(vq->vq_wrap);
	}
	vq->vq_slot = (uint16_t)slot;
	vq->vq_front++;
	vq->vq_posted++;
	return 0;
}

unsigned int
packed_run(struct pv_virtq *vq, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, unsigned int in)
{
	const uint32_t first = vq->vq_posted;
	uint32_t i = first, end = i + virtq_room(vq);
	struct place pl = place_of(vq, in);
	struct window w = { NULL, 0, 0, 0 };

	if (n < end - i)
		end = i + n;
	for (; i != end; i++, pc++, cookies++) {
		if (UNLIKELY(*cookies == NULL) ||
		    (!window_holds(&w, pc) && !window_find(&w, vq, pc)))
			break;
		put(&pl, i, w.w_addr + pc->pc_off, (uint32_t)pc->pc_len, in,
		    *cookies);
	}
	place_keep(vq, &pl, i - first);
	return i - first;
}

/* One descriptor of the ring; the chain's head is held if nothing else is. */
static void
put_desc(struct pv_virtq *vq, uint64_t addr, uint32_t len, unsigned int id,
    unsigned int flags, bool head)
{
	unsigned int slot = vq->vq_slot;

	flags |= vq->vq_wrap;
	if (head && vq->vq_posted == vq->vq_published) {
		hold(vq, slot, flags);
		flags = held(vq->vq_wrap);
	}
	ring_packed_set(&vq->vq_desc[slot], addr, len, id, flags);
	if (++slot == vq->vq_size) {
		slot = 0;
		vq->vq_wrap = TURN(vq->vq_wrap);
	}
	vq->vq_slot = (uint16_t)slot;
	vq->vq_front++;
}

/*
 * In the ring's own descriptors. The ids of the places behind the head's come
 * back with the chain's.
 */
static void
fill_direct(struct pv_virtq *vq, unsigned int id, struct virtq_chain *vc)
{
	const struct virtq_seg *sg = vq->vq_segs;
	unsigned int i, last = id;

	for (i = 0; i < vc->vc_count; i++, sg++) {
		if (i > 0) {
			vq->vq_next[last] = vq->vq_ids[vq->vq_slot];
			last = vq->vq_next[last];
		}
		put_desc(vq, sg->sg_addr, sg->sg_len, id, sg->sg_flags |
		    (i + 1 < vc->vc_count ? RING_DESC_F_NEXT : 0), i == 0);
	}
	vq->vq_next[last] = VIRTQ_NONE;
	if (vc->vc_count > 1)
		vc->vc_flags |= QE_LONG;
}

unsigned int
packed_chain(struct pv_virtq *vq, struct virtq_chain *vc, void *cookie)
{
	unsigned int id = vq->vq_ids[vq->vq_slot];
	uint32_t len;

	if (vc->vc_table) {
		len = virtq_fill_table(vq, id, vc);
		put_desc(vq, vq->vq_tables[id].qt_addr, len, id,
		    RING_DESC_F_INDIRECT, true);
	} else
		fill_direct(vq, id, vc);
	virtq_entry_set(&vq->vq_entries[id], cookie, vc->vc_inlen,
	    vq->vq_posted, vc->vc_flags);
	vq->vq_posted++;
	return id;
}

/* The descriptors from slot on; they may wrap. The device writes them too. */
static void
sync_descs(const struct pv_virtq *vq, unsigned int slot, uint32_t n)
{
	uint32_t run = virtq_size(vq) - slot;

	if (run > n)
		run = n;
	virtq_sync(vq, &vq->vq_desc[slot], run * sizeof(struct ring_desc),
	    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
	if (n > run)
		virtq_sync(vq, vq->vq_desc,
		    (n - run) * sizeof(struct ring_desc),
		    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
}

/*
 * Whether the device wants to hear of the last n descriptors (Driver and Device
 * Event Suppression). Its offset is in our lap, or in the one before.
 */
static bool
packed_wants_notify(const struct pv_virtq *vq, uint32_t n)
{
	const uint32_t *field = (const uint32_t *)(const void *)vq->vq_used;
	uint32_t event, lap = vq->vq_wrap == RING_DESC_F_AVAIL;
	uint16_t off;

	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_POSTREAD);
	event = ring_load32(field);
	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_PREREAD);
	switch (event >> 16 & RING_EVENT_FLAGS) {
	case RING_EVENT_DISABLE:
		return false;
	case RING_EVENT_DESC:
		if (!(vq->vq_flags & VQ_EVENT_IDX))
			return true;
		break;
	default:
		return true;
	}
	off = event & (RING_EVENT_WRAP - 1);
	if (((event & RING_EVENT_WRAP) != 0) != lap)
		off = (uint16_t)(off - vq->vq_size);
	return (uint16_t)(vq->vq_slot - off - 1) < (uint16_t)n;
}

int
packed_publish(struct pv_virtq *vq)
{
	struct ring_packed *pd = desc_at(vq, vq->vq_head_slot);
	uint32_t n = vq->vq_front - vq->vq_shown;

	if (UNLIKELY(!(vq->vq_flags & VQ_COHERENT)))
		sync_descs(vq, vq->vq_head_slot, n);
	pv_barrier_publish(virtq_outer(vq));
	ring_store16(&pd->pd_flags, vq->vq_head_flags);
	if (UNLIKELY(!(vq->vq_flags & VQ_COHERENT)))
		sync_descs(vq, vq->vq_head_slot, 1);
	vq->vq_counters.qc_enqueued += vq->vq_posted - vq->vq_published;
	vq->vq_published = vq->vq_posted;
	vq->vq_shown = vq->vq_front;
	pv_barrier_check(virtq_outer(vq));
	return packed_wants_notify(vq, n);
}

/* next_off and next_wrap: of the next descriptor not yet made available. */
uint32_t
packed_notify_data(const struct pv_virtq *vq)
{
	uint32_t slot = vq->vq_slot;
	unsigned int wrap = vq->vq_wrap;

	if (vq->vq_posted != vq->vq_published) {
		slot = vq->vq_head_slot;
		wrap = vq->vq_head_flags & RING_DESC_F_BOTH;
	}
	return slot << 16 | (wrap == RING_DESC_F_AVAIL ? 1u << 31 : 0);
}

/*
 * The used descriptor at slot, each field read once: the flags, and when they
 * say that it is used the others. EAGAIN there is none. The device goes on
 * looking at it, until it is available again.
 */
static inline __attribute__((__always_inline__)) int
used_desc(const struct pv_virtq *vq, unsigned int slot, unsigned int wrap,
    unsigned int *id, uint32_t *len, unsigned int *flags)
{
	const struct ring_packed *pd = desc_at(vq, slot);

	virtq_sync_ring(vq, pd, sizeof(*pd), BUS_DMASYNC_POSTREAD);
	*flags = ring_load16(&pd->pd_flags);
	if ((*flags & RING_DESC_F_BOTH) != wrap) {
		virtq_sync_ring(vq, pd, sizeof(*pd), BUS_DMASYNC_PREREAD);
		return EAGAIN;
	}
	pv_barrier_consume(virtq_outer(vq));
	*id = ring_load16(&pd->pd_id);
	*len = ring_load32(&pd->pd_len);
	return 0;
}

/*
 * It must name a chain that the device has. Without WRITE the length is
 * reserved (Element Address and Length); but there are devices that never set
 * it, and give a good length.
 */
static int
used_check(struct pv_virtq *vq, unsigned int id, uint32_t *len,
    unsigned int flags)
{
	const struct virtq_entry *qe;

	if (id >= vq->vq_size)
		return pv_virtio_break(vq->vq_dev, "used id out of range");
	qe = &vq->vq_entries[id];
	if (!virtq_is_outstanding(vq, qe))
		return pv_virtio_break(vq->vq_dev,
		    "used id is not outstanding");
	if (*len > qe->qe_inlen && !(flags & RING_DESC_F_WRITE))
		*len = 0;
	return virtq_judge(vq, qe, len);
}

/* A chain's places, from the next used on, are free, and its ids theirs. */
static void
packed_release(struct pv_virtq *vq, unsigned int id)
{
	bool more = (vq->vq_entries[id].qe_where & QE_LONG) != 0;

	for (;;) {
		vq->vq_ids[vq->vq_used_slot] = (uint16_t)id;
		if (++vq->vq_used_slot == vq->vq_size) {
			vq->vq_used_slot = 0;
			vq->vq_used_wrap = TURN(vq->vq_used_wrap);
		}
		vq->vq_end++;
		if (!more)
			return;
		id = vq->vq_next[id];
		more = vq->vq_next[id] != VIRTQ_NONE;
	}
}

/* A used descriptor that the short way passed on. */
static __attribute__((__noinline__)) int
take_any(struct pv_virtq *vq, unsigned int id, uint32_t len,
    unsigned int flags, struct pv_used *us)
{
	int error;

	error = used_check(vq, id, &len, flags);
	if (error)
		return error;
	packed_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

/*
 * Up to n used descriptors. The short way is a chain of one piece in coherent
 * memory; what is copied out of *vq stays in registers.
 */
static inline __attribute__((__always_inline__)) unsigned int
take(struct pv_virtq *vq, struct pv_used *us, unsigned int n, int *error)
{
	struct virtq_entry *const entries = vq->vq_entries;
	uint16_t *const ids = vq->vq_ids;
	const bool dirty = vq->vq_posted != vq->vq_published;
	const unsigned int size = vq->vq_size;
	unsigned int i, id, flags, slot = vq->vq_used_slot;
	unsigned int wrap = vq->vq_used_wrap;
	struct virtq_entry *qe;
	uint32_t len;
	bool odd = false;

	for (i = 0; i < n; i++, us++) {
		*error = used_desc(vq, slot, wrap, &id, &len, &flags);
		if (*error)
			break;
		odd = true;
		if (UNLIKELY(id >= size))
			break;
		qe = &entries[id];
		us->us_cookie = qe->qe_cookie;
		us->us_len = len;
		if (UNLIKELY(qe->qe_cookie == NULL || len > qe->qe_inlen ||
		    (qe->qe_where & QE_FLAGS) ||
		    (dirty && !virtq_is_outstanding(vq, qe))))
			break;
		qe->qe_cookie = NULL;
		ids[slot] = (uint16_t)id;
		if (UNLIKELY(++slot == size)) {
			slot = 0;
			wrap = TURN(wrap);
		}
		odd = false;
	}
	vq->vq_used_slot = (uint16_t)slot;
	vq->vq_used_wrap = (uint16_t)wrap;
	vq->vq_end += i;
	vq->vq_used_idx += i;
	vq->vq_counters.qc_used += i;
	if (UNLIKELY(odd)) {
		*error = take_any(vq, id, len, flags, us);
		i += *error == 0;
	}
	return i;
}

/*
 * In-order use of descriptors: one used descriptor stands for all chains up to
 * its own, and those before that were used completely. They lie in the ring as
 * they were put there.
 */
static int
batch_begin(struct pv_virtq *vq, unsigned int id, uint32_t len,
    unsigned int flags)
{
	int error;

	error = used_check(vq, id, &len, flags);
	if (error)
		return error;
	vq->vq_batch += (uint16_t)(vq->vq_entries[id].qe_where -
	    vq->vq_used_idx) + 1u;
	vq->vq_batchlen = len;
	return 0;
}

/* The next chain; id .. flags are the device's where no batch is begun. */
static __attribute__((__noinline__)) int
take_in_order(struct pv_virtq *vq, unsigned int id, uint32_t len,
    unsigned int flags, struct pv_used *us)
{
	int error;

	if (vq->vq_batch == vq->vq_used_idx) {
		error = batch_begin(vq, id, len, flags);
		if (error)
			return error;
	}
	id = vq->vq_ids[vq->vq_used_slot];
	len = vq->vq_used_idx + 1 == vq->vq_batch ? vq->vq_batchlen :
	    vq->vq_entries[id].qe_inlen;
	packed_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

/*
 * Up to n, in order. The short way is as in take(), where the device tells of
 * each chain, or within a batch.
 */
static unsigned int
take_ordered(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    int *error)
{
	struct virtq_entry *const entries = vq->vq_entries;
	const uint16_t *const ids = vq->vq_ids;
	const unsigned int size = vq->vq_size;
	const bool dirty = vq->vq_posted != vq->vq_published;
	uint32_t used = vq->vq_used_idx, batch = vq->vq_batch, len = 0;
	unsigned int i, id, told = 0, flags = 0, slot = vq->vq_used_slot;
	unsigned int wrap = vq->vq_used_wrap;
	struct virtq_entry *qe;
	bool odd = false;

	for (i = 0; i < n; i++, us++, used++) {
		told = id = ids[slot];
		qe = &entries[id];
		if (LIKELY(used == batch)) {
			*error = used_desc(vq, slot, wrap, &told, &len,
			    &flags);
			if (*error)
				break;
		} else
			len = used + 1 == batch ? vq->vq_batchlen :
			    qe->qe_inlen;
		odd = true;
		if (UNLIKELY(told != id || qe->qe_cookie == NULL ||
		    len > qe->qe_inlen || (qe->qe_where & QE_FLAGS) ||
		    (dirty && !virtq_is_outstanding(vq, qe))))
			break;
		us->us_cookie = qe->qe_cookie;
		us->us_len = len;
		qe->qe_cookie = NULL;
		batch += used == batch;
		if (UNLIKELY(++slot == size)) {
			slot = 0;
			wrap = TURN(wrap);
		}
		odd = false;
	}
	vq->vq_batch = batch;
	vq->vq_used_slot = (uint16_t)slot;
	vq->vq_used_wrap = (uint16_t)wrap;
	vq->vq_end += i;
	vq->vq_used_idx += i;
	vq->vq_counters.qc_used += i;
	if (UNLIKELY(odd)) {
		*error = take_in_order(vq, told, len, flags, us);
		i += *error == 0;
	}
	return i;
}

static __attribute__((__noinline__)) int
take_other(struct pv_virtq *vq, struct pv_used *us)
{
	unsigned int id, flags;
	uint32_t len;
	int error = 0;

	if (vq->vq_flags & VQ_STOPPED)
		return EAGAIN;
	if (vq->vq_flags & VQ_IN_ORDER) {
		take_ordered(vq, us, 1, &error);
		return error;
	}
	if (used_desc(vq, vq->vq_used_slot, vq->vq_used_wrap, &id, &len,
	    &flags))
		return EAGAIN;
	return take_any(vq, id, len, flags, us);
}

/* The same for one, without a loop's preparations. */
int
packed_dequeue(struct pv_virtq *vq, struct pv_used *us)
{
	const struct ring_packed *pd = desc_at(vq, vq->vq_used_slot);
	unsigned int id, flags, slot;
	struct virtq_entry *qe;
	uint32_t len;

	if (UNLIKELY((vq->vq_flags & (VQ_COHERENT | VQ_STOPPED |
	    VQ_IN_ORDER)) != VQ_COHERENT))
		return take_other(vq, us);
	flags = ring_load16(&pd->pd_flags);
	if ((flags & RING_DESC_F_BOTH) != vq->vq_used_wrap)
		return EAGAIN;
	pv_barrier_consume(virtq_outer(vq));
	id = ring_load16(&pd->pd_id);
	len = ring_load32(&pd->pd_len);
	if (UNLIKELY(id >= vq->vq_size))
		return take_any(vq, id, len, flags, us);
	qe = &vq->vq_entries[id];
	if (UNLIKELY(qe->qe_cookie == NULL || len > qe->qe_inlen ||
	    (qe->qe_where & QE_FLAGS) ||
	    vq->vq_posted != vq->vq_published))
		return take_any(vq, id, len, flags, us);
	us->us_cookie = qe->qe_cookie;
	us->us_len = len;
	qe->qe_cookie = NULL;
	slot = vq->vq_used_slot;
	vq->vq_ids[slot] = (uint16_t)id;
	if (UNLIKELY(++slot == vq->vq_size)) {
		slot = 0;
		vq->vq_used_wrap = TURN(vq->vq_used_wrap);
	}
	vq->vq_used_slot = (uint16_t)slot;
	vq->vq_end++;
	vq->vq_used_idx++;
	vq->vq_counters.qc_used++;
	return 0;
}

unsigned int
packed_dequeue_run(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    int *error)
{
	unsigned int i = 0;

	if (vq->vq_flags & VQ_STOPPED)
		*error = EAGAIN;
	while (i < n && *error == 0)
		i += vq->vq_flags & VQ_IN_ORDER ?
		    take_ordered(vq, us + i, n - i, error) :
		    take(vq, us + i, n - i, error);
	return i;
}

int
packed_pending(struct pv_virtq *vq)
{
	const struct ring_packed *pd = desc_at(vq, vq->vq_used_slot);
	unsigned int flags;

	if (vq->vq_flags & VQ_STOPPED)
		return 0;
	if ((vq->vq_flags & VQ_IN_ORDER) && vq->vq_batch != vq->vq_used_idx)
		return 1;
	virtq_sync_ring(vq, pd, sizeof(*pd), BUS_DMASYNC_POSTREAD);
	flags = ring_load16(&pd->pd_flags);
	virtq_sync_ring(vq, pd, sizeof(*pd), BUS_DMASYNC_PREREAD);
	return (flags & RING_DESC_F_BOTH) == vq->vq_used_wrap;
}

static void
packed_event(struct pv_virtq *vq, unsigned int flags, unsigned int desc)
{
	uint32_t *field = (uint32_t *)(void *)vq->vq_avail;

	vq->vq_event = (uint16_t)flags;
	ring_store32(field, flags << 16 | desc);
	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_PREWRITE);
}

void
packed_intr_disable(struct pv_virtq *vq)
{
	if (vq->vq_event != RING_EVENT_DISABLE)
		packed_event(vq, RING_EVENT_DISABLE, 0);
}

/*
 * After n more descriptors are used, which is n chains where each takes one.
 * What is used already always counts: we can't see how many that are.
 */
int
packed_intr_enable(struct pv_virtq *vq, unsigned int n)
{
	unsigned int slot = vq->vq_used_slot + n - 1;
	unsigned int wrap = vq->vq_used_wrap;

	if (slot >= vq->vq_size) {
		slot -= vq->vq_size;
		wrap = TURN(wrap);
	}
	if (vq->vq_flags & VQ_EVENT_IDX)
		packed_event(vq, RING_EVENT_DESC, slot |
		    (wrap ? RING_EVENT_WRAP : 0));
	else if (vq->vq_event != RING_EVENT_ENABLE)
		packed_event(vq, RING_EVENT_ENABLE, 0);
	pv_barrier_check(virtq_outer(vq));
	return packed_pending(vq);
}
