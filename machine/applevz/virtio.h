/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio functions: one PCI side for all, a type of device behind each.
 */

#ifndef HW_APPLEVZ_VIRTIO_H
#define HW_APPLEVZ_VIRTIO_H

#include "hw/applevz/applevz.h"
#include "hw/virtio/virtio-pci.h"

#define APPLEVZ_BIT(n)		(1ULL << (n))
/* INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED. */
#define APPLEVZ_RING		0x530000000ULL
/* INDIRECT_DESC, EVENT_IDX, VERSION_1. */
#define APPLEVZ_SPLIT		0x130000000ULL

#define TYPE_APPLEVZ_VIRTIO	"applevz-virtio"
OBJECT_DECLARE_TYPE(AppleVZVirtio, AppleVZVirtioClass, APPLEVZ_VIRTIO)

struct AppleVZVirtio {
	VirtIOPCIProxy vp_parent;
	struct applevz_function vp_function;
	DeviceState *vp_vdev;
	MemoryRegion vp_msix;
	MemoryRegion vp_common;		/* over QEMU's */
	MemoryRegion vp_notify;		/* with doorbells 16 bytes apart */
	MSITriggerFunc *vp_trigger;	/* PCI's own */
	QEMUTimer *vp_timer;		/* of interrupts that wait */
	uint64_t vp_waiting;		/* vectors, by number */
	int64_t vp_reset_until;		/* ns; the reset is confirmed then */
	uint8_t vp_reset_shows;
	uint32_t vp_interrupts;

	/* options */
	char *vp_layout;
	uint32_t vp_late_ms;
	uint32_t vp_reset_us;
	uint32_t vp_coalesce_us;
	uint32_t vp_lose;
	bool vp_ring_reset;
	bool vp_packed;
};

struct AppleVZVirtioClass {
	VirtioPCIClass vc_parent;
	const char *vc_who;
	const char *vc_device;		/* the type behind */
	uint32_t vc_class;		/* base and sub class */
	uint32_t vc_vectors;		/* at most 7 */
	uint64_t vc_features;		/* no others are offered */
	/* May these features be agreed on? If not, why. */
	const char *(*vc_refuse)(VirtIODevice *, uint64_t features);
	void (*vc_prepare)(AppleVZVirtio *);
	void (*vc_finish)(AppleVZVirtio *);
};

/* The device asks for its reset, and does nothing until then. */
void applevz_needs_reset(VirtIODevice *);

#endif
