/* SPDX-License-Identifier: ISC */
/*
 * One line of text in a caller's buffer, cut where it is full.
 */
#ifndef TRANSPORT_TEXT_H
#define TRANSPORT_TEXT_H

#include <paravane/kern.h>

struct text {
	char *tx_at;
	char *tx_end;		/* the final 0 stands before it */
};

static inline void
text_init(struct text *t, char *buf, size_t len)
{
	t->tx_at = buf;
	t->tx_end = buf + len;
	if (len > 0)
		*buf = '\0';
}

static inline void
text_char(struct text *t, char c)
{
	if (t->tx_end - t->tx_at < 2)
		return;
	*t->tx_at++ = c;
	*t->tx_at = '\0';
}

static inline void
text_str(struct text *t, const char *s)
{
	while (*s != '\0')
		text_char(t, *s++);
}

static inline void
text_hex(struct text *t, uint32_t val, unsigned int digits)
{
	while (digits-- > 0)
		text_char(t, "0123456789abcdef"[(val >> (4 * digits)) & 15]);
}

static inline void
text_dec(struct text *t, uint32_t val)
{
	char digits[10];
	unsigned int n = 0;

	do {
		digits[n++] = (char)('0' + val % 10);
		val /= 10;
	} while (val != 0);
	while (n > 0)
		text_char(t, digits[--n]);
}

#endif
