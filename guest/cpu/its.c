/* SPDX-License-Identifier: ISC */
/*
 * The interrupt translation service: device id and event to LPI. One ITS,
 * the machine's first; a collection for each CPU, numbered as the CPU is.
 */
#include <errno.h>
#include <string.h>

#include "gic.h"
#include "intr.h"
#include "itscmd.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "machine.h"
#include "mmio.h"
#include "vm.h"
#include "cpuvar.h"

#define GITS_CTLR	0x0000
#define GITS_TYPER	0x0008
#define GITS_CBASER	0x0080
#define GITS_CWRITER	0x0088
#define GITS_CREADR	0x0090
#define GITS_BASER	0x0100
#define GITS_NBASER	8
#define GITS_TRANSLATER	0x10040
#define GITS_SIZE	0x10000

#define CTLR_ENABLED	(1u << 0)
#define CTLR_QUIESCENT	(1u << 31)
#define TYPER_PTA	(1u << 19)
#define CREADR_STALLED	1

#define GICR_CTLR	0x0000
#define GICR_CTLR_LPI	(1u << 0)
#define GICR_CTLR_RWP	(1u << 3)
#define GICR_PROPBASER	0x0070
#define GICR_PENDBASER	0x0078

#define BASE_VALID	(1ull << 63)
#define BASE_INDIRECT	(1ull << 62)
#define BASE_TYPE(v)	((unsigned)((v) >> 56) & 7)
#define BASE_ESIZE(v)	(((unsigned)((v) >> 48) & 31) + 1)
#define BASE_CACHED	(7ull << 59)	/* inner; outer the same */
#define BASE_INNER	(1ull << 10)
#define BASE_SHARE	(3ull << 10)
#define BASE_PAGE(v)	((unsigned)((v) >> 8) & 3)
#define TYPE_DEVICE	1
#define TYPE_COLLECTION	4

#define GICR_CACHED	(7ull << 7)
#define PEND_ZERO	(1ull << 62)

#define LPI_IDBITS	14		/* 8192 to 16383 */
#define LPI_ENABLED	1
#define LPI_PRIORITY	0xa2		/* bit 1 is RES1 */

#define QUEUE_BYTES	4096u
#define WAIT_NS		(500 * NS_PER_MS)
#define MAXDEV		64

struct itsdev {
	uint32_t	d_id;
	paddr_t		d_itt;
	size_t		d_npages;
	bool		d_used;
};

struct lpi {
	uint32_t	lp_devid;
	uint16_t	lp_event;
	uint8_t		lp_cpu;
	bool		lp_used;
};

static volatile char *gits;
static paddr_t gits_pa;
static uint64_t typer;
static uint8_t *config;			/* a byte an LPI */
static paddr_t pending[MAXCPUS];
static bool collection_ok[MAXCPUS];
static struct its_cmd *queue;
static unsigned queue_at;		/* bytes */
static bool queue_flush, config_flush, table_flush;
static struct itsdev devs[MAXDEV];
static struct lpi lpis[LPI_COUNT];

/* The device table: flat, or one level of pages that come when needed. */
static struct {
	uint64_t	*t_first;
	bool		t_indirect;
	unsigned	t_esize;
	size_t		t_pagesize;
	uint64_t	t_ids;		/* device ids that it holds */
} devtable;

bool
its_present(void)
{
	return gits != NULL && collection_ok[0];
}

/* Zeroed memory that the GIC reads and writes. */
static void *
gic_memory(size_t size, size_t align)
{
	size_t npages = (size + PAGE_MASK) >> PAGE_SHIFT;
	paddr_t pa = page_alloc(npages, align, 0);
	void *p;

	if (pa == 0)
		return NULL;
	p = vm_dmap(pa, npages << PAGE_SHIFT);
	memset(p, 0, npages << PAGE_SHIFT);
	cache_clean_invalidate(p, npages << PAGE_SHIFT);
	return p;
}

static bool
wait32(volatile char *reg, uint32_t mask, uint32_t want)
{
	uint64_t start = uptime_ns();

	while ((mmio_read32(reg) & mask) != want)
		if (uptime_ns() - start > WAIT_NS)
			return false;
	return true;
}

static void
post(const struct its_cmd *cmd)
{
	struct its_cmd *slot = &queue[queue_at / sizeof(*cmd)];

	*slot = *cmd;
	if (queue_flush)
		cache_clean(slot, sizeof(*slot));
	queue_at = (queue_at + (unsigned)sizeof(*cmd)) % QUEUE_BYTES;
}

/* Let the ITS do what was posted; EIO if it stalls or takes for ever. */
static int
run(void)
{
	uint64_t start, r;

	dsb(sy);
	mmio_write64(gits + GITS_CWRITER, queue_at);
	start = uptime_ns();
	for (;;) {
		r = mmio_read64(gits + GITS_CREADR);
		if (r & CREADR_STALLED)
			break;
		if ((r & (QUEUE_BYTES - 1)) == queue_at)
			return 0;
		if (uptime_ns() - start > WAIT_NS)
			break;
	}
	klog(LOG_ERR, "its: a command is not done, CREADR 0x%llx",
	    (unsigned long long)r);
	return EIO;
}

static uint64_t
rdbase(unsigned cpu)
{
	const struct gicr *gr = gicv3_redist(cpu);

	return its_rdbase((typer & TYPER_PTA) != 0, gr->gr_pa, gr->gr_typer);
}

/* Write a base register; what the ITS makes of the attributes decides. */
static uint64_t
set_base(volatile char *reg, uint64_t v, bool *flush)
{
	uint64_t r;

	mmio_write64(reg, v);
	r = mmio_read64(reg);
	if ((r & BASE_SHARE) == 0) {
		/* Not shareable: then not cacheable either. */
		v &= ~(BASE_CACHED | BASE_SHARE);
		v |= 1ull << 59;
		mmio_write64(reg, v);
		r = mmio_read64(reg);
		*flush = true;
	}
	return r;
}

static size_t
page_bytes(uint64_t base)
{
	static const size_t size[] = { 4096, 16384, 65536, 65536 };

	return size[BASE_PAGE(base)];
}

static void
note_devtable(void *table, size_t bytes, size_t pagesize, unsigned esize,
    bool indirect, uint64_t ids)
{
	devtable.t_first = table;
	devtable.t_indirect = indirect;
	devtable.t_esize = esize;
	devtable.t_pagesize = pagesize;
	devtable.t_ids = indirect ?
	    bytes / sizeof(uint64_t) * (pagesize / esize) : bytes / esize;
	if (devtable.t_ids > ids)
		devtable.t_ids = ids;
}

/* Which page size it takes, whether two levels: tried with no memory. */
static int
init_table(volatile char *reg, uint64_t base)
{
	unsigned type = BASE_TYPE(base), esize = BASE_ESIZE(base);
	uint64_t ids = 1ull << ((typer >> 13 & 31) + 1), need;
	uint64_t v = base & (7ull << 56 | 31ull << 48);
	bool indirect = false;
	size_t pagesize, bytes;
	void *table;

	if (type == TYPE_COLLECTION)
		ids = MAXCPUS;
	mmio_write64(reg, v | BASE_INDIRECT);
	base = mmio_read64(reg);
	pagesize = page_bytes(base);
	need = ids * esize;
	if (type == TYPE_DEVICE && (base & BASE_INDIRECT) != 0 &&
	    need > 2 * pagesize) {
		indirect = true;
		need = ids / (pagesize / esize) * sizeof(uint64_t);
	}
	bytes = (size_t)((need + pagesize - 1) & ~(uint64_t)(pagesize - 1));
	if (bytes == 0)
		bytes = pagesize;
	if (bytes > 64 * pagesize)
		bytes = 64 * pagesize;
	table = gic_memory(bytes, pagesize);
	if (table == NULL)
		return ENOMEM;
	v |= BASE_VALID | BASE_CACHED | BASE_INNER | vm_physical(table) |
	    (base & 3ull << 8) | (bytes / pagesize - 1);
	if (indirect)
		v |= BASE_INDIRECT;
	set_base(reg, v, &table_flush);
	if (type == TYPE_DEVICE)
		note_devtable(table, bytes, pagesize, esize, indirect, ids);
	return 0;
}

static int
init_tables(void)
{
	uint64_t base;
	int error;

	for (unsigned i = 0; i < GITS_NBASER; i++) {
		base = mmio_read64(gits + GITS_BASER + 8 * i);
		if (BASE_TYPE(base) != TYPE_DEVICE &&
		    BASE_TYPE(base) != TYPE_COLLECTION)
			continue;
		error = init_table(gits + GITS_BASER + 8 * i, base);
		if (error)
			return error;
	}
	return 0;
}

static int
start(void)
{
	int error;

	mmio_write32(gits + GITS_CTLR,
	    mmio_read32(gits + GITS_CTLR) & ~CTLR_ENABLED);
	if (!wait32(gits + GITS_CTLR, CTLR_QUIESCENT, CTLR_QUIESCENT))
		return EIO;
	typer = mmio_read64(gits + GITS_TYPER);
	error = init_tables();
	if (error)
		return error;
	queue = gic_memory(QUEUE_BYTES, 65536);
	config = gic_memory((1u << LPI_IDBITS) - LPI_BASE, 0);
	if (queue == NULL || config == NULL)
		return ENOMEM;
	memset(config, LPI_PRIORITY, (1u << LPI_IDBITS) - LPI_BASE);
	cache_clean(config, (1u << LPI_IDBITS) - LPI_BASE);
	set_base(gits + GITS_CBASER, BASE_VALID | BASE_CACHED | BASE_INNER |
	    vm_physical(queue) | (QUEUE_BYTES / 4096 - 1), &queue_flush);
	mmio_write64(gits + GITS_CWRITER, 0);
	queue_at = 0;
	mmio_write32(gits + GITS_CTLR,
	    mmio_read32(gits + GITS_CTLR) | CTLR_ENABLED);
	return 0;
}

int
its_init(void)
{
	const struct machine_gic *mg = &machine.m_gic;
	int error;

	if (mg->mg_nits == 0)
		return ENXIO;
	gits_pa = mg->mg_its[0].mi_base;
	/* QEMU's MADT has one even where the machine is made without it. */
	gits = gic_map(gits_pa, GITS_SIZE, GIC_PIDR2);
	if (gits == NULL) {
		klog(LOG_WARN, "its: nothing is at 0x%llx",
		    (unsigned long long)gits_pa);
		return ENXIO;
	}
	error = start();
	if (error) {
		klog(LOG_WARN, "its: not usable: error %d", error);
		gits = NULL;
	}
	return error;
}

int
its_prepare_cpu(unsigned cpu)
{
	void *p;

	if (gits == NULL)
		return 0;
	p = gic_memory((1u << LPI_IDBITS) / 8, 65536);
	pending[cpu] = p == NULL ? 0 : vm_physical(p);
	return 0;
}

static uint64_t
set_gicr_base(volatile char *reg, uint64_t v, bool *flush)
{
	mmio_write64(reg, v | GICR_CACHED | BASE_INNER);
	if ((mmio_read64(reg) & BASE_SHARE) == 0) {
		mmio_write64(reg, v | 1ull << 7);
		*flush = true;
	}
	return mmio_read64(reg);
}

void
its_init_cpu(unsigned cpu, const struct gicr *gr)
{
	volatile char *regs = gr->gr_regs;
	struct its_cmd cmd;
	bool unused = false;

	if (gits == NULL || pending[cpu] == 0)
		return;
	/* Tables that somebody left can't always be taken away. */
	if (mmio_read32(regs + GICR_CTLR) & GICR_CTLR_LPI) {
		mmio_write32(regs + GICR_CTLR, 0);
		if (!wait32(regs + GICR_CTLR, GICR_CTLR_LPI | GICR_CTLR_RWP,
		    0))
			return;
	}
	set_gicr_base(regs + GICR_PROPBASER, vm_physical(config) |
	    (LPI_IDBITS - 1), &config_flush);
	set_gicr_base(regs + GICR_PENDBASER, pending[cpu] | PEND_ZERO,
	    &unused);
	dsb(sy);
	mmio_write32(regs + GICR_CTLR, GICR_CTLR_LPI);
	dsb(sy);

	its_mapc(&cmd, cpu, rdbase(cpu), true);
	post(&cmd);
	its_invall(&cmd, cpu);
	post(&cmd);
	its_sync(&cmd, rdbase(cpu));
	post(&cmd);
	collection_ok[cpu] = run() == 0;
}

bool
its_owns(uint32_t intid)
{
	return intid >= LPI_BASE && intid < LPI_BASE + LPI_COUNT &&
	    lpis[intid - LPI_BASE].lp_used;
}

static struct itsdev *
dev_find(uint32_t devid)
{
	for (unsigned i = 0; i < MAXDEV; i++)
		if (devs[i].d_used && devs[i].d_id == devid)
			return &devs[i];
	return NULL;
}

static struct itsdev *
dev_new(uint32_t devid)
{
	for (unsigned i = 0; i < MAXDEV; i++) {
		if (devs[i].d_used)
			continue;
		devs[i].d_used = true;
		devs[i].d_id = devid;
		return &devs[i];
	}
	return NULL;
}

/* A page of the second level for this device id. */
static int
cover(uint32_t devid)
{
	size_t per = devtable.t_pagesize / devtable.t_esize;
	uint64_t *slot;
	void *page;

	if (devtable.t_first == NULL || devid >= devtable.t_ids)
		return ENOTSUP;
	if (!devtable.t_indirect)
		return 0;
	slot = &devtable.t_first[devid / per];
	if (*slot & BASE_VALID)
		return 0;
	page = gic_memory(devtable.t_pagesize, devtable.t_pagesize);
	if (page == NULL)
		return ENOMEM;
	*slot = vm_physical(page) | BASE_VALID;
	cache_clean(slot, sizeof(*slot));
	return 0;
}

static unsigned
event_bits(unsigned nvec)
{
	unsigned bits = 1;

	while (1u << bits < nvec)
		bits++;
	return bits;
}

/* The lowest LPIs that are free, not necessarily in a row. */
static unsigned
take_lpis(uint32_t devid, unsigned nvec, uint32_t *intid)
{
	unsigned n = 0;

	for (unsigned i = 0; i < LPI_COUNT && n < nvec; i++) {
		if (lpis[i].lp_used)
			continue;
		lpis[i].lp_used = true;
		lpis[i].lp_devid = devid;
		lpis[i].lp_event = (uint16_t)n;
		lpis[i].lp_cpu = 0;
		intid[n++] = LPI_BASE + i;
	}
	return n;
}

static void
give_lpis(const uint32_t *intid, unsigned nvec)
{
	for (unsigned i = 0; i < nvec; i++)
		lpis[intid[i] - LPI_BASE].lp_used = false;
}

static int
map_events(const struct itsdev *d, unsigned nvec, const uint32_t *intid)
{
	struct its_cmd cmd;
	int error;

	its_mapd(&cmd, d->d_id, d->d_itt, event_bits(nvec), true);
	post(&cmd);
	for (unsigned i = 0; i < nvec; i++) {
		its_mapti(&cmd, d->d_id, i, intid[i], 0);
		post(&cmd);
	}
	its_sync(&cmd, rdbase(0));
	post(&cmd);
	error = run();
	return error;
}

int
its_alloc(uint32_t devid, unsigned nvec, uint32_t *intid, uint64_t *addr)
{
	unsigned esize = (unsigned)(typer >> 4 & 15) + 1;
	size_t bytes = (size_t)esize << event_bits(nvec);
	struct itsdev *d;
	unsigned n;
	void *itt;
	int error;

	if (dev_find(devid) != NULL)
		return EBUSY;
	error = cover(devid);
	if (error)
		return error;
	d = dev_new(devid);
	if (d == NULL)
		return ENOSPC;
	itt = gic_memory(bytes, 0);
	if (itt == NULL) {
		d->d_used = false;
		return ENOMEM;
	}
	d->d_itt = vm_physical(itt);
	d->d_npages = (bytes + PAGE_MASK) >> PAGE_SHIFT;
	n = take_lpis(devid, nvec, intid);
	error = n < nvec ? ENOSPC : map_events(d, nvec, intid);
	if (error) {
		give_lpis(intid, n);
		/* After EIO the ITS may still hold the table. */
		if (error != EIO)
			page_free(d->d_itt, d->d_npages);
		d->d_used = false;
		return error;
	}
	*addr = gits_pa + GITS_TRANSLATER;
	return 0;
}

void
its_free(uint32_t devid, const uint32_t *intid, unsigned nvec)
{
	struct itsdev *d = dev_find(devid);
	struct its_cmd cmd;

	if (d == NULL)
		return;
	for (unsigned i = 0; i < nvec; i++) {
		its_discard(&cmd, devid, lpis[intid[i] - LPI_BASE].lp_event);
		post(&cmd);
	}
	its_mapd(&cmd, devid, d->d_itt, 1, false);
	post(&cmd);
	its_sync(&cmd, rdbase(0));
	post(&cmd);
	if (run() == 0)
		page_free(d->d_itt, d->d_npages);
	give_lpis(intid, nvec);
	d->d_used = false;
}

/* The redistributor looks at the configuration again. */
static int
reread(const struct lpi *lp)
{
	struct its_cmd cmd;

	its_inv(&cmd, lp->lp_devid, lp->lp_event);
	post(&cmd);
	its_sync(&cmd, rdbase(lp->lp_cpu));
	post(&cmd);
	return run();
}

void
its_enable(uint32_t intid, bool on)
{
	uint8_t *c = &config[intid - LPI_BASE];

	*c = (uint8_t)(LPI_PRIORITY | (on ? LPI_ENABLED : 0));
	if (config_flush)
		cache_clean(c, 1);
	else
		dsb(ishst);
	reread(&lpis[intid - LPI_BASE]);
}

int
its_route(uint32_t intid, unsigned cpu)
{
	struct lpi *lp = &lpis[intid - LPI_BASE];
	struct its_cmd cmd;
	unsigned old = lp->lp_cpu;

	if (!collection_ok[cpu])
		return EINVAL;
	if (old == cpu)
		return 0;
	its_movi(&cmd, lp->lp_devid, lp->lp_event, cpu);
	post(&cmd);
	its_sync(&cmd, rdbase(old));
	post(&cmd);
	its_sync(&cmd, rdbase(cpu));
	post(&cmd);
	lp->lp_cpu = (uint8_t)cpu;
	return run();
}

int
its_pend(uint32_t intid)
{
	const struct lpi *lp = &lpis[intid - LPI_BASE];
	struct its_cmd cmd;

	its_int(&cmd, lp->lp_devid, lp->lp_event);
	post(&cmd);
	its_sync(&cmd, rdbase(lp->lp_cpu));
	post(&cmd);
	return run();
}
