/* SPDX-License-Identifier: ISC */
/*
 * What Linux makes of a display, for perf/: a framebuffer of a program's own on
 * the first display that is connected, and damage to it.
 *
 *	drmload WIDTH HEIGHT MILLISECONDS
 *
 * flushes the rectangle of that size in its upper left corner (0 0: all), again
 * and again, and says
 *
 *	bench: N operations in M us
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define MOST	16

struct display {
	int			di_fd;
	uint32_t		di_connector;
	uint32_t		di_crtc;
	uint32_t		di_fb;
	struct drm_mode_modeinfo di_mode;
};

static void
ask(const struct display *di, unsigned long request, void *value,
    const char *what)
{
	if (ioctl(di->di_fd, request, value) != 0)
		err(1, "%s", what);
}

/* Its first mode, which is what it prefers; 0 if nothing is connected. */
static int
is_connected(struct display *di, uint32_t id)
{
	struct drm_mode_modeinfo modes[MOST * MOST];
	struct drm_mode_get_connector gc = { .connector_id = id };
	uint32_t n;

	ask(di, DRM_IOCTL_MODE_GETCONNECTOR, &gc, "a connector");
	n = gc.count_modes;
	if (gc.connection != 1 || n == 0 || n > MOST * MOST)
		return 0;
	memset(&gc, 0, sizeof(gc));
	gc.connector_id = id;
	gc.count_modes = n;
	gc.modes_ptr = (uint64_t)(uintptr_t)modes;
	ask(di, DRM_IOCTL_MODE_GETCONNECTOR, &gc, "its modes");
	di->di_connector = id;
	di->di_mode = modes[0];
	return 1;
}

static void
find(struct display *di)
{
	uint32_t connectors[MOST], crtcs[MOST], i;
	struct drm_mode_card_res res;

	memset(&res, 0, sizeof(res));
	res.count_connectors = res.count_crtcs = MOST;
	res.connector_id_ptr = (uint64_t)(uintptr_t)connectors;
	res.crtc_id_ptr = (uint64_t)(uintptr_t)crtcs;
	ask(di, DRM_IOCTL_MODE_GETRESOURCES, &res, "what there is");
	if (res.count_crtcs == 0 || res.count_crtcs > MOST ||
	    res.count_connectors > MOST)
		errx(1, "no display, or too many");
	di->di_crtc = crtcs[0];
	for (i = 0; i < res.count_connectors; i++)
		if (is_connected(di, connectors[i]))
			return;
	errx(1, "no display is connected");
}

static void
show(struct display *di)
{
	struct drm_mode_create_dumb dumb = {
		.width = di->di_mode.hdisplay, .height = di->di_mode.vdisplay,
		.bpp = 32
	};
	struct drm_mode_fb_cmd fb = {
		.width = di->di_mode.hdisplay, .height = di->di_mode.vdisplay,
		.bpp = 32, .depth = 24
	};
	struct drm_mode_crtc crtc = {
		.crtc_id = di->di_crtc, .mode_valid = 1, .mode = di->di_mode,
		.set_connectors_ptr = (uint64_t)(uintptr_t)&di->di_connector,
		.count_connectors = 1
	};

	ask(di, DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "a buffer");
	fb.pitch = dumb.pitch;
	fb.handle = dumb.handle;
	ask(di, DRM_IOCTL_MODE_ADDFB, &fb, "a framebuffer");
	di->di_fb = crtc.fb_id = fb.fb_id;
	ask(di, DRM_IOCTL_MODE_SETCRTC, &crtc, "its showing");
}

int
main(int argc, char **argv)
{
	struct display di;
	struct drm_clip_rect clip;
	struct drm_mode_fb_dirty_cmd dirty = {
		.num_clips = 1, .clips_ptr = (uint64_t)(uintptr_t)&clip
	};
	uint64_t began, end, n = 0;
	int width, height;

	if (argc != 4)
		errx(1, "usage: drmload WIDTH HEIGHT MILLISECONDS");
	memset(&di, 0, sizeof(di));
	di.di_fd = open("/dev/dri/card0", O_RDWR);
	if (di.di_fd < 0)
		err(1, "/dev/dri/card0");
	find(&di);
	show(&di);
	width = atoi(argv[1]);
	height = atoi(argv[2]);
	clip.x1 = clip.y1 = 0;
	clip.x2 = width != 0 ? (uint16_t)width : di.di_mode.hdisplay;
	clip.y2 = height != 0 ? (uint16_t)height : di.di_mode.vdisplay;
	dirty.fb_id = di.di_fb;
	began = now_us();
	end = began + (uint64_t)atol(argv[3]) * 1000;
	do {
		ask(&di, DRM_IOCTL_MODE_DIRTYFB, &dirty, "a flush");
		n++;
	} while (now_us() < end);
	printf("bench: %llu operations in %llu us\n", (unsigned long long)n,
	    (unsigned long long)(now_us() - began));
	return 0;
}
