/* SPDX-License-Identifier: ISC */
/*
 * An MMIO register block, versions 1 and 2. A register of the other version is
 * a violation.
 */
#include <string.h>

#include "fake.h"

#define CONFIG	0x100

static void
only(const struct fake_mmio *fm, unsigned int version, bus_size_t off)
{
	if (fm->fm_version != version)
		strict_broken(STRICT_MMIO_PLACE, "register 0x%x on version %u",
		    (unsigned int)off, fm->fm_version);
}

/* By register / 4: what it may be accessed for, on either version. */
#define R	1
#define W	2

static const uint8_t access_of[0x40] = {
	[0x00] = R, [0x01] = R, [0x02] = R, [0x03] = R, [0x04] = R, [0x05] = W,
	[0x08] = W, [0x09] = W, [0x0a] = W, [0x0c] = W, [0x0d] = R, [0x0e] = W,
	[0x0f] = W, [0x10] = R | W, [0x11] = R | W, [0x14] = W, [0x18] = R,
	[0x19] = W, [0x1c] = R | W, [0x20] = W, [0x21] = W, [0x24] = W,
	[0x25] = W, [0x28] = W, [0x29] = W, [0x2b] = W, [0x2c] = R, [0x2d] = R,
	[0x2e] = R, [0x2f] = R, [0x30] = R | W, [0x3f] = R,
};

#undef R
#undef W

/* Whether an access may go on; kind: 1 read, 2 write. */
static int
judge_access(bus_size_t off, unsigned int width,
    unsigned int kind)
{
	unsigned int allowed;

	if (width != 4 || off % 4 != 0) {
		strict_broken(STRICT_MMIO_WIDTH, "0x%x, %u bytes",
		    (unsigned int)off, width);
		return 0;
	}
	allowed = access_of[off / 4];
	if (allowed == 0) {
		strict_broken(STRICT_MMIO_PLACE, "0x%x", (unsigned int)off);
		return 0;
	}
	if ((allowed & kind) == 0) {
		strict_broken(kind == 1 ? STRICT_MMIO_WRITE_ONLY :
		    STRICT_MMIO_READ_ONLY, "0x%x", (unsigned int)off);
		return 0;
	}
	if (off >= 0x0ac && off <= 0x0bc)
		strict_broken(STRICT_MMIO_SHM, "0x%x", (unsigned int)off);
	return 1;
}

/* A driver looks who is there before it does anything else. */
static void
judge_identified(struct fake_mmio *fm, bus_size_t off)
{
	if (off == 0x000 && (fm->fm_known |= 1) != 0)
		return;
	if (fm->fm_magic != 0x74726976)
		strict_broken(STRICT_MMIO_MAGIC, "0x%x", (unsigned int)off);
	else if (off == 0x004)
		fm->fm_known |= 2;
	else if (fm->fm_device_id == 0 && off != 0x008)
		strict_broken(STRICT_MMIO_ABSENT, "0x%x", (unsigned int)off);
	else if (fm->fm_version != 1 && fm->fm_version != 2) {
		if (off > 0x00c)
			strict_broken(STRICT_MMIO_VERSION, "0x%x",
			    (unsigned int)off);
	} else if (off == 0x008)
		fm->fm_known |= 4;
	else if (fm->fm_known != 7)
		strict_broken(STRICT_MMIO_ORDER, "0x%x", (unsigned int)off);
}

static int
judge(struct fake_mmio *fm, bus_size_t off, unsigned int width,
    unsigned int kind)
{
	struct fake_queue *fq = fake_selected(fm->fm_dev);

	if (off != 0x0fc)
		fake_access(fm->fm_dev);
	judge_identified(fm, off);
	if (fm->fm_stopping && !(off == 0x044 && kind == 1))
		strict_broken(STRICT_MMIO_STOP, "0x%x accessed",
		    (unsigned int)off);
	fm->fm_stopping = 0;
	if (!judge_access(off, width, kind))
		return 0;
	if (fm->fm_version == 2 && fq != NULL && fq->fq_ready && kind == 2 &&
	    (off == 0x038 || (off >= 0x080 && off <= 0x0a4)))
		strict_broken(STRICT_MMIO_READY, "0x%x", (unsigned int)off);
	if ((off == 0x010 && !fm->fm_sel) || (off == 0x020 &&
	    !fm->fm_driver_sel))
		strict_broken(STRICT_MMIO_FEATURE_SEL, "0x%x",
		    (unsigned int)off);
	return 1;
}

static uint32_t
queue_read(struct fake_mmio *fm, bus_size_t off)
{
	const struct fake_queue *fq = fake_selected(fm->fm_dev);

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
	if (!judge(fm, off, width, 1))
		return UINT32_MAX >> (32 - 8 * width);
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
		fm->fm_looked = 1;
		return fm->fm_status | fm->fm_undefined;
	case 0x070:
		return fake_status_read(fd);
	case 0x0b0:			/* no memory is shared */
	case 0x0b4:
	case 0x0b8:
	case 0x0bc:
		return UINT32_MAX;
	case 0x0fc:
		only(fm, 2, off);
		return fake_generation_read(fd);
	default:
		return queue_read(fm, off);
	}
}

static void
legacy_place(struct fake_mmio *fm, struct fake_queue *fq, uint32_t pfn)
{
	bus_addr_t avail_end;

	if (pfn != 0 && (fm->fm_page_size == 0 || fm->fm_align == 0))
		strict_broken(STRICT_LEGACY_PLACE,
		    "QueuePFN before GuestPageSize, QueueAlign");
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
queue_write(struct fake_mmio *fm, bus_size_t off, uint32_t val)
{
	struct fake_queue *fq = fake_selected(fm->fm_dev);

	if (fq == NULL) {
		strict_broken(STRICT_QUEUE_LIFE, "register 0x%x of queue %u",
		    (unsigned int)off, fm->fm_dev->fd_queue_sel);
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
		if (val == 0) {
			fq->fq_ready = 0;
			fm->fm_stopping = 1;
		} else
			fake_queue_enable(fm->fm_dev,
			    fm->fm_dev->fd_queue_sel);
		break;
	case 0x080:
	case 0x084:
		fake_set_half(&fq->fq_desc, off & 4, val);
		break;
	case 0x090:
	case 0x094:
		fake_set_half(&fq->fq_driver, off & 4, val);
		break;
	case 0x0a0:
	case 0x0a4:
		fake_set_half(&fq->fq_device, off & 4, val);
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
	if (!judge(fm, off, width, 2))
		return;
	switch (off) {
	case 0x014:
		fd->fd_feature_sel = val;
		fm->fm_sel = 1;
		break;
	case 0x020:
		fake_features_write(fd, val);
		break;
	case 0x024:
		fd->fd_driver_sel = val;
		fm->fm_driver_sel = 1;
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
	case 0x0ac:			/* of no memory that is shared */
		break;
	case 0x064:
		if (val & ~3u)
			strict_broken(STRICT_MMIO_ACK_BITS, "0x%x", val);
		fm->fm_status &= ~val;
		break;
	case 0x070:
		if (val > 0xff)
			strict_broken(STRICT_STATUS_ORDER, "0x%x", val);
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

	uint32_t bit = queue < 0 ? 2 : 1;

	fm->fm_status |= bit;
	if (fd->fd_gone || fm->fm_fn == NULL)
		return;
	fm->fm_looked = 0;
	fm->fm_fn(fm->fm_arg);
	if (!fd->fd_strict || fd->fd_gone)
		return;
	if (!fm->fm_looked)
		strict_broken(STRICT_MMIO_STATUS, "interrupt 0x%x", bit);
	else if (fm->fm_status & bit)
		strict_broken(STRICT_MMIO_ACK, "interrupt 0x%x", bit);
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

void
fake_mmio_judge(const struct fake_mmio *fm)
{
	if (fm->fm_device_id == 0 && port.po_nlogs > 0)
		strict_broken(STRICT_MMIO_ABSENT_SAID, "%s", port.po_log);
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
