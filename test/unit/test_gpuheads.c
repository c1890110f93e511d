/* SPDX-License-Identifier: ISC */
/*
 * Heads, framebuffers of the port's, flushes without a wait, cursors, blobs and
 * clients that render: against a device that answers what it is told to, when it
 * is told to. (That pictures arrive is seen by bench/check/gpu.c.)
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/gpu.h>

#include "port.h"
#include "rig.h"
#include "wire.h"

#define CONTROLQ	0
#define CURSORQ		1

#define SEEN		512
#define KEPT		64

/* A request, as the device saw it. */
struct seen {
	uint32_t type, flags, ctx, ring;
	uint64_t fence;
	uint32_t w[18];			/* behind the header */
	uint32_t outlen, inlen;
};

static struct rig rig;
static struct pv_gpu gpu;
static struct pv_gpu_params params;
static struct {
	uint32_t x, y, w, h, enabled, flags;
} modes[16];

static struct seen seen[SEEN];
static unsigned int nseen;

static int mute;			/* keeps what it takes */
static uint32_t mute_from;		/* likewise, from this type on */
static struct {
	unsigned int queue, at;
	struct rig_chain rc;
} kept[KEPT];
static unsigned int nkept;

static uint32_t refuse;			/* this type, with 0x1200 */
static uint32_t lie_for;		/* this type is answered by */
static uint32_t lie_type, lie_len;	/* another type, or so many bytes */
static unsigned int refuse_at;		/* the command of this number, too */
static unsigned int refuse_from;	/* and from this one on all */
static unsigned int break_at;		/* and this one's answer is another's */
static int silent_cursor;		/* no byte of an answer */
static uint32_t capset_size, map_info;

static unsigned int nchanged, nrevoked, nbroken, nprogress, ndone;
static unsigned int last_revoked;
static uint64_t done_fence[64];
static int done_error[64];

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
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	nbroken++;
}

static void
note_done(void *arg, uint64_t fence, int error)
{
	(void)arg;
	done_fence[ndone % 64] = fence;
	done_error[ndone++ % 64] = error;
}

static void
note_progress(void *arg)
{
	(void)arg;
	nprogress++;
}

static struct pv_gpu_callbacks callbacks;
static struct pv_bus_dma_tag tag;
static int syncs_left;			/* -1: nobody counts them */
static unsigned int nposts;

/* The device */

static void
edid_of(uint8_t *p)
{
	unsigned int i;

	memset(p, 0, 128);
	memset(p + 1, 0xff, 6);
	for (i = 0; i < 127; i++)
		p[127] = (uint8_t)(p[127] - p[i]);
}

static uint32_t
answer_of(const struct seen *s, uint8_t *answer, uint32_t *len)
{
	switch (s->type) {
	case 0x100:
		memcpy(answer + 24, modes, sizeof(modes));
		wire32_all((uint32_t *)(void *)(answer + 24),
		    sizeof(modes) / 4);
		*len = 24 + sizeof(modes);
		return 0x1101;
	case 0x108:
		wire_put(answer + 24, 4, s->w[0] + 1);
		wire_put(answer + 28, 4, 2);
		wire_put(answer + 32, 4, capset_size);
		*len = 40;
		return 0x1102;
	case 0x109:
		memset(answer + 24, 0x5c, capset_size);
		*len = 24 + capset_size;
		return 0x1103;
	case 0x10a:
		edid_of(answer + 32);
		wire_put(answer + 24, 4, 128);
		*len = 32 + 1024;
		return 0x1104;
	case 0x10b:
		memset(answer + 24, 0x77, 16);
		*len = 40;
		return 0x1105;
	case 0x208:
		wire_put(answer + 24, 4, map_info);
		*len = 32;
		return 0x1106;
	default:
		return 0x1100;
	}
}

static void
give(unsigned int queue, const struct seen *s, const struct rig_chain *rc)
{
	static uint8_t answer[8192];
	uint32_t len = 24, type;

	memset(answer, 0, sizeof(answer));
	type = answer_of(s, answer, &len);
	if (s->type == refuse ||
	    (refuse_at != 0 && s == &seen[refuse_at - 1]) ||
	    (refuse_from != 0 && s >= &seen[refuse_from - 1]))
		type = 0x1200;
	if (break_at != 0 && s == &seen[break_at - 1])
		type = 0x1104;
	if (s->type == lie_for) {
		type = lie_type != 0 ? lie_type : type;
		len = lie_len != 0 ? lie_len : len;
	}
	wire_put(answer, 4, type);
	wire_put(answer + 4, 4, s->flags);
	wire_put(answer + 8, 8, s->fence);
	wire_put(answer + 16, 4, s->ctx);
	if (queue == CURSORQ && silent_cursor)
		len = 0;
	assert_true(len <= rc->rc_inlen);
	rig_write(rc, 0, answer, len);
	rig_give(&rig, queue, rc->rc_head, len);
}

/* Answer what is kept: the i-th of them. */
static void
give_kept(unsigned int i)
{
	assert_true(i < nkept);
	give(kept[i].queue, &seen[kept[i].at], &kept[i].rc);
	memmove(&kept[i], &kept[i + 1], (--nkept - i) * sizeof(kept[0]));
}

static void
give_all(void)
{
	mute = 0;
	while (nkept > 0)
		give_kept(0);
}

static void
take(const struct rig_chain *rc, struct seen *s)
{
	uint8_t request[96] = { 0 };

	rig_read(rc, 0, request, rc->rc_outlen < 96 ? rc->rc_outlen : 96);
	s->type = (uint32_t)wire_get(request, 4);
	s->flags = (uint32_t)wire_get(request + 4, 4);
	s->fence = wire_get(request + 8, 8);
	s->ctx = (uint32_t)wire_get(request + 16, 4);
	s->ring = request[20];
	memcpy(s->w, request + 24, sizeof(s->w));
	wire32_all(s->w, 18);
	s->outlen = rc->rc_outlen;
	s->inlen = rc->rc_inlen;
}

static void
notified(struct rig *rg, unsigned int queue)
{
	static struct rig_chain rc;

	(void)rg;
	while (rig_take(&rig, queue, &rc)) {
		assert_true(nseen < SEEN);
		take(&rc, &seen[nseen++]);
		if (seen[nseen - 1].type == mute_from)
			mute = 1;
		if (!mute) {
			give(queue, &seen[nseen - 1], &rc);
			continue;
		}
		assert_true(nkept < KEPT);
		kept[nkept].queue = queue;
		kept[nkept].at = nseen - 1;
		kept[nkept++].rc = rc;
	}
}

/* The test's side */

#define G(n)	PV_F_BIT(PV_GPU_F_##n)

static void
set_mode(unsigned int i, uint32_t w, uint32_t h)
{
	modes[i].w = w;
	modes[i].h = h;
	modes[i].enabled = w != 0;
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_GPU);
	rig.rg_notify = notified;
	rig.rg_configlen = 16;
	rig_put32(&rig, 8, 3);
	rig_put32(&rig, 12, 2);
	memset(modes, 0, sizeof(modes));
	set_mode(0, 640, 480);
	memset(&params, 0, sizeof(params));
	memset(&callbacks, 0, sizeof(callbacks));
	callbacks.gc_changed = note_changed;
	callbacks.gc_revoke = note_revoke;
	callbacks.gc_broken = note_broken;
	callbacks.gc_done = note_done;
	nseen = nkept = 0;
	mute = silent_cursor = 0;
	mute_from = 0;
	refuse = lie_for = lie_type = lie_len = 0;
	refuse_at = refuse_from = break_at = 0;
	syncs_left = -1;
	capset_size = 100;
	map_info = PV_GPU_CACHE_CACHED;
	nchanged = nrevoked = nbroken = nprogress = ndone = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return port_check();
}

/* Another thread finds that the device is broken, while this one syncs. */
static void
sync_and_break(bus_dma_tag_t t, bus_dmamap_t map, bus_addr_t off,
    bus_size_t len, int ops)
{
	(void)t;
	bus_dmamap_sync(&port_dma_tag, map, off, len, ops);
	nposts += ops == BUS_DMASYNC_POSTWRITE;
	if (syncs_left > 0 && --syncs_left == 0)
		pv_virtio_break(&rig.rg_dev, "by another thread");
}

static int
try_attach(void)
{
	struct pv_virtio *dev = rig_init(&rig);

	tag = port_dma_tag;
	tag.dt_dmamap_sync = sync_and_break;
	if (syncs_left >= 0)
		dev->vd_dmat = &tag;
	return pv_gpu_attach(&gpu, dev, &callbacks, NULL, &params);
}

static void
attach(void)
{
	assert_int_equal(try_attach(), 0);
	nseen = 0;
}

static void
detach(void)
{
	assert_int_equal(pv_gpu_detach(&gpu), 0);
	nkept = 0;
}

static unsigned int
count(uint32_t type)
{
	unsigned int i, n = 0;

	for (i = 0; i < nseen; i++)
		n += seen[i].type == type;
	return n;
}

static const struct seen *
last(uint32_t type)
{
	unsigned int i;

	for (i = nseen; i-- > 0;)
		if (seen[i].type == type)
			return &seen[i];
	fail_msg("no command 0x%x", type);
	return NULL;
}

static struct pv_gpu_fb *
shown(unsigned int head)
{
	return pv_gpu_head_fb(&gpu, head);
}

static enum pv_gpu_head_state
state_of(unsigned int head)
{
	struct pv_gpu_head_info hi;

	assert_int_equal(pv_gpu_head(&gpu, head, &hi), 0);
	return hi.hi_state;
}

static unsigned int
generation_of(unsigned int head)
{
	struct pv_gpu_head_info hi;

	assert_int_equal(pv_gpu_head(&gpu, head, &hi), 0);
	return hi.hi_generation;
}

/* Without a wait */

static void
as_many_flushes_as_there_is_room_for(void **state)
{
	uint64_t fence, first = 0;
	unsigned int n, i;

	(void)state;
	port.po_shadow = 1;
	attach();
	ndone = 0;
	mute = 1;
	for (n = 0;; n++) {
		pv_gpu_damage(&gpu, shown(0), 0, 10 * n, 10, 10);
		if (pv_gpu_present(&gpu, shown(0), &fence) != 0)
			break;
		assert_true(fence > first);
		first = first == 0 ? fence : first;
	}
	assert_int_equal(n, 16);
	assert_int_equal(pv_gpu_counters(&gpu)->gc_most, 16);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), EBUSY);
	assert_int_equal(pv_gpu_fence(&gpu, first), EAGAIN);
	assert_int_equal(pv_gpu_fence(&gpu, first + n), EINVAL);
	assert_int_equal(ndone, 0);
	/* In any order: the last, then the first. */
	give_kept(nkept - 1);
	give_kept(nkept - 1);
	assert_int_equal(pv_gpu_fence(&gpu, first + n - 1), EAGAIN);
	assert_int_equal(pv_gpu_poll(&gpu), 0);
	assert_int_equal(pv_gpu_fence(&gpu, first + n - 1), 0);
	assert_int_equal(pv_gpu_fence(&gpu, first), EAGAIN);
	assert_int_equal(ndone, 1);
	assert_int_equal(done_fence[0], first + n - 1);
	assert_int_equal(done_error[0], 0);
	/* Now the damage that found no room goes. */
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	assert_int_equal(last(0x105)->w[1], 10 * n);
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	assert_int_equal(ndone, 17);
	for (i = 0; i < n; i++)
		assert_int_equal(pv_gpu_fence(&gpu, first + i), 0);
	detach();
}

static void
a_flush_waits_for_room(void **state)
{
	unsigned int i;

	(void)state;
	attach();
	mute = 1;
	for (i = 0; i < 16; i++)
		assert_int_equal(pv_gpu_flush_begin(&gpu, 0, i, 1, 1), 0);
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, i, 1, 1), EBUSY);
	port.po_tick = (void (*)(void *))give_all;
	assert_int_equal(pv_gpu_flush(&gpu, 100, 100, 5, 5), 0);
	/* What was refused went along. */
	assert_int_equal(count(0x104), 18);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	detach();
}

static void
a_refusal_is_that_flushes_own(void **state)
{
	uint64_t a, b, c;

	(void)state;
	attach();
	mute = 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &a), 0);
	refuse_at = nseen + 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &b), 0);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &c), 0);
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, c), 0);
	assert_int_equal(pv_gpu_fence(&gpu, a), 0);
	assert_int_equal(pv_gpu_fence(&gpu, b), EIO);
	assert_int_equal(pv_gpu_flush_end(&gpu), EIO);
	assert_int_equal(pv_gpu_flush_end(&gpu), 0);
	assert_int_equal(nbroken, 0);
	detach();
}

static void
silence_ends_all_that_is_under_way(void **state)
{
	uint64_t a, b;

	(void)state;
	attach();
	mute = 1;
	ndone = 0;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &a), 0);
	port.po_now_ns += 3000000000ull;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &b), 0);
	assert_int_equal(pv_gpu_poll(&gpu), 0);
	port.po_now_ns += 1999999999ull;
	assert_int_equal(pv_gpu_poll(&gpu), 0);
	port.po_now_ns += 1;
	assert_int_equal(pv_gpu_poll(&gpu), ETIMEDOUT);
	assert_int_equal(nbroken, 1);
	assert_int_equal(ndone, 2);
	assert_int_equal(pv_gpu_fence(&gpu, a), ETIMEDOUT);
	assert_int_equal(pv_gpu_fence_wait(&gpu, b), ETIMEDOUT);
	assert_int_equal(pv_gpu_poll(&gpu), EIO);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), NULL), EIO);
	detach();
}

static void
a_stop_ends_all_that_is_under_way(void **state)
{
	uint64_t fence;

	(void)state;
	port.po_shadow = 1;
	attach();
	mute = 1;
	ndone = 0;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(ndone, 1);
	assert_int_equal(done_error[0], EIO);
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), EIO);
	assert_int_equal(pv_gpu_poll(&gpu), ENXIO);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), ENXIO);
	mute = 0;
	nkept = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	mute = 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	detach();
}

static void
the_port_is_told_when_to_look(void **state)
{
	uint64_t fence;

	(void)state;
	callbacks.gc_progress = note_progress;
	rig.rg_intr = 1;
	attach();
	nprogress = 0;
	mute = 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	give_all();
	rig_interrupt(&rig, PV_INTR_QUEUE);
	assert_true(nprogress > 0);
	assert_int_equal(pv_gpu_poll(&gpu), 0);
	assert_int_equal(pv_gpu_fence(&gpu, fence), 0);
	detach();
}

/* Damage */

static unsigned int
rectangles(void)
{
	nseen = 0;
	assert_int_equal(pv_gpu_present(&gpu, shown(0), NULL), 0);
	assert_int_equal(count(0x104), count(0x105));
	return count(0x104);
}

static void
damage_joins_where_that_is_cheaper(void **state)
{
	unsigned int i;

	(void)state;
	attach();
	assert_int_equal(rectangles(), 0);
	for (i = 0; i < 40; i++)		/* lines, one below the other */
		pv_gpu_damage(&gpu, shown(0), 0, 8 * i, 300, 8);
	assert_int_equal(rectangles(), 1);
	assert_int_equal(last(0x105)->w[3], 320);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 10, 10);
	pv_gpu_damage(&gpu, shown(0), 600, 400, 10, 10);
	pv_gpu_damage(&gpu, shown(0), 2, 2, 4, 4);
	assert_int_equal(rectangles(), 2);
	/* As much as the two more commands would cost, and one more pixel. */
	pv_gpu_damage(&gpu, shown(0), 0, 0, 64, 1);
	pv_gpu_damage(&gpu, shown(0), 0, 65, 64, 1);
	assert_int_equal(rectangles(), 1);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 64, 1);
	pv_gpu_damage(&gpu, shown(0), 0, 66, 64, 1);
	assert_int_equal(rectangles(), 2);
	detach();
}

static void
damage_has_an_end(void **state)
{
	unsigned int i;

	(void)state;
	attach();
	for (i = 0; i < 12; i++)
		pv_gpu_damage(&gpu, shown(0), i % 4 * 200, i / 4 * 150, 40,
		    40);
	assert_int_equal(rectangles(), 8);
	assert_int_equal(pv_gpu_counters(&gpu)->gc_merged, 4);
	/* With one doorbell for all. */
	for (i = 0; i < 6; i++)
		pv_gpu_damage(&gpu, shown(0), i % 4 * 200, i / 4 * 150, 40,
		    40);
	i = rig.rg_queues[CONTROLQ].rq_notified;
	assert_int_equal(rectangles(), 6);
	assert_int_equal(rig.rg_queues[CONTROLQ].rq_notified, i + 1);
	detach();
}

static void
damage_outside_is_none(void **state)
{
	(void)state;
	attach();
	pv_gpu_damage(&gpu, shown(0), 640, 0, 1, 1);
	pv_gpu_damage(&gpu, shown(0), 0, 480, 1, 1);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 0, 1);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 1, 0);
	assert_int_equal(rectangles(), 0);
	pv_gpu_damage(&gpu, shown(0), 630, 470, UINT32_MAX, UINT32_MAX);
	assert_int_equal(rectangles(), 1);
	assert_int_equal(last(0x105)->w[2], 10);
	assert_int_equal(last(0x105)->w[3], 10);
	detach();
}

static void
a_short_queue_takes_less_at_once(void **state)
{
	unsigned int i;

	(void)state;
	rig.rg_queues[CONTROLQ].rq_max = 8;
	attach();
	for (i = 0; i < 6; i++)
		pv_gpu_damage(&gpu, shown(0), i * 100, i * 70, 8, 8);
	assert_int_equal(rectangles(), 1);
	assert_int_equal(pv_gpu_show(&gpu, 0, shown(0), NULL, NULL), 0);
	detach();
}

/* Heads */

static void
each_head_has_a_framebuffer(void **state)
{
	(void)state;
	params.gp_heads = 2;
	set_mode(1, 800, 600);
	set_mode(2, 1024, 768);
	attach();
	assert_int_equal(pv_gpu_heads(&gpu), 3);
	assert_int_equal(pv_gpu_primary(&gpu), 0);
	assert_int_equal(state_of(0), PV_GPU_HEAD_ON);
	assert_int_equal(state_of(1), PV_GPU_HEAD_ON);
	assert_int_equal(state_of(2), PV_GPU_HEAD_OFF);
	assert_null(shown(2));
	assert_null(shown(3));
	assert_ptr_not_equal(shown(0), shown(1));
	assert_int_not_equal(generation_of(0), generation_of(1));
	assert_int_equal(pv_gpu_head(&gpu, 3, NULL), ERANGE);
	detach();
}

static void
heads_come_and_go(void **state)
{
	struct pv_gpu_head_info hi;
	struct pv_gpu_geometry gg;
	unsigned int mine;

	(void)state;
	params.gp_heads = 3;
	attach();
	mine = generation_of(0);
	set_mode(1, 800, 600);
	modes[1].x = 640;
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(generation_of(0), mine);
	assert_int_equal(pv_gpu_head(&gpu, 1, &hi), 0);
	assert_int_equal(hi.hi_state, PV_GPU_HEAD_ON);
	assert_true(hi.hi_enabled);
	assert_int_equal(hi.hi_wish.x, 640);
	assert_int_equal(hi.hi_wish.h, 600);
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	/* One of another size; the other one stays. */
	set_mode(1, 1024, 768);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(generation_of(0), mine);
	pv_gpu_fb_geometry(&gpu, shown(1), &gg);
	assert_int_equal(gg.gg_width, 1024);
	/* The primary one goes, with pages of it out. */
	assert_true(pv_gpu_mmap(&gpu, 0, PROT_READ) != (paddr_t)-1);
	set_mode(0, 0, 0);
	nseen = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(pv_gpu_primary(&gpu), 1);
	assert_int_equal(state_of(0), PV_GPU_HEAD_OFF);
	assert_int_equal(nrevoked, 1);
	assert_int_equal(last_revoked, mine);
	assert_int_equal(last(0x103)->w[4], 0);
	assert_int_equal(last(0x103)->w[5], 0);
	pv_gpu_revoked(&gpu, mine);
	pv_gpu_geometry(&gpu, &gg);
	assert_int_equal(gg.gg_width, 1024);
	assert_int_equal(gg.gg_scanout, 1);
	detach();
}

static void
the_only_head_is_suspended(void **state)
{
	uint64_t fence = 9;

	(void)state;
	attach();
	modes[0].enabled = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(state_of(0), PV_GPU_HEAD_SUSPENDED);
	nseen = 0;
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 10, 10), 0);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 10, 10);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	assert_int_equal(fence, 0);
	assert_int_equal(nseen, 0);
	modes[0].enabled = 1;
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(state_of(0), PV_GPU_HEAD_ON);
	assert_int_equal(last(0x105)->w[2], 640);
	assert_int_equal(last(0x105)->w[3], 480);
	/* In another size it comes back with another framebuffer. */
	modes[0].enabled = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	set_mode(0, 800, 600);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(state_of(0), PV_GPU_HEAD_ON);
	detach();
}

static void
heads_without_memory(void **state)
{
	unsigned int old;
	int n, changed;

	for (n = 0, changed = 0; changed != 1; n++) {
		setup(state);
		params.gp_heads = 2;
		attach();
		old = generation_of(0);
		set_mode(1, 800, 600);
		port.po_fail_after = n;
		changed = pv_gpu_changed(&gpu);
		port.po_fail_after = -1;
		assert_int_equal(generation_of(0), old);
		if (changed != 1) {
			assert_int_equal(changed, -ENOMEM);
			assert_null(shown(1));
			assert_int_equal(pv_gpu_changed(&gpu), 1);
		}
		assert_int_equal(state_of(1), PV_GPU_HEAD_ON);
		detach();
		assert_int_equal(port_check(), 0);
		assert_true(n < 30);
	}
	setup(state);
}

static void
heads_that_changed_while_stopped(void **state)
{
	(void)state;
	params.gp_heads = 2;
	attach();
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	set_mode(1, 800, 600);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(nchanged, 1);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(nchanged, 1);
	assert_int_equal(count(0x101), 2);
	assert_int_equal(count(0x103), 2);
	detach();
}

/* Framebuffers of the port's */

static void
framebuffers_have_limits(void **state)
{
	static const uint32_t bad[][3] = { { 0, 1, 2 }, { 1, 0, 2 },
	    { 16385, 1, 2 }, { 1, 16385, 2 }, { 1, 1, 0 }, { 1, 1, 5 },
	    { 1, 1, 133 } };
	static const enum pv_gpu_format good[] = { PV_GPU_B8G8R8A8,
	    PV_GPU_B8G8R8X8, PV_GPU_A8R8G8B8, PV_GPU_X8R8G8B8,
	    PV_GPU_R8G8B8A8, PV_GPU_X8B8G8R8, PV_GPU_A8B8G8R8,
	    PV_GPU_R8G8B8X8 };
	struct pv_gpu_geometry gg;
	struct pv_gpu_fb *fb = NULL;
	unsigned int i;

	(void)state;
	attach();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pv_gpu_fb_create(&gpu, bad[i][0], bad[i][1],
		    (enum pv_gpu_format)bad[i][2], &fb), EINVAL);
	for (i = 0; i < 8; i++) {
		assert_int_equal(pv_gpu_fb_create(&gpu, 32, 16, good[i], &fb),
		    0);
		assert_int_equal(last(0x101)->w[1], good[i]);
		pv_gpu_fb_geometry(&gpu, fb, &gg);
		assert_int_equal(gg.gg_format, good[i]);
		assert_int_equal(gg.gg_stride, 128);
		assert_int_equal(pv_gpu_fb_destroy(&gpu, fb), 0);
	}
	assert_int_equal(pv_gpu_fb_destroy(&gpu, shown(0)), EBUSY);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_fb_create(&gpu, 32, 16, PV_GPU_B8G8R8X8, &fb),
	    ENXIO);
	detach();
}

/*
 * By so many commands, of which each is refused, and allocations, from each of
 * which on there are no more: nothing is left behind.
 */
static void
made_or_not(void **state, int (*make)(void), unsigned int ncommands)
{
	unsigned int at;
	int error = EIO, n;

	for (at = 0; error != 0; at++) {
		setup(state);
		attach();
		refuse_at = nseen + at + 1;
		error = make();
		refuse_at = 0;
		assert_int_equal(error, at < ncommands ? EIO : 0);
		assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 1), 0);
		detach();
		assert_int_equal(port_check(), 0);
	}
	for (n = 0, error = ENOMEM; error != 0; n++) {
		setup(state);
		attach();
		port.po_fail_after = n;
		error = make();
		port.po_fail_after = -1;
		assert_true(error == 0 || error == ENOMEM);
		detach();
		assert_int_equal(port_check(), 0);
	}
	setup(state);
}

static int
make_fb(void)
{
	struct pv_gpu_fb *fb;

	return pv_gpu_fb_create(&gpu, 32, 16, PV_GPU_B8G8R8X8, &fb);
}

static void
a_framebuffer_that_can_not_be_made(void **state)
{
	made_or_not(state, make_fb, 2);		/* create, attach */
}

static struct pv_gpu_fb *
another(void)
{
	struct pv_gpu_fb *fb;

	assert_int_equal(pv_gpu_fb_create(&gpu, 64, 48, PV_GPU_B8G8R8X8, &fb),
	    0);
	return fb;
}

/* Behind the scenes it is transferred, and not flushed. */
static void
what_is_not_shown_is_not_flushed(void **state)
{
	struct pv_gpu_fb *fb;
	uint64_t fence;

	(void)state;
	attach();
	fb = another();
	nseen = 0;
	pv_gpu_damage(&gpu, fb, 0, 0, 64, 48);
	assert_int_equal(pv_gpu_present(&gpu, fb, &fence), 0);
	assert_int_equal(nseen, 1);
	assert_int_equal(seen[0].type, 0x105);
	detach();
}

static void
a_flip_is_one_doorbell(void **state)
{
	const struct pv_gpu_rect inside = { 10, 20, 30, 28 };
	struct pv_gpu_fb *fb;
	unsigned int doorbells;
	uint64_t fence;

	(void)state;
	attach();
	fb = another();
	nseen = 0;
	doorbells = rig.rg_queues[CONTROLQ].rq_notified;
	pv_gpu_damage(&gpu, fb, 0, 0, 8, 8);
	mute = 1;
	assert_int_equal(pv_gpu_show(&gpu, 0, fb, &inside, &fence), 0);
	assert_int_equal(rig.rg_queues[CONTROLQ].rq_notified, doorbells + 1);
	assert_int_equal(nseen, 3);
	assert_int_equal(seen[0].type, 0x105);
	assert_int_equal(seen[1].type, 0x103);
	assert_int_equal(seen[1].w[0], 10);
	assert_int_equal(seen[1].w[3], 28);
	assert_int_equal(seen[2].type, 0x104);
	assert_int_equal(pv_gpu_fence(&gpu, fence), EAGAIN);
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	assert_ptr_equal(shown(0), fb);
	assert_int_equal(pv_gpu_fb_destroy(&gpu, fb), EBUSY);
	assert_int_equal(pv_gpu_counters(&gpu)->gc_flips, 1);
	detach();
}

static void
what_lies_beyond_a_framebuffer_is_not_shown(void **state)
{
	static const struct pv_gpu_rect bad[] = { { 0, 0, 0, 1 },
	    { 0, 0, 1, 0 }, { 0, 0, 65, 1 }, { 0, 0, 1, 49 }, { 65, 0, 1, 1 },
	    { 0, 49, 1, 1 }, { 64, 0, 1, 1 }, { 1, 0, UINT32_MAX, 1 },
	    { 0, 1, 1, UINT32_MAX }, { 1, 0, 64, 1 }, { 0, 1, 1, 48 } };
	static const struct pv_gpu_rect last_pixel = { 63, 47, 1, 1 };
	static const struct pv_gpu_rect all = { 0, 0, 64, 48 };
	struct pv_gpu_fb *fb;
	unsigned int i;
	uint64_t fence;

	(void)state;
	attach();
	fb = another();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pv_gpu_show(&gpu, 0, fb, &bad[i], NULL),
		    EINVAL);
	assert_int_equal(pv_gpu_show(&gpu, 0, fb, &all, &fence), 0);
	assert_int_equal(pv_gpu_show(&gpu, 0, fb, &last_pixel, &fence), 0);
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	assert_int_equal(pv_gpu_show(&gpu, 3, fb, NULL, NULL), ERANGE);
	assert_int_equal(pv_gpu_show(&gpu, 0, NULL, &all, NULL), EINVAL);
	detach();
}

/* The display's changes are none of the port's framebuffer's. */
static void
a_change_leaves_the_port_s_framebuffer(void **state)
{
	struct pv_gpu_fb *own, *fb;

	(void)state;
	attach();
	own = shown(0);
	fb = another();
	assert_int_equal(pv_gpu_show(&gpu, 0, fb, NULL, NULL), 0);
	/* The driver's own is not the port's to destroy. */
	assert_int_equal(pv_gpu_fb_destroy(&gpu, own), EBUSY);
	set_mode(0, 800, 600);
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_ptr_equal(shown(0), fb);
	assert_int_equal(pv_gpu_show(&gpu, 0, own, NULL, NULL), 0);
	assert_int_equal(pv_gpu_fb_destroy(&gpu, fb), 0);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	detach();
}

static void
a_head_that_is_turned_off_stays_so(void **state)
{
	uint64_t fence;

	(void)state;
	attach();
	nseen = 0;
	assert_int_equal(pv_gpu_show(&gpu, 0, NULL, NULL, &fence), 0);
	assert_int_equal(nseen, 1);
	assert_int_equal(seen[0].type, 0x103);
	assert_int_equal(seen[0].w[5], 0);
	assert_int_equal(state_of(0), PV_GPU_HEAD_OFF);
	assert_int_equal(pv_gpu_changed(&gpu), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(count(0x103), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_show(&gpu, 0, NULL, NULL, &fence), ENXIO);
	detach();
}

static void
mirrors_follow(void **state)
{
	(void)state;
	attach();
	assert_int_equal(pv_gpu_show(&gpu, 2, shown(0), NULL, NULL), 0);
	set_mode(0, 800, 600);
	nseen = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_ptr_equal(shown(2), shown(0));
	assert_int_equal(count(0x103), 2);
	assert_int_equal(last(0x103)->w[4], 2);
	assert_int_equal(last(0x103)->w[2], 800);
	detach();
}

static void
pages_of_a_ports_framebuffer(void **state)
{
	struct pv_gpu_geometry gg;
	struct pv_gpu_fb *fb;

	(void)state;
	attach();
	assert_int_equal(pv_gpu_fb_create(&gpu, 64, 48, PV_GPU_B8G8R8X8, &fb),
	    0);
	pv_gpu_fb_geometry(&gpu, fb, &gg);
	assert_true(pv_gpu_fb_mmap(&gpu, fb, 0, PROT_READ) != (paddr_t)-1);
	assert_true(pv_gpu_fb_mmap(&gpu, fb, (off_t)gg.gg_len, PROT_READ) ==
	    (paddr_t)-1);
	assert_true(pv_gpu_fb_mmap(&gpu, NULL, 0, PROT_READ) == (paddr_t)-1);
	assert_int_equal(pv_gpu_fb_destroy(&gpu, fb), 0);
	assert_int_equal(nrevoked, 1);
	assert_int_equal(last_revoked, gg.gg_generation);
	assert_int_equal(pv_gpu_detach(&gpu), EBUSY);
	pv_gpu_revoked(&gpu, gg.gg_generation);
	detach();
}

/* A mirror that can't follow now does after the reset, and nothing dangles. */
static void
mirrors_follow_later(void **state)
{
	unsigned int at;

	for (at = 6; at < 9; at++) {
		setup(state);
		attach();
		assert_int_equal(pv_gpu_show(&gpu, 2, shown(0), NULL, NULL),
		    0);
		set_mode(0, 800, 600);
		lie_for = at < 8 ? 0 : 0x107;
		lie_type = 0x1101;
		refuse_at = at < 8 ? nseen + at : 0;
		pv_gpu_changed(&gpu);
		lie_for = refuse_at = 0;
		assert_ptr_equal(shown(2), shown(0));
		assert_int_equal(pv_gpu_stop(&gpu), 0);
		/* With fewer heads, and a change meanwhile. */
		rig_put32(&rig, 8, 1);
		assert_int_equal(pv_gpu_start(&gpu), 0);
		set_mode(0, 1024, 768);
		assert_int_equal(pv_gpu_changed(&gpu), 1);
		assert_int_equal(pv_gpu_stop(&gpu), 0);
		rig_put32(&rig, 8, 3);
		nseen = 0;
		assert_int_equal(pv_gpu_start(&gpu), 0);
		assert_int_equal(count(0x103), 2);
		assert_int_equal(last(0x103)->w[2], 1024);
		detach();
		assert_int_equal(port_check(), 0);
	}
	setup(state);
}

/* Blobs */

static void
a_blob_is_shown_where_it_lies(void **state)
{
	struct pv_gpu_geometry gg;
	uint64_t fence;

	(void)state;
	port.po_shadow = 1;
	/* A blob's first flush is waited for all the same. */
	params.gp_nowait = 1;
	rig.rg_offered |= G(RESOURCE_BLOB);
	assert_int_equal(try_attach(), 0);
	pv_gpu_geometry(&gpu, &gg);
	assert_true(gg.gg_blob);
	assert_int_equal(count(0x101) + count(0x105) + count(0x106), 0);
	assert_int_equal(last(0x10c)->w[1], PV_GPU_BLOB_GUEST);
	assert_int_equal(last(0x10c)->w[6], gg.gg_len);
	assert_int_equal(last(0x10d)->w[6], 640);
	assert_int_equal(last(0x10d)->w[8], PV_GPU_B8G8R8X8);
	assert_int_equal(last(0x10d)->w[10], 2560);
	nseen = 0;
	pv_gpu_damage(&gpu, shown(0), 1, 2, 3, 4);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	assert_int_equal(nseen, 1);
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	set_mode(0, 800, 600);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(count(0x105), 0);
	detach();
}

static void
a_device_that_will_have_no_blobs(void **state)
{
	static const uint32_t at[] = { 0x10c, 0x10d };
	struct pv_gpu_geometry gg;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		setup(state);
		rig.rg_offered |= G(RESOURCE_BLOB);
		refuse = at[i];
		assert_int_equal(try_attach(), 0);
		pv_gpu_geometry(&gpu, &gg);
		assert_false(gg.gg_blob);
		assert_int_equal(count(0x10c), 1);
		assert_int_equal(count(0x102), i);
		assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 10, 10), 0);
		assert_true(count(0x105) > 0);
		/* Nor is it asked again. */
		set_mode(0, 800, 600);
		assert_int_equal(pv_gpu_changed(&gpu), 1);
		assert_int_equal(count(0x10c), 1);
		assert_int_equal(nbroken, 0);
		detach();
		assert_int_equal(port_check(), 0);
	}
	setup(state);
}

static void
hostile_blob(void **state)
{
	(void)state;
	rig.rg_offered |= G(RESOURCE_BLOB);
	lie_for = 0x10c;
	lie_type = 0x1101;
	assert_int_equal(try_attach(), EIO);
	assert_int_equal(nbroken, 1);
}

/* Cursors */

static uint32_t image[64 * 64];

static void
a_command_without_an_answer_stays_as_it_is(void **state)
{
	uint8_t request[40];
	const struct seen *s;

	(void)state;
	params.gp_heads = 2;
	set_mode(1, 320, 200);
	attach();
	set_mode(0, 800, 600);
	set_mode(1, 400, 300);
	mute_from = 0x101;
	assert_int_equal(pv_gpu_changed(&gpu), -ETIMEDOUT);
	s = last(0x101);
	assert_int_equal(s->w[2], 800);
	assert_int_equal(nkept, 1);
	rig_read(&kept[0].rc, 0, request, sizeof(request));
	assert_int_equal(wire_get(request + 8, 8), s->fence);
	assert_int_equal(wire_get(request + 32, 4), 800);
	detach();
}

static void
a_cursor_is_sent_before_it_is_named(void **state)
{
	const struct seen *s;

	(void)state;
	attach();
	assert_int_equal(pv_gpu_cursor_move(&gpu, 1, 11, 12), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_cursor_set(&gpu, 1, image, 3, 63), 0);
	assert_int_equal(seen[0].type, 0x101);
	assert_int_equal(seen[0].w[1], PV_GPU_B8G8R8A8);
	assert_int_equal(seen[0].w[2], 64);
	assert_int_equal(seen[2].type, 0x105);
	s = last(0x300);
	assert_int_equal(s->outlen, 56);
	assert_int_equal(s->w[0], 1);
	assert_int_equal(s->w[1], 11);
	assert_int_equal(s->w[2], 12);
	assert_int_equal(s->w[4], seen[0].w[0]);
	assert_int_equal(s->w[5], 3);
	assert_int_equal(s->w[6], 63);
	/* The second image goes into the same resource. */
	nseen = 0;
	assert_int_equal(pv_gpu_cursor_set(&gpu, 1, image, 0, 0), 0);
	assert_int_equal(nseen, 2);
	assert_int_equal(pv_gpu_cursor_hide(&gpu, 1), 0);
	assert_int_equal(last(0x300)->w[4], 0);
	detach();
}

static void
cursors_have_limits(void **state)
{
	(void)state;
	attach();
	assert_int_equal(pv_gpu_cursor_set(&gpu, 3, image, 0, 0), ERANGE);
	assert_int_equal(pv_gpu_cursor_move(&gpu, 3, 0, 0), ERANGE);
	assert_int_equal(pv_gpu_cursor_hide(&gpu, 3), ERANGE);
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 64, 0), EINVAL);
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 64), EINVAL);
	assert_int_equal(nseen, 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 0), ENXIO);
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 0, 0), ENXIO);
	assert_int_equal(pv_gpu_cursor_hide(&gpu, 0), ENXIO);
	detach();
}

static void
a_missed_doorbell_for_a_cursor_is_rung_again(void **state)
{
	(void)state;
	attach();
	rig.rg_miss = 2;
	rig.rg_queues[CURSORQ].rq_notified = 0;
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 1, 2), 0);
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 3, 4), 0);
	assert_int_equal(rig.rg_queues[CURSORQ].rq_notified, 2);
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 5, 6), 0);
	assert_int_equal(rig.rg_queues[CURSORQ].rq_notified, 4);
	assert_int_equal(count(0x301), 3);
	detach();
}

static void
the_last_move_counts(void **state)
{
	unsigned int i;

	(void)state;
	attach();
	mute = 1;
	for (i = 0; i < 20; i++)
		assert_int_equal(pv_gpu_cursor_move(&gpu, 0, i, 100 + i), 0);
	assert_int_equal(count(0x301), 8);
	assert_int_equal(pv_gpu_cursor_hide(&gpu, 0), EBUSY);
	give_all();
	nseen = 0;
	assert_int_equal(pv_gpu_cursor_hide(&gpu, 0), 0);
	assert_int_equal(count(0x301), 1);
	assert_int_equal(seen[0].w[1], 19);
	assert_int_equal(seen[0].w[2], 119);
	detach();
}

/* QEMU shows none where a move names none. */
static void
a_moved_cursor_is_still_named(void **state)
{
	uint32_t resource;

	(void)state;
	attach();
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 1, 1), 0);
	assert_int_equal(last(0x301)->w[4], 0);
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 0), 0);
	resource = last(0x300)->w[4];
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 2, 3), 0);
	assert_int_equal(last(0x301)->w[1], 2);
	assert_int_equal(last(0x301)->w[4], resource);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	resource = last(0x300)->w[4];
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 4, 5), 0);
	assert_int_equal(last(0x301)->w[4], resource);
	assert_int_equal(pv_gpu_cursor_hide(&gpu, 0), 0);
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 6, 7), 0);
	assert_int_equal(last(0x301)->w[4], 0);
	detach();
}

static void
cursors_without_a_word(void **state)
{
	(void)state;
	silent_cursor = 1;
	attach();
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 0), 0);
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 1, 1), 0);
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 2, 2), 0);
	assert_int_equal(nbroken, 0);
	detach();
}

static void
hostile_cursor_answers(void **state)
{
	static const struct {
		uint32_t type, len;
		unsigned int broken;
	} t[] = { { 0x1203, 0, 0 }, { 0x1101, 0, 1 }, { 0, 23, 1 } };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		setup(state);
		attach();
		lie_for = 0x301;
		lie_type = t[i].type;
		lie_len = t[i].len;
		assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 1, 1), 0);
		assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 2, 2),
		    t[i].broken ? EIO : 0);
		assert_int_equal(nbroken, t[i].broken);
		detach();
		assert_int_equal(port_check(), 0);
	}
	setup(state);
}

static void
cursors_outlive_a_reset(void **state)
{
	(void)state;
	attach();
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 5, 6), 0);
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 7, 8), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(count(0x300), 1);
	assert_int_equal(last(0x300)->w[1], 5);
	assert_int_equal(last(0x300)->w[5], 7);
	assert_true(last(0x300) > last(0x105));
	/* One whose image did not arrive is not shown. */
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	refuse_at = (unsigned int)(last(0x105) - seen) + 1;
	nseen = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(count(0x300), 0);
	refuse_at = 0;
	assert_int_equal(pv_gpu_cursor_hide(&gpu, 0), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(count(0x300), 0);
	detach();
}

static int
make_cursor(void)
{
	return pv_gpu_cursor_set(&gpu, 0, image, 0, 0);
}

static void
a_cursor_that_can_not_be_made(void **state)
{
	made_or_not(state, make_cursor, 3);	/* create, attach, transfer */
}

/* Clients that render */

#define CTX	5

static struct port_buf *buf;
static struct pv_gpu_resource res;
static const struct pv_gpu_3d texture = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
static const struct pv_gpu_blob host_blob = { PV_GPU_BLOB_HOST3D,
    PV_GPU_BLOB_MAPPABLE, 0x123456789ull, PAGE_SIZE };

static void
attach_3d(uint64_t leave)
{
	rig.rg_offered |= (G(VIRGL) | G(CONTEXT_INIT) | G(RESOURCE_BLOB) |
	    G(RESOURCE_UUID)) & ~leave;
	params.gp_3d = 1;
	rig.rg_region = (struct pv_shm){ 4, 0x100000000ull, 4 * PAGE_SIZE };
	rig.rg_no_region = 0;
	memset(&res, 0, sizeof(res));
	buf = port_buf_new(8192);
	attach();
}

static void
detach_3d(void)
{
	detach();
	port_buf_free(buf);
}

static struct pv_piece
piece(bus_size_t off, bus_size_t len)
{
	return (struct pv_piece){ buf->pb_map, off, len };
}

static void
rendering_is_asked_for(void **state)
{
	const struct pv_piece pc = { NULL, 0, 4 };
	struct pv_gpu_transfer tr = { .tr_level = 0 };
	struct pv_gpu_capset cs = { 1, 1, 10 };
	unsigned int cache;
	uint64_t fence;
	uint8_t uuid[16];
	size_t len = 1;

	(void)state;
	rig.rg_offered |= G(VIRGL) | G(CONTEXT_INIT);
	memset(&res, 0, sizeof(res));
	attach();
	assert_int_equal(rig.rg_accepted & (G(VIRGL) | G(CONTEXT_INIT)), 0);
	assert_int_equal(pv_gpu_capset_info(&gpu, 0, &cs), ENOTSUP);
	assert_int_equal(pv_gpu_capset(&gpu, &cs, 1, &len, &len), ENOTSUP);
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 0, ""), ENOTSUP);
	assert_int_equal(pv_gpu_ctx_destroy(&gpu, CTX), ENOTSUP);
	assert_int_equal(pv_gpu_ctx_attach(&gpu, CTX, &res), ENOTSUP);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture),
	    ENOTSUP);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), ENOTSUP);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), ENOTSUP);
	assert_int_equal(pv_gpu_uuid(&gpu, &res, uuid), ENOTSUP);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1, &fence),
	    ENOTSUP);
	res.gr_id = 1;
	assert_int_equal(pv_gpu_transfer_3d(&gpu, CTX, -1, &res, &tr, &fence),
	    ENOTSUP);
	assert_int_equal(nseen, 0);
	detach();
}

static void
capability_sets(void **state)
{
	static uint8_t data[PV_GPU_CAPSET_MAX];
	struct pv_gpu_capset cs;
	size_t len = sizeof(data);

	(void)state;
	capset_size = PV_GPU_CAPSET_MAX;
	attach_3d(0);
	assert_int_equal(pv_gpu_capset_info(&gpu, 1, &cs), 0);
	assert_int_equal(cs.cs_id, 2);
	assert_int_equal(cs.cs_max_version, 2);
	assert_int_equal(cs.cs_max_size, PV_GPU_CAPSET_MAX);
	assert_int_equal(pv_gpu_capset_info(&gpu, 2, &cs), ERANGE);
	assert_int_equal(pv_gpu_capset(&gpu, &cs, 1, data, &len), 0);
	assert_int_equal(len, PV_GPU_CAPSET_MAX);
	assert_int_equal(data[PV_GPU_CAPSET_MAX - 1], 0x5c);
	assert_int_equal(last(0x109)->w[0], 2);
	assert_int_equal(last(0x109)->w[1], 1);
	/* Less than it could be is what there is. */
	lie_for = 0x109;
	lie_len = 24 + 40;
	assert_int_equal(pv_gpu_capset(&gpu, &cs, 1, data, &len), 0);
	assert_int_equal(len, 40);
	assert_int_equal(pv_gpu_capset(&gpu, &cs, 1, data, &len), EFBIG);
	len = sizeof(data);
	cs.cs_max_size = PV_GPU_CAPSET_MAX + 1;
	len++;
	assert_int_equal(pv_gpu_capset(&gpu, &cs, 1, data, &len), EFBIG);
	lie_for = 0x108;
	lie_len = 39;
	assert_int_equal(pv_gpu_capset_info(&gpu, 0, &cs), EIO);
	assert_int_equal(nbroken, 1);
	detach_3d();
}

static void
contexts(void **state)
{
	const struct seen *s;

	(void)state;
	attach_3d(0);
	assert_int_equal(pv_gpu_ctx_create(&gpu, 0, 0, ""), EINVAL);
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 256, ""), EINVAL);
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 255, "name"), 0);
	s = last(0x200);
	assert_int_equal(s->outlen, 96);
	assert_int_equal(s->ctx, CTX);
	assert_int_equal(s->w[0], 4);
	assert_int_equal(s->w[1], 255);
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 0, "0123456789012345678"
	    "901234567890123456789012345678901234567890123456789"), 0);
	assert_int_equal(last(0x200)->w[0], 64);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	assert_int_equal(pv_gpu_ctx_attach(&gpu, CTX, &res), 0);
	assert_int_equal(last(0x202)->w[0], pv_gpu_resource_id(&res));
	assert_int_equal(last(0x202)->ctx, CTX);
	assert_int_equal(pv_gpu_ctx_detach(&gpu, CTX, &res), 0);
	assert_int_equal(pv_gpu_ctx_destroy(&gpu, CTX), 0);
	assert_int_equal(last(0x201)->ctx, CTX);
	assert_int_equal(last(0x201)->outlen, 24);
	refuse = 0x201;
	assert_int_equal(pv_gpu_ctx_destroy(&gpu, CTX), EIO);
	assert_int_equal(nbroken, 0);
	detach_3d();
	assert_int_equal(port_check(), 0);
	setup(state);
	attach_3d(G(CONTEXT_INIT));
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 1, ""), ENOTSUP);
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 0, ""), 0);
	detach_3d();
}

/* Its buffer is of two segments. */
static void
attach_in_pieces(void)
{
	attach_3d(0);
	port.po_segsize = 4096;
	port_buf_free(buf);
	buf = port_buf_new(8192);
}

static void
resources_and_their_memory(void **state)
{
	struct pv_piece pc;
	uint8_t uuid[16] = { 0 };

	(void)state;
	attach_in_pieces();
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	pc = piece(100, 8000);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EINVAL);
	assert_int_equal(pv_gpu_resource_unback(&gpu, &res), EINVAL);
	assert_int_equal(pv_gpu_ctx_attach(&gpu, CTX, &res), EINVAL);
	assert_int_equal(pv_gpu_uuid(&gpu, &res, uuid), EINVAL);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	assert_int_equal(last(0x204)->w[1], 1);
	assert_int_equal(last(0x204)->w[10], 10);
	assert_int_equal(last(0x204)->outlen, 72);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture),
	    EINVAL);
	assert_int_equal(pv_gpu_resource_unback(&gpu, &res), EINVAL);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), 0);
	assert_int_equal(last(0x106)->w[1], 2);
	assert_int_equal(last(0x106)->w[2],
	    (uint32_t)(buf->pb_map->dm_segs[0].ds_addr + 100));
	assert_int_equal(last(0x106)->w[4], 3996);
	assert_int_equal(last(0x106)->w[8], 4004);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EINVAL);
	assert_int_equal(pv_gpu_uuid(&gpu, &res, uuid), 0);
	assert_int_equal(uuid[15], 0x77);
	assert_int_equal(pv_gpu_resource_unback(&gpu, &res), 0);
	pc = piece(4096, 4096);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), 0);
	assert_int_equal(last(0x106)->w[1], 1);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	assert_int_equal(pv_gpu_resource_id(&res), 0);
	detach_3d();
}

/* What is not there, or has not been taken. */
static void
memory_that_can_not_be_lent(void **state)
{
	struct pv_piece pc;

	(void)state;
	attach_in_pieces();
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	pc = piece(0, 8193);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EINVAL);
	pc = piece(0, 0);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EINVAL);
	pc = piece(8192, 1);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EINVAL);
	pc = piece(0, 8192);
	port.po_fail_after = 0;
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), ENOMEM);
	port.po_fail_after = -1;
	refuse = 0x106;
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EIO);
	refuse = 0x102;
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), EIO);
	assert_int_not_equal(pv_gpu_resource_id(&res), 0);
	/* A reset takes all of them. */
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_resource_id(&res), 0);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	detach_3d();
}

static void
several_resources_go_in_any_order(void **state)
{
	static struct pv_gpu_resource r[3];
	unsigned int i;

	(void)state;
	attach_3d(0);
	memset(r, 0, sizeof(r));
	for (i = 0; i < 3; i++)
		assert_int_equal(pv_gpu_resource_3d(&gpu, &r[i], CTX,
		    &texture), 0);
	assert_int_equal(pv_gpu_resource_free(&gpu, &r[1]), 0);
	assert_int_equal(pv_gpu_resource_free(&gpu, &r[0]), 0);
	assert_int_equal(pv_gpu_resource_free(&gpu, &r[2]), 0);
	refuse = 0x204;
	assert_int_equal(pv_gpu_resource_3d(&gpu, &r[0], CTX, &texture), EIO);
	assert_int_equal(pv_gpu_resource_id(&r[0]), 0);
	detach_3d();
}

static void
blobs_have_limits(void **state)
{
	struct pv_gpu_blob b = { PV_GPU_BLOB_GUEST, 0, 0, 4096 };
	struct pv_piece pc;

	(void)state;
	attach_3d(0);
	pc = piece(0, 4096);
	b.b_size = 0;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, &pc),
	    EINVAL);
	b.b_size = 4097;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, &pc),
	    EINVAL);
	b.b_size = 4096;
	b.b_mem = 0;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, NULL),
	    EINVAL);
	b.b_mem = 4;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, NULL),
	    EINVAL);
	b.b_mem = PV_GPU_BLOB_HOST3D;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, &pc),
	    EINVAL);
	nseen = 0;
	b.b_mem = PV_GPU_BLOB_HOST3D_GUEST;
	b.b_id = 0x100000002ull;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, &pc), 0);
	assert_int_equal(seen[0].w[3], 1);
	assert_int_equal(seen[0].w[4], 2);
	assert_int_equal(seen[0].w[5], 1);
	assert_int_equal(seen[0].w[6], 4096);
	assert_int_equal(seen[0].outlen, 56 + 16);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, &pc),
	    EINVAL);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EINVAL);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	pc = piece(0, 8193);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, &pc),
	    EINVAL);
	detach_3d();
}

/* There is the driver's memory alone. */
static void
blobs_without_a_renderer(void **state)
{
	struct pv_gpu_blob b = { PV_GPU_BLOB_HOST3D_GUEST, 0, 0, 4096 };
	struct pv_piece pc;

	(void)state;
	attach_3d(G(VIRGL) | G(CONTEXT_INIT));
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, NULL),
	    ENOTSUP);
	b.b_mem = PV_GPU_BLOB_GUEST;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, 0, &b, NULL), 0);
	pc = piece(0, 4096);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), 0);
	detach_3d();
}

/* An entry's length has 32 bits, a segment's may have more. */
static void
a_blob_of_four_gigabytes_is_listed_whole(void **state)
{
	const bus_size_t size = (bus_size_t)(5ull << 30);
	struct pv_gpu_blob b = { PV_GPU_BLOB_GUEST, 0, 0, size };
	struct pv_piece pc;
	bus_size_t len;

	(void)state;
	if (size >> 30 != 5)
		return;
	attach_3d(0);
	pc = piece(0, size);
	len = pc.pc_map->dm_segs[0].ds_len;
	pc.pc_map->dm_segs[0].ds_len = size;
	nseen = 0;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, &pc), 0);
	pc.pc_map->dm_segs[0].ds_len = len;
	assert_int_equal(seen[0].w[3], 2);
	assert_int_equal(seen[0].outlen, 56 + 2 * 16);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	detach_3d();
	assert_int_equal(port_check(), 0);
}

static void
blobs_in_the_region(void **state)
{
	unsigned int cache = 9;
	struct pv_shm shm;

	(void)state;
	attach_3d(0);
	assert_int_equal(pv_gpu_hostvisible(&gpu, &shm), 0);
	assert_int_equal(shm.sh_bar, 4);
	assert_int_equal(shm.sh_start, 0x100000000ull);
	assert_int_equal(shm.sh_len, 4 * PAGE_SIZE);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), EINVAL);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), 0);
	assert_int_equal(pv_gpu_unmap_blob(&gpu, &res), EINVAL);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 1, &cache), EINVAL);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 4 * PAGE_SIZE, &cache),
	    EINVAL);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 5 * PAGE_SIZE, &cache),
	    EINVAL);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res,
	    UINT64_MAX & ~(uint64_t)(PAGE_SIZE - 1), &cache), EINVAL);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 3 * PAGE_SIZE, &cache),
	    0);
	assert_int_equal(cache, PV_GPU_CACHE_CACHED);
	assert_int_equal(last(0x208)->w[2], 3 * PAGE_SIZE);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), EINVAL);
	assert_int_equal(pv_gpu_unmap_blob(&gpu, &res), 0);
	/* A kind of mapping that nobody knows. */
	map_info = 0xfffffff9;
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), 0);
	assert_int_equal(cache, PV_GPU_CACHE_NONE);
	/* The end takes the mapping along. */
	nseen = 0;
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	assert_int_equal(seen[0].type, 0x209);
	assert_int_equal(seen[1].type, 0x102);
	detach_3d();
}

/* Regions that can't be, and one that is gone after the reset. */
static void
no_region_is_made_up(void **state)
{
	static const struct pv_shm wrong[] = {
		{ -1, 0, 0 }, { -1, UINT64_MAX, 1 }, { 4, 4096, UINT64_MAX },
		{ 4, UINT64_MAX - 4095, 4096 },
	};
	unsigned int cache, i;
	struct pv_shm shm;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		attach_3d(0);
		assert_int_equal(pv_gpu_stop(&gpu), 0);
		rig.rg_region = wrong[i];
		assert_int_equal(pv_gpu_start(&gpu), 0);
		assert_int_equal(pv_gpu_hostvisible(&gpu, &shm), ENOTSUP);
		assert_int_equal(shm.sh_len, 0);
		assert_int_equal(shm.sh_start, 0);
		assert_non_null(strstr(port.po_log, "shared memory 1"));
		assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX,
		    &host_blob, NULL), 0);
		assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache),
		    ENOTSUP);
		detach_3d();
		assert_int_equal(port_check(), 0);
		setup(state);
	}
	attach_3d(0);
	rig.rg_region = (struct pv_shm){ -1, UINT64_MAX - 4096, 4096 };
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(pv_gpu_hostvisible(&gpu, &shm), 0);
	assert_int_equal(shm.sh_start, UINT64_MAX - 4096);
	detach_3d();
}

static void
streams_by_ring(void **state)
{
	struct pv_piece pieces[5];
	uint64_t a, b, c;
	unsigned int i;

	(void)state;
	attach_3d(0);
	for (i = 0; i < 5; i++)
		pieces[i] = piece(100 * i, 10 + i);
	mute = 1;
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, pieces, 4, &a), 0);
	assert_int_equal(seen[0].flags, 3);
	assert_int_equal(seen[0].ring, 0);
	assert_int_equal(seen[0].ctx, CTX);
	assert_int_equal(seen[0].w[0], 46);
	assert_int_equal(seen[0].outlen, 32 + 46);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 63, pieces, 1, &b), 0);
	assert_int_equal(seen[1].ring, 63);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, pieces, 1, &c), 0);
	assert_int_equal(seen[2].flags, 1);
	/* Rings do not wait for each other. */
	give_kept(1);
	assert_int_equal(pv_gpu_poll(&gpu), 0);
	assert_int_equal(pv_gpu_fence(&gpu, b), 0);
	assert_int_equal(pv_gpu_fence(&gpu, a), EAGAIN);
	/* Thirty seconds are theirs. */
	port.po_now_ns += 29999999999ull;
	assert_int_equal(pv_gpu_poll(&gpu), 0);
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, c), 0);
	detach_3d();
}

static void
streams_are_judged(void **state)
{
	struct pv_piece pieces[5];
	unsigned int i;
	uint64_t a;

	(void)state;
	attach_3d(0);
	for (i = 0; i < 5; i++)
		pieces[i] = piece(100 * i, 10 + i);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 64, pieces, 1, &a),
	    EINVAL);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, pieces, 0, &a),
	    EINVAL);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, pieces, 5, &a), EFBIG);
	pieces[0].pc_len = 9000;
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, pieces, 1, &a),
	    EINVAL);
	pieces[0].pc_len = pieces[1].pc_len = (bus_size_t)UINT32_MAX;
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, pieces, 2, &a),
	    EINVAL);
	/* What was refused here took no place. */
	pieces[0] = piece(0, 10);
	for (i = 0; i < 40; i++) {
		assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, pieces, 1,
		    &a), 0);
		assert_int_equal(pv_gpu_fence_wait(&gpu, a), 0);
	}
	detach_3d();
}

static void
streams_and_no_room(void **state)
{
	struct pv_piece pc;
	uint64_t fence;
	unsigned int n;
	int error;

	(void)state;
	attach_3d(0);
	port.po_segsize = 128;
	port_buf_free(buf);
	buf = port_buf_new(8192);
	mute = 1;
	pc = piece(0, 50 * 128);
	for (n = 0; (error = pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1,
	    &fence)) == 0; n++)
		continue;
	assert_int_equal(error, EBUSY);
	assert_true(n >= 1 && n <= 16);
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	pc = piece(0, 8192);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1, &fence),
	    EFBIG);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 1), 0);
	detach_3d();
}

static void
rings_without_contexts(void **state)
{
	struct pv_piece pc;
	uint64_t fence;

	(void)state;
	attach_3d(G(CONTEXT_INIT));
	pc = piece(0, 4);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, &pc, 1, &fence),
	    ENOTSUP);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1, &fence), 0);
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	detach_3d();
}

static void
transfers_both_ways(void **state)
{
	struct pv_gpu_transfer tr = { { 1, 2, 3, 4, 5, 6 }, 0x700000008ull, 9,
	    10, 11, 0 };
	const struct seen *s;
	uint64_t fence;

	(void)state;
	attach_3d(0);
	assert_int_equal(pv_gpu_transfer_3d(&gpu, CTX, -1, &res, &tr, &fence),
	    EINVAL);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	assert_int_equal(pv_gpu_transfer_3d(&gpu, CTX, 2, &res, &tr, &fence),
	    0);
	s = last(0x205);
	assert_int_equal(s->outlen, 72);
	assert_int_equal(s->w[0], 1);
	assert_int_equal(s->w[5], 6);
	assert_int_equal(s->w[6], 8);
	assert_int_equal(s->w[7], 7);
	assert_int_equal(s->w[8], pv_gpu_resource_id(&res));
	assert_int_equal(s->w[9], 9);
	assert_int_equal(s->w[11], 11);
	tr.tr_from_host = 1;
	refuse = 0x206;
	assert_int_equal(pv_gpu_transfer_3d(&gpu, CTX, 2, &res, &tr, &fence),
	    0);
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), EIO);
	assert_int_equal(nbroken, 0);
	detach_3d();
}

/* What was sent, and is not answered, is left alone by all that comes. */
static void
hostile_silence(void **state)
{
	struct pv_piece pc;
	unsigned int cache;
	uint64_t fence;
	uint8_t uuid[16];

	(void)state;
	attach_3d(0);
	pc = piece(0, 4096);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	mute = 1;
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), ETIMEDOUT);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_gpu_resource_unback(&gpu, &res), EIO);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), EIO);
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 0, ""), EIO);
	assert_int_equal(pv_gpu_uuid(&gpu, &res, uuid), EIO);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), EIO);
	assert_int_equal(pv_gpu_unmap_blob(&gpu, &res), EIO);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1, &fence), EIO);
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 0), EIO);
	assert_int_equal(last(0x106)->w[1], 1);
	rig_interrupt(&rig, PV_INTR_QUEUE);
	/* The list of segments stays where the device may read it, */
	assert_non_null(port_dma_kva(kept[nkept - 1].rc.rc_segs[1].addr,
	    16));
	/* until it confirms a reset. */
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_null(port_dma_kva(kept[nkept - 1].rc.rc_segs[1].addr, 16));
	detach_3d();
}

/* Corners */

static void
several_heads_fail_or_not(void **state)
{
	int n, changed;

	for (n = 0, changed = 0; changed != 1; n++) {
		setup(state);
		params.gp_heads = 2;
		set_mode(1, 80, 60);
		attach();
		set_mode(0, 100, 70);
		set_mode(1, 120, 80);
		port.po_fail_after = n;
		changed = pv_gpu_changed(&gpu);
		port.po_fail_after = -1;
		if (changed != 1) {
			assert_int_equal(changed, -ENOMEM);
			assert_int_equal(pv_gpu_changed(&gpu), 1);
		}
		assert_int_equal(pv_gpu_changed(&gpu), 0);
		detach();
		assert_int_equal(port_check(), 0);
		assert_true(n < 40);
	}
	/* The one that comes first fails, the other one does not. */
	setup(state);
	params.gp_heads = 2;
	set_mode(1, 800, 600);
	attach();
	set_mode(0, 1024, 768);
	set_mode(1, 1280, 800);
	port.po_fail_one = 1;
	port.po_fail_after = 0;
	assert_int_equal(pv_gpu_changed(&gpu), -ENOMEM);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	detach();
}

static void
mirrors_of_a_device_that_breaks(void **state)
{
	(void)state;
	attach();
	assert_int_equal(pv_gpu_show(&gpu, 1, shown(0), NULL, NULL), 0);
	assert_int_equal(pv_gpu_show(&gpu, 2, shown(0), NULL, NULL), 0);
	set_mode(0, 800, 600);
	/* Displays, create, attach, scanout, transfer, flush, a mirror. */
	break_at = nseen + 7;
	pv_gpu_changed(&gpu);
	assert_int_equal(nbroken, 1);
	assert_ptr_equal(shown(1), shown(0));
	assert_ptr_equal(shown(2), shown(0));
	detach();
}

static void
heads_given_up_by_a_device_that_breaks(void **state)
{
	(void)state;
	params.gp_heads = 2;
	set_mode(1, 800, 600);
	attach();
	assert_int_equal(pv_gpu_show(&gpu, 2, shown(1), NULL, NULL), 0);
	set_mode(1, 0, 0);
	break_at = nseen + 2;
	pv_gpu_changed(&gpu);
	assert_int_equal(nbroken, 1);
	assert_null(shown(1));
	assert_null(shown(2));
	detach();
}

static void
heads_that_a_device_no_longer_has(void **state)
{
	const uint8_t *p;

	(void)state;
	params.gp_heads = 2;
	rig.rg_offered |= G(EDID);
	set_mode(1, 800, 600);
	attach();
	assert_int_equal(pv_gpu_head_edid(&gpu, 1, &p), 128);
	assert_non_null(p);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	rig_put32(&rig, 8, 1);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(pv_gpu_head_edid(&gpu, 1, &p), 0);
	assert_null(p);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	rig_put32(&rig, 8, 3);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(pv_gpu_show(&gpu, 2, shown(1), NULL, NULL), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	rig_put32(&rig, 8, 2);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_null(shown(2));
	assert_null(shown(1u << 20));
	assert_int_equal(pv_gpu_head_edid(&gpu, 2, &p), 0);
	assert_null(p);
	assert_int_equal(pv_gpu_head_edid(&gpu, 1u << 20, &p), 0);
	/* What it showed follows the head whose picture it was, unseen. */
	set_mode(1, 1024, 768);
	nseen = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(last(0x103)->w[4], 1);
	assert_int_equal(count(0x103), 1);
	set_mode(1, 0, 0);
	nseen = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	assert_int_equal(count(0x103), 1);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	rig_put32(&rig, 8, 3);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_null(shown(2));
	detach();
}

static void
nobody_listens(void **state)
{
	(void)state;
	memset(&callbacks, 0, sizeof(callbacks));
	attach();
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	set_mode(0, 800, 600);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	detach();
	assert_int_equal(pv_gpu_fence(&gpu, 1), EINVAL);
}

static void
room_of_slots_and_of_descriptors(void **state)
{
	struct pv_piece pc;
	uint64_t fence;
	unsigned int i, n;

	(void)state;
	attach_3d(G(RESOURCE_BLOB));
	mute = 1;
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 8; i++)
			pv_gpu_damage(&gpu, shown(0), i % 4 * 200,
			    i / 4 * 150, 40, 40);
		assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence),
		    n < 2 ? 0 : EBUSY);
	}
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	port.po_segsize = 128;
	port_buf_free(buf);
	buf = port_buf_new(8192);
	mute = 1;
	pc = piece(0, 50 * 128);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1, &fence), 0);
	for (i = 0; i < 8; i++)
		pv_gpu_damage(&gpu, shown(0), i % 4 * 200, i / 4 * 150, 40,
		    40);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), EBUSY);
	give_all();
	detach_3d();
}

/* A command that somebody waits for, and no room in the queue. */
static void
a_command_waits_for_room(void **state)
{
	struct pv_piece pc;
	uint64_t fence;

	for (;;) {
		attach_3d(0);
		port.po_segsize = 128;
		port_buf_free(buf);
		buf = port_buf_new(8192);
		pc = piece(0, 61 * 128);
		mute = 1;
		assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1,
		    &fence), 0);
		pc = piece(0, 1);
		while (pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1, &fence) == 0)
			continue;
		if (port.po_tick_arg != NULL)
			break;
		port.po_tick = (void (*)(void *))give_all;
		assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 0, ""), 0);
		detach_3d();
		assert_int_equal(port_check(), 0);
		setup(state);
		port.po_tick_arg = state;
	}
	port.po_tick_arg = NULL;
	assert_int_equal(pv_gpu_ctx_create(&gpu, CTX, 0, ""), ETIMEDOUT);
	assert_int_equal(nbroken, 1);
	detach_3d();
}

static void
a_flush_waits_for_room_in_vain(void **state)
{
	(void)state;
	attach();
	mute = 1;
	while (pv_gpu_flush_begin(&gpu, 0, 0, 1, 1) == 0)
		continue;
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 1, 1), ETIMEDOUT);
	detach();
}

static void
a_queue_too_short_for_a_flip(void **state)
{
	(void)state;
	rig.rg_queues[CONTROLQ].rq_max = 4;
	attach();
	pv_gpu_damage(&gpu, shown(0), 0, 0, 8, 8);
	pv_gpu_damage(&gpu, shown(0), 600, 400, 8, 8);
	assert_int_equal(rectangles(), 1);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 8, 8);
	/* In two parts, then: the second call has no more than it takes. */
	nseen = 0;
	assert_int_equal(pv_gpu_show(&gpu, 0, shown(0), NULL, NULL), EBUSY);
	assert_int_equal(count(0x105), 1);
	assert_int_equal(count(0x103), 0);
	assert_int_equal(pv_gpu_show(&gpu, 0, shown(0), NULL, NULL), 0);
	assert_int_equal(count(0x105), 1);
	assert_int_equal(count(0x103), 1);
	assert_int_equal(count(0x104), 1);
	/* Nor is there room for the first part. */
	mute = 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 8, 8);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), NULL), 0);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 8, 8);
	assert_int_equal(pv_gpu_show(&gpu, 0, shown(0), NULL, NULL), EBUSY);
	give_all();
	/* It was not forgotten. */
	assert_int_equal(rectangles(), 1);
	detach();
	/* One of six takes it whole; a split one can't have that many. */
	setup(state);
	rig.rg_offered |= PV_F_BIT(PV_F_RING_PACKED);
	rig.rg_queues[CONTROLQ].rq_max = 6;
	attach();
	pv_gpu_damage(&gpu, shown(0), 0, 0, 8, 8);
	assert_int_equal(pv_gpu_show(&gpu, 0, shown(0), NULL, NULL),
	    pv_virtio_has(&rig.rg_dev, PV_F_RING_PACKED) ? 0 : EBUSY);
	detach();
}

/* The device has forgotten all of its pixels. */
static void
what_was_not_shown_is_sent_whole_after_a_reset(void **state)
{
	struct pv_gpu_fb *fb;
	const struct seen *s;

	(void)state;
	attach();
	assert_int_equal(pv_gpu_fb_create(&gpu, 300, 200, PV_GPU_B8G8R8X8,
	    &fb), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_show(&gpu, 0, fb, NULL, NULL), 0);
	s = last(0x105);
	assert_non_null(s);
	assert_int_equal(s->w[2], 300);
	assert_int_equal(s->w[3], 200);
	detach();
}

/* Of either kind; a packed ring may have any size. None is waited for in vain. */
static void
a_queue_too_short_for_a_flush(void **state)
{
	unsigned int size, kind;

	(void)state;
	for (kind = 0; kind < 4; kind++)
		for (size = 1; size <= 5; size++) {
			rig_new(&rig, PV_TYPE_GPU);
			rig.rg_notify = notified;
			rig.rg_configlen = 16;
			rig_put32(&rig, 8, 1);
			rig.rg_queues[CONTROLQ].rq_max = size;
			if (kind & 1)
				rig.rg_offered |= PV_F_BIT(PV_F_RING_PACKED);
			if (kind & 2)
				rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
			assert_int_equal(try_attach(), size < 4 ? EINVAL : 0);
			if (size < 4)
				continue;
			pv_gpu_damage(&gpu, shown(0), 0, 0, 8, 8);
			assert_int_equal(rectangles(), 1);
			detach();
		}
}

static void
cursors_and_no_room(void **state)
{
	unsigned int i;

	(void)state;
	rig.rg_queues[CURSORQ].rq_max = 8;
	attach();
	mute = 1;
	for (i = 0; i < 9; i++)
		assert_int_equal(pv_gpu_cursor_move(&gpu, 0, i, i), 0);
	assert_int_equal(count(0x301), 4);
	mute = 0;
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 0), EBUSY);
	give_all();
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 0), 0);
	mute = 1;
	assert_int_equal(pv_gpu_flush_begin(&gpu, 0, 0, 1, 1), 0);
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, image, 0, 0), EIO);
	assert_int_equal(nbroken, 1);
	detach();
}

/* Each of these, to a device that falls silent, and to one that refuses. */
static int
one_of(unsigned int i)
{
	struct pv_gpu_capset cs = { 1, 1, capset_size };
	uint8_t data[100];
	size_t len = sizeof(data);
	unsigned int cache;

	switch (i) {
	case 0:
		return pv_gpu_capset_info(&gpu, 0, &cs);
	case 1:
		return pv_gpu_capset(&gpu, &cs, 1, data, &len);
	case 2:
		return pv_gpu_uuid(&gpu, &res, data);
	case 3:
		return pv_gpu_map_blob(&gpu, &res, 0, &cache);
	case 4:
		return pv_gpu_resource_free(&gpu, &res);
	case 5:
		return pv_gpu_ctx_destroy(&gpu, CTX);
	case 6:
		assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), 0);
		refuse = refuse ? 0x209 : 0;
		mute = refuse == 0;
		return pv_gpu_unmap_blob(&gpu, &res);
	default:
		return -1;
	}
}

static void
silence_and_refusals(void **state)
{
	static const uint32_t types[] = { 0x108, 0x109, 0x10b, 0x208, 0x102,
	    0x201, 0x209 };
	unsigned int i;

	for (i = 0; i < 14; i++) {
		setup(state);
		attach_3d(0);
		assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX,
		    &host_blob, NULL), 0);
		if (i % 2 != 0)
			refuse = types[i / 2];
		else
			mute = i / 2 != 6;
		assert_int_equal(one_of(i / 2), i % 2 != 0 ? EIO : ETIMEDOUT);
		assert_int_equal(nbroken, i % 2 == 0);
		mute = 0;
		nkept = 0;
		detach_3d();
		assert_int_equal(port_check(), 0);
	}
	setup(state);
}

static void
only_a_driven_heads_edid_is_read(void **state)
{
	static const struct {
		unsigned int heads;
		uint32_t width;		/* of the second display */
		unsigned int edids;
	} cases[] = { { 1, 800, 1 }, { 2, 0, 1 }, { 2, 800, 2 } };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		setup(state);
		rig.rg_offered |= G(EDID);
		params.gp_heads = cases[i].heads;
		set_mode(1, cases[i].width, 600);
		assert_int_equal(try_attach(), 0);
		assert_int_equal(count(0x10a), cases[i].edids);
		detach();
	}
}

/* Which is then not asked for the next head's. */
static void
a_device_silent_about_its_edid_is_told_as_such(void **state)
{
	(void)state;
	rig.rg_offered |= G(EDID);
	params.gp_heads = 2;
	set_mode(1, 800, 600);
	mute_from = 0x10a;
	assert_int_equal(try_attach(), ETIMEDOUT);
	assert_int_equal(count(0x10a), 1);
	nkept = 0;
}

/* The next head's success does not hide it. */
static void
a_head_that_is_refused_is_an_error(void **state)
{
	unsigned int i;

	/* The displays; then create, attach, scanout, transfer, flush. */
	for (i = 2; i <= 11; i++) {
		setup(state);
		params.gp_heads = 2;
		set_mode(1, 800, 600);
		refuse_at = i;
		assert_int_equal(try_attach(), EIO);
		/* What was not made is not taken back. */
		assert_int_equal(count(0x102), i != 2 && i != 7);
		assert_int_equal(port_check(), 0);
	}
	/* The displays; then create, attach of both; scanout, transfer, flush. */
	for (i = 2; i <= 11; i++) {
		setup(state);
		params.gp_heads = 2;
		set_mode(1, 800, 600);
		attach();
		assert_int_equal(pv_gpu_stop(&gpu), 0);
		refuse_at = i;
		assert_int_equal(pv_gpu_start(&gpu), EIO);
		detach();
		assert_int_equal(port_check(), 0);
	}
	setup(state);
}

static void
a_restart_tells_of_what_changed_alone(void **state)
{
	static const uint32_t sizes[][2] = { { 640, 480 }, { 800, 480 },
	    { 640, 600 } };
	unsigned int i;

	(void)state;
	params.gp_width = 1024;
	params.gp_height = 768;
	for (i = 0; i < 3; i++) {
		set_mode(0, 640, 480);
		set_mode(1, 800, 600);		/* which nobody drives */
		attach();
		assert_int_equal(pv_gpu_stop(&gpu), 0);
		nchanged = 0;
		set_mode(0, sizes[i][0], sizes[i][1]);
		assert_int_equal(pv_gpu_start(&gpu), 0);
		assert_int_equal(nchanged, i > 0);
		detach();
	}
	/* One that was disabled keeps its size. */
	set_mode(0, 640, 480);
	set_mode(1, 0, 0);
	attach();
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	nchanged = 0;
	modes[0].enabled = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(nchanged, 0);
	detach();
}

static void
the_first_error_of_several_heads_counts(void **state)
{
	(void)state;
	params.gp_heads = 2;
	set_mode(1, 800, 600);
	attach();
	set_mode(0, 1024, 768);
	set_mode(1, 1280, 800);
	refuse = 0x101;
	port.po_fail_one = 1;
	port.po_fail_after = 0;
	assert_int_equal(pv_gpu_changed(&gpu), -ENOMEM);
	assert_int_equal(count(0x101), 1);
	detach();
}

/* It may hold the memory still: no second resource is made of that. */
static void
a_blob_that_is_not_given_back_is_not_made_again(void **state)
{
	(void)state;
	rig.rg_offered |= G(RESOURCE_BLOB);
	port.po_shadow = 1;
	refuse_from = 3;
	assert_int_equal(try_attach(), EIO);
	assert_int_equal(seen[2].type, 0x10d);
	assert_int_equal(count(0x10c), 1);
	assert_int_equal(count(0x101), 0);
}

static void
sixteen_fences_are_remembered(void **state)
{
	uint64_t first, fence;
	unsigned int i;

	(void)state;
	attach();
	for (i = 0; i < 40; i++) {
		pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
		assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
		assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	}
	refuse_at = nseen + 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &first), 0);
	for (i = 0; i < 16; i++) {
		assert_int_equal(pv_gpu_fence_wait(&gpu, first), EIO);
		pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
		assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
		assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	}
	assert_int_equal(pv_gpu_fence(&gpu, first), 0);
	detach();
}

/* Where the ring has room for more. */
static void
jobs_are_sixteen(void **state)
{
	struct pv_piece pc;
	uint64_t fence;
	unsigned int i;

	(void)state;
	rig.rg_queues[CONTROLQ].rq_max = 256;
	attach_3d(0);
	pc = piece(0, 4);
	mute = 1;
	for (i = 0; i < 16; i++)
		assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1,
		    &fence), 0);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, &pc, 1, &fence),
	    EBUSY);
	give_all();
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	detach_3d();
}

static void
commands_of_jobs_are_as_many_as_their_slots(void **state)
{
	unsigned int i, k;
	uint64_t fence;
	int error = 0;

	(void)state;
	rig.rg_queues[CONTROLQ].rq_max = 256;
	rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	attach();
	mute = 1;
	for (i = 0; i < 16 && error == 0; i++) {
		for (k = 0; k < 4; k++)
			pv_gpu_damage(&gpu, shown(0), 100 * k, 100 * k, 5, 5);
		error = pv_gpu_present(&gpu, shown(0), &fence);
	}
	assert_int_equal(error, EBUSY);
	assert_true(nseen <= 32);
	give_all();
	assert_int_equal(pv_gpu_poll(&gpu), 0);
	assert_int_equal(pv_gpu_counters(&gpu)->gc_busy, 1);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	detach();
}

static void
tell_a_lie(void *unused)
{
	(void)unused;
	port.po_tick = NULL;
	rig_give(&rig, CONTROLQ, 63, 24);
}

static void
a_device_that_breaks_is_not_waited_for(void **state)
{
	uint64_t then;

	(void)state;
	callbacks.gc_progress = note_progress;
	attach_3d(0);
	mute = 1;
	port.po_tick = tell_a_lie;
	then = port.po_now_ns;
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), EIO);
	assert_int_equal(nbroken, 1);
	assert_true(port.po_now_ns - then < 1000000000ull);
	/* The lie lies there still. */
	assert_int_equal(pv_gpu_poll(&gpu), EIO);
	detach_3d();
}

static void
what_is_done_is_not_waited_for(void **state)
{
	uint64_t fence, waits;

	(void)state;
	attach();
	mute = 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), &fence), 0);
	give_all();
	waits = pv_gpu_counters(&gpu)->gc_waits;
	assert_int_equal(pv_gpu_fence_wait(&gpu, fence), 0);
	assert_int_equal(pv_gpu_counters(&gpu)->gc_waits, waits);
	detach();
}

static void
what_is_freed_is_no_resource(void **state)
{
	struct pv_piece pc;
	unsigned int cache;

	(void)state;
	attach_3d(0);
	pc = piece(0, 4096);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), 0);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_resource_unback(&gpu, &res), EINVAL);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), 0);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), EINVAL);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), 0);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), 0);
	/* By a reset too. */
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	nseen = 0;
	assert_int_equal(pv_gpu_unmap_blob(&gpu, &res), EINVAL);
	assert_int_equal(nseen, 0);
	detach_3d();
}

static void
a_stopped_device_has_no_features(void **state)
{
	struct pv_gpu_capset cs;
	uint64_t fence;
	struct pv_piece pc;

	(void)state;
	attach_3d(G(RESOURCE_BLOB));
	pc = piece(0, 4);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), ENOTSUP);
	assert_int_equal(nseen, 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), ENXIO);
	assert_int_equal(pv_gpu_capset_info(&gpu, 0, &cs), ENXIO);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, 0, &pc, 1, &fence),
	    ENXIO);
	detach_3d();
}

static void
a_blob_fills_the_region_at_most(void **state)
{
	struct pv_gpu_blob b = host_blob;
	unsigned int cache = 9;

	(void)state;
	attach_3d(0);
	b.b_size = 4 * PAGE_SIZE;
	map_info = PV_GPU_CACHE_WC;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, NULL), 0);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, PAGE_SIZE, &cache),
	    EINVAL);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), 0);
	assert_int_equal(cache, PV_GPU_CACHE_WC);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	b.b_size = 4 * PAGE_SIZE + 1;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &b, NULL), 0);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), EINVAL);
	detach_3d();
}

static void
memory_has_as_many_segments_as_a_list(void **state)
{
	struct pv_piece pc;

	(void)state;
	attach_3d(0);
	port_buf_free(buf);
	port.po_segsize = 1;
	buf = port_buf_new(16385);
	port.po_segsize = 0;
	assert_int_equal(buf->pb_map->dm_nsegs, 16385);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	pc = piece(0, 16385);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EFBIG);
	pc = piece(1, 16384);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), 0);
	assert_int_equal(last(0x106)->w[1], 16384);
	detach_3d();
}

static int
present_two(struct pv_gpu_fb *fb)
{
	uint64_t fence = 7;
	int error;

	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 8);
	pv_gpu_damage(&gpu, shown(0), 2000, 0, 5, 8);
	error = pv_gpu_present(&gpu, shown(0), &fence);
	/* What was taken went to the ring whole. */
	if (error == 0)
		assert_int_equal(pv_virtq_outstanding(
		    rig.rg_dev.vd_queues[CONTROLQ]), count(0x10c) ? 2 : 4);
	if (error)
		return error;
	pv_gpu_damage(&gpu, fb, 0, 0, 5, 8);
	pv_gpu_damage(&gpu, fb, 2000, 0, 5, 8);
	error = pv_gpu_show(&gpu, 1, fb, NULL, &fence);
	return error ? error : pv_gpu_cursor_move(&gpu, 0, 1, 1);
}

/* No job is left that nobody will end, and nothing more is told to it. */
static void
a_device_broken_at_any_moment(void **state)
{
	struct pv_gpu_fb *fb;
	int n, blob, done;

	for (blob = 0; blob < 2; blob++)
		for (n = 1, done = 0; !done; n++) {
			setup(state);
			port.po_shadow = 1;
			if (blob)
				rig.rg_offered |= G(RESOURCE_BLOB);
			syncs_left = 0;
			set_mode(0, 2048, 16);
			attach();
			assert_int_equal(pv_gpu_fb_create(&gpu, 2048, 8,
			    PV_GPU_B8G8R8X8, &fb), 0);
			mute = 1;
			syncs_left = n;
			done = present_two(fb) == 0 && syncs_left > 0;
			assert_int_equal(nbroken, !done);
			if (!done) {
				assert_int_equal(present_two(fb), EIO);
				assert_int_equal(pv_gpu_poll(&gpu), EIO);
				assert_true(pv_gpu_flush_end(&gpu) != EAGAIN);
			}
			detach();
			assert_int_equal(port_check(), 0);
			assert_true(n < 200);
		}
	setup(state);
}

static void
a_move_for_a_head_that_is_gone(void **state)
{
	unsigned int i;

	(void)state;
	rig.rg_queues[CURSORQ].rq_max = 8;
	attach();
	mute = 1;
	for (i = 0; i < 5; i++)
		assert_int_equal(pv_gpu_cursor_move(&gpu, 2, i, i), 0);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	nkept = 0;
	mute = 0;
	rig_put32(&rig, 8, 2);
	nseen = 0;
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 1, 1), 0);
	assert_int_equal(count(0x301), 1);
	assert_int_equal(last(0x301)->w[0], 0);
	detach();
}

static uint64_t answer_at;

static void
answer_late(void *unused)
{
	(void)unused;
	if (port.po_now_ns >= answer_at && nkept > 0)
		give_kept(0);
}

/* What the host does in a tenth of a millisecond is not waited for for two. */
static void
quick_answers_are_looked_for_often(void **state)
{
	uint64_t then;

	(void)state;
	attach_3d(0);
	mute = 1;
	then = port.po_now_ns;
	answer_at = then + 100000;
	port.po_tick = answer_late;
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	assert_true(port.po_now_ns - then < 110000);
	port.po_tick = NULL;
	detach_3d();
}

/* Where nobody is told of progress, no interrupt is asked for. */
static void
nobody_is_interrupted_for_nothing(void **state)
{
	unsigned int told;
	uint8_t flags[2];

	for (told = 0; told < 2; told++) {
		setup(state);
		if (told)
			callbacks.gc_progress = note_progress;
		attach();
		assert_int_equal(pv_gpu_poll(&gpu), 0);
		assert_int_equal(port_dma_read(rig.rg_queues[CONTROLQ]
		    .rq_place.qp_driver, flags, 2), 0);
		assert_int_equal(flags[0], !told);
		detach();
	}
}

/* Without a word that the device lets go of it, nothing is taken back. */
static void
a_stop_that_is_not_confirmed_takes_nothing(void **state)
{
	(void)state;
	port.po_shadow = 1;
	syncs_left = 0;
	attach();
	mute = 1;
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), NULL), 0);
	nposts = 0;
	rig.rg_stuck = 1;
	assert_int_equal(pv_gpu_stop(&gpu), ETIMEDOUT);
	assert_int_equal(nposts, 0);
	assert_int_equal(pv_gpu_detach(&gpu), ETIMEDOUT);
	assert_int_equal(port_check_rules(), 0);
	nkept = 0;
	setup(state);
}

/* Commands with an answer to come, one with a list of its own, the cursor's. */
static void
stop_without_a_word(void)
{
	uint32_t pixels[PV_GPU_CURSOR_SIZE * PV_GPU_CURSOR_SIZE] = { 0 };
	struct pv_gpu_fb *fb;

	attach();
	assert_int_equal(pv_gpu_cursor_set(&gpu, 0, pixels, 0, 0), 0);
	mute = 1;
	assert_int_equal(pv_gpu_cursor_move(&gpu, 0, 1, 1), 0);
	pv_gpu_damage(&gpu, shown(0), 0, 0, 5, 5);
	assert_int_equal(pv_gpu_present(&gpu, shown(0), NULL), 0);
	mute = 0;
	mute_from = 0x106;
	assert_int_equal(pv_gpu_fb_create(&gpu, 8, 8, PV_GPU_R8G8B8X8, &fb),
	    ETIMEDOUT);
	rig.rg_stuck = 1;
	assert_int_equal(pv_gpu_stop(&gpu), ETIMEDOUT);
	rig.rg_stuck = 0;
	mute = 0;
	mute_from = 0;
	nkept = 0;
}

static void
a_reset_confirmed_at_last_gives_back_what_one_did_not(void **state)
{
	(void)state;
	stop_without_a_word();
	detach();
}

static void
a_start_after_a_reset_confirmed_at_last(void **state)
{
	(void)state;
	stop_without_a_word();
	assert_int_equal(pv_gpu_start(&gpu), EIO);
	assert_int_equal(pv_gpu_stop(&gpu), 0);
	assert_int_equal(pv_gpu_start(&gpu), 0);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 5, 5), 0);
	detach();
}

/* As a stream's length is told in 32 bits. */
static void
streams_that_are_too_long(void **state)
{
	struct pv_piece pieces[2];
	uint64_t fence;
	bus_size_t len = 0x80000000u, was;

	(void)state;
	if (getenv("PARAVANE_BENCH") != NULL)
		return;			/* which knows what is in the map */
	attach_3d(0);
	was = buf->pb_map->dm_mapsize;
	buf->pb_map->dm_mapsize = len;
	buf->pb_map->dm_segs[0].ds_len = len;
	mute = 1;
	pieces[0] = pieces[1] = piece(0, len);
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, pieces, 2, &fence),
	    EINVAL);
	assert_int_equal(nkept, 0);
	pieces[1].pc_len--;
	assert_int_equal(pv_gpu_submit_3d(&gpu, CTX, -1, pieces, 2, &fence),
	    0);
	assert_int_equal(seen[0].w[0], UINT32_MAX);
	detach();
	buf->pb_map->dm_mapsize = was;
	buf->pb_map->dm_segs[0].ds_len = was;
	port_buf_free(buf);
}

/* There is no list of memory that the device could be reading still. */
static void
hostile_silence_about_a_blob_without_memory(void **state)
{
	(void)state;
	attach_3d(0);
	mute = 1;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), ETIMEDOUT);
	assert_int_equal(nbroken, 1);
	detach_3d();
}

/* A host may refuse to show one: that is seen, and there is none then. */
static void
a_blob_is_waited_for_even_so(void **state)
{
	struct pv_gpu_geometry gg;
	unsigned int refused;

	for (refused = 0; refused < 2; refused++) {
		setup(state);
		params.gp_nowait = 1;
		rig.rg_offered |= G(RESOURCE_BLOB);
		refuse = refused ? 0x104 : 0;
		assert_int_equal(try_attach(), 0);
		pv_gpu_geometry(&gpu, &gg);
		assert_int_equal(gg.gg_blob, !refused);
		detach();
	}
}

/* A device that breaks says nothing of blobs: it has them after a reset. */
static void
a_break_is_no_word_about_blobs(void **state)
{
	struct pv_gpu_geometry gg;
	unsigned int k;

	for (k = 1; k < 8; k++) {
		setup(state);
		rig.rg_offered |= G(RESOURCE_BLOB);
		assert_int_equal(try_attach(), 0);
		set_mode(0, 800, 600);
		break_at = nseen + k;
		pv_gpu_changed(&gpu);
		break_at = 0;
		assert_int_equal(pv_gpu_stop(&gpu), 0);
		assert_int_equal(pv_gpu_start(&gpu), 0);
		set_mode(0, 1024, 768);
		assert_int_equal(pv_gpu_changed(&gpu), 1);
		pv_gpu_geometry(&gpu, &gg);
		assert_true(gg.gg_blob);
		detach();
	}
}

/* The one head stays until there is another to look at. */
static void
a_head_that_can_not_follow_leaves_the_other(void **state)
{
	struct pv_gpu_geometry gg;

	setup(state);
	assert_int_equal(try_attach(), 0);
	modes[0].enabled = 0;
	set_mode(1, 800, 600);
	refuse = 0x101;
	assert_true(pv_gpu_changed(&gpu) < 0);
	pv_gpu_geometry(&gpu, &gg);
	assert_int_equal(gg.gg_width, 640);
	assert_int_equal(pv_gpu_flush(&gpu, 0, 0, 10, 10), 0);
	refuse = 0;
	assert_int_equal(pv_gpu_changed(&gpu), 1);
	pv_gpu_geometry(&gpu, &gg);
	assert_int_equal(gg.gg_width, 800);
	detach();
}

static void
blobs_that_are_none(void **state)
{
	const struct pv_gpu_blob ours = { PV_GPU_BLOB_GUEST, 0, 0, 4096 };
	struct pv_piece pc;
	unsigned int cache;

	(void)state;
	attach_3d(0);
	assert_int_equal(pv_gpu_unmap_blob(&gpu, &res), EINVAL);
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	assert_int_equal(pv_gpu_map_blob(&gpu, &res, 0, &cache), EINVAL);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &host_blob,
	    NULL), 0);
	pc = piece(0, 4096);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), EINVAL);
	assert_int_equal(pv_gpu_resource_free(&gpu, &res), 0);
	refuse = 0x10c;
	assert_int_equal(pv_gpu_resource_blob(&gpu, &res, CTX, &ours, &pc),
	    EIO);
	assert_int_equal(pv_gpu_resource_id(&res), 0);
	refuse = 0x107;
	assert_int_equal(pv_gpu_resource_3d(&gpu, &res, CTX, &texture), 0);
	assert_int_equal(pv_gpu_resource_back(&gpu, &res, &pc), 0);
	assert_int_equal(pv_gpu_resource_unback(&gpu, &res), EIO);
	refuse = 0;
	assert_int_equal(pv_gpu_resource_unback(&gpu, &res), 0);
	detach_3d();
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(as_many_flushes_as_there_is_room_for),
		T(a_flush_waits_for_room),
		T(a_refusal_is_that_flushes_own),
		T(silence_ends_all_that_is_under_way),
		T(a_stop_ends_all_that_is_under_way),
		T(the_port_is_told_when_to_look),
		T(damage_joins_where_that_is_cheaper),
		T(damage_has_an_end),
		T(damage_outside_is_none),
		T(a_short_queue_takes_less_at_once),
		T(each_head_has_a_framebuffer),
		T(heads_come_and_go),
		T(the_only_head_is_suspended),
		T(heads_without_memory),
		T(heads_that_changed_while_stopped),
		T(framebuffers_have_limits),
		T(a_framebuffer_that_can_not_be_made),
		T(what_is_not_shown_is_not_flushed),
		T(a_flip_is_one_doorbell),
		T(what_lies_beyond_a_framebuffer_is_not_shown),
		T(a_change_leaves_the_port_s_framebuffer),
		T(a_head_that_is_turned_off_stays_so),
		T(mirrors_follow),
		T(mirrors_follow_later),
		T(pages_of_a_ports_framebuffer),
		T(a_blob_is_shown_where_it_lies),
		T(a_device_that_will_have_no_blobs),
		T(hostile_blob),
		T(a_command_without_an_answer_stays_as_it_is),
		T(a_cursor_is_sent_before_it_is_named),
		T(cursors_have_limits),
		T(a_missed_doorbell_for_a_cursor_is_rung_again),
		T(the_last_move_counts),
		T(a_moved_cursor_is_still_named),
		T(cursors_without_a_word),
		T(hostile_cursor_answers),
		T(cursors_outlive_a_reset),
		T(a_cursor_that_can_not_be_made),
		T(rendering_is_asked_for),
		T(capability_sets),
		T(contexts),
		T(resources_and_their_memory),
		T(memory_that_can_not_be_lent),
		T(several_resources_go_in_any_order),
		T(blobs_have_limits),
		T(blobs_without_a_renderer),
		T(a_blob_of_four_gigabytes_is_listed_whole),
		T(blobs_in_the_region),
		T(no_region_is_made_up),
		T(streams_by_ring),
		T(streams_are_judged),
		T(streams_and_no_room),
		T(rings_without_contexts),
		T(transfers_both_ways),
		T(hostile_silence),
		T(several_heads_fail_or_not),
		T(mirrors_of_a_device_that_breaks),
		T(heads_given_up_by_a_device_that_breaks),
		T(heads_that_a_device_no_longer_has),
		T(nobody_listens),
		T(room_of_slots_and_of_descriptors),
		T(a_command_waits_for_room),
		T(a_flush_waits_for_room_in_vain),
		T(a_queue_too_short_for_a_flip),
		T(what_was_not_shown_is_sent_whole_after_a_reset),
		T(a_queue_too_short_for_a_flush),
		T(cursors_and_no_room),
		T(silence_and_refusals),
		T(only_a_driven_heads_edid_is_read),
		T(a_device_silent_about_its_edid_is_told_as_such),
		T(a_head_that_is_refused_is_an_error),
		T(a_restart_tells_of_what_changed_alone),
		T(the_first_error_of_several_heads_counts),
		T(a_blob_that_is_not_given_back_is_not_made_again),
		T(sixteen_fences_are_remembered),
		T(jobs_are_sixteen),
		T(commands_of_jobs_are_as_many_as_their_slots),
		T(a_device_that_breaks_is_not_waited_for),
		T(what_is_done_is_not_waited_for),
		T(what_is_freed_is_no_resource),
		T(a_stopped_device_has_no_features),
		T(a_blob_fills_the_region_at_most),
		T(memory_has_as_many_segments_as_a_list),
		T(a_device_broken_at_any_moment),
		T(a_move_for_a_head_that_is_gone),
		T(quick_answers_are_looked_for_often),
		T(nobody_is_interrupted_for_nothing),
		T(a_stop_that_is_not_confirmed_takes_nothing),
		T(a_reset_confirmed_at_last_gives_back_what_one_did_not),
		T(a_start_after_a_reset_confirmed_at_last),
		T(streams_that_are_too_long),
		T(hostile_silence_about_a_blob_without_memory),
		T(a_blob_is_waited_for_even_so),
		T(a_break_is_no_word_about_blobs),
		T(a_head_that_can_not_follow_leaves_the_other),
		T(blobs_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
