/* SPDX-License-Identifier: ISC */
/*
 * The terminal of term.h. Rows scroll, not pixels, and only by where their ring
 * begins: a screen that scrolled a hundred lines between two renderings is drawn
 * once, where it differs.
 */

#include "term.h"

#include <string.h>

enum term_state {
	TERM_GROUND,
	TERM_ESC,
	TERM_ESC_ONE,		/* one more byte belongs to it: ESC ( B */
	TERM_CSI,
	TERM_CSI_IGNORE,	/* to its end */
	TERM_STRING,		/* OSC, DCS and the like, to BEL or ST */
	TERM_STRING_ESC
};

#define TERM_FG		7
#define TERM_BG		0
#define TERM_PARAM_MAX	9999

/* tc_flags, in t_shown only */
#define TERM_UNKNOWN	0x01	/* what the pixels show is not known */
#define TERM_CURSOR	0x02

#define CODE_REPLACEMENT	0xfffd

/* The colours of the VGA text mode, which everyone expects. */
static const uint32_t palette[16] = {
	0xff000000, 0xffaa0000, 0xff00aa00, 0xffaa5500,
	0xff0000aa, 0xffaa00aa, 0xff00aaaa, 0xffaaaaaa,
	0xff555555, 0xffff5555, 0xff55ff55, 0xffffff55,
	0xff5555ff, 0xffff55ff, 0xff55ffff, 0xffffffff
};

uint32_t
term_colour(unsigned int n)
{
	return palette[n & 15];
}

static unsigned int
min_u(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static int
font_glyph(const struct term_font *font, uint32_t code, uint16_t *glyph)
{
	unsigned int lo = 0, hi = font->tf_nmap;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;
		const struct term_map *m = &font->tf_map[mid];

		if (code < m->tm_code)
			hi = mid;
		else if (code - m->tm_code >= m->tm_n)
			lo = mid + 1;
		else {
			*glyph = (uint16_t)(m->tm_glyph + code - m->tm_code);
			return *glyph < font->tf_nglyphs;
		}
	}
	return 0;
}

size_t
term_layout(const struct term_font *font, unsigned int width,
    unsigned int height, unsigned int *cols, unsigned int *rows,
    unsigned int *scale)
{
	unsigned int s = 1 + width / TERM_LARGE;

	/* A wide display of very few lines is better off with small ones. */
	if (height / (font->tf_height * s) < 10)
		s = 1;
	*scale = s;
	*cols = min_u(width / (font->tf_width * s), TERM_COLS_MAX);
	*rows = min_u(height / (font->tf_height * s), TERM_ROWS_MAX);
	return 2 * sizeof(struct term_cell) * *cols * *rows;
}

static struct term_cell
blank_cell(const struct term *t)
{
	struct term_cell c = {
		t->t_blank, (uint8_t)(TERM_FG | t->t_pen.tp_bg << 4), 0
	};

	return c;
}

struct term_cell *
term_row(const struct term *t, unsigned int y)
{
	y += t->t_base;
	if (y >= t->t_rows)
		y -= t->t_rows;
	return t->t_cells + (size_t)y * t->t_cols;
}

/* Where a row begins in what is shown. */
static size_t
shown_at(const struct term *t, unsigned int y)
{
	return (size_t)y * t->t_cols;
}

/* Words of two pixels, or of two cells, whatever they were stored as. */
#define ALIAS	__attribute__((__may_alias__))

/* Stored by twos: a fresh screen is nearly all of one colour. */
static void
fill_words(void *to, size_t n, uint32_t word)
{
	uint32_t ALIAS *p = to;
	uint64_t ALIAS *q;
	uint64_t two = (uint64_t)word << 32 | word;

	if (((uintptr_t)p & 7) != 0 && n > 0) {
		*p++ = word;
		n--;
	}
	for (q = (uint64_t ALIAS *)(void *)p; n >= 8; n -= 8, q += 4)
		q[0] = q[1] = q[2] = q[3] = two;
	for (p = (uint32_t ALIAS *)(void *)q; n > 0; n--)
		*p++ = word;
}

/* Blank the cells [from, to) of a row. */
static void
blank(struct term *t, unsigned int y, unsigned int from, unsigned int to)
{
	struct term_cell c = blank_cell(t);
	uint32_t word;

	memcpy(&word, &c, sizeof(word));
	fill_words(term_row(t, y) + from, to - from, word);
}

/* Blank the rows [from, to). */
static void
blank_rows(struct term *t, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		blank(t, from, 0, t->t_cols);
}

static void
pen_reset(struct term_pen *p)
{
	p->tp_fg = TERM_FG;
	p->tp_bg = TERM_BG;
	p->tp_bold = 0;
	p->tp_reverse = 0;
}

static void
modes_reset(struct term *t)
{
	pen_reset(&t->t_pen);
	pen_reset(&t->t_saved_pen);
	t->t_saved_x = t->t_saved_y = 0;
	t->t_top = 0;
	t->t_bottom = t->t_rows;
	t->t_wrapnext = 0;
	t->t_autowrap = 1;
	t->t_cursor = 1;
	t->t_state = TERM_GROUND;
	t->t_code_left = 0;
}

static void
reset(struct term *t)
{
	modes_reset(t);
	t->t_x = t->t_y = 0;
	blank_rows(t, 0, t->t_rows);
}

void
term_init(struct term *t, const struct term_font *font, void *mem,
    unsigned int cols, unsigned int rows, unsigned int scale)
{
	unsigned int i;

	memset(t, 0, sizeof(*t));
	t->t_font = font;
	t->t_cols = cols;
	t->t_rows = rows;
	t->t_scale = scale;
	t->t_cells = mem;
	t->t_shown = t->t_cells + (size_t)cols * rows;
	if (!font_glyph(font, ' ', &t->t_blank))
		t->t_blank = 0;
	if (!font_glyph(font, CODE_REPLACEMENT, &t->t_replacement) &&
	    !font_glyph(font, '?', &t->t_replacement))
		t->t_replacement = t->t_blank;
	for (i = 0; i < TERM_ASCII; i++)
		if (!font_glyph(font, ' ' + i, &t->t_ascii[i]))
			t->t_ascii[i] = t->t_replacement;
	reset(t);
	term_redraw(t);
}

void
term_resize(struct term *t, void *mem, unsigned int cols, unsigned int rows,
    unsigned int scale)
{
	struct term old = *t;
	unsigned int first = 0, y;

	if (old.t_y >= rows)
		first = old.t_y - rows + 1;
	t->t_cols = cols;
	t->t_rows = rows;
	t->t_scale = scale;
	t->t_cells = mem;
	t->t_shown = t->t_cells + (size_t)cols * rows;
	t->t_base = 0;
	blank_rows(t, 0, rows);
	for (y = 0; y < rows && y + first < old.t_rows; y++)
		memcpy(term_row(t, y), term_row(&old, y + first),
		    min_u(cols, old.t_cols) * sizeof(struct term_cell));
	t->t_x = min_u(old.t_x, cols - 1);
	t->t_y = old.t_y - first;
	t->t_saved_x = min_u(old.t_saved_x, cols - 1);
	t->t_saved_y = min_u(old.t_saved_y, rows - 1);
	t->t_top = 0;
	t->t_bottom = rows;
	t->t_wrapnext = 0;
	term_redraw(t);
}

static void
copy_row(struct term *t, unsigned int to, unsigned int from)
{
	memcpy(term_row(t, to), term_row(t, from),
	    t->t_cols * sizeof(struct term_cell));
}

/* Move the rows [top, bottom) up by n; blank ones come in below. */
static void
scroll_up(struct term *t, unsigned int top, unsigned int bottom,
    unsigned int n)
{
	unsigned int y;

	n = min_u(n, bottom - top);
	if (top == 0 && bottom == t->t_rows)
		t->t_base = (t->t_base + n) % t->t_rows;
	else
		for (y = top; y + n < bottom; y++)
			copy_row(t, y, y + n);
	blank_rows(t, bottom - n, bottom);
}

static void
scroll_down(struct term *t, unsigned int top, unsigned int bottom,
    unsigned int n)
{
	unsigned int y;

	n = min_u(n, bottom - top);
	for (y = bottom; y > top + n; y--)
		copy_row(t, y - 1, y - 1 - n);
	blank_rows(t, top, top + n);
}

static void
line_feed(struct term *t)
{
	t->t_wrapnext = 0;
	if (t->t_y + 1 == t->t_bottom)
		scroll_up(t, t->t_top, t->t_bottom, 1);
	else if (t->t_y + 1 < t->t_rows)
		t->t_y++;
}

static void
reverse_line_feed(struct term *t)
{
	t->t_wrapnext = 0;
	if (t->t_y == t->t_top)
		scroll_down(t, t->t_top, t->t_bottom, 1);
	else if (t->t_y > 0)
		t->t_y--;
}

static uint8_t
pen_colour(const struct term_pen *p)
{
	unsigned int fg = p->tp_fg, bg = p->tp_bg, swap;

	if (p->tp_bold && fg < 8)
		fg += 8;
	if (p->tp_reverse) {
		swap = fg;
		fg = bg;
		bg = swap;
	}
	return (uint8_t)(fg | bg << 4);
}

/* Marks that combine with the character before them: not shown. */
static int
is_combining(uint32_t code)
{
	return (code >= 0x300 && code < 0x370) ||
	    (code >= 0x200b && code <= 0x200f) ||
	    (code >= 0x20d0 && code < 0x2100) ||
	    (code >= 0xfe00 && code < 0xfe10) || code == 0xfeff;
}

static void
put(struct term *t, uint32_t code)
{
	struct term_cell *c;

	if (is_combining(code) || (code >= 0x80 && code < 0xa0))
		return;
	if (t->t_wrapnext) {
		t->t_x = 0;
		line_feed(t);
	}
	c = term_row(t, t->t_y) + t->t_x;
	if (!font_glyph(t->t_font, code, &c->tc_glyph))
		c->tc_glyph = t->t_replacement;
	c->tc_colour = pen_colour(&t->t_pen);
	if (t->t_x + 1 < t->t_cols)
		t->t_x++;
	else
		t->t_wrapnext = t->t_autowrap;
}

static void
move_to(struct term *t, unsigned int x, unsigned int y)
{
	t->t_x = min_u(x, t->t_cols - 1);
	t->t_y = min_u(y, t->t_rows - 1);
	t->t_wrapnext = 0;
}

static void
move_up(struct term *t, unsigned int n)
{
	unsigned int top = t->t_y >= t->t_top ? t->t_top : 0;

	move_to(t, t->t_x, t->t_y - min_u(n, t->t_y - top));
}

static void
move_down(struct term *t, unsigned int n)
{
	unsigned int end = t->t_y < t->t_bottom ? t->t_bottom : t->t_rows;

	move_to(t, t->t_x, min_u(t->t_y + n, end - 1));
}

static void
save_cursor(struct term *t)
{
	t->t_saved_x = t->t_x;
	t->t_saved_y = t->t_y;
	t->t_saved_pen = t->t_pen;
}

static void
restore_cursor(struct term *t)
{
	t->t_pen = t->t_saved_pen;
	move_to(t, t->t_saved_x, t->t_saved_y);
}

/* A parameter, or def where it is absent or 0. */
static unsigned int
param(const struct term *t, unsigned int i, unsigned int def)
{
	if (i >= t->t_nparams || t->t_params[i] == 0)
		return def;
	return t->t_params[i];
}

static void
erase_line(struct term *t, unsigned int how)
{
	if (how == 0)
		blank(t, t->t_y, t->t_x, t->t_cols);
	else if (how == 1)
		blank(t, t->t_y, 0, t->t_x + 1);
	else if (how == 2)
		blank(t, t->t_y, 0, t->t_cols);
}

static void
erase_display(struct term *t, unsigned int how)
{
	if (how < 2)
		erase_line(t, how);
	if (how == 0)
		blank_rows(t, t->t_y + 1, t->t_rows);
	else if (how == 1)
		blank_rows(t, 0, t->t_y);
	else if (how <= 3)
		blank_rows(t, 0, t->t_rows);
}

static void
erase_chars(struct term *t, unsigned int n)
{
	n = min_u(n, t->t_cols - t->t_x);
	blank(t, t->t_y, t->t_x, t->t_x + n);
}

static void
delete_chars(struct term *t, unsigned int n)
{
	struct term_cell *row = term_row(t, t->t_y);
	unsigned int left = t->t_cols - t->t_x;

	n = min_u(n, left);
	memmove(row + t->t_x, row + t->t_x + n, (left - n) * sizeof(*row));
	blank(t, t->t_y, t->t_cols - n, t->t_cols);
}

static void
insert_chars(struct term *t, unsigned int n)
{
	struct term_cell *row = term_row(t, t->t_y);
	unsigned int left = t->t_cols - t->t_x;

	n = min_u(n, left);
	memmove(row + t->t_x + n, row + t->t_x, (left - n) * sizeof(*row));
	blank(t, t->t_y, t->t_x, t->t_x + n);
}

static void
insert_lines(struct term *t, unsigned int n)
{
	if (t->t_y >= t->t_top && t->t_y < t->t_bottom)
		scroll_down(t, t->t_y, t->t_bottom, n);
}

static void
delete_lines(struct term *t, unsigned int n)
{
	if (t->t_y >= t->t_top && t->t_y < t->t_bottom)
		scroll_up(t, t->t_y, t->t_bottom, n);
}

static void
set_region(struct term *t)
{
	unsigned int top = param(t, 0, 1);
	unsigned int bottom = min_u(param(t, 1, t->t_rows), t->t_rows);

	if (top >= bottom)
		return;
	t->t_top = top - 1;
	t->t_bottom = bottom;
	move_to(t, 0, 0);
}

static void
set_mode(struct term *t, uint8_t on)
{
	unsigned int i;

	if (t->t_private != '?')
		return;
	for (i = 0; i < t->t_nparams; i++) {
		if (t->t_params[i] == 7)
			t->t_autowrap = on;
		else if (t->t_params[i] == 25)
			t->t_cursor = on;
	}
}

/* Of the 16 colours the nearest. */
static uint8_t
nearest(unsigned int r, unsigned int g, unsigned int b)
{
	unsigned int i, best = 0, best_d = ~0u;

	for (i = 0; i < 16; i++) {
		int dr = (int)(palette[i] >> 16 & 255) - (int)r;
		int dg = (int)(palette[i] >> 8 & 255) - (int)g;
		int db = (int)(palette[i] & 255) - (int)b;
		unsigned int d = (unsigned int)(dr * dr + dg * dg + db * db);

		if (d < best_d) {
			best_d = d;
			best = i;
		}
	}
	return (uint8_t)best;
}

/* xterm's 256 colours: 16, a cube of 6, and 24 greys. */
static uint8_t
nearest_indexed(unsigned int n)
{
	static const uint8_t level[6] = { 0, 95, 135, 175, 215, 255 };
	unsigned int grey;

	if (n < 16)
		return (uint8_t)n;
	if (n >= 232) {
		grey = 8 + 10 * (n - 232);
		return nearest(grey, grey, grey);
	}
	n -= 16;
	return nearest(level[n / 36], level[n / 6 % 6], level[n % 6]);
}

/*
 * 38 and 48: `5;n` or `2;r;g;b` follow. Returns how many parameters were
 * used, those that do not exist excepted.
 */
static unsigned int
extended_colour(const struct term *t, unsigned int i, uint8_t *colour)
{
	unsigned int kind = i + 1 < t->t_nparams ? t->t_params[i + 1] : 0;

	if (kind == 5 && i + 2 < t->t_nparams) {
		*colour = nearest_indexed(t->t_params[i + 2] & 255);
		return 2;
	}
	if (kind == 2 && i + 4 < t->t_nparams) {
		*colour = nearest(t->t_params[i + 2] & 255,
		    t->t_params[i + 3] & 255, t->t_params[i + 4] & 255);
		return 4;
	}
	return t->t_nparams;
}

static void
set_colour(struct term_pen *p, unsigned int n)
{
	if (n >= 30 && n <= 37)
		p->tp_fg = (uint8_t)(n - 30);
	else if (n >= 40 && n <= 47)
		p->tp_bg = (uint8_t)(n - 40);
	else if (n >= 90 && n <= 97)
		p->tp_fg = (uint8_t)(n - 90 + 8);
	else if (n >= 100 && n <= 107)
		p->tp_bg = (uint8_t)(n - 100 + 8);
}

static void
select_graphic(struct term *t)
{
	struct term_pen *p = &t->t_pen;
	unsigned int i;

	if (t->t_nparams == 0)
		pen_reset(p);
	for (i = 0; i < t->t_nparams; i++) {
		switch (t->t_params[i]) {
		case 0:
			pen_reset(p);
			break;
		case 1:
			p->tp_bold = 1;
			break;
		case 7:
			p->tp_reverse = 1;
			break;
		case 22:
			p->tp_bold = 0;
			break;
		case 27:
			p->tp_reverse = 0;
			break;
		case 38:
			i += extended_colour(t, i, &p->tp_fg);
			break;
		case 39:
			p->tp_fg = TERM_FG;
			break;
		case 48:
			i += extended_colour(t, i, &p->tp_bg);
			break;
		case 49:
			p->tp_bg = TERM_BG;
			break;
		default:
			set_colour(p, t->t_params[i]);
			break;
		}
	}
}

static void
csi_move(struct term *t, unsigned char final)
{
	unsigned int n = param(t, 0, 1);

	switch (final) {
	case 'A':
		move_up(t, n);
		break;
	case 'B':
		move_down(t, n);
		break;
	case 'C':
		move_to(t, t->t_x + n, t->t_y);
		break;
	case 'D':
		move_to(t, t->t_x - min_u(n, t->t_x), t->t_y);
		break;
	case 'E':
		move_down(t, n);
		t->t_x = 0;
		break;
	case 'F':
		move_up(t, n);
		t->t_x = 0;
		break;
	case 'G':
		move_to(t, n - 1, t->t_y);
		break;
	case 'd':
		move_to(t, t->t_x, n - 1);
		break;
	default:	/* 'H', 'f' */
		move_to(t, param(t, 1, 1) - 1, n - 1);
		break;
	}
}

static void
csi_edit(struct term *t, unsigned char final)
{
	unsigned int n = param(t, 0, 1);

	t->t_wrapnext = 0;
	switch (final) {
	case '@':
		insert_chars(t, n);
		break;
	case 'J':
		erase_display(t, param(t, 0, 0));
		break;
	case 'K':
		erase_line(t, param(t, 0, 0));
		break;
	case 'L':
		insert_lines(t, n);
		break;
	case 'M':
		delete_lines(t, n);
		break;
	case 'P':
		delete_chars(t, n);
		break;
	case 'S':
		scroll_up(t, t->t_top, t->t_bottom, n);
		break;
	case 'T':
		scroll_down(t, t->t_top, t->t_bottom, n);
		break;
	default:	/* 'X' */
		erase_chars(t, n);
		break;
	}
}

static void
csi_dispatch(struct term *t, unsigned char final)
{
	if (final == 'h' || final == 'l') {
		set_mode(t, final == 'h');
		return;
	}
	if (t->t_private)
		return;
	switch (final) {
	case 'A': case 'B': case 'C': case 'D': case 'E': case 'F':
	case 'G': case 'H': case 'd': case 'f':
		csi_move(t, final);
		break;
	case '@': case 'J': case 'K': case 'L': case 'M': case 'P':
	case 'S': case 'T': case 'X':
		csi_edit(t, final);
		break;
	case 'm':
		select_graphic(t);
		break;
	case 'r':
		set_region(t);
		break;
	case 's':
		save_cursor(t);
		break;
	case 'u':
		restore_cursor(t);
		break;
	default:
		break;
	}
}

static void
csi_digit(struct term *t, unsigned int digit)
{
	uint16_t *p;
	unsigned int n;

	if (t->t_nparams == 0)
		t->t_nparams = 1;
	p = &t->t_params[t->t_nparams - 1];
	n = *p * 10u + digit;
	*p = (uint16_t)min_u(n, TERM_PARAM_MAX);
}

static void
csi_next_param(struct term *t)
{
	if (t->t_nparams == 0)
		t->t_nparams = 1;
	if (t->t_nparams == TERM_PARAMS) {
		t->t_state = TERM_CSI_IGNORE;
		return;
	}
	t->t_params[t->t_nparams++] = 0;
}

static void
csi_byte(struct term *t, unsigned char c)
{
	if (c >= '0' && c <= '9') {
		csi_digit(t, (unsigned int)c - '0');
	} else if (c == ';' || c == ':') {
		csi_next_param(t);
	} else if (c >= '<' && c <= '?') {
		t->t_private = c;
	} else if (c < 0x30) {
		/* Intermediate bytes select functions that we do not have. */
		t->t_state = TERM_CSI_IGNORE;
	} else {
		t->t_state = TERM_GROUND;
		csi_dispatch(t, c);
	}
}

static void
csi_begin(struct term *t)
{
	t->t_state = TERM_CSI;
	t->t_private = 0;
	t->t_nparams = 0;
	memset(t->t_params, 0, sizeof(t->t_params));
}

static void
esc_byte(struct term *t, unsigned char c)
{
	t->t_state = TERM_GROUND;
	switch (c) {
	case '[':
		csi_begin(t);
		break;
	case ']': case 'P': case 'X': case '^': case '_':
		t->t_state = TERM_STRING;
		break;
	case '7':
		save_cursor(t);
		break;
	case '8':
		restore_cursor(t);
		break;
	case 'D':
		line_feed(t);
		break;
	case 'E':
		t->t_x = 0;
		line_feed(t);
		break;
	case 'M':
		reverse_line_feed(t);
		break;
	case 'c':
		reset(t);
		break;
	default:
		if (c >= 0x20 && c < 0x30)
			t->t_state = TERM_ESC_ONE;
		break;
	}
}

static void
control(struct term *t, unsigned char c)
{
	switch (c) {
	case '\b':
		if (t->t_x > 0)
			t->t_x--;
		t->t_wrapnext = 0;
		break;
	case '\t':
		move_to(t, (t->t_x | 7) + 1, t->t_y);
		break;
	case '\n': case '\v': case '\f':
		line_feed(t);
		break;
	case '\r':
		t->t_x = 0;
		t->t_wrapnext = 0;
		break;
	default:
		break;
	}
}

static int
in_string(const struct term *t)
{
	return t->t_state == TERM_STRING || t->t_state == TERM_STRING_ESC;
}

static void
string_byte(struct term *t, unsigned char c)
{
	if (c == '\a' || (t->t_state == TERM_STRING_ESC && c == '\\'))
		t->t_state = TERM_GROUND;
	else if (c == 0x1b)
		t->t_state = TERM_STRING_ESC;
	else if (t->t_state == TERM_STRING_ESC) {
		/* Not its end, so it was cut off and this is a new one. */
		t->t_state = TERM_ESC;
		esc_byte(t, c);
	}
}

static void
ascii(struct term *t, unsigned char c)
{
	if (c == 0x18 || c == 0x1a) {
		t->t_state = TERM_GROUND;
	} else if (in_string(t)) {
		string_byte(t, c);
	} else if (c == 0x1b) {
		t->t_state = TERM_ESC;
	} else if (c < 0x20) {
		control(t, c);
	} else if (c == 0x7f) {
		return;
	} else if (t->t_state == TERM_GROUND) {
		put(t, c);
	} else if (t->t_state == TERM_ESC) {
		esc_byte(t, c);
	} else if (t->t_state == TERM_ESC_ONE) {
		if (c >= 0x30)
			t->t_state = TERM_GROUND;
	} else if (t->t_state == TERM_CSI) {
		csi_byte(t, c);
	} else if (c >= 0x40) {
		t->t_state = TERM_GROUND;	/* the end of CSI_IGNORE */
	}
}

static void
utf8_begin(struct term *t, unsigned char c)
{
	static const uint32_t min[4] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t left;

	if (c >= 0xc2 && c < 0xe0)
		left = 1;
	else if (c >= 0xe0 && c < 0xf0)
		left = 2;
	else if (c >= 0xf0 && c < 0xf5)
		left = 3;
	else {
		put(t, CODE_REPLACEMENT);
		return;
	}
	t->t_code_left = left;
	t->t_code = c & (0x3fu >> left);
	t->t_code_min = min[left];
}

static void
utf8_next(struct term *t, unsigned char c)
{
	t->t_code = t->t_code << 6 | (c & 0x3f);
	if (--t->t_code_left > 0)
		return;
	if (t->t_code < t->t_code_min || t->t_code > 0x10ffff ||
	    (t->t_code >= 0xd800 && t->t_code < 0xe000))
		t->t_code = CODE_REPLACEMENT;
	put(t, t->t_code);
}

static void
byte(struct term *t, unsigned char c)
{
	int continues = (c & 0xc0) == 0x80;

	if (t->t_code_left > 0 && !continues) {
		t->t_code_left = 0;
		put(t, CODE_REPLACEMENT);
	}
	if (c < 0x80)
		ascii(t, c);
	else if (in_string(t))
		return;
	else if (t->t_state != TERM_GROUND)
		t->t_state = TERM_GROUND;
	else if (t->t_code_left > 0)
		utf8_next(t, c);
	else
		utf8_begin(t, c);
}

/* Plain characters up to the end of a row, as put() would; returns how many. */
static size_t
plain(struct term *t, const char *s, size_t len)
{
	struct term_cell cell = { 0, pen_colour(&t->t_pen), 0 };
	struct term_cell *c = term_row(t, t->t_y) + t->t_x;
	size_t i, room = t->t_cols - t->t_x;

	if (t->t_state != TERM_GROUND || t->t_code_left > 0 || t->t_wrapnext)
		return 0;
	if (len > room)
		len = room;
	for (i = 0; i < len; i++) {
		if ((unsigned char)(s[i] - ' ') >= TERM_ASCII)
			break;
		cell.tc_glyph = t->t_ascii[s[i] - ' '];
		c[i] = cell;
	}
	t->t_x += (unsigned int)i;
	if (t->t_x == t->t_cols) {
		t->t_x--;
		t->t_wrapnext = t->t_autowrap;
	}
	return i;
}

void
term_write(struct term *t, const char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		i += plain(t, s + i, len - i);
		if (i < len)
			byte(t, (unsigned char)s[i++]);
	}
}

void
term_redraw(struct term *t)
{
	size_t i, n = shown_at(t, t->t_rows);

	for (i = 0; i < n; i++)
		t->t_shown[i].tc_flags = TERM_UNKNOWN;
}

void
term_blank(struct term *t)
{
	const struct term_cell c = { t->t_blank, TERM_FG | TERM_BG << 4, 0 };
	uint32_t word;

	memcpy(&word, &c, sizeof(word));
	fill_words(t->t_shown, shown_at(t, t->t_rows), word);
}

/*
 * One row of a glyph, scaled, from a bit string in which bit 31 is left.
 * Without a branch a pixel: this is most of what the console's time goes to.
 */
static void
draw_row(uint32_t *p, uint32_t bits, unsigned int width, unsigned int scale,
    uint32_t fg, uint32_t bg)
{
	uint32_t both = fg ^ bg, pixel;
	unsigned int i, s;

	if (scale == 1) {
		for (i = 0; i < width; i++, bits <<= 1)
			p[i] = bg ^ (both & (0u - (bits >> 31)));
		return;
	}
	for (i = 0; i < width; i++, bits <<= 1) {
		pixel = bg ^ (both & (0u - (bits >> 31)));
		for (s = 0; s < scale; s++)
			*p++ = pixel;
	}
}

/* What two pixels are, by two bits of a glyph: left and right. */
union pair {
	uint32_t px[2];
	uint64_t both;
};

/* Eight pixels in four stores: as most fonts have them. */
static void
draw_octet(uint8_t *p, unsigned int bits, const union pair *pairs)
{
	uint64_t ALIAS *q = (uint64_t ALIAS *)(void *)p;

	q[0] = pairs[bits >> 6].both;
	q[1] = pairs[bits >> 4 & 3].both;
	q[2] = pairs[bits >> 2 & 3].both;
	q[3] = pairs[bits & 3].both;
}

static void
draw_octets(const uint8_t *bits, unsigned int height, uint8_t *p,
    size_t stride, uint32_t fg, uint32_t bg)
{
	const union pair pairs[4] = {
		{ { bg, bg } }, { { bg, fg } }, { { fg, bg } }, { { fg, fg } }
	};
	unsigned int row;

	for (row = 0; row < height; row++, p += stride)
		draw_octet(p, bits[row], pairs);
}

static void
draw_rows(const struct term *t, const uint8_t *bits, uint8_t *p, size_t stride,
    uint32_t fg, uint32_t bg)
{
	const struct term_font *f = t->t_font;
	unsigned int bytes = (f->tf_width + 7) / 8, row, s, i;
	uint32_t line;

	for (row = 0; row < f->tf_height; row++, bits += bytes) {
		for (line = 0, i = 0; i < bytes; i++)
			line |= (uint32_t)bits[i] << (24 - 8 * i);
		for (s = 0; s < t->t_scale; s++, p += stride)
			draw_row((uint32_t *)(void *)p, line, f->tf_width,
			    t->t_scale, fg, bg);
	}
}

static void
draw_cell(const struct term *t, const struct term_pixels *px, unsigned int x,
    unsigned int y, struct term_cell cell)
{
	const struct term_font *f = t->t_font;
	const uint8_t *bits = f->tf_bits +
	    (size_t)cell.tc_glyph * ((f->tf_width + 7) / 8) * f->tf_height;
	uint32_t fg = palette[cell.tc_colour & 15];
	uint32_t bg = palette[cell.tc_colour >> 4];
	uint32_t swap;
	uint8_t *p = (uint8_t *)px->tx_base +
	    (size_t)y * f->tf_height * t->t_scale * px->tx_stride +
	    (size_t)x * f->tf_width * t->t_scale * 4;

	if (cell.tc_flags & TERM_CURSOR) {
		swap = fg;
		fg = bg;
		bg = swap;
	}
	if (f->tf_width == 8 && t->t_scale == 1 &&
	    (((uintptr_t)p | px->tx_stride) & 7) == 0)
		draw_octets(bits, f->tf_height, p, px->tx_stride, fg, bg);
	else
		draw_rows(t, bits, p, px->tx_stride, fg, bg);
}

static void
fill(const struct term_pixels *px, unsigned int x, unsigned int y,
    unsigned int width, unsigned int height, uint32_t colour)
{
	unsigned int j;

	for (j = 0; j < height; j++)
		fill_words((uint8_t *)px->tx_base +
		    (size_t)(y + j) * px->tx_stride + 4 * (size_t)x, width,
		    colour);
}

static struct term_cell
wanted(const struct term *t, unsigned int x, unsigned int y)
{
	struct term_cell c = term_row(t, y)[x];

	c.tc_flags = t->t_cursor && x == t->t_x && y == t->t_y ?
	    TERM_CURSOR : 0;
	return c;
}

static int
differs(struct term_cell a, struct term_cell b)
{
	return a.tc_glyph != b.tc_glyph || a.tc_colour != b.tc_colour ||
	    a.tc_flags != b.tc_flags;
}

/* How many cells from x on, which is to be drawn, are drawn as it is: blank. */
static unsigned int
blank_run(const struct term *t, unsigned int x, unsigned int y,
    unsigned int cols)
{
	struct term_cell first = wanted(t, x, y), next;
	unsigned int n = 0;

	if (first.tc_glyph != t->t_blank || first.tc_flags != 0)
		return 0;
	do {
		n++;
		if (x + n == cols)
			break;
		next = wanted(t, x + n, y);
	} while (!differs(first, next) &&
	    differs(next, t->t_shown[shown_at(t, y) + x + n]));
	return n;
}

/* Draw one cell or a run of blank ones; returns how many. */
static unsigned int
draw_some(struct term *t, const struct term_pixels *px, unsigned int x,
    unsigned int y, unsigned int cols)
{
	unsigned int cw = t->t_font->tf_width * t->t_scale;
	unsigned int ch = t->t_font->tf_height * t->t_scale;
	struct term_cell want = wanted(t, x, y);
	unsigned int n = blank_run(t, x, y, cols), i;

	if (n > 0) {
		fill(px, x * cw, y * ch, n * cw, ch,
		    palette[want.tc_colour >> 4]);
	} else {
		draw_cell(t, px, x, y, want);
		n = 1;
	}
	for (i = 0; i < n; i++)
		t->t_shown[shown_at(t, y) + x + i] = want;
	return n;
}

/* Draw what changed in a row: the columns [*from, *to) are damaged then. */
static void
render_row(struct term *t, const struct term_pixels *px, unsigned int cols,
    unsigned int y, unsigned int *from, unsigned int *to)
{
	const struct term_cell *shown = &t->t_shown[shown_at(t, y)];
	unsigned int x = 0;

	*from = cols;
	*to = 0;
	/* Most rows are as they were. */
	if (!(t->t_cursor && y == t->t_y) && memcmp(term_row(t, y), shown,
	    cols * sizeof(*shown)) == 0)
		return;
	while (x < cols) {
		if (!differs(wanted(t, x, y), shown[x])) {
			x++;
			continue;
		}
		if (x < *from)
			*from = x;
		x += draw_some(t, px, x, y, cols);
		*to = x;
	}
}

/* What the cells leave at the right and below, black. */
static void
render_margin(const struct term_pixels *px, unsigned int right,
    unsigned int below)
{
	fill(px, right, 0, px->tx_width - right, below, palette[TERM_BG]);
	fill(px, 0, below, px->tx_width, px->tx_height - below,
	    palette[TERM_BG]);
}

unsigned int
term_render(struct term *t, const struct term_pixels *px,
    void (*damage)(void *, unsigned int, unsigned int, unsigned int,
    unsigned int), void *arg)
{
	unsigned int cw = t->t_font->tf_width * t->t_scale;
	unsigned int ch = t->t_font->tf_height * t->t_scale;
	unsigned int cols = min_u(t->t_cols, px->tx_width / cw);
	unsigned int rows = min_u(t->t_rows, px->tx_height / ch);
	unsigned int y, from, to, lo = cols, hi = 0, top = 0, n = 0;
	int all;

	if (cols == 0 || rows == 0)
		return 0;
	all = t->t_shown[0].tc_flags & TERM_UNKNOWN;
	if (all)
		render_margin(px, cols * cw, rows * ch);
	for (y = 0; y < rows; y++) {
		render_row(t, px, cols, y, &from, &to);
		if (to == 0 && hi > 0 && !all) {
			damage(arg, lo * cw, top * ch, (hi - lo) * cw,
			    (y - top) * ch);
			n++;
			lo = cols;
			hi = 0;
		}
		if (to > 0) {
			if (hi == 0)
				top = y;
			lo = min_u(lo, from);
			hi = to > hi ? to : hi;
		}
	}
	if (all)
		damage(arg, 0, 0, px->tx_width, px->tx_height);
	else if (hi > 0)
		damage(arg, lo * cw, top * ch, (hi - lo) * cw,
		    (y - top) * ch);
	return n + (all || hi > 0);
}
