/* SPDX-License-Identifier: ISC */
/*
 * The harness. It prints, for each batch that is asked for,
 *
 *	BATCH instructions I lines L ns T
 *
 * a buffer; of these what was asked for. Lines are 64 bytes, of ring memory
 * alone, counted once in a put and once in a get: between the two the device
 * has had them.
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring.h"

#define WARM		4096	/* buffers, before anything is counted */
#define STEPPED		256	/* buffers at most: each step takes microseconds */
#define LINED		4096
#define FRESH_MAX	10000	/* rounds */
#define TIMES		200000	/* buffers in one measurement of time, */
#define STRETCHES	8	/* in so many parts */

static struct ring rings[QUEUES_MAX];
static struct work work = {
	.wk_size = 256, .wk_queues = 1, .wk_segments = 1
};
static const struct driver *drv;
static bool counted, clocked;		/* what is asked for */
static unsigned int turn;		/* which queue */

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)
static inline uint64_t
cycles(void)
{
	uint64_t c;

	/* Neither before what comes earlier is done, nor beside what follows. */
	__builtin_ia32_lfence();
	c = __builtin_ia32_rdtsc();
	__builtin_ia32_lfence();
	return c;
}
#else
static inline uint64_t
cycles(void)
{
	return now_ns();
}
#endif

static void
check(const char *who, unsigned int did, unsigned int n)
{
	if (did != n)
		errx(1, "%s: %s did %u of %u", drv->dr_name, who, did, n);
}

/* What of a round stands between begin and end. */
enum span {
	SPAN_DRIVER,			/* put, and get, each by itself */
	SPAN_DEVICE,
	SPAN_ALL			/* all three at once */
};

struct meter {
	enum span mt_span;
	void (*mt_begin)(void);
	void (*mt_end)(void);
};

static inline void
begin(const struct meter *mt, enum span span)
{
	if (mt->mt_span == span)
		mt->mt_begin();
}

static inline void
end(const struct meter *mt, enum span span)
{
	if (mt->mt_span == span)
		mt->mt_end();
}

static void
one_round(unsigned int n, const struct meter *mt)
{
	unsigned int q = turn++ % work.wk_queues, put = n, used, got = n;
	unsigned int chains = n * (rings[q].rg_chains ? rings[q].rg_chains : 1);

	if (drv->dr_before != NULL)
		drv->dr_before(q, n);
	begin(mt, SPAN_ALL);
	if (drv->dr_put != NULL) {
		begin(mt, SPAN_DRIVER);
		put = drv->dr_put(q, n);
		end(mt, SPAN_DRIVER);
	}
	begin(mt, SPAN_DEVICE);
	used = device_use(&rings[q], &work, chains);
	end(mt, SPAN_DEVICE);
	if (drv->dr_get != NULL) {
		begin(mt, SPAN_DRIVER);
		got = drv->dr_get(q, n);
		end(mt, SPAN_DRIVER);
	}
	end(mt, SPAN_ALL);
	check("put", put, n);
	check("the device", used, chains);
	check("get", got, n);
}

static void
nothing(void)
{
}

static uint64_t total, began;

static void
end_steps(void)
{
	total += count_steps_end();
}

static void
end_lines(void)
{
	total += count_lines_end();
}

static void
begin_time(void)
{
	began = cycles();
}

static void
end_time(void)
{
	total += cycles() - began;
}

static const struct meter idle = { SPAN_DRIVER, nothing, nothing };
static const struct meter stepped = {
	SPAN_DRIVER, count_steps_begin, end_steps
};
static const struct meter lined = { SPAN_DRIVER, count_lines_begin, end_lines };
static const struct meter timed = { SPAN_ALL, begin_time, end_time };
static const struct meter timed_device = {
	SPAN_DEVICE, begin_time, end_time
};

/*
 * Whole times round the rings, so that what happens once in each is counted as
 * often as it happens; of large ones a part.
 */
static unsigned int
rounds_of(unsigned int batch, unsigned int most)
{
	unsigned int n = work.wk_size / batch * work.wk_queues;

	most /= work.wk_segments;
	while (n > 1 && n * batch > most)
		n /= 2;
	while (n * batch * 2 <= most)
		n *= 2;
	return n;
}

static double
rounds(unsigned int batch, unsigned int n, const struct meter *mt)
{
	unsigned int i;

	total = 0;
	for (i = 0; i < n; i++)
		one_round(batch, mt);
	return (double)total / ((double)n * batch);
}

/* Until what happens once in many rounds has happened. */
static unsigned int
until_fresh(unsigned int batch, const struct meter *mt)
{
	unsigned int n;

	if (drv->dr_fresh == NULL)
		return 0;
	for (n = 1; n < FRESH_MAX; n++) {
		one_round(batch, mt);
		if (drv->dr_fresh())
			return n;
	}
	errx(1, "%s: buffers never come back", drv->dr_name);
}

/* Whole periods of them. */
static double
periods(unsigned int batch, unsigned int n, const struct meter *mt)
{
	unsigned int did = 0;

	if (drv->dr_fresh == NULL)
		return rounds(batch, n, mt);
	until_fresh(batch, &idle);
	total = 0;
	while (did < n)
		did += until_fresh(batch, mt);
	return (double)total / ((double)did * batch);
}

/* Of what is beside a virtqueue's work, a buffer. */
static double
beside(unsigned int batch, unsigned int n, const struct meter *mt)
{
	unsigned int i;

	if (drv->dr_beside == NULL)
		return 0;
	if (drv->dr_beside_n != 0)
		batch = drv->dr_beside_n;
	total = 0;
	for (i = 0; i < n; i++) {
		drv->dr_before(0, batch);
		mt->mt_begin();
		drv->dr_beside(batch);
		mt->mt_end();
	}
	return (double)total / ((double)n * batch);
}

static unsigned int
nothing_done(unsigned int queue, unsigned int n)
{
	(void)queue;
	return n;
}

/* What is counted where there is nothing: of one put, or get. */
static double
empty_steps(void)
{
	static const struct driver empty = { .dr_put = nothing_done };
	const struct driver *real = drv;

	drv = &empty;
	total = 0;
	one_round(0, &stepped);
	drv = real;
	return (double)total;
}

/* In each put, and get, an empty function's are not counted. */
static double
instructions(unsigned int batch)
{
	unsigned int n = rounds_of(batch, STEPPED);
	unsigned int looks = drv->dr_put != NULL && drv->dr_get != NULL ? 2 : 1;
	double each = periods(batch, n, &stepped), empty = empty_steps();

	each -= empty * looks / batch;
	if (drv->dr_beside != NULL)
		each -= beside(batch, n, &stepped) - empty /
		    (drv->dr_beside_n ? drv->dr_beside_n : batch);
	return each;
}

/* What a pair of looks at the clock costs by itself, in cycles. */
static double
look_cycles(void)
{
	uint64_t low = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		total = 0;
		begin_time();
		end_time();
		if (total < low)
			low = total;
	}
	return (double)low;
}

static double
cycles_ns(void)
{
	uint64_t ns = now_ns(), c = cycles();

	while (now_ns() - ns < 10000000)
		;
	return (double)(now_ns() - ns) / (double)(cycles() - c);
}

/* The least of some: what disturbs only adds. */
static double
least(unsigned int batch, const struct meter *mt,
    double (*each)(unsigned int, unsigned int, const struct meter *))
{
	unsigned int i, n = TIMES / STRETCHES / batch / work.wk_segments;
	double low = 0, one;

	for (i = 0; i < STRETCHES; i++) {
		one = each(batch, n ? n : 1, mt);
		if (i == 0 || one < low)
			low = one;
	}
	return low;
}

/*
 * Whole rounds, less what the device takes of them. A look at the clock stands
 * in both.
 */
static double
nanoseconds(unsigned int batch)
{
	double each;

	each = least(batch, &timed, rounds) -
	    least(batch, &timed_device, rounds);
	if (drv->dr_beside != NULL)
		each -= least(batch, &timed, beside) - look_cycles() /
		    (drv->dr_beside_n ? drv->dr_beside_n : batch);
	return each * cycles_ns();
}

static void
measure(unsigned int batch)
{
	const char *why;

	/* Twice round each ring. */
	rounds(batch, (WARM + 2 * work.wk_size * work.wk_queues) / batch,
	    &idle);
	printf("%u", batch);
	if (counted) {
		why = count_open(rings, work.wk_queues);
		if (why != NULL)
			errx(2, "%s", why);
		printf(" instructions %.2f", instructions(batch));
		printf(" lines %.4f",
		    periods(batch, rounds_of(batch, LINED), &lined));
	}
	if (clocked)
		printf(" ns %.3f", nanoseconds(batch));
	printf("\n");
	fflush(stdout);
}

static void __attribute__((__noreturn__))
usage(void)
{
	errx(1, "usage: [--packed] [--in-order] [--in] [--vector] [--count] "
	    "[--time] [--size N] [--queues N] [--segments N] BATCH ...");
}

static const struct option options[] = {
	{ "packed", no_argument, NULL, 'p' },
	{ "in-order", no_argument, NULL, 'o' },
	{ "in", no_argument, NULL, 'i' },
	{ "vector", no_argument, NULL, 'v' },
	{ "count", no_argument, NULL, 'c' },
	{ "time", no_argument, NULL, 't' },
	{ "size", required_argument, NULL, 's' },
	{ "queues", required_argument, NULL, 'q' },
	{ "segments", required_argument, NULL, 'g' },
	{ NULL, 0, NULL, 0 }
};

static void
arguments(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			work.wk_packed = true;
			break;
		case 'o':
			work.wk_in_order = true;
			break;
		case 'i':
			work.wk_in = true;
			break;
		case 'v':
			work.wk_vector = true;
			break;
		case 'c':
			counted = true;
			break;
		case 't':
			clocked = true;
			break;
		case 's':
			work.wk_size = (unsigned int)atoi(optarg);
			break;
		case 'q':
			work.wk_queues = (unsigned int)atoi(optarg);
			break;
		case 'g':
			work.wk_segments = (unsigned int)atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (work.wk_queues == 0 || work.wk_queues > QUEUES_MAX ||
	    work.wk_segments == 0 || optind == argc)
		usage();
}

int
ring_main(int argc, char **argv, const struct driver *driver)
{
	const char *why;
	unsigned int batch;

	drv = driver;
	arguments(argc, argv);
	why = drv->dr_open(&work, rings);
	if (why != NULL)
		errx(2, "%s: %s", drv->dr_name, why);
	for (; optind < argc; optind++) {
		batch = (unsigned int)atoi(argv[optind]);
		if (batch == 0 || batch > BATCH_MAX)
			usage();
		measure(batch);
	}
	return 0;
}
