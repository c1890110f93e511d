/* SPDX-License-Identifier: ISC */
/*
 * Disks on the library's block driver. For who uses disks there is disk.h.
 *
 * Command line:
 *
 * diskcache=BYTES	memory of the cache of all disks (default: a
 *			thirty-second of RAM, 512 KiB to 16 MiB)
 * disktimeout=SECONDS	a device that does not answer for so long is reset (30)
 * diskdeny=MASK	feature bits that block devices are to leave
 */
#ifndef DISK_GUEST_H
#define DISK_GUEST_H

struct disk_unit;
struct pv_bus_dma_tag;
struct pv_virtio;
struct vblk;

/*
 * vblk_attach - take a device of type PV_TYPE_BLK for a disk
 *
 * dev		initialised by pv_virtio_init with no callbacks: they are
 *		this driver's
 * dmat		its DMA tag
 * name		"blk0"; outlives the disk
 *
 * The disk has a name of its own, and its partitions are found by and by.
 * Returns 0; ENOMEM; ENOTSUP its sectors are too large for us; or what
 * pv_blk_attach said. Threads only.
 */
int	vblk_attach(struct pv_virtio *dev, const struct pv_bus_dma_tag *dmat,
	    const char *name, struct vblk **);

/*
 * vblk_detach - take a disk away, at any time
 *
 * Whatever is in flight ends with ENXIO. Afterwards the device is reset and
 * quiet, or (ETIMEDOUT) the memory that it can still reach is given up for
 * ever. Threads only.
 */
int	vblk_detach(struct vblk *);

const char	*vblk_disk(const struct vblk *);	/* "disk0" */

#endif
