/* SPDX-License-Identifier: ISC */
#include "vm.h"
#include "cpuvar.h"

static size_t
cache_line_size(void)
{
	return 4ul << ((sysreg_read("ctr_el0") >> 16) & 15);
}

#define CACHE_LOOP(op, p, len) do {					\
	size_t line_ = cache_line_size();				\
	vaddr_t va_ = (vaddr_t)(p) & ~(line_ - 1);			\
	vaddr_t end_ = (vaddr_t)(p) + (len);				\
	for (; va_ < end_; va_ += line_)				\
		__asm__ volatile(op ", %0" : : "r"(va_) : "memory");	\
} while (0)

void
cache_clean(const void *p, size_t len)
{
	CACHE_LOOP("dc cvac", p, len);
	dsb(sy);
}

void
cache_clean_invalidate(void *p, size_t len)
{
	CACHE_LOOP("dc civac", p, len);
	dsb(sy);
}

void
cache_invalidate(void *p, size_t len)
{
	size_t line = cache_line_size();
	vaddr_t start = (vaddr_t)p, end = start + len;

	if (len == 0)
		return;
	/* What shares its lines with others is written back first. */
	if (start & (line - 1)) {
		__asm__ volatile("dc civac, %0" : : "r"(start) : "memory");
		start = (start & ~(line - 1)) + line;
	}
	if ((end & (line - 1)) && end > start) {
		__asm__ volatile("dc civac, %0" : : "r"(end) : "memory");
		end &= ~(line - 1);
	}
	for (; start < end; start += line)
		__asm__ volatile("dc ivac, %0" : : "r"(start) : "memory");
	dsb(sy);
}

void
cache_sync_code(const void *p, size_t len)
{
	uint64_t ctr = sysreg_read("ctr_el0");
	size_t line = 4ul << (ctr & 15);
	vaddr_t end = (vaddr_t)p + len;

	if ((ctr & 1ul << 28) == 0)		/* IDC */
		CACHE_LOOP("dc cvau", p, len);
	dsb(ish);
	if ((ctr & 1ul << 29) == 0) {		/* DIC */
		for (vaddr_t va = (vaddr_t)p & ~(line - 1); va < end;
		    va += line)
			__asm__ volatile("ic ivau, %0" : : "r"(va) : "memory");
		dsb(ish);
	}
	isb();
}
