/* SPDX-License-Identifier: ISC */
#include "dmamem.h"
#include "mem.h"

static int
dmamem_map(struct pv_dmamem *dm, int flags)
{
	int error;

	if (flags & BUS_DMA_COHERENT) {
		error = bus_dmamem_map(dm->dm_tag, dm->dm_mem, dm->dm_nmem,
		    (size_t)dm->dm_size, &dm->dm_kva,
		    BUS_DMA_WAITOK | BUS_DMA_COHERENT);
		if (error == 0) {
			dm->dm_flags = BUS_DMA_COHERENT;
			return 0;
		}
	}
	dm->dm_flags = 0;
	return bus_dmamem_map(dm->dm_tag, dm->dm_mem, dm->dm_nmem,
	    (size_t)dm->dm_size, &dm->dm_kva, BUS_DMA_WAITOK);
}

static int
dmamem_load(struct pv_dmamem *dm, bus_size_t maxseg)
{
	int error;

	error = bus_dmamap_create(dm->dm_tag, dm->dm_size, dm->dm_maxmem,
	    maxseg, 0, BUS_DMA_WAITOK | BUS_DMA_ALLOCNOW, &dm->dm_map);
	if (error)
		return error;
	error = bus_dmamap_load(dm->dm_tag, dm->dm_map, dm->dm_kva,
	    dm->dm_size, NULL, BUS_DMA_WAITOK);
	if (error)
		bus_dmamap_destroy(dm->dm_tag, dm->dm_map);
	return error;
}

int
pv_dmamem_alloc_raw(struct pv_dmamem *dm, bus_dma_tag_t tag, bus_size_t size,
    bus_size_t align, unsigned int nsegs, bus_size_t maxseg, int flags)
{
	struct pv_dmamem new;
	size_t listlen = nsegs * sizeof(*new.dm_mem);
	int error;

	memset(&new, 0, sizeof(new));
	new.dm_tag = tag;
	new.dm_size = size;
	new.dm_maxmem = (int)nsegs;
	if (maxseg == 0)
		maxseg = size;
	new.dm_mem = pv_kern_alloc(listlen);
	if (new.dm_mem == NULL)
		return ENOMEM;
	error = bus_dmamem_alloc(tag, size, align, 0, new.dm_mem, (int)nsegs,
	    &new.dm_nmem, BUS_DMA_WAITOK);
	if (error)
		goto list;
	error = dmamem_map(&new, flags);
	if (error)
		goto mem;
	error = dmamem_load(&new, maxseg);
	if (error)
		goto map;
	*dm = new;
	return 0;

map:
	bus_dmamem_unmap(tag, new.dm_kva, (size_t)size);
mem:
	bus_dmamem_free(tag, new.dm_mem, new.dm_nmem);
list:
	pv_kern_free(new.dm_mem, listlen);
	return error;
}

int
pv_dmamem_alloc(struct pv_dmamem *dm, bus_dma_tag_t tag, bus_size_t size,
    bus_size_t align, unsigned int nsegs, bus_size_t maxseg, int flags)
{
	int error;

	error = pv_dmamem_alloc_raw(dm, tag, size, align, nsegs, maxseg, flags);
	if (error == 0)
		memset(dm->dm_kva, 0, (size_t)size);
	return error;
}

void
pv_dmamem_free(struct pv_dmamem *dm)
{
	if (dm->dm_kva == NULL)
		return;
	bus_dmamap_unload(dm->dm_tag, dm->dm_map);
	bus_dmamap_destroy(dm->dm_tag, dm->dm_map);
	bus_dmamem_unmap(dm->dm_tag, dm->dm_kva, (size_t)dm->dm_size);
	bus_dmamem_free(dm->dm_tag, dm->dm_mem, dm->dm_nmem);
	pv_kern_free(dm->dm_mem, (size_t)dm->dm_maxmem * sizeof(*dm->dm_mem));
	memset(dm, 0, sizeof(*dm));
}

void
pv_dmamem_release(struct pv_dmamem *dm, bool lost)
{
	if (!lost) {
		pv_dmamem_free(dm);
		return;
	}
	pv_kern_free(dm->dm_mem, (size_t)dm->dm_maxmem * sizeof(*dm->dm_mem));
	memset(dm, 0, sizeof(*dm));
}
