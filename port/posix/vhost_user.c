/* SPDX-License-Identifier: ISC */
/*
 * A back end's life: connection, what it can do, device status, loss; and the
 * transport that the library sees.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_var.h"

#define TIMEOUT_MS	5000u
#define QUEUE_MAX	1024u
#define CTRL_MAX	64u
#define ANY_QUEUES	16u	/* of a type that does not say, without MQ */

#define BIT(n)		(1ull << (n))

/* Of the protocol's features, those that are driven. */
#define PROTOCOL	(BIT(VHOST_P_MQ) | BIT(VHOST_P_REPLY_ACK) | \
    BIT(VHOST_P_NET_MTU) | BIT(VHOST_P_BACKEND_REQ) | BIT(VHOST_P_CONFIG) | \
    BIT(VHOST_P_INFLIGHT_SHMFD) | BIT(VHOST_P_CONFIGURE_MEM_SLOTS) | \
    BIT(VHOST_P_STATUS))

/*
 * Device features that this transport does not carry: they are the protocol's
 * own, or need an I/O TLB, or a doorbell with data, or functions of a bus.
 */
#define NOT_CARRIED	(BIT(VW_F_LOG_ALL) | BIT(VW_F_PROTOCOL) | \
    BIT(PV_F_ACCESS_PLATFORM) | BIT(PV_F_SR_IOV) | \
    BIT(PV_F_NOTIFICATION_DATA) | BIT(PV_F_NOTIF_CONFIG_DATA) | \
    BIT(PV_F_ADMIN_VQ))

/* Network: features by number (Network Device / Feature bits). */
#define NET_MTU		BIT(3)
#define NET_MAC		BIT(5)
#define NET_STATUS	BIT(16)
#define NET_CTRL_VQ	BIT(17)
#define NET_MQ		BIT(22)
/* What the control queue carries; of it only MQ is served here. */
#define NET_CTRL	(BIT(2) | NET_CTRL_VQ | BIT(18) | BIT(19) | BIT(20) | \
    BIT(21) | NET_MQ | BIT(23) | BIT(50) | BIT(52) | BIT(53) | BIT(57) | \
    BIT(60))

static const struct {
	unsigned int pn_bit;
	const char *pn_name;
} protocol_names[] = {
	{ VHOST_P_MQ, "MQ" },
	{ VHOST_P_REPLY_ACK, "REPLY_ACK" },
	{ VHOST_P_NET_MTU, "NET_MTU" },
	{ VHOST_P_BACKEND_REQ, "BACKEND_REQ" },
	{ VHOST_P_CONFIG, "CONFIG" },
	{ VHOST_P_INFLIGHT_SHMFD, "INFLIGHT_SHMFD" },
	{ VHOST_P_CONFIGURE_MEM_SLOTS, "CONFIGURE_MEM_SLOTS" },
	{ VHOST_P_STATUS, "STATUS" },
};

struct vhost *
vhost_new(const struct vhost_params *vp)
{
	struct vhost *vh;
	unsigned int i;

	if (vp->vp_path == NULL || vp->vp_shmem == NULL ||
	    strlen(vp->vp_path) >= sizeof(vh->vh_path))
		return NULL;
	if (posix_memalign((void **)&vh, 128, sizeof(*vh)) != 0)
		return NULL;
	memset(vh, 0, sizeof(*vh));
	vh->vh_params = *vp;
	strcpy(vh->vh_path, vp->vp_path);
	vh->vh_params.vp_path = vh->vh_path;
	if (vp->vp_timeout_ms == 0)
		vh->vh_params.vp_timeout_ms = TIMEOUT_MS;
	if (vp->vp_queue_max == 0)
		vh->vh_params.vp_queue_max = QUEUE_MAX;
	vh->vh_fd = vh->vh_listen = vh->vh_backend = vh->vh_inflight = -1;
	for (i = 0; i <= VHOST_MAXQUEUES; i++)
		vh->vh_queues[i].vq_kick = vh->vh_queues[i].vq_call = -1;
	pthread_mutex_init(&vh->vh_lock, NULL);
	pthread_mutex_init(&vh->vh_config_lock, NULL);
	return vh;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What stands there was made by bind, with the socket that is open still. */
static void
listen_end(struct vhost *vh)
{
	if (vh->vh_listen >= 0)
		unlink(vh->vh_path);
	close_fd(&vh->vh_listen);
}

void
vhost_free(struct vhost *vh)
{
	unsigned int i;

	if (vh == NULL)
		return;
	close_fd(&vh->vh_fd);
	listen_end(vh);
	close_fd(&vh->vh_backend);
	close_fd(&vh->vh_inflight);
	for (i = 0; i <= VHOST_MAXQUEUES; i++) {
		close_fd(&vh->vh_queues[i].vq_kick);
		close_fd(&vh->vh_queues[i].vq_call);
	}
	pthread_mutex_destroy(&vh->vh_lock);
	pthread_mutex_destroy(&vh->vh_config_lock);
	free(vh);
}

const char *
vhost_error(struct vhost *vh)
{
	pthread_mutex_lock(&vh->vh_lock);
	memcpy(vh->vh_told, vh->vh_error, sizeof(vh->vh_told));
	pthread_mutex_unlock(&vh->vh_lock);
	return vh->vh_told;
}

void
vhost_protocol_text(const struct vhost *vh, char *buf, size_t len)
{
	size_t i, have = 0;

	if (len > 0)
		*buf = '\0';
	for (i = 0; i < sizeof(protocol_names) / sizeof(*protocol_names); i++) {
		if (!vhost_has(vh, protocol_names[i].pn_bit) || have >= len)
			continue;
		have += (size_t)snprintf(buf + have, len - have, "%s%s",
		    have != 0 ? " " : "", protocol_names[i].pn_name);
	}
}

void
vhost_counters(struct vhost *vh, struct vhost_counters *vc)
{
	const struct vhost_queue *vq = vh->vh_queues;
	unsigned int i;

	pthread_mutex_lock(&vh->vh_lock);
	*vc = vh->vh_counters;
	pthread_mutex_unlock(&vh->vh_lock);
	for (i = 0; i <= VHOST_MAXQUEUES; i++, vq++) {
		vc->vc_kicks += __atomic_load_n(&vq->vq_kicks,
		    __ATOMIC_RELAXED);
		vc->vc_calls += __atomic_load_n(&vq->vq_calls,
		    __ATOMIC_RELAXED);
	}
}

/* Rings that are kept for the next back end. */
static bool
is_kept(const struct vhost *vh)
{
	return vh->vh_params.vp_resume &&
	    __atomic_load_n(&vh->vh_inflight, __ATOMIC_RELAXED) >= 0 &&
	    (__atomic_load_n(&vh->vh_status, __ATOMIC_ACQUIRE) &
	    PV_STATUS_DRIVER_OK);
}

/*
 * Has it closed the connection, or said something unasked? Under the lock, so
 * that no answer is under way.
 */
static void
look(struct vhost *vh)
{
	struct pollfd pfd = { .fd = vh->vh_fd, .events = POLLIN | POLLRDHUP };
	enum vhost_state state = vhost_state(vh);

	if ((state != VHOST_UP && state != VHOST_BAD) ||
	    poll(&pfd, 1, 0) != 1)
		return;
	if (pfd.revents & (POLLHUP | POLLRDHUP | POLLERR)) {
		vhost_end(vh, VHOST_GONE);
		vhost_fail(vh, ECONNRESET,
		    "the back end closed the connection");
	} else if (state == VHOST_UP) {
		vhost_end(vh, VHOST_BAD);
		vhost_fail(vh, EPROTO, "the back end speaks unasked");
	}
}

static void
try_look(struct vhost *vh)
{
	if (pthread_mutex_trylock(&vh->vh_lock) != 0)
		return;
	look(vh);
	pthread_mutex_unlock(&vh->vh_lock);
}

int
vhost_connected(struct vhost *vh)
{
	try_look(vh);
	return vhost_state(vh) == VHOST_UP;
}

/* Connection */

_Static_assert(sizeof(((struct vhost *)0)->vh_path) <=
    sizeof(((struct sockaddr_un *)0)->sun_path), "a path fits its address");

/* A socket, and the address to bind or connect it to; -1: errno says why not. */
static int
address(const struct vhost *vh, struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, vh->vh_path, strlen(vh->vh_path));
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int
connect_client(struct vhost *vh, int *fd)
{
	struct sockaddr_un sun;
	int error;

	*fd = address(vh, &sun);
	if (*fd < 0)
		return vhost_fail(vh, errno, "socket: %s", strerror(errno));
	if (connect(*fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return 0;
	error = errno;
	close_fd(fd);
	return vhost_fail(vh, error, "%s: %s", vh->vh_path, strerror(error));
}

/* A socket that an earlier run left there is in the way. */
static int
listen_there(struct vhost *vh)
{
	struct sockaddr_un sun;
	struct stat st;
	int fd, error;

	if (vh->vh_listen >= 0)
		return 0;
	fd = address(vh, &sun);
	if (fd < 0)
		return vhost_fail(vh, errno, "socket: %s", strerror(errno));
	if (stat(vh->vh_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(vh->vh_path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
		vh->vh_listen = fd;
		if (listen(fd, 1) == 0)
			return 0;
	}
	error = errno;
	if (vh->vh_listen >= 0)
		listen_end(vh);
	else
		close_fd(&fd);
	return vhost_fail(vh, error, "%s: %s", vh->vh_path, strerror(error));
}

static int
connect_server(struct vhost *vh, int *fd)
{
	const int64_t until = vhost_until(vh);
	int error;

	error = listen_there(vh);
	while (error == 0) {
		*fd = accept4(vh->vh_listen, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (*fd >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return vhost_fail(vh, errno, "accept: %s",
			    strerror(errno));
		error = vhost_ready(vh->vh_listen, POLLIN, until);
		if (error)
			vhost_fail(vh, error, "%s: %s", vh->vh_path,
			    error == ETIMEDOUT ? "nobody connects" :
			    strerror(error));
	}
	return error;
}

/* Other threads wait on vh_fd: it stays the same number. */
static int
connect_socket(struct vhost *vh)
{
	int fd = -1, error;

	error = vh->vh_params.vp_server ? connect_server(vh, &fd) :
	    connect_client(vh, &fd);
	if (error)
		return error;
	if (vh->vh_fd < 0) {
		vh->vh_fd = fd;
		return 0;
	}
	if (dup3(fd, vh->vh_fd, O_CLOEXEC) < 0)
		error = vhost_fail(vh, errno, "dup3: %s", strerror(errno));
	close(fd);
	return error;
}

/* Its other channel is a socket pair, of which it gets one end. */
static int
offer_channel(struct vhost *vh)
{
	struct vw_msg m;
	int pair[2], old = vhost_backend(vh), error;

	vhost_backend_set(vh, -1);
	close_fd(&old);
	if (!vhost_has(vh, VHOST_P_BACKEND_REQ))
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    pair) != 0)
		return vhost_fail(vh, errno, "socketpair: %s",
		    strerror(errno));
	error = vhost_tell(vh, &m, VW_SET_BACKEND_REQ_FD, 0, &pair[1], 1);
	close(pair[1]);
	vhost_backend_set(vh, pair[0]);
	return error;
}

/* Where a control queue is kept, it is behind as many as there were. */
static int
learn_queues(struct vhost *vh, bool kept)
{
	bool net = vhost_is_net(vh);
	bool fixed = kept && net && (vh->vh_accepted & NET_MQ);
	unsigned int most = vh->vh_params.vp_nqueues;
	/* Behind 31 pairs a driver still has room for a control queue. */
	unsigned int limit = VHOST_MAXQUEUES / 2 - (net ? 1 : 0);
	uint64_t n = net || vh->vh_params.vp_type == PV_TYPE_BLK ? 1 :
	    ANY_QUEUES;
	int error;

	if (vhost_has(vh, VHOST_P_MQ)) {
		error = vhost_get_u64(vh, VW_GET_QUEUE_NUM, &n);
		if (error)
			return error;
	}
	if (n == 0) {
		vhost_end(vh, VHOST_BAD);
		return vhost_fail(vh, EPROTO, "the back end has no queue");
	}
	if (most == 0 || most > limit)
		most = net && most == 0 ? 1 : limit;
	if (n > most)
		n = most;
	n *= net ? 2 : 1;
	if (fixed && n < vh->vh_nqueues)
		return vhost_fail(vh, ENOTSUP,
		    "the new back end has fewer queues");
	if (!fixed)
		__atomic_store_n(&vh->vh_nqueues, (unsigned int)n,
		    __ATOMIC_RELAXED);
	return 0;
}

static int
learn_slots(struct vhost *vh)
{
	uint64_t n;
	int error;

	vh->vh_slots = VW_MAXREGIONS;
	vh->vh_shown = 0;
	if (!vhost_has(vh, VHOST_P_CONFIGURE_MEM_SLOTS))
		return 0;
	error = vhost_get_u64(vh, VW_GET_MAX_MEM_SLOTS, &n);
	if (error == 0)
		vh->vh_slots = n > SHMEM_MAXREGIONS ? SHMEM_MAXREGIONS :
		    (unsigned int)n;
	return error;
}

static int
learn_protocol(struct vhost *vh)
{
	uint64_t bits;
	int error;

	vh->vh_protocol = 0;
	if ((vh->vh_offered & BIT(VW_F_PROTOCOL)) == 0)
		return 0;
	error = vhost_get_u64(vh, VW_GET_PROTOCOL, &bits);
	if (error)
		return error;
	bits &= PROTOCOL & ~vh->vh_params.vp_protocol_deny;
	/* Without protocol features negotiated there is nothing to answer. */
	error = vhost_tell_u64(vh, VW_SET_PROTOCOL, bits);
	vh->vh_protocol = bits;
	return error;
}

/* What is served here, beside what the back end does. */
static void
learn_added(struct vhost *vh)
{
	static const uint8_t none[6];
	const struct vhost_params *vp = &vh->vh_params;

	vh->vh_added = vp->vp_ring_reset &&
	    !vhost_has(vh, VHOST_P_INFLIGHT_SHMFD) ? BIT(PV_F_RING_RESET) : 0;
	if (!vhost_is_net(vh))
		return;
	vh->vh_added |= NET_STATUS;
	if (memcmp(vp->vp_mac, none, sizeof(none)) != 0)
		vh->vh_added |= NET_MAC;
	if (vp->vp_mtu != 0)
		vh->vh_added |= NET_MTU;
	if (vh->vh_nqueues > 2 && (vh->vh_offered & NET_MQ))
		vh->vh_added |= NET_CTRL_VQ | NET_MQ;
}

static int
handshake(struct vhost *vh, bool kept)
{
	struct vw_msg m;
	int error;

	vh->vh_protocol = 0;
	error = vhost_get_u64(vh, VW_GET_FEATURES, &vh->vh_offered);
	if (error == 0)
		error = learn_protocol(vh);
	if (error == 0)
		error = learn_queues(vh, kept);
	if (error == 0)
		error = learn_slots(vh);
	if (error == 0)
		error = offer_channel(vh);
	if (error == 0)
		error = vhost_tell(vh, &m, VW_SET_OWNER, 0, NULL, 0);
	if (error == 0)
		error = vhost_config_fetch(vh);
	if (error == 0)
		learn_added(vh);
	return error;
}

/* Start */

static uint64_t
features_offered(const struct vhost *vh)
{
	uint64_t bits = vh->vh_offered &
	    ~(NOT_CARRIED | BIT(PV_F_RING_RESET));

	if (vhost_is_net(vh))
		bits &= ~(NET_CTRL | NET_MTU | NET_MAC | NET_STATUS);
	return bits | vh->vh_added;
}

static int
tell_status(struct vhost *vh, uint8_t status)
{
	return vhost_has(vh, VHOST_P_STATUS) ?
	    vhost_tell_u64(vh, VW_SET_STATUS, status) : 0;
}

/* What was accepted, but for what the back end knows nothing of. */
static int
tell_features(struct vhost *vh)
{
	int error;

	error = vhost_tell_u64(vh, VW_SET_FEATURES,
	    vh->vh_offered & (vh->vh_accepted | BIT(VW_F_PROTOCOL)));
	if (error == 0 && (vh->vh_accepted & NET_MTU) && vhost_is_net(vh) &&
	    vhost_has(vh, VHOST_P_NET_MTU) && (vh->vh_offered & NET_MTU))
		error = vhost_tell_u64(vh, VW_NET_SET_MTU,
		    vh->vh_params.vp_mtu);
	return error;
}

/* FEATURES_OK: 0 if it stands. */
static int
do_features_ok(struct vhost *vh, uint8_t status)
{
	uint64_t said = status;
	int error;

	error = tell_features(vh);
	if (error == 0)
		error = tell_status(vh, status);
	if (error == 0 && vhost_has(vh, VHOST_P_STATUS))
		error = vhost_get_u64(vh, VW_GET_STATUS, &said);
	if (error == 0 && (said & PV_STATUS_FEATURES_OK) == 0)
		error = vhost_fail(vh, ENOTSUP,
		    "the back end refuses these features");
	if (error == 0)
		error = vhost_show_memory(vh);
	return error;
}

static int
do_driver_ok(struct vhost *vh, uint8_t status, bool resume)
{
	int error;

	error = vhost_rings_start(vh, resume);
	if (error == 0)
		error = tell_status(vh, status);
	return error;
}

static int
resume(struct vhost *vh)
{
	uint8_t status = __atomic_load_n(&vh->vh_status, __ATOMIC_ACQUIRE);
	uint8_t before = status & (uint8_t)~PV_STATUS_DRIVER_OK;
	unsigned int i;
	int error;

	if (vh->vh_accepted & ~features_offered(vh))
		return vhost_fail(vh, ENOTSUP,
		    "the new back end lacks features that are in use");
	for (i = vh->vh_nqueues; i <= VHOST_MAXQUEUES; i++)
		if (vh->vh_queues[i].vq_placed && !vhost_is_ctrl(vh, i))
			return vhost_fail(vh, ENOTSUP,
			    "the new back end has fewer queues");
	if (!vhost_has(vh, VHOST_P_INFLIGHT_SHMFD))
		return vhost_fail(vh, ENOTSUP,
		    "the new back end does not track what is in flight");
	error = tell_status(vh, PV_STATUS_ACKNOWLEDGE | PV_STATUS_DRIVER);
	if (error == 0)
		error = do_features_ok(vh, before);
	if (error == 0)
		error = do_driver_ok(vh, status, true);
	return error;
}

/* One that is full has been rung often enough. */
static bool
ring(const struct vhost_queue *vq)
{
	const uint64_t one = 1;

	return write(vq->vq_kick, &one, sizeof(one)) == (ssize_t)sizeof(one);
}

static struct pv_virtio *
handled_by(const struct vhost *vh)
{
	return __atomic_load_n(&vh->vh_dev, __ATOMIC_ACQUIRE);
}

/*
 * Doorbells and interrupts that the old one may have taken with it. The first
 * under the lock, the second without: their handlers may ring too.
 */
static void
ring_all(struct vhost *vh)
{
	unsigned int i;

	for (i = 0; i < VHOST_MAXQUEUES; i++)
		if (vh->vh_queues[i].vq_running && !vhost_is_ctrl(vh, i))
			(void)ring(&vh->vh_queues[i]);
}

static void
interrupt_all(struct vhost *vh)
{
	struct pv_virtio *dev = handled_by(vh);
	unsigned int i;

	for (i = 0; i < VHOST_MAXQUEUES && dev != NULL; i++)
		if (!vhost_is_ctrl(vh, i))
			pv_virtio_intr_queue(dev, i);
}

static int
do_connect(struct vhost *vh, bool kept)
{
	int error;

	vhost_state_set(vh, VHOST_DOWN);
	vh->vh_shown = 0;
	error = connect_socket(vh);
	if (error)
		return error;
	vhost_state_set(vh, VHOST_UP);
	error = handshake(vh, kept);
	if (error == 0 && kept)
		error = resume(vh);
	if (error == 0)
		return 0;
	/* What has seen memory may use it for as long as it is there. */
	if (vh->vh_shown == 0) {
		shutdown(vh->vh_fd, SHUT_RDWR);
		vhost_state_set(vh, VHOST_DOWN);
	} else if (vhost_state(vh) == VHOST_UP)
		vhost_state_set(vh, VHOST_BAD);
	return error;
}

int
vhost_connect(struct vhost *vh)
{
	bool kept;
	int error;

	pthread_mutex_lock(&vh->vh_lock);
	look(vh);
	kept = is_kept(vh);
	if (vhost_state(vh) == VHOST_UP)
		error = vhost_fail(vh, EISCONN, "it is connected");
	else if (vhost_state(vh) == VHOST_BAD)
		error = vhost_fail(vh, EBUSY, "the old back end is not gone, "
		    "and may use the memory");
	else
		error = do_connect(vh, kept);
	if (error == 0) {
		vh->vh_counters.vc_connects++;
		vh->vh_counters.vc_resumes += kept;
		__atomic_store_n(&vh->vh_changed, kept, __ATOMIC_RELEASE);
		vh->vh_error[0] = '\0';
	}
	if (error == 0 && kept)
		ring_all(vh);
	pthread_mutex_unlock(&vh->vh_lock);
	if (error == 0 && kept)
		interrupt_all(vh);
	return error;
}

int
vhost_memory(struct vhost *vh)
{
	int error = 0;

	pthread_mutex_lock(&vh->vh_lock);
	if (vhost_state(vh) != VHOST_UP)
		error = ENOTCONN;
	else if (vh->vh_shown != 0)	/* else FEATURES_OK shows it */
		error = vhost_show_memory(vh);
	pthread_mutex_unlock(&vh->vh_lock);
	return error;
}

/* Interrupts */

int
vhost_fd(const struct vhost *vh, int queue)
{
	if (queue == VHOST_ALL)
		return vh->vh_fd;
	return (unsigned int)queue < VHOST_MAXQUEUES ?
	    vh->vh_queues[queue].vq_call : -1;
}

/*
 * What an eventfd has counted, without waiting: whether the file blocks is the
 * back end's to say too. Linux before 5.8 takes no such flag here.
 */
static bool
event_take(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t n;
	struct iovec iov = { .iov_base = &n, .iov_len = sizeof(n) };
	ssize_t len;

	len = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	if (len < 0 && errno == EOPNOTSUPP && poll(&pfd, 1, 0) == 1)
		len = read(fd, &n, sizeof(n));
	return len == (ssize_t)sizeof(n);
}

static int
take_call(struct vhost *vh, unsigned int queue)
{
	struct vhost_queue *vq = &vh->vh_queues[queue];
	struct pv_virtio *dev = handled_by(vh);

	if (vq->vq_call < 0 || !event_take(vq->vq_call))
		return EAGAIN;
	/* Whoever waits for all takes it from whoever waits for this one. */
	__atomic_fetch_add(&vq->vq_calls, 1, __ATOMIC_RELAXED);
	if (dev != NULL)
		pv_virtio_intr_queue(dev, queue);
	return 0;
}

/* What it asks, and whether it is there; the handler runs without the lock. */
static int
attend(struct vhost *vh)
{
	struct pv_virtio *dev;
	int error;

	if (pthread_mutex_trylock(&vh->vh_lock) != 0)
		return EAGAIN;
	look(vh);
	error = vhost_asked(vh);
	if (__atomic_load_n(&vh->vh_changed, __ATOMIC_ACQUIRE) &&
	    vhost_state(vh) == VHOST_UP)
		vhost_config_fetch(vh);
	pthread_mutex_unlock(&vh->vh_lock);
	if (__atomic_exchange_n(&vh->vh_changed, 0, __ATOMIC_ACQ_REL)) {
		error = 0;
		dev = handled_by(vh);
		if (dev != NULL)
			pv_virtio_intr(dev, PV_INTR_CONFIG);
	}
	return vhost_state(vh) == VHOST_UP ? error : ENOTCONN;
}

int
vhost_attend(struct vhost *vh, int queue)
{
	if (queue == VHOST_ALL)
		return attend(vh);
	return (unsigned int)queue < VHOST_MAXQUEUES ?
	    take_call(vh, (unsigned int)queue) : EINVAL;
}

int
vhost_wait(struct vhost *vh, int queue, int timeout_ms)
{
	struct pollfd pfd[VHOST_MAXQUEUES + 2];
	unsigned int from = queue < 0 ? 0 : (unsigned int)queue;
	unsigned int end = queue < 0 ? __atomic_load_n(&vh->vh_nqueues,
	    __ATOMIC_RELAXED) : from + 1;
	unsigned int i, n = 0;
	int error = EAGAIN, found;

	if (end > VHOST_MAXQUEUES)
		return EINVAL;
	for (i = from; i < end; i++)
		pfd[n++] = (struct pollfd){ .fd = vh->vh_queues[i].vq_call,
		    .events = POLLIN };
	pfd[n++] = (struct pollfd){ .fd = vh->vh_fd,
	    .events = POLLIN | POLLRDHUP };
	/* Should that be closed meanwhile, and another file: attend() looks. */
	pfd[n] = (struct pollfd){ .fd = vhost_backend(vh), .events = POLLIN };
	found = poll(pfd, n + 1, timeout_ms < 0 ? 1000 : timeout_ms);
	if (found < 0)
		return errno;
	for (i = from; i < end; i++)
		if (pfd[i - from].revents != 0 && take_call(vh, i) == 0)
			error = 0;
	if (pfd[n - 1].revents != 0 || pfd[n].revents != 0 ||
	    vhost_state(vh) != VHOST_UP) {
		found = attend(vh);
		if (found != EAGAIN)
			error = found;
	}
	return error;
}

/* The transport */

static unsigned int
to_properties(void *arg)
{
	(void)arg;
	return 0;
}

/*
 * The status is kept here: whoever reads it may be in no thread that could wait
 * for an answer. The connection's end is a need of reset, but where the rings
 * are kept.
 */
static uint8_t
to_status_read(void *arg)
{
	struct vhost *vh = arg;
	uint8_t status;

	try_look(vh);
	status = __atomic_load_n(&vh->vh_status, __ATOMIC_ACQUIRE);
	if (vhost_state(vh) == VHOST_UP || status == 0)
		return status;
	if (vhost_state(vh) != VHOST_BAD && is_kept(vh))
		return status;
	return status | PV_STATUS_NEEDS_RESET;
}

/*
 * The rings stop, one after the other, each confirmed. A back end that is gone
 * has stopped; one that does not answer has not, and the status stays.
 */
static void
reset(struct vhost *vh)
{
	unsigned int i;

	if (vhost_state(vh) == VHOST_UP && vhost_rings_stop(vh) == 0)
		tell_status(vh, 0);
	if (vhost_state(vh) == VHOST_BAD)
		return;
	for (i = 0; i <= VHOST_MAXQUEUES; i++)
		vh->vh_queues[i].vq_placed = vh->vh_queues[i].vq_running = 0;
	vhost_ctrl_reset(vh);
	vhost_inflight_drop(vh);
	vh->vh_pairs = 1;
	__atomic_store_n(&vh->vh_status, 0, __ATOMIC_RELEASE);
}

/* Bits that the back end does not agree to stay away. */
static void
status_add(struct vhost *vh, uint8_t status)
{
	uint8_t old = __atomic_load_n(&vh->vh_status, __ATOMIC_ACQUIRE);
	uint8_t new = status & (uint8_t)~old;
	int error = 0;

	if (vhost_state(vh) != VHOST_UP)
		error = ENOTCONN;
	else if (new & PV_STATUS_FEATURES_OK)
		error = do_features_ok(vh, status);
	else if (new & PV_STATUS_DRIVER_OK)
		error = do_driver_ok(vh, status, false);
	else
		error = tell_status(vh, status);
	if (error)
		status &= (uint8_t)~(new & (PV_STATUS_FEATURES_OK |
		    PV_STATUS_DRIVER_OK));
	__atomic_store_n(&vh->vh_status, status, __ATOMIC_RELEASE);
}

static void
to_status_write(void *arg, uint8_t status)
{
	struct vhost *vh = arg;

	pthread_mutex_lock(&vh->vh_lock);
	look(vh);
	if (status == 0)
		reset(vh);
	else
		status_add(vh, status & (uint8_t)~PV_STATUS_NEEDS_RESET);
	pthread_mutex_unlock(&vh->vh_lock);
}

static uint64_t
to_features_read(void *arg)
{
	const struct vhost *vh = arg;

	return vhost_state(vh) == VHOST_UP ? features_offered(vh) : 0;
}

static void
to_features_write(void *arg, uint64_t features)
{
	struct vhost *vh = arg;

	vh->vh_accepted = features;
}

static uint64_t
to_features_carried(void *arg)
{
	(void)arg;
	return ~NOT_CARRIED;
}

static int
to_config_read(void *arg, unsigned int off, unsigned int width, uint32_t *val)
{
	struct vhost *vh = arg;
	uint32_t v = 0;
	unsigned int i;

	pthread_mutex_lock(&vh->vh_config_lock);
	if (off > vh->vh_configlen || width > vh->vh_configlen - off) {
		pthread_mutex_unlock(&vh->vh_config_lock);
		return ERANGE;
	}
	for (i = 0; i < width; i++)
		v |= (uint32_t)vh->vh_config[off + i] << 8 * i;
	pthread_mutex_unlock(&vh->vh_config_lock);
	*val = v;
	return 0;
}

static unsigned int
to_config_size(void *arg)
{
	struct vhost *vh = arg;
	unsigned int len;

	pthread_mutex_lock(&vh->vh_config_lock);
	len = vh->vh_configlen;
	pthread_mutex_unlock(&vh->vh_config_lock);
	return len;
}

static int
to_config_write(void *arg, unsigned int off, unsigned int width, uint32_t val)
{
	struct vhost *vh = arg;
	const unsigned int len = to_config_size(arg);
	int error;

	if (off > len || width > len - off)
		return ERANGE;
	pthread_mutex_lock(&vh->vh_lock);
	error = vhost_config_put(vh, off, width, val);
	vhost_config_fetch(vh);
	pthread_mutex_unlock(&vh->vh_lock);
	return error ? EIO : 0;
}

static uint32_t
to_config_generation(void *arg)
{
	struct vhost *vh = arg;
	uint32_t generation;

	pthread_mutex_lock(&vh->vh_config_lock);
	generation = vh->vh_generation;
	pthread_mutex_unlock(&vh->vh_config_lock);
	return generation;
}

/* Without MQ in use there is one pair, and the control queue is behind it. */
static unsigned int
to_queue_count(void *arg)
{
	const struct vhost *vh = arg;

	return vhost_is_net(vh) && (vh->vh_added & NET_CTRL_VQ) ?
	    vhost_ctrl_index(vh) + 1 : vh->vh_nqueues;
}

static unsigned int
to_queue_max(void *arg, unsigned int queue)
{
	const struct vhost *vh = arg;

	if (queue >= to_queue_count(arg))
		return 0;
	return vhost_is_ctrl(vh, queue) ? CTRL_MAX :
	    vh->vh_params.vp_queue_max;
}

/*
 * Where it is, is told with DRIVER_OK: all of it at once. Later, of one that
 * was reset, at once.
 */
static int
to_queue_enable(void *arg, unsigned int queue,
    const struct pv_queue_place *qp)
{
	struct vhost *vh = arg;
	int error = 0;

	if (queue >= to_queue_count(arg))
		return EIO;
	pthread_mutex_lock(&vh->vh_lock);
	vh->vh_queues[queue].vq_place = *qp;
	vh->vh_queues[queue].vq_placed = 1;
	if (vhost_is_ctrl(vh, queue))
		vhost_ctrl_reset(vh);
	else if (vh->vh_status & PV_STATUS_DRIVER_OK)
		error = vhost_ring_again(vh, queue);
	pthread_mutex_unlock(&vh->vh_lock);
	return error ? EIO : 0;
}

static int
to_queue_reset(void *arg, unsigned int queue)
{
	struct vhost *vh = arg;
	int error = 0;

	pthread_mutex_lock(&vh->vh_lock);
	if (!vhost_is_ctrl(vh, queue))
		error = vhost_ring_stop(vh, queue);
	if (error == 0)
		vh->vh_queues[queue].vq_placed = 0;
	pthread_mutex_unlock(&vh->vh_lock);
	return error == 0 ? 0 : vhost_state(vh) == VHOST_GONE ? EIO :
	    ETIMEDOUT;
}

static void
to_notify(void *arg, unsigned int queue, uint32_t data)
{
	struct vhost *vh = arg;
	struct vhost_queue *vq = &vh->vh_queues[queue];

	(void)data;
	if (vhost_is_ctrl(vh, queue)) {
		pthread_mutex_lock(&vh->vh_lock);
		vhost_ctrl_serve(vh);
		pthread_mutex_unlock(&vh->vh_lock);
		return;
	}
	if (ring(vq))
		/* Its owner's alone: others only read it. */
		__atomic_store_n(&vq->vq_kicks, vq->vq_kicks + 1,
		    __ATOMIC_RELAXED);
}

static enum pv_intr_mode
to_intr_setup(void *arg, struct pv_virtio *dev, unsigned int nqueues)
{
	struct vhost *vh = arg;
	unsigned int i;

	__atomic_store_n(&vh->vh_dev, dev, __ATOMIC_RELEASE);
	if (vh->vh_params.vp_poll)
		return PV_INTR_MODE_POLL;
	for (i = 0; i < nqueues && i < vh->vh_nqueues; i++) {
		if (vh->vh_queues[i].vq_call < 0)
			vh->vh_queues[i].vq_call = eventfd(0,
			    EFD_CLOEXEC | EFD_NONBLOCK);
		if (vh->vh_queues[i].vq_call < 0)
			return PV_INTR_MODE_POLL;
	}
	return PV_INTR_MODE_PER_QUEUE;
}

static void
to_intr_teardown(void *arg)
{
	struct vhost *vh = arg;

	__atomic_store_n(&vh->vh_dev, NULL, __ATOMIC_RELEASE);
}

static unsigned int
to_intr_status(void *arg)
{
	struct vhost *vh = arg;

	if (pthread_mutex_trylock(&vh->vh_lock) != 0)
		return 0;
	vhost_asked(vh);
	if (__atomic_load_n(&vh->vh_changed, __ATOMIC_ACQUIRE) &&
	    vhost_state(vh) == VHOST_UP)
		vhost_config_fetch(vh);
	pthread_mutex_unlock(&vh->vh_lock);
	return PV_INTR_QUEUE |
	    (__atomic_exchange_n(&vh->vh_changed, 0, __ATOMIC_ACQ_REL) ?
	    PV_INTR_CONFIG : 0);
}

static void
to_describe(void *arg, char *buf, size_t len)
{
	const struct vhost *vh = arg;

	snprintf(buf, len, "vhost-user %s", vh->vh_path);
}

const struct pv_transport_ops vhost_transport = {
	.to_name = "vhost-user",
	.to_properties = to_properties,
	.to_status_read = to_status_read,
	.to_status_write = to_status_write,
	.to_features_read = to_features_read,
	.to_features_write = to_features_write,
	.to_features_carried = to_features_carried,
	.to_config_read = to_config_read,
	.to_config_write = to_config_write,
	.to_config_generation = to_config_generation,
	.to_config_size = to_config_size,
	.to_queue_count = to_queue_count,
	.to_queue_max = to_queue_max,
	.to_queue_enable = to_queue_enable,
	.to_queue_reset = to_queue_reset,
	.to_notify = to_notify,
	.to_intr_setup = to_intr_setup,
	.to_intr_teardown = to_intr_teardown,
	.to_intr_status = to_intr_status,
	.to_describe = to_describe,
};
