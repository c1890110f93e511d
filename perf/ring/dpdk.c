/* SPDX-License-Identifier: ISC */
/*
 * DPDK's virtio driver (net_virtio_user, of the distribution's package), whose
 * queues it is told to share with a vhost-user back end: a thread of this
 * process, which hears where they are and does nothing else.
 *
 * Counted is the driver's burst function, less what the same number of mbufs
 * costs that it allocates (receive) or frees (transmit) in there, counted by
 * itself. What it does to a frame's header can't be told apart, and stays in.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "port.h"
#include "ring.h"

#define POOL		16383

/* vhost-user, as far as a front end asks of what has no more features. */
enum {
	GET_FEATURES = 1, SET_VRING_NUM = 8, SET_VRING_ADDR = 9,
	GET_VRING_BASE = 11, GET_PROTOCOL_FEATURES = 15, GET_QUEUE_NUM = 17
};

#define REPLY		0x4
#define NEED_REPLY	0x8
#define VERSION		0x1
#define F_VERSION_1	(1ull << 32)
#define F_PACKED	(1ull << 34)
#define F_IN_ORDER	(1ull << 35)

struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	union {
		uint64_t u64;
		struct {
			uint32_t index;
			uint32_t num;
		} state;
		struct {
			uint32_t index;
			uint32_t flags;
			uint64_t desc;
			uint64_t used;
			uint64_t avail;
			uint64_t log;
		} addr;
		uint8_t room[512];
	} u;
} __attribute__((__packed__));

#define HEAD	offsetof(struct message, u)

static const struct work *work;
static struct ring shared[2];		/* receive, transmit */
static struct rte_mempool *pool;
static struct rte_mbuf *frames[BATCH_MAX];
static unsigned int have;		/* of them */
static unsigned int in_use;		/* mbufs, before the round */
static char path[64];
static FILE *said;			/* by DPDK */
static char *words;
static size_t nwords;

/* Files that come with a message are not needed: the memory is this process's. */
static int
receive(int fd, struct message *m)
{
	char control[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = { m, HEAD };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *cm;
	size_t i, n;

	if (recvmsg(fd, &mh, MSG_WAITALL) != (ssize_t)HEAD)
		return -1;
	cm = CMSG_FIRSTHDR(&mh);
	n = cm != NULL ? (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	for (i = 0; i < n; i++)
		close(((int *)(void *)CMSG_DATA(cm))[i]);
	if (m->size > sizeof(m->u))
		return -1;
	return m->size == 0 || recv(fd, &m->u, m->size, MSG_WAITALL) ==
	    (ssize_t)m->size ? 0 : -1;
}

static void
set_addr(const struct message *m)
{
	struct ring *rg = &shared[m->u.addr.index & 1];

	rg->rg_desc = (void *)m->u.addr.desc;
	rg->rg_driver = (void *)m->u.addr.avail;
	rg->rg_device = (void *)m->u.addr.used;
	rg->rg_wrap = true;
}

/* Returns whether there is an answer, which is then in m. */
static bool
answer(struct message *m)
{
	switch (m->request) {
	case GET_FEATURES:
		m->u.u64 = F_VERSION_1 | F_PACKED | F_IN_ORDER;
		break;
	case GET_PROTOCOL_FEATURES:
		m->u.u64 = 0;
		break;
	case GET_QUEUE_NUM:
		m->u.u64 = 1;
		break;
	case GET_VRING_BASE:
		m->u.state.num = 0;
		break;
	case SET_VRING_NUM:
		shared[m->u.state.index & 1].rg_size = m->u.state.num;
		return false;
	case SET_VRING_ADDR:
		set_addr(m);
		return false;
	default:
		m->u.u64 = 0;
		return (m->flags & NEED_REPLY) != 0;
	}
	return true;
}

static void *
back_end(void *arg)
{
	int fd = accept((int)(intptr_t)arg, NULL, NULL);
	struct message m;

	while (fd >= 0 && receive(fd, &m) == 0) {
		if (!answer(&m))
			continue;
		m.flags = VERSION | REPLY;
		m.size = 8;
		if (write(fd, &m, HEAD + 8) != (ssize_t)HEAD + 8)
			break;
	}
	return NULL;
}

static void
remove_socket(void)
{
	unlink(path);
}

static const char *
start_back_end(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	pthread_t thread;
	int fd;

	snprintf(path, sizeof(path), "/tmp/paravane-ring-%d", (int)getpid());
	memcpy(sun.sun_path, path, sizeof(path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    listen(fd, 1) != 0)
		return "no socket";
	atexit(remove_socket);
	if (pthread_create(&thread, NULL, back_end, (void *)(intptr_t)fd) != 0)
		return "no thread";
	return NULL;
}

static const char *
start_dpdk(const struct work *wk)
{
	static char vdev[256];
	char *argv[] = {
		"ring-dpdk", "--no-huge", "-m", "256", "--no-pci",
		"--no-telemetry", "--no-shconf", "--log-level=info",
		"--log-level=pmd.net.virtio.init:info",
		"--force-max-simd-bitwidth=512", "-l", "0", vdev, NULL
	};

	snprintf(vdev, sizeof(vdev), "--vdev=net_virtio_user0,path=%s,"
	    "queues=1,queue_size=%u,packed_vq=%d,in_order=%d,mrg_rxbuf=0,"
	    "vectorized=%d", path, wk->wk_size, wk->wk_packed, wk->wk_in_order,
	    wk->wk_vector);
	said = open_memstream(&words, &nwords);
	if (said == NULL || rte_openlog_stream(said) != 0)
		return "no memory";
	return rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv) < 0 ?
	    "DPDK does not start" : NULL;
}

/* Whether the path is one with SIMD, by what the driver logs of it. */
static const char *
look_at_path(const struct work *wk)
{
	const char *line;

	fflush(said);
	line = strstr(words, wk->wk_in ? "Rx path" : "Tx path");
	if (line == NULL)
		return "it says nothing of its path";
	while (line > words && line[-1] != '\n')
		line--;
	if (getenv("RING_VERBOSE") != NULL)
		fprintf(stderr, "%.*s\n", (int)strcspn(line, "\n"), line);
	line = memmem(line, strcspn(line, "\n"), "vectorized", 10);
	return wk->wk_vector && line == NULL ? "no path with SIMD here" : NULL;
}

static const char *
dpdk_open(const struct work *wk, struct ring *rings)
{
	const char *why;

	work = wk;
	if (wk->wk_segments != 1 || wk->wk_queues != 1)
		return "one segment and one queue";
	why = start_back_end();
	if (why == NULL)
		why = start_dpdk(wk);
	if (why == NULL)
		why = dpdk_port(wk->wk_size, POOL, &pool);
	if (why == NULL)
		why = look_at_path(wk);
	rings[0] = shared[wk->wk_in ? 0 : 1];
	if (why == NULL && (rings[0].rg_desc == NULL || rings[0].rg_size == 0))
		why = "no ring was shared";
	if (why != NULL)
		return why;
	/* No doorbells. */
	if (wk->wk_packed)
		*(uint32_t *)rings[0].rg_device = 1u << 16;
	else
		*(uint16_t *)rings[0].rg_device = 1;
	return NULL;
}

static void
take_frames(unsigned int n)
{
	unsigned int i;

	if (rte_pktmbuf_alloc_bulk(pool, frames, n) != 0)
		errx(1, "DPDK: no more mbufs");
	for (i = 0; i < n; i++)
		rte_pktmbuf_append(frames[i], BUFFER_LEN);
	have = n;
	in_use = rte_mempool_in_use_count(pool);
}

/* What was sent is taken back in many at once. */
static bool
sent_came_back(void)
{
	return rte_mempool_in_use_count(pool) < in_use;
}

static void
give_frames(void)
{
	rte_pktmbuf_free_bulk(frames, have);
	have = 0;
}

/* Transmit owns what is sent; receive is given what came. */
static void
dpdk_before(unsigned int queue, unsigned int n)
{
	(void)queue;
	if (work->wk_in)
		give_frames();
	else
		take_frames(n);
}

static unsigned int
dpdk_put(unsigned int queue, unsigned int n)
{
	const struct rte_eth_fp_ops *op = &rte_eth_fp_ops[0];

	(void)queue;
	return op->tx_pkt_burst(op->txq.data[0], frames, (uint16_t)n);
}

static unsigned int
dpdk_get(unsigned int queue, unsigned int n)
{
	const struct rte_eth_fp_ops *op = &rte_eth_fp_ops[0];

	(void)queue;
	return have = op->rx_pkt_burst(op->rxq.data[0], frames, (uint16_t)n);
}

/* What the bursts have of mbufs. */
static void
beside_out(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		rte_pktmbuf_free(frames[i]);
	have = 0;
}

static void
beside_in(unsigned int n)
{
	have = rte_pktmbuf_alloc_bulk(pool, frames, n) == 0 ? n : 0;
}

/* The vectorized paths fill in what mbufs need by themselves, 32 at a time. */
static void
beside_in_vector(unsigned int n)
{
	have = rte_mempool_get_bulk(pool, (void **)frames, n) == 0 ? n : 0;
}

int
main(int argc, char **argv)
{
	static struct driver dpdk = {
		.dr_name = "DPDK",
		.dr_open = dpdk_open,
		.dr_before = dpdk_before
	};
	bool in = false, vector = false;
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "--in") == 0)
			in = true;
		else if (strcmp(argv[i], "--vector") == 0)
			vector = true;
	if (in) {
		dpdk.dr_get = dpdk_get;
		dpdk.dr_beside = vector ? beside_in_vector : beside_in;
		dpdk.dr_beside_n = vector ? 32 : 0;
	} else {
		dpdk.dr_put = dpdk_put;
		dpdk.dr_beside = beside_out;
		dpdk.dr_fresh = sent_came_back;
	}
	return ring_main(argc, argv, &dpdk);
}
