/* SPDX-License-Identifier: ISC */
#ifndef DMA_H
#define DMA_H

#include <paravane/kern.h>

/* Devices behind the one see the caches, behind the other they don't. */
extern const struct pv_bus_dma_tag dma_tag_coherent, dma_tag_noncoherent;

/* VM_* attribute of a mapping made with these BUS_DMA_* flags. */
int	dma_attr(bus_dma_tag_t, int flags);

#endif
