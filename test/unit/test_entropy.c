/* SPDX-License-Identifier: ISC */
/*
 * lib/device/entropy.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/entropy.h>

#include "attach_fails.h"
#include "port.h"
#include "rig.h"

static struct rig rig;
static struct pv_entropy entropy;
static uint32_t gives;			/* bytes that the device writes */
static uint32_t claims;			/* that it says */
static int mute;
static unsigned int nready, nbroken;

static void
note_ready(void *arg)
{
	(void)arg;
	nready++;
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	nbroken++;
}

static const struct pv_entropy_callbacks callbacks = {
	note_ready, note_broken
};

static void
notified(struct rig *rg, unsigned int queue)
{
	uint8_t bytes[PV_ENTROPY_BUFLEN];
	struct rig_chain rc;

	while (!mute && rig_take(rg, queue, &rc)) {
		assert_int_equal(rc.rc_outlen, 0);
		assert_int_equal(rc.rc_inlen, PV_ENTROPY_BUFLEN);
		memset(bytes, 0xe7, sizeof(bytes));
		rig_write(&rc, 0, bytes, gives);
		rig_give(rg, queue, rc.rc_head, claims);
		rig_interrupt(rg, PV_INTR_QUEUE);
	}
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_ENTROPY);
	rig.rg_configlen = 0;
	rig.rg_notify = notified;
	gives = claims = PV_ENTROPY_BUFLEN;
	mute = 0;
	nready = nbroken = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return port_check();
}

static int
attach(void)
{
	return pv_entropy_attach(&entropy, rig_init(&rig), &callbacks, NULL);
}

static void
detach(void)
{
	assert_int_equal(pv_entropy_detach(&entropy), 0);
}

static void
bytes_come_when_asked_for(void **state)
{
	uint8_t buf[64];

	(void)state;
	port.po_shadow = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(nready, 1);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 64);
	assert_int_equal(buf[0], 0xe7);
	assert_int_equal(buf[63], 0xe7);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 0);
	assert_int_equal(entropy.sc_bytes, 64);
	detach();
}

static void
one_request_at_a_time(void **state)
{
	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(rig.rg_queues[0].rq_notified, 1);
	detach();
}

static void
a_missed_doorbell_is_rung_again(void **state)
{
	uint8_t buf[64];

	(void)state;
	assert_int_equal(attach(), 0);
	rig.rg_miss = 1;
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 0);
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 0);
	assert_int_equal(nready, 1);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 64);
	detach();
}

static void
fewer_bytes_than_asked_for(void **state)
{
	uint8_t buf[64];

	(void)state;
	assert_int_equal(attach(), 0);
	gives = claims = 8;
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 8);
	gives = claims = 0;
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 0);
	gives = claims = 64;
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 64);
	detach();
}

static void
hostile_used_length(void **state)
{
	struct pv_virtq_counters qc;
	uint8_t buf[1024];

	(void)state;
	assert_int_equal(attach(), 0);
	claims = 0x53355885;
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 1024),
	    PV_ENTROPY_BUFLEN);
	pv_virtq_counters(entropy.sc_requestq, &qc);
	assert_int_equal(qc.qc_clamped, 1);
	detach();
}

static void
hostile_used_id(void **state)
{
	uint8_t buf[64];

	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	rig_give(&rig, 0, 3, 16);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), -EIO);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_entropy_request(&entropy), EIO);
	assert_int_equal(pv_entropy_stop(&entropy), 0);
	assert_int_equal(pv_entropy_request(&entropy), ENXIO);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), -ENXIO);
	mute = 0;
	assert_int_equal(pv_entropy_start(&entropy), 0);
	assert_int_equal(pv_entropy_start(&entropy), EBUSY);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 64), 64);
	detach();
}

static void
detach_with_a_request_in_flight(void **state)
{
	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	detach();
}

static void
hostile_reset_never_confirmed(void **state)
{
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	rig.rg_stuck = 1;
	assert_int_equal(pv_entropy_detach(&entropy), ETIMEDOUT);
	/* The buffer and the ring stay where the device may write. */
	assert_int_equal(port.po_dmamems, 2);
	assert_int_equal(port.po_loads, 2);
	assert_int_equal(port_check_rules(), 0);
	setup(state);
}

static const struct attach_fails life = {
	&rig, setup, attach, NULL, detach, NULL, 3
};

static void
attach_fails_cleanly_wherever_memory_ends(void **state)
{
	attach_without_memory(&life, state);
}

static void
attach_looks_at_each_allocation(void **state)
{
	attach_without_one(&life, state);
}

static void
nobody_needs_to_listen(void **state)
{
	(void)state;
	assert_int_equal(pv_entropy_attach(&entropy, rig_init(&rig), NULL,
	    NULL), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	pv_virtio_break(&rig.rg_dev, "test");
	assert_int_equal(pv_entropy_request(&entropy), EIO);
	assert_int_equal(pv_entropy_stop(&entropy), 0);
	detach();
}

static void
a_broken_device_is_not_asked(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	pv_virtio_break(&rig.rg_dev, "test");
	assert_int_equal(pv_entropy_request(&entropy), EIO);
	detach();
}

/* What was not confirmed is not begun anew, if the device is back or not. */
static void
no_start_after_a_reset_that_failed(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	rig.rg_stuck = 1;
	assert_int_equal(pv_entropy_stop(&entropy), ETIMEDOUT);
	rig.rg_stuck = 0;
	assert_int_equal(pv_entropy_start(&entropy), EIO);
	detach();
}

/* As a device that is slow to stop: it is the second reset that ends it. */
static void
a_reset_confirmed_at_last_gives_back_what_one_did_not(void **state)
{
	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	rig.rg_stuck = 1;
	assert_int_equal(pv_entropy_stop(&entropy), ETIMEDOUT);
	rig.rg_stuck = 0;
	detach();
}

static void
a_restart_needs_no_memory(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_stop(&entropy), 0);
	port.po_fail_after = 0;
	assert_int_equal(pv_entropy_start(&entropy), 0);
	port.po_fail_after = -1;
	detach();
}

static void
a_queue_that_shrank_is_made_anew(void **state)
{
	uint8_t buf[4];

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_entropy_stop(&entropy), 0);
	rig.rg_queues[0].rq_max = 4;
	assert_int_equal(pv_entropy_start(&entropy), 0);
	assert_int_equal(pv_virtq_size(entropy.sc_requestq), 4);
	assert_int_equal(pv_entropy_request(&entropy), 0);
	assert_int_equal(pv_entropy_read(&entropy, buf, 4), 4);
	detach();
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(bytes_come_when_asked_for),
		T(a_missed_doorbell_is_rung_again),
		T(one_request_at_a_time),
		T(fewer_bytes_than_asked_for),
		T(hostile_used_length),
		T(hostile_used_id),
		T(detach_with_a_request_in_flight),
		T(hostile_reset_never_confirmed),
		T(attach_fails_cleanly_wherever_memory_ends),
		T(attach_looks_at_each_allocation),
		T(nobody_needs_to_listen),
		T(a_broken_device_is_not_asked),
		T(no_start_after_a_reset_that_failed),
		T(a_reset_confirmed_at_last_gives_back_what_one_did_not),
		T(a_restart_needs_no_memory),
		T(a_queue_that_shrank_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
