/* SPDX-License-Identifier: ISC */
/*
 * Reading a flattened device tree. libfdt checks the whole tree once and keeps
 * us within it; this file keeps within each property.
 *
 * A walk goes over the tags from first to last and collects a node's properties
 * as it meets them: to ask libfdt for a node, a name or a property by its
 * offset is to go over the same tags again, each time, and made half of the
 * guest's start.
 */
#include <errno.h>
#include <string.h>

#include <libfdt.h>

#include "fdt_tree.h"

#define MAXSTRINGS	(64 * 1024)
#define REG_ALIGN	8	/* of registers: an access out of line faults */

/* Properties */

const void *
tree_prop(struct tree *t, const char *name, int *len)
{
	const struct prop *p = t->t_prop, *end = p + t->t_nprops;

	for (; p < end; p++) {
		if (p->p_name[0] != name[0] || strcmp(p->p_name, name) != 0)
			continue;
		*len = p->p_len;
		return p->p_data;
	}
	if (t->t_more)
		return fdt_getprop(t->t_fdt, t->t_node, name, len);
	*len = -FDT_ERR_NOTFOUND;
	return NULL;
}

struct cells
tree_cells(struct tree *t, const char *name)
{
	struct cells c = { NULL, 0, false };
	int len = 0;

	c.c_data = tree_prop(t, name, &len);
	if (c.c_data != NULL && len > 0)
		c.c_count = (unsigned)len / 4;
	return c;
}

uint32_t
cell(struct cells *c, unsigned i)
{
	const uint8_t *p;

	if (i >= c->c_count) {
		c->c_short = true;
		return 0;
	}
	p = c->c_data + (size_t)i * 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

uint64_t
cells_number(struct cells *c, unsigned i, unsigned n)
{
	uint64_t v = 0;

	for (; n > 0; n--)
		v = v << 32 | cell(c, i++);
	return v;
}

uint32_t
tree_u32(struct tree *t, const char *name, uint32_t fallback)
{
	struct cells c = tree_cells(t, name);

	return c.c_count > 0 ? cell(&c, 0) : fallback;
}

const char *
tree_string(struct tree *t, const char *name)
{
	int len;
	const char *s = tree_prop(t, name, &len);

	if (s == NULL || len <= 0 || memchr(s, '\0', (size_t)len) == NULL)
		return NULL;
	return s;
}

bool
tree_present(struct tree *t, const char *name)
{
	int len;

	return tree_prop(t, name, &len) != NULL;
}

/*
 * The node's list of names is looked up once: most nodes are asked about all
 * that we know.
 */
bool
tree_compatible(const struct tree *t, const char *what)
{
	return t->t_compat != NULL && fdt_stringlist_contains(t->t_compat,
	    t->t_compat_len, what);
}

uint32_t
tree_phandle(struct tree *t)
{
	const char *name = tree_present(t, "phandle") ? "phandle" :
	    "linux,phandle";
	struct cells c;
	int len;

	if (tree_prop(t, name, &len) == NULL || len != 4)
		return 0;
	c = tree_cells(t, name);
	return cell(&c, 0);
}

void
tree_note(struct tree *t, const char *what)
{
	machine_note(t->t_m, "device tree: ", tree_level(t)->l_name, what);
}

/* Addresses */

const struct level *
tree_level(const struct tree *t)
{
	return &t->t_level[t->t_depth];
}

const struct level *
tree_parent(const struct tree *t)
{
	return &t->t_level[t->t_depth > 0 ? t->t_depth - 1 : 0];
}

/*
 * One step up: an address on the bus below l as one on the bus above. False
 * where nothing maps it.
 */
static bool
translate_step(const struct level *l, unsigned parent_ac, uint64_t *addr)
{
	struct cells c = l->l_ranges;
	unsigned row = l->l_ac + parent_ac + l->l_sc, i, n;

	if (c.c_data == NULL)
		return false;
	if (c.c_count == 0)
		return true;
	for (i = n = 0; row > 0 && i + row <= c.c_count && n < TREE_MAXROWS;
	    i += row, n++) {
		uint64_t child = cells_number(&c, i, l->l_ac);
		uint64_t up = cells_number(&c, i + l->l_ac, parent_ac);
		uint64_t size = cells_number(&c, i + l->l_ac + parent_ac,
		    l->l_sc);

		if (*addr >= child && *addr - child < size) {
			*addr = up + (*addr - child);
			return true;
		}
	}
	return false;
}

bool
tree_translate(const struct tree *t, uint64_t *addr)
{
	int d;

	for (d = t->t_depth - 1; d > 0; d--)
		if (!translate_step(&t->t_level[d], t->t_level[d - 1].l_ac,
		    addr))
			return false;
	return true;
}

bool
range_good(uint64_t base, uint64_t size)
{
	return size != 0 && base + (size - 1) >= base &&
	    base + (size - 1) < UINT64_C(1) << 52;
}

bool
tree_reg(struct tree *t, unsigned i, uint64_t *base, uint64_t *size)
{
	struct cells c = tree_cells(t, "reg");
	unsigned ac = tree_parent(t)->l_ac, sc = tree_parent(t)->l_sc;

	if (i >= 1024)
		return false;
	*base = cells_number(&c, i * (ac + sc), ac);
	*size = cells_number(&c, i * (ac + sc) + ac, sc);
	if (c.c_short || ac + sc == 0)
		return false;
	return tree_translate(t, base) && range_good(*base, *size);
}

bool
tree_reg_need(struct tree *t, unsigned i, uint64_t *base, uint64_t *size)
{
	if (tree_reg(t, i, base, size) && *base % REG_ALIGN == 0)
		return true;
	tree_note(t, ": registers missing or out of range");
	return false;
}

/* The walk */

/*
 * What the node inherits and hands on. False if its cells are nonsense: then
 * what is below it can't be read.
 */
static bool
level_enter(struct tree *t)
{
	struct level *l = &t->t_level[t->t_depth];
	const struct level *up = t->t_depth > 0 ? l - 1 : NULL;
	const char *status = tree_string(t, "status");

	l->l_ranges = tree_cells(t, "ranges");
	l->l_ac = tree_u32(t, "#address-cells", 2);
	l->l_sc = tree_u32(t, "#size-cells", 1);
	l->l_intparent = tree_u32(t, "interrupt-parent",
	    up != NULL ? up->l_intparent : 0);
	l->l_coherent = tree_present(t, "dma-coherent") ||
	    (up != NULL && up->l_coherent);
	l->l_disabled = (up != NULL && up->l_disabled) ||
	    (status != NULL && strcmp(status, "okay") != 0 &&
	    strcmp(status, "ok") != 0);
	if (l->l_ac > 3 || l->l_sc > 2) {
		tree_note(t, ": cells are nonsense");
		l->l_ac = l->l_sc = 0;
		l->l_disabled = true;
	}
	return !l->l_disabled;
}

/* Trees of old have the whole path there. */
static const char *
node_name(const void *fdt, int at)
{
	const struct fdt_node_header *head;
	const char *name;

	if (fdt_version(fdt) < 0x10)
		name = fdt_get_name(fdt, at, NULL);
	else {
		head = fdt_offset_ptr(fdt, at, sizeof(*head));
		name = head == NULL ? NULL : head->name;
	}
	return name == NULL ? "?" : name;
}

/* A node begins: its properties follow. One that is too deep is passed by. */
static void
node_begin(struct tree *t, int at, int depth)
{
	t->t_node = -1;
	if (depth >= TREE_MAXDEPTH)
		return;
	t->t_node = at;
	t->t_depth = depth;
	t->t_nprops = 0;
	t->t_more = false;
	t->t_level[depth].l_name = node_name(t->t_fdt, at);
}

static void
node_prop(struct tree *t, int at)
{
	struct prop *p = &t->t_prop[t->t_nprops];

	if (t->t_node < 0 || t->t_more)
		return;
	if (t->t_nprops == TREE_MAXPROPS) {
		t->t_more = true;
		return;
	}
	p->p_data = fdt_getprop_by_offset(t->t_fdt, at, &p->p_name, &p->p_len);
	if (p->p_data != NULL)
		t->t_nprops++;
}

/* All of its properties are there: it ends, or its first child begins. */
static void
node_end(struct tree *t, void (*found)(struct tree *))
{
	if (t->t_node < 0)
		return;
	if (level_enter(t)) {
		t->t_compat = tree_prop(t, "compatible", &t->t_compat_len);
		found(t);
	}
	t->t_node = -1;
}

int
tree_walk(struct tree *t, void (*found)(struct tree *))
{
	int at = 0, next, depth = -1;

	t->t_node = -1;
	for (;; at = next) {
		switch (fdt_next_tag(t->t_fdt, at, &next)) {
		case FDT_BEGIN_NODE:
			node_end(t, found);
			node_begin(t, at, ++depth);
			break;
		case FDT_PROP:
			node_prop(t, at);
			break;
		case FDT_END_NODE:
			node_end(t, found);
			depth--;
			break;
		case FDT_END:
			return next < 0 ? EINVAL : 0;
		}
		if (next < 0)
			return EINVAL;
	}
}

/* What is to be believed at all */

size_t
machine_fdt_size(const void *fdt)
{
	uint32_t size;

	if (fdt_magic(fdt) != FDT_MAGIC)
		return 0;
	size = fdt_totalsize(fdt);
	if (size < MACHINE_FDT_HEADER || size > MACHINE_FDT_MAX)
		return 0;
	return size;
}

const char *
tree_check(const void *fdt, size_t avail)
{
	size_t size;

	if (((uintptr_t)fdt & 7) != 0 || avail < MACHINE_FDT_HEADER)
		return "not there";
	size = machine_fdt_size(fdt);
	if (size == 0)
		return "none, or of an impossible size";
	if (size > avail)
		return "cut short";
	if (fdt_size_dt_strings(fdt) > MAXSTRINGS)
		return "too many names";
	/* libfdt takes alignment for granted. */
	if ((fdt_off_dt_struct(fdt) & 3) != 0 ||
	    (fdt_off_mem_rsvmap(fdt) & 7) != 0)
		return "unaligned";
	/*
	 * No fdt_strerror: its table of pointers is of no use to the EFI
	 * application.
	 */
	return fdt_check_full(fdt, size) == 0 ? NULL : "damaged";
}
