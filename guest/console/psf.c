/* SPDX-License-Identifier: ISC */
/* Font files of the Linux console: a header, glyphs, and who is who. */

#include "psf.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define PSF1_HEADER	4
#define PSF1_512	0x01	/* glyphs, not 256 */
#define PSF1_TABLE	0x06	/* either bit: there is a table */
#define PSF1_SEQUENCE	0xfffe
#define PSF1_END	0xffff

#define PSF2_MAGIC	0x864ab572
#define PSF2_HEADER	32
#define PSF2_TABLE	0x01
#define PSF2_SEQUENCE	0xfe
#define PSF2_END	0xff

struct psf {
	const unsigned char	*p_data;
	size_t			 p_len;
	size_t			 p_table;	/* where it begins */
	struct term_font	*p_font;
	struct term_map		*p_map;
};

static uint32_t
get(const struct psf *p, size_t off, unsigned int width)
{
	uint32_t v = 0;
	unsigned int i;

	for (i = 0; i < width; i++)
		if (off + i < p->p_len)
			v |= (uint32_t)p->p_data[off + i] << (8 * i);
	return v;
}

static int
header(struct psf *p)
{
	struct term_font *f = p->p_font;
	uint32_t size, start;

	if (get(p, 0, 2) == 0x0436) {
		f->tf_width = 8;
		f->tf_height = get(p, 3, 1);
		f->tf_nglyphs = get(p, 2, 1) & PSF1_512 ? 512 : 256;
		start = PSF1_HEADER;
		size = f->tf_height;
		if (!(get(p, 2, 1) & PSF1_TABLE))
			return EINVAL;
	} else if (get(p, 0, 4) == PSF2_MAGIC) {
		start = get(p, 8, 4);
		f->tf_nglyphs = get(p, 16, 4);
		size = get(p, 20, 4);
		f->tf_height = get(p, 24, 4);
		f->tf_width = get(p, 28, 4);
		if (!(get(p, 12, 4) & PSF2_TABLE) || start < PSF2_HEADER)
			return EINVAL;
	} else
		return EINVAL;
	if (f->tf_width == 0 || f->tf_width > 32 || f->tf_height == 0 ||
	    f->tf_height > 64 || f->tf_nglyphs == 0 || f->tf_nglyphs > 65535 ||
	    size != (f->tf_width + 7) / 8 * f->tf_height)
		return EINVAL;
	p->p_table = (size_t)start + (size_t)f->tf_nglyphs * size;
	if (start > p->p_len || p->p_table > p->p_len)
		return EINVAL;
	f->tf_bits = p->p_data + start;
	return 0;
}

static void
add(struct psf *p, uint32_t code, unsigned int glyph)
{
	struct term_font *f = p->p_font;

	if (code > 0xffff || f->tf_nmap == PSF_MAP_MAX)
		return;
	p->p_map[f->tf_nmap].tm_code = (uint16_t)code;
	p->p_map[f->tf_nmap].tm_glyph = (uint16_t)glyph;
	f->tf_nmap++;
}

static int
table1(struct psf *p)
{
	size_t off = p->p_table;
	unsigned int glyph, sequence;
	uint32_t code;

	for (glyph = 0; glyph < p->p_font->tf_nglyphs; glyph++) {
		for (sequence = 0;; off += 2) {
			if (off + 2 > p->p_len)
				return EINVAL;
			code = get(p, off, 2);
			if (code == PSF1_END)
				break;
			if (code == PSF1_SEQUENCE)
				sequence = 1;
			else if (!sequence)
				add(p, code, glyph);
		}
		off += 2;
	}
	return 0;
}

/* One character of UTF-8; above 0xffff for what is none. Moves *off. */
static uint32_t
utf8(const struct psf *p, size_t *off)
{
	uint32_t c = get(p, *off, 1), left;

	*off += 1;
	if (c < 0x80)
		return c;
	left = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	c &= 0x3fu >> left;
	while (left-- > 0 && (get(p, *off, 1) & 0xc0) == 0x80) {
		c = c << 6 | (get(p, *off, 1) & 0x3f);
		*off += 1;
	}
	return left + 1 == 0 ? c : 0x110000;
}

static int
table2(struct psf *p)
{
	size_t off = p->p_table;
	unsigned int glyph, sequence;
	uint32_t c;

	for (glyph = 0; glyph < p->p_font->tf_nglyphs; glyph++) {
		for (sequence = 0;;) {
			if (off >= p->p_len)
				return EINVAL;
			c = get(p, off, 1);
			if (c == PSF2_END)
				break;
			if (c == PSF2_SEQUENCE) {
				sequence = 1;
				off++;
				continue;
			}
			c = utf8(p, &off);
			if (!sequence)
				add(p, c, glyph);
		}
		off++;
	}
	return 0;
}

static int
by_code(const void *a, const void *b)
{
	const struct term_map *ma = a, *mb = b;

	return (int)ma->tm_code - (int)mb->tm_code;
}

int
psf_parse(const unsigned char *data, size_t len, struct term_font *f,
    struct term_map *map)
{
	struct psf p = { data, len, 0, f, map };
	int error;

	f->tf_nmap = 0;
	f->tf_map = map;
	error = header(&p);
	if (error)
		return error;
	error = get(&p, 0, 2) == 0x0436 ? table1(&p) : table2(&p);
	if (error)
		return error;
	qsort(map, f->tf_nmap, sizeof(*map), by_code);
	return 0;
}
