/* SPDX-License-Identifier: ISC */
/*
 * The bus contract in a process that drives a device in earnest: what the other
 * side of the memory is, is another process on CPUs of this machine, which sees
 * all of it as this one does. Nothing here is for tests to look at: barriers
 * are the CPU's and no more, every map is coherent and known to be so when the
 * library is compiled. ../shmem.h has the bus_dma tag.
 *
 * build/native/libparavane.a is the library compiled against this.
 */
#ifndef PARAVANE_MACHDEP_H
#define PARAVANE_MACHDEP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#ifndef PORT_PAGE_SIZE
#define PORT_PAGE_SIZE	4096u
#endif
#undef PAGE_SIZE
#define PAGE_SIZE	PORT_PAGE_SIZE

typedef uint64_t bus_addr_t;
typedef uint64_t bus_size_t;
typedef uint64_t paddr_t;

#include <paravane/bus_dma.h>

#undef PV_DMAMAP_COHERENT
#define PV_DMAMAP_COHERENT(t, map)	((void)(t), (void)(map), 1)

/* Registers that are mapped into this process: a handle is where. */
typedef int bus_space_tag_t;
typedef uintptr_t bus_space_handle_t;

#define BUS_SPACE_BARRIER_READ	0x01
#define BUS_SPACE_BARRIER_WRITE	0x02

/*
 * One load or store of a general register with a plain base: what hypervisors
 * emulate. A compiler may make something else of a volatile access.
 */
#if defined(__aarch64__)
#define native_load(width, type, insn, mod) \
static inline type \
bus_space_read_##width(bus_space_tag_t t, bus_space_handle_t h, \
    bus_size_t off) \
{ \
	type v; \
 \
	(void)t; \
	__asm__ volatile(insn " %" mod "0, [%1]" : "=r"(v) : "r"(h + off) : \
	    "memory"); \
	return v; \
}
#define native_store(width, type, insn, mod) \
static inline void \
bus_space_write_##width(bus_space_tag_t t, bus_space_handle_t h, \
    bus_size_t off, type v) \
{ \
	(void)t; \
	__asm__ volatile(insn " %" mod "0, [%1]" : : "r"(v), "r"(h + off) : \
	    "memory"); \
}
#else
#define native_load(width, type, insn, mod) \
static inline type \
bus_space_read_##width(bus_space_tag_t t, bus_space_handle_t h, \
    bus_size_t off) \
{ \
	(void)t; \
	return *(volatile type *)(h + (uintptr_t)off); \
}
#define native_store(width, type, insn, mod) \
static inline void \
bus_space_write_##width(bus_space_tag_t t, bus_space_handle_t h, \
    bus_size_t off, type v) \
{ \
	(void)t; \
	*(volatile type *)(h + (uintptr_t)off) = v; \
}
#endif

native_load(1, uint8_t, "ldrb", "w")
native_load(2, uint16_t, "ldrh", "w")
native_load(4, uint32_t, "ldr", "w")
native_store(1, uint8_t, "strb", "w")
native_store(2, uint16_t, "strh", "w")
native_store(4, uint32_t, "str", "w")

#undef native_load
#undef native_store

static inline void
bus_space_barrier(bus_space_tag_t t, bus_space_handle_t h, bus_size_t off,
    bus_size_t len, int flags)
{
	(void)t;
	(void)h;
	(void)off;
	(void)len;
	(void)flags;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * x86 keeps loads in order among themselves, and stores; only a load may pass
 * an earlier store. A locked add to the stack keeps it back, in fewer cycles
 * than mfence takes. With ORDER_PLATFORM, for a device on the bus, mfence and
 * its sisters order what is not plain memory too.
 */
#if defined(__x86_64__)
static inline void
pv_md_wmb(bool outer)
{
	if (outer)
		__asm__ volatile("sfence" : : : "memory");
	else
		__asm__ volatile("" : : : "memory");
}

static inline void
pv_md_rmb(bool outer)
{
	if (outer)
		__asm__ volatile("lfence" : : : "memory");
	else
		__asm__ volatile("" : : : "memory");
}

static inline void
pv_md_mb(bool outer)
{
	if (outer)
		__asm__ volatile("mfence" : : : "memory");
	else	/* below the red zone */
		__asm__ volatile("lock; addl $0, -132(%%rsp)" : : : "memory",
		    "cc");
}
#elif defined(__aarch64__)
static inline void
pv_md_wmb(bool outer)
{
	if (outer)
		__asm__ volatile("dmb oshst" : : : "memory");
	else
		__asm__ volatile("dmb ishst" : : : "memory");
}

static inline void
pv_md_rmb(bool outer)
{
	if (outer)
		__asm__ volatile("dmb oshld" : : : "memory");
	else
		__asm__ volatile("dmb ishld" : : : "memory");
}

static inline void
pv_md_mb(bool outer)
{
	if (outer)
		__asm__ volatile("dmb osh" : : : "memory");
	else
		__asm__ volatile("dmb ish" : : : "memory");
}
#else
static inline void
pv_md_wmb(bool outer)
{
	(void)outer;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void
pv_md_rmb(bool outer)
{
	(void)outer;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void
pv_md_mb(bool outer)
{
	(void)outer;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif

#endif
