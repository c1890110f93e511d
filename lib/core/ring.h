/* SPDX-License-Identifier: ISC */
/*
 * The rings as they lie in shared memory (Virtqueues / Split Virtqueues, Packed
 * Virtqueues). All fields are little-endian; legacy devices are only driven by
 * little-endian CPUs, so that theirs are too.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include <paravane/kern.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PV_LE16(x)	((uint16_t)__builtin_bswap16((uint16_t)(x)))
#define PV_LE32(x)	((uint32_t)__builtin_bswap32((uint32_t)(x)))
#define PV_LE64(x)	((uint64_t)__builtin_bswap64((uint64_t)(x)))
#else
#define PV_LE16(x)	((uint16_t)(x))
#define PV_LE32(x)	((uint32_t)(x))
#define PV_LE64(x)	((uint64_t)(x))
#endif

/*
 * The Virtqueue Descriptor Table, and The Virtqueue Descriptor Format of packed
 * rings. The last two fields of each are one word here, so that they cost one
 * store: next << 16 | flags, or flags << 16 | id.
 */
struct ring_desc {
	uint64_t rd_addr;
	uint32_t rd_len;
	uint32_t rd_mark;
};

#define RING_DESC_F_NEXT	0x0001
#define RING_DESC_F_WRITE	0x0002	/* the device writes */
#define RING_DESC_F_INDIRECT	0x0004

#define RING_DESC_F_AVAIL	0x0080u
#define RING_DESC_F_USED	0x8000u
#define RING_DESC_F_BOTH	(RING_DESC_F_AVAIL | RING_DESC_F_USED)

/* The same fields, where they are read or stored one by one. */
struct ring_packed {
	uint64_t pd_addr;
	uint32_t pd_len;
	uint16_t pd_id;
	uint16_t pd_flags;
};

/* Event Suppression Structure Format, as one word: flags << 16 | desc. */
#define RING_EVENT_ENABLE	0x0u
#define RING_EVENT_DISABLE	0x1u
#define RING_EVENT_DESC	0x2u
#define RING_EVENT_FLAGS	0x3u
#define RING_EVENT_WRAP	0x8000u

/* The Virtqueue Available Ring; used_event is ra_ring[size]. */
struct ring_avail {
	uint16_t ra_flags;
	uint16_t ra_idx;
	uint16_t ra_ring[];
};

#define RING_AVAIL_F_NO_INTERRUPT	0x0001

struct ring_used_elem {
	uint32_t ru_id;
	uint32_t ru_len;
};

/* The Virtqueue Used Ring; avail_event follows ru_ring[size - 1]. */
struct ring_used {
	uint16_t ru_flags;
	uint16_t ru_idx;
	struct ring_used_elem ru_ring[];
};

#define RING_USED_F_NO_NOTIFY	0x0001

#define RING_MAXSIZE		32768u
#define RING_MAXTABLE		1024u	/* entries in one indirect table */

/* Legacy Interfaces: the used ring begins at the next multiple of this. */
#define RING_LEGACY_ALIGN	4096u

#define RING_AVAIL_LEN(n)	(4u + 2u * (n) + 2u)
#define RING_USED_LEN(n)	(4u + 8u * (n) + 2u)

static inline void
ring_desc_put(struct ring_desc *rd, uint64_t addr, uint32_t len, uint32_t mark)
{
	rd->rd_addr = PV_LE64(addr);
	rd->rd_len = PV_LE32(len);
	rd->rd_mark = PV_LE32(mark);
}

static inline void
ring_desc_set(struct ring_desc *rd, uint64_t addr, uint32_t len,
    unsigned int flags, unsigned int next)
{
	ring_desc_put(rd, addr, len, next << 16 | flags);
}

static inline void
ring_packed_set(struct ring_desc *rd, uint64_t addr, uint32_t len,
    unsigned int id, unsigned int flags)
{
	ring_desc_put(rd, addr, len, flags << 16 | id);
}

/*
 * Fields that the other side may change or look at while we do: one access of
 * just that width.
 */
typedef uint16_t __attribute__((__may_alias__)) ring_u16;
typedef uint32_t __attribute__((__may_alias__)) ring_u32;

static inline uint16_t
ring_load16(const uint16_t *p)
{
	return PV_LE16(*(const volatile ring_u16 *)p);
}

static inline uint32_t
ring_load32(const uint32_t *p)
{
	return PV_LE32(*(const volatile ring_u32 *)p);
}

static inline void
ring_store32(uint32_t *p, uint32_t v)
{
	*(volatile ring_u32 *)p = PV_LE32(v);
}

static inline void
ring_store16(uint16_t *p, uint16_t v)
{
	*(volatile ring_u16 *)p = PV_LE16(v);
}

#endif
