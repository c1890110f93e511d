/* SPDX-License-Identifier: ISC */
/*
 * Blocks in memory, a bounded number for all disks together.
 *
 * A sector of a block is valid (the same as on the disk, or newer), dirty (to
 * be written), or wrote (written, but a flush has not yet made it durable).
 * Blocks with a dirty or wrote sector stay: so whatever becomes of the device
 * before the flush, there is something to write again.
 *
 * Who reads or writes has du_lock of the unit, also across waits; a block that
 * is under way to or from the device is busy, and only its end, in io_done,
 * touches it.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "cmdline.h"
#include "diskvar.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"

#define CACHE_MIN	(512u << 10)
#define CACHE_MAX	(16u << 20)
#define CACHE_LEAST	(128u << 10)	/* where memory is short */
#define SECTORS		(CACHE_BLOCK / DISK_SECTOR)
#define HASH		1024u

#define B_BUSY		0x1
#define B_ALONE		0x2	/* failed: written by itself next */
#define B_FAILED	0x4	/* in this round of writing */

struct disk_block {
	struct disk_block *b_hash;
	struct disk_block *b_newer, *b_older;	/* of the list of all */
	struct disk_unit *b_unit;		/* NULL: free */
	uint64_t	b_number;
	uint8_t		*b_data;
	uint32_t	b_writers;	/* handles, since it was last durable */
	uint8_t		b_valid, b_dirty, b_wrote;
	uint8_t		b_flags;
};

struct cache_io {
	struct disk_req	ci_req;
	struct disk_block *ci_blocks[CACHE_RUN];
	unsigned	ci_nblocks;
	bool		ci_used;
};

static struct disk_block *blocks;
static unsigned nblocks;
static uint8_t *arena;
static struct disk_block *hash[HASH];
static struct disk_block list;		/* newest and oldest */

/* The table */

static struct disk_block **
bucket(const struct disk_unit *du, uint64_t number)
{
	return &hash[(number * 31 + du->du_number * 0x9e37u) % HASH];
}

static struct disk_block *
lookup(const struct disk_unit *du, uint64_t number)
{
	struct disk_block *b;

	for (b = *bucket(du, number); b != NULL; b = b->b_hash)
		if (b->b_number == number && b->b_unit == du)
			return b;
	return NULL;
}

static void
list_remove(struct disk_block *b)
{
	b->b_newer->b_older = b->b_older;
	b->b_older->b_newer = b->b_newer;
}

static void
list_newest(struct disk_block *b)
{
	b->b_newer = &list;
	b->b_older = list.b_older;
	list.b_older->b_newer = b;
	list.b_older = b;
}

static void
list_oldest(struct disk_block *b)
{
	b->b_older = &list;
	b->b_newer = list.b_newer;
	list.b_newer->b_older = b;
	list.b_newer = b;
}

static void
touch(struct disk_block *b)
{
	list_remove(b);
	list_newest(b);
}

int
cache_init(void)
{
	uint64_t size = cmdline_get_number("diskcache",
	    page_total() * PAGE_SIZE / 32);
	unsigned i;

	if (blocks != NULL)
		return 0;
	size = size < CACHE_MIN ? CACHE_MIN : size > CACHE_MAX ? CACHE_MAX :
	    size;
	while (arena == NULL && size >= CACHE_LEAST) {
		arena = kmalloc(size);
		if (arena == NULL)
			size /= 2;
	}
	nblocks = (unsigned)(size / CACHE_BLOCK);
	blocks = arena == NULL ? NULL : kzalloc(nblocks * sizeof(*blocks));
	if (blocks == NULL) {
		kfree(arena);
		arena = NULL;
		return ENOMEM;
	}
	list.b_newer = list.b_older = &list;
	for (i = 0; i < nblocks; i++) {
		blocks[i].b_data = arena + (size_t)i * CACHE_BLOCK;
		list_oldest(&blocks[i]);
	}
	return 0;
}

void
cache_memory(void **base, size_t *len)
{
	*base = arena;
	*len = (size_t)nblocks * CACHE_BLOCK;
}

int
cache_attach(struct disk_unit *du)
{
	du->du_ios = kzalloc(CACHE_IOS * sizeof(*du->du_ios));
	return du->du_ios == NULL ? ENOMEM : 0;
}

void
cache_detach(struct disk_unit *du)
{
	kfree(du->du_ios);
}

/* States of a block; the unit's counts with them. */

static void
set_dirty(struct disk_block *b, uint8_t mask)
{
	struct disk_unit *du = b->b_unit;

	if (du->du_ndirty == 0 && du->du_nwrote == 0)
		du->du_dirty_since = uptime_ns();
	du->du_ndirty += mask != 0;
	du->du_ndirty -= b->b_dirty != 0;
	b->b_dirty = mask;
}

static void
set_wrote(struct disk_block *b, uint8_t mask)
{
	b->b_unit->du_nwrote += mask != 0;
	b->b_unit->du_nwrote -= b->b_wrote != 0;
	b->b_wrote = mask;
}

static bool
clean(const struct disk_block *b)
{
	return (b->b_flags & B_BUSY) == 0 && b->b_dirty == 0 && b->b_wrote == 0;
}

static void
settle(struct disk_block *b)
{
	if (b->b_dirty == 0 && b->b_wrote == 0)
		b->b_writers = 0;
}

static void
drop(struct disk_block *b)
{
	struct disk_block **at = bucket(b->b_unit, b->b_number);

	set_dirty(b, 0);
	set_wrote(b, 0);
	while (*at != b)
		at = &(*at)->b_hash;
	*at = b->b_hash;
	b->b_unit = NULL;
	b->b_valid = b->b_flags = 0;
	b->b_writers = 0;
	list_remove(b);
	list_oldest(b);
}

/* Whoever wrote to it since it was last durable is told, once. */
static void
blame(struct disk_block *b, int error)
{
	struct disk_unit *du = b->b_unit;
	unsigned i;

	for (i = 0; i < DISK_HANDLES; i++)
		if ((b->b_writers & 1u << i) != 0 && du->du_handles[i] != NULL)
			du->du_handles[i]->dk_error = error;
}

/* Requests */

static unsigned
bits(unsigned mask)
{
	unsigned n = 0;

	for (; mask != 0; mask &= mask - 1)
		n++;
	return n;
}

void *
disk_req_part(const struct disk_req *rq, unsigned i, uint64_t *len)
{
	uint64_t skip = rq->rq_pos % CACHE_BLOCK, at;

	if (rq->rq_blocks == NULL) {
		*len = rq->rq_len;
		return i == 0 ? rq->rq_data : NULL;
	}
	/* The first begins where the request does, the others at 0. */
	at = i == 0 ? 0 : (uint64_t)i * CACHE_BLOCK - skip;
	if (at >= rq->rq_len)
		return NULL;
	if (i != 0)
		skip = 0;
	*len = CACHE_BLOCK - skip;
	if (*len > rq->rq_len - at)
		*len = rq->rq_len - at;
	return rq->rq_blocks[i]->b_data + skip;
}

/* The sectors of block i of a run that lie in bytes pos .. pos + len. */
static uint8_t
sectors_of(uint64_t number, uint64_t pos, uint64_t len)
{
	uint64_t base = number * CACHE_BLOCK, from, to;

	from = pos <= base ? 0 : (pos - base) / DISK_SECTOR;
	to = pos + len >= base + CACHE_BLOCK ? SECTORS :
	    (pos + len - base + DISK_SECTOR - 1) / DISK_SECTOR;
	return (uint8_t)((1u << to) - (1u << from));
}

/*
 * What failed with others is written again by itself, with nothing else under
 * way: hosts carry out as one what they find side by side, and fail it as one.
 */
static void
wrote_block(struct disk_block *b, const struct disk_req *rq)
{
	uint8_t mask = sectors_of(b->b_number, rq->rq_pos, rq->rq_len);

	if (rq->rq_error == 0) {
		set_dirty(b, b->b_dirty & (uint8_t)~mask);
		b->b_flags &= (uint8_t)~B_ALONE;
		if (b->b_unit->du_geo.dg_writeback)
			set_wrote(b, b->b_wrote | mask);
		settle(b);
	} else if ((b->b_flags & B_ALONE) == 0)
		b->b_flags |= B_ALONE;
	else {
		b->b_flags |= B_FAILED;
		blame(b, rq->rq_error);
	}
}

/* A device that can still write to them, or read them later, keeps them. */
static void
lose(struct disk_block *b, int error)
{
	blame(b, error);
	b->b_unit->du_lost += bits(b->b_dirty) * DISK_SECTOR;
	drop(b);
	list_remove(b);
}

static void
io_done(struct disk_req *rq)
{
	struct cache_io *ci = rq->rq_arg;
	struct disk_unit *du = rq->rq_unit;
	struct disk_block *b;
	unsigned i;

	for (i = 0; i < ci->ci_nblocks; i++) {
		b = ci->ci_blocks[i];
		b->b_flags &= (uint8_t)~B_BUSY;
		if (rq->rq_op == DISK_OP_WRITE)
			wrote_block(b, rq);
		else if (rq->rq_error == 0)
			b->b_valid |= sectors_of(b->b_number, rq->rq_pos,
			    rq->rq_len);
		if (rq->rq_lost)
			lose(b, rq->rq_error);
		else if (b->b_valid == 0)
			drop(b);
	}
	ci->ci_used = false;
	du->du_nio--;
	event_signal(&du->du_io_event);
}

static void
io_wait_below(struct disk_unit *du, unsigned n)
{
	while (du->du_nio >= n)
		unit_wait_event(du, &du->du_io_event);
}

static struct cache_io *
io_get(struct disk_unit *du)
{
	struct cache_io *ci = du->du_ios;

	io_wait_below(du, CACHE_IOS);
	while (ci->ci_used)
		ci++;
	ci->ci_used = true;
	du->du_nio++;
	return ci;
}

/* n blocks from ci_blocks on, bytes pos .. pos + len. */
static void
io_start(struct disk_unit *du, struct cache_io *ci, enum disk_op op,
    uint64_t pos, uint64_t len)
{
	struct disk_req *rq = &ci->ci_req;
	unsigned i;

	for (i = 0; i < ci->ci_nblocks; i++)
		ci->ci_blocks[i]->b_flags |= B_BUSY;
	memset(rq, 0, sizeof(*rq));
	rq->rq_op = op;
	rq->rq_pos = pos;
	rq->rq_len = len;
	rq->rq_blocks = ci->ci_blocks;
	rq->rq_done = io_done;
	rq->rq_arg = ci;
	unit_submit(du, rq);
}

/* Writing back */

static unsigned
first_bit(uint8_t mask)
{
	unsigned n = 0;

	while ((mask & 1u << n) == 0)
		n++;
	return n;
}

/* How many sectors in a row, from bit n on. */
static unsigned
row(uint8_t mask, unsigned n)
{
	unsigned from = n;

	while (n < SECTORS && (mask & 1u << n) != 0)
		n++;
	return n - from;
}

static bool
to_write(const struct disk_block *b)
{
	return b != NULL && b->b_dirty != 0 &&
	    (b->b_flags & (B_BUSY | B_FAILED)) == 0;
}

/* Whether the dirty sectors of b reach to, and go on in, the block after it. */
static struct disk_block *
goes_on(struct disk_block *b, unsigned first)
{
	struct disk_block *next;

	if (first + row(b->b_dirty, first) < SECTORS ||
	    (b->b_flags & B_ALONE) != 0)
		return NULL;
	next = lookup(b->b_unit, b->b_number + 1);
	if (!to_write(next) || (next->b_flags & B_ALONE) != 0 ||
	    (next->b_dirty & 1) == 0)
		return NULL;
	return next;
}

/* One request from the first dirty sector of b on, as long as they go on. */
static void
write_run(struct disk_unit *du, struct disk_block *b)
{
	struct cache_io *ci = io_get(du);
	unsigned first = first_bit(b->b_dirty), n, len;
	uint64_t pos = b->b_number * CACHE_BLOCK + first * DISK_SECTOR;

	len = 0;
	for (n = 0; b != NULL && n < CACHE_RUN; n++) {
		ci->ci_blocks[n] = b;
		len += row(b->b_dirty, first) * DISK_SECTOR;
		b = goes_on(b, first);
		first = 0;
	}
	ci->ci_nblocks = n;
	io_start(du, ci, DISK_OP_WRITE, pos, len);
}

/*
 * The first of a row of dirty blocks, so that a request is as long as can be.
 */
static struct disk_block *
run_start(struct disk_block *b)
{
	struct disk_block *prev;
	unsigned n;

	for (n = 1; n < CACHE_RUN && (b->b_dirty & 1) != 0; n++) {
		prev = b->b_number == 0 ? NULL :
		    lookup(b->b_unit, b->b_number - 1);
		if (!to_write(prev) ||
		    (prev->b_dirty & 1u << (SECTORS - 1)) == 0)
			break;
		b = prev;
	}
	return b;
}

/* As much of a block as is to be written, and what goes on from it. */
static unsigned
write_from(struct disk_unit *du, struct disk_block *b)
{
	struct disk_block *first;
	unsigned n = 0;
	bool alone;

	for (;; n++) {
		/* The wait changes what there is: looked at after it. */
		io_wait_below(du, CACHE_IOS);
		if (b->b_unit != du || !to_write(b))
			return n;
		first = run_start(b);
		alone = (first->b_flags & B_ALONE) != 0;
		if (alone && du->du_nio != 0) {
			io_wait_below(du, 1);
			continue;
		}
		write_run(du, first);
		if (alone)
			io_wait_below(du, 1);
	}
}

static unsigned
write_round(struct disk_unit *du)
{
	unsigned i, n = 0;

	for (i = 0; i < nblocks && du->du_ndirty != 0; i++)
		n += write_from(du, &blocks[i]);
	io_wait_below(du, 1);
	return n;
}

void
cache_writeback(struct disk_unit *du)
{
	unsigned i;

	for (i = 0; i < nblocks; i++)
		if (blocks[i].b_unit == du)
			blocks[i].b_flags &= (uint8_t)~B_FAILED;
	/* Each round takes a block off the dirty ones, or marks it. */
	while (write_round(du) != 0)
		continue;
}

/* What was written is durable, or (error) has to be written again. */
static void
flushed(struct disk_unit *du, int error)
{
	struct disk_block *b;
	unsigned i;

	for (i = 0; i < nblocks && du->du_nwrote != 0; i++) {
		b = &blocks[i];
		if (b->b_unit != du || b->b_wrote == 0)
			continue;
		if (error != 0) {
			blame(b, error);
			set_dirty(b, b->b_dirty | b->b_wrote);
		}
		set_wrote(b, 0);
		settle(b);
	}
}

int
cache_sync(struct disk_unit *du)
{
	int error;

	cache_writeback(du);
	if (!du->du_geo.dg_writeback)
		return 0;
	du->du_unflushed = false;
	error = unit_flush(du);
	if (error != 0)
		du->du_unflushed = true;
	flushed(du, error);
	return error;
}

/* Blocks for what is not yet there */

static struct disk_block *
oldest_clean(void)
{
	struct disk_block *b;

	for (b = list.b_newer; b != &list; b = b->b_newer)
		if (clean(b))
			return b;
	return NULL;
}

/* Another unit's, if nobody is at work on it: it may hold all there is. */
static void
sync_others(struct disk_unit *self)
{
	struct disk_unit *du;

	for (du = unit_next(NULL); du != NULL; du = unit_next(du)) {
		if (du == self || du->du_lock.mtx_owner != NULL ||
		    unit_error(du) != 0 || du->du_ndirty + du->du_nwrote == 0)
			continue;
		du->du_refs++;
		mutex_lock(&du->du_lock);
		cache_sync(du);
		mutex_unlock(&du->du_lock);
		unit_release(du);
		return;
	}
}

static struct disk_block *
room(struct disk_unit *du)
{
	struct disk_block *b = oldest_clean();

	if (b != NULL)
		return b;
	if (du->du_ndirty + du->du_nwrote != 0)
		cache_sync(du);
	else
		io_wait_below(du, 1);
	b = oldest_clean();
	if (b != NULL)
		return b;
	sync_others(du);
	return oldest_clean();
}

/*
 * A block for a number that has none. NULL: all are dirty and can't be written.
 * The wait may have brought one of that number: it is found then.
 */
static struct disk_block *
make(struct disk_unit *du, uint64_t number)
{
	struct disk_block *b = room(du), **at;

	if (b == NULL || unit_error(du) != 0)
		return NULL;
	if (b->b_unit != NULL)
		drop(b);
	at = bucket(du, number);
	b->b_unit = du;
	b->b_number = number;
	b->b_hash = *at;
	*at = b;
	touch(b);
	return b;
}

static int
no_block(const struct disk_unit *du)
{
	int error = unit_error(du);

	return error != 0 ? error : EIO;
}

static void
block_wait(struct disk_unit *du, struct disk_block *b)
{
	while (b->b_unit == du && (b->b_flags & B_BUSY) != 0)
		unit_wait_event(du, &du->du_io_event);
}

/* Reading */

/* Bytes of the unit that a block has: the last may be short. */
static uint64_t
block_bytes(const struct disk_unit *du, uint64_t number)
{
	uint64_t pos = number * CACHE_BLOCK, size = du->du_geo.dg_size;

	if (pos >= size)
		return 0;
	return size - pos < CACHE_BLOCK ? size - pos : CACHE_BLOCK;
}

static int
fill_run(struct disk_unit *du, struct cache_io *ci, uint64_t number)
{
	unsigned n = ci->ci_nblocks;
	uint64_t len = (uint64_t)(n - 1) * CACHE_BLOCK +
	    block_bytes(du, number + n - 1);

	io_start(du, ci, DISK_OP_READ, number * CACHE_BLOCK, len);
	io_wait_below(du, 1);
	return unit_error(du);
}

/*
 * Read blocks of which nothing is there, at most n from number on. The caller
 * looks which came: those after the first are a guess.
 */
static int
read_run(struct disk_unit *du, uint64_t number, unsigned n)
{
	uint64_t end = (du->du_geo.dg_size + CACHE_BLOCK - 1) / CACHE_BLOCK;
	struct disk_block *b = number < end ? make(du, number) : NULL;
	struct cache_io *ci;
	unsigned i;

	if (b == NULL)
		return no_block(du);
	/* From here on not to be taken for room. */
	b->b_flags |= B_BUSY;
	ci = io_get(du);
	ci->ci_blocks[0] = b;
	for (i = 1; i < n && number + i < end; i++) {
		if (lookup(du, number + i) != NULL || oldest_clean() == NULL)
			break;
		b = make(du, number + i);
		if (b == NULL)
			break;
		b->b_flags |= B_BUSY;
		ci->ci_blocks[i] = b;
	}
	ci->ci_nblocks = i;
	return fill_run(du, ci, number);
}

/* A block of which something is there: the rest of it, beside that. */
static void
merge(struct disk_block *b, const uint8_t *page, uint64_t bytes)
{
	unsigned i;

	for (i = 0; i < bytes / DISK_SECTOR; i++) {
		if ((b->b_valid & 1u << i) != 0)
			continue;
		memcpy(b->b_data + i * DISK_SECTOR, page + i * DISK_SECTOR,
		    DISK_SECTOR);
		b->b_valid |= (uint8_t)(1u << i);
	}
}

static int
fill_rest(struct disk_unit *du, struct disk_block *b)
{
	uint64_t number = b->b_number, bytes = block_bytes(du, number);
	uint8_t *page = bytes == 0 ? NULL : kmalloc(CACHE_BLOCK);
	struct disk_req rq;
	int error;

	if (page == NULL)
		return bytes == 0 ? EIO : ENOMEM;
	b->b_flags |= B_BUSY;
	memset(&rq, 0, sizeof(rq));
	rq.rq_op = DISK_OP_READ;
	rq.rq_pos = number * CACHE_BLOCK;
	rq.rq_len = bytes;
	rq.rq_data = page;
	unit_submit(du, &rq);
	error = unit_wait(&rq);
	/* Not if the unit went meanwhile, and its blocks. */
	if (b->b_unit == du && b->b_number == number) {
		b->b_flags &= (uint8_t)~B_BUSY;
		if (error == 0)
			merge(b, page, bytes);
	}
	if (!rq.rq_lost)
		kfree(page);
	return error;
}

/*
 * The block with at least these sectors valid; ahead: others that it may read.
 */
static int
get(struct disk_unit *du, uint64_t number, uint8_t need, unsigned ahead,
    struct disk_block **bp)
{
	struct disk_block *b = lookup(du, number);
	int error = 0;

	if (b != NULL)
		block_wait(du, b);
	b = lookup(du, number);
	if (b != NULL && (b->b_valid & need) == need)
		du->du_stats.ds_hits++;
	else {
		du->du_stats.ds_misses++;
		if (b != NULL)
			error = fill_rest(du, b);
		else {
			error = read_run(du, number, ahead);
			/* The guess may be what failed. */
			if (error == 0 && ahead > 1 &&
			    lookup(du, number) == NULL)
				error = read_run(du, number, 1);
		}
		b = lookup(du, number);
	}
	if (error == 0 && (b == NULL || (b->b_valid & need) != need))
		error = no_block(du);
	if (error == 0)
		touch(b);
	*bp = b;
	return error;
}

static uint64_t
blocks_between(uint64_t pos, uint64_t end)
{
	return (end + CACHE_BLOCK - 1) / CACHE_BLOCK - pos / CACHE_BLOCK;
}

/* How many blocks a miss at pos reads, when the caller goes on to end. */
static unsigned
window(struct disk *dk, uint64_t pos, uint64_t end)
{
	uint64_t n = blocks_between(pos, end);
	unsigned most = nblocks / 4 < CACHE_RUN ? nblocks / 4 : CACHE_RUN;

	if (n < dk->dk_window)
		n = dk->dk_window;
	return n > most ? most : (unsigned)n;
}

/* One that goes on where the last left off reads twice as far ahead. */
static void
window_move(struct disk *dk, uint64_t pos, uint64_t end)
{
	if (pos != dk->dk_next)
		dk->dk_window = 1;
	else if (dk->dk_window < CACHE_RUN)
		dk->dk_window = dk->dk_window * 2 + 2;
	dk->dk_next = end;
}

int
cache_read(struct disk *dk, uint64_t pos, void *buf, size_t len)
{
	struct disk_unit *du = dk->dk_unit;
	uint64_t end = pos + len, number, n;
	struct disk_block *b;
	uint8_t *to = buf;
	int error;

	window_move(dk, pos, end);
	for (; pos < end; pos += n, to += n) {
		number = pos / CACHE_BLOCK;
		n = CACHE_BLOCK - pos % CACHE_BLOCK;
		if (n > end - pos)
			n = end - pos;
		error = get(du, number, sectors_of(number, pos, n),
		    window(dk, pos, end), &b);
		if (error != 0)
			return error;
		memcpy(to, b->b_data + pos % CACHE_BLOCK, n);
	}
	return 0;
}

/* Writing */

/* The sectors of which a write of pos .. pos + len covers but a part. */
static uint8_t
partial(const struct disk_unit *du, uint64_t number, uint64_t pos,
    uint64_t len)
{
	uint64_t unit = du->du_geo.dg_sector, end = pos + len;
	uint8_t mask = 0;

	if (pos % unit != 0)
		mask |= sectors_of(number, pos - pos % unit, unit);
	if (end % unit != 0)
		mask |= sectors_of(number, end - end % unit, unit);
	return mask;
}

/* The sectors that a write touches, in units of what the device writes. */
static uint8_t
whole(const struct disk_unit *du, uint64_t number, uint64_t pos, uint64_t len)
{
	uint64_t unit = du->du_geo.dg_sector, from = pos - pos % unit;

	return sectors_of(number, from,
	    (pos + len + unit - 1) / unit * unit - from);
}

static int
write_block(struct disk *dk, uint64_t pos, const uint8_t *from, uint64_t len)
{
	struct disk_unit *du = dk->dk_unit;
	uint64_t number = pos / CACHE_BLOCK;
	uint8_t mask = whole(du, number, pos, len);
	uint8_t need = partial(du, number, pos, len);
	struct disk_block *b = lookup(du, number);
	int error;

	if (b != NULL)
		block_wait(du, b);
	b = lookup(du, number);
	if (need != 0 && (b == NULL || (b->b_valid & need) != need)) {
		error = get(du, number, need, 1, &b);
		if (error != 0)
			return error;
	}
	if (b == NULL)
		b = make(du, number);
	if (b == NULL)
		return no_block(du);
	memcpy(b->b_data + pos % CACHE_BLOCK, from, len);
	b->b_valid |= mask;
	b->b_writers |= 1u << dk->dk_slot;
	set_dirty(b, b->b_dirty | mask);
	touch(b);
	return 0;
}

/* No disk has more than half of the blocks waiting to be written. */
static int
write_limit(struct disk_unit *du)
{
	if (du->du_ndirty > nblocks / 4)
		cache_writeback(du);
	if (du->du_ndirty > nblocks / 4)
		return no_block(du);
	if (du->du_ndirty + du->du_nwrote > nblocks / 2)
		return cache_sync(du);
	return 0;
}

static int
write_blocks(struct disk *dk, uint64_t pos, const uint8_t *from, size_t len)
{
	uint64_t end = pos + len, n;
	int error;

	for (; pos < end; pos += n, from += n) {
		n = CACHE_BLOCK - pos % CACHE_BLOCK;
		if (n > end - pos)
			n = end - pos;
		error = write_limit(dk->dk_unit);
		if (error == 0)
			error = write_block(dk, pos, from, n);
		if (error != 0)
			return error;
	}
	return 0;
}

int
cache_write(struct disk *dk, uint64_t pos, const void *buf, size_t len)
{
	struct disk_unit *du = dk->dk_unit;
	int error = write_blocks(dk, pos, buf, len);

	if (du->du_geo.dg_writeback)
		return error;
	cache_writeback(du);
	if (error == 0)
		error = dk->dk_error;
	dk->dk_error = 0;
	return error;
}

/* Requests past the cache */

/* For a read only what is newer than the disk matters. */
static bool
matters(const struct disk_block *b, uint64_t pos, uint64_t len, bool change)
{
	uint8_t mask = sectors_of(b->b_number, pos, len);

	if (!change)
		return (b->b_dirty & mask) != 0;
	return (b->b_flags & B_BUSY) != 0 || (b->b_valid & mask) != 0;
}

bool
cache_holds(struct disk_unit *du, uint64_t pos, uint64_t len, bool change)
{
	uint64_t number = pos / CACHE_BLOCK, n = blocks_between(pos, pos + len);
	const struct disk_block *b;
	unsigned i;

	if (n < nblocks) {
		for (; n > 0; n--) {
			b = lookup(du, number++);
			if (b != NULL && matters(b, pos, len, change))
				return true;
		}
		return false;
	}
	for (i = 0; i < nblocks; i++) {
		b = &blocks[i];
		if (b->b_unit == du && b->b_number >= number &&
		    b->b_number < number + n && matters(b, pos, len, change))
			return true;
	}
	return false;
}

static void
invalidate(struct disk_block *b, uint64_t pos, uint64_t len)
{
	uint8_t keep = (uint8_t)~sectors_of(b->b_number, pos, len);

	b->b_valid &= keep;
	set_dirty(b, b->b_dirty & keep);
	set_wrote(b, b->b_wrote & keep);
	settle(b);
	if (b->b_valid == 0)
		drop(b);
}

int
cache_bypass(struct disk_unit *du, uint64_t pos, uint64_t len, bool change)
{
	uint64_t first = pos / CACHE_BLOCK, n = blocks_between(pos, pos + len);
	struct disk_block *b;
	unsigned i;

	if (cache_holds(du, pos, len, false))
		cache_writeback(du);
	for (i = 0; i < nblocks; i++) {
		b = &blocks[i];
		if (b->b_unit != du || b->b_number < first ||
		    b->b_number >= first + n)
			continue;
		if (change)
			invalidate(b, pos, len);
		else if (matters(b, pos, len, false))
			return EIO;	/* what is on the disk is older */
	}
	return unit_error(du);
}

/* Ends */

void
cache_forget(struct disk *dk)
{
	struct disk_unit *du = dk->dk_unit;
	uint64_t bytes = 0;
	struct disk_block *b;
	unsigned i;

	for (i = 0; i < nblocks; i++) {
		b = &blocks[i];
		if (b->b_unit != du || (b->b_writers & 1u << dk->dk_slot) == 0)
			continue;
		b->b_writers &= ~(1u << dk->dk_slot);
		if (b->b_writers != 0 || b->b_dirty == 0 ||
		    (b->b_flags & (B_BUSY | B_FAILED)) != B_FAILED)
			continue;
		bytes += bits(b->b_dirty) * DISK_SECTOR;
		drop(b);
	}
	if (bytes != 0)
		klog(LOG_ERR, "%s: %llu bytes could not be written and are "
		    "given up", du->du_name, (unsigned long long)bytes);
}

uint64_t
cache_drop_unit(struct disk_unit *du)
{
	uint64_t bytes = du->du_lost;
	struct disk_block *b;
	unsigned i;

	du->du_lost = 0;
	for (i = 0; i < nblocks; i++) {
		b = &blocks[i];
		if (b->b_unit != du)
			continue;
		bytes += bits(b->b_dirty) * DISK_SECTOR;
		if (b->b_dirty != 0 || b->b_wrote != 0)
			blame(b, ENXIO);
		drop(b);
	}
	return bytes;
}
