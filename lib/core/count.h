/* SPDX-License-Identifier: ISC */
/*
 * Counters that one owner adds to while anybody may look: no more than a load,
 * an addition and a store. Each is a word, which every CPU reads whole.
 */
#ifndef CORE_COUNT_H
#define CORE_COUNT_H

static inline void
count_add(unsigned long *counter, unsigned long n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline unsigned long
count_read(const unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
