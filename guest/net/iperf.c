/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "lwip/sys.h"
#include "lwip/tcp.h"

#include "iperf.h"

/* One connection. Without a pcb once lwIP has freed that. */
struct iperf {
	ip_addr_t	ip_from;
	uint16_t	ip_port;
	uint64_t	ip_bytes;
	u32_t		ip_began;
	unsigned int	ip_idle;	/* half seconds */
};

static void
iperf_end(struct iperf *ip, int whole)
{
	iperf_report(&ip->ip_from, ip->ip_port, ip->ip_bytes,
	    sys_now() - ip->ip_began, whole);
	mem_free(ip);
}

static err_t
iperf_close(struct tcp_pcb *pcb)
{
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	if (tcp_close(pcb) == ERR_OK)
		return ERR_OK;
	tcp_abort(pcb);
	return ERR_ABRT;
}

static err_t
iperf_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct iperf *ip = arg;

	(void)err;
	if (p == NULL) {
		iperf_end(ip, 1);
		return iperf_close(pcb);
	}
	ip->ip_bytes += p->tot_len;
	ip->ip_idle = 0;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t
iperf_poll(void *arg, struct tcp_pcb *pcb)
{
	struct iperf *ip = arg;

	if (++ip->ip_idle < 2 * IPERF_IDLE_S)
		return ERR_OK;
	iperf_end(ip, 0);
	return iperf_close(pcb);
}

/* The connection is no more. */
static void
iperf_err(void *arg, err_t err)
{
	(void)err;
	iperf_end(arg, 0);
}

static err_t
iperf_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct iperf *ip;

	(void)arg;
	if (err != ERR_OK || pcb == NULL)
		return ERR_VAL;
	ip = mem_calloc(1, sizeof(*ip));
	if (ip == NULL)
		return ERR_MEM;
	ip->ip_from = pcb->remote_ip;
	ip->ip_port = pcb->remote_port;
	ip->ip_began = sys_now();
	tcp_arg(pcb, ip);
	tcp_recv(pcb, iperf_recv);
	tcp_err(pcb, iperf_err);
	tcp_poll(pcb, iperf_poll, 1);
	return ERR_OK;
}

int
iperf_start(void)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY), *listener;

	if (pcb == NULL)
		return ENOBUFS;
	listener = tcp_bind(pcb, IP_ANY_TYPE, IPERF_PORT) == ERR_OK ?
	    tcp_listen_with_backlog(pcb, 4) : NULL;
	if (listener == NULL) {
		tcp_close(pcb);
		return ENOBUFS;
	}
	tcp_accept(listener, iperf_accept);
	return 0;
}
