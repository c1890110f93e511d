/* SPDX-License-Identifier: ISC */
/*
 * The device's side of a packed ring (Virtqueues / Packed Virtqueues), for all
 * models. Written from the specification; memory is reached by device addresses
 * alone. What is judged of the driver is the models' affair.
 *
 *	while (packed_next(&pk, &d)) {		the first of a list
 *		while (d.pd_flags & PACKED_NEXT)
 *			packed_follow(&pk, &d);
 *		...
 *	}
 *	packed_use(&pk, id, len, ndescs, PACKED_WRITE);
 *
 * A position is a descriptor's number and the wrap counter that belongs to it.
 * Beside positions run counters, of all descriptors ever taken and used, so that
 * one may be compared with another as indices of a split ring are.
 */
#ifndef PACKED_H
#define PACKED_H

#include <paravane/transport.h>

#include "port.h"

#define PACKED_NEXT	0x0001
#define PACKED_WRITE	0x0002
#define PACKED_INDIRECT	0x0004
#define PACKED_AVAIL	0x0080
#define PACKED_USED	0x8000

/* Driver and Device Event Suppression */
#define PACKED_EVENT_ENABLE	0
#define PACKED_EVENT_DISABLE	1
#define PACKED_EVENT_DESC	2

#define PACKED_LEN	16u	/* bytes of a descriptor */

struct packed_desc {
	uint64_t pd_addr;
	uint32_t pd_len;
	uint16_t pd_id;
	uint16_t pd_flags;
};

struct packed_at {
	uint16_t pa_pos;
	uint8_t pa_wrap;
};

struct packed {
	bus_addr_t pk_desc, pk_driver, pk_device;
	unsigned int pk_size;
	struct packed_at pk_avail;	/* next to take */
	struct packed_at pk_used;	/* next to write */
	uint16_t pk_ntaken, pk_nused;	/* descriptors */
	struct packed_at pk_marked;	/* shows what was stored before */
};

/* A piece of a chain's memory. */
struct ring_seg {
	bus_addr_t addr;
	uint32_t len;
};

/* An empty ring; and what sanitizers know of its fields. */
void packed_begin(struct packed *, const struct pv_queue_place *);

/* It has nothing any more. May be called of a ring that never began. */
void packed_end(struct packed *);

/* On to the position n descriptors further. */
void packed_step(const struct packed *, struct packed_at *, unsigned int n);

/* Descriptor i; whether what lies at a position is available to the device. */
void packed_load(bus_addr_t table, unsigned int i, struct packed_desc *);
int packed_available(const struct packed *, const struct packed_at *);

/* Descriptors that are available from a position on. */
unsigned int packed_ahead(const struct packed *, const struct packed_at *);

/* Take the next one if it is available: 1, or 0. */
int packed_next(struct packed *, struct packed_desc *);

/* Take the one after it, of the same list: 1, or 0 if it is not available. */
int packed_follow(struct packed *, struct packed_desc *);

/*
 * A list was taken, whole; kept account of until it is used. table: an indirect
 * one, or of length 0.
 */
void packed_took(struct packed *, unsigned int id, unsigned int ndescs,
    const struct ring_seg *, unsigned int nsegs, const struct ring_seg *table);

/* Descriptors of the list of this id that was taken; 0: there is none. */
unsigned int packed_list(const struct packed *, unsigned int id);

/*
 * Write a used descriptor, and skip the rest of ndescs. flags: PACKED_WRITE, or
 * any others for a device that lies.
 */
void packed_use(struct packed *, unsigned int id, uint32_t len,
    unsigned int ndescs, unsigned int flags);

/* It gives nothing back for this id, as what follows it did. */
void packed_skip(struct packed *, unsigned int id);

/* What the driver's event suppression says: flags, and the position. */
unsigned int packed_event(const struct packed *, struct packed_at *);

/*
 * Whether the driver wants to hear of what was used since the counter was old.
 */
int packed_wants(const struct packed *, uint16_t old);

/* What the device's says: of a doorbell at this position, with _DESC. */
void packed_ask(const struct packed *, unsigned int flags,
    const struct packed_at *);

/* What of the len bytes at addr it has: as holds_what. */
const char *packed_holds(const struct packed *, bus_addr_t addr,
    bus_size_t len);

#endif
