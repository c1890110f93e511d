/* SPDX-License-Identifier: ISC */
/*
 * Reset against completion, the two steps of lib/core/virtio.c: a violation sets
 * the latch from interrupt context, the port's thread calls pv_virtio_stop and
 * drains. Meanwhile the device, which does not know that it is distrusted, goes
 * on writing buffers, and interrupts arrive on another CPU.
 *
 * Found must be: the port is told once; each buffer comes back once, from
 * dequeue or from drain; the device writes none that the owner has back, unless
 * the reset was not confirmed, in which case none is given back as usable; no
 * handler runs once the interrupts are torn down.
 *
 * LOST: the device never confirms. NO_CONFIRM: stop does not wait. NO_LATCH:
 * break tells whenever it is called. NO_LOST: drain hands buffers back as usable
 * all the same. NO_TEARDOWN_WAIT: disestablish does not wait for the handler.
 */
#define BUFFERS	2
#define WITH_DEVICE	1
#define USED		2
#define OWNED		3	/* the caller's again, by dequeue */
#define DRAINED		4	/* the caller's again, by drain */
#define ABANDONED	5	/* stays mapped, never to be used */

byte buffer[BUFFERS] = WITH_DEVICE;
bool resetting, confirmed;	/* status written 0; reads 0 */
bool broken, started = true, lost;
byte told;
bool handlers = true;		/* established */
byte in_handler;
bool stopped;

active proctype device()
{
	byte b;

	do
	:: !confirmed ->
		/* It may begin a write before, and end it after, the reset. */
		if
		:: atomic { buffer[0] == WITH_DEVICE -> b = 0 }
		:: atomic { buffer[1] == WITH_DEVICE -> b = 1 }
		:: atomic { resetting -> goto quiet }
		fi;
		/* The write to the buffer. */
		atomic {
			assert(buffer[b] != DRAINED);
			if
			:: buffer[b] == WITH_DEVICE -> buffer[b] = USED
			:: else
			fi;
			b = 0
		}
	:: else -> break
	od;
quiet:
#ifdef LOST
	/* It never stops: every buffer may be written at any time. */
end:	do
	:: assert(buffer[0] != DRAINED || !lost);
	   assert(buffer[1] != DRAINED || !lost)
	od
#else
	confirmed = true
#endif
}

/* pv_virtio_break */
inline virtio_break()
{
#ifdef NO_LATCH
	broken = true;
	told++
#else
	if
	:: atomic { !broken -> broken = true }; told++
	:: else
	fi
#endif
}

/* Two CPUs that take interrupts of the device. */
active [2] proctype handler()
{
	byte n;

end:	do
	:: atomic { n < 2 && handlers -> in_handler++ };
		/* pv_virtio_intr: welcome only while started and not broken */
		if
		:: started && !broken -> virtio_break()
		:: else
		fi;
		assert(!stopped);
		in_handler--;
		n++
	:: n == 2 || !handlers -> break
	od
}

inline dequeue(i)
{
	if
	:: !broken && started ->
		atomic {
			if
			:: buffer[i] == USED -> buffer[i] = OWNED
			:: else
			fi
		}
	:: else
	fi
}

/* pv_virtq_drain */
inline drain(i)
{
	atomic {
		if
		:: buffer[i] == WITH_DEVICE || buffer[i] == USED ->
#ifdef NO_LOST
			buffer[i] = DRAINED
#else
			buffer[i] = (lost -> ABANDONED : DRAINED)
#endif
		:: else
		fi
	}
}

/* pv_virtio_stop */
inline virtio_stop()
{
	started = false;
	resetting = true;
#ifndef NO_CONFIRM
	if
	:: confirmed
#ifdef LOST
	:: lost = true			/* the bound has passed */
#endif
	fi;
#endif
	handlers = false;		/* to_intr_teardown */
#ifndef NO_TEARDOWN_WAIT
	in_handler == 0;
#endif
	stopped = true
}

active proctype port()
{
	dequeue(0);
	dequeue(1);
	virtio_break();			/* from a thread as well */
	told > 0;
	virtio_stop();
	drain(0);
	drain(1);
	assert(told == 1);
	assert(buffer[0] >= OWNED && buffer[1] >= OWNED)
}
