/* SPDX-License-Identifier: ISC */
/* kprintf() and the log that dmesg reads. */

#include <stdio.h>
#include <string.h>

#include "cmdline.h"
#include "console.h"
#include "console_text.h"
#include "init.h"
#include "ktime.h"
#include "log.h"
#include "spin.h"

#define LOG_SIZE	65536	/* a power of two */

static struct spin log_spin;
static char log_ring[LOG_SIZE];
static unsigned long long log_end;	/* bytes ever written */
static int log_midline;
static enum log_level log_level = LOG_INFO;	/* what consoles show */

static void
log_put(const char *s, size_t len)
{
	for (; len > 0; len--)
		log_ring[log_end++ % LOG_SIZE] = *s++;
}

static void
log_stamp(void)
{
	unsigned long long us = uptime_ns() / 1000;
	char buf[32];
	int n;

	n = snprintf(buf, sizeof(buf), "[%5llu.%06llu] ", us / 1000000,
	    us % 1000000);
	log_put(buf, (size_t)n);
}

static void
log_append(const char *s, size_t len)
{
	uint64_t saved = spin_lock(&log_spin);
	const char *nl;
	size_t n;

	while (len > 0) {
		if (!log_midline)
			log_stamp();
		nl = memchr(s, '\n', len);
		n = nl != NULL ? (size_t)(nl - s) + 1 : len;
		log_put(s, n);
		log_midline = nl == NULL;
		s += n;
		len -= n;
	}
	spin_unlock(&log_spin, saved);
}

/* Where the first line begins that is whole; the lock is held. */
static unsigned long long
log_oldest(void)
{
	unsigned long long pos;

	if (log_end <= LOG_SIZE)
		return 0;
	pos = log_end - LOG_SIZE;
	while (pos < log_end && log_ring[pos % LOG_SIZE] != '\n')
		pos++;
	return pos < log_end ? pos + 1 : pos;
}

size_t
log_read(unsigned long long *pos, char *buf, size_t len)
{
	uint64_t saved = spin_lock(&log_spin);
	size_t n = 0;

	if (*pos + LOG_SIZE < log_end)
		*pos = log_oldest();
	while (n < len && *pos < log_end)
		buf[n++] = log_ring[(*pos)++ % LOG_SIZE];
	spin_unlock(&log_spin, saved);
	return n;
}

static void
log_init(void)
{
	if (cmdline_get("debug") != NULL)
		log_level = LOG_DEBUG;
}
INIT(INIT_CONSOLE, log_init);

/* vsnprintf's result as the length of what is in the buffer. */
static size_t
log_format(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	if (n < 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}

void
kvprintf(const char *fmt, va_list ap)
{
	char buf[LOG_LINE_MAX + 1];
	size_t len = log_format(buf, sizeof(buf), fmt, ap);

	log_append(buf, len);
	console_say(buf, len);
}

void
kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
}

static const char *
level_colour(enum log_level level)
{
	if (!console_colour() || level > LOG_WARN)
		return "";
	return level == LOG_ERR ? "\033[91m" : "\033[93m";
}

void
klog(enum log_level level, const char *fmt, ...)
{
	char buf[LOG_LINE_MAX + 16], *text;
	const char *colour = level_colour(level);
	size_t start = strlen(colour), len;
	va_list ap;

	memcpy(buf, colour, start);
	text = buf + start;
	va_start(ap, fmt);
	len = log_format(text, LOG_LINE_MAX, fmt, ap);
	va_end(ap);
	text[len] = '\n';
	log_append(text, len + 1);
	if (level > log_level)
		return;
	if (start == 0) {
		console_say(text, len + 1);
		return;
	}
	memcpy(text + len, "\033[m\n", 4);
	console_say(buf, start + len + 4);
}
