/* SPDX-License-Identifier: ISC */
/*
 * The way of requests. One goes to the device in parts, each a chain of header,
 * data and status; the queue of parts that wait for room is the list of
 * requests itself, so nothing is allocated and none is refused.
 */
#include "blk_var.h"

#define BLK_PART_MAX		(4u << 20)	/* bytes of data; a multiple of
						 * all blocks */

/* Not yet written by the device; no status that there is. */
#define BLK_S_NONE		0xff

/*
 * Status bytes are the device's to write, and many lie in one line. A line is
 * filled with BLK_S_NONE while the device has none of it, then handed out byte
 * by byte, and filled again when it was handed out whole and all of it is back.
 */
#define LINE_FULL		DMA_LINE

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

/* What the core tells */

void
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
	/* To be in memory, where the device may leave it: it reads none. */
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

void
blk_parts_reset(struct pv_blk_queue *bq)
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
		count_add(&bq->bq_counters.bc_flushes, 1);
	if (br->br_op == PV_BLK_FLUSH || br->br_sent == br->br_len)
		br->br_state |= BR_SENT;
	count_add(&bq->bq_counters.bc_parts, 1);
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
	const uint64_t capacity = blk_capacity(bi);

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
	count_add(&bc->bc_requests, 1);
	if (br->br_error != 0)
		count_add(&bc->bc_errors, 1);
	else if (br->br_op == PV_BLK_READ)
		count_add(&bc->bc_read_bytes, (unsigned long)br->br_len);
	else if (br->br_op == PV_BLK_WRITE)
		count_add(&bc->bc_written_bytes, (unsigned long)br->br_len);
	return br;
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
		count_add(&bq->bq_counters.bc_silent, 1);
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
		count_add(&bq->bq_counters.bc_short, 1);
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
pv_blk_oldest_ns(struct pv_blk *sc, unsigned int queue)
{
	struct pv_blk_queue *bq = blk_queue(sc, queue);
	uint64_t now = pv_kern_uptime_ns(), age, oldest = 0;
	unsigned int i;

	if (!sc->sc_running || bq == NULL)
		return 0;
	(void)pv_virtq_stalled_ns(bq->bq_vq);
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

/* After a stop */

/* One that the device had last, of which it has nothing any more. */
static struct pv_blk_request *
drain_parts(struct pv_blk_queue *bq)
{
	struct pv_blk_request *br;
	struct blk_part *part;

	while ((part = pv_virtq_drain(bq->bq_vq)) != NULL) {
		br = part_end(bq, part, EIO);
		if (pv_virtq_lost(bq->bq_vq)) {
			br->br_state |= BR_LOST;
			bq->bq_lost = 1;
		}
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
