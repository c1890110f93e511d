/* SPDX-License-Identifier: ISC */
/*
 * PCI: the machine's host bridges, the functions behind them, their BARs and
 * interrupts.
 *
 * Configuration space is reached by ECAM, 32 bits at a time. BARs that firmware
 * set well are kept; the others get an address in the host bridge's windows,
 * and bridges get windows and bus numbers, so that every function that is found
 * can be used. A function decodes memory and masters the bus only between
 * pci_enable and pci_disable. All is for threads of CPU 0, but for
 * pci_conf_read and pci_conf_write.
 */
#ifndef PARAVANE_GUEST_PCI_H
#define PARAVANE_GUEST_PCI_H

#include "mtypes.h"

#define PCI_MAXBARS	6

#define PCI_ID			0x00
#define PCI_COMMAND		0x04	/* status in the upper half */
#define PCI_COMMAND_IO		0x0001
#define PCI_COMMAND_MEM		0x0002
#define PCI_COMMAND_MASTER	0x0004
#define PCI_COMMAND_INTX_OFF	0x0400
#define PCI_CLASS		0x08
#define PCI_BAR(n)		(0x10 + 4 * (n))
#define PCI_SUBSYSTEM		0x2c
#define PCI_INTERRUPT		0x3c

#define PCI_CAP_MSIX		0x11
#define PCI_CAP_EXPRESS		0x10

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,		/* never assigned: nothing here needs it */
	PCI_BAR_MEM32,
	PCI_BAR_MEM64,
};

struct pci_bar {
	enum pci_bar_kind pb_kind;
	bool		pb_prefetch;
	bool		pb_assigned;
	bool		pb_kept;	/* by firmware */
	uint64_t	pb_bus;		/* address on the bus */
	uint64_t	pb_cpu;		/* the same as the processor sees it */
	uint64_t	pb_size;
	volatile void	*pb_va;		/* while it is mapped */
	unsigned	pb_mapped;	/* how often */
};

struct pci_bus;
struct pci_dev;
struct pci_msix;

/*
 * What drives functions. Both are called from the thread that calls
 * pci_attach and pci_service.
 */
struct pci_driver {
	struct pci_driver *pr_next;	/* pci_register's */
	/* Take the function; false: it is none of this driver's. */
	bool		(*pr_attach)(struct pci_dev *);
	/*
	 * Give up all that it has of the function, with pci_release, whatever
	 * is under way: the function then is no more. With pd_gone it is out of
	 * the machine already, and reads all ones.
	 */
	void		(*pr_detach)(struct pci_dev *);
};

struct pci_dev {
	struct pci_dev	*pd_next;
	struct pci_bus	*pd_bus;	/* that it is on */
	struct pci_bus	*pd_below;	/* a bridge's other side */
	uint8_t		pd_slot;
	uint8_t		pd_func;
	uint32_t	pd_id;		/* device << 16 | vendor */
	uint32_t	pd_class;	/* class, subclass, interface, revision */
	uint32_t	pd_subsystem;
	uint8_t		pd_pin;		/* 1 to 4: INTA to INTD; 0: none */
	unsigned	pd_enabled;	/* how often */
	bool		pd_master;
	unsigned	pd_users;	/* a bridge's: enabled functions behind it */
	struct pci_bar	pd_bar[PCI_MAXBARS];
	struct pci_msix	*pd_msix;	/* while vectors are allocated */
	struct intr	*pd_line;	/* INTx handler */
	bool		pd_gone;	/* went without being asked out */
	struct pci_driver *pd_driver;	/* that took it */
	void		*pd_owner;	/* the driver's */
};

/*
 * pci_rescan - look at every bus again, but for those of slots
 *
 * Returns the number of functions that were not there before; they follow the
 * others in pci_next's order.
 *
 * pci_service - look after the slots: what is put in is switched on and found,
 * what is asked out is taken from its driver and
 *		 switched off, what went by itself is taken from its driver
 *
 * next_ns	when it is to be called again at the latest
 *
 * Returns as pci_rescan. It may take as long as drivers take to detach. Both do
 * nothing while pci_hold is in force.
 *
 * pci_on_event - fn is called when pci_service is needed sooner; it may be from
 * an interrupt handler
 */
unsigned	pci_rescan(void);
unsigned	pci_service(uint64_t *next_ns);
void		pci_on_event(void (*fn)(void));

/*
 * pci_register - a driver; it is kept by reference
 * pci_attach - offer each function that has no driver to the drivers
 */
void	pci_register(struct pci_driver *);
void	pci_attach(void);

/*
 * pci_hold - have functions, and what drivers made of them, stay until pci_drop
 *
 * For threads that list devices and wait for a console meanwhile: for seconds,
 * not longer. Not recursive. Returns 0, or EBUSY and says so: another thread
 * holds them, and this one may not wait (tty_lock).
 */
int	pci_hold(void);
void	pci_drop(void);

/* The functions one after the other; NULL begins and ends. */
struct pci_dev	*pci_next(struct pci_dev *);

/* "0000:01:02.0" */
void	pci_name(const struct pci_dev *, char *buf, size_t len);

/* DMA from behind this host bridge is coherent with the caches. */
bool	pci_coherent(const struct pci_dev *);

/*
 * reg is a multiple of 4 below 4096; all ones where there is nothing. The
 * status half of a command write is forced to 0.
 */
uint32_t pci_conf_read(const struct pci_dev *, unsigned reg);
void	pci_conf_write(const struct pci_dev *, unsigned reg, uint32_t);

/*
 * The offset of a capability, 0 if there is none; the chain is walked with a
 * bound.
 */
unsigned pci_capability(const struct pci_dev *, unsigned id);

/*
 * pci_enable - decode memory; bridges above also let the function master the
 * bus
 * pci_master - let the function itself, or not: not before it was reset, since
 * firmware may have left it running
 * pci_disable - stop both
 */
void	pci_enable(struct pci_dev *);
void	pci_master(struct pci_dev *, bool);
void	pci_disable(struct pci_dev *);

/*
 * pci_map_bar - map a memory BAR
 *
 * Mapped twice it is the same mapping; pci_unmap_bar is called as often. ENXIO:
 * no such BAR, not memory, or no address. ENOMEM.
 */
int	pci_map_bar(struct pci_dev *, unsigned bar, volatile void **,
	    uint64_t *size);
void	pci_unmap_bar(struct pci_dev *, unsigned bar);

/* pci_bar_size - of a memory BAR, mapped or not. ENXIO as above. */
int	pci_bar_size(const struct pci_dev *, unsigned bar, uint64_t *size);

/*
 * pci_vectors - MSI-X vectors that the function can have; they are allocated at
 * the first call. 0: none.
 */
unsigned pci_vectors(struct pci_dev *);

/*
 * pci_intr_establish - a handler on a vector, or on INTx (vector -1)
 *
 * fn runs in interrupt context on CPU cpu, and returns 1 if the interrupt was
 * its own. On return the vector is unmasked. ENXIO: there is no such vector, or
 * the line can't be routed; otherwise as intr_establish.
 */
int	pci_intr_establish(struct pci_dev *, int vector, unsigned cpu,
	    const char *name, int (*fn)(void *), void *arg);
void	pci_intr_disestablish(struct pci_dev *, int vector);

/* Have another CPU take a vector; the INTID of one, 0 if it has none. */
int	pci_intr_route(struct pci_dev *, int vector, unsigned cpu);
uint32_t pci_intr_intid(const struct pci_dev *, int vector);

/* Give back vectors and mappings, and disable. */
void	pci_release(struct pci_dev *);

/* pci_quiesce - clear all bus mastering: before the machine is left */
void	pci_quiesce(void);

#endif
