/* SPDX-License-Identifier: ISC */
#ifndef PSF_H
#define PSF_H

#include <stddef.h>

#include "term.h"

/* As many characters as the map of a font can have here. */
#define PSF_MAP_MAX	2048

/*
 * psf_parse - a font file of the Linux console, version 1 or 2, as a font
 *
 * data, len	the file; the font points into it
 * map		room for PSF_MAP_MAX entries; the font points to it too
 *
 * Sequences of several characters, and characters beyond U+FFFF, are left out.
 * Returns 0; EINVAL if it is no such file, or damaged, or its glyphs are wider
 * than 32 or higher than 64 pixels, or it has no table of characters.
 */
int	psf_parse(const unsigned char *data, size_t len, struct term_font *,
	    struct term_map *map);

#endif
