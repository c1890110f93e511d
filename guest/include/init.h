/* SPDX-License-Identifier: ISC */
/*
 * Start-up by table: each part says when it wants to be called, so that the
 * start does not name them. Functions run in order of their level, those of
 * one level in no order, on the thread "main" with interrupts on (but for
 * INIT_CONSOLE), threads, kmalloc and the machine's description at work. Those
 * of INIT_CONSOLE can map devices, no more.
 *
 *	INIT(INIT_BUS, pci_init);
 *
 * When the last has returned, main ends and the threads go on.
 */
#ifndef GUEST_INIT_H
#define GUEST_INIT_H

#include <stdint.h>

#define INIT_CONSOLE	10	/* PL011; before kmalloc and interrupts */
#define INIT_TTY	20	/* line discipline, log to consoles */
#define INIT_BUS	30	/* PCI, MMIO: enumerate, assign */
#define INIT_DRIVER	35	/* drivers make themselves known to buses */
#define INIT_DEVICE	40	/* attach virtio devices, consoles on them */
#define INIT_NET	60	/* lwIP, interfaces */
#define INIT_SHELL	80

struct initcall {
	unsigned	ic_level;
	void		(*ic_fn)(void);
};

/*
 * A thread that is still a part of start-up, such as a first look at the disks:
 * init_hold before it is created, init_release when that part is done.
 * init_wait waits until there is none: 0, or ETIMEDOUT. Threads only.
 */
void	init_hold(void);
void	init_release(void);
int	init_wait(uint64_t timeout_ns);

#define INIT__(level, fn)						\
	static const struct initcall initcall_##fn			\
	    __attribute__((used, section(".init_table." #level))) = {	\
		level, fn }
#define INIT_(level, fn)	INIT__(level, fn)
#define INIT(level, fn)		INIT_(level, fn)

#endif
