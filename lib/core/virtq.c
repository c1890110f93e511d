/* SPDX-License-Identifier: ISC */
/*
 * What both kinds of ring have in common, and the choice between them.
 */
#include "mem.h"
#include "virtq_var.h"

#define VIRTQ_DEFAULT_SIZE	1024u
#define VIRTQ_MAXPIECES		1024u
#define VIRTQ_TABLE_SEGS	16u	/* segments that tables may lie in */

/*
 * The shortest chain that goes into a table. Shorter ones in the ring itself
 * would cost fewer lines, but more instructions when they come back, and the
 * room of others (doc/speed.md).
 */
#define VIRTQ_TABLE_MIN		2u

static bool
virtq_is_packed(const struct pv_virtq *vq)
{
	return (vq->vq_flags & VQ_PACKED) != 0;
}

/* A smaller ring than the device's is always allowed. */
static unsigned int
virtq_choose_size(const struct pv_virtio *dev, unsigned int max,
    unsigned int wanted)
{
	unsigned int size = 1;

	if (wanted == 0)
		wanted = VIRTQ_DEFAULT_SIZE;
	if (max > wanted)
		max = wanted;
	if (pv_virtio_has(dev, PV_F_RING_PACKED))
		return max;
	while (size <= max / 2)
		size *= 2;
	return size;
}

static int
virtq_check(struct pv_virtio *dev, unsigned int index,
    const struct pv_virtq_params *vp)
{
	if (*virtio_queue_at(dev, index) != NULL || virtio_is_started(dev))
		return EINVAL;
	if (vp->vp_maxpieces == 0 || vp->vp_maxpieces > VIRTQ_MAXPIECES ||
	    vp->vp_maxsegs == 0 || vp->vp_size > RING_MAXSIZE)
		return EINVAL;
	return 0;
}

static void
virtq_take_features(struct pv_virtq *vq)
{
	const struct pv_virtio *dev = vq->vq_dev;

	vq->vq_flags = 0;
	if (pv_virtio_has(dev, PV_F_EVENT_IDX))
		vq->vq_flags |= VQ_EVENT_IDX;
	if (pv_virtio_has(dev, PV_F_ORDER_PLATFORM))
		vq->vq_flags |= VQ_OUTER;
	if (pv_virtio_has(dev, PV_F_NOTIFICATION_DATA))
		vq->vq_flags |= VQ_NOTIFY_DATA;
	if (pv_virtio_has(dev, PV_F_RING_PACKED))
		vq->vq_flags |= VQ_PACKED;
	if (pv_virtio_has(dev, PV_F_IN_ORDER))
		vq->vq_flags |= VQ_IN_ORDER;
	if (vq->vq_mem.dm_kva != NULL &&
	    PV_DMAMAP_COHERENT(vq->vq_dmat, vq->vq_mem.dm_map))
		vq->vq_flags |= VQ_COHERENT;
}

/*
 * Give each descriptor its table. None crosses a segment: the device sees a
 * table as one run of addresses.
 */
static int
virtq_place_tables(struct pv_virtq *vq, bus_size_t len)
{
	const bus_dmamap_t map = vq->vq_tablemem.dm_map;
	const bus_dma_segment_t *seg = map->dm_segs;
	struct virtq_table *qt = vq->vq_tables;
	bus_size_t off = 0, base = 0;
	unsigned int i;
	int s = 0;

	for (i = 0; i < virtq_size(vq); i++, qt++) {
		while (s < map->dm_nsegs && seg[s].ds_len - off < len) {
			base += seg[s].ds_len;
			off = 0;
			s++;
		}
		if (s == map->dm_nsegs)
			return ENOMEM;
		qt->qt_off = base + off;
		qt->qt_addr = seg[s].ds_addr + off;
		qt->qt_desc = (void *)((char *)vq->vq_tablemem.dm_kva +
		    qt->qt_off);
		off += len;
	}
	return 0;
}

bool
virtq_can_pack(bus_dma_tag_t dmat)
{
	struct pv_dmamem dm;
	bool can;

	memset(&dm, 0, sizeof(dm));
	if (pv_dmamem_alloc(&dm, dmat, DMA_LINE, DMA_LINE, 1, 0,
	    BUS_DMA_COHERENT) != 0)
		return false;
	can = (dm.dm_flags & BUS_DMA_COHERENT) != 0;
	pv_dmamem_free(&dm);
	return can;
}

/* Those of chains that were drained as lost were not taken back one by one. */
static void
virtq_take_tables(struct pv_virtq *vq)
{
	if (vq->vq_lost && vq->vq_tablemem.dm_kva != NULL)
		pv_dmamem_sync(&vq->vq_tablemem, 0, vq->vq_tablemem.dm_size,
		    BUS_DMASYNC_POSTWRITE);
}

static void
virtq_free_tables(struct pv_virtq *vq)
{
	virtq_take_tables(vq);
	pv_dmamem_free(&vq->vq_tablemem);
	pv_kern_free(vq->vq_tables, virtq_size(vq) * sizeof(*vq->vq_tables));
	vq->vq_tables = NULL;
}

/*
 * In one run of addresses, or else in several: each then loses up to a table at
 * its end.
 */
static int
virtq_alloc_tablemem(struct pv_virtq *vq, bus_size_t len)
{
	bus_size_t need = virtq_size(vq) * len;
	unsigned int nsegs;
	int error = ENOMEM;

	for (nsegs = 1; nsegs <= VIRTQ_TABLE_SEGS; nsegs *= 4) {
		error = pv_dmamem_alloc(&vq->vq_tablemem, vq->vq_dmat,
		    DMA_LINES(need + (nsegs - 1) * len), DMA_LINE, nsegs, 0,
		    0);
		if (error == 0)
			break;
	}
	return error;
}

/* Tables are a gain, not a need: without memory for them there are none. */
static void
virtq_alloc_tables(struct pv_virtq *vq)
{
	bus_size_t len = vq->vq_maxsegs * sizeof(struct ring_desc);

	if (vq->vq_maxsegs < 2 ||
	    !pv_virtio_has(vq->vq_dev, PV_F_INDIRECT_DESC))
		return;
	vq->vq_tables = pv_kern_alloc(virtq_size(vq) * sizeof(*vq->vq_tables));
	if (vq->vq_tables == NULL)
		return;
	if (virtq_alloc_tablemem(vq, len) != 0 ||
	    virtq_place_tables(vq, len) != 0)
		virtq_free_tables(vq);
}

static void
virtq_free_memory(struct pv_virtq *vq, bool lost)
{
	unsigned int size = virtq_size(vq);

	pv_dmamem_release(&vq->vq_mem, lost);
	if (!lost)
		virtq_take_tables(vq);
	pv_dmamem_release(&vq->vq_tablemem, lost);
	pv_kern_free(vq->vq_saved, size * vq->vq_savedlen);
	pv_kern_free(vq->vq_entries, size * sizeof(*vq->vq_entries));
	pv_kern_free(vq->vq_ids, size * sizeof(*vq->vq_ids));
	pv_kern_free(vq->vq_next, size * sizeof(*vq->vq_next));
	pv_kern_free(vq->vq_segs, vq->vq_maxsegs * sizeof(*vq->vq_segs));
	pv_kern_free(vq->vq_tables, size * sizeof(*vq->vq_tables));
}

static int
virtq_alloc_private(struct pv_virtq *vq)
{
	unsigned int size = virtq_size(vq);

	vq->vq_savedlen = sizeof(struct virtq_saved) +
	    vq->vq_maxpieces * sizeof(struct pv_piece);
	vq->vq_entries = pv_kern_alloc(size * sizeof(*vq->vq_entries));
	vq->vq_ids = pv_kern_alloc(size * sizeof(*vq->vq_ids));
	vq->vq_next = pv_kern_alloc(size * sizeof(*vq->vq_next));
	vq->vq_segs = pv_kern_alloc(vq->vq_maxsegs * sizeof(*vq->vq_segs));
	vq->vq_saved = pv_kern_alloc(size * vq->vq_savedlen);
	if (vq->vq_entries == NULL || vq->vq_ids == NULL ||
	    vq->vq_next == NULL || vq->vq_segs == NULL ||
	    vq->vq_saved == NULL)
		return ENOMEM;
	return 0;
}

/* Empty, with what was negotiated. */
static void
virtq_renew(struct pv_virtq *vq)
{
	unsigned int i, size = virtq_size(vq);

	virtq_take_features(vq);
	vq->vq_draining = false;
	vq->vq_lost = 0;
	memset(vq->vq_entries, 0, size * sizeof(*vq->vq_entries));
	for (i = 0; i < size; i++) {
		vq->vq_ids[i] = (uint16_t)i;
		virtq_saved(vq, i)->qs_flags = 0;
	}
	memset(vq->vq_mem.dm_kva, 0, (size_t)vq->vq_mem.dm_size);
	count_add(&vq->vq_counters.qc_enqueued, vq->vq_nused);
	count_add(&vq->vq_counters.qc_used, vq->vq_nused);
	virtq_published(vq, 0);
	vq->vq_posted = 0;
	vq->vq_room = size;
	vq->vq_place = 0;
	vq->vq_used_slot = 0;
	__atomic_store_n(&vq->vq_nused, 0, __ATOMIC_RELAXED);
	vq->vq_batch = 0;
	vq->vq_used_seen = 0;
	vq->vq_stalled_ns = 0;
	vq->vq_ways = virtq_is_packed(vq) ? packed_reset(vq) : split_reset(vq);
}

/* All memory of a queue of this size, which is then as after a reset. */
static int
virtq_alloc_memory(struct pv_virtq *vq, unsigned int size)
{
	unsigned int maxsegs = vq->vq_wantsegs;
	int error;

	/* A chain is no longer than its queue, in a table or not. */
	if (maxsegs > size)
		maxsegs = size;
	if (maxsegs > RING_MAXTABLE)
		maxsegs = RING_MAXTABLE;
	memset(&vq->vq_mem, 0, sizeof(vq->vq_mem));
	memset(&vq->vq_tablemem, 0, sizeof(vq->vq_tablemem));
	vq->vq_tables = NULL;
	vq->vq_size = (uint16_t)size;
	vq->vq_maxsegs = (uint16_t)maxsegs;
	virtq_take_features(vq);
	error = virtq_alloc_private(vq);
	if (error == 0)
		error = virtq_is_packed(vq) ? packed_alloc(vq) :
		    split_alloc(vq);
	if (error) {
		virtq_free_memory(vq, false);
		return error;
	}
	virtq_alloc_tables(vq);
	virtq_renew(vq);
	return 0;
}

/*
 * A queue's state begins at a line, wherever the port's memory does, and fills
 * lines: what the port gave stands before it.
 */
#define VIRTQ_ROOM	(sizeof(struct pv_virtq) + DMA_LINE)

static struct pv_virtq *
virtq_at_line(void)
{
	char *raw = pv_kern_alloc(VIRTQ_ROOM);
	void **at;

	if (raw == NULL)
		return NULL;
	at = (void **)(void *)(raw + DMA_LINE - (uintptr_t)raw % DMA_LINE);
	at[-1] = raw;
	return (struct pv_virtq *)(void *)at;
}

static void
virtq_delete(struct pv_virtq *vq)
{
	pv_kern_free(((void **)(void *)vq)[-1], VIRTQ_ROOM);
}

static struct pv_virtq *
virtq_new(struct pv_virtio *dev, unsigned int index,
    const struct pv_virtq_params *vp)
{
	struct pv_virtq *vq;

	vq = virtq_at_line();
	if (vq == NULL)
		return NULL;
	vq->vq_dev = dev;
	vq->vq_dmat = dev->vd_dmat;
	vq->vq_index = index;
	vq->vq_maxpieces = (uint16_t)vp->vp_maxpieces;
	vq->vq_wantsegs = vp->vp_maxsegs;
	vq->vq_policy = (uint8_t)vp->vp_policy;
	vq->vq_name = vp->vp_name;
	vq->vq_intr = vp->vp_intr;
	vq->vq_arg = vp->vp_arg;
	return vq;
}

/* What the device has for this queue; 0: no such queue, or not one for us. */
static unsigned int
virtq_device_max(const struct pv_virtio *dev, unsigned int index)
{
	if (index >= dev->vd_ops->to_queue_count(dev->vd_transport))
		return 0;
	return dev->vd_ops->to_queue_max(dev->vd_transport, index);
}

int
pv_virtq_alloc(struct pv_virtio *dev, unsigned int index,
    const struct pv_virtq_params *vp, struct pv_virtq **vqp)
{
	struct pv_virtq **at = virtio_queue_at(dev, index), *vq;
	unsigned int max, n;
	int error;

	error = virtq_check(dev, index, vp);
	if (error)
		return error;
	max = virtq_device_max(dev, index);
	if (max == 0)
		return ENXIO;
	if (max > RING_MAXSIZE)
		return EINVAL;
	vq = virtq_new(dev, index, vp);
	if (vq == NULL)
		return ENOMEM;
	error = virtq_alloc_memory(vq,
	    virtq_choose_size(dev, max, vp->vp_size));
	if (error) {
		virtq_delete(vq);
		return error;
	}
	*at = vq;
	n = (unsigned int)(at - dev->vd_queues) + 1;
	if (dev->vd_nqueues < n)
		dev->vd_nqueues = n;
	*vqp = vq;
	return 0;
}

void
pv_virtq_free(struct pv_virtq *vq)
{
	struct pv_virtio *dev;
	bool lost;

	if (vq == NULL)
		return;
	dev = vq->vq_dev;
	*virtio_queue_at(dev, vq->vq_index) = NULL;
	while (dev->vd_nqueues > 0 &&
	    dev->vd_queues[dev->vd_nqueues - 1] == NULL)
		dev->vd_nqueues--;
	lost = dev->vd_lost || virtio_is_started(dev);
	if (lost)
		pv_kern_log(PV_LOG_WARNING, dev->vd_name,
		    "reset not confirmed: %lu bytes of queue %s stay behind",
		    (unsigned long)(vq->vq_mem.dm_size +
		    vq->vq_tablemem.dm_size), vq->vq_name);
	virtq_free_memory(vq, lost);
	virtq_delete(vq);
}

void
virtq_place(const struct pv_virtq *vq, struct pv_queue_place *qp)
{
	bus_addr_t addr = vq->vq_mem.dm_map->dm_segs[0].ds_addr;

	qp->qp_size = virtq_size(vq);
	qp->qp_desc = addr;
	qp->qp_driver = addr + vq->vq_avail_off;
	qp->qp_device = addr + vq->vq_used_off;
	qp->qp_align = vq->vq_align;
	qp->qp_packed = virtq_is_packed(vq);
}

static void
virtq_notify(struct pv_virtq *vq)
{
	struct pv_virtio *dev = vq->vq_dev;
	uint32_t data = vq->vq_index;

	if (vq->vq_flags & VQ_NOTIFY_DATA)
		data |= virtq_is_packed(vq) ? packed_notify_data(vq) :
		    vq->vq_published << 16;
	count_add(&vq->vq_counters.qc_doorbells, 1);
	dev->vd_ops->to_notify(dev->vd_transport, vq->vq_index, data);
}

int
virtq_ring(struct pv_virtq *vq)
{
	if (!virtio_is_started(vq->vq_dev))
		return 0;
	virtq_notify(vq);
	return 1;
}

/* What was published before DRIVER_OK, when no doorbell may be rung. */
void
virtq_notify_again(struct pv_virtq *vq)
{
	if (vq->vq_published == 0)
		return;
	/* What was enqueued since is there to be looked at too. */
	pv_barrier_check(virtq_outer(vq));
	virtq_notify(vq);
}

void
virtq_sync(const struct pv_virtq *vq, const void *field, bus_size_t len,
    int ops)
{
	bus_size_t off = (bus_size_t)((const char *)field -
	    (const char *)vq->vq_mem.dm_kva);

	pv_dmamem_sync(&vq->vq_mem, off, len, ops);
}

/*
 * Syncs of a chain's memory, for chains that lie in a map that is not known to
 * be coherent.
 */
static void
virtq_pieces_pre(struct pv_virtq *vq, const struct pv_piece *pc,
    unsigned int nout, unsigned int nin, unsigned int id)
{
	struct virtq_saved *qs = virtq_saved(vq, id);
	unsigned int i;

	qs->qs_nout = nout;
	qs->qs_nin = nin;
	for (i = 0; i < nout + nin; i++, pc++) {
		qs->qs_pieces[i] = *pc;
		pv_dma_sync(vq->vq_dmat, pc->pc_map, pc->pc_off, pc->pc_len,
		    i < nout ? BUS_DMASYNC_PREWRITE : BUS_DMASYNC_PREREAD);
	}
}

static void
virtq_pieces_post(struct pv_virtq *vq, const struct virtq_saved *qs,
    uint32_t len)
{
	const struct pv_piece *pc = qs->qs_pieces;
	bus_size_t left = len, part;
	unsigned int i;

	for (i = 0; i < qs->qs_nout; i++, pc++)
		pv_dma_sync(vq->vq_dmat, pc->pc_map, pc->pc_off, pc->pc_len,
		    BUS_DMASYNC_POSTWRITE);
	for (i = 0; i < qs->qs_nin && left > 0; i++, pc++) {
		part = pc->pc_len < left ? pc->pc_len : left;
		pv_dma_sync(vq->vq_dmat, pc->pc_map, pc->pc_off, part,
		    BUS_DMASYNC_POSTREAD);
		left -= part;
	}
}

/* len is what the device wrote, from the first piece that it writes on. */
static void
virtq_chain_post(struct pv_virtq *vq, unsigned int id, uint32_t len)
{
	const struct virtq_saved *qs = virtq_saved(vq, id);

	if (qs->qs_flags & QE_TABLE)
		pv_dmamem_sync(&vq->vq_tablemem, vq->vq_tables[id].qt_off,
		    qs->qs_tablelen, BUS_DMASYNC_POSTWRITE);
	if (qs->qs_flags & QE_SYNC)
		virtq_pieces_post(vq, qs, len);
}

/* The device has a chain no more. */
static void
virtq_forget(struct pv_virtq *vq, unsigned int id, uint32_t len)
{
	virtq_chain_post(vq, id, len);
	vq->vq_entries[id].qe_limit = 0;
	virtq_saved(vq, id)->qs_flags = 0;
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

/* One piece, as many segments as it lies in. */
static int
collect_piece(struct pv_virtq *vq, struct virtq_chain *vc,
    const struct pv_piece *pc, uint32_t flags)
{
	const bus_dma_segment_t *seg = pc->pc_map->dm_segs;
	bus_size_t off = pc->pc_off, left = pc->pc_len, take;
	struct virtq_seg *sg;

	while (off >= seg->ds_len)
		off -= (seg++)->ds_len;
	for (;;) {
		if (vc->vc_count == vq->vq_maxsegs)
			return EFBIG;
		take = seg->ds_len - off;
		if (take > left)
			take = left;
		sg = &vq->vq_segs[vc->vc_count++];
		sg->sg_addr = seg->ds_addr + off;
		sg->sg_len = (uint32_t)take;
		sg->sg_flags = flags;
		left -= take;
		if (left == 0)
			return 0;
		off = 0;
		seg++;
	}
}

static int
collect(struct pv_virtq *vq, struct virtq_chain *vc, const struct pv_piece *pc,
    unsigned int nout, unsigned int n)
{
	uint64_t in = 0;
	unsigned int i;
	int error;

	memset(vc, 0, sizeof(*vc));
	for (i = 0; i < n; i++, pc++) {
		error = piece_check(pc);
		if (error)
			return error;
		if (i >= nout)
			in += pc->pc_len;
		error = collect_piece(vq, vc, pc,
		    i < nout ? 0 : RING_DESC_F_WRITE);
		if (error)
			return error;
		if (!PV_DMAMAP_COHERENT(vq->vq_dmat, pc->pc_map))
			vc->vc_flags |= QE_SYNC;
	}
	if (in > UINT32_MAX)
		return EINVAL;
	vc->vc_inlen = (uint32_t)in;
	return 0;
}

uint32_t
virtq_fill_table(struct pv_virtq *vq, unsigned int id, struct virtq_chain *vc)
{
	const struct virtq_table *qt = &vq->vq_tables[id];
	const struct virtq_seg *sg = vq->vq_segs;
	unsigned int i, last = vc->vc_count - 1;
	uint32_t len = vc->vc_count * (uint32_t)sizeof(struct ring_desc);

	for (i = 0; i <= last; i++, sg++)
		if (virtq_is_packed(vq))
			ring_packed_set(&qt->qt_desc[i], sg->sg_addr,
			    sg->sg_len, 0, sg->sg_flags);
		else if (i < last)
			ring_desc_set(&qt->qt_desc[i], sg->sg_addr,
			    sg->sg_len, sg->sg_flags | RING_DESC_F_NEXT,
			    i + 1);
		else
			ring_desc_set(&qt->qt_desc[i], sg->sg_addr,
			    sg->sg_len, sg->sg_flags, 0);
	if (!PV_DMAMAP_COHERENT(vq->vq_dmat, vq->vq_tablemem.dm_map)) {
		pv_dmamem_sync(&vq->vq_tablemem, qt->qt_off, len,
		    BUS_DMASYNC_PREWRITE);
		virtq_saved(vq, id)->qs_tablelen = len;
		vc->vc_flags |= QE_TABLE;
	}
	return len;
}

/* What is known of a chain that was just put into the ring. */
static void
virtq_save(struct pv_virtq *vq, unsigned int id, const struct virtq_chain *vc,
    void *cookie)
{
	struct virtq_entry *qe = &vq->vq_entries[id];
	struct virtq_saved *qs = virtq_saved(vq, id);

	qe->qe_cookie = cookie;
	qe->qe_limit = 0;
	qe->qe_where = vq->vq_posted++;
	qs->qs_flags = vc->vc_flags | QE_HELD;
	qs->qs_inlen = vc->vc_inlen;
}

int
virtq_enqueue_chain(struct pv_virtq *vq, const struct pv_piece *pieces,
    unsigned int nout, unsigned int nin, void *cookie)
{
	struct virtq_chain vc;
	unsigned int id;
	int error;

	if (nout > vq->vq_maxpieces || nin > vq->vq_maxpieces - nout)
		return EFBIG;
	if (nout + nin == 0 || cookie == NULL)
		return EINVAL;
	if (virtq_room(vq) == 0) {
		count_add(&vq->vq_counters.qc_full, 1);
		return ENOBUFS;
	}
	error = collect(vq, &vc, pieces, nout, nout + nin);
	if (error)
		return error;
	vc.vc_table = vc.vc_count >= VIRTQ_TABLE_MIN && vq->vq_tables != NULL;
	if (!vc.vc_table && vc.vc_count > virtq_room(vq)) {
		count_add(&vq->vq_counters.qc_full, 1);
		return ENOBUFS;
	}
	id = virtq_is_packed(vq) ? packed_chain(vq, &vc) : split_chain(vq, &vc);
	virtq_save(vq, id, &vc, cookie);
	if (vc.vc_flags & QE_SYNC)
		virtq_pieces_pre(vq, pieces, nout, nin, id);
	return 0;
}

int
pv_virtq_enqueue(struct pv_virtq *vq, const struct pv_piece *pieces,
    unsigned int nout, unsigned int nin, void *cookie)
{
	if (virtio_is_broken(vq->vq_dev))
		return EIO;
	return vq->vq_ways->vw_enqueue(vq, pieces, nout, nin, cookie);
}

/*
 * A run ends before a piece that can't go the short way, at the ring's end, and
 * when the ring is full: another one may go on behind the end; one that goes
 * nowhere leaves the rest to go one by one.
 */
int
virtq_run_rest(struct pv_virtq *vq, const struct pv_piece *pieces,
    void *const *cookies, unsigned int n, int in, unsigned int *taken)
{
	unsigned int i = *taken, got;
	int error = 0;

	if (i > 0) {
		error = vq->vq_ways->vw_run(vq, pieces + i, cookies + i, n - i,
		    in, &got);
		*taken = i + got;
		return error;
	}
	for (; i < n; i++) {
		error = vq->vq_ways->vw_enqueue(vq, pieces + i, in == 0,
		    in != 0, cookies[i]);
		if (error)
			break;
	}
	*taken = i;
	return error;
}

int
virtq_run_none(struct pv_virtq *vq, const struct pv_piece *pieces,
    void *const *cookies, unsigned int n, int in, unsigned int *taken)
{
	*taken = 0;
	return virtq_run_rest(vq, pieces, cookies, n, in, taken);
}

int
pv_virtq_enqueue_batch(struct pv_virtq *vq, const struct pv_piece *pieces,
    void *const *cookies, unsigned int n, int in, unsigned int *taken)
{
	if (virtio_is_broken(vq->vq_dev)) {
		*taken = 0;
		return EIO;
	}
	return vq->vq_ways->vw_run(vq, pieces, cookies, n, in, taken);
}

int
pv_virtq_publish(struct pv_virtq *vq)
{
	if (!virtq_is_dirty(vq) || virtio_is_broken(vq->vq_dev))
		return 0;
	return vq->vq_ways->vw_publish(vq);
}

/* A used length, by the queue's policy. */
int
virtq_judge(struct pv_virtq *vq, unsigned int id, uint32_t *len)
{
	uint32_t inlen = virtq_inlen(vq, id);

	if (*len <= inlen)
		return 0;
	if (vq->vq_policy == PV_VIRTQ_REFUSE)
		return pv_virtio_break(vq->vq_dev,
		    "used length above what was posted");
	count_add(&vq->vq_counters.qc_clamped, 1);
	*len = inlen;
	return 0;
}

void
virtq_finish(struct pv_virtq *vq, unsigned int id, uint32_t len,
    struct pv_used *us)
{
	us->us_cookie = vq->vq_entries[id].qe_cookie;
	us->us_len = len;
	count_add(&vq->vq_nused, 1);
	virtq_forget(vq, id, vq->vq_policy == PV_VIRTQ_DOUBT ?
	    virtq_inlen(vq, id) : len);
}

int
virtq_dequeue_any(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    unsigned int *taken)
{
	int error = 0;

	*taken = virtq_is_packed(vq) ? packed_take(vq, us, n, &error) :
	    split_take(vq, us, n, &error);
	return *taken > 0 ? 0 : error;
}

int
virtq_take_any(struct pv_virtq *vq, struct pv_used *us)
{
	unsigned int taken;

	return virtq_dequeue_any(vq, us, 1, &taken);
}

int
pv_virtq_dequeue(struct pv_virtq *vq, struct pv_used *us)
{
	if (virtio_is_broken(vq->vq_dev))
		return EIO;
	return vq->vq_ways->vw_take(vq, us);
}

int
pv_virtq_dequeue_batch(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    unsigned int *taken)
{
	if (virtio_is_broken(vq->vq_dev)) {
		*taken = 0;
		return EIO;
	}
	return vq->vq_ways->vw_dequeue(vq, us, n, taken);
}

int
pv_virtq_pending(struct pv_virtq *vq)
{
	if (virtio_is_broken(vq->vq_dev))
		return 1;
	return virtq_is_packed(vq) ? packed_pending(vq) : split_pending(vq);
}

static int
virtq_intr_enable(struct pv_virtq *vq, unsigned int n)
{
	if (n > virtq_inflight(vq))
		n = virtq_inflight(vq);
	if (n == 0)
		n = 1;
	return virtq_is_packed(vq) ? packed_intr_enable(vq, n) :
	    split_intr_enable(vq, n);
}

void
pv_virtq_intr_disable(struct pv_virtq *vq)
{
	if (virtq_is_packed(vq))
		packed_intr_disable(vq);
	else
		split_intr_disable(vq);
}

int
pv_virtq_intr_enable(struct pv_virtq *vq)
{
	return virtq_intr_enable(vq, 1);
}

int
pv_virtq_intr_delay(struct pv_virtq *vq, unsigned int n)
{
	return virtq_intr_enable(vq, n);
}

/*
 * More of what is outstanding than three quarters is never waited for: the
 * device would have nothing to do until we are there.
 */
int
pv_virtq_moderate(struct pv_virtq *vq, unsigned int most)
{
	uint32_t used = (uint32_t)(vq->vq_counters.qc_used + vq->vq_nused);
	uint32_t have = pv_virtq_outstanding(vq);
	uint32_t delay = vq->vq_delay;

	delay = used - vq->vq_delayed < delay ? 1 : delay + delay / 2 + 1;
	if (delay > have - have / 4)
		delay = have - have / 4;
	if (delay > most)
		delay = most;
	vq->vq_delay = delay;
	vq->vq_delayed = used;
	return virtq_intr_enable(vq, delay);
}

/* Whether the device has nothing of it any more. */
static bool
virtq_is_quiet(const struct pv_virtq *vq)
{
	return !virtio_is_started(vq->vq_dev) ||
	    (vq->vq_flags & VQ_STOPPED) != 0;
}

/* And nothing of the caller's is left in it. */
static bool
virtq_is_empty(const struct pv_virtq *vq)
{
	return virtq_is_quiet(vq) && !vq->vq_dev->vd_lost &&
	    pv_virtq_outstanding(vq) == 0;
}

static void
virtq_ring_again(struct pv_virtq *vq)
{
	pv_barrier_check(virtq_outer(vq));
	if (!(virtq_is_packed(vq) ? packed_awaited(vq) : split_awaited(vq)))
		return;
	vq->vq_again = true;
	count_add(&vq->vq_counters.qc_again, 1);
	virtq_notify(vq);
}

uint64_t
pv_virtq_stalled_ns(struct pv_virtq *vq)
{
	uint64_t now;

	if (virtq_is_quiet(vq) || virtq_inflight(vq) == 0 ||
	    pv_virtq_pending(vq)) {
		vq->vq_stalled_ns = 0;
		return 0;
	}
	now = pv_kern_uptime_ns();
	if (vq->vq_nused != vq->vq_stalled_used || vq->vq_stalled_ns == 0) {
		vq->vq_stalled_used = vq->vq_nused;
		vq->vq_stalled_ns = now;
		vq->vq_again = false;
	}
	now -= vq->vq_stalled_ns;
	if (now >= PV_VIRTQ_AGAIN_NS && !vq->vq_again)
		virtq_ring_again(vq);
	return now;
}

static int
publish_none(struct pv_virtq *vq)
{
	(void)vq;
	return 0;
}

static int
take_none(struct pv_virtq *vq, struct pv_used *us)
{
	(void)vq;
	(void)us;
	return EAGAIN;
}

static int
dequeue_none(struct pv_virtq *vq, struct pv_used *us, unsigned int n,
    unsigned int *taken)
{
	(void)vq;
	(void)us;
	(void)n;
	*taken = 0;
	return EAGAIN;
}

static const struct virtq_ways shut_ways = {
	virtq_enqueue_chain, virtq_run_none, publish_none, take_none,
	dequeue_none
};

/* Nothing goes in any more, and nothing comes out but by drain. */
static void
virtq_shut(struct pv_virtq *vq)
{
	vq->vq_flags |= VQ_STOPPED;
	vq->vq_ways = &shut_ways;
	vq->vq_room = 0;
	vq->vq_batch = 0;
	vq->vq_used_seen = (uint16_t)virtq_used_idx(vq);
}

int
pv_virtq_reset(struct pv_virtq *vq)
{
	struct pv_virtio *dev = vq->vq_dev;
	int error;

	if (!pv_virtio_has(dev, PV_F_RING_RESET))
		return ENOTSUP;
	if (virtio_is_broken(dev))
		return EIO;
	if (virtq_is_quiet(vq))
		return EINVAL;
	error = dev->vd_ops->to_queue_reset(dev->vd_transport, vq->vq_index);
	if (error) {
		pv_virtio_break(dev, "a queue's reset was not confirmed");
		return error == ETIMEDOUT ? ETIMEDOUT : EIO;
	}
	virtq_shut(vq);
	return 0;
}

int
pv_virtq_resize(struct pv_virtq *vq, unsigned int size)
{
	struct pv_virtq was = *vq;
	unsigned int max;
	int error;

	if (!virtq_is_empty(vq))
		return EBUSY;
	max = virtq_device_max(vq->vq_dev, vq->vq_index);
	if (size > RING_MAXSIZE || max == 0 || max > RING_MAXSIZE)
		return EINVAL;
	error = virtq_alloc_memory(vq,
	    virtq_choose_size(vq->vq_dev, max, size));
	if (error) {
		*vq = was;
		return error;
	}
	if (was.vq_flags & VQ_STOPPED)
		virtq_shut(vq);
	virtq_free_memory(&was, false);
	return 0;
}

/* As new, in the memory that it has. */
static void
virtq_again(struct pv_virtq *vq)
{
	bus_size_t off = virtq_is_packed(vq) ? 0 : vq->vq_used_off;

	pv_dmamem_sync(&vq->vq_mem, off, vq->vq_mem.dm_size - off,
	    BUS_DMASYNC_POSTREAD | BUS_DMASYNC_POSTWRITE);
	virtq_renew(vq);
}

int
pv_virtq_reenable(struct pv_virtq *vq)
{
	struct pv_virtio *dev = vq->vq_dev;

	if (virtio_is_broken(dev))
		return EIO;
	if ((vq->vq_flags & VQ_STOPPED) == 0 || !virtq_is_empty(vq))
		return EBUSY;
	virtq_again(vq);
	if (virtio_enable_queue(vq) == 0)
		return 0;
	virtq_shut(vq);
	return EIO;
}

/* How many chains were enqueued since that one. */
static uint32_t
virtq_age(const struct pv_virtq *vq, unsigned int id)
{
	return vq->vq_posted - virtq_where(vq, id);
}

/* Put an id into the heap of those to be drained, where place i is free. */
static void
virtq_sift(struct pv_virtq *vq, unsigned int i, uint16_t id)
{
	uint16_t *ids = vq->vq_ids;
	unsigned int child, n = vq->vq_todrain;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n &&
		    virtq_age(vq, ids[child + 1]) > virtq_age(vq, ids[child]))
			child++;
		if (virtq_age(vq, ids[child]) <= virtq_age(vq, id))
			break;
		ids[i] = ids[child];
	}
	ids[i] = id;
}

/* The ring is quiet: no place in it needs an id. */
static void
virtq_begin_drain(struct pv_virtq *vq)
{
	unsigned int i, n = 0;

	for (i = 0; i < virtq_size(vq); i++)
		if (virtq_is_held(vq, i)) {
			vq->vq_entries[i].qe_where = virtq_where(vq, i);
			vq->vq_ids[n++] = (uint16_t)i;
		}
	vq->vq_flags &= (uint16_t)~VQ_IN_PLACE;
	vq->vq_todrain = n;
	while (n-- > 0)
		virtq_sift(vq, n, vq->vq_ids[n]);
	vq->vq_draining = true;
	/* What the device was never shown was never enqueued. */
	count_add(&vq->vq_counters.qc_enqueued,
	    0ul - (vq->vq_posted - vq->vq_published));
	virtq_published(vq, vq->vq_posted);
}

void *
pv_virtq_drain(struct pv_virtq *vq)
{
	unsigned int id;

	if (!virtq_is_quiet(vq))
		return NULL;
	vq->vq_lost |= vq->vq_dev->vd_lost;
	if (!vq->vq_draining)
		virtq_begin_drain(vq);
	if (vq->vq_todrain == 0)
		return NULL;
	id = vq->vq_ids[0];
	vq->vq_todrain--;
	virtq_sift(vq, 0, vq->vq_ids[vq->vq_todrain]);
	if (vq->vq_lost)
		virtq_saved(vq, id)->qs_flags = QE_HELD;
	virtq_forget(vq, id, virtq_inlen(vq, id));
	count_add(&vq->vq_counters.qc_used, 0ul - 1);
	count_add(&vq->vq_nused, 1);	/* none outstanding at last */
	return vq->vq_entries[id].qe_cookie;
}

int
pv_virtq_lost(const struct pv_virtq *vq)
{
	return vq->vq_lost;
}

int
pv_virtq_restart(struct pv_virtq *vq)
{
	struct pv_virtio *dev = vq->vq_dev;

	if (virtio_is_started(dev) || !virtq_is_empty(vq))
		return EBUSY;
	if (virtq_device_max(dev, vq->vq_index) < virtq_size(vq))
		return EINVAL;
	if (virtq_is_packed(vq) != pv_virtio_has(dev, PV_F_RING_PACKED))
		return pv_virtq_resize(vq, virtq_size(vq));
	virtq_free_tables(vq);
	virtq_alloc_tables(vq);
	virtq_again(vq);
	return 0;
}

unsigned int
pv_virtq_index(const struct pv_virtq *vq)
{
	return vq->vq_index;
}

unsigned int
pv_virtq_size(const struct pv_virtq *vq)
{
	return virtq_size(vq);
}

unsigned int
pv_virtq_room(const struct pv_virtq *vq)
{
	return virtq_room(vq);
}

unsigned int
pv_virtq_outstanding(const struct pv_virtq *vq)
{
	return vq->vq_posted - virtq_used_idx(vq);
}

const char *
pv_virtq_name(const struct pv_virtq *vq)
{
	return vq->vq_name;
}

/* Each was used, or is outstanding; these are few. */
void
pv_virtq_counters(const struct pv_virtq *vq, struct pv_virtq_counters *qc)
{
	const struct pv_virtq_counters *before = &vq->vq_counters;
	unsigned long used = count_read(&vq->vq_nused);
	uint32_t published = __atomic_load_n(&vq->vq_published,
	    __ATOMIC_RELAXED);
	int32_t inflight = (int32_t)(published - (uint32_t)used);

	qc->qc_enqueued = count_read(&before->qc_enqueued) + used +
	    (unsigned long)inflight;
	qc->qc_used = count_read(&before->qc_used) + used;
	qc->qc_doorbells = count_read(&before->qc_doorbells);
	qc->qc_interrupts = count_read(&before->qc_interrupts);
	qc->qc_clamped = count_read(&before->qc_clamped);
	qc->qc_full = count_read(&before->qc_full);
	qc->qc_again = count_read(&before->qc_again);
}
