/* SPDX-License-Identifier: ISC */
/*
 * The kernel's side of the contract but for DMA: memory, time, the log.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port.h"
#include "port_var.h"

struct port port = { .po_fail_after = -1 };
int port_quiet;
void (*port_mb_hook)(void);
int port_bell;
unsigned int port_bs_barriers;
void (*port_barrier_hook)(char, bool);

void
port_reset(void)
{
	port_hold_reset();
	port_bus->pb_reset();
	port_buf_reset();
	port_bell = 0;
	port_bs_barriers = 0;
	memset(&port, 0, sizeof(port));
	port.po_fail_after = -1;
	port.po_base = 0x4000000000ull;
	port.po_now_ns = 1000000000ull;
	port_mb_hook = NULL;
	port_barrier_hook = NULL;
}

int
port_check_rules(void)
{
	if (port.po_violations == 0)
		return 0;
	if (!port_quiet)
		fprintf(stderr, "port: %u rules broken\n", port.po_violations);
	return 1;
}

int
port_check(void)
{
	int bad = port_check_rules();

	if (port.po_allocs || port.po_dmamems || port.po_dmamaps ||
	    port.po_loads) {
		if (!port_quiet)
			fprintf(stderr, "port: left behind: %lu allocations, "
			    "%lu dmamem, %lu maps, %lu loaded\n",
			    port.po_allocs, port.po_dmamems, port.po_dmamaps,
			    port.po_loads);
		bad = 1;
	}
	return bad;
}

void
port_violation(const char *fmt, ...)
{
	va_list ap;

	port.po_violations++;
	if (port_quiet)
		return;
	fprintf(stderr, "port: violation: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int
port_may_fail(void)
{
	if (port.po_fail_after < 0)
		return 0;
	if (port.po_fail_after == 0) {
		if (port.po_fail_one)
			port.po_fail_after = -1;
		return 1;
	}
	port.po_fail_after--;
	return 0;
}

void *
pv_kern_alloc(size_t size)
{
	size_t *p;

	if (size == 0)
		port_violation("pv_kern_alloc of 0 bytes");
	if (port_may_fail())
		return NULL;
	/* The size stands before it, for pv_kern_free to be held to. */
	p = calloc(1, size + 16);
	if (p == NULL)
		return NULL;
	p[0] = size;
	port.po_allocs++;
	return (char *)p + 16;
}

void
pv_kern_free(void *v, size_t size)
{
	size_t *p;

	if (v == NULL)
		return;
	p = (size_t *)(void *)((char *)v - 16);
	if (p[0] != size)
		port_violation("pv_kern_free with size %zu of %zu", size, p[0]);
	port.po_allocs--;
	memset(v, 0xfe, p[0]);
	free(p);
}

uint64_t
pv_kern_uptime_ns(void)
{
	struct timespec ts;

	if (!port.po_realtime)
		return port.po_now_ns;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
pass(unsigned int us)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(us / 1000000),
		.tv_nsec = (long)(us % 1000000) * 1000
	};

	port.po_now_ns += (uint64_t)us * 1000;
	if (port.po_realtime)
		nanosleep(&ts, NULL);
	if (port.po_tick != NULL)
		port.po_tick(port.po_tick_arg);
}

void
pv_kern_delay_us(unsigned int us)
{
	pass(us);
}

void
pv_kern_pause_us(unsigned int us)
{
	pass(us);
}

void
pv_kern_log(enum pv_log_level level, const char *who, const char *fmt, ...)
{
	char line[512];
	size_t len, have;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	port.po_nlogs++;
	if (port.po_verbose)
		fprintf(stderr, "%s(%d): %s\n", who, (int)level, line);
	len = strlen(line);
	have = strlen(port.po_log);
	if (have + len + 2 > sizeof(port.po_log)) {
		port.po_log[0] = '\0';
		have = 0;
	}
	snprintf(port.po_log + have, sizeof(port.po_log) - have, "%s\n", line);
}

int
port_logged(const char *text)
{
	return strstr(port.po_log, text) != NULL;
}
