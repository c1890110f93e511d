/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "draw.h"
#include "queue.h"

/* A chain that is to be enqueued. */
struct chain {
	struct pv_piece ch_pieces[MAXPIECES];
	unsigned int ch_n, ch_nout;
	unsigned int ch_segs;
	uint32_t ch_outlen, ch_inlen;	/* bytes */
};

static const struct pv_feature_table no_features;
static int nheard;

static void
heard(void *arg)
{
	(void)arg;
	nheard++;
}

struct pv_virtq *
queue_make(struct rig *rg, const struct queue_config *cf,
    struct port_buf **bufs)
{
	struct pv_virtq_params vp = { .vp_name = "fuzz", .vp_size = SIZE,
	    .vp_maxpieces = MAXPIECES, .vp_maxsegs = MAXSEGS,
	    .vp_policy = cf->policy, .vp_intr = heard };
	struct pv_virtq *vq;
	unsigned int i;

	port.po_shadow = cf->shadow;
	port.po_segsize = cf->segsize;
	for (i = 0; i < NBUFS; i++)
		bufs[i] = port_buf_new(256);
	port.po_segsize = 0;
	rig_new(rg, PV_TYPE_ENTROPY);
	rg->rg_legacy = cf->legacy;
	if (cf->legacy)
		rg->rg_offered = 0;
	rg->rg_offered |= cf->features;
	must(pv_virtio_negotiate(rig_init(rg), &no_features, NULL) == 0);
	must((pv_virtio_features(&rg->rg_dev) & cf->features) == cf->features);
	must(pv_virtq_alloc(&rg->rg_dev, 0, &vp, &vq) == 0);
	must(pv_virtio_start(&rg->rg_dev) == 0);
	return vq;
}

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

static void
draw_chain(struct chain *ch, struct port_buf *const *bufs)
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

/* Whether it can be enqueued, with so many free, in *ndesc of them. */
static int
chain_result(const struct chain *ch, int tables, unsigned int nfree,
    unsigned int *ndesc)
{
	*ndesc = tables && (ch->ch_n > 1 || ch->ch_segs > 1) ? 1 : ch->ch_segs;
	if (nfree == 0)
		return ENOBUFS;
	if (ch->ch_segs > MAXSEGS)
		return EFBIG;
	return *ndesc > nfree ? ENOBUFS : 0;
}

struct cookie *
queue_enqueue(struct pv_virtq *vq, struct cookie *cookies,
    struct port_buf *const *bufs, int tables, unsigned int nfree, int broken)
{
	struct cookie *c = cookies;
	struct chain ch;
	int want;

	while (c < cookies + NCOOKIES && c->state != IDLE)
		c++;
	must(c < cookies + NCOOKIES);
	draw_chain(&ch, bufs);
	c->outlen = ch.ch_outlen;
	c->inlen = ch.ch_inlen;
	want = chain_result(&ch, tables, nfree, &c->ndesc);
	if (broken)
		want = EIO;
	must(pv_virtq_enqueue(vq, ch.ch_pieces, ch.ch_nout,
	    ch.ch_n - ch.ch_nout, c) == want);
	if (want != 0)
		return NULL;
	c->state = ENQUEUED;
	c->given = 0;
	return c;
}

void
queue_drain(struct pv_virtq *vq, struct cookie *cookies)
{
	struct cookie *c;
	unsigned int i;

	while ((c = pv_virtq_drain(vq)) != NULL) {
		must(c >= cookies && c < cookies + NCOOKIES);
		must(c->state != IDLE);
		c->state = IDLE;
	}
	for (i = 0; i < NCOOKIES; i++)
		must(cookies[i].state == IDLE);
	must(pv_virtq_outstanding(vq) == 0);
}

void
queue_restart(struct rig *rg, struct pv_virtq *vq, struct cookie *cookies)
{
	must(pv_virtio_stop(&rg->rg_dev) == 0);
	queue_drain(vq, cookies);
	must(pv_virtio_negotiate(&rg->rg_dev, &no_features, NULL) == 0);
	must(pv_virtq_restart(vq) == 0);
	must(pv_virtio_start(&rg->rg_dev) == 0);
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

void
queue_step(const struct queue_scene *qs, struct rig *rg, struct pv_virtq *vq,
    const int *broken)
{
	switch (draw(16)) {
	case 0: case 1: case 2:
		qs->enqueue();
		break;
	case 3: case 4:
		qs->publish();
		break;
	case 5: case 6: case 7:
		qs->dequeue();
		break;
	case 8:
		qs->enable(draw(SIZE + 2));
		break;
	case 9:
		pv_virtq_intr_disable(vq);
		must((pv_virtq_pending(vq) != 0) ==
		    (*broken || qs->pending()));
		break;
	case 10:
		queue_poll(rg, *broken, !*broken && qs->pending());
		break;
	case 11:
		qs->seldom();
		break;
	case 12:
		qs->device();
		break;
	default:
		qs->honest();
	}
	must((pv_virtio_broken(&rg->rg_dev) != NULL) == *broken);
}
