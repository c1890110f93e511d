/* SPDX-License-Identifier: ISC */
/*
 * The PL011 (ARM DDI 0183). Firmware or nobody has set the speed; it is kept.
 */

#include <errno.h>

#include "console.h"
#include "cpu.h"
#include "init.h"
#include "intr.h"
#include "log.h"
#include "machine.h"
#include "mmio.h"
#include "vm.h"

#define UARTDR		0x000
#define UARTFR		0x018
#define  FR_RXFE	0x10	/* nothing to read */
#define  FR_TXFF	0x20	/* full */
#define  FR_TXFE	0x80	/* empty */
#define UARTIBRD	0x024
#define UARTLCR_H	0x02c
#define  LCRH_FEN	0x10
#define  LCRH_8BIT	0x60
#define UARTCR		0x030
#define  CR_UARTEN	0x001
#define  CR_TXE		0x100
#define  CR_RXE		0x200
#define UARTIMSC	0x038
#define UARTICR		0x044
#define  INT_RX		0x010
#define  INT_RT		0x040	/* received, some time ago */
#define  INT_ALL	0x7ff

#define FIFO_DEPTH	16	/* of the oldest revisions */
#define FULL_TRIES	20000	/* reads; a character takes 87 us at 115200 */

static volatile void *pl011_regs;
static size_t pl011_depth;	/* of the transmit FIFO */
static int pl011_stuck;		/* the last wait for room was in vain */

static uint32_t
pl011_read(unsigned int reg)
{
	return mmio_read32((volatile char *)pl011_regs + reg);
}

static void
pl011_write(unsigned int reg, uint32_t v)
{
	mmio_write32((volatile char *)pl011_regs + reg, v);
}

/* How many characters fit for sure, waiting for one, with a bound. */
static size_t
pl011_room(void)
{
	unsigned int tries = pl011_stuck ? 1 : FULL_TRIES;
	uint32_t fr;

	for (; tries > 0; tries--) {
		fr = pl011_read(UARTFR);
		if (fr & FR_TXFE)
			return pl011_depth;
		if (!(fr & FR_TXFF))
			return 1;
	}
	return 0;
}

static size_t
pl011_output(struct console *con, const char *s, size_t len)
{
	size_t room = 0, n;

	(void)con;
	for (n = 0; n < len; n++, room--) {
		if (room == 0)
			room = pl011_room();
		pl011_stuck = room == 0;
		if (room == 0)
			break;
		pl011_write(UARTDR, (unsigned char)s[n]);
	}
	return n;
}

/* What there is, FIFO_DEPTH at most. */
static size_t
pl011_take(unsigned char *buf)
{
	size_t n = 0;

	while (n < FIFO_DEPTH && !(pl011_read(UARTFR) & FR_RXFE))
		buf[n++] = (unsigned char)pl011_read(UARTDR);
	return n;
}

static void
pl011_poll(struct console *con)
{
	unsigned char buf[FIFO_DEPTH];
	uint64_t saved = intr_disable();
	size_t n = pl011_take(buf);

	if (n > 0)
		console_input(con, buf, n);
	intr_restore(saved);
}

static struct console pl011_console = {
	.con_name = "pl011",
	.con_flags = CONSOLE_ATOMIC,
	.con_write = pl011_output,
	.con_poll = pl011_poll,
};

static bool
pl011_intr(void *arg)
{
	(void)arg;
	pl011_write(UARTICR, INT_RX | INT_RT);
	pl011_poll(&pl011_console);
	return true;
}

/*
 * The line register may only be written while the UART is off, and what is
 * received when the FIFO is switched is lost. A UART that is off receives
 * nothing; but an emulator's does, at any moment: its FIFO is left as it is. It
 * is known by its speed, which nobody has set: with a wire it would not work.
 */
static void
pl011_set_line(void)
{
	uint32_t cr = pl011_read(UARTCR), fifo;

	if (!(cr & CR_UARTEN)) {
		fifo = pl011_read(UARTIBRD) != 0 ? LCRH_FEN :
		    pl011_read(UARTLCR_H) & LCRH_FEN;
		pl011_write(UARTLCR_H, LCRH_8BIT | fifo);
	}
	pl011_depth = pl011_read(UARTLCR_H) & LCRH_FEN ? FIFO_DEPTH : 1;
	pl011_write(UARTCR, cr | CR_UARTEN | CR_TXE | CR_RXE);
}

static int
pl011_attach(void)
{
	const struct machine_uart *uart = &machine.m_uart;
	unsigned char early[FIFO_DEPTH];
	uint32_t value;
	size_t n;

	if (uart->mu_base == 0 || uart->mu_size < PAGE_SIZE)
		return ENXIO;
	pl011_regs = vm_map_device(uart->mu_base, PAGE_SIZE);
	if (pl011_regs == NULL)
		return ENXIO;
	/* Whether anything is there is the machine's word only. Not the data
	 * register: that would take what was typed already. */
	if (vm_probe_read((volatile uint32_t *)((volatile char *)pl011_regs +
	    UARTFR), &value) != 0) {
		vm_unmap_device(pl011_regs, PAGE_SIZE);
		pl011_regs = NULL;
		return ENXIO;
	}
	pl011_write(UARTIMSC, 0);
	pl011_write(UARTICR, INT_ALL);
	n = pl011_take(early);
	pl011_set_line();
	console_register(&pl011_console);
	if (n > 0)
		console_input(&pl011_console, early, n);
	return 0;
}

static int
pl011_interrupt(void)
{
	const struct machine_intr *mi = &machine.m_uart.mu_intr;
	int error;

	if (pl011_regs == NULL || mi->mi_intid == 0)
		return ENXIO;
	error = intr_establish(mi->mi_intid,
	    mi->mi_edge ? INTR_EDGE : INTR_LEVEL, 0, pl011_intr, NULL, "pl011",
	    NULL);
	if (error == 0)
		pl011_write(UARTIMSC, INT_RX | INT_RT);
	return error;
}

static void
pl011_init(void)
{
	(void)pl011_attach();
}
INIT(INIT_CONSOLE, pl011_init);

static void
pl011_init_interrupt(void)
{
	int error = pl011_interrupt();

	/* Without one it is polled. */
	if (error != 0 && error != ENXIO)
		klog(LOG_WARN, "pl011: no interrupt, error %d", error);
}
INIT(INIT_TTY, pl011_init_interrupt);
