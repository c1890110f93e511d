/* SPDX-License-Identifier: ISC */
/*
 * Findings: what was wrong, where, and what the manual says.
 */
#define _GNU_SOURCE	/* dladdr, and the stack's bounds */
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_var.h"

#define MAXPRINT	20	/* reports in full; the rest is counted */

static const struct rule {
	const char *ru_name;
	const char *ru_text;
} rules[BENCH_NRULES] = {
	[BENCH_DEVICE_NOT_LOADED] = { "device-not-loaded",
	    "bus_dma(9): dm_segs of a loaded map is the only source of an "
	    "address for a device" },
	[BENCH_DEVICE_AFTER_UNLOAD] = { "device-after-unload",
	    "bus_dmamap_unload(9): only when the device is done, or was reset "
	    "and has confirmed it" },
	[BENCH_DEVICE_OUTSIDE] = { "device-outside",
	    "bus_dmamap_load(9): a segment is ds_len bytes at ds_addr; what "
	    "follows belongs to nobody" },
	[BENCH_DEVICE_DIRECTION] = { "device-direction",
	    "bus_dmamap_load(9): BUS_DMA_READ is device to memory only, "
	    "BUS_DMA_WRITE memory to device only" },
	[BENCH_DEVICE_CPU_ADDRESS] = { "device-cpu-address",
	    "bus_dma(9): a pointer means nothing to a device; it is given "
	    "dm_segs[].ds_addr" },
	[BENCH_DEVICE_PHYS_ADDRESS] = { "device-phys-address",
	    "bus_dma(9): physical and bus addresses differ behind an I/O MMU; "
	    "the device is given dm_segs[].ds_addr of a loaded map" },
	[BENCH_DEVICE_NO_PREWRITE] = { "device-no-prewrite",
	    "bus_dmamap_sync(9): PREWRITE before the device may read" },
	[BENCH_DEVICE_NO_PREREAD] = { "device-no-preread",
	    "bus_dmamap_sync(9): PREREAD before the device may write; a dirty "
	    "line may otherwise be written back over its answer" },
	[BENCH_DEVICE_STALE] = { "device-stale",
	    "bus_dmamap_sync(9): what is stored after PREWRITE reaches the "
	    "device only by another PREWRITE" },
	[BENCH_SYNC_NOT_LOADED] = { "sync-not-loaded",
	    "bus_dmamap_sync(9): the map is loaded" },
	[BENCH_SYNC_OUTSIDE] = { "sync-outside",
	    "bus_dmamap_sync(9): offset and length lie inside what is loaded; "
	    "OpenBSD panics where a cache is to be cleaned" },
	[BENCH_SYNC_PRE_POST] = { "sync-pre-post",
	    "bus_dmamap_sync(9): PRE and POST never stand in one call" },
	[BENCH_SYNC_POST_NO_PRE] = { "sync-post-no-pre",
	    "bus_dmamap_sync(9): POSTREAD follows the PREREAD of the same "
	    "bytes; alone it throws the CPU's stores away" },
	[BENCH_SYNC_NO_POST] = { "sync-no-post",
	    "bus_dmamap_sync(9): POSTWRITE when the device has read, before "
	    "the bytes are changed, given to it anew, or unloaded" },
	[BENCH_CPU_LOAD] = { "cpu-load",
	    "bus_dmamap_sync(9): between PREREAD and POSTREAD the bytes are "
	    "the device's; what the CPU reads is old, or half of it" },
	[BENCH_CPU_STORE] = { "cpu-store",
	    "bus_dmamap_sync(9): between PRE and POST the bytes are the "
	    "device's; what the CPU stores is lost, is seen by half, or "
	    "destroys what the device wrote" },
	[BENCH_SHARED_LINE] = { "shared-line",
	    "bus_dma(9): caches know lines, not bytes; what the CPU stores and "
	    "what a device writes must not lie in one" },
	[BENCH_DOUBLE_FETCH] = { "double-fetch",
	    "a device can change shared memory between two reads: each field "
	    "is read once, and the copy is judged and used" },
	[BENCH_STORE_ORDER] = { "store-order",
	    "Virtqueues / Split Virtqueues / Supplying Buffers to The Device: "
	    "a barrier stands before the index that shows what was stored, and "
	    "before the notification" },
	[BENCH_LOAD_ORDER] = { "load-order",
	    "Virtqueues / Split Virtqueues / Receiving Used Buffers From The "
	    "Device: a barrier stands after the used index, before what it "
	    "shows is read" },
	[BENCH_FULL_ORDER] = { "full-order",
	    "Virtqueues / Split Virtqueues: a full barrier stands between an "
	    "index, event or flag that is stored and the field that is looked "
	    "at after it, or a wake-up is lost" },
	[BENCH_MAP_DOUBLE_LOAD] = { "map-double-load",
	    "bus_dmamap_load(9): a loaded map is unloaded before it is loaded "
	    "again" },
	[BENCH_MAP_NOT_LOADED] = { "map-not-loaded",
	    "bus_dmamap_unload(9): the map is loaded" },
	[BENCH_MAP_DESTROY_LOADED] = { "map-destroy-loaded",
	    "bus_dmamap_destroy(9): the map was unloaded" },
	[BENCH_MAP_HELD] = { "map-held",
	    "bus_dmamap_unload(9): only when the device is done, or was reset "
	    "and has confirmed it" },
	[BENCH_MAP_UNKNOWN] = { "map-unknown",
	    "bus_dma(9): a map is what bus_dmamap_create gave, until "
	    "bus_dmamap_destroy" },
	[BENCH_MEM_FREE_MAPPED] = { "mem-free-mapped",
	    "bus_dmamem_free(9): bus_dmamem_unmap comes first" },
	[BENCH_MEM_FREE_LOADED] = { "mem-free-loaded",
	    "bus_dmamem_free(9): bus_dmamap_unload comes first; the device can "
	    "still reach it" },
	[BENCH_MEM_FREE_USER] = { "mem-free-user",
	    "bus_dmamem_mmap(9): pages that user space maps are not freed; it "
	    "would see and write whoever has them next" },
	[BENCH_MEM_UNKNOWN] = { "mem-unknown",
	    "bus_dmamem_alloc(9): all segments that it gave, and their size, "
	    "go to the other calls" },
	[BENCH_MEM_LOAD_RAW] = { "mem-load-raw",
	    "bus_dmamap_load_raw(9): where a cache is to be cleaned the "
	    "segments need their mapping: bus_dmamem_map comes first" },
	[BENCH_MMAP_CACHE] = { "mmap-cache",
	    "bus_dmamem_mmap(9): the kernel's and user space's mapping of one "
	    "page have the same cacheability: pass both the same flags" },
	[BENCH_USER_CPU_ADDRESS] = { "user-cpu-address",
	    "a driver's mmap entry returns a physical address "
	    "(bus_dmamem_mmap(9)), never a kernel virtual one" },
	[BENCH_USER_BUS_ADDRESS] = { "user-bus-address",
	    "a driver's mmap entry returns a physical address "
	    "(bus_dmamem_mmap(9)), never what a device is given" },
	[BENCH_USER_NO_PAGE] = { "user-no-page",
	    "a driver's mmap entry returns the physical address of a whole "
	    "page of memory that is allocated, or -1" },
};

static struct {
	unsigned int found[BENCH_NRULES];
	uint8_t expected[BENCH_NRULES];
	unsigned int unexpected;	/* ever */
	unsigned int printed;
	/* the last one */
	int have;
	enum bench_rule rule;
	char what[512];
	struct stack access;
	const char *what1, *what2;
	struct stack stack1, stack2;
} st;

static char text[8192];

const char *
bench_rule_name(enum bench_rule rule)
{
	return (unsigned int)rule < BENCH_NRULES ? rules[rule].ru_name : "?";
}

const char *
bench_rule_text(enum bench_rule rule)
{
	return (unsigned int)rule < BENCH_NRULES ? rules[rule].ru_text : "?";
}

/*
 * By the chain of frames, which all of the bench is compiled with: a map's
 * stacks are taken at each sync.
 */
__attribute__((__noinline__, __no_sanitize__("address"))) void
stack_take(struct stack *sk)
{
	static __thread uintptr_t top;
	pthread_attr_t attr;
	uintptr_t *fp = __builtin_frame_address(0);
	void *base;
	size_t size;

	if (top == 0 && pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &base, &size);
		pthread_attr_destroy(&attr);
		top = (uintptr_t)base + size;
	}
	sk->sk_n = 0;
	while ((uintptr_t)fp + 2 * sizeof(*fp) <= top &&
	    sk->sk_n < STACK_DEPTH) {
		if (fp[1] < 4096)
			break;
		sk->sk_pc[sk->sk_n++] = fp[1] - 1;
		if (fp[0] <= (uintptr_t)fp || fp[0] % sizeof(*fp) != 0)
			break;
		fp = (uintptr_t *)fp[0];
	}
}

/* The compiler's sanitizers have it; without them addresses are printed. */
extern void __sanitizer_symbolize_pc(void *, const char *, char *, size_t)
    __attribute__((__weak__));

/* Frames of the sanitizer and of the bus in front of it say nothing. */
static int
frame_is_ours(const char *line)
{
	static const char *const files[] = {
		"bench/dmasan.c", "bench/trace.c", "bench/report.c",
		"bench/memory.c", "port/posix/port_bus.c"
	};
	const char *at;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		at = strstr(line, files[i]);
		if (at != NULL && at > line && (at[-1] == '/' || at[-1] == ' '))
			return 1;
	}
	return 0;
}

static void
frame_text(uintptr_t pc, char *buf, size_t len)
{
	Dl_info info;

	buf[0] = '\0';
	if (__sanitizer_symbolize_pc != NULL)
		__sanitizer_symbolize_pc((void *)pc, "%f %S", buf, len);
	else if (dladdr((void *)pc, &info) && info.dli_fname != NULL)
		snprintf(buf, len, "%s+0x%lx", info.dli_fname,
		    (unsigned long)(pc - (uintptr_t)info.dli_fbase));
	if (buf[0] == '\0')
		snprintf(buf, len, "0x%lx", (unsigned long)pc);
}

static void __attribute__((__format__(__printf__, 1, 2)))
add(const char *fmt, ...)
{
	size_t have = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + have, sizeof(text) - have, fmt, ap);
	va_end(ap);
}

static void
add_stack(const char *what, const struct stack *sk)
{
	char line[512];
	unsigned int i, n = 0;

	if (what == NULL)
		return;
	add("  %s at\n", what);
	for (i = 0; i < sk->sk_n && n < 10; i++) {
		frame_text(sk->sk_pc[i], line, sizeof(line));
		if (n == 0 && frame_is_ours(line))
			continue;
		add("    #%u %s\n", n++, line);
	}
}

const char *
bench_last(void)
{
	text[0] = '\0';
	if (!st.have)
		return text;
	add("paravane: bench: %s: %s\n", rules[st.rule].ru_name, st.what);
	add("  %s\n", rules[st.rule].ru_text);
	add_stack("accessed", &st.access);
	add_stack(st.what1, &st.stack1);
	add_stack(st.what2, &st.stack2);
	return text;
}

/* A finding that nobody expected fails the process, whatever its tests say. */
static void
at_exit(void)
{
	if (st.unexpected == 0)
		return;
	fprintf(stderr, "paravane: bench: %u findings\n", st.unexpected);
	fflush(NULL);
	_exit(BENCH_EXIT);
}

static void
unexpected(void)
{
	static int registered;

	port.po_violations++;
	if (port_quiet)
		return;
	if (!registered) {
		registered = 1;
		atexit(at_exit);
	}
	st.unexpected++;
	if (st.printed++ < MAXPRINT)
		fputs(bench_last(), stderr);
}

void
finding(enum bench_rule rule, const struct about *ab, const char *fmt, ...)
{
	va_list ap;

	st.have = 1;
	st.rule = rule;
	va_start(ap, fmt);
	vsnprintf(st.what, sizeof(st.what), fmt, ap);
	va_end(ap);
	stack_take(&st.access);
	st.what1 = st.what2 = NULL;
	if (ab != NULL && ab->ab_what != NULL) {
		st.what1 = ab->ab_what;
		st.stack1 = *ab->ab_stack;
	}
	if (ab != NULL && ab->ab_what2 != NULL) {
		st.what2 = ab->ab_what2;
		st.stack2 = *ab->ab_stack2;
	}
	st.found[rule]++;
	if (!st.expected[rule])
		unexpected();
}

void
findings_reset(void)
{
	memset(st.found, 0, sizeof(st.found));
	memset(st.expected, 0, sizeof(st.expected));
	st.have = 0;
}

void
bench_expect(enum bench_rule rule)
{
	st.expected[rule] = 1;
}

unsigned int
bench_found(enum bench_rule rule)
{
	return st.found[rule];
}

unsigned int
bench_found_all(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < BENCH_NRULES; i++)
		n += st.found[i];
	return n;
}

unsigned int
bench_check(void)
{
	unsigned int i, bad = 0;

	order_catch_up();
	for (i = 0; i < BENCH_NRULES; i++) {
		if ((st.found[i] != 0) == (st.expected[i] != 0))
			continue;
		fprintf(stderr, "paravane: bench: %s: %s\n", rules[i].ru_name,
		    st.found[i] ? "found" : "expected, and not found");
		bad++;
	}
	findings_reset();
	return bad;
}
