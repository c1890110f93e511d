/* SPDX-License-Identifier: ISC */
/* UNIT: guest/net/ifnet.c guest/net/iftx.c guest/net/ifrx.c guest/net/ifremote.c guest/net/announce.c guest/net/rxpool.c guest/net/arena.c guest/net/txcsum.c guest/net/guard.c guest/console/loglimit.c test/unit/kern_fake.c */
/* UNIT-CFLAGS: -Iguest/net -isystem $(SRC)/lwip/src/include */
/* UNIT-LIBS: lwip */
/*
 * The guest's interface between lwIP, the real one, and a driver that the test
 * plays: where frames are, who owns each buffer, and that all come back.
 */
#include "net_fake.h"
#include "txcsum.h"

/* The test's own */

static struct net_if ifs;
static struct net_if *const ifp = &ifs;
static bool initialised;

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t my_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t peer_ip[4] = { 10, 0, 2, 2 };
static const uint8_t my_ip[4] = { 10, 0, 2, 15 };

static void
up(void)
{
	interface_up(ifp);
	if_flush(ifp);
	dev_complete();
	if_poll(ifp);
	memset(&ifp->if_counters, 0, sizeof(ifp->if_counters));
}

static void
down(void)
{
	dev_complete();
	if (ifp->if_running)
		if_poll(ifp);
	netif_remove(&ifp->if_netif);
	assert_int_equal(if_detach(ifp), 0);
	assert_int_equal(if_outstanding(ifp), 0);
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	dev_reset();
	if (!initialised) {
		lwip_begin(2u << 20);
		initialised = true;
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	cpus = 1;
	task_error = 0;
	reset_queues = false;
	return port_check();
}

/* An Ethernet frame with an IPv4 packet of `size` bytes. */
static uint8_t *
ipv4_frame(size_t size, uint8_t proto)
{
	uint8_t *f = malloc(14 + size);
	uint16_t sum;
	size_t i;

	for (i = 0; i < 14 + size; i++)
		f[i] = (uint8_t)(i * 13 + (i >> 8));
	memcpy(f, my_mac, 6);
	memcpy(f + 6, peer_mac, 6);
	memcpy(f + 12, "\x08\x00\x45\x00", 4);
	f[16] = (uint8_t)(size >> 8);
	f[17] = (uint8_t)size;
	memcpy(f + 18, "\0\1\x40\0\x40", 5);
	f[23] = proto;
	f[24] = f[25] = 0;
	memcpy(f + 26, peer_ip, 4);
	memcpy(f + 30, my_ip, 4);
	sum = inet_chksum(f + 14, 20);
	memcpy(f + 24, &sum, 2);
	return f;
}

static uint8_t *
echo_frame(size_t size)
{
	uint8_t *f = ipv4_frame(size, 1);
	uint16_t sum;

	memset(f + 34, 0, 8);
	f[34] = ICMP_ECHO;
	sum = inet_chksum(f + 34, (u16_t)(size - 20));
	memcpy(f + 36, &sum, 2);
	return f;
}

/* So that the reply needs no ARP. */
static void
know_peer(void)
{
	ip4_addr_t ip;
	uint8_t arp[42] = { 0 };

	IP4_ADDR(&ip, 10, 0, 2, 2);
	memcpy(arp, my_mac, 6);
	memcpy(arp + 6, peer_mac, 6);
	memcpy(arp + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
	memcpy(arp + 22, peer_mac, 6);
	memcpy(arp + 28, peer_ip, 4);
	memcpy(arp + 38, my_ip, 4);
	dev_input(arp, sizeof(arp), 0);
	if_poll(ifp);
	if_flush(ifp);
	dev_complete();
	if_poll(ifp);
	dev.calls = 0;
}

static void
check_echo(size_t size, const uint8_t *request)
{
	assert_int_equal(dev.nsent, 1);
	assert_int_equal(dev.framelen[0], 14 + size);
	assert_int_equal(dev.frame[0][34], ICMP_ER);
	assert_memory_equal(dev.frame[0] + 38, request + 38, size - 24);
	assert_int_equal(inet_chksum(dev.frame[0] + 34, (u16_t)(size - 20)),
	    0);
}

/* One comes, and its reply goes. */
static void
echo(size_t size)
{
	uint8_t *f = echo_frame(size);

	dev_input(f, 14 + size, 0);
	assert_true(if_poll(ifp));
	if_flush(ifp);
	check_echo(size, f);
	free(f);
}

static void
echo_goes_back_in_its_own_buffer(void **state)
{
	size_t used;

	(void)state;
	up();
	know_peer();
	used = arena_counters()->ac_used;
	echo(1500);
	assert_int_equal(ifp->if_counters.ic_tx_copied, 0);
	assert_int_equal(ifp->if_counters.ic_rx_copied, 0);
	assert_int_equal(arena_counters()->ac_used, used);
	assert_int_equal(ifp->if_pair[0].ip_pool->rp_lent, 1);
	dev_complete();
	if_poll(ifp);
	assert_int_equal(ifp->if_pair[0].ip_pool->rp_lent, 0);
	assert_int_equal(dev.nposted, RING);
	down();
}

static void
legacy_header_of_ten_bytes(void **state)
{
	(void)state;
	dev.hdrlen = 10;
	up();
	know_peer();
	echo(600);
	assert_int_equal(ifp->if_counters.ic_tx_copied, 0);
	down();
}

static void
largest_echo_in_one_buffer(void **state)
{
	(void)state;
	dev.mtu = 65435;
	dev.buflen = 65435 + 30;
	up();
	assert_true(ifp->if_pair[0].ip_pool->rp_nslots >= 4);
	know_peer();
	echo(65435);
	assert_int_equal(ifp->if_counters.ic_tx_copied, 0);
	down();
}

/* Above what one frame may have of pieces it is copied, and right. */
static void
largest_echo_in_many_buffers(void **state)
{
	(void)state;
	dev.mtu = 65435;
	dev.maxbufs = 44;
	up();
	know_peer();
	echo(65435);
	assert_int_equal(ifp->if_counters.ic_tx_copied, 1);
	assert_int_equal(dev.nposted, RING);
	down();
}

static void
few_buffers_make_pieces(void **state)
{
	(void)state;
	dev.mtu = 9000;
	dev.maxbufs = 7;
	up();
	know_peer();
	echo(9000);
	assert_int_equal(ifp->if_counters.ic_tx_copied, 0);
	down();
}

static void
oversize_and_errors_are_dropped(void **state)
{
	uint8_t *f = echo_frame(1500);

	(void)state;
	up();
	know_peer();
	dev_input(f, 1514, PV_NET_RX_OVERSIZE);
	dev_input(NULL, 0, PV_NET_RX_ERROR);
	dev_input(f, 1, 0);
	assert_true(if_poll(ifp));
	if_flush(ifp);
	assert_int_equal(dev.nsent, 0);
	assert_int_equal(dev.nposted, RING);
	assert_int_equal(ifp->if_pair[0].ip_pool->rp_lent, 0);
	free(f);
	down();
}

/* An application that keeps what it gets. */
static struct pbuf *kept[RING * 2];
static unsigned int nkept;

static void
keep(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
    u16_t port_no)
{
	(void)arg;
	(void)pcb;
	(void)from;
	(void)port_no;
	kept[nkept++] = p;
}

static uint8_t *
udp_frame(size_t size)
{
	uint8_t *f = ipv4_frame(size, 17);

	memcpy(f + 34, "\0\x07\0\x07", 4);
	f[38] = (uint8_t)((size - 20) >> 8);
	f[39] = (uint8_t)(size - 20);
	f[40] = f[41] = 0;
	return f;
}

static struct udp_pcb *
udp_listen(void)
{
	struct udp_pcb *pcb = udp_new();

	udp_bind(pcb, IP4_ADDR_ANY, 7);
	udp_recv(pcb, keep, NULL);
	nkept = 0;
	return pcb;
}

static void
drop_kept(void)
{
	while (nkept > 0)
		pbuf_free(kept[--nkept]);
}

static void
hoarder_does_not_starve_the_device(void **state)
{
	uint8_t *f = udp_frame(1000);
	struct udp_pcb *pcb;
	unsigned int i;

	(void)state;
	up();
	pcb = udp_listen();
	for (i = 0; i < RING * 2; i++) {
		dev_input(f, 1014, 0);
		if_poll(ifp);
		assert_true(dev.nposted > 0);
	}
	assert_int_equal(nkept, RING * 2);
	assert_true(ifp->if_counters.ic_rx_copied > 0);
	assert_true(ifp->if_pair[0].ip_pool->rp_lent < ifp->if_pair[0].ip_pool->rp_nslots);
	for (i = 0; i < nkept; i++) {
		assert_int_equal(kept[i]->tot_len, 1000 - 28);
		assert_memory_equal(kept[i]->payload, f + 42, 1000 - 28);
	}
	drop_kept();
	assert_int_equal(ifp->if_pair[0].ip_pool->rp_lent, 0);
	udp_remove(pcb);
	free(f);
	down();
}

static void
device_may_vouch_for_a_checksum(void **state)
{
	uint8_t *f = udp_frame(200);
	struct udp_pcb *pcb;

	(void)state;
	f[40] = 0x12;		/* wrong */
	f[41] = 0x34;
	up();
	pcb = udp_listen();
	dev_input(f, 214, 0);
	if_poll(ifp);
	assert_int_equal(nkept, 0);
	dev_input(f, 214, PV_NET_RX_CSUM_PARTIAL);
	if_poll(ifp);
	assert_int_equal(nkept, 1);
	dev_input(f, 214, PV_NET_RX_CSUM_VALID);
	if_poll(ifp);
	assert_int_equal(nkept, 2);
	dev_input(f, 214, 0);	/* the word holds for one frame only */
	if_poll(ifp);
	assert_int_equal(nkept, 2);
	drop_kept();
	udp_remove(pcb);
	free(f);
	down();
}

static void
device_does_not_vouch_for_fragments(void **state)
{
	uint8_t *f = udp_frame(200);
	struct udp_pcb *pcb;
	uint16_t sum;

	(void)state;
	f[40] = 0x12;
	f[41] = 0x34;
	up();
	pcb = udp_listen();
	/* Two fragments, the second one empty but for its place. */
	f[20] = 0x20;
	f[17] = 20 + 176;
	f[38] = 0;
	f[39] = 184;
	f[24] = f[25] = 0;
	sum = inet_chksum(f + 14, 20);
	memcpy(f + 24, &sum, 2);
	dev_input(f, 14 + 20 + 176, PV_NET_RX_CSUM_VALID);
	if_poll(ifp);
	f[20] = 0;
	f[21] = 176 / 8;
	f[17] = 20 + 8;
	f[24] = f[25] = 0;
	sum = inet_chksum(f + 14, 20);
	memcpy(f + 24, &sum, 2);
	dev_input(f, 14 + 46, PV_NET_RX_CSUM_VALID);
	if_poll(ifp);
	assert_int_equal(nkept, 0);
	udp_remove(pcb);
	free(f);
	down();
}

static void
full_ring_holds_back(void **state)
{
	struct pbuf *p;
	unsigned int i, accepted = 0;
	err_t err;

	(void)state;
	up();
	know_peer();
	dev.room = 8;
	for (i = 0; i < 100; i++) {
		p = pbuf_alloc(PBUF_RAW_TX, 100, PBUF_RAM);
		memset(p->payload, (int)i, 100);
		err = ifp->if_netif.linkoutput(&ifp->if_netif, p);
		pbuf_free(p);
		if (err != ERR_OK)
			break;
		accepted++;
	}
	assert_int_equal(err, ERR_MEM);
	assert_int_equal(accepted, 8 + IF_TXBATCH);
	assert_int_equal(dev.nsent, 8);
	assert_true(ifp->if_starved);
	dev_complete();
	assert_true(if_poll(ifp));
	assert_false(ifp->if_starved);
	if_flush(ifp);
	assert_int_equal(dev.nsent, 8);
	for (i = 0; i < 8; i++)
		assert_int_equal(dev.frame[i][0], 8 + i);
	dev.room = RING;
	dev_complete();
	if_poll(ifp);
	if_flush(ifp);
	assert_int_equal(dev.nsent, accepted - 16);
	assert_int_equal(dev.frame[0][0], 16);
	down();
}

static void
one_doorbell_for_a_batch(void **state)
{
	struct pbuf *p;
	unsigned int i;

	(void)state;
	up();
	know_peer();
	for (i = 0; i < 20; i++) {
		p = pbuf_alloc(PBUF_RAW_TX, 100, PBUF_RAM);
		ifp->if_netif.linkoutput(&ifp->if_netif, p);
		pbuf_free(p);
	}
	assert_int_equal(dev.calls, 0);
	if_flush(ifp);
	assert_int_equal(dev.calls, 1);
	assert_int_equal(dev.nsent, 20);
	down();
}

static void
too_long_is_the_drivers_to_refuse(void **state)
{
	static uint8_t frame[2000];
	struct pbuf *p;

	(void)state;
	up();
	assert_int_equal(if_raw(ifp, frame, 1514), 0);
	assert_int_equal(if_raw(ifp, frame, 1515), EMSGSIZE);
	assert_int_equal(if_raw(ifp, frame, 70000), EMSGSIZE);
	p = pbuf_alloc(PBUF_RAW_TX, 1600, PBUF_RAM);
	assert_int_equal(ifp->if_netif.linkoutput(&ifp->if_netif, p), ERR_OK);
	pbuf_free(p);
	if_flush(ifp);
	assert_int_equal(ifp->if_counters.ic_tx_dropped, 1);
	assert_int_equal(dev.nsent, 1);
	down();
}

/* Memory that the device can't reach, and headers without room before them. */
static void
foreign_memory_is_copied(void **state)
{
	static uint8_t elsewhere[300];
	struct pbuf *p = pbuf_alloc(PBUF_RAW_TX, 14, PBUF_RAM), *q;

	(void)state;
	up();
	memset(elsewhere, 0x77, sizeof(elsewhere));
	q = pbuf_alloc_reference(elsewhere, sizeof(elsewhere), PBUF_ROM);
	pbuf_cat(p, q);
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	pbuf_free(p);
	p = pbuf_alloc(PBUF_RAW, 60, PBUF_RAM);	/* no headroom */
	memset(p->payload, 0x55, 60);
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	pbuf_free(p);
	if_flush(ifp);
	assert_int_equal(ifp->if_counters.ic_tx_copied, 2);
	assert_int_equal(dev.framelen[0], 314);
	assert_int_equal(dev.frame[0][313], 0x77);
	assert_int_equal(dev.frame[1][59], 0x55);
	down();
}

static void
tcp_checksum_is_left_to_the_device(void **state)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW_TX, 14 + 60, PBUF_RAM);
	uint8_t *f = ipv4_frame(60, 6);

	(void)state;
	dev.features = PV_F_BIT(PV_NET_F_CSUM);
	up();
	assert_false(ifp->if_netif.chksum_flags & NETIF_CHECKSUM_GEN_TCP);
	assert_true(ifp->if_netif.chksum_flags & NETIF_CHECKSUM_GEN_UDP);
	pbuf_take(p, f, 74);
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	if_flush(ifp);
	assert_int_equal(dev.flags[0], PV_NET_TX_CSUM);
	assert_int_equal(dev.start[0], 34);
	/* Lower, lwIP might cut what it left to us: it does it itself. */
	assert_int_equal(if_set_mtu(ifp, 1400), 0);
	assert_true(ifp->if_netif.chksum_flags & NETIF_CHECKSUM_GEN_TCP);
	assert_int_equal(if_set_mtu(ifp, 1500), 0);
	assert_false(ifp->if_netif.chksum_flags & NETIF_CHECKSUM_GEN_TCP);
	pbuf_free(p);
	free(f);
	down();
}

static void
broken_device_gives_everything_back(void **state)
{
	uint8_t *f = udp_frame(500);
	struct udp_pcb *pcb;
	struct rxpool *old;
	struct pbuf *p;

	(void)state;
	up();
	pcb = udp_listen();
	dev_input(f, 514, 0);
	if_poll(ifp);
	assert_int_equal(nkept, 1);
	p = pbuf_alloc(PBUF_RAW_TX, 100, PBUF_RAM);
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	if_flush(ifp);
	ifp->if_netif.linkoutput(&ifp->if_netif, p);	/* still waiting */
	assert_int_equal(p->ref, 3);
	old = ifp->if_pair[0].ip_pool;

	dev.broken = 1;
	dev.cb.nc_broken(dev.arg, "test");
	assert_false(if_poll(ifp));
	if_service(ifp);
	assert_true(ifp->if_running);
	assert_int_equal(ifp->if_counters.ic_resets, 1);
	assert_int_equal(ifp->if_counters.ic_tx_again, 2);
	assert_ptr_not_equal(ifp->if_pair[0].ip_pool, old);
	assert_int_equal(dev.nposted, RING);
	/* The frame from before is still whole, and its pool goes with it. */
	assert_memory_equal(kept[0]->payload, f + 42, 500 - 28);
	drop_kept();
	if_flush(ifp);
	dev_complete();
	if_poll(ifp);
	assert_int_equal(p->ref, 1);
	pbuf_free(p);

	dev_input(f, 514, 0);
	if_poll(ifp);
	assert_int_equal(nkept, 1);
	drop_kept();
	udp_remove(pcb);
	free(f);
	down();
}

static void
device_that_breaks_again_and_again_is_left(void **state)
{
	unsigned int i;

	(void)state;
	up();
	for (i = 0; i < 10; i++) {
		dev.cb.nc_broken(dev.arg, "test");
		if_service(ifp);
	}
	assert_false(ifp->if_running);
	assert_int_equal(ifp->if_counters.ic_resets, 6);
	assert_int_equal(if_raw(ifp, "", 60), ENETDOWN);
	down();
}

/* A frame after each reset does not help it, unless it has run for a while. */
static void
a_frame_between_breaks_does_not_count(void **state)
{
	uint8_t *f = echo_frame(100);
	unsigned int i;

	(void)state;
	up();
	for (i = 0; i < 20; i++) {
		dev.cb.nc_broken(dev.arg, "test");
		if_service(ifp);
		assert_true(ifp->if_running);
		now_ms += 1100;
		dev_input(f, 114, 0);
		if_poll(ifp);
	}
	for (i = 0; i < 20 && ifp->if_running; i++) {
		dev.cb.nc_broken(dev.arg, "test");
		if_service(ifp);
		if (!ifp->if_running)
			break;
		now_ms += 100;
		dev_input(f, 114, i % 2 ? 0 : PV_NET_RX_ERROR);
		if_poll(ifp);
	}
	assert_false(ifp->if_running);
	assert_int_equal(i, 5);
	free(f);
	down();
}

static void
longer_buffers_need_a_restart(void **state)
{
	(void)state;
	dev.mtu_busy = 1;
	up();
	know_peer();
	assert_int_equal(if_set_mtu(ifp, 67), EINVAL);
	assert_int_equal(if_set_mtu(ifp, 65436), EINVAL);
	assert_int_equal(if_set_mtu(ifp, 4000), 0);
	assert_int_equal(ifp->if_netif.mtu, 4000);
	assert_int_equal(ifp->if_pair[0].ip_pool->rp_buflen, 4030);
	echo(4000);
	down();
}

/* Up with two pairs; the second is another CPU's, whose task has run. */
static void
up_with_another(void)
{
	cpus = 2;
	dev.info.ni_maxpairs = 2;
	up();
	while (other_runs())
		now_ms++;
}

/* A packet of a flow that the second pair sends. */
static struct pbuf *
packet_of_another(void)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW_TX, 114, PBUF_RAM);
	uint8_t *u = ipv4_frame(100, 17);
	unsigned int i;

	for (i = 0; (tx_flow(u, 114) * 0x9e3779b1u) >> 31 == 0; i++)
		u[34] = (uint8_t)i;
	pbuf_take(p, u, 114);
	free(u);
	return p;
}

/* Its task runs, as there is something for it. */
static void
another_runs(void)
{
	task_signal(other_task);
	other_runs();
}

/* What comes there passes its task: nothing before that has run, all after it. */
static void
another_cpu_receives(void **state)
{
	uint8_t *f = echo_frame(1500);

	(void)state;
	up_with_another();
	assert_non_null(ifp->if_pair[1].ip_remote);
	assert_null(ifp->if_pair[0].ip_remote);
	know_peer();
	dev_complete();
	if_poll(ifp);
	dev.queue = 1;
	another_runs();
	assert_int_equal(dev.nposted + dev.nready, RING);
	dev_input(f, 1514, 0);
	assert_false(if_poll(ifp));
	another_runs();
	dev.queue = 0;
	assert_true(if_poll(ifp));
	if_flush(ifp);
	check_echo(1500, f);
	free(f);
	down();
}

/* By the flow it is told what to send; that comes back by its task. */
static void
another_cpu_sends(void **state)
{
	struct pbuf *p = packet_of_another();

	(void)state;
	up_with_another();
	dev.queue = 1;
	ifp->if_sendpairs = 2;
	assert_int_equal(ifp->if_netif.linkoutput(&ifp->if_netif, p), ERR_OK);
	if_flush(ifp);
	assert_int_equal(dev.nsent, 0);
	other_runs();
	assert_int_equal(dev.nsent, 1);
	assert_int_equal(if_outstanding(ifp), 1);
	dev_complete();
	another_runs();
	assert_true(if_poll(ifp));
	assert_int_equal(if_outstanding(ifp), 0);
	assert_int_equal(p->ref, 1);
	pbuf_free(p);
	down();
}

/* One that the other CPU has given to the device. */
static struct pbuf *
sent_by_another(void)
{
	struct pbuf *p = packet_of_another();

	up_with_another();
	dev.queue = 1;
	dev.info.ni_pairs = ifp->if_sendpairs = 2;
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	if_flush(ifp);
	other_runs();
	assert_int_equal(dev.nsent, 1);
	return p;
}

/* After a reset: n are, and come back. */
static void
sent_again_by_another(struct pbuf *p, unsigned int n)
{
	assert_int_equal(ifp->if_counters.ic_tx_again, n);
	if_flush(ifp);
	other_runs();
	assert_int_equal(dev.nsent, n);
	dev_complete();
	another_runs();
	if_poll(ifp);
	assert_int_equal(if_outstanding(ifp), 0);
	assert_int_equal(p->ref, 1);
	pbuf_free(p);
	down();
}

/* Whatever another CPU has at a reset comes back, and is sent again. */
static void
another_cpu_lets_go(void **state)
{
	struct pbuf *p;

	(void)state;
	p = sent_by_another();
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	dev.cb.nc_broken(dev.arg, "test");
	if_service(ifp);
	assert_int_equal(ifp->if_counters.ic_resets, 1);
	sent_again_by_another(p, 2);
}

static struct pbuf *meanwhile;

static void
send_meanwhile(void)
{
	assert_int_equal(ifp->if_netif.linkoutput(&ifp->if_netif, meanwhile),
	    ERR_OK);
}

/* What is sent while the reset is awaited is sent after it, too. */
static void
a_hung_queue_of_another_cpu_is_reset_alone(void **state)
{
	struct pbuf *p;

	(void)state;
	reset_queues = true;
	p = sent_by_another();
	dev.stalled_ns = IF_HUNG_NS + 1;
	if_watch(ifp);
	assert_int_equal(dev.rxwatched, 0);
	other_runs();
	assert_int_equal(dev.rxwatched, 1);
	dev.stalled_ns = 0;
	meanwhile = p;
	dev.commanded = send_meanwhile;
	if_service(ifp);
	dev.commanded = NULL;
	assert_int_equal(ifp->if_counters.ic_resets, 0);
	assert_int_equal(ifp->if_counters.ic_queues, 1);
	sent_again_by_another(p, 3);
}

/* Without a CPU for it the stack's serves the pair. */
static void
a_pair_without_a_cpu_is_served(void **state)
{
	uint8_t *f = echo_frame(100);

	(void)state;
	cpus = 2;
	task_error = ENXIO;
	dev.info.ni_maxpairs = 2;
	up();
	assert_null(ifp->if_pair[1].ip_remote);
	know_peer();
	dev.queue = 1;
	dev_complete();
	while (dev.nready + dev.nposted < RING)
		if_poll(ifp);
	dev_input(f, 114, 0);
	dev.queue = 1;
	assert_true(if_poll(ifp));
	assert_int_equal(if_outstanding(ifp), 1);
	dev.queue = 0;
	if_flush(ifp);
	assert_int_equal(dev.nsent, 1);
	free(f);
	down();
}

static void
queued_frames_are_sent_after_a_reset(void **state)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW_TX, 100, PBUF_RAM);

	(void)state;
	up();
	memset(p->payload, 0x42, 100);
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	if_flush(ifp);
	assert_int_equal(dev.nsent, 1);
	ifp->if_netif.linkoutput(&ifp->if_netif, p);
	dev.cb.nc_broken(dev.arg, "test");
	if_service(ifp);
	if_flush(ifp);
	assert_int_equal(dev.nsent, 2);
	assert_int_equal(dev.frame[0][99], 0x42);
	assert_int_equal(ifp->if_counters.ic_tx_again, 2);
	assert_int_equal(ifp->if_counters.ic_tx_dropped, 0);
	dev_complete();
	if_poll(ifp);
	assert_int_equal(p->ref, 1);
	pbuf_free(p);
	down();
}

static void
a_queue_that_hangs_is_reset(void **state)
{
	(void)state;
	up();
	if_watch(ifp);
	assert_int_equal(dev.rxwatched, 1);
	if_service(ifp);
	assert_int_equal(ifp->if_counters.ic_resets, 0);
	dev.stalled_ns = IF_HUNG_NS + 1;
	if_watch(ifp);
	dev.stalled_ns = 0;
	if_service(ifp);
	assert_int_equal(ifp->if_counters.ic_resets, 1);
	assert_int_equal(ifp->if_counters.ic_hung, 1);
	down();
}

/* A gratuitous ARP, then the answer to the device. */
static void
the_host_asks_for_announcements(void **state)
{
	(void)state;
	up();
	dev.nsent = 0;
	dev.changed = PV_NET_CHANGED_ANNOUNCE;
	dev.cb.nc_changed(dev.arg);
	if_service(ifp);
	assert_int_equal(dev.announced, 1);
	assert_int_equal(dev.nsent, 1);
	assert_memory_equal(dev.frame[0] + 12, "\x08\x06\0\1\x08\0\6\4\0\1",
	    10);
	assert_memory_equal(dev.frame[0] + 28, my_ip, 4);
	assert_memory_equal(dev.frame[0] + 38, my_ip, 4);
	dev.changed = 0;
	down();
}

static unsigned int nlogged;
static char logged[2][128];		/* the last but one, and the last */

void
klog(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	memcpy(logged[0], logged[1], sizeof(logged[0]));
	va_start(ap, fmt);
	(void)vsnprintf(logged[1], sizeof(logged[1]), fmt, ap);
	va_end(ap);
	nlogged++;
}

static void
ask_for_announcements(unsigned int n)
{
	nlogged = 0;
	while (n-- > 0) {
		dev.cb.nc_changed(dev.arg);
		if_service(ifp);
		dev.nsent = 0;
	}
}

/* What the host can cause without end does not bury all else in the log. */
static void
a_flood_of_complaints_is_not_all_logged(void **state)
{
	(void)state;
	up();
	dev.changed = PV_NET_CHANGED_ANNOUNCE;
	dev.announce_error = EIO;
	ask_for_announcements(1000);
	assert_int_equal(dev.announced, 1000);
	assert_int_equal(nlogged, 16);
	/* One a second, which tells of those before it; */
	now_ms += 1000;
	ask_for_announcements(10);
	assert_int_equal(nlogged, 2);
	assert_string_equal(logged[0], "log: 984 like the next were left out");
	assert_string_equal(logged[1], "net0: announcement not taken");
	/* and after a quiet time as many as at first. */
	now_ms += 3600 * 1000;
	ask_for_announcements(20);
	assert_int_equal(nlogged, 17);
	assert_string_equal(logged[1], "net0: announcement not taken");
	dev.changed = 0;
	down();
}

static void
a_filter_that_is_refused_at_each_start_is_not_always_logged(void **state)
{
	unsigned int i;

	(void)state;
	up();
	dev.rxmode_error = EIO;
	nlogged = 0;
	for (i = 0; i < 100; i++)
		assert_int_equal(if_renegotiate(ifp, 0, 0), 0);
	assert_int_equal(nlogged, 16);
	assert_string_equal(logged[1], "net0: receive filter: error 5");
	dev.rxmode_error = 0;
	now_ms += 3600 * 1000;
	down();
}

static unsigned int nintruders;

/* What another thread does while this one waits for the device's answer. */
static void
intrude(void)
{
	nintruders++;
	dev.cb.nc_broken(dev.arg, "test");
	if_service(ifp);
	assert_int_equal(ifp->if_counters.ic_resets, 0);
	assert_int_equal(if_set_mtu(ifp, 1400), ENETDOWN);
	assert_int_equal(if_renegotiate(ifp, 0, 0), EBUSY);
}

static void
a_command_has_the_device_alone(void **state)
{
	(void)state;
	up();
	dev.changed = PV_NET_CHANGED_ANNOUNCE;
	dev.commanded = intrude;
	dev.cb.nc_changed(dev.arg);
	if_service(ifp);
	assert_int_equal(nintruders, 1);
	dev.changed = 0;
	if_service(ifp);
	assert_int_equal(ifp->if_counters.ic_resets, 1);
	down();
}

static void
another_negotiation(void **state)
{
	(void)state;
	up();
	ifp->if_deny = 1;
	assert_int_equal(if_renegotiate(ifp, 0, 0), 0);
	assert_int_equal(ifp->if_deny, 1);
	/* Refused: what there was before is had again. */
	ifp->if_deny = 2;
	port.po_fail_after = 0;
	port.po_fail_one = 1;
	assert_int_equal(if_renegotiate(ifp, 1, 0), ENOMEM);
	assert_int_equal(ifp->if_deny, 1);
	assert_true(ifp->if_running);
	/* One that does not run has nothing to negotiate. */
	ifp->if_running = false;
	ifp->if_deny = 3;
	assert_int_equal(if_renegotiate(ifp, 1, 0), EBUSY);
	assert_int_equal(ifp->if_deny, 1);
	ifp->if_running = true;
	down();
}

static void
a_negotiation_without_a_confirmed_reset(void **state)
{
	(void)state;
	up();
	dev.detach_error = ETIMEDOUT;
	assert_int_equal(if_renegotiate(ifp, 0, 0), ETIMEDOUT);
	assert_false(ifp->if_running);
	dev.detach_error = 0;
	netif_remove(&ifp->if_netif);
	/* Not detached twice; and what it might reach stays loaded. */
	assert_int_equal(if_detach(ifp), ETIMEDOUT);
	assert_non_null(ifp->if_arena);
	bus_dmamap_unload(ifp->if_dmat, ifp->if_arena);
	bus_dmamap_destroy(ifp->if_dmat, ifp->if_arena);
}

static void
attach_fails_cleanly(void **state)
{
	int i;

	(void)state;
	memset(ifp, 0, sizeof(*ifp));
	ifp->if_dmat = &port_dma_tag;
	dev.refuse = ENOTSUP;
	assert_int_equal(if_attach(ifp, 0), ENOTSUP);
	dev.refuse = 0;
	for (i = 0; i < 4; i++) {
		port.po_fail_after = i;
		assert_int_equal(if_attach(ifp, 0), ENOMEM);
	}
	port.po_fail_after = -1;
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(echo_goes_back_in_its_own_buffer),
		T(legacy_header_of_ten_bytes),
		T(largest_echo_in_one_buffer),
		T(largest_echo_in_many_buffers),
		T(few_buffers_make_pieces),
		T(oversize_and_errors_are_dropped),
		T(hoarder_does_not_starve_the_device),
		T(device_may_vouch_for_a_checksum),
		T(device_does_not_vouch_for_fragments),
		T(full_ring_holds_back),
		T(one_doorbell_for_a_batch),
		T(too_long_is_the_drivers_to_refuse),
		T(foreign_memory_is_copied),
		T(tcp_checksum_is_left_to_the_device),
		T(broken_device_gives_everything_back),
		T(device_that_breaks_again_and_again_is_left),
		T(a_frame_between_breaks_does_not_count),
		T(longer_buffers_need_a_restart),
		T(another_cpu_receives),
		T(another_cpu_sends),
		T(another_cpu_lets_go),
		T(a_hung_queue_of_another_cpu_is_reset_alone),
		T(a_pair_without_a_cpu_is_served),
		T(queued_frames_are_sent_after_a_reset),
		T(a_queue_that_hangs_is_reset),
		T(the_host_asks_for_announcements),
		T(a_flood_of_complaints_is_not_all_logged),
		T(a_filter_that_is_refused_at_each_start_is_not_always_logged),
		T(a_command_has_the_device_alone),
		T(another_negotiation),
		T(a_negotiation_without_a_confirmed_reset),
		T(attach_fails_cleanly),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	lwip_end();
	return failed;
}
