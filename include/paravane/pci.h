/* SPDX-License-Identifier: ISC */
/*
 * pci.h - virtio over PCI
 *
 * The kernel finds functions, assigns and enables BARs, turns bus mastering on
 * and owns the MSI-X table and the command register; the library never touches
 * them. It reads the capabilities and drives what they point to. Both modern
 * (0x1040 + type) and transitional ids are taken, always through the modern
 * capabilities.
 */
#ifndef PARAVANE_PCI_H
#define PARAVANE_PCI_H

#include <paravane/virtio.h>

#define PV_PCI_VENDOR		0x1af4	/* Virtio Over PCI Bus / PCI Device
					 * Discovery */
#define PV_PCI_DEVICE_MIN	0x1000	/* transitional ids 0x1000..0x103f */
#define PV_PCI_DEVICE_MODERN	0x1040	/* + device type */
#define PV_PCI_DEVICE_MAX	0x107f

#define PV_PCI_MAXBARS		6

/*
 * What a kernel gives for one PCI function. The cookie is its own. All are
 * called from a thread unless "any" is said.
 */
struct pv_pci_ops {
	/*
	 * Configuration space, 32 bits at a time; reg is a multiple of 4. A
	 * write to the word of the command register carries 0 in the status
	 * half. A function that is gone reads all ones. Any.
	 */
	uint32_t (*po_conf_read)(void *, unsigned int reg);
	void (*po_conf_write)(void *, unsigned int reg, uint32_t val);

	/*
	 * Map all of a memory BAR. ENXIO: it is not implemented, not memory, or
	 * has no address. Mapping the same BAR again gives the same handle;
	 * po_unmap_bar is called once for each po_map_bar.
	 */
	int (*po_map_bar)(void *, unsigned int bar, bus_space_tag_t *,
	    bus_space_handle_t *, bus_size_t *size);
	void (*po_unmap_bar)(void *, unsigned int bar);

	/*
	 * How long a memory BAR is, mapped or not. ENXIO: as above. NULL: not
	 * known, and shared memory regions are not found. A region is as large
	 * as its BAR may be, so the library never maps one; whoever does keeps
	 * its pages apart from an MSI-X table in the same BAR.
	 */
	int (*po_bar_size)(void *, unsigned int bar, uint64_t *size);

	/* MSI-X vectors that can be had; 0 if none. */
	unsigned int (*po_vectors)(void *);

	/*
	 * Have fn(arg) called, in interrupt context, when MSI-X vector fires;
	 * vector -1 is the INTx line. fn returns 1 if the interrupt was its
	 * own. ENXIO or ENOTSUP: it can't be had. The vector is unmasked on
	 * return. After po_intr_disestablish fn is not running any more.
	 */
	int (*po_intr_establish)(void *, int vector, const char *name,
	    int (*fn)(void *), void *arg);
	void (*po_intr_disestablish)(void *, int vector);
};

/* What lies where: structures, and shared memory, both within their BARs. */
struct pv_pci_place {
	uint64_t pl_off;
	uint64_t pl_len;
	uint8_t pl_bar;
	int pl_id;			/* of shared memory; -1: a structure */
};

#define PV_PCI_MAXREGIONS	8	/* of a capability list */
#define PV_PCI_MAXPLACES	(4 + PV_PCI_MAXREGIONS)

struct pv_pci;

/* One handler's argument: a queue's, or the configuration's. */
struct pv_pci_vector {
	struct pv_pci *pv_pci;
	struct pv_virtio *pv_dev;
	int pv_queue;			/* -1: configuration; -2: queues; -3:
					 * both */
};

/* Where a queue's notifications go, and what they call it. */
struct pv_pci_doorbell {
	bus_size_t pd_off;		/* checked */
	uint16_t pd_data;		/* the queue's index, or what the
					 * device gave in its place */
};

#define PV_PCI_MAXVECTORS	(PV_MAXQUEUES + 1)	/* configuration's */

/*
 * The transport's state. The port allocates it; all members are private, but
 * for pp_type, which is for pv_virtio_init.
 */
struct pv_pci {
	const struct pv_pci_ops *pp_ops;	/* set by port at attach */
	void *pp_cookie;
	const char *pp_name;
	uint32_t pp_id;				/* vendor and device, as read */
	uint8_t pp_revision;
	unsigned int pp_type;			/* virtio device type */
	struct pv_window pp_common;
	struct pv_window pp_notify;
	struct pv_window pp_isr;
	struct pv_window pp_device;
	struct pv_pci_place pp_places[PV_PCI_MAXPLACES];
	unsigned int pp_nplaces;
	uint32_t pp_notify_multiplier;
	unsigned int pp_nqueues;
	struct pv_pci_doorbell *pp_doorbells;	/* by queue; the last: far */
	uint8_t pp_mapped;			/* mask of BARs */
	uint8_t pp_notify_wide;			/* NOTIFICATION_DATA */
	uint8_t pp_notify_given;		/* NOTIF_CONFIG_DATA */
	unsigned int pp_nvectors;		/* established */
	enum pv_intr_mode pp_mode;
	struct pv_pci_vector pp_vectors[PV_PCI_MAXVECTORS];
};

extern const struct pv_transport_ops pv_pci_transport;

/*
 * pv_pci_match - whether a function is a virtio device, by its ids
 *
 * id		configuration word 0: device id << 16 | vendor id
 *
 * Returns the virtio device type (Device Types), or 0. For transitional ids,
 * whose type stands in the subsystem id, the subsystem word (at 0x2c) decides.
 * Context: any.
 */
unsigned int pv_pci_match(uint32_t id, uint32_t subsystem);

/*
 * pv_pci_attach - find and check a function's virtio structures
 *
 * ops, cookie	the kernel's access to this function; they outlive the
 *		attachment. Memory space must be enabled.
 * name		for messages, such as "net0"; it outlives the attachment
 *
 * Every capability is checked: chain length, BAR number, offset and length for
 * overflow and against the BAR's size (Virtio Over PCI Bus / PCI Device Layout
 * / Virtio Structure PCI Capabilities). The first good one of a kind is taken;
 * of shared memory, the first good one of an id.
 *
 * On success *pp can be given, with pv_pci_transport, to pv_virtio_init.
 * Errors: ENXIO not a virtio function; ENOTSUP a legacy-only function, which a
 * message names; EINVAL the capabilities are unusable (a message says which);
 * ENOMEM; EIO all ones are read. On error nothing stays mapped.
 * Context: thread.
 */
int pv_pci_attach(struct pv_pci *, const struct pv_pci_ops *, void *cookie,
    const char *name);

/*
 * pv_pci_detach - unmap what pv_pci_attach mapped
 *
 * The driver must be detached. Context: thread.
 */
void pv_pci_detach(struct pv_pci *);

#endif /* PARAVANE_PCI_H */
