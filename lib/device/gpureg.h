/* SPDX-License-Identifier: ISC */
/*
 * Wire facts of GPU devices (Device Types / GPU Device). Feature bits are in
 * the public header. All fields are little-endian; offsets are in bytes.
 */
#ifndef DEVICE_GPUREG_H
#define DEVICE_GPUREG_H

/* GPU Device / Virtqueues */
#define GPU_CONTROLQ		0
#define GPU_CURSORQ		1

/* GPU Device / Device configuration layout: 32 bits each */
#define GPU_CFG_EVENTS_READ	0
#define GPU_CFG_EVENTS_CLEAR	4
#define GPU_CFG_NUM_SCANOUTS	8

#define GPU_EVENT_DISPLAY	0x1

/* GPU Device / Device Operation: Request header */
#define GPU_HDR_TYPE		0	/* 32 */
#define GPU_HDR_FLAGS		4	/* 32 */
#define GPU_HDR_FENCE_ID	8	/* 64 */
#define GPU_HDR_CTX_ID		16	/* 32 */
#define GPU_HDRLEN		24

#define GPU_FLAG_FENCE		0x1

#define GPU_CMD_GET_DISPLAY_INFO	0x0100
#define GPU_CMD_RESOURCE_CREATE_2D	0x0101
#define GPU_CMD_RESOURCE_UNREF		0x0102
#define GPU_CMD_SET_SCANOUT		0x0103
#define GPU_CMD_RESOURCE_FLUSH		0x0104
#define GPU_CMD_TRANSFER_TO_HOST_2D	0x0105
#define GPU_CMD_RESOURCE_ATTACH_BACKING	0x0106
#define GPU_CMD_RESOURCE_DETACH_BACKING	0x0107
#define GPU_CMD_GET_EDID		0x010a

#define GPU_RESP_OK_NODATA		0x1100
#define GPU_RESP_OK_DISPLAY_INFO	0x1101
#define GPU_RESP_OK_EDID		0x1104
#define GPU_RESP_ERR_FIRST		0x1200
#define GPU_RESP_ERR_LAST		0x1205

#define GPU_FORMAT_B8G8R8X8		2

/* GPU Device / Device Operation: controlq, after the header */

/* struct virtio_gpu_rect, wherever one stands */
#define GPU_RECT_X		0	/* 32 */
#define GPU_RECT_Y		4
#define GPU_RECT_WIDTH		8
#define GPU_RECT_HEIGHT		12

/* GET_DISPLAY_INFO's answer: 16 of these */
#define GPU_MODE_RECT		0
#define GPU_MODE_ENABLED	16	/* 32 */
#define GPU_MODELEN		24
#define GPU_NMODES		16
#define GPU_DISPLAY_INFO_LEN	(GPU_HDRLEN + GPU_NMODES * GPU_MODELEN)

/* GET_EDID and its answer */
#define GPU_EDID_SCANOUT	24	/* 32 */
#define GPU_EDID_LEN		32
#define GPU_EDID_RESP_SIZE	24	/* 32 */
#define GPU_EDID_RESP_DATA	32
#define GPU_EDID_RESP_LEN	(GPU_EDID_RESP_DATA + 1024)

/* RESOURCE_CREATE_2D */
#define GPU_CREATE_RESOURCE	24	/* 32 */
#define GPU_CREATE_FORMAT	28
#define GPU_CREATE_WIDTH	32
#define GPU_CREATE_HEIGHT	36
#define GPU_CREATE_LEN		40

/* RESOURCE_UNREF, RESOURCE_DETACH_BACKING */
#define GPU_UNREF_RESOURCE	24	/* 32 */
#define GPU_UNREF_LEN		32

/* SET_SCANOUT */
#define GPU_SCANOUT_RECT	24
#define GPU_SCANOUT_ID		40	/* 32 */
#define GPU_SCANOUT_RESOURCE	44
#define GPU_SCANOUT_LEN		48

/* RESOURCE_FLUSH */
#define GPU_FLUSH_RECT		24
#define GPU_FLUSH_RESOURCE	40	/* 32 */
#define GPU_FLUSH_LEN		48

/* TRANSFER_TO_HOST_2D */
#define GPU_TRANSFER_RECT	24
#define GPU_TRANSFER_OFFSET	40	/* 64 */
#define GPU_TRANSFER_RESOURCE	48	/* 32 */
#define GPU_TRANSFER_LEN	56

/* RESOURCE_ATTACH_BACKING, then its entries */
#define GPU_ATTACH_RESOURCE	24	/* 32 */
#define GPU_ATTACH_NENTRIES	28
#define GPU_ATTACH_LEN		32
#define GPU_ENTRY_ADDR		0	/* 64 */
#define GPU_ENTRY_LENGTH	8	/* 32 */
#define GPU_ENTRYLEN		16

#endif /* DEVICE_GPUREG_H */
