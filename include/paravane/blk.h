/* SPDX-License-Identifier: ISC */
/*
 * blk.h - block devices (Device Types / Block Device)
 *
 * Everything here is in bytes: offsets, lengths, capacity, limits. The wire's
 * sectors of 512 bytes stay inside the driver. A request's offset and length
 * are multiples of bi_block.
 *
 * Requests. The caller owns struct pv_blk_request, gives it to pv_blk_submit
 * and gets that same pointer back, once, from pv_blk_complete or pv_blk_drain;
 * until then it and the pieces that it points to are the driver's. Its memory
 * may be scattered as it likes, and of any length: the driver cuts by what the
 * device takes (segments and their size, the queue's size, the longest
 * discard), sends the parts as there is room, and gives the request back when
 * all are done, with the first error. The data are loaded by the caller, and
 * never copied. There is no request for which there is no room: what does not
 * fit in the queue waits in it.
 *
 * Order. Requests on a queue are sent in the order of submission, but the
 * device serves them as it likes: two that overlap, and are in flight together,
 * have no order. PV_BLK_FLUSH makes one, see below.
 *
 * Queues. bi_nqueues of them, each with one owner: calls that name the same
 * queue never run at the same time, calls that name others may.
 *
 * Failure. When the device breaks (bc_broken) the port calls pv_blk_stop, then
 * pv_blk_drain until it gives NULL, and each request that was not completed
 * comes back with an error: whether the device carried it out is not known.
 * After pv_blk_start the port may submit it again, or fail it to whom it
 * belongs. How long a request may take is the port's to say: pv_blk_oldest_ns
 * tells, and pv_blk_stop ends it.
 */
#ifndef PARAVANE_BLK_H
#define PARAVANE_BLK_H

#include <paravane/virtq.h>

#define PV_BLK_MINBLOCK		512u
#define PV_BLK_MAXBLOCK		2097152u	/* more is not believed */
#define PV_BLK_IDLEN		20		/* of PV_BLK_GETID, no final 0
						 * if it is as long as that */
#define PV_BLK_LIFETIMELEN	6		/* of PV_BLK_GETLIFETIME */

/* Feature bits, as bit numbers (Block Device / Feature bits). */
#define PV_BLK_F_BARRIER	0	/* legacy */
#define PV_BLK_F_SIZE_MAX	1
#define PV_BLK_F_SEG_MAX	2
#define PV_BLK_F_GEOMETRY	4
#define PV_BLK_F_RO		5
#define PV_BLK_F_BLK_SIZE	6
#define PV_BLK_F_SCSI		7	/* legacy */
#define PV_BLK_F_FLUSH		9
#define PV_BLK_F_TOPOLOGY	10
#define PV_BLK_F_CONFIG_WCE	11
#define PV_BLK_F_MQ		12
#define PV_BLK_F_DISCARD	13
#define PV_BLK_F_WRITE_ZEROES	14
#define PV_BLK_F_LIFETIME	15
#define PV_BLK_F_SECURE_ERASE	16
#define PV_BLK_F_ZONED		17

/*
 * What the driver tells the port, each from interrupt context or from
 * pv_virtio_poll: note it and return. Any may be NULL.
 */
struct pv_blk_callbacks {
	/*
	 * pv_blk_complete has something on this queue. Also from pv_blk_submit,
	 * of a request that needed no device.
	 */
	void (*bc_done)(void *arg, unsigned int queue);
	void (*bc_changed)(void *arg);	/* call pv_blk_changed */
	void (*bc_broken)(void *arg, const char *why);	/* stop, then start */
};

struct pv_blk_params {
	unsigned int bp_nqueues;	/* wanted; 0: one. One a CPU is good */
	unsigned int bp_size;		/* ring entries of each; 0: up to 128 */
	unsigned int bp_maxsegs;	/* data segments in one part; 0: up to
					 * 64. Each costs 40 bytes of memory an
					 * entry */
	uint64_t bp_deny;		/* features to leave, as a mask */
};

/*
 * PV_BLK_READ, _WRITE	pieces hold br_len bytes, in the order of the disk
 * PV_BLK_FLUSH		done when all that was written is stable: all that was
 *			submitted before on this queue, and all whose completion
 *			was taken before, from any queue. It is sent once the
 *			writes before it on its queue are done; what comes after
 *			it on its queue waits until it is sent. Without
 *			PV_BLK_F_FLUSH nothing is sent: completed is stable.
 * PV_BLK_DISCARD	the contents of the range are of no more use; nothing is
 *			known of what is read there afterwards
 * PV_BLK_WRITE_ZEROES	the range reads as zeroes afterwards. With
 *			PV_BLK_UNMAP in br_flags the device may free its place
 * PV_BLK_SECURE_ERASE	discard, beyond recovery
 * PV_BLK_GETID		pieces hold PV_BLK_IDLEN bytes, for a name in ASCII; the
 *			caller has zeroed them. br_offset and br_len are not
 *			used
 * PV_BLK_GETLIFETIME	pieces hold PV_BLK_LIFETIMELEN bytes, for
 *			pv_blk_lifetime; likewise
 *
 * FLUSH, DISCARD, WRITE_ZEROES and SECURE_ERASE have no pieces.
 */
enum pv_blk_op {
	PV_BLK_READ,
	PV_BLK_WRITE,
	PV_BLK_FLUSH,
	PV_BLK_DISCARD,
	PV_BLK_WRITE_ZEROES,
	PV_BLK_SECURE_ERASE,
	PV_BLK_GETID,
	PV_BLK_GETLIFETIME
};

#define PV_BLK_UNMAP	0x01

/* Zeroed by the caller before its first use; then it may be used again. */
struct pv_blk_request {
	uint8_t br_op;			/* enum pv_blk_op */
	uint8_t br_flags;		/* PV_BLK_UNMAP */
	uint64_t br_offset;		/* bytes; a multiple of bi_block */
	uint64_t br_len;		/* bytes; likewise, not 0 */
	const struct pv_piece *br_pieces;
	unsigned int br_npieces;
	void *br_cookie;		/* the caller's own */

	/*
	 * When it is back: 0, or why not: EIO the device failed, or its answer
	 * was none, or it broke or was stopped meanwhile; ENOTSUP the device
	 * does not know the operation; EFBIG a block is scattered over more
	 * segments than the device takes in one part (parts before it may have
	 * been carried out).
	 */
	int br_error;

	/* private */
	struct pv_blk_request *br_next;
	uint64_t br_sent;		/* bytes, of br_len */
	unsigned int br_piece;		/* that goes next, from br_off on */
	bus_size_t br_off;
	unsigned int br_parts;		/* that the device has */
	uint8_t br_state;
};

/* What is known of the disk. Lengths in bytes. */
struct pv_blk_info {
	uint64_t bi_capacity;		/* whole blocks, at most 2^63 */
	uint32_t bi_block;		/* unit of requests: a power of two from
					 * PV_BLK_MINBLOCK on */
	uint32_t bi_physical;		/* block of the medium, at least that */
	uint32_t bi_aligned;		/* offset of the first such one */
	uint64_t bi_min_io;		/* good lengths: at least */
	uint64_t bi_opt_io;		/* best; 0: not said */
	unsigned int bi_nqueues;
	unsigned int bi_size;		/* parts that a queue takes at once */
	unsigned int bi_maxsegs;	/* of data, in one part */
	uint32_t bi_maxseg;		/* the longest segment; 0: no limit */
	uint64_t bi_max_discard;	/* in one part; 0: no discard */
	uint64_t bi_discard_align;	/* good alignment of discards */
	uint64_t bi_max_zeroes;		/* 0: there is no write zeroes */
	uint64_t bi_max_erase;		/* 0: there is no secure erase */
	uint64_t bi_erase_align;
	uint8_t bi_readonly;
	/*
	 * Completed writes need a flush. It is set wherever one can be sent,
	 * unless the port chose otherwise: hosts are known that cache while
	 * they say that they don't (QEMU's storage daemon).
	 */
	uint8_t bi_volatile;
	uint8_t bi_can_flush;		/* PV_BLK_FLUSH is more than nothing */
	uint8_t bi_can_toggle;		/* pv_blk_set_writeback works */
	uint8_t bi_may_unmap;		/* PV_BLK_UNMAP can free something */
	uint8_t bi_lifetime;		/* PV_BLK_GETLIFETIME works */
};

/* Words, as those of pv_virtq_counters. */
struct pv_blk_counters {
	unsigned long bc_requests;	/* completed */
	unsigned long bc_parts;		/* that the device was given for them */
	unsigned long bc_read_bytes, bc_written_bytes;
	unsigned long bc_flushes;	/* sent */
	unsigned long bc_errors;	/* requests completed with one */
	unsigned long bc_silent;	/* parts whose status was none: EIO */
	unsigned long bc_short;		/* parts that were said to be shorter
					 * than asked: the status counts, since
					 * hosts are known that always say 1, or
					 * 0 */
};

/* Configuration as the device has it; 0 where the feature is not offered. */
struct pv_blk_limits {
	uint32_t bl_size_max;
	uint32_t bl_seg_max;
	uint32_t bl_blk_size;
	uint8_t bl_physical_exp;
	uint8_t bl_alignment;
	uint16_t bl_min_io;
	uint32_t bl_opt_io;
	uint16_t bl_num_queues;
	uint32_t bl_discard_sectors, bl_discard_align;
	uint32_t bl_zeroes_sectors;
	uint32_t bl_erase_sectors, bl_erase_align;
};

struct pv_blk_queue;

/* The driver's state. The port allocates it; all members are private. */
struct pv_blk {
	struct pv_virtio *sc_dev;
	struct pv_blk_callbacks sc_cb;
	void *sc_arg;
	struct pv_blk_params sc_params;
	struct pv_blk_queue *sc_queues;
	unsigned int sc_nqueues;		/* allocated */
	struct pv_blk_info sc_info;
	struct pv_blk_limits sc_limits;		/* read before FEATURES_OK */
	uint8_t sc_toggled;			/* the port chose a mode: */
	uint8_t sc_writeback;
	uint8_t sc_cachemode;			/* as the device says */
	uint8_t sc_running;
};

/*
 * pv_blk_attach - take a device of type PV_TYPE_BLK into use
 *
 * dev		initialised, and this driver's until pv_blk_detach. The
 *		callbacks of pv_virtio_init are this driver's too: the port
 *		passes its own here and NULL there.
 * cb, arg	copied
 * params	copied; may be NULL
 *
 * Errors: those of pv_virtio_negotiate, pv_virtq_alloc and pv_virtio_start;
 * ERANGE the capacity is above 2^63 bytes; ENOTSUP a queue is too short to hold
 * a request. On error the device has FAILED set and nothing stays allocated.
 * Context: thread. (Block Device / Device Initialization)
 */
int pv_blk_attach(struct pv_blk *, struct pv_virtio *dev,
    const struct pv_blk_callbacks *cb, void *arg,
    const struct pv_blk_params *params);

/*
 * pv_blk_stop - reset the device; then drain
 *
 * The first of the two steps of a reset, also of detach. Returns 0, or
 * ETIMEDOUT if the reset was not confirmed: the requests still come back, but
 * the memory of those with pv_blk_lost must stay loaded, and not be used again,
 * for ever. Context: thread; no other call on this device at the same time.
 */
int pv_blk_stop(struct pv_blk *);

/*
 * pv_blk_drain - take back a request that was not completed, of any queue
 *
 * After pv_blk_stop, until NULL. br_error is EIO, or what it was already when
 * the request was done and only not yet taken. Each comes once. Context:
 * thread.
 */
struct pv_blk_request *pv_blk_drain(struct pv_blk *);

/*
 * pv_blk_lost - whether the device may still reach the memory of this drained
 * request. Context: thread.
 */
int pv_blk_lost(const struct pv_blk *, const struct pv_blk_request *);

/*
 * pv_blk_start - bring a stopped and drained device up again
 *
 * Negotiates anew: pv_blk_info may be another, down to the number of queues.
 * Errors: as pv_blk_attach; EBUSY it runs, or the drain is not complete; EIO if
 * the reset was never confirmed. On error the device stays stopped.
 * Context: thread.
 */
int pv_blk_start(struct pv_blk *);

/*
 * pv_blk_detach - end; stops first if the port has not
 *
 * Requests not yet drained are forgotten. Returns as pv_blk_stop.
 * Context: thread.
 */
int pv_blk_detach(struct pv_blk *);

/*
 * pv_blk_submit - give up to n requests to a queue, with one doorbell at most
 *
 * *accepted	how many of br[] were taken, from the first on
 *
 * Returns 0 if all were. Otherwise br[*accepted] is why, and nothing of it was
 * done: EINVAL no such queue, operation or flag, a length of 0, an offset or
 * length that is no multiple of bi_block or beyond the capacity, pieces of
 * another length, or it is the driver's already; EROFS it would write to a
 * read-only device; ENOTSUP the device does not have the operation; ENXIO not
 * started; EIO broken.
 * Context: any; one caller at a time for each queue. (Block Device / Device
 * Operation)
 */
int pv_blk_submit(struct pv_blk *, unsigned int queue,
    struct pv_blk_request *const *br, unsigned int n, unsigned int *accepted);

/*
 * pv_blk_complete - take up to n requests that are done
 *
 * Also sends what waited for room, with one doorbell at most; so where the port
 * polls it calls this. Returns 0, and their number in *done; EINVAL no such
 * queue; ENXIO not started; EIO broken (those in *done were completed before).
 * Context: as submit.
 */
int pv_blk_complete(struct pv_blk *, unsigned int queue,
    struct pv_blk_request **br, unsigned int n, unsigned int *done);

/*
 * pv_blk_intr - bc_done of a queue
 *
 * after	0: not wanted, the port polls; it is a hint, some may still
 *		come. Else when so many more parts are done, or all that the
 *		device has: 1 is the next.
 *
 * Asks for one interrupt: a port that completes asks again at the end. Wanted
 * from the start. Returns nonzero if there already is something: complete
 * again. Context: as submit.
 */
int pv_blk_intr(struct pv_blk *, unsigned int queue, unsigned int after);

/*
 * pv_blk_oldest_ns - for how long the device has had the part that it has
 * longest
 *
 * Nanoseconds; 0 if it has none. What waits in the queue behind it does not
 * count. For a watchdog, which calls this every now and then: a doorbell that
 * was missed is rung again (pv_virtq_stalled_ns). Context: as submit.
 */
uint64_t pv_blk_oldest_ns(struct pv_blk *, unsigned int queue);

/* Requests on a queue that are not yet completed. Context: as submit. */
unsigned int pv_blk_outstanding(const struct pv_blk *, unsigned int queue);

/*
 * pv_blk_info - what was negotiated; stays valid, and changes only in start,
 * changed and set_writeback. Context: any, not beside those; requests may flow.
 */
const struct pv_blk_info *pv_blk_info(const struct pv_blk *);

/*
 * pv_blk_changed - read again what may change; after bc_changed
 *
 * Capacity and may_unmap. Requests in flight beyond a new end
 * fail as the device sees fit. Returns 1 if the capacity changed, 0 if not; as
 * a negative number ENXIO not started, EIO, ERANGE a capacity that can't be:
 * what is known stays. Context: thread.
 */
int pv_blk_changed(struct pv_blk *);

/*
 * pv_blk_set_writeback - choose the device's cache: 1 volatile, 0 through
 *
 * After 0 what was written before still needs a flush; what is written from
 * then on does not. Stays so after a restart.
 * Errors: ENOTSUP without bi_can_toggle; ENXIO; EIO, also if the device does
 * not take it. Context: thread, with no write under way on any queue.
 */
int pv_blk_set_writeback(struct pv_blk *, int on);

/* What PV_BLK_GETLIFETIME brought, by the JEDEC's scales. */
struct pv_blk_lifetime {
	uint16_t bl_spare;	/* reserve blocks: 0 not known, 1 below 80%
				 * used, 2 above, 3 above 90% */
	uint16_t bl_slc;	/* wear: 0 not known, 1 up to 10% .. 10, 11 past
				 * its time */
	uint16_t bl_mlc;
};

/*
 * pv_blk_lifetime - decode PV_BLK_LIFETIMELEN bytes. Values that the
 * specification reserves become 0. Context: any.
 */
void pv_blk_lifetime(const void *, struct pv_blk_lifetime *);

/*
 * pv_blk_counters, pv_blk_ring_counters - of a queue, and of its virtqueue.
 * EINVAL there is none: zeroes. Context: any, not beside start and detach.
 */
int pv_blk_counters(const struct pv_blk *, unsigned int queue,
    struct pv_blk_counters *);
int pv_blk_ring_counters(const struct pv_blk *, unsigned int queue,
    struct pv_virtq_counters *);

#endif /* PARAVANE_BLK_H */
