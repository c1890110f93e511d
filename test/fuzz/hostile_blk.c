/* SPDX-License-Identifier: ISC */
/*
 * A disk's driver under a device that does anything at all. Each request has a
 * region of the disk, and memory, of its own: what an honest device has there
 * is what was written last.
 */
#include <string.h>

#include <paravane/blk.h>

#include "hostile.h"
#include "wire.h"

#define NREQS		12
#define REGION		4096u		/* bytes */
#define SECTOR		512u
#define MAXPIECES	5
#define NQUEUES		3

struct req {
	struct pv_blk_request br;	/* first */
	struct port_buf *pb;
	struct pv_piece pieces[MAXPIECES];
	int busy;			/* the driver's, or the device's */
	unsigned int queue;
	int known;			/* was[] is what the disk has */
	int failed;			/* so said an honest disk */
	uint8_t was[REGION];
};

static struct pv_blk blk;
static struct req reqs[NREQS];
static uint8_t disk[NREQS * REGION], counter;
static int nstopped;			/* while it is, requests just fail */

/* Device's side */

static uint8_t
disk_range(const struct rig_chain *rc, uint32_t type)
{
	uint8_t range[16];
	uint64_t at, len;

	if (rc->rc_outlen != 16 + sizeof(range))
		return 1;
	rig_read(rc, 16, range, sizeof(range));
	at = wire_get(range, 8) * SECTOR;
	len = wire_get(range + 8, 4) * SECTOR;
	if (at > sizeof(disk) || len > sizeof(disk) - at)
		return 1;
	memset(disk + at, type == 13 ? 0 : 0xdd, (size_t)len);
	return 0;
}

/* What is asked for beyond the disk, a host says no to; and disks do fail. */
static uint8_t
disk_serve(const struct rig_chain *rc, uint32_t type, uint64_t at)
{
	uint32_t outlen = rc->rc_outlen - 16, inlen = rc->rc_inlen - 1;
	uint8_t bytes[REGION];

	switch (type) {
	case 0: case 1:
		if (at > sizeof(disk) || inlen > sizeof(disk) - at ||
		    outlen > sizeof(disk) - at)
			return 1;
		if (draw(16) == 0 && at < sizeof(disk)) {
			reqs[at / REGION].failed = 1;
			return 1;
		}
		if (type == 0)
			rig_write(rc, 0, disk + at, inlen);
		else
			rig_read(rc, 16, disk + at, outlen);
		return 0;
	case 4:
		return 0;
	case 8: case 10:
		must(inlen <= sizeof(bytes));
		scribble(bytes, inlen);
		rig_write(rc, 0, bytes, inlen);
		return 0;
	case 11: case 13: case 14:
		return disk_range(rc, type);
	default:
		return 2;
	}
}

/* No part is larger than was agreed. */
static void
check_part(const struct rig_chain *rc)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	unsigned int i;

	must(rc->rc_outlen >= 16 && rc->rc_inlen >= 1);
	holds(RULE_RANGES, rc->rc_nsegs <= bi->bi_maxsegs + 2);
	for (i = 1; bi->bi_maxseg != 0 && i + 1 < rc->rc_nsegs; i++)
		holds(RULE_RANGES, rc->rc_segs[i].len <= bi->bi_maxseg);
}

static void
blk_device(struct rig *rg, unsigned int queue)
{
	uint8_t header[16], status, bytes[64];
	struct rig_chain rc;
	uint32_t len;

	while (!lies() && hostile_take(queue, &rc)) {
		check_part(&rc);
		rig_read(&rc, 0, header, sizeof(header));
		status = disk_serve(&rc, (uint32_t)wire_get(header, 4),
		    wire_get(header + 8, 8) * SECTOR);
		if (lies()) {
			len = rc.rc_inlen < 64 ? rc.rc_inlen : 64;
			scribble(bytes, len);
			rig_write(&rc, 0, bytes, len);
		}
		if (lies())
			status = (uint8_t)strange();
		if (!lies())
			rig_write(&rc, rc.rc_inlen - 1, &status, 1);
		hostile_give(queue, &rc, draw(8) ? rc.rc_inlen : 1);
		rig_interrupt(rg, PV_INTR_QUEUE);
	}
	hostile_whim();
}

/* Driver's side */

static int
changes(const struct req *rq)
{
	return rq->br.br_op == PV_BLK_WRITE ||
	    (rq->br.br_op >= PV_BLK_DISCARD &&
	    rq->br.br_op <= PV_BLK_SECURE_ERASE);
}

/* In its own region, and not somewhere in another's. */
static int
at_home(const struct req *rq)
{
	uint64_t begin = (uint64_t)(rq - reqs) * REGION;

	return rq->br.br_offset >= begin &&
	    rq->br.br_offset < begin + REGION &&
	    rq->br.br_len <= begin + REGION - rq->br.br_offset;
}

/* What came back, and whether the disk is still what it should be. */
static void
returned(struct pv_blk_request *br)
{
	struct req *rq = (struct req *)(void *)br;

	must(rq >= reqs && rq < reqs + NREQS);
	holds(RULE_ID, rq->busy);
	rq->busy = 0;
	if (br->br_op != PV_BLK_FLUSH && hostile_has(rq->pb)) {
		holds(RULE_REUSE, hostile_lost());
		holds(RULE_REMOVAL, pv_blk_lost(&blk, br));
	}
	if (malice == 0 && br->br_op <= PV_BLK_WRITE && at_home(rq) &&
	    nstopped == 0 && br->br_error != EFBIG)
		must((br->br_error != 0) == rq->failed);
	rq->failed = 0;
	if (changes(rq) && (br->br_error != 0 || br->br_op == PV_BLK_DISCARD ||
	    br->br_op == PV_BLK_SECURE_ERASE))
		rq->known = 0;
	if (br->br_op == PV_BLK_READ && br->br_error == 0 && at_home(rq) &&
	    rq->known && malice == 0)
		must(memcmp(rq->pb->pb_va, rq->was + br->br_offset % REGION,
		    (size_t)br->br_len) == 0);
}

/* Cut len bytes of the request's memory where it may be cut. */
static void
scatter(struct req *rq, uint64_t len)
{
	unsigned int n = 0;
	uint64_t off = 0, part;

	while (off < len) {
		part = n + 1 == MAXPIECES || draw(2) ? len - off :
		    1 + draw((uint32_t)(len - off));
		rq->pieces[n].pc_map = rq->pb->pb_map;
		rq->pieces[n].pc_off = off;
		rq->pieces[n++].pc_len = part;
		off += part;
	}
	rq->br.br_pieces = rq->pieces;
	rq->br.br_npieces = n;
}

/* Somewhere in its region, in whole blocks where those are no larger. */
static void
place(struct req *rq)
{
	uint32_t block = pv_blk_info(&blk)->bi_block, n, first;

	if (block > REGION)
		block = REGION;
	n = REGION / block;
	first = draw(n);
	rq->br.br_offset = (uint64_t)(rq - reqs) * REGION + first * block;
	rq->br.br_len = (uint64_t)(1 + draw(n - first)) * block;
	if (draw(32) == 0)
		rq->br.br_offset = strange();
	if (draw(32) == 0)
		rq->br.br_len = (uint64_t)strange() << draw(16);
}

static void
prepare(struct req *rq)
{
	static const uint8_t ops[] = { PV_BLK_READ, PV_BLK_WRITE, PV_BLK_READ,
	    PV_BLK_WRITE, PV_BLK_FLUSH, PV_BLK_DISCARD, PV_BLK_WRITE_ZEROES,
	    PV_BLK_SECURE_ERASE, PV_BLK_GETID, PV_BLK_GETLIFETIME };
	struct pv_blk_request *br = &rq->br;
	uint64_t len, i;

	br->br_op = ops[draw(sizeof(ops))];
	br->br_flags = br->br_op == PV_BLK_WRITE_ZEROES && draw(2) ?
	    PV_BLK_UNMAP : 0;
	br->br_npieces = 0;
	place(rq);
	len = br->br_op == PV_BLK_GETID ? PV_BLK_IDLEN :
	    br->br_op == PV_BLK_GETLIFETIME ? PV_BLK_LIFETIMELEN :
	    br->br_len < REGION ? br->br_len : REGION;
	if (br->br_op != PV_BLK_READ && br->br_op != PV_BLK_WRITE && len > 64)
		return;
	scatter(rq, len);
	counter++;
	for (i = 0; br->br_op == PV_BLK_WRITE && i < len; i++)
		rq->pb->pb_va[i] = (uint8_t)(counter + i / 8);
}

/* Taken: what the disk will have, unless the request fails. */
static void
expect(struct req *rq)
{
	const struct pv_blk_request *br = &rq->br;
	size_t off = br->br_offset % REGION;

	if (br->br_op == PV_BLK_WRITE)
		memcpy(rq->was + off, rq->pb->pb_va, (size_t)br->br_len);
	else if (br->br_op == PV_BLK_WRITE_ZEROES)
		memset(rq->was + off, 0, (size_t)br->br_len);
}

static void
blk_submit(void)
{
	struct pv_blk_request *list[4];
	unsigned int i, n = 0, want = 1 + draw(4), accepted, from = draw(NREQS);
	unsigned int queue = draw(NQUEUES + 1);
	struct req *rq;

	for (i = 0; i < NREQS && n < want; i++) {
		rq = &reqs[(from + i) % NREQS];
		if (rq->busy)
			continue;
		prepare(rq);
		if (!at_home(rq) && (changes(rq) ||
		    rq->br.br_offset < sizeof(disk)))
			continue;	/* it would be in another's way */
		list[n++] = &rq->br;
		rq->busy = 1;
	}
	pv_blk_submit(&blk, queue, list, n, &accepted);
	must(accepted <= n);
	for (i = 0; i < n; i++) {
		if (i < accepted)
			expect((struct req *)(void *)list[i]);
		else
			((struct req *)(void *)list[i])->busy = 0;
	}
}

static void
blk_complete(void)
{
	struct pv_blk_request *list[NREQS];
	unsigned int i, done;

	pv_blk_complete(&blk, draw(NQUEUES + 1), list, 1 + draw(NREQS), &done);
	for (i = 0; i < done; i++)
		returned(list[i]);
}

/* Whatever the device said of itself. */
static void
blk_sane(void)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);

	holds(RULE_RANGES, bi->bi_block >= PV_BLK_MINBLOCK &&
	    bi->bi_block <= PV_BLK_MAXBLOCK &&
	    (bi->bi_block & (bi->bi_block - 1)) == 0);
	holds(RULE_RANGES, bi->bi_capacity % bi->bi_block == 0 &&
	    bi->bi_capacity <= 1ull << 63);
	holds(RULE_RANGES, bi->bi_physical >= bi->bi_block);
	holds(RULE_RANGES, bi->bi_maxsegs >= 1 &&
	    bi->bi_maxsegs <= bi->bi_size - 2);
	holds(RULE_RANGES, bi->bi_nqueues >= 1 &&
	    bi->bi_nqueues <= PV_MAXQUEUES);
	holds(RULE_RANGES, (bi->bi_max_discard | bi->bi_max_zeroes |
	    bi->bi_max_erase) % bi->bi_block == 0);
}

static void
blk_act(void)
{
	switch (draw(8)) {
	case 0: case 1: case 2:
		blk_submit();
		break;
	case 3: case 4:
		blk_complete();
		break;
	case 5:
		pv_blk_intr(&blk, draw(NQUEUES), draw(4));
		pv_blk_oldest_ns(&blk, draw(NQUEUES));
		pv_virtio_poll(&rig.rg_dev);
		break;
	case 6:
		rig_config_changed(&rig);
		pv_blk_changed(&blk);
		if (draw(4) == 0)
			pv_blk_set_writeback(&blk, (int)draw(2));
		break;
	case 7:
		blk_device(&rig, draw(NQUEUES));
		break;
	}
}

static void
blk_all_back(void)
{
	struct pv_blk_request *br;
	unsigned int i;

	while ((br = pv_blk_drain(&blk)) != NULL)
		returned(br);
	for (i = 0; i < NREQS; i++)
		must(!reqs[i].busy);
}

static void
blk_step(void)
{
	blk_act();
	if (blk.sc_running)
		blk_sane();
	if (nbroken == 0 && draw(40) != 0)
		return;
	nstopped++;
	holds(RULE_REMOVAL, (pv_blk_stop(&blk) != 0) == hostile_lost());
	blk_all_back();
	nstopped--;
	nbroken = hostile_lost();	/* then this was the last step */
	if (nbroken)
		return;
	hostile_scarce();
	pv_blk_start(&blk);
	hostile_plenty();
}

static void
blk_detach(void)
{
	int lost = hostile_gone();

	nstopped++;
	holds(RULE_REMOVAL, (pv_blk_stop(&blk) != 0) == lost);
	blk_all_back();
	nstopped--;
	hostile_held();
	holds(RULE_REMOVAL, !lost || pv_blk_start(&blk) == EIO);
	holds(RULE_REMOVAL, (pv_blk_detach(&blk) != 0) == lost);
	hostile_held();
}

static void
done(void *arg, unsigned int queue)
{
	must(queue < PV_MAXQUEUES);
	hostile_intr(arg);
}

/* A disk of so many regions, and limits that a host may well have. */
static void
configure(void)
{
	rig.rg_configlen = 72;
	rig.rg_offered |= strange() & 0x3ffff;
	rig_put32(&rig, 0, sizeof(disk) / SECTOR);
	rig_put32(&rig, 8, draw(2) ? 65536 : SECTOR << draw(4));
	rig_put32(&rig, 12, 1 + draw(16));
	rig_put32(&rig, 20, draw(2) ? SECTOR : draw(8) == 0 ? strange() :
	    SECTOR << draw(4));
	rig.rg_config[24] = (uint8_t)draw(4);
	rig.rg_config[32] = (uint8_t)draw(2);
	rig_put16(&rig, 34, (uint16_t)(1 + draw(NQUEUES + 1)));
	rig_put32(&rig, 36, 1 + draw(64));
	rig_put32(&rig, 40, 1);
	rig_put32(&rig, 48, 1 + draw(64));
	rig_put32(&rig, 52, 1);
	rig.rg_config[56] = (uint8_t)draw(2);
	rig_put32(&rig, 60, 1 + draw(64));
	rig_put32(&rig, 64, 1);
}

static void
make_requests(void)
{
	bus_size_t segsize = port.po_segsize;
	unsigned int i;

	port.po_segsize = draw(2) ? 700 : 0;
	memset(reqs, 0, sizeof(reqs));
	for (i = 0; i < NREQS; i++) {
		reqs[i].pb = port_buf_new(REGION);
		reqs[i].known = 1;
	}
	port.po_segsize = segsize;
	memset(disk, 0, sizeof(disk));
	counter = 0;
}

void
scene_blk(void)
{
	static const struct pv_blk_callbacks cb = { .bc_done = done,
	    .bc_changed = hostile_intr, .bc_broken = hostile_broken };
	struct pv_blk_params params = { 0 };
	unsigned int i;
	int error;

	hostile_begin(PV_TYPE_BLK);
	make_requests();
	rig.rg_legacy = draw(8) == 0;
	if (rig.rg_legacy)
		rig.rg_offered &= ~PV_F_BIT(PV_F_VERSION_1);
	configure();
	params.bp_nqueues = draw(NQUEUES + 1);
	params.bp_size = draw(2) ? 0 : 1u << (2 + draw(5));
	params.bp_maxsegs = draw(2) ? 0 : 1 + draw(20);
	rig.rg_notify = blk_device;
	hostile_scarce();
	bounded(60, error = pv_blk_attach(&blk, rig_init(&rig), &cb, NULL,
	    &params));
	hostile_plenty();
	if (error == 0) {
		for (i = 0; draw_more(i) && !(hostile_lost() && nbroken); i++)
			bounded(10, blk_step());
		blk_detach();
	}
	for (i = 0; i < NREQS; i++)
		hostile_buf_free(reqs[i].pb);
	hostile_end();
}
