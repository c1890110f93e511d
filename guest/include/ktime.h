/* SPDX-License-Identifier: ISC */
/*
 * Time. (Named so that it does not hide the C library's <time.h>.)
 */
#ifndef GUEST_KTIME_H
#define GUEST_KTIME_H

#include "mtypes.h"

#define NS_PER_US	1000ull
#define NS_PER_MS	1000000ull
#define NS_PER_S	1000000000ull

/* Set up the counter (from the first C line on) and CPU 0's timer. */
void time_init_early(void);
void time_init(void);
/* This CPU's timer. */
void time_init_cpu(void);

/*
 * uptime_ns - nanoseconds since the kernel was entered
 *
 * Monotonic, the same on each CPU, callable anywhere, does not wrap in 500
 * years whatever CNTFRQ says.
 */
uint64_t uptime_ns(void);
/* The counter itself. */
uint64_t time_counter(void);

/* Spin. For short waits and for contexts that cannot sleep. */
void delay_us(uint64_t);

/* Timer interrupts that a CPU has taken. */
uint64_t time_ticks(unsigned cpu);

/* "virtual timer, 62500000 Hz, intid 27" */
void time_describe(char *buf, size_t len);

#endif
