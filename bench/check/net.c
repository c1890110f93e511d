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
	(void)queue;
	scene_note_0(arg);
}

static void
note_tx(void *arg, unsigned int queue)
{
	(void)queue;
	scene_note_1(arg);
}

static const struct pv_net_callbacks callbacks = {
	note_rx, note_tx, scene_note_changed, scene_note_broken
};

static int
post_all(struct scene *sc)
{
	struct pv_net_rxbuf rb;
	unsigned int i, done, want = pv_net_rx_size(&net);
	int error;

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
		error = pv_net_post(&net, 0, &rb, 1, &done);
		if (error == ENOBUFS && i > 3)
			return 0;
		if (error)
			return error;
		rx[i].nb_out = 1;
	}
	scene_settle(sc);
	return 0;
}

static int
send_one(struct scene *sc, size_t len, int partial)
{
	unsigned int i, done, hdrlen = pv_net_hdrlen(&net);
	struct pv_piece piece;
	struct pv_net_tx t = { .tx_pieces = &piece, .tx_npieces = 1 };
	int error;

	for (i = 0; i < NTX && tx[i].nb_out; i++)
		continue;
	MUST(sc, i < NTX);
	if (tx[i].nb_pb == NULL)
		tx[i].nb_pb = port_buf_new(12 + FRAMES + 2048);
	build(tx[i].nb_pb->pb_va + hdrlen, len, next_tag++ & 0xffff, partial);
	piece.pc_map = tx[i].nb_pb->pb_map;
	piece.pc_off = hdrlen;
	piece.pc_len = len;
	t.tx_hdr = tx[i].nb_pb->pb_va;
	t.tx_cookie = &tx[i];
	if (partial) {
		t.tx_flags = PV_NET_TX_CSUM;
		t.tx_csum_start = 34;
		t.tx_csum_offset = 6;
	}
	error = pv_net_transmit(&net, 0, &t, 1, &done);
	if (done)
		tx[i].nb_out = 1;
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
	unsigned int i, done;
	int error;

	error = pv_net_reclaim(&net, 0, cookies, NTX, &done);
	for (i = 0; i < done; i++)
		came_back(sc, tx, NTX, cookies[i]);
	/* A driver that reclaims needs to be told of nothing. */
	fake_noticed(&sc->sc_st.st_fd, 1);
	return error;
}

/* Frames that the driver hands up; returns their number. */
static unsigned int
receive(struct scene *sc, unsigned int hdr_flags)
{
	struct pv_net_rx r[64];
	unsigned int i, done, frames = 0;
	struct nbuf *nb;
	size_t len = 0;

	if (pv_net_receive(&net, 0, r, 64, &done) != 0)
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
			vdev_net_got(&sc->sc_vd, 1, r[i].rx_flags, hdr_flags);
			oversize += (r[i].rx_flags & PV_NET_RX_OVERSIZE) != 0;
		}
		len += r[i].rx_len;
		if (r[i].rx_flags & PV_NET_RX_MORE)
			continue;
		if (!(r[i].rx_flags & PV_NET_RX_OVERSIZE))
			MUST(sc, is_frame(assembled, len));
		frames++;
		len = 0;
	}
	return frames;
}

/* n frames there and back again. */
static void
traffic(struct scene *sc, unsigned int n, size_t least, size_t most)
{
	struct vdev *vd = &sc->sc_vd;
	unsigned int i, got = 0, before = seen, flags = 0, notes;
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
	if (pv_net_tx_intr(&net, 0, 1) || !scene_reliable(sc))
		scene_poll(sc);
	WANT(sc, reclaim(sc) == 0);
	for (i = 0; i < NTX; i++)
		WANT(sc, !tx[i].nb_out);
	if (pv_virtio_has(sc->sc_dev, PV_NET_F_GUEST_CSUM))
		flags = vdev_random(vd, 2) ? 2 : 0;
	for (i = 0; i < nechoes; i++) {
		WANT(sc, post_all(sc) == 0);
		build(f, echo[i].len, echo[i].tag, 0);
		notes = sc->sc_notes[0];
		WANT(sc, vdev_net_deliver(vd, f, echo[i].len, flags));
		scene_poll(sc);
		if (scene_reliable(sc))
			WANT(sc, sc->sc_notes[0] > notes);
		got += receive(sc, flags);
		while (!scene_gone(sc) && pv_net_rx_intr(&net, 0, 1))
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
	void *cookie;

	while ((cookie = pv_net_drain_tx(&net, 0)) != NULL)
		came_back(sc, tx, NTX, cookie);
	while ((cookie = pv_net_drain_rx(&net, 0)) != NULL)
		came_back(sc, rx, NRX, cookie);
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

/* The two steps of a reset, with frames at the device. */
static void
reset_under_load(struct scene *sc, int asked)
{
	unsigned int i;

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
	i = (unsigned int)pv_net_stop(&net);
	drain(sc);
	all_back(sc);
	sc->sc_vd.vd_hold = 0;
	sc->sc_broken = 0;
	WANT(sc, i == 0);
	WANT(sc, pv_net_start(&net) == 0);
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

	build(f, len, 1, 0);
	WANT(sc, vdev_net_deliver(&sc->sc_vd, f, len, 0));
	scene_poll(sc);
	receive(sc, 0);
	while (!scene_gone(sc) && pv_net_rx_intr(&net, 0, 1))
		receive(sc, 0);
	/* Whole, or what fits: then it may look like a shorter one. */
	WANT(sc, oversize == before + 1 ||
	    pv_net_rxbuf_len(&net) < len + pv_net_hdrlen(&net));
	WANT(sc, post_all(sc) == 0);
	traffic(sc, 2, 60, 1000);
out:	;
}

static void
modes(struct scene *sc)
{
	unsigned int i, before = sc->sc_vd.vd_net.vn_commands;

	for (i = 0; i < 3; i++) {
		WANT(sc, pv_net_set_rxmode(&net, i) == 0);
		fake_noticed(&sc->sc_st.st_fd, 2);
		scene_settle(sc);
	}
	if (pv_virtio_has(sc->sc_dev, PV_NET_F_CTRL_RX)) {
		WANT(sc, sc->sc_vd.vd_net.vn_commands == before + 6);
		/* An address that the driver made: all frames are let in. */
		WANT(sc, (sc->sc_vd.vd_net.vn_promisc != 0) ==
		    (!pv_virtio_has(sc->sc_dev, PV_NET_F_MAC) &&
		    !pv_virtio_has(sc->sc_dev, PV_NET_F_CTRL_MAC_ADDR)));
		WANT(sc, sc->sc_vd.vd_net.vn_allmulti);
	}
out:	;
}

void
scene_net(struct scene *sc)
{
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
	error = pv_net_attach(&net, sc->sc_dev, &callbacks, sc, NULL);
	if (error) {
		scene_attach_failed(sc, error);
		return;
	}
	vdev_net_told(&sc->sc_vd, scene_gone(sc) ? sc->sc_st.st_fd.fd_config :
	    pv_net_mac(&net), scene_gone(sc) ? 1 : pv_net_link(&net));
	WANT(sc, post_all(sc) == 0);
	traffic(sc, 5, 60, 14 + pv_net_mtu(&net));
	if (!scene_gone(sc))
		modes(sc);
	if (!scene_gone(sc))
		mtu_changes(sc);
	if (!scene_gone(sc))
		link_changes(sc);
	if (!scene_gone(sc) && vdev_has(&sc->sc_vd, Q_OVERSIZE))
		oversized(sc);
	if (!scene_gone(sc))
		reset_under_load(sc, 0);
	if (!scene_gone(sc) && vdev_has(&sc->sc_vd, Q_NEEDS_RESET))
		reset_under_load(sc, 1);
	if (scene_gone(sc))
		goto out;
	sc->sc_vd.vd_hold = 1;
	for (i = 0; i < 8; i++)
		WANT(sc, send_one(sc, 100, 0) == 0);
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
