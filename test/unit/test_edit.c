/* SPDX-License-Identifier: ISC */
/* UNIT: guest/shell/edit.c guest/console/term.c */
/* UNIT-CFLAGS: -Iguest/shell -Iguest/console */
/*
 * The line editor, typed at, with what it sends shown by the terminal: what
 * one reads there must be prompt and line, and the cursor in its place.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edit.h"
#include "term.h"

#define COLS	80
#define ROWS	3

static uint8_t bits[128];
static struct term_map map[128];
static const struct term_font font = { 8, 1, 128, 128, bits, map };
static struct term_cell cells[2 * COLS * ROWS];
static struct term term;
static struct edit edit;
static struct edit_history history;

static void
to_term(void *arg, const char *s, size_t len)
{
	(void)arg;
	for (; len > 0; len--, s++) {
		if (*s == '\n')
			term_write(&term, "\r", 1);
		term_write(&term, s, 1);
	}
}

static int
setup(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 128; i++) {
		map[i].tm_code = (uint16_t)i;
		map[i].tm_glyph = (uint16_t)i;
		map[i].tm_n = 1;
	}
	term_init(&term, &font, cells, COLS, ROWS, 1);
	memset(&history, 0, sizeof(history));
	memset(&edit, 0, sizeof(edit));
	edit_begin(&edit, "> ", &history, to_term, NULL);
	return 0;
}

static enum edit_result
type(const char *keys)
{
	enum edit_result r = EDIT_MORE;

	for (; *keys != '\0' && r == EDIT_MORE; keys++)
		r = edit_byte(&edit, (unsigned char)*keys);
	return r;
}

static const char *
row(unsigned int y)
{
	static char text[COLS + 1];
	unsigned int x, end = 0;

	for (x = 0; x < COLS; x++) {
		text[x] = (char)term_row(&term, y)[x].tc_glyph;
		if (text[x] != ' ')
			end = x + 1;
	}
	text[end] = '\0';
	return text;
}

static void
typed(const char *keys, const char *line, size_t cursor)
{
	char shown[EDIT_LINE + 8] = "> ";
	void *state = NULL;
	size_t end;

	setup(&state);
	assert_int_equal(type(keys), EDIT_MORE);
	assert_string_equal(edit.e_line, line);
	assert_int_equal(edit.e_len, strlen(line));
	strcat(shown, line);
	for (end = strlen(shown); end > 0 && shown[end - 1] == ' '; end--)
		shown[end - 1] = '\0';
	assert_string_equal(row(term.t_y), shown);
	assert_int_equal(term.t_x, 2 + cursor);
}

static void
test_editing(void **state)
{
	(void)state;
	typed("abc", "abc", 3);
	typed("abc\002x", "abxc", 3);
	typed("abc\001x", "xabc", 1);
	typed("abc\001\005x", "abcx", 4);
	typed("abc\002\002\006x", "abxc", 3);
	typed("abc\010", "ab", 2);
	typed("abc\177\177\177\177", "", 0);
	typed("abc\001\004", "bc", 0);
	typed("abc\004", "abc", 3);
	typed("abc\001\006\013", "a", 1);
	typed("abc\002\025", "c", 0);
	typed("ab cd  \027x", "ab x", 4);
	typed("ab cd\027\027\027", "", 0);
	typed("abc\033[D\033[Dx", "axbc", 2);
	typed("abc\033[D\033[C\033OD\033OCx", "abcx", 4);
	typed("abc\033[Hx\033[Fy", "xabcy", 5);
	typed("abc\033[1~x\033[4~y\033[7~z", "zxabcy", 1);
	typed("abc\033[1~\033[3~", "bc", 0);
	typed("a\014b", "ab", 2);
}

static void
test_garbage_keys_do_nothing(void **state)
{
	(void)state;
	typed("a\033[5~b", "ab", 2);
	typed("a\033[1;5Cb", "ab", 2);
	typed("a\033[99999999999999999999~b", "ab", 2);
	typed("a\033xb", "ab", 2);
	typed("a\007\t\026b", "ab", 2);
	typed("a\377\200b", "ab", 2);
	typed("a\303b", "ab", 2);
	typed("\033[A\033[B", "", 0);
}

static void
test_utf8_is_whole(void **state)
{
	void *s = NULL;

	(void)state;
	setup(&s);
	type("a\303\244\342\202\254z\002\010");
	assert_string_equal(edit.e_line, "a\303\244z");
	assert_int_equal(term.t_x, 4);
	type("\010\010\010");
	assert_string_equal(edit.e_line, "z");
	assert_string_equal(row(0), "> z");
}

static void
test_history(void **state)
{
	(void)state;
	edit_remember(&history, "one");
	edit_remember(&history, "two");
	edit_remember(&history, "two");
	edit_remember(&history, "  ");
	type("new\033[A");
	assert_string_equal(edit.e_line, "two");
	type("\033[A");
	assert_string_equal(edit.e_line, "one");
	assert_string_equal(row(0), "> one");
	type("\033[A");
	assert_string_equal(edit.e_line, "one");
	type("\033[B\033[B");
	assert_string_equal(edit.e_line, "new");
	assert_string_equal(row(0), "> new");
	type("\033[B");
	assert_string_equal(edit.e_line, "new");
}

static void
test_history_forgets_the_oldest(void **state)
{
	char line[8] = "line-aa";
	unsigned int i;

	(void)state;
	for (i = 0; i < EDIT_HISTORY + 3; i++) {
		line[5] = (char)('a' + i / 26);
		line[6] = (char)('a' + i % 26);
		edit_remember(&history, line);
	}
	for (i = 0; i < EDIT_HISTORY + 9; i++)
		type("\020");
	assert_string_equal(edit.e_line, "line-ad");
	assert_null(edit_recall(&history, EDIT_HISTORY + 1));
	assert_null(edit_recall(&history, 0));
}

static void
test_end_of_line(void **state)
{
	void *s = NULL;

	(void)state;
	assert_int_equal(type("ab\r"), EDIT_DONE);
	assert_string_equal(edit.e_line, "ab");
	edit_begin(&edit, "> ", &history, to_term, NULL);
	assert_int_equal(type("\n"), EDIT_MORE);	/* of the CR before */
	assert_int_equal(type("c\n"), EDIT_DONE);
	assert_string_equal(edit.e_line, "c");
	setup(&s);
	assert_int_equal(type("ab\003"), EDIT_END);
	assert_string_equal(row(0), "> ab^C");
	setup(&s);
	assert_int_equal(type("\004"), EDIT_END);
}

static void
test_long_line_moves_under_the_window(void **state)
{
	unsigned int i;
	char c;

	(void)state;
	for (i = 0; i < 300; i++) {
		c = (char)('a' + i % 26);
		edit_byte(&edit, (unsigned char)c);
	}
	assert_int_equal(edit.e_len, EDIT_LINE - 1);
	assert_int_equal(term.t_y, 0);
	assert_true(term.t_x < EDIT_COLS);
	assert_int_equal(row(0)[term.t_x - 1], 'a' + (EDIT_LINE - 2) % 26);
	type("\001");
	assert_int_equal(term.t_x, 2);
	assert_memory_equal(row(0), "> abcdef", 8);
	type("\013");
	assert_string_equal(row(0), ">");
}

static void
test_again(void **state)
{
	(void)state;
	type("abc\002");
	to_term(NULL, "\nmessage\n", 9);
	edit_again(&edit);
	assert_string_equal(row(2), "> abc");
	assert_int_equal(term.t_x, 4);
}

/* After any keys the screen shows what the line is. */
static void
test_random_keys(void **state)
{
	static const char *const keys[] = {
		"a", "b", " ", "xyz", "\303\244", "\001", "\002", "\005",
		"\006", "\010", "\004", "\013", "\025", "\027", "\033[A",
		"\033[B", "\033[D", "\033[C", "\033[3~", "\020", "\016",
		"\377", "\033[", "long text that goes on"
	};
	static char expect[EDIT_LINE + 8];
	unsigned int i, seed = 7;
	size_t x, n;

	(void)state;
	for (i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		if (i % 50 == 0)
			edit_remember(&history, edit.e_line);
		if (edit.e_len == 0)
			type("q");	/* Ctrl-D would end it */
		type(keys[(seed >> 16) % (sizeof(keys) / sizeof(*keys))]);
		assert_true(edit.e_pos <= edit.e_len);
		assert_int_equal(strlen(edit.e_line), edit.e_len);
		strcpy(expect, "> ");
		n = 2;
		for (x = edit.e_first; x < edit.e_len && n < EDIT_COLS; x++)
			if ((edit.e_line[x] & 0xc0) != 0x80)
				expect[n++] = (char)(edit.e_line[x] & 0x80 ?
				    '?' : edit.e_line[x]);
		while (n > 0 && expect[n - 1] == ' ')
			n--;
		expect[n] = '\0';
		assert_string_equal(row(term.t_y), expect);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_editing, setup),
		cmocka_unit_test_setup(test_garbage_keys_do_nothing, setup),
		cmocka_unit_test_setup(test_utf8_is_whole, setup),
		cmocka_unit_test_setup(test_history, setup),
		cmocka_unit_test_setup(test_history_forgets_the_oldest,
		    setup),
		cmocka_unit_test_setup(test_end_of_line, setup),
		cmocka_unit_test_setup(test_long_line_moves_under_the_window,
		    setup),
		cmocka_unit_test_setup(test_again, setup),
		cmocka_unit_test_setup(test_random_keys, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
