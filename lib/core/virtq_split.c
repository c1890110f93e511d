/* SPDX-License-Identifier: ISC */
/*
 * Split virtqueues (Virtqueues / Split Virtqueues).
 *
 * vq_ids holds what the available ring holds, entry by entry, from vq_front on
 * for chains to come: heads at the front, what else a chain takes from the end.
 * With IN_ORDER descriptors are taken in their order instead, and vq_ids is the
 * copy of the available ring. The last descriptor's next is 0: one host is
 * known to follow it.
 */
#include "mem.h"
#include "virtq_var.h"

static uint16_t *
used_event(const struct pv_virtq *vq)
{
	return &vq->vq_avail->ra_ring[virtq_size(vq)];
}

static const uint16_t *
avail_event(const struct pv_virtq *vq)
{
	return (const uint16_t *)(const void *)
	    &vq->vq_used->ru_ring[virtq_size(vq)];
}

static inline unsigned int
mask(const struct pv_virtq *vq)
{
	return vq->vq_size - 1u;
}

static inline bool
is_in_order(const struct pv_virtq *vq)
{
	return (vq->vq_flags & VQ_IN_ORDER) != 0;
}

static inline uint16_t
used_load16(const struct pv_virtq *vq, const uint16_t *field)
{
	uint16_t v;

	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_POSTREAD);
	v = ring_load16(field);
	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_PREREAD);
	return v;
}

int
split_alloc(struct pv_virtq *vq)
{
	bus_size_t avail, used, len, align;
	unsigned int size = virtq_size(vq);
	bool legacy = virtio_is_legacy(vq->vq_dev);
	int error;

	align = legacy ? RING_LEGACY_ALIGN : DMA_LINE;
	avail = size * sizeof(struct ring_desc);
	if (!legacy)
		avail = DMA_LINES(avail);
	used = (avail + RING_AVAIL_LEN(size) + align - 1) & ~(align - 1);
	len = (used + RING_USED_LEN(size) + align - 1) & ~(align - 1);
	error = pv_dmamem_alloc(&vq->vq_mem, vq->vq_dmat, len, align, 1, 0,
	    BUS_DMA_COHERENT);
	if (error)
		return error;
	vq->vq_align = (unsigned int)align;
	vq->vq_avail_off = avail;
	vq->vq_used_off = used;
	vq->vq_desc = vq->vq_mem.dm_kva;
	vq->vq_avail = (void *)((char *)vq->vq_mem.dm_kva + avail);
	vq->vq_used = (void *)((char *)vq->vq_mem.dm_kva + used);
	return 0;
}

void
split_reset(struct pv_virtq *vq)
{
	unsigned int i;

	for (i = 0; i < virtq_size(vq); i++)
		vq->vq_avail->ra_ring[i] = PV_LE16(vq->vq_ids[i]);
	pv_dmamem_sync(&vq->vq_mem, 0, vq->vq_used_off, BUS_DMASYNC_PREWRITE);
	pv_dmamem_sync(&vq->vq_mem, vq->vq_used_off,
	    vq->vq_mem.dm_size - vq->vq_used_off,
	    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
}

/* Entry i of the available ring, where it is another than it was. */
static inline void
avail_set(struct pv_virtq *vq, uint32_t i, unsigned int id)
{
	unsigned int slot = i & mask(vq);

	if (vq->vq_ids[slot] == id)
		return;
	vq->vq_ids[slot] = (uint16_t)id;
	vq->vq_avail->ra_ring[slot] = PV_LE16(id);
}

/* What a loop keeps in registers of a queue. */
struct place {
	const uint16_t *pl_ids;
	struct ring_desc *pl_desc;
	struct virtq_entry *pl_entries;
	uint32_t pl_mask;
};

static inline __attribute__((__always_inline__)) struct place
place_of(const struct pv_virtq *vq)
{
	const struct place pl = {
		vq->vq_ids, vq->vq_desc, vq->vq_entries, mask(vq)
	};

	return pl;
}

/* A chain of one piece in one segment, the i-th of all. in is 0 or 1. */
static inline __attribute__((__always_inline__)) void
put(const struct place *pl, uint32_t i, uint64_t addr, uint32_t len,
    unsigned int in, void *cookie)
{
	unsigned int id = pl->pl_ids[i & pl->pl_mask];

	ring_desc_set(&pl->pl_desc[id], addr, len, in * RING_DESC_F_WRITE, 0);
	virtq_entry_set(&pl->pl_entries[id], cookie, len & (0u - in), i, 0);
}

/* The common case, one piece in one segment, goes straight into the ring. */
int
split_enqueue(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, void *cookie)
{
	const bus_dma_segment_t *seg;
	struct place pl;
	bus_size_t off;
	uint32_t i = vq->vq_front;

	if (UNLIKELY(nout + nin != 1 || nin > 1 || cookie == NULL ||
	    vq->vq_end == i || !(vq->vq_flags & VQ_PLAIN)))
		return virtq_enqueue_chain(vq, pc, nout, nin, cookie);
	seg = virtq_segment(vq, pc, &off);
	if (UNLIKELY(seg == NULL))
		return virtq_enqueue_chain(vq, pc, nout, nin, cookie);
	pl = place_of(vq);
	put(&pl, i, seg->ds_addr + off, (uint32_t)pc->pc_len, nin, cookie);
	vq->vq_front = i + 1;
	vq->vq_posted++;
	return 0;
}

unsigned int
split_run(struct pv_virtq *vq, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, unsigned int in)
{
	const struct place pl = place_of(vq);
	const uint32_t first = vq->vq_front;
	uint32_t i = first, end = vq->vq_end;
	struct window w = { NULL, 0, 0, 0 };

	if (!(vq->vq_flags & VQ_PLAIN))
		return 0;
	if (n < end - i)
		end = i + n;
	for (; i != end; i++, pc++, cookies++) {
		if (UNLIKELY(*cookies == NULL) ||
		    (!window_holds(&w, pc) && !window_find(&w, vq, pc)))
			break;
		put(&pl, i, w.w_addr + pc->pc_off, (uint32_t)pc->pc_len, in,
		    *cookies);
	}
	vq->vq_front = i;
	vq->vq_posted += i - first;
	return i - first;
}

static void
sync_desc(const struct pv_virtq *vq, unsigned int i)
{
	virtq_sync_ring(vq, &vq->vq_desc[i], sizeof(struct ring_desc),
	    BUS_DMASYNC_PREWRITE);
}

/* The next descriptor of a chain that begins at id. */
static unsigned int
take_desc(struct pv_virtq *vq, unsigned int id, unsigned int i)
{
	if (is_in_order(vq))
		return (id + i) & mask(vq);
	return vq->vq_ids[--vq->vq_end & mask(vq)];
}

/* In the ring's own descriptors. */
static void
fill_direct(struct pv_virtq *vq, unsigned int id, struct virtq_chain *vc)
{
	const struct virtq_seg *sg = vq->vq_segs;
	unsigned int i, at = id, next;

	for (i = 1; i < vc->vc_count; i++, sg++) {
		next = take_desc(vq, id, i);
		ring_desc_set(&vq->vq_desc[at], sg->sg_addr, sg->sg_len,
		    sg->sg_flags | RING_DESC_F_NEXT, next);
		sync_desc(vq, at);
		vq->vq_next[at] = (uint16_t)next;
		at = next;
	}
	ring_desc_set(&vq->vq_desc[at], sg->sg_addr, sg->sg_len, sg->sg_flags,
	    0);
	sync_desc(vq, at);
	vq->vq_next[at] = VIRTQ_NONE;
	if (vc->vc_count > 1)
		vc->vc_flags |= QE_LONG;
}

unsigned int
split_chain(struct pv_virtq *vq, struct virtq_chain *vc, void *cookie)
{
	unsigned int id = is_in_order(vq) ? vq->vq_front & mask(vq) :
	    vq->vq_ids[vq->vq_front & mask(vq)];
	uint32_t len;

	if (vc->vc_table) {
		len = virtq_fill_table(vq, id, vc);
		ring_desc_set(&vq->vq_desc[id], vq->vq_tables[id].qt_addr, len,
		    RING_DESC_F_INDIRECT, 0);
		sync_desc(vq, id);
	} else
		fill_direct(vq, id, vc);
	virtq_entry_set(&vq->vq_entries[id], cookie, vc->vc_inlen,
	    vq->vq_posted, vc->vc_flags);
	avail_set(vq, vq->vq_posted, id);
	vq->vq_posted++;
	vq->vq_front += is_in_order(vq) && !vc->vc_table ? vc->vc_count : 1;
	return id;
}

/* The available ring's entries from first on; they may wrap. */
static void
sync_avail_entries(const struct pv_virtq *vq, uint32_t first, uint32_t n)
{
	unsigned int slot = first & mask(vq);
	unsigned int run = virtq_size(vq) - slot;

	if (run > n)
		run = n;
	virtq_sync(vq, &vq->vq_avail->ra_ring[slot], run * 2,
	    BUS_DMASYNC_PREWRITE);
	if (n > run)
		virtq_sync(vq, &vq->vq_avail->ra_ring[0], (n - run) * 2,
		    BUS_DMASYNC_PREWRITE);
}

/* After we wrote a field of the available ring. */
static inline void
sync_avail(const struct pv_virtq *vq, const uint16_t *field)
{
	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_PREWRITE);
}

/* Whether the device wants to hear of the chains old .. new - 1. */
static bool
split_wants_notify(const struct pv_virtq *vq, uint16_t old, uint16_t new)
{
	uint16_t event;

	if (vq->vq_flags & VQ_EVENT_IDX) {
		event = used_load16(vq, avail_event(vq));
		return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
	}
	return (used_load16(vq, &vq->vq_used->ru_flags) &
	    RING_USED_F_NO_NOTIFY) == 0;
}

int
split_publish(struct pv_virtq *vq)
{
	uint32_t old = vq->vq_published, new = vq->vq_posted;

	if (UNLIKELY(!(vq->vq_flags & VQ_COHERENT)))
		sync_avail_entries(vq, old, new - old);
	pv_barrier_publish(virtq_outer(vq));
	ring_store16(&vq->vq_avail->ra_idx, (uint16_t)new);
	sync_avail(vq, &vq->vq_avail->ra_idx);
	vq->vq_published = new;
	vq->vq_counters.qc_enqueued += new - old;
	pv_barrier_check(virtq_outer(vq));
	return split_wants_notify(vq, (uint16_t)old, (uint16_t)new);
}

/* Read the used index, and judge it. */
static __attribute__((__noinline__)) int
split_refresh(struct pv_virtq *vq)
{
	uint16_t idx, n;

	if (vq->vq_flags & VQ_STOPPED)
		return EAGAIN;
	idx = used_load16(vq, &vq->vq_used->ru_idx);
	n = (uint16_t)(idx - vq->vq_used_idx);
	if (n == 0)
		return EAGAIN;
	if (n > virtq_inflight(vq))
		return pv_virtio_break(vq->vq_dev,
		    "used index beyond what is outstanding");
	vq->vq_used_seen = idx;
	pv_barrier_consume(virtq_outer(vq));
	return 0;
}

/* The next used entry, each field read once. */
static inline __attribute__((__always_inline__)) uint32_t
used_entry(const struct pv_virtq *vq, uint32_t i, uint32_t *len)
{
	const struct ring_used_elem *ru;
	uint32_t id;

	ru = &vq->vq_used->ru_ring[i & mask(vq)];
	virtq_sync_ring(vq, ru, sizeof(*ru), BUS_DMASYNC_POSTREAD);
	id = ring_load32(&ru->ru_id);
	*len = ring_load32(&ru->ru_len);
	virtq_sync_ring(vq, ru, sizeof(*ru), BUS_DMASYNC_PREREAD);
	return id;
}

/* It must name a chain that the device has. */
static int
used_check(struct pv_virtq *vq, uint32_t id, uint32_t *len)
{
	const struct virtq_entry *qe;

	if (id > mask(vq))
		return pv_virtio_break(vq->vq_dev, "used id out of range");
	qe = &vq->vq_entries[id];
	if (!virtq_is_outstanding(vq, qe))
		return pv_virtio_break(vq->vq_dev,
		    "used id is not outstanding");
	return virtq_judge(vq, qe, len);
}

/* A chain's descriptors are free: at the end, for chains that come last. */
static void
split_release(struct pv_virtq *vq, unsigned int id)
{
	bool is_long = (vq->vq_entries[id].qe_where & QE_LONG) != 0;
	bool in_order = is_in_order(vq);

	for (;;) {
		if (!in_order)
			avail_set(vq, vq->vq_end, id);
		vq->vq_end++;
		if (!is_long)
			return;
		id = vq->vq_next[id];
		is_long = vq->vq_next[id] != VIRTQ_NONE;
	}
}

/* A used entry that the short way passed on. */
static __attribute__((__noinline__)) int
take_any(struct pv_virtq *vq, uint32_t id, uint32_t len, struct pv_used *us)
{
	int error;

	error = used_check(vq, id, &len);
	if (error)
		return error;
	split_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

/*
 * In-order use of descriptors: one entry stands for all chains up to its own,
 * and those before that were used completely.
 */
static int
batch_begin(struct pv_virtq *vq, uint32_t id, uint32_t len)
{
	uint16_t ahead;
	int error;

	error = used_check(vq, id, &len);
	if (error)
		return error;
	ahead = (uint16_t)(vq->vq_entries[id].qe_where - vq->vq_used_idx);
	if (ahead >= (uint16_t)(vq->vq_used_seen - vq->vq_used_idx))
		return pv_virtio_break(vq->vq_dev, "used out of order");
	vq->vq_batch = vq->vq_used_idx + ahead + 1;
	vq->vq_batchlen = len;
	return 0;
}

/* The next chain; id and len are what the device says where no batch is begun. */
static __attribute__((__noinline__)) int
take_in_order(struct pv_virtq *vq, uint32_t id, uint32_t len,
    struct pv_used *us)
{
	int error;

	if (vq->vq_batch == vq->vq_used_idx) {
		error = batch_begin(vq, id, len);
		if (error)
			return error;
	}
	id = vq->vq_ids[vq->vq_used_idx & mask(vq)];
	len = vq->vq_used_idx + 1 == vq->vq_batch ? vq->vq_batchlen :
	    vq->vq_entries[id].qe_inlen;
	split_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

/*
 * In order, up to n of those that split_refresh has seen: the device has each,
 * since it has that many. The short way is as in take(), where the device tells
 * of each chain, or within a batch.
 */
static unsigned int
take_ordered(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    int *error)
{
	const struct place pl = place_of(vq);
	uint32_t used = vq->vq_used_idx, batch = vq->vq_batch;
	uint32_t id, told = 0, len = 0;
	struct virtq_entry *qe;
	unsigned int i;

	for (i = 0; i < n; i++, us++, used++) {
		told = id = pl.pl_ids[used & pl.pl_mask];
		qe = &pl.pl_entries[id];
		len = qe->qe_inlen;
		if (used == batch)
			told = used_entry(vq, used, &len);
		else if (used + 1 == batch)
			len = vq->vq_batchlen;
		if (UNLIKELY(told != id || len > qe->qe_inlen ||
		    (qe->qe_where & QE_FLAGS)))
			break;
		us->us_cookie = qe->qe_cookie;
		us->us_len = len;
		qe->qe_cookie = NULL;
		batch += used == batch;
	}
	vq->vq_batch = batch;
	vq->vq_end += i;
	vq->vq_used_idx += i;
	vq->vq_counters.qc_used += i;
	if (UNLIKELY(i < n)) {
		*error = take_in_order(vq, told, len, us);
		i += *error == 0;
	}
	return i;
}

/*
 * Used entries up to n, which split_refresh has seen. The short way is a chain
 * of one piece in coherent memory; what is copied out of *vq stays in registers.
 */
static inline __attribute__((__always_inline__)) unsigned int
take(struct pv_virtq *vq, struct pv_used *us, unsigned int n, int *error)
{
	const struct place pl = place_of(vq);
	const bool dirty = vq->vq_posted != vq->vq_published;
	uint32_t used = vq->vq_used_idx, end = vq->vq_end, id, len;
	struct virtq_entry *qe;
	unsigned int i;

	for (i = 0; i < n; i++, us++, used++, end++) {
		id = used_entry(vq, used, &len);
		if (UNLIKELY(id > pl.pl_mask))
			goto odd;
		qe = &pl.pl_entries[id];
		us->us_cookie = qe->qe_cookie;
		us->us_len = len;
		if (UNLIKELY(qe->qe_cookie == NULL || len > qe->qe_inlen ||
		    (qe->qe_where & QE_FLAGS) ||
		    (dirty && !virtq_is_outstanding(vq, qe))))
			goto odd;
		qe->qe_cookie = NULL;
		if (UNLIKELY(pl.pl_ids[end & pl.pl_mask] != id))
			avail_set(vq, end, id);
		continue;
odd:
		vq->vq_counters.qc_used += used - vq->vq_used_idx;
		vq->vq_used_idx = used;
		vq->vq_end = end;
		*error = take_any(vq, id, len, us);
		return i + (*error == 0);
	}
	vq->vq_counters.qc_used += used - vq->vq_used_idx;
	vq->vq_used_idx = used;
	vq->vq_end = end;
	return i;
}

static inline bool
is_drained(const struct pv_virtq *vq)
{
	return (uint16_t)vq->vq_used_idx == vq->vq_used_seen;
}

/* The same for one, without a loop's preparations. */
int
split_dequeue(struct pv_virtq *vq, struct pv_used *us)
{
	struct virtq_entry *qe;
	uint32_t id, len;
	int error = 0;

	if (is_drained(vq) && (error = split_refresh(vq)) != 0)
		return error;
	if (UNLIKELY((vq->vq_flags & (VQ_COHERENT | VQ_IN_ORDER)) !=
	    VQ_COHERENT)) {
		if (is_in_order(vq)) {
			take_ordered(vq, us, 1, &error);
			return error;
		}
		id = used_entry(vq, vq->vq_used_idx, &len);
		return take_any(vq, id, len, us);
	}
	id = ring_load32(&vq->vq_used->ru_ring[vq->vq_used_idx &
	    mask(vq)].ru_id);
	len = ring_load32(&vq->vq_used->ru_ring[vq->vq_used_idx &
	    mask(vq)].ru_len);
	if (UNLIKELY(id > mask(vq)))
		return take_any(vq, id, len, us);
	qe = &vq->vq_entries[id];
	if (UNLIKELY(qe->qe_cookie == NULL || len > qe->qe_inlen ||
	    (qe->qe_where & QE_FLAGS) ||
	    vq->vq_posted != vq->vq_published))
		return take_any(vq, id, len, us);
	us->us_cookie = qe->qe_cookie;
	us->us_len = len;
	qe->qe_cookie = NULL;
	avail_set(vq, vq->vq_end, id);
	vq->vq_end++;
	vq->vq_used_idx++;
	vq->vq_counters.qc_used++;
	return 0;
}

unsigned int
split_dequeue_run(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    int *error)
{
	unsigned int i = 0, ready;

	while (i < n && *error == 0) {
		if (is_drained(vq) && (*error = split_refresh(vq)) != 0)
			break;
		ready = (uint16_t)(vq->vq_used_seen - vq->vq_used_idx);
		if (ready > n - i)
			ready = n - i;
		i += is_in_order(vq) ?
		    take_ordered(vq, us + i, ready, error) :
		    take(vq, us + i, ready, error);
	}
	return i;
}

int
split_pending(struct pv_virtq *vq)
{
	if (vq->vq_flags & VQ_STOPPED)
		return 0;
	return used_load16(vq, &vq->vq_used->ru_idx) !=
	    (uint16_t)vq->vq_used_idx;
}

static void
split_avail_flags(struct pv_virtq *vq, uint16_t flags)
{
	ring_store16(&vq->vq_avail->ra_flags, flags);
	sync_avail(vq, &vq->vq_avail->ra_flags);
}

/*
 * With EVENT_IDX an interrupt comes once for each split_intr_enable, so that
 * there is nothing to turn off.
 */
void
split_intr_disable(struct pv_virtq *vq)
{
	if (vq->vq_flags & (VQ_EVENT_IDX | VQ_INTR_OFF))
		return;
	vq->vq_flags |= VQ_INTR_OFF;
	split_avail_flags(vq, RING_AVAIL_F_NO_INTERRUPT);
}

/* After n more chains; what is used already counts. */
int
split_intr_enable(struct pv_virtq *vq, unsigned int n)
{
	uint16_t used;

	if (vq->vq_flags & VQ_EVENT_IDX) {
		ring_store16(used_event(vq),
		    (uint16_t)(vq->vq_used_idx + n - 1));
		sync_avail(vq, used_event(vq));
	} else {
		n = 1;
		if (vq->vq_flags & VQ_INTR_OFF) {
			vq->vq_flags &= (uint16_t)~VQ_INTR_OFF;
			split_avail_flags(vq, 0);
		}
	}
	pv_barrier_check(virtq_outer(vq));
	used = used_load16(vq, &vq->vq_used->ru_idx);
	return (uint16_t)(used - vq->vq_used_idx) >= n;
}
