/* SPDX-License-Identifier: ISC */
/*
 * Different queues may run on different CPUs at once, each with interrupts of
 * its own, while somebody reads the configuration and what they count, and
 * until somebody finds the device broken: that is told once. Under the thread
 * sanitizer, whose report ends the process. The device is in the thread of
 * whoever rings its bell.
 */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include <paravane/virtq.h>

#include "plain.h"
#include "serve.h"

#define NQUEUES	4
#define SIZE	8
#define ROUNDS	3000

struct worker {
	struct pv_virtq *wk_vq;
	struct port_buf *wk_buf;
	unsigned int wk_done, wk_intrs;
	struct ring wk_ring;		/* the device's */
	pthread_t wk_thread;
};

static struct worker workers[NQUEUES];
static struct pv_virtio dev;
static unsigned int nbroken, ready, far;

/* The device */

static void
enable(unsigned int q, const struct pv_queue_place *qp)
{
	ring_at(&workers[q].wk_ring, qp, SIZE);
}

static void
notify(unsigned int q, uint32_t data)
{
	assert_int_equal(data, q);
	ring_use_all(&workers[q].wk_ring, 0);
	pv_virtio_intr_queue(&dev, q);
}

static const uint8_t config[8] = { [4] = 8 };

static struct plain plain = {
	.pl_offered = PV_F_BIT(PV_F_VERSION_1),
	.pl_nqueues = NQUEUES,
	.pl_queue_max = SIZE,
	.pl_intr = PV_INTR_MODE_PER_QUEUE,
	.pl_config = config,
	.pl_configlen = sizeof(config),
	.pl_enable = enable,
	.pl_notify = notify,
};

/* The CPUs */

static void
note(void *arg)
{
	((struct worker *)arg)->wk_intrs++;
}

static void
broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	__atomic_fetch_add(&nbroken, 1, __ATOMIC_RELAXED);
}

/* All begin at once. */
static void
gather(void)
{
	__atomic_fetch_add(&ready, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < NQUEUES + 1)
		sched_yield();
}

static void
turn(struct worker *wk)
{
	struct pv_piece pc = { wk->wk_buf->pb_map, 0, 64 };
	struct pv_used us;

	if (pv_virtq_enqueue(wk->wk_vq, &pc, 0, 1, wk) == 0)
		pv_virtq_publish(wk->wk_vq);
	while (pv_virtq_dequeue(wk->wk_vq, &us) == 0)
		wk->wk_done++;
	pv_virtq_intr_enable(wk->wk_vq);
	pv_virtq_intr_disable(wk->wk_vq);
}

static void *
work(void *arg)
{
	struct worker *wk = arg;
	unsigned int i;

	gather();
	for (i = 0; i < ROUNDS; i++)
		turn(wk);
	__atomic_fetch_add(&far, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&far, __ATOMIC_RELAXED) < NQUEUES)
		turn(wk);
	/* Each finds the device broken at about the same time. */
	pv_virtio_break(&dev, "enough");
	turn(wk);
	return NULL;
}

/* A count never goes back, and is never of more than there can be. */
static void
look_at_counters(const struct worker *wk, struct pv_virtq_counters *last)
{
	struct pv_virtq_counters qc;

	pv_virtq_counters(wk->wk_vq, &qc);
	assert_true(qc.qc_used >= last->qc_used);
	assert_true(qc.qc_doorbells >= last->qc_doorbells);
	assert_true(qc.qc_interrupts >= last->qc_interrupts);
	assert_true(qc.qc_enqueued + SIZE >= last->qc_enqueued);
	*last = qc;
}

static void
look(void)
{
	struct pv_virtq_counters last[NQUEUES] = { 0 };
	uint32_t val;
	const struct pv_config_field field = { 4, 4, 1, &val };
	unsigned int i;

	gather();
	for (i = 0; i < ROUNDS && pv_virtio_broken(&dev) == NULL; i++) {
		assert_int_equal(pv_virtio_config_read(&dev, &field, 1), 0);
		assert_int_equal(val, 8);
		look_at_counters(&workers[i % NQUEUES], &last[i % NQUEUES]);
	}
}

static void
begin(void)
{
	static const struct pv_virtio_callbacks cb = { .vc_broken = broken };
	static const struct pv_feature_table none;
	struct pv_virtq_params params = {
		.vp_name = "q", .vp_maxpieces = 1, .vp_maxsegs = 1,
		.vp_intr = note,
	};
	unsigned int i;

	port_reset();
	assert_int_equal(pv_virtio_init(&dev, &plain_transport, &plain,
	    PV_TYPE_NET, &port_dma_tag, "threads0", &cb, NULL), 0);
	assert_int_equal(pv_virtio_negotiate(&dev, &none, NULL), 0);
	for (i = 0; i < NQUEUES; i++) {
		params.vp_arg = &workers[i];
		workers[i].wk_buf = port_buf_new(64);
		assert_int_equal(pv_virtq_alloc(&dev, i, &params,
		    &workers[i].wk_vq), 0);
	}
	assert_int_equal(pv_virtio_start(&dev), 0);
}

static void
queues_run_at_once(void **state)
{
	struct pv_virtq_counters qc;
	unsigned int i;

	(void)state;
	begin();
	for (i = 0; i < NQUEUES; i++)
		assert_int_equal(pthread_create(&workers[i].wk_thread, NULL,
		    work, &workers[i]), 0);
	look();
	for (i = 0; i < NQUEUES; i++)
		pthread_join(workers[i].wk_thread, NULL);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_virtio_stop(&dev), 0);
	for (i = 0; i < NQUEUES; i++) {
		while (pv_virtq_drain(workers[i].wk_vq) != NULL)
			continue;
		pv_virtq_counters(workers[i].wk_vq, &qc);
		assert_int_equal(qc.qc_used, workers[i].wk_done);
		assert_true(workers[i].wk_done >= ROUNDS);
		assert_true(workers[i].wk_intrs > 0);
		pv_virtq_free(workers[i].wk_vq);
		port_buf_free(workers[i].wk_buf);
	}
	assert_int_equal(port_check(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_run_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
