/* SPDX-License-Identifier: ISC */
/*
 * The bus contract in a process of this machine. Device addresses are never CPU
 * addresses, registers are functions, time is what a test says; see port.h.
 */
#ifndef PARAVANE_MACHDEP_H
#define PARAVANE_MACHDEP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

/* Not 4096, so that nothing comes to rely on it. */
#ifndef PORT_PAGE_SIZE
#define PORT_PAGE_SIZE	16384u
#endif
#undef PAGE_SIZE
#define PAGE_SIZE	PORT_PAGE_SIZE

typedef uint64_t bus_addr_t;
typedef uint64_t bus_size_t;
typedef uint64_t paddr_t;

#include <paravane/bus_dma.h>

struct port_bus_space {
	uint32_t (*bs_read)(void *, bus_size_t off, unsigned int width);
	void (*bs_write)(void *, bus_size_t off, unsigned int width,
	    uint32_t val);
	void *bs_arg;
};

typedef const struct port_bus_space *bus_space_tag_t;
typedef bus_size_t bus_space_handle_t;	/* where it begins for bs_read */

#define BUS_SPACE_BARRIER_READ	0x01
#define BUS_SPACE_BARRIER_WRITE	0x02

/*
 * Above 0 while the CPU writes a register: what a device does then, it does
 * because of that write.
 */
extern int port_bell;
extern unsigned int port_bs_barriers;	/* how many that order writes */

static inline uint32_t
port_bs_read(bus_space_tag_t t, bus_space_handle_t h, bus_size_t off,
    unsigned int width)
{
	return t->bs_read(t->bs_arg, h + off, width);
}

static inline void
port_bs_write(bus_space_tag_t t, bus_space_handle_t h, bus_size_t off,
    unsigned int width, uint32_t val)
{
	port_bell++;
	t->bs_write(t->bs_arg, h + off, width, val);
	port_bell--;
}

#define bus_space_read_1(t, h, o)	((uint8_t)port_bs_read((t), (h), (o), 1))
#define bus_space_read_2(t, h, o)	((uint16_t)port_bs_read((t), (h), (o), 2))
#define bus_space_read_4(t, h, o)	(port_bs_read((t), (h), (o), 4))
#define bus_space_write_1(t, h, o, v)	port_bs_write((t), (h), (o), 1, (v))
#define bus_space_write_2(t, h, o, v)	port_bs_write((t), (h), (o), 2, (v))
#define bus_space_write_4(t, h, o, v)	port_bs_write((t), (h), (o), 4, (v))
#define bus_space_barrier(t, h, o, l, f) \
	((void)(t), (void)(h), (void)(o), (void)(l), \
	    port_bs_barriers += ((f) & BUS_SPACE_BARRIER_WRITE) != 0)

/* So that a test can see that a barrier stands where it must. */
extern void (*port_mb_hook)(void);	/* runs in each pv_md_mb */
extern void (*port_barrier_hook)(char kind, bool outer); /* 'w', 'r', 'm' */
extern void (*port_bus_barrier)(bool outer, char kind);	/* the bus's own */

#define pv_md_wmb(outer)	port_barrier((outer), 'w')
#define pv_md_rmb(outer)	port_barrier((outer), 'r')
#define pv_md_mb(outer)		port_barrier((outer), 'm')

static inline void
port_barrier(bool outer, char kind)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (port_bus_barrier != NULL)
		port_bus_barrier(outer, kind);
	if (kind == 'm' && port_mb_hook != NULL)
		port_mb_hook();
	if (port_barrier_hook != NULL)
		port_barrier_hook(kind, outer);
}

#endif
