/* SPDX-License-Identifier: ISC */
/*
 * Interrupts of a PCI function: a vector a queue, shared vectors, the INTx
 * line, polling; the first of them that can be had. The MSI-X table itself is
 * the kernel's. A vector that the device does not take reads back as 0xffff
 * (MSI-X Vector Configuration), and sends us on to the next way.
 */
#include "pci_var.h"

#define VECTOR_CONFIG	-1	/* pv_queue of a vector: configuration alone, */
#define VECTOR_QUEUES	-2	/* all queues, */
#define VECTOR_ALL	-3	/* both */

#define LINE		-1	/* the vector number of INTx */

static int
vector_intr(void *v)
{
	struct pv_pci_vector *pv = v;

	if (pv->pv_queue >= 0)
		return pv_virtio_intr_queue(pv->pv_dev,
		    (unsigned int)pv->pv_queue);
	switch (pv->pv_queue) {
	case VECTOR_CONFIG:
		return pv_virtio_intr(pv->pv_dev, PV_INTR_CONFIG);
	case VECTOR_QUEUES:
		return pv_virtio_intr(pv->pv_dev, PV_INTR_QUEUE);
	default:
		/* Nothing tells which; the ISR status is INTx's alone. */
		return pv_virtio_intr(pv->pv_dev,
		    PV_INTR_QUEUE | PV_INTR_CONFIG);
	}
}

/* Reading acknowledges, and lowers the line. */
static unsigned int
read_isr(const struct pv_pci *pp)
{
	unsigned int isr, pending = 0;

	isr = window_read_1(&pp->pp_isr, 0);
	if (isr & ISR_QUEUE)
		pending |= PV_INTR_QUEUE;
	if (isr & ISR_CONFIG)
		pending |= PV_INTR_CONFIG;
	return pending;
}

static int
line_intr(void *v)
{
	struct pv_pci_vector *pv = v;
	unsigned int pending = read_isr(pv->pv_pci);

	if (pending == 0)
		return 0;
	return pv_virtio_intr(pv->pv_dev, pending);
}

static int
establish(struct pv_pci *pp, struct pv_virtio *dev, unsigned int slot,
    int vector, int queue, int (*fn)(void *))
{
	struct pv_pci_vector *pv = &pp->pp_vectors[slot];

	pv->pv_pci = pp;
	pv->pv_dev = dev;
	pv->pv_queue = queue;
	return pp->pp_ops->po_intr_establish(pp->pp_cookie, vector,
	    pp->pp_name, fn, pv);
}

static void
disestablish(struct pv_pci *pp)
{
	while (pp->pp_nvectors > 0) {
		pp->pp_nvectors--;
		pp->pp_ops->po_intr_disestablish(pp->pp_cookie,
		    (int)pp->pp_nvectors);
	}
}

static int
set_vector(struct pv_pci *pp, bus_size_t reg, unsigned int vector)
{
	window_write_2(&pp->pp_common, reg, (uint16_t)vector);
	return window_read_2(&pp->pp_common, reg) == vector ? 0 : EIO;
}

/* The vector that queue has in mode. */
static unsigned int
vector_of(const struct pv_pci *pp, enum pv_intr_mode mode, unsigned int queue)
{
	if (mode == PV_INTR_MODE_PER_QUEUE)
		return queue + 1;
	if (mode == PV_INTR_MODE_SHARED)
		return pp->pp_nvectors > 1;
	return MSI_NO_VECTOR;
}

/* Whether the device takes all vectors of this mode. */
static int
try_vectors(struct pv_pci *pp, enum pv_intr_mode mode, unsigned int nqueues)
{
	unsigned int q;
	int error;

	error = set_vector(pp, COMMON_CONFIG_MSIX_VECTOR, 0);
	for (q = 0; q < nqueues && error == 0; q++) {
		window_write_2(&pp->pp_common, COMMON_QUEUE_SELECT,
		    (uint16_t)q);
		if (window_read_2(&pp->pp_common, COMMON_QUEUE_SIZE) == 0)
			continue;
		error = set_vector(pp, COMMON_QUEUE_MSIX_VECTOR,
		    vector_of(pp, mode, q));
	}
	return error;
}

/* Vector 0 is configuration's; if it is the only one, everybody's. */
static int
meaning(enum pv_intr_mode mode, unsigned int nvectors, unsigned int vector)
{
	if (nvectors == 1)
		return VECTOR_ALL;
	if (vector == 0)
		return VECTOR_CONFIG;
	return mode == PV_INTR_MODE_PER_QUEUE ? (int)vector - 1 :
	    VECTOR_QUEUES;
}

static int
try_msix(struct pv_pci *pp, struct pv_virtio *dev, enum pv_intr_mode mode,
    unsigned int nvectors, unsigned int nqueues)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < nvectors; i++) {
		error = establish(pp, dev, i, (int)i,
		    meaning(mode, nvectors, i), vector_intr);
		if (error)
			break;
		pp->pp_nvectors++;
	}
	if (error == 0)
		error = try_vectors(pp, mode, nqueues);
	if (error)
		disestablish(pp);
	return error;
}

/* A queue has none after it was reset; what it had before is its own again. */
int
pci_intr_restore(struct pv_pci *pp, unsigned int queue)
{
	if (pp->pp_nvectors == 0 || queue >= PV_MAXQUEUES)
		return 0;
	return set_vector(pp, COMMON_QUEUE_MSIX_VECTOR,
	    vector_of(pp, pp->pp_mode, queue));
}

/* No vector: what a driver that gives MSI-X up writes. */
static void
forget_vectors(struct pv_pci *pp, unsigned int nqueues)
{
	unsigned int q;

	window_write_2(&pp->pp_common, COMMON_CONFIG_MSIX_VECTOR,
	    MSI_NO_VECTOR);
	for (q = 0; q < nqueues; q++) {
		window_write_2(&pp->pp_common, COMMON_QUEUE_SELECT,
		    (uint16_t)q);
		window_write_2(&pp->pp_common, COMMON_QUEUE_MSIX_VECTOR,
		    MSI_NO_VECTOR);
	}
}

static enum pv_intr_mode
setup_msix(struct pv_pci *pp, struct pv_virtio *dev, unsigned int nqueues)
{
	unsigned int have, want = nqueues + 1;

	have = pp->pp_ops->po_vectors(pp->pp_cookie);
	if (have >= want && try_msix(pp, dev, PV_INTR_MODE_PER_QUEUE, want,
	    nqueues) == 0)
		return PV_INTR_MODE_PER_QUEUE;
	if (have >= 2 && try_msix(pp, dev, PV_INTR_MODE_SHARED, 2,
	    nqueues) == 0)
		return PV_INTR_MODE_SHARED;
	if (have >= 1 && try_msix(pp, dev, PV_INTR_MODE_SHARED, 1,
	    nqueues) == 0)
		return PV_INTR_MODE_SHARED;
	if (have >= 1)
		forget_vectors(pp, nqueues);
	return PV_INTR_MODE_NONE;
}

enum pv_intr_mode
pci_intr_setup(void *v, struct pv_virtio *dev, unsigned int nqueues)
{
	struct pv_pci *pp = v;

	pp->pp_mode = setup_msix(pp, dev, nqueues);
	if (pp->pp_mode != PV_INTR_MODE_NONE)
		return pp->pp_mode;
	pp->pp_mode = PV_INTR_MODE_POLL;
	if (pp->pp_isr.pw_len != 0 && establish(pp, dev, 0, LINE, VECTOR_ALL,
	    line_intr) == 0)
		pp->pp_mode = PV_INTR_MODE_LINE;
	return pp->pp_mode;
}

void
pci_intr_teardown(void *v)
{
	struct pv_pci *pp = v;

	if (pp->pp_mode == PV_INTR_MODE_LINE)
		pp->pp_ops->po_intr_disestablish(pp->pp_cookie, LINE);
	disestablish(pp);
	pp->pp_mode = PV_INTR_MODE_NONE;
}

/* With MSI-X the ISR status says nothing (ISR status capability). */
unsigned int
pci_intr_status(void *v)
{
	struct pv_pci *pp = v;

	if (pp->pp_nvectors != 0 || pp->pp_isr.pw_len == 0)
		return 0;
	return read_isr(pp);
}
