/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "cpu.h"
#include "intr.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "thread.h"
#include "vm.h"
#include "cpuvar.h"

enum state {
	READY,
	RUNNING,
	WAITING,
	ENDED
};

struct context {
	vaddr_t		ctx_sp;
};

struct thread {
	struct context	t_ctx;
	const char	*t_name;
	enum state	t_state;
	bool		t_timed_out;
	vaddr_t		t_stack;	/* 0: the boot stack */
	struct vmspace	*t_space;
	void		*t_data;
	struct event	*t_event;	/* waited for */
	uint64_t	t_deadline;	/* UINT64_MAX: none */
	uint64_t	t_cpu_ns;
	struct thread	*t_waitnext;	/* others at the event */
	struct thread	*t_runnext;
	struct thread	*t_all;
};

void thread_switch(struct context *, struct context *);
void thread_begin(void);
void thread_begin_c(void);

static struct thread main_thread;
static struct thread *current, *all;
static struct thread *run_head, *run_tail;
static struct thread *corpse;		/* ended; its stack still in use */
static uint64_t switched_at;

struct thread *
thread_self(void)
{
	return current;
}

/* Interrupts are off in all that touches the queues. */
static void
make_ready(struct thread *t)
{
	t->t_state = READY;
	t->t_runnext = NULL;
	if (run_tail != NULL)
		run_tail->t_runnext = t;
	else
		run_head = t;
	run_tail = t;
}

static struct thread *
next_ready(void)
{
	struct thread *t = run_head;

	if (t == NULL)
		return NULL;
	run_head = t->t_runnext;
	if (run_head == NULL)
		run_tail = NULL;
	return t;
}

static void
leave_event(struct thread *t)
{
	struct thread **p;

	if (t->t_event == NULL)
		return;
	for (p = &t->t_event->ev_waiters; *p != NULL; p = &(*p)->t_waitnext) {
		if (*p == t) {
			*p = t->t_waitnext;
			break;
		}
	}
	t->t_event = NULL;
}

/* The earliest deadline of all that wait, to the timer. */
static void
program_timer(void)
{
	uint64_t at = UINT64_MAX;

	for (struct thread *t = all; t != NULL; t = t->t_all)
		if (t->t_state == WAITING && t->t_deadline < at)
			at = t->t_deadline;
	time_wake_at(at);
}

/* From the timer: wake whom it is time for. */
void
thread_timeouts(void)
{
	uint64_t now = uptime_ns();

	for (struct thread *t = all; t != NULL; t = t->t_all) {
		if (t->t_state != WAITING || t->t_deadline > now)
			continue;
		leave_event(t);
		t->t_timed_out = true;
		make_ready(t);
	}
	program_timer();
}

static void
bury(void)
{
	struct thread **p;

	if (corpse == NULL || corpse == current)
		return;
	for (p = &all; *p != corpse; p = &(*p)->t_all)
		;
	*p = corpse->t_all;
	if (corpse->t_stack != 0)
		vm_stack_free(corpse->t_stack);
	if (corpse != &main_thread)
		kfree(corpse);
	corpse = NULL;
}

static void
account(struct thread *t)
{
	uint64_t now = uptime_ns();

	t->t_cpu_ns += now - switched_at;
	switched_at = now;
}

/*
 * Give the CPU to the next that is ready; wait for an interrupt while none
 * is. Called with interrupts off; they are off when it returns.
 */
static void
schedule(void)
{
	struct thread *from = current, *to;

	account(from);
	while ((to = next_ready()) == NULL) {
		/* Wakes with interrupts masked as well: none is missed. */
		dsb(sy);
		if (!time_idle())
			__asm__ volatile("wfi" : : : "memory");
		__asm__ volatile("msr daifclr, #2; isb; msr daifset, #2"
		    : : : "memory");
		switched_at = uptime_ns();
	}
	to->t_state = RUNNING;
	if (to == from)
		return;
	current = to;
	if (to->t_space != from->t_space)
		vm_space_activate(to->t_space);
	thread_switch(&from->t_ctx, &to->t_ctx);
	bury();
}

/* The first thing on a new thread's stack. */
void
thread_begin_c(void)
{
	bury();
	__asm__ volatile("msr daifclr, #6" : : : "memory");
}

void
thread_yield(void)
{
	uint64_t daif;

	if (current == NULL)
		return;
	daif = intr_disable();
	if (run_head != NULL) {
		make_ready(current);
		schedule();
	}
	intr_restore(daif);
}

/* Wait until made ready; true if that was by the deadline. */
static bool
block(struct event *ev, uint64_t deadline)
{
	struct thread *t = current;

	t->t_event = ev;
	t->t_deadline = deadline;
	t->t_timed_out = false;
	t->t_state = WAITING;
	if (ev != NULL) {
		t->t_waitnext = ev->ev_waiters;
		ev->ev_waiters = t;
	}
	if (deadline != UINT64_MAX)
		program_timer();
	schedule();
	return t->t_timed_out;
}

static uint64_t
deadline_of(uint64_t ns)
{
	uint64_t now = uptime_ns();

	return ns > UINT64_MAX - 1 - now ? UINT64_MAX : now + ns;
}

void
thread_sleep(uint64_t ns)
{
	uint64_t daif;

	if (ns == 0) {
		thread_yield();
		return;
	}
	daif = intr_disable();
	block(NULL, deadline_of(ns));
	intr_restore(daif);
}

int
event_wait(struct event *ev, uint64_t timeout_ns)
{
	uint64_t daif, deadline = UINT64_MAX;
	int error = 0;

	if (timeout_ns != EVENT_FOREVER)
		deadline = deadline_of(timeout_ns);
	daif = intr_disable();
	while (__atomic_exchange_n(&ev->ev_count, 0, __ATOMIC_ACQUIRE) == 0) {
		if (timeout_ns == 0 || block(ev, deadline)) {
			/* A signal may have come together with the time. */
			if (__atomic_exchange_n(&ev->ev_count, 0,
			    __ATOMIC_ACQUIRE) == 0)
				error = ETIMEDOUT;
			break;
		}
	}
	intr_restore(daif);
	return error;
}

/*
 * Waiters are CPU 0's business. Another CPU counts and pokes CPU 0, whose
 * handler looks at all events that are waited for.
 */
static void
wake_all(struct event *ev)
{
	struct thread *t;

	while ((t = ev->ev_waiters) != NULL) {
		ev->ev_waiters = t->t_waitnext;
		t->t_event = NULL;
		make_ready(t);
	}
}

void
event_signal(struct event *ev)
{
	uint64_t daif = intr_disable();

	__atomic_fetch_add(&ev->ev_count, 1, __ATOMIC_RELEASE);
	if (cpu_id() == 0)
		wake_all(ev);
	else
		sgi_send(0, 0);
	intr_restore(daif);
}

/* CPU 0, in a handler: events that other CPUs signalled. */
void
thread_check_events(void)
{
	struct thread *t = all, *n;

	for (; t != NULL; t = n) {
		n = t->t_all;
		if (t->t_state == WAITING && t->t_event != NULL &&
		    __atomic_load_n(&t->t_event->ev_count,
		    __ATOMIC_ACQUIRE) != 0)
			wake_all(t->t_event);
	}
}

void
mutex_lock(struct mutex *mtx)
{
	while (mtx->mtx_owner != NULL)
		event_wait(&mtx->mtx_event, EVENT_FOREVER);
	mtx->mtx_owner = current;
}

void
mutex_unlock(struct mutex *mtx)
{
	mtx->mtx_owner = NULL;
	event_signal(&mtx->mtx_event);
}

struct thread *
thread_create(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = kzalloc(sizeof(*t));
	uint64_t *frame, daif;

	if (t == NULL)
		return NULL;
	t->t_stack = vm_stack_alloc();
	if (t->t_stack == 0) {
		kfree(t);
		return NULL;
	}
	t->t_name = name;
	t->t_deadline = UINT64_MAX;
	/* What thread_switch takes off the stack. */
	frame = (uint64_t *)(t->t_stack + KSTACK_SIZE - 96);
	memset(frame, 0, 96);
	frame[1] = (uint64_t)thread_begin;
	frame[2] = (uint64_t)fn;
	frame[3] = (uint64_t)arg;
	t->t_ctx.ctx_sp = (vaddr_t)frame;
	daif = intr_disable();
	t->t_all = all;
	all = t;
	make_ready(t);
	intr_restore(daif);
	return t;
}

void
thread_exit(void)
{
	intr_disable();
	bury();
	current->t_state = ENDED;
	corpse = current;
	schedule();
	__builtin_unreachable();
}

void
thread_setspace(struct vmspace *vs)
{
	uint64_t daif = intr_disable();

	current->t_space = vs;
	vm_space_activate(vs);
	intr_restore(daif);
}

void
thread_setdata(void *p)
{
	current->t_data = p;
}

void *
thread_data(void)
{
	return current->t_data;
}

vaddr_t
thread_stack_top(void)
{
	return current->t_stack == 0 ? (vaddr_t)boot_stack_top :
	    current->t_stack + KSTACK_SIZE;
}

static struct thread *
nth(unsigned n)
{
	struct thread *t = all;

	while (t != NULL && n-- > 0)
		t = t->t_all;
	return t;
}

void
thread_walk(void (*fn)(const char *name, const char *state, uint64_t cpu_ns,
    void *arg), void *arg)
{
	static const char *const state[] = {
		"ready", "running", "waiting", "ended"
	};

	struct thread *t;

	/* fn may wait, and threads end meanwhile: each from the front anew. */
	for (unsigned n = 0; (t = nth(n)) != NULL; n++)
		fn(t->t_name, state[t->t_state], t->t_cpu_ns, arg);
}

void
thread_init(void)
{
	main_thread.t_name = "boot";
	main_thread.t_state = RUNNING;
	main_thread.t_deadline = UINT64_MAX;
	all = current = &main_thread;
	switched_at = uptime_ns();
}
