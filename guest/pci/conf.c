/* SPDX-License-Identifier: ISC */
/*
 * Configuration space by ECAM: a mebibyte a bus, mapped when the bus is first
 * looked at. Only aligned 32-bit accesses are made, which are right everywhere,
 * but for one register of ports.
 */
#include <errno.h>
#include <stdio.h>

#include "mmio.h"
#include "pcivar.h"
#include "vm.h"

#define ECAM_BUS_SIZE	(1u << 20)
#define MAXCAPS		48

static volatile void *
ecam_place(const struct pci_bus *bus, unsigned slot, unsigned func,
    unsigned reg)
{
	return (volatile char *)bus->pb_conf + (slot << 15 | func << 12 |
	    (reg & 0xffc));
}

int
pci_bus_map(struct pci_bus *bus)
{
	const struct machine_host *h = bus->pb_host;

	if (bus->pb_number < h->mh_bus_first || bus->pb_number > h->mh_bus_last)
		return ENXIO;
	bus->pb_conf = vm_map_device(h->mh_ecam +
	    (uint64_t)(bus->pb_number - h->mh_bus_first) * ECAM_BUS_SIZE,
	    ECAM_BUS_SIZE);
	return bus->pb_conf == NULL ? ENOMEM : 0;
}

void
pci_bus_unmap(struct pci_bus *bus)
{
	vm_unmap_device(bus->pb_conf, ECAM_BUS_SIZE);
}

uint32_t
pci_bus_read(const struct pci_bus *bus, unsigned slot, unsigned func,
    unsigned reg)
{
	return mmio_read32(ecam_place(bus, slot, func, reg));
}

uint32_t
pci_conf_read(const struct pci_dev *pd, unsigned reg)
{
	if (reg > 4092 || (reg & 3) != 0)
		return UINT32_MAX;
	return pci_bus_read(pd->pd_bus, pd->pd_slot, pd->pd_func, reg);
}

void
pci_conf_write(const struct pci_dev *pd, unsigned reg, uint32_t v)
{
	if (reg > 4092 || (reg & 3) != 0)
		return;
	/* Status bits are cleared by writing ones. */
	if (reg == PCI_COMMAND)
		v &= 0xffff;
	mmio_write32(ecam_place(pd->pd_bus, pd->pd_slot, pd->pd_func, reg), v);
}

void
pci_conf_write_16(const struct pci_dev *pd, unsigned reg, uint16_t v)
{
	if (reg <= 4094 && (reg & 1) == 0)
		mmio_write16((volatile char *)ecam_place(pd->pd_bus,
		    pd->pd_slot, pd->pd_func, reg) + (reg & 2), v);
}

unsigned
pci_capability(const struct pci_dev *pd, unsigned id)
{
	unsigned at, n;
	uint32_t v;

	v = pci_conf_read(pd, PCI_COMMAND);
	if (v == UINT32_MAX || (v >> 20 & 1) == 0)
		return 0;
	at = pci_conf_read(pd, PCI_CAP_POINTER) & 0xfc;
	for (n = 0; at >= 0x40 && n < MAXCAPS; n++) {
		v = pci_conf_read(pd, at);
		if (v == UINT32_MAX)
			return 0;
		if ((v & 0xff) == id)
			return at;
		at = v >> 8 & 0xfc;
	}
	return 0;
}

void
pci_name(const struct pci_dev *pd, char *buf, size_t len)
{
	snprintf(buf, len, "%04x:%02x:%02x.%x",
	    (unsigned)pd->pd_bus->pb_host->mh_segment, pd->pd_bus->pb_number,
	    pd->pd_slot, pd->pd_func);
}

bool
pci_coherent(const struct pci_dev *pd)
{
	return pd->pd_bus->pb_host->mh_coherent;
}
