/* SPDX-License-Identifier: ISC */
/*
 * Displays (Device Types / GPU Device), 2D. Each command is fenced and waited
 * for with a bound; one that is not answered breaks the device, so an answer
 * that comes late finds its memory unused until a reset was confirmed.
 */
#include <paravane/gpu.h>

#include "../core/virtio_var.h"
#include "dev.h"
#include "gpureg.h"

#define GPU_TIMEOUT_NS		5000000000ULL
#define GPU_CTRL_QUEUE		64
#define GPU_CURSOR_QUEUE	16
#define GPU_DEFAULT_WIDTH	1024
#define GPU_DEFAULT_HEIGHT	768
#define GPU_MAXENTRIES		16384	/* of a backing: QEMU takes no more */
#define GPU_MAXLISTSEGS		62	/* of the memory that lists them: a
					 * chain of GPU_CTRL_QUEUE at most */
#define GPU_BLOCK		128	/* of an EDID */

/*
 * Three commands can be under way: the two of a flush, and one other. Requests
 * and answers lie on lines of their own.
 */
#define GPU_NSLOTS		3
#define GPU_SLOT_TRANSFER	0
#define GPU_SLOT_FLUSH		1
#define GPU_SLOT_COMMAND	2
#define GPU_REQUEST_LEN		DMA_LINE
#define GPU_ANSWER_LEN		DMA_LINES(GPU_EDID_RESP_LEN)
#define GPU_SLOT_LEN		(GPU_REQUEST_LEN + GPU_ANSWER_LEN)

enum gpu_slot_state { SLOT_FREE, SLOT_SENT, SLOT_DONE };

struct gpu_slot {
	enum gpu_slot_state gs_state;
	bus_size_t gs_off;		/* in gc_dma: request, then answer */
	uint32_t gs_command;
	uint64_t gs_fence;
	uint32_t gs_answerlen;		/* that the device wrote */
};

struct gpu_rect {
	uint32_t x, y, w, h;
};

struct pv_gpu_cmds {
	struct pv_dmamem gc_dma;
	struct gpu_slot gc_slots[GPU_NSLOTS];
	uint64_t gc_fence;		/* last used */
	uint8_t gc_answer[GPU_EDID_RESP_LEN]; /* the copy that is judged */
	int gc_flushing;		/* a flush is under way */
	struct pv_gpu_fb *gc_synced;	/* NULL, or of this the device may */
	bus_size_t gc_flushoff;		/* read what was synced for a flush */
	bus_size_t gc_flushlen;
	struct pv_dev_wait gc_wait;
};

/* A framebuffer, and who may still reach its memory. */
struct pv_gpu_fb {
	struct pv_gpu_fb *fb_next;	/* in sc_old */
	struct pv_dmamem fb_dma;
	struct pv_dmamem fb_list;	/* its segments, as the device wants */
	unsigned int fb_width;
	unsigned int fb_height;
	unsigned int fb_generation;
	uint32_t fb_resource;
	uint8_t fb_device;		/* the device may: it is attached */
	uint8_t fb_user;		/* user space may: pages handed out */
	uint8_t fb_revoking;		/* gc_revoke was called */
};

#define NAME(bit) \
	{ PV_GPU_F_##bit, PV_FEATURE_NAMED, #bit, 0 }

/* Taking what one does not drive gave a black screen on Apple's device. */
static const struct pv_feature gpu_feature_list[] = {
	NAME(VIRGL),
	{ PV_GPU_F_EDID, PV_FEATURE_WANTED, "EDID", 0 },
	NAME(RESOURCE_UUID),
	NAME(RESOURCE_BLOB),
	NAME(CONTEXT_INIT),
};

static const struct pv_ladder_step gpu_ladder[] = {
	{ PV_F_BIT(PV_GPU_F_EDID), 0 },
};

static const struct pv_feature_table gpu_features = {
	.ft_features = gpu_feature_list,
	.ft_nfeatures = sizeof(gpu_feature_list) / sizeof(gpu_feature_list[0]),
	.ft_ladder = gpu_ladder,
	.ft_nladder = sizeof(gpu_ladder) / sizeof(gpu_ladder[0]),
};

/* Commands */

static uint8_t *
gpu_request(struct pv_gpu *sc, const struct gpu_slot *slot)
{
	return (uint8_t *)sc->sc_cmds->gc_dma.dm_kva + slot->gs_off;
}

/* Begin a request in a slot; the caller fills in what follows the header. */
static uint8_t *
gpu_begin(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t command)
{
	uint8_t *request = gpu_request(sc, slot);

	slot->gs_command = command;
	slot->gs_fence = ++sc->sc_cmds->gc_fence;
	memset(request, 0, GPU_REQUEST_LEN);
	pv_dev_put32(request + GPU_HDR_TYPE, command);
	pv_dev_put32(request + GPU_HDR_FLAGS, GPU_FLAG_FENCE);
	pv_dev_put64(request + GPU_HDR_FENCE_ID, slot->gs_fence);
	return request;
}

/* Enqueue a request of len bytes, with more behind it or NULL. */
static int
gpu_enqueue(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t len,
    const struct pv_dmamem *more, uint32_t answerlen)
{
	const struct pv_dmamem *dma = &sc->sc_cmds->gc_dma;
	struct pv_piece pieces[3];
	unsigned int nout = 0;
	int error;

	pieces[nout++] = pv_dev_piece(dma, slot->gs_off, len);
	if (more != NULL)
		pieces[nout++] = pv_dev_piece(more, 0, more->dm_size);
	pieces[nout] = pv_dev_piece(dma, slot->gs_off + GPU_REQUEST_LEN,
	    answerlen);
	error = pv_virtq_enqueue(sc->sc_ctrlq, pieces, nout, 1, slot);
	if (error)
		return error;
	slot->gs_state = SLOT_SENT;
	sc->sc_counters.gc_commands++;
	return 0;
}

/* Note what the device has done. */
static int
gpu_poll(struct pv_gpu *sc)
{
	struct gpu_slot *slot;
	struct pv_used used;
	int error;

	while ((error = pv_virtq_dequeue(sc->sc_ctrlq, &used)) == 0) {
		slot = used.us_cookie;
		slot->gs_answerlen = used.us_len;
		slot->gs_state = SLOT_DONE;
	}
	return error == EAGAIN ? 0 : error;
}

/*
 * Look whether a slot's command is done: EAGAIN not yet, and there is still
 * time; ETIMEDOUT there is not, and the device is broken.
 */
static int
gpu_done(struct pv_gpu *sc, const struct gpu_slot *slot,
    struct pv_dev_wait *wait, int sleep)
{
	int error;

	error = gpu_poll(sc);
	if (error)
		return error;
	if (slot->gs_state == SLOT_DONE)
		return 0;
	error = sleep ? pv_dev_wait(wait) : pv_dev_wait_over(wait);
	if (error == 0)
		return EAGAIN;
	pv_virtio_break(sc->sc_dev, "control queue: no answer");
	return error;
}

static const char *
gpu_command_name(uint32_t command)
{
	static const char *const names[] = {
		"GET_DISPLAY_INFO", "RESOURCE_CREATE_2D", "RESOURCE_UNREF",
		"SET_SCANOUT", "RESOURCE_FLUSH", "TRANSFER_TO_HOST_2D",
		"RESOURCE_ATTACH_BACKING", "RESOURCE_DETACH_BACKING",
	};
	uint32_t i = command - GPU_CMD_GET_DISPLAY_INFO;

	if (command == GPU_CMD_GET_EDID)
		return "GET_EDID";
	return i < sizeof(names) / sizeof(names[0]) ? names[i] : "?";
}

/* The device refused a command: an honest answer, if not what we hoped for. */
static int
gpu_refused(struct pv_gpu *sc, const struct gpu_slot *slot, uint32_t type)
{
	sc->sc_counters.gc_errors++;
	virtio_log(sc->sc_dev, PV_LOG_ERROR, "%s: the device answered 0x%x",
	    gpu_command_name(slot->gs_command), type);
	return EIO;
}

/*
 * Judge a slot's answer. What the device wrote is copied first, to gc_answer;
 * *len, if wanted, is how much of it there is.
 */
static int
gpu_answer(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t expected,
    uint32_t minlen, uint32_t *len)
{
	uint8_t *answer = sc->sc_cmds->gc_answer;
	uint32_t type, got = slot->gs_answerlen;

	slot->gs_state = SLOT_FREE;
	if (got > sizeof(sc->sc_cmds->gc_answer))
		got = sizeof(sc->sc_cmds->gc_answer);
	if (got < GPU_HDRLEN)
		return pv_virtio_break(sc->sc_dev, "answer without a header");
	pv_dev_copy_once(answer, gpu_request(sc, slot) + GPU_REQUEST_LEN, got);
	/* A device that fences tells which one; not all do. */
	if ((pv_dev_get32(answer + GPU_HDR_FLAGS) & GPU_FLAG_FENCE) &&
	    (pv_dev_get64(answer + GPU_HDR_FENCE_ID) != slot->gs_fence ||
	    pv_dev_get32(answer + GPU_HDR_CTX_ID) != 0))
		return pv_virtio_break(sc->sc_dev, "answer to another command");
	type = pv_dev_get32(answer + GPU_HDR_TYPE);
	if (type >= GPU_RESP_ERR_FIRST && type <= GPU_RESP_ERR_LAST)
		return gpu_refused(sc, slot, type);
	if (type != expected)
		return pv_virtio_break(sc->sc_dev, "answer of a wrong type");
	if (got < minlen)
		return pv_virtio_break(sc->sc_dev, "answer cut short");
	if (len != NULL)
		*len = got;
	return 0;
}

/* Send what gpu_begin began in the slot for commands, and await the answer. */
static int
gpu_command(struct pv_gpu *sc, uint32_t len, const struct pv_dmamem *more,
    uint32_t answerlen)
{
	struct gpu_slot *slot = &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND];
	struct pv_dev_wait wait;
	int error;

	error = gpu_enqueue(sc, slot, len, more, answerlen);
	if (error)
		return error;
	pv_virtq_publish(sc->sc_ctrlq);
	pv_dev_wait_begin(&wait, GPU_TIMEOUT_NS);
	while ((error = gpu_done(sc, slot, &wait, 1)) == EAGAIN)
		sc->sc_counters.gc_waits++;
	return error;
}

static uint8_t *
gpu_begin_command(struct pv_gpu *sc, uint32_t command)
{
	return gpu_begin(sc, &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND], command);
}

/* A command whose answer has no data. */
static int
gpu_simple(struct pv_gpu *sc, uint32_t len, const struct pv_dmamem *more)
{
	int error;

	error = gpu_command(sc, len, more, GPU_HDRLEN);
	if (error)
		return error;
	return gpu_answer(sc, &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND],
	    GPU_RESP_OK_NODATA, GPU_HDRLEN, NULL);
}

static void
gpu_put_rect(uint8_t *p, const struct gpu_rect *rect)
{
	pv_dev_put32(p + GPU_RECT_X, rect->x);
	pv_dev_put32(p + GPU_RECT_Y, rect->y);
	pv_dev_put32(p + GPU_RECT_WIDTH, rect->w);
	pv_dev_put32(p + GPU_RECT_HEIGHT, rect->h);
}

static int
gpu_create(struct pv_gpu *sc, const struct pv_gpu_fb *fb)
{
	uint8_t *p = gpu_begin_command(sc, GPU_CMD_RESOURCE_CREATE_2D);

	pv_dev_put32(p + GPU_CREATE_RESOURCE, fb->fb_resource);
	pv_dev_put32(p + GPU_CREATE_FORMAT, GPU_FORMAT_B8G8R8X8);
	pv_dev_put32(p + GPU_CREATE_WIDTH, fb->fb_width);
	pv_dev_put32(p + GPU_CREATE_HEIGHT, fb->fb_height);
	return gpu_simple(sc, GPU_CREATE_LEN, NULL);
}

static int
gpu_attach_backing(struct pv_gpu *sc, const struct pv_gpu_fb *fb)
{
	uint8_t *p = gpu_begin_command(sc, GPU_CMD_RESOURCE_ATTACH_BACKING);

	pv_dev_put32(p + GPU_ATTACH_RESOURCE, fb->fb_resource);
	pv_dev_put32(p + GPU_ATTACH_NENTRIES,
	    (uint32_t)fb->fb_dma.dm_map->dm_nsegs);
	return gpu_simple(sc, GPU_ATTACH_LEN, &fb->fb_list);
}

/*
 * RESOURCE_DETACH_BACKING and RESOURCE_UNREF look alike. Both are sent after a
 * failure too; but a command without an answer may still be read from the slot.
 */
static int
gpu_of_resource(struct pv_gpu *sc, uint32_t command, uint32_t resource)
{
	uint8_t *p;

	if (pv_virtio_broken(sc->sc_dev) != NULL)
		return EIO;
	p = gpu_begin_command(sc, command);
	pv_dev_put32(p + GPU_UNREF_RESOURCE, resource);
	return gpu_simple(sc, GPU_UNREF_LEN, NULL);
}

static int
gpu_set_scanout(struct pv_gpu *sc, const struct pv_gpu_fb *fb)
{
	const struct gpu_rect whole = { 0, 0, fb->fb_width, fb->fb_height };
	uint8_t *p = gpu_begin_command(sc, GPU_CMD_SET_SCANOUT);

	gpu_put_rect(p + GPU_SCANOUT_RECT, &whole);
	pv_dev_put32(p + GPU_SCANOUT_ID, sc->sc_scanout);
	pv_dev_put32(p + GPU_SCANOUT_RESOURCE, fb->fb_resource);
	return gpu_simple(sc, GPU_SCANOUT_LEN, NULL);
}

/* Displays */

static int
gpu_size_valid(uint32_t width, uint32_t height)
{
	return width > 0 && width <= PV_GPU_MAXWIDTH &&
	    height > 0 && height <= PV_GPU_MAXWIDTH;
}

/* How many displays the device has; out of range, what the range allows. */
static int
gpu_read_nscanouts(struct pv_gpu *sc)
{
	uint32_t n = 0;
	const struct pv_config_field field = { GPU_CFG_NUM_SCANOUTS, 4, 1, &n };
	int error;

	error = pv_virtio_config_read(sc->sc_dev, &field, 1);
	if (error)
		return error;
	if (n == 0 || n > PV_GPU_MAXSCANOUTS)
		virtio_log(sc->sc_dev, PV_LOG_WARNING,
		    "%u scanouts: taken for %d", n,
		    n == 0 ? 1 : PV_GPU_MAXSCANOUTS);
	if (n == 0)
		n = 1;
	sc->sc_nscanouts = n < PV_GPU_MAXSCANOUTS ? n : PV_GPU_MAXSCANOUTS;
	return 0;
}

/*
 * Choose the first enabled display whose size can be, of the nmodes in the
 * answer. If there is none: 0, and display 0 in the size that the port named.
 */
static int
gpu_choose(struct pv_gpu *sc, uint32_t nmodes, uint32_t *width,
    uint32_t *height)
{
	const uint8_t *mode = sc->sc_cmds->gc_answer + GPU_HDRLEN;
	uint32_t i, w, h;

	sc->sc_scanout = 0;
	*width = sc->sc_params.gp_width;
	*height = sc->sc_params.gp_height;
	for (i = 0; i < nmodes && i < sc->sc_nscanouts; i++) {
		w = pv_dev_get32(mode + GPU_MODE_RECT + GPU_RECT_WIDTH);
		h = pv_dev_get32(mode + GPU_MODE_RECT + GPU_RECT_HEIGHT);
		if (pv_dev_get32(mode + GPU_MODE_ENABLED) != 0 &&
		    gpu_size_valid(w, h)) {
			sc->sc_scanout = i;
			if (!sc->sc_params.gp_force) {
				*width = w;
				*height = h;
			}
			return 1;
		}
		mode += GPU_MODELEN;
	}
	return 0;
}

/* Ask for the displays; *enabled, whether there is one of use. */
static int
gpu_display(struct pv_gpu *sc, uint32_t *width, uint32_t *height, int *enabled)
{
	struct gpu_slot *slot = &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND];
	uint32_t len;
	int error;

	gpu_begin_command(sc, GPU_CMD_GET_DISPLAY_INFO);
	error = gpu_command(sc, GPU_HDRLEN, NULL, GPU_DISPLAY_INFO_LEN);
	if (error == 0)
		error = gpu_answer(sc, slot, GPU_RESP_OK_DISPLAY_INFO,
		    GPU_HDRLEN + GPU_MODELEN, &len);
	if (error)
		return error;
	*enabled = gpu_choose(sc, (len - GPU_HDRLEN) / GPU_MODELEN, width,
	    height);
	return 0;
}

/* Blocks of an EDID in the len bytes at p, all of them sound; 0 if not so. */
static unsigned int
gpu_edid_blocks(const uint8_t *p, uint32_t len)
{
	static const uint8_t magic[8] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00
	};
	unsigned int blocks, i;
	uint8_t sum = 0;

	if (len < GPU_BLOCK || len > PV_GPU_EDID_MAX ||
	    memcmp(p, magic, sizeof(magic)) != 0)
		return 0;
	blocks = p[126] + 1u;		/* extensions, and this one */
	if (blocks * GPU_BLOCK > len)
		return 0;
	for (i = 0; i < blocks * GPU_BLOCK; i++) {
		sum = (uint8_t)(sum + p[i]);
		if (i % GPU_BLOCK == GPU_BLOCK - 1 && sum != 0)
			return 0;
	}
	return blocks;
}

/* A display is of use without its EDID: only a broken device is an error. */
static int
gpu_read_edid(struct pv_gpu *sc)
{
	struct gpu_slot *slot = &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND];
	const uint8_t *answer = sc->sc_cmds->gc_answer;
	uint32_t len, size;
	uint8_t *p;
	int error;

	sc->sc_edid_blocks = 0;
	if (!pv_virtio_has(sc->sc_dev, PV_GPU_F_EDID))
		return 0;
	/* A command without an answer is in the slot: leave it there. */
	if (pv_virtio_broken(sc->sc_dev) != NULL)
		return EIO;
	p = gpu_begin_command(sc, GPU_CMD_GET_EDID);
	pv_dev_put32(p + GPU_EDID_SCANOUT, sc->sc_scanout);
	error = gpu_command(sc, GPU_EDID_LEN, NULL, GPU_EDID_RESP_LEN);
	if (error == 0)
		error = gpu_answer(sc, slot, GPU_RESP_OK_EDID,
		    GPU_EDID_RESP_DATA, &len);
	if (error)
		return pv_virtio_broken(sc->sc_dev) != NULL ? error : 0;
	size = pv_dev_get32(answer + GPU_EDID_RESP_SIZE);
	if (size > len - GPU_EDID_RESP_DATA)
		return 0;
	sc->sc_edid_blocks = (uint8_t)gpu_edid_blocks(
	    answer + GPU_EDID_RESP_DATA, size);
	memcpy(sc->sc_edid, answer + GPU_EDID_RESP_DATA,
	    sc->sc_edid_blocks * (size_t)GPU_BLOCK);
	return 0;
}

/* Framebuffers */

static uint32_t
fb_stride(const struct pv_gpu_fb *fb)
{
	return fb->fb_width * 4;
}

/* List the segments for the device. */
static int
fb_list_segments(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	bus_dmamap_t map = fb->fb_dma.dm_map;
	uint8_t *entry;
	int error, i;

	error = pv_dmamem_alloc(&fb->fb_list, sc->sc_dev->vd_dmat,
	    (bus_size_t)map->dm_nsegs * GPU_ENTRYLEN, DMA_LINE,
	    GPU_MAXLISTSEGS, 0, 0);
	if (error)
		return error;
	entry = fb->fb_list.dm_kva;
	for (i = 0; i < map->dm_nsegs; i++) {
		pv_dev_put64(entry + GPU_ENTRY_ADDR, map->dm_segs[i].ds_addr);
		pv_dev_put32(entry + GPU_ENTRY_LENGTH,
		    (uint32_t)map->dm_segs[i].ds_len);
		entry += GPU_ENTRYLEN;
	}
	return 0;
}

/*
 * The memory: in one run if it can be had, otherwise in more and shorter ones,
 * as the device does not need contiguity.
 */
static int
fb_alloc_memory(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	uint64_t size = (uint64_t)fb_stride(fb) * fb->fb_height;
	uint64_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	unsigned int n, most;
	int error;

	most = pages < GPU_MAXENTRIES ? (unsigned int)pages : GPU_MAXENTRIES;
	for (n = 1;; n = n < most / 8 ? n * 8 : most) {
		error = pv_dmamem_alloc(&fb->fb_dma, sc->sc_dev->vd_dmat,
		    pages * PAGE_SIZE, PAGE_SIZE, n, sc->sc_params.gp_maxseg,
		    0);
		if (error == 0 || n == most)
			return error;
	}
}

/* lost: the device may still reach its memory. */
static void
fb_free(struct pv_gpu_fb *fb, bool lost)
{
	pv_dmamem_release(&fb->fb_list, lost);
	pv_dmamem_release(&fb->fb_dma, lost);
	pv_kern_free(fb, sizeof(*fb));
}

static int
fb_alloc(struct pv_gpu *sc, uint32_t width, uint32_t height,
    struct pv_gpu_fb **fbp)
{
	struct pv_gpu_fb *fb;
	int error;

	fb = pv_kern_alloc(sizeof(*fb));
	if (fb == NULL)
		return ENOMEM;
	fb->fb_width = width;
	fb->fb_height = height;
	error = fb_alloc_memory(sc, fb);
	if (error == 0)
		error = fb_list_segments(sc, fb);
	if (error) {
		fb_free(fb, false);
		return error;
	}
	fb->fb_generation = ++sc->sc_generation;
	*fbp = fb;
	return 0;
}

/*
 * Free what neither the device nor user space can reach. What a device that is
 * gone might reach is left behind for ever.
 */
static void
gpu_reap(struct pv_gpu *sc)
{
	struct pv_gpu_fb **link = &sc->sc_old, *fb;
	int gone = sc->sc_detached && sc->sc_lost;

	while ((fb = *link) != NULL) {
		if (fb->fb_user || (fb->fb_device && !gone)) {
			link = &fb->fb_next;
			continue;
		}
		*link = fb->fb_next;
		fb_free(fb, fb->fb_device);
	}
}

static void
gpu_retire(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	fb->fb_next = sc->sc_old;
	sc->sc_old = fb;
}

/*
 * Ask for the revocation of what is retired and mapped. The callback may call
 * pv_gpu_revoked at once and so change the list: begin again after each.
 */
static void
gpu_revoke(struct pv_gpu *sc)
{
	struct pv_gpu_fb *fb;

	do {
		for (fb = sc->sc_old; fb != NULL; fb = fb->fb_next)
			if (fb->fb_user && !fb->fb_revoking)
				break;
		if (fb != NULL) {
			fb->fb_revoking = 1;
			if (sc->sc_cb.gc_revoke != NULL)
				sc->sc_cb.gc_revoke(sc->sc_arg,
				    fb->fb_generation);
		}
	} while (fb != NULL);
}

/*
 * Take a framebuffer's memory from the device. If neither command is confirmed,
 * the device holds it until a reset.
 */
static void
gpu_unshare(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	if (gpu_of_resource(sc, GPU_CMD_RESOURCE_DETACH_BACKING,
	    fb->fb_resource) == 0)
		fb->fb_device = 0;
	if (gpu_of_resource(sc, GPU_CMD_RESOURCE_UNREF, fb->fb_resource) == 0)
		fb->fb_device = 0;
}

/* Flushes */

/*
 * Send both commands of a flush with one doorbell. They are in order: the
 * device takes a queue's fenced commands as they come.
 */
static int
gpu_flush_send(struct pv_gpu *sc, struct pv_gpu_fb *fb,
    const struct gpu_rect *rect)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;
	struct gpu_slot *slot;
	bus_size_t off, len;
	uint8_t *p;
	int error;

	off = (bus_size_t)rect->y * fb_stride(fb) + rect->x * 4;
	len = (bus_size_t)(rect->h - 1) * fb_stride(fb) + rect->w * 4;
	pv_dmamem_sync(&fb->fb_dma, off, len, BUS_DMASYNC_PREWRITE);

	slot = &cmds->gc_slots[GPU_SLOT_TRANSFER];
	p = gpu_begin(sc, slot, GPU_CMD_TRANSFER_TO_HOST_2D);
	gpu_put_rect(p + GPU_TRANSFER_RECT, rect);
	pv_dev_put64(p + GPU_TRANSFER_OFFSET, off);
	pv_dev_put32(p + GPU_TRANSFER_RESOURCE, fb->fb_resource);
	error = gpu_enqueue(sc, slot, GPU_TRANSFER_LEN, NULL, GPU_HDRLEN);
	if (error) {
		pv_dmamem_sync(&fb->fb_dma, off, len, BUS_DMASYNC_POSTWRITE);
		return error;
	}
	cmds->gc_synced = fb;
	cmds->gc_flushoff = off;
	cmds->gc_flushlen = len;

	slot = &cmds->gc_slots[GPU_SLOT_FLUSH];
	p = gpu_begin(sc, slot, GPU_CMD_RESOURCE_FLUSH);
	gpu_put_rect(p + GPU_FLUSH_RECT, rect);
	pv_dev_put32(p + GPU_FLUSH_RESOURCE, fb->fb_resource);
	error = gpu_enqueue(sc, slot, GPU_FLUSH_LEN, NULL, GPU_HDRLEN);
	if (error)
		return pv_virtio_break(sc->sc_dev, "control queue: no room");

	pv_dev_wait_begin(&cmds->gc_wait, GPU_TIMEOUT_NS);
	pv_virtq_publish(sc->sc_ctrlq);
	cmds->gc_flushing = 1;
	sc->sc_counters.gc_flushes++;
	sc->sc_counters.gc_pixels += (uint64_t)rect->w * rect->h;
	return 0;
}

/* The device no longer reads what a flush was about. */
static void
gpu_flush_over(struct pv_gpu *sc)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;

	cmds->gc_flushing = 0;
	if (cmds->gc_synced != NULL)
		pv_dmamem_sync(&cmds->gc_synced->fb_dma, cmds->gc_flushoff,
		    cmds->gc_flushlen, BUS_DMASYNC_POSTWRITE);
	cmds->gc_synced = NULL;
}

/* EAGAIN: it is under way still. Otherwise its result, once. */
static int
gpu_flush_look(struct pv_gpu *sc, int sleep)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;
	struct gpu_slot *transfer = &cmds->gc_slots[GPU_SLOT_TRANSFER];
	struct gpu_slot *flush = &cmds->gc_slots[GPU_SLOT_FLUSH];
	int error, flush_error;

	if (!cmds->gc_flushing)
		return 0;
	error = gpu_done(sc, transfer, &cmds->gc_wait, sleep);
	if (error == 0)
		error = gpu_done(sc, flush, &cmds->gc_wait, sleep);
	if (error == EAGAIN)
		return error;
	cmds->gc_flushing = 0;
	if (error)
		return error;
	gpu_flush_over(sc);
	error = gpu_answer(sc, transfer, GPU_RESP_OK_NODATA, GPU_HDRLEN, NULL);
	flush_error = gpu_answer(sc, flush, GPU_RESP_OK_NODATA, GPU_HDRLEN,
	    NULL);
	return error ? error : flush_error;
}

static int
gpu_flush_await(struct pv_gpu *sc)
{
	int error;

	while ((error = gpu_flush_look(sc, 1)) == EAGAIN)
		sc->sc_counters.gc_waits++;
	return error;
}

/* Make a framebuffer known to the device, with its contents, and show it. */
static int
gpu_show(struct pv_gpu *sc, struct pv_gpu_fb *fb)
{
	const struct gpu_rect whole = { 0, 0, fb->fb_width, fb->fb_height };
	int error;

	fb->fb_resource = ++sc->sc_resource;
	error = gpu_create(sc, fb);
	if (error)
		return error;
	fb->fb_device = 1;		/* from when it may have been attached */
	error = gpu_attach_backing(sc, fb);
	if (error == 0)
		error = gpu_set_scanout(sc, fb);
	if (error == 0)
		error = gpu_flush_send(sc, fb, &whole);
	if (error == 0)
		error = gpu_flush_await(sc);
	if (error)
		gpu_unshare(sc, fb);
	return error;
}

/* Life */

static int
gpu_alloc_queues(struct pv_gpu *sc)
{
	const struct pv_virtq_params control = {
		.vp_name = "control",
		.vp_size = GPU_CTRL_QUEUE,
		.vp_maxpieces = 3,
		.vp_maxsegs = GPU_MAXLISTSEGS + 2,
		.vp_policy = PV_VIRTQ_CLAMP,	/* gpu_answer judges */
	};
	/* Without a cursor queue one host never shows a picture. */
	const struct pv_virtq_params cursor = {
		.vp_name = "cursor",
		.vp_size = GPU_CURSOR_QUEUE,
		.vp_maxpieces = 2,
		.vp_maxsegs = 2,
		.vp_policy = PV_VIRTQ_CLAMP,
	};
	int error;

	error = pv_dev_queue(sc->sc_dev, GPU_CONTROLQ, &control, &sc->sc_ctrlq);
	if (error)
		return error;
	return pv_dev_queue(sc->sc_dev, GPU_CURSORQ, &cursor, &sc->sc_cursorq);
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

/* The device runs: find the display and show the framebuffer there. */
static int
gpu_setup(struct pv_gpu *sc)
{
	uint32_t width, height;
	int enabled, error;

	error = gpu_clear_events(sc);
	if (error == 0)
		error = gpu_display(sc, &width, &height, &enabled);
	if (error == 0)
		error = gpu_read_edid(sc);
	if (error == 0 && sc->sc_fb == NULL)
		error = fb_alloc(sc, width, height, &sc->sc_fb);
	if (error == 0)
		error = gpu_show(sc, sc->sc_fb);
	if (error)
		return error;
	/* The size may have changed while the device was stopped. */
	if (enabled && (width != sc->sc_fb->fb_width ||
	    height != sc->sc_fb->fb_height) && sc->sc_cb.gc_changed != NULL)
		sc->sc_cb.gc_changed(sc->sc_arg);
	return 0;
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
	error = pv_virtio_negotiate(sc->sc_dev, &gpu_features, sc);
	if (error)
		return error;
	error = gpu_read_nscanouts(sc);
	if (error == 0)
		error = gpu_alloc_queues(sc);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error)
		goto fail;
	sc->sc_running = 1;
	pv_virtq_intr_disable(sc->sc_ctrlq);
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
	unsigned int i;
	int error;

	cmds = pv_kern_alloc(sizeof(*cmds));
	if (cmds == NULL)
		return ENOMEM;
	error = pv_dmamem_alloc(&cmds->gc_dma, sc->sc_dev->vd_dmat,
	    GPU_NSLOTS * GPU_SLOT_LEN, DMA_LINE, 1, 0, 0);
	if (error) {
		pv_kern_free(cmds, sizeof(*cmds));
		return error;
	}
	for (i = 0; i < GPU_NSLOTS; i++)
		cmds->gc_slots[i].gs_off = i * GPU_SLOT_LEN;
	sc->sc_cmds = cmds;
	return 0;
}

static void
gpu_take_params(struct pv_gpu *sc, const struct pv_gpu_params *params)
{
	if (params != NULL)
		sc->sc_params = *params;
	if (gpu_size_valid(sc->sc_params.gp_width, sc->sc_params.gp_height))
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
	struct pv_gpu_fb *fb;
	unsigned int i;
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	pv_dev_queue_drain(sc->sc_ctrlq);
	if (error) {
		sc->sc_cmds->gc_flushing = 0;
		return error;
	}
	gpu_flush_over(sc);
	for (i = 0; i < GPU_NSLOTS; i++)
		sc->sc_cmds->gc_slots[i].gs_state = SLOT_FREE;
	if (sc->sc_fb != NULL)
		sc->sc_fb->fb_device = 0;
	for (fb = sc->sc_old; fb != NULL; fb = fb->fb_next)
		fb->fb_device = 0;
	gpu_reap(sc);
	return 0;
}

/* The part of detach that happens once. */
static void
gpu_close(struct pv_gpu *sc)
{
	sc->sc_lost = pv_gpu_stop(sc) != 0;
	sc->sc_detached = 1;
	pv_dev_queue_free(&sc->sc_ctrlq);
	pv_dev_queue_free(&sc->sc_cursorq);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	pv_dmamem_release(&sc->sc_cmds->gc_dma, sc->sc_lost);
	pv_kern_free(sc->sc_cmds, sizeof(*sc->sc_cmds));
	sc->sc_cmds = NULL;
	if (sc->sc_fb != NULL)
		gpu_retire(sc, sc->sc_fb);
	sc->sc_fb = NULL;
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

/* Another size: a new framebuffer takes the place of the old one. */
static int
gpu_resize(struct pv_gpu *sc, uint32_t width, uint32_t height)
{
	struct pv_gpu_fb *fb, *old = sc->sc_fb;
	int error;

	error = fb_alloc(sc, width, height, &fb);
	if (error)
		return error;
	error = gpu_show(sc, fb);
	if (error) {
		gpu_retire(sc, fb);
		gpu_reap(sc);
		return error;
	}
	sc->sc_fb = fb;
	sc->sc_counters.gc_resizes++;
	gpu_unshare(sc, old);
	gpu_retire(sc, old);
	gpu_revoke(sc);
	gpu_reap(sc);
	return 0;
}

int
pv_gpu_changed(struct pv_gpu *sc)
{
	unsigned int scanout = sc->sc_scanout;
	uint32_t width, height;
	int enabled, error;

	if (!sc->sc_running)
		return -ENXIO;
	gpu_flush_await(sc);
	error = gpu_clear_events(sc);
	if (error == 0)
		error = gpu_display(sc, &width, &height, &enabled);
	if (error)
		return -error;
	if (!enabled || (scanout == sc->sc_scanout &&
	    width == sc->sc_fb->fb_width && height == sc->sc_fb->fb_height)) {
		sc->sc_scanout = scanout;
		return -gpu_read_edid(sc);
	}
	error = gpu_resize(sc, width, height);
	if (error == 0) {
		gpu_read_edid(sc);
		return 1;
	}
	/* Whatever the attempt did, show the old one where it was. */
	if (pv_virtio_broken(sc->sc_dev) == NULL) {
		sc->sc_scanout = scanout;
		gpu_set_scanout(sc, sc->sc_fb);
	}
	return -error;
}

/* Drawing */

void
pv_gpu_geometry(const struct pv_gpu *sc, struct pv_gpu_geometry *gg)
{
	const struct pv_gpu_fb *fb = sc->sc_fb;

	memset(gg, 0, sizeof(*gg));
	if (fb == NULL)
		return;
	gg->gg_width = fb->fb_width;
	gg->gg_height = fb->fb_height;
	gg->gg_stride = fb_stride(fb);
	gg->gg_generation = fb->fb_generation;
	gg->gg_len = (size_t)fb->fb_dma.dm_size;
	gg->gg_scanout = sc->sc_scanout;
	gg->gg_nsegs = (unsigned int)fb->fb_dma.dm_map->dm_nsegs;
}

void *
pv_gpu_kva(const struct pv_gpu *sc)
{
	return sc->sc_fb == NULL ? NULL : sc->sc_fb->fb_dma.dm_kva;
}

int
pv_gpu_segment(const struct pv_gpu *sc, unsigned int i, bus_addr_t *addr,
    bus_size_t *len)
{
	bus_dmamap_t map;

	if (sc->sc_fb == NULL)
		return ERANGE;
	map = sc->sc_fb->fb_dma.dm_map;
	if (i >= (unsigned int)map->dm_nsegs)
		return ERANGE;
	*addr = map->dm_segs[i].ds_addr;
	*len = map->dm_segs[i].ds_len;
	return 0;
}

int
pv_gpu_flush_begin(struct pv_gpu *sc, unsigned int x, unsigned int y,
    unsigned int w, unsigned int h)
{
	struct pv_gpu_fb *fb = sc->sc_fb;
	struct gpu_rect rect;
	int error;

	if (!sc->sc_running)
		return ENXIO;
	error = gpu_poll(sc);
	if (error)
		return error;
	if (sc->sc_cmds->gc_flushing)
		return EBUSY;
	if (x >= fb->fb_width || y >= fb->fb_height || w == 0 || h == 0)
		return 0;
	rect.x = x;
	rect.y = y;
	rect.w = w < fb->fb_width - x ? w : fb->fb_width - x;
	rect.h = h < fb->fb_height - y ? h : fb->fb_height - y;
	return gpu_flush_send(sc, fb, &rect);
}

int
pv_gpu_flush_end(struct pv_gpu *sc)
{
	if (!sc->sc_running)
		return ENXIO;
	return gpu_flush_look(sc, 0);
}

int
pv_gpu_flush(struct pv_gpu *sc, unsigned int x, unsigned int y,
    unsigned int w, unsigned int h)
{
	int error;

	if (!sc->sc_running)
		return ENXIO;
	gpu_flush_await(sc);
	error = pv_gpu_flush_begin(sc, x, y, w, h);
	return error ? error : gpu_flush_await(sc);
}

/* User space */

paddr_t
pv_gpu_mmap(struct pv_gpu *sc, off_t offset, int prot)
{
	struct pv_gpu_fb *fb = sc->sc_fb;
	paddr_t pa;

	/* A negative offset is beyond any framebuffer. */
	if (fb == NULL || (uint64_t)offset % PAGE_SIZE != 0 ||
	    (uint64_t)offset >= fb->fb_dma.dm_size)
		return (paddr_t)-1;
	pa = bus_dmamem_mmap(fb->fb_dma.dm_tag, fb->fb_dma.dm_mem,
	    fb->fb_dma.dm_nmem, offset, prot,
	    BUS_DMA_WAITOK | fb->fb_dma.dm_flags);
	if (pa != (paddr_t)-1)
		fb->fb_user = 1;
	return pa;
}

void
pv_gpu_revoked(struct pv_gpu *sc, unsigned int generation)
{
	struct pv_gpu_fb *fb;

	if (sc->sc_fb != NULL && sc->sc_fb->fb_generation == generation)
		sc->sc_fb->fb_user = 0;
	for (fb = sc->sc_old; fb != NULL; fb = fb->fb_next)
		if (fb->fb_generation == generation)
			fb->fb_user = 0;
	gpu_reap(sc);
}

size_t
pv_gpu_edid(const struct pv_gpu *sc, const uint8_t **p)
{
	*p = sc->sc_edid;
	return sc->sc_edid_blocks * (size_t)GPU_BLOCK;
}

const struct pv_gpu_counters *
pv_gpu_counters(const struct pv_gpu *sc)
{
	return &sc->sc_counters;
}
