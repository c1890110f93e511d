/* SPDX-License-Identifier: ISC */
/* Self tests of PCI, of bus_dma(9), and of devices' interrupts. */
#include <paravane/kern.h>

#include <string.h>

#include "cpu.h"
#include "dma.h"
#include "intr.h"
#include "kmem.h"
#include "ktime.h"
#include "machine.h"
#include "pci.h"
#include "selftest.h"
#include "thread.h"
#include "virtiovar.h"
#include "vm.h"

static bool
bar_is_memory(const struct pci_bar *b)
{
	return b->pb_kind >= PCI_BAR_MEM32 && b->pb_assigned;
}

static bool
bars_overlap(const struct pci_bar *a, const struct pci_bar *b)
{
	return bar_is_memory(a) && bar_is_memory(b) &&
	    a->pb_cpu < b->pb_cpu + b->pb_size &&
	    b->pb_cpu < a->pb_cpu + a->pb_size;
}

SELFTEST(pci_bars_apart)
{
	const struct pci_dev *pd, *other;
	unsigned i, j;

	if (pci_next(NULL) == NULL)
		ST_SKIP(st, "no PCI");
	for (pd = pci_next(NULL); pd != NULL; pd = pd->pd_next)
		for (other = pd; other != NULL; other = other->pd_next)
			for (i = 0; i < PCI_MAXBARS; i++)
				for (j = 0; j < PCI_MAXBARS; j++)
					ST_CHECK(st, (pd == other && i == j) ||
					    !bars_overlap(&pd->pd_bar[i],
					    &other->pd_bar[j]));
}

/* Registers hold what we think, and no memory lies there. */
SELFTEST(pci_bars_hold)
{
	const struct pci_dev *pd;
	unsigned i;

	if (pci_next(NULL) == NULL)
		ST_SKIP(st, "no PCI");
	for (pd = pci_next(NULL); pd != NULL; pd = pd->pd_next)
		for (i = 0; i < PCI_MAXBARS; i++) {
			const struct pci_bar *b = &pd->pd_bar[i];

			if (!bar_is_memory(b))
				continue;
			ST_EQ(st, pci_conf_read(pd, PCI_BAR(i)) & ~0xfu,
			    (uint32_t)b->pb_bus);
			ST_EQ(st, b->pb_bus & (b->pb_size - 1), 0);
			ST_CHECK(st, !page_is_ram(b->pb_cpu, b->pb_size));
		}
}

/* Who isn't in use doesn't master the bus. */
SELFTEST(pci_master_only_in_use)
{
	const struct pci_dev *pd;
	uint32_t command;

	if (pci_next(NULL) == NULL)
		ST_SKIP(st, "no PCI");
	for (pd = pci_next(NULL); pd != NULL; pd = pd->pd_next) {
		command = pci_conf_read(pd, PCI_COMMAND);
		ST_CHECK(st, (command & PCI_COMMAND_MASTER) == 0 ||
		    pd->pd_master || pd->pd_users != 0);
		ST_CHECK(st, (command & PCI_COMMAND_IO) == 0);
	}
}

SELFTEST(dma_load_walks_pages)
{
	bus_dma_tag_t t = &dma_tag_noncoherent;
	char *buf = kzalloc(3 * PAGE_SIZE);
	bus_dmamap_t map;
	bus_size_t sum = 0;
	int i;

	ST_CHECK(st, buf != NULL);
	ST_EQ(st, bus_dmamap_create(t, 3 * PAGE_SIZE, 8, 1024, 0,
	    BUS_DMA_NOWAIT, &map), 0);
	ST_EQ(st, bus_dmamap_load(t, map, buf + 100, 2 * PAGE_SIZE, NULL, 0),
	    0);
	ST_EQ(st, map->dm_nsegs, 8);
	for (i = 0; i < map->dm_nsegs; i++) {
		ST_CHECK(st, map->dm_segs[i].ds_len <= 1024);
		ST_EQ(st, map->dm_segs[i].ds_addr,
		    vm_physical(buf + 100 + sum));
		sum += map->dm_segs[i].ds_len;
	}
	ST_EQ(st, sum, 2 * PAGE_SIZE);
	ST_EQ(st, map->dm_mapsize, 2 * PAGE_SIZE);
	bus_dmamap_sync(t, map, 1, 2 * PAGE_SIZE - 1, BUS_DMASYNC_PREWRITE);
	bus_dmamap_unload(t, map);
	ST_EQ(st, map->dm_mapsize, 0);
	ST_EQ(st, bus_dmamap_load(t, map, buf, 2 * PAGE_SIZE + 1, NULL, 0),
	    EFBIG);
	ST_EQ(st, bus_dmamap_load(t, map, buf, 4 * PAGE_SIZE, NULL, 0),
	    EINVAL);
	bus_dmamap_destroy(t, map);
	kfree(buf);
}

/* A sync that has data behind it on one line keeps that data. */
SELFTEST(dma_sync_keeps_neighbours)
{
	bus_dma_tag_t t = &dma_tag_noncoherent;
	char *buf = kzalloc(PAGE_SIZE);
	bus_dmamap_t map;
	unsigned i;

	ST_CHECK(st, buf != NULL);
	ST_EQ(st, bus_dmamap_create(t, PAGE_SIZE, 1, PAGE_SIZE, 0, 0, &map), 0);
	ST_EQ(st, bus_dmamap_load(t, map, buf, PAGE_SIZE, NULL, 0), 0);
	memset(buf, 0x5a, PAGE_SIZE);
	bus_dmamap_sync(t, map, 10, 50, BUS_DMASYNC_PREREAD);
	memset(buf, 0xa5, 10);
	bus_dmamap_sync(t, map, 10, 50, BUS_DMASYNC_POSTREAD);
	for (i = 0; i < PAGE_SIZE; i++)
		ST_EQ(st, (unsigned char)buf[i], i < 10 ? 0xa5 : 0x5a);
	bus_dmamap_destroy(t, map);
	kfree(buf);
}

static void
dmamem_test(struct selftest *st, bus_dma_tag_t t, int flags)
{
	bus_dma_segment_t segs[64];
	size_t before = page_free_count(), off;
	struct vm_query q;
	paddr_t pa;
	void *kva;
	int nsegs, i;

	ST_EQ(st, bus_dmamem_alloc(t, 40 * PAGE_SIZE - 5, 0, 0, segs, 64,
	    &nsegs, BUS_DMA_ZERO), 0);
	ST_EQ(st, bus_dmamem_map(t, segs, nsegs, 40 * PAGE_SIZE, &kva, flags),
	    0);
	for (off = 0; off < 40 * PAGE_SIZE; off += PAGE_SIZE) {
		ST_EQ(st, vm_query(&vm_kernel, (vaddr_t)kva + off, &q), 0);
		pa = bus_dmamem_mmap(t, segs, nsegs, (off_t)off,
		    PROT_READ | PROT_WRITE, flags);
		ST_EQ(st, q.vq_pa, pa);
		ST_EQ(st, q.vq_attr, dma_attr(t, flags));
		ST_EQ(st, *(volatile uint64_t *)((char *)kva + off), 0);
		*(volatile uint64_t *)((char *)kva + off) = off;
	}
	ST_EQ(st, bus_dmamem_mmap(t, segs, nsegs, 1, PROT_READ, flags), -1);
	ST_EQ(st, bus_dmamem_mmap(t, segs, nsegs, 40 * PAGE_SIZE, PROT_READ,
	    flags), -1);
	ST_EQ(st, bus_dmamem_mmap(t, segs, nsegs, -4096, PROT_READ, flags),
	    -1);
	for (i = 0; i < nsegs; i++)
		ST_EQ(st, segs[i].ds_addr & PAGE_MASK, 0);
	bus_dmamem_unmap(t, kva, 40 * PAGE_SIZE);
	bus_dmamem_free(t, segs, nsegs);
	/* Page tables may stay. */
	ST_CHECK(st, page_free_count() + 4 >= before);
}

SELFTEST(dma_memory)
{
	dmamem_test(st, &dma_tag_coherent, 0);
	dmamem_test(st, &dma_tag_noncoherent, 0);
}

SELFTEST(dma_memory_uncached)
{
	dmamem_test(st, &dma_tag_noncoherent, BUS_DMA_COHERENT);
	dmamem_test(st, &dma_tag_coherent, BUS_DMA_NOCACHE);
}

SELFTEST(dma_memory_within_a_boundary)
{
	bus_dma_tag_t t = &dma_tag_coherent;
	bus_dma_segment_t segs[8];
	bus_size_t boundary = 16 * PAGE_SIZE, last;
	int nsegs, i;

	ST_EQ(st, bus_dmamem_alloc(t, 5 * PAGE_SIZE, 0, boundary, segs, 8,
	    &nsegs, 0), 0);
	for (i = 0; i < nsegs; i++) {
		last = segs[i].ds_addr + segs[i].ds_len - 1;
		ST_EQ(st, segs[i].ds_addr / boundary, last / boundary);
	}
	bus_dmamem_free(t, segs, nsegs);
	ST_EQ(st, bus_dmamem_alloc(t, 5 * PAGE_SIZE, 0, 4 * PAGE_SIZE, segs, 8,
	    &nsegs, 0), EINVAL);
}

/*
 * Entropy is the device that can be asked at will. Returns whether it answered.
 */
static bool
entropy_answers(void)
{
	char buf[16];

	return virtio_entropy(buf, sizeof(buf)) != 0;
}

SELFTEST(virtio_entropy)
{
	unsigned char a[32], b[32];

	if (virtio_find_type(PV_TYPE_ENTROPY, 0) == NULL)
		ST_SKIP(st, "no entropy device");
	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	ST_CHECK(st, virtio_entropy(a, sizeof(a)) > 0);
	ST_CHECK(st, virtio_entropy(b, sizeof(b)) > 0);
	ST_CHECK(st, memcmp(a, b, sizeof(a)) != 0);
}

static void
device_route(struct virtio_dev *vg, unsigned cpu)
{
	int vector;

	for (vector = 0; pci_intr_intid(vg->vg_pci, vector) != 0; vector++)
		pci_intr_route(vg->vg_pci, vector, cpu);
}

static uint64_t
device_count(const struct virtio_dev *vg)
{
	uint64_t n = 0;
	int vector;

	for (vector = 0; pci_intr_intid(vg->vg_pci, vector) != 0; vector++)
		n += intr_count(pci_intr_intid(vg->vg_pci, vector));
	return n;
}

/*
 * Each processor takes a device's vector that is routed to it. Polling is off
 * meanwhile: it would run beside the handler.
 */
SELFTEST(virtio_vector_on_each_cpu)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_ENTROPY, 0);
	uint64_t before;
	unsigned cpu;
	bool answered;

	if (vg == NULL || vg->vg_pci == NULL ||
	    pci_intr_intid(vg->vg_pci, 0) == 0)
		ST_SKIP(st, "no entropy device with MSI-X");
	ST_CHECK(st, entropy_answers());
	for (cpu = 0; cpu < cpu_count(); cpu++) {
		vg->vg_nopoll = true;
		device_route(vg, cpu);
		before = device_count(vg);
		answered = entropy_answers();
		device_route(vg, 0);
		vg->vg_nopoll = false;
		ST_CHECK(st, answered);
		ST_CHECK(st, device_count(vg) > before);
	}
}

/* An interrupt that never comes costs milliseconds, not the device. */
SELFTEST(virtio_lost_interrupt)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_ENTROPY, 0);
	uint64_t polled;
	uint32_t intid;
	int vector;
	bool answered;

	if (vg == NULL || vg->vg_pci == NULL ||
	    pci_intr_intid(vg->vg_pci, 0) == 0)
		ST_SKIP(st, "no entropy device with MSI-X");
	ST_CHECK(st, entropy_answers());
	polled = vg->vg_polled;
	for (vector = 0; (intid = pci_intr_intid(vg->vg_pci, vector)) != 0;
	    vector++)
		intr_mask(intid);
	answered = entropy_answers();
	for (vector = 0; (intid = pci_intr_intid(vg->vg_pci, vector)) != 0;
	    vector++)
		intr_unmask(intid);
	ST_CHECK(st, answered);
	thread_sleep(60 * NS_PER_MS);
	ST_CHECK(st, vg->vg_polled > polled || entropy_answers());
}

/*
 * Detached with a request under way, attached again, ten times over: nothing is
 * lost.
 */
SELFTEST(virtio_detach_in_flight)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_ENTROPY, 0);
	size_t before = 0;
	unsigned i;

	if (vg == NULL)
		ST_SKIP(st, "no entropy device");
	for (i = 0; i < 10; i++) {
		pv_entropy_request(&vg->vg_driver.vd_entropy);
		ST_EQ(st, virtio_detach(vg), 0);
		/* The first round may leave more pages with kmalloc. */
		if (i == 1)
			before = page_free_count();
		ST_EQ(st, virtio_attach(vg), 0);
		ST_CHECK(st, entropy_answers());
	}
	ST_EQ(st, virtio_detach(vg), 0);
	ST_CHECK(st, vg->vg_pci == NULL || (pci_conf_read(vg->vg_pci,
	    PCI_COMMAND) & PCI_COMMAND_MASTER) == 0);
	ST_CHECK(st, page_free_count() >= before);
	ST_EQ(st, virtio_attach(vg), 0);
}
