/* SPDX-License-Identifier: ISC */
/*
 * Facts of PCI configuration space, and of virtio's structures in it (Virtio
 * Over PCI Bus / PCI Device Layout).
 */
#ifndef TRANSPORT_PCIREG_H
#define TRANSPORT_PCIREG_H

#define PCI_ID			0x00	/* device << 16 | vendor */
#define PCI_COMMAND_STATUS	0x04
#define  PCI_STATUS_CAPLIST	0x00100000u
#define PCI_CLASS_REVISION	0x08
#define PCI_SUBSYSTEM		0x2c
#define PCI_CAPPTR		0x34
#define PCI_CAP_FIRST		0x40	/* below stands the header */
#define PCI_CAP_END		0x100
#define PCI_CAP_MAX		48	/* that can stand there */
#define PCI_CAP_VENDOR		0x09

/* Virtio Structure PCI Capabilities: offsets from the capability. */
#define VIRTIO_CAP_HEAD		0x00	/* id, next, length, type */
#define VIRTIO_CAP_BAR		0x04	/* BAR, id, padding */
#define VIRTIO_CAP_OFFSET	0x08
#define VIRTIO_CAP_LENGTH	0x0c
#define VIRTIO_CAP_LEN		0x10
#define VIRTIO_CAP_MULTIPLIER	0x10	/* notification structures only */
#define VIRTIO_CAP_NOTIFY_LEN	0x14

#define VIRTIO_CAP_OFFSET_HI	0x10	/* of 64-bit structures */
#define VIRTIO_CAP_LENGTH_HI	0x14
#define VIRTIO_CAP_64_LEN	0x18

#define VIRTIO_CAP_COMMON	1
#define VIRTIO_CAP_NOTIFY	2
#define VIRTIO_CAP_ISR		3
#define VIRTIO_CAP_DEVICE	4
#define VIRTIO_CAP_SHM		8

/* Common configuration structure layout. */
#define COMMON_DEVICE_FEATURE_SELECT	0x00	/* 32 */
#define COMMON_DEVICE_FEATURE		0x04	/* 32 */
#define COMMON_DRIVER_FEATURE_SELECT	0x08	/* 32 */
#define COMMON_DRIVER_FEATURE		0x0c	/* 32 */
#define COMMON_CONFIG_MSIX_VECTOR	0x10	/* 16 */
#define COMMON_NUM_QUEUES		0x12	/* 16 */
#define COMMON_DEVICE_STATUS		0x14	/* 8 */
#define COMMON_CONFIG_GENERATION	0x15	/* 8 */
#define COMMON_QUEUE_SELECT		0x16	/* 16 */
#define COMMON_QUEUE_SIZE		0x18	/* 16 */
#define COMMON_QUEUE_MSIX_VECTOR	0x1a	/* 16 */
#define COMMON_QUEUE_ENABLE		0x1c	/* 16 */
#define COMMON_QUEUE_NOTIFY_OFF		0x1e	/* 16 */
#define COMMON_QUEUE_DESC		0x20	/* 64 */
#define COMMON_QUEUE_DRIVER		0x28	/* 64 */
#define COMMON_QUEUE_DEVICE		0x30	/* 64 */
#define COMMON_LEN			0x38	/* these are always there */
#define COMMON_QUEUE_NOTIF_CONFIG_DATA	0x38	/* 16; NOTIF_CONFIG_DATA */
#define COMMON_QUEUE_RESET		0x3a	/* 16; RING_RESET */

#define MSI_NO_VECTOR			0xffff

/* ISR status capability. */
#define ISR_QUEUE			0x01
#define ISR_CONFIG			0x02

#endif
