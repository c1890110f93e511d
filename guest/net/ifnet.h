/* SPDX-License-Identifier: ISC */
/*
 * One network interface: lwIP's netif on the library's driver. Received frames
 * come to lwIP in the driver's buffers, as pbufs of our own kind; sent ones are
 * handed to the device piece by piece where lwIP has them.
 *
 * Receive buffers belong to a pool, which belongs to one negotiation: when the
 * device is brought up anew with other sizes, the old pool goes when the last
 * frame in it is freed.
 *
 * A pair of queues is served by a CPU of its own as far as there are any, the
 * first by the stack's. Of another one a task (task.h) takes what was received
 * and sent, posts buffers and rings the doorbell; between it and the stack's
 * thread there are rings with one end each (spsc.h), and no lock.
 *
 * File by file: ifnet.c the device's life, iftx.c sending, ifrx.c receiving,
 * ifremote.c a pair on another CPU.
 */
#ifndef IFNET_H
#define IFNET_H

#include <paravane/net.h>

#include "log.h"
#include "lwip/netif.h"
#include "net_guest.h"
#include "spsc.h"
#include "task.h"

#define IF_TXBATCH	32
#define IF_RXBATCH	64
#define IF_MAXPAIRS	8
#define IF_REMOTE_TX	128		/* frames on their way to another CPU */
#define IF_HUNG_NS	(5 * 1000000000ull)	/* without a frame sent */
#define IF_CALM_NS	(1 * 1000000000ull)	/* after a reset: then a frame counts */
#define IF_AGAIN_NS	(2 * IF_HUNG_NS)	/* one that hangs again by then */

struct event;
struct rxpool;

struct txframe {
	struct pv_net_tx tf_tx;
	struct pbuf	*tf_pbuf;
	struct txframe	*tf_next;	/* free list of a remote pair */
	bool		tf_dropped;	/* refused by the driver */
	struct pv_piece	tf_piece[PV_NET_MAXPIECES];
};

/* What a pair has that another CPU serves. */
struct if_remote {
	struct task	rm_task;
	struct spsc	rm_received;	/* slots, to the stack */
	struct spsc	rm_back;	/* slots, to be posted again */
	struct spsc	rm_out;		/* frames to send */
	struct spsc	rm_sent;	/* frames that were */
	void		**rm_slots;	/* the rings' */
	/* the stack's */
	struct txframe	*rm_frames;
	struct txframe	*rm_free;
	bool		rm_kick;	/* frames since the last signal */
	/* the task's */
	struct txframe	*rm_batch[IF_TXBATCH];
	unsigned int	rm_nbatch;
	uint64_t	rm_quiet_at;	/* when it found nothing */
	bool		rm_watched;	/* atomic; set by the stack: look for a
					 * hang */
};

/* A pair of queues. */
struct if_pair {
	struct net_if	*ip_if;
	unsigned int	ip_queue;
	struct if_remote *ip_remote;	/* NULL: the stack's CPU serves it */
	struct rxpool	*ip_pool;
	struct pv_net_rx *ip_rx;	/* a batch; as long as a frame needs */
	unsigned int	ip_nrx;
	struct txframe	*ip_tx;		/* waiting for if_flush */
	unsigned int	ip_ntx;
	unsigned int	ip_outstanding;	/* frames that are not back yet */
	bool		ip_txintr;	/* asked for, because the ring was full */
	volatile bool	ip_hung;	/* set by the queue's owner */
	uint64_t	ip_reset_ns;	/* when its queue was reset */
	/* the frame that is coming in */
	struct pbuf	*ip_head;
	unsigned int	ip_flags;
	bool		ip_more;	/* its next buffer is awaited */
	bool		ip_bad;
};

struct if_counters {
	uint64_t	ic_rx_copied;	/* buffers were scarce */
	uint64_t	ic_rx_dropped;	/* no memory, or lwIP refused */
	uint64_t	ic_tx_copied;	/* not in memory that is loaded */
	uint64_t	ic_tx_dropped;	/* refused by the driver */
	uint64_t	ic_tx_full;	/* no room in the ring: sent later */
	uint64_t	ic_tx_again;	/* queued at a reset, sent after it */
	uint64_t	ic_resets;	/* after a violation of the device's */
	uint64_t	ic_hung;	/* of those: it had ceased to send */
	uint64_t	ic_queues;	/* of one queue that had, alone */
	uint64_t	ic_announced;	/* our addresses, since it asked */
};

struct net_if {
	struct netif	if_netif;
	struct pv_net	if_net;
	struct pv_virtio *if_dev;
	bus_dma_tag_t	if_dmat;
	const char	*if_name;
	struct net_if	*if_next;
	bus_dmamap_t	if_arena;	/* the arena, loaded for this device */
	uint64_t	if_deny;	/* for the next negotiation: features to */
	uint64_t	if_want;	/* leave, and to take; pairs */
	bool		if_detached;	/* no driver: it could not be attached, */
	bool		if_lost;	/* or its reset was not confirmed */
	unsigned int	if_wantpairs;
	unsigned int	if_rxmode;	/* PV_NET_MODE_* */
	bool		if_notxcsum;	/* lwIP computes all checksums */
	struct if_pair	*if_pair;	/* while it runs */
	unsigned int	if_npairs;
	unsigned int	if_sendpairs;	/* of those, in use for sending */
	struct pbuf	**if_again;	/* what was queued at a reset, to be */
	unsigned int	if_nagain;	/* sent again */
	unsigned int	if_maxagain;
	unsigned int	if_firstmtu;	/* at this negotiation */
	unsigned int	if_setmtu;	/* what was set, or 0 */
	/* what the device was told, since it was last attached */
	uint32_t	if_vlans[4096 / 32];
	const char	*if_rss;	/* NULL: nothing */
	struct pv_net_coalescing if_coalesce[2];	/* rx, tx */
	bool		if_dhcp;	/* asks for its address */
	bool		if_running;
	bool		if_busy;	/* a thread stops, starts or commands it */
	bool		if_starved;	/* lwIP was told that there is no room */
	bool		if_awake;	/* the stack will look by itself */
	struct event	*if_borrowed;	/* by a bench, and whom to wake then; */
					/* atomic: handlers look at it */
	volatile bool	if_changed;	/* set in interrupt context */
	volatile bool	if_broken;
	volatile bool	if_hung;	/* a pair's ip_hung is set */
	const char *volatile if_why;
	unsigned int	if_wantmtu;	/* what DHCP asks for, or 0 */
	struct log_limit if_log;	/* of what the host causes */
	uint32_t	if_announced;	/* the address that was told last */
	unsigned int	if_failures;	/* resets without a frame in between that
					 * came in a quiet moment */
	uint64_t	if_reset_ns;	/* when the last one was */
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
 * if_service - what can't be done in interrupt context: link changes, a queue
 * that hangs, which is reset alone if it can be, and a device that broke, which
 * is reset and brought up anew. Threads only.
 */
void	if_service(struct net_if *);

/*
 * if_claim, if_unclaim - around calls of the driver that command the device:
 * they let other threads run, of which one might command or reset it
 *
 * False: another one has it, for seconds. Threads only.
 */
bool	if_claim(struct net_if *);
void	if_unclaim(struct net_if *);

/*
 * if_set_mtu - change the current MTU
 *
 * Errors: EINVAL below 68 or above the hard MTU; where longer buffers are
 * needed the device is restarted, so also those of pv_net_start; ENETDOWN if it
 * doesn't run.
 */
int	if_set_mtu(struct net_if *, unsigned int mtu);

/*
 * if_watch - look for doorbells that were missed, which are rung again, and for
 * transmit queues that hang, which are reset. For a timer.
 * if_watch_pair - of one pair; from the queues' owner
 */
void	if_watch(struct net_if *);
void	if_watch_pair(struct if_pair *);

/* if_hung - a pair's transmit queue hangs: reset it; from the queue's owner */
void	if_hung(struct if_pair *);

/*
 * if_renegotiate - bring the device up with what if_deny, if_want and
 * if_wantpairs now say
 *
 * EBUSY; or as if_attach: then deny and want are again what they were and are
 * tried, and it is down if the device does not take those either. Address,
 * receive modes and, where it still fits, the MTU stay. Threads only.
 */
int	if_renegotiate(struct net_if *, uint64_t deny, uint64_t want);

/*
 * if_borrow, if_return - the driver without the stack, for benches
 *
 * In between the stack neither sends nor receives; the caller alone calls the
 * driver, on any pair, and *ev is signalled instead of the stack's thread: it
 * is never freed, as a handler on another CPU may signal it after if_return.
 * Errors: EBUSY; ENETDOWN; ETIMEDOUT what was being sent does not come back, or
 * a CPU does not let go of its pair.
 */
int	if_borrow(struct net_if *, struct event *ev);
void	if_return(struct net_if *);

/* if_checksums - tell lwIP which checksums are left to the device */
void	if_checksums(struct net_if *);

/* if_outstanding - frames that lwIP has sent and that are not back yet */
unsigned int if_outstanding(const struct net_if *);

/* if_lent - receive buffers that are lwIP's */
unsigned int if_lent(const struct net_if *);

/* if_raw - give one frame to the driver, past lwIP: for tests of the driver */
int	if_raw(struct net_if *, const void *frame, size_t len);

/*
 * if_init - lwIP's way to set a netif up: for netif_add(), state is the net_if
 */
err_t	if_init(struct netif *);

/* From a netif to its interface; NULL for the loopback. */
struct net_if *if_of(struct netif *);

/* iftx.c */
void	iftx_flush(struct if_pair *);
bool	iftx_reclaim(struct if_pair *);
/*
 * On the pair's CPU: a batch of what was sent is taken back; then an interrupt
 * for want of room is not wanted any more. Returns how many, 0: none.
 */
unsigned int	iftx_used(struct if_pair *, void *cookies[IF_TXBATCH]);
/* All that is queued or was given to the stopped device, to if_again. */
void	iftx_drain(struct if_pair *, bool lost);
err_t	iftx_output(struct netif *, struct pbuf *);
void	iftx_resume(struct net_if *);
void	iftx_again(struct net_if *);

/* ifrx.c */
void	ifrx_post(struct if_pair *);
bool	ifrx_poll(struct if_pair *);

/* ifremote.c: ENXIO, ENOMEM leave the pair to the stack's CPU. */
int	ifremote_start(struct if_pair *);
int	ifremote_stop(struct if_pair *);
void	ifremote_free(struct if_pair *);

/* The lwIP side's answer to a changed link or MTU: netstack.c. */
void	if_link_changed(struct net_if *);

#endif
