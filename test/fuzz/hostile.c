/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "hostile.h"

#define MAXHELD	1024
#define NLATER	8
#define NPAST	16

struct rig rig;
int nbroken;
static unsigned int nticks;
static unsigned int rogue;		/* since the last reset */
static unsigned int held_resets, nheld;
static struct held {
	bus_addr_t addr;
	uint32_t len;
	unsigned int queue;
	uint16_t head;
	uint8_t writable;
} held[MAXHELD];

/* Given back, but not said so yet. */
static struct later {
	unsigned int queue;
	uint16_t head;
	uint32_t len;
} later[NLATER];
static unsigned int nlater;

/* What it had and gave back; it may know the address still. */
static struct held past[NPAST];
static unsigned int npast;

void
hostile_broken(void *arg, const char *why)
{
	(void)arg;
	must(why != NULL);
	nbroken++;
}

void
hostile_intr(void *arg)
{
	(void)arg;
	holds(RULE_INTERRUPT, hostile_lost() ||
	    (rig.rg_status & PV_STATUS_DRIVER_OK) != 0);
}

int
hostile_lost(void)
{
	return rig.rg_gone || rig.rg_stuck;
}

static void
forget_after_reset(void)
{
	if (hostile_lost())
		return;
	if (held_resets != rig.rg_resets)
		nheld = nlater = npast = rogue = 0;
	held_resets = rig.rg_resets;
}

static void
hold(unsigned int queue, const struct rig_chain *rc)
{
	unsigned int i;

	for (i = 0; i < rc->rc_nsegs && nheld < MAXHELD; i++)
		held[nheld++] = (struct held){ rc->rc_segs[i].addr,
		    rc->rc_segs[i].len, queue, rc->rc_head, i >= rc->rc_nout };
}

/* In order, one that is given back takes along all that were taken before it. */
static unsigned int
last_to_go(unsigned int queue, uint16_t head)
{
	unsigned int i = nheld;

	while (rig_has(&rig, PV_F_IN_ORDER) && i-- > 0)
		if (held[i].queue == queue && held[i].head == head)
			return i + 1;
	return 0;
}

static void
let_go(unsigned int queue, uint16_t head)
{
	unsigned int i, n = 0, last = last_to_go(queue, head);

	for (i = 0; i < nheld; i++) {
		if (held[i].queue != queue ||
		    (held[i].head != head && i >= last))
			held[n++] = held[i];
		else if (held[i].writable)
			past[npast++ % NPAST] = held[i];
	}
	nheld = n;
}

void
hostile_held(void)
{
	unsigned int i;

	forget_after_reset();
	for (i = 0; i < nheld; i++) {
		holds(RULE_REUSE, port_dma_kva(held[i].addr, held[i].len) !=
		    NULL);
		if (hostile_lost())
			holds(RULE_REMOVAL, port_dma_kva(held[i].addr,
			    held[i].len) != NULL);
	}
}

int
hostile_has(const struct port_buf *pb)
{
	const bus_dma_segment_t *seg = pb->pb_map->dm_segs;
	unsigned int i;
	int s;

	forget_after_reset();
	for (i = 0; i < nheld; i++)
		for (s = 0; s < pb->pb_map->dm_nsegs; s++)
			if (held[i].addr >= seg[s].ds_addr &&
			    held[i].addr - seg[s].ds_addr < seg[s].ds_len)
				return 1;
	return 0;
}

/*
 * Once it has given back a chain that it was not asked about, it can't know
 * what is its own still: then it takes no more until a reset.
 */
static void
lose_the_thread(void)
{
	forget_after_reset();
	rogue = 1;
	rig_lost(&rig);
	nheld = nlater = 0;
}

void
hostile_queue_reset(unsigned int queue)
{
	unsigned int i, n = 0;

	forget_after_reset();
	for (i = 0; i < nheld; i++)
		if (held[i].queue != queue)
			held[n++] = held[i];
	nheld = n;
	for (i = n = 0; i < nlater; i++)
		if (later[i].queue != queue)
			later[n++] = later[i];
	nlater = n;
}

int
hostile_take(unsigned int queue, struct rig_chain *rc)
{
	forget_after_reset();
	if (silent || rogue || rig.rg_gone || !rig_take(&rig, queue, rc))
		return 0;
	hostile_held();
	hold(queue, rc);
	return 1;
}

static void
give(unsigned int queue, uint16_t head, uint32_t len)
{
	uint32_t id = head;

	let_go(queue, head);
	if (lies())
		len = strange();
	if (lies()) {
		id = strange();
		lose_the_thread();
	}
	rig_give(&rig, queue, id, len);
	/* Chains that it was not shown yet may be among those. */
	if (lies() && lies()) {
		rig_used_index(&rig, queue, (uint16_t)strange());
		lose_the_thread();
	}
}

static void
give_later(void)
{
	struct later l;
	unsigned int i;

	forget_after_reset();
	if (nlater == 0 || silent || rig.rg_gone)
		return;
	i = draw(nlater);
	l = later[i];
	later[i] = later[--nlater];
	give(l.queue, l.head, l.len);
}

void
hostile_give(unsigned int queue, const struct rig_chain *rc, uint32_t len)
{
	hostile_held();
	/* It keeps this one, for ever. */
	if (lies() && lies())
		return;
	if (nlater < NLATER && lies())
		later[nlater++] = (struct later){ queue, rc->rc_head, len };
	else
		give(queue, rc->rc_head, len);
}

/*
 * While a driver waits. After a while other machines take the processor, so
 * that a wait in vain does not cost a scene thousands of looks.
 */
static void
at_tick(void *arg)
{
	(void)arg;
	if (++nticks > 50)
		port.po_now_ns += 10000000;
	if (nlater > 0 && draw(4) != 0) {
		give_later();
		rig_interrupt(&rig, PV_INTR_QUEUE);
	}
}

static int
is_packed(void)
{
	return rig_has(&rig, PV_F_RING_PACKED);
}

/* Any bytes of the used ring, and of the event behind it; or of a packed one. */
static void
write_ring(void)
{
	const struct rig_queue *rq = &rig.rg_queues[draw(3)];
	const struct pv_queue_place *qp = &rq->rq_place;
	unsigned int len, off, n;
	uint8_t bytes[8];

	if (!rq->rq_enabled || rig.rg_gone)
		return;
	len = is_packed() ? 16 * qp->qp_size : 4 + 8 * qp->qp_size + 2;
	off = draw(2) ? draw(12) : draw(len);
	n = 1 + draw(8);
	if (n > len - off)
		n = len - off;
	scribble(bytes, n);
	lose_the_thread();
	port_dma_write((is_packed() ? qp->qp_desc : qp->qp_device) + off, bytes,
	    n);
}

/*
 * What no I/O MMU keeps it from where a map is coherent: the driver's own part
 * of a ring, and what it gave back.
 */
static void
write_beyond(void)
{
	const struct pv_queue_place *qp = &rig.rg_queues[draw(3)].rq_place;
	const struct held *h = &past[draw(NPAST)];
	uint8_t *p, *area;
	unsigned int n;

	if (port_bus != &port_plain_bus || port.po_shadow || rig.rg_gone)
		return;
	forget_after_reset();
	if (draw(2) && qp->qp_size != 0 &&
	    (p = port_dma_kva(qp->qp_desc, 16 * qp->qp_size)) != NULL) {
		scribble(p, 16 * qp->qp_size);
		n = is_packed() ? 4 : 4 + 2 * qp->qp_size;
		area = port_dma_kva(qp->qp_driver, n);
		if (area != NULL)
			scribble(area, n);
		lose_the_thread();
	} else if (npast > 0 && h->len > 0 &&
	    (p = port_dma_kva(h->addr, h->len)) != NULL)
		p[draw(h->len)] = (uint8_t)draw(256);
}

/* Bytes of what is its own to write. */
static void
write_held(void)
{
	const struct held *h;
	uint8_t byte;

	forget_after_reset();
	if (nheld == 0 || rig.rg_gone)
		return;
	h = &held[draw(nheld)];
	byte = (uint8_t)draw(256);
	if (h->writable && h->len > 0)
		port_dma_write(h->addr + draw(h->len < 64 ? h->len : 64),
		    &byte, 1);
}

static void
at_barrier(char kind, bool outer)
{
	(void)kind;
	(void)outer;
	if (!lies() || !lies())
		return;
	switch (draw(4)) {
	case 0:
		write_ring();
		break;
	case 1:
		write_beyond();
		break;
	case 2:
		write_held();
		break;
	default:
		give_later();
	}
}

static void
write_config(void)
{
	scribble(rig.rg_config + draw(rig.rg_configlen - 16), 16);
	rig.rg_generation += draw(2);
}

static void
config_read(struct rig *rg, unsigned int off)
{
	(void)off;
	if (lies() && lies())
		write_config();
	if (lies() && lies())
		rig_interrupt(rg, draw(4));
}

static void
features_ok(struct rig *rg)
{
	if (lies())
		rig_interrupt(rg, draw(4));
	if (lies() && lies())
		rg->rg_insist = strange();
}

/* What a queue may have; few enough for all that goes wrong where room ends. */
static unsigned int
any_size(void)
{
	return draw(4) ? 1 + draw(9) : strange() & 0xfff;
}

void
hostile_whim(void)
{
	forget_after_reset();
	give_later();
	if (lies())
		rig_interrupt(&rig, draw(4));
	if (lies() && lies())
		rig.rg_status |= PV_STATUS_NEEDS_RESET;
	if (lies())
		write_config();
	if (lies() && lies())
		rig.rg_offered = (PV_F_BIT(PV_F_VERSION_1) | strange() |
		    (uint64_t)strange() << 32) &
		    ~PV_F_BIT(PV_F_RING_PACKED);
	if (lies() && lies())
		write_ring();
	if (lies() && lies())
		rig.rg_queues[draw(RIG_NQUEUES)].rq_max = any_size();
	if (lies() && lies())
		write_beyond();
	if (lies())
		write_held();
	if (lies() && lies() && lies())
		silent = 1;
	if (lies() && lies() && lies())
		rig.rg_gone = 1;
	if (lies() && lies() && lies())
		rig.rg_stuck = 1;
}

static const uint64_t packed_with = PV_F_BIT(PV_F_EVENT_IDX) |
    PV_F_BIT(PV_F_INDIRECT_DESC);

void
hostile_begin(unsigned int type)
{
	unsigned int i;

	port_reset();
	malice = draw(3) == 0 ? 0 : 1 + draw(64);
	peace = draw(2) ? 0 : draw(256);
	silent = 0;
	rig_new(&rig, type);
	rig.rg_intr = (int)draw(2);
	rig.rg_config_read = config_read;
	rig.rg_features_ok = features_ok;
	port.po_shadow = (int)draw(2);
	port.po_segsize = draw(2) ? 65536 : 0;
	port.po_tick = at_tick;
	if (malice != 0 && draw(2))
		port_barrier_hook = at_barrier;
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_EVENT_IDX);
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_IN_ORDER);
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_RING_RESET);
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_NOTIFICATION_DATA);
	for (i = draw(2) * RIG_NQUEUES; i < RIG_NQUEUES; i++)
		rig.rg_queues[i].rq_max = any_size();
	/* A whim takes it away again: rings of two kinds in one life. */
	if ((rig.rg_offered & packed_with) == packed_with && !port.po_shadow)
		rig.rg_offered |= PV_F_BIT(PV_F_RING_PACKED);
	nbroken = 0;
	rogue = nticks = 0;
	nheld = nlater = npast = held_resets = 0;
}

void
hostile_scarce(void)
{
	if (draw(8) == 0)
		port.po_fail_after = (int)draw(24);
}

void
hostile_plenty(void)
{
	port.po_fail_after = -1;
}

int
hostile_gone(void)
{
	forget_after_reset();
	if (hostile_lost())
		return 1;
	if (draw(8) != 0)
		return 0;
	if (draw(2))
		rig.rg_gone = 1;
	else
		rig.rg_stuck = 1;
	return 1;
}

void
hostile_buf_free(struct port_buf *pb)
{
	if (hostile_lost())
		port_buf_lose(pb);
	else
		port_buf_free(pb);
}

void
hostile_end(void)
{
	port_barrier_hook = NULL;
	if (!hostile_lost())
		must(port_check() == 0);
	else
		must(port_check_rules() == 0);
}
