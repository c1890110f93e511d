/* SPDX-License-Identifier: ISC */
/* The log and the display's text, tested in the guest. */

#include <stdio.h>
#include <string.h>

#include <paravane/gpu.h>

#include "console.h"
#include "ktime.h"
#include "log.h"
#include "selftest.h"
#include "term.h"
#include "tty.h"
#include "user.h"
#include "virtio_guest.h"

SELFTEST(log_keeps_what_is_said)
{
	char word[32], buf[512];
	unsigned long long pos = 0;
	size_t n, found = 0;

	(void)snprintf(word, sizeof(word), "selftest %llu",
	    (unsigned long long)uptime_ns());
	klog(LOG_DEBUG, "%s", word);
	while ((n = log_read(&pos, buf, sizeof(buf))) > 0)
		found = n;
	/* It is the last line, but for what an interrupt may have said. */
	ST_CHECK(st, found > 0);
	pos = pos > 256 ? pos - 256 : 0;
	n = log_read(&pos, buf, sizeof(buf) - 1);
	buf[n] = '\0';
	ST_CHECK(st, strstr(buf, word) != NULL);
}

SELFTEST(log_cuts_a_long_line)
{
	char buf[LOG_LINE_MAX * 2];
	unsigned long long pos = 0, end;

	memset(buf, 'x', sizeof(buf));
	buf[sizeof(buf) - 1] = '\0';
	while (log_read(&pos, buf + 16, sizeof(buf) - 32) > 0)
		continue;
	end = pos;
	memset(buf, 'x', sizeof(buf) - 1);
	klog(LOG_DEBUG, "%s", buf);
	while (log_read(&pos, buf, sizeof(buf)) > 0)
		continue;
	ST_CHECK(st, pos - end >= LOG_LINE_MAX - 1);
	ST_CHECK(st, pos - end <= LOG_LINE_MAX + 32);
}

SELFTEST(time_tty_sleep)
{
	uint64_t before = uptime_ns(), took;

	ST_EQ(st, tty_sleep(20 * NS_PER_MS), 0);
	took = uptime_ns() - before;
	ST_CHECK(st, took >= 20 * NS_PER_MS);
	ST_CHECK(st, took < ST_WAIT_NS);
}

static int
is_console_colour(uint32_t pixel)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (pixel == term_colour(i))
			return 1;
	return 0;
}

static const uint32_t *
fb_row(const struct pv_gpu *gpu, const struct pv_gpu_geometry *gg,
    unsigned int y)
{
	return (const uint32_t *)(const void *)((const char *)pv_gpu_kva(gpu) +
	    (size_t)y * gg->gg_stride);
}

SELFTEST(console_paints_the_framebuffer)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_GPU, 0);
	struct pv_gpu_geometry gg;
	unsigned long lit = 0;
	unsigned int x, y;
	uint32_t pixel;

	if (vg == NULL)
		ST_SKIP(st, "no display");
	if (user_display_taken(&vg->vg_driver.vd_gpu))
		ST_SKIP(st, "a program has the display");
	tty_printf("# this line is on the display\n");
	console_drain();
	pv_gpu_geometry(&vg->vg_driver.vd_gpu, &gg);
	for (y = 0; y < gg.gg_height; y++) {
		for (x = 0; x < gg.gg_width; x++) {
			pixel = fb_row(&vg->vg_driver.vd_gpu, &gg, y)[x];
			if (!is_console_colour(pixel)) {
				ST_EQ(st, pixel, 0xff000000);
				return;
			}
			lit += pixel != 0xff000000;
		}
	}
	ST_CHECK(st, lit > 100);
}
