/* SPDX-License-Identifier: ISC */
/*
 * The kernel's half of the address space, those of programs, and the way
 * from the tables of boot.S to both.
 */
#include <errno.h>
#include <string.h>

#include "bootinfo.h"
#include "vm.h"
#include "kmem.h"
#include "log.h"
#include "machine.h"
#include "cpuvar.h"
#include "pt.h"

#define FIXMAP_BASE	(KERNBASE + 0x3fc00000ul)
#define FIXMAP_PAGES	1024

#define BOOT_POOL	24	/* tables before any other memory is mapped */

struct vmspace {
	struct pt	vs_pt;
	uint64_t	vs_asid;
};

struct vmspace vm_kernel;

extern char _rodata_start[];

static paddr_t image_pa;
static unsigned pa_bits, asid_bits;

static uint64_t boot_pool[BOOT_POOL][PT_ENTRIES]
    __attribute__((aligned(4096)));
static unsigned boot_pool_used;

static bool kmem_ready;
static size_t fixmap_size;		/* of what it shows */

static bool
in_image(vaddr_t va)
{
	return va >= (vaddr_t)_image_start && va < (vaddr_t)_image_end;
}

paddr_t
vm_physical(const void *p)
{
	vaddr_t va = (vaddr_t)p;

	if (in_image(va))
		return image_pa + (va - KERNBASE);
	if (va >= DMAP_BASE && va - DMAP_BASE < DMAP_SIZE)
		return va - DMAP_BASE;
	return (paddr_t)-1;
}

static paddr_t
table_alloc(struct pt *pt)
{
	paddr_t pa;

	(void)pt;
	if (!kmem_ready)
		return boot_pool_used == BOOT_POOL ? 0 :
		    vm_physical(boot_pool[boot_pool_used++]);
	pa = page_alloc(1, 0, 0);
	if (pa != 0)
		memset((void *)(DMAP_BASE + pa), 0, PAGE_SIZE);
	return pa;
}

static void
table_free(struct pt *pt, paddr_t pa)
{
	(void)pt;
	page_free(pa, 1);
}

static uint64_t *
table_ptr(struct pt *pt, paddr_t pa)
{
	(void)pt;
	if (pa - image_pa < (paddr_t)(_image_end - _image_start))
		return (uint64_t *)(KERNBASE + (pa - image_pa));
	return (uint64_t *)(DMAP_BASE + pa);
}

static void
table_sync(struct pt *pt)
{
	(void)pt;
	dsb(ishst);
	isb();
}

/* Until another CPU may have been started, our TLB is the only one. */
static bool
is_alone(void)
{
	return cpus[1].c_stack == 0;
}

static void
table_flush(struct pt *pt, vaddr_t va)
{
	struct vmspace *vs = (struct vmspace *)pt;
	uint64_t arg = (va >> PAGE_SHIFT) & 0xfffffffffffull;

	if (vs == &vm_kernel && is_alone())
		__asm__ volatile("tlbi vaae1, %0" : : "r"(arg) : "memory");
	else if (vs == &vm_kernel)
		__asm__ volatile("tlbi vaae1is, %0" : : "r"(arg) : "memory");
	else
		__asm__ volatile("tlbi vae1is, %0"
		    : : "r"(arg | vs->vs_asid << 48) : "memory");
	dsb(ish);
	isb();
}

static void
space_init(struct vmspace *vs, paddr_t root)
{
	vs->vs_pt.pt_root = root;
	vs->vs_pt.pt_bti = cpu_has_bti();
	vs->vs_pt.pt_alloc = table_alloc;
	vs->vs_pt.pt_free = table_free;
	vs->vs_pt.pt_ptr = table_ptr;
	vs->vs_pt.pt_sync = table_sync;
	vs->vs_pt.pt_flush = table_flush;
}

unsigned
vm_pa_bits(void)
{
	return pa_bits;
}

void
vm_init_early(paddr_t image)
{
	static const uint8_t range[] = { 32, 36, 40, 42, 44, 48 };
	uint64_t mmfr0 = sysreg_read("id_aa64mmfr0_el1");
	unsigned n = mmfr0 & 15;

	image_pa = image;
	pa_bits = n < sizeof(range) ? range[n] : 48;
	/* The direct map covers 47 bits; more RAM than that is not used. */
	if (pa_bits > 47)
		pa_bits = 47;
	asid_bits = ((mmfr0 >> 4) & 15) == 2 ? 16 : 8;
	space_init(&vm_kernel, vm_physical(kernel_l0));
}

static void
fixmap_clear(void)
{
	pt_unmap(&vm_kernel.vs_pt, FIXMAP_BASE, fixmap_size);
	fixmap_size = 0;
}

/*
 * A window on physical memory before the direct map: what it showed before
 * is gone. Any address; 2 MiB wherever they begin.
 */
void *
vm_fixmap(paddr_t pa, size_t len)
{
	paddr_t first = pa & ~(paddr_t)PAGE_MASK;
	size_t npages = (size_t)((pa + len - first + PAGE_MASK) >> PAGE_SHIFT);
	uint64_t bits = pt_leaf(&vm_kernel.vs_pt, VM_READ, VM_WB);

	if (len == 0 || npages > FIXMAP_PAGES || pa + len < pa ||
	    (pa + len - 1) >> pa_bits != 0)
		return NULL;
	fixmap_clear();
	if (pt_map(&vm_kernel.vs_pt, FIXMAP_BASE, first, npages << PAGE_SHIFT,
	    bits, false) != 0)
		return NULL;
	fixmap_size = npages << PAGE_SHIFT;
	return (void *)(FIXMAP_BASE + (pa & PAGE_MASK));
}

/*
 * The direct map. Each range of RAM is cut where it must not be mapped and
 * where the image's text lies, which is mapped read-only.
 */
static bool
next_cut(paddr_t at, paddr_t end, paddr_t *cbase, paddr_t *cend, int *prot)
{
	const struct machine *m = &machine;
	paddr_t text_end = image_pa + (paddr_t)(_text_end - _image_start);
	bool found = false;

	*cbase = end;
	if (image_pa < end && text_end > at) {
		*cbase = image_pa > at ? image_pa : at;
		*cend = text_end < end ? text_end : end;
		*prot = VM_READ;
		found = true;
	}
	for (unsigned i = 0; i < m->m_nreserved; i++) {
		paddr_t b = m->m_reserved[i].mr_base & ~(paddr_t)PAGE_MASK;
		paddr_t e = (m->m_reserved[i].mr_base +
		    m->m_reserved[i].mr_size + PAGE_MASK) &
		    ~(paddr_t)PAGE_MASK;

		if (!m->m_nomap[i] || e <= at || b >= *cbase)
			continue;
		*cbase = b > at ? b : at;
		*cend = e < end ? e : end;
		*prot = 0;
		found = true;
	}
	return found;
}

static int
dmap(paddr_t pa, paddr_t end, int prot)
{
	if (pa >= end || prot == 0)
		return 0;
	return pt_map(&vm_kernel.vs_pt, DMAP_BASE + pa, pa, end - pa,
	    pt_leaf(&vm_kernel.vs_pt, prot, VM_WB), true);
}

static int
dmap_range(paddr_t at, paddr_t end)
{
	paddr_t cbase, cend = 0;
	int error = 0, prot = 0;

	while (at < end && error == 0) {
		if (!next_cut(at, end, &cbase, &cend, &prot))
			return dmap(at, end, VM_READ | VM_WRITE);
		error = dmap(at, cbase, VM_READ | VM_WRITE);
		if (error == 0)
			error = dmap(cbase, cend, prot);
		at = cend;
	}
	return error;
}

static bool
ram_range(unsigned i, paddr_t *base, paddr_t *end)
{
	paddr_t top = (paddr_t)1 << pa_bits;

	*base = (machine.m_mem[i].mr_base + PAGE_MASK) & ~(paddr_t)PAGE_MASK;
	*end = (machine.m_mem[i].mr_base + machine.m_mem[i].mr_size) &
	    ~(paddr_t)PAGE_MASK;
	if (*end > top)
		*end = top;
	return *base < *end;
}

static unsigned
largest_range(void)
{
	paddr_t base, end;
	uint64_t most = 0;
	unsigned best = 0;

	for (unsigned i = 0; i < machine.m_nmem; i++) {
		if (ram_range(i, &base, &end) && end - base > most) {
			most = end - base;
			best = i;
		}
	}
	return best;
}

/* Where the image is, memory is, whether the ranges say so or not. */
static void
dmap_image(void)
{
	uint64_t pte, span;
	paddr_t pa;

	for (char *p = _image_start; p < _image_end; p += PAGE_SIZE) {
		pa = vm_physical(p);
		if (pt_find(&vm_kernel.vs_pt, DMAP_BASE + pa, &pte, &span) == 0)
			continue;
		dmap(pa, pa + PAGE_SIZE, p < _text_end ? VM_READ :
		    VM_READ | VM_WRITE);
	}
}

static void
unmap_guard(void)
{
	pt_unmap(&vm_kernel.vs_pt, (vaddr_t)boot_guard, PAGE_SIZE);
}

/*
 * Map all RAM. Tables come from the image at first: enough for the largest
 * range, from which memory for the others' tables then comes.
 */
void
vm_init(void)
{
	unsigned first = largest_range();
	paddr_t base, end;
	int error;

	fixmap_clear();
	unmap_guard();
	if (machine.m_nmem == 0 || !ram_range(first, &base, &end))
		panic("no memory within the %u bits that the CPU addresses",
		    pa_bits);
	error = dmap_range(base, end);
	if (error)
		panic("mapping RAM at 0x%llx: error %d",
		    (unsigned long long)base, error);
	kmem_add(base, end);
	kmem_ready = true;
	for (unsigned i = 0; i < machine.m_nmem; i++) {
		if (i == first || !ram_range(i, &base, &end))
			continue;
		error = dmap_range(base, end);
		if (error)
			klog(LOG_ERR, "vm: RAM at 0x%llx is not used: "
			    "error %d", (unsigned long long)base, error);
		else
			kmem_add(base, end);
	}
	dmap_image();
	/* What was not needed is memory like any other. */
	while (boot_pool_used < BOOT_POOL) {
		base = vm_physical(boot_pool[boot_pool_used++]);
		if (page_is_ram(base, PAGE_SIZE))
			page_free(base, 1);
	}
}

void *
vm_dmap(paddr_t pa, size_t len)
{
	uint64_t pte, span, done;
	vaddr_t va = DMAP_BASE + pa;

	if (len == 0 || pa + len < pa || pa >= DMAP_SIZE ||
	    len > DMAP_SIZE - pa)
		return NULL;
	for (done = 0; done < len; done += span - ((va + done) & (span - 1)))
		if (pt_find(&vm_kernel.vs_pt, va + done, &pte, &span) != 0)
			return NULL;
	return (void *)va;
}

bool
vm_user_range(uint64_t addr, size_t len)
{
	return addr < VM_USER_MAX && len <= VM_USER_MAX - addr;
}

static bool
range_ok(const struct vmspace *vs, vaddr_t va, uint64_t size)
{
	if (size == 0 || ((va | size) & PAGE_MASK) != 0 || va + size - 1 < va)
		return false;
	if (vs != &vm_kernel)
		return va >= VM_USER_MIN && vm_user_range(va, size);
	return va >= VM_KVA_BASE && va - VM_KVA_BASE < VM_KVA_SIZE &&
	    size <= VM_KVA_SIZE - (va - VM_KVA_BASE);
}

static bool
prot_ok(const struct vmspace *vs, int prot, int attr)
{
	if ((prot & ~(VM_READ | VM_WRITE | VM_EXEC | VM_USER)) != 0 ||
	    attr < VM_WB || attr > VM_DEV_POSTED)
		return false;
	if ((prot & VM_WRITE) != 0 && (prot & VM_EXEC) != 0)
		return false;
	if ((prot & VM_EXEC) != 0 && attr != VM_WB)
		return false;
	return (vs != &vm_kernel) == ((prot & VM_USER) != 0);
}

int
vm_map(struct vmspace *vs, vaddr_t va, paddr_t pa, size_t size, int prot,
    int attr)
{
	if (!range_ok(vs, va, size) || !prot_ok(vs, prot, attr) ||
	    (pa & PAGE_MASK) != 0)
		return EINVAL;
	if (pa + size - 1 < pa || (pa + size - 1) >> pa_bits != 0)
		return EFAULT;
	return pt_map(&vs->vs_pt, va, pa, size,
	    pt_leaf(&vs->vs_pt, prot, attr), false);
}

int
vm_unmap(struct vmspace *vs, vaddr_t va, size_t size)
{
	if (!range_ok(vs, va, size))
		return EINVAL;
	return pt_unmap(&vs->vs_pt, va, size);
}

int
vm_protect(struct vmspace *vs, vaddr_t va, size_t size, int prot)
{
	if (!range_ok(vs, va, size) || !prot_ok(vs, prot, VM_WB))
		return EINVAL;
	return pt_protect(&vs->vs_pt, va, size, prot);
}

int
vm_query(struct vmspace *vs, vaddr_t va, struct vm_query *vq)
{
	uint64_t span;
	int error;

	if ((va >> 48) != (vs == &vm_kernel ? 0xffff : 0))
		return ENOENT;
	error = pt_find(&vs->vs_pt, va, &vq->vq_pte, &span);
	if (error)
		return error;
	vq->vq_size = span;
	vq->vq_pa = (vq->vq_pte & PT_ADDR & ~(span - 1)) | (va & (span - 1));
	pt_decode(vq->vq_pte, &vq->vq_prot, &vq->vq_attr);
	return 0;
}

/*
 * Kernel virtual space: first fit over what was given back, else on from
 * the end. 64 GiB last for ever in practice, so a small table of holes does.
 */
#define KVA_HOLES	64

static struct {
	vaddr_t		kh_base;
	size_t		kh_size;
} kva_hole[KVA_HOLES];
static unsigned kva_nholes;
static vaddr_t kva_next = VM_KVA_BASE;

static size_t
kva_round(size_t size)
{
	return ((size + PAGE_MASK) & ~PAGE_MASK) + PAGE_SIZE;
}

vaddr_t
vm_kva_alloc(size_t size)
{
	size_t need = kva_round(size);
	vaddr_t va;

	if (size == 0 || size > VM_KVA_SIZE / 2)
		return 0;
	for (unsigned i = 0; i < kva_nholes; i++) {
		if (kva_hole[i].kh_size < need)
			continue;
		va = kva_hole[i].kh_base;
		kva_hole[i].kh_base += need;
		kva_hole[i].kh_size -= need;
		if (kva_hole[i].kh_size == 0)
			kva_hole[i] = kva_hole[--kva_nholes];
		return va;
	}
	if (need > VM_KVA_SIZE - (kva_next - VM_KVA_BASE))
		return 0;
	va = kva_next;
	kva_next += need;
	return va;
}

void
vm_kva_free(vaddr_t va, size_t size)
{
	size_t len = kva_round(size);

	for (unsigned i = 0; i < kva_nholes; i++) {
		if (kva_hole[i].kh_base + kva_hole[i].kh_size == va) {
			kva_hole[i].kh_size += len;
			return;
		}
		if (va + len == kva_hole[i].kh_base) {
			kva_hole[i].kh_base = va;
			kva_hole[i].kh_size += len;
			return;
		}
	}
	/* A full table loses a piece of 64 GiB. */
	if (kva_nholes < KVA_HOLES) {
		kva_hole[kva_nholes].kh_base = va;
		kva_hole[kva_nholes++].kh_size = len;
	}
}

/* RAM that the direct map shows anywhere in the range. */
static bool
touches_ram(paddr_t pa, size_t size)
{
	uint64_t pte, span, at = pa;

	while (at < pa + size) {
		if (at >= DMAP_SIZE)
			return false;
		if (pt_find(&vm_kernel.vs_pt, DMAP_BASE + at, &pte, &span) == 0)
			return true;
		at += span - (at & (span - 1));
	}
	return false;
}

volatile void *
vm_map_device(paddr_t pa, size_t size)
{
	paddr_t first = pa & ~(paddr_t)PAGE_MASK;
	size_t len;
	vaddr_t va;

	if (size == 0 || pa + size < pa || size > VM_KVA_SIZE / 2)
		return NULL;
	len = (size_t)((pa + size - first + PAGE_MASK) & ~(paddr_t)PAGE_MASK);
	if (touches_ram(first, len))
		return NULL;
	va = vm_kva_alloc(len);
	if (va == 0)
		return NULL;
	if (vm_map(&vm_kernel, va, first, len, VM_READ | VM_WRITE,
	    VM_DEV) != 0) {
		vm_kva_free(va, len);
		return NULL;
	}
	return (volatile void *)(va + (pa & PAGE_MASK));
}

void
vm_unmap_device(volatile void *p, size_t size)
{
	vaddr_t va = (vaddr_t)p & ~PAGE_MASK;
	size_t len = (((vaddr_t)p & PAGE_MASK) + size + PAGE_MASK) &
	    ~PAGE_MASK;

	vm_unmap(&vm_kernel, va, len);
	vm_kva_free(va, len);
}

/*
 * Kernel stacks: each in the upper half of a 64 KiB slot of its own, the
 * lower half unmapped, so that one bit of SP tells an overflow.
 */
static vaddr_t stack_next, stack_end;
static vaddr_t stack_spare[16];
static unsigned stack_nspare;

static bool
stack_back(vaddr_t base)
{
	paddr_t pa[KSTACK_SIZE / PAGE_SIZE];
	unsigned n;

	for (n = 0; n < KSTACK_SIZE / PAGE_SIZE; n++) {
		pa[n] = page_alloc(1, 0, 0);
		if (pa[n] == 0)
			break;
		if (vm_map(&vm_kernel, base + n * PAGE_SIZE, pa[n], PAGE_SIZE,
		    VM_READ | VM_WRITE, VM_WB) != 0) {
			page_free(pa[n], 1);
			break;
		}
	}
	if (n == KSTACK_SIZE / PAGE_SIZE)
		return true;
	while (n-- > 0) {
		vm_unmap(&vm_kernel, base + n * PAGE_SIZE, PAGE_SIZE);
		page_free(pa[n], 1);
	}
	return false;
}

vaddr_t
vm_stack_alloc(void)
{
	vaddr_t base;

	if (stack_nspare > 0)
		return stack_spare[--stack_nspare];
	if (stack_next == stack_end) {
		/* Slots come by the megabyte. */
		base = vm_kva_alloc(17 * KSTACK_SLOT);
		if (base == 0)
			return 0;
		stack_next = (base + KSTACK_SLOT - 1) & ~(KSTACK_SLOT - 1);
		stack_end = stack_next + 16 * KSTACK_SLOT;
	}
	base = stack_next + KSTACK_SLOT - KSTACK_SIZE;
	if (!stack_back(base))
		return 0;
	stack_next += KSTACK_SLOT;
	return base;
}

void
vm_stack_free(vaddr_t base)
{
	struct vm_query vq;

	if (stack_nspare < sizeof(stack_spare) / sizeof(stack_spare[0])) {
		stack_spare[stack_nspare++] = base;
		return;
	}
	for (size_t i = 0; i < KSTACK_SIZE; i += PAGE_SIZE) {
		if (vm_query(&vm_kernel, base + i, &vq) != 0)
			continue;
		vm_unmap(&vm_kernel, base + i, PAGE_SIZE);
		page_free(vq.vq_pa, 1);
	}
}

/*
 * User spaces. An ASID belongs to a space for its life; without a free one
 * there is no space. 0 is the empty table's.
 */
#define MAX_SPACES	64

static uint64_t asid_used = 1;

struct vmspace *
vm_space_alloc(void)
{
	struct vmspace *vs;
	paddr_t root;
	uint64_t asid;

	for (asid = 1; asid < MAX_SPACES; asid++)
		if ((asid_used & 1ull << asid) == 0)
			break;
	if (asid == MAX_SPACES)
		return NULL;
	vs = kzalloc(sizeof(*vs));
	if (vs == NULL)
		return NULL;
	root = page_alloc(1, 0, 0);
	if (root == 0) {
		kfree(vs);
		return NULL;
	}
	memset(vm_dmap(root, PAGE_SIZE), 0, PAGE_SIZE);
	space_init(vs, root);
	vs->vs_asid = asid;
	asid_used |= 1ull << asid;
	table_sync(&vs->vs_pt);
	return vs;
}

void
vm_space_free(struct vmspace *vs)
{
	if (vs == NULL)
		return;
	pt_clear(&vs->vs_pt);
	dsb(ishst);
	__asm__ volatile("tlbi aside1is, %0" : : "r"(vs->vs_asid << 48)
	    : "memory");
	dsb(ish);
	isb();
	page_free(vs->vs_pt.pt_root, 1);
	asid_used &= ~(1ull << vs->vs_asid);
	kfree(vs);
}

void
vm_space_activate(struct vmspace *vs)
{
	uint64_t ttbr = vm_physical(empty_l0);

	if (vs != NULL)
		ttbr = vs->vs_pt.pt_root | vs->vs_asid << 48;
	sysreg_write("ttbr0_el1", ttbr);
	isb();
}

void
vm_print(void (*print)(const char *fmt, ...))
{
	vaddr_t va = (vaddr_t)_image_start;

	print("image   0x%lx at 0x%llx: text %lu, constants %lu, "
	    "data %lu KiB\n", va, (unsigned long long)image_pa,
	    ((vaddr_t)_rodata_start - va) / 1024,
	    (unsigned long)(_text_end - _rodata_start) / 1024,
	    (unsigned long)(_image_end - _text_end) / 1024);
	for (unsigned i = 0; i < machine.m_nmem; i++)
		print("RAM     0x%llx, %llu KiB\n",
		    (unsigned long long)machine.m_mem[i].mr_base,
		    (unsigned long long)machine.m_mem[i].mr_size / 1024);
	print("pages   %zu, %zu free\n", page_total(), page_free_count());
	print("devices 0x%lx, %zu KiB used\n", VM_KVA_BASE,
	    (size_t)(kva_next - VM_KVA_BASE) / 1024);
}

/* A frame record at fp lies in a kernel stack and can be read. */
bool
vm_stack_holds(vaddr_t fp)
{
	struct vm_query vq;

	if (fp >= (vaddr_t)boot_stack && fp < (vaddr_t)boot_stack_top)
		return true;
	if (in_image(fp))
		return fp >= (vaddr_t)_data_start;
	return fp >= VM_KVA_BASE && fp - VM_KVA_BASE < VM_KVA_SIZE &&
	    (fp & KSTACK_SIZE) != 0 && vm_query(&vm_kernel, fp, &vq) == 0 &&
	    vq.vq_attr == VM_WB;
}
