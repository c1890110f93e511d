/* SPDX-License-Identifier: ISC */
/*
 * Trials of a disk, which write over it: what does it keep, how fast is it.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include "mtypes.h"

/* Words NAME=NUMBER of a command: one value each, the default before. */
struct trial_word {
	const char		*tw_name;
	unsigned long long	tw_value;
	unsigned long long	tw_min, tw_max;
};

/* trial_words - 0, or it has said what is wrong and returns EINVAL */
int	trial_words(const char *who, char **argv, struct trial_word *,
	    size_t n);

/* splitmix64: the next of a sequence, and what makes it */
uint64_t trial_random(uint64_t *state);
uint64_t trial_mix(uint64_t);

#endif
