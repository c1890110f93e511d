/* SPDX-License-Identifier: ISC */
/*
 * interrupt.pml over a packed ring of two descriptors. The device writes a used
 * one's id and length, and then its flags. Positions are as in
 * packed_doorbell.pml; what the driver stores into flags meanwhile is neither
 * side's used value, and left out.
 *
 * The event's flags and offset are two fields, and no barrier stands between
 * them: the one behind both does for all.
 */
#include "memory.pml"

#define CHAINS	5
#define SIZE	2
#define MOD	4

#define ENABLE	0
#define DISABLE	1
#define DESC	2

#ifndef DELAY
#define DELAY	1
#endif

SHARED(flags0);			/* the device's */
SHARED(flags1);
SHARED(body0);
SHARED(body1);
SHARED(event_flags);		/* the driver's */
SHARED(event_off);

bool pending;			/* the interrupt, as the CPU sees it */
byte taken;			/* by the driver, of all */

active proctype device_buffer()
{
end:	do
	DRAIN(flags0)
	DRAIN(flags1)
	DRAIN(body0)
	DRAIN(body1)
	od
}

active proctype driver_buffer()
{
end:	do
	DRAIN(event_flags)
	DRAIN(event_off)
	od
}

#define device_quiet	(!flags0_held && !flags1_held && !body0_held && \
	!body1_held)
#define driver_quiet	(!event_flags_held && !event_off_held)

#define WRAP(n)		(1 + ((n) / SIZE) % 2)
#define FLAGS(n)	((n) % SIZE == 0 -> flags0 : flags1)
#define BODY(n)		((n) % SIZE == 0 -> body0 : body1)
#define NEED_EVENT(event, new, old) \
	((new - event - 1 + 2 * MOD) % MOD < (new - old + MOD) % MOD)

inline device_use()
{
	if
	:: used % SIZE == 0 -> STORE(body0, used + 1)
	:: else -> STORE(body1, used + 1)
	fi;
	device_quiet;
	if
	:: used % SIZE == 0 -> STORE(flags0, WRAP(used))
	:: else -> STORE(flags1, WRAP(used))
	fi;
	used++
}

active proctype device()
{
	byte used, old, flags;
	bool wants;

	do
	:: used < CHAINS ->
		used - taken < SIZE;
		old = used;
		device_use();
		if
		:: used < CHAINS && used - taken < SIZE -> device_use()
		:: true
		fi;
		device_quiet;
		flags = event_flags;
		if
		:: flags == DESC -> wants = NEED_EVENT(event_off,
			(used % MOD), (old % MOD))
		:: else -> wants = (flags == ENABLE)
		fi;
		if
		:: wants -> pending = true
		:: else
		fi
	:: else -> break
	od;
	wants = false; old = 0; flags = 0
}

/* packed_dequeue: one chain, whose flags were seen used. */
inline packed_dequeue()
{
	content = BODY(taken);
#ifdef NO_RMB
	/* Without pv_barrier_consume the load may have come first. */
	if
	:: early != 0 && taken == early_slot -> content = early - 1
	:: true
	fi;
	early = 0;
#endif
	assert(content == taken + 1);
	content = 0;
	taken++
}

inline load_early()
{
#ifdef NO_RMB
	if
	:: atomic { early_slot = taken; early = BODY(taken) + 1 }
	:: early = 0
	fi
#else
	skip
#endif
}

/* The driver posts again at once: all that is left of CHAINS is outstanding. */
inline packed_intr_enable()
{
	n = DELAY;
#ifdef EVENT_IDX
	STORE(event_off, (taken + n - 1) % MOD);
	STORE(event_flags, DESC);
#else
	n = 1;
	STORE(event_flags, ENABLE);
#endif
#ifndef NO_MB_ENABLE
	driver_quiet;			/* pv_barrier_check */
#endif
#ifdef NO_RECHECK
	again = false
#else
	again = FLAGS((taken + n - 1)) == WRAP((taken + n - 1))
#endif
}

active proctype driver()
{
	byte content, n;
	bool again;
#ifdef NO_RMB
	byte early, early_slot;
#endif

	/* From start on interrupts are wanted. */
asleep:
end:	atomic { pending -> pending = false };
	STORE(event_flags, DISABLE);
awake:	do
	:: load_early();
		if
		:: FLAGS(taken) == WRAP(taken) -> packed_dequeue()
		:: else -> break
		fi
	od;
	packed_intr_enable();
	if
	:: again ->
		STORE(event_flags, DISABLE);
		again = false;
		goto awake
	:: else
	fi;
	n = 0;
	goto asleep
}

active proctype end_of_all()
{
end:	timeout -> assert(CHAINS - taken < DELAY)
}
