/* SPDX-License-Identifier: ISC */
#ifndef TTY_H
#define TTY_H

/*
 * The terminal: all consoles together, as programs and commands see it.
 * Threads only.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * tty_printf - what a command prints
 *
 * To every console, not into the log. Waits, with a bound, for consoles that
 * are slow, so nothing is lost.
 */
void	tty_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	tty_vprintf(const char *fmt, va_list ap)
	    __attribute__((format(printf, 1, 0)));
void	tty_write(const char *buf, size_t len);

/*
 * tty_item - one piece of a list, in a new row if this one has no room for it
 *
 * column	where the row stands; kept here
 * indent	what a new row begins with; the piece loses its first blank
 *
 * A piece begins with a blank and has less than TTY_WIDTH characters.
 */
void	tty_item(unsigned int *column, unsigned int indent, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

#define TTY_WIDTH	80	/* what every terminal has */

/*
 * tty_capture - what this thread prints goes to fn instead, and never waits
 *
 * fn NULL ends it. One thread at a time; returns 0, or EBUSY.
 */
int	tty_capture(void (*fn)(void *arg, const char *buf, size_t len),
	    void *arg);

/* tty_captured - whether it is so with this thread: it may wait for nothing */
int	tty_captured(void);

/*
 * tty_lock - mutex_lock, for a command. EBUSY, and says so: it is held, and
 * this thread may wait for nothing
 */
struct mutex;
int	tty_lock(struct mutex *);

/*
 * tty_interrupted - whether Ctrl-C was typed since the command began
 * tty_sleep - wait; less long when Ctrl-C is typed
 *
 * tty_sleep() returns 0 when the time is over, EINTR when Ctrl-C ended it. A
 * command that runs long calls one of the two now and then and returns EINTR.
 * A command that waits for an event of its own may wait in slices of
 * TTY_SLICE_NS and look at tty_interrupted() between them.
 */
int	tty_interrupted(void);
int	tty_sleep(uint64_t ns);

#define TTY_SLICE_NS	50000000ULL

/*
 * tty_getc - one byte of input
 *
 * timeout_ns	how long to wait; 0 does not, UINT64_MAX waits for ever
 *
 * Returns the byte, -1 when the time is over, -2 when Ctrl-C was typed.
 */
int	tty_getc(uint64_t timeout_ns);

/*
 * tty_getline - a line, edited, without its newline
 *
 * Returns its length, -1 after Ctrl-C, or after Ctrl-D on an empty line.
 */
int	tty_getline(const char *prompt, char *buf, size_t len);

#endif
