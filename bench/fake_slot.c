/* SPDX-License-Identifier: ISC */
/*
 * A PCI function before a kernel has been at it.
 */
#include "fake.h"
#include "wire.h"

#define COMMAND		0x04
#define BAR_64		0x4	/* memory, 64 bits wide */

static uint32_t
get(const struct fake_pci *fp, unsigned int reg)
{
	return (uint32_t)wire_get(fp->fp_conf + reg, 4);
}

static uint64_t
address(const struct fake_pci *fp)
{
	return (get(fp, FAKE_PCI_BAR_LOW) & ~15u) |
	    (uint64_t)get(fp, FAKE_PCI_BAR_LOW + 4) << 32;
}

void
fake_pci_cold(struct fake_pci *fp, uint64_t appears_ns, uint64_t window,
    uint64_t len)
{
	fp->fp_cold = 1;
	fp->fp_appears_ns = appears_ns;
	fp->fp_window = window;
	fp->fp_windowlen = len;
	wire_put(fp->fp_conf + COMMAND, 2, 0);
	wire_put(fp->fp_conf + FAKE_PCI_BAR_LOW, 8, BAR_64);
}

int
fake_pci_present(const struct fake_pci *fp)
{
	return !fp->fp_dev->fd_gone && port.po_now_ns >= fp->fp_appears_ns;
}

int
fake_pci_command(const struct fake_pci *fp, unsigned int bits)
{
	return !fp->fp_cold || (get(fp, COMMAND) & bits) == bits;
}

int
fake_pci_placed(const struct fake_pci *fp)
{
	uint64_t at = address(fp) - fp->fp_window;

	return !fp->fp_cold || (at < fp->fp_windowlen &&
	    fp->fp_barlen <= fp->fp_windowlen - at);
}

uint32_t
fake_pci_bus_read(struct fake_pci *fp, unsigned int reg)
{
	return fake_pci_present(fp) ? get(fp, reg) : UINT32_MAX;
}

/* All ones ask for the size. The half that is written last decides. */
void
fake_pci_bus_write(struct fake_pci *fp, unsigned int reg, uint32_t val)
{
	if (!fake_pci_present(fp))
		return;
	if (reg == COMMAND)
		wire_put(fp->fp_conf + reg, 2, val & 7);
	else if (reg == FAKE_PCI_BAR_LOW)
		wire_put(fp->fp_conf + reg, 4,
		    (val & ~((uint32_t)fp->fp_barlen - 1)) | BAR_64);
	else if (reg == FAKE_PCI_BAR_LOW + 4) {
		wire_put(fp->fp_conf + reg, 4, val);
		if (val != UINT32_MAX && !fake_pci_placed(fp))
			wire_put(fp->fp_conf + FAKE_PCI_BAR_LOW, 8, BAR_64);
	} else
		port_violation("configuration space: 0x%x written at 0x%x",
		    val, reg);
}
