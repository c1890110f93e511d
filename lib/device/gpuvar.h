/* SPDX-License-Identifier: ISC */
/*
 * The display driver's state: gpu.c (its life, heads), gpu_command.c (commands,
 * answers, fences), gpu_fb.c (framebuffers), gpu_flush.c (damage, flushes,
 * flips), gpu_edid.c, gpu_cursor.c, gpu_3d.c.
 */
#ifndef DEVICE_GPUVAR_H
#define DEVICE_GPUVAR_H

#include <paravane/gpu.h>

#include "../core/virtio_var.h"
#include "dev.h"
#include "gpureg.h"

#define GPU_TIMEOUT_NS		5000000000ULL
#define GPU_TIMEOUT_3D_NS	30000000000ULL
#define GPU_CTRL_QUEUE		64
#define GPU_CTRL_QUEUE_MIN	4	/* a transfer and a flush, two each */
#define GPU_CURSOR_QUEUE	16
#define GPU_MAXENTRIES		16384	/* of a backing: QEMU takes no more */
#define GPU_MAXLISTSEGS		62	/* of the memory that lists them: a
					 * chain of GPU_CTRL_QUEUE at most */
#define GPU_BLOCK		128	/* of an EDID */
#define GPU_MAXSTREAM		4	/* pieces of a command stream */

/*
 * A slot holds a command while it is under way: its request and its answer, on
 * lines of their own. Those of jobs have answers without data; one is for the
 * command that somebody waits for, and some are the cursor queue's.
 */
#define GPU_NJOBSLOTS		32
#define GPU_SLOT_COMMAND	GPU_NJOBSLOTS
#define GPU_SLOT_CURSOR		(GPU_SLOT_COMMAND + 1)
#define GPU_NCURSORSLOTS	8
#define GPU_NSLOTS		(GPU_SLOT_CURSOR + GPU_NCURSORSLOTS)
#define GPU_REQUEST_LEN		DMA_LINE
#define GPU_ANSWER_MAX		(GPU_HDRLEN + PV_GPU_CAPSET_MAX)
#define GPU_SLOT_LEN		(GPU_REQUEST_LEN + DMA_LINES(GPU_HDRLEN))
#define GPU_CMDS_SEGS		8	/* of 4 KiB and more, if it must be */
#define GPU_CMDS_LEN		(GPU_NSLOTS * GPU_SLOT_LEN + \
				    DMA_LINES(GPU_ANSWER_MAX))

/*
 * A job is what has a fence: some commands that were sent with one doorbell.
 * Jobs end in any order; of an ended one the result stays until its place is
 * wanted.
 */
#define GPU_NJOBS		16
#define GPU_NRECTS		8	/* of a framebuffer's damage */

enum gpu_slot_state { SLOT_FREE, SLOT_SENT, SLOT_DONE };

struct gpu_job {
	uint64_t gj_fence;
	uint64_t gj_deadline;
	unsigned int gj_left;		/* commands without an answer */
	int gj_error;
};

struct gpu_slot {
	enum gpu_slot_state gs_state;
	bus_size_t gs_off;		/* in gc_dma: request */
	bus_size_t gs_answer;		/* and answer */
	uint32_t gs_command;
	uint64_t gs_fence;
	uint32_t gs_ctx;
	uint32_t gs_answerlen;		/* that the device wrote */
	struct gpu_job *gs_job;		/* NULL: it is waited for */
	struct pv_gpu_fb *gs_fb;	/* NULL, or of this the device may */
	bus_size_t gs_syncoff;		/* read what was synced for it */
	bus_size_t gs_synclen;
};

struct pv_gpu_cmds {
	struct pv_dmamem gc_dma;	/* first */
	struct pv_dmamem gc_left;	/* of a command without an answer */
	struct gpu_slot gc_slots[GPU_NSLOTS];
	struct gpu_job gc_jobs[GPU_NJOBS];
	uint8_t gc_free[GPU_NJOBSLOTS];	/* slots of jobs, a stack */
	unsigned int gc_nfree;
	unsigned int gc_njobs;		/* that have not ended */
	uint64_t gc_jobfence;		/* last used, of the jobs' */
	uint64_t gc_fence;		/* likewise, of commands' */
	int gc_error;			/* first since pv_gpu_flush_end */
	uint8_t gc_answer[GPU_ANSWER_MAX]; /* the copy that is judged */
};

struct gpu_damage {
	unsigned int gd_n;
	struct pv_gpu_rect gd_rects[GPU_NRECTS];
};

/* A framebuffer, and who may still reach its memory. */
struct pv_gpu_fb {
	struct pv_gpu_fb *fb_next;	/* in sc_fbs or sc_old */
	struct pv_dmamem fb_dma;
	struct pv_dmamem fb_list;	/* its segments, as the device wants */
	struct gpu_damage fb_damage;
	uint32_t fb_width;
	uint32_t fb_height;
	enum pv_gpu_format fb_format;
	unsigned int fb_generation;
	uint32_t fb_resource;
	uint8_t fb_blob;		/* it was made as one */
	uint8_t fb_copied;		/* never to be one: a cursor */
	uint8_t fb_port;		/* of pv_gpu_fb_create */
	uint8_t fb_device;		/* the device may: it is attached */
	uint8_t fb_user;		/* user space may: pages handed out */
	uint8_t fb_revoking;		/* gc_revoke was called */
};

static inline uint32_t
fb_stride(const struct pv_gpu_fb *fb)
{
	return fb->fb_width * 4;
}

static inline struct pv_gpu_fb *
gpu_primary_fb(const struct pv_gpu *sc)
{
	return sc->sc_heads[sc->sc_scanout].gh_own;
}

/* gpu_command.c */

void gpu_init_slots(struct pv_gpu_cmds *);

/* Begin a request in a slot; the caller fills in what follows the header. */
uint8_t *gpu_begin(struct pv_gpu *, struct gpu_slot *, uint32_t command);

/*
 * A command that is waited for: gpu_begin_command, then gpu_command sends it,
 * with more behind it or NULL, and awaits the answer, which gpu_answered judges
 * and copies to gc_answer; gpu_simple is both, of one without data.
 */
uint8_t *gpu_begin_command(struct pv_gpu *, uint32_t command);
int gpu_command(struct pv_gpu *, uint32_t len, const struct pv_dmamem *more,
    uint32_t answerlen);
int gpu_answered(struct pv_gpu *, uint32_t expected, uint32_t minlen,
    uint32_t *len);
int gpu_simple(struct pv_gpu *, uint32_t len, const struct pv_dmamem *more);
int gpu_of_resource(struct pv_gpu *, uint32_t command, uint32_t resource);

/* Whether commands can be sent: ENXIO stopped, EIO broken. */
static inline int
gpu_ready(const struct pv_gpu *sc)
{
	if (!sc->sc_running)
		return ENXIO;
	return pv_virtio_broken(sc->sc_dev) != NULL ? EIO : 0;
}

/* Judge a slot's answer; it is free then. */
int gpu_answer(struct pv_gpu *, struct gpu_slot *, uint32_t expected,
    uint32_t minlen, uint32_t *len);

/*
 * Jobs. gpu_job_begin: EBUSY no room for n commands. gpu_job_slot is one of
 * them, begun; gpu_job_enqueue enqueues it, and the pieces behind it; where
 * that fails, gpu_job_cancel if it was the first, else gpu_job_broken.
 * gpu_job_send: all of them are the device's, who has timeout_ns for it.
 */
int gpu_job_begin(struct pv_gpu *, unsigned int n, struct gpu_job **);
struct gpu_slot *gpu_job_slot(struct pv_gpu *, struct gpu_job *,
    uint32_t command, uint8_t **request);
int gpu_job_enqueue(struct pv_gpu *, struct gpu_slot *, uint32_t len,
    const struct pv_piece *, unsigned int npieces);
void gpu_job_cancel(struct pv_gpu *, struct gpu_job *);
int gpu_job_broken(struct pv_gpu *, struct gpu_job *);
void gpu_job_send(struct pv_gpu *, struct gpu_job *, uint64_t timeout_ns,
    uint64_t *fence);

/* Take what is done. Errors: EIO, ETIMEDOUT; all jobs end then. */
int gpu_poll(struct pv_gpu *);

/* Wait until no job is left. */
int gpu_wait_jobs(struct pv_gpu *);

/* After a stop: jobs end, and if the reset was confirmed slots are free. */
void gpu_jobs_stopped(struct pv_gpu *, int confirmed);

/* gpu_fb.c */

int gpu_size_valid(uint32_t width, uint32_t height);
int fb_alloc(struct pv_gpu *, uint32_t width, uint32_t height,
    enum pv_gpu_format, uint32_t pixel, struct pv_gpu_fb **);

/* Make it known to the device, with its memory. */
int gpu_make(struct pv_gpu *, struct pv_gpu_fb *);

/* Take it from the device. */
void gpu_unshare(struct pv_gpu *, struct pv_gpu_fb *);

/* It is no longer in use: freed when neither device nor user space has it. */
void gpu_retire(struct pv_gpu *, struct pv_gpu_fb *);
void gpu_revoke(struct pv_gpu *);
void gpu_reap(struct pv_gpu *);

/* gpu_flush.c */

/* A request that shows a part of a framebuffer, or NULL; returns its length. */
uint32_t gpu_put_scanout(uint8_t *request, unsigned int head,
    const struct pv_gpu_fb *, const struct pv_gpu_rect *);
uint32_t gpu_scanout_command(const struct pv_gpu_fb *);
int gpu_set_scanout(struct pv_gpu *, unsigned int head, struct pv_gpu_fb *,
    const struct pv_gpu_rect *);
void gpu_damage_add(struct gpu_damage *, const struct pv_gpu_rect *,
    unsigned int most, uint64_t *merged);
void gpu_damage_whole(struct pv_gpu_fb *);
int gpu_flush_whole(struct pv_gpu *, struct pv_gpu_fb *, int wait);

/* gpu_edid.c */

int gpu_read_edid(struct pv_gpu *, unsigned int head);

/* gpu_cursor.c */

int gpu_alloc_cursorq(struct pv_gpu *);
void gpu_cursor_restore(struct pv_gpu *);

#endif /* DEVICE_GPUVAR_H */
