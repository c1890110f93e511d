/* SPDX-License-Identifier: ISC */
/*
 * Linux's virtqueues: drivers/virtio/virtio_ring.c of the distribution's source
 * package, compiled in user space upon the headers that the package has for that
 * (tools/virtio). As a driver there that polls: callbacks are disabled, a batch
 * is added and kicked once. The scatterlist is made once, and no DMA API stands
 * between: less than in a kernel.
 */
#include <stdlib.h>

#include <linux/virtio.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_config.h>

#include "ring.h"

/* What the package's headers want to be defined; unused. */
void *__kmalloc_fake, *__kfree_ignore_start, *__kfree_ignore_end;

dma_addr_t virtqueue_get_desc_addr(struct virtqueue *);
dma_addr_t virtqueue_get_avail_addr(struct virtqueue *);
dma_addr_t virtqueue_get_used_addr(struct virtqueue *);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

static struct virtio_device vdev;
static struct virtqueue *queues[QUEUES_MAX];
static struct scatterlist *sg;
static const struct work *work;

/* Queues begin with a page, and are zeroed, as they are in a kernel. */
void *
__wrap_malloc(size_t size)
{
	void *p;

	if (size < 4096)
		return __real_malloc(size);
	size = (size + 4095) & ~(size_t)4095;
	p = aligned_alloc(4096, size);
	return p != NULL ? memset(p, 0, size) : NULL;
}

static bool
notify(struct virtqueue *vq)
{
	(void)vq;
	return true;
}

static void
make_buffer(void)
{
	char *data = __wrap_malloc(work->wk_segments * 4096);
	unsigned int i;

	sg = calloc(work->wk_segments, sizeof(*sg));
	sg_init_table(sg, work->wk_segments);
	for (i = 0; i < work->wk_segments; i++)
		sg_set_buf(&sg[i], data + i * 4096, BUFFER_LEN);
}

static const char *
make_queue(unsigned int i, struct ring *rg)
{
	struct virtqueue *vq;

	vq = vring_create_virtqueue(i, work->wk_size, 64, &vdev, true, false,
	    false, notify, NULL, "perf");
	if (vq == NULL)
		return "a queue can't be made";
	queues[i] = vq;
	rg->rg_size = work->wk_size;
	rg->rg_desc = (void *)(uintptr_t)virtqueue_get_desc_addr(vq);
	rg->rg_driver = (void *)(uintptr_t)virtqueue_get_avail_addr(vq);
	rg->rg_device = (void *)(uintptr_t)virtqueue_get_used_addr(vq);
	rg->rg_wrap = true;
	virtqueue_disable_cb(vq);
	if (work->wk_packed)
		*(uint32_t *)rg->rg_device = 1u << 16;	/* no doorbells */
	return NULL;
}

static const char *
linux_open(const struct work *wk, struct ring *rings)
{
	const char *why = NULL;
	unsigned int i;

	if (wk->wk_in_order)
		return "this Linux has no IN_ORDER";
	work = wk;
	vdev.features = 1ULL << VIRTIO_F_VERSION_1 |
	    1ULL << VIRTIO_RING_F_EVENT_IDX |
	    1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	if (wk->wk_packed)
		vdev.features |= 1ULL << VIRTIO_F_RING_PACKED;
	INIT_LIST_HEAD(&vdev.vqs);
	spin_lock_init(&vdev.vqs_list_lock);
	make_buffer();
	for (i = 0; why == NULL && i < wk->wk_queues; i++)
		why = make_queue(i, &rings[i]);
	return why;
}

static unsigned int
linux_put(unsigned int queue, unsigned int n)
{
	struct virtqueue *vq = queues[queue];
	unsigned int i;
	int error;

	for (i = 0; i < n; i++) {
		error = work->wk_in ?
		    virtqueue_add_inbuf(vq, sg, work->wk_segments, sg, 0) :
		    virtqueue_add_outbuf(vq, sg, work->wk_segments, sg, 0);
		if (error)
			break;
	}
	virtqueue_kick(vq);
	return i;
}

static unsigned int
linux_get(unsigned int queue, unsigned int n)
{
	struct virtqueue *vq = queues[queue];
	unsigned int i, len;

	for (i = 0; i < n; i++)
		if (virtqueue_get_buf(vq, &len) == NULL)
			break;
	return i;
}

int
main(int argc, char **argv)
{
	static const struct driver linux_driver = {
		.dr_name = "Linux",
		.dr_open = linux_open,
		.dr_put = linux_put,
		.dr_get = linux_get
	};

	return ring_main(argc, argv, &linux_driver);
}
