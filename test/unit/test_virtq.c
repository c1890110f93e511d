/* SPDX-License-Identifier: ISC */
/*
 * Virtqueues, split and packed, as the device's side sees them and as the
 * driver does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stand.h"
#include "wire.h"

#define QSIZE	8
#define BUFLEN	64

static const struct pv_feature_table no_features;

static struct stand stand;
static struct pv_virtq *vq;
static struct port_buf *bufs[64];
static unsigned int ninterrupts;
static struct fake_chain chain;

static void
interrupt(void *arg)
{
	(void)arg;
	ninterrupts++;
}

static struct pv_virtq_params params;
static uint64_t kind_of_ring;		/* RING_PACKED, IN_ORDER: offered too */

/* What a test changes before begin() does the rest. */
static void
prepare(enum stand_kind kind)
{
	stand_init(&stand, kind, PV_TYPE_ENTROPY, 1);
	stand.st_fd.fd_queues[0].fq_max = QSIZE;
	stand.st_fd.fd_features |= kind_of_ring;
	ninterrupts = 0;
	params = (struct pv_virtq_params){
		.vp_name = "test",
		.vp_maxpieces = 4,
		.vp_maxsegs = 8,
		.vp_policy = PV_VIRTQ_REFUSE,
		.vp_intr = interrupt,
	};
}

static void
negotiate_and_start(void)
{
	assert_int_equal(pv_virtio_negotiate(&stand.st_dev, &no_features, NULL),
	    0);
	assert_int_equal(pv_virtq_alloc(&stand.st_dev, 0, &params, &vq), 0);
	assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
}

static void
begin(void)
{
	unsigned int i;

	assert_int_equal(stand_attach(&stand), 0);
	negotiate_and_start();
	for (i = 0; i < 64; i++)
		bufs[i] = port_buf_new(BUFLEN);
}

static void
begin_kind(enum stand_kind kind)
{
	prepare(kind);
	begin();
}

static void
free_bufs(void)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		port_buf_free(bufs[i]);
		bufs[i] = NULL;
	}
}

static void
finish(void)
{
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	while (pv_virtq_drain(vq) != NULL)
		;
	assert_int_equal(pv_virtq_outstanding(vq), 0);
	pv_virtq_free(vq);
	free_bufs();
	assert_int_equal(stand_finish(&stand), 0);
}

static struct pv_virtq_counters
counters(void)
{
	struct pv_virtq_counters qc;

	pv_virtq_counters(vq, &qc);
	return qc;
}

static struct pv_piece
piece(unsigned int buf, size_t off, size_t len)
{
	return (struct pv_piece){ bufs[buf]->pb_map, off, len };
}

/* One buffer that the device writes. */
static int
post(unsigned int buf)
{
	struct pv_piece pc = piece(buf, 0, BUFLEN);

	return pv_virtq_enqueue(vq, &pc, 0, 1, bufs[buf]);
}

static int
post_and_publish(unsigned int buf)
{
	int error = post(buf);

	pv_virtq_publish(vq);
	return error;
}

static void
device_pops(void)
{
	assert_int_equal(fake_pop(&stand.st_fd, 0, &chain), 1);
}

/* The device takes one and fills it with c. */
static void
device_fills(char c, size_t len)
{
	char bytes[BUFLEN];

	memset(bytes, c, sizeof(bytes));
	device_pops();
	assert_int_equal(fake_chain_write(&chain, 0, bytes, len), len);
	fake_push(&stand.st_fd, 0, &chain, (uint32_t)len);
}

static void
expect_broken(const char *why)
{
	struct pv_used us;

	assert_int_equal(pv_virtq_dequeue(vq, &us), EIO);
	assert_int_equal(stand.st_nbroken, 1);
	assert_non_null(strstr(stand.st_why, why));
	assert_int_equal(pv_virtq_dequeue(vq, &us), EIO);
	assert_int_equal(post(60), EIO);
	assert_int_equal(pv_virtq_publish(vq), 0);
	assert_true(pv_virtq_pending(vq));
	assert_int_equal(stand.st_nbroken, 1);
}

/* Round trips */

static void
bytes_arrive_both_ways(enum stand_kind kind, int shadow, bus_size_t segsize,
    uint64_t without)
{
	struct pv_piece pc[2];
	struct pv_used us;
	char got[BUFLEN];
	unsigned int i;

	prepare(kind);
	port.po_shadow = shadow;
	port.po_segsize = segsize;
	stand.st_fd.fd_features &= ~without;
	/* A ring in one run of addresses whatever the buffers are. */
	port.po_segsize = 0;
	assert_int_equal(stand_attach(&stand), 0);
	negotiate_and_start();
	port.po_segsize = segsize;
	for (i = 0; i < 64; i++)
		bufs[i] = port_buf_new(BUFLEN);
	for (i = 0; i < 1000; i++) {
		memset(bufs[0]->pb_va, (int)i, BUFLEN);
		memset(bufs[1]->pb_va, 0x55, BUFLEN);
		pc[0] = piece(0, 1, 40);
		pc[1] = piece(1, 3, 50);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, bufs[0]), 0);
		assert_int_equal(pv_virtq_publish(vq), 1);
		device_pops();
		assert_int_equal(chain.fc_outlen, 40);
		assert_int_equal(chain.fc_inlen, 50);
		assert_int_equal(fake_chain_read(&chain, 0, got, 40), 40);
		assert_int_equal(got[39], (char)i);
		fake_chain_write(&chain, 0, got, 33);
		fake_push(&stand.st_fd, 0, &chain, 33);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_ptr_equal(us.us_cookie, bufs[0]);
		assert_int_equal(us.us_len, 33);
		assert_int_equal(bufs[1]->pb_va[2], 0x55);
		assert_int_equal(bufs[1]->pb_va[3], (uint8_t)i);
		assert_int_equal(bufs[1]->pb_va[35], (uint8_t)i);
		assert_int_equal(bufs[1]->pb_va[36], 0x55);
		assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
		pv_virtq_intr_enable(vq);
	}
	assert_int_equal(ninterrupts, 1000);
	finish();
}

static void
test_pci_carries_bytes(void **state)
{
	(void)state;
	bytes_arrive_both_ways(STAND_PCI, 0, 0, 0);
	bytes_arrive_both_ways(STAND_PCI, 0, 16, 0);
}

static void
test_mmio_carries_bytes(void **state)
{
	(void)state;
	bytes_arrive_both_ways(STAND_MMIO, 0, 16, 0);
}

static void
test_legacy_carries_bytes(void **state)
{
	(void)state;
	if (!STAND_HAS_LEGACY)
		skip();
	bytes_arrive_both_ways(STAND_LEGACY, 0, 16, 0);
	bytes_arrive_both_ways(STAND_LEGACY, 1, 0, 0);
}

static void
test_without_indirect_chains_use_the_ring(void **state)
{
	(void)state;
	bytes_arrive_both_ways(STAND_PCI, 0, 20,
	    PV_F_BIT(PV_F_INDIRECT_DESC));
	bytes_arrive_both_ways(STAND_PCI, 1, 20, PV_F_BIT(PV_F_INDIRECT_DESC));
}

static void
test_without_event_idx_flags_are_used(void **state)
{
	(void)state;
	bytes_arrive_both_ways(STAND_PCI, 0, 0, PV_F_BIT(PV_F_EVENT_IDX));
	bytes_arrive_both_ways(STAND_MMIO, 1, 0, PV_F_BIT(PV_F_EVENT_IDX));
}

static void
test_every_byte_is_synced_without_coherence(void **state)
{
	(void)state;
	bytes_arrive_both_ways(STAND_PCI, 1, 0, 0);
	bytes_arrive_both_ways(STAND_PCI, 1, 16, 0);
}

static void
test_coherent_maps_are_never_synced(void **state)
{
	(void)state;
	if (port_bus != &port_plain_bus)
		skip();		/* whose maps are what it was told */
	begin_kind(STAND_PCI);
	post_and_publish(0);
	device_fills('x', 10);
	assert_int_equal(port.po_nsyncs, 0);
	finish();
}

static void
test_a_refused_coherent_mapping_is_made_up_for(void **state)
{
	struct pv_used us;

	(void)state;
	prepare(STAND_PCI);
	port.po_shadow = 1;
	port.po_refuse_coherent = 1;
	begin();
	post_and_publish(0);
	device_fills('x', 10);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	finish();
}

/* Indices */

static void
test_indices_wrap_at_16_bits(void **state)
{
	struct pv_used us;
	unsigned int i, k, burst;

	(void)state;
	begin_kind(STAND_PCI);
	for (i = 0; i < 140000; i += burst) {
		burst = 1 + i % QSIZE;
		for (k = 0; k < burst; k++)
			assert_int_equal(post(k), 0);
		assert_int_equal(pv_virtq_publish(vq), 1);
		for (k = 0; k < burst; k++)
			device_fills('w', 4);
		for (k = 0; k < burst; k++) {
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
			assert_ptr_equal(us.us_cookie, bufs[k]);
		}
		assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
		assert_false(pv_virtq_intr_enable(vq));
	}
	assert_true(stand.st_fd.fd_queues[0].fq_interrupts > 10000);
	finish();
}

static void
test_chains_may_be_used_out_of_order(void **state)
{
	struct fake_chain *chains = calloc(QSIZE, sizeof(*chains));
	struct pv_used us;
	unsigned int i, round, k;

	(void)state;
	prepare(STAND_PCI);
	port.po_shadow = 1;
	begin();
	for (round = 0; round < 100; round++) {
		/* So that the next batch wraps around the ring's end. */
		assert_int_equal(post_and_publish(0), 0);
		device_fills('o', 1);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		for (i = 0; i < QSIZE; i++)
			assert_int_equal(post(i), 0);
		pv_virtq_publish(vq);
		for (i = 0; i < QSIZE; i++)
			assert_int_equal(fake_pop(&stand.st_fd, 0, &chains[i]),
			    1);
		for (i = 0; i < QSIZE; i++) {
			k = (i * 3 + round) % QSIZE;
			fake_push(&stand.st_fd, 0, &chains[k], k);
		}
		for (i = 0; i < QSIZE; i++) {
			k = (i * 3 + round) % QSIZE;
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
			assert_ptr_equal(us.us_cookie, bufs[k]);
			assert_int_equal(us.us_len, k);
		}
	}
	free(chains);
	finish();
}

/* One chain stays while tens of thousands pass it by. */
static void
test_a_slow_chain_stays_outstanding(void **state)
{
	struct fake_chain slow;
	struct pv_used us;
	unsigned int i;

	(void)state;
	begin_kind(STAND_PCI);
	post_and_publish(63);
	assert_int_equal(fake_pop(&stand.st_fd, 0, &slow), 1);
	for (i = 0; i < 70000; i++) {
		post_and_publish(0);
		device_fills('q', 1);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	}
	post(1);
	fake_push(&stand.st_fd, 0, &slow, 0);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_ptr_equal(us.us_cookie, bufs[63]);
	finish();
}

/* Room */

static void
test_a_full_queue_says_so_and_recovers(void **state)
{
	struct pv_used us;
	unsigned int i;

	(void)state;
	begin_kind(STAND_PCI);
	for (i = 0; i < QSIZE; i++) {
		assert_int_equal(pv_virtq_room(vq), QSIZE - i);
		assert_int_equal(post(i), 0);
	}
	assert_int_equal(post(i), ENOBUFS);
	assert_int_equal(counters().qc_full, 1);
	assert_int_equal(pv_virtq_outstanding(vq), QSIZE);
	pv_virtq_publish(vq);
	device_fills('f', 5);
	assert_int_equal(post(i), ENOBUFS);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(post(i), 0);
	assert_int_equal(post(i), ENOBUFS);
	finish();
}

/* Without tables a long chain needs as many descriptors as it has pieces. */
static void
test_a_chain_that_does_not_fit_changes_nothing(void **state)
{
	struct pv_piece pc[4];
	struct pv_used us;
	unsigned int i;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_features &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
	begin();
	for (i = 0; i < 4; i++)
		pc[i] = piece(i, 0, BUFLEN);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 2, 2, bufs[0]), 0);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 2, bufs[1]), 0);
	assert_int_equal(pv_virtq_room(vq), 1);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, bufs[2]), ENOBUFS);
	assert_int_equal(pv_virtq_room(vq), 1);
	assert_int_equal(post(5), 0);
	pv_virtq_publish(vq);
	for (i = 0; i < 3; i++) {
		device_pops();
		fake_push(&stand.st_fd, 0, &chain, 0);
	}
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(pv_virtq_room(vq), 4);
	for (i = 0; i < 2; i++)
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(pv_virtq_room(vq), QSIZE);
	finish();
}

static void
test_nonsense_pieces_are_refused(void **state)
{
	struct pv_piece pc[5];

	(void)state;
	begin_kind(STAND_PCI);
	pc[0] = piece(0, 0, 0);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 0, bufs[0]), EINVAL);
	pc[0] = piece(0, BUFLEN, 1);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 0, bufs[0]), EINVAL);
	pc[0] = piece(0, 1, BUFLEN);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 0, bufs[0]), EINVAL);
	pc[0] = piece(0, SIZE_MAX, 2);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 0, bufs[0]), EINVAL);
	pc[0] = piece(0, 1, SIZE_MAX);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 0, bufs[0]), EINVAL);
	pc[0] = pc[1] = pc[2] = pc[3] = pc[4] = piece(0, 0, 1);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 0, 0, bufs[0]), EINVAL);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 0, NULL), EINVAL);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 3, 2, bufs[0]), EFBIG);
	assert_int_equal(pv_virtq_enqueue(vq, pc, UINT32_MAX, 2, bufs[0]),
	    EFBIG);
	assert_int_equal(pv_virtq_outstanding(vq), 0);
	finish();
}

/* What fits in each field need not fit in their sum. */
static void
test_lengths_beyond_32_bits_are_refused(void **state)
{
	bus_dma_segment_t seg = { .ds_addr = 4096, .ds_len = 3ull << 32 };
	struct pv_bus_dmamap map = {
		.dm_mapsize = 3ull << 32, .dm_nsegs = 1, .dm_segs = &seg,
		.dm_flags = PV_BUS_DMAMAP_ISCOHERENT,
	};
	struct pv_piece pc[2] = {
		{ &map, 0, 1ull << 32 }, { &map, 0, UINT32_MAX },
	};
	struct pv_used us;

	(void)state;
	prepare(STAND_PCI);
	begin();
	assert_int_equal(pv_virtq_enqueue(vq, pc, 0, 1, bufs[0]), EINVAL);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 0, 2, bufs[0]), EINVAL);
	pc[0].pc_len = 1;
	assert_int_equal(pv_virtq_enqueue(vq, pc, 0, 2, bufs[0]), EINVAL);
	/* What the device reads does not count into what it writes. */
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, bufs[0]), 0);
	pv_virtq_publish(vq);
	device_pops();
	fake_push(&stand.st_fd, 0, &chain, UINT32_MAX);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(us.us_len, UINT32_MAX);
	finish();
}

/* POSTREAD over what the device wrote and nothing else; POSTWRITE over all. */
static void
test_post_syncs_cover_just_what_was_written(void **state)
{
	struct pv_piece pc[4];
	struct pv_used us;
	size_t len, first, i;

	(void)state;
	prepare(STAND_PCI);
	port.po_shadow = 1;
	begin();
	for (len = 0; len <= 30; len++) {
		pc[0] = piece(0, 5, 10);
		pc[1] = piece(1, 0, 10);
		pc[2] = piece(2, 3, 10);
		pc[3] = piece(3, 0, 20);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 2, 2, bufs[0]), 0);
		pv_virtq_publish(vq);
		device_pops();
		for (i = 0; i < len; i++)
			fake_chain_write(&chain, i, "x", 1);
		fake_push(&stand.st_fd, 0, &chain, (uint32_t)len);
		assert_int_equal(port_dma_owned(bufs[0]->pb_map, 0, BUFLEN,
		    BUS_DMASYNC_PREWRITE), 10);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		for (i = 0; i < 2; i++)
			assert_int_equal(port_dma_owned(bufs[i]->pb_map, 0,
			    BUFLEN, BUS_DMASYNC_PREWRITE), 0);
		first = len < 10 ? len : 10;
		assert_int_equal(port_dma_owned(bufs[2]->pb_map, 3, 10,
		    BUS_DMASYNC_PREREAD), 10 - first);
		assert_int_equal(port_dma_owned(bufs[3]->pb_map, 0, 20,
		    BUS_DMASYNC_PREREAD), 20 - (len - first));
	}
	finish();
}

static void
test_too_many_segments_are_refused(void **state)
{
	struct pv_piece pc[2];
	uint64_t without[] = { 0, PV_F_BIT(PV_F_INDIRECT_DESC) };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features &= ~without[i];
		params.vp_maxsegs = 5;
		assert_int_equal(stand_attach(&stand), 0);
		negotiate_and_start();
		port.po_segsize = 16;
		bufs[0] = port_buf_new(BUFLEN);
		bufs[1] = port_buf_new(BUFLEN);
		pc[0] = piece(0, 0, BUFLEN);
		pc[1] = piece(1, 0, 17);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, bufs[0]),
		    EFBIG);
		pc[1] = piece(1, 0, 16);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, bufs[0]), 0);
		pv_virtq_publish(vq);
		device_pops();
		assert_int_equal(chain.fc_nout, 4);
		assert_int_equal(chain.fc_nin, 1);
		finish();
	}
}

/* Tables that lie in several runs of addresses */
static void
test_tables_do_not_cross_segments(void **state)
{
	struct pv_piece pc[4];
	struct pv_used us;
	unsigned int i, n;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_queues[0].fq_max = 64;
	params.vp_maxsegs = 5;
	port.po_segsize = 2048;
	begin();
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 32; i++) {
			pc[0] = pc[1] = piece(i, 0, 8);
			pc[2] = pc[3] = piece(i + 32, 0, 8);
			assert_int_equal(pv_virtq_enqueue(vq, pc, 2, 2,
			    bufs[i]), 0);
		}
		pv_virtq_publish(vq);
		for (i = 0; i < 32; i++) {
			device_pops();
			assert_true(chain.fc_indirect);
			assert_int_equal(chain.fc_nout, 2);
			assert_int_equal(chain.fc_nin, 2);
			fake_push(&stand.st_fd, 0, &chain, 0);
		}
		for (i = 0; i < 32; i++)
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	}
	finish();
}

static void
test_no_memory_for_tables_is_no_failure(void **state)
{
	struct pv_piece pc[2];
	int fail;

	(void)state;
	for (fail = 0; fail < 40; fail++) {
		prepare(STAND_PCI);
		assert_int_equal(stand_attach(&stand), 0);
		assert_int_equal(pv_virtio_negotiate(&stand.st_dev,
		    &no_features, NULL), 0);
		port.po_fail_after = fail;
		vq = NULL;
		if (pv_virtq_alloc(&stand.st_dev, 0, &params, &vq) != 0) {
			assert_null(vq);
			port.po_fail_after = -1;
			assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
			assert_int_equal(stand_finish(&stand), 0);
			continue;
		}
		port.po_fail_after = -1;
		assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
		bufs[0] = port_buf_new(BUFLEN);
		pc[0] = pc[1] = piece(0, 0, 8);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 2, 0, bufs[0]), 0);
		pv_virtq_publish(vq);
		device_pops();
		assert_int_equal(chain.fc_nout, 2);
		finish();
	}
}

/* Notifications */

static void
test_no_doorbell_where_none_is_wanted(void **state)
{
	uint64_t without[] = { 0, PV_F_BIT(PV_F_EVENT_IDX) };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features &= ~without[i];
		begin();
		assert_int_equal(pv_virtq_publish(vq), 0);
		fake_no_notify(&stand.st_fd, 0, 1);
		assert_int_equal(post(0), 0);
		assert_int_equal(pv_virtq_publish(vq), 0);
		assert_int_equal(stand.st_fd.fd_queues[0].fq_doorbells, 0);
		fake_no_notify(&stand.st_fd, 0, 0);
		device_pops();
		assert_int_equal(post(1), 0);
		assert_int_equal(pv_virtq_publish(vq), 1);
		assert_int_equal(stand.st_fd.fd_queues[0].fq_doorbells, 1);
		finish();
	}
}

static void
test_a_batch_rings_once(void **state)
{
	unsigned int i;

	(void)state;
	begin_kind(STAND_PCI);
	for (i = 0; i < QSIZE; i++)
		assert_int_equal(post(i), 0);
	assert_int_equal(fake_available(&stand.st_fd, 0), 0);
	assert_int_equal(pv_virtq_publish(vq), 1);
	assert_int_equal(fake_available(&stand.st_fd, 0), QSIZE);
	assert_int_equal(stand.st_fd.fd_queues[0].fq_doorbells, 1);
	assert_int_equal(counters().qc_doorbells, 1);
	finish();
}

/* The device asks for the doorbell in the middle of the batch. */
static void
test_an_event_within_the_batch_rings(void **state)
{
	struct fake_queue *fq = &stand.st_fd.fd_queues[0];
	uint16_t event;
	unsigned int i, at;

	(void)state;
	for (at = 0; at < 6; at++) {
		begin_kind(STAND_PCI);
		event = wire16((uint16_t)(at + 1));
		port_dma_write(fq->fq_device + 4 + 8 * QSIZE, &event, 2);
		post(0);
		assert_int_equal(pv_virtq_publish(vq), 0);
		for (i = 1; i < 4; i++)
			post(i);
		/* Chains 1, 2, 3: wanted if the event is one of them. */
		assert_int_equal(pv_virtq_publish(vq), at + 1 <= 3);
		finish();
	}
}

static void
test_published_before_start_is_notified_at_start(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(&stand.st_dev, &no_features, NULL),
	    0);
	assert_int_equal(pv_virtq_alloc(&stand.st_dev, 0, &params, &vq), 0);
	bufs[0] = port_buf_new(BUFLEN);
	assert_int_equal(post(0), 0);
	assert_int_equal(pv_virtq_publish(vq), 0);
	assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
	assert_int_equal(stand.st_fd.fd_queues[0].fq_doorbells, 1);
	finish();
}

static void
test_notification_data_names_the_index(void **state)
{
	enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO };
	struct pv_used us;
	unsigned int i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		prepare(kinds[k]);
		stand.st_fd.fd_features |= PV_F_BIT(PV_F_NOTIFICATION_DATA);
		begin();
		for (i = 0; i < 66000; i++) {
			assert_int_equal(post_and_publish(0), 0);
			device_fills('n', 1);
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		}
		assert_int_equal(stand.st_fd.fd_queues[0].fq_notify_data >> 16,
		    66000 % 65536);
		finish();
	}
}

/* Interrupts */

static void
use_one_more(void)
{
	port_mb_hook = NULL;
	device_fills('r', 1);
}

/*
 * The device uses a chain after the driver found none and before it asked for
 * an interrupt: the question itself must find it.
 */
static void
test_enabling_interrupts_finds_what_just_came(void **state)
{
	uint64_t without[] = { 0, PV_F_BIT(PV_F_EVENT_IDX) };
	struct pv_used us;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features &= ~without[i];
		begin();
		post_and_publish(0);
		post_and_publish(1);
		pv_virtq_intr_disable(vq);
		device_fills('a', 1);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
		port_mb_hook = use_one_more;
		assert_true(pv_virtq_intr_enable(vq));
		assert_null(port_mb_hook);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_false(pv_virtq_intr_enable(vq));
		finish();
	}
}

/* The same the other way: the device goes to sleep as we publish. */
static void
device_goes_to_sleep(void)
{
	port_mb_hook = NULL;
	fake_no_notify(&stand.st_fd, 0, 0);
}

static void
test_publishing_looks_for_the_event_after_the_index(void **state)
{
	uint64_t without[] = { 0, PV_F_BIT(PV_F_EVENT_IDX) };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features &= ~without[i];
		begin();
		fake_no_notify(&stand.st_fd, 0, 1);
		post(0);
		port_mb_hook = device_goes_to_sleep;
		assert_int_equal(pv_virtq_publish(vq), 1);
		finish();
	}
}

/* What the device could see at each barrier, and of which kind it was. */
static char barriers[16];
static unsigned int nbarriers, nouter;
static unsigned int seen_avail[16];

static void
note_barrier(char kind, bool outer)
{
	uint16_t idx;

	if (nbarriers == sizeof(barriers))
		return;
	port_dma_read(stand.st_fd.fd_queues[0].fq_driver + 2, &idx,
	    sizeof(idx));
	seen_avail[nbarriers] = wire16(idx);
	barriers[nbarriers++] = kind;
	nouter += outer;
}

/* Entries before the index; the index before the question; and in dequeue. */
static void
test_barriers_stand_between(void **state)
{
	uint64_t with[] = { 0, PV_F_BIT(PV_F_ORDER_PLATFORM) };
	struct pv_used us;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features |= with[i];
		begin();
		nbarriers = nouter = 0;
		post(0);
		port_barrier_hook = note_barrier;
		pv_virtq_publish(vq);
		port_barrier_hook = NULL;
		device_fills('b', 1);
		port_barrier_hook = note_barrier;
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
		pv_virtq_intr_enable(vq);
		port_barrier_hook = NULL;
		assert_int_equal(nbarriers, 4);
		assert_memory_equal(barriers, "wmrm", 4);
		assert_int_equal(seen_avail[0], 0);
		assert_int_equal(seen_avail[1], 1);
		assert_int_equal(nouter, i * 4);
		finish();
	}
}

/* What is in the first descriptor of a packed ring, as the device sees it. */
static struct {
	char kind;
	int outer;
	uint64_t addr;
	uint16_t flags;
} at_barrier[16];
static unsigned int used_at;	/* where the next used one is */

/*
 * At the barrier before a used descriptor's id and length the device has not
 * written its length in full: who has read it before that has another.
 */
static void
note_packed_barrier(char kind, bool outer)
{
	bus_addr_t desc = stand.st_fd.fd_queues[0].fq_desc;
	uint8_t bytes[16];
	uint32_t len;

	if (nbarriers == sizeof(at_barrier) / sizeof(at_barrier[0]))
		return;
	port_dma_read(desc, bytes, sizeof(bytes));
	at_barrier[nbarriers].kind = kind;
	at_barrier[nbarriers].outer = outer;
	at_barrier[nbarriers].addr = wire_get(bytes, 8);
	at_barrier[nbarriers++].flags = (uint16_t)wire_get(bytes + 14, 2);
	if (kind == 'r') {
		len = wire32(2);
		port_dma_write(desc + 16 * used_at + 8, &len, sizeof(len));
	}
}

static void
expect_barriers(const char *kinds, int outer)
{
	unsigned int i;

	port_barrier_hook = NULL;
	assert_int_equal(nbarriers, strlen(kinds));
	for (i = 0; i < nbarriers; i++) {
		assert_int_equal(at_barrier[i].kind, kinds[i]);
		assert_int_equal(at_barrier[i].outer, outer);
	}
	nbarriers = 0;
}

static void
begin_barriers(void)
{
	nbarriers = 0;
	port_barrier_hook = note_packed_barrier;
}

/* A doorbell that was missed */

/* The device went to sleep just as we found that it awaits none. */
static void
publish_and_be_missed(void)
{
	fake_no_notify(&stand.st_fd, 0, 1);
	assert_int_equal(pv_virtq_publish(vq), 0);
	fake_no_notify(&stand.st_fd, 0, 0);
}

static void
expect_rung(unsigned int doorbells)
{
	struct pv_virtq_counters qc = counters();

	assert_int_equal(stand.st_fd.fd_queues[0].fq_doorbells, doorbells);
	assert_int_equal(qc.qc_again, doorbells);
	assert_int_equal(qc.qc_doorbells, doorbells);
}

static void
stalled_for(uint64_t ns)
{
	port.po_now_ns += ns;
	assert_int_equal(pv_virtq_stalled_ns(vq), ns);
}

/* Of which the device has not heard; where in the ring is given. */
static void
show_two(unsigned int first)
{
	struct pv_used us;
	unsigned int i;

	fake_no_notify(&stand.st_fd, 0, 1);
	for (i = 0; i < first; i++) {
		post_and_publish(0);
		device_fills('a', 1);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(post(i), 0);
	publish_and_be_missed();
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
}

/* A third is only enqueued. */
static void
a_doorbell_is_missed(unsigned int first)
{
	show_two(first);
	assert_int_equal(post(2), 0);
	stalled_for(PV_VIRTQ_AGAIN_NS - 1);
	expect_rung(0);
}

static void
one_comes_back(void)
{
	struct pv_used us;

	device_fills('b', 1);
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
}

/* Wherever that is in the ring, with EVENT_IDX and without. */
#define MISSES	(4 * QSIZE)

static void
begin_missed(unsigned int i, uint64_t features)
{
	const uint64_t without[] = { 0, PV_F_BIT(PV_F_EVENT_IDX) };

	prepare(STAND_PCI);
	stand.st_fd.fd_features &= ~without[i % 2];
	stand.st_fd.fd_features |= features;
	begin();
	a_doorbell_is_missed(i / 2);
}

static void
test_a_missed_doorbell_is_rung_again(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < MISSES; i++) {
		begin_missed(i, PV_F_BIT(PV_F_NOTIFICATION_DATA));
		port.po_now_ns++;
		assert_int_equal(pv_virtq_stalled_ns(vq), PV_VIRTQ_AGAIN_NS);
		expect_rung(1);
		/* Once, until something moves. */
		port.po_now_ns += PV_VIRTQ_AGAIN_NS;
		pv_virtq_stalled_ns(vq);
		expect_rung(1);
		one_comes_back();
		fake_no_notify(&stand.st_fd, 0, 0);
		stalled_for(PV_VIRTQ_AGAIN_NS);
		expect_rung(2);
		device_fills('c', 1);
		pv_virtq_publish(vq);
		finish();
	}
}

/* It works on them, and says so: that is no doorbell missed. */
static void
test_a_device_at_work_is_not_rung_again(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < MISSES; i++) {
		begin_missed(i, 0);
		fake_no_notify(&stand.st_fd, 0, 1);
		port.po_now_ns += PV_VIRTQ_AGAIN_NS;
		assert_true(pv_virtq_stalled_ns(vq) > PV_VIRTQ_AGAIN_NS);
		expect_rung(0);
		/* And now it is one. */
		fake_no_notify(&stand.st_fd, 0, 0);
		pv_virtq_stalled_ns(vq);
		expect_rung(1);
		finish();
	}
}

/* What has nothing, or is stopped, or broken, is silent. */
static void
test_a_queue_at_rest_is_not_rung_again(void **state)
{
	(void)state;
	begin_kind(STAND_PCI);
	stalled_for(0);
	assert_int_equal(post(0), 0);
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	publish_and_be_missed();
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	pv_virtio_break(&stand.st_dev, "test");
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	expect_rung(0);
	finish();
	begin_kind(STAND_PCI);
	assert_int_equal(post(0), 0);
	publish_and_be_missed();
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	expect_rung(0);
	finish();
}

/* How long the last of them hung is no word about the next. */
static void
test_a_restart_ends_a_standstill(void **state)
{
	(void)state;
	begin_kind(STAND_PCI);
	assert_int_equal(post(0), 0);
	publish_and_be_missed();
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	stalled_for(PV_VIRTQ_AGAIN_NS);
	expect_rung(1);
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	while (pv_virtq_drain(vq) != NULL)
		;
	assert_int_equal(pv_virtio_negotiate(&stand.st_dev, &no_features, NULL),
	    0);
	assert_int_equal(pv_virtq_restart(vq), 0);
	assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
	assert_int_equal(post(0), 0);
	publish_and_be_missed();
	port.po_now_ns += PV_VIRTQ_AGAIN_NS;
	assert_int_equal(pv_virtq_stalled_ns(vq), 0);
	stalled_for(PV_VIRTQ_AGAIN_NS);
	assert_int_equal(counters().qc_again, 2);
	finish();
}

/* Nothing that was stored before may hide from the look, or the device. */
static void
test_a_barrier_is_before_the_second_look(void **state)
{
	const uint64_t with[] = { 0, PV_F_BIT(PV_F_ORDER_PLATFORM) };
	int k;

	(void)state;
	for (k = 0; k < 2; k++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features |= with[k];
		begin();
		a_doorbell_is_missed(0);
		port.po_now_ns++;
		begin_barriers();
		pv_virtq_stalled_ns(vq);
		expect_barriers("m", k);
		expect_rung(1);
		finish();
	}
}

/* A descriptor before its flags, flags before the question; and in dequeue. */
static void
test_packed_barriers_stand_between(void **state)
{
	const uint64_t with[] = { 0, PV_F_BIT(PV_F_ORDER_PLATFORM) };
	struct pv_used us[2];
	unsigned int taken;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features |= with[i];
		begin();
		used_at = 0;
		begin_barriers();
		post(0);
		expect_barriers("", i);
		begin_barriers();
		assert_int_equal(pv_virtq_publish(vq), 1);
		assert_int_not_equal(at_barrier[0].addr, 0);
		assert_int_equal(at_barrier[0].flags & 0x8080, 0);
		assert_int_equal(at_barrier[1].flags & 0x8080, 0x80);
		expect_barriers("wm", i);
		device_fills('b', 1);
		begin_barriers();
		assert_int_equal(pv_virtq_dequeue(vq, us), 0);
		assert_int_equal(us[0].us_len, 2);
		assert_int_equal(pv_virtq_dequeue(vq, us), EAGAIN);
		expect_barriers("r", i);
		begin_barriers();
		assert_int_equal(pv_virtq_intr_enable(vq), 0);
		expect_barriers("m", i);
		post_and_publish(1);
		device_fills('c', 1);
		begin_barriers();
		used_at = 1;
		assert_int_equal(pv_virtq_dequeue_batch(vq, us, 2, &taken), 0);
		assert_int_equal(taken, 1);
		assert_int_equal(us[0].us_len, 2);
		expect_barriers("r", i);
		finish();
	}
}

static void
test_a_disabled_interrupt_stays_away(void **state)
{
	uint64_t without[] = { 0, PV_F_BIT(PV_F_EVENT_IDX) };
	struct pv_used us;
	unsigned int i, k;

	(void)state;
	for (k = 0; k < 4; k++) {
		prepare(STAND_PCI);
		port.po_shadow = (int)(k & 2);
		stand.st_fd.fd_features &= ~without[k & 1];
		begin();
		post_and_publish(0);
		device_fills('a', 1);
		assert_int_equal(ninterrupts, 1);
		pv_virtq_intr_disable(vq);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		for (i = 0; i < 100; i++) {
			post_and_publish(0);
			device_fills('a', 1);
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		}
		assert_int_equal(ninterrupts, 1);
		assert_false(pv_virtq_intr_enable(vq));
		post_and_publish(0);
		device_fills('a', 1);
		assert_int_equal(ninterrupts, 2);
		finish();
	}
}

static void
test_a_delayed_interrupt_comes_at_its_chain(void **state)
{
	struct pv_used us;
	unsigned int i;

	(void)state;
	begin_kind(STAND_PCI);
	for (i = 0; i < QSIZE; i++)
		post(i);
	pv_virtq_publish(vq);
	assert_false(pv_virtq_intr_delay(vq, 5));
	for (i = 0; i < 4; i++)
		device_fills('d', 1);
	assert_int_equal(ninterrupts, 0);
	device_fills('d', 1);
	assert_int_equal(ninterrupts, 1);
	/* Five are there already; of three outstanding no more can come. */
	assert_true(pv_virtq_intr_delay(vq, 5));
	for (i = 0; i < 5; i++)
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_false(pv_virtq_intr_delay(vq, 1000));
	for (i = 0; i < 3; i++)
		device_fills('d', 1);
	assert_int_equal(ninterrupts, 2);
	finish();
}

/* Violations */

static void
test_a_used_id_out_of_range_breaks(void **state)
{
	uint32_t ids[] = { QSIZE, 0x10000, 0x80000000, UINT32_MAX };
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		begin_kind(STAND_PCI);
		post_and_publish(0);
		fake_push_raw(&stand.st_fd, 0, ids[i], 0);
		fake_set_used_idx(&stand.st_fd, 0, 1);
		expect_broken("out of range");
		finish();
	}
}

static void
test_a_used_id_not_outstanding_breaks(void **state)
{
	(void)state;
	begin_kind(STAND_PCI);
	post_and_publish(0);
	fake_push_raw(&stand.st_fd, 0, 3, 0);
	fake_set_used_idx(&stand.st_fd, 0, 1);
	expect_broken("not outstanding");
	finish();
}

static void
test_a_used_id_within_a_chain_breaks(void **state)
{
	struct pv_piece pc[2];

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_features &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
	begin();
	pc[0] = pc[1] = piece(0, 0, 8);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, bufs[0]), 0);
	pv_virtq_publish(vq);
	device_pops();
	fake_push_raw(&stand.st_fd, 0, (chain.fc_head + 1) % QSIZE, 0);
	fake_set_used_idx(&stand.st_fd, 0, 1);
	expect_broken("not outstanding");
	finish();
}

static void
test_a_chain_used_twice_breaks(void **state)
{
	struct pv_used us;

	(void)state;
	begin_kind(STAND_PCI);
	post(0);
	post(1);
	pv_virtq_publish(vq);
	device_fills('a', 1);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	fake_push(&stand.st_fd, 0, &chain, 1);
	expect_broken("not outstanding");
	finish();
}

static void
test_a_chain_used_before_it_was_shown_breaks(void **state)
{
	(void)state;
	begin_kind(STAND_PCI);
	post_and_publish(0);
	assert_int_equal(post(1), 0);
	fake_push_raw(&stand.st_fd, 0, 1, 0);
	fake_set_used_idx(&stand.st_fd, 0, 1);
	expect_broken("not outstanding");
	finish();
}

static void
test_a_used_index_that_runs_ahead_breaks(void **state)
{
	uint16_t ahead[] = { 2, QSIZE, QSIZE + 1, 0x8000, 0xffff };
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		begin_kind(STAND_PCI);
		post_and_publish(0);
		post(1);	/* not shown: it does not count */
		fake_push_raw(&stand.st_fd, 0, 0, 0);
		fake_set_used_idx(&stand.st_fd, 0, ahead[i]);
		expect_broken("index");
		finish();
	}
}

static void
test_a_used_index_with_nothing_posted_breaks(void **state)
{
	(void)state;
	begin_kind(STAND_PCI);
	fake_set_used_idx(&stand.st_fd, 0, 1);
	expect_broken("index");
	finish();
}

static void
test_a_used_length_above_what_was_posted_breaks(void **state)
{
	uint32_t lens[] = { BUFLEN + 1, 0x53355885, UINT32_MAX };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin_kind(STAND_PCI);
		post_and_publish(0);
		device_pops();
		fake_push(&stand.st_fd, 0, &chain, lens[i]);
		expect_broken("length");
		finish();
	}
}

static void
test_or_is_clamped_and_counted(void **state)
{
	struct pv_piece pc[2];
	struct pv_used us;

	(void)state;
	prepare(STAND_PCI);
	params.vp_policy = PV_VIRTQ_CLAMP;
	port.po_shadow = 1;
	begin();
	pc[0] = piece(0, 0, 30);
	pc[1] = piece(1, 0, 20);
	/* What the device only reads does not count as room. */
	assert_int_equal(pv_virtq_enqueue(vq, pc, 1, 1, bufs[0]), 0);
	pv_virtq_publish(vq);
	device_pops();
	fake_push(&stand.st_fd, 0, &chain, 50);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(us.us_len, 20);
	assert_int_equal(counters().qc_clamped, 1);
	finish();
}

/* Whatever stands in the used ring, at each position of it */
static void
test_noise_in_the_used_ring_never_leaves_it(void **state)
{
	struct pv_used us;
	unsigned int seed, i, n;
	int error;

	(void)state;
	for (seed = 1; seed < 400; seed++) {
		prepare(seed & 1 ? STAND_PCI : STAND_OLDEST);
		params.vp_policy = seed & 2 ? PV_VIRTQ_CLAMP :
		    PV_VIRTQ_REFUSE;
		stand.st_fd.fd_lenient = 1;
		srand(seed);
		begin();
		for (n = 0; n < 50; n++) {
			for (i = 0; i < (unsigned int)rand() % QSIZE; i++)
				post((unsigned int)rand() % 64);
			pv_virtq_publish(vq);
			fake_push_raw(&stand.st_fd, 0, (uint32_t)rand() %
			    (QSIZE + 1), (uint32_t)rand() % (BUFLEN + 4));
			fake_set_used_idx(&stand.st_fd, 0,
			    (uint16_t)(stand.st_fd.fd_queues[0].fq_used +
			    (rand() % 8 == 0 ? rand() : 0)));
			do {
				error = pv_virtq_dequeue(vq, &us);
				if (error == 0)
					assert_true(us.us_len <= BUFLEN);
			} while (error == 0);
			if (error == EIO)
				break;
			assert_int_equal(error, EAGAIN);
		}
		finish();
	}
}

/* The end */

static unsigned int
drain_all(void)
{
	unsigned int n = 0;

	while (pv_virtq_drain(vq) != NULL)
		n++;
	return n;
}

static void
test_drain_gives_back_what_was_in_flight(void **state)
{
	struct pv_used us;
	unsigned int i, shadow;

	(void)state;
	for (shadow = 0; shadow < 2; shadow++) {
		prepare(STAND_PCI);
		port.po_shadow = (int)shadow;
		begin();
		for (i = 0; i < 5; i++)
			post_and_publish(i);
		assert_int_equal(post(5), 0);
		device_fills('x', 2);
		device_fills('x', 2);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_null(pv_virtq_drain(vq));
		assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
		assert_int_equal(drain_all(), 5);
		assert_false(pv_virtq_lost(vq));
		pv_virtq_free(vq);
		free_bufs();
		assert_int_equal(stand_finish(&stand), 0);
	}
}

/* A queue of which ids went round, with these bufs still in it, in order. */
static void
expect_drained(unsigned int first, unsigned int n)
{
	assert_int_equal(pv_virtq_outstanding(vq), n);
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	for (; n > 0; n--, first++) {
		assert_ptr_equal(pv_virtq_drain(vq), bufs[first]);
		assert_int_equal(pv_virtq_outstanding(vq), n - 1);
	}
	finish();
}

static void
test_drain_gives_back_in_the_order_of_queueing(void **state)
{
	struct pv_used us;
	unsigned int gone, i;

	(void)state;
	for (gone = 1; gone < 2 * QSIZE; gone++) {
		begin_kind(STAND_PCI);
		for (i = 0; i < gone; i++) {
			assert_int_equal(post_and_publish(i), 0);
			device_fills('d', 1);
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		}
		for (i = 0; i < QSIZE; i++)
			assert_int_equal(post(gone + i), 0);
		pv_virtq_publish(vq);
		expect_drained(gone, QSIZE);
	}
}

/* So that the ids of what is left are in no order at all. */
static void
test_drain_keeps_the_order_after_disorder(void **state)
{
	struct fake_chain *chains = calloc(QSIZE, sizeof(*chains));
	struct pv_used us;
	unsigned int i, k, round;

	(void)state;
	for (round = 1; round < 6; round++) {
		begin_kind(STAND_PCI);
		for (i = 0; i < QSIZE; i++)
			assert_int_equal(post(i), 0);
		pv_virtq_publish(vq);
		for (i = 0; i < QSIZE; i++)
			assert_int_equal(fake_pop(&stand.st_fd, 0, &chains[i]),
			    1);
		/* All but the last, which is older than what comes then. */
		for (i = 0; i < QSIZE - 1; i++) {
			k = (i * 3 + round) % (QSIZE - 1);
			fake_push(&stand.st_fd, 0, &chains[k], 0);
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		}
		for (i = 0; i < round; i++)
			assert_int_equal(post(QSIZE + i), 0);
		expect_drained(QSIZE - 1, 1 + round);
	}
	free(chains);
}

static void
test_drain_after_an_unconfirmed_reset_says_lost(void **state)
{
	unsigned int i, gone, nsyncs;

	(void)state;
	for (gone = 0; gone < 2; gone++) {
		prepare(STAND_PCI);
		port.po_shadow = 1;
		begin();
		for (i = 0; i < 5; i++)
			post_and_publish(i);
		if (gone)
			stand.st_fd.fd_gone = 1;
		else
			stand.st_fd.fd_reset_never = 1;
		assert_int_equal(pv_virtio_stop(&stand.st_dev), ETIMEDOUT);
		nsyncs = port.po_nsyncs;
		assert_int_equal(drain_all(), 5);
		assert_int_equal(port.po_nsyncs, nsyncs);
		assert_true(pv_virtq_lost(vq));
		assert_int_equal(pv_virtq_restart(vq), EBUSY);
		/* The rings stay: the device may still write them. */
		pv_virtq_free(vq);
		assert_true(port_logged("stay behind"));
		assert_int_equal(port.po_dmamems, 2);
		assert_int_equal(port.po_loads, 64 + 2);
		pv_pci_detach(&stand.st_pp);
		assert_int_equal(port_check_rules(), 0);
		stand.st_fd.fd_gone = 1;	/* or they could not be freed */
		free_bufs();
	}
	port_reset();
}

/* All of them, each as long as can be, when a later reset is confirmed. */
static void
test_tables_of_lost_chains_are_taken_back(void **state)
{
	struct pv_piece pc[4];
	unsigned int i, k;

	(void)state;
	prepare(STAND_PCI);
	params.vp_maxsegs = 4;
	begin();
	for (i = 0; i < QSIZE; i++) {
		for (k = 0; k < 4; k++)
			pc[k] = piece(4 * i + k, 0, BUFLEN);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 0, 4, bufs[i]), 0);
	}
	pv_virtq_publish(vq);
	stand.st_fd.fd_reset_never = 1;
	assert_int_equal(pv_virtio_stop(&stand.st_dev), ETIMEDOUT);
	assert_int_equal(drain_all(), QSIZE);
	stand.st_fd.fd_reset_never = 0;
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	finish();
}

static void
test_a_queue_runs_again_after_stop(void **state)
{
	struct pv_piece pc[2];
	struct pv_used us;
	unsigned int round;

	(void)state;
	begin_kind(STAND_PCI);
	for (round = 0; round < 5; round++) {
		pc[0] = pc[1] = piece(0, 0, 4);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 2, 0, bufs[0]), 0);
		pv_virtq_publish(vq);
		device_pops();
		assert_int_equal(chain.fc_indirect, (round & 1) == 0);
		fake_push(&stand.st_fd, 0, &chain, 0);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		post_and_publish(0);
		post_and_publish(1);
		device_fills('x', 2);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
		assert_int_equal(pv_virtq_restart(vq), EBUSY);
		assert_int_equal(drain_all(), 1);
		stand.st_fd.fd_features ^= PV_F_BIT(PV_F_INDIRECT_DESC);
		if (round & 1)
			stand.st_fd.fd_features ^= PV_F_BIT(PV_F_EVENT_IDX);
		assert_int_equal(pv_virtio_negotiate(&stand.st_dev,
		    &no_features, NULL), 0);
		assert_int_equal(pv_virtq_restart(vq), 0);
		assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
		assert_int_equal(pv_virtq_room(vq), QSIZE);
	}
	finish();
}

static void
test_a_broken_queue_runs_again_after_stop(void **state)
{
	struct pv_used us;

	(void)state;
	begin_kind(STAND_PCI);
	post_and_publish(0);
	fake_set_used_idx(&stand.st_fd, 0, 77);
	expect_broken("index");
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	assert_null(pv_virtio_broken(&stand.st_dev));
	assert_int_equal(drain_all(), 1);
	assert_int_equal(pv_virtio_negotiate(&stand.st_dev, &no_features, NULL),
	    0);
	assert_int_equal(pv_virtq_restart(vq), 0);
	assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
	post_and_publish(0);
	device_fills('x', 2);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	finish();
}

static void
test_a_smaller_queue_does_not_restart(void **state)
{
	(void)state;
	begin_kind(STAND_PCI);
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	stand.st_fd.fd_queues[0].fq_max = QSIZE / 2;
	assert_int_equal(pv_virtio_negotiate(&stand.st_dev, &no_features, NULL),
	    0);
	assert_int_equal(pv_virtq_restart(vq), EINVAL);
	finish();
}

/* Sizes */

static void
test_sizes_are_powers_of_two_within_bounds(void **state)
{
	static const struct {
		unsigned int max, wanted, size;
		int error;
	} cases[] = {
		{ 256, 0, 256, 0 }, { 256, 64, 64, 0 }, { 256, 65, 64, 0 },
		{ 4, 256, 4, 0 }, { 1, 0, 1, 0 }, { 100, 0, 64, 0 },
		{ 2048, 0, 1024, 0 }, { 32768, 32768, 32768, 0 },
		{ 0, 0, 0, ENXIO }, { 65535, 0, 0, EINVAL },
		{ 256, 32769, 0, EINVAL },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_queues[0].fq_max = cases[i].max;
		params.vp_size = cases[i].wanted;
		params.vp_maxsegs = params.vp_maxpieces = 1;
		assert_int_equal(stand_attach(&stand), 0);
		assert_int_equal(pv_virtio_negotiate(&stand.st_dev,
		    &no_features, NULL), 0);
		vq = NULL;
		assert_int_equal(pv_virtq_alloc(&stand.st_dev, 0, &params, &vq),
		    cases[i].error);
		if (cases[i].error == 0) {
			assert_int_equal(pv_virtq_size(vq), cases[i].size);
			assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
		}
		assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
		pv_virtq_free(vq);
		assert_int_equal(stand_finish(&stand), 0);
	}
}

/* A queue of one, and the largest there can be, at full use */
static void
test_extreme_sizes_carry(void **state)
{
	unsigned int sizes[] = { 1, 2, 4, 32768, 1, 2, 4, 8 }, i, n;
	struct pv_used us;

	(void)state;
	for (i = 0; i < 8; i++) {
		prepare(i < 4 ? STAND_PCI : STAND_OLDEST);
		stand.st_fd.fd_queues[0].fq_max = sizes[i];
		params.vp_size = sizes[i];
		params.vp_maxsegs = params.vp_maxpieces = 1;
		begin();
		for (n = 0; n < sizes[i]; n++)
			assert_int_equal(post(n % 64), 0);
		assert_int_equal(post(0), ENOBUFS);
		assert_int_equal(pv_virtq_publish(vq), 1);
		for (n = 0; n < sizes[i]; n++)
			device_fills('e', 1);
		for (n = 0; n < sizes[i]; n++)
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
		finish();
	}
}

/* Packed rings alone, and what both kinds do in order */

static bus_addr_t
slot_addr(unsigned int slot)
{
	return stand.st_fd.fd_queues[0].fq_desc + 16 * (bus_addr_t)slot;
}

/* A used descriptor of the first lap, as no honest device writes it. */
static void
device_lies(unsigned int slot, uint16_t id, uint32_t len, uint16_t flags)
{
	uint8_t b[8];

	wire_put(b, 4, len);
	wire_put(b + 4, 2, id);
	wire_put(b + 6, 2, flags | 0x8080);
	port_dma_write(slot_addr(slot) + 8, b, sizeof(b));
}

static void
test_packed_used_ids_are_judged(void **state)
{
	static const uint16_t ids[] = { QSIZE, 0x8000, 0xffff, 1 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		begin_kind(STAND_PCI);
		post_and_publish(0);
		if (ids[i] == 1)
			post(1);	/* which it has not been shown */
		device_lies(0, ids[i], 1, 2);
		expect_broken(ids[i] == 1 ? "not outstanding" :
		    "out of range");
		finish();
	}
}

static void
test_packed_more_than_there_is_breaks(void **state)
{
	struct pv_used us;

	(void)state;
	begin_kind(STAND_PCI);
	post_and_publish(0);
	device_lies(1, 0, 1, 2);
	device_lies(0, 0, 1, 2);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	expect_broken("not outstanding");
	finish();
}

/* Without WRITE the length is reserved; with it, the policy's. */
static void
test_packed_lengths_count_where_something_was_written(void **state)
{
	struct pv_used us;

	(void)state;
	begin_kind(STAND_PCI);
	post_and_publish(0);
	device_lies(0, 0, BUFLEN + 1, 0);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(us.us_len, 0);
	post_and_publish(0);
	device_lies(1, 1, BUFLEN, 0);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(us.us_len, BUFLEN);
	post_and_publish(0);
	device_lies(2, 2, BUFLEN + 1, 2);
	expect_broken("length");
	finish();
	prepare(STAND_PCI);
	params.vp_policy = PV_VIRTQ_CLAMP;
	begin();
	post_and_publish(0);
	device_lies(0, 0, BUFLEN + 1, 2);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	assert_int_equal(us.us_len, BUFLEN);
	assert_int_equal(counters().qc_clamped, 1);
	finish();
}

static void
test_packed_sizes_are_any(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 3, 5, 7, 60, 100, 257 };
	struct pv_piece pc[3];
	struct pv_used us;
	unsigned int i, n, chain_len;

	(void)state;
	for (i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		chain_len = i & 1 ? 3 : 1;
		prepare(STAND_PCI);
		stand.st_fd.fd_queues[0].fq_max = sizes[i / 2];
		stand.st_fd.fd_features &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
		begin();
		assert_int_equal(pv_virtq_size(vq), sizes[i / 2]);
		if (chain_len > sizes[i / 2])
			chain_len = 1;
		for (n = 0; n < 3 * sizes[i / 2] + 5; n++) {
			pc[0] = pc[1] = pc[2] = piece(n % 64, 0, 4);
			assert_int_equal(pv_virtq_enqueue(vq, pc, 0, chain_len,
			    bufs[n % 64]), 0);
			pv_virtq_publish(vq);
			device_fills('p', 4);
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
			assert_ptr_equal(us.us_cookie, bufs[n % 64]);
			assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
		}
		assert_int_equal(pv_virtq_room(vq), sizes[i / 2]);
		finish();
	}
}

/* next_off and next_wrap, around the ring and back. */
static void
test_packed_notification_data_names_the_place(void **state)
{
	const struct fake_queue *fq = &stand.st_fd.fd_queues[0];
	struct pv_used us;
	unsigned int i;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_features |= PV_F_BIT(PV_F_NOTIFICATION_DATA);
	begin();
	for (i = 1; i < 40; i++) {
		assert_int_equal(post_and_publish(0), 0);
		assert_int_equal(fq->fq_notify_data >> 16,
		    i % QSIZE | (i / QSIZE % 2 == 0 ? 0x8000u : 0));
		device_fills('n', 1);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	}
	finish();
}

/* What was published before the start, and no more, is what it is told of. */
static void
test_packed_a_start_names_what_was_published(void **state)
{
	const uint64_t with[] = { 0, PV_F_BIT(PV_F_ORDER_PLATFORM) };
	const struct fake_queue *fq = &stand.st_fd.fd_queues[0];
	int i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_features |= PV_F_BIT(PV_F_NOTIFICATION_DATA) |
		    with[k];
		assert_int_equal(stand_attach(&stand), 0);
		assert_int_equal(pv_virtio_negotiate(&stand.st_dev,
		    &no_features, NULL), 0);
		assert_int_equal(pv_virtq_alloc(&stand.st_dev, 0, &params,
		    &vq), 0);
		for (i = 0; i < 64; i++)
			bufs[i] = port_buf_new(BUFLEN);
		for (i = 0; i < 3; i++)
			assert_int_equal(post((unsigned int)i), 0);
		pv_virtq_publish(vq);
		assert_int_equal(post(3), 0);
		begin_barriers();
		assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
		expect_barriers("m", k);
		assert_int_equal(fq->fq_notify_data >> 16, 0x8003);
		pv_virtq_publish(vq);
		for (i = 0; i < 4; i++)
			device_fills('n', 1);
		finish();
	}
}

/* The device asks for one descriptor's notification: with it, or not at all. */
static void
test_packed_an_event_within_the_batch_rings(void **state)
{
	struct pv_used us;
	unsigned int first, at, i, pos;
	uint8_t b[4];

	(void)state;
	for (first = 0; first < 2 * QSIZE; first++)
		for (at = 0; at < 7; at++) {
			begin_kind(STAND_PCI);
			for (i = 0; i < first; i++) {
				post_and_publish(0);
				device_fills('e', 1);
				assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
			}
			/* The last is of the one that was shown before. */
			pos = at < 6 ? first + at : first + 2 * QSIZE - 1;
			wire_put(b, 2, pos % QSIZE |
			    (pos / QSIZE % 2 == 0 ? 0x8000u : 0));
			wire_put(b + 2, 2, 2);
			port_dma_write(stand.st_fd.fd_queues[0].fq_device, b,
			    sizeof(b));
			for (i = 0; i < 3; i++)
				post(i);
			assert_int_equal(pv_virtq_publish(vq), at < 3);
			finish();
		}
}

/* The event is of the two that it has, or of the one before, or the next. */
static void
test_packed_an_event_of_what_it_has_rings_again(void **state)
{
	unsigned int first, at, pos;
	uint8_t b[4];

	(void)state;
	for (first = 1; first < 2 * QSIZE; first++)
		for (at = 0; at < 4; at++) {
			begin_kind(STAND_PCI);
			show_two(first);
			pos = first - 1 + at;
			wire_put(b, 2, pos % QSIZE |
			    (pos / QSIZE % 2 == 0 ? 0x8000u : 0));
			wire_put(b + 2, 2, 2);
			port_dma_write(stand.st_fd.fd_queues[0].fq_device, b,
			    sizeof(b));
			stalled_for(PV_VIRTQ_AGAIN_NS);
			expect_rung(at == 1 || at == 2);
			finish();
		}
}

static void
test_packed_rings_are_coherent_or_not_at_all(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	port.po_refuse_coherent = 1;
	begin();
	assert_false(pv_virtio_has(&stand.st_dev, PV_F_RING_PACKED));
	assert_int_equal(pv_virtio_negotiation(&stand.st_dev)->ng_why[
	    PV_F_RING_PACKED], PV_WHY_TRANSPORT);
	post_and_publish(0);
	device_fills('c', 1);
	finish();
}

static void
test_packed_falls_first_where_it_is_refused(void **state)
{
	struct pv_used us;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_refuses = PV_F_BIT(PV_F_RING_PACKED);
	begin();
	assert_int_equal(pv_virtio_negotiation(&stand.st_dev)->ng_why[
	    PV_F_RING_PACKED], PV_WHY_REFUSED);
	assert_int_equal(pv_virtio_negotiation(&stand.st_dev)->ng_tries, 2);
	assert_true(pv_virtio_has(&stand.st_dev, PV_F_INDIRECT_DESC));
	post_and_publish(0);
	device_fills('f', 1);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	/* The next device has no objection: the same queue, of another kind. */
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	stand.st_fd.fd_refuses = 0;
	assert_int_equal(pv_virtio_negotiate(&stand.st_dev, &no_features, NULL),
	    0);
	assert_true(pv_virtio_has(&stand.st_dev, PV_F_RING_PACKED));
	assert_int_equal(pv_virtq_restart(vq), 0);
	assert_int_equal(pv_virtio_start(&stand.st_dev), 0);
	post_and_publish(0);
	device_fills('g', 1);
	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	finish();
}

/* One used entry for several chains: those before the last were used whole. */
static void
test_in_order_a_batch_is_one_entry(void **state)
{
	struct pv_piece pc[3];
	struct pv_used us;
	unsigned int i, n, round;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_batch = 3;
	begin();
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 3; i++) {
			n = i == 1 ? 3 : 1;
			pc[0] = pc[1] = pc[2] = piece(i, 0, 8);
			assert_int_equal(pv_virtq_enqueue(vq, pc, 0, n,
			    bufs[i]), 0);
		}
		pv_virtq_publish(vq);
		for (i = 0; i < 3; i++)
			device_fills('b', i == 0 ? 8 : i == 1 ? 24 : 5);
		for (i = 0; i < 3; i++) {
			assert_true(pv_virtq_pending(vq));
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
			assert_ptr_equal(us.us_cookie, bufs[i]);
			assert_int_equal(us.us_len,
			    i == 0 ? 8 : i == 1 ? 24 : 5);
		}
		assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
		assert_false(pv_virtq_pending(vq));
		assert_int_equal(pv_virtq_room(vq), QSIZE);
	}
	finish();
}

/*
 * Chains of several descriptors, so that an id alone does not tell how many are
 * before it: what was shown is told from what was not.
 */
static void
test_in_order_without_tables_a_batch_is_what_was_shown(void **state)
{
	struct pv_piece pc[3];
	struct pv_used us;
	unsigned int i;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_batch = 3;
	stand.st_fd.fd_features &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
	begin();
	pc[0] = pc[1] = pc[2] = piece(1, 0, 8);
	assert_int_equal(post(0), 0);
	assert_int_equal(pv_virtq_enqueue(vq, pc, 0, 3, bufs[1]), 0);
	assert_int_equal(post_and_publish(2), 0);
	for (i = 0; i < 3; i++)
		device_fills('s', i == 0 ? BUFLEN : i == 1 ? 24 : 5);
	assert_int_equal(post(3), 0);
	assert_int_equal(post(4), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_ptr_equal(us.us_cookie, bufs[i]);
	}
	assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
	finish();
}

/* As many as there is room for, whatever the device used at once. */
static void
test_in_order_a_batch_is_taken_in_parts(void **state)
{
	struct pv_piece pc[3];
	struct pv_used us[QSIZE];
	unsigned int i, n, k, most, round, odd;

	(void)state;
	for (odd = 0; odd < 7; odd++) {
		prepare(STAND_PCI);
		stand.st_fd.fd_batch = 6;
		begin();
		for (round = 0; round < 12; round++) {
			most = 1 + round % 5;
			/* One of them is of several pieces. */
			for (i = 0; i < 6; i++) {
				pc[0] = pc[1] = pc[2] = piece(i, 0, 8);
				assert_int_equal(pv_virtq_enqueue(vq, pc, 0,
				    i == odd ? 3 : 1, bufs[i]), 0);
			}
			pv_virtq_publish(vq);
			for (i = 0; i < 6; i++)
				device_fills('b', i == odd ? 24 : i == 5 ? 5 :
				    8);
			for (i = 0; i < 6; i += n) {
				assert_int_equal(pv_virtq_dequeue_batch(vq, us,
				    most, &n), 0);
				assert_true(n > 0 && n <= most);
				for (k = 0; k < n; k++) {
					assert_ptr_equal(us[k].us_cookie,
					    bufs[i + k]);
					assert_int_equal(us[k].us_len,
					    i + k == odd ? 24 : i + k == 5 ?
					    5 : 8);
				}
			}
			assert_int_equal(pv_virtq_dequeue_batch(vq, us, most,
			    &n), EAGAIN);
			assert_int_equal(pv_virtq_room(vq), QSIZE);
		}
		finish();
	}
}

/* What the device has still is behind its batch. */
static void
test_in_order_a_batch_ends_where_it_says(void **state)
{
	struct pv_used us[6];
	unsigned int i, k, n;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_batch = 3;
	begin();
	for (i = 0; i < 6; i++)
		post(i);
	pv_virtq_publish(vq);
	for (k = 0; k < 6; k += 3) {
		for (i = 0; i < 3; i++)
			device_fills('e', i < 2 ? BUFLEN : 5);
		assert_int_equal(pv_virtq_dequeue_batch(vq, us, 6, &n), 0);
		assert_int_equal(n, 3);
		for (i = 0; i < 3; i++)
			assert_ptr_equal(us[i].us_cookie, bufs[k + i]);
		assert_int_equal(us[2].us_len, 5);
	}
	assert_int_equal(pv_virtq_dequeue_batch(vq, us, 6, &n), EAGAIN);
	finish();
}

/* What the lap before left in the ring is no word of those within a batch. */
static void
test_in_order_a_batch_after_single_ones(void **state)
{
	struct pv_used us;
	unsigned int i, round;

	(void)state;
	prepare(STAND_PCI);
	begin();
	for (round = 0; round < 6; round++) {
		stand.st_fd.fd_batch = round % 2 * QSIZE;
		for (i = 0; i < QSIZE; i++)
			post(i);
		pv_virtq_publish(vq);
		for (i = 0; i < QSIZE; i++)
			device_fills('s', round % 2 && i + 1 < QSIZE ? BUFLEN :
			    5);
		for (i = 0; i < QSIZE; i++) {
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
			assert_ptr_equal(us.us_cookie, bufs[i]);
			assert_int_equal(us.us_len,
			    round % 2 && i + 1 < QSIZE ? BUFLEN : 5);
		}
	}
	finish();
}

static void
test_in_order_without_tables_descriptors_follow(void **state)
{
	struct pv_piece pc[3];
	struct pv_used us;
	unsigned int i, n;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_features &= ~PV_F_BIT(PV_F_INDIRECT_DESC);
	begin();
	for (i = 0; i < 50; i++) {
		n = 1 + i % 3;
		pc[0] = pc[1] = pc[2] = piece(0, 0, 8);
		assert_int_equal(pv_virtq_enqueue(vq, pc, 0, n, bufs[0]), 0);
		assert_int_equal(post(1), 0);
		pv_virtq_publish(vq);
		device_fills('d', 8);
		device_fills('e', 8);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_ptr_equal(us.us_cookie, bufs[0]);
		assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		assert_ptr_equal(us.us_cookie, bufs[1]);
	}
	assert_int_equal(pv_virtq_room(vq), QSIZE);
	finish();
}

/* A split ring tells how many: one entry can't stand for more than that. */
static void
test_in_order_an_id_ahead_of_the_index_breaks(void **state)
{
	unsigned int i;

	(void)state;
	begin_kind(STAND_PCI);
	for (i = 0; i < 3; i++)
		post(i);
	pv_virtq_publish(vq);
	for (i = 0; i < 3; i++)
		device_pops();
	fake_push_raw(&stand.st_fd, 0, 2, 1);
	fake_set_used_idx(&stand.st_fd, 0, 2);
	expect_broken("out of order");
	finish();
}

/* Many at once, and one queue that stops */

static void
test_batches_go_as_far_as_they_can(void **state)
{
	struct pv_piece pcs[QSIZE + 2];
	void *cookies[QSIZE + 2];
	struct pv_used us[QSIZE + 2];
	unsigned int i, n, round;

	(void)state;
	begin_kind(STAND_PCI);
	for (i = 0; i < QSIZE + 2; i++) {
		pcs[i] = piece(i, 0, BUFLEN);
		cookies[i] = bufs[i];
	}
	for (round = 0; round < 20; round++) {
		assert_int_equal(pv_virtq_dequeue_batch(vq, us, 4, &n),
		    EAGAIN);
		assert_int_equal(n, 0);
		assert_int_equal(pv_virtq_enqueue_batch(vq, pcs, cookies, 5, 1,
		    &n), 0);
		assert_int_equal(n, 5);
		assert_int_equal(pv_virtq_enqueue_batch(vq, pcs + 5,
		    cookies + 5, 5, 1, &n), ENOBUFS);
		assert_int_equal(n, 3);
		pv_virtq_publish(vq);
		for (i = 0; i < 6; i++)
			device_fills('m', i + 1);
		assert_int_equal(pv_virtq_dequeue_batch(vq, us, 4, &n), 0);
		assert_int_equal(n, 4);
		assert_int_equal(pv_virtq_dequeue_batch(vq, us + 4, 5, &n), 0);
		assert_int_equal(n, 2);
		for (i = 0; i < 6; i++) {
			assert_ptr_equal(us[i].us_cookie, bufs[i]);
			assert_int_equal(us[i].us_len, i + 1);
		}
		device_fills('m', 1);
		device_fills('m', 1);
		assert_int_equal(pv_virtq_dequeue_batch(vq, us, 9, &n), 0);
		assert_int_equal(n, 2);
		/* One that is no good ends it; what came before counts. */
		pcs[2].pc_len = BUFLEN + 1;
		assert_int_equal(pv_virtq_enqueue_batch(vq, pcs, cookies, 5, 0,
		    &n), EINVAL);
		assert_int_equal(n, 2);
		pcs[2].pc_len = BUFLEN;
		cookies[1] = NULL;
		assert_int_equal(pv_virtq_enqueue_batch(vq, pcs, cookies, 5, 0,
		    &n), EINVAL);
		assert_int_equal(n, 1);
		cookies[1] = bufs[1];
		pv_virtq_publish(vq);
		for (i = 0; i < 3; i++) {
			device_pops();
			fake_push(&stand.st_fd, 0, &chain, 0);
		}
		assert_int_equal(pv_virtq_dequeue_batch(vq, us, 9, &n), 0);
		assert_int_equal(n, 3);
		assert_int_equal(counters().qc_used,
		    (round + 1) * 11);
	}
	finish();
}

/* Pieces of one map, each where the one before it ended. */
static void
test_a_batch_of_one_map_lies_where_it_is(void **state)
{
	struct port_buf *big;
	struct pv_piece pcs[QSIZE];
	void *cookies[QSIZE];
	struct pv_used us[QSIZE];
	unsigned int i, k, n;

	(void)state;
	/* In one segment, and in one each. */
	for (k = 0; k < 2; k++) {
		begin_kind(STAND_PCI);
		port.po_segsize = k * BUFLEN;
		big = port_buf_new(QSIZE * BUFLEN);
		for (i = 0; i < QSIZE; i++) {
			pcs[i] = (struct pv_piece){ big->pb_map, i * BUFLEN,
			    BUFLEN };
			cookies[i] = bufs[i];
		}
		assert_int_equal(pv_virtq_enqueue_batch(vq, pcs, cookies,
		    QSIZE, 1, &n), 0);
		assert_int_equal(n, QSIZE);
		pv_virtq_publish(vq);
		for (i = 0; i < QSIZE; i++)
			device_fills((char)('a' + i), BUFLEN);
		assert_int_equal(pv_virtq_dequeue_batch(vq, us, QSIZE, &n), 0);
		assert_int_equal(n, QSIZE);
		for (i = 0; i < QSIZE; i++) {
			assert_ptr_equal(us[i].us_cookie, bufs[i]);
			assert_int_equal(big->pb_va[i * BUFLEN], 'a' + i);
			assert_int_equal(big->pb_va[(i + 1) * BUFLEN - 1],
			    'a' + i);
		}
		port_buf_free(big);
		finish();
	}
}

static void
test_one_queue_is_reset_and_resized(void **state)
{
	static const enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO,
	    STAND_PCI };
	struct pv_used us;
	unsigned int i, k, round;

	(void)state;
	for (k = 0; k < 3; k++) {
		prepare(kinds[k]);
		if (k == 2)
			stand.st_fp.fp_vectors = 0;
		stand.st_fd.fd_features |= PV_F_BIT(PV_F_RING_RESET);
		stand.st_fd.fd_queue_looks = 3;
		begin();
		assert_int_equal(pv_virtq_reenable(vq), EBUSY);
		assert_int_equal(pv_virtq_resize(vq, 4), EBUSY);
		for (round = 0; round < 4; round++) {
			for (i = 0; i < 4; i++)
				post(i);
			pv_virtq_publish(vq);
			device_fills('r', 1);
			device_fills('r', 1);
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
			assert_int_equal(post(5), 0);
			assert_int_equal(pv_virtq_reset(vq), 0);
			assert_int_equal(pv_virtq_reset(vq), EINVAL);
			assert_int_equal(pv_virtq_publish(vq), 0);
			assert_int_equal(post(9), ENOBUFS);
			assert_int_equal(pv_virtq_dequeue(vq, &us), EAGAIN);
			assert_int_equal(pv_virtq_dequeue_batch(vq, &us, 1,
			    &i), EAGAIN);
			assert_false(pv_virtq_pending(vq));
			assert_int_equal(pv_virtq_reenable(vq), EBUSY);
			assert_int_equal(drain_all(), 4);
			if (round == 1)
				assert_int_equal(pv_virtq_resize(vq, 4), 0);
			if (round == 2) {
				port.po_fail_after = 3;
				assert_int_equal(pv_virtq_resize(vq, 8),
				    ENOMEM);
				port.po_fail_after = -1;
				assert_int_equal(pv_virtq_resize(vq, 32769),
				    EINVAL);
				assert_int_equal(pv_virtq_size(vq), 4);
				assert_int_equal(pv_virtq_resize(vq, 0), 0);
			}
			assert_int_equal(pv_virtq_reenable(vq), 0);
			assert_int_equal(pv_virtq_size(vq),
			    round == 1 ? 4 : QSIZE);
			assert_int_equal(pv_virtq_room(vq),
			    pv_virtq_size(vq));
			ninterrupts = 0;
			post_and_publish(0);
			device_fills('s', 1);
			assert_int_equal(ninterrupts, 1);
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
		}
		finish();
	}
}

static void
test_a_reset_of_a_queue_that_never_ends(void **state)
{
	static const enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO };
	unsigned int k;

	(void)state;
	for (k = 0; k < 2; k++) {
		prepare(kinds[k]);
		begin();
		assert_int_equal(pv_virtq_reset(vq), ENOTSUP);
		finish();
		prepare(kinds[k]);
		stand.st_fd.fd_features |= PV_F_BIT(PV_F_RING_RESET);
		stand.st_fd.fd_queue_looks = 1u << 30;
		begin();
		post_and_publish(0);
		assert_int_equal(pv_virtq_reset(vq), ETIMEDOUT);
		assert_int_equal(stand.st_nbroken, 1);
		assert_int_equal(pv_virtq_reset(vq), EIO);
		assert_int_equal(pv_virtq_reenable(vq), EIO);
		assert_null(pv_virtq_drain(vq));
		finish();
	}
}

/* The next used buffer is posted again. */
static void
turn_around(void)
{
	struct pv_used us;
	unsigned int buf = 0;

	assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	while (bufs[buf] != us.us_cookie)
		buf++;
	assert_int_equal(post(buf), 0);
}

/* A full ring, whose interrupts come after so many, one delay after another. */
static void
moderated(unsigned int most, const unsigned int *delays, unsigned int ndelays)
{
	unsigned int i, n;

	begin_kind(STAND_PCI);
	for (i = 0; i < QSIZE; i++)
		post(i);
	pv_virtq_publish(vq);
	for (i = 0; i < ndelays; i++) {
		assert_int_equal(pv_virtq_moderate(vq, most), 0);
		for (n = 1; n <= delays[i]; n++) {
			ninterrupts = 0;
			device_fills('t', 1);
			assert_int_equal(ninterrupts, n == delays[i]);
		}
		for (n = 0; n < delays[i]; n++)
			turn_around();
		pv_virtq_publish(vq);
	}
}

/* Longer while all comes, one again when it does not. */
static void
test_moderation_follows_what_comes(void **state)
{
	static const unsigned int delays[] = { 1, 2, 4, 5, 5 };

	(void)state;
	moderated(5, delays, 5);
	assert_int_equal(pv_virtq_moderate(vq, 5), 0);
	assert_int_equal(pv_virtq_moderate(vq, 5), 0);
	ninterrupts = 0;
	device_fills('u', 1);
	assert_int_equal(ninterrupts, 1);
	finish();
}

/* Wherever in the ring the last of them lies. */
static void
test_an_interrupt_comes_after_so_many(void **state)
{
	struct pv_used us;
	unsigned int first, i;
	uint8_t b[2];

	(void)state;
	begin_kind(STAND_PCI);
	for (first = 0; first < 4 * QSIZE; first++) {
		for (i = 0; i < 3; i++)
			post(i);
		pv_virtq_publish(vq);
		assert_int_equal(pv_virtq_intr_delay(vq, 3), 0);
		if (kind_of_ring & PV_F_BIT(PV_F_RING_PACKED)) {
			port_dma_read(stand.st_fd.fd_queues[0].fq_driver, b, 2);
			assert_true((wire_get(b, 2) & 0x7fff) < QSIZE);
		}
		for (i = 0; i < 3; i++) {
			ninterrupts = 0;
			device_fills('d', 1);
			assert_int_equal(ninterrupts, i == 2);
		}
		for (i = 0; i < 3; i++)
			assert_int_equal(pv_virtq_dequeue(vq, &us), 0);
	}
	finish();
}

/* A quarter of what is there is left for the device to go on with. */
static void
test_moderation_leaves_the_device_something(void **state)
{
	static const unsigned int delays[] = { 1, 2, 4, 6 };

	(void)state;
	moderated(100, delays, 4);
	finish();
}

/* A descriptor's length has 32 bits. */
static void
test_a_piece_of_4_gib_is_refused(void **state)
{
	struct pv_piece pc, pcs[2];
	bus_size_t was;
	unsigned int n;
	void *cookie, *cookies[2];

	(void)state;
	if (getenv("PARAVANE_BENCH") != NULL)
		return;			/* which knows what is in the map */
	begin_kind(STAND_PCI);
	was = bufs[0]->pb_map->dm_mapsize;
	bufs[0]->pb_map->dm_mapsize = 1ull << 33;
	bufs[0]->pb_map->dm_segs[0].ds_len = 1ull << 33;
	pc = piece(0, 0, BUFLEN);
	pc.pc_len = 1ull << 32;
	cookie = bufs[0];
	assert_int_equal(pv_virtq_enqueue(vq, &pc, 0, 1, bufs[0]), EINVAL);
	assert_int_equal(pv_virtq_enqueue_batch(vq, &pc, &cookie, 1, 1, &n),
	    EINVAL);
	assert_int_equal(n, 0);
	assert_int_equal(pv_virtq_enqueue(vq, &pc, 1, 0, bufs[0]), EINVAL);
	/* Nor where the one before it was in the same segment. */
	pcs[0] = piece(0, 0, 16);
	pcs[1] = pc;
	cookies[0] = cookies[1] = bufs[0];
	assert_int_equal(pv_virtq_enqueue_batch(vq, pcs, cookies, 2, 1, &n),
	    EINVAL);
	assert_int_equal(n, 1);
	bufs[0]->pb_map->dm_mapsize = was;
	bufs[0]->pb_map->dm_segs[0].ds_len = was;
	finish();
}

static void
test_a_batch_of_a_broken_device_is_none(void **state)
{
	struct pv_used us[QSIZE];
	unsigned int n = 7;

	(void)state;
	begin_kind(STAND_PCI);
	post(0);
	post_and_publish(1);
	device_fills('b', 1);
	device_fills('b', 1);
	pv_virtio_break(&stand.st_dev, "by another thread");
	assert_int_equal(pv_virtq_dequeue_batch(vq, us, QSIZE, &n), EIO);
	assert_int_equal(n, 0);
	finish();
}

/* A device may say another size at each time that it is asked. */
static void
test_sizes_after_a_reset_are_judged(void **state)
{
	static const struct {
		unsigned int max, size;
		int error;
	} cases[] = { { 0, 4, EINVAL }, { 65535, 4, EINVAL },
	    { 32769, 4, EINVAL }, { 32768, 4, 0 }, { QSIZE, 32769, EINVAL },
	    { QSIZE, 32768, 0 } };
	unsigned int i;

	(void)state;
	prepare(STAND_PCI);
	stand.st_fd.fd_features |= PV_F_BIT(PV_F_RING_RESET);
	begin();
	assert_int_equal(pv_virtq_reset(vq), 0);
	assert_int_equal(pv_virtq_publish(vq), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stand.st_fd.fd_queues[0].fq_max = cases[i].max;
		stand.st_fd.fd_queues[0].fq_size = cases[i].max;
		assert_int_equal(pv_virtq_resize(vq, cases[i].size),
		    cases[i].error);
	}
	/* It runs, so that it is not restarted, but enabled again; once. */
	assert_int_equal(pv_virtq_restart(vq), EBUSY);
	assert_int_equal(pv_virtq_reenable(vq), 0);
	assert_int_equal(pv_virtio_stop(&stand.st_dev), 0);
	assert_int_equal(pv_virtq_reenable(vq), EBUSY);
	finish();
}

static int
ring_split(void **state)
{
	(void)state;
	kind_of_ring = 0;
	return 0;
}

static int
ring_packed(void **state)
{
	(void)state;
	kind_of_ring = PV_F_BIT(PV_F_RING_PACKED);
	return 0;
}

static int
ring_split_in_order(void **state)
{
	(void)state;
	kind_of_ring = PV_F_BIT(PV_F_IN_ORDER);
	return 0;
}

static int
ring_packed_in_order(void **state)
{
	(void)state;
	kind_of_ring = PV_F_BIT(PV_F_RING_PACKED) | PV_F_BIT(PV_F_IN_ORDER);
	return 0;
}

#define T(test)	cmocka_unit_test(test)

static const struct CMUnitTest all[] = {
	T(test_pci_carries_bytes),
	T(test_mmio_carries_bytes),
	T(test_without_indirect_chains_use_the_ring),
	T(test_without_event_idx_flags_are_used),
	T(test_every_byte_is_synced_without_coherence),
	T(test_coherent_maps_are_never_synced),
	T(test_a_refused_coherent_mapping_is_made_up_for),
	T(test_indices_wrap_at_16_bits),
	T(test_a_full_queue_says_so_and_recovers),
	T(test_a_chain_that_does_not_fit_changes_nothing),
	T(test_nonsense_pieces_are_refused),
	T(test_lengths_beyond_32_bits_are_refused),
	T(test_post_syncs_cover_just_what_was_written),
	T(test_too_many_segments_are_refused),
	T(test_tables_do_not_cross_segments),
	T(test_no_memory_for_tables_is_no_failure),
	T(test_no_doorbell_where_none_is_wanted),
	T(test_a_batch_rings_once),
	T(test_a_missed_doorbell_is_rung_again),
	T(test_a_device_at_work_is_not_rung_again),
	T(test_a_queue_at_rest_is_not_rung_again),
	T(test_a_restart_ends_a_standstill),
	T(test_a_barrier_is_before_the_second_look),
	T(test_enabling_interrupts_finds_what_just_came),
	T(test_publishing_looks_for_the_event_after_the_index),
	T(test_a_disabled_interrupt_stays_away),
	T(test_a_delayed_interrupt_comes_at_its_chain),
	T(test_a_used_id_not_outstanding_breaks),
	T(test_a_used_id_within_a_chain_breaks),
	T(test_a_chain_used_before_it_was_shown_breaks),
	T(test_drain_gives_back_what_was_in_flight),
	T(test_drain_gives_back_in_the_order_of_queueing),
	T(test_drain_after_an_unconfirmed_reset_says_lost),
	T(test_tables_of_lost_chains_are_taken_back),
	T(test_a_queue_runs_again_after_stop),
	T(test_a_smaller_queue_does_not_restart),
	T(test_batches_go_as_far_as_they_can),
	T(test_a_batch_of_one_map_lies_where_it_is),
	T(test_moderation_leaves_the_device_something),
	T(test_an_interrupt_comes_after_so_many),
	T(test_a_piece_of_4_gib_is_refused),
	T(test_a_batch_of_a_broken_device_is_none),
	T(test_sizes_after_a_reset_are_judged),
	T(test_one_queue_is_reset_and_resized),
	T(test_a_reset_of_a_queue_that_never_ends),
	T(test_moderation_follows_what_comes),
};

static const struct CMUnitTest any_order[] = {
	T(test_extreme_sizes_carry),
	T(test_chains_may_be_used_out_of_order),
	T(test_drain_keeps_the_order_after_disorder),
	T(test_a_slow_chain_stays_outstanding),
	T(test_a_chain_used_twice_breaks),
};

static const struct CMUnitTest split[] = {
	T(test_legacy_carries_bytes),
	T(test_an_event_within_the_batch_rings),
	T(test_published_before_start_is_notified_at_start),
	T(test_notification_data_names_the_index),
	T(test_barriers_stand_between),
	T(test_a_used_id_out_of_range_breaks),
	T(test_a_used_index_that_runs_ahead_breaks),
	T(test_a_used_index_with_nothing_posted_breaks),
	T(test_a_used_length_above_what_was_posted_breaks),
	T(test_or_is_clamped_and_counted),
	T(test_noise_in_the_used_ring_never_leaves_it),
	T(test_a_broken_queue_runs_again_after_stop),
	T(test_sizes_are_powers_of_two_within_bounds),
};

static const struct CMUnitTest packed[] = {
	T(test_packed_used_ids_are_judged),
	T(test_packed_barriers_stand_between),
	T(test_packed_more_than_there_is_breaks),
	T(test_packed_lengths_count_where_something_was_written),
	T(test_packed_sizes_are_any),
	T(test_packed_notification_data_names_the_place),
	T(test_packed_a_start_names_what_was_published),
	T(test_packed_an_event_within_the_batch_rings),
	T(test_packed_an_event_of_what_it_has_rings_again),
	T(test_packed_rings_are_coherent_or_not_at_all),
	T(test_packed_falls_first_where_it_is_refused),
};

static const struct CMUnitTest in_order[] = {
	T(test_in_order_a_batch_is_one_entry),
	T(test_in_order_without_tables_a_batch_is_what_was_shown),
	T(test_in_order_a_batch_ends_where_it_says),
	T(test_in_order_a_batch_after_single_ones),
	T(test_in_order_a_batch_is_taken_in_parts),
	T(test_in_order_without_tables_descriptors_follow),
};

static const struct CMUnitTest split_in_order[] = {
	T(test_in_order_an_id_ahead_of_the_index_breaks),
};

/* All of them, each by the rings that it concerns, are one group: one plan. */
static struct CMUnitTest plan[256];
static char names[256][96];
static size_t nplan;

static void
add(const char *ring, CMFixtureFunction setup, const struct CMUnitTest *tests,
    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++, nplan++) {
		assert_true(nplan < sizeof(plan) / sizeof(plan[0]));
		snprintf(names[nplan], sizeof(names[nplan]), "%s: %s", ring,
		    tests[i].name);
		plan[nplan] = tests[i];
		plan[nplan].name = names[nplan];
		plan[nplan].setup_func = setup;
	}
}

/* A bus without coherent memory has no packed rings to look into. */
static bool
has_packed_rings(void)
{
	bus_dma_segment_t seg;
	void *kva;
	int rsegs, refused;

	assert_int_equal(bus_dmamem_alloc(&port_dma_tag, 64, 64, 0, &seg, 1,
	    &rsegs, BUS_DMA_NOWAIT), 0);
	refused = bus_dmamem_map(&port_dma_tag, &seg, rsegs, 64, &kva,
	    BUS_DMA_NOWAIT | BUS_DMA_COHERENT);
	if (!refused)
		bus_dmamem_unmap(&port_dma_tag, kva, 64);
	bus_dmamem_free(&port_dma_tag, &seg, rsegs);
	return !refused;
}

#define ADD(ring, setup, tests) \
	add((ring), (setup), (tests), sizeof(tests) / sizeof((tests)[0]))

int
main(void)
{
	ADD("split", ring_split, all);
	ADD("split", ring_split, any_order);
	ADD("split", ring_split, split);
	ADD("packed", ring_packed, all);
	ADD("packed", ring_packed, any_order);
	if (has_packed_rings())
		ADD("packed", ring_packed, packed);
	ADD("split in order", ring_split_in_order, all);
	ADD("split in order", ring_split_in_order, in_order);
	ADD("split in order", ring_split_in_order, split_in_order);
	ADD("packed in order", ring_packed_in_order, all);
	ADD("packed in order", ring_packed_in_order, in_order);
	return _cmocka_run_group_tests("virtqueues", plan, nplan, NULL, NULL);
}
