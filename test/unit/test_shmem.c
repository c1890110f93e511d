/* SPDX-License-Identifier: ISC */
/*
 * Memory that another process is given: addresses, alignment, what can be
 * loaded, and that nothing is given out twice.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "shmem.h"

#define REGION	(4u * SHMEM_ALIGN)

static struct shmem sm;

static int
setup(void **state)
{
	(void)state;
	return shmem_init(&sm, 2, REGION);
}

static int
teardown(void **state)
{
	(void)state;
	shmem_fini(&sm);
	return 0;
}

static bus_dmamap_t
load(void *va, size_t len, int nsegs, int want)
{
	bus_dmamap_t map;

	assert_int_equal(bus_dmamap_create(&sm.sm_tag, len, nsegs, len, 0, 0,
	    &map), 0);
	assert_int_equal(bus_dmamap_load(&sm.sm_tag, map, va, len, NULL, 0),
	    want);
	return map;
}

static void
memory_from_elsewhere_is_not_loaded(void **state)
{
	void *p = malloc(100);

	(void)state;
	bus_dmamap_destroy(&sm.sm_tag, load(p, 100, 1, EINVAL));
	bus_dmamap_destroy(&sm.sm_tag,
	    load(sm.sm_regions[1].sr_va + REGION - 50, 100, 2, EINVAL));
	free(p);
}

static void
the_device_sees_the_same_bytes(void **state)
{
	uint8_t *p = shmem_alloc(&sm, 10000, 4096);
	bus_dmamap_t map = load(p + 100, 5000, 1, 0);
	const struct shmem_region *sr = sm.sm_regions;
	uint8_t got[4];

	(void)state;
	memcpy(p + 100, "abcd", 4);
	assert_int_equal(map->dm_nsegs, 1);
	assert_ptr_equal(shmem_kva(&sm, map->dm_segs[0].ds_addr, 5000),
	    p + 100);
	assert_int_equal(pread(sr->sr_fd, got, 4,
	    (off_t)(map->dm_segs[0].ds_addr - sr->sr_addr)), 4);
	assert_memory_equal(got, "abcd", 4);
	assert_null(shmem_kva(&sm, sr->sr_addr + REGION - 1, 2));
	assert_null(shmem_kva(&sm, sr->sr_addr - 1, 1));
	bus_dmamap_unload(&sm.sm_tag, map);
	bus_dmamap_destroy(&sm.sm_tag, map);
	shmem_free(&sm, p, 10000);
	assert_int_equal(sm.sm_used, 0);
}

static void
nothing_is_given_out_twice(void **state)
{
	static struct {
		uint8_t *p;
		size_t len;
	} have[64];
	unsigned int seed = 1, i, n;
	size_t align;

	(void)state;
	for (n = 0; n < 4000; n++) {
		seed = seed * 1103515245u + 12345u;
		i = seed >> 16 & 63;
		if (have[i].p != NULL) {
			assert_int_equal(have[i].p[0], i);
			assert_int_equal(have[i].p[have[i].len - 1], i);
			shmem_free(&sm, have[i].p, have[i].len);
			have[i].p = NULL;
			continue;
		}
		have[i].len = seed >> 8 & 0x3ffff;
		have[i].len += 2;
		align = (size_t)1 << (seed >> 28);
		have[i].p = shmem_alloc(&sm, have[i].len, align);
		assert_non_null(have[i].p);
		assert_int_equal((uintptr_t)have[i].p & (align - 1), 0);
		assert_int_equal(have[i].p[have[i].len / 2], 0);
		memset(have[i].p, (int)i, have[i].len);
	}
	for (i = 0; i < 64; i++) {
		if (have[i].p != NULL)
			shmem_free(&sm, have[i].p, have[i].len);
		have[i].p = NULL;
	}
	assert_int_equal(sm.sm_used, 0);
	/* And all of it is one piece again. */
	for (i = 0; i < 2; i++) {
		have[i].p = shmem_alloc(&sm, REGION, SHMEM_ALIGN);
		assert_non_null(have[i].p);
	}
	assert_null(shmem_alloc(&sm, 1, 1));
	for (i = 0; i < 2; i++)
		shmem_free(&sm, have[i].p, REGION);
}

static void
what_can_not_be_is_refused(void **state)
{
	struct shmem other;

	(void)state;
	assert_int_equal(shmem_init(&other, 0, REGION), EINVAL);
	assert_int_equal(shmem_init(&other, SHMEM_MAXREGIONS + 1, REGION),
	    EINVAL);
	assert_int_equal(shmem_init(&other, 1, 0), EINVAL);
	assert_null(shmem_alloc(&sm, 0, 1));
	assert_null(shmem_alloc(&sm, 1, 2 * SHMEM_ALIGN));
	assert_null(shmem_alloc(&sm, 1, 3));
	assert_null(shmem_alloc(&sm, REGION + 1, 1));
	assert_int_equal(sm.sm_used, 0);
}

/* Who has the file could else take memory away under us. */
static void
the_other_side_can_not_cut_it_short(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(sm.sm_regions[0].sr_fd, 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(sm.sm_regions[0].sr_fd, 2 * REGION), -1);
}

static void
it_grows(void **state)
{
	(void)state;
	while (sm.sm_nregions < SHMEM_MAXREGIONS)
		assert_int_equal(shmem_grow(&sm, 1), 0);
	assert_int_equal(shmem_grow(&sm, 1), ENOSPC);
	assert_true(sm.sm_regions[2].sr_addr > sm.sm_regions[1].sr_addr +
	    sm.sm_regions[1].sr_size);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(memory_from_elsewhere_is_not_loaded),
		T(the_device_sees_the_same_bytes),
		T(nothing_is_given_out_twice),
		T(what_can_not_be_is_refused),
		T(the_other_side_can_not_cut_it_short),
		T(it_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
