/* SPDX-License-Identifier: ISC */

#include <stdarg.h>

#include "../sys.h"

struct line {
	char	l_text[256];
	size_t	l_len;
};

/* What does not fit is left out. */
static void
put_text(struct line *l, const char *s)
{
	while (*s != '\0' && l->l_len < sizeof(l->l_text))
		l->l_text[l->l_len++] = *s++;
}

static void
put_number(struct line *l, uint64_t value, unsigned int base)
{
	char digits[21], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do
		*--p = "0123456789abcdef"[value % base];
	while ((value /= base) != 0);
	put_text(l, p);
}

static void
put_signed(struct line *l, int64_t value)
{
	if (value < 0)
		put_text(l, "-");
	put_number(l, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

void
print(const char *fmt, ...)
{
	struct line l = { .l_len = 0 };
	char one[2] = "";
	va_list ap;
	int wide;

	va_start(ap, fmt);
	for (; *fmt != '\0'; fmt++) {
		wide = fmt[0] == '%' && fmt[1] == 'l';
		one[0] = *fmt;
		if (*fmt != '%') {
			put_text(&l, one);
			continue;
		}
		fmt += wide ? 3 : 1;
		if (*fmt == 's')
			put_text(&l, va_arg(ap, const char *));
		else if (*fmt == 'd')
			put_signed(&l, wide ? va_arg(ap, long long) :
			    va_arg(ap, int));
		else
			put_number(&l, wide ? va_arg(ap, unsigned long long) :
			    va_arg(ap, unsigned int), *fmt == 'x' ? 16 : 10);
	}
	va_end(ap);
	sys_write(1, l.l_text, l.l_len);
}

uint64_t
number(const char *text, uint64_t fallback)
{
	uint64_t value = 0;

	if (text == NULL || *text == '\0')
		return fallback;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return *text == '\0' ? value : fallback;
}
