/* SPDX-License-Identifier: ISC */
/* UNIT: guest/disk/part.c test/unit/kern_fake.c */
/* UNIT-CFLAGS: -Iguest/disk */
/*
 * Partition tables as they are, and with every byte of them changed: what comes
 * out lies on the disk and does not overlap, and it comes out soon.
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

#include "diskvar.h"

#define SIZE	(8u << 20)
#define ENTRIES	128u

static uint8_t image[SIZE];
static uint64_t fake_size = SIZE;
static unsigned reads, said;
static char text[1024];
static struct disk_part parts[DISK_PARTS];
static unsigned nparts;
static enum part_scheme scheme;
static uint64_t bad_from = UINT64_MAX, bad_to;

static int
image_read(void *arg, uint64_t off, void *buf, size_t len)
{
	(void)arg;
	reads++;
	assert_true(off <= fake_size && len <= fake_size - off);
	if (off < bad_to && off + len > bad_from)
		return EIO;
	memset(buf, 0, len);
	if (off < SIZE)
		memcpy(buf, image + off, off + len > SIZE ? SIZE - off : len);
	return 0;
}

static void
image_say(void *arg, const char *line)
{
	(void)arg;
	said++;
	if (strlen(text) + strlen(line) + 2 < sizeof(text)) {
		strcat(text, line);
		strcat(text, "\n");
	}
}

static int
scan(uint32_t sector)
{
	struct part_source ps = { image_read, NULL, fake_size, sector,
	    image_say };
	unsigned i, j;
	int error;

	reads = said = 0;
	text[0] = '\0';
	error = part_scan(&ps, parts, DISK_PARTS, &nparts, &scheme);
	assert_true(nparts <= DISK_PARTS);
	assert_true(reads < 1000);
	for (i = 0; i < nparts; i++) {
		assert_true(parts[i].dp_size > 0);
		assert_true(parts[i].dp_start < fake_size);
		assert_true(parts[i].dp_size <= fake_size - parts[i].dp_start);
		assert_non_null(memchr(parts[i].dp_type, 0, 40));
		assert_non_null(memchr(parts[i].dp_label, 0, 40));
		for (j = 0; j < i; j++)
			assert_true(parts[i].dp_start >= parts[j].dp_start +
			    parts[j].dp_size || parts[j].dp_start >=
			    parts[i].dp_start + parts[i].dp_size);
	}
	return error;
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

static void
put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static void
mbr_entry(uint64_t at, unsigned i, unsigned type, uint32_t first,
    uint32_t count)
{
	uint8_t *e = image + at + 446 + 16 * i;

	e[4] = (uint8_t)type;
	put32(e + 8, first);
	put32(e + 12, count);
	put16(image + at + 510, 0xaa55);
}

static void
seal(uint8_t *h, const uint8_t *array)
{
	put32(h + 88, part_crc32(array, ENTRIES * 128));
	put32(h + 16, 0);
	put32(h + 16, part_crc32(h, 92));
}

static void
gpt_header(uint32_t sector, uint64_t lba, uint64_t alternate, uint64_t array)
{
	uint64_t last = SIZE / sector - 1, span = ENTRIES * 128 / sector;
	uint8_t *h = image + lba * sector;

	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, lba);
	put64(h + 32, alternate);
	put64(h + 40, 2 + span);
	put64(h + 48, last - span - 1);
	put64(h + 72, array);
	put32(h + 80, ENTRIES);
	put32(h + 84, 128);
	seal(h, image + array * sector);
}

static void
gpt_entry(uint8_t *e, uint64_t first, uint64_t last, const char *name)
{
	static const uint8_t esp[16] = { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8,
	    0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b };

	memcpy(e, esp, 16);
	e[16] = 1;
	put64(e + 32, first);
	put64(e + 40, last);
	for (e += 56; *name != '\0'; e += 2)
		*e = (uint8_t)*name++;
}

static void
gpt_make(uint32_t sector)
{
	uint64_t last = SIZE / sector - 1, span = ENTRIES * 128 / sector;

	memset(image, 0, sizeof(image));
	fake_size = SIZE;
	mbr_entry(0, 0, 0xee, 1, (uint32_t)last);
	gpt_entry(image + 2 * sector, 100, 199, "one");
	gpt_entry(image + 2 * sector + 128, 200, 999, "two");
	gpt_entry(image + 2 * sector + 5 * 128, 1000, 1003, "six");
	memcpy(image + (last - span) * sector, image + 2 * sector,
	    ENTRIES * 128);
	gpt_header(sector, 1, last, 2);
	gpt_header(sector, last, 1, last - span);
}

static void
expect_three(uint32_t sector)
{
	assert_int_equal(scheme, PART_GPT);
	assert_int_equal(nparts, 3);
	assert_int_equal(parts[0].dp_start, 100 * sector);
	assert_int_equal(parts[0].dp_size, 100 * sector);
	assert_string_equal(parts[0].dp_type, "EFI system");
	assert_string_equal(parts[1].dp_label, "two");
	assert_int_equal(parts[2].dp_number, 6);
}

static void
test_gpt_of_both_sector_sizes(void **state)
{
	(void)state;
	gpt_make(512);
	assert_int_equal(scan(512), 0);
	assert_int_equal(said, 0);
	expect_three(512);
	gpt_make(4096);
	assert_int_equal(scan(4096), 0);
	assert_int_equal(said, 0);
	expect_three(4096);
}

static void
test_the_backup_is_used_with_a_message(void **state)
{
	(void)state;
	gpt_make(512);
	image[512 + 40] ^= 1;
	assert_int_equal(scan(512), 0);
	expect_three(512);
	assert_string_equal(text, "the first GPT is damaged (its checksum): the "
	    "backup at sector 16383 is used\n");
	gpt_make(512);
	image[2 * 512 + 33] ^= 1;
	assert_int_equal(scan(512), 0);
	expect_three(512);
	assert_int_equal(said, 1);
	/* And where the first can't even be read. */
	gpt_make(512);
	bad_from = 512;
	bad_to = 1024;
	assert_int_equal(scan(512), 0);
	expect_three(512);
	bad_to = SIZE;
	assert_int_equal(scan(512), EIO);
	bad_from = UINT64_MAX;
	bad_to = 0;
}

static void
test_both_damaged_is_no_partitions(void **state)
{
	(void)state;
	gpt_make(512);
	memset(image + 512, 0, 512);
	memset(image + SIZE - 512, 0xff, 512);
	assert_int_equal(scan(512), 0);
	assert_int_equal(nparts, 0);
	assert_int_equal(said, 1);
}

/* Each byte in turn; with its checksums as they were, and made right again. */
static void
test_every_byte_of_a_gpt_changed(void **state)
{
	unsigned at, v, seal_it;
	uint8_t saved;

	(void)state;
	for (seal_it = 0; seal_it < 2; seal_it++) {
		gpt_make(512);
		for (at = 0; at < 2 * 512 + 7 * 128; at++) {
			saved = image[at];
			for (v = 1; v < 256; v = v * 15 + 1) {
				image[at] = (uint8_t)(saved ^ v);
				if (seal_it)
					seal(image + 512, image + 1024);
				assert_int_equal(scan(512), 0);
				if (seal_it == 0 && at >= 512 && at < 512 + 92)
					assert_int_equal(nparts, 3);
			}
			image[at] = saved;
			seal(image + 512, image + 1024);
		}
	}
}

static void
test_entries_that_can_not_be_are_left_out(void **state)
{
	(void)state;
	gpt_make(512);
	gpt_entry(image + 1024 + 128, 150, 300, "over");
	gpt_entry(image + 1024 + 2 * 128, 3, 10, "low");
	gpt_entry(image + 1024 + 3 * 128, 500, 400, "back");
	gpt_entry(image + 1024 + 4 * 128, 5, UINT64_MAX, "all");
	seal(image + 512, image + 1024);
	assert_int_equal(scan(512), 0);
	assert_int_equal(nparts, 2);
	assert_int_equal(said, 4);
}

static void
test_mbr_with_logical_partitions(void **state)
{
	(void)state;
	memset(image, 0, sizeof(image));
	fake_size = SIZE;
	mbr_entry(0, 0, 0x0c, 63, 1000);
	mbr_entry(0, 1, 0x05, 2000, 10000);
	mbr_entry(0, 3, 0x83, 13000, 100);
	mbr_entry(2000 * 512, 0, 0x83, 1, 99);
	mbr_entry(2000 * 512, 1, 0x05, 500, 200);
	mbr_entry(2500 * 512, 0, 0x82, 2, 50);
	assert_int_equal(scan(512), 0);
	assert_int_equal(scheme, PART_MBR);
	assert_int_equal(said, 0);
	assert_int_equal(nparts, 4);
	assert_int_equal(parts[2].dp_number, 5);
	assert_int_equal(parts[2].dp_start, 2001 * 512);
	assert_int_equal(parts[3].dp_number, 6);
	assert_int_equal(parts[3].dp_start, 2502 * 512);
}

static void
test_a_chain_that_loops_ends(void **state)
{
	unsigned i;

	(void)state;
	memset(image, 0, sizeof(image));
	mbr_entry(0, 1, 0x0f, 2000, 10000);
	mbr_entry(2000 * 512, 1, 0x05, 500, 200);
	mbr_entry(2500 * 512, 1, 0x05, 0, 200);	/* back to the first */
	assert_int_equal(scan(512), 0);
	assert_int_equal(said, 1);
	mbr_entry(2500 * 512, 1, 0x05, 500, 200);	/* to itself */
	assert_int_equal(scan(512), 0);
	assert_int_equal(said, 1);
	/* As long as the disk, of one sector each. */
	mbr_entry(0, 1, 0x0f, 10, 16000);
	for (i = 10; i < 16000; i++)
		mbr_entry(i * 512, 1, 0x05, i - 9, 1);
	assert_int_equal(scan(512), 0);
	assert_true(reads <= DISK_PARTS + 2);
	assert_int_equal(said, 1);
}

static void
test_every_byte_of_an_mbr_changed(void **state)
{
	unsigned at, v;
	uint8_t saved;

	(void)state;
	test_mbr_with_logical_partitions(NULL);
	for (at = 440; at < 512; at++) {
		saved = image[at];
		for (v = 0; v < 256; v++) {
			image[at] = (uint8_t)v;
			assert_int_equal(scan(512), 0);
		}
		image[at] = saved;
	}
}

static void
test_a_boot_sector_is_no_table(void **state)
{
	(void)state;
	memset(image, 0, sizeof(image));
	memset(image, 'a', 510);
	put16(image + 510, 0xaa55);
	assert_int_equal(scan(512), 0);
	assert_int_equal(scheme, PART_NONE);
	assert_int_equal(said, 0);
}

static void
test_small_and_large_disks(void **state)
{
	uint64_t size;

	(void)state;
	gpt_make(512);
	for (size = 0; size < 5 * 512; size += 512) {
		fake_size = size;
		assert_int_equal(scan(512), 0);
		assert_int_equal(nparts, 0);
		assert_int_equal(scan(4096), 0);
	}
	fake_size = UINT64_C(1) << 63;
	assert_int_equal(scan(512), 0);
	assert_int_equal(nparts, 3);
	fake_size = SIZE;
}

static void
test_crc(void **state)
{
	(void)state;
	assert_int_equal(part_crc32("123456789", 9), 0xcbf43926u);
	assert_int_equal(part_crc32_add(part_crc32("1234", 4), "56789", 5),
	    0xcbf43926u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_gpt_of_both_sector_sizes),
		cmocka_unit_test(test_the_backup_is_used_with_a_message),
		cmocka_unit_test(test_both_damaged_is_no_partitions),
		cmocka_unit_test(test_every_byte_of_a_gpt_changed),
		cmocka_unit_test(test_entries_that_can_not_be_are_left_out),
		cmocka_unit_test(test_mbr_with_logical_partitions),
		cmocka_unit_test(test_a_chain_that_loops_ends),
		cmocka_unit_test(test_every_byte_of_an_mbr_changed),
		cmocka_unit_test(test_a_boot_sector_is_no_table),
		cmocka_unit_test(test_small_and_large_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
