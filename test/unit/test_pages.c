/* SPDX-License-Identifier: ISC */
/* UNIT: guest/cpu/pages.c */
/* The bitmap of pages against an array of what is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../guest/cpu/pages.h"

#define NONE	((size_t)-1)
#define PAGES	1000
#define BASE	0x40013000ull

static void *
map_make(struct pagemap *pm, paddr_t base, size_t npages)
{
	void *bits = malloc(pagemap_bytes(npages));

	assert_non_null(bits);
	pagemap_init(pm, base, npages, bits);
	return bits;
}

static void
nothing_is_free_at_first(void **state)
{
	struct pagemap pm;
	void *bits = map_make(&pm, BASE, 70);
	size_t got;

	(void)state;
	assert_int_equal(pagemap_find(&pm, 1, 4096, 0), NONE);
	assert_int_equal(pagemap_find_best(&pm, 1, 0, &got), NONE);
	assert_int_equal(got, 0);
	assert_true(pagemap_give(&pm, 69, 1));
	assert_int_equal(pagemap_find(&pm, 1, 4096, 0), 69);
	assert_int_equal(pagemap_find(&pm, 2, 4096, 0), NONE);
	assert_false(pagemap_give(&pm, 68, 2));
	assert_int_equal(pm.pm_nfree, 1);
	free(bits);
}

static void
alignment_is_of_the_address(void **state)
{
	struct pagemap pm;
	void *bits = map_make(&pm, BASE, PAGES);
	size_t at;

	(void)state;
	assert_true(pagemap_give(&pm, 0, PAGES));
	at = pagemap_find(&pm, 3, 65536, 0);
	assert_int_equal((BASE + at * 4096) % 65536, 0);
	assert_int_equal(at, 0xd);
	assert_int_equal(pagemap_find(&pm, 3, 0x40000000, 0), NONE);
	free(bits);
}

static void
limit_is_inclusive(void **state)
{
	struct pagemap pm;
	void *bits = map_make(&pm, BASE, PAGES);

	(void)state;
	assert_true(pagemap_give(&pm, 0, PAGES));
	assert_int_equal(pagemap_find(&pm, 1, 4096, BASE), NONE);
	assert_int_equal(pagemap_find(&pm, 1, 4096, BASE + 4094), NONE);
	assert_int_equal(pagemap_find(&pm, 1, 4096, BASE + 4095), 0);
	assert_int_equal(pagemap_find(&pm, 2, 4096, BASE + 8190), NONE);
	assert_int_equal(pagemap_find(&pm, 1, 4096, 1), NONE);
	assert_int_equal(pagemap_find(&pm, PAGES, 4096, ~0ull), 0);
	assert_int_equal(pagemap_find(&pm, PAGES + 1, 4096, 0), NONE);
	assert_int_equal(pagemap_find(&pm, 0, 4096, 0), NONE);
	free(bits);
}

static void
best_takes_the_longest(void **state)
{
	struct pagemap pm;
	void *bits = map_make(&pm, BASE, PAGES);
	size_t got;

	(void)state;
	assert_true(pagemap_give(&pm, 10, 3));
	assert_true(pagemap_give(&pm, 100, 70));
	assert_true(pagemap_give(&pm, 500, 64));
	assert_int_equal(pagemap_find_best(&pm, 200, 0, &got), 100);
	assert_int_equal(got, 70);
	assert_int_equal(pagemap_find_best(&pm, 64, 0, &got), 100);
	assert_int_equal(got, 64);
	assert_int_equal(pagemap_find_best(&pm, 2, 0, &got), 10);
	assert_int_equal(got, 2);
	free(bits);
}

/* What find ought to say, by trying everything. */
static size_t
slow_find(const bool *taken, size_t npages, uint64_t align)
{
	for (size_t i = 0; i + npages <= PAGES; i++) {
		size_t j = 0;

		if ((BASE + i * 4096) % align != 0)
			continue;
		while (j < npages && !taken[i + j])
			j++;
		if (j == npages)
			return i;
	}
	return NONE;
}

static void
random_use_matches_a_model(void **state)
{
	static bool taken[PAGES];
	struct pagemap pm;
	void *bits = map_make(&pm, BASE, PAGES);

	(void)state;
	memset(taken, 0, sizeof(taken));
	assert_true(pagemap_give(&pm, 0, PAGES));
	srandom(7);
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = (size_t)random() % 40 + 1, at, nfree = 0;
		uint64_t align = 4096ull << random() % 6;

		if (random() % 2) {
			at = pagemap_find(&pm, n, align, 0);
			assert_int_equal(at, slow_find(taken, n, align));
			if (at == NONE)
				continue;
			pagemap_take(&pm, at, n);
			memset(taken + at, true, n);
		} else {
			bool all = true;

			at = (size_t)random() % (PAGES - n);
			for (size_t i = at; i < at + n; i++)
				all = all && taken[i];
			assert_int_equal(pagemap_give(&pm, at, n), all);
			if (all)
				memset(taken + at, false, n);
		}
		for (size_t i = 0; i < PAGES; i++)
			nfree += !taken[i];
		assert_int_equal(pm.pm_nfree, nfree);
	}
	free(bits);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_free_at_first),
		cmocka_unit_test(alignment_is_of_the_address),
		cmocka_unit_test(limit_is_inclusive),
		cmocka_unit_test(best_takes_the_longest),
		cmocka_unit_test(random_use_matches_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
