/* SPDX-License-Identifier: ISC */
/*
 * lib/device/gpu.c against a device that keeps resources and pictures as a
 * host would, reads the framebuffer by device address alone, and lies as a
 * test asks.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/gpu.h>

#include "attach_fails.h"
#include "port.h"
#include "rig.h"
#include "wire.h"

#define CONTROLQ	0
#define CURSORQ		1

#define MAXRES		8
#define MAXENTRIES	4096

struct resource {
	uint32_t id, w, h;
	uint32_t nentries;
	struct {
		uint64_t addr;
		uint32_t len, pad;
	} entries[MAXENTRIES];
	uint32_t *pixels;
};

static struct rig rig;
static struct pv_gpu gpu;
static struct resource resources[MAXRES];
static struct {
	uint32_t x, y, w, h, enabled, flags;
} modes[16];
static uint8_t edid[2048];
static uint32_t edid_size;

static uint32_t scanout_id, scanout_resource;
static uint32_t shown[4];		/* the last rectangle flushed */
static unsigned int nflushed, ncommands;
static uint32_t last_info_room;

/* How the device misbehaves, at the command of this number. */
static unsigned int lie_at;
static uint32_t lie_type;		/* an answer of this type instead */
static uint64_t lie_fence;		/* added to the fence */
static uint32_t lie_ctx;
static uint32_t lie_len;		/* used length instead */
static int mute;			/* does not look at its queue */
static unsigned int deaf_from;		/* nor after so many commands; or 0 */
static int no_fence;			/* does not speak of fences */

static unsigned int nchanged, nrevoked, nbroken, last_revoked;
static int revoke_at_once;

static void
note_changed(void *arg)
{
	(void)arg;
	nchanged++;
}

static void
note_revoke(void *arg, unsigned int generation)
{
	(void)arg;
	nrevoked++;
	last_revoked = generation;
	if (revoke_at_once)
		pv_gpu_revoked(&gpu, generation);
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	assert_non_null(why);
	nbroken++;
}

static const struct pv_gpu_callbacks callbacks = {
	.gc_changed = note_changed,
	.gc_revoke = note_revoke,
	.gc_broken = note_broken,
};

/* The device */

static struct resource *
resource_of(uint32_t id)
{
	unsigned int i;

	for (i = 0; i < MAXRES; i++)
		if (resources[i].id == id)
			return &resources[i];
	return NULL;
}

/* What is attached is loaded still: nobody frees what the device holds. */
static void
backing_is_held(void)
{
	unsigned int i, e;

	for (i = 0; i < MAXRES; i++)
		for (e = 0; e < resources[i].nentries; e++)
			assert_non_null(port_dma_kva(
			    resources[i].entries[e].addr,
			    resources[i].entries[e].len));
}

static void
forget_resources(void)
{
	unsigned int i;

	for (i = 0; i < MAXRES; i++)
		free(resources[i].pixels);
	memset(resources, 0, sizeof(resources));
	scanout_resource = 0;
}

static void
backing_read(const struct resource *r, uint64_t off, void *to, uint32_t len)
{
	uint32_t e, n;

	for (e = 0; e < r->nentries && len > 0; e++) {
		if (off >= r->entries[e].len) {
			off -= r->entries[e].len;
			continue;
		}
		n = r->entries[e].len - (uint32_t)off;
		if (n > len)
			n = len;
		port_dma_read(r->entries[e].addr + off, to, n);
		to = (char *)to + n;
		len -= n;
		off = 0;
	}
	assert_int_equal(len, 0);
}

static uint32_t
device_create(const uint32_t *p)
{
	struct resource *r = resource_of(0);

	if (p[0] == 0 || resource_of(p[0]) != NULL || r == NULL)
		return 0x1203;
	assert_int_equal(p[1], 2);
	r->id = p[0];
	r->w = p[2];
	r->h = p[3];
	r->pixels = calloc((size_t)r->w * r->h, 4);
	return 0x1100;
}

static uint32_t
device_attach(const struct rig_chain *rc, const uint32_t *p)
{
	struct resource *r = resource_of(p[0]);
	uint32_t i;

	if (r == NULL || p[0] == 0 || r->nentries != 0 || p[1] > MAXENTRIES)
		return 0x1203;
	assert_int_equal(rc->rc_outlen, 32 + 16 * p[1]);
	rig_read(rc, 32, r->entries, 16 * p[1]);
	for (i = 0; i < p[1]; i++) {
		r->entries[i].addr = wire64(r->entries[i].addr);
		r->entries[i].len = wire32(r->entries[i].len);
	}
	r->nentries = p[1];
	return 0x1100;
}

static uint32_t
device_transfer(const uint32_t *p)
{
	struct resource *r = resource_of(p[6]);
	uint64_t off = p[4] | (uint64_t)p[5] << 32;
	uint32_t row;

	if (r == NULL || r->nentries == 0)
		return 0x1203;
	if (p[0] + p[2] > r->w || p[1] + p[3] > r->h)
		return 0x1205;
	for (row = 0; row < p[3]; row++)
		backing_read(r, off + row * (uint64_t)r->w * 4,
		    &r->pixels[(p[1] + row) * r->w + p[0]], p[2] * 4);
	return 0x1100;
}

static uint32_t
device_do(const struct rig_chain *rc, uint32_t type, const uint32_t *p,
    uint8_t *answer, uint32_t *len)
{
	struct resource *r;

	switch (type) {
	case 0x100:
		last_info_room = rc->rc_inlen;
		memcpy(answer + 24, modes, sizeof(modes));
		wire32_all((uint32_t *)(void *)(answer + 24), sizeof(modes) / 4);
		*len = 24 + sizeof(modes);
		return 0x1101;
	case 0x101:
		return device_create(p);
	case 0x102:
		r = resource_of(p[0]);
		if (r == NULL || p[0] == 0)
			return 0x1203;
		free(r->pixels);
		memset(r, 0, sizeof(*r));
		return 0x1100;
	case 0x103:
		if (p[5] == 0)
			return 0x1100;
		if (resource_of(p[5]) == NULL)
			return 0x1203;
		scanout_id = p[4];
		scanout_resource = p[5];
		return 0x1100;
	case 0x104:
		memcpy(shown, p, sizeof(shown));
		nflushed++;
		return resource_of(p[4]) == NULL ? 0x1203 : 0x1100;
	case 0x105:
		return device_transfer(p);
	case 0x106:
		return device_attach(rc, p);
	case 0x107:
		r = resource_of(p[0]);
		if (r == NULL || r->nentries == 0)
			return 0x1203;
		r->nentries = 0;
		return 0x1100;
	case 0x10a:
		wire_put(answer + 24, 4, edid_size);
		memcpy(answer + 32, edid, 1024);
		*len = 32 + 1024;
		return 0x1104;
	}
	fail_msg("command 0x%x", type);
	return 0x1200;
}

static void
device_command(struct rig *rg, const struct rig_chain *rc)
{
	uint8_t request[128] = { 0 }, answer[2048] = { 0 };
	uint32_t type, len = 24;
	uint64_t fence;

	ncommands++;
	rig_read(rc, 0, request, rc->rc_outlen < 128 ? rc->rc_outlen : 128);
	type = (uint32_t)wire_get(request, 4);
	fence = wire_get(request + 8, 8);
	wire32_all((uint32_t *)(void *)(request + 24), 26);
	assert_int_equal(request[4], 1);
	if (lie_at == ncommands && lie_type != 0)
		type = lie_type;
	else
		type = device_do(rc, type, (uint32_t *)(void *)(request + 24),
		    answer, &len);
	wire_put(answer, 4, type);
	if (!no_fence) {
		answer[4] = 1;
		if (lie_at == ncommands) {
			fence += lie_fence;
			wire_put(answer + 16, 4, lie_ctx);
		}
		wire_put(answer + 8, 8, fence);
	}
	assert_true(len <= rc->rc_inlen);
	rig_write(rc, 0, answer, len);
	if (lie_at == ncommands && lie_len != UINT32_MAX)
		len = lie_len;
	rig_give(rg, CONTROLQ, rc->rc_head, len);
}

static void
notified(struct rig *rg, unsigned int queue)
{
	struct rig_chain rc;

	assert_int_equal(queue, CONTROLQ);
	while (!mute && (deaf_from == 0 || ncommands < deaf_from) &&
	    rig_take(rg, CONTROLQ, &rc))
		device_command(rg, &rc);
}

/* The test's side */

static void
set_mode(unsigned int i, uint32_t w, uint32_t h, uint32_t enabled)
{
	modes[i].w = w;
	modes[i].h = h;
	modes[i].enabled = enabled;
}

static void
checksum(uint8_t *block)
{
	uint8_t sum = 0;
	unsigned int i;

	for (i = 0; i < 127; i++)
		sum = (uint8_t)(sum + block[i]);
	block[127] = (uint8_t)-sum;
}

static void
make_edid(unsigned int extensions)
{
	unsigned int i;

	memset(edid, 0x11, sizeof(edid));
	memcpy(edid, "\0\xff\xff\xff\xff\xff\xff\0", 8);
	edid[126] = (uint8_t)extensions;
	for (i = 0; i < 8; i++)
		checksum(edid + 128 * i);
	edid_size = 128 * (extensions + 1);
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	forget_resources();
	rig_new(&rig, PV_TYPE_GPU);
	rig.rg_notify = notified;
	rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	rig.rg_configlen = 16;
	rig_put32(&rig, 8, 2);
	memset(modes, 0, sizeof(modes));
	set_mode(0, 640, 480, 1);
	make_edid(0);
	nflushed = ncommands = 0;
	lie_at = 0;
	lie_type = lie_ctx = 0;
	lie_fence = 0;
	lie_len = UINT32_MAX;
	mute = no_fence = 0;
	deaf_from = 0;
	nchanged = nrevoked = nbroken = 0;
	revoke_at_once = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	forget_resources();
	return port_check();
}

static int
attach_with(const struct pv_gpu_params *params)
{
	return pv_gpu_attach(&gpu, rig_init(&rig), &callbacks, NULL, params);
}

static int
attach(void)
{
	return attach_with(NULL);
}

static void
detach(void)
{
	assert_int_equal(pv_gpu_detach(&gpu), 0);
	assert_int_equal(rig.rg_status, 0);
	forget_resources();
}

static struct pv_gpu_geometry
geometry(void)
{
	struct pv_gpu_geometry gg;

	pv_gpu_geometry(&gpu, &gg);
	return gg;
}

static void
draw(uint32_t seed)
{
	struct pv_gpu_geometry gg = geometry();
	uint32_t *p = pv_gpu_kva(&gpu);
	uint32_t i;

	for (i = 0; i < gg.gg_width * gg.gg_height; i++)
		p[i] = 0xff000000u | (i * seed);
}

/* What is shown is what was drawn, in this rectangle. */
static void
compare(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	struct pv_gpu_geometry gg = geometry();
	const uint32_t *p = pv_gpu_kva(&gpu);
	const struct resource *r = resource_of(scanout_resource);
	uint32_t row;

	assert_non_null(r);
	assert_int_equal(r->w, gg.gg_width);
	for (row = y; row < y + h; row++)
		assert_memory_equal(&r->pixels[row * r->w + x],
		    &p[row * r->w + x], w * 4);
}

static void
draws_and_shows(uint32_t seed)
{
	struct pv_gpu_geometry gg = geometry();

	draw(seed);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, gg.gg_width, gg.gg_height),
	    0);
	compare(0, 0, gg.gg_width, gg.gg_height);
}

/* Attaching */

static void
attach_shows_the_first_display(void **state)
{
	struct pv_gpu_geometry gg;

	(void)state;
	assert_int_equal(attach(), 0);
	gg = geometry();
	assert_int_equal(gg.gg_width, 640);
	assert_int_equal(gg.gg_height, 480);
	assert_int_equal(gg.gg_stride, 2560);
	assert_int_equal(gg.gg_generation, 1);
	assert_int_equal(gg.gg_len % PAGE_SIZE, 0);
	assert_true(gg.gg_len >= 2560u * 480);
	assert_int_equal(gg.gg_nsegs, 1);
	assert_int_equal(scanout_id, 0);
	assert_int_equal(scanout_resource, 1);
	assert_int_equal(last_info_room, 408);
	assert_true(rig.rg_queues[CURSORQ].rq_enabled);
	assert_int_equal(nflushed, 1);
	draws_and_shows(77);
	detach();
}

static void
disabled_displays_are_passed_over(void **state)
{
	(void)state;
	set_mode(0, 1024, 768, 0);
	set_mode(1, 800, 600, 1);
	assert_int_equal(attach(), 0);
	assert_int_equal(geometry().gg_width, 800);
	assert_int_equal(geometry().gg_scanout, 1);
	assert_int_equal(scanout_id, 1);
	detach();
}

static void
no_display_is_enabled(void **state)
{
	(void)state;
	set_mode(0, 0, 0, 0);
	assert_int_equal(attach(), 0);
	assert_int_equal(geometry().gg_width, 1024);
	assert_int_equal(geometry().gg_height, 768);
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	set_mode(0, 640, 480, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(geometry().gg_width, 640);
	detach();
}

static void
size_named_by_the_port(void **state)
{
	struct pv_gpu_params params = { .gp_width = 320, .gp_height = 200 };

	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
	setup(state);
	params.gp_force = 1;
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(geometry().gg_width, 320);
	assert_int_equal(geometry().gg_height, 200);
	detach();
	setup(state);
	params.gp_width = 16385;
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
}

static void
hostile_sizes(void **state)
{
	static const uint32_t bad[][2] = { { 0, 480 }, { 640, 0 },
	    { 0x10000, 0x10000 }, { 0x40000000, 4 }, { 16385, 1 },
	    { 0xffffffff, 0xffffffff } };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup(state);
		set_mode(0, bad[i][0], bad[i][1], 1);
		assert_int_equal(attach(), 0);
		assert_int_equal(geometry().gg_width, 1024);
		detach();
		assert_int_equal(port_check(), 0);
	}
}

static void
hostile_num_scanouts(void **state)
{
	static const uint32_t bad[] = { 0, 17, 0xffffffff };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		setup(state);
		rig_put32(&rig, 8, bad[i]);
		assert_int_equal(attach(), 0);
		assert_in_range(gpu.sc_nscanouts, 1, 16);
		assert_true(port_logged("scanouts"));
		detach();
		assert_int_equal(port_check(), 0);
	}
}

static void
display_info_of_fewer_modes(void **state)
{
	(void)state;
	lie_at = 1;
	lie_len = 24 + 24;
	assert_int_equal(attach(), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
}

static void
framebuffer_in_segments(void **state)
{
	const struct pv_gpu_params params = { .gp_maxseg = PAGE_SIZE };
	bus_addr_t addr;
	bus_size_t len, sum = 0;
	unsigned int i;

	port.po_segsize = 65536;
	assert_int_equal(attach(), 0);
	assert_int_equal(geometry().gg_nsegs, 19);
	for (i = 0; pv_gpu_segment(&gpu, i, &addr, &len) == 0; i++) {
		assert_true(len <= 65536);
		sum += len;
	}
	assert_int_equal(i, 19);
	assert_int_equal(sum, geometry().gg_len);
	assert_int_equal(resource_of(1)->nentries, 19);
	draws_and_shows(3);
	detach();
	setup(state);
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(geometry().gg_nsegs,
	    geometry().gg_len / PAGE_SIZE);
	draws_and_shows(5);
	detach();
}

static void
fences_that_the_device_does_not_speak_of(void **state)
{
	(void)state;
	no_fence = 1;
	assert_int_equal(attach(), 0);
	draws_and_shows(3);
	detach();
}

static void
hostile_display_info_cut_short(void **state)
{
	(void)state;
	lie_at = 1;
	lie_len = 24 + 23;
	assert_int_equal(attach(), EIO);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
	assert_true(port_logged("cut short"));
}

/* Flushes */

static void
flush_shows_just_the_damage(void **state)
{
	unsigned int before;

	(void)state;
	port.po_shadow = 1;
	assert_int_equal(attach(), 0);
	draw(1234567);
	before = rig.rg_queues[CONTROLQ].rq_notified;
	assert_int_equal(pv_gpu_flush(&gpu, 100, 50, 30, 20), 0);
	assert_int_equal(rig.rg_queues[CONTROLQ].rq_notified, before + 1);
	assert_int_equal(shown[0], 100);
	assert_int_equal(shown[1], 50);
	assert_int_equal(shown[2], 30);
	assert_int_equal(shown[3], 20);
	compare(100, 50, 30, 20);
	/* What was not flushed is not there. */
	assert_int_equal(resource_of(1)->pixels[49 * 640 + 100], 0);
	assert_int_equal(resource_of(1)->pixels[50 * 640 + 130], 0);
	assert_int_equal(gpu.sc_counters.gc_pixels, 640 * 480 + 600);
	draws_and_shows(99);
	detach();
}

static void
flush_is_clipped(void **state)
{
	unsigned int before;

	(void)state;
	assert_int_equal(attach(), 0);
	before = ncommands;
	assert_int_equal(pv_gpu_flush(&gpu, 640, 0, 1, 1), 0);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 480, 1, 1), 0);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 0, 1), 0);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 0), 0);
	assert_int_equal(pv_gpu_flush(&gpu, UINT32_MAX, 1, 1, 1), 0);
	assert_int_equal(ncommands, before);
	draw(9);
	assert_int_equal(pv_gpu_flush(&gpu, 600, 470, UINT32_MAX, UINT32_MAX),
	    0);
	assert_int_equal(shown[2], 40);
	assert_int_equal(shown[3], 10);
	compare(600, 470, 40, 10);
	detach();
}

/* Waited for, or looked for. */
static void
a_missed_doorbell_is_rung_again(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	rig.rg_miss = 1;
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 640, 480), 0);
	rig.rg_miss = 1;
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 640, 480), 0);
	assert_int_equal(pv_gpu_flush_end(&gpu), EAGAIN);
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	(void)pv_gpu_poll(&gpu);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	assert_int_equal(nbroken, 0);
	detach();
}

static void
flush_without_waiting(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	mute = 1;
	draw(5);
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 640, 480), 0);
	assert_int_equal(pv_gpu_flush_end(&gpu), EAGAIN);
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 1, 1), 0);
	mute = 0;
	notified(&rig, CONTROLQ);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	compare(0, 0, 640, 480);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	assert_int_equal(gpu.sc_counters.gc_most, 2);
	detach();
}

static void
flush_without_waiting_is_bounded_too(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	mute = 1;
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 1, 1), 0);
	assert_int_equal(pv_gpu_flush_end(&gpu), EAGAIN);
	port.po_now_ns += 6000000000ull;
	assert_int_equal(pv_gpu_flush_end(&gpu), ETIMEDOUT);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 1, 1), EIO);
	detach();
}

static void
flush_on_a_stopped_device(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	forget_resources();
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 1), ENXIO);
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 1, 1), ENXIO);
	assert_int_equal(pv_gpu_changed(&gpu), -ENXIO);
	detach();
}

static void
hostile_never_answers(void **state)
{
	uint64_t start;

	(void)state;
	assert_int_equal(attach(), 0);
	mute = 1;
	draw(21);
	start = port.po_now_ns;
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 640, 480), ETIMEDOUT);
	assert_true(port.po_now_ns - start < 5100000000ull);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 1), EIO);
	assert_int_equal(pv_gpu_changed(&gpu), -EIO);
	backing_is_held();
	/* The answers come late, into memory that is still theirs. */
	mute = 0;
	notified(&rig, CONTROLQ);
	assert_int_equal(nbroken, 1);
	/* A reset brings the same picture back. */
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	forget_resources();
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(geometry().gg_generation, 1);
	compare(0, 0, 640, 480);
	detach();
}

static void
hostile_never_answers_at_all(void **state)
{
	(void)state;
	mute = 1;
	assert_int_equal(attach(), ETIMEDOUT);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
}

/* A flush of which the first answer is a lie. */
static int
lied_to(void)
{
	int error;

	lie_at = ncommands + 1;
	error = pv_gpu_flush(&gpu, 0, 0, 10, 10);
	lie_type = 0;
	lie_fence = lie_ctx = 0;
	lie_len = UINT32_MAX;
	return error;
}

static void
recover(unsigned int broken)
{
	assert_int_equal(nbroken, broken);
	backing_is_held();
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	forget_resources();
	assert_int_equal(pv_gpu_start(&gpu), 0);
	draws_and_shows(broken + 3);
}

static void
hostile_answers(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	lie_type = 0x1101;
	assert_int_equal(lied_to(), EIO);
	recover(1);
	lie_type = 0xffffffff;
	assert_int_equal(lied_to(), EIO);
	recover(2);
	lie_fence = 1;
	assert_int_equal(lied_to(), EIO);
	recover(3);
	lie_ctx = 1;
	assert_int_equal(lied_to(), EIO);
	recover(4);
	lie_len = 23;
	assert_int_equal(lied_to(), EIO);
	recover(5);
	lie_len = 0;
	assert_int_equal(lied_to(), EIO);
	recover(6);
	detach();
}

static void
hostile_used_length(void **state)
{
	struct pv_virtq_counters qc;

	(void)state;
	assert_int_equal(attach(), 0);
	lie_len = 0x53355885;
	assert_int_equal(lied_to(), 0);
	pv_virtq_counters(gpu.sc_ctrlq, &qc);
	assert_int_equal(qc.qc_clamped, 1);
	draws_and_shows(2);
	detach();
}

static void
refusal_is_an_error_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	lie_type = 0x1200;
	assert_int_equal(lied_to(), EIO);
	assert_int_equal(nbroken, 0);
	assert_int_equal(gpu.sc_counters.gc_errors, 1);
	assert_true(port_logged("TRANSFER_TO_HOST_2D"));
	draws_and_shows(8);
	detach();
}

static void
refusal_while_attaching(void **state)
{
	unsigned int at;
	int error = EIO;

	for (at = 1; error != 0; at++) {
		setup(state);
		lie_at = at;
		lie_type = 0x1200;
		error = attach();
		if (error == 0)
			break;
		assert_int_equal(error, EIO);
		assert_true(rig.rg_status & PV_STATUS_FAILED);
		assert_int_equal(port_check(), 0);
	}
	/* Display, create, attach, scanout, transfer, flush. */
	assert_int_equal(at, 7);
	detach();
}

static void
all_are(uint32_t colour)
{
	struct pv_gpu_geometry gg = geometry();
	const uint32_t *p = pv_gpu_kva(&gpu);
	size_t i;

	for (i = 0; i < gg.gg_len / 4; i++)
		assert_int_equal(p[i], colour);
}

/* What the console draws meanwhile is another flush. */
static void
a_first_frame_that_nobody_waits_for(void **state)
{
	static const struct pv_gpu_params params = {
		.gp_nowait = 1,
		.gp_colour = 0xff102030,
	};
	struct pv_gpu_params waits = params;

	(void)state;
	/* Display, create, attach, scanout. */
	deaf_from = 4;
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(ncommands, 4);
	all_are(0xff102030);
	deaf_from = 0;
	notified(&rig, CONTROLQ);
	assert_int_equal(nflushed, 1);
	compare(0, 0, 640, 480);
	draws_and_shows(3);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	all_are(0xff102030);
	compare(0, 0, 800, 600);
	draws_and_shows(4);
	/* After a reset it is what was drawn. */
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	compare(0, 0, 800, 600);
	detach();
	waits.gp_nowait = 0;
	deaf_from = ncommands + 4;
	assert_int_equal(attach_with(&waits), ETIMEDOUT);
}

static int
attach_with_edid(void)
{
	rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	return attach();
}

static const struct attach_fails life = {
	&rig, setup, attach_with_edid, NULL, detach, forget_resources, 6
};

static void
attach_fails_cleanly_wherever_memory_ends(void **state)
{
	attach_without_memory(&life, state);
}

static void
attach_looks_at_each_allocation(void **state)
{
	attach_without_one(&life, state);
}

/* EDID */

static void
attach_edid(size_t expected)
{
	const uint8_t *p;

	rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_edid(&gpu, &p), expected);
	if (expected > 0)
		assert_memory_equal(p, edid, expected);
	assert_int_equal(nbroken, 0);
	detach();
	assert_int_equal(port_check(), 0);
}

static void
edid_is_read(void **state)
{
	attach_edid(128);
	setup(state);
	make_edid(1);
	attach_edid(256);
	setup(state);
	make_edid(7);
	attach_edid(1024);
	/* More was said to be there than the blocks need. */
	setup(state);
	make_edid(0);
	edid_size = 1024;
	attach_edid(128);
}

static void
edid_is_not_offered(void **state)
{
	const uint8_t *p;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_edid(&gpu, &p), 0);
	detach();
}

/* An answer that ends before the EDID does: what an older one left is none. */
static void
hostile_edid_cut_short(void **state)
{
	const uint8_t *p;

	(void)state;
	make_edid(1);
	rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_edid(&gpu, &p), 256);
	lie_at = ncommands + 2;
	lie_len = 32 + 128;
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(pv_gpu_edid(&gpu, &p), 0);
	assert_int_equal(nbroken, 0);
	detach();
}

static void
hostile_edid(void **state)
{
	edid[20]++;			/* checksum */
	attach_edid(0);
	setup(state);
	make_edid(1);
	edid[200]++;			/* of an extension */
	attach_edid(0);
	setup(state);
	make_edid(1);
	edid_size = 128;		/* the extension is not there */
	attach_edid(0);
	setup(state);
	make_edid(255);
	edid_size = 1024;
	attach_edid(0);
	setup(state);
	edid_size = 1025;
	attach_edid(0);
	setup(state);
	edid_size = 0xffffffff;
	attach_edid(0);
	setup(state);
	edid_size = 127;
	attach_edid(0);
	setup(state);
	memset(edid, 0, sizeof(edid));
	attach_edid(0);
	setup(state);
	lie_at = 2;
	lie_type = 0x1200;		/* refused */
	attach_edid(0);
}

/* Resizing */

static void
resize_makes_a_new_generation(void **state)
{
	unsigned long mems;

	(void)state;
	assert_int_equal(attach(), 0);
	draws_and_shows(3);
	mems = port.po_dmamems;
	set_mode(0, 800, 600, 1);
	rig_put32(&rig, 0, 1);
	rig_config_changed(&rig);
	assert_int_equal(nchanged, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(geometry().gg_generation, 2);
	assert_int_equal(geometry().gg_width, 800);
	assert_int_equal(rig.rg_config[4], 1);	/* events_clear */
	assert_int_equal(nrevoked, 0);
	assert_int_equal(port.po_dmamems, mems);
	assert_null(resource_of(1));
	draws_and_shows(4);
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(geometry().gg_generation, 2);
	assert_int_equal(gpu.sc_counters.gc_resizes, 1);
	detach();
}

static void
resize_keeps_pages_that_are_mapped(void **state)
{
	unsigned long mems;

	(void)state;
	assert_int_equal(attach(), 0);
	mems = port.po_dmamems;
	assert_true(pv_gpu_mmap(&gpu, 0, PROT_READ) != (paddr_t)-1);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(nrevoked, 1);
	assert_int_equal(last_revoked, 1);
	assert_true(port.po_dmamems > mems);
	pv_gpu_revoked(&gpu, 99);
	assert_true(port.po_dmamems > mems);
	pv_gpu_revoked(&gpu, 1);
	assert_int_equal(port.po_dmamems, mems);
	/* And with the answer from within the callback. */
	revoke_at_once = 1;
	assert_true(pv_gpu_mmap(&gpu, 0, PROT_READ) != (paddr_t)-1);
	set_mode(0, 640, 480, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(last_revoked, 2);
	assert_int_equal(port.po_dmamems, mems);
	draws_and_shows(6);
	detach();
}

static void
resize_ten_times_while_mapped(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 10; i++) {
		assert_true(pv_gpu_mmap(&gpu, 0, PROT_READ) != (paddr_t)-1);
		set_mode(0, 320 + 16 * i, 200 + i, 1);
		assert_int_equal(pv_gpu_changed(&gpu), 1);
		draws_and_shows(i);
		backing_is_held();
	}
	assert_int_equal(nrevoked, 10);
	assert_int_equal(pv_gpu_detach(&gpu), EBUSY);
	for (i = 1; i <= 10; i++)
		pv_gpu_revoked(&gpu, i);
	detach();
}

static void
resize_without_memory_keeps_the_old(void **state)
{
	int changed = -ENOMEM, n;

	(void)state;
	for (n = 0; changed != 1; n++) {
		setup(state);
		assert_int_equal(attach(), 0);
		set_mode(0, 800, 600, 1);
		port.po_fail_after = n;
		changed = pv_gpu_changed(&gpu);
		port.po_fail_after = -1;
		if (changed != 1) {
			assert_int_equal(changed, -ENOMEM);
			assert_int_equal(geometry().gg_generation, 1);
			assert_int_equal(geometry().gg_width, 640);
		}
		draws_and_shows(7);
		detach();
		assert_int_equal(port_check(), 0);
		assert_true(n < 100);
	}
}

static void
resize_refused_at_each_command(void **state)
{
	unsigned int at;
	int changed = -EIO;

	for (at = 1; changed != 1; at++) {
		setup(state);
		assert_int_equal(attach(), 0);
		set_mode(0, 800, 600, 1);
		lie_at = ncommands + at;
		lie_type = 0x1200;
		changed = pv_gpu_changed(&gpu);
		backing_is_held();
		assert_int_equal(nbroken, 0);
		if (changed != 1) {
			assert_int_equal(changed, -EIO);
			assert_int_equal(geometry().gg_width, 640);
			assert_int_equal(scanout_resource, 1);
		}
		draws_and_shows(7);
		detach();
		assert_int_equal(port_check(), 0);
	}
	/* Display, create, attach, scanout, transfer, flush, then the old. */
	assert_int_equal(at - 1, 7);
}

static void
resize_leaves_what_the_device_will_not_give_back(void **state)
{
	unsigned long mems;

	(void)state;
	assert_int_equal(attach(), 0);
	mems = port.po_dmamems;
	set_mode(0, 800, 600, 1);
	/* Both the detachment of the backing and the end of the resource. */
	lie_at = ncommands + 7;
	lie_len = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(nbroken, 1);
	assert_true(port.po_dmamems > mems);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(port.po_dmamems, mems);
	forget_resources();
	lie_at = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(geometry().gg_width, 800);
	draws_and_shows(11);
	detach();
}

static void
wake(void *arg)
{
	mute = 0;
	notified(arg, CONTROLQ);
}

static void
resize_ends_a_flush_first(void **state)
{
	(void)state;
	port.po_shadow = 1;
	port.po_tick = wake;
	port.po_tick_arg = &rig;
	assert_int_equal(attach(), 0);
	mute = 1;
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 640, 480), 0);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	assert_true(gpu.sc_counters.gc_waits >= 1);
	draws_and_shows(4);
	detach();
}

static void
flush_ends_the_one_before(void **state)
{
	(void)state;
	port.po_tick = wake;
	port.po_tick_arg = &rig;
	assert_int_equal(attach(), 0);
	draw(3);
	mute = 1;
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 1, 1), 0);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 640, 480), 0);
	compare(0, 0, 640, 480);
	assert_int_equal(gpu.sc_counters.gc_flushes, 3);
	detach();
}

/*
 * The device takes a command and is never heard of again: what it was given
 * stays, the request that it may still be reading too.
 */
static void
fall_mute(struct rig *rg, unsigned int queue)
{
	struct rig_chain rc;

	while (!mute && rig_take(rg, queue, &rc)) {
		device_command(rg, &rc);
		mute = ncommands == lie_at;
	}
}

static void
resize_hostile_falls_silent_of(void **state, uint64_t features,
    unsigned int commands)
{
	unsigned int at;

	for (at = 0; at <= commands; at++) {
		setup(state);
		rig.rg_offered |= features;
		assert_int_equal(attach(), 0);
		rig.rg_notify = fall_mute;
		lie_at = ncommands + at;
		mute = at == 0;
		set_mode(0, 800, 600, 1);
		pv_gpu_changed(&gpu);
		backing_is_held();
		assert_int_equal(nbroken, at < commands);
		rig.rg_notify = notified;
		mute = 0;
		assert_int_equal(pv_gpu_stop(&gpu), 0);
		forget_resources();
		lie_at = 0;
		assert_int_equal(pv_gpu_start(&gpu), 0);
		draws_and_shows(13);
		detach();
		assert_int_equal(port_check(), 0);
	}
}

/* With EDID one more is to come after the old resource's last. */
static void
resize_hostile_falls_silent(void **state)
{
	resize_hostile_falls_silent_of(state, 0, 8);
	resize_hostile_falls_silent_of(state, PV_F_BIT(PV_GPU_F_EDID), 9);
}

static void
resize_while_stopped(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	forget_resources();
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(nchanged, 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	forget_resources();
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(nchanged, 1);
	assert_int_equal(geometry().gg_width, 640);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(geometry().gg_width, 800);
	draws_and_shows(4);
	detach();
}

static void
resize_to_another_display(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	set_mode(0, 0, 0, 0);
	set_mode(1, 640, 480, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(geometry().gg_scanout, 1);
	assert_int_equal(scanout_id, 1);
	draws_and_shows(4);
	detach();
}

/* User space */

static void
mmap_gives_pages_of_the_framebuffer(void **state)
{
	struct pv_gpu_geometry gg;
	paddr_t first;
	off_t off;

	(void)state;
	assert_int_equal(attach(), 0);
	gg = geometry();
	first = pv_gpu_mmap(&gpu, 0, PROT_READ);
	assert_int_equal(first % PAGE_SIZE, 0);
	for (off = 0; (size_t)off < gg.gg_len; off += (off_t)PAGE_SIZE)
		assert_int_equal(pv_gpu_mmap(&gpu, off, PROT_READ | PROT_WRITE),
		    first + (paddr_t)off);
	assert_int_equal(pv_gpu_mmap(&gpu, off, PROT_READ), (paddr_t)-1);
	assert_int_equal(pv_gpu_mmap(&gpu, 1, PROT_READ), (paddr_t)-1);
	assert_int_equal(pv_gpu_mmap(&gpu, (off_t)PAGE_SIZE / 2, PROT_READ),
	    (paddr_t)-1);
	assert_int_equal(pv_gpu_mmap(&gpu, -(off_t)PAGE_SIZE, PROT_READ),
	    (paddr_t)-1);
	assert_int_equal(pv_gpu_mmap(&gpu, INT64_MAX & ~(off_t)(PAGE_SIZE - 1),
	    PROT_READ), (paddr_t)-1);
	pv_gpu_revoked(&gpu, 1);
	detach();
}

static void
mmap_refused_does_not_count(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_mmap(&gpu, 1, PROT_READ), (paddr_t)-1);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(nrevoked, 0);
	detach();
}

static void
detach_waits_for_user_space(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_true(pv_gpu_mmap(&gpu, 0, PROT_READ) != (paddr_t)-1);
	assert_int_equal(pv_gpu_detach(&gpu), EBUSY);
	forget_resources();
	assert_int_equal(nrevoked, 1);
	assert_int_equal(pv_gpu_mmap(&gpu, 0, PROT_READ), (paddr_t)-1);
	assert_null(pv_gpu_kva(&gpu));
	assert_int_equal(geometry().gg_len, 0);
	assert_int_equal(pv_gpu_start(&gpu), EIO);
	assert_int_equal(pv_gpu_detach(&gpu), EBUSY);
	assert_int_equal(nrevoked, 1);
	assert_int_equal(port.po_dmamems, 2);
	pv_gpu_revoked(&gpu, 1);
	assert_int_equal(port.po_dmamems, 0);
	assert_int_equal(pv_gpu_detach(&gpu), 0);
}

/* The end */

static void
detach_with_a_flush_in_flight(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	mute = 1;
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 640, 480), 0);
	detach();
}

static void
lost(void)
{
	assert_int_equal(pv_gpu_stop(&gpu), ETIMEDOUT);
	assert_int_equal(pv_gpu_start(&gpu), EIO);
	assert_int_equal(pv_gpu_detach(&gpu), ETIMEDOUT);
	backing_is_held();
	assert_int_equal(pv_gpu_mmap(&gpu, 0, PROT_READ), (paddr_t)-1);
	assert_int_equal(port_check_rules(), 0);
}

static void
hostile_reset_never_confirmed(void **state)
{
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 640, 480), 0);
	rig.rg_stuck = 1;
	lost();
	setup(state);
}

static void
hostile_removed_in_flight(void **state)
{
	assert_int_equal(attach(), 0);
	mute = 1;
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 640, 480), 0);
	rig.rg_gone = 1;
	assert_int_equal(pv_virtio_poll(&rig.rg_dev), 1);
	assert_int_equal(nbroken, 1);
	lost();
	setup(state);
}

static void
features_not_driven_are_left(void **state)
{
	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_GPU_F_VIRGL) |
	    PV_F_BIT(PV_GPU_F_BLOB_ALIGNMENT) |
	    PV_F_BIT(PV_GPU_F_CONTEXT_INIT);
	assert_int_equal(attach(), 0);
	assert_int_equal(rig.rg_accepted & 0x3f, 0);
	detach();
}

static void
without_coherence(void **state)
{
	(void)state;
	port.po_shadow = 1;
	port.po_segsize = 65536;
	rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID) | PV_F_BIT(PV_F_EVENT_IDX);
	assert_int_equal(attach(), 0);
	draws_and_shows(31);
	set_mode(0, 1280, 800, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	draws_and_shows(33);
	detach();
}

/* Limits */

static void
nobody_needs_to_listen(void **state)
{
	unsigned int generation;

	(void)state;
	assert_int_equal(pv_gpu_attach(&gpu, rig_init(&rig), NULL, NULL, NULL),
	    0);
	generation = geometry().gg_generation;
	assert_int_not_equal(pv_gpu_mmap(&gpu, 0, PROT_READ), (paddr_t)-1);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	pv_gpu_revoked(&gpu, generation);
	rig_config_changed(&rig);
	pv_virtio_break(&rig.rg_dev, "test");
	detach();
}

static void
start_when_it_may(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_start(&gpu), EBUSY);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_flush_end(&gpu), ENXIO);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 1), ENXIO);
	detach();
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 1), ENXIO);
}

static void
nothing_is_left_after_detach(void **state)
{
	bus_addr_t addr;
	bus_size_t len;

	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_gpu_segment(&gpu, 0, &addr, &len), 0);
	assert_int_equal(pv_gpu_segment(&gpu, 1, &addr, &len), ERANGE);
	detach();
	assert_int_equal(pv_gpu_segment(&gpu, 0, &addr, &len), ERANGE);
	assert_int_equal(pv_gpu_counters(&gpu)->gc_resizes, 0);
}

static void
sizes_have_limits(void **state)
{
	static const struct {
		uint32_t w, h;
		int good;
	} sizes[] = {
		{ PV_GPU_MAXWIDTH, 16, 1 }, { 16, PV_GPU_MAXWIDTH, 1 },
		{ PV_GPU_MAXWIDTH + 1, 16, 0 }, { 16, PV_GPU_MAXWIDTH + 1, 0 },
		{ 15, PV_GPU_MAXWIDTH, 0 }, { PV_GPU_MAXWIDTH, 15, 0 },
		{ 8, 8, 0 },
	};
	unsigned int i;

	for (i = 0; i < 7; i++) {
		setup(state);
		set_mode(0, sizes[i].w, sizes[i].h, 1);
		assert_int_equal(attach(), 0);
		assert_int_equal(geometry().gg_width == sizes[i].w &&
		    geometry().gg_height == sizes[i].h, sizes[i].good);
		assert_int_equal(port_logged("can't be had, 1024 x 768"),
		    !sizes[i].good);
		/* And it is no change that it is not of that size. */
		assert_int_equal(pv_gpu_changed(&gpu), 0);
		detach();
		assert_int_equal(port_check(), 0);
	}
}

static void
displays_are_those_that_there_are(void **state)
{
	rig_put32(&rig, 8, 1);
	set_mode(0, 640, 480, 0);
	set_mode(1, 800, 600, 1);
	assert_int_equal(attach(), 0);
	assert_int_equal(geometry().gg_width, 1024);
	detach();
	setup(state);
	rig_put32(&rig, 8, PV_GPU_MAXSCANOUTS);
	assert_int_equal(attach(), 0);
	assert_false(port_logged("taken for"));
	detach();
}

/* An answer of one mode says nothing of the second. */
static void
modes_are_those_that_were_answered(void **state)
{
	(void)state;
	set_mode(1, 800, 600, 1);
	assert_int_equal(attach(), 0);
	set_mode(0, 640, 480, 0);
	lie_at = ncommands + 1;
	lie_len = 24 + 24;
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
}

static void
no_display_is_no_change(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	set_mode(0, 800, 600, 0);
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
}

static void
either_side_may_change_alone(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	set_mode(0, 800, 480, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(geometry().gg_height, 600);
	detach();
}

static void
restless(struct rig *rg, unsigned int off)
{
	(void)off;
	rg->rg_generation++;
}

static void
events_that_cannot_be_read_are_an_error(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	rig_put32(&rig, 0, 1);
	rig.rg_config_read = restless;
	assert_int_equal(pv_gpu_changed(&gpu), -EIO);
	rig.rg_config_read = NULL;
	detach();
}

static void
refusals_are_named_up_to_the_last(void **state)
{
	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	lie_at = 2;
	lie_type = 0x1205;
	assert_int_equal(attach(), 0);
	assert_true(port_logged("GET_EDID"));
	lie_type = 0x1206;
	assert_int_equal(lied_to(), EIO);
	assert_int_equal(nbroken, 1);
	detach();
}

static void
an_answer_without_a_header_is_called_that(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	lie_len = 23;
	assert_int_equal(lied_to(), EIO);
	assert_string_equal(pv_virtio_broken(&rig.rg_dev),
	    "answer without a header");
	detach();
}

/*
 * What was sent and not answered, after a change, is not written over: it may
 * still be read. Returns what the change did.
 */
static int
hangs(unsigned int after, uint32_t type)
{
	struct rig_chain rc;
	uint8_t was[4];
	int changed;

	assert_int_equal(attach(), 0);
	rig.rg_notify = fall_mute;
	lie_at = ncommands + after;
	set_mode(0, 800, 600, 1);
	changed = pv_gpu_changed(&gpu);
	assert_int_equal(rig_take(&rig, CONTROLQ, &rc), 1);
	rig_read(&rc, 0, was, 4);
	assert_int_equal(wire_get(was, 4), type);
	rig.rg_notify = notified;
	mute = 0;
	detach();
	return changed;
}

static void
a_command_that_hangs_stays_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(hangs(2, 0x106), -ETIMEDOUT);
}

static void
nor_does_an_edid_take_its_place(void **state)
{
	(void)state;
	rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	hangs(6, 0x107);
}

static struct pv_bus_dma_tag tag;
static unsigned int nmmaps, ntries;
static int tries[16];

static paddr_t
count_mmap(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, off_t off,
    int prot, int flags)
{
	(void)t;
	nmmaps++;
	return bus_dmamem_mmap(&port_dma_tag, segs, nsegs, off, prot, flags);
}

static int
attach_to_tag(const struct pv_gpu_params *params)
{
	rig_init(&rig);
	tag = port_dma_tag;
	rig.rg_dev.vd_dmat = &tag;
	return pv_gpu_attach(&gpu, &rig.rg_dev, &callbacks, NULL, params);
}

static void
pages_outside_are_not_asked_for(void **state)
{
	(void)state;
	assert_int_equal(attach_to_tag(NULL), 0);
	tag.dt_dmamem_mmap = count_mmap;
	nmmaps = 0;
	assert_int_equal(pv_gpu_mmap(&gpu, (off_t)geometry().gg_len,
	    PROT_READ), (paddr_t)-1);
	assert_int_equal(pv_gpu_mmap(&gpu, (off_t)geometry().gg_len +
	    (off_t)PAGE_SIZE, PROT_READ), (paddr_t)-1);
	assert_int_equal(nmmaps, 0);
	detach();
}

static int
no_framebuffer(bus_dma_tag_t t, bus_size_t size, bus_size_t alignment,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	(void)t;
	if (alignment != PAGE_SIZE)
		return bus_dmamem_alloc(&port_dma_tag, size, alignment,
		    boundary, segs, nsegs, rsegs, flags);
	assert_true(ntries < 16);
	tries[ntries++] = nsegs;
	return ENOMEM;
}

static paddr_t
no_mmap(bus_dma_tag_t t, bus_dma_segment_t *segs, int nsegs, off_t off,
    int prot, int flags)
{
	(void)t;
	(void)segs;
	(void)nsegs;
	(void)off;
	(void)prot;
	(void)flags;
	return (paddr_t)-1;
}

/* What user space did not get needs no revocation. */
static void
pages_that_the_bus_refuses_are_not_out(void **state)
{
	(void)state;
	assert_int_equal(attach_to_tag(NULL), 0);
	tag.dt_dmamem_mmap = no_mmap;
	assert_int_equal(pv_gpu_mmap(&gpu, 0, PROT_READ), (paddr_t)-1);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(nrevoked, 0);
	detach();
}

/* In ever more pieces, but no more than it has pages, nor than a host takes. */
static void
memory_is_sought_in_pieces(void **state)
{
	(void)state;
	assert_int_equal(attach_to_tag(NULL), 0);
	tag.dt_dmamem_alloc = no_framebuffer;
	ntries = 0;
	set_mode(0, PAGE_SIZE / 4, 65, 1);
	assert_int_equal(pv_gpu_changed(&gpu), -ENOMEM);
	assert_int_equal(ntries, 3);
	assert_int_equal(tries[0], 1);
	assert_int_equal(tries[1], 8);
	assert_int_equal(tries[2], 65);
	ntries = 0;
	set_mode(0, 16384, 16384, 1);
	assert_int_equal(pv_gpu_changed(&gpu), -ENOMEM);
	assert_int_equal(tries[ntries - 1], 16384);
	detach();
}

static bus_size_t largest;		/* framebuffer that there is memory for */

static int
small_framebuffers(bus_dma_tag_t t, bus_size_t size, bus_size_t alignment,
    bus_size_t boundary, bus_dma_segment_t *segs, int nsegs, int *rsegs,
    int flags)
{
	(void)t;
	if (alignment == PAGE_SIZE && size > largest)
		return ENOMEM;
	return bus_dmamem_alloc(&port_dma_tag, size, alignment, boundary, segs,
	    nsegs, rsegs, flags);
}

static int
attach_with_memory_for(uint32_t width, uint32_t height)
{
	rig_init(&rig);
	tag = port_dma_tag;
	tag.dt_dmamem_alloc = small_framebuffers;
	largest = (bus_size_t)width * height * 4 + PAGE_SIZE;
	rig.rg_dev.vd_dmat = &tag;
	return pv_gpu_attach(&gpu, &rig.rg_dev, &callbacks, NULL, NULL);
}

static void
a_display_too_large_for_memory_is_driven_at_less(void **state)
{
	(void)state;
	set_mode(0, 8192, 8192, 1);
	assert_int_equal(attach_with_memory_for(1024, 768), 0);
	assert_int_equal(geometry().gg_width, 1024);
	assert_int_equal(geometry().gg_height, 768);
	assert_true(port_logged("8192 x 8192 can't be had, 1024 x 768"));
	draws_and_shows(1);
	/* It stays so, and that is no news. */
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(nchanged, 0);
	draws_and_shows(2);
	/* Until the host asks for another, or again for that. */
	set_mode(0, 8192, 4096, 1);
	assert_int_equal(pv_gpu_changed(&gpu), -ENOMEM);
	assert_int_equal(geometry().gg_width, 1024);
	set_mode(0, 800, 600, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(geometry().gg_width, 800);
	set_mode(0, 8192, 8192, 1);
	assert_int_equal(pv_gpu_changed(&gpu), -ENOMEM);
	assert_int_equal(geometry().gg_width, 800);
	detach();
}

static void
less_is_no_more_than_there_is_memory_for(void **state)
{
	(void)state;
	set_mode(0, 8192, 8192, 1);
	assert_int_equal(attach_with_memory_for(1024, 700), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
	assert_int_equal(attach_with_memory_for(640, 400), ENOMEM);
	/* Nor more than was asked for. */
	setup(state);
	set_mode(0, 640, 480, 1);
	assert_int_equal(attach_with_memory_for(640, 400), ENOMEM);
	setup(state);
	set_mode(0, 1024, 768, 1);
	assert_int_equal(attach_with_memory_for(1024, 700), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
	/* Nor the same again, though the device would have it now. */
	setup(state);
	set_mode(0, 1024, 768, 1);
	lie_at = 2;
	lie_type = 0x1201;
	assert_int_equal(attach(), 0);
	assert_int_equal(geometry().gg_width, 640);
	detach();
	setup(state);
	set_mode(0, 640, 480, 1);
	lie_at = 2;
	lie_type = 0x1201;
	assert_int_equal(attach(), ENOMEM);
	/* That only one side is less is told too. */
	setup(state);
	set_mode(0, 1024, 1000, 1);
	assert_int_equal(attach_with_memory_for(1024, 768), 0);
	assert_int_equal(geometry().gg_height, 768);
	assert_true(port_logged("1024 x 1000 can't be had, 1024 x 768"));
	/* And another of the same height is another. */
	set_mode(0, 1400, 1000, 1);
	assert_int_equal(pv_gpu_changed(&gpu), -ENOMEM);
	detach();
}

/* As QEMU does where max_hostmem is reached. */
static void
a_display_too_large_for_the_device_is_driven_at_less(void **state)
{
	(void)state;
	set_mode(0, 2000, 1000, 1);
	lie_at = 2;
	lie_type = 0x1201;
	assert_int_equal(attach(), 0);
	assert_int_equal(geometry().gg_width, 1024);
	assert_true(port_logged("2000 x 1000 can't be had, 1024 x 768"));
	draws_and_shows(1);
	detach();
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(attach_shows_the_first_display),
		T(disabled_displays_are_passed_over),
		T(no_display_is_enabled),
		T(size_named_by_the_port),
		T(hostile_sizes),
		T(hostile_num_scanouts),
		T(display_info_of_fewer_modes),
		T(hostile_display_info_cut_short),
		T(framebuffer_in_segments),
		T(fences_that_the_device_does_not_speak_of),
		T(flush_shows_just_the_damage),
		T(flush_is_clipped),
		T(a_missed_doorbell_is_rung_again),
		T(flush_without_waiting),
		T(flush_without_waiting_is_bounded_too),
		T(flush_on_a_stopped_device),
		T(hostile_never_answers),
		T(hostile_never_answers_at_all),
		T(hostile_answers),
		T(hostile_used_length),
		T(refusal_is_an_error_and_no_more),
		T(refusal_while_attaching),
		T(a_first_frame_that_nobody_waits_for),
		T(attach_fails_cleanly_wherever_memory_ends),
		T(edid_is_read),
		T(edid_is_not_offered),
		T(hostile_edid),
		T(hostile_edid_cut_short),
		T(resize_makes_a_new_generation),
		T(resize_keeps_pages_that_are_mapped),
		T(resize_ten_times_while_mapped),
		T(resize_without_memory_keeps_the_old),
		T(resize_refused_at_each_command),
		T(resize_leaves_what_the_device_will_not_give_back),
		T(resize_ends_a_flush_first),
		T(flush_ends_the_one_before),
		T(resize_hostile_falls_silent),
		T(resize_while_stopped),
		T(resize_to_another_display),
		T(mmap_gives_pages_of_the_framebuffer),
		T(mmap_refused_does_not_count),
		T(detach_waits_for_user_space),
		T(detach_with_a_flush_in_flight),
		T(hostile_reset_never_confirmed),
		T(hostile_removed_in_flight),
		T(features_not_driven_are_left),
		T(without_coherence),
		T(attach_looks_at_each_allocation),
		T(nobody_needs_to_listen),
		T(start_when_it_may),
		T(nothing_is_left_after_detach),
		T(sizes_have_limits),
		T(displays_are_those_that_there_are),
		T(modes_are_those_that_were_answered),
		T(no_display_is_no_change),
		T(either_side_may_change_alone),
		T(events_that_cannot_be_read_are_an_error),
		T(refusals_are_named_up_to_the_last),
		T(an_answer_without_a_header_is_called_that),
		T(a_command_that_hangs_stays_as_it_was),
		T(nor_does_an_edid_take_its_place),
		T(pages_outside_are_not_asked_for),
		T(pages_that_the_bus_refuses_are_not_out),
		T(memory_is_sought_in_pieces),
		T(a_display_too_large_for_memory_is_driven_at_less),
		T(less_is_no_more_than_there_is_memory_for),
		T(a_display_too_large_for_the_device_is_driven_at_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
