/* SPDX-License-Identifier: ISC */
/*
 * Each mistake that the sanitizer knows, made on purpose; and that who makes
 * none is left in peace.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "desk.h"

#define PREREAD		BUS_DMASYNC_PREREAD
#define POSTREAD	BUS_DMASYNC_POSTREAD
#define PREWRITE	BUS_DMASYNC_PREWRITE
#define POSTWRITE	BUS_DMASYNC_POSTWRITE

static const char *const configs[] = {
	"noncoherent,line=64", "noncoherent,line=128", "bounce",
	"noncoherent,line=128,segsize=256", "bounce,segsize=100", "coherent",
};

#define NCONFIGS (sizeof(configs) / sizeof(configs[0]))

/* A finding is one, and its report has the rule's name and both stacks. */
static void
assert_report(enum bench_rule rule, const char *frame)
{
	assert_int_equal(bench_found(rule), 1);
	assert_non_null(strstr(bench_last(), bench_rule_name(rule)));
	assert_non_null(strstr(bench_last(), bench_rule_text(rule)));
	assert_non_null(strstr(bench_last(), frame));
}

static void
right_use_is_no_finding(void **state)
{
	struct desk dk;
	unsigned int i, k;

	(void)state;
	for (i = 0; i < NCONFIGS; i++) {
		desk_config(configs[i]);
		desk_new(&dk, 256, 0, 0);
		for (k = 0; k < 100; k++) {
			dk.dk_va[0] = (uint8_t)k;
			desk_sync(&dk, 0, 64, PREWRITE);
			desk_sync(&dk, 128, 64, PREREAD);
			if (configs[i][0] != 'b' || k % 2)
				assert_int_equal(desk_read(&dk, 0), k);
			if (dk.dk_map->dm_nsegs == 1)
				desk_write(&dk, 128, (uint8_t)(k + 1));
			desk_sync(&dk, 128, 64, POSTREAD);
			desk_sync(&dk, 0, 64, POSTWRITE);
			if (dk.dk_map->dm_nsegs == 1)
				assert_int_equal(dk.dk_va[128],
				    (uint8_t)(k + 1));
		}
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	desk_config("noncoherent");
}

static void
device_reads_what_had_no_prewrite(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_DEVICE_NO_PREWRITE);
	dk.dk_va[70] = 0x42;
	desk_sync(&dk, 0, 64, PREWRITE);	/* too short */
	assert_int_not_equal(desk_read(&dk, 70), 0x42);
	assert_report(BENCH_DEVICE_NO_PREWRITE, "desk_new");
	desk_free(&dk);
}

static void
device_writes_what_had_no_preread(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_DEVICE_NO_PREREAD);
	desk_sync(&dk, 0, 256, PREWRITE);	/* of the wrong direction */
	desk_write(&dk, 70, 1);
	assert_report(BENCH_DEVICE_NO_PREREAD, "desk_sync");
	desk_free(&dk);
}

static void
what_is_stored_after_prewrite_is_stale(void **state)
{
	static const char *const both[] = {
		"noncoherent,chance=4096", "bounce"
	};
	struct desk dk;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		desk_config(both[i]);
		desk_new(&dk, 256, 0, 0);
		desk_sync(&dk, 0, 256, PREWRITE);
		dk.dk_va[9] = 0x42;
		bench_expect(BENCH_DEVICE_STALE);
		assert_int_equal(desk_read(&dk, 9), 0);
		assert_report(BENCH_DEVICE_STALE, "desk_sync");
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	desk_config("noncoherent");
}

static void
without_postread_the_cpu_sees_the_past(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent,chance=4096");
	desk_new(&dk, 256, 0, 0);
	desk_sync(&dk, 0, 256, PREREAD);
	desk_write(&dk, 5, 0x77);
	assert_int_equal(dk.dk_va[5], 0);
	desk_sync(&dk, 0, 256, POSTREAD);
	assert_int_equal(dk.dk_va[5], 0x77);
	desk_free(&dk);
}

/* Two lines of 64 are one of 128. */
static void
a_line_has_one_master(void **state)
{
	struct desk dk;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		desk_config(i ? "noncoherent,line=128,chance=4096" :
		    "noncoherent,line=64,chance=4096");
		desk_new(&dk, 256, 0, 0);
		desk_sync(&dk, 0, 64, PREREAD);
		dk.dk_va[64] = 0x42;
		if (i)
			bench_expect(BENCH_SHARED_LINE);
		desk_write(&dk, 0, 0x77);
		if (i)
			assert_report(BENCH_SHARED_LINE, "desk_sync");
		desk_sync(&dk, 0, 64, POSTREAD);
		assert_int_equal(dk.dk_va[0], 0x77);
		assert_int_equal(dk.dk_va[64], i ? 0 : 0x42);
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	desk_config("noncoherent");
}

/* The CPU cleans its own data: the device's answer in the same line goes. */
static void
a_clean_destroys_the_answer(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent,line=128,chance=4096");
	desk_new(&dk, 256, 0, 0);
	desk_sync(&dk, 0, 64, PREREAD);
	desk_write(&dk, 0, 0x77);
	dk.dk_va[64] = 0x42;
	bench_expect(BENCH_SHARED_LINE);
	desk_sync(&dk, 64, 64, PREWRITE);
	assert_report(BENCH_SHARED_LINE, "desk_sync");
	desk_sync(&dk, 0, 64, POSTREAD);
	assert_int_equal(dk.dk_va[0], 0);
	desk_free(&dk);
}

static void
a_store_while_the_device_owns_the_bytes(void **state)
{
	static const char *const both[] = {
		"noncoherent,chance=4096", "bounce"
	};
	struct desk dk;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		desk_config(both[i]);
		desk_new(&dk, 256, 0, 0);
		desk_sync(&dk, 0, 256, PREWRITE | PREREAD);
		dk.dk_va[3] = 0x42;
		bench_expect(BENCH_CPU_STORE);
		desk_sync(&dk, 0, 256, POSTREAD | POSTWRITE);
		assert_report(BENCH_CPU_STORE, "desk_sync");
		assert_int_equal(dk.dk_va[3], 0);
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	desk_config("noncoherent");
}

static void
coherent_memory_is_one(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, 256, BUS_DMA_COHERENT, 0);
	assert_true(PV_DMAMAP_COHERENT(&port_dma_tag, dk.dk_map));
	dk.dk_va[1] = 0x42;
	assert_int_equal(desk_read(&dk, 1), 0x42);
	desk_write(&dk, 2, 0x77);
	assert_int_equal(dk.dk_va[2], 0x77);
	desk_free(&dk);
}

static void
access_after_unload(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("coherent");
	desk_new(&dk, 256, 0, 0);
	bus_dmamap_unload(&port_dma_tag, dk.dk_map);
	bench_expect(BENCH_DEVICE_AFTER_UNLOAD);
	assert_int_equal(desk_read(&dk, 1), 0xdd);
	assert_report(BENCH_DEVICE_AFTER_UNLOAD, "access_after_unload");
	assert_non_null(strstr(bench_last(), "unloaded at"));
	assert_non_null(strstr(bench_last(), "desk_new"));
	/* Loaded again it has other addresses. */
	assert_int_equal(bus_dmamap_load(&port_dma_tag, dk.dk_map, dk.dk_va,
	    256, NULL, 0), 0);
	desk_read(&dk, 1);
	assert_int_equal(bench_found(BENCH_DEVICE_AFTER_UNLOAD), 2);
	desk_free(&dk);
}

static void
access_beyond_the_end(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("coherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_DEVICE_OUTSIDE);
	desk_write(&dk, 256, 1);
	assert_report(BENCH_DEVICE_OUTSIDE, "desk_new");
	desk_free(&dk);
}

/* The second segment does not follow the first. */
static void
access_across_segments(void **state)
{
	uint32_t v = 0;
	struct desk dk;

	(void)state;
	desk_config("coherent,segsize=128");
	desk_new(&dk, 256, 0, 0);
	assert_int_equal(dk.dk_map->dm_nsegs, 2);
	bench_expect(BENCH_DEVICE_OUTSIDE);
	assert_int_equal(port_dma_write(dk.dk_addr + 126, &v, 4), -1);
	assert_report(BENCH_DEVICE_OUTSIDE, "desk_new");
	desk_free(&dk);
}

static void
access_against_the_direction(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("coherent");
	desk_new(&dk, 256, 0, BUS_DMA_WRITE);
	desk_read(&dk, 0);
	bench_expect(BENCH_DEVICE_DIRECTION);
	desk_write(&dk, 0, 1);
	assert_report(BENCH_DEVICE_DIRECTION, "desk_new");
	desk_free(&dk);
	assert_int_equal(desk_finish(NULL), 0);
	desk_config("coherent");
	desk_new(&dk, 256, 0, BUS_DMA_READ);
	desk_write(&dk, 0, 1);
	bench_expect(BENCH_DEVICE_DIRECTION);
	desk_read(&dk, 0);
	assert_int_equal(bench_found(BENCH_DEVICE_DIRECTION), 1);
	desk_free(&dk);
}

static void
addresses_of_the_wrong_kind(void **state)
{
	static const char text[] = "in the program";
	struct desk dk;
	uint8_t b;

	(void)state;
	desk_config("coherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_DEVICE_CPU_ADDRESS);
	bench_expect(BENCH_DEVICE_PHYS_ADDRESS);
	bench_expect(BENCH_DEVICE_NOT_LOADED);
	port_dma_read((bus_addr_t)(uintptr_t)dk.dk_va, &b, 1);
	assert_report(BENCH_DEVICE_CPU_ADDRESS, "desk_new");
	port_dma_read((bus_addr_t)(uintptr_t)text, &b, 1);
	port_dma_read((bus_addr_t)(uintptr_t)&b, &b, 1);
	assert_int_equal(bench_found(BENCH_DEVICE_CPU_ADDRESS), 3);
	port_dma_read(dk.dk_segs[0].ds_addr, &b, 1);
	assert_report(BENCH_DEVICE_PHYS_ADDRESS, "desk_new");
	port_dma_read(0, &b, 1);
	assert_report(BENCH_DEVICE_NOT_LOADED, "addresses_of_the_wrong_kind");
	desk_free(&dk);
}

static void
syncs_out_of_order(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_SYNC_PRE_POST);
	desk_sync(&dk, 0, 256, PREREAD | PREWRITE);
	desk_sync(&dk, 0, 256, POSTREAD | PREREAD);
	assert_report(BENCH_SYNC_PRE_POST, "desk_sync");
	bench_expect(BENCH_SYNC_OUTSIDE);
	desk_sync(&dk, 200, 57, PREWRITE);
	assert_report(BENCH_SYNC_OUTSIDE, "desk_sync");
	desk_sync(&dk, 257, 1, PREWRITE);
	desk_sync(&dk, (size_t)-1, 2, PREWRITE);
	desk_sync(&dk, 0, 0, PREWRITE);
	assert_int_equal(bench_found(BENCH_SYNC_OUTSIDE), 4);
	desk_free(&dk);
}

static void
postread_alone_drops_stores(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_SYNC_POST_NO_PRE);
	desk_sync(&dk, 0, 256, PREWRITE);
	desk_sync(&dk, 0, 256, POSTREAD);
	assert_report(BENCH_SYNC_POST_NO_PRE, "desk_sync");
	desk_free(&dk);
}

/* It has no effect on most buses, and on some it has. */
static void
postwrite_is_missing(void **state)
{
	static const char *const both[] = { "noncoherent", "bounce" };
	struct desk dk;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		desk_config(both[i]);
		desk_new(&dk, 256, 0, 0);
		desk_sync(&dk, 0, 64, PREWRITE);
		/* Nobody has looked: it may be meant for the same reading. */
		desk_sync(&dk, 0, 64, PREWRITE);
		assert_int_equal(desk_read(&dk, 0), 0);
		bench_expect(BENCH_SYNC_NO_POST);
		desk_sync(&dk, 0, 64, PREWRITE);
		assert_report(BENCH_SYNC_NO_POST, "desk_sync");
		desk_sync(&dk, 0, 64, POSTWRITE);
		desk_sync(&dk, 0, 64, PREWRITE);
		bus_dmamap_unload(&port_dma_tag, dk.dk_map);
		assert_int_equal(bench_found(BENCH_SYNC_NO_POST), 2);
		assert_non_null(strstr(bench_last(), "unload"));
		assert_int_equal(bus_dmamap_load(&port_dma_tag, dk.dk_map,
		    dk.dk_va, 256, NULL, 0), 0);
		desk_free(&dk);
		assert_int_equal(desk_finish(NULL), 0);
	}
	desk_config("noncoherent");
}

static const char *
has_the_tenth(void *arg, bus_addr_t addr, bus_size_t len)
{
	const struct desk *dk = arg;

	return addr <= dk->dk_addr + 10 && dk->dk_addr + 10 < addr + len ?
	    "what it likes" : NULL;
}

static void
unloaded_while_a_device_has_it(void **state)
{
	struct desk dk;
	struct port_holder ph = { .ph_what = has_the_tenth, .ph_arg = &dk };

	(void)state;
	desk_config("coherent");
	desk_new(&dk, 256, 0, 0);
	port_hold(&ph);
	assert_null(port_held(dk.dk_addr, 10, 1));
	bench_expect(BENCH_MAP_HELD);
	bus_dmamap_unload(&port_dma_tag, dk.dk_map);
	assert_report(BENCH_MAP_HELD, "unloaded_while");
	assert_non_null(strstr(bench_last(), "what it likes"));
	assert_int_equal(bus_dmamap_load(&port_dma_tag, dk.dk_map, dk.dk_va,
	    256, NULL, 0), 0);
	bench_expect(BENCH_MAP_DESTROY_LOADED);
	dk.dk_addr = dk.dk_map->dm_segs[0].ds_addr;
	bus_dmamap_destroy(&port_dma_tag, dk.dk_map);
	assert_int_equal(bench_found(BENCH_MAP_HELD), 2);
	port_hold_end(&ph);
	bus_dmamem_unmap(&port_dma_tag, dk.dk_va, 256);
	bus_dmamem_free(&port_dma_tag, dk.dk_segs, dk.dk_nsegs);
}

static void
maps_out_of_order(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("coherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_MAP_NOT_LOADED);
	bench_expect(BENCH_SYNC_NOT_LOADED);
	bench_expect(BENCH_MAP_DESTROY_LOADED);
	bench_expect(BENCH_MAP_UNKNOWN);
	bus_dmamap_unload(&port_dma_tag, dk.dk_map);
	bus_dmamap_unload(&port_dma_tag, dk.dk_map);
	assert_report(BENCH_MAP_NOT_LOADED, "maps_out_of_order");
	desk_sync(&dk, 0, 1, PREWRITE);
	assert_report(BENCH_SYNC_NOT_LOADED, "desk_sync");
	assert_int_equal(bus_dmamap_load(&port_dma_tag, dk.dk_map, dk.dk_va,
	    256, NULL, 0), 0);
	bus_dmamap_destroy(&port_dma_tag, dk.dk_map);
	assert_report(BENCH_MAP_DESTROY_LOADED, "maps_out_of_order");
	bus_dmamap_unload(&port_dma_tag, dk.dk_map);
	assert_report(BENCH_MAP_UNKNOWN, "maps_out_of_order");
	bus_dmamem_unmap(&port_dma_tag, dk.dk_va, 256);
	bus_dmamem_free(&port_dma_tag, dk.dk_segs, dk.dk_nsegs);
}

static void
memory_out_of_order(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("coherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_MEM_FREE_MAPPED);
	bench_expect(BENCH_MEM_FREE_LOADED);
	bench_expect(BENCH_MEM_UNKNOWN);
	bus_dmamem_free(&port_dma_tag, dk.dk_segs, dk.dk_nsegs);
	assert_int_equal(bench_found(BENCH_MEM_FREE_MAPPED), 1);
	assert_report(BENCH_MEM_FREE_LOADED, "desk_new");
	bus_dmamem_free(&port_dma_tag, dk.dk_segs, dk.dk_nsegs);
	assert_report(BENCH_MEM_UNKNOWN, "memory_out_of_order");
	bus_dmamap_unload(&port_dma_tag, dk.dk_map);
	bus_dmamap_destroy(&port_dma_tag, dk.dk_map);
}

static void
load_raw_before_map(void **state)
{
	bus_dma_segment_t seg;
	bus_dmamap_t map;
	int nsegs;

	(void)state;
	desk_config("noncoherent");
	bench_expect(BENCH_MEM_LOAD_RAW);
	assert_int_equal(bus_dmamem_alloc(&port_dma_tag, 256, 128, 0, &seg, 1,
	    &nsegs, 0), 0);
	assert_int_equal(bus_dmamap_create(&port_dma_tag, 256, 1, 256, 0, 0,
	    &map), 0);
	assert_int_equal(bus_dmamap_load_raw(&port_dma_tag, map, &seg, 1, 256,
	    0), EINVAL);
	assert_report(BENCH_MEM_LOAD_RAW, "load_raw_before_map");
	bus_dmamap_destroy(&port_dma_tag, map);
	bus_dmamem_free(&port_dma_tag, &seg, nsegs);
}

static void
map_and_mmap_disagree(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, PAGE_SIZE, BUS_DMA_COHERENT, 0);
	bus_dmamem_mmap(&port_dma_tag, dk.dk_segs, dk.dk_nsegs, 0, PROT_READ,
	    BUS_DMA_COHERENT);
	assert_int_equal(bench_found_all(), 0);
	bench_expect(BENCH_MMAP_CACHE);
	bus_dmamem_mmap(&port_dma_tag, dk.dk_segs, dk.dk_nsegs, 0, PROT_READ,
	    0);
	assert_report(BENCH_MMAP_CACHE, "desk_new");
	desk_free(&dk);
}

static void
freed_while_user_space_maps_it(void **state)
{
	struct desk dk;
	uint8_t *user;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, 2 * PAGE_SIZE, 0, 0);
	user = bench_user_map(bus_dmamem_mmap(&port_dma_tag, dk.dk_segs,
	    dk.dk_nsegs, PAGE_SIZE, PROT_WRITE, 0));
	assert_ptr_equal(user, dk.dk_va + PAGE_SIZE);
	bench_expect(BENCH_MEM_FREE_USER);
	desk_free(&dk);
	assert_report(BENCH_MEM_FREE_USER, "desk_new");
	user[0] = 1;		/* it can, and harms nobody here */
}

static void
user_space_lets_go_before(void **state)
{
	struct desk dk;
	void *user;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, PAGE_SIZE, 0, 0);
	user = bench_user_map(bus_dmamem_mmap(&port_dma_tag, dk.dk_segs,
	    dk.dk_nsegs, 0, PROT_WRITE, 0));
	bench_user_unmap(user);
	desk_free(&dk);
}

static void
addresses_of_the_wrong_kind_for_user_space(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, PAGE_SIZE, 0, 0);
	bench_expect(BENCH_USER_CPU_ADDRESS);
	assert_null(bench_user_map((paddr_t)(uintptr_t)dk.dk_va));
	assert_report(BENCH_USER_CPU_ADDRESS, "user_space");
	bench_expect(BENCH_USER_BUS_ADDRESS);
	assert_null(bench_user_map(dk.dk_addr));
	assert_report(BENCH_USER_BUS_ADDRESS, "user_space");
	bench_expect(BENCH_USER_NO_PAGE);
	assert_null(bench_user_map(bus_dmamem_mmap(&port_dma_tag, dk.dk_segs,
	    dk.dk_nsegs, 0, PROT_READ, 0) + 64));
	assert_report(BENCH_USER_NO_PAGE, "user_space");
	assert_null(bench_user_map((paddr_t)-1));
	desk_free(&dk);
}

/* What user space draws the kernel owes the device a sync for. */
static void
what_user_space_draws_is_synced(void **state)
{
	struct desk dk;
	uint8_t *user;

	(void)state;
	desk_config("noncoherent,chance=4096");
	desk_new(&dk, PAGE_SIZE, 0, 0);
	desk_sync(&dk, 0, PAGE_SIZE, PREWRITE);
	user = bench_user_map(bus_dmamem_mmap(&port_dma_tag, dk.dk_segs,
	    dk.dk_nsegs, 0, PROT_WRITE, 0));
	memset(user, 0xff, PAGE_SIZE);
	desk_sync(&dk, 0, PAGE_SIZE, POSTWRITE);
	bench_expect(BENCH_DEVICE_NO_PREWRITE);
	assert_int_equal(desk_read(&dk, 1000), 0);
	assert_report(BENCH_DEVICE_NO_PREWRITE, "desk_sync");
	desk_sync(&dk, 0, PAGE_SIZE, PREWRITE);
	assert_int_equal(desk_read(&dk, 1000), 0xff);
	assert_int_equal(bench_found(BENCH_DEVICE_NO_PREWRITE), 1);
	bench_user_unmap(user);
	desk_free(&dk);
}

static void
loaded_twice(void **state)
{
	struct desk dk;

	(void)state;
	desk_config("noncoherent");
	desk_new(&dk, 256, 0, 0);
	bench_expect(BENCH_MAP_DOUBLE_LOAD);
	assert_int_equal(bus_dmamap_load(&port_dma_tag, dk.dk_map, dk.dk_va,
	    256, NULL, 0), 0);
	assert_report(BENCH_MAP_DOUBLE_LOAD, "desk_new");
	desk_free(&dk);
}

static void
words_that_are_none(void **state)
{
	struct bench_dma bd = { 0 };

	(void)state;
	assert_int_equal(bench_dma_parse("coherent,line=128,seed=9", &bd), 0);
	assert_int_equal(bd.bd_coherent, 1);
	assert_int_equal(bd.bd_line, 128);
	assert_int_equal(bd.bd_seed, 9);
	assert_int_equal(bench_dma_parse("line", &bd), -1);
	assert_int_equal(bench_dma_parse("coherent=1", &bd), -1);
	assert_int_equal(bench_dma_parse("lines=1", &bd), -1);
}

static void
an_expected_finding_that_does_not_come_is_wrong(void **state)
{
	unsigned int i;

	(void)state;
	desk_config("noncoherent");
	bench_expect(BENCH_CPU_LOAD);
	assert_int_equal(bench_check(), 1);
	assert_int_equal(bench_check(), 0);
	for (i = 0; i < BENCH_NRULES; i++) {
		assert_non_null(bench_rule_name((enum bench_rule)i));
		assert_non_null(bench_rule_text((enum bench_rule)i));
	}
}

#define T(f)	cmocka_unit_test_teardown(f, desk_finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(right_use_is_no_finding),
		T(device_reads_what_had_no_prewrite),
		T(device_writes_what_had_no_preread),
		T(what_is_stored_after_prewrite_is_stale),
		T(without_postread_the_cpu_sees_the_past),
		T(a_line_has_one_master),
		T(a_clean_destroys_the_answer),
		T(a_store_while_the_device_owns_the_bytes),
		T(coherent_memory_is_one),
		T(access_after_unload),
		T(access_beyond_the_end),
		T(access_across_segments),
		T(access_against_the_direction),
		T(addresses_of_the_wrong_kind),
		T(syncs_out_of_order),
		T(postread_alone_drops_stores),
		T(postwrite_is_missing),
		T(unloaded_while_a_device_has_it),
		T(maps_out_of_order),
		T(memory_out_of_order),
		T(load_raw_before_map),
		T(map_and_mmap_disagree),
		T(freed_while_user_space_maps_it),
		T(user_space_lets_go_before),
		T(addresses_of_the_wrong_kind_for_user_space),
		T(what_user_space_draws_is_synced),
		T(loaded_twice),
		T(words_that_are_none),
		T(an_expected_finding_that_does_not_come_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
