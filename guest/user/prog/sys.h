/* SPDX-License-Identifier: ISC */
/*
 * System calls as a program makes them. What each does is in ../abi.h. They
 * return what the guest returns: a negative errno value is an error.
 */
#ifndef PROG_SYS_H
#define PROG_SYS_H

#include <stddef.h>

#include "../abi.h"

static inline int64_t
sys_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t x8 __asm__("x8") = number;
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = b;
	register uint64_t x2 __asm__("x2") = c;
	register uint64_t x3 __asm__("x3") = d;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2),
	    "r"(x3) : "memory");
	return (int64_t)x0;
}

static inline int64_t
sys_write(int fd, const void *buf, size_t len)
{
	return sys_call(SYS_write, (uint64_t)fd, (uint64_t)buf, len, 0);
}

static inline int64_t
sys_open(const char *path)
{
	return sys_call(SYS_open, (uint64_t)path, 0, 0, 0);
}

static inline int64_t
sys_close(int fd)
{
	return sys_call(SYS_close, (uint64_t)fd, 0, 0, 0);
}

static inline int64_t
sys_ioctl(int fd, uint64_t request, void *arg)
{
	return sys_call(SYS_ioctl, (uint64_t)fd, request, (uint64_t)arg, 0);
}

static inline int64_t
sys_mmap(size_t len, int prot, int fd, uint64_t offset)
{
	return sys_call(SYS_mmap, len, (uint64_t)prot, (uint64_t)(int64_t)fd,
	    offset);
}

static inline int64_t
sys_munmap(void *address, size_t len)
{
	return sys_call(SYS_munmap, (uint64_t)address, len, 0, 0);
}

static inline void
sys_yield(void)
{
	sys_call(SYS_yield, 0, 0, 0, 0);
}

static inline void
sys_sleep(uint64_t ns)
{
	sys_call(SYS_sleep, ns, 0, 0, 0);
}

static inline uint64_t
sys_gettime(void)
{
	return (uint64_t)sys_call(SYS_gettime, 0, 0, 0, 0);
}

/*
 * prog/lib: to the terminal, at most 256 bytes a call. Of printf's words it has
 * %s, and %d, %u and %x, each of which may have ll.
 */
void	print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A whole number, or fallback if there is none. */
uint64_t number(const char *text, uint64_t fallback);

int	main(int argc, char **argv);

#endif
