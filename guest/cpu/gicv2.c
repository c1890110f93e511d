/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "gic.h"
#include "machine.h"
#include "mmio.h"
#include "vm.h"
#include "cpuvar.h"

#define GICC_CTLR	0x0000
#define GICC_PMR	0x0004
#define GICC_BPR	0x0008
#define GICC_IAR	0x000c
#define GICC_EOIR	0x0010

volatile char *gicd;

static volatile char *gicc;
static uint8_t target[MAXCPUS];

/* What firmware says of an address is a claim; an abort refutes it. */
volatile char *
gic_map(paddr_t pa, size_t size, size_t probe)
{
	volatile char *regs = vm_map_device(pa, size);
	uint32_t value;

	if (regs != NULL &&
	    vm_probe_read((volatile uint32_t *)(regs + probe), &value) != 0) {
		vm_unmap_device(regs, size);
		regs = NULL;
	}
	return regs;
}

void
gicd_enable(uint32_t intid, bool on)
{
	mmio_write32(gicd + (on ? GICD_ISENABLER : GICD_ICENABLER) +
	    intid / 32 * 4, 1u << (intid % 32));
}

/* regs are the distributor's, or those of a redistributor for a PPI. */
void
gicd_trigger(volatile char *regs, uint32_t intid, bool edge)
{
	volatile char *p = regs + GICD_ICFGR + intid / 16 * 4;
	uint32_t bit = 2u << (intid % 16 * 2);
	uint32_t v = mmio_read32(p);

	mmio_write32(p, edge ? v | bit : v & ~bit);
}

void
gicd_pend(uint32_t intid)
{
	mmio_write32(gicd + GICD_ISPENDR + intid / 32 * 4,
	    1u << (intid % 32));
}

/* All shared lines off, with one priority, level. */
void
gicd_init_lines(unsigned lines)
{
	for (unsigned i = 32; i < lines; i += 32) {
		mmio_write32(gicd + GICD_ICENABLER + i / 8, ~0u);
		mmio_write32(gicd + GICD_ICPENDR + i / 8, ~0u);
		mmio_write32(gicd + GICD_ICACTIVER + i / 8, ~0u);
	}
	for (unsigned i = 32; i < lines; i += 4)
		mmio_write32(gicd + GICD_IPRIORITYR + i, GIC_PRIORITY);
	for (unsigned i = 32; i < lines; i += 16)
		mmio_write32(gicd + GICD_ICFGR + i / 4, 0);
}

/* The first 32: SGIs on, PPIs off. */
void
gic_init_private(volatile char *regs)
{
	mmio_write32(regs + GICD_ICENABLER, 0xffff0000);
	mmio_write32(regs + GICD_ICPENDR, ~0u);
	mmio_write32(regs + GICD_ICACTIVER, ~0u);
	for (unsigned i = 0; i < 32; i += 4)
		mmio_write32(regs + GICD_IPRIORITYR + i, GIC_PRIORITY);
	mmio_write32(regs + GICD_ISENABLER, 0x0000ffff);
}

static int
v2_init(struct gic *g)
{
	const struct machine_gic *mg = &machine.m_gic;

	gicd = gic_map(mg->mg_dist, 0x1000, GICD_TYPER);
	gicc = gic_map(mg->mg_cpu, 0x1000, GICC_PMR);
	if (gicd == NULL || gicc == NULL)
		return ENXIO;
	g->g_lines = ((mmio_read32(gicd + GICD_TYPER) & 31) + 1) * 32;
	if (g->g_lines > GIC_MAXINTID)
		g->g_lines = GIC_MAXINTID;
	mmio_write32(gicd + GICD_CTLR, 0);
	gicd_init_lines(g->g_lines);
	mmio_write32(gicd + GICD_CTLR, 1);
	return 0;
}

static int
v2_prepare(struct cpu *c)
{
	/* The SGI register addresses eight. */
	return c->c_index < 8 ? 0 : ENXIO;
}

static void
v2_init_cpu(struct cpu *c)
{
	uint32_t v = 0;

	/* A CPU reads its own number's bit in the bytes of its own lines. */
	for (unsigned i = 0; i < 32 && v == 0; i += 4) {
		v = mmio_read32(gicd + GICD_ITARGETSR + i);
		v |= v >> 16;
		v = (v | v >> 8) & 0xff;
	}
	target[c->c_index] = (uint8_t)(v == 0 ? 1 : v);
	gic_init_private(gicd);
	mmio_write32(gicc + GICC_PMR, 0xff);
	mmio_write32(gicc + GICC_BPR, 0);
	mmio_write32(gicc + GICC_CTLR, 1);
}

static uint32_t
v2_ack(void)
{
	return mmio_read32(gicc + GICC_IAR);
}

static void
v2_eoi(uint32_t iar)
{
	mmio_write32(gicc + GICC_EOIR, iar);
}

static void
v2_trigger(uint32_t intid, bool edge)
{
	gicd_trigger(gicd, intid, edge);
}

static void
v2_route(uint32_t intid, struct cpu *c)
{
	mmio_write8(gicd + GICD_ITARGETSR + intid, target[c->c_index]);
}

static void
v2_sgi(struct cpu *c, unsigned sgi)
{
	mmio_write32(gicd + GICD_SGIR,
	    (uint32_t)target[c->c_index] << 16 | sgi);
}

struct gic gicv2 = {
	.g_name = "GICv2",
	.g_init = v2_init,
	.g_prepare = v2_prepare,
	.g_init_cpu = v2_init_cpu,
	.g_ack = v2_ack,
	.g_eoi = v2_eoi,
	.g_enable = gicd_enable,
	.g_trigger = v2_trigger,
	.g_route = v2_route,
	.g_pend = gicd_pend,
	.g_sgi = v2_sgi,
};
