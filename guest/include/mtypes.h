/* SPDX-License-Identifier: ISC */
/*
 * Address types of the guest. They never convert into one another but
 * through vm.h: a paddr_t is what a page table maps, a vaddr_t (or a
 * pointer) is what the CPU sees. What a device sees is a bus_addr_t, and
 * that comes from bus_dma(9) only.
 */
#ifndef GUEST_MTYPES_H
#define GUEST_MTYPES_H

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

typedef uint64_t	paddr_t;
typedef uintptr_t	vaddr_t;

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ul
#define PAGE_MASK	(PAGE_SIZE - 1)

#define MAXCPUS		8

#endif
