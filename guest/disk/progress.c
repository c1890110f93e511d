/* SPDX-License-Identifier: ISC */
/*
 * The kernel's log, into the sectors of a file that the EFI application made.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "file.h"
#include "init.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "machine.h"
#include "progress.h"
#include "thread.h"

#define LOOK_NS		(100 * NS_PER_MS)	/* between looks at the log */
#define FIND_NS		(20 * NS_PER_MS)
#define FIND_TRIES	3000		/* a minute: disks appear late */
#define CHUNK		4096u			/* of the log, in one write */

static struct {
	struct disk	*p_disk;	/* NULL: there is no place */
	struct mutex	p_lock;
	uint64_t	p_off, p_len;	/* the file, on its partition */
	uint64_t	p_at;		/* in it, where the log goes on */
	uint64_t	p_first;	/* bytes of its first sector */
	unsigned long long p_log;	/* how far the log is read */
	char		*p_head;	/* the first sector */
	char		*p_text;	/* the sector being filled, and on */
} progress;

static int
put(uint64_t off, void *data, uint64_t len)
{
	return disk_do(progress.p_disk, DISK_OP_WRITE, progress.p_off + off,
	    data, len);
}

/* The end: of the file, or of the disk. */
static void
stop(int error)
{
	(void)disk_close(progress.p_disk);
	progress.p_disk = NULL;
	file_unplace();
	if (error != ENOSPC)
		klog(LOG_DEBUG, "progress: no more, error %d", error);
}

static int
stage_put(const char *line, size_t len)
{
	char *head = progress.p_head;

	if (len > PROGRESS_LINE - sizeof("kernel: \r\n") + 1)
		len = PROGRESS_LINE - sizeof("kernel: \r\n") + 1;
	memset(head, ' ', PROGRESS_LINE - 2);
	memcpy(head, "kernel: ", 8);
	memcpy(head + 8, line, len);
	return put(0, head, progress.p_first);
}

/* The last whole line of len bytes, without its time. */
static const char *
last_line(const char *text, size_t len, size_t *n)
{
	const char *end = text + len, *at, *bracket;

	while (end > text && end[-1] <= ' ')
		end--;
	for (at = end; at > text && at[-1] != '\n'; at--)
		continue;
	bracket = *at == '[' ? memchr(at, ']', (size_t)(end - at)) : NULL;
	if (bracket != NULL && end - bracket > 2)
		at = bracket + 2;
	*n = (size_t)(end - at);
	return at;
}

/*
 * A chunk of the log. What was written of the last sector is written again with
 * what follows it.
 */
static int
chunk_put(size_t got)
{
	size_t sector = progress.p_first, in, whole, n;
	const char *line;
	int error;

	in = progress.p_at % sector;
	if (got > progress.p_len - progress.p_at)
		got = (size_t)(progress.p_len - progress.p_at);
	whole = (in + got + sector - 1) / sector * sector;
	memset(progress.p_text + in + got, ' ', whole - in - got);
	error = put(progress.p_at - in, progress.p_text, whole);
	line = last_line(progress.p_text + in, got, &n);
	if (error == 0 && n > 0)
		error = stage_put(line, n);
	if (error != 0)
		return error;
	progress.p_at += got;
	if ((in + got) % sector != 0)
		memmove(progress.p_text, progress.p_text + whole - sector,
		    (in + got) % sector);
	return progress.p_at == progress.p_len ? ENOSPC : 0;
}

void
progress_settle(void)
{
	bool any = false;
	int error = 0;
	size_t got;

	mutex_lock(&progress.p_lock);
	while (progress.p_disk != NULL && error == 0) {
		got = log_read(&progress.p_log, progress.p_text +
		    progress.p_at % progress.p_first, CHUNK);
		if (got == 0)
			break;
		any = true;
		error = chunk_put(got);
	}
	if (any && (error == 0 || error == ENOSPC)) {
		int flushed = disk_do(progress.p_disk, DISK_OP_FLUSH, 0, NULL,
		    0);

		if (flushed != 0)
			error = flushed;
	}
	if (error != 0)
		stop(error);
	mutex_unlock(&progress.p_lock);
}

/* Whether the file on this partition is the one that was just written. */
static int
place_take(const char *name)
{
	char path[DISK_NAME_MAX + sizeof(PROGRESS_PATH) + 1];
	struct disk_info di;
	struct disk *dk;
	int error;

	(void)snprintf(path, sizeof(path), "%s:%s", name, PROGRESS_PATH);
	error = file_place(path, &progress.p_off, &progress.p_len);
	if (error != 0)
		return error;
	error = disk_open(name, DISK_READ | DISK_WRITE, &dk);
	if (error != 0) {
		file_unplace();
		return error;
	}
	disk_getinfo(dk, &di);
	progress.p_first = di.di_sector;
	progress.p_len -= progress.p_len % di.di_sector;
	progress.p_at = PROGRESS_KERNEL;
	if (progress.p_len <= PROGRESS_KERNEL ||
	    progress.p_off % di.di_sector != 0)
		error = EFBIG;
	else
		error = disk_do(dk, DISK_OP_READ, progress.p_off,
		    progress.p_head, di.di_sector);
	if (error == 0 && memcmp(progress.p_head, PROGRESS_LEFT,
	    sizeof(PROGRESS_LEFT) - 1) != 0)
		error = ENOENT;
	if (error == 0)
		progress.p_disk = dk;
	else {
		(void)disk_close(dk);
		file_unplace();
	}
	return error;
}

/* Looks only at what has come since: a file system is read whole each time. */
static void
place_find(unsigned *seen)
{
	struct disk_info di;
	unsigned pos = 0, n = 0;

	while (progress.p_disk == NULL && disk_next(&pos, &di)) {
		if (strcmp(di.di_type, "EFI system") != 0 || n++ < *seen)
			continue;
		(void)place_take(di.di_name);
		*seen = n;
	}
}

static void
keep(void *arg)
{
	unsigned tries, seen = 0;

	(void)arg;
	for (tries = 0; tries < FIND_TRIES && progress.p_disk == NULL;
	    tries++) {
		place_find(&seen);
		if (tries == 0)
			init_release();
		thread_sleep(FIND_NS);
	}
	while (progress.p_disk != NULL) {
		progress_settle();
		thread_sleep(LOOK_NS);
	}
}

static void
progress_init(void)
{
	if (!machine.m_efi)
		return;
	progress.p_head = kmalloc(DISK_SECTOR_MAX);
	progress.p_text = kmalloc(2 * DISK_SECTOR_MAX + CHUNK);
	init_hold();
	if (progress.p_head == NULL || progress.p_text == NULL ||
	    thread_create("progress", keep, NULL) == NULL) {
		init_release();
		klog(LOG_WARN, "progress: no memory");
	}
}
/* After the disks are attached: the first look is at them. */
INIT(INIT_NET, progress_init);
