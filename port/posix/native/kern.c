/* SPDX-License-Identifier: ISC */
/*
 * What the library asks of the kernel around it (kern.h), of this process: the
 * C library's memory, the machine's clock, stderr.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <paravane/kern.h>

#include "native.h"

/* As the library has it: state of two queues shares no line. */
#define LINE	128u

enum pv_log_level native_log_level = PV_LOG_WARNING;

void *
pv_kern_alloc(size_t size)
{
	void *p;

	if (size > SIZE_MAX - LINE ||
	    posix_memalign(&p, LINE, (size + LINE - 1) & ~(size_t)(LINE - 1)))
		return NULL;
	memset(p, 0, size);
	return p;
}

void
pv_kern_free(void *p, size_t size)
{
	(void)size;
	free(p);
}

uint64_t
pv_kern_uptime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void
pv_kern_delay_us(unsigned int us)
{
	uint64_t end = pv_kern_uptime_ns() + (uint64_t)us * 1000;

	while (pv_kern_uptime_ns() < end)
		;
}

void
pv_kern_pause_us(unsigned int us)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(us / 1000000),
		.tv_nsec = (long)(us % 1000000) * 1000
	};

	nanosleep(&ts, NULL);
}

void
pv_kern_log(enum pv_log_level level, const char *who, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (level > native_log_level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", who, line);
}
