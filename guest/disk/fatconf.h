/* SPDX-License-Identifier: ISC */
/*
 * How FatFs is built: small, with long names in UTF-8, for sectors up to 4096
 * bytes, without a clock. fat.c lets one thread at a time in.
 */
#ifndef FATCONF_H
#define FATCONF_H

#define FFCONF_DEF		86604	/* the revision these are for */

#define FF_FS_READONLY		0
#define FF_FS_MINIMIZE		0
#define FF_USE_STRFUNC		0
#define FF_USE_FIND		0
#define FF_USE_MKFS		0
#define FF_USE_FASTSEEK		0
#define FF_USE_EXPAND		0
#define FF_USE_CHMOD		0
#define FF_USE_LABEL		0
#define FF_USE_FORWARD		0
#define FF_CODE_PAGE		437
#define FF_USE_LFN		1
#define FF_MAX_LFN		255
#define FF_LFN_UNICODE		2
#define FF_LFN_BUF		255
#define FF_SFN_BUF		12
#define FF_STRF_ENCODE		3
#define FF_FS_RPATH		0
#define FF_VOLUMES		1
#define FF_STR_VOLUME_ID	0
#define FF_MULTI_PARTITION	0
#define FF_MIN_SS		512
#define FF_MAX_SS		4096
#define FF_USE_TRIM		0
#define FF_FS_NOFSINFO		0
#define FF_FS_TINY		1
#define FF_FS_EXFAT		0
#define FF_FS_NORTC		1
#define FF_NORTC_MON		1
#define FF_NORTC_MDAY		1
#define FF_NORTC_YEAR		2026
#define FF_FS_LOCK		0
#define FF_FS_REENTRANT		0
#define FF_FS_TIMEOUT		1000
#define FF_SYNC_t		void *

/* What it asks of us; disk.h has functions of the plain names. */
#define disk_read		fat_disk_read
#define disk_write		fat_disk_write
#define disk_ioctl		fat_disk_ioctl

#endif
