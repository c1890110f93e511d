/* SPDX-License-Identifier: ISC */
#ifndef VHOST_VAR_H
#define VHOST_VAR_H

#include <pthread.h>
#include <stdbool.h>

#include "vhost_user.h"
#include "vhost_wire.h"

enum vhost_state {
	VHOST_DOWN,		/* never connected, or nothing was shown yet */
	VHOST_UP,
	VHOST_BAD,		/* it stands, but nothing more is said: the
				 * other side may still use the memory */
	VHOST_GONE		/* the back end closed it */
};

/* One for each queue; threads of two queues share no line. */
struct vhost_queue {
	struct pv_queue_place vq_place;
	int vq_kick;			/* eventfds, or -1 */
	int vq_call;
	unsigned long vq_kicks;		/* atomic */
	unsigned long vq_calls;		/* atomic */
	uint8_t vq_placed;		/* by the driver, since the reset */
	uint8_t vq_running;		/* the back end has it */
} __attribute__((__aligned__(128)));

/* The control queue of a network device, which is served here. */
struct vhost_ctrl {
	uint16_t vt_next;		/* available index, or packed slot */
	uint8_t vt_wrap;		/* packed: expected AVAIL */
};

struct vhost {
	struct vhost_params vh_params;
	char vh_path[108];
	int vh_fd;			/* the same number over reconnects */
	int vh_listen;
	int vh_backend;			/* the other way, or -1; atomic */
	enum vhost_state vh_state;	/* atomic */
	pthread_mutex_t vh_lock;	/* of the messages, and what follows */
	char vh_error[192];
	char vh_told[192];		/* vhost_error's copy of it */

	uint64_t vh_offered;		/* by the back end */
	uint64_t vh_protocol;
	uint64_t vh_added;		/* features that are served here */
	uint64_t vh_accepted;		/* by the driver */
	unsigned int vh_nqueues;	/* of the back end; atomic */
	unsigned int vh_slots;		/* regions it takes */
	unsigned int vh_shown;		/* regions it has */
	unsigned int vh_pairs;		/* in use, of a network device */
	uint8_t vh_status;		/* atomic */
	uint8_t vh_changed;		/* PV_INTR_CONFIG pending; atomic */

	pthread_mutex_t vh_config_lock;
	uint8_t vh_config[VHOST_MAXCONFIG];
	unsigned int vh_configlen;
	uint32_t vh_generation;

	int vh_inflight;		/* descriptor, or -1; atomic */
	struct vw_inflight vh_inflight_place;

	struct pv_virtio *vh_dev;	/* handlers are established; atomic */
	struct vhost_ctrl vh_ctrl;
	struct vhost_counters vh_counters;
	struct vhost_queue vh_queues[VHOST_MAXQUEUES + 1];
};

static inline bool
vhost_has(const struct vhost *vh, unsigned int bit)
{
	return (vh->vh_protocol & 1ull << bit) != 0;
}

/* Written under the lock, and polled by whoever waits for a queue. */
static inline int
vhost_backend(const struct vhost *vh)
{
	return __atomic_load_n(&vh->vh_backend, __ATOMIC_RELAXED);
}

static inline void
vhost_backend_set(struct vhost *vh, int fd)
{
	__atomic_store_n(&vh->vh_backend, fd, __ATOMIC_RELAXED);
}

static inline bool
vhost_is_net(const struct vhost *vh)
{
	return vh->vh_params.vp_type == PV_TYPE_NET;
}

/*
 * The control queue's index: behind all pairs, or behind the one where MQ is
 * not in use.
 */
static inline unsigned int
vhost_ctrl_index(const struct vhost *vh)
{
	return vh->vh_accepted & 1ull << VW_NET_F_MQ ? vh->vh_nqueues : 2;
}

static inline bool
vhost_is_ctrl(const struct vhost *vh, unsigned int queue)
{
	return vhost_is_net(vh) && queue == vhost_ctrl_index(vh);
}

/* Say in words what failed; returns error. */
int vhost_fail(struct vhost *, int error, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/*
 * vhost_msg.c: exchanges, under vh_lock. Each fails with ENOTCONN when the
 * connection is not up, and takes it down when something is wrong.
 */
void vhost_state_set(struct vhost *, enum vhost_state);
enum vhost_state vhost_state(const struct vhost *);

/* The session's end, VHOST_BAD or VHOST_GONE. */
void vhost_end(struct vhost *, enum vhost_state);

/* When what begins now is late; a wait for a socket up to then, or ETIMEDOUT. */
int64_t vhost_until(const struct vhost *);
int vhost_ready(int fd, short events, int64_t until);

/* Send a request of len bytes behind the header; no answer is awaited. */
int vhost_send(struct vhost *, struct vw_msg *, uint32_t request,
    size_t len, const int *fds, unsigned int nfds);
/* An answer to it, of min .. max bytes, with a descriptor if fd is not NULL. */
int vhost_answer(struct vhost *, struct vw_msg *, uint32_t request,
    size_t min, size_t max, int *fd);
/* Send what has no answer, and await the acknowledgement if there is one. */
int vhost_tell(struct vhost *, struct vw_msg *, uint32_t request, size_t len,
    const int *fds, unsigned int nfds);
int vhost_get_u64(struct vhost *, uint32_t request, uint64_t *);
int vhost_tell_u64(struct vhost *, uint32_t request, uint64_t);
int vhost_tell_ring(struct vhost *, uint32_t request, unsigned int queue,
    uint32_t num);
/*
 * Take some of what the back end asks over its own channel, the rest another
 * time; 0, or EAGAIN there is nothing.
 */
int vhost_asked(struct vhost *);

/* vhost_ctrl.c */
void vhost_ctrl_reset(struct vhost *);
void vhost_ctrl_serve(struct vhost *);

/* vhost_ring.c: what the back end is told of memory and rings. */
int vhost_rings_start(struct vhost *, bool resume);
int vhost_rings_stop(struct vhost *);
int vhost_ring_stop(struct vhost *, unsigned int queue);
int vhost_ring_again(struct vhost *, unsigned int queue);
int vhost_rings_enable(struct vhost *, unsigned int pairs);
int vhost_show_memory(struct vhost *);
void vhost_inflight_drop(struct vhost *);

/* vhost_config.c */
int vhost_config_fetch(struct vhost *);
int vhost_config_put(struct vhost *, unsigned int off, unsigned int width,
    uint32_t val);

#endif
