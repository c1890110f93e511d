/* SPDX-License-Identifier: ISC */
/*
 * Hosts, each as a table of what is known of it and where that is written down.
 */
#ifndef PROFILE_H
#define PROFILE_H

#include <stdint.h>

enum quirk {
	Q_STRICT,		/* judge all, and do the worst that is allowed */
	Q_MTU_NEEDED,		/* FEATURES_OK is refused without MTU */
	Q_RX_WEDGE,		/* a short receive buffer stops the device */
	Q_TSO_WHOLE,		/* HOST_TSO without GUEST_TSO is refused */
	Q_RESET_SLOW,		/* a reset takes some looks at the status */
	Q_INFO_ROOM,		/* display information without room for all of
				 * it: NEEDS_RESET */
	Q_NO_MRG,		/* MRG_RXBUF is not offered */
	Q_BARS_UNSET,		/* BARs have no address at first */
	Q_LATE,			/* the display is not there at first */
	Q_COALESCE,		/* four completions, one interrupt */
	Q_LOSE,			/* some interrupts never come */
	Q_SPURIOUS,		/* some come for nothing */
	Q_OVERSIZE,		/* frames above the MTU arrive */
	Q_RESIZE,		/* the window changes its size */
	Q_NEEDS_RESET,		/* the device asks for resets */
	Q_NO_PCI,		/* MMIO only */
	Q_NO_MMIO,		/* PCI only */
	Q_ODD,			/* the capability list holds all that may be */
	Q_NO_CTRL,		/* no control queue for network */
	Q_NO_EDID,
	Q_NO_SIZE,		/* consoles have no size */
	Q_PLATFORM,		/* ACCESS_PLATFORM, ORDER_PLATFORM offered */
	Q_UNKNOWN,		/* features of tomorrow are offered */
	Q_RING_RESET,		/* RING_RESET is offered */
	Q_ONE_QUEUE,		/* disks have no more */
	Q_FEW_BLK,		/* disks offer FLUSH, SEG_MAX, and little else */
	Q_LEN_DATA,		/* disks leave the status out of used lengths */
	Q_STATUS_ASTRAY,	/* a failed read has its status at its front */
	Q_WIDTHS,		/* registers take their own width alone */
	Q_PACKED,		/* packed rings are offered */
	Q_IN_ORDER,		/* buffers are used in order, in batches */
	Q_NOTIFY_DATA,		/* doorbells say more, and other numbers */
	Q_RESET_DEAF,		/* over MMIO a queue's reset does nothing */
	Q_SHUFFLE,		/* buffers are used in any order */
	Q_NQUIRKS
};

struct property {
	enum quirk pp_quirk;
	const char *pp_text;
	const char *pp_source;
};

/* All that a type of device offers, where that is known to the bit. */
struct offer {
	unsigned int of_type;	/* 0: the end */
	uint64_t of_features;
};

struct profile {
	const char *pr_name;
	const char *pr_text;
	const struct property *pr_properties;
	unsigned int pr_nproperties;
	const struct offer *pr_offers;	/* NULL: none */
};

/* NULL beyond the last; NULL if there is none of that name. */
const struct profile *profile_at(unsigned int i);
const struct profile *profile_named(const char *);
int profile_has(const struct profile *, enum quirk);

/* What a device of this type offers; rest where nothing is known. */
uint64_t profile_offers(const struct profile *, unsigned int type,
    uint64_t rest);

#endif
