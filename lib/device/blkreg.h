/* SPDX-License-Identifier: ISC */
/*
 * Wire facts of block devices (Device Types / Block Device). Feature bits are
 * in the public header. All fields are little-endian; offsets are in bytes, and
 * a sector is 512 of them, whatever the device's block.
 */
#ifndef DEVICE_BLKREG_H
#define DEVICE_BLKREG_H

#define BLK_SECTOR		512u

/* Block Device / Device configuration layout */
#define BLK_CFG_CAPACITY		0	/* 64, sectors */
#define BLK_CFG_SIZE_MAX		8	/* 32, bytes */
#define BLK_CFG_SEG_MAX			12	/* 32 */
#define BLK_CFG_GEOMETRY		16	/* 16, 8, 8 */
#define BLK_CFG_BLK_SIZE		20	/* 32, bytes */
#define BLK_CFG_PHYSICAL_EXP		24	/* 8, log2 of blocks */
#define BLK_CFG_ALIGNMENT		25	/* 8, blocks */
#define BLK_CFG_MIN_IO			26	/* 16, blocks */
#define BLK_CFG_OPT_IO			28	/* 32, blocks */
#define BLK_CFG_WRITEBACK		32	/* 8 */
#define BLK_CFG_NUM_QUEUES		34	/* 16 */
#define BLK_CFG_DISCARD_SECTORS		36	/* 32 */
#define BLK_CFG_DISCARD_SEG		40	/* 32 */
#define BLK_CFG_DISCARD_ALIGN		44	/* 32, sectors */
#define BLK_CFG_ZEROES_SECTORS		48	/* 32 */
#define BLK_CFG_ZEROES_SEG		52	/* 32 */
#define BLK_CFG_ZEROES_MAY_UNMAP	56	/* 8 */
#define BLK_CFG_ERASE_SECTORS		60	/* 32 */
#define BLK_CFG_ERASE_SEG		64	/* 32 */
#define BLK_CFG_ERASE_ALIGN		68	/* 32, sectors */

/* Block Device / Device Operation, struct virtio_blk_req: the header */
#define BLK_HDR_TYPE		0	/* 32 */
#define BLK_HDR_RESERVED	4	/* 32 */
#define BLK_HDR_SECTOR		8	/* 64 */
#define BLK_HDRLEN		16

#define BLK_T_IN		0
#define BLK_T_OUT		1
#define BLK_T_FLUSH		4
#define BLK_T_GET_ID		8
#define BLK_T_GET_LIFETIME	10
#define BLK_T_DISCARD		11
#define BLK_T_WRITE_ZEROES	13
#define BLK_T_SECURE_ERASE	14

/* struct virtio_blk_discard_write_zeroes */
#define BLK_RANGE_SECTOR	0	/* 64 */
#define BLK_RANGE_SECTORS	8	/* 32 */
#define BLK_RANGE_FLAGS		12	/* 32 */
#define BLK_RANGELEN		16

#define BLK_RANGE_UNMAP		0x1

/* struct virtio_blk_lifetime: 16 bits each */
#define BLK_LIFETIME_PRE_EOL	0
#define BLK_LIFETIME_TYPE_A	2
#define BLK_LIFETIME_TYPE_B	4

/* The status byte */
#define BLK_S_OK		0
#define BLK_S_IOERR		1
#define BLK_S_UNSUPP		2

#endif /* DEVICE_BLKREG_H */
