/* SPDX-License-Identifier: ISC */
/*
 * Partition tables: GPT (UEFI Specification, GUID Partition Table) and the MBR
 * with its chain of extended partitions. Every field is the disk's word and is
 * checked before it is used; nothing is written.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diskvar.h"
#include "kmem.h"
#include "le.h"

#define GPT_HEADER	92u		/* the least length of a header */
#define GPT_ENTRY	128u		/* of an entry */
#define GPT_ENTRY_MAX	4096u
#define GPT_ARRAY_MAX	(256u << 10)	/* of all entries */
#define GPT_NAME	36		/* UTF-16 units */
#define MBR_TABLE	446
#define MBR_ENTRY	16
#define MBR_GPT		0xee
#define MESSAGES	8		/* of one table; the others are alike */

struct scan {
	const struct part_source *sc_src;
	struct disk_part *sc_parts;
	unsigned	sc_max, sc_n;
	uint64_t	sc_sectors;
	uint8_t		*sc_buf;	/* GPT_ENTRY_MAX bytes */
	unsigned	sc_said;
};

struct gpt {
	uint64_t	g_lba;		/* of the header */
	uint64_t	g_alternate;
	uint64_t	g_first, g_last;	/* usable */
	uint64_t	g_array;
	uint32_t	g_count, g_size, g_crc;
};

static void
say(struct scan *sc, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
say(struct scan *sc, const char *fmt, ...)
{
	char text[120];
	va_list ap;

	if (sc->sc_said++ >= MESSAGES)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sc->sc_src->ps_say(sc->sc_src->ps_arg, text);
}

static int
read_at(const struct scan *sc, uint64_t off, void *buf, size_t len)
{
	uint64_t size = sc->sc_src->ps_size;

	if (off > size || len > size - off)
		return EINVAL;
	return sc->sc_src->ps_read(sc->sc_src->ps_arg, off, buf, len);
}

static int
read_sector(const struct scan *sc, uint64_t lba, void *buf, size_t len)
{
	if (lba >= sc->sc_sectors)
		return EINVAL;
	return read_at(sc, lba * sc->sc_src->ps_sector, buf, len);
}

/* The CRC that GPT and Ethernet use: half a byte at a time, in 64 bytes. */
static uint32_t
crc_add(uint32_t crc, const uint8_t *p, size_t len)
{
	static const uint32_t half[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (; len > 0; len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ half[crc & 15];
		crc = crc >> 4 ^ half[crc & 15];
	}
	return crc;
}

uint32_t
part_crc32(const void *p, size_t len)
{
	return part_crc32_add(0, p, len);
}

uint32_t
part_crc32_add(uint32_t crc, const void *p, size_t len)
{
	return ~crc_add(~crc, p, len);
}

/* What was found */

static const struct disk_part *
overlapped(const struct scan *sc, uint64_t start, uint64_t size)
{
	const struct disk_part *dp;
	unsigned i;

	for (i = 0; i < sc->sc_n; i++) {
		dp = &sc->sc_parts[i];
		if (start < dp->dp_start + dp->dp_size &&
		    dp->dp_start < start + size)
			return dp;
	}
	return NULL;
}

/*
 * In sectors; the caller fills type and label of what it gets. NULL: not taken.
 */
static struct disk_part *
add(struct scan *sc, unsigned number, uint64_t first, uint64_t count)
{
	uint32_t sector = sc->sc_src->ps_sector;
	const struct disk_part *other;
	struct disk_part *dp;

	if (count == 0 || first >= sc->sc_sectors ||
	    count > sc->sc_sectors - first) {
		say(sc, "partition %u lies beyond the end: left out", number);
		return NULL;
	}
	other = overlapped(sc, first * sector, count * sector);
	if (other != NULL) {
		say(sc, "partition %u overlaps partition %u: left out", number,
		    other->dp_number);
		return NULL;
	}
	if (sc->sc_n == sc->sc_max) {
		say(sc, "more than %u partitions: the others are left out",
		    sc->sc_max);
		return NULL;
	}
	dp = &sc->sc_parts[sc->sc_n++];
	memset(dp, 0, sizeof(*dp));
	dp->dp_number = number;
	dp->dp_start = first * sector;
	dp->dp_size = count * sector;
	return dp;
}

/* GPT */

static const char *
header_fault(uint8_t *h, uint64_t lba)
{
	uint32_t size = get32(h + 12), crc = get32(h + 16);

	if (memcmp(h, "EFI PART", 8) != 0)
		return "no signature";
	if (size < GPT_HEADER || size > DISK_SECTOR)
		return "its length";
	memset(h + 16, 0, 4);
	if (part_crc32(h, size) != crc)
		return "its checksum";
	if (get32(h + 8) >> 16 != 1)
		return "its revision";
	if (get64(h + 24) != lba)
		return "it names another place";
	return NULL;
}

static const char *
array_fault(const struct scan *sc, const struct gpt *g)
{
	uint64_t bytes = (uint64_t)g->g_count * g->g_size, sectors;

	if (g->g_size < GPT_ENTRY || g->g_size > GPT_ENTRY_MAX ||
	    (g->g_size & (g->g_size - 1)) != 0)
		return "the length of an entry";
	if (g->g_count == 0 || bytes > GPT_ARRAY_MAX)
		return "the number of entries";
	sectors = (bytes + sc->sc_src->ps_sector - 1) / sc->sc_src->ps_sector;
	if (g->g_array < 2 || g->g_array >= sc->sc_sectors ||
	    sectors > sc->sc_sectors - g->g_array)
		return "the place of its entries";
	if (g->g_first > g->g_last || g->g_last >= sc->sc_sectors)
		return "the range of its partitions";
	return NULL;
}

/* In sectors' pieces: an entry never straddles one, or is whole ones. */
static int
array_crc(const struct scan *sc, const struct gpt *g, uint32_t *crc)
{
	uint64_t off = g->g_array * sc->sc_src->ps_sector;
	uint64_t left = (uint64_t)g->g_count * g->g_size;
	size_t n;
	int error;

	*crc = UINT32_MAX;
	for (; left > 0; left -= n, off += n) {
		n = left < GPT_ENTRY_MAX ? (size_t)left : GPT_ENTRY_MAX;
		error = read_at(sc, off, sc->sc_buf, n);
		if (error != 0)
			return error;
		*crc = crc_add(*crc, sc->sc_buf, n);
	}
	*crc = ~*crc;
	return 0;
}

/* *why NULL: it is good. The value is why it could not be read. */
static int
gpt_read(const struct scan *sc, uint64_t lba, struct gpt *g, const char **why)
{
	uint8_t h[DISK_SECTOR];
	uint32_t crc;
	int error;

	error = read_sector(sc, lba, h, sizeof(h));
	*why = "it can't be read";
	if (error != 0)
		return error == EINVAL ? 0 : error;
	*why = header_fault(h, lba);
	if (*why != NULL)
		return 0;
	g->g_lba = lba;
	g->g_alternate = get64(h + 32);
	g->g_first = get64(h + 40);
	g->g_last = get64(h + 48);
	g->g_array = get64(h + 72);
	g->g_count = get32(h + 80);
	g->g_size = get32(h + 84);
	g->g_crc = get32(h + 88);
	*why = array_fault(sc, g);
	if (*why != NULL)
		return 0;
	error = array_crc(sc, g, &crc);
	if (error != 0)
		*why = "its entries can't be read";
	else if (crc != g->g_crc)
		*why = "the checksum of its entries";
	return error;
}

static void
guid_type(const uint8_t *p, char *buf, size_t len)
{
	static const struct {
		uint8_t	gt_guid[16];
		const char *gt_name;
	} known[] = {
		{ { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b,
		    0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b }, "EFI system" },
		{ { 0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79,
		    0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4 }, "Linux" },
		{ { 0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0,
		    0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7 }, "basic data" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memcmp(p, known[i].gt_guid, 16) == 0) {
			snprintf(buf, len, "%s", known[i].gt_name);
			return;
		}
	snprintf(buf, len, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	    get32(p), get16(p + 4), get16(p + 6), p[8], p[9], p[10], p[11],
	    p[12], p[13], p[14], p[15]);
}

static void
gpt_name(const uint8_t *p, char *buf)
{
	uint16_t c;
	int i;

	for (i = 0; i < GPT_NAME; i++) {
		c = get16(p + 2 * i);
		if (c == 0)
			break;
		buf[i] = c >= ' ' && c < 0x7f ? (char)c : '?';
	}
	buf[i] = '\0';
}

static void
gpt_entry(struct scan *sc, const struct gpt *g, unsigned number,
    const uint8_t *e)
{
	static const uint8_t unused[16];
	uint64_t first = get64(e + 32), last = get64(e + 40);
	struct disk_part *dp;

	if (memcmp(e, unused, sizeof(unused)) == 0)
		return;
	if (first > last || first < g->g_first || last > g->g_last) {
		say(sc, "partition %u lies outside of what the GPT gives away: "
		    "left out", number);
		return;
	}
	dp = add(sc, number, first, last - first + 1);
	if (dp == NULL)
		return;
	guid_type(e, dp->dp_type, sizeof(dp->dp_type));
	gpt_name(e + 56, dp->dp_label);
}

static int
gpt_entries(struct scan *sc, const struct gpt *g)
{
	uint64_t off = g->g_array * sc->sc_src->ps_sector, left;
	size_t in = GPT_ENTRY_MAX;
	uint32_t i;
	int error;

	for (i = 0; i < g->g_count; i++, in += g->g_size) {
		if (in == GPT_ENTRY_MAX) {
			in = 0;
			left = (uint64_t)(g->g_count - i) * g->g_size;
			error = read_at(sc, off + (uint64_t)i * g->g_size,
			    sc->sc_buf, left < GPT_ENTRY_MAX ? (size_t)left :
			    GPT_ENTRY_MAX);
			if (error != 0)
				return error;
		}
		gpt_entry(sc, g, i + 1, sc->sc_buf + in);
	}
	return 0;
}

/* The second header's place is the first's word, or else the disk's end. */
static int
gpt_scan(struct scan *sc)
{
	uint64_t last = sc->sc_sectors - 1;
	const char *first_why, *why;
	struct gpt g, other;
	int first, error;

	memset(&g, 0, sizeof(g));
	first = gpt_read(sc, 1, &g, &first_why);
	if (first_why == NULL && g.g_alternate < sc->sc_sectors)
		last = g.g_alternate;
	error = gpt_read(sc, last, &other, &why);
	if (first_why != NULL && why != NULL && (first != 0 || error != 0))
		return first != 0 ? first : error;
	if (first_why == NULL) {
		if (why != NULL)
			say(sc, "the backup GPT is damaged (%s): the first "
			    "is used", why);
	} else if (why == NULL) {
		say(sc, "the first GPT is damaged (%s): the backup at sector "
		    "%llu is used", first_why, (unsigned long long)last);
		g = other;
	} else {
		say(sc, "the GPT is damaged (%s), and so is its backup (%s): no "
		    "partitions", first_why, why);
		return 0;
	}
	return gpt_entries(sc, &g);
}

/* MBR */

static bool
is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static void
mbr_add(struct scan *sc, unsigned number, uint8_t type, uint64_t first,
    uint64_t count)
{
	struct disk_part *dp = add(sc, number, first, count);

	if (dp == NULL)
		return;
	if (type == 0xef)
		snprintf(dp->dp_type, sizeof(dp->dp_type), "EFI system");
	else
		snprintf(dp->dp_type, sizeof(dp->dp_type), "0x%02x", type);
}

/*
 * A chain of tables, each with one partition and where the next table is,
 * counted from the chain's start. A chain goes up the disk or is at fault.
 */
static int
mbr_chain(struct scan *sc, uint64_t start, uint64_t count, unsigned *number)
{
	uint64_t at = start, next;
	uint8_t t[DISK_SECTOR];
	const uint8_t *e = t + MBR_TABLE;
	unsigned links = 0;
	int error;

	for (;;) {
		error = read_sector(sc, at, t, sizeof(t));
		if (error == EINVAL || (error == 0 && get16(t + 510) != 0xaa55)) {
			say(sc, "the chain of extended partitions ends without "
			    "a table at sector %llu", (unsigned long long)at);
			return 0;
		}
		if (error != 0)
			return error;
		if (e[4] != 0)
			mbr_add(sc, (*number)++, e[4], at + get32(e + 8),
			    get32(e + 12));
		if (e[MBR_ENTRY + 4] == 0)
			return 0;
		next = start + get32(e + MBR_ENTRY + 8);
		if (next <= at || next >= start + count ||
		    ++links > DISK_PARTS) {
			say(sc, "the chain of extended partitions goes astray "
			    "at sector %llu", (unsigned long long)at);
			return 0;
		}
		at = next;
	}
}

/* A boot sector without a table has other bytes there. */
static bool
mbr_plausible(const uint8_t *t)
{
	const uint8_t *e;
	bool any = false;

	for (e = t + MBR_TABLE; e < t + 510; e += MBR_ENTRY) {
		if ((e[0] & 0x7f) != 0)
			return false;
		if (e[4] != 0 && get32(e + 12) == 0)
			return false;
		any = any || e[4] != 0;
	}
	return any;
}

static int
mbr_scan(struct scan *sc, const uint8_t *t)
{
	unsigned i, number = 5;
	const uint8_t *e;
	int error;

	for (i = 0; i < 4; i++) {
		e = t + MBR_TABLE + i * MBR_ENTRY;
		if (e[4] != 0 && !is_extended(e[4]))
			mbr_add(sc, i + 1, e[4], get32(e + 8), get32(e + 12));
	}
	for (i = 0; i < 4; i++) {
		e = t + MBR_TABLE + i * MBR_ENTRY;
		if (!is_extended(e[4]))
			continue;
		error = mbr_chain(sc, get32(e + 8), get32(e + 12), &number);
		if (error != 0)
			return error;
	}
	return 0;
}

static bool
is_protective(const uint8_t *t)
{
	const uint8_t *e;

	for (e = t + MBR_TABLE; e < t + 510; e += MBR_ENTRY)
		if (e[4] == MBR_GPT)
			return true;
	return false;
}

static int
scan_any(struct scan *sc, enum part_scheme *scheme)
{
	uint8_t t[DISK_SECTOR];
	int error;

	error = read_sector(sc, 0, t, sizeof(t));
	if (error != 0)
		return error;
	if (get16(t + 510) != 0xaa55 || !mbr_plausible(t))
		return 0;
	if (!is_protective(t)) {
		*scheme = PART_MBR;
		return mbr_scan(sc, t);
	}
	*scheme = PART_GPT;
	return gpt_scan(sc);
}

int
part_scan(const struct part_source *src, struct disk_part *parts, unsigned max,
    unsigned *n, enum part_scheme *scheme)
{
	struct scan sc = { src, parts, max, 0, src->ps_size / src->ps_sector,
	    NULL, 0 };
	int error;

	*n = 0;
	*scheme = PART_NONE;
	if (sc.sc_sectors == 0)
		return 0;
	sc.sc_buf = kmalloc(GPT_ENTRY_MAX);
	if (sc.sc_buf == NULL)
		return ENOMEM;
	error = scan_any(&sc, scheme);
	kfree(sc.sc_buf);
	*n = sc.sc_n;
	return error;
}
