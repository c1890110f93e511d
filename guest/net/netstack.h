/* SPDX-License-Identifier: ISC */
/* What the network's commands and services share. */
#ifndef NETSTACK_H
#define NETSTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lwip/ip_addr.h"

struct net_if;

/* A configuration by hand. */
struct net_static {
	ip4_addr_t	ns_addr;
	ip4_addr_t	ns_mask;
	ip4_addr_t	ns_gateway;
	ip_addr_t	ns_dns;
	bool		ns_has_dns;
};

/* net_parse - ADDR/LEN[,GATEWAY[,DNS]]; 0 or EINVAL */
int	net_parse(const char *, struct net_static *);
void	net_set_static(struct net_if *, const struct net_static *);

/* net_start_dhcp - EMSGSIZE if the MTU is too small for it; ENOMEM */
int	net_start_dhcp(struct net_if *);

/* net_set_mtu - as if_set_mtu; IPv6 goes and comes with an MTU of 1280 */
int	net_set_mtu(struct net_if *, unsigned int mtu);

struct net_if *net_find(const char *name);

/* net_prefix - a mask's length */
unsigned int	net_prefix(const ip4_addr_t *mask);

/* net_ntoa - an address as RFC 5952 has it; good until the next call */
const char	*net_ntoa(const ip_addr_t *);

/* net_services - iperf's and the HTTP server */
void	net_services(void);

/*
 * net_resolve - an address or a name
 *
 * v6		a name's IPv6 address
 *
 * Waits up to 10 seconds for the servers' answer. Says what is wrong, and
 * returns ENOENT (no such name), ETIMEDOUT, EINTR.
 */
int	net_resolve(const char *host, bool v6, ip_addr_t *);

/*
 * tcp_bench - send over TCP for so long, or receive until the peer ends
 *
 * Says how fast that was, or what was wrong; returns errno.
 */
int	tcp_bench(bool send, const char *host, unsigned int port,
	    uint64_t ms);

/* net_drain - wait until the devices have sent what they have; bounded */
void	net_drain(void);

/* net_error - errno for lwIP's err_t */
int	net_error(err_t);

#endif
