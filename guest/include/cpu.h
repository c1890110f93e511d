/* SPDX-License-Identifier: ISC */
/*
 * The processor: exceptions, CPUs, power, backtrace.
 */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include "mtypes.h"

/*
 * Registers at an exception, on the kernel stack of the thread that took
 * it. Those of EL0 may be changed by a system call; they are loaded again at
 * the return.
 */
struct trapframe {
	uint64_t	tf_x[31];	/* x0-x30 */
	uint64_t	tf_sp;		/* SP_EL0 if from EL0 */
	uint64_t	tf_elr;
	uint64_t	tf_spsr;
	uint64_t	tf_esr;
	uint64_t	tf_far;
};

#define ESR_EC(esr)		(((esr) >> 26) & 0x3f)
#define ESR_ISS(esr)		((esr) & 0x1ffffff)
#define ESR_EC_SVC64		0x15
#define ESR_EC_IABT_LOW		0x20
#define ESR_EC_DABT_LOW		0x24

/*
 * Hooks of guest/user. Both run on the kernel stack of the thread that is at
 * EL0, interrupts on; they return to EL0 with what the frame then holds, or
 * never return (thread_exit).  user_fault gets everything from EL0 that is
 * neither an interrupt nor SVC.
 */
void user_syscall(struct trapframe *);
void user_fault(struct trapframe *);

/*
 * cpu_enter_user - go to EL0 on the present thread; does not return
 *
 * The thread's address space is set first (thread_setspace).  All registers
 * but x0 and SP are zero.  FP and SIMD trap, as they do in the kernel.
 */
void cpu_enter_user(uint64_t pc, uint64_t sp, uint64_t x0)
    __attribute__((noreturn));

/* A word for ESR's exception class: "data abort", "SVC". Never NULL. */
const char *esr_name(uint64_t esr);

/*
 * Interrupts of this CPU. intr_disable returns what intr_restore takes.
 * Sections are short; nothing in them blocks.
 */
static inline uint64_t
intr_disable(void)
{
	uint64_t daif;

	__asm__ volatile("mrs %0, daif; msr daifset, #2" : "=r"(daif)
	    : : "memory");
	return daif;
}

static inline void
intr_restore(uint64_t daif)
{
	__asm__ volatile("msr daif, %0" : : "r"(daif) : "memory");
}

/* The CPU's index, 0 to cpu_count() - 1; CPU 0 is the one that booted. */
unsigned cpu_id(void);
/* CPUs that run, at most MAXCPUS and maxcpus= of the command line. */
unsigned cpu_count(void);
/* Its MPIDR_EL1 affinity bits. 0 if there is no such CPU. */
uint64_t cpu_mpidr(unsigned cpu);

/*
 * cpu_call - run a function on a CPU and wait for its end
 *
 * It runs in interrupt context there: it must be short and must not block.
 * Called from a thread of CPU 0.  Returns 0, ENXIO if the CPU does not run,
 * ETIMEDOUT if it did not answer within a second.
 */
int cpu_call(unsigned cpu, void (*fn)(void *), void *arg);

/* cpu_start_all - bring the other CPUs up; logs those that did not come. */
void cpu_start_all(void);

/*
 * Bring the machine down, by PSCI and the conduit that the machine names.
 * Both stop if there is no PSCI.  Devices are quiesced by the caller.
 */
void cpu_poweroff(void) __attribute__((noreturn));
void cpu_reset(void) __attribute__((noreturn));
/* Stop for good: interrupts off on this CPU, the others halted. */
void cpu_halt(void) __attribute__((noreturn));
/* Make the other CPUs stop, as panic does first. Safe in any context. */
void cpu_stop_others(void);

/*
 * One line on the CPU for the log and the tests, e.g.
 * "cortex-a72 r0p3, entered at EL2, PA 44 bits, pan, bti, pauth".
 */
void cpu_describe(char *buf, size_t len);
/* The exception level at which the image was entered: 1 or 2. */
unsigned cpu_entry_el(void);
/* What the ID registers offer and we turned on. */
bool cpu_has_pan(void);
bool cpu_has_bti(void);
bool cpu_has_pauth(void);

/*
 * Symbols. ksym_find gives the name of the function that holds an address of
 * the kernel, cut to len bytes with its 0, and the offset in it; false if there
 * is none. Slow: it reads the whole list.
 */
#define KSYM_MAX	64
bool	ksym_find(vaddr_t addr, char *name, size_t len, size_t *offset);

/*
 * backtrace_print - write frames to `print`, one line each
 *
 * fp is a frame pointer, or 0 for the caller's own.  Frames are read only
 * inside stacks, at most 32 of them: safe from a damaged stack.
 */
void backtrace_print(vaddr_t fp, void (*print)(const char *fmt, ...));
/* Registers of a frame, and what ESR says, likewise. */
void trapframe_print(const struct trapframe *,
    void (*print)(const char *fmt, ...));

#endif
