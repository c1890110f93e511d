/* SPDX-License-Identifier: ISC */
/* The machine as firmware described it, for a person to compare. */

#include <stdio.h>

#include "cmdline.h"
#include "machine.h"
#include "shell.h"
#include "tty.h"

static void
print_range(const char *what, uint64_t base, uint64_t size, const char *more)
{
	tty_printf("%-8s 0x%llx + 0x%llx%s\n", what, (unsigned long long)base,
	    (unsigned long long)size, more);
}

static void
print_memory(void)
{
	unsigned i;

	for (i = 0; i < machine.m_nmem; i++)
		print_range("memory", machine.m_mem[i].mr_base,
		    machine.m_mem[i].mr_size, "");
	for (i = 0; i < machine.m_nreserved; i++)
		print_range("reserved", machine.m_reserved[i].mr_base,
		    machine.m_reserved[i].mr_size,
		    machine.m_nomap[i] ? " not mapped" : "");
}

static void
print_gic(const struct machine_gic *mg)
{
	unsigned i;

	tty_printf("gic      version %u\n", mg->mg_version);
	print_range("gicd", mg->mg_dist, mg->mg_dist_size, "");
	if (mg->mg_version == 2)
		print_range("gicc", mg->mg_cpu, mg->mg_cpu_size, "");
	for (i = 0; i < mg->mg_nredist; i++)
		print_range("gicr", mg->mg_redist[i].mr_base,
		    mg->mg_redist[i].mr_size, "");
	for (i = 0; i < mg->mg_nits; i++)
		print_range("its", mg->mg_its[i].mi_base,
		    mg->mg_its[i].mi_size, "");
	for (i = 0; i < mg->mg_nv2m; i++)
		tty_printf("v2m      0x%llx + 0x%llx, intid %u, %u of them\n",
		    (unsigned long long)mg->mg_v2m[i].mv_base,
		    (unsigned long long)mg->mg_v2m[i].mv_size,
		    mg->mg_v2m[i].mv_intid_base, mg->mg_v2m[i].mv_intid_count);
}

static void
print_host(const struct machine_host *mh)
{
	static const char *const space[] = { "i/o", "32-bit", "64-bit" };
	static const char *const msi[] = { "none", "v2m", "its" };
	const struct machine_window *mw;
	unsigned i;

	tty_printf("pci      segment %u, buses %u-%u, DMA %s, MSI by %s, "
	    "%u INTx routes%s\n", mh->mh_segment, mh->mh_bus_first,
	    mh->mh_bus_last, mh->mh_coherent ? "coherent" : "not coherent",
	    msi[mh->mh_msi], mh->mh_nintmap,
	    mh->mh_assigned ? ", assigned by firmware" : "");
	print_range("  ecam", mh->mh_ecam, mh->mh_ecam_size, "");
	for (i = 0; i < mh->mh_nwindows; i++) {
		mw = &mh->mh_window[i];
		tty_printf("  window 0x%llx + 0x%llx at 0x%llx, %s%s\n",
		    (unsigned long long)mw->mw_bus,
		    (unsigned long long)mw->mw_size,
		    (unsigned long long)mw->mw_cpu, space[mw->mw_space],
		    mw->mw_prefetch ? " prefetchable" : "");
	}
}

static void
print_rest(void)
{
	static const char *const conduit[] = { "none", "hvc", "smc" };
	const struct machine_uart *mu = &machine.m_uart;
	unsigned i;

	tty_printf("psci     %s\n", conduit[machine.m_psci.mp_conduit]);
	tty_printf("timer    virtual intid %u, physical %u, hypervisor's %u\n",
	    machine.m_timer.mt_virt.mi_intid, machine.m_timer.mt_phys.mi_intid,
	    machine.m_timer.mt_hyp.mi_intid);
	if (mu->mu_base != 0)
		tty_printf("uart     0x%llx, intid %u%s\n",
		    (unsigned long long)mu->mu_base, mu->mu_intr.mi_intid,
		    mu->mu_stdout ? ", stdout" : "");
	for (i = 0; i < machine.m_nhosts; i++)
		print_host(&machine.m_host[i]);
	if (machine.m_nmmio > 0)
		tty_printf("mmio     %u virtio devices, the first at 0x%llx\n",
		    machine.m_nmmio,
		    (unsigned long long)machine.m_mmio[0].mm_base);
}

static int
cmd_machine(int argc, char **argv)
{
	if (argc != 1)
		return shell_usage(argv[0]);
	tty_printf("model    %s\n", machine.m_model);
	tty_printf("told by  %s%s\n", machine.m_source == MACHINE_ACPI ?
	    "ACPI" : "device tree", machine.m_efi ? ", from EFI" : "");
	if (machine.m_tables[0] != '\0')
		tty_printf("tables  %s\n", machine.m_tables);
	tty_printf("words    %s\n", machine.m_cmdline);
	tty_printf("cpus     %u\n", machine.m_ncpus);
	print_memory();
	print_gic(&machine.m_gic);
	print_rest();
	if (machine.m_notes[0] != '\0')
		tty_printf("%s", machine.m_notes);
	return 0;
}
COMMAND(machine, cmd_machine, "machine",
    "the machine as firmware described it");
