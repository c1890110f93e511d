/* SPDX-License-Identifier: ISC */
/*
 * Each mistake of the tables (mistakes_openbsd.c, mistakes_others.c) is made in
 * a process of its own, and seen: by the DMA sanitizer, by a device model that
 * judges, by the compiler's sanitizers, by a wait that does not end, or by what
 * its user misses. With the device and memory that they are made with, and no
 * mistake, nothing is reported.
 *
 *	test_mistakes [text]	those with this text in point or name, and what
 *				they report
 */
#include <sys/time.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "mistakes.h"

#define MAXTESTS	128
#define SPIN_MS		300		/* of the processor's */

static int verbose;

/* No names in stacks: to look them up takes longer than all else. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "symbolize=0:detect_leaks=0:handle_abort=0";
}

static void
spins(int sig)
{
	static const char text[] = "a wait without a bound, nor a pause\n";

	(void)sig;
	_exit(write(STDERR_FILENO, text, sizeof(text) - 1) < 0);
}

/* In a process that ends here, with all that it says in fd. */
static _Noreturn void
make(const struct mistake *mi, int fd)
{
	const struct itimerval patience = {
		.it_value.tv_usec = SPIN_MS * 1000
	};

	dup2(fd, STDERR_FILENO);
	signal(SIGSEGV, SIG_DFL);	/* not the test's */
	signal(SIGABRT, SIG_DFL);
	signal(SIGVTALRM, spins);
	setitimer(ITIMER_VIRTUAL, &patience, NULL);
	mi->mi_fn();
	_exit(0);
}

static void
say_how_it_ended(int status, char *text, size_t size)
{
	size_t have = strlen(text);

	if (WIFSIGNALED(status))
		snprintf(text + have, size - have, "killed: %s\n",
		    strsignal(WTERMSIG(status)));
}

/* What is reported when a mistake is made. */
static const char *
report(const struct mistake *mi)
{
	static char text[16384];
	char rest[512];
	size_t have = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		make(mi, fds[1]);
	close(fds[1]);
	while ((n = read(fds[0], have < sizeof(text) - 1 ? text + have : rest,
	    have < sizeof(text) - 1 ? sizeof(text) - 1 - have :
	    sizeof(rest))) > 0)
		if (have < sizeof(text) - 1)
			have += (size_t)n;
	text[have] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	say_how_it_ended(status, text, sizeof(text));
	return text;
}

static void
is_seen(void **state)
{
	const struct mistake *mi = *state;
	const char *text = report(mi);

	if (verbose)
		printf("%s: %s\n%s\n", mi->mi_point, mi->mi_name, text);
	if (mi->mi_report == NULL && *text != '\0')
		fail_msg("reported without a mistake: %s", text);
	if (mi->mi_report != NULL && strstr(text, mi->mi_report) == NULL)
		fail_msg("'%s' is not in '%s'", mi->mi_report, text);
}

/* A point that no driver can commit has its reason there instead. */
static void
add(struct CMUnitTest *tests, size_t *n, const struct mistake *mi,
    const char *only)
{
	static char names[MAXTESTS][160];

	for (; mi->mi_name != NULL; mi++) {
		if (mi->mi_fn == NULL || (only != NULL &&
		    strstr(mi->mi_point, only) == NULL &&
		    strstr(mi->mi_name, only) == NULL))
			continue;
		assert_true(*n < MAXTESTS);
		snprintf(names[*n], sizeof(names[*n]), "%s: %s", mi->mi_point,
		    mi->mi_name);
		tests[*n] = (struct CMUnitTest){ names[*n], is_seen, NULL, NULL,
		    (void *)(uintptr_t)mi };
		++*n;
	}
}

int
main(int argc, char **argv)
{
	static struct CMUnitTest tests[MAXTESTS];
	const char *only = argc > 1 ? argv[1] : NULL;
	size_t n = 0;

	verbose = only != NULL;
	add(tests, &n, mistakes_openbsd, only);
	add(tests, &n, mistakes_others, only);
	return _cmocka_run_group_tests("mistakes", tests, n, NULL, NULL);
}
