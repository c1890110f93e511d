/* SPDX-License-Identifier: ISC */
/* A line of the shell, taken apart. */

#include "lines.h"

#include <stddef.h>

enum {
	WORD_END = 0,
	WORD_MORE = 1,
	WORD_NO_QUOTE = 2
};

static int
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copy one word to *to, without its quotes; *from is left behind it. */
static int
word(char **from, char **to)
{
	char *p = *from, *w = *to, quote = '\0';

	for (; *p != '\0'; p++) {
		if (quote != '\0' && *p == quote)
			quote = '\0';
		else if (quote != '\0')
			*w++ = *p;
		else if (*p == '\'' || *p == '"')
			quote = *p;
		else if (is_blank(*p) || *p == ';')
			break;
		else
			*w++ = *p;
	}
	*from = p;
	*to = w;
	return quote != '\0' ? WORD_NO_QUOTE : WORD_MORE;
}

int
words_split(char *line, char **argv, int max, char **next)
{
	char *p = line, *w = line, end;
	int argc = 0;

	*next = NULL;
	for (;;) {
		while (is_blank(*p))
			p++;
		if (*p == '\0' || *p == '#')
			break;
		if (*p == ';') {
			*next = p + 1;
			break;
		}
		if (argc == max - 1)
			return -1;
		argv[argc++] = w;
		if (word(&p, &w) == WORD_NO_QUOTE)
			return -2;
		end = *p;
		*w++ = '\0';
		if (end == ';')
			*next = p + 1;
		if (end == ';' || end == '\0')
			break;
		p++;
	}
	argv[argc] = NULL;
	return argc;
}
