/* SPDX-License-Identifier: ISC */
/* UNIT: guest/disk/cache.c guest/disk/disk.c guest/disk/part.c guest/console/loglimit.c test/unit/kern_fake.c */
/* UNIT-CFLAGS: -Iguest/disk */
/*
 * The disks' promises, over a device that fails in each way there is: what a
 * sync acknowledged is on the medium, and errors reach who wrote.
 */
#include "../../guest/disk/unit.c"

#include "disk_fake.h"

#define MB	(1u << 20)

static struct fake *fake;
static struct disk *dk;
static uint8_t buf[MB], other[MB];

static void
fake_idle(void)
{
	if (fake != NULL && fake->f_unit != NULL && !fake->f_unit->du_gone)
		service(fake->f_unit);
}

static int
setup(void **state)
{
	unsigned i;

	(void)state;
	fake_geo.dg_writeback = true;
	fake_geo.dg_readonly = false;
	fake_geo.dg_sector = 512;
	fake_log[0] = '\0';
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 31 + (i >> 9));
	memset(other, 0xa5, sizeof(other));
	fake = fake_new(4 * MB);
	fake_attach(fake);
	assert_int_equal(disk_open(fake->f_unit->du_name,
	    DISK_READ | DISK_WRITE, &dk), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (dk != NULL)
		disk_close(dk);
	if (!fake->f_unit->du_gone)
		disk_unit_detach(fake->f_unit);
	fake_free(fake);
	dk = NULL;
	fake = NULL;
	return 0;
}

static struct disk *
another(void)
{
	struct disk *h;

	assert_int_equal(disk_open(fake->f_unit->du_name,
	    DISK_READ | DISK_WRITE, &h), 0);
	return h;
}

static void
test_what_sync_acknowledged_survives_a_power_cut(void **state)
{
	(void)state;
	assert_int_equal(disk_write(dk, 1000, buf, 70000), 0);
	assert_int_equal(disk_sync(dk), 0);
	assert_memory_equal(fake->f_medium + 1000, buf, 70000);
}

static void
test_no_flush_is_sent_where_nothing_is_volatile(void **state)
{
	(void)state;
	disk_close(dk);
	disk_unit_detach(fake->f_unit);
	fake_geo.dg_writeback = false;
	fake_attach(fake);
	dk = another();
	fake->f_flushes = 0;
	assert_int_equal(disk_write(dk, 4096, buf, 8192), 0);
	/* On the medium already: it is write-through. */
	assert_memory_equal(fake->f_medium + 4096, buf, 8192);
	assert_int_equal(disk_sync(dk), 0);
	assert_int_equal(fake->f_flushes, 0);
}

static void
test_a_write_is_read_back_before_it_is_written(void **state)
{
	(void)state;
	assert_int_equal(disk_write(dk, 777, buf, 5000), 0);
	assert_int_equal(disk_read(dk, 777, other, 5000), 0);
	assert_memory_equal(other, buf, 5000);
	assert_int_equal(fake->f_writes, 0);
}

static void
test_bytes_around_a_short_write_stay(void **state)
{
	unsigned i;

	(void)state;
	memset(fake->f_seen, 0x11, fake->f_size);
	assert_int_equal(disk_write(dk, 700, "x", 1), 0);
	assert_int_equal(disk_write(dk, 4000, buf, 200), 0);
	assert_int_equal(disk_sync(dk), 0);
	for (i = 0; i < 8192; i++) {
		if (i == 700)
			assert_int_equal(fake->f_medium[i], 'x');
		else if (i >= 4000 && i < 4200)
			assert_int_equal(fake->f_medium[i], buf[i - 4000]);
		else
			assert_int_equal(fake->f_medium[i], 0x11);
	}
}

static void
test_only_written_sectors_are_written(void **state)
{
	(void)state;
	assert_int_equal(disk_write(dk, 512, buf, 512), 0);
	assert_int_equal(disk_sync(dk), 0);
	assert_int_equal(fake->f_unit->du_stats.ds_write_bytes, 512);
}

static void
test_a_long_write_is_few_requests(void **state)
{
	(void)state;
	assert_int_equal(disk_write(dk, 0, buf, 128u << 10), 0);
	assert_int_equal(disk_sync(dk), 0);
	assert_int_equal(fake->f_writes, 1);
}

static void
test_reading_on_reads_ahead(void **state)
{
	unsigned i;

	(void)state;
	memcpy(fake->f_seen, buf, MB);
	fake->f_reads = 0;
	for (i = 0; i < 64; i++) {
		assert_int_equal(disk_read(dk, i * 4096, other, 4096), 0);
		assert_memory_equal(other, buf + i * 4096, 4096);
	}
	assert_true(fake->f_reads <= 8);
}

static void
test_an_error_ahead_is_not_the_readers(void **state)
{
	unsigned i;

	(void)state;
	fake->f_bad_read = 30 * 4096 + 5;
	for (i = 0; i < 30; i++)
		assert_int_equal(disk_read(dk, i * 4096, other, 4096), 0);
	assert_int_equal(disk_read(dk, 30 * 4096, other, 4096), EIO);
	assert_int_equal(disk_read(dk, 31 * 4096, other, 4096), 0);
}

static void
test_more_is_written_than_the_cache_holds(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(disk_write(dk, i * MB, buf, MB), 0);
	assert_int_equal(disk_sync(dk), 0);
	for (i = 0; i < 3; i++)
		assert_memory_equal(fake->f_medium + i * MB, buf, MB);
}

static void
test_a_write_error_reaches_each_writer_once(void **state)
{
	struct disk *h1 = another(), *h2 = another(), *h3 = another();

	(void)state;
	fake->f_bad = 4096 * 3;
	assert_int_equal(disk_write(h1, 4096 * 3, buf, 512), 0);
	assert_int_equal(disk_write(h2, 4096 * 3 + 512, buf, 512), 0);
	/* Beside it, and in one request with it. */
	assert_int_equal(disk_write(h3, 4096 * 4, buf, 4096), 0);
	assert_int_equal(disk_sync(h3), 0);
	assert_memory_equal(fake->f_medium + 4096 * 4, buf, 4096);
	assert_int_equal(disk_sync(h1), EIO);
	fake->f_bad = UINT64_MAX;
	/* Told, and then written after all. */
	assert_int_equal(disk_sync(h1), 0);
	assert_int_equal(disk_sync(h2), EIO);
	assert_int_equal(disk_sync(h2), 0);
	assert_memory_equal(fake->f_medium + 4096 * 3, buf, 512);
	assert_int_equal(disk_close(h1), 0);
	assert_int_equal(disk_close(h2), 0);
	assert_int_equal(disk_close(h3), 0);
}

static void
test_what_is_beside_a_bad_sector_is_written(void **state)
{
	unsigned lifo, bad;

	(void)state;
	for (lifo = 0; lifo < 2; lifo++)
		for (bad = 0; bad < 40; bad += 3) {
			fake->f_lifo = lifo != 0;
			fake->f_bad = bad * 4096;
			memset(other, (int)(bad + lifo + 1), 40 * 4096);
			assert_int_equal(disk_write(dk, 0, other, 40 * 4096),
			    0);
			assert_int_equal(disk_sync(dk), EIO);
			assert_memory_equal(fake->f_medium, other, bad * 4096);
			assert_memory_equal(fake->f_medium + (bad + 1) * 4096,
			    other, (39 - bad) * 4096);
			fake->f_bad = UINT64_MAX;
			assert_int_equal(disk_sync(dk), 0);
		}
}

static void
test_what_fails_stays_readable_and_is_tried_again(void **state)
{
	(void)state;
	fake->f_bad = 8192;
	assert_int_equal(disk_write(dk, 8192, buf, 4096), 0);
	assert_int_equal(disk_sync(dk), EIO);
	assert_int_equal(disk_sync(dk), EIO);
	assert_int_equal(disk_read(dk, 8192, other, 4096), 0);
	assert_memory_equal(other, buf, 4096);
	fake->f_bad = UINT64_MAX;
	assert_int_equal(disk_sync(dk), 0);
	assert_memory_equal(fake->f_medium + 8192, buf, 4096);
}

static void
test_close_tells_and_gives_up(void **state)
{
	struct disk *h = another();

	(void)state;
	fake->f_bad = 8192;
	assert_int_equal(disk_write(h, 8192, buf, 1024), 0);
	assert_int_equal(disk_close(h), EIO);
	assert_non_null(strstr(fake_log, "1024 bytes could not be written"));
	assert_int_equal(fake->f_unit->du_ndirty, 0);
}

static void
test_a_disk_that_takes_nothing_stops_the_writer(void **state)
{
	int error = 0;
	unsigned i;

	(void)state;
	fake->f_allbad = true;
	for (i = 0; i < 1000 && error == 0; i++)
		error = disk_write(dk, i * 4096, buf, 4096);
	assert_int_equal(error, EIO);
	assert_int_equal(disk_sync(dk), EIO);
	/* Nothing was dropped meanwhile. */
	fake->f_allbad = false;
	assert_int_equal(disk_sync(dk), 0);
	while (i-- > 1)
		assert_memory_equal(fake->f_medium + (i - 1) * 4096, buf, 4096);
}

static void
test_a_failed_flush_writes_all_of_it_again(void **state)
{
	struct disk *h = another();

	(void)state;
	assert_int_equal(disk_write(dk, 0, buf, 8192), 0);
	assert_int_equal(disk_write(h, 65536, buf, 512), 0);
	fake->f_fail_flush = 1;
	assert_int_equal(disk_sync(dk), EIO);
	/* The cache of the device is lost with it. */
	memcpy(fake->f_seen, fake->f_medium, fake->f_size);
	assert_int_equal(disk_sync(dk), 0);
	assert_memory_equal(fake->f_medium, buf, 8192);
	assert_memory_equal(fake->f_medium + 65536, buf, 512);
	assert_int_equal(disk_sync(h), EIO);
	assert_int_equal(disk_close(h), 0);
}

static void
test_a_broken_device_is_reset_and_all_is_tried_again(void **state)
{
	(void)state;
	assert_int_equal(disk_write(dk, 0, buf, MB / 4), 0);
	fake->f_break_after = 2;
	assert_int_equal(disk_sync(dk), 0);
	assert_int_equal(fake->f_resets, 1);
	assert_memory_equal(fake->f_medium, buf, MB / 4);
}

static void
test_a_hung_device_is_reset(void **state)
{
	(void)state;
	fake->f_hung = true;
	assert_int_equal(disk_write(dk, 0, buf, 4096), 0);
	assert_int_equal(disk_sync(dk), EIO);
	assert_true(fake->f_resets >= 1 && fake->f_resets <= MAX_RESETS + 1);
	assert_true(fake_now < 1000 * NS_PER_S);
	fake->f_hung = false;
}

static void
test_a_device_that_stays_down_fails_all(void **state)
{
	(void)state;
	assert_int_equal(disk_write(dk, 0, buf, 4096), 0);
	fake->f_break_after = 1;
	fake->f_reset_error = EIO;
	assert_int_equal(disk_sync(dk), EIO);
	assert_int_equal(disk_read(dk, 0, other, 512), EIO);
	assert_non_null(strstr(fake_log, "4096 bytes were not yet written"));
	assert_int_equal(fake->f_unit->du_ndirty, 0);
	fake->f_reset_error = 0;
}

static void
test_memory_that_a_lost_device_has_is_not_used_again(void **state)
{
	struct disk_req rq = { .rq_op = DISK_OP_WRITE, .rq_len = 512,
	    .rq_data = buf };

	(void)state;
	assert_int_equal(disk_submit(dk, &rq), 0);
	fake->f_break_after = 1;
	fake->f_reset_error = ETIMEDOUT;
	assert_int_equal(disk_wait(&rq), EIO);
	assert_true(rq.rq_lost);
	fake->f_reset_error = 0;
}

static void
test_a_disk_that_goes_gives_enxio_at_once(void **state)
{
	uint64_t then;

	(void)state;
	assert_int_equal(disk_write(dk, 0, buf, 3 * 512), 0);
	disk_unit_detach(fake->f_unit);
	then = fake_now;
	assert_int_equal(disk_read(dk, 0, other, 512), ENXIO);
	assert_int_equal(disk_write(dk, 0, other, 512), ENXIO);
	assert_int_equal(disk_sync(dk), ENXIO);
	assert_int_equal(disk_close(dk), ENXIO);
	assert_true(fake_now - then < NS_PER_MS);
	assert_non_null(strstr(fake_log, "1536 bytes were not yet written"));
	dk = NULL;
	/* Its structure went with the last handle: nothing to detach. */
	fake_attach(fake);
}

static unsigned done_order[8], ndone;

static void
note_order(struct disk_req *rq)
{
	done_order[ndone++] = *(unsigned *)rq->rq_arg;
}

static void
test_what_overlaps_keeps_its_order(void **state)
{
	static unsigned tag[4] = { 0, 1, 2, 3 };
	struct disk_req rq[4];
	unsigned i;

	(void)state;
	ndone = 0;
	fake->f_lifo = true;
	memset(rq, 0, sizeof(rq));
	memset(other, 1, 4096);
	for (i = 0; i < 4; i++) {
		rq[i].rq_op = i == 3 ? DISK_OP_READ : DISK_OP_WRITE;
		rq[i].rq_off = i * 512;
		rq[i].rq_len = 1024;
		rq[i].rq_data = i == 3 ? other + 8192 : i == 1 ? other : buf;
		rq[i].rq_done = note_order;
		rq[i].rq_arg = &tag[i];
		assert_int_equal(disk_submit(dk, &rq[i]), 0);
	}
	/* A reset in between changes nothing of it. */
	fake->f_break_after = 2;
	while (ndone < 4)
		fake_idle();
	assert_int_equal(fake->f_resets, 1);
	for (i = 0; i < 4; i++)
		assert_int_equal(done_order[i], i);
	assert_memory_equal(fake->f_seen, buf, 512);
	assert_memory_equal(fake->f_seen + 512, other, 512);
	assert_memory_equal(fake->f_seen + 1024, buf, 1024);
	assert_memory_equal(other + 8192, buf + 512, 512);
}

static void
test_a_flush_waits_for_what_was_written(void **state)
{
	static unsigned tag[3] = { 0, 1, 2 };
	struct disk_req rq[3];
	unsigned i;

	(void)state;
	ndone = 0;
	fake->f_lifo = true;
	memset(rq, 0, sizeof(rq));
	for (i = 0; i < 3; i++) {
		rq[i].rq_op = i == 2 ? DISK_OP_FLUSH : DISK_OP_WRITE;
		rq[i].rq_off = i * 512;
		rq[i].rq_len = 512;
		rq[i].rq_data = buf;
		rq[i].rq_done = note_order;
		rq[i].rq_arg = &tag[i];
		assert_int_equal(disk_submit(dk, &rq[i]), 0);
	}
	while (ndone < 3)
		fake_idle();
	assert_int_equal(done_order[2], 2);
	assert_memory_equal(fake->f_medium, buf, 512);
	assert_memory_equal(fake->f_medium + 512, buf, 512);
}

static void
test_whoever_sleeps_asked_for_an_interrupt(void **state)
{
	static unsigned tag[2] = { 0, 1 };
	struct disk_req rq[2];

	(void)state;
	ndone = 0;
	memset(rq, 0, sizeof(rq));
	rq[0].rq_op = rq[1].rq_op = DISK_OP_READ;
	rq[0].rq_len = rq[1].rq_len = 512;
	rq[0].rq_data = rq[1].rq_data = other;
	rq[0].rq_done = rq[1].rq_done = note_order;
	rq[0].rq_arg = &tag[0];
	rq[1].rq_arg = &tag[1];
	/* Waited for without one, and nothing else is under way. */
	assert_int_equal(disk_do(dk, DISK_OP_READ, 0, buf, 512), 0);
	assert_true(fake->f_quiet);
	assert_int_equal(disk_submit(dk, &rq[0]), 0);
	assert_false(fake->f_quiet);
	/* The same, while another is: it is ended on the way, or asked for. */
	fake->f_lifo = true;
	assert_int_equal(disk_submit(dk, &rq[1]), 0);
	assert_int_equal(disk_do(dk, DISK_OP_READ, 4096, buf, 512), 0);
	assert_true(ndone == 2 || !fake->f_quiet);
	/* A slow one is slept for. */
	fake->f_hang = 2000;
	assert_int_equal(disk_do(dk, DISK_OP_READ, 0, buf, 512), 0);
	assert_false(fake->f_quiet);
}

static unsigned nagain;

static void
write_again(struct disk_req *rq)
{
	if (nagain++ < 1000)
		assert_int_equal(disk_submit(dk, rq), 0);
}

static void
test_a_flush_does_not_wait_for_what_comes_later(void **state)
{
	static unsigned tag;
	struct disk_req rq[6];
	unsigned i;

	(void)state;
	ndone = nagain = 0;
	memset(rq, 0, sizeof(rq));
	for (i = 0; i < 6; i++) {
		rq[i].rq_op = i == 1 ? DISK_OP_FLUSH : DISK_OP_WRITE;
		rq[i].rq_off = i * 4096;
		rq[i].rq_len = 512;
		rq[i].rq_data = buf;
		rq[i].rq_done = i == 1 ? note_order : write_again;
		rq[i].rq_arg = &tag;
		assert_int_equal(disk_submit(dk, &rq[i]), 0);
	}
	for (i = 0; i < 50 && ndone == 0; i++)
		fake_idle();
	assert_int_equal(ndone, 1);
	nagain = 1000;
	while (fake->f_n > 0)
		fake_idle();
}

static int again_error;

static void
submit_again(struct disk_req *rq)
{
	again_error = disk_submit(dk, rq);
	ndone++;
}

static void
test_what_is_submitted_within_a_done_never_waits(void **state)
{
	struct disk_req rq = { .rq_op = DISK_OP_WRITE, .rq_len = 4096,
	    .rq_data = buf, .rq_done = submit_again };

	(void)state;
	ndone = 0;
	fake->f_hang = 2;
	assert_int_equal(disk_submit(dk, &rq), 0);
	assert_int_equal(disk_write(dk, 512, buf, 512), 0);
	while (ndone == 0)
		fake_idle();
	assert_int_equal(again_error, EBUSY);
	assert_int_equal(disk_sync(dk), 0);
	/* What is clean is no obstacle: again and again, until it is stopped. */
	assert_int_equal(disk_read(dk, 4096, other, 4096), 0);
	ndone = 0;
	rq.rq_off = 4096;
	fake->f_hang = 2;
	assert_int_equal(disk_submit(dk, &rq), 0);
	while (ndone < 3)
		fake_idle();
	assert_int_equal(again_error, 0);
	rq.rq_done = NULL;
	assert_int_equal(disk_wait(&rq), 0);
}

static void
test_the_two_ways_see_each_other(void **state)
{
	(void)state;
	assert_int_equal(disk_write(dk, 100, buf, 1000), 0);
	assert_int_equal(disk_do(dk, DISK_OP_READ, 0, other, 4096), 0);
	assert_memory_equal(other + 100, buf, 1000);
	memset(other, 7, 4096);
	assert_int_equal(disk_do(dk, DISK_OP_WRITE, 512, other, 512), 0);
	assert_int_equal(disk_read(dk, 512, other + 8192, 512), 0);
	assert_memory_equal(other + 8192, other, 512);
	assert_int_equal(disk_read(dk, 1024, other + 8192, 76), 0);
	assert_memory_equal(other + 8192, buf + 924, 76);
	assert_int_equal(disk_do(dk, DISK_OP_ZERO, 0, NULL, 4096), 0);
	assert_int_equal(disk_read(dk, 512, other + 8192, 512), 0);
	assert_int_equal(other[8192], 0);
}

static void
test_bounds_are_kept(void **state)
{
	(void)state;
	assert_int_equal(disk_read(dk, 4 * MB - 1, other, 2), EINVAL);
	assert_int_equal(disk_read(dk, UINT64_MAX, other, 2), EINVAL);
	assert_int_equal(disk_write(dk, UINT64_MAX - 1, other, 4), EINVAL);
	assert_int_equal(disk_do(dk, DISK_OP_READ, 4 * MB, other, 512), EINVAL);
	assert_int_equal(disk_do(dk, DISK_OP_READ, 1, other, 512), EINVAL);
	assert_int_equal(disk_do(dk, DISK_OP_READ, 0, other, 0), EINVAL);
	assert_int_equal(disk_read(dk, 4 * MB - 1, other, 1), 0);
}

static void
test_a_shrunken_disk_gives_errors(void **state)
{
	struct disk_geometry geo;

	(void)state;
	assert_int_equal(disk_write(dk, 3 * MB, buf, 4096), 0);
	geo = fake->f_unit->du_geo;
	geo.dg_size = fake->f_size = MB;
	disk_unit_changed(fake->f_unit, &geo);
	assert_int_equal(disk_read(dk, 3 * MB, other, 512), EINVAL);
	assert_int_equal(disk_sync(dk), EIO);
}

static void
test_a_table_is_read_again_when_its_partitions_are_closed(void **state)
{
	uint8_t *e = fake->f_seen + 446;
	struct disk *part;
	char name[DISK_NAME_MAX];

	(void)state;
	e[4] = 0x0c;
	e[8] = 1;
	e[12] = 16;
	fake->f_seen[510] = 0x55;
	fake->f_seen[511] = 0xaa;
	assert_int_equal(disk_rescan(dk), 0);
	snprintf(name, sizeof(name), "%.8sp1", fake->f_unit->du_name);
	assert_int_equal(disk_open(name, DISK_READ, &part), 0);
	e[8] = 2;
	disk_unit_changed(fake->f_unit, &fake->f_unit->du_geo);
	tidy(fake->f_unit);
	assert_int_equal(fake->f_unit->du_parts[0].dp_start, 512);
	assert_int_equal(disk_close(part), 0);
	tidy(fake->f_unit);
	assert_int_equal(fake->f_unit->du_parts[0].dp_start, 1024);
}

static void
test_odd_ends_are_read_and_written(void **state)
{
	(void)state;
	disk_close(dk);
	disk_unit_detach(fake->f_unit);
	fake_free(fake);
	fake = fake_new(4096 * 5 + 1536);
	fake_attach(fake);
	dk = another();
	assert_int_equal(disk_write(dk, 4096 * 5 + 1000, buf, 536), 0);
	assert_int_equal(disk_sync(dk), 0);
	assert_memory_equal(fake->f_medium + 4096 * 5 + 1000, buf, 536);
	assert_int_equal(disk_read(dk, 4096 * 4, other, 4096 + 1536), 0);
}

static void
test_large_sectors_are_written_whole(void **state)
{
	(void)state;
	disk_close(dk);
	disk_unit_detach(fake->f_unit);
	fake_geo.dg_sector = 4096;
	fake_attach(fake);
	dk = another();
	memset(fake->f_seen, 0x33, fake->f_size);
	assert_int_equal(disk_write(dk, 4096 + 512, buf, 512), 0);
	assert_int_equal(disk_sync(dk), 0);
	assert_int_equal(fake->f_unit->du_stats.ds_write_bytes, 4096);
	assert_int_equal(fake->f_medium[4096], 0x33);
	assert_memory_equal(fake->f_medium + 4608, buf, 512);
}

/* A model of bytes beside it, over every fault that ends well. */
static void
test_a_long_random_run_loses_nothing(void **state)
{
	static uint8_t model[MB];
	struct disk *h[4];
	unsigned n, i, off, len;

	(void)state;
	srand(7);
	h[0] = dk;
	for (i = 1; i < 4; i++)
		h[i] = another();
	for (n = 0; n < 20000; n++) {
		i = (unsigned)rand() % 4;
		off = (unsigned)rand() % (MB - 20000);
		len = 1 + (unsigned)rand() % (rand() % 4 == 0 ? 20000 : 600);
		fake->f_lifo = rand() % 2 == 0;
		fake->f_room = 1 + (unsigned)rand() % 16;
		if (rand() % 200 == 0)
			fake->f_break_after = 1 + (unsigned)rand() % 5;
		switch (rand() % 8) {
		case 0: case 1: case 2:
			memset(model + off, (int)n, len);
			assert_int_equal(disk_write(h[i], off, model + off,
			    len), 0);
			break;
		case 3: case 4: case 5:
			assert_int_equal(disk_read(h[i], off, other, len), 0);
			assert_memory_equal(other, model + off, len);
			break;
		case 6:
			off &= ~511u;
			memset(model + off, (int)n + 1, 512);
			assert_int_equal(disk_do(h[i], DISK_OP_WRITE, off,
			    model + off, 512), 0);
			break;
		default:
			if (rand() % 8 != 0)
				break;
			assert_int_equal(disk_sync(h[i]), 0);
			assert_memory_equal(fake->f_medium, model, MB);
			if (rand() % 4 == 0)	/* the power is cut, and is back */
				memcpy(fake->f_seen, fake->f_medium, MB);
			break;
		}
	}
	for (i = 1; i < 4; i++)
		assert_int_equal(disk_close(h[i]), 0);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_sync_acknowledged_survives_a_power_cut),
		T(test_no_flush_is_sent_where_nothing_is_volatile),
		T(test_a_write_is_read_back_before_it_is_written),
		T(test_bytes_around_a_short_write_stay),
		T(test_only_written_sectors_are_written),
		T(test_a_long_write_is_few_requests),
		T(test_reading_on_reads_ahead),
		T(test_an_error_ahead_is_not_the_readers),
		T(test_more_is_written_than_the_cache_holds),
		T(test_a_write_error_reaches_each_writer_once),
		T(test_what_is_beside_a_bad_sector_is_written),
		T(test_what_fails_stays_readable_and_is_tried_again),
		T(test_close_tells_and_gives_up),
		T(test_a_disk_that_takes_nothing_stops_the_writer),
		T(test_a_failed_flush_writes_all_of_it_again),
		T(test_a_broken_device_is_reset_and_all_is_tried_again),
		T(test_a_hung_device_is_reset),
		T(test_a_device_that_stays_down_fails_all),
		T(test_memory_that_a_lost_device_has_is_not_used_again),
		T(test_a_disk_that_goes_gives_enxio_at_once),
		T(test_what_overlaps_keeps_its_order),
		T(test_a_flush_waits_for_what_was_written),
		T(test_whoever_sleeps_asked_for_an_interrupt),
		T(test_a_flush_does_not_wait_for_what_comes_later),
		T(test_what_is_submitted_within_a_done_never_waits),
		T(test_the_two_ways_see_each_other),
		T(test_bounds_are_kept),
		T(test_a_shrunken_disk_gives_errors),
		T(test_a_table_is_read_again_when_its_partitions_are_closed),
		T(test_odd_ends_are_read_and_written),
		T(test_large_sectors_are_written_whole),
		T(test_a_long_random_run_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
