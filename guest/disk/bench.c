/* SPDX-License-Identifier: ISC */
/*
 * `diskbench`: requests past the cache, so many at any moment.
 */
#include <errno.h>
#include <string.h>

#include "disk.h"
#include "kmem.h"
#include "ktime.h"
#include "shell.h"
#include "thread.h"
#include "trial.h"
#include "tty.h"

#define DEPTH_MAX	64u
#define SIZE_LARGEST	(1u << 20)

struct bench {
	struct disk	*be_disk;
	enum disk_op	be_op;
	bool		be_random;
	uint64_t	be_state;	/* of the random numbers; or the next */
	uint64_t	be_places;	/* of that size, on the disk */
	size_t		be_size;
	unsigned	be_depth;
	unsigned	be_busy;
	uint64_t	be_done;
	uint64_t	be_until;
	int		be_error;
	struct event	be_event;
	struct disk_req	be_req[DEPTH_MAX];
};

static uint64_t
place(struct bench *be)
{
	uint64_t n = be->be_random ? trial_random(&be->be_state) :
	    be->be_state++;

	return n % be->be_places * be->be_size;
}

static void
begin(struct bench *be, struct disk_req *rq)
{
	int error;

	rq->rq_off = place(be);
	error = disk_submit(be->be_disk, rq);
	if (error == 0)
		be->be_busy++;
	else
		be->be_error = error;
}

/* Each makes room for the next. */
static void
done(struct disk_req *rq)
{
	struct bench *be = rq->rq_arg;

	be->be_busy--;
	be->be_done++;
	if (rq->rq_lost)
		rq->rq_data = NULL;
	if (rq->rq_error != 0)
		be->be_error = rq->rq_error;
	if (be->be_error == 0 && uptime_ns() < be->be_until)
		begin(be, rq);
	else if (be->be_busy == 0)
		event_signal(&be->be_event);
}

/* As a program does that waits for each. */
static void
one_by_one(struct bench *be)
{
	do {
		be->be_error = disk_do(be->be_disk, be->be_op, place(be),
		    be->be_req[0].rq_data, be->be_size);
		be->be_done++;
	} while (be->be_error == 0 && uptime_ns() < be->be_until);
}

static void
many(struct bench *be)
{
	struct disk_req *all[DEPTH_MAX];
	unsigned i;

	for (i = 0; i < be->be_depth; i++) {
		all[i] = &be->be_req[i];
		all[i]->rq_off = place(be);
	}
	be->be_busy = be->be_depth;
	be->be_error = disk_submit_all(be->be_disk, all, be->be_depth);
	if (be->be_error != 0)
		be->be_busy = 0;
	while (be->be_busy > 0)
		event_wait(&be->be_event, TTY_SLICE_NS);
}

static int
prepare(struct bench *be)
{
	struct disk_req *rq;

	for (rq = be->be_req; rq < be->be_req + be->be_depth; rq++) {
		rq->rq_op = be->be_op;
		rq->rq_len = be->be_size;
		rq->rq_done = done;
		rq->rq_arg = be;
		rq->rq_data = kmalloc(be->be_size);
		if (rq->rq_data == NULL)
			return ENOMEM;
		memset(rq->rq_data, 0x5a, be->be_size);
	}
	return 0;
}

static void
say(const struct bench *be, uint64_t ns, const struct disk_stats *before,
    const struct disk_stats *after)
{
	uint64_t bells = after->ds_doorbells - before->ds_doorbells;
	uint64_t interrupts = after->ds_interrupts - before->ds_interrupts;

	tty_printf("bench: %llu operations in %llu us, %llu doorbells, "
	    "%llu interrupts\n", (unsigned long long)be->be_done,
	    (unsigned long long)(ns / NS_PER_US), (unsigned long long)bells,
	    (unsigned long long)interrupts);
}

static int
run(struct bench *be, uint64_t ms)
{
	struct disk_stats before, after;
	uint64_t began;

	disk_getstats(be->be_disk, &before);
	began = uptime_ns();
	be->be_until = began + ms * NS_PER_MS;
	if (be->be_depth == 1)
		one_by_one(be);
	else
		many(be);
	began = uptime_ns() - began;
	disk_getstats(be->be_disk, &after);
	if (be->be_error == 0)
		say(be, began, &before, &after);
	return be->be_error;
}

static int
on_disk(struct bench *be, const char *name, uint64_t ms)
{
	struct disk_info info;
	int error;

	error = disk_open(name, be->be_op == DISK_OP_READ ? DISK_READ :
	    DISK_READ | DISK_WRITE, &be->be_disk);
	if (error == 0) {
		disk_getinfo(be->be_disk, &info);
		be->be_places = info.di_size / be->be_size;
		error = be->be_places == 0 || be->be_size % info.di_sector != 0 ?
		    EINVAL : prepare(be);
		if (error == 0)
			error = run(be, ms);
		disk_close(be->be_disk);
	}
	if (error != 0)
		tty_printf("diskbench: %s: %s\n", name, strerror(error));
	return error;
}

static bool
one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int
cmd_diskbench(int argc, char **argv)
{
	struct trial_word words[] = {
		{ "depth", 1, 1, DEPTH_MAX },
		{ "size", 4096, DISK_SECTOR, SIZE_LARGEST },
		{ "ms", 1000, 1, 60000 }
	};
	struct bench *be;
	unsigned i;
	int error;

	if (argc < 4 || !one_of(argv[2], "read", "write") ||
	    !one_of(argv[3], "rand", "seq"))
		return shell_usage(argv[0]);
	if (trial_words("diskbench", argv + 4, words, 3) != 0)
		return EINVAL;
	be = kzalloc(sizeof(*be));
	if (be == NULL)
		return ENOMEM;
	be->be_op = strcmp(argv[2], "write") == 0 ? DISK_OP_WRITE :
	    DISK_OP_READ;
	be->be_random = strcmp(argv[3], "rand") == 0;
	be->be_depth = (unsigned)words[0].tw_value;
	be->be_size = words[1].tw_value;
	error = on_disk(be, argv[1], words[2].tw_value);
	for (i = 0; i < DEPTH_MAX; i++)
		kfree(be->be_req[i].rq_data);
	kfree(be);
	return error;
}
COMMAND(diskbench, cmd_diskbench,
    "diskbench DISK read|write rand|seq [depth=N] [size=N] [ms=N]",
    "how fast a disk is; write writes over it");
