/* SPDX-License-Identifier: ISC */
/*
 * Console and entropy drivers under a device that does anything at all. Each
 * byte out is the one after that before it; bytes in are, from an honest
 * device, those that it gave, in order.
 */
#include <string.h>

#include <paravane/console.h>
#include <paravane/entropy.h>

#include "hostile.h"

static uint8_t given[1u << 16];
static uint16_t ngiven, ntaken;		/* wrap with it */
static uint8_t sent, seen;

static void
streams_begin(void)
{
	ngiven = ntaken = 0;
	sent = seen = 0;
}

/* What was under way is lost with a reset. */
static void
streams_reset(void)
{
	ntaken = ngiven;
	seen = sent;
}

static void
give_bytes(unsigned int queue, const struct rig_chain *rc)
{
	uint8_t bytes[2048];
	uint32_t len = draw(rc->rc_inlen + 1), i;

	must(len <= sizeof(bytes));
	scribble(bytes, len);
	rig_write(rc, 0, bytes, len);
	for (i = 0; i < len; i++)
		given[ngiven++] = bytes[i];
	hostile_give(queue, rc, len);
}

static void
take_bytes(unsigned int queue, const struct rig_chain *rc)
{
	uint8_t bytes[4096];
	uint32_t i;

	must(rc->rc_outlen <= sizeof(bytes));
	rig_read(rc, 0, bytes, rc->rc_outlen);
	for (i = 0; i < rc->rc_outlen; i++)
		must(bytes[i] == seen++);
	hostile_give(queue, rc, 0);
}

static void
stream_device(struct rig *rg, unsigned int queue)
{
	struct rig_chain rc;

	while (!lies() && hostile_take(queue, &rc)) {
		if (rc.rc_inlen != 0)
			give_bytes(queue, &rc);
		else
			take_bytes(queue, &rc);
		if (queue == 0 && draw(4) != 0)
			break;
	}
	rig_interrupt(rg, PV_INTR_QUEUE);
	hostile_whim();
}

static void
check_input(const uint8_t *buf, int n, size_t len)
{
	int i;

	holds(RULE_LENGTH, n < 0 || (size_t)n <= len);
	if (malice != 0)
		return;
	must(n <= (uint16_t)(ngiven - ntaken));
	for (i = 0; i < n; i++)
		must(buf[i] == given[ntaken++]);
}

static void
console_write(struct pv_console *con)
{
	uint8_t buf[6000];
	size_t len = draw(sizeof(buf)), i;
	int n;

	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)(sent + i);
	/* The device may look within the call. */
	n = pv_console_write(con, buf, len);
	must(n <= (int)len);
	if (n > 0)
		sent = (uint8_t)(sent + n);
}

static void
console_act(struct pv_console *con)
{
	unsigned int cols, rows;
	uint8_t buf[6000];
	size_t len;

	switch (draw(6)) {
	case 0: case 1:
		console_write(con);
		break;
	case 2:
		len = draw(sizeof(buf));
		check_input(buf, pv_console_read(con, buf, len), len);
		break;
	case 3:
		pv_console_flush(con, 100);
		break;
	case 4:
		rig_put16(&rig, 0, (uint16_t)draw(300));
		rig_config_changed(&rig);
		if (pv_console_size(con, &cols, &rows) == 0)
			holds(RULE_RANGES, cols > 0 && cols <= 65535 &&
			    rows > 0 && rows <= 65535);
		break;
	case 5:
		stream_device(&rig, draw(2));
		pv_virtio_poll(&rig.rg_dev);
		break;
	}
}

static void
console_step(struct pv_console *con)
{
	console_act(con);
	if (nbroken == 0 && draw(40) != 0)
		return;
	holds(RULE_REMOVAL, (pv_console_stop(con) != 0) == hostile_lost());
	streams_reset();
	nbroken = hostile_lost();	/* then this was the last step */
	if (nbroken)
		return;
	hostile_scarce();
	pv_console_start(con);
	hostile_plenty();
}

void
scene_console(void)
{
	static const struct pv_console_callbacks cb = {
	    .cc_input = hostile_intr, .cc_room = hostile_intr,
	    .cc_changed = hostile_intr, .cc_broken = hostile_broken };
	struct pv_console con;
	unsigned int i;
	int error, lost;

	hostile_begin(PV_TYPE_CONSOLE);
	streams_begin();
	rig.rg_legacy = draw(8) == 0;
	if (rig.rg_legacy)
		rig.rg_offered &= ~PV_F_BIT(PV_F_VERSION_1);
	rig.rg_offered |= draw(8);
	rig.rg_notify = stream_device;
	hostile_scarce();
	bounded(60, error = pv_console_attach(&con, rig_init(&rig), &cb, NULL));
	hostile_plenty();
	if (error == 0) {
		for (i = 0; draw_more(i) && !(hostile_lost() && nbroken); i++)
			bounded(60, console_step(&con));
		lost = hostile_gone();
		holds(RULE_REMOVAL, (pv_console_detach(&con) != 0) == lost);
		hostile_held();
	}
	hostile_end();
}

static void
entropy_step(struct pv_entropy *entropy)
{
	uint8_t buf[600];
	size_t len;
	int n;

	switch (draw(4)) {
	case 0:
		pv_entropy_request(entropy);
		break;
	case 1:
		stream_device(&rig, 0);
		pv_virtio_poll(&rig.rg_dev);
		break;
	default:
		len = draw(sizeof(buf));
		n = pv_entropy_read(entropy, buf, len);
		must(n <= PV_ENTROPY_BUFLEN);
		check_input(buf, n, len);
		ntaken = ngiven;	/* the rest is dropped */
	}
	if (nbroken == 0 && draw(40) != 0)
		return;
	holds(RULE_REMOVAL, (pv_entropy_stop(entropy) != 0) == hostile_lost());
	streams_reset();
	nbroken = hostile_lost();	/* then this was the last step */
	if (nbroken)
		return;
	hostile_scarce();
	pv_entropy_start(entropy);
	hostile_plenty();
}

void
scene_entropy(void)
{
	static const struct pv_entropy_callbacks cb = {
	    .ec_ready = hostile_intr, .ec_broken = hostile_broken };
	struct pv_entropy entropy;
	unsigned int i;
	int error, lost;

	hostile_begin(PV_TYPE_ENTROPY);
	streams_begin();
	rig.rg_legacy = draw(8) == 0;
	if (rig.rg_legacy)
		rig.rg_offered &= ~PV_F_BIT(PV_F_VERSION_1);
	rig.rg_notify = stream_device;
	hostile_scarce();
	bounded(60, error = pv_entropy_attach(&entropy, rig_init(&rig), &cb,
	    NULL));
	hostile_plenty();
	if (error == 0) {
		for (i = 0; draw_more(i) && !(hostile_lost() && nbroken); i++)
			bounded(60, entropy_step(&entropy));
		lost = hostile_gone();
		holds(RULE_REMOVAL, (pv_entropy_detach(&entropy) != 0) == lost);
		hostile_held();
	}
	hostile_end();
}
