/* SPDX-License-Identifier: ISC */
/*
 * Is a FAT file system whole? Reads, and changes nothing.
 */
#ifndef FATCHECK_H
#define FATCHECK_H

#include "mtypes.h"

struct fat_source {
	int		(*fs_read)(void *arg, uint64_t off, void *, size_t len);
	void		*fs_arg;
	uint64_t	fs_size;	/* bytes */
	void		(*fs_say)(void *arg, const char *text);
	void		*fs_sayarg;
};

struct fat_geometry {
	unsigned	fg_bits;	/* 12, 16, 32 */
	uint32_t	fg_sector;	/* bytes */
	uint32_t	fg_cluster;	/* bytes */
	unsigned	fg_nfats;
	uint64_t	fg_fat;		/* bytes from the start */
	uint64_t	fg_fatsize;
	uint64_t	fg_root;	/* FAT12, FAT16 */
	uint32_t	fg_rootsize;
	uint32_t	fg_rootcluster;	/* FAT32 */
	uint64_t	fg_data;
	uint32_t	fg_clusters;	/* the last one's number is + 1 */
};

/*
 * fat_geometry - what the first sector says, if it can be true
 *
 * boot		512 bytes
 * size		bytes of the disk or partition
 *
 * NULL, or why it is no FAT file system.
 */
const char *fat_geometry(const uint8_t *boot, uint64_t size,
	    struct fat_geometry *);

/*
 * fat_check - every directory and every chain, once
 *
 * Takes at most an eighth of a byte a cluster of memory and time in proportion
 * to the file system's size, whatever is in it. Returns 0 it is whole; EILSEQ
 * findings were said; ENODEV it is no FAT, and why was said; ENOTSUP more
 * clusters than it takes; ENOMEM; or what reading said.
 */
int	fat_check(const struct fat_source *);

#endif
