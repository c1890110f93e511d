/* SPDX-License-Identifier: ISC */
/* This project's virtqueues, by their public functions. */
#include <string.h>

#include <paravane/virtq.h>

#include "plain.h"
#include "ring.h"
#include "shmem.h"

#define CHAIN_MAX	1024u	/* segments: more than that hosts do not take */

static struct shmem memory;
static struct plain plain;
static struct ring *seen;		/* rings, by the device */
static struct pv_virtio device;
static struct pv_virtq *queues[QUEUES_MAX];
static struct pv_piece pieces[BATCH_MAX];
static void *cookies[BATCH_MAX];
static struct pv_used used[BATCH_MAX];
static unsigned int nout, nin;
static unsigned int chains;		/* of a buffer */

/* Where the device finds its rings. */
static void
enable(unsigned int queue, const struct pv_queue_place *qp)
{
	struct ring *rg = &seen[queue];

	rg->rg_size = qp->qp_size;
	rg->rg_desc = shmem_kva(&memory, qp->qp_desc, 1);
	rg->rg_driver = shmem_kva(&memory, qp->qp_driver, 1);
	rg->rg_device = shmem_kva(&memory, qp->qp_device, 1);
	rg->rg_wrap = true;
}

static void
make_device(const struct work *wk)
{
	plain.pl_offered = PV_F_BIT(PV_F_VERSION_1) |
	    PV_F_BIT(PV_F_EVENT_IDX) | PV_F_BIT(PV_F_INDIRECT_DESC);
	if (wk->wk_packed)
		plain.pl_offered |= PV_F_BIT(PV_F_RING_PACKED);
	if (wk->wk_in_order)
		plain.pl_offered |= PV_F_BIT(PV_F_IN_ORDER);
	plain.pl_nqueues = wk->wk_queues;
	plain.pl_queue_max = wk->wk_size;
	plain.pl_intr = PV_INTR_MODE_POLL;
	plain.pl_enable = enable;
}

/* Rings, tables and buffers, with room to spare. */
static size_t
memory_for(const struct work *wk)
{
	size_t rings = (size_t)wk->wk_queues * wk->wk_size * 64;
	size_t tables = wk->wk_segments == 1 ? 0 : (size_t)wk->wk_queues *
	    wk->wk_size * wk->wk_segments * 16;

	return (8u << 20) + rings + tables + tables / 8 +
	    (size_t)wk->wk_segments * BUFFER_LEN;
}

/*
 * All buffers lie in the same memory, of so many segments; each chain of one
 * has a map.
 */
static int
make_buffers(const struct work *wk)
{
	bus_size_t len;
	unsigned int i, segments;
	void *data;

	chains = (wk->wk_segments + CHAIN_MAX - 1) / CHAIN_MAX;
	segments = wk->wk_segments / chains;
	len = (bus_size_t)segments * BUFFER_LEN;
	nin = wk->wk_in ? 1 : 0;
	nout = 1 - nin;
	for (i = 0; i < BATCH_MAX; i++) {
		cookies[i] = &pieces[i];
		pieces[i] = pieces[i % chains];
		if (i >= chains)
			continue;
		pieces[i].pc_len = len;
		data = shmem_alloc(&memory, (size_t)len, 4096);
		if (data == NULL || bus_dmamap_create(&memory.sm_tag, len,
		    (int)segments, BUFFER_LEN, 0, 0, &pieces[i].pc_map) != 0 ||
		    bus_dmamap_load(&memory.sm_tag, pieces[i].pc_map, data,
		    len, NULL, 0) != 0)
			return ENOMEM;
	}
	return 0;
}

static const char *
make_queues(const struct work *wk)
{
	struct pv_virtq_params vp = {
		.vp_name = "perf", .vp_size = wk->wk_size, .vp_maxpieces = 1,
		.vp_maxsegs = wk->wk_segments < CHAIN_MAX ? wk->wk_segments :
		    CHAIN_MAX, .vp_policy = PV_VIRTQ_REFUSE
	};
	unsigned int i;

	for (i = 0; i < wk->wk_queues; i++) {
		if (pv_virtq_alloc(&device, i, &vp, &queues[i]) != 0)
			return "a queue can't be made";
		if (pv_virtq_size(queues[i]) != wk->wk_size)
			return "a queue has another size";
	}
	return NULL;
}

/* Polling; and the device asks for no doorbell. */
static void
quiet(const struct work *wk, struct ring *rg, struct pv_virtq *vq)
{
	pv_virtq_intr_disable(vq);
	if (wk->wk_packed)
		*(uint32_t *)rg->rg_device = 1u << 16;	/* disabled */
	/* split: avail_event stays where it was passed long ago */
}

static unsigned int
put_one(struct pv_virtq *vq)
{
	if (pv_virtq_enqueue(vq, pieces, nout, nin, cookies[0]) != 0)
		return 0;
	pv_virtq_publish(vq);
	return 1;
}

static unsigned int
ours_put(unsigned int queue, unsigned int n)
{
	struct pv_virtq *vq = queues[queue];
	unsigned int taken;

	if (n == 1)
		return put_one(vq);
	pv_virtq_enqueue_batch(vq, pieces, cookies, n, (int)nin, &taken);
	pv_virtq_publish(vq);
	return taken;
}

static unsigned int
ours_get(unsigned int queue, unsigned int n)
{
	unsigned int taken;

	if (n == 1)
		return pv_virtq_dequeue(queues[queue], used) == 0;
	pv_virtq_dequeue_batch(queues[queue], used, n, &taken);
	return taken;
}

/* Where a buffer is several chains. */
static unsigned int
ours_put_chains(unsigned int queue, unsigned int n)
{
	return ours_put(queue, n * chains) / chains;
}

static unsigned int
ours_get_chains(unsigned int queue, unsigned int n)
{
	return ours_get(queue, n * chains) / chains;
}

static const char *ours_open(const struct work *, struct ring *);

static struct driver ours = {
	.dr_name = "paravane",
	.dr_open = ours_open,
	.dr_put = ours_put,
	.dr_get = ours_get
};

static const char *
ours_open(const struct work *wk, struct ring *rings)
{
	static const struct pv_feature_table table;
	const char *why;
	unsigned int i;

	seen = rings;
	make_device(wk);
	if (shmem_init(&memory, 1, memory_for(wk)) != 0 || make_buffers(wk) != 0)
		return "no memory";
	if (pv_virtio_init(&device, &plain_transport, &plain,
	    PV_TYPE_ENTROPY, &memory.sm_tag, "perf0", NULL, NULL) != 0 ||
	    pv_virtio_negotiate(&device, &table, NULL) != 0)
		return "the device can't be had";
	if (wk->wk_packed && !pv_virtio_has(&device, PV_F_RING_PACKED))
		return "packed rings are not negotiated";
	if (wk->wk_in_order && !pv_virtio_has(&device, PV_F_IN_ORDER))
		return "in order is not negotiated";
	why = make_queues(wk);
	if (why == NULL && pv_virtio_start(&device) != 0)
		why = "the device does not start";
	if (chains > 1) {
		ours.dr_put = ours_put_chains;
		ours.dr_get = ours_get_chains;
	}
	for (i = 0; why == NULL && i < wk->wk_queues; i++) {
		quiet(wk, &rings[i], queues[i]);
		rings[i].rg_chains = chains;
	}
	return why;
}

int
main(int argc, char **argv)
{
	return ring_main(argc, argv, &ours);
}
