/* SPDX-License-Identifier: ISC */
/*
 * A split virtqueue, against a model that knows what each call must return:
 * every byte of the used ring, the events and the moment come from the source,
 * at the queue's own barriers too. Some queues are young; others have seen so
 * many chains that their indices are about to wrap.
 *
 * A queue is made once in the process's life. Each scene ends with a stop and a
 * drain; then a snapshot of the queue as it was made takes the place of a
 * negotiation and a restart, which took most of a scene's time.
 */
#include <string.h>

#include "../../lib/core/virtq_var.h"

#include "draw.h"
#include "port.h"
#include "queue.h"
#include "rig.h"

#define TRAMPLED	0x8000u		/* no head is as high */
#define NCONFIGS 8
#define NRINGS	(2 * NCONFIGS)	/* the second half is aged */
#define AGE	(65536 - 5)	/* chains before the wrap comes in sight */
#define DRIVERLEN (4 + 2 * SIZE + 2)
#define USEDLEN	(4 + 8 * SIZE + 2)

static const struct queue_config configs[NCONFIGS] = {
	{ 0, 0, 0, 0, PV_VIRTQ_REFUSE },
	{ PV_F_BIT(PV_F_EVENT_IDX), 0, 0, 100, PV_VIRTQ_CLAMP },
	{ PV_F_BIT(PV_F_EVENT_IDX), 0, 1, 100, PV_VIRTQ_REFUSE },
	{ PV_F_BIT(PV_F_EVENT_IDX) | PV_F_BIT(PV_F_INDIRECT_DESC), 0, 0, 100,
	    PV_VIRTQ_CLAMP },
	{ 0, 1, 1, 0, PV_VIRTQ_DOUBT },
	{ PV_F_BIT(PV_F_EVENT_IDX) | PV_F_BIT(PV_F_INDIRECT_DESC), 1, 0, 100,
	    PV_VIRTQ_REFUSE },
	{ PV_F_BIT(PV_F_IN_ORDER) | PV_F_BIT(PV_F_EVENT_IDX), 0, 1, 100,
	    PV_VIRTQ_CLAMP },
	{ PV_F_BIT(PV_F_IN_ORDER) | PV_F_BIT(PV_F_INDIRECT_DESC), 0, 0, 100,
	    PV_VIRTQ_REFUSE },
};

/* What each call must return follows from this. */
struct model {
	struct cookie cookies[NCOOKIES];
	int owner[SIZE];		/* cookie of the chain from here, + 1 */
	uint8_t used[USEDLEN];		/* what the device has written */
	unsigned int nfree;
	uint16_t posted, published, taken, seen;
	uint16_t device_used;		/* where an honest device goes on */
	int broken, scribbled, restarted;
	uint16_t heads[SIZE];		/* what the driver wrote last, where the
					 * device has trampled on it since */
	int order[NCOOKIES];		/* all that is enqueued, in order */
	unsigned int norder, npublished;
	unsigned int batch;		/* IN_ORDER: still to be taken of one */
	uint32_t batchlen;
	unsigned int nextdesc;		/* likewise: where a chain goes next */
};

static struct ring {
	const struct queue_config *cf;
	struct port_buf *bufs[NBUFS];
	struct rig rig;
	struct pv_virtq *vq;
	struct model m;
	struct {			/* as it was made */
		struct rig rig;
		struct pv_virtq vq;
		struct virtq_entry entries[SIZE];
		uint16_t ids[SIZE], next[SIZE];
		struct ring_desc desc[SIZE];
		uint8_t driver[DRIVERLEN];
		struct model m;
	} was;
} rings[NRINGS], *r;

static uint16_t
used16(unsigned int off)
{
	uint16_t v;

	memcpy(&v, r->m.used + off, sizeof(v));
	return v;
}

static uint32_t
used32(unsigned int off)
{
	uint32_t v;

	memcpy(&v, r->m.used + off, sizeof(v));
	return v;
}

static void
device_write(unsigned int off, const void *p, unsigned int len)
{
	memcpy(r->m.used + off, p, len);
	port_dma_write(r->rig.rg_queues[0].rq_place.qp_device + off, p, len);
}

static void
device_write16(unsigned int off, uint16_t v)
{
	device_write(off, &v, sizeof(v));
}

static int
in_order(void)
{
	return (r->cf->features & PV_F_BIT(PV_F_IN_ORDER)) != 0;
}

/* By one entry, n chains. */
static void
device_gives(uint32_t id, uint32_t len, unsigned int n)
{
	uint32_t elem[2] = { id, len };

	device_write(4 + 8 * (r->m.device_used % SIZE), elem, sizeof(elem));
	r->m.device_used = (uint16_t)(r->m.device_used + n);
	device_write16(2, r->m.device_used);
}

/* All up to any of those that are its own still. */
static void
device_is_orderly(void)
{
	unsigned int given = (uint16_t)(r->m.device_used - r->m.taken);
	unsigned int n;
	const struct cookie *c;

	if (given >= r->m.npublished)
		return;
	n = 1 + draw(r->m.npublished - given);
	c = &r->m.cookies[r->m.order[given + n - 1]];
	device_gives(c->id, c->inlen == 0 ? 0 : draw(c->inlen + 1), n);
}

/* Any chain that is its own, with a length that it may have. */
static void
device_is_honest(void)
{
	unsigned int i, first;
	const struct cookie *c;

	if (in_order()) {
		device_is_orderly();
		return;
	}
	first = draw(SIZE);
	for (i = 0; i < SIZE; i++) {
		if (r->m.owner[(first + i) % SIZE] == 0)
			continue;
		c = &r->m.cookies[r->m.owner[(first + i) % SIZE] - 1];
		if (c->state != OUTSTANDING)
			continue;
		device_gives(c->id, c->inlen == 0 ? 0 : draw(c->inlen + 1),
		    1);
		return;
	}
}

static void
device_step(void)
{
	uint8_t bytes[8];
	unsigned int off, len;

	switch (draw(6)) {
	case 0:
		device_gives(draw(2) ? draw(SIZE + 1) : strange(), strange(),
		    in_order() ? draw(SIZE + 2) : 1);
		break;
	case 1:
		device_write16(2, (uint16_t)strange());
		break;
	case 2:
		device_write16(draw(2) ? 0 : 4 + 8 * SIZE,
		    (uint16_t)(draw(2) ? strange() :
		    (uint32_t)r->m.posted - 4 + draw(8)));
		break;
	case 3:
		off = draw(USEDLEN);
		len = 1 + draw(8);
		if (len > USEDLEN - off)
			len = USEDLEN - off;
		scribble(bytes, len);
		device_write(off, bytes, len);
		break;
	case 4:
		r->m.device_used = (uint16_t)(r->m.taken + draw(2));
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

/* Driver's side */

static uint16_t *
avail_ring(void)
{
	return (uint16_t *)port_dma_kva(r->rig.rg_queues[0].rq_place.qp_driver,
	    4 + 2 * SIZE) + 2;
}

/* An entry that is right already the driver does not write again. */
static uint16_t
avail_entry(unsigned int slot)
{
	uint16_t head = avail_ring()[slot];

	return head & TRAMPLED ? r->m.heads[slot] : head;
}

static void
driver_enqueue(void)
{
	struct cookie *c = queue_enqueue(r->vq, r->m.cookies, r->bufs,
	    (r->cf->features & PV_F_BIT(PV_F_INDIRECT_DESC)) != 0, r->m.nfree,
	    r->m.broken);

	if (c == NULL)
		return;
	c->id = avail_entry(r->m.posted % SIZE);
	holds(RULE_PRIVATE, c->id < SIZE && r->m.owner[c->id] == 0);
	holds(RULE_PRIVATE, !in_order() || c->id == r->m.nextdesc % SIZE);
	r->m.nextdesc += c->ndesc;
	r->m.owner[c->id] = (int)(c - r->m.cookies) + 1;
	r->m.nfree -= c->ndesc;
	r->m.order[r->m.norder++] = (int)(c - r->m.cookies);
	r->m.posted++;
}

/* The device sees each chain as it was enqueued. */
static void
look_at_chain(const struct cookie *c)
{
	static struct rig_chain rc;

	must(rig_take(&r->rig, 0, &rc));
	must(rc.rc_head == c->id);
	must(rc.rc_outlen == c->outlen && rc.rc_inlen == c->inlen);
	/* It has asked for a doorbell at the next. */
	if (r->cf->features & PV_F_BIT(PV_F_EVENT_IDX))
		memcpy(r->m.used + 4 + 8 * SIZE,
		    &r->rig.rg_queues[0].rq_avail, 2);
}

static void
driver_publish(void)
{
	unsigned int i, rung = r->rig.rg_queues[0].rq_notified;
	uint16_t old = r->m.published, event;
	int want = 0, got;

	got = pv_virtq_publish(r->vq);
	if (r->m.posted != r->m.published && !r->m.broken) {
		r->m.published = r->m.posted;
		event = used16(4 + 8 * SIZE);
		if (r->cf->features & PV_F_BIT(PV_F_EVENT_IDX))
			want = (uint16_t)(r->m.posted - event - 1) <
			    (uint16_t)(r->m.posted - old);
		else
			want = (used16(0) & 1) == 0;
		for (i = r->m.npublished; i < r->m.norder; i++)
			r->m.cookies[r->m.order[i]].state = OUTSTANDING;
		i = r->m.npublished;
		for (; i < r->m.norder && !r->m.scribbled && draw(2); i++)
			look_at_chain(&r->m.cookies[r->m.order[i]]);
		if (i < r->m.norder)
			r->m.scribbled = 1;	/* it lost the thread */
		r->m.npublished = r->m.norder;
	}
	must(got == want);
	must(r->rig.rg_queues[0].rq_notified == rung + (unsigned int)want);
}

/* What is right for an entry as it stands; *len is clamped. */
static struct cookie *
right_entry(uint32_t *len)
{
	uint32_t id = used32(4 + 8 * (r->m.taken % SIZE));
	struct cookie *c;

	*len = used32(8 + 8 * (r->m.taken % SIZE));
	if (id >= SIZE || r->m.owner[id] == 0)
		return NULL;
	c = &r->m.cookies[r->m.owner[id] - 1];
	if (c->state != OUTSTANDING)
		return NULL;
	if (*len > c->inlen) {
		if (r->cf->policy == PV_VIRTQ_REFUSE)
			return NULL;
		*len = c->inlen;
	}
	return c;
}

/* Where in the order of those that are enqueued. */
static unsigned int
place_of(const struct cookie *c)
{
	unsigned int i;

	for (i = 0; &r->m.cookies[r->m.order[i]] != c; i++)
		must(i < r->m.norder);
	return i;
}

/* What is right for the next chain, where one entry stands for several. */
static struct cookie *
right_in_order(uint32_t *len)
{
	struct cookie *c;
	unsigned int ahead;

	if (r->m.batch == 0) {
		c = right_entry(&r->m.batchlen);
		if (c == NULL)
			return NULL;
		ahead = place_of(c);
		if (ahead >= (uint16_t)(r->m.seen - r->m.taken))
			return NULL;
		r->m.batch = ahead + 1;
	}
	c = &r->m.cookies[r->m.order[0]];
	*len = --r->m.batch == 0 ? r->m.batchlen : c->inlen;
	return c;
}

static void
take_out(struct cookie *c)
{
	unsigned int i = place_of(c);

	memmove(&r->m.order[i], &r->m.order[i + 1],
	    (r->m.norder - i - 1) * sizeof(r->m.order[0]));
	r->m.norder--;
	r->m.npublished--;
	r->m.owner[c->id] = 0;
	r->m.nfree += c->ndesc;
	r->m.taken++;
	c->state = IDLE;
}

static void
driver_dequeue(void)
{
	uint16_t idx = used16(2), ahead = (uint16_t)(idx - r->m.taken);
	struct pv_used us;
	struct cookie *c;
	uint32_t len;
	int got;

	got = pv_virtq_dequeue(r->vq, &us);
	if (r->m.broken) {
		holds(RULE_BOUNDED, got == EIO);
		return;
	}
	if (r->m.taken == r->m.seen) {
		if (ahead == 0) {
			must(got == EAGAIN);
			return;
		}
		if (ahead > (uint16_t)(r->m.published - r->m.taken)) {
			holds(RULE_INDEX, got == EIO);
			r->m.broken = 1;
			return;
		}
		r->m.seen = idx;
	}
	c = in_order() ? right_in_order(&len) : right_entry(&len);
	if (c == NULL) {
		holds(RULE_ID, got == EIO);
		r->m.broken = 1;
		return;
	}
	must(got == 0);
	holds(RULE_ID, us.us_cookie == c);
	holds(RULE_LENGTH, us.us_len == len);
	take_out(c);
}

static void
driver_enable(unsigned int n)
{
	uint16_t inflight = (uint16_t)(r->m.published - r->m.taken);
	int got = n == 0 ? pv_virtq_intr_enable(r->vq) :
	    pv_virtq_intr_delay(r->vq, n);

	if (n > inflight)
		n = inflight;
	if (n == 0 || !(r->cf->features & PV_F_BIT(PV_F_EVENT_IDX)))
		n = 1;
	must(got == ((uint16_t)(used16(2) - r->m.taken) >= n));
}

static int
is_pending(void)
{
	return used16(2) != r->m.taken;
}

static void
driver_restart(void)
{
	queue_restart(&r->rig, r->vq, r->m.cookies);
	memset(&r->m, 0, sizeof(r->m));
	r->m.nfree = SIZE;
	r->m.restarted = 1;
}

/* All that it can reach of the driver's own side, it tramples on. */
static void
device_tramples(void)
{
	const struct pv_queue_place *qp = &r->rig.rg_queues[0].rq_place;
	unsigned int i;

	if (r->cf->shadow)
		return;
	for (i = 0; i < SIZE; i++)
		r->m.heads[i] = avail_entry(i);
	scribble(port_dma_kva(qp->qp_desc, 16 * SIZE), 16 * SIZE);
	scribble(port_dma_kva(qp->qp_driver, 4 + 2 * SIZE), 4 + 2 * SIZE);
	for (i = 0; i < SIZE; i++)
		avail_ring()[i] |= TRAMPLED;
	r->m.scribbled = 1;
}

static void
seldom(void)
{
	unsigned int i = draw(64);

	/* It takes as long as a scene: once in each is enough. */
	if (i == 0 && !r->m.restarted)
		driver_restart();
	else if (i < 8)
		device_tramples();
}

static const struct queue_scene scene = {
	driver_enqueue, driver_publish, driver_dequeue, driver_enable,
	is_pending, seldom, device_step, device_is_honest
};

/* What the snapshot has, and what it can do without. */
static void
keep(void)
{
	const struct pv_virtq *vq = r->vq;

	r->was.rig = r->rig;
	r->was.vq = *vq;
	memcpy(r->was.entries, vq->vq_entries, sizeof(r->was.entries));
	memcpy(r->was.ids, vq->vq_ids, sizeof(r->was.ids));
	memcpy(r->was.next, vq->vq_next, sizeof(r->was.next));
	memcpy(r->was.desc, vq->vq_desc, sizeof(r->was.desc));
	memcpy(r->was.driver, vq->vq_avail, sizeof(r->was.driver));
	r->was.m = r->m;
}

/* A restart makes tables anew; what is in them is never read again. */
static void
put_back(void)
{
	struct pv_virtq *vq = r->vq;

	r->was.vq.vq_tables = vq->vq_tables;
	r->was.vq.vq_tablemem = vq->vq_tablemem;
	r->rig = r->was.rig;
	*vq = r->was.vq;
	memcpy(vq->vq_entries, r->was.entries, sizeof(r->was.entries));
	memcpy(vq->vq_ids, r->was.ids, sizeof(r->was.ids));
	memcpy(vq->vq_next, r->was.next, sizeof(r->was.next));
	memcpy(vq->vq_desc, r->was.desc, sizeof(r->was.desc));
	memcpy(vq->vq_avail, r->was.driver, sizeof(r->was.driver));
	memcpy(vq->vq_used, r->was.m.used, USEDLEN);
	if (r->cf->shadow) {
		pv_dmamem_sync(&vq->vq_mem, 0, vq->vq_avail_off + DRIVERLEN,
		    BUS_DMASYNC_PREWRITE);
		pv_dmamem_sync(&vq->vq_mem, vq->vq_used_off, USEDLEN,
		    BUS_DMASYNC_PREWRITE | BUS_DMASYNC_PREREAD);
	}
	r->m = r->was.m;
}

/* By an honest device; the model holds the queue to it all the way. */
static void
age(void)
{
	unsigned int i;

	for (i = 0; i < AGE; i++) {
		driver_enqueue();
		driver_publish();
		device_is_honest();
		driver_dequeue();
		must(!r->m.broken && r->m.nfree == SIZE);
	}
	must(r->m.posted == AGE && r->m.taken == AGE);
}

static void
make_all(void)
{
	unsigned int i;

	port_reset();
	draw_dull(1);
	for (i = 0; i < NRINGS; i++) {
		r = &rings[i];
		r->cf = &configs[i % NCONFIGS];
		r->vq = queue_make(&r->rig, r->cf, r->bufs);
		r->m.nfree = SIZE;
		if (i >= NCONFIGS)
			age();
		keep();
	}
	memset(rule_asked, 0, sizeof(rule_asked));
	draw_dull(0);
	port_barrier_hook = at_barrier;
}

void
scene_ring(void)
{
	unsigned int i;

	if (rings[0].vq == NULL)
		make_all();
	r = &rings[draw(NRINGS)];
	port.po_shadow = r->cf->shadow;
	for (i = 0; draw_more(i); i++) {
		queue_step(&scene, &r->rig, r->vq, &r->m.broken);
		holds(RULE_PRIVATE, pv_virtq_room(r->vq) == r->m.nfree);
	}
	draw_dull(1);
	must(pv_virtio_stop(&r->rig.rg_dev) == 0);
	queue_drain(r->vq, r->m.cookies);
	put_back();
	draw_dull(0);
	must(port_check_rules() == 0);
}
