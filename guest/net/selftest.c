/* SPDX-License-Identifier: ISC */
/* What the network tests of itself, in the guest: `selftest net`. */
#include <errno.h>
#include <string.h>

#include "kmem.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

#include "arena.h"
#include "crc32.h"
#include "ifnet.h"
#include "ktime.h"
#include "netstack.h"
#include "rxpool.h"
#include "selftest.h"
#include "thread.h"
#include "virtio_guest.h"

#define ST_PORT		7777
#define ST_BYTES	(1u << 20)

static bool
wait_until(bool (*fn)(void *), void *arg, uint64_t timeout_ns)
{
	uint64_t end = uptime_ns() + timeout_ns;

	while (!fn(arg)) {
		if (uptime_ns() >= end)
			return false;
		thread_sleep(NS_PER_MS);
	}
	return true;
}

SELFTEST(net_crc32)
{
	ST_EQ(st, crc32(0, "123456789", 9), 0xcbf43926);
}

/* A connection to ourselves: a block, over and over. */
struct loop {
	struct tcp_pcb	*lo_listen;
	struct tcp_pcb	*lo_from;
	struct tcp_pcb	*lo_to;
	uint8_t		*lo_block;
	size_t		lo_written;
	size_t		lo_received;
	uint32_t	lo_crc;
	bool		lo_failed;
};

#define LOOP_BLOCK	4096u

static void
loop_err(void *arg, err_t err)
{
	struct loop *lo = arg;

	(void)err;
	lo->lo_failed = true;
}

static err_t
loop_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct loop *lo = arg;
	struct pbuf *q;

	(void)err;
	if (p == NULL)
		return ERR_OK;
	for (q = p; q != NULL; q = q->next)
		lo->lo_crc = crc32(lo->lo_crc, q->payload, q->len);
	lo->lo_received += p->tot_len;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t
loop_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct loop *lo = arg;

	if (err != ERR_OK || pcb == NULL)
		return ERR_VAL;
	lo->lo_to = pcb;
	tcp_arg(pcb, lo);
	tcp_recv(pcb, loop_recv);
	tcp_err(pcb, loop_err);
	return ERR_OK;
}

static void
loop_fill(struct loop *lo)
{
	while (lo->lo_written < ST_BYTES &&
	    tcp_sndbuf(lo->lo_from) >= LOOP_BLOCK &&
	    tcp_write(lo->lo_from, lo->lo_block, LOOP_BLOCK, 0) == ERR_OK)
		lo->lo_written += LOOP_BLOCK;
	tcp_output(lo->lo_from);
}

static err_t
loop_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	(void)pcb;
	(void)len;
	loop_fill(arg);
	return ERR_OK;
}

static err_t
loop_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)pcb;
	if (err == ERR_OK)
		loop_fill(arg);
	return ERR_OK;
}

static bool
loop_done(void *arg)
{
	struct loop *lo = arg;

	net_kick();
	return lo->lo_failed || lo->lo_received == ST_BYTES;
}

static void
loop_pcb_end(struct tcp_pcb *pcb)
{
	if (pcb == NULL)
		return;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
}

static bool
loop_open(struct loop *lo)
{
	ip_addr_t host;
	struct tcp_pcb *pcb = tcp_new();

	ipaddr_aton("127.0.0.1", &host);
	if (pcb == NULL)
		return false;
	if (tcp_bind(pcb, &host, ST_PORT) != ERR_OK) {
		tcp_close(pcb);
		return false;
	}
	lo->lo_listen = tcp_listen(pcb);
	lo->lo_from = tcp_new();
	if (lo->lo_listen == NULL || lo->lo_from == NULL)
		return false;
	tcp_arg(lo->lo_listen, lo);
	tcp_accept(lo->lo_listen, loop_accept);
	tcp_arg(lo->lo_from, lo);
	tcp_sent(lo->lo_from, loop_sent);
	tcp_err(lo->lo_from, loop_err);
	return tcp_connect(lo->lo_from, &host, ST_PORT, loop_connected) ==
	    ERR_OK;
}

static void
loop_close(struct loop *lo)
{
	if (lo->lo_listen != NULL)
		tcp_close(lo->lo_listen);
	if (!lo->lo_failed) {
		loop_pcb_end(lo->lo_from);
		loop_pcb_end(lo->lo_to);
	}
	net_free(lo->lo_block);
}

SELFTEST(net_tcp_to_ourselves)
{
	struct loop lo = { .lo_block = net_alloc(LOOP_BLOCK) };
	uint32_t crc = 0;
	size_t i;
	bool opened;

	ST_CHECK(st, lo.lo_block != NULL);
	for (i = 0; i < LOOP_BLOCK; i++)
		lo.lo_block[i] = (uint8_t)(i * 31);
	for (i = 0; i < ST_BYTES; i += LOOP_BLOCK)
		crc = crc32(crc, lo.lo_block, LOOP_BLOCK);
	opened = loop_open(&lo);
	if (opened)
		(void)wait_until(loop_done, &lo, ST_WAIT_NS);
	loop_close(&lo);
	ST_CHECK(st, opened);
	ST_CHECK(st, !lo.lo_failed);
	ST_EQ(st, lo.lo_received, ST_BYTES);
	ST_EQ(st, lo.lo_crc, crc);
}

SELFTEST(net_mtu_bounds)
{
	struct net_if *ifp = net_next(NULL);
	unsigned int mtu, hard;

	if (ifp == NULL)
		ST_SKIP(st, "no network device");
	mtu = ifp->if_netif.mtu;
	hard = pv_net_hardmtu(&ifp->if_net);
	ST_EQ(st, net_set_mtu(ifp, hard + 1), EINVAL);
	ST_EQ(st, net_set_mtu(ifp, PV_NET_MINMTU - 1), EINVAL);
	ST_EQ(st, ifp->if_netif.mtu, mtu);
	if (hard > 1400) {
		ST_EQ(st, net_set_mtu(ifp, 1400), 0);
		ST_EQ(st, ifp->if_netif.mtu, 1400);
		ST_EQ(st, net_set_mtu(ifp, mtu), 0);
	}
	ST_EQ(st, ifp->if_netif.mtu, mtu);
}

SELFTEST(net_driver_refuses_long_frames)
{
	struct net_if *ifp = net_next(NULL);
	unsigned int mtu;
	uint8_t *frame;
	int error;

	if (ifp == NULL)
		ST_SKIP(st, "no network device");
	mtu = ifp->if_netif.mtu;
	frame = kzalloc(mtu + 15);
	ST_CHECK(st, frame != NULL);
	memset(frame, 0xff, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	error = if_raw(ifp, frame, mtu + 15);
	kfree(frame);
	ST_EQ(st, error, EMSGSIZE);
}

static bool
buffers_home(void *arg)
{
	struct net_if *ifp = arg;

	net_kick();
	return if_lent(ifp) == 0 && if_outstanding(ifp) == 0;
}

SELFTEST(net_buffers_come_back)
{
	struct net_if *ifp = net_next(NULL);
	const struct rxpool *rp;
	unsigned int most;

	if (ifp == NULL || !ifp->if_running)
		ST_SKIP(st, "no network device");
	rp = ifp->if_pair[0].ip_pool;
	most = pv_net_rx_size(&ifp->if_net);
	if (most > rp->rp_nslots)
		most = rp->rp_nslots;
	ST_CHECK(st, wait_until(buffers_home, ifp, ST_WAIT_NS));
	ST_EQ(st, rp->rp_posted, most);
}

static unsigned int
interfaces(bool addressed)
{
	struct net_if *ifp;
	unsigned int n = 0;

	for (ifp = net_next(NULL); ifp != NULL; ifp = net_next(ifp))
		n += !addressed ||
		    !ip4_addr_isany_val(*netif_ip4_addr(&ifp->if_netif));
	return n;
}

static bool
all_have_addresses(void *arg)
{
	return interfaces(true) >= *(const unsigned int *)arg;
}

/* A device goes away with all that is in flight, and comes back. */
SELFTEST(net_detach_and_attach)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_NET, 0);
	size_t used = arena_counters()->ac_used;
	unsigned int before = interfaces(false), had = interfaces(true);

	if (vg == NULL)
		ST_SKIP(st, "no network device");
	ST_EQ(st, virtio_detach(vg), 0);
	ST_EQ(st, interfaces(false), before - 1);
	ST_EQ(st, virtio_attach(vg), 0);
	ST_EQ(st, interfaces(false), before);
	ST_CHECK(st, wait_until(all_have_addresses, &had, ST_WAIT_NS));
	ST_CHECK(st, arena_counters()->ac_used <= used + 16384);
}
