/* SPDX-License-Identifier: ISC */

/*
 * Words for the errors that there are here. The C library's own has all that
 * there are anywhere, in four times the room.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct word {
	uint8_t		w_error;
	const char	*w_text;
};

static const struct word words[] = {
	{ 0, "Success" },
	{ EPERM, "Not permitted" },
	{ ENOENT, "No such file or directory" },
	{ EINTR, "Interrupted" },
	{ EIO, "I/O error" },
	{ ENXIO, "No such device or address" },
	{ E2BIG, "Arg list too long" },
	{ ENOEXEC, "Exec format error" },
	{ EBADF, "Not opened for that" },
	{ EAGAIN, "Try again" },
	{ ENOMEM, "Not enough space" },
	{ EACCES, "Permission denied" },
	{ EFAULT, "Bad address" },
	{ EBUSY, "Device or resource busy" },
	{ EEXIST, "File exists" },
	{ ENODEV, "No such device" },
	{ ENOTDIR, "Not a directory" },
	{ EISDIR, "Is a directory" },
	{ EINVAL, "Invalid argument" },
	{ EMFILE, "Too many open files" },
	{ ENOTTY, "Not a character device" },
	{ EFBIG, "File too large" },
	{ ENOSPC, "No space left on device" },
	{ EROFS, "Read-only file system" },
	{ EPIPE, "Broken pipe" },
	{ ERANGE, "Result too large" },
	{ ENAMETOOLONG, "File or path name too long" },
	{ ENOSYS, "Function not implemented" },
	{ EILSEQ, "Damaged data" },
	{ ENOTSUP, "Not supported" },
	{ EOPNOTSUPP, "Not supported" },
	{ ENOBUFS, "No buffer space available" },
	{ EMSGSIZE, "Message too long" },
	{ EADDRINUSE, "Address already in use" },
	{ ENETDOWN, "Network interface is not configured" },
	{ ENETUNREACH, "Network is unreachable" },
	{ EHOSTUNREACH, "Host is unreachable" },
	{ ECONNABORTED, "Connection aborted" },
	{ ECONNRESET, "Connection reset by peer" },
	{ ECONNREFUSED, "Connection refused" },
	{ ENOTCONN, "Socket is not connected" },
	{ EISCONN, "Socket is already connected" },
	{ ETIMEDOUT, "Connection timed out" },
	{ EALREADY, "Already under way" },
};

char *
strerror(int error)
{
	static char other[sizeof("error -2147483648")];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].w_error == error)
			return (char *)(uintptr_t)words[i].w_text;
	snprintf(other, sizeof(other), "error %d", error);
	return other;
}
