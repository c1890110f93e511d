/* SPDX-License-Identifier: ISC */
/*
 * The whole record in one text, to send to somebody: what each command says,
 * below a line that names it. tool/report-diff reads it.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lines.h"
#include "selftest.h"
#include "shell.h"
#include "tty.h"
#include "version.h"

static const char *const report_commands[] = {
	"machine", "cpus", "mem", "intr", "pci", "devices", "usb", "ifconfig",
	"fb", "disk", "consoles", "threads", "sockets", "uptime", "dmesg",
};

#define NCOMMANDS	(sizeof(report_commands) / sizeof(report_commands[0]))

/* What a command finds wrong, such as no display, is no failure of the report. */
static void
section(const struct command *cmd)
{
	char name[16], *argv[] = { name, NULL };

	(void)snprintf(name, sizeof(name), "%s", cmd->cmd_name);
	tty_printf("== %s\n", name);
	(void)cmd->cmd_fn(1, argv);
}

static int
report_print(void)
{
	const struct command *cmd;
	size_t i;

	tty_printf("paravane report 1\nversion  %s\n", paravane_version);
	tty_printf("== selftest\n");
	selftest_print_last();
	for (i = 0; i < NCOMMANDS; i++) {
		cmd = command_find(report_commands[i]);
		if (tty_interrupted())
			return EINTR;
		if (cmd != NULL)
			section(cmd);
	}
	tty_printf("== end\n");
	return 0;
}

static int
cmd_report(int argc, char **argv)
{
	int test = argc == 2 && strcmp(argv[1], "-t") == 0;

	if (argc > 1 + test)
		return shell_usage(argv[0]);
	if (test)
		(void)selftest_run(NULL);
	return report_print();
}
COMMAND(report, cmd_report, "report [-t]",
    "the whole record in one text; -t runs the self-test first");
