/* SPDX-License-Identifier: ISC */
/*
 * What a virtqueue costs its driver, a buffer: one harness, one device, and a
 * driver to be measured, each in a program of its own (ours.c, linux.c, dpdk.c).
 *
 * A round is a batch of n buffers: the driver makes them available and shows
 * them (put), the device uses them all, the driver takes them back (get). Only
 * put and get are counted. The device is the same loop for all, in the same
 * process and thread; it asks for no notification, and the driver asks for no
 * interrupt.
 */
#ifndef PERF_RING_H
#define PERF_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_MAX	4096
#define QUEUES_MAX	64
#define BUFFER_LEN	64u

/* What is asked for on the command line. */
struct work {
	bool wk_packed;
	bool wk_in_order;
	bool wk_in;			/* the device writes the buffers */
	bool wk_vector;			/* SIMD, for who has it */
	unsigned int wk_size;		/* of a ring */
	unsigned int wk_queues;
	unsigned int wk_segments;	/* of a buffer */
};

/* Where a ring is, and how far the device has come in it. */
struct ring {
	void *rg_desc;
	void *rg_driver;		/* available ring; event suppression */
	void *rg_device;		/* used ring; event suppression */
	unsigned int rg_size;
	unsigned int rg_chains;		/* of a buffer; 0: 1 */
	uint16_t rg_next;		/* avail and used index; packed: slot */
	bool rg_wrap;
};

struct driver {
	const char *dr_name;
	/* Once. Returns NULL, or why it can't be. rings: one of each queue. */
	const char *(*dr_open)(const struct work *, struct ring *rings);
	/* Each returns how many it was. NULL: the other does both. */
	unsigned int (*dr_put)(unsigned int queue, unsigned int n);
	unsigned int (*dr_get)(unsigned int queue, unsigned int n);
	/* Not counted: what a round needs before it. May be NULL. */
	void (*dr_before)(unsigned int queue, unsigned int n);
	/*
	 * What n buffers cost in put or get beside the virtqueue's work: it is
	 * counted by itself, and subtracted. May be NULL.
	 */
	void (*dr_beside)(unsigned int n);
	unsigned int dr_beside_n;	/* so many at a time; 0: a batch */
	/*
	 * Whether the last round did what is done once in many: from one such to
	 * another is counted. NULL: every round is like the others.
	 */
	bool (*dr_fresh)(void);
};

/* device.c: use n buffers. Returns how many there were. */
unsigned int device_use(struct ring *, const struct work *, unsigned int n);

/* count.c */
const char *count_open(const struct ring *rings, unsigned int n);
void count_steps_begin(void);
uint64_t count_steps_end(void);		/* instructions between the two */
void count_lines_begin(void);
unsigned int count_lines_end(void);	/* lines of the rings, between the two */

/* main.c */
int ring_main(int argc, char **argv, const struct driver *);

#endif
