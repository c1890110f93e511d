/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE	/* RTLD_NEXT */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

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

/*
 * Have what is seen from now on in entry i of the file: it is right however the
 * program ends.
 */
static struct mutation_seen *
share(size_t i)
{
	static struct mutation_seen *all;
	static size_t len;
	const char *name = getenv("MUTATION_SEEN");
	size_t need = (i + 1) * sizeof(*all);
	void *p = MAP_FAILED;
	int fd = open(name, O_RDWR | O_CREAT, 0666);

	if (len != 0)
		munmap(all, len);
	if (fd >= 0 && ftruncate(fd, (off_t)need) == 0)
		p = mmap(NULL, need, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		perror(name);
		exit(2);
	}
	close(fd);
	all = p;
	len = need;
	seen = all[i].ms_seen;
	return &all[i];
}

static __typeof__(_cmocka_run_group_tests) *cmocka;	/* cmocka's own */

/* One test, in a process. Its status. */
static int
run(const char *name, const struct CMUnitTest *test, long ms, double *seconds)
{
	const struct itimerval limit = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
	};
	struct rusage ru;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setitimer(ITIMER_PROF, &limit, NULL);
		exit(cmocka(name, test, 1, NULL, NULL));
	}
	if (pid < 0 || wait4(pid, &status, 0, &ru) != pid) {
		perror("fork");
		exit(2);
	}
	*seconds = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	return status;
}

/* Each without a mutant, alone: what it sees. */
static int
learn(const char *group, const struct CMUnitTest *tests, size_t n)
{
	struct mutation_seen *ms;
	double seconds;
	int status = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		ms = share(i + 1);
		strncpy(ms->ms_name, tests[i].name, sizeof(ms->ms_name) - 1);
		if (run(group, &tests[i], 0, &seconds) != 0) {
			fprintf(stderr, "%s: fails alone\n", tests[i].name);
			status = 1;
		}
		ms->ms_seconds = seconds;
	}
	return status;
}

/* In the place of cmocka's, which it calls. */
int
_cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests,
    size_t n, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	const char *failed = getenv("MUTATION_FAILED");
	char *list = getenv("MUTATION_TESTS");
	double seconds;
	size_t i;
	long ms;

	if (seen != NULL && setup == NULL && teardown == NULL)
		return learn(group, tests, n);
	if (list == NULL)
		return cmocka(group, tests, n, setup, teardown);
	while (*list != '\0') {
		i = strtoul(list, &list, 10);
		ms = strtol(list + 1, &list, 10);
		list += *list == ',';
		if (i >= n || run(group, &tests[i], ms, &seconds) == 0)
			continue;
		if (failed != NULL)
			dprintf(atoi(failed), "%zu", i);
		return 1;
	}
	return 0;
}

__attribute__((__constructor__)) static void
choose(void)
{
	const char *number = getenv("MUTATION");

	*(void **)&cmocka = dlsym(RTLD_NEXT, "_cmocka_run_group_tests");
	if (number != NULL)
		now = (unsigned int)strtoul(number, NULL, 10);
	if (getenv("MUTATION_SEEN") != NULL)
		share(0);
}
