/* SPDX-License-Identifier: ISC */
/*
 * `fbbench`: how fast the display takes what is flushed, and the text console
 * what is said.
 */

#include <errno.h>
#include <string.h>

#include "console.h"
#include "ktime.h"
#include "pci.h"
#include "shell.h"
#include "tty.h"
#include "virtio_guest.h"

#define DAMAGE		64	/* pixels, either way */
#define LINE		80	/* with its end */
#define SLICE		32	/* flushes between two looks at Ctrl-C */
#define DEPTH		8	/* under way at once, without a wait */

struct bench {
	struct pv_gpu	*fb_gpu;
	struct pv_gpu_geometry fb_gg;
	uint64_t	 fb_ns;		/* for how long */
	uint64_t	 fb_lines;
	uint64_t	 fb_done;
	uint64_t	 fb_took;
	uint64_t	 fb_commands, fb_flushes, fb_pixels;
	uint64_t	 fb_fences[DEPTH];
};

static void
say(const struct bench *fb, const char *what)
{
	const struct pv_gpu_counters *gc = pv_gpu_counters(fb->fb_gpu);

	tty_printf("fbbench: %s %llu in %llu us, %llu flushes, %llu pixels, "
	    "%llu commands\n", what, (unsigned long long)fb->fb_done,
	    (unsigned long long)(fb->fb_took / NS_PER_US),
	    (unsigned long long)(gc->gc_flushes - fb->fb_flushes),
	    (unsigned long long)(gc->gc_pixels - fb->fb_pixels),
	    (unsigned long long)(gc->gc_commands - fb->fb_commands));
}

static void
begin(struct bench *fb)
{
	const struct pv_gpu_counters *gc = pv_gpu_counters(fb->fb_gpu);

	fb->fb_done = 0;
	fb->fb_flushes = gc->gc_flushes;
	fb->fb_pixels = gc->gc_pixels;
	fb->fb_commands = gc->gc_commands;
}

/* A square somewhere, never where the last one was. */
static struct pv_gpu_rect
place(const struct bench *fb)
{
	struct pv_gpu_rect r = { 0, 0, DAMAGE, DAMAGE };
	unsigned int cols = fb->fb_gg.gg_width / DAMAGE;
	unsigned int rows = fb->fb_gg.gg_height / DAMAGE;

	if (cols > 0)
		r.x = (unsigned int)(fb->fb_done % cols) * DAMAGE;
	if (rows > 0)
		r.y = (unsigned int)(fb->fb_done / 3 % rows) * DAMAGE;
	return r;
}

/* One pixel of it is another one each time: it was drawn. */
static void
draw(const struct bench *fb, const struct pv_gpu_rect *r)
{
	uint32_t *p = (uint32_t *)(void *)((char *)pv_gpu_kva(fb->fb_gpu) +
	    (size_t)r->y * fb->fb_gg.gg_stride) + r->x;

	*p = 0xff000000 | (uint32_t)fb->fb_done;
}

/* Without a wait but for the one that was sent DEPTH flushes ago. */
static int
send(struct bench *fb, const struct pv_gpu_rect *r)
{
	struct pv_gpu_fb *shown = pv_gpu_head_fb(fb->fb_gpu,
	    pv_gpu_primary(fb->fb_gpu));
	uint64_t *fence = &fb->fb_fences[fb->fb_done % DEPTH];
	int error;

	error = pv_gpu_fence_wait(fb->fb_gpu, *fence);
	if (error != 0)
		return error;
	pv_gpu_damage(fb->fb_gpu, shown, r->x, r->y, r->w, r->h);
	return pv_gpu_present(fb->fb_gpu, shown, fence);
}

static int
flush_one(struct bench *fb, int whole, int wait)
{
	struct pv_gpu_rect r = { 0, 0, fb->fb_gg.gg_width,
	    fb->fb_gg.gg_height };

	if (!whole)
		r = place(fb);
	draw(fb, &r);
	return wait ? pv_gpu_flush(fb->fb_gpu, r.x, r.y, r.w, r.h) :
	    send(fb, &r);
}

static int
flushes(struct bench *fb, int whole, int wait)
{
	uint64_t start = uptime_ns();
	unsigned int i;
	int error = 0;

	do {
		for (i = 0; error == 0 && i < SLICE; i++) {
			error = flush_one(fb, whole, wait);
			fb->fb_done++;
		}
		fb->fb_took = uptime_ns() - start;
	} while (error == 0 && fb->fb_took < fb->fb_ns && !tty_interrupted());
	if (error == 0)
		error = pv_gpu_flush(fb->fb_gpu, 0, 0, 1, 1);
	fb->fb_took = uptime_ns() - start;
	return error;
}

static int
bench_flushes(struct bench *fb, const char *what, int whole, int wait)
{
	int error;

	console_drain();
	fbcon_hide(fb->fb_gpu, 1);
	(void)pci_hold();
	display_lock();
	pv_gpu_geometry(fb->fb_gpu, &fb->fb_gg);
	begin(fb);
	error = fb->fb_gg.gg_len == 0 ? ENXIO : flushes(fb, whole, wait);
	display_unlock();
	pci_drop();
	fbcon_hide(fb->fb_gpu, 0);
	if (error == 0)
		say(fb, what);
	return error;
}

/* Lines of text that differ, as they go through the console. */
static int
bench_lines(struct bench *fb)
{
	char line[LINE];
	uint64_t start;
	unsigned int i;
	int error;

	console_alone("fb");
	begin(fb);
	start = uptime_ns();
	for (; fb->fb_done < fb->fb_lines && !tty_interrupted();
	    fb->fb_done++) {
		for (i = 0; i < LINE - 1; i++)
			line[i] = (char)('!' + (fb->fb_done + i) % 94);
		line[LINE - 1] = '\n';
		tty_write(line, sizeof(line));
	}
	console_drain();
	display_lock();
	error = pv_gpu_flush(fb->fb_gpu, 0, 0, 1, 1);
	display_unlock();
	fb->fb_took = uptime_ns() - start;
	console_alone(NULL);
	if (error == 0)
		say(fb, "lines");
	return error;
}

static int
bench_all(struct bench *fb)
{
	int error;

	error = bench_flushes(fb, "full", 1, 1);
	if (error == 0)
		error = bench_flushes(fb, "full-pipelined", 1, 0);
	if (error == 0)
		error = bench_flushes(fb, "damage", 0, 1);
	if (error == 0)
		error = bench_flushes(fb, "damage-pipelined", 0, 0);
	return error != 0 ? error : bench_lines(fb);
}

static int
cmd_fbbench(int argc, char **argv)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_GPU, 0);
	unsigned long long ms = 1000, lines = 10000;
	struct bench fb;
	int error;

	if (argc > 3)
		return shell_usage(argv[0]);
	if ((argc > 1 && shell_number("fbbench", argv[1], 1, 60000, &ms)) ||
	    (argc > 2 && shell_number("fbbench", argv[2], 1, 1000000, &lines)))
		return shell_usage(argv[0]);
	if (vg == NULL) {
		tty_printf("fbbench: there is no display\n");
		return ENXIO;
	}
	memset(&fb, 0, sizeof(fb));
	fb.fb_gpu = &vg->vg_driver.vd_gpu;
	fb.fb_ns = ms * NS_PER_MS;
	fb.fb_lines = lines;
	error = bench_all(&fb);
	if (error != 0)
		tty_printf("fbbench: %s\n", strerror(error));
	return error;
}
COMMAND(fbbench, cmd_fbbench, "fbbench [MILLISECONDS [LINES]]",
    "how fast the display takes flushes, whole and 64 x 64, and text");
