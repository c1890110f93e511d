/* SPDX-License-Identifier: ISC */
/*
 * What the sources of the core share about a device.
 */
#ifndef CORE_VIRTIO_VAR_H
#define CORE_VIRTIO_VAR_H

#include <paravane/virtio.h>

#define STATUS_GONE	0xff	/* what a device that was removed reads as */

static inline bool
virtio_is_broken(const struct pv_virtio *dev)
{
	return __atomic_load_n(&dev->vd_broken, __ATOMIC_RELAXED) != 0;
}

static inline bool
virtio_is_started(const struct pv_virtio *dev)
{
	return __atomic_load_n(&dev->vd_started, __ATOMIC_ACQUIRE) != 0;
}

static inline bool
virtio_is_legacy(const struct pv_virtio *dev)
{
	return (dev->vd_ops->to_properties(dev->vd_transport) &
	    PV_TRANSPORT_LEGACY) != 0;
}

/*
 * Write 0, await 0: at most a second. ETIMEDOUT; EIO gone; either sets vd_lost.
 * Success clears it, and the latch.
 */
int virtio_reset(struct pv_virtio *);

/* Where the queue of an index stands; all that are far share a place. */
static inline struct pv_virtq **
virtio_queue_at(struct pv_virtio *dev, unsigned int index)
{
	return &dev->vd_queues[index < PV_MAXQUEUES ? index : PV_MAXQUEUES];
}

/* Tell the device where a queue is, and have it use it; logs what fails. */
int virtio_enable_queue(struct pv_virtq *);

/* Status bits added to those that are set. */
void virtio_status_add(struct pv_virtio *, uint8_t);

/* Whether one more message of this device's provoking may be logged now. */
bool virtio_may_log(struct pv_virtio *);

#define virtio_log(dev, level, ...) do {				\
	if (virtio_may_log(dev))					\
		pv_kern_log((level), (dev)->vd_name, __VA_ARGS__);	\
} while (0)

#endif
