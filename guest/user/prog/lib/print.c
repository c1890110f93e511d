/* SPDX-License-Identifier: ISC */

#include <stdarg.h>
#include <stdio.h>

#include "../sys.h"

void
print(const char *fmt, ...)
{
	char buf[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(buf))
		n = sizeof(buf) - 1;
	if (n > 0)
		sys_write(1, buf, (size_t)n);
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
