/* SPDX-License-Identifier: ISC */
/*
 * A network driver under a device that does anything at all.
 */
#include <string.h>

#include <paravane/net.h>

#include "hostile.h"

#define NBUFS	40
#define MAXPIECES 4

struct buf {
	struct port_buf *pb;
	struct pv_piece pieces[MAXPIECES];
	int posted;			/* the device's, or the driver's */
};

static struct pv_net net;
static struct buf rxbufs[NBUFS], txbufs[NBUFS];
static unsigned int frame_left;		/* buffers that a frame still takes */

/* A header, and then as many buffers as it says. */
static void
net_header(uint8_t *bytes)
{
	if (frame_left == 0) {
		frame_left = draw(4) == 0 ? 1 + draw(5) : 1;
		memset(bytes, 0, 12);
		bytes[0] = (uint8_t)draw(4);
		if (draw(3) == 0) {
			bytes[1] = (uint8_t)draw(6);
			bytes[5] = (uint8_t)draw(4);
		}
		bytes[6] = (uint8_t)draw(80);
		bytes[8] = (uint8_t)draw(80);
		bytes[10] = (uint8_t)frame_left;
	}
	frame_left--;
}

static void
net_device(struct rig *rg, unsigned int queue)
{
	uint8_t bytes[2048];
	struct rig_chain rc;
	uint32_t len;

	while (!lies() && hostile_take(queue, &rc)) {
		len = rc.rc_inlen < sizeof(bytes) ? rc.rc_inlen :
		    (uint32_t)sizeof(bytes);
		if (queue == 0 || queue == 2 || queue == 4)
			len = draw(2) ? draw(len + 1) : 60 < len ? 60 : len;
		scribble(bytes, len);
		if (rc.rc_outlen > 0 && rc.rc_inlen > 0 && !lies())
			bytes[rc.rc_inlen > 9 ? 0 : rc.rc_inlen - 1] = 0;
		else if (rc.rc_outlen == 0 && !lies())
			net_header(bytes);
		rig_write(&rc, 0, bytes, len);
		hostile_give(queue, &rc, len);
		rig_interrupt(rg, PV_INTR_QUEUE);
	}
	hostile_whim();
}

static void
returned(struct buf *bufs, void *cookie)
{
	struct buf *b = cookie;

	must(b >= bufs && b < bufs + NBUFS);
	holds(RULE_ID, b->posted);
	b->posted = 0;
	holds(RULE_REUSE, hostile_lost() || !hostile_has(b->pb));
}

static void
net_post(void)
{
	struct pv_net_rxbuf rb;
	unsigned int done, i = draw(NBUFS);
	struct buf *b = &rxbufs[i];

	if (b->posted)
		return;
	if (b->pb != NULL && b->pb->pb_len < pv_net_rxbuf_len(&net)) {
		port_buf_free(b->pb);
		b->pb = NULL;
	}
	if (b->pb == NULL)
		b->pb = port_buf_new(pv_net_rxbuf_len(&net));
	memset(&rb, 0, sizeof(rb));
	rb.rb_piece.pc_map = b->pb->pb_map;
	rb.rb_piece.pc_len = b->pb->pb_len;
	rb.rb_va = b->pb->pb_va;
	rb.rb_cookie = b;
	if (pv_net_post(&net, draw(3), &rb, 1, &done) == 0)
		b->posted = 1;
}

/* One frame, of as many buffers as say that there is more; their number. */
static unsigned int
net_frame(const struct pv_net_rx *rx, unsigned int n)
{
	uint32_t len = 0;
	unsigned int i;
	struct buf *b;

	for (i = 0; ; i++) {
		must(i < n);
		b = rx[i].rx_cookie;
		returned(rxbufs, b);
		holds(RULE_LENGTH, rx[i].rx_len <= b->pb->pb_len);
		holds(RULE_LENGTH, rx[i].rx_off <= b->pb->pb_len -
		    rx[i].rx_len);
		len += rx[i].rx_len;
		if (rx[i].rx_flags & PV_NET_RX_ERROR)
			must(rx[i].rx_len == 0);
		if (!(rx[i].rx_flags & PV_NET_RX_MORE))
			break;
	}
	if (rx[0].rx_flags & PV_NET_RX_GSO)
		holds(RULE_RANGES, rx[0].rx_gso_size != 0 &&
		    rx[0].rx_hdr_len <= len);
	holds(RULE_RANGES, rx[0].rx_hash_type <= PV_NET_HASH_UDPV6_EX);
	if (rx[0].rx_flags & PV_NET_RX_CSUM_PARTIAL)
		holds(RULE_RANGES, (uint32_t)rx[0].rx_csum_start +
		    rx[0].rx_csum_offset + 2 <= len);
	return i + 1;
}

static void
net_receive(void)
{
	struct pv_net_rx rx[64];
	unsigned int done, i;

	pv_net_receive(&net, draw(3), rx, draw(8) == 0 ? 1 : 64, &done);
	for (i = 0; i < done; )
		i += net_frame(&rx[i], done - i);
}

/* Frames that are to be cut, of which some can't be. */
static uint16_t
net_flags(struct pv_net_tx *tx)
{
	static const uint16_t flags[] = { PV_NET_TX_CSUM,
	    PV_NET_TX_CSUM | PV_NET_TX_TSO4, PV_NET_TX_CSUM | PV_NET_TX_UFO,
	    PV_NET_TX_CSUM | PV_NET_TX_TSO6 | PV_NET_TX_ECN, PV_NET_TX_USO };

	tx->tx_gso_size = (uint16_t)draw(1500);
	tx->tx_hdr_len = (uint16_t)draw(100);
	return flags[draw(5)];
}

/* The frame in one piece or in several, some of them wrong. */
static void
net_transmit(void)
{
	unsigned int done, i = draw(NBUFS), hdrlen = pv_net_hdrlen(&net), n;
	struct buf *b = &txbufs[i];
	struct pv_net_tx tx = { .tx_pieces = b->pieces };

	if (b->posted)
		return;
	if (b->pb == NULL)
		b->pb = port_buf_new(2048);
	tx.tx_npieces = draw(3) == 0 ? draw(MAXPIECES + 1) : 1;
	n = tx.tx_npieces > 1 ? tx.tx_npieces : 1;
	for (i = 0; i < n; i++) {
		b->pieces[i].pc_map = b->pb->pb_map;
		b->pieces[i].pc_off = hdrlen + i * (2000 / n);
		b->pieces[i].pc_len = 1 + draw(2000 / n);
	}
	if (draw(4) == 0) {
		tx.tx_flags = net_flags(&tx);
		tx.tx_csum_start = (uint16_t)draw(64);
		tx.tx_csum_offset = (uint16_t)(draw(4) ? 16 : strange());
	}
	b->pb->pb_va[hdrlen + 12] = draw(4) ? 8 : 0x81;
	b->pb->pb_va[hdrlen + 13] = 0;
	tx.tx_hdr = b->pb->pb_va;
	tx.tx_cookie = b;
	if (pv_net_transmit(&net, draw(3), &tx, 1, &done) == 0)
		b->posted = 1;
}

static void
net_reclaim(void)
{
	void *cookies[64];
	unsigned int done, i;

	pv_net_reclaim(&net, draw(3), cookies, 64, &done);
	for (i = 0; i < done; i++)
		returned(txbufs, cookies[i]);
}

static void
net_all_back(void)
{
	unsigned int i;
	void *cookie;

	for (i = 0; i < pv_net_info(&net)->ni_maxpairs; i++) {
		while ((cookie = pv_net_drain_tx(&net, i)) != NULL)
			returned(txbufs, cookie);
		while ((cookie = pv_net_drain_rx(&net, i)) != NULL)
			returned(rxbufs, cookie);
	}
	for (i = 0; i < NBUFS; i++) {
		must(!rxbufs[i].posted);
		must(!txbufs[i].posted);
	}
}

/* Whatever the device said of its MTU, a frame of ours fits. */
static void
net_sane(void)
{
	holds(RULE_RANGES, pv_net_hardmtu(&net) >= 68 &&
	    pv_net_hardmtu(&net) <= 65535);
	holds(RULE_RANGES, pv_net_mtu(&net) >= 68 &&
	    pv_net_mtu(&net) <= pv_net_hardmtu(&net));
	holds(RULE_RANGES, pv_net_rxbuf_len(&net) >= 1530 - 2 &&
	    pv_net_rxbuf_len(&net) <= 65609);
	holds(RULE_RANGES, (pv_net_mac(&net)[0] & 1) == 0);
}

/* One command of any kind, with values of any kind. */
static void
net_command(void)
{
	static uint8_t macs[70 * 6];
	struct pv_net_stat st[PV_NET_MAXSTATS];
	struct pv_net_coalescing co = { draw(9), draw(9) };
	uint16_t table[PV_NET_MAXTABLE];
	struct pv_net_rss rss = { .nr_types = draw(0x200), .nr_table = table,
	    .nr_ntable = 1u << draw(8), .nr_default = draw(4) };
	unsigned int i, n, group = draw(2);

	switch (draw(10)) {
	case 0:
		for (i = 0; i < 70; i++)
			macs[6 * i] = (uint8_t)(2 + group);
		n = draw(70);
		pv_net_set_macs(&net, group ? NULL : macs, group ? 0 : n, macs,
		    group ? n : 0);
		break;
	case 1:
		pv_net_set_mac(&net, (const uint8_t *)"\2\1\2\3\4\5");
		break;
	case 2:
		pv_net_set_vlan(&net, draw(5000), (int)draw(2));
		break;
	case 3:
		pv_net_set_offloads(&net, strange());
		break;
	case 4:
		pv_net_set_pairs(&net, draw(5));
		break;
	case 5:
		for (i = 0; i < PV_NET_MAXTABLE; i++)
			table[i] = (uint16_t)draw(3);
		pv_net_set_rss(&net, &rss);
		break;
	case 6:
		pv_net_set_coalescing(&net, draw(2) ? draw(8) :
		    PV_NET_ALL_RXQ + draw(2), &co);
		break;
	case 7:
		pv_net_get_coalescing(&net, draw(8), &co);
		break;
	case 8:
		pv_net_announced(&net);
		pv_net_stalled_ns(&net, draw(4));
		break;
	case 9:
		pv_net_stats(&net, draw(2) ? draw(8) : PV_NET_CTRLQ, st, &n);
		holds(RULE_RANGES, n <= PV_NET_MAXSTATS);
		for (i = 0; i < n; i++)
			must(st[i].st_name != NULL);
		break;
	}
}

/* A queue is taken back alone, drained perhaps, and perhaps used again. */
static void
net_reset_queue(void)
{
	unsigned int queue = draw(3);
	void *cookie;

	if (draw(2) == 0 && pv_net_reset_tx(&net, queue) == 0)
		hostile_queue_reset(PV_NET_TXQ(queue));
	while (draw(4) != 0 &&
	    (cookie = pv_net_drain_tx(&net, queue)) != NULL)
		returned(txbufs, cookie);
	if (draw(2))
		pv_net_resume_tx(&net, queue);
}

static void
net_act(void)
{
	switch (draw(14)) {
	case 0: case 1: case 2:
		net_post();
		break;
	case 3: case 4:
		net_receive();
		break;
	case 5: case 6:
		net_transmit();
		break;
	case 7:
		net_reclaim();
		break;
	case 8:
		rig_put16(&rig, 6, (uint16_t)draw(4));
		pv_net_changed(&net);
		pv_net_set_mtu(&net, draw(2) ? 68 + draw(2000) : strange());
		break;
	case 9:
		pv_net_set_rxmode(&net, draw(64));
		break;
	case 10:
		pv_net_rx_intr(&net, 0, (int)draw(2));
		pv_net_tx_intr(&net, 0, (int)draw(2));
		pv_virtio_poll(&rig.rg_dev);
		break;
	case 11:
		net_device(&rig, draw(7));
		break;
	case 12:
		net_command();
		break;
	case 13:
		net_reset_queue();
		break;
	}
}

static void
net_step(void)
{
	net_act();
	net_sane();
	if (nbroken == 0 && draw(40) != 0)
		return;
	holds(RULE_REMOVAL, (pv_net_stop(&net) != 0) == hostile_lost());
	net_all_back();
	nbroken = hostile_lost();	/* then this was the last step */
	if (nbroken)
		return;
	frame_left = 0;
	hostile_scarce();
	pv_net_start(&net);
	hostile_plenty();
}

static void
net_detach(void)
{
	int lost = hostile_gone();

	bounded(5, holds(RULE_REMOVAL, (pv_net_stop(&net) != 0) == lost));
	net_all_back();
	hostile_held();
	holds(RULE_REMOVAL, !lost || pv_net_start(&net) == EIO);
	holds(RULE_REMOVAL, (pv_net_detach(&net) != 0) == lost);
	hostile_held();
}

static void
net_intr(void *arg, unsigned int queue)
{
	holds(RULE_RANGES, queue < pv_net_info(&net)->ni_maxpairs);
	hostile_intr(arg);
}

void
scene_net(void)
{
	static const struct pv_net_callbacks cb = {
	    .nc_rx = net_intr, .nc_tx = net_intr,
	    .nc_changed = hostile_intr, .nc_broken = hostile_broken };
	struct pv_net_params params = { 0 };
	unsigned int i;
	int error;

	hostile_begin(PV_TYPE_NET);
	memset(rxbufs, 0, sizeof(rxbufs));
	memset(txbufs, 0, sizeof(txbufs));
	frame_left = 0;
	rig.rg_legacy = draw(4) == 0;
	if (rig.rg_legacy)
		rig.rg_offered &= ~PV_F_BIT(PV_F_VERSION_1);
	rig.rg_offered |= strange() & 0xffffff & ~(1ull << PV_NET_F_GSO);
	if (!rig.rg_legacy)
		rig.rg_offered |= strange() & 0xfffcull << 48;
	rig_put16(&rig, 8, (uint16_t)(draw(4) ? 1 + draw(4) : strange()));
	rig.rg_config[17] = (uint8_t)(draw(4) ? 40 : draw(256));
	rig_put16(&rig, 18, (uint16_t)(draw(4) ? 128 : strange()));
	rig_put16(&rig, 20, (uint16_t)strange());
	params.np_pairs = 1 + draw(3);
	params.np_want = draw(2) ? PV_NET_OPTIONAL : strange();
	rig.rg_config[1] = (uint8_t)draw(256);
	rig_put16(&rig, 10, (uint16_t)(draw(2) ? 1500 : strange()));
	rig.rg_notify = net_device;
	hostile_scarce();
	bounded(60, error = pv_net_attach(&net, rig_init(&rig), &cb, NULL,
	    &params));
	hostile_plenty();
	if (error == 0) {
		for (i = 0; draw_more(i) && !(hostile_lost() && nbroken); i++)
			bounded(60, net_step());
		net_detach();
	}
	for (i = 0; i < NBUFS; i++) {
		hostile_buf_free(rxbufs[i].pb);
		hostile_buf_free(txbufs[i].pb);
	}
	hostile_end();
}
