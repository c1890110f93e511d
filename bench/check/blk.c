/* SPDX-License-Identifier: ISC */
#include "scene.h"

#define NREQ	24
#define MAXLEN	8192u
#define GAP	16u

/* A request, with a buffer of its own, in pieces. */
struct io {
	struct pv_blk_request io_br;
	struct pv_piece io_pieces[3];
	uint8_t io_data[MAXLEN];	/* a copy of the whole */
	struct port_buf *io_pb;
	unsigned int io_queue;
	int io_out;			/* with driver or device */
};

static struct pv_blk blk;
static struct io ios[NREQ];

static const struct pv_blk_callbacks callbacks = {
	scene_note_queue, scene_note_changed, scene_note_broken
};

static uint32_t
random_below(struct scene *sc, uint32_t n)
{
	return vdev_random(&sc->sc_vd, n);
}

/* Requests */

/* Between the pieces and the copy. */
static void
scatter(struct io *io)
{
	uint8_t *from = io->io_data;
	unsigned int i;

	for (i = 0; i < io->io_br.br_npieces; i++) {
		memcpy(io->io_pb->pb_va + io->io_pieces[i].pc_off, from,
		    (size_t)io->io_pieces[i].pc_len);
		from += io->io_pieces[i].pc_len;
	}
}

static uint8_t *
data(struct io *io)
{
	uint8_t *to = io->io_data;
	unsigned int i;

	for (i = 0; i < io->io_br.br_npieces; i++) {
		memcpy(to, io->io_pb->pb_va + io->io_pieces[i].pc_off,
		    (size_t)io->io_pieces[i].pc_len);
		to += io->io_pieces[i].pc_len;
	}
	return io->io_data;
}

/*
 * Of odd lengths, at odd places, neighbours or not; but one where that is all
 * it may be.
 */
static void
cut(struct scene *sc, struct io *io, uint32_t len)
{
	uint32_t most = pv_blk_info(&blk)->bi_maxsegs < 10 ? 1 : 3;
	uint32_t gap = random_below(sc, 2) * GAP, done = 0, n, i;

	for (i = 0; i < most && done < len; i++) {
		n = i == most - 1 ? len - done :
		    1 + random_below(sc, len - done);
		io->io_pieces[i] = (struct pv_piece){ io->io_pb->pb_map,
		    (most == 1 ? 0 : 1) + done + i * gap, n };
		done += n;
	}
	io->io_br.br_pieces = io->io_pieces;
	io->io_br.br_npieces = i;
}

static struct io *
prepare(struct scene *sc, unsigned int i, unsigned int op, uint64_t offset,
    uint64_t len)
{
	struct io *io = &ios[i];

	if (io->io_pb == NULL)
		io->io_pb = port_buf_new(MAXLEN + 3 * GAP);
	memset(&io->io_br, 0, sizeof(io->io_br));
	io->io_br.br_op = (uint8_t)op;
	io->io_br.br_offset = offset;
	io->io_br.br_len = len;
	io->io_br.br_cookie = io;
	io->io_queue = i % pv_blk_info(&blk)->bi_nqueues;
	if (op == PV_BLK_READ || op == PV_BLK_WRITE)
		cut(sc, io, (uint32_t)len);
	return io;
}

static int
submit(struct io *io)
{
	struct pv_blk_request *br = &io->io_br;
	unsigned int n;
	int error;

	error = pv_blk_submit(&blk, io->io_queue, &br, 1, &n);
	io->io_out = error == 0;
	return error;
}

/* What is done, of all queues. Returns how many were, or -1. */
static int
complete(struct scene *sc)
{
	struct pv_blk_request *br[4];
	unsigned int q, i, n, total = 0;
	struct io *io;

	for (q = 0; q < pv_blk_info(&blk)->bi_nqueues; q++) {
		fake_noticed(&sc->sc_st.st_fd, (int)q);
		do {
			if (pv_blk_complete(&blk, q, br, 4, &n))
				return -1;
			for (i = 0; i < n; i++) {
				io = br[i]->br_cookie;
				MUST(sc, io->io_out && io->io_queue == q);
				io->io_out = 0;
			}
			total += n;
		} while (n == 4 || pv_blk_intr(&blk, q, 1));
	}
	return (int)total;
}

static int
any_out(void)
{
	unsigned int i;

	for (i = 0; i < NREQ; i++)
		if (ios[i].io_out)
			return 1;
	return 0;
}

/* Until all are back. */
static int
await(struct scene *sc)
{
	unsigned int turn;

	for (turn = 0; any_out() && turn < 400; turn++) {
		scene_poll(sc);
		if (complete(sc) < 0)
			return EIO;
		scene_settle(sc);
	}
	return any_out() ? ETIMEDOUT : 0;
}

/* One, from beginning to end. */
static int
do_one(struct scene *sc, unsigned int op, uint64_t offset, uint64_t len)
{
	struct io *io = prepare(sc, 0, op, offset, len);
	int error = submit(io);

	if (error == 0)
		error = await(sc);
	return error ? error : io->io_br.br_error;
}

/* Traffic */

/*
 * A part of the disk for each request: no two overlap. With a block as long as
 * the part it is the block.
 */
static void
spot(struct scene *sc, unsigned int i, uint64_t *offset, uint64_t *len)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	uint64_t blocks = bi->bi_capacity / bi->bi_block / NREQ;
	uint64_t most = MAXLEN / bi->bi_block;

	if (most > blocks)
		most = blocks;
	*len = (1 + random_below(sc, (uint32_t)most)) * bi->bi_block;
	*offset = (i * blocks + random_below(sc, (uint32_t)(blocks - *len /
	    bi->bi_block + 1))) * bi->bi_block;
}

static void
fill(struct scene *sc, struct io *io)
{
	uint64_t i;

	for (i = 0; i < io->io_br.br_len; i++)
		io->io_data[i] = (uint8_t)random_below(sc, 256);
	scatter(io);
}

/* Reads, and writes unless it is read-only, many at once. */
static void
traffic(struct scene *sc, unsigned int rounds)
{
	unsigned int i, write = !pv_blk_info(&blk)->bi_readonly;
	uint64_t offset, len;
	struct io *io;

	while (rounds-- > 0) {
		for (i = 0; i < NREQ; i++) {
			spot(sc, i, &offset, &len);
			io = prepare(sc, i, write && random_below(sc, 2) ?
			    PV_BLK_WRITE : PV_BLK_READ, offset, len);
			if (io->io_br.br_op == PV_BLK_WRITE)
				fill(sc, io);
			WANT(sc, submit(io) == 0);
		}
		WANT(sc, await(sc) == 0);
		for (i = 0; i < NREQ; i++) {
			io = &ios[i];
			WANT(sc, io->io_br.br_error == 0);
			vdev_blk_got(&sc->sc_vd, io->io_br.br_offset / 512,
			    data(io), (uint32_t)(io->io_br.br_len / 512));
		}
	}
out:	;
}

static void
told(struct scene *sc)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);

	vdev_blk_told(&sc->sc_vd, bi->bi_capacity, bi->bi_readonly,
	    bi->bi_volatile);
}

/* Writes with a flush behind them, on each queue, in one go. */
static void
write_and_flush(struct scene *sc)
{
	const unsigned int nqueues = pv_blk_info(&blk)->bi_nqueues;
	struct pv_blk_request *list[NREQ];
	uint64_t offset, len;
	unsigned int q, i, n, done;

	for (q = 0; q < nqueues; q++) {
		for (i = q, n = 0; i + nqueues < NREQ; i += nqueues) {
			spot(sc, i, &offset, &len);
			list[n++] = &prepare(sc, i, PV_BLK_WRITE, offset,
			    len)->io_br;
			ios[i].io_out = 1;
		}
		list[n++] = &prepare(sc, i, PV_BLK_FLUSH, 0, 0)->io_br;
		ios[i].io_out = 1;
		WANT(sc, pv_blk_submit(&blk, q, list, n, &done) == 0);
	}
	WANT(sc, await(sc) == 0);
	for (i = 0; i < NREQ; i++)
		WANT(sc, ios[i].io_br.br_error == 0);
	vdev_blk_durable(&sc->sc_vd, 0, VDEV_BLK_SECTORS);
	return;
out:
	/* Nobody knows which of them it took. */
	pv_blk_stop(&blk);
	while (pv_blk_drain(&blk) != NULL)
		continue;
	for (i = 0; i < NREQ; i++)
		ios[i].io_out = 0;
}

/* What a flush said outlives a loss of power, and the rest is old or new. */
static void
power(struct scene *sc)
{
	static uint8_t before[VDEV_BLK_SECTORS * 512];
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	uint64_t k;
	unsigned int i;

	if (bi->bi_readonly)
		return;
	traffic(sc, 1);
	if (!scene_gone(sc))
		write_and_flush(sc);
	if (scene_gone(sc))
		return;
	memcpy(before, sc->sc_vd.vd_blk.vb_data, sizeof(before));
	traffic(sc, 1);
	WANT(sc, pv_blk_stop(&blk) == 0);
	MUST(sc, pv_blk_drain(&blk) == NULL);
	vdev_blk_lose(&sc->sc_vd);
	WANT(sc, pv_blk_start(&blk) == 0);
	for (i = 0; i < NREQ; i++)
		for (k = 0; k < ios[i].io_br.br_len; k += 512) {
			uint64_t at = ios[i].io_br.br_offset + k;
			const uint8_t *is = sc->sc_vd.vd_blk.vb_data + at;

			MUST(sc, memcmp(is, before + at, 512) == 0 ||
			    memcmp(is, data(&ios[i]) + k, 512) == 0);
		}
	traffic(sc, 1);
out:	;
}

static void
ranges(struct scene *sc)
{
	static const uint8_t zeroes[MAXLEN];
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	uint64_t len = bi->bi_capacity / bi->bi_block / 2 * bi->bi_block;
	unsigned int op;
	int error;

	if (bi->bi_readonly)
		return;
	for (op = PV_BLK_DISCARD; op <= PV_BLK_SECURE_ERASE; op++) {
		error = do_one(sc, op, bi->bi_block, len);
		WANT(sc, error == ((op == PV_BLK_DISCARD ? bi->bi_max_discard :
		    op == PV_BLK_WRITE_ZEROES ? bi->bi_max_zeroes :
		    bi->bi_max_erase) > 0 ? 0 : ENOTSUP));
		if (op == PV_BLK_WRITE_ZEROES && error == 0)
			vdev_blk_got(&sc->sc_vd, bi->bi_block / 512, zeroes,
			    bi->bi_block / 512);
	}
	sc->sc_vd.vd_blk.vb_fail_ranges = 1;
	if (bi->bi_max_discard > 0)
		WANT(sc, do_one(sc, PV_BLK_DISCARD, 0, len) == EIO);
	sc->sc_vd.vd_blk.vb_fail_ranges = 0;
out:	;
}

static void
errors(struct scene *sc)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	struct vdev_blk *vb = &sc->sc_vd.vd_blk;

	vb->vb_fail_sector = 10;
	WANT(sc, do_one(sc, PV_BLK_READ, 0, 8192) == EIO);
	vb->vb_fail_sector = UINT64_MAX;
	WANT(sc, do_one(sc, PV_BLK_READ, 0, 8192) == 0);
	WANT(sc, do_one(sc, PV_BLK_READ, bi->bi_capacity, bi->bi_block) ==
	    EINVAL);
	if (bi->bi_readonly)
		WANT(sc, do_one(sc, PV_BLK_WRITE, 0, bi->bi_block) == EROFS);
	if (bi->bi_can_flush) {
		vb->vb_fail_flush = 1;
		WANT(sc, do_one(sc, PV_BLK_FLUSH, 0, 0) == EIO);
		vb->vb_fail_flush = 0;
	}
out:	;
}

static void
names(struct scene *sc)
{
	struct pv_blk_lifetime life;
	struct io *io;

	io = prepare(sc, 0, PV_BLK_GETID, 0, 0);
	cut(sc, io, PV_BLK_IDLEN);
	memset(io->io_pb->pb_va, 0, io->io_pb->pb_len);
	WANT(sc, submit(io) == 0);
	WANT(sc, await(sc) == 0);
	WANT(sc, io->io_br.br_error == 0);
	WANT(sc, strcmp((char *)data(io), "paravane model") == 0);
	io = prepare(sc, 0, PV_BLK_GETLIFETIME, 0, 0);
	cut(sc, io, PV_BLK_LIFETIMELEN);
	if (!pv_blk_info(&blk)->bi_lifetime) {
		WANT(sc, submit(io) == ENOTSUP);
		return;
	}
	WANT(sc, submit(io) == 0);
	WANT(sc, await(sc) == 0);
	WANT(sc, io->io_br.br_error == 0);
	pv_blk_lifetime(data(io), &life);
	WANT(sc, life.bl_spare == 1 && life.bl_slc == 3 && life.bl_mlc == 4);
out:	;
}

static void
resized(struct scene *sc, uint64_t sectors)
{
	sc->sc_changed = 0;
	vdev_blk_resize(&sc->sc_vd, sectors);
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
	if (!sc->sc_polls)
		WANT(sc, sc->sc_changed > 0);
	WANT(sc, pv_blk_changed(&blk) == 1);
	told(sc);
	scene_settle(sc);
out:	;
}

static void
changes(struct scene *sc)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	uint64_t most = 1ull << 54;

	resized(sc, most);
	if (scene_gone(sc))
		return;
	WANT(sc, do_one(sc, PV_BLK_READ, most * 512 - bi->bi_block,
	    bi->bi_block) == 0);
	WANT(sc, do_one(sc, PV_BLK_READ, most * 256, bi->bi_block) == 0);
	resized(sc, 64);
	if (scene_gone(sc))
		return;
	WANT(sc, do_one(sc, PV_BLK_READ, 64 * 512, bi->bi_block) == EINVAL);
	WANT(sc, do_one(sc, PV_BLK_READ, 0, bi->bi_block) == 0);
	resized(sc, 0);
	if (scene_gone(sc))
		return;
	WANT(sc, do_one(sc, PV_BLK_READ, 0, bi->bi_block) == EINVAL);
	resized(sc, VDEV_BLK_SECTORS);
out:	;
}

static void
caches(struct scene *sc)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);

	if (!bi->bi_can_toggle) {
		WANT(sc, pv_blk_set_writeback(&blk, 0) == ENOTSUP);
		return;
	}
	WANT(sc, do_one(sc, PV_BLK_FLUSH, 0, 0) == 0);
	WANT(sc, pv_blk_set_writeback(&blk, 0) == 0);
	told(sc);
	traffic(sc, 1);
	if (scene_gone(sc))
		return;
	vdev_blk_durable(&sc->sc_vd, 0, VDEV_BLK_SECTORS);
	WANT(sc, pv_blk_set_writeback(&blk, 1) == 0);
	told(sc);
	traffic(sc, 1);
out:	;
}

/* Take all back; each was out, and comes once. */
static void
drain(struct scene *sc)
{
	struct pv_blk_request *br;
	struct io *io;

	while ((br = pv_blk_drain(&blk)) != NULL) {
		io = br->br_cookie;
		MUST(sc, io->io_out && br->br_error == EIO);
		MUST(sc, !pv_blk_lost(&blk, br) || scene_gone(sc));
		io->io_out = 0;
	}
	MUST(sc, !any_out());
}

/* Reads that the device keeps; the last for want of room in the queue. */
static int
keep(struct scene *sc)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	unsigned int i;
	int error = 0;

	sc->sc_vd.vd_hold = 1;
	for (i = 0; i < NREQ && error == 0; i++)
		error = submit(prepare(sc, i, PV_BLK_READ, 0, bi->bi_block));
	return error;
}

static void
reset_under_load(struct scene *sc, int asked)
{
	struct io *again = &ios[0];
	int error;

	WANT(sc, keep(sc) == 0);
	WANT(sc, complete(sc) == 0);
	WANT(sc, pv_blk_oldest_ns(&blk, 0) > 0);
	if (asked) {
		sc->sc_broken = 0;
		fake_needs_reset(&sc->sc_st.st_fd);
		if (!scene_reliable(sc))
			pv_virtio_poll(sc->sc_dev);
		WANT(sc, sc->sc_broken == 1);
		WANT(sc, complete(sc) == -1);
	}
	error = pv_blk_stop(&blk);
	sc->sc_vd.vd_hold = 0;
	WANT(sc, error == 0);
	drain(sc);
	WANT(sc, pv_blk_start(&blk) == 0);
	/* The same requests, as they are. */
	again->io_queue = 0;
	WANT(sc, submit(again) == 0);
	WANT(sc, await(sc) == 0);
	WANT(sc, again->io_br.br_error == 0);
	traffic(sc, 1);
out:	;
}

static void
life(struct scene *sc)
{
	void (*const acts[])(struct scene *) = {
		told, names, errors, ranges, power, caches, changes,
	};
	unsigned int i;

	traffic(sc, 3);
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!scene_gone(sc))
			acts[i](sc);
	if (!scene_gone(sc))
		reset_under_load(sc, 0);
	if (!scene_gone(sc) && vdev_has(&sc->sc_vd, Q_NEEDS_RESET))
		reset_under_load(sc, 1);
	if (!scene_gone(sc))
		keep(sc);
}

void
scene_blk(struct scene *sc)
{
	const struct pv_blk_params params = {
		.bp_nqueues = 1 + (unsigned int)sc->sc_run->rn_seed % 3,
		.bp_size = 8u << sc->sc_run->rn_seed % 4,
	};
	unsigned int i;
	int error;

	memset(&blk, 0, sizeof(blk));
	memset(ios, 0, sizeof(ios));
	error = pv_blk_attach(&blk, sc->sc_dev, &callbacks, sc, &params);
	if (error) {
		scene_attach_failed(sc, error);
		return;
	}
	life(sc);
	error = pv_blk_stop(&blk);
	MUST(sc, error == 0 || scene_gone(sc));
	drain(sc);
	error = pv_blk_detach(&blk);
	MUST(sc, error == 0 || scene_gone(sc));
	for (i = 0; i < NREQ; i++)
		if (scene_gone(sc))
			port_buf_lose(ios[i].io_pb);
		else
			port_buf_free(ios[i].io_pb);
}
