/* SPDX-License-Identifier: ISC */
/*
 * What the files of guest/disk know of each other.
 *
 *	disk.c		handles, names, the public functions
 *	unit.c		a disk's requests: order, retries, time; its threads
 *	cache.c		blocks in memory
 *	part.c		partition tables
 *	vblk.c		units on the library's block driver
 */
#ifndef DISKVAR_H
#define DISKVAR_H

#include "disk.h"
#include "log.h"
#include "thread.h"

#define DISK_HANDLES	32		/* open at once, of one disk */
#define DISK_PARTS	128		/* of one disk: what a usual GPT has */

/* Partition tables: part.c. It reads by a function, and writes nothing. */

struct disk_part {
	uint64_t	dp_start;	/* bytes */
	uint64_t	dp_size;
	unsigned	dp_number;
	char		dp_type[40];
	char		dp_label[40];
};

struct part_source {
	int		(*ps_read)(void *arg, uint64_t off, void *, size_t len);
	void		*ps_arg;
	uint64_t	ps_size;	/* bytes */
	uint32_t	ps_sector;	/* 512 to 4096, a power of two */
	void		(*ps_say)(void *arg, const char *text);
};

enum part_scheme { PART_NONE, PART_MBR, PART_GPT };

/*
 * part_scan - the partitions of a disk
 *
 * parts	room for max of them; *n of them were filled
 *
 * Whatever the disk holds: partitions lie inside it, do not overlap it, have
 * different numbers, and it takes at most DISK_PARTS entries, or as many links
 * of a chain of extended partitions. What is wrong is said, one line each.
 * Returns 0; EIO, ENOMEM, ENXIO of reading.
 */
int	part_scan(const struct part_source *, struct disk_part *parts,
	    unsigned max, unsigned *n, enum part_scheme *);
/* CRC-32 as zip has it; _add goes on from one, from 0 at first. */
uint32_t part_crc32(const void *, size_t len);
uint32_t part_crc32_add(uint32_t crc, const void *, size_t len);

/* Units */

struct disk_geometry {
	uint64_t	dg_size;	/* bytes */
	uint32_t	dg_sector;
	uint32_t	dg_optimal;
	bool		dg_readonly;
	bool		dg_writeback;
	uint64_t	dg_discard_max;
	uint32_t	dg_discard_align;
	uint64_t	dg_zero_max;
	char		dg_serial[21];
};

/* What a driver does for a unit. Threads only; only do_reset, do_stop block. */
struct disk_ops {
	/*
	 * Take a request. It ends with unit_done, from do_poll. 0; EAGAIN no
	 * room before something ended; another error is the request's.
	 */
	int	(*do_start)(void *arg, struct disk_req *);
	/* Show the device what was taken. */
	void	(*do_publish)(void *arg);
	/*
	 * End what the device has done, and have it interrupt when it does
	 * more; or, with `quiet`, have it not: somebody looks again at once.
	 */
	void	(*do_poll)(void *arg, bool quiet);
	/*
	 * For how long the device has had what it has longest, ns; 0: nothing.
	 */
	uint64_t (*do_oldest)(void *arg);
	/*
	 * Reset the device and forget all that was taken, then bring it up
	 * again. 0; ETIMEDOUT the reset was not confirmed: memory is lost; EIO
	 * it is quiet, and does not come up.
	 */
	int	(*do_reset)(void *arg);
	/* Stop it for good. 0, or ETIMEDOUT as above. */
	int	(*do_stop)(void *arg);
	void	(*do_stats)(void *arg, struct disk_stats *);
};

struct disk_unit {
	struct disk_unit *du_next;
	char		du_name[DISK_NAME_MAX];
	unsigned	du_number;
	const struct disk_ops *du_ops;
	void		*du_arg;
	struct disk_geometry du_geo;
	unsigned	du_refs;	/* handles, and one while attached */
	struct log_limit du_log;	/* of what the host causes */
	bool		du_gone;	/* taken out: ENXIO */
	bool		du_dead;	/* given up: EIO */
	bool		du_resetting;
	volatile bool	du_broken;	/* by the driver: it needs a reset */
	bool		du_quiet;	/* a thread spins in unit_wait */
	bool		du_unarmed;	/* there was no interrupt asked for */
	uint64_t	du_wait_ns;	/* how long one waited of late */
	unsigned	du_failed;	/* resets since it last did something */
	struct mutex	du_reset;	/* held in do_reset, and at detach */

	/* Requests: waiting in the order they came; the device's likewise. */
	struct disk_req	*du_waiting, **du_waiting_tail;
	struct disk_req	*du_active, **du_active_tail;
	bool		du_dispatching;
	struct disk_stats du_stats;

	/* The table. */
	struct disk_part *du_parts;
	unsigned	du_nparts;
	unsigned	du_faults;	/* of the table */
	enum part_scheme du_scheme;
	volatile bool	du_scanned;
	bool		du_rescan;
	struct event	du_scan_event;

	/* The cache's. du_lock is held by who reads and writes through it. */
	struct mutex	du_lock;
	struct disk	*du_handles[DISK_HANDLES];
	struct cache_io	*du_ios;
	struct event	du_io_event;
	unsigned	du_nio;		/* under way */
	unsigned	du_ndirty;	/* blocks not yet written */
	unsigned	du_nwrote;	/* blocks not yet flushed */
	bool		du_unflushed;	/* written to since a flush */
	uint64_t	du_dirty_since;
	uint64_t	du_lost;	/* bytes never written, not yet told */
};

/*
 * disk_unit_attach - there is a new disk
 *
 * Its partition table is read by and by. Returns 0 and the unit, or ENOMEM.
 *
 * disk_unit_detach - it is gone, or going
 *
 * Stops the device by do_stop, and returns what that said. Whatever is under
 * way ends with ENXIO; what the cache could not write back is told. Nothing of
 * the driver's is called from here on.
 *
 * disk_unit_changed - the driver filled *geo anew
 */
int	disk_unit_attach(const struct disk_ops *, void *arg,
	    const struct disk_geometry *, struct disk_unit **);
int	disk_unit_detach(struct disk_unit *);
void	disk_unit_changed(struct disk_unit *, const struct disk_geometry *);

/* The driver: a request is done, from do_poll. */
void	unit_done(struct disk_req *, int error);
/* Look at the disks; any context. */
void	unit_kick(void);

/* Begin a request whose rq_pos, rq_len and data are set; never refused. */
void	unit_submit(struct disk_unit *, struct disk_req *);
/* n of them, with one doorbell */
void	unit_submit_all(struct disk_unit *, struct disk_req *const *,
	    unsigned n);
int	unit_wait(struct disk_req *);
/* Wait a little for an event that the end of some request signals. */
void	unit_wait_event(struct disk_unit *, struct event *);
/* A flush from beginning to end. */
int	unit_flush(struct disk_unit *);
/* 0, or why nothing more is done on it: ENXIO, EIO. */
int	unit_error(const struct disk_unit *);
void	unit_release(struct disk_unit *);

/* disk.c: units in the order of their numbers; scan, from the second thread */
struct disk_unit *unit_next(struct disk_unit *);
void	unit_link(struct disk_unit *);
void	unit_unlink(struct disk_unit *);
bool	unit_scan(struct disk_unit *);	/* false: later, a partition is open */

/* Handles */

struct disk {
	struct disk_unit *dk_unit;
	uint64_t	dk_start;	/* on the whole disk */
	uint64_t	dk_size;	/* UINT64_MAX: the whole disk */
	unsigned	dk_partition;
	int		dk_mode;
	unsigned	dk_slot;	/* in du_handles */
	int		dk_error;	/* not told yet */
	uint64_t	dk_next;	/* where a sequential read goes on */
	unsigned	dk_window;	/* blocks to read ahead */
};

/* The cache: cache.c */

#define CACHE_BLOCK	4096u
#define CACHE_RUN	32u		/* blocks of one request */
#define CACHE_IOS	8u		/* requests at once, of a unit */

int	cache_init(void);		/* 0; ENOMEM; a second time nothing */
void	cache_memory(void **base, size_t *len);
int	cache_attach(struct disk_unit *);
void	cache_detach(struct disk_unit *);	/* memory, when unused */

/*
 * With du_lock held by the caller but for cache_drop_unit. pos is on the whole
 * disk, and inside it.
 */
int	cache_read(struct disk *, uint64_t pos, void *, size_t len);
int	cache_write(struct disk *, uint64_t pos, const void *, size_t len);
/* Write what is dirty; errors go to the handles. */
void	cache_writeback(struct disk_unit *);
/* That, and a flush. Returns an error of the flush. */
int	cache_sync(struct disk_unit *);
/*
 * Before a request past the cache, of a range that it holds something of;
 * change: not a read. EIO: what is to be read can't be written back.
 */
int	cache_bypass(struct disk_unit *, uint64_t pos, uint64_t len,
	    bool change);
/* A handle is closed: what only it wrote and can't be written is dropped. */
void	cache_forget(struct disk *);
/* The unit is gone. Returns how many bytes were not written. */
uint64_t cache_drop_unit(struct disk_unit *);
/* Whether cache_bypass has anything to do. */
bool	cache_holds(struct disk_unit *, uint64_t pos, uint64_t len,
	    bool change);

/* Kernel memory of part `i` of a request, and how long it is; NULL: the end. */
void	*disk_req_part(const struct disk_req *, unsigned i, uint64_t *len);

#endif
