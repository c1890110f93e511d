/* SPDX-License-Identifier: ISC */
/*
 * A disk with a volatile cache: what was written is stable when a flush that
 * arrived after its completion is done, and not before. A strict one completes
 * in any order.
 */
#include <stdlib.h>
#include <string.h>

#include "vdev.h"
#include "wire.h"

#define B(n)	PV_F_BIT(PV_BLK_F_##n)
#define SECTOR	512u
#define HDRLEN	16u
#define RANGELEN 16u

#define CFG_BLK_SIZE	20
#define CFG_WRITEBACK	32

#define T_IN		0
#define T_OUT		1
#define T_FLUSH		4
#define T_GET_ID	8
#define T_GET_LIFETIME	10
#define T_DISCARD	11
#define T_WRITE_ZEROES	13
#define T_SECURE_ERASE	14

#define S_OK		0
#define S_IOERR		1
#define S_UNSUPP	2

/* vb_state of a sector */
#define VOLATILE	0x01	/* another than stable */
#define DISCARDED	0x02	/* nobody knows what is there */
#define DOUBTFUL	0x04	/* a range over it failed */

static const struct fake_field fields[] = {
	{ 0, 4, 2, 0, -1 },
	{ 8, 4, 1, 0, PV_BLK_F_SIZE_MAX },
	{ 12, 4, 1, 0, PV_BLK_F_SEG_MAX },
	{ 16, 2, 1, 0, PV_BLK_F_GEOMETRY },
	{ 18, 1, 2, 0, PV_BLK_F_GEOMETRY },
	{ CFG_BLK_SIZE, 4, 1, 0, PV_BLK_F_BLK_SIZE },
	{ 24, 1, 2, 0, PV_BLK_F_TOPOLOGY },
	{ 26, 2, 1, 0, PV_BLK_F_TOPOLOGY },
	{ 28, 4, 1, 0, PV_BLK_F_TOPOLOGY },
	{ CFG_WRITEBACK, 1, 1, 1, PV_BLK_F_CONFIG_WCE },
	{ 34, 2, 1, 0, PV_BLK_F_MQ },
	{ 36, 4, 3, 0, PV_BLK_F_DISCARD },
	{ 48, 4, 2, 0, PV_BLK_F_WRITE_ZEROES },
	{ 56, 1, 1, 0, PV_BLK_F_WRITE_ZEROES },
	{ 60, 4, 3, 0, PV_BLK_F_SECURE_ERASE },
};

/* A request, as it arrived. */
struct vdev_blk_late {
	unsigned int bl_queue;
	uint64_t bl_completed;		/* writes that were, by then */
	uint32_t bl_type;
	uint64_t bl_sector;
	struct fake_chain bl_fc;
};

/* Configuration */

static void
put(struct vdev *vd, unsigned int off, unsigned int width, uint64_t val)
{
	wire_put(vd->vd_dev->fd_config + off, width, val);
}

static uint32_t
get(const struct vdev *vd, unsigned int off, unsigned int width)
{
	return (uint32_t)wire_get(vd->vd_dev->fd_config + off, width);
}

/* Ranges of up to this many sectors, in this many segments. */
static void
init_ranges(struct vdev *vd, uint32_t block)
{
	uint32_t most = block * (1 + vdev_random(vd, 40));

	put(vd, 36, 4, most);
	put(vd, 40, 4, 1 + vdev_random(vd, 4));
	put(vd, 44, 4, block * (1 + vdev_random(vd, 4)));
	put(vd, 48, 4, most);
	put(vd, 52, 4, 1 + vdev_random(vd, 4));
	put(vd, 56, 1, 1);
	put(vd, 60, 4, most);
	put(vd, 64, 4, 1);
	put(vd, 68, 4, block);
}

static void
init_limits(struct vdev *vd)
{
	static const uint32_t sizes[] = { 512, 520, 4096, 65536, 1u << 20 };
	uint32_t shift = vdev_random(vd, 3), block = 1u << shift;

	/* A block fits in no more segments than there are. */
	put(vd, 8, 4, sizes[vdev_random(vd, 5)]);
	put(vd, 12, 4, vd->vd_dev->fd_strict ? 5 + vdev_random(vd, 20) : 126);
	put(vd, CFG_BLK_SIZE, 4, SECTOR * block);
	put(vd, 24, 1, 3 - shift);
	put(vd, 25, 1, 0);
	put(vd, 26, 2, 1);
	put(vd, 28, 4, 8);
	put(vd, 34, 2, 1 + vdev_random(vd, 4));
	init_ranges(vd, block);
}

/* Reading the cache's mode before it is known whether it can be changed. */
static void
config_reading(struct fake_dev *fd, unsigned int off)
{
	if (off == CFG_WRITEBACK && fd->fd_strict && !fd->fd_legacy &&
	    !(fd->fd_status & PV_STATUS_FEATURES_OK))
		strict_broken(STRICT_BLK_WRITEBACK_EARLY, "status 0x%x",
		    fd->fd_status);
}

static void
blk_init(struct vdev *vd)
{
	struct fake_dev *fd = vd->vd_dev;
	struct vdev_blk *vb = &vd->vd_blk;
	uint32_t i;

	vb->vb_sectors = VDEV_BLK_SECTORS;
	vb->vb_fail_sector = UINT64_MAX;
	for (i = 0; i < sizeof(vb->vb_data); i++)
		vb->vb_data[i] = (uint8_t)vdev_random(vd, 256);
	memcpy(vb->vb_stable, vb->vb_data, sizeof(vb->vb_stable));
	put(vd, 0, 8, vb->vb_sectors);
	put(vd, CFG_WRITEBACK, 1, 1);
	init_limits(vd);
	fd->fd_configlen = 72;
	fd->fd_config_reading = config_reading;
	fd->fd_features &= ~B(ZONED);
	if (!fd->fd_legacy)
		fd->fd_features &= ~(B(BARRIER) | B(SCSI));
	if (!fd->fd_strict)
		fd->fd_features &= ~(B(SIZE_MAX) | B(LIFETIME) |
		    B(SECURE_ERASE));
	if (fd->fd_features & B(SIZE_MAX))
		fd->fd_maxseg = get(vd, 8, 4);
	if (vdev_random(vd, 6) != 0)
		fd->fd_features &= ~B(RO);
	if (vdev_has(vd, Q_ONE_QUEUE))
		fd->fd_features &= ~B(MQ);
	if (vdev_has(vd, Q_FEW_BLK))
		fd->fd_features &= ~(B(TOPOLOGY) | B(BLK_SIZE) | B(GEOMETRY) |
		    B(CONFIG_WCE) | B(DISCARD) | B(WRITE_ZEROES));
}

/* The medium */

/*
 * Where a sector is kept: a disk larger than that has its beginning and its
 * end. VDEV_BLK_SECTORS: nowhere, it reads as zeroes.
 */
static uint32_t
place(const struct vdev_blk *vb, uint64_t sector)
{
	const uint32_t half = VDEV_BLK_SECTORS / 2;

	if (vb->vb_sectors <= VDEV_BLK_SECTORS || sector < half)
		return sector < VDEV_BLK_SECTORS ? (uint32_t)sector :
		    VDEV_BLK_SECTORS;
	if (sector < vb->vb_sectors - half)
		return VDEV_BLK_SECTORS;
	return half + (uint32_t)(sector - (vb->vb_sectors - half));
}

static int
is_volatile(const struct vdev *vd)
{
	const struct fake_dev *fd = vd->vd_dev;

	if (fake_has(fd, PV_BLK_F_CONFIG_WCE))
		return fd->fd_config[CFG_WRITEBACK] != 0;
	return fake_has(fd, PV_BLK_F_FLUSH);
}

/* Another content; buf NULL: zeroes. state: what else is to be said of it. */
static void
store(struct vdev *vd, uint64_t sector, const uint8_t *buf, uint8_t state)
{
	struct vdev_blk *vb = &vd->vd_blk;
	uint32_t i = place(vb, sector);
	uint8_t *at = vb->vb_data + i * SECTOR;

	if (i == VDEV_BLK_SECTORS)
		return;
	if (buf != NULL)
		memcpy(at, buf, SECTOR);
	else
		memset(at, 0, SECTOR);
	if (!is_volatile(vd)) {
		memcpy(vb->vb_stable + i * SECTOR, at, SECTOR);
		vb->vb_state[i] = state;
		return;
	}
	if (!(vb->vb_state[i] & VOLATILE))
		vb->vb_since[i] = vb->vb_completed;
	vb->vb_state[i] = VOLATILE | state;
}

static void
load(const struct vdev *vd, uint64_t sector, uint8_t *buf)
{
	uint32_t i = place(&vd->vd_blk, sector);

	if (i == VDEV_BLK_SECTORS)
		memset(buf, 0, SECTOR);
	else
		memcpy(buf, vd->vd_blk.vb_data + i * SECTOR, SECTOR);
}

/* What was complete when the flush arrived. */
static void
flush(struct vdev *vd, uint64_t completed)
{
	struct vdev_blk *vb = &vd->vd_blk;
	uint32_t i;

	for (i = 0; i < VDEV_BLK_SECTORS; i++) {
		if (!(vb->vb_state[i] & VOLATILE) ||
		    vb->vb_since[i] >= completed)
			continue;
		memcpy(vb->vb_stable + i * SECTOR, vb->vb_data + i * SECTOR,
		    SECTOR);
		vb->vb_state[i] &= (uint8_t)~VOLATILE;
	}
}

void
vdev_blk_lose(struct vdev *vd)
{
	struct vdev_blk *vb = &vd->vd_blk;
	uint32_t i;

	for (i = 0; i < VDEV_BLK_SECTORS; i++) {
		if (!(vb->vb_state[i] & VOLATILE))
			continue;
		if (vdev_random(vd, 2))
			memcpy(vb->vb_stable + i * SECTOR,
			    vb->vb_data + i * SECTOR, SECTOR);
		else
			memcpy(vb->vb_data + i * SECTOR,
			    vb->vb_stable + i * SECTOR, SECTOR);
		vb->vb_state[i] = 0;
	}
}

void
vdev_blk_resize(struct vdev *vd, uint64_t sectors)
{
	uint8_t bytes[8];

	vd->vd_blk.vb_sectors = sectors;
	wire_put(bytes, 8, sectors);
	fake_config_change(vd->vd_dev, 0, bytes, 8);
}

/* What the driver's owner takes for true */

void
vdev_blk_told(struct vdev *vd, uint64_t bytes, int readonly, int may_lose)
{
	uint64_t block = fake_has(vd->vd_dev, PV_BLK_F_BLK_SIZE) ?
	    get(vd, CFG_BLK_SIZE, 4) : SECTOR;

	if (bytes != vd->vd_blk.vb_sectors * SECTOR / block * block)
		strict_broken(STRICT_BLK_CAPACITY, "%llu bytes",
		    (unsigned long long)bytes);
	if (!readonly && (vd->vd_dev->fd_features & B(RO)))
		strict_broken(STRICT_BLK_READ_ONLY, "it is, and was not told");
	if (!may_lose && is_volatile(vd))
		strict_broken(STRICT_BLK_WRITEBACK, "the cache is volatile");
}

void
vdev_blk_durable(struct vdev *vd, uint64_t sector, uint32_t n)
{
	uint32_t i;

	for (; n > 0; n--, sector++) {
		i = place(&vd->vd_blk, sector);
		if (i == VDEV_BLK_SECTORS ||
		    !(vd->vd_blk.vb_state[i] & VOLATILE))
			continue;
		strict_broken(STRICT_BLK_FLUSH, "sector %llu can be lost",
		    (unsigned long long)sector);
		return;
	}
}

void
vdev_blk_got(struct vdev *vd, uint64_t sector, const uint8_t *buf, uint32_t n)
{
	const struct vdev_blk *vb = &vd->vd_blk;
	uint8_t state, now[SECTOR];

	for (; n > 0; n--, sector++, buf += SECTOR) {
		load(vd, sector, now);
		if (memcmp(now, buf, SECTOR) == 0)
			continue;
		state = place(vb, sector) == VDEV_BLK_SECTORS ? 0 :
		    vb->vb_state[place(vb, sector)];
		strict_broken(state & DISCARDED ? STRICT_BLK_DISCARDED :
		    state & DOUBTFUL ? STRICT_BLK_DOUBTFUL : STRICT_BLK_DATA,
		    "sector %llu", (unsigned long long)sector);
		return;
	}
}

/* Requests */

static uint32_t
segments(const struct fake_chain *fc, uint32_t *longest)
{
	unsigned int i, n = fc->fc_nout + fc->fc_nin;

	*longest = 0;
	for (i = 1; i + 1 < n; i++)
		if (fc->fc_segs[i].len > *longest)
			*longest = fc->fc_segs[i].len;
	return n > 2 ? n - 2 : 0;
}

static void
judge_segments(struct vdev *vd, const struct fake_chain *fc)
{
	uint32_t longest, n = segments(fc, &longest);
	uint32_t most = fake_has(vd->vd_dev, PV_BLK_F_SEG_MAX) ?
	    get(vd, 12, 4) : 0;

	if (most != 0 && n > most)
		strict_broken(STRICT_BLK_SEGMENTS, "%u segments of %u", n,
		    most);
	if (fake_has(vd->vd_dev, PV_BLK_F_SIZE_MAX) && longest > get(vd, 8, 4))
		strict_broken(STRICT_BLK_SEGMENTS, "one of %u bytes", longest);
}

/* Whether so many sectors are on the disk. */
static int
judge_place(struct vdev *vd, uint64_t sector, uint64_t n)
{
	if (sector <= vd->vd_blk.vb_sectors &&
	    n <= vd->vd_blk.vb_sectors - sector)
		return 1;
	/* A disk may have become smaller meanwhile. */
	if (!vd->vd_blk.vb_shrunk)
		strict_broken(STRICT_BLK_BEYOND, "%llu sectors at %llu",
		    (unsigned long long)n, (unsigned long long)sector);
	return 0;
}

static int
judge_change(struct vdev *vd)
{
	if ((vd->vd_dev->fd_features & B(RO)) == 0)
		return 1;
	strict_broken(STRICT_BLK_READ_ONLY, "a request to change it");
	return 0;
}

/* Data of a read or write: its length in sectors, or 0. */
static uint64_t
judge_data(struct vdev *vd, const struct vdev_blk_late *bl)
{
	const struct fake_chain *fc = &bl->bl_fc;
	uint64_t len = bl->bl_type == T_IN ? fc->fc_inlen - 1 :
	    fc->fc_outlen - HDRLEN;

	judge_segments(vd, fc);
	if (len == 0 || len % SECTOR != 0 ||
	    (bl->bl_type == T_IN ? fc->fc_outlen != HDRLEN :
	    fc->fc_inlen != 1)) {
		strict_broken(STRICT_BLK_LENGTH, "%llu bytes",
		    (unsigned long long)len);
		return 0;
	}
	return judge_place(vd, bl->bl_sector, len / SECTOR) ? len / SECTOR : 0;
}

static int
fails(const struct vdev *vd, uint64_t sector, uint64_t n)
{
	uint64_t at = vd->vd_blk.vb_fail_sector;

	return at >= sector && at - sector < n;
}

static uint8_t
do_read(struct vdev *vd, const struct vdev_blk_late *bl)
{
	uint64_t i, n = judge_data(vd, bl);
	uint8_t buf[SECTOR];

	if (n == 0 || fails(vd, bl->bl_sector, n))
		return S_IOERR;
	for (i = 0; i < n; i++) {
		load(vd, bl->bl_sector + i, buf);
		fake_chain_write(&bl->bl_fc, (size_t)i * SECTOR, buf,
		    SECTOR);
	}
	return S_OK;
}

static uint8_t
do_write(struct vdev *vd, const struct vdev_blk_late *bl)
{
	uint64_t i, n = judge_data(vd, bl);
	uint8_t buf[SECTOR];

	if (n == 0 || !judge_change(vd) || fails(vd, bl->bl_sector, n))
		return S_IOERR;
	for (i = 0; i < n; i++) {
		fake_chain_read(&bl->bl_fc, HDRLEN + (size_t)i * SECTOR, buf,
		    SECTOR);
		store(vd, bl->bl_sector + i, buf, 0);
	}
	vd->vd_blk.vb_completed++;
	return S_OK;
}

static uint8_t
do_flush(struct vdev *vd, const struct vdev_blk_late *bl)
{
	if (bl->bl_fc.fc_outlen != HDRLEN || bl->bl_fc.fc_inlen != 1)
		strict_broken(STRICT_BLK_FLUSH_DATA, "%llu and %llu bytes",
		    (unsigned long long)bl->bl_fc.fc_outlen - HDRLEN,
		    (unsigned long long)bl->bl_fc.fc_inlen - 1);
	if (vd->vd_blk.vb_fail_flush)
		return S_IOERR;
	flush(vd, bl->bl_completed);
	return S_OK;
}

static const struct range_rules {
	uint32_t type;
	unsigned int feature, most, segs;	/* in the configuration */
	enum strict_rule many;
} range_rules[] = {
	{ T_DISCARD, PV_BLK_F_DISCARD, 36, 40, STRICT_BLK_DISCARD_MANY },
	{ T_WRITE_ZEROES, PV_BLK_F_WRITE_ZEROES, 48, 52,
	    STRICT_BLK_ZEROES_MANY },
	{ T_SECURE_ERASE, PV_BLK_F_SECURE_ERASE, 60, 64,
	    STRICT_BLK_ERASE_MANY },
};

static const struct range_rules *
rules_of(uint32_t type)
{
	unsigned int i;

	for (i = 0; i < sizeof(range_rules) / sizeof(range_rules[0]); i++)
		if (range_rules[i].type == type)
			return &range_rules[i];
	return NULL;
}

/* One range. */
static uint8_t
do_range(struct vdev *vd, const struct range_rules *rr, const uint8_t *range)
{
	uint64_t sector = wire_get(range, 8), i;
	uint32_t n = (uint32_t)wire_get(range + 8, 4);
	uint32_t flags = (uint32_t)wire_get(range + 12, 4);
	uint8_t junk[SECTOR];

	if (flags & ~(rr->type == T_WRITE_ZEROES ? 1u : 0u)) {
		strict_broken(STRICT_BLK_UNMAP, "flags 0x%x", flags);
		return S_UNSUPP;
	}
	if (n == 0 || n > get(vd, rr->most, 4))
		strict_broken(STRICT_BLK_RANGE_LONG, "%u sectors", n);
	if (!judge_place(vd, sector, n))
		return S_IOERR;
	for (i = 0; i < n && i < VDEV_BLK_SECTORS; i++) {
		memset(junk, (int)vdev_random(vd, 256), sizeof(junk));
		store(vd, sector + i, rr->type == T_WRITE_ZEROES ? NULL : junk,
		    rr->type == T_WRITE_ZEROES ? 0 : DISCARDED);
	}
	return S_OK;
}

/* It failed: some of it may be done. */
static uint8_t
doubt(struct vdev *vd, const struct vdev_blk_late *bl, uint64_t nranges)
{
	uint8_t range[RANGELEN], junk[SECTOR];
	uint64_t i, k;

	memset(junk, 0xd0, sizeof(junk));
	for (i = 0; i < nranges; i++) {
		fake_chain_read(&bl->bl_fc, HDRLEN + (size_t)i * RANGELEN, range,
		    RANGELEN);
		for (k = 0; k < wire_get(range + 8, 4) &&
		    k < VDEV_BLK_SECTORS; k++)
			store(vd, wire_get(range, 8) + k, junk, DOUBTFUL);
	}
	return S_IOERR;
}

static uint8_t
do_ranges(struct vdev *vd, const struct vdev_blk_late *bl)
{
	const struct range_rules *rr = rules_of(bl->bl_type);
	const struct fake_chain *fc = &bl->bl_fc;
	uint64_t i, n = (fc->fc_outlen - HDRLEN) / RANGELEN;
	uint8_t range[RANGELEN], status = S_OK;

	if (n == 0 || (fc->fc_outlen - HDRLEN) % RANGELEN != 0) {
		strict_broken(STRICT_BLK_RANGE_LENGTH, "%llu bytes",
		    (unsigned long long)fc->fc_outlen - HDRLEN);
		return S_IOERR;
	}
	if (n > get(vd, rr->segs, 4)) {
		strict_broken(rr->many, "%llu ranges", (unsigned long long)n);
		return S_IOERR;
	}
	if (!judge_change(vd))
		return S_IOERR;
	if (vd->vd_blk.vb_fail_ranges)
		return doubt(vd, bl, n);
	for (i = 0; i < n && status == S_OK; i++) {
		fake_chain_read(fc, HDRLEN + (size_t)i * RANGELEN, range,
		    RANGELEN);
		status = do_range(vd, rr, range);
	}
	vd->vd_blk.vb_completed++;
	return status;
}

static uint8_t
do_id(const struct vdev_blk_late *bl)
{
	static const char id[PV_BLK_IDLEN] = "paravane model";

	if (bl->bl_fc.fc_inlen != PV_BLK_IDLEN + 1) {
		strict_broken(STRICT_BLK_ID_LENGTH, "%llu bytes",
		    (unsigned long long)bl->bl_fc.fc_inlen - 1);
		return S_IOERR;
	}
	fake_chain_write(&bl->bl_fc, 0, id, sizeof(id));
	return S_OK;
}

static uint8_t
do_lifetime(const struct vdev_blk_late *bl)
{
	static const uint8_t life[PV_BLK_LIFETIMELEN] = { 1, 0, 3, 0, 4, 0 };

	if (bl->bl_fc.fc_inlen != sizeof(life) + 1) {
		strict_broken(STRICT_BLK_HEADER, "lifetime of %llu bytes",
		    (unsigned long long)bl->bl_fc.fc_inlen - 1);
		return S_IOERR;
	}
	fake_chain_write(&bl->bl_fc, 0, life, sizeof(life));
	return S_OK;
}

/* Whether the driver may send this type at all. */
static int
judge_type(struct vdev *vd, const struct vdev_blk_late *bl)
{
	const struct range_rules *rr = rules_of(bl->bl_type);
	int good = bl->bl_type == T_IN || bl->bl_type == T_OUT ||
	    bl->bl_type == T_GET_ID;

	if (rr != NULL)
		good = fake_has(vd->vd_dev, rr->feature);
	else if (bl->bl_type == T_FLUSH)
		good = fake_has(vd->vd_dev, PV_BLK_F_FLUSH);
	else if (bl->bl_type == T_GET_LIFETIME)
		good = fake_has(vd->vd_dev, PV_BLK_F_LIFETIME);
	if (!good)
		strict_broken(STRICT_BLK_FEATURE, "type %u", bl->bl_type);
	else if (bl->bl_sector != 0 && bl->bl_type != T_IN &&
	    bl->bl_type != T_OUT)
		strict_broken(STRICT_BLK_FLUSH_SECTOR, "sector %llu, type %u",
		    (unsigned long long)bl->bl_sector, bl->bl_type);
	return good;
}

static uint8_t
execute(struct vdev *vd, const struct vdev_blk_late *bl)
{
	if (!judge_type(vd, bl))
		return S_UNSUPP;
	switch (bl->bl_type) {
	case T_IN:
		return do_read(vd, bl);
	case T_OUT:
		return do_write(vd, bl);
	case T_FLUSH:
		return do_flush(vd, bl);
	case T_GET_ID:
		return do_id(bl);
	case T_GET_LIFETIME:
		return do_lifetime(bl);
	default:
		return do_ranges(vd, bl);
	}
}

static void
serve(struct vdev *vd, const struct vdev_blk_late *bl)
{
	const struct fake_chain *fc = &bl->bl_fc;
	uint32_t len = (uint32_t)fc->fc_inlen;
	uint8_t status = execute(vd, bl);

	if (vdev_has(vd, Q_STATUS_ASTRAY) && status != S_OK)
		/* Where the device was in what it writes: at its beginning. */
		fake_chain_write(fc, 0, &status, 1);
	else
		fake_chain_write(fc, len - 1, &status, 1);
	if (vdev_has(vd, Q_LEN_DATA))
		len = status == S_OK ? len - 1 : 0;
	vdev_push(vd, bl->bl_queue, fc, len);
}

static void
serve_late(struct vdev *vd, unsigned int i)
{
	struct vdev_blk *vb = &vd->vd_blk;
	struct vdev_blk_late *bl = vb->vb_late[i];

	vb->vb_late[i] = vb->vb_late[--vb->vb_nlate];
	serve(vd, bl);
	free(bl);
}

static void
blk_take(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	struct vdev_blk *vb = &vd->vd_blk;
	struct vdev_blk_late *bl;
	uint8_t hdr[HDRLEN];

	if (fc->fc_outlen < HDRLEN || fc->fc_inlen < 1) {
		strict_broken(STRICT_BLK_HEADER, "%llu bytes, room for %llu",
		    (unsigned long long)fc->fc_outlen,
		    (unsigned long long)fc->fc_inlen);
		vdev_push(vd, queue, fc, 0);
		return;
	}
	fake_chain_read(fc, 0, hdr, HDRLEN);
	if (wire_get(hdr + 4, 4) != 0)
		strict_broken(STRICT_BLK_HEADER, "reserved 0x%llx",
		    (unsigned long long)wire_get(hdr + 4, 4));
	bl = malloc(sizeof(*bl));
	bl->bl_queue = queue;
	bl->bl_completed = vb->vb_completed;
	bl->bl_type = (uint32_t)wire_get(hdr, 4);
	bl->bl_sector = wire_get(hdr + 8, 8);
	bl->bl_fc = *fc;
	vb->vb_late[vb->vb_nlate++] = bl;
	if (!vd->vd_dev->fd_strict || vb->vb_nlate == VDEV_BLK_LATE)
		serve_late(vd, vdev_random(vd, vb->vb_nlate));
}

/* There is no more to take: now all that came, in any order. */
static void
blk_idle(struct vdev *vd)
{
	while (vd->vd_blk.vb_nlate > 0)
		serve_late(vd, vdev_random(vd, vd->vd_blk.vb_nlate));
}

static void
blk_reset(struct vdev *vd)
{
	while (vd->vd_blk.vb_nlate > 0)
		free(vd->vd_blk.vb_late[--vd->vd_blk.vb_nlate]);
	vd->vd_blk.vb_shrunk = 0;
}

static void
blk_queue_reset(struct vdev *vd, unsigned int queue)
{
	struct vdev_blk *vb = &vd->vd_blk;
	unsigned int i = 0;

	while (i < vb->vb_nlate)
		if (vb->vb_late[i]->bl_queue == queue) {
			free(vb->vb_late[i]);
			vb->vb_late[i] = vb->vb_late[--vb->vb_nlate];
		} else
			i++;
}

const struct vdev_type vdev_blk_type = {
	.vt_type = PV_TYPE_BLK,
	.vt_queues = 4,
	.vt_known = B(BARRIER) | B(SIZE_MAX) | B(SEG_MAX) | B(GEOMETRY) |
	    B(RO) | B(BLK_SIZE) | B(SCSI) | B(FLUSH) | B(TOPOLOGY) |
	    B(CONFIG_WCE) | B(MQ) | B(DISCARD) | B(WRITE_ZEROES) |
	    B(LIFETIME) | B(SECURE_ERASE) | B(ZONED),
	.vt_should = B(RO),
	.vt_fields = fields,
	.vt_nfields = sizeof(fields) / sizeof(fields[0]),
	.vt_init = blk_init,
	.vt_take = blk_take,
	.vt_idle = blk_idle,
	.vt_reset = blk_reset,
	.vt_queue_reset = blk_queue_reset,
};
