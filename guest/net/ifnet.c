/* SPDX-License-Identifier: ISC */
/* The device's life: up, down, broken, and up again. */
#include <errno.h>
#include <string.h>

#include "cmdline.h"
#include "cpu.h"
#include "kmem.h"
#include "ktime.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/nd6.h"
#include "netif/ethernet.h"

#include "announce.h"
#include "arena.h"
#include "ifnet.h"
#include "log.h"
#include "rxpool.h"
#include "thread.h"

#define RX_BUDGET_MIN	(512u * 1024)
#define MAX_FAILURES	5
#define BORROW_NS	NS_PER_S
#define CLAIM_NS	(5 * NS_PER_S)	/* resets take a second, commands */

/* What the stack has a use for. UDP's boundaries would be lost on receiving. */
#define IF_WANT		(PV_NET_TSO | PV_NET_LRO |			\
			PV_F_BIT(PV_NET_F_CTRL_VLAN) |			\
			PV_F_BIT(PV_NET_F_GUEST_ANNOUNCE) |		\
			PV_F_BIT(PV_NET_F_RSS))

void
if_flush(struct net_if *ifp)
{
	unsigned int i;

	if (!ifp->if_running || ifp->if_borrowed != NULL)
		return;
	for (i = 0; i < ifp->if_npairs; i++)
		iftx_flush(&ifp->if_pair[i]);
}

bool
if_poll(struct net_if *ifp)
{
	bool sent = false, received = false;
	unsigned int i;

	if (!ifp->if_running || ifp->if_borrowed != NULL)
		return false;
	for (i = 0; i < ifp->if_npairs; i++)
		sent |= iftx_reclaim(&ifp->if_pair[i]);
	if (sent && ifp->if_starved)
		iftx_resume(ifp);
	/* What lwIP is given may have the device stopped. */
	for (i = 0; ifp->if_running && i < ifp->if_npairs; i++)
		received |= ifrx_poll(&ifp->if_pair[i]);
	return sent || received;
}

/* Whether another CPU has put something there since. */
static bool
remote_waits(struct if_remote *rm)
{
	return spsc_count(&rm->rm_received) != 0 ||
	    spsc_count(&rm->rm_sent) != 0;
}

bool
if_intr(struct net_if *ifp, bool on)
{
	struct if_pair *ip;
	bool found = false;
	unsigned int i;

	__atomic_store_n(&ifp->if_awake, !on, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* as in tell_stack */
	if (!ifp->if_running || ifp->if_borrowed != NULL)
		return false;
	for (i = 0; i < ifp->if_npairs; i++) {
		ip = &ifp->if_pair[i];
		if (ip->ip_remote == NULL)
			found |= pv_net_rx_intr(&ifp->if_net, ip->ip_queue,
			    on) != 0;
		else
			found |= on && remote_waits(ip->ip_remote);
	}
	return found;
}

unsigned int
if_outstanding(const struct net_if *ifp)
{
	unsigned int i, n = 0;

	for (i = 0; i < ifp->if_npairs; i++)
		n += ifp->if_pair[i].ip_outstanding + ifp->if_pair[i].ip_ntx;
	return n;
}

unsigned int
if_lent(const struct net_if *ifp)
{
	unsigned int i, n = 0;

	for (i = 0; i < ifp->if_npairs; i++)
		if (ifp->if_pair[i].ip_pool != NULL)
			n += ifp->if_pair[i].ip_pool->rp_lent;
	return n;
}

/* The device's life */

/* In a handler, on the CPU that the queue's interrupt is routed to. */
static void
if_notify(void *arg, unsigned int queue)
{
	struct net_if *ifp = arg;
	struct event *ev = __atomic_load_n(&ifp->if_borrowed,
	    __ATOMIC_ACQUIRE);

	if (ev != NULL)
		event_signal(ev);
	else if (queue < ifp->if_npairs &&
	    ifp->if_pair[queue].ip_remote != NULL)
		task_signal(&ifp->if_pair[queue].ip_remote->rm_task);
	else
		net_kick();
}

static void
if_note_changed(void *arg)
{
	struct net_if *ifp = arg;

	ifp->if_changed = true;
	net_kick();
}

static void
if_note_broken(void *arg, const char *why)
{
	struct net_if *ifp = arg;

	ifp->if_why = why;
	ifp->if_broken = true;
	net_kick();
}

void
if_hung(struct if_pair *ip)
{
	ip->ip_hung = true;
	ip->ip_if->if_hung = true;
	net_kick();
}

static const struct pv_net_callbacks if_callbacks = {
	.nc_rx = if_notify,
	.nc_tx = if_notify,
	.nc_changed = if_note_changed,
	.nc_broken = if_note_broken,
};

/*
 * What lwIP computes and checks itself. Only TCP is left to the device: what
 * else we send is small or may be fragmented; DHCP servers that read raw frames
 * drop what has no checksum yet. TCP too may be fragmented once the MTU was
 * lowered beneath connections.
 */
void
if_checksums(struct net_if *ifp)
{
	u16_t flags = NETIF_CHECKSUM_ENABLE_ALL;

	if ((pv_virtio_features(ifp->if_dev) & PV_F_BIT(PV_NET_F_CSUM)) &&
	    !ifp->if_notxcsum &&
	    ifp->if_netif.mtu >= ifp->if_firstmtu)
		flags &= (u16_t)~NETIF_CHECKSUM_GEN_TCP;
	NETIF_SET_CHECKSUM_CTRL(&ifp->if_netif, flags);
}

static int
if_load_arena(struct net_if *ifp)
{
	size_t size = arena_size();
	int error;

	error = bus_dmamap_create(ifp->if_dmat, size,
	    (int)(size / PAGE_SIZE) + 1, size, 0, BUS_DMA_WAITOK,
	    &ifp->if_arena);
	if (error)
		return error;
	error = bus_dmamap_load(ifp->if_dmat, ifp->if_arena, arena_base(),
	    size, NULL, BUS_DMA_WAITOK);
	if (error) {
		bus_dmamap_destroy(ifp->if_dmat, ifp->if_arena);
		ifp->if_arena = NULL;
	}
	return error;
}

static void
if_unload_arena(struct net_if *ifp)
{
	bus_dmamap_unload(ifp->if_dmat, ifp->if_arena);
	bus_dmamap_destroy(ifp->if_dmat, ifp->if_arena);
	ifp->if_arena = NULL;
}

static void
pair_free(struct if_pair *ip, bool lost)
{
	if (ip->ip_head != NULL)
		pbuf_free(ip->ip_head);
	if (ip->ip_pool != NULL)
		rxpool_retire(ip->ip_pool, lost);
	if (lost)
		return;
	ifremote_free(ip);
	kfree(ip->ip_rx);
	kfree(ip->ip_tx);
}

/* The ring full, and half of it again in lwIP's hands. */
static int
pair_alloc(struct if_pair *ip, size_t budget)
{
	struct net_if *ifp = ip->ip_if;
	unsigned int ring = pv_net_rx_size(&ifp->if_net);
	unsigned int most = pv_net_rxbufs_max(&ifp->if_net);

	ip->ip_nrx = most > IF_RXBATCH ? most : IF_RXBATCH;
	ip->ip_rx = kmalloc(ip->ip_nrx * sizeof(*ip->ip_rx));
	ip->ip_tx = kmalloc(IF_TXBATCH * sizeof(*ip->ip_tx));
	ip->ip_pool = rxpool_alloc(ifp->if_dmat,
	    pv_net_rxbuf_len(&ifp->if_net), ring + ring / 2, budget);
	return ip->ip_rx == NULL || ip->ip_tx == NULL || ip->ip_pool == NULL ?
	    ENOMEM : 0;
}

static void
if_free_pairs(struct net_if *ifp, bool lost)
{
	while (ifp->if_npairs > 0)
		pair_free(&ifp->if_pair[--ifp->if_npairs], lost);
	if (!lost)
		kfree(ifp->if_pair);
	ifp->if_pair = NULL;
}

/* Memory for each pair, and for what may be queued when the device breaks. */
static int
if_alloc_pairs(struct net_if *ifp)
{
	unsigned int n = pv_net_info(&ifp->if_net)->ni_maxpairs;
	size_t budget = arena_size();
	struct if_pair *ip;

	if (budget < RX_BUDGET_MIN)
		budget = RX_BUDGET_MIN;
	ifp->if_pair = kzalloc(n * sizeof(*ifp->if_pair));
	if (ifp->if_pair == NULL)
		return ENOMEM;
	while (ifp->if_npairs < n) {
		ip = &ifp->if_pair[ifp->if_npairs];
		ip->ip_if = ifp;
		ip->ip_queue = ifp->if_npairs++;
		if (pair_alloc(ip, budget / n) != 0)
			return ENOMEM;
	}
	if (ifp->if_nagain != 0)
		return 0;
	kfree(ifp->if_again);
	ifp->if_maxagain = n * (pv_net_tx_size(&ifp->if_net) + IF_TXBATCH +
	    IF_REMOTE_TX);
	ifp->if_again = kmalloc(ifp->if_maxagain * sizeof(*ifp->if_again));
	return ifp->if_again == NULL ? ENOMEM : 0;
}

static void
if_run_pairs(struct net_if *ifp)
{
	struct if_pair *ip;

	for (ip = ifp->if_pair; ip < ifp->if_pair + ifp->if_npairs; ip++) {
		pv_net_tx_intr(&ifp->if_net, ip->ip_queue, 0);
		ifrx_post(ip);
		(void)ifremote_start(ip);
	}
}

/* The device runs: give it buffers, and lwIP its measures. */
static int
if_begin(struct net_if *ifp)
{
	int error = if_alloc_pairs(ifp);

	if (error) {
		if_free_pairs(ifp, false);
		return error;
	}
	ifp->if_broken = false;
	ifp->if_netif.mtu = (u16_t)pv_net_mtu(&ifp->if_net);
	ifp->if_netif.mtu6 = ifp->if_netif.mtu;
	ifp->if_firstmtu = ifp->if_netif.mtu;
	ifp->if_sendpairs = pv_net_info(&ifp->if_net)->ni_pairs;
	if_checksums(ifp);
	/* Frames to IPv6's groups come to us; a device without a filter sends
	 * all anyway. */
	error = pv_net_set_rxmode(&ifp->if_net, ifp->if_rxmode);
	if (error)
		klog_some(&ifp->if_log, LOG_WARN,
		    "%s: receive filter: error %d", ifp->if_name, error);
	if_run_pairs(ifp);
	ifp->if_running = true;
	if_intr(ifp, true);
	iftx_again(ifp);
	net_kick();
	return 0;
}

static void
if_drain_rx(struct if_pair *ip)
{
	struct rxslot *rs;

	while ((rs = pv_net_drain_rx(&ip->ip_if->if_net, ip->ip_queue)) !=
	    NULL) {
		rs->rs_pool->rp_posted--;
		rxpool_put(rs);
	}
}

/* Stop the device and take every buffer back. */
static int
if_end(struct net_if *ifp)
{
	int error = 0, stopped;
	struct if_pair *ip;

	ifp->if_running = false;
	for (ip = ifp->if_pair; ip < ifp->if_pair + ifp->if_npairs; ip++)
		error |= ifremote_stop(ip);
	stopped = pv_net_stop(&ifp->if_net);
	if (error == 0)
		error = stopped;
	for (ip = ifp->if_pair; ip < ifp->if_pair + ifp->if_npairs; ip++) {
		iftx_drain(ip, error != 0);
		if_drain_rx(ip);
	}
	if_free_pairs(ifp, error != 0);
	return error;
}

static int
if_restart(struct net_if *ifp)
{
	int error = pv_net_start(&ifp->if_net);

	if (error == 0) {
		error = if_begin(ifp);
		if (error)
			if_end(ifp);
	}
	if (error) {
		klog(LOG_ERR, "%s: can't be brought up again: error %d",
		    ifp->if_name, error);
		ifp->if_broken = false;
	}
	if_link_changed(ifp);
	return error;
}

static void
if_recover(struct net_if *ifp)
{
	const char *why = ifp->if_why;

	klog(LOG_WARN, "%s: %s: reset", ifp->if_name, why ? why : "broken");
	ifp->if_broken = false;
	ifp->if_counters.ic_resets++;
	ifp->if_reset_ns = uptime_ns();
	if (if_end(ifp) != 0)
		klog(LOG_ERR, "%s: does not confirm the reset: given up",
		    ifp->if_name);
	else if (++ifp->if_failures > MAX_FAILURES)
		klog(LOG_ERR, "%s: breaks again and again: given up",
		    ifp->if_name);
	else {
		if_restart(ifp);
		return;
	}
	iftx_again(ifp);	/* drops them */
	if_link_changed(ifp);
}

/*
 * The queue alone, where that is wished and the device has RING_RESET. What it
 * had waits in if_again; after an error all of the device is to be reset. QEMU
 * (7.2) ends in an assertion where its back end takes nothing and the queue has
 * more than the frame that it waits with.
 */
static int
pair_reset_tx(struct if_pair *ip)
{
	struct pv_net *net = &ip->ip_if->if_net;
	int error;

	if (!cmdline_is("netreset", "queue"))
		return ENOTSUP;
	ip->ip_reset_ns = uptime_ns();
	error = ifremote_stop(ip);
	if (error == 0)
		error = pv_net_reset_tx(net, ip->ip_queue);
	if (error)
		return error;
	iftx_drain(ip, false);
	error = pv_net_resume_tx(net, ip->ip_queue);
	if (error)
		return error;
	iftx_drain(ip, false);	/* what came while others ran */
	ip->ip_txintr = false;
	/* In its memory: handlers on the task's CPU may still signal it. */
	(void)ifremote_start(ip);
	ip->ip_if->if_counters.ic_queues++;
	klog(LOG_WARN, "%s: queue %u sends nothing any more: reset alone",
	    ip->ip_if->if_name, ip->ip_queue);
	return 0;
}

static bool
pair_hangs_again(const struct if_pair *ip)
{
	return ip->ip_reset_ns != 0 &&
	    uptime_ns() - ip->ip_reset_ns < IF_AGAIN_NS;
}

static void
if_unhang(struct net_if *ifp)
{
	struct if_pair *ip;

	ifp->if_hung = false;
	for (ip = ifp->if_pair; ip < ifp->if_pair + ifp->if_npairs; ip++) {
		if (!ip->ip_hung)
			continue;
		ip->ip_hung = false;
		if (!pair_hangs_again(ip) && pair_reset_tx(ip) == 0)
			continue;
		ifp->if_counters.ic_hung++;
		if_note_broken(ifp, "sends nothing any more");
		return;		/* it sends again what was queued */
	}
	iftx_again(ifp);
}

static void
if_changed(struct net_if *ifp)
{
	int changed = pv_net_changed(&ifp->if_net);

	if (changed < 0)
		return;
	if (changed & PV_NET_CHANGED_LINK)
		if_link_changed(ifp);
	if (changed & PV_NET_CHANGED_ANNOUNCE) {
		net_tell(&ifp->if_netif);
		if_flush(ifp);
		ifp->if_counters.ic_announced++;
		if (pv_net_announced(&ifp->if_net) != 0)
			klog_some(&ifp->if_log, LOG_WARN,
			    "%s: announcement not taken", ifp->if_name);
	}
}

void
if_watch_pair(struct if_pair *ip)
{
	struct pv_net *net = &ip->ip_if->if_net;

	pv_net_rx_watch(net, ip->ip_queue);
	if (pv_net_stalled_ns(net, ip->ip_queue) > IF_HUNG_NS)
		if_hung(ip);
}

/* The owner of each queue asks: of another CPU's its task. */
void
if_watch(struct net_if *ifp)
{
	struct if_pair *ip;

	if (!ifp->if_running || ifp->if_borrowed != NULL)
		return;
	for (ip = ifp->if_pair; ip < ifp->if_pair + ifp->if_npairs; ip++) {
		if (ip->ip_remote != NULL) {
			__atomic_store_n(&ip->ip_remote->rm_watched, true,
			    __ATOMIC_RELAXED);
			task_signal(&ip->ip_remote->rm_task);
		} else
			if_watch_pair(ip);
	}
}

/* What is passed over here is done when that thread is through: it kicks. */
void
if_service(struct net_if *ifp)
{
	if (ifp->if_busy)
		return;
	ifp->if_busy = true;
	if (ifp->if_hung && ifp->if_running && !ifp->if_broken)
		if_unhang(ifp);
	if (ifp->if_broken && ifp->if_running)
		if_recover(ifp);
	if (ifp->if_changed) {
		ifp->if_changed = false;
		if (ifp->if_running)
			if_changed(ifp);
	}
	ifp->if_busy = false;
}

bool
if_claim(struct net_if *ifp)
{
	uint64_t end = uptime_ns() + CLAIM_NS;

	while (ifp->if_busy) {
		if (uptime_ns() > end)
			return false;
		thread_yield();
	}
	ifp->if_busy = true;
	return true;
}

void
if_unclaim(struct net_if *ifp)
{
	ifp->if_busy = false;
	net_kick();
}

int
if_borrow(struct net_if *ifp, struct event *ev)
{
	uint64_t end = uptime_ns() + BORROW_NS;
	struct if_pair *ip;
	int error = 0;

	if (!if_claim(ifp))
		return EBUSY;
	if (!ifp->if_running) {
		if_unclaim(ifp);
		return ENETDOWN;
	}
	while (if_outstanding(ifp) != 0) {
		if (uptime_ns() > end) {
			if_unclaim(ifp);
			return ETIMEDOUT;
		}
		if_flush(ifp);
		if_poll(ifp);
		thread_yield();
	}
	/* First: until a task has ended, handlers on its CPU may signal it. */
	__atomic_store_n(&ifp->if_borrowed, ev, __ATOMIC_RELEASE);
	for (ip = ifp->if_pair; error == 0 &&
	    ip < ifp->if_pair + ifp->if_npairs; ip++) {
		error = ifremote_stop(ip);
		if (error == 0)
			ifremote_free(ip);
	}
	if (error)
		if_return(ifp);
	return error;
}

void
if_return(struct net_if *ifp)
{
	struct if_pair *ip;

	__atomic_store_n(&ifp->if_borrowed, NULL, __ATOMIC_RELEASE);
	for (ip = ifp->if_pair; ip < ifp->if_pair + ifp->if_npairs; ip++)
		if (ip->ip_remote == NULL)
			(void)ifremote_start(ip);
	if_unclaim(ifp);
}

static void
if_mtu_changed(struct net_if *ifp)
{
	ifp->if_netif.mtu = (u16_t)pv_net_mtu(&ifp->if_net);
	ifp->if_netif.mtu6 = ifp->if_netif.mtu;
	nd6_clear_destination_cache();
	if_checksums(ifp);
}

static int
if_restart_with_mtu(struct net_if *ifp, unsigned int mtu)
{
	int error, restarted;

	error = if_end(ifp);
	if (error)
		return error;
	error = pv_net_set_mtu(&ifp->if_net, mtu);
	restarted = if_restart(ifp);
	return error ? error : restarted;
}

int
if_set_mtu(struct net_if *ifp, unsigned int mtu)
{
	int error;

	if (ifp->if_busy || !ifp->if_running)
		return ENETDOWN;
	if_flush(ifp);		/* what was cut by the old one */
	error = pv_net_set_mtu(&ifp->if_net, mtu);
	if (error == EBUSY) {
		ifp->if_busy = true;
		error = if_restart_with_mtu(ifp, mtu);
		ifp->if_busy = false;
	}
	if (error == 0) {
		ifp->if_setmtu = mtu;
		if_mtu_changed(ifp);
	}
	return error;
}

err_t
if_init(struct netif *netif)
{
	struct net_if *ifp = netif->state;

	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->hwaddr_len = ETH_HWADDR_LEN;
	memcpy(netif->hwaddr, pv_net_mac(&ifp->if_net), ETH_HWADDR_LEN);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
	    NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = iftx_output;
	netif->mtu = (u16_t)pv_net_mtu(&ifp->if_net);
	if_checksums(ifp);
	return ERR_OK;
}

struct net_if *
if_of(struct netif *netif)
{
	return netif->linkoutput == iftx_output ? netif->state : NULL;
}

/*
 * Coalesced frames in buffers of 64 KiB each, as they are without MRG_RXBUF,
 * would be most of the memory that we have: then rather without.
 */
static int
if_attach_device(struct net_if *ifp)
{
	struct pv_net_params params = {
		.np_deny = ifp->if_deny,
		.np_want = ifp->if_want,
		.np_pairs = ifp->if_wantpairs,
	};
	int error;

	pv_virtio_deny(ifp->if_dev, 0);
	error = pv_net_attach(&ifp->if_net, ifp->if_dev, &if_callbacks, ifp,
	    &params);
	if (error || (params.np_want & PV_NET_LRO) == 0 ||
	    pv_net_rxbufs_max(&ifp->if_net) > 1 ||
	    pv_net_info(&ifp->if_net)->ni_offloads <
	    PV_F_BIT(PV_NET_F_GUEST_TSO4))
		return error;
	error = pv_net_detach(&ifp->if_net);
	if (error)
		return error;
	params.np_want &= ~(PV_NET_LRO | PV_NET_TSO);
	return pv_net_attach(&ifp->if_net, ifp->if_dev, &if_callbacks, ifp,
	    &params);
}

int
if_attach(struct net_if *ifp, uint64_t deny)
{
	uint64_t pairs = cmdline_get_number("netpairs", cpu_count());
	int error;

	ifp->if_deny = deny;
	ifp->if_want = IF_WANT;
	ifp->if_rxmode = PV_NET_MODE_ALLMULTI;
	ifp->if_wantpairs = pairs == 0 ? 1 : pairs > IF_MAXPAIRS ?
	    IF_MAXPAIRS : (unsigned int)pairs;
	error = if_load_arena(ifp);
	if (error)
		return error;
	error = if_attach_device(ifp);
	if (error)
		goto unload;
	error = if_begin(ifp);
	if (error)
		goto detach;
	return 0;

detach:
	pv_net_detach(&ifp->if_net);
unload:
	if_unload_arena(ifp);
	return error;
}

int
if_detach(struct net_if *ifp)
{
	int error = 0, detached = 0;

	if (ifp->if_running)
		error = if_end(ifp);
	iftx_again(ifp);	/* drops them */
	if (ifp->if_lost)
		detached = ETIMEDOUT;
	else if (!ifp->if_detached)
		detached = pv_net_detach(&ifp->if_net);
	if (error == 0)
		error = detached;
	if (error == 0)
		if_unload_arena(ifp);
	kfree(ifp->if_again);
	ifp->if_again = NULL;
	return error;
}

/* Detach the driver, beneath the interface; returns error, or why not. */
static int
if_let_go(struct net_if *ifp, int error)
{
	int detached = pv_net_detach(&ifp->if_net);

	ifp->if_detached = true;
	ifp->if_lost = detached != 0;
	return detached ? detached : error;
}

/* The address stays; a device without CTRL_MAC_ADDR has its own again. */
static int
if_attach_again(struct net_if *ifp)
{
	int error = if_attach_device(ifp);

	ifp->if_detached = error != 0;
	if (error)
		return error;
	if (pv_net_set_mac(&ifp->if_net, ifp->if_netif.hwaddr) != 0)
		memcpy(ifp->if_netif.hwaddr, pv_net_mac(&ifp->if_net),
		    ETH_HWADDR_LEN);
	error = if_begin(ifp);
	return error ? if_let_go(ifp, error) : 0;
}

/*
 * Another choice of what to negotiate: the device is detached and attached
 * again, beneath an interface that stays.
 */
int
if_renegotiate(struct net_if *ifp, uint64_t deny, uint64_t want)
{
	int error;

	if (ifp->if_busy || !ifp->if_running) {
		ifp->if_deny = deny;
		ifp->if_want = want;
		return EBUSY;
	}
	ifp->if_busy = true;
	if_flush(ifp);
	error = if_end(ifp);
	if (error == 0)
		error = if_let_go(ifp, 0);
	if (error == 0)
		error = if_attach_again(ifp);
	if (error) {
		ifp->if_deny = deny;
		ifp->if_want = want;
		if (ifp->if_detached && !ifp->if_lost)
			(void)if_attach_again(ifp);
	}
	memset(ifp->if_vlans, 0, sizeof(ifp->if_vlans));
	memset(ifp->if_coalesce, 0, sizeof(ifp->if_coalesce));
	ifp->if_rss = NULL;
	ifp->if_busy = false;
	if (ifp->if_setmtu != 0 && if_set_mtu(ifp, ifp->if_setmtu) == EINVAL)
		ifp->if_setmtu = 0;
	if_link_changed(ifp);
	return error;
}
