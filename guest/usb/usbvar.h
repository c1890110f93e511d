/* SPDX-License-Identifier: ISC */
/*
 * USB: a host controller (xhci.c) and what is plugged into its ports (usb.c).
 *
 * The thread "usb" does all of it, one thing after the other, under one mutex:
 * every wait has a bound, and ends early when the controller is taken out.
 */
#ifndef USBVAR_H
#define USBVAR_H

#include "hid.h"
#include "log.h"

#include <paravane/kern.h>

#define XHCI_SLOTS	8	/* devices at once, of one controller */
#define XHCI_PORTS	32	/* that are looked at */
#define USB_BUFFER	512	/* of a device: descriptors and reports */
#define USB_REPORT	256	/* bytes of one at most */
#define USB_RETRIES	3	/* of one that fails, until plugged anew */

struct pci_dev;
struct xhci;

/*
 * Memory that a controller and we both reach; mapped so that no sync is needed.
 */
struct usb_mem {
	bus_dma_segment_t um_seg;
	bus_dmamap_t	um_map;
	void		*um_va;
	size_t		um_size;	/* 0: there is none */
	bus_addr_t	um_addr;
};

/* A ring of TRBs that we fill; never more than one request is on it. */
struct xhci_ring {
	volatile uint32_t *xr_trb;
	bus_addr_t	xr_addr;
	unsigned	xr_size;	/* the last one links to the first */
	unsigned	xr_at;
	uint32_t	xr_cycle;
};

enum usb_kind { USB_OTHER, USB_KEYBOARD, USB_POINTER };

/* What is told of the one request that is under way. */
struct usb_request {
	bus_addr_t	rq_addr;	/* its last TRB; 0: none is */
	bus_addr_t	rq_data;	/* of a control: the data's TRB */
	uint32_t	rq_left;	/* bytes that were not moved */
	unsigned	rq_code;	/* how it ended */
};

struct usb_dev {
	struct xhci	*ud_hc;
	unsigned	ud_slot;
	unsigned	ud_port;	/* from 1 on */
	unsigned	ud_speed;
	uint32_t	ud_id;		/* product << 16 | vendor */
	unsigned	ud_endpoint;	/* the interrupt endpoint's number */
	unsigned	ud_interface;
	unsigned	ud_interval;	/* exponent of 125 us */
	unsigned	ud_maxpacket;	/* of that endpoint */
	unsigned	ud_reportlen;	/* of the report descriptor */
	bool		ud_failed;
	bool		ud_lamp;	/* caps lock's is to be set */
	enum usb_kind	ud_kind;
	uint64_t	ud_reports;
	struct usb_mem	ud_mem;
	struct xhci_ring ud_control, ud_interrupt;
	struct usb_request ud_ep0, ud_ep1;
	union {
		struct hid_keyboard u_keyboard;
		struct hid_pointer u_pointer;
	} ud_u;
};

struct xhci_port {
	struct usb_dev	*xp_dev;
	unsigned	xp_tries;
};

struct xhci {
	struct xhci	*hc_next;
	char		hc_name[8];
	struct pci_dev	*hc_pci;
	bus_dma_tag_t	hc_dmat;
	bus_space_tag_t	hc_iot;
	bus_space_handle_t hc_op, hc_run, hc_bell;
	unsigned	hc_slots, hc_ports;
	unsigned	hc_context;	/* bytes of one */
	unsigned	hc_nscratch;	/* pages that it wants for itself */
	bool		hc_wide;	/* reaches more than 4 GiB */
	bool		hc_running;
	bool		hc_gone;	/* or soon: nothing is begun any more */
	bool		hc_lost;	/* may still write to its memory */
	bool		hc_changed;	/* a port */
	const char	*hc_broken;	/* why */
	unsigned	hc_failures;
	struct log_limit hc_log;	/* of what comes and goes */
	int		hc_vector;	/* as pci_intr_establish; -2: polled */
	uint64_t	hc_nintr, hc_strange;
	struct usb_mem	hc_mem, hc_scratch;
	volatile uint32_t *hc_event;
	unsigned	hc_event_at;
	uint32_t	hc_event_cycle;
	struct xhci_ring hc_command;
	struct usb_request hc_request;
	unsigned	hc_request_slot;
	uint64_t	hc_looked;	/* at all ports, last */
	struct usb_dev	*hc_dev[XHCI_SLOTS + 1];
	struct xhci_port hc_port[XHCI_PORTS + 1];
};

/*
 * xhci.c
 *
 * xhci_find	registers of a controller that is mapped; ENXIO they are none
 * xhci_reset	stop it, whatever it does: before it may master the bus
 * xhci_start	reset it and let it run; xhci_stop ends that. ETIMEDOUT, EIO
 * xhci_poll	see what it has to tell
 * xhci_device	a slot, and an address on the bus, for what is at a port
 * xhci_endpoint the device's interrupt endpoint, as it was found
 * xhci_drop	give all back
 * xhci_control	a control transfer by the device's buffer; *got bytes came.
 *		EPIPE it was refused; EIO; ETIMEDOUT; ENXIO the controller is gone
 * xhci_listen	post the next report
 */
int	xhci_find(struct xhci *, bus_space_tag_t, bus_space_handle_t,
	    bus_size_t size);
int	xhci_reset(struct xhci *);
int	xhci_start(struct xhci *);
int	xhci_stop(struct xhci *);
void	xhci_poll(struct xhci *);
int	xhci_intr(void *);
uint32_t xhci_port(struct xhci *, unsigned port);
void	xhci_port_write(struct xhci *, unsigned port, uint32_t set);
int	xhci_device(struct usb_dev *);
int	xhci_maxpacket(struct usb_dev *, unsigned);
int	xhci_endpoint(struct usb_dev *);
void	xhci_drop(struct usb_dev *);
int	xhci_control(struct usb_dev *, unsigned type, unsigned request,
	    unsigned value, unsigned index, unsigned len, unsigned *got);
void	xhci_listen(struct usb_dev *);
void	*xhci_buffer(struct usb_dev *);

/* Port status (Port Status and Control Register) */
#define PORT_CONNECTED		0x00000001u
#define PORT_ENABLED		0x00000002u
#define PORT_RESET		0x00000010u
#define PORT_POWER		0x00000200u
#define PORT_SPEED(v)		((v) >> 10 & 0xf)
#define PORT_CONNECT_CHANGE	0x00020000u
#define PORT_RESET_CHANGE	0x00200000u
#define PORT_CHANGES		0x00fe0000u

enum { SPEED_FULL = 1, SPEED_LOW, SPEED_HIGH, SPEED_SUPER };

/*
 * usb.c
 *
 * usb_config_parse finds a keyboard or a pointer in a configuration descriptor
 * (USB 2.0, Standard USB Descriptor Definitions), and returns that
 * configuration's number; 0: it is damaged. The rest is called by xhci.c.
 */
unsigned usb_config_parse(struct usb_dev *, const uint8_t *, size_t len);
void	usb_report(struct usb_dev *, const uint8_t *, size_t len);
void	usb_wake(void);
/* A bounded wait for the controller. */
void	usb_pause(uint64_t ns);

#endif
