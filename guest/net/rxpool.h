/* SPDX-License-Identifier: ISC */
/*
 * Receive buffers of one negotiation. A slot is the pbuf's structure and, on
 * cache lines of its own, what the device writes:
 *
 *	| struct rxslot .. 128 | virtio's header | frame .. |
 *
 * The pbuf is of a kind that lwIP may extend to the front, so that an echo
 * request goes back in the buffer that it came in.
 */
#ifndef RXPOOL_H
#define RXPOOL_H

#include <paravane/net.h>

#include "lwip/pbuf.h"

struct rxpool;
struct spsc;
struct task;

struct rxslot {
	struct pbuf_custom rs_pbuf;	/* first: lwIP gives it back */
	struct rxpool	*rs_pool;
	struct rxslot	*rs_next;
	struct pv_net_rx rs_rx;		/* on its way from another CPU */
};

#define RXSLOT_HEAD	128

struct rxpool {
	bus_dma_tag_t	rp_dmat;
	bus_dmamap_t	rp_map;
	uint8_t		*rp_base;
	size_t		rp_stride;
	size_t		rp_buflen;
	unsigned int	rp_nslots;
	unsigned int	rp_posted;	/* with the device */
	unsigned int	rp_lent;	/* with lwIP */
	struct rxslot	*rp_free;
	struct task	*rp_task;	/* another CPU posts what comes back, */
	struct spsc	*rp_back;	/* through here */
	unsigned int	rp_returned;	/* since it was last told */
	bool		rp_dead;	/* goes when the last slot is back */
	bool		rp_lost;	/* the device may still write: never goes */
};

/*
 * rxpool_alloc - nslots buffers of buflen bytes, or fewer
 *
 * budget	bytes that it may take; four slots are made in any case
 *
 * NULL: ENOMEM.
 */
struct rxpool *rxpool_alloc(bus_dma_tag_t, size_t buflen, unsigned int nslots,
    size_t budget);

/*
 * rxpool_retire - nothing is posted any more; free it now, or when lwIP has
 * given the last slot back. lost: the device was not confirmed to be quiet.
 */
void	rxpool_retire(struct rxpool *, bool lost);

struct rxslot *rxpool_get(struct rxpool *);	/* NULL: none is free */
void	rxpool_put(struct rxslot *);
void	rxpool_return(struct rxslot *);	/* from the stack, to who posts it */

/* What the device writes: its address, and where it is in the pool's map. */
static inline uint8_t *
rxslot_data(struct rxslot *rs)
{
	return (uint8_t *)rs + RXSLOT_HEAD;
}

static inline size_t
rxpool_offset(const struct rxpool *rp, const void *p)
{
	return (size_t)((const uint8_t *)p - rp->rp_base);
}

/* rxslot_pbuf - lend bytes off .. off + len of the slot's data to lwIP */
struct pbuf *rxslot_pbuf(struct rxslot *, size_t off, size_t len);

/* rxslot_of - the slot that a pbuf is, or NULL */
struct rxslot *rxslot_of(struct pbuf *);

#endif
