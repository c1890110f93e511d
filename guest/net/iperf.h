/* SPDX-License-Identifier: ISC */
/*
 * A server for iperf 2's TCP clients, on its standard port: it takes what comes
 * and tells how fast that was. lwIP has one too, which closes a connection once
 * more after a peer has reset it.
 */
#ifndef IPERF_H
#define IPERF_H

#include <stdint.h>

#include "lwip/ip_addr.h"

#define IPERF_PORT	5001
#define IPERF_IDLE_S	10

/* iperf_start - listen; 0 or ENOBUFS */
int	iperf_start(void);

/* iperf_report - called at the end of each connection; netstack.c's side */
void	iperf_report(const ip_addr_t *from, uint16_t port, uint64_t bytes,
	    uint64_t ms, int whole);

#endif
