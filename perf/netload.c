/* SPDX-License-Identifier: ISC */
/*
 * What Linux makes of a network device, for perf/: the quickest ways to it that
 * its users have.
 *
 *	netload xdp IF			each frame that comes is dropped by the
 *					driver itself (XDP)
 *	netload plain IF		and again handed to the stack
 *	netload offloads IF off		what the stack does in place of the
 *					device's segmentation is off, too
 *	netload tso IF SIZE BATCH MS	TCP segments of SIZE bytes to be cut by the
 *					device, out of a ring of pages that the
 *					driver gets as they are (PACKET_TX_RING),
 *					a system call for each BATCH
 *	netload feed TAP SIZE MS	the same into a tap device on this machine,
 *					as fast as QEMU takes them from there
 *	netload send HOST PORT MS	a TCP connection, written to for that time
 *	netload recv HOST PORT		and read from, until its end
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define SLOT		(128 * 1024)	/* of the ring: a frame each */
#define SLOTS		64
#define QUEUED		768		/* frames, in a tap */
#define SEGMENT		1448		/* what the device is to cut */
#define HEADERS		(14 + 20 + 20)	/* Ethernet's, IPv4's, TCP's */
#define DATA_AT		((sizeof(struct tpacket2_hdr) + TPACKET_ALIGNMENT - 1) / \
			TPACKET_ALIGNMENT * TPACKET_ALIGNMENT)
#define PIECE		(128 * 1024)	/* of one write or read of TCP */

/* IFLA_XDP and what it holds, as rtnetlink wants it. */
struct xdp_request {
	struct nlmsghdr	xr_head;
	struct ifinfomsg xr_if;
	struct rtattr	xr_xdp;
	struct rtattr	xr_fd;
	int32_t		xr_fd_value;
	struct rtattr	xr_flags;
	uint32_t	xr_flags_value;
};

struct slot {
	struct tpacket2_hdr	*sl_head;
	uint8_t			*sl_data;
};

static int
index_of(const char *name)
{
	unsigned int index = if_nametoindex(name);

	if (index == 0)
		err(1, "%s", name);
	return (int)index;
}

/* return XDP_DROP; */
static int
drop_program(void)
{
	static const struct bpf_insn drop[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_EXIT }
	};
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uint64_t)(uintptr_t)drop;
	attr.insn_cnt = sizeof(drop) / sizeof(drop[0]);
	attr.license = (uint64_t)(uintptr_t)"ISC";
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		err(1, "bpf");
	return (int)fd;
}

static void
set_xdp(const char *name, int fd)
{
	struct xdp_request xr;
	struct {
		struct nlmsghdr	head;
		struct nlmsgerr	error;
		char		rest[1024];
	} answer;
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	memset(&xr, 0, sizeof(xr));
	xr.xr_head.nlmsg_len = sizeof(xr);
	xr.xr_head.nlmsg_type = RTM_SETLINK;
	xr.xr_head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	xr.xr_if.ifi_index = index_of(name);
	xr.xr_xdp.rta_type = IFLA_XDP | NLA_F_NESTED;
	xr.xr_xdp.rta_len = sizeof(xr) - offsetof(struct xdp_request, xr_xdp);
	xr.xr_fd.rta_type = IFLA_XDP_FD;
	xr.xr_fd.rta_len = RTA_LENGTH(sizeof(xr.xr_fd_value));
	xr.xr_fd_value = fd;
	xr.xr_flags.rta_type = IFLA_XDP_FLAGS;
	xr.xr_flags.rta_len = RTA_LENGTH(sizeof(xr.xr_flags_value));
	xr.xr_flags_value = XDP_FLAGS_DRV_MODE;
	if (s < 0 || send(s, &xr, sizeof(xr), 0) != sizeof(xr) ||
	    recv(s, &answer, sizeof(answer), 0) < (ssize_t)(
	    sizeof(answer.head) + sizeof(answer.error)))
		err(1, "rtnetlink");
	if (answer.error.error != 0) {
		errno = -answer.error.error;
		err(1, "%s: xdp", name);
	}
	close(s);
}

static void
ethtool(int s, const char *name, uint32_t what, const char *said)
{
	struct ethtool_value value = { .cmd = what };
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	ifr.ifr_data = (void *)&value;
	if (ioctl(s, SIOCETHTOOL, &ifr) != 0 && errno != EOPNOTSUPP)
		err(1, "%s: %s", name, said);
}

static void
offloads_off(const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s < 0)
		err(1, "socket");
	ethtool(s, name, ETHTOOL_STSO, "TSO");
	ethtool(s, name, ETHTOOL_SGSO, "GSO");
	ethtool(s, name, ETHTOOL_SGRO, "GRO");
	ethtool(s, name, ETHTOOL_STXCSUM, "TX checksums");
	close(s);
}

/* A segment from nowhere: no more of it than a device looks at. */
static void
segment(uint8_t *p, size_t size)
{
	static const uint8_t start[HEADERS] = {
		0x52, 0x54, 0, 0x12, 0x34, 0x56,	/* QEMU's first NIC */
		0x02, 0, 0, 0, 0, 0x02, 0x08, 0,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0,
		192, 0, 2, 1, 192, 0, 2, 2,
		0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0x20, 0,
	};
	uint32_t length = (uint32_t)size - 14, sum = 0, i;

	memcpy(p, start, sizeof(start));
	p[16] = (uint8_t)(length >> 8);
	p[17] = (uint8_t)length;
	for (i = 14; i < 34; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	p[24] = (uint8_t)(sum >> 8);
	p[25] = (uint8_t)sum;
}

static void
fill(struct slot *sl, size_t size)
{
	struct virtio_net_hdr *vh = (void *)sl->sl_data;

	memset(vh, 0, sizeof(*vh));
	vh->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vh->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	vh->hdr_len = HEADERS;
	vh->gso_size = SEGMENT;
	vh->csum_start = 34;
	vh->csum_offset = 16;
	segment(sl->sl_data + sizeof(*vh), size);
	sl->sl_head->tp_len = (uint32_t)(sizeof(*vh) + size);
}

/* Root of this network alone may not force it: then as much as a user has. */
static int
send_room(int s, int bytes)
{
	if (setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) == 0)
		return 0;
	if (errno != EPERM)
		return -1;
	return setsockopt(s, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int
ring(const char *name, struct slot *slots, size_t size)
{
	struct tpacket_req req = {
		.tp_block_size = SLOT, .tp_block_nr = SLOTS,
		.tp_frame_size = SLOT, .tp_frame_nr = SLOTS
	};
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_ifindex = index_of(name)
	};
	int s = socket(AF_PACKET, SOCK_RAW, 0), one = 1, i;
	int version = TPACKET_V2;
	uint8_t *map;

	if (s < 0 ||
	    setsockopt(s, SOL_PACKET, PACKET_VERSION, &version,
	    sizeof(version)) != 0 ||
	    setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0 ||
	    setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
	    sizeof(one)) != 0 ||
	    send_room(s, SLOT * SLOTS) != 0 ||
	    setsockopt(s, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) != 0 ||
	    bind(s, (struct sockaddr *)&sll, sizeof(sll)) != 0)
		err(1, "%s: packet socket", name);
	map = mmap(NULL, (size_t)SLOT * SLOTS, PROT_READ | PROT_WRITE,
	    MAP_SHARED, s, 0);
	if (map == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < SLOTS; i++) {
		slots[i].sl_head = (void *)(map + (size_t)i * SLOT);
		slots[i].sl_data = (uint8_t *)slots[i].sl_head +
		    DATA_AT;
		fill(&slots[i], size);
	}
	return s;
}

/* Its last frame is on the way or gone: the next can be put there. */
static int
is_free(const struct slot *sl)
{
	return __atomic_load_n(&sl->sl_head->tp_status, __ATOMIC_ACQUIRE) ==
	    TP_STATUS_AVAILABLE;
}

/* The ring's frames go out; if the device's ring is full, not all do. */
static void
push(int s)
{
	if (send(s, NULL, 0, MSG_DONTWAIT) < 0 && errno != ENOBUFS &&
	    errno != EAGAIN)
		err(1, "send");
}

static void
tso(const char *name, size_t size, unsigned int batch, uint64_t ms)
{
	struct slot slots[SLOTS];
	struct pollfd pfd = { .events = POLLOUT };
	uint64_t n = 0, began, end;

	if (size < HEADERS || size > 65535 + 14 || batch < 1 || batch > SLOTS)
		errx(1, "size or batch");
	pfd.fd = ring(name, slots, size);
	began = now_us();
	end = began + ms * 1000;
	do {
		while (!is_free(&slots[n % SLOTS])) {
			push(pfd.fd);
			poll(&pfd, 1, 1);
		}
		__atomic_store_n(&slots[n % SLOTS].sl_head->tp_status,
		    TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
		if (++n % batch == 0)
			push(pfd.fd);
	} while (now_us() < end);
	printf("bench: %llu operations in %llu us\n", (unsigned long long)n,
	    (unsigned long long)(now_us() - began));
}

/* Frames that a tap's other end has taken, by /proc/net/dev. */
static uint64_t
taken(const char *name)
{
	FILE *f = fopen("/proc/self/net/dev", "r");
	unsigned long long n = 0;
	char line[512], *words;

	if (f == NULL)
		err(1, "/proc/self/net/dev");
	while (fgets(line, sizeof(line), f) != NULL) {
		words = strchr(line, ':');
		if (words == NULL)
			continue;
		*words++ = '\0';
		/* Eight columns of what came from there are before it. */
		if (strcmp(line + strspn(line, " "), name) == 0 &&
		    sscanf(words, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		    &n) == 1)
			break;
	}
	fclose(f);
	return n;
}

/* A tap drops what is above its queue; so no more than that is in it. */
static void
feed(const char *name, size_t size, uint64_t ms)
{
	struct slot slots[SLOTS];
	uint64_t end = now_us() + ms * 1000, n = 0, first = taken(name);
	unsigned int i;
	int s = ring(name, slots, size);

	while (now_us() < end) {
		if (first + n > taken(name) + QUEUED) {
			usleep(100);
			continue;
		}
		for (i = 0; i < SLOTS / 2; i++, n++) {
			while (!is_free(&slots[n % SLOTS]))
				push(s);
			__atomic_store_n(&slots[n % SLOTS].sl_head->tp_status,
			    TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
		}
		push(s);
	}
}

static int
connected(const char *host, const char *port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port))
	};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s < 0 || inet_pton(AF_INET, host, &sin.sin_addr) != 1 ||
	    connect(s, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		err(1, "%s:%s", host, port);
	return s;
}

static void
say_bytes(uint64_t bytes, uint64_t us)
{
	printf("bench: %llu bytes in %llu us\n", (unsigned long long)bytes,
	    (unsigned long long)us);
}

static void
tcp_send(int s, uint64_t ms)
{
	static char piece[PIECE];
	uint64_t began = now_us(), end = began + ms * 1000, bytes = 0;
	ssize_t sent;

	do {
		sent = write(s, piece, sizeof(piece));
		if (sent < 0)
			err(1, "write");
		bytes += (uint64_t)sent;
	} while (now_us() < end);
	say_bytes(bytes, now_us() - began);
}

static void
tcp_recv(int s)
{
	static char piece[PIECE];
	uint64_t began = now_us(), bytes = 0;
	ssize_t got;

	while ((got = read(s, piece, sizeof(piece))) > 0)
		bytes += (uint64_t)got;
	if (got < 0)
		err(1, "read");
	say_bytes(bytes, now_us() - began);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "xdp") == 0)
		set_xdp(argv[2], drop_program());
	else if (argc == 3 && strcmp(argv[1], "plain") == 0)
		set_xdp(argv[2], -1);
	else if (argc == 4 && strcmp(argv[1], "offloads") == 0)
		offloads_off(argv[2]);
	else if (argc == 6 && strcmp(argv[1], "tso") == 0)
		tso(argv[2], (size_t)atol(argv[3]), (unsigned int)atoi(argv[4]),
		    (uint64_t)atol(argv[5]));
	else if (argc == 5 && strcmp(argv[1], "feed") == 0)
		feed(argv[2], (size_t)atol(argv[3]), (uint64_t)atol(argv[4]));
	else if (argc == 5 && strcmp(argv[1], "send") == 0)
		tcp_send(connected(argv[2], argv[3]), (uint64_t)atol(argv[4]));
	else if (argc == 4 && strcmp(argv[1], "recv") == 0)
		tcp_recv(connected(argv[2], argv[3]));
	else
		errx(1, "usage: see perf/netload.c");
	return 0;
}
