/* SPDX-License-Identifier: ISC */
/*
 * Little-endian, as all that device and driver share is, on any CPU: numbers
 * (each function is its own inverse), arrays of words in place, and fields of
 * 1 to 8 bytes at any address.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_BIG	(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static inline uint16_t
wire16(uint16_t v)
{
	return WIRE_BIG ? __builtin_bswap16(v) : v;
}

static inline uint32_t
wire32(uint32_t v)
{
	return WIRE_BIG ? __builtin_bswap32(v) : v;
}

static inline uint64_t
wire64(uint64_t v)
{
	return WIRE_BIG ? __builtin_bswap64(v) : v;
}

static inline void
wire32_all(uint32_t *words, size_t n)
{
	while (n-- > 0)
		words[n] = wire32(words[n]);
}

static inline uint64_t
wire_get(const void *from, unsigned int width)
{
	const uint8_t *p = from;
	uint64_t v = 0;

	while (width-- > 0)
		v = v << 8 | p[width];
	return v;
}

static inline void
wire_put(void *to, unsigned int width, uint64_t v)
{
	uint8_t *p = to;
	unsigned int i;

	for (i = 0; i < width; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

#endif
