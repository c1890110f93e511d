/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "raw.h"

static void
take_all(struct fake_dev *fd, unsigned int queue)
{
	static struct fake_chain fc;

	while (fake_pop(fd, queue, &fc))
		fake_push(fd, queue, &fc, 0);
}

void
raw_new(struct raw *r, enum stand_kind kind, unsigned int type,
    unsigned int nqueues)
{
	memset(r, 0, sizeof(*r));
	stand_init(&r->r_st, kind, type, nqueues);
	r->r_fd = &r->r_st.st_fd;
	r->r_fd->fd_strict = 1;
	r->r_fd->fd_known = ~0ull;
	r->r_fd->fd_notify = take_all;
	r->r_nqueues = nqueues;
	r->r_buf = port_buf_new(8192);
	fake_watch(r->r_fd);
}

void
raw_attach(struct raw *r)
{
	struct stand *st = &r->r_st;

	if (st->st_kind == STAND_PCI) {
		pv_pci_attach(&st->st_pp, &fake_pci_ops, &st->st_fp, "raw0");
		r->r_ops = &pv_pci_transport;
		r->r_tr = &st->st_pp;
	} else {
		pv_mmio_attach(&st->st_mm, &st->st_fm.fm_space, 0,
		    FAKE_MMIO_SIZE, &fake_mmio_ops, &st->st_fm, "raw0");
		r->r_ops = &pv_mmio_transport;
		r->r_tr = &st->st_mm;
	}
	r->r_attached = 1;
}

uint8_t
raw_status(struct raw *r)
{
	return r->r_ops->to_status_read(r->r_tr);
}

void
raw_set_status(struct raw *r, uint8_t status)
{
	r->r_ops->to_status_write(r->r_tr, status);
}

void
raw_reset(struct raw *r)
{
	unsigned int i;

	raw_set_status(r, 0);
	for (i = 0; i < 100 && raw_status(r) != 0; i++)
		continue;
}

void
raw_hello(struct raw *r)
{
	raw_set_status(r, PV_STATUS_ACKNOWLEDGE);
	raw_set_status(r, PV_STATUS_ACKNOWLEDGE | PV_STATUS_DRIVER);
}

void
raw_features(struct raw *r)
{
	r->r_ops->to_features_write(r->r_tr,
	    r->r_ops->to_features_read(r->r_tr) & ~r->r_deny);
}

int
raw_features_ok(struct raw *r)
{
	if (r->r_fd->fd_legacy)
		return 1;
	raw_set_status(r, PV_STATUS_ACKNOWLEDGE | PV_STATUS_DRIVER |
	    PV_STATUS_FEATURES_OK);
	return (raw_status(r) & PV_STATUS_FEATURES_OK) != 0;
}

void
raw_queue_new(struct raw *r, unsigned int q, struct pv_queue_place *qp)
{
	struct raw_queue *rq = &r->r_queues[q];

	rq->rq_desc = port_buf_new(RAW_SIZE * 16);
	rq->rq_driver = port_buf_new(128);
	rq->rq_device = port_buf_new(128);
	qp->qp_size = RAW_SIZE;
	qp->qp_desc = rq->rq_desc->pb_map->dm_segs[0].ds_addr;
	qp->qp_driver = rq->rq_driver->pb_map->dm_segs[0].ds_addr;
	qp->qp_device = rq->rq_device->pb_map->dm_segs[0].ds_addr;
	qp->qp_align = 4096;
}

void
raw_queues(struct raw *r)
{
	struct pv_queue_place qp;
	unsigned int i;

	for (i = 0; i < r->r_nqueues; i++) {
		raw_queue_new(r, i, &qp);
		r->r_ops->to_queue_enable(r->r_tr, i, &qp);
	}
}

void
raw_queue_place(struct raw *r,
    void (*fn)(struct raw *, struct pv_queue_place *))
{
	struct pv_queue_place qp;

	raw_queue_new(r, 0, &qp);
	if (fn != NULL)
		fn(r, &qp);
	r->r_ops->to_queue_enable(r->r_tr, 0, &qp);
}

void
raw_driver_ok(struct raw *r)
{
	raw_set_status(r, (uint8_t)(PV_STATUS_ACKNOWLEDGE | PV_STATUS_DRIVER |
	    (r->r_fd->fd_legacy ? 0 : PV_STATUS_FEATURES_OK) |
	    PV_STATUS_DRIVER_OK));
}

void
raw_agree(struct raw *r)
{
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_features(r);
	raw_features_ok(r);
}

void
raw_up(struct raw *r)
{
	raw_agree(r);
	raw_queues(r);
	raw_driver_ok(r);
}

void
raw_end(struct raw *r)
{
	unsigned int i;

	if (r->r_attached) {
		raw_reset(r);
		raw_handler(r, NULL);
		stand_finish(&r->r_st);
	}
	for (i = 0; i < sizeof(r->r_queues) / sizeof(r->r_queues[0]); i++) {
		port_buf_free(r->r_queues[i].rq_desc);
		port_buf_free(r->r_queues[i].rq_driver);
		port_buf_free(r->r_queues[i].rq_device);
	}
	port_buf_free(r->r_buf);
	fake_watch(NULL);
}

bus_addr_t
raw_buf(struct raw *r, size_t off)
{
	return r->r_buf->pb_map->dm_segs[0].ds_addr + off;
}

void
raw_put_desc(void *at, bus_addr_t addr, uint32_t len, unsigned int flags,
    unsigned int next)
{
	uint16_t half[2] = { (uint16_t)flags, (uint16_t)next };

	memcpy(at, &addr, 8);
	memcpy((char *)at + 8, &len, 4);
	memcpy((char *)at + 12, half, 4);
}

void
raw_desc(struct raw *r, unsigned int q, unsigned int i, bus_addr_t addr,
    uint32_t len, unsigned int flags, unsigned int next)
{
	raw_put_desc(r->r_queues[q].rq_desc->pb_va + 16 * i, addr, len, flags,
	    next);
}

uint16_t *
raw_driver_word(struct raw *r, unsigned int q, unsigned int i)
{
	return (uint16_t *)(void *)r->r_queues[q].rq_driver->pb_va + i;
}

uint16_t *
raw_device_word(struct raw *r, unsigned int q, unsigned int i)
{
	return (uint16_t *)(void *)r->r_queues[q].rq_device->pb_va + i;
}

void
raw_avail(struct raw *r, unsigned int q, unsigned int head)
{
	struct raw_queue *rq = &r->r_queues[q];

	*raw_driver_word(r, q, 2 + rq->rq_idx % RAW_SIZE) = (uint16_t)head;
	pv_md_wmb(true);
	*raw_driver_word(r, q, 1) = ++rq->rq_idx;
	pv_md_mb(true);
}

void
raw_kick(struct raw *r, unsigned int q)
{
	uint32_t data = q;

	if (fake_has(r->r_fd, PV_F_NOTIFICATION_DATA))
		data |= (uint32_t)r->r_queues[q].rq_idx << 16;
	r->r_ops->to_notify(r->r_tr, q, data);
}

void
raw_send(struct raw *r, unsigned int q, uint32_t len, unsigned int flags)
{
	raw_desc(r, q, 0, raw_buf(r, 0), len, flags, 0);
	raw_avail(r, q, 0);
	raw_kick(r, q);
}

uint32_t
raw_request(struct raw *r, unsigned int q, uint32_t outlen, uint32_t inlen)
{
	struct raw_queue *rq = &r->r_queues[q];
	unsigned int in = outlen != 0;
	uint32_t len;

	if (outlen != 0)
		raw_desc(r, q, 0, raw_buf(r, 0), outlen,
		    inlen != 0 ? DESC_NEXT : 0, inlen != 0);
	if (inlen != 0)
		raw_desc(r, q, in, raw_buf(r, 4096), inlen, DESC_WRITE, 0);
	raw_avail(r, q, 0);
	raw_kick(r, q);
	memcpy(&len, rq->rq_device->pb_va + 4 + 8 *
	    ((rq->rq_idx - 1) % RAW_SIZE) + 4, 4);
	return len;
}

uint32_t
raw_read(struct raw *r, bus_size_t off, unsigned int width)
{
	bus_space_tag_t t = r->r_st.st_kind == STAND_PCI ?
	    &r->r_st.st_fp.fp_space : &r->r_st.st_fm.fm_space;

	return port_bs_read(t, 0, off, width);
}

void
raw_write(struct raw *r, bus_size_t off, unsigned int width, uint32_t val)
{
	bus_space_tag_t t = r->r_st.st_kind == STAND_PCI ?
	    &r->r_st.st_fp.fp_space : &r->r_st.st_fm.fm_space;

	port_bs_write(t, 0, off, width, val);
}

void
raw_handler(struct raw *r, int (*fn)(void *))
{
	struct stand *st = &r->r_st;

	if (st->st_kind == STAND_PCI) {
		if (st->st_fp.fp_line.fn != NULL)
			fake_pci_ops.po_intr_disestablish(&st->st_fp, -1);
		if (fn != NULL)
			fake_pci_ops.po_intr_establish(&st->st_fp, -1, "raw",
			    fn, r);
		return;
	}
	if (st->st_fm.fm_fn != NULL)
		fake_mmio_ops.mo_intr_disestablish(&st->st_fm);
	if (fn != NULL)
		fake_mmio_ops.mo_intr_establish(&st->st_fm, "raw", fn, r);
}
