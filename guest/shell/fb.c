/* SPDX-License-Identifier: ISC */
/* The display: its framebuffer, and a picture to see whether it is right. */

#include <errno.h>
#include <string.h>

#include "console.h"
#include "ktime.h"
#include "pci.h"
#include "shell.h"
#include "tty.h"
#include "virtio_guest.h"

#define TEST_SECONDS	3

static struct pv_gpu *
fb_find(const char *who)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_GPU, 0);

	if (vg != NULL)
		return &vg->vg_driver.vd_gpu;
	tty_printf("%s: there is no display\n", who);
	return NULL;
}

static void
show_monitor(const struct pv_gpu *gpu, unsigned int head)
{
	struct pv_gpu_monitor mo;
	unsigned int i, column = 4;
	const uint8_t *edid;
	size_t len = pv_gpu_head_edid(gpu, head, &edid);

	if (len == 0 || pv_gpu_edid_parse(edid, len, &mo) != 0)
		return;
	tty_printf("  %s \"%s\", %u x %u mm, %u, EDID %u.%u + %u\n", mo.mo_maker,
	    mo.mo_name, mo.mo_width_mm, mo.mo_height_mm, mo.mo_year,
	    mo.mo_version, mo.mo_revision, mo.mo_extensions);
	tty_printf("   ");
	for (i = 0; i < mo.mo_nmodes; i++)
		tty_item(&column, 4, " %ux%u@%u.%03u%s",
		    mo.mo_modes[i].md_width, mo.mo_modes[i].md_height,
		    (unsigned)mo.mo_modes[i].md_mhz / 1000,
		    (unsigned)mo.mo_modes[i].md_mhz % 1000,
		    i == 0 ? " preferred," : i + 1 < mo.mo_nmodes ? "," : "");
	tty_printf("\n");
}

static void
show_head(const struct pv_gpu *gpu, unsigned int head)
{
	static const char *const states[] = { "off", "on", "suspended" };
	struct pv_gpu_geometry gg;
	struct pv_gpu_head_info hi;

	if (pv_gpu_head(gpu, head, &hi) != 0)
		return;
	pv_gpu_fb_geometry(gpu, pv_gpu_head_fb(gpu, head), &gg);
	tty_printf("head %u %s%s", head, states[hi.hi_state],
	    head == pv_gpu_primary(gpu) ? ", primary" : "");
	if (hi.hi_state != PV_GPU_HEAD_OFF)
		tty_printf(", shows %u x %u, generation %u", gg.gg_width,
		    gg.gg_height, gg.gg_generation);
	if (hi.hi_enabled)
		tty_printf(", the host wants %u x %u at %u,%u",
		    (unsigned)hi.hi_wish.w, (unsigned)hi.hi_wish.h,
		    (unsigned)hi.hi_wish.x, (unsigned)hi.hi_wish.y);
	tty_printf("\n");
	show_monitor(gpu, head);
}

static void
fb_show(const struct pv_gpu *gpu)
{
	const struct pv_gpu_counters *gc = pv_gpu_counters(gpu);
	struct pv_gpu_geometry gg;
	unsigned int i;

	pv_gpu_geometry(gpu, &gg);
	tty_printf("%u x %u B8G8R8X8%s, stride %u, %zu bytes in %u segment%s, "
	    "generation %u, scanout %u\n", gg.gg_width, gg.gg_height,
	    gg.gg_blob ? " in place" : "", gg.gg_stride, gg.gg_len, gg.gg_nsegs,
	    gg.gg_nsegs == 1 ? "" : "s", gg.gg_generation, gg.gg_scanout);
	for (i = 0; i < pv_gpu_heads(gpu); i++)
		show_head(gpu, i);
	tty_printf("%llu flushes of %llu pixels, %llu rectangles merged, "
	    "%u under way at most, %llu refused; %llu flips, %llu moves of the "
	    "cursor\n", (unsigned long long)gc->gc_flushes,
	    (unsigned long long)gc->gc_pixels,
	    (unsigned long long)gc->gc_merged, gc->gc_most,
	    (unsigned long long)gc->gc_busy, (unsigned long long)gc->gc_flips,
	    (unsigned long long)gc->gc_moves);
}

static void
fb_segments(const struct pv_gpu *gpu)
{
	bus_size_t len;
	bus_addr_t addr;
	unsigned int i;

	for (i = 0; pv_gpu_segment(gpu, i, &addr, &len) == 0; i++) {
		if (tty_interrupted())
			return;
		tty_printf("%4u: %012llx + %llu\n", i,
		    (unsigned long long)addr, (unsigned long long)len);
	}
}

/*
 * The test picture: eight bars (white, yellow, cyan, green, magenta, red, blue,
 * black) over three quarters of the height, a grey ramp below, and a white
 * frame of one pixel.
 */
static uint32_t
test_pixel(unsigned int x, unsigned int y, const struct pv_gpu_geometry *gg)
{
	static const uint32_t bars[8] = {
		0xffffffff, 0xffffff00, 0xff00ffff, 0xff00ff00,
		0xffff00ff, 0xffff0000, 0xff0000ff, 0xff000000
	};
	uint32_t grey;

	if (x == 0 || y == 0 || x == gg->gg_width - 1 ||
	    y == gg->gg_height - 1)
		return 0xffffffff;
	if (y < gg->gg_height / 4 * 3)
		return bars[x * 8 / gg->gg_width];
	grey = x * 256 / gg->gg_width;
	return 0xff000000 | grey << 16 | grey << 8 | grey;
}

static int
test_draw(struct pv_gpu *gpu)
{
	struct pv_gpu_geometry gg;
	unsigned int x, y;
	uint32_t *row;
	int error;

	display_lock();
	pv_gpu_geometry(gpu, &gg);
	for (y = 0; y < gg.gg_height; y++) {
		row = (uint32_t *)(void *)((char *)pv_gpu_kva(gpu) +
		    (size_t)y * gg.gg_stride);
		for (x = 0; x < gg.gg_width; x++)
			row[x] = test_pixel(x, y, &gg);
	}
	error = pv_gpu_flush(gpu, 0, 0, gg.gg_width, gg.gg_height);
	display_unlock();
	return error;
}

static int
fb_test(struct pv_gpu *gpu, unsigned long long seconds)
{
	int error;

	/* A display without the text console needs no hiding of it. */
	fbcon_hide(gpu, 1);
	(void)pci_hold();
	error = pv_gpu_kva(gpu) == NULL ? ENXIO : test_draw(gpu);
	pci_drop();
	if (error != 0)
		tty_printf("fb: the flush failed, error %d\n", error);
	else
		error = tty_sleep(seconds * NS_PER_S);
	fbcon_hide(gpu, 0);
	return error;
}

static int
cmd_fb(int argc, char **argv)
{
	unsigned long long seconds = TEST_SECONDS;
	struct pv_gpu *gpu;

	if (argc == 3 && strcmp(argv[1], "test") == 0) {
		if (shell_number("fb", argv[2], 0, 3600, &seconds) != 0)
			return EINVAL;
	} else if (argc > 2 || (argc == 2 && strcmp(argv[1], "test") != 0 &&
	    strcmp(argv[1], "segments") != 0))
		return shell_usage(argv[0]);
	gpu = fb_find(argv[0]);
	if (gpu == NULL)
		return ENXIO;
	if (argc == 1) {
		if (pci_hold() != 0)
			return EBUSY;
		fb_show(gpu);
		pci_drop();
		return 0;
	}
	if (strcmp(argv[1], "test") == 0)
		return fb_test(gpu, seconds);
	(void)pci_hold();
	fb_segments(gpu);
	pci_drop();
	return 0;
}
COMMAND(fb, cmd_fb, "fb [segments | test [SECONDS]]",
    "displays and framebuffer, its memory, or a test picture");
