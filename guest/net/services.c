/* SPDX-License-Identifier: ISC */
/*
 * What the guest offers on the network: iperf's server on port 5001, and one
 * page that tells everything on port 80.
 */
#include "lwip/apps/httpd.h"

#include "iperf.h"
#include "log.h"
#include "netstack.h"

void
iperf_report(const ip_addr_t *from, uint16_t port, uint64_t bytes,
    uint64_t ms, int whole)
{
	klog(LOG_INFO, "iperf: %s:%u: %llu bytes in %llu ms, %llu kbit/s%s",
	    net_ntoa(from), port, (unsigned long long)bytes,
	    (unsigned long long)ms,
	    (unsigned long long)(ms == 0 ? 0 : bytes * 8 / ms),
	    whole ? "" : " (broken off)");
}

void
net_services(void)
{
	if (iperf_start() != 0)
		klog(LOG_WARN, "iperf: the server can't listen");
	httpd_init();
}
