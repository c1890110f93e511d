/* SPDX-License-Identifier: ISC */
/*
 * lib/device/console.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/console.h>

#include "attach_fails.h"
#include "port.h"
#include "rig.h"
#include "wire.h"

#define RXQ	0
#define TXQ	1

static struct rig rig;
static struct pv_console con;
static char screen[32768];		/* what the device has printed */
static unsigned int printed;
static int mute;
static unsigned int ninput, nroom, nchanged, nbroken;

static void
note_input(void *arg)
{
	(void)arg;
	ninput++;
}

static void
note_room(void *arg)
{
	(void)arg;
	nroom++;
}

static void
note_changed(void *arg)
{
	(void)arg;
	nchanged++;
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	nbroken++;
}

static const struct pv_console_callbacks callbacks = {
	note_input, note_room, note_changed, note_broken
};

static void
print_one(struct rig *rg)
{
	struct rig_chain rc;

	if (!rig_take(rg, TXQ, &rc))
		return;
	assert_true(printed + rc.rc_outlen <= sizeof(screen));
	rig_read(&rc, 0, screen + printed, rc.rc_outlen);
	printed += rc.rc_outlen;
	rig_give(rg, TXQ, rc.rc_head, 0);
	rig_interrupt(rg, PV_INTR_QUEUE);
}

static void
notified(struct rig *rg, unsigned int queue)
{
	unsigned int i;

	if (queue == TXQ && !mute)
		for (i = 0; i < 64; i++)
			print_one(rg);
}

static void
tick(void *arg)
{
	print_one(arg);
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_CONSOLE);
	rig.rg_configlen = 12;
	rig.rg_notify = notified;
	printed = 0;
	mute = 0;
	ninput = nroom = nchanged = nbroken = 0;
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
	return pv_console_attach(&con, rig_init(&rig), &callbacks, NULL);
}

static void
detach(void)
{
	assert_int_equal(pv_console_detach(&con), 0);
}

/* By a wait, and by the next to be written. */
static void
a_missed_doorbell_is_rung_again(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	rig.rg_miss = 1;
	assert_int_equal(pv_console_write(&con, "hello\n", 6), 6);
	assert_int_equal(printed, 0);
	assert_int_equal(pv_console_flush(&con, 100000), 0);
	assert_int_equal(printed, 6);
	mute = 1;
	assert_int_equal(pv_console_write(&con, "a", 1), 1);
	assert_int_equal(pv_console_write(&con, "b", 1), 1);
	mute = 0;
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	rig.rg_miss = 1;
	rig.rg_queues[TXQ].rq_notified = 0;
	assert_int_equal(pv_console_write(&con, "c", 1), 1);
	assert_int_equal(rig.rg_queues[TXQ].rq_notified, 2);
	assert_memory_equal(screen, "hello\nabc", 9);
	detach();
}

/* Buffers to type into that the device has not heard of. */
static void
a_missed_doorbell_for_input_is_rung_again(void **state)
{
	char buf[8];

	(void)state;
	rig.rg_miss = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(rig.rg_queues[RXQ].rq_notified, 1);
	assert_int_equal(pv_console_read(&con, buf, 8), 0);
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_int_equal(pv_console_read(&con, buf, 8), 0);
	assert_int_equal(rig.rg_queues[RXQ].rq_notified, 2);
	assert_int_equal(pv_console_read(&con, buf, 8), 0);
	assert_int_equal(rig.rg_queues[RXQ].rq_notified, 2);
	detach();
}

/* Somebody types. */
static void
type(const char *text, uint32_t claim)
{
	struct rig_chain rc;

	assert_true(rig_take(&rig, RXQ, &rc));
	rig_write(&rc, 0, text, (uint32_t)strlen(text));
	rig_give(&rig, RXQ, rc.rc_head, claim);
	rig_interrupt(&rig, PV_INTR_QUEUE);
}

static void
output_is_printed(void **state)
{
	(void)state;
	port.po_shadow = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, "hello\n", 6), 6);
	assert_int_equal(pv_console_write(&con, "world\n", 6), 6);
	assert_int_equal(printed, 12);
	assert_memory_equal(screen, "hello\nworld\n", 12);
	assert_int_equal(pv_console_flush(&con, 1000), 0);
	assert_int_equal(con.sc_out, 12);
	detach();
}

static void
output_of_any_length(void **state)
{
	static char text[20000];
	size_t i, done = 0;
	int n;

	(void)state;
	assert_int_equal(attach(), 0);
	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 31);
	while (done < sizeof(text)) {
		n = pv_console_write(&con, text + done, sizeof(text) - done);
		assert_true(n > 0);
		done += (size_t)n;
	}
	assert_int_equal(pv_console_write(&con, text, 0), 0);
	assert_int_equal(printed, sizeof(text));
	assert_memory_equal(screen, text, sizeof(text));
	detach();
}

static void
output_waits_for_room(void **state)
{
	static char text[20000];
	int n;

	(void)state;
	mute = 1;
	memset(text, 'x', sizeof(text));
	assert_int_equal(attach(), 0);
	n = pv_console_write(&con, text, sizeof(text));
	assert_in_range(n, 1, sizeof(text) - 1);
	assert_int_equal(pv_console_write(&con, text, 1), 0);
	nroom = 0;
	print_one(&rig);
	assert_true(nroom > 0);
	assert_int_equal(pv_console_write(&con, "y", 1), 1);
	assert_int_equal(printed, 256);
	detach();
}

static void
flush_is_bounded(void **state)
{
	uint64_t start;

	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, "panic\n", 6), 6);
	start = port.po_now_ns;
	assert_int_equal(pv_console_flush(&con, 5000), ETIMEDOUT);
	assert_in_range(port.po_now_ns - start, 5000000, 5100000);
	port.po_tick = tick;
	port.po_tick_arg = &rig;
	assert_int_equal(pv_console_flush(&con, 5000), 0);
	assert_memory_equal(screen, "panic\n", 6);
	port.po_tick = NULL;
	detach();
}

static void
input_is_read_in_order(void **state)
{
	char buf[300];
	unsigned int i;

	(void)state;
	port.po_shadow = 1;
	rig.rg_offered |= PV_F_BIT(PV_F_EVENT_IDX);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_read(&con, buf, sizeof(buf)), 0);
	type("abc", 3);
	type("de", 2);
	assert_int_equal(ninput, 2);
	assert_int_equal(pv_console_read(&con, buf, 2), 2);
	assert_memory_equal(buf, "ab", 2);
	assert_int_equal(pv_console_read(&con, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "cde", 3);
	/* Buffers go round. */
	for (i = 0; i < 50; i++) {
		type("q", 1);
		assert_int_equal(pv_console_read(&con, buf, sizeof(buf)), 1);
		assert_int_equal(buf[0], 'q');
	}
	assert_int_equal(con.sc_in, 55);
	detach();
}

static void
size_where_it_is_offered(void **state)
{
	unsigned int cols, rows;

	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_size(&con, &cols, &rows), ENOTSUP);
	detach();
	setup(state);
	rig.rg_offered |= PV_F_BIT(PV_CONSOLE_F_SIZE) |
	    PV_F_BIT(PV_CONSOLE_F_MULTIPORT);
	assert_int_equal(attach(), 0);
	assert_false(rig.rg_accepted & PV_F_BIT(PV_CONSOLE_F_MULTIPORT));
	assert_int_equal(pv_console_size(&con, &cols, &rows), ENOTSUP);
	rig_put16(&rig, 0, 132);
	rig_put16(&rig, 2, 43);
	rig_config_changed(&rig);
	assert_int_equal(nchanged, 1);
	assert_int_equal(pv_console_size(&con, &cols, &rows), 0);
	assert_int_equal(cols, 132);
	assert_int_equal(rows, 43);
	detach();
}

static void
hostile_used_length(void **state)
{
	char buf[1024];

	(void)state;
	assert_int_equal(attach(), 0);
	type("abc", 0x53355885);
	assert_int_equal(pv_console_read(&con, buf, sizeof(buf)), 128);
	assert_memory_equal(buf, "abc", 3);
	type("", 0);
	assert_int_equal(pv_console_read(&con, buf, sizeof(buf)), 0);
	assert_int_equal(nbroken, 0);
	detach();
}

static void
hostile_used_id(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(attach(), 0);
	rig_give(&rig, TXQ, 0, 0);
	assert_int_equal(pv_console_write(&con, "x", 1), -EIO);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_console_flush(&con, 1000), EIO);
	assert_int_equal(pv_console_read(&con, buf, 16), -EIO);
	assert_int_equal(pv_console_stop(&con), 0);
	assert_int_equal(pv_console_write(&con, "x", 1), -ENXIO);
	assert_int_equal(pv_console_read(&con, buf, 16), -ENXIO);
	assert_int_equal(pv_console_start(&con), 0);
	assert_int_equal(pv_console_write(&con, "back", 4), 4);
	assert_memory_equal(screen, "back", 4);
	type("in", 2);
	assert_int_equal(pv_console_read(&con, buf, 16), 2);
	detach();
}

static void
detach_with_output_in_flight(void **state)
{
	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, "lost", 4), 4);
	detach();
}

static void
hostile_reset_never_confirmed(void **state)
{
	assert_int_equal(attach(), 0);
	rig.rg_stuck = 1;
	assert_int_equal(pv_console_detach(&con), ETIMEDOUT);
	assert_int_equal(port.po_dmamems, 3);
	assert_int_equal(port_check_rules(), 0);
	setup(state);
}

static void
a_reset_confirmed_at_last_gives_back_what_one_did_not(void **state)
{
	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, "lost", 4), 4);
	rig.rg_stuck = 1;
	assert_int_equal(pv_console_stop(&con), ETIMEDOUT);
	rig.rg_stuck = 0;
	assert_int_equal(pv_console_stop(&con), 0);
	assert_int_equal(pv_console_start(&con), 0);
	mute = 0;
	assert_int_equal(pv_console_write(&con, "good", 4), 4);
	assert_memory_equal(screen, "good", 4);
	detach();
}

static void
rings_smaller_than_wished(void **state)
{
	char buf[16];
	int i;

	(void)state;
	rig.rg_queues[RXQ].rq_max = 2;
	rig.rg_queues[TXQ].rq_max = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 5; i++) {
		assert_int_equal(pv_console_write(&con, "ab", 2), 2);
		type("k", 1);
		assert_int_equal(pv_console_read(&con, buf, 16), 1);
	}
	assert_memory_equal(screen, "ababababab", 10);
	detach();
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
	assert_int_equal(pv_console_attach(&con, rig_init(&rig), NULL, NULL),
	    0);
	type("x", 1);
	rig_config_changed(&rig);
	pv_virtio_break(&rig.rg_dev, "test");
	detach();
}

static void
start_when_it_may(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_start(&con), EBUSY);
	rig.rg_stuck = 1;
	assert_int_equal(pv_console_stop(&con), ETIMEDOUT);
	assert_int_equal(pv_console_flush(&con, 0), EIO);
	rig.rg_stuck = 0;
	assert_int_equal(pv_console_start(&con), EIO);
	detach();
}

/* What the device was given stays as it was, though there is more to print. */
static void
output_does_not_overtake_itself(void **state)
{
	static char text[16 * 256];

	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	memset(text, 'a', sizeof(text));
	assert_int_equal(pv_console_write(&con, text, sizeof(text)),
	    sizeof(text));
	assert_int_equal(pv_console_write(&con, "bb", 2), 0);
	print_one(&rig);
	assert_memory_equal(screen, text, 256);
	detach();
}

static void
output_that_does_not_fit_was_not_taken(void **state)
{
	static char text[16 * 256];

	(void)state;
	mute = 1;
	rig.rg_queues[TXQ].rq_max = 4;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, text, sizeof(text)), 4 * 256);
	assert_int_equal(con.sc_out, 4 * 256);
	detach();
}

/* Calls are bounded, however quick the device is. */
static void
no_call_takes_more_than_there_are_buffers(void **state)
{
	static char text[3 * 16 * 256];

	(void)state;
	assert_int_equal(attach(), 0);
	assert_in_range(pv_console_write(&con, text, sizeof(text)), 1,
	    16 * 256);
	detach();
}

static uint16_t
driver_flags(unsigned int queue)
{
	uint16_t flags;

	port_dma_read(rig.rg_queues[queue].rq_place.qp_driver, &flags, 2);
	return wire16(flags);
}

static void
no_interrupt_for_output_that_was_taken(void **state)
{
	static char text[17 * 256];

	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, "x", 1), 1);
	assert_int_equal(driver_flags(TXQ), 1);
	assert_in_range(pv_console_write(&con, text, sizeof(text)), 1,
	    16 * 256);
	assert_int_equal(driver_flags(TXQ), 0);
	detach();
}

static unsigned int hooked;

/* The device uses a chain that there is not, as we look once more. */
static void
lie_meanwhile(void)
{
	if (hooked++ == 0)
		rig_give(&rig, TXQ, 99, 0);
}

static void
hostile_while_we_ask_for_room(void **state)
{
	static char text[16 * 256];

	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, text, sizeof(text)),
	    sizeof(text));
	hooked = 0;
	port_mb_hook = lie_meanwhile;
	assert_int_equal(pv_console_write(&con, "x", 1), -EIO);
	port_mb_hook = NULL;
	detach();
}

static void
type_meanwhile(void)
{
	if (hooked++ == 0)
		type("late", 4);
}

static void
input_that_comes_as_we_look_away_is_read(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(attach(), 0);
	hooked = 0;
	port_mb_hook = type_meanwhile;
	assert_int_equal(pv_console_read(&con, buf, 16), 4);
	port_mb_hook = NULL;
	assert_memory_equal(buf, "late", 4);
	detach();
}

/* A device that types as fast as we read. */
static void
type_on(void)
{
	struct rig_chain rc;
	char text[128];

	memset(text, 'z', sizeof(text));
	while (rig_take(&rig, RXQ, &rc)) {
		rig_write(&rc, 0, text, 128);
		rig_give(&rig, RXQ, rc.rc_head, 128);
	}
}

static void
input_is_read_up_to_what_was_asked_for(void **state)
{
	static char buf[3 * 16 * 128];

	(void)state;
	assert_int_equal(attach(), 0);
	port_mb_hook = type_on;
	assert_int_equal(pv_console_read(&con, buf, 0), 0);
	assert_in_range(pv_console_read(&con, buf, sizeof(buf)), 1, 16 * 128);
	port_mb_hook = NULL;
	detach();
}

static void
what_came_before_a_lie_is_read(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(attach(), 0);
	type("abc", 3);
	rig_give(&rig, RXQ, 99, 0);
	assert_int_equal(pv_console_read(&con, buf, 16), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(pv_console_read(&con, buf, 16), -EIO);
	detach();
}

static void
half_a_size_is_none(void **state)
{
	unsigned int cols, rows;

	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_CONSOLE_F_SIZE);
	assert_int_equal(attach(), 0);
	rig_put16(&rig, 0, 80);
	rig_put16(&rig, 2, 0);
	assert_int_equal(pv_console_size(&con, &cols, &rows), ENOTSUP);
	rig_put16(&rig, 0, 0);
	rig_put16(&rig, 2, 25);
	assert_int_equal(pv_console_size(&con, &cols, &rows), ENOTSUP);
	detach();
}

static void
a_flush_of_no_time_takes_none(void **state)
{
	uint64_t before;

	(void)state;
	mute = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_console_write(&con, "x", 1), 1);
	before = port.po_now_ns;
	assert_int_equal(pv_console_flush(&con, 0), ETIMEDOUT);
	assert_int_equal(port.po_now_ns, before);
	detach();
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(output_is_printed),
		T(a_missed_doorbell_is_rung_again),
		T(a_missed_doorbell_for_input_is_rung_again),
		T(output_of_any_length),
		T(output_waits_for_room),
		T(flush_is_bounded),
		T(input_is_read_in_order),
		T(size_where_it_is_offered),
		T(hostile_used_length),
		T(hostile_used_id),
		T(detach_with_output_in_flight),
		T(hostile_reset_never_confirmed),
		T(a_reset_confirmed_at_last_gives_back_what_one_did_not),
		T(rings_smaller_than_wished),
		T(attach_fails_cleanly_wherever_memory_ends),
		T(attach_looks_at_each_allocation),
		T(nobody_needs_to_listen),
		T(start_when_it_may),
		T(output_does_not_overtake_itself),
		T(output_that_does_not_fit_was_not_taken),
		T(no_call_takes_more_than_there_are_buffers),
		T(no_interrupt_for_output_that_was_taken),
		T(hostile_while_we_ask_for_room),
		T(input_that_comes_as_we_look_away_is_read),
		T(input_is_read_up_to_what_was_asked_for),
		T(what_came_before_a_lie_is_read),
		T(half_a_size_is_none),
		T(a_flush_of_no_time_takes_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
