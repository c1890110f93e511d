/* SPDX-License-Identifier: ISC */
/*
 * What the drivers share: memory, queues that survive a restart, waits with a
 * bound, configuration that decides features, little-endian fields.
 */
#ifndef DEVICE_DEV_H
#define DEVICE_DEV_H

#include <paravane/virtq.h>

#include "../core/count.h"
#include "../core/dmamem.h"
#include "../core/mem.h"

static inline struct pv_piece
pv_dev_piece(const struct pv_dmamem *dm, bus_size_t off, bus_size_t len)
{
	return (struct pv_piece){ dm->dm_map, off, len };
}

/*
 * The port's callbacks stand in the core's place for them, as they have its
 * shape; so do those of queues, by vp_intr and vp_arg. Any may be NULL.
 */
static inline void
pv_dev_set_callbacks(struct pv_virtio *dev,
    void (*broken)(void *, const char *), void (*changed)(void *), void *arg)
{
	const struct pv_virtio_callbacks cb = { broken, changed };

	pv_virtio_set_callbacks(dev, &cb, arg);
}

/*
 * pv_dev_mem_alloc - size bytes of the driver's own, zeros, which begin with a
 * struct pv_dmamem: len bytes for the device, zeros too, in up to nsegs pieces
 *
 * Returns NULL with *error that of pv_dmamem_alloc, else *error is 0.
 *
 * pv_dev_mem_free, after a reset: where that was not confirmed (lost) the
 * device's part is forgotten without being given back.
 */
void *pv_dev_mem_alloc(const struct pv_virtio *, size_t size, bus_size_t len,
    unsigned int nsegs, int *error);

static inline void
pv_dev_mem_free(void *mem, size_t size, bool lost)
{
	pv_dmamem_release(mem, lost);
	pv_kern_free(mem, size);
}

/*
 * pv_dev_queue - *vqp, emptied for another start or allocated anew
 * Errors: those of pv_virtq_alloc; *vqp is NULL then.
 */
int pv_dev_queue(struct pv_virtio *, unsigned int index,
    const struct pv_virtq_params *, struct pv_virtq **vqp);
void pv_dev_queue_free(struct pv_virtq **vqp);

/*
 * After a stop: take back all that the device has not used, cookies that nobody
 * misses. If the reset was not confirmed the device has it still: it is taken
 * back after one that is.
 */
void pv_dev_queue_drain(const struct pv_virtio *, struct pv_virtq *);

/*
 * A wait with a bound. pv_dev_wait_begin; then while what is awaited is not
 * there, pv_dev_wait: 0 after some time passed, ETIMEDOUT at the bound.
 * pv_dev_wait_over lets no time pass.
 */
struct pv_dev_wait {
	uint64_t dw_deadline;
	unsigned int dw_pause_us;
};

void pv_dev_wait_begin(struct pv_dev_wait *, uint64_t timeout_ns);
int pv_dev_wait(struct pv_dev_wait *);
int pv_dev_wait_over(const struct pv_dev_wait *);

/* A field of the configuration that decides features, and where it goes. */
struct pv_dev_field {
	uint64_t df_features;		/* it is there with any of these */
	uint8_t df_off;
	uint8_t df_width;
	uint8_t df_to;			/* in the len bytes at to */
};

#define PV_DEV_MAXFIELDS	16

/*
 * pv_dev_read_fields - those of n fields, at most PV_DEV_MAXFIELDS, that are
 * there with features; zeros for the others
 *
 * All of one generation. A field that was promised, but is not there, is 0 too;
 * to find out which, each is read by itself.
 * Errors: those of pv_virtio_config_read, but ERANGE.
 */
int pv_dev_read_fields(struct pv_virtio *, uint64_t features,
    const struct pv_dev_field *, unsigned int n, void *to, size_t len);

/*
 * Copy out of memory that the device can write at any time. Only the copy is
 * judged and used: the barrier keeps the compiler from reading the original
 * once more.
 */
static inline void
pv_dev_copy_once(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	__asm__ volatile("" ::: "memory");
}

static inline uint16_t
pv_dev_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
pv_dev_get32(const uint8_t *p)
{
	return (uint32_t)pv_dev_get16(p) | (uint32_t)pv_dev_get16(p + 2) << 16;
}

static inline uint64_t
pv_dev_get64(const uint8_t *p)
{
	return pv_dev_get32(p) | (uint64_t)pv_dev_get32(p + 4) << 32;
}

static inline void
pv_dev_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
pv_dev_put32(uint8_t *p, uint32_t v)
{
	pv_dev_put16(p, (uint16_t)v);
	pv_dev_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void
pv_dev_put64(uint8_t *p, uint64_t v)
{
	pv_dev_put32(p, (uint32_t)v);
	pv_dev_put32(p + 4, (uint32_t)(v >> 32));
}

#endif /* DEVICE_DEV_H */
