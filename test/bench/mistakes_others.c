/* SPDX-License-Identifier: ISC */
/*
 * What must hold under a hostile or broken device (twelve rules), and bugs that
 * stand in other drivers: in their sources, their trackers, or in what was
 * published of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "careless.h"
#include "mistakes.h"

#define PREREAD		BUS_DMASYNC_PREREAD
#define POSTREAD	BUS_DMASYNC_POSTREAD
#define PREWRITE	BUS_DMASYNC_PREWRITE

#define ACK		PV_STATUS_ACKNOWLEDGE
#define DRIVER		PV_STATUS_DRIVER
#define FEATS		PV_STATUS_FEATURES_OK
#define OK		PV_STATUS_DRIVER_OK

#define N(n)		PV_F_BIT(PV_NET_F_##n)

#define r		(&mistake_raw)
#define vd		(&mistake_vd)
#define dk		(&mistake_desk)

static int busy[RAW_SIZE], queues[16];

/* One request of 64 bytes that the device has, and keeps. */
static void
one_request(void)
{
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "qemu", 0);
	vd->vd_hold = 1;
	raw_up(r);
	raw_request(r, 0, 0, 64);
}

/* The device says that it is done with id, n times. */
static void
says_used(uint32_t id, uint32_t len, unsigned int n)
{
	while (n-- > 0)
		fake_push_raw(r->r_fd, 0, id, len);
	fake_set_used_idx(r->r_fd, 0, r->r_fd->fd_queues[0].fq_used);
}

static uint32_t
used(unsigned int i, unsigned int word)
{
	uint32_t v;

	memcpy(&v, (const char *)raw_device_word(r, 0, 2) + 8 * i + 4 * word,
	    4);
	return v;
}

static uint16_t
used_idx(void)
{
	return *(volatile uint16_t *)raw_device_word(r, 0, 1);
}

/* Rules 1 to 4: the ring */

/* The device has written into the descriptor that heads the free list. */
static void
free_list_is_kept_in_the_ring(void)
{
	uint16_t next = 0x4000;

	one_request();
	port_dma_write(r->r_fd->fd_queues[0].fq_desc + 14, &next, 2);
	memcpy(&next, r->r_queues[0].rq_desc->pb_va + 14, 2);
	busy[next] = 1;
}

/* Of an id of 32 bits 16 are looked at: a chain comes back twice. */
static void
used_id_is_taken_at_half_width(void)
{
	void *cookie = mistake_alloc(16);
	unsigned int i;

	one_request();
	says_used(0, 64, 1);
	says_used(0x10000, 64, 1);
	for (i = 0; i < used_idx(); i++)
		if ((uint16_t)used(i, 0) == 0)
			mistake_free(cookie);
}

static void
used_id_need_not_be_outstanding(void)
{
	void *cookies[RAW_SIZE] = { mistake_alloc(16) };
	unsigned int i;

	one_request();
	says_used(0, 64, 2);
	for (i = 0; i < used_idx(); i++)
		if (used(i, 0) < RAW_SIZE)
			mistake_free(cookies[used(i, 0)]);
}

/* A used id that is refused, and no more: who waits for its chain waits. */
static void
wrong_used_id_leaves_the_queue_stuck(void)
{
	int done = 0;

	one_request();
	says_used(5, 64, 1);
	while (!done) {
		pv_kern_delay_us(10);
		done = used(0, 0) == 0;
	}
}

static void
length_below_the_header(void)
{
	uint8_t *frame = mistake_alloc(2048);

	mistake_device(STAND_PCI, PV_TYPE_NET, "qemu", N(MAC));
	raw_up(r);
	raw_send(r, 0, 2048, DESC_WRITE);
	says_used(0, 4, 1);
	careless_copy(frame, r->r_buf->pb_va + 12, used(0, 1) - 12);
}

/* The length as it was seen there, of a buffer of 32 bytes. */
static void
length_above_the_buffer(void)
{
	uint8_t *buf = mistake_alloc(32);
	uint32_t len;

	one_request();
	says_used(0, 0x53355885, 1);
	len = used(0, 1) - 12;
	careless_fill(buf, 0, len);
}

static void
used_index_runs_ahead(void)
{
	void **cookies = mistake_alloc(RAW_SIZE * sizeof(*cookies));
	uint16_t i;

	cookies[0] = mistake_alloc(64);
	one_request();
	fake_set_used_idx(r->r_fd, 0, 3);
	for (i = 0; i != used_idx(); i++)
		*(volatile char *)cookies[i] = 1;
}

/* Rule 5: read once */

static void
shared_field_is_read_twice(void)
{
	uint32_t len = 32;

	mistake_memory("coherent,change", 256);
	port_dma_write(dk->dk_addr + 8, &len, 4);
	if (careless_load32(dk->dk_va + 8) <= 64)
		mistake_want(careless_load32(dk->dk_va + 8) == 32,
		    "the length that was judged");
}

static void
fields_of_two_generations(void)
{
	uint32_t v;

	mistake_device(STAND_PCI, PV_TYPE_CONSOLE, "strict",
	    PV_F_BIT(PV_CONSOLE_F_SIZE));
	raw_up(r);
	r->r_ops->to_config_read(r->r_tr, 0, 2, &v);
	r->r_ops->to_config_read(r->r_tr, 2, 2, &v);
	raw_status(r);
}

/* Rules 6 and 11: bounds */

static void
completion_is_awaited_without_a_bound(void)
{
	one_request();
	while (used_idx() == 0)
		continue;
}

static void
reset_is_awaited_without_a_bound(void)
{
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "qemu", 0);
	r->r_fd->fd_reset_never = 1;
	raw_attach(r);
	raw_set_status(r, 0);
	while (raw_status(r) != 0)
		pv_kern_delay_us(100);
}

/* Rule 7: PCI */

/* Offset and length of a structure, added in 32 bits, are inside of the BAR. */
static void
capability_overflows(void)
{
	uint32_t off = 0xfffffff0, len = 0x38;

	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "strict", 0);
	raw_attach(r);
	if (off + len <= FAKE_PCI_BARLEN)
		raw_read(r, off, 4);
}

/* Rule 8: ranges of configuration */

static uint32_t
config(unsigned int off, unsigned int width)
{
	uint32_t v = 0;

	r->r_ops->to_config_read(r->r_tr, off, width, &v);
	return v;
}

static void
too_many_scanouts(void)
{
	const uint32_t n = 1000;
	int *modes = mistake_alloc(16 * sizeof(*modes));
	uint32_t i;

	mistake_device(STAND_PCI, PV_TYPE_GPU, "qemu", 0);
	fake_config_set(r->r_fd, 8, &n, 4);
	raw_up(r);
	for (i = 0; i < config(8, 4); i++)
		modes[i] = 1;
}

static void
mtu_is_read_at_the_place_of_the_mac(void)
{
	mistake_device(STAND_PCI, PV_TYPE_NET, "strict", N(MAC) | N(MTU));
	raw_up(r);
	config(0, 2);
}

static void
answer_of_a_mode(uint32_t w, uint32_t h, uint32_t enabled)
{
	mistake_device(STAND_PCI, PV_TYPE_GPU, "strict", 0);
	vd->vd_gpu.vg_modes[0].w = w;
	vd->vd_gpu.vg_modes[0].h = h;
	vd->vd_gpu.vg_modes[0].enabled = enabled;
	raw_up(r);
	mistake_gpu(0x100, 24, 24 + 16 * 24, NULL);
}

static uint32_t
mode(unsigned int word)
{
	uint32_t v;

	memcpy(&v, r->r_buf->pb_va + 4096 + 24 + 4 * word, 4);
	return v;
}

/* Braces were missing: the size of a display that is off is taken. */
static void
disabled_scanout_is_taken(void)
{
	answer_of_a_mode(0, 0, 0);
	mistake_gpu(0x101, 40, 24,
	    (const uint32_t[]){ 1, 2, mode(2), mode(3) });
}

static void
width_times_height_in_32_bits(void)
{
	uint8_t *fb;

	answer_of_a_mode(65536, 32768, 1);
	fb = mistake_alloc(mode(2) * mode(3) * 4 + 1);
	careless_fill(fb, 0xff, 4ul * mode(2));
}

/* Rule 9: who may be there still */

static void
buffer_is_freed_before_it_is_used(void)
{
	struct port_buf *pb;

	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "strict", 0);
	pb = port_buf_new(64);
	vd->vd_hold = 1;
	raw_up(r);
	raw_desc(r, 0, 0, pb->pb_map->dm_segs[0].ds_addr, 64, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
	port_buf_free(pb);
	fake_give(r->r_fd, 0, vd->vd_kept[0].fc, 64);
}

/* The same, told where it is done: at the unload. */
static void
buffer_is_unloaded_while_the_device_has_it(void)
{
	static const struct bench_dma coherent = { .bd_coherent = 1 };
	struct port_buf *pb;

	bench_dma_use(&coherent);
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "qemu", 0);
	pb = port_buf_new(64);
	vd->vd_hold = 1;
	raw_up(r);
	raw_desc(r, 0, 0, pb->pb_map->dm_segs[0].ds_addr, 64, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
	port_buf_free(pb);
}

static void
ring_is_freed_before_a_reset(void)
{
	static const struct bench_dma coherent = { .bd_coherent = 1 };

	bench_dma_use(&coherent);
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "qemu", 0);
	raw_up(r);
	port_buf_free(r->r_queues[0].rq_device);
}

/* A request is written over while the device may still read it. */
static void
request_is_reused_without_an_answer(void)
{
	mistake_memory("noncoherent,chance=4096", 256);
	desk_sync(dk, 0, 128, PREWRITE);
	desk_sync(dk, 128, 128, PREREAD);
	/* No answer came in time. */
	careless_store32(dk->dk_va, 0x10a);
}

/* Rule 10: interrupts */

static struct {
	uint32_t *pending;		/* made when the queues are */
} softc;

static int
careless_intr(void *arg)
{
	(void)arg;
	*softc.pending = 1;
	return 1;
}

static void
interrupt_before_driver_ok(void)
{
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "qemu", 0);
	raw_attach(r);
	raw_handler(r, careless_intr);
	r->r_st.st_fp.fp_line.fn(r->r_st.st_fp.fp_line.arg);
}

static int
take_notice(void *arg)
{
	*(unsigned int *)arg += 1;
	return 1;
}

static void
lost_interrupt_is_awaited(void)
{
	unsigned int heard = 0, i;

	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "apple", 0);
	raw_up(r);
	raw_handler(r, take_notice);
	r->r_st.st_fp.fp_line.arg = &heard;
	for (i = 1; i <= 20; i++) {
		raw_request(r, 0, 0, 64);
		while (heard < i)
			pv_kern_delay_us(1000);
	}
}

/* Rule 12: removal */

static void
removed_device_is_awaited(void)
{
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "qemu", 0);
	raw_up(r);
	r->r_fd->fd_gone = 1;
	raw_set_status(r, 0);
	while (raw_status(r) != 0)
		pv_kern_delay_us(100);
}

static void
all_ones_are_a_value(void)
{
	mistake_device(STAND_PCI, PV_TYPE_NET, "qemu", N(CTRL_VQ) | N(MQ));
	raw_up(r);
	r->r_fd->fd_gone = 1;
	queues[config(8, 2)] = 1;
}

/* The reset was never confirmed, and the device writes once more. */
static void
buffers_are_reused_without_a_reset(void)
{
	mistake_memory("noncoherent", 256);
	desk_sync(dk, 0, 256, PREREAD);
	bus_dmamap_unload(&port_dma_tag, dk->dk_map);
	desk_write(dk, 0, 1);
}

/* Bugs of others that are none of these */

/* 32 for bit 32, as a mask. */
static void
bit_numbers_are_written_as_masks(void)
{
	mistake_device(STAND_PCI, PV_TYPE_NET, "strict", N(MAC));
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	r->r_ops->to_features_write(r->r_tr, PV_NET_F_MAC | PV_F_VERSION_1);
	raw_features_ok(r);
}

static void
driver_ok_before_the_queues(void)
{
	mistake_device(STAND_PCI, PV_TYPE_ENTROPY, "strict", 0);
	raw_attach(r);
	raw_reset(r);
	raw_hello(r);
	raw_features(r);
	raw_features_ok(r);
	raw_driver_ok(r);
	raw_queues(r);
}

static void
all_that_is_offered_is_accepted(void)
{
	mistake_device(STAND_PCI, PV_TYPE_GPU, "strict", 1ull << 47);
	raw_up(r);
}

static void
device_value_is_asserted(void)
{
	one_request();
	says_used(RAW_SIZE, 64, 1);
	if (used(0, 0) >= RAW_SIZE)
		abort();
}

/* None: all of this, and nothing is wrong */

static void
right_driver(void)
{
	static const uint8_t frame[64];

	mistake_device(STAND_PCI, PV_TYPE_NET, "strict", N(MAC) | N(MTU));
	raw_up(r);
	raw_send(r, 0, 2048, DESC_WRITE);
	mistake_want(vdev_net_deliver(vd, frame, 60, 0), "room");
	mistake_want(used(0, 1) == 72, "a length");
	mistake_settle();
	raw_reset(r);
}

static void
right_display(void)
{
	mistake_device(STAND_MMIO, PV_TYPE_GPU, "strict", 0);
	raw_up(r);
	mistake_want(mistake_gpu(0x100, 24, 24 + 16 * 24, NULL) == 0x1101,
	    "an answer");
	mistake_resource(16, 16);
	mistake_settle();
	raw_reset(r);
}

static void
right_memory(void)
{
	mistake_memory("noncoherent", 256);
	desk_sync(dk, 0, 256, PREREAD);
	desk_write(dk, 0, 1);
	desk_sync(dk, 0, 256, POSTREAD);
	mistake_want(careless_load32(dk->dk_va) == 1, "what was written");
	desk_free(dk);
	mistake_want(port_check() == 0, "all that was had");
}

#define OVERFLOW "heap-buffer-overflow"

const struct mistake mistakes_others[] = {
	MISTAKE("no mistake", right_driver, NULL),
	MISTAKE("no mistake", right_display, NULL),
	MISTAKE("no mistake", right_memory, NULL),

	MISTAKE("rule 1; several drivers", free_list_is_kept_in_the_ring,
	    "index 16384 out of bounds"),
	MISTAKE("rule 2", used_id_is_taken_at_half_width, "double-free"),
	MISTAKE("rule 2", used_id_need_not_be_outstanding, "double-free"),
	NO_MISTAKE("rule 2; a BSD ring core", "used_id_is_not_checked, among "
	    "OpenBSD's"),
	MISTAKE("a Rust crate", wrong_used_id_leaves_the_queue_stuck,
	    "a wait without a bound"),
	MISTAKE("rule 3; an RTOS's net driver", length_below_the_header,
	    OVERFLOW),
	MISTAKE("rule 3; a boot loader's net driver", length_above_the_buffer,
	    OVERFLOW),
	MISTAKE("rule 4", used_index_runs_ahead,
	    "killed: Segmentation fault"),
	MISTAKE("rule 5", shared_field_is_read_twice, "bench: double-fetch"),
	MISTAKE("rule 5", fields_of_two_generations,
	    "strict: config-generation"),
	NO_MISTAKE("rule 5; a BSD net driver", "queue_count_is_read_twice, "
	    "among OpenBSD's"),
	MISTAKE("rules 6, 11; a Rust crate, several drivers",
	    completion_is_awaited_without_a_bound,
	    "a wait without a bound, nor a pause"),
	MISTAKE("rules 6, 11", reset_is_awaited_without_a_bound,
	    "a wait without a bound"),
	MISTAKE("rule 7", capability_overflows, "strict: pci-window"),
	MISTAKE("rule 8", too_many_scanouts, OVERFLOW),
	MISTAKE("rule 8; a unikernel's net driver",
	    mtu_is_read_at_the_place_of_the_mac, "strict: config-width"),
	MISTAKE("rule 8; a BSD GPU driver", disabled_scanout_is_taken,
	    "strict: gpu-format"),
	MISTAKE("rule 8; a BSD GPU driver, a Rust crate",
	    width_times_height_in_32_bits, OVERFLOW),
	MISTAKE("rule 9", buffer_is_freed_before_it_is_used,
	    "strict: entry-removed"),
	MISTAKE("rule 9", buffer_is_unloaded_while_the_device_has_it,
	    "bench: map-held"),
	MISTAKE("rule 9", ring_is_freed_before_a_reset, "bench: map-held"),
	MISTAKE("rules 6, 9; our own display driver, once",
	    request_is_reused_without_an_answer, "bench: cpu-store"),
	MISTAKE("rule 10", interrupt_before_driver_ok,
	    "null pointer"),
	MISTAKE("rule 10", lost_interrupt_is_awaited,
	    "a wait without a bound"),
	MISTAKE("rule 12", removed_device_is_awaited,
	    "a wait without a bound"),
	MISTAKE("rule 12", all_ones_are_a_value,
	    "index 65535 out of bounds"),
	MISTAKE("rule 12", buffers_are_reused_without_a_reset,
	    "bench: device-after-unload"),
	MISTAKE("a seL4 net driver", bit_numbers_are_written_as_masks,
	    "strict: version-1"),
	MISTAKE("a teaching kernel", driver_ok_before_the_queues,
	    "strict: queue-life"),
	MISTAKE("a teaching kernel, a bare-metal GPU driver",
	    all_that_is_offered_is_accepted, "strict: feature-unknown"),
	MISTAKE("several drivers", device_value_is_asserted,
	    "killed: Aborted"),
	{ 0 }
};
