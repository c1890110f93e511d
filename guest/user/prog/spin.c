/* SPDX-License-Identifier: ISC */

/* Never ends and never calls: only the timer takes the processor away. */

#include "sys.h"

int
main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (;;)
		__asm__ volatile("" : : : "memory");
}
