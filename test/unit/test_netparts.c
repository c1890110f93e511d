/* SPDX-License-Identifier: ISC */
/* UNIT: guest/net/arena.c guest/net/crc32.c guest/net/txcsum.c */
/* UNIT-CFLAGS: -Iguest/net */
/*
 * What the guest's network is made of and needs no lwIP: the packet memory, the
 * CRC, the checksums that are left to a device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/cc.h"
#include "arena.h"
#include "crc32.h"
#include "txcsum.h"

static uint8_t *memory, *map;
static jmp_buf asserted;
static bool expect_assert;

_Noreturn void
net_assert_failed(int line)
{
	if (expect_assert)
		longjmp(asserted, 1);
	printf("assertion at line %d\n", line);
	abort();
}

static int
setup(void **state)
{
	size_t size = 9 * ARENA_UNIT;	/* no power of two */

	(void)state;
	memory = aligned_alloc(4096, size);
	map = malloc(size >> ARENA_MINSHIFT);
	arena_init(memory, size, map);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(memory);
	free(map);
	return 0;
}

static void
whole_again(void)
{
	unsigned int i;
	void *p[9];

	assert_int_equal(arena_counters()->ac_used, 0);
	for (i = 0; i < 9; i++) {
		p[i] = net_alloc(ARENA_UNIT);
		assert_non_null(p[i]);
	}
	assert_null(net_alloc(1));
	for (i = 0; i < 9; i++)
		net_free(p[i]);
}

static void
blocks_are_aligned_and_apart(void **state)
{
	uint8_t *a = net_alloc(1), *b = net_alloc(129), *c = net_alloc(65600);

	(void)state;
	assert_int_equal((uintptr_t)a % 128, 0);
	assert_int_equal((uintptr_t)b % 128, 0);
	assert_true(arena_has(a, 128));
	memset(a, 1, 128);
	memset(b, 2, 256);
	memset(c, 3, 65600);
	assert_int_equal(a[127], 1);
	assert_int_equal(b[255], 2);
	net_free(b);
	net_free(a);
	net_free(c);
	net_free(NULL);
	whole_again();
}

static void
refuses_nothing_and_too_much(void **state)
{
	(void)state;
	assert_null(net_alloc(0));
	assert_null(net_alloc(SIZE_MAX));
	assert_null(net_calloc(SIZE_MAX / 2, 4));
	assert_null(net_alloc(10 * ARENA_UNIT));
	assert_int_equal(arena_counters()->ac_failed, 3);
	whole_again();
}

static void
calloc_clears(void **state)
{
	uint8_t *p = net_alloc(500);
	unsigned int i;

	(void)state;
	memset(p, 0xff, 500);
	net_free(p);
	p = net_calloc(5, 100);
	for (i = 0; i < 500; i++)
		assert_int_equal(p[i], 0);
	net_free(p);
}

static void
knows_its_range(void **state)
{
	(void)state;
	assert_true(arena_has(memory, 9 * ARENA_UNIT));
	assert_false(arena_has(memory, 9 * ARENA_UNIT + 1));
	assert_false(arena_has(memory - 1, 1));
	assert_false(arena_has(memory + 1, SIZE_MAX));
	assert_false(arena_has(memory + 9 * ARENA_UNIT, 1));
}

static void
freeing_twice_is_caught(void **state)
{
	void *p = net_alloc(100);

	(void)state;
	net_free(p);
	expect_assert = true;
	if (setjmp(asserted) == 0) {
		net_free(p);
		fail();
	}
	expect_assert = false;
}

/* Any order of allocations and frees leaves the range in one piece. */
static void
survives_a_random_life(void **state)
{
	static struct { uint8_t *p; size_t n; uint8_t v; } held[200];
	uint32_t x = 1;
	unsigned int i, round;
	size_t k;

	(void)state;
	memset(held, 0, sizeof(held));
	for (round = 0; round < 20000; round++) {
		x = x * 1664525 + 1013904223;
		i = (x >> 8) % 200;
		if (held[i].p != NULL) {
			for (k = 0; k < held[i].n; k += 61)
				assert_int_equal(held[i].p[k], held[i].v);
			net_free(held[i].p);
			held[i].p = NULL;
			continue;
		}
		held[i].n = (size_t)1 << (x >> 20) % 17;
		held[i].n += (x >> 16) % 64;
		held[i].v = (uint8_t)x;
		held[i].p = net_alloc(held[i].n);
		if (held[i].p != NULL)
			memset(held[i].p, held[i].v, held[i].n);
	}
	for (i = 0; i < 200; i++)
		net_free(held[i].p);
	whole_again();
}

static void
crc_is_the_known_one(void **state)
{
	uint8_t buf[64];
	unsigned int off;

	(void)state;
	for (off = 0; off < 9; off++) {
		memcpy(buf + off, "123456789", 9);
		assert_int_equal(crc32(0, buf + off, 9), 0xcbf43926);
	}
	assert_int_equal(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(crc32(0, "", 0), 0);
}

/* The Internet checksum over a range, folded: 0xffff if all is right. */
static uint32_t
fold(uint32_t sum, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What a device does with start and offset; then what a receiver checks. */
static void
complete_and_check(uint8_t *frame, size_t len, size_t pseudo, size_t npseudo,
    uint16_t start, uint16_t offset)
{
	size_t tcplen = len - start;
	uint32_t sum = ~fold(0, frame + start, tcplen) & 0xffff;

	frame[start + offset] = (uint8_t)(sum >> 8);
	frame[start + offset + 1] = (uint8_t)sum;
	sum = fold((uint32_t)(6 + tcplen), frame + pseudo, npseudo);
	assert_int_equal(fold(sum, frame + start, tcplen), 0xffff);
}

static size_t
make_ipv4(uint8_t *f, size_t payload)
{
	size_t total = 20 + 20 + payload, i;

	for (i = 0; i < 14 + total; i++)
		f[i] = (uint8_t)(i * 37);
	f[12] = 0x08;
	f[13] = 0x00;
	f[14] = 0x45;
	f[16] = (uint8_t)(total >> 8);
	f[17] = (uint8_t)total;
	f[20] = 0x40;
	f[21] = 0;
	f[23] = 6;
	return 14 + total;
}

static void
checksum_of_ipv4_tcp(void **state)
{
	uint8_t *f = malloc(66000);
	static const size_t sizes[] = { 0, 1, 2, 1460, 65395 };
	uint16_t start, offset;
	size_t i, len;

	(void)state;
	for (i = 0; i < 5; i++) {
		len = make_ipv4(f, sizes[i]);
		assert_true(tx_checksum(f, len, &start, &offset));
		assert_int_equal(start, 34);
		complete_and_check(f, len, 26, 8, start, offset);
	}
	free(f);
}

static void
checksum_of_ipv6_tcp(void **state)
{
	uint8_t f[14 + 40 + 20 + 33];
	uint16_t start, offset;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(f); i++)
		f[i] = (uint8_t)(i * 41 + 7);
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[18] = 0;
	f[19] = 20 + 33;
	f[20] = 6;
	assert_true(tx_checksum(f, sizeof(f), &start, &offset));
	assert_int_equal(start, 54);
	complete_and_check(f, sizeof(f), 22, 32, start, offset);
}

static void
checksum_leaves_the_rest_alone(void **state)
{
	uint8_t f[200], before[200];
	uint16_t start, offset;
	size_t len;

	(void)state;
	len = make_ipv4(f, 60);
	f[23] = 17;		/* UDP */
	memcpy(before, f, len);
	assert_false(tx_checksum(f, len, &start, &offset));
	f[23] = 6;
	f[20] = 0x20;		/* a fragment */
	assert_false(tx_checksum(f, len, &start, &offset));
	f[20] = 0;
	f[21] = 1;
	assert_false(tx_checksum(f, len, &start, &offset));
	f[21] = 0;
	f[14] = 0x44;		/* a header too short */
	assert_false(tx_checksum(f, len, &start, &offset));
	f[14] = 0x4f;		/* options beyond the end */
	assert_false(tx_checksum(f, 14 + 60, &start, &offset));
	f[14] = 0x45;
	f[13] = 6;		/* ARP */
	assert_false(tx_checksum(f, len, &start, &offset));
	f[13] = 0;
	assert_false(tx_checksum(f, 53, &start, &offset));
	assert_int_equal(f[50], before[50]);
	assert_int_equal(f[51], before[51]);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* Frames of one flow are one number; another port, or address, is another. */
static void
flows_are_told_apart(void **state)
{
	uint8_t a[80] = { [12] = 8, [14] = 0x45, [23] = 6 }, b[80], six[80];

	(void)state;
	memcpy(a + 26, "\x0a\0\2\x0f\x0a\0\2\2", 8);
	memcpy(a + 34, "\x12\x34\0\x50", 4);
	memcpy(b, a, sizeof(b));
	b[60] = 1;			/* data, length and so on */
	b[17] = 99;
	assert_int_equal(tx_flow(a, 80), tx_flow(b, 80));
	b[35]++;			/* a port */
	assert_int_not_equal(tx_flow(a, 80), tx_flow(b, 80));
	memcpy(b, a, sizeof(b));
	b[33]++;			/* an address */
	assert_int_not_equal(tx_flow(a, 80), tx_flow(b, 80));
	/* Of what is cut only the first piece has ports: none counts. */
	memcpy(b, a, sizeof(b));
	a[20] = b[20] = 0x20;
	b[35]++;
	assert_int_equal(tx_flow(a, 80), tx_flow(b, 80));
	/* Neither do those of what is neither TCP nor UDP. */
	a[20] = b[20] = 0;
	a[23] = b[23] = 1;
	assert_int_equal(tx_flow(a, 80), tx_flow(b, 80));
	/* A header that is longer than the frame is not followed. */
	a[23] = b[23] = 17;
	a[14] = b[14] = 0x4f;
	assert_int_equal(tx_flow(a, 76), tx_flow(b, 76));

	memset(six, 0, sizeof(six));
	memcpy(six + 12, "\x86\xdd\x60", 3);
	six[20] = 17;
	six[37] = 1;
	memcpy(b, six, sizeof(b));
	assert_int_equal(tx_flow(six, 80), tx_flow(b, 80));
	b[55] = 7;
	assert_int_not_equal(tx_flow(six, 80), tx_flow(b, 80));
	assert_int_equal(tx_flow(six, 53), 0);

	a[12] = 9;			/* not IP, or nothing at all */
	assert_int_equal(tx_flow(a, 80), 0);
	assert_int_equal(tx_flow(a, 20), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(blocks_are_aligned_and_apart),
		T(refuses_nothing_and_too_much),
		T(calloc_clears),
		T(knows_its_range),
		T(freeing_twice_is_caught),
		T(survives_a_random_life),
		cmocka_unit_test(crc_is_the_known_one),
		cmocka_unit_test(checksum_of_ipv4_tcp),
		cmocka_unit_test(checksum_of_ipv6_tcp),
		cmocka_unit_test(checksum_leaves_the_rest_alone),
		cmocka_unit_test(flows_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
