/* SPDX-License-Identifier: ISC */
/* UNIT: test/unit/kern_fake.c */
/* UNIT-CFLAGS: -iquote guest/console */
/*
 * What is typed at a PL011 before it is attached and while that happens, at a
 * machine's and at those of emulators, whose next character comes as soon as
 * there is room: none may be lost, doubled or moved. Nor what is said, at the
 * pace of a wire.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fake.h"

/* No registers here: the accesses are the model's. */
#define GUEST_MMIO_H

static uint32_t mmio_read32(const volatile void *);
static void mmio_write32(volatile void *, uint32_t);

#include "../../guest/console/pl011.c"

#define FR_RXFF	0x40
#define PASSES	30	/* of the console thread */
#define TEXT	"echo what is typed early, more of it than any FIFO holds"

enum kind {
	WIRE,		/* receives only while it is on; sends slowly */
	EMULATOR,	/* receives always, and takes all that is sent */
	FORGETFUL,	/* the same; with the FIFO's switch its flags stay */
};

static struct {
	enum kind	 u_kind;
	uint32_t	 u_cr, u_lcrh, u_ibrd, u_imsc, u_ris;
	uint32_t	 u_flags;		/* FR_RXFE, FR_RXFF */
	unsigned char	 u_fifo[FIFO_DEPTH];
	unsigned int	 u_pos, u_count;
	const char	*u_typed;		/* what is still to come, */
	unsigned int	 u_after;		/* after so many accesses */
	unsigned int	 u_sending;		/* in the transmit FIFO */
	unsigned int	 u_clock;		/* accesses, of a wire's pace */
	char		 u_sent[256];
	size_t		 u_nsent;
} uart;

struct machine machine;
static unsigned char page[PAGE_SIZE];
static char heard[256];
static size_t nheard;
static bool (*handler)(void *);
static struct console *registered;

static unsigned int
depth(void)
{
	return uart.u_lcrh & LCRH_FEN ? FIFO_DEPTH : 1;
}

/* Whatever was typed arrives as soon as it can. */
static void
receive(void)
{
	if (uart.u_kind == WIRE && !(uart.u_cr & CR_UARTEN))
		return;
	if (uart.u_after > 0 && uart.u_after-- > 1)
		return;
	while (*uart.u_typed != '\0' && uart.u_count < depth()) {
		uart.u_fifo[(uart.u_pos + uart.u_count++) % FIFO_DEPTH] =
		    (unsigned char)*uart.u_typed++;
		uart.u_flags &= ~(uint32_t)FR_RXFE;
		uart.u_ris |= INT_RX;
	}
	if (uart.u_count == depth())
		uart.u_flags |= FR_RXFF;
}

/* A character leaves in the time of 50 accesses. */
static void
transmit(void)
{
	if (uart.u_kind != WIRE)
		uart.u_sending = 0;
	else if (uart.u_sending > 0 && ++uart.u_clock % 50 == 0)
		uart.u_sending--;
}

static uint32_t
data_read(void)
{
	uint32_t c = uart.u_fifo[uart.u_pos];

	if (uart.u_count > 0) {
		uart.u_count--;
		uart.u_pos = (uart.u_pos + 1) % FIFO_DEPTH;
	}
	uart.u_flags &= ~(uint32_t)FR_RXFF;
	if (uart.u_count == 0) {
		uart.u_flags |= FR_RXFE;
		uart.u_ris &= ~(uint32_t)INT_RX;
	}
	return c;
}

static void
data_write(uint32_t v)
{
	assert_true(uart.u_cr & CR_UARTEN);
	assert_true(uart.u_sending < depth());
	assert_true(uart.u_nsent < sizeof(uart.u_sent) - 1);
	uart.u_sending++;
	uart.u_sent[uart.u_nsent++] = (char)v;
}

/* A change of FEN empties the FIFO. */
static void
line_write(uint32_t v)
{
	assert_false(uart.u_cr & CR_UARTEN);
	assert_int_equal(v & LCRH_8BIT, LCRH_8BIT);
	if ((uart.u_lcrh ^ v) & LCRH_FEN) {
		uart.u_pos = uart.u_count = 0;
		if (uart.u_kind != FORGETFUL)
			uart.u_flags = FR_RXFE;
	}
	uart.u_lcrh = v;
}

static uint32_t
flags(void)
{
	return uart.u_flags | (uart.u_sending == 0 ? FR_TXFE : 0) |
	    (uart.u_sending == depth() ? FR_TXFF : 0);
}

static uint32_t
mmio_read32(const volatile void *p)
{
	uint32_t v = 0;

	transmit();
	switch ((const volatile unsigned char *)p - page) {
	case UARTDR:
		v = data_read();
		break;
	case UARTFR:
		v = flags();
		break;
	case UARTIBRD:
		v = uart.u_ibrd;
		break;
	case UARTLCR_H:
		v = uart.u_lcrh;
		break;
	case UARTCR:
		v = uart.u_cr;
		break;
	default:
		fail_msg("a register that is not read");
	}
	receive();
	return v;
}

static void
mmio_write32(volatile void *p, uint32_t v)
{
	transmit();
	switch ((volatile unsigned char *)p - page) {
	case UARTDR:
		data_write(v);
		break;
	case UARTLCR_H:
		line_write(v);
		break;
	case UARTCR:
		uart.u_cr = v;
		break;
	case UARTIMSC:
		uart.u_imsc = v;
		break;
	case UARTICR:
		uart.u_ris &= ~v;
		break;
	default:
		fail_msg("a register that is not written");
	}
	receive();
}

volatile void *
vm_map_device(paddr_t pa, size_t size)
{
	assert_int_equal(pa, 0x9000000);
	assert_int_equal(size, sizeof(page));
	return page;
}

void
vm_unmap_device(volatile void *p, size_t size)
{
	assert_ptr_equal(p, page);
	assert_int_equal(size, sizeof(page));
}

int
vm_probe_read(const volatile uint32_t *p, uint32_t *v)
{
	*v = mmio_read32(p);
	return 0;
}

int
intr_establish(uint32_t intid, int intr_flags, unsigned cpu,
    bool (*fn)(void *), void *arg, const char *name, struct intr **cookie)
{
	assert_int_equal(intid, 33);
	assert_int_equal(intr_flags, INTR_LEVEL);
	assert_int_equal(cpu, 0);
	assert_null(arg);
	assert_null(cookie);
	assert_string_equal(name, "pl011");
	handler = fn;
	return 0;
}

void
console_register(struct console *con)
{
	registered = con;
}

void
console_input(struct console *con, const void *buf, size_t len)
{
	assert_ptr_equal(con, registered);
	assert_true(nheard + len < sizeof(heard));
	memcpy(heard + nheard, buf, len);
	nheard += len;
	heard[nheard] = '\0';
}

/* A UART that is off, as it is after a reset. */
static int
setup(void **state)
{
	(void)state;
	memset(&uart, 0, sizeof(uart));
	uart.u_cr = CR_TXE | CR_RXE;
	uart.u_flags = FR_RXFE;
	uart.u_typed = "";
	memset(&machine, 0, sizeof(machine));
	machine.m_uart.mu_base = 0x9000000;
	machine.m_uart.mu_size = PAGE_SIZE;
	machine.m_uart.mu_intr.mi_intid = 33;
	pl011_regs = NULL;
	pl011_stuck = 0;
	nheard = 0;
	heard[0] = '\0';
	handler = NULL;
	registered = NULL;
	return 0;
}

static void
firmware_was_there(void)
{
	uart.u_cr |= CR_UARTEN;
	uart.u_lcrh = LCRH_8BIT | LCRH_FEN;
	uart.u_ibrd = 13;
}

/* Attach; then the console thread comes by, and interrupts as they are due. */
static void
start(void)
{
	receive();
	assert_int_equal(pl011_attach(), 0);
	assert_int_equal(pl011_interrupt(), 0);
	for (unsigned int i = 0; i < PASSES; i++) {
		pl011_poll(registered);
		while (uart.u_ris & uart.u_imsc)
			assert_true(handler(NULL));
	}
}

static void
all_is_heard(enum kind kind)
{
	uart.u_kind = kind;
	uart.u_typed = TEXT;
	start();
	assert_string_equal(heard, TEXT);
}

static void
test_emulator_loses_nothing_typed_early(void **state)
{
	(void)state;
	all_is_heard(EMULATOR);
}

static void
test_emulator_whose_flags_stay_loses_nothing_typed_early(void **state)
{
	(void)state;
	all_is_heard(FORGETFUL);
}

/* At each moment of the attachment, and at none before. */
static void
test_emulator_loses_nothing_typed_meanwhile(void **state)
{
	(void)state;
	for (enum kind kind = EMULATOR; kind <= FORGETFUL; kind++)
		for (unsigned int after = 1; after < 30; after++) {
			setup(NULL);
			uart.u_after = after;
			all_is_heard(kind);
		}
}

static void
test_what_firmware_set_up_is_kept(void **state)
{
	(void)state;
	for (enum kind kind = WIRE; kind <= FORGETFUL; kind++) {
		setup(NULL);
		firmware_was_there();
		all_is_heard(kind);
		assert_int_equal(uart.u_lcrh, LCRH_8BIT | LCRH_FEN);
	}
}

/* Its one character is taken before the FIFO is switched on. */
static void
test_wire_that_is_off_gets_its_fifo(void **state)
{
	(void)state;
	uart.u_ibrd = 13;
	uart.u_fifo[0] = 'x';
	uart.u_count = 1;
	uart.u_flags = FR_RXFF;
	uart.u_typed = TEXT;
	start();
	assert_int_equal(uart.u_lcrh, LCRH_8BIT | LCRH_FEN);
	assert_string_equal(heard, "x" TEXT);
}

static void
all_is_said(void)
{
	const char *text = TEXT;
	size_t n = 0;

	start();
	while (n < strlen(text))
		n += pl011_output(registered, text + n, strlen(text + n));
	assert_string_equal(uart.u_sent, text);
}

static void
test_all_that_is_said_is_sent(void **state)
{
	(void)state;
	for (enum kind kind = WIRE; kind <= FORGETFUL; kind++) {
		setup(NULL);
		uart.u_kind = kind;
		uart.u_ibrd = kind == WIRE ? 13 : 0;
		all_is_said();
	}
}

static void
test_all_that_is_said_is_sent_without_a_fifo(void **state)
{
	(void)state;
	firmware_was_there();
	uart.u_lcrh = LCRH_8BIT;
	all_is_said();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    test_emulator_loses_nothing_typed_early, setup),
		cmocka_unit_test_setup(
		    test_emulator_whose_flags_stay_loses_nothing_typed_early,
		    setup),
		cmocka_unit_test_setup(
		    test_emulator_loses_nothing_typed_meanwhile, setup),
		cmocka_unit_test_setup(test_what_firmware_set_up_is_kept,
		    setup),
		cmocka_unit_test_setup(test_wire_that_is_off_gets_its_fifo,
		    setup),
		cmocka_unit_test_setup(test_all_that_is_said_is_sent, setup),
		cmocka_unit_test_setup(
		    test_all_that_is_said_is_sent_without_a_fifo, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
