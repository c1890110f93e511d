/* SPDX-License-Identifier: ISC */
/* What the scenes of the two kinds of ring share: ring.c, packed.c. */
#ifndef QUEUE_H
#define QUEUE_H

#include <paravane/virtq.h>

#include "port.h"
#include "rig.h"

#define SIZE	8u
#define NBUFS	12
#define NCOOKIES 32
#define MAXPIECES 4
#define MAXSEGS	8

struct queue_config {
	uint64_t features;
	int legacy;
	int shadow;
	bus_size_t segsize;		/* of buffers; 0: any */
	enum pv_virtq_policy policy;
};

/* A chain, which it stands for. */
struct cookie {
	enum { IDLE, ENQUEUED, OUTSTANDING } state;
	uint32_t outlen, inlen;
	unsigned int ndesc;
	unsigned int id;		/* where the driver put it */
	int given;			/* by an honest device */
};

/* A device of that kind, its queue, which runs, and NBUFS of 256 bytes each. */
struct pv_virtq *queue_make(struct rig *, const struct queue_config *,
    struct port_buf **bufs);

/*
 * Enqueue a chain that is drawn, and hold the driver to what must become of it.
 * Returns its cookie; or NULL, where there was no room, or it was too long.
 */
struct cookie *queue_enqueue(struct pv_virtq *, struct cookie *,
    struct port_buf *const *bufs, int tables, unsigned int nfree, int broken);

/* Each cookie comes back once; then nothing of the old life counts. */
void queue_drain(struct pv_virtq *, struct cookie *);

/* Stop, drain, start. */
void queue_restart(struct rig *, struct pv_virtq *, struct cookie *);

/* Spurious interrupts are heard; lost ones are made up for by a poll. */
void queue_poll(struct rig *, int broken, int pending);

/* What is drawn next: a call of the driver's, or a deed of the device's. */
struct queue_scene {
	void (*enqueue)(void);
	void (*publish)(void);
	void (*dequeue)(void);
	void (*enable)(unsigned int n);	/* interrupts; n: after so many */
	int (*pending)(void);		/* where nothing is broken */
	void (*seldom)(void);		/* what takes long */
	void (*device)(void);
	void (*honest)(void);		/* device */
};

void queue_step(const struct queue_scene *, struct rig *, struct pv_virtq *,
    const int *broken);

#endif
