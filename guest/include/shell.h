/* SPDX-License-Identifier: ISC */
#ifndef SHELL_H
#define SHELL_H

/*
 * The shell's commands. A command is declared where its subject is:
 *
 *	static int
 *	cmd_frob(int argc, char **argv)
 *	{
 *		if (argc != 2)
 *			return shell_usage(argv[0]);
 *		tty_printf("frobbing %s\n", argv[1]);
 *		return 0;
 *	}
 *	COMMAND(frob, cmd_frob, "frob name", "frob something by its name");
 *
 * argv[argc] is NULL. Output goes through tty_printf() (tty.h). The value is
 * 0 or an errno value; the command has said what was wrong. In a `run=` list
 * any other value than 0 makes the run fail.
 */

#include <stddef.h>

#define SHELL_ARGC_MAX	32
#define SHELL_LINE_MAX	256

struct command {
	const char	*cmd_name;
	const char	*cmd_synopsis;
	const char	*cmd_summary;
	int		(*cmd_fn)(int argc, char **argv);
};

/* Pointers to commands are collected by the linker, sorted by name. */
#define COMMAND(name, fn, synopsis, summary)				\
	static const struct command command_##name = {			\
		#name, synopsis, summary, fn				\
	};								\
	static const struct command *const command_ref_##name		\
	    __attribute__((used, section("set_command"))) = &command_##name

/* shell_usage - print a command's synopsis; returns EINVAL */
int	shell_usage(const char *name);

/*
 * shell_number - a whole number from min to max, decimal or 0x...
 *
 * Returns 0 and stores *value, or says what is wrong with `what` and returns
 * EINVAL.
 */
int	shell_number(const char *what, const char *text,
	    unsigned long long min, unsigned long long max,
	    unsigned long long *value);

/*
 * shell_run - run a line: commands separated by ';'
 *
 * Words are separated by blanks; '...' keeps them together; '#' begins a
 * comment. Returns 0, or the value of the last command that failed. Threads
 * only.
 */
int	shell_run(const char *line);

/* shell_fail - make the run end in `paravane: failed` */
void	shell_fail(void);

/*
 * shell_poweroff, shell_reboot - print how the run ended, stop the devices, and
 * turn the machine off or start it again
 */
_Noreturn void	shell_poweroff(void);
_Noreturn void	shell_reboot(void);

/*
 * shell_main - the `run=` list, then commands as they are typed; for ever
 *
 * run		the list, or NULL
 */
_Noreturn void	shell_main(const char *run);

#endif
