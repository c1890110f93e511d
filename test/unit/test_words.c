/* SPDX-License-Identifier: ISC */
/* UNIT: guest/shell/words.c */
/* UNIT-CFLAGS: -Iguest/shell */
/* The shell's lines, taken apart into words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lines.h"

#define MAX	8

/* The words of all commands: "a,b|c" are two commands. */
static const char *
words(const char *line)
{
	static char out[1024];
	char *copy = strdup(line), *p = copy, *argv[MAX];
	int argc, i;

	out[0] = '\0';
	while (p != NULL) {
		argc = words_split(p, argv, MAX, &p);
		if (argc < 0) {
			strcat(out, argc == -1 ? "<many>" : "<quote>");
			break;
		}
		assert_null(argv[argc]);
		for (i = 0; i < argc; i++) {
			strcat(out, i > 0 ? "," : "");
			strcat(out, argv[i]);
		}
		if (p != NULL)
			strcat(out, "|");
	}
	free(copy);
	return out;
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(words(""), "");
	assert_string_equal(words("  \t"), "");
	assert_string_equal(words("a"), "a");
	assert_string_equal(words(" a  b\tc "), "a,b,c");
	assert_string_equal(words("a;b c;d"), "a|b,c|d");
	assert_string_equal(words("a ; b"), "a|b");
	assert_string_equal(words(";;a;"), "||a|");
	assert_string_equal(words("a # b;c"), "a");
	assert_string_equal(words("a#b"), "a#b");
	assert_string_equal(words("'a b' c"), "a b,c");
	assert_string_equal(words("x'a;b'y\"c d\""), "xa;byc d");
	assert_string_equal(words("''"), "");
	assert_string_equal(words("a '' b"), "a,,b");
	assert_string_equal(words("\"it's\""), "it's");
}

static void
test_bad_lines(void **state)
{
	(void)state;
	assert_string_equal(words("a 'b"), "<quote>");
	assert_string_equal(words("\""), "<quote>");
	assert_string_equal(words("1 2 3 4 5 6 7"), "1,2,3,4,5,6,7");
	assert_string_equal(words("1 2 3 4 5 6 7 8"), "<many>");
	assert_string_equal(words("1 2 3 4 5 6 7;8"), "1,2,3,4,5,6,7|8");
	assert_string_equal(words("1 2 3 4 5 6 7 ;8"), "1,2,3,4,5,6,7|8");
}

/* Every line of up to five characters of those that mean something. */
static void
test_all_short_lines(void **state)
{
	static const char alphabet[] = "a '\";#";
	char line[6];
	unsigned long n, v;
	unsigned int i;

	(void)state;
	for (n = 0; n < 6ul * 6 * 6 * 6 * 6; n++) {
		for (v = n, i = 0; i < 5; i++, v /= 6)
			line[i] = alphabet[v % 6];
		line[5] = '\0';
		assert_non_null(words(line));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_all_short_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
