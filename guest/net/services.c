/* SPDX-License-Identifier: ISC */
/*
 * What the guest offers on the network: iperf's server on port 5001, and one
 * page that tells everything on port 80.
 */
#include "lwip/apps/httpd.h"
#include "lwip/apps/lwiperf.h"

#include "log.h"
#include "netstack.h"

static void
iperf_report(void *arg, enum lwiperf_report_type type,
    const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
    u16_t remote_port, u32_t bytes, u32_t ms, u32_t kbits)
{
	(void)arg;
	(void)local;
	(void)local_port;
	klog(LOG_INFO, "iperf: %s:%u: %u bytes in %u ms, %u kbit/s%s",
	    net_ntoa(remote), remote_port, (unsigned int)bytes,
	    (unsigned int)ms, (unsigned int)kbits,
	    type == LWIPERF_TCP_DONE_SERVER ||
	    type == LWIPERF_TCP_DONE_CLIENT ? "" : " (aborted)");
}

void
net_services(void)
{
	if (lwiperf_start_tcp_server_default(iperf_report, NULL) == NULL)
		klog(LOG_WARN, "iperf: the server can't listen");
	httpd_init();
}
