/* SPDX-License-Identifier: ISC */
/*
 * The virtio devices of this machine: found on PCI and as MMIO nodes, each with
 * the library's driver of its type.
 *
 * One thread ("virtio") looks after them: it attaches what appears late, brings
 * broken devices up again, and polls each device now and then, so that a lost
 * interrupt costs milliseconds and a machine without any works. Until nothing
 * more has appeared on PCI for some 300 ms, it holds the end of start-up
 * (init_wait).
 */
#ifndef PARAVANE_GUEST_VIRTIO_GUEST_H
#define PARAVANE_GUEST_VIRTIO_GUEST_H

#include <paravane/console.h>
#include <paravane/entropy.h>
#include <paravane/gpu.h>
#include <paravane/mmio.h>
#include <paravane/pci.h>
#include <paravane/virtio.h>

#include "log.h"

struct machine_mmio;
struct net_if;
struct pci_dev;
struct vblk;

struct virtio_dev {
	struct virtio_dev *vg_next;
	char		vg_name[16];	/* "net0" */
	unsigned	vg_type;	/* device type of the specification */
	struct pci_dev	*vg_pci;	/* NULL on MMIO */
	const struct machine_mmio *vg_node; /* NULL on PCI */
	bool		vg_coherent;	/* of its DMA */
	bus_dma_tag_t	vg_dmat;
	struct pv_virtio vg_virtio;
	bool		vg_ready;	/* vg_virtio is initialised */
	bool		vg_listed;
	bool		vg_gone;	/* taken out of the machine */
	bool		vg_attached;	/* a driver runs it */
	bool		vg_busy;	/* is being attached or detached */
	int		vg_error;	/* why not: errno; ENODEV: no driver for it */
	uint64_t	vg_polled;	/* found something by polling, not by interrupt */
	bool		vg_nopoll;	/* a test has its interrupts elsewhere */
	volatile bool	vg_changed;	/* set by callbacks */
	volatile bool	vg_broken;
	uint64_t	vg_nbroken;
	struct log_limit vg_log;	/* of what the device causes */
	struct intr	*vg_line;	/* MMIO: its handler */
	int		(*vg_fn)(void *);
	void		*vg_arg;
	union {
		struct pv_pci	vt_pci;
		struct pv_mmio	vt_mmio;
	} vg_transport;
	union {
		struct net_if	*vd_net;
		struct pv_gpu	vd_gpu;
		struct pv_console vd_console;
		struct pv_entropy vd_entropy;
		struct vblk	*vd_blk;
	} vg_driver;
};

/*
 * The devices one after the other, in the order they were found; NULL begins
 * and ends.
 */
struct virtio_dev *virtio_next(struct virtio_dev *);

/* By name, or the n-th (from 0) of a type that runs; NULL: there is none. */
struct virtio_dev *virtio_find(const char *name);
struct virtio_dev *virtio_find_type(unsigned type, unsigned n);

/* The device's transport in a line, as its to_describe tells it. */
void	virtio_describe(struct virtio_dev *, char *buf, size_t len);

/* Say a line for each device, and from now on for each that comes. */
void	virtio_say(void);

/* How interrupts arrive: "MSI-X, one a queue", "INTx", "polling". */
const char *virtio_intr_name(const struct virtio_dev *);

/*
 * virtio_detach - take a device from its driver; virtio_attach gives it back
 *
 * As at the end of a run, but for one device. 0; ENXIO if it is not attached,
 * or taken out; EBUSY another thread attaches it; ETIMEDOUT the reset was not
 * confirmed.
 */
int	virtio_detach(struct virtio_dev *);
int	virtio_attach(struct virtio_dev *);

/* Bytes of the host's entropy, at most len; returns how many there were. */
size_t	virtio_entropy(void *, size_t len);

/*
 * Reset every device and stop its DMA: before power-off and reset. Works in a
 * panic too.
 */
void	virtio_quiesce(void);

#endif
