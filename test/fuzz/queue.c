/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "draw.h"
#include "queue.h"

static int nheard;

static unsigned int
pieces_segs(const struct pv_piece *pc, unsigned int n)
{
	const bus_dma_segment_t *seg;
	bus_size_t off, left;
	unsigned int count = 0;

	for (; n > 0; n--, pc++) {
		seg = pc->pc_map->dm_segs;
		for (off = pc->pc_off; off >= seg->ds_len; seg++)
			off -= seg->ds_len;
		for (left = pc->pc_len; ; seg++) {
			count++;
			if (left <= seg->ds_len - off)
				break;
			left -= seg->ds_len - off;
			off = 0;
		}
	}
	return count;
}

void
queue_draw_chain(struct chain *ch, struct port_buf *const *bufs)
{
	struct pv_piece *pc = ch->ch_pieces;
	unsigned int i;

	ch->ch_n = 1 + draw(MAXPIECES);
	ch->ch_nout = draw(ch->ch_n + 1);
	ch->ch_outlen = ch->ch_inlen = 0;
	for (i = 0; i < ch->ch_n; i++, pc++) {
		pc->pc_map = bufs[draw(NBUFS)]->pb_map;
		pc->pc_off = draw(200);
		pc->pc_len = 1 + draw(256 - (uint32_t)pc->pc_off);
		*(i < ch->ch_nout ? &ch->ch_outlen : &ch->ch_inlen) +=
		    (uint32_t)pc->pc_len;
	}
	ch->ch_segs = pieces_segs(ch->ch_pieces, ch->ch_n);
}

int
queue_chain_result(const struct chain *ch, int tables, unsigned int nfree,
    unsigned int *ndesc)
{
	*ndesc = tables && (ch->ch_n > 1 || ch->ch_segs > 1) ? 1 : ch->ch_segs;
	if (nfree == 0)
		return ENOBUFS;
	if (ch->ch_segs > MAXSEGS)
		return EFBIG;
	return *ndesc > nfree ? ENOBUFS : 0;
}

void
queue_heard(void *arg)
{
	(void)arg;
	nheard++;
}

void
queue_poll(struct rig *rg, int broken, int pending)
{
	nheard = 0;
	rig_interrupt(rg, PV_INTR_QUEUE);
	holds(RULE_INTERRUPT, nheard == !broken);
	nheard = 0;
	must(pv_virtio_poll(&rg->rg_dev) == pending);
	holds(RULE_INTERRUPT, nheard == pending);
}
