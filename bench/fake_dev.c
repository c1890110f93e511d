/* SPDX-License-Identifier: ISC */
/*
 * The device itself: status, features, configuration.
 */
#include <string.h>

#include "fake.h"

void
fake_init(struct fake_dev *fd, unsigned int type, unsigned int nqueues)
{
	unsigned int i;

	memset(fd, 0, sizeof(*fd));
	fd->fd_type = type;
	fd->fd_features = PV_F_BIT(PV_F_VERSION_1) |
	    PV_F_BIT(PV_F_INDIRECT_DESC) | PV_F_BIT(PV_F_EVENT_IDX);
	fd->fd_nqueues = nqueues;
	for (i = 0; i < nqueues; i++) {
		fd->fd_queues[i].fq_max = 256;
		fd->fd_queues[i].fq_size = 256;
		fd->fd_queues[i].fq_vector = 0xffff;
		fd->fd_queues[i].fq_notify_off = i;
	}
}

int
fake_has(const struct fake_dev *fd, unsigned int bit)
{
	return (fd->fd_accepted & fd->fd_features & PV_F_BIT(bit)) != 0;
}

void
fake_config_set(struct fake_dev *fd, unsigned int off, const void *p,
    size_t len)
{
	memcpy(fd->fd_config + off, p, len);
	if (fd->fd_configlen < off + len)
		fd->fd_configlen = (unsigned int)(off + len);
}

void
fake_config_change(struct fake_dev *fd, unsigned int off, const void *p,
    size_t len)
{
	fake_config_set(fd, off, p, len);
	fd->fd_generation++;
	fake_config_interrupt(fd);
}

static void
reset(struct fake_dev *fd)
{
	struct fake_queue *fq;
	unsigned int i;

	fd->fd_status = 0;
	fd->fd_accepted = 0;
	fd->fd_resets++;
	fd->fd_pending_queues = 0;
	fd->fd_pending_config = 0;
	for (i = 0; i < fd->fd_nqueues; i++) {
		fq = &fd->fd_queues[i];
		fq->fq_size = fq->fq_max;
		fq->fq_ready = 0;
		fq->fq_vector = 0xffff;
		/* A legacy device may keep the place: QueuePFN is not it. */
		if (!fd->fd_legacy)
			fq->fq_desc = fq->fq_driver = fq->fq_device = 0;
		fq->fq_avail = fq->fq_used = fq->fq_signalled = 0;
		fq->fq_no_notify = 0;
	}
	if (fd->fd_reset != NULL)
		fd->fd_reset(fd);
}

uint8_t
fake_status_read(struct fake_dev *fd)
{
	if (fd->fd_gone)
		return 0xff;
	if (fd->fd_resetting > 0) {
		if (!fd->fd_reset_never && --fd->fd_resetting == 0)
			reset(fd);
		else
			return fd->fd_status ? fd->fd_status : 1;
	}
	return fd->fd_status;
}

static void
check_features(struct fake_dev *fd)
{
	if (fd->fd_accepted & ~fd->fd_features)
		port_violation("features accepted that were not offered: %llx",
		    (unsigned long long)(fd->fd_accepted & ~fd->fd_features));
	if ((fd->fd_accepted & fd->fd_needs) != fd->fd_needs ||
	    (fd->fd_accepted & fd->fd_refuses) != 0)
		fd->fd_status &= (uint8_t)~PV_STATUS_FEATURES_OK;
}

static void
check_status(const struct fake_dev *fd, uint8_t status)
{
	uint8_t old = fd->fd_status, new = status & (uint8_t)~old;

	if (old & ~status)
		port_violation("status bits cleared: 0x%x after 0x%x", status,
		    old);
	if ((new & PV_STATUS_DRIVER) && !(status & PV_STATUS_ACKNOWLEDGE))
		port_violation("DRIVER without ACKNOWLEDGE");
	if ((new & PV_STATUS_FEATURES_OK) && !(old & PV_STATUS_DRIVER))
		port_violation("FEATURES_OK without DRIVER");
	if ((new & PV_STATUS_FEATURES_OK) && fd->fd_legacy)
		port_violation("FEATURES_OK on a legacy device");
	if ((new & PV_STATUS_DRIVER_OK) && !fd->fd_legacy &&
	    !(old & PV_STATUS_FEATURES_OK))
		port_violation("DRIVER_OK without FEATURES_OK");
}

void
fake_status_write(struct fake_dev *fd, uint8_t status)
{
	if (fd->fd_gone)
		return;
	if (status == 0) {
		fd->fd_resetting = fd->fd_reset_never ? 1 : fd->fd_reset_looks;
		if (fd->fd_resetting == 0)
			reset(fd);
		return;
	}
	if (fd->fd_resetting > 0)
		port_violation("status written during a reset");
	check_status(fd, status);
	if ((status & PV_STATUS_FEATURES_OK) &&
	    !(fd->fd_status & PV_STATUS_FEATURES_OK)) {
		fd->fd_status = status;
		check_features(fd);
	} else
		fd->fd_status = status;
	if (fd->fd_status_written != NULL)
		fd->fd_status_written(fd, status);
}

uint32_t
fake_features_read(struct fake_dev *fd)
{
	if (fd->fd_gone)
		return UINT32_MAX;
	if (fd->fd_feature_sel > 1)
		return 0;
	return (uint32_t)(fd->fd_features >> (32 * fd->fd_feature_sel));
}

void
fake_features_write(struct fake_dev *fd, uint32_t val)
{
	unsigned int shift = 32 * fd->fd_driver_sel;

	if (fd->fd_gone)
		return;
	if (!(fd->fd_status & PV_STATUS_DRIVER))
		port_violation("features written before DRIVER");
	if (fd->fd_status & PV_STATUS_FEATURES_OK)
		port_violation("features written after FEATURES_OK");
	if (fd->fd_driver_sel > 1)
		return;
	fd->fd_accepted &= ~((uint64_t)UINT32_MAX << shift);
	fd->fd_accepted |= (uint64_t)val << shift;
}

uint32_t
fake_config_read(struct fake_dev *fd, unsigned int off, unsigned int width)
{
	uint32_t val = 0;

	if (fd->fd_gone)
		return UINT32_MAX >> (32 - 8 * width);
	if (fd->fd_config_reading != NULL)
		fd->fd_config_reading(fd, off);
	if (off % width != 0)
		port_violation("configuration read of %u bytes at %u", width,
		    off);
	if (off < FAKE_CONFIGLEN && width <= FAKE_CONFIGLEN - off)
		memcpy(&val, fd->fd_config + off, width);
	return val;
}

void
fake_config_write(struct fake_dev *fd, unsigned int off, unsigned int width,
    uint32_t val)
{
	if (fd->fd_gone)
		return;
	if (off % width != 0)
		port_violation("configuration write of %u bytes at %u", width,
		    off);
	if (off < FAKE_CONFIGLEN && width <= FAKE_CONFIGLEN - off)
		memcpy(fd->fd_config + off, &val, width);
	if (fd->fd_config_written != NULL)
		fd->fd_config_written(fd, off);
}

static void
signal_config(struct fake_dev *fd)
{
	if (fd->fd_signal != NULL)
		fd->fd_signal(fd, -1);
}

void
fake_config_interrupt(struct fake_dev *fd)
{
	if (fd->fd_defer)
		fd->fd_pending_config = 1;
	else
		signal_config(fd);
}

void
fake_deliver(struct fake_dev *fd)
{
	uint64_t queues = fd->fd_pending_queues;
	unsigned int i;

	fd->fd_pending_queues = 0;
	if (fd->fd_pending_config) {
		fd->fd_pending_config = 0;
		signal_config(fd);
	}
	for (i = 0; i < fd->fd_nqueues; i++)
		if (queues & (1ull << i)) {
			fd->fd_queues[i].fq_interrupts++;
			if (fd->fd_signal != NULL)
				fd->fd_signal(fd, (int)i);
		}
}
