/* SPDX-License-Identifier: ISC */
/*
 * Threads of CPU 0: cooperative, no priorities. A thread runs until it
 * yields, waits or ends; only interrupt handlers come in between, so that
 * what is touched by threads alone needs no lock.  A long computation yields
 * now and then.
 */
#ifndef GUEST_THREAD_H
#define GUEST_THREAD_H

#include "mtypes.h"

struct thread;
struct vmspace;

/*
 * thread_create - a thread that runs fn(arg) and ends when that returns
 *
 * name	kept by reference
 *
 * Its stack is 32 KiB with an unmapped page below.  NULL: ENOMEM.
 */
struct thread *thread_create(const char *name, void (*fn)(void *), void *arg);
void	thread_exit(void) __attribute__((noreturn));
void	thread_yield(void);
void	thread_sleep(uint64_t ns);
struct thread *thread_self(void);

/*
 * The program's side of a thread. The space is loaded into TTBR0 whenever
 * the thread runs.  The caller keeps it alive; NULL at the end, before
 * vm_space_free.  The pointer is one word for guest/user.
 */
void	thread_setspace(struct vmspace *);
void	thread_setdata(void *);
void	*thread_data(void);

/*
 * An event counts signals: a wait takes all that have come, and returns at
 * once if there were any. Zeroed memory, or EVENT_INIT, is an event.
 */
struct event {
	volatile uint32_t ev_count;
	struct thread	*ev_waiters;	/* private to thread.c */
};
#define EVENT_INIT	{ 0, NULL }

#define EVENT_FOREVER	UINT64_MAX

/*
 * event_wait - block until the event is signalled
 *
 * Returns 0, or ETIMEDOUT after timeout_ns (0 only looks).  Any number of
 * threads may wait for one event; a signal wakes all of them, one of them
 * gets it and the others go on waiting.
 */
int	event_wait(struct event *, uint64_t timeout_ns);
/* event_signal - also from interrupt handlers and other CPUs. */
void	event_signal(struct event *);

/* Mutual exclusion of threads across blocking calls. Not recursive. */
struct mutex {
	struct thread	*mtx_owner;
	struct event	mtx_event;
};
void	mutex_lock(struct mutex *);
void	mutex_unlock(struct mutex *);

/* Name, state and time used, of each. */
void	thread_walk(void (*fn)(const char *name, const char *state,
	    uint64_t cpu_ns, void *arg), void *arg);

/* Turn the start-up path into a thread. */
void	thread_init(void);

#endif
