/* SPDX-License-Identifier: ISC */
/* UNIT: guest/console/psf.c */
/* UNIT-CFLAGS: -Iguest/console */
/* Font files: good ones, and every damage of a byte and of the length. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "psf.h"

static struct term_map map[PSF_MAP_MAX];
static unsigned char file[8192];

/* Version 1: 256 glyphs of 8x2; 'A' and U+0391 are 65, 'a' is 97. */
static size_t
make1(void)
{
	size_t n = 4 + 256 * 2, glyph;

	memset(file, 0, sizeof(file));
	memcpy(file, "\x36\x04\x02\x02", 4);
	for (glyph = 0; glyph < 256; glyph++) {
		if (glyph == 65) {
			memcpy(file + n, "\x41\x00\x91\x03", 4);
			n += 4;
		} else if (glyph == 97) {
			/* A sequence, which counts for nothing. */
			memcpy(file + n, "\x61\x00\xfe\xff\x62\x00\x01\x03",
			    8);
			n += 8;
		}
		memcpy(file + n, "\xff\xff", 2);
		n += 2;
	}
	return n;
}

/* Version 2: three glyphs of 12x3. */
static size_t
make2(void)
{
	static const unsigned char header[32] = {
		0x72, 0xb5, 0x4a, 0x86, 0, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0,
		3, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 12, 0, 0, 0
	};
	static const unsigned char table[] =
	    "a\xff" "\xe2\x82\xac" "b\xfe" "cd\xff" "\xf0\x9f\x98\x80\xff";

	memset(file, 0, sizeof(file));
	memcpy(file, header, 32);
	memcpy(file + 32 + 18, table, sizeof(table) - 1);
	return 32 + 18 + sizeof(table) - 1;
}

/* Under the sanitizer: a copy that ends where the file ends. */
static int
parse(size_t len, struct term_font *font)
{
	unsigned char *copy = malloc(len + 1);
	int error;

	memcpy(copy, file, len);
	copy = realloc(copy, len > 0 ? len : 1);
	error = psf_parse(copy, len, font, map);
	free(copy);
	return error;
}

static void
test_version_1(void **state)
{
	struct term_font font;

	(void)state;
	assert_int_equal(parse(make1(), &font), 0);
	assert_int_equal(font.tf_width, 8);
	assert_int_equal(font.tf_height, 2);
	assert_int_equal(font.tf_nglyphs, 256);
	assert_int_equal(font.tf_nmap, 3);
	assert_int_equal(map[0].tm_code, 0x41);
	assert_int_equal(map[0].tm_glyph, 65);
	assert_int_equal(map[1].tm_code, 0x61);
	assert_int_equal(map[2].tm_code, 0x391);
	assert_int_equal(map[2].tm_glyph, 65);
}

static void
test_version_2(void **state)
{
	struct term_font font;

	(void)state;
	assert_int_equal(parse(make2(), &font), 0);
	assert_int_equal(font.tf_width, 12);
	assert_int_equal(font.tf_height, 3);
	assert_int_equal(font.tf_nglyphs, 3);
	assert_int_equal(font.tf_nmap, 3);
	assert_int_equal(map[0].tm_code, 'a');
	assert_int_equal(map[1].tm_code, 'b');
	assert_int_equal(map[2].tm_code, 0x20ac);
	assert_int_equal(map[2].tm_glyph, 1);
}

static void
damage(size_t (*make)(void))
{
	struct term_font font;
	size_t len = make(), i, bit;

	for (i = 0; i < len; i++)
		assert_int_equal(parse(i, &font), EINVAL);
	for (i = 0; i < len; i++) {
		for (bit = 0; bit < 8; bit++) {
			make();
			file[i] ^= (unsigned char)(1 << bit);
			if (parse(len, &font) == 0)
				assert_true(font.tf_nmap <= PSF_MAP_MAX);
		}
	}
}

static void
test_damaged_files(void **state)
{
	(void)state;
	damage(make1);
	damage(make2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
