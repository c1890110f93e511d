/* SPDX-License-Identifier: ISC */
/*
 * A packed ring under the sanitizer: the same memory is written from both sides,
 * flags show what was stored before them and are looked at again and again, and
 * the barriers stand where a split ring has them. By a careless hand, against the
 * device's side that all models stand on.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "careless.h"
#include "desk.h"
#include "packed.h"

#define SIZE	4u
#define DRIVER	256u		/* event suppression */
#define DEVICE	512u

static struct desk dk;
static struct pk_ring pk;
static struct pk_at next, last;	/* of the driver: to fill, to look at */
static unsigned int in_ring;

static void
begin(const char *words)
{
	struct pv_queue_place qp = { .qp_size = SIZE };

	desk_config(words);
	desk_new(&dk, 1024, BUS_DMA_COHERENT, 0);
	memset(dk.dk_va, 0, 1024);
	qp.qp_desc = dk.dk_addr;
	qp.qp_driver = dk.dk_addr + DRIVER;
	qp.qp_device = dk.dk_addr + DEVICE;
	pk_begin(&pk, &qp);
	next = last = pk.pk_avail;
	in_ring = 0;
}

static void
end(void)
{
	pk_end(&pk);
	desk_free(&dk);
	assert_int_equal(desk_finish(NULL), 0);
	desk_config("coherent");
}

static uint8_t *
slot(const struct pk_at *pa)
{
	return dk.dk_va + PK_LEN * pa->pa_pos;
}

static void
fill(const struct pk_at *pa, unsigned int id)
{
	careless_store32(slot(pa), 0x1000 + id);
	careless_store32(slot(pa) + 8, 16);
	careless_store16(slot(pa) + 12, (uint16_t)id);
}

static void
show(const struct pk_at *pa)
{
	careless_store16(slot(pa) + 14, (uint16_t)(PK_WRITE |
	    (pa->pa_wrap ? PK_AVAIL : PK_USED)));
}

static uint16_t
device_event(void)
{
	return careless_load16(dk.dk_va + DEVICE + 2);
}

/* n descriptors, the first shown last: one barrier for all. */
static void
publish(unsigned int n, unsigned int id)
{
	struct pk_at first = next;
	unsigned int i;

	for (i = 0; i < n; i++) {
		fill(&next, id + i);
		if (i > 0)
			show(&next);
		pk_step(&pk, &next, 1);
	}
	pv_md_wmb(false);
	show(&first);
	pv_md_mb(false);
	device_event();
	in_ring += n;
}

static int
is_used(void)
{
	unsigned int flags = careless_load16(slot(&last) + 14);

	return ((flags & PK_AVAIL) != 0) == last.pa_wrap &&
	    ((flags & PK_USED) != 0) == last.pa_wrap;
}

static unsigned int
take_used(void)
{
	unsigned int id, len;

	assert_true(is_used());
	pv_md_rmb(false);
	id = careless_load16(slot(&last) + 12);
	len = careless_load32(slot(&last) + 8);
	assert_int_equal(len, 100 + id);
	pk_step(&pk, &last, 1);
	in_ring--;
	return id;
}

/* The device takes all, and gives it back. */
static void
serve(void)
{
	const struct ring_seg none = { 0 };
	struct pk_desc d;

	while (pk_next(&pk, &d)) {
		assert_int_equal(d.pd_addr, 0x1000 + d.pd_id);
		pk_took(&pk, d.pd_id, 1, &none, 0, &none);
		pk_use(&pk, d.pd_id, 100u + d.pd_id, 1, PK_WRITE);
	}
	pk_ask(&pk, PK_EVENT_DESC, &pk.pk_avail);
}

static void
want_interrupt(unsigned int flags)
{
	careless_store16(dk.dk_va + DRIVER, (uint16_t)(last.pa_pos |
	    last.pa_wrap << 15));
	careless_store16(dk.dk_va + DRIVER + 2, (uint16_t)flags);
}

static void
a_good_driver_is_not_found(void **state)
{
	unsigned int round, n, i;

	(void)state;
	begin("coherent,line=64");
	for (round = 0; round < 40; round++) {
		n = 1 + round % SIZE;
		publish(n, round);
		serve();
		/* That none are wanted needs no barrier. */
		careless_store16(dk.dk_va + DRIVER + 2, PK_EVENT_DISABLE);
		for (i = 0; i < n; i++)
			assert_int_equal(take_used(), (uint16_t)(round + i));
		want_interrupt(PK_EVENT_DESC);
		pv_md_mb(false);
		assert_false(is_used());
	}
	assert_int_equal(bench_found_all(), 0);
	end();
}

static void
flags_without_a_barrier_before_them(void **state)
{
	(void)state;
	begin("coherent");
	publish(1, 1);
	serve();
	take_used();
	bench_expect(BENCH_STORE_ORDER);
	fill(&next, 2);
	show(&next);
	/* Found when it is there to be seen. */
	pv_md_mb(false);
	assert_int_equal(bench_found(BENCH_STORE_ORDER), 1);
	assert_non_null(strstr(bench_last(), "careless_store16"));
	end();
}

/* What a device sees then: flags that are new, and what they show is not. */
static void
a_device_sees_a_descriptor_in_pieces(void **state)
{
	unsigned int seed, torn = 0, whole = 0;
	struct pk_desc d;
	char words[64];

	(void)state;
	for (seed = 1; seed < 60; seed++) {
		snprintf(words, sizeof(words), "coherent,seed=%u", seed);
		begin(words);
		bench_expect(BENCH_STORE_ORDER);
		/* Of the second slot nothing is known yet. */
		publish(1, 1);
		pk_step(&pk, &next, 1);
		fill(&next, 2);
		show(&next);
		pk_load(dk.dk_addr, next.pa_pos, &d);
		if (d.pd_flags & PK_AVAIL) {
			torn += d.pd_addr != 0x1002 || d.pd_id != 2;
			whole += d.pd_addr == 0x1002 && d.pd_id == 2;
		}
		pv_md_mb(false);
		pk_end(&pk);
		desk_free(&dk);
		bench_check();
	}
	desk_config("coherent");
	assert_int_not_equal(torn, 0);
	assert_int_not_equal(whole, 0);
}

/* The first of a batch is written whole, and held back by its flags. */
static void
flags_that_show_nothing(void **state)
{
	struct pk_at first;

	(void)state;
	begin("coherent");
	first = next;
	fill(&next, 1);
	careless_store16(slot(&next) + 14, PK_WRITE);
	device_event();
	pk_step(&pk, &next, 1);
	fill(&next, 2);
	show(&next);
	pv_md_wmb(false);
	show(&first);
	pv_md_mb(false);
	device_event();
	serve();
	assert_int_equal(take_used(), 1);
	assert_int_equal(bench_found_all(), 0);
	end();
}

static void
no_full_barrier_before_the_device_s_events(void **state)
{
	(void)state;
	begin("coherent");
	bench_expect(BENCH_FULL_ORDER);
	fill(&next, 1);
	pv_md_wmb(false);
	show(&next);
	pv_md_wmb(false);		/* too weak */
	device_event();
	assert_int_equal(bench_found(BENCH_FULL_ORDER), 1);
	end();
}

static void
no_full_barrier_after_the_driver_s_events(void **state)
{
	static const struct {
		unsigned int flags;
		int found;
	} cases[] = {
		{ PK_EVENT_ENABLE, 1 }, { PK_EVENT_DESC, 1 },
		{ PK_EVENT_DISABLE, 0 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin("coherent");
		if (cases[i].found)
			bench_expect(BENCH_FULL_ORDER);
		careless_store16(dk.dk_va + DRIVER + 2,
		    (uint16_t)cases[i].flags);
		is_used();
		assert_int_equal(bench_found(BENCH_FULL_ORDER),
		    cases[i].found);
		end();
	}
}

/* Both fields in one store: what the flags say counts. */
static void
events_by_one_store(void **state)
{
	(void)state;
	begin("coherent");
	careless_store32(dk.dk_va + DRIVER, PK_EVENT_DISABLE << 16);
	is_used();
	assert_int_equal(bench_found_all(), 0);
	bench_expect(BENCH_FULL_ORDER);
	careless_store32(dk.dk_va + DRIVER, PK_EVENT_DESC << 16 | 2);
	is_used();
	assert_int_equal(bench_found(BENCH_FULL_ORDER), 1);
	end();
}

static void
no_barrier_after_used_flags(void **state)
{
	(void)state;
	begin("coherent");
	publish(1, 1);
	serve();
	bench_expect(BENCH_LOAD_ORDER);
	assert_true(is_used());
	careless_load16(slot(&last) + 12);
	assert_int_equal(bench_found(BENCH_LOAD_ORDER), 1);
	end();
}

static void
an_id_read_twice(void **state)
{
	(void)state;
	begin("coherent,change");
	publish(1, 1);
	serve();
	bench_expect(BENCH_DOUBLE_FETCH);
	assert_int_equal(take_used(), 1);
	last = (struct pk_at){ 0, 1 };
	assert_true(is_used());
	pv_md_rmb(false);
	assert_int_equal(bench_found(BENCH_DOUBLE_FETCH), 0);
	careless_load16(slot(&last) + 12);
	assert_int_equal(bench_found(BENCH_DOUBLE_FETCH), 1);
	end();
}

/* What the descriptor was is gone when the device has used its slot. */
static void
a_descriptor_read_back(void **state)
{
	(void)state;
	begin("coherent");
	publish(2, 1);
	serve();
	bench_expect(BENCH_LOAD_ORDER);
	assert_true(is_used());
	assert_int_equal(careless_load32(slot(&last)), 0x1001);
	careless_load32(slot(&last) + 8);
	assert_int_not_equal(bench_found(BENCH_LOAD_ORDER), 0);
	end();
}

#define T(f)	cmocka_unit_test_teardown(f, desk_finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_driver_is_not_found),
		T(flags_without_a_barrier_before_them),
		T(a_device_sees_a_descriptor_in_pieces),
		T(flags_that_show_nothing),
		T(no_full_barrier_before_the_device_s_events),
		T(no_full_barrier_after_the_driver_s_events),
		T(events_by_one_store),
		T(no_barrier_after_used_flags),
		T(an_id_read_twice),
		T(a_descriptor_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
