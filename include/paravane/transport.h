/* SPDX-License-Identifier: ISC */
/*
 * transport.h - how the library reaches a virtio device
 *
 * The library brings virtio over PCI (pci.h) and over MMIO (mmio.h). A port
 * may bring another: it fills a struct pv_transport_ops and gives it, with its
 * own cookie, to pv_virtio_init. Drivers never see which one it is.
 *
 * Every operation is called from a thread, except where "any" is said. None
 * may wait without a bound. Values from the device are returned as they are
 * read; the core judges them.
 */
#ifndef PARAVANE_TRANSPORT_H
#define PARAVANE_TRANSPORT_H

#include <paravane/kern.h>

struct pv_virtio;

/*
 * Where a virtqueue's three areas are, as the device sees them. The size of a
 * split ring is a power of two, that of a packed one need not be.
 */
struct pv_queue_place {
	unsigned int qp_size;		/* entries */
	bus_addr_t qp_desc;		/* descriptor area: the table; packed:
					 * the descriptor ring */
	bus_addr_t qp_driver;		/* driver area: available ring; packed:
					 * driver event suppression */
	bus_addr_t qp_device;		/* device area: used ring; packed:
					 * device event suppression */
	unsigned int qp_align;		/* legacy: alignment of the used ring */
	unsigned int qp_packed;		/* 1: the ring is a packed one */
};

/*
 * A shared memory region (Basic Facilities of a Virtio Device / Shared Memory
 * Regions): memory of the device's for the CPU to map. Neither an address that
 * the CPU knows nor one that the device takes: the port makes a mapping of it.
 * Where it has no BAR, that is memory of which only the device says that it may
 * be touched: the port refuses what it knows to be RAM, or another device's.
 */
struct pv_shm {
	int sh_bar;		/* PCI: the BAR that it lies in; -1: none */
	uint64_t sh_start;	/* its first byte, in that BAR; without one, in
				 * the CPU's physical addresses */
	uint64_t sh_len;	/* bytes, not 0; the end fits 64 bits too */
};

/* Registers: a window of what is mapped, which was checked to lie in it. */
struct pv_window {
	bus_space_tag_t pw_iot;
	bus_space_handle_t pw_ioh;	/* of all that is mapped */
	bus_size_t pw_off;		/* where the window begins in it */
	bus_size_t pw_len;		/* 0: there is none */
};

/* What a transport is, in to_properties. */
#define PV_TRANSPORT_LEGACY	0x0001	/* before virtio 1.0: no FEATURES_OK, no
					 * generation, one contiguous queue */

/* What can happen, as a transport's interrupt reports it: pv_virtio_intr(). */
#define PV_INTR_QUEUE		0x0001	/* some queue has used buffers */
#define PV_INTR_CONFIG		0x0002	/* configuration or status changed */

/* How a device's interrupts arrive. */
enum pv_intr_mode {
	PV_INTR_MODE_NONE,		/* not set up */
	PV_INTR_MODE_PER_QUEUE,		/* a vector a queue, and one for
					 * configuration */
	PV_INTR_MODE_SHARED,		/* one vector for queues, one for
					 * configuration, or one for all */
	PV_INTR_MODE_LINE,		/* one level interrupt, with a status */
	PV_INTR_MODE_POLL		/* none: pv_virtio_poll() alone */
};

struct pv_transport_ops {
	const char *to_name;		/* "pci", "mmio" */

	/* PV_TRANSPORT_*; constant after pv_virtio_init. Any. */
	unsigned int (*to_properties)(void *);

	/*
	 * Device status, 8 bits. A device that is gone reads 0xff. Any (read).
	 */
	uint8_t (*to_status_read)(void *);
	void (*to_status_write)(void *, uint8_t);

	/*
	 * Feature bits 0..63. Both windows are read and written whole, also
	 * where all bits are 0.
	 */
	uint64_t (*to_features_read)(void *);
	void (*to_features_write)(void *, uint64_t);

	/*
	 * to_features_carried - which feature bits this transport can carry, as
	 * a mask; others are left, with PV_WHY_TRANSPORT. NULL: all but
	 * NOTIF_CONFIG_DATA. RING_RESET alone is accepted all the same, since
	 * devices are known that insist on it; but not in use, and neither is
	 * it without to_queue_reset.
	 */
	uint64_t (*to_features_carried)(void *);

	/*
	 * Device configuration. width is 1, 2 or 4 and off a multiple of it;
	 * one access of just that width. Returns ERANGE if the field lies
	 * outside what the device has, and then leaves *val alone.
	 * to_config_generation: 0 always on a legacy transport.
	 * to_config_size: bytes known to exist, or 0 if not known.
	 */
	int (*to_config_read)(void *, unsigned int off, unsigned int width,
	    uint32_t *val);
	int (*to_config_write)(void *, unsigned int off, unsigned int width,
	    uint32_t val);
	uint32_t (*to_config_generation)(void *);
	unsigned int (*to_config_size)(void *);

	/*
	 * Queues. to_queue_max: the most entries that the device takes, 0 if
	 * there is no such queue. to_queue_enable returns EIO if the device
	 * does not take over what was written, ERANGE if a legacy device can't
	 * reach the address. to_queue_stop undoes a legacy queue's place (and
	 * is NULL where only a reset does: never is queue_enable written 0).
	 * Of the queues from PV_MAXQUEUES on one is in use at a time.
	 *
	 * to_queue_reset (RING_RESET) stops one queue while the device runs,
	 * and waits within a bound until the device confirms it; then the
	 * queue can be enabled again, at another place and in another size,
	 * with the interrupt it had. ETIMEDOUT: it was not confirmed; EIO: the
	 * device is gone. NULL: the transport can't.
	 */
	unsigned int (*to_queue_count)(void *);
	unsigned int (*to_queue_max)(void *, unsigned int queue);
	int (*to_queue_enable)(void *, unsigned int queue,
	    const struct pv_queue_place *);
	void (*to_queue_stop)(void *, unsigned int queue);
	int (*to_queue_reset)(void *, unsigned int queue);

	/*
	 * to_shm - where the region is that the device calls id; of use after
	 * to_features_write, and asked for only by drivers that expect regions.
	 * ENXIO: there is none. ENOTSUP: the transport can't know, which is
	 * what NULL says too. Drivers ask pv_virtio_shm.
	 */
	int (*to_shm)(void *, unsigned int id, struct pv_shm *);

	/*
	 * to_notify - the available buffer notification
	 *
	 * data		the queue's index; with NOTIFICATION_DATA the 32-bit
	 *		value of Driver Notifications: next_off and next_wrap
	 *		above it
	 *
	 * With NOTIF_CONFIG_DATA the transport puts what the device gave it in
	 * the place of the index. Called with all ring writes ordered before
	 * it. Any.
	 */
	void (*to_notify)(void *, unsigned int queue, uint32_t data);

	/*
	 * to_intr_setup - establish the handlers, before the queues are enabled
	 *
	 * nqueues	queues that want one, at most PV_MAXQUEUES; vectors
	 *		fewer than nqueues + 1 are shared, none at all means
	 *		line or polling
	 *
	 * The handlers call pv_virtio_intr() or pv_virtio_intr_queue().
	 * Returns the mode that was had; PV_INTR_MODE_POLL is always possible.
	 * to_intr_setup may be called again after to_intr_teardown.
	 */
	enum pv_intr_mode (*to_intr_setup)(void *, struct pv_virtio *,
	    unsigned int nqueues);
	void (*to_intr_teardown)(void *);

	/*
	 * to_intr_status - PV_INTR_* that are pending, acknowledged by the
	 * reading (or by the write that follows it). For polling. Any.
	 */
	unsigned int (*to_intr_status)(void *);

	/*
	 * to_describe - one line for people: "pci 1af4:1041 rev 1"
	 * Writes at most len bytes with the final 0.
	 */
	void (*to_describe)(void *, char *buf, size_t len);
};

#endif /* PARAVANE_TRANSPORT_H */
