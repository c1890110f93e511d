/* SPDX-License-Identifier: ISC */
/*
 * vhost_user.h - a virtio device that is another process of this machine
 *
 * The library's drivers in a Linux process, against a back end that speaks
 * vhost-user (QEMU's docs/interop/vhost-user.rst): DPDK's testpmd, QEMU's
 * storage daemon. This is the front end, as QEMU is to its guests; to the
 * library it is a transport (transport.h).
 *
 *	struct shmem sm;		memory that the back end is given
 *	struct vhost *vh;
 *	struct pv_virtio dev;
 *	struct pv_net net;
 *
 *	shmem_init(&sm, 1, 64 << 20);
 *	vh = vhost_new(&params);
 *	if (vhost_connect(vh) != 0)
 *		errx(1, "%s", vhost_error(vh));
 *	pv_virtio_init(&dev, &vhost_transport, vh, PV_TYPE_NET, &sm.sm_tag,
 *	    "net0", NULL, NULL);
 *	pv_net_attach(&net, &dev, ...);
 *	for (;;) {
 *		vhost_wait(vh, VHOST_ALL, 1000);
 *		...
 *	}
 *
 * Memory. All that the back end may see lies in one struct shmem (shmem.h),
 * which is shown to it when features are negotiated; addresses of this process
 * are not told. vhost_memory shows it what shmem_grow added.
 *
 * Notifications. A doorbell is a write to an eventfd, unless the back end has
 * said that it polls; an interrupt is an eventfd of each queue, looked at by
 * vhost_wait, or by the caller's own loop on vhost_fd and vhost_attend. With
 * vp_poll there are no interrupts at all.
 *
 * Threads. Each queue may be another thread's, for the drivers' calls and for
 * vhost_wait. What this header marks "thread" excludes the drivers' start, stop
 * and configuration calls, and itself.
 *
 * The back end is not trusted. Each wait for it is bounded by vp_timeout_ms;
 * each answer is held to its size, its number of descriptors, and to what can
 * be; what it says wrongly ends the session, in words (vhost_error). The memory
 * is its to write to at any time, like a device's. What it is not held to: it
 * shares the eventfds, and may, by making a doorbell's block and filling it,
 * hold the thread that rings.
 *
 * When the back end is gone (killed, or it closes the connection) it no longer
 * touches the memory: that is a confirmed reset.
 *
 * Without in-flight tracking: the device needs a reset; the driver's broken
 * callback says so at the next vhost_wait or pv_virtio_poll. The port stops and
 * drains (buffers of the network come back as lost; of requests to a disk
 * replay.h says which may be sent again), calls vhost_connect until it
 * succeeds, and starts the driver again.
 *
 * With it (VHOST_P_INFLIGHT_SHMFD, and vp_resume): the driver is not told.
 * vhost_wait returns ENOTCONN, the port calls vhost_connect until it succeeds,
 * and the new back end, which is handed the rings where they stand and the
 * in-flight memory of the old one, goes on where that one ended. Nothing is
 * lost, nothing completed twice. pv_X_stop instead of vhost_connect gives up.
 *
 * A back end that does not answer but keeps the connection has confirmed
 * nothing: the driver's stop returns ETIMEDOUT, and buffers stay lost until the
 * process is ended; stop may then be called once more.
 */
#ifndef VHOST_USER_H
#define VHOST_USER_H

#include <paravane/virtio.h>

#include "shmem.h"

struct vhost;

/* Protocol features, as bit numbers. Those driven, if the back end has them: */
#define VHOST_P_MQ			0
#define VHOST_P_REPLY_ACK		3
#define VHOST_P_NET_MTU			4
#define VHOST_P_BACKEND_REQ		5	/* a channel the other way */
#define VHOST_P_CONFIG			9
#define VHOST_P_INFLIGHT_SHMFD		12
#define VHOST_P_CONFIGURE_MEM_SLOTS	15
#define VHOST_P_STATUS			16

#define VHOST_MAXQUEUES		64
#define VHOST_MAXCONFIG		256	/* bytes of configuration */

struct vhost_params {
	const char *vp_path;		/* the socket */
	int vp_server;			/* listen there for the back end;
					 * otherwise connect to it */
	unsigned int vp_type;		/* PV_TYPE_* */
	unsigned int vp_timeout_ms;	/* of each answer; 0: 5000 */
	struct shmem *vp_shmem;		/* outlives the use */
	unsigned int vp_queue_max;	/* entries of a ring at most: back ends
					 * do not tell; 0: 1024, which all
					 * take */
	unsigned int vp_nqueues;	/* at most; of a network device pairs,
					 * whose number back ends overstate. 0:
					 * one pair, or what there is */
	uint64_t vp_protocol_deny;	/* protocol features to leave, a mask */
	int vp_poll;			/* no interrupts */
	int vp_resume;			/* keep rings over a new back end, if
					 * it tracks what is in flight */
	/*
	 * Offer RING_RESET: a ring is stopped and started by itself, which the
	 * protocol has messages for, but not all back ends take well: QEMU's
	 * storage daemon still writes to what it had begun, and DPDK's device
	 * is stopped whole for that time, and loses what it holds. Not offered
	 * with INFLIGHT_SHMFD: what the back end has noted as in flight would
	 * be the old ring's.
	 */
	int vp_ring_reset;
	/*
	 * Of a network device whose back end has no CONFIG: what the driver is
	 * to read. All may be 0: no MAC, no MTU.
	 */
	uint8_t vp_mac[6];
	uint16_t vp_mtu;
};

/*
 * vhost_new - a front end, not yet connected; *params is copied, but for what
 * it points to. NULL: no memory, or params without path or memory.
 */
struct vhost *vhost_new(const struct vhost_params *);

/*
 * vhost_free - end: closes the connection. The driver was detached before.
 */
void vhost_free(struct vhost *);

/*
 * vhost_connect - connect, and learn what the back end is; again when it was
 * lost
 *
 * As client tries once; as server waits vp_timeout_ms for the back end. Up to
 * the start of the driver nothing of the memory is shown. If rings are to be
 * kept (above) they are handed over here, and every queue's interrupt handler
 * is run, as calls may have been lost.
 *
 * Errors: what socket(2) and connect(2) say (ENOENT, ECONNREFUSED); ETIMEDOUT;
 * EPROTO the answer is none of the protocol; ENOTSUP it lacks what is in use
 * (the rings of a kept driver are then to be given up); ECONNRESET it closed
 * the connection; EISCONN it is connected; EBUSY the old one has closed nothing,
 * and does not answer. Context: thread.
 */
int vhost_connect(struct vhost *);

/*
 * What failed last, in words; "" if nothing did. Valid until it is called
 * again. Context: thread.
 */
const char *vhost_error(struct vhost *);

/* Whether the connection stands. Any thread. */
int vhost_connected(struct vhost *);

#define VHOST_ALL	(-1)

/*
 * vhost_wait - sleep until a queue's interrupt, and run its handler
 *
 * queue	or VHOST_ALL
 *
 * Also attends to the connection. Returns 0 if anything was there; EAGAIN
 * timeout_ms has passed, or another thread attends to that already; ENOTCONN
 * the connection is lost, EINTR. A negative timeout_ms means a second. Any
 * thread, one for each queue.
 */
int vhost_wait(struct vhost *, int queue, int timeout_ms);

/*
 * vhost_fd - for the caller's own poll(2): the eventfd of a queue's interrupt,
 * or with VHOST_ALL the connection's socket. -1: none. When readable:
 * vhost_attend - take and handle what is there, without waiting; of VHOST_ALL
 * the connection's alone. As vhost_wait otherwise.
 */
int vhost_fd(const struct vhost *, int queue);
int vhost_attend(struct vhost *, int queue);

/*
 * vhost_memory - show the back end regions that shmem_grow added
 *
 * One message for each where it has CONFIGURE_MEM_SLOTS; else the whole table,
 * which some back ends take only while stopped. Errors: ENOSPC more than it
 * takes; ENOTCONN; as vhost_connect. Context: thread.
 */
int vhost_memory(struct vhost *);

/* What was negotiated, as text: "MQ REPLY_ACK". */
void vhost_protocol_text(const struct vhost *, char *, size_t);

struct vhost_counters {
	uint64_t vc_kicks;		/* written to eventfds */
	uint64_t vc_calls;		/* taken from them */
	uint64_t vc_messages;		/* sent */
	uint64_t vc_answers;
	uint64_t vc_requests;		/* of the back end's */
	uint64_t vc_connects;
	uint64_t vc_resumes;		/* of these, with rings kept */
};

/* Any thread; waits while messages are exchanged. */
void vhost_counters(struct vhost *, struct vhost_counters *);

/* For pv_virtio_init, with the struct vhost as its cookie. */
extern const struct pv_transport_ops vhost_transport;

#endif
