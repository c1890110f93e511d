/* SPDX-License-Identifier: ISC */

/*
 * What picolibc's own build would have written: its configuration. No files, no locales, no
 * threads; errno is one variable; formatted output knows long long and C99's length modifiers.
 */
#ifndef PARAVANE_PICOLIBC_H
#define PARAVANE_PICOLIBC_H

#define __PICOLIBC__		1
#define __PICOLIBC_MINOR__	8
#define __PICOLIBC_PATCHLEVEL__	0
#define __PICOLIBC_VERSION__	"1.8"
#define _NEWLIB_VERSION		"4.3.0"
#define __NEWLIB__		4
#define __NEWLIB_MINOR__	3
#define __NEWLIB_PATCHLEVEL__	0

#define __TINY_STDIO
#define __GLOBAL_ERRNO
#define __SINGLE_THREAD
#define __SINGLE_THREAD__
#define __IO_LONG_LONG
#define __IO_C99_FORMATS
#define __IO_DEFAULT		'i'
#define _WANT_IO_LONG_LONG
#define _WANT_IO_C99_FORMATS
#define _HAVE_ALIAS_ATTRIBUTE
#define __HAVE_BITFIELDS_IN_PACKED_STRUCTS
#define __HAVE_CC_INHIBIT_LOOP_TO_LIBCALL
#define _HAVE_CC_INHIBIT_LOOP_TO_LIBCALL
#define __ELIX_LEVEL		0
#define _ELIX_LEVEL		0

#endif
