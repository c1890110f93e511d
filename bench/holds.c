/* SPDX-License-Identifier: ISC */
#include "holds.h"
#include "wire.h"

#define DESC_NEXT	1
#define DESC_INDIRECT	4
#define DESC_LEN	16

void
holds_take(struct holds *ho, unsigned int head)
{
	if (head < HOLDS_HEADS)
		ho->ho_taken[head / 8] |= (uint8_t)(1u << head % 8);
}

void
holds_give(struct holds *ho, uint32_t id)
{
	if (id < HOLDS_HEADS)
		ho->ho_taken[id / 8] &= (uint8_t)~(1u << id % 8);
}

static int
meets(bus_addr_t a, bus_size_t alen, bus_addr_t b, bus_size_t blen)
{
	return a < b + blen && b < a + alen;
}

/* Whether a chain of a table of n descriptors, from i on, has any of it. */
static int
chain_has(bus_addr_t table, unsigned int n, unsigned int i, bus_addr_t addr,
    bus_size_t len)
{
	const uint8_t *p = port_dma_kva(table, n * DESC_LEN), *d;
	unsigned int count, flags;
	uint32_t dlen;

	for (count = 0; p != NULL && i < n && count < n; count++) {
		d = p + i * DESC_LEN;
		dlen = (uint32_t)wire_get(d + 8, 4);
		flags = (unsigned int)wire_get(d + 12, 2);
		if (meets(wire_get(d, 8), dlen, addr, len))
			return 1;
		/* A table has none of its own: the second call is the last. */
		if ((flags & DESC_INDIRECT) && dlen >= DESC_LEN &&
		    dlen / DESC_LEN <= HOLDS_HEADS)
			return chain_has(wire_get(d, 8), dlen / DESC_LEN, 0,
			    addr, len);
		if (!(flags & DESC_NEXT))
			break;
		i = (unsigned int)wire_get(d + 14, 2);
	}
	return 0;
}

/* The same of what was made available, and not taken yet. */
static int
available_has(const struct pv_queue_place *qp, uint16_t next, bus_addr_t addr,
    bus_size_t len)
{
	const uint8_t *avail = port_dma_kva(qp->qp_driver, 4 + 2 * qp->qp_size);
	uint16_t idx;

	if (avail == NULL)
		return 0;
	idx = (uint16_t)wire_get(avail + 2, 2);
	if ((uint16_t)(idx - next) > qp->qp_size)
		return 0;
	for (; next != idx; next++)
		if (chain_has(qp->qp_desc, qp->qp_size, (unsigned int)wire_get(
		    avail + 4 + 2 * (next % qp->qp_size), 2), addr, len))
			return 1;
	return 0;
}

const char *
holds_what(const struct holds *ho, const struct pv_queue_place *qp,
    uint16_t next, bus_addr_t addr, bus_size_t len)
{
	unsigned int n = qp->qp_size, i;

	if (meets(qp->qp_desc, DESC_LEN * n, addr, len) ||
	    meets(qp->qp_driver, 6 + 2 * n, addr, len) ||
	    meets(qp->qp_device, 6 + 8 * n, addr, len))
		return "the ring of a queue that is enabled";
	for (i = 0; i < n && i < HOLDS_HEADS; i++)
		if ((ho->ho_taken[i / 8] & 1u << i % 8) &&
		    chain_has(qp->qp_desc, n, i, addr, len))
			return "a chain that the device has taken";
	if (available_has(qp, next, addr, len))
		return "a chain that is available to the device";
	return NULL;
}
