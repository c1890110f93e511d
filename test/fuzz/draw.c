/* SPDX-License-Identifier: ISC */
#include "draw.h"
#include "port.h"

#define STEPS	150	/* of a scene from a seed */
#define MOST	2000	/* of one from bytes, that end sooner */
#define RUN	24	/* bytes of a long run that are drawn */

static const uint8_t *bytes, *bytes_end;	/* NULL: from a seed */
static uint64_t state, began_ns;
static int dull;
unsigned int malice, peace;
int silent;
unsigned long rule_asked[NRULES];

void
draw_from_seed(uint64_t seed)
{
	bytes = NULL;
	state = seed * 0x9e3779b97f4a7c15ull + 1;
}

void
draw_from_bytes(const void *p, size_t len)
{
	bytes = p;
	bytes_end = bytes + len;
}

void
draw_dull(int on)
{
	dull = on;
}

static uint32_t
draw_byte(void)
{
	return *bytes++;
}

uint32_t
draw(uint32_t below)
{
	uint32_t v, most;

	if (dull)
		return below - 1;
	if (bytes == NULL) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) %
		    below;
	}
	if (below < 2)
		return 0;
	v = 0;
	for (most = below - 1; most != 0; most >>= 8) {
		if (bytes == bytes_end)
			return below - 1;
		v = v << 8 | draw_byte();
	}
	return v % below;
}

int
draw_more(unsigned int steps)
{
	if (bytes == NULL)
		return steps < STEPS;
	return bytes != bytes_end && steps < MOST;
}

int
lies(void)
{
	if (malice == 0)
		return 0;
	if (peace > 0) {
		peace--;
		return 0;
	}
	return draw(256) < malice;
}

uint32_t
strange(void)
{
	static const uint32_t values[] = { 0, 1, 2, 11, 12, 13, 25, 26, 63, 64,
	    65, 127, 128, 129, 0x7fff, 0x8000, 0xffff, 0x10000, 0x53355885,
	    0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	if (draw(2))
		return values[draw(sizeof(values) / sizeof(values[0]))];
	return draw(UINT32_MAX) >> draw(32);
}

void
scribble(void *v, size_t len)
{
	uint8_t *p = v;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(bytes != NULL && i >= RUN ? p[i - RUN] :
		    draw(256));
}

void
scene_call(void)
{
	began_ns = port.po_now_ns;
}

void
scene_returned(unsigned int seconds)
{
	uint64_t took = port.po_now_ns - began_ns;

	holds(RULE_BOUNDED, took <= seconds * 1000000000ull);
	if (silent)
		holds(RULE_SILENT, took <= seconds * 1000000000ull);
}
