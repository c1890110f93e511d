/* SPDX-License-Identifier: ISC */
/*
 * The whole record in one text, to send to somebody: what each command says,
 * below a line that names it. tool/report-diff reads it.
 */

#include <errno.h>
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

static int
report_print(void)
{
	size_t i;

	tty_printf("paravane report 1\nversion  %s\n", paravane_version);
	tty_printf("== selftest\n");
	selftest_print_last();
	for (i = 0; i < NCOMMANDS; i++) {
		if (command_find(report_commands[i]) == NULL)
			continue;
		if (tty_interrupted())
			return EINTR;
		tty_printf("== %s\n", report_commands[i]);
		(void)shell_run(report_commands[i]);
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
