/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "shell.h"
#include "trial.h"
#include "tty.h"

static struct trial_word *
find(struct trial_word *words, size_t n, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(words[i].tw_name) == len &&
		    memcmp(words[i].tw_name, text, len) == 0)
			return &words[i];
	return NULL;
}

int
trial_words(const char *who, char **argv, struct trial_word *words, size_t n)
{
	struct trial_word *tw;
	const char *equals;

	for (; *argv != NULL; argv++) {
		equals = strchr(*argv, '=');
		tw = equals == NULL ? NULL :
		    find(words, n, *argv, (size_t)(equals - *argv));
		if (tw == NULL) {
			tty_printf("%s: what is `%s'?\n", who, *argv);
			return EINVAL;
		}
		if (shell_number(tw->tw_name, equals + 1, tw->tw_min,
		    tw->tw_max, &tw->tw_value) != 0)
			return EINVAL;
	}
	return 0;
}

uint64_t
trial_mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t
trial_random(uint64_t *state)
{
	return trial_mix(*state += 0x9e3779b97f4a7c15);
}
