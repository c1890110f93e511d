/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "desk.h"

void
desk_config(const char *words)
{
	struct bench_dma bd = { .bd_seed = 1 };

	assert_int_equal(bench_dma_parse(words, &bd), 0);
	bench_dma_use(&bd);
	port_reset();
}

void
desk_new(struct desk *dk, size_t len, int mapflags, int loadflags)
{
	void *va;

	memset(dk, 0, sizeof(*dk));
	dk->dk_len = len;
	assert_int_equal(bus_dmamem_alloc(&port_dma_tag, len, 128, 0,
	    dk->dk_segs, DESK_MAXSEGS, &dk->dk_nsegs, 0), 0);
	assert_int_equal(bus_dmamem_map(&port_dma_tag, dk->dk_segs,
	    dk->dk_nsegs, len, &va, mapflags), 0);
	dk->dk_va = va;
	assert_int_equal(bus_dmamap_create(&port_dma_tag, len, DESK_MAXSEGS,
	    len, 0, 0, &dk->dk_map), 0);
	assert_int_equal(bus_dmamap_load(&port_dma_tag, dk->dk_map, va, len,
	    NULL, loadflags), 0);
	dk->dk_addr = dk->dk_map->dm_segs[0].ds_addr;
	memset(dk->dk_va, 0, len);
}

void
desk_free(struct desk *dk)
{
	if (dk->dk_map->dm_mapsize != 0)
		desk_sync(dk, 0, dk->dk_len, BUS_DMASYNC_POSTWRITE);
	bus_dmamap_unload(&port_dma_tag, dk->dk_map);
	bus_dmamap_destroy(&port_dma_tag, dk->dk_map);
	bus_dmamem_unmap(&port_dma_tag, dk->dk_va, dk->dk_len);
	bus_dmamem_free(&port_dma_tag, dk->dk_segs, dk->dk_nsegs);
}

void
desk_sync(const struct desk *dk, size_t off, size_t len, int ops)
{
	bus_dmamap_sync(&port_dma_tag, dk->dk_map, off, len, ops);
}

uint8_t
desk_read(const struct desk *dk, size_t off)
{
	uint8_t b;

	port_dma_read(dk->dk_addr + off, &b, 1);
	return b;
}

void
desk_write(const struct desk *dk, size_t off, uint8_t b)
{
	port_dma_write(dk->dk_addr + off, &b, 1);
}

int
desk_finish(void **state)
{
	int bad;

	(void)state;
	bad = bench_check() != 0;
	port.po_violations = 0;
	bad |= port_check();
	bench_dma_use(NULL);
	port_reset();
	return bad;
}
