/* SPDX-License-Identifier: ISC */
/*
 * Disks: what reads, writes and makes durable.
 *
 * A disk is named disk0, disk1, ... in the order they were found, and its
 * partitions disk0p1, disk0p2, ... by their number in the table (GPT, or MBR
 * with logical partitions from 5 on). Each user opens the one that it needs and
 * has a handle of its own. Offsets and lengths are bytes, from the start of the
 * disk or partition that was opened.
 *
 * There are two ways to the bytes. They may be mixed: each sees what the other
 * wrote.
 *
 *	disk_read, disk_write, disk_sync	through the cache: any offset and
 *		length; reads ahead, writes back
 *	disk_submit, disk_wait		past the cache: whole sectors, no
 *		copy, many at once
 *
 * Durable. What was written is on the medium for good when disk_sync, or a
 * request DISK_FLUSH that was submitted after the write was done, has returned
 * 0; not before, unless the disk is write-through (di_writeback is false). The
 * cache writes back at the latest some seconds later, and then flushes.
 *
 * Errors. A block that could not be written back stays in the cache, and
 * everyone who wrote to it since it was last on the medium gets EIO at his next
 * disk_sync or disk_close: once for each failure. A later sync tries
 * again. What is given up in the end (the disk is gone, the last one who wrote
 * has closed) is told in the log with the number of bytes.
 *
 * A device that breaks, needs a reset, or does not answer within disktimeout=
 * of the command line (seconds; 30) is reset, and what was in flight is tried
 * again: the same data to the same sectors, before any later request that
 * overlaps it. After DISK_TRIES tries it is EIO. A disk that was taken out
 * gives ENXIO at once, to every handle that was open, for good: one that is put
 * in under the same name is another.
 *
 * The cache has diskcache= bytes (a thirty-second of RAM, from 512 KiB to
 * 16 MiB), allocated when the first disk appears.
 *
 * All is for threads of CPU 0.
 */
#ifndef GUEST_DISK_H
#define GUEST_DISK_H

#include "mtypes.h"

#define DISK_SECTOR	512u	/* the least sector */
#define DISK_SECTOR_MAX	4096u	/* a disk with larger ones is not served */
#define DISK_TRIES	4	/* of one request, over resets */
#define DISK_NAME_MAX	32

struct disk;			/* a handle, of a disk or a partition */
struct disk_block;
struct disk_unit;
struct event;

/* What disk_open is asked for. */
#define DISK_READ	0x1
#define DISK_WRITE	0x2

/*
 * disk_open - begin to use a disk or partition
 *
 * name		"disk0", "disk0p1"
 * mode		DISK_READ, DISK_WRITE or both
 *
 * The first open after a disk appeared waits for its partition table to be
 * read. Returns 0; ENXIO there is none of that name; EROFS DISK_WRITE of a disk
 * that is read-only; ENOMEM; EINVAL. Partitions may be opened beside the disk
 * they are on.
 */
int	disk_open(const char *name, int mode, struct disk **);

/*
 * disk_close - end it; a writer's blocks are written and flushed first
 *
 * Returns what disk_sync would; the handle is gone either way. NULL: 0.
 */
int	disk_close(struct disk *);

struct disk_info {
	char		di_name[DISK_NAME_MAX];
	uint64_t	di_size;	/* bytes; 0: an empty disk */
	uint32_t	di_sector;	/* bytes: the unit of requests */
	uint32_t	di_optimal;	/* bytes: best length, 0 unknown */
	bool		di_readonly;
	bool		di_writeback;	/* a cache that a flush empties */
	bool		di_gone;	/* taken out */
	uint64_t	di_discard_max;	/* bytes of one DISK_DISCARD; 0: it
					 * does not */
	uint64_t	di_zero_max;	/* likewise DISK_ZERO */
	uint64_t	di_start;	/* a partition's, on its disk */
	unsigned	di_partition;	/* its number; 0: the whole disk */
	char		di_type[40];	/* of a partition: "EFI system", a GUID,
					 * "0x83"; of a disk: "gpt", "mbr", "" */
	char		di_label[40];	/* GPT's name; of a disk: its serial */
};
void	disk_getinfo(struct disk *, struct disk_info *);

/*
 * disk_read - through the cache
 *
 * Returns 0 when all was read; EIO, the contents of buf are undefined then;
 * ENXIO the disk is gone; EINVAL beyond the end; EBADF not opened so; ENOMEM.
 */
int	disk_read(struct disk *, uint64_t off, void *buf, size_t len);

/*
 * disk_write - into the cache; to the device in disk_sync or a few seconds
 * later
 *
 * On a write-through disk it is on the medium at the return. Errors as
 * disk_read; EROFS. After an error which part was written is unknown.
 */
int	disk_write(struct disk *, uint64_t off, const void *buf, size_t len);

/*
 * disk_sync - what was written through any handle of this disk is made durable
 *
 * Writes the dirty blocks, waits for them, and then flushes the device's cache
 * where it has one. Returns 0; EIO something that this handle wrote is not on
 * the medium, or the flush failed; ENXIO.
 *
 * disk_sync_all - every disk; the first error of any. As the command `sync`.
 */
int	disk_sync(struct disk *);
int	disk_sync_all(void);

/*
 * Requests, past the cache. Dirty blocks that overlap are written before it,
 * and a write drops what it overlaps.
 *
 * The caller owns the request and its data; both are the disk's from
 * disk_submit until rq_done is called or disk_wait returns. Data is memory of
 * the kernel's (kmalloc, DMA memory: anything mapped), at best aligned to 128
 * bytes. Requests of a handle may complete in any order, but those that
 * overlap, of which one writes, are carried out in the order they were
 * submitted.
 */
enum disk_op {
	DISK_OP_READ,
	DISK_OP_WRITE,
	DISK_OP_FLUSH,		/* what was done before it was submitted is
				 * durable when it is done */
	DISK_OP_DISCARD,	/* contents become undefined */
	DISK_OP_ZERO,		/* contents become zeros */
	DISK_OP_ID		/* private */
};

struct disk_req {
	enum disk_op	rq_op;
	uint64_t	rq_off;		/* a multiple of di_sector */
	uint64_t	rq_len;		/* likewise, not 0; FLUSH: ignored */
	void		*rq_data;	/* READ, WRITE */
	/*
	 * Called when it is done, from a thread, which may be the submitter's
	 * own, within disk_submit or later; it does not block. It may free or
	 * submit the request again. NULL: disk_wait is used.
	 */
	void		(*rq_done)(struct disk_req *);
	void		*rq_arg;	/* the caller's */
	unsigned	rq_queue;	/* 0: of the CPU; n: the device's n-th, if
					 * it has so many */
	int		rq_error;	/* when it is done: 0, EIO, ENXIO,
					 * EOPNOTSUPP */
	bool		rq_lost;	/* with EIO or ENXIO: the device did not
					 * confirm its reset and can still reach
					 * rq_data, which is never used again */
	/* The rest is private; no need to clear it. */
	struct disk_unit *rq_unit;
	struct disk_req	*rq_next;
	uint64_t	rq_pos;		/* on the whole disk */
	uint64_t	rq_order;	/* of submission */
	struct disk_block **rq_blocks;	/* the cache's, in rq_data's place */
	struct event	*rq_event;	/* of disk_wait */
	uint8_t		rq_tries;
	volatile uint8_t rq_state;
};

/*
 * disk_submit - begin a request
 *
 * Any length: it is split by the device's limits. Returns 0: it will be done,
 * with whatever result; or at once, and nothing happens: EINVAL the range is
 * beyond the end, or not of whole sectors; EROFS; EBADF; ENXIO; EOPNOTSUPP the
 * disk does not discard, or write zeros; EIO what the cache has of the range
 * can't be written, and is newer than what would be read; EBUSY of several:
 * others go on reading and writing there all the time; within a rq_done: the
 * cache has something of the range that would have to be written first.
 *
 * disk_submit_all - begin several; the device hears of them at once. An error
 * is the first's that is refused: then none of them is begun.
 *
 * disk_wait - block until it is done; returns rq_error. Bounded, since every
 * request is: DISK_TRIES times disktimeout= and the resets. Where the disk has
 * been quick it looks for a while before it sleeps; other threads run
 * meanwhile.
 *
 * disk_do - submit and wait
 */
int	disk_submit(struct disk *, struct disk_req *);
int	disk_submit_all(struct disk *, struct disk_req *const *, unsigned n);
int	disk_wait(struct disk_req *);
int	disk_do(struct disk *, enum disk_op, uint64_t off, void *data,
	    uint64_t len);

/*
 * disk_next - names of disks and their partitions one after the other
 *
 * *pos is 0 at first and kept here. Fills *info; false: there is no other.
 */
bool	disk_next(unsigned *pos, struct disk_info *info);

/*
 * disk_rescan - read the partition table of a whole disk again
 *
 * EBUSY one of its partitions is open; EILSEQ it is damaged, and what is wrong
 * was said (partitions that are right are there); EINVAL not a whole disk; or
 * why it can't be read.
 */
int	disk_rescan(struct disk *);

/* What a whole disk has done since it appeared. */
struct disk_stats {
	uint64_t	ds_reads, ds_writes, ds_flushes, ds_discards;
	uint64_t	ds_read_bytes, ds_write_bytes;
	uint64_t	ds_errors;	/* requests that ended in EIO */
	uint64_t	ds_retried;	/* requests tried again */
	uint64_t	ds_resets, ds_timeouts;
	uint64_t	ds_hits, ds_misses;	/* of the cache, in blocks */
	uint64_t	ds_dirty;	/* bytes not yet written back */
	uint64_t	ds_doorbells, ds_interrupts;
};
void	disk_getstats(struct disk *, struct disk_stats *);

#endif
