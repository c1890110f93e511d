/* SPDX-License-Identifier: ISC */
/*
 * An MMIO register block, versions 1 and 2. A register of the other version is
 * a violation.
 */
#include <string.h>

#include "fake.h"

#define CONFIG	0x100

static struct fake_queue *
selected(struct fake_dev *fd)
{
	return fd->fd_queue_sel < fd->fd_nqueues ?
	    &fd->fd_queues[fd->fd_queue_sel] : NULL;
}

static void
only(const struct fake_mmio *fm, unsigned int version, bus_size_t off)
{
	if (fm->fm_version != version)
		port_violation("register 0x%x on version %u",
		    (unsigned int)off, fm->fm_version);
}

static uint32_t
queue_read(struct fake_mmio *fm, bus_size_t off)
{
	const struct fake_queue *fq = selected(fm->fm_dev);

	switch (off) {
	case 0x034:
		return fq == NULL ? 0 : fq->fq_max;
	case 0x040:
		only(fm, 1, off);
		return fq == NULL || fm->fm_page_size == 0 ? 0 :
		    (uint32_t)(fq->fq_desc / fm->fm_page_size);
	case 0x044:
		only(fm, 2, off);
		return fq == NULL ? 0 : (uint32_t)fq->fq_ready;
	default:
		port_violation("register read 0x%x", (unsigned int)off);
		return 0;
	}
}

static uint32_t
mmio_read(void *v, bus_size_t off, unsigned int width)
{
	struct fake_mmio *fm = v;
	struct fake_dev *fd = fm->fm_dev;

	if (fd->fd_gone)
		return UINT32_MAX >> (32 - 8 * width);
	if (off >= CONFIG)
		return fake_config_read(fd, (unsigned int)(off - CONFIG),
		    width);
	if (width != 4 || off % 4 != 0)
		port_violation("register read 0x%x, width %u",
		    (unsigned int)off, width);
	switch (off) {
	case 0x000:
		return fm->fm_magic;
	case 0x004:
		return fm->fm_version;
	case 0x008:
		return fm->fm_device_id;
	case 0x00c:
		return 0x554d4551;
	case 0x010:
		return fake_features_read(fd);
	case 0x060:
		return fm->fm_status;
	case 0x070:
		return fake_status_read(fd);
	case 0x0fc:
		only(fm, 2, off);
		return fd->fd_generation;
	default:
		return queue_read(fm, off);
	}
}

static void
legacy_place(struct fake_mmio *fm, struct fake_queue *fq, uint32_t pfn)
{
	bus_addr_t avail_end;

	if (pfn != 0 && (fm->fm_page_size == 0 || fm->fm_align == 0))
		port_violation("QueuePFN before GuestPageSize, QueueAlign");
	if (pfn != 0 && fm->fm_dev->fd_refuse_queues)
		return;
	fq->fq_desc = (bus_addr_t)pfn * fm->fm_page_size;
	if (pfn == 0) {
		fq->fq_ready = 0;
		return;
	}
	fq->fq_driver = fq->fq_desc + 16 * (bus_addr_t)fq->fq_size;
	avail_end = fq->fq_driver + 6 + 2 * (bus_addr_t)fq->fq_size;
	fq->fq_device = (avail_end + fm->fm_align - 1) &
	    ~(bus_addr_t)(fm->fm_align - 1);
	fake_queue_enable(fm->fm_dev, fm->fm_dev->fd_queue_sel);
}

static void
set_half(bus_addr_t *addr, bus_size_t high, uint32_t val)
{
	if (high)
		*addr = (*addr & UINT32_MAX) | (bus_addr_t)val << 32;
	else
		*addr = (*addr & ~(bus_addr_t)UINT32_MAX) | val;
}

static void
queue_write(struct fake_mmio *fm, bus_size_t off, uint32_t val)
{
	struct fake_queue *fq = selected(fm->fm_dev);

	if (fq == NULL) {
		port_violation("register 0x%x written: no such queue",
		    (unsigned int)off);
		return;
	}
	if (off != 0x038)
		only(fm, off == 0x03c || off == 0x040 ? 1 : 2, off);
	switch (off) {
	case 0x038:
		fq->fq_size = val;
		break;
	case 0x03c:
		fm->fm_align = val;
		break;
	case 0x040:
		legacy_place(fm, fq, val);
		break;
	case 0x044:
		if (val != 1)
			port_violation("QueueReady written %u", val);
		else
			fake_queue_enable(fm->fm_dev,
			    fm->fm_dev->fd_queue_sel);
		break;
	case 0x080:
	case 0x084:
		set_half(&fq->fq_desc, off & 4, val);
		break;
	case 0x090:
	case 0x094:
		set_half(&fq->fq_driver, off & 4, val);
		break;
	case 0x0a0:
	case 0x0a4:
		set_half(&fq->fq_device, off & 4, val);
		break;
	default:
		port_violation("register written 0x%x", (unsigned int)off);
	}
}

static void
mmio_write(void *v, bus_size_t off, unsigned int width, uint32_t val)
{
	struct fake_mmio *fm = v;
	struct fake_dev *fd = fm->fm_dev;

	if (fd->fd_gone)
		return;
	if (off >= CONFIG) {
		fake_config_write(fd, (unsigned int)(off - CONFIG), width,
		    val);
		return;
	}
	if (width != 4 || off % 4 != 0)
		port_violation("register write 0x%x, width %u",
		    (unsigned int)off, width);
	switch (off) {
	case 0x014:
		fd->fd_feature_sel = val;
		break;
	case 0x020:
		fake_features_write(fd, val);
		break;
	case 0x024:
		fd->fd_driver_sel = val;
		break;
	case 0x028:
		only(fm, 1, off);
		fm->fm_page_size = val;
		break;
	case 0x030:
		fd->fd_queue_sel = val;
		break;
	case 0x050:
		fake_doorbell(fd, val);
		break;
	case 0x064:
		fm->fm_status &= ~val;
		break;
	case 0x070:
		if (val > 0xff)
			port_violation("status 0x%x", val);
		fake_status_write(fd, (uint8_t)val);
		break;
	default:
		queue_write(fm, off, val);
	}
}

static void
signal(struct fake_dev *fd, int queue)
{
	struct fake_mmio *fm = fd->fd_transport;

	fm->fm_status |= queue < 0 ? 2 : 1;
	if (fm->fm_fn != NULL)
		fm->fm_fn(fm->fm_arg);
}

void
fake_mmio_init(struct fake_mmio *fm, struct fake_dev *fd,
    unsigned int version)
{
	memset(fm, 0, sizeof(*fm));
	fm->fm_dev = fd;
	fm->fm_version = version;
	fm->fm_device_id = fd->fd_type;
	fm->fm_magic = 0x74726976;
	fm->fm_space.bs_read = mmio_read;
	fm->fm_space.bs_write = mmio_write;
	fm->fm_space.bs_arg = fm;
	fd->fd_signal = signal;
	fd->fd_transport = fm;
	fd->fd_legacy = version == 1;
	if (fd->fd_legacy)
		fd->fd_features = (fd->fd_features & UINT32_MAX) |
		    PV_F_BIT(PV_F_ANY_LAYOUT);
}

static int
intr_establish(void *v, const char *name, int (*fn)(void *), void *arg)
{
	struct fake_mmio *fm = v;

	(void)name;
	if (fm->fm_no_intr)
		return ENXIO;
	if (fm->fm_fn != NULL)
		port_violation("interrupt established twice");
	fm->fm_fn = fn;
	fm->fm_arg = arg;
	return 0;
}

static void
intr_disestablish(void *v)
{
	struct fake_mmio *fm = v;

	if (fm->fm_fn == NULL)
		port_violation("interrupt was not established");
	fm->fm_fn = NULL;
}

const struct pv_mmio_ops fake_mmio_ops = {
	.mo_intr_establish = intr_establish,
	.mo_intr_disestablish = intr_disestablish,
};
