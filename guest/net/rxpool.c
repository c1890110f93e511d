/* SPDX-License-Identifier: ISC */
#include "kmem.h"
#include "net_guest.h"
#include "rxpool.h"
#include "spsc.h"
#include "task.h"

_Static_assert(sizeof(struct rxslot) <= RXSLOT_HEAD,
    "the pbuf would share a line with what the device writes");

static size_t
round_line(size_t n)
{
	return (n + 127) & ~(size_t)127;
}

static void
rxpool_free(struct rxpool *rp)
{
	if (rp->rp_lost)
		return;
	if (rp->rp_map != NULL) {
		bus_dmamap_unload(rp->rp_dmat, rp->rp_map);
		bus_dmamap_destroy(rp->rp_dmat, rp->rp_map);
	}
	kfree(rp->rp_base);
	kfree(rp);
}

static int
rxpool_load(struct rxpool *rp, size_t size)
{
	int nsegs = (int)(size / PAGE_SIZE) + 1;
	int error;

	error = bus_dmamap_create(rp->rp_dmat, size, nsegs, size, 0,
	    BUS_DMA_WAITOK, &rp->rp_map);
	if (error) {
		rp->rp_map = NULL;
		return error;
	}
	error = bus_dmamap_load(rp->rp_dmat, rp->rp_map, rp->rp_base, size,
	    NULL, BUS_DMA_WAITOK);
	if (error) {
		bus_dmamap_destroy(rp->rp_dmat, rp->rp_map);
		rp->rp_map = NULL;
	}
	return error;
}

#define RXPOOL_MIN	4

struct rxpool *
rxpool_alloc(bus_dma_tag_t dmat, size_t buflen, unsigned int nslots,
    size_t budget)
{
	struct rxpool *rp;
	struct rxslot *rs;
	unsigned int i;

	rp = kzalloc(sizeof(*rp));
	if (rp == NULL)
		return NULL;
	rp->rp_dmat = dmat;
	rp->rp_buflen = buflen;
	rp->rp_stride = RXSLOT_HEAD + round_line(buflen);
	while (nslots > RXPOOL_MIN && nslots * rp->rp_stride > budget)
		nslots--;
	for (;;) {
		rp->rp_base = kmalloc(nslots * rp->rp_stride);
		if (rp->rp_base != NULL || nslots <= RXPOOL_MIN)
			break;
		nslots /= 2;
	}
	if (rp->rp_base == NULL ||
	    rxpool_load(rp, nslots * rp->rp_stride) != 0) {
		rxpool_free(rp);
		return NULL;
	}
	rp->rp_nslots = nslots;
	for (i = nslots; i-- > 0;) {
		rs = (struct rxslot *)(void *)(rp->rp_base +
		    i * rp->rp_stride);
		rs->rs_pool = rp;
		rxpool_put(rs);
	}
	return rp;
}

void
rxpool_retire(struct rxpool *rp, bool lost)
{
	rp->rp_dead = true;
	rp->rp_task = NULL;
	rp->rp_lost |= lost;
	if (rp->rp_lent == 0)
		rxpool_free(rp);
}

struct rxslot *
rxpool_get(struct rxpool *rp)
{
	struct rxslot *rs = rp->rp_free;

	if (rs != NULL)
		rp->rp_free = rs->rs_next;
	return rs;
}

void
rxpool_put(struct rxslot *rs)
{
	rs->rs_next = rs->rs_pool->rp_free;
	rs->rs_pool->rp_free = rs;
}

void
rxpool_return(struct rxslot *rs)
{
	struct rxpool *rp = rs->rs_pool;

	if (rp->rp_task == NULL) {
		rxpool_put(rs);
		return;
	}
	spsc_put(rp->rp_back, rs);	/* it has room for all */
	if (++rp->rp_returned > rp->rp_nslots / 8) {
		rp->rp_returned = 0;
		task_signal(rp->rp_task);
	}
}

static void
rxslot_free(struct pbuf *p)
{
	struct rxslot *rs = rxslot_of(p);
	struct rxpool *rp = rs->rs_pool;

	rp->rp_lent--;
	rxpool_return(rs);
	if (rp->rp_dead) {
		if (rp->rp_lent == 0)
			rxpool_free(rp);
	} else if (rp->rp_task == NULL && rp->rp_posted == 0)
		net_kick();
}

struct pbuf *
rxslot_pbuf(struct rxslot *rs, size_t off, size_t len)
{
	struct pbuf *p;

	rs->rs_pbuf.custom_free_function = rxslot_free;
	p = pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_RAM, &rs->rs_pbuf,
	    rxslot_data(rs) + off, (u16_t)len);
	if (p != NULL)
		rs->rs_pool->rp_lent++;
	return p;
}

struct rxslot *
rxslot_of(struct pbuf *p)
{
	struct rxslot *rs = (struct rxslot *)(void *)p;

	if ((p->flags & PBUF_FLAG_IS_CUSTOM) == 0 ||
	    rs->rs_pbuf.custom_free_function != rxslot_free)
		return NULL;
	return rs;
}
