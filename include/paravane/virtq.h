/* SPDX-License-Identifier: ISC */
/*
 * virtq.h - virtqueues, for drivers
 *
 * A queue takes chains of buffers that the caller has loaded with bus_dma(9),
 * and gives each chain's cookie back when the device has used it. What kind of
 * ring carries them is the queue's own affair.
 *
 *	pv_virtq_enqueue	sync PRE, fill descriptors; the device does not
 *				see them yet
 *	pv_virtq_publish	all that was enqueued becomes the device's, with
 *				one doorbell if it wants one
 *	pv_virtq_dequeue	one used chain: validated, sync POST
 *
 * Everything that the driver must remember is kept in memory that the device
 * can't write: of the shared rings only the used side is read, each field once.
 * A used id that is out of range or not outstanding, an index that advances by
 * more than is outstanding, a length against the queue's policy: each breaks
 * the device (pv_virtio_break), and the call returns EIO.
 *
 * No function here allocates, but alloc, resize and restart. A queue has one
 * owner: calls on it never run at the same time.
 */
#ifndef PARAVANE_VIRTQ_H
#define PARAVANE_VIRTQ_H

#include <paravane/virtio.h>

/* One piece of loaded memory: bytes off .. off + len of what map holds. */
struct pv_piece {
	bus_dmamap_t pc_map;
	bus_size_t pc_off;
	bus_size_t pc_len;	/* not 0 */
};

/* What to do with a used length above what was posted as writable. */
enum pv_virtq_policy {
	PV_VIRTQ_REFUSE,	/* the device is broken */
	PV_VIRTQ_CLAMP,		/* take what was posted, and count */
	PV_VIRTQ_DOUBT		/* likewise; and a short one proves nothing
				 * either: POSTREAD covers all posted bytes */
};

struct pv_virtq_params {
	const char *vp_name;		/* "rx"; a constant */
	unsigned int vp_size;		/* entries wanted; 0: what the device
					 * has, at most 1024 */
	unsigned int vp_maxpieces;	/* in one chain */
	unsigned int vp_maxsegs;	/* DMA segments in one chain */
	enum pv_virtq_policy vp_policy;
	/*
	 * The device used something; from interrupt context or pv_virtio_poll.
	 * It notes and returns. May be NULL.
	 */
	void (*vp_intr)(void *arg);
	void *vp_arg;
};

/* What pv_virtq_dequeue found. */
struct pv_used {
	void *us_cookie;
	uint32_t us_len;	/* bytes written by the device, at most what
				 * was posted */
};

/*
 * Counters that may be read beside who counts are words: where a long has 32
 * bits they go on from 0 after 2^32 - 1, and it is differences that tell.
 */
struct pv_virtq_counters {
	unsigned long qc_enqueued;	/* chains that the device was shown */
	unsigned long qc_used;
	unsigned long qc_doorbells;
	unsigned long qc_interrupts;	/* of vectors that may be shared too */
	unsigned long qc_clamped;	/* used lengths above what was posted */
	unsigned long qc_full;		/* enqueues refused: no room */
	unsigned long qc_again;		/* doorbells rung again: missed ones */
};

/*
 * pv_virtq_alloc - make the queue of index; after negotiation, before start
 *
 * The ring is packed where that was negotiated, and split otherwise. The size
 * is the largest that is neither above vp_size nor above what the device takes;
 * of a split ring the largest power of two. Errors: ENXIO the device has no
 * such queue; EINVAL its size is above what the ring allows (32768), params
 * make no sense, the index has a queue already (or another has, and both are
 * PV_MAXQUEUES or more), or the device is started;
 * ENOMEM. *vqp is the new queue, until pv_virtq_free. Context: thread. (Basic
 * Facilities of a Virtio Device / Virtqueues)
 */
int pv_virtq_alloc(struct pv_virtio *, unsigned int index,
    const struct pv_virtq_params *, struct pv_virtq **vqp);

/*
 * pv_virtq_free - give a queue's memory back
 *
 * Only after pv_virtio_stop. If that was not confirmed, the memory that the
 * device can reach stays allocated for ever (it is counted and logged). NULL is
 * allowed. Context: thread.
 */
void pv_virtq_free(struct pv_virtq *);

/*
 * pv_virtq_enqueue - add a chain: nout pieces that the device reads, then nin
 * that it writes
 *
 * All maps are loaded, and stay so until the cookie comes back. The pieces are
 * copied. cookie is not NULL. The memory of the pieces is the device's from
 * here on: PREWRITE and PREREAD are done here.
 *
 * Errors: ENOBUFS no room: publish, and try again when something was used;
 * EFBIG more pieces or segments than the queue was made for; EINVAL a piece is
 * outside its map, or empty; EIO broken. On error nothing has changed.
 * Context: any.
 */
int pv_virtq_enqueue(struct pv_virtq *, const struct pv_piece *,
    unsigned int nout, unsigned int nin, void *cookie);

/*
 * pv_virtq_enqueue_batch - add n chains of one piece each, cookies[i] with
 * pieces[i]: all that the device reads, or all that it writes (in is not 0)
 *
 * *taken is how many were added, from the first on; the error is about the next
 * one, and of the kinds of pv_virtq_enqueue. 0: all were. Context: any.
 */
int pv_virtq_enqueue_batch(struct pv_virtq *, const struct pv_piece *,
    void *const *cookies, unsigned int n, int in, unsigned int *taken);

/*
 * pv_virtq_publish - show the device all that was enqueued, and notify it if it
 * asked for that. Returns 1 if it was notified, 0 if not, without enqueued
 * chains does nothing. Context: any.
 */
int pv_virtq_publish(struct pv_virtq *);

/*
 * pv_virtq_dequeue - take the next used chain
 *
 * POSTREAD over what the device wrote and POSTWRITE over what it read are done;
 * with PV_VIRTQ_DOUBT over all that it could write.
 * Errors: EAGAIN there is none; EIO broken. Context: any.
 */
int pv_virtq_dequeue(struct pv_virtq *, struct pv_used *);

/*
 * pv_virtq_dequeue_batch - take up to n used chains
 *
 * *taken is how many were, and not 0 without an error, which are those of
 * pv_virtq_dequeue: a violation behind good chains is told by the next call.
 * Context: any.
 */
int pv_virtq_dequeue_batch(struct pv_virtq *, struct pv_used *, unsigned int n,
    unsigned int *taken);

/*
 * pv_virtq_pending - whether pv_virtq_dequeue would find something (or the
 * device is broken). Context: any.
 */
int pv_virtq_pending(struct pv_virtq *);

/*
 * pv_virtq_stalled_ns - for how long the device has used nothing of what it has
 *
 * For a watchdog, which calls this every now and then: the time since the first
 * of successive calls that found a chain with the device and none used in
 * between; 0 if it has none, or some were. Costs nothing on the way of data.
 *
 * Doorbells are missed: a host that leaves out a barrier reads the old index
 * while we read that none is awaited. So where this lasts for PV_VIRTQ_AGAIN_NS
 * and the device awaits a doorbell for what it has, it is rung again, once in
 * each such time. Context: any.
 */
#define PV_VIRTQ_AGAIN_NS	10000000ULL

uint64_t pv_virtq_stalled_ns(struct pv_virtq *);

/*
 * pv_virtq_intr_disable - interrupts are not wanted; a hint, some may come
 * pv_virtq_intr_enable - wanted when something more is used. Returns nonzero if
 *	something already is: the caller drains again, no interrupt will tell.
 *	With EVENT_IDX this asks for one interrupt: a driver that drains enables
 *	again at the end, whether or not it disabled. At start it is enabled.
 * pv_virtq_intr_delay - as enable, but only after n more chains were used, at
 *	most what is outstanding. Without EVENT_IDX as enable.
 * pv_virtq_moderate - as delay, for as many chains as traffic lets one wait
 *	for, at most most. While each call finds that all which was waited for
 *	has come, the next delay is longer by half; when less has come (a poll
 *	or a timer was first) it is 1 again. No timer stands behind it: who must
 *	not miss the chains of a flow that pauses polls now and then, as one
 *	does for lost interrupts.
 * Context: any.
 */
void pv_virtq_intr_disable(struct pv_virtq *);
int pv_virtq_intr_enable(struct pv_virtq *);
int pv_virtq_intr_delay(struct pv_virtq *, unsigned int n);
int pv_virtq_moderate(struct pv_virtq *, unsigned int most);

/*
 * pv_virtq_reset - stop this queue alone, while the device goes on with others
 *
 * From here on the queue takes nothing (ENOBUFS), and nothing is used; what it
 * has is given back by pv_virtq_drain. pv_virtq_resize then may, and
 * pv_virtq_reenable does, bring it into use again, also at once.
 * Errors: ENOTSUP RING_RESET is not in use; EINVAL the device is not started,
 * or the queue is stopped; EIO the device is broken; ETIMEDOUT the device did
 * not confirm, and now is broken: it still has the buffers. Context: thread.
 * (Basic Facilities of a Virtio Device / Virtqueues / Virtqueue Reset)
 */
int pv_virtq_reset(struct pv_virtq *);

/*
 * pv_virtq_resize - another size for a queue that is stopped and drained,
 * chosen as by pv_virtq_alloc
 *
 * Allocates. Errors: EBUSY it is not stopped, or not drained; EINVAL the size
 * is no ring's; ENOMEM. On error it is as before. Context: thread.
 */
int pv_virtq_resize(struct pv_virtq *, unsigned int size);

/*
 * pv_virtq_reenable - after pv_virtq_reset and a complete drain: the queue is
 * empty and in use again. Errors: EBUSY it is not stopped, or not drained; EIO
 * the device is broken, or does not take the queue, which then stays stopped.
 * Context: thread.
 */
int pv_virtq_reenable(struct pv_virtq *);

/*
 * pv_virtq_drain - take back what the device has not used, one cookie a call
 *
 * After pv_virtio_stop, or pv_virtq_reset. Returns a cookie, or NULL when there
 * are no more; what was enqueued first comes first. If the reset was confirmed
 * POST syncs are done and the buffer is the caller's; if not (pv_virtq_lost)
 * the buffer must never be used or unmapped again. Context: thread.
 */
void *pv_virtq_drain(struct pv_virtq *);
int pv_virtq_lost(const struct pv_virtq *);

/*
 * pv_virtq_restart - after pv_virtio_stop, a complete drain and a new
 * negotiation: empty the queue for another start. Errors: EINVAL the device now
 * has it in a smaller size (free and allocate it instead); EBUSY something is
 * not drained, or the device is started, or lost; ENOMEM, where the ring is now
 * of the other kind. Context: thread.
 */
int pv_virtq_restart(struct pv_virtq *);

/*
 * The device's number of it; entries; chains that could be enqueued with one
 * piece each; outstanding.
 */
unsigned int pv_virtq_index(const struct pv_virtq *);
unsigned int pv_virtq_size(const struct pv_virtq *);
unsigned int pv_virtq_room(const struct pv_virtq *);
unsigned int pv_virtq_outstanding(const struct pv_virtq *);
const char *pv_virtq_name(const struct pv_virtq *);

/*
 * pv_virtq_counters - what was counted since pv_virtq_alloc
 *
 * Each is read whole; that they are of the same moment, nobody says. While a
 * queue is drained and taken into use again those of chains may be off.
 * Context: any, also beside the queue's owner; not beside pv_virtq_resize,
 * pv_virtq_restart and pv_virtq_free.
 */
void pv_virtq_counters(const struct pv_virtq *, struct pv_virtq_counters *);

#endif /* PARAVANE_VIRTQ_H */
