/* SPDX-License-Identifier: ISC */
/*
 * lwIP as the guest wants it: no operating system beneath it (one thread, and
 * callers that don't yield within lwIP), both IPs, frames up to 65435 bytes,
 * memory that devices reach directly.
 */
#ifndef PARAVANE_LWIPOPTS_H
#define PARAVANE_LWIPOPTS_H

#define NO_SYS				1
#define SYS_LIGHTWEIGHT_PROT		0
#define LWIP_NETCONN			0
#define LWIP_SOCKET			0
#define LWIP_TIMERS			1

/*
 * Memory. Blocks come from the arena that is loaded for DMA; what never goes to
 * a device, from fixed pools.
 */
#define MEM_LIBC_MALLOC			1
#define MEM_ALIGNMENT			8
#define MEMP_MEM_MALLOC			0
#define MEMP_NUM_PBUF			2048
#define MEMP_NUM_RAW_PCB		8
#define MEMP_NUM_UDP_PCB		10
#define MEMP_NUM_TCP_PCB		32
#define MEMP_NUM_TCP_PCB_LISTEN		8
#define MEMP_NUM_TCP_SEG		2048
#define MEMP_NUM_REASSDATA		8
#define MEMP_NUM_FRAG_PBUF		256
#define MEMP_NUM_ARP_QUEUE		32
#define MEMP_NUM_ND6_QUEUE		32
#define MEMP_NUM_SYS_TIMEOUT		(LWIP_NUM_SYS_TIMEOUT_INTERNAL + 8)
#define PBUF_POOL_SIZE			0	/* received frames stay in the driver's own buffers */
#define LWIP_SUPPORT_CUSTOM_PBUF	1

/* Ethernet. */
#define LWIP_ARP			1
#define ARP_TABLE_SIZE			64
#define ARP_QUEUEING			1
#define ETHARP_SUPPORT_STATIC_ENTRIES	0
#define ETHARP_TRUST_IP_MAC		0
#define ETH_PAD_SIZE			0
#define LWIP_NETIF_HOSTNAME		1
#define LWIP_NETIF_STATUS_CALLBACK	1
#define LWIP_NETIF_LINK_CALLBACK	1
#define LWIP_NETIF_EXT_STATUS_CALLBACK	0
#define LWIP_NETIF_LOOPBACK		1
#define LWIP_HAVE_LOOPIF		1
#define LWIP_LOOPBACK_MAX_PBUFS		64
#define LWIP_NETIF_TX_SINGLE_PBUF	0

/* IP. */
#define LWIP_IPV4			1
#define LWIP_IPV6			1
#define IP_FORWARD			0
#define IP_REASSEMBLY			1
#define IP_FRAG				1
#define IP_REASS_MAX_PBUFS		64
#define IP_REASS_MAXAGE			5
#define IP_SOF_BROADCAST		1
#define IP_SOF_BROADCAST_RECV		1
#define LWIP_IPV6_FRAG			1
#define LWIP_IPV6_REASS			1
#define IPV6_FRAG_COPYHEADER		1	/* a helper outgrows the header on LP64 */
#define LWIP_IPV6_AUTOCONFIG		1
#define LWIP_IPV6_NUM_ADDRESSES		4
#define LWIP_IPV6_SEND_ROUTER_SOLICIT	1
#define LWIP_IPV6_DHCP6			0
#define LWIP_IPV6_MLD			1
#define LWIP_IGMP			0
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS	2
#define LWIP_ND6_TCP_REACHABILITY_HINTS	1
#define MEMP_NUM_MLD6_GROUP		8
#define LWIP_ICMP			1
#define LWIP_ICMP6			1
#define LWIP_RAW			1
#define LWIP_MULTICAST_PING		0
#define LWIP_BROADCAST_PING		0

/* UDP, and what stands on it. */
#define LWIP_UDP			1
#define LWIP_DHCP			1
#define DHCP_DOES_ARP_CHECK		0	/* it would cost a second of every start */
#define LWIP_DHCP_MAX_NTP_SERVERS	0
#define LWIP_DHCP_GET_NTP_SRV		0
#define LWIP_DNS			1
#define DNS_MAX_SERVERS			3
#define DNS_TABLE_SIZE			8
#define LWIP_DNS_SECURE			(LWIP_DNS_SECURE_RAND_XID | \
	LWIP_DNS_SECURE_NO_MULTIPLE_OUTSTANDING | \
	LWIP_DNS_SECURE_RAND_SRC_PORT)

/*
 * TCP. The segment size is bounded by the interface's MTU in the end; here
 * stands what the largest one allows. Both directions may have half a megabyte
 * on the way: 360 frames of 1500 bytes, or 8 of the largest.
 */
#define LWIP_TCP			1
#define TCP_MSS				65395
#define LWIP_WND_SCALE			1
#define TCP_RCV_SCALE			4
#define TCP_WND				(512 * 1024)
#define TCP_SND_BUF			(512 * 1024)
#define TCP_SND_QUEUELEN		1536
#define TCP_SNDLOWAT			(TCP_SND_BUF / 2)
#define TCP_SNDQUEUELOWAT		(TCP_SND_QUEUELEN / 2)
#define TCP_OVERSIZE			1024
#define TCP_QUEUE_OOSEQ			1
#define TCP_OOSEQ_MAX_PBUFS		128
#define TCP_LISTEN_BACKLOG		1
#define LWIP_TCP_SACK_OUT		1
#define LWIP_TCP_TIMESTAMPS		0
#define LWIP_TCP_KEEPALIVE		1
#define SO_REUSE			1
#define LWIP_DISABLE_TCP_SANITY_CHECKS	1	/* they take TCP_MSS for the real segment size */

/* Checksums: an interface's flags say which are left to the device. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF	1
#define LWIP_CHECKSUM_ON_COPY		0
#define LWIP_CHKSUM_ALGORITHM		3

/* The HTTP page: made when it is asked for. */
#define LWIP_HTTPD_CUSTOM_FILES		1
#define LWIP_HTTPD_DYNAMIC_HEADERS	1
#define LWIP_HTTPD_DYNAMIC_FILE_READ	0
#define LWIP_HTTPD_FILE_STATE		0
#define LWIP_HTTPD_SUPPORT_11_KEEPALIVE	0
#define HTTP_IS_DATA_VOLATILE(hs)	TCP_WRITE_FLAG_COPY	/* freed before it is sent */
#define HTTPD_FSDATA_FILE		"pages.h"
#define HTTPD_SERVER_AGENT		"paravane"

#define PBUF_LINK_ENCAPSULATION_HLEN	16	/* virtio's header, and alignment */

#define LWIP_STATS			0

#define LWIP_HOOK_FILENAME		"hooks.h"

#endif
