/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the machine `applevz` share.
 */

#ifndef HW_APPLEVZ_APPLEVZ_H
#define HW_APPLEVZ_APPLEVZ_H

#include "hw/pci/pci.h"

/* Apple's PCI vendor, and the ids that its machine shows. */
#define APPLEVZ_PCI_VENDOR	0x106b
#define APPLEVZ_PCI_BRIDGE	0x1a05
#define APPLEVZ_PCI_XHCI	0x1a06

/* What every address space of the machine's begins and ends at. */
#define APPLEVZ_MMIO_BASE	0x50000000ULL
#define APPLEVZ_MMIO_SIZE	0x1ffe0000ULL

/*
 * A rule of the machine was broken by the guest. What happens then is the
 * caller's; under the machine's option `strict` the reason is printed, as
 * one line "applevz: strict: WHO: WHY"; once, if it is the same as the last.
 */
void applevz_violation(const char *who, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

/*
 * What holds of each PCI function of the machine, called once it is
 * realized: a write to a BAR that lies outside the windows is rejected, the
 * command register begins as 0x10, the interrupt pin is B, and with late_ms
 * not 0 the function is not on the bus before that many milliseconds of
 * each boot have passed.
 */
struct applevz_function {
	PCIDevice *af_dev;
	PCIConfigWriteFunc *af_write;	/* the device's own */
	const char *af_who;
	uint32_t af_bar[PCI_NUM_REGIONS];	/* accepted by the rule */
	uint32_t af_late_ms;
	QEMUTimer *af_timer;
	QTAILQ_ENTRY(applevz_function) af_entry;
};

void applevz_function_init(struct applevz_function *, PCIDevice *,
    const char *who, uint32_t late_ms);
void applevz_function_exit(struct applevz_function *);
void applevz_function_reset(struct applevz_function *);

/* After the reset of all: addresses for some of the functions, or all. */
enum applevz_assign {
	APPLEVZ_ASSIGN_NONE, APPLEVZ_ASSIGN_SOME, APPLEVZ_ASSIGN_ALL
};
void applevz_assign(enum applevz_assign, uint64_t high_base,
    uint64_t high_size);

#endif
