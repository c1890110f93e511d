/* SPDX-License-Identifier: ISC */

/* A program begins with SP at argc, argv[] above it: see ../../process.c. */

#include "../../abi.h"

	.text
	.globl	_start
	.type	_start, %function
_start:
	bti	c
	mov	x29, #0
	mov	x30, #0
	ldr	x0, [sp]
	add	x1, sp, #8
	bl	main
	mov	x8, #SYS_exit
	svc	#0
	udf	#0
	.size	_start, . - _start

	.section .note.GNU-stack, "", %progbits
