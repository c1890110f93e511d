/* SPDX-License-Identifier: ISC */
/*
 * The two buses as the library sees them. The cookie is the struct virtio_dev.
 */
#include <errno.h>

#include "cmdline.h"
#include "cpu.h"
#include "intr.h"
#include "machine.h"
#include "pci.h"
#include "virtiovar.h"

static uint32_t
conf_read(void *cookie, unsigned int reg)
{
	const struct virtio_dev *vg = cookie;

	return pci_conf_read(vg->vg_pci, reg);
}

/*
 * The command register is the kernel's: what the library writes there is not
 * passed on.
 */
static void
conf_write(void *cookie, unsigned int reg, uint32_t v)
{
	const struct virtio_dev *vg = cookie;

	if (reg != PCI_COMMAND)
		pci_conf_write(vg->vg_pci, reg, v);
}

static int
map_bar(void *cookie, unsigned int bar, bus_space_tag_t *iot,
    bus_space_handle_t *ioh, bus_size_t *size)
{
	const struct virtio_dev *vg = cookie;
	volatile void *va;
	uint64_t len;
	int error;

	error = pci_map_bar(vg->vg_pci, bar, &va, &len);
	if (error != 0)
		return error;
	*iot = 0;
	*ioh = (bus_space_handle_t)va;
	*size = len;
	return 0;
}

static void
unmap_bar(void *cookie, unsigned int bar)
{
	const struct virtio_dev *vg = cookie;

	pci_unmap_bar(vg->vg_pci, bar);
}

static int
bar_size(void *cookie, unsigned int bar, uint64_t *size)
{
	const struct virtio_dev *vg = cookie;

	return pci_bar_size(vg->vg_pci, bar, size);
}

static unsigned int
vectors(void *cookie)
{
	const struct virtio_dev *vg = cookie;

	return pci_vectors(vg->vg_pci);
}

/*
 * The CPU that serves a network device's pair of queues takes its interrupts
 * (guest/net/ifremote.c). A vector a queue comes after that of configuration;
 * where vectors are shared they are CPU 0's, as the first pair is.
 */
static unsigned
cpu_of(const struct virtio_dev *vg, int vector)
{
	if (vg->vg_type != PV_TYPE_NET || vector <= 0)
		return 0;
	return (unsigned)(vector - 1) / 2 % cpu_count();
}

static int
intr_establish_pci(void *cookie, int vector, const char *name,
    int (*fn)(void *), void *arg)
{
	const struct virtio_dev *vg = cookie;

	return pci_intr_establish(vg->vg_pci, vector, cpu_of(vg, vector), name,
	    fn, arg);
}

static void
intr_disestablish_pci(void *cookie, int vector)
{
	const struct virtio_dev *vg = cookie;

	pci_intr_disestablish(vg->vg_pci, vector);
}

const struct pv_pci_ops virtio_pci_ops = {
	.po_conf_read = conf_read,
	.po_conf_write = conf_write,
	.po_map_bar = map_bar,
	.po_unmap_bar = unmap_bar,
	.po_bar_size = bar_size,
	.po_vectors = vectors,
	.po_intr_establish = intr_establish_pci,
	.po_intr_disestablish = intr_disestablish_pci,
};

static bool
mmio_handler(void *arg)
{
	const struct virtio_dev *vg = arg;

	return vg->vg_fn(vg->vg_arg) != 0;
}

static int
intr_establish_mmio(void *cookie, const char *name, int (*fn)(void *),
    void *arg)
{
	struct virtio_dev *vg = cookie;
	const struct machine_intr *mi = &vg->vg_node->mm_intr;

	if (mi->mi_intid == 0 || cmdline_is("intx", "off"))
		return ENXIO;
	vg->vg_fn = fn;
	vg->vg_arg = arg;
	return intr_establish(mi->mi_intid,
	    INTR_SHARED | (mi->mi_edge ? INTR_EDGE : INTR_LEVEL), 0,
	    mmio_handler, vg, name, &vg->vg_line);
}

static void
intr_disestablish_mmio(void *cookie)
{
	struct virtio_dev *vg = cookie;

	if (vg->vg_line != NULL)
		intr_disestablish(vg->vg_line);
	vg->vg_line = NULL;
}

const struct pv_mmio_ops virtio_mmio_ops = {
	.mo_intr_establish = intr_establish_mmio,
	.mo_intr_disestablish = intr_disestablish_mmio,
};
