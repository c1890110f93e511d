/* SPDX-License-Identifier: ISC */
/*
 * A planted violation: a driver that is right but for one thing. The strict
 * model must report this rule, and no other.
 */
#ifndef PLANTED_H
#define PLANTED_H

#include "raw.h"

struct planted {
	const char *pl_name;
	enum strict_rule pl_rule;
	enum stand_kind pl_kind;
	unsigned int pl_type;
	unsigned int pl_nqueues;
	void (*pl_fn)(struct raw *);
};

extern const struct planted planted_core[];	/* a NULL name ends each */
extern const struct planted planted_ring[];
extern const struct planted planted_transport[];
extern const struct planted planted_device[];
extern const struct planted planted_blk[];
extern const struct planted planted_packed[];

/* A driver of a packed ring of which nothing is to be reported. */
void packed_good_driver(struct raw *, uint64_t features);

#endif
