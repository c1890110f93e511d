/* SPDX-License-Identifier: ISC */
/*
 * The way of frames (Network Device / Device Operation). A frame in one piece,
 * or in one buffer, is the common case and goes the short way.
 */
#include "net_var.h"
#include "../core/ring.h"

/*
 * The header goes to and from the caller's memory in words where it lies right
 * for that: CPUs without unaligned accesses would take it by bytes.
 */
#define ALIGNED(p)	(((uintptr_t)(p) & 3) == 0)

#define NET_BATCH	32	/* frames that go to or from a queue at once */

/* What offloads may be, of what the port and the device agreed to. */
void
net_data_start(struct pv_net *sc)
{
	static const struct {
		uint64_t features;	/* any of them */
		uint16_t tx, rx;
	} offloads[] = {
		{ NET_BIT(CSUM), PV_NET_TX_CSUM, 0 },
		{ NET_BIT(HOST_TSO4), PV_NET_TX_TSO4, 0 },
		{ NET_BIT(HOST_TSO6), PV_NET_TX_TSO6, 0 },
		{ NET_BIT(HOST_ECN), PV_NET_TX_ECN, 0 },
		{ NET_BIT(HOST_UFO), PV_NET_TX_UFO, 0 },
		{ NET_BIT(HOST_USO), PV_NET_TX_USO, 0 },
		{ NET_BIT(GUEST_CSUM), 0,
		    PV_NET_RX_CSUM_VALID | PV_NET_RX_CSUM_PARTIAL },
		{ NET_BIT(GUEST_TSO4), 0, PV_NET_RX_TSO4 },
		{ NET_BIT(GUEST_TSO6), 0, PV_NET_RX_TSO6 },
		{ NET_BIT(GUEST_ECN), 0, PV_NET_RX_ECN },
		{ NET_BIT(GUEST_UFO), 0, PV_NET_RX_UFO },
		{ NET_BIT(GUEST_USO4) | NET_BIT(GUEST_USO6), 0,
		    PV_NET_RX_USO },
	};
	unsigned int i;

	sc->sc_txflags = sc->sc_rxflags = 0;
	for (i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++)
		if (pv_virtio_features(sc->sc_dev) & offloads[i].features) {
			sc->sc_txflags |= offloads[i].tx;
			sc->sc_rxflags |= offloads[i].rx;
		}
	sc->sc_merge = net_has(sc, PV_NET_F_MRG_RXBUF) != 0;
	sc->sc_framemax = 1;
	for (i = 0; i < sc->sc_nqueues; i++)
		if (sc->sc_pairs[i].np_rx.rq_framemax > sc->sc_framemax)
			sc->sc_framemax = sc->sc_pairs[i].np_rx.rq_framemax;
}

/* The longest frame that the current MTU allows. */
static inline unsigned int
net_frame_max(const struct pv_net *sc, int tagged)
{
	return PV_NET_ETHER_HDRLEN + net_mtu(sc) +
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

static inline int
net_tx_csum_inside(const struct pv_net_tx *tx, uint32_t len)
{
	return (uint32_t)tx->tx_csum_start + tx->tx_csum_offset + 2 <= len;
}

/* A frame that is to be cut: whether it can be, and into what. */
static int
net_tx_check_gso(const struct pv_net *sc, const struct pv_net_tx *tx,
    uint32_t len)
{
	unsigned int kind = tx->tx_flags & PV_NET_TX_GSO;
	uint32_t part = (uint32_t)tx->tx_hdr_len + tx->tx_gso_size;

	if ((tx->tx_flags & PV_NET_TX_CSUM) == 0 || (kind & (kind - 1)) != 0 ||
	    tx->tx_gso_size == 0 || tx->tx_hdr_len > len ||
	    tx->tx_hdr_len < tx->tx_csum_start + tx->tx_csum_offset + 2)
		return EINVAL;
	if ((tx->tx_flags & PV_NET_TX_ECN) &&
	    (kind & (PV_NET_TX_TSO4 | PV_NET_TX_TSO6)) == 0)
		return EINVAL;
	/* A fragment has no header of UDP. */
	if (kind == PV_NET_TX_UFO)
		part -= 8;
	if (len > PV_NET_MAXGSO ||
	    part > net_frame_max(sc, net_tx_tagged(sc, tx)))
		return EMSGSIZE;
	return 0;
}

static int
net_tx_check_plain(const struct pv_net *sc, const struct pv_net_tx *tx,
    uint32_t len)
{
	if (tx->tx_flags & PV_NET_TX_ECN)
		return EINVAL;
	if (len > net_frame_max(sc, 0) &&
	    (len > net_frame_max(sc, 1) || !net_tx_tagged(sc, tx)))
		return EMSGSIZE;
	return 0;
}

static int
net_tx_check(const struct pv_net *sc, const struct pv_net_tx *tx,
    uint32_t *frame_len)
{
	uint32_t len = 0;
	unsigned int i;
	int error;

	if (tx->tx_npieces == 0 || tx->tx_hdr == NULL)
		return EINVAL;
	if (tx->tx_npieces > PV_NET_MAXPIECES)
		return EFBIG;
	for (i = 0; i < tx->tx_npieces; i++) {
		if (tx->tx_pieces[i].pc_len > PV_NET_MAXGSO)
			return EMSGSIZE;
		len += (uint32_t)tx->tx_pieces[i].pc_len;
	}
	if (tx->tx_flags & ~sc->sc_txflags)
		return EINVAL;
	if (tx->tx_flags & PV_NET_TX_GSO)
		error = net_tx_check_gso(sc, tx, len);
	else
		error = net_tx_check_plain(sc, tx, len);
	if (error)
		return error;
	if (len < PV_NET_ETHER_HDRLEN ||
	    tx->tx_pieces[0].pc_off < sc->sc_hdrlen ||
	    ((tx->tx_flags & PV_NET_TX_CSUM) && !net_tx_csum_inside(tx, len)))
		return EINVAL;
	*frame_len = len;
	return 0;
}

static uint8_t
net_tx_gso_type(unsigned int flags)
{
	static const uint8_t types[] = {
		[PV_NET_TX_TSO4 >> 1] = NET_GSO_TCPV4,
		[PV_NET_TX_TSO6 >> 1] = NET_GSO_TCPV6,
		[PV_NET_TX_UFO >> 1] = NET_GSO_UDP,
		[PV_NET_TX_USO >> 1] = NET_GSO_UDP_L4,
	};

	return (uint8_t)(types[(flags & PV_NET_TX_GSO) >> 1] |
	    (flags & PV_NET_TX_ECN ? NET_GSO_ECN : 0));
}

/* (Network Device / Device Operation / Packet Transmission) */
static void
net_tx_header(const struct pv_net *sc, const struct pv_net_tx *tx)
{
	uint8_t *hdr = tx->tx_hdr;

	memset(hdr, 0, sc->sc_hdrlen);
	if ((tx->tx_flags & PV_NET_TX_CSUM) == 0)
		return;
	hdr[NET_HDR_FLAGS] = NET_HDR_F_NEEDS_CSUM;
	pv_dev_put16(hdr + NET_HDR_CSUM_START, tx->tx_csum_start);
	pv_dev_put16(hdr + NET_HDR_CSUM_OFFSET, tx->tx_csum_offset);
	if ((tx->tx_flags & PV_NET_TX_GSO) == 0)
		return;
	hdr[NET_HDR_GSO_TYPE] = net_tx_gso_type(tx->tx_flags);
	pv_dev_put16(hdr + NET_HDR_HDR_LEN, tx->tx_hdr_len);
	pv_dev_put16(hdr + NET_HDR_GSO_SIZE, tx->tx_gso_size);
}

/* Any frame. */
static __attribute__((__noinline__)) int
net_tx_any(const struct pv_net *sc, struct net_txq *tq,
    const struct pv_net_tx *tx, uint32_t *len)
{
	struct pv_piece pieces[PV_NET_MAXPIECES + 1];
	struct pv_piece *piece = pieces;
	unsigned int i;
	int error;

	error = net_tx_check(sc, tx, len);
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
	error = pv_virtq_enqueue(tq->tq_vq, pieces,
	    (unsigned int)(piece - pieces) + 1, 0, tx->tx_cookie);
	if (error == 0 && (tx->tx_flags & PV_NET_TX_GSO))
		count_add(&tq->tq_gso, 1);
	return error;
}

/*
 * One piece within the MTU, in one descriptor with its header, of which the
 * device computes at most the checksum: its header is written, and *piece is
 * both. False: it is none such.
 */
static inline int
net_tx_simple(const struct pv_net *sc, const struct pv_net_tx *tx,
    struct pv_piece *piece)
{
	uint32_t *hdr = tx->tx_hdr;
	const struct pv_piece *pc = tx->tx_pieces;

	if (tx->tx_npieces != 1 || !ALIGNED(hdr) || hdr == NULL ||
	    pc->pc_len - PV_NET_ETHER_HDRLEN > net_mtu(sc) ||
	    pc->pc_off < NET_HDRLEN)
		return 0;
	hdr = __builtin_assume_aligned(hdr, 4);
	if (tx->tx_flags == 0)
		memset(hdr, 0, NET_HDRLEN);
	else if (tx->tx_flags == PV_NET_TX_CSUM &&
	    (sc->sc_txflags & PV_NET_TX_CSUM) &&
	    net_tx_csum_inside(tx, (uint32_t)pc->pc_len)) {
		const uint32_t words[3] = { PV_LE32(NET_HDR_F_NEEDS_CSUM),
		    PV_LE32((uint32_t)tx->tx_csum_start << 16),
		    PV_LE32((uint32_t)tx->tx_csum_offset) };

		memcpy(hdr, words, NET_HDRLEN);
	} else
		return 0;
	piece->pc_map = pc->pc_map;
	piece->pc_off = pc->pc_off - NET_HDRLEN;
	piece->pc_len = pc->pc_len + NET_HDRLEN;
	return 1;
}

/*
 * Simple frames, up to the first that is none or finds no room; how many, and
 * their bytes.
 */
static unsigned int
net_tx_run(const struct pv_net *sc, struct net_txq *tq,
    const struct pv_net_tx *tx, unsigned int n, int *error)
{
	struct pv_piece pieces[NET_BATCH];
	void *cookies[NET_BATCH];
	size_t bytes = 0;
	unsigned int i, taken = 0;

	if (n > NET_BATCH)
		n = NET_BATCH;
	for (i = 0; i < n && net_tx_simple(sc, &tx[i], &pieces[i]); i++) {
		cookies[i] = tx[i].tx_cookie;
		bytes += (size_t)pieces[i].pc_len;
	}
	*error = 0;
	if (i == 0)
		return 0;
	*error = pv_virtq_enqueue_batch(tq->tq_vq, pieces, cookies, i, 0,
	    &taken);
	while (i > taken)
		bytes -= (size_t)pieces[--i].pc_len;
	count_add(&tq->tq_frames, taken);
	count_add(&tq->tq_bytes, bytes - taken * (size_t)NET_HDRLEN);
	return taken;
}

static int
net_tx_one(const struct pv_net *sc, struct net_txq *tq,
    const struct pv_net_tx *tx)
{
	uint32_t len;
	int error;

	error = net_tx_any(sc, tq, tx, &len);
	if (error == EMSGSIZE)
		count_add(&tq->tq_toolong, 1);
	if (error)
		return error;
	count_add(&tq->tq_frames, 1);
	count_add(&tq->tq_bytes, len);
	return 0;
}

int
pv_net_transmit(struct pv_net *sc, unsigned int queue,
    const struct pv_net_tx *tx, unsigned int n, unsigned int *accepted)
{
	const int simple = sc->sc_hdrlen == NET_HDRLEN && !sc->sc_hdrapart;
	struct net_txq *tq;
	unsigned int i = 0, taken;
	int error = 0;

	*accepted = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	if (queue >= net_pairs(sc))
		return EINVAL;
	tq = &sc->sc_pairs[queue].np_tx;
	while (i < n && error == 0) {
		taken = simple ? net_tx_run(sc, tq, &tx[i], n - i, &error) : 0;
		i += taken;
		if (taken > 0 || error)
			continue;
		error = net_tx_one(sc, tq, &tx[i]);
		i += error == 0;
	}
	*accepted = i;
	if (i > 0)
		pv_virtq_publish(tq->tq_vq);
	return error;
}

int
pv_net_reclaim(struct pv_net *sc, unsigned int queue, void **cookies,
    unsigned int n, unsigned int *done)
{
	struct pv_used used[NET_BATCH];
	struct pv_virtq *vq;
	unsigned int i = 0, j, taken, most;
	int error = 0;

	*done = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	if (queue >= sc->sc_nqueues)
		return EINVAL;
	vq = sc->sc_pairs[queue].np_tx.tq_vq;
	while (i < n && error == 0) {
		most = n - i < NET_BATCH ? n - i : NET_BATCH;
		error = pv_virtq_dequeue_batch(vq, used, most, &taken);
		for (j = 0; j < taken; j++)
			cookies[i++] = used[j].us_cookie;
	}
	*done = i;
	return error == EAGAIN ? 0 : error;
}

uint64_t
pv_net_stalled_ns(struct pv_net *sc, unsigned int queue)
{
	if (!sc->sc_running || queue >= sc->sc_nqueues)
		return 0;
	return pv_virtq_stalled_ns(sc->sc_pairs[queue].np_tx.tq_vq);
}

/* Reception */

/* One buffer, whose header has a descriptor of its own. */
static int
net_post_apart(const struct pv_net *sc, struct net_rxq *rq,
    const struct pv_net_rxbuf *rb, struct net_slot *slot)
{
	struct pv_piece pieces[2] = { rb->rb_piece, rb->rb_piece };

	pieces[0].pc_len = sc->sc_hdrlen;
	pieces[1].pc_off += sc->sc_hdrlen;
	pieces[1].pc_len -= sc->sc_hdrlen;
	return pv_virtq_enqueue(rq->rq_vq, pieces, 0, 2, slot);
}

/* A slot for a buffer; NULL: *error is why not. */
static inline struct net_slot *
net_post_slot(const struct pv_net *sc, struct net_rxq *rq,
    const struct pv_net_rxbuf *rb, int *error)
{
	struct net_slot *slot = rq->rq_free;

	*error = 0;
	if (rb->rb_piece.pc_len < sc->sc_rxbuflen || rb->rb_va == NULL ||
	    rb->rb_cookie == NULL)
		*error = EINVAL;
	else if (slot == NULL)
		*error = ENOBUFS;
	if (*error)
		return NULL;
	rq->rq_free = slot->sl_next;
	slot->sl_va = rb->rb_va;
	slot->sl_cookie = rb->rb_cookie;
	return slot;
}

/* Up to a batch of buffers, until one can't be taken; how many were. */
static unsigned int
net_post_run(const struct pv_net *sc, struct net_rxq *rq,
    const struct pv_net_rxbuf *rb, unsigned int n, int *error)
{
	struct pv_piece pieces[NET_BATCH];
	void *slots[NET_BATCH];
	unsigned int i, most = sc->sc_hdrapart ? 1 : NET_BATCH, taken = 0;
	int refused = 0;

	for (i = 0; i < n && i < most; i++) {
		slots[i] = net_post_slot(sc, rq, &rb[i], &refused);
		if (slots[i] == NULL)
			break;
		pieces[i] = rb[i].rb_piece;
	}
	*error = refused;
	if (i == 0)
		return 0;
	if (sc->sc_hdrapart) {
		*error = net_post_apart(sc, rq, rb, slots[0]);
		taken = *error == 0;
	} else {
		*error = pv_virtq_enqueue_batch(rq->rq_vq, pieces, slots, i, 1,
		    &taken);
		if (*error == 0)
			*error = refused;
	}
	while (i > taken)
		net_slot_put(rq, slots[--i]);
	return taken;
}

int
pv_net_post(struct pv_net *sc, unsigned int queue,
    const struct pv_net_rxbuf *rb, unsigned int n, unsigned int *accepted)
{
	struct net_rxq *rq;
	unsigned int i = 0;
	int error = 0;

	*accepted = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	if (queue >= sc->sc_nqueues)
		return EINVAL;
	rq = &sc->sc_pairs[queue].np_rx;
	while (i < n && error == 0)
		i += net_post_run(sc, rq, rb + i, n - i, &error);
	*accepted = i;
	if (i > 0)
		pv_virtq_publish(rq->rq_vq);
	return error;
}

/* The header at va, once; words that there are not are 0. */
static inline void
net_rx_header(const struct pv_net *sc, const uint8_t *va, struct net_hdr *hd)
{
	hd->hd_word[3] = hd->hd_word[4] = 0;
	if (sc->sc_hdrlen == NET_HDRLEN && ALIGNED(va))
		pv_dev_copy_once(hd->hd_word, __builtin_assume_aligned(va, 4),
		    NET_HDRLEN);
	else {
		hd->hd_word[2] = 0;
		pv_dev_copy_once(hd->hd_word, va, sc->sc_hdrlen);
	}
	hd->hd_word[0] = PV_LE32(hd->hd_word[0]);
	hd->hd_word[1] = PV_LE32(hd->hd_word[1]);
	hd->hd_word[2] = PV_LE32(hd->hd_word[2]);
}

static inline unsigned int
net_hdr_buffers(const struct net_hdr *hd)
{
	return hd->hd_word[2] >> 16;
}

/* The kind of a frame that was made of several, or 0: there is no such. */
static unsigned int
net_rx_kind(unsigned int type)
{
	switch (type & ~(unsigned int)NET_GSO_ECN) {
	case NET_GSO_TCPV4:
		return PV_NET_RX_TSO4;
	case NET_GSO_TCPV6:
		return PV_NET_RX_TSO6;
	case NET_GSO_UDP:
		return PV_NET_RX_UFO;
	case NET_GSO_UDP_L4:
		return PV_NET_RX_USO;
	default:
		return 0;
	}
}

/* What the header says of how it was made; false if it can't be. */
static int
net_rx_gso(const struct pv_net *sc, const struct net_hdr *hd,
    struct pv_net_rx *rx, uint32_t len)
{
	unsigned int type = hd->hd_word[0] >> 8 & 0xff;
	unsigned int hdr_len = hd->hd_word[0] >> 16;
	unsigned int flags = net_rx_kind(type);

	if (type & NET_GSO_ECN) {
		if ((flags & (PV_NET_RX_TSO4 | PV_NET_RX_TSO6)) == 0)
			return 0;
		flags |= PV_NET_RX_ECN;
	}
	rx->rx_gso_size = (uint16_t)hd->hd_word[1];
	rx->rx_hdr_len = (uint16_t)(hdr_len <= len ? hdr_len : 0);
	rx->rx_flags |= (uint16_t)flags;
	return flags != 0 && (flags & ~(unsigned int)sc->sc_rxflags) == 0 &&
	    rx->rx_gso_size != 0 && len <= PV_NET_MAXGSO + PV_NET_VLAN_TAGLEN;
}

/* What the header says of the checksum; false if it can't be. */
static int
net_rx_csum(const struct pv_net *sc, const struct net_hdr *hd,
    struct pv_net_rx *rx, uint32_t len)
{
	unsigned int flags = hd->hd_word[0];

	if (flags & NET_HDR_F_NEEDS_CSUM) {
		rx->rx_csum_start = (uint16_t)(hd->hd_word[1] >> 16);
		rx->rx_csum_offset = (uint16_t)hd->hd_word[2];
		rx->rx_flags |= PV_NET_RX_CSUM_PARTIAL;
		/* With RSC_INFO something else stands there. */
		return (sc->sc_rxflags & PV_NET_RX_CSUM_PARTIAL) &&
		    (flags & NET_HDR_F_RSC_INFO) == 0 &&
		    (uint32_t)rx->rx_csum_start + rx->rx_csum_offset + 2 <=
		    len;
	}
	if (flags & NET_HDR_F_DATA_VALID)
		rx->rx_flags |= sc->sc_rxflags & PV_NET_RX_CSUM_VALID;
	return 1;
}

static void
net_rx_hash(const struct net_hdr *hd, struct pv_net_rx *rx)
{
	unsigned int type = PV_LE32(hd->hd_word[4]) & 0xffff;

	if (type == PV_NET_HASH_NONE || type > PV_NET_HASH_UDPV6_EX)
		return;
	rx->rx_hash_type = (uint16_t)type;
	rx->rx_hash = PV_LE32(hd->hd_word[3]);
}

/*
 * Judge a frame of len bytes by its header and fill rx[0] in; false if it is
 * none. va: its first buffer.
 */
static inline int
net_rx_check(struct pv_net *sc, struct net_rxq *rq, const struct net_hdr *hd,
    const uint8_t *va, uint32_t len, struct pv_net_rx *rx)
{
	if ((hd->hd_word[0] & 0xffff) != 0) {
		if ((hd->hd_word[0] & 0xff00) != 0 &&
		    !net_rx_gso(sc, hd, rx, len))
			return 0;
		if (!net_rx_csum(sc, hd, rx, len))
			return 0;
	}
	if (sc->sc_hdrlen == NET_HDRLEN_HASH)
		net_rx_hash(hd, rx);
	if (rx->rx_flags & PV_NET_RX_GSO)
		count_add(&rq->rq_gso, 1);
	else if (len > net_frame_max(sc, 0) &&
	    len > net_frame_max(sc, net_frame_tagged(va + sc->sc_hdrlen))) {
		rx->rx_flags |= PV_NET_RX_OVERSIZE;
		count_add(&rq->rq_oversize, 1);
	}
	count_add(&rq->rq_frames, 1);
	count_add(&rq->rq_bytes, len);
	return 1;
}

static inline void
net_rx_clear(struct pv_net_rx *rx, void *cookie)
{
	memset(rx, 0, sizeof(*rx));
	rx->rx_cookie = cookie;
}

static void
net_rx_error(struct pv_net_rx *rx)
{
	net_rx_clear(rx, rx->rx_cookie);
	rx->rx_flags = PV_NET_RX_ERROR;
}

/* A frame in one buffer. */
static inline void
net_rx_single(struct pv_net *sc, struct net_rxq *rq, struct net_slot *slot,
    const struct net_hdr *hd, uint32_t used, struct pv_net_rx *rx)
{
	uint32_t len = used - sc->sc_hdrlen;

	net_rx_clear(rx, net_slot_put(rq, slot));
	rx->rx_off = sc->sc_hdrlen;
	rx->rx_len = len;
	if (used >= sc->sc_hdrlen + PV_NET_ETHER_HDRLEN &&
	    net_rx_check(sc, rq, hd, slot->sl_va, len, rx))
		return;
	net_rx_error(rx);
	count_add(&rq->rq_errors, 1);
}

/*
 * The first buffer of a frame says in how many the frame lies. They are all
 * used already, or will be at once; so they are among those at hand, of which
 * there are left more, and those outstanding. What can't be is made an empty
 * frame, which is an error further on.
 */
static void
net_rx_first(const struct pv_net *sc, struct net_rxq *rq,
    struct net_slot *slot, unsigned int left)
{
	unsigned int bufs = net_hdr_buffers(&rq->rq_hdr);

	if (slot->sl_len < sc->sc_hdrlen || bufs == 0 ||
	    bufs - 1 > left + pv_virtq_outstanding(rq->rq_vq))
		slot->sl_len = 0;
	else if (bufs > rq->rq_framemax) {
		slot->sl_len = 0;
		rq->rq_skip = bufs - 1;
	} else
		rq->rq_more = bufs - 1;
}

/*
 * Up to n frames of at most the MTU in one buffer each, of which the header says
 * nothing, go to rx: as far as there are such, and no other is in progress.
 * *read is set if the next one's header is in rq_hdr.
 */
static unsigned int
net_rx_plain(const struct pv_net *sc, struct net_rxq *rq,
    const struct pv_used *used, unsigned int n, struct pv_net_rx *rx, int *read)
{
	const int merge = sc->sc_merge;
	struct net_slot *slot;
	const uint32_t *hdr;
	uint32_t first, third;
	unsigned long bytes = 0;
	unsigned int i;

	*read = 0;
	if (rq->rq_nframe != 0 || rq->rq_skip != 0 ||
	    sc->sc_hdrlen != NET_HDRLEN)
		return 0;
	for (i = 0; i < n; i++, used++, rx++) {
		slot = used->us_cookie;
		if (!ALIGNED(slot->sl_va) || used->us_len -
		    (NET_HDRLEN + PV_NET_ETHER_HDRLEN) > net_mtu(sc))
			break;
		hdr = __builtin_assume_aligned(slot->sl_va, 4);
		first = ring_load32(hdr);
		third = ring_load32(hdr + 2);
		if ((first & 0xffff) != 0 ||
		    (merge && third >> 16 != 1)) {
			rq->rq_hdr = (struct net_hdr){ .hd_word = { first,
			    ring_load32(hdr + 1), third } };
			*read = 1;
			break;
		}
		net_rx_clear(rx, net_slot_put(rq, slot));
		rx->rx_off = NET_HDRLEN;
		rx->rx_len = used->us_len - NET_HDRLEN;
		bytes += rx->rx_len;
	}
	count_add(&rq->rq_frames, i);
	count_add(&rq->rq_bytes, bytes);
	return i;
}

/*
 * Take a used buffer into the frame in progress; or if it is a frame by itself
 * give it to rx, and return 1. read: its header is in rq_hdr already.
 */
static unsigned int
net_rx_take(struct pv_net *sc, struct net_rxq *rq, const struct pv_used *used,
    unsigned int left, struct pv_net_rx *rx, int read)
{
	struct net_slot *slot = used->us_cookie;
	const int headed = used->us_len >= sc->sc_hdrlen;

	slot->sl_len = used->us_len;
	if (rq->rq_skip > 0) {
		rq->rq_skip--;
		slot->sl_len = 0;
	} else if (rq->rq_more > 0)
		rq->rq_more--;
	else {
		if (headed && !read)
			net_rx_header(sc, slot->sl_va, &rq->rq_hdr);
		if (!sc->sc_merge ||
		    (headed && net_hdr_buffers(&rq->rq_hdr) == 1)) {
			net_rx_single(sc, rq, slot, &rq->rq_hdr, used->us_len,
			    rx);
			return 1;
		}
		net_rx_first(sc, rq, slot, left);
	}
	rq->rq_frame[rq->rq_nframe++] = slot;
	return 0;
}

/* The length of the frame at hand, or 0 if it is none. */
static uint32_t
net_rx_length(const struct pv_net *sc, const struct net_rxq *rq)
{
	uint32_t len = rq->rq_frame[0]->sl_len;
	unsigned int i;

	if (len < sc->sc_hdrlen + PV_NET_ETHER_HDRLEN)
		return 0;
	len -= sc->sc_hdrlen;
	for (i = 1; i < rq->rq_nframe; i++) {
		if (rq->rq_frame[i]->sl_len == 0)
			return 0;
		len += rq->rq_frame[i]->sl_len;
	}
	return len;
}

/* Give the frame at hand, of several buffers or none good, to the caller. */
static void
net_rx_give(struct pv_net *sc, struct net_rxq *rq, struct pv_net_rx *rx)
{
	uint32_t len = net_rx_length(sc, rq);
	struct net_slot *slot;
	unsigned int i, n = rq->rq_nframe;
	int good;

	net_rx_clear(&rx[0], NULL);
	good = len != 0 && net_rx_check(sc, rq, &rq->rq_hdr,
	    rq->rq_frame[0]->sl_va, len, &rx[0]);
	if (!good)
		count_add(&rq->rq_errors, 1);
	for (i = 0; i < n; i++) {
		slot = rq->rq_frame[i];
		if (i > 0)
			net_rx_clear(&rx[i], NULL);
		rx[i].rx_cookie = net_slot_put(rq, slot);
		if (!good) {
			net_rx_error(&rx[i]);
			continue;
		}
		rx[i].rx_off = i == 0 ? sc->sc_hdrlen : 0;
		rx[i].rx_len = slot->sl_len - rx[i].rx_off;
		if (i + 1 < n)
			rx[i].rx_flags |= PV_NET_RX_MORE;
	}
	rq->rq_nframe = 0;
}

static int
net_rx_whole(const struct net_rxq *rq)
{
	return rq->rq_nframe > 0 && rq->rq_more == 0;
}

/*
 * Up to n buffers, which with those of the frame in progress have room in rx;
 * how many were given.
 */
static unsigned int
net_rx_run(struct pv_net *sc, struct net_rxq *rq, struct pv_net_rx *rx,
    unsigned int n, int *error)
{
	struct pv_used used[NET_BATCH];
	unsigned int i, got, taken, given = 0;
	int read;

	if (n > NET_BATCH)
		n = NET_BATCH;
	*error = pv_virtq_dequeue_batch(rq->rq_vq, used, n, &taken);
	for (i = 0; i < taken; i++) {
		got = net_rx_plain(sc, rq, used + i, taken - i, rx + given,
		    &read);
		i += got;
		given += got;
		if (i == taken)
			break;
		given += net_rx_take(sc, rq, &used[i], taken - i - 1,
		    rx + given, read);
		if (net_rx_whole(rq)) {
			n = rq->rq_nframe;
			net_rx_give(sc, rq, rx + given);
			given += n;
		}
	}
	return given;
}

void
pv_net_rx_watch(struct pv_net *sc, unsigned int queue)
{
	if (sc->sc_running && queue < sc->sc_nqueues)
		(void)pv_virtq_stalled_ns(sc->sc_pairs[queue].np_rx.rq_vq);
}

int
pv_net_receive(struct pv_net *sc, unsigned int queue, struct pv_net_rx *rx,
    unsigned int n, unsigned int *done)
{
	struct net_rxq *rq;
	unsigned int i = 0;
	int error = 0;

	*done = 0;
	if (!sc->sc_running)
		return ENETDOWN;
	if (queue >= sc->sc_nqueues || n < sc->sc_framemax)
		return EINVAL;
	rq = &sc->sc_pairs[queue].np_rx;
	while (i + rq->rq_nframe < n && error == 0)
		i += net_rx_run(sc, rq, rx + i, n - i - rq->rq_nframe, &error);
	*done = i;
	return error == EAGAIN ? 0 : error;
}

/* Interrupts */

int
pv_net_rx_intr(struct pv_net *sc, unsigned int queue, int on)
{
	struct net_rxq *rq;

	if (!sc->sc_running || queue >= sc->sc_nqueues)
		return 0;
	rq = &sc->sc_pairs[queue].np_rx;
	if (!on) {
		pv_virtq_intr_disable(rq->rq_vq);
		return 0;
	}
	return pv_virtq_intr_enable(rq->rq_vq);
}

int
pv_net_tx_intr(struct pv_net *sc, unsigned int queue, int on)
{
	struct pv_virtq *vq;

	if (!sc->sc_running || queue >= sc->sc_nqueues)
		return 0;
	vq = sc->sc_pairs[queue].np_tx.tq_vq;
	if (!on) {
		pv_virtq_intr_disable(vq);
		return 0;
	}
	return pv_virtq_intr_delay(vq, pv_virtq_outstanding(vq) * 3 / 4 + 1);
}
