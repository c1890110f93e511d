/* SPDX-License-Identifier: ISC */
/*
 * The text console on the display: the terminal, drawn into the framebuffer,
 * and what was drawn flushed. There is one.
 */

#include <errno.h>
#include <string.h>

#include <paravane/gpu.h>

#include "console.h"
#include "kmem.h"
#include "log.h"
#include "psf.h"
#include "term.h"
#include "user.h"

/* The font file, as the build embeds it. */
extern const unsigned char font_start[], font_end[];

struct fbcon {
	struct console	 fc_con;
	struct pv_gpu	*fc_gpu;
	struct term	 fc_term;
	void		*fc_mem;		/* the cells; NULL: none */
	unsigned int	 fc_generation;		/* they are laid out for */
	int		 fc_hidden;
	int		 fc_panicked;
	int		 fc_painted;		/* has drawn, and said so */
};

static struct fbcon fbcon;
static struct term_font fbcon_font;
static struct term_map fbcon_map[PSF_MAP_MAX];

static int
fbcon_load_font(void)
{
	if (fbcon_font.tf_bits != NULL)
		return 0;
	return psf_parse(font_start, (size_t)(font_end - font_start),
	    &fbcon_font, fbcon_map);
}

/* Fit the terminal to the framebuffer as it is now. */
static int
fbcon_layout(struct fbcon *fc)
{
	struct pv_gpu_geometry gg;
	unsigned int cols, rows, scale;
	size_t size;
	void *mem;

	pv_gpu_geometry(fc->fc_gpu, &gg);
	fc->fc_generation = gg.gg_generation;
	size = term_layout(&fbcon_font, gg.gg_width, gg.gg_height, &cols,
	    &rows, &scale);
	if (size == 0)
		return 0;	/* not even one character fits: draw nothing */
	mem = kmalloc(size);
	if (mem == NULL)
		return ENOMEM;
	if (fc->fc_mem == NULL)
		term_init(&fc->fc_term, &fbcon_font, mem, cols, rows, scale);
	else
		term_resize(&fc->fc_term, mem, cols, rows, scale);
	kfree(fc->fc_mem);
	fc->fc_mem = mem;
	return 0;
}

static size_t
fbcon_write(struct console *con, const char *s, size_t len)
{
	/* Whatever was under way: no sequence, plain, the whole screen. */
	static const char afresh[] = "\030\033[m\033[r\033[?7h\033[999H\r\n";
	struct fbcon *fc = (struct fbcon *)con;

	if (fc->fc_mem == NULL)
		return len;
	if (panicking() && !fc->fc_panicked) {
		fc->fc_panicked = 1;
		term_redraw(&fc->fc_term);
		term_write(&fc->fc_term, afresh, sizeof(afresh) - 1);
	}
	term_write(&fc->fc_term, s, len);
	return len;
}

static void
fbcon_damage(void *arg, unsigned int x, unsigned int y, unsigned int width,
    unsigned int height)
{
	struct fbcon *fc = arg;

	/* A display that fails shows nothing; there is nobody to tell. */
	(void)pv_gpu_flush(fc->fc_gpu, x, y, width, height);
}

static void
fbcon_flush(struct console *con)
{
	struct fbcon *fc = (struct fbcon *)con;
	struct pv_gpu_geometry gg;
	struct term_pixels px;

	if (!panicking() && (fc->fc_hidden || user_display_taken(fc->fc_gpu)))
		return;
	pv_gpu_geometry(fc->fc_gpu, &gg);
	if (gg.gg_generation != fc->fc_generation && !panicking())
		(void)fbcon_layout(fc);
	px.tx_base = pv_gpu_kva(fc->fc_gpu);
	if (fc->fc_mem == NULL || px.tx_base == NULL)
		return;
	px.tx_stride = gg.gg_stride;
	px.tx_width = gg.gg_width;
	px.tx_height = gg.gg_height;
	if (term_render(&fc->fc_term, &px, fbcon_damage, fc) == 0 ||
	    fc->fc_painted || panicking())
		return;
	fc->fc_painted = 1;
	klog(LOG_INFO, "fb: painted, %u x %u pixels", gg.gg_width,
	    gg.gg_height);
}

int
fbcon_attach(struct pv_gpu *gpu)
{
	struct fbcon *fc = &fbcon;
	int error;

	if (fc->fc_gpu != NULL)
		return EBUSY;
	if (fbcon_load_font() != 0) {
		klog(LOG_ERR, "fb: the font is damaged");
		return ENOMEM;
	}
	fc->fc_gpu = gpu;
	error = fbcon_layout(fc);
	if (error != 0) {
		fc->fc_gpu = NULL;
		return error;
	}
	fc->fc_con.con_name = "fb";
	fc->fc_con.con_write = fbcon_write;
	fc->fc_con.con_flush = fbcon_flush;
	console_register(&fc->fc_con);
	return 0;
}

void
fbcon_repaint(struct pv_gpu *gpu)
{
	console_lock();
	if (gpu == fbcon.fc_gpu && fbcon.fc_mem != NULL)
		term_redraw(&fbcon.fc_term);
	console_unlock();
	console_kick();
}

void
fbcon_changed(struct pv_gpu *gpu)
{
	(void)gpu;
	console_kick();
}

void
fbcon_hide(struct pv_gpu *gpu, int hide)
{
	if (gpu != fbcon.fc_gpu)
		return;
	fbcon.fc_hidden = hide;
	if (!hide)
		fbcon_repaint(gpu);
}

void
fbcon_detach(struct pv_gpu *gpu)
{
	struct fbcon *fc = &fbcon;

	if (gpu != fc->fc_gpu)
		return;
	console_lock();
	console_unregister(&fc->fc_con);
	kfree(fc->fc_mem);
	memset(fc, 0, sizeof(*fc));
	console_unlock();
}
