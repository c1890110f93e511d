/* SPDX-License-Identifier: ISC */
/*
 * A vhost-user front end whose back end is slow, wrong, hostile or gone. The
 * back end is a thread here, polite but for what a test asks of it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <paravane/blk.h>
#include <paravane/net.h>

#include "port.h"
#include "vhost_user.h"
#include "vhost_wire.h"

#include "../port/message.h"

#define BIT(n)		(1ull << (n))
#define BLK_FEATURES	(BIT(VW_F_PROTOCOL) | BIT(PV_F_VERSION_1) | \
    BIT(PV_BLK_F_MQ) | BIT(PV_BLK_F_FLUSH) | BIT(PV_BLK_F_CONFIG_WCE))
#define NET_FEATURES	(BIT(VW_F_PROTOCOL) | BIT(PV_F_VERSION_1) | \
    BIT(PV_NET_F_CTRL_VQ) | BIT(PV_NET_F_MQ) | BIT(PV_NET_F_MTU) | \
    BIT(PV_NET_F_CTRL_RX) | BIT(PV_F_ACCESS_PLATFORM) | BIT(VW_F_LOG_ALL))
#define PROTOCOL	(BIT(VHOST_P_MQ) | BIT(VHOST_P_REPLY_ACK) | \
    BIT(VHOST_P_NET_MTU) | BIT(VHOST_P_BACKEND_REQ) | BIT(VHOST_P_CONFIG) | \
    BIT(VHOST_P_INFLIGHT_SHMFD) | BIT(VHOST_P_CONFIGURE_MEM_SLOTS) | \
    BIT(VHOST_P_STATUS))

#define REGION	SHMEM_ALIGN
#define SOON	60u		/* ms, of who never answers */
#define LATE	20000u		/* of who does */

enum wrong {
	POLITE,
	CLOSES,			/* in place of an answer */
	HALF,			/* of a header, then closes */
	SILENT,
	TRICKLES,		/* a byte now and then */
	SHORT,			/* a payload of 4 bytes */
	LONG,			/* one byte more than asked */
	HUGE_SIZE,
	OTHER,			/* answers another request */
	NO_REPLY,		/* without the flag of an answer */
	VERSION,
	WITH_FD,		/* that nobody asked for */
	REFUSES,		/* acknowledges with an error */
	TWICE,			/* answers two times */
	ANYTHING		/* any of these, or bytes and descriptors */
};

/* What the back end is, set before it is asked, and what it saw. */
static struct {
	uint64_t features, protocol, queues, slots, capacity;
	uint32_t config_max;		/* longest that it gives */
	unsigned int wrong_at;		/* the how many-th message */
	uint32_t wrong_request;		/* or each of this one */
	enum wrong wrong;
	uint64_t status_mask;
	uint64_t inflight_size, inflight_file, inflight_offset;
	int inflight_no_fd;
	uint32_t base_xor;		/* of GET_VRING_BASE's index */

	uint64_t seed;			/* of ANYTHING */
	unsigned int evil;		/* how rarely: one in so many */

	unsigned int nmessages, nconnections;
	uint64_t got_features, got_protocol, status, mtu;
	uint32_t regions, enabled;	/* mask */
	uint32_t bases[8], nums[8], stopped, told_calls;
	uint64_t used[8];		/* addresses of used rings */
	struct vw_packed_inflight packed;	/* of each queue, as it lies
						 * in the in-flight memory */
	unsigned int inflight_set, config_set;
	uint8_t config[60];
} be;

static char dir[] = "/tmp/paravane-XXXXXX", path[64];
static int listener = -1, sock = -1, channel = -1, kicks[8], calls[8];
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int quit;		/* atomic */

static struct shmem sm;
static struct vhost *vh;
static struct pv_virtio dev;
static struct pv_blk blk;
static struct pv_net net;
static unsigned int nbroken, nchanged;

/* The back end */

static void
hang_up(void)
{
	if (sock >= 0)
		close(sock);
	if (channel >= 0)
		close(channel);
	sock = channel = -1;
}

static void
trickle(const struct vw_msg *m, size_t len)
{
	size_t i;

	for (i = 0; i < len && message_send(sock, (const uint8_t *)m + i, 1,
	    -1); i++)
		usleep(SOON * 1000 / 4);
}

static unsigned int
draw(uint64_t *seed, size_t n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)((*seed >> 33) % n);
}

#define MANY	20u

/* With n descriptors, which nobody asked for. */
static void
send_many(const void *buf, size_t len, unsigned int n)
{
	char control[CMSG_SPACE(MANY * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	unsigned int i;

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(cm) + i * sizeof(int), &listener,
		    sizeof(listener));
	sendmsg(sock, &mh, MSG_NOSIGNAL);
}

/* Other bytes in a message of size, or not all of it. */
static void
send_anything(struct vw_msg *m, size_t size, int fd)
{
	unsigned int i;

	for (i = draw(&be.seed, 4); i > 0; i--)
		((uint8_t *)m)[draw(&be.seed, size)] =
		    (uint8_t)draw(&be.seed, 256);
	if (draw(&be.seed, 4) == 0)
		size = draw(&be.seed, size + 1);
	if (draw(&be.seed, 4) == 0)
		send_many(m, size, 1 + draw(&be.seed, MANY));
	else
		message_send(sock, m, size, fd);
}

/* Sends the answer, or what the test has in its place; -1: hung up. */
static int
answer(struct vw_msg *m, size_t len, int fd, enum wrong wrong)
{
	size_t size = VW_HEADER + len;

	m->vw_flags = VW_VERSION | VW_REPLY;
	m->vw_size = (uint32_t)len;
	switch (wrong) {
	case CLOSES:
		hang_up();
		return -1;
	case HALF:
		message_send(sock, m, VW_HEADER / 2, -1);
		hang_up();
		return -1;
	case SILENT:
		return 0;
	case TRICKLES:
		trickle(m, size);
		return 0;
	case SHORT:
		m->vw_size = 4;
		size = VW_HEADER + 4;
		break;
	case LONG:
		m->vw_size++;
		size++;
		break;
	case HUGE_SIZE:
		m->vw_size = 0xffffffffu;
		break;
	case OTHER:
		m->vw_request ^= 64;
		break;
	case NO_REPLY:
		m->vw_flags &= ~VW_REPLY;
		break;
	case VERSION:
		m->vw_flags ^= 3;
		break;
	case WITH_FD:
		fd = fd >= 0 ? -1 : listener;
		break;
	case REFUSES:
		m->u.vw_u64 = 1;
		break;
	case TWICE:
		message_send(sock, m, size, fd);
		break;
	case ANYTHING:
		send_anything(m, size, fd);
		return 0;
	case POLITE:
		break;
	}
	message_send(sock, m, size, fd);
	return 0;
}

static size_t
do_config(struct vw_msg *m)
{
	const uint64_t sectors = be.capacity / 512;

	if (m->u.vw_config.vc_size > be.config_max)
		return 0;
	memcpy(be.config, &sectors, 8);
	be.config[34] = 2;
	memcpy(m->u.vw_config.vc_data, be.config, m->u.vw_config.vc_size);
	return VW_CONFIG_LEN + m->u.vw_config.vc_size;
}

static size_t
do_inflight(struct vw_msg *m, int *fd)
{
	uint64_t off;

	*fd = be.inflight_no_fd ? -1 : memfd_create("inflight", MFD_CLOEXEC);
	if (*fd >= 0 && ftruncate(*fd, (off_t)be.inflight_file) != 0)
		abort();
	if (*fd >= 0 && be.packed.vp_version != 0)
		for (off = be.inflight_offset; off < be.inflight_file;
		    off += be.inflight_size / 2)
			if (pwrite(*fd, &be.packed, sizeof(be.packed),
			    (off_t)off) != (ssize_t)sizeof(be.packed))
				abort();
	m->u.vw_inflight.vi_size = be.inflight_size;
	m->u.vw_inflight.vi_offset = be.inflight_offset;
	return VW_INFLIGHT_LEN;
}

static void
do_ring(const struct vw_msg *m, int fd)
{
	unsigned int i = m->u.vw_state.vs_index & 7;

	switch (m->vw_request) {
	case VW_SET_VRING_ENABLE:
		be.enabled &= ~(1u << i);
		be.enabled |= (m->u.vw_state.vs_num & 1) << i;
		break;
	case VW_SET_VRING_BASE:
		be.bases[i] = m->u.vw_state.vs_num;
		break;
	case VW_SET_VRING_ADDR:
		be.used[m->u.vw_addr.va_index & 7] = m->u.vw_addr.va_used;
		break;
	case VW_SET_VRING_NUM:
		be.nums[i] = m->u.vw_state.vs_num;
		break;
	case VW_SET_VRING_KICK:
	case VW_SET_VRING_CALL: {
		int *to = m->vw_request == VW_SET_VRING_KICK ? kicks : calls;

		if (to[i] >= 0)
			close(to[i]);
		to[i] = dup(fd);
		if (to == calls)
			be.told_calls |= 1u << i;
		break;
	}
	default:
		break;
	}
}

/* 0: there is nothing to answer but an acknowledgement. */
static size_t
do_request(struct vw_msg *m, int fd, int *reply_fd)
{
	switch (m->vw_request) {
	case VW_GET_FEATURES:
		m->u.vw_u64 = be.features;
		return 8;
	case VW_SET_FEATURES:
		be.got_features = m->u.vw_u64;
		return 0;
	case VW_GET_PROTOCOL:
		m->u.vw_u64 = be.protocol;
		return 8;
	case VW_SET_PROTOCOL:
		be.got_protocol = m->u.vw_u64;
		return 0;
	case VW_GET_QUEUE_NUM:
		m->u.vw_u64 = be.queues;
		return 8;
	case VW_GET_MAX_MEM_SLOTS:
		m->u.vw_u64 = be.slots;
		return 8;
	case VW_GET_STATUS:
		m->u.vw_u64 = be.status & be.status_mask;
		return 8;
	case VW_SET_STATUS:
		be.status = m->u.vw_u64;
		return 0;
	case VW_NET_SET_MTU:
		be.mtu = m->u.vw_u64;
		return 0;
	case VW_GET_CONFIG:
		return do_config(m);
	case VW_SET_CONFIG:
		be.config_set++;
		memcpy(be.config + m->u.vw_config.vc_offset,
		    m->u.vw_config.vc_data, m->u.vw_config.vc_size);
		return 0;
	case VW_GET_INFLIGHT_FD:
		return do_inflight(m, reply_fd);
	case VW_SET_INFLIGHT_FD:
		be.inflight_set++;
		return 0;
	case VW_ADD_MEM_REG:
		be.regions++;
		return 0;
	case VW_SET_MEM_TABLE:
		be.regions = m->u.vw_memory.vm_n;
		return 0;
	case VW_SET_BACKEND_REQ_FD:
		if (channel >= 0)
			close(channel);
		channel = dup(fd);
		return 0;
	case VW_GET_VRING_BASE:
		be.stopped |= 1u << (m->u.vw_state.vs_index & 7);
		m->u.vw_state.vs_index ^= be.base_xor;
		return 8;
	default:
		do_ring(m, fd);
		return 0;
	}
}

/* The first of its descriptors, or -1, is kept. */
static bool
take(struct vw_msg *m, int *fd)
{
	int fds[MESSAGE_FDS];
	bool whole;
	size_t n;

	whole = message_take(sock, m, fds, &n);
	*fd = n > 0 ? fds[0] : -1;
	while (n > 1)
		close(fds[--n]);
	return whole;
}

/* As it says itself, or when the front end has gone. */
static void
one_message(void)
{
	enum wrong wrong = POLITE;
	int fd, reply_fd = -1, need;
	uint32_t request;
	struct vw_msg m;
	size_t len;

	if (!take(&m, &fd)) {
		hang_up();
		return;
	}
	request = m.vw_request;
	need = (m.vw_flags & VW_NEED_REPLY) != 0;
	if (be.wrong == ANYTHING && draw(&be.seed, be.evil) == 0)
		wrong = (enum wrong)draw(&be.seed, ANYTHING + 1);
	else if (be.wrong_request == request || ++be.nmessages == be.wrong_at)
		wrong = be.wrong;
	len = do_request(&m, fd, &reply_fd);
	if (fd >= 0)
		close(fd);
	if (len == 0 && request != VW_GET_CONFIG && need) {
		m.u.vw_u64 = 0;
		len = 8;
	} else if (len == 0 && request != VW_GET_CONFIG) {
		if (wrong == CLOSES || wrong == HALF)
			hang_up();
		return;
	}
	answer(&m, len, reply_fd, wrong);
	if (reply_fd >= 0)
		close(reply_fd);
}

static void *
back_end(void *arg)
{
	struct pollfd pfd;

	(void)arg;
	while (!__atomic_load_n(&quit, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&lock);
		pfd.fd = sock >= 0 ? sock : listener;
		pthread_mutex_unlock(&lock);
		pfd.events = POLLIN;
		if (poll(&pfd, 1, 1) != 1)
			continue;
		pthread_mutex_lock(&lock);
		if (sock < 0 && pfd.fd == listener) {
			sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			be.nconnections += sock >= 0;
		} else if (pfd.fd == sock)
			one_message();
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

/* What a test does to it from outside, between messages. */
static void
hang_up_now(void)
{
	struct pollfd pfd = { .fd = vh != NULL ? vhost_fd(vh, VHOST_ALL) : -1,
	    .events = POLLRDHUP };

	pthread_mutex_lock(&lock);
	hang_up();
	pthread_mutex_unlock(&lock);
	/* The other thread may hold it for a moment. */
	if (pfd.fd >= 0)
		assert_int_equal(poll(&pfd, 1, (int)LATE), 1);
}

static void
say(int fd, uint32_t request, uint32_t flags, uint32_t size)
{
	struct vw_msg m = { request, flags, size, { 0 } };
	size_t len = size < sizeof(m.u) ? VW_HEADER + size : VW_HEADER;

	assert_int_equal(send(fd, &m, len, MSG_NOSIGNAL), len);
}

static unsigned int
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* The front end */

static void
note_broken(void *arg, const char *why)
{
	(void)arg;
	assert_non_null(why);
	__atomic_fetch_add(&nbroken, 1, __ATOMIC_RELAXED);
}

static void
note_changed(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&nchanged, 1, __ATOMIC_RELAXED);
}

static const struct pv_blk_callbacks blk_callbacks = {
	.bc_broken = note_broken, .bc_changed = note_changed
};
static const struct pv_net_callbacks net_callbacks = {
	.nc_broken = note_broken, .nc_changed = note_changed
};

static unsigned int fds_before;

static int
setup(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	unsigned int i;

	(void)state;
	port_reset();
	nbroken = nchanged = 0;
	fds_before = open_fds();
	memset(&be, 0, sizeof(be));
	be.features = BLK_FEATURES;
	be.protocol = PROTOCOL;
	be.queues = 2;
	be.slots = 32;
	be.capacity = 1 << 20;
	be.config_max = 60;
	be.status_mask = ~0ull;
	be.inflight_size = be.inflight_file = 8192;
	for (i = 0; i < 8; i++)
		kicks[i] = calls[i] = -1;
	strcpy(sun.sun_path, path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    listen(listener, 4) != 0)
		return 1;
	__atomic_store_n(&quit, 0, __ATOMIC_RELAXED);
	return shmem_init(&sm, 2, REGION) != 0 ||
	    pthread_create(&thread, NULL, back_end, NULL) != 0;
}

static int
teardown(void **state)
{
	unsigned int i;
	int bad;

	(void)state;
	vhost_free(vh);
	vh = NULL;
	__atomic_store_n(&quit, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	hang_up();
	close(listener);
	for (i = 0; i < 8; i++) {
		if (kicks[i] >= 0)
			close(kicks[i]);
		if (calls[i] >= 0)
			close(calls[i]);
	}
	shmem_fini(&sm);
	bad = port_check();
	if (open_fds() != fds_before) {
		fprintf(stderr, "%u descriptors, %u before\n", open_fds(),
		    fds_before);
		bad = 1;
	}
	return bad;
}

static struct vhost_params
params(unsigned int type)
{
	const struct vhost_params vp = {
		.vp_path = path, .vp_type = type, .vp_shmem = &sm,
		.vp_timeout_ms = LATE, .vp_nqueues = 2,
		.vp_mac = { 2, 0, 0, 0, 0, 1 },
	};

	return vp;
}

static int
attach(const struct vhost_params *vp)
{
	const struct pv_blk_params bp = { .bp_nqueues = 2, .bp_size = 16,
	    .bp_maxsegs = 4 };
	const struct pv_net_params np = { .np_pairs = 2, .np_rxsize = 16,
	    .np_txsize = 16 };
	int error;

	vh = vhost_new(vp);
	assert_non_null(vh);
	error = vhost_connect(vh);
	if (error)
		return error;
	error = pv_virtio_init(&dev, &vhost_transport, vh, vp->vp_type,
	    &sm.sm_tag, "vhost", NULL, NULL);
	if (error)
		return error;
	return vp->vp_type == PV_TYPE_NET ?
	    pv_net_attach(&net, &dev, &net_callbacks, NULL, &np) :
	    pv_blk_attach(&blk, &dev, &blk_callbacks, NULL, &bp);
}

static void
attach_blk(void)
{
	const struct vhost_params vp = params(PV_TYPE_BLK);

	assert_int_equal(attach(&vp), 0);
}

/* With rings that stay for the next back end. */
static void
attach_to_keep(void)
{
	struct vhost_params vp = params(PV_TYPE_BLK);

	vp.vp_resume = 1;
	assert_int_equal(attach(&vp), 0);
}

/* The back end is a network's, which has no configuration to tell. */
static struct vhost_params
params_net(uint64_t features)
{
	be.features = NET_FEATURES | features;
	be.protocol &= ~BIT(VHOST_P_CONFIG);
	return params(PV_TYPE_NET);
}

static void
a_polite_back_end_is_told_everything(void **state)
{
	char text[200];

	(void)state;
	attach_blk();
	assert_int_equal(be.got_protocol, PROTOCOL);
	assert_true(be.got_features & BIT(VW_F_PROTOCOL));
	assert_int_equal(be.status, 15);
	assert_int_equal(be.regions, 2);
	assert_int_equal(be.enabled, 3);
	assert_int_equal(be.inflight_set, 1);
	assert_int_equal(pv_blk_info(&blk)->bi_capacity, 1 << 20);
	assert_int_equal(pv_blk_info(&blk)->bi_nqueues, 2);
	vhost_protocol_text(vh, text, sizeof(text));
	assert_string_equal(text, "MQ REPLY_ACK NET_MTU BACKEND_REQ CONFIG "
	    "INFLIGHT_SHMFD CONFIGURE_MEM_SLOTS STATUS");
	vhost_protocol_text(vh, text, 9);
	assert_string_equal(text, "MQ REPLY");
	assert_string_equal(vhost_error(vh), "");
	assert_int_equal(vhost_connect(vh), EISCONN);
	assert_int_equal(pv_blk_detach(&blk), 0);
	assert_int_equal(be.status, 0);
	assert_int_equal(sm.sm_used, 0);
}

/* All of a life, or what of it there is; how it ends is what counts. */
static int
whole_life(unsigned int timeout_ms)
{
	struct vhost_params vp = params(PV_TYPE_BLK);
	int error;

	vp.vp_timeout_ms = timeout_ms;
	error = attach(&vp);
	if (error == 0) {
		error = pv_blk_set_writeback(&blk, 0);
		if (pv_blk_detach(&blk) != 0 && error == 0)
			error = ETIMEDOUT;
	}
	return error;
}

static void
reset_between(void)
{
	vhost_free(vh);
	vh = NULL;
	hang_up_now();
	/* Of a reset without confirmation something stays. */
	if (sm.sm_used > REGION) {
		shmem_fini(&sm);
		assert_int_equal(shmem_init(&sm, 2, REGION), 0);
	}
	pthread_mutex_lock(&lock);
	be.nmessages = 0;
	pthread_mutex_unlock(&lock);
}

/* From now on, at a message by number or kind. */
static void
go_wrong(enum wrong wrong, unsigned int at, uint32_t request)
{
	pthread_mutex_lock(&lock);
	be.wrong = wrong;
	be.wrong_at = at;
	be.wrong_request = request;
	pthread_mutex_unlock(&lock);
}

/*
 * Each kind of wrong at each message: it ends in an error, in words, within a
 * bound, and nothing stays open. Where the time must pass it is short, for each
 * third message.
 */
static void
each_wrong_at_each_message(void **state)
{
	unsigned int messages, at, wrong;
	time_t start;
	int error;

	(void)state;
	assert_int_equal(whole_life(LATE), 0);
	messages = be.nmessages;
	assert_true(messages > 40);
	for (wrong = CLOSES; wrong <= REFUSES; wrong++)
		for (at = 1; at <= messages; at++) {
			bool slow = wrong == SILENT || wrong == TRICKLES;

			if (slow && at % 5 != wrong % 5)
				continue;
			reset_between();
			go_wrong((enum wrong)wrong, at, 0);
			start = time(NULL);
			error = whole_life(slow ? SOON : LATE);
			go_wrong(POLITE, 0, 0);
			if (time(NULL) - start > 15)
				fail_msg("wrong %u at %u: long", wrong, at);
			/*
			 * What has no answer can't be wrong, and a mask or
			 * number of 1 is for the driver to judge.
			 */
			if (error != 0 && *vhost_error(vh) == '\0' &&
			    (wrong != REFUSES || error == EIO))
				fail_msg("wrong %u at %u: %d without words",
				    wrong, at, error);
		}
}

/* For requests whose answers matter: the error is the right one. */
static void
answers_are_held_to_what_was_asked(void **state)
{
	static const uint32_t requests[] = { VW_GET_FEATURES, VW_GET_PROTOCOL,
	    VW_GET_QUEUE_NUM, VW_GET_MAX_MEM_SLOTS, VW_SET_OWNER };
	static const enum wrong wrongs[] = { SHORT, LONG, HUGE_SIZE, OTHER,
	    NO_REPLY, VERSION, WITH_FD };
	struct vhost_params vp = params(PV_TYPE_BLK);
	unsigned int i, j;

	(void)state;
	for (i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		for (j = 0; j < sizeof(wrongs) / sizeof(*wrongs); j++) {
			go_wrong(wrongs[j], 0, requests[i]);
			vh = vhost_new(&vp);
			assert_int_equal(vhost_connect(vh), EPROTO);
			assert_string_not_equal(vhost_error(vh), "");
			assert_int_equal(vhost_connected(vh), 0);
			reset_between();
		}
	go_wrong(REFUSES, 0, VW_SET_OWNER);
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), EIO);
	assert_string_equal(vhost_error(vh), "the back end refused request 3");
	reset_between();
	go_wrong(CLOSES, 0, VW_SET_OWNER);
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), ECONNRESET);
	/* And that was not for ever. */
	go_wrong(POLITE, 0, 0);
	assert_int_equal(vhost_connect(vh), 0);
}

static void
numbers_are_held_to_what_can_be(void **state)
{
	struct vhost_params vp = params(PV_TYPE_BLK);

	(void)state;
	be.queues = ~0ull;
	vp.vp_nqueues = 0;
	assert_int_equal(attach(&vp), 0);
	assert_int_equal(vhost_transport.to_queue_count(vh),
	    VHOST_MAXQUEUES / 2);
	assert_int_equal(pv_blk_detach(&blk), 0);
	reset_between();
	be.queues = 0;
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), EPROTO);
	reset_between();
	be.queues = 2;
	be.slots = 1;
	assert_int_equal(attach(&vp), ENOTSUP);
	assert_string_equal(vhost_error(vh),
	    "the back end takes 1 regions of memory, not 2");
	reset_between();
	be.slots = 32;
	be.config_max = 0;
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), EPROTO);
}

static void
inflight_memory_is_held_to_its_file(void **state)
{
	static const struct {
		uint64_t size, file, offset;
		int no_fd;
	} bad[] = {
		{ 8192, 8191, 0, 0 }, { 0, 8192, 0, 0 },
		{ 8192, 8192, 1, 0 }, { 4096, 8192, ~0ull, 0 },
		{ ~0ull, 8192, 0, 0 }, { 8192, 8192, 0, 1 },
	};
	const struct vhost_params vp = params(PV_TYPE_BLK);
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		be.inflight_size = bad[i].size;
		be.inflight_file = bad[i].file;
		be.inflight_offset = bad[i].offset;
		be.inflight_no_fd = bad[i].no_fd;
		assert_int_equal(attach(&vp), EIO);
		assert_non_null(strstr(vhost_error(vh), bad[i].no_fd ?
		    "lacks its descriptor" : "not as long as it says"));
		reset_between();
	}
}

static void
refused_features_are_refused(void **state)
{
	const struct vhost_params vp = params(PV_TYPE_BLK);

	(void)state;
	be.status_mask = ~(uint64_t)PV_STATUS_FEATURES_OK;
	assert_int_equal(attach(&vp), ENOTSUP);
	assert_string_equal(vhost_error(vh),
	    "the back end refuses these features");
}

/* Its file is gone; the device is quiet; it comes back, and all is well. */
static void
a_lost_back_end_is_a_reset(void **state)
{
	(void)state;
	attach_blk();
	hang_up_now();
	assert_int_equal(vhost_wait(vh, VHOST_ALL, (int)LATE), ENOTCONN);
	assert_int_equal(nbroken, 1);
	assert_string_equal(vhost_error(vh),
	    "the back end closed the connection");
	assert_int_equal(vhost_connected(vh), 0);
	assert_int_equal(pv_blk_stop(&blk), 0);
	assert_null(pv_blk_drain(&blk));
	assert_int_equal(pv_blk_start(&blk), ENOTSUP);
	assert_int_equal(vhost_connect(vh), 0);
	assert_int_equal(pv_blk_start(&blk), 0);
	assert_int_equal(be.nconnections, 2);
	assert_int_equal(be.status, 15);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
polling_finds_it_too(void **state)
{
	struct vhost_params vp = params(PV_TYPE_BLK);

	(void)state;
	vp.vp_poll = 1;
	assert_int_equal(attach(&vp), 0);
	assert_int_equal(vhost_fd(vh, 0), -1);
	assert_int_equal(pv_virtio_poll(&dev), 0);
	hang_up_now();
	assert_int_equal(pv_virtio_poll(&dev), 1);
	assert_int_equal(nbroken, 1);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/*
 * The connection ends in an exchange of the port's. The driver is told, and the
 * next back end is asked for nothing that the last one had.
 */
static void
an_end_that_the_port_sees_is_told_to_the_driver(void **state)
{
	static const enum wrong wrongs[] = { CLOSES, HALF, OTHER };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		nbroken = 0;
		attach_blk();
		pthread_mutex_lock(&lock);
		be.wrong = wrongs[i];
		be.wrong_request = VW_ADD_MEM_REG;
		pthread_mutex_unlock(&lock);
		assert_int_equal(shmem_grow(&sm, REGION), 0);
		assert_int_equal(vhost_memory(vh), wrongs[i] == OTHER ?
		    EPROTO : ECONNRESET);
		assert_int_equal(vhost_wait(vh, VHOST_ALL, (int)LATE),
		    ENOTCONN);
		assert_int_equal(nbroken, 1);
		if (wrongs[i] == OTHER)
			hang_up_now();
		pthread_mutex_lock(&lock);
		be.wrong_request = be.stopped = 0;
		pthread_mutex_unlock(&lock);
		assert_int_equal(vhost_connect(vh), 0);
		assert_int_equal(pv_blk_stop(&blk), 0);
		assert_int_equal(be.stopped, 0);
		assert_int_equal(pv_blk_start(&blk), 0);
		assert_int_equal(pv_blk_detach(&blk), 0);
		reset_between();
	}
}

/* It keeps the connection: perhaps it still writes. Then it is ended. */
static void
a_hung_back_end_confirms_nothing(void **state)
{
	struct vhost_params vp = params(PV_TYPE_BLK);

	(void)state;
	vp.vp_timeout_ms = SOON * 20;
	assert_int_equal(attach(&vp), 0);
	be.wrong_request = VW_GET_VRING_BASE;
	be.wrong = SILENT;
	assert_int_equal(pv_blk_stop(&blk), ETIMEDOUT);
	assert_non_null(strstr(vhost_error(vh), "does not answer"));
	assert_int_equal(vhost_connect(vh), EBUSY);
	hang_up_now();
	be.wrong_request = 0;
	assert_int_equal(pv_virtio_stop(&dev), 0);
	assert_int_equal(vhost_connect(vh), 0);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
another_ring_than_asked_is_no_confirmation(void **state)
{
	(void)state;
	attach_blk();
	be.base_xor = 1;
	assert_int_equal(pv_blk_stop(&blk), ETIMEDOUT);
	assert_string_equal(vhost_error(vh),
	    "the back end stopped another ring than asked");
	hang_up_now();
	pv_blk_detach(&blk);
}

static void
what_nobody_asked_ends_it(void **state)
{
	(void)state;
	attach_blk();
	say(sock, VW_GET_FEATURES, VW_VERSION | VW_REPLY, 8);
	assert_int_equal(vhost_wait(vh, VHOST_ALL, (int)LATE), ENOTCONN);
	assert_string_equal(vhost_error(vh), "the back end speaks unasked");
	assert_int_equal(nbroken, 1);
	hang_up_now();
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
an_answer_too_many_ends_it(void **state)
{
	const struct vhost_params vp = params(PV_TYPE_BLK);

	(void)state;
	be.wrong_request = VW_SET_STATUS;
	be.wrong = TWICE;
	assert_int_not_equal(attach(&vp), 0);
	assert_string_not_equal(vhost_error(vh), "");
}

/* The other channel */

static void
it_tells_of_a_changed_configuration(void **state)
{
	struct vw_msg m;

	(void)state;
	attach_blk();
	be.capacity *= 2;
	say(channel, VW_CONFIG_CHANGED, VW_VERSION | VW_NEED_REPLY, 0);
	assert_int_equal(vhost_wait(vh, VHOST_ALL, (int)LATE), 0);
	assert_int_equal(nchanged, 1);
	assert_int_equal(recv(channel, &m, VW_HEADER + 8, MSG_WAITALL),
	    VW_HEADER + 8);
	assert_int_equal(m.vw_flags, VW_VERSION | VW_REPLY);
	assert_int_equal(m.u.vw_u64, 0);
	assert_int_equal(pv_blk_changed(&blk), 1);
	assert_int_equal(pv_blk_info(&blk)->bi_capacity, 2 << 20);
	/* What is not driven is refused. */
	say(channel, 3, VW_VERSION | VW_NEED_REPLY, 24);
	vhost_attend(vh, VHOST_ALL);
	assert_int_equal(recv(channel, &m, VW_HEADER + 8, MSG_WAITALL),
	    VW_HEADER + 8);
	assert_int_equal(m.u.vw_u64, 1);
	assert_int_equal(vhost_connected(vh), 1);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
nonsense_on_the_channel_ends_it(void **state)
{
	(void)state;
	attach_blk();
	say(channel, VW_CONFIG_CHANGED, VW_VERSION, 0xfffffff0u);
	assert_int_equal(vhost_attend(vh, VHOST_ALL), ENOTCONN);
	assert_non_null(strstr(vhost_error(vh), "no known form"));
	assert_int_equal(nbroken, 1);
	hang_up_now();
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
close_the_channel_without_loss(void)
{
	pthread_mutex_lock(&lock);
	close(channel);
	channel = -1;
	pthread_mutex_unlock(&lock);
	vhost_attend(vh, VHOST_ALL);
	assert_int_equal(vhost_connected(vh), 1);
	assert_int_equal(vhost_wait(vh, VHOST_ALL, 10), EAGAIN);
}

static void
a_closed_channel_is_no_loss(void **state)
{
	(void)state;
	attach_blk();
	close_the_channel_without_loss();
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* It still has the memory, whatever it does to the channel. */
static void
a_channel_that_closes_on_an_answer_is_no_loss(void **state)
{
	(void)state;
	attach_blk();
	say(channel, 3, VW_VERSION | VW_NEED_REPLY, 0);
	close_the_channel_without_loss();
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* However much it says, who listens has an end; the rest is heard later. */
static void
a_flood_on_the_channel_has_a_bound(void **state)
{
	struct vhost_counters vc;
	unsigned int i;

	(void)state;
	attach_blk();
	for (i = 0; i < 200; i++)
		say(channel, VW_CONFIG_CHANGED, VW_VERSION, 0);
	assert_int_equal(vhost_attend(vh, VHOST_ALL), 0);
	vhost_counters(vh, &vc);
	assert_in_range(vc.vc_requests, 1, 100);
	assert_int_equal(pv_virtio_poll(&dev), 1);
	vhost_counters(vh, &vc);
	assert_in_range(vc.vc_requests, 2, 199);
	for (i = 0; i < 200; i++)
		vhost_attend(vh, VHOST_ALL);
	vhost_counters(vh, &vc);
	assert_int_equal(vc.vc_requests, 200);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* It asks and asks, and never takes an answer: that is waited for once. */
static void
who_takes_no_answers_is_not_asked_on(void **state)
{
	struct vhost_params vp = params(PV_TYPE_BLK);
	unsigned int i;

	(void)state;
	vp.vp_timeout_ms = SOON * 20;
	assert_int_equal(attach(&vp), 0);
	for (i = 0; i < 100000 && vhost_connected(vh); i++) {
		say(channel, 3, VW_VERSION | VW_NEED_REPLY, 0);
		vhost_attend(vh, VHOST_ALL);
	}
	assert_int_equal(vhost_connected(vh), 0);
	assert_non_null(strstr(vhost_error(vh), "takes no answer"));
	hang_up_now();
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
configuration_is_written_and_read_back(void **state)
{
	(void)state;
	be.config[32] = 1;
	attach_blk();
	assert_int_equal(pv_blk_set_writeback(&blk, 0), 0);
	assert_int_equal(be.config_set, 1);
	assert_int_equal(be.config[32], 0);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* Memory */

static void
memory_grows_region_by_region(void **state)
{
	(void)state;
	attach_blk();
	assert_int_equal(shmem_grow(&sm, REGION), 0);
	assert_int_equal(vhost_memory(vh), 0);
	assert_int_equal(be.regions, 3);
	assert_int_equal(vhost_memory(vh), 0);
	assert_int_equal(be.regions, 3);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
without_slots_it_is_one_table(void **state)
{
	struct vhost_params vp = params(PV_TYPE_BLK);
	unsigned int i;

	(void)state;
	vp.vp_protocol_deny = BIT(VHOST_P_CONFIGURE_MEM_SLOTS);
	assert_int_equal(attach(&vp), 0);
	assert_int_equal(be.regions, 2);
	for (i = 0; i < 6; i++)
		assert_int_equal(shmem_grow(&sm, REGION), 0);
	assert_int_equal(vhost_memory(vh), 0);
	assert_int_equal(be.regions, 8);
	assert_int_equal(shmem_grow(&sm, REGION), 0);
	assert_int_equal(vhost_memory(vh), ENOSPC);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* In flight */

static void
kept_rings_go_to_the_next_one(void **state)
{
	struct vhost_counters vc;

	(void)state;
	attach_to_keep();
	hang_up_now();
	assert_int_equal(vhost_wait(vh, VHOST_ALL, (int)LATE), ENOTCONN);
	assert_int_equal(nbroken, 0);
	be.regions = be.enabled = be.inflight_set = 0;
	assert_int_equal(vhost_connect(vh), 0);
	assert_int_equal(be.inflight_set, 1);
	assert_int_equal(be.regions, 2);
	assert_int_equal(be.enabled, 3);
	assert_int_equal(be.status, 15);
	vhost_counters(vh, &vc);
	assert_int_equal(vc.vc_resumes, 1);
	assert_null(pv_virtio_broken(&dev));
	assert_int_equal(pv_blk_detach(&blk), 0);
}

static void
kept_rings_need_what_is_in_use(void **state)
{
	(void)state;
	attach_to_keep();
	hang_up_now();
	be.features &= ~BIT(PV_BLK_F_FLUSH);
	assert_int_equal(vhost_connect(vh), ENOTSUP);
	be.features |= BIT(PV_BLK_F_FLUSH);
	be.queues = 1;
	assert_int_equal(vhost_connect(vh), ENOTSUP);
	be.queues = 2;
	be.protocol &= ~BIT(VHOST_P_INFLIGHT_SHMFD);
	assert_int_equal(vhost_connect(vh), ENOTSUP);
	assert_int_equal(nbroken, 0);
	be.protocol |= BIT(VHOST_P_INFLIGHT_SHMFD);
	assert_int_equal(vhost_connect(vh), 0);
	/* Or the port gives up. */
	hang_up_now();
	assert_int_equal(pv_blk_stop(&blk), 0);
	be.protocol &= ~BIT(VHOST_P_INFLIGHT_SHMFD);
	assert_int_equal(vhost_connect(vh), 0);
	assert_int_equal(pv_blk_start(&blk), 0);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* One that has more queues: the control queue stays behind those in use. */
static void
kept_rings_are_as_many_as_before(void **state)
{
	struct vhost_params vp = params_net(0);
	unsigned int i;

	(void)state;
	vp.vp_resume = 1;
	vp.vp_nqueues = 3;
	assert_int_equal(attach(&vp), 0);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 2);
	for (i = 0; i < 2; i++) {
		hang_up_now();
		be.queues = 1;
		assert_int_equal(vhost_connect(vh), ENOTSUP);
		be.queues = 3;
		be.nums[4] = 0;
		assert_int_equal(vhost_connect(vh), 0);
		assert_int_equal(be.nums[4], 0);
		assert_int_equal(vhost_transport.to_queue_count(vh), 5);
		assert_int_equal(pv_net_set_pairs(&net, 1), 0);
		assert_int_equal(pv_net_set_pairs(&net, 2), 0);
	}
	assert_int_equal(pv_net_detach(&net), 0);
}

/* Where the old one had got to: of a split ring memory says that. */
static void
kept_rings_begin_where_they_stood(void **state)
{
	uint8_t *used;

	(void)state;
	attach_to_keep();
	used = shmem_kva(&sm, be.used[1], 4);
	assert_non_null(used);
	used[2] = 0x34;
	used[3] = 0x12;
	hang_up_now();
	assert_int_equal(vhost_connect(vh), 0);
	assert_int_equal(be.bases[0], 0);
	assert_int_equal(be.bases[1], 0x1234);
	used[2] = used[3] = 0;
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* Of a packed one its own notes do, with both wrap counters. */
static void
kept_packed_rings_too(void **state)
{
	(void)state;
	be.features |= PV_F_BIT(PV_F_RING_PACKED);
	be.packed.vp_version = 1;
	be.packed.vp_used = 9;
	be.packed.vp_oldused = 5;
	be.packed.vp_oldwrap = 1;
	be.inflight_offset = 4096;
	be.inflight_file += 4096;
	attach_to_keep();
	assert_int_equal(be.bases[1], 0x80008000u);
	hang_up_now();
	assert_int_equal(vhost_connect(vh), 0);
	assert_int_equal(be.bases[0], 0x80058005u);
	assert_int_equal(be.bases[1], 0x80058005u);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* Network */

static void
pairs_are_enabled_as_the_driver_asks(void **state)
{
	struct vhost_params vp = params_net(0);

	(void)state;
	be.queues = 128;
	vp.vp_nqueues = 1000;
	vp.vp_mtu = 1400;
	assert_int_equal(attach(&vp), 0);
	assert_int_equal(pv_net_info(&net)->ni_pairs, 2);
	assert_int_equal(pv_net_info(&net)->ni_maxpairs, 2);
	assert_int_equal(vhost_transport.to_queue_count(vh), 63);
	assert_int_equal(be.enabled, 0xf);
	assert_int_equal(be.mtu, 1400);
	assert_int_equal(pv_net_mtu(&net), 1400);
	assert_int_equal(pv_net_mac(&net)[5], 1);
	assert_int_equal(pv_net_link(&net), 1);
	assert_int_equal(be.got_features & (BIT(PV_NET_F_CTRL_RX) |
	    BIT(PV_F_ACCESS_PLATFORM) | BIT(VW_F_LOG_ALL) |
	    BIT(PV_NET_F_MAC)), 0);
	assert_int_equal(pv_net_set_pairs(&net, 1), 0);
	assert_int_equal(be.enabled, 3);
	assert_int_equal(pv_net_set_pairs(&net, 2), 0);
	assert_int_equal(be.enabled, 0xf);
	assert_int_equal(pv_net_detach(&net), 0);
}

static void
one_pair_needs_no_control_queue(void **state)
{
	struct vhost_params vp = params_net(0);

	(void)state;
	vp.vp_nqueues = 0;
	assert_int_equal(attach(&vp), 0);
	assert_int_equal(pv_virtio_has(&dev, PV_NET_F_CTRL_VQ), 0);
	assert_int_equal(vhost_transport.to_queue_count(vh), 2);
	assert_int_equal(pv_net_detach(&net), 0);
}

/* Queues by hand */

static const struct pv_feature hand_features[] = {
	{ PV_NET_F_CTRL_VQ, PV_FEATURE_WANTED, "CTRL_VQ", 0 },
	{ PV_NET_F_MQ, PV_FEATURE_WANTED, "MQ", 0 },
};
static const struct pv_feature_table hand_table = {
	.ft_features = hand_features, .ft_nfeatures = 2
};

#define CTRL	4u

static struct pv_virtq *hand[5];
static uint8_t *mem;
static bus_dmamap_t map;
static unsigned int ninterrupts;

static void
interrupt(void *arg)
{
	(void)arg;
	ninterrupts++;
}

static void
by_hand(uint64_t features)
{
	struct vhost_params vp = params_net(features);
	const struct pv_virtq_params qp = { .vp_name = "hand", .vp_size = 16,
	    .vp_maxpieces = 4, .vp_maxsegs = 4, .vp_intr = interrupt };
	unsigned int i;

	ninterrupts = 0;
	be.protocol &= ~BIT(VHOST_P_INFLIGHT_SHMFD);
	vp.vp_ring_reset = 1;
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), 0);
	assert_int_equal(pv_virtio_init(&dev, &vhost_transport, vh,
	    PV_TYPE_NET, &sm.sm_tag, "hand", NULL, NULL), 0);
	assert_int_equal(pv_virtio_negotiate(&dev, &hand_table, NULL), 0);
	assert_int_equal(pv_virtio_features(&dev) & features, features);
	for (i = 0; i < 5; i++)
		assert_int_equal(pv_virtq_alloc(&dev, i, &qp, &hand[i]), 0);
	assert_int_equal(pv_virtio_start(&dev), 0);
	mem = shmem_alloc(&sm, 4096, 4096);
	assert_int_equal(bus_dmamap_create(&sm.sm_tag, 4096, 1, 4096, 0, 0,
	    &map), 0);
	assert_int_equal(bus_dmamap_load(&sm.sm_tag, map, mem, 4096, NULL, 0),
	    0);
}

static void
by_hand_end(void)
{
	unsigned int i;

	assert_int_equal(pv_virtio_stop(&dev), 0);
	for (i = 0; i < 5; i++)
		pv_virtq_free(hand[i]);
	bus_dmamap_unload(&sm.sm_tag, map);
	bus_dmamap_destroy(&sm.sm_tag, map);
	shmem_free(&sm, mem, 4096);
}

/* Bytes written, and the acknowledgement in *ack. */
static uint32_t
command(const char *bytes, unsigned int first, unsigned int rest, int in,
    uint8_t *ack)
{
	const struct pv_piece pc[3] = {
		{ map, 0, first }, { map, 100, rest }, { map, 200, 1 }
	};
	const struct pv_piece *from = first == 0 ? pc + 2 : pc;
	struct pv_used us;

	memcpy(mem, bytes, first);
	memcpy(mem + 100, bytes + first, rest);
	mem[200] = 0xee;
	assert_int_equal(pv_virtq_enqueue(hand[CTRL], from, first == 0 ? 0 :
	    2, (unsigned int)in, mem), 0);
	assert_int_equal(pv_virtq_publish(hand[CTRL]), 1);
	assert_int_equal(pv_virtq_dequeue(hand[CTRL], &us), 0);
	*ack = mem[200];
	return us.us_len;
}

/* Often enough to go round the ring, whose size is no multiple of a chain. */
static void
commands(uint64_t features)
{
	unsigned int i;
	uint8_t ack;

	by_hand(features);
	assert_int_equal(be.enabled, 3);
	for (i = 0; i < 20; i++) {
		assert_int_equal(command("\4\0\2\0", 2, 2, 1, &ack), 1);
		assert_int_equal(ack, 0);
		assert_int_equal(be.enabled, 0xf);
		assert_int_equal(command("\4\0\1\0", 1, 3, 1, &ack), 1);
		assert_int_equal(ack, 0);
		assert_int_equal(be.enabled, 3);
		/* Another class, command, number of pairs; too short. */
		assert_int_equal(command("\3\0\2\0", 2, 2, 1, &ack), 1);
		assert_int_equal(ack, 1);
		assert_int_equal(command("\4\1\2\0", 2, 2, 1, &ack), 1);
		assert_int_equal(ack, 1);
		assert_int_equal(command("\4\0\0\0", 2, 2, 1, &ack), 1);
		assert_int_equal(ack, 1);
		assert_int_equal(command("\4\0\3\0", 2, 2, 1, &ack), 1);
		assert_int_equal(ack, 1);
		assert_int_equal(command("\4\0\2", 2, 1, 1, &ack), 1);
		assert_int_equal(ack, 1);
		/* No place for the answer; nothing but that. */
		assert_int_equal(command("\4\0\2\0", 2, 2, 0, &ack), 0);
		assert_int_equal(ack, 0xee);
		assert_int_equal(command("", 0, 0, 1, &ack), 1);
		assert_int_equal(ack, 1);
		assert_int_equal(be.enabled, 3);
	}
	by_hand_end();
}

static void
commands_of_a_split_ring(void **state)
{
	(void)state;
	commands(0);
	reset_between();
	commands(PV_F_BIT(PV_F_EVENT_IDX));
	reset_between();
	commands(PV_F_BIT(PV_F_INDIRECT_DESC));
}

static void
commands_of_a_packed_ring(void **state)
{
	const uint64_t packed = PV_F_BIT(PV_F_RING_PACKED);

	(void)state;
	commands(packed);
	assert_int_equal(be.bases[0], 0x80008000u);
	reset_between();
	commands(packed | PV_F_BIT(PV_F_EVENT_IDX));
	reset_between();
	commands(packed | PV_F_BIT(PV_F_INDIRECT_DESC));
}

/*
 * The back end has written chains there that do not end, and as much as it can
 * behind the ring: nothing outside of the ring is looked at, or written to.
 */
static void
chains_without_end_stay_in_their_ring(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 8, 15, 16 };
	static uint8_t before[4096];
	struct pv_queue_place qp = { .qp_packed = 1 };
	struct ring {
		uint64_t addr;
		uint32_t len;
		uint16_t id, flags;
	} *ring;
	unsigned int i, k, n;

	(void)state;
	by_hand(PV_F_BIT(PV_F_RING_PACKED));
	ring = (void *)mem;
	qp.qp_desc = map->dm_segs[0].ds_addr;
	qp.qp_driver = qp.qp_device = qp.qp_desc + 4000;
	for (n = 0; n < sizeof(sizes) / sizeof(*sizes); n++) {
		qp.qp_size = sizes[n];
		assert_int_equal(vhost_transport.to_queue_enable(vh, CTRL,
		    &qp), 0);
		for (i = 0; i < 100; i++) {
			/* Available, in one lap and the next. */
			for (k = 0; k < 4096 / sizeof(*ring); k++)
				ring[k] = (struct ring){ qp.qp_desc + 4000, 4,
				    0, i % 2 ? 0x8001 : 0x0081 };
			memcpy(before, mem, sizeof(before));
			vhost_transport.to_notify(vh, CTRL, CTRL);
			assert_memory_not_equal(mem, before, 16);
			assert_memory_equal(ring + sizes[n],
			    before + sizes[n] * sizeof(*ring),
			    sizeof(before) - sizes[n] * sizeof(*ring));
		}
	}
	by_hand_end();
}

static void
one_ring_stops_and_starts_in_another_size(void **state)
{
	(void)state;
	by_hand(0);
	assert_true(pv_virtio_has(&dev, PV_F_RING_RESET));
	assert_int_equal(be.nums[1], 16);
	be.stopped = 0;
	be.bases[1] = be.nums[0] = 77;
	assert_int_equal(pv_virtq_reset(hand[1]), 0);
	assert_int_equal(be.stopped, 2);
	assert_null(pv_virtq_drain(hand[1]));
	assert_int_equal(pv_virtq_resize(hand[1], 8), 0);
	be.enabled &= ~2u;
	be.told_calls = 0;
	assert_int_equal(pv_virtq_reenable(hand[1]), 0);
	/* Some back ends forget the other rings: they are named again. */
	assert_int_equal(be.told_calls, 15);
	assert_int_equal(be.nums[1], 8);
	assert_int_equal(be.bases[1], 0);
	assert_int_equal(be.enabled, 3);
	assert_int_equal(be.nums[0], 77);
	by_hand_end();
}

static void
doorbells_and_interrupts_go_by_eventfds(void **state)
{
	struct vhost_counters vc;
	uint64_t n = 1;

	(void)state;
	by_hand(0);
	assert_int_equal(vhost_wait(vh, 1, 10), EAGAIN);
	assert_int_equal(write(calls[1], &n, sizeof(n)), sizeof(n));
	assert_int_equal(vhost_wait(vh, 0, 10), EAGAIN);
	assert_int_equal(vhost_wait(vh, 1, (int)LATE), 0);
	assert_int_equal(ninterrupts, 1);
	assert_int_equal(write(calls[0], &n, sizeof(n)), sizeof(n));
	assert_int_equal(vhost_attend(vh, 0), 0);
	assert_int_equal(vhost_attend(vh, 0), EAGAIN);
	assert_int_equal(ninterrupts, 2);
	vhost_transport.to_notify(vh, 1, 1);
	vhost_transport.to_notify(vh, 1, 1);
	assert_int_equal(read(kicks[1], &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 2);
	vhost_counters(vh, &vc);
	assert_int_equal(vc.vc_calls, 2);
	assert_int_equal(vc.vc_kicks, 2);
	/* One that nobody empties is no wait. */
	n = ~0ull - 1;
	assert_int_equal(write(kicks[1], &n, sizeof(n)), sizeof(n));
	vhost_transport.to_notify(vh, 1, 1);
	by_hand_end();
}

/* The file is the back end's too, and so is whether it blocks. */
static void
an_interrupt_that_blocks_is_not_waited_for(void **state)
{
	const struct sigaction sa = { .sa_handler = SIG_DFL };
	uint64_t n = 1;

	(void)state;
	by_hand(0);
	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	assert_int_equal(fcntl(calls[1], F_SETFL, 0), 0);
	alarm(LATE / 1000);
	assert_int_equal(vhost_attend(vh, 1), EAGAIN);
	assert_int_equal(write(calls[1], &n, sizeof(n)), sizeof(n));
	assert_int_equal(vhost_wait(vh, 1, (int)LATE), 0);
	assert_int_equal(vhost_attend(vh, 1), EAGAIN);
	alarm(0);
	assert_int_equal(ninterrupts, 1);
	by_hand_end();
}

/* Threads: each waits, counts and looks, as this one takes care of the rest. */

static unsigned int enough;

static void *
waiter(void *arg)
{
	const int queue = *(const int *)arg;
	struct vhost_counters vc;

	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		vhost_wait(vh, queue, 1);
		vhost_attend(vh, queue);
		vhost_counters(vh, &vc);
		vhost_connected(vh);
		if (queue != VHOST_ALL)
			vhost_transport.to_notify(vh, (unsigned int)queue, 0);
	}
	return NULL;
}

/* As the back end does. */
static void
interrupt_all(void)
{
	const uint64_t one = 1;
	unsigned int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < 2; i++)
		if (calls[i] >= 0)
			assert_int_equal(write(calls[i], &one, sizeof(one)),
			    sizeof(one));
	pthread_mutex_unlock(&lock);
}

static void
one_loss(bool given_up)
{
	interrupt_all();
	if (channel >= 0)
		say(channel, VW_CONFIG_CHANGED, VW_VERSION, 0);
	assert_int_equal(pv_blk_set_writeback(&blk, 0), 0);
	hang_up_now();
	if (given_up) {
		assert_int_equal(pv_blk_stop(&blk), 0);
		assert_null(pv_blk_drain(&blk));
	}
	assert_int_equal(vhost_connect(vh), 0);
	assert_string_equal(vhost_error(vh), "");
	if (given_up)
		assert_int_equal(pv_blk_start(&blk), 0);
}

static void
queues_are_waited_for_by_threads_of_their_own(void **state)
{
	static const int queues[] = { 0, 1, VHOST_ALL };
	struct vhost_params vp = params(PV_TYPE_BLK);
	pthread_t threads[3];
	unsigned int i;

	(void)state;
	vp.vp_resume = 1;
	assert_int_equal(attach(&vp), 0);
	enough = 0;
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, waiter,
		    (void *)(uintptr_t)&queues[i]), 0);
	for (i = 0; i < 20; i++)
		one_loss(i % 2 != 0);
	__atomic_store_n(&enough, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(pv_blk_detach(&blk), 0);
}

/* Sockets */

static void
who_is_not_there_is_said_to_be(void **state)
{
	struct vhost_params vp = params(PV_TYPE_BLK);
	char other[80];

	(void)state;
	snprintf(other, sizeof(other), "%s.none", path);
	vp.vp_path = other;
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), ENOENT);
	assert_non_null(strstr(vhost_error(vh), other));
	vhost_free(vh);
	vp.vp_server = 1;
	vp.vp_timeout_ms = SOON;
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), ETIMEDOUT);
	assert_int_equal(access(other, F_OK), 0);
	vhost_free(vh);
	assert_int_equal(access(other, F_OK), -1);
	vp.vp_path = NULL;
	vh = vhost_new(&vp);
	assert_null(vh);
}

/* Whoever listens makes a socket there, and takes away no more than that. */
static void
a_file_where_we_would_listen_stays(void **state)
{
	struct vhost_params vp = params(PV_TYPE_BLK);
	char other[80];
	FILE *f;

	(void)state;
	snprintf(other, sizeof(other), "%s.file", path);
	f = fopen(other, "w");
	assert_non_null(f);
	fclose(f);
	vp.vp_path = other;
	vp.vp_server = 1;
	vp.vp_timeout_ms = SOON;
	vh = vhost_new(&vp);
	assert_int_equal(vhost_connect(vh), EADDRINUSE);
	assert_non_null(strstr(vhost_error(vh), other));
	vhost_free(vh);
	vh = NULL;
	assert_int_equal(access(other, F_OK), 0);
	/* Nor what is there without our having tried. */
	vh = vhost_new(&vp);
	vhost_free(vh);
	vh = NULL;
	assert_int_equal(access(other, F_OK), 0);
	unlink(other);
}

static void
nothing(int sig)
{
	(void)sig;
}

static void *
disturb(void *arg)
{
	const pthread_t *whom = arg;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		usleep(SOON * 1000 / 5);
		pthread_kill(*whom, SIGUSR1);
	}
	return NULL;
}

/* A signal is no back end, nor the end of the time that it has. */
static void
a_signal_does_not_end_the_wait_for_one(void **state)
{
	const struct sigaction sa = { .sa_handler = nothing };
	struct vhost_params vp = params(PV_TYPE_BLK);
	pthread_t me = pthread_self(), other;
	struct timespec from, to;
	char name[80];

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	snprintf(name, sizeof(name), "%s.late", path);
	vp.vp_path = name;
	vp.vp_server = 1;
	vp.vp_timeout_ms = SOON;
	vh = vhost_new(&vp);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(pthread_create(&other, NULL, disturb, &me), 0);
	assert_int_equal(vhost_connect(vh), ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &to);
	pthread_join(other, NULL);
	assert_true((to.tv_sec - from.tv_sec) * 1000 +
	    (to.tv_nsec - from.tv_nsec) / 1000000 >= (long)SOON - 1);
}

/* A back end that does anything, out of a seed */

/* It tramples on the memory that it has. */
static void
trample(uint64_t *seed)
{
	const struct shmem_region *sr =
	    &sm.sm_regions[draw(seed, sm.sm_nregions)];
	unsigned int n = draw(seed, 64), at;

	for (; n > 0; n--) {
		at = draw(seed, draw(seed, 2) ? sr->sr_size : 65536);
		sr->sr_va[at] = (uint8_t)draw(seed, 256);
	}
}

/* It interrupts, and asks something over its channel, or hangs up. */
static void
disturb_anyhow(uint64_t *seed)
{
	struct vw_msg m = { draw(seed, 4), draw(seed, 16), 0, { 0 } };
	const uint64_t one = 1;
	unsigned int queue = draw(seed, 8);
	size_t len = draw(seed, 4) ? VW_HEADER : draw(seed, sizeof(m));

	if (draw(seed, 4) == 0)
		m.vw_size = draw(seed, 300);
	pthread_mutex_lock(&lock);
	if (calls[queue] >= 0 &&
	    write(calls[queue], &one, sizeof(one)) != sizeof(one))
		abort();
	if (channel >= 0)
		send(channel, &m, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (draw(seed, 20) == 0)
		hang_up();
	pthread_mutex_unlock(&lock);
}

/* The port finds it gone: its rings are kept, or it is begun anew. */
static void
go_on(uint64_t *seed, bool is_net)
{
	if (vhost_connected(vh))
		return;
	if (draw(seed, 2) == 0) {
		if (is_net)
			pv_net_stop(&net);
		else
			pv_blk_stop(&blk);
	}
	if (vhost_connect(vh) != 0)
		return;
	if (is_net)
		pv_net_start(&net);
	else
		pv_blk_start(&blk);
}

static void
any_step(uint64_t *seed, bool is_net)
{
	switch (draw(seed, 7)) {
	case 0:
		vhost_wait(vh, VHOST_ALL, 1);
		break;
	case 1:
		pv_virtio_poll(&dev);
		break;
	case 2:
		if (is_net)
			pv_net_set_pairs(&net, 1 + draw(seed, 2));
		else
			pv_blk_set_writeback(&blk, (int)draw(seed, 2));
		break;
	case 3:
		if (sm.sm_nregions < 6)
			assert_int_equal(shmem_grow(&sm, REGION), 0);
		vhost_memory(vh);
		break;
	case 4:
		trample(seed);
		break;
	case 5:
		disturb_anyhow(seed);
		break;
	default:
		go_on(seed, is_net);
	}
}

/* What it offers, and how the front end is set up, is drawn as well. */
static void
any_life(uint64_t *seed)
{
	bool is_net = draw(seed, 2);
	struct vhost_params vp;
	unsigned int i;

	pthread_mutex_lock(&lock);
	be.seed = *seed;
	be.evil = 2 + draw(seed, 60);
	be.features = BLK_FEATURES;
	be.protocol = draw(seed, 3) ? PROTOCOL : *seed >> 32;
	vp = is_net ? params_net(0) : params(PV_TYPE_BLK);
	be.features |= BIT(PV_F_RING_PACKED) * draw(seed, 2);
	be.features |= BIT(PV_F_IN_ORDER) * draw(seed, 2);
	be.queues = draw(seed, 4) ? 2 : draw(seed, 100);
	be.slots = draw(seed, 4) ? 32 : draw(seed, 4);
	pthread_mutex_unlock(&lock);
	vp.vp_timeout_ms = SOON;
	vp.vp_resume = (int)draw(seed, 2);
	vp.vp_poll = draw(seed, 4) == 0;
	vp.vp_ring_reset = (int)draw(seed, 2);
	if (attach(&vp) == 0) {
		for (i = 0; i < 40; i++)
			any_step(seed, is_net);
		if (is_net)
			pv_net_detach(&net);
		else
			pv_blk_detach(&blk);
	}
	reset_between();
}

/* Nobody is held for long, nothing is read that is not there, none is lost. */
static void
whatever_it_does_a_life_ends(void **state)
{
	uint64_t seed = 1;
	unsigned int i;

	(void)state;
	pthread_mutex_lock(&lock);
	be.wrong = ANYTHING;
	pthread_mutex_unlock(&lock);
	for (i = 0; i < 40; i++)
		any_life(&seed);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_polite_back_end_is_told_everything),
		T(each_wrong_at_each_message),
		T(answers_are_held_to_what_was_asked),
		T(numbers_are_held_to_what_can_be),
		T(inflight_memory_is_held_to_its_file),
		T(refused_features_are_refused),
		T(a_lost_back_end_is_a_reset),
		T(an_end_that_the_port_sees_is_told_to_the_driver),
		T(polling_finds_it_too),
		T(a_hung_back_end_confirms_nothing),
		T(another_ring_than_asked_is_no_confirmation),
		T(what_nobody_asked_ends_it),
		T(an_answer_too_many_ends_it),
		T(it_tells_of_a_changed_configuration),
		T(nonsense_on_the_channel_ends_it),
		T(a_closed_channel_is_no_loss),
		T(a_channel_that_closes_on_an_answer_is_no_loss),
		T(a_flood_on_the_channel_has_a_bound),
		T(who_takes_no_answers_is_not_asked_on),
		T(configuration_is_written_and_read_back),
		T(memory_grows_region_by_region),
		T(without_slots_it_is_one_table),
		T(kept_rings_go_to_the_next_one),
		T(kept_rings_need_what_is_in_use),
		T(kept_rings_are_as_many_as_before),
		T(kept_rings_begin_where_they_stood),
		T(kept_packed_rings_too),
		T(pairs_are_enabled_as_the_driver_asks),
		T(one_pair_needs_no_control_queue),
		T(commands_of_a_split_ring),
		T(commands_of_a_packed_ring),
		T(chains_without_end_stay_in_their_ring),
		T(one_ring_stops_and_starts_in_another_size),
		T(doorbells_and_interrupts_go_by_eventfds),
		T(an_interrupt_that_blocks_is_not_waited_for),
		T(queues_are_waited_for_by_threads_of_their_own),
		T(who_is_not_there_is_said_to_be),
		T(a_file_where_we_would_listen_stays),
		T(a_signal_does_not_end_the_wait_for_one),
		T(whatever_it_does_a_life_ends),
	};
	int failed;

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
	/* Long, and of one thread. */
	cmocka_set_skip_filter("each_wrong_at_each_message");
#endif
#endif
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
