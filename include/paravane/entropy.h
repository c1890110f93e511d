/* SPDX-License-Identifier: ISC */
/*
 * entropy.h - random bytes from the host (Device Types / Entropy Device)
 */
#ifndef PARAVANE_ENTROPY_H
#define PARAVANE_ENTROPY_H

#include <paravane/virtq.h>

#define PV_ENTROPY_BUFLEN	256	/* bytes asked for at once */

struct pv_entropy_callbacks {
	void (*ec_ready)(void *arg);	/* pv_entropy_read has something; any
					 * context */
	void (*ec_broken)(void *arg, const char *why);
};

struct pv_dmamem;

/* The driver's state. The port allocates it; all members are private. */
struct pv_entropy {
	struct pv_virtio *sc_dev;
	struct pv_entropy_callbacks sc_cb;
	void *sc_arg;
	struct pv_virtq *sc_requestq;
	struct pv_dmamem *sc_mem;		/* DMA memory */
	uint8_t sc_asked;			/* the buffer is the device's */
	uint8_t sc_running;
	uint64_t sc_bytes;			/* read in all */
};

/*
 * pv_entropy_attach, _stop, _start, _detach - as of net.h; the driver's buffer
 * is its own, so there is nothing to drain. cb may be NULL. Context: thread.
 */
int pv_entropy_attach(struct pv_entropy *, struct pv_virtio *dev,
    const struct pv_entropy_callbacks *, void *arg);
int pv_entropy_stop(struct pv_entropy *);
int pv_entropy_start(struct pv_entropy *);
int pv_entropy_detach(struct pv_entropy *);

/*
 * pv_entropy_request - ask the device for bytes, unless it was already asked
 * Errors: EIO broken; ENXIO stopped. Context: thread.
 */
int pv_entropy_request(struct pv_entropy *);

/*
 * pv_entropy_read - fetch what the device gave, at most PV_ENTROPY_BUFLEN bytes
 *
 * Returns the number of bytes, never above len: the rest is dropped. 0: nothing
 * yet, or the device gave nothing. As a negative number: EIO, ENXIO. What is
 * returned is the host's choice: mix it in, do not trust it alone.
 * Context: thread.
 */
int pv_entropy_read(struct pv_entropy *, void *buf, size_t len);

#endif /* PARAVANE_ENTROPY_H */
