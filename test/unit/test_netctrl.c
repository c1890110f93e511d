/* SPDX-License-Identifier: ISC */
/*
 * lib/device/net*.c: pairs of queues, segmentation, and what goes over the
 * control queue, against a device that does what a test says.
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

#define BIT(n)	PV_F_BIT(PV_NET_F_##n)
#define CTRL	(BIT(CTRL_VQ) | BIT(CTRL_RX))

static struct rig rig;
static struct pv_net net;
static unsigned int ctrlq, intrs[6];

/* Commands, as they came; how the device answers, and with what. */
static struct {
	uint8_t bytes[600];
	uint32_t len, in;
} cmds[32];
static unsigned int ncmds;
static int refuse_class;		/* -1: none, -2: all */
static int break_class;			/* the device is broken then; -1: not */
static uint8_t answer[256];
static uint32_t answer_len;

static uint8_t sent[70000];		/* header and frame, as last sent */
static uint32_t sent_len;
static unsigned int sent_queue;
static int keeps;			/* the device keeps what is sent */

static void
note_rx(void *arg, unsigned int queue)
{
	(void)arg;
	intrs[2 * queue]++;
}

static void
note_tx(void *arg, unsigned int queue)
{
	(void)arg;
	intrs[2 * queue + 1]++;
}

static const struct pv_net_callbacks callbacks = {
	.nc_rx = note_rx, .nc_tx = note_tx,
};

static void
take_command(struct rig *rg, const struct rig_chain *rc)
{
	uint8_t ack = 0;
	uint32_t before = 0;

	assert_true(ncmds < 32 && rc->rc_outlen <= sizeof(cmds[0].bytes));
	rig_read(rc, 0, cmds[ncmds].bytes, rc->rc_outlen);
	cmds[ncmds].len = rc->rc_outlen;
	cmds[ncmds].in = rc->rc_inlen;
	if (cmds[ncmds].bytes[0] == break_class)
		pv_virtio_break(&rig.rg_dev, "by another thread");
	if (refuse_class == -2 || cmds[ncmds].bytes[0] == refuse_class)
		ack = 1;
	/* What is asked of coalescing stands before the ack. */
	if (cmds[ncmds].bytes[0] == 6 && cmds[ncmds].bytes[1] == 3)
		before = 8;
	ncmds++;
	rig_write(rc, before, &ack, 1);
	if (before > 0)
		rig_write(rc, 0, answer, before);
	else if (answer_len > 0)
		rig_write(rc, 1, answer, answer_len);
	rig_give(rg, ctrlq, rc->rc_head, before + 1 +
	    (before > 0 ? 0 : answer_len));
}

static void
notified(struct rig *rg, unsigned int queue)
{
	struct rig_chain rc;

	if (queue != ctrlq && queue % 2 == 0)
		return;
	while (!(keeps && queue != ctrlq) && rig_take(rg, queue, &rc)) {
		if (queue == ctrlq) {
			take_command(rg, &rc);
			continue;
		}
		sent_queue = queue;
		sent_len = rc.rc_outlen;
		rig_read(&rc, 0, sent, rc.rc_outlen);
		rig_give(rg, queue, rc.rc_head, 0);
	}
}

/* More commands than are kept. */
static void
notified_often(struct rig *rg, unsigned int queue)
{
	notified(rg, queue);
	ncmds = 0;
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_NET);
	rig.rg_notify = notified;
	rig.rg_offered |= BIT(MAC) | BIT(STATUS);
	rig.rg_configlen = 24;
	memcpy(rig.rg_config, "\x52\x54\x00\x12\x34\x56", 6);
	rig_put16(&rig, 6, 1);
	rig.rg_config[17] = 40;
	rig_put16(&rig, 18, 128);
	rig_put16(&rig, 20, 0x1ff);
	ctrlq = 2;
	ncmds = 0;
	refuse_class = break_class = -1;
	answer_len = 0;
	keeps = 0;
	memset(intrs, 0, sizeof(intrs));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return port_check();
}

static int
attach(uint64_t offered, uint64_t want, unsigned int pairs)
{
	const struct pv_net_params params = { .np_pairs = pairs,
	    .np_want = want };

	rig.rg_offered |= offered;
	return pv_net_attach(&net, rig_init(&rig), &callbacks, NULL, &params);
}

static void
up(uint64_t offered, uint64_t want)
{
	assert_int_equal(attach(offered, want, 1), 0);
}

/* n pairs of max that there are. */
static void
up_pairs(uint64_t offered, unsigned int n, unsigned int max)
{
	rig_put16(&rig, 8, (uint16_t)max);
	ctrlq = 2 * max;
	assert_int_equal(attach(CTRL | offered, PV_NET_OPTIONAL, n), 0);
}

static void
restart(void)
{
	unsigned int q;

	assert_int_equal(pv_net_stop(&net), 0);
	for (q = 0; q < pv_net_info(&net)->ni_maxpairs; q++) {
		while (pv_net_drain_rx(&net, q) != NULL ||
		    pv_net_drain_tx(&net, q) != NULL)
			continue;
	}
	ncmds = 0;
	assert_int_equal(pv_net_start(&net), 0);
}

static int
accepted(uint64_t bits)
{
	return (rig.rg_accepted & bits) != 0;
}

static void
is_command(unsigned int i, const void *bytes, uint32_t len)
{
	assert_true(i < ncmds);
	assert_int_equal(cmds[i].len, len);
	assert_memory_equal(cmds[i].bytes, bytes, len);
}

static uint64_t
refused_so_far(void)
{
	return pv_net_info(&net)->ni_ctrl_errors;
}

/* Segmentation, sent */

static int
send_on(unsigned int queue, struct port_buf *pb, uint32_t len,
    struct pv_net_tx tx)
{
	unsigned int done, hdr = pv_net_hdrlen(&net);
	struct pv_piece piece = { pb->pb_map, hdr, len };
	void *cookie;
	int error;

	tx.tx_pieces = &piece;
	tx.tx_npieces = 1;
	tx.tx_hdr = pb->pb_va;
	tx.tx_cookie = pb;
	error = pv_net_transmit(&net, queue, &tx, 1, &done);
	assert_int_equal(done, error == 0);
	if (error == 0 && !keeps) {
		assert_int_equal(pv_net_reclaim(&net, queue, &cookie, 1,
		    &done), 0);
		assert_ptr_equal(cookie, pb);
	}
	return error;
}

static const struct pv_net_tx plain = { .tx_flags = 0 };

#define GSO(flags, size, hdr)						\
	((struct pv_net_tx){ .tx_flags = (flags), .tx_csum_start = 34,	\
	.tx_csum_offset = 16, .tx_gso_size = (size), .tx_hdr_len = (hdr) })
#define C	PV_NET_TX_CSUM

static void
a_frame_to_be_cut_says_how(void **state)
{
	static const struct {
		unsigned int flags;
		uint8_t type;
	} kinds[] = {
		{ PV_NET_TX_TSO4, 1 }, { PV_NET_TX_TSO6, 4 },
		{ PV_NET_TX_UFO, 3 }, { PV_NET_TX_USO, 5 },
		{ PV_NET_TX_TSO4 | PV_NET_TX_ECN, 0x81 },
		{ PV_NET_TX_TSO6 | PV_NET_TX_ECN, 0x84 },
	};
	struct port_buf *pb = port_buf_new(66000);
	struct pv_net_counters nc;
	uint8_t hdr[12] = "\1\0\x36\0\0\4\x22\0\x10\0\0\0";
	unsigned int i;

	(void)state;
	up(BIT(CSUM) | PV_NET_TSO | PV_NET_UDPSEG, PV_NET_TSO | PV_NET_UDPSEG);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		hdr[1] = kinds[i].type;
		assert_int_equal(send_on(0, pb, 65589, GSO((uint16_t)(C |
		    kinds[i].flags), 1024, 54)), 0);
		assert_memory_equal(sent, hdr, 12);
		assert_int_equal(sent_len, 12 + 65589);
	}
	pv_net_counters(&net, 0, &nc);
	assert_int_equal(nc.nc_tx_gso, i);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static void
what_can_not_be_cut_is_not_sent(void **state)
{
	struct port_buf *pb = port_buf_new(66000);
	const uint16_t tso = C | PV_NET_TX_TSO4;
	struct pv_net_tx tx;

	(void)state;
	up(BIT(CSUM) | PV_NET_TSO | PV_NET_UDPSEG, PV_NET_TSO | PV_NET_UDPSEG);
	assert_int_equal(send_on(0, pb, 3000, GSO(PV_NET_TX_TSO4, 100, 54)),
	    EINVAL);
	assert_int_equal(send_on(0, pb, 3000, GSO(tso | PV_NET_TX_TSO6, 100,
	    54)), EINVAL);
	assert_int_equal(send_on(0, pb, 3000, GSO(tso, 0, 54)), EINVAL);
	assert_int_equal(send_on(0, pb, 3000, GSO(tso, 100, 51)), EINVAL);
	assert_int_equal(send_on(0, pb, 3000, GSO(tso, 100, 52)), 0);
	assert_int_equal(send_on(0, pb, 100, GSO(tso, 100, 101)), EINVAL);
	assert_int_equal(send_on(0, pb, 100, GSO(tso, 100, 100)), 0);
	assert_int_equal(send_on(0, pb, 3000, GSO(C | PV_NET_TX_ECN, 100,
	    54)), EINVAL);
	assert_int_equal(send_on(0, pb, 3000, GSO(C | PV_NET_TX_USO |
	    PV_NET_TX_ECN, 100, 54)), EINVAL);
	assert_int_equal(send_on(0, pb, 60, GSO(0x40, 0, 0)), EINVAL);
	/* Parts within the MTU; a fragment has no header of UDP. */
	assert_int_equal(send_on(0, pb, 3000, GSO(tso, 1460, 54)), 0);
	assert_int_equal(send_on(0, pb, 3000, GSO(tso, 1461, 54)), EMSGSIZE);
	assert_int_equal(send_on(0, pb, 3000, GSO(C | PV_NET_TX_UFO, 1468,
	    54)), 0);
	assert_int_equal(send_on(0, pb, 3000, GSO(C | PV_NET_TX_UFO, 1469,
	    54)), EMSGSIZE);
	assert_int_equal(send_on(0, pb, 65590, GSO(tso, 1000, 54)), EMSGSIZE);
	pb->pb_va[12 + 12] = 0x81;
	assert_int_equal(send_on(0, pb, 3000, GSO(tso, 1464, 54)), 0);
	/* Nothing of it in one that is not cut. */
	tx = GSO(C, 100, 54);
	assert_int_equal(send_on(0, pb, 100, tx), 0);
	assert_memory_equal(sent, "\1\0\0\0\0\0\x22\0\x10\0\0\0", 12);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static void
segmentation_is_only_taken_if_wanted(void **state)
{
	struct port_buf *pb = port_buf_new(3000);

	(void)state;
	up(BIT(CSUM) | BIT(GUEST_CSUM) | PV_NET_OPTIONAL | CTRL, 0);
	assert_false(accepted(PV_NET_OPTIONAL));
	assert_int_equal(rig.rg_dev.vd_ng.ng_why[PV_NET_F_GUEST_TSO4],
	    PV_WHY_DENIED);
	assert_int_equal(pv_net_rxbuf_len(&net), 1530);
	assert_int_equal(send_on(0, pb, 1000, GSO(C | PV_NET_TX_TSO4, 100,
	    54)), EINVAL);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

/* A header that does not lie right for words, and one of other lengths. */
static void
headers_at_any_address(void **state)
{
	struct port_buf *pb = port_buf_new(3000);
	struct pv_net_tx tx = { .tx_npieces = 1, .tx_cookie = pb,
	    .tx_flags = C, .tx_csum_start = 0x1234, .tx_csum_offset = 0 };
	struct pv_piece piece = { pb->pb_map, 0, 0x1300 };
	unsigned int i, done;
	void *cookie;

	(void)state;
	up(BIT(CSUM), 0);
	tx.tx_pieces = &piece;
	for (i = 0; i < 4; i++) {
		memset(pb->pb_va, 0xee, 100);
		piece.pc_off = 12 + i;
		piece.pc_len = 100;
		tx.tx_csum_start = 98;
		tx.tx_hdr = pb->pb_va + i;
		assert_int_equal(pv_net_transmit(&net, 0, &tx, 1, &done), 0);
		assert_memory_equal(sent, "\1\0\0\0\0\0\x62\0\0\0\0\0", 12);
		assert_int_equal(sent[12], 0xee);
		assert_int_equal(pv_net_reclaim(&net, 0, &cookie, 1, &done),
		    0);
		tx.tx_csum_start = 99;
		assert_int_equal(pv_net_transmit(&net, 0, &tx, 1, &done),
		    EINVAL);
	}
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

/* Segmentation, received */

static void
lengths_of_buffers(void **state)
{
	static const struct {
		uint64_t offered;
		unsigned int len;
	} cases[] = {
		{ BIT(GUEST_TSO4), 65601 }, { BIT(GUEST_TSO6), 65601 },
		{ BIT(GUEST_UFO), 65601 }, { BIT(GUEST_USO4), 65601 },
		{ BIT(GUEST_USO6), 65601 },
		{ BIT(GUEST_TSO4) | BIT(MRG_RXBUF), 1530 },
		{ BIT(GUEST_TSO4) | BIT(HASH_REPORT) | CTRL, 65609 },
		{ BIT(HASH_REPORT) | CTRL, 1538 },
		{ BIT(MRG_RXBUF) | BIT(HASH_REPORT) | CTRL, 1538 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		up(BIT(GUEST_CSUM) | cases[i].offered, PV_NET_OPTIONAL);
		assert_int_equal(pv_net_rxbuf_len(&net), cases[i].len);
		assert_int_equal(pv_net_hdrlen(&net),
		    accepted(BIT(HASH_REPORT)) ? 20 : 12);
		if (cases[i].offered & BIT(MRG_RXBUF))
			assert_true(pv_net_rxbufs_max(&net) *
			    pv_net_rxbuf_len(&net) > 65589);
		assert_int_equal(pv_net_detach(&net), 0);
		assert_int_equal(port_check(), 0);
	}
}

/* Apple's device has no MRG_RXBUF: sending goes only with receiving. */
static void
apple_all_segmentation_or_none(void **state)
{
	const uint64_t send = BIT(HOST_TSO4) | BIT(HOST_TSO6);
	const uint64_t recv = BIT(GUEST_TSO4) | BIT(GUEST_TSO6);
	const uint64_t csum = BIT(CSUM) | BIT(GUEST_CSUM);

	up(csum | send | recv, PV_NET_TSO | PV_NET_LRO);
	assert_int_equal(rig.rg_accepted & (send | recv), send | recv);
	assert_int_equal(pv_net_rxbuf_len(&net), 65601);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(csum | send | recv | BIT(HOST_ECN), PV_NET_TSO);
	assert_false(accepted(send | recv | BIT(HOST_ECN)));
	assert_int_equal(rig.rg_dev.vd_ng.ng_why[PV_NET_F_HOST_TSO4],
	    PV_WHY_DEPENDS);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(csum | send | recv | BIT(MRG_RXBUF) | BIT(GUEST_ECN),
	    PV_NET_TSO | BIT(GUEST_ECN));
	assert_int_equal(rig.rg_accepted & (send | recv | BIT(GUEST_ECN)),
	    send);
	assert_int_equal(pv_net_detach(&net), 0);
}

static struct port_buf *rxbuf;

/* The device delivers a frame of len bytes on a queue, under this header. */
static struct pv_net_rx
deliver(unsigned int queue, const void *hdr, uint32_t len)
{
	static uint8_t bytes[70000];
	uint32_t hdrlen = pv_net_hdrlen(&net);
	struct pv_net_rxbuf rb;
	struct pv_net_rx rx[64];
	struct rig_chain rc;
	unsigned int done;

	rb.rb_piece = (struct pv_piece){ rxbuf->pb_map, 0,
	    pv_net_rxbuf_len(&net) };
	rb.rb_va = rxbuf->pb_va;
	rb.rb_cookie = rxbuf;
	assert_int_equal(pv_net_post(&net, queue, &rb, 1, &done), 0);
	assert_true(rig_take(&rig, PV_NET_RXQ(queue), &rc));
	memcpy(bytes, hdr, hdrlen);
	rig_write(&rc, 0, bytes, hdrlen + len);
	rig_give(&rig, PV_NET_RXQ(queue), rc.rc_head, hdrlen + len);
	rig_interrupt(&rig, PV_INTR_QUEUE);
	assert_int_equal(pv_net_receive(&net, queue, rx, 64, &done), 0);
	assert_int_equal(done, 1);
	assert_ptr_equal(rx[0].rx_cookie, rxbuf);
	return rx[0];
}

static void
is_gso(const char *hdr, uint32_t len, unsigned int flags, unsigned int hdr_len)
{
	struct pv_net_rx rx = deliver(0, hdr, len);

	assert_int_equal(rx.rx_flags, flags);
	assert_int_equal(rx.rx_len, len);
	assert_int_equal(rx.rx_gso_size, 0x0400);
	assert_int_equal(rx.rx_hdr_len, hdr_len);
}

static void
is_none(const char *hdr, uint32_t len)
{
	struct pv_net_rx rx = deliver(0, hdr, len);

	assert_int_equal(rx.rx_flags, PV_NET_RX_ERROR);
	assert_int_equal(rx.rx_len, 0);
	assert_int_equal(rx.rx_gso_size, 0);
}

#define P	PV_NET_RX_CSUM_PARTIAL

static void
what_was_several_says_so(void **state)
{
	struct pv_net_counters nc;

	(void)state;
	rxbuf = port_buf_new(66000);
	up(BIT(GUEST_CSUM) | PV_NET_LRO | BIT(GUEST_UFO) | BIT(GUEST_USO4),
	    PV_NET_OPTIONAL);
	is_gso("\1\1\x36\0\0\4\x22\0\x10\0\1", 60000, P | PV_NET_RX_TSO4, 54);
	is_gso("\1\4\x36\0\0\4\x22\0\x10\0\1", 3000, P | PV_NET_RX_TSO6, 54);
	is_gso("\1\3\x36\0\0\4\x22\0\x10\0\1", 3000, P | PV_NET_RX_UFO, 54);
	is_gso("\1\5\x36\0\0\4\x22\0\x10\0\1", 3000, P | PV_NET_RX_USO, 54);
	is_gso("\1\x81\x36\0\0\4\x22\0\x10\0\1", 3000,
	    P | PV_NET_RX_TSO4 | PV_NET_RX_ECN, 54);
	is_gso("\2\1\x36\0\0\4\x22\0\x10\0\1", 3000,
	    PV_NET_RX_CSUM_VALID | PV_NET_RX_TSO4, 54);
	/* The length of headers is a hint, within the frame or none. */
	is_gso("\1\1\xb8\xb\0\4\x22\0\x10\0\1", 3000, P | PV_NET_RX_TSO4,
	    3000);
	is_gso("\1\1\xb9\xb\0\4\x22\0\x10\0\1", 3000, P | PV_NET_RX_TSO4, 0);
	is_gso("\1\1\x36\0\0\4\x22\0\x10\0\1", 65589, P | PV_NET_RX_TSO4, 54);
	pv_net_counters(&net, 0, &nc);
	assert_int_equal(nc.nc_rx_gso, 9);
	assert_int_equal(nc.nc_rx_oversize, 0);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(rxbuf);
}

static void
hostile_segmentation(void **state)
{
	(void)state;
	rxbuf = port_buf_new(66000);
	up(BIT(GUEST_CSUM) | BIT(GUEST_TSO4) | BIT(GUEST_UFO), PV_NET_OPTIONAL);
	is_none("\1\4\x36\0\0\4\x22\0\x10\0\1", 3000);	/* TSO6: not taken */
	is_none("\1\x81\x36\0\0\4\x22\0\x10\0\1", 3000);	/* nor ECN */
	is_none("\1\x83\x36\0\0\4\x22\0\x10\0\1", 3000);	/* no TCP */
	is_none("\1\x80\x36\0\0\4\x22\0\x10\0\1", 3000);
	is_none("\1\2\x36\0\0\4\x22\0\x10\0\1", 3000);	/* no such kind */
	is_none("\1\x21\x36\0\0\4\x22\0\x10\0\1", 3000);	/* a tunnel */
	is_none("\1\1\x36\0\0\0\x22\0\x10\0\1", 3000);	/* into nothing */
	is_none("\5\1\x36\0\0\4\x22\0\x10\0\1", 3000);	/* RSC_INFO */
	is_none("\1\1\x36\0\0\4\xb8\xb\0\0\1", 3000);	/* no such place */
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(rxbuf);
	assert_int_equal(port_check(), 0);
	setup(state);
	rxbuf = port_buf_new(66000);
	up(BIT(GUEST_CSUM) | BIT(GUEST_TSO4) | BIT(GUEST_ECN) | BIT(GUEST_UFO),
	    PV_NET_OPTIONAL);
	is_none("\1\x83\x36\0\0\4\x22\0\x10\0\1", 3000);	/* no TCP */
	is_none("\1\x80\x36\0\0\4\x22\0\x10\0\1", 3000);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(rxbuf);
}

static void
hashes_are_reported(void **state)
{
	struct pv_net_rx rx;

	(void)state;
	rxbuf = port_buf_new(2000);
	up(CTRL | BIT(HASH_REPORT), BIT(HASH_REPORT));
	rx = deliver(0, "\0\0\0\0\0\0\0\0\0\0\1\0\x78\x56\x34\x12\2\0\0\0",
	    60);
	assert_int_equal(rx.rx_off, 20);
	assert_int_equal(rx.rx_len, 60);
	assert_int_equal(rx.rx_hash_type, PV_NET_HASH_TCPV4);
	assert_int_equal(rx.rx_hash, 0x12345678);
	rx = deliver(0, "\0\0\0\0\0\0\0\0\0\0\1\0\x78\x56\x34\x12\x9\0\0\0",
	    60);
	assert_int_equal(rx.rx_hash_type, PV_NET_HASH_UDPV6_EX);
	/* What nobody knows is no hash. */
	rx = deliver(0, "\0\0\0\0\0\0\0\0\0\0\1\0\x78\x56\x34\x12\xa\0\0\0",
	    60);
	assert_int_equal(rx.rx_hash_type, PV_NET_HASH_NONE);
	assert_int_equal(rx.rx_hash, 0);
	assert_int_equal(rx.rx_len, 60);
	rx = deliver(0, "\0\0\0\0\0\0\0\0\0\0\1\0\x78\x56\x34\x12\0\0\0\0",
	    60);
	assert_int_equal(rx.rx_hash, 0);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(rxbuf);
}

/* Pairs */

/* -1: there is no such queue. */
static long
ring_used(unsigned int q)
{
	struct pv_virtq_counters qc = { .qc_used = 99 };
	int error = pv_net_ring_counters(&net, q, &qc);

	if (error == 0)
		return (long)qc.qc_used;
	assert_int_equal(error, EINVAL);
	assert_int_equal(qc.qc_used, 0);
	return -1;
}

static void
pairs_are_asked_for(void **state)
{
	struct port_buf *pb = port_buf_new(200);
	struct pv_net_counters nc;
	struct pv_net_rx rx;

	(void)state;
	rxbuf = port_buf_new(2000);
	up_pairs(BIT(MQ), 2, 3);
	assert_int_equal(ncmds, 1);
	is_command(0, "\4\0\2\0", 4);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 2);
	assert_int_equal(pv_net_info(&net)->ni_maxpairs, 2);
	assert_int_equal(send_on(1, pb, 60, plain), 0);
	assert_int_equal(sent_queue, 3);
	assert_int_equal(send_on(2, pb, 60, plain), EINVAL);
	rx = deliver(1, "\0\0\0\0\0\0\0\0\0\0\1", 60);
	assert_int_equal(rx.rx_len, 60);
	memset(intrs, 0, sizeof(intrs));
	pv_virtio_intr_queue(&rig.rg_dev, PV_NET_RXQ(1));
	assert_int_equal(intrs[2], 1);
	pv_virtio_intr_queue(&rig.rg_dev, PV_NET_TXQ(1));
	assert_int_equal(intrs[3], 1);
	assert_int_equal(intrs[0] + intrs[1], 0);
	pv_net_counters(&net, 0, &nc);
	assert_int_equal(nc.nc_tx_frames + nc.nc_rx_frames, 0);
	pv_net_counters(&net, 1, &nc);
	assert_int_equal(nc.nc_tx_bytes + nc.nc_rx_bytes, 120);
	pv_net_counters(&net, PV_NET_ALL_QUEUES, &nc);
	assert_int_equal(nc.nc_tx_bytes + nc.nc_rx_bytes, 120);
	pv_net_counters(&net, 2, &nc);
	assert_int_equal(nc.nc_tx_bytes + nc.nc_rx_bytes, 0);
	assert_int_equal(ring_used(PV_NET_TXQ(1)), 1);
	assert_int_equal(ring_used(PV_NET_CTRLQ), 1);
	assert_int_equal(ring_used(4), -1);
	assert_int_equal(ring_used(6), -1);	/* the control queue */
	assert_int_equal(pv_net_detach(&net), 0);
	assert_int_equal(ring_used(PV_NET_CTRLQ), -1);
	port_buf_free(pb);
	port_buf_free(rxbuf);
}

static void
queues_that_there_are_not(void **state)
{
	struct pv_net_rxbuf rb = { 0 };
	struct pv_net_rx rx[64];
	unsigned int done;
	void *cookie;

	(void)state;
	up(0, 0);
	assert_int_equal(pv_net_transmit(&net, 1, NULL, 1, &done), EINVAL);
	assert_int_equal(pv_net_reclaim(&net, 1, &cookie, 1, &done), EINVAL);
	assert_int_equal(pv_net_post(&net, 1, &rb, 1, &done), EINVAL);
	assert_int_equal(pv_net_receive(&net, 1, rx, 64, &done), EINVAL);
	assert_int_equal(pv_net_rx_intr(&net, 1, 1), 0);
	assert_int_equal(pv_net_tx_intr(&net, 1, 1), 0);
	assert_int_equal(pv_net_stalled_ns(&net, 1), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_null(pv_net_drain_rx(&net, 1));
	assert_null(pv_net_drain_tx(&net, 1));
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
pairs_that_are_refused_are_one(void **state)
{
	(void)state;
	refuse_class = 4;
	up_pairs(BIT(MQ), 3, 3);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 1);
	assert_int_equal(refused_so_far(), 1);
	refuse_class = -1;
	assert_int_equal(pv_net_set_pairs(&net, 3), 0);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 3);
	refuse_class = 4;
	assert_int_equal(pv_net_set_pairs(&net, 2), EIO);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 3);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
hostile_number_of_pairs(void **state)
{
	static const unsigned int max[] = { 0, 0x8001, 0xffff, 4, 31, 32,
	    0x8000 };
	unsigned int i;

	for (i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		setup(state);
		rig_put16(&rig, 8, (uint16_t)max[i]);
		assert_int_equal(attach(CTRL | BIT(MQ) | BIT(RSS),
		    PV_NET_OPTIONAL, 3), 0);
		assert_false(accepted(BIT(MQ) | BIT(RSS)));
		assert_int_equal(rig.rg_dev.vd_ng.ng_why[PV_NET_F_MQ],
		    PV_WHY_VALUE);
		assert_int_equal(pv_net_info(&net)->ni_pairs, 1);
		/* The last have too few queues for their own word. */
		assert_int_equal(rig.rg_dev.vd_ng.ng_tries, i >= 3 ? 2 : 1);
		assert_int_equal(pv_net_set_rxmode(&net, 0), 0);
		assert_int_equal(pv_net_detach(&net), 0);
		assert_int_equal(port_check(), 0);
	}
}

static void
pairs_change_while_it_runs(void **state)
{
	struct port_buf *pb = port_buf_new(200);

	(void)state;
	up_pairs(BIT(MQ), 3, 3);
	assert_int_equal(pv_net_set_pairs(&net, 0), EINVAL);
	assert_int_equal(pv_net_set_pairs(&net, 4), EINVAL);
	assert_int_equal(pv_net_set_pairs(&net, 3), 0);
	assert_int_equal(ncmds, 1);
	assert_int_equal(pv_net_set_pairs(&net, 1), 0);
	is_command(1, "\4\0\1\0", 4);
	assert_int_equal(send_on(1, pb, 60, plain), EINVAL);
	/* It stays so over a restart, of fewer that there are. */
	assert_int_equal(pv_net_set_pairs(&net, 2), 0);
	restart();
	is_command(0, "\4\0\2\0", 4);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 2);
	assert_int_equal(pv_net_info(&net)->ni_maxpairs, 3);
	assert_int_equal(pv_net_stop(&net), 0);
	rig_put16(&rig, 8, 1);
	ctrlq = 2;
	ncmds = 0;
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(ncmds, 0);
	assert_int_equal(pv_net_info(&net)->ni_maxpairs, 1);
	assert_int_equal(send_on(0, pb, 60, plain), 0);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static int
attach_pairs(void)
{
	rig_put16(&rig, 8, 2);
	ctrlq = 4;
	return attach(CTRL | BIT(MQ) | BIT(MRG_RXBUF), 0, 2);
}

static void
detach(void)
{
	assert_int_equal(pv_net_detach(&net), 0);
}

static const struct attach_fails life = {
	&rig, setup, attach_pairs, NULL, detach, NULL, 20
};

static void
attach_of_pairs_fails_cleanly_wherever_memory_ends(void **state)
{
	attach_without_memory(&life, state);
}

static void
attach_of_pairs_looks_at_each_allocation(void **state)
{
	attach_without_one(&life, state);
}

/* Hashes and tables */

static void
rss_spreads_by_hash(void **state)
{
	static const uint16_t table[4] = { 0, 1, 2, 1 };
	static const uint8_t key[3] = { 7, 8, 9 };
	struct pv_net_rss rss = { .nr_types = PV_NET_HASH_BIT(PV_NET_HASH_IPV4),
	    .nr_table = table, .nr_ntable = 4, .nr_default = 2, .nr_key = key,
	    .nr_nkey = 3 };
	const char wire[] = "\4\1\1\0\0\0\3\0\2\0\0\0\1\0\2\0\1\0\3\0\3\7\x8\x9";

	(void)state;
	up_pairs(BIT(MQ) | BIT(RSS), 3, 3);
	assert_int_equal(pv_net_info(&net)->ni_table, 128);
	assert_int_equal(pv_net_info(&net)->ni_key, 40);
	assert_int_equal(pv_net_info(&net)->ni_hash_types, 0x1ff);
	assert_int_equal(pv_net_set_rss(&net, &rss), 0);
	is_command(1, wire, sizeof(wire) - 1);
	restart();
	is_command(0, "\4\0\3\0", 4);
	is_command(1, wire, sizeof(wire) - 1);
	/* With fewer pairs it can't be as it was. */
	assert_int_equal(pv_net_set_pairs(&net, 2), 0);
	restart();
	assert_int_equal(ncmds, 1);
	rss.nr_ntable = 3;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	rss.nr_ntable = 4;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	rss.nr_ntable = 2;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	rss.nr_default = 1;
	assert_int_equal(pv_net_set_rss(&net, &rss), 0);
	rss.nr_types = 0x200;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	rss.nr_types = 0;
	rss.nr_nkey = 41;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	rss.nr_nkey = 0;
	rss.nr_ntable = 256;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_set_rss(&net, &rss), ENETDOWN);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
what_is_refused_leaves_what_was_set(void **state)
{
	static const uint16_t table[2] = { 1, 0 }, other[1] = { 1 };
	struct pv_net_rss rss = { .nr_table = table, .nr_ntable = 2,
	    .nr_key = (const uint8_t *)"k", .nr_nkey = 1 };
	const char wire[] = "\4\1\0\0\0\0\1\0\0\0\1\0\0\0\3\0\1k";

	(void)state;
	up_pairs(BIT(MQ) | BIT(RSS), 3, 3);
	assert_int_equal(pv_net_set_rss(&net, &rss), 0);
	is_command(1, wire, sizeof(wire) - 1);
	refuse_class = 4;
	rss.nr_table = other;
	rss.nr_ntable = 1;
	rss.nr_nkey = 0;
	assert_int_equal(pv_net_set_rss(&net, &rss), EIO);
	assert_int_equal(pv_net_set_pairs(&net, 2), EIO);
	refuse_class = -1;
	restart();
	assert_int_equal(ncmds, 2);
	is_command(0, "\4\0\3\0", 4);
	is_command(1, wire, sizeof(wire) - 1);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* Without MQ a table makes the pairs. */
static void
rss_alone_makes_pairs(void **state)
{
	unsigned int i;

	(void)state;
	rig_put16(&rig, 18, 100);
	up_pairs(BIT(RSS), 3, 3);
	assert_int_equal(ncmds, 1);
	assert_int_equal(cmds[0].len, 2 + 8 + 128 + 2 + 41);
	assert_memory_equal(cmds[0].bytes, "\4\1\xff\1\0\0\x3f\0\0\0", 10);
	for (i = 0; i < 64; i++)
		assert_int_equal(cmds[0].bytes[10 + 2 * i], i % 3);
	assert_memory_equal(cmds[0].bytes + 138, "\3\0\x28", 3);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 3);
	assert_int_equal(pv_net_set_pairs(&net, 2), 0);
	assert_int_equal(cmds[1].bytes[10 + 4], 0);
	assert_memory_equal(cmds[1].bytes + 138, "\2\0\x28", 3);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
hashes_without_a_table(void **state)
{
	const struct pv_net_rss rss = { .nr_types = 3,
	    .nr_key = (const uint8_t *)"ab", .nr_nkey = 2 };

	(void)state;
	up(CTRL | BIT(HASH_REPORT), BIT(HASH_REPORT));
	assert_int_equal(pv_net_info(&net)->ni_table, 0);
	assert_int_equal(pv_net_set_rss(&net, &rss), 0);
	is_command(0, "\4\2\3\0\0\0\0\0\0\0\0\0\0\0\2ab", 17);
	restart();
	is_command(0, "\4\2\3\0\0\0\0\0\0\0\0\0\0\0\2ab", 17);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(CTRL, 0);
	assert_int_equal(pv_net_set_rss(&net, &rss), ENOTSUP);
	assert_int_equal(pv_net_detach(&net), 0);
	/* A key that is too short for what has to be there. */
	setup(state);
	rig.rg_config[17] = 39;
	up(CTRL | BIT(HASH_REPORT) | BIT(RSS), PV_NET_OPTIONAL);
	assert_false(accepted(BIT(HASH_REPORT) | BIT(RSS)));
	assert_int_equal(pv_net_detach(&net), 0);
}

/* Addresses, filters */

static void
an_address_is_set_and_stays(void **state)
{
	static const uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 };

	(void)state;
	up(CTRL | BIT(CTRL_MAC_ADDR), 0);
	assert_int_equal(ncmds, 0);
	assert_int_equal(pv_net_set_mac(&net, (const uint8_t *)"\1\2\3\4\5\6"),
	    EINVAL);
	assert_int_equal(pv_net_set_mac(&net, (const uint8_t *)"\0\0\0\0\0\0"),
	    EINVAL);
	assert_int_equal(pv_net_set_mac(&net, mac), 0);
	is_command(0, "\1\1\2\1\2\3\4\5", 8);
	assert_memory_equal(pv_net_mac(&net), mac, 6);
	restart();
	is_command(0, "\1\1\2\1\2\3\4\5", 8);
	assert_memory_equal(pv_net_mac(&net), mac, 6);
	/* The device has come to have it itself. */
	memcpy(rig.rg_config, mac, 6);
	restart();
	assert_int_equal(ncmds, 0);
	refuse_class = 1;
	assert_int_equal(pv_net_set_mac(&net, (const uint8_t *)"\2\2\2\2\2\2"),
	    EIO);
	assert_memory_equal(pv_net_mac(&net), mac, 6);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(CTRL, 0);
	assert_int_equal(pv_net_set_mac(&net, mac), ENOTSUP);
	assert_memory_equal(pv_net_mac(&net), "\x52\x54\x00\x12\x34\x56", 6);
	/* One that is noted while it is stopped, and can't be told, is had by
	 * promiscuity. */
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_set_mac(&net, mac), 0);
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(pv_net_set_rxmode(&net, 0), 0);
	is_command(0, "\0\0\1", 3);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
an_address_that_was_made_is_told(void **state)
{
	(void)state;
	rig.rg_offered &= ~BIT(MAC);
	up(CTRL | BIT(CTRL_MAC_ADDR), 0);
	assert_int_equal(ncmds, 1);
	assert_memory_equal(cmds[0].bytes + 2, pv_net_mac(&net), 6);
	assert_int_equal(pv_net_set_rxmode(&net, 0), 0);
	is_command(1, "\0\0\0", 3);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
modes_go_as_far_as_the_device(void **state)
{
	(void)state;
	up(CTRL | BIT(CTRL_RX_EXTRA), 0);
	assert_int_equal(pv_net_set_rxmode(&net, PV_NET_MODE_ALLUNI |
	    PV_NET_MODE_NOBCAST | 0x100), 0);
	assert_int_equal(ncmds, 4);
	is_command(0, "\0\0\0", 3);
	is_command(1, "\0\1\0", 3);
	is_command(2, "\0\2\1", 3);
	is_command(3, "\0\5\1", 3);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, PV_NET_MODE_ALLUNI |
	    PV_NET_MODE_NOBCAST);
	ncmds = 0;
	assert_int_equal(pv_net_set_rxmode(&net, PV_NET_MODE_ALLUNI), 0);
	assert_int_equal(ncmds, 3);
	is_command(2, "\0\5\0", 3);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(CTRL, 0);
	assert_int_equal(pv_net_set_rxmode(&net, 0x3f), 0);
	assert_int_equal(ncmds, 2);
	assert_int_equal(pv_net_detach(&net), 0);
}

static uint8_t many[70 * 6];

static void
tables_of_addresses(void **state)
{
	static const uint8_t uni[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	static const uint8_t multi[6] = { 3, 0, 0, 0, 0, 3 };
	const char wire[] = "\1\0" "\2\0\0\0" "\2\0\0\0\0\1" "\2\0\0\0\0\2"
	    "\1\0\0\0" "\3\0\0\0\0\3";

	(void)state;
	up(CTRL, 0);
	assert_int_equal(pv_net_set_macs(&net, multi, 1, NULL, 0), EINVAL);
	assert_int_equal(pv_net_set_macs(&net, NULL, 0, uni, 1), EINVAL);
	assert_int_equal(pv_net_set_macs(&net, uni, 2, multi, 1), 0);
	is_command(0, wire, sizeof(wire) - 1);
	assert_int_equal(ncmds, 1);
	assert_int_equal(pv_net_set_rxmode(&net, 0), 0);
	restart();
	assert_int_equal(ncmds, 3);
	is_command(0, wire, sizeof(wire) - 1);
	assert_int_equal(pv_net_set_macs(&net, NULL, 0, NULL, 0), 0);
	is_command(3, "\1\0\0\0\0\0\0\0\0\0", 10);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(BIT(CTRL_VQ), 0);
	assert_int_equal(pv_net_set_macs(&net, uni, 2, multi, 1), 0);
	assert_int_equal(ncmds, 0);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
all_of_them_begin_with(uint8_t byte)
{
	size_t i;

	for (i = 0; i < sizeof(many); i += 6)
		many[i] = byte;
}

static void
tables_that_are_too_long(void **state)
{
	(void)state;
	all_of_them_begin_with(3);
	up(CTRL, 0);
	assert_int_equal(pv_net_set_rxmode(&net, 0), 0);
	ncmds = 0;
	/* 64 of one kind or of both fit; more are all groups. */
	all_of_them_begin_with(2);
	assert_int_equal(pv_net_set_macs(&net, many, 64, NULL, 0), 0);
	assert_int_equal(cmds[0].len, 2 + 8 + 64 * 6);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, 0);
	all_of_them_begin_with(3);
	ncmds = 0;
	assert_int_equal(pv_net_set_macs(&net, NULL, 0, many, 64), 0);
	assert_int_equal(cmds[0].len, 2 + 8 + 64 * 6);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, 0);
	assert_int_equal(pv_net_set_macs(&net, NULL, 0, many, 65), 0);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, PV_NET_MODE_ALLMULTI);
	assert_int_equal(pv_net_set_macs(&net, NULL, 0, many, 1), 0);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, 0);
	all_of_them_begin_with(2);
	assert_int_equal(pv_net_set_macs(&net, many, 65, NULL, 0), 0);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, PV_NET_MODE_PROMISC);
	/* So are those that the device does not take. */
	assert_int_equal(pv_net_set_macs(&net, NULL, 0, NULL, 0), 0);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, 0);
	refuse_class = 1;
	assert_int_equal(pv_net_set_macs(&net, many, 1, NULL, 0), 0);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, PV_NET_MODE_PROMISC);
	many[0] = 3;
	assert_int_equal(pv_net_set_macs(&net, NULL, 0, many, 1), 0);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, PV_NET_MODE_ALLMULTI);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* With RX_EXTRA there is a mode for each kind. */
static void
a_table_of_stations_that_is_too_long(void **state)
{
	(void)state;
	up(CTRL | BIT(CTRL_RX_EXTRA), 0);
	all_of_them_begin_with(2);
	assert_int_equal(pv_net_set_macs(&net, many, 65, NULL, 0), 0);
	assert_int_equal(pv_net_set_rxmode(&net, 0), 0);
	assert_int_equal(pv_net_info(&net)->ni_rxmode, PV_NET_MODE_ALLUNI);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
vlans_are_filtered(void **state)
{
	(void)state;
	up(CTRL | BIT(CTRL_VLAN), BIT(CTRL_VLAN));
	assert_int_equal(pv_net_set_vlan(&net, 4096, 1), EINVAL);
	assert_int_equal(pv_net_set_vlan(&net, 4095, 1), 0);
	is_command(0, "\2\0\xff\xf", 4);
	assert_int_equal(pv_net_set_vlan(&net, 7, 1), 0);
	assert_int_equal(pv_net_set_vlan(&net, 0, 1), 0);
	assert_int_equal(pv_net_set_vlan(&net, 7, 0), 0);
	is_command(3, "\2\1\7\0", 4);
	restart();
	assert_int_equal(ncmds, 2);
	is_command(0, "\2\0\0\0", 4);
	is_command(1, "\2\0\xff\xf", 4);
	refuse_class = 2;
	assert_int_equal(pv_net_set_vlan(&net, 9, 1), EIO);
	refuse_class = -1;
	restart();
	assert_int_equal(ncmds, 2);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(CTRL | BIT(CTRL_VLAN), 0);
	assert_int_equal(pv_net_set_vlan(&net, 1, 1), ENOTSUP);
	assert_int_equal(pv_net_detach(&net), 0);
}

static uint64_t asked_ns;		/* 0: it has no command */

/* It answers a command when most of what there is of time for one has passed. */
static void
answer_late(void *arg)
{
	(void)arg;
	port.po_now_ns += 50000000;
	if (asked_ns == 0 || port.po_now_ns - asked_ns < 900000000)
		return;
	asked_ns = 0;
	notified_often(&rig, ctrlq);
}

static void
not_now(struct rig *rg, unsigned int queue)
{
	(void)rg;
	(void)queue;
	asked_ns = port.po_now_ns;
}

static void
a_start_has_a_bound_whatever_was_set(void **state)
{
	unsigned int id;
	uint64_t began;

	(void)state;
	up(CTRL | BIT(CTRL_VLAN), BIT(CTRL_VLAN));
	for (id = 0; id < 4096; id++, ncmds = 0)
		assert_int_equal(pv_net_set_vlan(&net, id, 1), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	rig.rg_notify = not_now;
	port.po_tick = answer_late;
	began = port.po_now_ns;
	assert_int_equal(pv_net_start(&net), EIO);
	assert_in_range(port.po_now_ns - began, 9000000000, 12000000000);
	/* One that is quick takes all of it. */
	rig.rg_notify = notified_often;
	port.po_tick = NULL;
	assert_int_equal(pv_net_start(&net), 0);
	/* Later each has its own bound again. */
	rig.rg_notify = not_now;
	port.po_tick = answer_late;
	port.po_now_ns += 20000000000;
	assert_int_equal(pv_net_set_vlan(&net, 1, 0), 0);
	port.po_tick = NULL;
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
a_reset_confirmed_at_last_gives_back_what_one_did_not(void **state)
{
	(void)state;
	up(CTRL | BIT(CTRL_VLAN), BIT(CTRL_VLAN));
	rig.rg_notify = not_now;
	assert_int_equal(pv_net_set_vlan(&net, 1, 1), ETIMEDOUT);
	rig.rg_stuck = 1;
	assert_int_equal(pv_net_stop(&net), ETIMEDOUT);
	rig.rg_stuck = 0;
	rig.rg_notify = notified;
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(pv_net_set_vlan(&net, 2, 1), 0);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* Offloads, announcements, speed */

static void
offloads_are_turned_off_and_on(void **state)
{
	const uint64_t all = BIT(GUEST_CSUM) | BIT(GUEST_TSO4) |
	    BIT(GUEST_ECN);

	(void)state;
	up(CTRL | all | BIT(CTRL_GUEST_OFFLOADS) | BIT(GUEST_USO6),
	    PV_NET_LRO | BIT(GUEST_USO6));
	assert_int_equal(pv_net_info(&net)->ni_offloads, all | BIT(GUEST_USO6));
	assert_int_equal(pv_net_set_offloads(&net, BIT(GUEST_TSO4)), EINVAL);
	assert_int_equal(pv_net_set_offloads(&net, BIT(GUEST_CSUM) |
	    BIT(GUEST_ECN)), EINVAL);
	assert_int_equal(pv_net_set_offloads(&net, all | BIT(GUEST_TSO6)),
	    EINVAL);
	assert_int_equal(pv_net_set_offloads(&net, all | BIT(MQ)), EINVAL);
	assert_int_equal(pv_net_set_offloads(&net, all | BIT(CTRL_VQ)), EINVAL);
	assert_int_equal(ncmds, 0);
	assert_int_equal(pv_net_set_offloads(&net, all), 0);
	is_command(0, "\5\0\x82\2\0\0\0\0\0\0", 10);
	assert_int_equal(pv_net_info(&net)->ni_offloads, all);
	assert_int_equal(pv_net_set_offloads(&net, 0), 0);
	is_command(1, "\5\0\0\0\0\0\0\0\0\0", 10);
	restart();
	is_command(0, "\5\0\0\0\0\0\0\0\0\0", 10);
	assert_int_equal(pv_net_info(&net)->ni_offloads, 0);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(CTRL, 0);
	assert_int_equal(pv_net_set_offloads(&net, 0), ENOTSUP);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
announcements_are_asked_for_and_acknowledged(void **state)
{
	(void)state;
	up(CTRL | BIT(GUEST_ANNOUNCE), BIT(GUEST_ANNOUNCE));
	assert_int_equal(pv_net_changed(&net), 0);
	rig_put16(&rig, 6, 3);
	assert_int_equal(pv_net_changed(&net), PV_NET_CHANGED_ANNOUNCE);
	assert_int_equal(pv_net_changed(&net), PV_NET_CHANGED_ANNOUNCE);
	assert_int_equal(pv_net_announced(&net), 0);
	is_command(0, "\3\0", 2);
	assert_int_equal(pv_net_info(&net)->ni_announces, 1);
	rig_put16(&rig, 6, 2);
	assert_int_equal(pv_net_changed(&net), PV_NET_CHANGED_ANNOUNCE |
	    PV_NET_CHANGED_LINK);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(CTRL | BIT(GUEST_ANNOUNCE), 0);
	rig_put16(&rig, 6, 3);
	assert_int_equal(pv_net_changed(&net), 0);
	assert_int_equal(pv_net_announced(&net), ENOTSUP);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
speeds(void **state)
{
	static const struct {
		uint32_t wire, speed;
		uint8_t duplex, told;
	} cases[] = {
		{ 10000, 10000, 1, 1 }, { 0x7fffffff, 0x7fffffff, 0, 0 },
		{ 0x80000000, 0, 2, 0xff }, { 0xffffffff, 0, 0xff, 0xff },
		{ 0, 0, 1, 1 },
	};
	unsigned int i;

	(void)state;
	rig_put32(&rig, 12, 10);
	up(BIT(SPEED_DUPLEX), 0);
	assert_int_equal(pv_net_info(&net)->ni_speed, 10);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_put32(&rig, 12, cases[i].wire);
		rig.rg_config[16] = cases[i].duplex;
		assert_int_equal(pv_net_changed(&net), PV_NET_CHANGED_SPEED *
		    (i != 3));
		assert_int_equal(pv_net_info(&net)->ni_speed, cases[i].speed);
		assert_int_equal(pv_net_info(&net)->ni_duplex, cases[i].told);
	}
	assert_int_equal(pv_net_detach(&net), 0);
	setup(NULL);
	up(0, 0);
	assert_int_equal(pv_net_info(&net)->ni_speed, 0);
	assert_int_equal(pv_net_info(&net)->ni_duplex, PV_NET_DUPLEX_UNKNOWN);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* Coalescing, statistics */

static void
interrupts_are_delayed(void **state)
{
	const struct pv_net_coalescing a = { 1, 2 }, b = { 3, 4 };
	struct pv_net_coalescing co = { 0, 0 };

	(void)state;
	up_pairs(BIT(MQ) | BIT(NOTF_COAL) | BIT(VQ_NOTF_COAL), 2, 3);
	ncmds = 0;
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_RXQ(1), &a), 0);
	is_command(0, "\6\2\2\0\0\0\1\0\0\0\2\0\0\0", 14);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_TXQ(0), &a), 0);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_ALL_RXQ, &b), 0);
	is_command(2, "\6\1\3\0\0\0\4\0\0\0", 10);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_RXQ(2), &a),
	    EINVAL);
	/* Those of each queue after those of all, and only if set since. */
	restart();
	assert_int_equal(ncmds, 3);
	is_command(1, "\6\1\3\0\0\0\4\0\0\0", 10);
	is_command(2, "\6\2\1\0\0\0\1\0\0\0\2\0\0\0", 14);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_ALL_TXQ, &b), 0);
	is_command(3, "\6\0\3\0\0\0\4\0\0\0", 10);
	restart();
	assert_int_equal(ncmds, 3);
	memcpy(answer, "\5\0\0\0\6\0\0\0", 8);
	assert_int_equal(pv_net_get_coalescing(&net, PV_NET_TXQ(1), &co), 0);
	is_command(3, "\6\3\3\0\0\0", 6);
	assert_int_equal(cmds[3].in, 9);
	assert_int_equal(co.co_frames, 5);
	assert_int_equal(co.co_us, 6);
	refuse_class = 6;
	memset(&co, 0, sizeof(co));
	assert_int_equal(pv_net_get_coalescing(&net, PV_NET_TXQ(1), &co), EIO);
	assert_int_equal(co.co_frames, 0);
	assert_int_equal(pv_net_get_coalescing(&net, PV_NET_ALL_TXQ, &co),
	    EINVAL);
	assert_int_equal(pv_net_get_coalescing(&net, PV_NET_ALL_RXQ, &co),
	    EINVAL);
	assert_int_equal(pv_net_get_coalescing(&net, 6, &co), EINVAL);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
delays_without_the_features(void **state)
{
	struct pv_net_coalescing co = { 0, 0 };

	(void)state;
	up(CTRL | BIT(NOTF_COAL), 0);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_RXQ(0), &co),
	    ENOTSUP);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_ALL_RXQ, &co), 0);
	assert_int_equal(pv_net_get_coalescing(&net, 0, &co), ENOTSUP);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_get_coalescing(&net, 0, &co), ENETDOWN);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* The device has types, and answers so many bytes. */
static int
stats(unsigned int vq, const void *bytes, uint32_t len,
    struct pv_net_stat *st, unsigned int *n)
{
	memcpy(answer, bytes, len);
	answer_len = len;
	return pv_net_stats(&net, vq, st, n);
}

static void
statistics_are_told(void **state)
{
	struct pv_net_stat st[PV_NET_MAXSTATS];
	uint8_t reply[8 + 8 * 2 + 8 + 8 * 6] = { 3, 0, 2, 0, 0, 0, 24, 0, 5 };
	unsigned int n;

	(void)state;
	up_pairs(BIT(MQ) | BIT(DEVICE_STATS) | BIT(GUEST_CSUM), 2, 2);
	ncmds = 0;
	/* Of what the device has, what was negotiated and is of that queue. */
	assert_int_equal(stats(2, "\xff\xff\xff\xff\1\0\0\0", 8, st, &n), EIO);
	is_command(0, "\x8\0", 2);
	assert_int_equal(cmds[0].in, 9);
	is_command(1, "\x8\1\2\0\0\0\0\0\0\0\xb\0\0\0\0\0\0\0", 18);
	reply[24 + 2] = 2;
	reply[24 + 6] = 56;
	reply[24 + 8 + 8 * 5] = 9;
	assert_int_equal(stats(2, reply, sizeof(reply), st, &n), 0);
	assert_int_equal(ncmds, 3);
	assert_int_equal(n, 8);
	assert_string_equal(st[0].st_name, "rx_packets_allowance_exceeded");
	assert_int_equal(st[0].st_value, 5);
	assert_string_equal(st[2].st_name, "rx_notifications");
	assert_string_equal(st[7].st_name, "rx_drop_overruns");
	assert_int_equal(st[7].st_value, 9);
	/* A longer reply than is known; the control queue's; none. */
	assert_int_equal(stats(PV_NET_CTRLQ,
	    "\x20\0\4\0\0\0\x20\0" "\1\0\0\0\0\0\0\0" "\2\0\0\0\0\0\0\0"
	    "\3\0\0\0\0\0\0\0", 32, st, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(st[1].st_name, "ok_num");
	assert_int_equal(stats(2, "", 0, st, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(pv_net_stats(&net, 4, st, &n), EINVAL);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
hostile_statistics(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t len;
	} bad[] = {
		{ "\x20\0\2\0\0\0\x18", 7 },		/* no header */
		{ "\x20\0\2\0\0\0\7\0", 8 },		/* shorter than one */
		{ "\x20\0\2\0\0\0\x19\0aaaaaaaabbbbbbbb", 24 },	/* longer */
		{ "\x20\0\3\0\0\0\x18\0aaaaaaaabbbbbbbb", 24 },	/* not it */
		{ "\x21\0\2\0\0\0\x18\0aaaaaaaabbbbbbbb", 24 },
		{ "\0\0\2\0\0\0\x18\0aaaaaaaabbbbbbbb", 24 },
		{ "\xe0\0\2\0\0\0\x18\0aaaaaaaabbbbbbbb", 24 },
		{ "\x20\0\2\0\0\0\x10\0aaaaaaaa", 16 },	/* a value short */
		{ "\x20\0\2\0\0\0\0\0aaaaaaaabbbbbbbb", 24 },	/* no size */
		{ "\3\0\2\0\0\0\x18\0aaaaaaaabbbbbbbb"	/* not it, and it */
		  "\x20\0\2\0\0\0\x18\0aaaaaaaabbbbbbbb", 48 },
		{ "\x20\0\2\0\0\0\x18\0aaaaaaaabbbbbbbb"
		  "\x20\0\2\0\0\0\x18\0aaaaaaaabbbbbbbb", 48 },	/* twice */
	};
	struct pv_net_stat st[PV_NET_MAXSTATS];
	unsigned int i, n;

	(void)state;
	up(CTRL | BIT(DEVICE_STATS), 0);
	assert_int_equal(stats(PV_NET_CTRLQ, "\xff\xff\xff\xff\1\0\0", 7, st,
	    &n), EIO);
	assert_int_equal(ncmds, 1);
	assert_int_equal(stats(PV_NET_CTRLQ, "\0\0\0\0\1\0\0\0", 8, st, &n),
	    EIO);
	/* Nothing is asked for of a queue of which there is nothing. */
	assert_int_equal(ncmds, 3);
	assert_int_equal(stats(0, "", 0, st, &n), 0);
	assert_int_equal(ncmds, 3);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(stats(PV_NET_CTRLQ, bad[i].bytes, bad[i].len,
		    st, &n), EIO);
		assert_true(n <= 2);
	}
	assert_int_equal(pv_net_detach(&net), 0);
}

/* It has told of which queues it has any. */
static void
up_with_statistics(void)
{
	struct pv_net_stat st[PV_NET_MAXSTATS];
	unsigned int n;

	up(CTRL | BIT(DEVICE_STATS), 0);
	assert_int_equal(stats(PV_NET_CTRLQ, "\0\0\0\0\1\0\0\0", 8, st, &n),
	    EIO);
	ncmds = 0;
}

/* As long as an answer can be: the rest is too short to be a reply. */
static void
statistics_as_long_as_they_can_be(void **state)
{
	struct pv_net_stat st[PV_NET_MAXSTATS];
	uint8_t full[255] = { 0x20, 0, 2 };
	unsigned int i, n, len;

	(void)state;
	up_with_statistics();
	for (i = 0; i < 9; i++) {
		len = (unsigned int)sizeof(full) - 7 + i;
		full[6] = (uint8_t)len;
		full[7] = (uint8_t)(len >> 8);
		assert_int_equal(stats(PV_NET_CTRLQ, full, sizeof(full), st,
		    &n), i == 7 ? 0 : EIO);
	}
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
statistics_that_are_not_to_be_had(void **state)
{
	struct pv_net_stat st[PV_NET_MAXSTATS];
	unsigned int n;

	(void)state;
	up_with_statistics();
	refuse_class = 8;
	assert_int_equal(pv_net_stats(&net, PV_NET_CTRLQ, st, &n), EIO);
	assert_int_equal(ncmds, 1);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_stats(&net, PV_NET_CTRLQ, st, &n), ENETDOWN);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	up(CTRL, 0);
	assert_int_equal(pv_net_stats(&net, 0, st, &n), ENOTSUP);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* A queue that hangs */

/* Nothing came back for so long, since a frame was sent or another came. */
static void
hangs_for(uint64_t ns)
{
	port.po_now_ns += ns;
	assert_true(pv_net_stalled_ns(&net, 0) >= ns);
}

static void
use_one_sent(void)
{
	struct rig_chain rc;

	assert_true(rig_take(&rig, 1, &rc));
	rig_give(&rig, 1, rc.rc_head, 0);
}

static void
a_queue_that_hangs_is_seen(void **state)
{
	struct port_buf *pb[2] = { port_buf_new(200), port_buf_new(200) };
	unsigned int done;
	void *cookie;

	(void)state;
	up(0, 0);
	keeps = 1;
	port.po_now_ns += 1000;
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	port.po_now_ns += 5000;
	assert_int_equal(send_on(0, pb[0], 60, plain), 0);
	assert_int_equal(send_on(0, pb[1], 60, plain), 0);
	/* How long it was idle is not how long it hangs. */
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	hangs_for(7000);
	/* One is used, and not yet reclaimed: it goes on. */
	use_one_sent();
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	assert_int_equal(pv_net_reclaim(&net, 0, &cookie, 1, &done), 0);
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	hangs_for(9000);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	port.po_now_ns += 9000;
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	assert_ptr_equal(pv_net_drain_tx(&net, 0), pb[1]);
	assert_null(pv_net_drain_tx(&net, 0));
	assert_int_equal(pv_net_start(&net), 0);
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb[0]);
	port_buf_free(pb[1]);
}

static void
a_missed_doorbell_is_rung_again(void **state)
{
	struct port_buf *pb = port_buf_new(200);
	struct pv_virtq_counters qc;
	unsigned int done;
	void *cookie;

	(void)state;
	up(0, 0);
	rig.rg_miss = 1;
	keeps = 1;
	assert_int_equal(send_on(0, pb, 60, plain), 0);
	keeps = 0;
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	hangs_for(PV_VIRTQ_AGAIN_NS);
	assert_int_equal(pv_net_reclaim(&net, 0, &cookie, 1, &done), 0);
	assert_int_equal(done, 1);
	assert_ptr_equal(cookie, pb);
	assert_int_equal(pv_net_ring_counters(&net, PV_NET_TXQ(0), &qc), 0);
	assert_int_equal(qc.qc_again, 1);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

/* The device waits for buffers that it has. */
static void
a_missed_doorbell_for_buffers_is_rung_again(void **state)
{
	struct port_buf *pb = port_buf_new(2048);
	const struct pv_net_rxbuf rb = { { pb->pb_map, 0, 2048 }, pb->pb_va,
	    pb };
	unsigned int n;

	(void)state;
	up(0, 0);
	pv_net_rx_watch(&net, 0);
	assert_int_equal(pv_net_post(&net, 0, &rb, 1, &n), 0);
	assert_int_equal(rig.rg_queues[0].rq_notified, 1);
	pv_net_rx_watch(&net, 0);
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	pv_net_rx_watch(&net, 1);
	assert_int_equal(rig.rg_queues[0].rq_notified, 1);
	pv_net_rx_watch(&net, 0);
	pv_net_rx_watch(&net, 0);
	assert_int_equal(rig.rg_queues[0].rq_notified, 2);
	assert_int_equal(pv_net_stop(&net), 0);
	pv_net_rx_watch(&net, 0);
	assert_ptr_equal(pv_net_drain_rx(&net, 0), pb);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

/* A start that failed has left it without one. */
static void
a_queue_that_is_gone_is_not_watched(void **state)
{
	unsigned int q;

	for (q = 0; q < 2; q++) {
		setup(state);
		up(0, 0);
		assert_int_equal(pv_net_stop(&net), 0);
		rig.rg_queues[q].rq_max = 0;
		assert_int_not_equal(pv_net_start(&net), 0);
		assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
		pv_net_rx_watch(&net, 0);
		assert_int_equal(pv_net_detach(&net), 0);
	}
}

static void
a_missed_doorbell_for_a_command_is_rung_again(void **state)
{
	(void)state;
	up(CTRL, 0);
	ncmds = 0;
	rig.rg_miss = 1;
	assert_int_equal(pv_net_set_rxmode(&net, PV_NET_MODE_PROMISC), 0);
	assert_int_equal(rig.rg_queues[ctrlq].rq_notified, ncmds + 1);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* What hung before a reset is no word about what is sent after it. */
static void
a_reset_ends_a_hang(void **state)
{
	struct port_buf *pb = port_buf_new(200);
	unsigned int alone;

	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_F_RING_RESET);
	for (alone = 0; alone <= 1; alone++) {
		up(0, 0);
		keeps = 1;
		assert_int_equal(send_on(0, pb, 60, plain), 0);
		assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
		hangs_for(9000);
		assert_int_equal(alone ? pv_net_reset_tx(&net, 0) :
		    pv_net_stop(&net), 0);
		assert_ptr_equal(pv_net_drain_tx(&net, 0), pb);
		assert_null(pv_net_drain_tx(&net, 0));
		assert_int_equal(alone ? pv_net_resume_tx(&net, 0) :
		    pv_net_start(&net), 0);
		assert_int_equal(send_on(0, pb, 60, plain), 0);
		assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
		assert_int_equal(pv_net_stop(&net), 0);
		assert_ptr_equal(pv_net_drain_tx(&net, 0), pb);
		assert_int_equal(pv_net_detach(&net), 0);
	}
	port_buf_free(pb);
}

static void
a_queue_that_hangs_is_taken_back(void **state)
{
	struct port_buf *pb, *other;
	const struct pv_net_coalescing co = { 1, 2 };

	(void)state;
	up(CTRL | BIT(VQ_NOTF_COAL), 0);
	assert_int_equal(pv_net_reset_tx(&net, 0), ENOTSUP);
	assert_int_equal(pv_net_resume_tx(&net, 0), EINVAL);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	rig.rg_offered |= PV_F_BIT(PV_F_RING_RESET);
	pb = port_buf_new(200);
	other = port_buf_new(200);
	up(CTRL | BIT(VQ_NOTF_COAL), 0);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_TXQ(0), &co), 0);
	keeps = 1;
	assert_int_equal(send_on(0, pb, 60, plain), 0);
	pv_net_stalled_ns(&net, 0);
	hangs_for(7000);
	assert_null(pv_net_drain_tx(&net, 0));
	assert_int_equal(pv_net_reset_tx(&net, 1), EINVAL);
	assert_int_equal(pv_net_reset_tx(&net, 0), 0);
	assert_int_equal(send_on(0, other, 60, plain), ENOBUFS);
	assert_int_equal(pv_net_resume_tx(&net, 0), EBUSY);
	assert_ptr_equal(pv_net_drain_tx(&net, 0), pb);
	assert_null(pv_net_drain_tx(&net, 0));
	ncmds = 0;
	assert_int_equal(pv_net_resume_tx(&net, 1), EINVAL);
	assert_int_equal(pv_net_resume_tx(&net, 0), 0);
	is_command(0, "\6\2\1\0\0\0\1\0\0\0\2\0\0\0", 14);
	assert_int_equal(pv_net_resume_tx(&net, 0), EINVAL);
	/* What is sent now has not waited yet. */
	assert_int_equal(send_on(0, pb, 60, plain), 0);
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	port.po_now_ns += 3000;
	assert_in_range(pv_net_stalled_ns(&net, 0), 3000, 6000);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_ptr_equal(pv_net_drain_tx(&net, 0), pb);
	assert_int_equal(pv_net_reset_tx(&net, 0), ENETDOWN);
	assert_int_equal(pv_net_resume_tx(&net, 0), ENETDOWN);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
	port_buf_free(other);
}

static void
hostile_configuration_is_read_bit_by_bit(void **state)
{
	(void)state;
	/* Promised, but beyond its end. */
	rig.rg_configlen = 12;
	rig_put16(&rig, 8, 2);
	rig_put16(&rig, 10, 1400);
	ctrlq = 4;
	assert_int_equal(attach(CTRL | BIT(MQ) | BIT(RSS) | BIT(MTU) |
	    BIT(HASH_REPORT), PV_NET_OPTIONAL, 2), 0);
	assert_true(accepted(BIT(MTU)));
	assert_true(accepted(BIT(MQ)));
	assert_false(accepted(BIT(RSS) | BIT(HASH_REPORT)));
	assert_int_equal(pv_net_mtu(&net), 1400);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 2);
	assert_int_equal(pv_net_detach(&net), 0);
}

static unsigned int
seven(void *arg)
{
	(void)arg;
	return 7;
}

static void
the_control_queue_may_be_the_last(void **state)
{
	const struct pv_net_params params = { .np_pairs = 3 };
	struct pv_transport_ops ops;
	struct pv_virtio *dev;

	(void)state;
	rig_put16(&rig, 8, 3);
	ctrlq = 6;
	rig.rg_offered |= CTRL | BIT(MQ);
	dev = rig_init(&rig);
	ops = *dev->vd_ops;
	ops.to_queue_count = seven;
	dev->vd_ops = &ops;
	assert_int_equal(pv_net_attach(&net, dev, &callbacks, NULL, &params),
	    0);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 3);
	assert_int_equal(dev->vd_ng.ng_tries, 1);
	assert_int_equal(pv_net_detach(&net), 0);
}

/*
 * A device of farq / 2 pairs, of which the rig has the first three and, as its
 * seventh queue, the control queue; the others take all, and do nothing.
 */
static unsigned int farq;
static struct pv_transport_ops near;

static unsigned int
near_index(unsigned int q)
{
	return q == farq ? 6 : q < 6 ? q : 7;
}

static unsigned int
far_count(void *arg)
{
	(void)arg;
	return farq + 1;
}

static unsigned int
far_max(void *arg, unsigned int q)
{
	return near.to_queue_max(arg, near_index(q));
}

static int
far_enable(void *arg, unsigned int q, const struct pv_queue_place *qp)
{
	return near_index(q) == 7 ? 0 :
	    near.to_queue_enable(arg, near_index(q), qp);
}

static void
far_notify(void *arg, unsigned int q, uint32_t data)
{
	assert_int_equal(data, q);
	if (near_index(q) != 7)
		near.to_notify(arg, near_index(q), near_index(q));
}

static void
up_far(uint64_t offered, unsigned int pairs, unsigned int max)
{
	static struct pv_transport_ops far;
	const struct pv_net_params params = { .np_pairs = pairs,
	    .np_want = PV_NET_OPTIONAL };
	struct pv_virtio *dev;

	rig_put16(&rig, 8, (uint16_t)max);
	farq = 2 * max;
	ctrlq = 6;
	rig.rg_offered |= CTRL | offered;
	dev = rig_init(&rig);
	near = far = *dev->vd_ops;
	far.to_queue_count = far_count;
	far.to_queue_max = far_max;
	far.to_queue_enable = far_enable;
	far.to_notify = far_notify;
	dev->vd_ops = &far;
	assert_int_equal(pv_net_attach(&net, dev, &callbacks, NULL, &params),
	    0);
}

static void
pairs_of_many_are_used(void **state)
{
	static const unsigned int max[] = { 31, 32, 33, 256, 0x7fff };
	struct port_buf *pb;
	unsigned int i;

	for (i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		setup(state);
		pb = port_buf_new(200);
		up_far(BIT(MQ), 3, max[i]);
		assert_int_equal(rig.rg_dev.vd_ng.ng_tries, 1);
		assert_int_equal(ncmds, 1);
		is_command(0, "\4\0\3\0", 4);
		assert_int_equal(pv_net_info(&net)->ni_pairs, 3);
		assert_int_equal(pv_net_info(&net)->ni_maxpairs, 3);
		assert_int_equal(send_on(2, pb, 60, plain), 0);
		assert_int_equal(sent_queue, 5);
		assert_int_equal(pv_net_set_pairs(&net, 2), 0);
		is_command(1, "\4\0\2\0", 4);
		assert_int_equal(ring_used(PV_NET_CTRLQ), 2);
		/* The next device has fewer: its control queue is elsewhere. */
		assert_int_equal(pv_net_stop(&net), 0);
		farq -= 2;
		rig_put16(&rig, 8, (uint16_t)(max[i] - 1));
		ncmds = 0;
		assert_int_equal(pv_net_start(&net), 0);
		is_command(0, "\4\0\2\0", 4);
		assert_int_equal(pv_net_detach(&net), 0);
		port_buf_free(pb);
		assert_int_equal(port_check(), 0);
	}
}

static void
pairs_are_at_most_as_many_as_we_drive(void **state)
{
	(void)state;
	up_far(BIT(RSS), 100, 40);
	assert_int_equal(pv_net_info(&net)->ni_pairs, PV_NET_MAXPAIRS);
	assert_int_equal(pv_net_info(&net)->ni_maxpairs, PV_NET_MAXPAIRS);
	assert_int_equal(pv_net_set_pairs(&net, PV_NET_MAXPAIRS + 1), EINVAL);
	assert_int_equal(pv_net_set_pairs(&net, PV_NET_MAXPAIRS - 1), 0);
	assert_int_equal(pv_net_detach(&net), 0);
}

static unsigned int nreads;

static void
count_reads(struct rig *rg, unsigned int off)
{
	(void)rg;
	nreads += off == 8;
}

/* Once before FEATURES_OK and once after: not again, each by itself. */
static void
what_is_read_together_is_not_read_alone(void **state)
{
	(void)state;
	nreads = 0;
	rig.rg_config_read = count_reads;
	up_pairs(BIT(MQ), 2, 2);
	assert_int_equal(nreads, 2);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
no_pairs_are_one(void **state)
{
	struct port_buf *pb = port_buf_new(200);

	(void)state;
	rig_put16(&rig, 8, 3);
	ctrlq = 6;
	assert_int_equal(attach(CTRL | BIT(RSS), BIT(RSS), 0), 0);
	assert_true(accepted(BIT(RSS)));
	assert_int_equal(pv_net_info(&net)->ni_pairs, 1);
	assert_int_equal(send_on(0, pb, 60, plain), 0);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static void
one_pair_needs_no_feature(void **state)
{
	unsigned int pairs;

	for (pairs = 0; pairs < 3; pairs++) {
		setup(state);
		rig_put16(&rig, 8, 2);
		ctrlq = 4;
		assert_int_equal(attach(CTRL | BIT(MQ) | BIT(RSS), 0, pairs),
		    0);
		assert_int_equal(accepted(BIT(MQ)), pairs > 1);
		assert_int_equal(accepted(BIT(RSS)), pairs > 1);
		if (pairs <= 1)
			ctrlq = 2;
		assert_int_equal(pv_net_detach(&net), 0);
	}
}

/* Of more pairs than before, whose queues are then there in part. */
static void
a_start_after_one_without_memory(void **state)
{
	int error, n;

	(void)state;
	for (n = 0, error = ENOMEM; error != 0; n++) {
		setup(state);
		up_pairs(BIT(MQ) | BIT(MRG_RXBUF), 3, 1);
		assert_int_equal(pv_net_stop(&net), 0);
		rig_put16(&rig, 8, 3);
		ctrlq = 6;
		port.po_fail_after = n;
		error = pv_net_start(&net);
		port.po_fail_after = -1;
		if (error != 0) {
			assert_int_equal(error, ENOMEM);
			assert_int_equal(pv_net_start(&net), 0);
		}
		assert_int_equal(pv_net_info(&net)->ni_pairs, 3);
		assert_int_equal(pv_net_detach(&net), 0);
		assert_int_equal(port_check(), 0);
		assert_true(n < 200);
	}
	assert_true(n > 20);
}

static void
a_device_that_breaks_at_its_tables(void **state)
{
	static const uint8_t uni[6] = { 2, 0, 0, 0, 0, 1 };

	(void)state;
	up(CTRL, 0);
	break_class = 1;
	assert_int_equal(pv_net_set_macs(&net, uni, 1, NULL, 0), EIO);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
a_mode_that_was_not_set_is_not_sent(void **state)
{
	static const uint8_t uni[6] = { 2, 0, 0, 0, 0, 1 };

	(void)state;
	up(CTRL, 0);
	assert_int_equal(ring_used(2), -1);	/* the control queue */
	refuse_class = 1;
	assert_int_equal(pv_net_set_macs(&net, uni, 1, NULL, 0), 0);
	assert_int_equal(ncmds, 1);
	/* Nor is anything while there is no device. */
	assert_int_equal(pv_net_stop(&net), 0);
	assert_int_equal(pv_net_set_macs(&net, uni, 1, NULL, 0), 0);
	assert_int_equal(pv_net_set_pairs(&net, 3), 0);
	assert_int_equal(ncmds, 1);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* All that the device can take, and just more than that. */
static void
limits_of_a_table(void **state)
{
	static uint16_t table[128];
	static const uint8_t key[40] = { 1 };
	struct pv_net_rss rss = { .nr_types = 1, .nr_table = table,
	    .nr_ntable = 128, .nr_key = key, .nr_nkey = 40 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 128; i++)
		table[i] = (uint16_t)(i % 3);
	up_pairs(BIT(RSS), 3, 3);
	assert_int_equal(pv_net_set_rss(&net, &rss), 0);
	rss.nr_ntable = 3;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	rss.nr_ntable = 128;
	table[127] = 3;
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	table[127] = 2;
	/* What hashes are of stays when the pairs become fewer. */
	assert_int_equal(pv_net_set_pairs(&net, 2), 0);
	assert_memory_equal(cmds[ncmds - 1].bytes, "\4\1\1\0\0\0\x7f\0", 8);
	assert_int_equal(cmds[ncmds - 1].bytes[10 + 256 + 2], 40);
	assert_memory_equal(cmds[ncmds - 1].bytes + 10 + 256 + 3, key, 40);
	/* Without a table or a key, they are the driver's. */
	rss = (struct pv_net_rss){ .nr_types = 2 };
	assert_int_equal(pv_net_set_rss(&net, &rss), 0);
	assert_int_equal(cmds[ncmds - 1].bytes[10 + 256 + 2], 40);
	assert_int_equal(pv_net_detach(&net), 0);
	setup(state);
	rig_put16(&rig, 18, 64);
	up_pairs(BIT(RSS), 3, 3);
	rss = (struct pv_net_rss){ .nr_types = 1, .nr_table = table,
	    .nr_ntable = 128 };
	assert_int_equal(pv_net_set_rss(&net, &rss), EINVAL);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
up_with_a_table(unsigned int ntable)
{
	static const uint16_t table[] = { 1, 0, 0, 0, 0, 0, 0, 0 };
	const struct pv_net_coalescing a = { 1, 2 };
	struct pv_net_rss rss = { .nr_types = 1, .nr_table = table,
	    .nr_ntable = ntable, .nr_default = ntable > 4 ? 0 : 1,
	    .nr_key = (const uint8_t *)"k", .nr_nkey = 1 };

	up_pairs(BIT(RSS) | BIT(VQ_NOTF_COAL), 2, 2);
	assert_int_equal(pv_net_set_rss(&net, &rss), 0);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_RXQ(0), &a), 0);
	assert_int_equal(pv_net_set_coalescing(&net, PV_NET_RXQ(1), &a), 0);
}

/* How many commands of a class and number there were, and the last of them. */
static unsigned int
commands(uint8_t class, uint8_t command, const uint8_t **p)
{
	unsigned int i, n = 0;

	for (i = 0; i < ncmds; i++)
		if (cmds[i].bytes[0] == class && cmds[i].bytes[1] == command) {
			*p = cmds[i].bytes;
			n++;
		}
	return n;
}

static void
a_device_that_comes_back_with_less(void **state)
{
	const uint8_t *p = NULL;
	unsigned int i;

	/* With the same. */
	up_with_a_table(4);
	restart();
	assert_true(commands(4, 1, &p) > 0);
	assert_memory_equal(p, "\4\1\1\0\0\0\3\0\1\0\1\0\0\0", 14);
	assert_int_equal(commands(6, 2, &p), 2);
	/* With a pair less: none of what was set names it. */
	rig_put16(&rig, 8, 1);
	ctrlq = 2;
	restart();
	assert_int_equal(commands(4, 1, &p), 1);
	assert_memory_equal(p, "\4\1\1\0\0\0\x7f\0\0\0", 10);
	for (i = 0; i < 128; i++)
		assert_int_equal(p[10 + 2 * i], 0);
	assert_int_equal(commands(6, 2, &p), 1);
	assert_int_equal(p[2], 0);
	assert_int_equal(pv_net_detach(&net), 0);
	assert_int_equal(port_check(), 0);
	/* With room for less: as long as it fits, and not. */
	setup(state);
	up_with_a_table(8);
	rig_put16(&rig, 18, 8);
	restart();
	assert_true(commands(4, 1, &p) > 0);
	assert_memory_equal(p, "\4\1\1\0\0\0\7\0\0\0\1\0\0\0", 14);
	rig_put16(&rig, 18, 4);
	restart();
	assert_true(commands(4, 1, &p) > 0);
	assert_memory_equal(p, "\4\1\1\0\0\0\3\0\0\0\0\0\1\0", 14);
	assert_int_equal(pv_net_detach(&net), 0);
	assert_int_equal(port_check(), 0);
}

static void
pairs_refused_leave_a_table_of_one(void **state)
{
	const uint8_t *p = NULL;
	unsigned int i;

	(void)state;
	up_with_a_table(4);
	refuse_class = 4;
	restart();
	assert_int_equal(commands(4, 1, &p), 2);
	assert_int_equal(p[8 + 0], 0);
	for (i = 0; i < 128; i++)
		assert_int_equal(p[10 + 2 * i], 0);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* What was set is kept for when it has them again. */
static void
a_device_that_comes_back_without(void **state)
{
	const uint64_t offered[] = { BIT(VQ_NOTF_COAL), CTRL | BIT(RSS) |
	    BIT(VQ_NOTF_COAL) };
	const uint8_t *p = NULL;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		setup(state);
		up_with_a_table(4);
		rig.rg_offered &= ~offered[i];
		ctrlq = i == 0 ? 4 : 2;
		restart();
		assert_int_equal(commands(6, 2, &p), 0);
		assert_int_equal(refused_so_far(), 0);
		rig.rg_offered |= offered[i];
		ctrlq = 4;
		restart();
		assert_int_equal(commands(6, 2, &p), 2);
		assert_true(commands(4, 1, &p) > 0);
		assert_memory_equal(p,
		    "\4\1\1\0\0\0\3\0\1\0\1\0\0\0", 14);
		assert_int_equal(pv_net_detach(&net), 0);
		assert_int_equal(port_check(), 0);
	}
}

/* It may not look at those that go as soon as it has the command. */
static void
send_on_the_second(struct rig *rg, unsigned int queue)
{
	struct port_buf *pb = rg->rg_arg;

	if (queue == ctrlq) {
		rg->rg_notify = notified;
		assert_int_equal(send_on(1, pb, 60,
		    (struct pv_net_tx){ .tx_flags = 0 }), EINVAL);
	}
	notified(rg, queue);
}

static void
pairs_that_go_are_not_sent_on(void **state)
{
	struct port_buf *pb = port_buf_new(200);

	(void)state;
	up_pairs(BIT(MQ), 2, 2);
	rig.rg_arg = pb;
	rig.rg_notify = send_on_the_second;
	assert_int_equal(pv_net_set_pairs(&net, 1), 0);
	assert_int_equal(ncmds, 2);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static int
send_two(struct port_buf *pb, uint32_t a, uint32_t b, struct pv_net_tx tx)
{
	const struct pv_piece pieces[2] = { { pb->pb_map, 12, a },
	    { pb->pb_map, 12 + a, b } };
	unsigned int done;
	void *cookie;
	int error;

	tx.tx_pieces = pieces;
	tx.tx_npieces = 2;
	tx.tx_hdr = pb->pb_va;
	tx.tx_cookie = pb;
	error = pv_net_transmit(&net, 0, &tx, 1, &done);
	if (error == 0)
		assert_int_equal(pv_net_reclaim(&net, 0, &cookie, 1, &done),
		    0);
	return error;
}

/* Their sum counts, and of what says how only what is asked for. */
static void
frames_of_pieces(void **state)
{
	struct port_buf *pb = port_buf_new(66000);
	struct pv_net_tx tx = { .tx_flags = 0, .tx_csum_start = 5000 };

	(void)state;
	up(BIT(CSUM) | PV_NET_TSO, PV_NET_TSO);
	assert_int_equal(send_two(pb, 40000, 25589, GSO(C | PV_NET_TX_TSO4,
	    1024, 54)), 0);
	assert_int_equal(send_two(pb, 40000, 25590, GSO(C | PV_NET_TX_TSO4,
	    1024, 54)), EMSGSIZE);
	assert_int_equal(send_two(pb, 7, 7, tx), 0);
	assert_int_equal(sent_len, 12 + 14);
	assert_int_equal(send_two(pb, 7, 6, tx), EINVAL);
	assert_int_equal(send_two(pb, 50, 50, tx), 0);
	assert_memory_equal(sent, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(send_two(pb, 50, 50, GSO(C, 1024, 54)), 0);
	assert_memory_equal(sent, "\1\0\0\0\0\0\x22\0\x10\0\0\0", 12);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

/* A frame that lies in buffers of these lengths; how many were given. */
static unsigned int
deliver_in(const char *hdr, const uint32_t *lens, unsigned int n,
    struct pv_net_rx *rx)
{
	struct port_buf *pb[2];
	struct pv_net_rxbuf rb;
	struct rig_chain rc;
	unsigned int i, done;

	for (i = 0; i < n; i++) {
		pb[i] = port_buf_new(lens[i] < 2000 ? 2000 : lens[i]);
		rb = (struct pv_net_rxbuf){ { pb[i]->pb_map, 0,
		    pb[i]->pb_len }, pb[i]->pb_va, pb[i] };
		assert_int_equal(pv_net_post(&net, 0, &rb, 1, &done), 0);
	}
	for (i = 0; i < n; i++) {
		assert_int_equal(rig_take(&rig, 0, &rc), 1);
		if (i == 0)
			rig_write(&rc, 0, hdr, lens[0] < 12 ? lens[0] : 12);
		rig_give(&rig, 0, rc.rc_head, lens[i]);
	}
	assert_int_equal(pv_net_receive(&net, 0, rx, 64, &done), 0);
	for (i = 0; i < n; i++)
		port_buf_free(pb[i]);
	return done;
}

/* An allocation that fails alone, and is not needed, is not missed. */
static void
attach_without_some_memory_receives(void **state)
{
	static const uint32_t two[2] = { 1000, 300 };
	struct pv_net_rx rx[64];
	int left, n;

	(void)state;
	for (n = 0, left = -1; left < 0; n++) {
		setup(state);
		port.po_fail_one = 1;
		port.po_fail_after = n;
		if (attach(BIT(MRG_RXBUF), 0, 1) == 0) {
			left = port.po_fail_after;
			port.po_fail_after = -1;
			assert_int_equal(deliver_in("\0\0\0\0\0\0\0\0\0\0\2",
			    two, 2, rx), 2);
			assert_int_equal(pv_net_detach(&net), 0);
		}
		port.po_fail_after = -1;
		assert_int_equal(port_check(), 0);
		assert_true(n < 200);
	}
}

static void
what_was_several_has_a_length(void **state)
{
	struct pv_net_rx rx[64];
	const char hdr[] = "\1\1\x36\0\0\4\x22\0\x10\0\2";
	uint32_t lens[2] = { 40012, 65593 - 40000 };

	(void)state;
	up(BIT(MRG_RXBUF) | BIT(GUEST_CSUM) | BIT(GUEST_TSO4), PV_NET_OPTIONAL);
	assert_int_equal(deliver_in(hdr, lens, 2, rx), 2);
	assert_int_equal(rx[0].rx_flags & (PV_NET_RX_TSO4 | PV_NET_RX_ERROR),
	    PV_NET_RX_TSO4);
	lens[1]++;
	assert_true(deliver_in(hdr, lens, 2, rx) > 0);
	assert_int_equal(rx[0].rx_flags & (PV_NET_RX_TSO4 | PV_NET_RX_ERROR),
	    PV_NET_RX_ERROR);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* What the last header said is nothing to a buffer that has none. */
static void
a_buffer_without_a_header_is_an_error_at_once(void **state)
{
	static const uint32_t two[2] = { 1000, 300 }, least[2] = { 26, 300 };
	const uint32_t less = 11;
	struct port_buf *pb = port_buf_new(2000);
	struct pv_net_rxbuf rb;
	struct pv_net_rx rx[64];
	struct rig_chain rc;
	unsigned int done;

	(void)state;
	up(BIT(MRG_RXBUF), 0);
	assert_int_equal(deliver_in("\0\0\0\0\0\0\0\0\0\0\2", two, 2, rx),
	    2);
	assert_int_equal(rx[0].rx_flags & PV_NET_RX_ERROR, 0);
	/* The first has at least the frame's own header. */
	assert_int_equal(deliver_in("\0\0\0\0\0\0\0\0\0\0\2", least, 2, rx),
	    2);
	assert_int_equal(rx[0].rx_flags & PV_NET_RX_ERROR, 0);
	assert_int_equal(deliver_in("\0\0\0\0\0\0\0\0\0\0\0", &less, 1, rx), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_ERROR);
	assert_int_equal(deliver_in("\0\0\0\0\0\0\0\0\0\0\1", two, 1, rx),
	    1);
	assert_int_equal(rx[0].rx_flags, 0);
	assert_int_equal(deliver_in("\0\0\0\0\0\0\0\0\0\0\0", &less, 1, rx), 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_ERROR);
	/* Nor does it wait for the next one. */
	rb = (struct pv_net_rxbuf){ { pb->pb_map, 0, 2000 }, pb->pb_va, pb };
	assert_int_equal(pv_net_post(&net, 0, &rb, 1, &done), 0);
	assert_int_equal(pv_net_post(&net, 0, &rb, 1, &done), 0);
	assert_int_equal(rig_take(&rig, 0, &rc), 1);
	rig_give(&rig, 0, rc.rc_head, less);
	assert_int_equal(pv_net_receive(&net, 0, rx, 64, &done), 0);
	assert_int_equal(done, 1);
	assert_int_equal(rx[0].rx_flags, PV_NET_RX_ERROR);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_ptr_equal(pv_net_drain_rx(&net, 0), pb);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static void
the_shortest_frame_with_a_word_in_its_header(void **state)
{
	struct pv_net_rx rx;

	(void)state;
	rxbuf = port_buf_new(2000);
	up(BIT(GUEST_CSUM), PV_NET_OPTIONAL);
	rx = deliver(0, "\2\0\0\0\0\0\0\0\0\0\1", 14);
	assert_int_equal(rx.rx_flags, PV_NET_RX_CSUM_VALID);
	assert_int_equal(rx.rx_len, 14);
	rx = deliver(0, "\2\0\0\0\0\0\0\0\0\0\1", 13);
	assert_int_equal(rx.rx_flags, PV_NET_RX_ERROR);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(rxbuf);
}

/* In none that words could be read from. */
static void
buffers_at_any_address(void **state)
{
	struct port_buf *pb = port_buf_new(2000);
	struct pv_net_rxbuf rb;
	struct pv_net_rx rx[64];
	struct rig_chain rc;
	unsigned int i, done;

	(void)state;
	up(BIT(GUEST_CSUM), PV_NET_OPTIONAL);
	for (i = 1; i < 4; i++) {
		rb = (struct pv_net_rxbuf){ { pb->pb_map, i, 1990 },
		    pb->pb_va + i, pb };
		assert_int_equal(pv_net_post(&net, 0, &rb, 1, &done), 0);
		assert_int_equal(rig_take(&rig, 0, &rc), 1);
		rig_write(&rc, 0, "\0\0\0\0\0\0\0\0\0\0\1", 12);
		rig_give(&rig, 0, rc.rc_head, 112);
		assert_int_equal(pv_net_receive(&net, 0, rx, 64, &done), 0);
		assert_int_equal(done, 1);
		assert_int_equal(rx[0].rx_flags, 0);
		assert_int_equal(rx[0].rx_off, 12);
		assert_int_equal(rx[0].rx_len, 100);
	}
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

/* Of a queue whose ring would take more of them. */
static void
buffers_are_as_many_as_their_slots(void **state)
{
	struct port_buf *pb = port_buf_new(2000);
	struct pv_net_rxbuf rb[65];
	unsigned int i, done;

	(void)state;
	rig.rg_legacy = 1;
	rig.rg_offered = BIT(MAC) | PV_F_BIT(PV_F_INDIRECT_DESC);
	up(0, 0);
	for (i = 0; i < 65; i++)
		rb[i] = (struct pv_net_rxbuf){ { pb->pb_map, 0, 2000 },
		    pb->pb_va, pb };
	assert_int_equal(pv_net_post(&net, 0, rb, 65, &done), ENOBUFS);
	assert_int_equal(done, 64);
	assert_int_equal(pv_net_stop(&net), 0);
	for (i = 0; i < 64; i++)
		assert_ptr_equal(pv_net_drain_rx(&net, 0), pb);
	assert_null(pv_net_drain_rx(&net, 0));
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb);
}

static void
a_queue_that_goes_on_does_not_hang(void **state)
{
	struct port_buf *pb[2] = { port_buf_new(200), port_buf_new(200) };
	unsigned int done;
	void *cookie;

	(void)state;
	up(0, 0);
	keeps = 1;
	port.po_now_ns += 1000000;
	assert_int_equal(send_on(0, pb[0], 60, plain), 0);
	/* Nobody has looked before. */
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	assert_int_equal(send_on(0, pb[1], 60, plain), 0);
	hangs_for(9000);
	use_one_sent();
	assert_int_equal(pv_net_reclaim(&net, 0, &cookie, 1, &done), 0);
	assert_int_equal(done, 1);
	assert_int_equal(pv_net_stalled_ns(&net, 0), 0);
	assert_int_equal(pv_net_stop(&net), 0);
	assert_ptr_equal(pv_net_drain_tx(&net, 0), pb[1]);
	assert_int_equal(pv_net_detach(&net), 0);
	port_buf_free(pb[0]);
	port_buf_free(pb[1]);
}

/* With as many pairs in use as before, of another number that there are. */
static void
a_control_queue_that_moves_is_found(void **state)
{
	(void)state;
	up_pairs(BIT(MQ), 2, 3);
	rig_put16(&rig, 8, 2);
	ctrlq = 4;
	restart();
	assert_int_equal(ncmds, 1);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 2);
	assert_int_equal(pv_net_set_rxmode(&net, 0), 0);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* More than the driver takes from the ring at once. */
static void
all_that_was_sent_is_reclaimed(void **state)
{
	struct port_buf *pb[60];
	struct rig_chain rc;
	unsigned int i, done;
	void *cookies[64];

	(void)state;
	up(0, 0);
	keeps = 1;
	for (i = 0; i < 60; i++) {
		pb[i] = port_buf_new(200);
		assert_int_equal(send_on(0, pb[i], 60, plain), 0);
	}
	while (rig_take(&rig, 1, &rc))
		rig_give(&rig, 1, rc.rc_head, 0);
	assert_int_equal(pv_net_reclaim(&net, 0, cookies, 64, &done), 0);
	assert_int_equal(done, 60);
	for (i = 0; i < 60; i++) {
		assert_ptr_equal(cookies[i], pb[i]);
		port_buf_free(pb[i]);
	}
	assert_int_equal(pv_net_detach(&net), 0);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_frame_to_be_cut_says_how),
		T(what_can_not_be_cut_is_not_sent),
		T(segmentation_is_only_taken_if_wanted),
		T(headers_at_any_address),
		T(lengths_of_buffers),
		T(apple_all_segmentation_or_none),
		T(what_was_several_says_so),
		T(hostile_segmentation),
		T(hashes_are_reported),
		T(pairs_are_asked_for),
		T(queues_that_there_are_not),
		T(pairs_that_are_refused_are_one),
		T(hostile_number_of_pairs),
		T(pairs_change_while_it_runs),
		T(attach_of_pairs_fails_cleanly_wherever_memory_ends),
		T(attach_of_pairs_looks_at_each_allocation),
		T(rss_spreads_by_hash),
		T(what_is_refused_leaves_what_was_set),
		T(rss_alone_makes_pairs),
		T(hashes_without_a_table),
		T(an_address_is_set_and_stays),
		T(an_address_that_was_made_is_told),
		T(modes_go_as_far_as_the_device),
		T(tables_of_addresses),
		T(tables_that_are_too_long),
		T(a_table_of_stations_that_is_too_long),
		T(vlans_are_filtered),
		T(a_start_has_a_bound_whatever_was_set),
		T(a_reset_confirmed_at_last_gives_back_what_one_did_not),
		T(offloads_are_turned_off_and_on),
		T(announcements_are_asked_for_and_acknowledged),
		T(speeds),
		T(interrupts_are_delayed),
		T(delays_without_the_features),
		T(statistics_are_told),
		T(hostile_statistics),
		T(statistics_as_long_as_they_can_be),
		T(statistics_that_are_not_to_be_had),
		T(a_queue_that_hangs_is_seen),
		T(a_missed_doorbell_is_rung_again),
		T(a_missed_doorbell_for_buffers_is_rung_again),
		T(a_queue_that_is_gone_is_not_watched),
		T(a_missed_doorbell_for_a_command_is_rung_again),
		T(a_reset_ends_a_hang),
		T(a_queue_that_hangs_is_taken_back),
		T(hostile_configuration_is_read_bit_by_bit),
		T(all_that_was_sent_is_reclaimed),
		T(a_control_queue_that_moves_is_found),
		T(frames_of_pieces),
		T(attach_without_some_memory_receives),
		T(what_was_several_has_a_length),
		T(a_buffer_without_a_header_is_an_error_at_once),
		T(the_shortest_frame_with_a_word_in_its_header),
		T(buffers_at_any_address),
		T(buffers_are_as_many_as_their_slots),
		T(a_queue_that_goes_on_does_not_hang),
		T(the_control_queue_may_be_the_last),
		T(pairs_of_many_are_used),
		T(pairs_are_at_most_as_many_as_we_drive),
		T(what_is_read_together_is_not_read_alone),
		T(no_pairs_are_one),
		T(one_pair_needs_no_feature),
		T(a_start_after_one_without_memory),
		T(a_device_that_breaks_at_its_tables),
		T(a_mode_that_was_not_set_is_not_sent),
		T(limits_of_a_table),
		T(a_device_that_comes_back_with_less),
		T(a_device_that_comes_back_without),
		T(pairs_refused_leave_a_table_of_one),
		T(pairs_that_go_are_not_sent_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
