/* SPDX-License-Identifier: ISC */
/*
 * Where lwIP asks us: initial sequence numbers, what to keep from it (guard.c),
 * DHCP options that it doesn't know.
 */
#ifndef PARAVANE_LWIP_HOOKS_H
#define PARAVANE_LWIP_HOOKS_H

#include "lwip/arch.h"
#include "lwip/err.h"

struct netif;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/*
 * net_tcp_segment - whether a connection may see a segment with len bytes:
 * ERR_OK. Its options: optlen bytes, of which first are behind the header, and
 * the others at rest.
 */
err_t	net_tcp_segment(const struct tcp_pcb *, const struct tcp_hdr *,
	    unsigned optlen, unsigned first, const u8_t *rest, unsigned len);

/* net_ip6_packet - 1 if a packet was dropped */
int	net_ip6_packet(struct pbuf *);

void	net_dhcp_option(struct netif *, unsigned msg_type, unsigned option,
	    unsigned len, struct pbuf *, unsigned offset);

#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)	\
	net_random()
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p)	\
	net_tcp_segment(pcb, hdr, optlen, opt1len, opt2, (p)->tot_len)
#define LWIP_HOOK_IP6_INPUT(p, netif)	net_ip6_packet(p)
#define LWIP_HOOK_DHCP_PARSE_OPTION(netif, dhcp, state, msg, msg_type,	\
    option, len, pbuf, offset)						\
	do {								\
		(void)(msg);						\
		net_dhcp_option(netif, msg_type, option, len, pbuf,	\
		    offset);						\
	} while (0)

#endif
