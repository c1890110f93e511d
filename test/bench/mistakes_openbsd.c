/* SPDX-License-Identifier: ISC */
/*
 * The two bugs that kept OpenBSD/arm64 from running under Apple's hypervisor
 * until January 2026 (three mistakes), and where its drivers stopped after
 * them: viogpu.c 1.12, if_vio.c 1.72, virtio.c 1.39, virtio_pci.c 1.52 and
 * virtio_mmio.c 1.23. The code here is none of theirs: what is the same is the
 * mistake.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "careless.h"
#include "mistakes.h"

#define PREREAD		BUS_DMASYNC_PREREAD
#define POSTREAD	BUS_DMASYNC_POSTREAD
#define PREWRITE	BUS_DMASYNC_PREWRITE
#define POSTWRITE	BUS_DMASYNC_POSTWRITE

#define ACK		PV_STATUS_ACKNOWLEDGE
#define DRIVER		PV_STATUS_DRIVER
#define FEATS		PV_STATUS_FEATURES_OK
#define OK		PV_STATUS_DRIVER_OK

#define N(n)		PV_F_BIT(PV_NET_F_##n)

#define r		(&mistake_raw)
#define vd		(&mistake_vd)
#define dk		(&mistake_desk)

/* January 2026 */

/* A black screen on one host, a panic on the other. */
static void
mmap_gives_a_kernel_address(void)
{
	mistake_memory("noncoherent", PAGE_SIZE);
	bench_user_map((paddr_t)(uintptr_t)dk->dk_va);
}

static void
framebuffer_is_not_synced(void)
{
	mistake_memory("noncoherent,chance=4096", PAGE_SIZE);
	memset(dk->dk_va, 0xff, PAGE_SIZE);
	mistake_want(desk_read(dk, 1000) == 0xff, "the picture");
}

static void
mtu_is_not_accepted(void)
{
	mistake_device(STAND_PCI, PV_TYPE_NET, "apple", N(MAC) | N(MTU));
	r->r_fd->fd_needs = N(MTU);
	r->r_deny = N(MTU);
	raw_up(r);
}

/* 1, 2: modern virtio-mmio */

static void
low_features(void)
{
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_write(r, 0x14, 4, 0);
	raw_write(r, 0x24, 4, 0);
	raw_write(r, 0x20, 4, raw_read(r, 0x10, 4));
}

static void
only_the_low_features_are_negotiated(void)
{
	mistake_device(STAND_MMIO, PV_TYPE_NET, "strict", N(MAC));
	low_features();
	raw_features_ok(r);
}

static void
features_ok_is_never_set(void)
{
	mistake_device(STAND_MMIO, PV_TYPE_NET, "strict", N(MAC));
	low_features();
	raw_driver_ok(r);
	raw_set_status(r, ACK | DRIVER | OK);
}

static void
display_on_mmio_without_features_ok(void)
{
	mistake_device(STAND_MMIO, PV_TYPE_GPU, "strict", 0);
	low_features();
	raw_queues(r);
	raw_set_status(r, ACK | DRIVER | OK);
}

/* 3, 4, 7: memory */

/* Of a page the command and the answer alone are loaded. */
static void
whole_page_is_synced(void)
{
	mistake_memory("noncoherent", 96);
	desk_sync(dk, 0, 4096, PREWRITE);
}

static void
no_preread_of_the_answer(void)
{
	mistake_memory("noncoherent,chance=4096", 256);
	desk_sync(dk, 0, 128, PREWRITE);
	memset(dk->dk_va + 128, 0, 128);
	desk_write(dk, 128, 0x11);
}

/* What was to be seen of it, now and then: the answer is gone. */
static void
dirty_lines_overwrite_the_answer(void)
{
	unsigned int i;

	mistake_memory("noncoherent,chance=1", 256);
	desk_sync(dk, 0, 128, PREWRITE);
	memset(dk->dk_va + 128, 0, 128);
	bench_expect(BENCH_DEVICE_NO_PREREAD);
	bench_expect(BENCH_SYNC_POST_NO_PRE);
	desk_write(dk, 128, 0x11);
	for (i = 0; i < 2000; i++)
		desk_read(dk, 0);
	desk_sync(dk, 0, 256, POSTREAD);
	mistake_want(dk->dk_va[128] == 0x11, "the answer");
}

static void
loads_for_each_command(void)
{
	mistake_memory("noncoherent", 256);
	bus_dmamap_load(&port_dma_tag, dk->dk_map, dk->dk_va, 256, NULL, 0);
}

static void
panics_at_a_full_queue(void)
{
	unsigned int i;

	mistake_device(STAND_PCI, PV_TYPE_GPU, "strict", 0);
	vd->vd_hold = 1;
	raw_up(r);
	for (i = 0; i < 2 * RAW_SIZE; i++) {
		if (i == RAW_SIZE)
			abort();
		raw_desc(r, 0, i, raw_buf(r, 0), 24, DESC_NEXT, i);
		raw_avail(r, 0, i);
	}
}

/* 5, 6: the display */

/* What was to flush in the end waits for a clock that has stopped. */
static void
paints_at_a_timeout(void)
{
	uint32_t *pixels;

	mistake_device(STAND_PCI, PV_TYPE_GPU, "qemu", 0);
	raw_up(r);
	mistake_resource(16, 16);
	pixels = (uint32_t *)(void *)(r->r_buf->pb_va + 2048);
	pixels[0] = 0xffffffff;
	mistake_want(vdev_gpu_pixel(vd, 0, 0) == 0xffffffff,
	    "the last words before the panic");
}

static void
no_handler_of_configuration_changes(void)
{
	mistake_device(STAND_PCI, PV_TYPE_GPU, "strict", 0);
	raw_up(r);
	vdev_gpu_resize(vd, 800, 600);
	fake_settle(r->r_fd);
}

static void
gives_up_at_a_disabled_mode(void)
{
	uint32_t enabled;

	mistake_device(STAND_PCI, PV_TYPE_GPU, "strict", 0);
	vd->vd_gpu.vg_modes[0].enabled = 0;
	raw_up(r);
	mistake_gpu(0x100, 24, 24 + 16 * 24, NULL);
	memcpy(&enabled, r->r_buf->pb_va + 4096 + 24 + 16, 4);
	if (!enabled)
		raw_set_status(r, ACK | DRIVER | FEATS | OK | PV_STATUS_FAILED);
	fake_judge(r->r_fd, 1);
}

static void
error_path_frees_backing(void)
{
	struct port_buf *fb;
	uint64_t addr;
	uint32_t attach[6] = { 1, 1, 0, 0, 4096, 0 };

	mistake_device(STAND_PCI, PV_TYPE_GPU, "strict", 0);
	fb = port_buf_new(4096);
	addr = fb->pb_map->dm_segs[0].ds_addr;
	raw_up(r);
	mistake_gpu(0x101, 40, 24, (const uint32_t[]){ 1, 2, 16, 16 });
	attach[2] = (uint32_t)addr;
	attach[3] = (uint32_t)(addr >> 32);
	mistake_gpu(0x106, 48, 24, attach);
	/* SET_SCANOUT went wrong, say. */
	port_buf_free(fb);
	mistake_gpu(0x100, 24, 24 + 16 * 24, NULL);
}

static void
waits_for_a_command_without_a_timeout(void)
{
	mistake_device(STAND_PCI, PV_TYPE_GPU, "strict", 0);
	vd->vd_hold = 1;
	raw_up(r);
	raw_request(r, 0, 24, 24);
	while (*raw_device_word(r, 0, 1) == 0)
		pv_kern_delay_us(10);
}

/* 8, 9, 10: life */

static void
features_ok_right_after_reset(void)
{
	mistake_device(STAND_PCI, PV_TYPE_NET, "strict", N(MAC));
	raw_attach(r);
	raw_reset(r);
	raw_features(r);
	raw_set_status(r, FEATS);
}

/* Whom to wake was asked of features that are 0 by then. */
static void
waiters_are_forgotten_by_a_reset(void)
{
	uint64_t features;
	int asleep = 1;

	mistake_device(STAND_PCI, PV_TYPE_NET, "strict", N(CTRL_VQ));
	vd->vd_hold = 1;
	raw_up(r);
	raw_request(r, 2, 3, 1);
	raw_reset(r);
	features = r->r_fd->fd_accepted;
	if (features & N(CTRL_VQ))
		asleep = 0;
	mistake_want(!asleep, "a wake-up after the reset");
}

static void
queue_enable_is_written_0(void)
{
	mistake_device(STAND_PCI, PV_TYPE_NET, "strict", N(MAC));
	raw_up(r);
	raw_write(r, FAKE_PCI_COMMON + 0x16, 2, 0);
	raw_write(r, FAKE_PCI_COMMON + 0x1c, 2, 0);
}

/* The addresses that it is freed with, and then that it is ready. */
static void
queue_is_ready_at_address_0(void)
{
	unsigned int reg;

	mistake_device(STAND_MMIO, PV_TYPE_NET, "strict", N(MAC));
	raw_up(r);
	raw_write(r, 0x30, 4, 0);
	for (reg = 0x80; reg <= 0xa4; reg += reg % 8 ? 12 : 4)
		raw_write(r, reg, 4, 0);
	raw_write(r, 0x44, 4, 1);
}

/* 11: what the used ring says */

static uint32_t
used(unsigned int i, unsigned int word)
{
	uint32_t v;

	memcpy(&v, (const char *)raw_device_word(r, 0, 2) + 8 * i + 4 * word,
	    4);
	return v;
}

static void
one_that_lies(uint32_t id, uint32_t len)
{
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "qemu", 0);
	vd->vd_hold = 1;
	raw_up(r);
	raw_request(r, 0, 0, 64);
	fake_push_raw(r->r_fd, 0, id, len);
	fake_set_used_idx(r->r_fd, 0, 1);
}

static void
used_id_is_not_checked(void)
{
	struct slot {
		void *cookie;
	} *slots = mistake_alloc(RAW_SIZE * sizeof(*slots));

	one_that_lies(0x1000, 64);
	mistake_free(slots[used(0, 0)].cookie);
}

static void
used_length_is_not_checked(void)
{
	uint8_t *packet = mistake_alloc(64);

	one_that_lies(0, 4096);
	careless_copy(packet, r->r_buf->pb_va + 4096 - 64, used(0, 1));
}

static void
num_buffers_is_not_checked(void)
{
	void **cookies = mistake_alloc(RAW_SIZE * sizeof(*cookies));
	uint16_t num, i;

	mistake_device(STAND_PCI, PV_TYPE_NET, "qemu", N(MRG_RXBUF));
	raw_up(r);
	raw_send(r, 0, 2048, DESC_WRITE);
	vdev_net_deliver(vd, r->r_buf->pb_va + 4096, 60, 0);
	/* As the device may have it. */
	r->r_buf->pb_va[10] = RAW_SIZE + 1;
	memcpy(&num, r->r_buf->pb_va + 10, 2);
	for (i = 0; i < num; i++)
		mistake_free(cookies[i]);
}

/* 12: configuration */

static void
generation_is_not_read(void)
{
	uint32_t i, v;

	mistake_device(STAND_PCI, PV_TYPE_NET, "strict", N(MAC));
	raw_up(r);
	for (i = 0; i < 6; i++)
		r->r_ops->to_config_read(r->r_tr, i, 1, &v);
	raw_status(r);
}

/* The halves of what the device has as 8 bytes. */
static void
second_half_is_another(struct fake_dev *fd, unsigned int off)
{
	if (off == 4)
		memset(fd->fd_config, 0x22, 8);
}

static void
wide_field_is_torn(void)
{
	uint32_t low = 0, high = 0;

	mistake_device(STAND_PCI, PV_TYPE_GPU, "qemu", 0);
	r->r_fd->fd_strict = 0;
	memset(r->r_fd->fd_config, 0x11, 8);
	r->r_fd->fd_config_reading = second_half_is_another;
	raw_up(r);
	r->r_ops->to_config_read(r->r_tr, 0, 4, &low);
	r->r_ops->to_config_read(r->r_tr, 4, 4, &high);
	mistake_want(low == high, "a value that the field ever had");
}

static void
more_queues_at_the_second_look(struct fake_dev *fd, unsigned int off)
{
	static unsigned int looks;

	if (off == 8)
		fd->fd_config[8] = looks++ == 0 ? 4 : 200;
}

static uint32_t
max_queues(void)
{
	uint32_t n = 0;

	r->r_ops->to_config_read(r->r_tr, 8, 2, &n);
	return n;
}

static void
queue_count_is_read_twice(void)
{
	int *queues;

	mistake_device(STAND_PCI, PV_TYPE_NET, "qemu", N(CTRL_VQ) | N(MQ));
	r->r_fd->fd_strict = 0;
	r->r_fd->fd_config_reading = more_queues_at_the_second_look;
	raw_up(r);
	queues = mistake_alloc(max_queues() * sizeof(*queues));
	queues[max_queues() - 1] = 1;
}

/* 13, 14: the MTU */

static void
post_for_mtu(const char *profile, unsigned int mtu, unsigned int room)
{
	static const uint8_t frame[64];

	mistake_device(STAND_PCI, PV_TYPE_NET, profile, N(MAC) | N(MTU));
	vd->vd_net.vn_mtu = mtu;
	raw_up(r);
	raw_send(r, 0, 12 + 14 + room + mtu, DESC_WRITE);
	vdev_net_deliver(vd, frame, 60, 0);
}

static void
mtu_below_68_is_believed(void)
{
	post_for_mtu("strict", 67, 4);
}

static void
no_room_for_a_vlan_tag(void)
{
	post_for_mtu("apple", 1500, 0);
}

static void
large_mtu_is_dropped_though_insisted_on(void)
{
	const uint16_t mtu = 65535;

	mistake_device(STAND_PCI, PV_TYPE_NET, "apple", N(MAC) | N(MTU));
	fake_config_set(r->r_fd, 10, &mtu, 2);
	r->r_fd->fd_needs = N(MTU);
	if (mtu > 65435)
		r->r_deny = N(MTU);
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_features(r);
	if (!raw_features_ok(r))
		raw_set_status(r, ACK | DRIVER | PV_STATUS_FAILED);
	fake_judge(r->r_fd, 1);
}

const struct mistake mistakes_openbsd[] = {
	MISTAKE("January 2026", mmap_gives_a_kernel_address,
	    "bench: user-cpu-address"),
	MISTAKE("January 2026", framebuffer_is_not_synced,
	    "bench: device-no-prewrite"),
	MISTAKE("January 2026", mtu_is_not_accepted,
	    "strict: refused-goes-on"),
	MISTAKE("openbsd 1", only_the_low_features_are_negotiated,
	    "strict: version-1"),
	MISTAKE("openbsd 1", features_ok_is_never_set, "strict: status-order"),
	MISTAKE("openbsd 2", display_on_mmio_without_features_ok,
	    "strict: queue-life"),
	MISTAKE("openbsd 3", whole_page_is_synced, "bench: sync-outside"),
	MISTAKE("openbsd 4", no_preread_of_the_answer,
	    "bench: device-no-preread"),
	MISTAKE("openbsd 4", dirty_lines_overwrite_the_answer,
	    "missing: the answer"),
	MISTAKE("openbsd 5", paints_at_a_timeout,
	    "missing: the last words before the panic"),
	MISTAKE("openbsd 6", no_handler_of_configuration_changes,
	    "strict: config-change"),
	MISTAKE("openbsd 6", gives_up_at_a_disabled_mode, "strict: gave-up"),
	MISTAKE("openbsd 6", error_path_frees_backing, "strict: gpu-held"),
	MISTAKE("openbsd 6", waits_for_a_command_without_a_timeout,
	    "a wait without a bound"),
	NO_MISTAKE("openbsd 6", "EDID, cursor, a second head and damage are "
	    "absent there: to drive less is allowed"),
	MISTAKE("openbsd 7", loads_for_each_command, "bench: map-double-load"),
	MISTAKE("openbsd 7", panics_at_a_full_queue, "killed: Aborted"),
	MISTAKE("openbsd 8", features_ok_right_after_reset,
	    "strict: status-order"),
	MISTAKE("openbsd 9", waiters_are_forgotten_by_a_reset,
	    "missing: a wake-up after the reset"),
	MISTAKE("openbsd 10", queue_enable_is_written_0,
	    "strict: queue-enable-0"),
	MISTAKE("openbsd 10", queue_is_ready_at_address_0, "strict: address"),
	MISTAKE("openbsd 11", used_id_is_not_checked, "heap-buffer-overflow"),
	MISTAKE("openbsd 11", used_length_is_not_checked,
	    "heap-buffer-overflow"),
	MISTAKE("openbsd 11", num_buffers_is_not_checked,
	    "heap-buffer-overflow"),
	MISTAKE("openbsd 12", generation_is_not_read,
	    "strict: config-generation"),
	MISTAKE("openbsd 12", wide_field_is_torn,
	    "missing: a value that the field ever had"),
	MISTAKE("openbsd 12", queue_count_is_read_twice,
	    "heap-buffer-overflow"),
	MISTAKE("openbsd 13", mtu_below_68_is_believed,
	    "strict: net-rx-short"),
	MISTAKE("openbsd 13", no_room_for_a_vlan_tag,
	    "a receive buffer of 1526 bytes wedges this device"),
	MISTAKE("openbsd 14", large_mtu_is_dropped_though_insisted_on,
	    "strict: gave-up"),
	{ 0 }
};
