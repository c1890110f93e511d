/* SPDX-License-Identifier: ISC */
/* Names of functions (the table is made at link time) and backtraces. */
#include "cpu.h"
#include "bootinfo.h"
#include "vm.h"
#include "cpuvar.h"

/* tool/symbols tells the form. */
extern const uint64_t symbols_base;
extern const uint32_t symbols_count;
extern const uint8_t symbols_token[256][2], symbols_list[];
extern char _text_code_end[];

#define TOKEN_DEPTH	16	/* of tokens within tokens; more is a wrong table */

static size_t
put_letter(char *name, size_t at, size_t len, uint8_t c, int depth)
{
	const uint8_t *token = symbols_token[c];

	if (token[0] != 0 && depth < TOKEN_DEPTH) {
		at = put_letter(name, at, len, token[0], depth + 1);
		return put_letter(name, at, len, token[1], depth + 1);
	}
	if (at + 1 < len)
		name[at++] = (char)c;
	return at;
}

static uint64_t
get_distance(const uint8_t **list)
{
	uint64_t words = 0;
	unsigned shift = 0;
	uint8_t c;

	do {
		c = *(*list)++;
		words |= (uint64_t)(c & 127) << shift;
		shift += 7;
	} while (c & 128);
	return words * 4;
}

bool
ksym_find(vaddr_t addr, char *name, size_t len, size_t *offset)
{
	const uint8_t *list = symbols_list, *found = NULL;
	vaddr_t at = symbols_base;
	size_t n = 0;

	if (addr >= (vaddr_t)_text_code_end)
		return false;
	for (uint32_t i = 0; i < symbols_count; i++) {
		at += get_distance(&list);
		if (at > addr)
			break;
		found = list;
		*offset = (size_t)(addr - at);
		while (*list++ != 0)
			continue;
	}
	for (; found != NULL && *found != 0; found++)
		n = put_letter(name, n, len, *found, 0);
	name[n] = '\0';
	return found != NULL;
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
	char name[KSYM_MAX];
	size_t off;

	if (ksym_find(pc, name, sizeof(name), &off))
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
