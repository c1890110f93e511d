/* SPDX-License-Identifier: ISC */
/*
 * Exceptions, the way to EL0, and the switch of threads. The frame is struct
 * trapframe. Every kernel stack lies in the upper 32 KiB of a 64 KiB slot, so
 * bit 15 of SP is set unless the stack has overflowed.
 */
#include "asm.h"

#define TF_SIZE		288
#define TF_LR		240
#define TF_SP		248
#define TF_ELR		256
#define TF_SPSR		264
#define TF_ESR		272
#define TF_FAR		280

	.text

	.macro	save_regs
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	.endm

	/* What the frame needs beyond x0-x29; x1 is the interrupted SP. */
	.macro	save_state
	stp	x30, x1, [sp, #TF_LR]
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	stp	x2, x3, [sp, #TF_ELR]
	mrs	x4, esr_el1
	mrs	x5, far_el1
	stp	x4, x5, [sp, #TF_ESR]
	.endm

	.macro	restore_regs
	ldp	x2, x3, [sp, #TF_ELR]
	msr	elr_el1, x2
	msr	spsr_el1, x3
	ldp	x0, x1, [sp, #0]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #TF_LR]
	.endm

	.macro	vector name
	.balign	128
	sub	sp, sp, #TF_SIZE
	b	\name
	.endm

	/* From EL1: is there room? SP is swapped with x0 to look at a bit. */
	.macro	vector_el1 name
	.balign	128
	sub	sp, sp, #TF_SIZE
	add	sp, sp, x0
	sub	x0, sp, x0
	tbz	x0, #15, 1f
	sub	x0, sp, x0
	sub	sp, sp, x0
	b	\name
1:	b	overflow
	.endm

	.macro	vector_bad number
	.balign	128
	sub	sp, sp, #TF_SIZE
	save_regs
	mov	x20, #\number
	b	enter_bad
	.endm

	/* Placed where its alignment costs nothing. */
	.section .vectors, "ax"
	.balign	2048
	.globl	vectors
vectors:
	vector_bad 0			/* EL1 on SP_EL0: never used */
	vector_bad 1
	vector_bad 2
	vector_bad 3
	vector_el1 enter_el1_sync
	vector_el1 enter_el1_irq
	vector_bad 6
	vector_bad 7
	vector	enter_el0_sync
	vector	enter_el0_irq
	vector_bad 10
	vector_bad 11
	vector_bad 12			/* AArch32 */
	vector_bad 13
	vector_bad 14
	vector_bad 15

	.text

	/*
	 * A frame record makes the backtrace go on through the exception:
	 * {interrupted x29, ELR}, below the frame.
	 */
	.macro	frame_record
	stp	x29, x2, [sp, #-16]!
	mov	x29, sp
	add	x0, sp, #16
	.endm

LOCAL(enter_el1_sync)
	save_regs
	add	x1, sp, #TF_SIZE
	save_state
	frame_record
	bl	trap_kernel_sync
	add	sp, sp, #16
	restore_regs
	add	sp, sp, #TF_SIZE
	eret
END(enter_el1_sync)

LOCAL(enter_el1_irq)
	save_regs
	add	x1, sp, #TF_SIZE
	save_state
	frame_record
	bl	trap_kernel_irq
	add	sp, sp, #16
	restore_regs
	add	sp, sp, #TF_SIZE
	eret
END(enter_el1_irq)

LOCAL(enter_bad)
	add	x1, sp, #TF_SIZE
	save_state
	frame_record
	mov	x1, x20
	bl	trap_kernel_bad
	b	.
END(enter_bad)

/*
 * No stack left: x0 is the SP that does not fit, SP is that plus the old x0.
 * Go on with what is set aside for this.
 */
LOCAL(overflow)
	msr	tpidrro_el0, x0
	sub	x0, sp, x0
	msr	tpidr_el0, x0		/* old x0 */
	mrs	x0, tpidr_el1
	cbz	x0, .			/* before CPUs have a struct */
	ldr	x0, [x0, #8]		/* c_emergency */
	sub	sp, x0, #TF_SIZE
	mrs	x0, tpidr_el0
	save_regs
	mrs	x1, tpidrro_el0
	add	x1, x1, #TF_SIZE
	save_state
	frame_record
	bl	trap_overflow
	b	.
END(overflow)

	/* The kernel's key is not EL0's: a program can't sign for us. */
	.macro	load_key offset
	mrs	x1, sctlr_el1
	tbz	x1, #31, 8f
	adrp	x1, pauth_keys
	add	x1, x1, :lo12:pauth_keys
	ldp	x2, x3, [x1, #\offset]
	msr	S3_0_C2_C1_0, x2
	msr	S3_0_C2_C1_1, x3
8:
	.endm

LOCAL(enter_el0_sync)
	save_regs
	load_key 0
	isb
	mrs	x1, sp_el0
	save_state
	mov	x29, xzr
	mov	x0, sp
	bl	trap_user_sync
	b	exit_el0
END(enter_el0_sync)

LOCAL(enter_el0_irq)
	save_regs
	load_key 0
	isb
	mrs	x1, sp_el0
	save_state
	mov	x29, xzr
	mov	x0, sp
	bl	trap_user_irq
	b	exit_el0
END(enter_el0_irq)

LOCAL(exit_el0)
	msr	daifset, #2
	load_key 16
	ldr	x1, [sp, #TF_SP]
	msr	sp_el0, x1
	restore_regs
	add	sp, sp, #TF_SIZE
	eret
END(exit_el0)

/*
 * trap_return_user(struct trapframe *, vaddr_t stack_top) - to EL0 with what
 * the frame holds; the kernel stack is empty from then on.
 */
ENTRY(trap_return_user)
	msr	daifset, #2
	/* From the end: the frame may lie on the same stack, partly above. */
	add	x0, x0, #TF_SIZE
	mov	x3, #(TF_SIZE / 16)
1:	ldp	x4, x5, [x0, #-16]!
	stp	x4, x5, [x1, #-16]!
	subs	x3, x3, #1
	b.ne	1b
	mov	sp, x1
	b	exit_el0
END(trap_return_user)

/*
 * thread_switch(struct context *from, struct context *to) - what a call
 * preserves, on the old thread's stack; ctx_sp is all that a context holds.
 */
ENTRY(thread_switch)
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	mov	x2, sp
	str	x2, [x0]
	ldr	x2, [x1]
	mov	sp, x2
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret
END(thread_switch)

/* Where a new thread begins: x19 is its function, x20 the argument. */
ENTRY(thread_begin)
	mov	x29, xzr
	mov	x30, xzr
	bl	thread_begin_c
	mov	x0, x20
	blr	x19
	bl	thread_exit
	b	.
END(thread_begin)

/* int probe_call(void (*fn)(void)): see cpuvar.h. */
ENTRY(probe_call)
	stp	x29, x30, [sp, #-16]!
	adrp	x9, probing
	add	x9, x9, :lo12:probing
	mov	w10, #1
	strb	w10, [x9]
	blr	x0
	mov	w0, wzr
	b	1f
	.globl	probe_failed
probe_failed:
	BTI_J
	mov	w0, #14			/* EFAULT */
1:	adrp	x9, probing
	add	x9, x9, :lo12:probing
	strb	wzr, [x9]
	ldp	x29, x30, [sp], #16
	ret
END(probe_call)

/* Returns to an address whose signature was damaged. */
ENTRY(probe_forged_return)
	hint	#25			/* paciasp */
	eor	x30, x30, #(1 << 53)
	hint	#29			/* autiasp */
	ret
END(probe_forged_return)

/* With and without a landing pad. */
ENTRY(probe_landing)
	nop
	ret
END(probe_landing)
