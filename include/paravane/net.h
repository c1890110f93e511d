/* SPDX-License-Identifier: ISC */
/*
 * net.h - network devices (Device Types / Network Device)
 *
 * Batches in both directions, no copy in either: the caller's buffers are
 * loaded by the caller, once if it likes, and the driver gives cookies back.
 * The header of virtio stands inside the buffer, right before the frame:
 * pv_net_hdrlen bytes, 12, or 20 with HASH_REPORT, or 10 on a legacy device
 * without MRG_RXBUF.
 *
 * Queues. They come in pairs, of one to receive and one to send; ni_pairs of
 * them are in use. "queue" is the number of a pair, from 0 on. Each half of
 * each pair has one owner: calls that name the same half never run at the same
 * time, calls that name others may. Nothing that two of them write is shared.
 * Calls that command or reconfigure the device (all of context "thread") have
 * one caller at a time for the device, beside whom data may flow.
 *
 * Offloads. The port says in np_want what it can do with: what is not there is
 * not negotiated, so that a port without segmentation never sees a frame longer
 * than its MTU, and its buffers stay small. With a receive segmentation
 * (GUEST_TSO4 and its like) frames of up to PV_NET_MAXGSO bytes arrive: in
 * several buffers with MRG_RXBUF, else each buffer is that long. On a device
 * that offers TSO both ways but not MRG_RXBUF (Apple's) HOST_TSO4 and HOST_TSO6
 * are taken only together with GUEST_TSO4 and GUEST_TSO6.
 *
 * What the port sets (address, filters, VLANs, pairs, hashes, coalescing,
 * offloads) stays set over a restart. On a stopped device it is only noted.
 * What the device refuses is not set, and what was set before stays; but
 * filters (pv_net_set_rxmode, pv_net_set_macs) are asked for again at each
 * start.
 *
 * MTU. The device's value (VIRTIO_NET_F_MTU) is the hard MTU and becomes the
 * current one. Below 68 the bit is not accepted, and both are as if it had not
 * been offered. Above PV_NET_MAXMTU the bit is not accepted unless the device
 * refuses to go on without it (Apple's does); either way the hard MTU is then
 * PV_NET_MAXMTU, and what the device may send is still received whole. Without
 * the bit the hard MTU is PV_NET_MAXMTU and the current one 1500. No frame
 * above the current MTU is ever sent.
 */
#ifndef PARAVANE_NET_H
#define PARAVANE_NET_H

#include <paravane/virtq.h>

#define PV_NET_MINMTU		68
#define PV_NET_MAXMTU		65435	/* OpenBSD's ETHER_MAX_HARDMTU_LEN */
#define PV_NET_ETHERMTU		1500
#define PV_NET_ETHER_HDRLEN	14
#define PV_NET_VLAN_TAGLEN	4
#define PV_NET_MAXHDRLEN	20
#define PV_NET_MINRXBUF		1530	/* Apple's device wedges below it */
#define PV_NET_MAXGSO		65589	/* bytes of a frame that is, or was, cut
					 * into several */
#define PV_NET_MAXPIECES	18	/* of one frame */
#define PV_NET_MAXPAIRS		31
#define PV_NET_MAXMACS		64	/* in a filter's two tables together */
#define PV_NET_MAXTABLE		128	/* entries of an indirection table */
#define PV_NET_MAXKEY		40	/* bytes of a hash key */
#define PV_NET_MAXSTATS		16	/* of one virtqueue */

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
#define PV_NET_F_DEVICE_STATS		50
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

/* Asked for only if np_want has them. MQ and RSS: np_pairs asks for more. */
#define PV_NET_TSO	(PV_F_BIT(PV_NET_F_HOST_TSO4) |			\
			PV_F_BIT(PV_NET_F_HOST_TSO6) |			\
			PV_F_BIT(PV_NET_F_HOST_ECN))
#define PV_NET_UDPSEG	(PV_F_BIT(PV_NET_F_HOST_UFO) |			\
			PV_F_BIT(PV_NET_F_HOST_USO))
#define PV_NET_LRO	(PV_F_BIT(PV_NET_F_GUEST_TSO4) |		\
			PV_F_BIT(PV_NET_F_GUEST_TSO6) |			\
			PV_F_BIT(PV_NET_F_GUEST_ECN))
#define PV_NET_UDPLRO	(PV_F_BIT(PV_NET_F_GUEST_UFO) |			\
			PV_F_BIT(PV_NET_F_GUEST_USO4) |			\
			PV_F_BIT(PV_NET_F_GUEST_USO6))
#define PV_NET_OPTIONAL	(PV_NET_TSO | PV_NET_UDPSEG | PV_NET_LRO |	\
			PV_NET_UDPLRO | PV_F_BIT(PV_NET_F_CTRL_VLAN) |	\
			PV_F_BIT(PV_NET_F_GUEST_ANNOUNCE) |		\
			PV_F_BIT(PV_NET_F_RSS) |			\
			PV_F_BIT(PV_NET_F_HASH_REPORT))

/* Virtqueues, for what concerns one, and for counters. */
#define PV_NET_RXQ(queue)	(2 * (queue))
#define PV_NET_TXQ(queue)	(2 * (queue) + 1)
#define PV_NET_CTRLQ		0xfffdu
#define PV_NET_ALL_RXQ		0xfffeu
#define PV_NET_ALL_TXQ		0xffffu
#define PV_NET_ALL_QUEUES	0xffffu		/* all pairs */

/*
 * What the driver tells the port, each from interrupt context or from
 * pv_virtio_poll: note it and return. Any may be NULL.
 */
struct pv_net_callbacks {
	/* pv_net_receive has something on this queue */
	void (*nc_rx)(void *arg, unsigned int queue);
	/* pv_net_reclaim has something on this queue */
	void (*nc_tx)(void *arg, unsigned int queue);
	void (*nc_changed)(void *arg);	/* call pv_net_changed */
	void (*nc_broken)(void *arg, const char *why);	/* stop, then start */
};

struct pv_net_params {
	unsigned int np_rxsize;		/* ring entries wanted; 0: up to 256 */
	unsigned int np_txsize;		/* likewise */
	unsigned int np_pairs;		/* wanted; 0: one. One a CPU is good */
	uint64_t np_want;		/* of PV_NET_OPTIONAL, as a mask */
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
	 * is back. Stores are cheapest where it is aligned to 4.
	 */
	void *tx_hdr;
	uint16_t tx_flags;			/* PV_NET_TX_* */
	uint16_t tx_csum_start;			/* bytes into the frame */
	uint16_t tx_csum_offset;		/* bytes from there */
	/*
	 * With one of TSO4 .. USO: bytes of payload in each of the frames that
	 * the device makes of this one, and the exact length of all headers up
	 * to the transport's payload.
	 */
	uint16_t tx_gso_size;
	uint16_t tx_hdr_len;
	void *tx_cookie;			/* not NULL */
};

/*
 * The sum that stands in the checksum's place is that of the pseudo header.
 * TSO4 .. USO go with CSUM, one at a time, each only with its feature.
 */
#define PV_NET_TX_CSUM		0x0001	/* the device completes the checksum;
					 * only with PV_NET_F_CSUM */
#define PV_NET_TX_TSO4		0x0002	/* it cuts TCP over IPv4 */
#define PV_NET_TX_TSO6		0x0004	/* TCP over IPv6 */
#define PV_NET_TX_UFO		0x0008	/* UDP, into fragments */
#define PV_NET_TX_USO		0x0010	/* UDP, into datagrams */
#define PV_NET_TX_ECN		0x0020	/* the TCP header has CWR set; with
					 * TSO4 or TSO6 */
#define PV_NET_TX_GSO		(PV_NET_TX_TSO4 | PV_NET_TX_TSO6 |	\
				PV_NET_TX_UFO | PV_NET_TX_USO)

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
	uint32_t rx_off;		/* of the data, in the buffer */
	uint32_t rx_len;		/* bytes of data in this buffer */
	/* Of the frame; on its first buffer, but for MORE. Else 0. */
	uint16_t rx_flags;		/* PV_NET_RX_* */
	uint16_t rx_csum_start;		/* with CSUM_PARTIAL */
	uint16_t rx_csum_offset;
	uint16_t rx_gso_size;		/* with TSO4 .. USO: payload of the
					 * frames that this one was made of */
	uint16_t rx_hdr_len;		/* likewise, a hint: length of the
					 * headers; 0: not known */
	uint16_t rx_hash_type;		/* PV_NET_HASH_*; HASH_REPORT only */
	uint32_t rx_hash;
};

#define PV_NET_RX_MORE		0x0001	/* the frame goes on in the next one */
#define PV_NET_RX_CSUM_VALID	0x0002	/* the device has checked it */
#define PV_NET_RX_CSUM_PARTIAL	0x0004	/* from this host: the checksum is not
					 * filled in; csum_start, _offset say
					 * where it would be */
#define PV_NET_RX_OVERSIZE	0x0008	/* above the current MTU, and not made
					 * of several: delivered whole and
					 * counted; the port drops */
#define PV_NET_RX_ERROR		0x0010	/* malformed or torn: only the buffer
					 * comes back, rx_len is 0 */
#define PV_NET_RX_TSO4		0x0020	/* made of several: TCP over IPv4, */
#define PV_NET_RX_TSO6		0x0040	/* TCP over IPv6, */
#define PV_NET_RX_UFO		0x0080	/* fragments of UDP, */
#define PV_NET_RX_USO		0x0100	/* UDP datagrams */
#define PV_NET_RX_ECN		0x0200	/* TCP, with CWR in the first */
#define PV_NET_RX_GSO		(PV_NET_RX_TSO4 | PV_NET_RX_TSO6 |	\
				PV_NET_RX_UFO | PV_NET_RX_USO)

/* What a hash was made of, as rx_hash_type says it. */
enum pv_net_hash {
	PV_NET_HASH_NONE,
	PV_NET_HASH_IPV4,
	PV_NET_HASH_TCPV4,
	PV_NET_HASH_UDPV4,
	PV_NET_HASH_IPV6,
	PV_NET_HASH_TCPV6,
	PV_NET_HASH_UDPV6,
	PV_NET_HASH_IPV6_EX,
	PV_NET_HASH_TCPV6_EX,
	PV_NET_HASH_UDPV6_EX
};

/* The same as bits of a mask: ni_hash_types, nr_types. */
#define PV_NET_HASH_BIT(type)	(1u << ((type) - 1))

/* Words, as those of pv_virtq_counters. */
struct pv_net_counters {
	unsigned long nc_tx_frames, nc_tx_bytes, nc_tx_toolong;
	unsigned long nc_tx_gso;	/* of the frames: to be cut */
	unsigned long nc_rx_frames, nc_rx_bytes, nc_rx_oversize, nc_rx_errors;
	unsigned long nc_rx_gso;	/* made of several */
};

#define PV_NET_DUPLEX_HALF	0
#define PV_NET_DUPLEX_FULL	1
#define PV_NET_DUPLEX_UNKNOWN	0xff

/* What was negotiated beside that for which there are functions. */
struct pv_net_info {
	unsigned int ni_pairs;		/* in use */
	unsigned int ni_maxpairs;	/* that pv_net_set_pairs can ask for */
	uint64_t ni_offloads;		/* GUEST_* features that are on */
	uint32_t ni_speed;		/* Mbit/s; 0: not known */
	uint8_t ni_duplex;		/* PV_NET_DUPLEX_* */
	uint32_t ni_hash_types;		/* that the device can make; 0: none */
	unsigned int ni_table;		/* entries of an indirection table; 0:
					 * there is none */
	unsigned int ni_key;		/* bytes of a hash key */
	unsigned int ni_rxmode;		/* the device's: PV_NET_MODE_* */
	uint64_t ni_ctrl_errors;	/* commands that the device refused */
	uint64_t ni_link_changes;
	uint64_t ni_announces;		/* that the device asked for */
};

/* Configuration that decides a feature; 0 where it is not offered. */
struct pv_net_limits {
	uint16_t nl_mtu;
	uint16_t nl_maxpairs;
	uint16_t nl_table;
	uint8_t nl_key;
	uint32_t nl_hash_types;
};

struct pv_net_pair;
struct pv_net_ctrl;

/* The driver's state. The port allocates it; all members are private. */
struct pv_net {
	/* read on the way of data, written in start */
	struct pv_virtio *sc_dev;
	struct pv_net_pair *sc_pairs;
	unsigned int sc_npairs;			/* in use */
	unsigned int sc_nqueues;		/* pairs that have queues */
	unsigned int sc_hdrlen;
	unsigned int sc_mtu;
	unsigned int sc_rxbuflen;
	unsigned int sc_framemax;		/* buffers of one frame */
	uint16_t sc_txflags;			/* PV_NET_TX_* that may be */
	uint16_t sc_rxflags;			/* PV_NET_RX_* that may be */
	uint8_t sc_hdrapart;			/* header: its own descriptor */
	uint8_t sc_merge;			/* MRG_RXBUF */
	uint8_t sc_running;

	struct pv_net_callbacks sc_cb;
	void *sc_arg;
	struct pv_net_params sc_params;
	struct pv_virtq *sc_ctrlq;		/* NULL without CTRL_VQ */
	struct pv_net_ctrl *sc_ctrl;		/* its memory; what was set */
	unsigned int sc_rxsegs;			/* of a receive queue */
	unsigned int sc_hardmtu;
	struct pv_net_limits sc_limits;		/* read before FEATURES_OK */
	struct pv_net_info sc_info;
	uint8_t sc_mac[6];
	uint8_t sc_macknown;			/* the device filters by it */
	uint8_t sc_nomq;			/* it lacks the queues for MQ */
	uint8_t sc_link;
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
 * On return the device runs, with empty rings: the port posts receive buffers
 * to each pair. Pairs are as many as np_pairs and the device allow, at most
 * PV_NET_MAXPAIRS. Of a device that refuses several there is one.
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
 * calls pv_net_drain_tx and pv_net_drain_rx for each queue, 0 to ni_maxpairs -
 * 1, until each gives NULL. Returns 0, or ETIMEDOUT if the reset was not
 * confirmed: the cookies still come back, but their memory must stay loaded,
 * and not be used again, for ever. They come in the order in which they were
 * queued. Whether a drained frame was sent is not
 * known: after pv_net_start the port may send it again, or drop it. Context:
 * thread; no other call on this device at the same time.
 */
int pv_net_stop(struct pv_net *);
void *pv_net_drain_tx(struct pv_net *, unsigned int queue);
void *pv_net_drain_rx(struct pv_net *, unsigned int queue);

/*
 * pv_net_start - bring a stopped and drained device up again
 *
 * Negotiates anew: header length, MTU, buffer length and the number of pairs
 * may be others. The current MTU is kept if it still fits, and all else that
 * was set is set again. Errors: as pv_net_attach; EBUSY it runs, or the drains
 * are not complete; EIO if the reset was never confirmed, or what was set took
 * more than ten seconds. On error the device stays stopped. Context: thread.
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
 * pv_net_transmit - send up to n frames on a queue, with one doorbell
 *
 * *accepted	how many of tx[] were taken, from the first on. Their memory is
 *		the device's until pv_net_reclaim returns their cookies.
 *
 * Returns 0 if all were. Otherwise tx[*accepted] is why: EMSGSIZE longer than
 * the current MTU allows (14 + MTU, with a VLAN tag 4 more), or what it is to
 * be cut into is, or the whole is longer than PV_NET_MAXGSO; ENOBUFS no room;
 * EINVAL no such queue, no piece, shorter than 14 bytes, a checksum outside the
 * frame, headers that are no part of it, a size of 0 to cut by, or an offload
 * that was not negotiated; EFBIG too many pieces; ENETDOWN not started; EIO
 * broken. Context: any; one caller at a time for each queue. (Network Device /
 * Packet Transmission)
 */
int pv_net_transmit(struct pv_net *, unsigned int queue,
    const struct pv_net_tx *, unsigned int n, unsigned int *accepted);

/*
 * pv_net_reclaim - cookies of frames that were sent, at most n
 *
 * Returns 0, and their number in *done; EINVAL no such queue; EIO broken;
 * ENETDOWN not started. Context: as transmit.
 */
int pv_net_reclaim(struct pv_net *, unsigned int queue, void **cookies,
    unsigned int n, unsigned int *done);

/*
 * pv_net_stalled_ns - for how long the device has sent nothing of what it has
 *
 * For a watchdog, which calls this every now and then: the time since the first
 * of successive calls that found a frame outstanding and none used in between;
 * 0 if there is none, or some were. Costs nothing on the way of data. A
 * doorbell that was missed is rung again (pv_virtq_stalled_ns). How long is too
 * long is the port's to say; pv_net_stop ends it. Context: as transmit.
 */
uint64_t pv_net_stalled_ns(struct pv_net *, unsigned int queue);

/*
 * pv_net_reset_tx - take a transmit queue that hangs back from the device,
 * while all else goes on; then drain it, and pv_net_resume_tx
 *
 * The gentler way, where RING_RESET is in use. From here on the queue takes
 * nothing (ENOBUFS); pv_net_drain_tx gives what it had until NULL; after
 * pv_net_resume_tx it is empty and in use, and what was drained may be sent
 * again. Errors: ENOTSUP RING_RESET is not in use; EINVAL no such queue, it is
 * stopped already, or (resume) it is not; ETIMEDOUT, EIO broken: then
 * pv_net_stop is due; ENETDOWN not started; EBUSY (resume) it is not drained.
 * Context: thread, and as transmit.
 */
int pv_net_reset_tx(struct pv_net *, unsigned int queue);
int pv_net_resume_tx(struct pv_net *, unsigned int queue);

/*
 * pv_net_post - give up to n buffers to receive into, with one doorbell
 *
 * Errors as pv_net_transmit: EINVAL shorter than pv_net_rxbuf_len; EFBIG in
 * more DMA segments than pv_net_rxbuf_len / PAGE_SIZE + 2; ENOBUFS; ENETDOWN;
 * EIO. Without INDIRECT_DESC each segment takes an entry of the ring, so fewer
 * than pv_net_rx_size may fit. Context: any; one caller at a time for post and
 * receive on each queue. (Network Device / Setting Up Receive Buffers)
 */
int pv_net_post(struct pv_net *, unsigned int queue,
    const struct pv_net_rxbuf *, unsigned int n, unsigned int *accepted);

/*
 * pv_net_rx_watch - of buffers, ring a doorbell again that was missed
 *
 * For the same watchdog: a device that has used up all buffers, and does not
 * hear of new ones, receives nothing any more. Nothing else tells that from
 * silence. Context: as post.
 */
void pv_net_rx_watch(struct pv_net *, unsigned int queue);

/*
 * pv_net_receive - take up to n received buffers
 *
 * All buffers of one frame are given in one call, or none of them: n is at
 * least pv_net_rxbufs_max. A frame is validated (header, number of buffers,
 * lengths, checksum offsets, kind and size of a segmentation, kind of hash)
 * before it is given. Returns 0 and their number in *done; EINVAL no such
 * queue, n is too small; EIO broken (those in *done were received before);
 * ENETDOWN not started. Context: as post. (Network Device / Processing of
 * Incoming Packets)
 */
int pv_net_receive(struct pv_net *, unsigned int queue, struct pv_net_rx *,
    unsigned int n, unsigned int *done);

/* The most buffers that one frame can take, at this negotiation. */
unsigned int pv_net_rxbufs_max(const struct pv_net *);

/*
 * Interrupts of a pair: off while the port polls; on returns nonzero if there
 * already is something (poll again). tx is seldom needed: reclaim when room is
 * short. pv_net_tx_intr(sc, queue, 1) asks for one when most of what is
 * outstanding was sent. Context: as post; as transmit.
 */
int pv_net_rx_intr(struct pv_net *, unsigned int queue, int on);
int pv_net_tx_intr(struct pv_net *, unsigned int queue, int on);

/*
 * What was negotiated. Context: any; but pv_net_info and pv_net_mac, whose
 * memory calls of context "thread" write: thread.
 */
const struct pv_net_info *pv_net_info(const struct pv_net *);
unsigned int pv_net_hdrlen(const struct pv_net *);
unsigned int pv_net_rxbuf_len(const struct pv_net *);	/* header included */
unsigned int pv_net_rx_size(const struct pv_net *);	/* buffers that fit in
							 * each queue */
unsigned int pv_net_tx_size(const struct pv_net *);	/* frames that fit */
unsigned int pv_net_mtu(const struct pv_net *);
unsigned int pv_net_hardmtu(const struct pv_net *);
int pv_net_link(const struct pv_net *);			/* 1 up, 0 down */
const uint8_t *pv_net_mac(const struct pv_net *);	/* 6 bytes; made of the
							 * clock if the device
							 * has none */

/*
 * pv_net_counters - of a pair, or PV_NET_ALL_QUEUES: their sum. Of a queue that
 * there is not: zeroes. Context: any, not beside start and detach.
 *
 * pv_net_ring_counters - of the virtqueue PV_NET_RXQ(queue), PV_NET_TXQ(queue)
 * or PV_NET_CTRLQ. EINVAL there is none: zeroes. Context: likewise.
 */
void pv_net_counters(const struct pv_net *, unsigned int queue,
    struct pv_net_counters *);
int pv_net_ring_counters(const struct pv_net *, unsigned int vq,
    struct pv_virtq_counters *);

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
 * Returns what changed, PV_NET_CHANGED_*, 0 for nothing, or EIO as a negative
 * number. ANNOUNCE: the port tells the network of its addresses (gratuitous
 * ARP, neighbour advertisements), and then calls pv_net_announced; until then
 * each call says so again. Context: thread.
 */
int pv_net_changed(struct pv_net *);

#define PV_NET_CHANGED_LINK	0x01
#define PV_NET_CHANGED_SPEED	0x02	/* ni_speed or ni_duplex */
#define PV_NET_CHANGED_ANNOUNCE	0x04	/* only with GUEST_ANNOUNCE */

/*
 * What follows goes over the control queue: each waits for the device, at most
 * a second for a command, of which pv_net_set_rxmode and pv_net_set_macs may
 * send seven. Errors of all: EIO the device refused or is broken; ETIMEDOUT it
 * did not answer (and is then broken); ENOTSUP the feature was not negotiated;
 * of set_rss, get_coalescing and stats, which can't be noted for later,
 * ENETDOWN not started. Context: thread. (Network Device / Control Virtqueue)
 *
 * pv_net_announced - the announcements that the device asked for are sent
 */
int pv_net_announced(struct pv_net *);

/*
 * pv_net_set_rxmode - which frames to receive beside those for our address,
 * those in the tables and broadcasts
 *
 * mode		PV_NET_MODE_PROMISC .. PV_NET_MODE_NOBCAST. The last four with
 *		CTRL_RX_EXTRA, and left away without it
 *
 * Without CTRL_RX the device hands everything up already: 0 is returned and
 * nothing done. Until the first call the device's own way after a reset stands:
 * all frames are handed up. A device that does not know our address is always
 * promiscuous, as it can't pick out the frames for it; so is one whose tables
 * are too short for what pv_net_set_macs asked.
 * (Network Device / Control Virtqueue / Packet Receive Filtering)
 */
int pv_net_set_rxmode(struct pv_net *, unsigned int mode);

#define PV_NET_MODE_PROMISC	0x01	/* all */
#define PV_NET_MODE_ALLMULTI	0x02	/* all to groups */
#define PV_NET_MODE_ALLUNI	0x04	/* all to single addresses */
#define PV_NET_MODE_NOMULTI	0x08	/* none to groups, but broadcasts */
#define PV_NET_MODE_NOUNI	0x10	/* none to single addresses */
#define PV_NET_MODE_NOBCAST	0x20	/* no broadcasts */

/*
 * pv_net_set_mac - change our address
 *
 * Errors: EINVAL it is a group's, or zero; ENOTSUP without CTRL_MAC_ADDR.
 * (Network Device / Control Virtqueue / Setting MAC Address Filtering)
 */
int pv_net_set_mac(struct pv_net *, const uint8_t *mac);

/*
 * pv_net_set_macs - more addresses to receive for: nuni single ones and nmulti
 * groups, of 6 bytes each, in the place of those before
 *
 * Beyond PV_NET_MAXMACS, or if the device refuses them, it is told to hand up
 * all to single addresses or all to groups, as needed. Without CTRL_RX: 0, as
 * it hands up all. Errors: EINVAL a group among the former or none among the
 * latter. (likewise)
 */
int pv_net_set_macs(struct pv_net *, const uint8_t *uni, unsigned int nuni,
    const uint8_t *multi, unsigned int nmulti);

/*
 * pv_net_set_vlan - receive frames of this VLAN, or no more. With CTRL_VLAN
 * none are from the start. Errors: EINVAL id is above 4095. (Network Device /
 * Control Virtqueue / VLAN Filtering)
 */
int pv_net_set_vlan(struct pv_net *, unsigned int id, int on);

/*
 * pv_net_set_offloads - which receive offloads to use, of those negotiated, as
 * a mask of PV_NET_F_GUEST_* and GUEST_CSUM. The length of buffers stays, and
 * frames that are under way still come as before. Errors: EINVAL one was not
 * negotiated, or lacks what it depends on; ENOTSUP without CTRL_GUEST_OFFLOADS.
 * (Network Device / Control Virtqueue / Offloads State Configuration)
 */
int pv_net_set_offloads(struct pv_net *, uint64_t offloads);

/*
 * pv_net_set_pairs - use so many pairs, 1 to ni_maxpairs
 *
 * The owners of those that go send nothing on them any more; what is there is
 * still theirs to reclaim and receive. Errors: EINVAL.
 * (Network Device / Control Virtqueue / Automatic receive steering)
 */
int pv_net_set_pairs(struct pv_net *, unsigned int pairs);

/* How received frames are spread over the queues, and what is hashed. */
struct pv_net_rss {
	uint32_t nr_types;		/* PV_NET_HASH_BIT, of ni_hash_types */
	/* With RSS: queues by hash. Its length is a power of two. */
	const uint16_t *nr_table;
	unsigned int nr_ntable;		/* at most ni_table; 0: evenly over all
					 * pairs in use */
	unsigned int nr_default;	/* the queue of what has no hash */
	const uint8_t *nr_key;
	unsigned int nr_nkey;		/* at most ni_key; 0: one is made of the
					 * clock */
};

/*
 * pv_net_set_rss - with RSS or HASH_REPORT; *rss is copied
 *
 * Until it is called frames are spread as the device likes, and nothing is
 * hashed. A later pv_net_set_pairs goes back to that where there is MQ; else it
 * spreads evenly. Errors: EINVAL a queue, type or length that there is not;
 * ENOTSUP without both.
 * (Network Device / Control Virtqueue / Receive-side scaling)
 */
int pv_net_set_rss(struct pv_net *, const struct pv_net_rss *rss);

/*
 * pv_net_set_coalescing - delay interrupts until so many frames are there, or
 * so much time has passed since the first; either 0: no delay
 *
 * vq		PV_NET_ALL_RXQ, PV_NET_ALL_TXQ (with NOTF_COAL), or with
 *		VQ_NOTF_COAL PV_NET_RXQ(queue), PV_NET_TXQ(queue)
 *
 * pv_net_get_coalescing - what the device says that it does; of one virtqueue.
 * Errors: EINVAL no such queue.
 * (Network Device / Control Virtqueue / Notifications Coalescing)
 */
struct pv_net_coalescing {
	uint32_t co_frames;
	uint32_t co_us;
};

int pv_net_set_coalescing(struct pv_net *, unsigned int vq,
    const struct pv_net_coalescing *);
int pv_net_get_coalescing(struct pv_net *, unsigned int vq,
    struct pv_net_coalescing *);

/* A number that the device counts, and its name in the specification. */
struct pv_net_stat {
	const char *st_name;		/* a constant: "rx_packets" */
	uint64_t st_value;
};

/*
 * pv_net_stats - what the device counts of a virtqueue: at most
 * PV_NET_MAXSTATS, *n of them in st[]
 *
 * vq		PV_NET_RXQ(queue), PV_NET_TXQ(queue), PV_NET_CTRLQ
 *
 * Errors: EINVAL no such queue; EIO also an answer that makes no sense.
 * (Network Device / Control Virtqueue / Device Statistics)
 */
int pv_net_stats(struct pv_net *, unsigned int vq, struct pv_net_stat *st,
    unsigned int *n);

#endif /* PARAVANE_NET_H */
