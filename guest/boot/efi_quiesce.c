/* SPDX-License-Identifier: ISC */
/*
 * Runs within the EFI application: see efi.c for what that forbids.
 */
#include "efi_quiesce.h"
#include "machine.h"
#include "mmio.h"
#include "pci.h"

#define MAXCAPS		48
#define RESET_TENTHS	5		/* of a second */

#define CAP_VENDOR		0x09
#define VIRTIO_VENDOR		0x1af4
#define VIRTIO_CFG_COMMON	1
#define VIRTIO_COMMON_STATUS	0x14
#define VIRTIO_MMIO_MAGIC	0x74726976
#define VIRTIO_MMIO_STATUS	0x70

struct quiesce {
	const struct machine_host *q_host;
	unsigned char	q_seen[256];	/* buses */
};

/*
 * Whether firmware's translation has this address, by the address translation
 * instruction of the level we are at.
 */
static bool
mapped(uint64_t va)
{
	uint64_t el, par;

	__asm__ volatile("mrs %0, CurrentEL" : "=r"(el));
	if (el >> 2 == 2)
		__asm__ volatile("at s1e2r, %1; isb; mrs %0, par_el1"
		    : "=r"(par) : "r"(va) : "memory");
	else
		__asm__ volatile("at s1e1r, %1; isb; mrs %0, par_el1"
		    : "=r"(par) : "r"(va) : "memory");
	return (par & 1) == 0;
}

/* Firmware's map is the identity. */
static uint32_t
read32(uint64_t pa)
{
	return mmio_read32((const volatile void *)pa);
}

static void
write32(uint64_t pa, uint32_t v)
{
	mmio_write32((volatile void *)pa, v);
}

static uint8_t
read8(uint64_t pa)
{
	return mmio_read8((const volatile void *)pa);
}

static void
write8(uint64_t pa, uint8_t v)
{
	mmio_write8((volatile void *)pa, v);
}

static uint64_t
ticks(uint64_t *frequency)
{
	uint64_t v;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(v) : : "memory");
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(*frequency));
	return v;
}

/*
 * Reset is asynchronous: written, then awaited. Width of the register is 1 or 4
 * bytes.
 */
static void
status_reset(uint64_t pa, unsigned width)
{
	uint64_t frequency, start = ticks(&frequency);
	uint32_t v;

	if (width == 1)
		write8(pa, 0);
	else
		write32(pa, 0);
	do
		v = width == 1 ? read8(pa) : read32(pa);
	while (v != 0 && (ticks(&frequency) - start) <
	    frequency / 10 * RESET_TENTHS);
}

static uint64_t
bus_to_cpu(const struct machine_host *h, uint64_t bus)
{
	unsigned i;

	for (i = 0; i < h->mh_nwindows; i++) {
		const struct machine_window *w = &h->mh_window[i];

		if (w->mw_space != MACHINE_WINDOW_IO && bus >= w->mw_bus &&
		    bus - w->mw_bus < w->mw_size)
			return w->mw_cpu + (bus - w->mw_bus);
	}
	return bus;
}

static uint64_t
bar_address(uint64_t conf, unsigned bar)
{
	uint32_t low;
	uint64_t v;

	if (bar > 5)
		return 0;
	low = read32(conf + PCI_BAR(bar));
	if ((low & 1) != 0)
		return 0;
	v = low & ~0xfu;
	if ((low & 6) == 4 && bar < 5)
		v |= (uint64_t)read32(conf + PCI_BAR(bar + 1)) << 32;
	return v;
}

/*
 * The status register, by the capability for the common configuration; 0 if
 * there is none.
 */
static uint64_t
status_find(const struct machine_host *h, uint64_t conf)
{
	unsigned at = read32(conf + 0x34) & 0xfc, n;
	uint64_t base;
	uint32_t v;

	for (n = 0; at >= 0x40 && at <= 0xf0 && n < MAXCAPS; n++) {
		v = read32(conf + at);
		if ((v & 0xff) == CAP_VENDOR && v >> 24 == VIRTIO_CFG_COMMON) {
			base = bar_address(conf, read32(conf + at + 4) & 0xff);
			if (base == 0)
				return 0;
			return bus_to_cpu(h, base) + read32(conf + at + 8) +
			    VIRTIO_COMMON_STATUS;
		}
		at = v >> 8 & 0xfc;
	}
	return 0;
}

static void
function_quiet(const struct machine_host *h, uint64_t conf, uint32_t id)
{
	uint32_t command = read32(conf + PCI_COMMAND) & 0xffff;
	uint64_t status;

	/* A function that doesn't decode memory aborts the access. */
	if ((id & 0xffff) == VIRTIO_VENDOR && (command & PCI_COMMAND_MEM)) {
		status = status_find(h, conf);
		if (status != 0 && mapped(status))
			status_reset(status, 1);
	}
	write32(conf + PCI_COMMAND, command & ~(uint32_t)PCI_COMMAND_MASTER);
}

static void
bus_mark(struct quiesce *q, unsigned from, unsigned bus)
{
	if (bus > from && bus <= q->q_host->mh_bus_last)
		q->q_seen[bus] = 1;
}

static void
bus_quiet(struct quiesce *q, unsigned bus)
{
	const struct machine_host *h = q->q_host;
	uint64_t conf;
	unsigned devfn;
	uint32_t id, header = 0;

	for (devfn = 0; devfn < 256; devfn++) {
		/* Functions above 0 only where 0 says that there are more. */
		if ((devfn & 7) != 0 && (header >> 23 & 1) == 0)
			continue;
		conf = h->mh_ecam +
		    ((uint64_t)(bus - h->mh_bus_first) << 20 | devfn << 12);
		if (!mapped(conf))
			return;
		id = read32(conf);
		if ((devfn & 7) == 0)
			header = 0;
		if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
			continue;
		if ((devfn & 7) == 0)
			header = read32(conf + 0xc);
		if ((read32(conf + 0xc) >> 16 & 0x7f) == 1)
			bus_mark(q, bus, read32(conf + 0x18) >> 8 & 0xff);
		else
			function_quiet(h, conf, id);
	}
}

static void
mmio_quiet(const struct machine_mmio *mm)
{
	if (mm->mm_size <= VIRTIO_MMIO_STATUS || !mapped(mm->mm_base) ||
	    read32(mm->mm_base) != VIRTIO_MMIO_MAGIC ||
	    read32(mm->mm_base + 8) == 0)
		return;
	status_reset(mm->mm_base + VIRTIO_MMIO_STATUS, 4);
}

void
efi_quiesce(const struct machine *m)
{
	struct quiesce q;
	unsigned i, bus;

	for (i = 0; i < m->m_nhosts; i++) {
		q.q_host = &m->m_host[i];
		for (bus = 0; bus < 256; bus++)
			q.q_seen[bus] = 0;
		q.q_seen[q.q_host->mh_bus_first] = 1;
		for (bus = q.q_host->mh_bus_first;
		    bus <= q.q_host->mh_bus_last; bus++)
			if (q.q_seen[bus])
				bus_quiet(&q, bus);
	}
	for (i = 0; i < m->m_nmmio; i++)
		mmio_quiet(&m->m_mmio[i]);
}
