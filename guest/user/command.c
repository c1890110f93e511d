/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <string.h>

#include "shell.h"
#include "tty.h"
#include "user.h"

static int
run(int argc, char *const argv[])
{
	int error, status;

	error = user_exec(argc, argv, &status);
	if (error != 0) {
		tty_printf("%s: %s\n", argv[0], error == ENOENT ?
		    "no such program; `exec' lists them" : error == ENOEXEC ?
		    "not a program for this machine" : error == E2BIG ?
		    "too many arguments" : "no memory");
		return error;
	}
	if (status != 0)
		tty_printf("%s: status %d\n", argv[0], status);
	return status != 0 ? EIO : 0;
}

static int
cmd_exec(int argc, char **argv)
{
	const char *name;
	unsigned int i;

	if (argc >= 2)
		return run(argc - 1, argv + 1);
	for (i = 0; (name = user_program_name(i)) != NULL; i++)
		tty_printf("%s\n", name);
	return 0;
}
COMMAND(exec, cmd_exec, "exec [PROGRAM [ARGUMENT ...]]",
    "run a program at EL0, or list them");

static int
cmd_fbdemo(int argc, char **argv)
{
	return run(argc, argv);
}
COMMAND(fbdemo, cmd_fbdemo, "fbdemo [RESIZES [SECONDS]]",
    "draw a test picture on the display, from EL0");
