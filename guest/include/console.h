/* SPDX-License-Identifier: ISC */
#ifndef CONSOLE_H
#define CONSOLE_H

/*
 * Consoles: where text goes and keys come from. Everything that is said goes
 * to all of them, and any of them can be typed at.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * A console driver fills this in and calls console_register().
 *
 * con_write takes text as it is on the wire ("\r\n" ends a line) and returns
 * how many bytes it took; what it did not take is offered again, soon by the
 * console thread. It never waits without bound. Called with interrupts
 * masked, from any context and any CPU, if CONSOLE_ATOMIC is set; otherwise
 * only from a thread, or from panic with `panicking()` true.
 *
 * con_flush, if not NULL, is called from the console thread when there is no
 * more text for now, and in a panic: what was written becomes visible. It
 * waits only in a panic; where the device has not yet come to it, it sets
 * con_late, and is called again.
 *
 * con_poll, if not NULL, looks for input and calls console_input(). It is
 * called from the console thread, every CONSOLE_POLL_NS at the latest, so a
 * console without interrupts works.
 */
struct console {
	const char	*con_name;
	unsigned int	 con_flags;
	size_t		(*con_write)(struct console *, const char *, size_t);
	void		(*con_flush)(struct console *);
	void		(*con_poll)(struct console *);
	int		 con_late;	/* of con_flush */

	/* Below: the console layer's own. */
	struct console	*con_next;
	uint64_t	 con_pos;	/* how far it has read the text */
	uint64_t	 con_lost;	/* bytes that it was too slow for */
	uint64_t	 con_told;	/* of them, how many it was told of */
	int		 con_stuck;	/* took nothing for too long */
};

#define CONSOLE_ATOMIC	0x01	/* con_write works in any context */

#define CONSOLE_POLL_NS	20000000ULL

/*
 * console_wanted - whether `console=` leaves one of this name in use
 */
int	console_wanted(const char *name);

/*
 * console_register - add a console
 *
 * What was said before, as far as it is still in the ring, is the first thing
 * that it gets. A console that is no longer there is removed by
 * console_unregister(), from a thread.
 */
void	console_register(struct console *);
void	console_unregister(struct console *);

/* console_input - bytes were typed; from any context */
void	console_input(struct console *, const void *buf, size_t len);

/* console_kick - a console can take text again, or has input; any context */
void	console_kick(void);

/* console_write - text for every console, not for the log; any context */
void	console_write(const char *buf, size_t len);

/*
 * console_drain - wait until every console has taken all text, and shows it
 *
 * Bounded: a console that takes or shows nothing for a second is left behind.
 * Threads only.
 */
void	console_drain(void);

/* console_start - start the console thread; once, when threads work */
void	console_start(void);

/* console_next - the consoles one after the other; NULL begins and ends */
struct console	*console_next(struct console *);

/*
 * console_colour - whether text may be coloured
 *
 * Not in a test run (`run=` or `test` on the command line), whose output is
 * read by programs.
 */
int	console_colour(void);

/*
 * console_alone - consoles of another name take text and show none of it, until
 * this is called with NULL: to see what one alone can do
 */
void	console_alone(const char *name);

struct pv_console;
struct pv_gpu;

/*
 * Consoles on devices. The PL011 attaches itself at start-up, and has its
 * interrupt later. The others are attached by who attaches the device, from a
 * thread.
 *
 * fbcon_attach		A text console on each head of a display, which is
 *			running. blank: its pixels are fbcon_colour, all sent.
 *			Errors: ENOMEM, EBUSY another one has it.
 * fbcon_colour		What the pixels of a display that it will draw on are to
 *			be; 0: it would have no console.
 * fbcon_changed	A call of pv_gpu_changed returned 1: heads may have
 *			come and gone.
 * fbcon_hide		Leave the pixels alone, or show the text again.
 * fbcon_repaint	Paint everything again, as the display now is.
 * fbcon_point		A pointer is there, in parts of 65536 of the display:
 *			the cursor follows. Any context.
 * fbcon_detach		The display goes.
 * vcon_attach		A console on a virtio console that has been attached.
 *			Errors: ENOMEM, EBUSY there are too many.
 * vcon_kick		From cc_input and cc_room; any context.
 * vcon_detach		It goes.
 *
 * Both use their device only from the console thread, within its lock (below),
 * and from a panic. A display's is left alone while somebody has display_lock.
 */
#define FBCON_HEADS	4	/* of a display that are driven */
int	fbcon_attach(struct pv_gpu *, int blank);
uint32_t fbcon_colour(void);
void	fbcon_changed(struct pv_gpu *);
void	fbcon_hide(struct pv_gpu *, int hide);
void	fbcon_repaint(struct pv_gpu *);
void	fbcon_point(uint16_t x, uint16_t y);
void	fbcon_detach(struct pv_gpu *);
int	vcon_attach(struct pv_console *);
void	vcon_kick(void);
void	vcon_detach(struct pv_console *);

/*
 * console_lock, console_unlock - keep the console thread off the devices
 *
 * For who calls a function of pv_console that may let other threads run (stop,
 * start) while a console is attached. Recursive. Threads only.
 */
void	console_lock(void);
void	console_unlock(void);

/*
 * display_lock, display_unlock - keep other threads off the displays
 *
 * For who calls a function of pv_gpu that may let other threads run (stop,
 * start, changed, flush), which a slow device makes a matter of seconds: the
 * console thread never waits for this lock, nor for a display. Where both locks
 * are taken this is the first. Recursive. Threads only.
 *
 * display_busy - whether another thread has it
 */
void	display_lock(void);
void	display_unlock(void);
int	display_busy(void);

#endif
