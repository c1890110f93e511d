/* SPDX-License-Identifier: ISC */
/*
 * What is seen of traced code: who owns a byte, second reads, missing barriers.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "careless.h"
#include "desk.h"

#define PREREAD		BUS_DMASYNC_PREREAD
#define POSTREAD	BUS_DMASYNC_POSTREAD
#define PREWRITE	BUS_DMASYNC_PREWRITE
#define POSTWRITE	BUS_DMASYNC_POSTWRITE

/* A ring in small: two entries, an index that shows them, and the device's. */
#define ENTRY(i)	(4 * (i))
#define FLAGS		64
#define INDEX		66
#define EVENT		68
#define USED_INDEX	128
#define USED_ENTRY	132

static struct desk dk;

static void
ring(const char *words)
{
	desk_config(words);
	desk_new(&dk, 256, 0, 0);
	port_dma_field(dk.dk_addr + FLAGS, 2, PORT_FIELD_FLAGS);
	port_dma_field(dk.dk_addr + INDEX, 2, PORT_FIELD_INDEX);
	port_dma_field(dk.dk_addr + EVENT, 2, PORT_FIELD_EVENT);
	port_dma_field(dk.dk_addr + USED_INDEX, 2, PORT_FIELD_POLLED);
}

static uint32_t
device_load32(size_t off)
{
	uint32_t v;

	port_dma_read(dk.dk_addr + off, &v, sizeof(v));
	return v;
}

static void
device_store(size_t off, uint32_t v, size_t len)
{
	port_dma_write(dk.dk_addr + off, &v, len);
}

static void
load_of_what_the_device_owns(void **state)
{
	(void)state;
	ring("noncoherent");
	desk_sync(&dk, 0, 256, PREREAD);
	device_store(8, 7, 4);
	bench_expect(BENCH_CPU_LOAD);
	careless_load32(dk.dk_va + 8);
	assert_int_equal(bench_found(BENCH_CPU_LOAD), 1);
	assert_non_null(strstr(bench_last(), "careless_load32"));
	assert_non_null(strstr(bench_last(), "desk_sync"));
	desk_sync(&dk, 0, 12, POSTREAD);
	assert_int_equal(careless_load32(dk.dk_va + 8), 7);
	assert_int_equal(bench_found(BENCH_CPU_LOAD), 1);
	desk_free(&dk);
}

static void
store_to_what_the_device_owns(void **state)
{
	(void)state;
	ring("noncoherent,chance=4096");
	desk_sync(&dk, 0, 64, PREREAD);
	bench_expect(BENCH_CPU_STORE);
	careless_fill(dk.dk_va + 60, 0, 8);
	assert_int_equal(bench_found(BENCH_CPU_STORE), 1);
	assert_non_null(strstr(bench_last(), "careless_fill"));
	careless_fill(dk.dk_va + 64, 1, 64);
	assert_int_equal(bench_found(BENCH_CPU_STORE), 1);
	desk_free(&dk);
}

/* Of what it reads too: it may see the one store, and not the next. */
static void
store_to_what_the_device_reads(void **state)
{
	(void)state;
	ring("noncoherent,chance=4096");
	desk_sync(&dk, 0, 64, PREWRITE);
	careless_store32(dk.dk_va + 64, 1);
	assert_int_equal(bench_found_all(), 0);
	bench_expect(BENCH_CPU_STORE);
	careless_store32(dk.dk_va + 60, 1);
	assert_int_equal(bench_found(BENCH_CPU_STORE), 1);
	assert_non_null(strstr(bench_last(), "careless_store32"));
	assert_non_null(strstr(bench_last(), "desk_sync"));
	desk_sync(&dk, 0, 64, POSTWRITE);
	careless_store32(dk.dk_va + 60, 2);
	assert_int_equal(bench_found(BENCH_CPU_STORE), 1);
	desk_free(&dk);
}

/* Rings are asked for as coherent memory; where there is none: syncs alone. */
static void
store_to_what_both_sides_share(void **state)
{
	void *va;

	(void)state;
	ring("noncoherent,refuse-coherent,chance=4096");
	desk_sync(&dk, 0, 64, PREWRITE);
	desk_free(&dk);
	desk_new(&dk, 256, 0, 0);
	bus_dmamap_unload(&port_dma_tag, dk.dk_map);
	assert_int_not_equal(bus_dmamem_map(&port_dma_tag, dk.dk_segs,
	    dk.dk_nsegs, 256, &va, BUS_DMA_COHERENT), 0);
	assert_int_equal(bus_dmamap_load(&port_dma_tag, dk.dk_map, dk.dk_va,
	    256, NULL, 0), 0);
	desk_sync(&dk, 0, 64, PREWRITE);
	careless_store32(dk.dk_va + 60, 1);
	desk_sync(&dk, 0, 64, PREWRITE);
	desk_free(&dk);
}

/* The classic: judged by the first reading, used by the second. */
static void
second_read_of_a_length(void **state)
{
	unsigned int changed = 0, i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ring(i ? "noncoherent,change,chance=4096" : "coherent,change");
		desk_sync(&dk, 0, 256, PREREAD);
		device_store(8, 32, 4);
		desk_sync(&dk, 0, 256, POSTREAD);
		bench_expect(BENCH_DOUBLE_FETCH);
		assert_int_equal(careless_load32(dk.dk_va + 8), 32);
		assert_int_equal(bench_found(BENCH_DOUBLE_FETCH), 0);
		changed += careless_load32(dk.dk_va + 8) != 32;
		assert_int_equal(bench_found(BENCH_DOUBLE_FETCH), 1);
		assert_non_null(strstr(bench_last(), "careless_load32"));
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	assert_int_equal(changed, 2);
	desk_config("coherent");
}

/* An index is looked at again and again, and what comes anew is new. */
static void
polling_is_no_second_read(void **state)
{
	(void)state;
	ring("coherent");
	device_store(USED_INDEX, 1, 2);
	careless_load16(dk.dk_va + USED_INDEX);
	careless_load16(dk.dk_va + USED_INDEX);
	device_store(8, 32, 4);
	careless_load32(dk.dk_va + 8);
	device_store(8, 33, 4);
	assert_int_equal(careless_load32(dk.dk_va + 8), 33);
	desk_free(&dk);
}

static void
no_barrier_before_the_index(void **state)
{
	(void)state;
	ring("coherent");
	careless_store32(dk.dk_va + ENTRY(0), 11);
	pv_md_wmb(false);
	careless_store16(dk.dk_va + INDEX, 1);
	pv_md_mb(false);
	assert_int_equal(bench_found_all(), 0);
	assert_int_equal(device_load32(ENTRY(0)), 11);
	bench_expect(BENCH_STORE_ORDER);
	careless_store32(dk.dk_va + ENTRY(1), 12);
	careless_store16(dk.dk_va + INDEX, 2);
	assert_int_equal(bench_found(BENCH_STORE_ORDER), 1);
	assert_non_null(strstr(bench_last(), "careless_store16"));
	pv_md_mb(false);
	desk_free(&dk);
}

/* The device does see what is new beside what is old. */
static void
stores_arrive_in_any_order(void **state)
{
	unsigned int seed, order[4] = { 0 };
	char words[64];
	uint32_t a, b;

	(void)state;
	for (seed = 1; seed < 100; seed++) {
		snprintf(words, sizeof(words), "coherent,seed=%u", seed);
		ring(words);
		bench_expect(BENCH_STORE_ORDER);
		careless_store32(dk.dk_va + ENTRY(0), 1);
		careless_store32(dk.dk_va + ENTRY(1), 1);
		b = device_load32(ENTRY(1));
		a = device_load32(ENTRY(0));
		order[2 * a + b]++;
		assert_int_equal(bench_found(BENCH_STORE_ORDER), b && !a);
		pv_md_wmb(false);
		assert_int_equal(device_load32(ENTRY(0)), 1);
		assert_int_equal(device_load32(ENTRY(1)), 1);
		desk_free(&dk);
		bench_check();
	}
	for (seed = 0; seed < 4; seed++)
		assert_int_not_equal(order[seed], 0);
	desk_config("coherent");
}

/* The doorbell rings, and what it rings for has not arrived. */
static void
no_barrier_before_the_doorbell(void **state)
{
	(void)state;
	ring("coherent");
	bench_expect(BENCH_STORE_ORDER);
	careless_store16(dk.dk_va + INDEX, 1);
	port_bell++;
	device_load32(INDEX);
	port_bell--;
	assert_int_equal(bench_found(BENCH_STORE_ORDER), 1);
	assert_non_null(strstr(bench_last(), "doorbell"));
	pv_md_mb(false);
	desk_free(&dk);
}

static void
no_barrier_after_the_used_index(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ring("coherent");
		careless_load16(dk.dk_va + USED_INDEX);
		device_store(USED_ENTRY, 5, 4);
		device_store(USED_INDEX, 1, 2);
		if (i)
			bench_expect(BENCH_LOAD_ORDER);
		careless_load16(dk.dk_va + USED_INDEX);
		if (!i)
			pv_md_rmb(false);
		careless_load32(dk.dk_va + USED_ENTRY);
		assert_int_equal(bench_found(BENCH_LOAD_ORDER), i);
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	desk_config("coherent");
}

/* What is read then is what was there before, or what is there now. */
static void
loads_see_the_past_until_a_barrier(void **state)
{
	unsigned int seed, seen[2] = { 0 };
	char words[64];
	uint32_t v;

	(void)state;
	for (seed = 1; seed < 50; seed++) {
		snprintf(words, sizeof(words), "coherent,seed=%u", seed);
		ring(words);
		bench_expect(BENCH_LOAD_ORDER);
		careless_load16(dk.dk_va + USED_INDEX);
		device_store(USED_ENTRY, 5, 4);
		device_store(USED_INDEX, 1, 2);
		careless_load16(dk.dk_va + USED_INDEX);
		v = careless_load32(dk.dk_va + USED_ENTRY);
		assert_true(v == 5 || v == 0);
		seen[v == 5]++;
		pv_md_rmb(false);
		bench_expect(BENCH_DOUBLE_FETCH);
		assert_int_equal(careless_load32(dk.dk_va + USED_ENTRY), 5);
		desk_free(&dk);
		assert_int_equal(bench_check(), 0);
	}
	assert_int_not_equal(seen[0], 0);
	assert_int_not_equal(seen[1], 0);
	desk_config("coherent");
}

static void
no_full_barrier_before_the_check(void **state)
{
	static const size_t fields[] = { INDEX, EVENT, FLAGS };
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		ring("coherent");
		if (i >= 3)
			bench_expect(BENCH_FULL_ORDER);
		careless_store16(dk.dk_va + fields[i % 3], 0);
		if (i < 3)
			pv_md_mb(false);
		else
			pv_md_wmb(false);	/* too weak */
		careless_load16(dk.dk_va + USED_INDEX);
		assert_int_equal(bench_found(BENCH_FULL_ORDER), i >= 3);
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	/* That no interrupts are wanted needs no barrier. */
	ring("coherent");
	careless_store16(dk.dk_va + FLAGS, 1);
	careless_load16(dk.dk_va + USED_INDEX);
	desk_free(&dk);
}

static unsigned int nsteps;

static void
step(void *arg)
{
	(void)arg;
	nsteps++;
	device_store(USED_INDEX, nsteps, 2);
}

static void
a_device_runs_between_any_two_accesses(void **state)
{
	unsigned int i;

	(void)state;
	ring("coherent");
	nsteps = 0;
	bench_step_use(step, NULL, 3);
	for (i = 0; i < 300; i++)
		careless_load16(dk.dk_va + USED_INDEX);
	bench_step_use(NULL, NULL, 0);
	assert_in_range(nsteps, 50, 200);
	desk_free(&dk);
}

static void
lines_that_move_are_counted(void **state)
{
	struct bench_counts bc;
	unsigned int line;
	char words[32];

	(void)state;
	for (line = 64; line <= 128; line *= 2) {
		snprintf(words, sizeof(words), "coherent,line=%u", line);
		ring(words);
		bench_counts_reset();
		careless_fill(dk.dk_va, 1, 128);
		careless_load32(dk.dk_va);
		bench_counts(&bc);
		assert_int_equal(bc.bc_moves, 0);
		assert_int_equal(bc.bc_stores, 1);
		assert_int_equal(bc.bc_loads, 1);
		device_load32(0);
		device_load32(64);
		careless_load32(dk.dk_va);
		bench_counts(&bc);
		assert_int_equal(bc.bc_moves, line == 64 ? 3 : 2);
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	assert_true(bench_traced());
	desk_config("coherent");
}

#define T(f)	cmocka_unit_test_teardown(f, desk_finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(load_of_what_the_device_owns),
		T(store_to_what_the_device_owns),
		T(store_to_what_the_device_reads),
		T(store_to_what_both_sides_share),
		T(second_read_of_a_length),
		T(polling_is_no_second_read),
		T(no_barrier_before_the_index),
		T(stores_arrive_in_any_order),
		T(no_barrier_before_the_doorbell),
		T(no_barrier_after_the_used_index),
		T(loads_see_the_past_until_a_barrier),
		T(no_full_barrier_before_the_check),
		T(a_device_runs_between_any_two_accesses),
		T(lines_that_move_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
