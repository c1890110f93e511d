/* SPDX-License-Identifier: ISC */
/* Names to addresses. */
#include <errno.h>
#include <string.h>

#include "lwip/dns.h"
#include "lwip/err.h"

#include "kmem.h"
#include "ktime.h"
#include "net_guest.h"
#include "netstack.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"

#define RESOLVE_TIMEOUT_NS	(10 * NS_PER_S)

/*
 * A question outlives the thread that asked it, if that gave up: whoever comes
 * last frees it.
 */
struct question {
	struct event	q_event;
	ip_addr_t	q_addr;
	bool		q_found;
	bool		q_answered;
	bool		q_abandoned;
};

static void
question_answered(const char *name, const ip_addr_t *addr, void *arg)
{
	struct question *q = arg;

	(void)name;
	if (q->q_abandoned) {
		kfree(q);
		return;
	}
	q->q_found = addr != NULL;
	if (addr != NULL)
		q->q_addr = *addr;
	q->q_answered = true;
	event_signal(&q->q_event);
}

static int
question_wait(struct question *q)
{
	uint64_t end = uptime_ns() + RESOLVE_TIMEOUT_NS;

	while (!q->q_answered) {
		if (tty_interrupted())
			return EINTR;
		if (uptime_ns() >= end)
			return ETIMEDOUT;
		event_wait(&q->q_event, TTY_SLICE_NS);
	}
	return q->q_found ? 0 : ENOENT;
}

static int
lookup(const char *host, bool v6, ip_addr_t *addr)
{
	struct question *q = kzalloc(sizeof(*q));
	err_t err;
	int error;

	if (q == NULL)
		return ENOMEM;
	err = dns_gethostbyname_addrtype(host, &q->q_addr, question_answered, q,
	    v6 ? LWIP_DNS_ADDRTYPE_IPV6 : LWIP_DNS_ADDRTYPE_IPV4_IPV6);
	if (err == ERR_INPROGRESS) {
		error = question_wait(q);
		if (!q->q_answered) {
			q->q_abandoned = true;
			return error;
		}
	} else
		error = err == ERR_OK ? 0 : net_error(err);
	if (error == 0)
		*addr = q->q_addr;
	kfree(q);
	return error;
}

int
net_resolve(const char *host, bool v6, ip_addr_t *addr)
{
	int error;

	if (ipaddr_aton(host, addr))
		return 0;
	error = lookup(host, v6, addr);
	if (error == ENOENT)
		tty_printf("%s: no such name\n", host);
	else if (error == ETIMEDOUT)
		tty_printf("%s: no answer from the name servers\n", host);
	else if (error != 0 && error != EINTR)
		tty_printf("%s: %s\n", host, strerror(error));
	return error;
}

static int
cmd_nslookup(int argc, char **argv)
{
	ip_addr_t addr;
	bool v6 = argc == 3 && strcmp(argv[1], "-6") == 0;
	int error;

	if (argc != 2 && !v6)
		return shell_usage(argv[0]);
	if (!net_up()) {
		tty_printf("no interface has an address\n");
		return ENETDOWN;
	}
	error = net_resolve(argv[argc - 1], v6, &addr);
	if (error == 0)
		tty_printf("%s has address %s\n", argv[argc - 1],
		    net_ntoa(&addr));
	return error;
}
COMMAND(nslookup, cmd_nslookup, "nslookup [-6] NAME",
    "ask the name servers for an address");

int
net_error(err_t err)
{
	switch (err) {
	case ERR_OK:
		return 0;
	case ERR_MEM:
	case ERR_BUF:
		return ENOBUFS;
	case ERR_TIMEOUT:
		return ETIMEDOUT;
	case ERR_RTE:
		return ENETUNREACH;
	case ERR_USE:
		return EADDRINUSE;
	case ERR_CONN:
		return ENOTCONN;
	case ERR_IF:
		return ENETDOWN;
	case ERR_ABRT:
		return ECONNABORTED;
	case ERR_RST:
	case ERR_CLSD:
		return ECONNRESET;
	case ERR_VAL:
	case ERR_ARG:
		return EINVAL;
	default:
		return EIO;
	}
}
