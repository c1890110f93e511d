/* SPDX-License-Identifier: ISC */
/*
 * Network (Device Types / Network Device): negotiation, queues, life. The
 * header of each frame lies in the caller's buffer, so a frame is one piece of
 * one map, both ways.
 */
#include "net_var.h"

#define NET_QUEUE_MAX		256	/* entries, if the port does not say */
#define NET_CTRL_QUEUE		8
#define NET_OVERHEAD		(NET_HDRLEN + PV_NET_ETHER_HDRLEN + \
				    PV_NET_VLAN_TAGLEN)

#define WANT(bit, depends) \
	{ PV_NET_F_##bit, PV_FEATURE_WANTED, #bit, depends }
#define NAME(bit) \
	{ PV_NET_F_##bit, PV_FEATURE_NAMED, #bit, 0 }

/*
 * Feature bits / Feature bit requirements; and what we make of some: an address
 * is set only where there are filters.
 */
static const struct pv_feature net_feature_list[] = {
	WANT(CSUM, 0),
	WANT(GUEST_CSUM, 0),
	WANT(CTRL_GUEST_OFFLOADS, NET_BIT(CTRL_VQ)),
	WANT(MTU, 0),
	WANT(MAC, 0),
	NAME(GSO),
	WANT(GUEST_TSO4, NET_BIT(GUEST_CSUM)),
	WANT(GUEST_TSO6, NET_BIT(GUEST_CSUM)),
	WANT(GUEST_ECN, NET_BIT(GUEST_CSUM)),
	WANT(GUEST_UFO, NET_BIT(GUEST_CSUM)),
	WANT(HOST_TSO4, NET_BIT(CSUM)),
	WANT(HOST_TSO6, NET_BIT(CSUM)),
	WANT(HOST_ECN, NET_BIT(CSUM)),
	WANT(HOST_UFO, NET_BIT(CSUM)),
	WANT(MRG_RXBUF, 0),
	WANT(STATUS, 0),
	WANT(CTRL_VQ, 0),
	WANT(CTRL_RX, NET_BIT(CTRL_VQ)),
	WANT(CTRL_VLAN, NET_BIT(CTRL_VQ)),
	WANT(CTRL_RX_EXTRA, NET_BIT(CTRL_RX)),
	WANT(GUEST_ANNOUNCE, NET_BIT(CTRL_VQ) | NET_BIT(STATUS)),
	WANT(MQ, NET_BIT(CTRL_VQ)),
	WANT(CTRL_MAC_ADDR, NET_BIT(CTRL_RX)),
	WANT(DEVICE_STATS, NET_BIT(CTRL_VQ)),
	WANT(VQ_NOTF_COAL, NET_BIT(CTRL_VQ)),
	WANT(NOTF_COAL, NET_BIT(CTRL_VQ)),
	WANT(GUEST_USO4, NET_BIT(GUEST_CSUM)),
	WANT(GUEST_USO6, NET_BIT(GUEST_CSUM)),
	WANT(HOST_USO, NET_BIT(CSUM)),
	WANT(HASH_REPORT, NET_BIT(CTRL_VQ)),
	WANT(GUEST_HDRLEN, 0),
	WANT(RSS, NET_BIT(CTRL_VQ)),
	NAME(RSC_EXT),
	NAME(STANDBY),
	WANT(SPEED_DUPLEX, 0),
};

#define NET_SEGMENTATION	(PV_NET_TSO | PV_NET_UDPSEG | PV_NET_LRO | \
				    PV_NET_UDPLRO)
#define NET_CONTROL		(NET_BIT(CTRL_VQ) | NET_BIT(CTRL_RX))

/*
 * A device that refuses may insist on an MTU that we would rather not take
 * (Apple's refuses all sets without it), or take segmentations in some sets
 * only. After that: what is known to carry traffic there.
 */
static const struct pv_ladder_step net_ladder[] = {
	{ 0, NET_BIT(MTU) },
	{ NET_SEGMENTATION, NET_BIT(MTU) },
	{ NET_SEGMENTATION | NET_CONTROL | NET_BIT(CSUM) |
	    NET_BIT(GUEST_CSUM) | NET_BIT(MRG_RXBUF) | NET_BIT(STATUS) |
	    NET_BIT(SPEED_DUPLEX) | NET_BIT(GUEST_HDRLEN), NET_BIT(MTU) },
};

static int net_check(void *, struct pv_virtio *, uint64_t *, int);

static const struct pv_feature_table net_features = {
	.ft_features = net_feature_list,
	.ft_nfeatures = sizeof(net_feature_list) / sizeof(net_feature_list[0]),
	.ft_ladder = net_ladder,
	.ft_nladder = sizeof(net_ladder) / sizeof(net_ladder[0]),
	.ft_check = net_check,
};

/* Negotiation and configuration */

#define FIELD(features, off, width, to) \
	{ features, off, width, __builtin_offsetof(struct pv_net_limits, to) }

static const struct pv_dev_field net_fields[] = {
	FIELD(NET_BIT(MTU), NET_CFG_MTU, 2, nl_mtu),
	FIELD(NET_BIT(MQ) | NET_BIT(RSS), NET_CFG_MAX_PAIRS, 2, nl_maxpairs),
	FIELD(NET_BIT(RSS), NET_CFG_RSS_TABLE, 2, nl_table),
	FIELD(NET_BIT(RSS) | NET_BIT(HASH_REPORT), NET_CFG_RSS_KEY, 1, nl_key),
	FIELD(NET_BIT(RSS) | NET_BIT(HASH_REPORT), NET_CFG_HASH_TYPES, 4,
	    nl_hash_types),
};

#define NFIELDS		(sizeof(net_fields) / sizeof(net_fields[0]))

_Static_assert(NFIELDS <= PV_DEV_MAXFIELDS, "fields that are read at once");

/* The MTU is of use even where its bit is denied: frames of it may come. */
static int
net_read_limits(struct pv_virtio *dev, struct pv_net_limits *lim)
{
	const uint64_t features = dev->vd_ng.ng_offered &
	    dev->vd_ng.ng_asked & (~dev->vd_denied | NET_BIT(MTU));

	return pv_dev_read_fields(dev, features, net_fields, NFIELDS, lim,
	    sizeof(*lim));
}

/* The device's: those that are not used stand before the control queue too. */
static int
net_pairs_valid(const struct pv_net *sc)
{
	unsigned int pairs = sc->sc_limits.nl_maxpairs;

	return pairs > 0 && pairs <= NET_MAXPAIRS && !sc->sc_nomq;
}

/*
 * Apple's device takes all TSO or none, and has no MRG_RXBUF: where a device
 * has TSO both ways but not that, sending goes only with receiving.
 */
static int
net_tso_valid(const struct pv_virtio *dev, uint64_t features)
{
	const uint64_t guest = NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6);
	const uint64_t offered = dev->vd_ng.ng_offered;

	return (offered & NET_BIT(MRG_RXBUF)) || (offered & guest) != guest ||
	    (features & guest) == guest;
}

/* Leave what has a value that can't be, or lacks a mate. */
static void
net_judge(const struct pv_net *sc, struct pv_virtio *dev, uint64_t *features)
{
	const struct pv_net_limits *lim = &sc->sc_limits;
	const int mtu = lim->nl_mtu >= PV_NET_MINMTU &&
	    lim->nl_mtu <= PV_NET_MAXMTU;
	const int key = lim->nl_key >= PV_NET_MAXKEY;
	const int pairs = net_pairs_valid(sc);
	const int tso = net_tso_valid(dev, *features);
	const struct {
		unsigned int bit;
		int valid;
		enum pv_feature_why why;
	} verdicts[] = {
		{ PV_NET_F_MTU, mtu, PV_WHY_VALUE },
		{ PV_NET_F_MQ, pairs, PV_WHY_VALUE },
		{ PV_NET_F_RSS, pairs && key && lim->nl_table > 0,
		    PV_WHY_VALUE },
		{ PV_NET_F_HASH_REPORT, key, PV_WHY_VALUE },
		{ PV_NET_F_HOST_TSO4, tso, PV_WHY_DEPENDS },
		{ PV_NET_F_HOST_TSO6, tso, PV_WHY_DEPENDS },
		{ PV_NET_F_HOST_ECN, tso && (*features &
		    (NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6))),
		    PV_WHY_DEPENDS },
		{ PV_NET_F_GUEST_ECN, (*features &
		    (NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6))) != 0,
		    PV_WHY_DEPENDS },
	};
	unsigned int i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (!verdicts[i].valid)
			pv_virtio_drop(dev, features, verdicts[i].bit,
			    verdicts[i].why);
}

/* After FEATURES_OK: is all as it was, and is what we took there? */
static int
net_confirm(struct pv_net *sc, struct pv_virtio *dev, uint64_t features,
    const struct pv_net_limits *lim)
{
	const unsigned int queues = 2u * lim->nl_maxpairs + 1;

	if (memcmp(lim, &sc->sc_limits, sizeof(*lim)) != 0)
		return EAGAIN;
	if ((features & NET_BIT(MTU)) && lim->nl_mtu < PV_NET_MINMTU)
		return ENOTSUP;
	if ((features & (NET_BIT(MQ) | NET_BIT(RSS))) &&
	    dev->vd_ops->to_queue_count(dev->vd_transport) < queues) {
		sc->sc_nomq = 1;
		return EAGAIN;
	}
	return 0;
}

/*
 * Values that decide whether a bit is taken are read before FEATURES_OK, and
 * must be the same after it.
 */
static int
net_check(void *arg, struct pv_virtio *dev, uint64_t *features, int confirmed)
{
	struct pv_net *sc = arg;
	struct pv_net_limits lim;
	int error;

	error = net_read_limits(dev, &lim);
	if (error)
		return error;
	if (confirmed)
		return net_confirm(sc, dev, *features, &lim);
	sc->sc_limits = lim;
	net_judge(sc, dev, features);
	return 0;
}

/* The largest MTU whose frames a receive buffer has to hold whole. */
static unsigned int
net_rxmtu(const struct pv_net *sc)
{
	unsigned int mtu = sc->sc_limits.nl_mtu;

	if (net_has(sc, PV_NET_F_MTU))
		return mtu;
	if (mtu > PV_NET_MAXMTU && !net_has(sc, PV_NET_F_MRG_RXBUF))
		return mtu;
	return net_mtu(sc) > PV_NET_ETHERMTU ? net_mtu(sc) : PV_NET_ETHERMTU;
}

/* Whether frames come that were made of several. */
static int
net_coalesces(const struct pv_net *sc)
{
	return (pv_virtio_features(sc->sc_dev) &
	    (PV_NET_LRO | PV_NET_UDPLRO)) != 0;
}

/* (Network Device / Device Operation / Setting Up Receive Buffers) */
static unsigned int
net_buflen(const struct pv_net *sc, unsigned int mtu)
{
	unsigned int len = NET_OVERHEAD + mtu;

	if (len < PV_NET_MINRXBUF)
		len = PV_NET_MINRXBUF;
	/* Which is longer than a frame of any MTU. */
	if (net_coalesces(sc) && !net_has(sc, PV_NET_F_MRG_RXBUF))
		len = NET_HDRLEN + PV_NET_MAXGSO;
	if (net_has(sc, PV_NET_F_HASH_REPORT))
		len += NET_HDRLEN_HASH - NET_HDRLEN;
	return len;
}

static unsigned int
net_hdrlen(const struct pv_net *sc)
{
	if (net_has(sc, PV_NET_F_HASH_REPORT))
		return NET_HDRLEN_HASH;
	return net_has(sc, PV_F_VERSION_1) ||
	    net_has(sc, PV_NET_F_MRG_RXBUF) ? NET_HDRLEN : NET_HDRLEN_LEGACY;
}

static void
net_set_sizes(struct pv_net *sc)
{
	const unsigned int mtu = sc->sc_limits.nl_mtu;
	unsigned int now = net_mtu(sc);
	int has = net_has(sc, PV_NET_F_MTU);

	sc->sc_hdrlen = net_hdrlen(sc);
	sc->sc_hdrapart = !net_has(sc, PV_F_VERSION_1) &&
	    !net_has(sc, PV_F_ANY_LAYOUT);
	sc->sc_hardmtu = has && mtu < PV_NET_MAXMTU ? mtu : PV_NET_MAXMTU;
	if (now == 0)
		now = has ? sc->sc_hardmtu : PV_NET_ETHERMTU;
	net_mtu_set(sc, net_least(now, sc->sc_hardmtu));
	sc->sc_rxbuflen = net_buflen(sc, net_rxmtu(sc));
}

static void
net_set_info(struct pv_net *sc)
{
	struct pv_net_info *ni = &sc->sc_info;
	const struct pv_net_limits *lim = &sc->sc_limits;
	int rss = net_has(sc, PV_NET_F_RSS);

	ni->ni_offloads = pv_virtio_features(sc->sc_dev) & NET_GUEST_OFFLOADS;
	ni->ni_rxmode = 0;
	ni->ni_hash_types = 0;
	ni->ni_table = rss ? net_least(lim->nl_table, PV_NET_MAXTABLE) : 0;
	ni->ni_key = 0;
	if (rss || net_has(sc, PV_NET_F_HASH_REPORT)) {
		ni->ni_hash_types = lim->nl_hash_types & NET_HASH_TYPES;
		ni->ni_key = PV_NET_MAXKEY;
	}
}

/* Locally administered, for a device without an address of its own. */
static void
net_make_mac(uint8_t *mac)
{
	uint64_t x = pv_kern_uptime_ns() * 0x9e3779b97f4a7c15ULL;
	unsigned int i;

	mac[0] = 0x02;
	for (i = 1; i < 6; i++)
		mac[i] = (uint8_t)(x >> (8 * i + 16));
}

int
net_mac_valid(const uint8_t *mac)
{
	static const uint8_t zero[6];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, 6) != 0;
}

/* Our address: the port's, the device's, or one that is made. */
static void
net_choose_mac(struct pv_net *sc, const uint8_t *mac)
{
	int valid = net_mac_valid(mac);

	if (valid && (sc->sc_ctrl->nc_set & NET_SET_MAC) == 0)
		memcpy(sc->sc_mac, mac, 6);
	else if (!net_mac_valid(sc->sc_mac))
		net_make_mac(sc->sc_mac);
	sc->sc_macknown = valid && memcmp(sc->sc_mac, mac, 6) == 0;
}

/* What changes while the device runs; mac may be NULL. *status: the field. */
static int
net_read_live(struct pv_net *sc, uint8_t *mac, uint16_t *status)
{
	uint32_t speed = UINT32_MAX;
	uint8_t duplex = PV_NET_DUPLEX_UNKNOWN;
	struct pv_config_field fields[4];
	unsigned int n = 0;
	int error;

	*status = NET_STATUS_LINK_UP;
	if (mac != NULL && net_has(sc, PV_NET_F_MAC))
		fields[n++] = (struct pv_config_field){ NET_CFG_MAC, 1, 6,
		    mac };
	if (net_has(sc, PV_NET_F_STATUS))
		fields[n++] = (struct pv_config_field){ NET_CFG_STATUS, 2, 1,
		    status };
	if (net_has(sc, PV_NET_F_SPEED_DUPLEX)) {
		fields[n++] = (struct pv_config_field){ NET_CFG_SPEED, 4, 1,
		    &speed };
		fields[n++] = (struct pv_config_field){ NET_CFG_DUPLEX, 1, 1,
		    &duplex };
	}
	error = n > 0 ? pv_virtio_config_read(sc->sc_dev, fields, n) : 0;
	if (error)
		return error;
	sc->sc_info.ni_speed = speed > NET_SPEED_MAX ? 0 : speed;
	sc->sc_info.ni_duplex = duplex <= PV_NET_DUPLEX_FULL ? duplex :
	    PV_NET_DUPLEX_UNKNOWN;
	return 0;
}

static int
net_read_config(struct pv_net *sc)
{
	uint8_t mac[6] = { 0 };
	uint16_t status;
	int error;

	error = net_read_live(sc, mac, &status);
	if (error)
		return error;
	net_choose_mac(sc, mac);
	sc->sc_link = (status & NET_STATUS_LINK_UP) != 0;
	return 0;
}

int
pv_net_changed(struct pv_net *sc)
{
	const struct pv_net_info before = sc->sc_info;
	uint16_t status;
	uint8_t link;
	int changed = 0;

	if (!sc->sc_running)
		return 0;
	if (net_read_live(sc, NULL, &status))
		return -EIO;
	link = (status & NET_STATUS_LINK_UP) != 0;
	if (link != sc->sc_link) {
		__atomic_store_n(&sc->sc_link, link, __ATOMIC_RELAXED);
		sc->sc_info.ni_link_changes++;
		changed |= PV_NET_CHANGED_LINK;
	}
	if (sc->sc_info.ni_speed != before.ni_speed ||
	    sc->sc_info.ni_duplex != before.ni_duplex)
		changed |= PV_NET_CHANGED_SPEED;
	if ((status & NET_STATUS_ANNOUNCE) &&
	    net_has(sc, PV_NET_F_GUEST_ANNOUNCE))
		changed |= PV_NET_CHANGED_ANNOUNCE;
	return changed;
}

/* Queues */

static void
net_rx_intr(void *arg)
{
	struct net_rxq *rq = arg;
	struct pv_net *sc = rq->rq_sc;

	if (sc->sc_cb.nc_rx != NULL)
		sc->sc_cb.nc_rx(sc->sc_arg, rq->rq_index);
}

static void
net_tx_intr(void *arg)
{
	struct net_txq *tq = arg;
	struct pv_net *sc = tq->tq_sc;

	if (sc->sc_cb.nc_tx != NULL)
		sc->sc_cb.nc_tx(sc->sc_arg, tq->tq_index);
}

static unsigned int
net_queue_size(unsigned int wanted)
{
	return wanted != 0 ? wanted : NET_QUEUE_MAX;
}

/* DMA segments of len bytes that begin anywhere in a page. */
static unsigned int
net_segs(unsigned int len)
{
	return len / PAGE_SIZE + 2;
}

static int
net_alloc_rx(struct pv_net *sc, struct net_rxq *rq)
{
	const struct pv_virtq_params params = {
		.vp_name = "rx",
		.vp_size = net_queue_size(sc->sc_params.np_rxsize),
		.vp_maxpieces = 2,
		.vp_maxsegs = sc->sc_rxsegs,
		.vp_policy = PV_VIRTQ_REFUSE,
		.vp_intr = net_rx_intr,
		.vp_arg = rq,
	};

	return pv_dev_queue(sc->sc_dev, PV_NET_RXQ(rq->rq_index), &params,
	    &rq->rq_vq);
}

static int
net_alloc_tx(struct pv_net *sc, struct net_txq *tq)
{
	const struct pv_virtq_params params = {
		.vp_name = "tx",
		.vp_size = net_queue_size(sc->sc_params.np_txsize),
		.vp_maxpieces = PV_NET_MAXPIECES + 1,
		.vp_maxsegs = PV_NET_MAXPIECES + net_segs(PV_NET_MAXGSO),
		/* Nothing is posted to be written: some devices say 12. */
		.vp_policy = PV_VIRTQ_CLAMP,
		.vp_intr = net_tx_intr,
		.vp_arg = tq,
	};

	return pv_dev_queue(sc->sc_dev, PV_NET_TXQ(tq->tq_index), &params,
	    &tq->tq_vq);
}

unsigned int
net_ctrlq_index(const struct pv_net *sc)
{
	if (net_has(sc, PV_NET_F_MQ) || net_has(sc, PV_NET_F_RSS))
		return 2u * sc->sc_limits.nl_maxpairs;
	return NET_CTRLQ_SINGLE;
}

static int
net_alloc_ctrl(struct pv_net *sc)
{
	const struct pv_virtq_params params = {
		.vp_name = "ctrl",
		.vp_size = NET_CTRL_QUEUE,
		.vp_maxpieces = 3,
		.vp_maxsegs = 3,
		.vp_policy = PV_VIRTQ_CLAMP,
	};

	if (!net_has(sc, PV_NET_F_CTRL_VQ))
		return 0;
	sc->sc_ctrl->nc_queue = net_ctrlq_index(sc);
	return pv_dev_queue(sc->sc_dev, sc->sc_ctrl->nc_queue, &params,
	    &sc->sc_ctrlq);
}

/* The most buffers that a frame can take. */
static unsigned int
net_bufs_max(const struct pv_net *sc, const struct net_rxq *rq)
{
	unsigned int most = net_coalesces(sc) ? PV_NET_MAXGSO : NET_MAXFRAME;

	if (!net_has(sc, PV_NET_F_MRG_RXBUF))
		return 1;
	return net_least((sc->sc_hdrlen + most) / sc->sc_rxbuflen + 1,
	    pv_virtq_size(rq->rq_vq));
}

static void
net_free_slots(struct net_rxq *rq)
{
	pv_kern_free(rq->rq_slots, rq->rq_nslots * sizeof(*rq->rq_slots));
	pv_kern_free(rq->rq_frame, rq->rq_framemax * sizeof(*rq->rq_frame));
	rq->rq_slots = rq->rq_free = NULL;
	rq->rq_frame = NULL;
	rq->rq_nslots = rq->rq_framemax = 0;
}

static int
net_alloc_slots(struct pv_net *sc, struct net_rxq *rq)
{
	unsigned int i;

	net_free_slots(rq);
	rq->rq_nslots = pv_virtq_size(rq->rq_vq);
	rq->rq_framemax = net_bufs_max(sc, rq);
	rq->rq_slots = pv_kern_alloc(rq->rq_nslots * sizeof(*rq->rq_slots));
	rq->rq_frame = pv_kern_alloc(rq->rq_framemax * sizeof(*rq->rq_frame));
	if (rq->rq_slots == NULL || rq->rq_frame == NULL)
		return ENOMEM;
	for (i = 0; i < rq->rq_nslots; i++) {
		rq->rq_slots[i].sl_next = rq->rq_free;
		rq->rq_free = &rq->rq_slots[i];
	}
	return 0;
}

static void
net_free_pairs(struct pv_net *sc)
{
	struct pv_net_pair *np;
	unsigned int i;

	for (i = 0; i < sc->sc_nqueues; i++) {
		np = &sc->sc_pairs[i];
		pv_dev_queue_free(&np->np_rx.rq_vq);
		pv_dev_queue_free(&np->np_tx.tq_vq);
		net_free_slots(&np->np_rx);
	}
	pv_kern_free(sc->sc_pairs, sc->sc_nqueues * sizeof(*sc->sc_pairs));
	sc->sc_pairs = NULL;
	sc->sc_nqueues = 0;
}

static int
net_alloc_pairs(struct pv_net *sc, unsigned int pairs)
{
	unsigned int i;

	sc->sc_pairs = pv_kern_alloc(pairs * sizeof(*sc->sc_pairs));
	if (sc->sc_pairs == NULL)
		return ENOMEM;
	sc->sc_nqueues = pairs;
	for (i = 0; i < pairs; i++) {
		sc->sc_pairs[i].np_rx.rq_sc = sc;
		sc->sc_pairs[i].np_tx.tq_sc = sc;
		sc->sc_pairs[i].np_rx.rq_index = i;
		sc->sc_pairs[i].np_tx.tq_index = i;
	}
	return 0;
}

/* How many pairs the port and the device agree to. */
static unsigned int
net_pairs_wanted(const struct pv_net *sc)
{
	unsigned int pairs = sc->sc_params.np_pairs;

	if (pairs == 0 || !(net_has(sc, PV_NET_F_MQ) ||
	    net_has(sc, PV_NET_F_RSS)))
		return 1;
	return net_least(net_least(pairs, PV_NET_MAXPAIRS),
	    sc->sc_limits.nl_maxpairs);
}

static int
net_alloc_pair(struct pv_net *sc, struct pv_net_pair *np)
{
	int error;

	error = net_alloc_rx(sc, &np->np_rx);
	if (error == 0)
		error = net_alloc_tx(sc, &np->np_tx);
	if (error == 0)
		error = net_alloc_slots(sc, &np->np_rx);
	return error;
}

/*
 * Queues stay as they are where they can. Buffers may have become longer, and
 * then have more segments; there may be other pairs, and the control queue be
 * elsewhere.
 */
static int
net_alloc(struct pv_net *sc)
{
	unsigned int i, pairs = net_pairs_wanted(sc);
	unsigned int segs = net_segs(sc->sc_rxbuflen) + 1;
	int error = 0;

	if (sc->sc_ctrlq != NULL && (pairs != sc->sc_nqueues ||
	    !net_has(sc, PV_NET_F_CTRL_VQ) ||
	    net_ctrlq_index(sc) != sc->sc_ctrl->nc_queue))
		pv_dev_queue_free(&sc->sc_ctrlq);
	if (pairs != sc->sc_nqueues) {
		net_free_pairs(sc);
		error = net_alloc_pairs(sc, pairs);
	}
	for (i = 0; i < sc->sc_nqueues && segs > sc->sc_rxsegs; i++)
		pv_dev_queue_free(&sc->sc_pairs[i].np_rx.rq_vq);
	if (segs > sc->sc_rxsegs)
		sc->sc_rxsegs = segs;
	for (i = 0; i < pairs && error == 0; i++)
		error = net_alloc_pair(sc, &sc->sc_pairs[i]);
	if (error == 0)
		error = net_alloc_ctrl(sc);
	return error;
}

/* Life */

/* A frame of which not all has come has the rest outstanding. */
static int
net_drained(const struct pv_net *sc)
{
	const struct pv_net_pair *np;
	unsigned int i;

	for (i = 0; i < sc->sc_nqueues; i++) {
		np = &sc->sc_pairs[i];
		if ((np->np_rx.rq_vq != NULL &&
		    pv_virtq_outstanding(np->np_rx.rq_vq) != 0) ||
		    (np->np_tx.tq_vq != NULL &&
		    pv_virtq_outstanding(np->np_tx.tq_vq) != 0))
			return 0;
	}
	return 1;
}

/* What the port has not asked for, as features to leave. */
static uint64_t
net_unwanted(const struct pv_net *sc)
{
	uint64_t leave = PV_NET_OPTIONAL & ~sc->sc_params.np_want;

	if (sc->sc_params.np_pairs <= 1)
		leave |= NET_BIT(MQ);
	else
		leave &= ~NET_BIT(RSS);
	return leave;
}

static int
net_negotiate(struct pv_net *sc)
{
	int error;

	sc->sc_nomq = 0;
	pv_virtio_deny(sc->sc_dev, sc->sc_dev->vd_denied |
	    sc->sc_params.np_deny | net_unwanted(sc));
	error = pv_virtio_negotiate(sc->sc_dev, &net_features, sc);
	if (error)
		return error;
	net_set_sizes(sc);
	net_set_info(sc);
	return 0;
}

/* The device runs: tell it all that was set, and let frames go. */
static int
net_begin(struct pv_net *sc)
{
	unsigned int i;

	for (i = 0; i < sc->sc_nqueues; i++)
		pv_virtq_intr_disable(sc->sc_pairs[i].np_tx.tq_vq);
	net_data_start(sc);
	net_pairs_set(sc, 1);
	sc->sc_info.ni_maxpairs = sc->sc_nqueues;
	sc->sc_running = 1;
	net_ctrl_restore(sc);
	sc->sc_info.ni_pairs = net_pairs(sc);
	return pv_virtio_broken(sc->sc_dev) != NULL ? EIO : 0;
}

int
pv_net_start(struct pv_net *sc)
{
	int error;

	if (sc->sc_running || !net_drained(sc))
		return EBUSY;
	if (sc->sc_dev->vd_lost)
		return EIO;
	error = net_negotiate(sc);
	if (error)
		return error;
	error = net_read_config(sc);
	if (error == 0)
		error = net_alloc(sc);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error == 0)
		error = net_begin(sc);
	if (error) {
		pv_net_stop(sc);
		pv_virtio_fail(sc->sc_dev);
	}
	return error;
}

int
pv_net_attach(struct pv_net *sc, struct pv_virtio *dev,
    const struct pv_net_callbacks *cb, void *arg,
    const struct pv_net_params *params)
{
	int error;

	memset(sc, 0, sizeof(*sc));
	sc->sc_dev = dev;
	sc->sc_arg = arg;
	if (cb != NULL)
		sc->sc_cb = *cb;
	if (params != NULL)
		sc->sc_params = *params;
	sc->sc_ctrl = pv_dev_mem_alloc(dev, sizeof(*sc->sc_ctrl), CTRL_SIZE, 1,
	    &error);
	if (error)
		goto fail;
	pv_dev_set_callbacks(dev, sc->sc_cb.nc_broken, sc->sc_cb.nc_changed,
	    arg);
	error = pv_net_start(sc);
	if (error)
		goto detach;
	return 0;

detach:
	pv_net_detach(sc);
fail:
	pv_virtio_fail(dev);
	return error;
}

int
pv_net_stop(struct pv_net *sc)
{
	struct net_rxq *rq;
	unsigned int i;
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	for (i = 0; i < sc->sc_nqueues; i++) {
		rq = &sc->sc_pairs[i].np_rx;
		rq->rq_more = 0;
		rq->rq_skip = 0;
		sc->sc_pairs[i].np_tx.tq_stopped = 0;
	}
	pv_dev_queue_drain(sc->sc_dev, sc->sc_ctrlq);
	return error;
}

void *
pv_net_drain_tx(struct pv_net *sc, unsigned int queue)
{
	struct pv_virtq *vq;

	if (queue >= sc->sc_nqueues)
		return NULL;
	vq = sc->sc_pairs[queue].np_tx.tq_vq;	/* gives none while it runs */
	return vq == NULL ? NULL : pv_virtq_drain(vq);
}

void *
pv_net_drain_rx(struct pv_net *sc, unsigned int queue)
{
	struct net_slot *slot;
	struct net_rxq *rq;

	if (sc->sc_running || queue >= sc->sc_nqueues)
		return NULL;
	rq = &sc->sc_pairs[queue].np_rx;
	if (rq->rq_nframe > 0)
		slot = rq->rq_frame[--rq->rq_nframe];
	else
		slot = rq->rq_vq == NULL ? NULL : pv_virtq_drain(rq->rq_vq);
	return slot == NULL ? NULL : net_slot_put(rq, slot);
}

int
pv_net_reset_tx(struct pv_net *sc, unsigned int queue)
{
	struct net_txq *tq;
	int error;

	if (!sc->sc_running)
		return ENETDOWN;
	if (queue >= sc->sc_nqueues)
		return EINVAL;
	tq = &sc->sc_pairs[queue].np_tx;
	error = pv_virtq_reset(tq->tq_vq);
	if (error == 0)
		tq->tq_stopped = 1;
	return error;
}

int
pv_net_resume_tx(struct pv_net *sc, unsigned int queue)
{
	struct net_txq *tq;
	int error;

	if (!sc->sc_running)
		return ENETDOWN;
	if (queue >= sc->sc_nqueues || !sc->sc_pairs[queue].np_tx.tq_stopped)
		return EINVAL;
	tq = &sc->sc_pairs[queue].np_tx;
	error = pv_virtq_reenable(tq->tq_vq);
	if (error)
		return error;
	tq->tq_stopped = 0;
	pv_virtq_intr_disable(tq->tq_vq);
	net_ctrl_requeue(sc, PV_NET_TXQ(queue));
	return 0;
}

int
pv_net_detach(struct pv_net *sc)
{
	int error;

	error = pv_net_stop(sc);
	pv_dev_queue_free(&sc->sc_ctrlq);
	net_free_pairs(sc);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	pv_dev_mem_free(sc->sc_ctrl, sizeof(*sc->sc_ctrl), error != 0);
	sc->sc_ctrl = NULL;
	return error;
}

int
pv_net_set_mtu(struct pv_net *sc, unsigned int mtu)
{
	if (mtu < PV_NET_MINMTU || mtu > sc->sc_hardmtu)
		return EINVAL;
	if (sc->sc_running && !net_has(sc, PV_NET_F_MRG_RXBUF) &&
	    net_buflen(sc, mtu) > sc->sc_rxbuflen)
		return EBUSY;
	net_mtu_set(sc, mtu);
	return 0;
}

/* What was negotiated */

const struct pv_net_info *
pv_net_info(const struct pv_net *sc)
{
	return &sc->sc_info;
}

unsigned int
pv_net_hdrlen(const struct pv_net *sc)
{
	return sc->sc_hdrlen;
}

unsigned int
pv_net_rxbuf_len(const struct pv_net *sc)
{
	return sc->sc_rxbuflen;
}

unsigned int
pv_net_rxbufs_max(const struct pv_net *sc)
{
	return sc->sc_framemax;
}

unsigned int
pv_net_rx_size(const struct pv_net *sc)
{
	return sc->sc_nqueues == 0 ? 0 : sc->sc_pairs[0].np_rx.rq_nslots;
}

unsigned int
pv_net_tx_size(const struct pv_net *sc)
{
	return sc->sc_nqueues == 0 || sc->sc_pairs[0].np_tx.tq_vq == NULL ? 0 :
	    pv_virtq_size(sc->sc_pairs[0].np_tx.tq_vq);
}

unsigned int
pv_net_mtu(const struct pv_net *sc)
{
	return net_mtu(sc);
}

unsigned int
pv_net_hardmtu(const struct pv_net *sc)
{
	return sc->sc_hardmtu;
}

int
pv_net_link(const struct pv_net *sc)
{
	return __atomic_load_n(&sc->sc_link, __ATOMIC_RELAXED);
}

const uint8_t *
pv_net_mac(const struct pv_net *sc)
{
	return sc->sc_mac;
}

static void
net_count(const struct pv_net_pair *np, struct pv_net_counters *nc)
{
	nc->nc_tx_frames += count_read(&np->np_tx.tq_frames);
	nc->nc_tx_bytes += count_read(&np->np_tx.tq_bytes);
	nc->nc_tx_toolong += count_read(&np->np_tx.tq_toolong);
	nc->nc_tx_gso += count_read(&np->np_tx.tq_gso);
	nc->nc_rx_frames += count_read(&np->np_rx.rq_frames);
	nc->nc_rx_bytes += count_read(&np->np_rx.rq_bytes);
	nc->nc_rx_oversize += count_read(&np->np_rx.rq_oversize);
	nc->nc_rx_errors += count_read(&np->np_rx.rq_errors);
	nc->nc_rx_gso += count_read(&np->np_rx.rq_gso);
}

void
pv_net_counters(const struct pv_net *sc, unsigned int queue,
    struct pv_net_counters *nc)
{
	unsigned int i;

	memset(nc, 0, sizeof(*nc));
	for (i = 0; i < sc->sc_nqueues; i++)
		if (queue == i || queue == PV_NET_ALL_QUEUES)
			net_count(&sc->sc_pairs[i], nc);
}

int
pv_net_ring_counters(const struct pv_net *sc, unsigned int vq,
    struct pv_virtq_counters *qc)
{
	const struct pv_virtq *q = NULL;

	if (vq == PV_NET_CTRLQ)
		q = sc->sc_ctrlq;
	else if (vq / 2 < sc->sc_nqueues)
		q = sc->sc_dev->vd_queues[vq];
	memset(qc, 0, sizeof(*qc));
	if (q == NULL)
		return EINVAL;
	pv_virtq_counters(q, qc);
	return 0;
}
