/* SPDX-License-Identifier: ISC */
/* UNIT: guest/net/ifnet.c guest/net/iftx.c guest/net/ifrx.c guest/net/ifremote.c guest/net/announce.c guest/net/rxpool.c guest/net/arena.c guest/net/txcsum.c guest/net/guard.c guest/console/loglimit.c guest/net/iperf.c test/unit/kern_fake.c */
/* UNIT-CFLAGS: -Iguest/net -isystem $(SRC)/lwip/src/include */
/* UNIT-LIBS: lwip */
/*
 * Frames from a network that means us no good, through the interface into lwIP
 * as the guest has it: good ones of each kind, with bytes changed, cut, and
 * with their checksums mended so that they get far. Nothing may be touched that
 * is not ours (the sanitizers), no assertion may be reached, and each buffer
 * comes back.
 */
#include "net_fake.h"
#include "iperf.h"

#include "lwip/apps/fs.h"
#include "lwip/apps/httpd.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define ROUNDS		1000000
#define ROUNDS_LONG	5000000		/* with PARAVANE_LONG */
#define FRAME_MAX	1514

static struct net_if ifs;
static struct net_if *const ifp = &ifs;
static uint64_t seed = 1;

static const uint8_t my_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t my_ip[4] = { 10, 0, 2, 15 };
static const uint8_t peer_ip[4] = { 10, 0, 2, 2 };
static const uint8_t my_ip6[16] = { 0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 1 };
static const uint8_t peer_ip6[16] = { 0xfe, 0x80, [15] = 2 };

static uint32_t
rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t
ether(uint8_t *f, unsigned int type, const uint8_t *dst)
{
	memcpy(f, dst, 6);
	memcpy(f + 6, peer_mac, 6);
	put16(f + 12, type);
	return 14;
}

static size_t
ipv4(uint8_t *f, unsigned int proto, size_t payload)
{
	static const uint8_t everyone[6] = { 255, 255, 255, 255, 255, 255 };
	uint8_t *ip = f + ether(f, 0x0800, rnd() % 8 ? my_mac : everyone);

	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + payload);
	put16(ip + 4, rnd() % 4);
	ip[8] = 64;
	ip[9] = (uint8_t)proto;
	memcpy(ip + 12, peer_ip, 4);
	memcpy(ip + 16, my_ip, 4);
	return 34 + payload;
}

static size_t
ipv6(uint8_t *f, unsigned int proto, size_t payload)
{
	uint8_t *ip = f + ether(f, 0x86dd, my_mac);

	memset(ip, 0, 8);
	ip[0] = 0x60;
	put16(ip + 4, payload);
	ip[6] = (uint8_t)proto;
	ip[7] = 255;
	memcpy(ip + 8, peer_ip6, 16);
	memcpy(ip + 24, my_ip6, 16);
	return 54 + payload;
}

/* The kinds of frames: what one makes is mostly right. */

static size_t
make_arp(uint8_t *f)
{
	uint8_t *a = f + ether(f, 0x0806, my_mac);

	memcpy(a, "\0\1\x08\0\6\4\0", 7);
	a[7] = (uint8_t)(1 + rnd() % 2);
	memcpy(a + 8, peer_mac, 6);
	memcpy(a + 14, peer_ip, 4);
	memcpy(a + 18, my_mac, 6);
	memcpy(a + 24, my_ip, 4);
	return 42;
}

static size_t
make_icmp(uint8_t *f)
{
	static const uint8_t types[] = { 0, 3, 8, 8, 11, 12, 13 };
	size_t n = 8 + rnd() % 600;

	f[34] = types[rnd() % sizeof(types)];
	f[35] = (uint8_t)(rnd() % 6);
	return ipv4(f, 1, n);
}

static size_t
make_fragment(uint8_t *f)
{
	static const uint8_t protos[] = { 1, 6, 17 };
	size_t n = 8 * (1 + rnd() % 100), len;

	len = ipv4(f, protos[rnd() % 3], n);
	put16(f + 20, (rnd() % 2 ? 0x2000 : 0) | rnd() % 64 * 8);
	if (rnd() % 16 == 0)
		put16(f + 20, 0x1fff);
	return len;
}

static size_t
make_udp(uint8_t *f)
{
	static const uint16_t ports[] = { 53, 67, 68, 7, 5353, 9 };
	size_t n = 8 + rnd() % 500;
	size_t len = ipv4(f, 17, n);

	put16(f + 34, ports[rnd() % 6]);
	put16(f + 36, ports[rnd() % 6]);
	put16(f + 38, n);
	put16(f + 40, 0);
	return len;
}

/* An answer to whatever DHCP asks for at the moment. */
static size_t
make_dhcp(uint8_t *f)
{
	static const uint8_t options[] = { 1, 3, 6, 12, 26, 28, 50, 51, 52, 53,
	    54, 55, 58, 59, 61, 255, 0 };
	struct dhcp *dhcp = netif_dhcp_data(&ifp->if_netif);
	size_t n = 8 + 240 + 60, len = ipv4(f, 17, n), at = 240, k;
	uint8_t *d = f + 42;

	put16(f + 34, 67);
	put16(f + 36, 68);
	put16(f + 38, n);
	put16(f + 40, 0);
	memset(d, 0, 300);
	memcpy(d, "\2\1\6", 3);
	if (dhcp != NULL)
		put16(d + 4, dhcp->xid >> 16), put16(d + 6, dhcp->xid);
	memcpy(d + 16, my_ip, 4);
	memcpy(d + 28, my_mac, 6);
	memcpy(d + 236, "\x63\x82\x53\x63\x35\1", 6);
	d[242] = (uint8_t)(2 + rnd() % 5);
	for (at = 243; at + 10 < 300; at += 2 + k) {
		d[at] = options[rnd() % sizeof(options)];
		k = rnd() % 9;
		d[at + 1] = (uint8_t)(rnd() % 16 ? k : rnd());
	}
	return len;
}

static size_t
make_dns(uint8_t *f)
{
	size_t len = make_udp(f);

	put16(f + 34, 53);
	if (udp_pcbs != NULL)
		put16(f + 36, udp_pcbs->local_port);
	f[42] = f[43] = 0;
	f[44] = 0x81;
	f[45] = 0x80;
	put16(f + 46, 1);
	put16(f + 48, rnd() % 3);
	return len;
}

/* What the servers understand, more or less. */
static void
say(uint8_t *p, size_t n)
{
	static const char *const texts[] = {
		"GET / HTTP/1.0\r\n\r\n", "GET /dmesg HTTP/1.1\r\nHost: a",
		"GET ", "POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\nx",
		"\r\n\r\n", "\x80\0\0\1\0\0\0\1\0\0\x13\x89",
		"GET /%00..\\\xff?a=b&c HTTP/0.9\r\n", "",
	};
	const char *text = texts[rnd() % 8];
	size_t len = text[0] == '\x80' ? 12 : strlen(text);

	memcpy(p, text, len < n ? len : n);
}

/* For whichever connection there is, or to a port that listens. */
static size_t
make_tcp(uint8_t *f)
{
	struct tcp_pcb *pcb = tcp_active_pcbs;
	size_t opts = 4 * (rnd() % 11), n = 20 + opts + rnd() % 300;
	size_t len = ipv4(f, 6, n);
	uint32_t skip = rnd() % 8;
	uint8_t *t = f + 34;

	while (pcb != NULL && skip-- > 0 && pcb->next != NULL)
		pcb = pcb->next;
	put16(t, 1024 + rnd() % 4);
	put16(t + 2, rnd() % 3 == 0 ? 80 : rnd() % 2 ? 81 : 5001);
	if (pcb != NULL && rnd() % 8) {
		put16(t, pcb->remote_port);
		put16(t + 2, pcb->local_port);
		put16(t + 4, (pcb->rcv_nxt + rnd() % 3 * 100) >> 16);
		put16(t + 6, pcb->rcv_nxt + rnd() % 3 * 100);
		put16(t + 8, pcb->snd_nxt >> 16);
		put16(t + 10, pcb->snd_nxt);
	}
	t[12] = (uint8_t)((20 + opts) / 4 << 4);
	t[13] = (uint8_t)(rnd() % 4 ? 0x10 : rnd() & 0x3f);
	if (rnd() % 8 == 0)
		t[13] = 0x02;
	put16(t + 14, rnd());
	if (rnd() % 2)
		say(t + 20 + opts, n - 20 - opts);
	return len;
}

static size_t
make_icmp6(uint8_t *f)
{
	static const uint8_t types[] = { 1, 2, 3, 4, 128, 128, 129, 130, 131,
	    133, 134, 134, 135, 135, 136, 136, 137 };
	static const uint8_t option[] = { 1, 2, 3, 5, 25, 31, 0 };
	size_t n = 8 + 8 * (rnd() % 20), at;
	size_t len = ipv6(f, 58, n);
	uint8_t *p = f + 54;

	p[0] = types[rnd() % sizeof(types)];
	p[1] = 0;
	if (n >= 24 && rnd() % 4)
		memcpy(p + 8, rnd() % 2 ? my_ip6 : peer_ip6, 16);
	for (at = p[0] == 134 ? 16 : 24; at + 8 <= n;
	    at += p[at + 1] ? p[at + 1] * 8u : 8) {
		p[at] = option[rnd() % sizeof(option)];
		p[at + 1] = (uint8_t)(rnd() % 5);
	}
	return len;
}

static size_t
make_extensions(uint8_t *f)
{
	static const uint8_t next[] = { 0, 43, 44, 60, 58, 6, 17, 59, 255 };
	size_t n = 8 * (1 + rnd() % 40), at;
	size_t len = ipv6(f, next[rnd() % sizeof(next)], n);

	for (at = 54; at + 8 <= len; at += 8) {
		f[at] = next[rnd() % sizeof(next)];
		f[at + 1] = (uint8_t)(rnd() % 3);
		if (rnd() % 2)
			put16(f + at + 2, rnd() % 32 * 8 + rnd() % 2);
	}
	return len;
}

static size_t (*const makers[])(uint8_t *) = {
	make_arp, make_icmp, make_fragment, make_udp, make_dhcp, make_dns,
	make_tcp, make_tcp, make_tcp, make_icmp6, make_icmp6, make_extensions,
};

/* Change some bytes. */
static void
spoil(uint8_t *f, size_t len)
{
	unsigned int n = rnd() % 4;

	while (n-- > 0)
		f[rnd() % 3 ? 12 + rnd() % 60 : rnd() % len] = (uint8_t)rnd();
}

/* Make the checksums right where the frame is still what it claims to be. */
static void
mend4(uint8_t *ip, size_t len)
{
	size_t hlen = (ip[0] & 15u) * 4u, total = (size_t)ip[2] << 8 | ip[3];
	ip4_addr_t src, dst;
	struct pbuf *p;
	uint16_t sum;

	if (hlen < 20 || hlen > len)
		return;
	ip[10] = ip[11] = 0;
	sum = inet_chksum(ip, (u16_t)hlen);
	memcpy(ip + 10, &sum, 2);
	if (total > len || total < hlen + 8)
		return;
	if (ip[9] == 1) {
		ip[hlen + 2] = ip[hlen + 3] = 0;
		sum = inet_chksum(ip + hlen, (u16_t)(total - hlen));
		memcpy(ip + hlen + 2, &sum, 2);
	}
	if (ip[9] != 6 || total < hlen + 20)
		return;
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	ip[hlen + 16] = ip[hlen + 17] = 0;
	p = pbuf_alloc_reference(ip + hlen, (u16_t)(total - hlen), PBUF_REF);
	sum = inet_chksum_pseudo(p, 6, p->tot_len, &src, &dst);
	pbuf_free(p);
	memcpy(ip + hlen + 16, &sum, 2);
}

static void
mend6(uint8_t *ip, size_t len)
{
	size_t n = (size_t)ip[4] << 8 | ip[5];
	ip6_addr_t src, dst;
	struct pbuf *p;
	uint16_t sum;

	if (len < 40 || n + 40 > len || n < 4 || ip[6] != 58)
		return;
	memset(&src, 0, sizeof(src));
	memset(&dst, 0, sizeof(dst));
	memcpy(src.addr, ip + 8, 16);
	memcpy(dst.addr, ip + 24, 16);
	ip[42] = ip[43] = 0;
	p = pbuf_alloc_reference(ip + 40, (u16_t)n, PBUF_REF);
	sum = ip6_chksum_pseudo(p, 58, p->tot_len, &src, &dst);
	pbuf_free(p);
	memcpy(ip + 42, &sum, 2);
}

static void
mend(uint8_t *f, size_t len)
{
	if (len >= 34 && f[12] == 8 && f[13] == 0)
		mend4(f + 14, len - 14);
	else if (len >= 54 && f[12] == 0x86 && f[13] == 0xdd)
		mend6(f + 14, len - 14);
}

/* A server that keeps what it gets for a while, and says something back. */
static err_t
server_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	(void)arg;
	(void)err;
	if (p == NULL) {
		tcp_close(pcb);
		return ERR_OK;
	}
	tcp_write(pcb, p->payload, p->len, TCP_WRITE_FLAG_COPY);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t
server_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg;
	if (err != ERR_OK || pcb == NULL)
		return ERR_VAL;
	tcp_recv(pcb, server_recv);
	return ERR_OK;
}

static struct tcp_pcb *
server(void)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

	tcp_bind(pcb, IP_ANY_TYPE, 81);
	pcb = tcp_listen(pcb);
	tcp_accept(pcb, server_accept);
	return pcb;
}

void
iperf_report(const ip_addr_t *from, uint16_t port_no, uint64_t bytes,
    uint64_t ms, int whole)
{
	(void)from;
	(void)port_no;
	(void)bytes;
	(void)ms;
	(void)whole;
}

/* A page, in memory of its own. */
int
fs_open_custom(struct fs_file *file, const char *name)
{
	char *page;

	if (strcmp(name, "/index.html") != 0)
		return 0;
	page = malloc(5000);
	memset(page, 'x', 5000);
	memset(file, 0, sizeof(*file));
	file->data = page;
	file->len = file->index = 5000;
	file->flags = FS_FILE_FLAGS_HEADER_INCLUDED;
	return 1;
}

void
fs_close_custom(struct fs_file *file)
{
	free((void *)(uintptr_t)file->data);
}

static void
discard(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
    u16_t port_no)
{
	(void)arg;
	(void)pcb;
	(void)from;
	(void)port_no;
	pbuf_free(p);
}

static void
found(const char *name, const ip_addr_t *addr, void *arg)
{
	(void)name;
	(void)addr;
	(void)arg;
}

static void
up(void)
{
	interface_up(ifp);
	netif_create_ip6_linklocal_address(&ifp->if_netif, 1);
	netif_set_ip6_autoconfig_enabled(&ifp->if_netif, 1);
	netif_ip6_addr_set_state(&ifp->if_netif, 0, IP6_ADDR_PREFERRED);
}

/* The rest of a life: timers, what is to be sent, questions asked anew. */
static void
live(unsigned int round)
{
	ip_addr_t addr;

	if (round % 64 == 0) {
		now_ms += 97;
		sys_check_timeouts();
	}
	if (round % 4096 == 0)
		dhcp_start(&ifp->if_netif);
	if (round % 512 == 0) {
		ip_addr_set_ip4_u32_val(addr, 0x0202000a);
		dns_setserver(0, &addr);
		dns_gethostbyname_addrtype("peer.test", &addr, found, NULL,
		    LWIP_DNS_ADDRTYPE_IPV4);
	}
	netif_poll_all();
	if_flush(ifp);
	dev_complete();
	if_poll(ifp);
}

static void
nothing_is_harmed(void **state)
{
	static uint8_t f[FRAME_MAX + 64];
	struct tcp_pcb *listener;
	struct udp_pcb *udp;
	unsigned int i, rounds = ROUNDS;
	size_t len;

	(void)state;
	if (getenv("PARAVANE_LONG") != NULL)
		rounds = ROUNDS_LONG;
	if (getenv("PARAVANE_SEED") != NULL)
		seed = strtoull(getenv("PARAVANE_SEED"), NULL, 0);
	up();
	listener = server();
	httpd_init();
	assert_int_equal(iperf_start(), 0);
	udp = udp_new_ip_type(IPADDR_TYPE_ANY);
	udp_bind(udp, IP_ANY_TYPE, 7);
	udp_recv(udp, discard, NULL);
	for (i = 0; i < rounds; i++) {
		len = makers[rnd() % (sizeof(makers) / sizeof(makers[0]))](f);
		assert_true(len <= FRAME_MAX);
		if (rnd() % 4)
			spoil(f, len);
		if (rnd() % 8)
			mend(f, len);
		if (rnd() % 16 == 0)
			len = 1 + rnd() % len;
		dev_input(f, len, 0);
		if_poll(ifp);
		live(i);
		assert_int_equal(if_outstanding(ifp), 0);
	}
	assert_true(ifp->if_running);

	/* All connections end; all that was held comes back in time. */
	while (tcp_active_pcbs != NULL)
		tcp_abort(tcp_active_pcbs);
	tcp_close(listener);
	udp_remove(udp);
	dhcp_release_and_stop(&ifp->if_netif);
	for (i = 0; i < 2000; i++) {
		now_ms += 97;
		sys_check_timeouts();
		live(1);
	}
	assert_int_equal(ifp->if_pair[0].ip_pool->rp_lent, 0);
	netif_remove(&ifp->if_netif);
	assert_int_equal(if_detach(ifp), 0);
	dhcp_cleanup(&ifp->if_netif);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_harmed),
	};
	int failed;

	port_reset();
	dev_reset();
	lwip_begin(1u << 20);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	lwip_end();
	return failed;
}
