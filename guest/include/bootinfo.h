/* SPDX-License-Identifier: ISC */
/*
 * How the machine is handed to the kernel.
 *
 * There are two ways in, and one common path behind them:
 *
 *   _start	The arm64 Image protocol: x0 = physical address of the device
 *		tree, MMU and data cache off, EL1 or EL2.  The kernel maps the
 *		tree for a moment, calls machine_from_fdt() and needs it no more.
 *   boot_enter	From the EFI application, after ExitBootServices, with the
 *		firmware's identity map and caches still on.  By then
 *		`machine` (machine.h) is filled, m_efi set; that is all that is
 *		handed over.
 *
 * The EFI application is part of the image.  Everything is linked at
 * KERNBASE and runs there only once the kernel's own MMU is on; before, it
 * runs at the address where it was loaded.  So what is called by the EFI
 * application reaches its own functions and data PC-relative (the compiler
 * does) and must not use initialised pointers (tables of function pointers
 * or of strings).
 *
 * Linker symbols (guest/boot/guest.ld), each at a page boundary:
 *   _image_start, _text_end (= _data_start), _data_end, _image_end.
 * Code and constants lie in the first part, all that is written in the second;
 * the file ends in the last page before _data_end, memory up to _image_end is
 * cleared by
 * the kernel.  The PE header, symbol pe_header, is in section .head.pe and lies
 * within the first page, behind the Image header.  Absolute symbols for its
 * fields: _pe_text_offset, _pe_text_size, _pe_data_offset, _pe_data_filesz,
 * _pe_data_memsz, _pe_image_size, and _pe_entry, the offset of the symbol
 * efi_entry from _image_start (0 as long as there is none).
 *
 * An EFI application's .bss may hold what it likes while it runs: the kernel
 * clears it again after boot_enter; .data and .bss.keep (which is where
 * `machine` is) are kept.
 */
#ifndef GUEST_BOOTINFO_H
#define GUEST_BOOTINFO_H

#include "mtypes.h"

/*
 * boot_enter - leave the firmware's world and start the kernel
 *
 * Boot services are over; interrupts may be on.  Cleans the image to the
 * point of coherency, turns the MMU off and goes on as _start does.
 */
void boot_enter(void) __attribute__((noreturn));

/* For C code before the MMU: the physical address of the image's start. */
extern char _image_start[], _text_end[], _data_start[], _data_end[],
    _image_end[];

#endif
