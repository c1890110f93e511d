/* SPDX-License-Identifier: ISC */
/*
 * A packed virtqueue, against a model that knows what each call must return, as
 * ring.c has it for a split one: every byte of the ring and of the device's event
 * suppression comes from the source, at the queue's own barriers too. What the
 * driver looks at lies in memory that both write, so the model looks there itself:
 * at flags before a call, at the rest after it.
 *
 * A queue goes round every few chains, so that none has to be made old.
 */
#include <string.h>

#include "draw.h"
#include "packed.h"
#include "port.h"
#include "queue.h"
#include "rig.h"

#include <paravane/virtq.h>

#define NRINGS	6
#define BOTH	(PK_AVAIL | PK_USED)

#define F(name)	PV_F_BIT(PV_F_##name)

static const struct queue_config configs[NRINGS] = {
	{ F(RING_PACKED), 0, 0, 0, PV_VIRTQ_REFUSE },
	{ F(RING_PACKED) | F(EVENT_IDX), 0, 0, 100, PV_VIRTQ_CLAMP },
	{ F(RING_PACKED) | F(EVENT_IDX) | F(INDIRECT_DESC), 0, 0, 100,
	    PV_VIRTQ_REFUSE },
	{ F(RING_PACKED) | F(IN_ORDER), 0, 0, 0, PV_VIRTQ_REFUSE },
	{ F(RING_PACKED) | F(IN_ORDER) | F(EVENT_IDX), 0, 0, 100,
	    PV_VIRTQ_CLAMP },
	{ F(RING_PACKED) | F(IN_ORDER) | F(INDIRECT_DESC), 0, 0, 100,
	    PV_VIRTQ_REFUSE },
};

struct model {
	struct cookie cookies[NCOOKIES];
	int order[NCOOKIES];		/* all that is enqueued, in order */
	unsigned int norder, npublished;
	unsigned int nfree;
	struct pk_at next, used;	/* the driver's */
	struct pk_at device;	/* where an honest device writes */
	unsigned int batch;		/* IN_ORDER: still to be taken of one */
	uint32_t batchlen;
	unsigned int unshown;		/* descriptors since publish */
	int broken;
};

static struct ring {
	const struct queue_config *cf;
	struct port_buf *bufs[NBUFS];
	struct rig rig;
	struct pv_virtq *vq;
	struct model m;
} rings[NRINGS], *r;

static const struct pv_queue_place *
place(void)
{
	return &r->rig.rg_queues[0].rq_place;
}

static int
has(uint64_t feature)
{
	return (r->cf->features & feature) != 0;
}

static void
step_on(struct pk_at *pa, unsigned int n)
{
	pk_step(&r->rig.rg_queues[0].rq_packed, pa, n);
}

/* Memory, as it is: no access of the device's. */
static unsigned int
field(unsigned int pos, unsigned int off, unsigned int width)
{
	const uint8_t *p = port_dma_kva(place()->qp_desc, PK_LEN * SIZE);
	uint32_t v = 0;

	memcpy(&v, p + PK_LEN * pos + off, width);
	return v;
}

static uint32_t
device_event(void)
{
	uint32_t v;

	memcpy(&v, port_dma_kva(place()->qp_device, 4), 4);
	return v;
}

/* The device */

static void
device_writes(unsigned int pos, unsigned int id, uint32_t len,
    unsigned int flags)
{
	bus_addr_t at = place()->qp_desc + PK_LEN * pos;
	uint16_t half[2] = { (uint16_t)id, (uint16_t)flags };

	port_dma_write(at + 8, &len, 4);
	port_dma_write(at + 12, half, 4);
}

/* Any chain that is its own; with IN_ORDER all up to it. */
static void
device_is_honest(void)
{
	unsigned int i, n = 0, pick, ndescs = 0, first = r->m.device.pa_pos;
	unsigned int flags = r->m.device.pa_wrap ? BOTH : 0;
	struct cookie *c;

	for (i = 0; i < r->m.npublished; i++)
		n += !r->m.cookies[r->m.order[i]].given;
	if (n == 0)
		return;
	pick = draw(n);
	for (i = 0;; i++) {
		c = &r->m.cookies[r->m.order[i]];
		if (c->given)
			continue;
		if (pick == 0 || has(F(IN_ORDER))) {
			c->given = 1;
			ndescs += c->ndesc;
		}
		if (pick-- == 0)
			break;
	}
	device_writes(first, c->id, c->inlen == 0 ? 0 : draw(c->inlen + 1),
	    flags | (draw(2) ? PK_WRITE : 0));
	step_on(&r->m.device, ndescs);
}

static void
device_lies(void)
{
	unsigned int flags = (unsigned int)strange();

	if (draw(2))
		flags = (r->m.used.pa_wrap ? BOTH : 0) | draw(8);
	device_writes(draw(2) ? r->m.used.pa_pos : draw(SIZE),
	    draw(2) ? draw(SIZE + 1) : strange(), strange(), flags);
}

static void
device_step(void)
{
	uint8_t bytes[8];
	uint32_t event;
	unsigned int off, len;

	switch (draw(6)) {
	case 0:
		device_lies();
		break;
	case 1:
		event = draw(2) ? strange() : (uint32_t)(draw(4) << 16 |
		    draw(2) << 15 | draw(SIZE + 1));
		port_dma_write(place()->qp_device, &event, 4);
		break;
	case 2:
		off = draw(PK_LEN * SIZE);
		len = 1 + draw(8);
		if (len > PK_LEN * SIZE - off)
			len = PK_LEN * SIZE - off;
		scribble(bytes, len);
		port_dma_write(place()->qp_desc + off, bytes, len);
		break;
	case 3:
		r->m.device = r->m.used;
		if (draw(4) == 0)
			step_on(&r->m.device, draw(SIZE));
		break;
	default:
		device_is_honest();
	}
}

static void
at_barrier(char kind, bool outer)
{
	(void)kind;
	(void)outer;
	if (draw(8) == 0)
		device_step();
}

/* The driver */

/* An id of its own, in the last descriptor that was put there. */
static void
judge_id(struct cookie *c)
{
	struct pk_at last = r->m.next;
	unsigned int i;

	step_on(&last, c->ndesc - 1);
	c->id = field(last.pa_pos, 12, 2);
	holds(RULE_PRIVATE, c->id < SIZE);
	for (i = 0; i < r->m.norder; i++)
		holds(RULE_PRIVATE, r->m.cookies[r->m.order[i]].id != c->id);
}

static void
driver_enqueue(void)
{
	struct cookie *c = queue_enqueue(r->vq, r->m.cookies, r->bufs,
	    has(F(INDIRECT_DESC)), r->m.nfree, r->m.broken);

	if (c == NULL)
		return;
	judge_id(c);
	r->m.order[r->m.norder++] = (int)(c - r->m.cookies);
	r->m.nfree -= c->ndesc;
	r->m.unshown += c->ndesc;
	step_on(&r->m.next, c->ndesc);
}

static int
wants_doorbell(void)
{
	uint32_t event = device_event();
	uint16_t off = event & 0x7fff;

	if ((event >> 16 & 3) == PK_EVENT_DISABLE)
		return 0;
	if ((event >> 16 & 3) != PK_EVENT_DESC || !has(F(EVENT_IDX)))
		return 1;
	if ((event >> 15 & 1) != r->m.next.pa_wrap)
		off = (uint16_t)(off - SIZE);
	return (uint16_t)(r->m.next.pa_pos - off - 1) < r->m.unshown;
}

static void
driver_publish(void)
{
	unsigned int i, rung = r->rig.rg_queues[0].rq_notified;
	int want = 0, got;

	got = pv_virtq_publish(r->vq);
	if (r->m.norder != r->m.npublished && !r->m.broken) {
		want = wants_doorbell();
		for (i = r->m.npublished; i < r->m.norder; i++)
			r->m.cookies[r->m.order[i]].state = OUTSTANDING;
		r->m.npublished = r->m.norder;
		r->m.unshown = 0;
	}
	must(got == want);
	must(r->rig.rg_queues[0].rq_notified == rung + (unsigned int)want);
}

static int
is_used(void)
{
	return (field(r->m.used.pa_pos, 14, 2) & BOTH) ==
	    (r->m.used.pa_wrap ? BOTH : 0);
}

static int
is_pending(void)
{
	return r->m.batch != 0 || is_used();
}

/* Which of those that are out is named, in order; -1: none. *len is clamped. */
static int
named(unsigned int flags, uint32_t *len)
{
	unsigned int id = field(r->m.used.pa_pos, 12, 2), i;
	const struct cookie *c = NULL;

	*len = field(r->m.used.pa_pos, 8, 4);
	for (i = 0; i < r->m.npublished; i++) {
		c = &r->m.cookies[r->m.order[i]];
		if (c->id == id)
			break;
	}
	if (i == r->m.npublished)
		return -1;
	if (*len > c->inlen && !(flags & PK_WRITE))
		*len = 0;
	if (*len > c->inlen) {
		if (r->cf->policy == PV_VIRTQ_REFUSE)
			return -1;
		*len = c->inlen;
	}
	return (int)i;
}

static void
take_out(unsigned int i, const struct pv_used *us, uint32_t len)
{
	struct cookie *c = &r->m.cookies[r->m.order[i]];

	holds(RULE_ID, us->us_cookie == c);
	holds(RULE_LENGTH, us->us_len == len);
	c->state = IDLE;
	r->m.nfree += c->ndesc;
	step_on(&r->m.used, c->ndesc);
	memmove(&r->m.order[i], &r->m.order[i + 1],
	    (r->m.norder - i - 1) * sizeof(r->m.order[0]));
	r->m.norder--;
	r->m.npublished--;
}

static void
driver_dequeue(void)
{
	unsigned int flags = field(r->m.used.pa_pos, 14, 2);
	int used = is_used(), got, i = 0;
	struct pv_used us;
	uint32_t len;

	got = pv_virtq_dequeue(r->vq, &us);
	if (r->m.broken) {
		holds(RULE_BOUNDED, got == EIO);
		return;
	}
	if (r->m.batch == 0) {
		if (!used) {
			must(got == EAGAIN);
			return;
		}
		i = named(flags, &len);
		if (i < 0) {
			holds(RULE_ID, got == EIO);
			r->m.broken = 1;
			return;
		}
		r->m.batch = 1;
		r->m.batchlen = len;
		if (has(F(IN_ORDER))) {
			r->m.batch = (unsigned int)i + 1;
			i = 0;
		}
	}
	must(got == 0);
	len = --r->m.batch == 0 ? r->m.batchlen :
	    r->m.cookies[r->m.order[i]].inlen;
	take_out((unsigned int)i, &us, len);
}

static void
driver_enable(unsigned int n)
{
	int got = n == 0 ? pv_virtq_intr_enable(r->vq) :
	    pv_virtq_intr_delay(r->vq, n);

	must((got != 0) == is_pending());
}

static void
begin_model(void)
{
	memset(&r->m, 0, sizeof(r->m));
	r->m.nfree = SIZE;
	r->m.next.pa_wrap = r->m.used.pa_wrap = r->m.device.pa_wrap = 1;
}

/* All of the ring, and what the driver says of its wishes. */
static void
device_tramples(void)
{
	if (draw(8) != 0)
		return;
	scribble(port_dma_kva(place()->qp_desc, PK_LEN * SIZE),
	    PK_LEN * SIZE);
	scribble(port_dma_kva(place()->qp_driver, 4), 4);
}

static const struct queue_scene scene = {
	driver_enqueue, driver_publish, driver_dequeue, driver_enable,
	is_pending, device_tramples, device_step, device_is_honest
};

static void
make_all(void)
{
	unsigned int i;

	port_reset();
	draw_dull(1);
	for (i = 0; i < NRINGS; i++) {
		r = &rings[i];
		r->cf = &configs[i];
		r->vq = queue_make(&r->rig, r->cf, r->bufs);
		begin_model();
	}
	memset(rule_asked, 0, sizeof(rule_asked));
	draw_dull(0);
	port_barrier_hook = at_barrier;
}

void
scene_packed(void)
{
	unsigned int i;

	if (rings[0].vq == NULL)
		make_all();
	r = &rings[draw(NRINGS)];
	for (i = 0; draw_more(i); i++) {
		queue_step(&scene, &r->rig, r->vq, &r->m.broken);
		holds(RULE_PRIVATE, pv_virtq_room(r->vq) == r->m.nfree);
	}
	draw_dull(1);
	queue_restart(&r->rig, r->vq, r->m.cookies);
	begin_model();
	draw_dull(0);
	must(port_check_rules() == 0);
}
