/* SPDX-License-Identifier: ISC */
/*
 * Planted violations of PCI and MMIO.
 */
#include <string.h>

#include "planted.h"

/* In the common structure, and in the register block. */
#define C_NUM_QUEUES	0x12
#define C_STATUS	0x14
#define C_SELECT	0x16
#define C_SIZE		0x18
#define C_QVECTOR	0x1a
#define C_ENABLE	0x1c

static void
not_matched(struct raw *r)
{
	fake_pci_odd(&r->r_st.st_fp, 7);
	fake_pci_declined(&r->r_st.st_fp);
}

static void
transitional_not_matched(struct raw *r)
{
	static const uint8_t id[4] = { 0xf4, 0x1a, 0x05, 0x10 };

	memcpy(r->r_st.st_fp.fp_conf, id, sizeof(id));
	fake_pci_declined(&r->r_st.st_fp);
}

static void
odd(struct raw *r)
{
	fake_pci_odd(&r->r_st.st_fp, 7);
	raw_up(r);
}

static void
follows_an_unknown_structure(struct raw *r)
{
	odd(r);
	raw_read(r, 0x5000, 4);
}

static void
follows_the_second_structure(struct raw *r)
{
	odd(r);
	raw_read(r, 0x6000, 4);
}

static void
maps_a_reserved_bar(struct raw *r)
{
	bus_space_handle_t h;
	bus_space_tag_t t;
	bus_size_t size;

	fake_pci_odd(&r->r_st.st_fp, 7);
	fake_pci_ops.po_map_bar(&r->r_st.st_fp, 6, &t, &h, &size);
}

/* A longer capability, or a longer structure, is none to it. */
static void
gives_up_on_what_is_longer(struct raw *r)
{
	fake_pci_odd(&r->r_st.st_fp, 7);
	fake_judge(r->r_fd, 1);
}

static void
reads_beyond_the_structure(struct raw *r)
{
	raw_up(r);
	raw_read(r, 0x0800, 4);
}

static void
writes_a_capability(struct raw *r)
{
	fake_pci_ops.po_conf_write(&r->r_st.st_fp, FAKE_PCI_CAPS + 8, 0);
}

static void
writes_num_queues(struct raw *r)
{
	raw_up(r);
	raw_write(r, C_NUM_QUEUES, 2, 1);
}

static void
writes_isr_status(struct raw *r)
{
	raw_up(r);
	raw_write(r, FAKE_PCI_ISR, 1, 0);
}

static void
reads_a_field_too_wide(struct raw *r)
{
	raw_up(r);
	raw_read(r, C_STATUS, 4);
}

/* Up to FEATURES_OK, queue 0 selected. */
static void
ready(struct raw *r)
{
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_features(r);
	raw_features_ok(r);
	if (r->r_st.st_kind == STAND_PCI)
		raw_write(r, C_SELECT, 2, 0);
	else
		raw_write(r, 0x030, 4, 0);
}

static void
a_queue_of_no_entries(struct raw *r)
{
	ready(r);
	raw_write(r, C_SIZE, 2, 0);
}

static void
a_queue_of_twelve(struct raw *r)
{
	ready(r);
	raw_write(r, C_SIZE, 2, 12);
}

static void
sets_a_queue_up_late(struct raw *r)
{
	raw_up(r);
	raw_write(r, C_SELECT, 2, 0);
	raw_write(r, C_SIZE, 2, 4);
}

static void
disables_a_queue(struct raw *r)
{
	raw_up(r);
	raw_write(r, C_SELECT, 2, 0);
	raw_write(r, C_ENABLE, 2, 0);
}

static int
nothing(void *arg)
{
	(void)arg;
	return 1;
}

static void
reads_isr_with_msix(struct raw *r)
{
	raw_up(r);
	fake_pci_ops.po_intr_establish(&r->r_st.st_fp, 0, "raw", nothing, r);
	raw_read(r, FAKE_PCI_ISR, 1);
	fake_pci_ops.po_intr_disestablish(&r->r_st.st_fp, 0);
}

static void
reads_vendor_data(struct raw *r)
{
	fake_pci_odd(&r->r_st.st_fp, 7);
	fake_pci_ops.po_conf_read(&r->r_st.st_fp,
	    r->r_st.st_fp.fp_vendor_cap + 4);
}

static void
reads_through_the_window(struct raw *r)
{
	fake_pci_odd(&r->r_st.st_fp, 7);
	fake_pci_ops.po_conf_read(&r->r_st.st_fp,
	    r->r_st.st_fp.fp_cfg_cap + 16);
}

static void
writes_the_window_unaligned(struct raw *r)
{
	fake_pci_odd(&r->r_st.st_fp, 7);
	fake_pci_ops.po_conf_write(&r->r_st.st_fp,
	    r->r_st.st_fp.fp_cfg_cap + 8, 3);
}

static void
a_vector_beyond_the_table(struct raw *r)
{
	ready(r);
	raw_write(r, C_QVECTOR, 2, 99);
	raw_read(r, C_QVECTOR, 2);
}

static void
a_vector_not_verified(struct raw *r)
{
	ready(r);
	raw_write(r, C_QVECTOR, 2, 1);
	raw_queues(r);
	raw_driver_ok(r);
}

static void
needs_vectors(struct raw *r)
{
	r->r_st.st_fp.fp_vectors = 0;
	ready(r);
	raw_set_status(r, raw_status(r) | PV_STATUS_FAILED);
	fake_judge(r->r_fd, 1);
}

static void
a_wide_bell(struct raw *r)
{
	raw_up(r);
	raw_write(r, FAKE_PCI_NOTIFY, 4, 0);
}

static void
a_narrow_bell(struct raw *r)
{
	r->r_fd->fd_features |= PV_F_BIT(PV_F_NOTIFICATION_DATA);
	raw_up(r);
	raw_write(r, FAKE_PCI_NOTIFY, 2, 0);
}

static void
a_bell_of_another_queue(struct raw *r)
{
	raw_up(r);
	raw_write(r, FAKE_PCI_NOTIFY, 2, 1);
}

static void
a_bell_with_wrong_data(struct raw *r)
{
	r->r_fd->fd_features |= PV_F_BIT(PV_F_NOTIFICATION_DATA);
	raw_up(r);
	raw_write(r, FAKE_PCI_NOTIFY, 4, 0x00050000);
}

static const struct fake_field fields[] = {
	{ 0, 2, 1, 0, -1 },
	{ 4, 4, 2, 0, -1 },
};

static void
reads_a_word_by_bytes(struct raw *r)
{
	r->r_fd->fd_fields = fields;
	r->r_fd->fd_nfields = 2;
	raw_up(r);
	if (r->r_st.st_kind == STAND_PCI)
		raw_read(r, FAKE_PCI_DEVICE + 4, 1);
	else
		raw_read(r, 0x104, 1);
}

/* MMIO */

static void
reads_a_hole(struct raw *r)
{
	raw_up(r);
	raw_read(r, 0x018, 4);
}

static void
writes_a_register_to_read(struct raw *r)
{
	raw_up(r);
	raw_write(r, 0x060, 4, 1);
}

static void
reads_a_register_to_write(struct raw *r)
{
	raw_up(r);
	raw_read(r, 0x038, 4);
}

static void
reads_a_byte_of_a_register(struct raw *r)
{
	raw_up(r);
	raw_read(r, 0x070, 1);
}

static void
goes_on_without_magic(struct raw *r)
{
	r->r_st.st_fm.fm_magic = 0x74726977;
	raw_read(r, 0x000, 4);
	raw_read(r, 0x004, 4);
}

static void
goes_on_with_version_3(struct raw *r)
{
	r->r_st.st_fm.fm_version = 3;
	raw_read(r, 0x000, 4);
	raw_read(r, 0x004, 4);
	raw_read(r, 0x008, 4);
	raw_read(r, 0x070, 4);
}

static void
goes_on_with_device_0(struct raw *r)
{
	r->r_st.st_fm.fm_device_id = 0;
	raw_read(r, 0x000, 4);
	raw_read(r, 0x004, 4);
	raw_read(r, 0x008, 4);
	raw_write(r, 0x070, 4, 0);
}

static void
complains_of_device_0(struct raw *r)
{
	r->r_st.st_fm.fm_device_id = 0;
	raw_read(r, 0x000, 4);
	raw_read(r, 0x004, 4);
	raw_read(r, 0x008, 4);
	pv_kern_log(PV_LOG_ERROR, "raw0", "no device");
	fake_mmio_judge(&r->r_st.st_fm);
}

static void
reads_status_first(struct raw *r)
{
	raw_read(r, 0x070, 4);
}

static void
does_not_look_at_the_device_id(struct raw *r)
{
	raw_read(r, 0x000, 4);
	raw_read(r, 0x004, 4);
	raw_write(r, 0x070, 4, 0);
}

static void
features_without_a_half(struct raw *r)
{
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_read(r, 0x010, 4);
}

static void
accepts_without_a_half(struct raw *r)
{
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_write(r, 0x020, 4, 0);
}

static void
a_queue_larger_than_the_device_s(struct raw *r)
{
	struct pv_queue_place qp;

	ready(r);
	raw_queue_new(r, 0, &qp);
	qp.qp_size = 512;
	r->r_ops->to_queue_enable(r->r_tr, 0, &qp);
}

static void
moves_a_ready_queue(struct raw *r)
{
	raw_up(r);
	raw_write(r, 0x030, 4, 0);
	raw_write(r, 0x080, 4, 0);
}

static void
stops_a_queue_unread(struct raw *r)
{
	raw_up(r);
	raw_write(r, 0x030, 4, 0);
	raw_write(r, 0x044, 4, 0);
	raw_read(r, 0x070, 4);
}

static int
looks_only(void *arg)
{
	struct raw *r = arg;

	raw_read(r, 0x060, 4);
	return 1;
}

static int
acknowledges_blindly(void *arg)
{
	struct raw *r = arg;

	raw_write(r, 0x064, 4, 3);
	return 1;
}

static int
acknowledges_all(void *arg)
{
	struct raw *r = arg;

	raw_write(r, 0x064, 4, raw_read(r, 0x060, 4));
	return 1;
}

static void
does_not_acknowledge(struct raw *r)
{
	raw_up(r);
	raw_handler(r, looks_only);
	fake_interrupt(r->r_fd, 0, 1);
}

static void
does_not_look_at_interrupts(struct raw *r)
{
	raw_up(r);
	raw_handler(r, acknowledges_blindly);
	fake_interrupt(r->r_fd, 0, 1);
}

static void
acknowledges_what_is_undefined(struct raw *r)
{
	raw_up(r);
	r->r_st.st_fm.fm_undefined = 0x40;
	raw_handler(r, acknowledges_all);
	fake_interrupt(r->r_fd, 0, 1);
}

static void
stumbles_over_undefined_bits(struct raw *r)
{
	raw_up(r);
	raw_set_status(r, raw_status(r) | PV_STATUS_FAILED);
	fake_judge(r->r_fd, 1);
}

static int
looks_at_queue_0(void *arg)
{
	struct raw *r = arg;

	acknowledges_all(r);
	fake_noticed(r->r_fd, 0);
	return 1;
}

static void
looks_at_one_queue_only(struct raw *r)
{
	r->r_deny = PV_F_BIT(PV_F_EVENT_IDX);
	raw_up(r);
	raw_handler(r, looks_at_queue_0);
	raw_send(r, 0, 64, DESC_WRITE);
	raw_send(r, 1, 64, DESC_WRITE);
	fake_settle(r->r_fd);
}

static void
uses_shared_memory(struct raw *r)
{
	raw_up(r);
	raw_write(r, 0x0ac, 4, 0);
}

static void
a_place_without_page_size(struct raw *r)
{
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_features(r);
	r->r_fd->fd_refuse_queues = 1;
	raw_write(r, 0x030, 4, 0);
	raw_write(r, 0x040, 4, 16);
}

static void
legacy_features_ok(struct raw *r)
{
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_set_status(r, raw_status(r) | PV_STATUS_FEATURES_OK);
}

#define P(fn, rule)	{ #fn, STRICT_##rule, STAND_PCI, 4, 2, fn }
#define M(fn, rule)	{ #fn, STRICT_##rule, STAND_MMIO, 4, 2, fn }
#define L(fn, rule)	{ #fn, STRICT_##rule, STAND_LEGACY, 4, 2, fn }

const struct planted planted_transport[] = {
	P(not_matched, PCI_MATCH),
	P(transitional_not_matched, PCI_MATCH),
	P(follows_an_unknown_structure, PCI_CAP_TYPE),
	P(follows_the_second_structure, PCI_CAP_FIRST),
	P(maps_a_reserved_bar, PCI_CAP_BAR),
	P(gives_up_on_what_is_longer, GAVE_UP),
	P(reads_beyond_the_structure, PCI_WINDOW),
	P(writes_a_capability, PCI_CAP_WRITE),
	P(writes_num_queues, PCI_READ_ONLY),
	P(writes_isr_status, PCI_READ_ONLY),
	P(reads_a_field_too_wide, PCI_WIDTH),
	P(a_queue_of_no_entries, QUEUE_SIZE),
	P(a_queue_of_twelve, QUEUE_SIZE),
	P(sets_a_queue_up_late, QUEUE_LATE),
	P(disables_a_queue, QUEUE_ENABLE_0),
	P(reads_isr_with_msix, ISR_MSIX),
	P(reads_vendor_data, PCI_VENDOR),
	P(reads_through_the_window, PCI_CFG_ACCESS),
	P(writes_the_window_unaligned, PCI_CFG_ACCESS),
	P(a_vector_beyond_the_table, MSIX_RANGE),
	P(a_vector_not_verified, MSIX_VERIFY),
	P(needs_vectors, GAVE_UP),
	P(a_wide_bell, NOTIFY_WIDTH),
	P(a_narrow_bell, NOTIFY_WIDTH),
	P(a_bell_of_another_queue, NOTIFY_VALUE),
	P(a_bell_with_wrong_data, NOTIFY_VALUE),
	P(reads_a_word_by_bytes, CONFIG_WIDTH),
	{ "reads_a_word_by_bytes_mmio", STRICT_CONFIG_WIDTH, STAND_MMIO, 4, 1,
	    reads_a_word_by_bytes },
	M(reads_a_hole, MMIO_PLACE),
	M(writes_a_register_to_read, MMIO_READ_ONLY),
	M(reads_a_register_to_write, MMIO_WRITE_ONLY),
	M(reads_a_byte_of_a_register, MMIO_WIDTH),
	M(goes_on_without_magic, MMIO_MAGIC),
	M(goes_on_with_version_3, MMIO_VERSION),
	M(goes_on_with_device_0, MMIO_ABSENT),
	M(complains_of_device_0, MMIO_ABSENT_SAID),
	M(reads_status_first, MMIO_ORDER),
	M(does_not_look_at_the_device_id, MMIO_ORDER),
	M(features_without_a_half, MMIO_FEATURE_SEL),
	M(accepts_without_a_half, MMIO_FEATURE_SEL),
	M(a_queue_larger_than_the_device_s, QUEUE_SIZE),
	M(moves_a_ready_queue, MMIO_READY),
	M(stops_a_queue_unread, MMIO_STOP),
	M(does_not_acknowledge, MMIO_ACK),
	M(does_not_look_at_interrupts, MMIO_STATUS),
	M(acknowledges_what_is_undefined, MMIO_ACK_BITS),
	M(stumbles_over_undefined_bits, GAVE_UP),
	M(looks_at_one_queue_only, USED_UNSEEN),
	M(uses_shared_memory, MMIO_SHM),
	L(a_place_without_page_size, LEGACY_PLACE),
	L(legacy_features_ok, STATUS_ORDER),
	{ NULL, STRICT_NRULES, STAND_PCI, 0, 0, NULL },
};
