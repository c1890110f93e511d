/* SPDX-License-Identifier: ISC */
/* UNIT: test/unit/kern_fake.c */
/*
 * Which way messages take, and GICv2m frames: one, several, used up, with
 * a GIC of either version, and such as make no sense.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* No registers here: those of a frame are an array. */
#define GUEST_CPU_CPUVAR_H
#define GUEST_MMIO_H
#define mmio_read32(p)	(*(const volatile uint32_t *)(p))

#include "../../guest/cpu/msi.c"

struct machine machine;

static uint32_t regs[1024];
static bool its, mapped;
static const char *word;

volatile char *
gic_map(paddr_t pa, size_t size, size_t probe)
{
	assert_int_equal(probe, 8);
	assert_int_equal(size, sizeof(regs));
	assert_false(mapped);
	if (pa == 0xdead0000)
		return NULL;
	mapped = true;
	return (volatile char *)regs;
}

void
vm_unmap_device(volatile void *p, size_t size)
{
	assert_ptr_equal(p, regs);
	assert_int_equal(size, sizeof(regs));
	mapped = false;
}

bool
its_present(void)
{
	return its;
}

bool
cmdline_is(const char *name, const char *value)
{
	assert_string_equal(name, "msi");
	return word != NULL && strcmp(word, value) == 0;
}

int
its_alloc(uint32_t devid, unsigned nvec, uint32_t *intid, uint64_t *addr)
{
	if (devid != 8)
		return ENOTSUP;
	for (unsigned i = 0; i < nvec; i++)
		intid[i] = LPI_BASE + 10 * i;
	*addr = 0x8090040;
	return 0;
}

void
its_free(uint32_t devid, const uint32_t *intid, unsigned nvec)
{
	assert_int_equal(devid, 8);
	for (unsigned i = 0; i < nvec; i++)
		assert_int_equal(intid[i], LPI_BASE + 10 * i);
}

static int
setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	memset(frames, 0, sizeof(frames));
	memset(regs, 0, sizeof(regs));
	nframes = 0;
	kind = KIND_NONE;
	its = mapped = false;
	word = NULL;
	return 0;
}

static void
add_frame(uint64_t base, uint32_t first, uint32_t count)
{
	struct machine_v2m *mv =
	    &machine.m_gic.mg_v2m[machine.m_gic.mg_nv2m++];

	mv->mv_base = base;
	mv->mv_size = 0x1000;
	mv->mv_intid_base = first;
	mv->mv_intid_count = count;
}

static void
the_frame_of_a_mac(void **state)
{
	struct msi_vec vec[64];
	unsigned got;

	(void)state;
	machine.m_gic.mg_version = 3;
	add_frame(0x1fff0000, 128, 128);
	msi_init();
	assert_string_equal(msi_kind(), "v2m");
	assert_int_equal(msi_alloc(8, 3, vec, &got), 0);
	assert_int_equal(got, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(vec[i].mv_addr, 0x1fff0040);
		assert_int_equal(vec[i].mv_data, 128 + i);
		assert_int_equal(vec[i].mv_intid, 128 + i);
	}
	assert_false(mapped);
}

static void
the_register_tells_the_range(void **state)
{
	struct msi_vec vec[64];
	unsigned got;

	(void)state;
	regs[2] = 80u << 16 | 64;
	add_frame(0x8020000, 0, 0);
	msi_init();
	assert_false(mapped);
	assert_int_equal(msi_alloc(8, 64, vec, &got), 0);
	assert_int_equal(got, 64);
	assert_int_equal(vec[0].mv_intid, 80);
	assert_int_equal(vec[63].mv_intid, 143);
	assert_int_equal(msi_alloc(9, 1, vec, &got), ENOSPC);
	assert_int_equal(got, 0);
}

static void
frames_run_out_one_after_the_other(void **state)
{
	struct msi_vec a[4], b[64], c[64];
	unsigned got;

	(void)state;
	add_frame(0x1000, 40, 5);
	add_frame(0x2000, 100, 3);
	msi_init();
	assert_int_equal(msi_frames(), 2);
	assert_int_equal(msi_alloc(1, 4, a, &got), 0);
	assert_int_equal(got, 4);
	assert_int_equal(msi_alloc(2, 64, b, &got), 0);
	assert_int_equal(got, 4);
	assert_int_equal(b[0].mv_intid, 44);
	assert_int_equal(b[0].mv_addr, 0x1040);
	assert_int_equal(b[1].mv_intid, 100);
	assert_int_equal(b[1].mv_addr, 0x2040);
	assert_int_equal(msi_alloc(3, 1, c, &got), ENOSPC);
	msi_free(1, a, 4);
	assert_int_equal(msi_alloc(3, 8, c, &got), 0);
	assert_int_equal(got, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(c[i].mv_intid, 40 + i);
	msi_free(2, b, 4);
	msi_free(3, c, 4);
	assert_int_equal(msi_alloc(4, 64, b, &got), 0);
	assert_int_equal(got, 8);
}

static void
frames_that_make_no_sense_are_left(void **state)
{
	struct msi_vec vec[1];
	unsigned got;

	(void)state;
	add_frame(0x1000, 16, 8);		/* not shared interrupts */
	add_frame(0x2000, 1000, 21);		/* beyond the last */
	add_frame(0xdead0000, 0, 0);		/* nothing is there */
	add_frame(0x3000, 0, 0);		/* its register reads 0 */
	msi_init();
	assert_int_equal(msi_frames(), 0);
	assert_string_equal(msi_kind(), "none");
	assert_int_equal(msi_alloc(1, 1, vec, &got), ENOTSUP);
}

static void
the_command_line_chooses(void **state)
{
	static const struct {
		const char	*word;
		bool		its, frame;
		const char	*kind;
	} row[] = {
		{ NULL, true, true, "its" }, { NULL, false, true, "v2m" },
		{ NULL, false, false, "none" }, { "off", true, true, "none" },
		{ "v2m", true, true, "v2m" }, { "v2m", true, false, "none" },
		{ "its", true, true, "its" }, { "its", false, true, "none" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		setup(state);
		word = row[i].word;
		its = row[i].its;
		if (row[i].frame)
			add_frame(0x1000, 64, 8);
		msi_init();
		assert_string_equal(msi_kind(), row[i].kind);
	}
}

static void
an_its_numbers_events(void **state)
{
	struct msi_vec vec[64];
	unsigned got;

	(void)state;
	its = true;
	msi_init();
	assert_int_equal(msi_alloc(8, 100, vec, &got), 0);
	assert_int_equal(got, 64);
	assert_int_equal(vec[5].mv_addr, 0x8090040);
	assert_int_equal(vec[5].mv_data, 5);
	assert_int_equal(vec[5].mv_intid, LPI_BASE + 50);
	msi_free(8, vec, got);
	assert_int_equal(msi_alloc(9, 1, vec, &got), ENOTSUP);
	assert_int_equal(got, 0);
	assert_int_equal(msi_alloc(8, 0, vec, &got), EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_frame_of_a_mac, setup),
		cmocka_unit_test_setup(the_register_tells_the_range, setup),
		cmocka_unit_test_setup(frames_run_out_one_after_the_other,
		    setup),
		cmocka_unit_test_setup(frames_that_make_no_sense_are_left,
		    setup),
		cmocka_unit_test_setup(the_command_line_chooses, setup),
		cmocka_unit_test_setup(an_its_numbers_events, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
