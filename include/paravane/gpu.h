/* SPDX-License-Identifier: ISC */
/*
 * gpu.h - displays (Device Types / GPU Device)
 *
 * A head is a scanout of the device, by the device's number. Each one that is
 * driven shows a framebuffer of B8G8R8X8 pixels in bus_dma(9) memory, in as
 * many segments as the memory came in. One head is driven, the first that the
 * host has enabled: the primary one; with gp_heads more of them are.
 *
 * The calls without a head or a framebuffer (pv_gpu_geometry, pv_gpu_kva,
 * pv_gpu_segment, pv_gpu_flush, pv_gpu_mmap, pv_gpu_edid) speak of the primary
 * head's own framebuffer, and are all that a console needs. The kernel draws
 * through pv_gpu_kva and user space through pv_gpu_mmap; either calls
 * pv_gpu_flush for what it drew. X is the drawer's: write 0xff, one host takes
 * it as alpha.
 *
 * Calls of context "thread" on one device never run at the same time, nor while
 * another of them waits: the port sees to that.
 *
 * Generations. Each framebuffer has a number of its own. A resize makes a new
 * framebuffer. Pages of the old one that pv_gpu_mmap handed out are not freed
 * before the port says, with pv_gpu_revoked, that nobody maps them; until then
 * the old one stays in memory, no longer shown. Drawing into it is harmless.
 *
 * Fences. What takes a fence returns at once, with a number that is greater
 * than those before. pv_gpu_fence says whether the device is done; gc_done
 * tells. Device memory is given back (POSTWRITE) before that.
 *
 * Zero copy. Where the device has RESOURCE_BLOB, framebuffers are blobs of
 * guest memory, which the host shows where they lie: a flush transfers nothing.
 * A device that refuses one gets ordinary resources.
 *
 * The second half of this header is for clients that render: contexts,
 * capability sets, command streams, blobs. The driver passes them on, and
 * checks what comes back. They need gp_3d, and a host that has it.
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
#define PV_GPU_F_BLOB_ALIGNMENT	5

#define PV_GPU_MAXSCANOUTS	16
#define PV_GPU_MAXWIDTH		16384	/* pixels, either way */
#define PV_GPU_EDID_MAX		1024	/* bytes */
#define PV_GPU_CURSOR_SIZE	64	/* pixels, either way */
#define PV_GPU_CAPSET_MAX	4096	/* bytes of one that are taken */
#define PV_GPU_MAXRINGS		64	/* of a context */

/* Formats (Device Operation: controlq), by the order of bytes in memory. */
enum pv_gpu_format {
	PV_GPU_B8G8R8A8 = 1,
	PV_GPU_B8G8R8X8 = 2,
	PV_GPU_A8R8G8B8 = 3,
	PV_GPU_X8R8G8B8 = 4,
	PV_GPU_R8G8B8A8 = 67,
	PV_GPU_X8B8G8R8 = 68,
	PV_GPU_A8B8G8R8 = 121,
	PV_GPU_R8G8B8X8 = 134
};

struct pv_gpu_rect {
	uint32_t x, y, w, h;		/* pixels */
};

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
	/*
	 * The device is done with what has this fence; error is 0, EIO it
	 * refused, or is broken, ENOMEM it said that it has no memory,
	 * ETIMEDOUT. From the call that found out, in its context;
	 * pv_gpu_poll is the one for it. It calls nothing here.
	 */
	void (*gc_done)(void *arg, uint64_t fence, int error);
	/*
	 * Call pv_gpu_poll from a thread. Any context. If this is NULL the
	 * device is asked for no interrupts, and who waits looks.
	 */
	void (*gc_progress)(void *arg);
};

struct pv_gpu_params {
	unsigned int gp_width;		/* if the display names none, or to */
	unsigned int gp_height;		/* override it: pixels; 0: 1024 x 768 */
	int gp_force;			/* whatever the display says */
	bus_size_t gp_maxseg;		/* longest segment, at least PAGE_SIZE;
					 * 0: no limit */
	uint64_t gp_deny;		/* features to leave, as a mask */
	unsigned int gp_heads;		/* to drive at most; 0: 1 */
	int gp_3d;			/* take VIRGL and CONTEXT_INIT */
	int gp_nowait;			/* a head's new framebuffer is sent, and
					 * not waited for */
	uint32_t gp_colour;		/* all its pixels then; 0: all bytes 0 */
};

struct pv_gpu_geometry {
	unsigned int gg_width;		/* pixels */
	unsigned int gg_height;
	unsigned int gg_stride;		/* bytes */
	unsigned int gg_generation;	/* 1 and up */
	size_t gg_len;			/* bytes, a multiple of PAGE_SIZE */
	unsigned int gg_scanout;	/* the primary head */
	unsigned int gg_nsegs;		/* DMA segments */
	enum pv_gpu_format gg_format;
	int gg_blob;			/* shown where it lies */
};

enum pv_gpu_head_state {
	PV_GPU_HEAD_OFF,	/* shows nothing */
	PV_GPU_HEAD_ON,
	PV_GPU_HEAD_SUSPENDED	/* on, but the host has disabled it */
};

struct pv_gpu_head_info {
	enum pv_gpu_head_state hi_state;
	int hi_enabled;			/* by the host, which would like */
	struct pv_gpu_rect hi_wish;	/* this place and size */
	unsigned int hi_generation;	/* shown; 0: none */
};

/* What an EDID says. */
struct pv_gpu_mode {
	uint16_t md_width, md_height;	/* pixels */
	uint32_t md_mhz;		/* frames in a thousand seconds; 0: not
					 * known */
};

#define PV_GPU_MAXMODES	32

struct pv_gpu_monitor {
	char mo_maker[4];		/* three letters */
	char mo_name[14];		/* "" where none is told */
	char mo_serial[14];
	uint16_t mo_product;
	uint16_t mo_year;		/* of make, or of the model */
	uint8_t mo_version, mo_revision; /* of the EDID */
	uint8_t mo_extensions;		/* blocks behind the first */
	uint16_t mo_width_mm, mo_height_mm; /* 0: not known */
	unsigned int mo_nmodes;		/* the preferred one is the first */
	struct pv_gpu_mode mo_modes[PV_GPU_MAXMODES];
};

struct pv_gpu_counters {
	uint64_t gc_flushes, gc_pixels, gc_commands, gc_errors, gc_resizes,
	    gc_waits;
	uint64_t gc_merged;		/* rectangles that joined others */
	uint64_t gc_busy;		/* flushes refused: no room */
	uint64_t gc_flips, gc_moves;	/* of scanouts; of cursors */
	unsigned int gc_most;		/* under way at once */
};

struct pv_gpu_fb;
struct pv_gpu_cmds;
struct pv_gpu_resource;

/* A head; private. */
struct pv_gpu_head {
	struct pv_gpu_fb *gh_own;		/* resized with the display */
	struct pv_gpu_fb *gh_shown;		/* NULL: none */
	struct pv_gpu_rect gh_rect;		/* of gh_shown */
	struct pv_gpu_rect gh_wish;		/* of the host */
	uint32_t gh_denied_w, gh_denied_h;	/* there was no memory for that,
						 * so gh_own is a smaller one */
	uint8_t gh_enabled;			/* by the host */
	uint8_t gh_seen;			/* it was, with what is shown */
	uint8_t gh_suspended;
	uint8_t gh_cursor;			/* visible */
	uint8_t gh_move;			/* the cursor's move waits */
	uint8_t gh_edid_blocks;			/* of 128 bytes */
	uint32_t gh_x, gh_y;			/* the cursor's */
	uint32_t gh_hot_x, gh_hot_y;
	uint8_t *gh_edid;			/* NULL: never read */
};

/* The driver's state. The port allocates it; all members are private. */
struct pv_gpu {
	struct pv_virtio *sc_dev;
	struct pv_gpu_callbacks sc_cb;
	void *sc_arg;
	struct pv_gpu_params sc_params;
	struct pv_virtq *sc_ctrlq;
	struct pv_virtq *sc_cursorq;
	struct pv_gpu_cmds *sc_cmds;		/* DMA memory of commands */
	struct pv_gpu_fb *sc_fbs;		/* list: in use */
	struct pv_gpu_fb *sc_old;		/* list: mapped by user space */
	struct pv_gpu_fb *sc_cursor;		/* the image; NULL: none yet */
	struct pv_gpu_resource *sc_resources;	/* list: of clients */
	unsigned int sc_generation;
	uint32_t sc_resource;			/* last id used */
	unsigned int sc_nscanouts;
	unsigned int sc_ncapsets;
	unsigned int sc_scanout;		/* the primary head */
	struct pv_shm sc_hostvisible;
	uint8_t sc_running;
	uint8_t sc_detached;
	uint8_t sc_lost;			/* last reset: unconfirmed */
	uint8_t sc_noblob;			/* the device refused one */
	struct pv_gpu_head sc_heads[PV_GPU_MAXSCANOUTS];
	struct pv_gpu_counters sc_counters;
};

/*
 * pv_gpu_attach - take a device of type PV_TYPE_GPU into use
 *
 * As pv_net_attach. Asks for the displays, takes the first enabled one (if none
 * is, scanout 0 at gp_width x gp_height, and waits for a change), and with
 * gp_heads the next ones; allocates for each a framebuffer (in segments, of
 * gp_colour), creates the resource, attaches the backing, sets the scanout and
 * flushes it. Commands are waited for (but for the last with gp_nowait), each at
 * most five seconds.
 *
 * A display below 16 or above PV_GPU_MAXWIDTH pixels either way gets gp_width x
 * gp_height. Where there is no memory for a display's size, here or, as it says,
 * with the device, it gets 1024 x 768 or, if need be, 640 x 480. The log tells
 * of either; hi_wish stays what the display would like.
 *
 * Errors: those of negotiation and queues; ENOMEM here, or with the device;
 * ETIMEDOUT; EIO the device answered with another error (the log names the
 * command and the error) or broke.
 * On error nothing stays allocated. Context: thread.
 */
int pv_gpu_attach(struct pv_gpu *, struct pv_virtio *dev,
    const struct pv_gpu_callbacks *, void *arg, const struct pv_gpu_params *);

/*
 * pv_gpu_stop, pv_gpu_start - the two steps of a reset
 *
 * The memory and generation of framebuffers live on, and so do cursors: start
 * creates the resources anew over the same pages, shows what was shown (and
 * takes the others for damaged), and calls gc_changed if the displays are now
 * others. What is under way ends with EIO. Resources, contexts and blobs of
 * clients that render are gone.
 *
 * stop returns 0, or ETIMEDOUT if the reset was not confirmed: then start
 * returns EIO, and nothing that the device can reach is freed before another
 * stop, or pv_gpu_detach, has confirmed one. Other errors of start: EBUSY the
 * device runs; those of pv_gpu_attach.
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
 * EBUSY: as many are under way as there is room for. pv_gpu_flush_end looks
 * whether all that were begun, whichever way, are done: EAGAIN not yet, else
 * the first error of any since the last time, once; 0 if none was begun. Other
 * errors of both: those of pv_gpu_flush. A suspended head's flush is 0 and
 * nothing: when the host enables it, all is shown.
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
 * A driven head of another size: allocates a new framebuffer (black), shows it,
 * calls gc_revoke for the old one if it was handed out, frees it otherwise. A
 * head that the host has enabled is driven, if gp_heads allows; one that it has
 * disabled is given up likewise, unless it is the only one: that is suspended,
 * and takes flushes without sending them. If the primary head is given up, the
 * first enabled one is the primary head from then on. A head that shows a
 * framebuffer of the port's stays as it is.
 *
 * Returns 1 if there is a new generation, 0 if nothing changed; as a negative
 * number ENOMEM (the old one stays, and is shown), EIO, ETIMEDOUT, ENXIO
 * stopped. Context: thread.
 * (GPU Device / Device configuration layout, events_read)
 */
int pv_gpu_changed(struct pv_gpu *);

/* What was counted since attach. Context: thread. */
const struct pv_gpu_counters *pv_gpu_counters(const struct pv_gpu *);

/* EDID */

/*
 * pv_gpu_edid - the primary display's EDID, as read at attach or at the last
 * change
 *
 * Returns its length in bytes, a multiple of 128, or 0 where EDID is not
 * negotiated or was not sound. *p is the driver's. Context: thread.
 */
size_t pv_gpu_edid(const struct pv_gpu *, const uint8_t **p);

/* The same of any head; 0 of one that is not enabled. */
size_t pv_gpu_head_edid(const struct pv_gpu *, unsigned int head,
    const uint8_t **p);

/*
 * pv_gpu_edid_parse - what an EDID says
 *
 * len is what is there to be read. Modes come from the detailed timings of the
 * first block and of CTA-861 extensions, the standard and the established
 * timings; each once. Extensions of other kinds (DisplayID) are not read: of a
 * display wider or higher than 4095 pixels the preferred mode may be missing,
 * and hi_wish tells it. Text that is no ASCII is left out. Nothing outside of p
 * .. p + len is looked at, whatever it says of itself. Errors: EINVAL it is too
 * short, does not begin as one, a checksum is wrong, or there are fewer blocks
 * than it says. Context: any.
 */
int pv_gpu_edid_parse(const uint8_t *p, size_t len, struct pv_gpu_monitor *);

/* Heads and framebuffers */

/* How many heads the device has, and which is the primary. Context: any. */
unsigned int pv_gpu_heads(const struct pv_gpu *);
unsigned int pv_gpu_primary(const struct pv_gpu *);

/*
 * pv_gpu_head - a head as it is now
 * Errors: ERANGE the device has no such head. Context: thread.
 */
int pv_gpu_head(const struct pv_gpu *, unsigned int head,
    struct pv_gpu_head_info *);

/*
 * pv_gpu_head_fb - what a head shows; NULL: nothing. A framebuffer of the
 * driver's own is valid until the next call of pv_gpu_changed or
 * pv_gpu_detach. Context: any but during those.
 */
struct pv_gpu_fb *pv_gpu_head_fb(const struct pv_gpu *, unsigned int head);

/*
 * pv_gpu_fb_create - another framebuffer, for page flips, for a head, or to be
 * shown in parts on several
 *
 * Its bytes are 0. It is the port's, until pv_gpu_fb_destroy or pv_gpu_detach.
 * Errors: EINVAL the size (1 to PV_GPU_MAXWIDTH) or the format; ENOMEM; EIO,
 * ETIMEDOUT, ENXIO as pv_gpu_flush. Context: thread.
 */
int pv_gpu_fb_create(struct pv_gpu *, uint32_t width, uint32_t height,
    enum pv_gpu_format, struct pv_gpu_fb **);

/*
 * pv_gpu_fb_destroy - give it back; after gc_revoke, if pages were handed out
 * Errors: EBUSY a head shows it, or it is the driver's own. Waits for what is
 * under way. Context: thread.
 */
int pv_gpu_fb_destroy(struct pv_gpu *, struct pv_gpu_fb *);

/* As pv_gpu_geometry, _kva and _mmap, of any framebuffer. */
void pv_gpu_fb_geometry(const struct pv_gpu *, const struct pv_gpu_fb *,
    struct pv_gpu_geometry *);
void *pv_gpu_fb_kva(const struct pv_gpu_fb *);
paddr_t pv_gpu_fb_mmap(struct pv_gpu *, struct pv_gpu_fb *, off_t offset,
    int prot);

/*
 * pv_gpu_damage - note that a rectangle was drawn
 *
 * Clipped; empty is nothing. The list is short: rectangles that are cheaper to
 * flush as one become one. Context: thread.
 */
void pv_gpu_damage(struct pv_gpu *, struct pv_gpu_fb *, unsigned int x,
    unsigned int y, unsigned int w, unsigned int h);

/*
 * pv_gpu_present - send what was damaged, all with one doorbell
 *
 * fence	NULL, or it becomes the fence of what was sent; 0 if that was
 *		nothing
 *
 * A framebuffer that no head shows is transferred, and not flushed. Errors:
 * EBUSY there is no room: the damage stays noted, try again when something is
 * done; those of pv_gpu_flush. Context: thread.
 */
int pv_gpu_present(struct pv_gpu *, struct pv_gpu_fb *, uint64_t *fence);

/*
 * pv_gpu_show - let a head show a part of a framebuffer: a page flip, a mirror,
 * a piece of a larger desktop; or nothing
 *
 * fb		NULL: the head is turned off
 * rect		the part; NULL: all of it
 * fence	as in pv_gpu_present
 *
 * What was damaged of it is transferred before, with the same doorbell. When
 * the fence is done the one that was shown before is free to be drawn into.
 * Several heads may show the same one. Errors: ERANGE no such head; EINVAL rect
 * is empty or not inside; EBUSY; those of pv_gpu_flush. On error the head shows
 * what it showed, unless the device refused (QEMU does, below 16 pixels either
 * way): gc_done and the fence tell that.
 * Context: thread. (Device Operation: Using pageflip)
 */
int pv_gpu_show(struct pv_gpu *, unsigned int head, struct pv_gpu_fb *fb,
    const struct pv_gpu_rect *rect, uint64_t *fence);

/* Fences */

/*
 * pv_gpu_poll - take what the device is done with; calls gc_done
 * Errors: EIO broken; ETIMEDOUT (and broken) something took more than five
 * seconds, of a command stream thirty; ENXIO stopped. Context: thread.
 */
int pv_gpu_poll(struct pv_gpu *);

/*
 * pv_gpu_fence - whether the device is done; pv_gpu_fence_wait - until it is
 *
 * Return 0 or the error that gc_done got, of the last sixteen; of older ones 0.
 * EAGAIN (of the first) not yet; EINVAL there was no such fence yet.
 * pv_gpu_fence does not look at the device. Context: thread.
 */
int pv_gpu_fence(const struct pv_gpu *, uint64_t fence);
int pv_gpu_fence_wait(struct pv_gpu *, uint64_t fence);

/* The cursor */

/*
 * pv_gpu_cursor_set - a cursor's image, and where its hot spot is
 *
 * pixels	64 x 64 of 0xAARRGGBB, alpha not multiplied in
 *
 * Shown on this head where it was moved to last. There is one image for all
 * heads. Waits for the transfer. Errors: ERANGE no such head; EINVAL the hot
 * spot is outside; ENOMEM; EBUSY no room in its queue; those of pv_gpu_flush.
 * Context: thread. (Device Operation: Configure mouse cursor)
 */
int pv_gpu_cursor_set(struct pv_gpu *, unsigned int head,
    const uint32_t *pixels, unsigned int hot_x, unsigned int hot_y);

/*
 * pv_gpu_cursor_move - move it; pv_gpu_cursor_hide - show none
 *
 * Neither waits. A move that finds no room is done with the next call, of
 * whichever: the last one counts. Errors: ERANGE; EIO; ENXIO; of hide EBUSY.
 * Context: thread. (Device Operation: cursorq)
 */
int pv_gpu_cursor_move(struct pv_gpu *, unsigned int head, uint32_t x,
    uint32_t y);
int pv_gpu_cursor_hide(struct pv_gpu *, unsigned int head);

/*
 * For clients that render
 *
 * The driver numbers resources and fences, waits (but for what takes a fence),
 * and judges answers. It does not read what it passes on. All need a thread.
 * Errors of all: ENOTSUP the feature is not negotiated; EIO the device refused,
 * or is broken; ENOMEM it has no memory; ETIMEDOUT; ENXIO stopped.
 */

/* A resource. The client allocates it, zeroed; all members are private. */
struct pv_gpu_resource {
	struct pv_gpu_resource *gr_next;
	uint32_t gr_id;			/* 0: none */
	uint64_t gr_size;		/* of a blob; 0: it is none */
	uint8_t gr_hostonly;		/* memory of the host's */
	uint8_t gr_backed;
	uint8_t gr_mapped;
};

struct pv_gpu_capset {
	uint32_t cs_id;			/* 1 virgl, 2 virgl2, 3 gfxstream, 4
					 * venus, 5 cross-domain, ... */
	uint32_t cs_max_version;
	uint32_t cs_max_size;		/* bytes */
};

/* RESOURCE_CREATE_3D; the words are between client and host. */
struct pv_gpu_3d {
	uint32_t t_target, t_format, t_bind, t_width, t_height, t_depth,
	    t_array_size, t_last_level, t_nr_samples, t_flags;
};

#define PV_GPU_BLOB_GUEST		1
#define PV_GPU_BLOB_HOST3D		2
#define PV_GPU_BLOB_HOST3D_GUEST	3

#define PV_GPU_BLOB_MAPPABLE		0x1
#define PV_GPU_BLOB_SHAREABLE		0x2
#define PV_GPU_BLOB_CROSS_DEVICE	0x4

struct pv_gpu_blob {
	uint32_t b_mem;			/* PV_GPU_BLOB_GUEST ... */
	uint32_t b_flags;
	uint64_t b_id;			/* of the context's object */
	uint64_t b_size;		/* bytes, not 0 */
};

/* How a mapped blob is to be mapped by the CPU. */
#define PV_GPU_CACHE_NONE	0
#define PV_GPU_CACHE_CACHED	1
#define PV_GPU_CACHE_UNCACHED	2
#define PV_GPU_CACHE_WC		3

struct pv_gpu_box {
	uint32_t x, y, z, w, h, d;
};

struct pv_gpu_transfer {
	struct pv_gpu_box tr_box;
	uint64_t tr_offset;		/* in the backing */
	uint32_t tr_level, tr_stride, tr_layer_stride;
	int tr_from_host;		/* the other way */
};

/*
 * pv_gpu_capset_info - the capability set of index, from 0 on
 * pv_gpu_capset - its contents; *len: room, then how much there is, at most
 *	PV_GPU_CAPSET_MAX
 * Errors: ERANGE there are no more; EFBIG cs_max_size is above the room.
 */
int pv_gpu_capset_info(struct pv_gpu *, unsigned int index,
    struct pv_gpu_capset *);
int pv_gpu_capset(struct pv_gpu *, const struct pv_gpu_capset *,
    uint32_t version, void *buf, size_t *len);

/*
 * pv_gpu_ctx_create - a context by a number of the client's, not 0
 *
 * capset	what it speaks, with CONTEXT_INIT; 0: the device's choice
 * name		for the host's people; at most 64 bytes of it are sent
 *
 * Errors: EINVAL ctx is 0, capset above 255; ENOTSUP capset without
 * CONTEXT_INIT.
 */
int pv_gpu_ctx_create(struct pv_gpu *, uint32_t ctx, uint32_t capset,
    const char *name);
int pv_gpu_ctx_destroy(struct pv_gpu *, uint32_t ctx);
int pv_gpu_ctx_attach(struct pv_gpu *, uint32_t ctx,
    const struct pv_gpu_resource *);
int pv_gpu_ctx_detach(struct pv_gpu *, uint32_t ctx,
    const struct pv_gpu_resource *);

/*
 * pv_gpu_resource_3d, pv_gpu_resource_blob - create a resource
 *
 * piece	a blob of the guest's memory: what it is of, as in
 *		pv_gpu_resource_back; NULL: none now, or of the host's alone
 *
 * Errors: EINVAL the resource exists; a blob of no size, of an unknown kind, of
 * the host's with a piece, or a piece of less than its size; ENOMEM.
 */
int pv_gpu_resource_3d(struct pv_gpu *, struct pv_gpu_resource *,
    uint32_t ctx, const struct pv_gpu_3d *);
int pv_gpu_resource_blob(struct pv_gpu *, struct pv_gpu_resource *,
    uint32_t ctx, const struct pv_gpu_blob *, const struct pv_piece *piece);

/*
 * pv_gpu_resource_back, pv_gpu_resource_unback - give it memory, or take that
 * away
 *
 * The piece is loaded, and stays so until unback or pv_gpu_resource_free
 * returned 0, or pv_gpu_stop did: until then the device may reach it. Its syncs
 * are the client's. Errors: EINVAL it has some, or none; the piece is empty or
 * outside of its map; EFBIG too many segments; ENOMEM.
 */
int pv_gpu_resource_back(struct pv_gpu *, struct pv_gpu_resource *,
    const struct pv_piece *);
int pv_gpu_resource_unback(struct pv_gpu *, struct pv_gpu_resource *);

/* The end of it, mapped or not. Of one that does not exist: 0. */
int pv_gpu_resource_free(struct pv_gpu *, struct pv_gpu_resource *);

/* Its number, as a command stream names it; 0: there is none. */
uint32_t pv_gpu_resource_id(const struct pv_gpu_resource *);

/*
 * pv_gpu_uuid - a name under which other devices know it (RESOURCE_UUID)
 */
int pv_gpu_uuid(struct pv_gpu *, const struct pv_gpu_resource *,
    uint8_t uuid[16]);

/*
 * pv_gpu_hostvisible - the shared memory region that blobs of the host's appear
 * in
 *
 * The client has it mapped by the port. pv_gpu_start may find it elsewhere.
 * ENOTSUP: there is none. Context: any. (Device Types / GPU Device / Device
 * Initialization)
 */
int pv_gpu_hostvisible(const struct pv_gpu *, struct pv_shm *);

/*
 * pv_gpu_map_blob - let a blob of the host's appear at an offset of the host
 * visible region
 *
 * *cache becomes PV_GPU_CACHE_*. Errors: ENOTSUP there is no such region;
 * EINVAL it is no blob of the host's, is mapped, or would not lie in the region
 * at a multiple of PAGE_SIZE.
 */
int pv_gpu_map_blob(struct pv_gpu *, struct pv_gpu_resource *,
    uint64_t offset, unsigned int *cache);
int pv_gpu_unmap_blob(struct pv_gpu *, struct pv_gpu_resource *);

/*
 * pv_gpu_submit_3d - a command stream for a context
 *
 * pieces	it, loaded: the device's until the fence is done
 * ring		of the context's, below PV_GPU_MAXRINGS: fences of one ring are
 *		done in order (needs CONTEXT_INIT); -1: none
 *
 * Errors: EINVAL; EFBIG more than four pieces, or sixty segments; EBUSY.
 */
int pv_gpu_submit_3d(struct pv_gpu *, uint32_t ctx, int ring,
    const struct pv_piece *pieces, unsigned int npieces, uint64_t *fence);

/* pv_gpu_transfer_3d - between a resource and its backing; as the above */
int pv_gpu_transfer_3d(struct pv_gpu *, uint32_t ctx, int ring,
    const struct pv_gpu_resource *, const struct pv_gpu_transfer *,
    uint64_t *fence);

#endif /* PARAVANE_GPU_H */
