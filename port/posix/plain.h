/* SPDX-License-Identifier: ISC */
/*
 * The least transport: a device in this process that agrees to all that it is
 * asked, and has a configuration that nobody writes. What it does with its
 * queues is its owner's, who is told where they are.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <paravane/transport.h>

/* The argument of plain_transport; set before pv_virtio_init. */
struct plain {
	uint64_t pl_offered;		/* features */
	unsigned int pl_nqueues;
	unsigned int pl_queue_max;	/* entries, of each */
	enum pv_intr_mode pl_intr;	/* as the owner interrupts */
	const uint8_t *pl_config;	/* NULL if pl_configlen is 0 */
	unsigned int pl_configlen;
	/* Each may be NULL. */
	void (*pl_enable)(unsigned int queue, const struct pv_queue_place *);
	void (*pl_notify)(unsigned int queue, uint32_t data);

	uint8_t pl_status;		/* as the driver wrote it */
};

extern const struct pv_transport_ops plain_transport;

#endif
