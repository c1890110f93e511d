/* SPDX-License-Identifier: ISC */
/*
 * Virtio over MMIO: what is a device and what is not, legacy queues, registers
 * that do not answer as they should.
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

static struct stand stand;
#define fd	(&stand.st_fd)
#define fm	(&stand.st_fm)
#define mm	(&stand.st_mm)
#define dev	(&stand.st_dev)

static const struct pv_feature_table no_features;
static struct pv_virtq *vq;

static int
attach(bus_size_t size)
{
	return pv_mmio_attach(mm, &fm->fm_space, 0, size, &fake_mmio_ops, fm,
	    "fake0");
}

static int
run(void)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_size = 8, .vp_maxpieces = 1,
		.vp_maxsegs = 1,
	};

	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL), 0);
	assert_int_equal(pv_virtq_alloc(dev, 0, &vp, &vq), 0);
	return pv_virtio_start(dev);
}

static void
end(void)
{
	assert_int_equal(pv_virtio_stop(dev), 0);
	pv_virtq_free(vq);
	assert_int_equal(stand_finish(&stand), 0);
}

/* Regions are asked for before the device runs. */
static void
negotiate(void)
{
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL), 0);
}

static void
test_regions_are_where_the_registers_say(void **state)
{
	struct pv_shm shm;

	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_GPU, 1);
	fake_region(fd, 1, 0x8100000000ull, 0x300000000ull);
	fake_region(fd, 3, 0x40000000, 4096);
	negotiate();
	assert_int_equal(pv_virtio_shm(dev, 1, &shm), 0);
	assert_int_equal(shm.sh_bar, -1);
	assert_int_equal(shm.sh_start, 0x8100000000ull);
	assert_int_equal(shm.sh_len, 0x300000000ull);
	assert_int_equal(pv_virtio_shm(dev, 3, &shm), 0);
	assert_int_equal(shm.sh_start, 0x40000000);
	assert_int_equal(pv_virtio_shm(dev, 0, &shm), ENXIO);
	assert_int_equal(shm.sh_bar, 0);
	assert_int_equal(pv_virtio_shm(dev, 2, &shm), ENXIO);
	assert_int_equal(pv_virtio_shm(dev, 1, &shm), 0);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_regions_that_can_not_be_are_passed_over(void **state)
{
	static const struct {
		struct pv_shm shm;
		int told, good;
	} cases[] = {
		{ { -1, 0x40000000, 0 }, 0, 0 },	/* of old devices */
		{ { -1, 0x40000000, UINT64_MAX }, 0, 0 },
		{ { -1, UINT64_MAX, UINT64_MAX }, 0, 0 },
		{ { -1, UINT64_MAX, 1 }, 1, 0 },
		{ { -1, 4096, UINT64_MAX - 4095 }, 1, 0 },
		{ { -1, 4096, UINT64_MAX - 4096 }, 0, 1 },
		{ { -1, 0, UINT32_MAX }, 0, 1 },
		{ { -1, 0, 0xffffffff00000000ull }, 0, 1 },
	};
	struct pv_shm shm;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stand_init(&stand, STAND_MMIO, PV_TYPE_GPU, 1);
		fd->fd_regions[1] = cases[i].shm;
		negotiate();
		memset(&shm, 0xa5, sizeof(shm));
		assert_int_equal(pv_virtio_shm(dev, 1, &shm),
		    cases[i].good ? 0 : ENXIO);
		assert_int_equal(shm.sh_len,
		    cases[i].good ? cases[i].shm.sh_len : 0);
		assert_int_equal(strstr(port.po_log, "shared memory 1") != NULL,
		    cases[i].told);
		assert_int_equal(stand_finish(&stand), 0);
	}
}

static void
test_a_legacy_device_is_not_asked_for_regions(void **state)
{
	struct pv_shm shm;

	(void)state;
	if (!STAND_HAS_LEGACY)
		skip();
	stand_init(&stand, STAND_LEGACY, PV_TYPE_GPU, 1);
	assert_int_equal(fake_region(fd, 1, 0, 4096), 0);
	negotiate();
	assert_int_equal(pv_virtio_shm(dev, 1, &shm), ENOTSUP);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_an_empty_place_is_no_device(void **state)
{
	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	fm->fm_device_id = 0;
	assert_int_equal(attach(FAKE_MMIO_SIZE), ENXIO);
	assert_int_equal(port.po_nlogs, 0);
	fm->fm_device_id = PV_TYPE_NET;
	fm->fm_magic = 0x74726977;
	assert_int_equal(attach(FAKE_MMIO_SIZE), ENXIO);
	fd->fd_gone = 1;
	assert_int_equal(attach(FAKE_MMIO_SIZE), ENXIO);
}

/* All ones are no reset of a queue that is under way. */
static void
test_a_device_that_is_gone_resets_no_queue(void **state)
{
	uint64_t then;

	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	assert_int_equal(stand_attach(&stand), 0);
	fd->fd_gone = 1;
	then = port.po_now_ns;
	assert_int_equal(dev->vd_ops->to_queue_reset(mm, 0), EIO);
	assert_true(port.po_now_ns - then < 1000000);
	fd->fd_gone = 0;
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_other_versions_are_named(void **state)
{
	uint32_t versions[] = { 0, 3, UINT32_MAX };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
		fm->fm_version = versions[i];
		assert_int_equal(attach(FAKE_MMIO_SIZE), ENOTSUP);
		assert_true(port_logged("version"));
	}
}

static void
test_too_small_a_window_is_refused(void **state)
{
	uint32_t val = 1;

	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	assert_int_equal(attach(0xff), EINVAL);
	assert_int_equal(attach(0), EINVAL);
	assert_int_equal(attach(0x100), 0);
	assert_int_equal(pv_mmio_transport.to_config_read(mm, 0, 1, &val),
	    ERANGE);
	assert_int_equal(val, 1);
	assert_int_equal(attach(0x103), 0);
	assert_int_equal(pv_mmio_transport.to_config_read(mm, 0, 4, &val),
	    ERANGE);
	assert_int_equal(pv_mmio_transport.to_config_read(mm, 2, 1, &val), 0);
	pv_mmio_detach(mm);
	assert_int_equal(port_check(), 0);
}

/* Its rings and configuration would be the CPU's own order. */
static void
test_a_big_endian_cpu_drives_no_legacy_device(void **state)
{
	(void)state;
	stand_init(&stand, STAND_LEGACY, PV_TYPE_NET, 1);
	assert_int_equal(attach(FAKE_MMIO_SIZE), STAND_HAS_LEGACY ? 0 : ENOTSUP);
	assert_int_equal(port_logged("big-endian"), !STAND_HAS_LEGACY);
	assert_int_equal(fd->fd_status, 0);
	if (STAND_HAS_LEGACY)
		pv_mmio_detach(mm);
	assert_int_equal(port_check(), 0);
}

static void
test_a_legacy_queue_lies_as_legacy_devices_compute_it(void **state)
{
	(void)state;
	if (!STAND_HAS_LEGACY)
		skip();
	stand_init(&stand, STAND_LEGACY, PV_TYPE_NET, 1);
	assert_int_equal(run(), 0);
	assert_int_equal(fm->fm_page_size, 4096);
	assert_int_equal(fm->fm_align, 4096);
	assert_int_equal(fd->fd_queues[0].fq_desc % 4096, 0);
	assert_int_equal(fd->fd_queues[0].fq_size, 8);
	end();
	assert_int_equal(fd->fd_queues[0].fq_desc, 0);
}

static void
test_a_legacy_queue_out_of_reach_is_refused(void **state)
{
	(void)state;
	if (!STAND_HAS_LEGACY)
		skip();
	stand_init(&stand, STAND_LEGACY, PV_TYPE_NET, 1);
	port.po_base = 1ull << 44;
	assert_int_equal(run(), ERANGE);
	end();
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	port.po_base = 1ull << 44;
	assert_int_equal(run(), 0);
	assert_true(fd->fd_queues[0].fq_device > 1ull << 44);
	end();
}

static void
test_a_queue_that_is_not_taken_over_is_an_error(void **state)
{
	enum stand_kind kinds[] = { STAND_MMIO, STAND_LEGACY };
	unsigned int i;

	(void)state;
	for (i = 0; i < STAND_NKINDS - 1; i++) {
		stand_init(&stand, kinds[i], PV_TYPE_NET, 1);
		fd->fd_refuse_queues = 1;
		assert_int_equal(run(), EIO);
		end();
	}
}

/* Ready before we made it so: whose rings would it read? */
static void
make_ready(struct fake_dev *d, uint8_t status)
{
	if (status & PV_STATUS_FEATURES_OK)
		d->fd_queues[0].fq_ready = 1;
}

static void
test_a_queue_that_is_ready_already_is_an_error(void **state)
{
	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	fd->fd_status_written = make_ready;
	assert_int_equal(run(), EIO);
	end();
}

static void
test_interrupts_are_acknowledged(void **state)
{
	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	assert_int_equal(run(), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_LINE);
	fake_config_interrupt(fd);
	assert_int_equal(stand.st_nconfig, 1);
	assert_int_equal(fm->fm_status, 0);
	/* Not ours */
	assert_int_equal(fm->fm_fn(fm->fm_arg), 0);
	/* Bits that nobody defined are neither believed nor acknowledged. */
	fm->fm_status = 0xf8;
	assert_int_equal(fm->fm_fn(fm->fm_arg), 0);
	assert_int_equal(fm->fm_status, 0xf8);
	fm->fm_status = 0;
	end();
}

static void
test_without_an_interrupt_the_poll_sees_all(void **state)
{
	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	fm->fm_no_intr = 1;
	assert_int_equal(run(), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_POLL);
	fake_config_interrupt(fd);
	assert_int_equal(pv_virtio_poll(dev), 1);
	assert_int_equal(stand.st_nconfig, 1);
	assert_int_equal(pv_virtio_poll(dev), 0);
	end();
}

/* Each register in turn reads as something else. */
static bus_size_t liar;
static uint32_t lie;
static uint32_t (*model_read)(void *, bus_size_t, unsigned int);

static uint32_t
lying_read(void *v, bus_size_t off, unsigned int width)
{
	uint32_t val = model_read(v, off, width);

	return off == liar ? lie >> (32 - 8 * width) : val;
}

static void
drive(void)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_maxpieces = 1, .vp_maxsegs = 1,
	};
	uint32_t word;
	struct pv_config_field cf = { 0, 4, 1, &word };
	int error;

	vq = NULL;
	if (stand_attach(&stand) != 0)
		return;
	error = pv_virtio_negotiate(dev, &no_features, NULL);
	if (error == 0) {
		pv_virtio_config_read(dev, &cf, 1);
		error = pv_virtq_alloc(dev, 0, &vp, &vq);
	}
	if (error == 0)
		error = pv_virtio_start(dev);
	if (error == 0) {
		fake_interrupt(fd, 0, 1);
		pv_virtio_poll(dev);
	}
	pv_virtio_stop(dev);
	pv_virtq_free(vq);
	pv_mmio_detach(mm);
}

static void
test_any_register_may_lie(void **state)
{
	uint32_t lies[] = { 0, 1, 2, 3, 0x40, 0x80000000, 0x7fffffff,
	    0xfffffffe, UINT32_MAX };
	enum stand_kind kinds[] = { STAND_MMIO, STAND_LEGACY };
	unsigned int i, k;
	bus_size_t off;

	(void)state;
	for (k = 0; k < STAND_NKINDS - 1; k++)
		for (off = 0; off <= 0x104; off += 4)
			for (i = 0; i < 9; i++) {
				stand_init(&stand, kinds[k], PV_TYPE_NET, 1);
				model_read = fm->fm_space.bs_read;
				fm->fm_space.bs_read = lying_read;
				liar = off;
				lie = lies[i];
				port_quiet = 1;
				drive();
				port_quiet = 0;
				assert_null(fm->fm_fn);
				if (!port_logged("stay behind"))
					assert_int_equal(port.po_allocs +
					    port.po_dmamems + port.po_loads, 0);
			}
	port_reset();
}

static void
test_the_description_names_the_version(void **state)
{
	char buf[64];

	(void)state;
	if (!STAND_HAS_LEGACY)
		skip();
	stand_init(&stand, STAND_LEGACY, PV_TYPE_NET, 1);
	assert_int_equal(attach(FAKE_MMIO_SIZE), 0);
	pv_mmio_transport.to_describe(mm, buf, sizeof(buf));
	assert_string_equal(buf, "mmio version 1 (legacy), vendor 554d4551");
	pv_mmio_detach(mm);
}

/* Registers, as they are written */

static struct port_bus_space space;	/* the model's own */
static unsigned int nhigh, nacks, barriers_at_call;

static uint32_t
pass_read(void *v, bus_size_t off, unsigned int width)
{
	return space.bs_read(v, off, width);
}

static void
note_write(void *v, bus_size_t off, unsigned int width, uint32_t val)
{
	nhigh += (off == 0x14 || off == 0x24) && val == 1;
	nacks += off == 0x64;
	space.bs_write(v, off, width, val);
}

static void
note_writes(void)
{
	space = fm->fm_space;
	fm->fm_space.bs_read = pass_read;
	fm->fm_space.bs_write = note_write;
	nhigh = nacks = 0;
}

static void
test_legacy_features_are_32_bits(void **state)
{
	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	note_writes();
	assert_int_equal(run(), 0);
	assert_int_equal(nhigh, 2);
	end();
	if (!STAND_HAS_LEGACY)
		return;
	stand_init(&stand, STAND_LEGACY, PV_TYPE_NET, 1);
	note_writes();
	assert_int_equal(run(), 0);
	assert_int_equal(nhigh, 0);
	assert_int_equal(pv_mmio_transport.to_config_generation(mm), 0);
	end();
}

static void
note_barriers(void *arg)
{
	(void)arg;
	barriers_at_call = port_bs_barriers;
}

static const struct pv_virtio_callbacks noting = { .vc_config = note_barriers };

/* Else it could take back an interrupt that comes meanwhile. */
static void
test_the_acknowledgement_is_out_before_anybody_looks(void **state)
{
	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	note_writes();
	assert_int_equal(run(), 0);
	pv_virtio_set_callbacks(dev, &noting, NULL);
	assert_int_equal(pv_virtio_poll(dev), 0);
	assert_int_equal(nacks, 0);
	barriers_at_call = 0;
	fake_config_interrupt(fd);
	assert_int_equal(nacks, 1);
	assert_int_equal(barriers_at_call, 1);
	end();
}

/* Nothing lies there: the model says so, which is not what is asked. */
static int
place(bus_addr_t desc)
{
	const struct pv_queue_place qp = {
		.qp_size = 8, .qp_desc = desc, .qp_align = 4096,
	};
	int error;

	port_quiet = 1;
	error = pv_mmio_transport.to_queue_enable(mm, 0, &qp);
	port_quiet = 0;
	pv_mmio_transport.to_queue_stop(mm, 0);
	return error;
}

static void
test_legacy_addresses_have_limits(void **state)
{
	(void)state;
	if (!STAND_HAS_LEGACY)
		skip();
	stand_init(&stand, STAND_LEGACY, PV_TYPE_NET, 1);
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(place(0), ERANGE);
	assert_int_equal(place(0x1800), ERANGE);
	assert_int_equal(place(0x1000), 0);
	assert_int_equal(place((bus_addr_t)UINT32_MAX << 12), 0);
	assert_int_equal(place(((bus_addr_t)UINT32_MAX + 1) << 12), ERANGE);
	pv_mmio_detach(mm);
	port_reset();
}

static void
test_a_window_of_any_size_has_a_configuration(void **state)
{
	char text[100];

	(void)state;
	stand_init(&stand, STAND_MMIO, PV_TYPE_NET, 1);
	assert_int_equal(attach(0x180), 0);
	assert_int_equal(pv_mmio_transport.to_config_size(mm), 0x80);
	assert_int_equal(pv_mmio_transport.to_config_write(mm, 2, 2, 0x1234),
	    0);
	assert_int_equal(fd->fd_config[3], 0x12);
	assert_int_equal(attach((bus_size_t)1 << 32), 0);
	assert_int_equal(pv_mmio_transport.to_config_size(mm),
	    UINT32_MAX - 0x100);
	pv_mmio_transport.to_describe(mm, text, sizeof(text));
	assert_null(strstr(text, "legacy"));
	pv_mmio_detach(mm);
	assert_int_equal(port_check(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_place_is_no_device),
		cmocka_unit_test(test_regions_are_where_the_registers_say),
		cmocka_unit_test(test_regions_that_can_not_be_are_passed_over),
		cmocka_unit_test(test_a_legacy_device_is_not_asked_for_regions),
		cmocka_unit_test(test_a_device_that_is_gone_resets_no_queue),
		cmocka_unit_test(test_other_versions_are_named),
		cmocka_unit_test(test_too_small_a_window_is_refused),
		cmocka_unit_test(
		    test_a_big_endian_cpu_drives_no_legacy_device),
		cmocka_unit_test(
		    test_a_legacy_queue_lies_as_legacy_devices_compute_it),
		cmocka_unit_test(test_a_legacy_queue_out_of_reach_is_refused),
		cmocka_unit_test(
		    test_a_queue_that_is_not_taken_over_is_an_error),
		cmocka_unit_test(test_a_queue_that_is_ready_already_is_an_error),
		cmocka_unit_test(test_interrupts_are_acknowledged),
		cmocka_unit_test(test_without_an_interrupt_the_poll_sees_all),
		cmocka_unit_test(test_any_register_may_lie),
		cmocka_unit_test(test_the_description_names_the_version),
		cmocka_unit_test(test_legacy_features_are_32_bits),
		cmocka_unit_test(
		    test_the_acknowledgement_is_out_before_anybody_looks),
		cmocka_unit_test(test_legacy_addresses_have_limits),
		cmocka_unit_test(test_a_window_of_any_size_has_a_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
