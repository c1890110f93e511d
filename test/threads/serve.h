/* SPDX-License-Identifier: ISC */
/*
 * What the least device does with a queue: all that it is shown is used at
 * once, in the thread of whoever rings. A split ring in memory that is
 * coherent, reached by pointers.
 */
#ifndef SERVE_H
#define SERVE_H

#include <pthread.h>
#include <string.h>

#include "port.h"

struct ring {
	uint8_t *rg_desc, *rg_driver, *rg_device;
	uint16_t rg_size, rg_taken;
};

static inline void
ring_at(struct ring *rg, const struct pv_queue_place *qp, uint16_t size)
{
	rg->rg_desc = port_dma_kva(qp->qp_desc, 16u * size);
	rg->rg_driver = port_dma_kva(qp->qp_driver, 6 + 2u * size);
	rg->rg_device = port_dma_kva(qp->qp_device, 6 + 8u * size);
	rg->rg_size = size;
}

/* The port's list of maps puts what was found in front: for one at a time. */
static inline void *
ring_reach(uint64_t addr)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	void *va;

	pthread_mutex_lock(&lock);
	va = port_dma_kva(addr, 1);
	pthread_mutex_unlock(&lock);
	return va;
}

/* A chain's last descriptor is for the answer, whose first byte is 0: done. */
static inline void
ring_answer(const struct ring *rg, uint16_t i)
{
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} d;

	do {
		memcpy(&d, rg->rg_desc + 16 * i, sizeof(d));
		i = d.next;
	} while (d.flags & 1);
	*(uint8_t *)ring_reach(d.addr) = 0;
}

static inline void
ring_use_all(struct ring *rg, int answer)
{
	const uint16_t *avail = (const uint16_t *)(void *)rg->rg_driver;
	uint16_t *used = (uint16_t *)(void *)rg->rg_device;
	uint32_t elem[2];

	while (rg->rg_taken != avail[1]) {
		elem[0] = avail[2 + rg->rg_taken % rg->rg_size];
		elem[1] = answer != 0;
		if (answer)
			ring_answer(rg, (uint16_t)elem[0]);
		memcpy(rg->rg_device + 4 + 8 * (rg->rg_taken % rg->rg_size),
		    elem, sizeof(elem));
		used[1] = ++rg->rg_taken;
	}
}

#endif
