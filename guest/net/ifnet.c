/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "kmem.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/nd6.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"
#include "lwip/priv/tcp_priv.h"
#include "netif/ethernet.h"

#include "arena.h"
#include "ifnet.h"
#include "log.h"
#include "rxpool.h"
#include "txcsum.h"

#define RX_BUDGET_MIN	(512u * 1024)
#define MAX_FAILURES	5

/* Sending */

static void
tx_done(struct net_if *ifp, void *cookie)
{
	ifp->if_outstanding--;
	pbuf_free(cookie);
}

static bool
tx_reclaim(struct net_if *ifp)
{
	void *cookies[IF_TXBATCH];
	unsigned int i, n;
	bool any = false;

	do {
		if (pv_net_reclaim(&ifp->if_net, 0, cookies, IF_TXBATCH,
		    &n) != 0)
			break;
		for (i = 0; i < n; i++)
			tx_done(ifp, cookies[i]);
		any |= n != 0;
	} while (n == IF_TXBATCH);
	return any;
}

/* Where a pbuf's bytes are for the device; false if they are nowhere. */
static bool
tx_piece(struct net_if *ifp, struct pbuf *p, struct pv_piece *pc)
{
	struct rxslot *rs = rxslot_of(p);

	pc->pc_len = p->len;
	if (rs != NULL && rs->rs_pool == ifp->if_pool) {
		pc->pc_map = rs->rs_pool->rp_map;
		pc->pc_off = rxpool_offset(rs->rs_pool, p->payload);
		return true;
	}
	if (rs == NULL && arena_has(p->payload, p->len)) {
		pc->pc_map = ifp->if_arena;
		pc->pc_off = (size_t)((uint8_t *)p->payload -
		    (uint8_t *)arena_base());
		return true;
	}
	return false;
}

/* Whether virtio's header has room before the first byte. */
static bool
tx_headroom(struct net_if *ifp, struct pbuf *p)
{
	size_t head = rxslot_of(p) != NULL ? RXSLOT_HEAD :
	    LWIP_MEM_ALIGN_SIZE(sizeof(struct pbuf));

	return (p->type_internal & PBUF_TYPE_FLAG_STRUCT_DATA_CONTIGUOUS) &&
	    (size_t)((uint8_t *)p->payload - (uint8_t *)p) >=
	    head + pv_net_hdrlen(&ifp->if_net);
}

static int
tx_pieces(struct net_if *ifp, struct pbuf *p, struct txframe *tf)
{
	unsigned int n = 0;

	if (!tx_headroom(ifp, p))
		return EFBIG;
	tf->tf_tx.tx_hdr = (uint8_t *)p->payload - pv_net_hdrlen(&ifp->if_net);
	for (;; p = p->next) {
		if (p->len != 0) {
			if (n == PV_NET_MAXPIECES ||
			    !tx_piece(ifp, p, &tf->tf_piece[n]))
				return EFBIG;
			n++;
		}
		if (p->len == p->tot_len)
			break;
	}
	tf->tf_tx.tx_pieces = tf->tf_piece;
	tf->tf_tx.tx_npieces = n;
	return 0;
}

/* The frame in one piece of loaded memory. */
static struct pbuf *
tx_copy(struct net_if *ifp, struct pbuf *p)
{
	struct pbuf *q = pbuf_alloc(PBUF_RAW_TX, p->tot_len, PBUF_RAM);

	if (q == NULL)
		return NULL;
	if (pbuf_copy(q, p) != ERR_OK) {
		pbuf_free(q);
		return NULL;
	}
	ifp->if_counters.ic_tx_copied++;
	return q;
}

/*
 * Fill in the next frame of the batch. The pbuf gets a reference, or is
 * replaced by a copy if the device can't read it where it is.
 */
static int
tx_prepare(struct net_if *ifp, struct pbuf *p, struct txframe *tf)
{
	memset(&tf->tf_tx, 0, sizeof(tf->tf_tx));
	if (tx_pieces(ifp, p, tf) == 0)
		pbuf_ref(p);
	else {
		p = tx_copy(ifp, p);
		if (p == NULL)
			return ENOMEM;
		if (tx_pieces(ifp, p, tf) != 0) {
			pbuf_free(p);
			return EFBIG;
		}
	}
	tf->tf_tx.tx_cookie = p;
	return 0;
}

static void
tx_offload(struct net_if *ifp, struct pbuf *p, struct txframe *tf)
{
	uint16_t start, offset;

	if ((ifp->if_netif.chksum_flags & NETIF_CHECKSUM_GEN_TCP) == 0 &&
	    tx_checksum(p->payload, p->len, &start, &offset)) {
		tf->tf_tx.tx_flags = PV_NET_TX_CSUM;
		tf->tf_tx.tx_csum_start = start;
		tf->tf_tx.tx_csum_offset = offset;
	}
}

static err_t
if_output(struct netif *netif, struct pbuf *p)
{
	struct net_if *ifp = netif->state;
	struct txframe *tf;

	if (!ifp->if_running)
		return ERR_IF;
	if (ifp->if_ntx == IF_TXBATCH)
		if_flush(ifp);
	if (ifp->if_ntx == IF_TXBATCH) {
		ifp->if_counters.ic_tx_full++;
		ifp->if_starved = true;
		return ERR_MEM;
	}
	tf = &ifp->if_tx[ifp->if_ntx];
	if (tx_prepare(ifp, p, tf) != 0) {
		ifp->if_counters.ic_tx_dropped++;
		return ERR_MEM;
	}
	tx_offload(ifp, tf->tf_tx.tx_cookie, tf);
	ifp->if_ntx++;
	net_kick();
	return ERR_OK;
}

/* Take n frames off the front of the batch. */
static void
tx_shift(struct net_if *ifp, unsigned int n)
{
	unsigned int i;

	ifp->if_ntx -= n;
	if (n == 0)
		return;
	for (i = 0; i < ifp->if_ntx; i++) {
		ifp->if_tx[i] = ifp->if_tx[i + n];
		ifp->if_tx[i].tf_tx.tx_pieces = ifp->if_tx[i].tf_piece;
	}
}

static void
tx_drop_first(struct net_if *ifp)
{
	ifp->if_counters.ic_tx_dropped++;
	pbuf_free(ifp->if_tx[0].tf_tx.tx_cookie);
	tx_shift(ifp, 1);
}

void
if_flush(struct net_if *ifp)
{
	struct pv_net_tx batch[IF_TXBATCH];
	unsigned int i, n, taken;
	int error;
	bool retried = false;

	while (ifp->if_ntx != 0 && ifp->if_running) {
		n = ifp->if_ntx;
		for (i = 0; i < n; i++)
			batch[i] = ifp->if_tx[i].tf_tx;
		taken = 0;
		error = pv_net_transmit(&ifp->if_net, 0, batch, n, &taken);
		ifp->if_outstanding += taken;
		tx_shift(ifp, taken);
		if (error == 0)
			continue;
		if (error != ENOBUFS) {
			tx_drop_first(ifp);
			continue;
		}
		/* Full: what was sent meanwhile makes room, or will soon. */
		if (!retried && tx_reclaim(ifp)) {
			retried = true;
			continue;
		}
		ifp->if_txintr = true;
		if (pv_net_tx_intr(&ifp->if_net, 0, 1) != 0)
			net_kick();
		break;
	}
}

/* Connections that were told of a full ring go on. */
static void
tx_resume(struct net_if *ifp)
{
	struct tcp_pcb *pcb, *next;

	ifp->if_starved = false;
	for (pcb = tcp_active_pcbs; pcb != NULL; pcb = next) {
		next = pcb->next;
		if (pcb->unsent != NULL)
			tcp_output(pcb);
	}
}

int
if_raw(struct net_if *ifp, const void *frame, size_t len)
{
	struct txframe *tf = &ifp->if_tx[0];
	unsigned int taken = 0;
	struct pbuf *p;
	int error;

	if (!ifp->if_running)
		return ENETDOWN;
	if_flush(ifp);
	if (ifp->if_ntx != 0)
		return ENOBUFS;
	if (len > UINT16_MAX)
		return EMSGSIZE;
	p = pbuf_alloc(PBUF_RAW_TX, (u16_t)len, PBUF_RAM);
	if (p == NULL)
		return ENOMEM;
	pbuf_take(p, frame, (u16_t)len);
	error = tx_prepare(ifp, p, tf);
	pbuf_free(p);
	if (error)
		return error;
	error = pv_net_transmit(&ifp->if_net, 0, &tf->tf_tx, 1, &taken);
	if (taken != 0)
		ifp->if_outstanding++;
	else
		pbuf_free(tf->tf_tx.tx_cookie);
	return error;
}

/* Receiving */

static void
rx_post(struct net_if *ifp)
{
	struct pv_net_rxbuf bufs[IF_RXBATCH];
	struct rxpool *rp = ifp->if_pool;
	struct rxslot *rs;
	unsigned int n, taken;
	int error;

	do {
		for (n = 0; n < IF_RXBATCH; n++) {
			rs = rxpool_get(rp);
			if (rs == NULL)
				break;
			bufs[n].rb_piece.pc_map = rp->rp_map;
			bufs[n].rb_piece.pc_off =
			    rxpool_offset(rp, rxslot_data(rs));
			bufs[n].rb_piece.pc_len = rp->rp_buflen;
			bufs[n].rb_va = rxslot_data(rs);
			bufs[n].rb_cookie = rs;
		}
		if (n == 0)
			return;
		taken = 0;
		error = pv_net_post(&ifp->if_net, 0, bufs, n, &taken);
		rp->rp_posted += taken;
		while (n > taken)
			rxpool_put(bufs[--n].rb_cookie);
	} while (error == 0);
}

/* A copy, so that the device soon has its buffer back. */
static struct pbuf *
rx_copy(struct net_if *ifp, const uint8_t *data, size_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);

	if (p != NULL) {
		pbuf_take(p, data, (u16_t)len);
		ifp->if_counters.ic_rx_copied++;
	}
	return p;
}

/* One buffer's share of a frame; NULL if the frame is to be dropped. */
static struct pbuf *
rx_part(struct net_if *ifp, const struct pv_net_rx *rx, bool drop)
{
	struct rxslot *rs = rx->rx_cookie;
	struct rxpool *rp = rs->rs_pool;
	struct pbuf *p = NULL;

	rp->rp_posted--;
	if (drop || rx->rx_len == 0 || rx->rx_len > UINT16_MAX ||
	    rx->rx_off + (size_t)rx->rx_len > rp->rp_buflen) {
		rxpool_put(rs);
		return NULL;
	}
	if (rp->rp_lent < rp->rp_nslots / 2 + rp->rp_nslots / 4) {
		p = rxslot_pbuf(rs, rx->rx_off, rx->rx_len);
		if (p != NULL)
			return p;
	} else
		p = rx_copy(ifp, rxslot_data(rs) + rx->rx_off, rx->rx_len);
	rxpool_put(rs);
	return p;
}

/*
 * Fragments are checked after they are put together, by then without the word
 * of the device.
 */
static bool
rx_is_fragment(const struct pbuf *p)
{
	const struct eth_hdr *eth = p->payload;
	const struct ip_hdr *ip = (const void *)(eth + 1);
	const struct ip6_hdr *ip6 = (const void *)(eth + 1);

	if (p->len < SIZEOF_ETH_HDR + IP6_HLEN)
		return true;
	if (eth->type == PP_HTONS(ETHTYPE_IP))
		return (IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0;
	if (eth->type == PP_HTONS(ETHTYPE_IPV6))
		return IP6H_NEXTH(ip6) == IP6_NEXTH_FRAGMENT;
	return true;
}

static void
rx_deliver(struct net_if *ifp, struct pbuf *p, unsigned int flags)
{
	struct netif *netif = &ifp->if_netif;
	u16_t saved = netif->chksum_flags;

	if ((flags & (PV_NET_RX_CSUM_VALID | PV_NET_RX_CSUM_PARTIAL)) &&
	    !rx_is_fragment(p))
		netif->chksum_flags &= (u16_t)~(NETIF_CHECKSUM_CHECK_TCP |
		    NETIF_CHECKSUM_CHECK_UDP);
	if (netif->input(p, netif) != ERR_OK) {
		pbuf_free(p);
		ifp->if_counters.ic_rx_dropped++;
	}
	netif->chksum_flags = saved;
}

/* The frame that begins at rx[0], of at most n buffers; how many it took. */
static unsigned int
rx_frame(struct net_if *ifp, const struct pv_net_rx *rx, unsigned int n)
{
	unsigned int flags = rx[0].rx_flags, i = 0;
	bool bad = false, drop;
	struct pbuf *head = NULL, *p;

	drop = (flags & (PV_NET_RX_OVERSIZE | PV_NET_RX_ERROR)) != 0;
	do {
		p = rx_part(ifp, &rx[i], drop || bad);
		if (p == NULL ||
		    (head != NULL && head->tot_len + p->tot_len > UINT16_MAX)) {
			bad = true;
			if (p != NULL)
				pbuf_free(p);
		} else if (head == NULL)
			head = p;
		else
			pbuf_cat(head, p);
	} while ((rx[i++].rx_flags & PV_NET_RX_MORE) && i < n);

	if (head != NULL && !bad)
		rx_deliver(ifp, head, flags);
	else if (head != NULL)
		pbuf_free(head);
	if (bad && !drop)
		ifp->if_counters.ic_rx_dropped++;
	else
		ifp->if_failures = 0;
	return i;
}

static bool
rx_poll(struct net_if *ifp)
{
	unsigned int i, n = 0;

	if (pv_net_receive(&ifp->if_net, 0, ifp->if_rx, ifp->if_nrx, &n) != 0)
		return false;
	for (i = 0; i < n;)
		i += rx_frame(ifp, &ifp->if_rx[i], n - i);
	rx_post(ifp);
	return n != 0;
}

bool
if_poll(struct net_if *ifp)
{
	bool sent;

	if (!ifp->if_running)
		return false;
	sent = tx_reclaim(ifp);
	if (sent && ifp->if_txintr) {
		pv_net_tx_intr(&ifp->if_net, 0, 0);
		ifp->if_txintr = false;
	}
	if (sent && ifp->if_starved)
		tx_resume(ifp);
	return rx_poll(ifp) || sent;
}

bool
if_intr(struct net_if *ifp, bool on)
{
	return ifp->if_running && pv_net_rx_intr(&ifp->if_net, 0, on) != 0;
}

/* The device's life */

static void
if_notify(void *arg, unsigned int queue)
{
	(void)arg;
	(void)queue;
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

static const struct pv_net_callbacks if_callbacks = {
	.nc_rx = if_notify,
	.nc_tx = if_notify,
	.nc_changed = if_note_changed,
	.nc_broken = if_note_broken,
};

/*
 * What lwIP computes and checks itself. Only TCP is left to the device: what
 * else we send is small or may be fragmented. So may be TCP once the MTU was
 * lowered beneath connections.
 */
static void
if_checksums(struct net_if *ifp)
{
	u16_t flags = NETIF_CHECKSUM_ENABLE_ALL;

	if ((pv_virtio_features(ifp->if_dev) & PV_F_BIT(PV_NET_F_CSUM)) &&
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

/* The ring full, and half of it again in lwIP's hands. */
static int
if_make_pool(struct net_if *ifp)
{
	unsigned int ring = pv_net_rx_size(&ifp->if_net);
	unsigned int most = pv_net_rxbufs_max(&ifp->if_net);
	size_t budget = arena_size();

	if (budget < RX_BUDGET_MIN)
		budget = RX_BUDGET_MIN;
	ifp->if_nrx = most > IF_RXBATCH ? most : IF_RXBATCH;
	ifp->if_rx = kmalloc(ifp->if_nrx * sizeof(*ifp->if_rx));
	if (ifp->if_rx == NULL)
		return ENOMEM;
	ifp->if_pool = rxpool_alloc(ifp->if_dmat,
	    pv_net_rxbuf_len(&ifp->if_net), ring + ring / 2, budget);
	if (ifp->if_pool == NULL) {
		kfree(ifp->if_rx);
		ifp->if_rx = NULL;
		return ENOMEM;
	}
	return 0;
}

/* The device runs: give it buffers, and lwIP its measures. */
static int
if_begin(struct net_if *ifp)
{
	int error = if_make_pool(ifp);

	if (error)
		return error;
	ifp->if_broken = false;
	ifp->if_netif.mtu = (u16_t)pv_net_mtu(&ifp->if_net);
	ifp->if_netif.mtu6 = ifp->if_netif.mtu;
	ifp->if_firstmtu = ifp->if_netif.mtu;
	if_checksums(ifp);
	rx_post(ifp);
	/* Frames to IPv6's groups come to us; a device without a filter sends
	 * all anyway. */
	error = pv_net_set_rxmode(&ifp->if_net, PV_NET_MODE_ALLMULTI);
	if (error)
		klog(LOG_WARN, "%s: receive filter: error %d", ifp->if_name,
		    error);
	pv_net_tx_intr(&ifp->if_net, 0, 0);
	ifp->if_running = true;
	if_intr(ifp, true);
	net_kick();
	return 0;
}

/* Stop the device and take every buffer back. */
static int
if_end(struct net_if *ifp)
{
	struct rxpool *rp = ifp->if_pool;
	bool lost;
	void *cookie;
	int error;

	ifp->if_running = false;
	while (ifp->if_ntx != 0)
		tx_drop_first(ifp);
	error = pv_net_stop(&ifp->if_net);
	lost = error != 0;
	while ((cookie = pv_net_drain_tx(&ifp->if_net, 0)) != NULL) {
		ifp->if_outstanding--;
		if (!lost)
			pbuf_free(cookie);
	}
	while ((cookie = pv_net_drain_rx(&ifp->if_net, 0)) != NULL) {
		if (rp == NULL)
			continue;
		rp->rp_posted--;
		rxpool_put(cookie);
	}
	if (rp != NULL)
		rxpool_retire(rp, lost);
	ifp->if_pool = NULL;
	kfree(ifp->if_rx);
	ifp->if_rx = NULL;
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
	if (if_end(ifp) != 0) {
		klog(LOG_ERR, "%s: does not confirm the reset: given up",
		    ifp->if_name);
		if_link_changed(ifp);
		return;
	}
	if (++ifp->if_failures > MAX_FAILURES) {
		klog(LOG_ERR, "%s: breaks again and again: given up",
		    ifp->if_name);
		if_link_changed(ifp);
		return;
	}
	if_restart(ifp);
}

void
if_service(struct net_if *ifp)
{
	if (ifp->if_busy)
		return;
	if (ifp->if_broken && ifp->if_running) {
		ifp->if_busy = true;
		if_recover(ifp);
		ifp->if_busy = false;
	}
	if (ifp->if_changed) {
		ifp->if_changed = false;
		if (ifp->if_running && pv_net_changed(&ifp->if_net) > 0)
			if_link_changed(ifp);
	}
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
	if (error == 0)
		if_mtu_changed(ifp);
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
	netif->linkoutput = if_output;
	netif->mtu = (u16_t)pv_net_mtu(&ifp->if_net);
	if_checksums(ifp);
	return ERR_OK;
}

struct net_if *
if_of(struct netif *netif)
{
	return netif->linkoutput == if_output ? netif->state : NULL;
}

int
if_attach(struct net_if *ifp, uint64_t deny)
{
	struct pv_net_params params = { .np_deny = deny };
	int error;

	ifp->if_tx = kmalloc(IF_TXBATCH * sizeof(*ifp->if_tx));
	if (ifp->if_tx == NULL)
		return ENOMEM;
	error = if_load_arena(ifp);
	if (error)
		goto free;
	error = pv_net_attach(&ifp->if_net, ifp->if_dev, &if_callbacks, ifp,
	    &params);
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
free:
	kfree(ifp->if_tx);
	return error;
}

int
if_detach(struct net_if *ifp)
{
	int error = 0, detached;

	if (ifp->if_running)
		error = if_end(ifp);
	detached = pv_net_detach(&ifp->if_net);
	if (error == 0)
		error = detached;
	if (error == 0)
		if_unload_arena(ifp);
	kfree(ifp->if_tx);
	ifp->if_tx = NULL;
	return error;
}
