/* SPDX-License-Identifier: ISC */
/*
 * A driver that is right in all it does, by hand, so that a test can plant one
 * thing that is wrong. It speaks to a device model through registers and memory
 * like any other; lib/'s transports carry what is not about transports.
 */
#ifndef RAW_H
#define RAW_H

#include "stand.h"

#define RAW_SIZE	8	/* entries of its queues */

#define DESC_NEXT	1
#define DESC_WRITE	2
#define DESC_INDIRECT	4

struct raw_queue {
	struct port_buf *rq_desc, *rq_driver, *rq_device;
	uint16_t rq_idx;
};

struct raw {
	struct stand r_st;
	struct fake_dev *r_fd;
	const struct pv_transport_ops *r_ops;
	void *r_tr;
	struct raw_queue r_queues[PV_MAXQUEUES];
	unsigned int r_nqueues;
	struct port_buf *r_buf;		/* 8 KiB, for what it likes */
	int r_handled;			/* interrupts */
	uint64_t r_deny;		/* features that it leaves */
	int r_attached;
};

/* A model of this type, strict; nothing is done with it yet. */
void raw_new(struct raw *, enum stand_kind, unsigned int type,
    unsigned int nqueues);

/* The steps of a driver's life, in this order. */
void raw_attach(struct raw *);		/* transport */
void raw_reset(struct raw *);		/* confirmed */
void raw_hello(struct raw *);		/* ACKNOWLEDGE, DRIVER */
void raw_features(struct raw *);	/* all offered that are known */
int raw_features_ok(struct raw *);
void raw_agree(struct raw *);		/* all up to here */
void raw_queues(struct raw *);		/* all, RAW_SIZE entries each */
void raw_driver_ok(struct raw *);
void raw_up(struct raw *);		/* all of these */
void raw_end(struct raw *);		/* reset, and give all back */

uint8_t raw_status(struct raw *);
void raw_set_status(struct raw *, uint8_t);

/* A queue's memory, and its place. */
void raw_queue_new(struct raw *, unsigned int q, struct pv_queue_place *);

/* Queue 0, enabled at the place that fn left; NULL: where it is. */
void raw_queue_place(struct raw *,
    void (*fn)(struct raw *, struct pv_queue_place *));

/* Descriptor i of a queue's table; a piece of r_buf, at off. */
void raw_desc(struct raw *, unsigned int q, unsigned int i, bus_addr_t,
    uint32_t len, unsigned int flags, unsigned int next);
bus_addr_t raw_buf(struct raw *, size_t off);
void raw_put_desc(void *at, bus_addr_t, uint32_t len, unsigned int flags,
    unsigned int next);

/* Make a head available; ring the bell; both, for one descriptor of r_buf. */
void raw_avail(struct raw *, unsigned int q, unsigned int head);
void raw_kick(struct raw *, unsigned int q);
void raw_send(struct raw *, unsigned int q, uint32_t len, unsigned int flags);

/*
 * One request: outlen bytes at r_buf, then room for inlen at r_buf + 4096.
 * Returns the used length.
 */
uint32_t raw_request(struct raw *, unsigned int q, uint32_t outlen,
    uint32_t inlen);

/* Words of the driver and device area, and index of the used ring. */
uint16_t *raw_driver_word(struct raw *, unsigned int q, unsigned int i);
uint16_t *raw_device_word(struct raw *, unsigned int q, unsigned int i);

/* A register, as such: of BAR 4, or of the block. */
uint32_t raw_read(struct raw *, bus_size_t off, unsigned int width);
void raw_write(struct raw *, bus_size_t off, unsigned int width, uint32_t);

/* The driver's interrupt handler is this one; NULL: none. */
void raw_handler(struct raw *, int (*fn)(void *));

#endif
