/* SPDX-License-Identifier: ISC */
/* UNIT: guest/console/term.c */
/* UNIT-CFLAGS: -Iguest/console */
/*
 * The terminal: what it shows after what was written, and that nothing
 * written makes it leave its memory.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "term.h"

#define GLYPHS	96

/*
 * A font of 8x4 for U+0020 to U+007e and U+FFFD; the rows of glyph n are n,
 * so that each looks different.
 */
static uint8_t bits[GLYPHS * 4];
static struct term_map map[GLYPHS];
static const struct term_font font = { 8, 4, GLYPHS, GLYPHS, bits, map };

struct screen {
	struct term		 s_term;
	void			*s_mem;
	struct term_pixels	 s_px;
	unsigned int		 s_rects;
	unsigned long		 s_area;
	unsigned int		 s_x, s_y, s_w, s_h;	/* the last one */
};

static void
font_init(void)
{
	unsigned int i;

	for (i = 0; i < GLYPHS; i++) {
		memset(&bits[i * 4], (int)i, 4);
		map[i].tm_code = (uint16_t)(i < GLYPHS - 1 ? ' ' + i : 0xfffd);
		map[i].tm_glyph = (uint16_t)i;
		map[i].tm_n = 1;
	}
}

static void
begin(struct screen *s, unsigned int cols, unsigned int rows)
{
	unsigned int c, r, scale;
	size_t len;

	font_init();
	memset(s, 0, sizeof(*s));
	s->s_px.tx_width = cols * 8 + 3;
	s->s_px.tx_height = rows * 4 + 1;
	s->s_px.tx_stride = s->s_px.tx_width * 4 + 16;
	s->s_px.tx_base = calloc(s->s_px.tx_height, s->s_px.tx_stride);
	len = term_layout(&font, s->s_px.tx_width, s->s_px.tx_height, &c, &r,
	    &scale);
	assert_int_equal(c, cols);
	assert_int_equal(r, rows);
	assert_int_equal(scale, 1);
	s->s_mem = malloc(len);
	term_init(&s->s_term, &font, s->s_mem, c, r, scale);
}

static void
end(struct screen *s)
{
	free(s->s_mem);
	free(s->s_px.tx_base);
}

static void
say(struct screen *s, const char *text)
{
	term_write(&s->s_term, text, strlen(text));
}

static char
glyph_char(uint16_t glyph)
{
	return glyph == GLYPHS - 1 ? '#' : (char)(' ' + glyph);
}

/* The rows of the screen, '|' between them, without blanks at their ends. */
static const char *
text(const struct screen *s)
{
	static char out[65536];
	const struct term *t = &s->s_term;
	unsigned int x, y, last;
	char *p = out;

	for (y = 0; y < t->t_rows; y++) {
		const struct term_cell *row = term_row(t, y);

		for (last = t->t_cols; last > 0; last--)
			if (row[last - 1].tc_glyph != t->t_blank)
				break;
		for (x = 0; x < last; x++)
			*p++ = glyph_char(row[x].tc_glyph);
		*p++ = '|';
	}
	p[-1] = '\0';
	return out;
}

static void
shows(unsigned int cols, unsigned int rows, const char *in, const char *out)
{
	struct screen s;

	begin(&s, cols, rows);
	say(&s, in);
	assert_string_equal(text(&s), out);
	end(&s);
}

static void
test_text(void **state)
{
	(void)state;
	shows(5, 3, "ab\r\ncd", "ab|cd|");
	shows(5, 3, "ab\ncd", "ab|  cd|");
	shows(5, 3, "abcdefg", "abcde|fg|");
	shows(5, 3, "abcde\r\nf", "abcde|f|");
	shows(5, 2, "a\r\nb\r\nc", "b|c");
	shows(5, 2, "ab\bc", "ac|");
	shows(12, 1, "a\tb", "a       b");
	shows(5, 1, "\tx", "    x");
}

static void
test_cursor(void **state)
{
	(void)state;
	shows(5, 3, "\033[2;3Hx", "|  x|");
	shows(5, 3, "\033[Hx\033[9;9Hy", "x||    y");
	shows(5, 3, "abc\033[2Dx", "axc||");
	shows(5, 3, "abc\033[99Dx", "xbc||");
	shows(5, 3, "\033[2Bx\033[Ay", "| y|x");
	shows(5, 3, "a\033[2Ex\033[Fy", "a|y|x");
	shows(5, 3, "\033[4Gx\033[2dy", "   x|    y|");
	shows(5, 3, "a\0337bcd\0338x", "axcd||");
	shows(5, 3, "a\033[sbcd\033[ux", "axcd||");
	shows(3, 2, "\033[?7labcdef\033[?7h", "abf|");
	shows(5, 3, "\033Mx", "x||");
	shows(5, 3, "ab\033Ecd", "ab|cd|");
	shows(5, 3, "a\r\nb\033cx", "x||");
}

static void
test_erase(void **state)
{
	(void)state;
	shows(5, 3, "abcde\033[2D\033[K", "ab||");
	shows(5, 3, "abcde\033[3G\033[1K", "   de||");
	shows(5, 3, "abcde\033[2K", "||");
	shows(5, 3, "a\r\nb\r\nc\033[2;1H\033[J", "a||");
	shows(5, 3, "a\r\nb\r\nc\033[2;1H\033[1J", "||c");
	shows(5, 3, "a\r\nb\r\nc\033[2J", "||");
	shows(5, 1, "abcde\033[2G\033[2P", "ade");
	shows(5, 1, "abcde\033[2G\033[2@", "a  bc");
	shows(5, 1, "abcde\033[2G\033[2X", "a  de");
	shows(5, 1, "abcde\033[2G\033[9999P", "a");
	shows(5, 1, "abcde\033[2G\033[9999@", "a");
}

static void
test_scroll(void **state)
{
	(void)state;
	shows(2, 4, "1\r\n2\r\n3\r\n4\033[2;1H\033[L", "1||2|3");
	shows(2, 4, "1\r\n2\r\n3\r\n4\033[2;1H\033[M", "1|3|4|");
	shows(2, 4, "1\r\n2\r\n3\r\n4\033[2;3r\033[S", "1|3||4");
	shows(2, 4, "1\r\n2\r\n3\r\n4\033[2;3r\033[T", "1||2|4");
	shows(2, 4, "1\r\n2\r\n3\r\n4\033[2;3r\033[3;1H\nx", "1|3|x|4");
	shows(2, 4, "1\r\n2\r\n3\r\n4\033[2;3r\033[2;1H\033Mx", "1|x|2|4");
	shows(2, 4, "1\r\n2\r\n3\r\n4\033[3;2r\033[99S", "|||");
}

static void
test_unknown_sequences_leave_nothing(void **state)
{
	(void)state;
	shows(9, 1, "a\033[5nb", "ab");
	shows(9, 1, "a\033[1;2$rb", "ab");
	shows(9, 1, "a\033[>0cb", "ab");
	shows(9, 1, "a\033(Bb", "ab");
	shows(9, 1, "a\033]0;title\ab", "ab");
	shows(9, 1, "a\033]0;ti\xc3\xa4tle\033\\b", "ab");
	shows(9, 1, "a\033Pq#0\033\\b", "ab");
	shows(9, 1, "a\033[12\030b", "ab");
	shows(9, 1, "a\033[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1Hb", "ab");
	shows(9, 1, "a\033[4294967297Cb", "a       b");
	shows(9, 1, "a\ab\177c", "abc");
}

static void
test_utf8(void **state)
{
	(void)state;
	shows(9, 1, "a\xc3\xa4z", "a#z");		/* no glyph */
	shows(9, 1, "a\xf0\x9f\x98\x80z", "a#z");	/* beyond the map */
	shows(9, 1, "a\xff\xfez", "a##z");
	shows(9, 1, "a\xc3z", "a#z");			/* cut off */
	shows(9, 1, "a\xe2\x82z", "a#z");
	shows(9, 1, "a\x80z", "a#z");
	shows(9, 1, "a\xc0\xafz", "a##z");		/* overlong */
	shows(9, 1, "a\xe0\x80\xafz", "a#z");
	shows(9, 1, "a\xed\xa0\x80z", "a#z");		/* surrogate */
	shows(9, 1, "e\xcc\x81z", "ez");		/* combining */
	shows(9, 1, "a\xc2\x85z", "az");		/* C1 */
	shows(9, 1, "a\xc3\033[1mz", "a#z");
}

static uint8_t
colour_of(struct screen *s, const char *sequence)
{
	say(s, "\033c");
	say(s, sequence);
	say(s, "x");
	return term_row(&s->s_term, 0)->tc_colour;
}

static void
test_colours(void **state)
{
	struct screen s;

	(void)state;
	begin(&s, 5, 3);
	assert_int_equal(colour_of(&s, ""), 0x07);
	assert_int_equal(colour_of(&s, "\033[31m"), 0x01);
	assert_int_equal(colour_of(&s, "\033[31;1m"), 0x09);
	assert_int_equal(colour_of(&s, "\033[1;31;22m"), 0x01);
	assert_int_equal(colour_of(&s, "\033[44;93m"), 0x4b);
	assert_int_equal(colour_of(&s, "\033[104;30m"), 0xc0);
	assert_int_equal(colour_of(&s, "\033[7m"), 0x70);
	assert_int_equal(colour_of(&s, "\033[7;27m"), 0x07);
	assert_int_equal(colour_of(&s, "\033[31;44m\033[m"), 0x07);
	assert_int_equal(colour_of(&s, "\033[31;44;39;49m"), 0x07);
	assert_int_equal(colour_of(&s, "\033[38;5;9m"), 0x09);
	assert_int_equal(colour_of(&s, "\033[38;5;231m"), 0x0f);
	assert_int_equal(colour_of(&s, "\033[38;2;0;0;170m"), 0x04);
	assert_int_equal(colour_of(&s, "\033[48;2;255;255;85;31m"), 0xb1);
	assert_int_equal(colour_of(&s, "\033[38;5m"), 0x07);
	assert_int_equal(colour_of(&s, "\033[38;2;1m"), 0x07);
	assert_int_equal(colour_of(&s, "\033[38m"), 0x07);
	end(&s);
}

static void
damage(void *arg, unsigned int x, unsigned int y, unsigned int w,
    unsigned int h)
{
	struct screen *s = arg;

	assert_true(w > 0 && h > 0);
	assert_true(x + w <= s->s_px.tx_width);
	assert_true(y + h <= s->s_px.tx_height);
	s->s_rects++;
	s->s_area += (unsigned long)w * h;
	s->s_x = x;
	s->s_y = y;
	s->s_w = w;
	s->s_h = h;
}

static void
render(struct screen *s)
{
	unsigned int n;

	s->s_rects = 0;
	s->s_area = 0;
	n = term_render(&s->s_term, &s->s_px, damage, s);
	assert_int_equal(n, s->s_rects);
}

static uint32_t
pixel(const struct screen *s, unsigned int x, unsigned int y)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)s->s_px.tx_base + y * s->s_px.tx_stride +
	    x * 4, 4);
	return v;
}

static void
test_render_draws_glyphs(void **state)
{
	struct screen s;
	unsigned int x, y, want;

	(void)state;
	begin(&s, 5, 3);
	say(&s, "\033[?25l\033[2;2H\033[33;44mu");
	memset(s.s_px.tx_base, 0x55, s.s_px.tx_height * s.s_px.tx_stride);
	render(&s);
	assert_int_equal(s.s_rects, 1);
	assert_int_equal(s.s_area,
	    (unsigned long)s.s_px.tx_width * s.s_px.tx_height);
	for (y = 0; y < s.s_px.tx_height; y++) {
		for (x = 0; x < s.s_px.tx_width; x++) {
			want = 0xff000000;
			if (x >= 8 && x < 16 && y >= 4 && y < 8)
				want = ('u' - ' ') & (0x80 >> (x - 8)) ?
				    0xffaa5500 : 0xff0000aa;
			assert_int_equal(pixel(&s, x, y), want);
		}
		/* The padding of a row is not ours. */
		assert_int_equal(pixel(&s, s.s_px.tx_width, y), 0x55555555);
	}
	end(&s);
}

static void
test_render_draws_what_changed(void **state)
{
	struct screen s;

	(void)state;
	begin(&s, 10, 6);
	render(&s);
	render(&s);
	assert_int_equal(s.s_rects, 0);

	say(&s, "ab");			/* two cells, and the cursor */
	render(&s);
	assert_int_equal(s.s_rects, 1);
	assert_int_equal(s.s_area, 3 * 8 * 4);

	say(&s, "\r\nc\033[6;10H");	/* rows 0, 1 and 5 */
	render(&s);
	assert_int_equal(s.s_rects, 2);
	assert_int_equal(s.s_x, 72);
	assert_int_equal(s.s_y, 20);
	assert_int_equal(s.s_w, 8);
	assert_int_equal(s.s_h, 4);

	say(&s, "x\bx");		/* to the last column and back */
	render(&s);
	assert_int_equal(s.s_rects, 1);

	term_redraw(&s.s_term);
	render(&s);
	assert_int_equal(s.s_rects, 1);
	assert_int_equal(s.s_area,
	    (unsigned long)s.s_px.tx_width * s.s_px.tx_height);
	end(&s);
}

static void
test_cursor_is_drawn_inverted(void **state)
{
	struct screen s;

	(void)state;
	begin(&s, 5, 3);
	render(&s);
	assert_int_equal(pixel(&s, 0, 0), 0xffaaaaaa);
	say(&s, "\033[?25l");
	render(&s);
	assert_int_equal(pixel(&s, 0, 0), 0xff000000);
	end(&s);
}

static void
test_resize(void **state)
{
	struct screen s;
	void *mem;

	(void)state;
	begin(&s, 5, 4);
	say(&s, "1abcd\r\n2\r\n3\r\n4x");

	mem = malloc(2 * sizeof(struct term_cell) * 3 * 2);
	term_resize(&s.s_term, mem, 3, 2, 1);
	free(s.s_mem);
	s.s_mem = mem;
	assert_string_equal(text(&s), "3|4x");
	say(&s, "y\r\nz");
	assert_string_equal(text(&s), "4xy|z");
	render(&s);	/* into pixels of another size */

	mem = malloc(2 * sizeof(struct term_cell) * 8 * 8);
	term_resize(&s.s_term, mem, 8, 8, 1);
	free(s.s_mem);
	s.s_mem = mem;
	assert_string_equal(text(&s), "4xy|z||||||");
	render(&s);
	end(&s);
}

static void
test_layout(void **state)
{
	unsigned int cols, rows, scale;

	(void)state;
	assert_int_equal(term_layout(&font, 7, 100, &cols, &rows, &scale), 0);
	assert_int_equal(term_layout(&font, 100, 3, &cols, &rows, &scale), 0);
	assert_int_equal(term_layout(&font, 0, 0, &cols, &rows, &scale), 0);
	term_layout(&font, 1280, 800, &cols, &rows, &scale);
	assert_int_equal(scale, 1);
	assert_int_equal(cols, 160);
	assert_int_equal(rows, 200);
	term_layout(&font, 5120, 2880, &cols, &rows, &scale);
	assert_int_equal(scale, 3);
	term_layout(&font, 65535, 65535, &cols, &rows, &scale);
	assert_true(cols <= TERM_COLS_MAX && rows <= TERM_ROWS_MAX);
}

static void
test_scale(void **state)
{
	struct screen s;
	void *mem = malloc(2 * sizeof(struct term_cell) * 4);

	(void)state;
	begin(&s, 4, 4);
	term_resize(&s.s_term, mem, 2, 2, 2);
	say(&s, "\033[?25l\033[2;2H!");	/* glyph 1: the rightmost column */
	render(&s);
	assert_int_equal(pixel(&s, 29, 8), 0xff000000);
	assert_int_equal(pixel(&s, 30, 8), 0xffaaaaaa);
	assert_int_equal(pixel(&s, 31, 15), 0xffaaaaaa);
	free(mem);
	end(&s);
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void
invariants(const struct term *t)
{
	size_t i;

	assert_true(t->t_x < t->t_cols && t->t_y < t->t_rows);
	assert_true(t->t_top < t->t_bottom && t->t_bottom <= t->t_rows);
	assert_true(t->t_nparams <= TERM_PARAMS);
	for (i = 0; i < (size_t)t->t_cols * t->t_rows; i++)
		assert_true(t->t_cells[i].tc_glyph < GLYPHS);
}

/* Bytes of which sequences are made, more often than others. */
static char
random_byte(uint32_t *seed)
{
	static const char often[] =
	    "\033\033\033[[[[;;?0123456789ABCDEFGHJKLMPSTXdfmrsuhlc78DM]\\"
	    "\r\n\b\t\xc3\xa4\xe2\x82\xf0\x9f";
	uint32_t r = next_random(seed);

	if (r & 0x300)
		return often[(r >> 16) % (sizeof(often) - 1)];
	return (char)r;
}

static void
test_garbage(void **state)
{
	struct screen s;
	uint32_t seed = 20260101;
	char buf[64];
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 4000; round++) {
		if (round % 500 == 0) {
			if (round > 0)
				end(&s);
			begin(&s, 1 + next_random(&seed) % 20,
			    1 + next_random(&seed) % 12);
		}
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = random_byte(&seed);
		term_write(&s.s_term, buf, sizeof(buf));
		invariants(&s.s_term);
		render(&s);
	}
	end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_erase),
		cmocka_unit_test(test_scroll),
		cmocka_unit_test(test_unknown_sequences_leave_nothing),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_render_draws_glyphs),
		cmocka_unit_test(test_render_draws_what_changed),
		cmocka_unit_test(test_cursor_is_drawn_inverted),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
