/* SPDX-License-Identifier: ISC */
/*
 * The four functions that a freestanding compiler may call anyway.
 */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <paravane/kern.h>

void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);

#endif
