/* SPDX-License-Identifier: ISC */
/* What the files of guest/cpu share. */
#ifndef GUEST_CPU_CPUVAR_H
#define GUEST_CPU_CPUVAR_H

#include "mtypes.h"
#include "cpu.h"

#define KSTACK_SIZE	32768ul		/* upper half of a 64 KiB slot */
#define KSTACK_SLOT	65536ul

/* TPIDR_EL1 points at it. boot.S and vectors.S know the first two. */
struct cpu {
	vaddr_t		c_stack;	/* its top, for a CPU that starts */
	vaddr_t		c_emergency;	/* top of the overflow stack */
	unsigned	c_index;
	uint64_t	c_mpidr;
	volatile bool	c_online;
	volatile bool	c_stop;
	volatile unsigned c_intr_depth;
	uint64_t	c_ticks;
	uint64_t	c_next_tick;
	/* cpu_call */
	void		(*c_call_fn)(void *);
	void		*c_call_arg;
	volatile uint32_t c_call_asked;
	volatile uint32_t c_call_done;
};

extern struct cpu cpus[MAXCPUS];

static inline struct cpu *
curcpu(void)
{
	struct cpu *c;

	__asm__ volatile("mrs %0, tpidr_el1" : "=r"(c));
	return c;
}

#define sysreg_read(name) __extension__ ({				\
	uint64_t sysreg_v;						\
	__asm__ volatile("mrs %0, " name : "=r"(sysreg_v));		\
	sysreg_v;							\
})
#define sysreg_write(name, v)						\
	__asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(v)) : "memory")
#define isb()		__asm__ volatile("isb" : : : "memory")
#define dsb(what)	__asm__ volatile("dsb " #what : : : "memory")
#define dmb(what)	__asm__ volatile("dmb " #what : : : "memory")

/* boot.S */
extern char boot_guard[], boot_stack[], boot_stack_top[];
extern uint64_t kernel_l0[], empty_l0[];
void boot_secondary(void);
void boot_main(paddr_t dtb, paddr_t image, unsigned entry_el, unsigned efi);
void cpu_secondary(struct cpu *);

/* vectors.S calls these; tf is on the stack in use. */
void trap_kernel_sync(struct trapframe *);
void trap_kernel_irq(struct trapframe *);
void trap_kernel_bad(struct trapframe *, unsigned vector);
void trap_user_sync(struct trapframe *);
void trap_user_irq(struct trapframe *);
void trap_overflow(struct trapframe *);
extern char vectors[];

/*
 * Call fn, whose first instruction or whose return may be refused: 0, or
 * EFAULT if that took an exception. For tests, CPU 0 only.
 */
int probe_call(void (*fn)(void));
extern volatile bool probing;

/* vm.c */
void vm_init_early(paddr_t image);
void *vm_fixmap(paddr_t, size_t len);
void vm_init(void);
vaddr_t vm_stack_alloc(void);		/* the base; 0: ENOMEM */
void vm_stack_free(vaddr_t);
bool vm_stack_holds(vaddr_t fp);
bool vm_user_range(uint64_t addr, size_t len);

/* cpu.c */
void cpu_init(unsigned entry_el);
/* Where CPU 0 goes on when a stack has overflowed; after vm_init. */
void cpu_init_emergency(void);

/* intr.c, called with interrupts masked */
void intr_dispatch(void);
/* On CPU 0, before c is started. ENXIO: the GIC does not know it. */
int intr_prepare_cpu(struct cpu *c);

/* timer.c */
void time_check(void);
/* When idle, interrupts off: false, or true where a wait would not end. */
bool time_idle(void);
void time_wake_at(uint64_t ns);		/* CPU 0: no later than this */

/* task.c */
void task_loop(unsigned cpu) __attribute__((noreturn));

/* thread.c */
void thread_timeouts(void);		/* from the timer */
void thread_check_events(void);		/* from SGI 0 */
vaddr_t thread_stack_top(void);

#endif
