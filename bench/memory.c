/* SPDX-License-Identifier: ISC */
/*
 * The device's memory, and the cache between it and the CPU. What the CPU has
 * at a pointer is what it sees: its cache where a line is there, memory where
 * not. A line is dirty if the CPU stored into it since it was last written
 * back, which shows by comparison with what it held then, or was told by
 * tracing.
 */
#include <stdlib.h>
#include <string.h>

#include "bench_var.h"

#define NBUCKETS	8192u

struct bench_dma bench_config;
struct bench_counts bench_count;

static struct chunk *buckets[NBUCKETS];
static struct chunk *recent;		/* one of them: most accesses stay in it */
static uint64_t random_state = 1;

unsigned int
bench_random(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	if ((n & (n - 1)) == 0)
		return n == 0 ? 0 : (unsigned int)(random_state >> 11) & (n - 1);
	return (unsigned int)((random_state >> 11) % n);
}

static struct chunk **
bucket_of(uintptr_t addr)
{
	return &buckets[(addr / CHUNK) % NBUCKETS];
}

struct chunk *
chunk_find(uintptr_t addr)
{
	struct chunk *ck;

	if (recent != NULL && addr - recent->ck_base < CHUNK)
		return recent;
	for (ck = *bucket_of(addr); ck != NULL; ck = ck->ck_next)
		if (addr - ck->ck_base < CHUNK)
			return recent = ck;
	return NULL;
}

static struct chunk *
chunk_get(uintptr_t addr)
{
	struct chunk *ck = chunk_find(addr);

	if (ck == NULL) {
		ck = calloc(1, sizeof(*ck));
		ck->ck_base = addr & ~(uintptr_t)(CHUNK - 1);
		ck->ck_next = *bucket_of(addr);
		*bucket_of(addr) = ck;
	}
	return ck;
}

static void
chunk_put(struct chunk *ck)
{
	struct chunk **p;

	if (--ck->ck_refs > 0)
		return;
	for (p = bucket_of(ck->ck_base); *p != ck; p = &(*p)->ck_next)
		;
	*p = ck->ck_next;
	recent = NULL;
	free(ck);
}

void
memory_reset(void)
{
	struct chunk *ck;
	unsigned int i;

	for (i = 0; i < NBUCKETS; i++)
		while ((ck = buckets[i]) != NULL) {
			buckets[i] = ck->ck_next;
			free(ck);
		}
	recent = NULL;
	random_state = bench_config.bd_seed * 2654435761u + 88172645463325252u;
	memset(&bench_count, 0, sizeof(bench_count));
}

static uint8_t *
cpu_of(const struct chunk *ck, unsigned int i)
{
	return (uint8_t *)(ck->ck_base + i);
}

/*
 * Maps have megabytes, and these run for each access and sync of them: four
 * bytes' bits are one word.
 */
#define OWN_EACH	0x0001000100010001ull

BENCH_QUICK unsigned int
own_find(const uint16_t *own, unsigned int n, uint16_t mask, uint16_t want)
{
	uint64_t word;
	unsigned int k;

	for (k = 0; k + 4 <= n; k += 4) {
		__builtin_memcpy(&word, own + k, sizeof(word));
		word = (word & mask * OWN_EACH) ^ want * OWN_EACH;
		/* Is a half word of it 0? */
		if (((word - OWN_EACH) & ~word & 0x8000 * OWN_EACH) != 0)
			break;
	}
	while (k < n && (own[k] & mask) != want)
		k++;
	return k;
}

BENCH_QUICK uint16_t
own_any(const uint16_t *own, unsigned int n)
{
	uint64_t word, all = 0;
	unsigned int k;

	for (k = 0; k + 4 <= n; k += 4) {
		__builtin_memcpy(&word, own + k, sizeof(word));
		all |= word;
	}
	for (; k < n; k++)
		all |= own[k];
	all |= all >> 32;
	return (uint16_t)(all | all >> 16);
}

BENCH_QUICK void
own_change(uint16_t *own, unsigned int n, uint16_t set, uint16_t clear)
{
	unsigned int k;

	for (k = 0; k < n; k++)
		own[k] = (uint16_t)((own[k] & ~clear) | set);
}

/* What of the lines that hold these bytes lies behind the cache. */
static void
lines_survey(struct chunk *ck, unsigned int i, unsigned int n)
{
	const uint16_t *own;
	unsigned int l;
	uint64_t bit;

	for (l = i / 64; l * 64 < i + n; l++) {
		own = ck->ck_own + l * 64;
		bit = 1ull << l;
		ck->ck_some &= ~bit;
		ck->ck_whole &= ~bit;
		if (own_find(own, 64, O_LINE, O_LINE) < 64)
			ck->ck_some |= bit;
		if (own_find(own, 64, O_LINE, 0) == 64)
			ck->ck_whole |= bit;
	}
}

/*
 * Loaded: the CPU has written there as it liked, the device's memory holds
 * whatever there was.
 */
static void
chunk_add(struct chunk *ck, unsigned int i, unsigned int n, uint16_t own)
{
	static uint8_t there_was[CHUNK];
	unsigned int k;

	if (there_was[0] == 0)
		for (k = 0; k < CHUNK; k++)
			there_was[k] = (uint8_t)(0xa5 ^ (k * 7));
	own_change(ck->ck_own + i, n, own, (uint16_t)~O_USER);
	memcpy(ck->ck_snap + i, cpu_of(ck, i), n);
	memcpy(ck->ck_dev + i, there_was + i, n);
	for (k = i / 64; k <= (i + n - 1) / 64; k++)
		ck->ck_dirty |= 1ull << k;
}

static void
memory_walk(const void *p, size_t len, uint16_t own, int adding)
{
	uintptr_t addr = (uintptr_t)p;
	struct chunk *ck;
	unsigned int i, n;

	for (; len > 0; len -= n, addr += n) {
		i = addr % CHUNK;
		n = CHUNK - i < len ? CHUNK - i : (unsigned int)len;
		ck = adding ? chunk_get(addr) : chunk_find(addr);
		if (ck == NULL)
			continue;
		if (adding) {
			ck->ck_refs++;
			chunk_add(ck, i, n, own);
		} else
			own_change(ck->ck_own + i, n, 0, (uint16_t)~O_USER);
		lines_survey(ck, i, n);
		if (!adding)
			chunk_put(ck);
	}
}

void
memory_add(const void *p, size_t len, uint16_t own)
{
	memory_walk(p, len, own, 1);
}

void
memory_remove(const void *p, size_t len)
{
	memory_walk(p, len, 0, 0);
}

unsigned int
line_size(void)
{
	return bench_config.bd_line == 128 ? 128 : 64;
}

unsigned int
line_of(unsigned int i)
{
	return i & ~(line_size() - 1);
}

int
byte_changed(const struct chunk *ck, unsigned int i)
{
	return (ck->ck_own[i] & O_LINE) && *cpu_of(ck, i) != ck->ck_snap[i];
}

static uint64_t
line_bits(unsigned int l)
{
	return (line_size() == 128 ? 3ull : 1ull) << (l / 64);
}

static int
line_whole(const struct chunk *ck, unsigned int l)
{
	return (~ck->ck_whole & line_bits(l)) == 0;
}

/* The next bytes of a line that lie behind the cache, from *k on: *n of them. */
static int
line_run(const struct chunk *ck, unsigned int l, unsigned int *k,
    unsigned int *n)
{
	unsigned int end = l + line_size();

	if ((ck->ck_some & line_bits(l)) == 0)
		return 0;
	*n = end - *k;
	if (!line_whole(ck, l)) {
		*k += own_find(ck->ck_own + *k, end - *k, O_LINE, O_LINE);
		*n = own_find(ck->ck_own + *k, end - *k, O_LINE, 0);
	}
	return *n != 0;
}

/* The first byte that the CPU changed since the line was clean, or its end. */
static unsigned int
line_changed(const struct chunk *ck, unsigned int l)
{
	unsigned int k, n;

	for (k = l; line_run(ck, l, &k, &n); k += n) {
		if (memcmp(cpu_of(ck, k), ck->ck_snap + k, n) == 0)
			continue;
		while (*cpu_of(ck, k) == ck->ck_snap[k])
			k++;
		return k;
	}
	return l + line_size();
}

int
line_dirty(const struct chunk *ck, unsigned int i)
{
	unsigned int l = line_of(i);

	return (ck->ck_dirty & line_bits(l)) != 0 ||
	    line_changed(ck, l) < l + line_size();
}

/* Written back; what the device wrote there meanwhile is lost. */
static void
line_clean(struct chunk *ck, unsigned int l)
{
	unsigned int k, n;

	ck->ck_dirty &= ~line_bits(l);
	for (k = l; line_run(ck, l, &k, &n); k += n) {
		memcpy(ck->ck_snap + k, cpu_of(ck, k), n);
		memcpy(ck->ck_dev + k, cpu_of(ck, k), n);
	}
}

/* Forgotten, and fetched again. */
static void
line_fetch(struct chunk *ck, unsigned int l)
{
	unsigned int k, n;

	ck->ck_dirty &= ~line_bits(l);
	for (k = l; line_run(ck, l, &k, &n); k += n) {
		memcpy(cpu_of(ck, k), ck->ck_dev + k, n);
		memcpy(ck->ck_snap + k, ck->ck_dev + k, n);
	}
}

/* A dirty line is about to be cleaned: does that destroy the device's bytes? */
static void
judge_clean(struct chunk *ck, unsigned int l, const struct about *ab)
{
	unsigned int k;

	for (k = l; k < l + line_size(); k++)
		if ((ck->ck_own[k] & (O_LINE | O_WRITTEN)) ==
		    (O_LINE | O_WRITTEN) && ck->ck_dev[k] != *cpu_of(ck, k)) {
			finding(BENCH_SHARED_LINE, ab, "a dirty line of %u "
			    "bytes is written back over byte %u of it, which "
			    "the device wrote", line_size(), k - l);
			return;
		}
}

void
lines_clean(struct chunk *ck, unsigned int i, unsigned int n,
    const struct about *ab)
{
	unsigned int l;

	for (l = line_of(i); l < i + n; l += line_size())
		if (line_dirty(ck, l)) {
			judge_clean(ck, l, ab);
			line_clean(ck, l);
		}
}

/* A dirty line is about to be dropped: which of the CPU's stores go with it? */
static void
judge_drop(struct chunk *ck, unsigned int l, const struct about *ab)
{
	unsigned int k = line_changed(ck, l);

	if (k == l + line_size())
		return;
	finding(ck->ck_own[k] & O_READ ? BENCH_CPU_STORE : BENCH_SHARED_LINE,
	    ab, "a line of %u bytes is invalidated, and with it what the CPU "
	    "stored at byte %u of it, %p", line_size(), k - l,
	    (void *)cpu_of(ck, k));
}

void
lines_invalidate(struct chunk *ck, unsigned int i, unsigned int n,
    const struct about *ab)
{
	unsigned int l;

	for (l = line_of(i); l < i + n; l += line_size()) {
		judge_drop(ck, l, ab);
		line_fetch(ck, l);
	}
}

/* Now and then a line leaves the cache, or comes back, because it can. */
void
lines_chance(struct chunk *ck)
{
	unsigned int one_in = bench_config.bd_chance;
	unsigned int l;

	if (bench_random(one_in != 0 ? one_in : 16) != 0)
		return;
	l = line_of(bench_random(CHUNK));
	if (line_dirty(ck, l))
		line_clean(ck, l);
	else
		line_fetch(ck, l);
}

/* Count the lines that go from one side to the other. */
void
chunk_touch(struct chunk *ck, unsigned int i, unsigned int n, int device)
{
	unsigned int l;
	uint64_t bits;

	for (l = line_of(i); l < i + n; l += line_size()) {
		bits = line_bits(l);
		if (((ck->ck_device & bits) != 0) == (device != 0))
			continue;
		bench_count.bc_moves++;
		if (device)
			ck->ck_device |= bits;
		else
			ck->ck_device &= ~bits;
	}
}

void
bench_counts(struct bench_counts *bc)
{
	*bc = bench_count;
}

void
bench_counts_reset(void)
{
	memset(&bench_count, 0, sizeof(bench_count));
}
