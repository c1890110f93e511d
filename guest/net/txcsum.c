/* SPDX-License-Identifier: ISC */
#include "txcsum.h"

#define ETHER_LEN	14
#define IPV4_MINLEN	20
#define IPV6_LEN	40
#define PROTO_TCP	6
#define PROTO_UDP	17
#define TCP_MINLEN	20
#define TCP_CSUM	16	/* where in the TCP header it is */

static unsigned int
be16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static uint32_t
sum16(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += be16(p + i);
	return sum;
}

/* The TCP header's offset in the packet, and the pseudo header's sum. */
static size_t
ipv4_pseudo(const uint8_t *ip, size_t len, uint32_t *sum)
{
	size_t hlen = (ip[0] & 0xfu) * 4u, total = be16(ip + 2);

	if (len < IPV4_MINLEN || ip[0] >> 4 != 4 || hlen < IPV4_MINLEN ||
	    ip[9] != PROTO_TCP || (be16(ip + 6) & 0x3fff) != 0 ||
	    total < hlen + TCP_MINLEN)
		return 0;
	*sum = sum16(ip + 12, 8) + PROTO_TCP + (uint32_t)(total - hlen);
	return hlen;
}

static size_t
ipv6_pseudo(const uint8_t *ip, size_t len, uint32_t *sum)
{
	if (len < IPV6_LEN || ip[0] >> 4 != 6 || ip[6] != PROTO_TCP ||
	    be16(ip + 4) < TCP_MINLEN)
		return 0;
	*sum = sum16(ip + 8, 32) + PROTO_TCP + be16(ip + 4);
	return IPV6_LEN;
}

bool
tx_checksum(void *frame, size_t len, uint16_t *start, uint16_t *offset)
{
	uint8_t *p = frame;
	uint32_t sum;
	size_t hlen;

	if (len < ETHER_LEN + IPV4_MINLEN + TCP_MINLEN)
		return false;
	if (be16(p + 12) == 0x0800)
		hlen = ipv4_pseudo(p + ETHER_LEN, len - ETHER_LEN, &sum);
	else if (be16(p + 12) == 0x86dd)
		hlen = ipv6_pseudo(p + ETHER_LEN, len - ETHER_LEN, &sum);
	else
		return false;
	if (hlen == 0 || len < ETHER_LEN + hlen + TCP_MINLEN)
		return false;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	p += ETHER_LEN + hlen + TCP_CSUM;
	p[0] = (uint8_t)(sum >> 8);
	p[1] = (uint8_t)sum;
	*start = (uint16_t)(ETHER_LEN + hlen);
	*offset = TCP_CSUM;
	return true;
}

static uint32_t
xor32(const uint8_t *p, size_t len)
{
	uint32_t x = 0;
	size_t i;

	for (i = 0; i + 3 < len; i += 4)
		x ^= (uint32_t)be16(p + i) << 16 | be16(p + i + 2);
	return x;
}

uint32_t
tx_flow(const void *frame, size_t len)
{
	const uint8_t *p = frame, *ip = p + ETHER_LEN;
	size_t hlen;
	uint32_t x;
	bool ports;

	if (len < ETHER_LEN + IPV4_MINLEN)
		return 0;
	if (be16(p + 12) == 0x0800) {
		x = xor32(ip + 12, 8);
		hlen = (ip[0] & 0xfu) * 4u;
		ports = (ip[9] == PROTO_TCP || ip[9] == PROTO_UDP) &&
		    (be16(ip + 6) & 0x3fff) == 0;
	} else if (be16(p + 12) == 0x86dd && len >= ETHER_LEN + IPV6_LEN) {
		x = xor32(ip + 8, 32);
		hlen = IPV6_LEN;
		ports = ip[6] == PROTO_TCP || ip[6] == PROTO_UDP;
	} else
		return 0;
	if (ports && len >= ETHER_LEN + hlen + 4)
		x ^= xor32(ip + hlen, 4);
	return x;
}
