/* SPDX-License-Identifier: ISC */
#include "announce.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/nd6.h"

/* The advertisement and the option with our link-layer address. */
#define NA_LEN	(sizeof(struct na_header) + sizeof(struct lladdr_option))

/* Neighbor Advertisement Message Format (RFC 4861, 4.4; unsolicited: 7.2.6). */
static void
tell_ip6(struct netif *netif, const ip6_addr_t *addr)
{
	struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)NA_LEN, PBUF_RAM);
	struct lladdr_option *option;
	struct na_header *na;
	ip6_addr_t all;

	if (p == NULL)
		return;
	ip6_addr_set_allnodes_linklocal(&all);
	ip6_addr_assign_zone(&all, IP6_MULTICAST, netif);
	memset(p->payload, 0, NA_LEN);
	na = p->payload;
	na->type = ICMP6_TYPE_NA;
	na->flags = ND6_FLAG_OVERRIDE;
	ip6_addr_copy_to_packed(na->target_address, *addr);
	option = (struct lladdr_option *)(void *)(na + 1);
	option->type = ND6_OPTION_TYPE_TARGET_LLADDR;
	option->length = 1;
	memcpy(option->addr, netif->hwaddr, netif->hwaddr_len);
	na->chksum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, addr,
	    &all);
	(void)ip6_output_if(p, addr, &all, 255, 0, IP6_NEXTH_ICMP6,
	    netif);
	pbuf_free(p);
}

void
net_tell(struct netif *netif)
{
	s8_t i;

	if (!netif_is_up(netif))
		return;
	if (!ip4_addr_isany_val(*netif_ip4_addr(netif)))
		etharp_gratuitous(netif);
	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
			tell_ip6(netif, netif_ip6_addr(netif, i));
}
