/* SPDX-License-Identifier: ISC */
/*
 * Mistakes of drivers that were written down somewhere, each planted once more:
 * in a driver by hand (test/conform/raw.h), in memory by hand (desk.h), or in a
 * few careless lines between a device's values and their use. test_mistakes.c
 * plays each in a process of its own, and looks for what is reported there.
 */
#ifndef MISTAKES_H
#define MISTAKES_H

#include "../conform/raw.h"
#include "desk.h"
#include "vdev.h"

struct mistake {
	const char *mi_point;	/* where it stands; of a NULL name the end */
	const char *mi_name;
	void (*mi_fn)(void);	/* NULL: mi_report says why there is none */
	const char *mi_report;	/* what is seen; NULL: nothing at all */
};

#define MISTAKE(point, fn, report)	{ point, #fn, fn, report }
#define NO_MISTAKE(point, why)		{ point, why, NULL, NULL }

extern const struct mistake mistakes_openbsd[], mistakes_others[];

/* What the mistakes are made with. */
extern struct raw mistake_raw;
extern struct vdev mistake_vd;
extern struct desk mistake_desk;

/*
 * A device of some profile with just these features beside those of rings, that
 * judges all that the specification says.
 */
void mistake_device(enum stand_kind, unsigned int type, const char *profile,
    uint64_t features);

/* After a minute of the port's clock: who waits so long waits for ever. */
void mistake_patience(void);

/* Memory on a bus as words say (bench_dma_parse). */
void mistake_memory(const char *words, size_t len);

/* What whoever uses the driver would find missing. */
void mistake_want(int cond, const char *what);

/* A driver's memory, which the compiler knows nothing of. */
void *mistake_alloc(size_t);
void mistake_free(void *);

/* All that is used was looked at; does the device wait for anything else? */
void mistake_settle(void);

/* A request on the display's control queue; the answer's type. */
uint32_t mistake_gpu(uint32_t type, uint32_t outlen, uint32_t inlen,
    const uint32_t *words);

/* Resource 1, w x h, backed by what lies at r_buf + 2048; and shown. */
void mistake_resource(uint32_t w, uint32_t h);

#endif
