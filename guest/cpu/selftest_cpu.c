/* SPDX-License-Identifier: ISC */
/* Self tests of CPUs, interrupts, time and threads. */
#include <errno.h>

#include "cpu.h"
#include "intr.h"
#include "kmem.h"
#include "ktime.h"
#include "machine.h"
#include "mmio.h"
#include "selftest.h"
#include "task.h"
#include "thread.h"
#include "vm.h"
#include "cpuvar.h"
#include "gic.h"

#define TEST_DEVID	0x7f00	/* no function has it: bus 127 */

static bool
wait_until(volatile unsigned *p, unsigned want)
{
	uint64_t start = uptime_ns();

	while (*p != want)
		if (uptime_ns() - start > ST_WAIT_NS)
			return false;
	return true;
}

static void
note_cpu(void *arg)
{
	*(volatile unsigned *)arg = cpu_id() + 100;
}

SELFTEST(cpu_call_runs_on_each)
{
	volatile unsigned where;

	for (unsigned i = 0; i < cpu_count(); i++) {
		where = 0;
		ST_EQ(st, cpu_call(i, note_cpu, (void *)&where), 0);
		ST_EQ(st, where, i + 100);
	}
	ST_EQ(st, cpu_call(cpu_count(), note_cpu, (void *)&where), ENXIO);
}

#define TASK_ROUNDS	200u

struct counted {
	struct task	ct_task;
	volatile unsigned ct_runs;
	volatile unsigned ct_elsewhere;
};

/* Twice for a signal: it asks for the second time itself. */
static bool
count_run(void *arg)
{
	struct counted *ct = arg;

	if (cpu_id() != ct->ct_task.tk_cpu || intr_context())
		ct->ct_elsewhere++;
	return (++ct->ct_runs & 1) != 0;
}

SELFTEST(task_runs_on_each)
{
	static struct counted ct = { .ct_task.tk_fn = count_run };

	ct.ct_task.tk_arg = &ct;
	ct.ct_task.tk_cpu = 0;
	ct.ct_elsewhere = 0;
	ST_EQ(st, task_start(&ct.ct_task), ENXIO);
	for (unsigned i = 1; i < cpu_count(); i++) {
		ct.ct_task.tk_cpu = i;
		ct.ct_runs = 0;
		ST_EQ(st, task_start(&ct.ct_task), 0);
		for (unsigned n = 1; n <= TASK_ROUNDS; n++) {
			task_signal(&ct.ct_task);
			ST_CHECK(st, wait_until(&ct.ct_runs, 2 * n));
		}
		ST_EQ(st, task_stop(&ct.ct_task), 0);
		ST_EQ(st, ct.ct_runs, 2 * TASK_ROUNDS);
		task_signal(&ct.ct_task);
	}
	ST_EQ(st, ct.ct_elsewhere, 0);
}

SELFTEST(cpu_timer_ticks_on_each)
{
	uint64_t before[MAXCPUS], start = uptime_ns(), n, most;

	for (unsigned i = 0; i < cpu_count(); i++)
		before[i] = time_ticks(i);
	thread_sleep(350 * NS_PER_MS);
	for (unsigned i = 0; i < cpu_count(); i++) {
		while ((n = time_ticks(i) - before[i]) == 0 &&
		    uptime_ns() - start < ST_WAIT_NS)
			thread_sleep(NS_PER_MS);
		most = (uptime_ns() - start) / (35 * NS_PER_MS);
		selftest_note("cpu%u: %llu ticks", i, (unsigned long long)n);
		ST_CHECK(st, n >= 1 && n <= most);
	}
}

SELFTEST(cpu_runs_at_el1)
{
	uint64_t el;

	__asm__ volatile("mrs %0, currentel" : "=r"(el));
	ST_EQ(st, el >> 2, 1);
	ST_CHECK(st, cpu_entry_el() == 1 || cpu_entry_el() == 2);
}

static bool
count_here(void *arg)
{
	volatile unsigned *p = arg;

	*p = cpu_id() + 100;
	return true;
}

/* The highest SPI that nobody has. */
static uint32_t
free_spi(void)
{
	struct intr *in;
	uint32_t intid;
	volatile unsigned unused = 0;

	for (intid = GIC_MAXINTID - 1; intid >= 32; intid--) {
		if (intr_establish(intid, INTR_EDGE, 0, count_here,
		    (void *)&unused, "probe", &in) == 0) {
			intr_disestablish(in);
			return intid;
		}
	}
	return 0;
}

SELFTEST(intr_spi_reaches_each_cpu)
{
	uint32_t intid = free_spi();
	volatile unsigned where = 0;
	struct intr *in;

	ST_CHECK(st, intid != 0);
	ST_EQ(st, intr_establish(intid, INTR_EDGE, 0, count_here,
	    (void *)&where, "selftest", &in), 0);
	for (unsigned i = 0; i < cpu_count(); i++) {
		where = 0;
		ST_EQ(st, intr_route(intid, i), 0);
		ST_EQ(st, intr_raise(intid), 0);
		ST_CHECK(st, wait_until(&where, i + 100));
	}
	ST_EQ(st, intr_count(intid), cpu_count());
	intr_disestablish(in);
	where = 0;
	intr_raise(intid);
	delay_us(1000);
	ST_EQ(st, where, 0);
}

/* Send a message as a device would; an ITS takes those of devices only. */
static int
send_message(const struct msi_vec *vec)
{
	volatile void *doorbell;

	if (vec->mv_intid >= LPI_BASE)
		return intr_raise(vec->mv_intid);
	doorbell = vm_map_device(vec->mv_addr, 4);
	if (doorbell == NULL)
		return ENOMEM;
	mmio_write32(doorbell, vec->mv_data);
	vm_unmap_device(doorbell, 4);
	return 0;
}

SELFTEST(intr_msi_reaches_each_cpu)
{
	struct msi_vec vec[MAXCPUS];
	struct intr *in[MAXCPUS];
	volatile unsigned where;
	unsigned got = 0;
	int error;

	error = msi_alloc(TEST_DEVID, cpu_count(), vec, &got);
	if (error == ENOTSUP)
		ST_SKIP(st, "no MSI here");
	ST_EQ(st, error, 0);
	for (unsigned i = 0; i < got; i++)
		ST_EQ(st, intr_establish(vec[i].mv_intid, INTR_EDGE, i,
		    count_here, (void *)&where, "selftest", &in[i]), 0);
	for (unsigned i = 0; i < got; i++) {
		where = 0;
		ST_EQ(st, send_message(&vec[i]), 0);
		ST_CHECK(st, wait_until(&where, i + 100));
		/* And by another CPU after a move. */
		where = 0;
		ST_EQ(st, intr_route(vec[i].mv_intid,
		    (i + 1) % cpu_count()), 0);
		ST_EQ(st, send_message(&vec[i]), 0);
		ST_CHECK(st, wait_until(&where, (i + 1) % cpu_count() + 100));
	}
	for (unsigned i = 0; i < got; i++)
		intr_disestablish(in[i]);
	msi_free(TEST_DEVID, vec, got);
	selftest_note("%s, %u vectors", msi_kind(), got);
}

SELFTEST(intr_msi_vectors_come_back)
{
	struct msi_vec vec[8];
	unsigned got;

	if (msi_alloc(TEST_DEVID, 8, vec, &got) == ENOTSUP)
		ST_SKIP(st, "no MSI here");
	msi_free(TEST_DEVID, vec, got);
	for (unsigned i = 0; i < 200; i++) {
		ST_EQ(st, msi_alloc(TEST_DEVID, 8, vec, &got), 0);
		msi_free(TEST_DEVID, vec, got);
	}
}

static struct {
	uint32_t	intid;
	volatile unsigned taken;
} storm;

static bool
stuck_line(void *arg)
{
	(void)arg;
	if (++storm.taken < 3 * INTR_STORM)
		intr_raise(storm.intid);
	return false;
}

static void
see_masked(const struct intr_stat *is, void *arg)
{
	if (is->is_intid == storm.intid && is->is_masked)
		*(bool *)arg = true;
}

SELFTEST(intr_storm_is_masked)
{
	struct intr *in;
	bool masked = false;

	storm.intid = free_spi();
	storm.taken = 0;
	ST_EQ(st, intr_establish(storm.intid, INTR_LEVEL | INTR_SHARED, 0,
	    stuck_line, NULL, "storm", &in), 0);
	ST_EQ(st, intr_raise(storm.intid), 0);
	thread_sleep(20 * NS_PER_MS);
	intr_walk(see_masked, &masked);
	intr_disestablish(in);
	ST_CHECK(st, masked);
	ST_EQ(st, storm.taken, INTR_STORM);
}

static bool
claim(void *arg)
{
	++*(volatile unsigned *)arg;
	return true;
}

static bool
decline(void *arg)
{
	++*(volatile unsigned *)arg;
	return false;
}

SELFTEST(intr_shared_line_calls_all)
{
	uint32_t intid = free_spi();
	volatile unsigned a = 0, b = 0;
	struct intr *one, *two, *three;
	int flags = INTR_LEVEL | INTR_SHARED;

	ST_EQ(st, intr_establish(intid, flags, 0, claim, (void *)&a, "one",
	    &one), 0);
	ST_EQ(st, intr_establish(intid, flags, 0, decline, (void *)&b, "two",
	    &two), 0);
	ST_EQ(st, intr_establish(intid, INTR_LEVEL, 0, claim, (void *)&a,
	    "three", &three), EBUSY);
	ST_EQ(st, intr_raise(intid), 0);
	ST_CHECK(st, wait_until(&a, 1));
	ST_EQ(st, b, 1);
	intr_disestablish(two);
	ST_EQ(st, intr_raise(intid), 0);
	ST_CHECK(st, wait_until(&a, 2));
	ST_EQ(st, b, 1);
	intr_disestablish(one);
	ST_EQ(st, intr_establish(100000, flags, 0, claim, NULL, "none", NULL),
	    EINVAL);
}

SELFTEST(time_is_monotonic_and_sleeps)
{
	uint64_t t, last = 0, start;

	for (unsigned i = 0; i < 10000; i++) {
		t = uptime_ns();
		ST_CHECK(st, t >= last);
		last = t;
	}
	start = uptime_ns();
	delay_us(2000);
	ST_CHECK(st, uptime_ns() - start >= 2 * NS_PER_MS);
	start = uptime_ns();
	thread_sleep(30 * NS_PER_MS);
	t = uptime_ns() - start;
	selftest_note("a sleep of 30 ms took %llu us",
	    (unsigned long long)t / 1000);
	ST_CHECK(st, t >= 30 * NS_PER_MS && t < ST_WAIT_NS);
}

struct pair {
	struct event	there, back;
	unsigned	rounds;
};

static void
answer(void *arg)
{
	struct pair *p = arg;

	for (;;) {
		event_wait(&p->there, EVENT_FOREVER);
		p->rounds++;
		event_signal(&p->back);
		if (p->rounds == 1000)
			return;
	}
}

SELFTEST(thread_events_go_both_ways)
{
	struct pair p = { EVENT_INIT, EVENT_INIT, 0 };
	size_t before = page_free_count();
	uint64_t start;

	ST_EQ(st, event_wait(&p.back, 0), ETIMEDOUT);
	start = uptime_ns();
	ST_EQ(st, event_wait(&p.back, 5 * NS_PER_MS), ETIMEDOUT);
	ST_CHECK(st, uptime_ns() - start >= 5 * NS_PER_MS);
	ST_CHECK(st, thread_create("answer", answer, &p) != NULL);
	for (unsigned i = 0; i < 1000; i++) {
		event_signal(&p.there);
		ST_EQ(st, event_wait(&p.back, ST_WAIT_NS), 0);
	}
	ST_EQ(st, p.rounds, 1000);
	thread_sleep(NS_PER_MS);
	/* Its stack is kept for the next. */
	ST_CHECK(st, before - page_free_count() <= 16);
}

static void
signal_event(void *arg)
{
	event_signal(arg);
}

SELFTEST(thread_event_from_each_cpu)
{
	struct event ev = EVENT_INIT;

	for (unsigned i = 0; i < cpu_count(); i++) {
		ST_EQ(st, cpu_call(i, signal_event, &ev), 0);
		ST_EQ(st, event_wait(&ev, ST_WAIT_NS), 0);
		ST_EQ(st, event_wait(&ev, 0), ETIMEDOUT);
	}
}

static void
end_at_once(void *arg)
{
	++*(unsigned *)arg;
}

SELFTEST(thread_many_come_and_go)
{
	unsigned n = 0;
	size_t before;

	for (unsigned i = 0; i < 20; i++)
		ST_CHECK(st, thread_create("short", end_at_once, &n) != NULL);
	thread_sleep(NS_PER_MS);
	ST_EQ(st, n, 20);
	before = page_free_count();
	for (unsigned i = 0; i < 100; i++) {
		ST_CHECK(st, thread_create("short", end_at_once, &n) != NULL);
		thread_yield();
	}
	thread_sleep(NS_PER_MS);
	ST_EQ(st, n, 120);
	ST_EQ(st, page_free_count(), before);
}
