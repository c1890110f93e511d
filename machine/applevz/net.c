/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple's network device. It insists on VIRTIO_NET_F_MTU, knows no merged
 * receive buffers, no control queue and one pair of queues; a header of 12
 * bytes stands before every frame both ways, and frames are not padded. A
 * receive buffer below 1530 bytes wedges the whole device. The checksums and
 * the segmentation that it offers it does itself, whatever it is connected to.
 */

#include "qemu/osdep.h"
#include "hw/applevz/virtio.h"
#include "hw/qdev-properties.h"
#include "net/checksum.h"
#include "net/net.h"
#include "qapi/error.h"
#include "qemu/iov.h"
#include "qemu/timer.h"
#include "standard-headers/linux/virtio_ids.h"
#include "standard-headers/linux/virtio_net.h"

#define TYPE_APPLEVZ_NET	"applevz-net-device"
OBJECT_DECLARE_SIMPLE_TYPE(AppleVZNet, APPLEVZ_NET)

#define HEADER		12
#define CONFIG_SIZE	17
#define QUEUE_SIZE	256
#define RX_MINIMUM	1530
#define FRAME_MAX	(14 + 4 + 65535)
#define BURST		64	/* frames, before a doze */

/* CSUM to STATUS of the mask 0x5300119ab. */
#define OFFERED		0x119abULL
#define TSO		(APPLEVZ_BIT(VIRTIO_NET_F_GUEST_TSO4) |		\
	APPLEVZ_BIT(VIRTIO_NET_F_GUEST_TSO6) |				\
	APPLEVZ_BIT(VIRTIO_NET_F_HOST_TSO4) |				\
	APPLEVZ_BIT(VIRTIO_NET_F_HOST_TSO6))

struct AppleVZNet {
	VirtIODevice an_vdev;
	NICState *an_nic;
	NICConf an_conf;
	VirtQueue *an_rx;
	VirtQueue *an_tx;
	QEMUTimer *an_timer;
	bool an_wedged;
	bool an_link;
	uint32_t an_frames;		/* since the last doze */
	uint8_t an_frame[HEADER + FRAME_MAX + 65536];
	uint8_t an_piece[FRAME_MAX];

	/* options */
	uint32_t an_mtu;
	uint32_t an_rx_minimum;
	uint32_t an_doze_ms;
	bool an_tso_lenient;
};

static bool
has(AppleVZNet *n, int feature)
{
	return virtio_vdev_has_feature(&n->an_vdev, feature);
}

static bool
runs(AppleVZNet *n)
{
	return n->an_vdev.vm_running && !n->an_wedged && !n->an_vdev.broken &&
	    n->an_vdev.status & VIRTIO_CONFIG_S_DRIVER_OK &&
	    !timer_pending(n->an_timer);
}

static void
wedge(AppleVZNet *n, const char *fmt, size_t size)
{
	g_autofree char *why = g_strdup_printf(fmt, size);

	applevz_violation("net", "%s: the device is wedged", why);
	n->an_wedged = true;
}

/*
 * On record for MTUs above 1500 under bulk load: the whole device stands
 * still for a while, and goes on by itself.
 */
static void
count_frame(AppleVZNet *n)
{
	if (n->an_doze_ms == 0 || n->an_mtu <= 1500 || ++n->an_frames < BURST)
		return;
	n->an_frames = 0;
	timer_mod(n->an_timer,
	    qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + n->an_doze_ms);
}

/* Transmission. */

static uint16_t
fold(uint32_t sum)
{
	return net_checksum_finish(sum);
}

/* The TCP checksum of a whole segment, over its pseudo header. */
static void
checksum_tcp(uint8_t *ip, bool v6, uint8_t *tcp, int length)
{
	uint32_t sum;

	stw_be_p(tcp + 16, 0);
	sum = net_checksum_add(length, tcp) + IPPROTO_TCP + length;
	sum += v6 ? net_checksum_add(32, ip + 8) : net_checksum_add(8, ip + 12);
	stw_be_p(tcp + 16, fold(sum));
}

struct segment {
	uint8_t *sg_frame;
	size_t sg_length;
	size_t sg_ip;			/* where the headers begin */
	size_t sg_tcp;
	size_t sg_data;
	bool sg_v6;
};

static bool
segment_parse(struct segment *sg)
{
	uint8_t *f = sg->sg_frame;
	uint16_t type;

	if (sg->sg_length < 18)
		return false;
	sg->sg_ip = lduw_be_p(f + 12) == 0x8100 ? 18 : 14;
	type = lduw_be_p(f + sg->sg_ip - 2);
	sg->sg_v6 = type == 0x86dd;
	if (sg->sg_length < sg->sg_ip + 40 + 20 - (sg->sg_v6 ? 0 : 20))
		return false;
	if (sg->sg_v6) {
		if (f[sg->sg_ip + 6] != IPPROTO_TCP)
			return false;
		sg->sg_tcp = sg->sg_ip + 40;
	} else {
		if (type != 0x0800 || f[sg->sg_ip + 9] != IPPROTO_TCP)
			return false;
		sg->sg_tcp = sg->sg_ip + (f[sg->sg_ip] & 15) * 4;
	}
	if (sg->sg_tcp + 20 > sg->sg_length)
		return false;
	sg->sg_data = sg->sg_tcp + (f[sg->sg_tcp + 12] >> 4) * 4;
	return sg->sg_data >= sg->sg_tcp + 20 && sg->sg_data <= sg->sg_length;
}

/* One piece of a segment: its headers with what differs, its data. */
static void
segment_send(AppleVZNet *n, struct segment *sg, size_t at, size_t length,
    int number, bool last)
{
	uint8_t *p = n->an_piece, *ip = p + sg->sg_ip, *tcp = p + sg->sg_tcp;
	size_t whole = sg->sg_data + length;

	memcpy(p, sg->sg_frame, sg->sg_data);
	memcpy(p + sg->sg_data, sg->sg_frame + sg->sg_data + at, length);
	if (sg->sg_v6) {
		stw_be_p(ip + 4, whole - sg->sg_tcp);
	} else {
		stw_be_p(ip + 2, whole - sg->sg_ip);
		stw_be_p(ip + 4, lduw_be_p(ip + 4) + number);
		stw_be_p(ip + 10, 0);
		stw_be_p(ip + 10, net_raw_checksum(ip, sg->sg_tcp - sg->sg_ip));
	}
	stl_be_p(tcp + 4, ldl_be_p(tcp + 4) + at);
	if (!last)
		tcp[13] &= ~0x09;	/* FIN, PSH */
	if (number > 0)
		tcp[13] &= ~0x80;	/* CWR */
	checksum_tcp(ip, sg->sg_v6, tcp, whole - sg->sg_tcp);
	qemu_send_packet(qemu_get_queue(n->an_nic), p, whole);
}

static void
send_segments(AppleVZNet *n, uint8_t *frame, size_t length, size_t size)
{
	struct segment sg = { .sg_frame = frame, .sg_length = length };
	size_t at = 0, left;
	int number = 0;

	if (size == 0 || !segment_parse(&sg) ||
	    sg.sg_data + size > sizeof(n->an_piece)) {
		applevz_violation("net", "a segment of %zu bytes cannot be cut"
		    " into pieces of %zu", length, size);
		return;
	}
	left = length - sg.sg_data;
	do {
		size_t piece = MIN(size, left);

		segment_send(n, &sg, at, piece, number++, piece == left);
		at += piece;
		left -= piece;
	} while (left > 0);
}

static void
send_checksummed(AppleVZNet *n, uint8_t *frame, size_t length, size_t start,
    size_t offset)
{
	if (start > length || offset + 2 > length - start) {
		applevz_violation("net", "a checksum at %zu + %zu of a frame of"
		    " %zu bytes", start, offset, length);
		return;
	}
	stw_be_p(frame + start + offset,
	    net_checksum_finish_nozero(net_checksum_add(length - start,
	    frame + start)));
	qemu_send_packet(qemu_get_queue(n->an_nic), frame, length);
}

static void
check_header(AppleVZNet *n, const struct virtio_net_hdr *h, size_t length)
{
	int type = h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

	if (h->flags & ~VIRTIO_NET_HDR_F_NEEDS_CSUM)
		applevz_violation("net", "flags 0x%x in a header that is sent",
		    h->flags);
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	    !has(n, VIRTIO_NET_F_CSUM))
		applevz_violation("net", "NEEDS_CSUM, and CSUM was not agreed"
		    " on");
	if ((type == VIRTIO_NET_HDR_GSO_TCPV4 &&
	    !has(n, VIRTIO_NET_F_HOST_TSO4)) ||
	    (type == VIRTIO_NET_HDR_GSO_TCPV6 &&
	    !has(n, VIRTIO_NET_F_HOST_TSO6)))
		applevz_violation("net", "a segment of type %d, which was not"
		    " agreed on", type);
	if (type == VIRTIO_NET_HDR_GSO_NONE && length > n->an_mtu + 18)
		applevz_violation("net", "a frame of %zu bytes above the MTU"
		    " of %u", length, n->an_mtu);
}

static void
send_chain(AppleVZNet *n, VirtQueueElement *elem)
{
	uint8_t *frame = n->an_frame + HEADER;
	struct virtio_net_hdr *h = (struct virtio_net_hdr *)n->an_frame;
	size_t length = iov_size(elem->out_sg, elem->out_num);
	int type;

	if (length < HEADER + 14 || length > sizeof(n->an_frame)) {
		wedge(n, "a chain of %zu bytes to send", length);
		return;
	}
	iov_to_buf(elem->out_sg, elem->out_num, 0, n->an_frame, length);
	length -= HEADER;
	check_header(n, h, length);
	type = h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	if (type == VIRTIO_NET_HDR_GSO_TCPV4 ||
	    type == VIRTIO_NET_HDR_GSO_TCPV6)
		send_segments(n, frame, length, lduw_le_p(&h->gso_size));
	else if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		send_checksummed(n, frame, length, lduw_le_p(&h->csum_start),
		    lduw_le_p(&h->csum_offset));
	else
		qemu_send_packet(qemu_get_queue(n->an_nic), frame, length);
}

static void
transmit(VirtIODevice *vdev, VirtQueue *vq)
{
	AppleVZNet *n = APPLEVZ_NET(vdev);
	VirtQueueElement *elem;
	int done = 0;

	virtio_queue_set_notification(vq, 0);
	for (;;) {
		while (runs(n) && (elem = virtqueue_pop(vq, sizeof(*elem)))) {
			send_chain(n, elem);
			virtqueue_push(vq, elem, 0);
			g_free(elem);
			count_frame(n);
			done++;
		}
		virtio_queue_set_notification(vq, 1);
		if (!runs(n) || virtio_queue_empty(vq))
			break;
		virtio_queue_set_notification(vq, 0);
	}
	if (done)
		virtio_notify(vdev, vq);
}

/* Reception. */

static void
posted(VirtIODevice *vdev, VirtQueue *vq)
{
	qemu_flush_queued_packets(qemu_get_queue(APPLEVZ_NET(vdev)->an_nic));
}

static bool
can_receive(NetClientState *nc)
{
	return runs(qemu_get_nic_opaque(nc));
}

static bool
buffer_good(AppleVZNet *n, size_t size, size_t frame)
{
	if (size < n->an_rx_minimum) {
		wedge(n, "a receive buffer of %zu bytes", size);
		return false;
	}
	if (size < HEADER + 18 + n->an_mtu)
		applevz_violation("net", "a receive buffer of %zu bytes, and an"
		    " MTU of %u", size, n->an_mtu);
	if (has(n, VIRTIO_NET_F_GUEST_TSO4) && size < 65550 + HEADER)
		applevz_violation("net", "a receive buffer of %zu bytes, with"
		    " GUEST_TSO4 and without MRG_RXBUF", size);
	if (frame + HEADER > size) {
		applevz_violation("net", "a frame of %zu bytes is lost in a"
		    " receive buffer of %zu", frame, size);
		return false;
	}
	return true;
}

static ssize_t
receive(NetClientState *nc, const uint8_t *frame, size_t length)
{
	AppleVZNet *n = qemu_get_nic_opaque(nc);
	uint8_t header[HEADER] = { [10] = 1 };	/* num_buffers */
	VirtQueueElement *elem;
	size_t written = 0;

	if (!runs(n))
		return 0;
	elem = virtqueue_pop(n->an_rx, sizeof(*elem));
	if (elem == NULL) {
		virtio_queue_set_notification(n->an_rx, 1);
		elem = virtqueue_pop(n->an_rx, sizeof(*elem));
		if (elem == NULL)
			return 0;
	}
	if (buffer_good(n, iov_size(elem->in_sg, elem->in_num), length)) {
		iov_from_buf(elem->in_sg, elem->in_num, 0, header, HEADER);
		iov_from_buf(elem->in_sg, elem->in_num, HEADER, frame, length);
		written = HEADER + length;
	}
	if (written == 0) {
		virtqueue_unpop(n->an_rx, elem, 0);
	} else {
		virtqueue_push(n->an_rx, elem, written);
		virtio_notify(&n->an_vdev, n->an_rx);
		count_frame(n);
	}
	g_free(elem);
	return length;
}

static void
link_changed(NetClientState *nc)
{
	AppleVZNet *n = qemu_get_nic_opaque(nc);

	n->an_link = !nc->link_down;
	virtio_notify_config(&n->an_vdev);
}

static NetClientInfo net_info = {
	.type = NET_CLIENT_DRIVER_NIC,
	.size = sizeof(NICState),
	.can_receive = can_receive,
	.receive = receive,
	.link_status_changed = link_changed,
};

static void
doze_ends(void *opaque)
{
	AppleVZNet *n = opaque;

	transmit(&n->an_vdev, n->an_tx);
	posted(&n->an_vdev, n->an_rx);
}

/* The device. */

static uint64_t
net_features(VirtIODevice *vdev, uint64_t features, Error **errp)
{
	return features | OFFERED;
}

static void
net_config(VirtIODevice *vdev, uint8_t *config)
{
	AppleVZNet *n = APPLEVZ_NET(vdev);

	memset(config, 0, CONFIG_SIZE);
	memcpy(config, n->an_conf.macaddr.a, 6);
	stw_le_p(config + 6, n->an_link ? VIRTIO_NET_S_LINK_UP : 0);
	stw_le_p(config + 10, n->an_mtu);
}

static void
net_reset(VirtIODevice *vdev)
{
	AppleVZNet *n = APPLEVZ_NET(vdev);

	n->an_wedged = false;
	n->an_frames = 0;
	timer_del(n->an_timer);
	qemu_flush_or_purge_queued_packets(qemu_get_queue(n->an_nic), true);
}

static void
net_status(VirtIODevice *vdev, uint8_t status)
{
	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		posted(vdev, APPLEVZ_NET(vdev)->an_rx);
}

static void
net_realize(DeviceState *dev, Error **errp)
{
	AppleVZNet *n = APPLEVZ_NET(dev);

	if (n->an_mtu < 1500 || n->an_mtu > 65535) {
		error_setg(errp, "mtu is 1500 to 65535");
		return;
	}
	virtio_init(&n->an_vdev, VIRTIO_ID_NET, CONFIG_SIZE);
	n->an_rx = virtio_add_queue(&n->an_vdev, QUEUE_SIZE, posted);
	n->an_tx = virtio_add_queue(&n->an_vdev, QUEUE_SIZE, transmit);
	n->an_timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, doze_ends, n);
	n->an_link = true;
	qemu_macaddr_default_if_unset(&n->an_conf.macaddr);
	n->an_nic = qemu_new_nic(&net_info, &n->an_conf, "applevz-net",
	    dev->id ? dev->id : "net", &dev->mem_reentrancy_guard, n);
	/* Short frames stay as they are. */
	qemu_get_queue(n->an_nic)->do_not_pad = true;
	qemu_format_nic_info_str(qemu_get_queue(n->an_nic),
	    n->an_conf.macaddr.a);
}

static void
net_unrealize(DeviceState *dev)
{
	AppleVZNet *n = APPLEVZ_NET(dev);

	qemu_del_nic(n->an_nic);
	timer_free(n->an_timer);
	virtio_delete_queue(n->an_rx);
	virtio_delete_queue(n->an_tx);
	virtio_cleanup(&n->an_vdev);
}

static Property net_properties[] = {
	DEFINE_NIC_PROPERTIES(AppleVZNet, an_conf),
	DEFINE_PROP_UINT32("mtu", AppleVZNet, an_mtu, 1500),
	DEFINE_PROP_UINT32("rx-minimum", AppleVZNet, an_rx_minimum, RX_MINIMUM),
	DEFINE_PROP_UINT32("doze-ms", AppleVZNet, an_doze_ms, 0),
	DEFINE_PROP_BOOL("tso-lenient", AppleVZNet, an_tso_lenient, false),
	DEFINE_PROP_END_OF_LIST(),
};

static void
net_device_class(ObjectClass *oc, void *data)
{
	VirtioDeviceClass *vc = VIRTIO_DEVICE_CLASS(oc);

	device_class_set_props(DEVICE_CLASS(oc), net_properties);
	vc->realize = net_realize;
	vc->unrealize = net_unrealize;
	vc->get_features = net_features;
	vc->get_config = net_config;
	vc->reset = net_reset;
	vc->set_status = net_status;
}

static const char *
net_refuse(VirtIODevice *vdev, uint64_t features)
{
	AppleVZNet *n = APPLEVZ_NET(vdev);

	if (!(features & APPLEVZ_BIT(VIRTIO_NET_F_MTU)))
		return "MTU was not accepted";
	if (features & TSO && (features & TSO) != TSO && !n->an_tso_lenient)
		return "of the four TSO features, all or none";
	return NULL;
}

static void
net_pci_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "net";
	c->vc_device = TYPE_APPLEVZ_NET;
	c->vc_class = 0x0200;
	c->vc_vectors = 3;
	c->vc_features = OFFERED;
	c->vc_refuse = net_refuse;
	set_bit(DEVICE_CATEGORY_NETWORK, DEVICE_CLASS(oc)->categories);
}

static const TypeInfo net_types[] = {
	{
		.name = TYPE_APPLEVZ_NET,
		.parent = TYPE_VIRTIO_DEVICE,
		.instance_size = sizeof(AppleVZNet),
		.class_init = net_device_class,
	},
	{
		.name = "applevz-net",
		.parent = TYPE_APPLEVZ_VIRTIO,
		.instance_size = sizeof(AppleVZVirtio),
		.class_init = net_pci_class,
	},
};

DEFINE_TYPES(net_types)
