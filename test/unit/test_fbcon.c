/* SPDX-License-Identifier: ISC */
/* UNIT: guest/console/term.c test/unit/kern_fake.c */
/* UNIT-CFLAGS: -iquote guest/console */
/*
 * The guest's text console on a display that is slow, or hangs, by way of the
 * library's driver: other consoles do not wait for it, nor does who waits for
 * text wait without end; and it shows the last word when it can.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/gpu.h>

#include "port.h"
#include "rig.h"
#include "wire.h"

#include "cpu_fake.h"

/* Pages are the port's. */
#define GUEST_MTYPES_H
typedef uintptr_t vaddr_t;

#include "../../guest/console/console.c"
#include "../../guest/console/fbcon.c"

#define WIDTH	320
#define HEIGHT	200
#define KEPT	64

static struct rig rig;
static struct pv_gpu gpu;

static int slow;			/* it keeps what it takes */
static struct rig_chain kept[KEPT];
static unsigned int nkept, kept_queue[KEPT];
static unsigned int ncommands, nflushes, ncursors, nbroken;

static char threads[2];
static struct thread *self;
static void (*begun)(void *);
static void *begun_arg;

static char heard[65536];
static size_t nheard;

/* The kernel */

uint64_t
uptime_ns(void)
{
	return port.po_now_ns;
}

int
panicking(void)
{
	return 0;
}

const char *
cmdline_get(const char *name)
{
	(void)name;
	return NULL;
}

struct thread *
thread_self(void)
{
	return self;
}

static void
be(unsigned int thread)
{
	self = (struct thread *)(void *)&threads[thread];
}

struct thread *
thread_create(const char *name, void (*fn)(void *), void *arg)
{
	(void)name;
	begun = fn;
	begun_arg = arg;
	return self;
}

void
tty_wake(void)
{
}

void
tty_input(const unsigned char *buf, size_t len)
{
	(void)buf;
	(void)len;
}

bool
user_display_taken(const struct pv_gpu *of)
{
	(void)of;
	return false;
}

/* A pass of the console thread, which takes no time. */
static void
pass(void)
{
	uint64_t then = port.po_now_ns;
	struct thread *was = self;
	struct console *con;

	be(0);
	for (con = consoles; con != NULL; con = con->con_next)
		serve(con);
	self = was;
	assert_int_equal(port.po_now_ns, then);
}

/* Another one, when there may be something new to be seen. */
static void
next_pass(void)
{
	port.po_now_ns += CONSOLE_POLL_NS;
	pass();
}

void
thread_sleep(uint64_t ns)
{
	port.po_now_ns += ns;
	pass();
}

/* A font: all glyphs are full. */
static const uint8_t glyph[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff };
static const struct term_map map = { ' ', 0, 1 };
const struct term_font console_font = { 8, 8, 1, 1, glyph, &map };

/* The device */

static void
answer(unsigned int queue, const struct rig_chain *rc)
{
	uint8_t request[24], said[24 + 16 * 24] = { 0 };
	uint32_t type, len = 24;

	rig_read(rc, 0, request, sizeof(request));
	memcpy(said + 4, request + 4, 20);
	type = (uint32_t)wire_get(request, 4);
	ncommands++;
	nflushes += type == 0x104;
	ncursors += type == 0x300;
	wire_put(said, 4, type == 0x100 ? 0x1101 : 0x1100);
	if (type == 0x100) {
		len = sizeof(said);
		wire_put(said + 24 + 8, 4, WIDTH);
		wire_put(said + 24 + 12, 4, HEIGHT);
		wire_put(said + 24 + 16, 4, 1);
	}
	rig_write(rc, 0, said, len);
	rig_give(&rig, queue, rc->rc_head, len);
}

static void
notified(struct rig *rg, unsigned int queue)
{
	static struct rig_chain rc;

	while (rig_take(rg, queue, &rc)) {
		if (!slow) {
			answer(queue, &rc);
			continue;
		}
		assert_true(nkept < KEPT);
		kept_queue[nkept] = queue;
		kept[nkept++] = rc;
	}
}

static void
answer_all(void)
{
	unsigned int i;

	slow = 0;
	for (i = 0; i < nkept; i++)
		answer(kept_queue[i], &kept[i]);
	nkept = 0;
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	nbroken++;
}

/* The other console */

static size_t
hear(struct console *con, const char *s, size_t len)
{
	(void)con;
	assert_true(nheard + len < sizeof(heard));
	memcpy(heard + nheard, s, len);
	nheard += len;
	return len;
}

static struct console other = { .con_name = "other", .con_write = hear };

static int
setup(void **state)
{
	static const struct pv_gpu_callbacks callbacks = {
		.gc_broken = note_broken,
	};

	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_GPU);
	rig.rg_notify = notified;
	rig.rg_configlen = 16;
	rig_put32(&rig, 8, 1);
	slow = 0;
	nkept = nbroken = ncursors = 0;
	nheard = 0;
	begun = NULL;
	text_end = 0;
	consoles = NULL;
	memset(&pointer, 0, sizeof(pointer));
	be(1);
	assert_int_equal(pv_gpu_attach(&gpu, rig_init(&rig), &callbacks, NULL,
	    NULL), 0);
	console_register(&other);
	assert_int_equal(fbcon_attach(&gpu, 0), 0);
	console_running = 1;
	next_pass();
	console_drain();
	ncommands = nflushes = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fbcon_detach(&gpu);
	console_unregister(&other);
	assert_int_equal(pv_gpu_detach(&gpu), 0);
	return port_check();
}

/* A letter, so that the cursor moves: there is something to draw. */
static void
say_one(void)
{
	console_write("x", 1);
}

static unsigned int
under_way(void)
{
	return pv_virtq_outstanding(rig.rg_dev.vd_queues[0]);
}

/* pass() sees to it that no time goes by. */
static void
a_slow_display_takes_nobodys_time(void **state)
{
	unsigned int i, most;

	(void)state;
	slow = 1;
	for (i = 0; i < 100; i++) {
		say_one();
		next_pass();
		assert_int_equal(nheard, i + 1);
	}
	/* Two flushes, of two commands each. */
	most = under_way();
	assert_int_equal(most, 4);
	answer_all();
	assert_int_equal(nflushes, 2);
	next_pass();
	assert_int_equal(nflushes, 3);
	/* That was all. */
	next_pass();
	assert_int_equal(nflushes, 3);
	assert_int_equal(nbroken, 0);
}

static void
a_display_that_hangs_is_told_of(void **state)
{
	unsigned int i;

	(void)state;
	slow = 1;
	for (i = 0; i < 300; i++) {
		say_one();
		next_pass();
	}
	assert_int_equal(nheard, 300);
	assert_int_equal(nbroken, 1);
	nkept = 0;
	/* Up again. */
	slow = 0;
	display_lock();
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	display_unlock();
	fbcon_repaint(&gpu);
	ncommands = 0;
	next_pass();
	assert_int_equal(ncommands, 2);
}

static void
who_waits_for_text_sees_it(void **state)
{
	(void)state;
	say_one();
	console_drain();
	assert_int_equal(nflushes, 1);
	assert_int_equal(under_way(), 0);
}

static void
who_waits_for_text_does_so_for_a_second(void **state)
{
	uint64_t then = port.po_now_ns;

	(void)state;
	slow = 1;
	say_one();
	console_drain();
	assert_in_range(port.po_now_ns - then, NS_PER_S, NS_PER_S + NS_PER_MS);
	answer_all();
}

/* As while it is reset, or a program flushes. */
static void
a_display_that_is_in_use_is_left_alone(void **state)
{
	uint64_t then;

	(void)state;
	display_lock();
	display_lock();
	display_unlock();
	say_one();
	fbcon_point(1, 1);
	next_pass();
	next_pass();
	assert_int_equal(nheard, 1);
	assert_int_equal(ncommands, 0);
	assert_null(begun);
	then = port.po_now_ns;
	/* Who waits for text meanwhile does not do so for ever. */
	be(0);
	console_drain();
	be(1);
	assert_in_range(port.po_now_ns - then, NS_PER_S, NS_PER_S + NS_PER_MS);
	assert_int_equal(ncommands, 0);
	display_unlock();
	next_pass();
	assert_int_equal(nflushes, 1);
}

/* A full queue: what was drawn is sent when there is room. */
static void
what_found_no_room_is_sent_later(void **state)
{
	struct pv_gpu_fb *fb = pv_gpu_head_fb(&gpu, 0);
	unsigned int i = 0;

	(void)state;
	slow = 1;
	do
		pv_gpu_damage(&gpu, fb, i++ % 8, 0, 1, 1);
	while (pv_gpu_present(&gpu, fb, NULL) == 0);
	say_one();
	next_pass();
	assert_int_equal(fbcons[0].fc_owed, 1);
	i = nkept / 2;
	answer_all();
	assert_int_equal(nflushes, i);
	next_pass();
	assert_true(nflushes > i);
	assert_int_equal(fbcons[0].fc_owed, 0);
}

static void
a_cursors_image_is_a_thread_of_its_own(void **state)
{
	(void)state;
	slow = 1;
	fbcon_point(100, 100);
	next_pass();
	assert_non_null(begun);
	assert_int_equal(ncommands, 0);
	/* There is one of them. */
	begun = NULL;
	fbcon_point(200, 100);
	next_pass();
	assert_null(begun);
	answer_all();
	pointer_thread(begun_arg);
	assert_int_equal(ncursors, 1);
	fbcon_point(300, 100);
	next_pass();
	assert_null(begun);
}

/* The display went before its turn came. */
static void
a_cursor_without_a_display(void **state)
{
	(void)state;
	fbcon_point(100, 100);
	next_pass();
	fbcon_detach(&gpu);
	ncommands = 0;
	pointer_thread(begun_arg);
	assert_int_equal(ncommands, 0);
	assert_int_equal(pointer.showing, 0);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_slow_display_takes_nobodys_time),
		T(a_display_that_hangs_is_told_of),
		T(who_waits_for_text_sees_it),
		T(who_waits_for_text_does_so_for_a_second),
		T(a_display_that_is_in_use_is_left_alone),
		T(what_found_no_room_is_sent_later),
		T(a_cursors_image_is_a_thread_of_its_own),
		T(a_cursor_without_a_display),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
