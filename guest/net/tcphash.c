/* SPDX-License-Identifier: ISC */
/*
 * Seeded data over TCP, and its CRC-32: what one end sent can be held against
 * what the other received.
 *
 * The data is a block of BLOCK bytes, a prime number, over and over, so that it
 * falls differently on segments, pages and buffers each time. The block is the
 * low byte first of each value of
 *
 *	x = x * 6364136223846793005 + 1442695040888963407 (mod 2^64)
 *
 * beginning after x = SEED, each value shifted right by 32 (four bytes of it).
 * test/lib/tcphash.py is the other end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/tcp.h"

#include "crc32.h"
#include "ktime.h"
#include "net_guest.h"
#include "netstack.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"

#define BLOCK		65521u
#define BLOCK_ALLOC	65524u		/* up to a whole word */
#define IDLE_NS		(20 * NS_PER_S)

struct transfer {
	struct event	tr_event;
	struct tcp_pcb	*tr_pcb;
	struct tcp_pcb	*tr_listen;
	uint8_t		*tr_block;	/* NULL: we receive */
	uint64_t	tr_total;	/* to send */
	uint64_t	tr_done;	/* received, or acknowledged */
	uint64_t	tr_written;	/* given to lwIP */
	uint64_t	tr_began;
	uint32_t	tr_crc;
	bool		tr_connected;
	bool		tr_finished;
	bool		tr_plain;	/* a bench: no CRC, and to send until */
	uint64_t	tr_until;
	int		tr_error;
};

static uint8_t *
block_make(uint64_t seed)
{
	uint8_t *block = net_alloc(BLOCK_ALLOC);
	uint64_t x = seed;
	uint32_t word;
	size_t i;

	if (block == NULL)
		return NULL;
	for (i = 0; i < BLOCK_ALLOC; i += sizeof(word)) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		word = (uint32_t)(x >> 32);
		memcpy(block + i, &word, sizeof(word));
	}
	return block;
}

/* No pcb after this: it is closed, or lwIP freed it. */
static void
transfer_end(struct transfer *tr, int error)
{
	tr->tr_pcb = NULL;
	if (tr->tr_finished)
		return;
	tr->tr_finished = true;
	tr->tr_error = error;
	event_signal(&tr->tr_event);
}

static void
transfer_detach(struct tcp_pcb *pcb)
{
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
}

static err_t
transfer_close(struct transfer *tr, int error)
{
	struct tcp_pcb *pcb = tr->tr_pcb;

	transfer_detach(pcb);
	transfer_end(tr, error);
	if (tcp_close(pcb) != ERR_OK) {
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	return ERR_OK;
}

/* As much as lwIP takes; it reads the block itself until it is acknowledged. */
static void
transfer_fill(struct transfer *tr)
{
	uint64_t left;
	size_t at, n;

	if (tr->tr_plain && tr->tr_total == UINT64_MAX &&
	    uptime_ns() >= tr->tr_until)
		tr->tr_total = tr->tr_written;
	left = tr->tr_total - tr->tr_written;

	while (left > 0) {
		at = tr->tr_written % BLOCK;
		n = BLOCK - at;
		if (n > left)
			n = left;
		if (n > tcp_sndbuf(tr->tr_pcb))
			n = tcp_sndbuf(tr->tr_pcb);
		if (n == 0 || tcp_write(tr->tr_pcb, tr->tr_block + at,
		    (u16_t)n, left > n ? TCP_WRITE_FLAG_MORE : 0) != ERR_OK)
			break;
		if (!tr->tr_plain)
			tr->tr_crc = crc32(tr->tr_crc, tr->tr_block + at, n);
		tr->tr_written += n;
		left -= n;
	}
	tcp_output(tr->tr_pcb);
}

static err_t
transfer_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct transfer *tr = arg;

	(void)pcb;
	tr->tr_done += len;
	transfer_fill(tr);
	if (tr->tr_done == tr->tr_total)
		return transfer_close(tr, 0);
	return ERR_OK;
}

static err_t
transfer_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct transfer *tr = arg;
	struct pbuf *q;

	if (p == NULL)		/* a peer that only listens may say so */
		return tr->tr_block != NULL ? ERR_OK : transfer_close(tr, 0);
	if (err == ERR_OK && tr->tr_block == NULL) {
		for (q = p; q != NULL && !tr->tr_plain; q = q->next)
			tr->tr_crc = crc32(tr->tr_crc, q->payload, q->len);
		tr->tr_done += p->tot_len;
	}
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t
transfer_poll(void *arg, struct tcp_pcb *pcb)
{
	struct transfer *tr = arg;

	(void)pcb;
	if (tr->tr_block != NULL)
		transfer_fill(tr);
	return ERR_OK;
}

static void
transfer_err(void *arg, err_t err)
{
	transfer_end(arg, net_error(err));
}

static err_t
transfer_begin(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct transfer *tr = arg;

	if (err != ERR_OK || pcb == NULL)
		return ERR_VAL;
	tr->tr_pcb = pcb;
	tr->tr_connected = true;
	tr->tr_began = uptime_ns();
	tcp_arg(pcb, tr);
	tcp_recv(pcb, transfer_recv);
	tcp_sent(pcb, transfer_sent);
	tcp_err(pcb, transfer_err);
	tcp_poll(pcb, transfer_poll, 1);
	if (tr->tr_listen != NULL) {
		tcp_close(tr->tr_listen);
		tr->tr_listen = NULL;
	}
	if (tr->tr_block != NULL && tr->tr_total == 0)
		return transfer_close(tr, 0);
	if (tr->tr_block != NULL)
		transfer_fill(tr);
	event_signal(&tr->tr_event);
	return ERR_OK;
}

static int
transfer_open(struct transfer *tr, const ip_addr_t *host, u16_t port)
{
	struct tcp_pcb *pcb, *listener;
	err_t err;

	pcb = tcp_new_ip_type(host != NULL ? IP_GET_TYPE(host) :
	    IPADDR_TYPE_ANY);
	if (pcb == NULL)
		return ENOBUFS;
	tcp_arg(pcb, tr);
	if (host != NULL) {
		tcp_err(pcb, transfer_err);
		tr->tr_pcb = pcb;
		err = tcp_connect(pcb, host, port, transfer_begin);
		if (err == ERR_OK)
			return 0;
		tr->tr_pcb = NULL;
	} else {
		ip_set_option(pcb, SOF_REUSEADDR);
		err = tcp_bind(pcb, IP_ANY_TYPE, port);
		listener = err == ERR_OK ? tcp_listen_with_backlog(pcb, 1) :
		    NULL;
		if (listener != NULL) {
			tr->tr_listen = listener;
			tcp_accept(listener, transfer_begin);
			return 0;
		}
		if (err == ERR_OK)
			err = ERR_MEM;
	}
	tcp_close(pcb);
	return net_error(err);
}

/* Give up, whatever state it is in. */
static void
transfer_abort(struct transfer *tr)
{
	struct tcp_pcb *pcb = tr->tr_pcb;

	if (tr->tr_listen != NULL)
		tcp_close(tr->tr_listen);
	tr->tr_listen = NULL;
	if (pcb != NULL) {
		transfer_detach(pcb);
		tcp_abort(pcb);
	}
	tr->tr_pcb = NULL;
}

static int
transfer_wait(struct transfer *tr)
{
	uint64_t last = uptime_ns(), seen = 0, now;

	while (!tr->tr_finished) {
		event_wait(&tr->tr_event, TTY_SLICE_NS);
		now = uptime_ns();
		if (tr->tr_done != seen || tr->tr_listen != NULL) {
			seen = tr->tr_done;
			last = now;
		}
		if (tty_interrupted())
			return EINTR;
		if (now - last > IDLE_NS)
			return ETIMEDOUT;
	}
	return tr->tr_error;
}

static void
transfer_report(const struct transfer *tr, const char *what)
{
	uint64_t us = (uptime_ns() - tr->tr_began) / NS_PER_US;
	uint64_t rate = us == 0 ? 0 : tr->tr_done * 10 / us;

	if (tr->tr_plain)
		tty_printf("netbench: tcp %s bytes=%llu us=%llu mbit/s=%llu\n",
		    what, (unsigned long long)tr->tr_done,
		    (unsigned long long)us, (unsigned long long)(us == 0 ? 0 :
		    tr->tr_done * 8 / us));
	else
		tty_printf("tcphash: %s %llu bytes crc32 %08x in %llu ms, "
		    "%llu.%llu MB/s\n", what, (unsigned long long)tr->tr_done,
		    tr->tr_crc, (unsigned long long)(us / 1000),
		    (unsigned long long)(rate / 10),
		    (unsigned long long)(rate % 10));
}

static int
transfer_run(struct transfer *tr, const char *host, u16_t port)
{
	ip_addr_t addr;
	int error = 0;

	if (host != NULL)
		error = net_resolve(host, false, &addr);
	if (error)
		return error;
	error = transfer_open(tr, host != NULL ? &addr : NULL, port);
	if (error == 0) {
		if (host == NULL)
			tty_printf("tcphash: listening on port %u\n", port);
		error = transfer_wait(tr);
	}
	transfer_abort(tr);
	if (error)
		tty_printf("%s: %s after %llu bytes\n",
		    tr->tr_plain ? "netbench" : "tcphash", strerror(error),
		    (unsigned long long)tr->tr_done);
	else
		transfer_report(tr, tr->tr_block != NULL ? "sent" : "received");
	return error;
}

int
tcp_bench(bool send, const char *host, unsigned int port, uint64_t ms)
{
	struct transfer tr = { .tr_plain = true, .tr_total = UINT64_MAX };
	int error;

	if (send) {
		tr.tr_block = block_make(1);
		if (tr.tr_block == NULL)
			return ENOMEM;
		tr.tr_until = uptime_ns() + ms * NS_PER_MS;
	}
	error = transfer_run(&tr, host, (u16_t)port);
	net_drain();	/* a device may still be reading the block */
	net_free(tr.tr_block);
	return error;
}

static int
cmd_tcphash(int argc, char **argv)
{
	struct transfer tr = { .tr_crc = 0 };
	unsigned long long port, bytes = 0, seed = 0;
	bool send = argc > 1 && strcmp(argv[1], "send") == 0;
	int most = send ? 6 : 4, error;

	if (argc < (send ? 5 : 3) || argc > most ||
	    (!send && strcmp(argv[1], "recv") != 0))
		return shell_usage(argv[0]);
	if (shell_number("port", argv[2], 1, 65535, &port) != 0)
		return EINVAL;
	if (send) {
		if (shell_number("bytes", argv[3], 0, UINT64_MAX, &bytes) ||
		    shell_number("seed", argv[4], 0, UINT64_MAX, &seed))
			return EINVAL;
		tr.tr_total = bytes;
		tr.tr_block = block_make(seed);
		if (tr.tr_block == NULL)
			return ENOMEM;
	}
	error = transfer_run(&tr, argc == most ? argv[most - 1] : NULL,
	    (u16_t)port);
	net_drain();	/* a device may still be reading the block */
	net_free(tr.tr_block);
	return error;
}
COMMAND(tcphash, cmd_tcphash,
    "tcphash recv PORT [HOST] | send PORT BYTES SEED [HOST]",
    "receive or send seeded data over TCP and tell its CRC-32");
