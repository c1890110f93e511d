/* SPDX-License-Identifier: ISC */
/* Sending: the device reads a frame where lwIP has it. */
#include <errno.h>
#include <string.h>

#include "lwip/priv/tcp_priv.h"

#include "arena.h"
#include "ifnet.h"
#include "rxpool.h"
#include "txcsum.h"

static void
tx_done(struct if_pair *ip, struct pbuf *p)
{
	ip->ip_outstanding--;
	pbuf_free(p);
}

static bool
reclaim_remote(struct if_pair *ip)
{
	struct if_remote *rm = ip->ip_remote;
	struct txframe *tf;
	bool any = false;

	while ((tf = spsc_get(&rm->rm_sent)) != NULL) {
		if (tf->tf_dropped)
			ip->ip_if->if_counters.ic_tx_dropped++;
		tx_done(ip, tf->tf_pbuf);
		tf->tf_next = rm->rm_free;
		rm->rm_free = tf;
		any = true;
	}
	return any;
}

unsigned int
iftx_used(struct if_pair *ip, void *cookies[IF_TXBATCH])
{
	unsigned int n;

	if (pv_net_reclaim(&ip->ip_if->if_net, ip->ip_queue, cookies,
	    IF_TXBATCH, &n) != 0)
		return 0;
	if (n != 0 && ip->ip_txintr) {
		pv_net_tx_intr(&ip->ip_if->if_net, ip->ip_queue, 0);
		ip->ip_txintr = false;
	}
	return n;
}

bool
iftx_reclaim(struct if_pair *ip)
{
	void *cookies[IF_TXBATCH];
	unsigned int i, n;
	bool any = false;

	if (ip->ip_remote != NULL)
		return reclaim_remote(ip);
	do {
		n = iftx_used(ip, cookies);
		for (i = 0; i < n; i++)
			tx_done(ip, cookies[i]);
		any |= n != 0;
	} while (n == IF_TXBATCH);
	return any;
}

/* Where a pbuf's bytes are for the device; false if they are nowhere. */
static bool
tx_piece(struct net_if *ifp, struct pbuf *p, struct pv_piece *pc)
{
	struct rxslot *rs = rxslot_of(p);
	struct rxpool *rp;
	unsigned int i;

	pc->pc_len = p->len;
	if (rs == NULL && arena_has(p->payload, p->len)) {
		pc->pc_map = ifp->if_arena;
		pc->pc_off = (size_t)((uint8_t *)p->payload -
		    (uint8_t *)arena_base());
		return true;
	}
	for (i = 0; rs != NULL && i < ifp->if_npairs; i++) {
		rp = ifp->if_pair[i].ip_pool;
		if (rs->rs_pool != rp)
			continue;
		pc->pc_map = rp->rp_map;
		pc->pc_off = rxpool_offset(rp, p->payload);
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
 * Fill in a frame. The pbuf gets a reference, or is replaced by a copy if the
 * device can't read it where it is.
 */
static int
tx_prepare(struct net_if *ifp, struct pbuf *p, struct txframe *tf)
{
	memset(&tf->tf_tx, 0, sizeof(tf->tf_tx));
	tf->tf_dropped = false;
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
	tf->tf_pbuf = p;
	tf->tf_tx.tx_cookie = p;
	return 0;
}

static void
tx_offload(struct net_if *ifp, struct txframe *tf)
{
	struct pbuf *p = tf->tf_pbuf;
	uint16_t start, offset;

	if ((ifp->if_netif.chksum_flags & NETIF_CHECKSUM_GEN_TCP) == 0 &&
	    tx_checksum(p->payload, p->len, &start, &offset)) {
		tf->tf_tx.tx_flags = PV_NET_TX_CSUM;
		tf->tf_tx.tx_csum_start = start;
		tf->tf_tx.tx_csum_offset = offset;
	}
}

/* Frames of one flow stay in order: they take the same pair. */
static struct if_pair *
tx_pair(struct net_if *ifp, struct pbuf *p)
{
	uint32_t hash;

	if (ifp->if_sendpairs <= 1)
		return &ifp->if_pair[0];
	hash = tx_flow(p->payload, p->len) * 0x9e3779b1u;
	return &ifp->if_pair[(uint64_t)hash * ifp->if_sendpairs >> 32];
}

static err_t
output_remote(struct if_pair *ip, struct pbuf *p)
{
	struct if_remote *rm = ip->ip_remote;
	struct txframe *tf;

	if (rm->rm_free == NULL)
		reclaim_remote(ip);
	tf = rm->rm_free;
	if (tf == NULL)
		return ERR_WOULDBLOCK;
	if (tx_prepare(ip->ip_if, p, tf) != 0)
		return ERR_MEM;
	tx_offload(ip->ip_if, tf);
	rm->rm_free = tf->tf_next;
	tf->tf_tx.tx_cookie = tf;
	spsc_put(&rm->rm_out, tf);	/* it has room for all */
	ip->ip_outstanding++;
	rm->rm_kick = true;
	return ERR_OK;
}

static err_t
output_local(struct if_pair *ip, struct pbuf *p)
{
	struct txframe *tf;

	if (ip->ip_ntx == IF_TXBATCH)
		iftx_flush(ip);
	if (ip->ip_ntx == IF_TXBATCH)
		return ERR_WOULDBLOCK;
	tf = &ip->ip_tx[ip->ip_ntx];
	if (tx_prepare(ip->ip_if, p, tf) != 0)
		return ERR_MEM;
	tx_offload(ip->ip_if, tf);
	ip->ip_ntx++;
	return ERR_OK;
}

err_t
iftx_output(struct netif *netif, struct pbuf *p)
{
	struct net_if *ifp = netif->state;
	struct if_pair *ip;
	err_t error;

	if (!ifp->if_running || ifp->if_borrowed != NULL)
		return ERR_IF;
	ip = tx_pair(ifp, p);
	error = ip->ip_remote != NULL ? output_remote(ip, p) :
	    output_local(ip, p);
	if (error == ERR_WOULDBLOCK) {
		ifp->if_counters.ic_tx_full++;
		ifp->if_starved = true;
		return ERR_MEM;
	}
	if (error == ERR_MEM)
		ifp->if_counters.ic_tx_dropped++;
	net_kick();
	return error;
}

/* Take n frames off the front of the batch. */
static void
tx_shift(struct if_pair *ip, unsigned int n)
{
	unsigned int i;

	ip->ip_ntx -= n;
	if (n == 0)
		return;
	for (i = 0; i < ip->ip_ntx; i++) {
		ip->ip_tx[i] = ip->ip_tx[i + n];
		ip->ip_tx[i].tf_tx.tx_pieces = ip->ip_tx[i].tf_piece;
	}
}

static void
tx_drop_first(struct if_pair *ip)
{
	ip->ip_if->if_counters.ic_tx_dropped++;
	pbuf_free(ip->ip_tx[0].tf_pbuf);
	tx_shift(ip, 1);
}

static void
flush_remote(struct if_remote *rm)
{
	if (rm->rm_kick) {
		rm->rm_kick = false;
		task_signal(&rm->rm_task);
	}
}

void
iftx_flush(struct if_pair *ip)
{
	struct pv_net *net = &ip->ip_if->if_net;
	struct pv_net_tx batch[IF_TXBATCH];
	unsigned int i, n, taken;
	int error;
	bool retried = false;

	if (ip->ip_remote != NULL) {
		flush_remote(ip->ip_remote);
		return;
	}
	while (ip->ip_ntx != 0) {
		n = ip->ip_ntx;
		for (i = 0; i < n; i++)
			batch[i] = ip->ip_tx[i].tf_tx;
		taken = 0;
		error = pv_net_transmit(net, ip->ip_queue, batch, n, &taken);
		ip->ip_outstanding += taken;
		tx_shift(ip, taken);
		if (error == 0)
			continue;
		if (error == EIO)
			break;		/* it is sent after the reset */
		if (error != ENOBUFS) {
			tx_drop_first(ip);
			continue;
		}
		/* Full: what was sent meanwhile makes room, or will soon. */
		if (!retried && iftx_reclaim(ip)) {
			retried = true;
			continue;
		}
		ip->ip_txintr = true;
		if (pv_net_tx_intr(net, ip->ip_queue, 1) != 0)
			net_kick();
		break;
	}
}

/* Connections that were told of a full ring go on. */
void
iftx_resume(struct net_if *ifp)
{
	struct tcp_pcb *pcb, *next;

	ifp->if_starved = false;
	for (pcb = tcp_active_pcbs; pcb != NULL; pcb = next) {
		next = pcb->next;
		if (pcb->unsent != NULL)
			tcp_output(pcb);
	}
}

/* Keep a frame that was queued for after the reset, or count it as lost. */
static void
tx_keep(struct net_if *ifp, struct pbuf *p, bool lost)
{
	if (lost || ifp->if_nagain == ifp->if_maxagain) {
		ifp->if_counters.ic_tx_dropped++;
		if (!lost)
			pbuf_free(p);
	} else
		ifp->if_again[ifp->if_nagain++] = p;
}

/* A bench's frame, which it has given up: its cookie is a number. */
static bool
of_bench(const void *cookie)
{
	return (uintptr_t)cookie < PAGE_SIZE;
}

static void
drain_remote(struct if_pair *ip, bool lost)
{
	struct if_remote *rm = ip->ip_remote;
	struct txframe *tf;
	unsigned int i;

	reclaim_remote(ip);
	while ((tf = pv_net_drain_tx(&ip->ip_if->if_net, ip->ip_queue)) != NULL)
		if (!of_bench(tf))
			tx_keep(ip->ip_if, tf->tf_pbuf, lost);
	for (i = 0; i < rm->rm_nbatch; i++)
		tx_keep(ip->ip_if, rm->rm_batch[i]->tf_pbuf, false);
	while ((tf = spsc_get(&rm->rm_out)) != NULL)
		tx_keep(ip->ip_if, tf->tf_pbuf, false);
	rm->rm_nbatch = 0;
	ip->ip_outstanding = 0;
}

void
iftx_drain(struct if_pair *ip, bool lost)
{
	struct pbuf *p;
	unsigned int i;

	if (ip->ip_remote != NULL) {
		drain_remote(ip, lost);
		return;
	}
	while ((p = pv_net_drain_tx(&ip->ip_if->if_net, ip->ip_queue)) != NULL) {
		if (of_bench(p))
			continue;
		ip->ip_outstanding--;
		tx_keep(ip->ip_if, p, lost);
	}
	for (i = 0; i < ip->ip_ntx; i++)
		tx_keep(ip->ip_if, ip->ip_tx[i].tf_pbuf, false);
	ip->ip_ntx = 0;
}

/*
 * What was queued at the reset. Whether it was sent is not known; to send twice
 * is what a network may do.
 */
void
iftx_again(struct net_if *ifp)
{
	unsigned int i, n = ifp->if_nagain;

	ifp->if_nagain = 0;
	for (i = 0; i < n; i++) {
		if (ifp->if_running &&
		    iftx_output(&ifp->if_netif, ifp->if_again[i]) == ERR_OK)
			ifp->if_counters.ic_tx_again++;
		else
			ifp->if_counters.ic_tx_dropped++;
		pbuf_free(ifp->if_again[i]);
	}
}

/* Past lwIP, and on the first pair that this CPU serves: pair 0. */
int
if_raw(struct net_if *ifp, const void *frame, size_t len)
{
	struct if_pair *ip = ifp->if_pair;
	struct txframe *tf;
	unsigned int taken = 0;
	struct pbuf *p;
	int error;

	if (!ifp->if_running || ifp->if_borrowed != NULL)
		return ENETDOWN;
	iftx_flush(ip);
	if (ip->ip_ntx != 0)
		return ENOBUFS;
	if (len > UINT16_MAX)
		return EMSGSIZE;
	p = pbuf_alloc(PBUF_RAW_TX, (u16_t)len, PBUF_RAM);
	if (p == NULL)
		return ENOMEM;
	pbuf_take(p, frame, (u16_t)len);
	tf = &ip->ip_tx[0];
	error = tx_prepare(ifp, p, tf);
	pbuf_free(p);
	if (error)
		return error;
	error = pv_net_transmit(&ifp->if_net, ip->ip_queue, &tf->tf_tx, 1,
	    &taken);
	if (taken != 0)
		ip->ip_outstanding++;
	else
		pbuf_free(tf->tf_pbuf);
	return error;
}
