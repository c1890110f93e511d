/* SPDX-License-Identifier: ISC */
/*
 * The generic timer: the virtual one, or the physical one where the machine
 * names only that.  CPU 0's is set for the next thing that a thread waits for
 * and at least every TICK_NS; other CPUs' tick at that rate.
 */
#include <stdio.h>

#include "cmdline.h"
#include "intr.h"
#include "ktime.h"
#include "log.h"
#include "machine.h"
#include "cpuvar.h"

#define TICK_NS		(100 * NS_PER_MS)
#define CHECK_NS	(200 * NS_PER_MS)
#define CTL_ENABLE	1

static uint64_t freq;
static uint64_t mult;		/* nanoseconds a tick, 32 fraction bits */
static uint64_t base;
static bool physical;
static uint32_t timer_intid;
static bool polled;		/* its interrupt does not come */
static volatile bool fired;
static volatile uint64_t wake_ns = UINT64_MAX;

uint64_t
time_counter(void)
{
	isb();
	return physical ? sysreg_read("cntpct_el0") :
	    sysreg_read("cntvct_el0");
}

void
time_init_early(void)
{
	freq = sysreg_read("cntfrq_el0") & 0xffffffff;
	/* Firmware that left it at 0 is wrong; 24 MHz is what a Mac has. */
	if (freq == 0)
		freq = 24000000;
	mult = (NS_PER_S << 32) / freq;
	base = time_counter();
}

static uint64_t
to_ns(uint64_t ticks)
{
	return (uint64_t)(((unsigned __int128)ticks * mult) >> 32);
}

static uint64_t
to_ticks(uint64_t ns)
{
	/* The frequency has 32 bits: nothing overflows. */
	return ns / NS_PER_S * freq + ns % NS_PER_S * freq / NS_PER_S + 1;
}

uint64_t
uptime_ns(void)
{
	return to_ns(time_counter() - base);
}

void
delay_us(uint64_t us)
{
	uint64_t start = uptime_ns();

	while (uptime_ns() - start < us * NS_PER_US)
		__asm__ volatile("yield");
}

/* Program this CPU's comparator for an uptime. */
static void
set_timer(uint64_t ns)
{
	uint64_t at = base + to_ticks(ns);

	if (physical) {
		sysreg_write("cntp_cval_el0", at);
		sysreg_write("cntp_ctl_el0", CTL_ENABLE);
	} else {
		sysreg_write("cntv_cval_el0", at);
		sysreg_write("cntv_ctl_el0", CTL_ENABLE);
	}
	isb();
}

static void
arm(struct cpu *c)
{
	uint64_t at = c->c_next_tick;

	if (c->c_index == 0 && wake_ns < at)
		at = wake_ns;
	set_timer(at);
}

void
time_wake_at(uint64_t ns)
{
	uint64_t daif = intr_disable();

	wake_ns = ns;
	arm(&cpus[0]);
	intr_restore(daif);
}

static bool
timer_intr(void *arg)
{
	struct cpu *c = curcpu();
	uint64_t now = uptime_ns();

	(void)arg;
	fired = true;
	if (now >= c->c_next_tick) {
		c->c_ticks++;
		/* A CPU that was held up for long skips what it missed. */
		c->c_next_tick += TICK_NS;
		if (c->c_next_tick <= now)
			c->c_next_tick = now + TICK_NS;
	}
	if (c->c_index == 0 && now >= wake_ns) {
		wake_ns = UINT64_MAX;
		thread_timeouts();
	}
	arm(c);
	return true;
}

uint64_t
time_ticks(unsigned cpu)
{
	return cpu < MAXCPUS ?
	    __atomic_load_n(&cpus[cpu].c_ticks, __ATOMIC_RELAXED) : 0;
}

void
time_init(void)
{
	const struct machine_timer *mt = &machine.m_timer;
	int error;

	if (mt->mt_freq != 0) {
		freq = mt->mt_freq;
		mult = (NS_PER_S << 32) / freq;
	}
	timer_intid = mt->mt_virt.mi_intid;
	if (mt->mt_phys.mi_intid != 0 &&
	    (timer_intid == 0 || cmdline_is("timer", "physical"))) {
		timer_intid = mt->mt_phys.mi_intid;
		/* The two counters may differ; uptime goes on. */
		base = sysreg_read("cntpct_el0") - (time_counter() - base);
		physical = true;
	}
	if (timer_intid == 0)
		timer_intid = 27;
	error = intr_establish(timer_intid, INTR_LEVEL, 0, timer_intr, NULL,
	    "timer", NULL);
	if (error)
		klog(LOG_ERR, "timer: interrupt %u: error %d", timer_intid,
		    error);
	time_init_cpu();
}

/*
 * Whether the interrupt that the machine names for the timer comes at all.
 * Without it the kernel goes on by looking at the clock when it is idle.
 */
void
time_check(void)
{
	uint64_t start = uptime_ns();

	fired = false;
	time_wake_at(start + 10 * NS_PER_US);
	while (!fired && uptime_ns() - start < CHECK_NS)
		;
	if (fired)
		return;
	polled = true;
	klog(LOG_ERR, "time: interrupt %u does not come, the clock is polled",
	    timer_intid);
}

bool
time_idle(void)
{
	if (!polled)
		return false;
	if (uptime_ns() >= wake_ns) {
		wake_ns = UINT64_MAX;
		thread_timeouts();
	}
	return true;
}

void
time_init_cpu(void)
{
	struct cpu *c = curcpu();

	/* EL0 may read the virtual counter, nothing else. */
	sysreg_write("cntkctl_el1", 2);
	c->c_next_tick = uptime_ns() + TICK_NS;
	arm(c);
}

void
time_describe(char *buf, size_t len)
{
	snprintf(buf, len, "%s timer, %llu Hz, intid %u",
	    physical ? "physical" : "virtual", (unsigned long long)freq,
	    timer_intid);
}
