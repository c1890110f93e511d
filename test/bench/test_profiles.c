/* SPDX-License-Identifier: ISC */
/*
 * What a profile says of a host (bench/profile.c), its models do: each property
 * that a model can show is looked for with a driver by hand.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "mistakes.h"

#define N(n)	PV_F_BIT(PV_NET_F_##n)
#define F(n)	PV_F_BIT(PV_F_##n)

#define r	(&mistake_raw)
#define vd	(&mistake_vd)
#define fd	(mistake_raw.r_fd)
#define fp	(&mistake_raw.r_st.st_fp)

/* A device with all that the host offers. */
static void
host(enum stand_kind kind, unsigned int type, const char *profile)
{
	raw_new(r, kind, type, vdev_queues(type));
	strict_begin();
	vdev_init(vd, fd, profile_named(profile), 2, 0);
	if (kind == STAND_PCI)
		vdev_slot(vd, fp);
}

/* The same, driven by who has put its slot right and takes what he knows. */
static void
driven(unsigned int type, const char *profile)
{
	host(STAND_PCI, type, profile);
	fp->fp_cold = 0;
	fp->fp_appears_ns = 0;
	r->r_deny = F(RING_PACKED) | F(IN_ORDER) | F(SR_IOV) |
	    F(NOTIF_CONFIG_DATA) | 1ull << 44 | 1ull << 47;
	/* One pair, and nothing that makes frames or headers longer. */
	if (type == PV_TYPE_NET)
		r->r_deny |= PV_NET_TSO | PV_NET_UDPSEG | PV_NET_LRO |
		    PV_NET_UDPLRO | N(MQ) | N(RSS) | N(HASH_REPORT);
	raw_up(r);
}

static void
away(void)
{
	port_quiet = 1;
	vdev_fini(vd);
	fd->fd_gone = 1;
	raw_end(r);
	port_quiet = 0;
}

static int
features_ok_without(uint64_t deny)
{
	int ok;

	host(STAND_PCI, PV_TYPE_NET, "apple");
	fp->fp_cold = 0;
	r->r_deny = deny | F(RING_PACKED);
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_features(r);
	ok = raw_features_ok(r);
	away();
	return ok;
}

static void
mtu_is_insisted_on(void)
{
	assert_true(features_ok_without(0));
	assert_false(features_ok_without(N(MTU)));
}

static void
tso_is_had_whole(void)
{
	const uint64_t all = N(HOST_TSO4) | N(HOST_TSO6) | N(GUEST_TSO4) |
	    N(GUEST_TSO6);

	assert_true(features_ok_without(all));
	assert_false(features_ok_without(N(GUEST_TSO4) | N(GUEST_TSO6)));
	assert_false(features_ok_without(N(HOST_TSO6)));
}

static void
short_buffers_wedge(void)
{
	static const uint8_t frame[64];
	unsigned int i, sent;

	for (i = 0; i < 2; i++) {
		driven(PV_TYPE_NET, "apple");
		raw_send(r, 0, 12 + 14 + 4 + vd->vd_net.vn_mtu - i,
		    DESC_WRITE);
		port_quiet = 1;
		assert_int_equal(vdev_net_deliver(vd, frame, 60, 0), i == 0);
		port_quiet = 0;
		assert_int_equal(port.po_violations, i);
		/* What is sent after it is not taken either. */
		sent = vd->vd_net.vn_sent;
		memset(r->r_buf->pb_va, 0, 128);
		raw_send(r, 1, 72, 0);
		assert_int_equal(vd->vd_net.vn_sent - sent, i == 0);
		away();
	}
}

static void
reset_takes_its_time(void)
{
	driven(PV_TYPE_ENTROPY, "apple");
	raw_set_status(r, 0);
	assert_int_not_equal(raw_status(r) & PV_STATUS_DRIVER_OK, 0);
	raw_reset(r);
	assert_int_equal(raw_status(r), 0);
	away();
}

static void
display_info_has_room(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		driven(PV_TYPE_GPU, "apple");
		strict_expect(STRICT_GPU_INFO_ROOM);
		mistake_gpu(0x100, 24, 24 + 16 * 24 - i, NULL);
		assert_int_equal((raw_status(r) & PV_STATUS_NEEDS_RESET) != 0,
		    i);
		away();
	}
}

static uint64_t
offers(unsigned int type, const char *profile)
{
	host(STAND_PCI, type, profile);
	away();
	return fd->fd_features;
}

static void
offers_are_to_the_bit(void)
{
	assert_int_equal(offers(PV_TYPE_NET, "apple"), 0x5300119ab);
	assert_int_equal(offers(PV_TYPE_CONSOLE, "apple"), 0x530000000);
	assert_int_equal(offers(PV_TYPE_GPU, "apple") & 0x1f, 0);
	assert_true(offers(PV_TYPE_GPU, "apple") & F(RING_PACKED));
	assert_false(offers(PV_TYPE_NET, "libkrun") & (N(CTRL_VQ) |
	    N(MRG_RXBUF)));
	assert_true(offers(PV_TYPE_NET, "qemu") & F(RING_RESET));
	assert_true(offers(PV_TYPE_NET, "strict") & F(ACCESS_PLATFORM));
	assert_true(offers(PV_TYPE_NET, "strict") & 1ull << 47);
}

static void
bar_is_placed_by_the_kernel(void)
{
	bus_space_handle_t handle;
	bus_space_tag_t tag;
	bus_size_t size;

	host(STAND_PCI, PV_TYPE_ENTROPY, "apple");
	assert_int_equal(fake_pci_bus_read(fp, FAKE_PCI_BAR_LOW), 4);
	assert_int_equal(fake_pci_ops.po_map_bar(fp, FAKE_PCI_BAR, &tag,
	    &handle, &size), ENXIO);
	fake_pci_bus_write(fp, FAKE_PCI_BAR_LOW, 0x50000000);
	fake_pci_bus_write(fp, FAKE_PCI_BAR_LOW + 4, 0);
	assert_int_equal(fake_pci_bus_read(fp, FAKE_PCI_BAR_LOW), 4);
	fake_pci_bus_write(fp, FAKE_PCI_BAR_LOW, 0x80000000);
	fake_pci_bus_write(fp, FAKE_PCI_BAR_LOW + 4, 1);
	assert_int_equal(fake_pci_bus_read(fp, FAKE_PCI_BAR_LOW), 0x80000004);
	assert_int_equal(fake_pci_ops.po_map_bar(fp, FAKE_PCI_BAR, &tag,
	    &handle, &size), 0);
	port_quiet = 1;
	assert_int_equal(raw_read(r, FAKE_PCI_COMMON + 0x14, 1), 0xff);
	assert_int_equal(port.po_violations, 1);
	fake_pci_bus_write(fp, 4, FAKE_PCI_MEMORY);
	assert_int_equal(raw_read(r, FAKE_PCI_COMMON + 0x14, 1), 0);
	raw_write(r, FAKE_PCI_NOTIFY, 2, 0);
	assert_true(port.po_violations >= 2);
	port_quiet = 0;
	fake_pci_ops.po_unmap_bar(fp, FAKE_PCI_BAR);
	away();
}

static void
display_is_late(void)
{
	host(STAND_PCI, PV_TYPE_GPU, "apple");
	assert_int_equal(fake_pci_bus_read(fp, 0), UINT32_MAX);
	assert_int_equal(fake_pci_ops.po_conf_read(fp, 0), UINT32_MAX);
	port.po_now_ns += 99999999;
	assert_int_equal(fake_pci_bus_read(fp, 0), UINT32_MAX);
	port.po_now_ns++;
	assert_int_equal(fake_pci_bus_read(fp, 0), 0x10501af4);
	away();
}

static unsigned int interrupts;

static int
heard(void *arg)
{
	(void)arg;
	interrupts++;
	return 1;
}

/* Of n entries used at once; the entropy device gives at each doorbell. */
static unsigned int
interrupts_of(const char *profile, unsigned int n, unsigned int times)
{
	unsigned int i;

	driven(PV_TYPE_ENTROPY, profile);
	fp->fp_vectors = 0;
	raw_handler(r, heard);
	interrupts = 0;
	while (times-- > 0) {
		for (i = 0; i < n; i++) {
			raw_desc(r, 0, i, raw_buf(r, 64 * i), 64, DESC_WRITE,
			    0);
			raw_avail(r, 0, i);
		}
		/* Tell of the next one. */
		*raw_driver_word(r, 0, 2 + RAW_SIZE) =
		    fd->fd_queues[0].fq_used;
		raw_kick(r, 0);
	}
	away();
	return interrupts;
}

static void
interrupts_are_coalesced(void)
{
	assert_int_equal(interrupts_of("libkrun", 4, 1), 1);
	assert_int_equal(interrupts_of("apple", 4, 1), 1);
	assert_int_equal(interrupts_of("apple", 5, 1), 1);
}

/* Each seventh. */
static void
interrupts_are_lost(void)
{
	assert_int_equal(interrupts_of("libkrun", 1, 20), 20);
	assert_int_equal(interrupts_of("apple", 1, 20), 18);
}

static void
interrupts_come_for_nothing(void)
{
	assert_true(interrupts_of("qemu", 1, 40) > 40);
	assert_true(interrupts_of("strict", 1, 40) > 40);
}

static void
frames_exceed_the_mtu(void)
{
	static uint8_t frame[12000];

	driven(PV_TYPE_NET, "apple");
	raw_send(r, 0, 8000, DESC_WRITE);
	vd->vd_net.vn_mtu = 1500;
	assert_true(vdev_net_deliver(vd, frame, 14 + 1500 + 300, 0));
	assert_int_equal(raw_device_word(r, 0, 4)[0], 12 + 14 + 1500 + 300);
	away();
}

static void
windows_change_their_size(void)
{
	uint32_t generation;

	driven(PV_TYPE_GPU, "apple");
	generation = fd->fd_generation;
	vdev_gpu_resize(vd, 800, 600);
	assert_int_equal(fd->fd_config[0] & 1, 1);
	assert_int_not_equal(fd->fd_generation, generation);
	away();
}

static void
widths_are_those_of_registers(void)
{
	driven(PV_TYPE_ENTROPY, "apple");
	strict_expect(STRICT_PCI_WIDTH);
	raw_read(r, FAKE_PCI_COMMON + 0x12, 4);
	assert_true(strict_found(STRICT_PCI_WIDTH) > 0);
	away();
	host(STAND_MMIO, PV_TYPE_ENTROPY, "libkrun");
	raw_attach(r);
	strict_expect(STRICT_MMIO_WIDTH);
	raw_write(r, 0x30, 2, 0);
	assert_true(strict_found(STRICT_MMIO_WIDTH) > 0);
	away();
}

static void
packed_rings_are_not_split_ones(void)
{
	struct pk_desc d;

	host(STAND_PCI, PV_TYPE_ENTROPY, "apple");
	fp->fp_cold = 0;
	raw_up(r);
	/* An index means nothing there. */
	*raw_driver_word(r, 0, 1) = 1;
	raw_kick(r, 0);
	assert_int_equal(fd->fd_queues[0].fq_avail, 0);
	*raw_driver_word(r, 0, 1) = 0;
	raw_desc(r, 0, 0, raw_buf(r, 0), 16, 7, PK_WRITE | PK_AVAIL);
	raw_kick(r, 0);
	pk_load(fd->fd_queues[0].fq_desc, 0, &d);
	assert_int_equal(d.pd_flags & (PK_AVAIL | PK_USED),
	    PK_AVAIL | PK_USED);
	assert_int_equal(d.pd_id, 7);
	assert_int_equal(d.pd_len, 16);
	away();
}

static void
in_order_is_in_batches(void)
{
	unsigned int i;

	host(STAND_PCI, PV_TYPE_NET, "strict");
	r->r_deny = F(RING_PACKED) | F(SR_IOV) | F(NOTIF_CONFIG_DATA) |
	    1ull << 44 | 1ull << 47;
	raw_up(r);
	fd->fd_batch = 3;
	for (i = 0; i < 3; i++) {
		raw_desc(r, 1, i, raw_buf(r, 0), 72, 0, 0);
		raw_avail(r, 1, i);
	}
	raw_kick(r, 1);
	/* One entry, the last one's, in the place of the first. */
	assert_int_equal(*raw_device_word(r, 1, 1), 3);
	assert_int_equal(*raw_device_word(r, 1, 2), 2);
	assert_int_equal(*raw_device_word(r, 1, 6), 0);
	away();
}

static void
bells_have_other_numbers(void)
{
	host(STAND_PCI, PV_TYPE_ENTROPY, "strict");
	assert_true(fd->fd_features & F(NOTIFICATION_DATA));
	assert_true(fd->fd_features & F(NOTIF_CONFIG_DATA));
	assert_int_not_equal(fd->fd_queues[0].fq_notify_id, 0);
	away();
	assert_false(offers(PV_TYPE_ENTROPY, "qemu") & F(NOTIFICATION_DATA));
}

static void
buffers_are_used_in_any_order(void)
{
	unsigned int i, tries, swapped = 0;

	for (tries = 0; tries < 20; tries++) {
		driven(PV_TYPE_NET, "strict");
		vd->vd_state += tries * 0x9e3779b9u;
		for (i = 0; i < 3; i++) {
			raw_desc(r, 1, i, raw_buf(r, 0), 72, 0, 0);
			raw_avail(r, 1, i);
		}
		raw_kick(r, 1);
		assert_int_equal(*raw_device_word(r, 1, 1), 3);
		swapped += *raw_device_word(r, 1, 2) != 0;
		away();
	}
	assert_in_range(swapped, 1, 19);
}

/* Wherever it is: all ones, and nothing that is written arrives. */
static void
a_removed_device_is_all_ones(void)
{
	static const unsigned int types[] = { PV_TYPE_NET, PV_TYPE_GPU,
	    PV_TYPE_CONSOLE, PV_TYPE_ENTROPY, PV_TYPE_BLK };
	const struct profile *pr;
	unsigned int p, t, i;
	uint32_t v = 0;

	for (p = 0; (pr = profile_at(p)) != NULL; p++)
		for (t = 0; t < 5; t++)
			for (i = 0; i < 2; i++) {
				host(i ? STAND_MMIO : STAND_PCI, types[t],
				    pr->pr_name);
				fp->fp_cold = 0;
				fp->fp_appears_ns = 0;
				raw_attach(r);
				fd->fd_gone = 1;
				assert_int_equal(raw_status(r), 0xff);
				raw_hello(r);
				assert_int_equal(fd->fd_status, 0);
				r->r_ops->to_config_read(r->r_tr, 0, 4, &v);
				assert_true(v == UINT32_MAX || v == 0);
				if (!i)
					assert_int_equal(fake_pci_ops.
					    po_conf_read(fp, 0), UINT32_MAX);
				away();
			}
}

/* By quirk; those of the tool and of its scenes have none. */
static void (*const shown[Q_NQUIRKS])(void) = {
	[Q_MTU_NEEDED] = mtu_is_insisted_on,
	[Q_TSO_WHOLE] = tso_is_had_whole,
	[Q_RX_WEDGE] = short_buffers_wedge,
	[Q_RESET_SLOW] = reset_takes_its_time,
	[Q_INFO_ROOM] = display_info_has_room,
	[Q_NO_MRG] = offers_are_to_the_bit,
	[Q_NO_CTRL] = offers_are_to_the_bit,
	[Q_NO_EDID] = offers_are_to_the_bit,
	[Q_NO_SIZE] = offers_are_to_the_bit,
	[Q_PLATFORM] = offers_are_to_the_bit,
	[Q_UNKNOWN] = offers_are_to_the_bit,
	[Q_RING_RESET] = offers_are_to_the_bit,
	[Q_BARS_UNSET] = bar_is_placed_by_the_kernel,
	[Q_LATE] = display_is_late,
	[Q_COALESCE] = interrupts_are_coalesced,
	[Q_LOSE] = interrupts_are_lost,
	[Q_SPURIOUS] = interrupts_come_for_nothing,
	[Q_OVERSIZE] = frames_exceed_the_mtu,
	[Q_RESIZE] = windows_change_their_size,
	[Q_WIDTHS] = widths_are_those_of_registers,
	[Q_PACKED] = packed_rings_are_not_split_ones,
	[Q_IN_ORDER] = in_order_is_in_batches,
	[Q_NOTIFY_DATA] = bells_have_other_numbers,
	[Q_SHUFFLE] = buffers_are_used_in_any_order,
};

static void
shows(void **state)
{
	(*(void (**)(void))*state)();
}

static void
removal(void **state)
{
	(void)state;
	a_removed_device_is_all_ones();
}

/* Each of Apple's, of which nothing is written down but what is here. */
static void
none_is_forgotten(void **state)
{
	const struct profile *pr = profile_named("apple");
	unsigned int i;
	enum quirk q;

	(void)state;
	for (i = 0; i < pr->pr_nproperties; i++) {
		q = pr->pr_properties[i].pp_quirk;
		if (shown[q] == NULL && q != Q_NO_MMIO && q != Q_NEEDS_RESET &&
		    q != Q_ONE_QUEUE)
			fail_msg("%s", pr->pr_properties[i].pp_text);
	}
}

int
main(void)
{
	static struct CMUnitTest tests[Q_NQUIRKS + 2];
	static const char *const names[Q_NQUIRKS] = {
#define S(q) [q] = #q
		S(Q_MTU_NEEDED), S(Q_TSO_WHOLE), S(Q_RX_WEDGE),
		S(Q_RESET_SLOW), S(Q_INFO_ROOM), S(Q_NO_MRG), S(Q_NO_CTRL),
		S(Q_NO_EDID), S(Q_NO_SIZE), S(Q_PLATFORM), S(Q_UNKNOWN),
		S(Q_RING_RESET), S(Q_BARS_UNSET), S(Q_LATE), S(Q_COALESCE),
		S(Q_LOSE), S(Q_SPURIOUS), S(Q_OVERSIZE), S(Q_RESIZE),
		S(Q_WIDTHS), S(Q_PACKED), S(Q_IN_ORDER), S(Q_NOTIFY_DATA),
		S(Q_SHUFFLE),
#undef S
	};
	unsigned int q, n = 0;

	for (q = 0; q < Q_NQUIRKS; q++)
		if (shown[q] != NULL)
			tests[n++] = (struct CMUnitTest){ names[q], shows, NULL,
			    NULL, (void *)(uintptr_t)&shown[q] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(removal);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(none_is_forgotten);
	return _cmocka_run_group_tests("profiles", tests, n, NULL, NULL);
}
