/* SPDX-License-Identifier: ISC */
#include "crc32.h"

#define POLYNOMIAL	0xedb88320u	/* reflected */
#define SLICES		8

/* table[k][b] is what byte b adds when k more bytes follow it. */
static uint32_t table[SLICES][256];

static void
crc32_init(void)
{
	uint32_t b, k, crc;

	for (b = 0; b < 256; b++) {
		crc = b;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][b] = crc;
	}
	for (k = 1; k < SLICES; k++)
		for (b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^
			    table[0][table[k - 1][b] & 0xff];
}

/* Of eight bytes, the first one in the low bits. */
static uint32_t
crc32_8(uint32_t crc, uint64_t v)
{
	v ^= crc;
	return table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^
	    table[5][v >> 16 & 0xff] ^ table[4][v >> 24 & 0xff] ^
	    table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
	    table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
}

uint32_t
crc32(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	if (table[0][1] == 0)
		crc32_init();
	crc = ~crc;
	for (; len > 0 && ((uintptr_t)p & 7) != 0; len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	for (; len >= 8; len -= 8, p += 8)
		crc = crc32_8(crc, *(const uint64_t *)(const void *)p);
	for (; len > 0; len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}
