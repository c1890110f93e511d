/* SPDX-License-Identifier: ISC */
#ifndef PERF_PORT_H
#define PERF_PORT_H

#include <rte_mempool.h>

/*
 * DPDK's one port, with a pair of queues of so many entries, and so many mbufs
 * for them: started. Returns NULL, or why it can't be.
 */
const char *dpdk_port(unsigned int size, unsigned int mbufs,
    struct rte_mempool **);

#endif
