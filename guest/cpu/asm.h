/* SPDX-License-Identifier: ISC */
/* For assembly files: functions with landing pads, and the GNU property. */
#ifndef GUEST_CPU_ASM_H
#define GUEST_CPU_ASM_H

#define BTI_C	hint	#34
#define BTI_J	hint	#36

#define ENTRY(name)							\
	.globl	name;							\
	.type	name, %function;					\
	.balign	4;							\
name:	BTI_C

/* A label that is only branched to directly. */
#define LOCAL(name)							\
	.type	name, %function;					\
	.balign	4;							\
name:

#define END(name)							\
	.size	name, . - name

/* What says that every indirect target here has a landing pad. */
	.pushsection .note.gnu.property, "a"
	.balign	8
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000000, 4, 3, 0
	.popsection

/* Address of a symbol of the image, wherever that runs. */
	.macro	addr reg, sym
	adrp	\reg, \sym
	add	\reg, \reg, :lo12:\sym
	.endm

#endif
