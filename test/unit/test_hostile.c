/* SPDX-License-Identifier: ISC */
/*
 * All drivers under a device that does anything at all, drawn from seeds: what
 * must hold is in the checks. Each cookie comes back exactly once; received
 * data lies inside its buffer; what the device was given stays loaded until it
 * gave it back or was reset; every call returns; in the end nothing is left.
 *
 *	test_hostile [seed [number of seeds]]
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/console.h>
#include <paravane/entropy.h>
#include <paravane/gpu.h>
#include <paravane/net.h>

#include "port.h"
#include "rig.h"
#include "wire.h"

#define STEPS	150

static uint64_t first_seed = 1, nseeds = 150;
static uint64_t state;
static struct rig rig;
static unsigned int malice;		/* lies, in 256 */
static unsigned int rogue;		/* since this many resets */
static int broken;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static int
lies(void)
{
	return draw(256) < malice;
}

/* Values that are wrong in interesting ways. */
static uint32_t
strange(void)
{
	static const uint32_t values[] = { 0, 1, 2, 11, 12, 13, 25, 26, 63, 64,
	    65, 127, 128, 129, 0x7fff, 0x8000, 0xffff, 0x10000, 0x53355885,
	    0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	if (draw(2))
		return values[draw(sizeof(values) / sizeof(values[0]))];
	return draw(UINT32_MAX) >> draw(32);
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	assert_non_null(why);
	broken++;
}

static void
scribble(uint8_t *p, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		p[i] = (uint8_t)draw(256);
}

/*
 * Once it has given back a chain that it was not asked about, it can't know
 * what is its own still: then it takes no more until a reset.
 */
static int
take(unsigned int queue, struct rig_chain *rc)
{
	return rogue != rig.rg_resets && rig_take(&rig, queue, rc);
}

/* The device answers a chain: with what the honest one says, or not. */
static void
give(unsigned int queue, const struct rig_chain *rc, uint32_t len)
{
	uint32_t id = rc->rc_head;

	if (lies())
		len = strange();
	if (lies()) {
		id = strange();
		rogue = rig.rg_resets;
	}
	rig_give(&rig, queue, id, len);
	if (lies() && lies())
		rig_used_index(&rig, queue, (uint16_t)strange());
}

static void
whim(void)
{
	if (lies())
		rig_interrupt(&rig, draw(4));
	if (lies() && lies())
		rig.rg_status |= PV_STATUS_NEEDS_RESET;
	if (lies()) {
		scribble(rig.rg_config, 32);
		rig.rg_generation += draw(2);
	}
	if (lies() && lies())
		rig.rg_offered = PV_F_BIT(PV_F_VERSION_1) | strange() |
		    (uint64_t)strange() << 32;
}

static void
begin(uint64_t seed, unsigned int type)
{
	port_reset();
	state = seed * 0x9e3779b97f4a7c15ull + 1;
	malice = draw(3) == 0 ? 0 : 1 + draw(64);
	rig_new(&rig, type);
	rig.rg_intr = (int)draw(2);
	port.po_shadow = (int)draw(2);
	port.po_segsize = draw(2) ? 65536 : 0;
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_EVENT_IDX);
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	broken = 0;
	rogue = 0;
}

static void
end(uint64_t seed, const char *what)
{
	if (port_check())
		fail_msg("%s: seed %llu", what, (unsigned long long)seed);
}

/* Network */

#define NBUFS	40

struct buf {
	struct port_buf *pb;
	struct pv_piece piece;
	int posted;			/* the device's, or the driver's */
};

static struct pv_net net;
static struct buf rxbufs[NBUFS], txbufs[NBUFS];

static void
net_device(struct rig *rg, unsigned int queue)
{
	uint8_t bytes[2048];
	struct rig_chain rc;
	uint32_t len;

	while (!lies() && take(queue, &rc)) {
		len = rc.rc_inlen < sizeof(bytes) ? rc.rc_inlen :
		    (uint32_t)sizeof(bytes);
		if (queue == 0)
			len = draw(len + 1);
		scribble(bytes, len);
		if (queue == 2 && !lies())
			bytes[0] = 0;
		if (queue == 0 && !lies()) {
			memset(bytes, 0, 12);
			bytes[10] = (uint8_t)(lies() ? draw(8) : 1);
		}
		rig_write(&rc, 0, bytes, len);
		give(queue, &rc, len);
		rig_interrupt(rg, PV_INTR_QUEUE);
	}
	whim();
}

static void
returned(struct buf *bufs, void *cookie)
{
	struct buf *b = cookie;

	assert_true(b >= bufs && b < bufs + NBUFS);
	assert_true(b->posted);
	b->posted = 0;
}

static void
net_post(void)
{
	struct pv_net_rxbuf rb;
	unsigned int done, i = draw(NBUFS);
	struct buf *b = &rxbufs[i];

	if (b->posted)
		return;
	if (b->pb != NULL && b->pb->pb_len < pv_net_rxbuf_len(&net)) {
		port_buf_free(b->pb);
		b->pb = NULL;
	}
	if (b->pb == NULL)
		b->pb = port_buf_new(pv_net_rxbuf_len(&net));
	memset(&rb, 0, sizeof(rb));
	rb.rb_piece.pc_map = b->pb->pb_map;
	rb.rb_piece.pc_len = b->pb->pb_len;
	rb.rb_va = b->pb->pb_va;
	rb.rb_cookie = b;
	if (pv_net_post(&net, &rb, 1, &done) == 0)
		b->posted = 1;
}

static void
net_receive(void)
{
	struct pv_net_rx rx[64];
	unsigned int done, i;
	struct buf *b;

	pv_net_receive(&net, rx, 64, &done);
	for (i = 0; i < done; i++) {
		b = rx[i].rx_cookie;
		returned(rxbufs, b);
		assert_true(rx[i].rx_len <= b->pb->pb_len);
		assert_true(rx[i].rx_off + rx[i].rx_len <= b->pb->pb_len);
		if (rx[i].rx_flags & PV_NET_RX_ERROR)
			assert_int_equal(rx[i].rx_len, 0);
		if (rx[i].rx_flags & PV_NET_RX_MORE)
			assert_true(i + 1 < done);
	}
}

static void
net_transmit(void)
{
	unsigned int done, i = draw(NBUFS), hdrlen = pv_net_hdrlen(&net);
	struct buf *b = &txbufs[i];
	struct pv_net_tx tx = { .tx_pieces = &b->piece, .tx_npieces = 1 };

	if (b->posted)
		return;
	if (b->pb == NULL)
		b->pb = port_buf_new(2048);
	b->piece.pc_map = b->pb->pb_map;
	b->piece.pc_off = hdrlen;
	b->piece.pc_len = 1 + draw(2000);
	tx.tx_hdr = b->pb->pb_va;
	tx.tx_cookie = b;
	if (pv_net_transmit(&net, &tx, 1, &done) == 0)
		b->posted = 1;
}

static void
net_reclaim(void)
{
	void *cookies[64];
	unsigned int done, i;

	pv_net_reclaim(&net, cookies, 64, &done);
	for (i = 0; i < done; i++)
		returned(txbufs, cookies[i]);
}

static void
net_all_back(void)
{
	unsigned int i;
	void *cookie;

	while ((cookie = pv_net_drain_tx(&net)) != NULL)
		returned(txbufs, cookie);
	while ((cookie = pv_net_drain_rx(&net)) != NULL)
		returned(rxbufs, cookie);
	for (i = 0; i < NBUFS; i++) {
		assert_false(rxbufs[i].posted);
		assert_false(txbufs[i].posted);
	}
}

static void
net_step(void)
{
	switch (draw(12)) {
	case 0: case 1: case 2:
		net_post();
		break;
	case 3: case 4:
		net_receive();
		break;
	case 5: case 6:
		net_transmit();
		break;
	case 7:
		net_reclaim();
		break;
	case 8:
		pv_net_changed(&net);
		pv_net_set_mtu(&net, strange());
		break;
	case 9:
		pv_net_set_rxmode(&net, (int)draw(2), (int)draw(2));
		break;
	case 10:
		pv_net_rx_intr(&net, (int)draw(2));
		pv_net_tx_intr(&net, (int)draw(2));
		pv_virtio_poll(&rig.rg_dev);
		break;
	case 11:
		net_device(&rig, draw(3));
		break;
	}
	if (broken == 0 && draw(40) != 0)
		return;
	assert_int_equal(pv_net_stop(&net), 0);
	net_all_back();
	broken = 0;
	pv_net_start(&net);
}

static void
net_once(uint64_t seed)
{
	static const struct pv_net_callbacks cb = { .nc_broken = note_broken };
	unsigned int i;

	begin(seed, PV_TYPE_NET);
	memset(rxbufs, 0, sizeof(rxbufs));
	memset(txbufs, 0, sizeof(txbufs));
	rig.rg_legacy = draw(4) == 0;
	if (rig.rg_legacy)
		rig.rg_offered &= ~PV_F_BIT(PV_F_VERSION_1);
	rig.rg_offered |= strange() & 0xffffff & ~(1ull << PV_NET_F_GSO);
	rig_put16(&rig, 10, (uint16_t)(draw(2) ? 1500 : strange()));
	rig.rg_notify = net_device;
	if (pv_net_attach(&net, rig_init(&rig), &cb, NULL, NULL) == 0) {
		for (i = 0; i < STEPS; i++)
			net_step();
		assert_int_equal(pv_net_stop(&net), 0);
		net_all_back();
		assert_int_equal(pv_net_detach(&net), 0);
	}
	for (i = 0; i < NBUFS; i++) {
		port_buf_free(rxbufs[i].pb);
		port_buf_free(txbufs[i].pb);
	}
	end(seed, "net");
}

/* Display */

struct backing {
	uint32_t id;
	uint32_t n;
	struct {
		uint64_t addr;
		uint32_t len, pad;
	} entries[256];
};

#define NBACKINGS	64

static struct pv_gpu gpu;
static struct backing backings[NBACKINGS];
static unsigned int mapped[64], nmapped;

static struct backing *
backing_of(uint32_t id)
{
	unsigned int i;

	for (i = 0; i < NBACKINGS; i++)
		if (backings[i].id == id)
			return &backings[i];
	return NULL;
}

/* It attaches honestly, and lets go only of what it says it lets go of. */
static uint32_t
gpu_backing(const struct rig_chain *rc, uint32_t type, uint32_t id)
{
	struct backing *b;
	uint32_t i, n;

	if (type == 0x106) {
		b = backing_of(0);
		rig_read(rc, 28, &n, 4);
		n = wire32(n);
		if (b == NULL || n > 256 || rc->rc_outlen < 32 + 16 * n)
			return 0x1201;
		b->id = id;
		b->n = n;
		rig_read(rc, 32, b->entries, 16 * n);
		for (i = 0; i < n; i++) {
			b->entries[i].addr = wire64(b->entries[i].addr);
			b->entries[i].len = wire32(b->entries[i].len);
		}
	} else if (lies()) {
		return 0x1200;
	} else if ((b = backing_of(id)) != NULL) {
		memset(b, 0, sizeof(*b));
	}
	return 0x1100;
}

static uint32_t
gpu_display_info(uint8_t *answer)
{
	uint32_t mode[6] = { 0, 0, 64 + 8 * draw(8), 64 + 8 * draw(8), 1, 0 };
	unsigned int i;

	if (lies())
		for (i = 0; i < 6; i++)
			mode[i] = draw(4) ? mode[i] : strange();
	/* Nothing that a test has no memory for. */
	if (mode[2] <= 16384 && mode[3] <= 16384 && mode[2] * mode[3] > 1u << 20)
		mode[2] = 16385;
	for (i = 0; i < 6; i++)
		wire_put(answer + 24 + 4 * i, 4, mode[i]);
	return 0x1101;
}

static void
gpu_device(struct rig *rg, unsigned int queue)
{
	uint32_t type, id, len = 24;
	uint8_t head[64], answer[1056 + 24];
	struct rig_chain rc;

	(void)rg;
	while (!(lies() && lies()) && take(queue, &rc)) {
		memset(head, 0, sizeof(head));
		memset(answer, 0, sizeof(answer));
		rig_read(&rc, 0, head, rc.rc_outlen < 64 ? rc.rc_outlen : 64);
		type = (uint32_t)wire_get(head, 4);
		id = (uint32_t)wire_get(head + 24, 4);
		memcpy(answer + 4, head + 4, 20);
		if (type == 0x100) {
			type = gpu_display_info(answer);
			len = 408;
		} else if (type == 0x10a) {
			scribble(answer + 24, 1032);
			type = 0x1104;
			len = 1056;
		} else if (type == 0x102 || type == 0x106 || type == 0x107)
			type = gpu_backing(&rc, type, id);
		else
			type = 0x1100;
		if (lies() && lies())
			type = strange();
		wire_put(answer, 4, type);
		if (lies() && lies())
			scribble(answer, 24);
		rig_write(&rc, 0, answer, len < rc.rc_inlen ? len : rc.rc_inlen);
		give(queue, &rc, len);
	}
	whim();
}

static void
gpu_held(void)
{
	unsigned int i, e;

	for (i = 0; i < NBACKINGS; i++)
		for (e = 0; e < backings[i].n; e++)
			assert_non_null(port_dma_kva(
			    backings[i].entries[e].addr,
			    backings[i].entries[e].len));
}

static void
gpu_revoke(void *arg, unsigned int generation)
{
	(void)arg;
	if (draw(2)) {
		pv_gpu_revoked(&gpu, generation);
		return;
	}
	assert_true(nmapped < 64);
	mapped[nmapped++] = generation;
}

static void
gpu_step(void)
{
	struct pv_gpu_geometry gg;
	uint8_t *p = pv_gpu_kva(&gpu);

	pv_gpu_geometry(&gpu, &gg);
	switch (draw(8)) {
	case 0: case 1:
		p[draw((uint32_t)gg.gg_len)] = 1;
		pv_gpu_flush(&gpu, draw(100), draw(100), strange(), strange());
		break;
	case 2:
		pv_gpu_flush_begin(&gpu, draw(10), draw(10), draw(50),
		    draw(50));
		break;
	case 3:
		pv_gpu_flush_end(&gpu);
		break;
	case 4:
		pv_gpu_changed(&gpu);
		break;
	case 5:
		pv_gpu_mmap(&gpu, (off_t)draw(4) * (off_t)PAGE_SIZE / 2,
		    PROT_READ);
		break;
	case 6:
		if (nmapped > 0)
			pv_gpu_revoked(&gpu, mapped[--nmapped]);
		break;
	case 7:
		gpu_device(&rig, 0);
		pv_virtio_poll(&rig.rg_dev);
		break;
	}
	gpu_held();
	if (broken == 0 && draw(40) != 0)
		return;
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	memset(backings, 0, sizeof(backings));
	broken = 0;
	pv_gpu_start(&gpu);
}

static void
gpu_once(uint64_t seed)
{
	static const struct pv_gpu_callbacks cb = { .gc_broken = note_broken,
	    .gc_revoke = gpu_revoke };
	unsigned int i;

	begin(seed, PV_TYPE_GPU);
	memset(backings, 0, sizeof(backings));
	nmapped = 0;
	rig_put32(&rig, 8, draw(4) ? 1 : strange());
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	rig.rg_notify = gpu_device;
	if (pv_gpu_attach(&gpu, rig_init(&rig), &cb, NULL, NULL) == 0) {
		for (i = 0; i < STEPS; i++)
			gpu_step();
		memset(backings, 0, sizeof(backings));
		while (pv_gpu_detach(&gpu) == EBUSY) {
			assert_true(nmapped > 0);
			pv_gpu_revoked(&gpu, mapped[--nmapped]);
		}
		assert_int_equal(pv_gpu_detach(&gpu), 0);
	}
	end(seed, "gpu");
}

/* Console and entropy */

static void
stream_device(struct rig *rg, unsigned int queue)
{
	uint8_t bytes[2048];
	struct rig_chain rc;
	uint32_t len;

	while (!lies() && take(queue, &rc)) {
		len = rc.rc_inlen == 0 ? 0 : draw(rc.rc_inlen + 1);
		assert_true(len <= sizeof(bytes));
		scribble(bytes, len);
		rig_write(&rc, 0, bytes, len);
		give(queue, &rc, len);
		if (queue == 0 && draw(4) != 0)
			break;
	}
	rig_interrupt(rg, PV_INTR_QUEUE);
	whim();
}

static void
console_once(uint64_t seed)
{
	static const struct pv_console_callbacks cb = {
	    .cc_broken = note_broken };
	struct pv_console con;
	unsigned int cols, rows, i;
	uint8_t buf[6000];
	int n, len;

	begin(seed, PV_TYPE_CONSOLE);
	rig.rg_offered |= draw(8);
	rig.rg_notify = stream_device;
	memset(buf, 'x', sizeof(buf));
	if (pv_console_attach(&con, rig_init(&rig), &cb, NULL) != 0) {
		end(seed, "console");
		return;
	}
	for (i = 0; i < STEPS; i++) {
		len = (int)draw(sizeof(buf));
		n = pv_console_write(&con, buf, (size_t)len);
		assert_true(n <= len);
		n = pv_console_read(&con, buf, (size_t)len);
		assert_true(n <= len);
		pv_console_flush(&con, 100);
		pv_console_size(&con, &cols, &rows);
		stream_device(&rig, draw(2));
		pv_virtio_poll(&rig.rg_dev);
		if (broken || draw(40) == 0) {
			assert_int_equal(pv_console_stop(&con), 0);
			broken = 0;
			pv_console_start(&con);
		}
	}
	assert_int_equal(pv_console_detach(&con), 0);
	end(seed, "console");
}

static void
entropy_once(uint64_t seed)
{
	static const struct pv_entropy_callbacks cb = {
	    .ec_broken = note_broken };
	struct pv_entropy entropy;
	uint8_t buf[600];
	unsigned int i;
	int n, len;

	begin(seed, PV_TYPE_ENTROPY);
	rig.rg_notify = stream_device;
	if (pv_entropy_attach(&entropy, rig_init(&rig), &cb, NULL) != 0) {
		end(seed, "entropy");
		return;
	}
	for (i = 0; i < STEPS; i++) {
		pv_entropy_request(&entropy);
		stream_device(&rig, 0);
		len = (int)draw(sizeof(buf));
		n = pv_entropy_read(&entropy, buf, (size_t)len);
		assert_true(n <= len && n <= PV_ENTROPY_BUFLEN);
		if (broken || draw(40) == 0) {
			assert_int_equal(pv_entropy_stop(&entropy), 0);
			broken = 0;
			pv_entropy_start(&entropy);
		}
	}
	assert_int_equal(pv_entropy_detach(&entropy), 0);
	end(seed, "entropy");
}

static void
many(void (*once)(uint64_t))
{
	uint64_t i;

	for (i = 0; i < nseeds; i++)
		once(first_seed + i);
}

static void
hostile_net(void **unused)
{
	(void)unused;
	many(net_once);
}

static void
hostile_gpu(void **unused)
{
	(void)unused;
	many(gpu_once);
}

static void
hostile_console(void **unused)
{
	(void)unused;
	many(console_once);
}

static void
hostile_entropy(void **unused)
{
	(void)unused;
	many(entropy_once);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_net),
		cmocka_unit_test(hostile_gpu),
		cmocka_unit_test(hostile_console),
		cmocka_unit_test(hostile_entropy),
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		nseeds = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
