/* SPDX-License-Identifier: ISC */
/*
 * Interrupts of PCI functions: MSI-X, whose table belongs to the kernel, and
 * INTx by the host bridge's interrupt-map.
 */
#include <errno.h>
#include <string.h>

#include "cmdline.h"
#include "intr.h"
#include "kmem.h"
#include "log.h"
#include "mmio.h"
#include "pcivar.h"
#include "vm.h"

#define MSIX_MAXVECTORS	32
#define MSIX_ENABLE	0x80000000u	/* as read with the capability's first word */
#define MSIX_MASKALL	0x40000000u
#define MSIX_ENTRY	16
#define MSIX_ADDR_LO	0
#define MSIX_ADDR_HI	4
#define MSIX_DATA	8
#define MSIX_CONTROL	12
#define MSIX_MASKED	1

struct pci_vector {
	struct intr	*pv_intr;
	int		(*pv_fn)(void *);
	void		*pv_arg;
	unsigned	pv_cpu;
};

/* Functions that the ITS can't tell apart share one block of vectors. */
struct msi_pool {
	struct msi_pool	*mp_next;
	uint32_t	mp_devid;
	unsigned	mp_users;
	unsigned	mp_given;
	unsigned	mp_count;
	struct msi_vec	mp_vec[MSIX_MAXVECTORS];
};

#define MSIX_SHARE	8		/* of such a block, for one function */

static struct msi_pool *pools;

struct pci_msix {
	struct msi_pool	*pm_pool;	/* NULL: its vectors are its own */
	unsigned	pm_cap;
	unsigned	pm_bar;
	uint64_t	pm_offset;	/* of the table in its BAR */
	volatile char	*pm_table;
	uint32_t	pm_devid;
	unsigned	pm_count;
	struct msi_vec	pm_vec[MSIX_MAXVECTORS];
	struct pci_vector pm_vector[MSIX_MAXVECTORS];
	struct pci_vector pm_line;
};

static void
entry_write(const struct pci_msix *pm, unsigned vector, unsigned field,
    uint32_t v)
{
	mmio_write32(pm->pm_table + vector * MSIX_ENTRY + field, v);
}

static bool
handler(void *arg)
{
	struct pci_vector *pv = arg;

	return pv->pv_fn(pv->pv_arg) != 0;
}

/* Bus, device and function, as requests carry them. */
static uint32_t
function_id(const struct pci_dev *pd)
{
	return (uint32_t)pd->pd_bus->pb_number << 8 |
	    (uint32_t)pd->pd_slot << 3 | pd->pd_func;
}

/*
 * Behind a bridge from PCI Express to PCI all functions appear as the bridge's
 * other side, function 0; behind one from PCI to PCI as that bridge.
 */
static uint32_t
requester_id(const struct pci_dev *pd)
{
	uint32_t rid = function_id(pd);
	const struct pci_bus *bus;

	for (bus = pd->pd_bus; bus->pb_up != NULL; bus = bus->pb_up) {
		const struct pci_dev *br = bus->pb_bridge;
		unsigned at = pci_capability(br, PCI_CAP_EXPRESS);

		if (at == 0)
			rid = function_id(br);
		else if ((pci_conf_read(br, at) >> 20 & 0xf) ==
		    PCI_EXPRESS_TO_PCI)
			rid = (uint32_t)bus->pb_number << 8;
	}
	return rid;
}

static uint32_t
msi_devid(const struct pci_dev *pd)
{
	const struct machine_host *h = pd->pd_bus->pb_host;
	uint32_t rid = requester_id(pd);
	unsigned i;

	for (i = 0; i < h->mh_nmsimap; i++) {
		const struct machine_msimap *mm = &h->mh_msimap[i];
		uint32_t masked = rid & h->mh_msimap_mask;

		if (masked >= mm->mm_rid &&
		    masked - mm->mm_rid < mm->mm_count)
			return mm->mm_devid + (masked - mm->mm_rid);
	}
	return rid;
}

/*
 * The control half of the capability's first word; the other half is written as
 * it was read.
 */
static void
control_write(const struct pci_dev *pd, const struct pci_msix *pm, uint32_t v)
{
	pci_conf_write(pd, pm->pm_cap,
	    (pci_conf_read(pd, pm->pm_cap) & 0xffff) | v);
}

/* The table's place, checked against its BAR; ENXIO if it is nonsense. */
static int
table_map(struct pci_dev *pd, struct pci_msix *pm, unsigned *entries)
{
	uint32_t control = pci_conf_read(pd, pm->pm_cap);
	uint32_t table = pci_conf_read(pd, pm->pm_cap + 4);
	volatile void *va;
	uint64_t size;
	int error;

	if (control == UINT32_MAX || table == UINT32_MAX)
		return ENXIO;
	*entries = (control >> 16 & 0x7ff) + 1;
	pm->pm_bar = table & 7;
	pm->pm_offset = table & ~7u;
	error = pci_map_bar(pd, pm->pm_bar, &va, &size);
	if (error != 0)
		return error;
	if (pm->pm_offset > size ||
	    (uint64_t)*entries * MSIX_ENTRY > size - pm->pm_offset) {
		pci_unmap_bar(pd, pm->pm_bar);
		return ENXIO;
	}
	pm->pm_table = (volatile char *)va + pm->pm_offset;
	return 0;
}

static struct msi_pool *
pool_get(uint32_t devid)
{
	struct msi_pool *mp;

	for (mp = pools; mp != NULL; mp = mp->mp_next)
		if (mp->mp_devid == devid)
			return mp;
	mp = kzalloc(sizeof(*mp));
	if (mp == NULL)
		return NULL;
	mp->mp_devid = devid;
	if (msi_alloc(devid, MSIX_MAXVECTORS, mp->mp_vec, &mp->mp_count) != 0) {
		kfree(mp);
		return NULL;
	}
	mp->mp_next = pools;
	pools = mp;
	return mp;
}

static int
pool_alloc(struct pci_msix *pm, unsigned entries)
{
	struct msi_pool *mp = pool_get(pm->pm_devid);

	if (mp == NULL)
		return ENOMEM;
	if (entries > MSIX_SHARE)
		entries = MSIX_SHARE;
	if (entries > mp->mp_count - mp->mp_given)
		entries = mp->mp_count - mp->mp_given;
	if (entries == 0)
		return ENOSPC;
	memcpy(pm->pm_vec, mp->mp_vec + mp->mp_given,
	    entries * sizeof(pm->pm_vec[0]));
	mp->mp_given += entries;
	mp->mp_users++;
	pm->pm_count = entries;
	pm->pm_pool = mp;
	return 0;
}

/* Vectors of a block come free when all of it does. */
static void
pool_free(struct msi_pool *mp)
{
	struct msi_pool **mpp;

	if (--mp->mp_users != 0)
		return;
	for (mpp = &pools; *mpp != mp;)
		mpp = &(*mpp)->mp_next;
	*mpp = mp->mp_next;
	msi_free(mp->mp_devid, mp->mp_vec, mp->mp_count);
	kfree(mp);
}

static int
vectors_alloc(const struct pci_dev *pd, struct pci_msix *pm, unsigned entries)
{
	pm->pm_devid = msi_devid(pd);
	if (requester_id(pd) != function_id(pd) && strcmp(msi_kind(), "its") == 0)
		return pool_alloc(pm, entries);
	return msi_alloc(pm->pm_devid, entries, pm->pm_vec, &pm->pm_count);
}

static void
vectors_free(struct pci_msix *pm)
{
	if (pm->pm_pool != NULL)
		pool_free(pm->pm_pool);
	else
		msi_free(pm->pm_devid, pm->pm_vec, pm->pm_count);
}

static int
msix_alloc(struct pci_dev *pd, struct pci_msix *pm)
{
	unsigned entries, i;
	int error;

	pm->pm_cap = pci_capability(pd, PCI_CAP_MSIX);
	if (pm->pm_cap == 0)
		return ENXIO;
	error = table_map(pd, pm, &entries);
	if (error != 0)
		return error;
	if (entries > MSIX_MAXVECTORS)
		entries = MSIX_MAXVECTORS;
	error = vectors_alloc(pd, pm, entries);
	if (error != 0) {
		pci_unmap_bar(pd, pm->pm_bar);
		return error;
	}
	control_write(pd, pm, MSIX_ENABLE | MSIX_MASKALL);
	for (i = 0; i < pm->pm_count; i++) {
		entry_write(pm, i, MSIX_CONTROL, MSIX_MASKED);
		entry_write(pm, i, MSIX_ADDR_LO,
		    (uint32_t)pm->pm_vec[i].mv_addr);
		entry_write(pm, i, MSIX_ADDR_HI,
		    (uint32_t)(pm->pm_vec[i].mv_addr >> 32));
		entry_write(pm, i, MSIX_DATA, pm->pm_vec[i].mv_data);
	}
	control_write(pd, pm, MSIX_ENABLE);
	return 0;
}

static struct pci_msix *
msix_get(struct pci_dev *pd)
{
	if (pd->pd_msix == NULL)
		pd->pd_msix = kzalloc(sizeof(*pd->pd_msix));
	return pd->pd_msix;
}

unsigned
pci_vectors(struct pci_dev *pd)
{
	struct pci_msix *pm = msix_get(pd);
	int error;

	if (pm == NULL)
		return 0;
	if (pm->pm_count == 0) {
		error = msix_alloc(pd, pm);
		if (error != 0 && error != ENXIO && error != ENOTSUP)
			klog(LOG_WARN, "pci: %02x:%02x.%x: no MSI-X, error %d",
			    pd->pd_bus->pb_number, pd->pd_slot, pd->pd_func,
			    error);
	}
	return pm->pm_count;
}

/*
 * INTx as the host bridge sees it: pins are turned at each bridge by the
 * device's number.
 */
static int
line_route(const struct pci_dev *pd, struct machine_intr *intr)
{
	const struct machine_host *h = pd->pd_bus->pb_host;
	unsigned pin = pd->pd_pin, i;
	uint32_t devfn;

	if (pin == 0 || cmdline_is("intx", "off"))
		return ENXIO;
	for (; pd->pd_bus->pb_up != NULL; pd = pd->pd_bus->pb_bridge)
		pin = (pin - 1 + pd->pd_slot) % 4 + 1;
	devfn = function_id(pd) << 8;
	for (i = 0; i < h->mh_nintmap; i++) {
		const struct machine_intmap *im = &h->mh_intmap[i];

		if (((devfn ^ im->mi_devfn) & h->mh_intmap_devfn_mask) == 0 &&
		    ((pin ^ im->mi_pin) & h->mh_intmap_pin_mask) == 0) {
			*intr = im->mi_intr;
			return 0;
		}
	}
	return ENXIO;
}

void
pci_intr_line_allow(struct pci_dev *pd, bool on)
{
	uint32_t v = pci_conf_read(pd, PCI_COMMAND) & 0xffff;

	if (on)
		v &= ~(uint32_t)PCI_COMMAND_INTX_OFF;
	else
		v |= PCI_COMMAND_INTX_OFF;
	pci_conf_write(pd, PCI_COMMAND, v);
}

static int
line_establish(struct pci_dev *pd, unsigned cpu, const char *name,
    int (*fn)(void *), void *arg)
{
	struct pci_msix *pm = msix_get(pd);
	struct machine_intr intr;
	int error;

	if (pm == NULL)
		return ENOMEM;
	if (pd->pd_line != NULL)
		return EBUSY;
	error = line_route(pd, &intr);
	if (error != 0)
		return error;
	/* The line is only raised while MSI-X is off. */
	if (pm->pm_count != 0)
		control_write(pd, pm, 0);
	pm->pm_line.pv_fn = fn;
	pm->pm_line.pv_arg = arg;
	error = intr_establish(intr.mi_intid,
	    INTR_SHARED | (intr.mi_edge ? INTR_EDGE : INTR_LEVEL), cpu, handler,
	    &pm->pm_line, name, &pd->pd_line);
	if (error != 0)
		return error;
	pci_intr_line_allow(pd, true);
	return 0;
}

int
pci_intr_establish(struct pci_dev *pd, int vector, unsigned cpu,
    const char *name, int (*fn)(void *), void *arg)
{
	struct pci_msix *pm;
	struct pci_vector *pv;
	int error;

	if (vector == -1)
		return line_establish(pd, cpu, name, fn, arg);
	if (vector < 0 || (unsigned)vector >= pci_vectors(pd))
		return ENXIO;
	pm = pd->pd_msix;
	pv = &pm->pm_vector[vector];
	if (pv->pv_intr != NULL)
		return EBUSY;
	pv->pv_fn = fn;
	pv->pv_arg = arg;
	pv->pv_cpu = cpu;
	error = intr_establish(pm->pm_vec[vector].mv_intid, INTR_EDGE, cpu,
	    handler, pv, name, &pv->pv_intr);
	if (error != 0)
		return error;
	pci_intr_line_allow(pd, false);
	control_write(pd, pm, MSIX_ENABLE);
	entry_write(pm, (unsigned)vector, MSIX_CONTROL, 0);
	return 0;
}

void
pci_intr_disestablish(struct pci_dev *pd, int vector)
{
	struct pci_msix *pm = pd->pd_msix;

	if (vector == -1 && pd->pd_line != NULL) {
		pci_intr_line_allow(pd, false);
		intr_disestablish(pd->pd_line);
		pd->pd_line = NULL;
	}
	if (pm == NULL || vector < 0 || (unsigned)vector >= pm->pm_count ||
	    pm->pm_vector[vector].pv_intr == NULL)
		return;
	entry_write(pm, (unsigned)vector, MSIX_CONTROL, MSIX_MASKED);
	intr_disestablish(pm->pm_vector[vector].pv_intr);
	pm->pm_vector[vector].pv_intr = NULL;
}

int
pci_intr_route(struct pci_dev *pd, int vector, unsigned cpu)
{
	struct pci_msix *pm = pd->pd_msix;

	if (pm == NULL || vector < 0 || (unsigned)vector >= pm->pm_count)
		return ENXIO;
	return intr_route(pm->pm_vec[vector].mv_intid, cpu);
}

uint32_t
pci_intr_intid(const struct pci_dev *pd, int vector)
{
	const struct pci_msix *pm = pd->pd_msix;
	struct machine_intr intr;

	if (vector == -1)
		return line_route(pd, &intr) == 0 ? intr.mi_intid : 0;
	if (pm == NULL || vector < 0 || (unsigned)vector >= pm->pm_count)
		return 0;
	return pm->pm_vec[vector].mv_intid;
}

void
pci_intr_release(struct pci_dev *pd)
{
	struct pci_msix *pm = pd->pd_msix;
	unsigned i;

	pci_intr_disestablish(pd, -1);
	if (pm == NULL)
		return;
	if (pm->pm_count != 0) {
		for (i = 0; i < pm->pm_count; i++)
			pci_intr_disestablish(pd, (int)i);
		control_write(pd, pm, 0);
		vectors_free(pm);
		pci_unmap_bar(pd, pm->pm_bar);
	}
	pd->pd_msix = NULL;
	kfree(pm);
}
