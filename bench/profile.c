/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <string.h>

#include <paravane/net.h>

#include "profile.h"

static const struct property qemu[] = {
	{ Q_SPURIOUS, "an interrupt may come that nothing is behind",
	    "virtio: Used Buffer Notification Suppression" },
	{ Q_RESIZE, "the window changes its size", "QEMU: hw/display/virtio-gpu" },
	{ Q_RING_RESET, "RING_RESET is offered", "QEMU 7.2: hw/virtio" },
	{ Q_RESET_DEAF, "over MMIO RING_RESET is offered, and the register "
	    "reads 0 while the queue goes on", "QEMU 7.2, as seen" },
	{ Q_PACKED, "packed rings are offered, with packed=on",
	    "QEMU: hw/virtio" },
};

/*
 * Nothing of it is documented. Public records are logs of kernels that ran
 * under it, drivers' sources (Linux, OpenBSD, FreeBSD) and notes of those who
 * brought a guest up there; where one record stands alone, it says so.
 */
static const struct property apple[] = {
	{ Q_NO_MMIO, "virtio over PCI only", "several public records" },
	{ Q_MTU_NEEDED, "FEATURES_OK is refused unless MTU is accepted",
	    "several public records" },
	{ Q_RX_WEDGE, "a receive buffer under 12 + 14 + 4 + MTU wedges the "
	    "device, transmit included", "one bring-up's record" },
	{ Q_TSO_WHOLE, "HOST_TSO without GUEST_TSO does not work",
	    "OpenBSD: if_vio.c; not recorded whether negotiation fails" },
	{ Q_RESET_SLOW, "reset is asynchronous: poll until 0 is read",
	    "several public records" },
	{ Q_INFO_ROOM, "display information is 408 bytes; less room gave "
	    "DEVICE_NEEDS_RESET", "one public record" },
	{ Q_NO_MRG, "MRG_RXBUF is not offered", "several public records" },
	{ Q_NO_CTRL, "CTRL_VQ is not offered", "several public records" },
	{ Q_NO_EDID, "EDID is not offered", "several public records" },
	{ Q_NO_SIZE, "the plain console has no SIZE", "one kernel log" },
	{ Q_BARS_UNSET, "BARs are unassigned by a Linux-style boot",
	    "one public record" },
	{ Q_LATE, "the display can take 100 ms to appear",
	    "one public record" },
	{ Q_COALESCE, "four completions, one interrupt",
	    "public records" },
	{ Q_LOSE, "the used-buffer interrupt has been polled for rather than "
	    "seen", "public records" },
	{ Q_OVERSIZE, "a frame above the MTU can arrive, VM to VM",
	    "one open report" },
	{ Q_RESIZE, "the host's window can be resized", "one public record" },
	{ Q_NEEDS_RESET, "DEVICE_NEEDS_RESET is really used",
	    "public records" },
	{ Q_ONE_QUEUE, "a disk has one queue", "one public record" },
	{ Q_WIDTHS, "the common configuration is accessed at natural widths",
	    "several public records" },
	{ Q_PACKED, "packed rings are offered", "two kernel logs" },
};

#define RINGS	(PV_F_BIT(PV_F_INDIRECT_DESC) | PV_F_BIT(PV_F_EVENT_IDX) |    \
		PV_F_BIT(PV_F_VERSION_1) | PV_F_BIT(PV_F_RING_PACKED))
#define N(n)	PV_F_BIT(PV_NET_F_##n)

static const struct offer apple_offers[] = {
	{ PV_TYPE_NET, RINGS | N(CSUM) | N(GUEST_CSUM) | N(MTU) | N(MAC) |
	    N(GUEST_TSO4) | N(GUEST_TSO6) | N(HOST_TSO4) | N(HOST_TSO6) |
	    N(STATUS) },
	{ PV_TYPE_CONSOLE, RINGS },
	{ 0, 0 }
};

static const struct property libkrun[] = {
	{ Q_WIDTHS, "a register takes its own width; another ends the host",
	    "libkrun: src/devices/src/virtio/mmio.rs" },
	{ Q_NO_PCI, "virtio over MMIO only", "libkrun: src/devices" },
	{ Q_NO_CTRL, "CTRL_VQ is not offered", "libkrun: src/devices/virtio/net" },
	{ Q_NO_MRG, "MRG_RXBUF is not offered", "libkrun: src/devices/virtio/net" },
	{ Q_ONE_QUEUE, "a disk has one queue",
	    "libkrun: src/devices/src/virtio/block" },
	{ Q_FEW_BLK, "a disk offers FLUSH, SEG_MAX and RO",
	    "libkrun: src/devices/src/virtio/block" },
	{ Q_LEN_DATA, "a disk's used lengths are without the status, 0 at most "
	    "times", "libkrun: src/devices/src/virtio/block" },
	{ Q_STATUS_ASTRAY, "a failed read's status is at the front of the data",
	    "libkrun: src/devices/src/virtio/block" },
};

static const struct property strict[] = {
	{ Q_STRICT, "what the specification forbids is refused, and said",
	    "virtio 1.4 working draft" },
	{ Q_RESET_SLOW, "a reset takes time", "Device Reset" },
	{ Q_SPURIOUS, "interrupts come for nothing",
	    "Used Buffer Notification Suppression" },
	{ Q_ODD, "structures that are to be passed over, and longer ones",
	    "Virtio Structure PCI Capabilities" },
	{ Q_PLATFORM, "ACCESS_PLATFORM and ORDER_PLATFORM are offered",
	    "Reserved Feature Bits" },
	{ Q_UNKNOWN, "features that nobody knows are offered", "Feature Bits" },
	{ Q_RESIZE, "displays change their size",
	    "GPU Device / Device configuration layout" },
	{ Q_NEEDS_RESET, "a device may ask for a reset at any time",
	    "Device Status Field" },
	{ Q_RING_RESET, "RING_RESET is offered", "Virtqueue Reset" },
	{ Q_PACKED, "packed rings are offered", "Packed Virtqueues" },
	{ Q_IN_ORDER, "IN_ORDER is offered, and one used entry may speak for "
	    "many", "Virtqueues / In-order use of descriptors" },
	{ Q_SHUFFLE, "without it buffers are used in any order", "Virtqueues" },
	{ Q_NOTIFY_DATA, "NOTIFICATION_DATA is offered, and on PCI "
	    "NOTIF_CONFIG_DATA with other numbers than the queues'",
	    "Driver Notifications" },
};

#define P(name, text, offers) \
	{ #name, text, name, sizeof(name) / sizeof(name[0]), offers }

static const struct profile profiles[] = {
	P(qemu, "QEMU's devices", NULL),
	P(apple, "the Virtualization framework's", apple_offers),
	P(libkrun, "libkrun's", NULL),
	P(strict, "the specification, to the letter", NULL),
};

const struct profile *
profile_at(unsigned int i)
{
	return i < sizeof(profiles) / sizeof(profiles[0]) ? &profiles[i] : NULL;
}

const struct profile *
profile_named(const char *name)
{
	unsigned int i;

	for (i = 0; profile_at(i) != NULL; i++)
		if (strcmp(profiles[i].pr_name, name) == 0)
			return &profiles[i];
	return NULL;
}

int
profile_has(const struct profile *pr, enum quirk quirk)
{
	unsigned int i;

	for (i = 0; i < pr->pr_nproperties; i++)
		if (pr->pr_properties[i].pp_quirk == quirk)
			return 1;
	return 0;
}

uint64_t
profile_offers(const struct profile *pr, unsigned int type, uint64_t rest)
{
	const struct offer *of;

	for (of = pr->pr_offers; of != NULL && of->of_type != 0; of++)
		if (of->of_type == type)
			return of->of_features;
	return rest;
}
