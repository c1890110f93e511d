/* SPDX-License-Identifier: ISC */
/* Lines are run, and how the run ended is told. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "console.h"
#include "cpu.h"
#include "disk.h"
#include "init.h"
#include "kmem.h"
#include "ktime.h"
#include "lines.h"
#include "log.h"
#include "net_guest.h"
#include "progress.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"
#include "virtio_guest.h"

#define PROMPT		"paravane> "
#define SETTLE_NS	(2 * NS_PER_S)
#define DEVICE_WAIT_NS	(10 * NS_PER_S)
#define LEASE_WAIT_NS	(10 * NS_PER_S)

static int run_failed;
static struct thread *run_thread; /* runs `run=`: failures count */

int
shell_usage(const char *name)
{
	const struct command *cmd = command_find(name);

	tty_printf("usage: %s\n", cmd != NULL ? cmd->cmd_synopsis : name);
	return EINVAL;
}

int
shell_number(const char *what, const char *text, unsigned long long min,
    unsigned long long max, unsigned long long *value)
{
	unsigned long long v;
	char *end;

	/* strtoull() takes signs and blanks, and 010 for 8. */
	errno = 0;
	v = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
		tty_printf("%s: `%s' is not a number\n", what, text);
		return EINVAL;
	}
	if (v < min || v > max) {
		tty_printf("%s: %s is not from %llu to %llu\n", what, text,
		    min, max);
		return EINVAL;
	}
	*value = v;
	return 0;
}

void
shell_fail(void)
{
	run_failed = 1;
}

static int
run_command(int argc, char **argv)
{
	const struct command *cmd = command_find(argv[0]);

	if (cmd == NULL) {
		tty_printf("%s: no such command; `help' lists them\n",
		    argv[0]);
		return ENOENT;
	}
	return cmd->cmd_fn(argc, argv);
}

/*
 * Run the commands of a line, of any length. A command that fails does not
 * keep the next from running: poweroff is often the last. Ctrl-C does.
 */
static int
run_list(char *p)
{
	char *argv[SHELL_ARGC_MAX + 1];
	int argc, error, result = 0;

	while (p != NULL) {
		argc = words_split(p, argv, SHELL_ARGC_MAX + 1, &p);
		if (argc < 0) {
			tty_printf("shell: %s\n", argc == -1 ?
			    "too many words" : "a quote has no end");
			return EINVAL;
		}
		if (argc == 0)
			continue;
		error = run_command(argc, argv);
		if (error != 0) {
			result = error;
			run_failed |= run_thread == thread_self();
		}
		if (error == EINTR || tty_interrupted()) {
			result = EINTR;
			break;
		}
	}
	return result;
}

int
shell_run(const char *line)
{
	size_t size = strlen(line) + 1;
	char *copy = kmalloc(size);
	int error;

	if (copy == NULL) {
		tty_printf("shell: no memory\n");
		return ENOMEM;
	}
	memcpy(copy, line, size);
	error = run_list(copy);
	kfree(copy);
	return error;
}

/* All that is to be seen has been; then devices stop, for good. */
static void
leave(void)
{
	int error;

	/* The log's place on the disk may still be looked for. */
	(void)init_wait(SETTLE_NS);
	error = disk_sync_all();
	if (error != 0) {
		kprintf("sync: not all that was written is on the disk, "
		    "error %d\n", error);
		run_failed = 1;
	}
	kprintf("paravane: %s\n", run_failed ? "failed" : "done");
	progress_settle();
	console_drain();
	console_lock();
	virtio_quiesce();
}

void
shell_poweroff(void)
{
	leave();
	cpu_poweroff();
}

void
shell_reboot(void)
{
	leave();
	cpu_reset();
}

/* `run=` begins when late devices have come and the network is up, or will not be. */
static void
wait_for_devices(void)
{
	if (init_wait(DEVICE_WAIT_NS) == ETIMEDOUT)
		klog(LOG_WARN, "shell: devices still come after %u s",
		    (unsigned int)(DEVICE_WAIT_NS / NS_PER_S));
	if (net_next(NULL) == NULL || cmdline_is("net", "off"))
		return;
	if (net_wait(LEASE_WAIT_NS) == ETIMEDOUT)
		klog(LOG_WARN, "shell: no network after %u s",
		    (unsigned int)(LEASE_WAIT_NS / NS_PER_S));
}

void
shell_main(const char *run)
{
	static char line[SHELL_LINE_MAX];

	/* A display that paints for the first time says so, not after this. */
	console_drain();
	if (run != NULL && *run != '\0') {
		wait_for_devices();
		run_thread = thread_self();
		run_failed |= shell_run(run) != 0;
		run_thread = NULL;
		tty_forget_interrupt();
	}
	for (;;) {
		if (tty_getline(PROMPT, line, sizeof(line)) < 0)
			continue;
		edit_remember(&shell_history, line);
		(void)shell_run(line);
		tty_forget_interrupt();
	}
}
