/* SPDX-License-Identifier: ISC */
/* UNIT: guest/cpu/pt.c */
/*
 * The page table builder against a plain array of what should be mapped,
 * with tables in a small arena that can run out.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vm.h"
#include "../../guest/cpu/pt.h"

#define ARENA		64
#define ARENA_PA	0x1000000ull

static uint64_t arena[ARENA][PT_ENTRIES] __attribute__((aligned(4096)));
static bool arena_used[ARENA];
static unsigned arena_limit, flushes;

static paddr_t
t_alloc(struct pt *pt)
{
	(void)pt;
	for (unsigned i = 0; i < arena_limit; i++) {
		if (arena_used[i])
			continue;
		arena_used[i] = true;
		memset(arena[i], 0, sizeof(arena[i]));
		return ARENA_PA + i * 4096ull;
	}
	return 0;
}

static void
t_free(struct pt *pt, paddr_t pa)
{
	(void)pt;
	assert_true(arena_used[(pa - ARENA_PA) / 4096]);
	arena_used[(pa - ARENA_PA) / 4096] = false;
}

static uint64_t *
t_ptr(struct pt *pt, paddr_t pa)
{
	(void)pt;
	assert_true(pa >= ARENA_PA && pa < ARENA_PA + ARENA * 4096ull);
	return arena[(pa - ARENA_PA) / 4096];
}

static void
t_sync(struct pt *pt)
{
	(void)pt;
}

/* Break before make: when the TLB is told, nothing is mapped there. */
static void
t_flush(struct pt *pt, vaddr_t va)
{
	uint64_t pte, size;

	assert_int_equal(pt_find(pt, va, &pte, &size), ENOENT);
	flushes++;
}

static struct pt pt = {
	.pt_alloc = t_alloc,
	.pt_free = t_free,
	.pt_ptr = t_ptr,
	.pt_sync = t_sync,
	.pt_flush = t_flush,
	.pt_bti = true,
};

static int
setup(void **state)
{
	(void)state;
	memset(arena_used, 0, sizeof(arena_used));
	arena_limit = ARENA;
	flushes = 0;
	pt.pt_root = t_alloc(&pt);
	return 0;
}

static unsigned
tables(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARENA; i++)
		n += arena_used[i];
	return n;
}

static void
leaves_say_what_was_asked(void **state)
{
	static const int prots[] = {
		VM_READ, VM_READ | VM_WRITE, VM_READ | VM_EXEC,
		VM_READ | VM_USER, VM_READ | VM_WRITE | VM_USER,
		VM_READ | VM_EXEC | VM_USER,
	};
	int prot, attr;

	(void)state;
	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		for (int a = VM_WB; a <= VM_DEV_POSTED; a++) {
			uint64_t e = pt_leaf(&pt, prots[i], a);

			pt_decode(e, &prot, &attr);
			assert_int_equal(prot, prots[i]);
			assert_int_equal(attr, a);
			/* EL1 never runs what EL0 can reach. */
			if (prot & VM_USER)
				assert_true(e >> PTE_PXN_BIT & 1);
			else
				assert_true(e >> PTE_UXN_BIT & 1);
			assert_int_equal(e >> PTE_GP_BIT & 1,
			    prot == (VM_READ | VM_EXEC));
			assert_true(e & PTE_AF);
		}
	}
}

static void
blocks_are_used_where_they_fit(void **state)
{
	uint64_t pte, size, bits = pt_leaf(&pt, VM_READ, VM_WB);
	vaddr_t va = 0xffff000000000000ull;

	(void)state;
	/* 4 KiB below 2 MiB up to 4 KiB above 2 GiB. */
	assert_int_equal(pt_map(&pt, va + 0x1ff000, 0x1ff000,
	    0x80001000ull - 0x1ff000, bits, true), 0);
	assert_int_equal(pt_find(&pt, va + 0x1ff008, &pte, &size), 0);
	assert_int_equal(size, 0x1000);
	assert_int_equal(pt_find(&pt, va + 0x200000, &pte, &size), 0);
	assert_int_equal(size, 0x200000);
	assert_int_equal(pt_find(&pt, va + 0x40000000, &pte, &size), 0);
	assert_int_equal(size, 0x40000000);
	assert_int_equal(pte & PT_ADDR, 0x40000000);
	assert_int_equal(pt_find(&pt, va + 0x80000000, &pte, &size), 0);
	assert_int_equal(size, 0x1000);
	assert_int_equal(pt_find(&pt, va + 0x80001000, &pte, &size), ENOENT);
	assert_int_equal(pt_find(&pt, va, &pte, &size), ENOENT);
	/* A block is not cut. */
	assert_int_equal(pt_unmap(&pt, va + 0x200000, 0x1000), EINVAL);
	assert_int_equal(pt_protect(&pt, va + 0x300000, 0x100000, VM_READ),
	    EINVAL);
	assert_int_equal(flushes, 0);
	assert_int_equal(pt_unmap(&pt, va + 0x200000, 0x200000), 0);
	assert_int_equal(flushes, 1);
	assert_int_equal(pt_map(&pt, va + 0x200000, 0x200000, 0x200000, bits,
	    true), 0);
	assert_int_equal(pt_map(&pt, va + 0x200000, 0, 0x1000, bits, true),
	    EEXIST);
}

static void
a_block_goes_into_a_table_that_is_there(void **state)
{
	uint64_t pte, size, bits = pt_leaf(&pt, VM_READ, VM_WB);
	vaddr_t va = 0x40000000;

	(void)state;
	assert_int_equal(pt_map(&pt, va, 0, 0x1000, bits, true), 0);
	assert_int_equal(pt_unmap(&pt, va, 0x1000), 0);
	assert_int_equal(pt_map(&pt, va, 0x200000, 0x400000, bits, true), 0);
	assert_int_equal(pt_find(&pt, va, &pte, &size), 0);
	assert_int_equal(size, 0x1000);
	assert_int_equal(pt_find(&pt, va + 0x200000, &pte, &size), 0);
	assert_int_equal(size, 0x200000);
}

static void
no_memory_leaves_nothing_mapped(void **state)
{
	uint64_t pte, size, bits = pt_leaf(&pt, VM_READ, VM_WB);
	vaddr_t va = 0x40000000 - 0x1000;

	(void)state;
	/* The first page has tables; those of the second do not fit. */
	for (arena_limit = 1; arena_limit < 6; arena_limit++) {
		memset(arena[0], 0, sizeof(arena[0]));
		memset(arena_used, 0, sizeof(arena_used));
		arena_used[0] = true;
		assert_int_equal(pt_map(&pt, va, 0, 0x2000, bits, false),
		    ENOMEM);
		assert_int_equal(pt_find(&pt, va, &pte, &size), ENOENT);
	}
	arena_limit = 6;
	assert_int_equal(pt_map(&pt, va, 0, 0x2000, bits, false), 0);
}

static void
overlap_is_refused_whole(void **state)
{
	uint64_t pte, size, bits = pt_leaf(&pt, VM_READ, VM_WB);

	(void)state;
	assert_int_equal(pt_map(&pt, 0x5000, 0x9000, 0x1000, bits, false), 0);
	assert_int_equal(pt_map(&pt, 0x3000, 0, 0x4000, bits, false), EEXIST);
	assert_int_equal(pt_find(&pt, 0x3000, &pte, &size), ENOENT);
	assert_int_equal(pt_find(&pt, 0x5000, &pte, &size), 0);
	assert_int_equal(pte & PT_ADDR, 0x9000);
}

#define PAGES	2048

#define MODEL_BASE	0x3ffc00000ull	/* across a table's end */

static paddr_t pa_of[PAGES];
static int prot_of[PAGES];

/* Map, unmap or protect n pages: all of them or none. */
static void
change(unsigned at, unsigned n, paddr_t pa, int prot)
{
	vaddr_t va = MODEL_BASE + at * 4096ull;
	unsigned held = 0, i;
	int error;

	for (i = at; i < at + n; i++)
		held += prot_of[i] != 0;
	switch (random() % 3) {
	case 0:
		error = pt_map(&pt, va, pa, n * 4096ull,
		    pt_leaf(&pt, prot, VM_WB), false);
		assert_int_equal(error, held ? EEXIST : 0);
		for (i = 0; i < n && !held; i++) {
			pa_of[at + i] = pa + i * 4096ull;
			prot_of[at + i] = prot;
		}
		break;
	case 1:
		assert_int_equal(pt_unmap(&pt, va, n * 4096ull), 0);
		memset(prot_of + at, 0, n * sizeof(prot_of[0]));
		break;
	default:
		error = pt_protect(&pt, va, n * 4096ull, prot);
		assert_int_equal(error, held == n ? 0 : ENOENT);
		for (i = 0; i < n && held == n; i++)
			prot_of[at + i] = prot;
	}
}

static void
compare(unsigned step)
{
	uint64_t pte, size;
	int error, p, a;
	unsigned i;

	for (i = 0; i < PAGES; i += step) {
		error = pt_find(&pt, MODEL_BASE + i * 4096ull, &pte, &size);
		assert_int_equal(error, prot_of[i] ? 0 : ENOENT);
		if (error)
			continue;
		pt_decode(pte, &p, &a);
		assert_int_equal(p, prot_of[i]);
		assert_int_equal(pte & PT_ADDR, pa_of[i]);
	}
}

static void
random_changes_match_a_model(void **state)
{
	static const int prots[] = {
		VM_READ | VM_USER, VM_READ | VM_WRITE | VM_USER,
		VM_READ | VM_EXEC | VM_USER,
	};

	(void)state;
	memset(prot_of, 0, sizeof(prot_of));
	srandom(1);
	for (unsigned round = 0; round < 4000; round++) {
		unsigned at = (unsigned)random() % PAGES;
		unsigned n = (unsigned)random() % 20 + 1;
		int prot = prots[random() % 3];
		paddr_t pa = ((paddr_t)random() & 0xffffff) << 12;

		change(at, at + n > PAGES ? PAGES - at : n, pa, prot);
		compare(round % 16 + 1);
	}
	pt_clear(&pt);
	assert_int_equal(tables(), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(leaves_say_what_was_asked, setup),
		cmocka_unit_test_setup(blocks_are_used_where_they_fit, setup),
		cmocka_unit_test_setup(
		    a_block_goes_into_a_table_that_is_there, setup),
		cmocka_unit_test_setup(no_memory_leaves_nothing_mapped,
		    setup),
		cmocka_unit_test_setup(overlap_is_refused_whole, setup),
		cmocka_unit_test_setup(random_changes_match_a_model, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
