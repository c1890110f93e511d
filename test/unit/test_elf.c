/* SPDX-License-Identifier: ISC */
/* UNIT: guest/user/elf.c */
/* UNIT-CFLAGS: -Iguest/user */

/*
 * ELF files that are right, wrong, cut off and corrupt: taken or refused, and
 * what is taken keeps every promise of elf.h.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elf.h"

#define HEADER_LEN	64
#define PHDR_LEN	56
#define TEXT_OFFSET	0x1000u
#define TEXT_LEN	0x40u
#define DATA_OFFSET	0x2010u
#define DATA_LEN	0x20u
#define FILE_LEN	(DATA_OFFSET + DATA_LEN)
#define TEXT_VA		0x400000u
#define DATA_VA		0x402010u

#define REAL_MAX	65536	/* bytes of a program of the image */
#define REAL_HEADERS	512

/* offsets of fields in a file */
#define E_TYPE		16
#define E_MACHINE	18
#define E_VERSION	20
#define E_ENTRY		24
#define E_PHOFF		32
#define E_FLAGS		48
#define E_EHSIZE	52
#define E_PHENTSIZE	54
#define E_PHNUM		56
#define P_TYPE(i)	(HEADER_LEN + (i) * PHDR_LEN)
#define P_FLAGS(i)	(P_TYPE(i) + 4)
#define P_OFFSET(i)	(P_TYPE(i) + 8)
#define P_VADDR(i)	(P_TYPE(i) + 16)
#define P_FILESZ(i)	(P_TYPE(i) + 32)
#define P_MEMSZ(i)	(P_TYPE(i) + 40)
#define P_ALIGN(i)	(P_TYPE(i) + 48)

static void
put(uint8_t *file, size_t offset, unsigned int size, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		file[offset + i] = (uint8_t)(value >> (8 * i));
}

static void
put_phdr(uint8_t *file, unsigned int i, uint32_t flags, uint64_t offset,
    uint64_t va, uint64_t filesz, uint64_t memsz)
{
	put(file, P_TYPE(i), 4, 1);
	put(file, P_FLAGS(i), 4, flags);
	put(file, P_OFFSET(i), 8, offset);
	put(file, P_VADDR(i), 8, va);
	put(file, P_FILESZ(i), 8, filesz);
	put(file, P_MEMSZ(i), 8, memsz);
	put(file, P_ALIGN(i), 8, 0x1000);
}

static void
good_file(uint8_t *file)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	memset(file, 0, FILE_LEN);
	memcpy(file, ident, sizeof(ident));
	put(file, E_TYPE, 2, 2);
	put(file, E_MACHINE, 2, 183);
	put(file, E_VERSION, 4, 1);
	put(file, E_ENTRY, 8, TEXT_VA + 8);
	put(file, E_PHOFF, 8, HEADER_LEN);
	put(file, E_EHSIZE, 2, HEADER_LEN);
	put(file, E_PHENTSIZE, 2, PHDR_LEN);
	put(file, E_PHNUM, 2, 3);
	put_phdr(file, 0, ELF_R | ELF_X, TEXT_OFFSET, TEXT_VA, TEXT_LEN,
	    TEXT_LEN);
	put_phdr(file, 1, ELF_R | ELF_W, DATA_OFFSET, DATA_VA, DATA_LEN,
	    0x3000);
	put_phdr(file, 2, ELF_R | ELF_W, 0, 0, 0, 0);
	put(file, P_TYPE(2), 4, 0x6474e551);
}

static uint64_t
page_end(const struct elf_segment *es)
{
	return (es->es_va + es->es_memsz + ELF_PAGE - 1) & ~(ELF_PAGE - 1);
}

/* Everything that elf.h promises, and a load, which reads the file bytes. */
static void
assert_promises(const uint8_t *file, size_t len, const struct elf_program *ep)
{
	uint64_t sum = 0, last = 0;
	int entry = 0;
	unsigned int i;

	assert_in_range(ep->ep_nsegs, 1, ELF_MAXSEGS);
	for (i = 0; i < ep->ep_nsegs; i++) {
		const struct elf_segment *es = &ep->ep_seg[i];
		uint64_t start = es->es_va & ~(ELF_PAGE - 1);
		void *copy;

		assert_in_range(es->es_va, ELF_VA_MIN, ELF_VA_MAX - 1);
		assert_in_range(es->es_memsz, 1, ELF_MEM_MAX);
		assert_in_range(es->es_va + es->es_memsz, ELF_VA_MIN,
		    ELF_VA_MAX);
		assert_true(es->es_filesz <= es->es_memsz);
		assert_true(es->es_offset <= len);
		assert_true(es->es_filesz <= len - es->es_offset);
		assert_true(start >= last);
		assert_true(es->es_flags & ELF_R);
		assert_true((es->es_flags & ~7u) == 0);
		assert_false((es->es_flags & ELF_W) && (es->es_flags & ELF_X));
		last = page_end(es);
		sum += last - start;
		copy = malloc(es->es_memsz);
		assert_non_null(copy);
		memcpy(copy, file + es->es_offset, es->es_filesz);
		free(copy);
		if ((es->es_flags & ELF_X) && ep->ep_entry >= es->es_va &&
		    ep->ep_entry + 4 <= es->es_va + es->es_filesz)
			entry = 1;
	}
	assert_true(entry && ep->ep_entry % 4 == 0);
	assert_true(sum <= ELF_MEM_MAX);
}

/* In a block of just that size, so that a read beyond it is found. */
static int
parse(const uint8_t *file, size_t len)
{
	struct elf_program ep;
	const char *why = "";
	uint8_t *copy = malloc(len + 1);
	int error;

	assert_non_null(copy);
	memcpy(copy + 1, file, len);	/* and unaligned */
	error = elf_parse(copy + 1, len, &ep, &why);
	if (error == 0) {
		assert_null(why);
		assert_promises(copy + 1, len, &ep);
	} else {
		assert_int_equal(error, ENOEXEC);
		assert_non_null(why);
	}
	free(copy);
	return error;
}

static void
test_good(void **state)
{
	uint8_t file[FILE_LEN];
	struct elf_program ep;
	const char *why;

	(void)state;
	good_file(file);
	assert_int_equal(parse(file, sizeof(file)), 0);
	assert_int_equal(elf_parse(file, sizeof(file), &ep, &why), 0);
	assert_int_equal(ep.ep_nsegs, 2);
	assert_int_equal(ep.ep_entry, TEXT_VA + 8);
	assert_int_equal(ep.ep_seg[1].es_va, DATA_VA);
	assert_int_equal(ep.ep_seg[1].es_offset, DATA_OFFSET);
	assert_int_equal(ep.ep_seg[1].es_memsz, 0x3000);
}

struct change {
	const char	*name;
	size_t		 offset;
	unsigned int	 size;
	uint64_t	 value;
};

static const struct change wrong[] = {
	{ "magic", 0, 1, 0 },
	{ "32 bits", 4, 1, 1 },
	{ "big endian", 5, 1, 2 },
	{ "ident version", 6, 1, 0 },
	{ "ABI", 7, 1, 9 },
	{ "padding", 15, 1, 1 },
	{ "relocatable", E_TYPE, 2, 1 },
	{ "position independent", E_TYPE, 2, 3 },
	{ "x86", E_MACHINE, 2, 62 },
	{ "version", E_VERSION, 4, 2 },
	{ "flags", E_FLAGS, 4, 1 },
	{ "header size", E_EHSIZE, 2, 65 },
	{ "program header size", E_PHENTSIZE, 2, 55 },
	{ "no program headers", E_PHNUM, 2, 0 },
	{ "too many program headers", E_PHNUM, 2, 17 },
	{ "escape for many", E_PHNUM, 2, 0xffff },
	{ "headers beyond the end", E_PHOFF, 8, FILE_LEN - 3 * PHDR_LEN + 1 },
	{ "headers far away", E_PHOFF, 8, UINT64_MAX },
	{ "headers that wrap", E_PHOFF, 8, UINT64_MAX - 3 * PHDR_LEN + 1 },
	{ "headers in the header", E_PHOFF, 8, 8 },
	{ "entry in data", E_ENTRY, 8, DATA_VA },
	{ "entry before text", E_ENTRY, 8, TEXT_VA - 4 },
	{ "entry after text", E_ENTRY, 8, TEXT_VA + TEXT_LEN },
	{ "entry unaligned", E_ENTRY, 8, TEXT_VA + 2 },
	{ "entry zero", E_ENTRY, 8, 0 },
	{ "entry in the kernel", E_ENTRY, 8, 0xffffffff80000000 },
	{ "interpreter", P_TYPE(2), 4, 3 },
	{ "dynamic", P_TYPE(2), 4, 2 },
	{ "thread storage", P_TYPE(2), 4, 7 },
	{ "executable stack", P_FLAGS(2), 4, 7 },
	{ "unknown flags", P_FLAGS(0), 4, 0x100005 },
	{ "unreadable", P_FLAGS(0), 4, ELF_X },
	{ "writable and executable", P_FLAGS(0), 4, 7 },
	{ "nothing executable", P_FLAGS(0), 4, ELF_R },
	{ "file larger than memory", P_MEMSZ(0), 8, TEXT_LEN - 1 },
	{ "empty", P_MEMSZ(1), 8, 0 },
	{ "beyond the file", P_FILESZ(1), 8, DATA_LEN + 1 },
	{ "offset beyond the file", P_OFFSET(1), 8, 0x5010 },
	{ "offset that wraps", P_OFFSET(1), 8, 0xfffffffffffff010 },
	{ "file size that wraps", P_FILESZ(1), 8, UINT64_MAX },
	{ "page 0", P_VADDR(0), 8, 0 },
	{ "kernel address", P_VADDR(1), 8, 0xffff000000000010 },
	{ "address beyond", P_VADDR(1), 8, 0x0000800000000010 },
	{ "address at the end", P_VADDR(1), 8, 0x00007ffffffff010 },
	{ "address tagged", P_VADDR(1), 8, 0x0100000000402010 },
	{ "memory that wraps", P_MEMSZ(1), 8, UINT64_MAX },
	{ "huge", P_MEMSZ(1), 8, ELF_MEM_MAX },
	{ "huge beyond count", P_MEMSZ(1), 8, 0x0000400000000000 },
	{ "same page", P_VADDR(1), 8, TEXT_VA + 0x10 },
	{ "descending", P_VADDR(1), 8, TEXT_VA - 0x9000 + 0x10 },
	{ "odd alignment", P_ALIGN(0), 8, 0x1800 },
	{ "huge alignment", P_ALIGN(0), 8, 1ul << 40 },
	{ "address off its offset", P_VADDR(1), 8, DATA_VA + 8 },
};

static void
test_wrong_fields(void **state)
{
	uint8_t file[FILE_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		good_file(file);
		put(file, wrong[i].offset, wrong[i].size, wrong[i].value);
		if (parse(file, sizeof(file)) == 0)
			fail_msg("taken: %s", wrong[i].name);
	}
}

static const struct change right[] = {
	{ "align 0", P_ALIGN(0), 8, 0 },
	{ "align 1", P_ALIGN(1), 8, 1 },
	{ "a note", P_TYPE(2), 4, 4 },
	{ "a processor's own", P_TYPE(2), 4, 0x70000003 },
	{ "the last instruction", E_ENTRY, 8, TEXT_VA + TEXT_LEN - 4 },
	{ "as large as allowed", P_MEMSZ(1), 8, ELF_MEM_MAX - 0x2000 },
	{ "no file bytes", P_FILESZ(1), 8, 0 },
};

static void
test_right_fields(void **state)
{
	uint8_t file[FILE_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		good_file(file);
		put(file, right[i].offset, right[i].size, right[i].value);
		if (parse(file, sizeof(file)) != 0)
			fail_msg("refused: %s", right[i].name);
	}
}

static void
test_truncations(void **state)
{
	uint8_t file[FILE_LEN];
	size_t len;

	(void)state;
	good_file(file);
	for (len = 0; len < sizeof(file); len++)
		if (parse(file, len) == 0)
			fail_msg("taken at %zu bytes", len);
}

static void
test_bit_flips(void **state)
{
	uint8_t file[FILE_LEN];
	size_t bit;

	(void)state;
	good_file(file);
	for (bit = 0; bit < P_TYPE(3) * 8; bit++) {
		file[bit / 8] ^= (uint8_t)(1 << bit % 8);
		parse(file, sizeof(file));
		file[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void
test_two_bit_flips(void **state)
{
	uint8_t file[FILE_LEN];
	uint64_t seed = 20260122;
	unsigned int i;

	(void)state;
	for (i = 0; i < 50000; i++) {
		size_t a, b;

		good_file(file);
		seed = seed * 6364136223846793005 + 1442695040888963407;
		a = (size_t)(seed >> 33) % (P_TYPE(3) * 8);
		seed = seed * 6364136223846793005 + 1442695040888963407;
		b = (size_t)(seed >> 33) % (P_TYPE(3) * 8);
		file[a / 8] ^= (uint8_t)(1 << a % 8);
		file[b / 8] ^= (uint8_t)(1 << b % 8);
		parse(file, sizeof(file));
	}
}

/* The image's own programs, as the build left them. */
static uint8_t *
read_program(const char *name, size_t *len)
{
	uint8_t *file = malloc(REAL_MAX);
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "build/gcc/prog/%s", name);
	f = fopen(path, "rb");
	if (f == NULL) {
		free(file);
		return NULL;
	}
	assert_non_null(file);
	*len = fread(file, 1, REAL_MAX, f);
	fclose(f);
	assert_in_range(*len, 1, REAL_MAX - 1);
	return file;
}

/*
 * Every truncation, every bit of the headers flipped, and of the rest, which
 * is not looked at, one bit in each byte.
 */
static void
test_real_programs(void **state)
{
	static const char *const names[] = { "hello", "fbdemo", "hostile" };
	unsigned int i, step;
	uint8_t *file;
	size_t len = 0, n, bit;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		file = read_program(names[i], &len);
		if (file == NULL)
			skip();
		assert_int_equal(parse(file, len), 0);
		for (n = 0; n < len; n++)
			parse(file, n);
		for (bit = 0; bit < len * 8; bit += step) {
			step = bit < REAL_HEADERS * 8 ? 1 : 8;
			file[bit / 8] ^= (uint8_t)(1 << bit % 8);
			parse(file, len);
			file[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		free(file);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_wrong_fields),
		cmocka_unit_test(test_right_fields),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_two_bit_flips),
		cmocka_unit_test(test_real_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
