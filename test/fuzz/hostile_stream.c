/* SPDX-License-Identifier: ISC */
/*
 * Console and entropy drivers under a device that does anything at all.
 */
#include <string.h>

#include <paravane/console.h>
#include <paravane/entropy.h>

#include "hostile.h"

static void
stream_device(struct rig *rg, unsigned int queue)
{
	uint8_t bytes[2048];
	struct rig_chain rc;
	uint32_t len;

	while (!lies() && hostile_take(queue, &rc)) {
		len = rc.rc_inlen == 0 ? 0 : draw(rc.rc_inlen + 1);
		must(len <= sizeof(bytes));
		scribble(bytes, len);
		rig_write(&rc, 0, bytes, len);
		hostile_give(queue, &rc, len);
		if (queue == 0 && draw(4) != 0)
			break;
	}
	rig_interrupt(rg, PV_INTR_QUEUE);
	hostile_whim();
}

void
scene_console(void)
{
	static const struct pv_console_callbacks cb = {
	    .cc_broken = hostile_broken };
	struct pv_console con;
	unsigned int cols, rows, i;
	uint8_t buf[6000];
	int n, len, lost;

	hostile_begin(PV_TYPE_CONSOLE);
	rig.rg_offered |= draw(8);
	rig.rg_notify = stream_device;
	memset(buf, 'x', sizeof(buf));
	if (pv_console_attach(&con, rig_init(&rig), &cb, NULL) != 0) {
		hostile_end();
		return;
	}
	for (i = 0; draw_more(i); i++) {
		len = (int)draw(sizeof(buf));
		n = pv_console_write(&con, buf, (size_t)len);
		must(n <= len);
		n = pv_console_read(&con, buf, (size_t)len);
		must(n <= len);
		pv_console_flush(&con, 100);
		pv_console_size(&con, &cols, &rows);
		stream_device(&rig, draw(2));
		pv_virtio_poll(&rig.rg_dev);
		if (nbroken || draw(40) == 0) {
			must(pv_console_stop(&con) == 0);
			nbroken = 0;
			pv_console_start(&con);
		}
	}
	lost = hostile_gone();
	must((pv_console_detach(&con) != 0) == lost);
	hostile_held();
	hostile_end();
}

void
scene_entropy(void)
{
	static const struct pv_entropy_callbacks cb = {
	    .ec_broken = hostile_broken };
	struct pv_entropy entropy;
	uint8_t buf[600];
	unsigned int i;
	int n, len, lost;

	hostile_begin(PV_TYPE_ENTROPY);
	rig.rg_notify = stream_device;
	if (pv_entropy_attach(&entropy, rig_init(&rig), &cb, NULL) != 0) {
		hostile_end();
		return;
	}
	for (i = 0; draw_more(i); i++) {
		pv_entropy_request(&entropy);
		stream_device(&rig, 0);
		len = (int)draw(sizeof(buf));
		n = pv_entropy_read(&entropy, buf, (size_t)len);
		must(n <= len && n <= PV_ENTROPY_BUFLEN);
		if (nbroken || draw(40) == 0) {
			must(pv_entropy_stop(&entropy) == 0);
			nbroken = 0;
			pv_entropy_start(&entropy);
		}
	}
	lost = hostile_gone();
	must((pv_entropy_detach(&entropy) != 0) == lost);
	hostile_held();
	hostile_end();
}
