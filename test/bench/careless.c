/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "careless.h"

uint16_t
careless_load16(const void *p)
{
	return *(const volatile uint16_t *)p;
}

uint32_t
careless_load32(const void *p)
{
	return *(const volatile uint32_t *)p;
}

void
careless_store16(void *p, uint16_t v)
{
	*(volatile uint16_t *)p = v;
}

void
careless_store32(void *p, uint32_t v)
{
	*(volatile uint32_t *)p = v;
}

void
careless_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

void
careless_fill(void *to, int c, size_t len)
{
	memset(to, c, len);
}
