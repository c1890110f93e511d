/* SPDX-License-Identifier: ISC */
/* Receiving: from the driver's buffers to lwIP, which gives them back. */
#include "ktime.h"

#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"

#include "ifnet.h"
#include "rxpool.h"

void
ifrx_post(struct if_pair *ip)
{
	struct pv_net_rxbuf bufs[IF_RXBATCH];
	struct rxpool *rp = ip->ip_pool;
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
		error = pv_net_post(&ip->ip_if->if_net, ip->ip_queue, bufs, n,
		    &taken);
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

	if (drop || rx->rx_len == 0 || rx->rx_len > UINT16_MAX ||
	    rx->rx_off + (size_t)rx->rx_len > rp->rp_buflen) {
		rxpool_return(rs);
		return NULL;
	}
	if (rp->rp_lent < rp->rp_nslots / 2 + rp->rp_nslots / 4) {
		p = rxslot_pbuf(rs, rx->rx_off, rx->rx_len);
		if (p != NULL)
			return p;
	} else
		p = rx_copy(ifp, rxslot_data(rs) + rx->rx_off, rx->rx_len);
	rxpool_return(rs);
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

/* The frame is whole: what is left of it goes to lwIP. */
static void
rx_end(struct if_pair *ip)
{
	struct net_if *ifp = ip->ip_if;
	struct pbuf *p = ip->ip_head;
	bool unwanted = (ip->ip_flags & (PV_NET_RX_OVERSIZE |
	    PV_NET_RX_ERROR)) != 0;

	ip->ip_head = NULL;
	if (p != NULL && !ip->ip_bad)
		rx_deliver(ifp, p, ip->ip_flags);
	else if (p != NULL)
		pbuf_free(p);
	if (ip->ip_bad && !unwanted)
		ifp->if_counters.ic_rx_dropped++;
	else if (ifp->if_failures != 0 &&
	    uptime_ns() - ifp->if_reset_ns > IF_CALM_NS)
		ifp->if_failures = 0;
}

/* The next buffer, of the frame that is coming in or of a new one. */
static void
rx_take(struct if_pair *ip, const struct pv_net_rx *rx)
{
	struct pbuf *p;

	if (!ip->ip_more) {
		ip->ip_flags = rx->rx_flags;
		ip->ip_bad = (rx->rx_flags & (PV_NET_RX_OVERSIZE |
		    PV_NET_RX_ERROR)) != 0;
	}
	p = rx_part(ip->ip_if, rx, ip->ip_bad);
	if (p == NULL)
		ip->ip_bad = true;
	else if (ip->ip_head == NULL)
		ip->ip_head = p;
	else if (ip->ip_head->tot_len + p->tot_len > UINT16_MAX) {
		ip->ip_bad = true;
		pbuf_free(p);
	} else
		pbuf_cat(ip->ip_head, p);
	ip->ip_more = (rx->rx_flags & PV_NET_RX_MORE) != 0;
	if (!ip->ip_more)
		rx_end(ip);
}

static bool
poll_remote(struct if_pair *ip)
{
	struct if_remote *rm = ip->ip_remote;
	struct rxslot *rs;
	unsigned int n;

	for (n = 0; n < IF_RXBATCH; n++) {
		rs = spsc_get(&rm->rm_received);
		if (rs == NULL)
			break;
		rx_take(ip, &rs->rs_rx);
	}
	return n != 0;
}

bool
ifrx_poll(struct if_pair *ip)
{
	unsigned int i, n = 0;

	if (ip->ip_remote != NULL)
		return poll_remote(ip);
	if (pv_net_receive(&ip->ip_if->if_net, ip->ip_queue, ip->ip_rx,
	    ip->ip_nrx, &n) != 0)
		return false;
	ip->ip_pool->rp_posted -= n;
	for (i = 0; i < n; i++)
		rx_take(ip, &ip->ip_rx[i]);
	ifrx_post(ip);
	return n != 0;
}
