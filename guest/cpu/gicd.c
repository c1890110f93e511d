/* SPDX-License-Identifier: ISC */
/* What GICv2 and GICv3 have in common: the distributor's shared lines. */
#include "gic.h"
#include "mmio.h"
#include "vm.h"

volatile char *gicd;

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
gicd_pend(uint32_t intid, bool on)
{
	mmio_write32(gicd + (on ? GICD_ISPENDR : GICD_ICPENDR) +
	    intid / 32 * 4, 1u << (intid % 32));
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
