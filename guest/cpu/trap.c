/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "cpu.h"
#include "vm.h"
#include "log.h"
#include "thread.h"
#include "cpuvar.h"

#define SPSR_BTYPE	(3ull << 10)

struct extable {
	int32_t		ex_insn;	/* both from where they stand */
	int32_t		ex_fixup;
};

extern const struct extable extable_start[], extable_end[];

int user_read(void *, const void *, size_t);
int user_write(void *, const void *, size_t);
int user_read_string(char *, const void *, size_t, size_t *);
void trap_return_user(struct trapframe *, vaddr_t) __attribute__((noreturn));

int
copyin(const void *uaddr, void *kaddr, size_t len)
{
	if (!vm_user_range((vaddr_t)uaddr, len))
		return EFAULT;
	return user_read(kaddr, uaddr, len);
}

int
copyout(const void *kaddr, void *uaddr, size_t len)
{
	if (!vm_user_range((vaddr_t)uaddr, len))
		return EFAULT;
	return user_write(uaddr, kaddr, len);
}

int
copyinstr(const void *uaddr, char *kaddr, size_t len, size_t *done)
{
	size_t n = 0;
	int error;

	if (!vm_user_range((vaddr_t)uaddr, 1))
		return EFAULT;
	error = user_read_string(kaddr, uaddr, len, &n);
	if (done != NULL)
		*done = n;
	return error;
}

static bool
fixup(struct trapframe *tf)
{
	for (const struct extable *e = extable_start; e < extable_end; e++) {
		if ((uint64_t)((const char *)&e->ex_insn + e->ex_insn) !=
		    tf->tf_elr)
			continue;
		tf->tf_elr = (uint64_t)((const char *)&e->ex_fixup +
		    e->ex_fixup);
		return true;
	}
	return false;
}

const char *
esr_name(uint64_t esr)
{
	switch (ESR_EC(esr)) {
	case 0x00:
		return "undefined instruction";
	case 0x07:
		return "FP or SIMD instruction";
	case 0x09:
		return "pointer authentication trap";
	case 0x0d:
		return "branch target";
	case 0x0e:
		return "illegal state";
	case 0x15:
		return "SVC";
	case 0x18:
		return "system register";
	case 0x1c:
		return "pointer authentication";
	case 0x20:
	case 0x21:
		return "instruction abort";
	case 0x22:
		return "PC alignment";
	case 0x24:
	case 0x25:
		return "data abort";
	case 0x26:
		return "SP alignment";
	case 0x2c:
		return "FP exception";
	case 0x2f:
		return "SError";
	case 0x3c:
		return "BRK";
	default:
		return "exception";
	}
}

/* The fault status code of an abort. */
static const char *
fault_name(uint64_t esr)
{
	switch (ESR_ISS(esr) & 0x3c) {
	case 0x00:
		return "address size";
	case 0x04:
		return "translation";
	case 0x08:
		return "access flag";
	case 0x0c:
		return "permission";
	case 0x10:
		return "external";
	case 0x20:
		return "alignment";
	default:
		return "other";
	}
}

static bool
is_abort(uint64_t esr)
{
	unsigned ec = (unsigned)ESR_EC(esr);

	return ec == 0x20 || ec == 0x21 || ec == 0x24 || ec == 0x25;
}

void
trapframe_print(const struct trapframe *tf,
    void (*print)(const char *fmt, ...))
{
	char name[KSYM_MAX];
	size_t off;

	print("%s", esr_name(tf->tf_esr));
	if (is_abort(tf->tf_esr))
		print(" (%s, %s at 0x%016llx)", fault_name(tf->tf_esr),
		    ESR_EC(tf->tf_esr) < 0x24 ? "fetch" :
		    tf->tf_esr & 1 << 6 ? "write" : "read",
		    (unsigned long long)tf->tf_far);
	print(", cpu %u\n", cpu_id());
	for (unsigned i = 0; i < 31; i++)
		print("%sx%-2u %016llx%s", i % 4 == 0 ? " " : "", i,
		    (unsigned long long)tf->tf_x[i],
		    i % 4 == 3 ? "\n" : "  ");
	print("sp  %016llx\n", (unsigned long long)tf->tf_sp);
	print(" pc  %016llx  spsr %08llx  esr %08llx",
	    (unsigned long long)tf->tf_elr, (unsigned long long)tf->tf_spsr,
	    (unsigned long long)tf->tf_esr);
	if (ksym_find(tf->tf_elr, name, sizeof(name), &off))
		print("  %s+0x%zx", name, off);
	print("\n");
	/* In a function without a frame of its own this is its caller. */
	if (ksym_find(tf->tf_x[30] | 0xffff000000000000ul, name, sizeof(name),
	    &off))
		print(" lr  %s+0x%zx\n", name, off);
}

static _Noreturn void
die(struct trapframe *tf, const char *what)
{
	char name[KSYM_MAX];
	size_t off = 0;
	bool found = ksym_find(tf->tf_elr, name, sizeof(name), &off);

	panic_enter();
	panic_message("%s in %s+0x%zx", what, found ? name : "?", off);
	trapframe_print(tf, kprintf);
	backtrace_print(tf->tf_x[29], kprintf);
	panic_finish();
}

volatile bool probing;
extern char probe_failed[];

/* A call that was expected to fail: on with what follows it. */
static bool
probe_recover(struct trapframe *tf)
{
	if (!probing || cpu_id() != 0)
		return false;
	probing = false;
	tf->tf_elr = (uint64_t)probe_failed;
	tf->tf_spsr &= ~SPSR_BTYPE;
	return true;
}

void
trap_kernel_sync(struct trapframe *tf)
{
	if (probe_recover(tf))
		return;
	if (is_abort(tf->tf_esr) && fixup(tf))
		return;
	die(tf, esr_name(tf->tf_esr));
}

void
trap_kernel_bad(struct trapframe *tf, unsigned vector)
{
	static const char *const what[] = {
		"synchronous exception", "IRQ", "FIQ", "SError"
	};

	die(tf, what[vector & 3]);
}

void
trap_overflow(struct trapframe *tf)
{
	die(tf, "kernel stack overflow");
}

void
trap_kernel_irq(struct trapframe *tf)
{
	(void)tf;
	intr_dispatch();
}

void
trap_user_irq(struct trapframe *tf)
{
	(void)tf;
	intr_dispatch();
	/* Programs are preempted here, where no kernel state is open. */
	__asm__ volatile("msr daifclr, #2" : : : "memory");
	thread_yield();
}

void
trap_user_sync(struct trapframe *tf)
{
	__asm__ volatile("msr daifclr, #2" : : : "memory");
	if (ESR_EC(tf->tf_esr) == ESR_EC_SVC64)
		user_syscall(tf);
	else
		user_fault(tf);
}

void
cpu_enter_user(uint64_t pc, uint64_t sp, uint64_t x0)
{
	struct trapframe tf;

	memset(&tf, 0, sizeof(tf));
	tf.tf_elr = pc;
	tf.tf_sp = sp;
	tf.tf_x[0] = x0;
	trap_return_user(&tf, thread_stack_top());
}
