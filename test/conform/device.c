/* SPDX-License-Identifier: ISC */
/*
 * Planted violations of network, console, entropy and display devices.
 */
#include <string.h>

#include "planted.h"
#include "vdev.h"

#define N(n)	PV_F_BIT(PV_NET_F_##n)
#define BASE	(PV_F_BIT(PV_F_VERSION_1) | PV_F_BIT(PV_F_EVENT_IDX) | \
		PV_F_BIT(PV_F_INDIRECT_DESC))

static struct vdev vd;

/* A device as the strict profile has it, with these features; it is up. */
static void
with(struct raw *r, uint64_t features)
{
	vdev_init(&vd, r->r_fd, profile_named("strict"), 2, 0);
	r->r_fd->fd_features = BASE | features;
	vd.vd_net.vn_mtu = 1500;
	raw_up(r);
}

/* Network */

#define TXQ	1
#define CTRLQ	2

static void
put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t
sum(const uint8_t *p, size_t len, uint32_t s)
{
	size_t i;

	for (i = 0; i < len; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* A header of zeros, and UDP over IPv4 in 100 bytes, right in all. */
static uint8_t *
frame(struct raw *r)
{
	uint8_t *hdr = r->r_buf->pb_va, *f = hdr + 12;

	memset(hdr, 0, 2048);
	f[12] = 8;
	f[14] = 0x45;
	put16(f + 16, 86);
	f[23] = 17;
	memcpy(f + 26, "\x0a\0\x02\x0f\x0a\0\x02\x02", 8);
	put16(f + 38, 66);
	put16(f + 40, ~sum(f + 34, 66, sum(f + 26, 8, 17 + 66)) & 0xffff);
	return hdr;
}

static void
send(struct raw *r, uint32_t len)
{
	raw_send(r, TXQ, 12 + len, 0);
}

static void
writes_configuration(struct raw *r)
{
	with(r, N(MAC));
	raw_write(r, FAKE_PCI_DEVICE, 1, 2);
}

static void
leaves_the_mac(struct raw *r)
{
	vdev_init(&vd, r->r_fd, profile_named("strict"), 2, 0);
	r->r_fd->fd_features = BASE | N(MAC);
	r->r_deny = N(MAC);
	raw_up(r);
}

static void
leaves_the_mtu(struct raw *r)
{
	vdev_init(&vd, r->r_fd, profile_named("strict"), 2, 0);
	r->r_fd->fd_features = BASE | N(MTU);
	r->r_deny = N(MTU);
	raw_up(r);
}

static void
control_features_without_control(struct raw *r)
{
	with(r, N(CTRL_RX_EXTRA));
}

static void
another_address(struct raw *r)
{
	with(r, N(MAC));
	vdev_net_told(&vd, (const uint8_t *)"\x02\1\2\3\4\5", 1);
}

static void
a_global_address_of_its_own(struct raw *r)
{
	with(r, 0);
	vdev_net_told(&vd, (const uint8_t *)"\x00\1\2\3\4\5", 1);
}

static void
a_link_that_is_down(struct raw *r)
{
	with(r, N(MAC));
	vdev_net_told(&vd, r->r_fd->fd_config, 0);
}

static void
a_link_other_than_its_status(struct raw *r)
{
	with(r, N(MAC) | N(STATUS));
	r->r_fd->fd_config[6] = 0;
	vdev_net_told(&vd, r->r_fd->fd_config, 1);
}

static void
receive(struct raw *r, uint64_t features, uint32_t len)
{
	with(r, features);
	raw_send(r, 0, len, DESC_WRITE);
	frame(r);
	vdev_net_deliver(&vd, r->r_buf->pb_va + 2048, 60, 0);
}

static void
a_buffer_without_room_for_the_mtu(struct raw *r)
{
	vdev_init(&vd, r->r_fd, profile_named("strict"), 2, 0);
	r->r_fd->fd_features = BASE | N(MTU);
	vd.vd_net.vn_mtu = 4000;
	raw_up(r);
	raw_send(r, 0, 1530, DESC_WRITE);
	vdev_net_deliver(&vd, r->r_buf->pb_va + 2048, 60, 0);
}

static void
a_buffer_of_1525(struct raw *r)
{
	receive(r, 0, 1525);
}

static void
a_buffer_shorter_than_its_header(struct raw *r)
{
	receive(r, N(MRG_RXBUF), 11);
}

static void
a_frame_above_the_mtu(struct raw *r)
{
	with(r, N(MTU));
	frame(r);
	send(r, 1515);
}

static void
a_legacy_header(struct raw *r)
{
	with(r, 0);
	frame(r);
	raw_send(r, TXQ, 10 + 14, 0);
}

static void
num_buffers_of_one(struct raw *r)
{
	with(r, 0);
	frame(r)[10] = 1;
	send(r, 100);
}

static void
needs_csum_not_negotiated(struct raw *r)
{
	with(r, 0);
	frame(r)[0] = 1;
	send(r, 100);
}

static void
a_wrong_checksum(struct raw *r)
{
	with(r, 0);
	frame(r)[12 + 41] ^= 1;
	send(r, 100);
}

static void
csum_beyond_the_frame(struct raw *r)
{
	uint8_t *hdr;

	with(r, N(CSUM));
	hdr = frame(r);
	hdr[0] = 1;
	hdr[6] = 99;
	hdr[8] = 6;
	send(r, 100);
}

static void
csum_without_a_pseudo_header(struct raw *r)
{
	uint8_t *hdr;

	with(r, N(CSUM));
	hdr = frame(r);
	hdr[0] = 1;
	hdr[6] = 34;
	hdr[8] = 6;
	put16(hdr + 12 + 40, 0x1234);
	send(r, 100);
}

static void
gso(struct raw *r, unsigned int type)
{
	with(r, 0);
	frame(r)[1] = (uint8_t)type;
	send(r, 100);
}

static void gso_tcpv4(struct raw *r) { gso(r, 1); }
static void gso_udp(struct raw *r) { gso(r, 3); }
static void gso_tcpv6(struct raw *r) { gso(r, 4); }
static void gso_udp_l4(struct raw *r) { gso(r, 5); }
static void gso_ecn(struct raw *r) { gso(r, 0x81); }
static void gso_tunnel_ipv4(struct raw *r) { gso(r, 0x21); }
static void gso_tunnel_ipv6(struct raw *r) { gso(r, 0x44); }
static void gso_tunnel_both(struct raw *r) { gso(r, 0x61); }
static void gso_tunnel_udp(struct raw *r) { gso(r, 0x23); }

static void
flag(struct raw *r, unsigned int flags)
{
	with(r, N(CSUM));
	frame(r)[0] = (uint8_t)flags;
	send(r, 100);
}

static void flag_data_valid(struct raw *r) { flag(r, 2); }
static void flag_rsc_info(struct raw *r) { flag(r, 4); }
static void flag_tunnel_csum(struct raw *r) { flag(r, 8); }

static void
loses_a_frame_with_unknown_flags(struct raw *r)
{
	receive(r, 0, 1600);
	vdev_net_got(&vd, 0, 0, 0x80);
}

static void
trusts_a_checksum(struct raw *r)
{
	receive(r, N(GUEST_CSUM), 1600);
	vdev_net_got(&vd, 1, PV_NET_RX_CSUM_VALID, 0);
}

static void
uses_csum_start_unasked(struct raw *r)
{
	receive(r, N(GUEST_CSUM), 1600);
	vdev_net_got(&vd, 1, PV_NET_RX_CSUM_PARTIAL, 0);
}

static void
command(struct raw *r, uint64_t features, unsigned int class, unsigned int cmd)
{
	with(r, N(CTRL_VQ) | features);
	memset(r->r_buf->pb_va, 0, 3);
	r->r_buf->pb_va[0] = (uint8_t)class;
	r->r_buf->pb_va[1] = (uint8_t)cmd;
	raw_request(r, CTRLQ, 3, 1);
}

static void promisc_unasked(struct raw *r) { command(r, 0, 0, 0); }
static void nomulti_unasked(struct raw *r) { command(r, N(CTRL_RX), 0, 3); }
static void mac_set_unasked(struct raw *r) { command(r, 0, 1, 1); }
static void announce_unasked(struct raw *r) { command(r, 0, 3, 0); }
static void pairs_unasked(struct raw *r) { command(r, 0, 4, 0); }
static void rss_unasked(struct raw *r) { command(r, 0, 4, 1); }
static void offloads_unasked(struct raw *r) { command(r, 0, 5, 0); }
static void coalescing_unasked(struct raw *r) { command(r, 0, 6, 0); }
static void tunnel_hash_unasked(struct raw *r) { command(r, 0, 7, 0); }

/* A network device of one pair at most, so that the control queue is CTRLQ. */
static void
with_pairs(struct raw *r, uint64_t features, unsigned int pairs)
{
	const uint8_t max[2] = { (uint8_t)pairs, 0 };

	vdev_init(&vd, r->r_fd, profile_named("strict"), 2, 0);
	r->r_fd->fd_features = BASE | N(CTRL_VQ) | features;
	vd.vd_net.vn_mtu = 1500;
	vd.vd_net.vn_maxpairs = pairs;
	fake_config_set(r->r_fd, 8, max, 2);
	raw_up(r);
}

/* A command: class, command and n bytes of data; in bytes are written. */
static void
order(struct raw *r, const char *bytes, uint32_t n, uint32_t in)
{
	memset(r->r_buf->pb_va, 0, 512);
	memcpy(r->r_buf->pb_va, bytes, n + 2);
	raw_request(r, CTRLQ, n + 2, in);
}

/* A frame of UDP that is to be cut; right but for what follows. */
static uint8_t *
cut(struct raw *r, uint64_t features, unsigned int type)
{
	uint8_t *hdr;

	with(r, N(CSUM) | features);
	hdr = frame(r);
	hdr[0] = 1;
	hdr[1] = (uint8_t)type;
	hdr[2] = 42;
	hdr[4] = 20;
	hdr[6] = 34;
	hdr[8] = 6;
	put16(hdr + 12 + 40, sum(hdr + 12 + 26, 8, 17 + 66));
	return hdr;
}

static void
a_cut_without_a_checksum(struct raw *r)
{
	uint8_t *hdr = cut(r, N(HOST_USO), 5);

	hdr[0] = 0;
	put16(hdr + 12 + 40, 0);
	put16(hdr + 12 + 40, ~sum(hdr + 12 + 34, 66,
	    sum(hdr + 12 + 26, 8, 17 + 66)) & 0xffff);
	send(r, 100);
}

static void
a_cut_without_a_size(struct raw *r)
{
	cut(r, N(HOST_USO), 5)[4] = 0;
	send(r, 100);
}

static void
a_cut_into_parts_above_the_mtu(struct raw *r)
{
	cut(r, N(HOST_USO), 5)[5] = 8;
	send(r, 100);
}

static void
another_length_of_headers(struct raw *r)
{
	cut(r, N(HOST_USO) | N(GUEST_HDRLEN), 5)[2] = 50;
	send(r, 100);
}

static void
headers_that_are_longer_than_said(struct raw *r)
{
	cut(r, N(HOST_USO), 5)[2] = 40;
	send(r, 100);
}

/* TCP with CWR set. */
static void
cwr(struct raw *r, uint64_t features)
{
	uint8_t *hdr = cut(r, N(HOST_TSO4) | features, 1);

	hdr[2] = 54;
	hdr[8] = 16;
	hdr[12 + 23] = 6;
	hdr[12 + 34 + 13] = 0x80;
	send(r, 100);
}

static void ecn_not_negotiated(struct raw *r) { cwr(r, 0); }
static void ecn_not_said(struct raw *r) { cwr(r, N(HOST_ECN)); }

static void
a_buffer_too_short_for_what_was_several(struct raw *r)
{
	receive(r, N(GUEST_CSUM) | N(GUEST_TSO4), 1600);
}

static void
relies_on_a_header_length(struct raw *r)
{
	receive(r, N(GUEST_CSUM), 1600);
	vdev_net_hinted(&vd, 61, 60);
}

static void
a_speed_that_can_not_be(struct raw *r)
{
	const uint8_t speed[5] = { 0, 0, 0, 0x80, 1 };

	with(r, N(SPEED_DUPLEX));
	fake_config_set(r->r_fd, 12, speed, 5);
	vdev_net_speed(&vd, 0x80000000, 1);
}

static void
a_speed_of_yesterday(struct raw *r)
{
	const uint8_t speed[5] = { 100, 0, 0, 0, 1 };

	with(r, N(SPEED_DUPLEX));
	fake_config_set(r->r_fd, 12, speed, 5);
	vdev_net_speed(&vd, 10, 1);
}

static void
hashes_without_control(struct raw *r)
{
	with(r, N(HASH_REPORT));
}

static void
an_address_that_is_not_told(struct raw *r)
{
	with(r, N(MAC) | N(CTRL_VQ) | N(CTRL_RX) | N(CTRL_MAC_ADDR));
	vdev_net_told(&vd, (const uint8_t *)"\x02\1\2\3\4\5", 1);
}

static void
a_group_among_addresses(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(CTRL_RX));
	order(r, "\1\0" "\1\0\0\0" "\1\2\3\4\5\6" "\0\0\0\0", 14, 1);
}

static void
a_table_cut_short(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(CTRL_RX));
	order(r, "\1\0" "\2\0\0\0" "\2\2\3\4\5\6" "\0\0\0\0", 14, 1);
}

static void
announces_nothing(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(STATUS) | N(GUEST_ANNOUNCE));
	vdev_net_announced(&vd, 0);
}

static void
announces_without_acknowledging(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(STATUS) | N(GUEST_ANNOUNCE));
	vd.vd_net.vn_announce = 1;
	vdev_net_announced(&vd, 1);
}

static void
no_pairs(struct raw *r)
{
	with_pairs(r, N(MQ), 1);
	order(r, "\4\0" "\0\0", 2, 1);
}

static void
more_pairs_than_there_are(struct raw *r)
{
	with_pairs(r, N(MQ), 1);
	order(r, "\4\0" "\2\0", 2, 1);
}

/* The second pair has no queues yet: here the control queue is number 4. */
static void
pairs_before_their_queues(struct raw *r)
{
	with_pairs(r, N(MQ), 2);
	r->r_fd->fd_queues[2].fq_ready = 0;
	memcpy(r->r_buf->pb_va, "\4\0\2\0", 4);
	raw_request(r, 4, 4, 1);
	r->r_fd->fd_queues[2].fq_ready = 1;
}

static void
sends_on_a_queue_of_no_pair(struct raw *r)
{
	with_pairs(r, N(MQ), 2);
	frame(r);
	raw_send(r, 3, 12 + 100, 0);
}

static void
rss(struct raw *r, const char *data, uint32_t n)
{
	with_pairs(r, N(RSS), 1);
	order(r, data, n, 1);
}

static void
a_table_of_other_queues(struct raw *r)
{
	rss(r, "\4\1" "\1\0\0\0" "\0\0" "\0\0" "\1\0" "\1\0" "\0", 13);
}

static void
a_table_of_three(struct raw *r)
{
	rss(r, "\4\1" "\1\0\0\0" "\2\0" "\0\0" "\0\0\0\0\0\0" "\1\0"
	    "\0", 17);
}

static void
a_table_too_long(struct raw *r)
{
	char data[2 + 8 + 512 + 3] = { 4, 1, 1, 0, 0, 0, (char)0xff, 0 };

	data[2 + 8 + 512] = 1;
	with_pairs(r, N(RSS), 1);
	memcpy(r->r_buf->pb_va, data, sizeof(data));
	raw_request(r, CTRLQ, sizeof(data), 1);
}

static void
a_hash_that_is_unknown(struct raw *r)
{
	rss(r, "\4\1" "\0\4\0\0" "\0\0" "\0\0" "\0\0" "\1\0" "\0", 13);
}

static void
an_offload_not_negotiated(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(CTRL_GUEST_OFFLOADS) | N(GUEST_CSUM));
	order(r, "\5\0" "\x82\0\0\0\0\0\0", 8, 1);
}

static void
delays_a_queue_of_no_pair(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(VQ_NOTF_COAL));
	order(r, "\6\2" "\2\0\0\0" "\1\0\0\0" "\1\0\0", 12, 1);
}

static void
believes_an_error(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(VQ_NOTF_COAL));
	vdev_net_coal(&vd, 1, 1);
}

static void
statistics_not_queried(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(DEVICE_STATS));
	order(r, "\10\1" "\0\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0", 16, 200);
}

static void
statistics_of_another_queue(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(DEVICE_STATS));
	order(r, "\10\0", 0, 9);
	order(r, "\10\1" "\1\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0", 16, 200);
}

static void
statistics_without_room(struct raw *r)
{
	with(r, N(CTRL_VQ) | N(DEVICE_STATS));
	order(r, "\10\0", 0, 9);
	order(r, "\10\1" "\0\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0", 16, 20);
}

static void
a_queue_without_buffers(struct raw *r)
{
	with_pairs(r, N(MQ), 2);
	memcpy(r->r_buf->pb_va, "\4\0\2\0", 4);
	raw_request(r, 4, 4, 1);
	vdev_net_filled(&vd);
}

/* Console, entropy */

static void
a_readable_receive_buffer(struct raw *r)
{
	with(r, 0);
	raw_desc(r, 0, 0, raw_buf(r, 0), 8, DESC_NEXT, 1);
	raw_desc(r, 0, 1, raw_buf(r, 64), 64, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
	vdev_console_input(&vd, "x", 1);
}

static void
a_writable_transmit_buffer(struct raw *r)
{
	with(r, 0);
	raw_request(r, 1, 8, 8);
}

static void
asks_entropy_with_a_request(struct raw *r)
{
	with(r, 0);
	raw_request(r, 0, 8, 64);
}

static void
takes_more_than_was_given(struct raw *r)
{
	uint32_t len;

	with(r, 0);
	len = raw_request(r, 0, 0, 256);
	vdev_entropy_got(&vd, r->r_buf->pb_va + 4096, len + 1);
}

static void
takes_less_than_was_given(struct raw *r)
{
	uint32_t len;

	with(r, 0);
	len = raw_request(r, 0, 0, 256);
	vdev_entropy_got(&vd, r->r_buf->pb_va + 4096, len - 1);
}

/* Display */

static void
gpu(struct raw *r, unsigned int queue, uint32_t type, uint32_t outlen,
    uint32_t inlen, const uint32_t *words)
{
	memset(r->r_buf->pb_va, 0, 64);
	memcpy(r->r_buf->pb_va, &type, 4);
	if (words != NULL)
		memcpy(r->r_buf->pb_va + 24, words, outlen - 24);
	raw_request(r, queue, outlen, inlen);
}

static void
create(struct raw *r, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	const uint32_t words[4] = { id, format, w, h };

	gpu(r, 0, 0x101, 40, 24, words);
}

static void
attach(struct raw *r, uint32_t id, bus_addr_t addr, uint32_t len)
{
	const uint32_t words[6] = { id, 1, (uint32_t)addr,
	    (uint32_t)(addr >> 32), len, 0 };

	gpu(r, 0, 0x106, 48, 24, words);
}

static void
rect(struct raw *r, uint32_t type, uint32_t w, uint32_t h, uint32_t a,
    uint32_t b)
{
	const uint32_t words[6] = { 0, 0, w, h, a, b };

	gpu(r, 0, type, 48, 24, words);
}

static void
transfer(struct raw *r, uint32_t w, uint32_t h, uint32_t off)
{
	const uint32_t words[8] = { 0, 0, w, h, off, 0, 1, 0 };

	gpu(r, 0, 0x105, 56, 24, words);
}

/* A resource of 16 x 16, with its backing. */
static void
resource(struct raw *r)
{
	with(r, 0);
	create(r, 1, 2, 16, 16);
	attach(r, 1, raw_buf(r, 2048), 1024);
}

static void
a_request_without_its_end(struct raw *r)
{
	with(r, 0);
	gpu(r, 0, 0x101, 32, 24, NULL);
}

static void
an_answer_without_room(struct raw *r)
{
	with(r, 0);
	gpu(r, 0, 0x101, 40, 8, NULL);
}

static void
a_cursor_command_on_controlq(struct raw *r)
{
	with(r, 0);
	gpu(r, 0, 0x300, 56, 24, NULL);
}

static void
edid_not_negotiated(struct raw *r)
{
	with(r, 0);
	gpu(r, 0, 0x10a, 32, 1056, NULL);
}

static void
blob_not_negotiated(struct raw *r)
{
	with(r, 0);
	gpu(r, 0, 0x10c, 56, 24, NULL);
}

static void
little_room_for_displays(struct raw *r)
{
	with(r, 0);
	gpu(r, 0, 0x100, 24, 48, NULL);
}

static void
resource_0(struct raw *r)
{
	with(r, 0);
	create(r, 0, 2, 16, 16);
}

static void
a_resource_twice(struct raw *r)
{
	resource(r);
	create(r, 1, 2, 16, 16);
}

static void
an_unknown_resource(struct raw *r)
{
	resource(r);
	rect(r, 0x104, 8, 8, 7, 0);
}

static void
an_unknown_format(struct raw *r)
{
	with(r, 0);
	create(r, 1, 5, 16, 16);
}

static void
a_second_backing(struct raw *r)
{
	resource(r);
	attach(r, 1, raw_buf(r, 1024), 1024);
}

static void
too_little_backing(struct raw *r)
{
	with(r, 0);
	create(r, 1, 2, 16, 16);
	attach(r, 1, raw_buf(r, 2048), 1020);
}

static void
an_absent_scanout(struct raw *r)
{
	resource(r);
	rect(r, 0x103, 16, 16, 1, 1);
}

static void
a_scanout_beyond_its_resource(struct raw *r)
{
	resource(r);
	rect(r, 0x103, 17, 16, 0, 1);
}

static void
a_transfer_beyond_its_backing(struct raw *r)
{
	resource(r);
	transfer(r, 16, 16, 4);
}

static void
a_transfer_beyond_its_resource(struct raw *r)
{
	resource(r);
	transfer(r, 16, 17, 0);
}

static void
a_flush_beyond_its_resource(struct raw *r)
{
	resource(r);
	rect(r, 0x104, 16, 17, 1, 0);
}

static void
frees_backing_early(struct raw *r)
{
	struct port_buf *pb = port_buf_new(1024);

	with(r, 0);
	create(r, 1, 2, 16, 16);
	attach(r, 1, pb->pb_map->dm_segs[0].ds_addr, 1024);
	port_buf_free(pb);
	rect(r, 0x104, 8, 8, 1, 0);
}

#define G(n)	PV_F_BIT(PV_GPU_F_##n)

static void
a_blob_of_no_size(struct raw *r)
{
	const uint32_t words[8] = { 1, PV_GPU_BLOB_GUEST };

	with(r, G(RESOURCE_BLOB));
	gpu(r, 0, 0x10c, 56, 24, words);
}

static void
a_blob_of_a_host_that_renders_nothing(struct raw *r)
{
	const uint32_t words[8] = { 1, PV_GPU_BLOB_HOST3D, 0, 0, 1, 0, 4096 };

	with(r, G(RESOURCE_BLOB));
	gpu(r, 0, 0x10c, 56, 24, words);
}

static void
maps_a_blob_of_its_own(struct raw *r)
{
	const uint32_t blob[8] = { 1, PV_GPU_BLOB_GUEST, 0, 0, 0, 0, 4096 };
	const uint32_t map[4] = { 1 };

	with(r, G(RESOURCE_BLOB));
	vd.vd_gpu.vg_visible = 8192;
	gpu(r, 0, 0x10c, 56, 24, blob);
	gpu(r, 0, 0x208, 40, 32, map);
}

static void
maps_beyond_the_region(struct raw *r)
{
	const uint32_t blob[8] = { 1, PV_GPU_BLOB_HOST3D, 0, 0, 1, 0, 8192 };
	const uint32_t map[4] = { 1, 0, 4096 };

	with(r, G(RESOURCE_BLOB) | G(VIRGL));
	vd.vd_gpu.vg_visible = 8192;
	gpu(r, 0, 0x10c, 56, 24, blob);
	gpu(r, 0, 0x208, 40, 32, map);
}

static void
asks_for_no_region(struct raw *r)
{
	fake_region(r->r_fd, 1, 0x100000000ull, 4096);
	with(r, 0);
}

static void
a_cursor_of_16_pixels(struct raw *r)
{
	const uint32_t words[8] = { 0, 0, 0, 0, 1 };

	resource(r);
	gpu(r, 1, 0x300, 56, 24, words);
}

static void
a_cursor_where_no_head_is(struct raw *r)
{
	const uint32_t words[8] = { 1 };

	with(r, 0);
	gpu(r, 1, 0x301, 56, 24, words);
}

static void
a_capset_that_there_is_not(struct raw *r)
{
	const uint32_t words[2] = { 0 };

	with(r, G(VIRGL));
	gpu(r, 0, 0x108, 32, 40, words);
}

/* A request of a context's, which words is of from the header's flags on. */
static void
of_context(struct raw *r, uint32_t type, uint32_t outlen,
    const uint32_t *words, uint32_t more)
{
	memset(r->r_buf->pb_va, 0, 128);
	memcpy(r->r_buf->pb_va, &type, 4);
	memcpy(r->r_buf->pb_va + 4, words, 20);
	memcpy(r->r_buf->pb_va + 24, &more, 4);
	raw_request(r, 0, outlen, 24);
}

static void
ends_an_unknown_context(struct raw *r)
{
	const uint32_t words[5] = { 0, 0, 0, 7 };

	with(r, G(VIRGL));
	of_context(r, 0x201, 24, words, 0);
}

static void
a_stream_shorter_than_it_says(struct raw *r)
{
	const uint32_t words[5] = { 0, 0, 0, 7 };

	with(r, G(VIRGL));
	of_context(r, 0x200, 96, words, 0);
	of_context(r, 0x207, 64, words, 33);
}

static void
a_ring_not_negotiated(struct raw *r)
{
	const uint32_t plain[5] = { 0, 0, 0, 7 }, ring[5] = { 3, 1, 0, 7, 2 };

	with(r, G(VIRGL));
	of_context(r, 0x200, 96, plain, 0);
	of_context(r, 0x207, 64, ring, 32);
}

static void
fences_that_do_not_ascend(struct raw *r)
{
	const uint32_t plain[5] = { 0, 0, 0, 7 }, ring[5] = { 3, 5, 0, 7, 2 };

	with(r, G(VIRGL) | G(CONTEXT_INIT));
	of_context(r, 0x200, 96, plain, 0);
	of_context(r, 0x207, 64, ring, 32);
	of_context(r, 0x207, 64, ring, 32);
}

static void
clears_events_that_were_not(struct raw *r)
{
	with(r, 0);
	raw_write(r, FAKE_PCI_DEVICE + 4, 4, 1);
}

#define D(fn, rule, type, n)	{ #fn, STRICT_##rule, STAND_PCI, type, n, fn }
#define NET(fn, rule)	D(fn, rule, PV_TYPE_NET, 3)
#define NET5(fn, rule)	D(fn, rule, PV_TYPE_NET, 5)
#define GPU(fn, rule)	D(fn, rule, PV_TYPE_GPU, 2)

const struct planted planted_device[] = {
	NET(writes_configuration, CONFIG_WRITE),
	NET(leaves_the_mac, SHOULD_ACCEPT),
	NET(leaves_the_mtu, SHOULD_ACCEPT),
	NET(control_features_without_control, FEATURE_DEPENDS),
	NET(another_address, NET_MAC),
	NET(a_global_address_of_its_own, NET_MAC_LOCAL),
	NET(a_link_that_is_down, NET_LINK),
	NET(a_link_other_than_its_status, NET_LINK),
	NET(a_buffer_without_room_for_the_mtu, NET_RX_SHORT),
	NET(a_buffer_of_1525, NET_RX_SHORT),
	NET(a_buffer_shorter_than_its_header, NET_RX_SHORT),
	NET(a_frame_above_the_mtu, NET_TX_LONG),
	NET(a_legacy_header, NET_TX_HEADER),
	NET(num_buffers_of_one, NET_NUM_BUFFERS),
	NET(needs_csum_not_negotiated, NET_CSUM),
	NET(a_wrong_checksum, NET_CSUM_FULL),
	NET(csum_beyond_the_frame, NET_CSUM_PLACE),
	NET(csum_without_a_pseudo_header, NET_CSUM_PLACE),
	NET(gso_tcpv4, NET_GSO),
	NET(gso_udp, NET_GSO),
	NET(gso_tcpv6, NET_GSO),
	NET(gso_udp_l4, NET_GSO),
	NET(gso_ecn, NET_GSO),
	NET(gso_tunnel_ipv4, NET_GSO),
	NET(gso_tunnel_ipv6, NET_GSO),
	NET(gso_tunnel_both, NET_GSO),
	NET(gso_tunnel_udp, NET_GSO),
	NET(flag_data_valid, NET_FLAGS),
	NET(flag_rsc_info, NET_FLAGS),
	NET(flag_tunnel_csum, NET_FLAGS),
	NET(loses_a_frame_with_unknown_flags, NET_RX_LOST),
	NET(trusts_a_checksum, NET_RX_CSUM),
	NET(uses_csum_start_unasked, NET_RX_CSUM),
	NET(promisc_unasked, NET_CTRL),
	NET(nomulti_unasked, NET_CTRL),
	NET(mac_set_unasked, NET_CTRL),
	NET(announce_unasked, NET_CTRL),
	NET(pairs_unasked, NET_CTRL),
	NET(rss_unasked, NET_CTRL),
	NET(offloads_unasked, NET_CTRL),
	NET(coalescing_unasked, NET_CTRL),
	NET(tunnel_hash_unasked, NET_CTRL),
	NET(a_cut_without_a_checksum, NET_GSO_CSUM),
	NET(a_cut_without_a_size, NET_GSO_SIZE),
	NET(a_cut_into_parts_above_the_mtu, NET_GSO_SIZE),
	NET(another_length_of_headers, NET_HDR_LEN),
	NET(headers_that_are_longer_than_said, NET_HDR_LEN),
	NET(ecn_not_negotiated, NET_ECN),
	NET(ecn_not_said, NET_ECN),
	NET(a_buffer_too_short_for_what_was_several, NET_RX_SHORT),
	NET(relies_on_a_header_length, NET_HDR_HINT),
	NET(a_speed_that_can_not_be, NET_SPEED),
	NET(a_speed_of_yesterday, NET_SPEED),
	NET(hashes_without_control, FEATURE_DEPENDS),
	NET(an_address_that_is_not_told, NET_MAC_SET),
	NET(a_group_among_addresses, NET_MACS),
	NET(a_table_cut_short, NET_MACS),
	NET(announces_nothing, NET_ANNOUNCE),
	NET(announces_without_acknowledging, NET_ANNOUNCE),
	NET(no_pairs, NET_PAIRS),
	NET(more_pairs_than_there_are, NET_PAIRS),
	NET5(pairs_before_their_queues, NET_QUEUE_BEFORE),
	NET5(sends_on_a_queue_of_no_pair, NET_QUEUE),
	NET5(a_queue_without_buffers, NET_QUEUE_BEFORE),
	NET(a_table_of_other_queues, NET_RSS),
	NET(a_table_of_three, NET_RSS),
	NET(a_table_too_long, NET_RSS),
	NET(a_hash_that_is_unknown, NET_HASH_TYPES),
	NET(an_offload_not_negotiated, NET_OFFLOADS),
	NET(delays_a_queue_of_no_pair, NET_COAL),
	NET(believes_an_error, NET_COAL_ERROR),
	NET(statistics_not_queried, NET_STATS),
	NET(statistics_of_another_queue, NET_STATS),
	NET(statistics_without_room, NET_STATS_ROOM),
	D(a_readable_receive_buffer, CONSOLE_RX, PV_TYPE_CONSOLE, 2),
	D(a_writable_transmit_buffer, CONSOLE_TX, PV_TYPE_CONSOLE, 2),
	D(asks_entropy_with_a_request, ENTROPY_READ, PV_TYPE_ENTROPY, 1),
	D(takes_more_than_was_given, USED_BEYOND, PV_TYPE_ENTROPY, 1),
	D(takes_less_than_was_given, ENTROPY_LENGTH, PV_TYPE_ENTROPY, 1),
	GPU(a_request_without_its_end, GPU_HEADER),
	GPU(an_answer_without_room, GPU_HEADER),
	GPU(a_cursor_command_on_controlq, GPU_QUEUE),
	GPU(edid_not_negotiated, GPU_FEATURE),
	GPU(blob_not_negotiated, GPU_FEATURE),
	GPU(little_room_for_displays, GPU_INFO_ROOM),
	GPU(resource_0, GPU_RESOURCE),
	GPU(a_resource_twice, GPU_RESOURCE),
	GPU(an_unknown_resource, GPU_RESOURCE),
	GPU(an_unknown_format, GPU_FORMAT),
	GPU(a_second_backing, GPU_BACKING),
	GPU(too_little_backing, GPU_BACKING),
	GPU(an_absent_scanout, GPU_SCANOUT),
	GPU(a_scanout_beyond_its_resource, GPU_SCANOUT),
	GPU(a_transfer_beyond_its_backing, GPU_TRANSFER),
	GPU(a_transfer_beyond_its_resource, GPU_TRANSFER),
	GPU(a_flush_beyond_its_resource, GPU_FLUSH),
	GPU(frees_backing_early, GPU_HELD),
	GPU(a_blob_of_no_size, GPU_BLOB),
	GPU(a_blob_of_a_host_that_renders_nothing, GPU_BLOB),
	GPU(maps_a_blob_of_its_own, GPU_MAP),
	GPU(maps_beyond_the_region, GPU_MAP),
	{ "asks_for_no_region", STRICT_GPU_SHM, STAND_MMIO, PV_TYPE_GPU, 2,
	    asks_for_no_region },
	GPU(a_cursor_of_16_pixels, GPU_CURSOR),
	GPU(a_cursor_where_no_head_is, GPU_CURSOR),
	GPU(a_capset_that_there_is_not, GPU_CAPSET),
	GPU(ends_an_unknown_context, GPU_CONTEXT),
	GPU(a_stream_shorter_than_it_says, GPU_CONTEXT),
	GPU(a_ring_not_negotiated, GPU_RING),
	GPU(fences_that_do_not_ascend, GPU_RING),
	GPU(clears_events_that_were_not, GPU_EVENTS),
	{ NULL, STRICT_NRULES, STAND_PCI, 0, 0, NULL },
};
