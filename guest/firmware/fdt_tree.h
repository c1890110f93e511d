/* SPDX-License-Identifier: ISC */
/*
 * A flattened device tree, node by node. Within fdt_*.c only.
 *
 * All values go through struct cells, which gives 0 beyond the end and
 * remembers that it did. What is asked for is of the node that the walk is at.
 */
#ifndef FIRMWARE_FDT_TREE_H
#define FIRMWARE_FDT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

#define TREE_MAXDEPTH	16
#define TREE_MAXROWS	1024	/* of a table in a property */
#define TREE_MAXPARENTS	8
#define TREE_MAXPROPS	24	/* of a node; more are looked up one by one */

struct cells {
	const uint8_t	*c_data;	/* NULL: there is no such property */
	unsigned	 c_count;
	bool		 c_short;	/* something beyond the end was asked for */
};

struct level {
	const char	*l_name;
	unsigned	 l_ac, l_sc;	/* for the node's children */
	uint32_t	 l_intparent;	/* phandle, 0: none named */
	bool		 l_coherent;
	bool		 l_disabled;
	struct cells	 l_ranges;
};

struct prop {
	const char	*p_name;
	const void	*p_data;
	int		 p_len;
};

/*
 * A controller that an interrupt-map names. The look for one goes through the
 * whole tree: it is done once.
 */
struct intmap_parent {
	uint32_t	 ip_phandle;
	unsigned	 ip_cells;
};

struct tree {
	const void	*t_fdt;
	struct machine	*t_m;
	int		 t_node;	/* the walk is at; -1: before and after */
	int		 t_depth;	/* of it; the root's is 0 */
	struct level	 t_level[TREE_MAXDEPTH];
	const char	*t_compat;
	int		 t_compat_len;
	bool		 t_more;	/* properties than there is room for */
	unsigned	 t_nprops;
	struct prop	 t_prop[TREE_MAXPROPS];

	/* fdt.c: what was found so far, of what others name */
	bool		 t_have_gic;
	uint32_t	 t_gic;		/* phandle, 0: it has none */
	unsigned	 t_gic_ac;	/* #address-cells and #interrupt-cells of it */
	unsigned	 t_gic_ic;
	uint32_t	 t_v2m[MACHINE_MAXV2M];	/* phandles */
	const char	*t_stdout;	/* path, to the end or a colon; or NULL */
	const char	*t_alias;	/* path that its first name stands for */

	/* fdt_pci.c */
	unsigned	 t_nparents;
	struct intmap_parent t_parent[TREE_MAXPARENTS];
};

/* NULL, or what is wrong with these bytes as a tree. */
const char *tree_check(const void *, size_t avail);

/*
 * Call found for each node that is not disabled, parents first, once its
 * properties are known. 0, or EINVAL.
 */
int	tree_walk(struct tree *, void (*found)(struct tree *));

/* Properties. Strings are NULL where they are not there, or have no end. */
const void *tree_prop(struct tree *, const char *name, int *len);
struct cells tree_cells(struct tree *, const char *name);
uint32_t tree_u32(struct tree *, const char *name, uint32_t fallback);
const char *tree_string(struct tree *, const char *name);
bool	tree_present(struct tree *, const char *name);
bool	tree_compatible(const struct tree *, const char *what);
uint32_t tree_phandle(struct tree *);

/* The node's own level, and its parent's. */
const struct level *tree_level(const struct tree *);
const struct level *tree_parent(const struct tree *);

/* A cell; n cells as one number, of which what is above 64 bits is dropped. */
uint32_t cell(struct cells *, unsigned i);
uint64_t cells_number(struct cells *, unsigned i, unsigned n);

/*
 * An address in the parent's terms, as the processor sees it; false where
 * nothing maps it.
 */
bool	tree_translate(const struct tree *, uint64_t *addr);

/* Whether this can be memory, or registers. */
bool	range_good(uint64_t base, uint64_t size);

/*
 * Entry i of the node's reg, as the processor sees it; the second makes a note
 * where there is none, or none that registers could be at.
 */
bool	tree_reg(struct tree *, unsigned i, uint64_t *base, uint64_t *size);
bool	tree_reg_need(struct tree *, unsigned i, uint64_t *base,
	    uint64_t *size);

/* Where to look for interrupts: fdt.c, for fdt_pci.c */
bool	gic_specifier(struct cells *, unsigned i, struct machine_intr *);
bool	is_gic(const struct tree *, uint32_t phandle);

/* fdt_pci.c: a host bridge, at which the walk is. */
void	host_found(struct tree *);

void	tree_note(struct tree *, const char *what);

#endif /* FIRMWARE_FDT_TREE_H */
