/* SPDX-License-Identifier: ISC */
#include <string.h>

#include <bench.h>

#include "stand.h"

void
stand_init(struct stand *st, enum stand_kind kind, unsigned int type,
    unsigned int nqueues)
{
	bench_environment();
	port_reset();
	memset(st, 0, sizeof(*st));
	st->st_kind = kind;
	fake_init(&st->st_fd, type, nqueues);
	if (kind == STAND_PCI) {
		fake_pci_init(&st->st_fp, &st->st_fd);
		st->st_fp.fp_vectors = nqueues + 1;
	} else
		fake_mmio_init(&st->st_fm, &st->st_fd,
		    kind == STAND_LEGACY ? 1 : 2);
}

static void
broken(void *v, const char *why)
{
	struct stand *st = v;

	st->st_nbroken++;
	st->st_why = why;
}

static void
config(void *v)
{
	struct stand *st = v;

	st->st_nconfig++;
}

static const struct pv_virtio_callbacks callbacks = {
	.vc_broken = broken,
	.vc_config = config,
};

int
stand_attach(struct stand *st)
{
	int error;

	if (st->st_kind == STAND_PCI) {
		error = pv_pci_attach(&st->st_pp, &fake_pci_ops, &st->st_fp,
		    "fake0");
		if (error)
			return error;
		return pv_virtio_init(&st->st_dev, &pv_pci_transport,
		    &st->st_pp, st->st_pp.pp_type, &port_dma_tag, "fake0",
		    &callbacks, st);
	}
	error = pv_mmio_attach(&st->st_mm, &st->st_fm.fm_space, 0,
	    FAKE_MMIO_SIZE, &fake_mmio_ops, &st->st_fm, "fake0");
	if (error)
		return error;
	return pv_virtio_init(&st->st_dev, &pv_mmio_transport, &st->st_mm,
	    st->st_mm.mm_type, &port_dma_tag, "fake0", &callbacks, st);
}

int
stand_finish(struct stand *st)
{
	int bad = 0;

	if (st->st_kind == STAND_PCI) {
		pv_pci_detach(&st->st_pp);
		bad = fake_pci_check(&st->st_fp);
		if (bad)
			port_violation("handlers or BARs left");
	} else {
		pv_mmio_detach(&st->st_mm);
		if (st->st_fm.fm_fn != NULL)
			port_violation("a handler left");
	}
	return port_check() | bad;
}
