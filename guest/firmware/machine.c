/* SPDX-License-Identifier: ISC */
/*
 * What both descriptions of the machine share: keeping lists of ranges, and
 * notes of what was odd.
 */
#include <string.h>

#include "machine.h"

/* No arm64 machine has physical addresses beyond 52 bits. */
#define ADDR_END	(UINT64_C(1) << 52)

/* Takes no room in the file, and is not cleared with what does not either. */
struct machine machine __attribute__((section(".bss.keep")));

static size_t
note_append(struct machine *m, size_t at, const char *s)
{
	while (s != NULL && *s != '\0' && at < sizeof(m->m_notes) - 2) {
		char c = *s++;

		m->m_notes[at++] = c >= ' ' && c <= '~' ? c : '?';
	}
	return at;
}

void
machine_note(struct machine *m, const char *a, const char *b, const char *c)
{
	size_t at = strnlen(m->m_notes, sizeof(m->m_notes) - 1);

	if (at >= sizeof(m->m_notes) - 2)
		return;
	at = note_append(m, at, a);
	at = note_append(m, at, b);
	at = note_append(m, at, c);
	m->m_notes[at++] = '\n';
	m->m_notes[at] = '\0';
}

static bool
range_clip(uint64_t *base, uint64_t *end, uint64_t size)
{
	if (*base >= ADDR_END || size == 0)
		return false;
	if (size > ADDR_END - *base)
		size = ADDR_END - *base;
	*end = *base + size;
	return true;
}

static void
range_remove(struct machine_range *r, unsigned *n, unsigned i)
{
	(*n)--;
	memmove(&r[i], &r[i + 1], (*n - i) * sizeof(r[0]));
}

void
machine_add_memory(struct machine *m, uint64_t base, uint64_t size)
{
	uint64_t end, rend;
	unsigned i;

	if (!range_clip(&base, &end, size))
		return;
	base = (base + 0xfff) & ~UINT64_C(0xfff);
	end &= ~UINT64_C(0xfff);
	if (base >= end)
		return;

	/* Swallow all that it touches, then put it where it belongs. */
	for (i = 0; i < m->m_nmem;) {
		rend = m->m_mem[i].mr_base + m->m_mem[i].mr_size;
		if (rend < base || m->m_mem[i].mr_base > end) {
			i++;
			continue;
		}
		if (m->m_mem[i].mr_base < base)
			base = m->m_mem[i].mr_base;
		if (rend > end)
			end = rend;
		range_remove(m->m_mem, &m->m_nmem, i);
	}
	if (m->m_nmem == MACHINE_MAXMEM) {
		machine_note(m, "memory: too many ranges, one left out", NULL,
		    NULL);
		return;
	}
	for (i = m->m_nmem; i > 0 && m->m_mem[i - 1].mr_base > base; i--)
		m->m_mem[i] = m->m_mem[i - 1];
	m->m_mem[i].mr_base = base;
	m->m_mem[i].mr_size = end - base;
	m->m_nmem++;
}

void
machine_add_reserved(struct machine *m, uint64_t base, uint64_t size,
    bool nomap)
{
	uint64_t end;

	if (!range_clip(&base, &end, size))
		return;
	base &= ~UINT64_C(0xfff);
	end = (end + 0xfff) & ~UINT64_C(0xfff);
	if (m->m_nreserved == MACHINE_MAXRESERVED) {
		machine_note(m, "memory: too many reserved ranges", NULL,
		    NULL);
		return;
	}
	m->m_reserved[m->m_nreserved].mr_base = base;
	m->m_reserved[m->m_nreserved].mr_size = end - base;
	m->m_nomap[m->m_nreserved++] = nomap;
}
