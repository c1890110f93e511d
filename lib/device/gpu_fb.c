/* SPDX-License-Identifier: ISC */
/*
 * Framebuffers: memory in segments, its life with device and user space, the
 * resource that it is on the device.
 */
#include "gpuvar.h"

int
gpu_size_valid(uint32_t width, uint32_t height)
{
	return width > 0 && width <= PV_GPU_MAXWIDTH &&
	    height > 0 && height <= PV_GPU_MAXWIDTH;
}

/* List the segments for the device. */
static int
fb_list_segments(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	bus_dmamap_t map = fb->fb_dma.dm_map;
	uint8_t *entry;
	int error, i;

	error = pv_dmamem_alloc(&fb->fb_list, sc->sc_dev->vd_dmat,
	    (bus_size_t)map->dm_nsegs * GPU_ENTRYLEN, DMA_LINE,
	    GPU_MAXLISTSEGS, 0, 0);
	if (error)
		return error;
	entry = fb->fb_list.dm_kva;
	for (i = 0; i < map->dm_nsegs; i++) {
		pv_dev_put64(entry + GPU_ENTRY_ADDR, map->dm_segs[i].ds_addr);
		pv_dev_put32(entry + GPU_ENTRY_LENGTH,
		    (uint32_t)map->dm_segs[i].ds_len);
		entry += GPU_ENTRYLEN;
	}
	return 0;
}

/*
 * The memory: in one run if it can be had, otherwise in more and shorter ones,
 * as the device does not need contiguity.
 */
static int
fb_alloc_memory(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	uint64_t size = (uint64_t)fb_stride(fb) * fb->fb_height;
	uint64_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	unsigned int n, most;
	int error;

	most = pages < GPU_MAXENTRIES ? (unsigned int)pages : GPU_MAXENTRIES;
	for (n = 1;; n = n < most / 8 ? n * 8 : most) {
		error = pv_dmamem_alloc_raw(&fb->fb_dma,
		    sc->sc_dev->vd_dmat, pages * PAGE_SIZE, PAGE_SIZE, n,
		    sc->sc_params.gp_maxseg, 0);
		if (error == 0 || n == most)
			return error;
	}
}

/* Whole pages, so also in fours. */
static void
fb_fill(struct pv_gpu_fb *fb, uint32_t pixel)
{
	uint64_t *p = fb->fb_dma.dm_kva;
	uint64_t *end = p + fb->fb_dma.dm_size / sizeof(*p);
	uint64_t two = (uint64_t)pixel << 32 | pixel;

	for (; p < end; p += 4)
		p[0] = p[1] = p[2] = p[3] = two;
}

/* lost: the device may still reach its memory. */
static void
fb_free(struct pv_gpu_fb *fb, bool lost)
{
	pv_dmamem_release(&fb->fb_list, lost);
	pv_dmamem_release(&fb->fb_dma, lost);
	pv_kern_free(fb, sizeof(*fb));
}

int
fb_alloc(struct pv_gpu *sc, uint32_t width, uint32_t height,
    enum pv_gpu_format format, uint32_t pixel, struct pv_gpu_fb **fbp)
{
	struct pv_gpu_fb *fb;
	int error;

	fb = pv_kern_alloc(sizeof(*fb));
	if (fb == NULL)
		return ENOMEM;
	fb->fb_width = width;
	fb->fb_height = height;
	fb->fb_format = format;
	error = fb_alloc_memory(sc, fb);
	if (error == 0)
		error = fb_list_segments(sc, fb);
	if (error) {
		fb_free(fb, false);
		return error;
	}
	fb_fill(fb, pixel);
	fb->fb_generation = ++sc->sc_generation;
	fb->fb_next = sc->sc_fbs;
	sc->sc_fbs = fb;
	*fbp = fb;
	return 0;
}

/*
 * Free what neither the device nor user space can reach. What a device that is
 * gone might reach is left behind for ever.
 */
void
gpu_reap(struct pv_gpu *sc)
{
	struct pv_gpu_fb **link = &sc->sc_old, *fb;
	int gone = sc->sc_detached && sc->sc_lost;

	while ((fb = *link) != NULL) {
		if (fb->fb_user || (fb->fb_device && !gone)) {
			link = &fb->fb_next;
			continue;
		}
		*link = fb->fb_next;
		fb_free(fb, fb->fb_device);
	}
}

void
gpu_retire(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	struct pv_gpu_fb **link;

	for (link = &sc->sc_fbs; *link != fb; link = &(*link)->fb_next)
		continue;
	*link = fb->fb_next;
	fb->fb_next = sc->sc_old;
	sc->sc_old = fb;
}

/*
 * Ask for the revocation of what is retired and mapped. The callback may call
 * pv_gpu_revoked at once and so change the list: begin again after each.
 */
void
gpu_revoke(struct pv_gpu *sc)
{
	struct pv_gpu_fb *fb;

	do {
		for (fb = sc->sc_old; fb != NULL; fb = fb->fb_next)
			if (fb->fb_user && !fb->fb_revoking)
				break;
		if (fb != NULL) {
			fb->fb_revoking = 1;
			if (sc->sc_cb.gc_revoke != NULL)
				sc->sc_cb.gc_revoke(sc->sc_arg,
				    fb->fb_generation);
		}
	} while (fb != NULL);
}

/* Resources */

static int
gpu_create_2d(struct pv_gpu *sc, const struct pv_gpu_fb *fb)
{
	uint8_t *p = gpu_begin_command(sc, GPU_CMD_RESOURCE_CREATE_2D);

	pv_dev_put32(p + GPU_CREATE_RESOURCE, fb->fb_resource);
	pv_dev_put32(p + GPU_CREATE_FORMAT, fb->fb_format);
	pv_dev_put32(p + GPU_CREATE_WIDTH, fb->fb_width);
	pv_dev_put32(p + GPU_CREATE_HEIGHT, fb->fb_height);
	return gpu_simple(sc, GPU_CREATE_LEN, NULL);
}

static int
gpu_attach_backing(struct pv_gpu *sc, const struct pv_gpu_fb *fb)
{
	uint8_t *p = gpu_begin_command(sc, GPU_CMD_RESOURCE_ATTACH_BACKING);

	pv_dev_put32(p + GPU_ATTACH_RESOURCE, fb->fb_resource);
	pv_dev_put32(p + GPU_ATTACH_NENTRIES,
	    (uint32_t)fb->fb_dma.dm_map->dm_nsegs);
	return gpu_simple(sc, GPU_ATTACH_LEN, &fb->fb_list);
}

static int
gpu_create_blob(struct pv_gpu *sc, const struct pv_gpu_fb *fb)
{
	uint8_t *p = gpu_begin_command(sc, GPU_CMD_RESOURCE_CREATE_BLOB);

	pv_dev_put32(p + GPU_BLOB_RESOURCE, fb->fb_resource);
	pv_dev_put32(p + GPU_BLOB_MEM, PV_GPU_BLOB_GUEST);
	pv_dev_put32(p + GPU_BLOB_FLAGS, PV_GPU_BLOB_SHAREABLE);
	pv_dev_put32(p + GPU_BLOB_NENTRIES,
	    (uint32_t)fb->fb_dma.dm_map->dm_nsegs);
	pv_dev_put64(p + GPU_BLOB_SIZE, fb->fb_dma.dm_size);
	return gpu_simple(sc, GPU_BLOB_LEN, &fb->fb_list);
}

/* One whole blob of memory that the device will not have: no more of them. */
static int
gpu_make_blob(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	int error;

	fb->fb_blob = 1;
	fb->fb_device = 1;		/* it may have been attached */
	error = gpu_create_blob(sc, fb);
	if (error == 0 || pv_virtio_broken(sc->sc_dev) != NULL)
		return error;
	fb->fb_blob = 0;
	fb->fb_device = 0;
	sc->sc_noblob = 1;
	fb->fb_resource = ++sc->sc_resource;
	return 0;
}

int
gpu_make(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	int error;

	fb->fb_resource = ++sc->sc_resource;
	fb->fb_blob = 0;
	if (!fb->fb_copied && !sc->sc_noblob &&
	    pv_virtio_has(sc->sc_dev, PV_GPU_F_RESOURCE_BLOB)) {
		error = gpu_make_blob(sc, fb);
		if (fb->fb_blob)		/* and after an error */
			return error;
	}
	error = gpu_create_2d(sc, fb);
	if (error)
		return error;
	fb->fb_device = 1;		/* it may have been attached */
	return gpu_attach_backing(sc, fb);
}

/*
 * Take a framebuffer's memory from the device. If neither command is confirmed,
 * the device holds it until a reset.
 */
void
gpu_unshare(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	if (!fb->fb_device)
		return;
	if (gpu_of_resource(sc, GPU_CMD_RESOURCE_DETACH_BACKING,
	    fb->fb_resource) == 0)
		fb->fb_device = 0;
	if (gpu_of_resource(sc, GPU_CMD_RESOURCE_UNREF, fb->fb_resource) == 0)
		fb->fb_device = 0;
}

/* For the port */

static int
gpu_format_valid(enum pv_gpu_format format)
{
	switch (format) {
	case PV_GPU_B8G8R8A8: case PV_GPU_B8G8R8X8:
	case PV_GPU_A8R8G8B8: case PV_GPU_X8R8G8B8:
	case PV_GPU_R8G8B8A8: case PV_GPU_X8B8G8R8:
	case PV_GPU_A8B8G8R8: case PV_GPU_R8G8B8X8:
		return 1;
	}
	return 0;
}

int
pv_gpu_fb_create(struct pv_gpu *sc, uint32_t width, uint32_t height,
    enum pv_gpu_format format, struct pv_gpu_fb **fbp)
{
	struct pv_gpu_fb *fb;
	int error;

	error = gpu_ready(sc);
	if (error)
		return error;
	if (!gpu_size_valid(width, height) || !gpu_format_valid(format))
		return EINVAL;
	error = fb_alloc(sc, width, height, format, 0, &fb);
	if (error)
		return error;
	fb->fb_port = 1;
	error = gpu_make(sc, fb);
	if (error) {
		gpu_unshare(sc, fb);
		gpu_retire(sc, fb);
		gpu_reap(sc);
		return error;
	}
	*fbp = fb;
	return 0;
}

int
pv_gpu_fb_destroy(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	unsigned int i;

	if (!fb->fb_port)
		return EBUSY;
	for (i = 0; i < PV_GPU_MAXSCANOUTS; i++)
		if (sc->sc_heads[i].gh_shown == fb)
			return EBUSY;
	if (gpu_ready(sc) == 0) {
		gpu_wait_jobs(sc);
		gpu_unshare(sc, fb);
	}
	gpu_retire(sc, fb);
	gpu_revoke(sc);
	gpu_reap(sc);
	return 0;
}

void
pv_gpu_fb_geometry(const struct pv_gpu *sc, const struct pv_gpu_fb *fb,
    struct pv_gpu_geometry *gg)
{
	memset(gg, 0, sizeof(*gg));
	if (fb == NULL)
		return;
	gg->gg_width = fb->fb_width;
	gg->gg_height = fb->fb_height;
	gg->gg_stride = fb_stride(fb);
	gg->gg_generation = fb->fb_generation;
	gg->gg_len = (size_t)fb->fb_dma.dm_size;
	gg->gg_scanout = sc->sc_scanout;
	gg->gg_nsegs = (unsigned int)fb->fb_dma.dm_map->dm_nsegs;
	gg->gg_format = fb->fb_format;
	gg->gg_blob = fb->fb_blob;
}

void *
pv_gpu_fb_kva(const struct pv_gpu_fb *fb)
{
	return fb == NULL ? NULL : fb->fb_dma.dm_kva;
}

paddr_t
pv_gpu_fb_mmap(struct pv_gpu *sc, struct pv_gpu_fb *fb, off_t offset, int prot)
{
	paddr_t pa;

	(void)sc;
	/* A negative offset is beyond any framebuffer. */
	if (fb == NULL || (uint64_t)offset % PAGE_SIZE != 0 ||
	    (uint64_t)offset >= fb->fb_dma.dm_size)
		return (paddr_t)-1;
	pa = bus_dmamem_mmap(fb->fb_dma.dm_tag, fb->fb_dma.dm_mem,
	    fb->fb_dma.dm_nmem, offset, prot,
	    BUS_DMA_WAITOK | fb->fb_dma.dm_flags);
	if (pa != (paddr_t)-1)
		fb->fb_user = 1;
	return pa;
}

static void
fb_revoked(struct pv_gpu_fb *fb, unsigned int generation)
{
	for (; fb != NULL; fb = fb->fb_next)
		if (fb->fb_generation == generation)
			fb->fb_user = 0;
}

void
pv_gpu_revoked(struct pv_gpu *sc, unsigned int generation)
{
	fb_revoked(sc->sc_fbs, generation);
	fb_revoked(sc->sc_old, generation);
	gpu_reap(sc);
}

/* The primary head's */

void
pv_gpu_geometry(const struct pv_gpu *sc, struct pv_gpu_geometry *gg)
{
	pv_gpu_fb_geometry(sc, gpu_primary_fb(sc), gg);
}

void *
pv_gpu_kva(const struct pv_gpu *sc)
{
	return pv_gpu_fb_kva(gpu_primary_fb(sc));
}

int
pv_gpu_segment(const struct pv_gpu *sc, unsigned int i, bus_addr_t *addr,
    bus_size_t *len)
{
	const struct pv_gpu_fb *fb = gpu_primary_fb(sc);
	bus_dmamap_t map;

	if (fb == NULL)
		return ERANGE;
	map = fb->fb_dma.dm_map;
	if (i >= (unsigned int)map->dm_nsegs)
		return ERANGE;
	*addr = map->dm_segs[i].ds_addr;
	*len = map->dm_segs[i].ds_len;
	return 0;
}

paddr_t
pv_gpu_mmap(struct pv_gpu *sc, off_t offset, int prot)
{
	return pv_gpu_fb_mmap(sc, gpu_primary_fb(sc), offset, prot);
}
