/* SPDX-License-Identifier: ISC */
/*
 * doorbell.pml over a packed ring of two descriptors: there is no index, but the
 * flags of each descriptor show it, and the first of a batch is shown last, so
 * that one barrier does for all. A descriptor's position and the wrap counter
 * that belongs to it are one number here, modulo twice the ring; flags as they
 * show a descriptor available differ from one round to the next.
 */
#include "memory.pml"

#define CHAINS	5
#define SIZE	2
#define MOD	4

#define ENABLE	0
#define DISABLE	1
#define DESC	2

SHARED(flags0);			/* 0: not yet; 1, 2: by the wrap counter */
SHARED(flags1);
SHARED(body0);
SHARED(body1);
SHARED(event_flags);		/* the device's */
SHARED(event_off);

bool doorbell;
byte taken;			/* by the device, of all */

active proctype driver_buffer()
{
end:	do
	DRAIN(flags0)
	DRAIN(flags1)
	DRAIN(body0)
	DRAIN(body1)
	od
}

active proctype device_buffer()
{
end:	do
	DRAIN(event_flags)
	DRAIN(event_off)
	od
}

#define driver_quiet	(!flags0_held && !flags1_held && !body0_held && \
	!body1_held)
#define device_quiet	(!event_flags_held && !event_off_held)

#define WRAP(n)		(1 + ((n) / SIZE) % 2)
#define FLAGS(n)	((n) % SIZE == 0 -> flags0 : flags1)
#define NEED_EVENT(event, new, old) \
	((new - event - 1 + 2 * MOD) % MOD < (new - old + MOD) % MOD)

inline mark(n)
{
	if
	:: n % SIZE == 0 -> STORE(flags0, WRAP(n))
	:: else -> STORE(flags1, WRAP(n))
	fi
}

/* The flags of all but the first; those wait for packed_publish. */
inline packed_enqueue()
{
	if
	:: posted % SIZE == 0 -> STORE(body0, posted + 1)
	:: else -> STORE(body1, posted + 1)
	fi;
	if
	:: posted != published -> mark(posted)
	:: else
	fi;
	posted++
}

inline packed_wants_notify()
{
	flags = event_flags;
	if
	:: flags == DESC ->
		event = event_off;
		wants = NEED_EVENT(event, (posted % MOD), (published % MOD))
	:: else -> wants = (flags == ENABLE)
	fi
}

inline packed_publish()
{
#ifndef NO_WMB
	driver_quiet;			/* pv_barrier_publish */
#endif
	mark(published);
#ifndef NO_MB_PUBLISH
	driver_quiet;			/* pv_barrier_check */
#endif
	packed_wants_notify();
	published = posted;
	if
	:: wants -> doorbell = true	/* to_notify */
	:: else
	fi
}

active proctype driver()
{
	byte posted, published, flags, event;
	bool wants;

	do
	:: posted < CHAINS ->
		posted - taken < SIZE;	/* pv_virtq_enqueue: room */
		packed_enqueue();
		if
		:: posted < CHAINS && posted - taken < SIZE -> packed_enqueue()
		:: true
		fi;
		packed_publish()
	:: else -> break
	od;
	event = 0; wants = false; flags = 0
}

inline device_take()
{
	content = (taken % SIZE == 0 -> body0 : body1);
	assert(content == taken + 1);	/* never older than the flags */
	content = 0;
	taken++
}

active proctype device()
{
	byte content;

	/* Fresh from DRIVER_OK: doorbells are wanted. */
asleep:
end:	atomic { doorbell -> doorbell = false };
	STORE(event_flags, DISABLE);
awake:	do
	:: FLAGS(taken) == WRAP(taken) -> device_take()
	:: else -> break
	od;
#ifdef EVENT_IDX
	STORE(event_off, taken % MOD);
	STORE(event_flags, DESC);
#else
	STORE(event_flags, ENABLE);
#endif
#ifndef NO_MB_SLEEP
	device_quiet;
#endif
#ifndef NO_RECHECK
	if
	:: FLAGS(taken) == WRAP(taken) ->
		STORE(event_flags, DISABLE);
		goto awake
	:: else
	fi;
#endif
	goto asleep
}

/* Nothing can move any more. */
active proctype end_of_all()
{
end:	timeout -> assert(taken == CHAINS)
}
