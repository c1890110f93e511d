/* SPDX-License-Identifier: ISC */
/*
 * One network interface: lwIP's netif on the library's driver. Received frames
 * come to lwIP in the driver's buffers, as pbufs of our own kind; sent ones are
 * handed to the device piece by piece where lwIP has them.
 *
 * Receive buffers belong to a pool, which belongs to one negotiation: when the
 * device is brought up anew with other sizes, the old pool goes when the last
 * frame in it is freed.
 */
#ifndef IFNET_H
#define IFNET_H

#include <paravane/net.h>

#include "lwip/netif.h"
#include "net_guest.h"

#define IF_TXBATCH	32
#define IF_RXBATCH	64

struct rxpool;

struct txframe {
	struct pv_net_tx tf_tx;
	struct pv_piece	tf_piece[PV_NET_MAXPIECES];
};

struct if_counters {
	uint64_t	ic_rx_copied;	/* buffers were scarce */
	uint64_t	ic_rx_dropped;	/* no memory, or lwIP refused */
	uint64_t	ic_tx_copied;	/* not in memory that is loaded */
	uint64_t	ic_tx_dropped;	/* refused by the driver */
	uint64_t	ic_tx_full;	/* no room in the ring: sent later */
	uint64_t	ic_resets;	/* after a violation of the device's */
};

struct net_if {
	struct netif	if_netif;
	struct pv_net	if_net;
	struct pv_virtio *if_dev;
	bus_dma_tag_t	if_dmat;
	const char	*if_name;
	struct net_if	*if_next;
	bus_dmamap_t	if_arena;	/* the arena, loaded for this device */
	struct rxpool	*if_pool;
	struct pv_net_rx *if_rx;	/* a batch; as long as a frame needs */
	unsigned int	if_nrx;
	struct txframe	*if_tx;		/* waiting for if_flush */
	unsigned int	if_ntx;
	unsigned int	if_outstanding;	/* frames that the device has */
	unsigned int	if_firstmtu;	/* at this negotiation */
	bool		if_running;
	bool		if_busy;	/* being stopped or started */
	bool		if_txintr;	/* asked for, because the ring was full */
	bool		if_starved;	/* lwIP was told that there is no room */
	volatile bool	if_changed;	/* set in interrupt context */
	volatile bool	if_broken;
	const char *volatile if_why;
	unsigned int	if_wantmtu;	/* what DHCP asks for, or 0 */
	uint32_t	if_announced;	/* the address that was told last */
	unsigned int	if_failures;	/* resets without a frame in between */
	struct if_counters if_counters;
};

/*
 * if_attach - fill in an interface and bring its device up
 *
 * if_dev, if_dmat and if_name are set. deny: features to leave. Errors: those
 * of pv_net_attach; ENOMEM. Nothing stays behind after an error.
 */
int	if_attach(struct net_if *, uint64_t deny);

/*
 * if_detach - stop the device and give all memory back
 *
 * ETIMEDOUT: the reset was not confirmed, and what the device can reach stays
 * allocated. The netif was removed from lwIP before.
 */
int	if_detach(struct net_if *);

/* if_poll - receive a batch, take back what was sent; whether there was any */
bool	if_poll(struct net_if *);

/* if_flush - hand what lwIP has sent to the device, with one doorbell */
void	if_flush(struct net_if *);

/* if_intr - ask for interrupts again; true: there is something, poll */
bool	if_intr(struct net_if *, bool on);

/*
 * if_service - what can't be done in interrupt context: link changes, and a
 * device that broke, which is reset and brought up anew. Threads only.
 */
void	if_service(struct net_if *);

/*
 * if_set_mtu - change the current MTU
 *
 * Errors: EINVAL below 68 or above the hard MTU; where longer buffers are
 * needed the device is restarted, so also those of pv_net_start; ENETDOWN if it
 * doesn't run.
 */
int	if_set_mtu(struct net_if *, unsigned int mtu);

/* if_raw - give one frame to the driver, past lwIP: for tests of the driver */
int	if_raw(struct net_if *, const void *frame, size_t len);

/* if_init - lwIP's way to set a netif up: for netif_add(), state is the net_if */
err_t	if_init(struct netif *);

/* From a netif to its interface; NULL for the loopback. */
struct net_if *if_of(struct netif *);

/* The lwIP side's answer to a changed link or MTU: netstack.c. */
void	if_link_changed(struct net_if *);

#endif
