/* SPDX-License-Identifier: ISC */

/* The least program: prints its arguments, ends with their number. */

#include "sys.h"

static int calls;		/* in memory that begins as zero */
static int base = 1;		/* in memory that does not */

int
main(int argc, char **argv)
{
	int i;

	for (i = base; i < argc; i++, calls++)
		print("%s%s", calls > 0 ? " " : "", argv[i]);
	print("\n");
	return calls;
}
