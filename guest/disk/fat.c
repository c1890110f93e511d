/* SPDX-License-Identifier: ISC */
/*
 * FatFs on disks. A volume is there as long as a file of it is open; one thread
 * at a time is in FatFs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FFCONF_H "fatconf.h"
#include <ff.h>
#include <diskio.h>

/* FatFs' names for what it asks of us are not ours. */
#undef disk_read
#undef disk_write
#undef disk_ioctl

#include "disk.h"
#include "fatcheck.h"
#include "file.h"
#include "kmem.h"
#include "log.h"
#include "thread.h"

struct volume {
	FATFS		vo_fs;
	struct volume	*vo_next;
	char		vo_name[DISK_NAME_MAX];
	struct disk	*vo_disk;
	struct disk_info vo_info;
	uint32_t	vo_sector;	/* the file system's own */
	unsigned	vo_files;
	bool		vo_damaged;
	int		vo_error;	/* the disk's last; FatFs has but one */
};

struct file {
	FIL		fi_fil;
	struct volume	*fi_volume;
	int		fi_mode;
};

static struct mutex lock;
static struct volume *volumes;

/* The file that somebody overwrites past us. */
static struct {
	char		pf_disk[DISK_NAME_MAX];
	uint32_t	pf_cluster;	/* its first; 0: there is none */
} placed;

/* What FatFs asks of us */

static DRESULT
result(struct volume *vo, int error)
{
	if (error == 0)
		return RES_OK;
	vo->vo_error = error;
	return error == EROFS ? RES_WRPRT : RES_ERROR;
}

DRESULT
fat_disk_read(void *drv, BYTE *buf, DWORD sector, UINT count)
{
	struct volume *vo = drv;

	return result(vo, disk_read(vo->vo_disk, (uint64_t)sector *
	    vo->vo_sector, buf, (size_t)count * vo->vo_sector));
}

DRESULT
fat_disk_write(void *drv, const BYTE *buf, DWORD sector, UINT count)
{
	struct volume *vo = drv;

	return result(vo, disk_write(vo->vo_disk, (uint64_t)sector *
	    vo->vo_sector, buf, (size_t)count * vo->vo_sector));
}

DRESULT
fat_disk_ioctl(void *drv, BYTE command, void *arg)
{
	struct volume *vo = drv;
	WORD sector = (WORD)vo->vo_sector;

	switch (command) {
	case CTRL_SYNC:
		return result(vo, disk_sync(vo->vo_disk));
	case GET_SECTOR_SIZE:
		memcpy(arg, &sector, sizeof(sector));
		return RES_OK;
	case IOCTL_INIT:
	case IOCTL_STATUS:
		*(DSTATUS *)arg = vo->vo_info.di_readonly || vo->vo_damaged ?
		    STA_PROTECT : 0;
		return RES_OK;
	}
	return RES_PARERR;
}

static int
error_of(struct volume *vo, FRESULT fr)
{
	static const uint8_t table[] = {
		[FR_INT_ERR] = EILSEQ,
		[FR_NOT_READY] = EIO,
		[FR_NO_FILE] = ENOENT,
		[FR_NO_PATH] = ENOENT,
		[FR_INVALID_NAME] = EINVAL,
		[FR_DENIED] = EACCES,
		[FR_EXIST] = EEXIST,
		[FR_NO_FILESYSTEM] = ENODEV,
		[FR_NOT_ENOUGH_CORE] = ENOMEM,
	};
	int error;

	if (fr == FR_OK)
		return 0;
	if (fr == FR_WRITE_PROTECTED)
		return vo->vo_damaged ? EILSEQ : EROFS;
	if (fr == FR_DISK_ERR) {
		error = vo->vo_error;
		vo->vo_error = 0;
		return error != 0 ? error : EIO;
	}
	error = (size_t)fr < sizeof(table) ? table[fr] : 0;
	return error != 0 ? error : EIO;
}

/* Volumes */

/* The walk through a large one lets others run. */
static int
check_read(void *arg, uint64_t off, void *buf, size_t len)
{
	thread_yield();
	return disk_read(arg, off, buf, len);
}

static int
check(struct disk *dk, uint64_t size, void (*say)(void *, const char *),
    void *arg)
{
	struct fat_source src = {
		.fs_read = check_read,
		.fs_arg = dk,
		.fs_size = size,
		.fs_say = say,
		.fs_sayarg = arg,
	};

	return fat_check(&src);
}

static void
say_log(void *arg, const char *text)
{
	klog(LOG_WARN, "%s: %s", (const char *)arg, text);
}

static int
volume_look(struct volume *vo)
{
	struct fat_geometry geo;
	uint8_t boot[512];
	int error;

	disk_getinfo(vo->vo_disk, &vo->vo_info);
	if (vo->vo_info.di_size < sizeof(boot))
		return ENODEV;
	error = disk_read(vo->vo_disk, 0, boot, sizeof(boot));
	if (error != 0)
		return error;
	if (fat_geometry(boot, vo->vo_info.di_size, &geo) != NULL)
		return ENODEV;
	vo->vo_sector = geo.fg_sector;
	error = check(vo->vo_disk, vo->vo_info.di_size, say_log, vo->vo_name);
	if (error == EILSEQ || error == ENOTSUP) {
		klog(LOG_WARN, error == EILSEQ ?
		    "%s: the file system is damaged: nothing is written to it" :
		    "%s: too large to be checked: nothing is written to it",
		    vo->vo_name);
		vo->vo_damaged = true;
		return 0;
	}
	return error;
}

static int
volume_open(const char *name, struct volume **vop)
{
	struct volume *vo = kzalloc(sizeof(*vo));
	int error;

	if (vo == NULL)
		return ENOMEM;
	snprintf(vo->vo_name, sizeof(vo->vo_name), "%s", name);
	error = disk_open(name, DISK_READ | DISK_WRITE, &vo->vo_disk);
	if (error == EROFS)
		error = disk_open(name, DISK_READ, &vo->vo_disk);
	if (error == 0)
		error = volume_look(vo);
	if (error == 0) {
		vo->vo_fs.drv = vo;
		error = error_of(vo, f_mount(&vo->vo_fs));
	}
	if (error != 0) {
		disk_close(vo->vo_disk);
		kfree(vo);
		return error;
	}
	vo->vo_next = volumes;
	volumes = vo;
	*vop = vo;
	return 0;
}

static int
volume_get(const char *name, struct volume **vop)
{
	struct disk_info di;
	struct volume *vo;
	int error = 0;

	for (vo = volumes; vo != NULL; vo = vo->vo_next) {
		if (strcmp(vo->vo_name, name) != 0)
			continue;
		disk_getinfo(vo->vo_disk, &di);
		if (!di.di_gone)
			break;
	}
	if (vo == NULL)
		error = volume_open(name, &vo);
	if (error == 0)
		vo->vo_files++;
	*vop = vo;
	return error;
}

static int
volume_put(struct volume *vo)
{
	struct volume **at = &volumes;
	int error;

	if (--vo->vo_files > 0)
		return 0;
	while (*at != vo)
		at = &(*at)->vo_next;
	*at = vo->vo_next;
	error = disk_close(vo->vo_disk);
	kfree(vo);
	return error;
}

/* Paths */

static bool
is_fat(const char *name)
{
	struct fat_geometry geo;
	struct disk_info di;
	uint8_t boot[512];
	struct disk *dk;
	bool fat;

	if (disk_open(name, DISK_READ, &dk) != 0)
		return false;
	disk_getinfo(dk, &di);
	fat = di.di_size >= sizeof(boot) &&
	    disk_read(dk, 0, boot, sizeof(boot)) == 0 &&
	    fat_geometry(boot, di.di_size, &geo) == NULL;
	disk_close(dk);
	return fat;
}

static int
first_fat(char *name)
{
	struct disk_info di;
	unsigned pos = 0;

	while (disk_next(&pos, &di))
		if (is_fat(di.di_name)) {
			memcpy(name, di.di_name, DISK_NAME_MAX);
			return 0;
		}
	return ENODEV;
}

/* The volume of a path, locked, and the path on it. */
static int
enter(const char *path, const char **rest, struct volume **vop)
{
	const char *colon = strchr(path, ':');
	char name[DISK_NAME_MAX];
	int error = 0;

	mutex_lock(&lock);
	if (colon == NULL)
		error = first_fat(name);
	else if (colon - path >= DISK_NAME_MAX)
		error = ENXIO;
	else {
		memcpy(name, path, (size_t)(colon - path));
		name[colon - path] = '\0';
		path = colon + 1;
	}
	if (error == 0)
		error = volume_get(name, vop);
	if (error != 0)
		mutex_unlock(&lock);
	*rest = path;
	return error;
}

/* What was done is durable before it is said to be; the first error counts. */
static int
leave(struct volume *vo, int error)
{
	int closed = volume_put(vo);

	mutex_unlock(&lock);
	return error != 0 ? error : closed;
}

static int
on_volume(const char *path, int (*fn)(struct volume *, const char *, void *),
    void *arg)
{
	struct volume *vo;
	const char *rest;
	int error;

	error = enter(path, &rest, &vo);
	if (error != 0)
		return error;
	return leave(vo, fn(vo, rest, arg));
}

/* Files */

static bool
is_placed(struct volume *vo, const char *rest)
{
	FIL fil;

	return placed.pf_cluster != 0 &&
	    strcmp(placed.pf_disk, vo->vo_name) == 0 &&
	    f_open(&vo->vo_fs, &fil, rest, FA_READ) == FR_OK &&
	    fil.obj.sclust == placed.pf_cluster;
}

int
file_open(const char *path, int mode, struct file **fip)
{
	struct file *fi = kzalloc(sizeof(*fi));
	struct volume *vo;
	const char *rest;
	FILINFO fno;
	int error;

	if (fi == NULL)
		return ENOMEM;
	error = enter(path, &rest, &vo);
	if (error != 0) {
		kfree(fi);
		return error;
	}
	error = mode == FILE_CREATE && is_placed(vo, rest) ? EBUSY :
	    error_of(vo, f_open(&vo->vo_fs, &fi->fi_fil, rest,
	    mode == FILE_CREATE ? FA_WRITE | FA_CREATE_ALWAYS : FA_READ));
	/* FatFs tells a directory from neither what is not there nor read-only. */
	if ((error == ENOENT || error == EACCES) &&
	    f_stat(&vo->vo_fs, rest, &fno) == FR_OK && (fno.fattrib & AM_DIR))
		error = EISDIR;
	if (error != 0) {
		kfree(fi);
		return leave(vo, error);
	}
	fi->fi_volume = vo;
	fi->fi_mode = mode;
	*fip = fi;
	mutex_unlock(&lock);
	return 0;
}

int
file_read(struct file *fi, void *buf, size_t len, size_t *got)
{
	UINT n = 0;
	int error;

	mutex_lock(&lock);
	error = error_of(fi->fi_volume, f_read(&fi->fi_fil, buf, (UINT)len,
	    &n));
	mutex_unlock(&lock);
	*got = n;
	return error;
}

int
file_write(struct file *fi, const void *buf, size_t len)
{
	UINT n = 0;
	int error;

	mutex_lock(&lock);
	error = error_of(fi->fi_volume, f_write(&fi->fi_fil, buf, (UINT)len,
	    &n));
	mutex_unlock(&lock);
	return error == 0 && n < len ? ENOSPC : error;
}

int
file_close(struct file *fi)
{
	struct volume *vo = fi->fi_volume;
	int error;

	mutex_lock(&lock);
	error = error_of(vo, f_close(&fi->fi_fil));
	kfree(fi);
	return leave(vo, error);
}

#define PLACE_MAX	(1u << 20)

static int
place(FIL *fp, uint64_t *off, uint64_t *len)
{
	FATFS *fs = fp->obj.fs;
	uint32_t cluster = (uint32_t)fs->csize * fs->ssize, at;
	FRESULT fr = FR_OK;

	*len = fp->obj.objsize;
	if (*len == 0)
		return EFBIG;
	if (*len > PLACE_MAX)
		*len = PLACE_MAX;
	*off = (fs->database + (uint64_t)(fp->obj.sclust - 2) * fs->csize) *
	    fs->ssize;
	for (at = 0; at < *len && fr == FR_OK; at += cluster) {
		fr = f_lseek(fp, at + 1);
		if (fr == FR_OK && fp->clust != fp->obj.sclust + at / cluster)
			return EFBIG;
	}
	return error_of(fs->drv, fr);
}

int
file_place(const char *path, uint64_t *off, uint64_t *len)
{
	struct file *fi;
	int error;

	error = file_open(path, FILE_READ, &fi);
	if (error != 0)
		return error;
	mutex_lock(&lock);
	error = fi->fi_volume->vo_damaged ? EILSEQ :
	    place(&fi->fi_fil, off, len);
	if (error == 0) {
		memcpy(placed.pf_disk, fi->fi_volume->vo_name, DISK_NAME_MAX);
		placed.pf_cluster = fi->fi_fil.obj.sclust;
	}
	mutex_unlock(&lock);
	(void)file_close(fi);
	return error;
}

void
file_unplace(void)
{
	placed.pf_cluster = 0;
}

/* By where its data are: a name has another, short one. */
bool
file_is(const struct file *fi, const char *path)
{
	struct volume *vo;
	const char *rest;
	bool same = false;
	FIL fil;

	if (enter(path, &rest, &vo) != 0)
		return false;
	if (vo == fi->fi_volume &&
	    f_open(&vo->vo_fs, &fil, rest, FA_READ) == FR_OK)
		same = fil.obj.sclust != 0 &&
		    fil.obj.sclust == fi->fi_fil.obj.sclust;
	leave(vo, 0);
	return same;
}

/* Directories */

static void
entry_of(const FILINFO *fno, struct file_entry *fe)
{
	memcpy(fe->fe_name, fno->fname, sizeof(fe->fe_name));
	fe->fe_name[sizeof(fe->fe_name) - 1] = '\0';
	fe->fe_size = fno->fsize;
	fe->fe_directory = (fno->fattrib & AM_DIR) != 0;
}

static bool
is_root(const char *path)
{
	return path[strspn(path, "/")] == '\0';
}

static int
stat_locked(struct volume *vo, const char *path, void *arg)
{
	struct file_entry *fe = arg;
	FILINFO fno;
	int error;

	memset(fe, 0, sizeof(*fe));
	fe->fe_directory = true;
	if (is_root(path))
		return 0;
	error = error_of(vo, f_stat(&vo->vo_fs, path, &fno));
	if (error == 0)
		entry_of(&fno, fe);
	return error;
}

int
file_stat(const char *path, struct file_entry *fe)
{
	return on_volume(path, stat_locked, fe);
}

struct listing {
	int (*li_fn)(void *, const struct file_entry *);
	void *li_arg;
};

static int
list_locked(struct volume *vo, const char *path, void *arg)
{
	const struct listing *li = arg;
	struct file_entry fe;
	FILINFO fno;
	FF_DIR dir;
	int error;

	error = stat_locked(vo, path, &fe);
	if (error != 0 || !fe.fe_directory)
		return error != 0 ? error : li->li_fn(li->li_arg, &fe);
	error = error_of(vo, f_opendir(&vo->vo_fs, &dir, path));
	while (error == 0) {
		error = error_of(vo, f_readdir(&dir, &fno));
		if (error != 0 || fno.fname[0] == '\0')
			break;
		entry_of(&fno, &fe);
		error = li->li_fn(li->li_arg, &fe);
	}
	return error;
}

int
file_list(const char *path, int (*fn)(void *, const struct file_entry *),
    void *arg)
{
	struct listing li = { fn, arg };

	return on_volume(path, list_locked, &li);
}

static int
remove_locked(struct volume *vo, const char *path, void *arg)
{
	(void)arg;
	return is_placed(vo, path) ? EBUSY :
	    error_of(vo, f_unlink(&vo->vo_fs, path));
}

int
file_remove(const char *path)
{
	return on_volume(path, remove_locked, NULL);
}

static int
mkdir_locked(struct volume *vo, const char *path, void *arg)
{
	(void)arg;
	return error_of(vo, f_mkdir(&vo->vo_fs, path));
}

int
file_mkdir(const char *path)
{
	return on_volume(path, mkdir_locked, NULL);
}

/* Messages */

int
file_check(const char *name, void (*say)(void *, const char *), void *arg)
{
	struct disk_info di;
	struct disk *dk;
	int error;

	error = disk_open(name, DISK_READ, &dk);
	if (error != 0)
		return error;
	disk_getinfo(dk, &di);
	error = check(dk, di.di_size, say, arg);
	disk_close(dk);
	return error;
}

const char *
file_error(int error)
{
	switch (error) {
	case EINVAL:
		return "no name of a file";
	case EACCES:
		return "it is read-only, or a directory that is not empty";
	case EBUSY:
		return "the kernel's log is written to it";
	case EROFS:
		return "the disk is read-only";
	case ENODEV:
		return "no FAT file system";
	case EILSEQ:
		return "the file system is damaged: nothing is written to it";
	case ENXIO:
		return "no such disk (`disk list' has their names)";
	default:
		return strerror(error);
	}
}
