/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "arch/cc.h"
#include "arena.h"

/*
 * a_map has a byte for each smallest block. That of a block's first one holds
 * its order, and whether it is free; the others are 0.
 */
#define MAP_FREE	0x80
#define MAP_USED	0x40
#define MAP_ORDER	0x1f

struct link {
	struct link	*l_next;
	struct link	*l_prev;
};

static struct {
	uint8_t		*a_base;
	uint8_t		*a_map;
	size_t		a_size;
	struct link	a_free[ARENA_MAXORDER + 1];
	struct arena_counters a_counters;
} arena;

static size_t
order_size(unsigned int order)
{
	return (size_t)1 << (order + ARENA_MINSHIFT);
}

static size_t
index_of(const void *block)
{
	return (size_t)((const uint8_t *)block - arena.a_base) >>
	    ARENA_MINSHIFT;
}

static void
list_insert(unsigned int order, void *block)
{
	struct link *head = &arena.a_free[order], *l = block;

	l->l_next = head->l_next;
	l->l_prev = head;
	head->l_next->l_prev = l;
	head->l_next = l;
	arena.a_map[index_of(block)] = (uint8_t)(MAP_FREE | order);
}

static void
list_remove(void *block)
{
	struct link *l = block;

	l->l_prev->l_next = l->l_next;
	l->l_next->l_prev = l->l_prev;
	arena.a_map[index_of(block)] = 0;
}

void
arena_init(void *mem, size_t size, uint8_t *map)
{
	unsigned int order;
	size_t at;

	memset(&arena, 0, sizeof(arena));
	memset(map, 0, size >> ARENA_MINSHIFT);
	arena.a_base = mem;
	arena.a_map = map;
	arena.a_size = arena.a_counters.ac_size = size;
	for (order = 0; order <= ARENA_MAXORDER; order++)
		arena.a_free[order].l_next = arena.a_free[order].l_prev =
		    &arena.a_free[order];

	for (at = 0; at < size; at += order_size(order)) {
		order = ARENA_MAXORDER;
		while (at % order_size(order) != 0 ||
		    order_size(order) > size - at)
			order--;
		list_insert(order, arena.a_base + at);
	}
}

static unsigned int
order_for(size_t size)
{
	unsigned int order = 0;

	while (order_size(order) < size)
		order++;
	return order;
}

void *
net_alloc(size_t size)
{
	unsigned int want, order;
	uint8_t *block;

	if (size == 0 || size > arena.a_size)
		goto none;
	want = order_for(size);
	for (order = want; order <= ARENA_MAXORDER; order++)
		if (arena.a_free[order].l_next != &arena.a_free[order])
			break;
	if (order > ARENA_MAXORDER)
		goto none;

	block = (uint8_t *)arena.a_free[order].l_next;
	list_remove(block);
	while (order > want) {
		order--;
		list_insert(order, block + order_size(order));
	}
	arena.a_map[index_of(block)] = (uint8_t)(MAP_USED | want);
	arena.a_counters.ac_used += order_size(want);
	if (arena.a_counters.ac_used > arena.a_counters.ac_peak)
		arena.a_counters.ac_peak = arena.a_counters.ac_used;
	return block;

none:
	arena.a_counters.ac_failed++;
	return NULL;
}

void *
net_calloc(size_t n, size_t size)
{
	void *p;

	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	p = net_alloc(n * size);
	if (p != NULL)
		memset(p, 0, n * size);
	return p;
}

/* The block that forms one of the next order with this one; NULL if none can. */
static uint8_t *
buddy_of(const uint8_t *block, unsigned int order)
{
	size_t at = (size_t)(block - arena.a_base) ^ order_size(order);

	if (order == ARENA_MAXORDER || at + order_size(order) > arena.a_size)
		return NULL;
	return arena.a_base + at;
}

void
net_free(void *p)
{
	uint8_t *block = p, *buddy;
	unsigned int order;

	if (p == NULL)
		return;
	if (!arena_has(p, 1) || !(arena.a_map[index_of(block)] & MAP_USED))
		net_assert_failed(__LINE__);
	order = arena.a_map[index_of(block)] & MAP_ORDER;
	arena.a_map[index_of(block)] = 0;
	arena.a_counters.ac_used -= order_size(order);
	while ((buddy = buddy_of(block, order)) != NULL &&
	    arena.a_map[index_of(buddy)] == (MAP_FREE | order)) {
		list_remove(buddy);
		if (buddy < block)
			block = buddy;
		order++;
	}
	list_insert(order, block);
}

bool
arena_has(const void *p, size_t len)
{
	uintptr_t at = (uintptr_t)p, base = (uintptr_t)arena.a_base;

	return at >= base && at - base <= arena.a_size &&
	    len <= arena.a_size - (at - base);
}

void *
arena_base(void)
{
	return arena.a_base;
}

size_t
arena_size(void)
{
	return arena.a_size;
}

const struct arena_counters *
arena_counters(void)
{
	return &arena.a_counters;
}
