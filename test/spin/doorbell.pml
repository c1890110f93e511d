/* SPDX-License-Identifier: ISC */
/*
 * The doorbell that must not be lost: lib/core/virtq_split.c, split_publish and
 * split_wants_notify, against a device that goes to sleep.
 *
 * The driver makes CHAINS chains available, one or two at a time, in a ring of
 * two entries. EVENT_IDX: the device says in avail_event at which index it wants
 * to hear; otherwise it turns doorbells off by a flag while it works.
 *
 * Found must be: every chain is taken, with its right content; a device that
 * sleeps while something is available, with no doorbell on its way, is the
 * lost wake-up.
 */
#include "memory.pml"

#define CHAINS	4
#define SIZE	2
#define MOD	8		/* indices wrap, as 16-bit ones do */

SHARED(avail_idx);
SHARED(ring0);
SHARED(ring1);
SHARED(avail_event);		/* the device's */
SHARED(no_notify);

bool doorbell;
byte taken;			/* by the device, of all */

active proctype driver_buffer()
{
end:	do
	DRAIN(avail_idx)
	DRAIN(ring0)
	DRAIN(ring1)
	od
}

active proctype device_buffer()
{
end:	do
	DRAIN(avail_event)
	DRAIN(no_notify)
	od
}

#define driver_quiet	(!avail_idx_held && !ring0_held && !ring1_held)
#define device_quiet	(!avail_event_held && !no_notify_held)

inline split_enqueue()
{
	if
	:: posted % SIZE == 0 -> STORE(ring0, posted + 1)
	:: else -> STORE(ring1, posted + 1)
	fi;
	posted++
}

/* The 16-bit comparison of the specification, here modulo 8. */
#define NEED_EVENT(event, new, old) \
	((new - event - 1 + 2 * MOD) % MOD < (new - old + MOD) % MOD)

inline split_wants_notify()
{
#ifdef EVENT_IDX
	event = avail_event;
	wants = NEED_EVENT(event, new, old)
#else
	wants = !no_notify
#endif
}

inline split_publish()
{
	old = published % MOD;
	new = posted % MOD;
#ifndef NO_WMB
	driver_quiet;			/* pv_barrier_publish */
#endif
	STORE(avail_idx, new);
	published = posted;
#ifndef NO_MB_PUBLISH
	driver_quiet;			/* pv_barrier_check */
#endif
	split_wants_notify();
	if
	:: wants -> doorbell = true	/* to_notify */
	:: else
	fi
}

active proctype driver()
{
	byte posted, published, old, new, event;
	bool wants;

	do
	:: posted < CHAINS ->
		posted - taken < SIZE;	/* pv_virtq_enqueue: room */
		split_enqueue();
		if
		:: posted < CHAINS && posted - taken < SIZE -> split_enqueue()
		:: true
		fi;
		split_publish()
	:: else -> break
	od;
	event = 0; wants = false; old = 0; new = 0
}

inline device_take()
{
	if
	:: taken % SIZE == 0 -> content = ring0
	:: else -> content = ring1
	fi;
	assert(content == taken + 1);	/* never older than the index */
	content = 0;
	taken++
}

active proctype device()
{
	byte idx, content;

	/* Fresh from DRIVER_OK: avail_event is 0, doorbells are wanted. */
asleep:
end:	atomic { doorbell -> doorbell = false };
#ifndef EVENT_IDX
	STORE(no_notify, 1);
#endif
awake:	idx = avail_idx;
	do
	:: taken % MOD != idx -> device_take()
	:: else -> break
	od;
#ifdef EVENT_IDX
	STORE(avail_event, idx);
#else
	STORE(no_notify, 0);
#endif
#ifndef NO_MB_SLEEP
	device_quiet;
#endif
#ifndef NO_RECHECK
	if
	:: avail_idx != taken % MOD ->
#ifndef EVENT_IDX
		STORE(no_notify, 1);
#endif
		goto awake
	:: else
	fi;
#endif
	idx = 0;
	goto asleep
}

/* Nothing can move any more. */
active proctype end_of_all()
{
end:	timeout -> assert(taken == CHAINS)
}
