/* SPDX-License-Identifier: ISC */

/*
 * What the guest can test of EL0 from within: that programs run and end, that
 * hostile ones end without harm, that the timer takes the processor from one
 * that keeps it, and that a program's view of the framebuffer is the
 * framebuffer.
 */

#include <errno.h>
#include <string.h>

#include <paravane/gpu.h>

#include "cmdline.h"
#include "console.h"
#include "kmem.h"
#include "ktime.h"
#include "selftest.h"
#include "user.h"
#include "virtio_guest.h"

#include "process.h"

#define MAXARGS		4
#define MEMORY_SLACK	64	/* pages that others may take meanwhile */

/* AttrIndx, bits 4:2, and shareability, 9:8, of a page's descriptor. */
#define PTE_ATTRIBUTES	0x31cul

/* Words of a line, in its own copy. */
struct line {
	char	 text[64];
	char	*argv[MAXARGS + 1];
	int	 argc;
};

static void
split(struct line *l, const char *text)
{
	char *p = l->text;

	strlcpy(l->text, text, sizeof(l->text));
	for (l->argc = 0; *p != '\0' && l->argc < MAXARGS; l->argc++) {
		l->argv[l->argc] = p;
		p += strcspn(p, " ");
		if (*p != '\0')
			*p++ = '\0';
	}
	l->argv[l->argc] = NULL;
}

static struct process *
start(const char *text)
{
	struct process *pr = NULL;
	struct line l;

	split(&l, text);
	if (process_start(l.argc, l.argv, &pr) != 0)
		return NULL;
	return pr;
}

/* The status of a program, -1 if it can't start, -2 if it does not end. */
static int
run(const char *text)
{
	struct process *pr = start(text);
	int status;

	if (pr == NULL)
		return -1;
	if (process_wait(pr, 20 * NS_PER_S, &status) == 0)
		return status;
	process_kill(pr, USER_KILLED_INTR);
	return process_wait(pr, NS_PER_S, &status) == 0 ? -2 : -3;
}

/* End a program that a test started; its status, -1 if it does not end. */
static int
stop(struct process *pr)
{
	int status;

	process_kill(pr, USER_KILLED_INTR);
	return process_wait(pr, ST_WAIT_NS, &status) == 0 ? status : -1;
}

SELFTEST(user_program)
{
	ST_EQ(st, run("hello"), 0);
	ST_EQ(st, run("hello # arguments"), 2);
	ST_EQ(st, run("nothing"), -1);
}

SELFTEST(user_hostile_calls)
{
	ST_EQ(st, run("hostile"), 0);
}

/* n programs end like that one and no other, or, if how is 0, in any way. */
static void
killed(struct selftest *st, const char *const *kills, size_t n, int how)
{
	int status;

	for (; n > 0; n--, kills++) {
		selftest_note("%s", *kills);
		status = run(*kills);
		ST_CHECK(st, how != 0 ? status == 128 + how : status > 128);
	}
}

SELFTEST(user_hostile_accesses)
{
	static const char *const kills[] = {
		"hostile null", "hostile kernel-text", "hostile kernel-dmap",
		"hostile kernel-device", "hostile device", "hostile code",
		"hostile constant", "hostile stack", "hostile jump-kernel",
	};

	killed(st, kills, sizeof(kills) / sizeof(kills[0]),
	    USER_KILLED_FAULT);
}

SELFTEST(user_hostile_instructions)
{
	static const char *const kills[] = {
		"hostile jump-odd", "hostile undefined", "hostile break",
		"hostile hypervisor", "hostile register", "hostile mask",
		"hostile simd", "hostile sp",
	};

	killed(st, kills, sizeof(kills) / sizeof(kills[0]), 0);
}

SELFTEST(user_endless)
{
	struct process *pr = start("spin");
	uint64_t begin = uptime_ns();
	int i;

	ST_CHECK(st, pr != NULL);
	for (i = 0; i < 10; i++)
		thread_sleep(NS_PER_S / 100);
	ST_EQ(st, stop(pr), 128 + USER_KILLED_INTR);
	ST_CHECK(st, uptime_ns() - begin < ST_WAIT_NS);
}

SELFTEST(user_memory_returns)
{
	size_t before, after;
	int i;

	/* A program that is refused all it asks for takes a while to ask. */
	run("hello");
	before = page_free_count();
	for (i = 0; i < 10; i++)
		run(i == 0 ? "hostile" : "hello");
	after = page_free_count();
	ST_CHECK(st, after + MEMORY_SLACK >= before);
}

static struct pv_gpu *
gpu_find(void)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_GPU, 0);

	return vg == NULL ? NULL : &vg->vg_driver.vd_gpu;
}

static const struct region *
display_region(const struct process *pr)
{
	unsigned int i;

	for (i = 0; i < PROC_MAXREGIONS; i++)
		if (pr->pr_region[i].rg_kind == REGION_DISPLAY)
			return &pr->pr_region[i];
	return NULL;
}

/* The program's mapping of the display, once it has one. */
static const struct region *
await_display(const struct process *pr)
{
	const struct region *rg = NULL;
	int i;

	for (i = 0; i < 500 && rg == NULL && pr->pr_space != NULL; i++) {
		thread_sleep(NS_PER_S / 100);
		rg = display_region(pr);
	}
	return rg;
}

/* The segments, by the bus addresses that the device was given. */
static void
check_page(struct selftest *st, const struct process *pr,
    const struct region *rg, struct pv_gpu *gpu, size_t offset, uint64_t pa)
{
	struct vm_query user, kernel;

	ST_EQ(st, vm_query(pr->pr_space, rg->rg_va + offset, &user), 0);
	ST_EQ(st, vm_query(&vm_kernel, (vaddr_t)pv_gpu_kva(gpu) + offset,
	    &kernel), 0);
	ST_EQ(st, user.vq_pa, pa);
	ST_EQ(st, kernel.vq_pa, pa);
	ST_EQ(st, user.vq_prot, VM_READ | VM_WRITE | VM_USER);
	ST_EQ(st, user.vq_attr, kernel.vq_attr);
	ST_EQ(st, user.vq_pte & PTE_ATTRIBUTES,
	    kernel.vq_pte & PTE_ATTRIBUTES);
}

static void
check_mapping(struct selftest *st, const struct process *pr,
    const struct region *rg, struct pv_gpu *gpu)
{
	uint64_t limit = cmdline_get_number("segsize", 0) & ~PAGE_MASK;
	struct pv_gpu_geometry gg;
	size_t offset = 0, at;
	bus_size_t len;
	bus_addr_t addr;
	unsigned int i;

	pv_gpu_geometry(gpu, &gg);
	ST_EQ(st, rg->rg_generation, gg.gg_generation);
	ST_EQ(st, rg->rg_len, gg.gg_len);
	for (i = 0; pv_gpu_segment(gpu, i, &addr, &len) == 0; i++) {
		ST_CHECK(st, len > 0 && len % PAGE_SIZE == 0);
		ST_CHECK(st, limit == 0 || len <= limit);
		for (at = 0; at < len && st->st_failed == 0; at += PAGE_SIZE)
			check_page(st, pr, rg, gpu, offset + at, addr + at);
		offset += len;
	}
	ST_EQ(st, offset, gg.gg_len);
	ST_EQ(st, i, gg.gg_nsegs);
	if (limit != 0)
		ST_CHECK(st, i >= gg.gg_len / limit);
	selftest_note("%u segments, %zu pages of the program compared", i,
	    gg.gg_len / PAGE_SIZE);
}

SELFTEST(user_framebuffer)
{
	struct pv_gpu *gpu = gpu_find();
	const struct region *rg;
	struct process *pr;

	if (gpu == NULL)
		ST_SKIP(st, "no display");
	pr = start("fbdemo 0 60");
	ST_CHECK(st, pr != NULL);
	rg = await_display(pr);
	if (rg != NULL)
		check_mapping(st, pr, rg, gpu);
	ST_EQ(st, stop(pr), 128 + USER_KILLED_INTR);
	ST_CHECK(st, rg != NULL);
	ST_CHECK(st, !user_display_taken(gpu));
}

SELFTEST(user_display_is_one_program_s)
{
	struct pv_gpu *gpu = gpu_find();
	const struct region *rg;
	struct process *pr;
	int second;

	if (gpu == NULL)
		ST_SKIP(st, "no display");
	pr = start("fbdemo 0 60");
	ST_CHECK(st, pr != NULL);
	rg = await_display(pr);
	second = run("fbdemo 0 0");
	ST_EQ(st, stop(pr), 128 + USER_KILLED_INTR);
	ST_CHECK(st, rg != NULL);
	ST_EQ(st, second, 1);
	ST_EQ(st, run("fbdemo 0 0"), 0);
}

/* Which of two ends soon by itself, with its status; or -1. */
static int
first_to_end(struct process *const *pr, int *status)
{
	uint64_t end = uptime_ns() + ST_WAIT_NS;
	int i;

	do
		for (i = 0; i < 2; i++)
			if (pr[i] != NULL &&
			    process_wait(pr[i], NS_PER_S / 100, status) == 0)
				return i;
	while (uptime_ns() < end);
	return -1;
}

/* Two want it while somebody else draws: one of them gets it. */
SELFTEST(user_display_is_taken_once)
{
	struct pv_gpu *gpu = gpu_find();
	struct process *pr[2];
	int i, loser, status = -1;

	if (gpu == NULL)
		ST_SKIP(st, "no display");
	display_lock();
	for (i = 0; i < 2; i++)
		pr[i] = start("fbdemo 0 60");
	thread_sleep(NS_PER_S / 10);
	display_unlock();
	loser = first_to_end(pr, &status);
	for (i = 0; i < 2; i++)
		if (i != loser && pr[i] != NULL)
			ST_EQ(st, stop(pr[i]), 128 + USER_KILLED_INTR);
	ST_CHECK(st, loser >= 0);
	ST_EQ(st, status, 1);
	ST_CHECK(st, !user_display_taken(gpu));
}

#define HOARD		64

struct hoard {
	paddr_t	 ho_pa[HOARD];
	size_t	 ho_n[HOARD];
};

/* Take memory, in pieces as large as there are, down to what is left. */
static void
hoard(struct hoard *ho, size_t left)
{
	size_t n = page_free_count();
	unsigned int i = 0;

	while (i < HOARD && n > 0 && page_free_count() > left) {
		if (n > page_free_count() - left)
			n = page_free_count() - left;
		ho->ho_pa[i] = page_alloc(n, 0, 0);
		if (ho->ho_pa[i] == 0)
			n /= 2;
		else
			ho->ho_n[i++] = n;
	}
}

static void
hoard_free(struct hoard *ho)
{
	unsigned int i;

	for (i = 0; i < HOARD && ho->ho_n[i] > 0; i++)
		page_free(ho->ho_pa[i], ho->ho_n[i]);
}

/* Tables of the display's mappings are not the last of the memory. */
SELFTEST(user_display_leaves_memory)
{
	struct pv_gpu *gpu = gpu_find();
	struct region rg = { .rg_va = PROC_MMAP_MAX - PAGE_SIZE,
	    .rg_len = PAGE_SIZE, .rg_prot = VM_USER | VM_READ };
	struct hoard ho = { .ho_n = { 0 } };
	struct process *pr;
	int error;

	if (gpu == NULL)
		ST_SKIP(st, "no display");
	pr = start("fbdemo 0 60");
	ST_CHECK(st, pr != NULL);
	await_display(pr);
	hoard(&ho, page_total() / 8 - 8);
	error = display_map(pr, &rg);
	hoard_free(&ho);
	ST_EQ(st, stop(pr), 128 + USER_KILLED_INTR);
	ST_EQ(st, error, ENOMEM);
}

/* The device goes while a program that has it mapped ends. */
SELFTEST(user_display_goes_at_the_end)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_GPU, 0);
	struct process *pr;
	int detached, attached;

	if (vg == NULL)
		ST_SKIP(st, "no display");
	pr = start("fbdemo 0 60");
	ST_CHECK(st, pr != NULL);
	await_display(pr);
	display_lock();
	process_kill(pr, USER_KILLED_INTR);
	thread_sleep(NS_PER_S / 5);
	detached = virtio_detach(vg);
	display_unlock();
	ST_EQ(st, stop(pr), 128 + USER_KILLED_INTR);
	attached = virtio_attach(vg);
	ST_EQ(st, detached, 0);
	ST_EQ(st, attached, 0);
	ST_EQ(st, run("fbdemo 0 0"), 0);
}

/* Every page of a region that lost its display is the scratch page. */
static void
check_scratch(struct selftest *st, const struct process *pr,
    const struct region *rg)
{
	struct vm_query vq;
	size_t at;

	ST_EQ(st, rg->rg_kind, REGION_SCRATCH);
	for (at = 0; at < rg->rg_len; at += PAGE_SIZE) {
		ST_EQ(st, vm_query(pr->pr_space, rg->rg_va + at, &vq), 0);
		ST_EQ(st, vq.vq_pa, pr->pr_scratch);
	}
}

/* The device goes while a program draws: it is told, and nothing faults. */
SELFTEST(user_display_goes)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_GPU, 0);
	const struct region *rg;
	struct process *pr;
	int detached, attached, ended, status = 0;

	if (vg == NULL)
		ST_SKIP(st, "no display");
	pr = start("fbdemo 1 60");
	ST_CHECK(st, pr != NULL);
	rg = await_display(pr);
	/* It learns of it from the display, by what waits for the lock: its region stays until then. */
	display_lock();
	detached = virtio_detach(vg);
	if (rg != NULL)
		check_scratch(st, pr, rg);
	display_unlock();
	ended = process_wait(pr, 20 * NS_PER_S, &status);
	if (ended != 0)
		stop(pr);
	attached = virtio_attach(vg);
	ST_CHECK(st, rg != NULL);
	ST_EQ(st, detached, 0);
	ST_EQ(st, ended, 0);
	ST_EQ(st, status, 1);
	ST_EQ(st, attached, 0);
	ST_EQ(st, run("fbdemo 0 0"), 0);
}
