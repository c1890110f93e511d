/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mutation.h"

static unsigned int now;		/* 0: none */
static unsigned char *seen;

int
mutation_here(unsigned int n, int differs)
{
	if (!differs)
		return 0;
	if (seen != NULL && n < MUTATION_MAX)
		seen[n] = 1;
	return n == now;
}

/* A file, so that it is right however the program ends. */
static void
share(const char *name)
{
	void *p = MAP_FAILED;
	int fd = open(name, O_RDWR | O_CREAT, 0666);

	if (fd >= 0 && ftruncate(fd, MUTATION_MAX) == 0)
		p = mmap(NULL, MUTATION_MAX, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		perror(name);
		exit(2);
	}
	close(fd);
	seen = p;
}

__attribute__((__constructor__)) static void
choose(void)
{
	const char *number = getenv("MUTATION");
	const char *name = getenv("MUTATION_SEEN");

	if (number != NULL)
		now = (unsigned int)strtoul(number, NULL, 10);
	if (name != NULL)
		share(name);
}
