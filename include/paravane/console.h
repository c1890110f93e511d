/* SPDX-License-Identifier: ISC */
/*
 * console.h - a serial console (Device Types / Console Device), one port
 *
 * MULTIPORT is not asked for: port 0 is the console. The driver copies: lines
 * of text are short, and the caller's memory need not be loaded.
 */
#ifndef PARAVANE_CONSOLE_H
#define PARAVANE_CONSOLE_H

#include <paravane/virtq.h>

#define PV_CONSOLE_F_SIZE		0
#define PV_CONSOLE_F_MULTIPORT		1
#define PV_CONSOLE_F_EMERG_WRITE	2

struct pv_console_callbacks {
	void (*cc_input)(void *arg);	/* pv_console_read has something */
	void (*cc_room)(void *arg);	/* pv_console_write has room again */
	void (*cc_changed)(void *arg);	/* call pv_console_size again */
	void (*cc_broken)(void *arg, const char *why);
};

struct pv_console_mem;

/* The driver's state. The port allocates it; all members are private. */
struct pv_console {
	struct pv_virtio *sc_dev;
	struct pv_console_callbacks sc_cb;
	void *sc_arg;
	struct pv_virtq *sc_rxq;
	struct pv_virtq *sc_txq;
	struct pv_console_mem *sc_mem;		/* DMA memory */
	uint8_t sc_running;
	uint64_t sc_in, sc_out;			/* bytes */
};

/* As of net.h; nothing to drain. cb may be NULL. Context: thread. */
int pv_console_attach(struct pv_console *, struct pv_virtio *dev,
    const struct pv_console_callbacks *, void *arg);
int pv_console_stop(struct pv_console *);
int pv_console_start(struct pv_console *);
int pv_console_detach(struct pv_console *);

/*
 * pv_console_write - queue bytes for output
 *
 * Returns how many of len were taken (0: no room now), without a wait; as a
 * negative number EIO broken, ENXIO stopped. Context: thread, or a kernel going
 * down. (Console Device / Device Operation)
 */
int pv_console_write(struct pv_console *, const void *buf, size_t len);

/*
 * pv_console_flush - wait until all output is with the device, or timeout_us
 * Errors: ETIMEDOUT, EIO. Context: as write; waits by pv_kern_delay_us.
 */
int pv_console_flush(struct pv_console *, unsigned int timeout_us);

/*
 * pv_console_read - fetch input; returns bytes, 0 if there is none, or as a
 * negative number EIO, ENXIO. cc_input tells of more only after fewer than len
 * bytes were returned. Context: thread.
 */
int pv_console_read(struct pv_console *, void *buf, size_t len);

/*
 * pv_console_size - columns and rows, where SIZE is negotiated
 * Errors: ENOTSUP it is not, or it says 0; EIO. Context: thread.
 */
int pv_console_size(struct pv_console *, unsigned int *cols,
    unsigned int *rows);

#endif /* PARAVANE_CONSOLE_H */
