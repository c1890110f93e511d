/* SPDX-License-Identifier: ISC */
/*
 * Files on FAT file systems (12, 16 and 32, with long names), by ChaN's FatFs.
 *
 * A path is DISK:/DIR/FILE, such as disk0p1:/EFI/BOOT/BOOTAA64.EFI. Without a
 * disk it is on the first disk or partition that holds a FAT. Nothing is
 * mounted: a file system is looked at when it is first used, and let go when
 * its last file is closed.
 *
 * Whenever one is first used it is checked whole, and what is wrong with it is
 * said in the log: chains that loop, meet, or lead nowhere. On one that is
 * damaged nothing is ever written. What was written is durable when file_close,
 * file_remove or file_mkdir has returned 0.
 *
 * Errors: ENOENT; EEXIST; EINVAL a name that can't be; EISDIR; ENOTDIR; EACCES
 * the file is read-only, or the directory not empty; ENOSPC; EROFS; ENODEV
 * there is no FAT; EILSEQ it is damaged; ENXIO there is no such disk; EIO;
 * ENOMEM. Threads of CPU 0.
 */
#ifndef GUEST_FILE_H
#define GUEST_FILE_H

#include "mtypes.h"

#define FILE_NAME_MAX	256

struct file;

#define FILE_READ		0	/* a file that is there */
#define FILE_CREATE	1	/* write: a new file, in an old one's place */

struct file_entry {
	char		fe_name[FILE_NAME_MAX];
	uint32_t	fe_size;
	bool		fe_directory;
};

int	file_open(const char *path, int mode, struct file **);
/* *got is less than len only at the end of the file, or when it is full. */
int	file_read(struct file *, void *, size_t len, size_t *got);
int	file_write(struct file *, const void *, size_t len);
int	file_close(struct file *);
/* Whether a path names the file that is open, by whatever name. */
bool	file_is(const struct file *, const char *path);

/*
 * file_place - where a file's bytes are, for who overwrites them past the file
 * system
 *
 * *off and *len are of its disk or partition, in bytes; of a file longer than 1
 * MiB that is the first. There is one such file at a time; it can be neither
 * removed nor created anew (EBUSY) until file_unplace. Errors: EFBIG it is
 * empty, or in pieces; EILSEQ the file system is damaged; and as above.
 */
int	file_place(const char *path, uint64_t *off, uint64_t *len);
void	file_unplace(void);

/*
 * file_list - what a directory holds; of a file, the file itself
 *
 * fn returns 0, or a value that ends the list and is file_list's.
 */
int	file_list(const char *path, int (*fn)(void *arg, const struct file_entry *),
	    void *arg);
int	file_stat(const char *path, struct file_entry *);
int	file_remove(const char *path);	/* a file, or an empty directory */
int	file_mkdir(const char *path);

/*
 * file_check - look for damage
 *
 * disk		"disk0p1"
 * say		gets each finding, a line without its newline
 *
 * Returns 0, EILSEQ, ENODEV, ENOTSUP it is too large for that, or why it can't
 * be read. Writes nothing.
 */
int	file_check(const char *disk, void (*say)(void *arg, const char *text),
	    void *arg);

/* What an error means for a path. */
const char *file_error(int error);

#endif
