/* SPDX-License-Identifier: ISC */
#ifndef SPIN_H
#define SPIN_H

/*
 * A lock for a few lines that interrupt handlers and other CPUs run too. It
 * masks interrupts. In a panic its holder may be gone: then it is broken after
 * a while.
 */

#include "cpu.h"
#include "log.h"

struct spin {
	unsigned int	sp_held;
};

#define SPIN_PANIC_TRIES	1000000

static inline uint64_t
spin_lock(struct spin *sp)
{
	uint64_t saved = intr_disable();
	unsigned int tries = 0;

	while (__atomic_exchange_n(&sp->sp_held, 1, __ATOMIC_ACQUIRE))
		if (panicking() && ++tries == SPIN_PANIC_TRIES)
			break;
	return saved;
}

static inline void
spin_unlock(struct spin *sp, uint64_t saved)
{
	__atomic_store_n(&sp->sp_held, 0, __ATOMIC_RELEASE);
	intr_restore(saved);
}

#endif
