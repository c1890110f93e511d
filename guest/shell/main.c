/* SPDX-License-Identifier: ISC */
/*
 * The last of start-up: say what the machine is, and start the shell. What
 * comes before is in the order of init.h: consoles that need no bus, the tty,
 * buses, devices, the network.
 */

#include <stdio.h>

#include "cmdline.h"
#include "console.h"
#include "init.h"
#include "log.h"
#include "machine.h"
#include "shell.h"
#include "thread.h"
#include "virtio_guest.h"

static void
say_machine(void)
{
	kprintf("\n%sParavane%s on %s\n", console_colour() ? "\033[1m" : "",
	    console_colour() ? "\033[m" : "",
	    machine.m_model[0] != '\0' ? machine.m_model : "this machine");
}

static void
shell_thread(void *arg)
{
	shell_main(arg);
}

static void
shell_init(void)
{
	static char run[CMDLINE_SIZE];
	const char *words = cmdline_get("run");

	say_machine();
	virtio_say();
	kprintf("\n`help' lists the commands, `poweroff' ends.\n");
	(void)snprintf(run, sizeof(run), "%s", words != NULL ? words : "");
	if (thread_create("shell", shell_thread, run) == NULL)
		panic("no memory for the shell");
}
INIT(INIT_SHELL, shell_init);
