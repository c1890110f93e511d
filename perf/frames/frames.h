/* SPDX-License-Identifier: ISC */
/*
 * Frames over vhost-user, to a back end that sends each one back, and a driver
 * in this process that does the same (ours.c, dpdk.c): so many frames circle.
 * A round takes what has come, a burst at most, and sends it on.
 */
#ifndef PERF_FRAMES_H
#define PERF_FRAMES_H

#include <stdbool.h>

#define BURST	32

struct front_params {
	const char *fp_path;		/* the back end's socket */
	bool fp_packed;
	bool fp_in_order;
	bool fp_vector;			/* SIMD, for who has it */
	unsigned int fp_length;		/* of a frame */
	unsigned int fp_size;		/* of a ring */
	unsigned int fp_circling;	/* frames */
};

struct front {
	const char *fr_name;
	/* Returns NULL, or why it can't be. */
	const char *(*fr_open)(const struct front_params *);
	/* Send n new frames, at most a burst; how many it could. */
	unsigned int (*fr_send)(unsigned int n);
	/* Returns how many frames came; what came was sent on. */
	unsigned int (*fr_round)(void);
	/*
	 * Whether the last round did what is done once in many: from one such to
	 * another is counted. NULL: every round is like the others.
	 */
	bool (*fr_fresh)(void);
};

int frames_main(int argc, char **argv, const struct front *);

#endif
