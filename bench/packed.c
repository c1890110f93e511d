/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "packed.h"
#include "wire.h"

/* Lists that devices have taken: of all rings, as a ring may be forgotten. */
struct taken {
	struct taken *tk_next;
	const struct pk_ring *tk_ring;
	unsigned int tk_id, tk_ndescs, tk_nsegs;
	struct ring_seg tk_segs[];
};

static struct taken *takens;

static bus_addr_t
flags_at(const struct pk_ring *pk, unsigned int pos)
{
	return pk->pk_desc + PK_LEN * (bus_addr_t)pos + 14;
}

static uint16_t
load16(bus_addr_t addr)
{
	uint16_t v = 0;

	port_dma_read(addr, &v, sizeof(v));
	return wire16(v);
}

/*
 * Flags are looked at by the driver again and again; where the device looks
 * next they also show all that was stored before them.
 */
static void
mark(struct pk_ring *pk)
{
	port_dma_field(flags_at(pk, pk->pk_marked.pa_pos), 2,
	    PORT_FIELD_POLLED);
	pk->pk_marked = pk->pk_avail;
	port_dma_field(flags_at(pk, pk->pk_marked.pa_pos), 2, PORT_FIELD_NEXT);
}

void
pk_begin(struct pk_ring *pk, const struct pv_queue_place *qp)
{
	unsigned int i;

	pk_end(pk);
	memset(pk, 0, sizeof(*pk));
	pk->pk_desc = qp->qp_desc;
	pk->pk_driver = qp->qp_driver;
	pk->pk_device = qp->qp_device;
	pk->pk_size = qp->qp_size;
	pk->pk_avail.pa_wrap = pk->pk_used.pa_wrap = 1;
	for (i = 0; i < pk->pk_size; i++)
		port_dma_field(flags_at(pk, i), 2, PORT_FIELD_POLLED);
	mark(pk);
	port_dma_field(pk->pk_driver, 2, PORT_FIELD_EVENT);
	port_dma_field(pk->pk_driver + 2, 2, PORT_FIELD_FLAGS);
	port_dma_field(pk->pk_device, 4, PORT_FIELD_POLLED);
}

static void
forget(const struct pk_ring *pk, unsigned int id, int all)
{
	struct taken **p = &takens, *tk;

	while ((tk = *p) != NULL) {
		if (tk->tk_ring != pk || (!all && tk->tk_id != id)) {
			p = &tk->tk_next;
			continue;
		}
		*p = tk->tk_next;
		free(tk);
		if (!all)
			return;
	}
}

void
pk_lost(struct pk_ring *pk)
{
	unsigned int i;

	for (i = 0; i < pk->pk_size; i++)
		port_dma_field(flags_at(pk, i), 2, PORT_FIELD_LOST);
}

void
pk_end(struct pk_ring *pk)
{
	forget(pk, 0, 1);
}

void
pk_step(const struct pk_ring *pk, struct pk_at *pa, unsigned int n)
{
	unsigned int pos = pa->pa_pos + n;

	for (; pos >= pk->pk_size; pos -= pk->pk_size)
		pa->pa_wrap ^= 1;
	pa->pa_pos = (uint16_t)pos;
}

void
pk_load(bus_addr_t table, unsigned int i, struct pk_desc *d)
{
	uint8_t b[PK_LEN];

	port_dma_read(table + PK_LEN * (bus_addr_t)i, b, sizeof(b));
	d->pd_addr = wire_get(b, 8);
	d->pd_len = (uint32_t)wire_get(b + 8, 4);
	d->pd_id = (uint16_t)wire_get(b + 12, 2);
	d->pd_flags = (uint16_t)wire_get(b + 14, 2);
}

static int
shows(const struct pk_at *pa, unsigned int flags)
{
	return ((flags & PK_AVAIL) != 0) == pa->pa_wrap &&
	    ((flags & PK_USED) != 0) != pa->pa_wrap;
}

int
pk_available(const struct pk_ring *pk, const struct pk_at *pa)
{
	return shows(pa, load16(flags_at(pk, pa->pa_pos)));
}

unsigned int
pk_ahead(const struct pk_ring *pk, const struct pk_at *from)
{
	struct pk_at pa = *from;
	unsigned int n;

	for (n = 0; n < pk->pk_size && pk_available(pk, &pa); n++)
		pk_step(pk, &pa, 1);
	return n;
}

int
pk_follow(struct pk_ring *pk, struct pk_desc *d)
{
	pk_load(pk->pk_desc, pk->pk_avail.pa_pos, d);
	if (!shows(&pk->pk_avail, d->pd_flags))
		return 0;
	pk_step(pk, &pk->pk_avail, 1);
	pk->pk_ntaken++;
	mark(pk);
	return 1;
}

int
pk_next(struct pk_ring *pk, struct pk_desc *d)
{
	return pk_available(pk, &pk->pk_avail) && pk_follow(pk, d);
}

void
pk_took(struct pk_ring *pk, unsigned int id, unsigned int ndescs,
    const struct ring_seg *segs, unsigned int nsegs,
    const struct ring_seg *table)
{
	struct taken *tk = malloc(sizeof(*tk) + (nsegs + 1) * sizeof(*segs));
	struct taken **p;

	if (tk == NULL)
		abort();
	tk->tk_next = NULL;
	tk->tk_ring = pk;
	tk->tk_id = id;
	tk->tk_ndescs = ndescs;
	tk->tk_nsegs = nsegs + 1;
	memcpy(tk->tk_segs, segs, nsegs * sizeof(*segs));
	tk->tk_segs[nsegs] = *table;
	for (p = &takens; *p != NULL; p = &(*p)->tk_next)
		;
	*p = tk;
}

unsigned int
pk_list(const struct pk_ring *pk, unsigned int id)
{
	const struct taken *tk;

	for (tk = takens; tk != NULL; tk = tk->tk_next)
		if (tk->tk_ring == pk && tk->tk_id == id)
			return tk->tk_ndescs;
	return 0;
}

void
pk_use(struct pk_ring *pk, unsigned int id, uint32_t len,
    unsigned int ndescs, unsigned int flags)
{
	bus_addr_t at = flags_at(pk, pk->pk_used.pa_pos);
	uint8_t b[8];

	if (pk->pk_used.pa_wrap)
		flags ^= PK_AVAIL | PK_USED;
	wire_put(b, 4, len);
	wire_put(b + 4, 2, id);
	wire_put(b + 6, 2, flags);
	port_dma_write(at - 6, b, 6);
	port_dma_write(at, b + 6, 2);
	pk_step(pk, &pk->pk_used, ndescs);
	pk->pk_nused = (uint16_t)(pk->pk_nused + ndescs);
	forget(pk, id, 0);
}

void
pk_skip(struct pk_ring *pk, unsigned int id)
{
	forget(pk, id, 0);
}

unsigned int
pk_event(const struct pk_ring *pk, struct pk_at *pa)
{
	unsigned int flags = load16(pk->pk_driver + 2);
	uint16_t at;

	if ((flags & 3) == PK_EVENT_DESC) {
		at = load16(pk->pk_driver);
		pa->pa_pos = at & 0x7fff;
		pa->pa_wrap = (uint8_t)(at >> 15);
	}
	return flags;
}

int
pk_wants(const struct pk_ring *pk, uint16_t old)
{
	struct pk_at pa = { 0 };
	unsigned int flags = pk_event(pk, &pa);
	int back = pk->pk_used.pa_pos - pa.pa_pos;

	if ((flags & 3) != PK_EVENT_DESC)
		return (flags & 3) == PK_EVENT_ENABLE;
	if (pa.pa_wrap != pk->pk_used.pa_wrap)
		back += (int)pk->pk_size;
	/* Of those used since, the one that is so far behind is it. */
	return back > 0 && back <= (uint16_t)(pk->pk_nused - old);
}

void
pk_ask(const struct pk_ring *pk, unsigned int flags,
    const struct pk_at *pa)
{
	uint8_t b[4];

	wire_put(b, 2, (uint16_t)(pa->pa_pos | pa->pa_wrap << 15));
	wire_put(b + 2, 2, flags);
	port_dma_write(pk->pk_device, b, 2);
	port_dma_write(pk->pk_device + 2, b + 2, 2);
}

static int
meets(bus_addr_t a, bus_size_t alen, bus_addr_t b, bus_size_t blen)
{
	return alen != 0 && a < b + blen && b < a + alen;
}

static int
taken_has(const struct pk_ring *pk, bus_addr_t addr, bus_size_t len)
{
	const struct taken *tk;
	unsigned int i;

	for (tk = takens; tk != NULL; tk = tk->tk_next)
		for (i = 0; tk->tk_ring == pk && i < tk->tk_nsegs; i++)
			if (meets(tk->tk_segs[i].addr, tk->tk_segs[i].len, addr,
			    len))
				return 1;
	return 0;
}

/* In memory as the CPU has it, without an access of the device's. */
static int
available_has(const struct pk_ring *pk, bus_addr_t addr, bus_size_t len)
{
	const uint8_t *p = port_dma_kva(pk->pk_desc, PK_LEN * pk->pk_size);
	struct pk_at pa = pk->pk_avail;
	const uint8_t *d, *table;
	unsigned int i, k, n;

	for (i = 0; p != NULL && i < pk->pk_size; i++) {
		d = p + PK_LEN * pa.pa_pos;
		if (!shows(&pa, (unsigned int)wire_get(d + 14, 2)))
			return 0;
		n = (unsigned int)wire_get(d + 8, 4);
		if (meets(wire_get(d, 8), n, addr, len))
			return 1;
		table = (wire_get(d + 14, 2) & PK_INDIRECT) ?
		    port_dma_kva(wire_get(d, 8), n) : NULL;
		for (k = 0; table != NULL && k + PK_LEN <= n;
		    k += PK_LEN)
			if (meets(wire_get(table + k, 8),
			    wire_get(table + k + 8, 4), addr, len))
				return 1;
		pk_step(pk, &pa, 1);
	}
	return 0;
}

const char *
pk_holds(const struct pk_ring *pk, bus_addr_t addr, bus_size_t len)
{
	if (meets(pk->pk_desc, PK_LEN * pk->pk_size, addr, len) ||
	    meets(pk->pk_driver, 4, addr, len) ||
	    meets(pk->pk_device, 4, addr, len))
		return "the ring of a queue that is enabled";
	if (taken_has(pk, addr, len))
		return "a chain that the device has taken";
	if (available_has(pk, addr, len))
		return "a chain that is available to the device";
	return NULL;
}
