/* SPDX-License-Identifier: ISC */
/*
 * What the library asks of a kernel: memory, time, the log.
 */
#include <paravane/kern.h>

#include <stdarg.h>
#include <stdio.h>

#include "cpu.h"
#include "intr.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "thread.h"

/* Below this, sleep costs more than it gains; who is ready may run. */
#define PAUSE_SPIN_US	10

void *
pv_kern_alloc(size_t size)
{
	return kzalloc(size);
}

void
pv_kern_free(void *p, size_t size)
{
	(void)size;
	kfree(p);
}

uint64_t
pv_kern_uptime_ns(void)
{
	return uptime_ns();
}

void
pv_kern_delay_us(unsigned int us)
{
	delay_us(us);
}

void
pv_kern_pause_us(unsigned int us)
{
	if (panicking() || intr_context() || cpu_id() != 0)
		delay_us(us);
	else if (us >= PAUSE_SPIN_US)
		thread_sleep(us * NS_PER_US);
	else {
		thread_yield();
		delay_us(us);
	}
}

void
pv_kern_log(enum pv_log_level level, const char *who, const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	klog(level == PV_LOG_ERROR ? LOG_ERR : level == PV_LOG_WARNING ?
	    LOG_WARN : level == PV_LOG_INFO ? LOG_INFO : LOG_DEBUG, "%s: %s",
	    who, buf);
}
