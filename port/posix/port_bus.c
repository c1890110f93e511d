/* SPDX-License-Identifier: ISC */
/*
 * The bus that drivers and devices are given: all of it is the one in use.
 */
#include <stdlib.h>

#include "port.h"
#include "port_var.h"

const struct port_bus *port_bus = &port_plain_bus;
void (*port_bus_barrier)(bool, char);

void
port_bus_use(const struct port_bus *bus)
{
	port_bus->pb_reset();
	port_bus = bus != NULL ? bus : &port_plain_bus;
	port_bus_barrier = port_bus->pb_barrier;
	port_bus->pb_reset();
}

static int
dmamap_create(bus_dma_tag_t t, bus_size_t size, int nsegments,
    bus_size_t maxsegsz, bus_size_t boundary, int flags, bus_dmamap_t *mapp)
{
	(void)t;
	if (nsegments < 1 || maxsegsz == 0)
		port_violation("bus_dmamap_create for %d segments of %llu",
		    nsegments, (unsigned long long)maxsegsz);
	return bus_dmamap_create(port_bus->pb_tag, size, nsegments, maxsegsz,
	    boundary, flags, mapp);
}

static void
dmamap_destroy(bus_dma_tag_t t, bus_dmamap_t dm)
{
	(void)t;
	bus_dmamap_destroy(port_bus->pb_tag, dm);
}

static int
dmamap_load(bus_dma_tag_t t, bus_dmamap_t dm, void *buf, bus_size_t buflen,
    void *proc, int flags)
{
	(void)t;
	return bus_dmamap_load(port_bus->pb_tag, dm, buf, buflen, proc, flags);
}

static int
dmamap_load_raw(bus_dma_tag_t t, bus_dmamap_t dm, bus_dma_segment_t *segs,
    int nsegs, bus_size_t size, int flags)
{
	(void)t;
	return bus_dmamap_load_raw(port_bus->pb_tag, dm, segs, nsegs, size,
	    flags);
}

static void
dmamap_unload(bus_dma_tag_t t, bus_dmamap_t dm)
{
	(void)t;
	bus_dmamap_unload(port_bus->pb_tag, dm);
}

static void
dmamap_sync(bus_dma_tag_t t, bus_dmamap_t dm, bus_addr_t off, bus_size_t len,
    int ops)
{
	(void)t;
	port.po_nsyncs++;
	bus_dmamap_sync(port_bus->pb_tag, dm, off, len, ops);
}

static int
dmamem_alloc(bus_dma_tag_t t, bus_size_t size, bus_size_t alignment,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	(void)t;
	return bus_dmamem_alloc(port_bus->pb_tag, size, alignment, boundary,
	    segs, nsegs, rsegs, flags);
}

static void
dmamem_free(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs)
{
	(void)t;
	bus_dmamem_free(port_bus->pb_tag, segs, nsegs);
}

static int
dmamem_map(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, size_t size,
    void **kvap, int flags)
{
	(void)t;
	return bus_dmamem_map(port_bus->pb_tag, segs, nsegs, size, kvap, flags);
}

static void
dmamem_unmap(bus_dma_tag_t t, void *kva, size_t size)
{
	(void)t;
	bus_dmamem_unmap(port_bus->pb_tag, kva, size);
}

static paddr_t
dmamem_mmap(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, off_t off,
    int prot, int flags)
{
	(void)t;
	return bus_dmamem_mmap(port_bus->pb_tag, segs, nsegs, off, prot, flags);
}

const struct pv_bus_dma_tag port_dma_tag = {
	.dt_dmamap_create = dmamap_create,
	.dt_dmamap_destroy = dmamap_destroy,
	.dt_dmamap_load = dmamap_load,
	.dt_dmamap_load_raw = dmamap_load_raw,
	.dt_dmamap_unload = dmamap_unload,
	.dt_dmamap_sync = dmamap_sync,
	.dt_dmamem_alloc = dmamem_alloc,
	.dt_dmamem_free = dmamem_free,
	.dt_dmamem_map = dmamem_map,
	.dt_dmamem_unmap = dmamem_unmap,
	.dt_dmamem_mmap = dmamem_mmap,
};

int
port_dma_read(bus_addr_t addr, void *buf, size_t len)
{
	return port_bus->pb_read(addr, buf, len);
}

int
port_dma_write(bus_addr_t addr, const void *buf, size_t len)
{
	return port_bus->pb_write(addr, buf, len);
}

void *
port_dma_kva(bus_addr_t addr, size_t len)
{
	return port_bus->pb_kva(addr, len);
}

size_t
port_dma_owned(bus_dmamap_t dm, size_t off, size_t len, int ops)
{
	return port_bus->pb_owned(dm, off, len, ops);
}

void
port_dma_field(bus_addr_t addr, size_t len, enum port_field kind)
{
	if (port_bus->pb_field != NULL)
		port_bus->pb_field(addr, len, kind);
}

static struct port_holder *holders;

void
port_hold_end(struct port_holder *ph)
{
	struct port_holder **p;

	for (p = &holders; *p != NULL; p = &(*p)->ph_next)
		if (*p == ph) {
			*p = ph->ph_next;
			return;
		}
}

void
port_hold(struct port_holder *ph)
{
	port_hold_end(ph);
	ph->ph_next = holders;
	holders = ph;
}

void
port_hold_reset(void)
{
	holders = NULL;
}

const char *
port_held(bus_addr_t addr, bus_size_t len, int lent)
{
	const struct port_holder *ph;
	const char *what;

	for (ph = holders; ph != NULL; ph = ph->ph_next) {
		what = ph->ph_what(ph->ph_arg, addr, len);
		if (what == NULL && lent && ph->ph_lent != NULL)
			what = ph->ph_lent(ph->ph_arg, addr, len);
		if (what != NULL)
			return what;
	}
	return NULL;
}

/*
 * Aligned and rounded up as a kernel's packet buffers are: a line that the
 * device writes holds nothing else.
 */
struct port_buf *
port_buf_new(size_t len)
{
	struct port_buf *pb = calloc(1, sizeof(*pb));
	int fail = port.po_fail_after;
	int nsegs = port.po_segsize != 0 ?
	    (int)(len / (size_t)port.po_segsize) + 1 : 1;

	port.po_fail_after = -1;
	pb->pb_len = len;
	if (posix_memalign((void **)&pb->pb_va, 128, len) != 0)
		abort();
	__builtin_memset(pb->pb_va, 0, len);
	if (bus_dmamap_create(&port_dma_tag, len, nsegs, len, 0, 0,
	    &pb->pb_map) != 0 || bus_dmamap_load(&port_dma_tag, pb->pb_map,
	    pb->pb_va, len, NULL, 0) != 0)
		abort();
	port.po_fail_after = fail;
	return pb;
}

void
port_buf_free(struct port_buf *pb)
{
	if (pb == NULL)
		return;
	bus_dmamap_unload(&port_dma_tag, pb->pb_map);
	bus_dmamap_destroy(&port_dma_tag, pb->pb_map);
	free(pb->pb_va);
	free(pb);
}

static struct port_buf *lost;

void
port_buf_lose(struct port_buf *pb)
{
	if (pb == NULL)
		return;
	pb->pb_next = lost;
	lost = pb;
}

void
port_buf_reset(void)
{
	struct port_buf *pb;

	while ((pb = lost) != NULL) {
		lost = pb->pb_next;
		free(pb->pb_va);
		free(pb);
	}
}
