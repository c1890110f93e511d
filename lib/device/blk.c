/* SPDX-License-Identifier: ISC */
/* Block (Device Types / Block Device): the driver's life and its queues. */
#include "blk_var.h"

#define BLK_QUEUE_MAX		128	/* entries, if the port does not say */
#define LINES(nparts)		((nparts) / 8 + 2)	/* of status bytes */

/* Queues */

static void
queue_free_parts(struct pv_blk_queue *bq, bool lost)
{
	if (bq->bq_lost && !lost)
		pv_dmamem_sync(&bq->bq_mem, 0, bq->bq_mem.dm_size,
		    BUS_DMASYNC_POSTWRITE);
	bq->bq_lost = 0;
	pv_dmamem_release(&bq->bq_mem, lost);
	pv_kern_free(bq->bq_parts, bq->bq_nparts * sizeof(*bq->bq_parts));
	pv_kern_free(bq->bq_pieces, (bq->bq_segs + 2) * sizeof(*bq->bq_pieces));
	pv_kern_free(bq->bq_lineuse, bq->bq_nlines);
	bq->bq_parts = bq->bq_free = NULL;
	bq->bq_pieces = NULL;
	bq->bq_lineuse = NULL;
	bq->bq_nparts = bq->bq_nlines = 0;
}

/* As many parts as the ring has entries. */
static int
queue_alloc_parts(struct pv_blk_queue *bq)
{
	unsigned int n = pv_virtq_size(bq->bq_vq);

	bq->bq_nparts = n;
	bq->bq_nlines = LINES(n);
	bq->bq_ranges = n * BLK_HDRLEN;
	bq->bq_statuses = DMA_LINES(bq->bq_ranges + n * BLK_RANGELEN);
	bq->bq_parts = pv_kern_alloc(n * sizeof(*bq->bq_parts));
	bq->bq_pieces = pv_kern_alloc((bq->bq_segs + 2) *
	    sizeof(*bq->bq_pieces));
	bq->bq_lineuse = pv_kern_alloc(bq->bq_nlines);
	if (bq->bq_parts == NULL || bq->bq_pieces == NULL ||
	    bq->bq_lineuse == NULL)
		return ENOMEM;
	return pv_dmamem_alloc(&bq->bq_mem, bq->bq_sc->sc_dev->vd_dmat,
	    bq->bq_statuses + bq->bq_nlines * DMA_LINE, DMA_LINE, 1, 0, 0);
}

static void
queue_free(struct pv_blk_queue *bq, bool lost)
{
	pv_dev_queue_drain(bq->bq_sc->sc_dev, bq->bq_vq);
	pv_dev_queue_free(&bq->bq_vq);
	queue_free_parts(bq, lost);
}

static int
queue_alloc(struct pv_blk_queue *bq, unsigned int segs)
{
	const struct pv_blk_params *bp = &bq->bq_sc->sc_params;
	const struct pv_virtq_params params = {
		.vp_name = "request",
		.vp_size = bp->bp_size != 0 ? bp->bp_size : BLK_QUEUE_MAX,
		.vp_maxpieces = segs + 2,
		.vp_maxsegs = segs + 2,
		.vp_policy = PV_VIRTQ_DOUBT,
		.vp_intr = blk_ready,
		.vp_arg = bq,
	};
	int error;

	if (bq->bq_segs != segs)
		queue_free(bq, false);
	bq->bq_segs = segs;
	error = pv_dev_queue(bq->bq_sc->sc_dev, bq->bq_index, &params,
	    &bq->bq_vq);
	if (error)
		return error;
	if (bq->bq_nparts != pv_virtq_size(bq->bq_vq) || bq->bq_lost) {
		queue_free_parts(bq, false);
		error = queue_alloc_parts(bq);
		if (error) {
			queue_free_parts(bq, false);
			return error;
		}
	}
	blk_parts_reset(bq);
	return 0;
}

static void
blk_free_queues(struct pv_blk *sc, bool lost)
{
	unsigned int i;

	for (i = 0; i < sc->sc_nqueues; i++)
		queue_free(&sc->sc_queues[i], lost);
	pv_kern_free(sc->sc_queues, sc->sc_nqueues * sizeof(*sc->sc_queues));
	sc->sc_queues = NULL;
	sc->sc_nqueues = 0;
	sc->sc_info.bi_nqueues = 0;
}

static unsigned int
blk_queues_wanted(const struct pv_blk *sc)
{
	unsigned int n = sc->sc_params.bp_nqueues;

	if (n == 0 || !blk_has(sc, PV_BLK_F_MQ))
		return 1;
	if (n > sc->sc_limits.bl_num_queues)
		n = sc->sc_limits.bl_num_queues;
	return n < PV_MAXQUEUES ? n : PV_MAXQUEUES;
}

/* The array of queues, each without anything yet if their number is another. */
static int
blk_alloc_array(struct pv_blk *sc, unsigned int n)
{
	unsigned int i;

	if (n == sc->sc_nqueues)
		return 0;
	blk_free_queues(sc, false);
	sc->sc_queues = pv_kern_alloc(n * sizeof(*sc->sc_queues));
	if (sc->sc_queues == NULL)
		return ENOMEM;
	sc->sc_nqueues = n;
	for (i = 0; i < n; i++) {
		sc->sc_queues[i].bq_sc = sc;
		sc->sc_queues[i].bq_index = i;
	}
	return 0;
}

/* Fewer queues than were promised, or shorter ones, are made do with. */
static int
blk_alloc_queues(struct pv_blk *sc)
{
	struct pv_blk_info *bi = &sc->sc_info;
	unsigned int i, size;
	int error;

	error = blk_alloc_array(sc, blk_queues_wanted(sc));
	if (error)
		return error;
	bi->bi_size = UINT32_MAX;
	for (i = 0; i < sc->sc_nqueues; i++) {
		error = queue_alloc(&sc->sc_queues[i], bi->bi_maxsegs);
		if (error == ENXIO && i > 0)
			break;
		if (error)
			return error;
		size = pv_virtq_size(sc->sc_queues[i].bq_vq);
		if (size < 3)
			return ENOTSUP;
		if (bi->bi_size > size)
			bi->bi_size = size;
	}
	bi->bi_nqueues = i;
	/* A chain is no longer than its queue. */
	if (bi->bi_maxsegs > bi->bi_size - 2)
		bi->bi_maxsegs = bi->bi_size - 2;
	return 0;
}

/* Life */

static int
blk_drained(const struct pv_blk *sc)
{
	unsigned int i;

	for (i = 0; i < sc->sc_nqueues; i++)
		if (sc->sc_queues[i].bq_requests > 0)
			return 0;
	return 1;
}

int
pv_blk_start(struct pv_blk *sc)
{
	int error;

	if (sc->sc_running || !blk_drained(sc))
		return EBUSY;
	if (sc->sc_dev->vd_lost)
		return EIO;
	pv_virtio_deny(sc->sc_dev,
	    sc->sc_dev->vd_denied | sc->sc_params.bp_deny);
	error = pv_virtio_negotiate(sc->sc_dev, &blk_features, sc);
	if (error)
		return error;
	blk_set_info(sc);
	error = blk_read_live(sc);
	error = error < 0 ? -error : 0;
	if (error == 0)
		error = blk_alloc_queues(sc);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error) {
		pv_blk_stop(sc);
		pv_virtio_fail(sc->sc_dev);
		return error;
	}
	sc->sc_running = 1;
	/* Where that fails bi_volatile tells. */
	if (sc->sc_toggled && sc->sc_info.bi_can_toggle)
		pv_blk_set_writeback(sc, sc->sc_writeback);
	return 0;
}

int
pv_blk_attach(struct pv_blk *sc, struct pv_virtio *dev,
    const struct pv_blk_callbacks *cb, void *arg,
    const struct pv_blk_params *params)
{
	int error;

	memset(sc, 0, sizeof(*sc));
	sc->sc_dev = dev;
	sc->sc_arg = arg;
	if (cb != NULL)
		sc->sc_cb = *cb;
	if (params != NULL)
		sc->sc_params = *params;
	pv_dev_set_callbacks(dev, sc->sc_cb.bc_broken, sc->sc_cb.bc_changed,
	    arg);
	error = pv_blk_start(sc);
	if (error) {
		pv_blk_detach(sc);
		pv_virtio_fail(dev);
	}
	return error;
}

int
pv_blk_stop(struct pv_blk *sc)
{
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	return error;
}

int
pv_blk_detach(struct pv_blk *sc)
{
	int error;

	error = pv_blk_stop(sc);
	blk_free_queues(sc, error != 0);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	return error;
}

const struct pv_blk_info *
pv_blk_info(const struct pv_blk *sc)
{
	return &sc->sc_info;
}

int
pv_blk_counters(const struct pv_blk *sc, unsigned int queue,
    struct pv_blk_counters *bc)
{
	const struct pv_blk_queue *bq = blk_queue(sc, queue);

	memset(bc, 0, sizeof(*bc));
	if (bq == NULL)
		return EINVAL;
	bc->bc_requests = count_read(&bq->bq_counters.bc_requests);
	bc->bc_parts = count_read(&bq->bq_counters.bc_parts);
	bc->bc_read_bytes = count_read(&bq->bq_counters.bc_read_bytes);
	bc->bc_written_bytes = count_read(&bq->bq_counters.bc_written_bytes);
	bc->bc_flushes = count_read(&bq->bq_counters.bc_flushes);
	bc->bc_errors = count_read(&bq->bq_counters.bc_errors);
	bc->bc_silent = count_read(&bq->bq_counters.bc_silent);
	bc->bc_short = count_read(&bq->bq_counters.bc_short);
	return 0;
}

int
pv_blk_ring_counters(const struct pv_blk *sc, unsigned int queue,
    struct pv_virtq_counters *qc)
{
	const struct pv_blk_queue *bq = blk_queue(sc, queue);

	memset(qc, 0, sizeof(*qc));
	if (bq == NULL)
		return EINVAL;
	pv_virtq_counters(bq->bq_vq, qc);
	return 0;
}
