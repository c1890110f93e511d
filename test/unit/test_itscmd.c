/* SPDX-License-Identifier: ISC */
/* UNIT: guest/cpu/itscmd.c */
/* Commands of the ITS as the GIC's specification lays them out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../guest/cpu/itscmd.h"

static void
check(const struct its_cmd *c, uint64_t w0, uint64_t w1, uint64_t w2)
{
	assert_int_equal(c->ic_w[0], w0);
	assert_int_equal(c->ic_w[1], w1);
	assert_int_equal(c->ic_w[2], w2);
	assert_int_equal(c->ic_w[3], 0);
}

static void
commands_have_their_fields(void **state)
{
	struct its_cmd c;

	(void)state;
	its_mapd(&c, 0x1234, 0x40005100, 5, true);
	check(&c, 0x0000123400000008, 4, 0x8000000040005100);
	its_mapd(&c, 0x1234, 0x40005100, 1, false);
	check(&c, 0x0000123400000008, 0, 0x0000000040005100);
	its_mapc(&c, 3, 0x80a0000, true);
	check(&c, 9, 0, 0x80000000080a0003);
	its_mapti(&c, 8, 2, 8200, 7);
	check(&c, 0x000000080000000a, 0x0000200800000002, 7);
	its_movi(&c, 8, 2, 1);
	check(&c, 0x0000000800000001, 2, 1);
	its_discard(&c, 8, 2);
	check(&c, 0x000000080000000f, 2, 0);
	its_inv(&c, 8, 2);
	check(&c, 0x000000080000000c, 2, 0);
	its_int(&c, 8, 2);
	check(&c, 0x0000000800000003, 2, 0);
	its_invall(&c, 5);
	check(&c, 0x000000000000000d, 0, 5);
	its_sync(&c, 0x30000);
	check(&c, 0x0000000000000005, 0, 0x30000);
}

static void
redistributors_by_address_or_number(void **state)
{
	(void)state;
	assert_int_equal(its_rdbase(true, 0x80c0000, 0x0000000300000311),
	    0x80c0000);
	assert_int_equal(its_rdbase(false, 0x80c0000, 0x0000000300000311),
	    0x30000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_have_their_fields),
		cmocka_unit_test(redistributors_by_address_or_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
