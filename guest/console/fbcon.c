/* SPDX-License-Identifier: ISC */
/*
 * The text console on a display: on each head a terminal, drawn into its
 * framebuffer, and what was drawn sent. There is one display that has it.
 *
 * Nothing waits for the device but a panic: two flushes of a head are under way
 * at most, and while there are two nothing is drawn; the console thread comes
 * again, and has other consoles meanwhile. While text keeps coming it is drawn
 * FRAME_NS apart, which nobody's eye can tell: what scrolled by in between is
 * never drawn.
 */

#include <errno.h>
#include <string.h>

#include <paravane/gpu.h>

#include "console.h"
#include "console_text.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "term.h"
#include "thread.h"
#include "user.h"

#define FRAME_NS	(15 * NS_PER_MS)	/* below CONSOLE_POLL_NS */

struct fbcon {
	struct console	 fc_con;
	struct pv_gpu	*fc_gpu;		/* NULL: this one is free */
	unsigned int	 fc_head;
	struct term	 fc_term;
	void		*fc_mem;		/* the cells; NULL: none */
	unsigned int	 fc_generation;		/* they are laid out for */
	uint64_t	 fc_fences[2];		/* of the last flushes */
	uint64_t	 fc_drawn;		/* when, since the start */
	int		 fc_panicked;
	int		 fc_painted;		/* has drawn, and said so */
	int		 fc_owed;		/* drawn, and not sent */
};

/* Where a pointer is, in parts of 65536 of the display. */
static struct {
	uint16_t x, y;
	uint8_t	 moved;
	uint8_t	 showing;		/* pointer_thread runs */
	uint8_t	 shown;			/* the device has its image, */
	unsigned int head;		/* on this head */
} pointer;

static struct fbcon fbcons[FBCON_HEADS];
static int fbcon_hidden;

/* Fit the terminal to a framebuffer. */
static int
fbcon_layout(struct fbcon *fc, const struct pv_gpu_geometry *gg)
{
	unsigned int cols, rows, scale;
	size_t size;
	void *mem;

	fc->fc_generation = gg->gg_generation;
	size = term_layout(&console_font, gg->gg_width, gg->gg_height, &cols,
	    &rows, &scale);
	if (size == 0)
		return 0;	/* not even one character fits: draw nothing */
	mem = kmalloc(size);
	if (mem == NULL)
		return ENOMEM;
	if (fc->fc_mem == NULL)
		term_init(&fc->fc_term, &console_font, mem, cols, rows, scale);
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

	pv_gpu_damage(fc->fc_gpu, pv_gpu_head_fb(fc->fc_gpu, fc->fc_head), x,
	    y, width, height);
}

/* No flush of ours is under way any more. */
static void
fbcon_settle(struct pv_gpu *gpu)
{
	struct fbcon *fc;

	for (fc = fbcons; fc < fbcons + FBCON_HEADS; fc++)
		if (fc->fc_gpu == gpu)
			(void)pv_gpu_fence_wait(gpu, fc->fc_fences[1]);
}

/*
 * Send what was drawn, if there is room. A display that fails shows nothing;
 * there is nobody to tell.
 */
static void
fbcon_present(struct fbcon *fc, struct pv_gpu_fb *fb)
{
	struct pv_gpu_geometry gg;
	uint64_t fence = 0;
	int error;

	while ((error = pv_gpu_present(fc->fc_gpu, fb, &fence)) == EBUSY &&
	    panicking())
		fbcon_settle(fc->fc_gpu);
	fc->fc_owed = error == EBUSY;
	if (fc->fc_owed)
		return;
	fc->fc_fences[0] = fc->fc_fences[1];
	fc->fc_fences[1] = fence;
	if (fc->fc_painted || panicking())
		return;
	fc->fc_painted = 1;
	pv_gpu_fb_geometry(fc->fc_gpu, fb, &gg);
	klog(LOG_INFO, "fb: painted, %u x %u pixels", gg.gg_width,
	    gg.gg_height);
}

/*
 * Whether the device has one of the last two flushes still. In a panic nobody
 * comes again to see that.
 */
static int
fbcon_under_way(const struct fbcon *fc, unsigned int i)
{
	if (panicking())
		(void)pv_gpu_fence_wait(fc->fc_gpu, fc->fc_fences[i]);
	return pv_gpu_fence(fc->fc_gpu, fc->fc_fences[i]) == EAGAIN;
}

/* Whether this is no time to draw: another one will come. */
static int
fbcon_waits(const struct fbcon *fc)
{
	if (panicking())
		return 0;
	if (display_busy())
		return 1;
	(void)pv_gpu_poll(fc->fc_gpu);
	return fbcon_under_way(fc, 0) ||
	    (!console_draining() && uptime_ns() - fc->fc_drawn < FRAME_NS);
}

/* Draw what there is to be drawn; 0: nothing. */
static int
fbcon_draw(struct fbcon *fc, struct pv_gpu_fb *fb)
{
	struct pv_gpu_geometry gg;
	struct term_pixels px;

	pv_gpu_fb_geometry(fc->fc_gpu, fb, &gg);
	if (gg.gg_generation != fc->fc_generation && !panicking())
		(void)fbcon_layout(fc, &gg);
	px.tx_base = pv_gpu_fb_kva(fb);
	if (fc->fc_mem == NULL || px.tx_base == NULL)
		return 0;
	px.tx_stride = gg.gg_stride;
	px.tx_width = gg.gg_width;
	px.tx_height = gg.gg_height;
	if (term_render(&fc->fc_term, &px, fbcon_damage, fc) == 0)
		return fc->fc_owed;
	fc->fc_drawn = uptime_ns();
	return 1;
}

static void
fbcon_flush(struct console *con)
{
	struct fbcon *fc = (struct fbcon *)con;
	struct pv_gpu_fb *fb;

	con->con_late = 0;
	if (!panicking() && (fbcon_hidden || user_display_taken(fc->fc_gpu)))
		return;
	con->con_late = fbcon_waits(fc);
	if (con->con_late)
		return;
	fb = pv_gpu_head_fb(fc->fc_gpu, fc->fc_head);
	if (fbcon_draw(fc, fb))
		fbcon_present(fc, fb);
	con->con_late = fc->fc_owed || fbcon_under_way(fc, 1);
}

/* The cursor: an arrow, white in a black line. */
static int
pointer_show(struct pv_gpu *gpu, unsigned int head)
{
	uint32_t *pixels;
	unsigned int x, y;
	int error;

	pixels = kzalloc(PV_GPU_CURSOR_SIZE * PV_GPU_CURSOR_SIZE * 4);
	if (pixels == NULL)
		return ENOMEM;
	for (y = 0; y < 20; y++)
		for (x = 0; x <= y * 5 / 8; x++)
			pixels[y * PV_GPU_CURSOR_SIZE + x] = x == 0 || y == 19 ||
			    x == y * 5 / 8 ? 0xff000000 : 0xffffffff;
	error = pv_gpu_cursor_set(gpu, head, pixels, 0, 0);
	kfree(pixels);
	return error;
}

/* Its image is waited for, which is nothing for the console thread. */
static void
pointer_thread(void *arg)
{
	const struct fbcon *fc = arg;

	display_lock();
	if (fc->fc_gpu != NULL) {
		pointer.head = fc->fc_head;
		pointer.shown = pointer_show(fc->fc_gpu, fc->fc_head) == 0;
	}
	pointer.showing = 0;
	display_unlock();
}

/* Follow the pointer on the primary head. */
static void
fbcon_poll(struct console *con)
{
	struct fbcon *fc = (struct fbcon *)con;
	struct pv_gpu_geometry gg;

	if (!pointer.moved || display_busy() ||
	    fc->fc_head != pv_gpu_primary(fc->fc_gpu))
		return;
	pointer.moved = 0;
	pv_gpu_geometry(fc->fc_gpu, &gg);
	(void)pv_gpu_cursor_move(fc->fc_gpu, fc->fc_head,
	    pointer.x * gg.gg_width >> 16, pointer.y * gg.gg_height >> 16);
	if (pointer.showing || (pointer.shown && pointer.head == fc->fc_head))
		return;
	pointer.showing = thread_create("pointer", pointer_thread, fc) != NULL;
}

void
fbcon_point(uint16_t x, uint16_t y)
{
	pointer.x = x;
	pointer.y = y;
	pointer.moved = 1;
	console_kick();
}

static struct fbcon *
fbcon_find(const struct pv_gpu *gpu, unsigned int head)
{
	struct fbcon *fc;

	for (fc = fbcons; fc < fbcons + FBCON_HEADS; fc++)
		if (fc->fc_gpu == gpu && (gpu == NULL || fc->fc_head == head))
			return fc;
	return NULL;
}

static int
fbcon_has(const struct pv_gpu *gpu)
{
	unsigned int i;

	for (i = 0; i < FBCON_HEADS; i++)
		if (fbcons[i].fc_gpu == gpu)
			return 1;
	return 0;
}

static void
fbcon_close(struct fbcon *fc)
{
	console_unregister(&fc->fc_con);
	kfree(fc->fc_mem);
	memset(fc, 0, sizeof(*fc));
}

static int
fbcon_open(struct pv_gpu *gpu, unsigned int head, struct pv_gpu_fb *fb,
    int blank)
{
	struct fbcon *fc = fbcon_find(NULL, 0);
	struct pv_gpu_geometry gg;
	int error;

	if (fc == NULL)
		return EBUSY;
	pv_gpu_fb_geometry(gpu, fb, &gg);
	error = fbcon_layout(fc, &gg);
	if (error != 0)
		return error;
	if (blank && fc->fc_mem != NULL)
		term_blank(&fc->fc_term);
	/* Only the first head of a display is told of. */
	fc->fc_painted = fbcon_has(gpu);
	fc->fc_gpu = gpu;
	fc->fc_head = head;
	fc->fc_con.con_name = "fb";
	fc->fc_con.con_write = fbcon_write;
	fc->fc_con.con_flush = fbcon_flush;
	fc->fc_con.con_poll = fbcon_poll;
	console_register(&fc->fc_con);
	return 0;
}

/* A console for each head that shows something, and for no other. */
static int
fbcon_follow(struct pv_gpu *gpu, int blank)
{
	unsigned int head;
	struct pv_gpu_fb *fb;
	struct fbcon *fc;
	int error = 0;

	for (head = 0; head < pv_gpu_heads(gpu); head++) {
		fb = pv_gpu_head_fb(gpu, head);
		fc = fbcon_find(gpu, head);
		if (fb == NULL && fc != NULL)
			fbcon_close(fc);
		else if (fb != NULL && fc == NULL && error == 0)
			error = fbcon_open(gpu, head, fb, blank);
	}
	return error;
}

static void
fbcon_close_all(const struct pv_gpu *gpu)
{
	struct fbcon *fc;

	for (fc = fbcons; fc < fbcons + FBCON_HEADS; fc++)
		if (fc->fc_gpu == gpu)
			fbcon_close(fc);
}

static int
fbcon_taken(void)
{
	const struct fbcon *fc;

	for (fc = fbcons; fc < fbcons + FBCON_HEADS; fc++)
		if (fc->fc_gpu != NULL)
			return 1;
	return 0;
}

uint32_t
fbcon_colour(void)
{
	return fbcon_taken() || !console_wanted("fb") ? 0 : term_colour(0);
}

int
fbcon_attach(struct pv_gpu *gpu, int blank)
{
	int error;

	if (fbcon_taken())
		return EBUSY;
	console_lock();
	error = fbcon_follow(gpu, blank);
	if (error != 0)
		fbcon_close_all(gpu);
	console_unlock();
	return error;
}

void
fbcon_repaint(struct pv_gpu *gpu)
{
	struct fbcon *fc;

	console_lock();
	for (fc = fbcons; fc < fbcons + FBCON_HEADS; fc++)
		if (fc->fc_gpu == gpu && fc->fc_mem != NULL)
			term_redraw(&fc->fc_term);
	console_unlock();
	console_kick();
}

void
fbcon_changed(struct pv_gpu *gpu)
{
	console_lock();
	if (fbcon_has(gpu))
		(void)fbcon_follow(gpu, 0);
	console_unlock();
	console_kick();
}

void
fbcon_hide(struct pv_gpu *gpu, int hide)
{
	if (!fbcon_has(gpu))
		return;
	fbcon_hidden = hide;
	if (!hide)
		fbcon_repaint(gpu);
}

void
fbcon_detach(struct pv_gpu *gpu)
{
	console_lock();
	if (fbcon_has(gpu))
		fbcon_hidden = pointer.shown = 0;
	fbcon_close_all(gpu);
	console_unlock();
}
