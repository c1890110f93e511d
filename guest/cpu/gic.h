/* SPDX-License-Identifier: ISC */
/*
 * Inside of the interrupt code: what a controller offers to intr.c, and the
 * ITS to msi.c.  Registers: Arm GIC architecture specification, IHI 0048
 * (version 2) and IHI 0069 (versions 3 and 4).
 */
#ifndef GUEST_CPU_GIC_H
#define GUEST_CPU_GIC_H

#include "mtypes.h"

struct cpu;

#define GIC_SPURIOUS	1020	/* from here to 1023: nothing to take */
#define GIC_MAXINTID	1020
#define LPI_BASE	8192
#define LPI_COUNT	1024	/* that we hand out */

#define GICD_CTLR	0x0000
#define GICD_TYPER	0x0004
#define GICD_IGROUPR	0x0080
#define GICD_ISENABLER	0x0100
#define GICD_ICENABLER	0x0180
#define GICD_ISPENDR	0x0200
#define GICD_ICPENDR	0x0280
#define GICD_ICACTIVER	0x0380
#define GICD_IPRIORITYR	0x0400
#define GICD_ITARGETSR	0x0800
#define GICD_ICFGR	0x0c00
#define GICD_SGIR	0x0f00
#define GICD_IROUTER	0x6000

#define GIC_PIDR2	0xffe8	/* GICD, GICR and GITS of version 3 */

#define GIC_PRIORITY	0xa0a0a0a0u

struct gic {
	const char	*g_name;
	unsigned	g_lines;	/* INTIDs below this exist */
	int	(*g_init)(struct gic *);
	/* On CPU 0, before a CPU is started; then on that CPU. */
	int	(*g_prepare)(struct cpu *);
	void	(*g_init_cpu)(struct cpu *);
	uint32_t (*g_ack)(void);	/* what g_eoi wants back */
	void	(*g_eoi)(uint32_t);
	/* Of a PPI: on the calling CPU. */
	void	(*g_enable)(uint32_t intid, bool on);
	void	(*g_trigger)(uint32_t intid, bool edge);
	void	(*g_route)(uint32_t intid, struct cpu *);
	void	(*g_pend)(uint32_t intid, bool on);
	void	(*g_sgi)(struct cpu *, unsigned sgi);
};

extern struct gic gicv2, gicv3;

/* What the distributor of both versions has in common. */
extern volatile char *gicd;
void	gicd_init_lines(unsigned lines);
void	gicd_enable(uint32_t intid, bool on);
void	gicd_trigger(volatile char *regs, uint32_t intid, bool edge);
void	gicd_pend(uint32_t intid, bool on);
void	gic_init_private(volatile char *regs);

/*
 * Map registers where something answers a 32-bit read at `probe`, which is a
 * register that every driver reads; NULL where nothing does.
 */
volatile char *gic_map(paddr_t, size_t, size_t probe);

/* GICv3 for the ITS: the redistributor's registers of a CPU. */
struct gicr {
	volatile char	*gr_regs;
	paddr_t		gr_pa;
	uint64_t	gr_typer;
};
const struct gicr *gicv3_redist(unsigned cpu);
/* Physical LPIs on this CPU; called from gicv3's g_init_cpu. */
void	its_init_cpu(unsigned cpu, const struct gicr *);
int	its_prepare_cpu(unsigned cpu);

int	its_init(void);
bool	its_present(void);
int	its_alloc(uint32_t devid, unsigned nvec, uint32_t *intid,
	    uint64_t *addr);
void	its_free(uint32_t devid, const uint32_t *intid, unsigned nvec);
void	its_enable(uint32_t intid, bool on);
int	its_route(uint32_t intid, unsigned cpu);
int	its_pend(uint32_t intid);
bool	its_owns(uint32_t intid);

/* msi.c */
void	msi_init(void);
unsigned msi_frames(void);

#endif
