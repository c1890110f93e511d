/* SPDX-License-Identifier: ISC */
/*
 * How far the guest came, kept on the disk that it was started from.
 *
 * The file is paravane.log beside the EFI application, on an EFI system
 * partition, if somebody has put one there. It has
 *
 *   line 1	the last stage that was reached: of the application,
 *		"firmware: ...", then of the kernel, "kernel: ", with the last
 *		line of its log; PROGRESS_LINE bytes, with CR and LF
 *   then	what the application found of the machine, up to PROGRESS_KERNEL
 *   then	the kernel's log, until the file is full
 *
 * The application makes it at least PROGRESS_FILE long, so that the kernel
 * allocates nothing: as soon as the disk runs it writes the file's own sectors,
 * past the file system, and flushes after each write. What was said last before
 * a hang is there, up to a tenth of a second before it. Not written where the
 * kernel was not started by EFI, or the file is not the one that was written in
 * this start.
 */
#ifndef GUEST_PROGRESS_H
#define GUEST_PROGRESS_H

#define PROGRESS_PATH	"/EFI/BOOT/paravane.log"
#define PROGRESS_LEFT	"firmware: left, the kernel takes over"
#define PROGRESS_FILE	65536u
#define PROGRESS_KERNEL	8192u
#define PROGRESS_LINE	80u

/* progress_settle - what the log has now is on the disk; bounded; threads */
void	progress_settle(void);

#endif
