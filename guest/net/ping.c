/* SPDX-License-Identifier: ISC */
/*
 * Echo requests. The size is that of the whole IP packet, its header included:
 * `ping -D -s MTU host` is the longest that goes out in one frame.
 */
#include <errno.h>
#include <string.h>

#include "lwip/icmp.h"
#include "lwip/icmp6.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/nd6.h"
#include "lwip/prot/ip4.h"
#include "lwip/raw.h"

#include "ktime.h"
#include "net_guest.h"
#include "netstack.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"

#define PING_TIMEOUT_NS		(2 * NS_PER_S)
#define PING_INTERVAL_NS	(NS_PER_S / 2)
#define PING_DEFAULT_SIZE	84
#define PING_TTL		64
#define IP_DONT_FRAGMENT	0x4000

struct ping {
	ip_addr_t	pi_addr;
	struct netif	*pi_netif;
	u8_t		pi_index;	/* its, which may be taken out */
	struct raw_pcb	*pi_pcb;
	struct event	pi_event;
	unsigned int	pi_size;	/* of the IP packet */
	bool		pi_dontfrag;
	bool		pi_v6;
	uint16_t	pi_id;
	uint16_t	pi_seq;
	bool		pi_got;
	bool		pi_corrupt;
	unsigned int	pi_gotsize;
	uint64_t	pi_gottime;
	unsigned int	pi_sent;
	unsigned int	pi_received;
};

static unsigned int
ping_header(const struct ping *pi)
{
	return pi->pi_v6 ? IP6_HLEN : IP_HLEN;
}

/* What the data bytes are, so that a reply can be held against them. */
static uint8_t
ping_byte(unsigned int i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

static bool
ping_data_good(struct pbuf *p, unsigned int from)
{
	unsigned int at = 0, i;
	const uint8_t *data;

	for (; p != NULL; p = p->next) {
		data = p->payload;
		for (i = 0; i < p->len; i++, at++)
			if (at >= from && data[i] != ping_byte(at - from))
				return false;
	}
	return true;
}

static u8_t
ping_input(void *arg, struct raw_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from)
{
	struct ping *pi = arg;
	struct icmp_echo_hdr echo;
	unsigned int hlen = ip_current_header_tot_len();
	u8_t reply = pi->pi_v6 ? ICMP6_TYPE_EREP : ICMP_ER;

	(void)pcb;
	(void)from;
	if (pbuf_copy_partial(p, &echo, sizeof(echo), (u16_t)hlen) !=
	    sizeof(echo) || echo.type != reply || echo.id != pi->pi_id ||
	    echo.seqno != lwip_htons(pi->pi_seq))
		return 0;
	pi->pi_got = true;
	pi->pi_gottime = uptime_ns();
	pi->pi_gotsize = p->tot_len;
	pi->pi_corrupt = !ping_data_good(p, hlen + (unsigned int)sizeof(echo));
	event_signal(&pi->pi_event);
	pbuf_free(p);
	return 1;
}

static void
ping_ip_header(const struct ping *pi, struct ip_hdr *ip)
{
	IPH_VHL_SET(ip, 4, IP_HLEN / 4);
	IPH_TOS_SET(ip, 0);
	IPH_LEN_SET(ip, lwip_htons((u16_t)pi->pi_size));
	IPH_ID_SET(ip, lwip_htons(pi->pi_seq));
	IPH_OFFSET_SET(ip, lwip_htons(IP_DONT_FRAGMENT));
	IPH_TTL_SET(ip, PING_TTL);
	IPH_PROTO_SET(ip, IP_PROTO_ICMP);
	ip->src.addr = netif_ip4_addr(pi->pi_netif)->addr;
	ip->dest.addr = ip_2_ip4(&pi->pi_addr)->addr;
	IPH_CHKSUM_SET(ip, 0);
	IPH_CHKSUM_SET(ip, inet_chksum(ip, IP_HLEN));
}

/* The ICMP message; of an IPv4 packet that must not be cut, the header too. */
static struct pbuf *
ping_packet(const struct ping *pi)
{
	unsigned int len = pi->pi_size - ping_header(pi), i;
	struct icmp_echo_hdr *echo;
	struct pbuf *p;
	uint8_t *data;

	p = pbuf_alloc(PBUF_IP, (u16_t)len, PBUF_RAM);
	if (p == NULL)
		return NULL;
	echo = p->payload;
	data = p->payload;
	echo->type = pi->pi_v6 ? ICMP6_TYPE_EREQ : ICMP_ECHO;
	echo->code = 0;
	echo->chksum = 0;
	echo->id = pi->pi_id;
	echo->seqno = lwip_htons(pi->pi_seq);
	for (i = sizeof(*echo); i < len; i++)
		data[i] = ping_byte(i - (unsigned int)sizeof(*echo));
	if (!pi->pi_v6)
		echo->chksum = inet_chksum(data, (u16_t)len);
	if (!pi->pi_v6 && pi->pi_dontfrag) {
		pbuf_add_header(p, IP_HLEN);
		ping_ip_header(pi, p->payload);
	}
	return p;
}

static unsigned int
ping_mtu(const struct ping *pi)
{
	if (pi->pi_netif->mtu == 0)
		return UINT16_MAX;
	if (pi->pi_v6)
		return nd6_get_destination_mtu(ip_2_ip6(&pi->pi_addr),
		    pi->pi_netif);
	return pi->pi_netif->mtu;
}

static int
ping_send(struct ping *pi)
{
	struct pbuf *p;
	err_t err;

	if (netif_get_by_index(pi->pi_index) != pi->pi_netif) {
		tty_printf("ping: the interface is gone\n");
		return ENXIO;
	}
	if (pi->pi_dontfrag && pi->pi_size > ping_mtu(pi)) {
		tty_printf("ping: %u bytes: message too long, mtu is %u\n",
		    pi->pi_size, ping_mtu(pi));
		return EMSGSIZE;
	}
	p = ping_packet(pi);
	if (p == NULL) {
		tty_printf("ping: no memory for %u bytes\n", pi->pi_size);
		return ENOBUFS;
	}
	pi->pi_got = false;
	err = raw_sendto_if_src(pi->pi_pcb, p, &pi->pi_addr, pi->pi_netif,
	    pi->pi_v6 ? ip6_select_source_address(pi->pi_netif,
	    ip_2_ip6(&pi->pi_addr)) : netif_ip_addr4(pi->pi_netif));
	pbuf_free(p);
	if (err != ERR_OK) {
		tty_printf("ping: %s\n", strerror(net_error(err)));
		return net_error(err);
	}
	pi->pi_sent++;
	return 0;
}

static int
ping_await(struct ping *pi, uint64_t sent)
{
	uint64_t now;

	while (!pi->pi_got) {
		now = uptime_ns();
		if (tty_interrupted())
			return EINTR;
		if (now - sent >= PING_TIMEOUT_NS) {
			tty_printf("no answer to %u\n", pi->pi_seq);
			return 0;
		}
		event_wait(&pi->pi_event, TTY_SLICE_NS);
	}
	now = pi->pi_gottime - sent;
	tty_printf("%u bytes from %s: seq %u time %llu.%03llu ms%s\n",
	    pi->pi_gotsize, net_ntoa(&pi->pi_addr), pi->pi_seq,
	    (unsigned long long)(now / NS_PER_MS),
	    (unsigned long long)(now / NS_PER_US % 1000),
	    pi->pi_corrupt ? " CORRUPT" :
	    pi->pi_gotsize != pi->pi_size ? " WRONG SIZE" : "");
	if (!pi->pi_corrupt && pi->pi_gotsize == pi->pi_size)
		pi->pi_received++;
	return 0;
}

static int
ping_run(struct ping *pi, unsigned int count)
{
	uint64_t sent;
	int error;

	while (pi->pi_seq < count) {
		pi->pi_seq++;
		sent = uptime_ns();
		error = ping_send(pi);
		if (error)
			return error;
		error = ping_await(pi, sent);
		if (error)
			return error;
		if (pi->pi_seq < count && tty_sleep(PING_INTERVAL_NS) != 0)
			return EINTR;
	}
	return 0;
}

static int
ping_open(struct ping *pi)
{
	pi->pi_v6 = IP_IS_V6(&pi->pi_addr);
	if (pi->pi_size < ping_header(pi) + sizeof(struct icmp_echo_hdr)) {
		tty_printf("ping: %u bytes: too short\n", pi->pi_size);
		return EINVAL;
	}
	pi->pi_netif = ip_route(IP46_ADDR_ANY(IP_GET_TYPE(&pi->pi_addr)),
	    &pi->pi_addr);
	if (pi->pi_netif == NULL) {
		tty_printf("ping: no route to %s\n", net_ntoa(&pi->pi_addr));
		return ENETUNREACH;
	}
	pi->pi_index = netif_get_index(pi->pi_netif);
	pi->pi_pcb = raw_new_ip_type(IP_GET_TYPE(&pi->pi_addr),
	    pi->pi_v6 ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP);
	if (pi->pi_pcb == NULL)
		return ENOBUFS;
	if (pi->pi_v6) {
		pi->pi_pcb->chksum_reqd = 1;
		pi->pi_pcb->chksum_offset = 2;
	} else if (pi->pi_dontfrag)
		raw_set_flags(pi->pi_pcb, RAW_FLAGS_HDRINCL);
	pi->pi_id = (uint16_t)net_random();
	raw_recv(pi->pi_pcb, ping_input, pi);
	return 0;
}

static int
ping_options(int argc, char **argv, struct ping *pi, unsigned long long *count,
    const char **host)
{
	unsigned long long size;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-D") == 0)
			pi->pi_dontfrag = true;
		else if (strcmp(argv[i], "-6") == 0)
			pi->pi_v6 = true;
		else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
			if (shell_number("size", argv[++i], 28, 65535,
			    &size) != 0)
				return EINVAL;
			pi->pi_size = (unsigned int)size;
		} else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			if (shell_number("count", argv[++i], 1, 65535,
			    count) != 0)
				return EINVAL;
		} else if (argv[i][0] != '-' && *host == NULL)
			*host = argv[i];
		else
			return shell_usage(argv[0]);
	}
	return *host == NULL ? shell_usage(argv[0]) : 0;
}

static int
cmd_ping(int argc, char **argv)
{
	struct ping pi = { .pi_size = PING_DEFAULT_SIZE };
	unsigned long long count = 3;
	const char *host = NULL;
	int error;

	error = ping_options(argc, argv, &pi, &count, &host);
	if (error)
		return error;
	error = net_resolve(host, pi.pi_v6, &pi.pi_addr);
	if (error)
		return error;
	error = ping_open(&pi);
	if (error)
		return error;
	error = ping_run(&pi, (unsigned int)count);
	raw_remove(pi.pi_pcb);
	if (pi.pi_sent != 0)
		tty_printf("%u sent, %u received\n", pi.pi_sent,
		    pi.pi_received);
	if (error == 0 && pi.pi_received != pi.pi_sent)
		error = ETIMEDOUT;
	return error;
}
COMMAND(ping, cmd_ping, "ping [-6D] [-c COUNT] [-s BYTES] HOST",
    "echo requests; -s: size of the IP packet, -D: do not fragment");
