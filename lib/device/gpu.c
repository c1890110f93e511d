/* SPDX-License-Identifier: ISC */
/*
 * Displays (Device Types / GPU Device): the device's life, and its heads.
 */
#include "gpuvar.h"

#define GPU_DEFAULT_WIDTH	1024
#define GPU_DEFAULT_HEIGHT	768
#define GPU_MINWIDTH		16	/* either way: QEMU shows no less */

#define WANT(bit) \
	{ PV_GPU_F_##bit, PV_FEATURE_WANTED, #bit, 0 }
#define NAMED(bit) \
	{ PV_GPU_F_##bit, PV_FEATURE_NAMED, #bit, 0 }

/* Taking what one does not drive gave a black screen on Apple's device. */
static const struct pv_feature gpu_feature_list[] = {
	NAMED(VIRGL),
	WANT(EDID),
	WANT(RESOURCE_UUID),
	WANT(RESOURCE_BLOB),
	NAMED(CONTEXT_INIT),
	NAMED(BLOB_ALIGNMENT),
};

/* With a client that renders. */
static const struct pv_feature gpu_feature_list_3d[] = {
	WANT(VIRGL),
	WANT(EDID),
	WANT(RESOURCE_UUID),
	WANT(RESOURCE_BLOB),
	{ PV_GPU_F_CONTEXT_INIT, PV_FEATURE_WANTED, "CONTEXT_INIT",
	    PV_F_BIT(PV_GPU_F_VIRGL) },
	NAMED(BLOB_ALIGNMENT),
};

#define GPU_3D		(PV_F_BIT(PV_GPU_F_VIRGL) | \
			    PV_F_BIT(PV_GPU_F_CONTEXT_INIT))
#define GPU_RESOURCES	(PV_F_BIT(PV_GPU_F_RESOURCE_UUID) | \
			    PV_F_BIT(PV_GPU_F_RESOURCE_BLOB))

static const struct pv_ladder_step gpu_ladder[] = {
	{ GPU_RESOURCES, 0 },
	{ PV_F_BIT(PV_GPU_F_EDID), 0 },
	{ GPU_3D | GPU_RESOURCES | PV_F_BIT(PV_GPU_F_EDID), 0 },
};

static const struct pv_feature_table gpu_features = {
	.ft_features = gpu_feature_list,
	.ft_nfeatures = sizeof(gpu_feature_list) / sizeof(gpu_feature_list[0]),
	.ft_ladder = gpu_ladder,
	.ft_nladder = sizeof(gpu_ladder) / sizeof(gpu_ladder[0]),
};

static const struct pv_feature_table gpu_features_3d = {
	.ft_features = gpu_feature_list_3d,
	.ft_nfeatures = sizeof(gpu_feature_list_3d) /
	    sizeof(gpu_feature_list_3d[0]),
	.ft_ladder = gpu_ladder,
	.ft_nladder = sizeof(gpu_ladder) / sizeof(gpu_ladder[0]),
};

/* Displays */

/* How many displays the device has; out of range, what the range allows. */
static int
gpu_read_config(struct pv_gpu *sc)
{
	uint32_t n = 0, capsets = 0;
	const struct pv_config_field fields[] = {
		{ GPU_CFG_NUM_SCANOUTS, 4, 1, &n },
		{ GPU_CFG_NUM_CAPSETS, 4, 1, &capsets },
	};
	int error;

	error = pv_virtio_config_read(sc->sc_dev, fields,
	    sc->sc_params.gp_3d ? 2 : 1);
	if (error)
		return error;
	if (n == 0 || n > PV_GPU_MAXSCANOUTS)
		virtio_log(sc->sc_dev, PV_LOG_WARNING,
		    "%u scanouts: taken for %d", n,
		    n == 0 ? 1 : PV_GPU_MAXSCANOUTS);
	if (n == 0)
		n = 1;
	sc->sc_nscanouts = n < PV_GPU_MAXSCANOUTS ? n : PV_GPU_MAXSCANOUTS;
	sc->sc_ncapsets = capsets;
	return 0;
}

/* A size that is worth a try. */
static int
gpu_size_shown(uint32_t width, uint32_t height)
{
	return width >= GPU_MINWIDTH && height >= GPU_MINWIDTH &&
	    gpu_size_valid(width, height);
}

/* Note what the device says of its displays: nmodes of them are told. */
static void
gpu_note_displays(struct pv_gpu *sc, uint32_t nmodes)
{
	const uint8_t *mode = sc->sc_cmds->gc_answer + GPU_HDRLEN;
	struct pv_gpu_head *head = sc->sc_heads;
	uint32_t i;

	for (i = 0; i < sc->sc_nscanouts; i++, head++) {
		head->gh_enabled = 0;
		if (i >= nmodes)
			continue;
		head->gh_wish.x = pv_dev_get32(mode + GPU_RECT_X);
		head->gh_wish.y = pv_dev_get32(mode + GPU_RECT_Y);
		head->gh_wish.w = pv_dev_get32(mode + GPU_RECT_WIDTH);
		head->gh_wish.h = pv_dev_get32(mode + GPU_RECT_HEIGHT);
		head->gh_enabled =
		    pv_dev_get32(mode + GPU_MODE_ENABLED) != 0 &&
		    head->gh_wish.w > 0 && head->gh_wish.h > 0;
		mode += GPU_MODELEN;
	}
}

static int
gpu_display(struct pv_gpu *sc)
{
	uint32_t len;
	int error;

	gpu_begin_command(sc, GPU_CMD_GET_DISPLAY_INFO);
	error = gpu_command(sc, GPU_HDRLEN, NULL, GPU_DISPLAY_INFO_LEN);
	if (error == 0)
		error = gpu_answered(sc, GPU_RESP_OK_DISPLAY_INFO,
		    GPU_HDRLEN + GPU_MODELEN, &len);
	if (error)
		return error;
	gpu_note_displays(sc, (len - GPU_HDRLEN) / GPU_MODELEN);
	return 0;
}

/* The first display of use; if there is none, the one that was. */
static unsigned int
gpu_first(const struct pv_gpu *sc)
{
	unsigned int i;

	for (i = 0; i < sc->sc_nscanouts; i++)
		if (sc->sc_heads[i].gh_enabled)
			return i;
	return sc->sc_scanout;
}

/* The size that a head is to have. */
static void
gpu_wish(const struct pv_gpu *sc, const struct pv_gpu_head *head,
    uint32_t *width, uint32_t *height)
{
	int ours = sc->sc_params.gp_force || !head->gh_enabled ||
	    !gpu_size_shown(head->gh_wish.w, head->gh_wish.h);

	*width = ours ? sc->sc_params.gp_width : head->gh_wish.w;
	*height = ours ? sc->sc_params.gp_height : head->gh_wish.h;
}

/* Which heads are to be driven: the primary, and the next enabled ones. */
static uint32_t
gpu_to_drive(const struct pv_gpu *sc, unsigned int primary)
{
	uint32_t mask = 1u << primary;
	unsigned int i, n = 1;

	for (i = 0; i < sc->sc_nscanouts && n < sc->sc_params.gp_heads; i++) {
		if (!sc->sc_heads[i].gh_enabled || i == primary)
			continue;
		mask |= 1u << i;
		n++;
	}
	return mask;
}

static int
gpu_edids(struct pv_gpu *sc)
{
	unsigned int i;
	int error = 0;

	for (i = 0; error == 0 && i < sc->sc_nscanouts; i++) {
		sc->sc_heads[i].gh_edid_blocks = 0;
		if (i == sc->sc_scanout || (sc->sc_heads[i].gh_enabled &&
		    sc->sc_params.gp_heads > 1))
			error = gpu_read_edid(sc, i);
	}
	return error;
}

/* Heads */

static struct pv_gpu_rect
gpu_whole(const struct pv_gpu_fb *fb)
{
	return (struct pv_gpu_rect){ 0, 0, fb->fb_width, fb->fb_height };
}

/*
 * Show the whole of a framebuffer that the device knows. A blob may be refused,
 * so that is waited for.
 */
static int
gpu_show_whole(struct pv_gpu *sc, unsigned int i, struct pv_gpu_fb *fb)
{
	const struct pv_gpu_rect whole = gpu_whole(fb);
	struct pv_gpu_head *head = &sc->sc_heads[i];
	int error;

	error = gpu_set_scanout(sc, i, fb, &whole);
	if (error == 0)
		error = gpu_flush_whole(sc, fb,
		    !sc->sc_params.gp_nowait || fb->fb_blob);
	if (error)
		return error;
	head->gh_shown = fb;
	head->gh_rect = whole;
	head->gh_suspended = 0;
	head->gh_seen = head->gh_enabled;
	return 0;
}

/*
 * Make a framebuffer known to the device, with its contents, and show it. A
 * blob that can't be shown is made again as what always can.
 */
static int
gpu_make_and_show(struct pv_gpu *sc, unsigned int i, struct pv_gpu_fb *fb)
{
	int error;

	error = gpu_make(sc, fb);
	if (error == 0)
		error = gpu_show_whole(sc, i, fb);
	if (error == 0)
		return 0;
	gpu_unshare(sc, fb);
	if (!fb->fb_blob || fb->fb_device ||
	    pv_virtio_broken(sc->sc_dev) != NULL)
		return error;
	sc->sc_noblob = 1;
	return gpu_make_and_show(sc, i, fb);
}

/* Show again what a head showed, if it can be. */
static void
gpu_show_again(struct pv_gpu *sc, unsigned int i)
{
	const struct pv_gpu_head *head = &sc->sc_heads[i];

	if (pv_virtio_broken(sc->sc_dev) == NULL)
		gpu_set_scanout(sc, i, head->gh_shown, &head->gh_rect);
}

/*
 * Who mirrors what went, mirrors what came; if not now, after a reset. A device
 * may have had more heads before its last one.
 */
static void
gpu_mirror(struct pv_gpu *sc, const struct pv_gpu_fb *old,
    struct pv_gpu_fb *fb)
{
	struct pv_gpu_head *head = sc->sc_heads;
	unsigned int i;

	for (i = 0; i < PV_GPU_MAXSCANOUTS; i++, head++) {
		if (head->gh_shown != old)
			continue;
		head->gh_shown = fb;
		head->gh_rect = gpu_whole(fb);
		if (i < sc->sc_nscanouts &&
		    pv_virtio_broken(sc->sc_dev) == NULL)
			gpu_show_whole(sc, i, fb);
	}
}

/* A new framebuffer of a head's own takes the place of the old one. */
static int
gpu_replace(struct pv_gpu *sc, unsigned int i, uint32_t width, uint32_t height)
{
	struct pv_gpu_head *head = &sc->sc_heads[i];
	struct pv_gpu_fb *fb, *old = head->gh_own;
	int error;

	error = fb_alloc(sc, width, height, PV_GPU_B8G8R8X8,
	    sc->sc_params.gp_colour, &fb);
	if (error)
		return error;
	error = gpu_make_and_show(sc, i, fb);
	if (error) {
		gpu_retire(sc, fb);
		gpu_reap(sc);
		gpu_show_again(sc, i);
		return error;
	}
	head->gh_own = fb;
	if (old == NULL)
		return 0;
	gpu_mirror(sc, old, fb);
	gpu_unshare(sc, old);
	gpu_retire(sc, old);
	return 0;
}

/*
 * The same; a head that shows nothing yet gets a smaller one where the device
 * or we have not the memory for what it is to have.
 */
static int
gpu_drive(struct pv_gpu *sc, unsigned int i, uint32_t width, uint32_t height)
{
	static const uint16_t less[][2] = {
		{ GPU_DEFAULT_WIDTH, GPU_DEFAULT_HEIGHT }, { 640, 480 }
	};
	struct pv_gpu_head *head = &sc->sc_heads[i];
	unsigned int n;
	int error;

	head->gh_denied_w = head->gh_denied_h = 0;
	error = gpu_replace(sc, i, width, height);
	for (n = 0; error == ENOMEM && n < 2 && head->gh_own == NULL; n++) {
		if ((uint64_t)less[n][0] * less[n][1] >=
		    (uint64_t)width * height)
			continue;
		head->gh_denied_w = width;
		head->gh_denied_h = height;
		error = gpu_replace(sc, i, less[n][0], less[n][1]);
	}
	if (error == 0 && head->gh_enabled && !sc->sc_params.gp_force &&
	    (head->gh_own->fb_width != head->gh_wish.w ||
	    head->gh_own->fb_height != head->gh_wish.h))
		virtio_log(sc->sc_dev, PV_LOG_WARNING, "head %u: %u x %u can't "
		    "be had, %u x %u is shown", i, head->gh_wish.w,
		    head->gh_wish.h, head->gh_own->fb_width,
		    head->gh_own->fb_height);
	return error;
}

/* Whether a head has this size, or what is had where that can't be. */
static int
gpu_has_size(const struct pv_gpu_head *head, uint32_t width, uint32_t height)
{
	return (head->gh_own->fb_width == width &&
	    head->gh_own->fb_height == height) ||
	    (head->gh_denied_w == width && head->gh_denied_h == height);
}

/* A head that is no longer driven. */
static void
gpu_release(struct pv_gpu *sc, unsigned int i)
{
	struct pv_gpu_head *head = &sc->sc_heads[i];
	struct pv_gpu_fb *fb = head->gh_own;
	unsigned int j;

	for (j = 0; j < PV_GPU_MAXSCANOUTS; j++) {
		if (sc->sc_heads[j].gh_shown != fb)
			continue;
		sc->sc_heads[j].gh_shown = NULL;
		if (j < sc->sc_nscanouts &&
		    pv_virtio_broken(sc->sc_dev) == NULL)
			gpu_set_scanout(sc, j, NULL, NULL);
	}
	gpu_unshare(sc, fb);
	gpu_retire(sc, fb);
	head->gh_own = NULL;
	head->gh_seen = 0;
}

/* The only head, which the host has disabled, or enabled again. */
static int
gpu_suspend(struct pv_gpu *sc, struct pv_gpu_head *head)
{
	int was = head->gh_suspended;

	head->gh_suspended = !head->gh_enabled && head->gh_seen;
	if (head->gh_enabled)
		head->gh_seen = 1;
	return was && !head->gh_suspended ?
	    gpu_flush_whole(sc, head->gh_shown, 1) : 0;
}

/* What a head that is to be driven needs. 1: a new generation; or -error. */
static int
gpu_update(struct pv_gpu *sc, unsigned int i)
{
	struct pv_gpu_head *head = &sc->sc_heads[i];
	const struct pv_gpu_fb *own = head->gh_own;
	uint32_t width, height;
	int error;

	if (head->gh_shown != own)
		return 0;	/* the port shows something there, or nothing */
	gpu_wish(sc, head, &width, &height);
	if (own != NULL && (!head->gh_enabled ||
	    gpu_has_size(head, width, height)))
		return -gpu_suspend(sc, head);
	error = gpu_drive(sc, i, width, height);
	if (error)
		return -error;
	sc->sc_counters.gc_resizes++;
	return 1;
}

/* Life */

static int
gpu_alloc_queues(struct pv_gpu *sc)
{
	const struct pv_virtq_params control = {
		.vp_name = "control",
		.vp_size = GPU_CTRL_QUEUE,
		.vp_maxpieces = GPU_MAXSTREAM + 2,
		.vp_maxsegs = GPU_MAXLISTSEGS + 2,
		.vp_policy = PV_VIRTQ_CLAMP,	/* gpu_answer judges */
		.vp_intr = sc->sc_cb.gc_progress,
		.vp_arg = sc->sc_arg,
	};
	int error;

	error = pv_dev_queue(sc->sc_dev, GPU_CONTROLQ, &control, &sc->sc_ctrlq);
	/* A flush would wait for ever for room that there can't be. */
	if (error == 0 && pv_virtq_size(sc->sc_ctrlq) < GPU_CTRL_QUEUE_MIN)
		error = EINVAL;
	return error ? error : gpu_alloc_cursorq(sc);
}

/* The device told of a change: say that we have heard. */
static int
gpu_clear_events(struct pv_gpu *sc)
{
	uint32_t events = 0;
	const struct pv_config_field field = { GPU_CFG_EVENTS_READ, 4, 1,
	    &events };
	int error;

	error = pv_virtio_config_read(sc->sc_dev, &field, 1);
	if (error || (events & GPU_EVENT_DISPLAY) == 0)
		return error;
	return pv_virtio_config_write(sc->sc_dev, GPU_CFG_EVENTS_CLEAR, 4,
	    GPU_EVENT_DISPLAY);
}

/* The heads for the first time. */
static int
gpu_setup_heads(struct pv_gpu *sc)
{
	uint32_t mask, width, height;
	unsigned int i;
	int error = 0;

	sc->sc_scanout = gpu_first(sc);
	error = gpu_edids(sc);
	mask = gpu_to_drive(sc, sc->sc_scanout);
	for (i = 0; error == 0 && i < sc->sc_nscanouts; i++) {
		if ((mask & 1u << i) == 0)
			continue;
		gpu_wish(sc, &sc->sc_heads[i], &width, &height);
		error = gpu_drive(sc, i, width, height);
	}
	return error;
}

/* After a reset: what there was, as it was. */
static int
gpu_restore_heads(struct pv_gpu *sc)
{
	struct pv_gpu_head *head;
	struct pv_gpu_fb *fb;
	unsigned int i;
	int error;

	error = gpu_edids(sc);
	for (fb = sc->sc_fbs; error == 0 && fb != NULL; fb = fb->fb_next) {
		/* What is not shown now is sent when it is. */
		gpu_damage_whole(fb);
		error = gpu_make(sc, fb);
	}
	for (i = 0; error == 0 && i < sc->sc_nscanouts; i++) {
		head = &sc->sc_heads[i];
		if (head->gh_shown == NULL)
			continue;
		error = gpu_set_scanout(sc, i, head->gh_shown, &head->gh_rect);
		if (error == 0)
			error = gpu_flush_whole(sc, head->gh_shown, 1);
	}
	if (error == 0)
		gpu_cursor_restore(sc);
	return error;
}

/* Whether the displays are others than those that are shown. */
static int
gpu_differs(const struct pv_gpu *sc)
{
	unsigned int i, primary = gpu_first(sc);
	uint32_t mask = gpu_to_drive(sc, primary), width, height;
	const struct pv_gpu_head *head = sc->sc_heads;

	for (i = 0; i < sc->sc_nscanouts; i++, head++) {
		if ((head->gh_own != NULL) != ((mask >> i & 1) != 0))
			return 1;
		gpu_wish(sc, head, &width, &height);
		if (head->gh_own != NULL && head->gh_enabled &&
		    !gpu_has_size(head, width, height))
			return 1;
	}
	return 0;
}

/* The device runs: find the displays and show framebuffers there. */
static int
gpu_setup(struct pv_gpu *sc)
{
	int error;

	error = gpu_clear_events(sc);
	if (error == 0)
		error = gpu_display(sc);
	if (error)
		return error;
	if (gpu_primary_fb(sc) == NULL)
		return gpu_setup_heads(sc);
	error = gpu_restore_heads(sc);
	/* They may have changed while the device was stopped. */
	if (error == 0 && gpu_differs(sc) && sc->sc_cb.gc_changed != NULL)
		sc->sc_cb.gc_changed(sc->sc_arg);
	return error;
}

/* What the device was told of, it has forgotten. */
static void
gpu_forget(struct pv_gpu *sc)
{
	struct pv_gpu_resource *gr;
	struct pv_gpu_fb *fb;

	for (fb = sc->sc_fbs; fb != NULL; fb = fb->fb_next)
		fb->fb_device = 0;
	for (fb = sc->sc_old; fb != NULL; fb = fb->fb_next)
		fb->fb_device = 0;
	for (gr = sc->sc_resources; gr != NULL; gr = gr->gr_next)
		gr->gr_id = 0;
	sc->sc_resources = NULL;
	gpu_reap(sc);
}

int
pv_gpu_start(struct pv_gpu *sc)
{
	int error;

	if (sc->sc_running)
		return EBUSY;
	if (sc->sc_detached || sc->sc_dev->vd_lost)
		return EIO;
	pv_virtio_deny(sc->sc_dev,
	    sc->sc_dev->vd_denied | sc->sc_params.gp_deny);
	error = pv_virtio_negotiate(sc->sc_dev, sc->sc_params.gp_3d ?
	    &gpu_features_3d : &gpu_features, sc);
	if (error)
		return error;
	error = gpu_read_config(sc);
	(void)pv_virtio_shm(sc->sc_dev, GPU_SHM_HOST_VISIBLE,
	    &sc->sc_hostvisible);
	if (error == 0)
		error = gpu_alloc_queues(sc);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error)
		goto fail;
	sc->sc_running = 1;
	if (sc->sc_cb.gc_progress == NULL)
		pv_virtq_intr_disable(sc->sc_ctrlq);
	pv_virtq_intr_disable(sc->sc_cursorq);
	error = gpu_setup(sc);
	if (error)
		goto fail;
	return 0;

fail:
	pv_gpu_stop(sc);
	pv_virtio_fail(sc->sc_dev);
	return error;
}

static int
gpu_alloc_cmds(struct pv_gpu *sc)
{
	struct pv_gpu_cmds *cmds;
	int error;

	cmds = pv_dev_mem_alloc(sc->sc_dev, sizeof(*cmds), GPU_CMDS_LEN,
	    GPU_CMDS_SEGS, &error);
	if (error)
		return error;
	gpu_init_slots(cmds);
	sc->sc_cmds = cmds;
	return 0;
}

static void
gpu_take_params(struct pv_gpu *sc, const struct pv_gpu_params *params)
{
	if (params != NULL)
		sc->sc_params = *params;
	if (gpu_size_shown(sc->sc_params.gp_width, sc->sc_params.gp_height))
		return;
	sc->sc_params.gp_width = GPU_DEFAULT_WIDTH;
	sc->sc_params.gp_height = GPU_DEFAULT_HEIGHT;
	sc->sc_params.gp_force = 0;
}

int
pv_gpu_attach(struct pv_gpu *sc, struct pv_virtio *dev,
    const struct pv_gpu_callbacks *cb, void *arg,
    const struct pv_gpu_params *params)
{
	int error;

	memset(sc, 0, sizeof(*sc));
	sc->sc_dev = dev;
	sc->sc_arg = arg;
	if (cb != NULL)
		sc->sc_cb = *cb;
	gpu_take_params(sc, params);
	error = gpu_alloc_cmds(sc);
	if (error)
		goto fail;
	pv_dev_set_callbacks(dev, sc->sc_cb.gc_broken, sc->sc_cb.gc_changed,
	    arg);
	error = pv_gpu_start(sc);
	if (error)
		goto detach;
	return 0;

detach:
	pv_gpu_detach(sc);
fail:
	pv_virtio_fail(dev);
	return error;
}

int
pv_gpu_stop(struct pv_gpu *sc)
{
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	pv_dev_queue_drain(sc->sc_dev, sc->sc_ctrlq);
	pv_dev_queue_drain(sc->sc_dev, sc->sc_cursorq);
	gpu_jobs_stopped(sc, error == 0);
	if (error == 0)
		gpu_forget(sc);
	return error;
}

/* The part of detach that happens once. */
static void
gpu_close(struct pv_gpu *sc)
{
	unsigned int i;

	sc->sc_lost = pv_gpu_stop(sc) != 0;
	sc->sc_detached = 1;
	pv_dev_queue_free(&sc->sc_ctrlq);
	pv_dev_queue_free(&sc->sc_cursorq);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	pv_dmamem_release(&sc->sc_cmds->gc_left, sc->sc_lost);
	pv_dev_mem_free(sc->sc_cmds, sizeof(*sc->sc_cmds), sc->sc_lost);
	sc->sc_cmds = NULL;
	for (i = 0; i < PV_GPU_MAXSCANOUTS; i++)
		if (sc->sc_heads[i].gh_edid != NULL)
			pv_kern_free(sc->sc_heads[i].gh_edid, PV_GPU_EDID_MAX);
	memset(sc->sc_heads, 0, sizeof(sc->sc_heads));
	sc->sc_cursor = NULL;
	while (sc->sc_fbs != NULL)
		gpu_retire(sc, sc->sc_fbs);
}

int
pv_gpu_detach(struct pv_gpu *sc)
{
	const struct pv_gpu_fb *fb;

	if (!sc->sc_detached)
		gpu_close(sc);
	gpu_revoke(sc);
	gpu_reap(sc);
	for (fb = sc->sc_old; fb != NULL; fb = fb->fb_next)
		if (fb->fb_user)
			return EBUSY;
	return sc->sc_lost ? ETIMEDOUT : 0;
}

/*
 * Each head that is to be driven; then those that are no longer, once there is
 * another to look at. The first error counts, and the others go on.
 */
static int
gpu_follow(struct pv_gpu *sc)
{
	unsigned int i, primary = gpu_first(sc);
	uint32_t mask = gpu_to_drive(sc, primary);
	int changed = 0, result;

	for (i = 0; i < sc->sc_nscanouts; i++) {
		if ((mask & 1u << i) == 0)
			continue;
		result = gpu_update(sc, i);
		if (changed == 0 || (result < 0 && changed == 1))
			changed = result;
	}
	if (sc->sc_heads[primary].gh_own == NULL)
		return changed;
	sc->sc_scanout = primary;
	for (i = 0; i < sc->sc_nscanouts; i++)
		if ((mask & 1u << i) == 0 && sc->sc_heads[i].gh_own != NULL) {
			gpu_release(sc, i);
			changed = changed == 0 ? 1 : changed;
		}
	return changed;
}

int
pv_gpu_changed(struct pv_gpu *sc)
{
	int changed, error;

	if (!sc->sc_running)
		return -ENXIO;
	gpu_wait_jobs(sc);
	error = gpu_clear_events(sc);
	if (error == 0)
		error = gpu_display(sc);
	if (error)
		return -error;
	changed = gpu_follow(sc);
	error = gpu_edids(sc);
	gpu_revoke(sc);
	gpu_reap(sc);
	return changed == 0 ? -error : changed;
}

unsigned int
pv_gpu_heads(const struct pv_gpu *sc)
{
	return sc->sc_nscanouts;
}

unsigned int
pv_gpu_primary(const struct pv_gpu *sc)
{
	return sc->sc_scanout;
}

int
pv_gpu_head(const struct pv_gpu *sc, unsigned int i,
    struct pv_gpu_head_info *hi)
{
	const struct pv_gpu_head *head;

	if (i >= sc->sc_nscanouts)
		return ERANGE;
	head = &sc->sc_heads[i];
	hi->hi_enabled = head->gh_enabled;
	hi->hi_wish = head->gh_wish;
	hi->hi_generation = 0;
	hi->hi_state = PV_GPU_HEAD_OFF;
	if (head->gh_shown == NULL)
		return 0;
	hi->hi_state = head->gh_suspended ? PV_GPU_HEAD_SUSPENDED :
	    PV_GPU_HEAD_ON;
	hi->hi_generation = head->gh_shown->fb_generation;
	return 0;
}

struct pv_gpu_fb *
pv_gpu_head_fb(const struct pv_gpu *sc, unsigned int i)
{
	return i < sc->sc_nscanouts ? sc->sc_heads[i].gh_shown : NULL;
}

const struct pv_gpu_counters *
pv_gpu_counters(const struct pv_gpu *sc)
{
	return &sc->sc_counters;
}
