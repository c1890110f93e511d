/* SPDX-License-Identifier: ISC */
/*
 * Requests beside what is asked of the device as a whole: two threads read and
 * write, each on a queue of its own, while a third finds the disk now larger
 * and now smaller, takes interrupts of all queues, and reads what is counted.
 * Under the thread sanitizer, whose report ends the process. The device is in
 * the thread of whoever rings its bell.
 */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include <paravane/blk.h>

#include "plain.h"
#include "serve.h"

#define NQUEUES	2
#define SIZE	16
#define ROUNDS	3000
#define SMALL	8		/* sectors of the disk, */
#define LARGE	16		/* or so many */
#define BATCH	8

struct client {
	unsigned int cl_queue;
	struct port_buf *cl_buf;
	unsigned long cl_done, cl_refused;
	pthread_t cl_thread;
};

static struct ring rings[NQUEUES];
static struct client clients[NQUEUES];
static struct pv_virtio dev;
static struct pv_blk blk;
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
	ring_use_all(&rings[q], 1);
	pv_virtio_intr_queue(&dev, q);
}

/* Its capacity, and how many queues. Only one thread looks at it. */
static uint8_t config[36] = { LARGE, [34] = NQUEUES };

static struct plain plain = {
	.pl_offered = PV_F_BIT(PV_F_VERSION_1) | PV_F_BIT(PV_BLK_F_MQ) |
	    PV_F_BIT(PV_BLK_F_FLUSH),
	.pl_nqueues = NQUEUES,
	.pl_queue_max = SIZE,
	.pl_intr = PV_INTR_MODE_PER_QUEUE,
	.pl_config = config,
	.pl_configlen = sizeof(config),
	.pl_enable = enable,
	.pl_notify = notify,
};

/* The CPUs */

/* The last of a batch lies where the disk is not always. */
static void
ask(struct client *cl, unsigned int round, struct pv_blk_request *br)
{
	static const uint8_t ops[] = { PV_BLK_READ, PV_BLK_WRITE,
	    PV_BLK_WRITE, PV_BLK_FLUSH };
	const struct pv_piece pc = { cl->cl_buf->pb_map, 0, PV_BLK_MINBLOCK };
	struct pv_blk_request *list[BATCH];
	unsigned int i, n;
	int error;

	for (i = 0; i < BATCH; i++) {
		list[i] = &br[i];
		br[i].br_op = ops[(i + round) % 4];
		br[i].br_len = PV_BLK_MINBLOCK;
		br[i].br_offset = (i < BATCH - 1 ? i : SMALL) *
		    PV_BLK_MINBLOCK;
		br[i].br_pieces = &pc;
		br[i].br_npieces = br[i].br_op != PV_BLK_FLUSH;
	}
	error = pv_blk_submit(&blk, cl->cl_queue, list, BATCH, &n);
	if (error != 0) {
		assert_int_equal(error, EINVAL);
		assert_int_equal(n, BATCH - 1);
		cl->cl_refused++;
	}
	do {
		assert_int_equal(pv_blk_complete(&blk, cl->cl_queue, list,
		    BATCH, &n), 0);
		for (i = 0; i < n; i++)
			assert_int_equal(list[i]->br_error, 0);
		cl->cl_done += n;
	} while (n > 0);
	assert_int_equal(pv_blk_outstanding(&blk, cl->cl_queue), 0);
	assert_int_equal(pv_blk_oldest_ns(&blk, cl->cl_queue), 0);
}

static void *
work(void *arg)
{
	struct pv_blk_request br[BATCH] = { 0 };
	struct client *cl = arg;
	unsigned int round;

	__atomic_fetch_add(&ready, 1, __ATOMIC_RELAXED);
	for (round = 0; !__atomic_load_n(&enough, __ATOMIC_RELAXED); round++) {
		ask(cl, round, br);
		(void)pv_blk_intr(&blk, cl->cl_queue, round % 3);
	}
	return NULL;
}

/* What is counted never goes back. */
static void
look_at_counters(unsigned int q)
{
	static struct pv_blk_counters last[NQUEUES];
	struct pv_blk_counters bc;
	struct pv_virtq_counters qc;

	assert_int_equal(pv_blk_counters(&blk, q, &bc), 0);
	assert_true(bc.bc_requests >= last[q].bc_requests);
	assert_true(bc.bc_parts >= last[q].bc_parts);
	assert_true(bc.bc_read_bytes >= last[q].bc_read_bytes);
	assert_true(bc.bc_written_bytes >= last[q].bc_written_bytes);
	assert_true(bc.bc_flushes >= last[q].bc_flushes);
	assert_int_equal(bc.bc_errors, 0);
	last[q] = bc;
	assert_int_equal(pv_blk_ring_counters(&blk, q, &qc), 0);
	assert_true(qc.qc_used <= qc.qc_enqueued + SIZE);
}

static void
command(void)
{
	unsigned int i;

	while (__atomic_load_n(&ready, __ATOMIC_RELAXED) < NQUEUES)
		sched_yield();
	for (i = 0; i < ROUNDS; i++) {
		config[0] = i % 2 ? LARGE : SMALL;
		assert_int_equal(pv_blk_changed(&blk), 1);
		assert_int_equal(pv_virtio_intr(&dev, PV_INTR_QUEUE), 1);
		look_at_counters(i % NQUEUES);
	}
}

static void
requests_flow_beside_changes(void **state)
{
	const struct pv_blk_params params = { .bp_nqueues = NQUEUES };
	struct pv_blk_counters bc;
	struct client *cl;

	(void)state;
	port_reset();
	config[0] = SMALL - 1;
	assert_int_equal(pv_virtio_init(&dev, &plain_transport, &plain,
	    PV_TYPE_BLK, &port_dma_tag, "threads0", NULL, NULL), 0);
	assert_int_equal(pv_blk_attach(&blk, &dev, NULL, NULL, &params), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_nqueues, NQUEUES);
	for (cl = clients; cl < clients + NQUEUES; cl++)
		cl->cl_buf = port_buf_new(PV_BLK_MINBLOCK);
	for (cl = clients; cl < clients + NQUEUES; cl++) {
		cl->cl_queue = (unsigned int)(cl - clients);
		assert_int_equal(pthread_create(&cl->cl_thread, NULL, work,
		    cl), 0);
	}
	command();
	__atomic_store_n(&enough, 1, __ATOMIC_RELAXED);
	for (cl = clients; cl < clients + NQUEUES; cl++)
		pthread_join(cl->cl_thread, NULL);
	for (cl = clients; cl < clients + NQUEUES; cl++) {
		assert_int_equal(pv_blk_counters(&blk, cl->cl_queue, &bc), 0);
		assert_int_equal(bc.bc_requests, cl->cl_done);
		assert_true(cl->cl_done > 0);
		port_buf_free(cl->cl_buf);
	}
	assert_int_equal(pv_blk_detach(&blk), 0);
	assert_int_equal(port_check(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_flow_beside_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
