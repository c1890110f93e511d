/* SPDX-License-Identifier: ISC */
/* Message-signalled interrupts: by an ITS, or by GICv2m frames. */
#include <errno.h>
#include <string.h>

#include "cmdline.h"
#include "gic.h"
#include "intr.h"
#include "log.h"
#include "machine.h"
#include "mmio.h"
#include "vm.h"
#include "cpuvar.h"

#define V2M_TYPER	0x008
#define V2M_SETSPI	0x040
#define MSI_MAXVEC	64

struct frame {
	paddr_t		f_pa;
	uint32_t	f_base;
	uint32_t	f_count;
	uint64_t	f_used[GIC_MAXINTID / 64 + 1];
};

static struct frame frames[MACHINE_MAXV2M];
static unsigned nframes;

static enum {
	KIND_NONE,
	KIND_V2M,
	KIND_ITS
} kind;

unsigned
msi_frames(void)
{
	return nframes;
}

const char *
msi_kind(void)
{
	return kind == KIND_ITS ? "its" : kind == KIND_V2M ? "v2m" : "none";
}

/* The register tells the range unless the machine does. */
static bool
frame_init(struct frame *f, const struct machine_v2m *mv)
{
	volatile char *regs;
	uint32_t typer;

	f->f_pa = mv->mv_base;
	f->f_base = mv->mv_intid_base;
	f->f_count = mv->mv_intid_count;
	if (f->f_count == 0) {
		regs = gic_map(mv->mv_base, 0x1000, V2M_TYPER);
		if (regs == NULL)
			return false;
		typer = mmio_read32(regs + V2M_TYPER);
		vm_unmap_device(regs, 0x1000);
		f->f_base = typer >> 16 & 0x3ff;
		f->f_count = typer & 0x3ff;
	}
	return f->f_base >= 32 && f->f_base < GIC_MAXINTID &&
	    f->f_count != 0 && f->f_count <= GIC_MAXINTID - f->f_base;
}

void
msi_init(void)
{
	for (unsigned i = 0; i < machine.m_gic.mg_nv2m; i++) {
		if (frame_init(&frames[nframes], &machine.m_gic.mg_v2m[i]))
			nframes++;
		else
			klog(LOG_WARN, "msi: the frame at 0x%llx makes no "
			    "sense", (unsigned long long)
			    machine.m_gic.mg_v2m[i].mv_base);
	}
	if (cmdline_is("msi", "off"))
		return;
	if (its_present() && !cmdline_is("msi", "v2m"))
		kind = KIND_ITS;
	else if (nframes > 0 && !cmdline_is("msi", "its"))
		kind = KIND_V2M;
}

static bool
v2m_take(struct msi_vec *vec)
{
	for (unsigned i = 0; i < nframes; i++) {
		struct frame *f = &frames[i];

		for (uint32_t n = 0; n < f->f_count; n++) {
			if (f->f_used[n / 64] & 1ull << (n % 64))
				continue;
			f->f_used[n / 64] |= 1ull << (n % 64);
			vec->mv_addr = f->f_pa + V2M_SETSPI;
			vec->mv_data = f->f_base + n;
			vec->mv_intid = f->f_base + n;
			return true;
		}
	}
	return false;
}

static void
v2m_give(const struct msi_vec *vec)
{
	for (unsigned i = 0; i < nframes; i++) {
		struct frame *f = &frames[i];
		uint32_t n = vec->mv_intid - f->f_base;

		if (vec->mv_intid >= f->f_base && n < f->f_count)
			f->f_used[n / 64] &= ~(1ull << (n % 64));
	}
}

static int
alloc_its(uint32_t devid, unsigned nvec, struct msi_vec *vec)
{
	uint32_t intid[MSI_MAXVEC];
	uint64_t addr;
	int error;

	error = its_alloc(devid, nvec, intid, &addr);
	if (error)
		return error;
	for (unsigned i = 0; i < nvec; i++) {
		vec[i].mv_addr = addr;
		vec[i].mv_data = i;
		vec[i].mv_intid = intid[i];
	}
	return 0;
}

int
msi_alloc(uint32_t devid, unsigned nvec, struct msi_vec *vec, unsigned *got)
{
	unsigned n = 0;
	int error;

	*got = 0;
	if (kind == KIND_NONE)
		return ENOTSUP;
	if (nvec == 0)
		return EINVAL;
	if (nvec > MSI_MAXVEC)
		nvec = MSI_MAXVEC;
	if (kind == KIND_ITS) {
		error = alloc_its(devid, nvec, vec);
		*got = error ? 0 : nvec;
		return error;
	}
	while (n < nvec && v2m_take(&vec[n]))
		n++;
	*got = n;
	return n == 0 ? ENOSPC : 0;
}

void
msi_free(uint32_t devid, struct msi_vec *vec, unsigned nvec)
{
	uint32_t intid[MSI_MAXVEC];

	if (nvec > MSI_MAXVEC)
		nvec = MSI_MAXVEC;
	if (kind == KIND_V2M) {
		for (unsigned i = 0; i < nvec; i++)
			v2m_give(&vec[i]);
	} else if (kind == KIND_ITS) {
		for (unsigned i = 0; i < nvec; i++)
			intid[i] = vec[i].mv_intid;
		its_free(devid, intid, nvec);
	}
}
