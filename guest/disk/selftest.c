/* SPDX-License-Identifier: ISC */
/*
 * What can be tested of a disk without writing to it.
 */
#include <errno.h>
#include <string.h>

#include "cpu.h"
#include "diskvar.h"
#include "kmem.h"
#include "selftest.h"

#define LEN	(64u << 10)
#define DEPTH	32u

static const char none[] = "no disk of 64 KiB or more";

/* The first whole disk that is long enough. */
static struct disk *
any_disk(struct disk_info *di)
{
	struct disk *dk = NULL;
	unsigned pos = 0;

	while (disk_next(&pos, di))
		if (di->di_partition == 0 && di->di_size >= LEN &&
		    disk_open(di->di_name, DISK_READ, &dk) == 0)
			break;
	return dk;
}

/* 0: both ways to the bytes bring the same, on each queue. */
static int
compare(struct disk *dk, uint8_t *a, uint8_t *b)
{
	struct disk_req rq;
	unsigned queue;
	int error;

	error = disk_read(dk, 0, a, LEN);
	for (queue = 0; error == 0 && queue <= cpu_count(); queue++) {
		memset(&rq, 0, sizeof(rq));
		memset(b, 0xa5, LEN);
		rq.rq_op = DISK_OP_READ;
		rq.rq_len = LEN;
		rq.rq_data = b;
		rq.rq_queue = queue;
		error = disk_submit(dk, &rq);
		if (error == 0)
			error = disk_wait(&rq);
		if (error == 0 && memcmp(a, b, LEN) != 0)
			error = EILSEQ;
	}
	return error;
}

SELFTEST(disk_both_ways)
{
	struct disk_info di;
	struct disk *dk = any_disk(&di);
	uint8_t *buf = kmalloc(2 * LEN);
	int error;

	error = dk == NULL || buf == NULL ? 0 : compare(dk, buf, buf + LEN);
	kfree(buf);
	disk_close(dk);
	if (dk == NULL)
		ST_SKIP(st, none);
	ST_CHECK(st, buf != NULL);
	ST_EQ(st, error, 0);
}

static void
count_done(struct disk_req *rq)
{
	if (rq->rq_error == 0)
		++*(unsigned *)rq->rq_arg;
}

/* Many at once come back whole, each once. */
static unsigned
many(struct disk *dk, uint8_t *buf, uint32_t sector)
{
	struct disk_req *rq = kzalloc(DEPTH * sizeof(*rq)), last;
	unsigned i, done = 0;

	for (i = 0; rq != NULL && i < DEPTH; i++) {
		rq[i].rq_op = DISK_OP_READ;
		rq[i].rq_off = i % (LEN / sector) * sector;
		rq[i].rq_len = sector;
		rq[i].rq_data = buf;
		rq[i].rq_done = count_done;
		rq[i].rq_arg = &done;
		if (disk_submit(dk, &rq[i]) != 0)
			break;
	}
	/* The others are done, or fail within the same bounds. */
	memset(&last, 0, sizeof(last));
	last.rq_op = DISK_OP_READ;
	last.rq_len = sector;
	last.rq_data = buf;
	if (disk_submit(dk, &last) == 0)
		disk_wait(&last);
	for (i = 0; rq != NULL && i < 1000 && done < DEPTH; i++)
		thread_sleep(1000000);
	if (done == DEPTH)
		kfree(rq);
	return done;
}

SELFTEST(disk_many_at_once)
{
	struct disk_info di;
	struct disk *dk = any_disk(&di);
	uint8_t *buf = kmalloc(DISK_SECTOR_MAX);
	unsigned done;

	done = dk == NULL || buf == NULL ? 0 : many(dk, buf, di.di_sector);
	if (done == DEPTH || dk == NULL)
		kfree(buf);
	disk_close(dk);
	if (dk == NULL)
		ST_SKIP(st, none);
	ST_EQ(st, done, DEPTH);
}

SELFTEST(disk_bounds)
{
	struct disk_info di;
	struct disk *dk = any_disk(&di);
	uint8_t buf[16];
	int beyond, across, closed;

	if (dk == NULL)
		ST_SKIP(st, none);
	beyond = disk_read(dk, di.di_size, buf, 1);
	across = disk_read(dk, di.di_size - 8, buf, sizeof(buf));
	closed = disk_write(dk, 0, buf, sizeof(buf));
	disk_close(dk);
	ST_EQ(st, beyond, EINVAL);
	ST_EQ(st, across, EINVAL);
	ST_EQ(st, closed, EBADF);
}
