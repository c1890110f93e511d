/* SPDX-License-Identifier: ISC */
/*
 * Accesses that may fault. Each instruction that may has an entry in .extable:
 * {offset of the instruction, offset of where to go on}, both from the
 * entry's own words. User memory is touched by unprivileged loads and stores
 * alone, so that EL0's rights are what counts.
 */
#include "asm.h"

#define EFAULT	14
#define ENAMETOOLONG 91

	.macro	may_fault insn:vararg
9999:	\insn
	.pushsection .extable, "a"
	.balign	4
	.long	9999b - .
	.long	fault - .
	.popsection
	.endm

	.text

/* Both: x0 destination, x1 source, x2 length. */
ENTRY(user_read)
	cbz	x2, 3f
	orr	x3, x0, x1
	tst	x3, #7
	b.ne	2f
1:	cmp	x2, #8
	b.lo	2f
	may_fault ldtr x3, [x1]
	str	x3, [x0], #8
	add	x1, x1, #8
	subs	x2, x2, #8
	b.ne	1b
	b	3f
2:	cbz	x2, 3f
	may_fault ldtrb w3, [x1]
	strb	w3, [x0], #1
	add	x1, x1, #1
	sub	x2, x2, #1
	b	2b
3:	mov	x0, xzr
	ret
END(user_read)

ENTRY(user_write)
	cbz	x2, 3f
	orr	x3, x0, x1
	tst	x3, #7
	b.ne	2f
1:	cmp	x2, #8
	b.lo	2f
	ldr	x3, [x1], #8
	may_fault sttr x3, [x0]
	add	x0, x0, #8
	subs	x2, x2, #8
	b.ne	1b
	b	3f
2:	cbz	x2, 3f
	ldrb	w3, [x1], #1
	may_fault sttrb w3, [x0]
	add	x0, x0, #1
	sub	x2, x2, #1
	b	2b
3:	mov	x0, xzr
	ret
END(user_write)

/* x0 destination, x1 source, x2 room, x3 where to put the length. */
ENTRY(user_read_string)
	mov	x4, xzr
1:	cmp	x4, x2
	b.hs	3f
	may_fault ldtrb w5, [x1]
	strb	w5, [x0, x4]
	add	x1, x1, #1
	add	x4, x4, #1
	cbnz	w5, 1b
	mov	w0, #0
2:	str	x4, [x3]
	ret
3:	mov	w0, #ENAMETOOLONG
	b	2b
END(user_read_string)

ENTRY(vm_probe_read)
	may_fault ldr w2, [x0]
	str	w2, [x1]
	mov	w0, #0
	ret
END(vm_probe_read)

ENTRY(vm_probe_write)
	may_fault str w1, [x0]
	mov	w0, #0
	ret
END(vm_probe_write)

LOCAL(fault)
	mov	w0, #EFAULT
	ret
END(fault)
