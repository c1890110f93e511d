/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "gic.h"
#include "ktime.h"
#include "log.h"
#include "machine.h"
#include "mmio.h"
#include "vm.h"
#include "cpuvar.h"

#define GICD_CTLR_RWP	(1u << 31)
#define GICD_CTLR_ON	0x13	/* ARE_NS, EnableGrp1A, EnableGrp1 */

#define GICR_WAKER	0x0014
#define GICR_TYPER	0x0008
#define GICR_FRAME	0x20000u
#define GICR_SGI	0x10000u
#define TYPER_VLPIS	(1u << 1)
#define TYPER_LAST	(1u << 4)

#define WAKER_SLEEP	(1u << 1)
#define WAKER_ASLEEP	(1u << 2)

#define ICC_PMR		"S3_0_C4_C6_0"
#define ICC_IAR1	"S3_0_C12_C12_0"
#define ICC_EOIR1	"S3_0_C12_C12_1"
#define ICC_BPR1	"S3_0_C12_C12_3"
#define ICC_CTLR	"S3_0_C12_C12_4"
#define ICC_SRE		"S3_0_C12_C12_5"
#define ICC_IGRPEN1	"S3_0_C12_C12_7"
#define ICC_SGI1R	"S3_0_C12_C11_5"

static struct gicr redist[MAXCPUS];

const struct gicr *
gicv3_redist(unsigned cpu)
{
	return &redist[cpu];
}

static void
wait_rwp(void)
{
	uint64_t start = uptime_ns();

	while ((mmio_read32(gicd + GICD_CTLR) & GICD_CTLR_RWP) != 0 &&
	    uptime_ns() - start < 100 * NS_PER_MS)
		;
}

static void
v3_route(uint32_t intid, struct cpu *c)
{
	mmio_write64(gicd + GICD_IROUTER + 8ul * intid, c->c_mpidr);
}

static int
v3_init(struct gic *g)
{
	gicd = gic_map(machine.m_gic.mg_dist, 0x10000, GIC_PIDR2);
	if (gicd == NULL)
		return ENXIO;
	g->g_lines = ((mmio_read32(gicd + GICD_TYPER) & 31) + 1) * 32;
	if (g->g_lines > GIC_MAXINTID)
		g->g_lines = GIC_MAXINTID;
	mmio_write32(gicd + GICD_CTLR, 0);
	wait_rwp();
	for (unsigned i = 32; i < g->g_lines; i += 32)
		mmio_write32(gicd + GICD_IGROUPR + i / 8, ~0u);
	gicd_init_lines(g->g_lines);
	wait_rwp();
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_ON);
	wait_rwp();
	for (unsigned i = 32; i < g->g_lines; i++)
		v3_route(i, &cpus[0]);
	return 0;
}

/* MPIDR's fields, packed as GICR_TYPER has them. */
static uint32_t
packed_affinity(uint64_t mpidr)
{
	return (uint32_t)((mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24);
}

static bool
try_frame(paddr_t pa, uint32_t affinity, struct gicr *gr)
{
	gr->gr_regs = gic_map(pa, GICR_FRAME, GIC_PIDR2);
	if (gr->gr_regs == NULL)
		return false;
	gr->gr_pa = pa;
	gr->gr_typer = mmio_read64(gr->gr_regs + GICR_TYPER);
	if (gr->gr_typer >> 32 == affinity)
		return true;
	vm_unmap_device(gr->gr_regs, GICR_FRAME);
	gr->gr_regs = NULL;
	return false;
}

static bool
search_region(const struct machine_redist *mr, uint32_t affinity,
    struct gicr *gr)
{
	uint64_t at = 0, stride;

	while (at <= mr->mr_size && mr->mr_size - at >= GICR_FRAME) {
		if (try_frame(mr->mr_base + at, affinity, gr))
			return true;
		stride = mr->mr_stride;
		if (stride == 0)
			stride = gr->gr_typer & TYPER_VLPIS ? 2 * GICR_FRAME :
			    GICR_FRAME;
		if (gr->gr_typer & TYPER_LAST)
			break;
		at += stride;
	}
	return false;
}

static int
v3_prepare(struct cpu *c)
{
	const struct machine_gic *mg = &machine.m_gic;
	uint32_t affinity = packed_affinity(c->c_mpidr);
	struct gicr *gr = &redist[c->c_index];

	for (unsigned i = 0; i < machine.m_ncpus; i++) {
		if (machine.m_cpu[i].mc_mpidr == c->c_mpidr &&
		    machine.m_cpu[i].mc_gicr != 0 &&
		    try_frame(machine.m_cpu[i].mc_gicr, affinity, gr))
			return its_prepare_cpu(c->c_index);
	}
	for (unsigned i = 0; i < mg->mg_nredist; i++)
		if (search_region(&mg->mg_redist[i], affinity, gr))
			return its_prepare_cpu(c->c_index);
	return ENXIO;
}

static void
wake(volatile char *regs)
{
	uint64_t start = uptime_ns();

	mmio_write32(regs + GICR_WAKER,
	    mmio_read32(regs + GICR_WAKER) & ~WAKER_SLEEP);
	while ((mmio_read32(regs + GICR_WAKER) & WAKER_ASLEEP) != 0 &&
	    uptime_ns() - start < 100 * NS_PER_MS)
		;
}

static void
v3_init_cpu(struct cpu *c)
{
	volatile char *regs = redist[c->c_index].gr_regs;

	wake(regs);
	mmio_write32(regs + GICR_SGI + GICD_IGROUPR, ~0u);
	gic_init_private(regs + GICR_SGI);
	its_init_cpu(c->c_index, &redist[c->c_index]);

	sysreg_write(ICC_SRE, sysreg_read(ICC_SRE) | 1);
	isb();
	sysreg_write(ICC_PMR, 0xff);
	sysreg_write(ICC_BPR1, 0);
	sysreg_write(ICC_CTLR, 0);
	sysreg_write(ICC_IGRPEN1, 1);
	isb();
}

static uint32_t
v3_ack(void)
{
	uint32_t v = (uint32_t)sysreg_read(ICC_IAR1);

	/* What the handler reads of memory comes after the acknowledge. */
	dsb(sy);
	return v;
}

static void
v3_eoi(uint32_t iar)
{
	sysreg_write(ICC_EOIR1, iar);
	isb();
}

static void
v3_enable(uint32_t intid, bool on)
{
	if (intid >= 32) {
		gicd_enable(intid, on);
		return;
	}
	mmio_write32(redist[cpu_id()].gr_regs + GICR_SGI +
	    (on ? GICD_ISENABLER : GICD_ICENABLER), 1u << intid);
}

static void
v3_trigger(uint32_t intid, bool edge)
{
	gicd_trigger(intid >= 32 ? gicd :
	    redist[cpu_id()].gr_regs + GICR_SGI, intid, edge);
}

static void
v3_sgi(struct cpu *c, unsigned sgi)
{
	uint64_t m = c->c_mpidr;
	uint64_t v = (m >> 32 & 0xff) << 48 | (m >> 16 & 0xff) << 32 |
	    (uint64_t)sgi << 24 | (m >> 8 & 0xff) << 16 |
	    (m >> 4 & 15) << 44 | 1ull << (m & 15);

	/* What it is told of is visible first. */
	dsb(ishst);
	sysreg_write(ICC_SGI1R, v);
	isb();
}

struct gic gicv3 = {
	.g_name = "GICv3",
	.g_init = v3_init,
	.g_prepare = v3_prepare,
	.g_init_cpu = v3_init_cpu,
	.g_ack = v3_ack,
	.g_eoi = v3_eoi,
	.g_enable = v3_enable,
	.g_trigger = v3_trigger,
	.g_route = v3_route,
	.g_pend = gicd_pend,
	.g_sgi = v3_sgi,
};
