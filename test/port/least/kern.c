/* SPDX-License-Identifier: ISC */
/*
 * The least kernel around the port of doc/port.md, on QEMU's machine: memory
 * is handed out and never taken back, and physical. It tries each place for a
 * device on MMIO, and says what came of it on the UART.
 */
#include <stdarg.h>

#include <paravane/kern.h>

#define UART		0x09000000
#define MMIO_FIRST	0x0a000000
#define MMIO_STEP	0x200
#define MMIO_END	0x0a004000

extern char pages[], pages_end[];

int try_net(uintptr_t registers);
void main(void);
void *my_pages(size_t size, size_t align);
void my_pages_free(void *, size_t size);
paddr_t my_phys(const void *);
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);

void *
memcpy(void *to, const void *from, size_t len)
{
	const char *f = from;
	char *t = to;

	while (len-- > 0)
		*t++ = *f++;
	return to;
}

void *
memmove(void *to, const void *from, size_t len)
{
	const char *f = from;
	char *t = to;

	if (t <= f)
		return memcpy(to, from, len);
	while (len-- > 0)
		t[len] = f[len];
	return to;
}

void *
memset(void *to, int byte, size_t len)
{
	char *t = to;

	while (len-- > 0)
		*t++ = (char)byte;
	return to;
}

int
memcmp(const void *a, const void *b, size_t len)
{
	const unsigned char *x = a, *y = b;

	for (; len > 0; len--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

void *
my_pages(size_t size, size_t align)
{
	static uintptr_t next;
	uintptr_t at;

	if (next == 0)
		next = (uintptr_t)pages;
	at = (next + align - 1) & ~(align - 1);
	if (at > (uintptr_t)pages_end || size > (uintptr_t)pages_end - at)
		return NULL;
	next = at + size;
	return (void *)at;
}

void
my_pages_free(void *p, size_t size)
{
	(void)p, (void)size;
}

paddr_t
my_phys(const void *p)
{
	return (uintptr_t)p;
}

void *
pv_kern_alloc(size_t size)
{
	void *p = my_pages(size, 16);

	return p == NULL ? NULL : memset(p, 0, size);
}

void
pv_kern_free(void *p, size_t size)
{
	(void)p, (void)size;
}

uint64_t
pv_kern_uptime_ns(void)
{
	uint64_t count, hertz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hertz));
	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count) :: "memory");
	return count / hertz * 1000000000 + count % hertz * 1000000000 / hertz;
}

void
pv_kern_delay_us(unsigned int us)
{
	uint64_t end = pv_kern_uptime_ns() + (uint64_t)us * 1000;

	while (pv_kern_uptime_ns() < end)
		;
}

void
pv_kern_pause_us(unsigned int us)
{
	pv_kern_delay_us(us);
}

static void
say(const char *text)
{
	for (; *text != '\0'; text++)
		*(volatile uint32_t *)UART = (uint8_t)*text;
}

/* The values are left out. */
void
pv_kern_log(enum pv_log_level level, const char *who, const char *fmt, ...)
{
	(void)level;
	say(who);
	say(": ");
	say(fmt);
	say("\n");
}

void
main(void)
{
	uintptr_t at;
	int error;

	for (at = MMIO_FIRST; at < MMIO_END; at += MMIO_STEP) {
		error = try_net(at);
		if (error == ENXIO)
			continue;
		say(error == 0 ? "sent\n" : error == ETIMEDOUT ? "timeout\n" :
		    "error\n");
	}
	say("done\n");
}
