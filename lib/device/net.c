/* SPDX-License-Identifier: ISC */
/*
 * Network (Device Types / Network Device). The header of each frame lies in
 * the caller's buffer, so a frame is one piece of one map, both ways.
 */
#include <paravane/net.h>

#include "dev.h"
#include "netreg.h"

#define NET_QUEUE_MAX		256	/* entries, if the port does not say */
#define NET_CTRL_QUEUE		8
#define NET_CTRL_TIMEOUT_NS	1000000000ULL
#define NET_OVERHEAD		(NET_HDRLEN + PV_NET_ETHER_HDRLEN + \
				    PV_NET_VLAN_TAGLEN)
#define NET_MAXFRAME		65553U	/* 14 + 4 + what MTU can name */
#define NET_ETHERTYPE_VLAN	0x8100

/* A receive buffer that is the device's, or one of the frame in progress. */
struct pv_net_slot {
	struct pv_net_slot *sl_next;	/* free list */
	const uint8_t *sl_va;
	void *sl_cookie;
	uint32_t sl_len;		/* what the device wrote */
};

/* Control queue memory, for the one command that can be under way. */
#define CTRL_REQUEST		0		/* class, command, data */
#define CTRL_ACK		DMA_LINE	/* written by the device */
#define CTRL_SIZE		(2 * DMA_LINE)

#define WANT(bit, depends) \
	{ PV_NET_F_##bit, PV_FEATURE_WANTED, #bit, depends }
#define NAME(bit) \
	{ PV_NET_F_##bit, PV_FEATURE_NAMED, #bit, 0 }

static const struct pv_feature net_feature_list[] = {
	WANT(CSUM, 0),
	WANT(GUEST_CSUM, 0),
	NAME(CTRL_GUEST_OFFLOADS),
	WANT(MTU, 0),
	WANT(MAC, 0),
	NAME(GSO),
	NAME(GUEST_TSO4),
	NAME(GUEST_TSO6),
	NAME(GUEST_ECN),
	NAME(GUEST_UFO),
	NAME(HOST_TSO4),
	NAME(HOST_TSO6),
	NAME(HOST_ECN),
	NAME(HOST_UFO),
	WANT(MRG_RXBUF, 0),
	WANT(STATUS, 0),
	WANT(CTRL_VQ, 0),
	WANT(CTRL_RX, PV_F_BIT(PV_NET_F_CTRL_VQ)),
	NAME(CTRL_VLAN),
	NAME(CTRL_RX_EXTRA),
	NAME(GUEST_ANNOUNCE),
	NAME(MQ),
	NAME(CTRL_MAC_ADDR),
	NAME(VQ_NOTF_COAL),
	NAME(NOTF_COAL),
	NAME(GUEST_USO4),
	NAME(GUEST_USO6),
	NAME(HOST_USO),
	NAME(HASH_REPORT),
	NAME(GUEST_HDRLEN),
	NAME(RSS),
	NAME(RSC_EXT),
	NAME(STANDBY),
	NAME(SPEED_DUPLEX),
};

/*
 * A device that refuses may insist on an MTU that we would rather not take
 * (Apple's refuses all sets without it). After that: what is known to carry
 * traffic there.
 */
static const struct pv_ladder_step net_ladder[] = {
	{ 0, PV_F_BIT(PV_NET_F_MTU) },
	{ PV_F_BIT(PV_NET_F_CSUM) | PV_F_BIT(PV_NET_F_GUEST_CSUM) |
	    PV_F_BIT(PV_NET_F_MRG_RXBUF) | PV_F_BIT(PV_NET_F_STATUS) |
	    PV_F_BIT(PV_NET_F_CTRL_VQ) | PV_F_BIT(PV_NET_F_CTRL_RX),
	    PV_F_BIT(PV_NET_F_MTU) },
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

static int
net_read_mtu(struct pv_virtio *dev, unsigned int *mtu)
{
	uint16_t value = 0;
	const struct pv_config_field field = { NET_CFG_MTU, 2, 1, &value };
	int error;

	error = pv_virtio_config_read(dev, &field, 1);
	if (error == 0)
		*mtu = value;
	return error;
}

/*
 * The MTU decides whether its bit is taken, so it is read before FEATURES_OK,
 * and must be the same after it.
 */
static int
net_check(void *arg, struct pv_virtio *dev, uint64_t *features, int confirmed)
{
	struct pv_net *sc = arg;
	const uint64_t bit = PV_F_BIT(PV_NET_F_MTU);
	unsigned int mtu = 0;
	int error = 0;

	if (dev->vd_ng.ng_offered & dev->vd_ng.ng_asked & bit)
		error = net_read_mtu(dev, &mtu);
	if (error == ERANGE)
		mtu = 0;		/* promised, but not there */
	else if (error)
		return error;
	if (confirmed) {
		if (mtu != sc->sc_devmtu)
			return EAGAIN;
		return (*features & bit) && mtu < PV_NET_MINMTU ? ENOTSUP : 0;
	}
	sc->sc_devmtu = mtu;
	if ((*features & bit) &&
	    (mtu < PV_NET_MINMTU || mtu > PV_NET_MAXMTU))
		pv_virtio_drop(dev, features, PV_NET_F_MTU, PV_WHY_VALUE);
	return 0;
}

/* The largest MTU whose frames a receive buffer has to hold whole. */
static unsigned int
net_rxmtu(const struct pv_net *sc)
{
	if (pv_virtio_has(sc->sc_dev, PV_NET_F_MTU))
		return sc->sc_devmtu;
	if (sc->sc_devmtu > PV_NET_MAXMTU &&
	    !pv_virtio_has(sc->sc_dev, PV_NET_F_MRG_RXBUF))
		return sc->sc_devmtu;
	return sc->sc_mtu > PV_NET_ETHERMTU ? sc->sc_mtu : PV_NET_ETHERMTU;
}

static unsigned int
net_buflen(unsigned int mtu)
{
	if (mtu < PV_NET_MINRXBUF - NET_OVERHEAD)
		return PV_NET_MINRXBUF;
	return NET_OVERHEAD + mtu;
}

static void
net_set_sizes(struct pv_net *sc)
{
	struct pv_virtio *dev = sc->sc_dev;
	int has = pv_virtio_has(dev, PV_NET_F_MTU);

	sc->sc_hdrlen = pv_virtio_has(dev, PV_F_VERSION_1) ||
	    pv_virtio_has(dev, PV_NET_F_MRG_RXBUF) ?
	    NET_HDRLEN : NET_HDRLEN_LEGACY;
	sc->sc_hdrapart = !pv_virtio_has(dev, PV_F_VERSION_1) &&
	    !pv_virtio_has(dev, PV_F_ANY_LAYOUT);
	sc->sc_hardmtu = has && sc->sc_devmtu < PV_NET_MAXMTU ?
	    sc->sc_devmtu : PV_NET_MAXMTU;
	if (sc->sc_mtu == 0)
		sc->sc_mtu = has ? sc->sc_hardmtu : PV_NET_ETHERMTU;
	if (sc->sc_mtu > sc->sc_hardmtu)
		sc->sc_mtu = sc->sc_hardmtu;
	sc->sc_rxbuflen = net_buflen(net_rxmtu(sc));
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

static int
net_mac_valid(const uint8_t *mac)
{
	static const uint8_t zero[6];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, 6) != 0;
}

static int
net_read_config(struct pv_net *sc)
{
	uint8_t mac[6] = { 0 };
	uint16_t status = NET_STATUS_LINK_UP;
	struct pv_config_field fields[2];
	unsigned int n = 0;
	int error;

	if (pv_virtio_has(sc->sc_dev, PV_NET_F_MAC))
		fields[n++] = (struct pv_config_field){ NET_CFG_MAC, 1, 6,
		    mac };
	if (pv_virtio_has(sc->sc_dev, PV_NET_F_STATUS))
		fields[n++] = (struct pv_config_field){ NET_CFG_STATUS, 2, 1,
		    &status };
	if (n > 0) {
		error = pv_virtio_config_read(sc->sc_dev, fields, n);
		if (error)
			return error;
	}
	sc->sc_macknown = net_mac_valid(mac) != 0;
	if (sc->sc_macknown)
		memcpy(sc->sc_mac, mac, 6);
	else if (!net_mac_valid(sc->sc_mac))
		net_make_mac(sc->sc_mac);
	sc->sc_link = (status & NET_STATUS_LINK_UP) != 0;
	return 0;
}

/* Queues */

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
net_alloc_rx(struct pv_net *sc)
{
	struct pv_virtq_params params = {
		.vp_name = "rx",
		.vp_size = net_queue_size(sc->sc_params.np_rxsize),
		.vp_maxpieces = 2,
		.vp_maxsegs = net_segs(sc->sc_rxbuflen) + 1,
		.vp_policy = PV_VIRTQ_REFUSE,
		.vp_intr = sc->sc_cb.nc_rx,
		.vp_arg = sc->sc_arg,
	};

	/* Buffers may have become longer: more segments. */
	if (sc->sc_rxq != NULL && sc->sc_rxsegs < params.vp_maxsegs)
		pv_dev_queue_free(&sc->sc_rxq);
	if (sc->sc_rxq == NULL)
		sc->sc_rxsegs = params.vp_maxsegs;
	return pv_dev_queue(sc->sc_dev, NET_RXQ, &params, &sc->sc_rxq);
}

static int
net_alloc_tx(struct pv_net *sc)
{
	const struct pv_virtq_params params = {
		.vp_name = "tx",
		.vp_size = net_queue_size(sc->sc_params.np_txsize),
		.vp_maxpieces = PV_NET_MAXPIECES + 1,
		.vp_maxsegs = PV_NET_MAXPIECES + net_segs(NET_MAXFRAME),
		/* Nothing is posted to be written: some devices say 12. */
		.vp_policy = PV_VIRTQ_CLAMP,
		.vp_intr = sc->sc_cb.nc_tx,
		.vp_arg = sc->sc_arg,
	};

	return pv_dev_queue(sc->sc_dev, NET_TXQ, &params, &sc->sc_txq);
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

	if (!pv_virtio_has(sc->sc_dev, PV_NET_F_CTRL_VQ)) {
		pv_dev_queue_free(&sc->sc_ctrlq);
		return 0;
	}
	return pv_dev_queue(sc->sc_dev, NET_CTRLQ, &params, &sc->sc_ctrlq);
}

/* The most buffers that a frame can take. */
static unsigned int
net_bufs_max(const struct pv_net *sc)
{
	unsigned int n, size = pv_virtq_size(sc->sc_rxq);

	if (!pv_virtio_has(sc->sc_dev, PV_NET_F_MRG_RXBUF))
		return 1;
	n = (NET_HDRLEN + NET_MAXFRAME) / sc->sc_rxbuflen + 1;
	return n < size ? n : size;
}

static void
net_free_slots(struct pv_net *sc)
{
	pv_kern_free(sc->sc_rxslots, sc->sc_nrxslots * sizeof(*sc->sc_rxslots));
	pv_kern_free(sc->sc_frame, sc->sc_framemax * sizeof(*sc->sc_frame));
	sc->sc_rxslots = sc->sc_rxfree = NULL;
	sc->sc_frame = NULL;
	sc->sc_nrxslots = sc->sc_framemax = 0;
}

static struct pv_net_slot *
net_slot_get(struct pv_net *sc)
{
	struct pv_net_slot *slot = sc->sc_rxfree;

	if (slot != NULL)
		sc->sc_rxfree = slot->sl_next;
	return slot;
}

static void *
net_slot_put(struct pv_net *sc, struct pv_net_slot *slot)
{
	slot->sl_next = sc->sc_rxfree;
	sc->sc_rxfree = slot;
	return slot->sl_cookie;
}

static int
net_alloc_slots(struct pv_net *sc)
{
	unsigned int i;

	net_free_slots(sc);
	sc->sc_nrxslots = pv_virtq_size(sc->sc_rxq);
	sc->sc_framemax = net_bufs_max(sc);
	sc->sc_rxslots = pv_kern_alloc(sc->sc_nrxslots *
	    sizeof(*sc->sc_rxslots));
	sc->sc_frame = pv_kern_alloc(sc->sc_framemax * sizeof(*sc->sc_frame));
	if (sc->sc_rxslots == NULL || sc->sc_frame == NULL)
		return ENOMEM;
	for (i = 0; i < sc->sc_nrxslots; i++) {
		sc->sc_rxslots[i].sl_next = sc->sc_rxfree;
		sc->sc_rxfree = &sc->sc_rxslots[i];
	}
	return 0;
}

static int
net_alloc(struct pv_net *sc)
{
	int error;

	error = net_alloc_rx(sc);
	if (error == 0)
		error = net_alloc_tx(sc);
	if (error == 0)
		error = net_alloc_ctrl(sc);
	if (error == 0)
		error = net_alloc_slots(sc);
	return error;
}

/* Life */

static int
net_drained(const struct pv_net *sc)
{
	return (sc->sc_txq == NULL || pv_virtq_outstanding(sc->sc_txq) == 0) &&
	    (sc->sc_rxq == NULL || pv_virtq_outstanding(sc->sc_rxq) == 0) &&
	    sc->sc_nframe == 0;
}

int
pv_net_start(struct pv_net *sc)
{
	int error;

	if (sc->sc_running || !net_drained(sc))
		return EBUSY;
	if (sc->sc_dev->vd_lost)
		return EIO;
	pv_virtio_deny(sc->sc_dev,
	    sc->sc_dev->vd_denied | sc->sc_params.np_deny);
	error = pv_virtio_negotiate(sc->sc_dev, &net_features, sc);
	if (error)
		return error;
	net_set_sizes(sc);
	error = net_read_config(sc);
	if (error == 0)
		error = net_alloc(sc);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error)
		goto fail;
	pv_virtq_intr_disable(sc->sc_txq);
	sc->sc_running = 1;
	if (sc->sc_rxmode)
		pv_net_set_rxmode(sc, sc->sc_promisc, sc->sc_allmulti);
	if (pv_virtio_broken(sc->sc_dev) != NULL) {
		error = EIO;
		goto fail;
	}
	return 0;

fail:
	pv_net_stop(sc);
	pv_virtio_fail(sc->sc_dev);
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
	sc->sc_ctrl = pv_kern_alloc(sizeof(*sc->sc_ctrl));
	if (sc->sc_ctrl == NULL) {
		error = ENOMEM;
		goto fail;
	}
	error = pv_dmamem_alloc(sc->sc_ctrl, dev->vd_dmat, CTRL_SIZE, DMA_LINE,
	    1, 0, 0);
	if (error)
		goto free;
	pv_dev_set_callbacks(dev, sc->sc_cb.nc_broken, sc->sc_cb.nc_changed,
	    arg);
	error = pv_net_start(sc);
	if (error)
		goto detach;
	return 0;

detach:
	pv_net_detach(sc);
	goto fail;
free:
	pv_kern_free(sc->sc_ctrl, sizeof(*sc->sc_ctrl));
fail:
	pv_virtio_fail(dev);
	return error;
}

int
pv_net_stop(struct pv_net *sc)
{
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	sc->sc_rxmore = 0;
	sc->sc_rxskip = 0;
	pv_dev_queue_drain(sc->sc_ctrlq);
	return error;
}

void *
pv_net_drain_tx(struct pv_net *sc)
{
	if (sc->sc_running || sc->sc_txq == NULL)
		return NULL;
	return pv_virtq_drain(sc->sc_txq);
}

void *
pv_net_drain_rx(struct pv_net *sc)
{
	struct pv_net_slot *slot;

	if (sc->sc_running || sc->sc_rxq == NULL)
		return NULL;
	if (sc->sc_nframe > 0)
		slot = sc->sc_frame[--sc->sc_nframe];
	else
		slot = pv_virtq_drain(sc->sc_rxq);
	return slot == NULL ? NULL : net_slot_put(sc, slot);
}

int
pv_net_detach(struct pv_net *sc)
{
	int error;

	error = pv_net_stop(sc);
	pv_dev_queue_free(&sc->sc_ctrlq);
	pv_dev_queue_free(&sc->sc_txq);
	pv_dev_queue_free(&sc->sc_rxq);
	net_free_slots(sc);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	pv_dmamem_release(sc->sc_ctrl, error != 0);
	pv_kern_free(sc->sc_ctrl, sizeof(*sc->sc_ctrl));
	sc->sc_ctrl = NULL;
	return error;
}

/* Frames */

/* The longest frame that the current MTU allows. */
static unsigned int
net_frame_max(const struct pv_net *sc, int tagged)
{
	return PV_NET_ETHER_HDRLEN + sc->sc_mtu +
	    (tagged ? PV_NET_VLAN_TAGLEN : 0);
}

static int
net_frame_tagged(const uint8_t *frame)
{
	return (frame[12] << 8 | frame[13]) == NET_ETHERTYPE_VLAN;
}

/* Transmission */

/* Whether the frame of tx carries a VLAN tag, as far as one can see. */
static int
net_tx_tagged(const struct pv_net *sc, const struct pv_net_tx *tx)
{
	const uint8_t *frame = (const uint8_t *)tx->tx_hdr + sc->sc_hdrlen;

	return tx->tx_pieces[0].pc_len >= PV_NET_ETHER_HDRLEN &&
	    net_frame_tagged(frame);
}

static int
net_tx_check(const struct pv_net *sc, const struct pv_net_tx *tx,
    uint32_t *frame_len)
{
	uint32_t len = 0;
	unsigned int i;

	if (tx->tx_npieces == 0 || tx->tx_hdr == NULL || tx->tx_cookie == NULL)
		return EINVAL;
	if (tx->tx_npieces > PV_NET_MAXPIECES)
		return EFBIG;
	for (i = 0; i < tx->tx_npieces; i++) {
		if (tx->tx_pieces[i].pc_len > NET_MAXFRAME)
			return EMSGSIZE;
		len += (uint32_t)tx->tx_pieces[i].pc_len;
	}
	if (len > net_frame_max(sc, 0) &&
	    (len > net_frame_max(sc, 1) || !net_tx_tagged(sc, tx)))
		return EMSGSIZE;
	if (len < PV_NET_ETHER_HDRLEN ||
	    tx->tx_pieces[0].pc_off < sc->sc_hdrlen)
		return EINVAL;
	if ((tx->tx_flags & PV_NET_TX_CSUM) &&
	    (!pv_virtio_has(sc->sc_dev, PV_NET_F_CSUM) ||
	    (uint32_t)tx->tx_csum_start + tx->tx_csum_offset + 2 > len))
		return EINVAL;
	*frame_len = len;
	return 0;
}

static void
net_tx_header(const struct pv_net *sc, const struct pv_net_tx *tx)
{
	uint8_t *hdr = tx->tx_hdr;

	memset(hdr, 0, sc->sc_hdrlen);
	if (tx->tx_flags & PV_NET_TX_CSUM) {
		hdr[NET_HDR_FLAGS] = NET_HDR_F_NEEDS_CSUM;
		pv_dev_put16(hdr + NET_HDR_CSUM_START, tx->tx_csum_start);
		pv_dev_put16(hdr + NET_HDR_CSUM_OFFSET, tx->tx_csum_offset);
	}
}

static int
net_tx_one(struct pv_net *sc, const struct pv_net_tx *tx)
{
	struct pv_piece pieces[PV_NET_MAXPIECES + 1];
	struct pv_piece *piece = pieces;
	uint32_t len;
	unsigned int i;
	int error;

	error = net_tx_check(sc, tx, &len);
	if (error)
		return error;
	net_tx_header(sc, tx);
	*piece = tx->tx_pieces[0];
	piece->pc_off -= sc->sc_hdrlen;
	if (sc->sc_hdrapart) {
		piece->pc_len = sc->sc_hdrlen;
		*++piece = tx->tx_pieces[0];
	} else
		piece->pc_len += sc->sc_hdrlen;
	for (i = 1; i < tx->tx_npieces; i++)
		*++piece = tx->tx_pieces[i];
	error = pv_virtq_enqueue(sc->sc_txq, pieces,
	    (unsigned int)(piece - pieces) + 1, 0, tx->tx_cookie);
	if (error)
		return error;
	sc->sc_counters.nc_tx_frames++;
	sc->sc_counters.nc_tx_bytes += len;
	return 0;
}

int
pv_net_transmit(struct pv_net *sc, const struct pv_net_tx *tx, unsigned int n,
    unsigned int *accepted)
{
	int error = 0;

	*accepted = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	while (*accepted < n) {
		error = net_tx_one(sc, &tx[*accepted]);
		if (error)
			break;
		++*accepted;
	}
	if (error == EMSGSIZE)
		sc->sc_counters.nc_tx_toolong++;
	if (*accepted > 0)
		pv_virtq_publish(sc->sc_txq);
	return error;
}

int
pv_net_reclaim(struct pv_net *sc, void **cookies, unsigned int n,
    unsigned int *done)
{
	struct pv_used used;
	int error;

	*done = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	while (*done < n) {
		error = pv_virtq_dequeue(sc->sc_txq, &used);
		if (error)
			return error == EAGAIN ? 0 : error;
		cookies[(*done)++] = used.us_cookie;
	}
	return 0;
}

/* Reception */

static int
net_post_one(struct pv_net *sc, const struct pv_net_rxbuf *rb)
{
	struct pv_piece pieces[2] = { rb->rb_piece, rb->rb_piece };
	struct pv_net_slot *slot;
	int error;

	if (rb->rb_piece.pc_len < sc->sc_rxbuflen || rb->rb_va == NULL ||
	    rb->rb_cookie == NULL)
		return EINVAL;
	slot = net_slot_get(sc);
	if (slot == NULL)
		return ENOBUFS;
	slot->sl_va = rb->rb_va;
	slot->sl_cookie = rb->rb_cookie;
	if (sc->sc_hdrapart) {
		pieces[0].pc_len = sc->sc_hdrlen;
		pieces[1].pc_off += sc->sc_hdrlen;
		pieces[1].pc_len -= sc->sc_hdrlen;
	}
	error = pv_virtq_enqueue(sc->sc_rxq, pieces, 0,
	    sc->sc_hdrapart ? 2 : 1, slot);
	if (error)
		net_slot_put(sc, slot);
	return error;
}

int
pv_net_post(struct pv_net *sc, const struct pv_net_rxbuf *rb, unsigned int n,
    unsigned int *accepted)
{
	int error = 0;

	*accepted = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	while (*accepted < n) {
		error = net_post_one(sc, &rb[*accepted]);
		if (error)
			break;
		++*accepted;
	}
	if (*accepted > 0)
		pv_virtq_publish(sc->sc_rxq);
	return error;
}

/*
 * The first buffer of a frame says in how many the frame lies. They are all
 * used already, or will be at once; so they are among those outstanding. What
 * can't be is made an empty frame, which is an error further on.
 */
static void
net_rx_first(struct pv_net *sc, struct pv_net_slot *slot)
{
	unsigned int bufs;

	if (slot->sl_len < sc->sc_hdrlen) {
		slot->sl_len = 0;
		return;
	}
	pv_dev_copy_once(sc->sc_rxhdr, slot->sl_va, sc->sc_hdrlen);
	if (!pv_virtio_has(sc->sc_dev, PV_NET_F_MRG_RXBUF))
		return;
	bufs = pv_dev_get16(sc->sc_rxhdr + NET_HDR_NUM_BUFFERS);
	if (bufs == 0 || bufs - 1 > pv_virtq_outstanding(sc->sc_rxq))
		slot->sl_len = 0;
	else if (bufs > sc->sc_framemax) {
		slot->sl_len = 0;
		sc->sc_rxskip = bufs - 1;
	} else
		sc->sc_rxmore = bufs - 1;
}

/* Take a used buffer into the frame in progress. */
static int
net_rx_take(struct pv_net *sc)
{
	struct pv_net_slot *slot;
	struct pv_used used;
	int error;

	error = pv_virtq_dequeue(sc->sc_rxq, &used);
	if (error)
		return error;
	slot = used.us_cookie;
	slot->sl_len = used.us_len;
	if (sc->sc_rxskip > 0) {
		sc->sc_rxskip--;
		slot->sl_len = 0;
	} else if (sc->sc_rxmore > 0)
		sc->sc_rxmore--;
	else
		net_rx_first(sc, slot);
	sc->sc_frame[sc->sc_nframe++] = slot;
	return 0;
}

/* The length of the frame at hand, or 0 if it is none. */
static uint32_t
net_rx_length(const struct pv_net *sc)
{
	uint32_t len = sc->sc_frame[0]->sl_len;
	unsigned int i;

	if (len < sc->sc_hdrlen + PV_NET_ETHER_HDRLEN)
		return 0;
	len -= sc->sc_hdrlen;
	for (i = 1; i < sc->sc_nframe; i++) {
		if (sc->sc_frame[i]->sl_len == 0)
			return 0;
		len += sc->sc_frame[i]->sl_len;
	}
	return len;
}

/* Judge the header's offloads; false if they can't be. */
static int
net_rx_offloads(const struct pv_net *sc, struct pv_net_rx *rx, uint32_t len)
{
	uint8_t flags = sc->sc_rxhdr[NET_HDR_FLAGS];
	int csum = pv_virtio_has(sc->sc_dev, PV_NET_F_GUEST_CSUM);

	if (sc->sc_rxhdr[NET_HDR_GSO_TYPE] != NET_GSO_NONE)
		return 0;
	if (flags & NET_HDR_F_NEEDS_CSUM) {
		rx->rx_csum_start =
		    pv_dev_get16(sc->sc_rxhdr + NET_HDR_CSUM_START);
		rx->rx_csum_offset =
		    pv_dev_get16(sc->sc_rxhdr + NET_HDR_CSUM_OFFSET);
		rx->rx_flags |= PV_NET_RX_CSUM_PARTIAL;
		return csum && (uint32_t)rx->rx_csum_start +
		    rx->rx_csum_offset + 2 <= len;
	}
	if (csum && (flags & NET_HDR_F_DATA_VALID))
		rx->rx_flags |= PV_NET_RX_CSUM_VALID;
	return 1;
}

static int
net_rx_check(struct pv_net *sc, struct pv_net_rx *rx)
{
	const uint8_t *frame = sc->sc_frame[0]->sl_va + sc->sc_hdrlen;
	uint32_t len;

	memset(rx, 0, sizeof(*rx));
	len = net_rx_length(sc);
	if (len == 0 || !net_rx_offloads(sc, rx, len)) {
		sc->sc_counters.nc_rx_errors++;
		return 0;
	}
	if (len > net_frame_max(sc, net_frame_tagged(frame))) {
		rx->rx_flags |= PV_NET_RX_OVERSIZE;
		sc->sc_counters.nc_rx_oversize++;
	}
	sc->sc_counters.nc_rx_frames++;
	sc->sc_counters.nc_rx_bytes += len;
	return 1;
}

/* Give the frame at hand to the caller. */
static void
net_rx_give(struct pv_net *sc, struct pv_net_rx *rx)
{
	struct pv_net_slot *slot;
	unsigned int i, n = sc->sc_nframe;
	int good;

	good = net_rx_check(sc, &rx[0]);
	for (i = 0; i < n; i++) {
		slot = sc->sc_frame[i];
		if (!good || i > 0)
			memset(&rx[i], 0, sizeof(rx[i]));
		rx[i].rx_cookie = net_slot_put(sc, slot);
		if (!good) {
			rx[i].rx_flags = PV_NET_RX_ERROR;
			continue;
		}
		rx[i].rx_off = i == 0 ? sc->sc_hdrlen : 0;
		rx[i].rx_len = slot->sl_len - rx[i].rx_off;
		if (i + 1 < n)
			rx[i].rx_flags |= PV_NET_RX_MORE;
	}
	sc->sc_nframe = 0;
}

static int
net_rx_whole(const struct pv_net *sc)
{
	return sc->sc_nframe > 0 && sc->sc_rxmore == 0;
}

int
pv_net_receive(struct pv_net *sc, struct pv_net_rx *rx, unsigned int n,
    unsigned int *done)
{
	unsigned int bufs;
	int error;

	*done = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	if (n < sc->sc_framemax)
		return EINVAL;
	for (;;) {
		if (!net_rx_whole(sc)) {
			if (*done == n)
				return 0;
			error = net_rx_take(sc);
			if (error)
				return error == EAGAIN ? 0 : error;
			continue;
		}
		bufs = sc->sc_nframe;
		if (bufs > n - *done)
			return 0;
		net_rx_give(sc, rx + *done);
		*done += bufs;
	}
}

/* Interrupts */

int
pv_net_rx_intr(struct pv_net *sc, int on)
{
	if (!sc->sc_running)
		return 0;
	if (!on) {
		pv_virtq_intr_disable(sc->sc_rxq);
		return 0;
	}
	return pv_virtq_intr_enable(sc->sc_rxq) || net_rx_whole(sc);
}

int
pv_net_tx_intr(struct pv_net *sc, int on)
{
	if (!sc->sc_running)
		return 0;
	if (!on) {
		pv_virtq_intr_disable(sc->sc_txq);
		return 0;
	}
	return pv_virtq_intr_delay(sc->sc_txq,
	    pv_virtq_outstanding(sc->sc_txq) * 3 / 4 + 1);
}

/* Control */

/* One command with one byte of data. */
static int
net_ctrl(struct pv_net *sc, uint8_t class, uint8_t command, uint8_t data)
{
	const struct pv_piece pieces[3] = {
		pv_dev_piece(sc->sc_ctrl, CTRL_REQUEST, NET_CTRL_HDRLEN),
		pv_dev_piece(sc->sc_ctrl, CTRL_REQUEST + NET_CTRL_HDRLEN, 1),
		pv_dev_piece(sc->sc_ctrl, CTRL_ACK, 1),
	};
	uint8_t *memory = sc->sc_ctrl->dm_kva;
	struct pv_dev_wait wait;
	struct pv_used used;
	uint8_t ack = 0xff;
	int error;

	/* A command without an answer may still be read from there. */
	if (pv_virtio_broken(sc->sc_dev) != NULL)
		return EIO;
	memory[CTRL_REQUEST] = class;
	memory[CTRL_REQUEST + 1] = command;
	memory[CTRL_REQUEST + NET_CTRL_HDRLEN] = data;
	error = pv_virtq_enqueue(sc->sc_ctrlq, pieces, 2, 1, sc);
	if (error)
		return error;
	pv_virtq_publish(sc->sc_ctrlq);
	pv_dev_wait_begin(&wait, NET_CTRL_TIMEOUT_NS);
	while ((error = pv_virtq_dequeue(sc->sc_ctrlq, &used)) == EAGAIN) {
		if (pv_dev_wait(&wait)) {
			pv_virtio_break(sc->sc_dev, "control queue: no answer");
			return ETIMEDOUT;
		}
	}
	if (error)
		return error;
	if (used.us_len >= 1)
		pv_dev_copy_once(&ack, memory + CTRL_ACK, 1);
	if (ack == NET_CTRL_OK)
		return 0;
	sc->sc_counters.nc_ctrl_errors++;
	return EIO;
}

int
pv_net_set_rxmode(struct pv_net *sc, int promisc, int allmulti)
{
	int error;

	sc->sc_rxmode = 1;
	sc->sc_promisc = promisc != 0;
	sc->sc_allmulti = allmulti != 0;
	if (!sc->sc_running || !pv_virtio_has(sc->sc_dev, PV_NET_F_CTRL_RX))
		return 0;
	/* A device can't pick out the frames for an address that we made. */
	error = net_ctrl(sc, NET_CTRL_RX, NET_CTRL_RX_PROMISC,
	    sc->sc_promisc || !sc->sc_macknown);
	if (error == 0)
		error = net_ctrl(sc, NET_CTRL_RX, NET_CTRL_RX_ALLMULTI,
		    sc->sc_allmulti);
	return error;
}

int
pv_net_set_mtu(struct pv_net *sc, unsigned int mtu)
{
	if (mtu < PV_NET_MINMTU || mtu > sc->sc_hardmtu)
		return EINVAL;
	if (sc->sc_running && !pv_virtio_has(sc->sc_dev, PV_NET_F_MRG_RXBUF) &&
	    net_buflen(mtu) > sc->sc_rxbuflen)
		return EBUSY;
	sc->sc_mtu = mtu;
	return 0;
}

int
pv_net_changed(struct pv_net *sc)
{
	uint16_t status = 0;
	const struct pv_config_field field = { NET_CFG_STATUS, 2, 1,
	    &status };
	uint8_t link;

	if (!sc->sc_running || !pv_virtio_has(sc->sc_dev, PV_NET_F_STATUS))
		return 0;
	if (pv_virtio_config_read(sc->sc_dev, &field, 1))
		return -EIO;
	link = (status & NET_STATUS_LINK_UP) != 0;
	if (link == sc->sc_link)
		return 0;
	sc->sc_link = link;
	sc->sc_counters.nc_link_changes++;
	return 1;
}

/* What was negotiated */

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
	return sc->sc_nrxslots;
}

unsigned int
pv_net_tx_size(const struct pv_net *sc)
{
	return sc->sc_txq == NULL ? 0 : pv_virtq_size(sc->sc_txq);
}

unsigned int
pv_net_mtu(const struct pv_net *sc)
{
	return sc->sc_mtu;
}

unsigned int
pv_net_hardmtu(const struct pv_net *sc)
{
	return sc->sc_hardmtu;
}

int
pv_net_link(const struct pv_net *sc)
{
	return sc->sc_link;
}

const uint8_t *
pv_net_mac(const struct pv_net *sc)
{
	return sc->sc_mac;
}

const struct pv_net_counters *
pv_net_counters(const struct pv_net *sc)
{
	return &sc->sc_counters;
}
