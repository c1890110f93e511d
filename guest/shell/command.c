/* SPDX-License-Identifier: ISC */
/* The commands that need no file of their own. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "cpu.h"
#include "intr.h"
#include "kmem.h"
#include "ktime.h"
#include "lines.h"
#include "log.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"
#include "vm.h"

#define COMMANDS_MAX	64

const struct command *
command_find(const char *name)
{
	const struct command *const *c;

	for (c = __start_set_command; c < __stop_set_command; c++)
		if (strcmp((*c)->cmd_name, name) == 0)
			return *c;
	return NULL;
}

static void
help_all(void)
{
	const struct command *sorted[COMMANDS_MAX];
	size_t n = (size_t)(__stop_set_command - __start_set_command), i, j;

	if (n > COMMANDS_MAX)
		n = COMMANDS_MAX;
	for (i = 0; i < n; i++) {
		for (j = i; j > 0 && strcmp(sorted[j - 1]->cmd_name,
		    __start_set_command[i]->cmd_name) > 0; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = __start_set_command[i];
	}
	for (i = 0; i < n; i++)
		tty_printf("  %-10s %s\n", sorted[i]->cmd_name,
		    sorted[i]->cmd_summary);
	tty_printf("Commands are separated by `;'. `help NAME' tells the "
	    "arguments of one.\n");
}

static int
cmd_help(int argc, char **argv)
{
	const struct command *cmd;

	if (argc > 2)
		return shell_usage(argv[0]);
	if (argc == 1) {
		help_all();
		return 0;
	}
	cmd = command_find(argv[1]);
	if (cmd == NULL) {
		tty_printf("help: there is no command `%s'\n", argv[1]);
		return ENOENT;
	}
	tty_printf("usage: %s\n%s\n", cmd->cmd_synopsis, cmd->cmd_summary);
	return 0;
}
COMMAND(help, cmd_help, "help [COMMAND]", "list the commands, or explain one");

static int
cmd_dmesg(int argc, char **argv)
{
	unsigned long long pos = 0;
	char buf[512];
	size_t n;

	if (argc != 1)
		return shell_usage(argv[0]);
	while ((n = log_read(&pos, buf, sizeof(buf))) > 0) {
		if (tty_interrupted())
			return EINTR;
		tty_write(buf, n);
	}
	return 0;
}
COMMAND(dmesg, cmd_dmesg, "dmesg", "show what the kernel said, and when");

static int
cmd_echo(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		tty_printf("%s%s", i > 1 ? " " : "", argv[i]);
	tty_printf("\n");
	return 0;
}
COMMAND(echo, cmd_echo, "echo [WORD ...]", "print the words");

static int
cmd_history(int argc, char **argv)
{
	const char *line;
	unsigned int back = EDIT_HISTORY;

	if (argc != 1)
		return shell_usage(argv[0]);
	for (; back > 0; back--) {
		line = edit_recall(&shell_history, back);
		if (line != NULL)
			tty_printf("%s\n", line);
	}
	return 0;
}
COMMAND(history, cmd_history, "history", "list the lines that were typed");

static int
cmd_uptime(int argc, char **argv)
{
	uint64_t ms = uptime_ns() / NS_PER_MS;
	char buf[96];

	if (argc != 1)
		return shell_usage(argv[0]);
	time_describe(buf, sizeof(buf));
	tty_printf("up %llu.%03llu s (%s)\n", (unsigned long long)(ms / 1000),
	    (unsigned long long)(ms % 1000), buf);
	return 0;
}
COMMAND(uptime, cmd_uptime, "uptime", "time since the kernel was entered");

static int
cmd_sleep(int argc, char **argv)
{
	unsigned long long ms;

	if (argc != 2)
		return shell_usage(argv[0]);
	if (shell_number("sleep", argv[1], 0, 86400000, &ms) != 0)
		return EINVAL;
	return tty_sleep(ms * NS_PER_MS);
}
COMMAND(sleep, cmd_sleep, "sleep MILLISECONDS", "wait; Ctrl-C ends it");

static int
cmd_mem(int argc, char **argv)
{
	if (argc != 1)
		return shell_usage(argv[0]);
	tty_printf("%zu KiB, %zu KiB of it free\n", page_total() * 4,
	    page_free_count() * 4);
	vm_print(tty_printf);
	return 0;
}
COMMAND(mem, cmd_mem, "mem", "memory, and how it is mapped");

static void
show_intr(const struct intr_stat *is, void *arg)
{
	(void)arg;
	tty_printf("%6u  cpu%u %12llu  %s%s\n", is->is_intid, is->is_cpu,
	    (unsigned long long)is->is_count, is->is_name,
	    is->is_masked ? " (masked: a storm)" : "");
}

static int
cmd_intr(int argc, char **argv)
{
	char buf[128];

	if (argc != 1)
		return shell_usage(argv[0]);
	intr_describe(buf, sizeof(buf));
	tty_printf("%s; MSI by %s\n", buf, msi_kind());
	intr_walk(show_intr, NULL);
	tty_printf("spurious %llu\n", (unsigned long long)intr_spurious());
	return 0;
}
COMMAND(intr, cmd_intr, "intr", "interrupts, and how often each was taken");

static int
cmd_cpus(int argc, char **argv)
{
	char buf[160];
	unsigned int i;

	if (argc != 1)
		return shell_usage(argv[0]);
	cpu_describe(buf, sizeof(buf));
	tty_printf("%s\n", buf);
	for (i = 0; i < cpu_count(); i++)
		tty_printf("cpu%u: mpidr %llx, %llu timer ticks\n", i,
		    (unsigned long long)cpu_mpidr(i),
		    (unsigned long long)time_ticks(i));
	return 0;
}
COMMAND(cpus, cmd_cpus, "cpus", "the processors");

static void
show_thread(const char *name, const char *state, uint64_t cpu_ns, void *arg)
{
	(void)arg;
	tty_printf("%-12s %-10s %8llu ms\n", name, state,
	    (unsigned long long)(cpu_ns / NS_PER_MS));
}

static int
cmd_threads(int argc, char **argv)
{
	if (argc != 1)
		return shell_usage(argv[0]);
	thread_walk(show_thread, NULL);
	return 0;
}
COMMAND(threads, cmd_threads, "threads", "the kernel's threads");

static int
cmd_consoles(int argc, char **argv)
{
	struct console *con;

	if (argc != 1)
		return shell_usage(argv[0]);
	for (con = console_next(NULL); con != NULL; con = console_next(con))
		tty_printf("%s: %llu bytes lost%s\n", con->con_name,
		    (unsigned long long)con->con_lost,
		    con->con_stuck ? ", stuck" : "");
	return 0;
}
COMMAND(consoles, cmd_consoles, "consoles", "the consoles");

static int
cmd_poweroff(int argc, char **argv)
{
	if (argc != 1)
		return shell_usage(argv[0]);
	shell_poweroff();
}
COMMAND(poweroff, cmd_poweroff, "poweroff", "turn the machine off");

static int
cmd_reboot(int argc, char **argv)
{
	if (argc != 1)
		return shell_usage(argv[0]);
	shell_reboot();
}
COMMAND(reboot, cmd_reboot, "reboot", "start the machine again");
