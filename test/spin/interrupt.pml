/* SPDX-License-Identifier: ISC */
/*
 * The interrupt that must not be lost: lib/core/virtq_split.c, split_dequeue and
 * split_intr_enable, against a device that uses chains while the driver is about
 * to sleep. A chain is posted again as soon as it was taken, so the device
 * always has work until it used CHAINS.
 *
 * DELAY n: the driver asks for an interrupt after n more (split_intr_delay): it
 * may sleep with up to n - 1 used ones unseen, never with more.
 */
#include "memory.pml"

#define CHAINS	4
#define SIZE	2
#define MOD	8

#ifndef DELAY
#define DELAY	1
#endif

SHARED(used_idx);		/* the device's */
SHARED(elem0);
SHARED(elem1);
SHARED(used_event);		/* the driver's */
SHARED(no_interrupt);

bool pending;			/* the interrupt, as the CPU sees it */
byte taken;			/* by the driver, of all */

active proctype device_buffer()
{
end:	do
	DRAIN(used_idx)
	DRAIN(elem0)
	DRAIN(elem1)
	od
}

active proctype driver_buffer()
{
end:	do
	DRAIN(used_event)
	DRAIN(no_interrupt)
	od
}

#define device_quiet	(!used_idx_held && !elem0_held && !elem1_held)
#define driver_quiet	(!used_event_held && !no_interrupt_held)

#define NEED_EVENT(event, new, old) \
	((new - event - 1 + 2 * MOD) % MOD < (new - old + MOD) % MOD)

inline device_use()
{
	if
	:: used % SIZE == 0 -> STORE(elem0, used + 1)
	:: else -> STORE(elem1, used + 1)
	fi;
	used++
}

/* The device's duty, in the order that the specification gives. */
active proctype device()
{
	byte used, old;
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
		STORE(used_idx, used % MOD);
		device_quiet;
#ifdef EVENT_IDX
		wants = NEED_EVENT(used_event, (used % MOD), (old % MOD));
#else
		wants = !no_interrupt;
#endif
		if
		:: wants -> pending = true
		:: else
		fi
	:: else -> break
	od;
	wants = false; old = 0
}

/* split_dequeue: one chain. seen is the used index as last read and checked. */
inline split_dequeue()
{
	if
	:: taken % SIZE == 0 -> content = elem0
	:: else -> content = elem1
	fi;
#ifdef NO_RMB
	/* Without pv_barrier_consume the load may have come first. */
	if
	:: early != 0 && taken % SIZE == early_slot -> content = early - 1
	:: true
	fi;
	early = 0;
#endif
	assert(content == taken + 1);
	content = 0;
	taken++
}

inline split_refresh()
{
#ifdef NO_RMB
	if
	:: atomic { early_slot = taken % SIZE;
	    early = (taken % SIZE == 0 -> elem0 : elem1) + 1 }
	:: early = 0
	fi;
#endif
	seen = used_idx
}

/*
 * split_intr_enable. What is outstanding bounds the delay: the driver posts
 * again at once, so that is what the device has not used of CHAINS.
 */
inline split_intr_enable()
{
	n = DELAY;
#ifdef EVENT_IDX
	STORE(used_event, (taken + n - 1) % MOD);
#else
	n = 1;
	STORE(no_interrupt, 0);
#endif
#ifndef NO_MB_ENABLE
	driver_quiet;			/* pv_barrier_check */
#endif
#ifdef NO_RECHECK
	again = false
#else
	seen = used_idx;
	again = (seen - taken % MOD + MOD) % MOD >= n
#endif
}

active proctype driver()
{
	byte seen, content, n;
	bool again;
#ifdef NO_RMB
	byte early, early_slot;
#endif

	/* From start on interrupts are wanted: used_event is 0. */
asleep:
end:	atomic { pending -> pending = false };
#ifndef EVENT_IDX
	STORE(no_interrupt, 1);		/* split_intr_disable */
#endif
awake:	split_refresh();
	do
	:: taken % MOD != seen -> split_dequeue()
	:: else -> break
	od;
	split_intr_enable();
	if
	:: again ->
#ifndef EVENT_IDX
		STORE(no_interrupt, 1);
#endif
		again = false;
		goto awake
	:: else
	fi;
	seen = 0; n = 0;
	goto asleep
}

active proctype end_of_all()
{
end:	timeout -> assert(CHAINS - taken < DELAY)
}
