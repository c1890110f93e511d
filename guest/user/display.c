/* SPDX-License-Identifier: ISC */

/*
 * The display for programs: one at a time takes it, maps its pixels by way of
 * pv_gpu_mmap, and follows its generations.
 *
 * Everything that uses the device is within display_lock: the text console's
 * thread and resizes keep out meanwhile.
 */

#include <errno.h>
#include <string.h>

#include <paravane/gpu.h>

#include "console.h"
#include "kmem.h"
#include "ktime.h"
#include "tty.h"
#include "user.h"

#include "abi.h"
#include "process.h"

static struct {
	struct pv_gpu	*gpu;
	struct process	*owner;
	bool		 lost;	/* what the owner took is no more */
	struct event	 changed;
} display;

static int
display_check(const struct process *pr)
{
	if (display.owner != pr)
		return EPERM;
	return display.gpu == NULL || display.lost ? ENXIO : 0;
}

static int
take(struct process *pr, struct file *fi)
{
	if (display.owner == pr)
		return fi->fi_display ? 0 : EBUSY;
	if (display.owner != NULL)
		return EBUSY;
	if (display.gpu == NULL)
		return ENXIO;
	if (pr->pr_scratch == 0) {
		pr->pr_scratch = page_alloc(1, 0, 0);
		if (pr->pr_scratch == 0)
			return ENOMEM;
		memset(vm_dmap(pr->pr_scratch, PAGE_SIZE), 0, PAGE_SIZE);
	}
	display.owner = pr;
	fi->fi_display = true;
	return 0;
}

int
display_take(struct process *pr, struct file *fi)
{
	int error;

	/* What somebody else is drawing just now, he draws to the end. */
	display_lock();
	error = take(pr, fi);
	display_unlock();
	return error;
}

static unsigned int
regions_of(const struct process *pr, unsigned int generation)
{
	unsigned int i, n = 0;

	for (i = 0; i < PROC_MAXREGIONS; i++)
		n += pr->pr_region[i].rg_kind == REGION_DISPLAY &&
		    pr->pr_region[i].rg_generation == generation;
	return n;
}

void
display_unmapped(struct process *pr, unsigned int generation)
{
	display_lock();
	/* A display that went has had all that was mapped of it revoked. */
	if (display.gpu != NULL && regions_of(pr, generation) == 0)
		pv_gpu_revoked(display.gpu, generation);
	display_unlock();
}

void
display_give_back(struct process *pr, struct file *fi)
{
	unsigned int i;

	for (i = 0; i < PROC_MAXREGIONS; i++)
		if (pr->pr_region[i].rg_kind == REGION_DISPLAY)
			region_free(pr, &pr->pr_region[i]);
	fi->fi_display = false;
	if (display.owner != pr)
		return;
	display.owner = NULL;
	display.lost = false;
	if (display.gpu != NULL)
		fbcon_repaint(display.gpu);
}

int
display_geometry(struct process *pr, struct sys_display *sd)
{
	struct pv_gpu_geometry gg;
	int error;

	display_lock();
	error = display_check(pr);
	if (error == 0) {
		pv_gpu_geometry(display.gpu, &gg);
		memset(sd, 0, sizeof(*sd));
		sd->sd_width = gg.gg_width;
		sd->sd_height = gg.gg_height;
		sd->sd_stride = gg.gg_stride;
		sd->sd_generation = gg.gg_generation;
		sd->sd_len = gg.gg_len;
	}
	display_unlock();
	return error;
}

int
display_flush(struct process *pr, const struct sys_flush *sf)
{
	struct pv_gpu_geometry gg;
	int error;

	display_lock();
	error = display_check(pr);
	if (error == 0) {
		pv_gpu_geometry(display.gpu, &gg);
		if (gg.gg_generation != sf->sf_generation)
			error = ESTALE;
		else
			error = pv_gpu_flush(display.gpu, sf->sf_x, sf->sf_y,
			    sf->sf_width, sf->sf_height);
	}
	display_unlock();
	return error;
}

int
display_wait(struct process *pr, const struct sys_wait *sw)
{
	uint64_t start = uptime_ns(), past, left;
	struct sys_display sd;
	int error;

	for (;;) {
		error = display_geometry(pr, &sd);
		if (error != 0 || sd.sd_generation != sw->sw_generation)
			return error;
		past = uptime_ns() - start;
		if (pr->pr_killed != 0 || past >= sw->sw_timeout_ns)
			return ETIMEDOUT;
		left = sw->sw_timeout_ns - past;
		event_wait(&display.changed,
		    left < TTY_SLICE_NS ? left : TTY_SLICE_NS);
	}
}

/*
 * One page as the driver names it, with the attribute that the kernel's own
 * mapping of that page has.
 */
static int
map_page(struct process *pr, const struct region *rg, size_t done)
{
	off_t offset = (off_t)(rg->rg_offset + done);
	struct vm_query vq;
	paddr_t pa;
	int error;

	pa = pv_gpu_mmap(display.gpu, offset,
	    rg->rg_prot & VM_WRITE ? PROT_READ | PROT_WRITE : PROT_READ);
	if (pa == (paddr_t)-1)
		return EINVAL;
	error = vm_query(&vm_kernel, (vaddr_t)pv_gpu_kva(display.gpu) +
	    (vaddr_t)offset, &vq);
	if (error != 0)
		return error;
	return vm_map(pr->pr_space, rg->rg_va + done, pa, PAGE_SIZE,
	    rg->rg_prot, vq.vq_attr);
}

static int
map_pages(struct process *pr, struct region *rg)
{
	struct pv_gpu_geometry gg;
	size_t done;
	int error = 0;

	pv_gpu_geometry(display.gpu, &gg);
	for (done = 0; done < rg->rg_len && error == 0; done += PAGE_SIZE)
		error = map_page(pr, rg, done);
	if (error != 0) {
		vm_unmap(pr->pr_space, rg->rg_va, rg->rg_len);
		display_unmapped(pr, gg.gg_generation);
		return error;
	}
	rg->rg_generation = gg.gg_generation;
	rg->rg_kind = REGION_DISPLAY;
	return 0;
}

int
display_map(struct process *pr, struct region *rg)
{
	int error;

	/* No page of a program's own, but tables: they stay until it ends. */
	if (!process_room())
		return ENOMEM;
	display_lock();
	error = display_check(pr);
	if (error == 0)
		error = map_pages(pr, rg);
	display_unlock();
	return error;
}

/*
 * Take the pixels away and put scratch memory there: a program that draws
 * just now neither faults nor harms.
 */
static void
revoke_region(struct process *pr, struct region *rg)
{
	size_t done;

	vm_unmap(pr->pr_space, rg->rg_va, rg->rg_len);
	rg->rg_kind = REGION_SCRATCH;
	for (done = 0; done < rg->rg_len; done += PAGE_SIZE)
		if (vm_map(pr->pr_space, rg->rg_va + done, pr->pr_scratch,
		    PAGE_SIZE, rg->rg_prot, VM_WB) != 0)
			break;
}

void
user_display_revoke(struct pv_gpu *gpu, unsigned int generation)
{
	struct process *pr = display.owner;
	unsigned int i;

	for (i = 0; pr != NULL && gpu == display.gpu &&
	    i < PROC_MAXREGIONS; i++) {
		struct region *rg = &pr->pr_region[i];

		if (rg->rg_kind == REGION_DISPLAY &&
		    rg->rg_generation == generation)
			revoke_region(pr, rg);
	}
	pv_gpu_revoked(gpu, generation);
}

void
user_display_attach(struct pv_gpu *gpu)
{
	if (display.gpu == NULL)
		display.gpu = gpu;
}

void
user_display_detach(struct pv_gpu *gpu)
{
	struct process *pr;
	unsigned int i;

	if (gpu != display.gpu)
		return;
	/* From the first revocation on, nothing of it is mapped any more. */
	display_lock();
	pr = display.owner;
	for (i = 0; pr != NULL && i < PROC_MAXREGIONS; i++) {
		struct region *rg = &pr->pr_region[i];

		if (rg->rg_kind != REGION_DISPLAY)
			continue;
		revoke_region(pr, rg);
		display_unmapped(pr, rg->rg_generation);
	}
	display.gpu = NULL;
	display.lost = pr != NULL;
	display_unlock();
	event_signal(&display.changed);
}

void
user_display_changed(struct pv_gpu *gpu)
{
	if (gpu == display.gpu && display.owner != NULL)
		event_signal(&display.changed);
}

bool
user_display_taken(const struct pv_gpu *gpu)
{
	return gpu == display.gpu && display.owner != NULL && !display.lost;
}
