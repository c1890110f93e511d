/* SPDX-License-Identifier: ISC */
/*
 * What a device has of a queue: the ring for as long as it is enabled, and each
 * chain from when it was made available until it is used. Looked at in memory
 * as the CPU has it, without an access of the device's.
 */
#ifndef HOLDS_H
#define HOLDS_H

#include <paravane/transport.h>

#include "port.h"

#define HOLDS_HEADS	1024	/* of a queue that are kept account of */

struct holds {
	uint8_t ho_taken[HOLDS_HEADS / 8];	/* by head: taken, not given */
};

void holds_take(struct holds *, unsigned int head);
void holds_give(struct holds *, uint32_t id);

/*
 * What of the len bytes at addr it has, in words; NULL: nothing. next is the
 * next available entry that it takes.
 */
const char *holds_what(const struct holds *, const struct pv_queue_place *,
    uint16_t next, bus_addr_t addr, bus_size_t len);

#endif
