/* SPDX-License-Identifier: ISC */
/*
 * Virtio over PCI: capability lists as they should not be, and interrupts in
 * each way that can be had.
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

#define NQUEUES	3

static struct stand stand;
#define fd	(&stand.st_fd)
#define fp	(&stand.st_fp)
#define pp	(&stand.st_pp)
#define dev	(&stand.st_dev)

/* The capabilities that fake_pci_init makes, by their place. */
#define CAP_COMMON	0x40
#define CAP_ISR		0x50
#define CAP_DEVICE	0x60
#define CAP_NOTIFY	0x70

static void
set32(unsigned int reg, uint32_t val)
{
	wire_put(fp->fp_conf + reg, 4, val);
}

static void
prepare(void)
{
	stand_init(&stand, STAND_PCI, PV_TYPE_NET, NQUEUES);
}

static int
attach(void)
{
	return pv_pci_attach(pp, &fake_pci_ops, fp, "fake0");
}

/* That attach fails so, cleanly. */
static void
expect_failure(int error)
{
	assert_int_equal(attach(), error);
	assert_int_equal(fake_pci_check(fp), 0);
	assert_int_equal(port_check(), 0);
}

static void
expect_success(void)
{
	assert_int_equal(attach(), 0);
	assert_int_equal(stand_finish(&stand), 0);
}

/* Shared memory */

#define SHMBAR	FAKE_PCI_SHMBAR
#define GIB	0x40000000ull

static unsigned int
region(unsigned int id, unsigned int bar, uint64_t off, uint64_t len)
{
	return fake_pci_region(fp, 24, id, bar, off, len);
}

static void
begin_regions(void)
{
	prepare();
	fp->fp_shmlen = 64 * GIB;
}

/* Which ids are found, as a mask; what is not found was told of. */
static unsigned int
regions(unsigned int offered)
{
	struct pv_shm shm;
	unsigned int id, found = 0, n = 0;
	const char *at = port.po_log;

	assert_int_equal(stand_attach(&stand), 0);
	for (id = 0; id < 9; id++) {
		memset(&shm, 0xa5, sizeof(shm));
		if (pv_virtio_shm(dev, id, &shm) == 0)
			found |= 1u << id;
		else
			assert_true(shm.sh_len == 0 && shm.sh_start == 0 &&
			    shm.sh_bar == 0);
	}
	while ((at = strstr(at, "structure 8 ignored")) != NULL) {
		at++;
		n++;
	}
	assert_int_equal(n + (unsigned int)__builtin_popcount(found), offered);
	assert_int_equal(stand_finish(&stand), 0);
	return found;
}

static void
test_regions_are_found_beyond_32_bits(void **state)
{
	struct pv_shm shm;

	(void)state;
	begin_regions();
	region(7, SHMBAR, 0, 8 * GIB);
	region(1, SHMBAR, 8 * GIB, 56 * GIB);
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_shm(dev, 1, &shm), 0);
	assert_int_equal(shm.sh_bar, SHMBAR);
	assert_int_equal(shm.sh_start, 8 * GIB);
	assert_int_equal(shm.sh_len, 56 * GIB);
	assert_int_equal(pv_virtio_shm(dev, 7, &shm), 0);
	assert_int_equal(shm.sh_start, 0);
	assert_int_equal(shm.sh_len, 8 * GIB);
	assert_int_equal(pv_virtio_shm(dev, 0, &shm), ENXIO);
	assert_int_equal(pv_virtio_shm(dev, 257, &shm), ENXIO);
	assert_int_equal(pv_virtio_shm(dev, 0x101, &shm), ENXIO);
	assert_int_equal(pv_virtio_shm(dev, UINT32_MAX, &shm), ENXIO);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_region_0_is_one_too(void **state)
{
	(void)state;
	begin_regions();
	region(0, SHMBAR, 4096, 4096);
	assert_int_equal(regions(1), 1);
}

/* More of them than a list has room for, each within the one before it. */
static void
test_regions_without_end_are_so_many(void **state)
{
	unsigned int i, at;

	(void)state;
	begin_regions();
	at = region(7, SHMBAR, 0, 4096);
	for (i = 0; i < 2 * PV_PCI_MAXREGIONS; i++) {
		fp->fp_conf[at + 1] = (uint8_t)(at + 4);
		at += 4;
		set32(at, 0x08100009);
	}
	assert_int_equal(regions(PV_PCI_MAXREGIONS), 0);
}

/* At the end of the configuration space, which is not read beyond. */
static void
test_a_short_capability_is_not_read_beyond(void **state)
{
	unsigned int at;

	(void)state;
	begin_regions();
	at = region(7, SHMBAR, 0, 4096);
	fp->fp_conf[at + 1] = 0xf0;
	set32(0xf0, 0x08100009);
	assert_int_equal(regions(2), 1u << 7);
}

static void
test_a_region_that_can_not_be_is_passed_over(void **state)
{
	static const struct {
		unsigned int caplen, bar;
		uint64_t off, len;
	} wrong[] = {
		{ 24, SHMBAR, 0, 0 },
		{ 24, SHMBAR, 0, 64 * GIB + 1 },
		{ 24, SHMBAR, 1, 64 * GIB },
		{ 24, SHMBAR, 64 * GIB, 1 },
		{ 24, SHMBAR, 64 * GIB + 1, 4096 },
		{ 24, SHMBAR, UINT64_MAX, 2 },
		{ 24, SHMBAR, 4096, UINT64_MAX },
		{ 24, 6, 0, 4096 },
		{ 24, 255, 0, 4096 },
		{ 24, 3, 0, 4096 },
		{ 20, SHMBAR, 0, 4096 },
		{ 16, SHMBAR, 0, 4096 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin_regions();
		fake_pci_region(fp, wrong[i].caplen, 1, wrong[i].bar,
		    wrong[i].off, wrong[i].len);
		region(2, SHMBAR, 0, 4096);
		assert_int_equal(regions(2), 1 << 2);
	}
	/* The edge itself is good. */
	begin_regions();
	region(1, SHMBAR, 64 * GIB - 1, 1);
	region(2, SHMBAR, 0, 64 * GIB - 1);
	assert_int_equal(regions(2), 1 << 1 | 1 << 2);
}

static void
test_the_first_region_of_an_id_is_taken(void **state)
{
	struct pv_shm shm;

	(void)state;
	begin_regions();
	region(1, 6, 0, 4096);
	region(1, SHMBAR, 8192, 4096);
	region(1, SHMBAR, 0, 4096);
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_shm(dev, 1, &shm), 0);
	assert_int_equal(shm.sh_start, 8192);
	assert_int_equal(pp->pp_nplaces, 4 + 1);
	assert_non_null(strstr(port.po_log, "its id again"));
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_regions_meet_nothing_else(void **state)
{
	static const struct {
		unsigned int bar;
		uint64_t off, len;
		int good;
	} cases[] = {
		{ SHMBAR, 4096, 4096, 0 },	/* the other region */
		{ SHMBAR, 0, 4097, 0 },
		{ SHMBAR, 8191, 1, 0 },
		{ SHMBAR, 0, 64 * GIB, 0 },
		{ SHMBAR, 5000, 1, 0 },
		{ SHMBAR, 0, 4096, 1 },
		{ SHMBAR, 8192, 4096, 1 },
		{ FAKE_PCI_BAR, 0, 1, 0 },	/* the structures */
		{ FAKE_PCI_BAR, FAKE_PCI_ISR + 4, 1, 0 },
		{ FAKE_PCI_BAR, FAKE_PCI_DEVICE + FAKE_CONFIGLEN - 1, 1, 0 },
		{ FAKE_PCI_BAR, FAKE_PCI_DEVICE + FAKE_CONFIGLEN, 1, 1 },
		{ FAKE_PCI_BAR, FAKE_PCI_NOTIFY, 4096, 0 },
		{ FAKE_PCI_BAR, FAKE_PCI_NOTIFY + 4096, 4096, 1 },
		{ FAKE_PCI_BAR, FAKE_PCI_NOTIFY - 1, 1, 1 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin_regions();
		fp->fp_barlen = 0x8000;
		region(1, SHMBAR, 4096, 4096);
		region(2, cases[i].bar, cases[i].off, cases[i].len);
		assert_int_equal(regions(2), 1 << 1 | cases[i].good << 2);
	}
}

/* More than the list has room for, by entries that overlap one another. */
static void
test_regions_are_no_more_than_fit(void **state)
{
	unsigned int i, reg;

	(void)state;
	begin_regions();
	for (i = 0; i < 40; i++) {
		reg = 0x84 + 4 * i;
		if (reg > 256 - 24)
			break;
		set32(reg, 0x09u | (reg + 4) << 8 | 24u << 16 | 8u << 24);
	}
	fp->fp_conf[CAP_NOTIFY + 1] = 0x84;
	assert_int_equal(attach(), 0);
	assert_in_range(pp->pp_nplaces, 4, PV_PCI_MAXPLACES);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_without_the_size_of_a_bar_there_is_no_region(void **state)
{
	struct pv_pci_ops ops = fake_pci_ops;
	struct pv_shm shm;

	(void)state;
	begin_regions();
	region(1, SHMBAR, 0, 4096);
	ops.po_bar_size = NULL;
	assert_int_equal(pv_pci_attach(pp, &ops, fp, "fake0"), 0);
	assert_int_equal(pv_virtio_init(dev, &pv_pci_transport, pp,
	    pp->pp_type, &port_dma_tag, "fake0", NULL, NULL), 0);
	assert_int_equal(pv_virtio_shm(dev, 1, &shm), ENXIO);
	assert_int_equal(stand_finish(&stand), 0);
}

/* A port's own, that knows of none. */
static void
test_a_transport_may_have_no_regions(void **state)
{
	struct pv_transport_ops ops = pv_pci_transport;
	struct pv_shm shm = { 1, 2, 3 };

	(void)state;
	begin_regions();
	region(1, SHMBAR, 0, 4096);
	assert_int_equal(attach(), 0);
	ops.to_shm = NULL;
	assert_int_equal(pv_virtio_init(dev, &ops, pp, pp->pp_type,
	    &port_dma_tag, "fake0", NULL, NULL), 0);
	assert_int_equal(pv_virtio_shm(dev, 1, &shm), ENOTSUP);
	assert_true(shm.sh_bar == 0 && shm.sh_start == 0 && shm.sh_len == 0);
	assert_int_equal(stand_finish(&stand), 0);
}

/* Identity */

static void
test_ids_name_the_type(void **state)
{
	static const struct {
		uint32_t id, subsystem;
		unsigned int type;
	} cases[] = {
		{ 0x10411af4, 0, PV_TYPE_NET },
		{ 0x10501af4, 0x11001af4, PV_TYPE_GPU },
		{ 0x105a1af4, 0, PV_TYPE_FS },
		{ 0x10001af4, 0x00011af4, PV_TYPE_NET },
		{ 0x10001af4, 0, PV_TYPE_NET },
		{ 0x10011af4, 0x00021af4, PV_TYPE_BLK },
		{ 0x10051af4, 0xffff0000, PV_TYPE_ENTROPY },
		{ 0x10401af4, 0, 0 },
		{ 0x10401af4, 0x00011af4, 0 },
		{ 0x10061af4, 0, 0 },
		{ 0x103f1af4, 0, 0 },
		{ 0x10801af4, 0, 0 },
		{ 0x0fff1af4, 1 << 16, 0 },
		{ 0x10418086, 1 << 16, 0 },
		{ 0xffffffff, 0xffffffff, 0 },
		{ 0, 0, 0 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(pv_pci_match(cases[i].id,
		    cases[i].subsystem), cases[i].type);
}

static void
test_a_transitional_function_is_driven_as_modern(void **state)
{
	(void)state;
	prepare();
	set32(0x00, 0x10001af4);
	set32(0x2c, 0x00011af4);
	assert_int_equal(attach(), 0);
	assert_int_equal(pp->pp_type, PV_TYPE_NET);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_a_legacy_only_function_is_named(void **state)
{
	(void)state;
	prepare();
	set32(0x00, 0x10001af4);
	set32(0x2c, 0x00011af4);
	set32(0x04, 0x00000007);
	expect_failure(ENOTSUP);
	assert_true(port_logged("legacy-only virtio net"));
	/* A capability list with nothing of virtio's in it */
	set32(0x04, 0x00100007);
	set32(CAP_COMMON, 0x00000011);
	expect_failure(ENOTSUP);
}

static void
test_others_are_not_ours(void **state)
{
	(void)state;
	prepare();
	set32(0x00, 0x10418086);
	expect_failure(ENXIO);
	fd->fd_gone = 1;
	expect_failure(EIO);
}

/* Capabilities */

static void
test_a_list_that_loops_ends(void **state)
{
	(void)state;
	prepare();
	fp->fp_conf[CAP_NOTIFY + 1] = CAP_COMMON;
	expect_success();
	assert_true(port_logged("loop"));
	prepare();
	fp->fp_conf[CAP_COMMON + 1] = CAP_COMMON;
	expect_failure(EINVAL);
}

static void
test_a_list_into_the_header_ends(void **state)
{
	unsigned int next;

	(void)state;
	for (next = 0; next < 0x40; next++) {
		prepare();
		fp->fp_conf[0x34] = (uint8_t)next;
		expect_failure(EINVAL);
	}
}

static void
test_a_truncated_capability_is_passed_over(void **state)
{
	(void)state;
	prepare();
	fp->fp_conf[CAP_COMMON + 2] = 15;
	expect_failure(EINVAL);
	assert_true(port_logged("common"));
	prepare();
	fp->fp_conf[CAP_NOTIFY + 2] = 16;
	expect_failure(EINVAL);
	assert_true(port_logged("notification"));
	/* At the end of configuration space, longer than what is left */
	prepare();
	memcpy(fp->fp_conf + 0xf0, fp->fp_conf + CAP_NOTIFY, 16);
	fp->fp_conf[CAP_DEVICE + 1] = 0xf0;
	expect_failure(EINVAL);
}

static void
test_a_window_outside_its_bar_is_refused(void **state)
{
	static const struct {
		uint32_t off, length;
	} cases[] = {
		{ FAKE_PCI_BARLEN, 0x38 },
		{ FAKE_PCI_BARLEN - 0x34, 0x38 },
		{ 0, FAKE_PCI_BARLEN + 1 },
		{ 0xfffffff0, 0x38 },
		{ 0xfffffffc, 0xffffffff },
		{ 4, 0xffffffff },
		{ 0x80000000, 0x80000000 },
		{ 0, 0 },
		{ 0, 0x37 },
		{ 2, 0x38 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		prepare();
		set32(CAP_COMMON + 8, cases[i].off);
		set32(CAP_COMMON + 12, cases[i].length);
		expect_failure(EINVAL);
		assert_true(port_logged("structure 1 ignored"));
	}
}

static void
test_reserved_bars_are_never_mapped(void **state)
{
	unsigned int bar;

	(void)state;
	for (bar = 0; bar < 256; bar++) {
		if (bar == FAKE_PCI_BAR)
			continue;
		prepare();
		fp->fp_conf[CAP_NOTIFY + 4] = (uint8_t)bar;
		expect_failure(EINVAL);
	}
}

static void
test_notify_multipliers_are_checked(void **state)
{
	uint32_t good[] = { 0, 2, 4, 16, 4096 };
	uint32_t bad[] = { 1, 3, 6, 0xffffffff, 12 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		prepare();
		set32(CAP_NOTIFY + 16, good[i]);
		expect_success();
		prepare();
		set32(CAP_NOTIFY + 16, bad[i]);
		expect_failure(EINVAL);
	}
}

static void
test_the_first_good_one_of_a_kind_is_taken(void **state)
{
	(void)state;
	prepare();
	/* A bad common structure before the list, another good one behind. */
	memcpy(fp->fp_conf + 0xa0, fp->fp_conf + CAP_COMMON, 16);
	fp->fp_conf[0x34] = 0xa0;
	fp->fp_conf[0xa1] = CAP_COMMON;
	set32(0xa8, 0xfffffffc);
	memcpy(fp->fp_conf + 0xb0, fp->fp_conf + CAP_COMMON, 16);
	fp->fp_conf[CAP_NOTIFY + 1] = 0xb0;
	fp->fp_conf[0xb1] = 0;
	set32(0xb8, FAKE_PCI_ISR);
	assert_int_equal(attach(), 0);
	assert_int_equal(pp->pp_common.pw_off, FAKE_PCI_COMMON);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_bars_without_a_structure_do_not_stay_mapped(void **state)
{
	(void)state;
	prepare();
	fp->fp_bars |= 1 << 2;
	memcpy(fp->fp_conf + 0xa0, fp->fp_conf + CAP_COMMON, 16);
	fp->fp_conf[0x34] = 0xa0;
	fp->fp_conf[0xa1] = CAP_COMMON;
	fp->fp_conf[0xa4] = 2;
	set32(0xa8, 0xfffffffc);
	assert_int_equal(attach(), 0);
	assert_int_equal(fp->fp_mapped, 1);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_unknown_structures_are_passed_over(void **state)
{
	unsigned int type;

	(void)state;
	for (type = 5; type < 256; type++) {
		prepare();
		fp->fp_conf[CAP_DEVICE + 3] = (uint8_t)type;
		assert_int_equal(attach(), 0);
		assert_int_equal(pp->pp_device.pw_len, 0);
		assert_int_equal(stand_finish(&stand), 0);
	}
}

static void
test_no_device_configuration_is_no_failure(void **state)
{
	uint8_t byte = 0;
	struct pv_config_field cf = { 0, 1, 1, &byte };

	(void)state;
	prepare();
	fp->fp_conf[CAP_DEVICE + 3] = 9;
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_config_read(dev, &cf, 1), ERANGE);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_no_memory_is_clean(void **state)
{
	(void)state;
	prepare();
	port.po_fail_after = 0;
	expect_failure(ENOMEM);
}

/* The whole way of a driver, as far as it goes; never outside, never stuck. */

static const struct pv_feature_table no_features;

static void
drive(void)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_maxpieces = 1, .vp_maxsegs = 1,
	};
	struct pv_virtq *vq[NQUEUES] = { NULL };
	uint32_t word;
	struct pv_config_field cf = { 0, 4, 1, &word };
	unsigned int i;
	int error;

	if (stand_attach(&stand) != 0)
		return;
	error = pv_virtio_negotiate(dev, &no_features, NULL);
	if (error == 0)
		pv_virtio_config_read(dev, &cf, 1);
	for (i = 0; i < NQUEUES && error == 0; i++)
		error = pv_virtq_alloc(dev, i, &vp, &vq[i]);
	if (error == 0)
		error = pv_virtio_start(dev);
	if (error == 0)
		pv_virtio_poll(dev);
	pv_virtio_stop(dev);
	for (i = 0; i < NQUEUES; i++)
		pv_virtq_free(vq[i]);
	pv_pci_detach(pp);
}

/*
 * Structures that overlap, or lie elsewhere, make the model see registers of
 * the wrong width: that is the test's doing. What must hold is that every
 * access is inside the BAR, and that all ends and is given back.
 */
static uint32_t
anywhere_read(void *v, bus_size_t off, unsigned int width)
{
	(void)v;
	if (off > FAKE_PCI_BARLEN || width > FAKE_PCI_BARLEN - off ||
	    off % width != 0)
		fail_msg("register read outside: 0x%llx",
		    (unsigned long long)off);
	return 0;
}

static void
anywhere_write(void *v, bus_size_t off, unsigned int width, uint32_t val)
{
	(void)val;
	anywhere_read(v, off, width);
}

static uint32_t (*model_read)(void *, bus_size_t, unsigned int);
static void (*model_write)(void *, bus_size_t, unsigned int, uint32_t);

static uint32_t
checked_read(void *v, bus_size_t off, unsigned int width)
{
	uint32_t val;

	anywhere_read(v, off, width);
	val = model_read(v, off, width);
	port.po_violations = 0;
	return val;
}

static void
checked_write(void *v, bus_size_t off, unsigned int width, uint32_t val)
{
	anywhere_read(v, off, width);
	model_write(v, off, width, val);
	port.po_violations = 0;
}

static void
corrupt(unsigned int reg, uint8_t val)
{
	prepare();
	model_read = fp->fp_space.bs_read;
	model_write = fp->fp_space.bs_write;
	fp->fp_space.bs_read = checked_read;
	fp->fp_space.bs_write = checked_write;
	fp->fp_conf[reg] = val;
	port_quiet = 1;
	drive();
	port_quiet = 0;
	assert_int_equal(fake_pci_check(fp), 0);
	assert_int_equal(port.po_loads, port.po_dmamaps);
	/* A reset that was not confirmed leaves memory behind, on purpose. */
	if (!port_logged("stay behind"))
		assert_int_equal(port_check(), 0);
}

static void
test_every_byte_of_the_list_may_be_any_other(void **state)
{
	unsigned int reg, val;

	(void)state;
	for (reg = 0x40; reg < 0x84; reg++)
		for (val = 0; val < 256; val++)
			corrupt(reg, (uint8_t)val);
	for (val = 0; val < 256; val++) {
		corrupt(0x06, (uint8_t)val);
		corrupt(0x34, (uint8_t)val);
	}
	port_reset();
}

static void
test_noise_for_a_configuration_space_is_survived(void **state)
{
	unsigned int seed, i;

	(void)state;
	for (seed = 0; seed < 2000; seed++) {
		prepare();
		srand(seed);
		for (i = 0x34; i < 256; i++)
			if (rand() % 4 == 0)
				fp->fp_conf[i] = (uint8_t)rand();
		fp->fp_space.bs_read = anywhere_read;
		fp->fp_space.bs_write = anywhere_write;
		drive();
		assert_int_equal(fake_pci_check(fp), 0);
		assert_int_equal(port_check(), 0);
	}
}

/* Queues */

static struct pv_virtq *queues[NQUEUES];
static unsigned int nintr[NQUEUES];

static void
queue_intr(void *arg)
{
	++*(unsigned int *)arg;
}

static int
run(void)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_size = 8, .vp_maxpieces = 1,
		.vp_maxsegs = 1, .vp_intr = queue_intr,
	};
	unsigned int i;

	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL), 0);
	for (i = 0; i < NQUEUES; i++) {
		nintr[i] = 0;
		vp.vp_arg = &nintr[i];
		assert_int_equal(pv_virtq_alloc(dev, i, &vp, &queues[i]), 0);
	}
	return pv_virtio_start(dev);
}

static void
end(void)
{
	unsigned int i;

	assert_int_equal(pv_virtio_stop(dev), 0);
	for (i = 0; i < NQUEUES; i++)
		pv_virtq_free(queues[i]);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_a_doorbell_outside_its_window_is_refused(void **state)
{
	unsigned int offs[] = { 0x400, 0xffff, 0x8000 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		prepare();
		fd->fd_queues[2].fq_notify_off = offs[i];
		assert_int_equal(run(), EIO);
		assert_true(port_logged("doorbell of queue 2"));
		end();
	}
	/* The very last one */
	prepare();
	fd->fd_queues[2].fq_notify_off = 0x3ff;
	assert_int_equal(run(), 0);
	end();
	/* A multiplier so large that the product needs more than 32 bits */
	prepare();
	set32(CAP_NOTIFY + 16, 0x80000000);
	fd->fd_queues[0].fq_notify_off = fd->fd_queues[1].fq_notify_off = 0;
	fd->fd_queues[2].fq_notify_off = 2;
	assert_int_equal(run(), EIO);
	end();
}

static void
test_a_queue_that_is_not_taken_over_is_an_error(void **state)
{
	(void)state;
	prepare();
	fd->fd_refuse_queues = 1;
	assert_int_equal(run(), EIO);
	assert_true(port_logged("queue 0"));
	end();
	prepare();
	fp->fp_refuse_size = 1;
	assert_int_equal(run(), EIO);
	end();
}

static void
test_what_is_no_queue_is_not_driven(void **state)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_maxpieces = 1, .vp_maxsegs = 1,
	};
	struct pv_virtq *vq;

	(void)state;
	stand_init(&stand, STAND_PCI, PV_TYPE_NET, FAKE_MAXQUEUES);
	fd->fd_nqueues = 0xffff;
	assert_int_equal(attach(), 0);
	assert_int_equal(pp->pp_nqueues, 0xffff);
	fd->fd_nqueues = FAKE_MAXQUEUES;
	assert_int_equal(pv_virtio_init(dev, &pv_pci_transport, pp,
	    PV_TYPE_NET, &port_dma_tag, "fake0", NULL, NULL), 0);
	assert_int_equal(pv_virtq_alloc(dev, FAKE_MAXQUEUES, &vp, &vq), ENXIO);
	assert_int_equal(stand_finish(&stand), 0);
	prepare();
	fd->fd_nqueues = 0;
	expect_success();
	prepare();
	assert_int_equal(attach(), 0);
	assert_int_equal(pp->pp_nqueues, NQUEUES);
	assert_int_equal(stand_finish(&stand), 0);
}

/* All ones are no number of queues, and no reset that is under way. */
static void
test_a_device_that_is_gone_has_no_queues(void **state)
{
	uint64_t then;

	(void)state;
	prepare();
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(dev->vd_ops->to_queue_count(pp), NQUEUES);
	fd->fd_gone = 1;
	assert_int_equal(dev->vd_ops->to_queue_count(pp), 0);
	then = port.po_now_ns;
	assert_int_equal(dev->vd_ops->to_queue_reset(pp, 0), EIO);
	assert_true(port.po_now_ns - then < 1000000);
	fd->fd_gone = 0;
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_a_structure_carries_what_it_is_long_enough_for(void **state)
{
	const uint64_t data = PV_F_BIT(PV_F_NOTIF_CONFIG_DATA);
	const uint64_t reset = PV_F_BIT(PV_F_RING_RESET);
	uint32_t len;

	(void)state;
	for (len = 56; len <= 60; len++) {
		prepare();
		set32(CAP_COMMON + 12, len);
		assert_int_equal(stand_attach(&stand), 0);
		assert_int_equal(dev->vd_ops->to_features_carried(pp) &
		    (data | reset), (len >= 58 ? data : 0) |
		    (len >= 60 ? reset : 0));
		assert_int_equal(stand_finish(&stand), 0);
	}
}

/* Interrupts */

static void
test_each_queue_has_its_vector(void **state)
{
	unsigned int i;

	(void)state;
	prepare();
	assert_int_equal(run(), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_PER_QUEUE);
	assert_int_equal(fp->fp_config_vector, 0);
	assert_int_equal(pv_virtio_poll(dev), 0);
	for (i = 0; i < NQUEUES; i++)
		assert_int_equal(fd->fd_queues[i].fq_vector, i + 1);
	fake_interrupt(fd, 1, 1);
	assert_int_equal(nintr[0], 0);
	assert_int_equal(nintr[1], 1);
	assert_int_equal(nintr[2], 0);
	fake_config_interrupt(fd);
	assert_int_equal(stand.st_nconfig, 1);
	end();
}

static void
test_fewer_vectors_are_shared(void **state)
{
	unsigned int have;

	(void)state;
	for (have = 1; have <= NQUEUES; have++) {
		prepare();
		fp->fp_vectors = have;
		assert_int_equal(run(), 0);
		assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_SHARED);
		assert_int_equal(fd->fd_queues[2].fq_vector, have > 1);
		fake_interrupt(fd, 2, 1);
		assert_int_equal(nintr[0], 1);
		assert_int_equal(nintr[2], 1);
		assert_int_equal(stand.st_nconfig, have == 1);
		fake_config_interrupt(fd);
		assert_int_equal(stand.st_nconfig, 1 + (have == 1));
		end();
	}
}

static void
test_refused_vectors_lead_on(void **state)
{
	static const struct {
		unsigned int refuse;
		enum pv_intr_mode mode;
	} cases[] = {
		{ 3, PV_INTR_MODE_SHARED }, { 2, PV_INTR_MODE_SHARED },
		{ 1, PV_INTR_MODE_SHARED }, { 0, PV_INTR_MODE_LINE },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		prepare();
		fp->fp_refuse_vectors = cases[i].refuse;
		assert_int_equal(run(), 0);
		assert_int_equal(dev->vd_intr_mode, cases[i].mode);
		fake_interrupt(fd, 2, 1);
		assert_int_equal(nintr[2], 1);
		end();
	}
}

/* Configuration's vector is taken, the queues' are not: neither may stay. */
static void
test_half_refused_vectors_are_given_up(void **state)
{
	(void)state;
	prepare();
	fp->fp_refuse_queue_vectors = 1;
	assert_int_equal(run(), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_LINE);
	assert_int_equal(fp->fp_config_vector, 0xffff);
	end();
}

static void
test_each_of_many_queues_has_its_vector(void **state)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_maxpieces = 1, .vp_maxsegs = 1,
	};
	struct pv_virtq *vq;

	(void)state;
	stand_init(&stand, STAND_PCI, PV_TYPE_NET, 60);
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL), 0);
	assert_int_equal(pv_virtq_alloc(dev, 59, &vp, &vq), 0);
	assert_int_equal(pv_virtio_start(dev), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_PER_QUEUE);
	assert_int_equal(fd->fd_queues[59].fq_vector, 60);
	assert_int_equal(pv_virtio_stop(dev), 0);
	pv_virtq_free(vq);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_the_line_reads_its_status(void **state)
{
	(void)state;
	prepare();
	fp->fp_vectors = 0;
	assert_int_equal(run(), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_LINE);
	fake_interrupt(fd, 0, 1);
	assert_int_equal(nintr[0], 1);
	assert_int_equal(stand.st_nconfig, 0);
	fake_config_interrupt(fd);
	assert_int_equal(stand.st_nconfig, 1);
	assert_int_equal(nintr[0], 1);
	/* Somebody else's interrupt on the same line */
	assert_int_equal(fp->fp_line.fn(fp->fp_line.arg), 0);
	end();
}

static void
test_without_any_interrupt_the_poll_sees_all(void **state)
{
	(void)state;
	prepare();
	fp->fp_vectors = 0;
	fp->fp_no_line = 1;
	assert_int_equal(run(), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_POLL);
	fake_config_interrupt(fd);
	assert_int_equal(stand.st_nconfig, 0);
	assert_int_equal(pv_virtio_poll(dev), 1);
	assert_int_equal(stand.st_nconfig, 1);
	assert_int_equal(pv_virtio_poll(dev), 0);
	end();
}

static void
test_handlers_are_had_again_after_a_stop(void **state)
{
	unsigned int i;

	(void)state;
	prepare();
	assert_int_equal(run(), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pv_virtio_stop(dev), 0);
		assert_int_equal(fp->fp_established, 0);
		fp->fp_vectors = i;
		assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL),
		    0);
		assert_int_equal(pv_virtio_start(dev), 0);
		nintr[0] = 0;
		fake_interrupt(fd, 0, 1);
		assert_int_equal(nintr[0], 1);
	}
	end();
}

static void
test_the_description_is_cut_where_it_must(void **state)
{
	char buf[64];

	(void)state;
	prepare();
	assert_int_equal(attach(), 0);
	pv_pci_transport.to_describe(pp, buf, sizeof(buf));
	assert_string_equal(buf, "pci 1af4:1041 rev 1");
	pv_pci_transport.to_describe(pp, buf, 6);
	assert_string_equal(buf, "pci 1");
	buf[0] = 'x';
	pv_pci_transport.to_describe(pp, buf, 1);
	assert_string_equal(buf, "");
	pv_pci_transport.to_describe(pp, buf, 0);
	assert_int_equal(stand_finish(&stand), 0);
}

/* Limits */

static void
test_ids_at_the_end_of_their_range(void **state)
{
	(void)state;
	assert_int_equal(pv_pci_match(0x107f1af4, 0), 63);
	assert_int_equal(pv_pci_match(0x10001af4, 63 << 16), 63);
	assert_int_equal(pv_pci_match(0x10001af4, 64 << 16), PV_TYPE_NET);
	assert_int_equal(pv_pci_match(0x10011af4, 1 << 16), PV_TYPE_NET);
	assert_int_equal(pv_pci_match(0x100a1af4, 0), 0);
}

static void
test_a_structure_may_just_fit(void **state)
{
	(void)state;
	prepare();
	set32(CAP_COMMON + 12, 0x38);
	expect_success();
	/* A capability that ends where configuration space does */
	prepare();
	memcpy(fp->fp_conf + 0xf0, fp->fp_conf + CAP_COMMON, 16);
	fp->fp_conf[0xf1] = CAP_ISR;
	fp->fp_conf[0x34] = 0xf0;
	expect_success();
}

static void
test_only_vendor_capabilities_are_read(void **state)
{
	(void)state;
	prepare();
	fp->fp_conf[CAP_COMMON] = 0x05;
	expect_failure(EINVAL);
}

static void
test_a_bar_that_is_not_there_is_named(void **state)
{
	(void)state;
	prepare();
	fp->fp_bars = 0;
	expect_failure(EINVAL);
	assert_true(port_logged("can't be mapped"));
}

static struct pv_pci_ops conf_ops;
static unsigned int nodd;

/* What lies below the list and is no business of the transport's. */
static uint32_t
note_conf_read(void *cookie, unsigned int reg)
{
	nodd += reg < 0x40 && reg != 0 && reg != 4 && reg != 8 &&
	    reg != 0x2c && reg != 0x34;
	return fake_pci_ops.po_conf_read(cookie, reg);
}

static void
test_the_list_ends_at_zero(void **state)
{
	(void)state;
	prepare();
	conf_ops = fake_pci_ops;
	conf_ops.po_conf_read = note_conf_read;
	nodd = 0;
	assert_int_equal(pv_pci_attach(pp, &conf_ops, fp, "fake0"), 0);
	assert_int_equal(nodd, 0);
	assert_int_equal(stand_finish(&stand), 0);
}

static uint32_t
read_ones(void *v, bus_size_t off, unsigned int width)
{
	(void)v;
	(void)off;
	return UINT32_MAX >> (32 - 8 * width);
}

static void
test_a_function_that_goes_while_it_is_read(void **state)
{
	(void)state;
	prepare();
	fp->fp_space.bs_read = read_ones;
	expect_failure(EIO);
}

static void
test_configuration_ends_where_it_says(void **state)
{
	const struct pv_transport_ops *to = &pv_pci_transport;
	uint32_t val;

	(void)state;
	prepare();
	set32(CAP_DEVICE + 12, 6);
	assert_int_equal(attach(), 0);
	assert_int_equal(to->to_config_size(pp), 6);
	assert_int_equal(to->to_config_read(pp, 4, 4, &val), ERANGE);
	assert_int_equal(to->to_config_read(pp, 4, 2, &val), 0);
	assert_int_equal(to->to_config_read(pp, 0, 4, &val), 0);
	assert_int_equal(to->to_config_read(pp, 6, 1, &val), ERANGE);
	assert_int_equal(to->to_config_write(pp, 4, 1, 1), 0);
	assert_int_equal(to->to_config_write(pp, 4, 2, 1), 0);
	assert_int_equal(to->to_config_write(pp, 0, 4, 1), 0);
	assert_int_equal(stand_finish(&stand), 0);
}

/* Fields behind the first version's are there where the structure has them. */
static void
test_what_the_structure_lacks_is_not_carried(void **state)
{
	const struct pv_transport_ops *to = &pv_pci_transport;

	(void)state;
	prepare();
	assert_int_equal(attach(), 0);
	assert_int_equal(to->to_features_carried(pp), UINT64_MAX);
	pp->pp_common.pw_len = 0x3b;
	assert_int_equal(to->to_features_carried(pp),
	    ~PV_F_BIT(PV_F_RING_RESET));
	pp->pp_common.pw_len = 0x3a;
	assert_int_equal(to->to_features_carried(pp),
	    ~PV_F_BIT(PV_F_RING_RESET));
	pp->pp_common.pw_len = 0x39;
	assert_int_equal(to->to_features_carried(pp),
	    ~(PV_F_BIT(PV_F_RING_RESET) | PV_F_BIT(PV_F_NOTIF_CONFIG_DATA)));
	assert_int_equal(stand_finish(&stand), 0);
}

/* The doorbell of queue 0, off bytes into a window of len. */
static int
doorbell(unsigned int off, uint32_t len, uint64_t features)
{
	struct pv_queue_place place = { .qp_size = 8 };
	int error;

	prepare();
	set32(CAP_NOTIFY + 12, len);
	set32(CAP_NOTIFY + 16, 2);
	fp->fp_multiplier = 2;
	assert_int_equal(stand_attach(&stand), 0);
	fd->fd_queues[0].fq_notify_off = off / 2;
	/* Nothing lies there: the model says so, which is not what is asked. */
	port_quiet = 1;
	pv_pci_transport.to_features_write(pp, features);
	place.qp_desc = place.qp_driver = place.qp_device = 0x10000;
	error = pv_pci_transport.to_queue_enable(pp, 0, &place);
	assert_int_equal(pv_pci_transport.to_queue_enable(pp, NQUEUES, &place),
	    EIO);
	port_quiet = 0;
	pv_pci_detach(pp);
	port_reset();
	return error;
}

static void
test_a_doorbell_lies_in_its_window(void **state)
{
	const uint64_t wide = PV_F_BIT(PV_F_NOTIFICATION_DATA);

	(void)state;
	assert_int_equal(doorbell(14, 16, 0), 0);
	assert_int_equal(doorbell(16, 16, 0), EIO);
	assert_int_equal(doorbell(12, 16, wide), 0);
	assert_int_equal(doorbell(14, 16, wide), EIO);
	assert_int_equal(doorbell(10, 16, wide), EIO);
}

static unsigned int calls;

static void
count_call(void *arg)
{
	(void)arg;
	calls++;
}

static void
test_the_first_queue_has_a_vector_of_its_own(void **state)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_size = 8, .vp_maxpieces = 1,
		.vp_maxsegs = 1, .vp_intr = count_call,
	};
	struct pv_virtq *vqs[2];
	unsigned int i;

	(void)state;
	prepare();
	assert_int_equal(stand_attach(&stand), 0);
	assert_int_equal(pv_virtio_negotiate(dev, &no_features, NULL), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pv_virtq_alloc(dev, i, &vp, &vqs[i]), 0);
	assert_int_equal(pv_virtio_start(dev), 0);
	assert_int_equal(dev->vd_intr_mode, PV_INTR_MODE_PER_QUEUE);
	calls = 0;
	fp->fp_handlers[1].fn(fp->fp_handlers[1].arg);
	assert_int_equal(calls, 1);
	assert_int_equal(stand.st_nconfig, 0);
	assert_int_equal(pv_virtio_stop(dev), 0);
	for (i = 0; i < 2; i++)
		pv_virtq_free(vqs[i]);
	assert_int_equal(stand_finish(&stand), 0);
}

static int refuse_from;

static int
refuse_establish(void *cookie, int vector, const char *name, int (*fn)(void *),
    void *arg)
{
	assert_true(vector < (int)fp->fp_vectors);
	if (vector >= refuse_from)
		return EBUSY;
	return fake_pci_ops.po_intr_establish(cookie, vector, name, fn, arg);
}

/* Handlers that the kernel has no room for, one after another */
static void
test_vectors_that_cannot_be_had_lead_on(void **state)
{
	static const enum pv_intr_mode modes[] = {
		PV_INTR_MODE_LINE, PV_INTR_MODE_SHARED, PV_INTR_MODE_SHARED,
	};

	(void)state;
	for (refuse_from = 0; refuse_from < 3; refuse_from++) {
		prepare();
		conf_ops = fake_pci_ops;
		conf_ops.po_intr_establish = refuse_establish;
		assert_int_equal(pv_pci_attach(pp, &conf_ops, fp, "fake0"), 0);
		assert_int_equal(pv_pci_transport.to_intr_setup(pp, dev, 2),
		    modes[refuse_from]);
		assert_int_equal(fp->fp_established, 1 +
		    (refuse_from == 2));
		pv_pci_transport.to_intr_teardown(pp);
		assert_int_equal(stand_finish(&stand), 0);
	}
}

static void
test_without_a_status_register_there_is_no_line(void **state)
{
	(void)state;
	prepare();
	fp->fp_conf[CAP_ISR + 3] = 9;
	fp->fp_vectors = 0;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_pci_transport.to_intr_setup(pp, dev, 2),
	    PV_INTR_MODE_POLL);
	assert_int_equal(pv_pci_transport.to_intr_status(pp), 0);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_a_queue_that_is_not_there_needs_no_vector(void **state)
{
	(void)state;
	prepare();
	fd->fd_queues[1].fq_max = fd->fd_queues[1].fq_size = 0;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_pci_transport.to_intr_setup(pp, dev, NQUEUES),
	    PV_INTR_MODE_PER_QUEUE);
	assert_int_equal(fd->fd_queues[1].fq_vector, FAKE_NO_VECTOR);
	assert_int_equal(fd->fd_queues[2].fq_vector, 3);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_the_description_has_the_revision(void **state)
{
	char text[64];

	(void)state;
	prepare();
	fp->fp_conf[8] = 123;
	assert_int_equal(attach(), 0);
	pv_pci_transport.to_describe(pp, text, sizeof(text));
	assert_string_equal(text, "pci 1af4:1041 rev 123");
	pv_pci_transport.to_describe(pp, text, 0);
	assert_string_equal(text, "pci 1af4:1041 rev 123");
	pv_pci_transport.to_describe(pp, text, 1);
	assert_string_equal(text, "");
	assert_int_equal(stand_finish(&stand), 0);
}

/* A type that has no name, and no modern structures */
static void
test_a_legacy_function_of_no_known_type_is_told(void **state)
{
	(void)state;
	prepare();
	set32(0x00, 0x10001af4);
	set32(0x2c, 6 << 16);
	set32(0x04, 0x00000007);
	expect_failure(ENOTSUP);
	assert_true(port_logged("legacy-only virtio unknown"));
}

static enum pv_intr_mode
mode_of(unsigned int nvectors, unsigned int nqueues)
{
	enum pv_intr_mode mode;

	prepare();
	refuse_from = 1000;
	conf_ops = fake_pci_ops;
	conf_ops.po_intr_establish = refuse_establish;
	fp->fp_vectors = nvectors;
	assert_int_equal(pv_pci_attach(pp, &conf_ops, fp, "fake0"), 0);
	mode = pv_pci_transport.to_intr_setup(pp, dev, nqueues);
	pv_pci_transport.to_intr_teardown(pp);
	assert_int_equal(stand_finish(&stand), 0);
	return mode;
}

static void
test_vectors_are_as_many_as_there_are(void **state)
{
	(void)state;
	assert_int_equal(mode_of(4, 3), PV_INTR_MODE_PER_QUEUE);
	assert_int_equal(mode_of(3, 2), PV_INTR_MODE_PER_QUEUE);
	assert_int_equal(mode_of(3, 3), PV_INTR_MODE_SHARED);
	assert_int_equal(mode_of(1, 3), PV_INTR_MODE_SHARED);
	assert_int_equal(mode_of(0, 3), PV_INTR_MODE_LINE);
	assert_int_equal(mode_of(PV_PCI_MAXVECTORS, PV_PCI_MAXVECTORS - 1),
	    PV_INTR_MODE_PER_QUEUE);
}

static struct port_bus_space registers;

/* The first queue takes no vector; the others do. */
static uint32_t
refuse_first(void *v, bus_size_t off, unsigned int width)
{
	if (off == FAKE_PCI_COMMON + 0x1a && fd->fd_queue_sel == 0) {
		registers.bs_read(v, off, width);
		return FAKE_NO_VECTOR;
	}
	return registers.bs_read(v, off, width);
}

static void
test_one_refused_vector_is_one_too_many(void **state)
{
	(void)state;
	prepare();
	registers = fp->fp_space;
	fp->fp_space.bs_read = refuse_first;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_pci_transport.to_intr_setup(pp, dev, 2),
	    PV_INTR_MODE_LINE);
	pv_pci_transport.to_intr_teardown(pp);
	assert_int_equal(stand_finish(&stand), 0);
}

static void
test_the_only_vector_is_given_up_too(void **state)
{
	(void)state;
	prepare();
	fp->fp_vectors = 1;
	fp->fp_refuse_queue_vectors = 1;
	assert_int_equal(attach(), 0);
	assert_int_equal(pv_pci_transport.to_intr_setup(pp, dev, 2),
	    PV_INTR_MODE_LINE);
	assert_int_equal(fp->fp_config_vector, FAKE_NO_VECTOR);
	pv_pci_transport.to_intr_teardown(pp);
	assert_int_equal(stand_finish(&stand), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_name_the_type),
		cmocka_unit_test(test_regions_are_found_beyond_32_bits),
		cmocka_unit_test(test_region_0_is_one_too),
		cmocka_unit_test(test_regions_without_end_are_so_many),
		cmocka_unit_test(test_a_short_capability_is_not_read_beyond),
		cmocka_unit_test(test_a_region_that_can_not_be_is_passed_over),
		cmocka_unit_test(test_the_first_region_of_an_id_is_taken),
		cmocka_unit_test(test_regions_meet_nothing_else),
		cmocka_unit_test(test_regions_are_no_more_than_fit),
		cmocka_unit_test(test_without_the_size_of_a_bar_there_is_no_region),
		cmocka_unit_test(test_a_transport_may_have_no_regions),
		cmocka_unit_test(
		    test_a_transitional_function_is_driven_as_modern),
		cmocka_unit_test(test_a_legacy_only_function_is_named),
		cmocka_unit_test(test_others_are_not_ours),
		cmocka_unit_test(test_a_list_that_loops_ends),
		cmocka_unit_test(test_a_list_into_the_header_ends),
		cmocka_unit_test(test_a_truncated_capability_is_passed_over),
		cmocka_unit_test(test_a_window_outside_its_bar_is_refused),
		cmocka_unit_test(test_reserved_bars_are_never_mapped),
		cmocka_unit_test(test_notify_multipliers_are_checked),
		cmocka_unit_test(test_the_first_good_one_of_a_kind_is_taken),
		cmocka_unit_test(
		    test_bars_without_a_structure_do_not_stay_mapped),
		cmocka_unit_test(test_unknown_structures_are_passed_over),
		cmocka_unit_test(test_no_device_configuration_is_no_failure),
		cmocka_unit_test(test_no_memory_is_clean),
		cmocka_unit_test(test_every_byte_of_the_list_may_be_any_other),
		cmocka_unit_test(
		    test_noise_for_a_configuration_space_is_survived),
		cmocka_unit_test(test_a_doorbell_outside_its_window_is_refused),
		cmocka_unit_test(
		    test_a_queue_that_is_not_taken_over_is_an_error),
		cmocka_unit_test(test_what_is_no_queue_is_not_driven),
		cmocka_unit_test(test_a_device_that_is_gone_has_no_queues),
		cmocka_unit_test(test_a_structure_carries_what_it_is_long_enough_for),
		cmocka_unit_test(test_each_queue_has_its_vector),
		cmocka_unit_test(test_fewer_vectors_are_shared),
		cmocka_unit_test(test_refused_vectors_lead_on),
		cmocka_unit_test(test_half_refused_vectors_are_given_up),
		cmocka_unit_test(test_each_of_many_queues_has_its_vector),
		cmocka_unit_test(test_the_line_reads_its_status),
		cmocka_unit_test(test_without_any_interrupt_the_poll_sees_all),
		cmocka_unit_test(test_handlers_are_had_again_after_a_stop),
		cmocka_unit_test(test_the_description_is_cut_where_it_must),
		cmocka_unit_test(test_ids_at_the_end_of_their_range),
		cmocka_unit_test(test_a_structure_may_just_fit),
		cmocka_unit_test(test_only_vendor_capabilities_are_read),
		cmocka_unit_test(test_a_bar_that_is_not_there_is_named),
		cmocka_unit_test(test_the_list_ends_at_zero),
		cmocka_unit_test(test_a_function_that_goes_while_it_is_read),
		cmocka_unit_test(test_configuration_ends_where_it_says),
		cmocka_unit_test(test_what_the_structure_lacks_is_not_carried),
		cmocka_unit_test(test_a_doorbell_lies_in_its_window),
		cmocka_unit_test(test_the_first_queue_has_a_vector_of_its_own),
		cmocka_unit_test(test_vectors_that_cannot_be_had_lead_on),
		cmocka_unit_test(
		    test_without_a_status_register_there_is_no_line),
		cmocka_unit_test(
		    test_a_queue_that_is_not_there_needs_no_vector),
		cmocka_unit_test(test_the_description_has_the_revision),
		cmocka_unit_test(
		    test_a_legacy_function_of_no_known_type_is_told),
		cmocka_unit_test(test_vectors_are_as_many_as_there_are),
		cmocka_unit_test(test_one_refused_vector_is_one_too_many),
		cmocka_unit_test(test_the_only_vector_is_given_up_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
