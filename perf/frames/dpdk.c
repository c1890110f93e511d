/* SPDX-License-Identifier: ISC */
/*
 * DPDK's virtio driver as people use it in a process: net_virtio_user. An mbuf
 * that came is sent as it is.
 */
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "frames.h"
#include "port.h"

#define POOL		4095

static struct rte_mempool *pool;
static unsigned int length;
static unsigned int in_use, were_in_use;	/* mbufs, after rounds */

static const char *
dpdk_open(const struct front_params *fp)
{
	static char vdev[256];
	char *argv[] = {
		"frames-dpdk", "--no-huge", "-m", "128", "--no-pci",
		"--no-telemetry", "--no-shconf", "--log-level=error", "-l", "0",
		"--force-max-simd-bitwidth=512", vdev, NULL
	};

	length = fp->fp_length;
	snprintf(vdev, sizeof(vdev), "--vdev=net_virtio_user0,path=%s,"
	    "mac=02:00:00:00:00:01,queues=1,queue_size=%u,packed_vq=%d,"
	    "in_order=%d,mrg_rxbuf=0,vectorized=%d", fp->fp_path, fp->fp_size,
	    fp->fp_packed, fp->fp_in_order, fp->fp_vector);
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv) < 0)
		return "DPDK does not start";
	return dpdk_port(fp->fp_size, POOL, &pool);
}

static unsigned int
dpdk_send(unsigned int n)
{
	struct rte_mbuf *frames[BURST];
	unsigned int i, sent;

	if (rte_pktmbuf_alloc_bulk(pool, frames, n) != 0)
		return 0;
	for (i = 0; i < n; i++)
		memcpy(rte_pktmbuf_append(frames[i], length),
		    "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
	sent = rte_eth_tx_burst(0, 0, frames, n);
	rte_pktmbuf_free_bulk(&frames[sent], n - sent);
	return sent;
}

static unsigned int
dpdk_round(void)
{
	struct rte_mbuf *frames[BURST];
	unsigned int n, sent;

	n = rte_eth_rx_burst(0, 0, frames, BURST);
	if (n == 0)
		return 0;
	sent = rte_eth_tx_burst(0, 0, frames, n);
	if (sent < n)
		rte_pktmbuf_free_bulk(&frames[sent], n - sent);
	return n;
}

/* What was sent is taken back in many at once. */
static bool
sent_came_back(void)
{
	were_in_use = in_use;
	in_use = rte_mempool_in_use_count(pool);
	return in_use <= were_in_use;
}

int
main(int argc, char **argv)
{
	static const struct front dpdk = {
		.fr_name = "DPDK",
		.fr_open = dpdk_open,
		.fr_send = dpdk_send,
		.fr_round = dpdk_round,
		.fr_fresh = sent_came_back
	};

	return frames_main(argc, argv, &dpdk);
}
