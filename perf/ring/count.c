/* SPDX-License-Identifier: ISC */
/*
 * Instructions, and cache lines of the rings, of a stretch of code as it runs on
 * this processor, its vector instructions included.
 *
 * Instructions: the trap flag is set, and each instruction is a SIGTRAP. Lines:
 * the rings' pages are closed, and each access is a SIGSEGV with its address;
 * the page is opened for the one instruction, and closed by the trap behind it.
 */
#define _GNU_SOURCE
#include "ring.h"

#if !defined(__x86_64__)

const char *
count_open(const struct ring *rings, unsigned int n)
{
	(void)rings;
	(void)n;
	return "instructions are counted on x86-64 alone";
}

void
count_steps_begin(void)
{
}

uint64_t
count_steps_end(void)
{
	return 0;
}

void
count_lines_begin(void)
{
}

unsigned int
count_lines_end(void)
{
	return 0;
}

#else

#include <sys/mman.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define LINE		64u
#define TRAP_FLAG	0x100
#define AREAS_MAX	(3 * QUEUES_MAX)
#define SEEN_MAX	65536u
#define OPENED_MAX	8

struct area {
	uintptr_t from;
	uintptr_t to;
};

static struct area areas[AREAS_MAX];
static unsigned int nareas;
static volatile uint64_t steps;
static volatile bool stepping, closed;
static uintptr_t opened[OPENED_MAX];	/* pages, for one instruction */
static volatile unsigned int nopened;
static uintptr_t page;

/* Lines in the order in which they were met. */
static uintptr_t seen[SEEN_MAX];
static volatile unsigned int nseen;

static void
protect(int prot)
{
	unsigned int i;
	uintptr_t from, to;

	for (i = 0; i < nareas; i++) {
		from = areas[i].from & ~(page - 1);
		to = (areas[i].to + page - 1) & ~(page - 1);
		if (mprotect((void *)from, to - from, prot) != 0)
			abort();
	}
}

static void
on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	if (stepping) {
		steps++;
		return;
	}
	while (nopened > 0)
		if (mprotect((void *)opened[--nopened], page, PROT_NONE) != 0)
			abort();
	uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void
note(uintptr_t addr)
{
	unsigned int i;

	for (i = 0; i < nareas; i++)
		if (addr >= areas[i].from && addr < areas[i].to)
			break;
	if (i == nareas)
		return;
	for (i = 0; i < nseen; i++)
		if (seen[i] == addr / LINE)
			return;
	if (nseen == SEEN_MAX)
		abort();
	seen[nseen++] = addr / LINE;
}

static void
on_fault(int sig, siginfo_t *info, void *context)
{
	uintptr_t addr = (uintptr_t)info->si_addr;
	ucontext_t *uc = context;

	if (!closed) {
		signal(sig, SIG_DFL);
		return;
	}
	note(addr);
	addr &= ~(page - 1);
	if (nopened == OPENED_MAX ||
	    mprotect((void *)addr, page, PROT_READ | PROT_WRITE) != 0)
		abort();
	opened[nopened++] = addr;
	uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void
add_area(const void *from, size_t len)
{
	areas[nareas].from = (uintptr_t)from;
	areas[nareas++].to = (uintptr_t)from + len;
}

static void
handle(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO;
	sigaction(sig, &sa, NULL);
}

static void __attribute__((__noinline__))
set_trap_flag(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); "
	    "popfq; lea 128(%%rsp), %%rsp" : : "i"(TRAP_FLAG) : "memory", "cc");
}

static void __attribute__((__noinline__))
clear_trap_flag(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); "
	    "popfq; lea 128(%%rsp), %%rsp" : : "i"(~TRAP_FLAG) : "memory", "cc");
}

void
count_steps_begin(void)
{
	steps = 0;
	stepping = true;
	set_trap_flag();
}

uint64_t
count_steps_end(void)
{
	clear_trap_flag();
	stepping = false;
	return steps;
}

void
count_lines_begin(void)
{
	nseen = 0;
	closed = true;
	protect(PROT_NONE);
}

unsigned int
count_lines_end(void)
{
	protect(PROT_READ | PROT_WRITE);
	closed = false;
	return nseen;
}

/*
 * Areas of a split ring: desc, avail, used. Of a packed one the second and third
 * are the event suppressions, of 4 bytes.
 */
const char *
count_open(const struct ring *rings, unsigned int n)
{
	unsigned int i;

	page = (uintptr_t)sysconf(_SC_PAGESIZE);
	handle(SIGTRAP, on_trap);
	handle(SIGSEGV, on_fault);
	for (i = 0; i < n; i++, rings++) {
		bool packed = (char *)rings->rg_device -
		    (char *)rings->rg_driver < 4 + 2 * (int)rings->rg_size;

		add_area(rings->rg_desc, rings->rg_size * 16);
		add_area(rings->rg_driver, packed ? 4 : 4 + rings->rg_size * 2 + 2);
		add_area(rings->rg_device, packed ? 4 : 4 + rings->rg_size * 8 + 2);
	}
	return NULL;
}

#endif
