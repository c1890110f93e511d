/* SPDX-License-Identifier: ISC */
#include "scene.h"

#define NRX	48
#define NTX	64
#define FRAMES	8192

struct nbuf {
	struct port_buf *nb_pb;
	int nb_out;			/* with driver or device */
};

static struct pv_net net;
static struct nbuf rx[NRX], tx[NTX];
static uint8_t frame[VDEV_MAXFRAME], assembled[VDEV_MAXFRAME];
static unsigned int seen, next_tag, oversize;
static struct pv_net_rx last;		/* frame received: its first buffer */

/* What the peer keeps, to be sent back. */
static struct {
	unsigned int tag;
	size_t len;
} echo[NTX];
static unsigned int nechoes;

static uint32_t
sum(const uint8_t *p, size_t len, uint32_t s)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		s += (uint32_t)p[len - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void
put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/*
 * UDP over IPv4 with bytes that depend on tag; partial: the checksum is that of
 * the pseudo header, for the device to complete.
 */
static void
build(uint8_t *f, size_t len, unsigned int tag, int partial)
{
	size_t udplen = len - 34, i;
	uint32_t pseudo;

	memset(f, 0, 42);
	memcpy(f, "\x52\x54\0\x12\x34\x56\x52\x55\x0a\0\x02\x02\x08\0\x45", 15);
	put16(f + 16, (unsigned int)(len - 14));
	f[22] = 64;
	f[23] = 17;
	memcpy(f + 26, "\x0a\0\x02\x0f\x0a\0\x02\x02", 8);
	put16(f + 24, ~sum(f + 14, 20, 0) & 0xffff);
	put16(f + 34, 7);
	put16(f + 36, 7);
	put16(f + 38, (unsigned int)udplen);
	for (i = 42; i < len; i++)
		f[i] = (uint8_t)(i * 13 + tag * 7 + (tag >> 3));
	if (len >= 46) {
		put16(f + 42, tag);
		put16(f + 44, (unsigned int)len);
	}
	pseudo = sum(f + 26, 8, 17 + (uint32_t)udplen);
	put16(f + 40, partial ? pseudo : ~sum(f + 34, udplen, pseudo) & 0xffff);
	if (!partial && f[40] == 0 && f[41] == 0)
		put16(f + 40, 0xffff);
}

static int
is_frame(const uint8_t *f, size_t len)
{
	unsigned int tag;

	if (len < 60)
		return 0;
	tag = (unsigned int)(f[42] << 8 | f[43]);
	build(frame, len, tag, 0);
	return memcmp(f, frame, len) == 0;
}

static void
peer(struct vdev *vd, const uint8_t *f, size_t len, void *arg)
{
	struct scene *sc = arg;

	(void)vd;
	/* One that the device was to complete is complete by now. */
	if (f[12] == 0x86 || f[23] == 6)
		return;
	MUST(sc, is_frame(f, len));
	seen++;
	if (nechoes < NTX) {
		echo[nechoes].tag = (unsigned int)(f[42] << 8 | f[43]);
		echo[nechoes++].len = len;
	}
}

static void
note_rx(void *arg, unsigned int queue)
{
	scene_note_queue(arg, PV_NET_RXQ(queue));
}

static void
note_tx(void *arg, unsigned int queue)
{
	scene_note_queue(arg, PV_NET_TXQ(queue));
}

static const struct pv_net_callbacks callbacks = {
	note_rx, note_tx, scene_note_changed, scene_note_broken
};

static unsigned int
pairs(void)
{
	return pv_net_info(&net)->ni_pairs;
}

static int
has(const struct scene *sc, unsigned int bit)
{
	return pv_virtio_has(sc->sc_dev, bit);
}

/* What a driver waits for, it sees without an interrupt. */
static void
answered(struct scene *sc)
{
	fake_noticed(&sc->sc_st.st_fd, has(sc, PV_NET_F_MQ) ||
	    has(sc, PV_NET_F_RSS) ? 2 * (int)sc->sc_vd.vd_net.vn_maxpairs : 2);
	scene_settle(sc);
}

static int
post_all(struct scene *sc)
{
	struct pv_net_rxbuf rb;
	unsigned int i, done, want = pv_net_rx_size(&net);
	int error;

	want *= pairs();
	if (want > NRX)
		want = NRX;
	for (i = 0; i < want; i++) {
		if (rx[i].nb_out)
			continue;
		if (rx[i].nb_pb != NULL &&
		    rx[i].nb_pb->pb_len < pv_net_rxbuf_len(&net)) {
			port_buf_free(rx[i].nb_pb);
			rx[i].nb_pb = NULL;
		}
		if (rx[i].nb_pb == NULL)
			rx[i].nb_pb = port_buf_new(pv_net_rxbuf_len(&net));
		memset(&rb, 0, sizeof(rb));
		rb.rb_piece.pc_map = rx[i].nb_pb->pb_map;
		rb.rb_piece.pc_len = rx[i].nb_pb->pb_len;
		rb.rb_va = rx[i].nb_pb->pb_va;
		rb.rb_cookie = &rx[i];
		error = pv_net_post(&net, i % pairs(), &rb, 1, &done);
		if (error == ENOBUFS && i > 3)
			return 0;
		if (error)
			return error;
		rx[i].nb_out = 1;
	}
	scene_settle(sc);
	return 0;
}

/* A buffer to send from. */
static struct nbuf *
tx_get(struct scene *sc)
{
	unsigned int i;

	for (i = 0; i < NTX && tx[i].nb_out; i++)
		continue;
	MUST(sc, i < NTX);
	if (tx[i].nb_pb == NULL)
		tx[i].nb_pb = port_buf_new(20 + FRAMES + 2048);
	return &tx[i];
}

static int
send_one(struct scene *sc, size_t len, int partial)
{
	unsigned int done, hdrlen = pv_net_hdrlen(&net);
	struct nbuf *nb = tx_get(sc);
	struct pv_piece piece = { nb->nb_pb->pb_map, hdrlen, len };
	struct pv_net_tx t = { .tx_pieces = &piece, .tx_npieces = 1 };
	int error;

	build(nb->nb_pb->pb_va + hdrlen, len, next_tag++ & 0xffff, partial);
	t.tx_hdr = nb->nb_pb->pb_va;
	t.tx_cookie = nb;
	if (partial) {
		t.tx_flags = PV_NET_TX_CSUM;
		t.tx_csum_start = 34;
		t.tx_csum_offset = 6;
	}
	error = pv_net_transmit(&net, next_tag % pairs(), &t, 1, &done);
	if (done)
		nb->nb_out = 1;
	MUST(sc, (error == 0) == (done == 1));
	return error;
}

static void
came_back(struct scene *sc, struct nbuf *pool, unsigned int n, void *cookie)
{
	struct nbuf *nb = cookie;

	MUST(sc, nb >= pool && nb < pool + n && nb->nb_out);
	nb->nb_out = 0;
}

static int
reclaim(struct scene *sc)
{
	void *cookies[NTX];
	unsigned int i, q, done;
	int error = 0;

	for (q = 0; q < pv_net_info(&net)->ni_maxpairs && error == 0; q++) {
		error = pv_net_reclaim(&net, q, cookies, NTX, &done);
		for (i = 0; i < done; i++)
			came_back(sc, tx, NTX, cookies[i]);
		/* A driver that reclaims needs to be told of nothing. */
		fake_noticed(&sc->sc_st.st_fd, (int)PV_NET_TXQ(q));
	}
	return error;
}

/* Frames that the driver hands up on a queue; returns their number. */
static unsigned int
receive_on(struct scene *sc, unsigned int queue, unsigned int hdr_flags)
{
	struct pv_net_rx r[64];
	unsigned int i, done, frames = 0;
	struct nbuf *nb;
	size_t len = 0;

	if (pv_net_receive(&net, queue, r, 64, &done) != 0)
		MUST(sc, scene_gone(sc) || sc->sc_broken);
	for (i = 0; i < done; i++) {
		nb = r[i].rx_cookie;
		came_back(sc, rx, NRX, nb);
		MUST(sc, !(r[i].rx_flags & PV_NET_RX_ERROR));
		MUST(sc, r[i].rx_off + r[i].rx_len <= nb->nb_pb->pb_len);
		MUST(sc, len + r[i].rx_len <= sizeof(assembled));
		memcpy(assembled + len, nb->nb_pb->pb_va + r[i].rx_off,
		    r[i].rx_len);
		if (len == 0) {
			last = r[i];
			vdev_net_got(&sc->sc_vd, 1, r[i].rx_flags, hdr_flags);
			oversize += (r[i].rx_flags & PV_NET_RX_OVERSIZE) != 0;
		}
		len += r[i].rx_len;
		if (r[i].rx_flags & PV_NET_RX_MORE)
			continue;
		if (!(r[i].rx_flags & PV_NET_RX_OVERSIZE))
			MUST(sc, is_frame(assembled, len));
		vdev_net_hinted(&sc->sc_vd, last.rx_hdr_len, len);
		frames++;
		len = 0;
	}
	return frames;
}

/* On all of them, until there are no more. */
static unsigned int
receive(struct scene *sc, unsigned int hdr_flags)
{
	unsigned int q, frames = 0;

	for (q = 0; q < pairs(); q++) {
		frames += receive_on(sc, q, hdr_flags);
		while (!scene_gone(sc) && pv_net_rx_intr(&net, q, 1))
			frames += receive_on(sc, q, hdr_flags);
	}
	return frames;
}

/* n frames there and back again. */
static void
traffic(struct scene *sc, unsigned int n, size_t least, size_t most)
{
	struct vdev *vd = &sc->sc_vd;
	unsigned int i, q, got = 0, before = seen, flags = 0, notes;
	int partial = pv_virtio_has(sc->sc_dev, PV_NET_F_CSUM);
	static uint8_t f[VDEV_MAXFRAME];

	if (most > FRAMES)
		most = FRAMES;
	nechoes = 0;
	for (i = 0; i < n; i++) {
		WANT(sc, send_one(sc, least + vdev_random(vd,
		    (uint32_t)(most - least + 1)), partial && i % 3 == 2) == 0);
		scene_settle(sc);
	}
	WANT(sc, seen == before + n);
	for (i = 0; i < pairs(); i++)
		if (pv_net_tx_intr(&net, i, 1) || !scene_reliable(sc))
			scene_poll(sc);
	WANT(sc, reclaim(sc) == 0);
	for (i = 0; i < NTX; i++)
		WANT(sc, !tx[i].nb_out);
	if (pv_virtio_has(sc->sc_dev, PV_NET_F_GUEST_CSUM))
		flags = vdev_random(vd, 2) ? 2 : 0;
	for (i = 0; i < nechoes; i++) {
		WANT(sc, post_all(sc) == 0);
		build(f, echo[i].len, echo[i].tag, 0);
		q = i % pairs();
		vd->vd_net.vn_as.queue = q;
		notes = sc->sc_notes[PV_NET_RXQ(q)];
		WANT(sc, vdev_net_deliver(vd, f, echo[i].len, flags));
		scene_poll(sc);
		if (scene_reliable(sc))
			WANT(sc, sc->sc_notes[PV_NET_RXQ(q)] > notes);
		got += receive(sc, flags);
		vdev_net_got(vd, scene_gone(sc) || got == i + 1, 0, flags);
		WANT(sc, got == i + 1);
		scene_settle(sc);
	}
	WANT(sc, post_all(sc) == 0);
out:	;
}

static void
drain(struct scene *sc)
{
	unsigned int q;
	void *cookie;

	for (q = 0; q < pv_net_info(&net)->ni_maxpairs; q++) {
		while ((cookie = pv_net_drain_tx(&net, q)) != NULL)
			came_back(sc, tx, NTX, cookie);
		while ((cookie = pv_net_drain_rx(&net, q)) != NULL)
			came_back(sc, rx, NRX, cookie);
	}
}

static void
all_back(struct scene *sc)
{
	unsigned int i;

	for (i = 0; i < NRX; i++)
		MUST(sc, !rx[i].nb_out);
	for (i = 0; i < NTX; i++)
		MUST(sc, !tx[i].nb_out);
}

static void
all_again(struct scene *sc)
{
	WANT(sc, pv_net_stop(&net) == 0);
	drain(sc);
	all_back(sc);
	sc->sc_vd.vd_hold = 0;
	sc->sc_broken = 0;
	WANT(sc, pv_net_start(&net) == 0);
	answered(sc);
	WANT(sc, post_all(sc) == 0);
out:	;
}

/*
 * One queue is taken back with frames at the device, and used again. Where the
 * device offers that but does not do it, all are reset.
 */
static void
reset_queue(struct scene *sc)
{
	int error;
	unsigned int i, q = next_tag % pairs();
	void *cookie;

	if (!has(sc, PV_F_RING_RESET)) {
		WANT(sc, pv_net_reset_tx(&net, q) == ENOTSUP);
		return;
	}
	sc->sc_vd.vd_hold = 1;
	for (i = 0; i < 8; i++)
		WANT(sc, send_one(sc, 60 + 8 * i, 0) == 0);
	WANT(sc, pv_net_resume_tx(&net, q) == EINVAL);
	error = pv_net_reset_tx(&net, q);
	if (error == ETIMEDOUT) {
		all_again(sc);
		goto out;
	}
	WANT(sc, error == 0);
	WANT(sc, pv_net_reset_tx(&net, q) == EINVAL);
	while ((cookie = pv_net_drain_tx(&net, q)) != NULL)
		came_back(sc, tx, NTX, cookie);
	WANT(sc, pv_net_resume_tx(&net, q) == 0);
	sc->sc_vd.vd_hold = 0;
	if (pairs() == 1)
		traffic(sc, 4, 60, 600);
	else
		WANT(sc, send_one(sc, 60, 0) == 0);
out:
	sc->sc_vd.vd_hold = 0;
}

/* The two steps of a reset, with frames at the device. */
static void
reset_under_load(struct scene *sc, int asked)
{
	unsigned int i;
	int error;

	sc->sc_vd.vd_hold = 1;
	for (i = 0; i < 16; i++)
		WANT(sc, send_one(sc, 60 + 8 * i, 0) == 0);
	if (asked) {
		fake_needs_reset(&sc->sc_st.st_fd);
		if (!scene_reliable(sc))
			pv_virtio_poll(sc->sc_dev);
		WANT(sc, sc->sc_broken == 1);
		MUST(sc, send_one(sc, 60, 0) == EIO);
	}
	error = pv_net_stop(&net);
	drain(sc);
	all_back(sc);
	sc->sc_vd.vd_hold = 0;
	sc->sc_broken = 0;
	WANT(sc, error == 0);
	WANT(sc, pv_net_start(&net) == 0);
	answered(sc);
	WANT(sc, post_all(sc) == 0);
	traffic(sc, 4, 60, 600);
out:
	sc->sc_vd.vd_hold = 0;
}

static void
mtu_changes(struct scene *sc)
{
	unsigned int hard = pv_net_hardmtu(&net), mtu = pv_net_mtu(&net);

	if (pv_virtio_has(sc->sc_dev, PV_NET_F_MTU))
		WANT(sc, hard == sc->sc_vd.vd_net.vn_mtu && mtu == hard);
	else
		WANT(sc, mtu == 1500);
	WANT(sc, pv_net_set_mtu(&net, 67) == EINVAL);
	WANT(sc, pv_net_set_mtu(&net, hard + 1) == EINVAL);
	WANT(sc, pv_net_set_mtu(&net, 576) == 0);
	WANT(sc, send_one(sc, 14 + 577, 0) == EMSGSIZE);
	traffic(sc, 2, 14 + 576, 14 + 576);
	if (scene_gone(sc))
		return;
	WANT(sc, pv_net_set_mtu(&net, mtu) == 0);
	if (14 + mtu <= FRAMES) {
		WANT(sc, send_one(sc, 14 + mtu + 1, 0) == EMSGSIZE);
		traffic(sc, 2, 14 + mtu, 14 + mtu);
	}
out:	;
}

static void
link_changes(struct scene *sc)
{
	if (!pv_virtio_has(sc->sc_dev, PV_NET_F_STATUS))
		return;
	sc->sc_changed = 0;
	vdev_net_link(&sc->sc_vd, 0);
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
	if (!sc->sc_polls)
		WANT(sc, sc->sc_changed > 0);
	WANT(sc, pv_net_changed(&net) == 1);
	vdev_net_told(&sc->sc_vd, pv_net_mac(&net), pv_net_link(&net));
	vdev_net_link(&sc->sc_vd, 1);
	WANT(sc, pv_net_changed(&net) == 1);
	vdev_net_told(&sc->sc_vd, pv_net_mac(&net), pv_net_link(&net));
	scene_settle(sc);
out:	;
}

static void
oversized(struct scene *sc)
{
	static uint8_t f[VDEV_MAXFRAME];
	unsigned int mtu = pv_net_mtu(&net), before = oversize;
	size_t len = 14 + mtu + 300;

	if (!vdev_has(&sc->sc_vd, Q_OVERSIZE))
		return;
	build(f, len, 1, 0);
	WANT(sc, vdev_net_deliver(&sc->sc_vd, f, len, 0));
	scene_poll(sc);
	receive(sc, 0);
	/* Whole, or what fits: then it may look like a shorter one. */
	WANT(sc, oversize == before + 1 ||
	    pv_net_rxbuf_len(&net) < len + pv_net_hdrlen(&net));
	WANT(sc, post_all(sc) == 0);
	traffic(sc, 2, 60, 1000);
out:	;
}

/* A frame that the device is to cut, of UDP or TCP. */
static void
fill_gso(uint8_t *f, struct pv_net_tx *t, unsigned int kind, size_t len)
{
	int v6 = kind == PV_NET_TX_TSO6, tcp = v6 || kind == PV_NET_TX_TSO4;
	unsigned int ip = v6 ? 54 : 34;

	build(f, len, next_tag++ & 0xffff, 1);
	if (tcp) {
		f[12] = v6 ? 0x86 : 8;
		f[13] = v6 ? 0xdd : 0;
		f[v6 ? 20 : 23] = 6;
		f[ip + 13] = 0;
	}
	t->tx_flags = (uint16_t)(PV_NET_TX_CSUM | kind);
	t->tx_csum_start = (uint16_t)ip;
	t->tx_csum_offset = tcp ? 16 : 6;
	t->tx_gso_size = 400;
	t->tx_hdr_len = (uint16_t)(ip + (tcp ? 20 : 8));
}

static void
send_gso(struct scene *sc, unsigned int kind)
{
	unsigned int done, hdrlen = pv_net_hdrlen(&net);
	unsigned int before = sc->sc_vd.vd_net.vn_gso;
	struct nbuf *nb = tx_get(sc);
	struct pv_piece piece = { nb->nb_pb->pb_map, hdrlen, 6000 };
	struct pv_net_tx t = {
		.tx_pieces = &piece, .tx_npieces = 1,
		.tx_hdr = nb->nb_pb->pb_va, .tx_cookie = nb,
	};

	fill_gso(nb->nb_pb->pb_va + hdrlen, &t, kind, piece.pc_len);
	if (has(sc, PV_NET_F_HOST_ECN) && t.tx_csum_offset == 16) {
		nb->nb_pb->pb_va[hdrlen + t.tx_csum_start + 13] = 0x80;
		t.tx_flags |= PV_NET_TX_ECN;
	}
	WANT(sc, pv_net_transmit(&net, 0, &t, 1, &done) == 0);
	nb->nb_out = 1;
	scene_settle(sc);
	WANT(sc, sc->sc_vd.vd_net.vn_gso == before + 1);
	WANT(sc, reclaim(sc) == 0);
out:	;
}

/* A frame that the device has made of several. */
static void
receive_gso(struct scene *sc, uint8_t type, unsigned int kind)
{
	struct vdev *vd = &sc->sc_vd;
	static uint8_t f[VDEV_MAXFRAME];

	vd->vd_net.vn_as.queue = 0;
	vd->vd_net.vn_as.gso_type = type;
	vd->vd_net.vn_as.gso_size = 700;
	vd->vd_net.vn_as.hash = 0x12345678;
	vd->vd_net.vn_as.hash_type = PV_NET_HASH_UDPV4;
	build(f, 6000, 9, 0);
	WANT(sc, vdev_net_deliver(vd, f, 6000, 1));
	memset(&vd->vd_net.vn_as, 0, sizeof(vd->vd_net.vn_as));
	scene_poll(sc);
	WANT(sc, receive(sc, 1) == 1);
	WANT(sc, (last.rx_flags & PV_NET_RX_GSO) == kind);
	WANT(sc, !(last.rx_flags & PV_NET_RX_OVERSIZE));
	WANT(sc, last.rx_gso_size == 700);
	if (has(sc, PV_NET_F_HASH_REPORT))
		WANT(sc, last.rx_hash == 0x12345678 &&
		    last.rx_hash_type == PV_NET_HASH_UDPV4);
	WANT(sc, post_all(sc) == 0);
	scene_settle(sc);
out:	;
}

static void
offloads(struct scene *sc)
{
	static const struct {
		unsigned int bit, kind;
		uint8_t type;		/* 0: sent, else received */
	} kinds[] = {
		{ PV_NET_F_HOST_TSO4, PV_NET_TX_TSO4, 0 },
		{ PV_NET_F_HOST_TSO6, PV_NET_TX_TSO6, 0 },
		{ PV_NET_F_HOST_UFO, PV_NET_TX_UFO, 0 },
		{ PV_NET_F_HOST_USO, PV_NET_TX_USO, 0 },
		{ PV_NET_F_GUEST_TSO4, PV_NET_RX_TSO4, 1 },
		{ PV_NET_F_GUEST_TSO6, PV_NET_RX_TSO6, 4 },
		{ PV_NET_F_GUEST_UFO, PV_NET_RX_UFO, 3 },
		{ PV_NET_F_GUEST_USO4, PV_NET_RX_USO, 5 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (scene_gone(sc))
			return;
		if (!has(sc, kinds[i].bit))
			continue;
		if (kinds[i].type == 0)
			send_gso(sc, kinds[i].kind);
		else
			receive_gso(sc, kinds[i].type, kinds[i].kind);
	}
}

/* What is asked for works where the feature is, and says so where not. */
static int
goes(const struct scene *sc, unsigned int bit, int error)
{
	return error == (has(sc, bit) ? 0 : ENOTSUP);
}

static const uint8_t macs[3][6] = {
	{ 0x52, 0x54, 0, 1, 2, 3 }, { 0x33, 0x33, 0, 0, 0, 1 },
	{ 1, 0, 0x5e, 0, 0, 0xfb },
};

/* All that was set is what the device has. */
static void
is_set(struct scene *sc)
{
	const struct vdev_net *vn = &sc->sc_vd.vd_net;

	if (has(sc, PV_NET_F_CTRL_MAC_ADDR))
		WANT(sc, memcmp(vn->vn_mac, macs[0], 6) == 0);
	if (has(sc, PV_NET_F_CTRL_RX))
		WANT(sc, vn->vn_nuni == 1 && vn->vn_nmulti == 2);
	if (has(sc, PV_NET_F_CTRL_VLAN))
		WANT(sc, vn->vn_vlans[100 / 8] == 1u << 100 % 8 &&
		    vn->vn_vlans[200 / 8] == 0);
	if (has(sc, PV_NET_F_CTRL_GUEST_OFFLOADS) &&
	    has(sc, PV_NET_F_GUEST_CSUM))
		WANT(sc, vn->vn_offloads == PV_F_BIT(PV_NET_F_GUEST_CSUM));
	if (has(sc, PV_NET_F_NOTF_COAL))
		WANT(sc, vn->vn_coal[1].packets == 9);
	if (has(sc, PV_NET_F_VQ_NOTF_COAL))
		WANT(sc, vn->vn_coal[0].packets == 7 &&
		    vn->vn_coal[0].usecs == 8);
	if (has(sc, PV_NET_F_RSS))
		WANT(sc, vn->vn_ntable == 16 && vn->vn_pairs == pairs() &&
		    vn->vn_table[1] == 1 % pairs());
	if (has(sc, PV_NET_F_RSS) || has(sc, PV_NET_F_HASH_REPORT))
		WANT(sc, vn->vn_hashes && vn->vn_hash_types == 3);
out:	;
}

static void
set_all(struct scene *sc)
{
	const struct pv_net_coalescing rxco = { 7, 8 }, txco = { 9, 10 };
	uint16_t table[16];
	struct pv_net_rss rss = { .nr_types = 3, .nr_table = table,
	    .nr_ntable = has(sc, PV_NET_F_RSS) ? 16 : 0 };
	uint64_t csum = has(sc, PV_NET_F_GUEST_CSUM) ?
	    PV_F_BIT(PV_NET_F_GUEST_CSUM) : 0;
	unsigned int i;

	for (i = 0; i < 16; i++)
		table[i] = (uint16_t)(i % pairs());
	WANT(sc, goes(sc, PV_NET_F_CTRL_MAC_ADDR,
	    pv_net_set_mac(&net, macs[0])));
	WANT(sc, pv_net_set_macs(&net, macs[0], 1, macs[1], 2) == 0);
	WANT(sc, goes(sc, PV_NET_F_CTRL_VLAN, pv_net_set_vlan(&net, 100, 1)));
	WANT(sc, goes(sc, PV_NET_F_CTRL_VLAN, pv_net_set_vlan(&net, 200, 1)));
	WANT(sc, goes(sc, PV_NET_F_CTRL_VLAN, pv_net_set_vlan(&net, 200, 0)));
	WANT(sc, goes(sc, PV_NET_F_CTRL_GUEST_OFFLOADS,
	    pv_net_set_offloads(&net, csum)));
	WANT(sc, goes(sc, PV_NET_F_NOTF_COAL, pv_net_set_coalescing(&net,
	    PV_NET_ALL_TXQ, &txco)));
	WANT(sc, goes(sc, PV_NET_F_VQ_NOTF_COAL, pv_net_set_coalescing(&net,
	    PV_NET_RXQ(0), &rxco)));
	if (has(sc, PV_NET_F_RSS) || has(sc, PV_NET_F_HASH_REPORT))
		WANT(sc, pv_net_set_rss(&net, &rss) == 0);
	answered(sc);
	is_set(sc);
out:	;
}

/* What the device says of itself when asked. */
static void
ask_all(struct scene *sc)
{
	struct pv_net_stat st[PV_NET_MAXSTATS];
	struct pv_net_coalescing co = { 1, 1 };
	unsigned int n, vq;
	int error;

	error = pv_net_get_coalescing(&net, PV_NET_RXQ(0), &co);
	vdev_net_coal(&sc->sc_vd, error, co.co_frames != 1);
	WANT(sc, goes(sc, PV_NET_F_VQ_NOTF_COAL, error));
	if (error == 0)
		WANT(sc, co.co_frames == 7 && co.co_us == 8);
	for (vq = 0; vq < 2 * pairs(); vq++) {
		error = pv_net_stats(&net, vq, st, &n);
		WANT(sc, goes(sc, PV_NET_F_DEVICE_STATS, error));
		WANT(sc, error || (n >= 8 && st[1].st_value ==
		    1 + 1600 * (vq % 2)));
	}
	WANT(sc, goes(sc, PV_NET_F_DEVICE_STATS,
	    pv_net_stats(&net, PV_NET_CTRLQ, st, &n)));
	answered(sc);
	vdev_net_speed(&sc->sc_vd, pv_net_info(&net)->ni_speed,
	    pv_net_info(&net)->ni_duplex);
out:	;
}

static void
announces(struct scene *sc)
{
	if (!has(sc, PV_NET_F_GUEST_ANNOUNCE))
		return;
	vdev_net_announce(&sc->sc_vd);
	WANT(sc, pv_net_changed(&net) & PV_NET_CHANGED_ANNOUNCE);
	WANT(sc, send_one(sc, 60, 0) == 0);
	scene_settle(sc);
	WANT(sc, reclaim(sc) == 0);
	WANT(sc, pv_net_announced(&net) == 0);
	answered(sc);
	WANT(sc, (pv_net_changed(&net) & PV_NET_CHANGED_ANNOUNCE) == 0);
	vdev_net_announced(&sc->sc_vd, 1);
	scene_settle(sc);
out:	;
}

static void
fewer_pairs(struct scene *sc)
{
	unsigned int all = pairs();

	WANT(sc, pv_net_set_pairs(&net, 0) == EINVAL);
	WANT(sc, pv_net_set_pairs(&net, all + 1) == EINVAL);
	if (all == 1)
		return;
	WANT(sc, pv_net_set_pairs(&net, 1) == 0);
	answered(sc);
	WANT(sc, sc->sc_vd.vd_net.vn_pairs == 1 && pairs() == 1);
	traffic(sc, 4, 60, 600);
	WANT(sc, pv_net_set_pairs(&net, all) == 0);
	answered(sc);
	traffic(sc, 4, 60, 600);
out:	;
}

static void
modes(struct scene *sc)
{
	unsigned int i, before = sc->sc_vd.vd_net.vn_commands;

	for (i = 0; i < 3; i++) {
		WANT(sc, pv_net_set_rxmode(&net, i) == 0);
		answered(sc);
	}
	if (pv_virtio_has(sc->sc_dev, PV_NET_F_CTRL_RX)) {
		WANT(sc, sc->sc_vd.vd_net.vn_commands == before + 6);
		/* An address that the driver made: all frames are let in. */
		WANT(sc, (sc->sc_vd.vd_net.vn_modes[0] != 0) ==
		    (!pv_virtio_has(sc->sc_dev, PV_NET_F_MAC) &&
		    !pv_virtio_has(sc->sc_dev, PV_NET_F_CTRL_MAC_ADDR)));
		WANT(sc, sc->sc_vd.vd_net.vn_modes[1]);
	}
out:	;
}

static void
stopped_under_load(struct scene *sc)
{
	reset_under_load(sc, 0);
}

static void
asks_under_load(struct scene *sc)
{
	if (vdev_has(&sc->sc_vd, Q_NEEDS_RESET))
		reset_under_load(sc, 1);
}

/* All that a driver can do, while the device is there; then it has frames. */
static void
play(struct scene *sc)
{
	static void (*const acts[])(struct scene *) = {
		offloads, modes, fewer_pairs, mtu_changes, link_changes,
		announces, set_all, ask_all, oversized, reset_queue,
		stopped_under_load, is_set, asks_under_load
	};
	unsigned int i;

	traffic(sc, 5, 60, 14 + pv_net_mtu(&net));
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!scene_gone(sc))
			acts[i](sc);
	if (scene_gone(sc))
		return;
	sc->sc_vd.vd_hold = 1;
	for (i = 0; i < 8; i++)
		WANT(sc, send_one(sc, 100, 0) == 0);
out:	;
}

void
scene_net(struct scene *sc)
{
	struct pv_net_params params = { 0 };
	void (*let_go)(struct port_buf *);
	unsigned int i;
	int error;

	memset(&net, 0, sizeof(net));
	memset(rx, 0, sizeof(rx));
	memset(tx, 0, sizeof(tx));
	seen = oversize = 0;
	next_tag = (unsigned int)sc->sc_run->rn_seed;
	sc->sc_vd.vd_net.vn_peer = peer;
	sc->sc_vd.vd_net.vn_arg = sc;
	params.np_pairs = 1 + (unsigned int)sc->sc_run->rn_seed % 3;
	if (sc->sc_run->rn_seed % 2)
		params.np_want = PV_NET_OPTIONAL;
	error = pv_net_attach(&net, sc->sc_dev, &callbacks, sc, &params);
	if (error) {
		scene_attach_failed(sc, error);
		return;
	}
	vdev_net_told(&sc->sc_vd, scene_gone(sc) ? sc->sc_st.st_fd.fd_config :
	    pv_net_mac(&net), scene_gone(sc) ? 1 : pv_net_link(&net));
	answered(sc);
	WANT(sc, post_all(sc) == 0);
	if (!scene_gone(sc))
		vdev_net_filled(&sc->sc_vd);
	play(sc);
out:
	error = pv_net_stop(&net);
	MUST(sc, error == 0 || scene_gone(sc));
	drain(sc);
	all_back(sc);
	error = pv_net_detach(&net);
	MUST(sc, error == 0 || scene_gone(sc));
	let_go = scene_gone(sc) ? port_buf_lose : port_buf_free;
	for (i = 0; i < NRX; i++)
		let_go(rx[i].nb_pb);
	for (i = 0; i < NTX; i++)
		let_go(tx[i].nb_pb);
}
