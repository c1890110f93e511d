/* SPDX-License-Identifier: ISC */
/*
 * The device that all drivers have: it uses buffers in the order in which they
 * were made available, one entry each. (Virtqueues / Split Virtqueues, Packed
 * Virtqueues; this machine's order of bytes is the ring's.)
 */
#include "ring.h"

#define PACKED_AVAIL	0x0080
#define PACKED_USED	0x8000
#define PACKED_NEXT	0x0001

struct split_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct split_used {
	uint16_t flags;
	uint16_t idx;
	struct {
		uint32_t id;
		uint32_t len;
	} ring[];
};

struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

static unsigned int
split_use(struct ring *rg, uint32_t len, unsigned int n)
{
	const struct split_avail *avail = rg->rg_driver;
	struct split_used *used = rg->rg_device;
	uint16_t idx = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE);
	unsigned int done, slot;

	for (done = 0; done < n && rg->rg_next != idx; done++) {
		slot = rg->rg_next++ & (rg->rg_size - 1);
		used->ring[slot].id = avail->ring[slot];
		used->ring[slot].len = len;
	}
	__atomic_store_n(&used->idx, rg->rg_next, __ATOMIC_RELEASE);
	return done;
}

/* The first slot of a buffer tells of its use, when the rest is passed. */
static unsigned int
packed_use(struct ring *rg, uint32_t len, unsigned int n)
{
	struct packed_desc *desc = rg->rg_desc, *first;
	uint16_t flags, id, told;
	unsigned int done;
	bool wrap;

	for (done = 0; done < n; done++) {
		first = &desc[rg->rg_next];
		wrap = rg->rg_wrap;
		flags = __atomic_load_n(&first->flags, __ATOMIC_ACQUIRE);
		if (((flags & PACKED_AVAIL) != 0) != wrap ||
		    ((flags & PACKED_USED) != 0) == wrap)
			break;
		for (;;) {
			id = desc[rg->rg_next].id;
			flags = desc[rg->rg_next].flags;
			if (++rg->rg_next == rg->rg_size) {
				rg->rg_next = 0;
				rg->rg_wrap = !rg->rg_wrap;
			}
			if ((flags & PACKED_NEXT) == 0)
				break;
		}
		first->id = id;
		first->len = len;
		told = wrap ? PACKED_AVAIL | PACKED_USED : 0;
		__atomic_store_n(&first->flags, told, __ATOMIC_RELEASE);
	}
	return done;
}

unsigned int
device_use(struct ring *rg, const struct work *wk, unsigned int n)
{
	uint32_t len = wk->wk_in ? BUFFER_LEN : 0;

	return wk->wk_packed ? packed_use(rg, len, n) : split_use(rg, len, n);
}
