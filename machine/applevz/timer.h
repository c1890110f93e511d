/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generic timer counts at exactly its frequency. QEMU's own arithmetic
 * rounds the period to whole nanoseconds: at 24 MHz that is 41, and a clock
 * that gains 1.6%. These are called in place of it (see ../add-to-qemu).
 */

#ifndef HW_APPLEVZ_TIMER_H
#define HW_APPLEVZ_TIMER_H

#include "qemu/host-utils.h"

static inline uint64_t
applevz_timer_ticks(uint64_t hz, uint64_t now_ns)
{
	return muldiv64(now_ns, hz, 1000000000);
}

/* The first nanosecond at which the count is not below ticks. */
static inline int64_t
applevz_timer_ns(uint64_t hz, uint64_t ticks)
{
	__uint128_t ns;

	ns = ((__uint128_t)ticks * 1000000000 + hz - 1) / hz;
	return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

#endif
