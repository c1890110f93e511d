/* SPDX-License-Identifier: ISC */
/*
 * lib/device/blk.c against a disk that does what a test says.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/blk.h>

#include "attach_fails.h"
#include "port.h"
#include "rig.h"
#include "wire.h"

#define BIT(n)		PV_F_BIT(PV_BLK_F_##n)
#define SECTORS		4096u
#define DISK		(SECTORS * 512u)
#define NHELD		64

#define T_IN		0u
#define T_OUT		1u
#define T_FLUSH		4u
#define T_GET_ID	8u
#define T_LIFETIME	10u
#define T_DISCARD	11u
#define T_ZEROES	13u
#define T_ERASE		14u

static struct rig rig;
static struct pv_blk blk;
static unsigned int ndone, nchanged, nbroken, lastqueue;

/* The disk, and how it answers. */
static uint8_t image[DISK];
static uint32_t size_max, seg_max, range_max;
static int hold;			/* keeps what it takes */
static int silent;			/* writes no status */
static int status_of_all;		/* >= 0: this one, and nothing done */
static int64_t fail_sector;		/* of a read or write */
static int length_of_all;		/* -1: right; -2: a part short of it */

static struct held {
	struct rig_chain rc;
	unsigned int queue;
} held[NHELD];
static unsigned int nheld;

/* What it was asked for. */
static struct {
	uint32_t type, len, flags, segs;
	uint64_t sector;
} seen[8192];
static unsigned int nseen;

static void
note_done(void *arg, unsigned int queue)
{
	(void)arg;
	ndone++;
	lastqueue = queue;
}

static void
note_changed(void *arg)
{
	(void)arg;
	nchanged++;
}

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	assert_non_null(why);
	nbroken++;
}

static const struct pv_blk_callbacks callbacks = {
	note_done, note_changed, note_broken
};

static struct pv_blk_counters
counters(void)
{
	struct pv_blk_counters bc;

	assert_int_equal(pv_blk_counters(&blk, 0, &bc), 0);
	return bc;
}

/* -1: there is no such queue. */
static long
ring_clamped(unsigned int q)
{
	struct pv_virtq_counters qc = { .qc_clamped = 99 };
	int error = pv_blk_ring_counters(&blk, q, &qc);

	if (error == 0)
		return (long)qc.qc_clamped;
	assert_int_equal(error, EINVAL);
	assert_int_equal(qc.qc_clamped, 0);
	return -1;
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static uint64_t
get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* Read or write; the chain keeps to the limits that the disk has told. */
static uint8_t
serve_data(const struct rig_chain *rc, uint32_t type, uint64_t sector,
    uint32_t len)
{
	uint32_t segs = rc->rc_nsegs - 2, i;

	assert_true(len > 0 && len % 512 == 0);
	assert_true(sector < SECTORS && len <= DISK - sector * 512);
	assert_true(segs <= seg_max);
	for (i = 1; i <= segs; i++)
		assert_true(rc->rc_segs[i].len <= size_max);
	if (fail_sector >= 0 && sector <= (uint64_t)fail_sector &&
	    (uint64_t)fail_sector < sector + len / 512)
		return 1;
	if (type == T_IN)
		rig_write(rc, 0, image + sector * 512, len);
	else
		rig_read(rc, 16, image + sector * 512, len);
	return 0;
}

static void
serve_range(const struct rig_chain *rc, uint32_t type, uint32_t *flags)
{
	uint8_t range[16];
	uint64_t sector;
	uint32_t n;

	assert_int_equal(rc->rc_outlen, 32);
	rig_read(rc, 16, range, 16);
	sector = get64(range);
	n = get32(range + 8);
	*flags = get32(range + 12);
	assert_true(n > 0 && n <= range_max);
	assert_true(sector < SECTORS && n <= SECTORS - sector);
	memset(image + sector * 512, type == T_ZEROES ? 0 : 0xdc, n * 512);
	seen[nseen].sector = sector;
	seen[nseen].len = n * 512;
}

static uint8_t
serve_one(const struct rig_chain *rc, const uint8_t *hdr)
{
	uint32_t type = get32(hdr);

	switch (type) {
	case T_IN:
		seen[nseen].len = rc->rc_inlen - 1;
		break;
	case T_OUT:
		seen[nseen].len = rc->rc_outlen - 16;
		break;
	default:
		assert_int_equal(get64(hdr + 8), 0);
		break;
	}
	if (status_of_all >= 0)
		return (uint8_t)status_of_all;
	switch (type) {
	case T_IN:
	case T_OUT:
		return serve_data(rc, type, seen[nseen].sector,
		    seen[nseen].len);
	case T_FLUSH:
		assert_int_equal(rc->rc_nsegs, 2);
		return 0;
	case T_DISCARD:
	case T_ZEROES:
	case T_ERASE:
		serve_range(rc, type, &seen[nseen].flags);
		return 0;
	case T_GET_ID:
		assert_int_equal(rc->rc_inlen, 21);
		rig_write(rc, 0, "a disk of this test", 20);
		return 0;
	case T_LIFETIME:
		assert_int_equal(rc->rc_inlen, 7);
		rig_write(rc, 0, "\2\0\5\0\14\0", 6);
		return 0;
	default:
		return 2;
	}
}

static void
serve(const struct rig_chain *rc, unsigned int queue)
{
	uint8_t hdr[16], status;
	uint32_t len = rc->rc_inlen;

	assert_true(rc->rc_nsegs >= 2 && rc->rc_inlen >= 1);
	assert_int_equal(rc->rc_segs[0].len, 16);
	assert_int_equal(rc->rc_segs[rc->rc_nsegs - 1].len, 1);
	rig_read(rc, 0, hdr, 16);
	assert_int_equal(get32(hdr + 4), 0);
	assert_true(nseen < sizeof(seen) / sizeof(seen[0]));
	memset(&seen[nseen], 0, sizeof(seen[0]));
	seen[nseen].type = get32(hdr);
	seen[nseen].sector = get64(hdr + 8);
	seen[nseen].segs = rc->rc_nsegs;
	status = serve_one(rc, hdr);
	nseen++;
	if (!silent)
		rig_write(rc, len - 1, &status, 1);
	if (length_of_all == -2)
		len--;
	else if (length_of_all >= 0)
		len = (uint32_t)length_of_all;
	rig_give(&rig, queue, rc->rc_head, len);
}

static void
notified(struct rig *rg, unsigned int queue)
{
	static struct rig_chain rc;

	while (rig_take(rg, queue, &rc)) {
		if (!hold) {
			serve(&rc, queue);
			continue;
		}
		assert_true(nheld < NHELD);
		held[nheld].rc = rc;
		held[nheld++].queue = queue;
	}
	rig_interrupt(rg, PV_INTR_QUEUE);
}

/* Serve one that is held; the others move up. */
static void
serve_held(unsigned int i)
{
	assert_true(i < nheld);
	serve(&held[i].rc, held[i].queue);
	memmove(held + i, held + i + 1, (--nheld - i) * sizeof(held[0]));
}

static void
put64(unsigned int off, uint64_t v)
{
	rig_put32(&rig, off, (uint32_t)v);
	rig_put32(&rig, off + 4, (uint32_t)(v >> 32));
}

static int
setup(void **state)
{
	unsigned int i;

	(void)state;
	port_reset();
	rig_new(&rig, PV_TYPE_BLK);
	rig.rg_notify = notified;
	rig.rg_offered |= BIT(FLUSH) | BIT(SEG_MAX) |
	    PV_F_BIT(PV_F_INDIRECT_DESC) | PV_F_BIT(PV_F_EVENT_IDX);
	put64(0, SECTORS);
	seg_max = 32;
	rig_put32(&rig, 12, seg_max);
	size_max = UINT32_MAX;
	range_max = UINT32_MAX;
	for (i = 0; i < DISK; i++)
		image[i] = (uint8_t)(i / 512 * 31 + i);
	ndone = nchanged = nbroken = 0;
	nseen = nheld = 0;
	hold = silent = 0;
	status_of_all = length_of_all = -1;
	fail_sector = -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return port_check();
}

static void
offer_size_max(uint32_t n)
{
	rig.rg_offered |= BIT(SIZE_MAX);
	rig_put32(&rig, 8, n);
	size_max = n;
}

static void
offer_seg_max(uint32_t n)
{
	rig_put32(&rig, 12, n);
	seg_max = n;
}

static void
offer_block(uint32_t n)
{
	rig.rg_offered |= BIT(BLK_SIZE);
	rig_put32(&rig, 20, n);
}

/* Discard, write zeroes and secure erase of up to n sectors. */
static void
offer_ranges(uint32_t n, uint32_t align)
{
	rig.rg_configlen = 72;
	rig.rg_offered |= BIT(DISCARD) | BIT(WRITE_ZEROES) | BIT(SECURE_ERASE);
	rig_put32(&rig, 36, n);
	rig_put32(&rig, 40, 1);
	rig_put32(&rig, 44, align);
	rig_put32(&rig, 48, n);
	rig_put32(&rig, 52, 1);
	rig.rg_config[56] = 1;
	rig_put32(&rig, 60, n);
	rig_put32(&rig, 64, 1);
	rig_put32(&rig, 68, align);
	range_max = n;
}

static void
offer_queues(unsigned int n)
{
	rig.rg_offered |= BIT(MQ);
	rig_put16(&rig, 34, (uint16_t)n);
}

static int
attach_with(const struct pv_blk_params *params)
{
	return pv_blk_attach(&blk, rig_init(&rig), &callbacks, NULL, params);
}

static int
attach(void)
{
	return attach_with(NULL);
}

static unsigned int
drain(void)
{
	unsigned int n = 0;

	while (pv_blk_drain(&blk) != NULL)
		n++;
	return n;
}

static void
detach(void)
{
	pv_blk_stop(&blk);
	drain();
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static int
submit(struct pv_blk_request *br)
{
	unsigned int n = 99;
	int error;

	error = pv_blk_submit(&blk, 0, &br, 1, &n);
	assert_int_equal(n, error == 0);
	return error;
}

/* One that is done, or NULL. */
static struct pv_blk_request *
complete(void)
{
	struct pv_blk_request *br;
	unsigned int n;

	assert_int_equal(pv_blk_complete(&blk, 0, &br, 1, &n), 0);
	return n == 1 ? br : NULL;
}

/* A request with one buffer of its own. */
struct io {
	struct pv_blk_request br;
	struct pv_piece piece;
	struct port_buf *pb;
};

static struct pv_blk_request *
io_new(struct io *io, unsigned int op, uint64_t sector, uint32_t len)
{
	memset(io, 0, sizeof(*io));
	io->br.br_op = (uint8_t)op;
	io->br.br_offset = sector * 512;
	io->br.br_len = len;
	if (op == PV_BLK_READ || op == PV_BLK_WRITE || op == PV_BLK_GETID ||
	    op == PV_BLK_GETLIFETIME) {
		io->pb = port_buf_new(len);
		io->piece.pc_map = io->pb->pb_map;
		io->piece.pc_len = len;
		io->br.br_pieces = &io->piece;
		io->br.br_npieces = 1;
	}
	return &io->br;
}

static void
io_free(struct io *io)
{
	if (rig.rg_stuck)
		port_buf_lose(io->pb);
	else
		port_buf_free(io->pb);
}

/* The whole way of one request, however many parts and turns it takes. */
static int
io_do(struct io *io)
{
	struct pv_blk_request *br = NULL;
	int error = submit(&io->br), turn;

	if (error)
		return -error;
	for (turn = 0; br == NULL && turn < 1000; turn++)
		br = complete();
	assert_ptr_equal(br, &io->br);
	return br->br_error;
}

static int
do_op(unsigned int op, uint64_t sector, uint32_t len)
{
	struct io io;
	int error;

	io_new(&io, op, sector, len);
	error = io_do(&io);
	io_free(&io);
	return error;
}

/* Data */

static void
read_and_write_reach_the_disk(void **state)
{
	struct io io;

	(void)state;
	port.po_shadow = 1;
	assert_int_equal(attach(), 0);
	io_new(&io, PV_BLK_READ, 3, 4096);
	assert_int_equal(io_do(&io), 0);
	assert_memory_equal(io.pb->pb_va, image + 3 * 512, 4096);
	memset(io.pb->pb_va, 0x77, 4096);
	io.br.br_op = PV_BLK_WRITE;
	io.br.br_offset = 100 * 512;
	assert_int_equal(io_do(&io), 0);
	assert_int_equal(image[100 * 512 - 1] == 0x77, 0);
	assert_int_equal(image[100 * 512], 0x77);
	assert_int_equal(image[108 * 512 - 1], 0x77);
	assert_int_equal(counters().bc_read_bytes, 4096);
	assert_int_equal(counters().bc_written_bytes, 4096);
	assert_int_equal(counters().bc_short, 0);
	assert_null(complete());
	io_free(&io);
	detach();
}

/* Pieces of odd lengths, from the middle of maps in odd segments. */
static void
scattered_data_arrive_in_order(void **state)
{
	static const struct { uint32_t off, len; } at[] = {
		{ 7, 1000 }, { 2000, 1 }, { 0, 95 }, { 512, 2048 },
		{ 3, 952 },
	};
	struct port_buf *pb[5];
	struct pv_piece pieces[5];
	struct pv_blk_request br;
	uint32_t i, done = 0;
	int size;

	(void)state;
	port.po_shadow = 1;
	offer_size_max(600);
	for (size = 1; size <= 2; size++) {
		assert_int_equal(attach(), 0);
		port.po_segsize = size == 1 ? 700 : 0;
		memset(&br, 0, sizeof(br));
		br.br_op = PV_BLK_READ;
		br.br_len = 4096;
		br.br_pieces = pieces;
		br.br_npieces = 5;
		for (i = 0; i < 5; i++) {
			pb[i] = port_buf_new(4096);
			pieces[i] = (struct pv_piece){ pb[i]->pb_map,
			    at[i].off, at[i].len };
		}
		assert_int_equal(submit(&br), 0);
		assert_ptr_equal(complete(), &br);
		assert_int_equal(br.br_error, 0);
		for (i = done = 0; i < 5; i++) {
			assert_memory_equal(pb[i]->pb_va + at[i].off,
			    image + done, at[i].len);
			done += at[i].len;
			port_buf_free(pb[i]);
		}
		detach();
		port.po_segsize = 0;
	}
}

/* Blocks of a cache, say: one descriptor where they are neighbours. */
static void
neighbours_are_one_segment(void **state)
{
	struct pv_blk_request br = { .br_op = PV_BLK_READ, .br_len = 3072 };
	struct pv_piece pieces[6];
	struct port_buf *pb, *other;
	unsigned int i;

	(void)state;
	assert_int_equal(attach(), 0);
	pb = port_buf_new(8192);
	for (i = 0; i < 6; i++)
		pieces[i] = (struct pv_piece){ pb->pb_map,
		    (i < 4 ? 0 : 4096) + i * 512, 512 };
	br.br_pieces = pieces;
	br.br_npieces = 6;
	assert_int_equal(submit(&br), 0);
	assert_ptr_equal(complete(), &br);
	assert_memory_equal(pb->pb_va, image, 2048);
	assert_memory_equal(pb->pb_va + 6144, image + 2048, 1024);
	assert_int_equal(seen[0].segs, 4);
	/* Neighbours by their offsets, but in other maps. */
	other = port_buf_new(8192);
	pieces[1].pc_map = other->pb_map;
	assert_int_equal(submit(&br), 0);
	assert_ptr_equal(complete(), &br);
	assert_memory_equal(other->pb_va + 512, image + 512, 512);
	assert_int_equal(seen[1].segs, 6);
	port_buf_free(other);
	port_buf_free(pb);
	detach();
}

static void
segments_above_the_limit_go_in_parts(void **state)
{
	struct io io;

	(void)state;
	offer_seg_max(3);
	assert_int_equal(attach(), 0);
	port.po_segsize = 512;
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 3);
	io_new(&io, PV_BLK_READ, 0, 5120);
	assert_int_equal(io_do(&io), 0);
	assert_memory_equal(io.pb->pb_va, image, 5120);
	assert_int_equal(nseen, 4);
	assert_int_equal(seen[3].len, 512);
	assert_int_equal(rig.rg_queues[0].rq_notified, 1);
	io_free(&io);
	detach();
}

static void
without_a_limit_of_segments_it_is_one(void **state)
{
	struct io io;

	(void)state;
	rig.rg_offered &= ~BIT(SEG_MAX);
	seg_max = 1;
	assert_int_equal(attach(), 0);
	port.po_segsize = 1024;
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 1);
	io_new(&io, PV_BLK_WRITE, 0, 4096);
	assert_int_equal(io_do(&io), 0);
	assert_int_equal(nseen, 4);
	io_free(&io);
	detach();
}

static void
long_segments_are_cut(void **state)
{
	struct io io;

	(void)state;
	offer_size_max(1000);
	offer_seg_max(2);
	assert_int_equal(attach(), 0);
	io_new(&io, PV_BLK_READ, 8, 8192);
	assert_int_equal(io_do(&io), 0);
	assert_memory_equal(io.pb->pb_va, image + 8 * 512, 8192);
	/* Two segments hold 2000 bytes: three sectors. */
	assert_int_equal(seen[0].len, 1536);
	assert_int_equal(nseen, 6);
	io_free(&io);
	detach();
}

static void
a_block_in_too_many_segments_is_refused(void **state)
{
	struct io io;

	(void)state;
	offer_seg_max(4);
	assert_int_equal(attach(), 0);
	port.po_segsize = 100;
	io_new(&io, PV_BLK_WRITE, 0, 512);
	assert_int_equal(io_do(&io), EFBIG);
	assert_int_equal(nseen, 0);
	assert_int_equal(ndone, 1);
	assert_int_equal(pv_blk_outstanding(&blk, 0), 0);
	io_free(&io);
	detach();
}

static void
a_request_of_more_parts_than_the_queue_has(void **state)
{
	const struct pv_blk_params params = { .bp_size = 4 };
	struct io io;
	unsigned int i;

	(void)state;
	offer_size_max(512);
	offer_seg_max(1);
	hold = 1;
	assert_int_equal(attach_with(&params), 0);
	io_new(&io, PV_BLK_READ, 0, 512 * 64);
	assert_int_equal(submit(&io.br), 0);
	for (i = 0; i < 64; i++) {
		assert_true(nheld > 0 && nheld <= 4);
		assert_null(complete());
		serve_held(nheld - 1);
	}
	assert_ptr_equal(complete(), &io.br);
	assert_int_equal(io.br.br_error, 0);
	assert_memory_equal(io.pb->pb_va, image, 512 * 64);
	io_free(&io);
	detach();
}

static void
without_indirect_descriptors_too(void **state)
{
	struct io io[24];
	unsigned int i, n;

	(void)state;
	rig.rg_offered &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
	rig.rg_queues[0].rq_max = 16;
	assert_int_equal(attach(), 0);
	port.po_segsize = 512;
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 14);
	for (i = 0; i < 24; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_READ, i * 20,
		    512 * (1 + i % 18))), 0);
	for (i = n = 0; i < 100 && n < 24; i++)
		n += complete() != NULL;
	assert_int_equal(n, 24);
	for (i = 0; i < 24; i++) {
		assert_int_equal(io[i].br.br_error, 0);
		assert_memory_equal(io[i].pb->pb_va, image + i * 20 * 512,
		    io[i].pb->pb_len);
		io_free(&io[i]);
	}
	detach();
}

static void
a_queue_too_short_for_data_is_refused(void **state)
{
	(void)state;
	rig.rg_queues[0].rq_max = 2;
	assert_int_equal(attach(), ENOTSUP);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
	rig.rg_queues[0].rq_max = 4;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 2);
	assert_int_equal(do_op(PV_BLK_READ, 0, 8192), 0);
	detach();
}

static void
requests_end_in_any_order(void **state)
{
	static const unsigned int order[] = { 3, 0, 3, 1, 1, 0, 1, 0 };
	struct io io[8];
	struct pv_blk_request *br;
	unsigned int i;

	(void)state;
	hold = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_READ, i, 512)),
		    0);
	for (i = 0; i < 8; i++) {
		serve_held(order[i]);
		br = complete();
		assert_non_null(br);
		assert_null(complete());
		br->br_cookie = br;
	}
	for (i = 0; i < 8; i++) {
		assert_ptr_equal(io[i].br.br_cookie, &io[i].br);
		assert_memory_equal(io[i].pb->pb_va, image + i * 512, 512);
		io_free(&io[i]);
	}
	detach();
}

static void
blocks_are_the_unit(void **state)
{
	(void)state;
	offer_block(4096);
	put64(0, SECTORS - 1);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_block, 4096);
	assert_int_equal(pv_blk_info(&blk)->bi_capacity, DISK - 4096);
	assert_int_equal(do_op(PV_BLK_READ, 8, 4096), 0);
	assert_int_equal(do_op(PV_BLK_READ, 1, 4096), -EINVAL);
	assert_int_equal(do_op(PV_BLK_READ, 8, 512), -EINVAL);
	assert_int_equal(do_op(PV_BLK_READ, SECTORS - 8, 4096), -EINVAL);
	detach();
}

/* Segments of half a block: an odd number of them is not sent. */
static void
parts_end_at_blocks(void **state)
{
	struct io io;
	unsigned int i;

	(void)state;
	offer_block(4096);
	offer_seg_max(5);
	assert_int_equal(attach(), 0);
	port.po_segsize = 2048;
	io_new(&io, PV_BLK_WRITE, 0, 40960);
	assert_int_equal(io_do(&io), 0);
	for (i = 0; i < nseen; i++)
		assert_int_equal(seen[i].len, 8192);
	assert_int_equal(nseen, 5);
	io_free(&io);
	detach();
}

static void
submit_judges_the_operation(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(do_op(PV_BLK_READ, SECTORS, 512), -EINVAL);
	assert_int_equal(do_op(PV_BLK_READ, SECTORS - 1, 1024), -EINVAL);
	assert_int_equal(do_op(PV_BLK_READ, SECTORS - 1, 512), 0);
	assert_int_equal(do_op(PV_BLK_READ, UINT64_MAX / 512, 512), -EINVAL);
	assert_int_equal(do_op(PV_BLK_READ, 0, 100), -EINVAL);
	assert_int_equal(do_op(PV_BLK_DISCARD, 0, 512), -ENOTSUP);
	assert_int_equal(do_op(PV_BLK_WRITE_ZEROES, 0, 512), -ENOTSUP);
	assert_int_equal(do_op(PV_BLK_SECURE_ERASE, 0, 512), -ENOTSUP);
	assert_int_equal(do_op(PV_BLK_GETLIFETIME, 0, 6), -ENOTSUP);
	assert_int_equal(do_op(200, 0, 512), -EINVAL);
	assert_int_equal(do_op(PV_BLK_GETLIFETIME + 1, 0, 512), -EINVAL);
	assert_int_equal(nseen, 1);
	detach();
}

static void
submit_judges_the_pieces(void **state)
{
	struct pv_blk_request *list[2];
	struct pv_piece pieces[3];
	struct io io;
	unsigned int n;

	(void)state;
	assert_int_equal(attach(), 0);
	io_new(&io, PV_BLK_READ, 0, 1024);
	io.br.br_len = 0;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_len = 512;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_len = 1536;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_len = 1024;
	io.piece.pc_off = 1;
	assert_int_equal(submit(&io.br), EINVAL);
	io.piece.pc_off = UINT64_MAX - 511;
	assert_int_equal(submit(&io.br), EINVAL);
	io.piece.pc_off = 0;
	pieces[0] = pieces[2] = (struct pv_piece){ io.pb->pb_map, 0, 512 };
	pieces[1] = (struct pv_piece){ io.pb->pb_map, 0, 0 };
	io.br.br_pieces = pieces;
	io.br.br_npieces = 3;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_pieces = &io.piece;
	io.br.br_npieces = 1;
	io.br.br_offset = 256;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_offset = 0;
	io.br.br_flags = PV_BLK_UNMAP;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_flags = 0;
	list[0] = list[1] = &io.br;
	assert_int_equal(pv_blk_submit(&blk, 1, list, 1, &n), EINVAL);
	assert_int_equal(pv_blk_submit(&blk, 0, list, 2, &n), EINVAL);
	assert_int_equal(n, 1);
	assert_int_equal(nseen, 1);
	assert_ptr_equal(complete(), &io.br);
	assert_null(complete());
	io_free(&io);
	detach();
}

static void
a_batch_rings_once(void **state)
{
	struct pv_blk_request *list[16];
	struct io io[16];
	unsigned int i, n;

	(void)state;
	hold = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 16; i++)
		list[i] = io_new(&io[i], i & 1 ? PV_BLK_READ : PV_BLK_WRITE,
		    i * 8, 4096);
	assert_int_equal(pv_blk_submit(&blk, 0, list, 16, &n), 0);
	assert_int_equal(n, 16);
	assert_int_equal(rig.rg_queues[0].rq_notified, 1);
	hold = 0;
	while (nheld > 0)
		serve_held(0);
	assert_int_equal(pv_blk_complete(&blk, 0, list, 10, &n), 0);
	assert_int_equal(n, 10);
	assert_int_equal(pv_blk_complete(&blk, 0, list, 16, &n), 0);
	assert_int_equal(n, 6);
	for (i = 0; i < 16; i++)
		io_free(&io[i]);
	detach();
}

static void
what_has_no_room_waits_in_order(void **state)
{
	const struct pv_blk_params params = { .bp_size = 8 };
	struct io io[40];
	unsigned int i;

	(void)state;
	hold = 1;
	assert_int_equal(attach_with(&params), 0);
	for (i = 0; i < 40; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_READ, i, 512)),
		    0);
	assert_int_equal(pv_blk_outstanding(&blk, 0), 40);
	assert_int_equal(nheld, 8);
	assert_null(pv_blk_drain(&blk));
	for (i = 0; i < 40; i++) {
		serve_held(0);
		assert_int_equal(seen[i].sector, i);
		assert_ptr_equal(complete(), &io[i].br);
	}
	for (i = 0; i < 40; i++)
		io_free(&io[i]);
	assert_int_equal(pv_blk_outstanding(&blk, 0), 0);
	detach();
}

/* Order */

static void
flush_waits_for_the_writes_before_it(void **state)
{
	struct io io[5];

	(void)state;
	hold = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(io_new(&io[0], PV_BLK_WRITE, 0, 512)), 0);
	assert_int_equal(submit(io_new(&io[1], PV_BLK_READ, 9, 512)), 0);
	assert_int_equal(submit(io_new(&io[2], PV_BLK_WRITE, 1, 512)), 0);
	assert_int_equal(submit(io_new(&io[3], PV_BLK_FLUSH, 0, 0)), 0);
	assert_int_equal(submit(io_new(&io[4], PV_BLK_WRITE, 2, 512)), 0);
	assert_int_equal(nheld, 3);
	serve_held(0);
	assert_ptr_equal(complete(), &io[0].br);
	assert_int_equal(nheld, 2);
	serve_held(1);
	assert_ptr_equal(complete(), &io[2].br);
	assert_null(complete());
	/* It does not wait for the read; and the next write not for it. */
	assert_int_equal(nheld, 3);
	serve_held(1);
	assert_int_equal(seen[2].type, T_FLUSH);
	assert_ptr_equal(complete(), &io[3].br);
	assert_int_equal(io[3].br.br_error, 0);
	assert_int_equal(counters().bc_flushes, 1);
	serve_held(0);
	serve_held(0);
	assert_non_null(complete());
	assert_non_null(complete());
	io_free(&io[0]);
	io_free(&io[1]);
	io_free(&io[2]);
	io_free(&io[4]);
	detach();
}

static void
flush_waits_for_discards_too(void **state)
{
	struct io io[2];

	(void)state;
	offer_ranges(64, 1);
	hold = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(io_new(&io[0], PV_BLK_WRITE_ZEROES, 0, 512)),
	    0);
	assert_int_equal(submit(io_new(&io[1], PV_BLK_FLUSH, 0, 0)), 0);
	assert_int_equal(nheld, 1);
	serve_held(0);
	assert_ptr_equal(complete(), &io[0].br);
	assert_null(complete());
	assert_int_equal(nheld, 1);
	serve_held(0);
	assert_ptr_equal(complete(), &io[1].br);
	detach();
}

static void
flush_that_fails_says_so(void **state)
{
	(void)state;
	status_of_all = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(do_op(PV_BLK_FLUSH, 0, 0), EIO);
	detach();
}

/* Completed is stable then; but its owner has to hear of it. */
static void
flush_without_the_feature_needs_no_device(void **state)
{
	struct io io[2];

	(void)state;
	rig.rg_offered &= ~BIT(FLUSH);
	hold = 1;
	assert_int_equal(attach(), 0);
	assert_false(pv_blk_info(&blk)->bi_volatile);
	assert_false(pv_blk_info(&blk)->bi_can_flush);
	assert_int_equal(submit(io_new(&io[0], PV_BLK_WRITE, 0, 512)), 0);
	assert_int_equal(submit(io_new(&io[1], PV_BLK_FLUSH, 0, 0)), 0);
	assert_null(complete());
	serve_held(0);
	assert_ptr_equal(complete(), &io[0].br);
	assert_ptr_equal(complete(), &io[1].br);
	ndone = 0;
	assert_int_equal(submit(&io[1].br), 0);
	assert_int_equal(ndone, 1);
	assert_true(pv_blk_intr(&blk, 0, 1));
	assert_ptr_equal(complete(), &io[1].br);
	assert_int_equal(nseen, 1);
	io_free(&io[0]);
	detach();
}

/* Ranges */

static void
ranges_go_in_parts_that_end_aligned(void **state)
{
	(void)state;
	offer_ranges(100, 16);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_max_discard, 51200);
	assert_int_equal(pv_blk_info(&blk)->bi_discard_align, 8192);
	assert_int_equal(do_op(PV_BLK_DISCARD, 5, 250 * 512), 0);
	assert_int_equal(nseen, 3);
	assert_int_equal(seen[0].sector, 5);
	assert_int_equal(seen[0].len, 91 * 512);
	assert_int_equal(seen[1].sector, 96);
	assert_int_equal(seen[1].len, 96 * 512);
	assert_int_equal(seen[2].sector, 192);
	assert_int_equal(seen[2].len, 63 * 512);
	assert_int_equal(image[4 * 512] == 0xdc, 0);
	assert_int_equal(image[255 * 512 - 1], 0xdc);
	assert_int_equal(image[255 * 512 + 1] == 0xdc, 0);
	/* What goes in one part does, wherever it begins. */
	assert_int_equal(do_op(PV_BLK_DISCARD, 5, 100 * 512), 0);
	assert_int_equal(nseen, 4);
	assert_int_equal(do_op(PV_BLK_DISCARD, 5, 0), -EINVAL);
	detach();
}

static void
an_alignment_above_the_longest_range_ends(void **state)
{
	(void)state;
	offer_ranges(10, 1000);
	assert_int_equal(attach(), 0);
	assert_int_equal(do_op(PV_BLK_DISCARD, 3, 2000 * 512), 0);
	assert_int_equal(do_op(PV_BLK_SECURE_ERASE, 3, 2000 * 512), 0);
	assert_true(nseen >= 400 && nseen <= 410);
	detach();
}

static void
zeroes_are_written(void **state)
{
	struct io io;

	(void)state;
	offer_ranges(64, 1);
	assert_int_equal(attach(), 0);
	assert_true(pv_blk_info(&blk)->bi_may_unmap);
	io_new(&io, PV_BLK_WRITE_ZEROES, 10, 100 * 512);
	assert_int_equal(io_do(&io), 0);
	assert_int_equal(seen[0].flags, 0);
	io.br.br_flags = PV_BLK_UNMAP;
	assert_int_equal(io_do(&io), 0);
	assert_int_equal(seen[2].flags, 1);
	assert_int_equal(image[10 * 512], 0);
	assert_int_equal(image[110 * 512 - 1], 0);
	io.br.br_flags = 3;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_flags = PV_BLK_UNMAP;
	io.br.br_op = PV_BLK_DISCARD;
	assert_int_equal(submit(&io.br), EINVAL);
	io.br.br_flags = 0;
	io.br.br_op = PV_BLK_SECURE_ERASE;
	assert_int_equal(io_do(&io), 0);
	assert_int_equal(seen[4].type, T_ERASE);
	detach();
}

static void
read_only_is_never_written(void **state)
{
	(void)state;
	offer_ranges(64, 1);
	rig.rg_offered |= BIT(RO);
	assert_int_equal(attach(), 0);
	assert_true(pv_blk_info(&blk)->bi_readonly);
	assert_int_equal(do_op(PV_BLK_WRITE, 0, 512), -EROFS);
	assert_int_equal(do_op(PV_BLK_DISCARD, 0, 512), -EROFS);
	assert_int_equal(do_op(PV_BLK_WRITE_ZEROES, 0, 512), -EROFS);
	assert_int_equal(do_op(PV_BLK_SECURE_ERASE, 0, 512), -EROFS);
	assert_int_equal(nseen, 0);
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
	assert_int_equal(do_op(PV_BLK_FLUSH, 0, 0), 0);
	detach();
}

static void
name_and_lifetime_are_asked_for(void **state)
{
	struct pv_blk_lifetime bl;
	struct io io;

	(void)state;
	port.po_shadow = 1;
	rig.rg_offered |= BIT(LIFETIME);
	assert_int_equal(attach(), 0);
	io_new(&io, PV_BLK_GETID, 99, PV_BLK_IDLEN);
	io.br.br_len = 0;		/* is not looked at */
	assert_int_equal(io_do(&io), 0);
	assert_string_equal((char *)io.pb->pb_va, "a disk of this test");
	io_free(&io);
	io_new(&io, PV_BLK_GETLIFETIME, 0, PV_BLK_LIFETIMELEN);
	assert_int_equal(io_do(&io), 0);
	pv_blk_lifetime(io.pb->pb_va, &bl);
	assert_int_equal(bl.bl_spare, 2);
	assert_int_equal(bl.bl_slc, 5);
	assert_int_equal(bl.bl_mlc, 0);		/* 12 is reserved */
	io_free(&io);
	detach();
}

/* Errors, and what a device says that is not so */

static void
the_first_error_is_the_requests(void **state)
{
	struct io io;

	(void)state;
	offer_size_max(512);
	offer_seg_max(1);
	fail_sector = 5;
	assert_int_equal(attach(), 0);
	io_new(&io, PV_BLK_READ, 0, 8 * 512);
	assert_int_equal(io_do(&io), EIO);
	assert_null(complete());
	io.br.br_offset = 8 * 512;
	assert_int_equal(io_do(&io), 0);
	assert_int_equal(counters().bc_errors, 1);
	io_free(&io);
	detach();
}

static void
after_an_error_no_more_parts_go(void **state)
{
	const struct pv_blk_params params = { .bp_size = 4 };
	struct io io, next;

	(void)state;
	offer_size_max(512);
	offer_seg_max(1);
	fail_sector = 1;
	hold = 1;
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(submit(io_new(&io, PV_BLK_WRITE, 0, 64 * 512)), 0);
	assert_int_equal(submit(io_new(&next, PV_BLK_READ, 9, 512)), 0);
	assert_int_equal(nheld, 4);
	serve_held(1);
	assert_null(complete());
	/* The next took the room; the first waits for its other three. */
	assert_int_equal(nheld, 4);
	serve_held(0);
	serve_held(0);
	assert_null(complete());
	serve_held(0);
	assert_ptr_equal(complete(), &io.br);
	assert_int_equal(io.br.br_error, EIO);
	serve_held(0);
	assert_ptr_equal(complete(), &next.br);
	assert_int_equal(nseen, 5);
	io_free(&io);
	io_free(&next);
	detach();
}

static void
statuses_are_errors(void **state)
{
	int status;

	(void)state;
	assert_int_equal(attach(), 0);
	for (status = 0; status < 256; status++) {
		status_of_all = status;
		assert_int_equal(do_op(PV_BLK_WRITE, 0, 512),
		    status == 0 ? 0 : status == 2 ? ENOTSUP : EIO);
	}
	assert_int_equal(counters().bc_silent, 253);
	detach();
}

/* Some hosts say 0, some 1, some leave the status out. */
static void
lengths_are_no_measure(void **state)
{
	static const int lengths[] = { 0, 1, -2, 511, 512 };
	struct io io;
	unsigned int i;

	(void)state;
	port.po_shadow = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 5; i++) {
		length_of_all = lengths[i];
		io_new(&io, PV_BLK_READ, i, 512);
		assert_int_equal(io_do(&io), 0);
		assert_memory_equal(io.pb->pb_va, image + i * 512, 512);
		io_free(&io);
		assert_int_equal(do_op(PV_BLK_FLUSH, 0, 0), 0);
	}
	assert_int_equal(counters().bc_short, 7);
	length_of_all = 0x53355885;
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
	assert_true(ring_clamped(0) > 0);
	detach();
}

/* Also where a status of an earlier request once stood. */
static void
hostile_used_without_a_status(void **state)
{
	unsigned int i;

	(void)state;
	port.po_shadow = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 700; i++) {
		silent = i % 5 == 3;
		assert_int_equal(do_op(PV_BLK_WRITE, 0, 512),
		    silent ? EIO : 0);
	}
	assert_int_equal(counters().bc_silent, 140);
	detach();
}

/* Its status byte is in a line that all the others have left long ago. */
static void
a_request_that_hangs_keeps_its_status(void **state)
{
	struct io slow[3];
	unsigned int i;

	(void)state;
	port.po_shadow = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 900; i++) {
		if (i % 300 == 100) {
			hold = 1;
			assert_int_equal(submit(io_new(&slow[i / 300],
			    PV_BLK_READ, i, 512)), 0);
			hold = 0;
		}
		assert_int_equal(do_op(PV_BLK_WRITE, 3000, 512), 0);
	}
	status_of_all = 1;
	serve_held(1);
	assert_ptr_equal(complete(), &slow[1].br);
	assert_int_equal(slow[1].br.br_error, EIO);
	status_of_all = -1;
	serve_held(0);
	silent = 1;
	serve_held(0);
	assert_ptr_equal(complete(), &slow[0].br);
	assert_int_equal(slow[0].br.br_error, 0);
	assert_ptr_equal(complete(), &slow[2].br);
	assert_int_equal(slow[2].br.br_error, EIO);
	for (i = 0; i < 3; i++)
		io_free(&slow[i]);
	detach();
}

static void
hostile_used_id_twice(void **state)
{
	struct pv_blk_request *br;
	struct io io;
	unsigned int n;
	uint16_t head;

	(void)state;
	hold = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(io_new(&io, PV_BLK_WRITE, 0, 512)), 0);
	head = held[0].rc.rc_head;
	serve_held(0);
	assert_ptr_equal(complete(), &io.br);
	assert_int_equal(submit(&io.br), 0);
	rig_give(&rig, 0, head, 1);
	assert_int_equal(pv_blk_complete(&blk, 0, &br, 1, &n), EIO);
	assert_int_equal(n, 0);
	assert_int_equal(nbroken, 1);
	assert_int_equal(submit(&io.br), EIO);
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_ptr_equal(pv_blk_drain(&blk), &io.br);
	assert_int_equal(io.br.br_error, EIO);
	assert_null(pv_blk_drain(&blk));
	io_free(&io);
	detach();
}

/* Configuration */

static void
nonsense_in_the_configuration_is_left(void **state)
{
	static const struct {
		uint64_t bits;
		unsigned int off, width;
		uint32_t value;
	} bad[] = {
		{ BIT(SIZE_MAX), 8, 4, 0 },
		{ BIT(SIZE_MAX), 8, 4, 15 },	/* 32 of them are no block */
		{ BIT(SEG_MAX), 12, 4, 0 },
		{ BIT(BLK_SIZE), 20, 4, 0 },
		{ BIT(BLK_SIZE), 20, 4, 256 },
		{ BIT(BLK_SIZE), 20, 4, 1000 },
		{ BIT(BLK_SIZE), 20, 4, 0x80000000 },
		{ BIT(BLK_SIZE), 20, 4, 0xffffffff },
		{ BIT(TOPOLOGY), 24, 1, 23 },
		{ BIT(TOPOLOGY), 24, 1, 255 },
		{ BIT(TOPOLOGY), 25, 1, 1 },
		{ BIT(MQ), 34, 2, 0 },
		{ BIT(DISCARD), 36, 4, 0 },
		{ BIT(WRITE_ZEROES), 48, 4, 0 },
		{ BIT(SECURE_ERASE), 60, 4, 0 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup(NULL);
		rig.rg_configlen = 72;
		rig.rg_offered |= bad[i].bits;
		wire_put(rig.rg_config + bad[i].off, bad[i].width,
		    bad[i].value);
		if (bad[i].bits == BIT(SEG_MAX))
			seg_max = 1;
		assert_int_equal(attach(), 0);
		assert_int_equal(rig.rg_accepted & bad[i].bits, 0);
		assert_int_equal(pv_virtio_negotiation(&rig.rg_dev)->ng_why[
		    __builtin_ctzll(bad[i].bits)], PV_WHY_VALUE);
		assert_int_equal(pv_blk_info(&blk)->bi_block, 512);
		assert_int_equal(pv_blk_info(&blk)->bi_physical, 512);
		assert_int_equal(pv_blk_info(&blk)->bi_aligned, 0);
		assert_int_equal(do_op(PV_BLK_READ, 0, 8192), 0);
		detach();
		assert_int_equal(port_check(), 0);
	}
}

static void
fields_beyond_the_configuration_are_left(void **state)
{
	(void)state;
	rig.rg_configlen = 16;
	rig.rg_offered |= BIT(BLK_SIZE) | BIT(TOPOLOGY) | BIT(MQ) |
	    BIT(DISCARD) | BIT(WRITE_ZEROES) | BIT(SECURE_ERASE);
	assert_int_equal(attach(), 0);
	assert_int_equal(rig.rg_accepted & (BIT(BLK_SIZE) | BIT(MQ) |
	    BIT(DISCARD)), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 32);
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
	detach();
	/* What is there is taken. */
	rig.rg_configlen = 24;
	offer_block(4096);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_block, 4096);
	detach();
}

static void
the_largest_disk_and_larger_ones(void **state)
{
	(void)state;
	put64(0, 1ULL << 54);
	assert_int_equal(attach(), 0);
	assert_true(pv_blk_info(&blk)->bi_capacity == 1ULL << 63);
	assert_int_equal(do_op(PV_BLK_READ, (1ULL << 54) - 1, 1024), -EINVAL);
	detach();
	put64(0, (1ULL << 54) + 1);
	assert_int_equal(attach(), ERANGE);
	put64(0, UINT64_MAX - 1);
	assert_int_equal(attach(), ERANGE);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
}

static void
an_empty_disk(void **state)
{
	(void)state;
	put64(0, 0);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_capacity, 0);
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), -EINVAL);
	assert_int_equal(do_op(PV_BLK_WRITE, 0, 512), -EINVAL);
	assert_int_equal(nseen, 0);
	detach();
}

static void
topology_is_told(void **state)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);

	(void)state;
	offer_block(1024);
	rig.rg_offered |= BIT(TOPOLOGY);
	rig.rg_config[24] = 2;
	rig.rg_config[25] = 3;
	rig_put16(&rig, 26, 8);
	rig_put32(&rig, 28, 64);
	assert_int_equal(attach(), 0);
	assert_int_equal(bi->bi_block, 1024);
	assert_int_equal(bi->bi_physical, 4096);
	assert_int_equal(bi->bi_aligned, 3072);
	assert_int_equal(bi->bi_min_io, 8192);
	assert_int_equal(bi->bi_opt_io, 65536);
	detach();
}

static void
move_limits(struct rig *rg)
{
	static unsigned int n;

	rig_put32(rg, 12, ++n % 50 + 1);
}

static void
limits_that_change_under_us_begin_anew(void **state)
{
	(void)state;
	rig.rg_features_ok = move_limits;
	assert_int_equal(attach(), EAGAIN);
	assert_true(rig.rg_status & PV_STATUS_FAILED);
}

static void
capacity_follows_the_device(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_changed(&blk), 0);
	put64(0, 8);
	rig_config_changed(&rig);
	assert_int_equal(nchanged, 1);
	assert_int_equal(do_op(PV_BLK_READ, 8, 512), 0);
	assert_int_equal(pv_blk_changed(&blk), 1);
	assert_int_equal(pv_blk_info(&blk)->bi_capacity, 4096);
	assert_int_equal(do_op(PV_BLK_READ, 8, 512), -EINVAL);
	put64(0, SECTORS);
	assert_int_equal(pv_blk_changed(&blk), 1);
	assert_int_equal(do_op(PV_BLK_READ, 8, 512), 0);
	put64(0, 1ULL << 60);
	assert_int_equal(pv_blk_changed(&blk), -ERANGE);
	assert_int_equal(pv_blk_info(&blk)->bi_capacity, DISK);
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_int_equal(pv_blk_changed(&blk), -ENXIO);
	detach();
}

static unsigned int cache_writes;

static void
note_cache(struct rig *rg, unsigned int off, uint32_t val)
{
	assert_int_equal(off, 32);
	assert_int_equal(rg->rg_config[32], val);
	cache_writes++;
}

static void
cache_follows_the_port(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CONFIG_WCE);
	assert_int_equal(attach(), 0);
	assert_true(pv_blk_info(&blk)->bi_can_toggle);
	/* It says that it is none; some that say so are. */
	assert_int_equal(rig.rg_config[32], 0);
	assert_true(pv_blk_info(&blk)->bi_volatile);
	rig.rg_config_written = note_cache;
	cache_writes = 0;
	assert_int_equal(pv_blk_set_writeback(&blk, 0), 0);
	assert_false(pv_blk_info(&blk)->bi_volatile);
	assert_int_equal(cache_writes, 2);
	put64(0, 1ULL << 60);
	assert_int_equal(pv_blk_set_writeback(&blk, 0), ERANGE);
	put64(0, SECTORS);
	cache_writes = 2;
	assert_int_equal(pv_blk_set_writeback(&blk, 1), 0);
	assert_int_equal(cache_writes, 3);
	assert_int_equal(rig.rg_config[32], 1);
	assert_true(pv_blk_info(&blk)->bi_volatile);
	assert_int_equal(pv_blk_set_writeback(&blk, 0), 0);
	assert_false(pv_blk_info(&blk)->bi_volatile);
	/* The device has come up with another, and is told again. */
	assert_int_equal(pv_blk_stop(&blk), 0);
	rig.rg_config[32] = 1;
	assert_int_equal(pv_blk_start(&blk), 0);
	assert_int_equal(rig.rg_config[32], 0);
	assert_false(pv_blk_info(&blk)->bi_volatile);
	detach();
}

static void
keep_cache(struct rig *rg, unsigned int off, uint32_t val)
{
	(void)off;
	(void)val;
	rg->rg_config[32] = 1;
}

static void
hostile_cache_does_not_change(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CONFIG_WCE);
	rig.rg_config_written = keep_cache;
	rig.rg_config[32] = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_set_writeback(&blk, 0), EIO);
	assert_true(pv_blk_info(&blk)->bi_volatile);
	detach();
	rig.rg_offered &= ~BIT(FLUSH);
	assert_int_equal(attach(), 0);
	assert_int_equal(rig.rg_accepted & BIT(CONFIG_WCE), 0);
	assert_int_equal(pv_blk_set_writeback(&blk, 1), ENOTSUP);
	detach();
}

static void
seldom_bits_are_left(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(BARRIER) | BIT(GEOMETRY) | BIT(SCSI) |
	    BIT(ZONED);
	assert_int_equal(attach(), 0);
	assert_int_equal(rig.rg_accepted & (BIT(BARRIER) | BIT(GEOMETRY) |
	    BIT(SCSI) | BIT(ZONED)), 0);
	detach();
}

/* Whatever is refused, FLUSH and the limits are not what is given up. */
static void
look_at_features(struct rig *rg)
{
	assert_true(rg->rg_accepted & BIT(FLUSH));
	assert_true(rg->rg_accepted & BIT(SEG_MAX));
	assert_true(rg->rg_accepted & BIT(RO));
}

static void
a_refusal_never_costs_the_flush(void **state)
{
	(void)state;
	offer_ranges(64, 1);
	rig.rg_offered |= BIT(MQ) | BIT(RO);
	rig_put16(&rig, 34, 1);
	rig.rg_features_ok = look_at_features;
	rig.rg_insist = 1ull << 50;
	assert_int_equal(attach(), ENOTSUP);
}

static void
denied_by_the_port(void **state)
{
	const struct pv_blk_params params = {
		.bp_deny = BIT(DISCARD) | BIT(FLUSH)
	};

	(void)state;
	offer_ranges(64, 1);
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(rig.rg_accepted & params.bp_deny, 0);
	assert_int_equal(do_op(PV_BLK_DISCARD, 0, 512), -ENOTSUP);
	detach();
}

/* Queues */

static void
queues_are_apart(void **state)
{
	struct pv_blk_counters bc = { .bc_requests = 99 };
	const struct pv_blk_params params = { .bp_nqueues = 3 };
	struct pv_blk_request *br;
	struct io io[3];
	unsigned int i, n;

	(void)state;
	offer_queues(5);
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_nqueues, 3);
	assert_false(rig.rg_queues[3].rq_enabled);
	for (i = 0; i < 3; i++) {
		br = io_new(&io[i], PV_BLK_READ, i, 512);
		assert_int_equal(pv_blk_submit(&blk, i, &br, 1, &n), 0);
		assert_int_equal(rig.rg_queues[i].rq_notified, 1);
	}
	for (i = 3; i-- > 0; ) {
		assert_int_equal(pv_blk_outstanding(&blk, i), 1);
		assert_int_equal(pv_blk_complete(&blk, i, &br, 1, &n), 0);
		assert_int_equal(n, 1);
		assert_ptr_equal(br, &io[i].br);
		io_free(&io[i]);
	}
	assert_int_equal(pv_blk_complete(&blk, 3, &br, 1, &n), EINVAL);
	assert_int_equal(pv_blk_counters(&blk, 3, &bc), EINVAL);
	assert_int_equal(bc.bc_requests, 0);
	detach();
}

static void
fewer_queues_than_promised(void **state)
{
	const struct pv_blk_params params = { .bp_nqueues = 100 };

	(void)state;
	offer_queues(60000);
	rig.rg_queues[4].rq_max = 0;
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_nqueues, 4);
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
	/* After a restart there may be others. */
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_null(pv_blk_drain(&blk));
	rig_put16(&rig, 34, 2);
	assert_int_equal(pv_blk_start(&blk), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_nqueues, 2);
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
	detach();
}

static void
one_queue_unless_asked(void **state)
{
	const struct pv_blk_params params = { .bp_nqueues = 3 };

	(void)state;
	offer_queues(4);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_nqueues, 1);
	detach();
	rig.rg_offered &= ~BIT(MQ);
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_nqueues, 1);
	detach();
}

/* Interrupts, and time */

static void
interrupts_come_as_asked(void **state)
{
	struct io io[4];
	unsigned int i;

	(void)state;
	rig.rg_offered &= ~PV_F_BIT(PV_F_EVENT_IDX);
	hold = 1;
	assert_int_equal(attach(), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_READ, 0, 512)),
		    0);
	ndone = 0;
	serve_held(0);
	rig_interrupt(&rig, PV_INTR_QUEUE);
	assert_int_equal(ndone, 1);
	assert_int_equal(lastqueue, 0);
	assert_int_equal(pv_blk_intr(&blk, 0, 0), 0);
	assert_true(pv_blk_intr(&blk, 0, 1));
	assert_non_null(complete());
	assert_false(pv_blk_intr(&blk, 0, 1));
	assert_int_equal(pv_blk_intr(&blk, 9, 1), 0);
	detach();
	for (i = 0; i < 4; i++)
		io_free(&io[i]);
}

static void
a_missed_doorbell_is_rung_again(void **state)
{
	struct io io;

	(void)state;
	assert_int_equal(attach(), 0);
	rig.rg_miss = 1;
	assert_int_equal(submit(io_new(&io, PV_BLK_READ, 0, 512)), 0);
	(void)pv_blk_oldest_ns(&blk, 0);
	assert_null(complete());
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_true(pv_blk_oldest_ns(&blk, 0) >= PV_VIRTQ_AGAIN_NS);
	assert_ptr_equal(complete(), &io.br);
	assert_int_equal(io.br.br_error, 0);
	io_free(&io);
	detach();
}

static void
the_oldest_part_is_told(void **state)
{
	struct io io[2];

	(void)state;
	hold = 1;
	port.po_now_ns = 1000;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_oldest_ns(&blk, 0), 0);
	assert_int_equal(submit(io_new(&io[0], PV_BLK_READ, 0, 512)), 0);
	assert_int_equal(pv_blk_oldest_ns(&blk, 0), 1);
	assert_int_equal(pv_blk_oldest_ns(&blk, 1), 0);
	port.po_now_ns += 500;
	assert_int_equal(submit(io_new(&io[1], PV_BLK_READ, 1, 512)), 0);
	port.po_now_ns += 100;
	assert_int_equal(pv_blk_oldest_ns(&blk, 0), 600);
	serve_held(0);
	assert_ptr_equal(complete(), &io[0].br);
	assert_int_equal(pv_blk_oldest_ns(&blk, 0), 100);
	serve_held(0);
	assert_ptr_equal(complete(), &io[1].br);
	assert_int_equal(pv_blk_oldest_ns(&blk, 0), 0);
	io_free(&io[0]);
	io_free(&io[1]);
	detach();
}

/* Stop, drain, start */

static void
each_request_comes_back_once_after_a_stop(void **state)
{
	const struct pv_blk_params params = { .bp_size = 8 };
	struct pv_blk_request *br;
	struct io io[20];
	unsigned int i, n = 0;

	(void)state;
	offer_size_max(512);
	offer_seg_max(1);
	hold = 1;
	assert_int_equal(attach_with(&params), 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_WRITE, i * 8,
		    512 * (1 + i % 5))), 0);
	serve_held(3);
	serve_held(0);
	assert_ptr_equal(complete(), &io[0].br);
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_int_equal(submit(&io[0].br), ENXIO);
	while ((br = pv_blk_drain(&blk)) != NULL) {
		assert_int_equal(br->br_error, EIO);
		assert_null(br->br_cookie);
		assert_false(pv_blk_lost(&blk, br));
		br->br_cookie = br;
		n++;
	}
	assert_int_equal(n, 19);
	assert_int_equal(pv_blk_outstanding(&blk, 0), 0);
	hold = 0;
	nheld = 0;
	assert_int_equal(pv_blk_start(&blk), 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(submit(&io[i].br), 0);
	for (i = 0; i < 20; i++) {
		assert_non_null(complete());
		assert_int_equal(io[i].br.br_error, 0);
	}
	for (i = 0; i < 20; i++)
		io_free(&io[i]);
	detach();
}

/* What the device had done, and nobody had taken, keeps its result. */
static void
what_was_done_is_not_undone_by_a_stop(void **state)
{
	struct pv_blk_request *br;
	struct io io[2];
	unsigned int n;

	(void)state;
	rig.rg_offered &= ~BIT(FLUSH);
	hold = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(io_new(&io[0], PV_BLK_FLUSH, 0, 0)), 0);
	assert_int_equal(submit(io_new(&io[1], PV_BLK_READ, 0, 512)), 0);
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_int_equal(pv_blk_complete(&blk, 0, &br, 1, &n), ENXIO);
	assert_int_equal(pv_blk_intr(&blk, 0, 1), 0);
	assert_int_equal(pv_blk_oldest_ns(&blk, 0), 0);
	assert_ptr_equal(pv_blk_drain(&blk), &io[0].br);
	assert_int_equal(io[0].br.br_error, 0);
	assert_ptr_equal(pv_blk_drain(&blk), &io[1].br);
	assert_int_equal(io[1].br.br_error, EIO);
	assert_null(pv_blk_drain(&blk));
	io_free(&io[1]);
	detach();
}

static void
start_refuses_before_the_drain(void **state)
{
	struct io io;

	(void)state;
	hold = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_start(&blk), EBUSY);
	assert_int_equal(submit(io_new(&io, PV_BLK_READ, 0, 512)), 0);
	assert_null(pv_blk_drain(&blk));
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_int_equal(pv_blk_start(&blk), EBUSY);
	assert_int_equal(drain(), 1);
	nheld = 0;
	hold = 0;
	assert_int_equal(pv_blk_start(&blk), 0);
	assert_int_equal(io_do(&io), 0);
	io_free(&io);
	detach();
}

static void
restart_takes_other_limits(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(do_op(PV_BLK_READ, 0, 65536), 0);
	assert_int_equal(pv_blk_stop(&blk), 0);
	offer_seg_max(2);
	offer_size_max(1024);
	rig.rg_queues[0].rq_max = 16;
	assert_int_equal(pv_blk_start(&blk), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_size, 16);
	nseen = 0;
	assert_int_equal(do_op(PV_BLK_READ, 0, 65536), 0);
	assert_int_equal(nseen, 32);
	detach();
}

static void
hostile_reset_never_confirmed(void **state)
{
	const struct pv_blk_params params = { .bp_size = 4 };
	struct pv_blk_request *br;
	struct io io[6];
	unsigned int i, lost = 0;

	(void)state;
	hold = 1;
	assert_int_equal(attach_with(&params), 0);
	for (i = 0; i < 6; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_WRITE, i, 512)),
		    0);
	rig.rg_stuck = 1;
	assert_int_equal(pv_blk_stop(&blk), ETIMEDOUT);
	for (i = 0; (br = pv_blk_drain(&blk)) != NULL; i++) {
		assert_int_equal(br->br_error, EIO);
		lost += pv_blk_lost(&blk, br) != 0;
	}
	assert_int_equal(i, 6);
	/* Two the device never saw. */
	assert_int_equal(lost, 4);
	assert_int_equal(pv_blk_start(&blk), EIO);
	assert_int_equal(pv_blk_detach(&blk), ETIMEDOUT);
	assert_true(port.po_loads >= 6);
	for (i = 0; i < 6; i++)
		io_free(&io[i]);
	port_reset();
}

/* What is the port's stays with it; what is the driver's comes back. */
static void
a_reset_confirmed_at_last_gives_back_what_one_did_not(void **state)
{
	unsigned int i, restart;
	struct io io[3];

	for (restart = 0; restart < 3; restart++) {
		setup(state);
		if (restart == 2)
			rig.rg_offered &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
		hold = 1;
		assert_int_equal(attach(), 0);
		for (i = 0; i < 3; i++)
			assert_int_equal(submit(io_new(&io[i], PV_BLK_FLUSH, 0,
			    0)), 0);
		rig.rg_stuck = 1;
		assert_int_equal(pv_blk_stop(&blk), ETIMEDOUT);
		assert_int_equal(drain(), 3);
		rig.rg_stuck = 0;
		hold = 0;
		if (restart) {
			assert_int_equal(pv_blk_stop(&blk), 0);
			assert_int_equal(pv_blk_start(&blk), 0);
			assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
		}
		detach();
	}
}

static void
detach_without_a_drain_forgets(void **state)
{
	struct io io;

	(void)state;
	hold = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(io_new(&io, PV_BLK_READ, 0, 512)), 0);
	assert_int_equal(pv_blk_detach(&blk), 0);
	io_free(&io);
}

static void
missed_interrupt_is_found_by_a_poll(void **state)
{
	struct io io;

	(void)state;
	rig.rg_intr = 0;
	assert_int_equal(attach(), 0);
	assert_int_equal(submit(io_new(&io, PV_BLK_READ, 0, 512)), 0);
	assert_int_equal(ndone, 0);
	assert_true(pv_virtio_poll(&rig.rg_dev));
	assert_int_equal(ndone, 1);
	assert_ptr_equal(complete(), &io.br);
	io_free(&io);
	detach();
}

static void
legacy_device(void **state)
{
	(void)state;
	rig.rg_legacy = 1;
	rig.rg_offered &= ~PV_F_BIT(PV_F_VERSION_1);
	rig.rg_offered |= BIT(BARRIER) | BIT(SCSI);
	assert_int_equal(attach(), 0);
	assert_int_equal(do_op(PV_BLK_READ, 0, 8192), 0);
	assert_int_equal(do_op(PV_BLK_FLUSH, 0, 0), 0);
	detach();
}

static int
attach_with_queues(void)
{
	const struct pv_blk_params params = { .bp_nqueues = 2 };

	offer_queues(2);
	return attach_with(&params);
}

static void
read_one(void)
{
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
}

static const struct attach_fails life = {
	&rig, setup, attach_with_queues, read_one, detach, NULL, 8
};

static void
attach_fails_cleanly_wherever_memory_ends(void **state)
{
	attach_without_memory(&life, state);
}

static void
attach_looks_at_each_allocation(void **state)
{
	attach_without_one(&life, state);
}

/* At their limits */

static void
never_the_same_generation(struct rig *rg, unsigned int off)
{
	if (off == 12)
		rg->rg_generation++;
}

static unsigned int limit_reads;

static void
count_reads(struct rig *rg, unsigned int off)
{
	(void)rg;
	limit_reads += off == 12;
}

/* Before FEATURES_OK and after it, and all of one generation. */
static void
limits_are_read_twice(void **state)
{
	(void)state;
	limit_reads = 0;
	rig.rg_config_read = count_reads;
	assert_int_equal(attach(), 0);
	assert_int_equal(limit_reads, 2);
	detach();
}

static void
a_short_configuration_that_never_holds_still(void **state)
{
	(void)state;
	rig.rg_configlen = 16;
	rig.rg_offered |= BIT(BLK_SIZE);
	rig.rg_config_read = never_the_same_generation;
	assert_int_equal(attach(), EIO);
}

/* What is just good enough is taken; and some more that isn't. */
static void
values_at_the_edge(void **state)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);

	(void)state;
	offer_block(512);
	rig.rg_offered |= BIT(TOPOLOGY);
	rig.rg_config[24] = 22;
	offer_size_max(16);
	assert_int_equal(attach(), 0);
	assert_true(rig.rg_accepted & BIT(BLK_SIZE));
	assert_true(rig.rg_accepted & BIT(TOPOLOGY));
	assert_true(rig.rg_accepted & BIT(SIZE_MAX));
	assert_true(bi->bi_physical == 1u << 31);
	assert_int_equal(bi->bi_min_io, 512);
	assert_int_equal(do_op(PV_BLK_READ, 0, 1024), 0);
	detach();
	rig.rg_config[24] = 0;
	offer_block(PV_BLK_MAXBLOCK);
	assert_int_equal(attach(), 0);
	assert_int_equal(bi->bi_block, PV_BLK_MAXBLOCK);
	assert_int_equal(rig.rg_accepted & BIT(SIZE_MAX), 0);
	detach();
	/* Of 5000 segments a chain of ours has 1000. */
	offer_block(4096);
	offer_seg_max(5000);
	offer_size_max(2);
	assert_int_equal(attach(), 0);
	assert_int_equal(rig.rg_accepted & BIT(SIZE_MAX), 0);
	detach();
}

static void
segments_are_as_few_as_both_say(void **state)
{
	const struct pv_blk_params few = { .bp_maxsegs = 5 };

	(void)state;
	rig.rg_queues[0].rq_max = 256;
	offer_seg_max(100);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 64);
	assert_int_equal(pv_blk_info(&blk)->bi_size, 128);
	detach();
	assert_int_equal(attach_with(&few), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 5);
	detach();
}

static void
the_shortest_queue_counts(void **state)
{
	const struct pv_blk_params params = { .bp_nqueues = 3 };

	(void)state;
	offer_queues(3);
	rig.rg_queues[1].rq_max = 16;
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_size, 16);
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 14);
	detach();
}

/* It is wanted when there is little. */
static void
restart_needs_no_memory(void **state)
{
	(void)state;
	rig.rg_offered &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_stop(&blk), 0);
	port.po_fail_after = 0;
	assert_int_equal(pv_blk_start(&blk), 0);
	port.po_fail_after = -1;
	assert_int_equal(do_op(PV_BLK_READ, 0, 512), 0);
	detach();
}

/* A write of which one part came back, with an error. */
static void
fail_in_part(struct io *io)
{
	const struct pv_blk_params params = { .bp_size = 4 };

	offer_size_max(512);
	offer_seg_max(1);
	hold = 1;
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(submit(io_new(io, PV_BLK_WRITE, 0, 64 * 512)), 0);
	status_of_all = 2;
	serve_held(0);
}

/* After a stop it is given back once, with that. */
static void
failed_in_part(struct io *io)
{
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_ptr_equal(pv_blk_drain(&blk), &io->br);
	assert_int_equal(io->br.br_error, ENOTSUP);
	assert_null(pv_blk_drain(&blk));
	assert_int_equal(pv_blk_set_writeback(&blk, 0), ENXIO);
	io_free(io);
	detach();
}

/* Of a request that never went on. */
static void
an_error_outlives_a_stop(void **state)
{
	struct io io;

	(void)state;
	fail_in_part(&io);
	rig.rg_notify = NULL;
	assert_null(complete());
	failed_in_part(&io);
}

/* The same, while it still waits for room. */
static void
an_error_in_waiting_outlives_a_stop(void **state)
{
	struct pv_blk_request *br;
	struct io io;
	unsigned int n;

	(void)state;
	fail_in_part(&io);
	/* The second is one that nobody has: the device breaks, in between. */
	rig_give(&rig, 0, 99, 1);
	assert_int_equal(pv_blk_complete(&blk, 0, &br, 1, &n), EIO);
	failed_in_part(&io);
}

static void
wear_by_its_scales(void **state)
{
	struct pv_blk_lifetime bl;

	(void)state;
	pv_blk_lifetime("\3\0\13\0\13\0", &bl);
	assert_int_equal(bl.bl_spare, 3);
	assert_int_equal(bl.bl_slc, 11);
	assert_int_equal(bl.bl_mlc, 11);
	pv_blk_lifetime("\4\0\14\0\0\1", &bl);
	assert_int_equal(bl.bl_spare, 0);
	assert_int_equal(bl.bl_slc, 0);
	assert_int_equal(bl.bl_mlc, 0);
}

static void
more_segments_than_a_chain_can_have(void **state)
{
	const struct pv_blk_params params = { .bp_maxsegs = 5000 };

	(void)state;
	offer_seg_max(5000);
	assert_int_equal(attach_with(&params), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 62);
	detach();
	rig.rg_queues[0].rq_max = 2048;
	assert_int_equal(attach_with(&(struct pv_blk_params){
	    .bp_maxsegs = 5000, .bp_size = 2048 }), 0);
	assert_int_equal(pv_blk_info(&blk)->bi_maxsegs, 1000);
	detach();
}

static void
a_long_request_goes_in_parts(void **state)
{
	(void)state;
	put64(0, 1 << 20);
	status_of_all = 0;
	assert_int_equal(attach(), 0);
	assert_int_equal(do_op(PV_BLK_WRITE, 0, 5 << 20), 0);
	assert_int_equal(nseen, 2);
	assert_int_equal(seen[0].len, 4 << 20);
	assert_int_equal(seen[1].sector, 8192);
	assert_int_equal(seen[1].len, 1 << 20);
	detach();
}

/* As many hang as there are lines: the next waits, and nothing is lost. */
static void
lines_of_statuses_run_out_and_come_back(void **state)
{
	const struct pv_blk_params params = { .bp_size = 4 };
	struct io slow[2], next;
	unsigned int i, k;

	(void)state;
	assert_int_equal(attach_with(&params), 0);
	for (i = 0; i < 2; i++) {
		hold = 1;
		assert_int_equal(submit(io_new(&slow[i], PV_BLK_READ, i,
		    512)), 0);
		hold = 0;
		for (k = 0; k < 127; k++)
			assert_int_equal(do_op(PV_BLK_WRITE, 99, 512), 0);
	}
	assert_int_equal(submit(io_new(&next, PV_BLK_READ, 7, 512)), 0);
	assert_null(complete());
	serve_held(0);
	assert_ptr_equal(complete(), &slow[0].br);
	assert_ptr_equal(complete(), &next.br);
	assert_int_equal(next.br.br_error, 0);
	assert_memory_equal(next.pb->pb_va, image + 7 * 512, 512);
	serve_held(0);
	assert_ptr_equal(complete(), &slow[1].br);
	for (i = 0; i < 2; i++)
		io_free(&slow[i]);
	io_free(&next);
	detach();
}

static void
a_port_without_callbacks(void **state)
{
	struct io io;

	(void)state;
	assert_int_equal(pv_blk_attach(&blk, rig_init(&rig), NULL, NULL, NULL),
	    0);
	assert_int_equal(submit(io_new(&io, PV_BLK_READ, 0, 512)), 0);
	assert_ptr_equal(complete(), &io.br);
	rig_config_changed(&rig);
	pv_virtio_break(&rig.rg_dev, "by this test");
	assert_int_equal(submit(&io.br), EIO);
	io_free(&io);
	detach();
}

/* It gives what was done, and leaves the rest to the drain. */
static void
complete_on_a_broken_device(void **state)
{
	const struct pv_blk_params params = { .bp_size = 8 };
	struct pv_blk_request *br;
	struct io io[12], torn;
	unsigned int i, n;

	(void)state;
	offer_seg_max(4);
	hold = 1;
	assert_int_equal(attach_with(&params), 0);
	port.po_segsize = 100;
	io_new(&torn, PV_BLK_READ, 0, 512);
	port.po_segsize = 0;
	assert_int_equal(submit(&torn.br), 0);
	for (i = 0; i < 12; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_READ, i, 512)),
		    0);
	pv_virtio_break(&rig.rg_dev, "by this test");
	assert_int_equal(pv_blk_complete(&blk, 0, &br, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_ptr_equal(br, &torn.br);
	assert_int_equal(pv_blk_complete(&blk, 0, &br, 1, &n), EIO);
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_int_equal(drain(), 12);
	for (i = 0; i < 12; i++)
		io_free(&io[i]);
	io_free(&torn);
	detach();
}

static void
no_queue_at_all(void **state)
{
	struct pv_blk_counters bc;

	(void)state;
	rig.rg_queues[0].rq_max = 0;
	assert_int_equal(attach(), ENXIO);
	assert_int_equal(pv_blk_outstanding(&blk, 0), 0);
	assert_int_equal(pv_blk_counters(&blk, 0, &bc), EINVAL);
	assert_int_equal(ring_clamped(0), -1);
}

static void
a_choice_that_is_gone_after_a_restart(void **state)
{
	(void)state;
	rig.rg_offered |= BIT(CONFIG_WCE);
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_set_writeback(&blk, 1), 0);
	/* The device forgets it: what was written may need a flush. */
	rig.rg_config[32] = 0;
	assert_int_equal(pv_blk_changed(&blk), 0);
	assert_true(pv_blk_info(&blk)->bi_volatile);
	assert_int_equal(pv_blk_set_writeback(&blk, 0), 0);
	assert_false(pv_blk_info(&blk)->bi_volatile);
	assert_int_equal(pv_blk_stop(&blk), 0);
	rig.rg_offered &= ~BIT(CONFIG_WCE);
	assert_int_equal(pv_blk_start(&blk), 0);
	assert_true(pv_blk_info(&blk)->bi_volatile);
	assert_int_equal(pv_blk_stop(&blk), 0);
	rig.rg_offered |= BIT(CONFIG_WCE);
	assert_int_equal(pv_blk_start(&blk), 0);
	pv_virtio_break(&rig.rg_dev, "by this test");
	assert_int_equal(pv_blk_set_writeback(&blk, 0), EIO);
	assert_int_equal(pv_blk_set_writeback(&blk, 1), EIO);
	detach();
}

/* Any request, any scatter, any order of completion: the bytes are right. */
#define NIO	12

static void
ask_for_anything(struct io *io)
{
	unsigned int i;
	uint32_t len;

	for (i = 0; i < NIO; i++) {
		len = 512u * (1 + (uint32_t)rand() % 40);
		io_new(&io[i], rand() & 1 ? PV_BLK_READ : PV_BLK_WRITE,
		    i * 300 + (uint32_t)rand() % 200, len);
		memset(io[i].pb->pb_va, rand(), len);
		assert_int_equal(submit(&io[i].br), 0);
	}
}

/* In any order. */
static void
serve_all(void)
{
	struct pv_blk_request *br;
	unsigned int n = 0;

	while (n < NIO) {
		if (nheld > 0)
			serve_held((unsigned int)rand() % nheld);
		while ((br = complete()) != NULL) {
			assert_int_equal(br->br_error, 0);
			n++;
		}
	}
}

static void
check_all(struct io *io, uint8_t *model)
{
	const struct pv_blk_request *br;
	unsigned int i;

	for (i = 0; i < NIO; i++) {
		br = &io[i].br;
		if (br->br_op == PV_BLK_WRITE)
			memcpy(model + br->br_offset, io[i].pb->pb_va,
			    io[i].pb->pb_len);
		else
			assert_memory_equal(io[i].pb->pb_va,
			    model + br->br_offset, io[i].pb->pb_len);
		io_free(&io[i]);
	}
	assert_memory_equal(model, image, DISK);
}

static void
whatever_is_asked_for_is_right(void **state)
{
	static uint8_t model[DISK];
	static struct io io[NIO];
	struct pv_blk_params params = { 0 };
	unsigned int seed, turn;

	(void)state;
	for (seed = 0; seed < 24; seed++) {
		setup(NULL);
		srand(seed);
		params.bp_size = 8u << seed % 4;
		port.po_shadow = seed & 1;
		offer_seg_max(6 + (uint32_t)rand() % 12);
		if (seed & 2)
			offer_size_max(400 + (uint32_t)rand() % 2000);
		if (seed & 4)
			rig.rg_offered &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
		hold = 1;
		memcpy(model, image, DISK);
		assert_int_equal(attach_with(&params), 0);
		port.po_segsize = (bus_size_t)(300 + rand() % 3000);
		for (turn = 0; turn < 6; turn++) {
			ask_for_anything(io);
			serve_all();
			check_all(io, model);
		}
		detach();
		assert_int_equal(port_check(), 0);
	}
}

static void
a_disk_without_a_queue_is_none(void **state)
{
	(void)state;
	rig.rg_queues[0].rq_max = 0;
	assert_int_equal(attach(), ENXIO);
}

static void
segments_are_limited(void **state)
{
	const struct pv_blk_params params = { .bp_maxsegs = 100000 };

	(void)state;
	assert_int_equal(attach_with(&params), 0);
	assert_in_range(pv_blk_info(&blk)->bi_maxsegs, 1, 1000);
	detach();
}

static void
requests_of_no_kind_are_refused(void **state)
{
	struct pv_blk_request br;
	unsigned int op;

	(void)state;
	assert_int_equal(attach(), 0);
	for (op = 0; op < 256; op++) {
		memset(&br, 0, sizeof(br));
		br.br_op = (uint8_t)op;
		if (op != PV_BLK_FLUSH)
			assert_int_not_equal(submit(&br), 0);
	}
	detach();
}

static void
nothing_is_drained_while_it_runs(void **state)
{
	const struct pv_blk_params params = { .bp_size = 4 };
	static struct io io[12];
	unsigned int i;

	(void)state;
	hold = 1;
	rig.rg_offered &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
	assert_int_equal(attach_with(&params), 0);
	for (i = 0; i < 12; i++)
		assert_int_equal(submit(io_new(&io[i], PV_BLK_READ, i, 512)),
		    0);
	assert_null(pv_blk_drain(&blk));
	detach();
	for (i = 0; i < 12; i++)
		io_free(&io[i]);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Limits */

static void
nobody_needs_to_listen(void **state)
{
	struct io io;

	(void)state;
	assert_int_equal(pv_blk_attach(&blk, rig_init(&rig), NULL, NULL, NULL),
	    0);
	assert_int_equal(submit(io_new(&io, PV_BLK_READ, 0, 512)), 0);
	rig_config_changed(&rig);
	pv_virtio_break(&rig.rg_dev, "test");
	detach();
	io_free(&io);
}

static void
requests_of_no_sense_are_refused(void **state)
{
	struct pv_blk_request *br;
	struct io io;

	(void)state;
	assert_int_equal(attach(), 0);
	br = io_new(&io, PV_BLK_READ, 0, 512);
	br->br_flags = 0x80;
	assert_int_equal(submit(br), EINVAL);
	br->br_flags = 0;
	io.piece.pc_len = 0;
	assert_int_equal(submit(br), EINVAL);
	io.piece.pc_len = 512;
	assert_int_equal(submit(br), 0);
	detach();
	io_free(&io);
}

static void
queues_are_those_that_there_are(void **state)
{
	(void)state;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_blk_outstanding(&blk, 99), 0);
	assert_int_equal(ring_clamped(99), -1);
	assert_int_equal(ring_clamped(0), 0);
	detach();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(read_and_write_reach_the_disk),
		T(scattered_data_arrive_in_order),
		T(neighbours_are_one_segment),
		T(segments_above_the_limit_go_in_parts),
		T(without_a_limit_of_segments_it_is_one),
		T(long_segments_are_cut),
		T(a_block_in_too_many_segments_is_refused),
		T(a_request_of_more_parts_than_the_queue_has),
		T(without_indirect_descriptors_too),
		T(a_queue_too_short_for_data_is_refused),
		T(requests_end_in_any_order),
		T(blocks_are_the_unit),
		T(parts_end_at_blocks),
		T(submit_judges_the_operation),
		T(submit_judges_the_pieces),
		T(a_batch_rings_once),
		T(what_has_no_room_waits_in_order),
		T(flush_waits_for_the_writes_before_it),
		T(flush_waits_for_discards_too),
		T(flush_that_fails_says_so),
		T(flush_without_the_feature_needs_no_device),
		T(ranges_go_in_parts_that_end_aligned),
		T(an_alignment_above_the_longest_range_ends),
		T(zeroes_are_written),
		T(read_only_is_never_written),
		T(name_and_lifetime_are_asked_for),
		T(the_first_error_is_the_requests),
		T(after_an_error_no_more_parts_go),
		T(statuses_are_errors),
		T(lengths_are_no_measure),
		T(hostile_used_without_a_status),
		T(a_request_that_hangs_keeps_its_status),
		T(hostile_used_id_twice),
		T(nonsense_in_the_configuration_is_left),
		T(fields_beyond_the_configuration_are_left),
		T(the_largest_disk_and_larger_ones),
		T(an_empty_disk),
		T(topology_is_told),
		T(limits_that_change_under_us_begin_anew),
		T(capacity_follows_the_device),
		T(cache_follows_the_port),
		T(hostile_cache_does_not_change),
		T(seldom_bits_are_left),
		T(a_refusal_never_costs_the_flush),
		T(denied_by_the_port),
		T(queues_are_apart),
		T(fewer_queues_than_promised),
		T(one_queue_unless_asked),
		T(interrupts_come_as_asked),
		T(a_missed_doorbell_is_rung_again),
		T(the_oldest_part_is_told),
		T(each_request_comes_back_once_after_a_stop),
		T(what_was_done_is_not_undone_by_a_stop),
		T(start_refuses_before_the_drain),
		T(restart_takes_other_limits),
		T(hostile_reset_never_confirmed),
		T(a_reset_confirmed_at_last_gives_back_what_one_did_not),
		T(detach_without_a_drain_forgets),
		T(missed_interrupt_is_found_by_a_poll),
		T(legacy_device),
		T(attach_fails_cleanly_wherever_memory_ends),
		T(a_short_configuration_that_never_holds_still),
		T(limits_are_read_twice),
		T(values_at_the_edge),
		T(segments_are_as_few_as_both_say),
		T(the_shortest_queue_counts),
		T(restart_needs_no_memory),
		T(an_error_outlives_a_stop),
		T(an_error_in_waiting_outlives_a_stop),
		T(wear_by_its_scales),
		T(more_segments_than_a_chain_can_have),
		T(a_long_request_goes_in_parts),
		T(lines_of_statuses_run_out_and_come_back),
		T(a_port_without_callbacks),
		T(complete_on_a_broken_device),
		T(no_queue_at_all),
		T(a_choice_that_is_gone_after_a_restart),
		T(whatever_is_asked_for_is_right),
		T(nobody_needs_to_listen),
		T(requests_of_no_sense_are_refused),
		T(queues_are_those_that_there_are),
		T(a_disk_without_a_queue_is_none),
		T(segments_are_limited),
		T(requests_of_no_kind_are_refused),
		T(attach_looks_at_each_allocation),
		T(nothing_is_drained_while_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
