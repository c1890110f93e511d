/* SPDX-License-Identifier: ISC */
/*
 * Planted violations of Basic Facilities of a Virtio Device, but rings.
 */
#include <string.h>

#include "planted.h"

#define ACK	PV_STATUS_ACKNOWLEDGE
#define DRIVER	PV_STATUS_DRIVER
#define FEATS	PV_STATUS_FEATURES_OK
#define OK	PV_STATUS_DRIVER_OK

static void
begun(struct raw *r)
{
	raw_attach(r);
	raw_reset(r);
}

static void
driver_before_acknowledge(struct raw *r)
{
	begun(r);
	raw_set_status(r, DRIVER);
}

static void
driver_ok_without_features_ok(struct raw *r)
{
	begun(r);
	raw_hello(r);
	raw_features(r);
	raw_set_status(r, ACK | DRIVER | OK);
}

static void
features_before_driver(struct raw *r)
{
	begun(r);
	raw_set_status(r, ACK);
	raw_features(r);
}

static void
a_bit_is_cleared(struct raw *r)
{
	raw_up(r);
	raw_set_status(r, ACK | DRIVER | FEATS);
}

static void
on_after_failed(struct raw *r)
{
	begun(r);
	raw_hello(r);
	raw_features(r);
	raw_set_status(r, ACK | DRIVER | PV_STATUS_FAILED);
	raw_set_status(r, ACK | DRIVER | FEATS | PV_STATUS_FAILED);
}

static void
relies_on_a_lost_device(struct raw *r)
{
	raw_up(r);
	fake_needs_reset(r->r_fd);
	raw_status(r);
	raw_send(r, 0, 64, DESC_WRITE);
}

static void
accepts_what_is_not_offered(struct raw *r)
{
	begun(r);
	raw_hello(r);
	r->r_ops->to_features_write(r->r_tr, r->r_fd->fd_features |
	    PV_F_BIT(PV_F_NOTIFICATION_DATA));
	raw_features_ok(r);
}

static const struct fake_depend needs_17[] = {
	{ 18, PV_F_BIT(17), 0 },
};

static void
accepts_without_what_it_needs(struct raw *r)
{
	r->r_fd->fd_features |= PV_F_BIT(18);
	r->r_fd->fd_depends = needs_17;
	r->r_fd->fd_ndepends = 1;
	raw_agree(r);
}

static void
accepts_unknown_bits(struct raw *r)
{
	r->r_fd->fd_known &= ~PV_F_BIT(47);
	r->r_fd->fd_features |= PV_F_BIT(47);
	raw_agree(r);
}

static void
stops_at_unknown_bits(struct raw *r)
{
	r->r_fd->fd_known &= ~PV_F_BIT(47);
	r->r_fd->fd_features |= PV_F_BIT(47);
	begun(r);
	raw_hello(r);
	raw_set_status(r, ACK | DRIVER | PV_STATUS_FAILED);
	fake_judge(r->r_fd, 1);
}

static void
stops_for_want_of_a_feature(struct raw *r)
{
	r->r_fd->fd_features &= ~PV_F_BIT(PV_F_EVENT_IDX);
	begun(r);
	raw_hello(r);
	raw_set_status(r, ACK | DRIVER | PV_STATUS_FAILED);
	fake_judge(r->r_fd, 1);
}

static void
gives_up_in_silence(struct raw *r)
{
	begun(r);
	raw_hello(r);
	fake_judge(r->r_fd, 0);
}

static void
does_not_await_reset(struct raw *r)
{
	r->r_fd->fd_reset_looks = 3;
	raw_attach(r);
	raw_set_status(r, 0);
	raw_set_status(r, ACK);
	raw_reset(r);
}

static void
reads_fields_without_generation(struct raw *r)
{
	uint32_t v;

	raw_up(r);
	r->r_ops->to_config_read(r->r_tr, 0, 4, &v);
	r->r_ops->to_config_read(r->r_tr, 4, 4, &v);
	r->r_ops->to_config_generation(r->r_tr);
}

static void
reads_generation_before_only(struct raw *r)
{
	uint32_t v;

	raw_up(r);
	r->r_ops->to_config_generation(r->r_tr);
	r->r_ops->to_config_read(r->r_tr, 0, 4, &v);
	r->r_ops->to_config_read(r->r_tr, 4, 4, &v);
	raw_status(r);
}

static const struct fake_field fields[] = {
	{ 0, 4, 2, 1, -1 },
	{ 8, 2, 1, 0, 17 },
};

static void
reads_a_field_that_is_not_there(struct raw *r)
{
	uint32_t v;

	raw_up(r);
	r->r_ops->to_config_read(r->r_tr, 8, 2, &v);
}

static void
writes_configuration_early(struct raw *r)
{
	begun(r);
	raw_hello(r);
	r->r_ops->to_config_write(r->r_tr, 4, 4, 1);
}

static void
adds_features_late(struct raw *r)
{
	raw_agree(r);
	r->r_ops->to_features_write(r->r_tr, r->r_fd->fd_features);
}

static void
goes_on_when_refused(struct raw *r)
{
	r->r_fd->fd_refuses = PV_F_BIT(PV_F_EVENT_IDX);
	raw_agree(r);
	raw_queue_place(r, NULL);
}

static void
rings_before_driver_ok(struct raw *r)
{
	raw_agree(r);
	raw_queues(r);
	raw_kick(r, 0);
}

static void
enables_a_queue_late(struct raw *r)
{
	raw_agree(r);
	raw_driver_ok(r);
	raw_queue_place(r, NULL);
}

static void
keep(struct fake_dev *fd, unsigned int queue)
{
	(void)fd;
	(void)queue;
}

static struct fake_chain kept;

static void
alters_an_exposed_entry(struct raw *r)
{
	r->r_fd->fd_notify = keep;
	raw_up(r);
	raw_send(r, 0, 64, DESC_WRITE);
	fake_pop(r->r_fd, 0, &kept);
	raw_desc(r, 0, 0, raw_buf(r, 128), 64, DESC_WRITE, 0);
	fake_push(r->r_fd, 0, &kept, 0);
}

static void
removes_an_exposed_buffer(struct raw *r)
{
	struct port_buf *pb = port_buf_new(64);

	r->r_fd->fd_notify = keep;
	raw_up(r);
	raw_desc(r, 0, 0, pb->pb_map->dm_segs[0].ds_addr, 64, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
	fake_pop(r->r_fd, 0, &kept);
	port_buf_free(pb);
	fake_push(r->r_fd, 0, &kept, 0);
}

static void
leaves_version_1(struct raw *r)
{
	r->r_deny = PV_F_BIT(PV_F_VERSION_1);
	raw_agree(r);
}

static void
leaves_what_it_should_take(struct raw *r)
{
	r->r_fd->fd_features |= PV_F_BIT(PV_F_ACCESS_PLATFORM);
	r->r_fd->fd_should = PV_F_BIT(PV_F_ACCESS_PLATFORM);
	r->r_deny = PV_F_BIT(PV_F_ACCESS_PLATFORM);
	raw_agree(r);
}

static void
leaves_order_platform(struct raw *r)
{
	r->r_fd->fd_features |= PV_F_BIT(PV_F_ORDER_PLATFORM);
	r->r_fd->fd_should = PV_F_BIT(PV_F_ORDER_PLATFORM);
	r->r_deny = PV_F_BIT(PV_F_ORDER_PLATFORM);
	raw_agree(r);
}

static void
takes_sr_iov(struct raw *r)
{
	r->r_fd->fd_features |= PV_F_BIT(PV_F_SR_IOV);
	raw_agree(r);
}

static void
hands_out_cpu_addresses(struct raw *r)
{
	raw_up(r);
	raw_desc(r, 0, 0, (bus_addr_t)(uintptr_t)r->r_buf->pb_va, 64,
	    DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
physical(struct raw *r, struct pv_queue_place *qp)
{
	(void)r;
	qp->qp_desc = 0x40001000;
}

static void
hands_out_a_physical_ring(struct raw *r)
{
	raw_agree(r);
	raw_queue_place(r, physical);
}

static void
orders_for_cpus_only(struct raw *r)
{
	r->r_fd->fd_features |= PV_F_BIT(PV_F_ORDER_PLATFORM);
	raw_up(r);
	pv_md_wmb(false);
}

static void
misses_a_change(struct raw *r)
{
	uint32_t one = 1;

	raw_up(r);
	fake_config_change(r->r_fd, 0, &one, sizeof(one));
	fake_settle(r->r_fd);
}

/* For those of configuration: a layout that is known. */
static void
with_fields(struct raw *r)
{
	r->r_fd->fd_fields = fields;
	r->r_fd->fd_nfields = 2;
}

#define FIELDS(fn) \
static void fn##_(struct raw *r) { with_fields(r); fn(r); }

FIELDS(reads_fields_without_generation)
FIELDS(reads_generation_before_only)
FIELDS(reads_a_field_that_is_not_there)
FIELDS(writes_configuration_early)

#define P(fn, rule)	{ #fn, STRICT_##rule, STAND_PCI, 4, 1, fn }
#define M(fn, rule)	{ #fn, STRICT_##rule, STAND_MMIO, 4, 1, fn }
#define F(fn, rule)	{ #fn, STRICT_##rule, STAND_PCI, 4, 1, fn##_ }

const struct planted planted_core[] = {
	P(driver_before_acknowledge, STATUS_ORDER),
	M(driver_ok_without_features_ok, STATUS_ORDER),
	P(features_before_driver, STATUS_ORDER),
	P(a_bit_is_cleared, STATUS_CLEARED),
	P(on_after_failed, STATUS_FAILED),
	P(relies_on_a_lost_device, STATUS_NEEDS_RESET),
	P(accepts_what_is_not_offered, FEATURE_OFFERED),
	P(accepts_without_what_it_needs, FEATURE_DEPENDS),
	P(accepts_unknown_bits, FEATURE_UNKNOWN),
	P(stops_at_unknown_bits, GAVE_UP),
	P(stops_for_want_of_a_feature, GAVE_UP),
	P(gives_up_in_silence, FAILED_UNSAID),
	P(does_not_await_reset, RESET_AWAITED),
	F(reads_fields_without_generation, CONFIG_GENERATION),
	F(reads_generation_before_only, CONFIG_GENERATION),
	F(reads_a_field_that_is_not_there, CONFIG_OPTIONAL),
	F(writes_configuration_early, CONFIG_EARLY),
	P(adds_features_late, FEATURE_LATE),
	P(goes_on_when_refused, REFUSED_GOES_ON),
	P(rings_before_driver_ok, NOTIFY_EARLY),
	P(enables_a_queue_late, QUEUE_LIFE),
	P(alters_an_exposed_entry, ENTRY_ALTERED),
	P(removes_an_exposed_buffer, ENTRY_REMOVED),
	P(leaves_version_1, VERSION_1),
	P(leaves_what_it_should_take, SHOULD_ACCEPT),
	P(leaves_order_platform, SHOULD_ACCEPT),
	P(takes_sr_iov, SR_IOV),
	P(hands_out_cpu_addresses, ADDRESS),
	P(hands_out_a_physical_ring, ADDRESS),
	P(orders_for_cpus_only, BARRIER_PLATFORM),
	P(misses_a_change, CONFIG_CHANGE),
	{ NULL, STRICT_NRULES, STAND_PCI, 0, 0, NULL },
};
