/* SPDX-License-Identifier: ISC */
/*
 * The life of a device: negotiation and its record, configuration, interrupts,
 * the latch, removal.
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
#define dev	(&stand.st_dev)
#define fd	(&stand.st_fd)

/* A device type of our own: A needs B, C is required, D has a value. */
#define F_A	0
#define F_B	1
#define F_C	2
#define F_D	3
#define F_E	4

static const struct pv_feature features[] = {
	{ F_A, PV_FEATURE_WANTED, "A", PV_F_BIT(F_B) },
	{ F_B, PV_FEATURE_WANTED, "B", 0 },
	{ F_C, PV_FEATURE_WANTED | PV_FEATURE_REQUIRED, "C", 0 },
	{ F_D, PV_FEATURE_WANTED, "D", 0 },
	{ F_E, PV_FEATURE_NAMED, "E", 0 },
};

static const struct pv_ladder_step ladder[] = {
	{ .ls_drop = PV_F_BIT(F_B) },
	{ .ls_add = PV_F_BIT(F_D) },
};

#define ALL	(PV_F_BIT(F_A) | PV_F_BIT(F_B) | PV_F_BIT(F_C) | PV_F_BIT(F_D))
#define RINGS	(PV_F_BIT(PV_F_VERSION_1) | PV_F_BIT(PV_F_INDIRECT_DESC) | \
	PV_F_BIT(PV_F_EVENT_IDX))

/* What the driver's check does. */
static unsigned int drop_d, nchecks, nconfirmed;
static int check_error, confirm_error;
static unsigned int confirm_times;

static uint64_t also;		/* what the check asks for unasked */

static int
check(void *sc, struct pv_virtio *d, uint64_t *f, int confirmed)
{
	assert_ptr_equal(sc, &stand);
	if (confirmed) {
		nconfirmed++;
		if (confirm_times > 0) {
			confirm_times--;
			return confirm_error;
		}
		return 0;
	}
	nchecks++;
	*f |= also;
	if (drop_d)
		pv_virtio_drop(d, f, F_D, PV_WHY_VALUE);
	return check_error;
}

static const struct pv_feature_table table = {
	.ft_features = features,
	.ft_nfeatures = 5,
	.ft_ladder = ladder,
	.ft_nladder = 2,
	.ft_check = check,
};

static void
prepare(enum stand_kind kind)
{
	stand_init(&stand, kind, PV_TYPE_NET, 2);
	fd->fd_features |= ALL | PV_F_BIT(F_E);
	drop_d = nchecks = nconfirmed = confirm_times = 0;
	also = 0;
	check_error = confirm_error = 0;
}

static void
attach(void)
{
	assert_int_equal(stand_attach(&stand), 0);
}

static void
begin(enum stand_kind kind)
{
	prepare(kind);
	attach();
}

static int
negotiate(void)
{
	return pv_virtio_negotiate(dev, &table, &stand);
}

static enum pv_feature_why
why(unsigned int bit)
{
	return (enum pv_feature_why)pv_virtio_negotiation(dev)->ng_why[bit];
}

static void
finish(void)
{
	assert_int_equal(stand_finish(&stand), 0);
}

/* Negotiation */

static void
test_all_that_is_wanted_is_accepted(void **state)
{
	const struct pv_negotiation *ng = pv_virtio_negotiation(dev);

	(void)state;
	begin(STAND_PCI);
	assert_int_equal(negotiate(), 0);
	assert_int_equal(ng->ng_accepted, ALL | RINGS);
	assert_int_equal(fd->fd_accepted, ng->ng_accepted);
	assert_int_equal(pv_virtio_features(dev), ng->ng_accepted);
	assert_int_equal(ng->ng_tries, 1);
	assert_int_equal(ng->ng_offered, fd->fd_features);
	assert_int_equal(why(F_A), PV_WHY_ACCEPTED);
	assert_int_equal(why(F_E), PV_WHY_UNKNOWN);
	assert_int_equal(why(60), PV_WHY_NOT_OFFERED);
	assert_int_equal(fd->fd_status, PV_STATUS_ACKNOWLEDGE |
	    PV_STATUS_DRIVER | PV_STATUS_FEATURES_OK);
	finish();
}

/* A bit that nobody drives must not be taken: it changes the device. */
static void
test_unknown_bits_are_never_accepted(void **state)
{
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		prepare(STAND_PCI);
		fd->fd_features = PV_F_BIT(PV_F_VERSION_1) | PV_F_BIT(F_C) |
		    PV_F_BIT(bit);
		attach();
		assert_int_equal(negotiate(), 0);
		if (bit > F_D && bit < 24)
			assert_int_equal(why(bit), PV_WHY_UNKNOWN);
		if (bit == PV_F_SR_IOV || bit == PV_F_ADMIN_VQ || bit > 41)
			assert_int_equal(why(bit), PV_WHY_UNKNOWN);
		finish();
	}
}

static void
test_a_dependent_bit_falls_with_what_it_needs(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_features &= ~PV_F_BIT(F_B);
	attach();
	assert_int_equal(negotiate(), 0);
	assert_int_equal(why(F_B), PV_WHY_NOT_OFFERED);
	assert_int_equal(why(F_A), PV_WHY_DEPENDS);
	assert_false(pv_virtio_has(dev, F_A));
	finish();
}

static void
test_a_denied_bit_is_left_and_named(void **state)
{
	(void)state;
	begin(STAND_PCI);
	pv_virtio_deny(dev, PV_F_BIT(F_D) | PV_F_BIT(PV_F_EVENT_IDX));
	assert_int_equal(negotiate(), 0);
	assert_int_equal(why(F_D), PV_WHY_DENIED);
	assert_int_equal(why(PV_F_EVENT_IDX), PV_WHY_DENIED);
	assert_false(fake_has(fd, PV_F_EVENT_IDX));
	finish();
}

static void
test_a_value_that_cannot_be_honoured_drops_its_bit(void **state)
{
	(void)state;
	begin(STAND_PCI);
	drop_d = 1;
	assert_int_equal(negotiate(), 0);
	assert_int_equal(why(F_D), PV_WHY_VALUE);
	assert_int_equal(nchecks, 1);
	assert_int_equal(nconfirmed, 1);
	finish();
}

static void
test_the_first_step_leaves_what_is_refused(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_refuses = PV_F_BIT(F_A);
	attach();
	assert_int_equal(negotiate(), 0);
	assert_int_equal(why(F_B), PV_WHY_REFUSED);
	assert_int_equal(why(F_A), PV_WHY_DEPENDS);
	assert_int_equal(pv_virtio_negotiation(dev)->ng_tries, 2);
	assert_true(pv_virtio_has(dev, F_D));
	finish();
}

/* Apple's network device: what the check dropped is what it insists on. */
static void
test_the_second_step_takes_what_the_device_insists_on(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_needs = PV_F_BIT(F_D);
	attach();
	drop_d = 1;
	assert_int_equal(negotiate(), 0);
	assert_int_equal(why(F_D), PV_WHY_ACCEPTED);
	assert_int_equal(why(F_B), PV_WHY_ACCEPTED);
	assert_int_equal(pv_virtio_negotiation(dev)->ng_tries, 3);
	finish();
}

static void
test_a_step_does_not_add_what_was_denied(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_needs = PV_F_BIT(F_D);
	attach();
	pv_virtio_deny(dev, PV_F_BIT(F_D));
	assert_int_equal(negotiate(), ENOTSUP);
	finish();
}

/* Neither a step nor a check makes the driver accept what was not offered. */
static void
test_nothing_is_accepted_that_was_not_offered(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_features &= ~(PV_F_BIT(F_D) | PV_F_BIT(F_B));
	fd->fd_needs = PV_F_BIT(50);
	attach();
	also = PV_F_BIT(F_D) | PV_F_BIT(F_E) | PV_F_BIT(45);
	assert_int_equal(negotiate(), ENOTSUP);
	assert_int_equal(fd->fd_accepted & ~fd->fd_features, 0);
	finish();
}

static const struct pv_ladder_step add_a[] = { { .ls_add = PV_F_BIT(F_A) } };

static void
test_a_step_does_not_add_what_lacks_its_ground(void **state)
{
	struct pv_feature_table ft = table;

	(void)state;
	ft.ft_ladder = add_a;
	ft.ft_nladder = 1;
	prepare(STAND_PCI);
	fd->fd_features &= ~PV_F_BIT(F_B);
	fd->fd_needs = PV_F_BIT(F_A);
	attach();
	assert_int_equal(pv_virtio_negotiate(dev, &ft, &stand), ENOTSUP);
	assert_int_equal(why(F_A), PV_WHY_DEPENDS);
	finish();
}

static void
test_ring_features_are_left_at_last(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_features |= PV_F_BIT(PV_F_RING_RESET);
	fd->fd_refuses = PV_F_BIT(PV_F_RING_RESET);
	attach();
	assert_int_equal(negotiate(), 0);
	assert_int_equal(why(PV_F_RING_RESET), PV_WHY_REFUSED);
	assert_true(pv_virtio_has(dev, PV_F_EVENT_IDX));
	fd->fd_refuses = PV_F_BIT(PV_F_EVENT_IDX);
	assert_int_equal(negotiate(), 0);
	assert_int_equal(why(PV_F_EVENT_IDX), PV_WHY_REFUSED);
	finish();
}

static void
test_a_device_that_refuses_all_is_failed(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_needs = PV_F_BIT(50);
	attach();
	assert_int_equal(negotiate(), ENOTSUP);
	assert_true(fd->fd_status & PV_STATUS_FAILED);
	assert_int_equal(pv_virtio_negotiation(dev)->ng_tries, 4);
	assert_int_equal(pv_virtio_features(dev), 0);
	assert_true(port_logged("refused"));
	finish();
}

static void
test_a_missing_required_bit_is_named(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_features &= ~PV_F_BIT(F_C);
	attach();
	assert_int_equal(negotiate(), ENOTSUP);
	assert_true(port_logged("required feature C"));
	assert_true(fd->fd_status & PV_STATUS_FAILED);
	finish();
}

static void
test_a_modern_device_without_version_1_is_refused(void **state)
{
	(void)state;
	prepare(STAND_MMIO);
	fd->fd_features &= ~PV_F_BIT(PV_F_VERSION_1);
	attach();
	assert_int_equal(negotiate(), ENOTSUP);
	assert_true(port_logged("VERSION_1"));
	finish();
}

static void
test_a_value_that_changed_restarts_with_a_bound(void **state)
{
	(void)state;
	begin(STAND_PCI);
	confirm_error = EAGAIN;
	confirm_times = 3;
	assert_int_equal(negotiate(), 0);
	assert_int_equal(pv_virtio_negotiation(dev)->ng_tries, 4);
	confirm_times = 1000;
	assert_int_equal(negotiate(), EAGAIN);
	assert_true(confirm_times > 980);
	assert_true(fd->fd_status & PV_STATUS_FAILED);
	finish();
}

static void
test_what_the_check_returns_is_returned(void **state)
{
	(void)state;
	begin(STAND_PCI);
	check_error = ENOMEM;
	assert_int_equal(negotiate(), ENOMEM);
	check_error = 0;
	confirm_error = EINVAL;
	confirm_times = 1;
	assert_int_equal(negotiate(), EINVAL);
	assert_int_equal(pv_virtio_features(dev), 0);
	finish();
}

static void
test_legacy_has_no_features_ok(void **state)
{
	(void)state;
	if (!STAND_HAS_LEGACY)
		skip();
	begin(STAND_LEGACY);
	assert_int_equal(negotiate(), 0);
	assert_false(pv_virtio_has(dev, PV_F_VERSION_1));
	assert_true(pv_virtio_has(dev, F_D));
	assert_int_equal(fd->fd_status,
	    PV_STATUS_ACKNOWLEDGE | PV_STATUS_DRIVER);
	finish();
}

static void
test_names_are_the_drivers_then_the_cores(void **state)
{
	(void)state;
	begin(STAND_PCI);
	assert_string_equal(pv_virtio_feature_name(dev, PV_F_EVENT_IDX),
	    "EVENT_IDX");
	assert_null(pv_virtio_feature_name(dev, F_A));
	assert_int_equal(negotiate(), 0);
	assert_string_equal(pv_virtio_feature_name(dev, F_A), "A");
	assert_null(pv_virtio_feature_name(dev, 63));
	assert_null(pv_virtio_feature_name(dev, 64));
	assert_string_equal(pv_virtio_type_name(PV_TYPE_GPU), "gpu");
	assert_null(pv_virtio_type_name(6));
	assert_null(pv_virtio_type_name(UINT32_MAX));
	assert_string_equal(pv_feature_why_name(PV_WHY_NOT_OFFERED),
	    "not offered");
	assert_string_equal(pv_feature_why_name((enum pv_feature_why)99), "?");
	finish();
}

/* Reset */

static void
test_reset_is_awaited(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_reset_looks = 500;
	attach();
	assert_int_equal(negotiate(), 0);
	assert_int_equal(pv_virtio_stop(dev), 0);
	finish();
}

static void
test_a_reset_that_never_ends_costs_a_second(void **state)
{
	uint64_t before;

	(void)state;
	prepare(STAND_PCI);
	fd->fd_reset_never = 1;
	before = port.po_now_ns;
	assert_int_equal(stand_attach(&stand), ETIMEDOUT);
	assert_in_range(port.po_now_ns - before, 900000000, 1500000000);
	finish();
}

static void
stand_still(void *arg)
{
	(void)arg;
	port.po_now_ns = 1;
}

static void
test_reset_ends_even_if_the_clock_stands(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_reset_never = 1;
	port.po_now_ns = 1;
	port.po_tick = stand_still;
	assert_int_equal(stand_attach(&stand), ETIMEDOUT);
	finish();
}

static void
test_a_device_that_is_gone_is_told_apart(void **state)
{
	(void)state;
	begin(STAND_PCI);
	fd->fd_gone = 1;
	assert_int_equal(negotiate(), EIO);
	assert_int_equal(pv_virtio_stop(dev), ETIMEDOUT);
	finish();
}

/* Gone at each status access of a negotiation and start, one after another */
static unsigned int countdown;

static void
vanish(struct fake_dev *d, uint8_t status)
{
	(void)status;
	if (countdown-- == 0)
		d->fd_gone = 1;
}

static void
test_removal_at_any_step_is_an_error_and_no_hang(void **state)
{
	unsigned int i;
	int error;

	(void)state;
	for (i = 0; i < 4; i++) {
		prepare(STAND_PCI);
		fd->fd_status_written = vanish;
		countdown = i;
		attach();
		error = negotiate();
		if (error == 0)
			error = pv_virtio_start(dev);
		assert_int_equal(error, EIO);
		finish();
	}
}

/* Configuration */

static uint16_t conf16;
static uint64_t conf64;
static uint8_t mac[6];

static const struct pv_config_field fields[] = {
	{ 0, 1, 6, mac },
	{ 6, 2, 1, &conf16 },
	{ 8, 8, 1, &conf64 },
};

static const uint8_t bytes[16] = { 2, 3, 4, 5, 6, 7, 0x34, 0x12,
	1, 2, 3, 4, 5, 6, 7, 8 };

static void
test_fields_are_read_at_their_width(void **state)
{
	enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO, STAND_LEGACY };
	unsigned int i;

	(void)state;
	for (i = 0; i < STAND_NKINDS; i++) {
		prepare(kinds[i]);
		fake_config_set(fd, 0, bytes, sizeof(bytes));
		attach();
		memset(mac, 0, sizeof(mac));
		conf16 = 0;
		conf64 = 0;
		assert_int_equal(pv_virtio_config_read(dev, fields, 3), 0);
		assert_memory_equal(mac, bytes, 6);
		assert_int_equal(conf16, 0x1234);
		assert_int_equal(conf64, 0x0807060504030201ull);
		finish();
	}
}

static void
test_fields_outside_are_refused(void **state)
{
	enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO };
	struct pv_config_field bad[] = {
		{ FAKE_CONFIGLEN, 1, 1, mac },
		{ FAKE_CONFIGLEN - 2, 4, 1, mac },
		{ FAKE_CONFIGLEN - 1, 1, 2, mac },
		{ FAKE_CONFIGLEN - 4, 8, 1, mac },
		{ 2, 4, 1, mac },
		{ 0xffff, 1, 1, mac },
		{ 0, 3, 1, mac },
		{ 0, 0, 1, mac },
	};
	unsigned int i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		begin(kinds[k]);
		for (i = 0; i < 8; i++)
			assert_int_equal(pv_virtio_config_read(dev, &bad[i],
			    1), ERANGE);
		assert_int_equal(pv_virtio_config_write(dev, FAKE_CONFIGLEN,
		    1, 0), ERANGE);
		assert_int_equal(pv_virtio_config_write(dev, 1, 2, 0), ERANGE);
		assert_int_equal(pv_virtio_config_write(dev, 0, 8, 0), ERANGE);
		assert_int_equal(pv_virtio_config_write(dev, 4, 4, 77), 0);
		assert_int_equal(fd->fd_config[4], 77);
		finish();
	}
}

/* The device writes all 16 bytes anew in the middle of our reading. */
static unsigned int tears;

static void
tear(struct fake_dev *d, unsigned int off)
{
	uint8_t all[16];

	if (off != 12 || tears == 0)
		return;
	tears--;
	memset(all, (int)tears + 1, sizeof(all));
	memcpy(d->fd_config, all, sizeof(all));
	d->fd_generation++;
}

static void
test_a_torn_reading_is_never_returned(void **state)
{
	enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO, STAND_LEGACY };
	unsigned int i;

	(void)state;
	for (i = 0; i < STAND_NKINDS; i++) {
		prepare(kinds[i]);
		fd->fd_config_reading = tear;
		fake_config_set(fd, 0, bytes, sizeof(bytes));
		attach();
		tears = 7;
		assert_int_equal(pv_virtio_config_read(dev, fields, 3), 0);
		assert_int_equal(conf64, 0x0101010101010101ull);
		assert_int_equal(conf16, 0x0101);
		tears = 100000;
		assert_int_equal(pv_virtio_config_read(dev, fields, 3), EIO);
		assert_true(tears > 99000);
		finish();
	}
}

static void
test_configuration_of_a_removed_device_breaks_it(void **state)
{
	(void)state;
	begin(STAND_PCI);
	assert_int_equal(negotiate(), 0);
	fd->fd_gone = 1;
	assert_int_equal(pv_virtio_config_read(dev, fields, 3), EIO);
	assert_int_equal(stand.st_nbroken, 1);
	assert_string_equal(pv_virtio_broken(dev), "the device is gone");
	assert_int_equal(pv_virtio_config_read(dev, fields, 3), EIO);
	finish();
}

static void
test_all_ones_are_a_value_too(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	memset(fd->fd_config, 0xff, 16);
	attach();
	assert_int_equal(pv_virtio_config_read(dev, fields, 3), 0);
	assert_int_equal(conf64, UINT64_MAX);
	finish();
}

/* Interrupts, poll, the latch */

static struct pv_virtq *queues[2];
static unsigned int nintr[2];

static void
queue_intr(void *arg)
{
	++*(unsigned int *)arg;
}

static void
alloc_queues(void)
{
	struct pv_virtq_params vp = {
		.vp_name = "q", .vp_size = 8, .vp_maxpieces = 1,
		.vp_maxsegs = 1, .vp_intr = queue_intr,
	};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		nintr[i] = 0;
		vp.vp_arg = &nintr[i];
		assert_int_equal(pv_virtq_alloc(dev, i, &vp, &queues[i]), 0);
	}
}

static void
run(enum stand_kind kind)
{
	if (stand.st_kind != kind || fd->fd_type == 0)
		prepare(kind);
	attach();
	assert_int_equal(negotiate(), 0);
	alloc_queues();
	assert_int_equal(pv_virtio_start(dev), 0);
}

static void
end(void)
{
	unsigned int i;

	pv_virtio_stop(dev);
	for (i = 0; i < 2; i++) {
		while (pv_virtq_drain(queues[i]) != NULL)
			;
		pv_virtq_free(queues[i]);
	}
	finish();
}

static void
test_interrupts_before_driver_ok_do_nothing(void **state)
{
	(void)state;
	begin(STAND_PCI);
	assert_int_equal(pv_virtio_intr(dev, PV_INTR_QUEUE | PV_INTR_CONFIG),
	    1);
	assert_int_equal(pv_virtio_intr_queue(dev, 0), 1);
	assert_int_equal(negotiate(), 0);
	alloc_queues();
	assert_int_equal(pv_virtio_intr(dev, PV_INTR_QUEUE | PV_INTR_CONFIG),
	    1);
	assert_int_equal(pv_virtio_intr_queue(dev, 1), 1);
	assert_int_equal(pv_virtio_poll(dev), 0);
	assert_int_equal(nintr[0] + nintr[1] + stand.st_nconfig, 0);
	assert_int_equal(dev->vd_nspurious, 4);
	assert_int_equal(pv_virtio_start(dev), 0);
	assert_int_equal(pv_virtio_start(dev), EINVAL);
	assert_int_equal(pv_virtio_intr_queue(dev, 1), 1);
	assert_int_equal(pv_virtio_intr_queue(dev, 64), 1);
	assert_int_equal(nintr[1], 1);
	end();
	assert_int_equal(pv_virtio_intr_queue(dev, 1), 1);
}

static void
test_an_interrupt_storm_only_counts(void **state)
{
	unsigned int i;

	(void)state;
	prepare(STAND_MMIO);
	run(STAND_MMIO);
	for (i = 0; i < 10000; i++) {
		fake_interrupt(fd, 0, 1);
		fake_config_interrupt(fd);
	}
	assert_int_equal(stand.st_nconfig, 10000);
	assert_true(port.po_nlogs < 20);
	end();
}

static void
test_needs_reset_breaks_at_the_interrupt(void **state)
{
	enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO, STAND_LEGACY };
	unsigned int i;

	(void)state;
	for (i = 0; i < STAND_NKINDS; i++) {
		prepare(kinds[i]);
		run(kinds[i]);
		fd->fd_status |= PV_STATUS_NEEDS_RESET;
		fake_config_interrupt(fd);
		assert_int_equal(stand.st_nbroken, 1);
		assert_int_equal(stand.st_nconfig, 0);
		assert_non_null(strstr(pv_virtio_broken(dev), "reset"));
		fake_config_interrupt(fd);
		assert_int_equal(stand.st_nbroken, 1);
		assert_int_equal(pv_virtio_start(dev), EIO);
		end();
	}
}

static void
test_needs_reset_breaks_at_the_poll(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	run(STAND_PCI);
	assert_int_equal(pv_virtio_poll(dev), 0);
	fd->fd_status |= PV_STATUS_NEEDS_RESET;
	assert_int_equal(pv_virtio_poll(dev), 1);
	assert_int_equal(stand.st_nbroken, 1);
	assert_int_equal(pv_virtio_poll(dev), 0);
	end();
}

static void
test_removal_breaks_and_never_confirms(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	run(STAND_PCI);
	fd->fd_gone = 1;
	assert_int_equal(pv_virtio_poll(dev), 1);
	assert_string_equal(stand.st_why, "the device is gone");
	assert_int_equal(pv_virtio_stop(dev), ETIMEDOUT);
	/* The latch stays: nothing was confirmed. */
	assert_non_null(pv_virtio_broken(dev));
	pv_virtq_free(queues[0]);
	pv_virtq_free(queues[1]);
	pv_pci_detach(&stand.st_pp);
	assert_int_equal(port_check_rules(), 0);
	port_reset();
}

static void
test_a_missed_interrupt_is_found_by_the_poll(void **state)
{
	enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO, STAND_LEGACY };
	struct fake_chain *fc = calloc(1, sizeof(*fc));
	struct pv_piece pc;
	struct pv_used us;
	struct port_buf *pb;
	unsigned int i;

	(void)state;
	for (i = 0; i < STAND_NKINDS; i++) {
		prepare(kinds[i]);
		run(kinds[i]);
		pb = port_buf_new(64);
		fd->fd_queues[1].fq_silent = 1;
		pc = (struct pv_piece){ pb->pb_map, 0, 64 };
		assert_int_equal(pv_virtq_enqueue(queues[1], &pc, 0, 1, pb),
		    0);
		pv_virtq_publish(queues[1]);
		assert_int_equal(fake_pop(fd, 1, fc), 1);
		fake_push(fd, 1, fc, 0);
		assert_int_equal(nintr[1], 0);
		assert_int_equal(pv_virtio_poll(dev), 1);
		assert_int_equal(nintr[1], 1);
		assert_int_equal(nintr[0], 0);
		assert_int_equal(pv_virtq_dequeue(queues[1], &us), 0);
		assert_int_equal(pv_virtio_poll(dev), 0);
		port_buf_free(pb);
		end();
	}
	free(fc);
}

static void
test_a_configuration_change_is_told(void **state)
{
	enum stand_kind kinds[] = { STAND_PCI, STAND_MMIO, STAND_LEGACY };
	unsigned int i;

	(void)state;
	for (i = 0; i < STAND_NKINDS; i++) {
		prepare(kinds[i]);
		run(kinds[i]);
		fake_config_change(fd, 0, bytes, 4);
		assert_int_equal(stand.st_nconfig, 1);
		assert_int_equal(nintr[0] + nintr[1], 0);
		end();
	}
}

static void
test_a_negotiation_stops_a_device_that_runs(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	run(STAND_PCI);
	assert_int_equal(negotiate(), 0);
	assert_int_equal(stand.st_fp.fp_established, 0);
	assert_int_equal(pv_virtq_restart(queues[0]), 0);
	assert_int_equal(pv_virtq_restart(queues[1]), 0);
	assert_int_equal(pv_virtio_start(dev), 0);
	fake_interrupt(fd, 1, 1);
	assert_int_equal(nintr[1], 1);
	fake_config_interrupt(fd);
	assert_int_equal(stand.st_nconfig, 1);
	end();
}

static void
test_the_latch_is_told_once(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	run(STAND_PCI);
	assert_int_equal(pv_virtio_break(dev, "one"), EIO);
	assert_int_equal(pv_virtio_break(dev, "two"), EIO);
	assert_string_equal(pv_virtio_broken(dev), "one");
	assert_int_equal(stand.st_nbroken, 1);
	assert_int_equal(pv_virtio_stop(dev), 0);
	assert_null(pv_virtio_broken(dev));
	end();
}

static void
test_messages_that_a_device_provokes_are_bounded(void **state)
{
	unsigned int i;

	(void)state;
	prepare(STAND_PCI);
	run(STAND_PCI);
	for (i = 0; i < 10000; i++) {
		pv_virtio_break(dev, "again");
		assert_int_equal(pv_virtio_stop(dev), 0);
	}
	assert_true(port.po_nlogs < 40);
	end();
}

/* DRIVER_OK that the device does not take */
static void
forget_driver_ok(struct fake_dev *d, uint8_t status)
{
	(void)status;
	d->fd_status &= (uint8_t)~PV_STATUS_DRIVER_OK;
}

static void
test_a_refused_driver_ok_is_an_error(void **state)
{
	(void)state;
	prepare(STAND_PCI);
	fd->fd_status_written = forget_driver_ok;
	attach();
	assert_int_equal(negotiate(), 0);
	alloc_queues();
	assert_int_equal(pv_virtio_start(dev), EIO);
	assert_int_equal(fd->fd_status, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_is_wanted_is_accepted),
		cmocka_unit_test(test_unknown_bits_are_never_accepted),
		cmocka_unit_test(test_a_dependent_bit_falls_with_what_it_needs),
		cmocka_unit_test(test_a_denied_bit_is_left_and_named),
		cmocka_unit_test(
		    test_a_value_that_cannot_be_honoured_drops_its_bit),
		cmocka_unit_test(test_the_first_step_leaves_what_is_refused),
		cmocka_unit_test(
		    test_the_second_step_takes_what_the_device_insists_on),
		cmocka_unit_test(test_a_step_does_not_add_what_was_denied),
		cmocka_unit_test(test_nothing_is_accepted_that_was_not_offered),
		cmocka_unit_test(
		    test_a_step_does_not_add_what_lacks_its_ground),
		cmocka_unit_test(test_ring_features_are_left_at_last),
		cmocka_unit_test(test_a_device_that_refuses_all_is_failed),
		cmocka_unit_test(test_a_missing_required_bit_is_named),
		cmocka_unit_test(
		    test_a_modern_device_without_version_1_is_refused),
		cmocka_unit_test(
		    test_a_value_that_changed_restarts_with_a_bound),
		cmocka_unit_test(test_what_the_check_returns_is_returned),
		cmocka_unit_test(test_legacy_has_no_features_ok),
		cmocka_unit_test(test_names_are_the_drivers_then_the_cores),
		cmocka_unit_test(test_reset_is_awaited),
		cmocka_unit_test(test_a_reset_that_never_ends_costs_a_second),
		cmocka_unit_test(test_reset_ends_even_if_the_clock_stands),
		cmocka_unit_test(test_a_device_that_is_gone_is_told_apart),
		cmocka_unit_test(
		    test_removal_at_any_step_is_an_error_and_no_hang),
		cmocka_unit_test(test_fields_are_read_at_their_width),
		cmocka_unit_test(test_fields_outside_are_refused),
		cmocka_unit_test(test_a_torn_reading_is_never_returned),
		cmocka_unit_test(
		    test_configuration_of_a_removed_device_breaks_it),
		cmocka_unit_test(test_all_ones_are_a_value_too),
		cmocka_unit_test(test_interrupts_before_driver_ok_do_nothing),
		cmocka_unit_test(test_an_interrupt_storm_only_counts),
		cmocka_unit_test(test_needs_reset_breaks_at_the_interrupt),
		cmocka_unit_test(test_needs_reset_breaks_at_the_poll),
		cmocka_unit_test(test_removal_breaks_and_never_confirms),
		cmocka_unit_test(test_a_missed_interrupt_is_found_by_the_poll),
		cmocka_unit_test(test_a_configuration_change_is_told),
		cmocka_unit_test(test_a_negotiation_stops_a_device_that_runs),
		cmocka_unit_test(test_the_latch_is_told_once),
		cmocka_unit_test(
		    test_messages_that_a_device_provokes_are_bounded),
		cmocka_unit_test(test_a_refused_driver_ok_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
