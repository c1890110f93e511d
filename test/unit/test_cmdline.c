/* SPDX-License-Identifier: ISC */
/* UNIT: guest/firmware/cmdline.c */
/*
 * The command line: what people write, and what damage makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cmdline.h"

static struct cmdline cl;

static void
words(void **state)
{
	const char *s = "  console=pl011 run=\"ping -s 10 \\\"x\\\"; poweroff\" "
	    "test \t segsize=64k maxcpus=0x2 run2=b run=\"a;b\"";

	(void)state;
	assert_true(cmdline_parse(&cl, s, 1000));
	assert_string_equal(cmdline_value(&cl, "console"), "pl011");
	assert_string_equal(cmdline_value(&cl, "run"), "a;b");
	assert_string_equal(cmdline_value(&cl, "test"), "");
	assert_null(cmdline_value(&cl, "tes"));
	assert_null(cmdline_value(&cl, "tests"));
	assert_int_equal(cmdline_number(&cl, "segsize", 7), 65536);
	assert_int_equal(cmdline_number(&cl, "maxcpus", 7), 2);
	assert_int_equal(cmdline_number(&cl, "absent", 7), 7);
	assert_int_equal(cmdline_number(&cl, "test", 7), 7);
	assert_int_equal(cl.cl_nwords, 7);
	assert_string_equal(cl.cl_text + cl.cl_word[1],
	    "run=ping -s 10 \"x\"; poweroff");
}

static void
numbers(void **state)
{
	(void)state;
	cmdline_parse(&cl, "a=18446744073709551616 b=99999999999g c=12x d=0x "
	    "e=-1 f=0xffffffffffffffff g=1gg", 1000);
	assert_int_equal(cmdline_number(&cl, "a", 7), 7);
	assert_int_equal(cmdline_number(&cl, "b", 7), 7);
	assert_int_equal(cmdline_number(&cl, "c", 7), 7);
	assert_int_equal(cmdline_number(&cl, "d", 7), 7);
	assert_int_equal(cmdline_number(&cl, "e", 7), 7);
	assert_int_equal(cmdline_number(&cl, "g", 7), 7);
}

static void
unfinished_quote(void **state)
{
	(void)state;
	assert_true(cmdline_parse(&cl, "run=\"a; b", 9));
	assert_string_equal(cmdline_value(&cl, "run"), "a; b");
	assert_true(cmdline_parse(&cl, "run=\"a\\", 7));
	assert_string_equal(cmdline_value(&cl, "run"), "a\\");
	assert_true(cmdline_parse(&cl, "", 0));
	assert_int_equal(cl.cl_nwords, 0);
}

static void
too_much(void **state)
{
	char s[8192];
	size_t i;

	(void)state;
	memset(s, 'x', sizeof(s));
	assert_false(cmdline_parse(&cl, s, sizeof(s)));
	assert_int_equal(cl.cl_nwords, 0);
	for (i = 1; i < sizeof(s); i += 2)
		s[i] = ' ';
	assert_false(cmdline_parse(&cl, s, sizeof(s)));
	assert_int_equal(cl.cl_nwords, CMDLINE_MAXWORDS);
}

/* Every bit of a real line flipped, and bytes at random: words stay within the text, and end. */
static void
damaged(void **state)
{
	char line[] = "console=pl011 run=\"ping 10.0.2.2; \\\"q\\\" off\" test";
	char s[3000];
	unsigned i, bit, round;

	(void)state;
	for (bit = 0; bit < sizeof(line) * 8; bit++) {
		line[bit / 8] ^= (char)(1 << bit % 8);
		cmdline_parse(&cl, line, sizeof(line));
		for (i = 0; i < cl.cl_nwords; i++)
			assert_true(strlen(cl.cl_text + cl.cl_word[i]) <
			    sizeof(line));
		cmdline_number(&cl, "test", 0);
		line[bit / 8] ^= (char)(1 << bit % 8);
	}
	srand(1);
	for (round = 0; round < 2000; round++) {
		for (i = 0; i < sizeof(s); i++)
			s[i] = (char)(rand() % 3 ? rand() : "\" \\="[rand() % 4]);
		cmdline_parse(&cl, s, (size_t)rand() % sizeof(s));
		assert_true(cl.cl_nwords <= CMDLINE_MAXWORDS);
		for (i = 0; i < cl.cl_nwords; i++)
			assert_non_null(memchr(cl.cl_text + cl.cl_word[i], '\0',
			    sizeof(cl.cl_text) - cl.cl_word[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(numbers),
		cmocka_unit_test(unfinished_quote),
		cmocka_unit_test(too_much),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
