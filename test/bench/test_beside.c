/* SPDX-License-Identifier: ISC */
/*
 * A device that runs beside the CPU, at any point between two of the queue's
 * accesses to memory, and sees its stores in any order that barriers allow. No
 * wake-up is lost either way, and no chain. Then each kind of barrier is taken
 * away, and that is found.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/virtq.h>

#include "desk.h"
#include "rig.h"

#define NBUFS	8
#define ROUNDS	200

static struct rig rig;
static struct pv_virtq *vq;
static struct port_buf *bufs[NBUFS];
static int busy[NBUFS];

/* The device: what it does next. */
static enum { TAKE, GIVE, TELL } phase;
static struct rig_chain chain;
static int asleep;		/* until a doorbell */
static int told;		/* an interrupt is pending */
static unsigned int lost;	/* wake-ups */
static unsigned int old;	/* entries that were read too early */

static char without;		/* the kind of barrier that does nothing */

static void
barrier(bool outer, char kind)
{
	if (kind != without)
		port_bus->pb_barrier(outer, kind);
}

static void
notified(struct rig *rg, unsigned int queue)
{
	(void)rg;
	(void)queue;
	asleep = 0;
}

/* Whether the driver wants to hear of the used entry that was just given. */
static int
wants_interrupt(void)
{
	const struct rig_queue *rq = &rig.rg_queues[0];
	const struct pv_queue_place *qp = &rq->rq_place;
	uint16_t v;

	if (rig_has(&rig, PV_F_RING_PACKED))
		return pk_wants(&rq->rq_packed,
		    (uint16_t)(rq->rq_packed.pk_nused - 1));
	if (rig.rg_accepted & PV_F_BIT(PV_F_EVENT_IDX)) {
		port_dma_read(qp->qp_driver + 4 + 2 * qp->qp_size, &v, 2);
		return (uint16_t)(rq->rq_used - 1) == v;
	}
	port_dma_read(qp->qp_driver, &v, 2);
	return (v & 1) == 0;
}

static void
device_step(void *arg)
{
	(void)arg;
	if (asleep)
		return;
	switch (phase) {
	case TAKE:
		if (rig_take(&rig, 0, &chain))
			phase = GIVE;
		else
			asleep = 1;
		break;
	case GIVE:
		rig_write(&chain, 0, "answer", 6);
		rig_give(&rig, 0, chain.rc_head, 6);
		phase = TELL;
		break;
	case TELL:
		told |= wants_interrupt();
		phase = TAKE;
		break;
	}
}

static void
drain(void)
{
	unsigned int i, tries = 0;
	struct pv_used us;

	do {
		assert_true(tries++ < 1000);
		while (pv_virtq_dequeue(vq, &us) == 0) {
			i = (unsigned int)((int *)us.us_cookie - busy);
			assert_in_range(i, 0, NBUFS - 1);
			old += us.us_len != 6 ||
			    memcmp(bufs[i]->pb_va, "answer", 6) != 0;
			busy[i] = 0;
		}
		if (pv_virtio_broken(&rig.rg_dev) != NULL) {
			old++;
			return;
		}
	} while (pv_virtq_intr_enable(vq));
}

static void
post(unsigned int n)
{
	struct pv_piece pc = { .pc_off = 0, .pc_len = 64 };
	unsigned int i;

	for (i = 0; i < NBUFS && n > 0; i++) {
		if (busy[i])
			continue;
		memset(bufs[i]->pb_va, 0, 64);
		pc.pc_map = bufs[i]->pb_map;
		assert_int_equal(pv_virtq_enqueue(vq, &pc, 0, 1, &busy[i]), 0);
		busy[i] = 1;
		n--;
	}
	pv_virtq_publish(vq);
}

/* Sleep until the device tells of something; true: it never will. */
static int
wait_for_device(void)
{
	unsigned int i;

	for (i = 0; i < 1000 && !told; i++) {
		if (asleep)
			return 1;
		device_step(NULL);
	}
	return !told;
}

static void
begin(const char *bus, uint64_t features, unsigned int seed)
{
	const struct pv_virtq_params params = {
		.vp_name = "q", .vp_size = NBUFS, .vp_maxpieces = 1,
		.vp_maxsegs = 1,
	};
	static const struct pv_feature_table none;
	char words[128];
	unsigned int i;

	snprintf(words, sizeof(words), "%s,seed=%u", bus, seed);
	desk_config(words);
	if (without == 'm') {
		bench_expect(BENCH_FULL_ORDER);
		bench_expect(BENCH_STORE_ORDER);	/* at the doorbell */
	} else if (without == 'w')
		bench_expect(BENCH_STORE_ORDER);
	else if (without == 'r')
		bench_expect(BENCH_LOAD_ORDER);
	port_bus_barrier = barrier;
	rig_new(&rig, PV_TYPE_ENTROPY);
	rig.rg_offered |= features;
	rig.rg_intr = 0;
	rig.rg_notify = notified;
	assert_int_equal(pv_virtio_negotiate(rig_init(&rig), &none, NULL), 0);
	assert_int_equal(pv_virtq_alloc(&rig.rg_dev, 0, &params, &vq), 0);
	assert_int_equal(pv_virtio_start(&rig.rg_dev), 0);
	for (i = 0; i < NBUFS; i++)
		bufs[i] = port_buf_new(128);
	memset(busy, 0, sizeof(busy));
	phase = TAKE;
	asleep = told = 0;
	bench_step_use(device_step, NULL, 3);
}

static void
end(void)
{
	unsigned int i;

	bench_step_use(NULL, NULL, 0);
	pv_virtio_stop(&rig.rg_dev);
	while (pv_virtq_drain(vq) != NULL)
		;
	pv_virtq_free(vq);
	pv_virtio_fail(&rig.rg_dev);
	for (i = 0; i < NBUFS; i++)
		port_buf_free(bufs[i]);
}

static void
run(const char *bus, uint64_t features, unsigned int seed)
{
	unsigned int i;

	begin(bus, features, seed);
	for (i = 0; i < ROUNDS && !pv_virtio_broken(&rig.rg_dev); i++) {
		post(1 + bench_random(3));
		if (bench_random(4) == 0)
			pv_virtq_intr_disable(vq);
		drain();
		if (pv_virtq_outstanding(vq) != 0 && wait_for_device()) {
			lost++;
			asleep = 0;	/* the watchdog's poll */
		}
		told = 0;
		drain();
	}
	end();
}

#define EVENT	PV_F_BIT(PV_F_EVENT_IDX)
#define PACKED	PV_F_BIT(PV_F_RING_PACKED)
#define ORDER	PV_F_BIT(PV_F_IN_ORDER)

static const uint64_t kinds[] = {
	0, EVENT, ORDER, PACKED, PACKED | EVENT, PACKED | EVENT | ORDER,
};

#define NKINDS	(sizeof(kinds) / sizeof(kinds[0]))

static const char *const buses[] = {
	"coherent", "noncoherent,refuse-coherent,line=64",
	"noncoherent,refuse-coherent,line=128", "bounce,refuse-coherent",
};

static void
nothing_is_lost(void **state)
{
	unsigned int i, k, seed;

	(void)state;
	without = 0;
	lost = old = 0;
	for (seed = 1; seed <= 8; seed++)
		for (i = 0; i < 4; i++)
			/* Packed ones take coherent memory. */
			for (k = 0; k < (i == 0 ? NKINDS : 3); k++) {
				run(buses[i], kinds[k], seed);
				assert_int_equal(desk_finish(NULL), 0);
			}
	assert_int_equal(lost, 0);
	assert_int_equal(old, 0);
	desk_config("coherent");
}

/* The rule's findings, for each kind of queue; what is lost, by kind. */
static void
run_without(char kind, enum bench_rule rule, const unsigned int *damage)
{
	unsigned int k, seed;

	without = kind;
	for (k = 0; k < NKINDS; k++) {
		lost = old = 0;
		for (seed = 1; seed <= 8; seed++) {
			run("coherent", kinds[k], seed);
			assert_int_not_equal(bench_found(rule), 0);
			desk_finish(NULL);
		}
		assert_int_not_equal(*damage, 0);
	}
	without = 0;
	desk_config("coherent");
}

static void
without_full_barriers_wake_ups_are_lost(void **state)
{
	(void)state;
	run_without('m', BENCH_FULL_ORDER, &lost);
}

static void
without_read_barriers_entries_are_old(void **state)
{
	(void)state;
	run_without('r', BENCH_LOAD_ORDER, &old);
}

static void
without_write_barriers_an_index_overtakes(void **state)
{
	unsigned int i;

	(void)state;
	without = 'w';
	for (i = 0; i < 2; i++) {
		begin("coherent", i ? PACKED : 0, 1);
		bench_step_use(NULL, NULL, 0);
		post(1);
		assert_int_not_equal(bench_found(BENCH_STORE_ORDER), 0);
		assert_non_null(strstr(bench_last(),
		    i ? "packed_publish" : "split_publish"));
		end();
		desk_finish(NULL);
	}
	without = 0;
	desk_config("coherent");
}

#define T(f)	cmocka_unit_test_teardown(f, desk_finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_lost),
		T(without_full_barriers_wake_ups_are_lost),
		T(without_read_barriers_entries_are_old),
		T(without_write_barriers_an_index_overtakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
