/* SPDX-License-Identifier: ISC */
/*
 * A scene under libFuzzer: FUZZ_SCENE is its function.
 */
#include <stdio.h>
#include <stdlib.h>

#include "draw.h"
#include "port.h"

int LLVMFuzzerInitialize(int *, char ***);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
const char *__asan_default_options(void);

/* Freed memory is kept from use for a scene or two: more costs half the speed. */
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=1:malloc_context_size=4";
}

void
scene_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* For test/fuzz/fuzz.t: which rules were asked for, and how often. */
static void
tell_rules(void)
{
	unsigned int i;

	fprintf(stderr, "rules:");
	for (i = 1; i < NRULES; i++)
		fprintf(stderr, " %lu", rule_asked[i]);
	fprintf(stderr, "\n");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	atexit(tell_rules);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	draw_from_bytes(data, len);
	FUZZ_SCENE();
	return 0;
}
