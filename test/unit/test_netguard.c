/* SPDX-License-Identifier: ISC */
/* UNIT: guest/net/guard.c guest/net/arena.c */
/* UNIT-CFLAGS: -Iguest/net -isystem $(SRC)/lwip/src/include */
/* UNIT-LIBS: lwip */
/*
 * What is kept from lwIP, and what is not: each case that a fuzzer found once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lwip_fake.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip6.h"
#include "lwip/sys.h"

#define NEXT	1000u		/* what the connection expects */

u32_t
sys_now(void)
{
	return 0;
}

/*
 * Whether a segment reaches a connection in this state; n bytes of options,
 * of which first lie behind its header.
 */
static int
passes_with(enum tcp_state state, unsigned int flags, uint32_t seqno,
    unsigned int len, const uint8_t *opts, size_t n, size_t first)
{
	struct {
		struct tcp_hdr hdr;
		uint8_t opts[40];
	} seg;
	struct tcp_pcb pcb;

	memset(&pcb, 0, sizeof(pcb));
	memset(&seg, 0, sizeof(seg));
	pcb.state = state;
	pcb.rcv_nxt = NEXT;
	seg.hdr.seqno = seqno;
	seg.hdr._hdrlen_rsvd_flags = lwip_htons((u16_t)(5 << 12 | flags));
	if (first > 0)
		memcpy(seg.opts, opts, first);
	return net_tcp_segment(&pcb, &seg.hdr, (unsigned int)n,
	    (unsigned int)first, first < n ? opts + first : NULL, len) ==
	    ERR_OK;
}

static int
passes(enum tcp_state state, unsigned int flags, uint32_t seqno,
    unsigned int len)
{
	return passes_with(state, flags, seqno, len, NULL, 0, 0);
}

static void
ordinary_segments_pass(void **state)
{
	static const enum tcp_state states[] = { SYN_RCVD, ESTABLISHED,
	    FIN_WAIT_1, FIN_WAIT_2 };
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_true(passes(states[i], TCP_ACK, NEXT, 1460));
		assert_true(passes(states[i], TCP_ACK, NEXT + 1460, 1460));
		assert_true(passes(states[i], TCP_ACK, NEXT - 10, 20));
		assert_true(passes(states[i], TCP_ACK | TCP_FIN, NEXT, 5));
		assert_true(passes(states[i], TCP_ACK | TCP_FIN, NEXT - 5, 9));
	}
	assert_true(passes(SYN_SENT, TCP_ACK | TCP_SYN, 5, 0));
	assert_true(passes(LISTEN, TCP_SYN, 5, 0));
	assert_true(passes(SYN_RCVD, TCP_SYN, NEXT - 1, 0));
	assert_true(passes(TIME_WAIT, TCP_ACK | TCP_FIN, NEXT - 1, 0));
}

static void
end_before_its_data_waits(void **state)
{
	(void)state;
	assert_false(passes(ESTABLISHED, TCP_ACK | TCP_FIN, NEXT + 1, 0));
	assert_false(passes(FIN_WAIT_2, TCP_ACK | TCP_FIN, NEXT + 99, 9));
}

static void
handshake_ends_without_a_syn(void **state)
{
	(void)state;
	assert_false(passes(SYN_RCVD, TCP_ACK | TCP_SYN, NEXT - 1, 0));
	assert_false(passes(SYN_RCVD, TCP_ACK | TCP_SYN, NEXT, 7));
}

static void
nothing_comes_after_the_end(void **state)
{
	static const enum tcp_state states[] = { CLOSE_WAIT, CLOSING,
	    LAST_ACK };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_true(passes(states[i], TCP_ACK, NEXT, 0));
		assert_true(passes(states[i], TCP_ACK | TCP_FIN, NEXT - 1, 0));
		assert_true(passes(states[i], TCP_ACK, NEXT - 9, 9));
		assert_false(passes(states[i], TCP_ACK, NEXT, 1));
		assert_false(passes(states[i], TCP_ACK, NEXT - 9, 10));
		assert_false(passes(states[i], TCP_ACK | TCP_FIN, NEXT, 0));
	}
}

static void
a_segment_size_comes_with_the_syn_alone(void **state)
{
	static const uint8_t mss[] = { 2, 4, 0, 1 },
	    behind[] = { 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 1 },
	    within[] = { 1, 1, 8, 10, 2, 4, 0, 1, 2, 4, 0, 1 },
	    ended[] = { 1, 0, 2, 4 }, broken[] = { 5, 0, 2, 4 },
	    cut[] = { 1, 1, 1, 5 };
	size_t i;

#define PASSES(opts, first) \
    passes_with(ESTABLISHED, TCP_ACK, NEXT, 9, opts, sizeof(opts), first)
	(void)state;
	for (i = 0; i <= sizeof(mss); i++)
		assert_false(PASSES(mss, i));
	for (i = 0; i <= sizeof(behind); i++)
		assert_false(PASSES(behind, i));
	assert_true(PASSES(within, sizeof(within)));
	assert_true(PASSES(ended, 4));
	assert_true(PASSES(broken, 4));
	assert_true(PASSES(cut, 4));
	assert_true(passes_with(SYN_RCVD, TCP_SYN, NEXT - 1, 0, mss, 4, 4));
	assert_true(passes_with(LISTEN, TCP_SYN, 5, 0, mss, 4, 4));
}

/* Whether a packet with these extension headers, 8 bytes each, passes. */
static int
packet_passes(const uint8_t *next, size_t n, size_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
	uint8_t *b = p->payload;
	size_t i;

	memset(b, 0, len);
	b[6] = next[0];
	for (i = 1; i < n; i++)
		b[IP6_HLEN + (i - 1) * 8] = next[i];
	if (net_ip6_packet(p))
		return 0;
	pbuf_free(p);
	return 1;
}

static void
fragments_hold_no_extension(void **state)
{
	static const uint8_t plain[] = { 58 }, fragment[] = { 44, 17 },
	    options[] = { 0, 60, 43, 44, 6 }, nested[] = { 44, 44, 17 },
	    hidden[] = { 60, 44, 60, 17 }, cut[] = { 44 };
	uint8_t endless[64];

	(void)state;
	assert_true(packet_passes(plain, 1, 80));
	assert_true(packet_passes(fragment, 2, 80));
	assert_true(packet_passes(options, 5, 100));
	assert_false(packet_passes(nested, 3, 80));
	assert_false(packet_passes(hidden, 4, 80));
	assert_true(packet_passes(cut, 1, 44));	/* lwIP sees that it is short */
	assert_true(packet_passes(cut, 1, 8));
	memset(endless, 60, sizeof(endless));
	assert_false(packet_passes(endless, 64, 1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_segments_pass),
		cmocka_unit_test(end_before_its_data_waits),
		cmocka_unit_test(handshake_ends_without_a_syn),
		cmocka_unit_test(nothing_comes_after_the_end),
		cmocka_unit_test(a_segment_size_comes_with_the_syn_alone),
		cmocka_unit_test(fragments_hold_no_extension),
	};
	int failed;

	lwip_begin(1u << 20);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	lwip_end();
	return failed;
}
