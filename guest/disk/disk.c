/* SPDX-License-Identifier: ISC */
/*
 * Handles and names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diskvar.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "tty.h"

#define SCAN_NS		(60 * NS_PER_S)	/* one that hangs is given up before */
#define BYPASS_ROUNDS	100
#define LIST_NS		(10 * NS_PER_S)	/* its partitions are not waited for */

static struct disk_unit *units;

/* Units */

struct disk_unit *
unit_next(struct disk_unit *du)
{
	return du == NULL ? units : du->du_next;
}

/* The least number that no other has; one that was taken out has none. */
void
unit_link(struct disk_unit *du)
{
	struct disk_unit **at = &units;

	while (*at != NULL && ((*at)->du_gone ||
	    (*at)->du_number == du->du_number)) {
		if (!(*at)->du_gone)
			du->du_number++;
		at = &(*at)->du_next;
	}
	snprintf(du->du_name, sizeof(du->du_name), "disk%u", du->du_number);
	du->du_next = *at;
	*at = du;
}

void
unit_unlink(struct disk_unit *du)
{
	struct disk_unit **at = &units;

	while (*at != du)
		at = &(*at)->du_next;
	*at = du->du_next;
}

/* Partitions */

struct scan_reader {
	struct disk_unit *sr_unit;
	uint8_t		*sr_buf;	/* DISK_SECTOR_MAX bytes */
};

static void
scan_say(void *arg, const char *text)
{
	struct scan_reader *sr = arg;

	sr->sr_unit->du_faults++;
	klog(LOG_WARN, "%s: %s", sr->sr_unit->du_name, text);
}

/*
 * Straight from the disk: this thread also writes back, and waits for nobody.
 */
static int
scan_sectors(struct scan_reader *sr, uint64_t pos, size_t len)
{
	struct disk_req rq;
	int error;

	memset(&rq, 0, sizeof(rq));
	rq.rq_op = DISK_OP_READ;
	rq.rq_pos = pos;
	rq.rq_len = len;
	rq.rq_data = sr->sr_buf;
	unit_submit(sr->sr_unit, &rq);
	error = unit_wait(&rq);
	if (rq.rq_lost)
		sr->sr_buf = NULL;	/* the device's for ever */
	return error;
}

/* The name that it gives itself, without what no name has. */
static void
scan_serial(struct disk_unit *du, struct scan_reader *sr)
{
	uint8_t *buf = sr->sr_buf;
	char *serial = du->du_geo.dg_serial;
	struct disk_req rq;
	size_t i, n = sizeof(du->du_geo.dg_serial) - 1;

	memset(&rq, 0, sizeof(rq));
	memset(buf, 0, n);
	rq.rq_op = DISK_OP_ID;
	rq.rq_len = n;
	rq.rq_data = buf;
	unit_submit(du, &rq);
	if (unit_wait(&rq) != 0) {
		if (rq.rq_lost)
			sr->sr_buf = NULL;
		return;
	}
	for (i = 0; i < n && buf[i] != '\0'; i++)
		serial[i] = buf[i] >= ' ' && buf[i] < 0x7f ? (char)buf[i] : '?';
	serial[i] = '\0';
}

static int
scan_read(void *arg, uint64_t off, void *buf, size_t len)
{
	struct scan_reader *sr = arg;
	uint32_t sector = sr->sr_unit->du_geo.dg_sector;
	uint8_t *to = buf;
	size_t n, skip, span;
	int error;

	for (; len > 0; len -= n, to += n, off += n) {
		if (sr->sr_buf == NULL)
			return EIO;
		skip = (size_t)(off % sector);
		span = (skip + len + sector - 1) / sector * sector;
		if (span > DISK_SECTOR_MAX)
			span = DISK_SECTOR_MAX;
		n = span - skip < len ? span - skip : len;
		error = scan_sectors(sr, off - skip, span);
		if (error != 0)
			return error;
		memcpy(to, sr->sr_buf + skip, n);
	}
	return 0;
}

static bool
partition_open(const struct disk_unit *du)
{
	unsigned i;

	for (i = 0; i < DISK_HANDLES; i++)
		if (du->du_handles[i] != NULL &&
		    du->du_handles[i]->dk_partition != 0)
			return true;
	return false;
}

static void
scan_take(struct disk_unit *du, struct disk_part *parts, unsigned n,
    enum part_scheme scheme)
{
	size_t size = n * sizeof(*parts);
	struct disk_part *kept = n == 0 ? NULL : kmalloc(size);

	if (n != 0 && kept == NULL)
		n = 0;
	if (n != 0)
		memcpy(kept, parts, size);
	kfree(du->du_parts);
	du->du_parts = kept;
	du->du_nparts = n;
	du->du_scheme = scheme;
}

static int
scan(struct disk_unit *du)
{
	struct scan_reader sr = { du, kmalloc(DISK_SECTOR_MAX) };
	struct disk_part *parts = kmalloc(DISK_PARTS * sizeof(*parts));
	struct part_source ps = {
		.ps_read = scan_read,
		.ps_arg = &sr,
		.ps_size = du->du_geo.dg_size,
		.ps_sector = du->du_geo.dg_sector,
		.ps_say = scan_say,
	};
	enum part_scheme scheme;
	unsigned n;
	int error = ENOMEM;

	if (sr.sr_buf != NULL && du->du_geo.dg_serial[0] == '\0')
		scan_serial(du, &sr);
	du->du_faults = 0;
	if (sr.sr_buf != NULL && parts != NULL)
		error = part_scan(&ps, parts, DISK_PARTS, &n, &scheme);
	if (error == 0)
		scan_take(du, parts, n, scheme);
	else if (!du->du_gone)
		klog_some(&du->du_log, LOG_WARN,
		    "%s: the partition table can't be read, error %d",
		    du->du_name, error);
	kfree(sr.sr_buf);
	kfree(parts);
	return error;
}

bool
unit_scan(struct disk_unit *du)
{
	if (partition_open(du))
		return false;
	scan(du);
	return true;
}

static bool
scan_wait(struct disk_unit *du, uint64_t ns)
{
	uint64_t end = uptime_ns() + ns;

	while (!du->du_scanned && uptime_ns() < end && !tty_captured())
		event_wait(&du->du_scan_event, 100 * NS_PER_MS);
	return du->du_scanned;
}

int
disk_rescan(struct disk *dk)
{
	struct disk_unit *du = dk->dk_unit;
	int error;

	if (dk->dk_partition != 0)
		return EINVAL;
	if (partition_open(du))
		return EBUSY;
	error = scan(du);
	return error != 0 ? error : du->du_faults != 0 ? EILSEQ : 0;
}

/* Names */

/* "disk12p3": both numbers, the second 0 if there is none. */
static bool
parse(const char *name, unsigned long *number, unsigned long *partition)
{
	char *end;

	if (strncmp(name, "disk", 4) != 0 || name[4] < '0' || name[4] > '9')
		return false;
	*number = strtoul(name + 4, &end, 10);
	*partition = 0;
	if (*end == '\0')
		return true;
	if (end[0] != 'p' || end[1] < '1' || end[1] > '9')
		return false;
	*partition = strtoul(end + 1, &end, 10);
	return *end == '\0';
}

static struct disk_unit *
find(unsigned long number)
{
	struct disk_unit *du;

	for (du = units; du != NULL; du = du->du_next)
		if (!du->du_gone && du->du_number == number)
			return du;
	return NULL;
}

static const struct disk_part *
part_of(const struct disk_unit *du, unsigned long number)
{
	unsigned i;

	for (i = 0; i < du->du_nparts; i++)
		if (du->du_parts[i].dp_number == number)
			return &du->du_parts[i];
	return NULL;
}

/* Handles */

static int
slot_take(struct disk_unit *du, struct disk *dk)
{
	unsigned i;

	for (i = 0; i < DISK_HANDLES; i++)
		if (du->du_handles[i] == NULL) {
			du->du_handles[i] = dk;
			dk->dk_slot = i;
			return 0;
		}
	return ENOMEM;
}

static int
open_unit(struct disk_unit *du, unsigned long partition, struct disk *dk)
{
	const struct disk_part *dp;

	if (!scan_wait(du, SCAN_NS))
		return ETIMEDOUT;
	if (du->du_gone)
		return ENXIO;
	dk->dk_unit = du;
	dk->dk_size = UINT64_MAX;
	if (partition != 0) {
		dp = part_of(du, partition);
		if (dp == NULL)
			return ENXIO;
		dk->dk_partition = dp->dp_number;
		dk->dk_start = dp->dp_start;
		dk->dk_size = dp->dp_size;
	}
	if ((dk->dk_mode & DISK_WRITE) != 0 && du->du_geo.dg_readonly)
		return EROFS;
	return slot_take(du, dk);
}

int
disk_open(const char *name, int mode, struct disk **dkp)
{
	unsigned long number, partition;
	struct disk_unit *du;
	struct disk *dk;
	int error;

	if (!parse(name, &number, &partition) || (du = find(number)) == NULL)
		return ENXIO;
	if (mode == 0 || (mode & ~(DISK_READ | DISK_WRITE)) != 0)
		return EINVAL;
	dk = kzalloc(sizeof(*dk));
	if (dk == NULL)
		return ENOMEM;
	dk->dk_mode = mode;
	du->du_refs++;
	error = open_unit(du, partition, dk);
	if (error != 0) {
		unit_release(du);
		kfree(dk);
		return error;
	}
	*dkp = dk;
	return 0;
}

int
disk_close(struct disk *dk)
{
	struct disk_unit *du;
	int error = 0;

	if (dk == NULL)
		return 0;
	du = dk->dk_unit;
	if ((dk->dk_mode & DISK_WRITE) != 0)
		error = disk_sync(dk);
	mutex_lock(&du->du_lock);
	cache_forget(dk);
	du->du_handles[dk->dk_slot] = NULL;
	mutex_unlock(&du->du_lock);
	unit_release(du);
	kfree(dk);
	return error;
}

static uint64_t
size_of(const struct disk *dk)
{
	uint64_t size = dk->dk_unit->du_geo.dg_size;

	if (dk->dk_start > size)
		return 0;
	return size - dk->dk_start < dk->dk_size ? size - dk->dk_start :
	    dk->dk_size;
}

static int
check(const struct disk *dk, int mode, uint64_t off, uint64_t len)
{
	uint64_t size = size_of(dk);
	int error = unit_error(dk->dk_unit);

	if (error != 0)
		return error;
	if ((dk->dk_mode & mode) == 0)
		return EBADF;
	if (mode == DISK_WRITE && dk->dk_unit->du_geo.dg_readonly)
		return EROFS;
	return off > size || len > size - off ? EINVAL : 0;
}

int
disk_read(struct disk *dk, uint64_t off, void *buf, size_t len)
{
	int error = check(dk, DISK_READ, off, len);

	if (error != 0 || len == 0)
		return error;
	mutex_lock(&dk->dk_unit->du_lock);
	error = cache_read(dk, dk->dk_start + off, buf, len);
	mutex_unlock(&dk->dk_unit->du_lock);
	return error;
}

int
disk_write(struct disk *dk, uint64_t off, const void *buf, size_t len)
{
	int error = check(dk, DISK_WRITE, off, len);

	if (error != 0 || len == 0)
		return error;
	mutex_lock(&dk->dk_unit->du_lock);
	error = cache_write(dk, dk->dk_start + off, buf, len);
	mutex_unlock(&dk->dk_unit->du_lock);
	return error;
}

int
disk_sync(struct disk *dk)
{
	struct disk_unit *du = dk->dk_unit;
	int error;

	mutex_lock(&du->du_lock);
	error = unit_error(du);
	if (error == 0)
		error = cache_sync(du);
	if (error == 0)
		error = dk->dk_error;
	dk->dk_error = 0;
	mutex_unlock(&du->du_lock);
	return error;
}

/* One that failed is nobody's error here, and yet not on the medium. */
static int
sync_unit(struct disk_unit *du)
{
	int error;

	mutex_lock(&du->du_lock);
	error = unit_error(du);
	if (error == 0)
		error = cache_sync(du);
	if (error == 0 && du->du_ndirty != 0)
		error = EIO;
	mutex_unlock(&du->du_lock);
	return error;
}

int
disk_sync_all(void)
{
	struct disk_unit *du = units, *next;
	int first = 0, error;

	while (du != NULL) {
		du->du_refs++;
		error = du->du_gone || du->du_geo.dg_readonly ? 0 :
		    sync_unit(du);
		if (first == 0)
			first = error;
		next = du->du_next;
		unit_release(du);
		du = next;
	}
	return first;
}

/* Requests */

static int
check_op(const struct disk_geometry *dg, const struct disk_req *rq)
{
	uint64_t align = dg->dg_sector;

	if (rq->rq_len == 0 || rq->rq_off % align != 0 ||
	    rq->rq_len % align != 0)
		return EINVAL;
	if ((rq->rq_op == DISK_OP_DISCARD && dg->dg_discard_max == 0) ||
	    (rq->rq_op == DISK_OP_ZERO && dg->dg_zero_max == 0))
		return EOPNOTSUPP;
	return 0;
}

/* Where it goes on the whole disk, if it may. */
static int
prepare(const struct disk *dk, struct disk_req *rq)
{
	int error;

	rq->rq_blocks = NULL;
	if (rq->rq_op == DISK_OP_FLUSH) {
		rq->rq_pos = rq->rq_len = 0;
		return unit_error(dk->dk_unit);
	}
	error = check(dk, rq->rq_op == DISK_OP_READ ? DISK_READ : DISK_WRITE,
	    rq->rq_off, rq->rq_len);
	if (error == 0)
		error = check_op(&dk->dk_unit->du_geo, rq);
	rq->rq_pos = dk->dk_start + rq->rq_off;
	return error;
}

/* What the cache has of the range is settled: *waited, and others ran. */
static int
bypass(struct disk_unit *du, const struct disk_req *rq, bool *waited)
{
	bool change = rq->rq_op != DISK_OP_READ;
	int error;

	if (rq->rq_op == DISK_OP_FLUSH ||
	    !cache_holds(du, rq->rq_pos, rq->rq_len, change))
		return 0;
	/* Who waits within a rq_done waits for ever. */
	if (du->du_dispatching && (du->du_lock.mtx_owner != NULL ||
	    cache_holds(du, rq->rq_pos, rq->rq_len, false)))
		return EBUSY;
	*waited = true;
	mutex_lock(&du->du_lock);
	error = cache_bypass(du, rq->rq_pos, rq->rq_len, change);
	mutex_unlock(&du->du_lock);
	return error;
}

/* Until nobody brought anything in again while another was waited for. */
static int
bypass_all(struct disk_unit *du, struct disk_req *const *rqs, unsigned n)
{
	unsigned i, rounds = 0;
	bool waited;
	int error = 0;

	do {
		waited = false;
		for (i = 0; i < n && error == 0; i++)
			error = bypass(du, rqs[i], &waited);
	} while (waited && error == 0 && n > 1 && ++rounds < BYPASS_ROUNDS);
	return waited && rounds == BYPASS_ROUNDS ? EBUSY : error;
}

int
disk_submit_all(struct disk *dk, struct disk_req *const *rqs, unsigned n)
{
	unsigned i;
	int error = 0;

	for (i = 0; i < n && error == 0; i++)
		error = prepare(dk, rqs[i]);
	if (error == 0)
		error = bypass_all(dk->dk_unit, rqs, n);
	if (error == 0)
		unit_submit_all(dk->dk_unit, rqs, n);
	return error;
}

int
disk_submit(struct disk *dk, struct disk_req *rq)
{
	return disk_submit_all(dk, &rq, 1);
}

int
disk_wait(struct disk_req *rq)
{
	return unit_wait(rq);
}

int
disk_do(struct disk *dk, enum disk_op op, uint64_t off, void *data,
    uint64_t len)
{
	struct disk_req rq;
	int error;

	memset(&rq, 0, sizeof(rq));
	rq.rq_op = op;
	rq.rq_off = off;
	rq.rq_len = len;
	rq.rq_data = data;
	error = disk_submit(dk, &rq);
	return error != 0 ? error : disk_wait(&rq);
}

/* Information */

static void
info_unit(const struct disk_unit *du, struct disk_info *di)
{
	const struct disk_geometry *dg = &du->du_geo;

	memset(di, 0, sizeof(*di));
	di->di_size = dg->dg_size;
	di->di_sector = dg->dg_sector;
	di->di_optimal = dg->dg_optimal;
	di->di_readonly = dg->dg_readonly;
	di->di_writeback = dg->dg_writeback;
	di->di_gone = du->du_gone;
	di->di_discard_max = dg->dg_discard_max;
	di->di_zero_max = dg->dg_zero_max;
	snprintf(di->di_name, sizeof(di->di_name), "%s", du->du_name);
	snprintf(di->di_label, sizeof(di->di_label), "%s", dg->dg_serial);
	snprintf(di->di_type, sizeof(di->di_type), "%s",
	    du->du_scheme == PART_GPT ? "gpt" :
	    du->du_scheme == PART_MBR ? "mbr" : "");
}

static void
info_part(const struct disk_unit *du, const struct disk_part *dp,
    struct disk_info *di)
{
	info_unit(du, di);
	di->di_start = dp->dp_start;
	di->di_size = dp->dp_size;
	di->di_partition = dp->dp_number;
	snprintf(di->di_name, sizeof(di->di_name), "disk%up%u", du->du_number,
	    dp->dp_number);
	memcpy(di->di_type, dp->dp_type, sizeof(di->di_type));
	memcpy(di->di_label, dp->dp_label, sizeof(di->di_label));
}

void
disk_getinfo(struct disk *dk, struct disk_info *di)
{
	const struct disk_part *dp = dk->dk_partition == 0 ? NULL :
	    part_of(dk->dk_unit, dk->dk_partition);

	if (dp != NULL)
		info_part(dk->dk_unit, dp, di);
	else
		info_unit(dk->dk_unit, di);
	di->di_size = size_of(dk);
}

/* The pos-th of a unit: itself, then its partitions. */
static bool
info_nth(const struct disk_unit *du, unsigned pos, struct disk_info *di)
{
	if (du->du_gone || pos > du->du_nparts)
		return false;
	if (pos == 0)
		info_unit(du, di);
	else
		info_part(du, &du->du_parts[pos - 1], di);
	return true;
}

/* A reference keeps a unit where it is while its table is waited for. */
bool
disk_next(unsigned *pos, struct disk_info *di)
{
	struct disk_unit *du = units, *next;
	bool found = false;
	unsigned n = 0;

	while (du != NULL && !found) {
		du->du_refs++;
		if (!du->du_gone)
			scan_wait(du, LIST_NS);
		found = info_nth(du, *pos - n, di);
		if (!du->du_gone)
			n += 1 + du->du_nparts;
		next = du->du_next;
		unit_release(du);
		du = next;
	}
	if (found)
		++*pos;
	return found;
}

void
disk_getstats(struct disk *dk, struct disk_stats *ds)
{
	struct disk_unit *du = dk->dk_unit;

	*ds = du->du_stats;
	ds->ds_dirty = (uint64_t)du->du_ndirty * CACHE_BLOCK;
	if (unit_error(du) == 0)
		du->du_ops->do_stats(du->du_arg, ds);
}
