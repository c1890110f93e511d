/* SPDX-License-Identifier: ISC */
/*
 * lib/device/net.c against a device that does what a test says.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/net.h>

#include "attach_fails.h"
#include "port.h"
#include "rig.h"
#include "wire.h"

#define RXQ	0
#define TXQ	1
#define CTRLQ	2
#define BIT(n)	PV_F_BIT(PV_NET_F_##n)

#define PROMISC		PV_NET_MODE_PROMISC
#define ALLMULTI	PV_NET_MODE_ALLMULTI

#define NBUFS		16
#define MAXFRAME	70000

static struct rig rig;
static struct pv_net net;
static struct port_buf *rxbufs[NBUFS];
static unsigned int nrx, ntx, nchanged, nbroken;

/* What arrived at the peer: the last frame, its header, and how it came. */
static uint8_t peer[MAXFRAME];
static uint8_t peer_hdr[12];
static uint32_t peer_len;
static unsigned int peer_frames, peer_segs, peer_first;
static int peer_keeps;		/* the device keeps the buffers */

/* The control queue's last commands, and how it answers. */
static uint8_t ctrl_seen[8][3];
static unsigned int nctrl;
static uint8_t ctrl_ack;
static int ctrl_mute;

static void
note_rx(void *arg, unsigned int queue)
{
	(void)arg;
	assert_int_equal(queue, 0);
	nrx++;
}

static void
note_tx(void *arg, unsigned int queue)
{
	(void)arg;
	assert_int_equal(queue, 0);
	ntx++;
}

static void
note_changed(void *arg)
{
	(void)arg;
	nchanged++;
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	assert_non_null(why);
	nbroken++;
}

static const struct pv_net_callbacks callbacks = {
	note_rx, note_tx, note_changed, note_broken
};

static void
peer_take(struct rig *rg)
{
	struct rig_chain rc;
	uint32_t hdrlen;

	while (rig_take(rg, TXQ, &rc)) {
		hdrlen = pv_net_hdrlen(&net);
		assert_int_equal(rc.rc_inlen, 0);
		rig_read(&rc, 0, peer_hdr, hdrlen);
		peer_len = rc.rc_outlen - hdrlen;
		assert_true(peer_len <= sizeof(peer));
		rig_read(&rc, hdrlen, peer, peer_len);
		peer_frames++;
		peer_segs = rc.rc_nsegs;
		peer_first = rc.rc_segs[0].len;
		if (!peer_keeps)
			rig_give(rg, TXQ, rc.rc_head, 0);
	}
}

static void
ctrl_take(struct rig *rg)
{
	struct rig_chain rc;

	while (!ctrl_mute && rig_take(rg, CTRLQ, &rc)) {
		assert_int_equal(rc.rc_outlen, 3);
		assert_int_equal(rc.rc_inlen, 1);
		rig_read(&rc, 0, ctrl_seen[nctrl++ % 8], 3);
		rig_write(&rc, 0, &ctrl_ack, 1);
		rig_give(rg, CTRLQ, rc.rc_head, 1);
	}
}

static void
notified(struct rig *rg, unsigned int queue)
{
	if (queue == TXQ)
		peer_take(rg);
	else if (queue == CTRLQ)
		ctrl_take(rg);
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_NET);
	rig.rg_notify = notified;
	rig.rg_offered |= BIT(MAC) | BIT(STATUS);
	memcpy(rig.rg_config, "\x52\x54\x00\x12\x34\x56", 6);
	rig_put16(&rig, 6, 1);
	memset(rxbufs, 0, sizeof(rxbufs));
	nrx = ntx = nchanged = nbroken = 0;
	peer_frames = 0;
	peer_keeps = 0;
	nctrl = 0;
	ctrl_ack = 0;
	ctrl_mute = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return port_check();
}

static void
offer_mtu(unsigned int mtu)
{
	rig.rg_offered |= BIT(MTU);
	rig_put16(&rig, 10, (uint16_t)mtu);
}

static int
attach(void)
{
	return pv_net_attach(&net, rig_init(&rig), &callbacks, NULL, NULL);
}

static const struct pv_net_counters *
counters(void)
{
	static struct pv_net_counters nc;

	pv_net_counters(&net, 0, &nc);
	return &nc;
}

static int
accepted(uint64_t bit)
{
	return (rig.rg_accepted & bit) != 0;
}

static void
drain(void)
{
	while (pv_net_drain_tx(&net, 0) != NULL)
		continue;
	while (pv_net_drain_rx(&net, 0) != NULL)
		continue;
}

static void
free_bufs(void)
{
	unsigned int i;

	for (i = 0; i < NBUFS; i++)
		if (rxbufs[i] != NULL)
			port_buf_free(rxbufs[i]);
}

static void
detach(void)
{
	pv_net_stop(&net);
	drain();
	assert_int_equal(pv_net_detach(&net), 0);
	free_bufs();
}

static void
post(unsigned int n)
{
	struct pv_net_rxbuf rb;
	unsigned int i, done;

	for (i = 0; i < n; i++) {
		if (rxbufs[i] == NULL)
			rxbufs[i] = port_buf_new(pv_net_rxbuf_len(&net));
		memset(&rb, 0, sizeof(rb));
		rb.rb_piece.pc_map = rxbufs[i]->pb_map;
		rb.rb_piece.pc_len = rxbufs[i]->pb_len;
		rb.rb_va = rxbufs[i]->pb_va;
		rb.rb_cookie = rxbufs[i];
		assert_int_equal(pv_net_post(&net, 0, &rb, 1, &done), 0);
		assert_int_equal(done, 1);
	}
}

/* The device writes len bytes of what stands at from, in the next buffer. */
static void
deliver(const uint8_t *from, uint32_t len)
{
	struct rig_chain rc;

	assert_true(rig_take(&rig, RXQ, &rc));
	rig_write(&rc, 0, from, len);
	rig_give(&rig, RXQ, rc.rc_head, len);
	rig_interrupt(&rig, PV_INTR_QUEUE);
}

/* A header and a frame of len bytes after it, in a buffer of the test's. */
static uint8_t *
frame(uint32_t len, unsigned int num_buffers)
{
	static uint8_t buf[MAXFRAME];
	uint32_t i;

	memset(buf, 0, sizeof(buf));
	if (pv_net_hdrlen(&net) == 12) {
		buf[10] = (uint8_t)num_buffers;
		buf[11] = (uint8_t)(num_buffers >> 8);
	}
	for (i = 0; i < len; i++)
		buf[pv_net_hdrlen(&net) + i] = (uint8_t)(i * 7 + 1);
	return buf;
}

static unsigned int
receive(struct pv_net_rx *rx, unsigned int n)
{
	unsigned int done;

	assert_int_equal(pv_net_receive(&net, 0, rx, n, &done), 0);
	return done;
}

/* A frame of len bytes to send, or what was said instead. */
static int
send(struct port_buf *pb, uint32_t len, unsigned int flags, unsigned int start,
    unsigned int offset)
{
	unsigned int hdrlen = pv_net_hdrlen(&net), done = 99;
	struct pv_piece piece = { pb->pb_map, hdrlen, len };
	struct pv_net_tx tx = {
		.tx_pieces = &piece,
		.tx_npieces = 1,
		.tx_hdr = pb->pb_va,
		.tx_flags = (uint16_t)flags,
		.tx_csum_start = (uint16_t)start,
		.tx_csum_offset = (uint16_t)offset,
		.tx_cookie = pb,
	};
	int error;

	error = pv_net_transmit(&net, 0, &tx, 1, &done);
	assert_int_equal(done, error == 0);
	return error;
}

static unsigned int
reclaim(void)
{
	void *cookies[64];
	unsigned int done;

	assert_int_equal(pv_net_reclaim(&net, 0, cookies, 64, &done), 0);
	return done;
}

/* The MTU */

static void
mtu_is_taken_as_announced(void **state)
{
	static const unsigned int mtus[] = { 68, 576, 1280, 1500, 4000, 9000,
	    65435 };
	unsigned int i, buf;

	for (i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		setup(state);
		offer_mtu(mtus[i]);
		assert_int_equal(attach(), 0);
		assert_true(accepted(BIT(MTU)));
		assert_int_equal(pv_net_hardmtu(&net), mtus[i]);
		assert_int_equal(pv_net_mtu(&net), mtus[i]);
		buf = mtus[i] < 1500 ? 1530 : 30 + mtus[i];
		assert_int_equal(pv_net_rxbuf_len(&net), buf);
		detach();
		assert_int_equal(port_check(), 0);
	}
}

static void
mtu_below_68_is_left(void **state)
{
	(void)state;
	offer_mtu(67);
	assert_int_equal(attach(), 0);
	assert_false(accepted(BIT(MTU)));
	assert_int_equal(rig.rg_dev.vd_ng.ng_why[PV_NET_F_MTU], PV_WHY_VALUE);
	assert_int_equal(pv_net_hardmtu(&net), 65435);
	assert_int_equal(pv_net_mtu(&net), 1500);
	detach();
}

static void
mtu_above_65435_is_left_and_received_whole(void **state)
{
	(void)state;
	offer_mtu(65535);
	assert_int_equal(attach(), 0);
	assert_false(accepted(BIT(MTU)));
	assert_int_equal(pv_net_hardmtu(&net), 65435);
	assert_int_equal(pv_net_mtu(&net), 1500);
	assert_int_equal(pv_net_rxbuf_len(&net), 30 + 65535);
	assert_int_equal(pv_net_set_mtu(&net, 65435), 0);
	assert_int_equal(pv_net_set_mtu(&net, 65436), EINVAL);
	detach();
}

static void
mtu_above_65435_needs_no_long_buffers_that_merge(void **state)
{
	(void)state;
	offer_mtu(65535);
	rig.rg_offered |= BIT(MRG_RXBUF);
	assert_int_equal(attach(), 0);
	assert_false(accepted(BIT(MTU)));
	assert_int_equal(pv_net_rxbuf_len(&net), 1530);
	assert_true(pv_net_rxbufs_max(&net) * 1530u >= 65535u + 30);
	detach();
}

static void
mtu_above_65435_is_taken_from_a_device_that_insists(void **state)
{
	(void)state;
	offer_mtu(65535);
	rig.rg_insist = BIT(MTU);
	assert_int_equal(attach(), 0);
	assert_true(accepted(BIT(MTU)));
	assert_true(accepted(BIT(STATUS)));
	assert_int_equal(pv_net_hardmtu(&net), 65435);
	assert_int_equal(pv_net_mtu(&net), 65435);
	assert_int_equal(pv_net_rxbuf_len(&net), 30 + 65535);
	assert_int_equal(rig.rg_dev.vd_ng.ng_tries, 2);
	detach();
}

static void
mtu_nonsense_that_is_insisted_on_is_no_network(void **state)
{
	(void)state;
	offer_mtu(67);
	rig.rg_insist = BIT(MTU);
	assert_int_equal(attach(), ENOTSUP);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
	assert_false(rig.rg_status & PV_STATUS_DRIVER_OK);
}

static void
change_once(struct rig *rg)
{
	rig_put16(rg, 10, 9000);
	rg->rg_generation++;
	rg->rg_features_ok = NULL;
}

static void
mtu_that_changes_restarts_the_negotiation(void **state)
{
	(void)state;
	offer_mtu(1500);
	rig.rg_features_ok = change_once;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_mtu(&net), 9000);
	assert_int_equal(pv_net_rxbuf_len(&net), 9030);
	assert_int_equal(rig.rg_dev.vd_ng.ng_tries, 2);
	detach();
}

static void
change_always(struct rig *rg)
{
	rig_put16(rg, 10, (uint16_t)(1500 + rg->rg_resets));
}

static void
mtu_that_never_holds_still_ends(void **state)
{
	(void)state;
	offer_mtu(1500);
	rig.rg_features_ok = change_always;
	assert_int_equal(attach(), EAGAIN);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
}

static void
mtu_beyond_the_configuration_is_left(void **state)
{
	(void)state;
	offer_mtu(1500);
	rig.rg_configlen = 8;
	assert_int_equal(attach(), 0);
	assert_false(accepted(BIT(MTU)));
	assert_int_equal(pv_net_mtu(&net), 1500);
	detach();
}

static void
mtu_denied_by_the_port(void **state)
{
	const struct pv_net_params params = { .np_deny = BIT(MTU) };

	(void)state;
	offer_mtu(9000);
	assert_int_equal(pv_net_attach(&net, rig_init(&rig), NULL, NULL,
	    &params), 0);
	assert_false(accepted(BIT(MTU)));
	assert_int_equal(pv_net_mtu(&net), 1500);
	assert_int_equal(rig.rg_dev.vd_ng.ng_why[PV_NET_F_MTU],
	    PV_WHY_DENIED);
	detach();
}

static void
set_mtu_without_the_bit_may_need_longer_buffers(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_rxbuf_len(&net), 1530);
	assert_int_equal(pv_net_set_mtu(&net, 67), EINVAL);
	assert_int_equal(pv_net_set_mtu(&net, 68), 0);
	assert_int_equal(pv_net_mtu(&net), 68);
	assert_int_equal(pv_net_set_mtu(&net, 1500), 0);
	assert_int_equal(pv_net_set_mtu(&net, 9000), EBUSY);
	assert_int_equal(pv_net_mtu(&net), 1500);
	post(4);
	assert_int_equal(pv_net_stop(&net), 0);
	drain();
	free_bufs();
	memset(rxbufs, 0, sizeof(rxbufs));
	assert_int_equal(pv_net_set_mtu(&net, 9000), 0);
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(pv_net_mtu(&net), 9000);
	assert_int_equal(pv_net_rxbuf_len(&net), 9030);
	post(4);
	detach();
}

static void
set_mtu_with_merged_buffers_needs_no_others(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(MRG_RXBUF);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_set_mtu(&net, 65435), 0);
	assert_int_equal(pv_net_rxbuf_len(&net), 1530);
	detach();
}

static void
set_mtu_lowers_and_raises_to_the_hard_mtu(void **state)
{
	(void)state;
	offer_mtu(4000);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_set_mtu(&net, 1280), 0);
	assert_int_equal(pv_net_rxbuf_len(&net), 4030);
	assert_int_equal(pv_net_set_mtu(&net, 4000), 0);
	assert_int_equal(pv_net_set_mtu(&net, 4001), EINVAL);
	detach();
}

static void
restart_takes_another_mtu(void **state)
{
	(void)state;
	offer_mtu(9000);
	port.po_segsize = PAGE_SIZE;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	rig_put16(&rig, 10, 1400);
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(pv_net_mtu(&net), 1400);
	assert_int_equal(pv_net_hardmtu(&net), 1400);
	assert_int_equal(pv_net_stop(&net), 0);
	rig_put16(&rig, 10, 65435);
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(pv_net_mtu(&net), 1400);
	assert_int_equal(pv_net_hardmtu(&net), 65435);
	assert_int_equal(pv_net_rxbuf_len(&net), 65465);
	post(2);
	detach();
}

/* Transmission */

static void
transmit_carries_header_and_frame(void **state)
{
	struct port_buf *pb;

	(void)state;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(2000);
	memset(pb->pb_va, 0x5a, 2000);
	assert_int_equal(send(pb, 100, 0, 0, 0), 0);
	assert_int_equal(peer_frames, 1);
	assert_int_equal(peer_len, 100);
	assert_memory_equal(peer_hdr, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(peer[0], 0x5a);
	assert_int_equal(peer[99], 0x5a);
	assert_int_equal(peer_segs, 1);
	assert_int_equal(reclaim(), 1);
	assert_int_equal(counters()->nc_tx_frames, 1);
	assert_int_equal(counters()->nc_tx_bytes, 100);
	port_buf_free(pb);
	detach();
}

static void
transmit_refuses_frames_above_the_mtu(void **state)
{
	struct port_buf *pb;

	(void)state;
	offer_mtu(1280);
	assert_int_equal(attach(), 0);
	pb = port_buf_new(2000);
	memset(pb->pb_va, 0, 2000);
	assert_int_equal(send(pb, 14 + 1280, 0, 0, 0), 0);
	assert_int_equal(send(pb, 14 + 1281, 0, 0, 0), EMSGSIZE);
	assert_int_equal(send(pb, 0x10000, 0, 0, 0), EMSGSIZE);
	assert_int_equal(send(pb, 0xffffffff, 0, 0, 0), EMSGSIZE);
	assert_int_equal(peer_frames, 1);
	assert_int_equal(counters()->nc_tx_toolong, 3);
	assert_int_equal(reclaim(), 1);
	/* With a VLAN tag there are four more. */
	pb->pb_va[12 + 12] = 0x81;
	assert_int_equal(send(pb, 18 + 1280, 0, 0, 0), 0);
	assert_int_equal(send(pb, 18 + 1281, 0, 0, 0), EMSGSIZE);
	pv_net_set_mtu(&net, 1000);
	assert_int_equal(send(pb, 18 + 1280, 0, 0, 0), EMSGSIZE);
	assert_int_equal(peer_frames, 2);
	assert_int_equal(reclaim(), 1);
	port_buf_free(pb);
	detach();
}

static void
transmit_at_the_largest_mtu(void **state)
{
	struct port_buf *pb;

	(void)state;
	offer_mtu(65435);
	port.po_segsize = PAGE_SIZE;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(66000);
	memset(pb->pb_va, 0, 66000);
	assert_int_equal(send(pb, 14 + 65435, 0, 0, 0), 0);
	assert_int_equal(peer_len, 14 + 65435);
	assert_int_equal(send(pb, 14 + 65436, 0, 0, 0), EMSGSIZE);
	assert_int_equal(reclaim(), 1);
	port_buf_free(pb);
	detach();
}

static void
transmit_checksum(void **state)
{
	struct port_buf *pb;

	(void)state;
	rig.rg_offered |= BIT(CSUM);
	assert_int_equal(attach(), 0);
	pb = port_buf_new(2000);
	memset(pb->pb_va, 0, 2000);
	assert_int_equal(send(pb, 60, PV_NET_TX_CSUM, 34, 16), 0);
	assert_memory_equal(peer_hdr, "\1\0\0\0\0\0\x22\0\x10\0\0\0", 12);
	assert_int_equal(reclaim(), 1);
	assert_int_equal(send(pb, 60, PV_NET_TX_CSUM, 42, 16), 0);
	assert_int_equal(send(pb, 60, PV_NET_TX_CSUM, 43, 16), EINVAL);
	assert_int_equal(send(pb, 60, PV_NET_TX_CSUM, 65535, 65535), EINVAL);
	assert_int_equal(reclaim(), 1);
	port_buf_free(pb);
	detach();
}

static void
transmit_judges_what_it_is_given(void **state)
{
	struct pv_piece pieces[PV_NET_MAXPIECES + 1];
	struct pv_net_tx tx = { .tx_pieces = pieces };
	unsigned int done, i;
	struct port_buf *pb;

	(void)state;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(2000);
	assert_int_equal(send(pb, 13, 0, 0, 0), EINVAL);
	assert_int_equal(send(pb, 60, PV_NET_TX_CSUM, 34, 16), EINVAL);
	for (i = 0; i < PV_NET_MAXPIECES + 1; i++)
		pieces[i] = (struct pv_piece){ pb->pb_map, 12 + i, 20 };
	tx.tx_hdr = pb->pb_va;
	tx.tx_cookie = pb;
	assert_int_equal(pv_net_transmit(&net, 0, &tx, 1, &done), EINVAL);
	tx.tx_npieces = PV_NET_MAXPIECES + 1;
	assert_int_equal(pv_net_transmit(&net, 0, &tx, 1, &done), EFBIG);
	tx.tx_npieces = PV_NET_MAXPIECES;
	assert_int_equal(pv_net_transmit(&net, 0, &tx, 1, &done), 0);
	assert_int_equal(peer_len, 20 * PV_NET_MAXPIECES);
	assert_int_equal(reclaim(), 1);
	/* No room for the header before it. */
	pieces[0].pc_off = 11;
	assert_int_equal(pv_net_transmit(&net, 0, &tx, 1, &done), EINVAL);
	/* Outside of its map. */
	pieces[0].pc_off = 1990;
	assert_int_equal(pv_net_transmit(&net, 0, &tx, 1, &done), EINVAL);
	port_buf_free(pb);
	detach();
}

static void
transmit_rings_once_a_batch(void **state)
{
	struct pv_net_tx tx[80];
	struct pv_piece pieces[80];
	unsigned int done, i;
	struct port_buf *pb;

	(void)state;
	peer_keeps = 1;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(80 * 128);
	memset(tx, 0, sizeof(tx));
	for (i = 0; i < 80; i++) {
		pieces[i] = (struct pv_piece){ pb->pb_map, 128 * i + 12, 60 };
		tx[i].tx_pieces = &pieces[i];
		tx[i].tx_npieces = 1;
		tx[i].tx_hdr = pb->pb_va + 128 * i;
		tx[i].tx_cookie = pb;
	}
	assert_int_equal(pv_net_transmit(&net, 0, tx, 80, &done), ENOBUFS);
	assert_int_equal(done, 64);
	assert_int_equal(peer_frames, 64);
	assert_int_equal(rig.rg_queues[TXQ].rq_notified, 1);
	assert_int_equal(pv_net_stop(&net), 0);
	for (i = 0; pv_net_drain_tx(&net, 0) != NULL; i++)
		continue;
	assert_int_equal(i, 64);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static void
transmit_on_a_stopped_device(void **state)
{
	struct port_buf *pb;
	unsigned int done;

	(void)state;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(2000);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(send(pb, 60, 0, 0, 0), ENETDOWN);
	assert_int_equal(pv_net_post(&net, 0, NULL, 0, &done), ENETDOWN);
	assert_int_equal(pv_net_receive(&net, 0, NULL, 0, &done), ENETDOWN);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static void
transmit_used_with_a_length(void **state)
{
	struct pv_virtq_counters qc;
	struct rig_chain rc;
	struct port_buf *pb;

	(void)state;
	rig.rg_notify = NULL;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(2000);
	assert_int_equal(send(pb, 60, 0, 0, 0), 0);
	assert_true(rig_take(&rig, TXQ, &rc));
	rig_give(&rig, TXQ, rc.rc_head, 0x53355885);
	assert_int_equal(reclaim(), 1);
	assert_int_equal(pv_net_ring_counters(&net, PV_NET_TXQ(0), &qc), 0);
	assert_int_equal(qc.qc_clamped, 1);
	assert_int_equal(nbroken, 0);
	port_buf_free(pb);
	detach();
}

/* The legacy header */

static void
legacy_header_has_a_descriptor_of_its_own(void **state)
{
	struct port_buf *pb;
	struct pv_net_rx rx;
	struct rig_chain rc;
	uint8_t *p;

	(void)state;
	rig.rg_legacy = 1;
	rig.rg_offered = BIT(MAC);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_hdrlen(&net), 10);
	pb = port_buf_new(2000);
	memset(pb->pb_va, 7, 2000);
	assert_int_equal(send(pb, 60, 0, 0, 0), 0);
	assert_int_equal(peer_len, 60);
	assert_int_equal(peer_segs, 2);
	assert_int_equal(peer_first, 10);
	assert_int_equal(reclaim(), 1);
	post(1);
	assert_true(rig_take(&rig, RXQ, &rc));
	assert_int_equal(rc.rc_nsegs, 2);
	assert_int_equal(rc.rc_segs[0].len, 10);
	p = frame(100, 0);
	rig_write(&rc, 0, p, 110);
	rig_give(&rig, RXQ, rc.rc_head, 110);
	assert_int_equal(receive(&rx, 1), 1);
	assert_int_equal(rx.rx_off, 10);
	assert_int_equal(rx.rx_len, 100);
	assert_memory_equal(rxbufs[0]->pb_va + 10, p + 10, 100);
	port_buf_free(pb);
	detach();
}

static void
legacy_with_any_layout_has_not(void **state)
{
	struct port_buf *pb;

	(void)state;
	rig.rg_legacy = 1;
	rig.rg_offered = BIT(MAC) | PV_F_BIT(PV_F_ANY_LAYOUT) | BIT(MRG_RXBUF);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_hdrlen(&net), 12);
	pb = port_buf_new(2000);
	assert_int_equal(send(pb, 60, 0, 0, 0), 0);
	assert_int_equal(peer_segs, 1);
	assert_int_equal(reclaim(), 1);
	port_buf_free(pb);
	detach();
}

/* Reception */

static void
receive_gives_the_frame_in_place(void **state)
{
	struct pv_net_rx rx[4];
	uint8_t *p;

	(void)state;
	assert_int_equal(attach(), 0);
	post(4);
	p = frame(1514, 1);
	deliver(p, 12 + 1514);
	assert_int_equal(nrx, 1);
	assert_int_equal(receive(rx, 4), 1);
	assert_ptr_equal(rx[0].rx_cookie, rxbufs[0]);
	assert_int_equal(rx[0].rx_off, 12);
	assert_int_equal(rx[0].rx_len, 1514);
	assert_int_equal(rx[0].rx_flags, 0);
	assert_memory_equal(rxbufs[0]->pb_va + 12, p + 12, 1514);
	assert_int_equal(counters()->nc_rx_frames, 1);
	assert_int_equal(counters()->nc_rx_bytes, 1514);
	detach();
}

static void
receive_without_merging_ignores_num_buffers(void **state)
{
	struct pv_net_rx rx[4];

	(void)state;
	assert_int_equal(attach(), 0);
	post(2);
	deliver(frame(60, 0), 72);
	deliver(frame(60, 500), 72);
	assert_int_equal(receive(rx, 4), 2);
	assert_int_equal(rx[0].rx_len, 60);
	assert_int_equal(rx[1].rx_len, 60);
	detach();
}

static void
receive_counts_frames_above_the_mtu(void **state)
{
	struct pv_net_rx rx[4];
	uint8_t *p;

	(void)state;
	offer_mtu(9000);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_set_mtu(&net, 1500), 0);
	post(4);
	deliver(frame(1515, 1), 12 + 1515);
	assert_int_equal(receive(rx, 4), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_OVERSIZE);
	assert_int_equal(rx[0].rx_len, 1515);
	p = frame(1518, 1);
	p[12 + 12] = 0x81;
	p[12 + 13] = 0x00;
	deliver(p, 12 + 1518);
	assert_int_equal(receive(rx, 4), 1);
	assert_int_equal(rx[0].rx_flags, 0);
	assert_int_equal(counters()->nc_rx_oversize, 1);
	assert_int_equal(counters()->nc_rx_frames, 2);
	detach();
}

static void
receive_checksum_flags(void **state)
{
	struct pv_net_rx rx[4];
	uint8_t *p;

	(void)state;
	rig.rg_offered |= BIT(GUEST_CSUM);
	assert_int_equal(attach(), 0);
	post(4);
	p = frame(60, 1);
	p[0] = 2;
	deliver(p, 72);
	assert_int_equal(receive(rx, 4), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_CSUM_VALID);
	p = frame(60, 1);
	p[0] = 1;
	p[6] = 34;
	p[8] = 16;
	deliver(p, 72);
	assert_int_equal(receive(rx, 4), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_CSUM_PARTIAL);
	assert_int_equal(rx[0].rx_csum_start, 34);
	assert_int_equal(rx[0].rx_csum_offset, 16);
	detach();
}

static void
is_error(const struct pv_net_rx *rx, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		assert_int_equal(rx[i].rx_flags, PV_NET_RX_ERROR);
		assert_int_equal(rx[i].rx_len, 0);
		assert_non_null(rx[i].rx_cookie);
	}
}

/* Post one buffer, have it hold this, and see it refused. */
static void
refused(const uint8_t *p, uint32_t len)
{
	struct pv_net_rx rx[64];
	unsigned long errors = counters()->nc_rx_errors;

	post(1);
	deliver(p, len);
	assert_int_equal(receive(rx, 64), 1);
	is_error(rx, 1);
	assert_int_equal(counters()->nc_rx_errors, errors + 1);
}

static void
hostile_checksum_beyond_the_frame(void **state)
{
	uint8_t *p;

	(void)state;
	rig.rg_offered |= BIT(GUEST_CSUM);
	assert_int_equal(attach(), 0);
	p = frame(60, 1);
	p[0] = 1;
	p[6] = 43;
	p[8] = 16;
	refused(p, 72);
	p = frame(60, 1);
	p[0] = 1;
	memset(p + 6, 0xff, 4);
	refused(p, 72);
	assert_int_equal(nbroken, 0);
	detach();
}

static void
hostile_checksum_not_negotiated(void **state)
{
	uint8_t *p;

	(void)state;
	assert_int_equal(attach(), 0);
	p = frame(60, 1);
	p[0] = 1;
	p[6] = 34;
	refused(p, 72);
	detach();
}

static void
hostile_gso_not_negotiated(void **state)
{
	uint8_t *p;

	(void)state;
	rig.rg_offered |= BIT(GUEST_TSO4) | BIT(GUEST_CSUM);
	assert_int_equal(attach(), 0);
	assert_false(accepted(BIT(GUEST_TSO4)));
	p = frame(60, 1);
	p[1] = 1;
	refused(p, 72);
	detach();
}

static void
hostile_length_under_the_header(void **state)
{
	uint32_t len;

	(void)state;
	rig.rg_offered |= BIT(MRG_RXBUF);
	assert_int_equal(attach(), 0);
	for (len = 0; len < 12 + 14; len++)
		refused(frame(60, 1), len);
	detach();
}

static void
hostile_length_above_what_was_posted(void **state)
{
	struct pv_net_rx rx[4];
	struct rig_chain rc;
	unsigned int done;

	(void)state;
	assert_int_equal(attach(), 0);
	post(2);
	assert_true(rig_take(&rig, RXQ, &rc));
	rig_give(&rig, RXQ, rc.rc_head, 0x53355885);
	assert_int_equal(pv_net_receive(&net, 0, rx, 4, &done), EIO);
	assert_int_equal(done, 0);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_net_receive(&net, 0, rx, 4, &done), EIO);
	assert_int_equal(nbroken, 1);
	/* And it comes back. */
	assert_int_equal(pv_net_stop(&net), 0);
	drain();
	assert_int_equal(pv_net_start(&net), 0);
	post(2);
	deliver(frame(60, 1), 72);
	assert_int_equal(receive(rx, 4), 1);
	assert_int_equal(rx[0].rx_len, 60);
	detach();
}

static void
hostile_used_id(void **state)
{
	struct pv_net_rx rx[4];
	struct rig_chain rc;
	unsigned int done, i;
	static const uint32_t ids[] = { 5, 64, 0x10000, 0xffffffff };

	(void)state;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 4; i++) {
		post(2);
		assert_true(rig_take(&rig, RXQ, &rc));
		rig_give(&rig, RXQ, ids[i], 72);
		assert_int_equal(pv_net_receive(&net, 0, rx, 4, &done), EIO);
		assert_int_equal(pv_net_stop(&net), 0);
		drain();
		assert_int_equal(pv_net_start(&net), 0);
	}
	assert_int_equal(nbroken, 4);
	detach();
}

static void
hostile_used_id_twice(void **state)
{
	struct pv_net_rx rx[4];
	struct rig_chain rc;
	unsigned int done;

	(void)state;
	assert_int_equal(attach(), 0);
	post(2);
	assert_true(rig_take(&rig, RXQ, &rc));
	rig_write(&rc, 0, frame(60, 1), 72);
	rig_give(&rig, RXQ, rc.rc_head, 72);
	rig_give(&rig, RXQ, rc.rc_head, 72);
	assert_int_equal(pv_net_receive(&net, 0, rx, 4, &done), EIO);
	assert_int_equal(done, 1);
	assert_int_equal(rx[0].rx_len, 60);
	detach();
}

static void
post_judges_what_it_is_given(void **state)
{
	struct pv_net_rxbuf rb[70];
	struct port_buf *pb;
	unsigned int done, i;

	(void)state;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(pv_net_rxbuf_len(&net));
	memset(rb, 0, sizeof(rb));
	for (i = 0; i < 70; i++) {
		rb[i].rb_piece = (struct pv_piece){ pb->pb_map, 0, pb->pb_len };
		rb[i].rb_va = pb->pb_va;
		rb[i].rb_cookie = pb;
	}
	rb[0].rb_piece.pc_len--;
	assert_int_equal(pv_net_post(&net, 0, rb, 1, &done), EINVAL);
	rb[0].rb_piece.pc_len++;
	rb[0].rb_piece.pc_off++;
	assert_int_equal(pv_net_post(&net, 0, rb, 1, &done), EINVAL);
	rb[0].rb_piece.pc_off--;
	rb[0].rb_va = NULL;
	assert_int_equal(pv_net_post(&net, 0, rb, 1, &done), EINVAL);
	rb[0].rb_va = pb->pb_va;
	assert_int_equal(pv_net_post(&net, 0, rb, 70, &done), ENOBUFS);
	assert_int_equal(done, 64);
	assert_int_equal(pv_net_rx_size(&net), 64);
	assert_int_equal(pv_net_tx_size(&net), 64);
	assert_int_equal(rig.rg_queues[RXQ].rq_notified, 1);
	pv_net_stop(&net);
	for (i = 0; pv_net_drain_rx(&net, 0) == pb; i++)
		continue;
	assert_int_equal(i, 64);
	port_buf_free(pb);
	detach();
}

/* What stands in the available ring for the device's interrupts to obey. */
static uint16_t
used_event(unsigned int queue)
{
	const struct pv_queue_place *qp = &rig.rg_queues[queue].rq_place;
	uint16_t event;

	port_dma_read(qp->qp_driver + 4 + 2 * qp->qp_size, &event, 2);
	return wire16(event);
}

static void
interrupts_come_as_asked(void **state)
{
	struct port_buf *pb[40];
	struct pv_net_rx rx[4];
	unsigned int i;

	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_F_EVENT_IDX);
	peer_keeps = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 40; i++) {
		pb[i] = port_buf_new(200);
		assert_int_equal(send(pb[i], 60, 0, 0, 0), 0);
	}
	assert_int_equal(pv_net_tx_intr(&net, 0, 1), 0);
	assert_int_equal(used_event(TXQ), 30);
	assert_int_equal(pv_net_tx_intr(&net, 0, 0), 0);
	post(4);
	assert_int_equal(pv_net_rx_intr(&net, 0, 0), 0);
	deliver(frame(60, 1), 72);
	assert_true(pv_net_rx_intr(&net, 0, 1));
	assert_int_equal(receive(rx, 4), 1);
	assert_int_equal(pv_net_rx_intr(&net, 0, 1), 0);
	assert_int_equal(used_event(RXQ), 1);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_rx_intr(&net, 0, 1), 0);
	assert_int_equal(pv_net_tx_intr(&net, 0, 1), 0);
	drain();
	for (i = 0; i < 40; i++)
		port_buf_free(pb[i]);
	detach();
}

/* Merged buffers */

static void
attach_merging(void)
{
	rig.rg_offered |= BIT(MRG_RXBUF);
	assert_int_equal(attach(), 0);
	assert_true(pv_net_rxbufs_max(&net) > 3);
}

static void
merged_frame_is_given_whole(void **state)
{
	struct pv_net_rx rx[64];
	uint8_t *p;

	(void)state;
	attach_merging();
	pv_net_set_mtu(&net, 9000);
	post(6);
	p = frame(4000, 3);
	deliver(p, 1530);
	assert_int_equal(receive(rx, 64), 0);
	assert_int_equal(pv_net_rx_intr(&net, 0, 1), 0);
	deliver(p + 1530, 1530);
	assert_int_equal(receive(rx, 64), 0);
	deliver(p + 3060, 4012 - 3060);
	assert_int_equal(receive(rx, 64), 3);
	assert_int_equal(rx[0].rx_off, 12);
	assert_int_equal(rx[0].rx_len, 1518);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_MORE);
	assert_int_equal(rx[1].rx_off, 0);
	assert_int_equal(rx[1].rx_len, 1530);
	assert_int_equal(rx[1].rx_flags, PV_NET_RX_MORE);
	assert_int_equal(rx[2].rx_len, 4012 - 3060);
	assert_int_equal(rx[2].rx_flags, 0);
	assert_memory_equal(rxbufs[2]->pb_va, p + 3060, 4012 - 3060);
	assert_int_equal(counters()->nc_rx_bytes, 4000);
	detach();
}

static void
merged_frame_waits_for_room_in_the_call(void **state)
{
	unsigned int max, i, n;
	struct pv_net_rx rx[64];
	uint8_t *p;

	(void)state;
	offer_mtu(9000);
	attach_merging();
	max = pv_net_rxbufs_max(&net);
	assert_true(max < NBUFS);
	assert_int_equal(pv_net_receive(&net, 0, rx, max - 1, &n), EINVAL);
	/* Small frames leave room for one buffer; the next frame has two. */
	post(NBUFS);
	for (i = 0; i + 1 < max; i++)
		deliver(frame(60, 1), 72);
	p = frame(2000, 2);
	deliver(p, 1530);
	deliver(p + 1530, 482);
	assert_int_equal(receive(rx, max), max - 1);
	assert_true(pv_net_rx_intr(&net, 0, 1));
	assert_int_equal(receive(rx, max), 2);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_MORE);
	assert_int_equal(pv_net_rx_intr(&net, 0, 1), 0);
	detach();
}

static void
merged_frame_in_progress_is_drained(void **state)
{
	unsigned int n;

	(void)state;
	attach_merging();
	post(6);
	deliver(frame(4000, 3), 1530);
	deliver(frame(4000, 3), 1530);
	assert_int_equal(receive((struct pv_net_rx[64]){ { 0 } }, 64), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), EBUSY);
	for (n = 0; pv_net_drain_rx(&net, 0) != NULL; n++)
		continue;
	assert_int_equal(n, 6);
	assert_int_equal(pv_net_start(&net), 0);
	post(6);
	deliver(frame(60, 1), 72);
	assert_int_equal(receive((struct pv_net_rx[64]){ { 0 } }, 64), 1);
	detach();
}

static void
hostile_num_buffers_zero(void **state)
{
	struct pv_net_rx rx[64];

	(void)state;
	attach_merging();
	post(4);
	deliver(frame(60, 0), 72);
	deliver(frame(60, 1), 72);
	assert_int_equal(receive(rx, 64), 2);
	is_error(rx, 1);
	assert_int_equal(rx[1].rx_len, 60);
	detach();
}

static void
hostile_num_buffers_above_what_is_outstanding(void **state)
{
	struct pv_net_rx rx[64];

	(void)state;
	attach_merging();
	post(4);
	deliver(frame(60, 5), 72);
	deliver(frame(60, 65535), 72);
	deliver(frame(60, 1), 72);
	assert_int_equal(receive(rx, 64), 3);
	is_error(rx, 2);
	assert_int_equal(rx[2].rx_len, 60);
	detach();
}

static void
hostile_num_buffers_above_what_a_frame_takes(void **state)
{
	struct pv_net_rx rx[64];
	unsigned int i, max, n;

	(void)state;
	rig.rg_queues[RXQ].rq_max = 64;
	offer_mtu(9000);
	attach_merging();
	max = pv_net_rxbufs_max(&net);
	assert_true(max < NBUFS - 2);
	post(NBUFS);
	/* What belongs to it looks like frames, and is none. */
	deliver(frame(60, max + 1), 72);
	for (i = 0; i < max; i++)
		deliver(frame(60, 1), 72);
	deliver(frame(60, 1), 72);
	n = receive(rx, 64);
	assert_int_equal(n, max + 2);
	is_error(rx, max + 1);
	assert_int_equal(rx[max + 1].rx_len, 60);
	detach();
}

static void
hostile_empty_buffer_in_a_frame(void **state)
{
	struct pv_net_rx rx[64];

	(void)state;
	attach_merging();
	post(4);
	deliver(frame(60, 3), 72);
	deliver(frame(60, 3), 0);
	deliver(frame(60, 3), 10);
	assert_int_equal(receive(rx, 64), 3);
	is_error(rx, 3);
	detach();
}

/* Control queue, link, address */

static void
rxmode_goes_over_the_control_queue(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CTRL_VQ) | BIT(CTRL_RX);
	assert_int_equal(attach(), 0);
	assert_int_equal(nctrl, 0);
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC), 0);
	assert_int_equal(nctrl, 2);
	assert_memory_equal(ctrl_seen[0], "\0\0\1", 3);
	assert_memory_equal(ctrl_seen[1], "\0\1\0", 3);
	/* And again after a reset. */
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(nctrl, 4);
	assert_memory_equal(ctrl_seen[2], "\0\0\1", 3);
	ctrl_ack = 1;
	assert_int_equal(pv_net_set_rxmode(&net, ALLMULTI), EIO);
	assert_int_equal(pv_net_info(&net)->ni_ctrl_errors, 1);
	assert_int_equal(nbroken, 0);
	/* A refusal does not stand in the way of a start. */
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), 0);
	detach();
}

static void
rxmode_without_the_feature_is_nothing(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CTRL_RX);
	assert_int_equal(attach(), 0);
	assert_false(accepted(BIT(CTRL_RX)));
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC | ALLMULTI), 0);
	assert_int_equal(nctrl, 0);
	detach();
}

static void
hostile_control_queue_never_answers(void **state)
{
	uint64_t start;

	(void)state;
	rig.rg_offered |= BIT(CTRL_VQ) | BIT(CTRL_RX);
	assert_int_equal(attach(), 0);
	ctrl_mute = 1;
	start = port.po_now_ns;
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC), ETIMEDOUT);
	assert_true(port.po_now_ns - start < 1100000000ull);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC), EIO);
	/* The answer comes late, and changes nothing. */
	ctrl_mute = 0;
	ctrl_take(&rig);
	/* A start that meets the same is no start. */
	assert_int_equal(pv_net_stop(&net), 0);
	ctrl_mute = 1;
	assert_int_equal(pv_net_start(&net), EIO);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
	ctrl_mute = 0;
	assert_int_equal(pv_net_start(&net), 0);
	detach();
}

static void
link_follows_the_status(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_link(&net), 1);
	rig_put16(&rig, 6, 0);
	rig_config_changed(&rig);
	assert_int_equal(nchanged, 1);
	assert_int_equal(pv_net_changed(&net), 1);
	assert_int_equal(pv_net_link(&net), 0);
	assert_int_equal(pv_net_changed(&net), 0);
	assert_int_equal(pv_net_info(&net)->ni_link_changes, 1);
	rig.rg_dev.vd_broken = 1;
	assert_int_equal(pv_net_changed(&net), -EIO);
	rig.rg_dev.vd_broken = 0;
	detach();
}

static void
address_of_the_device_or_a_local_one(void **state)
{
	static const char *const bad[] = { "\0\0\0\0\0\0",
	    "\xff\xff\xff\xff\xff\xff", "\1\0\x5e\0\0\1" };
	unsigned int i;

	assert_int_equal(attach(), 0);
	assert_memory_equal(pv_net_mac(&net), "\x52\x54\x00\x12\x34\x56", 6);
	detach();
	for (i = 0; i < 4; i++) {
		setup(state);
		if (i < 3)
			memcpy(rig.rg_config, bad[i], 6);
		else
			rig.rg_offered &= ~BIT(MAC);
		rig.rg_offered |= BIT(CTRL_VQ) | BIT(CTRL_RX);
		assert_int_equal(attach(), 0);
		assert_int_equal(pv_net_mac(&net)[0], 2);
		/* The device does not know it, and would filter by its own. */
		nctrl = 0;
		assert_int_equal(pv_net_set_rxmode(&net, ALLMULTI), 0);
		assert_int_equal(nctrl, 2);
		assert_memory_equal(ctrl_seen[0], "\0\0\1", 3);
		assert_memory_equal(ctrl_seen[1], "\0\1\1", 3);
		detach();
	}
}

static void
tear_once(struct rig *rg, unsigned int off)
{
	if (off != 3)
		return;
	memcpy(rg->rg_config, "\x02\x11\x22\x33\x44\x55", 6);
	rg->rg_generation++;
	rg->rg_config_read = NULL;
}

static void
openbsd_torn_configuration(void **state)
{
	(void)state;
	rig.rg_config_read = tear_once;
	assert_int_equal(attach(), 0);
	assert_memory_equal(pv_net_mac(&net), "\x02\x11\x22\x33\x44\x55", 6);
	detach();
}

static void
never_still(struct rig *rg, unsigned int off)
{
	(void)off;
	rg->rg_generation++;
}

static void
hostile_configuration_never_holds_still(void **state)
{
	(void)state;
	rig.rg_config_read = never_still;
	assert_int_equal(attach(), EIO);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
}

static void
seldom_bits_are_left(void **state)
{
	(void)state;
	rig.rg_offered = UINT64_MAX;
	rig.rg_insist = 0;
	rig_put16(&rig, 10, 1500);
	assert_int_equal(attach(), 0);
	assert_int_equal(rig.rg_accepted & 0xffffffu, BIT(CSUM) |
	    BIT(GUEST_CSUM) | BIT(MTU) | BIT(MAC) | BIT(MRG_RXBUF) |
	    BIT(STATUS) | BIT(CTRL_VQ) | BIT(CTRL_RX) |
	    BIT(CTRL_GUEST_OFFLOADS) | BIT(CTRL_RX_EXTRA) |
	    BIT(CTRL_MAC_ADDR));
	assert_int_equal(rig.rg_accepted >> 50 << 50, BIT(DEVICE_STATS) |
	    BIT(VQ_NOTF_COAL) | BIT(NOTF_COAL) | BIT(GUEST_HDRLEN) |
	    BIT(SPEED_DUPLEX));
	detach();
}

/* Life */

static void
openbsd_renegotiation_begins_anew(void **state)
{
	unsigned int i;

	(void)state;
	offer_mtu(1500);
	assert_int_equal(attach(), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pv_net_stop(&net), 0);
		assert_int_equal(rig.rg_status, 0);
		assert_int_equal(pv_net_start(&net), 0);
		assert_int_equal(rig.rg_status, PV_STATUS_ACKNOWLEDGE |
		    PV_STATUS_DRIVER | PV_STATUS_FEATURES_OK |
		    PV_STATUS_DRIVER_OK);
	}
	detach();
}

static void
detach_with_buffers_in_flight(void **state)
{
	struct port_buf *pb;
	unsigned int i;

	(void)state;
	peer_keeps = 1;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(2000);
	post(8);
	assert_int_equal(send(pb, 60, 0, 0, 0), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_ptr_equal(pv_net_drain_tx(&net, 0), pb);
	assert_null(pv_net_drain_tx(&net, 0));
	for (i = 0; pv_net_drain_rx(&net, 0) != NULL; i++)
		continue;
	assert_int_equal(i, 8);
	assert_int_equal(pv_net_detach(&net), 0);
	free_bufs();
	port_buf_free(pb);
}

static void
detach_without_a_drain_forgets(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	post(8);
	assert_int_equal(pv_net_detach(&net), 0);
	free_bufs();
}

/* A reset that is never confirmed: what the device can reach stays. */
static void
lost(void)
{
	unsigned int i;

	assert_int_equal(pv_net_stop(&net), ETIMEDOUT);
	for (i = 0; pv_net_drain_rx(&net, 0) != NULL; i++)
		continue;
	assert_int_equal(i, 8);
	assert_int_equal(pv_net_start(&net), EIO);
	assert_int_equal(pv_net_detach(&net), ETIMEDOUT);
	assert_true(port.po_dmamems >= 2);
	assert_int_equal(port_check_rules(), 0);
	port_reset();
	for (i = 0; i < 8; i++) {
		free(rxbufs[i]->pb_va);
		free(rxbufs[i]);
	}
}

static void
hostile_reset_never_confirmed(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	post(8);
	rig.rg_stuck = 1;
	lost();
}

static void
hostile_removed_in_flight(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	post(8);
	rig.rg_gone = 1;
	assert_int_equal(pv_virtio_poll(&rig.rg_dev), 1);
	assert_int_equal(nbroken, 1);
	lost();
}

static void
hostile_interrupts_at_any_time(void **state)
{
	(void)state;
	rig_init(&rig);
	rig_interrupt(&rig, PV_INTR_QUEUE | PV_INTR_CONFIG);
	assert_int_equal(attach(), 0);
	nrx = 0;
	rig_interrupt(&rig, PV_INTR_QUEUE);
	assert_int_equal(receive((struct pv_net_rx[4]){ { 0 } }, 4), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	rig_interrupt(&rig, PV_INTR_QUEUE | PV_INTR_CONFIG);
	assert_int_equal(nrx, 1);
	assert_int_equal(nchanged, 0);
	detach();
}

static void
missed_interrupt_is_found_by_a_poll(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	post(2);
	rig.rg_intr = 0;
	deliver(frame(60, 1), 72);
	assert_int_equal(nrx, 0);
	assert_int_equal(pv_virtio_poll(&rig.rg_dev), 1);
	assert_int_equal(nrx, 1);
	detach();
}

static void
apple_features_are_taken(void **state)
{
	(void)state;
	rig.rg_offered = 0x5300119abull & ~PV_F_BIT(PV_F_RING_PACKED);
	rig.rg_insist = BIT(MTU);
	rig.rg_configlen = 17;
	rig_put16(&rig, 10, 1500);
	assert_int_equal(attach(), 0);
	assert_true(accepted(BIT(MTU)));
	assert_true(accepted(BIT(CSUM)));
	assert_false(accepted(BIT(HOST_TSO4) | BIT(GUEST_TSO4) |
	    BIT(HOST_TSO6) | BIT(GUEST_TSO6)));
	assert_int_equal(pv_net_rxbuf_len(&net), 1530);
	detach();
}

static int
attach_with_control(void)
{
	rig.rg_offered |= BIT(CTRL_VQ) | BIT(MRG_RXBUF) |
	    PV_F_BIT(PV_F_INDIRECT_DESC);
	return attach();
}

static void
receive_one(void)
{
	struct pv_net_rx rx[64];

	post(1);
	deliver(frame(60, 1), 72);
	assert_int_equal(receive(rx, 64), 1);
}

static const struct attach_fails life = {
	&rig, setup, attach_with_control, receive_one, detach, NULL, 10
};

static void
attach_fails_cleanly_wherever_memory_ends(void **state)
{
	attach_without_memory(&life, state);
}

static void
attach_looks_at_each_allocation(void **state)
{
	attach_without_one(&life, state);
}

static void
attach_fails_without_queues(void **state)
{
	rig.rg_queues[TXQ].rq_max = 0;
	assert_int_equal(attach(), ENXIO);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
	assert_int_equal(port_check(), 0);
	setup(state);
	rig.rg_queues[RXQ].rq_max = 1;
	rig.rg_queues[TXQ].rq_max = 1;
	assert_int_equal(attach(), 0);
	post(1);
	detach();
}

/* All of it over memory that only bus_dma(9) keeps in step. */
static void
without_coherence(void **state)
{
	struct pv_net_rx rx[64];
	struct port_buf *pb;
	uint8_t *p;

	(void)state;
	port.po_shadow = 1;
	rig.rg_offered |= BIT(MRG_RXBUF) | BIT(CTRL_VQ) | BIT(CTRL_RX) |
	    PV_F_BIT(PV_F_INDIRECT_DESC) | PV_F_BIT(PV_F_EVENT_IDX);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC | ALLMULTI), 0);
	pb = port_buf_new(2000);
	memset(pb->pb_va, 0x33, 2000);
	assert_int_equal(send(pb, 1000, 0, 0, 0), 0);
	assert_int_equal(peer[999], 0x33);
	assert_int_equal(peer_hdr[0], 0);
	assert_int_equal(reclaim(), 1);
	post(4);
	p = frame(2000, 2);
	deliver(p, 1530);
	deliver(p + 1530, 482);
	assert_int_equal(receive(rx, 64), 2);
	assert_int_equal(rx[0].rx_len, 1518);
	assert_memory_equal(rxbufs[0]->pb_va + 12, p + 12, 1518);
	assert_memory_equal(rxbufs[1]->pb_va, p + 1530, 482);
	port_buf_free(pb);
	detach();
}

/* Limits */

static void
nobody_needs_to_listen(void **state)
{
	(void)state;
	assert_int_equal(pv_net_attach(&net, rig_init(&rig), NULL, NULL, NULL),
	    0);
	post(1);
	deliver(frame(60, 1), 72);
	rig_config_changed(&rig);
	pv_virtio_break(&rig.rg_dev, "test");
	detach();
	assert_null(pv_net_drain_tx(&net, 0));
	assert_null(pv_net_drain_rx(&net, 0));
	assert_int_equal(pv_net_tx_size(&net), 0);
}

static void
denied_mtu_is_no_reason_for_long_buffers(void **state)
{
	const struct pv_net_params params = { .np_deny = BIT(MTU) };

	(void)state;
	offer_mtu(65435);
	assert_int_equal(pv_net_attach(&net, rig_init(&rig), &callbacks, NULL,
	    &params), 0);
	assert_int_equal(pv_net_rxbuf_len(&net), 1530);
	detach();
}

static unsigned int nallocs;

static int
count_alloc(bus_dma_tag_t t, bus_size_t size, bus_size_t alignment,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	(void)t;
	nallocs++;
	return bus_dmamem_alloc(&port_dma_tag, size, alignment, boundary, segs,
	    nsegs, rsegs, flags);
}

static void
a_restart_keeps_its_queues(void **state)
{
	static struct pv_bus_dma_tag tag;

	(void)state;
	rig_init(&rig);
	tag = port_dma_tag;
	rig.rg_dev.vd_dmat = &tag;
	assert_int_equal(pv_net_attach(&net, &rig.rg_dev, &callbacks, NULL,
	    NULL), 0);
	tag.dt_dmamem_alloc = count_alloc;
	nallocs = 0;
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(nallocs, 0);
	detach();
}

static void
queues_are_as_small_as_the_port_asks(void **state)
{
	const struct pv_net_params params = { .np_rxsize = 4, .np_txsize = 8 };
	struct pv_net_rx rx[4];
	unsigned int i;

	(void)state;
	rig.rg_offered |= BIT(MRG_RXBUF);
	assert_int_equal(pv_net_attach(&net, rig_init(&rig), &callbacks, NULL,
	    &params), 0);
	assert_int_equal(pv_net_rx_size(&net), 4);
	assert_int_equal(pv_net_tx_size(&net), 8);
	assert_int_equal(pv_net_rxbufs_max(&net), 4);
	assert_false(rig.rg_queues[CTRLQ].rq_enabled);
	/* A frame in all of them is one. */
	post(4);
	deliver(frame(1530 - 12, 4), 1530);
	for (i = 1; i < 4; i++)
		deliver(frame(100, 1), 100);
	memset(rx, 0xff, sizeof(rx));
	assert_int_equal(receive(rx, 4), 4);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_MORE | PV_NET_RX_OVERSIZE);
	assert_int_equal(rx[1].rx_flags, PV_NET_RX_MORE);
	assert_int_equal(rx[1].rx_csum_start, 0);
	assert_int_equal(rx[3].rx_flags, 0);
	assert_int_equal(rx[3].rx_csum_offset, 0);
	detach();
}

static void
start_when_all_came_back(void **state)
{
	struct port_buf *pb;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_start(&net), EBUSY);
	peer_keeps = 1;
	pb = port_buf_new(200);
	assert_int_equal(send(pb, 60, 0, 0, 0), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), EBUSY);
	assert_ptr_equal(pv_net_drain_tx(&net, 0), pb);
	assert_int_equal(pv_net_start(&net), 0);
	post(1);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), EBUSY);
	assert_ptr_equal(pv_net_drain_rx(&net, 0), rxbufs[0]);
	assert_int_equal(pv_net_start(&net), 0);
	detach();
	port_buf_free(pb);
}

#define MANY	44

/* A frame that the caller had no room for is still to be drained. */
static void
a_frame_in_hand_is_drained_before_a_start(void **state)
{
	struct port_buf *bufs[MANY];
	struct pv_net_rx rx[MANY];
	struct pv_net_rxbuf rb;
	unsigned int i, done, max;

	(void)state;
	rig.rg_offered |= BIT(MRG_RXBUF);
	assert_int_equal(attach(), 0);
	max = pv_net_rxbufs_max(&net);
	assert_int_equal(max, MANY - 1);
	memset(&rb, 0, sizeof(rb));
	for (i = 0; i < MANY; i++) {
		bufs[i] = port_buf_new(pv_net_rxbuf_len(&net));
		rb.rb_piece = (struct pv_piece){ bufs[i]->pb_map, 0,
		    bufs[i]->pb_len };
		rb.rb_va = bufs[i]->pb_va;
		rb.rb_cookie = bufs[i];
		assert_int_equal(pv_net_post(&net, 0, &rb, 1, &done), 0);
	}
	for (i = 0; i < MANY; i++)
		deliver(frame(60, MANY / 2), 72);
	assert_int_equal(receive(rx, max), MANY / 2);
	assert_null(pv_net_drain_rx(&net, 0));
	assert_null(pv_net_drain_tx(&net, 0));
	assert_true(pv_net_rx_intr(&net, 0, 1));
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), EBUSY);
	for (i = 0; i < MANY / 2; i++)
		assert_non_null(pv_net_drain_rx(&net, 0));
	assert_null(pv_net_drain_rx(&net, 0));
	assert_int_equal(pv_net_start(&net), 0);
	detach();
	for (i = 0; i < MANY; i++)
		port_buf_free(bufs[i]);
}

static int
transmit(struct pv_piece *pieces, unsigned int n, void *hdr, void *cookie)
{
	const struct pv_net_tx tx = {
		.tx_pieces = pieces, .tx_npieces = (uint16_t)n, .tx_hdr = hdr,
		.tx_cookie = cookie,
	};
	unsigned int done;

	return pv_net_transmit(&net, 0, &tx, 1, &done);
}

static void
nonsense_is_not_sent(void **state)
{
	struct port_buf *pb = port_buf_new(2000);
	struct pv_piece pc[2] = { { pb->pb_map, 12, 60 },
	    { pb->pb_map, 80, 60 } };

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(transmit(pc, 0, pb->pb_va, pb), EINVAL);
	assert_int_equal(transmit(pc, 1, NULL, pb), EINVAL);
	assert_int_equal(transmit(pc, 1, pb->pb_va, NULL), EINVAL);
	pc[0].pc_off = 11;
	assert_int_equal(transmit(pc, 1, pb->pb_va, pb), EINVAL);
	pc[0].pc_off = 12;
	/* Lengths that are small once they are added up. */
	pc[0].pc_len = 0xffffffff;
	assert_int_equal(transmit(pc, 2, pb->pb_va, pb), EMSGSIZE);
	pc[0].pc_len = 13;
	assert_int_equal(transmit(pc, 1, pb->pb_va, pb), EINVAL);
	pc[0].pc_len = 14;
	assert_int_equal(transmit(pc, 1, pb->pb_va, pb), 0);
	assert_int_equal(peer_len, 14);
	detach();
	port_buf_free(pb);
}

/* A tag is one where its bytes are of the frame. */
static void
a_tag_is_looked_for_in_the_first_piece(void **state)
{
	struct port_buf *pb = port_buf_new(2000);
	struct pv_piece pc[2] = { { pb->pb_map, 12, 14 },
	    { pb->pb_map, 100, 1504 } };

	(void)state;
	assert_int_equal(attach(), 0);
	pb->pb_va[12 + 12] = 0x81;
	pb->pb_va[12 + 13] = 0x00;
	assert_int_equal(transmit(pc, 2, pb->pb_va, pb), 0);
	assert_int_equal(reclaim(), 1);
	pc[0].pc_len = 13;
	pc[1].pc_len = 1505;
	assert_int_equal(transmit(pc, 2, pb->pb_va, pb), EMSGSIZE);
	detach();
	port_buf_free(pb);
}

static void
reclaim_takes_what_there_is_room_for(void **state)
{
	struct port_buf *pb[2] = { port_buf_new(200), port_buf_new(200) };
	unsigned int i, done;
	void *cookie;

	(void)state;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(send(pb[i], 60, 0, 0, 0), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pv_net_reclaim(&net, 0, &cookie, 1, &done), 0);
		assert_int_equal(done, 1);
		assert_ptr_equal(cookie, pb[i]);
	}
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_reclaim(&net, 0, &cookie, 1, &done), ENETDOWN);
	assert_int_equal(counters()->nc_tx_frames, 2);
	detach();
	for (i = 0; i < 2; i++)
		port_buf_free(pb[i]);
}

static void
a_buffer_without_a_cookie_is_refused(void **state)
{
	struct port_buf *pb = port_buf_new(2000);
	struct pv_net_rxbuf rb = {
		.rb_piece = { pb->pb_map, 0, 2000 }, .rb_va = pb->pb_va,
	};
	unsigned int done;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_post(&net, 0, &rb, 1, &done), EINVAL);
	detach();
	port_buf_free(pb);
}

/* What an earlier frame left in the buffer is no header of this one. */
static void
hostile_header_cut_short(void **state)
{
	struct pv_net_rx rx[64];

	(void)state;
	rig.rg_offered |= BIT(MRG_RXBUF);
	assert_int_equal(attach(), 0);
	rxbufs[0] = port_buf_new(pv_net_rxbuf_len(&net));
	memcpy(rxbufs[0]->pb_va, frame(60, 2), 12);
	post(3);
	deliver(frame(60, 2), 11);
	assert_int_equal(receive(rx, 64), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_ERROR);
	/* A header and nothing more says how many follow. */
	deliver(frame(60, 2), 12);
	deliver(frame(60, 1), 72);
	memset(rx, 0xff, sizeof(rx));
	assert_int_equal(receive(rx, 64), 2);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_ERROR);
	assert_int_equal(rx[1].rx_flags, PV_NET_RX_ERROR);
	assert_int_equal(rx[1].rx_len, 0);
	assert_int_equal(counters()->nc_rx_errors, 2);
	detach();
}

static void
the_shortest_frame_and_the_last_checksum(void **state)
{
	struct pv_net_rx rx[1];
	uint8_t *f;

	(void)state;
	rig.rg_offered |= BIT(GUEST_CSUM);
	assert_int_equal(attach(), 0);
	post(3);
	deliver(frame(14, 1), 26);
	assert_int_equal(receive(rx, 1), 1);
	assert_int_equal(rx[0].rx_flags, 0);
	assert_int_equal(rx[0].rx_len, 14);
	f = frame(60, 1);
	f[0] = 1;
	f[6] = 50;
	f[8] = 8;
	deliver(f, 72);
	assert_int_equal(receive(rx, 1), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_CSUM_PARTIAL);
	f[8] = 9;
	deliver(f, 72);
	assert_int_equal(receive(rx, 1), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_ERROR);
	assert_int_equal(rx[0].rx_csum_start, 0);
	detach();
}

static uint16_t
driver_flags(unsigned int queue)
{
	uint16_t flags;

	/* They are a hint, and may be seen late. */
	pv_md_mb(false);
	port_dma_read(rig.rg_queues[queue].rq_place.qp_driver, &flags, 2);
	return wire16(flags);
}

static void
interrupts_are_turned_off_and_on(void **state)
{
	struct port_buf *pb = port_buf_new(200);

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_rx_intr(&net, 0, 0), 0);
	assert_int_equal(driver_flags(RXQ), 1);
	assert_int_equal(pv_net_rx_intr(&net, 0, 1), 0);
	assert_int_equal(driver_flags(RXQ), 0);
	assert_int_equal(pv_net_tx_intr(&net, 0, 1), 0);
	assert_int_equal(driver_flags(TXQ), 0);
	assert_int_equal(pv_net_tx_intr(&net, 0, 0), 0);
	assert_int_equal(driver_flags(TXQ), 1);
	post(1);
	deliver(frame(60, 1), 72);
	assert_int_equal(send(pb, 60, 0, 0, 0), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_rx_intr(&net, 0, 1), 0);
	assert_int_equal(pv_net_tx_intr(&net, 0, 1), 0);
	detach();
	port_buf_free(pb);
}

/* A command that was not answered may still be read from where it is. */
static void
a_command_that_hangs_stays_as_it_was(void **state)
{
	struct rig_chain rc;
	uint8_t seen[3];

	(void)state;
	rig.rg_offered |= BIT(CTRL_VQ) | BIT(CTRL_RX);
	assert_int_equal(attach(), 0);
	ctrl_mute = 1;
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC), ETIMEDOUT);
	assert_int_equal(pv_net_set_rxmode(&net, 0), EIO);
	assert_int_equal(rig_take(&rig, CTRLQ, &rc), 1);
	rig_read(&rc, 0, seen, 3);
	assert_int_equal(seen[2], 1);
	detach();
}

/* One that was used wrongly has no answer. */
static void
hostile_control_queue(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CTRL_VQ) | BIT(CTRL_RX);
	assert_int_equal(attach(), 0);
	ctrl_mute = 1;
	rig_give(&rig, CTRLQ, 77, 1);
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC), EIO);
	assert_int_equal(nbroken, 1);
	detach();
}

static void
a_stopped_device_is_not_asked(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CTRL_VQ) | BIT(CTRL_RX);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC | ALLMULTI), 0);
	rig_put16(&rig, 6, 0);
	assert_int_equal(pv_net_changed(&net), 0);
	assert_true(pv_net_link(&net));
	detach();
}

static void
without_status_the_link_is_up(void **state)
{
	(void)state;
	rig.rg_offered &= ~BIT(STATUS);
	assert_int_equal(attach(), 0);
	rig_put16(&rig, 6, 0);
	assert_int_equal(pv_net_changed(&net), 0);
	assert_true(pv_net_link(&net));
	detach();
}

static void
says_nothing(struct rig *rg, unsigned int queue)
{
	struct rig_chain rc;

	while (queue == CTRLQ && rig_take(rg, CTRLQ, &rc))
		rig_give(rg, CTRLQ, rc.rc_head, 0);
}

/* What stands where the answer should be is none. */
static void
an_answer_of_no_bytes_is_a_refusal(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CTRL_VQ) | BIT(CTRL_RX);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC), 0);
	rig.rg_notify = says_nothing;
	assert_int_equal(pv_net_set_rxmode(&net, PROMISC), EIO);
	assert_int_equal(pv_net_info(&net)->ni_ctrl_errors, 1);
	rig.rg_notify = notified;
	detach();
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(mtu_is_taken_as_announced),
		T(mtu_below_68_is_left),
		T(mtu_above_65435_is_left_and_received_whole),
		T(mtu_above_65435_needs_no_long_buffers_that_merge),
		T(mtu_above_65435_is_taken_from_a_device_that_insists),
		T(mtu_nonsense_that_is_insisted_on_is_no_network),
		T(mtu_that_changes_restarts_the_negotiation),
		T(mtu_that_never_holds_still_ends),
		T(mtu_beyond_the_configuration_is_left),
		T(mtu_denied_by_the_port),
		T(set_mtu_without_the_bit_may_need_longer_buffers),
		T(set_mtu_with_merged_buffers_needs_no_others),
		T(set_mtu_lowers_and_raises_to_the_hard_mtu),
		T(restart_takes_another_mtu),
		T(transmit_carries_header_and_frame),
		T(transmit_refuses_frames_above_the_mtu),
		T(transmit_at_the_largest_mtu),
		T(transmit_checksum),
		T(transmit_judges_what_it_is_given),
		T(transmit_rings_once_a_batch),
		T(transmit_on_a_stopped_device),
		T(transmit_used_with_a_length),
		T(legacy_header_has_a_descriptor_of_its_own),
		T(legacy_with_any_layout_has_not),
		T(receive_gives_the_frame_in_place),
		T(receive_without_merging_ignores_num_buffers),
		T(receive_counts_frames_above_the_mtu),
		T(receive_checksum_flags),
		T(hostile_checksum_beyond_the_frame),
		T(hostile_checksum_not_negotiated),
		T(hostile_gso_not_negotiated),
		T(hostile_length_under_the_header),
		T(hostile_length_above_what_was_posted),
		T(hostile_used_id),
		T(hostile_used_id_twice),
		T(post_judges_what_it_is_given),
		T(interrupts_come_as_asked),
		T(merged_frame_is_given_whole),
		T(merged_frame_waits_for_room_in_the_call),
		T(merged_frame_in_progress_is_drained),
		T(hostile_num_buffers_zero),
		T(hostile_num_buffers_above_what_is_outstanding),
		T(hostile_num_buffers_above_what_a_frame_takes),
		T(hostile_empty_buffer_in_a_frame),
		T(rxmode_goes_over_the_control_queue),
		T(rxmode_without_the_feature_is_nothing),
		T(hostile_control_queue_never_answers),
		T(link_follows_the_status),
		T(address_of_the_device_or_a_local_one),
		T(openbsd_torn_configuration),
		T(hostile_configuration_never_holds_still),
		T(seldom_bits_are_left),
		T(openbsd_renegotiation_begins_anew),
		T(detach_with_buffers_in_flight),
		T(detach_without_a_drain_forgets),
		T(hostile_reset_never_confirmed),
		T(hostile_removed_in_flight),
		T(hostile_interrupts_at_any_time),
		T(missed_interrupt_is_found_by_a_poll),
		T(apple_features_are_taken),
		T(attach_fails_cleanly_wherever_memory_ends),
		T(attach_fails_without_queues),
		T(without_coherence),
		T(attach_looks_at_each_allocation),
		T(nobody_needs_to_listen),
		T(denied_mtu_is_no_reason_for_long_buffers),
		T(a_restart_keeps_its_queues),
		T(queues_are_as_small_as_the_port_asks),
		T(start_when_all_came_back),
		T(a_frame_in_hand_is_drained_before_a_start),
		T(nonsense_is_not_sent),
		T(a_tag_is_looked_for_in_the_first_piece),
		T(reclaim_takes_what_there_is_room_for),
		T(a_buffer_without_a_cookie_is_refused),
		T(hostile_header_cut_short),
		T(the_shortest_frame_and_the_last_checksum),
		T(interrupts_are_turned_off_and_on),
		T(a_command_that_hangs_stays_as_it_was),
		T(hostile_control_queue),
		T(a_stopped_device_is_not_asked),
		T(without_status_the_link_is_up),
		T(an_answer_of_no_bytes_is_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
