/* SPDX-License-Identifier: ISC */
/*
 * The bus contract in the shapes that OpenBSD/arm64's kernel has, as far as
 * the library sees them, to compile it with that kernel's flags: no C library
 * header, 64-bit types that are long long, addresses that are long, bus_dma(9)
 * as macros over the tag's function pointers, segments as an array at the end
 * of the map, mapped memory as caddr_t. Nothing here is ever run.
 */
#ifndef PARAVANE_MACHDEP_H
#define PARAVANE_MACHDEP_H

typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned long size_t;
typedef unsigned long uintptr_t;
typedef long long off_t;
typedef unsigned long paddr_t;
typedef char *caddr_t;

#define NULL		((void *)0)
#define bool		_Bool
#define true		1
#define false		0
#define UINT16_MAX	0xffff
#define UINT32_MAX	0xffffffffU
#define UINT64_MAX	0xffffffffffffffffULL

/* sys/errno.h: the numbers are that system's. */
#define EIO		5
#define ENXIO		6
#define ENOMEM		12
#define EBUSY		16
#define ENODEV		19
#define EINVAL		22
#define EFBIG		27
#define EROFS		30
#define ERANGE		34
#define EAGAIN		35
#define EMSGSIZE	40
#define ENETDOWN	50
#define ENOBUFS		55
#define ETIMEDOUT	60
#define ENOTSUP		91

#define PAGE_SIZE	(1 << 12)
#define PROT_READ	0x01
#define PROT_WRITE	0x02

typedef unsigned long bus_addr_t;
typedef unsigned long bus_size_t;

#define BUS_DMA_WAITOK		0x0000
#define BUS_DMA_NOWAIT		0x0001
#define BUS_DMA_ALLOCNOW	0x0002
#define BUS_DMA_COHERENT	0x0004
#define BUS_DMA_READ		0x0100
#define BUS_DMA_WRITE		0x0200
#define BUS_DMA_NOCACHE		0x0800
#define BUS_DMA_ZERO		0x1000

#define BUS_DMASYNC_PREREAD	0x01
#define BUS_DMASYNC_POSTREAD	0x02
#define BUS_DMASYNC_PREWRITE	0x04
#define BUS_DMASYNC_POSTWRITE	0x08

struct proc;
typedef struct machine_bus_dma_tag *bus_dma_tag_t;
typedef struct machine_bus_dmamap *bus_dmamap_t;

struct machine_bus_dma_segment {
	bus_addr_t ds_addr;
	bus_size_t ds_len;
	unsigned long _ds_vaddr;
};
typedef struct machine_bus_dma_segment bus_dma_segment_t;

struct machine_bus_dmamap {
	bus_size_t _dm_size;
	int _dm_flags;
	bus_size_t dm_mapsize;
	int dm_nsegs;
	bus_dma_segment_t dm_segs[1];
};

struct machine_bus_dma_tag {
	void *_cookie;
	int (*_create)(bus_dma_tag_t, bus_size_t, int, bus_size_t, bus_size_t,
	    int, bus_dmamap_t *);
	void (*_destroy)(bus_dma_tag_t, bus_dmamap_t);
	int (*_load)(bus_dma_tag_t, bus_dmamap_t, void *, bus_size_t,
	    struct proc *, int);
	int (*_load_raw)(bus_dma_tag_t, bus_dmamap_t, bus_dma_segment_t *, int,
	    bus_size_t, int);
	void (*_unload)(bus_dma_tag_t, bus_dmamap_t);
	void (*_sync)(bus_dma_tag_t, bus_dmamap_t, bus_addr_t, bus_size_t,
	    int);
	int (*_alloc)(bus_dma_tag_t, bus_size_t, bus_size_t, bus_size_t,
	    bus_dma_segment_t *, int, int *, int);
	void (*_free)(bus_dma_tag_t, bus_dma_segment_t *, int);
	int (*_map)(bus_dma_tag_t, bus_dma_segment_t *, int, size_t, caddr_t *,
	    int);
	void (*_unmap)(bus_dma_tag_t, caddr_t, size_t);
	paddr_t (*_mmap)(bus_dma_tag_t, bus_dma_segment_t *, int, off_t, int,
	    int);
};

#define bus_dmamap_create(t, s, n, m, b, f, p) \
	(*(t)->_create)((t), (s), (n), (m), (b), (f), (p))
#define bus_dmamap_destroy(t, p)	(*(t)->_destroy)((t), (p))
#define bus_dmamap_load(t, m, b, s, p, f) \
	(*(t)->_load)((t), (m), (b), (s), (p), (f))
#define bus_dmamap_load_raw(t, m, sg, n, s, f) \
	(*(t)->_load_raw)((t), (m), (sg), (n), (s), (f))
#define bus_dmamap_unload(t, p)		(*(t)->_unload)((t), (p))
#define bus_dmamap_sync(t, p, a, l, o)	(*(t)->_sync)((t), (p), (a), (l), (o))
#define bus_dmamem_alloc(t, s, a, b, sg, n, r, f) \
	(*(t)->_alloc)((t), (s), (a), (b), (sg), (n), (r), (f))
#define bus_dmamem_free(t, sg, n)	(*(t)->_free)((t), (sg), (n))
#define bus_dmamem_map(t, sg, n, s, k, f) \
	(*(t)->_map)((t), (sg), (n), (s), (caddr_t *)(k), (f))
#define bus_dmamem_unmap(t, k, s)	(*(t)->_unmap)((t), (caddr_t)(k), (s))
#define bus_dmamem_mmap(t, sg, n, o, p, f) \
	(*(t)->_mmap)((t), (sg), (n), (o), (p), (f))

/* Nothing is known of a map there: its tag's sync decides. */
#define PV_DMAMAP_COHERENT(t, m)	((void)(t), (void)(m), 0)

typedef struct bus_space *bus_space_tag_t;
typedef unsigned long bus_space_handle_t;

struct bus_space {
	uint8_t (*_read_1)(bus_space_tag_t, bus_space_handle_t, bus_size_t);
	uint16_t (*_read_2)(bus_space_tag_t, bus_space_handle_t, bus_size_t);
	uint32_t (*_read_4)(bus_space_tag_t, bus_space_handle_t, bus_size_t);
	void (*_write_1)(bus_space_tag_t, bus_space_handle_t, bus_size_t,
	    uint8_t);
	void (*_write_2)(bus_space_tag_t, bus_space_handle_t, bus_size_t,
	    uint16_t);
	void (*_write_4)(bus_space_tag_t, bus_space_handle_t, bus_size_t,
	    uint32_t);
};

#define bus_space_read_1(t, h, o)	((*(t)->_read_1)((t), (h), (o)))
#define bus_space_read_2(t, h, o)	((*(t)->_read_2)((t), (h), (o)))
#define bus_space_read_4(t, h, o)	((*(t)->_read_4)((t), (h), (o)))
#define bus_space_write_1(t, h, o, v)	((*(t)->_write_1)((t), (h), (o), (v)))
#define bus_space_write_2(t, h, o, v)	((*(t)->_write_2)((t), (h), (o), (v)))
#define bus_space_write_4(t, h, o, v)	((*(t)->_write_4)((t), (h), (o), (v)))

#define BUS_SPACE_BARRIER_READ	0x01
#define BUS_SPACE_BARRIER_WRITE	0x02
#define bus_space_barrier(t, h, o, l, f) \
	do { (void)(t); (void)(h); dsb_sy(); } while (0)

static inline void
dsb_sy(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

/* membar(9) knows one kind: towards everybody. */
static inline void
membar(_Bool outer)
{
	(void)outer;
	__asm__ volatile("dmb sy" : : : "memory");
}

#define pv_md_wmb	membar
#define pv_md_rmb	membar
#define pv_md_mb	membar

#endif
