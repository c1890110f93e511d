/* SPDX-License-Identifier: ISC */
/* Self tests of mappings, faults and memory. */
#include <errno.h>
#include <string.h>

#include "bootinfo.h"
#include "cpu.h"
#include "kmem.h"
#include "machine.h"
#include "selftest.h"
#include "thread.h"
#include "vm.h"
#include "cpuvar.h"

extern char _rodata_start[];

/* Whether the CPU itself would let EL1 read or write there, or EL0. */
static bool
at(unsigned int el, const void *p, bool write)
{
	uint64_t par, daif = intr_disable();

	if (el == 1 && write)
		__asm__ volatile("at s1e1w, %0" : : "r"(p));
	else if (el == 1)
		__asm__ volatile("at s1e1r, %0" : : "r"(p));
	else if (write)
		__asm__ volatile("at s1e0w, %0" : : "r"(p));
	else
		__asm__ volatile("at s1e0r, %0" : : "r"(p));
	isb();
	par = sysreg_read("par_el1");
	intr_restore(daif);
	return (par & 1) == 0;
}

SELFTEST(vm_image_is_write_xor_execute)
{
	struct vm_query vq;
	int want;

	for (char *p = _image_start; p < _image_end; p += PAGE_SIZE) {
		if (p == boot_guard) {
			ST_EQ(st, vm_query(&vm_kernel, (vaddr_t)p, &vq),
			    ENOENT);
			continue;
		}
		want = p < _rodata_start ? VM_READ | VM_EXEC :
		    p < _data_start ? VM_READ : VM_READ | VM_WRITE;
		ST_EQ(st, vm_query(&vm_kernel, (vaddr_t)p, &vq), 0);
		ST_EQ(st, vq.vq_prot, want);
		ST_EQ(st, vq.vq_attr, VM_WB);
		ST_EQ(st, vq.vq_pa, vm_physical(p));
		ST_EQ(st, at(1, p, true), (want & VM_WRITE) != 0);
		ST_CHECK(st, !at(0, p, false));
	}
}

/* The other way to the same pages gives no more. */
SELFTEST(vm_alias_of_text_is_read_only)
{
	struct vm_query vq;
	const char *alias;

	for (char *p = _image_start; p < _image_end; p += PAGE_SIZE) {
		alias = (const char *)(DMAP_BASE + vm_physical(p));
		ST_EQ(st, vm_query(&vm_kernel, (vaddr_t)alias, &vq), 0);
		ST_EQ(st, vq.vq_prot, p < _data_start ? VM_READ :
		    VM_READ | VM_WRITE);
		ST_CHECK(st, at(1, alias, false));
		ST_EQ(st, at(1, alias, true), p >= _data_start);
	}
	ST_EQ(st, vm_probe_write((volatile uint32_t *)(DMAP_BASE +
	    vm_physical(_image_start)), 0), EFAULT);
}

SELFTEST(vm_direct_map_covers_ram)
{
	struct vm_query vq;
	vaddr_t va, end;

	for (unsigned i = 0; i < machine.m_nmem; i++) {
		va = DMAP_BASE + machine.m_mem[i].mr_base;
		end = va + (machine.m_mem[i].mr_size & ~PAGE_MASK);
		va = (va + PAGE_MASK) & ~PAGE_MASK;
		while (va < end) {
			if (vm_query(&vm_kernel, va, &vq) != 0) {
				va += PAGE_SIZE;
				continue;
			}
			ST_EQ(st, vq.vq_pa, va - DMAP_BASE);
			ST_CHECK(st, (vq.vq_prot & (VM_EXEC | VM_USER)) == 0);
			ST_EQ(st, vq.vq_attr, VM_WB);
			va = (va & ~(vq.vq_size - 1)) + vq.vq_size;
		}
	}
}

SELFTEST(vm_faults_are_caught)
{
	uint32_t v = 0x12345678, here = 5;
	uint64_t sp = (uint64_t)__builtin_frame_address(0);
	vaddr_t guard = (sp & ~(KSTACK_SLOT - 1)) + KSTACK_SLOT -
	    KSTACK_SIZE - 4;

	ST_EQ(st, vm_probe_read(&here, &v), 0);
	ST_EQ(st, v, 5);
	ST_EQ(st, vm_probe_write(&here, 6), 0);
	ST_EQ(st, here, 6);
	ST_EQ(st, vm_probe_read(NULL, &v), EFAULT);
	ST_EQ(st, vm_probe_read((uint32_t *)0x1000, &v), EFAULT);
	ST_EQ(st, vm_probe_read((uint32_t *)0x8000000000000000, &v), EFAULT);
	ST_EQ(st, vm_probe_write((uint32_t *)_image_start, 0), EFAULT);
	ST_EQ(st, vm_probe_write((uint32_t *)_rodata_start, 0), EFAULT);
	ST_EQ(st, vm_probe_write((uint32_t *)guard, 0), EFAULT);
	ST_EQ(st, v, 5);
}

void probe_landing(void);
void probe_forged_return(void);

static void
at_offset(void (*fn)(void), size_t offset, void (**out)(void))
{
	*out = (void (*)(void))((uintptr_t)fn + offset);
}

SELFTEST(vm_data_does_not_execute)
{
	static const uint32_t constant[] = { 0xd65f03c0 };	/* ret */
	static uint32_t data[] = { 0xd65f03c0 };
	void (*fn)(void);

	ST_EQ(st, probe_call(probe_landing), 0);
	at_offset((void (*)(void))(uintptr_t)data, 0, &fn);
	ST_EQ(st, probe_call(fn), EFAULT);
	at_offset((void (*)(void))(uintptr_t)constant, 0, &fn);
	ST_EQ(st, probe_call(fn), EFAULT);
	/* The direct map's view of a function. */
	at_offset((void (*)(void))(uintptr_t)(DMAP_BASE + vm_physical(
	    (void *)(uintptr_t)probe_landing)), 0, &fn);
	ST_EQ(st, probe_call(fn), EFAULT);
}

SELFTEST(cpu_bti_wants_landing_pads)
{
	void (*fn)(void);

	if (!cpu_has_bti())
		ST_SKIP(st, "this CPU has no BTI");
	at_offset(probe_landing, 4, &fn);
	ST_EQ(st, probe_call(fn), EFAULT);
}

SELFTEST(cpu_pauth_refuses_forged_returns)
{
	if (!cpu_has_pauth())
		ST_SKIP(st, "this CPU has no pointer authentication");
	ST_EQ(st, probe_call(probe_forged_return), EFAULT);
}

SELFTEST(vm_map_refuses_nonsense)
{
	vaddr_t va = vm_kva_alloc(4 * PAGE_SIZE);
	paddr_t pa = page_alloc(1, 0, 0);
	struct vm_query vq;
	int rw = VM_READ | VM_WRITE;

	ST_CHECK(st, va != 0 && pa != 0);
	ST_EQ(st, vm_map(&vm_kernel, va, pa, PAGE_SIZE, rw | VM_EXEC, VM_WB),
	    EINVAL);
	ST_EQ(st, vm_map(&vm_kernel, va + 1, pa, PAGE_SIZE, rw, VM_WB),
	    EINVAL);
	ST_EQ(st, vm_map(&vm_kernel, va, pa + 8, PAGE_SIZE, rw, VM_WB),
	    EINVAL);
	ST_EQ(st, vm_map(&vm_kernel, va, pa, 0, rw, VM_WB), EINVAL);
	ST_EQ(st, vm_map(&vm_kernel, va, pa, PAGE_SIZE, rw, 4), EINVAL);
	ST_EQ(st, vm_map(&vm_kernel, va, pa, PAGE_SIZE, rw | VM_USER, VM_WB),
	    EINVAL);
	ST_EQ(st, vm_map(&vm_kernel, (vaddr_t)_image_start, pa, PAGE_SIZE, rw,
	    VM_WB), EINVAL);
	ST_EQ(st, vm_map(&vm_kernel, va, (paddr_t)1 << vm_pa_bits(),
	    PAGE_SIZE, rw, VM_WB), EFAULT);
	ST_EQ(st, vm_map(&vm_kernel, va, pa, PAGE_SIZE, rw, VM_NC), 0);
	ST_EQ(st, vm_map(&vm_kernel, va, pa, PAGE_SIZE, rw, VM_NC), EEXIST);
	ST_EQ(st, vm_query(&vm_kernel, va + 12, &vq), 0);
	ST_EQ(st, vq.vq_pa, pa + 12);
	ST_EQ(st, vq.vq_attr, VM_NC);
	ST_EQ(st, vq.vq_prot, rw);
	ST_EQ(st, vm_probe_write((uint32_t *)va, 1), 0);
	ST_EQ(st, vm_protect(&vm_kernel, va, PAGE_SIZE, VM_READ), 0);
	ST_EQ(st, vm_probe_write((uint32_t *)va, 1), EFAULT);
	ST_EQ(st, vm_query(&vm_kernel, va, &vq), 0);
	ST_EQ(st, vq.vq_attr, VM_NC);
	ST_EQ(st, vm_unmap(&vm_kernel, va, 4 * PAGE_SIZE), 0);
	ST_EQ(st, vm_probe_write((uint32_t *)va, 1), EFAULT);
	page_free(pa, 1);
	vm_kva_free(va, 4 * PAGE_SIZE);
	ST_CHECK(st, vm_map_device(vm_physical(_image_start), 16) == NULL);
}

SELFTEST(vm_user_space_holds)
{
	struct vmspace *vs = vm_space_alloc();
	paddr_t pa = page_alloc(1, 0, 0);
	vaddr_t va = 0x400000;
	uint32_t word = 0xfeedbeef, back = 0;
	char text[8];
	size_t n;

	ST_CHECK(st, vs != NULL && pa != 0);
	memset(vm_dmap(pa, PAGE_SIZE), 'x', PAGE_SIZE);
	ST_EQ(st, vm_map(vs, va, pa, PAGE_SIZE, VM_READ | VM_WRITE, VM_WB),
	    EINVAL);
	ST_EQ(st, vm_map(vs, va, pa, PAGE_SIZE,
	    VM_READ | VM_WRITE | VM_USER, VM_WB), 0);
	ST_EQ(st, vm_map(vs, VM_USER_MAX, pa, PAGE_SIZE, VM_READ | VM_USER,
	    VM_WB), EINVAL);
	thread_setspace(vs);
	ST_EQ(st, copyout(&word, (void *)va, 4), 0);
	ST_EQ(st, copyin((void *)va, &back, 4), 0);
	ST_EQ(st, back, word);
	ST_CHECK(st, at(0, (void *)va, true));
	/* Across the end, outside, the kernel's, wrapping. */
	ST_EQ(st, copyin((void *)(va + PAGE_SIZE - 2), &back, 4), EFAULT);
	ST_EQ(st, copyin((void *)0x800000, &back, 4), EFAULT);
	ST_EQ(st, copyin(_image_start, &back, 4), EFAULT);
	ST_EQ(st, copyout(&word, &back, 4), EFAULT);
	ST_EQ(st, copyin((void *)va, &back, SIZE_MAX), EFAULT);
	ST_EQ(st, copyin((void *)-1, &back, 4), EFAULT);
	ST_EQ(st, copyinstr((void *)va, text, sizeof(text), &n), ENAMETOOLONG);
	ST_EQ(st, copyout("abc", (void *)(va + PAGE_SIZE - 4), 4), 0);
	ST_EQ(st, copyinstr((void *)(va + PAGE_SIZE - 4), text, sizeof(text),
	    &n), 0);
	ST_EQ(st, n, 4);
	ST_EQ(st, copyinstr((void *)(va + PAGE_SIZE), text, sizeof(text), &n),
	    EFAULT);
	ST_EQ(st, vm_protect(vs, va, PAGE_SIZE, VM_READ | VM_USER), 0);
	ST_EQ(st, copyout(&word, (void *)va, 4), EFAULT);
	/* With PAN the kernel's own accesses stop as well. */
	if (cpu_has_pan())
		ST_EQ(st, vm_probe_read((uint32_t *)va, &back), EFAULT);
	thread_setspace(NULL);
	ST_EQ(st, copyin((void *)va, &back, 4), EFAULT);
	vm_space_free(vs);
	page_free(pa, 1);
}

SELFTEST(vm_space_gives_all_back)
{
	size_t before;
	struct vmspace *vs;
	paddr_t pa = page_alloc(1, 0, 0);

	vs = vm_space_alloc();
	vm_space_free(vs);
	before = page_free_count();
	for (unsigned i = 0; i < 100; i++) {
		vs = vm_space_alloc();
		ST_CHECK(st, vs != NULL);
		ST_EQ(st, vm_map(vs, 0x10000 + ((vaddr_t)i << 32), pa,
		    PAGE_SIZE, VM_READ | VM_USER, VM_WB), 0);
		vm_space_free(vs);
	}
	ST_EQ(st, page_free_count(), before);
	page_free(pa, 1);
}

SELFTEST(kmem_pages_align_and_return)
{
	size_t before = page_free_count(), got;
	paddr_t a, b, c;

	a = page_alloc(1, 0, 0);
	b = page_alloc(16, 65536, 0);
	c = page_alloc_best(512, 0, &got);
	ST_CHECK(st, a != 0 && b != 0 && c != 0);
	ST_EQ(st, b & 65535, 0);
	ST_CHECK(st, got >= 1 && got <= 512);
	ST_EQ(st, page_free_count(), before - 17 - got);
	ST_CHECK(st, vm_dmap(c, got * PAGE_SIZE) != NULL);
	memset(vm_dmap(c, got * PAGE_SIZE), 0xa5, got * PAGE_SIZE);
	page_free(a, 1);
	page_free(b + 8 * PAGE_SIZE, 8);
	page_free(b, 8);
	page_free(c, got);
	ST_EQ(st, page_free_count(), before);
	ST_EQ(st, page_alloc(1, 0, PAGE_SIZE), 0);
	ST_EQ(st, page_alloc(SIZE_MAX / PAGE_SIZE, 0, 0), 0);
	ST_EQ(st, page_alloc(1, 12345, 0), 0);
}

#define SLOTS	64

static uint32_t
next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

SELFTEST(kmem_blocks_do_not_overlap)
{
	static struct {
		uint8_t	*p;
		size_t	len;
	} slot[SLOTS];
	uint32_t seed = 42;

	memset(slot, 0, sizeof(slot));
	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = next_random(&seed) % SLOTS;

		if (slot[k].p != NULL) {
			for (size_t j = 0; j < slot[k].len; j += 13)
				ST_EQ(st, slot[k].p[j], k);
			kfree(slot[k].p);
			slot[k].p = NULL;
			continue;
		}
		slot[k].len = next_random(&seed) %
		    (i % 8 == 0 ? 20000 : 600) + 1;
		slot[k].p = kmalloc(slot[k].len);
		ST_CHECK(st, slot[k].p != NULL);
		ST_EQ(st, (vaddr_t)slot[k].p & 15, 0);
		if (slot[k].len > 64)
			ST_EQ(st, (vaddr_t)slot[k].p & 127, 0);
		memset(slot[k].p, (int)k, slot[k].len);
	}
	for (unsigned k = 0; k < SLOTS; k++)
		kfree(slot[k].p);
	ST_CHECK(st, kmalloc(SIZE_MAX) == NULL);
}
