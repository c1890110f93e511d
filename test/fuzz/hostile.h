/* SPDX-License-Identifier: ISC */
/*
 * What the scenes of drivers share: a device on the rig that lies.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "draw.h"
#include "port.h"
#include "rig.h"

extern struct rig rig;
extern int nbroken;		/* calls of hostile_broken, set to 0 by scenes */

/* A port and a device anew, before the scene sets the device up. */
void hostile_begin(unsigned int type);

/* A buffer goes, unless a device may reach it that will not let go of it. */
void hostile_buf_free(struct port_buf *);

/* No rule was broken, and nothing is left behind. */
void hostile_end(void);

/* For drivers' callbacks: broken, and all the others. */
void hostile_broken(void *arg, const char *why);
void hostile_intr(void *arg);

/*
 * The next chain of a queue, or 0; what the device has taken and not given back
 * is its own: loaded, or hostile_take, _give and _end do not hold. What it
 * gives back may arrive later, and out of order.
 */
int hostile_take(unsigned int queue, struct rig_chain *);
void hostile_give(unsigned int queue, const struct rig_chain *, uint32_t len);
void hostile_held(void);

/* A queue was reset alone: what the device had of it, it has no more. */
void hostile_queue_reset(unsigned int queue);

/* Whether any of a buffer's memory is in what it has. */
int hostile_has(const struct port_buf *);

/* Something out of the blue. */
void hostile_whim(void);

/* Some of the allocations until hostile_plenty may fail. */
void hostile_scarce(void);
void hostile_plenty(void);

/*
 * In some scenes the device never confirms another reset, or is removed:
 * whether this is one. Stop is then to fail, and nothing to be used again.
 */
int hostile_lost(void);

/* The last chance for that. */
int hostile_gone(void);

#endif
