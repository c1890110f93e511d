/* SPDX-License-Identifier: ISC */
/* UNIT: test/unit/kern_fake.c */
/* UNIT-CFLAGS: -iquote guest/console */
/*
 * How text reaches consoles that are fast, slow, late, stuck and gone: all of
 * it, in order, or a note of what was lost; and never a wait without end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fake.h"

#include "../../guest/console/console.c"

#define OUT_MAX	400000

struct fake {
	struct console	 f_con;
	char		*f_out;
	size_t		 f_len;
	size_t		 f_room;	/* bytes that it takes until refilled */
	size_t		 f_refill;	/* of each pass of the thread */
	unsigned int	 f_flushes;
};

static uint64_t now;
static int is_panicking;
static const char *option;
static unsigned int woken;

uint64_t
uptime_ns(void)
{
	return now;
}

int
panicking(void)
{
	return is_panicking;
}

const char *
cmdline_get(const char *name)
{
	return strcmp(name, "console") == 0 ? option : NULL;
}

struct thread *
thread_self(void)
{
	return NULL;
}

struct thread *
thread_create(const char *name, void (*fn)(void *), void *arg)
{
	static char thread;

	(void)name;
	(void)fn;
	(void)arg;
	return (struct thread *)(void *)&thread;
}

/* A pass of the console thread. */
static void
pass(void)
{
	struct console *con;

	for (con = consoles; con != NULL; con = con->con_next) {
		struct fake *f = (struct fake *)con;

		f->f_room += f->f_refill;
		serve(con);
	}
}

void
thread_sleep(uint64_t ns)
{
	now += ns;
	pass();
}

void
tty_wake(void)
{
	woken++;
}

void
tty_input(const unsigned char *buf, size_t len)
{
	(void)buf;
	(void)len;
}

static size_t
fake_write(struct console *con, const char *s, size_t len)
{
	struct fake *f = (struct fake *)con;
	size_t n = len < f->f_room ? len : f->f_room;

	assert_true(f->f_len + n <= OUT_MAX);
	memcpy(f->f_out + f->f_len, s, n);
	f->f_len += n;
	f->f_out[f->f_len] = '\0';
	f->f_room -= n;
	return n;
}

static void
fake_flush(struct console *con)
{
	((struct fake *)con)->f_flushes++;
}

static struct fake *
fake(const char *name, unsigned int flags, size_t room, size_t refill)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->f_con.con_name = name;
	f->f_con.con_flags = flags;
	f->f_con.con_write = fake_write;
	f->f_con.con_flush = fake_flush;
	f->f_out = calloc(1, OUT_MAX + 1);
	f->f_room = room;
	f->f_refill = refill;
	console_register(&f->f_con);
	return f;
}

static void
gone(struct fake *f)
{
	console_unregister(&f->f_con);
	free(f->f_out);
	free(f);
}

static int
setup(void **state)
{
	(void)state;
	text_end = 0;
	text_midline = 0;
	consoles = NULL;
	console_running = 0;
	edit_active = edit_disturbed = 0;
	is_panicking = 0;
	option = NULL;
	woken = 0;
	return 0;
}

static void
say(const char *s)
{
	console_write(s, strlen(s));
}

static void
test_atomic_console_has_it_at_once(void **state)
{
	struct fake *f;

	(void)state;
	say("before\n");
	f = fake("a", CONSOLE_ATOMIC, 1000, 0);
	say("after\n");
	assert_string_equal(f->f_out, "before\r\nafter\r\n");
	gone(f);
}

static void
test_other_console_waits_for_the_thread(void **state)
{
	struct fake *f;

	(void)state;
	console_start();
	f = fake("a", 0, 1000, 0);
	say("text\n");
	assert_int_equal(f->f_len, 0);
	pass();
	assert_string_equal(f->f_out, "text\r\n");
	assert_int_equal(f->f_flushes, 1);
	gone(f);
}

static void
test_atomic_console_that_was_full_gets_the_rest(void **state)
{
	struct fake *f;

	(void)state;
	console_start();
	f = fake("a", CONSOLE_ATOMIC, 5, 3);
	say("0123456789");
	assert_string_equal(f->f_out, "01234");
	pass();
	assert_string_equal(f->f_out, "01234567");
	say("ab");
	pass();
	pass();
	assert_string_equal(f->f_out, "0123456789ab");
	gone(f);
}

/* Much more text than the ring holds, by a writer that waits as tty_write. */
static void
write_much(size_t bytes)
{
	char line[33];
	size_t n;

	for (n = 0; n < bytes; n += 32) {
		snprintf(line, sizeof(line), "%030zu\r\n", n);
		line[30] = ' ';
		line[31] = ' ';
		console_wait(CONSOLE_LIMIT);
		console_write(line, 32);
	}
	console_drain();
}

static void
test_slow_console_loses_nothing(void **state)
{
	struct fake *slow, *fast;
	char line[33];
	size_t n;

	(void)state;
	console_start();
	slow = fake("slow", 0, 0, 100);
	fast = fake("fast", CONSOLE_ATOMIC, OUT_MAX, 0);
	write_much(300000);
	assert_int_equal(slow->f_len, 300000);
	assert_memory_equal(slow->f_out, fast->f_out, 300000);
	for (n = 0; n < 300000; n += 32) {
		snprintf(line, sizeof(line), "%030zu  ", n);
		assert_memory_equal(slow->f_out + n, line, 32);
	}
	assert_int_equal(slow->f_con.con_lost, 0);
	gone(slow);
	gone(fast);
}

static void
test_stuck_console_stops_nobody(void **state)
{
	struct fake *stuck, *fast;
	uint64_t begin = now;
	char note[64];

	(void)state;
	console_start();
	stuck = fake("stuck", 0, 10, 0);
	fast = fake("fast", 0, 0, 100000);
	write_much(200000);
	assert_int_equal(fast->f_len, 200000);
	assert_int_equal(stuck->f_len, 10);
	assert_true(stuck->f_con.con_stuck);
	/* It was waited for once. */
	assert_true(now - begin < 3 * ROOM_WAIT_NS);

	/* It takes text again: what the ring has, and a note of the rest. */
	stuck->f_refill = 100000;
	pass();
	assert_false(stuck->f_con.con_stuck);
	snprintf(note, sizeof(note), "\r\n[%d bytes lost]\r\n",
	    200000 - 10 - TEXT_SIZE);
	assert_memory_equal(stuck->f_out + 10, note, strlen(note));
	assert_int_equal(stuck->f_con.con_lost, 200000 - 10 - TEXT_SIZE);
	assert_memory_equal(stuck->f_out + stuck->f_len - 1000,
	    fast->f_out + fast->f_len - 1000, 1000);
	say("again");
	pass();
	assert_memory_equal(stuck->f_out + stuck->f_len - 5, "again", 5);
	gone(stuck);
	gone(fast);
}

static void
test_console_that_goes_is_not_waited_for(void **state)
{
	struct fake *a, *b, *c;

	(void)state;
	console_start();
	a = fake("a", 0, 0, 0);
	b = fake("b", 0, 0, 1000);
	c = fake("c", 0, 0, 0);
	gone(a);
	gone(c);
	say("text");
	pass();
	assert_string_equal(b->f_out, "text");
	assert_ptr_equal(console_next(NULL), &b->f_con);
	assert_null(console_next(&b->f_con));
	gone(b);
	say("to nobody");
	console_drain();
}

static void
test_panic_settles_all(void **state)
{
	struct fake *a, *b;

	(void)state;
	console_start();
	a = fake("a", 0, 1000, 0);
	b = fake("b", 0, 2, 0);
	say("before ");
	is_panicking = 1;
	console_say("panic", 5);
	console_settle();
	assert_string_equal(a->f_out, "before panic");
	assert_int_equal(a->f_flushes, 1);
	assert_string_equal(b->f_out, "be");
	assert_int_equal(b->f_flushes, 1);
	gone(a);
	gone(b);
}

static void
test_message_while_editing(void **state)
{
	struct fake *f;

	(void)state;
	console_start();
	f = fake("a", CONSOLE_ATOMIC, 1000, 0);
	say("> edi");
	console_editing(1);
	console_say("one\n", 4);
	assert_int_equal(woken, 1);
	console_say("two ", 4);
	assert_false(console_disturbed());	/* a line is half said */
	console_say("words\n", 6);
	assert_true(console_disturbed());
	assert_false(console_disturbed());
	assert_string_equal(f->f_out, "> edi\r\none\r\ntwo words\r\n");
	console_editing(0);
	console_say("x", 1);
	assert_false(console_disturbed());
	gone(f);
}

static void
test_option_picks_a_console(void **state)
{
	struct fake *a, *b;

	(void)state;
	option = "virtio";
	a = fake("pl011", CONSOLE_ATOMIC, 1000, 0);
	b = fake("virtio", CONSOLE_ATOMIC, 1000, 0);
	say("text");
	assert_int_equal(a->f_len, 0);
	assert_string_equal(b->f_out, "text");
	gone(a);
	gone(b);
	option = "ttyAMA0";	/* another system's word */
	a = fake("pl011", CONSOLE_ATOMIC, 1000, 0);
	assert_string_equal(a->f_out, "text");
	gone(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_atomic_console_has_it_at_once,
		    setup),
		cmocka_unit_test_setup(test_other_console_waits_for_the_thread,
		    setup),
		cmocka_unit_test_setup(
		    test_atomic_console_that_was_full_gets_the_rest, setup),
		cmocka_unit_test_setup(test_slow_console_loses_nothing,
		    setup),
		cmocka_unit_test_setup(test_stuck_console_stops_nobody,
		    setup),
		cmocka_unit_test_setup(
		    test_console_that_goes_is_not_waited_for, setup),
		cmocka_unit_test_setup(test_panic_settles_all, setup),
		cmocka_unit_test_setup(test_message_while_editing, setup),
		cmocka_unit_test_setup(test_option_picks_a_console, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
