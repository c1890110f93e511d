/* SPDX-License-Identifier: ISC */
/*
 * The command `disk`.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diskvar.h"
#include "file.h"
#include "kmem.h"
#include "ktime.h"
#include "shell.h"
#include "tty.h"

#define CHUNK		(128u << 10)
#define DUMP_MAX	4096u
#define TRIM		((uint64_t)1 << 30)

static const char confirm[] = "yes";

static int
fail(const char *name, int error)
{
	const char *why = strerror(error);

	if (error == ENXIO)
		why = "there is no such disk (`disk list' has their names)";
	else if (error == EROFS)
		why = "the disk is read-only";
	else if (error == EINVAL)
		why = "that is beyond its end, or no whole sector";
	else if (error == EOPNOTSUPP)
		why = "the disk does not do that";
	tty_printf("disk: %s: %s\n", name, why);
	return error == EINVAL ? ERANGE : error;	/* no wrong usage */
}

static int
refuse(const char *what, const char *name)
{
	tty_printf("disk: this destroys what is on %s: say `disk %s %s ... "
	    "yes'\n", name, what, name);
	return EPERM;
}

/* "16 MiB", "1.5 GiB", "700 B" */
static void
size_text(uint64_t n, char *buf, size_t len)
{
	static const char unit[] = "BKMGTPE";
	unsigned i = 0, tenths = 0;

	for (; n >= 1024; i++) {
		tenths = (unsigned)(n % 1024 * 10 / 1024);
		n /= 1024;
	}
	if (tenths == 0)
		snprintf(buf, len, "%u %c%s", (unsigned)n, unit[i],
		    i == 0 ? "" : "iB");
	else
		snprintf(buf, len, "%u.%u %ciB", (unsigned)n, tenths, unit[i]);
}

static void
list_one(const struct disk_info *di)
{
	char size[24];

	size_text(di->di_size, size, sizeof(size));
	tty_printf("%-10s %10s  %s%s%s%s%s\n", di->di_name, size,
	    di->di_type[0] != '\0' ? di->di_type :
	    di->di_partition == 0 ? "no partitions" : "",
	    di->di_label[0] != '\0' ? " \"" : "", di->di_label,
	    di->di_label[0] != '\0' ? "\"" : "",
	    di->di_readonly ? ", read-only" : "");
}

static int
disk_list(int argc, char **argv)
{
	struct disk_info di;
	unsigned pos = 0;

	(void)argv;
	if (argc != 1)
		return EINVAL;
	while (disk_next(&pos, &di)) {
		if (tty_interrupted())
			return EINTR;
		list_one(&di);
	}
	if (pos == 0)
		tty_printf("no disk\n");
	return 0;
}

static void
info_whole(const struct disk_info *di)
{
	tty_printf("  cache     %s\n", di->di_writeback ?
	    "write-back: durable after a flush" : "write-through");
	if (di->di_optimal != 0)
		tty_printf("  optimal   %u bytes at once\n", di->di_optimal);
	tty_printf("  trim      ");
	if (di->di_discard_max == 0)
		tty_printf("no\n");
	else
		tty_printf("at most %llu bytes at once\n",
		    (unsigned long long)di->di_discard_max);
}

static void
info_stats(struct disk *dk)
{
	struct disk_stats ds;

	disk_getstats(dk, &ds);
	tty_printf("  done      %llu reads (%llu bytes), %llu writes (%llu "
	    "bytes), %llu flushes\n", (unsigned long long)ds.ds_reads,
	    (unsigned long long)ds.ds_read_bytes,
	    (unsigned long long)ds.ds_writes,
	    (unsigned long long)ds.ds_write_bytes,
	    (unsigned long long)ds.ds_flushes);
	tty_printf("  failed    %llu; %llu tried again, %llu resets, %llu "
	    "without an answer\n", (unsigned long long)ds.ds_errors,
	    (unsigned long long)ds.ds_retried,
	    (unsigned long long)ds.ds_resets,
	    (unsigned long long)ds.ds_timeouts);
	tty_printf("  in memory %llu hits, %llu misses, %llu bytes to write\n",
	    (unsigned long long)ds.ds_hits, (unsigned long long)ds.ds_misses,
	    (unsigned long long)ds.ds_dirty);
}

static int
disk_info(int argc, char **argv)
{
	struct disk_info di;
	struct disk *dk;
	char size[24];
	int error;

	if (argc != 2)
		return EINVAL;
	error = disk_open(argv[1], DISK_READ, &dk);
	if (error != 0)
		return fail(argv[1], error);
	disk_getinfo(dk, &di);
	size_text(di.di_size, size, sizeof(size));
	tty_printf("%s: %s, %llu bytes, sectors of %u%s\n", di.di_name, size,
	    (unsigned long long)di.di_size, di.di_sector,
	    di.di_readonly ? ", read-only" : "");
	if (di.di_partition != 0)
		tty_printf("  partition %u, from byte %llu on, %s\n",
		    di.di_partition, (unsigned long long)di.di_start,
		    di.di_type);
	else
		tty_printf("  table     %s\n", di.di_type[0] != '\0' ?
		    di.di_type : "none");
	if (di.di_label[0] != '\0')
		tty_printf("  name      %s\n", di.di_label);
	info_whole(&di);
	info_stats(dk);
	disk_close(dk);
	return 0;
}

/* Reading */

static void
dump(uint64_t off, const uint8_t *p, size_t len)
{
	char text[17];
	size_t i, n;

	for (; len > 0; len -= n, p += n, off += n) {
		n = len < 16 ? len : 16;
		tty_printf("%08llx ", (unsigned long long)off);
		for (i = 0; i < 16; i++) {
			if (i < n)
				tty_printf(" %02x", p[i]);
			else
				tty_printf("   ");
			text[i] = i < n && p[i] >= ' ' && p[i] < 0x7f ?
			    (char)p[i] : '.';
		}
		text[n] = '\0';
		tty_printf("  %s\n", text);
	}
}

static int
read_all(struct disk *dk, uint64_t off, uint64_t len, uint8_t *buf)
{
	uint64_t begin = uptime_ns(), at = off, left = len, us;
	uint32_t crc = 0;
	size_t n;
	int error;

	for (; left > 0; left -= n, at += n) {
		n = left < CHUNK ? (size_t)left : CHUNK;
		error = disk_read(dk, at, buf, n);
		if (error != 0)
			return error;
		if (len <= DUMP_MAX)
			dump(at, buf, n);
		crc = part_crc32_add(crc, buf, n);
		if (tty_interrupted())
			return EINTR;
	}
	us = (uptime_ns() - begin) / NS_PER_US;
	if (len > DUMP_MAX)
		tty_printf("%llu bytes read in %llu us, crc32 %08x\n",
		    (unsigned long long)len, (unsigned long long)us, crc);
	return 0;
}

static int
disk_read_command(int argc, char **argv)
{
	unsigned long long off = 0, len = DISK_SECTOR;
	struct disk *dk;
	uint8_t *buf;
	int error;

	if (argc < 2 || argc > 4)
		return EINVAL;
	if (argc > 2 && shell_number("OFFSET", argv[2], 0, INT64_MAX, &off))
		return EALREADY;
	if (argc > 3 && shell_number("LENGTH", argv[3], 1, INT64_MAX, &len))
		return EALREADY;
	error = disk_open(argv[1], DISK_READ, &dk);
	if (error != 0)
		return fail(argv[1], error);
	buf = kmalloc(CHUNK);
	error = buf == NULL ? ENOMEM : read_all(dk, off, len, buf);
	kfree(buf);
	disk_close(dk);
	return error == 0 || error == EINTR ? error : fail(argv[1], error);
}

/* Writing */

/*
 * A byte by its number, or text again and again. What begins with a digit and
 * is no byte is refused, and told: nobody means it as a text.
 */
static int
fill(uint8_t *buf, size_t len, const char *text)
{
	unsigned long long byte;
	size_t i, n = strlen(text);

	if (text[0] >= '0' && text[0] <= '9') {
		if (shell_number("BYTE", text, 0, 255, &byte) != 0)
			return EALREADY;
		memset(buf, (int)byte, len);
		return 0;
	}
	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)text[i % n];
	return 0;
}

static int
write_all(struct disk *dk, uint64_t off, uint64_t len, const uint8_t *buf,
    size_t unit)
{
	size_t n;
	int error;

	for (; len > 0; len -= n, off += n) {
		n = len < unit ? (size_t)len : unit;
		error = disk_write(dk, off, buf, n);
		if (error != 0)
			return error;
		if (tty_interrupted())
			return EINTR;
	}
	return 0;
}

static int
disk_write_command(int argc, char **argv)
{
	unsigned long long off, len;
	struct disk *dk;
	size_t unit;
	uint8_t *buf;
	int error, closed;

	if (argc < 5 || argc > 6 || argv[4][0] == '\0')
		return EINVAL;
	if (shell_number("OFFSET", argv[2], 0, INT64_MAX, &off) != 0 ||
	    shell_number("LENGTH", argv[3], 1, INT64_MAX, &len) != 0)
		return EALREADY;
	if (argc != 6 || strcmp(argv[5], confirm) != 0)
		return refuse("write", argv[1]);
	error = disk_open(argv[1], DISK_READ | DISK_WRITE, &dk);
	if (error != 0)
		return fail(argv[1], error);
	/* Whole repetitions, so that the pattern goes on. */
	unit = CHUNK - CHUNK % strlen(argv[4]);
	buf = kmalloc(CHUNK);
	error = buf == NULL ? ENOMEM : fill(buf, unit, argv[4]);
	if (error == 0)
		error = write_all(dk, off, len, buf, unit);
	kfree(buf);
	closed = disk_close(dk);
	if (error == 0)
		error = closed;
	return error == 0 || error == EINTR || error == EALREADY ? error :
	    fail(argv[1], error);
}

/* In pieces, so that Ctrl-C is heard on the largest disk. */
static int
trim_all(struct disk *dk, uint64_t off, uint64_t len)
{
	uint64_t n;
	int error = 0;

	for (; len > 0 && error == 0; len -= n, off += n) {
		n = len < TRIM ? len : TRIM;
		error = tty_interrupted() ? EINTR :
		    disk_do(dk, DISK_OP_DISCARD, off, NULL, n);
	}
	return error;
}

static int
disk_trim(int argc, char **argv)
{
	unsigned long long off = 0, len = 0;
	struct disk_info di;
	struct disk *dk;
	int error;

	if (argc != 2 && argc != 3 && argc != 5)
		return EINVAL;
	if (argc == 5 && (shell_number("OFFSET", argv[2], 0, INT64_MAX,
	    &off) != 0 || shell_number("LENGTH", argv[3], 1, INT64_MAX,
	    &len) != 0))
		return EALREADY;
	if (strcmp(argv[argc - 1], confirm) != 0)
		return refuse("trim", argv[1]);
	error = disk_open(argv[1], DISK_READ | DISK_WRITE, &dk);
	if (error != 0)
		return fail(argv[1], error);
	disk_getinfo(dk, &di);
	error = trim_all(dk, off, len != 0 ? len : di.di_size);
	if (error == 0)
		error = disk_sync(dk);
	disk_close(dk);
	return error == 0 || error == EINTR ? error : fail(argv[1], error);
}

static int
check_table(const char *name)
{
	struct disk_info di;
	struct disk *dk;
	int error;

	error = disk_open(name, DISK_READ, &dk);
	if (error != 0)
		return error;
	disk_getinfo(dk, &di);
	error = di.di_partition != 0 ? 0 : disk_rescan(dk);
	disk_getinfo(dk, &di);
	disk_close(dk);
	if (error == EILSEQ)
		tty_printf("%s: the partition table is damaged\n", name);
	else if (error == EBUSY)
		tty_printf("%s: in use: its table was not read\n", name);
	else if (error == 0 && di.di_partition == 0)
		tty_printf("%s: partition table: %s\n", name,
		    di.di_type[0] != '\0' ? di.di_type : "none");
	return error == EBUSY ? 0 : error;
}

static void
check_say(void *arg, const char *text)
{
	tty_printf("%s: %s\n", (const char *)arg, text);
}

static void
check_quiet(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

/* That there is no file system is no fault. */
static int
check_files(char *name)
{
	int error = file_check(name, check_quiet, NULL);

	if (error == ENODEV)
		return 0;
	if (error == EILSEQ) {
		file_check(name, check_say, name);
		tty_printf("%s: the file system is damaged\n", name);
	} else if (error == 0)
		tty_printf("%s: the FAT file system is whole\n", name);
	return error;
}

/* The table of a whole disk; file systems on it, or on the one partition. */
static int
disk_check(int argc, char **argv)
{
	struct disk_info di;
	unsigned pos = 0;
	size_t len;
	int error, first;

	if (argc != 2)
		return EINVAL;
	first = check_table(argv[1]);
	if (first != 0 && first != EILSEQ)
		return fail(argv[1], first);
	len = strlen(argv[1]);
	while (disk_next(&pos, &di)) {
		if (strcmp(di.di_name, argv[1]) != 0 &&
		    (strncmp(di.di_name, argv[1], len) != 0 ||
		    di.di_name[len] != 'p'))
			continue;
		error = check_files(di.di_name);
		if (error != 0 && error != EILSEQ)
			fail(di.di_name, error);
		if (first == 0)
			first = error;
	}
	return first;
}

static const struct {
	const char	*sub_name;
	int		(*sub_fn)(int argc, char **argv);
	const char	*sub_usage;
} subs[] = {
	{ "list", disk_list, "" },
	{ "info", disk_info, " DISK" },
	{ "read", disk_read_command, " DISK [OFFSET [LENGTH]]" },
	{ "write", disk_write_command, " DISK OFFSET LENGTH BYTE|TEXT yes" },
	{ "check", disk_check, " DISK" },
	{ "trim", disk_trim, " DISK [OFFSET LENGTH] yes" },
};
#define NSUBS	(sizeof(subs) / sizeof(subs[0]))

static int
usage(const char *name)
{
	size_t i;

	for (i = 0; i < NSUBS; i++)
		if (name == NULL || strcmp(name, subs[i].sub_name) == 0)
			tty_printf("usage: disk %s%s\n", subs[i].sub_name,
			    subs[i].sub_usage);
	return EINVAL;
}

/* EINVAL of a part is for its usage, EALREADY what it has said itself. */
static int
cmd_disk(int argc, char **argv)
{
	size_t i;
	int error;

	if (argc == 1)
		return disk_list(argc, argv);
	for (i = 0; i < NSUBS; i++)
		if (strcmp(argv[1], subs[i].sub_name) == 0)
			break;
	if (i == NSUBS)
		return usage(NULL);
	error = subs[i].sub_fn(argc - 1, argv + 1);
	if (error == EALREADY)
		return EINVAL;
	return error == EINVAL ? usage(argv[1]) : error;
}
COMMAND(disk, cmd_disk, "disk [list|info|read|write|check|trim ...]",
    "the disks: list, read, write, check them");

static int
cmd_sync(int argc, char **argv)
{
	int error;

	if (argc != 1)
		return shell_usage(argv[0]);
	error = disk_sync_all();
	if (error != 0)
		tty_printf("sync: not all is on the disks: %s\n",
		    strerror(error));
	return error;
}
COMMAND(sync, cmd_sync, "sync",
    "have all that was written to disks made durable");
