/* SPDX-License-Identifier: ISC */
/*
 * An MMIO register block, versions 1 and 2. A register of the other version is
 * a violation.
 */
#include <string.h>

#include "fake.h"

/*
 * Virtio Over MMIO / Device Register Layout, and Legacy interface. 64 bits are
 * two registers, the low half first.
 */
enum {
	R_MAGIC_VALUE = 0x000,
	R_VERSION = 0x004,
	R_DEVICE_ID = 0x008,
	R_VENDOR_ID = 0x00c,
	R_DEVICE_FEATURES = 0x010,
	R_DEVICE_FEATURES_SEL = 0x014,
	R_DRIVER_FEATURES = 0x020,
	R_DRIVER_FEATURES_SEL = 0x024,
	R_GUEST_PAGE_SIZE = 0x028,	/* legacy */
	R_QUEUE_SEL = 0x030,
	R_QUEUE_SIZE_MAX = 0x034,
	R_QUEUE_SIZE = 0x038,
	R_QUEUE_ALIGN = 0x03c,		/* legacy */
	R_QUEUE_PFN = 0x040,		/* legacy */
	R_QUEUE_READY = 0x044,
	R_QUEUE_NOTIFY = 0x050,
	R_INTERRUPT_STATUS = 0x060,
	R_INTERRUPT_ACK = 0x064,
	R_STATUS = 0x070,
	R_QUEUE_DESC = 0x080,
	R_QUEUE_DRIVER = 0x090,
	R_QUEUE_DEVICE = 0x0a0,
	R_SHM_SEL = 0x0ac,
	R_SHM_LEN = 0x0b0,
	R_SHM_BASE = 0x0b8,
	R_QUEUE_RESET = 0x0c0,
	R_CONFIG_GENERATION = 0x0fc,
	R_CONFIG = 0x100,
};

#define MAGIC	0x74726976	/* "virt" */
#define VENDOR	0x554d4551	/* "QEMU" */

static void
only(const struct fake_mmio *fm, unsigned int version, bus_size_t off)
{
	if (fm->fm_version != version)
		strict_broken(STRICT_MMIO_PLACE, "register 0x%x on version %u",
		    (unsigned int)off, fm->fm_version);
}

/* What a register may be accessed for, on either version. */
#define R	1
#define W	2

static const uint8_t access_of[R_CONFIG / 4] = {
	[R_MAGIC_VALUE / 4] = R,
	[R_VERSION / 4] = R,
	[R_DEVICE_ID / 4] = R,
	[R_VENDOR_ID / 4] = R,
	[R_DEVICE_FEATURES / 4] = R,
	[R_DEVICE_FEATURES_SEL / 4] = W,
	[R_DRIVER_FEATURES / 4] = W,
	[R_DRIVER_FEATURES_SEL / 4] = W,
	[R_GUEST_PAGE_SIZE / 4] = W,
	[R_QUEUE_SEL / 4] = W,
	[R_QUEUE_SIZE_MAX / 4] = R,
	[R_QUEUE_SIZE / 4] = W,
	[R_QUEUE_ALIGN / 4] = W,
	[R_QUEUE_PFN / 4] = R | W,
	[R_QUEUE_READY / 4] = R | W,
	[R_QUEUE_NOTIFY / 4] = W,
	[R_INTERRUPT_STATUS / 4] = R,
	[R_INTERRUPT_ACK / 4] = W,
	[R_STATUS / 4] = R | W,
	[R_QUEUE_DESC / 4] = W,
	[R_QUEUE_DESC / 4 + 1] = W,
	[R_QUEUE_DRIVER / 4] = W,
	[R_QUEUE_DRIVER / 4 + 1] = W,
	[R_QUEUE_DEVICE / 4] = W,
	[R_QUEUE_DEVICE / 4 + 1] = W,
	[R_SHM_SEL / 4] = W,
	[R_SHM_LEN / 4] = R,
	[R_SHM_LEN / 4 + 1] = R,
	[R_SHM_BASE / 4] = R,
	[R_SHM_BASE / 4 + 1] = R,
	[R_QUEUE_RESET / 4] = R | W,
	[R_CONFIG_GENERATION / 4] = R,
};

/* Whether an access may go on; kind: R or W. */
static int
judge_access(const struct fake_mmio *fm, bus_size_t off, unsigned int width,
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
		strict_broken(kind == R ? STRICT_MMIO_WRITE_ONLY :
		    STRICT_MMIO_READ_ONLY, "0x%x", (unsigned int)off);
		return 0;
	}
	if (off >= R_SHM_SEL && off <= R_SHM_BASE + 4 &&
	    fm->fm_dev->fd_type != PV_TYPE_GPU)
		strict_broken(STRICT_MMIO_SHM, "0x%x", (unsigned int)off);
	return 1;
}

/* A driver looks who is there before it does anything else. */
static void
judge_identified(struct fake_mmio *fm, bus_size_t off)
{
	if (off == R_MAGIC_VALUE && (fm->fm_known |= 1) != 0)
		return;
	if (fm->fm_magic != MAGIC)
		strict_broken(STRICT_MMIO_MAGIC, "0x%x", (unsigned int)off);
	else if (off == R_VERSION)
		fm->fm_known |= 2;
	else if (fm->fm_device_id == 0 && off != R_DEVICE_ID)
		strict_broken(STRICT_MMIO_ABSENT, "0x%x", (unsigned int)off);
	else if (fm->fm_version != 1 && fm->fm_version != 2) {
		if (off > R_VENDOR_ID)
			strict_broken(STRICT_MMIO_VERSION, "0x%x",
			    (unsigned int)off);
	} else if (off == R_DEVICE_ID)
		fm->fm_known |= 4;
	else if (fm->fm_known != 7)
		strict_broken(STRICT_MMIO_ORDER, "0x%x", (unsigned int)off);
}

static int
judge(struct fake_mmio *fm, bus_size_t off, unsigned int width,
    unsigned int kind)
{
	struct fake_queue *fq = fake_selected(fm->fm_dev);

	if (off != R_CONFIG_GENERATION)
		fake_access(fm->fm_dev);
	judge_identified(fm, off);
	if (fm->fm_stopping && !(off == R_QUEUE_READY && kind == R))
		strict_broken(STRICT_MMIO_STOP, "0x%x accessed",
		    (unsigned int)off);
	fm->fm_stopping = 0;
	if (!judge_access(fm, off, width, kind))
		return 0;
	if (fq != NULL && fq->fq_resetting != 0 && kind == W && (off ==
	    R_QUEUE_SIZE || off == R_QUEUE_READY || off == R_QUEUE_RESET ||
	    (off >= R_QUEUE_DESC && off <= R_QUEUE_DEVICE + 4))) {
		strict_broken(STRICT_QUEUE_RESET_AWAITED, "0x%x written",
		    (unsigned int)off);
		return 0;
	}
	if (fm->fm_version == 2 && fq != NULL && fq->fq_ready && kind == W &&
	    (off == R_QUEUE_SIZE ||
	    (off >= R_QUEUE_DESC && off <= R_QUEUE_DEVICE + 4)))
		strict_broken(STRICT_MMIO_READY, "0x%x", (unsigned int)off);
	if ((off == R_DEVICE_FEATURES && !fm->fm_sel) ||
	    (off == R_DRIVER_FEATURES && !fm->fm_driver_sel))
		strict_broken(STRICT_MMIO_FEATURE_SEL, "0x%x",
		    (unsigned int)off);
	return 1;
}

static uint32_t
queue_read(struct fake_mmio *fm, bus_size_t off)
{
	const struct fake_queue *fq = fake_selected(fm->fm_dev);

	switch (off) {
	case R_QUEUE_SIZE_MAX:
		return fq == NULL ? 0 : fq->fq_max;
	case R_QUEUE_PFN:
		only(fm, 1, off);
		return fq == NULL || fm->fm_page_size == 0 ? 0 :
		    (uint32_t)(fq->fq_desc / fm->fm_page_size);
	case R_QUEUE_READY:
		only(fm, 2, off);
		return fq == NULL ? 0 : (uint32_t)fq->fq_ready;
	case R_QUEUE_RESET:
		only(fm, 2, off);
		return fake_queue_reset_read(fm->fm_dev);
	default:
		port_violation("register read 0x%x", (unsigned int)off);
		return 0;
	}
}

/* Of a region that there is not: all ones. */
static uint32_t
region_read(struct fake_mmio *fm, bus_size_t off)
{
	struct fake_dev *fd = fm->fm_dev;
	const struct pv_shm *shm;
	uint64_t val = UINT64_MAX;

	only(fm, 2, off);
	if (fm->fm_shm_sel < FAKE_REGIONS) {
		shm = &fd->fd_regions[fm->fm_shm_sel];
		fd->fd_regions_seen |= 1u << fm->fm_shm_sel;
		if (shm->sh_bar < 0)
			val = off < R_SHM_BASE ? shm->sh_len : shm->sh_start;
	}
	return (uint32_t)(off & 4 ? val >> 32 : val);
}

static uint32_t
mmio_read(void *v, bus_size_t off, unsigned int width)
{
	struct fake_mmio *fm = v;
	struct fake_dev *fd = fm->fm_dev;

	if (fd->fd_gone)
		return UINT32_MAX >> (32 - 8 * width);
	if (off >= R_CONFIG)
		return fake_config_read(fd, (unsigned int)(off - R_CONFIG),
		    width);
	if (!judge(fm, off, width, R))
		return UINT32_MAX >> (32 - 8 * width);
	switch (off) {
	case R_MAGIC_VALUE:
		return fm->fm_magic;
	case R_VERSION:
		return fm->fm_version;
	case R_DEVICE_ID:
		return fm->fm_device_id;
	case R_VENDOR_ID:
		return VENDOR;
	case R_DEVICE_FEATURES:
		return fake_features_read(fd);
	case R_INTERRUPT_STATUS:
		fm->fm_looked = 1;
		return fm->fm_status | fm->fm_undefined;
	case R_STATUS:
		return fake_status_read(fd);
	case R_SHM_LEN:
	case R_SHM_LEN + 4:
	case R_SHM_BASE:
	case R_SHM_BASE + 4:
		return region_read(fm, off);
	case R_CONFIG_GENERATION:
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
	if (off != R_QUEUE_SIZE)
		only(fm, off == R_QUEUE_ALIGN || off == R_QUEUE_PFN ? 1 : 2,
		    off);
	switch (off) {
	case R_QUEUE_SIZE:
		fq->fq_size = val;
		break;
	case R_QUEUE_ALIGN:
		fm->fm_align = val;
		break;
	case R_QUEUE_PFN:
		legacy_place(fm, fq, val);
		break;
	case R_QUEUE_READY:
		if (val == 0) {
			fq->fq_ready = 0;
			fm->fm_stopping = 1;
		} else
			fake_queue_enable(fm->fm_dev,
			    fm->fm_dev->fd_queue_sel);
		break;
	case R_QUEUE_DESC:
	case R_QUEUE_DESC + 4:
		fake_set_half(&fq->fq_desc, off & 4, val);
		break;
	case R_QUEUE_DRIVER:
	case R_QUEUE_DRIVER + 4:
		fake_set_half(&fq->fq_driver, off & 4, val);
		break;
	case R_QUEUE_DEVICE:
	case R_QUEUE_DEVICE + 4:
		fake_set_half(&fq->fq_device, off & 4, val);
		break;
	case R_QUEUE_RESET:
		fake_queue_reset_write(fm->fm_dev, val);
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
	if (off >= R_CONFIG) {
		fake_config_write(fd, (unsigned int)(off - R_CONFIG), width,
		    val);
		return;
	}
	if (!judge(fm, off, width, W))
		return;
	switch (off) {
	case R_DEVICE_FEATURES_SEL:
		fd->fd_feature_sel = val;
		fm->fm_sel = 1;
		break;
	case R_DRIVER_FEATURES:
		fake_features_write(fd, val);
		break;
	case R_DRIVER_FEATURES_SEL:
		fd->fd_driver_sel = val;
		fm->fm_driver_sel = 1;
		break;
	case R_GUEST_PAGE_SIZE:
		only(fm, 1, off);
		fm->fm_page_size = val;
		break;
	case R_QUEUE_SEL:
		fd->fd_queue_sel = val;
		break;
	case R_QUEUE_NOTIFY:
		fake_doorbell(fd, val);
		break;
	case R_SHM_SEL:
		only(fm, 2, off);
		fm->fm_shm_sel = val;
		break;
	case R_INTERRUPT_ACK:
		if (val & ~3u)
			strict_broken(STRICT_MMIO_ACK_BITS, "0x%x", val);
		fm->fm_status &= ~val;
		break;
	case R_STATUS:
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
	fm->fm_magic = MAGIC;
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
