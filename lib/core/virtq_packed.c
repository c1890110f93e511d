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

/* A mark is a descriptor's last word; without an id it has its slot there. */
#define MARK(flags)	((uint32_t)(flags) << 16)

static inline unsigned int
mark_slot(uint32_t mark)
{
	return mark & UINT16_MAX;
}

static inline unsigned int
mark_flags(uint32_t mark)
{
	return mark >> 16;
}

/* Where the next one goes: n places on, none behind the ring's end. */
ALWAYS_INLINE void
step(struct pv_virtq *vq, unsigned int n)
{
	uint32_t place = vq->vq_place + n;

	if (UNLIKELY((uint16_t)place == vq->vq_size))
		place = (place - vq->vq_size) ^ MARK(RING_DESC_F_BOTH);
	vq->vq_place = place;
}

/* The places before next are used: none behind the ring's end. */
ALWAYS_INLINE void
step_used(struct pv_virtq *vq, unsigned int next)
{
	vq->vq_used_slot = (uint16_t)next;
	if (UNLIKELY(next == vq->vq_size)) {
		vq->vq_used_slot = 0;
		vq->vq_used_wrap = TURN(vq->vq_used_wrap);
	}
}

/*
 * The mark of the next chain's head: what will show it if nothing else is held,
 * which is kept, and one that is not available in this lap, nor used, goes
 * there so long; or that of any other.
 */
ALWAYS_INLINE uint32_t
head_mark(struct pv_virtq *vq, unsigned int flags)
{
	uint32_t mark = vq->vq_place | MARK(flags);

	if (virtq_is_dirty(vq))
		return mark;
	vq->vq_head = mark;
	return mark ^ MARK(RING_DESC_F_AVAIL);
}

/* The same with another id than the slot. */
ALWAYS_INLINE uint32_t
mark_of(uint32_t mark, unsigned int id)
{
	return (mark & ~(uint32_t)UINT16_MAX) | id;
}

/* A virtq_put_one. */
ALWAYS_INLINE void
put_one(struct pv_virtq *vq, uint64_t addr, uint32_t len, void *cookie,
    const unsigned int in, const bool placed)
{
	unsigned int slot = mark_slot(vq->vq_place), id = slot;
	uint32_t mark = head_mark(vq, in * RING_DESC_F_WRITE);

	if (!placed) {
		id = vq->vq_ids[slot];
		vq->vq_entries[id].qe_where = vq->vq_posted;
		mark = mark_of(mark, id);
	}
	ring_desc_put(&vq->vq_desc[slot], addr, len, mark);
	virtq_entry_set(&vq->vq_entries[id], cookie, len, in);
	step(vq, 1);
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
	const unsigned int slot = mark_slot(vq->vq_place);
	struct virtq_entry *qe = &vq->vq_entries[slot];
	struct ring_desc *rd = &vq->vq_desc[slot];
	const uint16_t *id = &vq->vq_ids[slot];
	const uint32_t keep = placed ? UINT32_MAX : MARK(UINT16_MAX);
	uint32_t next = (vq->vq_place | MARK(in * RING_DESC_F_WRITE)) & keep;
	uint32_t mark = head_mark(vq, in * RING_DESC_F_WRITE) & keep;
	uint32_t where = vq->vq_posted;
	void *const *const end = cookies + n;

	for (; cookies != end; cookies++, pc++, rd++, where++) {
		if (!window_holds(w, pc) || UNLIKELY(*cookies == NULL))
			break;
		if (!placed) {
			qe = &vq->vq_entries[*id];
			mark |= *id++;
			qe->qe_where = where;
		}
		ring_desc_put(rd, w->w_addr + pc->pc_off,
		    (uint32_t)pc->pc_len, mark);
		virtq_entry_set(qe, *cookies, (uint32_t)pc->pc_len, in);
		if (placed)
			qe++;
		mark = placed ? ++next : next;
	}
	n -= (unsigned int)(end - cookies);
	step(vq, n);
	vq->vq_room -= n;
	vq->vq_posted += n;
	return n;
}

static int
run_plain(struct pv_virtq *vq, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, int in, unsigned int *taken)
{
	return virtq_run(vq, pc, cookies, n, in, taken,
	    mark_slot(vq->vq_place), put, false);
}

static int
run_placed(struct pv_virtq *vq, const struct pv_piece *pc,
    void *const *cookies, unsigned int n, int in, unsigned int *taken)
{
	return virtq_run(vq, pc, cookies, n, in, taken,
	    mark_slot(vq->vq_place), put, true);
}

/* One descriptor of the ring; the chain's head is held if nothing else is. */
static void
put_desc(struct pv_virtq *vq, uint64_t addr, uint32_t len, unsigned int id,
    unsigned int flags, bool head)
{
	uint32_t mark = head ? head_mark(vq, flags) :
	    vq->vq_place | MARK(flags);

	ring_desc_put(&vq->vq_desc[mark_slot(mark)], addr, len,
	    mark_of(mark, id));
	step(vq, 1);
	vq->vq_room--;
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
			vq->vq_next[last] = vq->vq_ids[mark_slot(vq->vq_place)];
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
packed_chain(struct pv_virtq *vq, struct virtq_chain *vc)
{
	unsigned int id = vq->vq_ids[mark_slot(vq->vq_place)];
	uint32_t len;

	if (vc->vc_table) {
		len = virtq_fill_table(vq, id, vc);
		put_desc(vq, vq->vq_tables[id].qt_addr, len, id,
		    RING_DESC_F_INDIRECT, true);
	} else
		fill_direct(vq, id, vc);
	return id;
}

/* Descriptors from the one that is held on, or was last, up to the next. */
static uint32_t
unshown(const struct pv_virtq *vq)
{
	unsigned int next = mark_slot(vq->vq_place);
	unsigned int head = mark_slot(vq->vq_head);

	return next - head + (next > head ? 0 : vq->vq_size);
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

/* A lap's wrap counter. */
static inline uint32_t
wrap_counter(uint32_t mark)
{
	return (mark & MARK(RING_DESC_F_AVAIL)) != 0;
}

ALWAYS_INLINE bool
has_offset(const struct pv_virtq *vq, uint32_t event)
{
	return (event & MARK(RING_EVENT_FLAGS)) == MARK(RING_EVENT_DESC) &&
	    (vq->vq_flags & VQ_EVENT_IDX);
}

/* Descriptors filled since that offset: it is of our lap, or the one before. */
ALWAYS_INLINE uint16_t
offset_age(const struct pv_virtq *vq, uint32_t event)
{
	uint32_t lap = wrap_counter(vq->vq_place);
	uint16_t off = event & (RING_EVENT_WRAP - 1);

	if (((event & RING_EVENT_WRAP) != 0) != lap)
		off = (uint16_t)(off - vq->vq_size);
	return (uint16_t)(vq->vq_place - off - 1);
}

/*
 * Whether the device wants to hear of what was held (Driver and Device Event
 * Suppression).
 */
static NOINLINE bool
is_awaited(const struct pv_virtq *vq, uint32_t event)
{
	return !has_offset(vq, event) || offset_age(vq, event) < unshown(vq);
}

/* synced: the ring's memory may want syncs, or the platform's barriers. */
ALWAYS_INLINE int
packed_publish(struct pv_virtq *vq, const bool synced)
{
	const uint32_t *field = (const uint32_t *)(const void *)vq->vq_used;
	const unsigned int slot = mark_slot(vq->vq_head);
	uint32_t event;

	if (synced)
		sync_descs(vq, slot, unshown(vq));
	pv_barrier_publish(synced && virtq_outer(vq));
	ring_store16(&desc_at(vq, slot)->pd_flags,
	    (uint16_t)mark_flags(vq->vq_head));
	if (synced)
		sync_descs(vq, slot, 1);
	virtq_published(vq, vq->vq_posted);
	pv_barrier_check(synced && virtq_outer(vq));
	if (synced)
		virtq_sync(vq, field, sizeof(*field), BUS_DMASYNC_POSTREAD);
	event = ring_load32(field);
	if (synced)
		virtq_sync(vq, field, sizeof(*field), BUS_DMASYNC_PREREAD);
	if ((event & MARK(RING_EVENT_FLAGS)) == MARK(RING_EVENT_DISABLE) ||
	    !is_awaited(vq, event))
		return 0;
	return virtq_ring(vq);
}

/* What is enqueued and not yet shown counts too: at worst it rings in vain. */
bool
packed_awaited(const struct pv_virtq *vq)
{
	const uint32_t *field = (const uint32_t *)(const void *)vq->vq_used;
	uint32_t event;

	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_POSTREAD);
	event = ring_load32(field);
	virtq_sync_ring(vq, field, sizeof(*field), BUS_DMASYNC_PREREAD);
	if ((event & MARK(RING_EVENT_FLAGS)) == MARK(RING_EVENT_DISABLE))
		return false;
	return !has_offset(vq, event) ||
	    offset_age(vq, event) < vq->vq_size - vq->vq_room;
}

static int
publish_plain(struct pv_virtq *vq)
{
	return packed_publish(vq, false);
}

static int
publish_synced(struct pv_virtq *vq)
{
	return packed_publish(vq, true);
}

/* next_off and next_wrap: of the next descriptor not yet made available. */
uint32_t
packed_notify_data(const struct pv_virtq *vq)
{
	uint32_t place = virtq_is_dirty(vq) ? vq->vq_head : vq->vq_place;

	return mark_slot(place) << 16 | wrap_counter(place) << 31;
}

/* A used descriptor as the device wrote it. */
struct told {
	unsigned int td_id;
	uint32_t td_len;
	unsigned int td_flags;
};

/*
 * The next used descriptor, each field read once: the flags, and when they say
 * that it is used the others. EAGAIN there is none. The device goes on looking
 * at it, until it is available again.
 */
static int
used_desc(const struct pv_virtq *vq, struct told *td)
{
	const struct ring_packed *pd = desc_at(vq, vq->vq_used_slot);

	virtq_sync_ring(vq, pd, sizeof(*pd), BUS_DMASYNC_POSTREAD);
	td->td_flags = ring_load16(&pd->pd_flags);
	if ((td->td_flags & RING_DESC_F_BOTH) != vq->vq_used_wrap) {
		virtq_sync_ring(vq, pd, sizeof(*pd), BUS_DMASYNC_PREREAD);
		return EAGAIN;
	}
	pv_barrier_consume(virtq_outer(vq));
	td->td_id = ring_load16(&pd->pd_id);
	td->td_len = ring_load32(&pd->pd_len);
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
	if (id >= vq->vq_size)
		return pv_virtio_break(vq->vq_dev, "used id out of range");
	if (!virtq_is_outstanding(vq, id))
		return pv_virtio_break(vq->vq_dev,
		    "used id is not outstanding");
	if (*len > virtq_inlen(vq, id) && !(flags & RING_DESC_F_WRITE))
		*len = 0;
	return virtq_judge(vq, id, len);
}

/* A chain's places, from the next used on, are free, and its ids theirs. */
static void
packed_release(struct pv_virtq *vq, unsigned int id)
{
	bool more = (virtq_saved(vq, id)->qs_flags & QE_LONG) != 0;

	for (;;) {
		vq->vq_ids[vq->vq_used_slot] = (uint16_t)id;
		step_used(vq, vq->vq_used_slot + 1u);
		vq->vq_room++;
		if (!more)
			return;
		id = vq->vq_next[id];
		more = vq->vq_next[id] != VIRTQ_NONE;
	}
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
	vq->vq_batch = id + 1;
	vq->vq_batchlen = len;
	return 0;
}

/* The next chain; what is told is the device's where no batch is begun. */
static int
take_in_order(struct pv_virtq *vq, unsigned int id, uint32_t len,
    unsigned int flags, struct pv_used *us)
{
	int error;

	if (vq->vq_batch == 0) {
		error = batch_begin(vq, id, len, flags);
		if (error)
			return error;
	}
	id = vq->vq_ids[vq->vq_used_slot];
	len = virtq_batch_len(vq, id);
	packed_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

/* A used descriptor that the short way passed on. */
static NOINLINE int
take_any(struct pv_virtq *vq, unsigned int id, uint32_t len, unsigned int flags,
    struct pv_used *us)
{
	int error;

	if (vq->vq_flags & VQ_IN_ORDER)
		return take_in_order(vq, id, len, flags, us);
	error = used_check(vq, id, &len, flags);
	if (error)
		return error;
	packed_release(vq, id);
	virtq_finish(vq, id, len, us);
	return 0;
}

/* The long way of used chains. */
unsigned int
packed_take(struct pv_virtq *vq, struct pv_used *us, unsigned int n, int *error)
{
	struct told td = { 0, 0, 0 };
	unsigned int i;

	for (i = 0; i < n; i++, us++) {
		if (vq->vq_batch == 0)
			*error = used_desc(vq, &td);
		if (*error == 0)
			*error = take_any(vq, td.td_id, td.td_len, td.td_flags,
			    us);
		if (*error)
			break;
	}
	return i;
}

/*
 * The short way: up to n chains of one piece in coherent memory, none behind
 * the ring's end; td is the first that goes the long way, or *error is set.
 * placed: a chain's id is its place.
 */
ALWAYS_INLINE unsigned int
take(struct pv_virtq *vq, struct pv_used *us, unsigned int n, struct told *td,
    int *error, const bool placed)
{
	struct virtq_entry *const entries = vq->vq_entries;
	const unsigned int slot = vq->vq_used_slot, wrap = vq->vq_used_wrap;
	const unsigned int size = vq->vq_size;
	const struct ring_packed *pd = desc_at(vq, slot);
	uint16_t *const ids = &vq->vq_ids[slot];
	struct virtq_entry *qe = &entries[slot];
	unsigned int i, id = 0, flags = 0;
	uint32_t len = 0;

	for (i = 0; i < n; i++, us++, pd++, qe++) {
		flags = ring_load16(&pd->pd_flags);
		if ((flags & RING_DESC_F_BOTH) != wrap) {
			*error = EAGAIN;
			break;
		}
		pv_barrier_consume(false);
		id = ring_load16(&pd->pd_id);
		len = ring_load32(&pd->pd_len);
		if (placed ? id != slot + i : id >= size)
			break;
		if (!placed)
			qe = &entries[id];
		if (UNLIKELY(len >= qe->qe_limit))
			break;
		virtq_entry_take(qe, len, us);
		if (!placed)
			ids[i] = (uint16_t)id;
	}
	*td = (struct told){ id, len, flags };
	step_used(vq, slot + i);
	virtq_used(vq, i);
	return i;
}

ALWAYS_INLINE int
take_one(struct pv_virtq *vq, struct pv_used *us, const bool placed)
{
	const unsigned int slot = vq->vq_used_slot;
	const struct ring_packed *pd = desc_at(vq, slot);
	unsigned int flags, id;
	struct virtq_entry *qe;
	uint32_t len;

	if (UNLIKELY(virtq_is_dirty(vq) || (placed && vq->vq_batch != 0)))
		return virtq_take_any(vq, us);
	flags = ring_load16(&pd->pd_flags);
	if ((flags & RING_DESC_F_BOTH) != vq->vq_used_wrap)
		return EAGAIN;
	pv_barrier_consume(false);
	id = ring_load16(&pd->pd_id);
	len = ring_load32(&pd->pd_len);
	if (UNLIKELY(placed ? id != slot : id >= vq->vq_size))
		return take_any(vq, id, len, flags, us);
	qe = &vq->vq_entries[placed ? slot : id];
	if (UNLIKELY(len >= qe->qe_limit))
		return take_any(vq, id, len, flags, us);
	step_used(vq, (uint16_t)(slot + 1));
	virtq_entry_take(qe, len, us);
	virtq_used(vq, 1);
	if (!placed)
		vq->vq_ids[slot] = (uint16_t)id;
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

/* Up to n of a batch. */
static NOINLINE unsigned int
take_batch(struct pv_virtq *vq, struct pv_used *us, unsigned int n)
{
	const struct virtq_entry *last = &vq->vq_entries[vq->vq_batch - 1];
	const unsigned int slot = vq->vq_used_slot;
	struct virtq_entry *qe = &vq->vq_entries[slot];
	unsigned int i;
	uint32_t len;

	for (i = 0; i < n && vq->vq_batch != 0 && qe->qe_limit != 0; i++) {
		len = qe->qe_limit - 1;
		if (qe == last) {
			len = vq->vq_batchlen;
			vq->vq_batch = 0;
		}
		virtq_entry_take(qe++, len, us++);
	}
	step_used(vq, slot + i);
	virtq_used(vq, i);
	return i;
}

/* Only while the device has all that were enqueued: it sees them already. */
ALWAYS_INLINE int
dequeue(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    unsigned int *taken, const bool placed)
{
	struct told td = { 0, 0, 0 };
	unsigned int i = 0, got, most;
	int error = 0;
	bool more;

	if (UNLIKELY(virtq_is_dirty(vq)))
		return virtq_dequeue_any(vq, us, n, taken);
	while (i < n) {
		most = virtq_fits(vq, n - i, n - i, vq->vq_used_slot);
		if (placed && vq->vq_batch != 0) {
			got = take_batch(vq, us + i, most);
			more = got > 0;
		} else {
			got = take(vq, us + i, most, &td, &error, placed);
			more = got == most;
		}
		i += got;
		if (LIKELY(more))
			continue;
		if (error == 0)
			error = take_any(vq, td.td_id, td.td_len, td.td_flags,
			    us + i);
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
packed_pending(struct pv_virtq *vq)
{
	const struct ring_packed *pd = desc_at(vq, vq->vq_used_slot);
	unsigned int flags;

	if (vq->vq_flags & VQ_STOPPED)
		return 0;
	if (vq->vq_batch != 0)
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

static const struct virtq_ways plain_ways = {
	enqueue_plain, run_plain, publish_plain, take_plain, dequeue_plain
};

static const struct virtq_ways placed_ways = {
	enqueue_placed, run_placed, publish_plain, take_placed, dequeue_placed
};

/* In order, where chains may take several places: not known by their ids. */
static const struct virtq_ways ordered_ways = {
	enqueue_plain, run_plain, publish_plain, take_placed, dequeue_placed
};

static const struct virtq_ways any_ways = {
	enqueue_plain, run_plain, publish_synced, virtq_take_any,
	virtq_dequeue_any
};

const struct virtq_ways *
packed_reset(struct pv_virtq *vq)
{
	vq->vq_place = MARK(RING_DESC_F_AVAIL);
	vq->vq_used_wrap = RING_DESC_F_BOTH;
	vq->vq_event = RING_EVENT_ENABLE;
	pv_dmamem_sync(&vq->vq_mem, 0, vq->vq_mem.dm_size,
	    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
	if ((vq->vq_flags & (VQ_COHERENT | VQ_OUTER)) != VQ_COHERENT)
		return &any_ways;
	if (!(vq->vq_flags & VQ_IN_ORDER))
		return &plain_ways;
	if (vq->vq_tables == NULL && vq->vq_maxsegs != 1)
		return &ordered_ways;
	vq->vq_flags |= VQ_IN_PLACE;
	return &placed_ways;
}
