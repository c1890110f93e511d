/* SPDX-License-Identifier: ISC */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

struct netif;

/*
 * net_tell - tell the network where our addresses are: a gratuitous ARP for
 * IPv4's, an unsolicited neighbour advertisement for each of IPv6's
 */
void	net_tell(struct netif *);

#endif
