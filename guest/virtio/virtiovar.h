/* SPDX-License-Identifier: ISC */
/*
 * What the virtio files know of each other.
 */
#ifndef VIRTIOVAR_H
#define VIRTIOVAR_H

#include "virtio_guest.h"

/* How the kernel reaches devices: bus.c. */
extern const struct pv_pci_ops virtio_pci_ops;
extern const struct pv_mmio_ops virtio_mmio_ops;

/* The drivers: driver.c. NULL where we have none for a type. */
struct virtio_driver {
	unsigned	vr_type;
	int		(*vr_attach)(struct virtio_dev *);
	int		(*vr_detach)(struct virtio_dev *);
	/* Threads only, after vg_changed or vg_broken was seen; may be NULL. */
	void		(*vr_changed)(struct virtio_dev *);
	int		(*vr_restart)(struct virtio_dev *);
};
const struct virtio_driver *virtio_driver_of(unsigned type);

/* Wake the thread; any context. */
void	virtio_wake(void);

#endif
