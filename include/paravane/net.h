/* SPDX-License-Identifier: ISC */
/*
 * net.h - network devices (Device Types / Network Device)
 *
 * Batches in both directions, no copy in either: the caller's buffers are
 * loaded by the caller, once if it likes, and the driver gives cookies back.
 * The header of virtio stands inside the buffer, right before the frame:
 * pv_net_hdrlen bytes, 12, or 10 on a legacy device without MRG_RXBUF.
 *
 * MTU. The device's value (VIRTIO_NET_F_MTU) is the hard MTU and becomes the
 * current one. Below 68 the bit is not accepted, and both are as if it had not
 * been offered. Above PV_NET_MAXMTU the bit is not accepted unless the device
 * refuses to go on without it (Apple's does); either way the hard MTU is then
 * PV_NET_MAXMTU, and what the device may send is still received whole. Without
 * the bit the hard MTU is PV_NET_MAXMTU and the current one 1500. No frame above
 * the current MTU is ever sent.
 */
#ifndef PARAVANE_NET_H
#define PARAVANE_NET_H

#include <paravane/virtq.h>

#define PV_NET_MINMTU		68
#define PV_NET_MAXMTU		65435	/* OpenBSD's ETHER_MAX_HARDMTU_LEN */
#define PV_NET_ETHERMTU		1500
#define PV_NET_ETHER_HDRLEN	14
#define PV_NET_VLAN_TAGLEN	4
#define PV_NET_MAXHDRLEN	12
#define PV_NET_MINRXBUF		1530	/* Apple's device wedges below it */
#define PV_NET_MAXPIECES	18	/* of one frame */

/* Feature bits, as bit numbers (Network Device / Feature bits). */
#define PV_NET_F_CSUM			0
#define PV_NET_F_GUEST_CSUM		1
#define PV_NET_F_CTRL_GUEST_OFFLOADS	2
#define PV_NET_F_MTU			3
#define PV_NET_F_MAC			5
#define PV_NET_F_GSO			6	/* legacy */
#define PV_NET_F_GUEST_TSO4		7
#define PV_NET_F_GUEST_TSO6		8
#define PV_NET_F_GUEST_ECN		9
#define PV_NET_F_GUEST_UFO		10
#define PV_NET_F_HOST_TSO4		11
#define PV_NET_F_HOST_TSO6		12
#define PV_NET_F_HOST_ECN		13
#define PV_NET_F_HOST_UFO		14
#define PV_NET_F_MRG_RXBUF		15
#define PV_NET_F_STATUS			16
#define PV_NET_F_CTRL_VQ		17
#define PV_NET_F_CTRL_RX		18
#define PV_NET_F_CTRL_VLAN		19
#define PV_NET_F_CTRL_RX_EXTRA		20
#define PV_NET_F_GUEST_ANNOUNCE		21
#define PV_NET_F_MQ			22
#define PV_NET_F_CTRL_MAC_ADDR		23
#define PV_NET_F_VQ_NOTF_COAL		52
#define PV_NET_F_NOTF_COAL		53
#define PV_NET_F_GUEST_USO4		54
#define PV_NET_F_GUEST_USO6		55
#define PV_NET_F_HOST_USO		56
#define PV_NET_F_HASH_REPORT		57
#define PV_NET_F_GUEST_HDRLEN		59
#define PV_NET_F_RSS			60
#define PV_NET_F_RSC_EXT		61
#define PV_NET_F_STANDBY		62
#define PV_NET_F_SPEED_DUPLEX		63

/*
 * What the driver tells the port, each from interrupt context or from
 * pv_virtio_poll: note it and return. Any may be NULL.
 */
struct pv_net_callbacks {
	void (*nc_rx)(void *arg);	/* pv_net_receive has something */
	void (*nc_tx)(void *arg);	/* pv_net_reclaim has something */
	void (*nc_changed)(void *arg);	/* call pv_net_changed */
	void (*nc_broken)(void *arg, const char *why);	/* stop, then start */
};

struct pv_net_params {
	unsigned int np_rxsize;		/* ring entries wanted; 0: up to 256 */
	unsigned int np_txsize;		/* likewise */
	uint64_t np_deny;		/* features to leave, as a mask */
};

/* A frame to send. */
struct pv_net_tx {
	const struct pv_piece *tx_pieces;	/* the frame, from its Ethernet
						 * header on */
	unsigned int tx_npieces;
	/*
	 * The CPU's address of pv_net_hdrlen bytes that lie right before
	 * tx_pieces[0], in the same map, and are the driver's until the cookie
	 * is back.
	 */
	void *tx_hdr;
	uint16_t tx_flags;			/* PV_NET_TX_* */
	uint16_t tx_csum_start;			/* bytes into the frame */
	uint16_t tx_csum_offset;		/* bytes from there */
	void *tx_cookie;			/* not NULL */
};

#define PV_NET_TX_CSUM		0x0001	/* the device completes the checksum;
					 * only with PV_NET_F_CSUM */

/*
 * A buffer to receive into. On a device that is not coherent the CPU writes to
 * none of its 128-byte lines while it is posted.
 */
struct pv_net_rxbuf {
	struct pv_piece rb_piece;	/* at least pv_net_rxbuf_len bytes */
	void *rb_va;			/* the CPU's address of it */
	void *rb_cookie;		/* not NULL */
};

/* A received buffer. A frame is one, or with PV_NET_RX_MORE several. */
struct pv_net_rx {
	void *rx_cookie;
	uint32_t rx_off;		/* where the data begins in the buffer */
	uint32_t rx_len;		/* bytes of data in this buffer */
	uint16_t rx_flags;		/* PV_NET_RX_*, on the first of a frame
					 * but for MORE */
	uint16_t rx_csum_start;
	uint16_t rx_csum_offset;
};

#define PV_NET_RX_MORE		0x0001	/* the frame goes on in the next one */
#define PV_NET_RX_CSUM_VALID	0x0002	/* the device has checked it */
#define PV_NET_RX_CSUM_PARTIAL	0x0004	/* from this host: the checksum is not
					 * filled in; csum_start, _offset say
					 * where it would be */
#define PV_NET_RX_OVERSIZE	0x0008	/* above the current MTU: delivered
					 * whole and counted; the port drops */
#define PV_NET_RX_ERROR		0x0010	/* malformed or torn: only the buffer
					 * comes back, rx_len is 0 */

struct pv_net_counters {
	uint64_t nc_tx_frames, nc_tx_bytes, nc_tx_toolong;
	uint64_t nc_rx_frames, nc_rx_bytes, nc_rx_oversize, nc_rx_errors;
	uint64_t nc_ctrl_errors, nc_link_changes;
};

struct pv_dmamem;
struct pv_net_slot;

/* The driver's state. The port allocates it; all members are private. */
struct pv_net {
	struct pv_virtio *sc_dev;
	struct pv_net_callbacks sc_cb;
	void *sc_arg;
	struct pv_net_params sc_params;
	struct pv_virtq *sc_rxq;
	struct pv_virtq *sc_txq;
	struct pv_virtq *sc_ctrlq;		/* NULL without CTRL_VQ */
	struct pv_dmamem *sc_ctrl;		/* its memory */
	unsigned int sc_rxsegs;			/* sc_rxq takes so many */
	struct pv_net_slot *sc_rxslots;		/* one for each posted buffer */
	unsigned int sc_nrxslots;
	struct pv_net_slot *sc_rxfree;
	struct pv_net_slot **sc_frame;		/* buffers of the frame in
						 * progress */
	unsigned int sc_framemax;		/* room in sc_frame */
	unsigned int sc_nframe;			/* buffers that are there */
	unsigned int sc_rxmore;			/* that it still lacks */
	unsigned int sc_rxskip;			/* that are to be dropped */
	uint8_t sc_rxhdr[PV_NET_MAXHDRLEN];	/* of the frame in progress */
	unsigned int sc_hdrlen;
	unsigned int sc_hardmtu;
	unsigned int sc_mtu;
	unsigned int sc_devmtu;			/* as the device says, or 0 */
	unsigned int sc_rxbuflen;
	uint8_t sc_hdrapart;			/* header: its own descriptor */
	uint8_t sc_mac[6];
	uint8_t sc_macknown;			/* it is the device's own */
	uint8_t sc_rxmode;			/* the port has set the two: */
	uint8_t sc_promisc, sc_allmulti;
	uint8_t sc_link;
	uint8_t sc_running;
	struct pv_net_counters sc_counters;
};

/*
 * pv_net_attach - take a device of type PV_TYPE_NET into use
 *
 * dev		initialised, and this driver's until pv_net_detach. The
 *		callbacks of pv_virtio_init are this driver's too: the port
 *		passes its own here and NULL there.
 * cb, arg	copied
 * params	copied; may be NULL
 *
 * On return the device runs, with empty rings: the port posts receive buffers.
 * Errors: those of pv_virtio_negotiate, pv_virtq_alloc and pv_virtio_start. On
 * error the device has FAILED set and nothing stays allocated.
 * Context: thread. (Network Device / Device Initialization)
 */
int pv_net_attach(struct pv_net *, struct pv_virtio *dev,
    const struct pv_net_callbacks *cb, void *arg,
    const struct pv_net_params *params);

/*
 * pv_net_stop - reset the device; then drain
 *
 * The first of the two steps of a reset, also of detach. After it the port
 * calls pv_net_drain_tx and pv_net_drain_rx until each gives NULL. Returns 0,
 * or ETIMEDOUT if the reset was not confirmed: the cookies still come back, but
 * their memory must stay loaded, and not be used again, for ever.
 * Context: thread; no other call on this device at the same time.
 */
int pv_net_stop(struct pv_net *);
void *pv_net_drain_tx(struct pv_net *);
void *pv_net_drain_rx(struct pv_net *);

/*
 * pv_net_start - bring a stopped and drained device up again
 *
 * Negotiates anew: header length, MTU and buffer length may be others. The
 * current MTU is kept if it still fits. Errors: as pv_net_attach; EBUSY it runs,
 * or the drains are not complete; EIO if the reset was never confirmed. On error
 * the device stays stopped. Context: thread.
 */
int pv_net_start(struct pv_net *);

/*
 * pv_net_detach - end; stops first if the port has not
 *
 * Safe with buffers in flight if the port drained: cookies not yet drained are
 * forgotten. Returns as pv_net_stop. Context: thread.
 */
int pv_net_detach(struct pv_net *);

/*
 * pv_net_transmit - send up to n frames, with one doorbell
 *
 * *accepted	how many of tx[] were taken, from the first on. Their memory is
 *		the device's until pv_net_reclaim returns their cookies.
 *
 * Returns 0 if all were. Otherwise tx[*accepted] is why: EMSGSIZE longer than
 * the current MTU allows (14 + MTU, with a VLAN tag 4 more); ENOBUFS no room;
 * EINVAL no piece, shorter than 14 bytes, a checksum outside the frame or not
 * negotiated; EFBIG too many pieces; ENETDOWN not started; EIO broken.
 * Context: any; one caller at a time. (Network Device / Packet Transmission)
 */
int pv_net_transmit(struct pv_net *, const struct pv_net_tx *,
    unsigned int n, unsigned int *accepted);

/*
 * pv_net_reclaim - cookies of frames that were sent, at most n
 *
 * Returns 0, and their number in *done; EIO broken; ENETDOWN not started.
 * Context: as transmit.
 */
int pv_net_reclaim(struct pv_net *, void **cookies, unsigned int n,
    unsigned int *done);

/*
 * pv_net_post - give up to n buffers to receive into, with one doorbell
 *
 * Errors as pv_net_transmit: EINVAL shorter than pv_net_rxbuf_len; EFBIG in more
 * DMA segments than pv_net_rxbuf_len / PAGE_SIZE + 2; ENOBUFS; ENETDOWN; EIO.
 * Without INDIRECT_DESC each segment takes an entry of the ring, so fewer than
 * pv_net_rx_size may fit. Context: any; one caller at a time for post and receive.
 * (Network Device / Setting Up Receive Buffers)
 */
int pv_net_post(struct pv_net *, const struct pv_net_rxbuf *, unsigned int n,
    unsigned int *accepted);

/*
 * pv_net_receive - take up to n received buffers
 *
 * All buffers of one frame are given in one call, or none of them: n is at
 * least pv_net_rxbufs_max. A frame is validated (header, number of buffers,
 * lengths, checksum offsets) before it is given. Returns 0 and their number in
 * *done; EINVAL n is too small; EIO broken (those in *done were received
 * before); ENETDOWN not started. Context: as post. (Network Device / Processing
 * of Incoming Packets)
 */
int pv_net_receive(struct pv_net *, struct pv_net_rx *, unsigned int n,
    unsigned int *done);

/* The most buffers that one frame can take, at this negotiation. */
unsigned int pv_net_rxbufs_max(const struct pv_net *);

/*
 * Interrupts of the two queues: off while the port polls; on returns nonzero if
 * there already is something (poll again). tx is seldom needed: reclaim when
 * room is short. pv_net_tx_intr(sc, 1) asks for one when most of what is
 * outstanding was sent. Context: as post; as transmit.
 */
int pv_net_rx_intr(struct pv_net *, int on);
int pv_net_tx_intr(struct pv_net *, int on);

/* What was negotiated. Context: any. */
unsigned int pv_net_hdrlen(const struct pv_net *);
unsigned int pv_net_rxbuf_len(const struct pv_net *);	/* header included */
unsigned int pv_net_rx_size(const struct pv_net *);	/* buffers that fit */
unsigned int pv_net_tx_size(const struct pv_net *);	/* frames that fit */
unsigned int pv_net_mtu(const struct pv_net *);
unsigned int pv_net_hardmtu(const struct pv_net *);
int pv_net_link(const struct pv_net *);			/* 1 up, 0 down */
const uint8_t *pv_net_mac(const struct pv_net *);	/* 6 bytes; if the device
							 * has none, a local one
							 * made of the clock */
const struct pv_net_counters *pv_net_counters(const struct pv_net *);

/*
 * pv_net_set_mtu - change the current MTU, without a reset
 *
 * Errors: EINVAL below 68 or above the hard MTU. Receive buffers that were
 * posted stay right: pv_net_rxbuf_len is by the hard MTU where the device
 * announced one and by the larger of current MTU and 1500 where not; so
 * EBUSY: the new MTU needs longer buffers than are posted (only without the
 * MTU bit and without MRG_RXBUF): pv_net_stop, drain, pv_net_set_mtu,
 * pv_net_start, post. Context: thread.
 */
int pv_net_set_mtu(struct pv_net *, unsigned int mtu);

/*
 * pv_net_changed - read link and status again; after nc_changed
 *
 * Returns 1 if the link changed, 0 if not, or EIO as a negative number.
 * Context: thread.
 */
int pv_net_changed(struct pv_net *);

/*
 * pv_net_set_rxmode - promiscuous, all multicast; over the control queue
 *
 * Without CTRL_RX the device hands everything up already: 0 is returned and
 * nothing done; on a stopped device it is done at the next start. Until the
 * first call the device's own way after a reset stands: all frames are handed
 * up. A device that gave no address is always promiscuous, as it can't pick
 * out the frames for ours. Waits, at most two seconds. Errors: EIO the device
 * refused or is broken; ETIMEDOUT it did not answer (and is then broken).
 * Context: thread.
 * (Network Device / Control Virtqueue / Packet Receive Filtering)
 */
int pv_net_set_rxmode(struct pv_net *, int promisc, int allmulti);

#endif /* PARAVANE_NET_H */
