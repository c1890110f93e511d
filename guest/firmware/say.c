/* SPDX-License-Identifier: ISC */
/* A line on who told us what the machine is. */
#include "init.h"
#include "log.h"
#include "machine.h"

static void
say(void)
{
	klog(LOG_INFO, "machine: by %s%s, %u host bridges, %u virtio-mmio",
	    machine.m_source == MACHINE_ACPI ? "ACPI" : "device tree",
	    machine.m_efi ? " from EFI" : "", machine.m_nhosts,
	    machine.m_nmmio);
}
INIT(INIT_BUS, say);
