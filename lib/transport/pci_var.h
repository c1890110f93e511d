/* SPDX-License-Identifier: ISC */
/*
 * Access to a window, for the two sources of the PCI transport. A window was
 * checked to be as long as the structure in it; the offset within the
 * structure is a constant.
 */
#ifndef TRANSPORT_PCI_VAR_H
#define TRANSPORT_PCI_VAR_H

#include <paravane/pci.h>

#include "pcireg.h"

static inline uint8_t
window_read_1(const struct pv_window *pw, bus_size_t off)
{
	return bus_space_read_1(pw->pw_iot, pw->pw_ioh, pw->pw_off + off);
}

static inline uint16_t
window_read_2(const struct pv_window *pw, bus_size_t off)
{
	return bus_space_read_2(pw->pw_iot, pw->pw_ioh, pw->pw_off + off);
}

static inline uint32_t
window_read_4(const struct pv_window *pw, bus_size_t off)
{
	return bus_space_read_4(pw->pw_iot, pw->pw_ioh, pw->pw_off + off);
}

static inline void
window_write_1(const struct pv_window *pw, bus_size_t off, uint8_t val)
{
	bus_space_write_1(pw->pw_iot, pw->pw_ioh, pw->pw_off + off, val);
}

static inline void
window_write_2(const struct pv_window *pw, bus_size_t off, uint16_t val)
{
	bus_space_write_2(pw->pw_iot, pw->pw_ioh, pw->pw_off + off, val);
}

static inline void
window_write_4(const struct pv_window *pw, bus_size_t off, uint32_t val)
{
	bus_space_write_4(pw->pw_iot, pw->pw_ioh, pw->pw_off + off, val);
}

/* pci_intr.c; queues have vectors from setup on, before they are enabled */
enum pv_intr_mode pci_intr_setup(void *, struct pv_virtio *, unsigned int);
void pci_intr_teardown(void *);
int pci_count_queues(struct pv_pci *);
unsigned int pci_intr_status(void *);
int pci_intr_restore(struct pv_pci *, unsigned int queue);

#endif
