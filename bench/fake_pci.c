/* SPDX-License-Identifier: ISC */
/*
 * A PCI function with virtio's structures in one BAR. Each field takes only the
 * width that the specification gives it.
 */
#include <string.h>

#include "fake.h"

static struct fake_queue *
selected(struct fake_dev *fd)
{
	return fd->fd_queue_sel < fd->fd_nqueues ?
	    &fd->fd_queues[fd->fd_queue_sel] : NULL;
}

/* The common configuration's fields, by offset. */
static const uint8_t common_width[0x38] = {
	[0x00] = 4, [0x04] = 4, [0x08] = 4, [0x0c] = 4, [0x10] = 2, [0x12] = 2,
	[0x14] = 1, [0x15] = 1, [0x16] = 2, [0x18] = 2, [0x1a] = 2, [0x1c] = 2,
	[0x1e] = 2, [0x20] = 4, [0x24] = 4, [0x28] = 4, [0x2c] = 4, [0x30] = 4,
	[0x34] = 4,
};

static uint32_t
queue_field(struct fake_dev *fd, bus_size_t off)
{
	const struct fake_queue *fq = selected(fd);

	if (fq == NULL)
		return 0;
	switch (off) {
	case 0x18:
		return fq->fq_size;
	case 0x1a:
		return fq->fq_vector;
	case 0x1c:
		return (uint32_t)fq->fq_ready;
	case 0x1e:
		return fq->fq_notify_off;
	case 0x20:
		return (uint32_t)fq->fq_desc;
	case 0x24:
		return (uint32_t)(fq->fq_desc >> 32);
	case 0x28:
		return (uint32_t)fq->fq_driver;
	case 0x2c:
		return (uint32_t)(fq->fq_driver >> 32);
	case 0x30:
		return (uint32_t)fq->fq_device;
	default:
		return (uint32_t)(fq->fq_device >> 32);
	}
}

static uint32_t
common_read(struct fake_pci *fp, bus_size_t off)
{
	struct fake_dev *fd = fp->fp_dev;

	switch (off) {
	case 0x00:
		return fd->fd_feature_sel;
	case 0x04:
		return fake_features_read(fd);
	case 0x08:
		return fd->fd_driver_sel;
	case 0x0c:
		return (uint32_t)(fd->fd_accepted >>
		    (32 * (fd->fd_driver_sel & 1)));
	case 0x10:
		return fp->fp_config_vector;
	case 0x12:
		return fd->fd_nqueues;
	case 0x14:
		return fake_status_read(fd);
	case 0x15:
		return fd->fd_generation & 0xff;
	case 0x16:
		return fd->fd_queue_sel;
	default:
		return queue_field(fd, off);
	}
}

static unsigned int
take_vector(const struct fake_pci *fp, uint32_t val)
{
	if (val != 0xffff && val >= fp->fp_vectors)
		port_violation("vector %u of %u", val, fp->fp_vectors);
	return val < fp->fp_vectors && val < fp->fp_refuse_vectors ? val :
	    0xffff;
}

static void
set_half(bus_addr_t *addr, unsigned int high, uint32_t val)
{
	if (high)
		*addr = (*addr & UINT32_MAX) | (bus_addr_t)val << 32;
	else
		*addr = (*addr & ~(bus_addr_t)UINT32_MAX) | val;
}

static void
queue_write(struct fake_pci *fp, bus_size_t off, uint32_t val)
{
	struct fake_queue *fq = selected(fp->fp_dev);

	if (fq == NULL) {
		port_violation("queue field 0x%x written: no such queue",
		    (unsigned int)off);
		return;
	}
	if (fq->fq_ready && off != 0x1a)
		port_violation("queue field 0x%x written while enabled",
		    (unsigned int)off);
	switch (off) {
	case 0x18:
		if (!fp->fp_refuse_size)
			fq->fq_size = val;
		break;
	case 0x1a:
		fq->fq_vector = fp->fp_refuse_queue_vectors ? 0xffff :
		    take_vector(fp, val);
		break;
	case 0x1c:
		if (val != 1)
			port_violation("queue_enable written %u", val);
		else
			fake_queue_enable(fp->fp_dev,
			    fp->fp_dev->fd_queue_sel);
		break;
	case 0x20:
	case 0x24:
		set_half(&fq->fq_desc, off & 4, val);
		break;
	case 0x28:
	case 0x2c:
		set_half(&fq->fq_driver, off & 4, val);
		break;
	case 0x30:
	case 0x34:
		set_half(&fq->fq_device, off & 4, val);
		break;
	default:
		port_violation("read-only field 0x%x written",
		    (unsigned int)off);
	}
}

static void
common_write(struct fake_pci *fp, bus_size_t off, uint32_t val)
{
	struct fake_dev *fd = fp->fp_dev;

	switch (off) {
	case 0x00:
		fd->fd_feature_sel = val;
		break;
	case 0x08:
		fd->fd_driver_sel = val;
		break;
	case 0x0c:
		fake_features_write(fd, val);
		break;
	case 0x10:
		fp->fp_config_vector = take_vector(fp, val);
		break;
	case 0x14:
		fake_status_write(fd, (uint8_t)val);
		if (val == 0)
			fp->fp_config_vector = 0xffff;
		break;
	case 0x16:
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
		port_violation("common configuration 0x%x, width %u",
		    (unsigned int)off, width);
	return common_width[off] != 0;
}

static uint32_t
bar_read(void *v, bus_size_t off, unsigned int width)
{
	struct fake_pci *fp = v;
	uint32_t isr;

	if (off % width != 0)
		port_violation("unaligned register read 0x%x",
		    (unsigned int)off);
	if (fp->fp_dev->fd_gone)
		return UINT32_MAX >> (32 - 8 * width);
	if (is_common(off, width))
		return common_read(fp, off);
	if (off == FAKE_PCI_ISR && width == 1) {
		if (fp->fp_established > 0 && fp->fp_line.fn == NULL)
			port_violation("ISR status read with MSI-X");
		isr = fp->fp_isr;
		fp->fp_isr = 0;
		return isr;
	}
	if (off >= FAKE_PCI_DEVICE && off < FAKE_PCI_NOTIFY)
		return fake_config_read(fp->fp_dev,
		    (unsigned int)(off - FAKE_PCI_DEVICE), width);
	port_violation("register read 0x%x, width %u", (unsigned int)off,
	    width);
	return 0;
}

static void
bar_write(void *v, bus_size_t off, unsigned int width, uint32_t val)
{
	struct fake_pci *fp = v;
	bus_size_t slot;

	if (off % width != 0)
		port_violation("unaligned register write 0x%x",
		    (unsigned int)off);
	if (fp->fp_dev->fd_gone)
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
	if (off < FAKE_PCI_NOTIFY || off >= FAKE_PCI_BARLEN || width !=
	    (fake_has(fp->fp_dev, PV_F_NOTIFICATION_DATA) ? 4u : 2u)) {
		port_violation("register write 0x%x, width %u",
		    (unsigned int)off, width);
		return;
	}
	slot = fp->fp_multiplier == 0 ? 0 :
	    (off - FAKE_PCI_NOTIFY) / fp->fp_multiplier;
	if (fp->fp_multiplier != 0 && ((val & 0xffff) >= fp->fp_dev->fd_nqueues
	    || fp->fp_dev->fd_queues[val & 0xffff].fq_notify_off != slot))
		port_violation("doorbell of queue %u at slot %u", val & 0xffff,
		    (unsigned int)slot);
	fake_doorbell(fp->fp_dev, val);
}

static void
set32(struct fake_pci *fp, unsigned int reg, uint32_t val)
{
	memcpy(fp->fp_conf + reg, &val, sizeof(val));
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
	fp->fp_config_vector = 0xffff;
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
}

int
fake_pci_check(const struct fake_pci *fp)
{
	return fp->fp_mapped != 0 || fp->fp_established != 0;
}

static uint32_t
conf_read(void *v, unsigned int reg)
{
	struct fake_pci *fp = v;
	uint32_t val;

	if (fp->fp_dev->fd_gone)
		return UINT32_MAX;
	if (reg % 4 != 0 || reg > sizeof(fp->fp_conf) - 4) {
		port_violation("configuration space read at 0x%x", reg);
		return UINT32_MAX;
	}
	memcpy(&val, fp->fp_conf + reg, sizeof(val));
	return val;
}

static void
conf_write(void *v, unsigned int reg, uint32_t val)
{
	(void)v;
	port_violation("configuration space written at 0x%x: 0x%x", reg, val);
}

static int
map_bar(void *v, unsigned int bar, bus_space_tag_t *tag,
    bus_space_handle_t *handle, bus_size_t *size)
{
	struct fake_pci *fp = v;

	if (bar > 5)
		port_violation("BAR %u mapped", bar);
	if (!(fp->fp_bars & (1u << bar)))
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
	.po_vectors = vectors,
	.po_intr_establish = intr_establish,
	.po_intr_disestablish = intr_disestablish,
};
