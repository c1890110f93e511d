/* SPDX-License-Identifier: ISC */
/*
 * What lwIP must know of its compiler and surroundings: the guest's kernel, or a host test. Little-endian only, as the
 * guest is.
 */
#ifndef PARAVANE_LWIP_CC_H
#define PARAVANE_LWIP_CC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>		/* ssize_t */

#define SSIZE_MAX		INT_MAX
#define LWIP_NO_UNISTD_H	1
#define LWIP_NO_CTYPE_H		1
#define LWIP_TIMEVAL_PRIVATE	0

#ifndef BYTE_ORDER
#define BYTE_ORDER	LITTLE_ENDIAN
#endif

/* One instruction each; a freestanding compiler wouldn't take the functions for what they are. */
#define lwip_htons(x)	__builtin_bswap16(x)
#define lwip_htonl(x)	__builtin_bswap32(x)
#define SMEMCPY(dst, src, len)	__builtin_memcpy(dst, src, len)

/*
 * lwIP states only what must hold whatever a peer sends: where that fails, memory is already wrong. The function is the
 * backtrace's to tell; texts for all of them would be 8 KB.
 */
_Noreturn void	net_assert_failed(int line);
void	net_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint32_t net_random(void);

#define LWIP_PLATFORM_ASSERT(x)	net_assert_failed(__LINE__)
#define LWIP_PLATFORM_DIAG(x)	do { net_diag x; } while (0)
#define LWIP_RAND()		net_random()

/* The heap: memory that devices can reach. See guest/net/arena.h. */
void	*net_alloc(size_t);
void	*net_calloc(size_t, size_t);
void	net_free(void *);

#define mem_clib_malloc		net_alloc
#define mem_clib_calloc		net_calloc
#define mem_clib_free		net_free

#endif
