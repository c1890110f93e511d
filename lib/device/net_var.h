/* SPDX-License-Identifier: ISC */
/*
 * The network driver's parts, to one another: net.c its life, net_data.c the
 * way of frames, net_ctrl.c what goes over the control queue, net_stats.c what
 * the device counts.
 */
#ifndef DEVICE_NET_VAR_H
#define DEVICE_NET_VAR_H

#include <paravane/net.h>

#include "dev.h"
#include "netreg.h"

#define NET_MAXFRAME		65553U	/* 14 + 4 + what MTU can name */
#define NET_ETHERTYPE_VLAN	0x8100

#define NET_BIT(n)		PV_F_BIT(PV_NET_F_##n)
#define NET_GUEST_OFFLOADS	(PV_NET_LRO | PV_NET_UDPLRO | \
				    NET_BIT(GUEST_CSUM))

/* A receive buffer that is the device's, or one of the frame in progress. */
struct net_slot {
	struct net_slot *sl_next;	/* free list */
	const uint8_t *sl_va;
	void *sl_cookie;
	uint32_t sl_len;		/* what the device wrote */
};

/*
 * The header of a frame, read once, as words in the CPU's order: flags,
 * gso_type and hdr_len; gso_size and csum_start; csum_offset and num_buffers;
 * hash_value; hash_report.
 */
struct net_hdr {
	uint32_t hd_word[PV_NET_MAXHDRLEN / 4];
};

struct net_rxq {
	struct pv_virtq *rq_vq;
	struct net_slot *rq_free;
	unsigned int rq_nframe;		/* buffers in rq_frame */
	unsigned int rq_more;		/* that the frame still lacks */
	unsigned int rq_skip;		/* that are to be dropped */
	unsigned int rq_index;
	struct net_slot **rq_frame;	/* the frame in progress, */
	struct net_hdr rq_hdr;		/* and its header */
	unsigned long rq_frames, rq_bytes, rq_oversize, rq_errors, rq_gso;
	struct net_slot *rq_slots;	/* one for each posted buffer */
	unsigned int rq_nslots;
	unsigned int rq_framemax;	/* room in rq_frame */
	struct pv_net *rq_sc;
};

struct net_txq {
	struct pv_virtq *tq_vq;
	unsigned long tq_frames, tq_bytes, tq_toolong, tq_gso;
	uint8_t tq_stopped;		/* by pv_net_reset_tx */
	unsigned int tq_index;
	struct pv_net *tq_sc;
};

/* The halves have owners of their own: they share no line. */
struct pv_net_pair {
	struct net_rxq np_rx;
	uint8_t np_apart[DMA_LINE];
	struct net_txq np_tx;
	uint8_t np_end[DMA_LINE];
};

/*
 * Control queue memory, for the one command that can be under way: class,
 * command and data (the longest are the address tables), then in other lines
 * what the device writes: the end of the data of one command, the ack, and the
 * result of others.
 */
#define CTRL_REQUEST		0
#define CTRL_REQUEST_SIZE	512
#define CTRL_ANSWER		CTRL_REQUEST_SIZE
#define CTRL_ANSWER_SIZE	(2 * DMA_LINE)
#define CTRL_SIZE		(CTRL_ANSWER + CTRL_ANSWER_SIZE)

#define NET_NVLANS		4096
#define NET_NCOALS		(2 * PV_NET_MAXPAIRS + 2)
#define NET_COAL_RX		(2 * PV_NET_MAXPAIRS)	/* of all */
#define NET_COAL_TX		(2 * PV_NET_MAXPAIRS + 1)

/* struct pv_net_rss, copied. */
struct net_rss {
	uint32_t rs_types;
	unsigned int rs_ntable, rs_default, rs_nkey;
	uint16_t rs_table[PV_NET_MAXTABLE];
	uint8_t rs_key[PV_NET_MAXKEY];
};

/* What the port has set, for each start. */
struct pv_net_ctrl {
	struct pv_dmamem nc_mem;	/* first */
	unsigned int nc_queue;		/* the index that it has */
	uint8_t nc_data[CTRL_REQUEST_SIZE - NET_CTRL_HDRLEN];
	uint8_t nc_set;			/* NET_SET_*: has been set */
	uint8_t nc_overflow;		/* PV_NET_MODE_ALL*: tables too short */
	uint8_t nc_rxmode;
	unsigned int nc_pairs;
	unsigned int nc_nuni, nc_nmulti;
	uint8_t nc_macs[PV_NET_MAXMACS * 6];
	uint8_t nc_vlans[NET_NVLANS / 8];
	uint64_t nc_offloads;
	struct net_rss nc_rss;
	uint8_t nc_coalset[(NET_NCOALS + 7) / 8];
	struct pv_net_coalescing nc_coals[NET_NCOALS];
	uint64_t nc_stats;		/* types that the device has; 0: not
					 * asked yet */
	uint64_t nc_until_ns;		/* when a start ends at last; or 0 */
};

#define NET_SET_MAC		0x01
#define NET_SET_RXMODE		0x02
#define NET_SET_MACS		0x04
#define NET_SET_OFFLOADS	0x08
#define NET_SET_RSS		0x10

static inline int
net_has(const struct pv_net *sc, unsigned int bit)
{
	return pv_virtio_has(sc->sc_dev, bit);
}

/* Set by whoever commands the device, while the queues' owners look at them. */
static inline unsigned int
net_pairs(const struct pv_net *sc)
{
	return __atomic_load_n(&sc->sc_npairs, __ATOMIC_RELAXED);
}

static inline void
net_pairs_set(struct pv_net *sc, unsigned int pairs)
{
	__atomic_store_n(&sc->sc_npairs, pairs, __ATOMIC_RELAXED);
}

static inline unsigned int
net_mtu(const struct pv_net *sc)
{
	return __atomic_load_n(&sc->sc_mtu, __ATOMIC_RELAXED);
}

static inline void
net_mtu_set(struct pv_net *sc, unsigned int mtu)
{
	__atomic_store_n(&sc->sc_mtu, mtu, __ATOMIC_RELAXED);
}

/* A slot goes back to the free list; its cookie to the port. */
static inline void *
net_slot_put(struct net_rxq *rq, struct net_slot *slot)
{
	slot->sl_next = rq->rq_free;
	rq->rq_free = slot;
	return slot->sl_cookie;
}

/* net.c */
int net_mac_valid(const uint8_t *mac);
unsigned int net_ctrlq_index(const struct pv_net *);

/* net_data.c: what offloads frames may bear, as negotiated. */
void net_data_start(struct pv_net *);

/* A command: its data stand in nc_data. */
struct net_command {
	uint8_t cm_class, cm_command;
	uint16_t cm_len;		/* bytes of data */
	uint16_t cm_before;		/* that the device writes before, */
	uint16_t cm_after;		/* and after the ack */
};

/* What the device wrote, from the first byte on: to be copied once. */
static inline const uint8_t *
net_ctrl_answer(const struct pv_net *sc)
{
	return (const uint8_t *)sc->sc_ctrl->nc_mem.dm_kva + CTRL_ANSWER;
}

/*
 * net_ctrl.c
 *
 * net_ctrl - send a command, and wait for it. *used: how many bytes were
 *	written, at most what there was room for. Errors: EIO refused, or
 *	broken; ETIMEDOUT
 * net_ctrl_ready - whether a command can be sent: the device runs, with any of
 *	the features. If not, *error is 0 or ENOTSUP
 * net_ctrl_restore - after a reset: all that was set
 */
int net_ctrl(struct pv_net *, const struct net_command *, uint32_t *used);
int net_ctrl_ready(const struct pv_net *, uint64_t features, int *error);
void net_ctrl_restore(struct pv_net *);

/* A virtqueue that was reset alone has lost what was set for it. */
void net_ctrl_requeue(struct pv_net *, unsigned int vq);

static inline unsigned int
net_least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

#endif
