/* SPDX-License-Identifier: ISC */
/*
 * What was drawn, on its way to the screen: damage, flushes, flips.
 */
#include "gpuvar.h"

/*
 * Two rectangles are flushed as one where that adds no more pixels than this:
 * about what two more commands cost.
 */
#define GPU_MERGE_PIXELS	4096u

/* Damage */

static uint64_t
area(const struct pv_gpu_rect *r)
{
	return (uint64_t)r->w * r->h;
}

static uint32_t
max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t
min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static struct pv_gpu_rect
both(const struct pv_gpu_rect *a, const struct pv_gpu_rect *b)
{
	struct pv_gpu_rect r;

	r.x = min32(a->x, b->x);
	r.y = min32(a->y, b->y);
	r.w = max32(a->x + a->w, b->x + b->w) - r.x;
	r.h = max32(a->y + a->h, b->y + b->h) - r.y;
	return r;
}

/* What flushing both as one costs, in pixels that neither has. */
static uint64_t
waste(const struct pv_gpu_rect *a, const struct pv_gpu_rect *b)
{
	struct pv_gpu_rect r = both(a, b);
	uint64_t one = area(&r), two = area(a) + area(b);

	return one > two ? one - two : 0;
}

/* Of the rectangles the one that joins r at the least waste. */
static unsigned int
nearest(const struct gpu_damage *gd, const struct pv_gpu_rect *r)
{
	unsigned int i, best = 0;

	for (i = 1; i < gd->gd_n; i++)
		if (waste(&gd->gd_rects[i], r) <
		    waste(&gd->gd_rects[best], r))
			best = i;
	return best;
}

void
gpu_damage_add(struct gpu_damage *gd, const struct pv_gpu_rect *rect,
    unsigned int most, uint64_t *merged)
{
	struct pv_gpu_rect r = *rect;
	unsigned int i;

	while (gd->gd_n > 0) {
		i = nearest(gd, &r);
		if (gd->gd_n < most &&
		    waste(&gd->gd_rects[i], &r) > GPU_MERGE_PIXELS)
			break;
		r = both(&gd->gd_rects[i], &r);
		gd->gd_rects[i] = gd->gd_rects[--gd->gd_n];
		(*merged)++;
	}
	gd->gd_rects[gd->gd_n++] = r;
}

/* As many rectangles as the queue can take at once, with a flip. */
static unsigned int
gpu_most_rects(const struct pv_gpu *sc)
{
	unsigned int n = pv_virtq_size(sc->sc_ctrlq) / 4;

	return n <= 1 ? 1 : n - 1 < GPU_NRECTS ? n - 1 : GPU_NRECTS;
}

/* Clip to the framebuffer; 0: nothing is left. */
static int
gpu_clip(const struct pv_gpu_fb *fb, struct pv_gpu_rect *r)
{
	if (r->x >= fb->fb_width || r->y >= fb->fb_height)
		return 0;
	r->w = min32(r->w, fb->fb_width - r->x);
	r->h = min32(r->h, fb->fb_height - r->y);
	return r->w > 0 && r->h > 0;
}

void
pv_gpu_damage(struct pv_gpu *sc, struct pv_gpu_fb *fb, unsigned int x,
    unsigned int y, unsigned int w, unsigned int h)
{
	struct pv_gpu_rect r = { x, y, w, h };

	if (sc->sc_running && gpu_clip(fb, &r))
		gpu_damage_add(&fb->fb_damage, &r, gpu_most_rects(sc),
		    &sc->sc_counters.gc_merged);
}

/* Commands */

static void
gpu_put_rect(uint8_t *p, const struct pv_gpu_rect *rect)
{
	pv_dev_put32(p + GPU_RECT_X, rect->x);
	pv_dev_put32(p + GPU_RECT_Y, rect->y);
	pv_dev_put32(p + GPU_RECT_WIDTH, rect->w);
	pv_dev_put32(p + GPU_RECT_HEIGHT, rect->h);
}

uint32_t
gpu_scanout_command(const struct pv_gpu_fb *fb)
{
	return fb != NULL && fb->fb_blob ? GPU_CMD_SET_SCANOUT_BLOB :
	    GPU_CMD_SET_SCANOUT;
}

uint32_t
gpu_put_scanout(uint8_t *p, unsigned int head, const struct pv_gpu_fb *fb,
    const struct pv_gpu_rect *rect)
{
	pv_dev_put32(p + GPU_SCANOUT_ID, head);
	if (fb == NULL)
		return GPU_SCANOUT_LEN;
	gpu_put_rect(p + GPU_SCANOUT_RECT, rect);
	pv_dev_put32(p + GPU_SCANOUT_RESOURCE, fb->fb_resource);
	if (!fb->fb_blob)
		return GPU_SCANOUT_LEN;
	pv_dev_put32(p + GPU_SCANOUT_BLOB_WIDTH, fb->fb_width);
	pv_dev_put32(p + GPU_SCANOUT_BLOB_HEIGHT, fb->fb_height);
	pv_dev_put32(p + GPU_SCANOUT_BLOB_FORMAT, fb->fb_format);
	pv_dev_put32(p + GPU_SCANOUT_BLOB_STRIDE, fb_stride(fb));
	return GPU_SCANOUT_BLOB_LEN;
}

int
gpu_set_scanout(struct pv_gpu *sc, unsigned int head, struct pv_gpu_fb *fb,
    const struct pv_gpu_rect *rect)
{
	uint8_t *p = gpu_begin_command(sc, gpu_scanout_command(fb));

	return gpu_simple(sc, gpu_put_scanout(p, head, fb, rect), NULL);
}

/* The rows of a rectangle are the device's from here on. */
static bus_size_t
gpu_sync_rows(struct pv_gpu_fb *fb, struct gpu_slot *slot,
    const struct pv_gpu_rect *r)
{
	slot->gs_fb = fb;
	slot->gs_syncoff = (bus_size_t)r->y * fb_stride(fb) + r->x * 4;
	slot->gs_synclen = (bus_size_t)(r->h - 1) * fb_stride(fb) + r->w * 4;
	pv_dmamem_sync(&fb->fb_dma, slot->gs_syncoff, slot->gs_synclen,
	    BUS_DMASYNC_PREWRITE);
	return slot->gs_syncoff;
}

static int
gpu_send_transfer(struct pv_gpu *sc, struct gpu_job *job, struct pv_gpu_fb *fb,
    const struct pv_gpu_rect *rect)
{
	struct gpu_slot *slot;
	uint8_t *p;

	slot = gpu_job_slot(sc, job, GPU_CMD_TRANSFER_TO_HOST_2D, &p);
	gpu_put_rect(p + GPU_TRANSFER_RECT, rect);
	pv_dev_put64(p + GPU_TRANSFER_OFFSET, gpu_sync_rows(fb, slot, rect));
	pv_dev_put32(p + GPU_TRANSFER_RESOURCE, fb->fb_resource);
	return gpu_job_enqueue(sc, slot, GPU_TRANSFER_LEN, NULL, 0);
}

static int
gpu_send_flush(struct pv_gpu *sc, struct gpu_job *job, struct pv_gpu_fb *fb,
    const struct pv_gpu_rect *rect)
{
	struct gpu_slot *slot;
	uint8_t *p;

	slot = gpu_job_slot(sc, job, GPU_CMD_RESOURCE_FLUSH, &p);
	if (fb->fb_blob)
		gpu_sync_rows(fb, slot, rect);
	gpu_put_rect(p + GPU_FLUSH_RECT, rect);
	pv_dev_put32(p + GPU_FLUSH_RESOURCE, fb->fb_resource);
	return gpu_job_enqueue(sc, slot, GPU_FLUSH_LEN, NULL, 0);
}

static int
gpu_send_scanout(struct pv_gpu *sc, struct gpu_job *job, unsigned int head,
    struct pv_gpu_fb *fb, const struct pv_gpu_rect *rect)
{
	struct gpu_slot *slot;
	uint32_t len;
	uint8_t *p;

	slot = gpu_job_slot(sc, job, gpu_scanout_command(fb), &p);
	len = gpu_put_scanout(p, head, fb, rect);
	return gpu_job_enqueue(sc, slot, len, NULL, 0);
}

/* Each rectangle's pair of commands; they are done in order. */
static int
gpu_send_damage(struct pv_gpu *sc, struct gpu_job *job, struct pv_gpu_fb *fb,
    int flush)
{
	const struct pv_gpu_rect *r = fb->fb_damage.gd_rects;
	unsigned int i;
	int error = 0;

	for (i = 0; error == 0 && i < fb->fb_damage.gd_n; i++, r++) {
		if (!fb->fb_blob)
			error = gpu_send_transfer(sc, job, fb, r);
		if (error == 0 && flush)
			error = gpu_send_flush(sc, job, fb, r);
		sc->sc_counters.gc_pixels += area(r);
	}
	return error;
}

/* How many commands gpu_send_damage sends. */
static unsigned int
gpu_ncommands(const struct pv_gpu_fb *fb, int flush)
{
	unsigned int each = (fb->fb_blob ? 0u : 1u) + (flush ? 1u : 0u);

	return fb->fb_damage.gd_n * each;
}

/* Whether a head shows it: 0 none, 1 one that the host looks at, -1 not so. */
static int
gpu_seen(const struct pv_gpu *sc, const struct pv_gpu_fb *fb)
{
	const struct pv_gpu_head *head = sc->sc_heads;
	int seen = 0;

	for (; head < sc->sc_heads + sc->sc_nscanouts; head++) {
		if (head->gh_shown != fb)
			continue;
		if (!head->gh_suspended)
			return 1;
		seen = -1;
	}
	return seen;
}

/* EBUSY keeps the damage; other errors are of devices that are broken. */
static int
gpu_present(struct pv_gpu *sc, struct pv_gpu_fb *fb, int seen, uint64_t *fence)
{
	struct gpu_job *job;
	unsigned int n = gpu_ncommands(fb, seen);
	int error;

	*fence = 0;
	if (seen < 0 || n == 0) {
		fb->fb_damage.gd_n = 0;
		return gpu_poll(sc);
	}
	error = gpu_job_begin(sc, n, &job);
	if (error)
		return error;
	if (gpu_send_damage(sc, job, fb, seen))
		return gpu_job_broken(sc, job);
	fb->fb_damage.gd_n = 0;
	gpu_job_send(sc, job, GPU_TIMEOUT_NS, fence);
	sc->sc_counters.gc_flushes++;
	return 0;
}

int
pv_gpu_present(struct pv_gpu *sc, struct pv_gpu_fb *fb, uint64_t *fence)
{
	uint64_t mine;
	int error;

	if (!sc->sc_running)
		return ENXIO;
	error = gpu_present(sc, fb, gpu_seen(sc, fb), &mine);
	if (fence != NULL)
		*fence = mine;
	return error;
}

/* Flushes of the primary head */

static int
gpu_flush_begin(struct pv_gpu *sc, const struct pv_gpu_rect *rect,
    uint64_t *fence)
{
	struct pv_gpu_fb *fb = gpu_primary_fb(sc);

	pv_gpu_damage(sc, fb, rect->x, rect->y, rect->w, rect->h);
	return gpu_present(sc, fb, gpu_seen(sc, fb), fence);
}

/* Wait for room. */
static int
gpu_present_wait(struct pv_gpu *sc, struct pv_gpu_fb *fb, int seen,
    uint64_t *fence)
{
	int error;

	while ((error = gpu_present(sc, fb, seen, fence)) == EBUSY) {
		error = gpu_wait_jobs(sc);
		if (error)
			return error;
	}
	return error;
}

/* And for the end; what was under way before is none of ours. */
static int
gpu_flush_wait(struct pv_gpu *sc, struct pv_gpu_fb *fb, int seen)
{
	uint64_t fence;
	int error;

	error = gpu_present_wait(sc, fb, seen, &fence);
	return error ? error : pv_gpu_fence_wait(sc, fence);
}

void
gpu_damage_whole(struct pv_gpu_fb *fb)
{
	const struct pv_gpu_rect whole = { 0, 0, fb->fb_width, fb->fb_height };

	fb->fb_damage.gd_n = 1;
	fb->fb_damage.gd_rects[0] = whole;
}

int
gpu_flush_whole(struct pv_gpu *sc, struct pv_gpu_fb *fb, int wait)
{
	uint64_t fence;

	gpu_damage_whole(fb);
	return wait ? gpu_flush_wait(sc, fb, 1) :
	    gpu_present_wait(sc, fb, 1, &fence);
}

int
pv_gpu_flush_begin(struct pv_gpu *sc, unsigned int x, unsigned int y,
    unsigned int w, unsigned int h)
{
	const struct pv_gpu_rect rect = { x, y, w, h };
	uint64_t fence;

	if (!sc->sc_running)
		return ENXIO;
	return gpu_flush_begin(sc, &rect, &fence);
}

int
pv_gpu_flush_end(struct pv_gpu *sc)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;
	int error;

	if (!sc->sc_running)
		return ENXIO;
	gpu_poll(sc);
	if (cmds->gc_njobs > 0)
		return EAGAIN;
	error = cmds->gc_error;
	cmds->gc_error = 0;
	return error;
}

int
pv_gpu_flush(struct pv_gpu *sc, unsigned int x, unsigned int y,
    unsigned int w, unsigned int h)
{
	struct pv_gpu_fb *fb = gpu_primary_fb(sc);

	if (!sc->sc_running)
		return ENXIO;
	pv_gpu_damage(sc, fb, x, y, w, h);
	return gpu_flush_wait(sc, fb, gpu_seen(sc, fb));
}

/* Flips */

static int
gpu_rect_inside(const struct pv_gpu_fb *fb, const struct pv_gpu_rect *r)
{
	return r->w > 0 && r->h > 0 && r->w <= fb->fb_width &&
	    r->h <= fb->fb_height && r->x <= fb->fb_width - r->w &&
	    r->y <= fb->fb_height - r->h;
}

static int
gpu_flip(struct pv_gpu *sc, unsigned int head, struct pv_gpu_fb *fb,
    const struct pv_gpu_rect *rect, uint64_t *fence)
{
	unsigned int n = fb == NULL ? 1 : gpu_ncommands(fb, 0) + 2;
	struct gpu_job *job;
	uint64_t first;
	int error;

	/* A ring that is too short for all of it gets the transfer before. */
	if (2 * n > pv_virtq_size(sc->sc_ctrlq)) {
		error = gpu_present(sc, fb, 0, &first);
		return error ? error : EBUSY;
	}
	error = gpu_job_begin(sc, n, &job);
	if (error)
		return error;
	if (fb != NULL)
		error = gpu_send_damage(sc, job, fb, 0);
	if (error == 0)
		error = gpu_send_scanout(sc, job, head, fb, rect);
	if (error == 0 && fb != NULL)
		error = gpu_send_flush(sc, job, fb, rect);
	if (error)
		return gpu_job_broken(sc, job);
	if (fb != NULL)
		fb->fb_damage.gd_n = 0;
	gpu_job_send(sc, job, GPU_TIMEOUT_NS, fence);
	return 0;
}

int
pv_gpu_show(struct pv_gpu *sc, unsigned int head, struct pv_gpu_fb *fb,
    const struct pv_gpu_rect *rect, uint64_t *fence)
{
	struct pv_gpu_rect whole = { 0, 0, 0, 0 };
	int error;

	if (!sc->sc_running)
		return ENXIO;
	if (head >= sc->sc_nscanouts)
		return ERANGE;
	if (rect == NULL) {
		whole.w = fb == NULL ? 0 : fb->fb_width;
		whole.h = fb == NULL ? 0 : fb->fb_height;
		rect = &whole;
	} else if (fb == NULL || !gpu_rect_inside(fb, rect))
		return EINVAL;
	error = gpu_flip(sc, head, fb, rect, fence);
	if (error)
		return error;
	sc->sc_heads[head].gh_shown = fb;
	sc->sc_heads[head].gh_rect = *rect;
	sc->sc_counters.gc_flips++;
	return 0;
}
