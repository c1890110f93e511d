/* SPDX-License-Identifier: ISC */
/*
 * mmio.h - virtio over MMIO, version 2 and legacy version 1
 *
 * Legacy (Virtio Over MMIO / Legacy interface): no FEATURES_OK, no generation
 * (configuration is read twice), 32 feature bits, one contiguous queue placed
 * by its page number.
 *
 * QEMU 7.2 offers RING_RESET here too, and has no register for it: the reset of
 * one queue (pv_virtq_reset, pv_net_reset_tx) is not confirmed, ETIMEDOUT.
 */
#ifndef PARAVANE_MMIO_H
#define PARAVANE_MMIO_H

#include <paravane/virtio.h>

/* What a kernel gives for one MMIO device. The cookie is its own. */
struct pv_mmio_ops {
	/*
	 * Have fn(arg) called, in interrupt context, at the device's interrupt;
	 * fn returns 1 if it was the device's. ENXIO: there is none, and the
	 * port polls. After mo_intr_disestablish fn is not running any more.
	 * Context: thread.
	 */
	int (*mo_intr_establish)(void *, const char *name, int (*fn)(void *),
	    void *arg);
	void (*mo_intr_disestablish)(void *);
};

/*
 * The transport's state. The port allocates it; all members are private, but
 * for mm_type, which is for pv_virtio_init.
 */
struct pv_mmio {
	const struct pv_mmio_ops *mm_ops;	/* set by port at attach */
	void *mm_cookie;
	const char *mm_name;
	bus_space_tag_t mm_iot;
	bus_space_handle_t mm_ioh;
	struct pv_window mm_config;
	unsigned int mm_version;		/* 1 or 2 */
	unsigned int mm_type;			/* virtio device type */
	uint32_t mm_vendor;
	int mm_intr;				/* established */
	struct pv_virtio *mm_dev;
};

extern const struct pv_transport_ops pv_mmio_transport;

/*
 * pv_mmio_attach - look at a register block
 *
 * iot, ioh	the mapped registers, size bytes (at least 0x100); they outlive
 *		the attachment
 * name		for messages; it outlives the attachment
 *
 * Errors: ENXIO no magic value, or device id 0, which is an empty place and
 * needs no message; ENOTSUP a version that is neither 1 nor 2, or a legacy
 * device on a big-endian CPU (messages name them); EINVAL size is too small.
 * Context: thread.
 */
int pv_mmio_attach(struct pv_mmio *, bus_space_tag_t, bus_space_handle_t,
    bus_size_t size, const struct pv_mmio_ops *, void *cookie,
    const char *name);

/* pv_mmio_detach - end of use; the driver must be detached. Context: thread. */
void pv_mmio_detach(struct pv_mmio *);

#endif /* PARAVANE_MMIO_H */
