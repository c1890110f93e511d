/* SPDX-License-Identifier: ISC */
/*
 * The device's side of a packed ring (Virtqueues / Packed Virtqueues), for all
 * models. Written from the specification; memory is reached by device addresses
 * alone. What is judged of the driver is the models' affair.
 *
 *	while (pk_next(&pk, &d)) {		the first of a list
 *		while (d.pd_flags & PK_NEXT)
 *			pk_follow(&pk, &d);
 *		...
 *	}
 *	pk_use(&pk, id, len, ndescs, PK_WRITE);
 *
 * A position is a descriptor's number and the wrap counter that belongs to it.
 * Beside positions run counters, of all descriptors ever taken and used, so
 * that one may be compared with another as indices of a split ring are.
 */
#ifndef PACKED_H
#define PACKED_H

#include <paravane/transport.h>

#include "port.h"

#define PK_NEXT	0x0001
#define PK_WRITE	0x0002
#define PK_INDIRECT	0x0004
#define PK_AVAIL	0x0080
#define PK_USED	0x8000

/* Driver and Device Event Suppression */
#define PK_EVENT_ENABLE	0
#define PK_EVENT_DISABLE	1
#define PK_EVENT_DESC	2

#define PK_LEN	16u	/* bytes of a descriptor */

struct pk_desc {
	uint64_t pd_addr;
	uint32_t pd_len;
	uint16_t pd_id;
	uint16_t pd_flags;
};

struct pk_at {
	uint16_t pa_pos;
	uint8_t pa_wrap;
};

struct pk_ring {
	bus_addr_t pk_desc, pk_driver, pk_device;
	unsigned int pk_size;
	struct pk_at pk_avail;	/* next to take */
	struct pk_at pk_used;	/* next to write */
	uint16_t pk_ntaken, pk_nused;	/* descriptors */
	struct pk_at pk_marked;	/* shows what was stored before */
};

/* A piece of a chain's memory. */
struct ring_seg {
	bus_addr_t addr;
	uint32_t len;
};

/* An empty ring; and what sanitizers know of its fields. */
void pk_begin(struct pk_ring *, const struct pv_queue_place *);

/* What the device takes next is no longer what the driver thinks. */
void pk_lost(struct pk_ring *);

/* It has nothing any more. May be called of a ring that never began. */
void pk_end(struct pk_ring *);

/* On to the position n descriptors further. */
void pk_step(const struct pk_ring *, struct pk_at *, unsigned int n);

/* Descriptor i; whether what lies at a position is available to the device. */
void pk_load(bus_addr_t table, unsigned int i, struct pk_desc *);
int pk_available(const struct pk_ring *, const struct pk_at *);

/* Descriptors that are available from a position on. */
unsigned int pk_ahead(const struct pk_ring *, const struct pk_at *);

/* Take the next one if it is available: 1, or 0. */
int pk_next(struct pk_ring *, struct pk_desc *);

/* Take the one after it, of the same list: 1, or 0 if it is not available. */
int pk_follow(struct pk_ring *, struct pk_desc *);

/*
 * A list was taken, whole; kept account of until it is used. table: an indirect
 * one, or of length 0.
 */
void pk_took(struct pk_ring *, unsigned int id, unsigned int ndescs,
    const struct ring_seg *, unsigned int nsegs, const struct ring_seg *table);

/* Descriptors of the list of this id that was taken; 0: there is none. */
unsigned int pk_list(const struct pk_ring *, unsigned int id);

/*
 * Write a used descriptor, and skip the rest of ndescs. flags: PK_WRITE, or
 * any others for a device that lies.
 */
void pk_use(struct pk_ring *, unsigned int id, uint32_t len,
    unsigned int ndescs, unsigned int flags);

/* It gives nothing back for this id, as what follows it did. */
void pk_skip(struct pk_ring *, unsigned int id);

/* What the driver's event suppression says: flags, and the position. */
unsigned int pk_event(const struct pk_ring *, struct pk_at *);

/*
 * Whether the driver wants to hear of what was used since the counter was old.
 */
int pk_wants(const struct pk_ring *, uint16_t old);

/* What the device's says: of a doorbell at this position, with _DESC. */
void pk_ask(const struct pk_ring *, unsigned int flags,
    const struct pk_at *);

/* What of the len bytes at addr it has: as holds_what. */
const char *pk_holds(const struct pk_ring *, bus_addr_t addr,
    bus_size_t len);

#endif
