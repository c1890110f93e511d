/* SPDX-License-Identifier: ISC */
/*
 * Every directory is walked from the root on, and every chain is followed and
 * marked. A cluster is marked once: a chain that comes to a marked one loops or
 * meets another, and is not followed further, so that the walk ends.
 */
#include "fatcheck.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kmem.h"
#include "le.h"

#define CLUSTERS_MAX	(16u << 20)
#define DEPTH		32		/* of directories */
#define WINDOW		4096u
#define FINDINGS	16		/* said; the others are counted */
#define ENTRY		32u
#define ATTR_LONG	0x0f
#define ATTR_VOLUME	0x08
#define ATTR_DIR	0x10
#define END		UINT32_MAX

struct place {				/* in a directory */
	uint32_t	pl_cluster;	/* 0: the root of FAT12, FAT16 */
	uint32_t	pl_off;		/* in that cluster */
};

struct check {
	const struct fat_source *ck_src;
	struct fat_geometry ck_geo;
	uint8_t		*ck_seen;	/* a bit a cluster */
	uint32_t	ck_nseen;
	uint8_t		*ck_fat;	/* WINDOW + 4 bytes of the first FAT */
	uint64_t	ck_fatat;
	uint8_t		*ck_dir;	/* WINDOW bytes of a directory */
	uint64_t	ck_dirat;
	struct place	ck_stack[DEPTH];
	unsigned	ck_depth;
	unsigned	ck_findings;
};

static void
finding(struct check *ck, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
finding(struct check *ck, const char *fmt, ...)
{
	char text[120];
	va_list ap;

	if (ck->ck_findings++ >= FINDINGS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ck->ck_src->fs_say(ck->ck_src->fs_sayarg, text);
}

static int
read_at(const struct check *ck, uint64_t off, void *buf, size_t len)
{
	return ck->ck_src->fs_read(ck->ck_src->fs_arg, off, buf, len);
}

/* The first sector */

static bool
power_of_two(uint32_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static const char *
geometry_layout(const uint8_t *b, uint64_t size, struct fat_geometry *g)
{
	uint64_t total = get16(b + 19) != 0 ? get16(b + 19) : get32(b + 32);
	uint64_t fat = get16(b + 22) != 0 ? get16(b + 22) : get32(b + 36);
	uint64_t data, clusters;

	g->fg_rootsize = get16(b + 17) * ENTRY;
	if (fat == 0 || g->fg_rootsize % g->fg_sector != 0)
		return "its layout can't be";
	g->fg_fat = (uint64_t)get16(b + 14) * g->fg_sector;
	g->fg_fatsize = fat * g->fg_sector;
	g->fg_root = g->fg_fat + g->fg_nfats * g->fg_fatsize;
	data = g->fg_root + g->fg_rootsize;
	g->fg_data = data;
	if (total * g->fg_sector > size)
		return "it is longer than the disk or partition";
	if (data >= total * g->fg_sector)
		return "it has no room for data";
	clusters = (total * g->fg_sector - data) / g->fg_cluster;
	if (clusters == 0 || clusters > 0x0ffffff5)
		return "the number of its clusters";
	g->fg_clusters = (uint32_t)clusters;
	/* One more than the specification has it: so does FatFs, which reads it. */
	g->fg_bits = clusters <= 4085 ? 12 : clusters <= 65525 ? 16 : 32;
	if ((g->fg_fatsize * 8) / g->fg_bits < clusters + 2)
		return "its FAT is too short";
	return NULL;
}

const char *
fat_geometry(const uint8_t *b, uint64_t size, struct fat_geometry *g)
{
	const char *why;

	memset(g, 0, sizeof(*g));
	if (get16(b + 510) != 0xaa55 || (b[0] != 0xeb && b[0] != 0xe9))
		return "no boot sector";
	if (memcmp(b + 54, "FAT", 3) != 0 && memcmp(b + 82, "FAT32", 5) != 0)
		return "no name of a FAT in its boot sector";
	g->fg_sector = get16(b + 11);
	g->fg_cluster = b[13] * g->fg_sector;
	g->fg_nfats = b[16];
	if (!power_of_two(g->fg_sector) || g->fg_sector < 512 ||
	    g->fg_sector > 4096)
		return "the length of its sectors";
	if (!power_of_two(b[13]))
		return "the length of its clusters";
	if (g->fg_nfats < 1 || g->fg_nfats > 2 || get16(b + 14) == 0)
		return "the number of its FATs";
	why = geometry_layout(b, size, g);
	if (why != NULL)
		return why;
	if ((g->fg_bits == 32) != (g->fg_rootsize == 0))
		return "the length of its root directory";
	g->fg_rootcluster = g->fg_bits == 32 ? get32(b + 44) : 0;
	if (g->fg_bits == 32 && (g->fg_rootcluster < 2 ||
	    g->fg_rootcluster - 2 >= g->fg_clusters))
		return "the place of its root directory";
	return NULL;
}

/* The table */

/* An entry as if it had 28 bits: 0 free, END the end, END - 1 bad. */
static int
fat_entry(struct check *ck, uint32_t n, uint32_t *value)
{
	uint64_t off = (uint64_t)n * ck->ck_geo.fg_bits / 8;
	uint64_t at = off / WINDOW * WINDOW, len = ck->ck_geo.fg_fatsize - at;
	uint32_t mask = UINT32_MAX >> (32 - ck->ck_geo.fg_bits) & 0x0fffffff;
	int error;

	if (ck->ck_fatat != at) {
		ck->ck_fatat = END;
		memset(ck->ck_fat, 0, WINDOW + 4);
		error = read_at(ck, ck->ck_geo.fg_fat + at, ck->ck_fat,
		    len < WINDOW + 4 ? (size_t)len : WINDOW + 4);
		if (error != 0)
			return error;
		ck->ck_fatat = at;
	}
	*value = get32(ck->ck_fat + (off - at));
	if (ck->ck_geo.fg_bits == 12 && n % 2 != 0)
		*value >>= 4;
	*value &= mask;
	if (*value >= (mask & ~7u))
		*value = END;
	else if (*value == (mask & ~7u) - 1)
		*value = END - 1;
	return 0;
}

static bool
exists(const struct check *ck, uint32_t cluster)
{
	return cluster >= 2 && cluster - 2 < ck->ck_geo.fg_clusters;
}

static bool
seen(const struct check *ck, uint32_t cluster)
{
	return (ck->ck_seen[cluster / 8] & 1u << cluster % 8) != 0;
}

/* Follow a chain to its end or its first fault. *n is how long it is. */
static int
chain(struct check *ck, const char *name, uint32_t cluster, uint64_t *n)
{
	uint32_t next;
	int error;

	for (*n = 0; cluster != END; cluster = next) {
		if (!exists(ck, cluster)) {
			finding(ck, cluster == END - 1 ?
			    "%s: leads to a bad cluster" : cluster == 0 ?
			    "%s: leads to a free cluster" :
			    "%s: leads to cluster %u, which is not there",
			    name, cluster);
			return 0;
		}
		if (seen(ck, cluster)) {
			finding(ck, "%s: loops, or meets another, at cluster "
			    "%u", name, cluster);
			return 0;
		}
		ck->ck_seen[cluster / 8] |= (uint8_t)(1u << cluster % 8);
		ck->ck_nseen++;
		++*n;
		error = fat_entry(ck, cluster, &next);
		if (error != 0)
			return error;
	}
	return 0;
}

/* Directories */

/* The entry at a place, or NULL at the end of what is in its cluster. */
static int
dir_entry(struct check *ck, const struct place *pl, const uint8_t **e)
{
	const struct fat_geometry *g = &ck->ck_geo;
	uint64_t off, at, end;
	size_t len;
	int error;

	if (pl->pl_cluster == 0) {
		off = g->fg_root + pl->pl_off;
		end = g->fg_root + g->fg_rootsize;
	} else {
		off = g->fg_data + (uint64_t)(pl->pl_cluster - 2) *
		    g->fg_cluster + pl->pl_off;
		end = off - pl->pl_off + g->fg_cluster;
	}
	*e = NULL;
	if (off >= end)
		return 0;
	at = off / 512 * 512;
	if (ck->ck_dirat == END || at < ck->ck_dirat ||
	    at >= ck->ck_dirat + WINDOW) {
		ck->ck_dirat = END;
		len = ck->ck_src->fs_size - at < WINDOW ?
		    (size_t)(ck->ck_src->fs_size - at) : WINDOW;
		error = read_at(ck, at, ck->ck_dir, len);
		if (error != 0)
			return error;
		ck->ck_dirat = at;
	}
	*e = ck->ck_dir + (off - ck->ck_dirat);
	return 0;
}

static void
entry_name(const uint8_t *e, char *name)
{
	int i;

	for (i = 0; i < 11; i++)
		name[i] = e[i] >= ' ' && e[i] < 0x7f ? (char)e[i] : '?';
	name[i] = '\0';
}

static void
push(struct check *ck, const char *name, uint32_t cluster)
{
	if (ck->ck_depth == DEPTH) {
		finding(ck, "%s: directories too deep to check", name);
		return;
	}
	ck->ck_stack[ck->ck_depth++] = (struct place){ cluster, 0 };
}

static int
check_entry(struct check *ck, const uint8_t *e)
{
	uint32_t cluster = get16(e + 26), size = get32(e + 28);
	bool dir = (e[11] & ATTR_DIR) != 0, known;
	char name[12];
	uint64_t n;
	int error;

	if (ck->ck_geo.fg_bits == 32)
		cluster |= (uint32_t)get16(e + 20) << 16;
	entry_name(e, name);
	if (cluster == 0) {
		if (size != 0 || dir)
			finding(ck, "%s: has no cluster", name);
		return 0;
	}
	known = exists(ck, cluster) && seen(ck, cluster);
	error = chain(ck, name, cluster, &n);
	if (error != 0)
		return error;
	if (!dir && n * ck->ck_geo.fg_cluster < size)
		finding(ck, "%s: its clusters are fewer than its %u bytes need",
		    name, size);
	if (dir && n > 0 && !known)
		push(ck, name, cluster);
	return 0;
}

/* The next cluster of a directory; its chain has been followed: it is whole, or
 * ends at the fault that was found. */
static int
dir_next(struct check *ck, struct place *pl, bool *end)
{
	uint32_t next = END;
	int error;

	if (pl->pl_cluster != 0) {
		error = fat_entry(ck, pl->pl_cluster, &next);
		if (error != 0)
			return error;
	}
	*end = !exists(ck, next) || ck->ck_findings != 0;
	pl->pl_cluster = next;
	pl->pl_off = 0;
	return 0;
}

static int
walk_one(struct check *ck)
{
	struct place *pl = &ck->ck_stack[ck->ck_depth - 1];
	const uint8_t *e;
	bool end = false;
	int error;

	error = dir_entry(ck, pl, &e);
	if (error == 0 && e == NULL)
		error = dir_next(ck, pl, &end);
	else if (error == 0) {
		pl->pl_off += ENTRY;
		end = e[0] == 0;
		if (!end && e[0] != 0xe5 && e[0] != '.' &&
		    (e[11] & 0x3f) != ATTR_LONG && (e[11] & ATTR_VOLUME) == 0)
			return check_entry(ck, e);
	}
	if (end)
		ck->ck_depth--;
	return error;
}

/* The whole */

static int
compare_fats(struct check *ck)
{
	const struct fat_geometry *g = &ck->ck_geo;
	uint64_t at;
	size_t n;
	int error;

	for (at = 0; g->fg_nfats > 1 && at < g->fg_fatsize; at += n) {
		n = g->fg_fatsize - at < WINDOW ? (size_t)(g->fg_fatsize - at) :
		    WINDOW;
		error = read_at(ck, g->fg_fat + at, ck->ck_fat, n);
		if (error == 0)
			error = read_at(ck, g->fg_fat + g->fg_fatsize + at,
			    ck->ck_dir, n);
		if (error != 0)
			return error;
		if (memcmp(ck->ck_fat, ck->ck_dir, n) != 0) {
			finding(ck, "its two FATs differ");
			break;
		}
	}
	return 0;
}

static int
walk(struct check *ck)
{
	uint32_t root = ck->ck_geo.fg_rootcluster;
	uint64_t n;
	int error;

	error = compare_fats(ck);
	if (error == 0 && root != 0)
		error = chain(ck, "the root directory", root, &n);
	push(ck, "/", root);
	while (error == 0 && ck->ck_depth > 0 && ck->ck_findings < FINDINGS)
		error = walk_one(ck);
	if (error == 0 && ck->ck_findings != 0)
		error = EILSEQ;
	return error;
}

static int
check_all(struct check *ck)
{
	uint8_t boot[512];
	const char *why = "it is too short";
	int error;

	if (ck->ck_src->fs_size >= sizeof(boot)) {
		error = read_at(ck, 0, boot, sizeof(boot));
		if (error != 0)
			return error;
		why = fat_geometry(boot, ck->ck_src->fs_size, &ck->ck_geo);
	}
	if (why != NULL) {
		finding(ck, "no FAT file system: %s", why);
		return ENODEV;
	}
	if (ck->ck_geo.fg_clusters > CLUSTERS_MAX)
		return ENOTSUP;
	ck->ck_seen = kzalloc(ck->ck_geo.fg_clusters / 8 + 2);
	return ck->ck_seen == NULL ? ENOMEM : walk(ck);
}

int
fat_check(const struct fat_source *src)
{
	struct check *ck = kzalloc(sizeof(*ck));
	int error = ENOMEM;

	if (ck == NULL)
		return ENOMEM;
	ck->ck_src = src;
	ck->ck_fatat = ck->ck_dirat = END;
	ck->ck_fat = kmalloc(WINDOW + 4);
	ck->ck_dir = kmalloc(WINDOW);
	if (ck->ck_fat != NULL && ck->ck_dir != NULL)
		error = check_all(ck);
	kfree(ck->ck_seen);
	kfree(ck->ck_fat);
	kfree(ck->ck_dir);
	kfree(ck);
	return error;
}
