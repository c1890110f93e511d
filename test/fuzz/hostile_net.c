/* SPDX-License-Identifier: ISC */
/*
 * A network driver under a device that does anything at all.
 */
#include <string.h>

#include <paravane/net.h>

#include "hostile.h"

#define NBUFS	40

struct buf {
	struct port_buf *pb;
	struct pv_piece piece;
	int posted;			/* the device's, or the driver's */
};

static struct pv_net net;
static struct buf rxbufs[NBUFS], txbufs[NBUFS];

static void
net_device(struct rig *rg, unsigned int queue)
{
	uint8_t bytes[2048];
	struct rig_chain rc;
	uint32_t len;

	while (!lies() && hostile_take(queue, &rc)) {
		len = rc.rc_inlen < sizeof(bytes) ? rc.rc_inlen :
		    (uint32_t)sizeof(bytes);
		if (queue == 0)
			len = draw(len + 1);
		scribble(bytes, len);
		if (queue == 2 && !lies())
			bytes[0] = 0;
		if (queue == 0 && !lies()) {
			memset(bytes, 0, 12);
			bytes[10] = (uint8_t)(lies() ? draw(8) : 1);
		}
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
	must(b->posted);
	b->posted = 0;
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
	if (pv_net_post(&net, &rb, 1, &done) == 0)
		b->posted = 1;
}

static void
net_receive(void)
{
	struct pv_net_rx rx[64];
	unsigned int done, i;
	struct buf *b;

	pv_net_receive(&net, rx, 64, &done);
	for (i = 0; i < done; i++) {
		b = rx[i].rx_cookie;
		returned(rxbufs, b);
		must(rx[i].rx_len <= b->pb->pb_len);
		must(rx[i].rx_off + rx[i].rx_len <= b->pb->pb_len);
		if (rx[i].rx_flags & PV_NET_RX_ERROR)
			must(rx[i].rx_len == 0);
		if (rx[i].rx_flags & PV_NET_RX_MORE)
			must(i + 1 < done);
	}
}

static void
net_transmit(void)
{
	unsigned int done, i = draw(NBUFS), hdrlen = pv_net_hdrlen(&net);
	struct buf *b = &txbufs[i];
	struct pv_net_tx tx = { .tx_pieces = &b->piece, .tx_npieces = 1 };

	if (b->posted)
		return;
	if (b->pb == NULL)
		b->pb = port_buf_new(2048);
	b->piece.pc_map = b->pb->pb_map;
	b->piece.pc_off = hdrlen;
	b->piece.pc_len = 1 + draw(2000);
	tx.tx_hdr = b->pb->pb_va;
	tx.tx_cookie = b;
	if (pv_net_transmit(&net, &tx, 1, &done) == 0)
		b->posted = 1;
}

static void
net_reclaim(void)
{
	void *cookies[64];
	unsigned int done, i;

	pv_net_reclaim(&net, cookies, 64, &done);
	for (i = 0; i < done; i++)
		returned(txbufs, cookies[i]);
}

static void
net_all_back(void)
{
	unsigned int i;
	void *cookie;

	while ((cookie = pv_net_drain_tx(&net)) != NULL)
		returned(txbufs, cookie);
	while ((cookie = pv_net_drain_rx(&net)) != NULL)
		returned(rxbufs, cookie);
	for (i = 0; i < NBUFS; i++) {
		must(!rxbufs[i].posted);
		must(!txbufs[i].posted);
	}
}

static void
net_step(void)
{
	switch (draw(12)) {
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
		pv_net_changed(&net);
		pv_net_set_mtu(&net, strange());
		break;
	case 9:
		pv_net_set_rxmode(&net, (int)draw(2), (int)draw(2));
		break;
	case 10:
		pv_net_rx_intr(&net, (int)draw(2));
		pv_net_tx_intr(&net, (int)draw(2));
		pv_virtio_poll(&rig.rg_dev);
		break;
	case 11:
		net_device(&rig, draw(3));
		break;
	}
	if (nbroken == 0 && draw(40) != 0)
		return;
	must(pv_net_stop(&net) == 0);
	net_all_back();
	nbroken = 0;
	pv_net_start(&net);
}

void
scene_net(void)
{
	static const struct pv_net_callbacks cb = {
	    .nc_broken = hostile_broken };
	unsigned int i;
	int lost = 0;

	hostile_begin(PV_TYPE_NET);
	memset(rxbufs, 0, sizeof(rxbufs));
	memset(txbufs, 0, sizeof(txbufs));
	rig.rg_legacy = draw(4) == 0;
	if (rig.rg_legacy)
		rig.rg_offered &= ~PV_F_BIT(PV_F_VERSION_1);
	rig.rg_offered |= strange() & 0xffffff & ~(1ull << PV_NET_F_GSO);
	rig_put16(&rig, 10, (uint16_t)(draw(2) ? 1500 : strange()));
	rig.rg_notify = net_device;
	if (pv_net_attach(&net, rig_init(&rig), &cb, NULL, NULL) == 0) {
		for (i = 0; draw_more(i); i++)
			bounded(60, net_step());
		lost = hostile_gone();
		bounded(5, must((pv_net_stop(&net) != 0) == lost));
		net_all_back();
		hostile_held();
		must(!lost || pv_net_start(&net) == EIO);
		must((pv_net_detach(&net) != 0) == lost);
		hostile_held();
	}
	/* With a device that may still write there, a kernel could not. */
	for (i = 0; i < NBUFS; i++) {
		port_buf_free(rxbufs[i].pb);
		port_buf_free(txbufs[i].pb);
	}
	hostile_end();
}
