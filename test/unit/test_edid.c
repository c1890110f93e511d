/* SPDX-License-Identifier: ISC */
/*
 * What an EDID says (lib/device/gpu_edid.c): one as QEMU makes them, and damage.
 * Buffers are as long as they are said to be, so that the address sanitizer sees
 * a byte beyond.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/gpu.h>

#include "port.h"

#define BLOCK	128

static uint8_t edid[8 * BLOCK];
static struct pv_gpu_monitor mo;

static void
checksums(void)
{
	unsigned int b, i;
	uint8_t sum;

	for (b = 0; b < sizeof(edid); b += BLOCK) {
		for (sum = 0, i = 0; i < BLOCK - 1; i++)
			sum = (uint8_t)(sum + edid[b + i]);
		edid[b + BLOCK - 1] = (uint8_t)-sum;
	}
}

/* A detailed timing of so many 10 kHz, with blanking, on 260 x 195 mm. */
static void
detailed(uint8_t *p, unsigned int clock, unsigned int w, unsigned int wb,
    unsigned int h, unsigned int hb)
{
	memset(p, 0, 18);
	p[0] = (uint8_t)clock;
	p[1] = (uint8_t)(clock >> 8);
	p[2] = (uint8_t)w;
	p[3] = (uint8_t)wb;
	p[4] = (uint8_t)((w >> 8) << 4 | wb >> 8);
	p[5] = (uint8_t)h;
	p[6] = (uint8_t)hb;
	p[7] = (uint8_t)((h >> 8) << 4 | hb >> 8);
	p[12] = 0x04;			/* 260 x 195 mm */
	p[13] = 0xc3;
	p[14] = 0x10;
}

static void
text(uint8_t *p, uint8_t tag, const char *s)
{
	memset(p, 0, 18);
	p[3] = tag;
	memset(p + 5, ' ', 13);
	memcpy(p + 5, s, strlen(s));
}

static int
setup(void **state)
{
	(void)state;
	port_reset();
	memset(edid, 0, sizeof(edid));
	memcpy(edid, "\0\xff\xff\xff\xff\xff\xff\0", 8);
	edid[8] = 0x49;			/* RHT */
	edid[9] = 0x14;
	edid[10] = 0x34;
	edid[11] = 0x12;
	edid[17] = 24;
	edid[18] = 1;
	edid[19] = 4;
	edid[21] = 33;
	edid[22] = 20;
	memset(edid + 38, 1, 16);
	detailed(edid + 54, 8230, 1024, 288, 768, 72);
	text(edid + 72, 0xfc, "A Monitor\n");
	text(edid + 90, 0xff, "0042\n");
	checksums();
	return 0;
}

static int
parse(size_t len)
{
	uint8_t *exact = malloc(len);
	int error;

	memcpy(exact, edid, len < sizeof(edid) ? len : sizeof(edid));
	error = pv_gpu_edid_parse(exact, len, &mo);
	free(exact);
	return error;
}

static void
identity_is_told(void **state)
{
	(void)state;
	assert_int_equal(parse(BLOCK), 0);
	assert_string_equal(mo.mo_maker, "RHT");
	assert_string_equal(mo.mo_name, "A Monitor");
	assert_string_equal(mo.mo_serial, "0042");
	assert_int_equal(mo.mo_product, 0x1234);
	assert_int_equal(mo.mo_year, 2014);
	assert_int_equal(mo.mo_version, 1);
	assert_int_equal(mo.mo_revision, 4);
	assert_int_equal(mo.mo_extensions, 0);
	assert_int_equal(mo.mo_width_mm, 260);
	assert_int_equal(mo.mo_height_mm, 195);
}

static void
preferred_mode_is_the_first(void **state)
{
	(void)state;
	edid[35] = 0x21;		/* 640 x 480 at 60, 800 x 600 at 60 */
	edid[38] = 1920 / 8 - 31;
	edid[39] = 3 << 6;		/* 16:9, 60 Hz */
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 4);
	assert_int_equal(mo.mo_modes[0].md_width, 1024);
	assert_int_equal(mo.mo_modes[0].md_height, 768);
	/* 82300 kHz over 1312 x 840. */
	assert_int_equal(mo.mo_modes[0].md_mhz, 74676);
	assert_int_equal(mo.mo_modes[1].md_width, 1920);
	assert_int_equal(mo.mo_modes[1].md_height, 1080);
	assert_int_equal(mo.mo_modes[1].md_mhz, 60000);
	assert_int_equal(mo.mo_modes[2].md_width, 640);
	assert_int_equal(mo.mo_modes[3].md_width, 800);
	assert_int_equal(mo.mo_modes[3].md_mhz, 60000);
}

static void
shapes_of_standard_timings(void **state)
{
	static const struct {
		uint8_t width, shape;
		uint16_t height;
	} t[] = { { 1280 / 8 - 31, 0 << 6, 800 }, { 1280 / 8 - 31, 1 << 6, 960 },
	    { 1280 / 8 - 31, 2 << 6, 1024 }, { 1280 / 8 - 31, 3 << 6, 720 } };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		setup(state);
		edid[38 + 14] = t[i].width;	/* the last one */
		edid[39 + 14] = (uint8_t)(t[i].shape | 15);
		checksums();
		assert_int_equal(parse(BLOCK), 0);
		assert_int_equal(mo.mo_nmodes, 2);
		assert_int_equal(mo.mo_modes[1].md_width, 1280);
		assert_int_equal(mo.mo_modes[1].md_height, t[i].height);
		assert_int_equal(mo.mo_modes[1].md_mhz, 75000);
	}
}

static void
all_established_timings(void **state)
{
	(void)state;
	memset(edid + 35, 0xff, 3);
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 18);
	assert_int_equal(mo.mo_modes[17].md_width, 1152);
	assert_int_equal(mo.mo_modes[17].md_height, 870);
}

static void
a_mode_is_told_once(void **state)
{
	(void)state;
	edid[39] = edid[41] = 2 << 6;
	edid[38] = edid[40] = 1280 / 8 - 31;
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 2);
}

static void
timings_of_an_extension(void **state)
{
	unsigned int i;

	(void)state;
	edid[126] = 1;
	edid[BLOCK] = 2;
	edid[BLOCK + 1] = 3;
	edid[BLOCK + 2] = 4;
	for (i = 0; i < 6; i++)
		detailed(edid + BLOCK + 4 + 18 * i, 10000 + i, 1280, 100, 720,
		    20);
	checksums();
	assert_int_equal(parse(2 * BLOCK), 0);
	assert_int_equal(mo.mo_extensions, 1);
	assert_int_equal(mo.mo_nmodes, 7);
	/* They end where the pixel clock is 0, */
	edid[BLOCK + 4 + 36] = edid[BLOCK + 5 + 36] = 0;
	checksums();
	assert_int_equal(parse(2 * BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 3);
	/* begin behind the header, */
	edid[BLOCK + 2] = 3;
	checksums();
	assert_int_equal(parse(2 * BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 1);
	/* and are those of this kind of block alone. */
	edid[BLOCK + 2] = 4;
	edid[BLOCK] = 0x70;
	checksums();
	assert_int_equal(parse(2 * BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 1);
}

/* Wherever they are said to begin, none reaches into the checksum or beyond. */
static void
hostile_place_of_timings(void **state)
{
	unsigned int at;

	(void)state;
	edid[126] = 1;
	memset(edid + BLOCK, 0x11, BLOCK);
	edid[BLOCK] = 2;
	for (at = 0; at < 256; at++) {
		edid[BLOCK + 2] = (uint8_t)at;
		checksums();
		assert_int_equal(parse(2 * BLOCK), 0);
		assert_in_range(mo.mo_nmodes, 1, 8);
		assert_int_equal(mo.mo_nmodes > 1, at >= 4 && at + 18 < BLOCK);
	}
}

static void
more_modes_than_there_is_room_for(void **state)
{
	unsigned int b, i;

	(void)state;
	edid[126] = 7;
	for (b = 1; b < 8; b++) {
		edid[b * BLOCK] = 2;
		edid[b * BLOCK + 2] = 4;
		for (i = 0; i < 6; i++)
			detailed(edid + b * BLOCK + 4 + 18 * i, 10000,
			    100 + 10 * b + i, 10, 720, 20);
	}
	checksums();
	assert_int_equal(parse(8 * BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, PV_GPU_MAXMODES);
}

static void
interlaced_is_twice_as_high(void **state)
{
	(void)state;
	edid[54 + 17] = 0x80;
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_modes[0].md_height, 1536);
}

static void
odd_timings(void **state)
{
	(void)state;
	/* All that a field holds. */
	detailed(edid + 54, 65535, 4095, 4095, 4095, 4095);
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_modes[0].md_mhz, 9770);
	/* No picture is no mode; nothing to divide by is no rate. */
	detailed(edid + 54, 65535, 0, 0, 768, 0);
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 0);
	detailed(edid + 54, 65535, 1, 0, 0, 1);
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 0);
	detailed(edid + 54, 65535, 1, 0, 1, 0);
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 1);
	assert_int_equal(mo.mo_modes[0].md_mhz, 0);
}

static void
size_of_the_first_block(void **state)
{
	(void)state;
	edid[54 + 12] = edid[54 + 13] = edid[54 + 14] = 0;
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_width_mm, 330);
	assert_int_equal(mo.mo_height_mm, 200);
	edid[54 + 12] = 9;
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_width_mm, 330);
}

static void
text_is_ascii(void **state)
{
	(void)state;
	text(edid + 72, 0xfc, "\x1b[7mA\xff" "B      ");
	edid[8] = edid[9] = 0;
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_string_equal(mo.mo_name, "[7mAB");
	assert_string_equal(mo.mo_maker, "???");
	text(edid + 72, 0xfc, "thirteen char");
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_string_equal(mo.mo_name, "thirteen char");
	text(edid + 72, 0xfc, "    \n");
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_string_equal(mo.mo_name, "");
}

static void
modes_differ_in_one_thing(void **state)
{
	(void)state;
	memset(edid + 38, 1, 16);
	detailed(edid + 54, 8230, 1024, 288, 768, 72);
	detailed(edid + 72, 8230, 1000, 312, 768, 72);
	detailed(edid + 90, 8230, 1024, 288, 700, 140);
	detailed(edid + 108, 8230, 1024, 288, 768, 73);
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_int_equal(mo.mo_nmodes, 4);
	assert_int_equal(mo.mo_modes[1].md_width, 1000);
	assert_int_equal(mo.mo_modes[2].md_height, 700);
	assert_int_not_equal(mo.mo_modes[3].md_mhz, mo.mo_modes[0].md_mhz);
}

/* As many thousandths as 32 bits hold, and none from there on. */
static void
the_highest_rate(void **state)
{
	static const struct {
		unsigned int clock, width;
		uint32_t mhz;
	} rates[] = {
		{ 64854, 151, 4294966887u }, { 65535, 152, 0 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		detailed(edid + 54, rates[i].clock, rates[i].width, 0, 1, 0);
		checksums();
		assert_int_equal(parse(BLOCK), 0);
		assert_int_equal(mo.mo_modes[0].md_width, rates[i].width);
		assert_int_equal(mo.mo_modes[0].md_mhz, rates[i].mhz);
	}
}

static void
text_ends_with_its_line_or_its_field(void **state)
{
	(void)state;
	text(edid + 72, 0xfc, "Short\nabcdefg");
	text(edid + 90, 0xff, "twelve bytes~");
	edid[108] = 'x';			/* behind it */
	checksums();
	assert_int_equal(parse(BLOCK), 0);
	assert_string_equal(mo.mo_name, "Short");
	assert_string_equal(mo.mo_serial, "twelve bytes~");
}

static void
hostile_lengths(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(parse(0), EINVAL);
	assert_int_equal(parse(BLOCK - 1), EINVAL);
	edid[126] = 1;
	checksums();
	assert_int_equal(parse(BLOCK), EINVAL);
	assert_int_equal(parse(2 * BLOCK - 1), EINVAL);
	assert_int_equal(parse(2 * BLOCK), 0);
	edid[126] = 255;
	checksums();
	assert_int_equal(parse(8 * BLOCK), EINVAL);
	edid[126] = 0;
	checksums();
	assert_int_equal(pv_gpu_edid_parse(edid, PV_GPU_EDID_MAX + 1, &mo),
	    EINVAL);
	for (i = 0; i < BLOCK; i++) {
		edid[i]++;
		assert_int_equal(parse(BLOCK), EINVAL);
		edid[i]--;
	}
}

#define T(f)	cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(identity_is_told),
		T(preferred_mode_is_the_first),
		T(shapes_of_standard_timings),
		T(all_established_timings),
		T(a_mode_is_told_once),
		T(timings_of_an_extension),
		T(hostile_place_of_timings),
		T(more_modes_than_there_is_room_for),
		T(interlaced_is_twice_as_high),
		T(odd_timings),
		T(size_of_the_first_block),
		T(text_is_ascii),
		T(modes_differ_in_one_thing),
		T(the_highest_rate),
		T(text_ends_with_its_line_or_its_field),
		T(hostile_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
