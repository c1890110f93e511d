/* SPDX-License-Identifier: ISC */
/* UNIT-CFLAGS: -iquote guest/include */
/*
 * The ring between two CPUs (guest/include/spsc.h): what is put comes out, in
 * order, once; neither a full nor an empty ring gives or takes anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "../../guest/include/spsc.h"

#define SIZE	8u
#define MANY	200000u

static void *slots[SIZE];
static struct spsc ring;

static void *
thing(uintptr_t n)
{
	return (void *)n;
}

static void
an_empty_ring_gives_nothing(void **state)
{
	(void)state;
	spsc_init(&ring, slots, SIZE);
	assert_null(spsc_get(&ring));
	assert_int_equal(spsc_count(&ring), 0);
	assert_int_equal(spsc_room(&ring), SIZE);
	assert_true(spsc_put(&ring, thing(1)));
	assert_ptr_equal(spsc_get(&ring), thing(1));
	assert_null(spsc_get(&ring));
}

static void
a_full_ring_takes_nothing(void **state)
{
	uintptr_t i;

	(void)state;
	spsc_init(&ring, slots, SIZE);
	for (i = 1; i <= SIZE; i++)
		assert_true(spsc_put(&ring, thing(i)));
	assert_false(spsc_put(&ring, thing(99)));
	assert_int_equal(spsc_room(&ring), 0);
	assert_int_equal(spsc_count(&ring), SIZE);
	assert_ptr_equal(spsc_get(&ring), thing(1));
	assert_true(spsc_put(&ring, thing(SIZE + 1)));
	for (i = 2; i <= SIZE + 1; i++)
		assert_ptr_equal(spsc_get(&ring), thing(i));
	assert_null(spsc_get(&ring));
}

/* The indices run freely, and over the end of their type. */
static void
indices_wrap(void **state)
{
	uintptr_t i;

	(void)state;
	spsc_init(&ring, slots, SIZE);
	ring.sq_head = ring.sq_tail = UINT32_MAX - 2;
	ring.sq_head_seen = ring.sq_tail_seen = UINT32_MAX - 2;
	for (i = 1; i <= SIZE; i++)
		assert_true(spsc_put(&ring, thing(i)));
	assert_false(spsc_put(&ring, thing(99)));
	for (i = 1; i <= SIZE; i++)
		assert_ptr_equal(spsc_get(&ring), thing(i));
	assert_null(spsc_get(&ring));
}

static void *
produce(void *arg)
{
	uintptr_t i;

	(void)arg;
	for (i = 1; i <= MANY; i++)
		while (!spsc_put(&ring, thing(i)))
			sched_yield();
	return NULL;
}

static void
two_cpus_lose_and_reorder_nothing(void **state)
{
	pthread_t producer;
	uintptr_t i;
	void *p;

	(void)state;
	spsc_init(&ring, slots, SIZE);
	assert_int_equal(pthread_create(&producer, NULL, produce, NULL), 0);
	for (i = 1; i <= MANY; i++) {
		while ((p = spsc_get(&ring)) == NULL)
			sched_yield();
		if (p != thing(i))
			break;
	}
	assert_int_equal(i, MANY + 1);
	assert_int_equal(pthread_join(producer, NULL), 0);
	assert_null(spsc_get(&ring));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_ring_gives_nothing),
		cmocka_unit_test(a_full_ring_takes_nothing),
		cmocka_unit_test(indices_wrap),
		cmocka_unit_test(two_cpus_lose_and_reorder_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
