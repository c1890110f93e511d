/* SPDX-License-Identifier: ISC */
/*
 * Units on the library's block driver. A request takes a slot, which has what
 * the driver wants of it. The cache's memory is loaded once for each device;
 * other memory is loaded for its request, as much of it at a time as a slot's
 * map holds. Completions are taken by threads: an interrupt only wakes one.
 */
#include <paravane/blk.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmdline.h"
#include "cpu.h"
#include "disk_guest.h"
#include "diskvar.h"
#include "kmem.h"
#include "log.h"

#define SLOTS		64u
#define PIECES		(CACHE_RUN + 1)
#define MAP_SEGS	33
#define MAP_BYTES	(1u << 20)	/* of one load */
#define MAP_SURE	((MAP_SEGS - 1) * (uint64_t)PAGE_SIZE)

struct slot {
	struct pv_blk_request sl_br;	/* first: pv_blk gives it back */
	struct slot	*sl_next;
	struct disk_req	*sl_rq;
	bus_dmamap_t	sl_map;
	bool		sl_loaded;
	uint64_t	sl_at, sl_now;	/* bytes done, and under way */
	struct pv_piece	sl_piece;
	struct pv_piece	*sl_run;	/* PIECES of them, if it has such */
};

struct vblk {
	struct pv_blk	vb_blk;		/* first */
	const char	*vb_name;
	bus_dma_tag_t	vb_dmat;
	struct disk_unit *vb_unit;
	bus_dmamap_t	vb_cache;	/* the cache's memory */
	uint8_t		*vb_cache_base;
	struct slot	*vb_slots;
	struct slot	*vb_free, *vb_freerun;
	struct pv_piece	*vb_runs;
	struct pv_blk_request *vb_new[SLOTS];
	unsigned	vb_nnew;
	unsigned	vb_queue;	/* of what is in vb_new */
	volatile bool	vb_changed;
	bool		vb_quiet;	/* no interrupt was asked for */
	bool		vb_stopped;
};

const char *
vblk_disk(const struct vblk *vb)
{
	return vb->vb_unit->du_name;
}

/* Slots */

static struct slot *
slot_get(struct vblk *vb, bool run)
{
	struct slot **list = run ? &vb->vb_freerun : &vb->vb_free;
	struct slot *sl = *list;

	if (sl != NULL)
		*list = sl->sl_next;
	return sl;
}

static void
slot_unload(struct vblk *vb, struct slot *sl)
{
	if (sl->sl_loaded)
		bus_dmamap_unload(vb->vb_dmat, sl->sl_map);
	sl->sl_loaded = false;
}

static void
slot_put(struct vblk *vb, struct slot *sl)
{
	struct slot **list = sl->sl_run != NULL ? &vb->vb_freerun :
	    &vb->vb_free;

	slot_unload(vb, sl);
	sl->sl_rq = NULL;
	sl->sl_next = *list;
	*list = sl;
}

static void
slots_free(struct vblk *vb)
{
	unsigned i;

	for (i = 0; vb->vb_slots != NULL && i < SLOTS; i++)
		if (vb->vb_slots[i].sl_map != NULL)
			bus_dmamap_destroy(vb->vb_dmat, vb->vb_slots[i].sl_map);
	kfree(vb->vb_slots);
	kfree(vb->vb_runs);
	if (vb->vb_cache != NULL)
		bus_dmamap_destroy(vb->vb_dmat, vb->vb_cache);
}

static int
slots_alloc(struct vblk *vb)
{
	struct slot *sl;
	unsigned i;
	int error;

	vb->vb_slots = kzalloc(SLOTS * sizeof(*vb->vb_slots));
	vb->vb_runs = kmalloc(CACHE_IOS * PIECES * sizeof(*vb->vb_runs));
	if (vb->vb_slots == NULL || vb->vb_runs == NULL)
		return ENOMEM;
	for (i = 0; i < SLOTS; i++) {
		sl = &vb->vb_slots[i];
		if (i < CACHE_IOS)
			sl->sl_run = &vb->vb_runs[i * PIECES];
		else {
			error = bus_dmamap_create(vb->vb_dmat, MAP_BYTES,
			    MAP_SEGS, 0, 0, BUS_DMA_NOWAIT, &sl->sl_map);
			if (error != 0)
				return error;
		}
		slot_put(vb, sl);
	}
	return 0;
}

static int
cache_load(struct vblk *vb)
{
	size_t len;
	void *base;
	int error;

	cache_memory(&base, &len);
	vb->vb_cache_base = base;
	error = bus_dmamap_create(vb->vb_dmat, len, 8, 0, 0, BUS_DMA_NOWAIT,
	    &vb->vb_cache);
	if (error != 0)
		return error;
	return bus_dmamap_load(vb->vb_dmat, vb->vb_cache, base, len, NULL,
	    BUS_DMA_NOWAIT);
}

/* Requests */

static const uint8_t op_of[] = {
	[DISK_OP_READ] = PV_BLK_READ,
	[DISK_OP_WRITE] = PV_BLK_WRITE,
	[DISK_OP_FLUSH] = PV_BLK_FLUSH,
	[DISK_OP_DISCARD] = PV_BLK_DISCARD,
	[DISK_OP_ZERO] = PV_BLK_WRITE_ZEROES,
	[DISK_OP_ID] = PV_BLK_GETID,
};

static bool
has_data(const struct disk_req *rq)
{
	return rq->rq_op == DISK_OP_READ || rq->rq_op == DISK_OP_WRITE ||
	    rq->rq_op == DISK_OP_ID;
}

static void
pieces_cache(struct vblk *vb, struct slot *sl)
{
	uint64_t len;
	uint8_t *p;
	unsigned i;

	for (i = 0; i < PIECES; i++) {
		p = disk_req_part(sl->sl_rq, i, &len);
		if (p == NULL)
			break;
		sl->sl_run[i] = (struct pv_piece){ vb->vb_cache,
		    (bus_size_t)(p - vb->vb_cache_base), len };
	}
	sl->sl_br.br_pieces = sl->sl_run;
	sl->sl_br.br_npieces = i;
	sl->sl_now = sl->sl_rq->rq_len;
}

/* The next part of it, shorter if it lies in too many places. */
static int
pieces_load(struct vblk *vb, struct slot *sl)
{
	struct disk_req *rq = sl->sl_rq;
	uint64_t len = rq->rq_len - sl->sl_at;
	uint8_t *data = (uint8_t *)rq->rq_data + sl->sl_at;
	int error;

	if (len > MAP_BYTES)
		len = MAP_BYTES;
	error = bus_dmamap_load(vb->vb_dmat, sl->sl_map, data, len, NULL,
	    BUS_DMA_NOWAIT);
	if (error == EFBIG && len > MAP_SURE) {
		len = MAP_SURE;
		error = bus_dmamap_load(vb->vb_dmat, sl->sl_map, data, len,
		    NULL, BUS_DMA_NOWAIT);
	}
	if (error != 0)
		return error;
	sl->sl_loaded = true;
	sl->sl_piece = (struct pv_piece){ sl->sl_map, 0, len };
	sl->sl_br.br_pieces = &sl->sl_piece;
	sl->sl_br.br_npieces = 1;
	sl->sl_now = len;
	return 0;
}

static int
prepare(struct vblk *vb, struct slot *sl)
{
	struct disk_req *rq = sl->sl_rq;
	int error = 0;

	sl->sl_br.br_op = op_of[rq->rq_op];
	sl->sl_br.br_flags = rq->rq_op == DISK_OP_ZERO ? PV_BLK_UNMAP : 0;
	sl->sl_br.br_pieces = NULL;
	sl->sl_br.br_npieces = 0;
	sl->sl_now = rq->rq_len;
	if (rq->rq_blocks != NULL)
		pieces_cache(vb, sl);
	else if (has_data(rq))
		error = pieces_load(vb, sl);
	sl->sl_br.br_offset = rq->rq_pos + sl->sl_at;
	sl->sl_br.br_len = sl->sl_now;
	return error;
}

static void	finish(struct vblk *, struct slot *, int);

/* Give the driver what was prepared, in one go. */
static void
publish(void *arg)
{
	struct vblk *vb = arg;
	unsigned n = vb->vb_nnew, done = 0, accepted;
	int error;

	vb->vb_nnew = 0;
	while (done < n) {
		error = pv_blk_submit(&vb->vb_blk, vb->vb_queue,
		    vb->vb_new + done, n - done, &accepted);
		done += accepted;
		if (error == 0)
			break;
		/* What it can't take now comes again after the reset. */
		if (error == EIO || error == ENXIO) {
			vb->vb_unit->du_broken = true;
			break;
		}
		finish(vb, (struct slot *)vb->vb_new[done++], error);
	}
}

/* A queue a CPU, if the device has so many. */
static unsigned
queue_of(const struct vblk *vb, const struct disk_req *rq)
{
	unsigned n = pv_blk_info(&vb->vb_blk)->bi_nqueues;

	return (rq->rq_queue != 0 ? rq->rq_queue - 1 : cpu_id()) % n;
}

static void
send(struct vblk *vb, struct slot *sl)
{
	unsigned queue = queue_of(vb, sl->sl_rq);

	if (vb->vb_nnew != 0 && (queue != vb->vb_queue ||
	    vb->vb_nnew == SLOTS))
		publish(vb);
	vb->vb_queue = queue;
	vb->vb_new[vb->vb_nnew++] = &sl->sl_br;
}

static int
start(void *arg, struct disk_req *rq)
{
	struct vblk *vb = arg;
	struct slot *sl = slot_get(vb, rq->rq_blocks != NULL);
	int error;

	if (sl == NULL)
		return EAGAIN;
	memset(&sl->sl_br, 0, sizeof(sl->sl_br));
	sl->sl_rq = rq;
	sl->sl_at = 0;
	error = prepare(vb, sl);
	if (error != 0) {
		slot_put(vb, sl);
		return error;
	}
	send(vb, sl);
	return 0;
}

/* Its end, or its next part. */
static void
finish(struct vblk *vb, struct slot *sl, int error)
{
	struct disk_req *rq = sl->sl_rq;

	slot_unload(vb, sl);
	sl->sl_at += sl->sl_now;
	if (error == 0 && has_data(rq) && sl->sl_at < rq->rq_len) {
		error = prepare(vb, sl);
		if (error == 0) {
			send(vb, sl);
			return;
		}
	}
	slot_put(vb, sl);
	unit_done(rq, error == ENOTSUP ? EOPNOTSUPP : error == 0 ? 0 : EIO);
}

static void
complete(struct vblk *vb, unsigned queue, bool quiet)
{
	struct pv_blk_request *done[16];
	unsigned n, i;
	int error;

	do {
		error = pv_blk_complete(&vb->vb_blk, queue, done, 16, &n);
		for (i = 0; i < n; i++)
			finish(vb, (struct slot *)done[i], done[i]->br_error);
		if (error == EIO || error == ENXIO) {
			vb->vb_unit->du_broken = true;
			return;
		}
	} while (n == 16 || (!quiet &&
	    pv_blk_intr(&vb->vb_blk, queue, 1) != 0));
	publish(vb);
}

static void	changed(struct vblk *);

static void
poll(void *arg, bool quiet)
{
	struct vblk *vb = arg;
	unsigned i;

	for (i = 0; i < pv_blk_info(&vb->vb_blk)->bi_nqueues; i++) {
		if (quiet == vb->vb_quiet &&
		    pv_blk_outstanding(&vb->vb_blk, i) == 0)
			continue;
		if (quiet)
			pv_blk_intr(&vb->vb_blk, i, 0);
		complete(vb, i, quiet);
	}
	vb->vb_quiet = quiet;
	if (vb->vb_changed)
		changed(vb);
}

static uint64_t
oldest(void *arg)
{
	struct vblk *vb = arg;
	uint64_t most = 0, ns;
	unsigned i;

	for (i = 0; i < pv_blk_info(&vb->vb_blk)->bi_nqueues; i++) {
		ns = pv_blk_oldest_ns(&vb->vb_blk, i);
		if (ns > most)
			most = ns;
	}
	return most;
}

/* Geometry */

static void
geometry(const struct vblk *vb, struct disk_geometry *dg)
{
	const struct pv_blk_info *bi = pv_blk_info(&vb->vb_blk);

	dg->dg_size = bi->bi_capacity;
	dg->dg_sector = bi->bi_block;
	dg->dg_optimal = bi->bi_opt_io > UINT32_MAX ? 0 :
	    (uint32_t)bi->bi_opt_io;
	dg->dg_readonly = bi->bi_readonly != 0;
	dg->dg_writeback = bi->bi_volatile != 0;
	dg->dg_discard_max = bi->bi_max_discard;
	dg->dg_discard_align = bi->bi_discard_align > UINT32_MAX ? 0 :
	    (uint32_t)bi->bi_discard_align;
	dg->dg_zero_max = bi->bi_max_zeroes;
}

static void
update(struct vblk *vb)
{
	struct disk_geometry dg = vb->vb_unit->du_geo;

	geometry(vb, &dg);
	disk_unit_changed(vb->vb_unit, &dg);
}

static void
changed(struct vblk *vb)
{
	vb->vb_changed = false;
	if (pv_blk_changed(&vb->vb_blk) > 0)
		update(vb);
}

/* Resets */

static int
stop(void *arg)
{
	struct vblk *vb = arg;
	struct pv_blk_request *br;
	int error;

	if (vb->vb_stopped)
		return 0;
	error = pv_blk_stop(&vb->vb_blk);
	/*
	 * Slots of requests that the device may still reach stay as they are.
	 */
	while ((br = pv_blk_drain(&vb->vb_blk)) != NULL)
		if (error == 0)
			slot_put(vb, (struct slot *)br);
	while (vb->vb_nnew > 0)
		slot_put(vb, (struct slot *)vb->vb_new[--vb->vb_nnew]);
	vb->vb_stopped = true;
	return error;
}

static int
reset(void *arg)
{
	struct vblk *vb = arg;
	uint32_t sector = vb->vb_unit->du_geo.dg_sector;
	int error;

	error = stop(vb);
	if (error != 0)
		return ETIMEDOUT;
	error = pv_blk_start(&vb->vb_blk);
	if (error != 0)
		return EIO;
	vb->vb_stopped = false;
	if (pv_blk_info(&vb->vb_blk)->bi_block != sector) {
		klog(LOG_ERR, "%s: came back with other sectors", vb->vb_name);
		return EIO;
	}
	if (pv_blk_info(&vb->vb_blk)->bi_capacity !=
	    vb->vb_unit->du_geo.dg_size)
		update(vb);
	return 0;
}

static void
stats(void *arg, struct disk_stats *ds)
{
	struct pv_virtq_counters qc;
	struct vblk *vb = arg;
	unsigned i;

	for (i = 0; i < pv_blk_info(&vb->vb_blk)->bi_nqueues; i++) {
		(void)pv_blk_ring_counters(&vb->vb_blk, i, &qc);
		ds->ds_doorbells += qc.qc_doorbells;
		ds->ds_interrupts += qc.qc_interrupts;
	}
}

static const struct disk_ops vblk_ops = {
	.do_start = start,
	.do_publish = publish,
	.do_poll = poll,
	.do_oldest = oldest,
	.do_reset = reset,
	.do_stop = stop,
	.do_stats = stats,
};

/* Any context */

static void
note_done(void *arg, unsigned queue)
{
	(void)arg;
	(void)queue;
	unit_kick();
}

static void
note_changed(void *arg)
{
	struct vblk *vb = arg;

	vb->vb_changed = true;
	unit_kick();
}

static void
note_broken(void *arg, const char *why)
{
	struct vblk *vb = arg;

	(void)why;
	if (vb->vb_unit != NULL)
		vb->vb_unit->du_broken = true;
	unit_kick();
}

/* Attach */

static int
driver_attach(struct vblk *vb, struct pv_virtio *dev)
{
	static const struct pv_blk_callbacks cb = {
		.bc_done = note_done,
		.bc_changed = note_changed,
		.bc_broken = note_broken,
	};
	struct pv_blk_params params = {
		.bp_nqueues = cpu_count(),
		.bp_size = SLOTS,	/* each of them is memory, of every */
		.bp_maxsegs = PIECES,	/* queue */
		.bp_deny = cmdline_get_number("diskdeny", 0),
	};
	int error;

	error = pv_blk_attach(&vb->vb_blk, dev, &cb, vb, &params);
	if (error != 0)
		return error;
	if (pv_blk_info(&vb->vb_blk)->bi_block > DISK_SECTOR_MAX) {
		klog(LOG_ERR, "%s: sectors of %u bytes are too large",
		    vb->vb_name, pv_blk_info(&vb->vb_blk)->bi_block);
		pv_blk_detach(&vb->vb_blk);
		return ENOTSUP;
	}
	return 0;
}

int
vblk_attach(struct pv_virtio *dev, const struct pv_bus_dma_tag *dmat,
    const char *name, struct vblk **vbp)
{
	struct vblk *vb = kzalloc(sizeof(*vb));
	struct disk_geometry dg;
	int error;

	if (vb == NULL || cache_init() != 0) {
		kfree(vb);
		return ENOMEM;
	}
	vb->vb_name = name;
	vb->vb_dmat = dmat;
	error = slots_alloc(vb);
	if (error == 0)
		error = cache_load(vb);
	if (error != 0)
		goto free;
	error = driver_attach(vb, dev);
	if (error != 0)
		goto free;
	memset(&dg, 0, sizeof(dg));
	geometry(vb, &dg);
	error = disk_unit_attach(&vblk_ops, vb, &dg, &vb->vb_unit);
	if (error != 0)
		goto detach;
	*vbp = vb;
	return 0;

detach:
	pv_blk_detach(&vb->vb_blk);
free:
	slots_free(vb);
	kfree(vb);
	return error;
}

int
vblk_detach(struct vblk *vb)
{
	int error = disk_unit_detach(vb->vb_unit), detached;

	vb->vb_unit = NULL;
	detached = pv_blk_detach(&vb->vb_blk);
	if (error == 0)
		error = detached;
	if (error != 0)
		return error;	/* what it can still reach stays */
	slots_free(vb);
	kfree(vb);
	return 0;
}
