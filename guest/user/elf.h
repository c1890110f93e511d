/* SPDX-License-Identifier: ISC */
/*
 * ELF programs: what of a file is to be loaded, after every field was checked.
 */
#ifndef GUEST_USER_ELF_H
#define GUEST_USER_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_MAXSEGS	8
#define ELF_PAGE	4096ul
#define ELF_VA_MIN	0x0000000000010000ul
#define ELF_VA_MAX	0x0000800000000000ul
#define ELF_MEM_MAX	(8ul << 20)	/* bytes of all segments, in pages */

/* es_flags, as p_flags */
#define ELF_X	1
#define ELF_W	2
#define ELF_R	4

struct elf_segment {
	uint64_t	es_va;		/* of its first byte, any alignment */
	uint64_t	es_memsz;	/* what lies beyond es_filesz is zero */
	uint64_t	es_filesz;
	uint64_t	es_offset;	/* in the file */
	unsigned int	es_flags;
};

struct elf_program {
	uint64_t	ep_entry;
	unsigned int	ep_nsegs;
	struct elf_segment ep_seg[ELF_MAXSEGS];	/* ascending */
};

/*
 * elf_parse - check a file and find its segments
 *
 * file		len bytes, any alignment, any content
 * why		becomes what is wrong, for people, on error
 *
 * Takes static executables for AArch64, little endian, at fixed addresses.
 * Returns 0, and then: 1 <= ep_nsegs <= ELF_MAXSEGS; each segment is within
 * ELF_VA_MIN to ELF_VA_MAX, not empty, readable, not both writable and
 * executable, es_filesz <= es_memsz, and its file bytes are in the file; no
 * two share a page; all together take at most ELF_MEM_MAX; ep_entry is an
 * aligned instruction within the file bytes of an executable one. ENOEXEC
 * otherwise.
 */
int elf_parse(const void *file, size_t len, struct elf_program *,
    const char **why);

#endif
