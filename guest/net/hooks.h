/* SPDX-License-Identifier: ISC */
/* Where lwIP asks us: the initial sequence number, and DHCP options that it doesn't know. */
#ifndef PARAVANE_LWIP_HOOKS_H
#define PARAVANE_LWIP_HOOKS_H

#include "lwip/arch.h"

struct netif;
struct pbuf;

void	net_dhcp_option(struct netif *, unsigned msg_type, unsigned option,
	    unsigned len, struct pbuf *, unsigned offset);

#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)	\
	net_random()
#define LWIP_HOOK_DHCP_PARSE_OPTION(netif, dhcp, state, msg, msg_type,	\
    option, len, pbuf, offset)						\
	do {								\
		(void)(msg);						\
		net_dhcp_option(netif, msg_type, option, len, pbuf,	\
		    offset);						\
	} while (0)

#endif
