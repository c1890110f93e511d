/* SPDX-License-Identifier: ISC */
/*
 * gpu.h - displays (Device Types / GPU Device), 2D
 *
 * One framebuffer of B8G8R8X8 pixels in bus_dma(9) memory, in as many segments
 * as the memory came in, shown on the first enabled scanout. The kernel draws
 * through pv_gpu_kva and user space through pv_gpu_mmap; either calls
 * pv_gpu_flush for what it drew. X is the drawer's: write 0xff, one host takes
 * it as alpha.
 *
 * Generations. A resize makes a new framebuffer. Pages of the old one that
 * pv_gpu_mmap handed out are not freed before the port says, with
 * pv_gpu_revoked, that nobody maps them; until then the old one stays in
 * memory, no longer shown. Drawing into it is harmless.
 */
#ifndef PARAVANE_GPU_H
#define PARAVANE_GPU_H

#include <paravane/virtq.h>

/* Feature bits, as bit numbers (GPU Device / Feature bits). */
#define PV_GPU_F_VIRGL		0
#define PV_GPU_F_EDID		1
#define PV_GPU_F_RESOURCE_UUID	2
#define PV_GPU_F_RESOURCE_BLOB	3
#define PV_GPU_F_CONTEXT_INIT	4

#define PV_GPU_MAXSCANOUTS	16
#define PV_GPU_MAXWIDTH		16384	/* pixels, either way */
#define PV_GPU_EDID_MAX		1024	/* bytes */

struct pv_gpu_callbacks {
	/*
	 * The display's size changed: call pv_gpu_changed from a thread.
	 * From any context.
	 */
	void (*gc_changed)(void *arg);
	/*
	 * Unmap what user space has of this generation, then (now or later)
	 * call pv_gpu_revoked. From pv_gpu_changed and pv_gpu_detach.
	 */
	void (*gc_revoke)(void *arg, unsigned int generation);
	/* The device is broken: pv_gpu_stop, then pv_gpu_start. Any context. */
	void (*gc_broken)(void *arg, const char *why);
};

struct pv_gpu_params {
	unsigned int gp_width;		/* if the display names no size, or to */
	unsigned int gp_height;		/* override it: pixels; 0: 1024 x 768 */
	int gp_force;			/* take these whatever the display says */
	bus_size_t gp_maxseg;		/* longest segment, at least PAGE_SIZE; 0:
					 * no limit */
	uint64_t gp_deny;		/* features to leave, as a mask */
};

struct pv_gpu_geometry {
	unsigned int gg_width;		/* pixels */
	unsigned int gg_height;
	unsigned int gg_stride;		/* bytes */
	unsigned int gg_generation;	/* 1 and up */
	size_t gg_len;			/* bytes, a multiple of PAGE_SIZE */
	unsigned int gg_scanout;
	unsigned int gg_nsegs;		/* DMA segments */
};

struct pv_gpu_counters {
	uint64_t gc_flushes, gc_pixels, gc_commands, gc_errors, gc_resizes,
	    gc_waits;
};

struct pv_gpu_fb;
struct pv_gpu_cmds;

/* The driver's state. The port allocates it; all members are private. */
struct pv_gpu {
	struct pv_virtio *sc_dev;
	struct pv_gpu_callbacks sc_cb;
	void *sc_arg;
	struct pv_gpu_params sc_params;
	struct pv_virtq *sc_ctrlq;
	struct pv_virtq *sc_cursorq;
	struct pv_gpu_cmds *sc_cmds;		/* DMA memory of commands */
	struct pv_gpu_fb *sc_fb;		/* shown */
	struct pv_gpu_fb *sc_old;		/* list: mapped by user space */
	unsigned int sc_generation;
	uint32_t sc_resource;			/* last id used */
	unsigned int sc_nscanouts;
	unsigned int sc_scanout;
	uint8_t sc_running;
	uint8_t sc_detached;
	uint8_t sc_lost;			/* the last reset: unconfirmed */
	uint8_t sc_edid_blocks;			/* of 128 bytes, in sc_edid */
	uint8_t sc_edid[PV_GPU_EDID_MAX];
	struct pv_gpu_counters sc_counters;
};

/*
 * pv_gpu_attach - take a device of type PV_TYPE_GPU into use
 *
 * As pv_net_attach. Asks for the displays, takes the first enabled one (if none
 * is, scanout 0 at gp_width x gp_height, and waits for a change), allocates the
 * framebuffer (in segments, all bytes 0), creates the resource, attaches the
 * backing and sets the scanout. Commands are waited for, each at most five
 * seconds. Errors: those of negotiation and queues; ENOMEM; ETIMEDOUT; EIO the
 * device answered with an error (the log names the command and the error) or
 * broke.
 * On error nothing stays allocated. Context: thread.
 */
int pv_gpu_attach(struct pv_gpu *, struct pv_virtio *dev,
    const struct pv_gpu_callbacks *, void *arg, const struct pv_gpu_params *);

/*
 * pv_gpu_stop, pv_gpu_start - the two steps of a reset
 *
 * The framebuffer's memory and generation live on: start creates the resource
 * anew over the same pages, and calls gc_changed if the display now has another
 * size. stop returns 0, or ETIMEDOUT if the reset was not confirmed: then start
 * returns EIO, and nothing that the device can reach is freed any more. Other
 * errors of start: EBUSY the device runs; those of pv_gpu_attach.
 * Context: thread, nothing else on this device meanwhile.
 */
int pv_gpu_stop(struct pv_gpu *);
int pv_gpu_start(struct pv_gpu *);

/*
 * pv_gpu_detach - end
 *
 * Calls gc_revoke for each generation that was handed out. Returns 0 when all
 * is freed; EBUSY while user space still maps some: nothing new is handed out,
 * and the port calls pv_gpu_detach again after pv_gpu_revoked; ETIMEDOUT the
 * reset was not confirmed, and memory was left behind. Context: thread.
 */
int pv_gpu_detach(struct pv_gpu *);

/* The framebuffer as it is now. Context: any but during changed, detach. */
void pv_gpu_geometry(const struct pv_gpu *, struct pv_gpu_geometry *);
void *pv_gpu_kva(const struct pv_gpu *);

/*
 * pv_gpu_segment - DMA segment i of the framebuffer, for people and tests
 * Errors: ERANGE there is none. Context: any.
 */
int pv_gpu_segment(const struct pv_gpu *, unsigned int i, bus_addr_t *,
    bus_size_t *);

/*
 * pv_gpu_flush - show a damaged rectangle, and wait until the device has it
 *
 * x, y, w, h	pixels; clipped to the framebuffer; empty is 0 and nothing
 *
 * PREWRITE over just those rows, TRANSFER_TO_HOST_2D, RESOURCE_FLUSH, one
 * doorbell, POSTWRITE when the device is done. Errors: EIO broken, or the
 * device answered with an error; ETIMEDOUT (and broken); ENXIO stopped.
 * Context: thread, or a kernel going down, where pv_kern_pause_us delays. (GPU
 * Device / Device Operation)
 */
int pv_gpu_flush(struct pv_gpu *, unsigned int x, unsigned int y,
    unsigned int w, unsigned int h);

/*
 * pv_gpu_flush_begin - the same without the wait
 *
 * EBUSY: a flush is under way still. pv_gpu_flush_end looks whether it is
 * done: EAGAIN not yet, else its result, once; 0 if none was begun. Other errors
 * of both: those of pv_gpu_flush, which first ends what was begun.
 * Context: thread.
 */
int pv_gpu_flush_begin(struct pv_gpu *, unsigned int x, unsigned int y,
    unsigned int w, unsigned int h);
int pv_gpu_flush_end(struct pv_gpu *);

/*
 * pv_gpu_mmap - the page that user space maps at an offset of the framebuffer
 *
 * offset	bytes from the framebuffer's start; a multiple of PAGE_SIZE
 * prot		PROT_READ, PROT_WRITE
 *
 * Returns the physical address of that page, as bus_dmamem_mmap(9) gives it:
 * never a kernel virtual address. -1 if offset is unaligned, negative, or at or
 * beyond the framebuffer's length, or after pv_gpu_detach. The mapping has the
 * cacheability of the kernel's own. From here on the present generation counts
 * as mapped, until pv_gpu_revoked. Context: thread.
 */
paddr_t pv_gpu_mmap(struct pv_gpu *, off_t offset, int prot);

/*
 * pv_gpu_revoked - nobody maps pages of this generation any more
 *
 * An old generation is freed. Unknown generations are ignored. Context: thread.
 */
void pv_gpu_revoked(struct pv_gpu *, unsigned int generation);

/*
 * pv_gpu_changed - after gc_changed: look at the displays again
 *
 * If the size is another: allocates a new framebuffer (black), shows it, calls
 * gc_revoke for the old one if it was handed out, frees it otherwise. Returns
 * 1 if there is a new generation, 0 if nothing changed; as a negative number
 * ENOMEM (the old one stays, and is shown), EIO, ETIMEDOUT, ENXIO stopped.
 * Context: thread.
 * (GPU Device / Device configuration layout, events_read)
 */
int pv_gpu_changed(struct pv_gpu *);

/*
 * pv_gpu_edid - the display's EDID, as read at attach or at the last change
 *
 * Returns its length in bytes, a multiple of 128, or 0 where EDID is not
 * negotiated or was not sound. *p is the driver's. Context: thread.
 */
size_t pv_gpu_edid(const struct pv_gpu *, const uint8_t **p);

const struct pv_gpu_counters *pv_gpu_counters(const struct pv_gpu *);

#endif /* PARAVANE_GPU_H */
