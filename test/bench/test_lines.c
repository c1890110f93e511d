/* SPDX-License-Identifier: ISC */
/*
 * What costs time on the way of a buffer: lines of the ring that go from the CPU
 * to the device and back. In full batches the limit of a split ring is 0.41 a
 * buffer (descriptor 16, available 2 and used entry 8 bytes of 64; an available
 * entry that stays as it is costs less), of a packed one 0.25: its descriptors go
 * there and come back used. Alone, with EVENT_IDX, a buffer moves both indices and
 * both events besides, in a packed ring the two events. A disk's request
 * has a table, a header and a status: one line, a quarter and a 64th; of the ring
 * less, as the descriptor that names a table stays as it is.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/blk.h>

#include "../../lib/core/virtq_var.h"
#include "desk.h"
#include "rig.h"

#define BATCH	256
#define ROUNDS	16

static struct rig rig;
static struct pv_virtq *vq;
static struct port_buf *buf;

static void
notified(struct rig *rg, unsigned int queue)
{
	struct rig_chain rc;

	while (rig_take(rg, queue, &rc))
		rig_give(rg, queue, rc.rc_head, 0);
}

static void
begin(uint64_t features)
{
	const struct pv_virtq_params params = {
		.vp_name = "q", .vp_maxpieces = 1, .vp_maxsegs = 1,
	};
	static const struct pv_feature_table none;

	desk_config("coherent,line=64");
	rig_new(&rig, PV_TYPE_ENTROPY);
	rig.rg_queues[0].rq_max = BATCH;
	rig.rg_offered |= features;
	rig.rg_notify = notified;
	assert_int_equal(pv_virtio_negotiate(rig_init(&rig), &none, NULL), 0);
	assert_int_equal(pv_virtq_alloc(&rig.rg_dev, 0, &params, &vq), 0);
	assert_int_equal(pv_virtio_start(&rig.rg_dev), 0);
	buf = port_buf_new(128);
}

static void
end(void)
{
	pv_virtio_stop(&rig.rg_dev);
	pv_virtq_free(vq);
	pv_virtio_fail(&rig.rg_dev);
	port_buf_free(buf);
}

/* Lines to the device and back, a thousand times a buffer. */
static unsigned int
milli_lines(unsigned int batch)
{
	const struct pv_piece pc = { buf->pb_map, 0, 64 };
	struct bench_counts bc;
	struct pv_used us;
	unsigned int i, round;

	bench_counts_reset();
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < batch; i++)
			assert_int_equal(pv_virtq_enqueue(vq, &pc, 1, 0, buf),
			    0);
		pv_virtq_publish(vq);
		for (i = 0; i < batch; i++)
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		pv_virtq_intr_enable(vq);
	}
	bench_counts(&bc);
	return (unsigned int)(bc.bc_moves * 1000 / 2 / (batch * ROUNDS));
}

static void
a_full_batch_moves_few_lines(void **state)
{
	(void)state;
	begin(0);
	milli_lines(BATCH);
	assert_in_range(milli_lines(BATCH), 370, 430);
	end();
	assert_int_equal(desk_finish(NULL), 0);
	begin(PV_F_BIT(PV_F_EVENT_IDX));
	milli_lines(BATCH);
	assert_in_range(milli_lines(BATCH), 370, 440);
	end();
}

static void
a_buffer_alone_moves_five(void **state)
{
	(void)state;
	begin(PV_F_BIT(PV_F_EVENT_IDX));
	milli_lines(1);
	assert_in_range(milli_lines(1), 4000, 5300);
	end();
}

static void
a_packed_ring_moves_fewer(void **state)
{
	(void)state;
	begin(PV_F_BIT(PV_F_RING_PACKED));
	milli_lines(BATCH);
	assert_in_range(milli_lines(BATCH), 240, 270);
	end();
	assert_int_equal(desk_finish(NULL), 0);
	begin(PV_F_BIT(PV_F_RING_PACKED) | PV_F_BIT(PV_F_EVENT_IDX));
	milli_lines(BATCH);
	assert_in_range(milli_lines(BATCH), 240, 280);
	milli_lines(1);
	assert_in_range(milli_lines(1), 1800, 2400);
	end();
}

/* A disk that says yes to all, and reads and writes no data. */
static void
disk(struct rig *rg, unsigned int queue)
{
	static const uint8_t good;
	struct rig_chain rc;
	uint8_t header[16];

	while (rig_take(rg, queue, &rc)) {
		rig_read(&rc, 0, header, sizeof(header));
		rig_write(&rc, rc.rc_inlen - 1, &good, 1);
		rig_give(rg, queue, rc.rc_head, rc.rc_inlen);
	}
}

static void
a_request_of_a_disk_moves_few(void **state)
{
	static struct pv_blk_request br[BATCH], *list[BATCH];
	const struct pv_blk_params params = { .bp_size = BATCH };
	struct bench_counts bc;
	struct pv_piece piece;
	struct pv_blk blk;
	unsigned int i, round, n;

	(void)state;
	desk_config("coherent,line=64");
	rig_new(&rig, PV_TYPE_BLK);
	rig.rg_queues[0].rq_max = BATCH;
	rig.rg_offered |= PV_F_BIT(PV_F_EVENT_IDX) |
	    PV_F_BIT(PV_F_INDIRECT_DESC);
	rig.rg_config[4] = 1;
	rig.rg_notify = disk;
	assert_int_equal(pv_blk_attach(&blk, rig_init(&rig), NULL, NULL,
	    &params), 0);
	buf = port_buf_new(4096);
	piece = (struct pv_piece){ buf->pb_map, 0, 4096 };
	memset(br, 0, sizeof(br));
	for (i = 0; i < BATCH; i++) {
		br[i].br_op = PV_BLK_WRITE;
		br[i].br_len = 4096;
		br[i].br_pieces = &piece;
		br[i].br_npieces = 1;
	}
	for (round = 0; round < ROUNDS; round++) {
		if (round == 1)
			bench_counts_reset();
		for (i = 0; i < BATCH; i++)
			list[i] = &br[i];
		assert_int_equal(pv_blk_submit(&blk, 0, list, BATCH, &n), 0);
		assert_int_equal(pv_blk_complete(&blk, 0, list, BATCH, &n), 0);
		assert_int_equal(n, BATCH);
		pv_blk_intr(&blk, 0, 1);
	}
	bench_counts(&bc);
	assert_in_range(bc.bc_moves * 1000 / 2 / (BATCH * (ROUNDS - 1)), 1400,
	    1450);
	assert_int_equal(rig.rg_queues[0].rq_notified, ROUNDS);
	assert_int_equal(pv_blk_detach(&blk), 0);
	port_buf_free(buf);
}

/* The lines of 64 bytes that members from first to last lie in. */
#define LINE_OF(member)	(((uintptr_t)vq + offsetof(struct pv_virtq, member)) / \
	64)
#define END_OF(member)	(((uintptr_t)(&vq->member + 1) - 1) / 64)

/*
 * Wherever the port's memory begins, a buffer touches of its queue's state one
 * line to submit and one to consume, which are one line of 128 bytes; and none
 * of them is another queue's.
 */
static void
what_a_queue_touches_is_together(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal((uintptr_t)vq % 128, 0);
	assert_int_equal(sizeof(*vq) % 128, 0);
	if (sizeof(void *) == 8) {
		assert_int_equal(END_OF(vq_flags), LINE_OF(vq_dev));
		assert_int_equal(LINE_OF(vq_used), LINE_OF(vq_dev) + 1);
		assert_int_equal(END_OF(vq_event), LINE_OF(vq_used));
		assert_int_equal(LINE_OF(vq_dev) % 2, 0);
	}
	end();
}

#define T(f)	cmocka_unit_test_teardown(f, desk_finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_full_batch_moves_few_lines),
		T(a_buffer_alone_moves_five),
		T(a_packed_ring_moves_fewer),
		T(a_request_of_a_disk_moves_few),
		T(what_a_queue_touches_is_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
