/* SPDX-License-Identifier: ISC */
/*
 * What a driver does to memory, compiled with tracing, for tests that make the
 * mistakes of one.
 */
#ifndef CARELESS_H
#define CARELESS_H

#include <bench.h>

uint16_t careless_load16(const void *);
uint32_t careless_load32(const void *);
void careless_store16(void *, uint16_t);
void careless_store32(void *, uint32_t);
void careless_copy(void *, const void *, size_t);
void careless_fill(void *, int, size_t);

#endif
