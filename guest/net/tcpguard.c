/* SPDX-License-Identifier: ISC */
/*
 * What a peer may not make lwIP believe. Each of these segments leads to an
 * assertion further on; none comes from a peer in good faith, but for the
 * first, which is sent again then.
 */
#include "hooks.h"
#include "lwip/priv/tcp_priv.h"

err_t
net_tcp_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *hdr,
    unsigned int len)
{
	unsigned int flags = TCPH_FLAGS(hdr);

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
		/* Something after the end. */
		if ((len != 0 || (flags & TCP_FIN)) &&
		    TCP_SEQ_GEQ(hdr->seqno, pcb->rcv_nxt))
			return ERR_VAL;
		return ERR_OK;
	default:
		return ERR_OK;
	}
}
