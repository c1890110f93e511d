/* SPDX-License-Identifier: ISC */
/*
 * The line editor of edit.h. Each key changes the line; show() then brings
 * what is on the screen to what should be, with the fewest bytes that need no
 * escape sequence.
 */

#include "edit.h"

#include <string.h>

enum {
	STATE_TEXT,
	STATE_ESC,
	STATE_CSI,
	STATE_SS3
};

#define CTRL(c)	((c) & 0x1f)

static void
out(struct edit *e, const char *s, size_t len)
{
	if (len > 0)
		e->e_out(e->e_arg, s, len);
}

static void
out_repeat(struct edit *e, char c, size_t n)
{
	for (; n > 0; n--)
		out(e, &c, 1);
}

/* Whether a byte continues the character before it. */
static int
continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t
columns(const char *s, size_t len)
{
	size_t n = 0;

	for (; len > 0; len--, s++)
		if (!continues(*s))
			n++;
	return n;
}

static size_t
char_before(const struct edit *e, size_t pos)
{
	if (pos > 0)
		pos--;
	while (pos > 0 && continues(e->e_line[pos]))
		pos--;
	return pos;
}

static size_t
char_after(const struct edit *e, size_t pos)
{
	if (pos < e->e_len)
		pos++;
	while (pos < e->e_len && continues(e->e_line[pos]))
		pos++;
	return pos;
}

/* Move the window so that the cursor is in it, with some text on its left. */
static void
move_window(struct edit *e)
{
	size_t left = e->e_cols / 4;

	if (e->e_first > e->e_len)
		e->e_first = 0;
	if (e->e_pos >= e->e_first && columns(e->e_line + e->e_first,
	    e->e_pos - e->e_first) < e->e_cols)
		return;
	for (e->e_first = e->e_pos; left > 0 && e->e_first > 0; left--)
		e->e_first = char_before(e, e->e_first);
}

/* How many bytes of the line the window shows. */
static size_t
window_len(const struct edit *e)
{
	size_t end = e->e_first, cols;

	for (cols = 0; cols < e->e_cols && end < e->e_len; cols++)
		end = char_after(e, end);
	return end - e->e_first;
}

/* How many bytes are the same at the start of both, in whole characters. */
static size_t
common(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t n = 0;

	while (n < alen && n < blen && a[n] == b[n])
		n++;
	while (n > 0 && ((n < alen && continues(a[n])) ||
	    (n < blen && continues(b[n]))))
		n--;
	return n;
}

static void
show_cursor(struct edit *e, size_t pos)
{
	size_t from = e->e_shown_pos;

	if (pos < from)
		out_repeat(e, '\b', columns(e->e_shown + pos, from - pos));
	else
		out(e, e->e_shown + from, pos - from);
	e->e_shown_pos = pos;
}

static void
show(struct edit *e)
{
	const char *text;
	size_t len, same, was, is;

	move_window(e);
	text = e->e_line + e->e_first;
	len = window_len(e);
	same = common(text, len, e->e_shown, e->e_shown_len);
	if (same < len || same < e->e_shown_len) {
		show_cursor(e, same);
		was = columns(e->e_shown + same, e->e_shown_len - same);
		is = columns(text + same, len - same);
		out(e, text + same, len - same);
		if (was > is) {
			out_repeat(e, ' ', was - is);
			out_repeat(e, '\b', was - is);
		}
		memcpy(e->e_shown + same, text + same, len - same);
		e->e_shown_len = e->e_shown_pos = len;
	}
	show_cursor(e, e->e_pos - e->e_first);
}

void
edit_again(struct edit *e)
{
	out(e, e->e_prompt, strlen(e->e_prompt));
	e->e_shown_len = e->e_shown_pos = 0;
	show(e);
}

void
edit_begin(struct edit *e, const char *prompt, struct edit_history *history,
    void (*outfn)(void *, const char *, size_t), void *arg)
{
	size_t len = strlen(prompt);
	uint8_t cr = e->e_cr;

	memset(e, 0, sizeof(*e));
	e->e_cr = cr;
	e->e_out = outfn;
	e->e_arg = arg;
	e->e_history = history;
	e->e_prompt = prompt;
	e->e_cols = len + 8 < EDIT_COLS ? EDIT_COLS - len : 8;
	edit_again(e);
}

const char *
edit_recall(const struct edit_history *h, unsigned int back)
{
	if (back == 0 || back > h->eh_n || back > EDIT_HISTORY)
		return NULL;
	return h->eh_line[(h->eh_n - back) % EDIT_HISTORY];
}

void
edit_remember(struct edit_history *h, const char *line)
{
	const char *last = edit_recall(h, 1);
	size_t len = strlen(line);

	if (line[strspn(line, " \t")] == '\0' || len >= EDIT_LINE ||
	    (last != NULL && strcmp(last, line) == 0))
		return;
	memcpy(h->eh_line[h->eh_n % EDIT_HISTORY], line, len + 1);
	h->eh_n++;
	/* Keep it from wrapping where a remainder would change. */
	if (h->eh_n == 2u * EDIT_HISTORY * 1000000u)
		h->eh_n = EDIT_HISTORY;
}

static void
set_line(struct edit *e, const char *line)
{
	e->e_len = e->e_pos = strlen(line);
	memcpy(e->e_line, line, e->e_len + 1);
	e->e_first = 0;
}

static void
history_move(struct edit *e, unsigned int back)
{
	const char *line;

	if (e->e_history == NULL || back == e->e_back)
		return;
	line = back == 0 ? e->e_kept : edit_recall(e->e_history, back);
	if (line == NULL)
		return;
	if (e->e_back == 0)
		memcpy(e->e_kept, e->e_line, e->e_len + 1);
	e->e_back = back;
	set_line(e, line);
}

static void
insert(struct edit *e, const unsigned char *s, size_t n)
{
	if (e->e_len + n >= EDIT_LINE)
		return;
	memmove(e->e_line + e->e_pos + n, e->e_line + e->e_pos,
	    e->e_len - e->e_pos + 1);
	memcpy(e->e_line + e->e_pos, s, n);
	e->e_pos += n;
	e->e_len += n;
}

/* Delete the bytes [from, to); the cursor is left there. */
static void
cut(struct edit *e, size_t from, size_t to)
{
	memmove(e->e_line + from, e->e_line + to, e->e_len - to + 1);
	e->e_len -= to - from;
	e->e_pos = from;
}

static size_t
word_before(const struct edit *e)
{
	size_t pos = e->e_pos;

	while (pos > 0 && e->e_line[pos - 1] == ' ')
		pos--;
	while (pos > 0 && e->e_line[pos - 1] != ' ')
		pos--;
	return pos;
}

static void
control(struct edit *e, unsigned char c)
{
	switch (c) {
	case CTRL('A'):
		e->e_pos = 0;
		break;
	case CTRL('B'):
		e->e_pos = char_before(e, e->e_pos);
		break;
	case CTRL('D'):
		cut(e, e->e_pos, char_after(e, e->e_pos));
		break;
	case CTRL('E'):
		e->e_pos = e->e_len;
		break;
	case CTRL('F'):
		e->e_pos = char_after(e, e->e_pos);
		break;
	case CTRL('H'): case 0x7f:
		cut(e, char_before(e, e->e_pos), e->e_pos);
		break;
	case CTRL('K'):
		e->e_line[e->e_pos] = '\0';
		e->e_len = e->e_pos;
		break;
	case CTRL('N'):
		history_move(e, e->e_back > 0 ? e->e_back - 1 : 0);
		break;
	case CTRL('P'):
		history_move(e, e->e_back + 1);
		break;
	case CTRL('U'):
		cut(e, 0, e->e_pos);
		break;
	case CTRL('W'):
		cut(e, word_before(e), e->e_pos);
		break;
	default:
		break;
	}
}

/* The key that ESC [ or ESC O and this byte mean, as a control character. */
static unsigned char
final_key(const struct edit *e, unsigned char c)
{
	switch (c) {
	case 'A':
		return CTRL('P');
	case 'B':
		return CTRL('N');
	case 'C':
		return CTRL('F');
	case 'D':
		return CTRL('B');
	case 'F':
		return CTRL('E');
	case 'H':
		return CTRL('A');
	case '~':
		if (e->e_param == 1 || e->e_param == 7)
			return CTRL('A');
		if (e->e_param == 4 || e->e_param == 8)
			return CTRL('E');
		if (e->e_param == 3)
			return CTRL('D');
		return 0;
	default:
		return 0;
	}
}

static void
escape_byte(struct edit *e, unsigned char c)
{
	unsigned char key;

	if (e->e_state == STATE_ESC) {
		e->e_param = 0;
		e->e_state = c == '[' ? STATE_CSI :
		    c == 'O' ? STATE_SS3 : STATE_TEXT;
		return;
	}
	if (e->e_state == STATE_CSI && c >= 0x20 && c < 0x40) {
		if (c >= '0' && c <= '9' && e->e_param < 20)
			e->e_param = (uint8_t)(e->e_param * 10 + c - '0');
		else
			e->e_param = 255;	/* no key of ours */
		return;
	}
	key = final_key(e, c);
	e->e_state = STATE_TEXT;
	if (key != 0)
		control(e, key);
}

/* Collect a character's bytes, so that half of one is never in the line. */
static void
text_byte(struct edit *e, unsigned char c)
{
	if (c < 0x80) {
		e->e_char_want = 0;
		insert(e, &c, 1);
	} else if (c >= 0xc2 && c < 0xf5) {
		e->e_char[0] = c;
		e->e_char_len = 1;
		e->e_char_want = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	} else if (c < 0xc0 && e->e_char_want > 0) {
		e->e_char[e->e_char_len++] = c;
		if (e->e_char_len == e->e_char_want) {
			e->e_char_want = 0;
			insert(e, e->e_char, e->e_char_len);
		}
	}
}

static enum edit_result
leave(struct edit *e, enum edit_result result)
{
	e->e_pos = e->e_len;
	show(e);
	if (result == EDIT_END)
		out(e, "^C", 2);
	out(e, "\n", 1);
	return result;
}

enum edit_result
edit_byte(struct edit *e, unsigned char c)
{
	int cr = e->e_cr;

	e->e_cr = c == '\r';
	if (c == '\n' && cr)
		return EDIT_MORE;
	if (c == '\r' || c == '\n')
		return leave(e, EDIT_DONE);
	if (c == CTRL('C'))
		return leave(e, EDIT_END);
	if (c == CTRL('D') && e->e_len == 0 && e->e_state == STATE_TEXT) {
		out(e, "\n", 1);
		return EDIT_END;
	}
	if (c == 0x1b) {
		e->e_state = STATE_ESC;
	} else if (c == CTRL('L')) {
		out(e, "\033[H\033[2J", 7);
		edit_again(e);
	} else if (e->e_state != STATE_TEXT && c >= 0x20) {
		escape_byte(e, c);
	} else {
		e->e_state = STATE_TEXT;
		if (c < 0x20 || c == 0x7f)
			control(e, c);
		else
			text_byte(e, c);
	}
	show(e);
	return EDIT_MORE;
}
