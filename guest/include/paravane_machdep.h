/* SPDX-License-Identifier: ISC */
/*
 * The guest's side of the library's contract (include/paravane/kern.h): types,
 * bus_space(9), bus_dma(9), barriers.
 */
#ifndef PARAVANE_MACHDEP_H
#define PARAVANE_MACHDEP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mmio.h"
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

/* Each is one access of just that width: mmio.h. */
static inline uint8_t
bus_space_read_1(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o)
{
	(void)t;
	return mmio_read8((const volatile void *)(h + o));
}

static inline uint16_t
bus_space_read_2(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o)
{
	(void)t;
	return mmio_read16((const volatile void *)(h + o));
}

static inline uint32_t
bus_space_read_4(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o)
{
	(void)t;
	return mmio_read32((const volatile void *)(h + o));
}

static inline void
bus_space_write_1(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o,
    uint8_t v)
{
	(void)t;
	mmio_write8((volatile void *)(h + o), v);
}

static inline void
bus_space_write_2(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o,
    uint16_t v)
{
	(void)t;
	mmio_write16((volatile void *)(h + o), v);
}

static inline void
bus_space_write_4(bus_space_tag_t t, bus_space_handle_t h, bus_size_t o,
    uint32_t v)
{
	(void)t;
	mmio_write32((volatile void *)(h + o), v);
}

/*
 * Device-nGnRnE accesses are in order among themselves; this orders them with
 * memory.
 */
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
 * Device models run on other processors of the inner shareable domain; a real
 * device (ORDER_PLATFORM) lies outside of it.
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
