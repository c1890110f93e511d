/* SPDX-License-Identifier: ISC */
#ifndef EFI_LOG_H
#define EFI_LOG_H

#include <stddef.h>

struct machine;

/*
 * efi_log - what was found, as text for a file on the disk that we came from
 *
 * On a Mac there is no serial port, and firmware's console need not reach the
 * window: until the kernel drives a console, a file is all that a guest can
 * leave behind.
 *
 * Returns the number of bytes written to buf, at most len. What doesn't fit is
 * left out.
 */
size_t	efi_log(const struct machine *, char *buf, size_t len);

#endif
