/* SPDX-License-Identifier: ISC */
/*
 * Wire facts of network devices (Device Types / Network Device). Feature bits
 * are in the public header. All fields are little-endian.
 */
#ifndef DEVICE_NETREG_H
#define DEVICE_NETREG_H

/* Network Device / Virtqueues, without MQ */
#define NET_RXQ			0
#define NET_TXQ			1
#define NET_CTRLQ		2

/* Network Device / Device configuration layout: byte offsets */
#define NET_CFG_MAC		0	/* 6 of 8 bits */
#define NET_CFG_STATUS		6	/* 16 */
#define NET_CFG_MTU		10	/* 16 */

#define NET_STATUS_LINK_UP	0x0001

/* Network Device / Device Operation, struct virtio_net_hdr: byte offsets */
#define NET_HDR_FLAGS		0	/* 8 */
#define NET_HDR_GSO_TYPE	1	/* 8 */
#define NET_HDR_HDR_LEN		2	/* 16 */
#define NET_HDR_GSO_SIZE	4	/* 16 */
#define NET_HDR_CSUM_START	6	/* 16 */
#define NET_HDR_CSUM_OFFSET	8	/* 16 */
#define NET_HDR_NUM_BUFFERS	10	/* 16, absent from the legacy header */

#define NET_HDRLEN		12
#define NET_HDRLEN_LEGACY	10	/* without MRG_RXBUF */

#define NET_HDR_F_NEEDS_CSUM	0x01
#define NET_HDR_F_DATA_VALID	0x02

#define NET_GSO_NONE		0

/* Network Device / Control Virtqueue: class, command, data; then the ack */
#define NET_CTRL_HDRLEN		2
#define NET_CTRL_RX		0	/* class */
#define NET_CTRL_RX_PROMISC	0
#define NET_CTRL_RX_ALLMULTI	1

#define NET_CTRL_OK		0

#endif /* DEVICE_NETREG_H */
