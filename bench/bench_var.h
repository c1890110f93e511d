/* SPDX-License-Identifier: ISC */
/*
 * The sanitizer's parts to one another: report.c says what was found, memory.c
 * is the cache and the device's memory, dmasan.c is the bus, trace.c hears of
 * the CPU's accesses.
 */
#ifndef BENCH_VAR_H
#define BENCH_VAR_H

#include <bench.h>

/*
 * Runs for each access, and touches the bench's own arrays alone: without a
 * sanitizer's look at each element.
 */
#define BENCH_QUICK	__attribute__((__no_sanitize__("address", "undefined")))

/* Call stacks */

#define STACK_DEPTH	14

struct stack {
	unsigned int sk_n;
	uintptr_t sk_pc[STACK_DEPTH];
};

void stack_take(struct stack *);

/* Findings */

/* What is known of the memory that a finding is about. */
struct about {
	const char *ab_what;		/* "loaded", "synced"; NULL: nothing */
	const struct stack *ab_stack;
	const char *ab_what2;
	const struct stack *ab_stack2;
};

void finding(enum bench_rule, const struct about *, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));
void findings_reset(void);

/* Memory: what each byte is, in chunks of CPU addresses. */

#define CHUNK		4096u

#define O_LINE		0x0001	/* loaded, behind the cache */
#define O_BOUNCE	0x0002	/* loaded, with a copy */
#define O_COHERENT	0x0004	/* loaded, one memory */
#define O_READ		0x0008	/* PREREAD: the device's, to write */
#define O_WRITE		0x0010	/* PREWRITE: the device may read it */
#define O_WRITTEN	0x0020	/* by the device, and not POSTREAD yet */
#define O_FROMDEV	0x0040	/* the device wrote it last */
#define O_FETCHED	0x0080	/* and the CPU has read that */
#define O_POLLED	0x0100	/* fields, see port.h */
#define O_INDEX		0x0200
#define O_EVENT		0x0400
#define O_FLAGS		0x0800
#define O_USER		0x1000	/* user space maps it */
#define O_TWICE		0x2000	/* in two chains at once, or a part of what
				 * the device was given came back */
#define O_BOTH		0x4000	/* both sides touch it for as long as it is
				 * loaded: a ring, as is said by asking for
				 * coherent memory */
#define O_SEEN		0x8000	/* the device has read it since PREWRITE */

#define O_FIELD		(O_POLLED | O_INDEX | O_EVENT | O_FLAGS)
#define O_LOADED	(O_LINE | O_BOUNCE | O_COHERENT)

struct chunk {
	struct chunk *ck_next;
	uintptr_t ck_base;
	unsigned int ck_refs;
	uint64_t ck_some;		/* by lines of 64 bytes: any O_LINE */
	uint64_t ck_whole;		/* all O_LINE */
	uint64_t ck_dirty;
	uint64_t ck_device;		/* touched by the device last */
	uint16_t ck_own[CHUNK];
	uint16_t ck_epoch[CHUNK];	/* of O_FETCHED */
	uint8_t ck_dev[CHUNK];		/* the device's memory */
	uint8_t ck_snap[CHUNK];		/* the CPU's, when last clean */
};

/* A run of bytes within one chunk. */
struct span {
	struct chunk *sp_ck;
	unsigned int sp_i;		/* in the chunk */
	unsigned int sp_n;
	uint8_t *sp_cpu;
	uint8_t *sp_dev;		/* in the chunk, or a copy */
};

/*
 * Bits of n bytes: the first whose bits of mask are want, or n; those that any
 * has; and all of them, changed.
 */
unsigned int own_find(const uint16_t *own, unsigned int n, uint16_t mask,
    uint16_t want);
uint16_t own_any(const uint16_t *own, unsigned int n);
void own_change(uint16_t *own, unsigned int n, uint16_t set, uint16_t clear);

struct chunk *chunk_find(uintptr_t addr);
void memory_add(const void *, size_t len, uint16_t own);
void memory_remove(const void *, size_t len);
void memory_reset(void);

/* Lines that hold bytes i .. i + n - 1 of the chunk. */
void lines_clean(struct chunk *, unsigned int i, unsigned int n,
    const struct about *);
void lines_invalidate(struct chunk *, unsigned int i, unsigned int n,
    const struct about *);
void lines_chance(struct chunk *);
int line_dirty(const struct chunk *, unsigned int i);

unsigned int line_size(void);

/* Where a line that holds byte i begins, and whether the CPU changed byte i. */
unsigned int line_of(unsigned int i);
int byte_changed(const struct chunk *, unsigned int i);
void chunk_touch(struct chunk *, unsigned int i, unsigned int n, int device);

extern struct bench_dma bench_config;
extern struct bench_counts bench_count;

/* Tracing, and order */

/* The device's view of coherent memory: stores that it does not see yet. */
void order_device_read(uintptr_t cpu, uint8_t *data, size_t len);
void order_device_write(uintptr_t cpu, size_t len);	/* before it does */
void order_catch_up(void);	/* what the CPU saw late is there */
void order_barrier(bool outer, char kind);
void order_reset(void);

/* A device is told of this field: what was stored there before asks nothing. */
void order_field(uintptr_t cpu, size_t len);

/* What is known of the map that holds this CPU address; may be empty. */
void about_cpu(uintptr_t, struct about *);

extern int bench_stepping;	/* a device runs between two accesses */

#endif
