/* SPDX-License-Identifier: ISC */
/*
 * A process as a port: what a test sets and looks at.
 *
 *	int setup(void **state) { port_reset(); return 0; }
 *	int teardown(void **state) { return port_check(); }
 *
 * Device addresses are made anew at each bus_dmamap_load, and die with the
 * unload; a device model reaches memory through port_dma_read and _write only.
 * With po_shadow the device sees a copy that only bus_dmamap_sync brings up to
 * date, and each byte has an owner: what is forgotten to sync is garbage, and
 * reported.
 */
#ifndef PORT_H
#define PORT_H

#include <paravane/kern.h>

struct port {
	/* set by tests, after port_reset */
	int po_shadow;			/* no map is coherent */
	int po_refuse_coherent;		/* bus_dmamem_map with COHERENT fails */
	bus_size_t po_segsize;		/* longest run of device addresses; 0:
					 * no limit */
	bus_addr_t po_base;		/* the next device addresses */
	int po_fail_after;		/* >= 0: so many allocations more
					 * succeed, then all fail; -1: never */
	int po_fail_one;		/* then one fails, and no more do */
	int po_realtime;		/* the clock is the machine's, delays
					 * pass; otherwise po_now_ns is it */
	void (*po_tick)(void *);	/* called by each delay and pause */
	void *po_tick_arg;
	int po_verbose;			/* messages also to stderr */

	/* looked at */
	uint64_t po_now_ns;		/* the clock; may be set too */
	unsigned int po_violations;	/* of the rules that the port checks */
	unsigned long po_allocs;	/* outstanding */
	unsigned long po_dmamems;
	unsigned long po_dmamaps;
	unsigned long po_loads;		/* maps that are loaded */
	unsigned int po_nlogs;
	unsigned int po_nsyncs;
	char po_log[4096];		/* the last messages, one a line */
};

extern struct port port;
extern const struct pv_bus_dma_tag port_dma_tag;	/* pass &port_dma_tag */

/* Forget everything, and give leaked memory back. */
void port_reset(void);

/*
 * 0 if no rule was broken and nothing is left allocated; otherwise says what,
 * and returns 1.
 */
int port_check(void);

/* As port_check, without looking for leaks. */
int port_check_rules(void);

/* Report that a rule was broken; port_quiet: only count. */
extern int port_quiet;
void port_violation(const char *fmt, ...)
    __attribute__((__format__(__printf__, 1, 2)));

/* Whether a message with this text was logged. */
int port_logged(const char *text);

/*
 * What a device does: 0, or -1 where the address is not loaded (a violation;
 * reads then give 0xdd).
 */
int port_dma_read(bus_addr_t, void *, size_t);
int port_dma_write(bus_addr_t, const void *, size_t);

/*
 * With po_shadow: how many bytes of off .. off + len of a map are the device's
 * to write (BUS_DMASYNC_PREREAD) or to read (BUS_DMASYNC_PREWRITE).
 */
size_t port_dma_owned(bus_dmamap_t, size_t off, size_t len, int ops);

/*
 * A device says what it has of memory, for who gives that away. ph_what: in
 * words what of the len bytes at addr it may still touch, in a queue; ph_lent:
 * what it was lent for longer (may be NULL). They return NULL: nothing. Called
 * (again) by who begins to have something, until port_hold_end or port_reset.
 */
struct port_holder {
	struct port_holder *ph_next;
	const char *(*ph_what)(void *arg, bus_addr_t addr, bus_size_t len);
	const char *(*ph_lent)(void *arg, bus_addr_t addr, bus_size_t len);
	void *ph_arg;
};

void port_hold(struct port_holder *);
void port_hold_end(struct port_holder *);

/* Whether a device has any of it in a queue (0), or at all (1), and as what. */
const char *port_held(bus_addr_t, bus_size_t, int lent);

/* The CPU's address of what a device address means now; NULL: not loaded. */
void *port_dma_kva(bus_addr_t, size_t);

/*
 * What a device knows of fields in memory that it shares with a driver. A bus
 * may hold the driver to what follows from it; the plain one does not.
 */
enum port_field {
	PORT_FIELD_POLLED,	/* device to driver: may be read again and
				 * again (an index, an event) */
	PORT_FIELD_INDEX,	/* driver to device: shows what was stored
				 * before it */
	PORT_FIELD_EVENT,	/* driver to device: asks to be told; the driver
				 * then looks once more */
	PORT_FIELD_FLAGS,	/* the same, where it is not 1 */
	PORT_FIELD_NEXT,	/* both sides': to be read again and again, and
				 * what the driver stores there next shows what
				 * it stored before (flags in a packed ring) */
	PORT_FIELD_LOST		/* likewise, but the device has lost the thread:
				 * what a store shows, the driver can't know */
};

/*
 * What stands behind port_dma_tag, and behind devices' accesses. The plain one
 * is the default and quick; another (bench.h) may be put in its place while
 * nothing is allocated, and stays through port_reset.
 */
struct port_bus {
	const char *pb_name;
	const struct pv_bus_dma_tag *pb_tag;
	int (*pb_read)(bus_addr_t, void *, size_t);
	int (*pb_write)(bus_addr_t, const void *, size_t);
	void *(*pb_kva)(bus_addr_t, size_t);
	size_t (*pb_owned)(bus_dmamap_t, size_t off, size_t len, int ops);
	/* may be NULL */
	void (*pb_field)(bus_addr_t, size_t, enum port_field);
	void (*pb_barrier)(bool outer, char kind);
	void (*pb_reset)(void);
};

extern const struct port_bus port_plain_bus;
extern const struct port_bus *port_bus;		/* in use */
void port_bus_use(const struct port_bus *);

/* A field has one kind: the last that was said. */
void port_dma_field(bus_addr_t, size_t, enum port_field);

/*
 * Memory of a test, loaded into a map of its own, in segments of at most
 * po_segsize: for buffers. port_buf_free unloads and frees; port_buf_lose, where
 * a device that confirmed no reset may still reach it, leaves it loaded until
 * port_reset.
 */
struct port_buf {
	struct port_buf *pb_next;	/* of those that are lost */
	uint8_t *pb_va;
	bus_dmamap_t pb_map;
	size_t pb_len;
};

struct port_buf *port_buf_new(size_t len);
void port_buf_free(struct port_buf *);
void port_buf_lose(struct port_buf *);

#endif
