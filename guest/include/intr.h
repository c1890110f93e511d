/* SPDX-License-Identifier: ISC */
/*
 * Interrupts. An INTID is the GIC's number: 0-15 between CPUs, 16-31 of a
 * CPU, 32-1019 shared, from 8192 on those that an ITS delivers.
 */
#ifndef GUEST_INTR_H
#define GUEST_INTR_H

#include "mtypes.h"

#define INTR_LEVEL	0x0	/* asserted high until the cause is gone */
#define INTR_EDGE	0x1
#define INTR_SHARED	0x2	/* others may be on the same line */

struct intr;		/* one established handler */

/*
 * A handler runs with interrupts off, on the CPU that the interrupt is
 * routed to. It acknowledges, counts and signals; it does not allocate,
 * sleep or print.  It returns true if the interrupt was its own.
 *
 * A level interrupt that nobody claims 1000 times in a row is masked and
 * reported once: a stuck line does not stop the machine.  Its handlers stay
 * and intr_unmask lets it through again.
 */
#define INTR_STORM	1000

/*
 * intr_establish - attach a handler and let the interrupt through
 *
 * intid	as the GIC, msi_alloc or the machine's description names it
 * flags	INTR_*; of a PPI, the handler is for each CPU
 * cpu		where it is taken; ignored for a PPI
 * name		for counters, kept by reference
 * cookie	may be NULL
 *
 * Returns 0; EINVAL for an INTID that the GIC does not have or a CPU that
 * does not run; EBUSY if taken and not shared by both, or with another
 * trigger; ENOMEM; ENXIO without a GIC.
 */
int intr_establish(uint32_t intid, int flags, unsigned cpu,
    bool (*fn)(void *), void *arg, const char *name, struct intr **cookie);

/* When it returns, the handler does not run and will not again. */
void intr_disestablish(struct intr *);

/* intr_route - have it taken by another CPU. Errors as intr_establish. */
int intr_route(uint32_t intid, unsigned cpu);
void intr_mask(uint32_t intid);
void intr_unmask(uint32_t intid);
/* intr_raise - make an SPI or LPI pending by software, for tests. ENOTSUP. */
int intr_raise(uint32_t intid);

/*
 * Message-signalled interrupts.
 *
 * A vector is an address and a datum that a device writes, and the INTID
 * that this raises: establish a handler on that (INTR_EDGE) with the CPU
 * that is to take it.  The address is a bus address as long as there is no
 * IOMMU, which is the case wherever MSI goes through here.
 */
struct msi_vec {
	uint64_t	mv_addr;
	uint32_t	mv_data;
	uint32_t	mv_intid;
};

/*
 * msi_alloc - vectors for a device
 *
 * devid	what the ITS sees of it: the requester id, after the machine's
 *		msi-map or IORT.  Ignored by GICv2m.
 * nvec		how many are asked for
 * vec		nvec entries, filled up to the number returned
 * got		how many there are: nvec or, of a GICv2m frame that is nearly
 *		used up, fewer, but at least one
 *
 * Returns 0; ENOTSUP without ITS and GICv2m frame or with msi=off; ENOSPC,
 * ENOMEM; EBUSY if devid has vectors already; EIO if the ITS does not
 * answer.  Used with the device quiet.
 */
int msi_alloc(uint32_t devid, unsigned nvec, struct msi_vec *vec,
    unsigned *got);
/* Handlers were disestablished before. */
void msi_free(uint32_t devid, struct msi_vec *vec, unsigned nvec);
/* "its", "v2m" or "none" */
const char *msi_kind(void);

/*
 * Interrupts between CPUs. A handler is established by intr_establish, with the
 * number for its INTID. Of 0-7 two are taken: 0 by cpu_call and event_signal, 1
 * by cpu_stop_others.
 */
void sgi_send(unsigned cpu, unsigned sgi);

/*
 * Counters. intr_walk calls fn for each established handler with its name,
 * INTID, CPU and how often it was taken; intr_count is of one INTID (the sum
 * over CPUs).
 */
struct intr_stat {
	const char	*is_name;
	uint32_t	is_intid;
	unsigned	is_cpu;
	uint64_t	is_count;	/* taken */
	uint64_t	is_percpu[MAXCPUS];
	bool		is_masked;	/* by the storm protection */
};
void intr_walk(void (*fn)(const struct intr_stat *, void *), void *arg);
uint64_t intr_count(uint32_t intid);
uint64_t intr_spurious(void);

/* "GICv3, 288 interrupts, ITS, 1 v2m frame" */
void intr_describe(char *buf, size_t len);

/* True in a handler. */
bool intr_context(void);

/* Start the controller (once) and this CPU's part of it. */
void intr_init(void);
void intr_init_cpu(void);

#endif
