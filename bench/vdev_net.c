/* SPDX-License-Identifier: ISC */
/*
 * A network device: what it sends is the peer's to look at, what the peer sends
 * goes into the buffers that are posted.
 */
#include <string.h>

#include "vdev.h"
#include "wire.h"

#define RXQ	0
#define TXQ	1
#define CTRLQ	2

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
	{ PV_NET_F_HASH_REPORT, N(CTRL_VQ), 0 },
	{ PV_NET_F_RSS, N(CTRL_VQ), 0 },
	{ PV_NET_F_RSC_EXT, 0, N(HOST_TSO4) | N(HOST_TSO6) },
};

static const struct fake_field fields[] = {
	{ 0, 1, 6, 0, PV_NET_F_MAC },
	{ 6, 2, 1, 0, PV_NET_F_STATUS },
	{ 8, 2, 1, 0, PV_NET_F_MQ },
	{ 10, 2, 1, 0, PV_NET_F_MTU },
	{ 12, 4, 1, 0, PV_NET_F_SPEED_DUPLEX },
	{ 16, 1, 1, 0, PV_NET_F_SPEED_DUPLEX },
};

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
	fd->fd_configlen = 24;
	fd->fd_features &= ~N(STANDBY);
	if (vdev_has(vd, Q_NO_MRG))
		fd->fd_features &= ~N(MRG_RXBUF);
	if (vdev_has(vd, Q_NO_CTRL))
		fd->fd_features &= ~(N(CTRL_VQ) | N(CTRL_RX) | N(CTRL_VLAN) |
		    N(CTRL_RX_EXTRA) | N(CTRL_GUEST_OFFLOADS) |
		    N(GUEST_ANNOUNCE) | N(MQ) | N(CTRL_MAC_ADDR) |
		    N(NOTF_COAL) | N(VQ_NOTF_COAL) | N(HASH_REPORT) | N(RSS));
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
	return !vd->vd_dev->fd_legacy || merges(vd) ? 12 : 10;
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

static void
judge_sent(struct vdev *vd, const uint8_t *hdr, uint8_t *frame, size_t len)
{
	size_t most = 14 + (size_t)vd->vd_net.vn_mtu;

	if (hdr[1] != 0)
		strict_broken(STRICT_NET_GSO, "gso_type 0x%x", hdr[1]);
	if (hdrlen(vd) == 12 && le16(hdr + 10) != 0)
		strict_broken(STRICT_NET_NUM_BUFFERS, "%u", le16(hdr + 10));
	if (frame[12] == 0x81 && frame[13] == 0)
		most += 4;
	if (hdr[1] == 0 && fake_has(vd->vd_dev, PV_NET_F_MTU) && len > most)
		strict_broken(STRICT_NET_TX_LONG, "%zu bytes, MTU %u", len,
		    vd->vd_net.vn_mtu);
	judge_flags(vd, hdr, frame, len);
}

static void
take_frame(struct vdev *vd, struct fake_chain *fc)
{
	static uint8_t buf[VDEV_MAXFRAME];
	size_t n = hdrlen(vd), len;

	len = fake_chain_read(fc, 0, buf, sizeof(buf));
	if (fc->fc_nin != 0 || len < n + 14)
		strict_broken(STRICT_NET_TX_HEADER, "%zu bytes, %u to write",
		    len, fc->fc_nin);
	else {
		judge_sent(vd, buf, buf + n, len - n);
		vd->vd_net.vn_sent++;
		if (vd->vd_net.vn_peer != NULL)
			vd->vd_net.vn_peer(vd, buf + n, len - n,
			    vd->vd_net.vn_arg);
	}
	vdev_push(vd, TXQ, fc, 0);
}

static void
take_command(struct vdev *vd, struct fake_chain *fc)
{
	const struct fake_dev *fd = vd->vd_dev;
	uint8_t cmd[8] = { 0xff, 0xff, 0 }, ack = 0;
	size_t len;

	len = fake_chain_read(fc, 0, cmd, sizeof(cmd));
	vd->vd_net.vn_commands++;
	if (len == 8 && fc->fc_inlen == 1 && cmd[0] == 1 && cmd[1] == 1 &&
	    fake_has(fd, PV_NET_F_CTRL_MAC_ADDR))
		memcpy(vd->vd_net.vn_mac, cmd + 2, 6);
	else if (len != 3 || fc->fc_inlen != 1 || cmd[0] != 0 || cmd[1] > 1 ||
	    !fake_has(fd, PV_NET_F_CTRL_RX)) {
		strict_broken(STRICT_NET_CTRL, "class %u, command %u, %zu "
		    "bytes", cmd[0], cmd[1], len);
		ack = 1;
	} else if (cmd[1] == 0)
		vd->vd_net.vn_promisc = cmd[2];
	else
		vd->vd_net.vn_allmulti = cmd[2];
	fake_chain_write(fc, 0, &ack, 1);
	vdev_push(vd, CTRLQ, fc, 1);
}

static void
net_take(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	if (queue == TXQ)
		take_frame(vd, fc);
	else
		take_command(vd, fc);
}

/* The least that a buffer has to hold: Setting Up Receive Buffers. */
static size_t
least(const struct vdev *vd)
{
	unsigned int mtu = fake_has(vd->vd_dev, PV_NET_F_MTU) &&
	    vd->vd_net.vn_mtu > 1500 ? vd->vd_net.vn_mtu : 1500;

	return merges(vd) ? 12 : hdrlen(vd) + 14 + mtu;
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
	memset(hdr, 0, 12);
	hdr[0] = (uint8_t)flags;
	if (!vd->vd_dev->fd_strict)
		return;
	/* Not to be relied on, or not known to anybody yet. */
	hdr[0] |= 0x80;
	hdr[2] = (uint8_t)vdev_random(vd, 256);
	hdr[3] = (uint8_t)vdev_random(vd, 256);
	if ((flags & F_NEEDS_CSUM) == 0)
		memset(hdr + 6, 0xff, 4);
}

int
vdev_net_deliver(struct vdev *vd, const uint8_t *frame, size_t len,
    unsigned int flags)
{
	static uint8_t buf[VDEV_MAXFRAME + 12];
	static struct fake_chain fc[64];
	struct fake_dev *fd = vd->vd_dev;
	size_t n = hdrlen(vd);
	uint64_t have = 0, total = len + n, done = 0, part;
	unsigned int i, count = 0;
	uint16_t num;

	if (fd->fd_gone || !fd->fd_queues[RXQ].fq_ready ||
	    (fd->fd_status & PV_STATUS_NEEDS_RESET) ||
	    !(fd->fd_status & PV_STATUS_DRIVER_OK))
		return 0;
	while (have < total && count < 64) {
		if (fake_available(fd, RXQ) == 0 ||
		    !fake_pop(fd, RXQ, &fc[count]))
			break;
		if (fc[count].fc_bad || !good_buffer(vd, &fc[count])) {
			vdev_push(vd, RXQ, &fc[count], 0);
			vdev_flush(vd);
			return 0;
		}
		have += fc[count++].fc_inlen;
		if (!merges(vd))
			break;
	}
	make_header(vd, buf, flags);
	memcpy(buf + n, frame, len);
	if (have < total)
		total = have;		/* what fits, as some do */
	num = wire16((uint16_t)count);
	if (n == 12)
		memcpy(buf + 10, &num, 2);
	for (i = 0; i < count; i++) {
		part = fc[i].fc_inlen < total - done ? fc[i].fc_inlen :
		    total - done;
		fake_chain_write(&fc[i], 0, buf + done, (size_t)part);
		vdev_push(vd, RXQ, &fc[i], (uint32_t)part);
		done += part;
	}
	vdev_flush(vd);
	vd->vd_net.vn_delivered += count != 0;
	return count != 0;
}

void
vdev_net_link(struct vdev *vd, int up)
{
	uint16_t status = wire16((uint16_t)(up != 0));

	fake_config_change(vd->vd_dev, 6, &status, 2);
}

void
vdev_net_told(struct vdev *vd, const uint8_t *mac, int link)
{
	struct fake_dev *fd = vd->vd_dev;
	int up = !fake_has(fd, PV_NET_F_STATUS) || (fd->fd_config[6] & 1);

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

const struct vdev_type vdev_net_type = {
	.vt_type = PV_TYPE_NET,
	.vt_queues = 3,
	.vt_fills = 1,
	.vt_known = N(CSUM) | N(GUEST_CSUM) | N(CTRL_GUEST_OFFLOADS) | N(MTU) |
	    N(MAC) | N(GUEST_TSO4) | N(GUEST_TSO6) | N(GUEST_ECN) |
	    N(GUEST_UFO) | N(HOST_TSO4) | N(HOST_TSO6) | N(HOST_ECN) |
	    N(HOST_UFO) | N(MRG_RXBUF) | N(STATUS) | N(CTRL_VQ) | N(CTRL_RX) |
	    N(CTRL_VLAN) | N(CTRL_RX_EXTRA) | N(GUEST_ANNOUNCE) | N(MQ) |
	    N(CTRL_MAC_ADDR) | N(SPEED_DUPLEX),
	.vt_should = N(MAC) | N(MTU),
	.vt_fields = fields,
	.vt_nfields = sizeof(fields) / sizeof(fields[0]),
	.vt_depends = depends,
	.vt_ndepends = sizeof(depends) / sizeof(depends[0]),
	.vt_init = net_init,
	.vt_take = net_take,
};
