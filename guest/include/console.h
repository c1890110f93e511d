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
 * more text for now, and in a panic: what was written becomes visible.
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

	/* Below: the console layer's own. */
	struct console	*con_next;
	uint64_t	 con_pos;	/* how far it has read the text */
	uint64_t	 con_lost;	/* bytes that it was too slow for */
	uint64_t	 con_stuck_ns;	/* since when it takes nothing; or 0 */
	int		 con_cr;	/* within a "\r\n" */
};

#define CONSOLE_ATOMIC	0x01	/* con_write works in any context */

#define CONSOLE_POLL_NS	20000000ULL

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
 * console_drain - wait until every console has taken all text
 *
 * Bounded: a console that takes nothing for a second is left behind.
 * Threads only.
 */
void	console_drain(void);

/* console_start - start the console thread; once, when threads work */
void	console_start(void);

/* console_next - the consoles one after the other; NULL begins and ends */
struct console	*console_next(struct console *);

struct machine;
struct pv_gpu;

/*
 * pl011_attach - the machine's PL011, if it has one
 *
 * Called early, when devices can be mapped: works by polling. pl011_intr()
 * later establishes its interrupt. Returns 0, ENXIO without a PL011.
 */
int	pl011_attach(void);
int	pl011_intr(void);

/*
 * fbcon_attach - a text console on a display
 *
 * The console follows the display's framebuffer through its generations.
 * Returns 0 or ENOMEM.
 */
int	fbcon_attach(struct pv_gpu *);

#endif
