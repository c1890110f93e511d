/* SPDX-License-Identifier: ISC */
/*
 * Planted violations of block devices.
 */
#include <string.h>

#include "planted.h"
#include "vdev.h"
#include "wire.h"

#define B(n)	PV_F_BIT(PV_BLK_F_##n)
#define BASE	(PV_F_BIT(PV_F_VERSION_1) | PV_F_BIT(PV_F_EVENT_IDX) | \
		PV_F_BIT(PV_F_INDIRECT_DESC))

#define IN		0
#define OUT		1
#define FLUSH		4
#define GET_ID		8
#define GET_LIFETIME	10
#define DISCARD		11
#define ZEROES		13
#define ERASE		14

#define HDRLEN		16

static struct vdev vd;

static void
offer(struct raw *r, uint64_t features)
{
	vdev_init(&vd, r->r_fd, profile_named("strict"), 2, 0);
	r->r_fd->fd_features = BASE | features;
}

static void
with(struct raw *r, uint64_t features)
{
	offer(r, features);
	raw_up(r);
}

static void
config(struct raw *r, unsigned int off, uint32_t val)
{
	uint8_t bytes[4];

	wire_put(bytes, 4, val);
	fake_config_set(r->r_fd, off, bytes, 4);
}

/* A header, and extra bytes of what the device reads behind it. */
static void
header(struct raw *r, uint32_t type, uint64_t sector)
{
	memset(r->r_buf->pb_va, 0, 2048);
	wire_put(r->r_buf->pb_va, 4, type);
	wire_put(r->r_buf->pb_va + 8, 8, sector);
}

static void
request(struct raw *r, uint32_t type, uint64_t sector, uint32_t out,
    uint32_t in)
{
	header(r, type, sector);
	raw_request(r, 0, HDRLEN + out, in + 1);
}

static void
range(struct raw *r, unsigned int i, uint64_t sector, uint32_t n,
    uint32_t flags)
{
	uint8_t *at = r->r_buf->pb_va + HDRLEN + 16 * i;

	wire_put(at, 8, sector);
	wire_put(at + 8, 4, n);
	wire_put(at + 12, 4, flags);
}

/* So many ranges of a sector each. */
static void
ranges(struct raw *r, uint32_t type, unsigned int n, uint32_t flags)
{
	unsigned int i;

	header(r, type, 0);
	for (i = 0; i < n; i++)
		range(r, i, 2 * i, 1, flags);
	raw_request(r, 0, HDRLEN + 16 * n, 1);
}

/* Initialization */

static void
takes_a_volatile_cache_for_none(struct raw *r)
{
	with(r, B(FLUSH));
	vdev_blk_told(&vd, VDEV_BLK_SECTORS * 512, 0, 0);
}

static void
negotiates_flush_and_sends_none(struct raw *r)
{
	with(r, B(FLUSH));
	request(r, OUT, 0, 512, 0);
	vdev_blk_durable(&vd, 0, 1);
}

static void
reads_the_cache_early(struct raw *r)
{
	offer(r, B(FLUSH) | B(CONFIG_WCE));
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_features(r);
	raw_read(r, FAKE_PCI_DEVICE + 32, 1);
	raw_features_ok(r);
}

static void
more_segments_than_told(struct raw *r)
{
	offer(r, B(SEG_MAX));
	config(r, 12, 1);
	raw_up(r);
	header(r, OUT, 0);
	raw_desc(r, 0, 0, raw_buf(r, 0), HDRLEN, DESC_NEXT, 1);
	raw_desc(r, 0, 1, raw_buf(r, 1024), 256, DESC_NEXT, 2);
	raw_desc(r, 0, 2, raw_buf(r, 2048), 256, DESC_NEXT, 3);
	raw_desc(r, 0, 3, raw_buf(r, 4096), 1, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
a_segment_longer_than_told(struct raw *r)
{
	offer(r, B(SIZE_MAX));
	config(r, 8, 512);
	raw_up(r);
	header(r, OUT, 0);
	raw_desc(r, 0, 0, raw_buf(r, 0), HDRLEN, DESC_NEXT, 1);
	raw_desc(r, 0, 1, raw_buf(r, 1024), 1024, DESC_NEXT, 2);
	raw_desc(r, 0, 2, raw_buf(r, 4096), 1, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
a_range_longer_than_told(struct raw *r)
{
	offer(r, B(DISCARD));
	config(r, 36, 8);
	config(r, 40, 1);
	raw_up(r);
	header(r, DISCARD, 0);
	range(r, 0, 0, 9, 0);
	raw_request(r, 0, HDRLEN + 16, 1);
}

/* Operation */

static void
keeps_the_old_capacity(struct raw *r)
{
	with(r, 0);
	vdev_blk_resize(&vd, 100);
	vdev_blk_told(&vd, VDEV_BLK_SECTORS * 512, 0, 1);
}

static void
writes_beyond_the_end(struct raw *r)
{
	with(r, 0);
	request(r, OUT, VDEV_BLK_SECTORS - 1, 1024, 0);
}

static void
reads_beyond_the_end(struct raw *r)
{
	with(r, 0);
	request(r, IN, 1ull << 60, 0, 512);
}

static void
leaves_read_only(struct raw *r)
{
	offer(r, B(RO));
	r->r_deny = B(RO);
	raw_up(r);
}

static void
writes_what_is_read_only(struct raw *r)
{
	with(r, B(RO));
	request(r, OUT, 0, 512, 0);
}

static void
does_not_tell_read_only(struct raw *r)
{
	with(r, B(RO));
	vdev_blk_told(&vd, VDEV_BLK_SECTORS * 512, 0, 1);
}

static void
a_flush_with_a_sector(struct raw *r)
{
	with(r, B(FLUSH));
	request(r, FLUSH, 8, 0, 0);
}

static void
a_flush_with_data(struct raw *r)
{
	with(r, B(FLUSH));
	request(r, FLUSH, 0, 512, 0);
}

static void
writes_half_a_sector(struct raw *r)
{
	with(r, 0);
	request(r, OUT, 0, 256, 0);
}

static void
reads_half_a_sector(struct raw *r)
{
	with(r, 0);
	request(r, IN, 0, 0, 768);
}

static void
half_a_range(struct raw *r)
{
	with(r, B(DISCARD));
	header(r, DISCARD, 0);
	range(r, 0, 0, 1, 0);
	raw_request(r, 0, HDRLEN + 24, 1);
}

static void
a_short_id(struct raw *r)
{
	with(r, 0);
	request(r, GET_ID, 0, 0, 16);
}

static void
many(struct raw *r, uint64_t feature, unsigned int off, uint32_t type)
{
	offer(r, feature);
	config(r, off, 2);
	raw_up(r);
	ranges(r, type, 3, 0);
}

static void
many_discards(struct raw *r)
{
	many(r, B(DISCARD), 40, DISCARD);
}

static void
many_erases(struct raw *r)
{
	many(r, B(SECURE_ERASE), 64, ERASE);
}

static void
many_zeroes(struct raw *r)
{
	many(r, B(WRITE_ZEROES), 52, ZEROES);
}

static void
takes_the_end_of_writeback_for_a_flush(struct raw *r)
{
	with(r, B(FLUSH) | B(CONFIG_WCE));
	request(r, OUT, 0, 512, 0);
	r->r_ops->to_config_write(r->r_tr, 32, 1, 0);
	vdev_blk_durable(&vd, 0, 1);
}

static void
a_discard_with_unmap(struct raw *r)
{
	with(r, B(DISCARD));
	ranges(r, DISCARD, 1, 1);
}

static void
takes_discarded_for_zeroes(struct raw *r)
{
	static const uint8_t zeroes[512];

	with(r, B(DISCARD));
	ranges(r, DISCARD, 1, 0);
	vdev_blk_got(&vd, 0, zeroes, 1);
}

static void
takes_failed_for_done(struct raw *r)
{
	static const uint8_t zeroes[512];

	with(r, B(WRITE_ZEROES));
	vd.vd_blk.vb_fail_ranges = 1;
	ranges(r, ZEROES, 1, 0);
	vdev_blk_got(&vd, 0, zeroes, 1);
}

static void
reads_something_else(struct raw *r)
{
	with(r, 0);
	request(r, IN, 0, 0, 512);
	r->r_buf->pb_va[4096 + 511] ^= 1;
	vdev_blk_got(&vd, 0, r->r_buf->pb_va + 4096, 1);
}

static void
half_a_header(struct raw *r)
{
	with(r, 0);
	header(r, OUT, 0);
	raw_request(r, 0, 8, 1);
}

static void
a_reserved_word(struct raw *r)
{
	with(r, 0);
	header(r, IN, 0);
	r->r_buf->pb_va[4] = 1;
	raw_request(r, 0, HDRLEN, 513);
}

static void
no_room_for_the_status(struct raw *r)
{
	with(r, 0);
	header(r, OUT, 0);
	raw_request(r, 0, HDRLEN + 512, 0);
}

static void
discard_not_negotiated(struct raw *r)
{
	with(r, 0);
	ranges(r, DISCARD, 1, 0);
}

static void
flush_not_negotiated(struct raw *r)
{
	with(r, 0);
	request(r, FLUSH, 0, 0, 0);
}

static void
lifetime_not_negotiated(struct raw *r)
{
	with(r, 0);
	request(r, GET_LIFETIME, 0, 0, 6);
}

#define BLK(fn, rule)	{ #fn, STRICT_##rule, STAND_PCI, PV_TYPE_BLK, 1, fn }

const struct planted planted_blk[] = {
	BLK(takes_a_volatile_cache_for_none, BLK_WRITEBACK),
	BLK(negotiates_flush_and_sends_none, BLK_FLUSH),
	BLK(reads_the_cache_early, BLK_WRITEBACK_EARLY),
	BLK(more_segments_than_told, BLK_SEGMENTS),
	BLK(a_segment_longer_than_told, BLK_SEGMENTS),
	BLK(a_range_longer_than_told, BLK_RANGE_LONG),
	BLK(keeps_the_old_capacity, BLK_CAPACITY),
	BLK(writes_beyond_the_end, BLK_BEYOND),
	BLK(reads_beyond_the_end, BLK_BEYOND),
	BLK(leaves_read_only, SHOULD_ACCEPT),
	BLK(writes_what_is_read_only, BLK_READ_ONLY),
	BLK(does_not_tell_read_only, BLK_READ_ONLY),
	BLK(a_flush_with_a_sector, BLK_FLUSH_SECTOR),
	BLK(a_flush_with_data, BLK_FLUSH_DATA),
	BLK(writes_half_a_sector, BLK_LENGTH),
	BLK(reads_half_a_sector, BLK_LENGTH),
	BLK(half_a_range, BLK_RANGE_LENGTH),
	BLK(a_short_id, BLK_ID_LENGTH),
	BLK(many_discards, BLK_DISCARD_MANY),
	BLK(many_erases, BLK_ERASE_MANY),
	BLK(many_zeroes, BLK_ZEROES_MANY),
	BLK(takes_the_end_of_writeback_for_a_flush, BLK_FLUSH),
	BLK(a_discard_with_unmap, BLK_UNMAP),
	BLK(takes_discarded_for_zeroes, BLK_DISCARDED),
	BLK(takes_failed_for_done, BLK_DOUBTFUL),
	BLK(reads_something_else, BLK_DATA),
	BLK(half_a_header, BLK_HEADER),
	BLK(a_reserved_word, BLK_HEADER),
	BLK(no_room_for_the_status, BLK_HEADER),
	BLK(discard_not_negotiated, BLK_FEATURE),
	BLK(flush_not_negotiated, BLK_FEATURE),
	BLK(lifetime_not_negotiated, BLK_FEATURE),
	{ NULL, STRICT_NRULES, STAND_PCI, 0, 0, NULL },
};
