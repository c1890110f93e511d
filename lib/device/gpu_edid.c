/* SPDX-License-Identifier: ISC */
/*
 * EDID: read from the device, and what it says (VESA Enhanced EDID 1.4; its
 * extension CTA-861).
 */
#include "gpuvar.h"

#define EDID_MAKER		8	/* three letters of five bits */
#define EDID_PRODUCT		10
#define EDID_YEAR		17
#define EDID_VERSION		18
#define EDID_WIDTH_CM		21
#define EDID_HEIGHT_CM		22
#define EDID_ESTABLISHED	35
#define EDID_STANDARD		38
#define EDID_NSTANDARD		8
#define EDID_DETAILED		54
#define EDID_NDETAILED		4
#define EDID_DETAILED_LEN	18
#define EDID_EXTENSIONS		126

#define EDID_TAG_SERIAL		0xff
#define EDID_TAG_NAME		0xfc
#define EDID_TEXT		5
#define EDID_TEXT_LEN		13

#define EDID_CTA		0x02
#define EDID_CTA_DETAILED	2	/* where they begin */

/* Blocks of an EDID in the len bytes at p, all of them sound; 0 if not so. */
static unsigned int
gpu_edid_blocks(const uint8_t *p, size_t len)
{
	static const uint8_t magic[8] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00
	};
	unsigned int blocks, i;
	uint8_t sum = 0;

	if (len < GPU_BLOCK || len > PV_GPU_EDID_MAX ||
	    memcmp(p, magic, sizeof(magic)) != 0)
		return 0;
	blocks = p[EDID_EXTENSIONS] + 1u;	/* and this one */
	if (blocks * GPU_BLOCK > len)
		return 0;
	for (i = 0; i < blocks * GPU_BLOCK; i++) {
		sum = (uint8_t)(sum + p[i]);
		if (i % GPU_BLOCK == GPU_BLOCK - 1 && sum != 0)
			return 0;
	}
	return blocks;
}

/* Room for a head's EDID, at its first; it stays until the end. */
static uint8_t *
gpu_edid_room(struct pv_gpu_head *head)
{
	if (head->gh_edid == NULL)
		head->gh_edid = pv_kern_alloc(PV_GPU_EDID_MAX);
	return head->gh_edid;
}

/* A display is of use without its EDID: only a broken device is an error. */
int
gpu_read_edid(struct pv_gpu *sc, unsigned int i)
{
	struct pv_gpu_head *head = &sc->sc_heads[i];
	const uint8_t *answer = sc->sc_cmds->gc_answer;
	uint32_t len, size;
	uint8_t *p;
	int error;

	head->gh_edid_blocks = 0;
	if (!pv_virtio_has(sc->sc_dev, PV_GPU_F_EDID))
		return 0;
	if (gpu_edid_room(head) == NULL)
		return 0;
	p = gpu_begin_command(sc, GPU_CMD_GET_EDID);
	pv_dev_put32(p + GPU_EDID_SCANOUT, i);
	error = gpu_command(sc, GPU_EDID_LEN, NULL, GPU_EDID_RESP_LEN);
	if (error == 0)
		error = gpu_answered(sc, GPU_RESP_OK_EDID, GPU_EDID_RESP_DATA,
		    &len);
	if (error)
		return pv_virtio_broken(sc->sc_dev) != NULL ? error : 0;
	size = pv_dev_get32(answer + GPU_EDID_RESP_SIZE);
	if (size > len - GPU_EDID_RESP_DATA)
		return 0;
	head->gh_edid_blocks = (uint8_t)gpu_edid_blocks(
	    answer + GPU_EDID_RESP_DATA, size);
	memcpy(head->gh_edid, answer + GPU_EDID_RESP_DATA,
	    head->gh_edid_blocks * (size_t)GPU_BLOCK);
	return 0;
}

size_t
pv_gpu_head_edid(const struct pv_gpu *sc, unsigned int i, const uint8_t **p)
{
	*p = NULL;
	if (i >= sc->sc_nscanouts)
		return 0;
	*p = sc->sc_heads[i].gh_edid;
	return sc->sc_heads[i].gh_edid_blocks * (size_t)GPU_BLOCK;
}

size_t
pv_gpu_edid(const struct pv_gpu *sc, const uint8_t **p)
{
	return pv_gpu_head_edid(sc, sc->sc_scanout, p);
}

/* What it says */

static void
add_mode(struct pv_gpu_monitor *mo, unsigned int width, unsigned int height,
    uint32_t mhz)
{
	struct pv_gpu_mode *md;
	unsigned int i;

	if (width == 0 || height == 0 || mo->mo_nmodes == PV_GPU_MAXMODES)
		return;
	for (i = 0; i < mo->mo_nmodes; i++) {
		md = &mo->mo_modes[i];
		if (md->md_width == width && md->md_height == height &&
		    md->md_mhz == mhz)
			return;
	}
	md = &mo->mo_modes[mo->mo_nmodes++];
	md->md_width = (uint16_t)width;
	md->md_height = (uint16_t)height;
	md->md_mhz = mhz;
}

/* rate / total in thousandths; total is below 2^26. Without 64-bit division. */
static uint32_t
thousandths(uint32_t rate, uint32_t total)
{
	uint32_t q, rest;
	unsigned int i;

	if (total == 0)
		return 0;
	q = rate / total;
	rest = rate % total;
	if (q > UINT32_MAX / 1000 - 1)
		return 0;
	for (i = 0; i < 3; i++) {
		q = q * 10 + rest * 10 / total;
		rest = rest * 10 % total;
	}
	return q;
}

/* A detailed timing; how large the picture is, if nobody has said. */
static void
add_detailed(struct pv_gpu_monitor *mo, const uint8_t *p)
{
	uint32_t clock = pv_dev_get16(p);	/* of 10 kHz */
	unsigned int width = p[2] | (p[4] & 0xf0u) << 4;
	unsigned int height = p[5] | (p[7] & 0xf0u) << 4;
	uint32_t total = (width + (p[3] | (p[4] & 0xfu) << 8)) *
	    (height + (p[6] | (p[7] & 0xfu) << 8));

	if (mo->mo_nmodes == 0) {
		mo->mo_width_mm = (uint16_t)(p[12] | (p[14] & 0xf0u) << 4);
		mo->mo_height_mm = (uint16_t)(p[13] | (p[14] & 0xfu) << 8);
	}
	if (p[17] & 0x80)			/* interlaced */
		height *= 2;
	add_mode(mo, width, height, thousandths(clock * 10000, total));
}

static void
take_text(char *to, const uint8_t *p)
{
	unsigned int i, n = 0;

	for (i = 0; i < EDID_TEXT_LEN && p[i] != '\n'; i++)
		if (p[i] >= ' ' && p[i] <= '~')
			to[n++] = (char)p[i];
	while (n > 0 && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

static void
take_descriptor(struct pv_gpu_monitor *mo, const uint8_t *p)
{
	if (pv_dev_get16(p) != 0)
		add_detailed(mo, p);
	else if (p[3] == EDID_TAG_NAME)
		take_text(mo->mo_name, p + EDID_TEXT);
	else if (p[3] == EDID_TAG_SERIAL)
		take_text(mo->mo_serial, p + EDID_TEXT);
}

/* Detailed timings from a block's byte at on, as far as they go. */
static void
take_extension(struct pv_gpu_monitor *mo, const uint8_t *block)
{
	unsigned int at = block[EDID_CTA_DETAILED];

	if (block[0] != EDID_CTA || at < 4)
		return;
	for (; at + EDID_DETAILED_LEN < GPU_BLOCK &&
	    pv_dev_get16(block + at) != 0; at += EDID_DETAILED_LEN)
		add_detailed(mo, block + at);
}

static void
take_standard(struct pv_gpu_monitor *mo, const uint8_t *p)
{
	static const uint8_t ratio[4][2] = {
		{ 16, 10 }, { 4, 3 }, { 5, 4 }, { 16, 9 }
	};
	unsigned int width = (p[0] + 31u) * 8, shape = p[1] >> 6;

	/* 01 01 is what stands where there is none; 00 never is one. */
	if (p[0] <= 1)
		return;
	add_mode(mo, width, width * ratio[shape][1] / ratio[shape][0],
	    ((p[1] & 0x3fu) + 60) * 1000);
}

static void
take_established(struct pv_gpu_monitor *mo, const uint8_t *p)
{
	/* From the first byte's highest bit down. */
	static const struct {
		uint16_t width, height;
		uint8_t hz;
	} established[] = {
		{ 720, 400, 70 }, { 720, 400, 88 }, { 640, 480, 60 },
		{ 640, 480, 67 }, { 640, 480, 72 }, { 640, 480, 75 },
		{ 800, 600, 56 }, { 800, 600, 60 }, { 800, 600, 72 },
		{ 800, 600, 75 }, { 832, 624, 75 }, { 1024, 768, 87 },
		{ 1024, 768, 60 }, { 1024, 768, 70 }, { 1024, 768, 75 },
		{ 1280, 1024, 75 }, { 1152, 870, 75 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(established) / sizeof(established[0]); i++)
		if (p[i / 8] & 0x80 >> i % 8)
			add_mode(mo, established[i].width,
			    established[i].height, established[i].hz * 1000u);
}

static void
take_identity(struct pv_gpu_monitor *mo, const uint8_t *p)
{
	unsigned int maker = (unsigned int)p[EDID_MAKER] << 8 |
	    p[EDID_MAKER + 1], i, letter;

	for (i = 0; i < 3; i++) {
		letter = maker >> (10 - 5 * i) & 31;
		mo->mo_maker[i] = letter >= 1 && letter <= 26 ?
		    (char)('@' + letter) : '?';
	}
	mo->mo_product = pv_dev_get16(p + EDID_PRODUCT);
	mo->mo_year = (uint16_t)(1990 + p[EDID_YEAR]);
	mo->mo_version = p[EDID_VERSION];
	mo->mo_revision = p[EDID_VERSION + 1];
	mo->mo_extensions = p[EDID_EXTENSIONS];
}

int
pv_gpu_edid_parse(const uint8_t *p, size_t len, struct pv_gpu_monitor *mo)
{
	unsigned int blocks = gpu_edid_blocks(p, len), i;

	memset(mo, 0, sizeof(*mo));
	if (blocks == 0)
		return EINVAL;
	take_identity(mo, p);
	for (i = 0; i < EDID_NDETAILED; i++)
		take_descriptor(mo, p + EDID_DETAILED + i * EDID_DETAILED_LEN);
	for (i = 1; i < blocks; i++)
		take_extension(mo, p + i * GPU_BLOCK);
	for (i = 0; i < EDID_NSTANDARD; i++)
		take_standard(mo, p + EDID_STANDARD + 2 * i);
	take_established(mo, p + EDID_ESTABLISHED);
	if (mo->mo_width_mm == 0 || mo->mo_height_mm == 0) {
		mo->mo_width_mm = (uint16_t)(10 * p[EDID_WIDTH_CM]);
		mo->mo_height_mm = (uint16_t)(10 * p[EDID_HEIGHT_CM]);
	}
	return 0;
}
