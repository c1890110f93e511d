/* SPDX-License-Identifier: ISC */
/*
 * Wire facts of network devices (Device Types / Network Device). Feature bits
 * are in the public header. All fields are little-endian.
 */
#ifndef DEVICE_NETREG_H
#define DEVICE_NETREG_H

/*
 * Network Device / Virtqueues: receive and transmit queues in turn; the control
 * queue stands behind all pairs that the device has, with MQ or RSS, else here
 */
#define NET_CTRLQ_SINGLE	2
#define NET_MAXPAIRS		0x8000	/* that a device may have */

/* Network Device / Device configuration layout: byte offsets */
#define NET_CFG_MAC		0	/* 6 of 8 bits */
#define NET_CFG_STATUS		6	/* 16 */
#define NET_CFG_MAX_PAIRS	8	/* 16 */
#define NET_CFG_MTU		10	/* 16 */
#define NET_CFG_SPEED		12	/* 32 */
#define NET_CFG_DUPLEX		16	/* 8 */
#define NET_CFG_RSS_KEY		17	/* 8 */
#define NET_CFG_RSS_TABLE	18	/* 16 */
#define NET_CFG_HASH_TYPES	20	/* 32 */

#define NET_STATUS_LINK_UP	0x0001
#define NET_STATUS_ANNOUNCE	0x0002

#define NET_SPEED_MAX		0x7fffffffu	/* above: not known */
#define NET_HASH_TYPES		0x1ffu		/* that are known */

/* Network Device / Device Operation, struct virtio_net_hdr: byte offsets */
#define NET_HDR_FLAGS		0	/* 8 */
#define NET_HDR_GSO_TYPE	1	/* 8 */
#define NET_HDR_HDR_LEN		2	/* 16 */
#define NET_HDR_GSO_SIZE	4	/* 16 */
#define NET_HDR_CSUM_START	6	/* 16 */
#define NET_HDR_CSUM_OFFSET	8	/* 16 */
#define NET_HDR_NUM_BUFFERS	10	/* 16, absent from the legacy header */
#define NET_HDR_HASH_VALUE	12	/* 32, with HASH_REPORT */
#define NET_HDR_HASH_REPORT	16	/* 16 */

#define NET_HDRLEN		12
#define NET_HDRLEN_LEGACY	10	/* without MRG_RXBUF */
#define NET_HDRLEN_HASH		20

#define NET_HDR_F_NEEDS_CSUM	0x01
#define NET_HDR_F_DATA_VALID	0x02
#define NET_HDR_F_RSC_INFO	0x04

#define NET_GSO_NONE		0
#define NET_GSO_TCPV4		1
#define NET_GSO_UDP		3
#define NET_GSO_TCPV6		4
#define NET_GSO_UDP_L4		5
#define NET_GSO_ECN		0x80

/*
 * Network Device / Control Virtqueue: class, command, data; then ack and, of
 * some, a result
 */
#define NET_CTRL_HDRLEN		2
#define NET_CTRL_RX		0	/* class; a byte, 0 or 1 */
#define NET_CTRL_RX_PROMISC	0
#define NET_CTRL_RX_ALLMULTI	1
#define NET_CTRL_MAC		1
#define NET_CTRL_MAC_TABLE_SET	0	/* 32 bits, addresses; twice */
#define NET_CTRL_MAC_ADDR_SET	1	/* an address */
#define NET_CTRL_VLAN		2
#define NET_CTRL_VLAN_ADD	0	/* 16 bits */
#define NET_CTRL_VLAN_DEL	1
#define NET_CTRL_ANNOUNCE	3
#define NET_CTRL_ANNOUNCE_ACK	0
#define NET_CTRL_MQ		4
#define NET_CTRL_MQ_PAIRS_SET	0	/* 16 bits */
#define NET_CTRL_MQ_RSS_CONFIG	1
#define NET_CTRL_MQ_HASH_CONFIG	2
#define NET_CTRL_OFFLOADS	5
#define NET_CTRL_OFFLOADS_SET	0	/* 64 bits */
#define NET_CTRL_COAL		6
#define NET_CTRL_COAL_TX_SET	0	/* packets, microseconds: 32 bits */
#define NET_CTRL_COAL_RX_SET	1
#define NET_CTRL_COAL_VQ_SET	2	/* queue, reserved: 16 bits; likewise */
#define NET_CTRL_COAL_VQ_GET	3
#define NET_CTRL_STATS		8
#define NET_CTRL_STATS_QUERY	0	/* result: 64 bits */
#define NET_CTRL_STATS_GET	1	/* queue: 16 bits, 48 reserved, types:
					 * 64 bits */

#define NET_CTRL_OK		0

/* Network Device / Control Virtqueue / Device Statistics: types by number */
#define NET_STATS_RX_BASIC	0
#define NET_STATS_RX_CSUM	1
#define NET_STATS_RX_GSO	2
#define NET_STATS_RX_SPEED	3
#define NET_STATS_TX_BASIC	16
#define NET_STATS_TX_CSUM	17
#define NET_STATS_TX_GSO	18
#define NET_STATS_TX_SPEED	19
#define NET_STATS_CVQ		32

/* struct virtio_net_stats_reply_hdr: byte offsets; then 64 bits each */
#define NET_REPLY_TYPE		0	/* 8 */
#define NET_REPLY_VQ		2	/* 16 */
#define NET_REPLY_SIZE		6	/* 16, of all of it */
#define NET_REPLY_HDRLEN	8

#endif /* DEVICE_NETREG_H */
