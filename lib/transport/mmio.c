/* SPDX-License-Identifier: ISC */
/*
 * Virtio Over MMIO: version 2, and legacy version 1. Registers are 32 bits
 * wide, configuration fields as wide as they are.
 */
#include <paravane/mmio.h>

#include "../core/await.h"
#include "../core/mem.h"
#include "field.h"
#include "text.h"

/* MMIO Device Register Layout; (1) legacy only, (2) not in legacy */
#define MMIO_MAGIC		0x000
#define  MMIO_MAGIC_VALUE	0x74726976u	/* "virt" */
#define MMIO_VERSION		0x004
#define MMIO_DEVICE_ID		0x008
#define MMIO_VENDOR_ID		0x00c
#define MMIO_DEVICE_FEATURES	0x010
#define MMIO_DEVICE_FEATURES_SEL 0x014
#define MMIO_DRIVER_FEATURES	0x020
#define MMIO_DRIVER_FEATURES_SEL 0x024
#define MMIO_GUEST_PAGE_SIZE	0x028		/* (1) */
#define MMIO_QUEUE_SEL		0x030
#define MMIO_QUEUE_NUM_MAX	0x034
#define MMIO_QUEUE_NUM		0x038
#define MMIO_QUEUE_ALIGN	0x03c		/* (1) */
#define MMIO_QUEUE_PFN		0x040		/* (1) */
#define MMIO_QUEUE_READY	0x044		/* (2) */
#define MMIO_QUEUE_NOTIFY	0x050
#define MMIO_INTERRUPT_STATUS	0x060
#define MMIO_INTERRUPT_ACK	0x064
#define  MMIO_INTERRUPT_QUEUE	0x01u
#define  MMIO_INTERRUPT_CONFIG	0x02u
#define MMIO_STATUS		0x070
#define MMIO_QUEUE_DESC		0x080		/* (2) low, then high */
#define MMIO_QUEUE_DRIVER	0x090		/* (2) */
#define MMIO_QUEUE_DEVICE	0x0a0		/* (2) */
#define MMIO_SHM_SEL		0x0ac		/* (2) */
#define MMIO_SHM_LEN		0x0b0		/* (2) low, then high */
#define MMIO_SHM_BASE		0x0b8		/* (2) */
#define MMIO_QUEUE_RESET	0x0c0		/* (2), RING_RESET */
#define MMIO_CONFIG_GENERATION	0x0fc		/* (2) */
#define MMIO_CONFIG		0x100

#define LEGACY_PAGE_SHIFT	12	/* that we tell legacy devices */

static uint32_t
mmio_read(const struct pv_mmio *mm, bus_size_t reg)
{
	return bus_space_read_4(mm->mm_iot, mm->mm_ioh, reg);
}

static void
mmio_write(const struct pv_mmio *mm, bus_size_t reg, uint32_t val)
{
	bus_space_write_4(mm->mm_iot, mm->mm_ioh, reg, val);
}

static bool
is_legacy(const struct pv_mmio *mm)
{
	return mm->mm_version == 1;
}

static unsigned int
mmio_properties(void *v)
{
	return is_legacy(v) ? PV_TRANSPORT_LEGACY : 0;
}

/* Bits above 8 are reserved; a device that is gone has them all. */
static uint8_t
mmio_status_read(void *v)
{
	return (uint8_t)mmio_read(v, MMIO_STATUS);
}

static void
mmio_status_write(void *v, uint8_t status)
{
	mmio_write(v, MMIO_STATUS, status);
}

static uint64_t
mmio_features_read(void *v)
{
	struct pv_mmio *mm = v;
	uint64_t features;

	mmio_write(mm, MMIO_DEVICE_FEATURES_SEL, 0);
	features = mmio_read(mm, MMIO_DEVICE_FEATURES);
	if (is_legacy(mm))
		return features;
	mmio_write(mm, MMIO_DEVICE_FEATURES_SEL, 1);
	return features | (uint64_t)mmio_read(mm, MMIO_DEVICE_FEATURES) << 32;
}

static void
mmio_features_write(void *v, uint64_t features)
{
	struct pv_mmio *mm = v;

	mmio_write(mm, MMIO_DRIVER_FEATURES_SEL, 0);
	mmio_write(mm, MMIO_DRIVER_FEATURES, (uint32_t)features);
	if (is_legacy(mm))
		return;
	mmio_write(mm, MMIO_DRIVER_FEATURES_SEL, 1);
	mmio_write(mm, MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static int
mmio_config_read(void *v, unsigned int off, unsigned int width, uint32_t *val)
{
	const struct pv_mmio *mm = v;

	return field_read(&mm->mm_config, off, width, val);
}

static int
mmio_config_write(void *v, unsigned int off, unsigned int width, uint32_t val)
{
	const struct pv_mmio *mm = v;

	return field_write(&mm->mm_config, off, width, val);
}

static uint32_t
mmio_config_generation(void *v)
{
	return is_legacy(v) ? 0 : mmio_read(v, MMIO_CONFIG_GENERATION);
}

static unsigned int
mmio_config_size(void *v)
{
	struct pv_mmio *mm = v;

	return (unsigned int)mm->mm_config.pw_len;
}

/* There is no register for it: to_queue_max says which exist. */
static unsigned int
mmio_queue_count(void *v)
{
	(void)v;
	return 0x10000;		/* indexes */
}

static unsigned int
mmio_queue_max(void *v, unsigned int queue)
{
	mmio_write(v, MMIO_QUEUE_SEL, queue);
	return mmio_read(v, MMIO_QUEUE_NUM_MAX);
}

static int
legacy_enable(struct pv_mmio *mm, const struct pv_queue_place *qp)
{
	uint64_t pfn = (uint64_t)qp->qp_desc >> LEGACY_PAGE_SHIFT;

	if (pfn == 0 || pfn > UINT32_MAX ||
	    (qp->qp_desc & ((1u << LEGACY_PAGE_SHIFT) - 1)) != 0)
		return ERANGE;
	mmio_write(mm, MMIO_GUEST_PAGE_SIZE, 1u << LEGACY_PAGE_SHIFT);
	mmio_write(mm, MMIO_QUEUE_NUM, qp->qp_size);
	mmio_write(mm, MMIO_QUEUE_ALIGN, qp->qp_align);
	mmio_write(mm, MMIO_QUEUE_PFN, (uint32_t)pfn);
	return mmio_read(mm, MMIO_QUEUE_PFN) == (uint32_t)pfn ? 0 : EIO;
}

static void
write_address(struct pv_mmio *mm, bus_size_t reg, bus_addr_t addr)
{
	mmio_write(mm, reg, (uint32_t)addr);
	mmio_write(mm, reg + 4, (uint32_t)((uint64_t)addr >> 32));
}

static int
mmio_queue_enable(void *v, unsigned int queue, const struct pv_queue_place *qp)
{
	struct pv_mmio *mm = v;

	mmio_write(mm, MMIO_QUEUE_SEL, queue);
	if (is_legacy(mm))
		return legacy_enable(mm, qp);
	if (mmio_read(mm, MMIO_QUEUE_READY) != 0)
		return EIO;
	mmio_write(mm, MMIO_QUEUE_NUM, qp->qp_size);
	write_address(mm, MMIO_QUEUE_DESC, qp->qp_desc);
	write_address(mm, MMIO_QUEUE_DRIVER, qp->qp_driver);
	write_address(mm, MMIO_QUEUE_DEVICE, qp->qp_device);
	mmio_write(mm, MMIO_QUEUE_READY, 1);
	return mmio_read(mm, MMIO_QUEUE_READY) == 1 ? 0 : EIO;
}

/* Legacy only: the reset that follows might leave the place standing. */
static void
mmio_queue_stop(void *v, unsigned int queue)
{
	mmio_write(v, MMIO_QUEUE_SEL, queue);
	mmio_write(v, MMIO_QUEUE_PFN, 0);
}

/* MMIO Device Register Layout: both read 0 once the queue is quiet. */
static int
reset_look(void *v)
{
	uint32_t busy = mmio_read(v, MMIO_QUEUE_RESET);

	if (busy == UINT32_MAX)
		return EIO;
	return busy != 0 || mmio_read(v, MMIO_QUEUE_READY) != 0 ? EAGAIN : 0;
}

static int
mmio_queue_reset(void *v, unsigned int queue)
{
	mmio_write(v, MMIO_QUEUE_SEL, queue);
	mmio_write(v, MMIO_QUEUE_RESET, 1);
	return virtio_await(reset_look, v);
}

static uint64_t
read_64(const struct pv_mmio *mm, bus_size_t reg)
{
	uint64_t lo = mmio_read(mm, reg);

	return lo | (uint64_t)mmio_read(mm, reg + 4) << 32;
}

/* No region has the length -1; devices from before there were any read 0. */
static int
mmio_shm(void *v, unsigned int id, struct pv_shm *shm)
{
	struct pv_mmio *mm = v;

	if (is_legacy(mm))
		return ENOTSUP;
	mmio_write(mm, MMIO_SHM_SEL, id);
	shm->sh_len = read_64(mm, MMIO_SHM_LEN);
	if (shm->sh_len == 0 || shm->sh_len == UINT64_MAX)
		return ENXIO;
	shm->sh_start = read_64(mm, MMIO_SHM_BASE);
	shm->sh_bar = -1;
	return 0;
}

static void
mmio_notify(void *v, unsigned int queue, uint32_t data)
{
	(void)queue;
	mmio_write(v, MMIO_QUEUE_NOTIFY, data);
}

/*
 * What is pending, acknowledged. The acknowledgement reaches the device before
 * anybody looks at the rings: else it could take back one that is newer.
 */
static unsigned int
mmio_intr_status(void *v)
{
	struct pv_mmio *mm = v;
	unsigned int pending = 0;
	uint32_t status;

	status = mmio_read(mm, MMIO_INTERRUPT_STATUS) &
	    (MMIO_INTERRUPT_QUEUE | MMIO_INTERRUPT_CONFIG);
	if (status == 0)
		return 0;
	mmio_write(mm, MMIO_INTERRUPT_ACK, status);
	bus_space_barrier(mm->mm_iot, mm->mm_ioh, 0, MMIO_CONFIG,
	    BUS_SPACE_BARRIER_READ | BUS_SPACE_BARRIER_WRITE);
	if (status & MMIO_INTERRUPT_QUEUE)
		pending |= PV_INTR_QUEUE;
	if (status & MMIO_INTERRUPT_CONFIG)
		pending |= PV_INTR_CONFIG;
	return pending;
}

static int
mmio_intr(void *v)
{
	struct pv_mmio *mm = v;
	unsigned int pending = mmio_intr_status(mm);

	if (pending == 0)
		return 0;
	return pv_virtio_intr(mm->mm_dev, pending);
}

static enum pv_intr_mode
mmio_intr_setup(void *v, struct pv_virtio *dev, unsigned int nqueues)
{
	struct pv_mmio *mm = v;

	(void)nqueues;
	mm->mm_dev = dev;
	mm->mm_intr = mm->mm_ops->mo_intr_establish(mm->mm_cookie,
	    mm->mm_name, mmio_intr, mm) == 0;
	return mm->mm_intr ? PV_INTR_MODE_LINE : PV_INTR_MODE_POLL;
}

static void
mmio_intr_teardown(void *v)
{
	struct pv_mmio *mm = v;

	if (mm->mm_intr)
		mm->mm_ops->mo_intr_disestablish(mm->mm_cookie);
	mm->mm_intr = 0;
}

static void
mmio_describe(void *v, char *buf, size_t len)
{
	const struct pv_mmio *mm = v;
	struct text t;

	text_init(&t, buf, len);
	text_str(&t, "mmio version ");
	text_dec(&t, mm->mm_version);
	text_str(&t, is_legacy(mm) ? " (legacy), vendor " : ", vendor ");
	text_hex(&t, mm->mm_vendor, 8);
}

const struct pv_transport_ops pv_mmio_transport = {
	.to_name = "mmio",
	.to_properties = mmio_properties,
	.to_status_read = mmio_status_read,
	.to_status_write = mmio_status_write,
	.to_features_read = mmio_features_read,
	.to_features_write = mmio_features_write,
	.to_config_read = mmio_config_read,
	.to_config_write = mmio_config_write,
	.to_config_generation = mmio_config_generation,
	.to_config_size = mmio_config_size,
	.to_queue_count = mmio_queue_count,
	.to_queue_max = mmio_queue_max,
	.to_queue_enable = mmio_queue_enable,
	.to_queue_stop = mmio_queue_stop,
	.to_queue_reset = mmio_queue_reset,
	.to_shm = mmio_shm,
	.to_notify = mmio_notify,
	.to_intr_setup = mmio_intr_setup,
	.to_intr_teardown = mmio_intr_teardown,
	.to_intr_status = mmio_intr_status,
	.to_describe = mmio_describe,
};

static int
check_version(const struct pv_mmio *mm)
{
	if (mm->mm_version != 1 && mm->mm_version != 2) {
		pv_kern_log(PV_LOG_ERROR, mm->mm_name,
		    "mmio: version %u is not driven", mm->mm_version);
		return ENOTSUP;
	}
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	if (is_legacy(mm)) {
		pv_kern_log(PV_LOG_ERROR, mm->mm_name,
		    "mmio: a legacy device on a big-endian CPU");
		return ENOTSUP;
	}
#endif
	return 0;
}

int
pv_mmio_attach(struct pv_mmio *mm, bus_space_tag_t iot,
    bus_space_handle_t ioh, bus_size_t size, const struct pv_mmio_ops *ops,
    void *cookie, const char *name)
{
	memset(mm, 0, sizeof(*mm));
	if (size < MMIO_CONFIG)
		return EINVAL;
	mm->mm_ops = ops;
	mm->mm_cookie = cookie;
	mm->mm_name = name;
	mm->mm_iot = iot;
	mm->mm_ioh = ioh;
	mm->mm_config.pw_iot = iot;
	mm->mm_config.pw_ioh = ioh;
	mm->mm_config.pw_off = MMIO_CONFIG;
	mm->mm_config.pw_len = (size < UINT32_MAX ? size : UINT32_MAX) -
	    MMIO_CONFIG;
	if (mmio_read(mm, MMIO_MAGIC) != MMIO_MAGIC_VALUE)
		return ENXIO;
	mm->mm_version = mmio_read(mm, MMIO_VERSION);
	mm->mm_type = mmio_read(mm, MMIO_DEVICE_ID);
	if (mm->mm_type == 0)
		return ENXIO;
	mm->mm_vendor = mmio_read(mm, MMIO_VENDOR_ID);
	return check_version(mm);
}

void
pv_mmio_detach(struct pv_mmio *mm)
{
	mmio_intr_teardown(mm);
}
