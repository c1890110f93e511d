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
#define GPU_CFG_NUM_CAPSETS	12

#define GPU_EVENT_DISPLAY	0x1

/* GPU Device / Device Initialization: the shared memory region */
#define GPU_SHM_HOST_VISIBLE	1

/* GPU Device / Device Operation: Request header */
#define GPU_HDR_TYPE		0	/* 32 */
#define GPU_HDR_FLAGS		4	/* 32 */
#define GPU_HDR_FENCE_ID	8	/* 64 */
#define GPU_HDR_CTX_ID		16	/* 32 */
#define GPU_HDR_RING_IDX	20	/* 8 */
#define GPU_HDRLEN		24

#define GPU_FLAG_FENCE		0x1
#define GPU_FLAG_RING_IDX	0x2

#define GPU_CMD_GET_DISPLAY_INFO	0x0100
#define GPU_CMD_RESOURCE_CREATE_2D	0x0101
#define GPU_CMD_RESOURCE_UNREF		0x0102
#define GPU_CMD_SET_SCANOUT		0x0103
#define GPU_CMD_RESOURCE_FLUSH		0x0104
#define GPU_CMD_TRANSFER_TO_HOST_2D	0x0105
#define GPU_CMD_RESOURCE_ATTACH_BACKING	0x0106
#define GPU_CMD_RESOURCE_DETACH_BACKING	0x0107
#define GPU_CMD_GET_CAPSET_INFO		0x0108
#define GPU_CMD_GET_CAPSET		0x0109
#define GPU_CMD_GET_EDID		0x010a
#define GPU_CMD_RESOURCE_ASSIGN_UUID	0x010b
#define GPU_CMD_RESOURCE_CREATE_BLOB	0x010c
#define GPU_CMD_SET_SCANOUT_BLOB	0x010d

#define GPU_CMD_CTX_CREATE		0x0200
#define GPU_CMD_CTX_DESTROY		0x0201
#define GPU_CMD_CTX_ATTACH_RESOURCE	0x0202
#define GPU_CMD_CTX_DETACH_RESOURCE	0x0203
#define GPU_CMD_RESOURCE_CREATE_3D	0x0204
#define GPU_CMD_TRANSFER_TO_HOST_3D	0x0205
#define GPU_CMD_TRANSFER_FROM_HOST_3D	0x0206
#define GPU_CMD_SUBMIT_3D		0x0207
#define GPU_CMD_RESOURCE_MAP_BLOB	0x0208
#define GPU_CMD_RESOURCE_UNMAP_BLOB	0x0209

#define GPU_CMD_UPDATE_CURSOR		0x0300
#define GPU_CMD_MOVE_CURSOR		0x0301

#define GPU_RESP_OK_NODATA		0x1100
#define GPU_RESP_OK_DISPLAY_INFO	0x1101
#define GPU_RESP_OK_CAPSET_INFO		0x1102
#define GPU_RESP_OK_CAPSET		0x1103
#define GPU_RESP_OK_EDID		0x1104
#define GPU_RESP_OK_RESOURCE_UUID	0x1105
#define GPU_RESP_OK_MAP_INFO		0x1106
#define GPU_RESP_ERR_FIRST		0x1200
#define GPU_RESP_ERR_OUT_OF_MEMORY	0x1201
#define GPU_RESP_ERR_LAST		0x1205

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
#define GPU_ENTRY_MAX		0xfffff000u	/* whole pages in 32 bits */

/* GET_CAPSET_INFO, GET_CAPSET and their answers */
#define GPU_CAPSET_INDEX	24	/* 32 */
#define GPU_CAPSET_ID		24	/* 32 */
#define GPU_CAPSET_VERSION	28
#define GPU_CAPSET_LEN		32
#define GPU_CAPSET_RESP_ID	24	/* 32 */
#define GPU_CAPSET_RESP_VERSION	28
#define GPU_CAPSET_RESP_SIZE	32
#define GPU_CAPSET_RESP_LEN	40

/* RESOURCE_ASSIGN_UUID has the shape of RESOURCE_UNREF; its answer */
#define GPU_UUID_RESP_UUID	24
#define GPU_UUID_RESP_LEN	40

/* RESOURCE_CREATE_BLOB, then entries as in RESOURCE_ATTACH_BACKING */
#define GPU_BLOB_RESOURCE	24	/* 32 */
#define GPU_BLOB_MEM		28
#define GPU_BLOB_FLAGS		32
#define GPU_BLOB_NENTRIES	36
#define GPU_BLOB_ID		40	/* 64 */
#define GPU_BLOB_SIZE		48
#define GPU_BLOB_LEN		56

/* SET_SCANOUT_BLOB */
#define GPU_SCANOUT_BLOB_WIDTH	48	/* 32 */
#define GPU_SCANOUT_BLOB_HEIGHT	52
#define GPU_SCANOUT_BLOB_FORMAT	56
#define GPU_SCANOUT_BLOB_STRIDE	64	/* the first of four */
#define GPU_SCANOUT_BLOB_LEN	96

/* controlq (3d) */
#define GPU_CTX_NLEN		24	/* 32 */
#define GPU_CTX_INIT		28
#define GPU_CTX_NAME		32
#define GPU_CTX_NAMELEN		64
#define GPU_CTX_LEN		96

/* CTX_ATTACH_RESOURCE and _DETACH_ have the shape of RESOURCE_UNREF */

/* RESOURCE_CREATE_3D: the resource, then ten words, and one of padding */
#define GPU_3D_RESOURCE		24	/* 32 */
#define GPU_3D_WORDS		28
#define GPU_3D_LEN		72

/* TRANSFER_TO_HOST_3D, TRANSFER_FROM_HOST_3D: a box of six words */
#define GPU_T3D_BOX		24	/* 32 */
#define GPU_T3D_OFFSET		48	/* 64 */
#define GPU_T3D_RESOURCE	56	/* 32 */
#define GPU_T3D_LEVEL		60
#define GPU_T3D_STRIDE		64
#define GPU_T3D_LAYER_STRIDE	68
#define GPU_T3D_LEN		72

/* SUBMIT_3D, then the stream */
#define GPU_SUBMIT_SIZE		24	/* 32 */
#define GPU_SUBMIT_LEN		32

/* RESOURCE_MAP_BLOB and its answer; UNMAP has the shape of RESOURCE_UNREF */
#define GPU_MAP_RESOURCE	24	/* 32 */
#define GPU_MAP_OFFSET		32	/* 64 */
#define GPU_MAP_LEN		40
#define GPU_MAP_RESP_INFO	24	/* 32 */
#define GPU_MAP_RESP_LEN	32
#define GPU_MAP_CACHE_MASK	0xf

/* UPDATE_CURSOR, MOVE_CURSOR */
#define GPU_CURSOR_SCANOUT	24	/* 32 */
#define GPU_CURSOR_X		28
#define GPU_CURSOR_Y		32
#define GPU_CURSOR_RESOURCE	40
#define GPU_CURSOR_HOT_X	44
#define GPU_CURSOR_HOT_Y	48
#define GPU_CURSOR_LEN		56

#endif /* DEVICE_GPUREG_H */
