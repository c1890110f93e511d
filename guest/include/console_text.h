/* SPDX-License-Identifier: ISC */
#ifndef CONSOLE_TEXT_H
#define CONSOLE_TEXT_H

/*
 * Between the consoles, the log, a panic and the line editor (tty.c): nobody
 * else needs it.
 */

#include <stddef.h>
#include <stdint.h>

/* console_say - kernel messages, as console_write() but minding the editor */
void	console_say(const char *, size_t);

/*
 * console_editing - a line is being edited at the prompt, or no longer
 *
 * While it is, messages begin on a line of their own; tty_wake() is called
 * and console_disturbed() says once that the prompt is to be shown again.
 */
void	console_editing(int);
int	console_disturbed(void);

/* console_draining - somebody waits until text is visible: no putting it off */
int	console_draining(void);

/* console_settle - in a panic: show all that was said, polling */
void	console_settle(void);

/*
 * console_wait - wait until no console has more than limit bytes to take
 *
 * A console that takes nothing for a second is not waited for any more. Does
 * not wait before threads do. Threads only.
 */
void	console_wait(uint64_t limit);
#define CONSOLE_LIMIT	16384

/* tty_wake - there is input, or the prompt was disturbed; any context */
void	tty_wake(void);

/* tty_input - bytes were typed; any context */
void	tty_input(const unsigned char *, size_t);

#endif
