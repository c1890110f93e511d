/* SPDX-License-Identifier: ISC */
/*
 * Messages through the socket: each wait has a bound, each answer is held to
 * what was asked.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vhost_var.h"

#define MAXFDS		VW_MAXREGIONS
#define MAXASKED	16u	/* messages that are taken at once */

union rights {
	struct cmsghdr ri_hdr;		/* for its alignment */
	char ri_buf[CMSG_SPACE(MAXFDS * sizeof(int))];
};

int
vhost_fail(struct vhost *vh, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(vh->vh_error, sizeof(vh->vh_error), fmt, ap);
	va_end(ap);
	return error;
}

void
vhost_state_set(struct vhost *vh, enum vhost_state state)
{
	__atomic_store_n(&vh->vh_state, state, __ATOMIC_RELEASE);
}

enum vhost_state
vhost_state(const struct vhost *vh)
{
	return __atomic_load_n(&vh->vh_state, __ATOMIC_ACQUIRE);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
vhost_until(const struct vhost *vh)
{
	return now_ms() + vh->vh_params.vp_timeout_ms;
}

int
vhost_ready(int fd, short events, int64_t until)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left = until - now_ms();

	if (left <= 0)
		return ETIMEDOUT;
	if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
		return errno;
	return 0;
}

/* Whoever saw it: the driver is told, and one that is gone runs no ring. */
void
vhost_end(struct vhost *vh, enum vhost_state state)
{
	unsigned int i;

	vhost_state_set(vh, state);
	if (state == VHOST_GONE) {
		for (i = 0; i <= VHOST_MAXQUEUES; i++)
			vh->vh_queues[i].vq_running = 0;
		if (vhost_is_net(vh))
			vhost_config_fetch(vh);
	}
	__atomic_store_n(&vh->vh_changed, 1, __ATOMIC_RELEASE);
}

/*
 * What the back end did wrong ends the session. If it closed the connection it
 * is gone; else nobody knows what it does with the memory.
 */
static int
end(struct vhost *vh, int error, const char *what, uint32_t request)
{
	if (error == EPIPE)
		error = ECONNRESET;
	vhost_end(vh, error == ECONNRESET ? VHOST_GONE : VHOST_BAD);
	return vhost_fail(vh, error, "%s (request %u%s%s)", what, request,
	    error == EPROTO ? "" : ": ", error == EPROTO ? "" :
	    strerror(error));
}

static void
rights_put(struct msghdr *mh, union rights *ri, const int *fds,
    unsigned int n)
{
	struct cmsghdr *cm;

	if (n == 0)
		return;
	memset(ri, 0, sizeof(*ri));
	mh->msg_control = ri->ri_buf;
	mh->msg_controllen = CMSG_SPACE(n * sizeof(int));
	cm = CMSG_FIRSTHDR(mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
}

/* Descriptors of a message into fds; more than that are closed, and counted. */
static unsigned int
rights_take(struct msghdr *mh, int *fds, unsigned int have)
{
	struct cmsghdr *cm;
	size_t i, n;
	int fd;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int),
			    sizeof(fd));
			if (have < MAXFDS)
				fds[have] = fd;
			else
				close(fd);
			have++;
		}
	}
	return have;
}

static void
close_all(const int *fds, unsigned int n)
{
	while (n-- > 0)
		if (n < MAXFDS)
			close(fds[n]);
}

static int
send_all(int fd, const void *buf, size_t len, const int *fds,
    unsigned int nfds, int64_t until)
{
	union rights ri;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf,
	    .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int error;

	rights_put(&mh, &ri, fds, nfds);
	while (iov.iov_len > 0) {
		n = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			iov.iov_base = (char *)iov.iov_base + n;
			iov.iov_len -= (size_t)n;
			mh.msg_control = NULL;
			mh.msg_controllen = 0;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return errno;
		error = vhost_ready(fd, POLLOUT, until);
		if (error)
			return error;
	}
	return 0;
}

/* Exactly len bytes, and what descriptors came with them. */
static int
receive_all(int fd, void *buf, size_t len, int *fds, unsigned int *nfds,
    int64_t until)
{
	union rights ri;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr mh;
	ssize_t n;
	int error;

	while (iov.iov_len > 0) {
		memset(&mh, 0, sizeof(mh));
		mh.msg_iov = &iov;
		mh.msg_iovlen = 1;
		mh.msg_control = ri.ri_buf;
		mh.msg_controllen = sizeof(ri.ri_buf);
		n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n > 0) {
			*nfds = rights_take(&mh, fds, *nfds);
			iov.iov_base = (char *)iov.iov_base + n;
			iov.iov_len -= (size_t)n;
			continue;
		}
		if (n == 0)
			return ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return errno;
		error = vhost_ready(fd, POLLIN, until);
		if (error)
			return error;
	}
	return 0;
}

/*
 * A message whole; what it says of its own size is believed up to what there is
 * room for. Descriptors are the caller's.
 */
static int
receive_msg(int fd, struct vw_msg *m, int *fds, unsigned int *nfds,
    int64_t until)
{
	int error;

	*nfds = 0;
	error = receive_all(fd, m, VW_HEADER, fds, nfds, until);
	if (error == 0 && m->vw_size > sizeof(m->u))
		error = EPROTO;
	if (error == 0)
		error = receive_all(fd, &m->u, m->vw_size, fds, nfds, until);
	return error;
}

static int
post(struct vhost *vh, struct vw_msg *m, uint32_t request, uint32_t flags,
    size_t len, const int *fds, unsigned int nfds)
{
	int error;

	if (vhost_state(vh) != VHOST_UP)
		return ENOTCONN;
	m->vw_request = request;
	m->vw_flags = VW_VERSION | flags;
	m->vw_size = (uint32_t)len;
	error = send_all(vh->vh_fd, m, VW_HEADER + len, fds, nfds,
	    vhost_until(vh));
	if (error)
		return end(vh, error, "the back end takes no message",
		    request);
	vh->vh_counters.vc_messages++;
	return 0;
}

int
vhost_send(struct vhost *vh, struct vw_msg *m, uint32_t request, size_t len,
    const int *fds, unsigned int nfds)
{
	return post(vh, m, request, 0, len, fds, nfds);
}

static const char *
answer_fault(const struct vw_msg *m, uint32_t request, size_t min, size_t max,
    unsigned int want, unsigned int nfds)
{
	if ((m->vw_flags & VW_VERSION_MASK) != VW_VERSION ||
	    (m->vw_flags & VW_REPLY) == 0)
		return "the back end sent what is no answer";
	if (m->vw_request != request)
		return "the back end answered another request";
	if (m->vw_size < min || m->vw_size > max)
		return "the back end's answer has a wrong size";
	if (nfds != want)
		return want ? "the back end's answer lacks its descriptor" :
		    "the back end's answer has descriptors";
	return NULL;
}

int
vhost_answer(struct vhost *vh, struct vw_msg *m, uint32_t request,
    size_t min, size_t max, int *fd)
{
	const char *fault;
	unsigned int nfds;
	int fds[MAXFDS], error;

	error = receive_msg(vh->vh_fd, m, fds, &nfds,
	    vhost_until(vh));
	if (error) {
		close_all(fds, nfds);
		return end(vh, error, error == EPROTO ?
		    "the back end's answer has a wrong size" :
		    "the back end does not answer", request);
	}
	fault = answer_fault(m, request, min, max, fd != NULL, nfds);
	if (fault != NULL) {
		close_all(fds, nfds);
		return end(vh, EPROTO, fault, request);
	}
	if (fd != NULL)
		*fd = fds[0];
	vh->vh_counters.vc_answers++;
	return 0;
}

int
vhost_tell(struct vhost *vh, struct vw_msg *m, uint32_t request, size_t len,
    const int *fds, unsigned int nfds)
{
	bool ack = vhost_has(vh, VHOST_P_REPLY_ACK);
	int error;

	error = post(vh, m, request, ack ? VW_NEED_REPLY : 0, len, fds, nfds);
	if (error || !ack)
		return error;
	error = vhost_answer(vh, m, request, 8, 8, NULL);
	if (error == 0 && m->u.vw_u64 != 0)
		error = vhost_fail(vh, EIO,
		    "the back end refused request %u", request);
	return error;
}

int
vhost_get_u64(struct vhost *vh, uint32_t request, uint64_t *val)
{
	struct vw_msg m;
	int error;

	error = vhost_send(vh, &m, request, 0, NULL, 0);
	if (error == 0)
		error = vhost_answer(vh, &m, request, 8, 8, NULL);
	if (error == 0)
		*val = m.u.vw_u64;
	return error;
}

int
vhost_tell_u64(struct vhost *vh, uint32_t request, uint64_t val)
{
	struct vw_msg m;

	m.u.vw_u64 = val;
	return vhost_tell(vh, &m, request, 8, NULL, 0);
}

int
vhost_tell_ring(struct vhost *vh, uint32_t request, unsigned int queue,
    uint32_t num)
{
	struct vw_msg m;

	m.u.vw_state.vs_index = queue;
	m.u.vw_state.vs_num = num;
	return vhost_tell(vh, &m, request, 8, NULL, 0);
}

/* What is asked without being driven here is refused. */
static int
asked_reply(struct vhost *vh, const struct vw_msg *m, int64_t until)
{
	struct vw_msg reply = {
		.vw_request = m->vw_request,
		.vw_flags = VW_VERSION | VW_REPLY,
		.vw_size = 8,
	};

	reply.u.vw_u64 = m->vw_request != VW_CONFIG_CHANGED;
	return send_all(vhost_backend(vh), &reply, VW_HEADER + 8, NULL, 0,
	    until);
}

/*
 * Something was wrong with the channel. That it is closed is no loss, and no
 * word of the memory, which the back end has for as long as the session lasts.
 */
static int
asked_end(struct vhost *vh, int error, const char *what, uint32_t request)
{
	if (error != ECONNRESET && error != EPIPE)
		return end(vh, error, what, request);
	close(vhost_backend(vh));
	vhost_backend_set(vh, -1);
	return ECONNRESET;
}

/*
 * One message; 0, EAGAIN there is none, or what ended the session; ECONNRESET
 * the channel alone.
 */
static int
asked_one(struct vhost *vh)
{
	struct pollfd pfd = { .fd = vhost_backend(vh), .events = POLLIN };
	int64_t until = vhost_until(vh);
	struct vw_msg m = { .vw_request = 0 };
	unsigned int nfds;
	int fds[MAXFDS], error;

	if (pfd.fd < 0 || poll(&pfd, 1, 0) != 1)
		return EAGAIN;
	error = receive_msg(pfd.fd, &m, fds, &nfds, until);
	close_all(fds, nfds);
	if (error == 0 && ((m.vw_flags & VW_VERSION_MASK) != VW_VERSION ||
	    (m.vw_flags & VW_REPLY)))
		error = EPROTO;
	if (error)
		return asked_end(vh, error == ECONNRESET ? error : EPROTO,
		    "the back end asked in no known form", m.vw_request);
	vh->vh_counters.vc_requests++;
	if (m.vw_request == VW_CONFIG_CHANGED)
		__atomic_store_n(&vh->vh_changed, 1, __ATOMIC_RELEASE);
	if ((m.vw_flags & VW_NEED_REPLY) == 0)
		return 0;
	error = asked_reply(vh, &m, until);
	return error == 0 ? 0 : asked_end(vh, error,
	    "the back end takes no answer", m.vw_request);
}

int
vhost_asked(struct vhost *vh)
{
	unsigned int i;

	for (i = 0; i < MAXASKED && vhost_state(vh) == VHOST_UP; i++)
		if (asked_one(vh) == EAGAIN)
			break;
	return i > 0 ? 0 : EAGAIN;
}
