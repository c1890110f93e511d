/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple's xHCI, its keyboard and its pointer. The controller is QEMU's, with
 * its registers in 4 KiB: BAR 0 the registers, BAR 2 (1 KiB) the MSI-X table.
 */

#include "qemu/osdep.h"
#include "hw/applevz/applevz.h"
#include "hw/pci/msix.h"
#include "hw/qdev-properties.h"
#include "hw/usb.h"
#include "hw/usb/desc.h"
#include "hw/usb/hcd-xhci.h"
#include "hw/usb/xhci.h"
#include "qapi/error.h"

#define TYPE_APPLEVZ_XHCI	"applevz-xhci"
OBJECT_DECLARE_SIMPLE_TYPE(AppleVZXHCI, APPLEVZ_XHCI)

#define PORTS		8	/* of each speed */
#define INTERRUPTERS	8
#define REGISTERS	0x1000
#define CAPABILITIES	0x40
#define OPERATIONAL	0x40
#define RUNTIME		0x800	/* within the 4 KiB */
#define RUNTIME_SIZE	0x200
#define DOORBELLS	0xc00
#define DOORBELLS_SIZE	0x200
#define MSIX_SIZE	0x400
#define MSIX_PBA	0x200

/* Where QEMU has them. */
#define QEMU_OPERATIONAL_SIZE	0x7c0

struct AppleVZXHCI {
	PCIDevice ax_dev;
	struct applevz_function ax_function;
	XHCIState ax_xhci;
	MemoryRegion ax_registers;
	MemoryRegion ax_capabilities;
	MemoryRegion ax_alias[3];
	MemoryRegion ax_msix;
	uint32_t ax_late_ms;
};

/* The version, and where the other registers are; the rest is QEMU's. */
static uint64_t
capability_read(void *opaque, hwaddr addr, unsigned int size)
{
	AppleVZXHCI *s = opaque;
	uint64_t value = 0;

	memory_region_dispatch_read(&s->ax_xhci.mem_cap, addr & ~3, &value,
	    MO_32 | MO_LE, MEMTXATTRS_UNSPECIFIED);
	switch (addr & ~3) {
	case 0x00:
		value = 0x01100000 | CAPABILITIES;
		break;
	case 0x14:
		value = DOORBELLS;
		break;
	case 0x18:
		value = RUNTIME;
		break;
	}
	return value >> (addr & 3) * 8;
}

static void
capability_write(void *opaque, hwaddr addr, uint64_t value, unsigned int size)
{
	applevz_violation("xhci", "a write to the capability registers, at"
	    " 0x%" HWADDR_PRIx, addr);
}

static const MemoryRegionOps capability_ops = {
	.read = capability_read,
	.write = capability_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
};

static void
xhci_interrupt_use(XHCIState *xhci, int n, bool enable)
{
	PCIDevice *dev = &container_of(xhci, AppleVZXHCI, ax_xhci)->ax_dev;

	if (!msix_enabled(dev) || enable == xhci->intr[n].msix_used)
		return;
	if (enable)
		msix_vector_use(dev, n);
	else
		msix_vector_unuse(dev, n);
	xhci->intr[n].msix_used = enable;
}

static bool
xhci_interrupt(XHCIState *xhci, int n, bool level)
{
	PCIDevice *dev = &container_of(xhci, AppleVZXHCI, ax_xhci)->ax_dev;

	if (msix_enabled(dev)) {
		if (level)
			msix_notify(dev, n);
		return level;
	}
	if (n == 0)
		pci_set_irq(dev, level);
	return false;
}

static void
map(AppleVZXHCI *s, int i, const char *name, hwaddr at, hwaddr from,
    uint64_t size)
{
	memory_region_init_alias(&s->ax_alias[i], OBJECT(s), name,
	    &s->ax_xhci.mem, from, size);
	memory_region_add_subregion(&s->ax_registers, at, &s->ax_alias[i]);
}

static void
registers_make(AppleVZXHCI *s)
{
	hwaddr runtime, doorbells;

	runtime = s->ax_xhci.mem_runtime.addr;
	doorbells = s->ax_xhci.mem_doorbell.addr;
	memory_region_init(&s->ax_registers, OBJECT(s), "applevz-xhci",
	    REGISTERS);
	memory_region_init_io(&s->ax_capabilities, OBJECT(s), &capability_ops,
	    s, "applevz-xhci-capabilities", CAPABILITIES);
	memory_region_add_subregion(&s->ax_registers, 0, &s->ax_capabilities);
	map(s, 0, "operational", OPERATIONAL, OPERATIONAL,
	    QEMU_OPERATIONAL_SIZE);
	map(s, 1, "runtime", RUNTIME, runtime, RUNTIME_SIZE);
	map(s, 2, "doorbells", DOORBELLS, doorbells, DOORBELLS_SIZE);
	pci_register_bar(&s->ax_dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY,
	    &s->ax_registers);
}

static void
xhci_realize(PCIDevice *dev, Error **errp)
{
	AppleVZXHCI *s = APPLEVZ_XHCI(dev);

	dev->config[PCI_CLASS_PROG] = 0x30;
	dev->config[0x60] = 0x30;
	object_property_set_link(OBJECT(&s->ax_xhci), "host", OBJECT(s), NULL);
	s->ax_xhci.intr_update = xhci_interrupt_use;
	s->ax_xhci.intr_raise = xhci_interrupt;
	if (!qdev_realize(DEVICE(&s->ax_xhci), NULL, errp))
		return;
	registers_make(s);
	memory_region_init(&s->ax_msix, OBJECT(s), "applevz-xhci-msix",
	    MSIX_SIZE);
	pci_register_bar(dev, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->ax_msix);
	if (msix_init(dev, INTERRUPTERS, &s->ax_msix, 2, 0, &s->ax_msix, 2,
	    MSIX_PBA, 0, errp) < 0)
		return;
	s->ax_xhci.as = pci_get_address_space(dev);
	applevz_function_init(&s->ax_function, dev, "xhci", s->ax_late_ms);
}

static void
xhci_exit(PCIDevice *dev)
{
	AppleVZXHCI *s = APPLEVZ_XHCI(dev);

	applevz_function_exit(&s->ax_function);
	msix_uninit(dev, &s->ax_msix, &s->ax_msix);
}

static void
xhci_reset(DeviceState *dev)
{
	AppleVZXHCI *s = APPLEVZ_XHCI(dev);

	device_cold_reset(DEVICE(&s->ax_xhci));
	applevz_function_reset(&s->ax_function);
}

static void
xhci_instance_init(Object *obj)
{
	AppleVZXHCI *s = APPLEVZ_XHCI(obj);

	object_initialize_child(obj, "xhci-core", &s->ax_xhci, TYPE_XHCI);
	s->ax_xhci.numports_2 = PORTS;
	s->ax_xhci.numports_3 = PORTS;
	s->ax_xhci.numintrs = INTERRUPTERS;
	s->ax_xhci.numslots = XHCI_MAXSLOTS;
}

static Property xhci_properties[] = {
	DEFINE_PROP_UINT32("late-ms", AppleVZXHCI, ax_late_ms, 0),
	DEFINE_PROP_END_OF_LIST(),
};

static void
xhci_class_init(ObjectClass *oc, void *data)
{
	PCIDeviceClass *pci = PCI_DEVICE_CLASS(oc);

	pci->realize = xhci_realize;
	pci->exit = xhci_exit;
	pci->vendor_id = APPLEVZ_PCI_VENDOR;
	pci->device_id = APPLEVZ_PCI_XHCI;
	pci->class_id = PCI_CLASS_SERIAL_USB;
	pci->revision = 1;
	DEVICE_CLASS(oc)->reset = xhci_reset;
	device_class_set_props(DEVICE_CLASS(oc), xhci_properties);
	set_bit(DEVICE_CATEGORY_USB, DEVICE_CLASS(oc)->categories);
}

/*
 * The keyboard and the pointer are QEMU's at full speed, by Apple's ids.
 */

#define APPLE_USB	0x05ac

static void
hid_identify(USBDevice *dev, uint16_t product)
{
	USBDesc *desc = g_new(USBDesc, 1);

	*desc = *dev->usb_desc;
	desc->id.idVendor = APPLE_USB;
	desc->id.idProduct = product;
	dev->usb_desc = desc;
}

static void
hid_realize(USBDevice *dev, const char *parent, uint16_t product, Error **errp)
{
	USBDeviceClass *uc = USB_DEVICE_CLASS(object_class_by_name(parent));
	Error *error = NULL;

	uc->realize(dev, &error);
	if (error)
		error_propagate(errp, error);
	else
		hid_identify(dev, product);
}

static void
keyboard_realize(USBDevice *dev, Error **errp)
{
	hid_realize(dev, "usb-kbd", 0x8105, errp);
}

static void
tablet_realize(USBDevice *dev, Error **errp)
{
	hid_realize(dev, "usb-tablet", 0x8106, errp);
}

static void
hid_instance_init(Object *obj)
{
	object_property_set_uint(obj, "usb_version", 1, &error_abort);
}

static void
keyboard_class(ObjectClass *oc, void *data)
{
	USB_DEVICE_CLASS(oc)->realize = keyboard_realize;
	USB_DEVICE_CLASS(oc)->product_desc = "Virtual USB Keyboard";
}

static void
tablet_class(ObjectClass *oc, void *data)
{
	USB_DEVICE_CLASS(oc)->realize = tablet_realize;
	USB_DEVICE_CLASS(oc)->product_desc = "Virtual USB Digitizer";
}

static const TypeInfo usb_types[] = {
	{
		.name = TYPE_APPLEVZ_XHCI,
		.parent = TYPE_PCI_DEVICE,
		.instance_size = sizeof(AppleVZXHCI),
		.instance_init = xhci_instance_init,
		.class_init = xhci_class_init,
		.interfaces = (InterfaceInfo[]) {
			{ INTERFACE_CONVENTIONAL_PCI_DEVICE },
			{ },
		},
	},
	{
		.name = "applevz-kbd",
		.parent = "usb-kbd",
		.instance_init = hid_instance_init,
		.class_init = keyboard_class,
	},
	{
		.name = "applevz-tablet",
		.parent = "usb-tablet",
		.instance_init = hid_instance_init,
		.class_init = tablet_class,
	},
};

DEFINE_TYPES(usb_types)
