/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <bench.h>

#include "rig.h"
#include "wire.h"

#define DESC_NEXT	1
#define DESC_WRITE	2
#define DESC_INDIRECT	4

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

int
rig_has(const struct rig *rg, unsigned int bit)
{
	return (rg->rg_accepted & PV_F_BIT(bit)) != 0;
}

static unsigned int
properties(void *arg)
{
	struct rig *rg = arg;

	return rg->rg_legacy ? PV_TRANSPORT_LEGACY : 0;
}

static uint8_t
status_read(void *arg)
{
	struct rig *rg = arg;

	return rg->rg_gone ? 0xff : rg->rg_status;
}

static void
queue_clear(struct rig_queue *rq)
{
	rq->rq_enabled = 0;
	rq->rq_avail = 0;
	rq->rq_used = 0;
	memset(&rq->rq_holds, 0, sizeof(rq->rq_holds));
	pk_end(&rq->rq_packed);
}

static void
reset(struct rig *rg)
{
	unsigned int i;

	rg->rg_resets++;
	if (rg->rg_stuck || rg->rg_gone)
		return;
	rg->rg_status = 0;
	rg->rg_accepted = 0;
	for (i = 0; i < RIG_NQUEUES; i++) {
		queue_clear(&rg->rg_queues[i]);
		rg->rg_queues[i].rq_stopped = 0;
	}
	port_hold_end(&rg->rg_holder);
}

/* Device Initialization: each step with those before it. */
static void
check_order(const struct rig *rg, uint8_t status)
{
	uint8_t new = status & (uint8_t)~rg->rg_status, before = 0;

	if (new & PV_STATUS_DRIVER)
		before = PV_STATUS_ACKNOWLEDGE;
	if (new & PV_STATUS_FEATURES_OK)
		before = PV_STATUS_ACKNOWLEDGE | PV_STATUS_DRIVER;
	if (new & PV_STATUS_DRIVER_OK)
		before = PV_STATUS_ACKNOWLEDGE | PV_STATUS_DRIVER |
		    (rg->rg_legacy ? 0 : PV_STATUS_FEATURES_OK);
	if ((rg->rg_status & before) != before)
		port_violation("status 0x%x after 0x%x", status, rg->rg_status);
}

static void
status_write(void *arg, uint8_t status)
{
	struct rig *rg = arg;

	if (status == 0) {
		reset(rg);
		return;
	}
	if (rg->rg_gone)
		return;
	check_order(rg, status);
	if ((status & ~rg->rg_status & PV_STATUS_FEATURES_OK) != 0) {
		if ((rg->rg_accepted & rg->rg_insist) != rg->rg_insist)
			status &= (uint8_t)~PV_STATUS_FEATURES_OK;
		if (rg->rg_accepted & ~rg->rg_offered)
			port_violation("features accepted that were not offered");
		if (rg->rg_features_ok != NULL)
			rg->rg_features_ok(rg);
	}
	rg->rg_status = status;
}

static uint64_t
features_read(void *arg)
{
	struct rig *rg = arg;

	return rg->rg_gone ? UINT64_MAX : rg->rg_offered;
}

static void
features_write(void *arg, uint64_t features)
{
	struct rig *rg = arg;

	rg->rg_accepted = features;
}

static int
config_read(void *arg, unsigned int off, unsigned int width, uint32_t *val)
{
	struct rig *rg = arg;
	uint32_t v;

	if (off + width > rg->rg_configlen)
		return ERANGE;
	v = (uint32_t)wire_get(rg->rg_config + off, width);
	if (rg->rg_gone)
		v = UINT32_MAX >> (32 - 8 * width);
	*val = v;
	if (rg->rg_config_read != NULL)
		rg->rg_config_read(rg, off);
	return 0;
}

static int
config_write(void *arg, unsigned int off, unsigned int width, uint32_t val)
{
	struct rig *rg = arg;

	if (off + width > rg->rg_configlen)
		return ERANGE;
	wire_put(rg->rg_config + off, width, val);
	if (rg->rg_config_written != NULL)
		rg->rg_config_written(rg, off, val);
	return 0;
}

static uint32_t
config_generation(void *arg)
{
	struct rig *rg = arg;

	return rg->rg_generation;
}

static unsigned int
config_size(void *arg)
{
	struct rig *rg = arg;

	return rg->rg_configlen;
}

static unsigned int
queue_count(void *arg)
{
	(void)arg;
	return RIG_NQUEUES;
}

static unsigned int
queue_max(void *arg, unsigned int q)
{
	struct rig *rg = arg;

	return rg->rg_queues[q].rq_max;
}

static const char *
holds(void *arg, bus_addr_t addr, bus_size_t len)
{
	const struct rig *rg = arg;
	const struct rig_queue *rq = rg->rg_queues;
	const char *what = NULL;
	unsigned int i;

	for (i = 0; i < RIG_NQUEUES && what == NULL; i++, rq++)
		if (!rq->rq_enabled || rg->rg_gone)
			continue;
		else if (rig_has(rg, PV_F_RING_PACKED))
			what = pk_holds(&rq->rq_packed, addr, len);
		else
			what = holds_what(&rq->rq_holds, &rq->rq_place,
			    rq->rq_avail, addr, len);
	return what;
}

static void
split_fields(const struct pv_queue_place *qp)
{
	port_dma_field(qp->qp_driver, 2, PORT_FIELD_FLAGS);
	port_dma_field(qp->qp_driver + 2, 2, PORT_FIELD_INDEX);
	port_dma_field(qp->qp_driver + 4 + 2 * qp->qp_size, 2,
	    PORT_FIELD_EVENT);
	port_dma_field(qp->qp_device, 4, PORT_FIELD_POLLED);
	port_dma_field(qp->qp_device + 4 + 8 * qp->qp_size, 2,
	    PORT_FIELD_POLLED);
}

static int
queue_enable(void *arg, unsigned int q, const struct pv_queue_place *qp)
{
	struct rig *rg = arg;

	if ((rg->rg_status & PV_STATUS_DRIVER_OK) &&
	    !rg->rg_queues[q].rq_stopped)
		port_violation("queue %u enabled after DRIVER_OK", q);
	rg->rg_queues[q].rq_stopped = 0;
	rg->rg_queues[q].rq_place = *qp;
	if (rig_has(rg, PV_F_RING_PACKED))
		pk_begin(&rg->rg_queues[q].rq_packed, qp);
	else
		split_fields(qp);
	rg->rg_queues[q].rq_enabled = 1;
	rg->rg_holder.ph_what = holds;
	rg->rg_holder.ph_arg = rg;
	port_hold(&rg->rg_holder);
	return 0;
}

static int
queue_reset(void *arg, unsigned int q)
{
	struct rig *rg = arg;

	if (rg->rg_gone)
		return EIO;
	if (rg->rg_stuck)
		return ETIMEDOUT;
	if (!rg->rg_queues[q].rq_enabled)
		port_violation("reset of queue %u, which is not enabled", q);
	queue_clear(&rg->rg_queues[q]);
	rg->rg_queues[q].rq_stopped = 1;
	return 0;
}

static void
notify(void *arg, unsigned int q, uint32_t data)
{
	struct rig *rg = arg;

	rg->rg_queues[q].rq_data = data;
	if (rig_has(rg, PV_F_NOTIFICATION_DATA))
		data &= 0xffff;
	if (data != q)
		port_violation("doorbell of queue %u with %u", q, data);
	if ((rg->rg_status & PV_STATUS_DRIVER_OK) == 0)
		port_violation("doorbell before DRIVER_OK");
	rg->rg_queues[q].rq_notified++;
	port_bell++;
	if (rg->rg_miss > 0)
		rg->rg_miss--;
	else if (rg->rg_notify != NULL)
		rg->rg_notify(rg, q);
	port_bell--;
}

static enum pv_intr_mode
intr_setup(void *arg, struct pv_virtio *dev, unsigned int nqueues)
{
	(void)arg;
	(void)dev;
	(void)nqueues;
	return PV_INTR_MODE_SHARED;
}

static void
intr_teardown(void *arg)
{
	(void)arg;
}

static unsigned int
intr_status(void *arg)
{
	(void)arg;
	return 0;
}

static void
describe(void *arg, char *buf, size_t len)
{
	(void)arg;
	snprintf(buf, len, "rig");
}

static int
shm(void *arg, unsigned int id, struct pv_shm *where)
{
	const struct rig *rg = arg;

	if (id != 1 || rg->rg_no_region)
		return ENXIO;
	*where = rg->rg_region;
	return 0;
}

static const struct pv_transport_ops rig_ops = {
	.to_name = "rig",
	.to_properties = properties,
	.to_status_read = status_read,
	.to_status_write = status_write,
	.to_features_read = features_read,
	.to_features_write = features_write,
	.to_config_read = config_read,
	.to_config_write = config_write,
	.to_config_generation = config_generation,
	.to_config_size = config_size,
	.to_queue_count = queue_count,
	.to_queue_max = queue_max,
	.to_queue_enable = queue_enable,
	.to_queue_reset = queue_reset,
	.to_shm = shm,
	.to_notify = notify,
	.to_intr_setup = intr_setup,
	.to_intr_teardown = intr_teardown,
	.to_intr_status = intr_status,
	.to_describe = describe,
};

void
rig_new(struct rig *rg, unsigned int type)
{
	unsigned int i;

	bench_environment();
	port_hold_end(&rg->rg_holder);
	for (i = 0; i < RIG_NQUEUES; i++)
		pk_end(&rg->rg_queues[i].rq_packed);
	memset(rg, 0, sizeof(*rg));
	rg->rg_offered = PV_F_BIT(PV_F_VERSION_1);
	rg->rg_configlen = 64;
	rg->rg_no_region = 1;
	rg->rg_intr = 1;
	for (i = 0; i < RIG_NQUEUES; i++)
		rg->rg_queues[i].rq_max = 64;
	rg->rg_dev.vd_type = type;
}

struct pv_virtio *
rig_init(struct rig *rg)
{
	int error;

	error = pv_virtio_init(&rg->rg_dev, &rig_ops, rg, rg->rg_dev.vd_type,
	    &port_dma_tag, "rig0", NULL, NULL);
	if (error)
		port_violation("pv_virtio_init: %s", strerror(error));
	return &rg->rg_dev;
}

static void
take_piece(struct rig_chain *rc, bus_addr_t addr, uint32_t len, int write)
{
	assert(rc->rc_nsegs < RIG_MAXSEGS);
	if (len == 0)
		port_violation("descriptor of no bytes");
	if (write)
		rc->rc_inlen += len;
	else {
		if (rc->rc_nout != rc->rc_nsegs)
			port_violation("to be read after to be written");
		rc->rc_nout++;
		rc->rc_outlen += len;
	}
	rc->rc_segs[rc->rc_nsegs].addr = addr;
	rc->rc_segs[rc->rc_nsegs++].len = len;
}

static int
load_desc(bus_addr_t at, struct desc *d)
{
	int error = port_dma_read(at, d, sizeof(*d));

	d->addr = wire64(d->addr);
	d->len = wire32(d->len);
	d->flags = wire16(d->flags);
	d->next = wire16(d->next);
	return error;
}

static void
take_chain(struct rig *rg, bus_addr_t table, unsigned int n, unsigned int i,
    struct rig_chain *rc)
{
	struct desc d;
	unsigned int count = 0;

	do {
		if (i >= n || count++ >= n) {
			port_violation("descriptor %u of %u", i, n);
			return;
		}
		if (load_desc(table + i * sizeof(d), &d))
			return;
		if (d.flags & DESC_INDIRECT) {
			if ((rg->rg_accepted & PV_F_BIT(PV_F_INDIRECT_DESC)) == 0)
				port_violation("indirect, not negotiated");
			take_chain(rg, d.addr, d.len / sizeof(d), 0, rc);
		} else
			take_piece(rc, d.addr, d.len, d.flags & DESC_WRITE);
		i = d.next;
	} while (d.flags & DESC_NEXT);
}

static void
take_packed(struct rig *rg, const struct pk_desc *d, struct rig_chain *rc)
{
	struct pk_desc in;
	unsigned int i;

	if (!(d->pd_flags & PK_INDIRECT)) {
		take_piece(rc, d->pd_addr, d->pd_len,
		    d->pd_flags & PK_WRITE);
		return;
	}
	if (!rig_has(rg, PV_F_INDIRECT_DESC))
		port_violation("indirect, not negotiated");
	rc->rc_table = (struct ring_seg){ d->pd_addr, d->pd_len };
	for (i = 0; i < d->pd_len / PK_LEN; i++) {
		pk_load(d->pd_addr, i, &in);
		take_piece(rc, in.pd_addr, in.pd_len,
		    in.pd_flags & PK_WRITE);
	}
}

static int
packed_take(struct rig *rg, struct rig_queue *rq, struct rig_chain *rc)
{
	struct pk_ring *pk = &rq->rq_packed;
	struct pk_desc d;

	if (!pk_next(pk, &d))
		return 0;
	memset(rc, 0, offsetof(struct rig_chain, rc_segs));
	rc->rc_table = (struct ring_seg){ 0 };
	take_packed(rg, &d, rc);
	for (rc->rc_ndescs = 1; d.pd_flags & PK_NEXT; rc->rc_ndescs++) {
		if (rc->rc_ndescs == pk->pk_size || !pk_follow(pk, &d)) {
			port_violation("descriptor %u of a list is not "
			    "available", rc->rc_ndescs);
			return 0;
		}
		take_packed(rg, &d, rc);
	}
	rc->rc_head = d.pd_id;
	pk_took(pk, d.pd_id, rc->rc_ndescs, rc->rc_segs, rc->rc_nsegs,
	    &rc->rc_table);
	if (rig_has(rg, PV_F_EVENT_IDX))
		pk_ask(pk, PK_EVENT_DESC, &pk->pk_avail);
	return 1;
}

int
rig_take(struct rig *rg, unsigned int queue, struct rig_chain *rc)
{
	struct rig_queue *rq = &rg->rg_queues[queue];
	const struct pv_queue_place *qp = &rq->rq_place;
	uint16_t idx, event;

	if (!rq->rq_enabled)
		return 0;
	if (rig_has(rg, PV_F_RING_PACKED))
		return packed_take(rg, rq, rc);
	if (port_dma_read(qp->qp_driver + 2, &idx, 2) ||
	    wire16(idx) == rq->rq_avail)
		return 0;
	memset(rc, 0, offsetof(struct rig_chain, rc_segs));
	port_dma_read(qp->qp_driver + 4 + 2 * (rq->rq_avail % qp->qp_size),
	    &rc->rc_head, 2);
	rc->rc_head = wire16(rc->rc_head);
	holds_take(&rq->rq_holds, rc->rc_head);
	event = wire16(++rq->rq_avail);
	if (rg->rg_accepted & PV_F_BIT(PV_F_EVENT_IDX))
		port_dma_write(qp->qp_device + 4 + 8 * qp->qp_size,
		    &event, 2);
	take_chain(rg, qp->qp_desc, qp->qp_size, rc->rc_head, rc);
	return 1;
}

static void
copy(const struct rig_chain *rc, unsigned int i, uint32_t off, void *to,
    const void *from, uint32_t len)
{
	uint32_t n;

	for (; len > 0 && i < rc->rc_nsegs; i++) {
		if (off >= rc->rc_segs[i].len) {
			off -= rc->rc_segs[i].len;
			continue;
		}
		n = rc->rc_segs[i].len - off;
		if (n > len)
			n = len;
		if (to != NULL) {
			port_dma_read(rc->rc_segs[i].addr + off, to, n);
			to = (char *)to + n;
		} else {
			port_dma_write(rc->rc_segs[i].addr + off, from, n);
			from = (const char *)from + n;
		}
		len -= n;
		off = 0;
	}
	if (len > 0)
		port_violation("a chain lacks %u bytes", len);
}

void
rig_read(const struct rig_chain *rc, uint32_t off, void *to, uint32_t len)
{
	copy(rc, 0, off, to, NULL, len);
}

void
rig_write(const struct rig_chain *rc, uint32_t off, const void *from,
    uint32_t len)
{
	copy(rc, rc->rc_nout, off, NULL, from, len);
}

void
rig_used_index(struct rig *rg, unsigned int queue, uint16_t idx)
{
	idx = wire16(idx);
	port_dma_write(rg->rg_queues[queue].rq_place.qp_device + 2, &idx, 2);
}

void
rig_lost(struct rig *rg)
{
	struct rig_queue *rq;

	if (!rig_has(rg, PV_F_RING_PACKED) || rg->rg_gone)
		return;
	for (rq = rg->rg_queues; rq < rg->rg_queues + RIG_NQUEUES; rq++)
		if (rq->rq_enabled)
			pk_lost(&rq->rq_packed);
}

static void
split_give(struct rig *rg, unsigned int queue, uint32_t id, uint32_t len,
    unsigned int n)
{
	struct rig_queue *rq = &rg->rg_queues[queue];
	uint32_t elem[2] = { wire32(id), wire32(len) };

	port_dma_write(rq->rq_place.qp_device + 4 +
	    8 * (rq->rq_used % rq->rq_place.qp_size), elem, sizeof(elem));
	holds_give(&rq->rq_holds, id);
	rq->rq_used = (uint16_t)(rq->rq_used + n);
	rig_used_index(rg, queue, rq->rq_used);
}

void
rig_give_batch(struct rig *rg, unsigned int queue, const uint32_t *ids,
    unsigned int n, uint32_t len)
{
	struct rig_queue *rq = &rg->rg_queues[queue];
	struct pk_ring *pk = &rq->rq_packed;
	unsigned int i, ndescs = 0;

	if (!rig_has(rg, PV_F_RING_PACKED)) {
		for (i = 0; i + 1 < n; i++)
			holds_give(&rq->rq_holds, ids[i]);
		split_give(rg, queue, ids[n - 1], len, n);
		return;
	}
	for (i = 0; i < n; i++)
		ndescs += pk_list(pk, ids[i]);
	for (i = 0; i + 1 < n; i++)
		pk_skip(pk, ids[i]);
	pk_use(pk, ids[n - 1], len, ndescs != 0 ? ndescs : 1,
	    len != 0 ? PK_WRITE : 0);
}

void
rig_give(struct rig *rg, unsigned int queue, uint32_t id, uint32_t len)
{
	rig_give_batch(rg, queue, &id, 1, len);
}

void
rig_interrupt(struct rig *rg, unsigned int pending)
{
	if (rg->rg_intr)
		pv_virtio_intr(&rg->rg_dev, pending);
}

void
rig_config_changed(struct rig *rg)
{
	rg->rg_generation++;
	rig_interrupt(rg, PV_INTR_CONFIG);
}

void
rig_put16(struct rig *rg, unsigned int off, uint16_t v)
{
	wire_put(rg->rg_config + off, 2, v);
}

void
rig_put32(struct rig *rg, unsigned int off, uint32_t v)
{
	wire_put(rg->rg_config + off, 4, v);
}
