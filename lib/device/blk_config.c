/* SPDX-License-Identifier: ISC */
/*
 * What is negotiated with a block device, and what its configuration says
 * (Device Types / Block Device / Device configuration layout).
 */
#include "blk_var.h"

#define BLK_SEGS_MAX		64	/* of data in a part, if the port does
					 * not say */
#define BLK_SEGS_LIMIT		1000	/* what the core's chains can hold */
#define BLK_CAPACITY_MAX	(1ULL << 54)	/* sectors: 2^63 bytes */
#define BLK_PHYSICAL_MAX	(1ULL << 31)

#define WANT(bit, depends) \
	{ PV_BLK_F_##bit, PV_FEATURE_WANTED, #bit, depends }
#define NAME(bit) \
	{ PV_BLK_F_##bit, PV_FEATURE_NAMED, #bit, 0 }

static const struct pv_feature blk_feature_list[] = {
	NAME(BARRIER),
	WANT(SIZE_MAX, 0),
	WANT(SEG_MAX, 0),
	NAME(GEOMETRY),
	WANT(RO, 0),
	WANT(BLK_SIZE, 0),
	NAME(SCSI),
	WANT(FLUSH, 0),
	WANT(TOPOLOGY, 0),
	/* A cache that can be turned on, but not flushed, is of no use. */
	WANT(CONFIG_WCE, PV_F_BIT(PV_BLK_F_FLUSH)),
	WANT(MQ, 0),
	WANT(DISCARD, 0),
	WANT(WRITE_ZEROES, 0),
	WANT(LIFETIME, 0),
	WANT(SECURE_ERASE, 0),
	NAME(ZONED),
};

/*
 * What can be left without harm. Not FLUSH, RO and the limits: data may hang on
 * them.
 */
static const struct pv_ladder_step blk_ladder[] = {
	{ PV_F_BIT(PV_BLK_F_MQ), 0 },
	{ PV_F_BIT(PV_BLK_F_MQ) | PV_F_BIT(PV_BLK_F_TOPOLOGY) |
	    PV_F_BIT(PV_BLK_F_CONFIG_WCE) | PV_F_BIT(PV_BLK_F_DISCARD) |
	    PV_F_BIT(PV_BLK_F_WRITE_ZEROES) | PV_F_BIT(PV_BLK_F_LIFETIME) |
	    PV_F_BIT(PV_BLK_F_SECURE_ERASE), 0 },
};

static int blk_check(void *, struct pv_virtio *, uint64_t *, int);

const struct pv_feature_table blk_features = {
	.ft_features = blk_feature_list,
	.ft_nfeatures = sizeof(blk_feature_list) / sizeof(blk_feature_list[0]),
	.ft_ladder = blk_ladder,
	.ft_nladder = sizeof(blk_ladder) / sizeof(blk_ladder[0]),
	.ft_check = blk_check,
};

/* Negotiation and configuration */

#define FIELD(feature, off, width, to) \
	{ PV_F_BIT(PV_BLK_F_##feature), off, width, \
	    __builtin_offsetof(struct pv_blk_limits, to) }

static const struct pv_dev_field blk_fields[] = {
	FIELD(SIZE_MAX, BLK_CFG_SIZE_MAX, 4, bl_size_max),
	FIELD(SEG_MAX, BLK_CFG_SEG_MAX, 4, bl_seg_max),
	FIELD(BLK_SIZE, BLK_CFG_BLK_SIZE, 4, bl_blk_size),
	FIELD(TOPOLOGY, BLK_CFG_PHYSICAL_EXP, 1, bl_physical_exp),
	FIELD(TOPOLOGY, BLK_CFG_ALIGNMENT, 1, bl_alignment),
	FIELD(TOPOLOGY, BLK_CFG_MIN_IO, 2, bl_min_io),
	FIELD(TOPOLOGY, BLK_CFG_OPT_IO, 4, bl_opt_io),
	FIELD(MQ, BLK_CFG_NUM_QUEUES, 2, bl_num_queues),
	FIELD(DISCARD, BLK_CFG_DISCARD_SECTORS, 4, bl_discard_sectors),
	FIELD(DISCARD, BLK_CFG_DISCARD_ALIGN, 4, bl_discard_align),
	FIELD(WRITE_ZEROES, BLK_CFG_ZEROES_SECTORS, 4, bl_zeroes_sectors),
	FIELD(SECURE_ERASE, BLK_CFG_ERASE_SECTORS, 4, bl_erase_sectors),
	FIELD(SECURE_ERASE, BLK_CFG_ERASE_ALIGN, 4, bl_erase_align),
};

#define NFIELDS		(sizeof(blk_fields) / sizeof(blk_fields[0]))

_Static_assert(NFIELDS <= PV_DEV_MAXFIELDS, "fields that are read at once");

static int
blk_read_limits(struct pv_virtio *dev, struct pv_blk_limits *lim)
{
	return pv_dev_read_fields(dev,
	    dev->vd_ng.ng_offered & dev->vd_ng.ng_asked, blk_fields, NFIELDS,
	    lim, sizeof(*lim));
}

static int
blk_size_valid(uint32_t size)
{
	return size >= PV_BLK_MINBLOCK && size <= PV_BLK_MAXBLOCK &&
	    (size & (size - 1)) == 0;
}

/* The unit of requests, by what the device says, or without that. */
static uint32_t
blk_unit(const struct pv_blk_limits *lim)
{
	return blk_size_valid(lim->bl_blk_size) ? lim->bl_blk_size :
	    PV_BLK_MINBLOCK;
}

/* The longest range of so many sectors, in whole blocks. */
static uint64_t
blk_range_max(const struct pv_blk_limits *lim, uint32_t sectors)
{
	return (uint64_t)sectors * BLK_SECTOR & ~(uint64_t)(blk_unit(lim) - 1);
}

static int
blk_topology_valid(const struct pv_blk_limits *lim)
{
	return lim->bl_physical_exp < 32 &&
	    (uint64_t)blk_unit(lim) << lim->bl_physical_exp <=
	    BLK_PHYSICAL_MAX &&
	    lim->bl_alignment < 1ULL << lim->bl_physical_exp;
}

/* Whether a block can be had in the segments of a part. */
static int
blk_size_max_valid(const struct pv_blk_limits *lim)
{
	uint64_t segs = lim->bl_seg_max > 0 ? lim->bl_seg_max : 1;

	if (segs > BLK_SEGS_LIMIT)
		segs = BLK_SEGS_LIMIT;
	return segs * lim->bl_size_max >= blk_unit(lim);
}

/* Leave what the device gives a value to that can't be. */
static void
blk_judge(struct pv_virtio *dev, const struct pv_blk_limits *lim,
    uint64_t *features)
{
	const struct {
		unsigned int bit;
		int valid;
	} verdicts[] = {
		{ PV_BLK_F_SIZE_MAX, blk_size_max_valid(lim) },
		{ PV_BLK_F_SEG_MAX, lim->bl_seg_max > 0 },
		{ PV_BLK_F_BLK_SIZE, blk_size_valid(lim->bl_blk_size) },
		{ PV_BLK_F_TOPOLOGY, blk_topology_valid(lim) },
		{ PV_BLK_F_MQ, lim->bl_num_queues > 0 },
		{ PV_BLK_F_DISCARD,
		    blk_range_max(lim, lim->bl_discard_sectors) > 0 },
		{ PV_BLK_F_WRITE_ZEROES,
		    blk_range_max(lim, lim->bl_zeroes_sectors) > 0 },
		{ PV_BLK_F_SECURE_ERASE,
		    blk_range_max(lim, lim->bl_erase_sectors) > 0 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (!verdicts[i].valid)
			pv_virtio_drop(dev, features, verdicts[i].bit,
			    PV_WHY_VALUE);
}

static int
blk_check(void *arg, struct pv_virtio *dev, uint64_t *features, int confirmed)
{
	struct pv_blk *sc = arg;
	struct pv_blk_limits lim;
	int error;

	error = blk_read_limits(dev, &lim);
	if (error)
		return error;
	if (confirmed)
		return memcmp(&lim, &sc->sc_limits, sizeof(lim)) ? EAGAIN : 0;
	sc->sc_limits = lim;
	blk_judge(dev, &lim, features);
	return 0;
}

/* How many data segments the port and the device agree to. */
static unsigned int
blk_segs_wanted(const struct pv_blk *sc)
{
	unsigned int segs = sc->sc_params.bp_maxsegs;

	if (segs == 0)
		segs = BLK_SEGS_MAX;
	if (segs > BLK_SEGS_LIMIT)
		segs = BLK_SEGS_LIMIT;
	/* Hosts that say nothing are known to take no more than one. */
	if (!blk_has(sc, PV_BLK_F_SEG_MAX))
		return 1;
	return segs < sc->sc_limits.bl_seg_max ? segs :
	    sc->sc_limits.bl_seg_max;
}

static void
blk_set_blocks(struct pv_blk_info *bi, const struct pv_blk *sc)
{
	const struct pv_blk_limits *lim = &sc->sc_limits;

	bi->bi_block = blk_unit(lim);
	bi->bi_physical = bi->bi_block;
	bi->bi_min_io = bi->bi_block;
	if (!blk_has(sc, PV_BLK_F_TOPOLOGY))
		return;
	bi->bi_physical = bi->bi_block << lim->bl_physical_exp;
	bi->bi_aligned = bi->bi_block * lim->bl_alignment;
	bi->bi_opt_io = (uint64_t)bi->bi_block * lim->bl_opt_io;
	if (lim->bl_min_io > 0)
		bi->bi_min_io = (uint64_t)bi->bi_block * lim->bl_min_io;
}

static uint64_t
blk_range_align(const struct pv_blk_info *bi, uint32_t sectors)
{
	uint64_t align = (uint64_t)sectors * BLK_SECTOR;

	/* In whole blocks, or of no use to us. */
	return align == 0 || align % bi->bi_block != 0 ? bi->bi_block : align;
}

void
blk_set_info(struct pv_blk *sc)
{
	const struct pv_blk_limits *lim = &sc->sc_limits;
	struct pv_blk_info *bi = &sc->sc_info;

	memset(bi, 0, sizeof(*bi));
	blk_set_blocks(bi, sc);
	bi->bi_maxsegs = blk_segs_wanted(sc);
	if (blk_has(sc, PV_BLK_F_SIZE_MAX))
		bi->bi_maxseg = lim->bl_size_max;
	bi->bi_discard_align = blk_range_align(bi, lim->bl_discard_align);
	bi->bi_erase_align = blk_range_align(bi, lim->bl_erase_align);
	if (blk_has(sc, PV_BLK_F_DISCARD))
		bi->bi_max_discard = blk_range_max(lim,
		    lim->bl_discard_sectors);
	if (blk_has(sc, PV_BLK_F_WRITE_ZEROES))
		bi->bi_max_zeroes = blk_range_max(lim, lim->bl_zeroes_sectors);
	if (blk_has(sc, PV_BLK_F_SECURE_ERASE))
		bi->bi_max_erase = blk_range_max(lim, lim->bl_erase_sectors);
	bi->bi_readonly = blk_has(sc, PV_BLK_F_RO) != 0;
	bi->bi_can_flush = blk_has(sc, PV_BLK_F_FLUSH) != 0;
	bi->bi_can_toggle = blk_has(sc, PV_BLK_F_CONFIG_WCE) != 0;
	bi->bi_lifetime = blk_has(sc, PV_BLK_F_LIFETIME) != 0;
}

int
blk_read_live(struct pv_blk *sc)
{
	struct pv_blk_info *bi = &sc->sc_info;
	uint64_t sectors = 0, capacity;
	uint8_t writeback = bi->bi_can_flush, unmap = 0;
	struct pv_config_field fields[3] = {
		{ BLK_CFG_CAPACITY, 8, 1, &sectors },
	};
	unsigned int n = 1;
	int error, changed;

	if (bi->bi_can_toggle)
		fields[n++] = (struct pv_config_field){ BLK_CFG_WRITEBACK, 1,
		    1, &writeback };
	if (bi->bi_max_zeroes > 0)
		fields[n++] = (struct pv_config_field){
		    BLK_CFG_ZEROES_MAY_UNMAP, 1, 1, &unmap };
	error = pv_virtio_config_read(sc->sc_dev, fields, n);
	if (error)
		return -error;
	if (sectors > BLK_CAPACITY_MAX) {
		pv_kern_log(PV_LOG_ERROR, sc->sc_dev->vd_name,
		    "a capacity of %llu sectors can't be",
		    (unsigned long long)sectors);
		return -ERANGE;
	}
	capacity = sectors * BLK_SECTOR & ~(uint64_t)(bi->bi_block - 1);
	changed = capacity != bi->bi_capacity;
	blk_capacity_set(bi, capacity);
	sc->sc_cachemode = writeback != 0;
	bi->bi_volatile = bi->bi_can_flush && (writeback != 0 ||
	    !sc->sc_toggled || sc->sc_writeback);
	bi->bi_may_unmap = unmap != 0;
	return changed;
}

int
pv_blk_changed(struct pv_blk *sc)
{
	if (!sc->sc_running)
		return -ENXIO;
	return blk_read_live(sc);
}

static int
blk_write_cachemode(struct pv_blk *sc, int on)
{
	return pv_virtio_config_write(sc->sc_dev, BLK_CFG_WRITEBACK, 1,
	    on != 0);
}

/*
 * A host that only says that it is in this mode already may not act on what is
 * no change to it: it is told the other one first.
 */
int
pv_blk_set_writeback(struct pv_blk *sc, int on)
{
	int error = 0;

	if (!sc->sc_running)
		return ENXIO;
	if (!sc->sc_info.bi_can_toggle)
		return ENOTSUP;
	sc->sc_toggled = 1;
	sc->sc_writeback = on != 0;
	if (sc->sc_cachemode == sc->sc_writeback)
		error = blk_write_cachemode(sc, !on);
	if (error == 0)
		error = blk_write_cachemode(sc, on);
	if (error)
		return EIO;
	error = blk_read_live(sc);
	if (error < 0)
		return -error;
	return sc->sc_cachemode == sc->sc_writeback ? 0 : EIO;
}

/* A value up to max, or 0. */
static uint16_t
lifetime_value(const uint8_t *p, uint16_t max)
{
	uint16_t v = pv_dev_get16(p);

	return v <= max ? v : 0;
}

void
pv_blk_lifetime(const void *buf, struct pv_blk_lifetime *bl)
{
	uint8_t copy[PV_BLK_LIFETIMELEN];

	pv_dev_copy_once(copy, buf, sizeof(copy));
	bl->bl_spare = lifetime_value(copy + BLK_LIFETIME_PRE_EOL, 3);
	bl->bl_slc = lifetime_value(copy + BLK_LIFETIME_TYPE_A, 11);
	bl->bl_mlc = lifetime_value(copy + BLK_LIFETIME_TYPE_B, 11);
}
