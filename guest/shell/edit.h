/* SPDX-License-Identifier: ISC */
#ifndef EDIT_H
#define EDIT_H

/*
 * A line editor that needs nothing of the terminal but CR, BS and characters
 * (Ctrl-L excepted), so that it works on a bare serial line. It shows one row:
 * a longer line is seen through a window that moves. Input is UTF-8.
 *
 * Keys: Left Ctrl-B, Right Ctrl-F, Home Ctrl-A, End Ctrl-E, Backspace Ctrl-H,
 * Delete Ctrl-D, Ctrl-W word before, Ctrl-U all before, Ctrl-K all behind, Up
 * Ctrl-P, Down Ctrl-N, Ctrl-L clear the screen, Ctrl-C give up.
 */

#include <stddef.h>
#include <stdint.h>

#define EDIT_LINE	256	/* bytes, with the final 0 */
#define EDIT_COLS	79	/* what is shown of prompt and line */
#define EDIT_HISTORY	32

struct edit_history {
	char		eh_line[EDIT_HISTORY][EDIT_LINE];
	unsigned int	eh_n;		/* lines ever added */
};

struct edit {
	void		(*e_out)(void *, const char *, size_t);
	void		 *e_arg;
	struct edit_history *e_history;	/* may be NULL */
	const char	*e_prompt;
	size_t		 e_cols;	/* for the line, beside the prompt */
	char		 e_line[EDIT_LINE];
	size_t		 e_len, e_pos;
	char		 e_kept[EDIT_LINE]; /* the new line, while in history */
	unsigned int	 e_back;	/* how far back in history */
	size_t		 e_first;	/* the window's first byte of the line */
	char		 e_shown[EDIT_LINE];
	size_t		 e_shown_len, e_shown_pos;	/* bytes */
	uint8_t		 e_state;
	uint8_t		 e_param;	/* of ESC [ n ~ */
	uint8_t		 e_cr;		/* the last byte was CR */
	unsigned char	 e_char[4];	/* UTF-8, as far as it has come */
	uint8_t		 e_char_len, e_char_want;
};

enum edit_result {
	EDIT_MORE,
	EDIT_DONE,	/* e_line is the line */
	EDIT_END	/* Ctrl-C, or Ctrl-D on an empty line */
};

/* edit_begin - show the prompt (one row of ASCII, kept by reference) */
void	edit_begin(struct edit *, const char *prompt,
	    struct edit_history *, void (*out)(void *, const char *, size_t),
	    void *arg);

/* edit_byte - a byte was typed */
enum edit_result edit_byte(struct edit *, unsigned char);

/* edit_again - show all anew, the terminal's cursor being at a row's start */
void	edit_again(struct edit *);

/* edit_remember - add a line, unless it is blank or the same as the last */
void	edit_remember(struct edit_history *, const char *line);

/* edit_recall - a line, 1 being the last; NULL if it is not there */
const char *edit_recall(const struct edit_history *, unsigned int back);

#endif
