/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "port.h"
#include "strict.h"

static const struct {
	const char *name, *label, *text;
	unsigned int ordinal;
} rules[STRICT_NRULES] = {
#define X(id, name, label, ordinal, text) \
	[STRICT_##id] = { name, label, text, ordinal },
	STRICT_RULES(X)
#undef X
};

static unsigned int found[STRICT_NRULES];
static unsigned char expected[STRICT_NRULES];
enum strict_rule strict_last = STRICT_NRULES;

void
strict_begin(void)
{
	memset(found, 0, sizeof(found));
	memset(expected, 0, sizeof(expected));
	strict_last = STRICT_NRULES;
}

void
strict_expect(enum strict_rule rule)
{
	expected[rule] = 1;
}

void
strict_broken(enum strict_rule rule, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	found[rule]++;
	if (expected[rule])
		return;
	strict_last = rule;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (rules[rule].ordinal != 0)
		port_violation("strict: %s: %s\n    %s (%s, sentence %u)",
		    rules[rule].name, what, rules[rule].text,
		    rules[rule].label, rules[rule].ordinal);
	else
		port_violation("strict: %s: %s\n    %s (%s)",
		    rules[rule].name, what, rules[rule].text,
		    rules[rule].label);
}

unsigned int
strict_found(enum strict_rule rule)
{
	return found[rule];
}

int
strict_only(enum strict_rule rule)
{
	unsigned int i;

	for (i = 0; i < STRICT_NRULES; i++)
		if ((found[i] != 0) != (i == rule))
			return 0;
	return 1;
}

const char *
strict_name(enum strict_rule rule)
{
	return rule < STRICT_NRULES ? rules[rule].name : NULL;
}
