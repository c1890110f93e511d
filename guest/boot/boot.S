/* SPDX-License-Identifier: ISC */
/*
 * From the loader to the first line of C: at most EL1, MMU off, tables of
 * the image, MMU on.  All of it runs where the image was loaded, so addresses
 * are PC-relative, and with the MMU off every access is Device: only plain
 * aligned loads and stores of general registers.
 *
 * What the CPU writes with its caches off goes past them; a line that some
 * earlier owner left, dirty or not, must be in no cache when the MMU comes
 * on.  So each such range is cleaned and invalidated before and invalidated
 * after.  (Emulators have no caches and forgive everything here.)
 */
#include "../cpu/asm.h"
#include "../cpu/pte.h"

#define SCTLR_OFF	0x30d00800	/* EL1: RES1 bits, all else off */
#define SCTLR2_OFF	0x30c50830	/* EL2, E2H 0 */
#define HCR_E2H		34

/* Image header (Linux, Documentation/arch/arm64/booting). */
	.section .head, "ax"
	.globl	_start
_start:
	add	x13, x18, #0x16		/* "MZ": for us a no-op */
	b	boot_image
	.quad	0			/* text offset: none is asked for */
	.quad	_image_size
	.quad	0xa			/* little endian, 4 KiB, any place */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	_pe_header_offset

	.section .text.boot, "ax"

/*
 * While EL2 is set up, an instruction that this CPU lacks is stepped over:
 * the vector at 0x200 (this EL, own stack, synchronous) does that.
 */
	.balign	2048
skip_vectors:
ENTRY(boot_enter)
	mov	x26, #1
	b	boot_common
LOCAL(boot_image)
	mov	x26, xzr
LOCAL(boot_common)
	msr	daifset, #15
	mov	x19, x0			/* device tree, unless by EFI (x26) */
	mov	x22, xzr		/* this is the first CPU */
	mrs	x20, CurrentEL
	lsr	x20, x20, #2		/* entry level, kept to the end */

	cmp	x20, #2
	b.eq	1f
	mrs	x1, sctlr_el1
	b	2f
1:	mrs	x1, sctlr_el2
2:	mov	x2, #5			/* MMU or data cache on? */
	tst	x1, x2
	b.eq	boot_caches_off
	addr	x0, _image_start
	addr	x1, _image_end
	bl	range_civac
	cmp	x20, #2
	b.eq	boot_caches_off
	/* At EL1 the store below turns them off; forget what was mapped. */
	ldr	w1, =SCTLR_OFF
	msr	sctlr_el1, x1
	isb
	tlbi	vmalle1
	dsb	nsh
	b	boot_caches_off

	/* The vector. x30 is free: nothing is called while it is in use. */
	.org	skip_vectors + 0x200
	mrs	x30, elr_el2
	add	x30, x30, #4
	msr	elr_el2, x30
	eret

LOCAL(boot_caches_off)
	adr	x23, 3f
	b	drop_to_el1
3:
	ic	iallu
	dsb	nsh
	isb
	bl	build_tables
	addr	x2, boot_stack_top
	b	enable_mmu

/*
 * A CPU that PSCI started: x0 is the kernel's pointer to its struct cpu.
 */
ENTRY(boot_secondary)
	msr	daifset, #15
	mov	x22, x0
	mrs	x20, CurrentEL
	lsr	x20, x20, #2
	adr	x23, 4f
	b	drop_to_el1
4:	ic	iallu
	dsb	nsh
	isb
	b	enable_mmu

/*
 * Leave EL2, if we are there, for EL1 with the MMU off, and go on at x23.
 * Nothing of EL2 is wanted later: no trap, no virtual interrupts, no second
 * stage, no offset of the virtual counter.
 */
LOCAL(drop_to_el1)
	cmp	x20, #2
	b.eq	1f
	ldr	w1, =SCTLR_OFF
	msr	sctlr_el1, x1
	isb
	br	x23

1:	mrs	x1, hcr_el2
	tbnz	x1, #HCR_E2H, 2f
	ldr	w1, =SCTLR2_OFF
	msr	sctlr_el2, x1
	isb
	b	3f
2:	/* E2H: same bits as SCTLR_EL1. */
	ldr	w1, =SCTLR_OFF
	msr	sctlr_el2, x1
	isb
3:	tlbi	alle2
	tlbi	alle1
	dsb	nsh
	adrp	x1, skip_vectors
	add	x1, x1, :lo12:skip_vectors
	msr	vbar_el2, x1
	isb

	/*
	 * EL1 is AArch64; PAC keys and instructions (API, APK) don't trap; HVC
	 * is undefined (HCD), as nothing of ours stays here to take it.
	 */
	mov	x1, #(1 << 31)
	orr	x1, x1, #(1 << 29)
	orr	x1, x1, #(3 << 40)
	msr	hcr_el2, x1
	isb
	ldr	w2, =SCTLR_OFF
	mrs	x1, hcr_el2
	tbnz	x1, #HCR_E2H, 4f

	msr	sctlr_el1, x2
	mov	x1, #3			/* EL1 has counter and timer */
	msr	cnthctl_el2, x1
	mov	x1, #0x33ff		/* no traps but of SVE */
	msr	cptr_el2, x1
	b	5f
4:	/* A CPU on which E2H can't be cleared. */
	msr	S3_5_C1_C0_0, x2	/* SCTLR_EL12 */
	mov	x1, #(3 << 10)
	msr	cnthctl_el2, x1
	mov	x1, #(3 << 20)
	msr	cptr_el2, x1
5:
	msr	cntvoff_el2, xzr
	msr	hstr_el2, xzr
	msr	vttbr_el2, xzr
	mrs	x1, midr_el1
	msr	vpidr_el2, x1
	mrs	x1, mpidr_el1
	msr	vmpidr_el2, x1

	/* All event counters, where there are any, belong to EL1. */
	mrs	x1, id_aa64dfr0_el1
	ubfx	x1, x1, #8, #4
	cbz	x1, 6f
	cmp	x1, #15
	b.eq	6f
	mrs	x1, pmcr_el0
	ubfx	x1, x1, #11, #5
	msr	mdcr_el2, x1
6:
	/*
	 * What not every CPU has. The interrupt controller's system
	 * registers are not announced reliably, so they are tried.
	 */
	mov	x2, xzr
	mrs	x2, S3_4_C12_C9_5	/* ICC_SRE_EL2 */
	orr	x2, x2, #1		/* SRE, and EL1 may use its own */
	orr	x2, x2, #8
	msr	S3_4_C12_C9_5, x2
	isb
	mov	x2, xzr
	mrs	x2, S3_4_C12_C9_5
	tbz	x2, #0, 7f
	msr	S3_4_C12_C11_0, xzr	/* ICH_HCR_EL2 */
7:	mrs	x1, id_aa64mmfr0_el1
	ubfx	x1, x1, #56, #4		/* fine-grained traps */
	cbz	x1, 8f
	msr	S3_4_C1_C1_4, xzr	/* HFGRTR_EL2 */
	msr	S3_4_C1_C1_5, xzr	/* HFGWTR_EL2 */
	msr	S3_4_C1_C1_6, xzr	/* HFGITR_EL2 */
	msr	S3_4_C3_C1_4, xzr	/* HDFGRTR_EL2 */
	msr	S3_4_C3_C1_5, xzr	/* HDFGWTR_EL2 */
8:	mrs	x1, id_aa64mmfr1_el1
	ubfx	x1, x1, #40, #4
	cbz	x1, 9f
	msr	S3_4_C1_C2_2, xzr	/* HCRX_EL2 */
9:

	mov	x1, #0x3c5		/* EL1h, all masked */
	msr	spsr_el2, x1
	msr	elr_el2, x23
	isb
	eret
END(drop_to_el1)
	.ltorg

/*
 * Clean and invalidate [x0, x1) to the point of coherency. Uses x2-x4.
 */
LOCAL(range_civac)
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4
	mov	x3, #4
	lsl	x3, x3, x2		/* smallest data line */
	sub	x4, x3, #1
	bic	x0, x0, x4
1:	dc	civac, x0
	add	x0, x0, x3
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret

/* Likewise without writing anything back. */
LOCAL(range_ivac)
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4
	mov	x3, #4
	lsl	x3, x3, x2
1:	dc	ivac, x0
	add	x0, x0, x3
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret

/*
 * Fill the tables: the image at KERNBASE, by what its parts are, and the
 * page with the switch where it is.
 */
LOCAL(build_tables)
	mov	x29, x30
	addr	x0, boot_tables
	addr	x1, boot_tables_end
	bl	range_civac
	addr	x0, boot_tables
	addr	x1, boot_tables_end
1:	stp	xzr, xzr, [x0]
	add	x0, x0, #16
	cmp	x0, x1
	b.lo	1b

	mov	x5, #(PTE_VALID | PTE_TABLE)
	addr	x0, kernel_l0
	addr	x1, kernel_l1
	orr	x2, x1, x5
	str	x2, [x0, #(511 * 8)]
	addr	x3, kernel_l2
	orr	x2, x3, x5
	str	x2, [x1, #(510 * 8)]
	addr	x0, kernel_l3
	mov	x4, #BOOT_L3_TABLES
	mov	x1, x3
2:	orr	x2, x0, x5
	str	x2, [x1], #8
	add	x0, x0, #4096
	subs	x4, x4, #1
	b.ne	2b

	/* Code (and the header page): read-only, executable at EL1. */
	mov	x6, #(PTE_VALID | PTE_TABLE | PTE_SH_INNER | PTE_AF)
	orr	x6, x6, #(1 << PTE_UXN_BIT)
	orr	x5, x6, #PTE_AP_RO
	mrs	x0, id_aa64pfr1_el1
	tst	x0, #15
	b.eq	3f
	orr	x5, x5, #(1 << PTE_GP_BIT)
3:	addr	x0, _image_start
	addr	x1, _rodata_start
	bl	map_image

	orr	x6, x6, #(1 << PTE_PXN_BIT)
	orr	x5, x6, #PTE_AP_RO
	addr	x0, _rodata_start
	addr	x1, _data_start
	bl	map_image

	mov	x5, x6
	addr	x0, _data_start
	addr	x1, _image_end
	bl	map_image

	/* The identity of one page, in TTBR0. */
	adrp	x0, mmu_switch
	mov	x5, #(PTE_VALID | PTE_TABLE)
	addr	x1, id_l0
	addr	x2, id_l1
	ubfx	x3, x0, #39, #9
	orr	x4, x2, x5
	str	x4, [x1, x3, lsl #3]
	addr	x1, id_l2
	ubfx	x3, x0, #30, #9
	orr	x4, x1, x5
	str	x4, [x2, x3, lsl #3]
	addr	x2, id_l3
	ubfx	x3, x0, #21, #9
	orr	x4, x2, x5
	str	x4, [x1, x3, lsl #3]
	mov	x5, #(PTE_VALID | PTE_TABLE | PTE_SH_INNER | PTE_AF | \
	    PTE_AP_RO)
	orr	x5, x5, #(1 << PTE_UXN_BIT)
	ubfx	x3, x0, #12, #9
	orr	x4, x0, x5
	str	x4, [x2, x3, lsl #3]

	dsb	sy
	addr	x0, boot_tables
	addr	x1, boot_tables_end
	bl	range_ivac
	ret	x29

/* Map [x0, x1) of the image with the bits in x5. Uses x2-x4. */
LOCAL(map_image)
	addr	x2, kernel_l3
	addr	x3, _image_start
	sub	x3, x0, x3
	add	x2, x2, x3, lsr #9	/* 8 bytes for each 4096 */
1:	cmp	x0, x1
	b.hs	2f
	orr	x4, x0, x5
	str	x4, [x2], #8
	add	x0, x0, #4096
	b	1b
2:	ret

/*
 * Program the translation registers and turn the MMU on. x19 device tree,
 * x20 entry level, x22 struct cpu or 0; goes on at cpu_high.
 */
LOCAL(enable_mmu)
	msr	cpacr_el1, xzr		/* no FP anywhere */
	mov	x0, #(1 << 12)
	msr	mdscr_el1, x0		/* EL0 debug channel traps */
	ldr	x0, =MAIR_VALUE
	msr	mair_el1, x0

	/*
	 * TCR: 48 bits and 4 KiB for both halves, walks write-back inner
	 * shareable, physical size as the CPU has it up to 48 bits, 16-bit
	 * ASIDs where there are.
	 */
	ldr	x1, =0xb5103510
	mrs	x2, id_aa64mmfr0_el1
	and	x3, x2, #15
	mov	x4, #5
	cmp	x3, x4
	csel	x3, x3, x4, lo
	orr	x1, x1, x3, lsl #32
	ubfx	x3, x2, #4, #4
	cmp	x3, #2
	b.ne	1f
	orr	x1, x1, #(1 << 36)
1:	mrs	x2, S3_0_C0_C7_2	/* ID_AA64MMFR2_EL1 */
	ubfx	x3, x2, #60, #4
	cbz	x3, 2f
	orr	x1, x1, #(1 << 56)	/* E0PD1: EL0 can't probe our half */
2:	msr	tcr_el1, x1

	adrp	x24, _image_start	/* physical, for later */
	adrp	x25, empty_l0
	addr	x0, id_l0
	msr	ttbr0_el1, x0
	addr	x0, kernel_l0
	msr	ttbr1_el1, x0
	isb
	tlbi	vmalle1
	dsb	nsh
	isb

	/* SCTLR: M C SA SA0 I DZE UCT nTWI nTWE, and what PAN needs. */
	ldr	w21, =(SCTLR_OFF | 0x5d01d)
	mrs	x2, id_aa64mmfr1_el1
	ubfx	x3, x2, #20, #4
	cbz	x3, 3f
	bic	x21, x21, #(1 << 23)	/* SPAN 0: set PAN at exceptions */
3:	ldr	x2, =cpu_high
	b	mmu_switch
	.ltorg

	/* Mapped at its own address: within one page. */
	.balign	64
LOCAL(mmu_switch)
	msr	sctlr_el1, x21
	isb
	br	x2
END(mmu_switch)

/*
 * In the kernel's half from here on. The first CPU clears .bss, which is
 * cached now, and goes to boot_main; others to cpu_secondary with their
 * own stack.
 */
LOCAL(cpu_high)
	BTI_J
	ldr	x0, =vectors
	msr	vbar_el1, x0
	/* Drop the identity: an empty table in its place. */
	msr	ttbr0_el1, x25
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	mov	x29, xzr
	mov	x30, xzr
	msr	spsel, #1
	cbnz	x22, 2f

	msr	tpidr_el1, xzr
	ldr	x0, =_bss_start
	ldr	x1, =_bss_end
1:	cmp	x0, x1
	b.hs	3f
	stp	xzr, xzr, [x0], #16
	b	1b
3:	ldr	x0, =boot_stack_top
	mov	sp, x0
	mov	x0, x24
	bl	pauth_choose_keys
	bl	pauth_load_keys
	mov	x0, x19
	mov	x1, x24
	mov	x2, x20
	mov	x3, x26
	bl	boot_main
	b	.

2:	ldr	x0, [x22]		/* c_stack, first in struct cpu */
	mov	sp, x0
	msr	tpidr_el1, x22
	bl	pauth_load_keys
	mov	x0, x22
	bl	cpu_secondary
	b	.
	.ltorg
END(cpu_high)

/*
 * Keys of pointer authentication: the kernel's and, behind it, that of EL0,
 * one for all CPUs and programs. Chosen at start from what varies there: RNDR
 * where it exists, else the counter and the place of the image, stirred.  (The
 * loader gave us no randomness.)
 */
LOCAL(pauth_choose_keys)
	ldr	x1, =pauth_keys
	mov	x4, #4
	mrs	x2, cntvct_el0
	eor	x2, x2, x0, ror #17
	eor	x2, x2, x19, ror #41
	mrs	x5, id_aa64isar0_el1
	ubfx	x5, x5, #60, #4
	ldr	x6, =0x9e3779b97f4a7c15
1:	cbz	x5, 2f
	mrs	x3, S3_3_C2_C4_0	/* RNDR */
	eor	x2, x2, x3
2:	add	x2, x2, x6
	eor	x3, x2, x2, lsr #30
	ldr	x7, =0xbf58476d1ce4e5b9
	mul	x3, x3, x7
	eor	x3, x3, x3, lsr #27
	ldr	x7, =0x94d049bb133111eb
	mul	x3, x3, x7
	eor	x3, x3, x3, lsr #31
	str	x3, [x1], #8
	subs	x4, x4, #1
	b.ne	1b
	ret

LOCAL(pauth_load_keys)
	mrs	x1, id_aa64isar1_el1
	ubfx	x1, x1, #4, #8		/* APA, API */
	mrs	x2, S3_0_C0_C6_2	/* ID_AA64ISAR2_EL1 */
	ubfx	x2, x2, #12, #4		/* APA3 */
	orr	x1, x1, x2
	cbz	x1, 1f
	ldr	x1, =pauth_keys
	ldr	x2, [x1]
	ldr	x3, [x1, #8]
	msr	S3_0_C2_C1_0, x2	/* APIAKeyLo_EL1 */
	msr	S3_0_C2_C1_1, x3	/* APIAKeyHi_EL1 */
	mrs	x1, sctlr_el1
	orr	x1, x1, #(1 << 31)	/* EnIA */
	msr	sctlr_el1, x1
	isb
1:	/* PAN from the start; exceptions set it from then on. */
	mrs	x1, id_aa64mmfr1_el1
	ubfx	x1, x1, #20, #4
	cbz	x1, 2f
	mov	x2, #(1 << 22)
	msr	S3_0_C4_C2_3, x2
2:	ret
	.ltorg

	.section .bss.pauth_keys, "aw", %nobits
	.globl	pauth_keys
	.balign	16
pauth_keys:
	.skip	32

/*
 * Not cleared with .bss. The start of this section is 64 KiB aligned: the
 * boot stack lies in the upper half of that block, as every kernel stack
 * does of its own (guest/cpu/vectors.S tests that bit).
 */
	.section .noinit, "aw", %nobits
	.globl	boot_tables, boot_tables_end, kernel_l0, boot_stack
	.globl	boot_stack_top, boot_guard, empty_l0
	.balign	65536
boot_tables:
kernel_l0:	.skip	4096
kernel_l1:	.skip	4096
kernel_l2:	.skip	4096
kernel_l3:	.skip	4096 * BOOT_L3_TABLES
empty_l0:	.skip	4096
id_l0:		.skip	4096
id_l1:		.skip	4096
id_l2:		.skip	4096
id_l3:		.skip	4096
boot_tables_end:
boot_guard:	.skip	4096		/* unmapped by vm_init */
boot_stack:	.skip	20480
boot_stack_top:
