/* SPDX-License-Identifier: ISC */
/*
 * The core at its limits, and misused: the value just inside and the one just
 * outside, what a caller or a device does out of turn, each allocation that
 * fails alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rig.h"
#include "stand.h"

#define dev	(&rig.rg_dev)

static struct rig rig;
static struct pv_transport_ops ops;
static struct pv_bus_dma_tag tag;
static struct pv_virtq *queues[RIG_NQUEUES];
static unsigned int ncalls, nbroken, nconfig;

static const struct pv_feature_table no_features;

static void
count_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	nbroken++;
}

static void
count_config(void *arg)
{
	(void)arg;
	nconfig++;
}

static void
count_intr(void *arg)
{
	(void)arg;
	ncalls++;
}

static const struct pv_virtio_callbacks callbacks = {
	.vc_broken = count_broken,
	.vc_config = count_config,
};

static struct pv_virtq_params params;

/* A device; its transport and its bus can be changed in ops and tag. */
static int
setup(void **state)
{
	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_ENTROPY);
	rig_init(&rig);
	pv_virtio_set_callbacks(dev, &callbacks, NULL);
	ops = *dev->vd_ops;
	dev->vd_ops = &ops;
	tag = port_dma_tag;
	dev->vd_dmat = &tag;
	ncalls = nbroken = nconfig = 0;
	memset(queues, 0, sizeof(queues));
	params = (struct pv_virtq_params){
		.vp_name = "limits", .vp_size = 8, .vp_maxpieces = 4,
		.vp_maxsegs = 4, .vp_intr = count_intr,
	};
	return 0;
}

static void
queue(unsigned int i)
{
	assert_int_equal(pv_virtq_alloc(dev, i, &params, &queues[i]), 0);
}

static void
negotiate(void)
{
	assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL), 0);
}

static void
run(unsigned int first, unsigned int n)
{
	negotiate();
	for (; n > 0; n--)
		queue(first++);
	assert_int_equal(pv_virtio_start(dev), 0);
}

static int
teardown(void **state)
{
	unsigned int i;

	(void)state;
	if (pv_virtio_stop(dev) != 0)
		return -1;
	for (i = 0; i < RIG_NQUEUES; i++) {
		while (queues[i] != NULL && pv_virtq_drain(queues[i]) != NULL)
			continue;
		pv_virtq_free(queues[i]);
	}
	return port_check();
}

/* Configuration */

static unsigned int nreads;

static void
count_reading(struct rig *rg, unsigned int off)
{
	(void)rg;
	(void)off;
	nreads++;
}

static uint8_t
count_status(void *v)
{
	ncalls++;
	return ((struct rig *)v)->rg_status;
}

static void
a_steady_reading_is_read_once(void **state)
{
	uint32_t value;
	const struct pv_config_field field = { 0, 4, 1, &value };

	(void)state;
	nreads = 0;
	rig_put32(&rig, 0, 7);
	rig.rg_config_read = count_reading;
	ops.to_status_read = count_status;
	assert_int_equal(pv_virtio_config_read(dev, &field, 1), 0);
	assert_int_equal(value, 7);
	assert_int_equal(nreads, 1);
	assert_int_equal(ncalls, 0);
}

static int
count_writing(void *v, unsigned int off, unsigned int width, uint32_t val)
{
	(void)v;
	(void)off;
	(void)width;
	(void)val;
	ncalls++;
	return 0;
}

static void
only_fields_are_written(void **state)
{
	(void)state;
	ops.to_config_write = count_writing;
	assert_int_equal(pv_virtio_config_write(dev, 1, 2, 0), ERANGE);
	assert_int_equal(pv_virtio_config_write(dev, 2, 4, 0), ERANGE);
	assert_int_equal(pv_virtio_config_write(dev, 0, 3, 0), ERANGE);
	assert_int_equal(pv_virtio_config_write(dev, 0, 8, 0), ERANGE);
	assert_int_equal(ncalls, 0);
	assert_int_equal(pv_virtio_config_write(dev, 1, 1, 0), 0);
	assert_int_equal(pv_virtio_config_write(dev, 2, 2, 0), 0);
	assert_int_equal(pv_virtio_config_write(dev, 4, 4, 0), 0);
	assert_int_equal(ncalls, 3);
	pv_virtio_break(dev, "test");
	assert_int_equal(pv_virtio_config_write(dev, 4, 4, 0), EIO);
	assert_int_equal(ncalls, 3);
}

static void
a_field_outside_is_an_error_in_either_reading(void **state)
{
	uint64_t value;
	const struct pv_config_field field = { 1000, 8, 1, &value };

	(void)state;
	assert_int_equal(pv_virtio_config_read(dev, &field, 1), ERANGE);
	rig.rg_legacy = 1;
	assert_int_equal(pv_virtio_config_read(dev, &field, 1), ERANGE);
}

/* Names */

static void
names_end_where_they_end(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		pv_virtio_type_name(i);
		pv_virtio_feature_name(dev, i);
		assert_non_null(pv_feature_why_name((enum pv_feature_why)i));
	}
	assert_int_equal(pv_virtio_type(dev), PV_TYPE_ENTROPY);
}

/* Negotiation */

static const struct pv_feature leaning[] = {
	{ 0, PV_FEATURE_WANTED, "A", PV_F_BIT(1) },
	{ 1, PV_FEATURE_WANTED, "B", 0 },
};

static const struct pv_feature_table leaning_features = {
	.ft_features = leaning, .ft_nfeatures = 2,
};

static void
what_was_not_offered_does_not_lack_its_ground(void **state)
{
	(void)state;
	assert_int_equal(pv_virtio_negotiate(dev, &leaning_features, NULL), 0);
	assert_int_equal(pv_virtio_negotiation(dev)->ng_why[0],
	    PV_WHY_NOT_OFFERED);
}

static void
vanish(struct rig *rg)
{
	rg->rg_gone = 1;
}

static void
removal_is_no_refusal(void **state)
{
	(void)state;
	rig.rg_features_ok = vanish;
	assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL), EIO);
	assert_false(port_logged("refused"));
	rig.rg_gone = 0;
}

/* It needs a reset, once, as soon as it was told of this bit. */
static uint8_t needs_after;

static uint8_t
status_in_need(void *v)
{
	struct rig *rg = v;
	uint8_t status = rg->rg_status;

	if (needs_after == 0 || (status & needs_after) == 0)
		return status;
	needs_after = 0;
	return status | PV_STATUS_NEEDS_RESET;
}

static void
a_device_in_need_of_a_reset_took_nothing(void **state)
{
	(void)state;
	ops.to_status_read = status_in_need;
	rig.rg_offered |= PV_F_BIT(PV_F_EVENT_IDX);
	needs_after = PV_STATUS_FEATURES_OK;
	negotiate();
	assert_int_equal(pv_virtio_negotiation(dev)->ng_tries, 2);
	queue(0);
	needs_after = PV_STATUS_DRIVER_OK;
	assert_int_equal(pv_virtio_start(dev), EIO);
}

/* Messages */

static void
provoke(unsigned int n)
{
	for (; n > 0; n--) {
		pv_virtio_break(dev, "again");
		assert_int_equal(pv_virtio_stop(dev), 0);
	}
}

static void
messages_are_so_many_and_then_one_a_second(void **state)
{
	(void)state;
	port.po_now_ns = 5000000000;
	provoke(50);
	assert_int_equal(port.po_nlogs, 16);
	port.po_now_ns += 999999999;
	provoke(5);
	assert_int_equal(port.po_nlogs, 16);
	port.po_now_ns += 1;
	provoke(5);
	assert_int_equal(port.po_nlogs, 17);
	port.po_now_ns += 1000000000;
	provoke(5);
	assert_int_equal(port.po_nlogs, 18);
}

/* Reset */

static unsigned int looks;

static uint8_t
status_after_looks(void *v)
{
	(void)v;
	if (looks == 0)
		return 0;
	looks--;
	return 1;
}

static void
a_quick_reset_sleeps_for_nobody(void **state)
{
	uint64_t before = port.po_now_ns;

	(void)state;
	ops.to_status_read = status_after_looks;
	looks = 60;
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_int_equal(looks, 0);
	assert_in_range(port.po_now_ns - before, 1, 100000);
}

/* Interrupts */

static unsigned int nsetups, nteardowns;

static enum pv_intr_mode
count_setup(void *v, struct pv_virtio *d, unsigned int n)
{
	(void)v;
	(void)d;
	(void)n;
	nsetups++;
	return PV_INTR_MODE_SHARED;
}

static void
count_teardown(void *v)
{
	(void)v;
	nteardowns++;
}

static void
handlers_are_taken_back_once(void **state)
{
	(void)state;
	nsetups = nteardowns = 0;
	ops.to_intr_setup = count_setup;
	ops.to_intr_teardown = count_teardown;
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_int_equal(nteardowns, 0);
	run(0, 1);
	assert_int_equal(nsetups, 1);
	pv_virtio_fail(dev);
	assert_int_equal(nteardowns, 1);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_int_equal(nteardowns, 1);
}

static void
a_queue_that_is_missing_is_passed_over(void **state)
{
	(void)state;
	run(1, 1);
	assert_int_equal(pv_virtio_intr(dev, PV_INTR_QUEUE), 1);
	assert_int_equal(ncalls, 1);
	assert_int_equal(pv_virtio_intr_queue(dev, 0), 1);
	assert_int_equal(pv_virtio_poll(dev), 0);
	assert_int_equal(ncalls, 1);
	assert_string_equal(pv_virtq_name(queues[1]), "limits");
}

static void
a_broken_device_calls_nobody(void **state)
{
	(void)state;
	run(0, 1);
	pv_virtio_break(dev, "test");
	assert_int_equal(pv_virtio_intr(dev, PV_INTR_QUEUE | PV_INTR_CONFIG),
	    1);
	assert_int_equal(pv_virtio_intr_queue(dev, 0), 1);
	assert_int_equal(pv_virtio_poll(dev), 0);
	assert_int_equal(ncalls + nconfig, 0);
	assert_int_equal(nbroken, 1);
}

static void
the_poll_of_a_broken_device_calls_nobody(void **state)
{
	(void)state;
	run(0, 2);
	rig.rg_status |= PV_STATUS_NEEDS_RESET;
	assert_int_equal(pv_virtio_poll(dev), 1);
	assert_int_equal(ncalls, 0);
	assert_int_equal(nbroken, 1);
}

static void
before_the_start_the_poll_looks_at_nothing(void **state)
{
	(void)state;
	negotiate();
	queue(0);
	rig.rg_status |= PV_STATUS_NEEDS_RESET;
	assert_int_equal(pv_virtio_poll(dev), 0);
	assert_int_equal(nbroken, 0);
}

static void
a_break_that_nobody_hears_of(void **state)
{
	(void)state;
	pv_virtio_set_callbacks(dev, NULL, NULL);
	assert_int_equal(pv_virtio_break(dev, "test"), EIO);
	assert_string_equal(pv_virtio_broken(dev), "test");
	/* Another CPU sees the latch before the reason. */
	dev->vd_why = NULL;
	assert_string_equal(pv_virtio_broken(dev), "broken");
}

static struct stand stand;

/* One that the device has taken and given back. */
static void
served(unsigned int index, struct pv_virtq *vq, struct port_buf *pb)
{
	const struct pv_piece pc = { pb->pb_map, 0, 4 };
	struct fake_chain fc;
	struct pv_used us;

	assert_int_equal(pv_virtq_enqueue(vq, &pc, 1, 0, pb), 0);
	assert_int_equal(pv_virtq_publish(vq), 1);
	assert_int_equal(fake_pop(&stand.st_fd, index, &fc), 1);
	assert_int_equal(fc.fc_outlen, 4);
	fake_push(&stand.st_fd, index, &fc, 0);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_ptr_equal(us.us_cookie, pb);
}

/* Beside one of index 0. */
static void
a_far_queue(enum stand_kind kind, unsigned int index, uint64_t features)
{
	struct pv_virtio *sd = &stand.st_dev;
	struct port_buf *pb;
	struct pv_virtq *near, *far, *other;

	stand_init(&stand, kind, PV_TYPE_ENTROPY, FAKE_MAXQUEUES);
	pb = port_buf_new(4);
	stand.st_fd.fd_features |= features;
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(sd, &no_features, NULL), 0);
	assert_int_equal(pv_virtq_alloc(sd, FAKE_MAXQUEUES, &params, &far),
	    ENXIO);
	assert_int_equal(pv_virtq_alloc(sd, 0, &params, &near), 0);
	assert_int_equal(pv_virtq_alloc(sd, index, &params, &far), 0);
	assert_int_equal(pv_virtq_index(far), index);
	assert_int_equal(pv_virtq_alloc(sd, index, &params, &other), EINVAL);
	assert_int_equal(pv_virtq_alloc(sd, PV_MAXQUEUES + 3, &params, &other),
	    EINVAL);
	assert_int_equal(pv_virtio_start(sd), 0);
	if (kind == STAND_PCI)
		assert_int_equal(stand.st_pp.pp_nvectors, 2);
	served(index, far, pb);
	served(0, near, pb);
	if (features != 0) {
		assert_int_equal(pv_virtq_reset(far), 0);
		assert_int_equal(pv_virtq_reenable(far), 0);
		assert_int_equal(stand.st_fd.fd_queues[index].fq_vector,
		    FAKE_NO_VECTOR);
		served(index, far, pb);
	}
	/* It has no vector; with a line of all queues it is heard too. */
	ncalls = 0;
	assert_int_equal(pv_virtio_intr_queue(sd, PV_MAXQUEUES), 1);
	assert_int_equal(ncalls, 0);
	assert_int_equal(pv_virtio_intr(sd, PV_INTR_QUEUE), 1);
	assert_int_equal(ncalls, 2);
	assert_int_equal(pv_virtio_stop(sd), 0);
	pv_virtq_free(far);
	assert_int_equal(pv_virtq_alloc(sd, index + 1, &params, &far), 0);
	pv_virtq_free(far);
	pv_virtq_free(near);
	port_buf_free(pb);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
one_queue_may_be_far(void **state)
{
	unsigned int kind;

	for (kind = 0; kind < STAND_NKINDS; kind++) {
		setup(state);
		a_far_queue(kind, PV_MAXQUEUES, 0);
		a_far_queue(kind, FAKE_MAXQUEUES - 2, 0);
	}
	a_far_queue(STAND_PCI, PV_MAXQUEUES, PV_F_BIT(PV_F_RING_RESET));
	a_far_queue(STAND_PCI, PV_MAXQUEUES + 1,
	    PV_F_BIT(PV_F_RING_RESET) | PV_F_BIT(PV_F_NOTIF_CONFIG_DATA));
	setup(state);
}

static void
the_last_queue_has_no_next(void **state)
{
	struct pv_virtq *last;

	(void)state;
	stand_init(&stand, STAND_PCI, PV_TYPE_ENTROPY, PV_MAXQUEUES);
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(&stand.st_dev, &no_features,
	    NULL), 0);
	assert_int_equal(pv_virtq_alloc(&stand.st_dev, PV_MAXQUEUES, &params,
	    &last), ENXIO);
	assert_int_equal(pv_virtq_alloc(&stand.st_dev, PV_MAXQUEUES - 1,
	    &params, &last), 0);
	assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
	assert_int_not_equal(stand.st_fd.fd_queues[PV_MAXQUEUES - 1].fq_vector,
	    FAKE_NO_VECTOR);
	assert_int_equal(pv_virtio_intr_queue(&stand.st_dev, PV_MAXQUEUES), 1);
	assert_int_equal(ncalls, 0);
	assert_int_equal(pv_virtio_intr_queue(&stand.st_dev,
	    PV_MAXQUEUES - 1), 1);
	assert_int_equal(ncalls, 1);
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	pv_virtq_free(last);
	assert_int_equal(stand_finish(&stand), 0);
	setup(NULL);
}

/* Queues: making them */

static unsigned int nstops;

static void
count_stop(void *v, unsigned int q)
{
	(void)v;
	assert_int_equal(q, 1);
	nstops++;
}

static void
only_legacy_queues_are_stopped(void **state)
{
	(void)state;
	nstops = 0;
	ops.to_queue_stop = count_stop;
	run(1, 1);
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_int_equal(nstops, 0);
	if (!STAND_HAS_LEGACY)
		return;
	rig.rg_legacy = 1;
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_int_equal(nstops, 1);
	rig.rg_legacy = 0;
}

static int
refuse_the_first(void *arg, unsigned int q, const struct pv_queue_place *qp)
{
	(void)arg;
	(void)qp;
	ncalls++;
	return q == 0 ? EIO : 0;
}

/* Another that is enabled after it does not make up for it. */
static void
a_queue_that_is_refused_is_no_start(void **state)
{
	(void)state;
	negotiate();
	queue(0);
	queue(1);
	ops.to_queue_enable = refuse_the_first;
	assert_int_equal(pv_virtio_start(dev), EIO);
	assert_int_equal(ncalls, 1);
}

static int
try(unsigned int index, unsigned int size, unsigned int maxpieces,
    unsigned int maxsegs)
{
	struct pv_virtq_params vp = params;
	struct pv_virtq *vq;
	int error;

	vp.vp_size = size;
	vp.vp_maxpieces = maxpieces;
	vp.vp_maxsegs = maxsegs;
	error = pv_virtq_alloc(dev, index, &vp, &vq);
	if (error == 0)
		pv_virtq_free(vq);
	return error;
}

static void
parameters_have_limits(void **state)
{
	(void)state;
	negotiate();
	assert_int_equal(try(0, 8, 0, 4), EINVAL);
	assert_int_equal(try(0, 8, 4, 0), EINVAL);
	assert_int_equal(try(0, 8, 1, 1), 0);
	assert_int_equal(try(0, 8, 1024, 4), 0);
	assert_int_equal(try(0, 8, 1025, 4), EINVAL);
	assert_int_equal(try(0, 32768, 1, 4), 0);
	assert_int_equal(try(0, 32769, 1, 4), EINVAL);
	rig.rg_queues[0].rq_max = 32768;
	assert_int_equal(try(0, 8, 1, 1), 0);
	rig.rg_queues[0].rq_max = 65536;
	assert_int_equal(try(0, 8, 1, 1), EINVAL);
	rig.rg_queues[0].rq_max = 0;
	assert_int_equal(try(0, 8, 1, 1), ENXIO);
}

static void
a_queue_is_made_once_and_before_the_start(void **state)
{
	(void)state;
	negotiate();
	queue(0);
	assert_int_equal(try(0, 8, 1, 1), EINVAL);
	assert_int_equal(pv_virtio_start(dev), 0);
	assert_int_equal(try(1, 8, 1, 1), EINVAL);
	assert_int_equal(pv_virtq_restart(queues[0]), EBUSY);
}

static unsigned int
one_queue(void *v)
{
	(void)v;
	return 1;
}

static unsigned int
any_queue(void *v, unsigned int q)
{
	(void)v;
	(void)q;
	return 8;
}

/* Whatever the registers of others say. */
static void
no_queue_beyond_those_that_there_are(void **state)
{
	(void)state;
	negotiate();
	queue(1);
	assert_int_equal(pv_virtio_stop(dev), 0);
	negotiate();
	ops.to_queue_count = one_queue;
	ops.to_queue_max = any_queue;
	assert_int_equal(pv_virtq_restart(queues[1]), EINVAL);
	assert_int_equal(try(0, 8, 1, 1), 0);
	assert_int_equal(try(2, 8, 1, 1), ENXIO);
	pv_virtq_free(queues[1]);
	queues[1] = NULL;
	assert_int_equal(try(1, 8, 1, 1), ENXIO);
}

static void
queues_go_in_any_order(void **state)
{
	(void)state;
	run(0, 3);
	assert_int_equal(pv_virtio_stop(dev), 0);
	pv_virtq_free(queues[2]);
	queues[2] = NULL;
	negotiate();
	assert_int_equal(pv_virtq_restart(queues[0]), 0);
	assert_int_equal(pv_virtq_restart(queues[1]), 0);
	assert_int_equal(pv_virtio_start(dev), 0);
	assert_int_equal(pv_virtio_intr(dev, PV_INTR_QUEUE), 1);
	assert_int_equal(ncalls, 2);
}

static void
a_queue_freed_while_it_runs_stays_behind(void **state)
{
	(void)state;
	run(0, 1);
	pv_virtq_free(queues[0]);
	assert_true(port_logged("stay behind"));
	assert_int_equal(port.po_dmamems, 1);
	assert_int_equal(port.po_loads, 1);
	queues[0] = NULL;
	assert_int_equal(port_check_rules(), 0);
	setup(state);
}

static void
no_reset_no_restart(void **state)
{
	(void)state;
	run(0, 1);
	rig.rg_stuck = 1;
	assert_int_equal(pv_virtio_stop(dev), ETIMEDOUT);
	assert_int_equal(pv_virtq_restart(queues[0]), EBUSY);
	rig.rg_stuck = 0;
}

static void
round_trip(struct pv_virtq *vq)
{
	struct port_buf *pb = port_buf_new(64);
	const struct pv_piece pc[2] = { { pb->pb_map, 0, 32 },
	    { pb->pb_map, 32, 32 } };
	struct rig_chain rc;
	struct pv_used us;

	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, pb), 0);
	pv_virtq_publish(vq);
	assert_int_equal(rig_take(&rig, 0, &rc), 1);
	rig_write(&rc, 0, "x", 1);
	rig_give(&rig, 0, rc.rc_head, 1);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_ptr_equal(us.us_cookie, pb);
	assert_int_equal(pb->pb_va[32], 'x');
	port_buf_free(pb);
}

/* One allocation after another fails, and the next does not. */
static void
each_allocation_is_looked_at(void **state)
{
	unsigned int good = 0;
	int n, error;

	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	for (n = 0; good < 30; n++) {
		negotiate();
		port.po_fail_one = 1;
		port.po_fail_after = n;
		error = pv_virtq_alloc(dev, 0, &params, &queues[0]);
		if (port.po_fail_after >= 0)
			good = 100;
		port.po_fail_after = -1;
		if (error != 0) {
			assert_int_equal(error, ENOMEM);
			assert_int_equal(port_check(), 0);
			continue;
		}
		assert_int_equal(pv_virtio_start(dev), 0);
		round_trip(queues[0]);
		assert_int_equal(pv_virtio_stop(dev), 0);
		pv_virtq_free(queues[0]);
		queues[0] = NULL;
		assert_int_equal(port_check(), 0);
	}
	assert_true(n > 6);
}

static int mapped_flags;

static int
note_map(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, size_t size,
    void **kvap, int flags)
{
	(void)t;
	mapped_flags |= flags;
	return bus_dmamem_map(&port_dma_tag, segs, nsegs, size, kvap, flags);
}

static void
a_ring_asks_for_coherent_memory(void **state)
{
	(void)state;
	mapped_flags = 0;
	tag.dt_dmamem_map = note_map;
	run(0, 1);
	assert_true(mapped_flags & BUS_DMA_COHERENT);
}

/* A bus that had coherent memory while it was negotiated, and now has none. */
static int
map_without(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, size_t size,
    void **kvap, int flags)
{
	(void)t;
	if (flags & BUS_DMA_COHERENT)
		return ENOTSUP;
	return bus_dmamem_map(&port_dma_tag, segs, nsegs, size, kvap, flags);
}

static void
a_packed_ring_is_not_made_without_coherent_memory(void **state)
{
	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_F_RING_PACKED);
	negotiate();
	if (!pv_virtio_has(dev, PV_F_RING_PACKED))
		return;
	tag.dt_dmamem_map = map_without;
	assert_int_equal(pv_virtq_alloc(dev, 0, &params, &queues[0]), ENOTSUP);
	queues[0] = NULL;
}

/* Chains */

static void
a_chain_is_no_longer_than_its_queue(void **state)
{
	struct port_buf *pb = port_buf_new(64);
	struct pv_piece pc[16];
	unsigned int i;

	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	params.vp_maxpieces = params.vp_maxsegs = 16;
	run(0, 1);
	for (i = 0; i < 16; i++)
		pc[i] = (struct pv_piece){ pb->pb_map, i, 1 };
	assert_int_equal(pv_virtq_enqueue(queues[0], pc, 9, 0, pb), EFBIG);
	assert_int_equal(pv_virtq_enqueue(queues[0], pc, 8, 0, pb), 0);
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_ptr_equal(pv_virtq_drain(queues[0]), pb);
	port_buf_free(pb);
}

/* QEMU takes no more, whatever the queue's size. */
static void
a_table_has_at_most_1024_entries(void **state)
{
	struct port_buf *pb;
	struct pv_piece pc;

	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	rig.rg_queues[0].rq_max = 2048;
	params.vp_size = 2048;
	params.vp_maxsegs = 2048;
	run(0, 1);
	port.po_segsize = 16;
	pb = port_buf_new(1025 * 16);
	pc = (struct pv_piece){ pb->pb_map, 0, 1025 * 16 };
	assert_int_equal(pv_virtq_enqueue(queues[0], &pc, 1, 0, pb), EFBIG);
	pc.pc_len = 1024 * 16;
	assert_int_equal(pv_virtq_enqueue(queues[0], &pc, 1, 0, pb), 0);
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_ptr_equal(pv_virtq_drain(queues[0]), pb);
	port_buf_free(pb);
}

static void
tables_are_for_chains_of_two_and_more(void **state)
{
	struct port_buf *pb = port_buf_new(64);
	const struct pv_piece pc[2] = { { pb->pb_map, 0, 32 },
	    { pb->pb_map, 32, 32 } };
	unsigned long dmamems = port.po_dmamems;

	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	negotiate();
	params.vp_maxsegs = 1;
	queue(0);
	assert_int_equal(port.po_dmamems, dmamems + 1);
	params.vp_maxsegs = 2;
	queue(1);
	assert_int_equal(port.po_dmamems, dmamems + 3);
	assert_int_equal(pv_virtq_enqueue(queues[1], pc, 1, 1, pb), 0);
	assert_int_equal(pv_virtq_room(queues[1]), 7);
	assert_ptr_equal(pv_virtq_drain(queues[1]), pb);
	port_buf_free(pb);
}

/* Four bytes of a buffer, as one piece and as two, come to the device. */
static void
pieces_come(bus_size_t off)
{
	struct port_buf *pb = port_buf_new(64);
	const struct pv_piece pc[2] = {
		{ pb->pb_map, off, 4 }, { pb->pb_map, off, 4 }
	};
	struct rig_chain rc;
	struct pv_used us;
	unsigned int n;
	char got[4];

	memcpy(pb->pb_va + off, "abcd", 4);
	for (n = 1; n <= 2; n++) {
		assert_int_equal(pv_virtq_enqueue(queues[0], pc, n, 0, pb), 0);
		pv_virtq_publish(queues[0]);
		assert_int_equal(rig_take(&rig, 0, &rc), 1);
		assert_int_equal(rc.rc_outlen, 4 * n);
		rig_read(&rc, 4 * n - 4, got, 4);
		assert_memory_equal(got, "abcd", 4);
		rig_give(&rig, 0, rc.rc_head, 0);
		assert_int_equal(pv_virtq_dequeue(queues[0], &us), 0);
	}
	port_buf_free(pb);
}

static void
pieces_begin_in_any_segment(void **state)
{
	(void)state;
	run(0, 1);
	port.po_segsize = 16;
	pieces_come(40);
}

/* Buffers of the port's that need no sync, on a ring that does. */
static void
a_ring_is_synced_whatever_the_buffers_are(void **state)
{
	(void)state;
	if (port_bus != &port_plain_bus)
		skip();
	port.po_shadow = 1;
	run(0, 1);
	port.po_shadow = 0;
	pieces_come(0);
}

static bus_size_t longest;

static void
note_sync(bus_dma_tag_t t, bus_dmamap_t map, bus_addr_t off, bus_size_t len,
    int flags)
{
	(void)t;
	if (longest < len)
		longest = len;
	bus_dmamap_sync(&port_dma_tag, map, off, len, flags);
}

static void
no_more_is_synced_than_was_stored(void **state)
{
	struct port_buf *pb = port_buf_new(4);
	const struct pv_piece pc = { pb->pb_map, 0, 4 };

	(void)state;
	port.po_shadow = 1;
	run(0, 1);
	assert_int_equal(pv_virtq_enqueue(queues[0], &pc, 1, 0, pb), 0);
	longest = 0;
	tag.dt_dmamap_sync = note_sync;
	pv_virtq_publish(queues[0]);
	assert_in_range(longest, 0, 2);
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_ptr_equal(pv_virtq_drain(queues[0]), pb);
	port_buf_free(pb);
}

static void
a_broken_queue_rings_no_more(void **state)
{
	struct port_buf *pb = port_buf_new(4);
	const struct pv_piece pc = { pb->pb_map, 0, 4 };

	(void)state;
	run(0, 1);
	assert_false(pv_virtq_pending(queues[0]));
	assert_int_equal(pv_virtq_enqueue(queues[0], &pc, 1, 0, pb), 0);
	pv_virtio_break(dev, "test");
	assert_int_equal(pv_virtq_publish(queues[0]), 0);
	assert_int_equal(rig.rg_queues[0].rq_notified, 0);
	assert_true(pv_virtq_pending(queues[0]));
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_ptr_equal(pv_virtq_drain(queues[0]), pb);
	port_buf_free(pb);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_steady_reading_is_read_once),
		T(only_fields_are_written),
		T(a_field_outside_is_an_error_in_either_reading),
		T(names_end_where_they_end),
		T(what_was_not_offered_does_not_lack_its_ground),
		T(removal_is_no_refusal),
		T(a_device_in_need_of_a_reset_took_nothing),
		T(messages_are_so_many_and_then_one_a_second),
		T(a_quick_reset_sleeps_for_nobody),
		T(handlers_are_taken_back_once),
		T(a_queue_that_is_missing_is_passed_over),
		T(a_broken_device_calls_nobody),
		T(the_poll_of_a_broken_device_calls_nobody),
		T(before_the_start_the_poll_looks_at_nothing),
		T(a_break_that_nobody_hears_of),
		T(the_last_queue_has_no_next),
		T(one_queue_may_be_far),
		T(only_legacy_queues_are_stopped),
		T(a_queue_that_is_refused_is_no_start),
		T(parameters_have_limits),
		T(a_queue_is_made_once_and_before_the_start),
		T(no_queue_beyond_those_that_there_are),
		T(queues_go_in_any_order),
		T(a_queue_freed_while_it_runs_stays_behind),
		T(no_reset_no_restart),
		T(each_allocation_is_looked_at),
		T(a_ring_asks_for_coherent_memory),
		T(a_packed_ring_is_not_made_without_coherent_memory),
		T(a_chain_is_no_longer_than_its_queue),
		T(a_table_has_at_most_1024_entries),
		T(tables_are_for_chains_of_two_and_more),
		T(pieces_begin_in_any_segment),
		T(a_ring_is_synced_whatever_the_buffers_are),
		T(no_more_is_synced_than_was_stored),
		T(a_broken_queue_rings_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
