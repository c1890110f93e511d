/* SPDX-License-Identifier: ISC */
/* QEMU enters an ELF file at EL1, with the MMU off. */
	.section .text.start, "ax"
	.globl	_start
_start:
	adrp	x0, stack_top
	mov	sp, x0
	bl	main
	ldr	x0, =0x84000008		/* PSCI: SYSTEM_OFF */
	hvc	#0
1:	wfi
	b	1b
