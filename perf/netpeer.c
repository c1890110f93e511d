/* SPDX-License-Identifier: ISC */
/*
 * The other end of a guest's cable, for perf/: a source of frames that is never
 * what is waited for. Those that come are dropped.
 *
 *	netpeer PATH
 *
 * listens there, for QEMU's stream back end (each frame comes after its length,
 * four bytes, most significant first). Of commands, one a line from standard
 * input:
 *
 *	blast SIZE N		N frames, without a pause
 *	burst SIZE N GAP COUNT	N frames at once, COUNT times, GAP microseconds
 *				apart
 *
 * the answer is a line, "sent", when QEMU has taken all.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/un.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEAD		4
#define PIECE		32		/* frames */
#define BLOCK		(256 * 1024)
#define FRAME_MAX	(4096 + 65536)	/* what QEMU takes */

struct peer {
	int		pe_fd;
	uint8_t		*pe_buffer;	/* what came */
	uint8_t		*pe_block;	/* what goes out: frames */
	size_t		pe_used;	/* of the block */
	size_t		pe_frame;	/* length with its head */
	size_t		pe_piece;	/* that is sent at once */
};

/* All that is there now; when QEMU is gone, so are we. */
static void
drain(struct peer *pe)
{
	ssize_t got;

	while ((got = recv(pe->pe_fd, pe->pe_buffer, BLOCK,
	    MSG_DONTWAIT)) > 0)
		;
	if (got == 0)
		exit(0);
}

/* Until something can be sent, for at most that long. */
static void
wait_for(struct peer *pe, short events, uint64_t us)
{
	struct pollfd pfd = { .fd = pe->pe_fd, .events = events };
	struct timespec ts = {
		.tv_sec = (time_t)(us / 1000000),
		.tv_nsec = (long)(us % 1000000) * 1000
	};

	ppoll(&pfd, 1, &ts, NULL);
	if (pfd.revents & (POLLHUP | POLLERR))
		exit(0);
	if (pfd.revents & POLLIN)
		drain(pe);
}

/* The block's first n bytes, in pieces that QEMU gets one or two at once. */
static void
send_all(struct peer *pe, size_t n)
{
	size_t at = 0, part;
	ssize_t sent;

	while (at < n) {
		part = n - at < pe->pe_piece ? n - at : pe->pe_piece;
		sent = send(pe->pe_fd, pe->pe_block + at, part,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0)
			at += (size_t)sent;
		else if (sent < 0 && errno != EAGAIN)
			exit(0);
		else
			wait_for(pe, POLLOUT | POLLIN, 100000);
	}
}

/* A block of frames for the guest, of a kind that no stack takes. */
static void
fill(struct peer *pe, size_t size)
{
	static const uint8_t start[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,	/* QEMU's first NIC */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x02,
		0x88, 0xb5				/* for experiments */
	};
	uint8_t *p;

	if (size < sizeof(start) || size > FRAME_MAX)
		errx(1, "no frame has %zu bytes", size);
	pe->pe_frame = HEAD + size;
	pe->pe_used = BLOCK / pe->pe_frame * pe->pe_frame;
	for (p = pe->pe_block; p < pe->pe_block + pe->pe_used;
	    p += pe->pe_frame) {
		memset(p, 0, pe->pe_frame);
		p[0] = (uint8_t)(size >> 24);
		p[1] = (uint8_t)(size >> 16);
		p[2] = (uint8_t)(size >> 8);
		p[3] = (uint8_t)size;
		memcpy(p + HEAD, start, sizeof(start));
	}
}

static void
cut(struct peer *pe, size_t piece)
{
	int room = (int)piece;

	pe->pe_piece = piece;
	setsockopt(pe->pe_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

/*
 * QEMU reads FRAME_MAX bytes if they are there, and holds its lock until all
 * frames in them are delivered or put aside: of small ones there are fewer.
 */
static void
blast(struct peer *pe, size_t size, size_t n)
{
	size_t most, part;

	fill(pe, size);
	cut(pe, 2 * PIECE * pe->pe_frame < FRAME_MAX ? PIECE * pe->pe_frame :
	    4 * BLOCK);
	most = pe->pe_used / pe->pe_frame;
	for (; n > 0; n -= part) {
		part = n < most ? n : most;
		send_all(pe, part * pe->pe_frame);
	}
}

static void
burst(struct peer *pe, size_t size, size_t n, uint64_t gap, uint64_t count)
{
	fill(pe, size);
	if (n * pe->pe_frame > pe->pe_used)
		errx(1, "no such burst");
	cut(pe, 4 * BLOCK);
	for (; count > 0; count--) {
		send_all(pe, n * pe->pe_frame);
		wait_for(pe, POLLIN, gap);
	}
}

static void
obey(struct peer *pe, const char *line)
{
	unsigned long long a, b, c, d;

	if (sscanf(line, "blast %llu %llu", &a, &b) == 2)
		blast(pe, (size_t)a, (size_t)b);
	else if (sscanf(line, "burst %llu %llu %llu %llu", &a, &b, &c, &d) == 4)
		burst(pe, (size_t)a, (size_t)b, c, d);
	else
		errx(1, "what is %s", line);
	printf("sent\n");
	fflush(stdout);
}

static int
serve(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, s;

	if (strlen(path) >= sizeof(un.sun_path))
		errx(1, "%s is too long", path);
	strcpy(un.sun_path, path);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (s < 0 || bind(s, (struct sockaddr *)&un, sizeof(un)) != 0 ||
	    listen(s, 1) != 0)
		err(1, "%s", path);
	printf("ready\n");
	fflush(stdout);
	fd = accept(s, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	return fd;
}

int
main(int argc, char **argv)
{
	struct peer pe = { .pe_fd = -1 };
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char line[128];

	if (argc != 2)
		errx(1, "usage: netpeer PATH");
	pe.pe_buffer = malloc(BLOCK);
	pe.pe_block = malloc(BLOCK);
	if (pe.pe_buffer == NULL || pe.pe_block == NULL)
		err(1, "memory");
	pe.pe_fd = pfd[1].fd = serve(argv[1]);
	for (;;) {
		if (poll(pfd, 2, -1) < 0)
			err(1, "poll");
		if (pfd[1].revents != 0)
			drain(&pe);
		/* One command at a time is asked. */
		if (pfd[0].revents != 0) {
			if (fgets(line, sizeof(line), stdin) == NULL)
				return 0;
			obey(&pe, line);
		}
	}
}
