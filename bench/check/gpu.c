/* SPDX-License-Identifier: ISC */
#include "scene.h"
#include "wire.h"

static struct pv_gpu gpu;
static unsigned int revoked, generation;

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

void
scene_gpu(struct scene *sc)
{
	struct pv_gpu_params params = { 0 };
	const uint8_t *edid;
	int error;

	memset(&gpu, 0, sizeof(gpu));
	if (sc->sc_run->rn_seed % 3 == 1)
		params.gp_maxseg = 2 * PAGE_SIZE;
	error = pv_gpu_attach(&gpu, sc->sc_dev, &callbacks, sc, &params);
	if (error) {
		scene_attach_failed(sc, error);
		return;
	}
	if (pv_virtio_has(sc->sc_dev, PV_GPU_F_EDID))
		WANT(sc, pv_gpu_edid(&gpu, &edid) == 128);
	paint(sc, 1);
	if (!scene_gone(sc) && vdev_has(&sc->sc_vd, Q_RESIZE)) {
		resize(sc, 0);
		if (!scene_gone(sc))
			resize(sc, 1);
	}
	if (!scene_gone(sc))
		restart(sc, 0);
	if (!scene_gone(sc) && vdev_has(&sc->sc_vd, Q_NEEDS_RESET))
		restart(sc, 1);
	if (scene_gone(sc))
		goto out;
	sc->sc_vd.vd_hold = 1;
	WANT(sc, pv_gpu_flush_begin(&gpu, 0, 0, 8, 8) == 0);
out:
	error = pv_gpu_detach(&gpu);
	if (error == EBUSY) {
		pv_gpu_revoked(&gpu, pv_gpu_mmap(&gpu, 0, PROT_READ) ==
		    (paddr_t)-1 ? generation : generation);
		error = pv_gpu_detach(&gpu);
	}
	MUST(sc, error == 0 || scene_gone(sc));
}
