/* SPDX-License-Identifier: ISC */
/*
 * `diskpattern`: writes whose every sector says what it is, so that a disk's
 * image tells afterwards which of them it holds (test/lib/pattern.py).
 *
 * Write number G, its generation, goes to a place that the seed decides. Each
 * of its sectors carries, in 64-bit words of the CPU's order:
 *
 *	0	PATTERN_MAGIC
 *	1	the seed
 *	2	the sector's number
 *	3	G, and above it the generation up to which all was flushed when
 *		G was written
 *	4	a checksum of those
 *	5..63	that, plus STEP for each word further on
 *
 * So whoever finds a sector knows that everything up to that flush must be
 * there too. After a flush it is also said on the console.
 */
#include <errno.h>
#include <string.h>

#include "disk.h"
#include "kmem.h"
#include "shell.h"
#include "trial.h"
#include "tty.h"

#define PATTERN_MAGIC	0x4e52455454415056ull	/* "VPATTERN" */
#define STEP		0x9e3779b97f4a7c15ull
#define WORDS		(DISK_SECTOR / sizeof(uint64_t))
#define LONGEST		64u		/* sectors of a write */
#define DEPTH_MAX	32u
#define LOOK_EVERY	16u		/* writes from one read to the next */

struct slot {
	struct disk_req	 sl_req;
	uint64_t	*sl_data;	/* of LONGEST sectors */
	bool		 sl_busy;
};

struct pattern {
	struct disk	*pa_disk;
	uint64_t	pa_seed;
	uint64_t	pa_state;	/* of the random numbers */
	uint64_t	pa_looks;	/* likewise, for what is read */
	uint64_t	pa_sectors;	/* from the disk's start, written to */
	uint32_t	pa_ops;
	uint32_t	pa_gen;
	uint32_t	pa_flushed;
	uint32_t	*pa_gens;	/* of each sector, the last */
	uint32_t	*pa_acked;	/* of each: word 3's upper half */
	unsigned	pa_depth;	/* 0: through the cache */
	unsigned	pa_tries;	/* flushes that may yet fail */
	struct slot	pa_slots[DEPTH_MAX];
};

static void
fill(const struct pattern *pa, uint64_t *w, uint64_t sector, uint32_t gen)
{
	uint64_t head = (uint64_t)pa->pa_acked[gen] << 32 | gen, sum;
	unsigned i;

	sum = trial_mix(trial_mix(trial_mix(pa->pa_seed) ^ sector) ^ head);
	w[0] = PATTERN_MAGIC;
	w[1] = pa->pa_seed;
	w[2] = sector;
	w[3] = head;
	for (i = 4; i < WORDS; i++, sum += STEP)
		w[i] = sum;
}

/* Whether a sector that was read is as it was written last. */
static bool
same(const struct pattern *pa, const uint64_t *w, uint64_t sector)
{
	uint64_t want[WORDS];

	if (pa->pa_gens[sector] == 0)
		return true;
	fill(pa, want, sector, pa->pa_gens[sector]);
	return memcmp(w, want, sizeof(want)) == 0;
}

/* A place for len sectors. */
static uint64_t
place(const struct pattern *pa, uint64_t random, uint64_t *len)
{
	*len = (random & 7) != 0 ? 1 + (random >> 3 & 7) :
	    1 + (random >> 3 & (LONGEST - 1));
	if (*len > pa->pa_sectors)
		*len = pa->pa_sectors;
	return (random >> 9 & 0xffffffff) % (pa->pa_sectors - *len + 1);
}

static int
failed(const struct pattern *pa, const char *what, int error)
{
	tty_printf("pattern: %s at generation %u: %s\n", what, pa->pa_gen,
	    strerror(error));
	return error;
}

static int
settle(struct slot *sl)
{
	int error;

	if (!sl->sl_busy)
		return 0;
	error = disk_wait(&sl->sl_req);
	sl->sl_busy = false;
	if (sl->sl_req.rq_lost)
		sl->sl_data = NULL;	/* the device's for ever */
	return error;
}

static int
settle_all(struct pattern *pa)
{
	int error = 0, e;
	unsigned i;

	for (i = 0; i < pa->pa_depth; i++) {
		e = settle(&pa->pa_slots[i]);
		if (error == 0)
			error = e;
	}
	return error;
}

static int
write_one(struct pattern *pa, uint64_t sector, uint64_t len)
{
	struct slot *sl = &pa->pa_slots[pa->pa_depth == 0 ? 0 :
	    pa->pa_gen % pa->pa_depth];
	uint64_t i;
	int error = settle(sl);

	if (error != 0)
		return error;
	for (i = 0; i < len; i++) {
		pa->pa_gens[sector + i] = pa->pa_gen;
		fill(pa, sl->sl_data + i * WORDS, sector + i, pa->pa_gen);
	}
	if (pa->pa_depth == 0)
		return disk_write(pa->pa_disk, sector * DISK_SECTOR,
		    sl->sl_data, len * DISK_SECTOR);
	memset(&sl->sl_req, 0, sizeof(sl->sl_req));
	sl->sl_req.rq_op = DISK_OP_WRITE;
	sl->sl_req.rq_off = sector * DISK_SECTOR;
	sl->sl_req.rq_len = len * DISK_SECTOR;
	sl->sl_req.rq_data = sl->sl_data;
	error = disk_submit(pa->pa_disk, &sl->sl_req);
	sl->sl_busy = error == 0;
	return error;
}

static int
flush(struct pattern *pa)
{
	int error;

	error = settle_all(pa);
	if (error != 0)
		return failed(pa, "writing failed", error);
	/*
	 * What a failed flush did not reach, the cache's next one must. Past it
	 * nobody has what was written any more.
	 */
	while ((error = pa->pa_depth == 0 ? disk_sync(pa->pa_disk) :
	    disk_do(pa->pa_disk, DISK_OP_FLUSH, 0, NULL, 0)) != 0) {
		failed(pa, "flush failed", error);
		if (pa->pa_depth != 0 || pa->pa_tries-- == 0)
			return error;
	}
	pa->pa_flushed = pa->pa_gen;
	tty_printf("pattern: flushed up to generation %u\n", pa->pa_flushed);
	return 0;
}

/* What was written is read, flushed or not. */
static int
look(struct pattern *pa)
{
	uint64_t sector, len, i, *buf = pa->pa_slots[0].sl_data;
	int error;

	error = settle_all(pa);
	sector = place(pa, trial_random(&pa->pa_looks), &len);
	if (error == 0)
		error = disk_read(pa->pa_disk, sector * DISK_SECTOR, buf,
		    len * DISK_SECTOR);
	if (error != 0)
		return failed(pa, "reading failed", error);
	for (i = 0; i < len; i++)
		if (!same(pa, buf + i * WORDS, sector + i)) {
			tty_printf("pattern: sector %llu is not as written in "
			    "generation %u\n", (unsigned long long)(sector + i),
			    pa->pa_gens[sector + i]);
			return EILSEQ;
		}
	return 0;
}

static int
step(struct pattern *pa)
{
	uint64_t random = trial_random(&pa->pa_state), sector, len;
	int error;

	pa->pa_gen++;
	pa->pa_acked[pa->pa_gen] = pa->pa_flushed;
	sector = place(pa, random, &len);
	error = write_one(pa, sector, len);
	if (error != 0)
		return failed(pa, "writing failed", error);
	if (random >> 56 < 32 || pa->pa_gen == pa->pa_ops)
		error = flush(pa);
	if (error == 0 && pa->pa_gen % LOOK_EVERY == 0)
		error = look(pa);
	if (error == 0 && tty_interrupted())
		error = EINTR;
	return error;
}

static int
run(struct pattern *pa)
{
	int error = 0;
	uint64_t i;

	while (error == 0 && pa->pa_gen < pa->pa_ops)
		error = step(pa);
	settle_all(pa);
	for (i = 0; error == 0 && i < pa->pa_sectors; i += LONGEST)
		error = look(pa);
	if (error == 0)
		tty_printf("pattern: %u generations written, flushed and "
		    "read\n", pa->pa_gen);
	return error;
}

static int
prepare(struct pattern *pa)
{
	unsigned i, slots = pa->pa_depth == 0 ? 1 : pa->pa_depth;

	pa->pa_gens = kzalloc(pa->pa_sectors * sizeof(*pa->pa_gens));
	pa->pa_acked = kzalloc((pa->pa_ops + 1) * sizeof(*pa->pa_acked));
	if (pa->pa_gens == NULL || pa->pa_acked == NULL)
		return ENOMEM;
	for (i = 0; i < slots; i++) {
		pa->pa_slots[i].sl_data = kmalloc(LONGEST * DISK_SECTOR);
		if (pa->pa_slots[i].sl_data == NULL)
			return ENOMEM;
	}
	return 0;
}

static void
dispose(struct pattern *pa)
{
	unsigned i;

	for (i = 0; i < DEPTH_MAX; i++)
		kfree(pa->pa_slots[i].sl_data);
	kfree(pa->pa_gens);
	kfree(pa->pa_acked);
	kfree(pa);
}

static int
on_disk(struct pattern *pa, const char *name)
{
	struct disk_info info;
	int error, closed;

	error = disk_open(name, DISK_READ | DISK_WRITE, &pa->pa_disk);
	if (error != 0) {
		tty_printf("diskpattern: %s: %s\n", name, strerror(error));
		return error;
	}
	disk_getinfo(pa->pa_disk, &info);
	if (pa->pa_sectors > info.di_size / DISK_SECTOR)
		pa->pa_sectors = info.di_size / DISK_SECTOR;
	if (pa->pa_sectors == 0 ||
	    (pa->pa_depth != 0 && info.di_sector != DISK_SECTOR)) {
		tty_printf("diskpattern: %s: sectors of %u bytes do not "
		    "serve\n",
		    name, DISK_SECTOR);
		error = EINVAL;
	}
	if (error == 0)
		error = prepare(pa);
	if (error == 0)
		error = run(pa);
	closed = disk_close(pa->pa_disk);
	return error != 0 ? error : closed;
}

static int
cmd_diskpattern(int argc, char **argv)
{
	struct trial_word words[] = {
		{ "seed", 1, 0, UINT64_MAX },
		{ "ops", 256, 1, 1000000 },
		{ "sectors", 2048, 1, 1u << 20 },
		{ "depth", 0, 0, DEPTH_MAX },
		{ "tries", 0, 0, 1000 }
	};
	struct pattern *pa;
	int error;

	if (argc < 2)
		return shell_usage(argv[0]);
	if (trial_words("diskpattern", argv + 2, words, 5) != 0)
		return EINVAL;
	pa = kzalloc(sizeof(*pa));
	if (pa == NULL)
		return ENOMEM;
	pa->pa_seed = words[0].tw_value;
	pa->pa_state = pa->pa_seed;
	pa->pa_looks = ~pa->pa_seed;
	pa->pa_ops = (uint32_t)words[1].tw_value;
	pa->pa_sectors = words[2].tw_value;
	pa->pa_depth = (unsigned)words[3].tw_value;
	pa->pa_tries = (unsigned)words[4].tw_value;
	error = on_disk(pa, argv[1]);
	dispose(pa);
	return error;
}
COMMAND(diskpattern, cmd_diskpattern,
    "diskpattern DISK [seed=N] [ops=N] [sectors=N] [depth=N] [tries=N]",
    "write over a disk so that a test can tell what it keeps");
