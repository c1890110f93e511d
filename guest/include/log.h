/* SPDX-License-Identifier: ISC */
#ifndef LOG_H
#define LOG_H

/*
 * What the kernel says: kprintf() to every console and into the log that
 * dmesg shows; panic() when it can't go on.
 *
 * All of it works from the first instruction after the MMU is on, in a
 * thread, in an interrupt handler and on every CPU. Text goes into a ring;
 * each console takes it from there in its own time, so what is said before
 * the first console exists is not lost. Formats are those of vsnprintf(3)
 * without floating point. One call gives at most LOG_LINE_MAX bytes.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX	512

enum log_level {
	LOG_ERR,	/* something is lost that was asked for */
	LOG_WARN,	/* wrong, and dealt with */
	LOG_INFO,	/* what kprintf() says */
	LOG_DEBUG	/* only dmesg shows it, without `debug` as a word of
			 * the command line */
};

/*
 * kprintf - say something: a part of a line, a line or several
 *
 * A newline is "\n"; consoles add their own carriage return. Lines of the
 * log bear the time at which their first byte was said.
 */
void	kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	kvprintf(const char *fmt, va_list ap)
	    __attribute__((format(printf, 1, 0)));

/*
 * klog - say one line at a level
 *
 * The text has no newline of its own. LOG_ERR and LOG_WARN lines are coloured
 * where the console has colours.
 */
void	klog(enum log_level, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/*
 * klog_some - klog for what a device can cause as often as it likes
 *
 * limit	of that device, or of that kind of message; zeroed memory
 *
 * Of a flood the first 16 are said, then one a second, which is told how many
 * before it were not. log_may is whether one may be said now, for what is not
 * one line. Threads only.
 */
struct log_limit {
	uint64_t	ll_since_ns;	/* private to loglimit.c */
	unsigned int	ll_said;
	unsigned long long ll_left;
};
bool	log_may(struct log_limit *);

#define klog_some(limit, level, ...) do {				\
	if (log_may(limit))						\
		klog((level), __VA_ARGS__);				\
} while (0)

/*
 * log_read - copy a part of the log
 *
 * pos		where to go on; 0 to begin. Moved past what was copied. A
 *		position that the ring has overwritten moves to the oldest
 *		whole line.
 *
 * Returns the number of bytes copied to buf, 0 at the end.
 */
size_t	log_read(unsigned long long *pos, char *buf, size_t len);

/*
 * panic - report that the kernel can't go on, and end
 *
 * Prints the message and a backtrace on every console, the display included,
 * polling. In a test run (`run=` or `test` on the command line) the message
 * is TAP's `Bail out! panic: ...`, `paravane: failed` follows and the machine
 * is turned off. Otherwise the machine halts.
 */
_Noreturn void	panic(const char *fmt, ...)
		    __attribute__((format(printf, 1, 2)));

/*
 * panic_enter, panic_message, panic_finish - the parts of panic()
 *
 * For who prints more than a message (the exception handlers: registers and
 * a backtrace). After panic_enter(), which masks interrupts, all output is
 * synchronous and polled, and it may not be given up. A panic within a panic
 * ends at once. panic_finish() ends the run as panic() does.
 *
 *	panic_enter();
 *	panic_message("%s in %s", ...);
 *	...
 *	panic_finish();
 *
 * panic_message() is the line that panic() prints.
 */
void		panic_enter(void);
void		panic_message(const char *fmt, ...)
		    __attribute__((format(printf, 1, 2)));
_Noreturn void	panic_finish(void);

/* panicking - whether panic_enter() was called */
int	panicking(void);

#endif
