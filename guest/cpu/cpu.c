/* SPDX-License-Identifier: ISC */
/* CPUs: what they are, starting and stopping them, PSCI. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmdline.h"
#include "cpu.h"
#include "intr.h"
#include "ktime.h"
#include "log.h"
#include "machine.h"
#include "vm.h"
#include "cpuvar.h"

#define START_NS	(1000 * NS_PER_MS)
#define CALL_NS		NS_PER_S

struct cpu cpus[MAXCPUS];

static unsigned ncpus = 1;
static unsigned entered_at;

unsigned
cpu_id(void)
{
	struct cpu *c = curcpu();

	return c == NULL ? 0 : c->c_index;
}

unsigned
cpu_count(void)
{
	return ncpus;
}

uint64_t
cpu_mpidr(unsigned cpu)
{
	return cpu < ncpus ? cpus[cpu].c_mpidr : 0;
}

unsigned
cpu_entry_el(void)
{
	return entered_at;
}

bool
cpu_has_pan(void)
{
	return ((sysreg_read("id_aa64mmfr1_el1") >> 20) & 15) != 0;
}

bool
cpu_has_bti(void)
{
	return (sysreg_read("id_aa64pfr1_el1") & 15) != 0;
}

bool
cpu_has_pauth(void)
{
	return (sysreg_read("sctlr_el1") & 1ull << 31) != 0;
}

static const struct {
	uint16_t	cn_part;	/* implementer << 12 | part */
	const char	*cn_name;
} cpu_names[] = {
	/* Linux, arch/arm64/include/asm/cputype.h */
	{ 0xd03, "cortex-a53" },
	{ 0xd04, "cortex-a35" },
	{ 0xd05, "cortex-a55" },
	{ 0xd07, "cortex-a57" },
	{ 0xd08, "cortex-a72" },
	{ 0xd09, "cortex-a73" },
	{ 0xd0b, "cortex-a76" },
	{ 0xd0c, "neoverse-n1" },
	{ 0xd40, "neoverse-v1" },
};

void
cpu_describe(char *buf, size_t len)
{
	uint64_t midr = sysreg_read("midr_el1");
	unsigned implementer = (unsigned)(midr >> 24) & 0xff;
	unsigned part = (unsigned)(midr >> 4) & 0xfff;
	const char *name = NULL;
	char number[16];

	for (size_t i = 0; i < sizeof(cpu_names) / sizeof(cpu_names[0]); i++)
		if (implementer == 0x41 && cpu_names[i].cn_part == part)
			name = cpu_names[i].cn_name;
	if (implementer == 0x61)
		name = "Apple";
	if (name == NULL) {
		snprintf(number, sizeof(number), "cpu %02x:%03x", implementer,
		    part);
		name = number;
	}
	snprintf(buf, len, "%s r%up%u, entered at EL%u, PA %u bits%s%s%s",
	    name, (unsigned)(midr >> 20) & 15, (unsigned)midr & 15,
	    entered_at, vm_pa_bits(), cpu_has_pan() ? ", pan" : "",
	    cpu_has_bti() ? ", bti" : "", cpu_has_pauth() ? ", pauth" : "");
}

/* What EL0 may not have and what firmware may have left to it. */
static void
restrict_el0(void)
{
	unsigned pmu = (unsigned)(sysreg_read("id_aa64dfr0_el1") >> 8) & 15;

	if (pmu != 0 && pmu != 15)
		sysreg_write("pmuserenr_el0", 0);
	sysreg_write("tpidr_el0", 0);
	sysreg_write("tpidrro_el0", 0);
}

void
cpu_init(unsigned entry_el)
{
	entered_at = entry_el;
	cpus[0].c_mpidr = sysreg_read("mpidr_el1") & MACHINE_MPIDR_MASK;
	cpus[0].c_online = true;
	sysreg_write("tpidr_el1", &cpus[0]);
	restrict_el0();
}

void
cpu_init_emergency(void)
{
	vaddr_t spare = vm_stack_alloc();

	if (spare == 0)
		panic("no memory for a stack");
	cpus[0].c_emergency = spare + KSTACK_SIZE;
}

/* SMC Calling Convention: x0 function and result, x1-x3 arguments. */
static int64_t
psci(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a1;
	register uint64_t x2 __asm__("x2") = a2;
	register uint64_t x3 __asm__("x3") = a3;

	if (function == 0)
		return -1;
	switch (machine.m_psci.mp_conduit) {
	case MACHINE_PSCI_HVC:
		__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2),
		    "+r"(x3) : : "x4", "x5", "x6", "x7", "x8", "x9", "x10",
		    "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
		return (int64_t)x0;
	case MACHINE_PSCI_SMC:
		__asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2),
		    "+r"(x3) : : "x4", "x5", "x6", "x7", "x8", "x9", "x10",
		    "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
		return (int64_t)x0;
	default:
		return -1;
	}
}

void
cpu_halt(void)
{
	cpu_stop_others();
	__asm__ volatile("msr daifset, #15" : : : "memory");
	for (;;)
		__asm__ volatile("wfi");
}

void
cpu_poweroff(void)
{
	__asm__ volatile("msr daifset, #15" : : : "memory");
	psci(machine.m_psci.mp_system_off, 0, 0, 0);
	cpu_halt();
}

void
cpu_reset(void)
{
	__asm__ volatile("msr daifset, #15" : : : "memory");
	psci(machine.m_psci.mp_system_reset, 0, 0, 0);
	cpu_halt();
}

void
cpu_stop_others(void)
{
	for (unsigned i = 0; i < ncpus; i++) {
		if (i == cpu_id())
			continue;
		cpus[i].c_stop = true;
		dsb(ish);
		sgi_send(i, 1);
	}
}

static bool
stop_intr(void *arg)
{
	(void)arg;
	if (!curcpu()->c_stop)
		return true;
	__asm__ volatile("msr daifset, #15" : : : "memory");
	for (;;)
		__asm__ volatile("wfi");
}

/* SGI 0: a call for this CPU, or events that it signalled for CPU 0. */
static bool
call_intr(void *arg)
{
	struct cpu *c = curcpu();
	uint32_t asked;

	(void)arg;
	asked = __atomic_load_n(&c->c_call_asked, __ATOMIC_ACQUIRE);
	if (asked != c->c_call_done) {
		c->c_call_fn(c->c_call_arg);
		__atomic_store_n(&c->c_call_done, asked, __ATOMIC_RELEASE);
	}
	if (c->c_index == 0)
		thread_check_events();
	return true;
}

int
cpu_call(unsigned cpu, void (*fn)(void *), void *arg)
{
	struct cpu *c;
	uint64_t start, daif;

	if (cpu >= ncpus || !cpus[cpu].c_online)
		return ENXIO;
	c = &cpus[cpu];
	if (cpu == cpu_id()) {
		daif = intr_disable();
		fn(arg);
		intr_restore(daif);
		return 0;
	}
	if (c->c_call_asked !=
	    __atomic_load_n(&c->c_call_done, __ATOMIC_ACQUIRE))
		return ETIMEDOUT;	/* it never came back from the last */
	c->c_call_fn = fn;
	c->c_call_arg = arg;
	__atomic_store_n(&c->c_call_asked, c->c_call_asked + 1,
	    __ATOMIC_RELEASE);
	sgi_send(cpu, 0);
	start = uptime_ns();
	while (__atomic_load_n(&c->c_call_done, __ATOMIC_ACQUIRE) !=
	    c->c_call_asked) {
		if (uptime_ns() - start > CALL_NS)
			return ETIMEDOUT;
	}
	return 0;
}

/* First line of C on another CPU. */
void
cpu_secondary(struct cpu *c)
{
	restrict_el0();
	intr_init_cpu();
	time_init_cpu();
	__atomic_store_n(&c->c_online, true, __ATOMIC_RELEASE);
	__asm__ volatile("msr daifclr, #6" : : : "memory");
	task_loop(c->c_index);
}

static bool
stacks_alloc(struct cpu *c)
{
	vaddr_t stack = vm_stack_alloc(), spare = vm_stack_alloc();

	if (stack != 0 && spare != 0) {
		c->c_stack = stack + KSTACK_SIZE;
		c->c_emergency = spare + KSTACK_SIZE;
		return true;
	}
	if (stack != 0)
		vm_stack_free(stack);
	if (spare != 0)
		vm_stack_free(spare);
	return false;
}

static void
stacks_free(struct cpu *c)
{
	vm_stack_free(c->c_stack - KSTACK_SIZE);
	vm_stack_free(c->c_emergency - KSTACK_SIZE);
	c->c_stack = 0;
}

/* Have PSCI start it. False: it will not run. */
static bool
launch_cpu(struct cpu *c)
{
	int64_t r;

	if (intr_prepare_cpu(c) != 0) {
		klog(LOG_WARN, "cpu: the interrupt controller has nothing for "
		    "%llx", (unsigned long long)c->c_mpidr);
		return false;
	}
	dsb(ish);
	r = psci(machine.m_psci.mp_cpu_on, c->c_mpidr,
	    vm_physical((void *)(vaddr_t)boot_secondary), (uint64_t)c);
	if (r != 0)
		klog(LOG_WARN, "cpu: PSCI does not start %llx: %lld",
		    (unsigned long long)c->c_mpidr, (long long)(int32_t)r);
	return r == 0;
}

/* False with stacks, in c_stack: it may still come up. */
static bool
start_cpu(struct cpu *c, const struct machine_cpu *mc)
{
	uint64_t start;

	if (!stacks_alloc(c))
		return false;
	c->c_index = (unsigned)(c - cpus);
	c->c_mpidr = mc->mc_mpidr;
	c->c_online = false;
	if (!launch_cpu(c)) {
		stacks_free(c);
		return false;
	}
	start = uptime_ns();
	while (!__atomic_load_n(&c->c_online, __ATOMIC_ACQUIRE)) {
		if (uptime_ns() - start > START_NS) {
			klog(LOG_WARN, "cpu: %llx does not come up",
			    (unsigned long long)c->c_mpidr);
			return false;
		}
	}
	return true;
}

void
cpu_start_all(void)
{
	uint64_t max = cmdline_get_number("maxcpus", MAXCPUS);
	const struct machine_cpu *mc;
	struct intr *unused;

	intr_establish(0, INTR_EDGE, 0, call_intr, NULL, "call", &unused);
	intr_establish(1, INTR_EDGE, 0, stop_intr, NULL, "stop", &unused);
	if (max > MAXCPUS)
		max = MAXCPUS;
	for (unsigned i = 0; i < machine.m_ncpus && ncpus < max; i++) {
		mc = &machine.m_cpu[i];
		if (mc->mc_mpidr == cpus[0].c_mpidr)
			continue;
		if (mc->mc_enable != MACHINE_ENABLE_PSCI) {
			klog(LOG_INFO, "cpu: no way to start %llx",
			    (unsigned long long)mc->mc_mpidr);
			continue;
		}
		/* One that may still come up keeps its place. */
		if (start_cpu(&cpus[ncpus], mc))
			ncpus++;
		else if (cpus[ncpus].c_stack != 0)
			break;
	}
}
