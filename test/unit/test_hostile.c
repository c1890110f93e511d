/* SPDX-License-Identifier: ISC */
/* UNIT: test/fuzz/draw.c test/fuzz/hostile.c test/fuzz/hostile_net.c test/fuzz/hostile_gpu.c test/fuzz/hostile_blk.c test/fuzz/hostile_stream.c */
/* UNIT-CFLAGS: -Itest/fuzz */
/*
 * All drivers under a device that does anything at all, drawn from seeds: what
 * must hold is in the scenes (test/fuzz). Each cookie comes back exactly once;
 * received data lies inside its buffer; what the device was given stays loaded
 * until it gave it back or was reset; every call returns, in bounded time; in
 * the end nothing is left.
 *
 *	test_hostile [seed [number of seeds]]
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "draw.h"

static uint64_t first_seed = 1, nseeds = 150, seed;

void
scene_failed(const char *file, int line, const char *what)
{
	print_error("seed %llu: %s\n", (unsigned long long)seed, what);
	_fail(file, line);
	abort();
}

static void
many(void (*scene)(void))
{
	for (seed = first_seed; seed < first_seed + nseeds; seed++) {
		draw_from_seed(seed);
		scene();
	}
}

static void
hostile_net(void **unused)
{
	(void)unused;
	many(scene_net);
}

static void
hostile_gpu(void **unused)
{
	(void)unused;
	many(scene_gpu);
}

static void
hostile_blk(void **unused)
{
	(void)unused;
	many(scene_blk);
}

static void
hostile_console(void **unused)
{
	(void)unused;
	many(scene_console);
}

static void
hostile_entropy(void **unused)
{
	(void)unused;
	many(scene_entropy);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_net),
		cmocka_unit_test(hostile_gpu),
		cmocka_unit_test(hostile_blk),
		cmocka_unit_test(hostile_console),
		cmocka_unit_test(hostile_entropy),
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		nseeds = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
