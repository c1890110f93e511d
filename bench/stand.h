/* SPDX-License-Identifier: ISC */
/*
 * A device model on each transport, ready for a driver: what most tests begin
 * with.
 */
#ifndef STAND_H
#define STAND_H

#include <paravane/virtq.h>

#include "fake.h"

enum stand_kind { STAND_PCI, STAND_MMIO, STAND_LEGACY };

/*
 * Legacy devices are as their CPU is; the library drives them where that is
 * little-endian. The kinds that are driven here, and the last of them.
 */
#define STAND_HAS_LEGACY	(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define STAND_NKINDS		(STAND_HAS_LEGACY ? 3 : 2)
#define STAND_OLDEST		(STAND_HAS_LEGACY ? STAND_LEGACY : STAND_MMIO)

struct stand {
	enum stand_kind st_kind;
	struct fake_dev st_fd;
	struct fake_pci st_fp;
	struct fake_mmio st_fm;
	struct pv_pci st_pp;
	struct pv_mmio st_mm;
	struct pv_virtio st_dev;
	unsigned int st_nbroken;	/* calls of vc_broken */
	unsigned int st_nconfig;	/* and of vc_config */
	const char *st_why;
};

/* Reset the port, and make the models: then a test changes them. */
void stand_init(struct stand *, enum stand_kind, unsigned int type,
    unsigned int nqueues);

/* Attach the transport, and pv_virtio_init. Returns what they return. */
int stand_attach(struct stand *);

/* Detach the transport; port_check and what the models know. 0 is good. */
int stand_finish(struct stand *);

#endif
