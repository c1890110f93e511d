/* SPDX-License-Identifier: ISC */
/*
 * The harness. It prints, of what is asked for,
 *
 *	frames N us M		in a measurement of time
 *	frames N instructions M	of as many frames; a round that finds nothing
 *				is not counted
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../clock.h"
#include "frames.h"
#include "ring.h"

#define WARM		20000u		/* frames */
#define STEPPED		256u		/* frames: each step takes long */
#define STUCK_US	10000000u
#define LOOK		256u		/* rounds between looks at the clock */

static const struct front *fr;
static struct front_params params = {
	.fp_length = 64, .fp_size = 256, .fp_circling = 128
};

/* What is asked for: instructions, and time over so many ms, or 0. */
static bool counted;
static unsigned int ms;

/* Until so many frames came, or the time has passed; 0: that is no matter. */
static uint64_t
circle(uint64_t frames, uint64_t us)
{
	uint64_t began = now_us(), last = began, now, had = 0, n = 0;
	unsigned int rounds = 0;

	while (frames == 0 || n < frames) {
		n += fr->fr_round();
		if (++rounds % LOOK != 0)
			continue;
		now = now_us();
		if (us != 0 && now - began >= us)
			break;
		if (n != had) {
			had = n;
			last = now;
		} else if (now - last > STUCK_US)
			errx(1, "%s: no frame comes any more", fr->fr_name);
	}
	return n;
}

static void
start(void)
{
	uint64_t until = now_us() + STUCK_US;
	unsigned int left = params.fp_circling;

	/* The back end may not yet be so far. */
	while (left > 0) {
		left -= fr->fr_send(left < BURST ? left : BURST);
		if (now_us() > until)
			errx(1, "%s: frames can't be sent", fr->fr_name);
	}
	circle(WARM, STUCK_US / 2);
}

static void
time_it(void)
{
	uint64_t began = now_us(), frames = circle(0, (uint64_t)ms * 1000);

	printf("frames %" PRIu64 " us %" PRIu64 "\n", frames,
	    now_us() - began);
}

static unsigned int
empty_round(void)
{
	return 0;
}

static uint64_t
steps_of(unsigned int (*each)(void), unsigned int *n)
{
	count_steps_begin();
	*n = each();
	return count_steps_end();
}

/* A round that finds something, and its instructions. */
static unsigned int
stepped_round(uint64_t *steps)
{
	unsigned int n, idle;

	for (idle = 0; idle < 100000; idle++) {
		*steps = steps_of(fr->fr_round, &n);
		if (n == 0)
			continue;
		*steps -= steps_of(empty_round, &idle);
		return n;
	}
	errx(1, "%s: no frame comes any more", fr->fr_name);
}

static void
step_it(void)
{
	uint64_t frames = 0, steps = 0, one;
	const char *why = count_open(NULL, 0);
	bool counting = fr->fr_fresh == NULL, fresh;
	unsigned int rounds;

	if (why != NULL)
		errx(2, "%s", why);
	for (rounds = 0; rounds < STEPPED; rounds++) {
		unsigned int n = stepped_round(&one);

		if (counting) {
			frames += n;
			steps += one;
		}
		fresh = fr->fr_fresh == NULL || fr->fr_fresh();
		if (fresh && frames >= STEPPED)
			break;
		counting = counting || fresh;
	}
	printf("frames %" PRIu64 " instructions %" PRIu64 "\n", frames, steps);
}

static const struct option options[] = {
	{ "packed", no_argument, NULL, 'p' },
	{ "in-order", no_argument, NULL, 'o' },
	{ "vector", no_argument, NULL, 'v' },
	{ "count", no_argument, NULL, 'c' },
	{ "ms", required_argument, NULL, 't' },
	{ "length", required_argument, NULL, 'l' },
	{ "circling", required_argument, NULL, 'n' },
	{ NULL, 0, NULL, 0 }
};

static void __attribute__((__noreturn__))
usage(void)
{
	errx(1, "usage: [--packed] [--in-order] [--vector] [--count] [--ms N] "
	    "[--length N] [--circling N] SOCKET");
}

static void
arguments(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			params.fp_packed = true;
			break;
		case 'o':
			params.fp_in_order = true;
			break;
		case 'v':
			params.fp_vector = true;
			break;
		case 'c':
			counted = true;
			break;
		case 't':
			ms = (unsigned int)atoi(optarg);
			break;
		case 'l':
			params.fp_length = (unsigned int)atoi(optarg);
			break;
		case 'n':
			params.fp_circling = (unsigned int)atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc - 1)
		usage();
	params.fp_path = argv[optind];
}

int
frames_main(int argc, char **argv, const struct front *front)
{
	const char *why;

	fr = front;
	arguments(argc, argv);
	why = fr->fr_open(&params);
	if (why != NULL)
		errx(2, "%s: %s", fr->fr_name, why);
	start();
	if (ms != 0)
		time_it();
	if (counted)
		step_it();
	fflush(stdout);
	/* The back end sees the connection close. */
	_Exit(0);
}
