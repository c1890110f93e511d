/* SPDX-License-Identifier: ISC */
/*
 * The device's memory, and the cache between it and the CPU. What the CPU has
 * at a pointer is what it sees: its cache where a line is there, memory where
 * not. A line is dirty if the CPU stored into it since it was last written
 * back, which shows by comparison with what it held then, or was told by tracing.
 */
#include <stdlib.h>
#include <string.h>

#include "bench_var.h"

#define NBUCKETS	8192u

struct bench_dma bench_config;
struct bench_counts bench_count;

static struct chunk *buckets[NBUCKETS];
static uint64_t random_state = 1;

unsigned int
bench_random(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return n == 0 ? 0 : (unsigned int)((random_state >> 11) % n);
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

	for (ck = *bucket_of(addr); ck != NULL; ck = ck->ck_next)
		if (addr - ck->ck_base < CHUNK)
			return ck;
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
	random_state = bench_config.bd_seed * 2654435761u + 88172645463325252u;
	memset(&bench_count, 0, sizeof(bench_count));
}

static uint8_t *
cpu_of(const struct chunk *ck, unsigned int i)
{
	return (uint8_t *)(ck->ck_base + i);
}

/*
 * Loaded: the CPU has written there as it liked, the device's memory holds
 * whatever there was.
 */
static void
chunk_add(struct chunk *ck, unsigned int i, unsigned int n, uint16_t own)
{
	unsigned int end = i + n;

	for (; i < end; i++) {
		ck->ck_own[i] = (uint16_t)((ck->ck_own[i] & O_USER) | own);
		ck->ck_snap[i] = *cpu_of(ck, i);
		ck->ck_dev[i] = (uint8_t)(0xa5 ^ (i * 7));
		ck->ck_dirty |= 1ull << (i / 64);
	}
}

static void
memory_walk(const void *p, size_t len, uint16_t own, int adding)
{
	uintptr_t addr = (uintptr_t)p;
	struct chunk *ck;
	unsigned int i, n, k;

	for (; len > 0; len -= n, addr += n) {
		i = addr % CHUNK;
		n = CHUNK - i < len ? CHUNK - i : (unsigned int)len;
		if (adding) {
			ck = chunk_get(addr);
			ck->ck_refs++;
			chunk_add(ck, i, n, own);
			continue;
		}
		ck = chunk_find(addr);
		if (ck == NULL)
			continue;
		for (k = i; k < i + n; k++)
			ck->ck_own[k] &= O_USER;
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

int
line_dirty(const struct chunk *ck, unsigned int i)
{
	unsigned int l = line_of(i), k;

	if (ck->ck_dirty & line_bits(l))
		return 1;
	for (k = l; k < l + line_size(); k++)
		if (byte_changed(ck, k))
			return 1;
	return 0;
}

/* Written back; what the device wrote there meanwhile is lost. */
static void
line_clean(struct chunk *ck, unsigned int l)
{
	unsigned int k;

	for (k = l; k < l + line_size(); k++)
		if (ck->ck_own[k] & O_LINE)
			ck->ck_dev[k] = ck->ck_snap[k] = *cpu_of(ck, k);
	ck->ck_dirty &= ~line_bits(l);
}

/* Forgotten, and fetched again. */
static void
line_fetch(struct chunk *ck, unsigned int l)
{
	unsigned int k;

	for (k = l; k < l + line_size(); k++)
		if (ck->ck_own[k] & O_LINE)
			*cpu_of(ck, k) = ck->ck_snap[k] = ck->ck_dev[k];
	ck->ck_dirty &= ~line_bits(l);
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
	unsigned int k;

	for (k = l; k < l + line_size(); k++) {
		if (!byte_changed(ck, k))
			continue;
		finding(ck->ck_own[k] & O_READ ? BENCH_CPU_STORE :
		    BENCH_SHARED_LINE, ab, "a line of %u bytes is invalidated, "
		    "and with it what the CPU stored at byte %u of it, %p",
		    line_size(), k - l, (void *)cpu_of(ck, k));
		return;
	}
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
