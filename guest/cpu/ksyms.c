/* SPDX-License-Identifier: ISC */
/* Names of functions (the table is made at link time) and backtraces. */
#include "cpu.h"
#include "bootinfo.h"
#include "vm.h"
#include "cpuvar.h"

extern const uint32_t symbols_count;
extern const uint64_t symbols_base;
extern const uint32_t symbols_offset[], symbols_name[];
extern const char symbols_names[];
extern char _text_code_end[];

const char *
ksym_find(vaddr_t addr, size_t *offset)
{
	uint32_t lo = 0, hi = symbols_count, mid;

	if (hi == 0 || addr < symbols_base || addr >= (vaddr_t)_text_code_end)
		return NULL;
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (addr - symbols_base < symbols_offset[mid])
			hi = mid;
		else
			lo = mid;
	}
	if (offset != NULL)
		*offset = (size_t)(addr - symbols_base - symbols_offset[lo]);
	return symbols_names + symbols_name[lo];
}

/* A saved return address without its signature: bit 55 picks the half. */
static vaddr_t
unsigned_address(vaddr_t lr)
{
	return lr | 0xffff000000000000ul;
}

static void
print_frame(unsigned n, vaddr_t pc, void (*print)(const char *fmt, ...))
{
	const char *name;
	size_t off;

	name = ksym_find(pc, &off);
	if (name != NULL)
		print("  #%u 0x%016lx %s+0x%zx\n", n, pc, name, off);
	else
		print("  #%u 0x%016lx\n", n, pc);
}

void
backtrace_print(vaddr_t fp, void (*print)(const char *fmt, ...))
{
	if (fp == 0)
		fp = (vaddr_t)__builtin_frame_address(0);
	for (unsigned n = 0; n < 32; n++) {
		const vaddr_t *frame = (const vaddr_t *)fp;

		if ((fp & 15) != 0 || !vm_stack_holds(fp))
			return;
		if (frame[1] == 0)
			return;
		/* The call, not what follows it, tells the function. */
		print_frame(n, unsigned_address(frame[1]) - 4, print);
		fp = frame[0];
	}
}
