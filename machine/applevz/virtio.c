/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI side of the machine's virtio functions. Modern ids only, revision
 * 1; BAR 0 with the virtio structures, BAR 2 with just the MSI-X table; a
 * reset that is confirmed late; FEATURES_OK refused as on record; interrupts
 * that one burst of completions shares.
 */

#include "qemu/osdep.h"
#include "hw/applevz/virtio.h"
#include "hw/pci/msix.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/virtio-balloon.h"
#include "hw/virtio/virtio-serial.h"
#include "qapi/error.h"
#include "qemu/timer.h"
#include "standard-headers/linux/virtio_pci.h"

#define STATUS		0x14	/* of the common configuration */
#define COMMON_SIZE	0x38
#define RING_RESET	40
#define RING_PACKED	34
#define VERSION_1	32

void
applevz_needs_reset(VirtIODevice *vdev)
{
	vdev->broken = true;
	vdev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_notify_config(vdev);
}

/* What the device status is, and what a write to it does. */

static bool
resetting(AppleVZVirtio *s)
{
	return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) < s->vp_reset_until;
}

static uint64_t
status_read(AppleVZVirtio *s)
{
	if (resetting(s))
		return s->vp_reset_shows;
	return VIRTIO_DEVICE(s->vp_vdev)->status;
}

static const char *
refusal(AppleVZVirtio *s, VirtIODevice *vdev)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_GET_CLASS(s);
	VirtIOPCIProxy *proxy = VIRTIO_PCI(s);
	uint64_t asked;

	asked = (uint64_t)proxy->guest_features[1] << 32 |
	    proxy->guest_features[0];
	if (asked & ~vdev->host_features)
		return "features were accepted that are not offered";
	if (!(asked & APPLEVZ_BIT(VERSION_1)))
		return "VERSION_1 was not accepted";
	if (s->vp_ring_reset && !(asked & APPLEVZ_BIT(RING_RESET)))
		return "RING_RESET was not accepted";
	return c->vc_refuse ? c->vc_refuse(vdev, asked) : NULL;
}

static void
status_write(AppleVZVirtio *s, uint64_t value)
{
	VirtIODevice *vdev = VIRTIO_DEVICE(s->vp_vdev);
	const char *who = APPLEVZ_VIRTIO_GET_CLASS(s)->vc_who, *why;
	uint8_t was = vdev->status;

	if (resetting(s)) {
		if (value)
			applevz_violation(who, "status 0x%x was written before"
			    " the reset was confirmed", (unsigned int)value);
		return;
	}
	if (value & VIRTIO_CONFIG_S_FEATURES_OK &&
	    !(was & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    (why = refusal(s, vdev)) != NULL) {
		applevz_violation(who, "FEATURES_OK is refused: %s", why);
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	if (value & VIRTIO_CONFIG_S_DRIVER_OK &&
	    !(value & VIRTIO_CONFIG_S_FEATURES_OK))
		applevz_violation(who, "DRIVER_OK without FEATURES_OK");
	memory_region_dispatch_write(&VIRTIO_PCI(s)->common.mr, STATUS, value,
	    MO_8, MEMTXATTRS_UNSPECIFIED);
	if (value == 0 && was) {
		s->vp_reset_shows = was;
		s->vp_reset_until = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
		    (int64_t)s->vp_reset_us * SCALE_US;
	}
}

/*
 * The common configuration, which stands before QEMU's: each field is to be
 * accessed at its width, one of 64 bits as two words.
 */

static unsigned int
width(hwaddr addr)
{
	if (addr >= 0x20 || addr < 0x10)
		return 4;
	return addr == STATUS || addr == STATUS + 1 ? 1 : 2;
}

static void
check_width(AppleVZVirtio *s, hwaddr addr, unsigned int size)
{
	const char *who = APPLEVZ_VIRTIO_GET_CLASS(s)->vc_who;

	if (size != width(addr) || addr % size != 0)
		applevz_violation(who, "%u bytes at +0x%x of the common"
		    " configuration, whose field has %u", size,
		    (unsigned int)addr, width(addr));
}

static uint64_t
common_read(void *opaque, hwaddr addr, unsigned int size)
{
	AppleVZVirtio *s = opaque;
	MemoryRegion *mr = &VIRTIO_PCI(s)->common.mr;
	uint64_t value = 0, high = 0;

	check_width(s, addr, size);
	if (addr == STATUS && size == 1)
		return status_read(s);
	memory_region_dispatch_read(mr, addr, &value,
	    size_memop(MIN(size, 4)) | MO_LE, MEMTXATTRS_UNSPECIFIED);
	if (size == 8)
		memory_region_dispatch_read(mr, addr + 4, &high,
		    MO_32 | MO_LE, MEMTXATTRS_UNSPECIFIED);
	return value | high << 32;
}

static void
common_write(void *opaque, hwaddr addr, uint64_t value, unsigned int size)
{
	AppleVZVirtio *s = opaque;
	MemoryRegion *mr = &VIRTIO_PCI(s)->common.mr;

	check_width(s, addr, size);
	if (addr == STATUS && size == 1) {
		status_write(s, value);
		return;
	}
	memory_region_dispatch_write(mr, addr, value,
	    size_memop(MIN(size, 4)) | MO_LE, MEMTXATTRS_UNSPECIFIED);
	if (size == 8)
		memory_region_dispatch_write(mr, addr + 4, value >> 32,
		    MO_32 | MO_LE, MEMTXATTRS_UNSPECIFIED);
}

static const MemoryRegionOps common_ops = {
	.read = common_read,
	.write = common_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8 },
	.impl = { .min_access_size = 1, .max_access_size = 8 },
};

/* Doorbells that are 16 bytes apart, as in one record. */

static uint64_t
doorbell_read(void *opaque, hwaddr addr, unsigned int size)
{
	return 0;
}

static void
doorbell_write(void *opaque, hwaddr addr, uint64_t value, unsigned int size)
{
	AppleVZVirtio *s = opaque;

	if (addr / 16 < VIRTIO_QUEUE_MAX)
		virtio_queue_notify(VIRTIO_DEVICE(s->vp_vdev), addr / 16);
}

static const MemoryRegionOps doorbell_ops = {
	.read = doorbell_read,
	.write = doorbell_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
};

/*
 * Interrupts. A vector's first waits a little for others to join it, and
 * with `lose` every so many-th never comes.
 */

static void
interrupts_send(void *opaque)
{
	AppleVZVirtio *s = opaque;
	PCIDevice *dev = PCI_DEVICE(s);
	uint64_t waiting = s->vp_waiting;
	unsigned int v;

	s->vp_waiting = 0;
	for (v = 0; v < dev->msix_entries_nr; v++) {
		if (!(waiting & APPLEVZ_BIT(v)) || !msix_enabled(dev))
			continue;
		if (msix_is_masked(dev, v)) {
			msix_set_pending(dev, v);
			continue;
		}
		if (s->vp_lose && ++s->vp_interrupts % s->vp_lose == 0)
			continue;
		s->vp_trigger(dev, msix_get_message(dev, v));
	}
}

static void
interrupt(PCIDevice *dev, MSIMessage msg)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(dev);
	unsigned int v;

	for (v = 0; v < dev->msix_entries_nr; v++) {
		MSIMessage m = msix_get_message(dev, v);

		if (m.data == msg.data && m.address == msg.address) {
			s->vp_waiting |= APPLEVZ_BIT(v);
			break;
		}
	}
	if (s->vp_coalesce_us == 0)
		interrupts_send(s);
	else if (!timer_pending(s->vp_timer))
		timer_mod(s->vp_timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
		    (int64_t)s->vp_coalesce_us * SCALE_US);
}

/*
 * Where the structures lie in BAR 0. `compact` fits the 16 KiB that a kernel
 * log shows; `wide` is what one bring-up decoded, and needs 64.
 */
static void
layout(AppleVZVirtio *s)
{
	VirtIOPCIProxy *proxy = VIRTIO_PCI(s);
	bool wide = strcmp(s->vp_layout, "compact") != 0;

	proxy->modern_mem_bar_idx = 0;
	proxy->msix_bar_idx = 2;
	proxy->legacy_io_bar_idx = proxy->modern_io_bar_idx = 5;
	proxy->common.offset = 0;
	proxy->common.size = COMMON_SIZE;
	proxy->notify.offset = wide ? 0x4000 : 0x1000;
	proxy->device.offset = wide ? 0x8000 : 0x2000;
	proxy->isr.offset = wide ? 0x1000 : 0x3000;
	memory_region_set_size(&proxy->modern_bar, wide ? 0x10000 : 0x4000);
}

/* The notification capability says how far apart doorbells are. */
static void
doorbells(AppleVZVirtio *s)
{
	VirtIOPCIProxy *proxy = VIRTIO_PCI(s);
	PCIDevice *dev = PCI_DEVICE(s);
	uint8_t cap;

	if (strcmp(s->vp_layout, "wide16") != 0)
		return;
	memory_region_init_io(&s->vp_notify, OBJECT(s), &doorbell_ops, s,
	    "applevz-doorbells", 0x4000);
	memory_region_add_subregion_overlap(&proxy->modern_bar,
	    proxy->notify.offset, &s->vp_notify, 1);
	for (cap = dev->config[PCI_CAPABILITY_LIST]; cap;
	    cap = dev->config[cap + PCI_CAP_LIST_NEXT]) {
		if (dev->config[cap] != PCI_CAP_ID_VNDR ||
		    dev->config[cap + 3] != VIRTIO_PCI_CAP_NOTIFY_CFG)
			continue;
		pci_set_long(dev->config + cap + 12, 0x4000);
		pci_set_long(dev->config + cap + 16, 16);
	}
}

static bool
vectors(AppleVZVirtio *s, uint32_t n, Error **errp)
{
	uint32_t size = pow2ceil(n * PCI_MSIX_ENTRY_SIZE + 8);
	VirtIODevice *vdev = VIRTIO_DEVICE(s->vp_vdev);
	PCIDevice *dev = PCI_DEVICE(s);

	memory_region_init(&s->vp_msix, OBJECT(s), "applevz-msix", size);
	pci_register_bar(dev, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->vp_msix);
	if (msix_init(dev, n, &s->vp_msix, 2, 0, &s->vp_msix, 2,
	    n * PCI_MSIX_ENTRY_SIZE, 0, errp) < 0)
		return false;
	VIRTIO_PCI(s)->nvectors = n;
	/* The device found none when it was made. */
	vdev->vector_queues = g_malloc0(sizeof(*vdev->vector_queues) * n);
	s->vp_trigger = dev->msi_trigger;
	dev->msi_trigger = interrupt;
	return true;
}

static void
features(AppleVZVirtio *s)
{
	VirtIODevice *vdev = VIRTIO_DEVICE(s->vp_vdev);

	vdev->host_features &= APPLEVZ_VIRTIO_GET_CLASS(s)->vc_features;
	vdev->host_features |= APPLEVZ_SPLIT;
	if (s->vp_packed)
		vdev->host_features |= APPLEVZ_BIT(RING_PACKED);
	if (s->vp_ring_reset)
		vdev->host_features |= APPLEVZ_BIT(RING_RESET);
}

static void
virtio_realize(VirtIOPCIProxy *proxy, Error **errp)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(proxy);
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_GET_CLASS(s);
	PCIDevice *dev = PCI_DEVICE(s);

	if (strcmp(s->vp_layout, "compact") != 0 &&
	    strcmp(s->vp_layout, "wide") != 0 &&
	    strcmp(s->vp_layout, "wide16") != 0) {
		error_setg(errp, "layout is compact, wide or wide16");
		return;
	}
	virtio_pci_force_virtio_1(proxy);
	layout(s);
	proxy->nvectors = 0;
	proxy->class_code = c->vc_class;
	if (c->vc_prepare)
		c->vc_prepare(s);
	if (!qdev_realize(s->vp_vdev, BUS(&proxy->bus), errp))
		return;
	features(s);
	doorbells(s);
	memory_region_init_io(&s->vp_common, OBJECT(s), &common_ops, s,
	    "applevz-common", COMMON_SIZE);
	/* It hands on what it gets, to a region of the same device. */
	s->vp_common.disable_reentrancy_guard = true;
	memory_region_add_subregion_overlap(&proxy->modern_bar, 0,
	    &s->vp_common, 1);
	if (!vectors(s, c->vc_vectors, errp))
		return;
	s->vp_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, interrupts_send, s);
	applevz_function_init(&s->vp_function, dev, c->vc_who, s->vp_late_ms);
	if (c->vc_finish)
		c->vc_finish(s);
}

static void
virtio_exit(PCIDevice *dev)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(dev);
	PCIDeviceClass *parent = PCI_DEVICE_CLASS(
	    object_class_by_name(TYPE_VIRTIO_PCI));

	if (s->vp_timer) {
		applevz_function_exit(&s->vp_function);
		timer_free(s->vp_timer);
		msix_uninit(dev, &s->vp_msix, &s->vp_msix);
	}
	parent->exit(dev);
}

static void
virtio_restart(DeviceState *dev)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(dev);

	DEVICE_CLASS(object_class_by_name(TYPE_VIRTIO_PCI))->reset(dev);
	s->vp_reset_until = 0;
	s->vp_waiting = 0;
	timer_del(s->vp_timer);
	applevz_function_reset(&s->vp_function);
}

static Property virtio_properties[] = {
	DEFINE_PROP_STRING("layout", AppleVZVirtio, vp_layout),
	DEFINE_PROP_UINT32("late-ms", AppleVZVirtio, vp_late_ms, 0),
	DEFINE_PROP_UINT32("reset-us", AppleVZVirtio, vp_reset_us, 200),
	DEFINE_PROP_UINT32("coalesce-us", AppleVZVirtio, vp_coalesce_us, 20),
	DEFINE_PROP_UINT32("lose", AppleVZVirtio, vp_lose, 0),
	DEFINE_PROP_BOOL("ring-reset", AppleVZVirtio, vp_ring_reset, false),
	DEFINE_PROP_BOOL("ring-packed", AppleVZVirtio, vp_packed, true),
	DEFINE_PROP_END_OF_LIST(),
};

static void
virtio_instance_init(Object *obj)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(obj);
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_GET_CLASS(obj);
	Object *vdev = object_new(c->vc_device);

	s->vp_vdev = DEVICE(vdev);
	s->vp_layout = g_strdup("compact");
	object_property_add_child(obj, "virtio-backend", vdev);
	object_unref(vdev);
	qdev_alias_all_properties(s->vp_vdev, obj);
}

static void
virtio_class_init(ObjectClass *oc, void *data)
{
	PCIDeviceClass *pci = PCI_DEVICE_CLASS(oc);

	device_class_set_props(DEVICE_CLASS(oc), virtio_properties);
	DEVICE_CLASS(oc)->reset = virtio_restart;
	VIRTIO_PCI_CLASS(oc)->realize = virtio_realize;
	pci->exit = virtio_exit;
	pci->vendor_id = PCI_VENDOR_ID_REDHAT_QUMRANET;
	pci->revision = 1;
}

/* Those that are QEMU's but for their outside. */

/* With an id, its bus is called as it is of QEMU's own: id.0. */
static void
spice_prepare(AppleVZVirtio *s)
{
	g_autofree char *name = NULL;

	if (DEVICE(s)->id == NULL)
		return;
	name = g_strdup_printf("%s.0", DEVICE(s)->id);
	virtio_device_set_child_bus_name(VIRTIO_DEVICE(s->vp_vdev), name);
}

static void
console_prepare(AppleVZVirtio *s)
{
	VIRTIO_SERIAL(s->vp_vdev)->serial.max_virtserial_ports = 1;
	spice_prepare(s);
}

static void
blk_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "blk";
	c->vc_device = "virtio-blk-device";
	c->vc_class = 0x0180;
	c->vc_vectors = 2;
	/*
	 * SIZE_MAX, SEG_MAX, GEOMETRY, RO, BLK_SIZE, FLUSH, TOPOLOGY,
	 * DISCARD.
	 */
	c->vc_features = 0x2676;
	set_bit(DEVICE_CATEGORY_STORAGE, DEVICE_CLASS(oc)->categories);
}

static void
console_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "console";
	c->vc_device = "virtio-serial-device";
	c->vc_class = 0x0780;
	c->vc_vectors = 3;
	c->vc_prepare = console_prepare;
	set_bit(DEVICE_CATEGORY_INPUT, DEVICE_CLASS(oc)->categories);
}

/* The second console function, with its ports. */
static void
spice_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	console_class(oc, data);
	c->vc_who = "spice";
	c->vc_vectors = 7;
	c->vc_features = APPLEVZ_BIT(VIRTIO_CONSOLE_F_MULTIPORT);
	c->vc_prepare = spice_prepare;
}

static void
entropy_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "entropy";
	c->vc_device = "virtio-rng-device";
	c->vc_class = 0x1000;
	c->vc_vectors = 2;
}

static void
balloon_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "balloon";
	c->vc_device = "virtio-balloon-device";
	c->vc_class = 0x0580;
	c->vc_vectors = 3;
	c->vc_features = APPLEVZ_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
}

static void
balloon_init(Object *obj)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(obj);

	object_property_set_bool(OBJECT(s->vp_vdev), "deflate-on-oom", true,
	    &error_abort);
}

static void
blk_init(Object *obj)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(obj);

	object_property_set_uint(OBJECT(s->vp_vdev), "num-queues", 1,
	    &error_abort);
}

/* What its process behind can do with rings is not ours to say. */
static void
vhost_init(Object *obj)
{
	APPLEVZ_VIRTIO(obj)->vp_packed = false;
}

static void
fs_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "fs";
	c->vc_device = "vhost-user-fs-device";
	c->vc_class = 0x0180;
	c->vc_vectors = 3;
}

static void
vsock_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "vsock";
	c->vc_device = "vhost-vsock-device";
	c->vc_class = 0x0780;
	c->vc_vectors = 4;
}

static void
vsock_user_class(ObjectClass *oc, void *data)
{
	vsock_class(oc, data);
	APPLEVZ_VIRTIO_CLASS(oc)->vc_device = "vhost-user-vsock-device";
}

#define FUNCTION(suffix, init, class) {					\
	.name = "applevz-" suffix,					\
	.parent = TYPE_APPLEVZ_VIRTIO,					\
	.instance_size = sizeof(AppleVZVirtio),				\
	.instance_init = init,						\
	.class_init = class,						\
}

static const TypeInfo virtio_types[] = {
	{
		.name = TYPE_APPLEVZ_VIRTIO,
		.parent = TYPE_VIRTIO_PCI,
		.instance_size = sizeof(AppleVZVirtio),
		.class_size = sizeof(AppleVZVirtioClass),
		.class_init = virtio_class_init,
		.instance_init = virtio_instance_init,
		.abstract = true,
		.interfaces = (InterfaceInfo[]) {
			{ INTERFACE_CONVENTIONAL_PCI_DEVICE },
			{ },
		},
	},
	FUNCTION("blk", blk_init, blk_class),
	FUNCTION("console", NULL, console_class),
	FUNCTION("spice", NULL, spice_class),
	FUNCTION("entropy", NULL, entropy_class),
	FUNCTION("balloon", balloon_init, balloon_class),
	FUNCTION("fs", vhost_init, fs_class),
	FUNCTION("vsock", vhost_init, vsock_class),
	FUNCTION("vsock-user", vhost_init, vsock_user_class),
};

DEFINE_TYPES(virtio_types)
