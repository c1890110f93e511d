/* SPDX-License-Identifier: ISC */
/*
 * What lwIP asks of the guest (guest/net/arch/cc.h, hooks.h) where no
 * test looks at it. To be included once by a test.
 */
#ifndef LWIP_FAKE_H
#define LWIP_FAKE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "hooks.h"

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

#endif
