/* SPDX-License-Identifier: ISC */
/*
 * Devices: what network, disk, display, console and entropy do with their
 * queues, on top of a model of the device as such (fake.h), as a host of some
 * profile does it.
 *
 *	vdev_init(&vd, &stand.st_fd, profile, seed);	after stand_init
 *	... attach the driver; let it work ...
 *	vdev_net_deliver(&vd, frame, len);
 *
 * A device reaches its queues through fake_pop, fake_chain_read and _write and
 * vdev_push alone, which know the kind of ring.
 */
#ifndef VDEV_H
#define VDEV_H

#include <paravane/net.h>
#include <paravane/blk.h>
#include <paravane/gpu.h>
#include <paravane/console.h>
#include <paravane/entropy.h>

#include "fake.h"
#include "profile.h"

#define VDEV_MAXFRAME	70000
#define VDEV_KEPT	512
#define VDEV_LATER	4	/* used, and given back in any order */

struct vdev;

struct vdev_net {
	unsigned int vn_mtu;		/* as configured; 0: none */
	void (*vn_peer)(struct vdev *, const uint8_t *frame, size_t len,
	    void *arg);			/* each frame that was sent */
	void *vn_arg;
	unsigned int vn_sent, vn_delivered, vn_commands;
	unsigned int vn_wedged;		/* by a buffer too short */
	unsigned int vn_gso;		/* of what was sent: to be cut */
	unsigned int vn_maxpairs;	/* as configured */
	int vn_announce;		/* asked for, and not acknowledged */

	/* what the driver has set */
	unsigned int vn_pairs;
	uint8_t vn_modes[6];		/* by command of the class */
	uint8_t vn_mac[6];
	int vn_macset;
	uint32_t vn_nuni, vn_nmulti;
	uint8_t vn_vlans[512];
	uint64_t vn_offloads;
	uint32_t vn_hash_types;
	unsigned int vn_ntable;
	uint16_t vn_table[128];
	int vn_hashes;			/* it was told what to hash */
	struct {
		uint32_t packets, usecs;
	} vn_coal[FAKE_MAXQUEUES];
	int vn_queried;			/* which statistics there are */

	/* how the next frames are delivered */
	struct {
		unsigned int queue;	/* pair */
		uint8_t gso_type;
		uint16_t gso_size;
		uint32_t hash;
		uint16_t hash_type;
	} vn_as;
};

#define VDEV_BLK_SECTORS 256		/* that are kept, of any number */
#define VDEV_BLK_LATE	32		/* taken, to be done in any order */

struct vdev_blk_late;

struct vdev_blk {
	/* set by the test at any time */
	uint64_t vb_fail_sector;	/* a read or write of it fails */
	int vb_fail_flush, vb_fail_ranges;
	int vb_shrunk;			/* requests beyond the end may come */

	/* looked at */
	uint64_t vb_sectors;
	uint8_t vb_data[VDEV_BLK_SECTORS * 512];
	uint8_t vb_stable[VDEV_BLK_SECTORS * 512]; /* without power */
	uint8_t vb_state[VDEV_BLK_SECTORS];
	uint64_t vb_since[VDEV_BLK_SECTORS];	/* volatile since which write */
	uint64_t vb_completed;			/* writes */
	struct vdev_blk_late *vb_late[VDEV_BLK_LATE];
	unsigned int vb_nlate;
};

#define VDEV_MAXRES	16
#define VDEV_MAXENTRIES	4096

enum vdev_kind { VDEV_2D, VDEV_3D, VDEV_BLOB };

struct vdev_resource {
	uint32_t vr_id, vr_w, vr_h;
	enum vdev_kind vr_kind;
	uint32_t vr_format;
	uint32_t vr_mem;		/* a blob's, and its size */
	uint64_t vr_size;
	int vr_mapped;
	uint32_t *vr_pixels;
	uint32_t vr_nentries;
	struct {
		uint64_t addr;
		uint32_t len, pad;
	} *vr_entries;
};

#define VDEV_HEADS	16
#define VDEV_CONTEXTS	4
#define VDEV_CAPSET	(PV_GPU_CAPSET_MAX - 96)	/* bytes of one */

struct vdev_gpu {
	/* set by the test at any time */

	struct vdev_resource vg_res[VDEV_MAXRES];
	struct {
		uint32_t x, y, w, h, enabled, flags;
	} vg_modes[VDEV_HEADS];
	struct vdev_head {
		uint32_t vh_res;	/* 0: off */
		uint32_t vh_rect[4];
		uint32_t vh_cursor;	/* its resource */
		uint32_t vh_x, vh_y, vh_hot_x, vh_hot_y;
	} vg_heads[VDEV_HEADS];
	uint32_t vg_contexts[VDEV_CONTEXTS];
	uint64_t vg_timelines[VDEV_CONTEXTS][PV_GPU_MAXRINGS];
	uint8_t vg_stream[256];		/* the last that was submitted */
	uint64_t vg_streamlen;
	uint64_t vg_visible;		/* the host visible region */
	uint8_t vg_edid[1024];
};

struct vdev_console {
	char vc_out[8192];		/* what was written, the last of it */
	size_t vc_outlen;
};

struct vdev_entropy {
	uint8_t ve_given[1024];		/* the last that was given */
	uint32_t ve_givenlen;
};

struct vdev {
	struct fake_dev *vd_dev;
	const struct profile *vd_profile;
	uint64_t vd_state;		/* of its random numbers */
	int vd_hold;			/* takes, and gives nothing back */
	unsigned int vd_due[FAKE_MAXQUEUES];	/* used without interrupt */
	unsigned int vd_nintr, vd_nlost;
	struct vdev_net vd_net;
	struct vdev_blk vd_blk;
	struct vdev_gpu vd_gpu;
	struct vdev_console vd_con;
	struct vdev_entropy vd_ent;
	struct {
		unsigned int queue;
		struct fake_chain *fc;
	} vd_kept[VDEV_KEPT];		/* with vd_hold */
	unsigned int vd_nkept;
	struct {
		unsigned int queue;
		uint32_t len;
		struct fake_chain *fc;
	} vd_later[VDEV_LATER];
	unsigned int vd_nlater;
};

/*
 * Features, configuration and behaviour of a device of fd's type, with all that
 * the profile offers; leave takes bits away (those that it insists on stay).
 */
void vdev_init(struct vdev *, struct fake_dev *, const struct profile *,
    uint64_t seed, uint64_t leave);

/* What the profile says of the slot that its PCI function is in. */
void vdev_slot(struct vdev *, struct fake_pci *);

/* Give memory back; after the driver has gone. */
void vdev_fini(struct vdev *);

int vdev_has(const struct vdev *, enum quirk);
uint32_t vdev_random(struct vdev *, uint32_t below);

/* Queues that the type has. */
unsigned int vdev_queues(unsigned int type);

/* Used, with the interrupt that the profile makes of it. */
void vdev_push(struct vdev *, unsigned int queue, const struct fake_chain *,
    uint32_t len);
/* Interrupts that are due; the end of a burst. */
void vdev_flush(struct vdev *);

/*
 * vdev_net_deliver - a frame for the driver. 1, or 0 if there is no room.
 * vdev_net_link - the configuration changes
 * vdev_net_told - what the driver told its owner of itself, to be judged:
 *	address, link
 * vdev_net_got - a frame that the driver delivered; flags PV_NET_RX_*
 */
int vdev_net_deliver(struct vdev *, const uint8_t *frame, size_t len,
    unsigned int hdr_flags);
void vdev_net_link(struct vdev *, int up);
void vdev_net_told(struct vdev *, const uint8_t *mac, int link);
void vdev_net_got(struct vdev *, int arrived, unsigned int flags,
    unsigned int hdr_flags);

/*
 * The device asks for announcements. Judged: vdev_net_announced, how many were
 * sent; vdev_net_speed, what the driver told of it; vdev_net_hinted, the length
 * of headers that it told of a frame of so many bytes; vdev_net_coal, what it
 * took from an answer
 */
void vdev_net_announce(struct vdev *);
void vdev_net_announced(struct vdev *, unsigned int sent);
void vdev_net_speed(struct vdev *, uint32_t mbit, uint8_t duplex);
void vdev_net_hinted(struct vdev *, unsigned int hdr_len, size_t len);
void vdev_net_coal(struct vdev *, int error, int taken);
/* Receive queues that are in use have buffers. */
void vdev_net_filled(struct vdev *);

/*
 * vdev_blk_resize - the disk becomes so many sectors long; set vb_shrunk before
 *	if requests may be under way
 * vdev_blk_lose - power is lost: of what was not flushed some sectors are as
 *	they were, others not. While no driver runs.
 * What the driver told its owner, to be judged:
 * vdev_blk_told - what the disk is
 * vdev_blk_durable - these sectors outlive a loss of power
 * vdev_blk_got - this is what is in these sectors
 */
void vdev_blk_resize(struct vdev *, uint64_t sectors);
void vdev_blk_lose(struct vdev *);
void vdev_blk_told(struct vdev *, uint64_t bytes, int readonly, int may_lose);
void vdev_blk_durable(struct vdev *, uint64_t sector, uint32_t n);
void vdev_blk_got(struct vdev *, uint64_t sector, const uint8_t *, uint32_t n);

/* A window of another size; the pixel that the host shows at x, y. */
void vdev_gpu_resize(struct vdev *, uint32_t w, uint32_t h);
uint32_t vdev_gpu_pixel(struct vdev *, uint32_t x, uint32_t y);

/*
 * The region that blobs of the host's are mapped in, if there can be one
 * (fake_region), before a driver is attached.
 */
void vdev_gpu_region(struct vdev *, uint64_t start, uint64_t len);

/*
 * The same of any head; how many heads, and capability sets, it has (before a
 * driver is attached); a head of another size, or none with w 0.
 */
void vdev_gpu_heads(struct vdev *, unsigned int heads, unsigned int capsets);
void vdev_gpu_head_resize(struct vdev *, unsigned int head, uint32_t w,
    uint32_t h);
uint32_t vdev_gpu_head_pixel(struct vdev *, unsigned int head, uint32_t x,
    uint32_t y);

/* Input; 0 if there is no buffer. A window of another size. */
int vdev_console_input(struct vdev *, const void *, size_t);
void vdev_console_resize(struct vdev *, uint16_t cols, uint16_t rows);

/* What the driver gave on as random bytes, to be judged. */
void vdev_entropy_got(struct vdev *, const void *, size_t);

/* For each type: its parts of vdev_init, and its work on one queue. */
struct vdev_type {
	unsigned int vt_type, vt_queues;
	int vt_fills;			/* queue 0 waits for what is to come */
	/* of more than that; NULL: none */
	int (*vt_waits)(const struct vdev *, unsigned int queue);
	uint64_t vt_known, vt_should;	/* beside those of rings */
	const struct fake_field *vt_fields;
	unsigned int vt_nfields;
	const struct fake_depend *vt_depends;
	unsigned int vt_ndepends;
	void (*vt_init)(struct vdev *);
	void (*vt_take)(struct vdev *, unsigned int queue, struct fake_chain *);
	void (*vt_idle)(struct vdev *);	/* all that came was taken */
	void (*vt_reset)(struct vdev *);
	void (*vt_queue_reset)(struct vdev *, unsigned int queue);
};

extern const struct vdev_type vdev_net_type, vdev_blk_type, vdev_gpu_type,
    vdev_console_type, vdev_entropy_type;

#endif
