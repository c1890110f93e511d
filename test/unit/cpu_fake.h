/* SPDX-License-Identifier: ISC */
/* The processor, as far as code of the guest that masks interrupts knows one. */
#ifndef CPU_FAKE_H
#define CPU_FAKE_H

#include <stdint.h>

#define GUEST_CPU_H

static inline uint64_t
intr_disable(void)
{
	return 0;
}

static inline void
intr_restore(uint64_t saved)
{
	(void)saved;
}

#endif
