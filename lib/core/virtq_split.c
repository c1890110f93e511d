/* SPDX-License-Identifier: ISC */
/*
 * Split virtqueues (Virtqueues / Split Virtqueues).
 *
 * The free list and all that is known of a chain is in vq_entries. The last
 * descriptor's next is 0: one host is known to follow it.
 */
#include "mem.h"
#include "virtio_var.h"
#include "virtq_var.h"

/* Where in the chain's descriptors the next one goes, while it is filled. */
struct fill {
	struct ring_desc *fl_desc;	/* table, or the ring */
	const struct virtq_entry *fl_list; /* order in the ring; NULL: table */
	unsigned int fl_next;
	unsigned int fl_last;
	unsigned int fl_count;
	unsigned int fl_room;
	bus_addr_t fl_addr;		/* of the last, to write it once more */
	uint32_t fl_len;
	uint16_t fl_flags;
	uint16_t fl_entry;		/* QE_TABLE */
	bool fl_coherent;
};

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

static __attribute__((__noinline__)) void
sync_ring(const struct pv_virtq *vq, const void *field, bus_size_t len,
    int ops)
{
	bus_size_t off = (bus_size_t)((const char *)field -
	    (const char *)vq->vq_mem.dm_kva);

	pv_dmamem_sync(&vq->vq_mem, off, len, ops);
}

/* After we wrote a part of the available ring. */
static inline void
sync_avail(const struct pv_virtq *vq, const void *field, bus_size_t len)
{
	if (!(vq->vq_flags & VQ_COHERENT))
		sync_ring(vq, field, len, BUS_DMASYNC_PREWRITE);
}

/* Around the read of a field that the device writes as it likes. */
static inline void
sync_used(const struct pv_virtq *vq, const void *field, bus_size_t len,
    int ops)
{
	if (!(vq->vq_flags & VQ_COHERENT))
		sync_ring(vq, field, len, ops);
}

static inline uint16_t
used_load16(const struct pv_virtq *vq, const uint16_t *field)
{
	uint16_t v;

	sync_used(vq, field, sizeof(*field), BUS_DMASYNC_POSTREAD);
	v = ring_load16(field);
	sync_used(vq, field, sizeof(*field), BUS_DMASYNC_PREREAD);
	return v;
}

/* Chains that the device has been shown and not yet used. */
static uint16_t
split_inflight(const struct pv_virtq *vq)
{
	return (uint16_t)(vq->vq_published - vq->vq_used_idx);
}

int
split_alloc(struct pv_virtq *vq, unsigned int size, bool legacy)
{
	bus_size_t avail, used, len, align;
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
	vq->vq_mask = (uint16_t)(size - 1);
	vq->vq_desc = vq->vq_mem.dm_kva;
	vq->vq_avail = (void *)((char *)vq->vq_mem.dm_kva + avail);
	vq->vq_used = (void *)((char *)vq->vq_mem.dm_kva + used);
	return 0;
}

void
split_reset(struct pv_virtq *vq)
{
	unsigned int i, size = virtq_size(vq);

	memset(vq->vq_mem.dm_kva, 0, (size_t)vq->vq_mem.dm_size);
	pv_dmamem_sync(&vq->vq_mem, 0, vq->vq_used_off, BUS_DMASYNC_PREWRITE);
	pv_dmamem_sync(&vq->vq_mem, vq->vq_used_off,
	    vq->vq_mem.dm_size - vq->vq_used_off,
	    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
	memset(vq->vq_entries, 0, size * sizeof(*vq->vq_entries));
	for (i = 0; i < size; i++)
		vq->vq_entries[i].qe_next = (uint16_t)(i + 1);
	vq->vq_free = 0;
	vq->vq_nfree = (uint16_t)size;
	vq->vq_posted = vq->vq_published = 0;
	vq->vq_used_idx = vq->vq_used_seen = 0;
}

static int
piece_check(const struct pv_piece *pc)
{
	bus_size_t size = pc->pc_map->dm_mapsize;

	if (pc->pc_len == 0 || pc->pc_len > UINT32_MAX)
		return EINVAL;
	if (pc->pc_off > size || pc->pc_len > size - pc->pc_off)
		return EINVAL;
	return 0;
}

/* One piece, as many descriptors as it has segments. */
static inline __attribute__((__always_inline__)) int
fill_piece(struct fill *fl, const struct pv_piece *pc, uint16_t flags)
{
	const bus_dma_segment_t *seg = pc->pc_map->dm_segs;
	bus_size_t off = pc->pc_off, left = pc->pc_len, take;
	unsigned int next;

	while (off >= seg->ds_len)
		off -= (seg++)->ds_len;
	for (;;) {
		if (fl->fl_count == fl->fl_room)
			return EFBIG;
		fl->fl_count++;
		fl->fl_last = fl->fl_next;
		next = fl->fl_list != NULL ?
		    fl->fl_list[fl->fl_last].qe_next : fl->fl_last + 1;
		take = seg->ds_len - off;
		if (take > left)
			take = left;
		fl->fl_addr = seg->ds_addr + off;
		fl->fl_len = (uint32_t)take;
		ring_desc_set(&fl->fl_desc[fl->fl_last], fl->fl_addr,
		    fl->fl_len, flags | RING_DESC_F_NEXT, next);
		fl->fl_next = next;
		left -= take;
		if (left == 0)
			break;
		off = 0;
		seg++;
	}
	fl->fl_flags = flags;
	return 0;
}

static inline __attribute__((__always_inline__)) int
fill_pieces(struct pv_virtq *vq, struct fill *fl, const struct pv_piece *pc,
    unsigned int nout, unsigned int n, uint32_t *inlen)
{
	uint64_t in = 0;
	unsigned int i;
	int error;

	for (i = 0; i < n; i++, pc++) {
		error = piece_check(pc);
		if (error)
			return error;
		if (i >= nout)
			in += pc->pc_len;
		error = fill_piece(fl, pc,
		    i < nout ? 0 : RING_DESC_F_WRITE);
		if (error)
			return error;
		if (!PV_DMAMAP_COHERENT(vq->vq_dmat, pc->pc_map))
			fl->fl_coherent = false;
	}
	if (in > UINT32_MAX)
		return EINVAL;
	ring_desc_set(&fl->fl_desc[fl->fl_last], fl->fl_addr, fl->fl_len,
	    fl->fl_flags, 0);
	*inlen = (uint32_t)in;
	return 0;
}

/* A chain in the ring's own descriptors, from the free list on. */
static int
fill_direct(struct pv_virtq *vq, struct fill *fl, const struct pv_piece *pc,
    unsigned int nout, unsigned int n, uint32_t *inlen)
{
	int error;

	fl->fl_desc = vq->vq_desc;
	fl->fl_list = vq->vq_entries;
	fl->fl_next = vq->vq_free;
	fl->fl_room = vq->vq_nfree < vq->vq_maxsegs ?
	    vq->vq_nfree : vq->vq_maxsegs;
	error = fill_pieces(vq, fl, pc, nout, n, inlen);
	if (error == EFBIG && fl->fl_room < vq->vq_maxsegs) {
		vq->vq_counters.qc_full++;
		error = ENOBUFS;
	}
	return error;
}

/* A chain in the table of the first free descriptor, which refers to it. */
static int
fill_indirect(struct pv_virtq *vq, struct fill *fl, const struct pv_piece *pc,
    unsigned int nout, unsigned int n, uint32_t *inlen)
{
	const struct virtq_table *qt = &vq->vq_tables[vq->vq_free];
	uint32_t len;
	int error;

	fl->fl_desc = qt->qt_desc;
	fl->fl_list = NULL;
	fl->fl_next = 0;
	fl->fl_room = vq->vq_maxsegs;
	error = fill_pieces(vq, fl, pc, nout, n, inlen);
	if (error)
		return error;
	len = fl->fl_count * (uint32_t)sizeof(struct ring_desc);
	if (!PV_DMAMAP_COHERENT(vq->vq_dmat, vq->vq_tablemem.dm_map)) {
		pv_dmamem_sync(&vq->vq_tablemem, qt->qt_off, len,
		    BUS_DMASYNC_PREWRITE);
		virtq_saved(vq, vq->vq_free)->qs_tablelen = len;
		fl->fl_entry = QE_TABLE;
	}
	ring_desc_set(&vq->vq_desc[vq->vq_free], qt->qt_addr, len,
	    RING_DESC_F_INDIRECT, 0);
	fl->fl_last = vq->vq_free;
	fl->fl_count = 1;
	return 0;
}

/* The descriptors of a chain; their order stays in qe_next. */
static void
sync_chain(struct pv_virtq *vq, unsigned int head, unsigned int count)
{
	unsigned int i = head;

	if (vq->vq_flags & VQ_COHERENT)
		return;
	while (count-- > 0) {
		pv_dmamem_sync(&vq->vq_mem, i * sizeof(struct ring_desc),
		    sizeof(struct ring_desc), BUS_DMASYNC_PREWRITE);
		i = vq->vq_entries[i].qe_next;
	}
}

/* Make a filled chain, of count descriptors up to last, available. */
static inline void
split_commit(struct pv_virtq *vq, unsigned int head, unsigned int last,
    unsigned int count, uint32_t inlen, uint16_t flags, void *cookie)
{
	struct virtq_entry *qe = &vq->vq_entries[head];

	qe->qe_cookie = cookie;
	qe->qe_inlen = inlen;
	qe->qe_pos = vq->vq_posted;
	qe->qe_last = (uint16_t)last;
	qe->qe_ndesc = (uint16_t)count;
	qe->qe_flags = flags;
	vq->vq_free = vq->vq_entries[last].qe_next;
	vq->vq_nfree = (uint16_t)(vq->vq_nfree - count);
	vq->vq_avail->ra_ring[vq->vq_posted & vq->vq_mask] = PV_LE16(head);
	vq->vq_posted++;
}

/* What follows a commit where something is not coherent. */
static __attribute__((__noinline__)) int
enqueue_sync(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, unsigned int head)
{
	struct virtq_entry *qe = &vq->vq_entries[head];

	sync_chain(vq, head, qe->qe_ndesc);
	if (qe->qe_flags & QE_SYNC)
		virtq_pieces_pre(vq, pc, nout, nin, head);
	return 0;
}

static __attribute__((__noinline__)) int
enqueue_chain(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, void *cookie)
{
	struct fill fl = { .fl_coherent = true };
	unsigned int head = vq->vq_free;
	uint32_t inlen;
	int error;

	if (vq->vq_tables != NULL)
		error = fill_indirect(vq, &fl, pc, nout, nout + nin, &inlen);
	else
		error = fill_direct(vq, &fl, pc, nout, nout + nin, &inlen);
	if (error)
		return error;
	split_commit(vq, head, fl.fl_last, fl.fl_count, inlen,
	    fl.fl_entry | (fl.fl_coherent ? 0 : QE_SYNC), cookie);
	if (!fl.fl_coherent || !(vq->vq_flags & VQ_COHERENT))
		return enqueue_sync(vq, pc, nout, nin, head);
	return 0;
}

/* The segment in which a piece lies whole, or NULL; *off becomes its offset. */
static inline const bus_dma_segment_t *
piece_segment(const struct pv_piece *pc, bus_size_t *off)
{
	const bus_dma_segment_t *seg = pc->pc_map->dm_segs;

	*off = pc->pc_off;
	while (*off >= seg->ds_len)
		*off -= (seg++)->ds_len;
	return pc->pc_len <= seg->ds_len - *off ? seg : NULL;
}

/* The common case, one piece in one segment, goes straight into the ring. */
int
split_enqueue(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, void *cookie)
{
	const bus_dma_segment_t *seg;
	unsigned int head = vq->vq_free;
	uint16_t coherent;
	uint32_t len;
	bus_size_t off;

	if (vq->vq_nfree == 0) {
		vq->vq_counters.qc_full++;
		return ENOBUFS;
	}
	if (nout + nin != 1)
		return enqueue_chain(vq, pc, nout, nin, cookie);
	if (piece_check(pc))
		return EINVAL;
	seg = piece_segment(pc, &off);
	if (seg == NULL)
		return enqueue_chain(vq, pc, nout, nin, cookie);
	len = (uint32_t)pc->pc_len;
	ring_desc_set(&vq->vq_desc[head], seg->ds_addr + off, len,
	    nin ? RING_DESC_F_WRITE : 0, 0);
	coherent = PV_DMAMAP_COHERENT(vq->vq_dmat, pc->pc_map);
	split_commit(vq, head, head, 1, nin ? len : 0, coherent ? 0 : QE_SYNC,
	    cookie);
	if (!coherent || !(vq->vq_flags & VQ_COHERENT))
		return enqueue_sync(vq, pc, nout, nin, head);
	return 0;
}

/* The available ring's entries from first on; they may wrap. */
static void
sync_avail_entries(const struct pv_virtq *vq, unsigned int first,
    unsigned int n)
{
	unsigned int slot = first & vq->vq_mask;
	unsigned int run = virtq_size(vq) - slot;

	if (vq->vq_flags & VQ_COHERENT)
		return;
	if (run > n)
		run = n;
	sync_avail(vq, &vq->vq_avail->ra_ring[slot], run * 2);
	if (n > run)
		sync_avail(vq, &vq->vq_avail->ra_ring[0], (n - run) * 2);
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
	uint16_t old = (uint16_t)vq->vq_published;
	uint16_t new = (uint16_t)vq->vq_posted;

	sync_avail_entries(vq, old, (uint16_t)(new - old));
	pv_barrier_publish(virtq_outer(vq));
	ring_store16(&vq->vq_avail->ra_idx, new);
	sync_avail(vq, &vq->vq_avail->ra_idx, sizeof(uint16_t));
	vq->vq_published = vq->vq_posted;
	vq->vq_counters.qc_enqueued += (uint16_t)(new - old);
	pv_barrier_check(virtq_outer(vq));
	return split_wants_notify(vq, old, new);
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
	if (n > split_inflight(vq))
		return pv_virtio_break(vq->vq_dev,
		    "used index beyond what is outstanding");
	vq->vq_used_seen = idx;
	pv_barrier_consume(virtq_outer(vq));
	return 0;
}

/* Enqueued, but not shown to the device yet. */
static bool
split_is_unpublished(const struct pv_virtq *vq, const struct virtq_entry *qe)
{
	return qe->qe_pos - vq->vq_published <
	    vq->vq_posted - vq->vq_published;
}

/* The next used entry; split_refresh has seen that there is one. */
static __attribute__((__noinline__)) int
split_take(struct pv_virtq *vq, struct pv_used *us)
{
	const struct ring_used_elem *ru;
	struct virtq_entry *qe;
	uint32_t id, len;

	ru = &vq->vq_used->ru_ring[vq->vq_used_idx & vq->vq_mask];
	sync_used(vq, ru, sizeof(*ru), BUS_DMASYNC_POSTREAD);
	id = ring_load32(&ru->ru_id);
	len = ring_load32(&ru->ru_len);
	sync_used(vq, ru, sizeof(*ru), BUS_DMASYNC_PREREAD);
	if (id > vq->vq_mask)
		return pv_virtio_break(vq->vq_dev, "used id out of range");
	qe = &vq->vq_entries[id];
	if (qe->qe_cookie == NULL || split_is_unpublished(vq, qe))
		return pv_virtio_break(vq->vq_dev,
		    "used id is not outstanding");
	if (len > qe->qe_inlen) {
		if (vq->vq_policy == PV_VIRTQ_REFUSE)
			return pv_virtio_break(vq->vq_dev,
			    "used length above what was posted");
		vq->vq_counters.qc_clamped++;
		len = qe->qe_inlen;
	}
	us->us_cookie = qe->qe_cookie;
	us->us_len = len;
	qe->qe_cookie = NULL;
	vq->vq_entries[qe->qe_last].qe_next = vq->vq_free;
	vq->vq_free = (uint16_t)id;
	vq->vq_nfree = (uint16_t)(vq->vq_nfree + qe->qe_ndesc);
	vq->vq_used_idx++;
	vq->vq_counters.qc_used++;
	if (qe->qe_flags != 0)
		virtq_chain_post(vq, id, vq->vq_policy == PV_VIRTQ_DOUBT ?
		    qe->qe_inlen : len);
	return 0;
}

int
split_dequeue(struct pv_virtq *vq, struct pv_used *us)
{
	int error;

	if (vq->vq_used_idx == vq->vq_used_seen) {
		error = split_refresh(vq);
		if (error)
			return error;
	}
	return split_take(vq, us);
}

int
split_pending(struct pv_virtq *vq)
{
	return used_load16(vq, &vq->vq_used->ru_idx) != vq->vq_used_idx;
}

static void
split_avail_flags(struct pv_virtq *vq, uint16_t flags)
{
	ring_store16(&vq->vq_avail->ra_flags, flags);
	sync_avail(vq, &vq->vq_avail->ra_flags, sizeof(uint16_t));
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

/* After n more chains, at least one; what is used already counts. */
int
split_intr_enable(struct pv_virtq *vq, unsigned int n)
{
	uint16_t used;

	if (n > split_inflight(vq))
		n = split_inflight(vq);
	if (n == 0)
		n = 1;
	if (vq->vq_flags & VQ_EVENT_IDX) {
		ring_store16(used_event(vq),
		    (uint16_t)(vq->vq_used_idx + n - 1));
		sync_avail(vq, used_event(vq), sizeof(uint16_t));
	} else {
		n = 1;
		if (vq->vq_flags & VQ_INTR_OFF) {
			vq->vq_flags &= (uint8_t)~VQ_INTR_OFF;
			split_avail_flags(vq, 0);
		}
	}
	pv_barrier_check(virtq_outer(vq));
	used = used_load16(vq, &vq->vq_used->ru_idx);
	return (uint16_t)(used - vq->vq_used_idx) >= n;
}
