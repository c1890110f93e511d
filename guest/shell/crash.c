/* SPDX-License-Identifier: ISC */
/* Ways to bring the kernel down, for the tests of what it then says. */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cpu.h"
#include "log.h"
#include "shell.h"
#include "tty.h"
#include "vm.h"

/* Volatile, so that no compiler sees through what is done with them. */
static volatile uintptr_t nowhere = 16;
static volatile uintptr_t text = KERNBASE;
static volatile unsigned int deeper = 1;

static void
crash_panic(void)
{
	panic("as you wished");
}

static void
crash_read(void)
{
	(void)*(volatile uint32_t *)nowhere;
}

static void
crash_write(void)
{
	/* Code is never writable, whatever mapping it is reached by. */
	*(volatile uint32_t *)text = 0;
}

static void
crash_jump(void)
{
	static uint32_t data[4];
	void (*volatile fn)(void) = (void (*)(void))(uintptr_t)data;

	fn();
}

static void
crash_undefined(void)
{
	__asm__ volatile("udf #0");
}

static void
crash_stack(void)
{
	char deep[4096];

	/* All of it is there: the compiler sees who may look. */
	__asm__ volatile("" : : "r"(deep) : "memory");
	if (deeper)
		crash_stack();
	__asm__ volatile("" : : "r"(deep) : "memory");
}

static void
read_there(void *arg)
{
	(void)arg;
	crash_read();
}

/* On another processor, in an interrupt, while this one waits for it. */
static void
crash_other(void)
{
	if (cpu_call(1, read_there, NULL) != 0)
		kprintf("crash: there is no other processor\n");
}

static const struct {
	const char	*name;
	void		(*fn)(void);
} crashes[] = {
	{ "panic", crash_panic },
	{ "read", crash_read },
	{ "write", crash_write },
	{ "jump", crash_jump },
	{ "undefined", crash_undefined },
	{ "stack", crash_stack },
	{ "other", crash_other },
};

static int
cmd_crash(int argc, char **argv)
{
	size_t i;

	if (argc > 2)
		return shell_usage(argv[0]);
	for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
		if (argc == 2 && strcmp(argv[1], crashes[i].name) != 0)
			continue;
		crashes[i].fn();
		tty_printf("crash: `%s' did no harm\n", crashes[i].name);
		return EIO;
	}
	return shell_usage(argv[0]);
}
COMMAND(crash, cmd_crash, "crash [panic|read|write|jump|undefined|stack|other]",
    "bring the kernel down, to see what it then says");
