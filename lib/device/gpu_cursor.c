/* SPDX-License-Identifier: ISC */
/*
 * The cursor: one image, which heads show where they are told (Device
 * Operation: cursorq). Nobody waits for that queue; a move that finds it full
 * is done by the next call.
 */
#include "gpuvar.h"

int
gpu_alloc_cursorq(struct pv_gpu *sc)
{
	/* Without a cursor queue one host never shows a picture. */
	const struct pv_virtq_params cursor = {
		.vp_name = "cursor",
		.vp_size = GPU_CURSOR_QUEUE,
		.vp_maxpieces = 2,
		.vp_maxsegs = 2,
		.vp_policy = PV_VIRTQ_CLAMP,
	};

	return pv_dev_queue(sc->sc_dev, GPU_CURSORQ, &cursor, &sc->sc_cursorq);
}

/* One host answers these commands with no byte at all. */
static int
gpu_cursor_poll(struct pv_gpu *sc)
{
	struct gpu_slot *slot;
	struct pv_used used;
	int error;

	while ((error = pv_virtq_dequeue(sc->sc_cursorq, &used)) == 0) {
		slot = used.us_cookie;
		slot->gs_answerlen = used.us_len;
		slot->gs_state = SLOT_FREE;
		if (used.us_len > 0)
			gpu_answer(sc, slot, GPU_RESP_OK_NODATA, GPU_HDRLEN,
			    NULL);
	}
	(void)pv_virtq_stalled_ns(sc->sc_cursorq);
	return error == EAGAIN ? 0 : error;
}

static struct gpu_slot *
gpu_cursor_slot(struct pv_gpu *sc)
{
	struct gpu_slot *slot = &sc->sc_cmds->gc_slots[GPU_SLOT_CURSOR];
	unsigned int i;

	for (i = 0; i < GPU_NCURSORSLOTS; i++, slot++)
		if (slot->gs_state == SLOT_FREE)
			return slot;
	return NULL;
}

static int
gpu_cursor_send(struct pv_gpu *sc, unsigned int i, uint32_t command,
    uint32_t resource)
{
	const struct pv_dmamem *dma = &sc->sc_cmds->gc_dma;
	const struct pv_gpu_head *head = &sc->sc_heads[i];
	struct gpu_slot *slot = gpu_cursor_slot(sc);
	struct pv_piece pieces[2];
	uint8_t *p;
	int error;

	if (slot == NULL)
		return EBUSY;
	p = gpu_begin(sc, slot, command);
	pv_dev_put32(p + GPU_CURSOR_SCANOUT, i);
	pv_dev_put32(p + GPU_CURSOR_X, head->gh_x);
	pv_dev_put32(p + GPU_CURSOR_Y, head->gh_y);
	pv_dev_put32(p + GPU_CURSOR_RESOURCE, resource);
	pv_dev_put32(p + GPU_CURSOR_HOT_X, head->gh_hot_x);
	pv_dev_put32(p + GPU_CURSOR_HOT_Y, head->gh_hot_y);
	pieces[0] = pv_dev_piece(dma, slot->gs_off, GPU_CURSOR_LEN);
	pieces[1] = pv_dev_piece(dma, slot->gs_answer, GPU_HDRLEN);
	error = pv_virtq_enqueue(sc->sc_cursorq, pieces, 1, 1, slot);
	if (error)
		return error == ENOBUFS ? EBUSY : error;
	slot->gs_state = SLOT_SENT;
	pv_virtq_publish(sc->sc_cursorq);
	sc->sc_counters.gc_commands++;
	return 0;
}

/* The image that a head shows. QEMU shows none where a move names none. */
static uint32_t
gpu_cursor_shown(const struct pv_gpu *sc, const struct pv_gpu_head *head)
{
	return head->gh_cursor ? sc->sc_cursor->fb_resource : 0;
}

/* What there was no room for. */
static int
gpu_cursor_catch_up(struct pv_gpu *sc)
{
	struct pv_gpu_head *head = sc->sc_heads;
	unsigned int i;
	int error;

	error = gpu_cursor_poll(sc);
	for (i = 0; error == 0 && i < sc->sc_nscanouts; i++, head++) {
		if (!head->gh_move)
			continue;
		error = gpu_cursor_send(sc, i, GPU_CMD_MOVE_CURSOR,
		    gpu_cursor_shown(sc, head));
		if (error == 0)
			head->gh_move = 0;
	}
	return error == EBUSY ? 0 : error;
}

static int
gpu_cursor_ready(struct pv_gpu *sc, unsigned int head)
{
	if (!sc->sc_running)
		return ENXIO;
	if (head >= sc->sc_nscanouts)
		return ERANGE;
	return gpu_cursor_catch_up(sc);
}

static int
gpu_cursor_image(struct pv_gpu *sc)
{
	struct pv_gpu_fb *fb;
	int error;

	if (sc->sc_cursor != NULL)
		return 0;
	error = fb_alloc(sc, PV_GPU_CURSOR_SIZE, PV_GPU_CURSOR_SIZE,
	    PV_GPU_B8G8R8A8, 0, &fb);
	if (error)
		return error;
	fb->fb_copied = 1;
	error = gpu_make(sc, fb);
	if (error) {
		gpu_unshare(sc, fb);
		gpu_retire(sc, fb);
		gpu_reap(sc);
		return error;
	}
	sc->sc_cursor = fb;
	return 0;
}

/* The image is on the device before it is named. */
static int
gpu_cursor_transfer(struct pv_gpu *sc)
{
	uint64_t fence;
	int error;

	gpu_wait_jobs(sc);
	pv_gpu_damage(sc, sc->sc_cursor, 0, 0, PV_GPU_CURSOR_SIZE,
	    PV_GPU_CURSOR_SIZE);
	error = pv_gpu_present(sc, sc->sc_cursor, &fence);
	return error ? error : pv_gpu_fence_wait(sc, fence);
}

int
pv_gpu_cursor_set(struct pv_gpu *sc, unsigned int i, const uint32_t *pixels,
    unsigned int hot_x, unsigned int hot_y)
{
	struct pv_gpu_head *head;
	unsigned int n;
	uint8_t *p;
	int error;

	error = gpu_cursor_ready(sc, i);
	if (error)
		return error;
	if (hot_x >= PV_GPU_CURSOR_SIZE || hot_y >= PV_GPU_CURSOR_SIZE)
		return EINVAL;
	error = gpu_cursor_image(sc);
	if (error)
		return error;
	p = pv_gpu_fb_kva(sc->sc_cursor);
	for (n = 0; n < PV_GPU_CURSOR_SIZE * PV_GPU_CURSOR_SIZE; n++)
		pv_dev_put32(p + 4 * n, pixels[n]);
	error = gpu_cursor_transfer(sc);
	if (error)
		return error;
	head = &sc->sc_heads[i];
	head->gh_hot_x = hot_x;
	head->gh_hot_y = hot_y;
	error = gpu_cursor_send(sc, i, GPU_CMD_UPDATE_CURSOR,
	    sc->sc_cursor->fb_resource);
	if (error == 0) {
		head->gh_cursor = 1;
		head->gh_move = 0;
	}
	return error;
}

int
pv_gpu_cursor_move(struct pv_gpu *sc, unsigned int i, uint32_t x, uint32_t y)
{
	struct pv_gpu_head *head;

	if (!sc->sc_running)
		return ENXIO;
	if (i >= sc->sc_nscanouts)
		return ERANGE;
	head = &sc->sc_heads[i];
	head->gh_x = x;
	head->gh_y = y;
	head->gh_move = 1;
	sc->sc_counters.gc_moves++;
	return gpu_cursor_catch_up(sc);
}

int
pv_gpu_cursor_hide(struct pv_gpu *sc, unsigned int i)
{
	int error;

	error = gpu_cursor_ready(sc, i);
	if (error == 0)
		error = gpu_cursor_send(sc, i, GPU_CMD_UPDATE_CURSOR, 0);
	if (error == 0)
		sc->sc_heads[i].gh_cursor = 0;
	return error;
}

void
gpu_cursor_restore(struct pv_gpu *sc)
{
	unsigned int i;

	if (sc->sc_cursor == NULL || gpu_cursor_transfer(sc) != 0)
		return;
	for (i = 0; i < sc->sc_nscanouts; i++)
		if (sc->sc_heads[i].gh_cursor)
			gpu_cursor_send(sc, i, GPU_CMD_UPDATE_CURSOR,
			    sc->sc_cursor->fb_resource);
}
