/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "vm.h"
#include "pt.h"

#define BIT(n)		(1ull << (n))
#define LEVELS		4
#define IS_TABLE(e)	(((e) & 3) == 3)

static unsigned
level_shift(unsigned level)
{
	return PAGE_SHIFT + 9 * (LEVELS - 1 - level);
}

static unsigned
level_index(vaddr_t va, unsigned level)
{
	return (unsigned)(va >> level_shift(level)) & (PT_ENTRIES - 1);
}

static bool
is_leaf(uint64_t e, unsigned level)
{
	if (level == LEVELS - 1)
		return (e & 3) == 3;
	return (e & 3) == 1;
}

uint64_t
pt_leaf(const struct pt *pt, int prot, int attr)
{
	uint64_t e = PTE_AF | PTE_SH_INNER |
	    (uint64_t)attr << PTE_ATTR_SHIFT | BIT(PTE_PXN_BIT) |
	    BIT(PTE_UXN_BIT);

	if (!(prot & VM_WRITE))
		e |= PTE_AP_RO;
	if (prot & VM_USER) {
		e |= PTE_NG;
		if (prot & (VM_READ | VM_WRITE))
			e |= PTE_AP_EL0;
		if (prot & VM_EXEC)
			e &= ~BIT(PTE_UXN_BIT);
	} else if (prot & VM_EXEC) {
		e &= ~BIT(PTE_PXN_BIT);
		if (pt->pt_bti)
			e |= BIT(PTE_GP_BIT);
	}
	return e;
}

void
pt_decode(uint64_t e, int *prot, int *attr)
{
	int p = 0;

	*attr = (int)(e >> PTE_ATTR_SHIFT) & 7;
	if (!(e & PTE_AP_RO))
		p |= VM_WRITE;
	if (e & PTE_NG) {
		p |= VM_USER;
		if (e & PTE_AP_EL0)
			p |= VM_READ;
		else
			p &= ~VM_WRITE;
		if (!(e & BIT(PTE_UXN_BIT)))
			p |= VM_EXEC;
	} else {
		p |= VM_READ;
		if (!(e & BIT(PTE_PXN_BIT)))
			p |= VM_EXEC;
	}
	*prot = p;
}

/*
 * The one place where an entry changes. A valid entry is never replaced by
 * another valid one: between the two, no CPU holds a translation.
 */
static void
pt_set(struct pt *pt, uint64_t *slot, vaddr_t va, uint64_t e)
{
	volatile uint64_t *p = slot;

	if (*p & PTE_VALID) {
		*p = 0;
		pt->pt_sync(pt);
		pt->pt_flush(pt, va);
		if (e == 0)
			return;
	}
	*p = e;
}

/* The entry for va at `level`, making tables on the way if asked. */
static int
pt_walk(struct pt *pt, vaddr_t va, unsigned level, bool make, uint64_t **slot)
{
	uint64_t *table = pt->pt_ptr(pt, pt->pt_root);
	uint64_t *e;
	paddr_t pa;

	for (unsigned l = 0; l < level; l++) {
		e = &table[level_index(va, l)];
		if (is_leaf(*e, l))
			return EEXIST;
		if (!IS_TABLE(*e)) {
			if (!make)
				return ENOENT;
			pa = pt->pt_alloc(pt);
			if (pa == 0)
				return ENOMEM;
			pt->pt_sync(pt);
			*e = pa | PTE_VALID | PTE_TABLE;
		}
		table = pt->pt_ptr(pt, *e & PT_ADDR);
	}
	*slot = &table[level_index(va, level)];
	return 0;
}

/* The level whose leaf is the largest that fits. */
static unsigned
best_level(vaddr_t va, paddr_t pa, uint64_t size, bool blocks)
{
	uint64_t span;

	for (unsigned l = blocks ? 1 : LEVELS - 1; l < LEVELS - 1; l++) {
		span = BIT(level_shift(l));
		if (((va | pa) & (span - 1)) == 0 && size >= span)
			return l;
	}
	return LEVELS - 1;
}

/* Whether the page is in the same table as the one before it. */
static bool
follows(vaddr_t va, uint64_t done)
{
	return done != 0 && (va & (BIT(level_shift(LEVELS - 2)) - 1)) != 0;
}

int
pt_map(struct pt *pt, vaddr_t va, paddr_t pa, uint64_t size, uint64_t bits,
    bool blocks)
{
	uint64_t done = 0, span, *slot = NULL;
	unsigned level;
	int error;

	while (done < size) {
		level = best_level(va + done, pa + done, size - done, blocks);
		span = BIT(level_shift(level));
		error = 0;
		if (follows(va + done, done))
			slot++;
		else
			error = pt_walk(pt, va + done, level, true, &slot);
		if (error == 0 && *slot & PTE_VALID) {
			/* A table may be there for smaller leaves: go in. */
			if (IS_TABLE(*slot) && level < LEVELS - 1) {
				error = pt_map(pt, va + done, pa + done, span,
				    bits, false);
				if (error == 0) {
					done += span;
					continue;
				}
			} else
				error = EEXIST;
		}
		if (error) {
			pt_unmap(pt, va, done);
			return error;
		}
		pt_set(pt, slot, va + done, (pa + done) | bits | PTE_VALID |
		    (level == LEVELS - 1 ? PTE_TABLE : 0));
		done += span;
	}
	pt->pt_sync(pt);
	return 0;
}

/*
 * The slot that holds va's leaf and the leaf's size; ENOENT with the size of
 * the hole's entry.
 */
static int
pt_lookup(struct pt *pt, vaddr_t va, uint64_t **slot, uint64_t *span)
{
	uint64_t *table = pt->pt_ptr(pt, pt->pt_root);
	uint64_t *e;

	for (unsigned l = 0; l < LEVELS; l++) {
		e = &table[level_index(va, l)];
		*span = BIT(level_shift(l));
		if (is_leaf(*e, l)) {
			*slot = e;
			return 0;
		}
		if (!IS_TABLE(*e) || l == LEVELS - 1)
			return ENOENT;
		table = pt->pt_ptr(pt, *e & PT_ADDR);
	}
	return ENOENT;
}

/* Call fn on each leaf of a range that holds whole leaves. */
static int
pt_each(struct pt *pt, vaddr_t va, uint64_t size, bool holes,
    void (*fn)(struct pt *, uint64_t *, vaddr_t, int), int arg)
{
	uint64_t done = 0, span, *slot = NULL;
	int error;

	while (done < size) {
		if (slot != NULL && follows(va + done, done) &&
		    is_leaf(slot[1], LEVELS - 1)) {
			slot++;
			error = 0;
		} else
			error = pt_lookup(pt, va + done, &slot, &span);
		if (error) {
			if (!holes)
				return error;
			slot = NULL;
			done += span - ((va + done) & (span - 1));
			continue;
		}
		if (((va + done) & (span - 1)) != 0 || size - done < span)
			return EINVAL;
		if (fn != NULL)
			fn(pt, slot, va + done, arg);
		done += span;
	}
	return 0;
}

static void
unmap_leaf(struct pt *pt, uint64_t *slot, vaddr_t va, int arg)
{
	(void)arg;
	pt_set(pt, slot, va, 0);
}

static void
protect_leaf(struct pt *pt, uint64_t *slot, vaddr_t va, int prot)
{
	uint64_t e = *slot;
	int old, attr;

	pt_decode(e, &old, &attr);
	pt_set(pt, slot, va, (e & (PT_ADDR | 3)) | pt_leaf(pt, prot, attr));
}

int
pt_unmap(struct pt *pt, vaddr_t va, uint64_t size)
{
	int error;

	error = pt_each(pt, va, size, true, NULL, 0);
	if (error)
		return error;
	return pt_each(pt, va, size, true, unmap_leaf, 0);
}

int
pt_protect(struct pt *pt, vaddr_t va, uint64_t size, int prot)
{
	int error;

	error = pt_each(pt, va, size, false, NULL, 0);
	if (error)
		return error;
	error = pt_each(pt, va, size, false, protect_leaf, prot);
	pt->pt_sync(pt);
	return error;
}

int
pt_find(struct pt *pt, vaddr_t va, uint64_t *pte, uint64_t *size)
{
	uint64_t *slot = NULL;
	int error;

	error = pt_lookup(pt, va, &slot, size);
	if (error == 0)
		*pte = *slot;
	return error;
}

static void
clear_table(struct pt *pt, uint64_t *table, unsigned level)
{
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		uint64_t e = table[i];

		table[i] = 0;
		if (level == LEVELS - 1 || !IS_TABLE(e))
			continue;
		clear_table(pt, pt->pt_ptr(pt, e & PT_ADDR), level + 1);
		pt->pt_free(pt, e & PT_ADDR);
	}
}

void
pt_clear(struct pt *pt)
{
	clear_table(pt, pt->pt_ptr(pt, pt->pt_root), 0);
}
