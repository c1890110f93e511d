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
#include "vm.h"

#define LEN	(64u << 10)
#define LONG	(3u << 20)
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

#define SCATTERED	(48u * PAGE_SIZE)	/* more than one load takes */

/* Memory whose every page lies before the one that it follows. */
static void *
scattered_alloc(paddr_t *pa)
{
	size_t n = SCATTERED / PAGE_SIZE, i;
	vaddr_t va = vm_kva_alloc(SCATTERED);

	*pa = va == 0 ? 0 : page_alloc(n, 0, 0);
	for (i = 0; *pa != 0 && i < n; i++)
		if (vm_map(&vm_kernel, va + i * PAGE_SIZE,
		    *pa + (n - 1 - i) * PAGE_SIZE, PAGE_SIZE,
		    VM_READ | VM_WRITE, VM_WB) != 0)
			return NULL;
	return *pa == 0 ? NULL : (void *)va;
}

static void
scattered_free(void *p, paddr_t pa)
{
	vm_unmap(&vm_kernel, (vaddr_t)p, SCATTERED);
	vm_kva_free((vaddr_t)p, SCATTERED);
	page_free(pa, SCATTERED / PAGE_SIZE);
}

/*
 * Whether a sector reads the same whatever was read before it. Not so where a
 * host makes up a file system, and what lies behind a file's end in it.
 */
static bool
steady(struct disk *dk, uint64_t off)
{
	uint8_t first[DISK_SECTOR], again[DISK_SECTOR];
	uint64_t before;
	bool same = disk_do(dk, DISK_OP_READ, off, first, DISK_SECTOR) == 0;

	for (before = 0; same && before < LONG; before += LEN)
		same = disk_do(dk, DISK_OP_READ, before, again,
		    DISK_SECTOR) == 0 &&
		    disk_do(dk, DISK_OP_READ, off, again, DISK_SECTOR) == 0 &&
		    memcmp(first, again, DISK_SECTOR) == 0;
	return same;
}

/* EAGAIN: they differ, but so does the disk from itself. */
static int
differ(struct disk *dk, uint64_t off, const uint8_t *a, const uint8_t *b)
{
	size_t i;

	for (i = 0; i < SCATTERED; i += DISK_SECTOR)
		if (memcmp(a + i, b + i, DISK_SECTOR) != 0)
			return steady(dk, off + i) ? EILSEQ : EAGAIN;
	return 0;
}

/* Longer than what is loaded at once, and where that lies in many places. */
static int
compare_long(struct disk *dk, uint8_t *buf, uint8_t *pages)
{
	uint64_t off;
	int error;

	error = disk_do(dk, DISK_OP_READ, 0, buf, LONG);
	for (off = 0; error == 0 && off + SCATTERED <= LONG; off += SCATTERED) {
		error = disk_read(dk, off, pages, SCATTERED);
		if (error == 0)
			error = differ(dk, off, buf + off, pages);
		memset(pages, 0xa5, SCATTERED);
		if (error == 0)
			error = disk_do(dk, DISK_OP_READ, off, pages,
			    SCATTERED);
		if (error == 0)
			error = differ(dk, off, buf + off, pages);
	}
	return error;
}

SELFTEST(disk_long_requests)
{
	struct disk_info di;
	struct disk *dk = any_disk(&di);
	bool enough = dk != NULL && di.di_size >= LONG;
	uint8_t *buf = enough ? kmalloc(LONG) : NULL;
	paddr_t pa = 0;
	void *pages = enough ? scattered_alloc(&pa) : NULL;
	int error = 0;

	if (buf != NULL && pages != NULL)
		error = compare_long(dk, buf, pages);
	if (pages != NULL)
		scattered_free(pages, pa);
	kfree(buf);
	disk_close(dk);
	if (!enough)
		ST_SKIP(st, "no disk of 3 MiB or more");
	ST_CHECK(st, buf != NULL && pages != NULL);
	if (error == EAGAIN)
		ST_SKIP(st, "the disk reads otherwise each time");
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
