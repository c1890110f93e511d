/* SPDX-License-Identifier: ISC */
/*
 * Console and entropy devices.
 */
#include <string.h>

#include "vdev.h"
#include "wire.h"

#define C(n)	PV_F_BIT(PV_CONSOLE_F_##n)

/* Console */

static const struct fake_field console_fields[] = {
	{ 0, 2, 2, 0, PV_CONSOLE_F_SIZE },
	{ 4, 4, 1, 0, PV_CONSOLE_F_MULTIPORT },
	{ 8, 4, 1, 1, PV_CONSOLE_F_EMERG_WRITE },
};

static void
console_init(struct vdev *vd)
{
	uint16_t size[2] = { wire16(80), wire16(25) };

	fake_config_set(vd->vd_dev, 0, size, sizeof(size));
	vd->vd_dev->fd_configlen = 12;
	vd->vd_dev->fd_features &= ~C(MULTIPORT);
	if (vdev_has(vd, Q_NO_SIZE))
		vd->vd_dev->fd_features &= ~C(SIZE);
}

static void
console_take(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	struct vdev_console *vc = &vd->vd_con;
	char buf[4096];
	size_t n, room = sizeof(vc->vc_out);

	if (fc->fc_nin != 0)
		strict_broken(STRICT_CONSOLE_TX, "%u pieces", fc->fc_nin);
	n = fake_chain_read(fc, 0, buf, sizeof(buf));
	if (vc->vc_outlen + n > room) {
		memmove(vc->vc_out, vc->vc_out + n, room - n);
		vc->vc_outlen = room - n;
	}
	memcpy(vc->vc_out + vc->vc_outlen, buf, n);
	vc->vc_outlen += n;
	vdev_push(vd, queue, fc, 0);
}

int
vdev_console_input(struct vdev *vd, const void *text, size_t len)
{
	struct fake_dev *fd = vd->vd_dev;
	struct fake_chain fc;
	size_t n;

	if (fd->fd_gone || !(fd->fd_status & PV_STATUS_DRIVER_OK) ||
	    (fd->fd_status & PV_STATUS_NEEDS_RESET) ||
	    !fake_pop(fd, 0, &fc))
		return 0;
	if (fc.fc_nout != 0)
		strict_broken(STRICT_CONSOLE_RX, "%u pieces", fc.fc_nout);
	n = fake_chain_write(&fc, 0, text, len);
	vdev_push(vd, 0, &fc, (uint32_t)n);
	vdev_flush(vd);
	return 1;
}

void
vdev_console_resize(struct vdev *vd, uint16_t cols, uint16_t rows)
{
	uint16_t size[2] = { wire16(cols), wire16(rows) };

	fake_config_change(vd->vd_dev, 0, size, sizeof(size));
}

const struct vdev_type vdev_console_type = {
	.vt_type = PV_TYPE_CONSOLE,
	.vt_queues = 2,
	.vt_fills = 1,
	.vt_known = C(SIZE) | C(MULTIPORT) | C(EMERG_WRITE),
	.vt_fields = console_fields,
	.vt_nfields = sizeof(console_fields) / sizeof(console_fields[0]),
	.vt_init = console_init,
	.vt_take = console_take,
};

/* Entropy */

static void
entropy_init(struct vdev *vd)
{
	vd->vd_dev->fd_configlen = 0;
}

static void
entropy_take(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	struct vdev_entropy *ve = &vd->vd_ent;
	uint32_t i, len = fc->fc_inlen < sizeof(ve->ve_given) ?
	    (uint32_t)fc->fc_inlen : (uint32_t)sizeof(ve->ve_given);
	uint8_t all[sizeof(ve->ve_given)];

	if (fc->fc_nout != 0)
		strict_broken(STRICT_ENTROPY_READ, "%u pieces", fc->fc_nout);
	if (vd->vd_dev->fd_strict && len > 1)
		len = 1 + vdev_random(vd, len - 1);
	for (i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)vdev_random(vd, 256);
	memcpy(ve->ve_given, all, sizeof(all));
	ve->ve_givenlen = len;
	/* What lies behind the used length is nothing. */
	fake_chain_write(fc, 0, all, vd->vd_dev->fd_strict ?
	    (size_t)fc->fc_inlen : len);
	vdev_push(vd, queue, fc, len);
}

void
vdev_entropy_got(struct vdev *vd, const void *buf, size_t len)
{
	const struct vdev_entropy *ve = &vd->vd_ent;

	if (len > ve->ve_givenlen)
		strict_broken(STRICT_USED_BEYOND, "%zu bytes of %u", len,
		    ve->ve_givenlen);
	else if (memcmp(buf, ve->ve_given, len) != 0)
		strict_broken(STRICT_ENTROPY_LENGTH, "not those that were "
		    "given");
	else if (len != ve->ve_givenlen)
		strict_broken(STRICT_ENTROPY_LENGTH, "%zu bytes of %u", len,
		    ve->ve_givenlen);
}

const struct vdev_type vdev_entropy_type = {
	.vt_type = PV_TYPE_ENTROPY,
	.vt_queues = 1,
	.vt_init = entropy_init,
	.vt_take = entropy_take,
};
