/* SPDX-License-Identifier: ISC */
#ifndef EFI_PROGRESS_H
#define EFI_PROGRESS_H

#include <stddef.h>

#include "progress.h"

struct efi_file;
struct efi_system;

/*
 * How far we came, kept where it outlives us.
 *
 * On a Mac there is no serial port, and firmware's console need not reach the
 * window. So each stage is left in two places while firmware's services last:
 *
 *   the EFI variable ParavaneStage-38cd61d9-3757-42cd-938f-53caf408afb5,
 *   non-volatile, the stage as text;
 *   the file of progress.h.
 *
 * All of it is tried, and nothing waited for: what firmware refuses is left
 * out.
 */

/*
 * efi_progress_file - the file to use from now on; NULL: none
 *
 * Open for reading and writing; the caller closes it.
 */
void	efi_progress_file(struct efi_file *);

/* efi_progress - a stage is reached; text is one short line of ASCII */
void	efi_progress(struct efi_system *, const char *text);

/* efi_progress_log - what was found: len bytes behind the file's first line */
void	efi_progress_log(const char *text, size_t len);

#endif
