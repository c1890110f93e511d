/* SPDX-License-Identifier: ISC */
/* A pair of queues that another CPU serves than the stack's. */
#include <errno.h>

#include "cpu.h"
#include "ifnet.h"
#include "kmem.h"
#include "ktime.h"
#include "rxpool.h"

#define LOOK_NS		(30 * NS_PER_US)	/* before it is interrupted */

/* On the pair's CPU */

static bool
receive(struct if_pair *ip)
{
	struct if_remote *rm = ip->ip_remote;
	struct rxslot *rs;
	unsigned int i, n = 0;

	while ((rs = spsc_get(&rm->rm_back)) != NULL)
		rxpool_put(rs);
	if (pv_net_receive(&ip->ip_if->if_net, ip->ip_queue, ip->ip_rx,
	    ip->ip_nrx, &n) != 0)
		return false;
	ip->ip_pool->rp_posted -= n;
	for (i = 0; i < n; i++) {
		rs = ip->ip_rx[i].rx_cookie;
		rs->rs_rx = ip->ip_rx[i];
		spsc_put(&rm->rm_received, rs);	/* it has room for all */
	}
	ifrx_post(ip);
	return n != 0;
}

static bool
reclaim(struct if_pair *ip)
{
	void *cookies[IF_TXBATCH];
	unsigned int i, n;
	bool any = false;

	do {
		n = iftx_used(ip, cookies);
		for (i = 0; i < n; i++)
			spsc_put(&ip->ip_remote->rm_sent, cookies[i]);
		any |= n != 0;
	} while (n == IF_TXBATCH);
	return any;
}

/* Take n frames off the front of the batch. */
static void
shift(struct if_remote *rm, unsigned int n)
{
	unsigned int i;

	rm->rm_nbatch -= n;
	for (i = 0; n != 0 && i < rm->rm_nbatch; i++)
		rm->rm_batch[i] = rm->rm_batch[i + n];
}

static void
fill(struct if_remote *rm)
{
	struct txframe *tf;

	while (rm->rm_nbatch < IF_TXBATCH &&
	    (tf = spsc_get(&rm->rm_out)) != NULL)
		rm->rm_batch[rm->rm_nbatch++] = tf;
}

/* One batch, with one doorbell; true if there may be more. */
static bool
transmit(struct if_pair *ip)
{
	struct pv_net *net = &ip->ip_if->if_net;
	struct if_remote *rm = ip->ip_remote;
	struct pv_net_tx batch[IF_TXBATCH];
	unsigned int i, taken = 0;
	int error;

	fill(rm);
	if (rm->rm_nbatch == 0)
		return false;
	for (i = 0; i < rm->rm_nbatch; i++)
		batch[i] = rm->rm_batch[i]->tf_tx;
	error = pv_net_transmit(net, ip->ip_queue, batch, rm->rm_nbatch,
	    &taken);
	shift(rm, taken);
	if (error == ENOBUFS) {
		ip->ip_txintr = true;
		return pv_net_tx_intr(net, ip->ip_queue, 1) != 0;
	}
	if (error != 0 && error != EIO) {
		rm->rm_batch[0]->tf_dropped = true;
		spsc_put(&rm->rm_sent, rm->rm_batch[0]);
		shift(rm, 1);
	}
	return error != EIO;
}

/*
 * The stack looks before it sleeps; only one that sleeps is to be told, and of
 * frames that were sent only if it wants for room. Either we see that it does,
 * or it sees, in if_intr, what was put into the rings.
 */
static void
tell_stack(struct net_if *ifp, bool received)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!received && !__atomic_load_n(&ifp->if_starved, __ATOMIC_RELAXED))
		return;
	if (!__atomic_load_n(&ifp->if_awake, __ATOMIC_RELAXED))
		net_kick();
}

static bool
run(void *arg)
{
	struct if_pair *ip = arg;
	struct if_remote *rm = ip->ip_remote;
	struct net_if *ifp = ip->ip_if;
	bool received, sent, more;

	pv_net_rx_intr(&ifp->if_net, ip->ip_queue, 0);
	received = receive(ip);
	sent = reclaim(ip);
	more = transmit(ip);
	if (received || sent)
		tell_stack(ifp, received);
	if (__atomic_load_n(&rm->rm_watched, __ATOMIC_RELAXED)) {
		__atomic_store_n(&rm->rm_watched, false, __ATOMIC_RELAXED);
		if_watch_pair(ip);
	}
	if (received || sent || more) {
		rm->rm_quiet_at = 0;
		return true;
	}
	if (rm->rm_quiet_at == 0)
		rm->rm_quiet_at = uptime_ns();
	if (uptime_ns() - rm->rm_quiet_at < LOOK_NS)
		return true;
	rm->rm_quiet_at = 0;
	return pv_net_rx_intr(&ifp->if_net, ip->ip_queue, 1) != 0;
}

/* On the stack's */

static unsigned int
power_of_two(unsigned int n)
{
	unsigned int p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* Slots for two rings of all buffers and two of all frames. */
static int
remote_alloc(struct if_pair *ip)
{
	unsigned int n = power_of_two(ip->ip_pool->rp_nslots);
	struct if_remote *rm = kzalloc(sizeof(*rm));

	if (rm == NULL)
		return ENOMEM;
	ip->ip_remote = rm;
	rm->rm_slots = kmalloc(2 * (n + IF_REMOTE_TX) * sizeof(*rm->rm_slots));
	rm->rm_frames = kzalloc(IF_REMOTE_TX * sizeof(*rm->rm_frames));
	return rm->rm_slots == NULL || rm->rm_frames == NULL ? ENOMEM : 0;
}

/* Empty, all frames free. */
static void
remote_init(struct if_pair *ip)
{
	unsigned int n = power_of_two(ip->ip_pool->rp_nslots), i;
	struct if_remote *rm = ip->ip_remote;
	void **slot = rm->rm_slots;

	spsc_init(&rm->rm_received, slot, n);
	spsc_init(&rm->rm_back, slot + n, n);
	spsc_init(&rm->rm_out, slot + 2 * n, IF_REMOTE_TX);
	spsc_init(&rm->rm_sent, slot + 2 * n + IF_REMOTE_TX, IF_REMOTE_TX);
	rm->rm_free = NULL;
	for (i = 0; i < IF_REMOTE_TX; i++) {
		rm->rm_frames[i].tf_next = rm->rm_free;
		rm->rm_free = &rm->rm_frames[i];
	}
}

void
ifremote_free(struct if_pair *ip)
{
	struct if_remote *rm = ip->ip_remote;

	if (rm == NULL)
		return;
	kfree(rm->rm_frames);
	kfree(rm->rm_slots);
	kfree(rm);
	ip->ip_remote = NULL;
}

int
ifremote_start(struct if_pair *ip)
{
	unsigned int cpu = ip->ip_queue % cpu_count();
	int error;

	if (cpu == 0)
		return ENXIO;
	error = ip->ip_remote == NULL ? remote_alloc(ip) : 0;
	if (error == 0) {
		remote_init(ip);
		ip->ip_remote->rm_task.tk_fn = run;
		ip->ip_remote->rm_task.tk_arg = ip;
		ip->ip_remote->rm_task.tk_cpu = cpu;
		ip->ip_pool->rp_back = &ip->ip_remote->rm_back;
		ip->ip_pool->rp_task = &ip->ip_remote->rm_task;
		error = task_start(&ip->ip_remote->rm_task);
	}
	if (error) {
		ip->ip_pool->rp_task = NULL;
		ifremote_free(ip);
		return error;
	}
	task_signal(&ip->ip_remote->rm_task);
	return 0;
}

/* The pool is the stack's again; what is to be sent stays for iftx_drain. */
int
ifremote_stop(struct if_pair *ip)
{
	struct if_remote *rm = ip->ip_remote;
	struct rxslot *rs;
	int error;

	if (rm == NULL)
		return 0;
	error = task_stop(&rm->rm_task);
	if (error)
		return error;
	ip->ip_pool->rp_task = NULL;
	while ((rs = spsc_get(&rm->rm_received)) != NULL)
		rxpool_put(rs);
	while ((rs = spsc_get(&rm->rm_back)) != NULL)
		rxpool_put(rs);
	return 0;
}
