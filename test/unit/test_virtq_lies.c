/* SPDX-License-Identifier: ISC */
/*
 * What a device may get wrong of a packed ring, and of buffers used in order on
 * either kind: each is told in words, breaks the device, and gives no buffer back
 * that is not done.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/virtq.h>

#include "port.h"
#include "rig.h"
#include "wire.h"

#define SIZE	8u
#define LEN	64u
#define PACKED	PV_F_BIT(PV_F_RING_PACKED)
#define ORDER	PV_F_BIT(PV_F_IN_ORDER)
#define BOTH	(PK_AVAIL | PK_USED)

static struct rig rig;
static struct pv_virtq *vq;
static struct port_buf *buf;
static int cookies[SIZE];
static struct rig_chain chains[SIZE];

/* The two ways to take a used buffer have each its own short way. */
static bool by_batches;
static uint64_t also;			/* features */

static int
one_at_a_time(void **state)
{
	(void)state;
	by_batches = false;
	also = 0;
	return 0;
}

static int
several_at_a_time(void **state)
{
	(void)state;
	by_batches = true;
	also = 0;
	return 0;
}

/* And those of chains that are never long. */
static int
several_with_tables(void **state)
{
	(void)state;
	by_batches = true;
	also = PV_F_BIT(PV_F_INDIRECT_DESC);
	return 0;
}

static void
begin(uint64_t features, enum pv_virtq_policy policy)
{
	const struct pv_virtq_params params = {
		.vp_name = "q", .vp_size = SIZE, .vp_maxpieces = 2,
		.vp_maxsegs = 2, .vp_policy = policy,
	};
	static const struct pv_feature_table none;

	port_reset();
	rig_new(&rig, PV_TYPE_ENTROPY);
	rig.rg_offered |= features | also;
	assert_int_equal(pv_virtio_negotiate(rig_init(&rig), &none, NULL), 0);
	assert_true(pv_virtio_has(&rig.rg_dev, PV_F_RING_PACKED) ==
	    ((features & PACKED) != 0));
	assert_int_equal(pv_virtq_alloc(&rig.rg_dev, 0, &params, &vq), 0);
	assert_int_equal(pv_virtio_start(&rig.rg_dev), 0);
	buf = port_buf_new(2 * LEN * SIZE);
}

static void
end(void)
{
	assert_int_equal(pv_virtio_stop(&rig.rg_dev), 0);
	while (pv_virtq_drain(vq) != NULL)
		continue;
	pv_virtq_free(vq);
	pv_virtio_fail(&rig.rg_dev);
	port_buf_free(buf);
	assert_int_equal(port_check(), 0);
}

/* Chain i, of so many pieces apart from each other. */
static void
enqueue(unsigned int i, unsigned int pieces, int in)
{
	struct pv_piece pc[2];
	unsigned int k;

	for (k = 0; k < pieces; k++)
		pc[k] = (struct pv_piece){ buf->pb_map,
		    2 * LEN * i + k * (LEN + 16), 32 };
	assert_int_equal(pv_virtq_enqueue(vq, pc, in ? 0 : pieces,
	    in ? pieces : 0, &cookies[i]), 0);
}

/* n chains, all of them at the device. */
static void
post(unsigned int n, unsigned int pieces, int in)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		enqueue(i, pieces, in);
	pv_virtq_publish(vq);
	for (i = 0; i < n; i++)
		assert_int_equal(rig_take(&rig, 0, &chains[i]), 1);
}

static int
take(struct pv_used *us)
{
	unsigned int n;
	int error;

	if (!by_batches)
		return pv_virtq_dequeue(vq, us);
	error = pv_virtq_dequeue_batch(vq, us, 1, &n);
	assert_int_equal(n, error == 0);
	return error;
}

static void
comes(unsigned int i, uint32_t len)
{
	struct pv_used us;

	assert_int_equal(take(&us), 0);
	assert_ptr_equal(us.us_cookie, &cookies[i]);
	assert_int_equal(us.us_len, len);
}

static void
breaks(const char *why)
{
	struct pv_used us;

	assert_int_equal(take(&us), EIO);
	assert_non_null(pv_virtio_broken(&rig.rg_dev));
	assert_string_equal(pv_virtio_broken(&rig.rg_dev), why);
	assert_int_equal(take(&us), EIO);
	assert_int_equal(pv_virtq_enqueue(vq, &(struct pv_piece){ buf->pb_map,
	    0, 1 }, 1, 0, &cookies[0]), EIO);
	end();
}

static void
nothing_comes(void)
{
	struct pv_used us;

	assert_int_equal(take(&us), EAGAIN);
	assert_null(pv_virtio_broken(&rig.rg_dev));
}

static void
id_beyond_the_ring(void **state)
{
	static const uint32_t ids[] = { SIZE, SIZE + 1, 0x7fff, 0xffff };
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		begin(PACKED, PV_VIRTQ_REFUSE);
		post(1, 1, 1);
		rig_give(&rig, 0, ids[i], 8);
		breaks("used id out of range");
	}
}

static void
id_that_is_not_outstanding(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(PACKED | (i ? ORDER : 0), PV_VIRTQ_REFUSE);
		post(1, 1, 1);
		rig_give(&rig, 0, chains[0].rc_head ^ 1, 8);
		breaks("used id is not outstanding");
	}
}

static void
id_a_second_time(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(PACKED | (i ? ORDER : 0), PV_VIRTQ_REFUSE);
		post(3, 1, 1);
		rig_give(&rig, 0, chains[0].rc_head, 8);
		comes(0, 8);
		rig_give(&rig, 0, chains[0].rc_head, 8);
		breaks("used id is not outstanding");
	}
}

/* What was put into the ring is not the device's yet. */
static void
id_that_was_not_shown(void **state)
{
	const uint8_t *ring;
	uint16_t id;

	(void)state;
	begin(PACKED, PV_VIRTQ_REFUSE);
	enqueue(0, 1, 1);
	ring = port_dma_kva(rig.rg_queues[0].rq_place.qp_desc, 16 * SIZE);
	memcpy(&id, ring + 12, 2);
	rig_give(&rig, 0, wire16(id), 8);
	breaks("used id is not outstanding");
}

/* The ring goes on beyond all that the device was given. */
static void
more_than_is_outstanding(void **state)
{
	unsigned int i;

	(void)state;
	begin(PACKED, PV_VIRTQ_REFUSE);
	post(3, 1, 1);
	for (i = 0; i < 3; i++)
		rig_give(&rig, 0, chains[i].rc_head, 8);
	rig_give(&rig, 0, chains[0].rc_head, 8);
	for (i = 0; i < 3; i++)
		comes(i, 8);
	breaks("used id is not outstanding");
}

static struct pv_virtq_counters
counters(void)
{
	struct pv_virtq_counters qc;

	pv_virtq_counters(vq, &qc);
	return qc;
}

static void
length_above_what_was_posted(void **state)
{
	(void)state;
	begin(PACKED, PV_VIRTQ_REFUSE);
	post(1, 2, 1);
	rig_give(&rig, 0, chains[0].rc_head, 65);
	breaks("used length above what was posted");
	begin(PACKED, PV_VIRTQ_CLAMP);
	post(2, 2, 1);
	rig_give(&rig, 0, chains[0].rc_head, 0x53355885);
	comes(0, 64);
	assert_int_equal(counters().qc_clamped, 1);
	rig_give(&rig, 0, chains[1].rc_head, 64);
	comes(1, 64);
	end();
}

/* Without WRITE the length is reserved: it may be anything. */
static void
length_that_says_nothing(void **state)
{
	struct pk_ring *pk = &rig.rg_queues[0].rq_packed;

	(void)state;
	begin(PACKED, PV_VIRTQ_REFUSE);
	post(2, 1, 0);
	pk_use(pk, chains[0].rc_head, 0xdddddddd, 1, 0);
	comes(0, 0);
	pk_use(pk, chains[1].rc_head, 0xdddddddd, 1, PK_WRITE);
	breaks("used length above what was posted");
}

/* Flags that show nothing: available ones, those of another round. */
static void
flags_that_lie(void **state)
{
	static const unsigned int flips[] = { PK_AVAIL, PK_USED, BOTH };
	struct pk_ring *pk = &rig.rg_queues[0].rq_packed;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(PACKED, PV_VIRTQ_REFUSE);
		post(1, 1, 1);
		pk_use(pk, chains[0].rc_head, 8, 1, PK_WRITE | flips[i]);
		nothing_comes();
		assert_int_equal(pv_virtq_pending(vq), 0);
		assert_int_equal(pv_virtq_intr_enable(vq), 0);
		assert_int_equal(pv_virtq_outstanding(vq), 1);
		end();
	}
}

/* It writes where a list goes on, and not where it begins. */
static void
used_in_the_middle_of_a_list(void **state)
{
	struct pk_ring *pk = &rig.rg_queues[0].rq_packed;

	(void)state;
	begin(PACKED, PV_VIRTQ_REFUSE);
	post(2, 2, 1);
	pk_step(pk, &pk->pk_used, 1);
	pk_use(pk, chains[0].rc_head, 8, 1, PK_WRITE);
	nothing_comes();
	end();
}

/* One entry for many: all but the last are done whole. */
static void
batch_in_order(void **state)
{
	unsigned int i, k, pieces;
	uint32_t ids[3];

	(void)state;
	for (i = 0; i < 4; i++) {
		begin(ORDER | (i & 1 ? PACKED : 0), PV_VIRTQ_REFUSE);
		pieces = 1 + i / 2;
		post(4, pieces, 1);
		for (k = 0; k < 3; k++)
			ids[k] = chains[k].rc_head;
		rig_give_batch(&rig, 0, ids, 3, 5);
		comes(0, 32 * pieces);
		comes(1, 32 * pieces);
		comes(2, 5);
		nothing_comes();
		rig_give(&rig, 0, chains[3].rc_head, 6);
		comes(3, 6);
		end();
	}
}

/* One that comes before what was used already has come back. */
static void
back_in_the_order(void **state)
{
	unsigned int i, k;
	uint32_t ids[2];

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(ORDER | (i ? PACKED : 0), PV_VIRTQ_REFUSE);
		post(4, 1, 1);
		for (k = 0; k < 2; k++)
			ids[k] = chains[k].rc_head;
		rig_give_batch(&rig, 0, ids, 2, 8);
		rig_give(&rig, 0, chains[0].rc_head, 8);
		comes(0, 32);
		comes(1, 8);
		breaks("used id is not outstanding");
	}
}

/* The index goes on by two, and the entry is the fourth's. */
static void
batch_beyond_its_index(void **state)
{
	uint32_t ids[2];

	(void)state;
	begin(ORDER, PV_VIRTQ_REFUSE);
	post(4, 1, 1);
	ids[0] = chains[0].rc_head;
	ids[1] = chains[3].rc_head;
	rig_give_batch(&rig, 0, ids, 2, 8);
	breaks("used out of order");
}

static void
length_of_a_batch(void **state)
{
	unsigned int i;
	uint32_t ids[2];

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(ORDER | (i ? PACKED : 0), PV_VIRTQ_REFUSE);
		post(2, 1, 1);
		ids[0] = chains[0].rc_head;
		ids[1] = chains[1].rc_head;
		rig_give_batch(&rig, 0, ids, 2, 33);
		breaks("used length above what was posted");
	}
}

/* Any wish of the device's, also none that there is, costs a doorbell at most. */
static void
wishes_that_there_are_not(void **state)
{
	static const struct {
		uint16_t off, flags;
		int rings;
	} cases[] = {
		{ 0, 0, 1 }, { 0, 1, 0 }, { 0, 3, 1 }, { 0xffff, 3, 1 },
		{ 0, 0xfffd, 0 }, { 0x7fff, 2, 0 }, { SIZE + 1, 2, 0 },
	};
	unsigned int i;
	uint8_t b[4];

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(PACKED | PV_F_BIT(PV_F_EVENT_IDX), PV_VIRTQ_REFUSE);
		b[0] = (uint8_t)cases[i].off;
		b[1] = (uint8_t)(cases[i].off >> 8);
		b[2] = (uint8_t)cases[i].flags;
		b[3] = (uint8_t)(cases[i].flags >> 8);
		port_dma_write(rig.rg_queues[0].rq_place.qp_device, b, 4);
		enqueue(0, 1, 1);
		assert_int_equal(pv_virtq_publish(vq), cases[i].rings);
		assert_null(pv_virtio_broken(&rig.rg_dev));
		end();
	}
}

/* One that names a descriptor where that was not negotiated is always rung. */
static void
wishes_that_were_not_agreed(void **state)
{
	static const uint8_t b[4] = { SIZE + 1, 0, 2, 0 };

	(void)state;
	begin(PACKED, PV_VIRTQ_REFUSE);
	port_dma_write(rig.rg_queues[0].rq_place.qp_device, b, 4);
	enqueue(0, 1, 1);
	assert_int_equal(pv_virtq_publish(vq), 1);
	end();
}

#define T(f)								\
	cmocka_unit_test_setup(f, one_at_a_time),			\
	{ "batches: " #f, f, several_at_a_time, NULL, NULL },		\
	{ "tables: " #f, f, several_with_tables, NULL, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(id_beyond_the_ring),
		T(id_that_is_not_outstanding),
		T(id_a_second_time),
		T(id_that_was_not_shown),
		T(more_than_is_outstanding),
		T(length_above_what_was_posted),
		T(length_that_says_nothing),
		T(flags_that_lie),
		T(used_in_the_middle_of_a_list),
		T(batch_in_order),
		T(back_in_the_order),
		T(batch_beyond_its_index),
		T(length_of_a_batch),
		T(wishes_that_there_are_not),
		T(wishes_that_were_not_agreed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
