/* SPDX-License-Identifier: ISC */
#ifndef SELFTEST_H
#define SELFTEST_H

/*
 * Tests that the guest runs on itself, by the command `selftest`, in TAP. One
 * is declared where its subject is:
 *
 *	SELFTEST(intr_timer_ticks)
 *	{
 *		if (!has_timer())
 *			ST_SKIP(st, "no timer");
 *		ST_CHECK(st, ticks() > 0);
 *		ST_EQ(st, frob(1), 2);
 *	}
 *
 * The name begins with the subject: `selftest intr` runs all tests whose name
 * begins with "intr". A test runs in a thread on CPU 0, may sleep, and leaves
 * the guest as it was. A failed check ends it.
 *
 * For what comes at once it waits ST_WAIT_NS: the host may be busy, and stop
 * the machine for seconds.
 */
#define ST_WAIT_NS	(15 * NS_PER_S)

struct selftest {
	const char	*st_skip;
	int		 st_failed;
};

struct selftest_entry {
	const char	*se_name;
	void		(*se_fn)(struct selftest *);
};

#define SELFTEST(name)							\
	static void selftest_##name(struct selftest *);			\
	static const struct selftest_entry selftest_entry_##name = {	\
		#name, selftest_##name					\
	};								\
	static const struct selftest_entry *const selftest_ref_##name	\
	    __attribute__((used, section("set_selftest"))) =		\
	    &selftest_entry_##name;					\
	static void							\
	selftest_##name(struct selftest *st __attribute__((unused)))

/* selftest_fail - record a failed check; see the macros */
void	selftest_fail(struct selftest *, const char *file, int line,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* selftest_note - a line of explanation in the TAP output */
void	selftest_note(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

#define ST_CHECK(st, cond)						\
	do {								\
		if (!(cond)) {						\
			selftest_fail(st, __FILE__, __LINE__, "%s",	\
			    #cond);					\
			return;						\
		}							\
	} while (0)

/* Both are compared, and shown, as signed 64-bit numbers. */
#define ST_EQ(st, got, want)						\
	do {								\
		long long st_got = (long long)(got);			\
		long long st_want = (long long)(want);			\
		if (st_got != st_want) {				\
			selftest_fail(st, __FILE__, __LINE__,		\
			    "%s is %lld (0x%llx), not %lld (0x%llx)",	\
			    #got, st_got, (unsigned long long)st_got,	\
			    st_want, (unsigned long long)st_want);	\
			return;						\
		}							\
	} while (0)

#define ST_SKIP(st, why)						\
	do {								\
		(st)->st_skip = (why);					\
		return;							\
	} while (0)

/*
 * selftest_run - run the tests whose name begins with prefix
 *
 * prefix	NULL for all
 *
 * Prints TAP. Returns the number of failed tests, -1 if none has that name.
 */
int	selftest_run(const char *prefix);

/*
 * selftest_print_last - how the last run ended
 *
 * A line or some: when it was, how many passed, failed and were skipped, the
 * names of those that failed; or that there was none.
 */
void	selftest_print_last(void);

#endif
