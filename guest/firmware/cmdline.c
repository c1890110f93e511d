/* SPDX-License-Identifier: ISC */
/*
 * The command line. It may come from a damaged tree: any bytes at all end as
 * words.
 */
#include <string.h>

#include "cmdline.h"

static struct cmdline boot_cmdline;

static bool
blank(char c)
{
	return c <= ' ' || c > '~';
}

/*
 * Copies the word at s[*at] without its quotes; false if it didn't fit, and
 * then nothing of it is kept.
 */
static bool
word_copy(struct cmdline *cl, size_t *fill, const char *s, size_t len,
    size_t *at)
{
	size_t i = *at, out = *fill;
	bool quoted = false, fits = cl->cl_nwords < CMDLINE_MAXWORDS;

	for (; i < len && s[i] != '\0' && (quoted || !blank(s[i])); i++) {
		char c = s[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && i + 1 < len && s[i + 1] != '\0')
			c = s[++i];
		if (blank(c))
			c = ' ';
		if (out + 1 >= sizeof(cl->cl_text))
			fits = false;
		else
			cl->cl_text[out++] = c;
	}
	*at = i;
	if (!fits)
		return false;
	cl->cl_text[out++] = '\0';
	cl->cl_word[cl->cl_nwords++] = (uint16_t)*fill;
	*fill = out;
	return true;
}

bool
cmdline_parse(struct cmdline *cl, const char *s, size_t len)
{
	size_t at = 0, fill = 0;
	bool whole = true;

	memset(cl, 0, sizeof(*cl));
	for (;;) {
		while (at < len && s[at] != '\0' && blank(s[at]))
			at++;
		if (at >= len || s[at] == '\0')
			return whole;
		if (!word_copy(cl, &fill, s, len, &at))
			whole = false;
	}
}

const char *
cmdline_value(const struct cmdline *cl, const char *name)
{
	size_t len = strlen(name);
	unsigned i;

	for (i = cl->cl_nwords; i-- > 0;) {
		const char *w = cl->cl_text + cl->cl_word[i];

		if (strncmp(w, name, len) != 0)
			continue;
		if (w[len] == '=')
			return w + len + 1;
		if (w[len] == '\0')
			return w + len;
	}
	return NULL;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static unsigned
suffix_shift(char c)
{
	switch (c) {
	case 'k': case 'K':
		return 10;
	case 'm': case 'M':
		return 20;
	case 'g': case 'G':
		return 30;
	}
	return 0;
}

uint64_t
cmdline_number(const struct cmdline *cl, const char *name, uint64_t fallback)
{
	const char *s = cmdline_value(cl, name);
	uint64_t n = 0;
	unsigned shift;
	int base = 10;

	if (s == NULL)
		return fallback;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (digit(*s) >= base)
		return fallback;
	for (; digit(*s) < base; s++) {
		if (n > (UINT64_MAX - 15) / 16)
			return fallback;
		n = n * (unsigned)base + (unsigned)digit(*s);
	}
	shift = suffix_shift(*s);
	if (shift != 0)
		s++;
	if (*s != '\0' || n > UINT64_MAX >> shift)
		return fallback;
	return n << shift;
}

void
cmdline_init(const char *s)
{
	cmdline_parse(&boot_cmdline, s, CMDLINE_SIZE);
}

const char *
cmdline_get(const char *name)
{
	return cmdline_value(&boot_cmdline, name);
}

uint64_t
cmdline_get_number(const char *name, uint64_t fallback)
{
	return cmdline_number(&boot_cmdline, name, fallback);
}

bool
cmdline_is(const char *name, const char *value)
{
	const char *s = cmdline_get(name);

	return s != NULL && strcmp(s, value) == 0;
}

bool
cmdline_test_run(void)
{
	return cmdline_get("run") != NULL || cmdline_get("test") != NULL;
}
