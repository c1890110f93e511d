/* SPDX-License-Identifier: ISC */

/*
 * Processes: loading, memory, end.
 */

#include <errno.h>
#include <string.h>

#include "cpu.h"
#include "kmem.h"
#include "tty.h"
#include "user.h"

#include "elf.h"
#include "process.h"
#include "prog.h"

_Static_assert(ELF_VA_MIN == VM_USER_MIN && ELF_VA_MAX == VM_USER_MAX,
    "what elf_parse takes is what can be mapped");
_Static_assert(ELF_PAGE == PAGE_SIZE, "pages differ");

static size_t
round_page(size_t len)
{
	return (len + PAGE_MASK) & ~PAGE_MASK;
}

const char *
user_program_name(unsigned int i)
{
	return i < user_programs_count ? user_programs[i].name : NULL;
}

static const struct user_program *
program_find(const char *name)
{
	uint64_t i;

	for (i = 0; i < user_programs_count; i++)
		if (strcmp(user_programs[i].name, name) == 0)
			return &user_programs[i];
	return NULL;
}

struct process *
process_self(void)
{
	return thread_data();
}

vaddr_t
process_place(struct process *pr, size_t len)
{
	vaddr_t va = pr->pr_mmap_next;

	if (len > PROC_MMAP_MAX - va)
		return 0;
	pr->pr_mmap_next = va + len;
	/* an unmapped page between two mappings, as far as there is room */
	if (pr->pr_mmap_next + PAGE_SIZE <= PROC_MMAP_MAX)
		pr->pr_mmap_next += PAGE_SIZE;
	return va;
}

/* Programs leave the kernel an eighth of all memory. */
bool
process_room(void)
{
	return page_free_count() >= page_total() / 8;
}

struct region *
region_new(struct process *pr)
{
	unsigned int i;

	for (i = 0; i < PROC_MAXREGIONS; i++) {
		struct region *rg = &pr->pr_region[i];

		if (rg->rg_kind == REGION_NONE) {
			memset(rg, 0, sizeof(*rg));
			return rg;
		}
	}
	return NULL;
}

struct region *
region_find(struct process *pr, vaddr_t va, size_t len)
{
	unsigned int i;

	for (i = 0; i < PROC_MAXREGIONS; i++) {
		struct region *rg = &pr->pr_region[i];

		if (rg->rg_kind != REGION_NONE && rg->rg_va == va &&
		    rg->rg_len == len)
			return rg;
	}
	return NULL;
}

/* Unmap [va, va + len) of REGION_MEMORY and free the pages behind it. */
static void
memory_free(struct process *pr, vaddr_t va, size_t len)
{
	struct vm_query vq;
	size_t done;

	for (done = 0; done < len; done += PAGE_SIZE) {
		if (vm_query(pr->pr_space, va + done, &vq) != 0)
			continue;
		vm_unmap(pr->pr_space, va + done, PAGE_SIZE);
		page_free(vq.vq_pa, 1);
		pr->pr_pages--;
	}
}

static int
memory_add_page(struct process *pr, vaddr_t va, int prot)
{
	paddr_t pa;
	int error;

	if (pr->pr_pages >= PROC_MAXPAGES || !process_room())
		return ENOMEM;
	pa = page_alloc(1, 0, 0);
	if (pa == 0)
		return ENOMEM;
	memset(vm_dmap(pa, PAGE_SIZE), 0, PAGE_SIZE);
	error = vm_map(pr->pr_space, va, pa, PAGE_SIZE, prot, VM_WB);
	if (error != 0) {
		page_free(pa, 1);
		return error;
	}
	pr->pr_pages++;
	return 0;
}

int
region_memory(struct process *pr, struct region *rg)
{
	size_t done;
	int error;

	for (done = 0; done < rg->rg_len; done += PAGE_SIZE) {
		error = memory_add_page(pr, rg->rg_va + done, rg->rg_prot);
		if (error != 0) {
			memory_free(pr, rg->rg_va, done);
			return error;
		}
	}
	rg->rg_kind = REGION_MEMORY;
	return 0;
}

void
region_free(struct process *pr, struct region *rg)
{
	enum region_kind kind = rg->rg_kind;

	if (kind == REGION_MEMORY)
		memory_free(pr, rg->rg_va, rg->rg_len);
	else
		vm_unmap(pr->pr_space, rg->rg_va, rg->rg_len);
	rg->rg_kind = REGION_NONE;
	if (kind == REGION_DISPLAY)
		display_unmapped(pr, rg->rg_generation);
}

/* Copy into a process's pages through the direct map. */
static int
poke(struct process *pr, vaddr_t va, const void *from, size_t len)
{
	const uint8_t *src = from;
	struct vm_query vq;

	while (len > 0) {
		size_t n = PAGE_SIZE - (va & PAGE_MASK);
		void *to;
		int error;

		if (n > len)
			n = len;
		error = vm_query(pr->pr_space, va, &vq);
		if (error != 0)
			return error;
		to = vm_dmap(vq.vq_pa, n);
		if (to == NULL)
			return EFAULT;
		memcpy(to, src, n);
		if (vq.vq_prot & VM_EXEC)
			cache_sync_code(to, n);
		va += n;
		src += n;
		len -= n;
	}
	return 0;
}

static int
add_memory(struct process *pr, vaddr_t va, size_t len, int prot)
{
	struct region *rg = region_new(pr);

	if (rg == NULL)
		return ENOMEM;
	rg->rg_va = va;
	rg->rg_len = len;
	rg->rg_prot = prot | VM_USER;
	return region_memory(pr, rg);
}

static int
load_segment(struct process *pr, const uint8_t *file,
    const struct elf_segment *es)
{
	vaddr_t start = es->es_va & ~PAGE_MASK;
	vaddr_t end = round_page(es->es_va + es->es_memsz);
	int prot = VM_READ, error;

	if (es->es_flags & ELF_W)
		prot |= VM_WRITE;
	if (es->es_flags & ELF_X)
		prot |= VM_EXEC;
	error = add_memory(pr, start, end - start, prot);
	if (error != 0)
		return error;
	return poke(pr, es->es_va, file + es->es_offset, es->es_filesz);
}

static int
load_image(struct process *pr, const struct user_program *up)
{
	struct elf_program ep;
	const char *why;
	unsigned int i;
	int error;

	error = elf_parse(up->start, (size_t)(up->end - up->start), &ep, &why);
	if (error != 0) {
		tty_printf("%s: %s\n", up->name, why);
		return error;
	}
	for (i = 0; i < ep.ep_nsegs && error == 0; i++)
		error = load_segment(pr, up->start, &ep.ep_seg[i]);
	pr->pr_entry = ep.ep_entry;
	return error;
}

/*
 * The stack, from its pointer upwards: argc, argv[0] to argv[argc - 1], NULL,
 * the strings.
 */
static int
load_stack(struct process *pr, int argc, char *const argv[])
{
	uint64_t words[2 + 32];
	size_t nwords = 2 + (size_t)argc, bytes = 0, n;
	vaddr_t at;
	int error, i;

	for (i = 0; i < argc; i++)
		bytes += strlen(argv[i]) + 1;
	if (nwords > sizeof(words) / sizeof(words[0]) ||
	    bytes > PROC_ARGS_MAX)
		return E2BIG;
	error = add_memory(pr, PROC_STACK_TOP - PROC_STACK_SIZE,
	    PROC_STACK_SIZE, VM_READ | VM_WRITE);
	if (error != 0)
		return error;
	at = PROC_STACK_TOP - bytes;
	pr->pr_sp = (at - nwords * sizeof(words[0])) & ~15ul;
	words[0] = (uint64_t)argc;
	words[nwords - 1] = 0;
	for (i = 0; i < argc; i++) {
		n = strlen(argv[i]) + 1;
		words[1 + i] = at;
		error = poke(pr, at, argv[i], n);
		if (error != 0)
			return error;
		at += n;
	}
	return poke(pr, pr->pr_sp, words, nwords * sizeof(words[0]));
}

static void
free_memory(struct process *pr)
{
	unsigned int i;

	for (i = 0; i < PROC_MAXFILES; i++)
		if (pr->pr_file[i].fi_display)
			display_give_back(pr, &pr->pr_file[i]);
	for (i = 0; i < PROC_MAXREGIONS; i++)
		if (pr->pr_region[i].rg_kind != REGION_NONE)
			region_free(pr, &pr->pr_region[i]);
	if (pr->pr_scratch != 0)
		page_free(pr->pr_scratch, 1);
	if (pr->pr_space != NULL)
		vm_space_free(pr->pr_space);
	pr->pr_scratch = 0;
	pr->pr_space = NULL;
}

static void
process_main(void *arg)
{
	struct process *pr = arg;

	thread_setdata(pr);
	thread_setspace(pr->pr_space);
	cpu_enter_user(pr->pr_entry, pr->pr_sp, pr->pr_sp);
}

int
process_start(int argc, char *const argv[], struct process **prp)
{
	const struct user_program *up = program_find(argv[0]);
	struct process *pr;
	unsigned int i;
	int error;

	if (up == NULL)
		return ENOENT;
	pr = kzalloc(sizeof(*pr));
	if (pr == NULL)
		return ENOMEM;
	pr->pr_name = up->name;
	pr->pr_mmap_next = PROC_MMAP_MIN;
	for (i = 0; i < 3; i++)
		pr->pr_file[i].fi_kind = FILE_TTY;
	error = ENOMEM;
	pr->pr_space = vm_space_alloc();
	if (pr->pr_space == NULL)
		goto fail;
	error = load_image(pr, up);
	if (error != 0)
		goto fail;
	error = load_stack(pr, argc, argv);
	if (error != 0)
		goto fail;
	error = ENOMEM;
	if (thread_create(up->name, process_main, pr) == NULL)
		goto fail;
	*prp = pr;
	return 0;

fail:
	free_memory(pr);
	kfree(pr);
	return error;
}

void
process_exit(struct process *pr, int status)
{
	pr->pr_status = pr->pr_killed != 0 ? 128 + pr->pr_killed : status;
	thread_setspace(NULL);
	thread_setdata(NULL);
	free_memory(pr);
	event_signal(&pr->pr_exited);
	thread_exit();
}

int
process_wait(struct process *pr, uint64_t timeout_ns, int *status)
{
	int error = event_wait(&pr->pr_exited, timeout_ns);

	if (error != 0)
		return error;
	*status = pr->pr_status;
	kfree(pr);
	return 0;
}

/*
 * A program at EL0 is stopped by taking its right to execute: the next fetch
 * ends in user_fault. One in a system call ends when that does, and those
 * that block look at pr_killed.
 */
void
process_kill(struct process *pr, int why)
{
	unsigned int i;

	if (pr->pr_killed != 0 || pr->pr_space == NULL)
		return;
	pr->pr_killed = why;
	for (i = 0; i < PROC_MAXREGIONS; i++) {
		struct region *rg = &pr->pr_region[i];

		if (rg->rg_kind == REGION_MEMORY && (rg->rg_prot & VM_EXEC))
			vm_protect(pr->pr_space, rg->rg_va, rg->rg_len,
			    VM_READ | VM_USER);
	}
}

int
user_exec(int argc, char *const argv[], int *status)
{
	struct process *pr;
	int error;

	error = process_start(argc, argv, &pr);
	if (error != 0)
		return error;
	while (process_wait(pr, TTY_SLICE_NS, status) != 0)
		if (tty_interrupted())
			process_kill(pr, USER_KILLED_INTR);
	return 0;
}
