/* SPDX-License-Identifier: ISC */
#include "scene.h"
#include "wire.h"

#define CTX	3

static struct pv_gpu gpu;
static unsigned int revoked, generation;
static struct pv_gpu_fb *page;		/* the port's */
static struct pv_gpu_resource resources[3];
static struct port_buf *stream;		/* 4 KiB, a client's */

static void
note_revoke(void *arg, unsigned int gen)
{
	(void)arg;
	revoked++;
	generation = gen;
}

static const struct pv_gpu_callbacks callbacks = {
	.gc_changed = scene_note_changed,
	.gc_revoke = note_revoke,
	.gc_broken = scene_note_broken,
};

static void
settle(struct scene *sc)
{
	/* It waits for its commands itself. */
	fake_noticed(&sc->sc_st.st_fd, 0);
	fake_noticed(&sc->sc_st.st_fd, 1);
	scene_settle(sc);
}

static uint32_t
colour(unsigned int x, unsigned int y, unsigned int how)
{
	return 0xff000000u | (x * 3 + how) << 16 | ((y * 5) & 0xff) << 8 |
	    ((x ^ y ^ how) & 0xff);
}

static void
draw(unsigned int x0, unsigned int y0, unsigned int w, unsigned int h,
    unsigned int how)
{
	struct pv_gpu_geometry gg;
	unsigned int x, y;
	uint32_t *row;

	pv_gpu_geometry(&gpu, &gg);
	for (y = y0; y < y0 + h; y++) {
		row = (uint32_t *)(void *)((char *)pv_gpu_kva(&gpu) +
		    (size_t)y * gg.gg_stride);
		for (x = x0; x < x0 + w; x++)
			row[x] = wire32(colour(x, y, how) | 0xff000000u);
	}
}

static int
shows(struct scene *sc, unsigned int x0, unsigned int y0, unsigned int w,
    unsigned int h, unsigned int how)
{
	unsigned int x, y;

	for (y = y0; y < y0 + h; y++)
		for (x = x0; x < x0 + w; x++)
			if (vdev_gpu_pixel(&sc->sc_vd, x, y) !=
			    (colour(x, y, how) | 0xff000000u))
				return 0;
	return 1;
}

static void
paint(struct scene *sc, unsigned int how)
{
	struct pv_gpu_geometry gg;
	unsigned int x, y, w, h, i;

	pv_gpu_geometry(&gpu, &gg);
	draw(0, 0, gg.gg_width, gg.gg_height, how);
	WANT(sc, pv_gpu_flush(&gpu, 0, 0, gg.gg_width, gg.gg_height) == 0);
	settle(sc);
	WANT(sc, shows(sc, 0, 0, gg.gg_width, gg.gg_height, how));
	for (i = 0; i < 5; i++) {
		x = vdev_random(&sc->sc_vd, gg.gg_width);
		y = vdev_random(&sc->sc_vd, gg.gg_height);
		w = 1 + vdev_random(&sc->sc_vd, gg.gg_width - x);
		h = 1 + vdev_random(&sc->sc_vd, gg.gg_height - y);
		draw(x, y, w, h, how + 17 * (i + 1));
		WANT(sc, pv_gpu_flush(&gpu, x, y, w, h) == 0);
		settle(sc);
		WANT(sc, shows(sc, x, y, w, h, how + 17 * (i + 1)));
	}
	WANT(sc, pv_gpu_flush(&gpu, 0, 0, 0, 5) == 0);
	WANT(sc, pv_gpu_flush_begin(&gpu, 0, 0, gg.gg_width, 1) == 0);
	for (i = 0; i < 10 && pv_gpu_flush_end(&gpu) == EAGAIN; i++)
		continue;
	settle(sc);
out:	;
}

static void
resize(struct scene *sc, int mapped)
{
	struct pv_gpu_geometry gg;
	paddr_t pa;

	pv_gpu_geometry(&gpu, &gg);
	if (mapped) {
		pa = pv_gpu_mmap(&gpu, 0, PROT_READ | PROT_WRITE);
		WANT(sc, pa != (paddr_t)-1);
		WANT(sc, pv_gpu_mmap(&gpu, 1, PROT_READ) == (paddr_t)-1);
	}
	sc->sc_changed = 0;
	revoked = 0;
	vdev_gpu_resize(&sc->sc_vd, gg.gg_width + 24, gg.gg_height + 10);
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
	if (!sc->sc_polls)
		WANT(sc, sc->sc_changed > 0);
	WANT(sc, pv_gpu_changed(&gpu) == 1);
	settle(sc);
	WANT(sc, (revoked == 1) == (mapped != 0));
	if (mapped)
		pv_gpu_revoked(&gpu, generation);
	pv_gpu_geometry(&gpu, &gg);
	WANT(sc, gg.gg_width == sc->sc_vd.vd_gpu.vg_modes[0].w &&
	    gg.gg_height == sc->sc_vd.vd_gpu.vg_modes[0].h);
	paint(sc, 3);
out:	;
}

static void
restart(struct scene *sc, int asked)
{
	struct pv_gpu_geometry gg;
	int error;

	pv_gpu_geometry(&gpu, &gg);
	sc->sc_vd.vd_hold = 1;
	WANT(sc, pv_gpu_flush_begin(&gpu, 0, 0, gg.gg_width, gg.gg_height) ==
	    0);
	if (asked) {
		fake_needs_reset(&sc->sc_st.st_fd);
		if (!scene_reliable(sc))
			pv_virtio_poll(sc->sc_dev);
		WANT(sc, sc->sc_broken == 1);
		MUST(sc, pv_gpu_flush(&gpu, 0, 0, 1, 1) == EIO);
	}
	error = pv_gpu_stop(&gpu);
	sc->sc_vd.vd_hold = 0;
	sc->sc_broken = 0;
	WANT(sc, error == 0);
	WANT(sc, pv_gpu_start(&gpu) == 0);
	settle(sc);
	paint(sc, 9);
out:
	sc->sc_vd.vd_hold = 0;
}

/* Pixels of a framebuffer, all of it. */
static void
fill(struct pv_gpu_fb *fb, unsigned int how)
{
	struct pv_gpu_geometry gg;
	unsigned int x, y;
	uint32_t *p = pv_gpu_fb_kva(fb);

	pv_gpu_fb_geometry(&gpu, fb, &gg);
	for (y = 0; y < gg.gg_height; y++)
		for (x = 0; x < gg.gg_width; x++)
			p[y * gg.gg_width + x] = wire32(colour(x, y, how));
}

static int
head_shows(struct scene *sc, unsigned int head, unsigned int x0,
    unsigned int y0, unsigned int w, unsigned int h, unsigned int how)
{
	unsigned int x, y;

	for (y = 0; y < h; y++)
		for (x = 0; x < w; x++)
			if (vdev_gpu_head_pixel(&sc->sc_vd, head, x, y) !=
			    colour(x0 + x, y0 + y, how))
				return 0;
	return 1;
}

/* Damage in several places is sent at once, several times without a wait. */
static void
burst(struct scene *sc)
{
	struct pv_gpu_fb *fb = pv_gpu_head_fb(&gpu, pv_gpu_primary(&gpu));
	uint64_t fence = 0;
	unsigned int i;

	fill(fb, 40);
	for (i = 0; i < 6; i++) {
		pv_gpu_damage(&gpu, fb, 0, 8 * i, 64, 4);
		pv_gpu_damage(&gpu, fb, 8, 8 * i + 4, 56, 4);
		WANT(sc, pv_gpu_present(&gpu, fb, &fence) == 0 && fence != 0);
	}
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	settle(sc);
	WANT(sc, head_shows(sc, 0, 0, 0, 64, 4, 40));
	WANT(sc, head_shows(sc, 0, 0, 0, 8, 4, 40));
	fill(fb, 41);
	pv_gpu_damage(&gpu, fb, 0, 0, 100000, 100000);
	WANT(sc, pv_gpu_present(&gpu, fb, &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	settle(sc);
	WANT(sc, head_shows(sc, 0, 0, 0, 64, 48, 41));
out:	;
}

/* Another framebuffer, shown in turns with the driver's own. */
static void
flips(struct scene *sc)
{
	static const enum pv_gpu_format formats[] = { PV_GPU_B8G8R8A8,
	    PV_GPU_B8G8R8X8, PV_GPU_A8R8G8B8, PV_GPU_X8R8G8B8,
	    PV_GPU_R8G8B8A8, PV_GPU_X8B8G8R8, PV_GPU_A8B8G8R8,
	    PV_GPU_R8G8B8X8 };
	const struct pv_gpu_rect part = { 8, 4, 48, 40 };
	struct pv_gpu_fb *own = pv_gpu_head_fb(&gpu, 0);
	uint64_t fence;

	page = NULL;
	WANT(sc, pv_gpu_fb_create(&gpu, 64, 48,
	    formats[sc->sc_run->rn_seed % 8], &page) == 0);
	fill(page, 60);
	pv_gpu_damage(&gpu, page, 0, 0, 64, 48);
	WANT(sc, pv_gpu_show(&gpu, 0, page, NULL, &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	settle(sc);
	WANT(sc, head_shows(sc, 0, 0, 0, 64, 48, 60));
	MUST(sc, pv_gpu_fb_destroy(&gpu, page) == EBUSY);
	fill(own, 61);
	pv_gpu_damage(&gpu, own, 0, 0, 64, 48);
	WANT(sc, pv_gpu_present(&gpu, own, &fence) == 0);
	WANT(sc, pv_gpu_show(&gpu, 0, own, NULL, &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	settle(sc);
	WANT(sc, head_shows(sc, 0, 0, 0, 64, 48, 61));
	WANT(sc, pv_gpu_show(&gpu, 0, page, &part, &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	settle(sc);
	WANT(sc, head_shows(sc, 0, 8, 4, 48, 40, 60));
	WANT(sc, pv_gpu_show(&gpu, 0, NULL, NULL, &fence) == 0);
	WANT(sc, pv_gpu_show(&gpu, 0, own, NULL, &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	settle(sc);
	WANT(sc, pv_gpu_fb_destroy(&gpu, page) == 0);
	page = NULL;
	settle(sc);
out:	;
}

static void
cursors(struct scene *sc)
{
	const struct vdev_head *vh = &sc->sc_vd.vd_gpu.vg_heads[0];
	static uint32_t image[64 * 64];
	unsigned int i;

	memset(image, 0xff, sizeof(image));
	WANT(sc, pv_gpu_cursor_move(&gpu, 0, 5, 6) == 0);
	WANT(sc, pv_gpu_cursor_set(&gpu, 0, image, 7, 9) == 0);
	settle(sc);
	WANT(sc, vh->vh_cursor != 0 && vh->vh_hot_x == 7 && vh->vh_hot_y == 9);
	for (i = 0; i < 20; i++)
		WANT(sc, pv_gpu_cursor_move(&gpu, 0, i, 2 * i) == 0);
	settle(sc);
	/* What found no room is done by the next call. */
	WANT(sc, pv_gpu_cursor_move(&gpu, 0, 30, 31) == 0);
	settle(sc);
	WANT(sc, vh->vh_x == 30 && vh->vh_y == 31 && vh->vh_cursor != 0);
	WANT(sc, pv_gpu_cursor_hide(&gpu, 0) == 0);
	settle(sc);
	WANT(sc, vh->vh_cursor == 0);
	WANT(sc, pv_gpu_cursor_set(&gpu, 0, image, 63, 63) == 0);
	settle(sc);
out:	;
}

/* A second head comes, mirrors the first, shows its own again, and goes. */
static void
heads(struct scene *sc)
{
	struct pv_gpu_fb *fb;
	uint64_t fence;

	vdev_gpu_head_resize(&sc->sc_vd, 1, 80, 60);
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
	WANT(sc, pv_gpu_changed(&gpu) == 1);
	settle(sc);
	fb = pv_gpu_head_fb(&gpu, 1);
	WANT(sc, fb != NULL);
	fill(fb, 70);
	pv_gpu_damage(&gpu, fb, 0, 0, 80, 60);
	WANT(sc, pv_gpu_present(&gpu, fb, &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	settle(sc);
	WANT(sc, head_shows(sc, 1, 0, 0, 80, 60, 70));
	WANT(sc, pv_gpu_show(&gpu, 1, pv_gpu_head_fb(&gpu, 0), NULL,
	    &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	paint(sc, 5);
	WANT(sc, vdev_gpu_head_pixel(&sc->sc_vd, 1, 3, 3) ==
	    vdev_gpu_pixel(&sc->sc_vd, 3, 3));
	resize(sc, 0);
	WANT(sc, !scene_gone(sc));
	WANT(sc, vdev_gpu_head_pixel(&sc->sc_vd, 1, 3, 3) ==
	    vdev_gpu_pixel(&sc->sc_vd, 3, 3));
	WANT(sc, pv_gpu_show(&gpu, 1, fb, NULL, &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	vdev_gpu_head_resize(&sc->sc_vd, 1, 0, 0);
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
	WANT(sc, pv_gpu_changed(&gpu) == 1);
	settle(sc);
	WANT(sc, pv_gpu_head_fb(&gpu, 1) == NULL);
out:	;
}

/* A client that renders. */
static void
capsets(struct scene *sc)
{
	static uint8_t caps[PV_GPU_CAPSET_MAX];
	struct pv_gpu_capset cs;
	size_t len = sizeof(caps);

	WANT(sc, pv_gpu_capset_info(&gpu, 1, &cs) == 0);
	WANT(sc, cs.cs_id == 2 && cs.cs_max_size == VDEV_CAPSET);
	WANT(sc, pv_gpu_capset(&gpu, &cs, 1, caps, &len) == 0);
	WANT(sc, len == VDEV_CAPSET && caps[10] == 72);
	MUST(sc, pv_gpu_capset_info(&gpu, 2, &cs) != 0);
	settle(sc);
out:	;
}

static void
streams(struct scene *sc, int ring)
{
	struct pv_piece pieces[2] = {
		{ stream->pb_map, 0, 100 }, { stream->pb_map, 256, 28 }
	};
	const struct vdev_gpu *vg = &sc->sc_vd.vd_gpu;
	uint64_t fences[3];
	unsigned int i;

	memset(stream->pb_va, 0x33, 100);
	memset(stream->pb_va + 256, 0x44, 28);
	for (i = 0; i < 3; i++)
		WANT(sc, pv_gpu_submit_3d(&gpu, CTX, ring, pieces, 2,
		    &fences[i]) == 0);
	for (i = 0; i < 3; i++)
		WANT(sc, pv_gpu_fence_wait(&gpu, fences[i]) == 0);
	settle(sc);
	WANT(sc, vg->vg_streamlen == 128 && vg->vg_stream[99] == 0x33 &&
	    vg->vg_stream[100] == 0x44);
out:	;
}

static void
textures(struct scene *sc)
{
	const struct pv_gpu_3d what = { 2, 1, 10, 16, 16, 1, 1, 0, 0, 0 };
	const struct pv_gpu_transfer tr = { { 0, 0, 0, 16, 16, 1 }, 0, 0, 64,
	    0, 0 };
	const struct pv_piece pc = { stream->pb_map, 1024, 1024 };
	uint64_t fence;
	uint8_t uuid[16];

	WANT(sc, pv_gpu_resource_3d(&gpu, &resources[0], CTX, &what) == 0);
	WANT(sc, pv_gpu_resource_back(&gpu, &resources[0], &pc) == 0);
	WANT(sc, pv_gpu_ctx_attach(&gpu, CTX, &resources[0]) == 0);
	WANT(sc, pv_gpu_transfer_3d(&gpu, CTX, -1, &resources[0], &tr,
	    &fence) == 0);
	WANT(sc, pv_gpu_fence_wait(&gpu, fence) == 0);
	if (pv_virtio_has(sc->sc_dev, PV_GPU_F_RESOURCE_UUID))
		WANT(sc, pv_gpu_uuid(&gpu, &resources[0], uuid) == 0 &&
		    uuid[1] == uuid[0] + 1);
	WANT(sc, pv_gpu_ctx_detach(&gpu, CTX, &resources[0]) == 0);
	WANT(sc, pv_gpu_resource_unback(&gpu, &resources[0]) == 0);
	WANT(sc, pv_gpu_resource_free(&gpu, &resources[0]) == 0);
	settle(sc);
out:	;
}

static void
blobs(struct scene *sc)
{
	const struct pv_gpu_blob ours = { PV_GPU_BLOB_GUEST,
	    PV_GPU_BLOB_SHAREABLE, 0, 1024 };
	const struct pv_gpu_blob host = { PV_GPU_BLOB_HOST3D,
	    PV_GPU_BLOB_MAPPABLE, 7, PAGE_SIZE };
	const struct pv_piece pc = { stream->pb_map, 2048, 1024 };
	unsigned int cache = 99;
	const struct pv_shm *there = &sc->sc_st.st_fd.fd_regions[1];
	struct pv_shm region;

	if (!pv_virtio_has(sc->sc_dev, PV_GPU_F_RESOURCE_BLOB))
		return;
	WANT(sc, pv_gpu_resource_blob(&gpu, &resources[1], CTX, &ours,
	    &pc) == 0);
	WANT(sc, pv_gpu_resource_blob(&gpu, &resources[2], CTX, &host,
	    NULL) == 0);
	if (sc->sc_vd.vd_gpu.vg_visible == 0)
		MUST(sc, pv_gpu_hostvisible(&gpu, &region) == ENOTSUP);
	else {
		MUST(sc, pv_gpu_hostvisible(&gpu, &region) == 0);
		MUST(sc, region.sh_bar == there->sh_bar &&
		    region.sh_start == there->sh_start &&
		    region.sh_len == there->sh_len);
		WANT(sc, pv_gpu_map_blob(&gpu, &resources[2], PAGE_SIZE,
		    &cache) == 0);
		WANT(sc, cache == PV_GPU_CACHE_WC);
	}
	WANT(sc, pv_gpu_resource_free(&gpu, &resources[2]) == 0);
	WANT(sc, pv_gpu_resource_free(&gpu, &resources[1]) == 0);
	settle(sc);
out:	;
}

static void
renders(struct scene *sc)
{
	int init = pv_virtio_has(sc->sc_dev, PV_GPU_F_CONTEXT_INIT);

	memset(resources, 0, sizeof(resources));
	WANT(sc, pv_gpu_ctx_create(&gpu, CTX, init ? 2 : 0, "scene") == 0);
	capsets(sc);
	WANT(sc, !scene_gone(sc));
	streams(sc, -1);
	if (init && !scene_gone(sc))
		streams(sc, 63);
	if (!scene_gone(sc))
		textures(sc);
	if (!scene_gone(sc))
		blobs(sc);
	WANT(sc, !scene_gone(sc));
	WANT(sc, pv_gpu_ctx_destroy(&gpu, CTX) == 0);
	settle(sc);
out:	;
}

/* What is beyond one framebuffer. */
static void
more(struct scene *sc)
{
	if (!scene_gone(sc))
		burst(sc);
	if (!scene_gone(sc))
		flips(sc);
	if (!scene_gone(sc))
		cursors(sc);
	if (!scene_gone(sc) && gpu.sc_params.gp_heads > 1)
		heads(sc);
	if (!scene_gone(sc) && pv_virtio_has(sc->sc_dev, PV_GPU_F_VIRGL))
		renders(sc);
}

static void
play(struct scene *sc)
{
	const uint8_t *edid;

	if (pv_virtio_has(sc->sc_dev, PV_GPU_F_EDID))
		WANT(sc, pv_gpu_edid(&gpu, &edid) == 128);
	paint(sc, 1);
	if (!scene_gone(sc) && vdev_has(&sc->sc_vd, Q_RESIZE)) {
		resize(sc, 0);
		if (!scene_gone(sc))
			resize(sc, 1);
	}
	if (!scene_gone(sc))
		more(sc);
	if (!scene_gone(sc))
		restart(sc, 0);
	if (!scene_gone(sc) && vdev_has(&sc->sc_vd, Q_NEEDS_RESET))
		restart(sc, 1);
	if (scene_gone(sc))
		return;
	/* The end finds a command that nobody answers. */
	sc->sc_vd.vd_hold = 1;
	WANT(sc, pv_gpu_flush_begin(&gpu, 0, 0, 8, 8) == 0);
out:	;
}

void
scene_gpu(struct scene *sc)
{
	struct pv_gpu_params params = { 0 };
	int error;

	memset(&gpu, 0, sizeof(gpu));
	if (sc->sc_run->rn_seed % 3 == 1)
		params.gp_maxseg = 2 * PAGE_SIZE;
	if (sc->sc_run->rn_seed % 2 == 0) {
		params.gp_heads = 2;
		params.gp_3d = 1;
		vdev_gpu_heads(&sc->sc_vd, 2, 2);
	}
	stream = port_buf_new(4096);
	error = pv_gpu_attach(&gpu, sc->sc_dev, &callbacks, sc, &params);
	if (error) {
		port_buf_free(stream);
		scene_attach_failed(sc, error);
		return;
	}
	play(sc);
	error = pv_gpu_detach(&gpu);
	if (error == EBUSY) {
		MUST(sc, pv_gpu_mmap(&gpu, 0, PROT_READ) == (paddr_t)-1);
		pv_gpu_revoked(&gpu, generation);
		error = pv_gpu_detach(&gpu);
	}
	if (error == ETIMEDOUT)
		port_buf_lose(stream);
	else
		port_buf_free(stream);
	MUST(sc, error == 0 || scene_gone(sc));
}
