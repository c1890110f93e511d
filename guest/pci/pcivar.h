/* SPDX-License-Identifier: ISC */
/*
 * What the PCI files know of each other.
 */
#ifndef PCIVAR_H
#define PCIVAR_H

#include "machine.h"
#include "pci.h"

#define PCI_MAXDEVS	256
#define PCI_MAXDEPTH	8

/* Bridge headers (type 1). */
#define PCI_HEADER		0x0c
#define PCI_HEADER_TYPE(v)	((v) >> 16 & 0x7f)
#define PCI_HEADER_MULTI(v)	(((v) >> 23 & 1) != 0)
#define PCI_BUSES		0x18
#define PCI_IO_WINDOW		0x1c
#define PCI_MEM_WINDOW		0x20
#define PCI_PREF_WINDOW		0x24
#define PCI_PREF_BASE_HI	0x28
#define PCI_PREF_LIMIT_HI	0x2c
#define PCI_CAP_POINTER		0x34

/* Ports of PCI Express, by its capability's type. */
#define PCI_EXPRESS_ROOT_PORT	4
#define PCI_EXPRESS_DOWNSTREAM	6
#define PCI_EXPRESS_TO_PCI	7

/* Part of a window that something has. In order of address. */
struct pci_used {
	struct pci_used	*pu_next;
	uint64_t	pu_base;
	uint64_t	pu_size;
};

/*
 * Where addresses come from: a host bridge's window, or a bridge's. Size 0:
 * there is none.
 */
struct pci_window {
	uint64_t	pw_base;	/* on the bus */
	uint64_t	pw_size;
	uint64_t	pw_offset;	/* bus address + offset = the processor's */
	bool		pw_prefetch;
	bool		pw_mem64;
	struct pci_used	*pw_used;
};

struct pci_bus {
	struct pci_bus	*pb_next;
	const struct machine_host *pb_host;
	struct pci_bus	*pb_up;		/* NULL: a host bridge's first bus */
	struct pci_dev	*pb_bridge;	/* that leads here */
	uint8_t		pb_number;
	uint8_t		pb_last;	/* highest number that it or a bus below may have */
	bool		pb_single;	/* a PCI Express link: one device */
	bool		pb_settled;	/* addresses were given out once */
	struct pci_slot	*pb_slot;	/* the bridge's, if it has one */
	uint8_t		pb_spare;	/* bus numbers to be kept for later */
	uint64_t	pb_reserve[2];	/* the same of addresses, by bridge's window */
	volatile void	*pb_conf;	/* its configuration space */
	unsigned	pb_nwindows;
	struct pci_window pb_window[MACHINE_MAXWINDOWS];
};

extern struct pci_bus *pci_buses;

/* conf.c */
int	pci_bus_map(struct pci_bus *);
void	pci_bus_unmap(struct pci_bus *);
uint32_t pci_bus_read(const struct pci_bus *, unsigned slot, unsigned func,
	    unsigned reg);

/*
 * For Slot Status alone: its neighbour takes each write as a command, and
 * QEMU 7.2 takes that one's bits for this one's.
 */
void	pci_conf_write_16(const struct pci_dev *, unsigned reg, uint16_t);

/* assign.c */
void	pci_bars_read(struct pci_dev *);
void	pci_bridge_windows_read(struct pci_dev *);
void	pci_host_windows(struct pci_bus *);
void	pci_assign(struct pci_bus *);
void	pci_bars_give_back(struct pci_dev *);
void	pci_windows_forget(struct pci_bus *);

/* scan.c: what is new on a bus, and all of it going away. */
unsigned	pci_bus_fill(struct pci_bus *);
void	pci_bus_empty(struct pci_bus *, bool gone);
bool	pci_bus_filled(const struct pci_bus *);
/* A bridge passes on its own or others' accesses, or no longer. */
void	pci_bridge_use(struct pci_dev *, bool);

/*
 * slot.c: the slot that a bus is, if it is one. pci_slot_look returns when it
 * is to be called again, and adds to *found.
 */
void	pci_slot_init(struct pci_bus *);
uint64_t pci_slot_look(struct pci_bus *, unsigned *found);
void	pci_slot_forget(struct pci_bus *);
void	pci_slot_show(const struct pci_bus *);
extern void (*pci_event_hook)(void);

/* intr.c */
/*
 * The line of a function whose handler found the cause still there. Also from
 * that.
 */
void	pci_intr_line_allow(struct pci_dev *, bool);
void	pci_intr_release(struct pci_dev *);

#endif
