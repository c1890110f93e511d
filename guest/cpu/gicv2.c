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

static volatile char *gicc;
static uint8_t target[MAXCPUS];

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
