/* SPDX-License-Identifier: ISC */
/* The tests that the guest runs on itself. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "init.h"
#include "ktime.h"
#include "log.h"
#include "pci.h"
#include "selftest.h"
#include "shell.h"
#include "tty.h"

#define SETTLE_NS	(10 * NS_PER_S)

extern const struct selftest_entry *const __start_set_selftest[];
extern const struct selftest_entry *const __stop_set_selftest[];

static struct {
	uint64_t	l_when;		/* 0: never */
	int		l_passed;
	int		l_failed;
	int		l_skipped;
	char		l_names[160];	/* of those that failed, while they fit */
} last;

void
selftest_fail(struct selftest *st, const char *file, int line,
    const char *fmt, ...)
{
	char buf[LOG_LINE_MAX / 2];
	va_list ap;

	st->st_failed = 1;
	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	tty_printf("# %s:%d: %s\n", file, line, buf);
}

void
selftest_note(const char *fmt, ...)
{
	char buf[LOG_LINE_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	tty_printf("# %s\n", buf);
}

static int
matches(const struct selftest_entry *se, const char *prefix)
{
	return prefix == NULL ||
	    strncmp(se->se_name, prefix, strlen(prefix)) == 0;
}

static void
record(const struct selftest_entry *se, const struct selftest *st)
{
	size_t at = strlen(last.l_names);

	if (st->st_failed) {
		last.l_failed++;
		(void)snprintf(last.l_names + at, sizeof(last.l_names) - at,
		    " %s", se->se_name);
	} else if (st->st_skip != NULL)
		last.l_skipped++;
	else
		last.l_passed++;
}

void
selftest_print_last(void)
{
	if (last.l_when == 0) {
		tty_printf("not run\n");
		return;
	}
	tty_printf("%d passed, %d failed, %d skipped%s%s\n", last.l_passed,
	    last.l_failed, last.l_skipped, last.l_failed ? ":" : "",
	    last.l_names);
	tty_printf("at %llu s\n",
	    (unsigned long long)(last.l_when / NS_PER_S));
}

static int
run_one(const struct selftest_entry *se, int number)
{
	struct selftest st = { NULL, 0 };

	/* Devices stay while they are tested. */
	(void)pci_hold();
	se->se_fn(&st);
	pci_drop();
	record(se, &st);
	tty_printf("%sok %d - %s%s%s\n", st.st_failed ? "not " : "", number,
	    se->se_name, st.st_skip != NULL ? " # SKIP " : "",
	    st.st_skip != NULL ? st.st_skip : "");
	return st.st_failed;
}

int
selftest_run(const char *prefix)
{
	const struct selftest_entry *const *se;
	int n = 0, failed = 0, number = 0;

	for (se = __start_set_selftest; se < __stop_set_selftest; se++)
		n += matches(*se, prefix);
	if (n == 0)
		return -1;
	/* What start-up still allocates would look like a leak. */
	(void)init_wait(SETTLE_NS);
	memset(&last, 0, sizeof(last));
	last.l_when = uptime_ns();
	tty_printf("1..%d\n", n);
	for (se = __start_set_selftest; se < __stop_set_selftest; se++) {
		if (!matches(*se, prefix))
			continue;
		failed += run_one(*se, ++number);
		if (tty_interrupted())
			break;
	}
	return failed;
}

static int
cmd_selftest(int argc, char **argv)
{
	int failed;

	if (argc > 2)
		return shell_usage(argv[0]);
	failed = selftest_run(argc == 2 ? argv[1] : NULL);
	if (failed < 0) {
		tty_printf("selftest: no test begins with `%s'\n", argv[1]);
		return ENOENT;
	}
	if (tty_interrupted())
		return EINTR;
	if (failed > 0) {
		tty_printf("# %d failed\n", failed);
		shell_fail();
		return EIO;
	}
	return 0;
}
COMMAND(selftest, cmd_selftest, "selftest [PREFIX]",
    "run the guest's tests on itself, or those with that prefix");
