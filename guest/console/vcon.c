/* SPDX-License-Identifier: ISC */
/* Virtio consoles as consoles. */

#include <errno.h>
#include <string.h>

#include <paravane/console.h>

#include "console.h"
#include "log.h"

#define VCON_MAX	4
#define VCON_FLUSH_US	200000

struct vcon {
	struct console		 vc_con;
	struct pv_console	*vc_dev;
};

static struct vcon vcons[VCON_MAX];

static size_t
vcon_write(struct console *con, const char *s, size_t len)
{
	struct vcon *vc = (struct vcon *)con;
	int n = pv_console_write(vc->vc_dev, s, len);

	return n > 0 ? (size_t)n : 0;
}

static void
vcon_flush(struct console *con)
{
	struct vcon *vc = (struct vcon *)con;

	/* In normal life the device takes it in its own time. */
	if (panicking())
		(void)pv_console_flush(vc->vc_dev, VCON_FLUSH_US);
}

static void
vcon_poll(struct console *con)
{
	struct vcon *vc = (struct vcon *)con;
	char buf[64];
	unsigned int rounds;
	int n;

	/* A device that never runs dry does not keep the others waiting. */
	for (rounds = 0; rounds < 64; rounds++) {
		n = pv_console_read(vc->vc_dev, buf, sizeof(buf));
		if (n <= 0)
			return;
		console_input(con, buf, (size_t)n);
	}
	console_kick();
}

int
vcon_attach(struct pv_console *dev)
{
	struct vcon *vc;

	for (vc = vcons; vc < &vcons[VCON_MAX]; vc++)
		if (vc->vc_dev == NULL)
			break;
	if (vc == &vcons[VCON_MAX])
		return EBUSY;
	vc->vc_dev = dev;
	vc->vc_con.con_name = "virtio";
	vc->vc_con.con_write = vcon_write;
	vc->vc_con.con_flush = vcon_flush;
	vc->vc_con.con_poll = vcon_poll;
	console_register(&vc->vc_con);
	return 0;
}

void
vcon_kick(void)
{
	console_kick();
}

void
vcon_detach(struct pv_console *dev)
{
	struct vcon *vc;

	console_lock();
	for (vc = vcons; vc < &vcons[VCON_MAX]; vc++) {
		if (vc->vc_dev == dev) {
			console_unregister(&vc->vc_con);
			memset(vc, 0, sizeof(*vc));
		}
	}
	console_unlock();
}
