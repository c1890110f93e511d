/* SPDX-License-Identifier: ISC */
/*
 * A network device: what it sends is the peer's to look at, what the peer sends
 * goes into the buffers that are posted.
 */
#include <string.h>

#include "vdev.h"
#include "wire.h"

#define RXQ(pair)	(2 * (pair))
#define MAXPAIRS	4
#define KEYLEN		40
#define TABLELEN	128
#define HASHES		0x1ffu
#define LONGEST		65589	/* of what is cut, or was */
#define MAXMERGED	64	/* buffers of a frame */

#define N(n)	PV_F_BIT(PV_NET_F_##n)

#define F_NEEDS_CSUM	0x01
#define F_DATA_VALID	0x02

/* Device Types / Network Device / Feature bits: what asks for what. */
static const struct fake_depend depends[] = {
	{ PV_NET_F_GUEST_TSO4, N(GUEST_CSUM), 0 },
	{ PV_NET_F_GUEST_TSO6, N(GUEST_CSUM), 0 },
	{ PV_NET_F_GUEST_ECN, 0, N(GUEST_TSO4) | N(GUEST_TSO6) },
	{ PV_NET_F_GUEST_UFO, N(GUEST_CSUM), 0 },
	{ PV_NET_F_GUEST_USO4, N(GUEST_CSUM), 0 },
	{ PV_NET_F_GUEST_USO6, N(GUEST_CSUM), 0 },
	{ PV_NET_F_HOST_TSO4, N(CSUM), 0 },
	{ PV_NET_F_HOST_TSO6, N(CSUM), 0 },
	{ PV_NET_F_HOST_ECN, 0, N(HOST_TSO4) | N(HOST_TSO6) },
	{ PV_NET_F_HOST_UFO, N(CSUM), 0 },
	{ PV_NET_F_HOST_USO, N(CSUM), 0 },
	{ PV_NET_F_CTRL_RX, N(CTRL_VQ), 0 },
	{ PV_NET_F_CTRL_VLAN, N(CTRL_VQ), 0 },
	{ PV_NET_F_CTRL_RX_EXTRA, N(CTRL_VQ), 0 },
	{ PV_NET_F_CTRL_GUEST_OFFLOADS, N(CTRL_VQ), 0 },
	{ PV_NET_F_GUEST_ANNOUNCE, N(CTRL_VQ), 0 },
	{ PV_NET_F_MQ, N(CTRL_VQ), 0 },
	{ PV_NET_F_CTRL_MAC_ADDR, N(CTRL_VQ), 0 },
	{ PV_NET_F_NOTF_COAL, N(CTRL_VQ), 0 },
	{ PV_NET_F_VQ_NOTF_COAL, N(CTRL_VQ), 0 },
	{ PV_NET_F_DEVICE_STATS, N(CTRL_VQ), 0 },
	{ PV_NET_F_HASH_REPORT, N(CTRL_VQ), 0 },
	{ PV_NET_F_RSS, N(CTRL_VQ), 0 },
	{ PV_NET_F_RSC_EXT, 0, N(HOST_TSO4) | N(HOST_TSO6) },
};

static const struct fake_field fields[] = {
	{ 0, 1, 6, 0, PV_NET_F_MAC },
	{ 6, 2, 1, 0, PV_NET_F_STATUS },
	{ 8, 2, 1, 0, -1 },		/* with MQ or RSS */
	{ 10, 2, 1, 0, PV_NET_F_MTU },
	{ 12, 4, 1, 0, PV_NET_F_SPEED_DUPLEX },
	{ 16, 1, 1, 0, PV_NET_F_SPEED_DUPLEX },
	{ 17, 1, 1, 0, -1 },		/* with RSS or HASH_REPORT */
	{ 18, 2, 1, 0, PV_NET_F_RSS },
	{ 20, 4, 1, 0, -1 },
};

/* Pairs, hashes, speed. */
static void
set_config(struct vdev *vd)
{
	struct fake_dev *fd = vd->vd_dev;
	uint16_t pairs, table = wire16(TABLELEN);
	uint8_t duplex = 1, key = KEYLEN, word[4];

	vd->vd_net.vn_maxpairs = 2 + vdev_random(vd, MAXPAIRS - 1);
	pairs = wire16((uint16_t)vd->vd_net.vn_maxpairs);
	fake_config_set(fd, 8, &pairs, 2);
	wire_put(word, 4, vdev_random(vd, 2) ? 10000 : UINT32_MAX);
	fake_config_set(fd, 12, word, 4);
	fake_config_set(fd, 16, &duplex, 1);
	fake_config_set(fd, 17, &key, 1);
	fake_config_set(fd, 18, &table, 2);
	wire_put(word, 4, HASHES);
	fake_config_set(fd, 20, word, 4);
}

static void
net_reset(struct vdev *vd)
{
	struct vdev_net *vn = &vd->vd_net;

	vn->vn_pairs = 1;
	memset(vn->vn_modes, 0, sizeof(vn->vn_modes));
	vn->vn_macset = vn->vn_hashes = vn->vn_queried = 0;
	vn->vn_nuni = vn->vn_nmulti = 0;
	memset(vn->vn_vlans, 0, sizeof(vn->vn_vlans));
	memset(vn->vn_coal, 0, sizeof(vn->vn_coal));
	vn->vn_offloads = 0;
	vn->vn_ntable = 0;
}

static void
net_init(struct vdev *vd)
{
	struct fake_dev *fd = vd->vd_dev;
	const uint64_t host_tso = N(HOST_TSO4) | N(HOST_TSO6);
	uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	uint16_t up = wire16(1), mtu = 1500;

	if (vdev_random(vd, 2))
		mtu = (uint16_t)(1280 + vdev_random(vd, 8000));
	vd->vd_net.vn_mtu = mtu;
	mtu = wire16(mtu);
	fake_config_set(fd, 0, mac, 6);
	fake_config_set(fd, 6, &up, 2);
	fake_config_set(fd, 10, &mtu, 2);
	set_config(vd);
	net_reset(vd);
	fd->fd_configlen = 24;
	fd->fd_features &= ~N(STANDBY);
	if (vdev_has(vd, Q_NO_MRG))
		fd->fd_features &= ~N(MRG_RXBUF);
	if (vdev_has(vd, Q_NO_CTRL))
		fd->fd_features &= ~(N(CTRL_VQ) | N(CTRL_RX) | N(CTRL_VLAN) |
		    N(CTRL_RX_EXTRA) | N(CTRL_GUEST_OFFLOADS) |
		    N(GUEST_ANNOUNCE) | N(MQ) | N(CTRL_MAC_ADDR) |
		    N(DEVICE_STATS) | N(NOTF_COAL) | N(VQ_NOTF_COAL) | N(HASH_REPORT) | N(RSS));
	if (vdev_has(vd, Q_MTU_NEEDED))
		fd->fd_needs |= N(MTU);
	/* Only if one is taken without the other. */
	if (vdev_has(vd, Q_TSO_WHOLE) && (fd->fd_features & host_tso) != 0)
		fd->fd_together = host_tso | N(GUEST_TSO4) | N(GUEST_TSO6);
}

static int
merges(const struct vdev *vd)
{
	return fake_has(vd->vd_dev, PV_NET_F_MRG_RXBUF);
}

static size_t
hdrlen(const struct vdev *vd)
{
	if (fake_has(vd->vd_dev, PV_NET_F_HASH_REPORT))
		return 20;
	return !vd->vd_dev->fd_legacy || merges(vd) ? 12 : 10;
}

/* Pairs of queues that there are; the control queue stands behind them. */
static unsigned int
all_pairs(const struct vdev *vd)
{
	return fake_has(vd->vd_dev, PV_NET_F_MQ) ||
	    fake_has(vd->vd_dev, PV_NET_F_RSS) ? vd->vd_net.vn_maxpairs : 1;
}

static unsigned int
ctrlq(const struct vdev *vd)
{
	return 2 * all_pairs(vd);
}

static int
net_waits(const struct vdev *vd, unsigned int queue)
{
	return queue < ctrlq(vd) && queue % 2 == 0;
}

static uint16_t
le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t
sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Whether a frame is UDP over IPv4 whose checksum is wrong. */
static int
udp_wrong(const uint8_t *p, size_t len)
{
	size_t udplen;
	uint32_t sum;

	if (len < 42 || p[12] != 8 || p[13] != 0 || p[14] != 0x45 || p[23] != 17)
		return 0;
	udplen = (size_t)(p[38] << 8 | p[39]);
	if (udplen > len - 34 || (p[40] == 0 && p[41] == 0))
		return 0;
	sum = sum16(p + 26, 8, 17 + (uint32_t)udplen);
	return sum16(p + 34, udplen, sum) != 0xffff;
}

static void
judge_flags(struct vdev *vd, const uint8_t *hdr, uint8_t *frame, size_t len)
{
	unsigned int start = le16(hdr + 6), off = le16(hdr + 8);
	uint32_t sum;

	if (hdr[0] & ~F_NEEDS_CSUM) {
		strict_broken(STRICT_NET_FLAGS, "0x%x", hdr[0]);
		return;
	}
	if ((hdr[0] & F_NEEDS_CSUM) == 0) {
		if (udp_wrong(frame, len))
			strict_broken(STRICT_NET_CSUM_FULL, "%zu bytes", len);
		return;
	}
	if (!fake_has(vd->vd_dev, PV_NET_F_CSUM)) {
		strict_broken(STRICT_NET_CSUM, "flags 0x%x", hdr[0]);
		return;
	}
	if (start + off + 2 > len) {
		strict_broken(STRICT_NET_CSUM_PLACE, "%u + %u of %zu", start,
		    off, len);
		return;
	}
	sum = ~sum16(frame + start, len - start, 0) & 0xffff;
	frame[start + off] = (uint8_t)(sum >> 8);
	frame[start + off + 1] = (uint8_t)sum;
	if (udp_wrong(frame, len))
		strict_broken(STRICT_NET_CSUM_PLACE, "%u + %u of %zu", start,
		    off, len);
}

/* The feature that a kind of segmentation takes; 0: there is no such kind. */
static uint64_t
gso_feature(unsigned int type)
{
	switch (type & ~0x80u) {
	case 1:
		return N(HOST_TSO4);
	case 3:
		return N(HOST_UFO);
	case 4:
		return N(HOST_TSO6);
	case 5:
		return N(HOST_USO);
	default:
		return 0;
	}
}

/* All headers of an IPv4 or IPv6 frame of TCP or UDP, without options; or 0. */
static size_t
headers(const uint8_t *f, size_t len)
{
	size_t at = 14;
	unsigned int proto;

	if (len < 54)
		return 0;
	if (f[12] == 8 && f[13] == 0) {
		proto = f[23];
		at += 20;
	} else if (f[12] == 0x86 && f[13] == 0xdd) {
		proto = f[20];
		at += 40;
	} else
		return 0;
	return at + (proto == 6 ? 20u : 8u);
}

/* CWR of a frame of TCP. */
static int
has_cwr(const uint8_t *f, size_t len)
{
	size_t n = headers(f, len);

	return n >= 54 && n <= len && (f[n - 7] & 0x80) != 0;
}

static void
judge_gso(struct vdev *vd, const uint8_t *hdr, const uint8_t *frame,
    size_t len)
{
	const struct fake_dev *fd = vd->vd_dev;
	size_t real = headers(frame, len), hdr_len = le16(hdr + 2);
	size_t part = hdr_len + le16(hdr + 4);
	uint64_t feature = gso_feature(hdr[1]);

	if (feature == 0 || (fd->fd_accepted & feature) == 0) {
		strict_broken(STRICT_NET_GSO, "gso_type 0x%x", hdr[1]);
		return;
	}
	vd->vd_net.vn_gso++;
	if ((hdr[0] & F_NEEDS_CSUM) == 0)
		strict_broken(STRICT_NET_GSO_CSUM, "flags 0x%x", hdr[0]);
	if (le16(hdr + 4) == 0 || len > LONGEST ||
	    part - (hdr[1] == 3 ? 8u : 0u) > 14 + (size_t)vd->vd_net.vn_mtu)
		strict_broken(STRICT_NET_GSO_SIZE, "%u of %zu bytes",
		    le16(hdr + 4), len);
	if (real != 0 && (fake_has(fd, PV_NET_F_GUEST_HDRLEN) ?
	    hdr_len != real : hdr_len < real))
		strict_broken(STRICT_NET_HDR_LEN, "%zu, not %zu", hdr_len,
		    real);
	if (((hdr[1] & 0x80) != 0 || has_cwr(frame, len)) &&
	    !((hdr[1] & 0x80) && fake_has(fd, PV_NET_F_HOST_ECN)))
		strict_broken(STRICT_NET_ECN, "gso_type 0x%x", hdr[1]);
}

static void
judge_sent(struct vdev *vd, const uint8_t *hdr, uint8_t *frame, size_t len)
{
	size_t most = 14 + (size_t)vd->vd_net.vn_mtu;

	if (hdr[1] != 0)
		judge_gso(vd, hdr, frame, len);
	if (hdrlen(vd) >= 12 && le16(hdr + 10) != 0)
		strict_broken(STRICT_NET_NUM_BUFFERS, "%u", le16(hdr + 10));
	if (frame[12] == 0x81 && frame[13] == 0)
		most += 4;
	if (hdr[1] == 0 && fake_has(vd->vd_dev, PV_NET_F_MTU) && len > most)
		strict_broken(STRICT_NET_TX_LONG, "%zu bytes, MTU %u", len,
		    vd->vd_net.vn_mtu);
	judge_flags(vd, hdr, frame, len);
}

static void
take_frame(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	static uint8_t buf[VDEV_MAXFRAME];
	size_t n = hdrlen(vd), len;

	len = fake_chain_read(fc, 0, buf, sizeof(buf));
	if (fc->fc_nin != 0 || len < n + 14)
		strict_broken(STRICT_NET_TX_HEADER, "%zu bytes, %u to write",
		    len, fc->fc_nin);
	else {
		if (queue / 2 >= vd->vd_net.vn_pairs)
			strict_broken(STRICT_NET_QUEUE, "queue %u of %u pairs",
			    queue, vd->vd_net.vn_pairs);
		judge_sent(vd, buf, buf + n, len - n);
		vd->vd_net.vn_sent++;
		if (vd->vd_net.vn_peer != NULL)
			vd->vd_net.vn_peer(vd, buf + n, len - n,
			    vd->vd_net.vn_arg);
	}
	vdev_push(vd, queue, fc, 0);
}

/* Commands. Each returns the bytes of its answer, or -1: it is refused. */

struct order {
	const uint8_t *data;
	size_t len;		/* of the data */
	size_t room;		/* for an answer, without the ack */
	uint8_t answer[512];
};

static int
set_mode(struct vdev *vd, struct order *or, unsigned int command)
{
	vd->vd_net.vn_modes[command] = or->data[0];
	return or->data[0] <= 1 ? 0 : -1;
}

static int
set_macs(struct vdev *vd, struct order *or, unsigned int command)
{
	struct vdev_net *vn = &vd->vd_net;
	uint64_t nuni = 0, nmulti = 0, i, at;
	int good;

	(void)command;
	good = or->len >= 8;
	if (good)
		nuni = wire_get(or->data, 4);
	good = good && or->len >= 8 + nuni * 6;
	if (good)
		nmulti = wire_get(or->data + 4 + nuni * 6, 4);
	good = good && or->len == 8 + (nuni + nmulti) * 6;
	for (i = 0; good && i < nuni + nmulti; i++) {
		at = 4 + i * 6 + (i < nuni ? 0 : 4);
		good = (or->data[at] & 1) == (i >= nuni);
	}
	if (!good) {
		strict_broken(STRICT_NET_MACS, "%zu bytes", or->len);
		return -1;
	}
	vn->vn_nuni = (uint32_t)nuni;
	vn->vn_nmulti = (uint32_t)nmulti;
	return 0;
}

static int
set_mac(struct vdev *vd, struct order *or, unsigned int command)
{
	(void)command;
	memcpy(vd->vd_net.vn_mac, or->data, 6);
	vd->vd_net.vn_macset = 1;
	if (fake_has(vd->vd_dev, PV_NET_F_MAC))
		fake_config_set(vd->vd_dev, 0, or->data, 6);
	return 0;
}

static int
set_vlan(struct vdev *vd, struct order *or, unsigned int command)
{
	unsigned int id = le16(or->data);

	if (id > 4095)
		return -1;
	if (command == 0)
		vd->vd_net.vn_vlans[id / 8] |= (uint8_t)(1u << id % 8);
	else
		vd->vd_net.vn_vlans[id / 8] &= (uint8_t)~(1u << id % 8);
	return 0;
}

static int
acknowledge(struct vdev *vd, struct order *or, unsigned int command)
{
	uint8_t status = vd->vd_dev->fd_config[6] & 1;

	(void)or;
	(void)command;
	vd->vd_net.vn_announce = 0;
	fake_config_set(vd->vd_dev, 6, &status, 1);
	return 0;
}

/* As many pairs as are there, and ready, are used from now on. */
static int
use_pairs(struct vdev *vd, unsigned int pairs)
{
	const struct fake_queue *fq = vd->vd_dev->fd_queues;
	unsigned int i;

	if (pairs == 0 || pairs > vd->vd_net.vn_maxpairs) {
		strict_broken(STRICT_NET_PAIRS, "%u of %u", pairs,
		    vd->vd_net.vn_maxpairs);
		return -1;
	}
	for (i = 0; i < 2 * pairs; i++)
		if (!fq[i].fq_ready) {
			strict_broken(STRICT_NET_QUEUE_BEFORE, "queue %u", i);
			return -1;
		}
	vd->vd_net.vn_pairs = pairs;
	return 0;
}

static int
set_pairs(struct vdev *vd, struct order *or, unsigned int command)
{
	(void)command;
	vd->vd_net.vn_ntable = 0;
	return use_pairs(vd, le16(or->data));
}

static int
key_good(const struct order *or, size_t at)
{
	return or->len > at && or->data[at] <= KEYLEN &&
	    or->len == at + 1 + or->data[at];
}

static int
set_hashes(struct vdev *vd, struct order *or, unsigned int command)
{
	uint32_t types = (uint32_t)wire_get(or->data, 4);

	(void)command;
	if (types & ~HASHES) {
		strict_broken(STRICT_NET_HASH_TYPES, "0x%x", types);
		return -1;
	}
	vd->vd_net.vn_hash_types = types;
	vd->vd_net.vn_hashes = 1;
	return 0;
}

static int
set_hash(struct vdev *vd, struct order *or, unsigned int command)
{
	if (or->len < 13 || !key_good(or, 12) || wire_get(or->data + 4, 8) != 0) {
		strict_broken(STRICT_NET_RSS, "%zu bytes", or->len);
		return -1;
	}
	return set_hashes(vd, or, command);
}

static int
set_rss(struct vdev *vd, struct order *or, unsigned int command)
{
	struct vdev_net *vn = &vd->vd_net;
	size_t n = 0, at, i;
	unsigned int pairs;

	if (or->len >= 8)
		n = (size_t)le16(or->data + 4) + 1;
	at = 8 + 2 * n;
	if (n == 0 || n > TABLELEN || (n & (n - 1)) != 0 || or->len < at + 3 ||
	    !key_good(or, at + 2)) {
		strict_broken(STRICT_NET_RSS, "%zu bytes, table of %zu",
		    or->len, n);
		return -1;
	}
	pairs = le16(or->data + at);
	for (i = 0; i < n; i++) {
		vn->vn_table[i] = le16(or->data + 8 + 2 * i);
		if (vn->vn_table[i] >= vn->vn_maxpairs ||
		    !vd->vd_dev->fd_queues[RXQ(vn->vn_table[i])].fq_ready ||
		    le16(or->data + 6) >= vn->vn_maxpairs) {
			strict_broken(STRICT_NET_RSS, "queue %u of %u",
			    vn->vn_table[i], vn->vn_maxpairs);
			return -1;
		}
	}
	vn->vn_ntable = (unsigned int)n;
	if (set_hashes(vd, or, command) != 0)
		return -1;
	return use_pairs(vd, pairs);
}

static int
set_offloads(struct vdev *vd, struct order *or, unsigned int command)
{
	const uint64_t all = PV_NET_LRO | PV_NET_UDPLRO | N(GUEST_CSUM);
	uint64_t on = wire_get(or->data, 8);

	(void)command;
	if (on & ~(all & vd->vd_dev->fd_accepted)) {
		strict_broken(STRICT_NET_OFFLOADS, "0x%llx",
		    (unsigned long long)on);
		return -1;
	}
	vd->vd_net.vn_offloads = on;
	return 0;
}

static int
coal_queue(struct vdev *vd, unsigned int vq)
{
	if (vq / 2 < vd->vd_net.vn_pairs)
		return 1;
	strict_broken(STRICT_NET_COAL, "queue %u of %u pairs", vq,
	    vd->vd_net.vn_pairs);
	return 0;
}

static int
set_coal(struct vdev *vd, struct order *or, unsigned int command)
{
	const uint8_t *p = or->data + (command == 2 ? 4 : 0);
	unsigned int i, first = command == 2 ? le16(or->data) :
	    command == 0;

	if (command == 2 && !coal_queue(vd, first))
		return -1;
	for (i = first; i < 2 * MAXPAIRS; i += 2) {
		vd->vd_net.vn_coal[i].packets = (uint32_t)wire_get(p, 4);
		vd->vd_net.vn_coal[i].usecs = (uint32_t)wire_get(p + 4, 4);
		if (command == 2)
			break;
	}
	return 0;
}

static int
get_coal(struct vdev *vd, struct order *or, unsigned int command)
{
	unsigned int vq = le16(or->data);

	(void)command;
	if (!coal_queue(vd, vq))
		return -1;
	wire_put(or->answer, 4, vd->vd_net.vn_coal[vq].packets);
	wire_put(or->answer + 4, 4, vd->vd_net.vn_coal[vq].usecs);
	return 8;
}

/* How many values each type of statistic has. */
static unsigned int
stats_values(unsigned int type)
{
	static const uint8_t values[] = { 6, 4, 4, 2, [16] = 6, 2, 6, 2,
	    [32] = 2 };

	return type < sizeof(values) ? values[type] : 0;
}

#define STATS_ALL	0x1000f000full

static int
query_stats(struct vdev *vd, struct order *or, unsigned int command)
{
	(void)command;
	vd->vd_net.vn_queried = 1;
	wire_put(or->answer, 4, (uint32_t)STATS_ALL);
	wire_put(or->answer + 4, 4, STATS_ALL >> 32);
	return 8;
}

/* The types that a queue has, by what was negotiated. */
static uint64_t
stats_types(const struct vdev *vd, unsigned int vq)
{
	const uint64_t f = vd->vd_dev->fd_accepted;
	uint64_t types = 1 | 8 | 1 << 16 | 8 << 16;

	if (vq == ctrlq(vd))
		return 1ull << 32;
	if (f & N(GUEST_CSUM))
		types |= 2;
	if (f & (N(GUEST_TSO4) | N(GUEST_TSO6)))
		types |= 4;
	if (f & N(CSUM))
		types |= 2 << 16;
	if (f & (N(HOST_TSO4) | N(HOST_TSO6) | N(HOST_USO)))
		types |= 4 << 16;
	return vq / 2 >= all_pairs(vd) ? 0 :
	    types & (vq % 2 ? 0xf0000u : 0xfu);
}

static int
get_stats(struct vdev *vd, struct order *or, unsigned int command)
{
	unsigned int vq = le16(or->data), type, i, n = 0, size;
	uint64_t types = wire_get(or->data + 8, 8);
	uint8_t *p = or->answer;

	(void)command;
	if (!vd->vd_net.vn_queried || types == 0 ||
	    (types & ~stats_types(vd, vq)) != 0) {
		strict_broken(STRICT_NET_STATS, "0x%llx of queue %u",
		    (unsigned long long)types, vq);
		return -1;
	}
	for (type = 0; type <= 32; type++) {
		if ((types >> type & 1) == 0)
			continue;
		size = 8 + 8 * stats_values(type);
		memset(p, 0, size);
		p[0] = (uint8_t)type;
		p[2] = (uint8_t)vq;
		p[6] = (uint8_t)size;
		for (i = 0; i < stats_values(type); i++)
			wire_put(p + 8 + 8 * i, 4, type * 100 + i);
		p += size;
		n += size;
	}
	if (n > or->room) {
		strict_broken(STRICT_NET_STATS_ROOM, "%zu of %u bytes",
		    or->room, n);
		return -1;
	}
	return (int)n;
}

#define ANY	0xffff

static const struct command {
	uint8_t class, command;
	uint8_t feature;
	uint16_t len;			/* of its data */
	uint16_t before, after;		/* of what is written around the ack */
	int (*fn)(struct vdev *, struct order *, unsigned int command);
} commands[] = {
	{ 0, 0, PV_NET_F_CTRL_RX, 1, 0, 0, set_mode },
	{ 0, 1, PV_NET_F_CTRL_RX, 1, 0, 0, set_mode },
	{ 0, 2, PV_NET_F_CTRL_RX_EXTRA, 1, 0, 0, set_mode },
	{ 0, 3, PV_NET_F_CTRL_RX_EXTRA, 1, 0, 0, set_mode },
	{ 0, 4, PV_NET_F_CTRL_RX_EXTRA, 1, 0, 0, set_mode },
	{ 0, 5, PV_NET_F_CTRL_RX_EXTRA, 1, 0, 0, set_mode },
	{ 1, 0, PV_NET_F_CTRL_RX, ANY, 0, 0, set_macs },
	{ 1, 1, PV_NET_F_CTRL_MAC_ADDR, 6, 0, 0, set_mac },
	{ 2, 0, PV_NET_F_CTRL_VLAN, 2, 0, 0, set_vlan },
	{ 2, 1, PV_NET_F_CTRL_VLAN, 2, 0, 0, set_vlan },
	{ 3, 0, PV_NET_F_GUEST_ANNOUNCE, 0, 0, 0, acknowledge },
	{ 4, 0, PV_NET_F_MQ, 2, 0, 0, set_pairs },
	{ 4, 1, PV_NET_F_RSS, ANY, 0, 0, set_rss },
	{ 4, 2, PV_NET_F_HASH_REPORT, ANY, 0, 0, set_hash },
	{ 5, 0, PV_NET_F_CTRL_GUEST_OFFLOADS, 8, 0, 0, set_offloads },
	{ 6, 0, PV_NET_F_NOTF_COAL, 8, 0, 0, set_coal },
	{ 6, 1, PV_NET_F_NOTF_COAL, 8, 0, 0, set_coal },
	{ 6, 2, PV_NET_F_VQ_NOTF_COAL, 12, 0, 0, set_coal },
	{ 6, 3, PV_NET_F_VQ_NOTF_COAL, 4, 8, 0, get_coal },
	{ 8, 0, PV_NET_F_DEVICE_STATS, 0, 0, 8, query_stats },
	{ 8, 1, PV_NET_F_DEVICE_STATS, 16, 0, ANY, get_stats },
};

static const struct command *
command_of(const struct vdev *vd, const struct fake_chain *fc,
    const uint8_t *bytes, size_t len)
{
	const struct command *co = commands;
	unsigned int i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++, co++)
		if (len >= 2 && co->class == bytes[0] &&
		    co->command == bytes[1] &&
		    fake_has(vd->vd_dev, co->feature) &&
		    (co->len == ANY || co->len == len - 2) &&
		    (co->after == ANY ? fc->fc_inlen >= 1 :
		    fc->fc_inlen == co->before + 1u + co->after))
			return co;
	strict_broken(STRICT_NET_CTRL, "class %u, command %u, %zu bytes, "
	    "%llu to write", bytes[0], bytes[1], len,
	    (unsigned long long)fc->fc_inlen);
	return NULL;
}

static void
take_command(struct vdev *vd, struct fake_chain *fc)
{
	static struct order or;
	uint8_t bytes[1024] = { 0xff, 0xff }, ack = 1;
	const struct command *co;
	size_t len, before = 0;
	int n = -1;

	len = fake_chain_read(fc, 0, bytes, sizeof(bytes));
	vd->vd_net.vn_commands++;
	co = command_of(vd, fc, bytes, len);
	or.data = bytes + 2;
	or.len = len - 2;
	or.room = (size_t)fc->fc_inlen - 1;
	if (co != NULL)
		n = co->fn(vd, &or, co->command);
	if (n >= 0)
		ack = 0;
	else
		n = 0;
	if (co != NULL)
		before = co->before;
	fake_chain_write(fc, before, &ack, 1);
	fake_chain_write(fc, before > 0 ? 0 : 1, or.answer, (size_t)n);
	vdev_push(vd, ctrlq(vd), fc, (uint32_t)(before + 1 +
	    (before > 0 ? 0 : (size_t)n)));
}

static void
net_take(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	if (queue == ctrlq(vd))
		take_command(vd, fc);
	else
		take_frame(vd, queue, fc);
}

/* The least that a buffer has to hold: Setting Up Receive Buffers. */
static size_t
least(const struct vdev *vd)
{
	unsigned int mtu = fake_has(vd->vd_dev, PV_NET_F_MTU) &&
	    vd->vd_net.vn_mtu > 1500 ? vd->vd_net.vn_mtu : 1500;

	if (merges(vd))
		return hdrlen(vd);
	if (vd->vd_dev->fd_accepted & (PV_NET_LRO | PV_NET_UDPLRO))
		return hdrlen(vd) + LONGEST;
	return hdrlen(vd) + 14 + mtu;
}

static int
good_buffer(struct vdev *vd, const struct fake_chain *fc)
{
	if (fc->fc_nout != 0 || fc->fc_inlen < least(vd)) {
		strict_broken(STRICT_NET_RX_SHORT, "%llu bytes, %u to read",
		    (unsigned long long)fc->fc_inlen, fc->fc_nout);
		return 0;
	}
	if (vdev_has(vd, Q_RX_WEDGE) &&
	    fc->fc_inlen < 12 + 14 + 4 + (size_t)vd->vd_net.vn_mtu) {
		port_violation("a receive buffer of %llu bytes wedges this "
		    "device", (unsigned long long)fc->fc_inlen);
		vd->vd_net.vn_wedged = 1;
		return 0;
	}
	return 1;
}

static void
make_header(struct vdev *vd, uint8_t *hdr, unsigned int flags)
{
	memset(hdr, 0, 20);
	hdr[0] = (uint8_t)flags;
	hdr[1] = vd->vd_net.vn_as.gso_type;
	hdr[4] = (uint8_t)vd->vd_net.vn_as.gso_size;
	hdr[5] = (uint8_t)(vd->vd_net.vn_as.gso_size >> 8);
	if (fake_has(vd->vd_dev, PV_NET_F_HASH_REPORT)) {
		wire_put(hdr + 12, 4, vd->vd_net.vn_as.hash);
		hdr[16] = (uint8_t)vd->vd_net.vn_as.hash_type;
	}
	if (!vd->vd_dev->fd_strict)
		return;
	/* Not to be relied on, or not known to anybody yet. */
	hdr[0] |= 0x80;
	hdr[2] = (uint8_t)vdev_random(vd, 256);
	hdr[3] = (uint8_t)vdev_random(vd, 256);
	if ((flags & F_NEEDS_CSUM) == 0)
		memset(hdr + 6, 0xff, 4);
}

static int
receives(const struct vdev *vd, unsigned int queue)
{
	const struct fake_dev *fd = vd->vd_dev;

	return !fd->fd_gone && queue / 2 < vd->vd_net.vn_pairs &&
	    fd->fd_queues[queue].fq_ready &&
	    !(fd->fd_status & PV_STATUS_NEEDS_RESET) &&
	    (fd->fd_status & PV_STATUS_DRIVER_OK);
}

/*
 * Buffers for so many bytes, as far as there are any. Returns how many, with
 * their bytes in *have; -1 if one is not as it has to be, and was given back.
 */
static int
take_buffers(struct vdev *vd, unsigned int queue, uint64_t total,
    struct fake_chain *fc, uint64_t *have)
{
	struct fake_dev *fd = vd->vd_dev;
	int count = 0;

	*have = 0;
	while (*have < total && count < MAXMERGED) {
		if (fake_available(fd, queue) == 0 ||
		    !fake_pop(fd, queue, &fc[count]))
			break;
		if (fc[count].fc_bad || !good_buffer(vd, &fc[count])) {
			vdev_push(vd, queue, &fc[count], 0);
			vdev_flush(vd);
			return -1;
		}
		*have += fc[count++].fc_inlen;
		if (!merges(vd))
			break;
	}
	return count;
}

int
vdev_net_deliver(struct vdev *vd, const uint8_t *frame, size_t len,
    unsigned int flags)
{
	static uint8_t buf[VDEV_MAXFRAME + 20];
	static struct fake_chain fc[MAXMERGED];
	const unsigned int queue = RXQ(vd->vd_net.vn_as.queue);
	size_t n = hdrlen(vd);
	uint64_t have, total = len + n, done = 0, part;
	int i, count;
	uint16_t num;

	if (!receives(vd, queue))
		return 0;
	count = take_buffers(vd, queue, total, fc, &have);
	if (count < 0)
		return 0;
	make_header(vd, buf, flags);
	memcpy(buf + n, frame, len);
	if (have < total)
		total = have;		/* what fits, as some do */
	num = wire16((uint16_t)count);
	if (n >= 12)
		memcpy(buf + 10, &num, 2);
	for (i = 0; i < count; i++) {
		part = fc[i].fc_inlen < total - done ? fc[i].fc_inlen :
		    total - done;
		fake_chain_write(&fc[i], 0, buf + done, (size_t)part);
		vdev_push(vd, queue, &fc[i], (uint32_t)part);
		done += part;
	}
	vdev_flush(vd);
	vd->vd_net.vn_delivered += count != 0;
	return count != 0;
}

void
vdev_net_link(struct vdev *vd, int up)
{
	uint16_t status = wire16((uint16_t)((up != 0) |
	    (vd->vd_net.vn_announce ? 2 : 0)));

	fake_config_change(vd->vd_dev, 6, &status, 2);
}

void
vdev_net_told(struct vdev *vd, const uint8_t *mac, int link)
{
	struct fake_dev *fd = vd->vd_dev;
	int up = !fake_has(fd, PV_NET_F_STATUS) || (fd->fd_config[6] & 1);

	if (fake_has(fd, PV_NET_F_CTRL_MAC_ADDR) && memcmp(mac,
	    vd->vd_net.vn_macset ? vd->vd_net.vn_mac : fd->fd_config, 6) != 0) {
		strict_broken(STRICT_NET_MAC_SET, "%02x:..:%02x", mac[0],
		    mac[5]);
		return;
	}
	if (fake_has(fd, PV_NET_F_MAC)) {
		if (memcmp(mac, fd->fd_config, 6) != 0)
			strict_broken(STRICT_NET_MAC, "%02x:..:%02x", mac[0],
			    mac[5]);
	} else if ((mac[0] & 3) != 2)
		strict_broken(STRICT_NET_MAC_LOCAL, "%02x:..:%02x", mac[0],
		    mac[5]);
	if (link != up)
		strict_broken(STRICT_NET_LINK, "%d", link);
}

void
vdev_net_got(struct vdev *vd, int arrived, unsigned int flags,
    unsigned int hdr_flags)
{
	(void)vd;
	if (!arrived)
		strict_broken(STRICT_NET_RX_LOST, "flags 0x%x", hdr_flags);
	else if (((flags & PV_NET_RX_CSUM_VALID) &&
	    !(hdr_flags & F_DATA_VALID)) || ((flags & PV_NET_RX_CSUM_PARTIAL) &&
	    !(hdr_flags & F_NEEDS_CSUM)))
		strict_broken(STRICT_NET_RX_CSUM, "0x%x of 0x%x", flags,
		    hdr_flags);
}

void
vdev_net_announce(struct vdev *vd)
{
	vd->vd_net.vn_announce = 1;
	vdev_net_link(vd, vd->vd_dev->fd_config[6] & 1);
}

void
vdev_net_announced(struct vdev *vd, unsigned int sent)
{
	if (sent == 0 || vd->vd_net.vn_announce)
		strict_broken(STRICT_NET_ANNOUNCE, "%u sent%s", sent,
		    vd->vd_net.vn_announce ? ", not acknowledged" : "");
}

void
vdev_net_filled(struct vdev *vd)
{
	unsigned int i;

	for (i = 0; i < vd->vd_net.vn_pairs; i++)
		if (fake_available(vd->vd_dev, RXQ(i)) == 0)
			strict_broken(STRICT_NET_QUEUE_BEFORE,
			    "no buffer on queue %u", RXQ(i));
}

void
vdev_net_speed(struct vdev *vd, uint32_t mbit, uint8_t duplex)
{
	const uint8_t *p = vd->vd_dev->fd_config + 12;
	uint32_t speed = (uint32_t)wire_get(p, 4);

	if (!fake_has(vd->vd_dev, PV_NET_F_SPEED_DUPLEX) ||
	    speed > 0x7fffffff)
		speed = 0;
	if (mbit != speed || (duplex > 1 && duplex != 0xff) ||
	    (fake_has(vd->vd_dev, PV_NET_F_SPEED_DUPLEX) && p[4] > 1 &&
	    duplex != 0xff))
		strict_broken(STRICT_NET_SPEED, "%u, %u", mbit, duplex);
}

void
vdev_net_hinted(struct vdev *vd, unsigned int hdr_len, size_t len)
{
	(void)vd;
	if (hdr_len > len)
		strict_broken(STRICT_NET_HDR_HINT, "%u of %zu", hdr_len, len);
}

void
vdev_net_coal(struct vdev *vd, int error, int taken)
{
	(void)vd;
	if (error && taken)
		strict_broken(STRICT_NET_COAL_ERROR, "error %d", error);
}

const struct vdev_type vdev_net_type = {
	.vt_type = PV_TYPE_NET,
	.vt_queues = 2 * MAXPAIRS + 1,
	.vt_waits = net_waits,
	.vt_known = N(CSUM) | N(GUEST_CSUM) | N(CTRL_GUEST_OFFLOADS) | N(MTU) |
	    N(MAC) | N(GUEST_TSO4) | N(GUEST_TSO6) | N(GUEST_ECN) |
	    N(GUEST_UFO) | N(HOST_TSO4) | N(HOST_TSO6) | N(HOST_ECN) |
	    N(HOST_UFO) | N(MRG_RXBUF) | N(STATUS) | N(CTRL_VQ) | N(CTRL_RX) |
	    N(CTRL_VLAN) | N(CTRL_RX_EXTRA) | N(GUEST_ANNOUNCE) | N(MQ) |
	    N(CTRL_MAC_ADDR) | N(DEVICE_STATS) | N(VQ_NOTF_COAL) |
	    N(NOTF_COAL) | N(GUEST_USO4) | N(GUEST_USO6) | N(HOST_USO) |
	    N(HASH_REPORT) | N(GUEST_HDRLEN) | N(RSS) | N(SPEED_DUPLEX),
	.vt_should = N(MAC) | N(MTU),
	.vt_fields = fields,
	.vt_nfields = sizeof(fields) / sizeof(fields[0]),
	.vt_depends = depends,
	.vt_ndepends = sizeof(depends) / sizeof(depends[0]),
	.vt_init = net_init,
	.vt_take = net_take,
	.vt_reset = net_reset,
};
