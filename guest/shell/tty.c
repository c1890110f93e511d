/* SPDX-License-Identifier: ISC */
/* The terminal that all consoles are, and the line that is typed at it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "console_text.h"
#include "edit.h"
#include "ktime.h"
#include "lines.h"
#include "log.h"
#include "spin.h"
#include "thread.h"
#include "tty.h"

#define INPUT_SIZE	16384	/* a power of two */
#define WRITE_CHUNK	512	/* an atomic console masks interrupts for it */
#define KEY_INTERRUPT	0x03	/* Ctrl-C */

/* What tty_getc() returns beside a byte, and to tty_getline() alone. */
#define GETC_TIMEOUT	(-1)
#define GETC_INTERRUPT	(-2)
#define GETC_DISTURBED	(-3)

static struct spin input_spin;
static unsigned char input_ring[INPUT_SIZE];
static unsigned int input_head, input_tail;
static int input_interrupt;
static struct event input_event;

struct edit_history shell_history;

/* Whose output goes elsewhere, and where. */
static struct {
	struct thread	*c_thread;
	void		(*c_fn)(void *, const char *, size_t);
	void		*c_arg;
} capture;

void
tty_wake(void)
{
	event_signal(&input_event);
}

/*
 * What does not fit is lost, so that Ctrl-C is seen however much stands before
 * it: nobody types that far ahead, and few scripts that are piped in do.
 */
void
tty_input(const unsigned char *buf, size_t len)
{
	uint64_t saved = spin_lock(&input_spin);

	for (; len > 0; len--, buf++) {
		if (*buf == KEY_INTERRUPT) {
			input_interrupt = 1;
			input_tail = input_head;
		} else if (input_head - input_tail < INPUT_SIZE) {
			input_ring[input_head++ % INPUT_SIZE] = *buf;
		}
	}
	spin_unlock(&input_spin, saved);
	tty_wake();
}

/* A byte, GETC_INTERRUPT, or GETC_TIMEOUT if there is nothing. */
static int
input_take(void)
{
	uint64_t saved = spin_lock(&input_spin);
	int c = GETC_TIMEOUT;

	if (input_interrupt) {
		input_interrupt = 0;
		c = GETC_INTERRUPT;
	} else if (input_head != input_tail) {
		c = input_ring[input_tail++ % INPUT_SIZE];
	}
	spin_unlock(&input_spin, saved);
	return c;
}

static uint64_t
deadline_after(uint64_t ns)
{
	uint64_t now = uptime_ns();

	return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}

/* Wait for the input event until then; ETIMEDOUT when it is then. */
static int
input_wait(uint64_t deadline)
{
	uint64_t now = uptime_ns();

	if (now >= deadline)
		return ETIMEDOUT;
	(void)event_wait(&input_event, deadline - now);
	return 0;
}

static int
getc_until(uint64_t deadline, int editing)
{
	int c;

	for (;;) {
		/* First, so that the rest of the line does not follow what came in between. */
		if (editing && console_disturbed())
			return GETC_DISTURBED;
		c = input_take();
		if (c != GETC_TIMEOUT)
			return c;
		if (input_wait(deadline) != 0)
			return GETC_TIMEOUT;
	}
}

int
tty_getc(uint64_t timeout_ns)
{
	return getc_until(deadline_after(timeout_ns), 0);
}

int
tty_interrupted(void)
{
	return input_interrupt;
}

void
tty_forget_interrupt(void)
{
	if (!tty_captured())
		input_interrupt = 0;
}

int
tty_sleep(uint64_t ns)
{
	uint64_t deadline = deadline_after(ns);

	while (!input_interrupt)
		if (input_wait(deadline) != 0)
			return 0;
	return EINTR;
}

int
tty_capture(void (*fn)(void *arg, const char *buf, size_t len), void *arg)
{
	if (capture.c_thread != NULL && capture.c_thread != thread_self())
		return EBUSY;
	capture.c_thread = fn != NULL ? thread_self() : NULL;
	capture.c_fn = fn;
	capture.c_arg = arg;
	return 0;
}

int
tty_captured(void)
{
	return capture.c_thread != NULL && capture.c_thread == thread_self();
}

int
tty_lock(struct mutex *mtx)
{
	if (tty_captured() && mtx->mtx_owner != NULL) {
		tty_printf("busy\n");
		return EBUSY;
	}
	mutex_lock(mtx);
	return 0;
}

void
tty_write(const char *buf, size_t len)
{
	size_t n;

	if (tty_captured()) {
		capture.c_fn(capture.c_arg, buf, len);
		return;
	}
	while (len > 0) {
		n = len < WRITE_CHUNK ? len : WRITE_CHUNK;
		console_wait(CONSOLE_LIMIT);
		console_write(buf, n);
		buf += n;
		len -= n;
	}
}

void
tty_vprintf(const char *fmt, va_list ap)
{
	char buf[LOG_LINE_MAX + 1];
	int n = vsnprintf(buf, sizeof(buf), fmt, ap);

	if (n < 0)
		return;
	tty_write(buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
}

void
tty_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tty_vprintf(fmt, ap);
	va_end(ap);
}

void
tty_item(unsigned int *column, unsigned int indent, const char *fmt, ...)
{
	char buf[TTY_WIDTH];
	const char *item = buf;
	unsigned int len;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	len = (unsigned int)strlen(buf);
	if (*column + len >= TTY_WIDTH) {
		tty_printf("\n%*s", (int)indent, "");
		*column = indent;
		if (*item == ' ') {
			item++;
			len--;
		}
	}
	tty_write(item, len);
	*column += len;
}

static void
edit_out(void *arg, const char *s, size_t len)
{
	(void)arg;
	tty_write(s, len);
}

static int
next_key(void)
{
	int c;

	while ((c = getc_until(UINT64_MAX, 1)) == GETC_TIMEOUT)
		continue;
	return c == GETC_INTERRUPT ? KEY_INTERRUPT : c;
}

int
tty_getline(const char *prompt, char *buf, size_t len)
{
	static struct edit edit;
	enum edit_result r = EDIT_MORE;
	int c;

	console_editing(1);
	edit_begin(&edit, prompt, &shell_history, edit_out, NULL);
	while (r == EDIT_MORE) {
		c = next_key();
		if (c == GETC_DISTURBED)
			edit_again(&edit);
		else
			r = edit_byte(&edit, (unsigned char)c);
	}
	console_editing(0);
	if (r == EDIT_END || len == 0)
		return -1;
	if (edit.e_len >= len) {
		edit.e_len = len - 1;
		edit.e_line[edit.e_len] = '\0';
	}
	memcpy(buf, edit.e_line, edit.e_len + 1);
	return (int)edit.e_len;
}
