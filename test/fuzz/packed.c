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

static const struct config {
	uint64_t features;
	bus_size_t segsize;
	enum pv_virtq_policy policy;
} configs[NRINGS] = {
	{ 0, 0, PV_VIRTQ_REFUSE },
	{ F(EVENT_IDX), 100, PV_VIRTQ_CLAMP },
	{ F(EVENT_IDX) | F(INDIRECT_DESC), 100, PV_VIRTQ_REFUSE },
	{ F(IN_ORDER), 0, PV_VIRTQ_REFUSE },
	{ F(IN_ORDER) | F(EVENT_IDX), 100, PV_VIRTQ_CLAMP },
	{ F(IN_ORDER) | F(INDIRECT_DESC), 100, PV_VIRTQ_REFUSE },
};

struct cookie {
	enum { IDLE, ENQUEUED, OUTSTANDING } state;
	uint32_t inlen;
	unsigned int ndesc, id;
	int given;			/* by an honest device */
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
	const struct config *cf;
	struct port_buf *bufs[NBUFS];
	struct rig rig;
	struct pv_virtq *vq;
	struct model m;
} rings[NRINGS], *r;

static const struct pv_feature_table no_features;

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
	struct cookie *c = r->m.cookies;
	struct chain ch;
	unsigned int ndesc;
	int want;

	while (c < r->m.cookies + NCOOKIES && c->state != IDLE)
		c++;
	must(c < r->m.cookies + NCOOKIES);
	queue_draw_chain(&ch, r->bufs);
	c->inlen = ch.ch_inlen;
	want = queue_chain_result(&ch, has(F(INDIRECT_DESC)),
	    r->m.nfree, &ndesc);
	if (r->m.broken)
		want = EIO;
	must(pv_virtq_enqueue(r->vq, ch.ch_pieces, ch.ch_nout,
	    ch.ch_n - ch.ch_nout, c) == want);
	if (want != 0)
		return;
	c->state = ENQUEUED;
	c->given = 0;
	c->ndesc = ndesc;
	judge_id(c);
	r->m.order[r->m.norder++] = (int)(c - r->m.cookies);
	r->m.nfree -= ndesc;
	r->m.unshown += ndesc;
	step_on(&r->m.next, ndesc);
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

/* Each cookie comes back once; then nothing of the old life counts. */
static void
driver_drain(void)
{
	struct cookie *c;
	unsigned int i;

	while ((c = pv_virtq_drain(r->vq)) != NULL) {
		must(c >= r->m.cookies && c < r->m.cookies + NCOOKIES);
		must(c->state != IDLE);
		c->state = IDLE;
	}
	for (i = 0; i < NCOOKIES; i++)
		must(r->m.cookies[i].state == IDLE);
	must(pv_virtq_outstanding(r->vq) == 0);
}

static void
begin_model(void)
{
	memset(&r->m, 0, sizeof(r->m));
	r->m.nfree = SIZE;
	r->m.next.pa_wrap = r->m.used.pa_wrap = r->m.device.pa_wrap = 1;
}

static void
driver_restart(void)
{
	must(pv_virtio_stop(&r->rig.rg_dev) == 0);
	driver_drain();
	must(pv_virtio_negotiate(&r->rig.rg_dev, &no_features, NULL) == 0);
	must(pv_virtq_restart(r->vq) == 0);
	must(pv_virtio_start(&r->rig.rg_dev) == 0);
	begin_model();
}

static void
driver_poll(void)
{
	int pending = !r->m.broken && is_pending();

	queue_poll(&r->rig, r->m.broken, pending);
}

/* All of the ring, and what the driver says of its wishes. */
static void
device_tramples(void)
{
	scribble(port_dma_kva(place()->qp_desc, PK_LEN * SIZE),
	    PK_LEN * SIZE);
	scribble(port_dma_kva(place()->qp_driver, 4), 4);
}

static void
step(void)
{
	switch (draw(16)) {
	case 0: case 1: case 2:
		driver_enqueue();
		break;
	case 3: case 4:
		driver_publish();
		break;
	case 5: case 6: case 7:
		driver_dequeue();
		break;
	case 8:
		driver_enable(draw(SIZE + 2));
		break;
	case 9:
		pv_virtq_intr_disable(r->vq);
		must((pv_virtq_pending(r->vq) != 0) ==
		    (r->m.broken || is_pending()));
		break;
	case 10:
		driver_poll();
		break;
	case 11:
		if (draw(8) == 0)
			device_tramples();
		break;
	case 12:
		device_step();
		break;
	default:
		device_is_honest();
	}
	must((pv_virtio_broken(&r->rig.rg_dev) != NULL) == r->m.broken);
	holds(RULE_PRIVATE, pv_virtq_room(r->vq) == r->m.nfree);
}

static void
make(const struct config *cf)
{
	struct pv_virtq_params vp = { .vp_name = "fuzz", .vp_size = SIZE,
	    .vp_maxpieces = MAXPIECES, .vp_maxsegs = MAXSEGS,
	    .vp_policy = cf->policy, .vp_intr = queue_heard };
	unsigned int i;

	r->cf = cf;
	port.po_segsize = cf->segsize;
	for (i = 0; i < NBUFS; i++)
		r->bufs[i] = port_buf_new(256);
	port.po_segsize = 0;
	rig_new(&r->rig, PV_TYPE_ENTROPY);
	r->rig.rg_offered |= F(RING_PACKED) | cf->features;
	must(pv_virtio_negotiate(rig_init(&r->rig), &no_features, NULL) == 0);
	must(pv_virtio_has(&r->rig.rg_dev, PV_F_RING_PACKED));
	must(pv_virtq_alloc(&r->rig.rg_dev, 0, &vp, &r->vq) == 0);
	must(pv_virtio_start(&r->rig.rg_dev) == 0);
	begin_model();
}

static void
make_all(void)
{
	unsigned int i;

	port_reset();
	draw_dull(1);
	for (i = 0; i < NRINGS; i++) {
		r = &rings[i];
		make(&configs[i]);
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
	for (i = 0; draw_more(i); i++)
		step();
	draw_dull(1);
	driver_restart();
	draw_dull(0);
	must(port_check_rules() == 0);
}
