/* SPDX-License-Identifier: ISC */
/*
 * Memory that two sides share, each behind a store buffer of its own.
 *
 * A store goes into the writer's buffer and reaches memory at any later moment,
 * in any order among different variables: what the weakest machine does that we
 * run on, and a device behind a bus as well. WMB waits until the buffer is
 * empty before later stores, which orders stores and no more; MB before later
 * loads too. A variable has one writer, so one pending value each is all that a
 * buffer must hold: a second store to it waits for the first.
 *
 * A build with NO_WMB, NO_MB_... or NO_RMB leaves that barrier out, as a mistake
 * would: the checker has to find it.
 */

#define SHARED(v)	byte v; byte v##_new; bool v##_held

#define STORE(v, x) \
	atomic { !v##_held -> v##_new = (x); v##_held = true }

/* One step of the buffer's own accord. */
#define DRAIN(v) \
	:: atomic { v##_held -> v = v##_new; v##_held = false; v##_new = 0 }
