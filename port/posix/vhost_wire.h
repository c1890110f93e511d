/* SPDX-License-Identifier: ISC */
/*
 * Messages of vhost-user as they go through the socket, in this machine's byte
 * order: QEMU's docs/interop/vhost-user.rst, Message Specification.
 */
#ifndef VHOST_WIRE_H
#define VHOST_WIRE_H

#include <stdint.h>

#define VW_VERSION		0x1u	/* vw_flags */
#define VW_VERSION_MASK		0x3u
#define VW_REPLY		0x4u
#define VW_NEED_REPLY		0x8u

#define VW_F_LOG_ALL		26	/* features that are no driver's */
#define VW_F_PROTOCOL		30

#define VW_NET_F_MQ		22	/* of a network device */

/* The front end's requests. */
#define VW_GET_FEATURES		1u
#define VW_SET_FEATURES		2u
#define VW_SET_OWNER		3u
#define VW_SET_MEM_TABLE	5u
#define VW_SET_VRING_NUM	8u
#define VW_SET_VRING_ADDR	9u
#define VW_SET_VRING_BASE	10u
#define VW_GET_VRING_BASE	11u
#define VW_SET_VRING_KICK	12u
#define VW_SET_VRING_CALL	13u
#define VW_GET_PROTOCOL		15u
#define VW_SET_PROTOCOL		16u
#define VW_GET_QUEUE_NUM	17u
#define VW_SET_VRING_ENABLE	18u
#define VW_NET_SET_MTU		20u
#define VW_SET_BACKEND_REQ_FD	21u
#define VW_GET_CONFIG		24u
#define VW_SET_CONFIG		25u
#define VW_GET_INFLIGHT_FD	31u
#define VW_SET_INFLIGHT_FD	32u
#define VW_GET_MAX_MEM_SLOTS	36u
#define VW_ADD_MEM_REG		37u
#define VW_SET_STATUS		39u
#define VW_GET_STATUS		40u

/* The back end's. */
#define VW_CONFIG_CHANGED	2u

#define VW_NOFD			0x100u	/* beside a ring's index */
#define VW_MAXREGIONS		8	/* in one table, and descriptors */
#define VW_MAXDATA		256u

struct vw_region {
	uint64_t vr_guest;		/* address in descriptors */
	uint64_t vr_size;
	uint64_t vr_user;		/* address of rings */
	uint64_t vr_offset;		/* in the file */
};

struct vw_inflight {
	uint64_t vi_size;
	uint64_t vi_offset;
	uint16_t vi_nqueues;
	uint16_t vi_queuesize;
	uint32_t vi_pad;		/* some leave it out */
};

#define VW_INFLIGHT_LEN	20u

struct vw_msg {
	uint32_t vw_request;
	uint32_t vw_flags;
	uint32_t vw_size;		/* of what follows */
	union {
		uint64_t vw_u64;
		struct {
			uint32_t vs_index;
			uint32_t vs_num;
		} vw_state;
		struct {
			uint32_t va_index;
			uint32_t va_flags;
			uint64_t va_desc;
			uint64_t va_used;
			uint64_t va_avail;
			uint64_t va_log;
		} vw_addr;
		struct {
			uint32_t vm_n;
			uint32_t vm_pad;
			struct vw_region vm_regions[VW_MAXREGIONS];
		} vw_memory;
		struct {
			uint64_t vm_pad;
			struct vw_region vm_region;
		} vw_slot;
		struct {
			uint32_t vc_offset;
			uint32_t vc_size;
			uint32_t vc_flags;
			uint8_t vc_data[VW_MAXDATA];
		} vw_config;
		struct vw_inflight vw_inflight;
		uint8_t vw_bytes[8 + VW_MAXREGIONS * 32];
	} __attribute__((__packed__)) u;
} __attribute__((__packed__));

#define VW_HEADER	12u
#define VW_CONFIG_LEN	12u		/* before vc_data */

/* What is in flight, of a queue (Inflight I/O tracking). */
struct vw_packed_inflight {
	uint64_t vp_features;
	uint16_t vp_version;
	uint16_t vp_ndesc;
	uint16_t vp_free;
	uint16_t vp_oldfree;
	uint16_t vp_used;
	uint16_t vp_oldused;
	uint8_t vp_wrap;
	uint8_t vp_oldwrap;
	uint8_t vp_pad[7];
};

#endif
