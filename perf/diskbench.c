/* SPDX-License-Identifier: ISC */
/*
 * What Linux makes of a disk, for perf/rows/disk.py.
 *
 *	diskbench /dev/vda read|write rand|seq DEPTH SIZE MILLISECONDS
 *
 * Requests of SIZE bytes past the page cache (O_DIRECT), DEPTH of them at any
 * moment: pread and pwrite at depth 1, io_submit and io_getevents above. It
 * says
 *
 *	bench: N operations in M us
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define DEPTH_MAX	64

struct bench {
	int		be_fd;
	int		be_writes;
	int		be_random;
	unsigned int	be_depth;
	size_t		be_size;
	uint64_t	be_places;	/* of that size, on the disk */
	uint64_t	be_next;
	uint64_t	be_until;	/* us */
	char		*be_data[DEPTH_MAX];
};

/* One after the other, or anywhere (splitmix64). */
static off_t
place(struct bench *be)
{
	uint64_t z;

	if (!be->be_random)
		return (off_t)(be->be_next++ % be->be_places * be->be_size);
	z = be->be_next += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (off_t)((z ^ z >> 31) % be->be_places * be->be_size);
}

static uint64_t
one_by_one(struct bench *be)
{
	uint64_t n = 0;
	ssize_t got;

	do {
		got = be->be_writes ?
		    pwrite(be->be_fd, be->be_data[0], be->be_size, place(be)) :
		    pread(be->be_fd, be->be_data[0], be->be_size, place(be));
		if (got != (ssize_t)be->be_size)
			err(1, "a request");
		n++;
	} while (now_us() < be->be_until);
	return n;
}

static void
prepare(struct bench *be, struct iocb *io, uint64_t slot)
{
	memset(io, 0, sizeof(*io));
	io->aio_fildes = (uint32_t)be->be_fd;
	io->aio_lio_opcode = be->be_writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	io->aio_buf = (uint64_t)(uintptr_t)be->be_data[slot];
	io->aio_nbytes = be->be_size;
	io->aio_offset = place(be);
	io->aio_data = slot;
}

static uint64_t
many(struct bench *be)
{
	struct iocb io[DEPTH_MAX], *start[DEPTH_MAX];
	struct io_event done[DEPTH_MAX];
	aio_context_t context = 0;
	uint64_t n = 0;
	long i, got = be->be_depth;

	if (syscall(SYS_io_setup, be->be_depth, &context) != 0)
		err(1, "io_setup");
	for (i = 0; i < got; i++)
		prepare(be, start[i] = &io[i], (uint64_t)i);
	do {
		if (syscall(SYS_io_submit, context, got, start) != got)
			err(1, "io_submit");
		got = syscall(SYS_io_getevents, context, 1, be->be_depth, done,
		    NULL);
		if (got < 1)
			err(1, "io_getevents");
		for (i = 0; i < got; i++) {
			if (done[i].res != (int64_t)be->be_size)
				errx(1, "a request failed");
			start[i] = &io[done[i].data];
			prepare(be, start[i], done[i].data);
		}
		n += (uint64_t)got;
	} while (now_us() < be->be_until);
	return n;
}

static void
open_disk(struct bench *be, const char *path)
{
	uint64_t bytes;
	unsigned int i;

	be->be_fd = open(path, O_RDWR | O_DIRECT);
	if (be->be_fd < 0 || ioctl(be->be_fd, BLKGETSIZE64, &bytes) != 0)
		err(1, "%s", path);
	be->be_places = bytes / be->be_size;
	for (i = 0; i < be->be_depth; i++) {
		be->be_data[i] = aligned_alloc(4096,
		    (be->be_size + 4095) / 4096 * 4096);
		if (be->be_data[i] == NULL)
			err(1, "memory");
		/* No page is met for the first time while time is taken. */
		memset(be->be_data[i], (int)i, be->be_size);
	}
}

int
main(int argc, char **argv)
{
	struct bench be = { .be_fd = -1 };
	uint64_t began, n;

	if (argc != 7)
		errx(1, "usage: diskbench DISK read|write rand|seq DEPTH SIZE "
		    "MILLISECONDS");
	be.be_writes = strcmp(argv[2], "write") == 0;
	be.be_random = strcmp(argv[3], "rand") == 0;
	be.be_depth = (unsigned int)atoi(argv[4]);
	be.be_size = (size_t)atol(argv[5]);
	if (be.be_depth < 1 || be.be_depth > DEPTH_MAX || be.be_size < 512)
		errx(1, "depth or size");
	open_disk(&be, argv[1]);
	began = now_us();
	be.be_until = began + (uint64_t)atol(argv[6]) * 1000;
	n = be.be_depth == 1 ? one_by_one(&be) : many(&be);
	printf("bench: %llu operations in %llu us\n", (unsigned long long)n,
	    (unsigned long long)(now_us() - began));
	return 0;
}
