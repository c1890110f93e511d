/* SPDX-License-Identifier: ISC */
/*
 * Memory shared with a device, made with bus_dma(9) by hand, for tests that get
 * it wrong.
 */
#ifndef DESK_H
#define DESK_H

#include <bench.h>

#define DESK_MAXSEGS	64

struct desk {
	bus_dma_segment_t dk_segs[DESK_MAXSEGS];
	int dk_nsegs;
	uint8_t *dk_va;
	size_t dk_len;
	bus_dmamap_t dk_map;
	bus_addr_t dk_addr;		/* of the first segment */
};

/* Begin a test: the sanitizer as words say (bench_dma_parse). */
void desk_config(const char *words);

/* Allocated, mapped with flags, loaded with loadflags; given back. */
void desk_new(struct desk *, size_t len, int mapflags, int loadflags);
void desk_free(struct desk *);

void desk_sync(const struct desk *, size_t off, size_t len, int ops);

/* As a device: one byte at an offset. */
uint8_t desk_read(const struct desk *, size_t off);
void desk_write(const struct desk *, size_t off, uint8_t);

/* Nothing but what was expected, nothing left behind. cmocka teardown. */
int desk_finish(void **);

#endif
