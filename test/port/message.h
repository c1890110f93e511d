/* SPDX-License-Identifier: ISC */
/*
 * Messages of vhost-user as the tests' back ends have them, which trust who
 * sends them.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "vhost_wire.h"

#define MESSAGE_FDS	8

/* With a descriptor; -1: without. */
static bool
message_send(int sock, const void *buf, size_t len, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	if (fd >= 0) {
		mh.msg_control = control;
		mh.msg_controllen = sizeof(control);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	}
	return sendmsg(sock, &mh, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Whole, and *n descriptors, the caller's now; false: there is no more. */
static bool
message_take(int sock, struct vw_msg *m, int fds[MESSAGE_FDS], size_t *n)
{
	char control[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
	struct iovec iov = { m, VW_HEADER };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cm;

	*n = 0;
	if (recvmsg(sock, &mh, MSG_WAITALL) != (ssize_t)VW_HEADER)
		return false;
	cm = CMSG_FIRSTHDR(&mh);
	if (cm != NULL) {
		*n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cm), *n * sizeof(int));
	}
	return m->vw_size == 0 || (m->vw_size <= sizeof(m->u) && recv(sock,
	    &m->u, m->vw_size, MSG_WAITALL) == (ssize_t)m->vw_size);
}

#endif
