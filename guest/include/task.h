/* SPDX-License-Identifier: ISC */
/*
 * Work for the other CPUs, which have no threads. A task belongs to one CPU and
 * runs there whenever it was signalled, outside of interrupt handlers and with
 * interrupts on; never beside itself. It does not sleep, allocate or print.
 */
#ifndef GUEST_TASK_H
#define GUEST_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct task {
	bool		(*tk_fn)(void *);	/* true: call it again */
	void		*tk_arg;
	unsigned	tk_cpu;
	uint32_t	tk_signalled;	/* private from here on */
	bool		tk_end;
	bool		tk_ended;
	struct task	*tk_next;
};

/*
 * task_start - tk_fn, tk_arg and tk_cpu are set
 *
 * ENXIO: the CPU does not run, or it is CPU 0, which has threads; ETIMEDOUT it
 * does not answer. Threads only.
 */
int	task_start(struct task *);

/* task_signal - it runs once more, at least; any context, any CPU */
void	task_signal(struct task *);

/*
 * task_stop - when it returns 0 the task does not run and will not again
 *
 * ETIMEDOUT: the CPU did not let go of it within a second; it is the CPU's for
 * ever. Threads only; others run meanwhile.
 */
int	task_stop(struct task *);

#endif
