/* SPDX-License-Identifier: ISC */
/*
 * Split virtqueues (Virtqueues / Split Virtqueues).
 *
 * vq_ids holds what the available ring holds, entry by entry, from vq_posted on
 * for chains to come: heads at the front, what else a chain takes from the end,
 * which is vq_room further on. With IN_ORDER descriptors are taken in their order
 * instead, and vq_ids is the copy of the available ring. The last descriptor's
 * next is 0: one host is known to follow it.
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

/* A virtq_put_one. */
ALWAYS_INLINE void
put_one(struct pv_virtq *vq, uint64_t addr, uint32_t len, void *cookie,
    const unsigned int in, const bool placed)
{
	uint32_t i = vq->vq_posted;
	unsigned int id = i & mask(vq);

	if (!placed) {
		id = vq->vq_ids[id];
		vq->vq_entries[id].qe_where = i;
	}
	ring_desc_set(&vq->vq_desc[id], addr, len, in * RING_DESC_F_WRITE, 0);
	virtq_entry_set(&vq->vq_entries[id], cookie, len, in);
}

static int
enqueue_plain(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, void *cookie)
{
	return virtq_enqueue(vq, pc, nout, nin, cookie, put_one, false);
}

static int
enqueue_placed(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, void *cookie)
{
	return virtq_enqueue(vq, pc, nout, nin, cookie, put_one, true);
}

/* A virtq_put_some. */
ALWAYS_INLINE unsigned int
put(struct pv_virtq *vq, const struct window *w, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, const unsigned int in,
    const bool placed)
{
	const unsigned int slot = vq->vq_posted & mask(vq);
	struct virtq_entry *qe = &vq->vq_entries[slot];
	struct ring_desc *rd = &vq->vq_desc[slot];
	const uint16_t *id = &vq->vq_ids[slot];
	uint32_t where = vq->vq_posted;
	void *const *const end = cookies + n;

	for (; cookies != end; cookies++, pc++, where++) {
		if (!window_holds(w, pc) || UNLIKELY(*cookies == NULL))
			break;
		if (!placed) {
			qe = &vq->vq_entries[*id];
			rd = &vq->vq_desc[*id++];
			qe->qe_where = where;
		}
		ring_desc_set(rd, w->w_addr + pc->pc_off,
		    (uint32_t)pc->pc_len, in * RING_DESC_F_WRITE, 0);
		virtq_entry_set(qe, *cookies, (uint32_t)pc->pc_len, in);
		if (placed) {
			qe++;
			rd++;
		}
	}
	n -= (unsigned int)(end - cookies);
	vq->vq_room -= n;
	vq->vq_posted += n;
	return n;
}

static int
run_plain(struct pv_virtq *vq, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, int in, unsigned int *taken)
{
	return virtq_run(vq, pc, cookies, n, in, taken,
	    vq->vq_posted & mask(vq), put, false);
}

static int
run_placed(struct pv_virtq *vq, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, int in, unsigned int *taken)
{
	return virtq_run(vq, pc, cookies, n, in, taken,
	    vq->vq_posted & mask(vq), put, true);
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
	vq->vq_room--;
	if (is_in_order(vq))
		return (id + i) & mask(vq);
	return vq->vq_ids[(vq->vq_posted + vq->vq_room) & mask(vq)];
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
	vq->vq_place += vc->vc_count - 1;
	if (vc->vc_count > 1)
		vc->vc_flags |= QE_LONG;
}

unsigned int
split_chain(struct pv_virtq *vq, struct virtq_chain *vc)
{
	unsigned int id = is_in_order(vq) ?
	    (vq->vq_posted + vq->vq_place) & mask(vq) :
	    vq->vq_ids[vq->vq_posted & mask(vq)];
	uint32_t len;

	if (vc->vc_table) {
		len = virtq_fill_table(vq, id, vc);
		ring_desc_set(&vq->vq_desc[id], vq->vq_tables[id].qt_addr, len,
		    RING_DESC_F_INDIRECT, 0);
		sync_desc(vq, id);
	} else
		fill_direct(vq, id, vc);
	avail_set(vq, vq->vq_posted, id);
	vq->vq_room--;
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

/*
 * Whether the device wants to hear of the chains old .. new - 1. synced: the
 * memory may want syncs.
 */
ALWAYS_INLINE bool
wants_notify(const struct pv_virtq *vq, uint32_t old, uint32_t new,
    const bool synced)
{
	const uint16_t *field = vq->vq_flags & VQ_EVENT_IDX ? avail_event(vq) :
	    &vq->vq_used->ru_flags;
	uint16_t found = synced ? used_load16(vq, field) : ring_load16(field);

	if (vq->vq_flags & VQ_EVENT_IDX)
		return (uint16_t)(new - found - 1) < (uint16_t)(new - old);
	return (found & RING_USED_F_NO_NOTIFY) == 0;
}

bool
split_awaited(const struct pv_virtq *vq)
{
	return wants_notify(vq, virtq_used_idx(vq), vq->vq_published,
	    !(vq->vq_flags & VQ_COHERENT));
}

ALWAYS_INLINE int
split_publish(struct pv_virtq *vq, const bool synced)
{
	uint32_t old = vq->vq_published, new = vq->vq_posted;

	if (synced)
		sync_avail_entries(vq, old, new - old);
	pv_barrier_publish(virtq_outer(vq));
	ring_store16(&vq->vq_avail->ra_idx, (uint16_t)new);
	if (synced)
		sync_avail(vq, &vq->vq_avail->ra_idx);
	virtq_published(vq, new);
	pv_barrier_check(virtq_outer(vq));
	return wants_notify(vq, old, new, synced) ? virtq_ring(vq) : 0;
}

static int
publish_plain(struct pv_virtq *vq)
{
	return split_publish(vq, false);
}

static int
publish_synced(struct pv_virtq *vq)
{
	return split_publish(vq, true);
}

static NOINLINE int
used_too_far(struct pv_virtq *vq)
{
	return pv_virtio_break(vq->vq_dev,
	    "used index beyond what is outstanding");
}

/* Take the used index as it was read, and judge it. */
ALWAYS_INLINE int
judge_index(struct pv_virtq *vq, uint16_t idx)
{
	uint16_t n = (uint16_t)(idx - virtq_used_idx(vq));

	if (n == 0)
		return EAGAIN;
	if (UNLIKELY(n > virtq_inflight(vq)))
		return used_too_far(vq);
	vq->vq_used_seen = idx;
	pv_barrier_consume(virtq_outer(vq));
	return 0;
}

/* The next used entry, each field read once. */
static uint32_t
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
	if (id > mask(vq))
		return pv_virtio_break(vq->vq_dev, "used id out of range");
	if (!virtq_is_outstanding(vq, id))
		return pv_virtio_break(vq->vq_dev,
		    "used id is not outstanding");
	return virtq_judge(vq, id, len);
}

/* A chain's descriptors are free: at the end, for chains that come last. */
static void
split_release(struct pv_virtq *vq, unsigned int id)
{
	bool is_long = (virtq_saved(vq, id)->qs_flags & QE_LONG) != 0;
	bool in_order = is_in_order(vq);

	for (;;) {
		if (!in_order)
			avail_set(vq, vq->vq_posted + vq->vq_room, id);
		vq->vq_room++;
		if (!is_long)
			return;
		id = vq->vq_next[id];
		is_long = vq->vq_next[id] != VIRTQ_NONE;
	}
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
	ahead = (uint16_t)(virtq_where(vq, id) - virtq_used_idx(vq));
	if (ahead >= (uint16_t)(vq->vq_used_seen - virtq_used_idx(vq)))
		return pv_virtio_break(vq->vq_dev, "used out of order");
	vq->vq_batch = id + 1;
	vq->vq_batchlen = len;
	return 0;
}

/* The next chain; id and len are what the device says where no batch is begun. */
static int
take_in_order(struct pv_virtq *vq, uint32_t id, uint32_t len,
    struct pv_used *us)
{
	int error;

	if (vq->vq_batch == 0) {
		error = batch_begin(vq, id, len);
		if (error)
			return error;
	}
	id = vq->vq_ids[virtq_used_idx(vq) & mask(vq)];
	len = virtq_batch_len(vq, id);
	split_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

/* A used entry that the short way passed on. */
static NOINLINE int
take_any(struct pv_virtq *vq, uint32_t id, uint32_t len, struct pv_used *us)
{
	int error;

	if (is_in_order(vq))
		return take_in_order(vq, id, len, us);
	error = used_check(vq, id, &len);
	if (error)
		return error;
	split_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

static inline bool
is_drained(const struct pv_virtq *vq)
{
	return (uint16_t)virtq_used_idx(vq) == vq->vq_used_seen;
}

static int
refresh(struct pv_virtq *vq)
{
	return is_drained(vq) ?
	    judge_index(vq, used_load16(vq, &vq->vq_used->ru_idx)) : 0;
}

/* The long way of used chains. */
unsigned int
split_take(struct pv_virtq *vq, struct pv_used *us, unsigned int n, int *error)
{
	unsigned int i;
	uint32_t id = 0, len = 0;

	for (i = 0; i < n; i++, us++) {
		*error = refresh(vq);
		if (*error)
			break;
		if (vq->vq_batch == 0)
			id = used_entry(vq, virtq_used_idx(vq), &len);
		*error = take_any(vq, id, len, us);
		if (*error)
			break;
	}
	return i;
}

/* Used entries that wait to be taken, up to the ring's end; 0: *error. */
ALWAYS_INLINE unsigned int
used_ready(struct pv_virtq *vq, unsigned int n, int *error)
{
	if (is_drained(vq)) {
		*error = judge_index(vq, ring_load16(&vq->vq_used->ru_idx));
		if (UNLIKELY(*error))
			return 0;
	}
	return virtq_fits(vq, n, (uint16_t)(vq->vq_used_seen -
	    virtq_used_idx(vq)), virtq_used_idx(vq) & mask(vq));
}

/*
 * Whether chains may go the short way: while the device has all that were
 * enqueued, and none has further descriptors, so that what is free ends where
 * what is used does.
 */
static inline bool
is_plain(const struct pv_virtq *vq)
{
	return LIKELY(!virtq_is_dirty(vq) &&
	    virtq_inflight(vq) + virtq_room(vq) == virtq_size(vq));
}

/* placed: a chain's id is its place. */
ALWAYS_INLINE int
take_one(struct pv_virtq *vq, struct pv_used *us, const bool placed)
{
	const uint32_t slot = virtq_used_idx(vq) & mask(vq);
	const struct ring_used_elem *ru = &vq->vq_used->ru_ring[slot];
	struct virtq_entry *qe;
	uint32_t id, len;
	int error;

	if (UNLIKELY(placed ? vq->vq_batch != 0 : !is_plain(vq)))
		return virtq_take_any(vq, us);
	if (is_drained(vq)) {
		error = judge_index(vq, ring_load16(&vq->vq_used->ru_idx));
		if (UNLIKELY(error))
			return error;
	}
	id = ring_load32(&ru->ru_id);
	len = ring_load32(&ru->ru_len);
	if (UNLIKELY(placed ? id != slot : id > mask(vq)))
		return take_any(vq, id, len, us);
	qe = &vq->vq_entries[id];
	if (UNLIKELY(len >= qe->qe_limit))
		return take_any(vq, id, len, us);
	virtq_entry_take(qe, len, us);
	if (!placed)
		avail_set(vq, slot, id);
	virtq_used(vq, 1);
	return 0;
}

static int
take_plain(struct pv_virtq *vq, struct pv_used *us)
{
	return take_one(vq, us, false);
}

static int
take_placed(struct pv_virtq *vq, struct pv_used *us)
{
	return take_one(vq, us, true);
}

/* Up to n entries; *id and *len are of the first that goes the long way. */
ALWAYS_INLINE unsigned int
take_run(struct pv_virtq *vq, struct pv_used *us, unsigned int n, uint32_t *id,
    uint32_t *len, const bool placed)
{
	struct virtq_entry *const entries = vq->vq_entries;
	const unsigned int most = mask(vq), slot = virtq_used_idx(vq) & most;
	const struct ring_used_elem *ru = &vq->vq_used->ru_ring[slot];
	const uint16_t *const ids = &vq->vq_ids[slot];
	unsigned int i;

	for (i = 0; i < n; i++, us++, ru++) {
		*id = ring_load32(&ru->ru_id);
		*len = ring_load32(&ru->ru_len);
		if (UNLIKELY(placed ? *id != slot + i : *id > most) ||
		    UNLIKELY(*len >= entries[*id].qe_limit))
			break;
		virtq_entry_take(&entries[*id], *len, us);
		if (!placed && UNLIKELY(ids[i] != *id))
			avail_set(vq, slot + i, *id);
	}
	virtq_used(vq, i);
	return i;
}

/* Up to n of a batch, but for its last, whose length the device has told. */
static NOINLINE unsigned int
take_batch(struct pv_virtq *vq, struct pv_used *us, unsigned int n)
{
	unsigned int most = (vq->vq_batch - 1 - virtq_used_idx(vq)) & mask(vq);
	struct virtq_entry *qe =
	    &vq->vq_entries[virtq_used_idx(vq) & mask(vq)];
	unsigned int i;

	if (n > most)
		n = most;
	for (i = 0; i < n && qe->qe_limit != 0; i++, us++, qe++)
		virtq_entry_take(qe, qe->qe_limit - 1, us);
	virtq_used(vq, i);
	return i;
}

ALWAYS_INLINE int
dequeue(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    unsigned int *taken, const bool placed)
{
	unsigned int i = 0, got, ready;
	uint32_t id = 0, len = 0;
	int error = 0;

	while (i < n) {
		if (!placed && UNLIKELY(!is_plain(vq))) {
			i += split_take(vq, us + i, n - i, &error);
			break;
		}
		ready = used_ready(vq, n - i, &error);
		if (UNLIKELY(ready == 0))
			break;
		got = placed && vq->vq_batch != 0 ?
		    take_batch(vq, us + i, ready) :
		    take_run(vq, us + i, ready, &id, &len, placed);
		i += got;
		if (LIKELY(got == ready))
			continue;
		error = take_any(vq, id, len, us + i);
		if (error)
			break;
		i++;
	}
	*taken = i;
	return i > 0 ? 0 : error;
}

static int
dequeue_plain(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    unsigned int *taken)
{
	return dequeue(vq, us, n, taken, false);
}

static int
dequeue_placed(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    unsigned int *taken)
{
	return dequeue(vq, us, n, taken, true);
}

int
split_pending(struct pv_virtq *vq)
{
	if (vq->vq_flags & VQ_STOPPED)
		return 0;
	return used_load16(vq, &vq->vq_used->ru_idx) !=
	    (uint16_t)virtq_used_idx(vq);
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
		    (uint16_t)(virtq_used_idx(vq) + n - 1));
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
	return (uint16_t)(used - virtq_used_idx(vq)) >= n;
}

static const struct virtq_ways plain_ways = {
	enqueue_plain, run_plain, publish_plain, take_plain, dequeue_plain
};

static const struct virtq_ways placed_ways = {
	enqueue_placed, run_placed, publish_plain, take_placed, dequeue_placed
};

static const struct virtq_ways any_ways = {
	virtq_enqueue_chain, virtq_run_none, publish_synced, virtq_take_any,
	virtq_dequeue_any
};

/*
 * In order, descriptors and places go apart once chains take several
 * descriptors.
 */
const struct virtq_ways *
split_reset(struct pv_virtq *vq)
{
	unsigned int i;

	for (i = 0; i < virtq_size(vq); i++)
		vq->vq_avail->ra_ring[i] = PV_LE16(vq->vq_ids[i]);
	pv_dmamem_sync(&vq->vq_mem, 0, vq->vq_used_off, BUS_DMASYNC_PREWRITE);
	pv_dmamem_sync(&vq->vq_mem, vq->vq_used_off,
	    vq->vq_mem.dm_size - vq->vq_used_off,
	    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
	if (!(vq->vq_flags & VQ_COHERENT))
		return &any_ways;
	if (!is_in_order(vq))
		return &plain_ways;
	if (vq->vq_tables == NULL && vq->vq_maxsegs != 1)
		return &any_ways;
	vq->vq_flags |= VQ_IN_PLACE;
	return &placed_ways;
}
