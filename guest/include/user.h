/* SPDX-License-Identifier: ISC */
/*
 * Programs at EL0: static ELF files that are part of the image, each in an
 * address space of its own, preempted by the timer. What a program may ask
 * for is in guest/user/prog/sys.h. A program that makes an access which it
 * may not is killed; the guest goes on.
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include "mtypes.h"

struct pv_gpu;

/*
 * The display. A program that opens it has it for itself until it ends: the
 * text console goes on taking text, and leaves the pixels alone.
 *
 * user_display_attach	There is a display; beside fbcon_attach. The first one
 *			is what programs get. Threads only.
 * user_display_detach	It goes: programs that have it lose their mappings.
 * user_display_revoke	From gc_revoke: mappings of this generation are
 *			replaced by a page of scratch memory, then
 *			pv_gpu_revoked is called. Threads only.
 * user_display_changed	A call of pv_gpu_changed returned 1: tells the program.
 * user_display_taken	Whether a program has it: do not draw. Any context.
 *
 * When a program gives it back, fbcon_repaint is called.
 */
void user_display_attach(struct pv_gpu *);
void user_display_detach(struct pv_gpu *);
void user_display_revoke(struct pv_gpu *, unsigned int generation);
void user_display_changed(struct pv_gpu *);
bool user_display_taken(const struct pv_gpu *);

/*
 * user_exec - run a program and wait for its end
 *
 * argv[0] is its name, argv[argc] NULL. Ctrl-C kills it. *status becomes what
 * it gave to exit(), or 128 + USER_KILLED_* if it was killed. ENOENT: no such
 * program; ENOEXEC: it is no ELF file that we take; E2BIG: too many arguments;
 * ENOMEM. Threads only, not programs.
 */
int user_exec(int argc, char *const argv[], int *status);

#define USER_KILLED_FAULT	1	/* a bad access */
#define USER_KILLED_ILLEGAL	2	/* a bad instruction */
#define USER_KILLED_INTR	3	/* Ctrl-C */

/* The programs that there are; NULL after the last. */
const char *user_program_name(unsigned int);

#endif
