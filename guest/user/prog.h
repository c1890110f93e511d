/* SPDX-License-Identifier: ISC */
/* The programs of the image: a table that the build makes. */
#ifndef GUEST_USER_PROG_H
#define GUEST_USER_PROG_H

#include <stdint.h>

struct user_program {
	const char	*name;
	const uint8_t	*start, *end;
};

extern const struct user_program user_programs[];
extern const uint64_t user_programs_count;

#endif
