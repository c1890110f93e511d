/* SPDX-License-Identifier: ISC */
/* UNIT: guest/cpu/pages.c */
/*
 * The page allocator and kmalloc over memory that is a list of ranges with
 * reservations in it, as firmware gives them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fake.h"

#define GUEST_BOOTINFO_H

#define MEM_PA		0x40000000ull
#define MEM_SIZE	0x400000ul

static char mem[MEM_SIZE] __attribute__((aligned(65536)));
static char *_image_start, *_image_end;
static unsigned panics;
static jmp_buf after_panic;

#include "../../guest/cpu/kmem.c"

struct machine machine;

void
panic(const char *fmt, ...)
{
	(void)fmt;
	panics++;
	longjmp(after_panic, 1);
}

void *
vm_dmap(paddr_t pa, size_t len)
{
	if (pa < MEM_PA || pa - MEM_PA > MEM_SIZE ||
	    len > MEM_SIZE - (pa - MEM_PA))
		return NULL;
	return mem + (pa - MEM_PA);
}

paddr_t
vm_physical(const void *p)
{
	const char *c = p;

	return c >= mem && c <= mem + MEM_SIZE ?
	    MEM_PA + (paddr_t)(c - mem) : (paddr_t)-1;
}

static void
reserve(uint64_t base, uint64_t size)
{
	struct machine_range *r = &machine.m_reserved[machine.m_nreserved++];

	r->mr_base = base;
	r->mr_size = size;
}

static int
setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	memset(mem, 0xee, sizeof(mem));
	memset(class_list, 0, sizeof(class_list));
	nmaps = 0;
	panics = 0;
	_image_start = mem + 0x10000;
	_image_end = mem + 0x20000;
	return 0;
}

static bool
reserved(paddr_t pa)
{
	if (pa >= MEM_PA + 0x10000 && pa < MEM_PA + 0x20000)
		return true;
	for (unsigned i = 0; i < machine.m_nreserved; i++) {
		paddr_t b = machine.m_reserved[i].mr_base & ~0xfffull;

		if (pa >= b && pa < machine.m_reserved[i].mr_base +
		    machine.m_reserved[i].mr_size)
			return true;
	}
	return false;
}

/* Take every page: each once, none of what is reserved. */
static size_t
drain(void)
{
	static bool seen[MEM_SIZE / PAGE_SIZE];
	size_t n = 0;
	paddr_t pa;

	memset(seen, 0, sizeof(seen));
	while ((pa = page_alloc(1, 0, 0)) != 0) {
		assert_int_equal(pa & PAGE_MASK, 0);
		assert_false(seen[(pa - MEM_PA) / PAGE_SIZE]);
		seen[(pa - MEM_PA) / PAGE_SIZE] = true;
		assert_false(reserved(pa));
		assert_true(page_is_ram(pa, PAGE_SIZE));
		memset(vm_dmap(pa, PAGE_SIZE), 0, PAGE_SIZE);
		n++;
	}
	assert_int_equal(page_free_count(), 0);
	return n;
}

static void
reservations_are_left_alone(void **state)
{
	size_t n;

	(void)state;
	reserve(MEM_PA, 0x800);			/* its start */
	reserve(MEM_PA + 0x1f000, 0x3000);	/* over the image's end */
	reserve(MEM_PA + 0x20800, 0x400);	/* within another */
	reserve(MEM_PA + MEM_SIZE - 0x1001, 0x2000);	/* over the end */
	reserve(MEM_PA - 0x10000, 0x8000);	/* outside */
	kmem_add(MEM_PA, MEM_PA + MEM_SIZE);
	n = drain();
	/* 1024 less 1, 16 + 2, 2, and one for the bitmaps. */
	assert_int_equal(n, 1024 - 1 - 18 - 2 - 1);
}

static void
ranges_are_used_one_after_the_other(void **state)
{
	size_t got;
	paddr_t pa;

	(void)state;
	kmem_add(MEM_PA, MEM_PA + 0x8000);
	kmem_add(MEM_PA + 0x40000, MEM_PA + 0x80000);
	kmem_add(MEM_PA + 0x100000, MEM_PA + 0x101000);	/* bitmaps only */
	kmem_add(MEM_PA + 0x10000, MEM_PA + 0x20000);	/* all reserved */
	assert_int_equal(page_free_count(), 7 + 63);
	/* No run goes over a range's end. */
	assert_int_equal(page_alloc(64, 0, 0), 0);
	pa = page_alloc_best(512, 0, &got);
	assert_int_equal(got, 63);
	assert_int_equal(pa, MEM_PA + 0x41000);
	pa = page_alloc_best(512, 0, &got);
	assert_int_equal(got, 7);
	assert_int_equal(page_alloc_best(1, 0, &got), 0);
	assert_int_equal(got, 0);
	page_free(pa, 7);
	assert_int_equal(page_alloc(2, 0, MEM_PA + 0x2fff), MEM_PA + 0x1000);
	assert_int_equal(page_alloc(2, 0, MEM_PA + 0x2fff), 0);
}

static void
a_range_full_of_holes_is_nothing(void **state)
{
	(void)state;
	reserve(MEM_PA, MEM_SIZE);
	kmem_add(MEM_PA, MEM_PA + MEM_SIZE);
	assert_int_equal(page_total(), 0);
	assert_int_equal(page_alloc(1, 0, 0), 0);
	assert_null(kmalloc(100));
	assert_null(kmalloc(10000));
}

static void
misuse_is_noticed(void **state)
{
	char *p;
	paddr_t pa;

	(void)state;
	kmem_add(MEM_PA, MEM_PA + MEM_SIZE);
	p = kmalloc(100);
	kfree(p);
	if (setjmp(after_panic) == 0)
		kfree(p);
	assert_int_equal(panics, 1);
	p = kmalloc(100);
	if (setjmp(after_panic) == 0)
		kfree(p + 8);
	assert_int_equal(panics, 2);
	p = kmalloc(3 * PAGE_SIZE);
	kfree(p);
	if (setjmp(after_panic) == 0)
		kfree(p);
	assert_int_equal(panics, 3);
	pa = page_alloc(4, 0, 0);
	page_free(pa, 4);
	if (setjmp(after_panic) == 0)
		page_free(pa, 1);
	assert_int_equal(panics, 4);
	if (setjmp(after_panic) == 0)
		page_free(MEM_PA + MEM_SIZE, 1);
	assert_int_equal(panics, 5);
}

static void
blocks_hold_what_was_put_there(void **state)
{
	static struct {
		unsigned char	*p;
		size_t		len;
	} slot[200];
	size_t before;

	(void)state;
	memset(slot, 0, sizeof(slot));
	kmem_add(MEM_PA, MEM_PA + MEM_SIZE);
	before = page_free_count();
	srandom(3);
	for (unsigned i = 0; i < 100000; i++) {
		unsigned k = (unsigned)random() % 200;
		size_t len = (size_t)random() % (i % 9 ? 700 : 30000) + 1;

		if (slot[k].p != NULL) {
			for (size_t j = 0; j < slot[k].len; j += 17)
				assert_int_equal(slot[k].p[j], k);
			kfree(slot[k].p);
			slot[k].p = NULL;
			continue;
		}
		slot[k].p = kmalloc(len);
		slot[k].len = len;
		if (slot[k].p == NULL)
			continue;
		memset(slot[k].p, (int)k, len);
		assert_int_equal((uintptr_t)slot[k].p % (len > 64 ? 128 : 16),
		    0);
	}
	for (unsigned k = 0; k < 200; k++)
		kfree(slot[k].p);
	/* A slab of each size may stay. */
	assert_true(before - page_free_count() <= NCLASSES);
	assert_null(kmalloc(SIZE_MAX));
	assert_null(kmalloc(MEM_SIZE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reservations_are_left_alone, setup),
		cmocka_unit_test_setup(ranges_are_used_one_after_the_other,
		    setup),
		cmocka_unit_test_setup(a_range_full_of_holes_is_nothing,
		    setup),
		cmocka_unit_test_setup(misuse_is_noticed, setup),
		cmocka_unit_test_setup(blocks_hold_what_was_put_there, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
