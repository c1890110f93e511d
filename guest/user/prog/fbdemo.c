/* SPDX-License-Identifier: ISC */

/*
 * fbdemo [resizes [seconds]] - draw a test picture on the display
 *
 * Takes the display, maps its pixels and draws; then for as many resizes as
 * asked for, waits until the display has another size, maps the new pixels and
 * draws again. Keeps the last picture for some seconds. Each picture follows
 * from the display's size alone, so that a test can compute it:
 *
 *	a frame, two pixels wide, white
 *	within it, at (x, y): red x * 255 / (w - 1), green y * 255 / (h - 1),
 *	blue 255 * ((x / 16 + y / 16) % 2)
 */

#include <errno.h>
#include <stdint.h>

#include "sys.h"

#define NS_PER_S	1000000000ull
#define WAIT_NS		(30 * NS_PER_S)
#define FRAME		2
#define NONE		UINT64_MAX	/* no number */

struct screen {
	int		 fd;
	uint32_t	*pixels;	/* mapped, or NULL */
	struct sys_display geometry;
};

static uint32_t
pixel(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	if (x < FRAME || y < FRAME || x >= w - FRAME || y >= h - FRAME)
		return 0xffffffff;
	return 0xff000000 | (x * 255 / (w - 1)) << 16 |
	    (y * 255 / (h - 1)) << 8 | ((x / 16 + y / 16) % 2) * 255;
}

static void
draw(const struct screen *sc)
{
	uint32_t w = sc->geometry.sd_width, h = sc->geometry.sd_height, x, y;

	for (y = 0; y < h; y++) {
		volatile uint32_t *row = sc->pixels +
		    (size_t)y * (sc->geometry.sd_stride / 4);

		for (x = 0; x < w; x++)
			row[x] = pixel(x, y, w, h);
	}
}

static int64_t
map(struct screen *sc)
{
	int64_t at;

	if (sc->pixels != NULL)
		sys_munmap(sc->pixels, sc->geometry.sd_len);
	sc->pixels = NULL;
	at = sys_ioctl(sc->fd, SYS_DISPLAY_GEOMETRY, &sc->geometry);
	if (at < 0)
		return at;
	at = sys_mmap(sc->geometry.sd_len, SYS_PROT_READ | SYS_PROT_WRITE,
	    sc->fd, 0);
	if (at < 0)
		return at;
	sc->pixels = (uint32_t *)at;
	return 0;
}

static int64_t
flush(const struct screen *sc)
{
	struct sys_flush all = {
		.sf_generation = sc->geometry.sd_generation,
		.sf_width = sc->geometry.sd_width,
		.sf_height = sc->geometry.sd_height,
	};

	return sys_ioctl(sc->fd, SYS_DISPLAY_FLUSH, &all);
}

/* Map, draw, show; again if the display changed meanwhile. */
static int64_t
show(struct screen *sc)
{
	int64_t error;

	do {
		error = map(sc);
		if (error < 0)
			return error;
		draw(sc);
		error = flush(sc);
	} while (error == -ESTALE);
	if (error == 0)
		print("fbdemo: %ux%u generation %u\n",
		    (unsigned int)sc->geometry.sd_width,
		    (unsigned int)sc->geometry.sd_height,
		    (unsigned int)sc->geometry.sd_generation);
	return error;
}

/* Draws into what it has mapped all along: that stays allowed. */
static int64_t
await_resize(struct screen *sc)
{
	uint64_t end = sys_gettime() + WAIT_NS;
	struct sys_wait wait = {
		.sw_generation = sc->geometry.sd_generation,
		.sw_timeout_ns = NS_PER_S / 10,
	};
	int64_t error;

	do {
		error = sys_ioctl(sc->fd, SYS_DISPLAY_WAIT, &wait);
		draw(sc);
	} while (error == -ETIMEDOUT && sys_gettime() < end);
	return error;
}

static int
fail(const char *what, int64_t error)
{
	print("fbdemo: %s: error %d\n", what, (int)-error);
	return 1;
}

int
main(int argc, char **argv)
{
	uint64_t resizes = argc > 1 ? number(argv[1], NONE) : 0;
	uint64_t seconds = argc > 2 ? number(argv[2], NONE) : 3;
	struct screen sc = { .pixels = NULL };
	int64_t error;

	if (argc > 3 || resizes == NONE || seconds == NONE) {
		print("usage: fbdemo [RESIZES [SECONDS]]\n");
		return 1;
	}
	sc.fd = (int)sys_open(SYS_PATH_TTY);
	if (sc.fd < 0)
		return fail("open", sc.fd);
	error = sys_ioctl(sc.fd, SYS_DISPLAY_TAKE, NULL);
	if (error < 0)
		return fail("take the display", error);
	error = show(&sc);
	if (error < 0)
		return fail("show", error);
	while (resizes-- > 0) {
		error = await_resize(&sc);
		if (error == 0)
			error = show(&sc);
		if (error == -ETIMEDOUT) {
			print("fbdemo: nobody resized the display\n");
			return 1;
		}
		if (error < 0)
			return fail("resize", error);
	}
	sys_sleep(seconds * NS_PER_S);
	return 0;
}
