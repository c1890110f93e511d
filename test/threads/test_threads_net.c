/* SPDX-License-Identifier: ISC */
/*
 * Data flow beside calls that command the device: two threads send, each on a
 * queue of its own, while a third has more or fewer pairs used, changes the MTU,
 * takes interrupts of all queues, and reads what is counted. Under the thread
 * sanitizer, whose report ends the process. The device is in the thread of
 * whoever rings its bell.
 */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include <paravane/net.h>

#include "plain.h"
#include "port.h"
#include "serve.h"

#define NPAIRS	2
#define CTRLQ	(2 * NPAIRS)
#define SIZE	8
#define ROUNDS	3000
#define LONG	1514
#define SHORT	1014

struct sender {
	unsigned int se_queue;
	struct port_buf *se_buf;
	unsigned long se_sent, se_back, se_toolong, se_unused;
	pthread_t se_thread;
};

static struct ring rings[CTRLQ + 1];
static struct sender senders[NPAIRS];
static struct pv_virtio dev;
static struct pv_net net;
static unsigned int ready, enough;

/* The device */

static void
enable(unsigned int q, const struct pv_queue_place *qp)
{
	ring_at(&rings[q], qp, SIZE);
}

static void
notify(unsigned int q, uint32_t data)
{
	(void)data;
	ring_use_all(&rings[q], q == CTRLQ);
	pv_virtio_intr_queue(&dev, q);
}

/* Address, link, pairs, MTU. */
static const uint8_t config[12] = { 2, 0, 0, 0, 0, 1, 1, 0, NPAIRS, 0,
    1500 & 0xff, 1500 >> 8 };

static struct plain plain = {
	.pl_offered = PV_F_BIT(PV_F_VERSION_1) | PV_F_BIT(PV_NET_F_MTU) |
	    PV_F_BIT(PV_NET_F_MQ) | PV_F_BIT(PV_NET_F_CTRL_VQ),
	.pl_nqueues = CTRLQ + 1,
	.pl_queue_max = SIZE,
	.pl_intr = PV_INTR_MODE_PER_QUEUE,
	.pl_config = config,
	.pl_configlen = sizeof(config),
	.pl_enable = enable,
	.pl_notify = notify,
};

/* The CPUs */

static void
send_one(struct sender *se, size_t len)
{
	const struct pv_piece pc = { se->se_buf->pb_map, 12, len };
	const struct pv_net_tx tx = {
		.tx_pieces = &pc, .tx_npieces = 1,
		.tx_hdr = se->se_buf->pb_va, .tx_cookie = se,
	};
	unsigned int n;
	int error;

	error = pv_net_transmit(&net, se->se_queue, &tx, 1, &n);
	if (error == EMSGSIZE && len == LONG)
		se->se_toolong++;
	else if (error == EINVAL && se->se_queue > 0)
		se->se_unused++;
	else
		assert_int_equal(error, 0);
	se->se_sent += n;
}

static void *
send_all(void *arg)
{
	struct sender *se = arg;
	void *cookie;
	unsigned int n;

	__atomic_fetch_add(&ready, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		send_one(se, SHORT);
		send_one(se, LONG);
		do {
			assert_int_equal(pv_net_reclaim(&net, se->se_queue,
			    &cookie, 1, &n), 0);
			se->se_back += n;
		} while (n > 0);
	}
	return NULL;
}

/* What is counted never goes back. */
static void
look_at_counters(unsigned int q)
{
	static struct pv_net_counters last[NPAIRS];
	static unsigned long used[NPAIRS];
	struct pv_net_counters nc;
	struct pv_virtq_counters qc;

	pv_net_counters(&net, q, &nc);
	assert_true(nc.nc_tx_frames >= last[q].nc_tx_frames);
	assert_true(nc.nc_tx_bytes >= last[q].nc_tx_bytes);
	assert_true(nc.nc_tx_toolong >= last[q].nc_tx_toolong);
	last[q] = nc;
	assert_int_equal(pv_net_ring_counters(&net, PV_NET_TXQ(q), &qc), 0);
	assert_true(qc.qc_used >= used[q]);
	used[q] = qc.qc_used;
}

static void
command(void)
{
	unsigned int i, mtu;

	while (__atomic_load_n(&ready, __ATOMIC_RELAXED) < NPAIRS)
		sched_yield();
	for (i = 0; i < ROUNDS; i++) {
		mtu = i % 3 == 0 ? SHORT - 14 : LONG - 14;
		assert_int_equal(pv_net_set_pairs(&net, 1 + i % NPAIRS), 0);
		assert_int_equal(pv_net_set_mtu(&net, mtu), 0);
		assert_int_equal(pv_net_mtu(&net), mtu);
		assert_int_equal(pv_virtio_intr(&dev, PV_INTR_QUEUE), 1);
		look_at_counters(i % NPAIRS);
	}
}

static void
frames_flow_beside_commands(void **state)
{
	const struct pv_net_params params = { .np_pairs = NPAIRS,
	    .np_rxsize = SIZE, .np_txsize = SIZE };
	struct pv_net_counters nc;
	struct sender *se;

	(void)state;
	port_reset();
	assert_int_equal(pv_virtio_init(&dev, &plain_transport, &plain,
	    PV_TYPE_NET, &port_dma_tag, "threads0", NULL, NULL), 0);
	assert_int_equal(pv_net_attach(&net, &dev, NULL, NULL, &params), 0);
	for (se = senders; se < senders + NPAIRS; se++) {
		se->se_queue = (unsigned int)(se - senders);
		se->se_buf = port_buf_new(12 + LONG);
		assert_int_equal(pthread_create(&se->se_thread, NULL, send_all,
		    se), 0);
	}
	command();
	__atomic_store_n(&enough, 1, __ATOMIC_RELAXED);
	for (se = senders; se < senders + NPAIRS; se++) {
		pthread_join(se->se_thread, NULL);
		pv_net_counters(&net, se->se_queue, &nc);
		assert_int_equal(nc.nc_tx_frames, se->se_sent);
		assert_int_equal(nc.nc_tx_toolong, se->se_toolong);
		assert_int_equal(se->se_back, se->se_sent);
		assert_true(se->se_sent > 0);
		port_buf_free(se->se_buf);
	}
	assert_int_equal(pv_net_detach(&net), 0);
	assert_int_equal(port_check(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_flow_beside_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
