/* SPDX-License-Identifier: ISC */
#ifndef TERM_H
#define TERM_H

/*
 * A text terminal in a pixel buffer: a screen of cells, a parser of escape
 * sequences that writes them, and a renderer that draws the cells which
 * changed. It knows no device and takes no memory: the caller has both.
 *
 * Understood, of ECMA-48 and what xterm makes of it: BS HT LF VT FF CR;
 * ESC 7 8 D E M c; CSI @ A B C D E F G H J K L M P S T X d f m r s u and
 * h/l of ?7 (wrap) and ?25 (cursor). Every other sequence is recognised to
 * its end and ignored. Input is UTF-8; what is not, shows as U+FFFD. Every
 * character is one cell wide, combining marks are left out.
 */

#include <stddef.h>
#include <stdint.h>

#define TERM_COLS_MAX	512
#define TERM_ROWS_MAX	256
#define TERM_PARAMS	16
#define TERM_ASCII	('~' - ' ' + 1)

/* A fixed-width font; rows of a glyph are whole bytes, leftmost bit first. */
struct term_font {
	unsigned int		 tf_width;	/* pixels, 1 to 32 */
	unsigned int		 tf_height;	/* pixels, 1 to 64 */
	unsigned int		 tf_nglyphs;
	unsigned int		 tf_nmap;
	const uint8_t		*tf_bits;
	const struct term_map	*tf_map;	/* sorted by tm_code */
};

/* Characters that follow one another, as their glyphs do. */
struct term_map {
	uint16_t	tm_code;	/* the first, below U+10000 */
	uint16_t	tm_glyph;
	uint16_t	tm_n;
};

/* The one in the image: tool/font makes it of a font of the Linux console. */
extern const struct term_font	console_font;

struct term_cell {
	uint16_t	tc_glyph;
	uint8_t		tc_colour;	/* foreground, background << 4 */
	uint8_t		tc_flags;	/* the renderer's own */
};

struct term_pen {
	uint8_t		tp_fg;
	uint8_t		tp_bg;
	uint8_t		tp_bold;
	uint8_t		tp_reverse;
};

struct term {
	const struct term_font	*t_font;
	struct term_cell	*t_cells;	/* what the screen should show: a
						 * ring of rows, term_row() */
	struct term_cell	*t_shown;	/* what the pixels show */
	unsigned int		 t_base;	/* where the ring's first row is */
	unsigned int		 t_cols, t_rows;
	unsigned int		 t_scale;
	unsigned int		 t_x, t_y;	/* the cursor */
	unsigned int		 t_top, t_bottom; /* scrolled: [top, bottom) */
	unsigned int		 t_saved_x, t_saved_y;
	struct term_pen		 t_pen, t_saved_pen;
	uint8_t			 t_wrapnext;	/* last column is full */
	uint8_t			 t_autowrap;
	uint8_t			 t_cursor;	/* visible */
	uint8_t			 t_state;
	uint8_t			 t_private;	/* CSI's '?' and the like */
	uint8_t			 t_nparams;
	uint16_t		 t_params[TERM_PARAMS];
	uint32_t		 t_code;	/* UTF-8 so far */
	uint32_t		 t_code_min;
	uint8_t			 t_code_left;
	uint16_t		 t_blank;	/* glyph of a space */
	uint16_t		 t_replacement;	/* glyph of what has none */
	uint16_t		 t_ascii[TERM_ASCII]; /* from ' ' to '~' */
};

/* A pixel buffer: B8G8R8X8, stride in bytes, a multiple of 4. */
struct term_pixels {
	void		*tx_base;
	size_t		 tx_stride;
	unsigned int	 tx_width, tx_height;
};

/*
 * term_layout - how many cells a display of width x height pixels has
 *
 * A display that is at least TERM_LARGE wide gets each pixel of the font
 * doubled (tripled at twice that, and so on). Returns the number of bytes
 * that term_init() needs, 0 if not even one cell fits.
 */
#define TERM_LARGE	2560
size_t	term_layout(const struct term_font *, unsigned int width,
	    unsigned int height, unsigned int *cols, unsigned int *rows,
	    unsigned int *scale);

/*
 * term_init - begin with an empty screen
 *
 * mem		as many bytes as term_layout() said, aligned to 4
 */
void	term_init(struct term *, const struct term_font *, void *mem,
	    unsigned int cols, unsigned int rows, unsigned int scale);

/*
 * term_resize - go on with another size, in other memory
 *
 * Text stays where it is, as far as it fits; lines scroll out at the top if
 * the cursor would be below the last row. The old memory is no longer used
 * after the call. All is drawn anew.
 */
void	term_resize(struct term *, void *mem, unsigned int cols,
	    unsigned int rows, unsigned int scale);

/* term_row - the cells of a row, from the top */
struct term_cell	*term_row(const struct term *, unsigned int y);

/* term_write - bytes to be shown; any bytes */
void	term_write(struct term *, const char *, size_t);

/*
 * term_redraw - forget what the pixels show
 *
 * The next term_render() draws every cell and the margin.
 */
void	term_redraw(struct term *);

/*
 * term_blank - the pixels are all of colour 0
 *
 * The next term_render() draws what is to be seen on that.
 */
void	term_blank(struct term *);

/*
 * term_render - draw the cells that changed
 *
 * damage	called for each rectangle (in pixels, inside the buffer) that
 *		was drawn; rows that follow one another share one
 *
 * Cells outside the buffer are not drawn. Every pixel's X byte is 0xff.
 * Returns the number of rectangles.
 */
unsigned int	term_render(struct term *, const struct term_pixels *,
		    void (*damage)(void *, unsigned int x, unsigned int y,
		    unsigned int width, unsigned int height), void *);

/* term_colour - the pixel value of one of the 16 colours */
uint32_t	term_colour(unsigned int);

#endif
