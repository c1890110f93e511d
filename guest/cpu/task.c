/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "cpu.h"
#include "cpuvar.h"
#include "intr.h"
#include "ktime.h"
#include "task.h"
#include "thread.h"

#define STOP_NS		NS_PER_S

/* Each CPU's own: changed there alone, with interrupts off. */
static struct task *tasks[MAXCPUS];

/* In a handler of the task's CPU. */
static void
add(void *arg)
{
	struct task *tk = arg;

	tk->tk_next = tasks[tk->tk_cpu];
	tasks[tk->tk_cpu] = tk;
}

int
task_start(struct task *tk)
{
	if (tk->tk_cpu == 0)
		return ENXIO;
	tk->tk_signalled = 0;
	tk->tk_end = tk->tk_ended = false;
	return cpu_call(tk->tk_cpu, add, tk);
}

void
task_signal(struct task *tk)
{
	if (__atomic_exchange_n(&tk->tk_signalled, 1, __ATOMIC_ACQ_REL) == 0 &&
	    cpu_id() != tk->tk_cpu)
		sgi_send(tk->tk_cpu, 0);
}

int
task_stop(struct task *tk)
{
	uint64_t end = uptime_ns() + STOP_NS;

	__atomic_store_n(&tk->tk_end, true, __ATOMIC_RELEASE);
	task_signal(tk);
	while (!__atomic_load_n(&tk->tk_ended, __ATOMIC_ACQUIRE)) {
		if (uptime_ns() > end)
			return ETIMEDOUT;
		thread_yield();
	}
	return 0;
}

static void
leave(struct task **at, struct task *tk)
{
	uint64_t daif = intr_disable();

	while (*at != tk)
		at = &(*at)->tk_next;
	*at = tk->tk_next;
	intr_restore(daif);
	__atomic_store_n(&tk->tk_ended, true, __ATOMIC_RELEASE);
}

/* Each that was signalled, once. */
static void
run(struct task **list)
{
	struct task *tk, *next;

	for (tk = *list; tk != NULL; tk = next) {
		next = tk->tk_next;
		if (__atomic_exchange_n(&tk->tk_signalled, 0,
		    __ATOMIC_ACQ_REL) == 0)
			continue;
		if (__atomic_load_n(&tk->tk_end, __ATOMIC_ACQUIRE))
			leave(list, tk);
		else if (tk->tk_fn(tk->tk_arg))
			__atomic_store_n(&tk->tk_signalled, 1,
			    __ATOMIC_RELEASE);
	}
}

static bool
signalled(const struct task *tk)
{
	for (; tk != NULL; tk = tk->tk_next)
		if (__atomic_load_n(&tk->tk_signalled, __ATOMIC_ACQUIRE) != 0)
			return true;
	return false;
}

/*
 * The CPU's life. A signal between the look and the wait is an interrupt, which
 * ends the wait also while it is masked.
 */
void
task_loop(unsigned cpu)
{
	for (;;) {
		run(&tasks[cpu]);
		(void)intr_disable();
		if (!signalled(tasks[cpu]))
			__asm__ volatile("dsb sy; wfi" : : : "memory");
		__asm__ volatile("msr daifclr, #2; isb" : : : "memory");
	}
}
