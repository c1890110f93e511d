/* SPDX-License-Identifier: ISC */
/*
 * Block (Device Types / Block Device). A request goes to the device in parts,
 * each a chain of header, data and status; the queue of parts that wait for room
 * is the list of requests itself, so nothing is allocated and none is refused.
 */
#include <paravane/blk.h>

#include "blkreg.h"
#include "dev.h"

#define BLK_QUEUE_MAX		128	/* entries, if the port does not say */
#define BLK_SEGS_MAX		64	/* likewise, of data in a part */
#define BLK_SEGS_LIMIT		1000	/* what the core's chains can hold */
#define BLK_PART_MAX		(4u << 20)	/* bytes of data; a multiple of
						 * all blocks */
#define BLK_CAPACITY_MAX	(1ULL << 54)	/* sectors: 2^63 bytes */
#define BLK_PHYSICAL_MAX	(1ULL << 31)

/* Not yet written by the device; no status that there is. */
#define BLK_S_NONE		0xff

/*
 * Status bytes are the device's to write, and many lie in one line. A line is
 * filled with BLK_S_NONE while the device has none of it, then handed out byte
 * by byte, and filled again when it was handed out whole and all of it is back.
 */
#define LINE_FULL		DMA_LINE
#define LINES(nparts)		((nparts) / 8 + 2)

/* A part of a request that the device has. */
struct blk_part {
	struct pv_blk_request *pt_br;	/* NULL: free */
	struct blk_part *pt_next;	/* free list */
	uint64_t pt_since_ns;
	uint32_t pt_inlen;		/* bytes that the device writes */
	unsigned int pt_status;		/* number of its status byte */
};

struct blk_list {
	struct pv_blk_request *bl_first;
	struct pv_blk_request *bl_last;
};

struct pv_blk_queue {
	struct pv_blk *bq_sc;
	struct pv_virtq *bq_vq;
	unsigned int bq_index;
	unsigned int bq_segs;		/* bq_vq takes so many, of data */
	unsigned int bq_nparts;
	struct blk_part *bq_parts;
	struct blk_part *bq_free;
	struct pv_piece *bq_pieces;	/* of the part that is being made */
	struct pv_dmamem bq_mem;	/* headers; ranges; lines of status */
	bus_size_t bq_ranges;
	bus_size_t bq_statuses;
	uint8_t *bq_lineuse;		/* bytes of each that the device has */
	unsigned int bq_nlines;
	unsigned int bq_line;		/* that is being handed out */
	unsigned int bq_fill;		/* bytes of it that are */
	struct blk_list bq_waiting;	/* not sent, or not whole */
	struct blk_list bq_done;
	unsigned int bq_requests;	/* that the port has not got back */
	unsigned int bq_writes;		/* parts that a flush waits for */
	struct pv_blk_counters bq_counters;
};

/* br_state */
#define BR_BUSY			0x01	/* the driver's */
#define BR_WAITING		0x02	/* on bq_waiting */
#define BR_SENT			0x04	/* whole */
#define BR_LOST			0x08

/* What there is to an operation. */
struct blk_op {
	uint32_t op_type;
	uint32_t op_flags;
	unsigned int op_len;		/* of an answer of fixed length */
};

#define OP_PLACE		0x01	/* offset and length are of the disk */
#define OP_DATA			0x02	/* the caller's pieces */
#define OP_IN			0x04	/* the device writes them */
#define OP_CHANGES		0x08	/* the disk */
#define OP_RANGE		0x10	/* our list of ranges, of one */

static const struct blk_op blk_ops[] = {
	[PV_BLK_READ] = { BLK_T_IN, OP_PLACE | OP_DATA | OP_IN, 0 },
	[PV_BLK_WRITE] = { BLK_T_OUT, OP_PLACE | OP_DATA | OP_CHANGES, 0 },
	[PV_BLK_FLUSH] = { BLK_T_FLUSH, 0, 0 },
	[PV_BLK_DISCARD] = { BLK_T_DISCARD, OP_PLACE | OP_RANGE | OP_CHANGES,
	    0 },
	[PV_BLK_WRITE_ZEROES] = { BLK_T_WRITE_ZEROES,
	    OP_PLACE | OP_RANGE | OP_CHANGES, 0 },
	[PV_BLK_SECURE_ERASE] = { BLK_T_SECURE_ERASE,
	    OP_PLACE | OP_RANGE | OP_CHANGES, 0 },
	[PV_BLK_GETID] = { BLK_T_GET_ID, OP_DATA | OP_IN, PV_BLK_IDLEN },
	[PV_BLK_GETLIFETIME] = { BLK_T_GET_LIFETIME, OP_DATA | OP_IN,
	    PV_BLK_LIFETIMELEN },
};

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

static const struct pv_feature_table blk_features = {
	.ft_features = blk_feature_list,
	.ft_nfeatures = sizeof(blk_feature_list) / sizeof(blk_feature_list[0]),
	.ft_ladder = blk_ladder,
	.ft_nladder = sizeof(blk_ladder) / sizeof(blk_ladder[0]),
	.ft_check = blk_check,
};

/* Negotiation and configuration */

/* Configuration that decides a feature, and where it goes. */
struct blk_field {
	uint8_t bf_feature;
	uint8_t bf_off;
	uint8_t bf_width;
	uint8_t bf_to;			/* in struct pv_blk_limits */
};

#define FIELD(feature, off, width, to) \
	{ PV_BLK_F_##feature, off, width, \
	    __builtin_offsetof(struct pv_blk_limits, to) }

static const struct blk_field blk_fields[] = {
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

/*
 * All of one generation. A field that was promised, but is not there, is 0; to
 * find out which, each is read by itself.
 */
static int
blk_read_limits(struct pv_virtio *dev, struct pv_blk_limits *lim)
{
	uint64_t features = dev->vd_ng.ng_offered & dev->vd_ng.ng_asked;
	struct pv_config_field fields[NFIELDS];
	unsigned int i, n = 0;
	int error;

	memset(lim, 0, sizeof(*lim));
	for (i = 0; i < NFIELDS; i++)
		if (features & PV_F_BIT(blk_fields[i].bf_feature))
			fields[n++] = (struct pv_config_field){
			    blk_fields[i].bf_off, blk_fields[i].bf_width, 1,
			    (uint8_t *)lim + blk_fields[i].bf_to };
	error = n > 0 ? pv_virtio_config_read(dev, fields, n) : 0;
	if (error != ERANGE)
		return error;
	memset(lim, 0, sizeof(*lim));
	for (i = 0; i < n; i++) {
		error = pv_virtio_config_read(dev, &fields[i], 1);
		if (error && error != ERANGE)
			return error;
	}
	return 0;
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

static int
blk_has(const struct pv_blk *sc, unsigned int bit)
{
	return pv_virtio_has(sc->sc_dev, bit);
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

/* What was negotiated; capacity and cache are read later. */
static void
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

/* What may change while the device runs. Returns 1 if the capacity did. */
static int
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
	*(volatile uint64_t *)&bi->bi_capacity = capacity;
	sc->sc_cachemode = writeback != 0;
	bi->bi_volatile = bi->bi_can_flush && (writeback != 0 ||
	    !sc->sc_toggled || sc->sc_writeback);
	bi->bi_may_unmap = unmap != 0;
	return changed;
}

/* What the core tells */

static void
blk_ready(void *arg)
{
	struct pv_blk_queue *bq = arg;
	struct pv_blk *sc = bq->bq_sc;

	if (sc->sc_cb.bc_done != NULL)
		sc->sc_cb.bc_done(sc->sc_arg, bq->bq_index);
}

/* Lists of requests */

static void
list_append(struct blk_list *bl, struct pv_blk_request *br)
{
	br->br_next = NULL;
	if (bl->bl_first == NULL)
		bl->bl_first = br;
	else
		bl->bl_last->br_next = br;
	bl->bl_last = br;
}

static struct pv_blk_request *
list_take(struct blk_list *bl)
{
	struct pv_blk_request *br = bl->bl_first;

	if (br != NULL)
		bl->bl_first = br->br_next;
	return br;
}

/* Parts and their status bytes */

static int
line_prepare(struct pv_blk_queue *bq)
{
	bus_size_t off;
	unsigned int i;

	for (i = 0; i < bq->bq_nlines && bq->bq_lineuse[i] > 0; i++)
		continue;
	if (i == bq->bq_nlines)
		return ENOBUFS;
	off = bq->bq_statuses + i * DMA_LINE;
	memset((uint8_t *)bq->bq_mem.dm_kva + off, BLK_S_NONE, DMA_LINE);
	/* To be in memory, where the device may leave it: it reads none of it. */
	pv_dmamem_sync(&bq->bq_mem, off, DMA_LINE, BUS_DMASYNC_PREWRITE);
	pv_dmamem_sync(&bq->bq_mem, off, DMA_LINE, BUS_DMASYNC_POSTWRITE);
	bq->bq_line = i;
	bq->bq_fill = 0;
	return 0;
}

static struct blk_part *
part_get(struct pv_blk_queue *bq)
{
	struct blk_part *part = bq->bq_free;

	if (part == NULL)
		return NULL;
	if (bq->bq_fill == LINE_FULL && line_prepare(bq) != 0)
		return NULL;
	bq->bq_free = part->pt_next;
	bq->bq_lineuse[bq->bq_line]++;
	part->pt_status = bq->bq_line * DMA_LINE + bq->bq_fill++;
	return part;
}

static void
part_put(struct pv_blk_queue *bq, struct blk_part *part)
{
	bq->bq_lineuse[part->pt_status / DMA_LINE]--;
	part->pt_br = NULL;
	part->pt_next = bq->bq_free;
	bq->bq_free = part;
}

/* Take one back at once: the device never saw its status byte. */
static void
part_unget(struct pv_blk_queue *bq, struct blk_part *part)
{
	bq->bq_fill--;
	part_put(bq, part);
}

static struct pv_piece
part_status(const struct pv_blk_queue *bq, const struct blk_part *part)
{
	return pv_dev_piece(&bq->bq_mem, bq->bq_statuses + part->pt_status, 1);
}

static struct pv_piece
part_header(struct pv_blk_queue *bq, const struct blk_part *part,
    uint32_t type, uint64_t offset)
{
	bus_size_t off = (bus_size_t)(part - bq->bq_parts) * BLK_HDRLEN;
	uint8_t *hdr = (uint8_t *)bq->bq_mem.dm_kva + off;

	pv_dev_put32(hdr + BLK_HDR_TYPE, type);
	pv_dev_put32(hdr + BLK_HDR_RESERVED, 0);
	pv_dev_put64(hdr + BLK_HDR_SECTOR, offset / BLK_SECTOR);
	return pv_dev_piece(&bq->bq_mem, off, BLK_HDRLEN);
}

static struct pv_piece
part_range(struct pv_blk_queue *bq, const struct blk_part *part,
    uint64_t offset, uint64_t len, uint32_t flags)
{
	bus_size_t off = bq->bq_ranges +
	    (bus_size_t)(part - bq->bq_parts) * BLK_RANGELEN;
	uint8_t *range = (uint8_t *)bq->bq_mem.dm_kva + off;

	pv_dev_put64(range + BLK_RANGE_SECTOR, offset / BLK_SECTOR);
	pv_dev_put32(range + BLK_RANGE_SECTORS, (uint32_t)(len / BLK_SECTOR));
	pv_dev_put32(range + BLK_RANGE_FLAGS, flags);
	return pv_dev_piece(&bq->bq_mem, off, BLK_RANGELEN);
}

/* Cutting a request */

/* Where in the caller's pieces we are. */
struct place {
	const struct pv_piece *pl_piece;
	bus_size_t pl_off;
};

/* Bytes from there on that lie behind one another in one map, up to len. */
static bus_size_t
run_length(const struct place *pl, bus_size_t len)
{
	const struct pv_piece *pc = pl->pl_piece;
	bus_size_t run = pc->pc_len - pl->pl_off;

	for (; run < len && pc[1].pc_map == pc->pc_map &&
	    pc[1].pc_off == pc->pc_off + pc->pc_len; pc++)
		run += pc[1].pc_len;
	return run < len ? run : len;
}

/*
 * As much of a run as *segs allow; it ends early at a segment that is longer
 * than the device takes, which is cut.
 */
static bus_size_t
gather_run(const struct pv_piece *run, bus_size_t maxseg, unsigned int *segs)
{
	const bus_dma_segment_t *seg = run->pc_map->dm_segs;
	bus_size_t off = run->pc_off, got = 0, take;

	while (off >= seg->ds_len)
		off -= (seg++)->ds_len;
	while (got < run->pc_len && *segs > 0) {
		take = seg->ds_len - off;
		if (take > run->pc_len - got)
			take = run->pc_len - got;
		--*segs;
		if (take > maxseg)
			return got + maxseg;
		got += take;
		off = 0;
		seg++;
	}
	return got;
}

static void
place_advance(struct place *pl, bus_size_t len)
{
	while (len > 0 && len >= pl->pl_piece->pc_len - pl->pl_off) {
		len -= pl->pl_piece->pc_len - pl->pl_off;
		pl->pl_piece++;
		pl->pl_off = 0;
	}
	pl->pl_off += len;
}

/*
 * Up to len bytes of data into pieces, in no more segments, and no longer ones,
 * than the device takes. *pl moves on. Returns the bytes; *n the pieces.
 */
static bus_size_t
gather(const struct pv_blk_info *bi, struct place *pl, bus_size_t len,
    struct pv_piece *pieces, unsigned int *n)
{
	bus_size_t maxseg = bi->bi_maxseg > 0 ? bi->bi_maxseg : BLK_PART_MAX;
	struct pv_piece *run = pieces;
	unsigned int segs = bi->bi_maxsegs;
	bus_size_t got = 0;

	for (; got < len && segs > 0; run++) {
		run->pc_map = pl->pl_piece->pc_map;
		run->pc_off = pl->pl_piece->pc_off + pl->pl_off;
		run->pc_len = run_length(pl, len - got);
		run->pc_len = gather_run(run, maxseg, &segs);
		got += run->pc_len;
		place_advance(pl, run->pc_len);
	}
	*n = (unsigned int)(run - pieces);
	return got;
}

/* The next part's data, in whole blocks. Returns 0 if there is no such part. */
static bus_size_t
cut_data(const struct pv_blk_queue *bq, const struct pv_blk_request *br,
    struct place *pl, unsigned int *n)
{
	const struct pv_blk_info *bi = &bq->bq_sc->sc_info;
	const struct place begin = {
		&br->br_pieces[br->br_piece], br->br_off
	};
	uint64_t len = br->br_len - br->br_sent;
	/* An answer of fixed length is not for cutting. */
	uint64_t unit = blk_ops[br->br_op].op_len > 0 ? br->br_len :
	    bi->bi_block;
	bus_size_t got;

	if (len > BLK_PART_MAX)
		len = BLK_PART_MAX;
	*pl = begin;
	got = gather(bi, pl, len, bq->bq_pieces + 1, n);
	if (got % unit == 0)
		return got;
	*pl = begin;
	return gather(bi, pl, got - got % unit, bq->bq_pieces + 1, n);
}

/* The next part of a range: up to a multiple of align, if that can be. */
static uint64_t
cut_range(uint64_t offset, uint64_t left, uint64_t max, uint64_t align)
{
	uint64_t over;

	if (left <= max)
		return left;
	over = (offset + max) % align;
	return over < max ? max - over : max;
}

static uint64_t
cut_request_range(const struct pv_blk_info *bi, const struct pv_blk_request *br)
{
	uint64_t offset = br->br_offset + br->br_sent;
	uint64_t left = br->br_len - br->br_sent;

	switch (br->br_op) {
	case PV_BLK_DISCARD:
		return cut_range(offset, left, bi->bi_max_discard,
		    bi->bi_discard_align);
	case PV_BLK_SECURE_ERASE:
		return cut_range(offset, left, bi->bi_max_erase,
		    bi->bi_erase_align);
	default:
		return cut_range(offset, left, bi->bi_max_zeroes,
		    bi->bi_block);
	}
}

/* Sending */

/* Make the part's chain available. Errors: those of pv_virtq_enqueue. */
static int
part_enqueue(struct pv_blk_queue *bq, struct blk_part *part,
    const struct blk_op *op, unsigned int ndata)
{
	unsigned int nout = 1, nin = 1;

	bq->bq_pieces[1 + ndata] = part_status(bq, part);
	if (op->op_flags & OP_IN)
		nin += ndata;
	else
		nout += ndata;
	return pv_virtq_enqueue(bq->bq_vq, bq->bq_pieces, nout, nin, part);
}

static void
part_sent(struct pv_blk_queue *bq, struct blk_part *part,
    struct pv_blk_request *br, uint64_t len)
{
	const struct blk_op *op = &blk_ops[br->br_op];

	part->pt_br = br;
	part->pt_inlen = op->op_flags & OP_IN ? (uint32_t)len + 1 : 1;
	br->br_sent += len;
	br->br_parts++;
	if (op->op_flags & OP_CHANGES)
		bq->bq_writes++;
	if (br->br_op == PV_BLK_FLUSH)
		bq->bq_counters.bc_flushes++;
	if (br->br_op == PV_BLK_FLUSH || br->br_sent == br->br_len)
		br->br_state |= BR_SENT;
	bq->bq_counters.bc_parts++;
}

/*
 * Send one part. ENOBUFS no room; EIO broken; EFBIG, EINVAL it can't be made.
 */
static int
part_send(struct pv_blk_queue *bq, struct pv_blk_request *br, uint64_t now)
{
	const struct blk_op *op = &blk_ops[br->br_op];
	uint64_t offset = br->br_offset + br->br_sent, len = 0;
	struct place pl = { br->br_pieces, 0 };
	struct blk_part *part;
	unsigned int ndata = 0;
	int error;

	part = part_get(bq);
	if (part == NULL)
		return ENOBUFS;
	if (op->op_flags & OP_DATA) {
		len = cut_data(bq, br, &pl, &ndata);
	} else if (op->op_flags & OP_RANGE) {
		len = cut_request_range(&bq->bq_sc->sc_info, br);
		bq->bq_pieces[1] = part_range(bq, part, offset, len,
		    br->br_flags & PV_BLK_UNMAP ? BLK_RANGE_UNMAP : 0);
		ndata = 1;
	}
	bq->bq_pieces[0] = part_header(bq, part, op->op_type,
	    (op->op_flags & (OP_PLACE | OP_DATA)) == (OP_PLACE | OP_DATA) ?
	    offset : 0);
	error = (op->op_flags & OP_DATA) && len == 0 ? EFBIG :
	    part_enqueue(bq, part, op, ndata);
	if (error) {
		part_unget(bq, part);
		return error;
	}
	part->pt_since_ns = now;
	if (op->op_flags & OP_DATA) {
		br->br_piece = (unsigned int)(pl.pl_piece - br->br_pieces);
		br->br_off = pl.pl_off;
	}
	part_sent(bq, part, br, len);
	return 0;
}

/* Send what is left of a request. ENOBUFS: it goes on later; EIO broken. */
static int
request_send(struct pv_blk_queue *bq, struct pv_blk_request *br, uint64_t now)
{
	int error;

	if (br->br_op == PV_BLK_FLUSH) {
		if (bq->bq_writes > 0)
			return ENOBUFS;
		if (!bq->bq_sc->sc_info.bi_can_flush)
			return 0;
	}
	while (br->br_error == 0 && !(br->br_state & BR_SENT)) {
		error = part_send(bq, br, now);
		if (error == ENOBUFS || error == EIO)
			return error;
		br->br_error = error;
	}
	return 0;
}

/* A request of which the device has nothing, and will get no more. */
static void
request_settle(struct pv_blk_queue *bq, struct pv_blk_request *br)
{
	if (br->br_parts == 0 && !(br->br_state & BR_WAITING))
		list_append(&bq->bq_done, br);
}

/* Send what waits, as far as there is room, with one doorbell. */
static void
queue_send(struct pv_blk_queue *bq)
{
	struct pv_blk_request *br;
	uint64_t now;

	if (bq->bq_waiting.bl_first == NULL)
		return;
	now = pv_kern_uptime_ns();
	while ((br = bq->bq_waiting.bl_first) != NULL) {
		if (request_send(bq, br, now) != 0)
			break;
		list_take(&bq->bq_waiting);
		br->br_state &= (uint8_t)~BR_WAITING;
		request_settle(bq, br);
	}
	pv_virtq_publish(bq->bq_vq);
}

/* Requests, as the port gives them */

static int
request_has_op(const struct pv_blk_info *bi, unsigned int op)
{
	switch (op) {
	case PV_BLK_DISCARD:
		return bi->bi_max_discard > 0;
	case PV_BLK_WRITE_ZEROES:
		return bi->bi_max_zeroes > 0;
	case PV_BLK_SECURE_ERASE:
		return bi->bi_max_erase > 0;
	case PV_BLK_GETLIFETIME:
		return bi->bi_lifetime;
	default:
		return 1;
	}
}

static int
request_check_place(const struct pv_blk_info *bi,
    const struct pv_blk_request *br)
{
	/* Read once: it may change meanwhile. */
	uint64_t capacity = *(const volatile uint64_t *)&bi->bi_capacity;

	if (br->br_len == 0 ||
	    ((br->br_offset | br->br_len) & (bi->bi_block - 1)) != 0)
		return EINVAL;
	if (br->br_offset > capacity || br->br_len > capacity - br->br_offset)
		return EINVAL;
	return 0;
}

/* The pieces are inside their maps, and hold just len bytes. */
static int
request_check_pieces(const struct pv_blk_request *br, uint64_t len)
{
	const struct pv_piece *pc = br->br_pieces;
	unsigned int i;

	for (i = 0; i < br->br_npieces; i++, pc++) {
		if (pc->pc_len == 0 || pc->pc_len > len ||
		    pc->pc_off > pc->pc_map->dm_mapsize ||
		    pc->pc_len > pc->pc_map->dm_mapsize - pc->pc_off)
			return EINVAL;
		len -= pc->pc_len;
	}
	return len == 0 ? 0 : EINVAL;
}

static int
request_check(const struct pv_blk *sc, const struct pv_blk_request *br)
{
	const struct pv_blk_info *bi = &sc->sc_info;
	const struct blk_op *op;
	int error;

	if ((br->br_state & BR_BUSY) || br->br_op > PV_BLK_GETLIFETIME)
		return EINVAL;
	op = &blk_ops[br->br_op];
	if (bi->bi_readonly && (op->op_flags & OP_CHANGES))
		return EROFS;
	if (!request_has_op(bi, br->br_op))
		return ENOTSUP;
	if ((br->br_flags & ~PV_BLK_UNMAP) != 0 ||
	    (br->br_flags != 0 && br->br_op != PV_BLK_WRITE_ZEROES))
		return EINVAL;
	if (op->op_flags & OP_PLACE) {
		error = request_check_place(bi, br);
		if (error)
			return error;
	}
	if (op->op_flags & OP_DATA)
		return request_check_pieces(br,
		    op->op_len > 0 ? op->op_len : br->br_len);
	return 0;
}

static void
request_begin(struct pv_blk_queue *bq, struct pv_blk_request *br)
{
	unsigned int len = blk_ops[br->br_op].op_len;

	if (len > 0)
		br->br_len = len;
	if (!(blk_ops[br->br_op].op_flags & OP_PLACE))
		br->br_offset = 0;
	br->br_error = 0;
	br->br_sent = 0;
	br->br_piece = 0;
	br->br_off = 0;
	br->br_parts = 0;
	br->br_state = BR_BUSY | BR_WAITING;
	list_append(&bq->bq_waiting, br);
	bq->bq_requests++;
}

/* Give it back. */
static struct pv_blk_request *
request_end(struct pv_blk_queue *bq, struct pv_blk_request *br)
{
	struct pv_blk_counters *bc = &bq->bq_counters;

	br->br_state &= BR_LOST;
	bq->bq_requests--;
	bc->bc_requests++;
	if (br->br_error != 0)
		bc->bc_errors++;
	else if (br->br_op == PV_BLK_READ)
		bc->bc_read_bytes += br->br_len;
	else if (br->br_op == PV_BLK_WRITE)
		bc->bc_written_bytes += br->br_len;
	return br;
}

static struct pv_blk_queue *
blk_queue(const struct pv_blk *sc, unsigned int queue)
{
	return queue < sc->sc_info.bi_nqueues ? &sc->sc_queues[queue] : NULL;
}

int
pv_blk_submit(struct pv_blk *sc, unsigned int queue,
    struct pv_blk_request *const *br, unsigned int n, unsigned int *accepted)
{
	struct pv_blk_queue *bq;
	int error = 0, had;

	*accepted = 0;
	if (!sc->sc_running)
		return ENXIO;
	if (pv_virtio_broken(sc->sc_dev) != NULL)
		return EIO;
	bq = blk_queue(sc, queue);
	if (bq == NULL)
		return EINVAL;
	had = bq->bq_done.bl_first != NULL;
	for (; *accepted < n; ++*accepted) {
		error = request_check(sc, br[*accepted]);
		if (error)
			break;
		request_begin(bq, br[*accepted]);
	}
	queue_send(bq);
	if (!had && bq->bq_done.bl_first != NULL)
		blk_ready(bq);
	return error;
}

/* Completion */

static int
status_error(struct pv_blk_queue *bq, uint8_t status)
{
	switch (status) {
	case BLK_S_OK:
		return 0;
	case BLK_S_IOERR:
		return EIO;
	case BLK_S_UNSUPP:
		return ENOTSUP;
	default:
		bq->bq_counters.bc_silent++;
		return EIO;
	}
}

/* A part is no longer the device's. */
static struct pv_blk_request *
part_end(struct pv_blk_queue *bq, struct blk_part *part, int error)
{
	struct pv_blk_request *br = part->pt_br;

	if (blk_ops[br->br_op].op_flags & OP_CHANGES)
		bq->bq_writes--;
	part_put(bq, part);
	br->br_parts--;
	if (br->br_error == 0)
		br->br_error = error;
	return br;
}

/* Take one used part. EAGAIN there is none; EIO broken. */
static int
part_take(struct pv_blk_queue *bq)
{
	struct blk_part *part;
	struct pv_used used;
	uint8_t status;
	int error;

	error = pv_virtq_dequeue(bq->bq_vq, &used);
	if (error)
		return error;
	part = used.us_cookie;
	if (used.us_len < part->pt_inlen)
		bq->bq_counters.bc_short++;
	pv_dev_copy_once(&status, (uint8_t *)bq->bq_mem.dm_kva +
	    bq->bq_statuses + part->pt_status, 1);
	request_settle(bq, part_end(bq, part, status_error(bq, status)));
	return 0;
}

int
pv_blk_complete(struct pv_blk *sc, unsigned int queue,
    struct pv_blk_request **br, unsigned int n, unsigned int *done)
{
	struct pv_blk_queue *bq;
	struct pv_blk_request *one;
	int error = 0;

	*done = 0;
	if (!sc->sc_running)
		return ENXIO;
	bq = blk_queue(sc, queue);
	if (bq == NULL)
		return EINVAL;
	while (*done < n) {
		one = list_take(&bq->bq_done);
		if (one != NULL) {
			br[(*done)++] = request_end(bq, one);
			continue;
		}
		error = part_take(bq);
		if (error == EAGAIN) {
			queue_send(bq);
			if (bq->bq_done.bl_first == NULL)
				return 0;
		} else if (error)
			return error;
	}
	queue_send(bq);
	return 0;
}

int
pv_blk_intr(struct pv_blk *sc, unsigned int queue, unsigned int after)
{
	struct pv_blk_queue *bq = blk_queue(sc, queue);

	if (!sc->sc_running || bq == NULL)
		return 0;
	if (after == 0) {
		pv_virtq_intr_disable(bq->bq_vq);
		return 0;
	}
	return pv_virtq_intr_delay(bq->bq_vq, after) ||
	    bq->bq_done.bl_first != NULL;
}

uint64_t
pv_blk_oldest_ns(const struct pv_blk *sc, unsigned int queue)
{
	const struct pv_blk_queue *bq = blk_queue(sc, queue);
	uint64_t now = pv_kern_uptime_ns(), age, oldest = 0;
	unsigned int i;

	if (!sc->sc_running || bq == NULL)
		return 0;
	for (i = 0; i < bq->bq_nparts; i++) {
		if (bq->bq_parts[i].pt_br == NULL)
			continue;
		age = now - bq->bq_parts[i].pt_since_ns;
		if (age == 0)
			age = 1;
		if (age > oldest)
			oldest = age;
	}
	return oldest;
}

unsigned int
pv_blk_outstanding(const struct pv_blk *sc, unsigned int queue)
{
	const struct pv_blk_queue *bq = blk_queue(sc, queue);

	return bq == NULL ? 0 : bq->bq_requests;
}

/* Queues */

static void
queue_free_parts(struct pv_blk_queue *bq, bool lost)
{
	pv_dmamem_release(&bq->bq_mem, lost);
	pv_kern_free(bq->bq_parts, bq->bq_nparts * sizeof(*bq->bq_parts));
	pv_kern_free(bq->bq_pieces, (bq->bq_segs + 2) * sizeof(*bq->bq_pieces));
	pv_kern_free(bq->bq_lineuse, bq->bq_nlines);
	bq->bq_parts = bq->bq_free = NULL;
	bq->bq_pieces = NULL;
	bq->bq_lineuse = NULL;
	bq->bq_nparts = bq->bq_nlines = 0;
}

/* As many parts as the ring has entries. */
static int
queue_alloc_parts(struct pv_blk_queue *bq)
{
	unsigned int n = pv_virtq_size(bq->bq_vq);

	bq->bq_nparts = n;
	bq->bq_nlines = LINES(n);
	bq->bq_ranges = n * BLK_HDRLEN;
	bq->bq_statuses = DMA_LINES(bq->bq_ranges + n * BLK_RANGELEN);
	bq->bq_parts = pv_kern_alloc(n * sizeof(*bq->bq_parts));
	bq->bq_pieces = pv_kern_alloc((bq->bq_segs + 2) *
	    sizeof(*bq->bq_pieces));
	bq->bq_lineuse = pv_kern_alloc(bq->bq_nlines);
	if (bq->bq_parts == NULL || bq->bq_pieces == NULL ||
	    bq->bq_lineuse == NULL)
		return ENOMEM;
	return pv_dmamem_alloc(&bq->bq_mem, bq->bq_sc->sc_dev->vd_dmat,
	    bq->bq_statuses + bq->bq_nlines * DMA_LINE, DMA_LINE, 1, 0, 0);
}

static void
queue_reset(struct pv_blk_queue *bq)
{
	unsigned int i;

	memset(bq->bq_parts, 0, bq->bq_nparts * sizeof(*bq->bq_parts));
	memset(bq->bq_lineuse, 0, bq->bq_nlines);
	bq->bq_free = NULL;
	for (i = bq->bq_nparts; i-- > 0; ) {
		bq->bq_parts[i].pt_next = bq->bq_free;
		bq->bq_free = &bq->bq_parts[i];
	}
	bq->bq_fill = LINE_FULL;
	bq->bq_writes = 0;
}

static void
queue_free(struct pv_blk_queue *bq, bool lost)
{
	pv_dev_queue_drain(bq->bq_vq);
	pv_dev_queue_free(&bq->bq_vq);
	queue_free_parts(bq, lost);
}

static int
queue_alloc(struct pv_blk_queue *bq, unsigned int segs)
{
	const struct pv_blk_params *bp = &bq->bq_sc->sc_params;
	const struct pv_virtq_params params = {
		.vp_name = "request",
		.vp_size = bp->bp_size != 0 ? bp->bp_size : BLK_QUEUE_MAX,
		.vp_maxpieces = segs + 2,
		.vp_maxsegs = segs + 2,
		.vp_policy = PV_VIRTQ_DOUBT,
		.vp_intr = blk_ready,
		.vp_arg = bq,
	};
	int error;

	if (bq->bq_segs != segs)
		queue_free(bq, false);
	bq->bq_segs = segs;
	error = pv_dev_queue(bq->bq_sc->sc_dev, bq->bq_index, &params,
	    &bq->bq_vq);
	if (error)
		return error;
	if (bq->bq_nparts != pv_virtq_size(bq->bq_vq)) {
		queue_free_parts(bq, false);
		error = queue_alloc_parts(bq);
		if (error) {
			queue_free_parts(bq, false);
			return error;
		}
	}
	queue_reset(bq);
	return 0;
}

static void
blk_free_queues(struct pv_blk *sc, bool lost)
{
	unsigned int i;

	for (i = 0; i < sc->sc_nqueues; i++)
		queue_free(&sc->sc_queues[i], lost);
	pv_kern_free(sc->sc_queues, sc->sc_nqueues * sizeof(*sc->sc_queues));
	sc->sc_queues = NULL;
	sc->sc_nqueues = 0;
	sc->sc_info.bi_nqueues = 0;
}

static unsigned int
blk_queues_wanted(const struct pv_blk *sc)
{
	unsigned int n = sc->sc_params.bp_nqueues;

	if (n == 0 || !blk_has(sc, PV_BLK_F_MQ))
		return 1;
	if (n > sc->sc_limits.bl_num_queues)
		n = sc->sc_limits.bl_num_queues;
	return n < PV_MAXQUEUES ? n : PV_MAXQUEUES;
}

/* The array of queues, each without anything yet if their number is another. */
static int
blk_alloc_array(struct pv_blk *sc, unsigned int n)
{
	unsigned int i;

	if (n == sc->sc_nqueues)
		return 0;
	blk_free_queues(sc, false);
	sc->sc_queues = pv_kern_alloc(n * sizeof(*sc->sc_queues));
	if (sc->sc_queues == NULL)
		return ENOMEM;
	sc->sc_nqueues = n;
	for (i = 0; i < n; i++) {
		sc->sc_queues[i].bq_sc = sc;
		sc->sc_queues[i].bq_index = i;
	}
	return 0;
}

/* Fewer queues than were promised, or shorter ones, are made do with. */
static int
blk_alloc_queues(struct pv_blk *sc)
{
	struct pv_blk_info *bi = &sc->sc_info;
	unsigned int i, size;
	int error;

	error = blk_alloc_array(sc, blk_queues_wanted(sc));
	if (error)
		return error;
	bi->bi_size = UINT32_MAX;
	for (i = 0; i < sc->sc_nqueues; i++) {
		error = queue_alloc(&sc->sc_queues[i], bi->bi_maxsegs);
		if (error == ENXIO && i > 0)
			break;
		if (error)
			return error;
		size = pv_virtq_size(sc->sc_queues[i].bq_vq);
		if (size < 3)
			return ENOTSUP;
		if (bi->bi_size > size)
			bi->bi_size = size;
	}
	bi->bi_nqueues = i;
	/* A chain is no longer than its queue. */
	if (bi->bi_maxsegs > bi->bi_size - 2)
		bi->bi_maxsegs = bi->bi_size - 2;
	return 0;
}

/* Life */

static int
blk_drained(const struct pv_blk *sc)
{
	unsigned int i;

	for (i = 0; i < sc->sc_nqueues; i++)
		if (sc->sc_queues[i].bq_requests > 0)
			return 0;
	return 1;
}

int
pv_blk_start(struct pv_blk *sc)
{
	int error;

	if (sc->sc_running || !blk_drained(sc))
		return EBUSY;
	if (sc->sc_dev->vd_lost)
		return EIO;
	pv_virtio_deny(sc->sc_dev,
	    sc->sc_dev->vd_denied | sc->sc_params.bp_deny);
	error = pv_virtio_negotiate(sc->sc_dev, &blk_features, sc);
	if (error)
		return error;
	blk_set_info(sc);
	error = blk_read_live(sc);
	error = error < 0 ? -error : 0;
	if (error == 0)
		error = blk_alloc_queues(sc);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error) {
		pv_blk_stop(sc);
		pv_virtio_fail(sc->sc_dev);
		return error;
	}
	sc->sc_running = 1;
	/* Where that fails bi_volatile tells. */
	if (sc->sc_toggled && sc->sc_info.bi_can_toggle)
		pv_blk_set_writeback(sc, sc->sc_writeback);
	return 0;
}

int
pv_blk_attach(struct pv_blk *sc, struct pv_virtio *dev,
    const struct pv_blk_callbacks *cb, void *arg,
    const struct pv_blk_params *params)
{
	int error;

	memset(sc, 0, sizeof(*sc));
	sc->sc_dev = dev;
	sc->sc_arg = arg;
	if (cb != NULL)
		sc->sc_cb = *cb;
	if (params != NULL)
		sc->sc_params = *params;
	pv_dev_set_callbacks(dev, sc->sc_cb.bc_broken, sc->sc_cb.bc_changed,
	    arg);
	error = pv_blk_start(sc);
	if (error) {
		pv_blk_detach(sc);
		pv_virtio_fail(dev);
	}
	return error;
}

int
pv_blk_stop(struct pv_blk *sc)
{
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	return error;
}

/* One that the device had last, of which it has nothing any more. */
static struct pv_blk_request *
drain_parts(struct pv_blk_queue *bq)
{
	struct pv_blk_request *br;
	struct blk_part *part;

	while ((part = pv_virtq_drain(bq->bq_vq)) != NULL) {
		br = part_end(bq, part, EIO);
		if (pv_virtq_lost(bq->bq_vq))
			br->br_state |= BR_LOST;
		if (br->br_parts == 0 && !(br->br_state & BR_WAITING))
			return br;
	}
	return NULL;
}

static struct pv_blk_request *
drain_queue(struct pv_blk_queue *bq)
{
	struct pv_blk_request *br;

	if (bq->bq_vq == NULL)
		return NULL;
	br = list_take(&bq->bq_done);
	if (br == NULL)
		br = drain_parts(bq);
	if (br == NULL) {
		br = list_take(&bq->bq_waiting);
		if (br != NULL && br->br_error == 0)
			br->br_error = EIO;
	}
	return br == NULL ? NULL : request_end(bq, br);
}

struct pv_blk_request *
pv_blk_drain(struct pv_blk *sc)
{
	struct pv_blk_request *br;
	unsigned int i;

	if (sc->sc_running)
		return NULL;
	for (i = 0; i < sc->sc_nqueues; i++) {
		br = drain_queue(&sc->sc_queues[i]);
		if (br != NULL)
			return br;
	}
	return NULL;
}

int
pv_blk_lost(const struct pv_blk *sc, const struct pv_blk_request *br)
{
	(void)sc;
	return (br->br_state & BR_LOST) != 0;
}

int
pv_blk_detach(struct pv_blk *sc)
{
	int error;

	error = pv_blk_stop(sc);
	blk_free_queues(sc, error != 0);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	return error;
}

/* What was negotiated, and what changes */

const struct pv_blk_info *
pv_blk_info(const struct pv_blk *sc)
{
	return &sc->sc_info;
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

const struct pv_blk_counters *
pv_blk_counters(const struct pv_blk *sc, unsigned int queue)
{
	const struct pv_blk_queue *bq = blk_queue(sc, queue);

	return bq == NULL ? NULL : &bq->bq_counters;
}

const struct pv_virtq_counters *
pv_blk_ring_counters(const struct pv_blk *sc, unsigned int queue)
{
	const struct pv_blk_queue *bq = blk_queue(sc, queue);

	return bq == NULL ? NULL : pv_virtq_counters(bq->bq_vq);
}
