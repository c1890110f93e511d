/* SPDX-License-Identifier: ISC */
/*
 * The image as a PE/COFF file (PE format specification, Microsoft), for UEFI's loader. The Image header's first bytes are "MZ"
 * and its last word tells where this is. Linked anywhere, the image is position-independent until its own MMU is on, so there
 * is nothing to relocate; characteristics leave "relocations stripped" unset, which would demand a fixed address.
 */
	.section .head.pe, "a"
	.balign	8
	.globl	pe_header
pe_header:
	.ascii	"PE\0\0"

	/* COFF header */
	.short	0xaa64			/* arm64 */
	.short	2			/* sections */
	.long	0			/* time */
	.long	0, 0			/* no symbols */
	.short	optional_end - optional
	.short	0x0206			/* executable, no line numbers, no debug */

optional:
	.short	0x020b			/* PE32+ */
	.byte	0, 0
	.long	_pe_text_size
	.long	_pe_data_filesz		/* initialised data */
	.long	0
	.reloc	., R_AARCH64_NONE, efi_entry	/* the linker would drop it */
	.long	_pe_entry
	.long	_pe_text_offset
	.quad	0			/* preferred address: none */
	.long	4096			/* alignment of sections in memory */
	.long	512			/* and in the file */
	.short	0, 0			/* operating system */
	.short	0, 0			/* image */
	.short	0, 0			/* subsystem */
	.long	0
	.long	_pe_image_size
	.long	_pe_text_offset		/* size of headers */
	.long	0			/* checksum: only for drivers */
	.short	10			/* EFI application */
	.short	0x0100			/* no execution of data */
	.quad	0, 0, 0, 0		/* stack and heap: firmware's */
	.long	0
	.long	6			/* data directories, all empty */
	.quad	0, 0, 0, 0, 0, 0
optional_end:

	.ascii	".text\0\0\0"
	.long	_pe_text_size
	.long	_pe_text_offset
	.long	_pe_text_size
	.long	_pe_text_offset		/* the file is as memory is */
	.long	0, 0
	.long	0
	.long	0x60000020		/* code, executable, readable */

	.ascii	".data\0\0\0"
	.long	_pe_data_memsz
	.long	_pe_data_offset
	.long	_pe_data_filesz
	.long	_pe_data_offset
	.long	0, 0
	.long	0
	.long	0xc0000040		/* initialised, readable, writable */
