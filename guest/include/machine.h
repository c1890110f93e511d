/* SPDX-License-Identifier: ISC */
/*
 * What the machine is. Firmware tells it by a device tree or by ACPI's static
 * tables; both end in this one structure, which holds no pointer, so that the
 * EFI application can fill it in before the kernel's own mapping exists.
 *
 * Everything in it comes from outside and was checked for form only: ranges
 * don't wrap, counts are within the arrays, interrupt numbers are INTIDs below
 * 1020 (LPIs never appear), strings end. Whether a register really is at an
 * address is for its driver to find out.
 *
 * Addresses are physical. Interrupts are GIC INTIDs (PPI n is 16 + n, SPI n is
 * 32 + n), never a binding's own numbers.
 */
#ifndef PARAVANE_GUEST_MACHINE_H
#define PARAVANE_GUEST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_MAXMEM		128
#define MACHINE_MAXRESERVED	128
#define MACHINE_MAXCPUS		64
#define MACHINE_MAXREDIST	8
#define MACHINE_MAXV2M		4
#define MACHINE_MAXITS		4
#define MACHINE_MAXHOSTS	4
#define MACHINE_MAXWINDOWS	8
#define MACHINE_MAXINTMAP	128
#define MACHINE_MAXMSIMAP	8
#define MACHINE_MAXMMIO		64
#define MACHINE_CMDLINE		2048
#define MACHINE_NOTES		2048
#define MACHINE_TABLES		512

/*
 * An interrupt line: its INTID, 0 for none (an SGI is never a device's), and
 * how it is to be configured.
 */
struct machine_intr {
	uint32_t	mi_intid;
	bool		mi_edge;
};

/* size is never 0, base + size never wraps. */
struct machine_range {
	uint64_t	mr_base;
	uint64_t	mr_size;
};

enum machine_enable {
	MACHINE_ENABLE_NONE,		/* only the processor that we run on */
	MACHINE_ENABLE_PSCI,
	MACHINE_ENABLE_SPIN,		/* spin table: mc_release is the address to write */
};

#define MACHINE_MPIDR_MASK	UINT64_C(0xff00ffffff)

struct machine_cpu {
	uint64_t	mc_mpidr;	/* affinity fields only: Aff3 39:32, Aff2 23:16, Aff1 15:8, Aff0 7:0 */
	uint64_t	mc_release;
	uint64_t	mc_gicr;	/* redistributor named for this one by ACPI; 0: search the regions */
	uint64_t	mc_gicc;	/* GICv2 interface named by ACPI; 0: the one of struct machine_gic */
	enum machine_enable mc_enable;
};

enum machine_conduit {
	MACHINE_PSCI_NONE,
	MACHINE_PSCI_HVC,
	MACHINE_PSCI_SMC,
};

/* Function ids are these, or what a tree of PSCI 0.1 names; 0: not there. */
#define MACHINE_PSCI_CPU_ON		0xc4000003	/* PSCI 0.2 (DEN 0022) */
#define MACHINE_PSCI_SYSTEM_OFF		0x84000008
#define MACHINE_PSCI_SYSTEM_RESET	0x84000009

struct machine_psci {
	enum machine_conduit mp_conduit;
	uint32_t	mp_cpu_on;
	uint32_t	mp_system_off;
	uint32_t	mp_system_reset;
};

/*
 * GICv2m frame. Where count is 0 its MSI_TYPER register tells base and count.
 */
struct machine_v2m {
	uint64_t	mv_base;
	uint64_t	mv_size;
	uint32_t	mv_intid_base;
	uint32_t	mv_intid_count;
};

/*
 * An ITS. id is the tree's phandle or the MADT's ITS id: what
 * machine_host.mh_msi names.
 */
struct machine_its {
	uint64_t	mi_base;
	uint64_t	mi_size;
	uint32_t	mi_id;
};

struct machine_redist {
	uint64_t	mr_base;
	uint64_t	mr_size;
	uint64_t	mr_stride;	/* 0: as GICR_TYPER.VLPIS tells (0x20000 or 0x40000) */
};

struct machine_gic {
	unsigned	mg_version;	/* 2, 3 (4 counts as 3); 0: no interrupt controller that we know */
	uint64_t	mg_dist;
	uint64_t	mg_dist_size;
	uint64_t	mg_cpu;		/* GICv2: CPU interface */
	uint64_t	mg_cpu_size;
	unsigned	mg_nredist;
	struct machine_redist mg_redist[MACHINE_MAXREDIST];
	unsigned	mg_nv2m;
	struct machine_v2m mg_v2m[MACHINE_MAXV2M];
	unsigned	mg_nits;
	struct machine_its mg_its[MACHINE_MAXITS];
};

struct machine_timer {
	struct machine_intr mt_virt;
	struct machine_intr mt_phys;	/* the non-secure physical timer of EL1 */
	struct machine_intr mt_hyp;
	uint32_t	mt_freq;	/* 0, as it should be: read CNTFRQ_EL0 */
};

/*
 * The PL011. base 0: none (an Apple machine has none). Registers are accessed
 * as 32 bits.
 */
struct machine_uart {
	uint64_t	mu_base;
	uint64_t	mu_size;
	struct machine_intr mu_intr;
	bool		mu_stdout;	/* it is what firmware named as the console */
};

enum machine_space {
	MACHINE_WINDOW_IO,
	MACHINE_WINDOW_MEM32,
	MACHINE_WINDOW_MEM64,
};

/* What the processor sees at mw_cpu appears on the bus at mw_bus. */
struct machine_window {
	enum machine_space mw_space;
	bool		mw_prefetch;
	uint64_t	mw_bus;
	uint64_t	mw_cpu;
	uint64_t	mw_size;
};

/*
 * A row of interrupt-map: device (bus and devfn as in a configuration address,
 * bits 23:8) and pin (1 = INTA).
 */
struct machine_intmap {
	uint32_t	mi_devfn;
	uint32_t	mi_pin;
	struct machine_intr mi_intr;
};

/* Requester ids rid .. rid + count - 1 appear at the controller as devid ... */
struct machine_msimap {
	uint32_t	mm_rid;
	uint32_t	mm_devid;
	uint32_t	mm_count;
	uint32_t	mm_id;		/* which ITS: machine_its.mi_id */
};

enum machine_msi {
	MACHINE_MSI_NONE,
	MACHINE_MSI_V2M,
	MACHINE_MSI_ITS,
};

struct machine_host {
	uint32_t	mh_segment;
	uint64_t	mh_ecam;	/* address of mh_bus_first's configuration space */
	uint64_t	mh_ecam_size;
	uint8_t		mh_bus_first;
	uint8_t		mh_bus_last;
	bool		mh_coherent;	/* DMA is coherent with the caches */
	bool		mh_assigned;	/* firmware assigned BARs and buses (EFI): keep them */
	bool		mh_windows_guessed; /* no windows are known: only what firmware assigned may be used */
	unsigned	mh_nwindows;
	struct machine_window mh_window[MACHINE_MAXWINDOWS];
	uint32_t	mh_intmap_devfn_mask;
	uint32_t	mh_intmap_pin_mask;
	unsigned	mh_nintmap;	/* 0: INTx can't be routed */
	struct machine_intmap mh_intmap[MACHINE_MAXINTMAP];
	enum machine_msi mh_msi;
	uint32_t	mh_msimap_mask;	/* applied to the requester id before the lookup */
	unsigned	mh_nmsimap;
	struct machine_msimap mh_msimap[MACHINE_MAXMSIMAP];
};

/* A virtio-mmio node. */
struct machine_mmio {
	uint64_t	mm_base;
	uint64_t	mm_size;
	struct machine_intr mm_intr;
	bool		mm_coherent;
};

enum machine_source {
	MACHINE_UNKNOWN,
	MACHINE_FDT,
	MACHINE_ACPI,
};

struct machine {
	enum machine_source m_source;
	bool		m_efi;		/* started as an EFI application */

	/*
	 * RAM, in ascending order, disjoint, page aligned inwards. Under EFI
	 * only what the memory map gives for general use. Ranges in m_reserved
	 * may lie within: not to be allocated, though mapped; those flagged in
	 * m_nomap must not even be mapped. The kernel adds its own image; the
	 * tree itself need not be kept.
	 */
	unsigned	m_nmem;
	struct machine_range m_mem[MACHINE_MAXMEM];
	unsigned	m_nreserved;
	struct machine_range m_reserved[MACHINE_MAXRESERVED];
	bool		m_nomap[MACHINE_MAXRESERVED];

	unsigned	m_ncpus;
	struct machine_cpu m_cpu[MACHINE_MAXCPUS];
	struct machine_psci m_psci;
	struct machine_gic m_gic;
	struct machine_timer m_timer;
	struct machine_uart m_uart;

	unsigned	m_nhosts;
	struct machine_host m_host[MACHINE_MAXHOSTS];
	unsigned	m_nmmio;
	struct machine_mmio m_mmio[MACHINE_MAXMMIO];

	char		m_cmdline[MACHINE_CMDLINE];
	char		m_model[64];
	char		m_tables[MACHINE_TABLES];	/* ACPI: " SIGN/revision/length" for each table; else empty */
	char		m_notes[MACHINE_NOTES];	/* what was odd, a line each: print it once there is a log */
};

/*
 * The machine that we run on. The EFI application fills it in before the kernel
 * starts; otherwise the kernel clears it first.
 */
extern struct machine machine;

/*
 * machine_fdt_size - the size that a device tree claims
 *
 * fdt		the first MACHINE_FDT_HEADER bytes of it, 8-byte aligned
 *
 * Returns its length in bytes, or 0 if it is none, is too small to be one, or
 * is above 2 MiB.
 */
#define MACHINE_FDT_HEADER	40
#define MACHINE_FDT_MAX		(2u << 20)
size_t	machine_fdt_size(const void *fdt);

/*
 * machine_from_fdt - learn the machine from a flattened device tree
 *
 * avail	bytes that may be read at fdt
 *
 * Overwrites all of *m, whatever the outcome. Allocates nothing, uses no state,
 * takes time bounded by avail. What can't be understood is left out with a line
 * in m_notes.
 * Errors: EINVAL, not a device tree, or damaged; ENOMEM, no usable memory in
 * it. m_notes says more.
 */
int	machine_from_fdt(struct machine *, const void *fdt, size_t avail);

/*
 * machine_from_acpi - learn the machine from ACPI's static tables
 *
 * rsdp		physical address of the RSDP
 * map		gives a pointer to len bytes at a physical address, NULL where that isn't memory of firmware's tables; the
 *		pointer stays good while this function runs
 *
 * Overwrites all of *m but m_mem, m_reserved, m_efi and m_cmdline, which come
 * from EFI. Errors as above.
 */
int	machine_from_acpi(struct machine *, uint64_t rsdp,
	    const void *(*map)(void *, uint64_t pa, size_t len), void *arg);

/*
 * Adds RAM, or a range not to be allocated; keeps order, merges; what doesn't
 * fit is left out with a note.
 */
void	machine_add_memory(struct machine *, uint64_t base, uint64_t size);
void	machine_add_reserved(struct machine *, uint64_t base, uint64_t size,
	    bool nomap);

/*
 * Adds a line to m_notes: up to three strings, one after the other (each may be
 * NULL).
 */
void	machine_note(struct machine *, const char *, const char *,
	    const char *);

#endif
