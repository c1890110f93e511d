/* SPDX-License-Identifier: ISC */
/* Descriptors of the 4 KiB granule (Arm ARM, VMSAv8-64 descriptor formats). */
#ifndef GUEST_CPU_PTE_H
#define GUEST_CPU_PTE_H

#define PTE_VALID	(1 << 0)
#define PTE_TABLE	(1 << 1)	/* levels 0-2: table; level 3: page */
#define PTE_ATTR_SHIFT	2
#define PTE_AP_EL0	(1 << 6)
#define PTE_AP_RO	(1 << 7)
#define PTE_SH_INNER	(3 << 8)
#define PTE_AF		(1 << 10)
#define PTE_NG		(1 << 11)
#define PTE_GP_BIT	50
#define PTE_PXN_BIT	53
#define PTE_UXN_BIT	54

/* MAIR_EL1, in the order of VM_WB, VM_NC, VM_DEV, VM_DEV_POSTED. */
#define MAIR_VALUE	0x040044ff

/* The image's pages, mapped by 4 KiB pages of two level 3 tables at most. */
#define BOOT_L3_TABLES	2

#endif
