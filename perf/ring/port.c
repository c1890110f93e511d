/* SPDX-License-Identifier: ISC */
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "port.h"

#define POOL_CACHE	256

const char *
dpdk_port(unsigned int size, unsigned int mbufs, struct rte_mempool **pool)
{
	static const struct rte_eth_conf conf;
	uint16_t n = (uint16_t)size;

	*pool = rte_pktmbuf_pool_create("frames", mbufs, POOL_CACHE, 0,
	    RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (*pool == NULL)
		return "no mbufs";
	if (rte_eth_dev_count_avail() != 1 ||
	    rte_eth_dev_configure(0, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(0, 0, n, SOCKET_ID_ANY, NULL, *pool) != 0 ||
	    rte_eth_tx_queue_setup(0, 0, n, SOCKET_ID_ANY, NULL) != 0 ||
	    rte_eth_dev_start(0) != 0)
		return "the port does not start";
	return NULL;
}
