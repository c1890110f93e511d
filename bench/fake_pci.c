/* SPDX-License-Identifier: ISC */
/*
 * A PCI function with virtio's structures in one BAR. Each field takes only the
 * width that the specification gives it.
 */
#include <string.h>

#include "fake.h"
#include "wire.h"

/*
 * Virtio Over PCI Bus / Common configuration structure layout. 64 bits are two
 * accesses of 32, the low half first.
 */
enum {
	C_DEVICE_FEATURE_SELECT = 0x00,
	C_DEVICE_FEATURE = 0x04,
	C_DRIVER_FEATURE_SELECT = 0x08,
	C_DRIVER_FEATURE = 0x0c,
	C_CONFIG_MSIX_VECTOR = 0x10,
	C_NUM_QUEUES = 0x12,
	C_DEVICE_STATUS = 0x14,
	C_CONFIG_GENERATION = 0x15,
	C_QUEUE_SELECT = 0x16,
	C_QUEUE_SIZE = 0x18,
	C_QUEUE_MSIX_VECTOR = 0x1a,
	C_QUEUE_ENABLE = 0x1c,
	C_QUEUE_NOTIFY_OFF = 0x1e,
	C_QUEUE_DESC = 0x20,
	C_QUEUE_DRIVER = 0x28,
	C_QUEUE_DEVICE = 0x30,
	C_QUEUE_NOTIF_CONFIG_DATA = 0x38,
	C_QUEUE_RESET = 0x3a,
	C_END = 0x3c
};

/* How wide an access to a field is; 0: none begins there. */
static const uint8_t common_width[C_END] = {
	[C_DEVICE_FEATURE_SELECT] = 4,
	[C_DEVICE_FEATURE] = 4,
	[C_DRIVER_FEATURE_SELECT] = 4,
	[C_DRIVER_FEATURE] = 4,
	[C_CONFIG_MSIX_VECTOR] = 2,
	[C_NUM_QUEUES] = 2,
	[C_DEVICE_STATUS] = 1,
	[C_CONFIG_GENERATION] = 1,
	[C_QUEUE_SELECT] = 2,
	[C_QUEUE_SIZE] = 2,
	[C_QUEUE_MSIX_VECTOR] = 2,
	[C_QUEUE_ENABLE] = 2,
	[C_QUEUE_NOTIFY_OFF] = 2,
	[C_QUEUE_DESC] = 4,
	[C_QUEUE_DESC + 4] = 4,
	[C_QUEUE_DRIVER] = 4,
	[C_QUEUE_DRIVER + 4] = 4,
	[C_QUEUE_DEVICE] = 4,
	[C_QUEUE_DEVICE + 4] = 4,
	[C_QUEUE_NOTIF_CONFIG_DATA] = 2,
	[C_QUEUE_RESET] = 2,
};

static uint32_t
queue_field(struct fake_dev *fd, bus_size_t off)
{
	struct fake_queue *fq = fake_selected(fd);

	if (fq == NULL)
		return 0;
	switch (off) {
	case C_QUEUE_SIZE:
		return fq->fq_size;
	case C_QUEUE_MSIX_VECTOR:
		fq->fq_vector_unread = 0;
		return fq->fq_vector;
	case C_QUEUE_ENABLE:
		return (uint32_t)fq->fq_ready;
	case C_QUEUE_NOTIFY_OFF:
		return fq->fq_notify_off;
	case C_QUEUE_DESC:
		return (uint32_t)fq->fq_desc;
	case C_QUEUE_DESC + 4:
		return (uint32_t)(fq->fq_desc >> 32);
	case C_QUEUE_DRIVER:
		return (uint32_t)fq->fq_driver;
	case C_QUEUE_DRIVER + 4:
		return (uint32_t)(fq->fq_driver >> 32);
	case C_QUEUE_DEVICE:
		return (uint32_t)fq->fq_device;
	case C_QUEUE_DEVICE + 4:
		return (uint32_t)(fq->fq_device >> 32);
	case C_QUEUE_RESET:
		return fake_queue_reset_read(fd);
	default:
		if (fake_has(fd, PV_F_NOTIF_CONFIG_DATA))
			return fq->fq_notify_id;
		strict_broken(STRICT_NOTIFY_DATA, "not negotiated");
		return 0;
	}
}

static uint32_t
common_read(struct fake_pci *fp, bus_size_t off)
{
	struct fake_dev *fd = fp->fp_dev;

	if (off != C_CONFIG_GENERATION)
		fake_access(fd);
	switch (off) {
	case C_DEVICE_FEATURE_SELECT:
		return fd->fd_feature_sel;
	case C_DEVICE_FEATURE:
		return fake_features_read(fd);
	case C_DRIVER_FEATURE_SELECT:
		return fd->fd_driver_sel;
	case C_DRIVER_FEATURE:
		return (uint32_t)(fd->fd_accepted >>
		    (32 * (fd->fd_driver_sel & 1)));
	case C_CONFIG_MSIX_VECTOR:
		fp->fp_config_unread = 0;
		return fp->fp_config_vector;
	case C_NUM_QUEUES:
		return fd->fd_nqueues;
	case C_DEVICE_STATUS:
		return fake_status_read(fd);
	case C_CONFIG_GENERATION:
		return fake_generation_read(fd) & 0xff;
	case C_QUEUE_SELECT:
		return fd->fd_queue_sel;
	default:
		return queue_field(fd, off);
	}
}

static unsigned int
take_vector(const struct fake_pci *fp, uint32_t val)
{
	if (val != FAKE_NO_VECTOR && val >= fp->fp_vectors)
		strict_broken(STRICT_MSIX_RANGE, "%u of %u", val,
		    fp->fp_vectors);
	return val < fp->fp_vectors && val < fp->fp_refuse_vectors ? val :
	    FAKE_NO_VECTOR;
}

/* Each vector that was written is looked at before the device starts. */
static void
judge_vectors(struct fake_pci *fp)
{
	struct fake_dev *fd = fp->fp_dev;
	unsigned int i;

	if (fp->fp_config_unread)
		strict_broken(STRICT_MSIX_VERIFY, "config_msix_vector");
	fp->fp_config_unread = 0;
	for (i = 0; i < fd->fd_nqueues; i++) {
		if (fd->fd_queues[i].fq_vector_unread)
			strict_broken(STRICT_MSIX_VERIFY, "queue %u", i);
		fd->fd_queues[i].fq_vector_unread = 0;
	}
}

/* The queue that is written, in a state for it; or NULL. */
static struct fake_queue *
queue_to_write(struct fake_pci *fp, bus_size_t off, uint32_t val)
{
	struct fake_queue *fq = fake_selected(fp->fp_dev);

	if (fq == NULL) {
		strict_broken(STRICT_QUEUE_LIFE, "field 0x%x of queue %u",
		    (unsigned int)off, fp->fp_dev->fd_queue_sel);
		return NULL;
	}
	if (fq->fq_resetting != 0) {
		strict_broken(STRICT_QUEUE_RESET_AWAITED, "0x%x written",
		    (unsigned int)off);
		return NULL;
	}
	if (fq->fq_ready && off != C_QUEUE_MSIX_VECTOR &&
	    off != C_QUEUE_RESET && !(off == C_QUEUE_ENABLE && val == 0))
		strict_broken(STRICT_QUEUE_LATE, "field 0x%x, enabled",
		    (unsigned int)off);
	return fq;
}

static void
queue_write(struct fake_pci *fp, bus_size_t off, uint32_t val)
{
	struct fake_queue *fq = queue_to_write(fp, off, val);

	if (fq == NULL)
		return;
	switch (off) {
	case C_QUEUE_SIZE:
		if (val == 0 || (!fake_has(fp->fp_dev, PV_F_RING_PACKED) &&
		    (val & (val - 1)) != 0))
			strict_broken(STRICT_QUEUE_SIZE, "%u", val);
		else if (!fp->fp_refuse_size)
			fq->fq_size = val;
		break;
	case C_QUEUE_MSIX_VECTOR:
		fq->fq_vector = fp->fp_refuse_queue_vectors ? FAKE_NO_VECTOR :
		    take_vector(fp, val);
		fq->fq_vector_unread = val != FAKE_NO_VECTOR;
		break;
	case C_QUEUE_ENABLE:
		if (val == 0)
			strict_broken(STRICT_QUEUE_ENABLE_0, "queue %u",
			    fp->fp_dev->fd_queue_sel);
		else
			fake_queue_enable(fp->fp_dev,
			    fp->fp_dev->fd_queue_sel);
		break;
	case C_QUEUE_DESC:
	case C_QUEUE_DESC + 4:
		fake_set_half(&fq->fq_desc, off & 4, val);
		break;
	case C_QUEUE_DRIVER:
	case C_QUEUE_DRIVER + 4:
		fake_set_half(&fq->fq_driver, off & 4, val);
		break;
	case C_QUEUE_DEVICE:
	case C_QUEUE_DEVICE + 4:
		fake_set_half(&fq->fq_device, off & 4, val);
		break;
	case C_QUEUE_RESET:
		fake_queue_reset_write(fp->fp_dev, val);
		break;
	default:
		strict_broken(STRICT_PCI_READ_ONLY, "0x%x", (unsigned int)off);
	}
}

static void
common_write(struct fake_pci *fp, bus_size_t off, uint32_t val)
{
	struct fake_dev *fd = fp->fp_dev;

	fake_access(fd);
	switch (off) {
	case C_DEVICE_FEATURE_SELECT:
		fd->fd_feature_sel = val;
		break;
	case C_DRIVER_FEATURE_SELECT:
		fd->fd_driver_sel = val;
		break;
	case C_DRIVER_FEATURE:
		fake_features_write(fd, val);
		break;
	case C_CONFIG_MSIX_VECTOR:
		fp->fp_config_vector = take_vector(fp, val);
		fp->fp_config_unread = val != FAKE_NO_VECTOR;
		break;
	case C_DEVICE_FEATURE:
	case C_NUM_QUEUES:
	case C_CONFIG_GENERATION:
		strict_broken(STRICT_PCI_READ_ONLY, "0x%x", (unsigned int)off);
		break;
	case C_DEVICE_STATUS:
		if (val & PV_STATUS_DRIVER_OK)
			judge_vectors(fp);
		fake_status_write(fd, (uint8_t)val);
		if (val == 0)
			fp->fp_config_vector = FAKE_NO_VECTOR;
		break;
	case C_QUEUE_SELECT:
		fd->fd_queue_sel = val;
		break;
	default:
		queue_write(fp, off, val);
	}
}

static int
is_common(bus_size_t off, unsigned int width)
{
	if (off >= FAKE_PCI_COMMON + sizeof(common_width))
		return 0;
	if (common_width[off] != width)
		strict_broken(STRICT_PCI_WIDTH, "0x%x, %u bytes",
		    (unsigned int)off, width);
	return common_width[off] != 0;
}

/* Where what is to be passed over says that it lies. */
#define TRAP_TYPE	0x5000
#define TRAP_SECOND	0x6000
#define TRAP_BAR	0x7000
#define TRAP_END	0x8000

static int
trapped(bus_size_t off)
{
	if (off < TRAP_TYPE || off >= TRAP_END)
		return 0;
	strict_broken(off < TRAP_SECOND ? STRICT_PCI_CAP_TYPE :
	    off < TRAP_BAR ? STRICT_PCI_CAP_FIRST : STRICT_PCI_CAP_BAR,
	    "0x%x", (unsigned int)off);
	return 1;
}

/* Whether the BAR's memory is the function's. */
static int
decodes(const struct fake_pci *fp)
{
	if (!fake_pci_present(fp))
		return 0;
	if (!fake_pci_command(fp, FAKE_PCI_MEMORY)) {
		port_violation("a BAR is touched, and memory decoding is off");
		return 0;
	}
	return 1;
}

static uint32_t
bar_read(void *v, bus_size_t off, unsigned int width)
{
	struct fake_pci *fp = v;
	uint32_t isr;

	if (off % width != 0)
		strict_broken(STRICT_PCI_WIDTH, "0x%x read by %u bytes",
		    (unsigned int)off, width);
	if (!decodes(fp))
		return UINT32_MAX >> (32 - 8 * width);
	if (trapped(off))
		return 0;
	if (is_common(off, width))
		return common_read(fp, off);
	if (off == FAKE_PCI_ISR && width == 1) {
		if (fp->fp_established > 0 && fp->fp_line.fn == NULL)
			strict_broken(STRICT_ISR_MSIX, "read");
		isr = fp->fp_isr;
		fp->fp_isr = 0;
		return isr;
	}
	if (off >= FAKE_PCI_DEVICE && off < FAKE_PCI_NOTIFY)
		return fake_config_read(fp->fp_dev,
		    (unsigned int)(off - FAKE_PCI_DEVICE), width);
	strict_broken(STRICT_PCI_WINDOW, "read 0x%x, %u bytes",
	    (unsigned int)off, width);
	return 0;
}

/* The queue that a doorbell's value names at this slot; or none. */
static unsigned int
rung(const struct fake_pci *fp, bus_size_t slot, uint32_t id)
{
	const struct fake_dev *fd = fp->fp_dev;
	unsigned int i;

	for (i = 0; i < fd->fd_nqueues; i++)
		if ((fake_has(fd, PV_F_NOTIF_CONFIG_DATA) ?
		    fd->fd_queues[i].fq_notify_id : i) == id)
			break;
	return fp->fp_multiplier == 0 || (i < fd->fd_nqueues &&
	    fd->fd_queues[i].fq_notify_off == slot) ? i : UINT16_MAX;
}

static void
doorbell(struct fake_pci *fp, bus_size_t off, unsigned int width, uint32_t val)
{
	bus_size_t slot;
	unsigned int queue;

	fake_access(fp->fp_dev);
	if (!fake_pci_command(fp, FAKE_PCI_MASTER))
		port_violation("a doorbell, and bus mastering is off");
	if (width != (fake_has(fp->fp_dev, PV_F_NOTIFICATION_DATA) ? 4u : 2u)) {
		strict_broken(STRICT_NOTIFY_WIDTH, "%u bytes", width);
		return;
	}
	slot = fp->fp_multiplier == 0 ? 0 :
	    (off - FAKE_PCI_NOTIFY) / fp->fp_multiplier;
	queue = rung(fp, slot, val & 0xffff);
	if (queue >= fp->fp_dev->fd_nqueues)
		strict_broken(STRICT_NOTIFY_VALUE, "0x%x at slot %u",
		    val & 0xffff, (unsigned int)slot);
	else
		fake_doorbell(fp->fp_dev, (val & 0xffff0000) | queue);
}

static void
bar_write(void *v, bus_size_t off, unsigned int width, uint32_t val)
{
	struct fake_pci *fp = v;

	if (off % width != 0)
		strict_broken(STRICT_PCI_WIDTH, "0x%x written by %u bytes",
		    (unsigned int)off, width);
	if (!decodes(fp) || trapped(off))
		return;
	if (is_common(off, width)) {
		common_write(fp, off, val);
		return;
	}
	if (off >= FAKE_PCI_DEVICE && off < FAKE_PCI_NOTIFY) {
		fake_config_write(fp->fp_dev,
		    (unsigned int)(off - FAKE_PCI_DEVICE), width, val);
		return;
	}
	if (off < FAKE_PCI_NOTIFY || off >= FAKE_PCI_BARLEN) {
		strict_broken(off >= FAKE_PCI_ISR && off < FAKE_PCI_DEVICE ?
		    STRICT_PCI_READ_ONLY : STRICT_PCI_WINDOW,
		    "write 0x%x, %u bytes", (unsigned int)off, width);
		return;
	}
	doorbell(fp, off, width, val);
}

static void
set32(struct fake_pci *fp, unsigned int reg, uint32_t val)
{
	wire_put(fp->fp_conf + reg, 4, val);
}

static unsigned int
add_cap(struct fake_pci *fp, unsigned int reg, unsigned int type,
    unsigned int len, uint32_t off, uint32_t length, int last)
{
	unsigned int next = last ? 0 : reg + len;

	set32(fp, reg, 0x09 | next << 8 | len << 16 | type << 24);
	set32(fp, reg + 4, FAKE_PCI_BAR);
	set32(fp, reg + 8, off);
	set32(fp, reg + 12, length);
	return reg + len;
}

static void
signal(struct fake_dev *fd, int queue)
{
	struct fake_pci *fp = fd->fd_transport;
	unsigned int vector = queue < 0 ? fp->fp_config_vector :
	    fd->fd_queues[queue].fq_vector;

	if (fd->fd_gone)
		return;
	if (fp->fp_established > 0 && fp->fp_line.fn == NULL) {
		if (vector < FAKE_PCI_MAXVECTORS &&
		    fp->fp_handlers[vector].fn != NULL)
			fp->fp_handlers[vector].fn(
			    fp->fp_handlers[vector].arg);
		return;
	}
	fp->fp_isr |= queue < 0 ? 2 : 1;
	if (fp->fp_line.fn != NULL)
		fp->fp_line.fn(fp->fp_line.arg);
}

void
fake_pci_init(struct fake_pci *fp, struct fake_dev *fd)
{
	unsigned int reg = FAKE_PCI_CAPS;

	memset(fp, 0, sizeof(*fp));
	fp->fp_dev = fd;
	fp->fp_multiplier = 4;
	fp->fp_barlen = FAKE_PCI_BARLEN;
	fp->fp_refuse_vectors = FAKE_PCI_MAXVECTORS;
	fp->fp_config_vector = FAKE_NO_VECTOR;
	fp->fp_bars = 1 << FAKE_PCI_BAR;
	fp->fp_space.bs_read = bar_read;
	fp->fp_space.bs_write = bar_write;
	fp->fp_space.bs_arg = fp;
	set32(fp, 0x00, (0x1040 + fd->fd_type) << 16 | PV_PCI_VENDOR);
	set32(fp, 0x04, 0x00100006);
	set32(fp, 0x08, 0x02000001);
	set32(fp, 0x2c, 0x1100u << 16 | PV_PCI_VENDOR);
	set32(fp, 0x34, FAKE_PCI_CAPS);
	reg = add_cap(fp, reg, 1, 16, FAKE_PCI_COMMON, 0x1000, 0);
	reg = add_cap(fp, reg, 3, 16, FAKE_PCI_ISR, 0x1000, 0);
	reg = add_cap(fp, reg, 4, 16, FAKE_PCI_DEVICE, FAKE_CONFIGLEN, 0);
	add_cap(fp, reg, 2, 20, FAKE_PCI_NOTIFY, 0x1000, 1);
	set32(fp, reg + 16, fp->fp_multiplier);
	fd->fd_signal = signal;
	fd->fd_transport = fp;
	fd->fd_pci = 1;
}

static unsigned int
last_cap(const struct fake_pci *fp)
{
	unsigned int reg = fp->fp_conf[0x34];

	while (fp->fp_conf[reg + 1] != 0)
		reg = fp->fp_conf[reg + 1];
	return reg;
}

unsigned int
fake_pci_region(struct fake_pci *fp, unsigned int caplen, unsigned int id,
    unsigned int bar, uint64_t off, uint64_t len)
{
	unsigned int last = last_cap(fp), reg;

	reg = (last + fp->fp_conf[last + 2] + 3) & ~3u;
	if (reg + 24 > sizeof(fp->fp_conf))
		return 0;
	fp->fp_conf[last + 1] = (uint8_t)reg;
	set32(fp, reg, 0x09u | caplen << 16 | 8u << 24);
	set32(fp, reg + 4, bar | id << 8);
	set32(fp, reg + 8, (uint32_t)off);
	set32(fp, reg + 12, (uint32_t)len);
	set32(fp, reg + 16, (uint32_t)(off >> 32));
	set32(fp, reg + 20, (uint32_t)(len >> 32));
	return reg;
}

int
fake_region(struct fake_dev *fd, unsigned int id, uint64_t start, uint64_t len)
{
	struct fake_pci *fp = fd->fd_transport;
	unsigned int reg;

	if (fd->fd_legacy || id >= FAKE_REGIONS)
		return 0;
	if (fd->fd_pci) {
		reg = fake_pci_region(fp, 24, id, FAKE_PCI_SHMBAR, start, len);
		if (reg == 0)
			return 0;
		fp->fp_region_caps[id] = (uint8_t)reg;
		if (fp->fp_shmlen < start + len)
			fp->fp_shmlen = start + len;
	}
	fd->fd_regions[id].sh_bar = fd->fd_pci ? FAKE_PCI_SHMBAR : -1;
	fd->fd_regions[id].sh_start = start;
	fd->fd_regions[id].sh_len = len;
	return 1;
}

void
fake_pci_odd(struct fake_pci *fp, unsigned int seed)
{
	static const struct {
		uint8_t type, bar, len;
		uint32_t off, length;
	} caps[] = {
		{ 77, 4, 16, TRAP_TYPE, 0x1000 },
		{ 1, 6, 16, TRAP_BAR, 0x1000 },
		{ 1, 4, 20, FAKE_PCI_COMMON, 0x1000 },
		{ 9, 4, 16, 0, 0 },
		{ 2, 4, 24, FAKE_PCI_NOTIFY, 0x2000 },
		{ 5, 0, 20, 0, 0 },
		{ 1, 4, 16, TRAP_SECOND, 0x800 },
		{ 3, 4, 24, FAKE_PCI_ISR, 0x1000 },
		{ 4, 4, 16, FAKE_PCI_DEVICE, 0x1000 },
		{ 2, 4, 20, TRAP_SECOND, 0x800 },
	};
	unsigned int i, reg = FAKE_PCI_CAPS, n = sizeof(caps) / sizeof(caps[0]);

	for (i = 0; i < n; i++) {
		set32(fp, reg, 0x09u | (i + 1 < n ? reg + caps[i].len : 0) << 8 |
		    (uint32_t)caps[i].len << 16 | (uint32_t)caps[i].type << 24);
		set32(fp, reg + 4, caps[i].bar);
		set32(fp, reg + 8, caps[i].off);
		set32(fp, reg + 12, caps[i].length);
		if (caps[i].type == 2)
			set32(fp, reg + 16, fp->fp_multiplier);
		if (caps[i].type == 5)
			fp->fp_cfg_cap = reg;
		if (caps[i].type == 9)
			fp->fp_vendor_cap = reg;
		reg += caps[i].len;
	}
	fp->fp_barlen = 0x8000;
	set32(fp, 0x08, 0x02000000 | (1 + seed % 255));
}

void
fake_pci_declined(struct fake_pci *fp)
{
	uint32_t id;

	id = (uint32_t)wire_get(fp->fp_conf, 4);
	strict_broken(STRICT_PCI_MATCH, "0x%08x, revision %u", id,
	    fp->fp_conf[8]);
}

int
fake_pci_check(const struct fake_pci *fp)
{
	return fp->fp_mapped != 0 || fp->fp_established != 0;
}

static void
look_at_region(struct fake_pci *fp, unsigned int reg)
{
	unsigned int id;

	for (id = 0; id < FAKE_REGIONS; id++)
		if (fp->fp_region_caps[id] != 0 &&
		    reg == fp->fp_region_caps[id] + 20u)
			fp->fp_dev->fd_regions_seen |= 1u << id;
}

static uint32_t
conf_read(void *v, unsigned int reg)
{
	struct fake_pci *fp = v;
	uint32_t val;

	if (!fake_pci_present(fp))
		return UINT32_MAX;
	look_at_region(fp, reg);
	if (fp->fp_cfg_cap != 0 && reg == fp->fp_cfg_cap + 16)
		strict_broken(STRICT_PCI_CFG_ACCESS, "read");
	if (fp->fp_vendor_cap != 0 && reg > fp->fp_vendor_cap &&
	    reg < fp->fp_vendor_cap + 16)
		strict_broken(STRICT_PCI_VENDOR, "read at 0x%x", reg);
	if (reg % 4 != 0 || reg > sizeof(fp->fp_conf) - 4) {
		port_violation("configuration space read at 0x%x", reg);
		return UINT32_MAX;
	}
	val = (uint32_t)wire_get(fp->fp_conf + reg, 4);
	return val;
}

static void
conf_write(void *v, unsigned int reg, uint32_t val)
{
	struct fake_pci *fp = v;

	if (fp->fp_cfg_cap != 0 && reg >= fp->fp_cfg_cap &&
	    reg < fp->fp_cfg_cap + 20)
		strict_broken(STRICT_PCI_CFG_ACCESS, "written at 0x%x", reg);
	else
		strict_broken(STRICT_PCI_CAP_WRITE, "0x%x at 0x%x", val, reg);
}

static int
map_bar(void *v, unsigned int bar, bus_space_tag_t *tag,
    bus_space_handle_t *handle, bus_size_t *size)
{
	struct fake_pci *fp = v;

	if (bar > 5) {
		strict_broken(STRICT_PCI_CAP_BAR, "BAR %u mapped", bar);
		return ENXIO;
	}
	if (!(fp->fp_bars & (1u << bar)) || !fake_pci_placed(fp))
		return ENXIO;
	fp->fp_mapped++;
	*tag = &fp->fp_space;
	*handle = 0;
	*size = fp->fp_barlen;
	return 0;
}

static void
unmap_bar(void *v, unsigned int bar)
{
	struct fake_pci *fp = v;

	if (!(fp->fp_bars & (1u << bar)) || fp->fp_mapped == 0)
		port_violation("BAR %u unmapped", bar);
	fp->fp_mapped--;
}

static int
bar_size(void *v, unsigned int bar, uint64_t *size)
{
	const struct fake_pci *fp = v;

	if (bar > 5) {
		strict_broken(STRICT_PCI_CAP_BAR, "BAR %u looked at", bar);
		return ENXIO;
	}
	if (!fake_pci_placed(fp))
		return ENXIO;
	if (bar == FAKE_PCI_SHMBAR && fp->fp_shmlen != 0)
		*size = fp->fp_shmlen;
	else if (fp->fp_bars & (1u << bar))
		*size = fp->fp_barlen;
	else
		return ENXIO;
	return 0;
}

static unsigned int
vectors(void *v)
{
	const struct fake_pci *fp = v;

	return fp->fp_vectors;
}

static int
intr_establish(void *v, int vector, const char *name, int (*fn)(void *),
    void *arg)
{
	struct fake_pci *fp = v;

	(void)name;
	if (vector == -1) {
		if (fp->fp_no_line)
			return ENXIO;
		fp->fp_line.fn = fn;
		fp->fp_line.arg = arg;
		fp->fp_established++;
		return 0;
	}
	if ((unsigned int)vector >= fp->fp_vectors)
		return ENXIO;
	if (fp->fp_handlers[vector].fn != NULL)
		port_violation("vector %d established twice", vector);
	fp->fp_handlers[vector].fn = fn;
	fp->fp_handlers[vector].arg = arg;
	fp->fp_established++;
	return 0;
}

static void
intr_disestablish(void *v, int vector)
{
	struct fake_pci *fp = v;

	if (vector == -1 ? fp->fp_line.fn == NULL :
	    fp->fp_handlers[vector].fn == NULL) {
		port_violation("vector %d was not established", vector);
		return;
	}
	if (vector == -1)
		fp->fp_line.fn = NULL;
	else
		fp->fp_handlers[vector].fn = NULL;
	fp->fp_established--;
}

const struct pv_pci_ops fake_pci_ops = {
	.po_conf_read = conf_read,
	.po_conf_write = conf_write,
	.po_map_bar = map_bar,
	.po_unmap_bar = unmap_bar,
	.po_bar_size = bar_size,
	.po_vectors = vectors,
	.po_intr_establish = intr_establish,
	.po_intr_disestablish = intr_disestablish,
};
