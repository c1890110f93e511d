/* SPDX-License-Identifier: ISC */
#ifndef EFI_QUIESCE_H
#define EFI_QUIESCE_H

struct machine;

/*
 * efi_quiesce - make devices let go of memory
 *
 * After ExitBootServices, firmware's identity map still on: every virtio
 * function on PCI and every MMIO node is reset, and the bus mastering of every
 * PCI function cleared. Firmware leaves network devices running, DMA and all,
 * and its memory is about to be used for something else. What firmware's map
 * doesn't have is not touched. Bounded.
 */
void	efi_quiesce(const struct machine *);

#endif
