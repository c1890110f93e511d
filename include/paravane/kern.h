/* SPDX-License-Identifier: ISC */
/*
 * kern.h - what the library asks of the kernel around it
 *
 * Each port puts a <paravane_machdep.h> on the include path. It gives
 *
 *	types		uint8_t .. uint64_t, size_t, uintptr_t, off_t, paddr_t,
 *			bool
 *	errno values	EIO, ENOMEM, EINVAL, ENXIO, ENOTSUP, ETIMEDOUT, EBUSY,
 *			EAGAIN, ENOBUFS, EMSGSIZE, ENETDOWN, EFBIG, ERANGE,
 *			EROFS
 *	PAGE_SIZE	the smallest page that user space can map, in bytes; the
 *			library assumes no particular value
 *	PROT_READ, PROT_WRITE
 *	bus_dma(9)	the types, functions (or macros) and BUS_DMA_* flags
 *			with the BSD names and argument order; a kernel without
 *			them includes <paravane/bus_dma.h> from its machdep
 *			header
 *	PV_DMAMAP_COHERENT(tag, map)
 *			true only if CPU and device are known to see the same
 *			bytes of what is loaded in map, without a bounce; 0 when
 *			in doubt: every sync is then the platform's
 *	bus_space(9)	bus_space_tag_t, bus_space_handle_t,
 *			bus_space_{read,write}_{1,2,4}, bus_space_barrier with
 *			BUS_SPACE_BARRIER_READ and BUS_SPACE_BARRIER_WRITE. Each
 *			is one single load or store of a general register, of
 *			just that width: hypervisors emulate nothing else.
 *			There is no 8-byte access.
 *	pv_md_wmb(outer), pv_md_rmb(outer), pv_md_mb(outer)
 *			order stores, loads, and both, of normal memory, towards
 *			other observers: the inner shareable domain, or if outer
 *			is true (ORDER_PLATFORM was negotiated) whatever a real
 *			device on this platform needs
 *
 * and defines the functions below. The library has no other undefined symbol
 * but these and memcpy, memmove, memset, memcmp.
 *
 * Context. "Thread" means that the caller may sleep. "Any" includes interrupt
 * handlers. The library takes no lock: calls on one queue must not run at the
 * same time, calls on different queues may. What runs during attach, start,
 * stop, reconfigure and detach excludes all else on that device but interrupts.
 */
#ifndef PARAVANE_KERN_H
#define PARAVANE_KERN_H

#include <paravane_machdep.h>

/*
 * pv_kern_alloc - zeroed memory for the driver's private state
 *
 * size		bytes, not 0
 *
 * Returns memory aligned for any type, or NULL. Called from threads only, while
 * attaching or reconfiguring; never on the way of data.
 */
void *pv_kern_alloc(size_t size);

/*
 * pv_kern_free - give back what pv_kern_alloc returned; size is what was asked.
 * NULL is allowed. Context: thread.
 */
void pv_kern_free(void *, size_t size);

/*
 * pv_kern_uptime_ns - a clock that never goes back, in nanoseconds from any
 * fixed point. Context: any.
 */
uint64_t pv_kern_uptime_ns(void);

/*
 * pv_kern_delay_us - let at least us microseconds pass without sleeping
 * Context: any.
 */
void pv_kern_delay_us(unsigned int us);

/*
 * pv_kern_pause_us - let about us microseconds pass and others run meanwhile
 *
 * The library calls it while it waits, with a bound of its own, for a device.
 * A kernel that can't sleep just then (it is going down) delays instead.
 * Context: thread.
 */
void pv_kern_pause_us(unsigned int us);

enum pv_log_level { PV_LOG_ERROR, PV_LOG_WARNING, PV_LOG_INFO, PV_LOG_DEBUG };

/*
 * pv_kern_log - one message for the kernel's log
 *
 * who		the device's name as given at attach, such as "net0"
 * fmt		a printf format of this subset: %s %c %d %u %x %lu %lx %llu
 *		%llx %%, with an optional 0 flag and width. No newline at the
 *		end.
 *
 * Context: any. The library bounds how often it repeats a message that a device
 * can provoke.
 */
void pv_kern_log(enum pv_log_level, const char *who, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

#endif /* PARAVANE_KERN_H */
