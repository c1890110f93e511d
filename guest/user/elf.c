/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "elf.h"

/*
 * Facts from the System V ABI (gABI 4.1, "Object Files") and "ELF for the Arm
 * 64-bit Architecture". Both structures are as they lie in a file.
 */
struct elf_header {
	uint8_t		e_ident[16];
	uint16_t	e_type;
	uint16_t	e_machine;
	uint32_t	e_version;
	uint64_t	e_entry;
	uint64_t	e_phoff;
	uint64_t	e_shoff;
	uint32_t	e_flags;
	uint16_t	e_ehsize;
	uint16_t	e_phentsize;
	uint16_t	e_phnum;
	uint16_t	e_shentsize;
	uint16_t	e_shnum;
	uint16_t	e_shstrndx;
};

struct elf_phdr {
	uint32_t	p_type;
	uint32_t	p_flags;
	uint64_t	p_offset;
	uint64_t	p_vaddr;
	uint64_t	p_paddr;
	uint64_t	p_filesz;
	uint64_t	p_memsz;
	uint64_t	p_align;
};

#define ET_EXEC		2
#define EM_AARCH64	183
#define PHNUM_MAX	16
#define ALIGN_MAX	(1ul << 21)

#define PT_NULL		0
#define PT_LOAD		1
#define PT_NOTE		4
#define PT_PHDR		6
#define PT_GNU_EH_FRAME	0x6474e550
#define PT_GNU_STACK	0x6474e551
#define PT_GNU_RELRO	0x6474e552
#define PT_GNU_PROPERTY	0x6474e553
#define PT_AARCH64_MIN	0x70000000
#define PT_AARCH64_MAX	0x7fffffff

/* 64 bits, little endian, version 1, System V, ABI version 0, no padding */
static const uint8_t ident[16] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

static uint64_t
page_floor(uint64_t va)
{
	return va & ~(ELF_PAGE - 1);
}

/* The caller made sure that it does not wrap. */
static uint64_t
page_ceil(uint64_t va)
{
	return page_floor(va + ELF_PAGE - 1);
}

static bool
within(uint64_t start, uint64_t size, uint64_t min, uint64_t max)
{
	return start >= min && start <= max && size <= max - start;
}

static const char *
check_header(const struct elf_header *eh, size_t len)
{
	if (memcmp(eh->e_ident, ident, sizeof(ident)) != 0)
		return "not a 64-bit little-endian ELF file";
	if (eh->e_type != ET_EXEC)
		return "not a static executable";
	if (eh->e_machine != EM_AARCH64)
		return "not for AArch64";
	if (eh->e_version != 1 || eh->e_flags != 0)
		return "unknown version or flags";
	if (eh->e_ehsize != sizeof(*eh))
		return "header of another size";
	if (eh->e_phentsize != sizeof(struct elf_phdr))
		return "program headers of another size";
	if (eh->e_phnum == 0 || eh->e_phnum > PHNUM_MAX)
		return "no program headers, or too many";
	if (!within(eh->e_phoff, eh->e_phnum * sizeof(struct elf_phdr),
	    sizeof(*eh), len))
		return "program headers outside of the file";
	return NULL;
}

static const char *
check_alignment(const struct elf_phdr *ph)
{
	if (ph->p_align <= 1)
		return NULL;
	if ((ph->p_align & (ph->p_align - 1)) != 0 || ph->p_align > ALIGN_MAX)
		return "segment's alignment is no sane power of two";
	if (((ph->p_vaddr ^ ph->p_offset) & (ph->p_align - 1)) != 0)
		return "segment's address and offset disagree";
	return NULL;
}

static const char *
check_load(const struct elf_phdr *ph, size_t len)
{
	if ((ph->p_flags & ~(uint32_t)(ELF_R | ELF_W | ELF_X)) != 0 ||
	    (ph->p_flags & ELF_R) == 0)
		return "segment's flags unknown, or it can't be read";
	if ((ph->p_flags & (ELF_W | ELF_X)) == (ELF_W | ELF_X))
		return "segment is writable and executable";
	if (ph->p_memsz == 0 || ph->p_filesz > ph->p_memsz)
		return "segment is empty or larger in the file";
	if (!within(ph->p_offset, ph->p_filesz, 0, len))
		return "segment outside of the file";
	if (!within(ph->p_vaddr, ph->p_memsz, ELF_VA_MIN, ELF_VA_MAX))
		return "segment outside of a program's addresses";
	return check_alignment(ph);
}

static const char *
add_segment(struct elf_program *ep, const struct elf_phdr *ph,
    uint64_t *pages_len)
{
	uint64_t start = page_floor(ph->p_vaddr);
	uint64_t end = page_ceil(ph->p_vaddr + ph->p_memsz);
	struct elf_segment *es = &ep->ep_seg[ep->ep_nsegs];

	if (ep->ep_nsegs == ELF_MAXSEGS)
		return "too many segments";
	if (ep->ep_nsegs > 0 &&
	    start < page_ceil(es[-1].es_va + es[-1].es_memsz))
		return "segments overlap, share a page or descend";
	if (end - start > ELF_MEM_MAX - *pages_len)
		return "too large";
	*pages_len += end - start;
	es->es_va = ph->p_vaddr;
	es->es_memsz = ph->p_memsz;
	es->es_filesz = ph->p_filesz;
	es->es_offset = ph->p_offset;
	es->es_flags = ph->p_flags;
	ep->ep_nsegs++;
	return NULL;
}

/* Types that ask for nothing that we would have to do. */
static bool
ignorable(const struct elf_phdr *ph)
{
	switch (ph->p_type) {
	case PT_NULL:
	case PT_NOTE:
	case PT_PHDR:
	case PT_GNU_EH_FRAME:
	case PT_GNU_RELRO:
	case PT_GNU_PROPERTY:
		return true;
	case PT_GNU_STACK:
		return (ph->p_flags & ELF_X) == 0;
	default:
		return ph->p_type >= PT_AARCH64_MIN &&
		    ph->p_type <= PT_AARCH64_MAX;
	}
}

static bool
entry_ok(const struct elf_program *ep)
{
	unsigned int i;

	if (ep->ep_entry % 4 != 0)
		return false;
	for (i = 0; i < ep->ep_nsegs; i++) {
		const struct elf_segment *es = &ep->ep_seg[i];

		if ((es->es_flags & ELF_X) != 0 &&
		    ep->ep_entry >= es->es_va && es->es_filesz >= 4 &&
		    ep->ep_entry - es->es_va <= es->es_filesz - 4)
			return true;
	}
	return false;
}

static const char *
parse(const uint8_t *file, size_t len, struct elf_program *ep)
{
	struct elf_header eh;
	struct elf_phdr ph;
	uint64_t pages_len = 0;
	const char *why;
	unsigned int i;

	memset(ep, 0, sizeof(*ep));
	if (len < sizeof(eh))
		return "shorter than its header";
	memcpy(&eh, file, sizeof(eh));
	why = check_header(&eh, len);
	for (i = 0; why == NULL && i < eh.e_phnum; i++) {
		memcpy(&ph, file + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_LOAD) {
			why = check_load(&ph, len);
			if (why == NULL)
				why = add_segment(ep, &ph, &pages_len);
		} else if (!ignorable(&ph))
			why = "asks for what is not there: an interpreter, "
			    "thread storage, an executable stack";
	}
	if (why != NULL)
		return why;
	ep->ep_entry = eh.e_entry;
	return entry_ok(ep) ? NULL : "entry is not code of the file";
}

int
elf_parse(const void *file, size_t len, struct elf_program *ep,
    const char **why)
{
	*why = parse(file, len, ep);
	return *why == NULL ? 0 : ENOEXEC;
}
