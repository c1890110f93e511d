/* SPDX-License-Identifier: ISC */
/*
 * What the compiler's tracing tells: each load and store of the library's,
 * before it happens. And the order in which a device sees stores to coherent
 * memory: any, until a barrier.
 */
#include <string.h>

#include "bench_var.h"

#define MAXPENDING	128
#define MAXINCOMING	1024
#define MAXOLD		16

/* Stores to coherent memory since the last barrier that orders stores. */
struct pending {
	uintptr_t pe_addr;
	uint64_t pe_seq;
	uint8_t pe_len;
	uint8_t pe_seen;		/* the device sees it already */
	uint8_t pe_old[MAXOLD];		/* what it sees until then */
};

/*
 * What the device wrote since the last barrier that orders loads: until then
 * the CPU may still see what was there before.
 */
struct incoming {
	uintptr_t in_addr;
	size_t in_len;
	uint64_t in_seq;
	uint8_t in_old[MAXOLD];		/* of the first bytes */
};

/* An old value that the CPU is just looking at, and what belongs there. */
static struct {
	uint8_t *la_at;
	size_t la_len;
	uint8_t la_new[MAXOLD];
} late;

/* The newest of each, in a window that goes along an array. */
static struct pending stores[2 * MAXPENDING], *pending = stores;
static unsigned int npending;
static unsigned int nseen;	/* so many, the oldest, the device sees */
static struct incoming writes[2 * MAXINCOMING], *incoming = writes;
static unsigned int nincoming;
static uint64_t seq;
static uint16_t epoch;		/* of indices shown: buffers may go round */
static uint64_t device_seen;	/* the newest store that the device has read */
static uint64_t cpu_seen;	/* the newest index that the CPU has read */

/* A store to an index, event or flag, and no full barrier after it yet. */
static uintptr_t unchecked;
static uint16_t unchecked_kind;

/*
 * Flags in a packed ring that were just stored, where the device looks next:
 * whether they show anything is known when they are there.
 */
static struct {
	uintptr_t st_flags;		/* 0: none */
	uint64_t st_seq;
	struct stack st_stack;
} stored;

static void (*step)(void *);
static void *step_arg;
static unsigned int step_one_in;
int bench_stepping;

static int traced;
static int active;		/* anything is loaded, or was */

int
bench_traced(void)
{
	return traced;
}

void
bench_step_use(void (*fn)(void *), void *arg, unsigned int one_in)
{
	step = fn;
	step_arg = arg;
	step_one_in = one_in != 0 ? one_in : 1;
}

static void
forget_stores(void)
{
	pending = stores;
	npending = nseen = 0;
}

static void
forget_writes(void)
{
	incoming = writes;
	nincoming = 0;
}

/* Room for one more; the oldest goes where there is none. */
static struct pending *
next_store(void)
{
	if (npending == MAXPENDING) {
		pending++;
		npending--;
		nseen -= nseen > 0;
	}
	if (pending == stores + MAXPENDING) {
		memcpy(stores, pending, npending * sizeof(*pending));
		pending = stores;
	}
	return &pending[npending++];
}

static struct incoming *
next_write(void)
{
	if (nincoming == MAXINCOMING) {
		incoming++;
		nincoming--;
	}
	if (incoming == writes + MAXINCOMING) {
		memcpy(writes, incoming, nincoming * sizeof(*incoming));
		incoming = writes;
	}
	return &incoming[nincoming++];
}

/* The load that was to see an old value is over. */
void
order_catch_up(void)
{
	if (late.la_len == 0)
		return;
	memcpy(late.la_at, late.la_new, late.la_len);
	late.la_len = 0;
}

void
order_reset(void)
{
	late.la_len = 0;
	stored.st_flags = 0;
	forget_stores();
	forget_writes();
	device_seen = cpu_seen = 0;
	unchecked = 0;
	step = NULL;
	bench_stepping = 0;
	active = 1;
}

void
order_field(uintptr_t cpu, size_t len)
{
	if (unchecked - cpu < len)
		unchecked = 0;
}

BENCH_QUICK static int
overlap(uintptr_t a, size_t alen, uintptr_t b, size_t blen)
{
	return a < b + blen && b < a + alen;
}

/* What was stored before an index, and is not ordered by now. */
static void
judge_shown(uintptr_t addr, size_t len, uint64_t before,
    const struct stack *by)
{
	struct about ab;
	unsigned int i;

	for (i = 0; i < npending && pending[i].pe_seq < before; i++) {
		if (overlap(pending[i].pe_addr, pending[i].pe_len, addr, len))
			continue;
		about_cpu(addr, &ab);
		if (by != NULL) {
			ab.ab_what2 = "stored";
			ab.ab_stack2 = by;
		}
		finding(BENCH_STORE_ORDER, &ab, "the CPU stores an index at "
		    "%p, and no barrier stands between it and an earlier "
		    "store, at %p", (void *)addr, (void *)pending[i].pe_addr);
		forget_stores();
		return;
	}
}

/* A descriptor is available where the two bits differ. */
static void
judge_stored(void)
{
	uintptr_t addr = stored.st_flags;
	const uint8_t *flags = (const uint8_t *)addr;

	stored.st_flags = 0;
	if (addr == 0 || chunk_find(addr) == NULL ||
	    ((flags[0] ^ flags[1]) & 0x80) == 0)
		return;
	judge_shown(addr, 2, stored.st_seq, &stored.st_stack);
	unchecked = addr;
	unchecked_kind = O_INDEX;
}

void
order_barrier(bool outer, char kind)
{
	(void)outer;
	order_catch_up();
	judge_stored();
	if (kind != 'r') {
		forget_stores();
		device_seen = 0;
	}
	if (kind != 'w') {
		forget_writes();
		cpu_seen = 0;
	}
	if (kind == 'm')
		unchecked = 0;
}

/* Stores to the same byte stay in order: what is older goes along. */
BENCH_QUICK static void
deliver(unsigned int n)
{
	unsigned int i;

	pending[n].pe_seen = 1;
	for (i = nseen; i < n; i++)
		if (!pending[i].pe_seen && overlap(pending[i].pe_addr,
		    pending[i].pe_len, pending[n].pe_addr, pending[n].pe_len))
			deliver(i);
}

BENCH_QUICK static void
deliver_some(void)
{
	unsigned int i;

	for (i = nseen; i < npending; i++)
		if (!pending[i].pe_seen && bench_random(4) == 0)
			deliver(i);
	while (nseen < npending && pending[nseen].pe_seen)
		nseen++;
}

static void
order_store(uintptr_t addr, size_t len)
{
	struct pending *pe;

	if (len > MAXOLD)
		return;
	pe = next_store();
	pe->pe_addr = addr;
	pe->pe_len = (uint8_t)len;
	pe->pe_seq = ++seq;
	pe->pe_seen = 0;
	memcpy(pe->pe_old, (const void *)addr, len);
	deliver_some();
}

/* Of a store that it does not see yet a device reads what was there before. */
static void
hide(const struct pending *pe, uintptr_t cpu, uint8_t *data, size_t len)
{
	unsigned int k;

	for (k = 0; k < pe->pe_len; k++)
		if (pe->pe_addr + k - cpu < len)
			data[pe->pe_addr + k - cpu] = pe->pe_old[k];
}

void
order_device_read(uintptr_t cpu, uint8_t *data, size_t len)
{
	const struct pending *pe;
	const struct chunk *ck = chunk_find(cpu);
	struct about ab;
	unsigned int i;
	int is_late = 0, in_bell;

	order_catch_up();
	judge_stored();
	/* Flags are a hint: they may be seen late. */
	in_bell = port_bell && !bench_stepping &&
	    !(ck != NULL && (ck->ck_own[cpu % CHUNK] & O_FLAGS));
	deliver_some();
	for (i = npending; i-- > 0;) {
		pe = &pending[i];
		if (!overlap(pe->pe_addr, pe->pe_len, cpu, len))
			continue;
		if (pe->pe_seen) {
			if (device_seen < pe->pe_seq)
				device_seen = pe->pe_seq;
		} else {
			hide(pe, cpu, data, len);
			is_late |= pe->pe_seq < device_seen;
		}
		is_late |= in_bell;
	}
	if (!is_late)
		return;
	about_cpu(cpu, &ab);
	finding(BENCH_STORE_ORDER, &ab, "device reads %zu bytes at %p that the "
	    "CPU has stored, but without a barrier before %s", len,
	    (void *)cpu, port_bell ? "the doorbell" :
	    "what told the device of them");
}

void
order_device_write(uintptr_t cpu, size_t len)
{
	struct incoming *in;

	order_catch_up();
	judge_stored();
	if (!traced)
		return;
	in = next_write();
	*in = (struct incoming){ .in_addr = cpu, .in_len = len,
	    .in_seq = ++seq };
	memcpy(in->in_old, (const void *)cpu, len < MAXOLD ? len : MAXOLD);
}

/* Accesses of traced code */

struct access {
	uintptr_t ac_addr;
	size_t ac_len;
	struct chunk *ac_ck;
	unsigned int ac_i;
	uint16_t ac_own;		/* of any of its bytes */
};

static int
any_own(const struct access *ac, uint16_t own)
{
	return (ac->ac_own & own) != 0;
}

/* Now and then the load that comes sees what was there before. */
static void
see_old(const struct incoming *in)
{
	if (bench_random(2) != 0)
		return;
	late.la_at = (uint8_t *)in->in_addr;
	late.la_len = in->in_len < MAXOLD ? in->in_len : MAXOLD;
	memcpy(late.la_new, late.la_at, late.la_len);
	memcpy(late.la_at, in->in_old, late.la_len);
}

static void
judge_load_order(const struct access *ac)
{
	struct about ab;
	unsigned int i;
	int polled = any_own(ac, O_POLLED);

	for (i = 0; i < nincoming; i++) {
		if (!overlap(incoming[i].in_addr, incoming[i].in_len,
		    ac->ac_addr, ac->ac_len))
			continue;
		if (polled && cpu_seen < incoming[i].in_seq)
			cpu_seen = incoming[i].in_seq;
		if (polled || incoming[i].in_seq > cpu_seen)
			continue;
		about_cpu(ac->ac_addr, &ab);
		finding(BENCH_LOAD_ORDER, &ab, "the CPU reads %zu bytes at %p "
		    "after the index that shows them, without a barrier in "
		    "between", ac->ac_len, (void *)ac->ac_addr);
		see_old(&incoming[i]);
		return;
	}
}

static void
judge_full_order(const struct access *ac)
{
	struct about ab;

	if (unchecked == 0 || !any_own(ac, O_POLLED) ||
	    chunk_find(unchecked) == NULL)
		return;
	/* Flags that say "no interrupts" need nothing after them. */
	if (unchecked_kind == O_FLAGS && *(const uint8_t *)unchecked == 1)
		return;
	unchecked = 0;
	about_cpu(ac->ac_addr, &ab);
	finding(BENCH_FULL_ORDER, &ab, "the CPU looks at %zu bytes at %p, "
	    "which the device writes, after it stored an index, an event or a flag, "
	    "without a full barrier in between", ac->ac_len,
	    (void *)ac->ac_addr);
}

static void
judge_fetch(const struct access *ac)
{
	const uint16_t want = O_FROMDEV | O_FETCHED;
	uint16_t *own = &ac->ac_ck->ck_own[ac->ac_i];
	uint16_t *when = &ac->ac_ck->ck_epoch[ac->ac_i];
	struct about ab;
	size_t k;
	int twice = 0;

	for (k = 0; k < ac->ac_len; k++) {
		if (own[k] & O_POLLED)
			continue;
		twice |= (own[k] & want) == want && when[k] == epoch;
		if (own[k] & O_FROMDEV) {
			own[k] |= O_FETCHED;
			when[k] = epoch;
		}
	}
	if (!twice)
		return;
	about_cpu(ac->ac_addr, &ab);
	finding(BENCH_DOUBLE_FETCH, &ab, "the CPU reads %zu bytes at %p a "
	    "second time since the device wrote them", ac->ac_len,
	    (void *)ac->ac_addr);
	if (bench_config.bd_change && ac->ac_len <= 8) {
		*(uint8_t *)ac->ac_addr ^= (uint8_t)(1u << bench_random(8));
		ac->ac_ck->ck_snap[ac->ac_i] = *(uint8_t *)ac->ac_addr;
	}
}

static void
on_load(const struct access *ac)
{
	struct about ab;

	bench_count.bc_loads++;
	if (any_own(ac, O_COHERENT)) {
		judge_load_order(ac);
		judge_full_order(ac);
	} else if (any_own(ac, O_READ)) {
		about_cpu(ac->ac_addr, &ab);
		finding(BENCH_CPU_LOAD, &ab, "the CPU reads %zu bytes at %p, "
		    "which are the device's", ac->ac_len,
		    (void *)ac->ac_addr);
	}
	judge_fetch(ac);
}

/* What of it asks for a full barrier: flags before all else. */
static void
note_unchecked(const struct access *ac, uint16_t kind)
{
	size_t k = 0;

	if (!any_own(ac, kind))
		return;
	while ((ac->ac_ck->ck_own[ac->ac_i + k] & kind) == 0)
		k++;
	unchecked = ac->ac_addr + k;
	unchecked_kind = kind;
}

/*
 * Flags where the device looks next, among what is stored. What they show to
 * one that has lost the thread is not judged.
 */
static int
note_stored(const struct access *ac)
{
	size_t k;

	if (any_own(ac, O_FLAGS)) {
		order_store(ac->ac_addr, ac->ac_len);
		return 1;
	}
	for (k = 0; k < ac->ac_len; k++)
		if (ac->ac_ck->ck_own[ac->ac_i + k] & O_INDEX) {
			stored.st_flags = ac->ac_addr + k;
			order_store(ac->ac_addr, ac->ac_len);
			stored.st_seq = seq;
			stack_take(&stored.st_stack);
			return 1;
		}
	return 0;
}

static void
on_store_coherent(const struct access *ac)
{

	/* Long ones clear memory, before there are fields in it. */
	if (ac->ac_len > MAXOLD)
		return;
	if (any_own(ac, O_POLLED) && note_stored(ac))
		return;
	if (any_own(ac, O_INDEX))
		judge_shown(ac->ac_addr, ac->ac_len, seq + 1, NULL);
	note_unchecked(ac, O_INDEX);
	note_unchecked(ac, O_EVENT);
	note_unchecked(ac, O_FLAGS);
	order_store(ac->ac_addr, ac->ac_len);
}

/* PREWRITE and no POSTWRITE, of what the two do not share at all times. */
static int
reads_it(const struct access *ac)
{
	return any_own(ac, O_WRITE) && !any_own(ac, O_BOTH | O_USER);
}

static void
on_store(const struct access *ac)
{
	struct about ab;
	size_t k;

	bench_count.bc_stores++;
	if (any_own(ac, O_INDEX))
		epoch++;
	if (any_own(ac, O_COHERENT))
		on_store_coherent(ac);
	else if (any_own(ac, O_READ) || reads_it(ac)) {
		about_cpu(ac->ac_addr, &ab);
		finding(BENCH_CPU_STORE, &ab, "the CPU stores %zu bytes at %p, "
		    "which are the device's%s", ac->ac_len,
		    (void *)ac->ac_addr,
		    any_own(ac, O_READ) ? "" : " to read");
	}
	if (any_own(ac, O_FROMDEV | O_FETCHED))
		own_change(ac->ac_ck->ck_own + ac->ac_i,
		    (unsigned int)ac->ac_len, 0, O_FROMDEV | O_FETCHED);
	if (any_own(ac, O_LINE))
		for (k = 0; k < ac->ac_len; k += 64 - (ac->ac_i + k) % 64)
			ac->ac_ck->ck_dirty |= 1ull << ((ac->ac_i + k) / 64);
}

static void
maybe_step(void)
{
	if (step == NULL || bench_stepping || bench_random(step_one_in) != 0)
		return;
	bench_stepping = 1;
	step(step_arg);
	bench_stepping = 0;
}

/* Apart, for what most accesses are not: these go the short way. */
__attribute__((__noinline__)) static void
on_loaded(uintptr_t addr, size_t left, int store)
{
	struct access ac;

	for (; left > 0; left -= ac.ac_len, addr += ac.ac_len) {
		ac.ac_addr = addr;
		ac.ac_ck = chunk_find(addr);
		ac.ac_i = addr % CHUNK;
		ac.ac_len = CHUNK - ac.ac_i < left ? CHUNK - ac.ac_i : left;
		if (ac.ac_ck == NULL)
			continue;
		ac.ac_own = own_any(ac.ac_ck->ck_own + ac.ac_i,
		    (unsigned int)ac.ac_len);
		if (!any_own(&ac, O_LOADED))
			continue;
		chunk_touch(ac.ac_ck, ac.ac_i, (unsigned int)ac.ac_len, 0);
		if (store)
			on_store(&ac);
		else
			on_load(&ac);
	}
}

static void
on_access(const void *p, size_t len, int store)
{
	traced = 1;
	if (late.la_len != 0)
		order_catch_up();
	if (stored.st_flags != 0)
		judge_stored();
	if (!active || chunk_find((uintptr_t)p) == NULL)
		return;
	maybe_step();
	on_loaded((uintptr_t)p, len, store);
}

/* What the compiler calls, and what mem.h's functions are in traced code. */

#define TRACED(n)							\
void __sanitizer_cov_load##n(const void *);				\
void __sanitizer_cov_store##n(const void *);				\
void									\
__sanitizer_cov_load##n(const void *p)					\
{									\
	on_access(p, n, 0);						\
}									\
void									\
__sanitizer_cov_store##n(const void *p)					\
{									\
	on_access(p, n, 1);						\
}

TRACED(1)
TRACED(2)
TRACED(4)
TRACED(8)
TRACED(16)

void *bench_memcpy(void *, const void *, size_t);
void *bench_memmove(void *, const void *, size_t);
void *bench_memset(void *, int, size_t);
int bench_memcmp(const void *, const void *, size_t);

void *
bench_memcpy(void *to, const void *from, size_t len)
{
	on_access(from, len, 0);
	on_access(to, len, 1);
	return memcpy(to, from, len);
}

void *
bench_memmove(void *to, const void *from, size_t len)
{
	on_access(from, len, 0);
	on_access(to, len, 1);
	return memmove(to, from, len);
}

void *
bench_memset(void *to, int c, size_t len)
{
	on_access(to, len, 1);
	return memset(to, c, len);
}

int
bench_memcmp(const void *a, const void *b, size_t len)
{
	on_access(a, len, 0);
	on_access(b, len, 0);
	return memcmp(a, b, len);
}
