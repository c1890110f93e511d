/* SPDX-License-Identifier: ISC */
/*
 * A device on a test's workbench: behind a transport of its own, with split or
 * packed rings that it reads by device address alone, and every way to
 * misbehave that a test wants. What the device does with a queue is the test's:
 * rg_notify.
 */
#ifndef RIG_H
#define RIG_H

#include <paravane/virtq.h>

#include "holds.h"
#include "packed.h"
#include "port.h"

#define RIG_NQUEUES	8
#define RIG_MAXSEGS	512
#define RIG_CONFIGLEN	256

struct rig_queue {
	unsigned int rq_max;		/* entries; 0: there is none */
	struct pv_queue_place rq_place;
	int rq_enabled;
	int rq_stopped;			/* reset, and not enabled since */
	uint16_t rq_avail;		/* next to take */
	uint16_t rq_used;		/* next to give */
	unsigned int rq_notified;
	uint32_t rq_data;		/* of the last doorbell */
	struct holds rq_holds;
	struct pk_ring rq_packed;	/* with RING_PACKED */
};

struct rig {
	/* set by tests */
	uint64_t rg_offered;
	uint64_t rg_insist;		/* FEATURES_OK only with all of these */
	int rg_legacy;
	uint8_t rg_config[RIG_CONFIGLEN];
	unsigned int rg_configlen;
	struct pv_shm rg_region;	/* of id 1, as it is told */
	int rg_no_region;		/* none is */
	int rg_stuck;			/* a reset is never confirmed */
	int rg_gone;			/* removed: all ones are read */
	int rg_intr;			/* interrupts are delivered at once */
	unsigned int rg_miss;		/* so many doorbells are missed */
	void (*rg_notify)(struct rig *, unsigned int queue);
	void (*rg_config_read)(struct rig *, unsigned int off);
	void (*rg_features_ok)(struct rig *);
	void (*rg_config_written)(struct rig *, unsigned int off, uint32_t);
	void *rg_arg;

	/* looked at */
	struct rig_queue rg_queues[RIG_NQUEUES];
	uint8_t rg_status;
	uint64_t rg_accepted;
	uint32_t rg_generation;
	unsigned int rg_resets;
	struct port_holder rg_holder;
	struct pv_virtio rg_dev;
};

/* A chain of buffers, as the device sees it. */
struct rig_chain {
	uint16_t rc_head;
	unsigned int rc_nsegs;
	unsigned int rc_nout;		/* segments; those to write follow */
	uint32_t rc_outlen;		/* bytes */
	uint32_t rc_inlen;
	struct ring_seg rc_segs[RIG_MAXSEGS];
	unsigned int rc_ndescs;		/* of the ring, that it takes */
	struct ring_seg rc_table;	/* the last indirect table */
};

/* A device of this type, VERSION_1 with rings of 64; not yet initialised. */
void rig_new(struct rig *, unsigned int type);

/* pv_virtio_init of it; fails the test if that fails. */
struct pv_virtio *rig_init(struct rig *);

/* Take the next available chain: 1, or 0 if there is none. */
int rig_take(struct rig *, unsigned int queue, struct rig_chain *);

/* Read from what the driver gives, write into what it awaits, at off. */
void rig_read(const struct rig_chain *, uint32_t off, void *, uint32_t len);
void rig_write(const struct rig_chain *, uint32_t off, const void *,
    uint32_t len);

/*
 * Give a chain back; any id and length that a test cares for. In a packed ring
 * an id that names no chain moves on by one descriptor.
 */
void rig_give(struct rig *, unsigned int queue, uint32_t id, uint32_t len);

/*
 * IN_ORDER: these n chains, in the order in which they were taken, by one used
 * entry, the last one's, of this length.
 */
void rig_give_batch(struct rig *, unsigned int queue, const uint32_t *ids,
    unsigned int n, uint32_t len);

/* Whether that feature was accepted. */
int rig_has(const struct rig *, unsigned int bit);

/*
 * The device gave back what it was not asked about, or wrote over a ring: what
 * it takes next, the driver can't know, and it takes no more until a reset.
 */
void rig_lost(struct rig *);

/* Put any value into the used index of a split ring. */
void rig_used_index(struct rig *, unsigned int queue, uint16_t idx);

/* An interrupt, if rg_intr; PV_INTR_*. */
void rig_interrupt(struct rig *, unsigned int pending);

/* The configuration changed: a new generation, and an interrupt. */
void rig_config_changed(struct rig *);

void rig_put16(struct rig *, unsigned int off, uint16_t);
void rig_put32(struct rig *, unsigned int off, uint32_t);

#endif
