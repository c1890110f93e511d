/* SPDX-License-Identifier: ISC */
/*
 * What a peer may not make lwIP believe. Each of these segments and packets
 * leads to a failed assertion or a lost buffer further on. None comes from a
 * peer in good faith, but for an end that overtook data, and that is sent again.
 */
#include <stdbool.h>
#include <string.h>

#include "hooks.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip6.h"

#define OPT_END		0
#define OPT_NOP		1
#define OPT_MSS		2

/* Whether there is a maximum segment size among a segment's options. */
static bool
has_mss(const uint8_t *opts, unsigned int optlen, unsigned int first,
    const uint8_t *rest)
{
	uint8_t opt[40];
	unsigned int at;

	if (optlen > sizeof(opt) || first > optlen)
		return true;
	memcpy(opt, opts, first);
	if (first < optlen)
		memcpy(opt + first, rest, optlen - first);
	for (at = 0; at < optlen && opt[at] != OPT_END;) {
		if (opt[at] == OPT_MSS)
			return true;
		if (opt[at] == OPT_NOP)
			at++;
		else if (at + 1 < optlen && opt[at + 1] > 1)
			at += opt[at + 1];
		else
			break;
	}
	return false;
}

err_t
net_tcp_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *hdr,
    unsigned int optlen, unsigned int first, const uint8_t *rest,
    unsigned int len)
{
	unsigned int flags = TCPH_FLAGS(hdr);

	/* A size that shrinks beneath what was cut, and waits to be sent. */
	if ((flags & TCP_SYN) == 0 &&
	    has_mss((const uint8_t *)(hdr + 1), optlen, first, rest))
		return ERR_VAL;
	switch (pcb->state) {
	case SYN_RCVD:
		/* Counted as a byte of data when the handshake ends. */
		if ((flags & TCP_SYN) && (flags & TCP_ACK))
			return ERR_VAL;
		/* FALLTHROUGH */
	case ESTABLISHED:
	case FIN_WAIT_1:
	case FIN_WAIT_2:
		/* An end before what is in front of it: data behind it would
		 * be kept as well. */
		if ((flags & TCP_FIN) && TCP_SEQ_GT(hdr->seqno, pcb->rcv_nxt))
			return ERR_VAL;
		return ERR_OK;
	case CLOSE_WAIT:
	case CLOSING:
	case LAST_ACK:
		/* Something after the end; what ends the connection as well
		 * would never be freed. */
		if (flags & TCP_FIN)
			len++;
		return TCP_SEQ_GT(hdr->seqno + len, pcb->rcv_nxt) ?
		    ERR_VAL : ERR_OK;
	default:
		return ERR_OK;
	}
}

static bool
is_extension(unsigned int header)
{
	return header == IP6_NEXTH_HOPBYHOP || header == IP6_NEXTH_ROUTING ||
	    header == IP6_NEXTH_FRAGMENT || header == IP6_NEXTH_DESTOPTS;
}

/*
 * A packet that is put together from fragments and then has a fragment header
 * again is measured from where its header was before.
 */
static bool
is_nested_fragment(const uint8_t *p, size_t len)
{
	size_t at = IP6_HLEN, headers;
	unsigned int next;

	if (len < IP6_HLEN)
		return false;
	next = p[6];
	for (headers = 0; headers < 16; headers++) {
		if (!is_extension(next) || at + 8 > len)
			return false;
		if (next == IP6_NEXTH_FRAGMENT)
			return is_extension(p[at]);
		next = p[at];
		at += 8 + p[at + 1] * 8u;
	}
	return true;
}

int
net_ip6_packet(struct pbuf *p)
{
	if (!is_nested_fragment(p->payload, p->len))
		return 0;
	pbuf_free(p);
	return 1;
}
