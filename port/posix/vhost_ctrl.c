/* SPDX-License-Identifier: ISC */
/*
 * The control queue of a network device. vhost-user has none: back ends are
 * told of queue pairs by messages, and front ends serve the queue themselves.
 * So this is a small device: it reads what the driver made available at a
 * doorbell, and answers before that returns. The one command is VQ_PAIRS_SET
 * (Network Device / Control Virtqueue / Device Configuration / Multiqueue);
 * what others need is not offered.
 *
 * The back end can write to this memory: each field is read once, and held to
 * its range as a driver's would be by any device.
 */
#include <string.h>

#include "vhost_var.h"

#define CLASS_MQ	4
#define MQ_PAIRS_SET	0
#define ACK_OK		0
#define ACK_ERR		1

#define DESC_NEXT	0x0001u
#define DESC_WRITE	0x0002u
#define DESC_INDIRECT	0x0004u
#define DESC_AVAIL	0x0080u
#define DESC_USED	0x8000u
#define MAXCHAIN	16u

/* A chain in pieces: what there is to read, then one byte to write. */
struct command {
	uint8_t cm_data[4];	/* class, command, 16-bit value */
	unsigned int cm_len;	/* that the driver gave, at most 4 kept */
	uint8_t *cm_ack;
	unsigned int cm_ndesc;
};

struct desc {
	uint64_t d_addr;
	uint32_t d_len;
	uint16_t d_flags;
	uint16_t d_next;	/* packed: the buffer id */
};

static uint16_t
load16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)load16(p) | (uint32_t)load16(p + 2) << 16;
}

static void
store16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void
store32(uint8_t *p, uint32_t v)
{
	store16(p, (uint16_t)v);
	store16(p + 2, (uint16_t)(v >> 16));
}

static struct vhost_queue *
ctrl_queue(struct vhost *vh)
{
	return &vh->vh_queues[vhost_ctrl_index(vh)];
}

static uint8_t *
kva(struct vhost *vh, uint64_t addr, size_t len)
{
	return shmem_kva(vh->vh_params.vp_shmem, addr, len);
}

static bool
packed(const struct vhost *vh)
{
	return (vh->vh_accepted & PV_F_BIT(PV_F_RING_PACKED)) != 0;
}

/* Both kinds of descriptor have the same fields, the last two exchanged. */
static void
desc_read(struct desc *d, const uint8_t *from, bool is_packed)
{
	uint8_t raw[16];

	memcpy(raw, from, sizeof(raw));
	d->d_addr = load32(raw) | (uint64_t)load32(raw + 4) << 32;
	d->d_len = load32(raw + 8);
	d->d_flags = load16(raw + (is_packed ? 14 : 12));
	d->d_next = load16(raw + (is_packed ? 12 : 14));
}

/* One descriptor's memory; false where it is none. */
static bool
command_add(struct vhost *vh, struct command *cm, const struct desc *d)
{
	uint8_t *p = kva(vh, d->d_addr, d->d_len);
	unsigned int i;

	if (p == NULL || d->d_len == 0)
		return false;
	if (d->d_flags & DESC_WRITE) {
		if (cm->cm_ack == NULL)
			cm->cm_ack = p;
		return true;
	}
	for (i = 0; i < d->d_len && cm->cm_len < sizeof(cm->cm_data); i++)
		cm->cm_data[cm->cm_len++] = p[i];
	return true;
}

static bool
command_indirect(struct vhost *vh, struct command *cm, const struct desc *d)
{
	const uint8_t *table = kva(vh, d->d_addr, d->d_len);
	unsigned int n = d->d_len / 16, i = 0, left = MAXCHAIN;
	struct desc in;

	if (table == NULL || n == 0)
		return false;
	while (left-- > 0 && i < n) {
		desc_read(&in, table + i * 16, packed(vh));
		if ((in.d_flags & DESC_INDIRECT) ||
		    !command_add(vh, cm, &in))
			return false;
		if (packed(vh))
			i++;
		else if ((in.d_flags & DESC_NEXT) == 0)
			return true;
		else
			i = in.d_next;
	}
	return packed(vh) && i == n;
}

static int
do_command(struct vhost *vh, const struct command *cm)
{
	unsigned int pairs;

	if (cm->cm_len < 4 || cm->cm_data[0] != CLASS_MQ ||
	    cm->cm_data[1] != MQ_PAIRS_SET)
		return ACK_ERR;
	pairs = load16(cm->cm_data + 2);
	if (pairs == 0 || pairs > vh->vh_nqueues / 2)
		return ACK_ERR;
	return vhost_rings_enable(vh, pairs) == 0 ? ACK_OK : ACK_ERR;
}

/* Bytes written. */
static uint32_t
execute(struct vhost *vh, const struct command *cm, bool sound)
{
	if (!sound || cm->cm_ack == NULL)
		return 0;
	*cm->cm_ack = (uint8_t)do_command(vh, cm);
	return 1;
}

static bool
split_chain(struct vhost *vh, struct command *cm, unsigned int head)
{
	const struct pv_queue_place *qp = &ctrl_queue(vh)->vq_place;
	const uint8_t *table = kva(vh, qp->qp_desc, qp->qp_size * 16ul);
	unsigned int i = head, left = MAXCHAIN;
	struct desc d;

	while (left-- > 0 && i < qp->qp_size) {
		desc_read(&d, table + i * 16, false);
		if (d.d_flags & DESC_INDIRECT)
			return command_indirect(vh, cm, &d);
		if (!command_add(vh, cm, &d))
			return false;
		if ((d.d_flags & DESC_NEXT) == 0)
			return true;
		i = d.d_next;
	}
	return false;
}

static bool
split_one(struct vhost *vh)
{
	const struct pv_queue_place *qp = &ctrl_queue(vh)->vq_place;
	const unsigned int size = qp->qp_size;
	const uint8_t *avail = kva(vh, qp->qp_driver, 6 + 2ul * size);
	uint8_t *used = kva(vh, qp->qp_device, 6 + 8ul * size);
	uint16_t next = vh->vh_ctrl.vt_next;
	struct command cm = { .cm_len = 0 };
	unsigned int head;
	uint32_t len;
	bool sound;

	if (kva(vh, qp->qp_desc, size * 16ul) == NULL || avail == NULL ||
	    used == NULL || load16(avail + 2) == next)
		return false;
	pv_md_rmb(false);
	head = load16(avail + 4 + next % size * 2);
	sound = split_chain(vh, &cm, head);
	len = execute(vh, &cm, sound);
	store32(used + 4 + next % size * 8, head);
	store32(used + 8 + next % size * 8, len);
	vh->vh_ctrl.vt_next = ++next;
	pv_md_wmb(false);
	store16(used + 2, next);
	store16(used + 4 + 8ul * size, next);	/* avail_event */
	pv_md_mb(false);
	return true;
}

static bool
packed_chain(struct vhost *vh, struct command *cm, const uint8_t *ring,
    uint16_t *id)
{
	unsigned int size = ctrl_queue(vh)->vq_place.qp_size;
	unsigned int left = size < MAXCHAIN ? size : MAXCHAIN;
	unsigned int i = vh->vh_ctrl.vt_next;
	struct desc d;
	bool sound = true;

	while (left-- > 0) {
		desc_read(&d, ring + i * 16, true);
		cm->cm_ndesc++;
		*id = d.d_next;
		if (d.d_flags & DESC_INDIRECT)
			return command_indirect(vh, cm, &d);
		sound = command_add(vh, cm, &d) && sound;
		if ((d.d_flags & DESC_NEXT) == 0)
			return sound;
		i = i + 1 == size ? 0 : i + 1;
	}
	return false;
}

static bool
packed_one(struct vhost *vh)
{
	const struct pv_queue_place *qp = &ctrl_queue(vh)->vq_place;
	uint8_t *ring = kva(vh, qp->qp_desc, qp->qp_size * 16ul), *slot;
	struct vhost_ctrl *vt = &vh->vh_ctrl;
	struct command cm = { .cm_len = 0 };
	unsigned int flags, next;
	uint16_t id = 0;
	uint32_t len;
	bool sound;

	if (ring == NULL)
		return false;
	slot = ring + vt->vt_next * 16u;
	flags = load16(slot + 14);
	if (((flags & DESC_AVAIL) != 0) != vt->vt_wrap ||
	    ((flags & DESC_USED) != 0) == vt->vt_wrap)
		return false;
	pv_md_rmb(false);
	sound = packed_chain(vh, &cm, ring, &id);
	len = execute(vh, &cm, sound);
	store32(slot + 8, len);
	store16(slot + 12, id);
	pv_md_wmb(false);
	store16(slot + 14, (uint16_t)((len != 0 ? DESC_WRITE : 0) |
	    (vt->vt_wrap ? DESC_AVAIL | DESC_USED : 0)));
	next = vt->vt_next + cm.cm_ndesc;
	if (next >= qp->qp_size) {
		next -= qp->qp_size;
		vt->vt_wrap ^= 1;
	}
	vt->vt_next = (uint16_t)next;
	pv_md_mb(false);
	return true;
}

void
vhost_ctrl_reset(struct vhost *vh)
{
	vh->vh_ctrl.vt_next = 0;
	vh->vh_ctrl.vt_wrap = 1;
}

/* At most a ring full: what the memory says has a bound. */
void
vhost_ctrl_serve(struct vhost *vh)
{
	unsigned int left = ctrl_queue(vh)->vq_place.qp_size;

	if (!ctrl_queue(vh)->vq_placed)
		return;
	while (left-- > 0 && (packed(vh) ? packed_one(vh) : split_one(vh)))
		;
}
