/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "vdev.h"

#define B(n)	PV_F_BIT(PV_F_##n)
#define RINGS	(B(INDIRECT_DESC) | B(EVENT_IDX) | B(VERSION_1) |	      \
		B(ACCESS_PLATFORM) | B(ORDER_PLATFORM) | B(NOTIFICATION_DATA) | \
		B(RING_RESET) | B(RING_PACKED) | B(IN_ORDER) |		      \
		B(ANY_LAYOUT) | B(NOTIF_CONFIG_DATA))
#define TOMORROW	(1ull << 47 | 1ull << 44)

static const struct vdev_type *
type_of(unsigned int type)
{
	static const struct vdev_type *const types[] = {
		&vdev_net_type, &vdev_blk_type, &vdev_gpu_type,
		&vdev_console_type, &vdev_entropy_type,
	};
	unsigned int i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i]->vt_type == type)
			return types[i];
	abort();
}

unsigned int
vdev_queues(unsigned int type)
{
	return type_of(type)->vt_queues;
}

int
vdev_has(const struct vdev *vd, enum quirk quirk)
{
	return profile_has(vd->vd_profile, quirk);
}

uint32_t
vdev_random(struct vdev *vd, uint32_t below)
{
	vd->vd_state = vd->vd_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(vd->vd_state >> 33) % below;
}

static void
keep(struct vdev *vd, unsigned int queue, const struct fake_chain *fc)
{
	if (vd->vd_nkept == VDEV_KEPT)
		return;
	vd->vd_kept[vd->vd_nkept].queue = queue;
	vd->vd_kept[vd->vd_nkept].fc = malloc(sizeof(*fc));
	*vd->vd_kept[vd->vd_nkept++].fc = *fc;
}

static void
forget(struct vdev *vd)
{
	while (vd->vd_nkept > 0)
		free(vd->vd_kept[--vd->vd_nkept].fc);
	while (vd->vd_nlater > 0)
		free(vd->vd_later[--vd->vd_nlater].fc);
}

static void
forget_queue(struct vdev *vd, unsigned int queue)
{
	unsigned int i = 0;

	while (i < vd->vd_nkept)
		if (vd->vd_kept[i].queue == queue) {
			free(vd->vd_kept[i].fc);
			vd->vd_kept[i] = vd->vd_kept[--vd->vd_nkept];
		} else
			i++;
	for (i = 0; i < vd->vd_nlater;)
		if (vd->vd_later[i].queue == queue) {
			free(vd->vd_later[i].fc);
			vd->vd_later[i] = vd->vd_later[--vd->vd_nlater];
		} else
			i++;
	vd->vd_due[queue] = 0;
}

/* Whether buffers of a queue wait until there is something to fill them. */
static int
waits(const struct vdev *vd, unsigned int queue)
{
	const struct vdev_type *vt = type_of(vd->vd_dev->fd_type);

	return vt->vt_waits != NULL ? vt->vt_waits(vd, queue) :
	    queue == 0 && vt->vt_fills;
}

static void
work(struct fake_dev *fd, unsigned int queue)
{
	struct vdev *vd = fd->fd_data;
	const struct vdev_type *vt = type_of(fd->fd_type);
	struct fake_chain fc;

	if (vt->vt_take == NULL)
		return;
	while (!(fd->fd_status & PV_STATUS_NEEDS_RESET) &&
	    !vd->vd_net.vn_wedged &&
	    !waits(vd, queue) && fake_pop(fd, queue, &fc)) {
		if (fc.fc_bad || vd->vd_hold)
			keep(vd, queue, &fc);
		else
			vt->vt_take(vd, queue, &fc);
	}
	if (vt->vt_idle != NULL)
		vt->vt_idle(vd);
	vdev_flush(vd);
	if (vdev_has(vd, Q_SPURIOUS) && vdev_random(vd, 8) == 0 &&
	    fd->fd_queues[queue].fq_ready)
		fake_interrupt(fd, queue, 1);
}

static void
interrupt(struct vdev *vd, unsigned int queue)
{
	vd->vd_due[queue] = 0;
	fake_flush(vd->vd_dev, queue);
	if (vdev_has(vd, Q_LOSE) && ++vd->vd_nintr % 7 == 0) {
		vd->vd_nlost++;
		vd->vd_dev->fd_queues[queue].fq_silent = 1;
		fake_interrupt(vd->vd_dev, queue, 0);
		vd->vd_dev->fd_queues[queue].fq_silent = 0;
		return;
	}
	fake_interrupt(vd->vd_dev, queue, 0);
}

/* Given back; with the interrupt at once, or after some more. */
static void
give(struct vdev *vd, unsigned int queue, const struct fake_chain *fc,
    uint32_t len)
{
	fake_give(vd->vd_dev, queue, fc, len);
	if ((!vdev_has(vd, Q_COALESCE) && vd->vd_dev->fd_batch == 0) ||
	    ++vd->vd_due[queue] == 4)
		interrupt(vd, queue);
}

static void
give_later(struct vdev *vd, unsigned int i)
{
	struct fake_chain *fc = vd->vd_later[i].fc;
	unsigned int queue = vd->vd_later[i].queue;
	uint32_t len = vd->vd_later[i].len;

	vd->vd_later[i] = vd->vd_later[--vd->vd_nlater];
	give(vd, queue, fc, len);
	free(fc);
}

void
vdev_push(struct vdev *vd, unsigned int queue, const struct fake_chain *fc,
    uint32_t len)
{
	const struct fake_dev *fd = vd->vd_dev;

	/* What comes to be filled has an order: that of what filled it. */
	if (!vdev_has(vd, Q_SHUFFLE) || fake_has(fd, PV_F_IN_ORDER) ||
	    waits(vd, queue)) {
		give(vd, queue, fc, len);
		return;
	}
	if (vd->vd_nlater == VDEV_LATER)
		give_later(vd, vdev_random(vd, VDEV_LATER));
	vd->vd_later[vd->vd_nlater].queue = queue;
	vd->vd_later[vd->vd_nlater].len = len;
	vd->vd_later[vd->vd_nlater].fc = malloc(sizeof(*fc));
	*vd->vd_later[vd->vd_nlater++].fc = *fc;
}

void
vdev_flush(struct vdev *vd)
{
	unsigned int i;

	while (vd->vd_nlater > 0)
		give_later(vd, vdev_random(vd, vd->vd_nlater));
	for (i = 0; i < vd->vd_dev->fd_nqueues; i++)
		if (vd->vd_due[i] != 0)
			interrupt(vd, i);
}

static void
on_reset(struct fake_dev *fd)
{
	struct vdev *vd = fd->fd_data;

	forget(vd);
	memset(vd->vd_due, 0, sizeof(vd->vd_due));
	vd->vd_net.vn_wedged = 0;
	if (type_of(fd->fd_type)->vt_reset != NULL)
		type_of(fd->fd_type)->vt_reset(vd);
}

static void
on_queue_reset(struct fake_dev *fd, unsigned int queue)
{
	struct vdev *vd = fd->fd_data;

	forget_queue(vd, queue);
	if (type_of(fd->fd_type)->vt_queue_reset != NULL)
		type_of(fd->fd_type)->vt_queue_reset(vd, queue);
}

static uint64_t
offered(const struct vdev *vd, uint64_t leave)
{
	const struct fake_dev *fd = vd->vd_dev;
	uint64_t f = profile_offers(vd->vd_profile, fd->fd_type,
	    fd->fd_features) & ~leave;

	if (vdev_has(vd, Q_PLATFORM))
		f |= (B(ACCESS_PLATFORM) | B(ORDER_PLATFORM)) & ~leave;
	if (vdev_has(vd, Q_PACKED))
		f |= B(RING_PACKED) & ~leave;
	if (vdev_has(vd, Q_RING_RESET))
		f |= B(RING_RESET) & ~leave;
	if (vdev_has(vd, Q_IN_ORDER))
		f |= B(IN_ORDER) & ~leave;
	if (vdev_has(vd, Q_NOTIFY_DATA))
		f |= (B(NOTIFICATION_DATA) |
		    (fd->fd_pci ? B(NOTIF_CONFIG_DATA) : 0)) & ~leave;
	if (vdev_has(vd, Q_UNKNOWN))
		f |= TOMORROW | B(SR_IOV);
	if (fd->fd_legacy)
		f = (f & UINT32_MAX & ~B(VERSION_1)) | (B(ANY_LAYOUT) & ~leave);
	else
		f |= B(VERSION_1);
	return f | (fd->fd_needs & (fd->fd_legacy ? UINT32_MAX : UINT64_MAX));
}

void
vdev_init(struct vdev *vd, struct fake_dev *fd, const struct profile *pr,
    uint64_t seed, uint64_t leave)
{
	const struct vdev_type *vt = type_of(fd->fd_type);

	memset(vd, 0, sizeof(*vd));
	vd->vd_dev = fd;
	vd->vd_profile = pr;
	vd->vd_state = seed * 0x9e3779b97f4a7c15ull + 1;
	fd->fd_data = vd;
	fd->fd_notify = work;
	fd->fd_reset = on_reset;
	fd->fd_queue_reset = on_queue_reset;
	fd->fd_strict = vdev_has(vd, Q_STRICT);
	fd->fd_known = RINGS | vt->vt_known;
	fd->fd_should = B(ACCESS_PLATFORM) | B(ORDER_PLATFORM) |
	    B(RING_PACKED) | B(NOTIF_CONFIG_DATA) | vt->vt_should;
	fd->fd_fields = vt->vt_fields;
	fd->fd_nfields = vt->vt_nfields;
	fd->fd_depends = vt->vt_depends;
	fd->fd_ndepends = vt->vt_ndepends;
	if (vdev_has(vd, Q_RESET_SLOW))
		fd->fd_reset_looks = fd->fd_queue_looks =
		    1 + vdev_random(vd, 5);
	if (vdev_has(vd, Q_IN_ORDER))
		fd->fd_batch = vdev_random(vd, 2) ? 0 : 1 + vdev_random(vd, 8);
	fd->fd_features |= vt->vt_known;
	fd->fd_queue_deaf = vdev_has(vd, Q_RESET_DEAF) && !fd->fd_pci;
	vt->vt_init(vd);
	fd->fd_features = offered(vd, leave);
	if (fd->fd_strict)
		fake_watch(fd);
}

/* Where Apple's machine has its window, and how late its display was seen. */
#define WINDOW		0x180000000ull
#define WINDOW_LEN	0x40000000ull
#define LATE_NS		100000000ull

void
vdev_slot(struct vdev *vd, struct fake_pci *fp)
{
	if (vdev_has(vd, Q_BARS_UNSET))
		fake_pci_cold(fp, vdev_has(vd, Q_LATE) &&
		    vd->vd_dev->fd_type == PV_TYPE_GPU ?
		    port.po_now_ns + LATE_NS : 0, WINDOW, WINDOW_LEN);
}

void
vdev_fini(struct vdev *vd)
{
	forget(vd);
	if (type_of(vd->vd_dev->fd_type)->vt_reset != NULL)
		type_of(vd->vd_dev->fd_type)->vt_reset(vd);
	fake_watch(NULL);
}
