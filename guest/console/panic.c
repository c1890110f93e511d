/* SPDX-License-Identifier: ISC */
/* The end: everything polls, nothing is waited for, no thread runs again. */

#include <stdio.h>

#include "cmdline.h"
#include "console.h"
#include "console_text.h"
#include "cpu.h"
#include "log.h"

static unsigned int panic_cpu;		/* 1 + the CPU that panics */
static unsigned int panic_depth;
static int panic_settling;		/* consoles' drivers are at work */

int
panicking(void)
{
	return panic_depth > 0;
}

static _Noreturn void
stop(void)
{
	if (cmdline_test_run())
		cpu_poweroff();
	cpu_halt();
}

static _Noreturn void
finish(void)
{
	if (cmdline_test_run())
		kprintf("paravane: failed\n");
	else
		kprintf("The system has halted.\n");
	/* What fails here has had its chance; other consoles have the text. */
	if (!panic_settling) {
		panic_settling = 1;
		console_settle();
	}
	stop();
}

void
panic_enter(void)
{
	unsigned int self, other = 0;

	(void)intr_disable();
	self = cpu_id() + 1;
	if (!__atomic_compare_exchange_n(&panic_cpu, &other, self, 0,
	    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) && other != self)
		cpu_halt();
	panic_depth++;
	if (panic_depth > 2)
		stop();
	if (panic_depth == 2) {
		kprintf("\n");
		panic_message("a panic within a panic");
		finish();
	}
	cpu_stop_others();
	kprintf("\n");
}

void
panic_finish(void)
{
	finish();
}

void
panic_message(const char *fmt, ...)
{
	char buf[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	kprintf("%spanic: %s\n", cmdline_test_run() ? "Bail out! " : "", buf);
}

void
panic(const char *fmt, ...)
{
	char buf[LOG_LINE_MAX];
	va_list ap;

	panic_enter();
	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	panic_message("%s", buf);
	backtrace_print(0, kprintf);
	panic_finish();
}
