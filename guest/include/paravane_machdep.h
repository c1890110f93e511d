/* SPDX-License-Identifier: ISC */
/*
 * The guest's side of the library's contract (include/paravane/kern.h): types, bus_space(9), bus_dma(9), barriers.
 */
#ifndef PARAVANE_MACHDEP_H
#define PARAVANE_MACHDEP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mtypes.h"

#ifndef PROT_READ
#define PROT_READ	0x1
#define PROT_WRITE	0x2
#endif

typedef uint64_t	bus_addr_t;
typedef uint64_t	bus_size_t;

#include <paravane/bus_dma.h>

/* A handle is where the registers are mapped; there is one kind of space. */
typedef int		bus_space_tag_t;
typedef uintptr_t	bus_space_handle_t;

#define BUS_SPACE_BARRIER_READ	0x1
#define BUS_SPACE_BARRIER_WRITE	0x2

/*
 * One plain load or store of a general register from a base register, nothing else: a hypervisor emulates the access from
 * its syndrome, which is only valid for these.
 */
static inline uint8_t
bus_space_read_1(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o)
{
	uint32_t v;

	(void)t;
	__asm__ volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(h + o) : "memory");
	return (uint8_t)v;
}

static inline uint16_t
bus_space_read_2(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o)
{
	uint32_t v;

	(void)t;
	__asm__ volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(h + o) : "memory");
	return (uint16_t)v;
}

static inline uint32_t
bus_space_read_4(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o)
{
	uint32_t v;

	(void)t;
	__asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(h + o) : "memory");
	return v;
}

static inline void
bus_space_write_1(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o,
    uint8_t v)
{
	(void)t;
	__asm__ volatile("strb %w0, [%1]"
	    : : "r"((uint32_t)v), "r"(h + o) : "memory");
}

static inline void
bus_space_write_2(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o,
    uint16_t v)
{
	(void)t;
	__asm__ volatile("strh %w0, [%1]"
	    : : "r"((uint32_t)v), "r"(h + o) : "memory");
}

static inline void
bus_space_write_4(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o,
    uint32_t v)
{
	(void)t;
	__asm__ volatile("str %w0, [%1]"
	    : : "r"(v), "r"(h + o) : "memory");
}

/* Device-nGnRnE accesses are in order among themselves; this orders them with memory. */
static inline void
bus_space_barrier(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o,
    bus_size_t len, int flags)
{
	(void)t;
	(void)h;
	(void)o;
	(void)len;
	(void)flags;
	__asm__ volatile("dsb sy" : : : "memory");
}

/*
 * Device models run on other processors of the inner shareable domain; a real device (ORDER_PLATFORM) lies outside of it.
 */
static inline void
pv_md_wmb(int outer)
{
	if (outer)
		__asm__ volatile("dmb oshst" : : : "memory");
	else
		__asm__ volatile("dmb ishst" : : : "memory");
}

static inline void
pv_md_rmb(int outer)
{
	if (outer)
		__asm__ volatile("dmb oshld" : : : "memory");
	else
		__asm__ volatile("dmb ishld" : : : "memory");
}

static inline void
pv_md_mb(int outer)
{
	if (outer)
		__asm__ volatile("dmb osh" : : : "memory");
	else
		__asm__ volatile("dmb ish" : : : "memory");
}

#endif
