/* SPDX-License-Identifier: ISC */
/* What the scenes of the two kinds of ring share: ring.c, packed.c. */
#ifndef QUEUE_H
#define QUEUE_H

#include "port.h"
#include "rig.h"

#define SIZE	8u
#define NBUFS	12
#define NCOOKIES 32
#define MAXPIECES 4
#define MAXSEGS	8

/* A chain that is to be enqueued, drawn of these buffers of 256 bytes. */
struct chain {
	struct pv_piece ch_pieces[MAXPIECES];
	unsigned int ch_n, ch_nout;
	unsigned int ch_segs;
	uint32_t ch_outlen, ch_inlen;	/* bytes */
};

void queue_draw_chain(struct chain *, struct port_buf *const *bufs);

/* Whether it can be, with so many free, in *ndesc of them. */
int queue_chain_result(const struct chain *, int tables, unsigned int nfree,
    unsigned int *ndesc);

/* Spurious interrupts are heard; lost ones are made up for by a poll. */
void queue_heard(void *);
void queue_poll(struct rig *, int broken, int pending);

#endif
