/* SPDX-License-Identifier: ISC */
/*
 * What lwIP asks of the guest (guest/net/arch/cc.h, hooks.h) where no
 * test looks at it, and an arena for it. To be included once by a test.
 */
#ifndef LWIP_FAKE_H
#define LWIP_FAKE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "hooks.h"
#include "lwip/init.h"

uint32_t
net_random(void)
{
	static uint32_t x = 4;

	return x = x * 1664525 + 1013904223;
}

_Noreturn void
net_assert_failed(int line)
{
	printf("assertion at line %d\n", line);
	abort();
}

void
net_diag(const char *fmt, ...)
{
	(void)fmt;
}

void
net_dhcp_option(struct netif *netif, unsigned int type, unsigned int option,
    unsigned int len, struct pbuf *p, unsigned int offset)
{
	(void)netif;
	(void)type;
	(void)option;
	(void)len;
	(void)p;
	(void)offset;
}

static uint8_t *lwip_memory, *lwip_map;

/* Once in a process. */
static void
lwip_begin(size_t size)
{
	lwip_memory = aligned_alloc(4096, size);
	lwip_map = malloc(size >> ARENA_MINSHIFT);
	arena_init(lwip_memory, size, lwip_map);
	lwip_init();
}

static void
lwip_end(void)
{
	free(lwip_memory);
	free(lwip_map);
}

#endif
