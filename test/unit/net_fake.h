/* SPDX-License-Identifier: ISC */
/*
 * What tests of the guest's network stand on: the kernel's services, and a
 * driver that the test plays, with two rings of what was given to it. To be
 * included once by a test.
 */
#ifndef NET_FAKE_H
#define NET_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmem.h"
#include "ifnet.h"
#include "log.h"
#include "lwip_fake.h"
#include "port.h"
#include "rxpool.h"

#include "lwip/etharp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/ip4.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"
#include "netif/ethernet.h"

/* The kernel */

static u32_t now_ms;
static unsigned int kicks;

u32_t
sys_now(void)
{
	return now_ms;
}

void
net_kick(void)
{
	kicks++;
}

void
if_link_changed(struct net_if *ifp)
{
	(void)ifp;
}

uint64_t
uptime_ns(void)
{
	return now_ms * 1000000ull;
}

void
thread_yield(void)
{
	now_ms++;
}

void
event_signal(struct event *ev)
{
	(void)ev;
	kicks++;
}

static bool reset_queues;		/* netreset=queue */

bool
cmdline_is(const char *name, const char *value)
{
	return reset_queues && strcmp(name, "netreset") == 0 &&
	    strcmp(value, "queue") == 0;
}

uint64_t
cmdline_get_number(const char *name, uint64_t otherwise)
{
	(void)name;
	return otherwise;
}

/* Another processor, whose task runs when the test says so. */
static struct task *other_task;
static unsigned int cpus = 1;
static int task_error;

unsigned
cpu_count(void)
{
	return cpus;
}

int
task_start(struct task *tk)
{
	assert_null(other_task);
	if (task_error)
		return task_error;
	other_task = tk;
	tk->tk_signalled = 0;
	return 0;
}

void
task_signal(struct task *tk)
{
	tk->tk_signalled = 1;
}

int
task_stop(struct task *tk)
{
	assert_ptr_equal(tk, other_task);
	other_task = NULL;
	return 0;
}

static inline bool
other_runs(void)
{
	assert_non_null(other_task);
	if (!other_task->tk_signalled)
		return false;
	other_task->tk_signalled = 0;
	return other_task->tk_fn(other_task->tk_arg);
}

/* The driver that the test plays: two rings of what was given to it. */

#define RING	64

static struct {
	struct pv_net_callbacks cb;
	void *arg;
	unsigned int mtu, hardmtu, hdrlen, buflen, maxbufs;
	uint64_t features;
	struct pv_net_rxbuf posted[256];
	unsigned int nposted;
	struct pv_net_rx ready[256];
	unsigned int nready;
	void *sent[RING];
	uint8_t frame[RING][70000];
	size_t framelen[RING];
	uint16_t flags[RING], start[RING];
	unsigned int nsent, room, calls;
	void *done[RING];
	unsigned int ndone;
	int running, stop_error, broken, mtu_busy, refuse;
	int attached, detach_error, tx_stopped;
	void (*commanded)(void);	/* a command is under way */
	unsigned int queue;		/* of the pair that all this is */
	unsigned int announced;
	int announce_error, rxmode_error;
	int changed;
	uint64_t stalled_ns;
	unsigned int rxwatched;		/* the queue's buffers looked after */
	struct pv_net_info info;
} dev;

static void
dev_reset(void)
{
	memset(&dev, 0, sizeof(dev));
	dev.mtu = 1500;
	dev.hardmtu = 65435;
	dev.hdrlen = 12;
	dev.buflen = 1530;
	dev.maxbufs = 1;
	dev.room = RING;
	dev.info.ni_pairs = dev.info.ni_maxpairs = 1;
}

const struct pv_net_info *
pv_net_info(const struct pv_net *sc)
{
	(void)sc;
	return &dev.info;
}

uint64_t
pv_net_stalled_ns(struct pv_net *sc, unsigned int queue)
{
	(void)sc;
	return queue == dev.queue ? dev.stalled_ns : 0;
}

void
pv_net_rx_watch(struct pv_net *sc, unsigned int queue)
{
	(void)sc;
	dev.rxwatched += queue == dev.queue;
}

int
pv_net_announced(struct pv_net *sc)
{
	(void)sc;
	dev.announced++;
	if (dev.commanded != NULL)
		dev.commanded();
	return dev.announce_error;
}

int
pv_net_attach(struct pv_net *sc, struct pv_virtio *d,
    const struct pv_net_callbacks *cb, void *arg,
    const struct pv_net_params *params)
{
	(void)sc;
	(void)d;
	(void)params;
	assert_false(dev.attached);
	if (dev.refuse)
		return dev.refuse;
	dev.cb = *cb;
	dev.arg = arg;
	dev.running = dev.attached = 1;
	return 0;
}

int
pv_net_stop(struct pv_net *sc)
{
	(void)sc;
	dev.running = 0;
	dev.broken = 0;
	return dev.stop_error;
}

int
pv_net_start(struct pv_net *sc)
{
	(void)sc;
	if (dev.nposted + dev.nready + dev.nsent != 0)
		return EBUSY;
	dev.running = 1;
	return dev.refuse;
}

int
pv_net_reset_tx(struct pv_net *sc, unsigned int queue)
{
	(void)sc;
	assert_int_equal(queue, dev.queue);
	dev.tx_stopped = 1;
	if (dev.commanded != NULL)
		dev.commanded();
	return 0;
}

int
pv_net_resume_tx(struct pv_net *sc, unsigned int queue)
{
	(void)sc;
	assert_int_equal(queue, dev.queue);
	assert_int_equal(dev.nsent + dev.ndone, 0);
	if (dev.commanded != NULL)
		dev.commanded();
	dev.tx_stopped = 0;
	return 0;
}

int
pv_net_detach(struct pv_net *sc)
{
	(void)sc;
	assert_true(dev.attached);
	dev.running = dev.attached = 0;
	return dev.detach_error ? dev.detach_error : dev.stop_error;
}

void *
pv_net_drain_tx(struct pv_net *sc, unsigned int queue)
{
	(void)sc;
	if (queue != dev.queue)
		return NULL;
	if (dev.ndone > 0)
		return dev.done[--dev.ndone];
	return dev.nsent > 0 ? dev.sent[--dev.nsent] : NULL;
}

void *
pv_net_drain_rx(struct pv_net *sc, unsigned int queue)
{
	(void)sc;
	if (queue != dev.queue)
		return NULL;
	if (dev.nready > 0)
		return dev.ready[--dev.nready].rx_cookie;
	return dev.nposted > 0 ? dev.posted[--dev.nposted].rb_cookie : NULL;
}

/* What a device would read, through device addresses only. */
static size_t
gather(const struct pv_net_tx *tx, uint8_t *to)
{
	const struct pv_piece *pc;
	size_t n = 0, i;
	uint8_t *va;

	for (i = 0; i < tx->tx_npieces; i++) {
		pc = &tx->tx_pieces[i];
		assert_true(pc->pc_off + pc->pc_len <= pc->pc_map->dm_mapsize);
		assert_int_equal(pc->pc_map->dm_nsegs, 1);
		va = port_dma_kva(pc->pc_map->dm_segs[0].ds_addr + pc->pc_off,
		    pc->pc_len);
		assert_non_null(va);
		if (i == 0)
			assert_ptr_equal((uint8_t *)tx->tx_hdr + dev.hdrlen,
			    va);
		memcpy(to + n, va, pc->pc_len);
		n += pc->pc_len;
	}
	memset(tx->tx_hdr, 0, dev.hdrlen);	/* it is the driver's */
	return n;
}

int
pv_net_transmit(struct pv_net *sc, unsigned int queue,
    const struct pv_net_tx *tx, unsigned int n, unsigned int *accepted)
{
	unsigned int i;

	(void)sc;
	assert_int_equal(queue, dev.queue);
	*accepted = 0;
	dev.calls++;
	if (dev.broken)
		return EIO;
	for (i = 0; i < n; i++) {
		if (dev.nsent == dev.room)
			return ENOBUFS;
		dev.framelen[dev.nsent] = gather(&tx[i],
		    dev.frame[dev.nsent]);
		if (dev.framelen[dev.nsent] > dev.mtu + 14)
			return EMSGSIZE;
		dev.flags[dev.nsent] = tx[i].tx_flags;
		dev.start[dev.nsent] = tx[i].tx_csum_start;
		dev.sent[dev.nsent++] = tx[i].tx_cookie;
		++*accepted;
	}
	return 0;
}

/* The device is done with all that it has. */
static void
dev_complete(void)
{
	while (dev.nsent > 0)
		dev.done[dev.ndone++] = dev.sent[--dev.nsent];
}

int
pv_net_reclaim(struct pv_net *sc, unsigned int queue, void **cookies,
    unsigned int n, unsigned int *done)
{
	(void)sc;
	*done = 0;
	if (queue != dev.queue)
		return 0;
	for (*done = 0; *done < n && dev.ndone > 0; ++*done)
		cookies[*done] = dev.done[--dev.ndone];
	return dev.broken ? EIO : 0;
}

int
pv_net_post(struct pv_net *sc, unsigned int queue,
    const struct pv_net_rxbuf *b, unsigned int n, unsigned int *accepted)
{
	(void)sc;
	*accepted = 0;
	if (queue != dev.queue)
		return ENOBUFS;
	for (*accepted = 0; *accepted < n; ++*accepted) {
		if (dev.nposted + dev.nready == RING)
			return ENOBUFS;
		assert_true(b[*accepted].rb_piece.pc_len >= dev.buflen);
		dev.posted[dev.nposted++] = b[*accepted];
	}
	return 0;
}

/* The device writes a frame; in as many buffers as it needs. */
static void
dev_input(const void *frame, size_t len, unsigned int flags)
{
	size_t at = 0, n, off;
	struct pv_net_rxbuf *b;
	struct pv_net_rx *rx;

	do {
		assert_true(dev.nposted > 0);
		b = &dev.posted[--dev.nposted];
		rx = &dev.ready[dev.nready++];
		off = at == 0 ? dev.hdrlen : 0;
		n = b->rb_piece.pc_len - off;
		if (n > len - at)
			n = len - at;
		if (frame != NULL)
			memcpy((uint8_t *)b->rb_va + off,
			    (const uint8_t *)frame + at, n);
		memset(rx, 0, sizeof(*rx));
		rx->rx_cookie = b->rb_cookie;
		rx->rx_off = (uint32_t)off;
		rx->rx_len = (uint32_t)n;
		rx->rx_flags = (uint16_t)(at == 0 ? flags : 0);
		at += n;
		if (at < len)
			rx->rx_flags |= PV_NET_RX_MORE;
	} while (at < len);
}

int
pv_net_receive(struct pv_net *sc, unsigned int queue, struct pv_net_rx *rx,
    unsigned int n, unsigned int *done)
{
	(void)sc;
	*done = 0;
	if (queue != dev.queue)
		return 0;
	*done = 0;
	if (dev.broken)
		return EIO;
	assert_true(n >= dev.nready);
	memcpy(rx, dev.ready, dev.nready * sizeof(*rx));
	*done = dev.nready;
	dev.nready = 0;
	return 0;
}

unsigned int
pv_net_rxbufs_max(const struct pv_net *sc)
{
	(void)sc;
	return dev.maxbufs;
}

int
pv_net_rx_intr(struct pv_net *sc, unsigned int queue, int on)
{
	(void)sc;
	(void)queue;
	(void)on;
	return 0;
}

int
pv_net_tx_intr(struct pv_net *sc, unsigned int queue, int on)
{
	(void)sc;
	(void)queue;
	(void)on;
	return 0;
}

unsigned int
pv_net_hdrlen(const struct pv_net *sc)
{
	(void)sc;
	return dev.hdrlen;
}

unsigned int
pv_net_rxbuf_len(const struct pv_net *sc)
{
	(void)sc;
	return dev.buflen;
}

unsigned int
pv_net_rx_size(const struct pv_net *sc)
{
	(void)sc;
	return RING;
}

unsigned int
pv_net_tx_size(const struct pv_net *sc)
{
	(void)sc;
	return RING;
}

unsigned int
pv_net_mtu(const struct pv_net *sc)
{
	(void)sc;
	return dev.mtu;
}

unsigned int
pv_net_hardmtu(const struct pv_net *sc)
{
	(void)sc;
	return dev.hardmtu;
}

int
pv_net_link(const struct pv_net *sc)
{
	(void)sc;
	return 1;
}

const uint8_t *
pv_net_mac(const struct pv_net *sc)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

	(void)sc;
	return mac;
}

void
pv_net_counters(const struct pv_net *sc, unsigned int queue,
    struct pv_net_counters *nc)
{
	(void)sc;
	(void)queue;
	memset(nc, 0, sizeof(*nc));
}

int
pv_net_set_mtu(struct pv_net *sc, unsigned int mtu)
{
	(void)sc;
	if (mtu < 68 || mtu > dev.hardmtu)
		return EINVAL;
	if (dev.mtu_busy && dev.running)
		return EBUSY;
	dev.mtu = mtu;
	dev.buflen = mtu + 30 > 1530 ? mtu + 30 : 1530;
	return 0;
}

int
pv_net_changed(struct pv_net *sc)
{
	(void)sc;
	return dev.changed;
}

int
pv_net_set_mac(struct pv_net *sc, const uint8_t *mac)
{
	(void)sc;
	(void)mac;
	return 0;
}

void
pv_virtio_deny(struct pv_virtio *d, uint64_t mask)
{
	(void)d;
	(void)mask;
}

int
pv_net_set_rxmode(struct pv_net *sc, unsigned int mode)
{
	(void)sc;
	(void)mode;
	return dev.rxmode_error;
}

uint64_t
pv_virtio_features(const struct pv_virtio *d)
{
	(void)d;
	return dev.features;
}

/* An interface on that device, up, as 10.0.2.15. */
static void
interface_up(struct net_if *ifp)
{
	ip4_addr_t addr, mask, gw;

	memset(ifp, 0, sizeof(*ifp));
	ifp->if_name = "net0";
	ifp->if_dmat = &port_dma_tag;
	assert_int_equal(if_attach(ifp, 0), 0);
	IP4_ADDR(&addr, 10, 0, 2, 15);
	IP4_ADDR(&mask, 255, 255, 255, 0);
	IP4_ADDR(&gw, 10, 0, 2, 2);
	assert_non_null(netif_add(&ifp->if_netif, &addr, &mask, &gw, ifp,
	    if_init, ethernet_input));
	netif_set_default(&ifp->if_netif);
	netif_set_up(&ifp->if_netif);
	netif_set_link_up(&ifp->if_netif);
}

#endif
