/* SPDX-License-Identifier: ISC */
/* UNIT: guest/firmware/fdt.c guest/firmware/fdt_tree.c guest/firmware/fdt_pci.c guest/firmware/machine.c */
/*
 * The device tree that the packaged QEMU makes, dumped when this runs: read
 * right, and harmless in each of its truncations and single-bit errors.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <libfdt.h>

#include "machine.h"
#include "machine_check.h"

static struct machine m;

struct blob {
	uint8_t	*b_data;
	size_t	 b_size;
};

/*
 * QEMU pads its tree to 1 MiB; what is used of it is packed together here, as
 * short as it gets.
 */
static struct blob
blob_dump(const char *options)
{
	struct blob b = { NULL, 0 };
	char path[] = "/tmp/paravane-dtb-XXXXXX", cmd[512];
	int fd = mkstemp(path);
	FILE *f;

	assert_true(fd >= 0);
	snprintf(cmd, sizeof(cmd), "timeout 60 qemu-system-aarch64 "
	    "-display none -nodefaults -M virt,dumpdtb=%s%s >/dev/null 2>&1",
	    path, options);
	assert_int_equal(system(cmd), 0);
	close(fd);
	f = fopen(path, "r");	/* QEMU replaces the file */
	b.b_data = malloc(MACHINE_FDT_MAX);
	assert_true(f != NULL && b.b_data != NULL);
	b.b_size = fread(b.b_data, 1, MACHINE_FDT_MAX, f);
	fclose(f);
	unlink(path);
	assert_true(b.b_size >= MACHINE_FDT_HEADER);
	assert_int_equal(fdt_pack(b.b_data), 0);
	b.b_size = fdt_totalsize(b.b_data);
	b.b_data = realloc(b.b_data, b.b_size);
	return b;
}

static void
gicv2(void **state)
{
	struct blob b = blob_dump(",gic-version=2 -cpu cortex-a72 -smp 4 "
	    "-m 256 -append 'run=\"devices;poweroff\"' -kernel /dev/null");
	const struct machine_host *h = &m.m_host[0];

	(void)state;
	assert_int_equal(machine_from_fdt(&m, b.b_data, b.b_size), 0);
	assert_true(check_machine(&m));
	assert_string_equal(m.m_notes, "");
	assert_string_equal(m.m_cmdline, "run=\"devices;poweroff\"");
	assert_int_equal(m.m_nmem, 1);
	assert_int_equal(m.m_mem[0].mr_base, 0x40000000);
	assert_int_equal(m.m_mem[0].mr_size, 256 << 20);
	assert_int_equal(m.m_ncpus, 4);
	assert_int_equal(m.m_cpu[3].mc_mpidr, 3);
	assert_int_equal(m.m_cpu[3].mc_enable, MACHINE_ENABLE_PSCI);
	assert_int_equal(m.m_psci.mp_conduit, MACHINE_PSCI_HVC);
	assert_int_equal(m.m_gic.mg_version, 2);
	assert_int_equal(m.m_gic.mg_dist, 0x8000000);
	assert_int_equal(m.m_gic.mg_cpu, 0x8010000);
	assert_int_equal(m.m_gic.mg_nv2m, 1);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_base, 0x8020000);
	assert_int_equal(m.m_timer.mt_virt.mi_intid, 27);
	assert_int_equal(m.m_timer.mt_phys.mi_intid, 30);
	assert_false(m.m_timer.mt_virt.mi_edge);
	assert_int_equal(m.m_uart.mu_base, 0x9000000);
	assert_int_equal(m.m_uart.mu_intr.mi_intid, 33);
	assert_true(m.m_uart.mu_stdout);
	assert_int_equal(m.m_nmmio, 32);
	assert_int_equal(m.m_mmio[0].mm_size, 0x200);
	assert_true(m.m_mmio[0].mm_coherent && m.m_mmio[0].mm_intr.mi_edge);
	assert_int_equal(m.m_nhosts, 1);
	assert_int_equal(h->mh_ecam, UINT64_C(0x4010000000));
	assert_int_equal(h->mh_bus_last, 255);
	assert_true(h->mh_coherent);
	assert_int_equal(h->mh_nwindows, 3);
	assert_int_equal(h->mh_window[1].mw_space, MACHINE_WINDOW_MEM32);
	assert_int_equal(h->mh_window[1].mw_bus, 0x10000000);
	assert_int_equal(h->mh_window[2].mw_space, MACHINE_WINDOW_MEM64);
	assert_int_equal(h->mh_window[2].mw_size, UINT64_C(0x8000000000));
	assert_int_equal(h->mh_nintmap, 16);
	assert_int_equal(h->mh_intmap_devfn_mask, 0x1800);
	assert_int_equal(h->mh_intmap[5].mi_devfn, 0x800);
	assert_int_equal(h->mh_intmap[5].mi_pin, 2);
	assert_int_equal(h->mh_intmap[5].mi_intr.mi_intid, 37);
	assert_int_equal(h->mh_msi, MACHINE_MSI_V2M);
	free(b.b_data);
}

static void
gicv3(void **state)
{
	struct blob b = blob_dump(",gic-version=3,virtualization=on "
	    "-cpu cortex-a57 -smp 2 -m 8G");

	(void)state;
	assert_int_equal(machine_from_fdt(&m, b.b_data, b.b_size), 0);
	assert_true(check_machine(&m));
	assert_int_equal(m.m_nmem, 1);
	assert_int_equal(m.m_mem[0].mr_size, UINT64_C(8) << 30);
	assert_int_equal(m.m_psci.mp_conduit, MACHINE_PSCI_SMC);
	assert_int_equal(m.m_gic.mg_version, 3);
	assert_int_equal(m.m_gic.mg_nredist, 1);
	assert_int_equal(m.m_gic.mg_redist[0].mr_base, 0x80a0000);
	assert_int_equal(m.m_gic.mg_nits, 1);
	assert_int_equal(m.m_gic.mg_its[0].mi_base, 0x8080000);
	assert_int_equal(m.m_host[0].mh_msi, MACHINE_MSI_ITS);
	assert_int_equal(m.m_host[0].mh_nmsimap, 1);
	assert_int_equal(m.m_host[0].mh_msimap[0].mm_count, 0x10000);
	assert_int_equal(m.m_uart.mu_base, 0x9000000);
	free(b.b_data);
}

/*
 * A UART and a memory that belong to the secure world are disabled in the tree,
 * and not ours.
 */
static void
secure(void **state)
{
	struct blob b = blob_dump(",secure=on,its=off,gic-version=3 -m 64");

	(void)state;
	assert_int_equal(machine_from_fdt(&m, b.b_data, b.b_size), 0);
	assert_int_equal(m.m_uart.mu_base, 0x9000000);
	assert_int_equal(m.m_nmem, 1);
	assert_int_equal(m.m_host[0].mh_msi, MACHINE_MSI_NONE);
	free(b.b_data);
}

/*
 * The tree of a machine as Apple's hypervisor makes it, by what is on record.
 */
static void
prop_cells(void *fdt, const char *name, unsigned n, ...)
{
	fdt32_t cells[64];
	va_list ap;
	unsigned i;

	va_start(ap, n);
	for (i = 0; i < n; i++)
		cells[i] = cpu_to_fdt32(va_arg(ap, unsigned));
	va_end(ap);
	assert_int_equal(fdt_property(fdt, name, cells, (int)(4 * n)), 0);
}

static void
apple_tree(void *fdt)
{
	fdt_create(fdt, 65536);
	fdt_finish_reservemap(fdt);
	fdt_begin_node(fdt, "");
	prop_cells(fdt, "#address-cells", 1, 2);
	prop_cells(fdt, "#size-cells", 1, 2);
	prop_cells(fdt, "interrupt-parent", 1, 1);
	fdt_begin_node(fdt, "chosen");
	fdt_property_string(fdt, "bootargs", "test");
	fdt_end_node(fdt);
	fdt_begin_node(fdt, "memory@70000000");
	fdt_property_string(fdt, "device_type", "memory");
	prop_cells(fdt, "reg", 4, 0, 0x70000000, 1, 0);
	fdt_end_node(fdt);
	fdt_begin_node(fdt, "psci");
	fdt_property(fdt, "compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
	fdt_property_string(fdt, "method", "smc");
	fdt_end_node(fdt);
	fdt_begin_node(fdt, "intc@10000000");
	fdt_property_string(fdt, "compatible", "arm,gic-v3");
	prop_cells(fdt, "reg", 8, 0, 0x10000000, 0, 0x10000, 0, 0x10010000, 0,
	    0x80000);
	prop_cells(fdt, "#interrupt-cells", 1, 3);
	prop_cells(fdt, "#address-cells", 1, 2);
	prop_cells(fdt, "#size-cells", 1, 2);
	fdt_property(fdt, "ranges", NULL, 0);
	fdt_property(fdt, "interrupt-controller", NULL, 0);
	prop_cells(fdt, "phandle", 1, 1);
	fdt_begin_node(fdt, "v2m@1fff0000");
	fdt_property_string(fdt, "compatible", "arm,gic-v2m-frame");
	prop_cells(fdt, "reg", 4, 0, 0x1fff0000, 0, 0x10000);
	prop_cells(fdt, "phandle", 1, 2);
	fdt_end_node(fdt);
	fdt_end_node(fdt);
	fdt_begin_node(fdt, "pci@40000000");
	fdt_property_string(fdt, "compatible", "pci-host-ecam-generic");
	fdt_property_string(fdt, "device_type", "pci");
	prop_cells(fdt, "#address-cells", 1, 3);
	prop_cells(fdt, "#size-cells", 1, 2);
	prop_cells(fdt, "reg", 4, 0, 0x40000000, 0, 0x10000000);
	prop_cells(fdt, "ranges", 14, 0x02000000, 0, 0x50000000, 0, 0x50000000,
	    0, 0x1ffe0000, 0x43000000, 1, 0x80000000, 1, 0x80000000, 4, 0);
	prop_cells(fdt, "msi-parent", 1, 2);
	fdt_property(fdt, "dma-coherent", NULL, 0);
	fdt_end_node(fdt);
	fdt_end_node(fdt);
	assert_int_equal(fdt_finish(fdt), 0);
}

static void
apple(void **state)
{
	const struct machine_host *h = &m.m_host[0];
	void *fdt = malloc(65536);

	(void)state;
	apple_tree(fdt);
	assert_int_equal(machine_from_fdt(&m, fdt, 65536), 0);
	assert_true(check_machine(&m));
	assert_string_equal(m.m_notes, "");
	assert_int_equal(m.m_mem[0].mr_base, 0x70000000);
	assert_int_equal(m.m_uart.mu_base, 0);
	assert_int_equal(m.m_psci.mp_conduit, MACHINE_PSCI_SMC);
	assert_int_equal(m.m_gic.mg_redist[0].mr_size, 0x80000);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_base, 0x1fff0000);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_intid_count, 0);
	assert_int_equal(m.m_gic.mg_nits, 0);
	assert_int_equal(h->mh_msi, MACHINE_MSI_V2M);
	assert_int_equal(h->mh_nintmap, 0);
	assert_true(h->mh_coherent);
	assert_int_equal(h->mh_nwindows, 2);
	assert_int_equal(h->mh_window[1].mw_cpu, UINT64_C(0x180000000));
	assert_int_equal(h->mh_window[1].mw_size, UINT64_C(0x400000000));
	assert_true(h->mh_window[1].mw_prefetch);
	free(fdt);
}

/* Exactly n bytes that end where the sanitizer looks. */
static int
parse(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n == 0 ? 1 : n);
	int error;

	assert_non_null(copy);
	memcpy(copy, data, n);
	error = machine_from_fdt(&m, copy, n);
	free(copy);
	assert_true(check_machine(&m));
	/* Either it boots or it says why not. */
	if (error != 0)
		assert_true(m.m_notes[0] != '\0');
	return error;
}

static void
truncated(void **state)
{
	struct blob b = blob_dump(",gic-version=3 -smp 2");
	size_t n;

	(void)state;
	for (n = 0; n < b.b_size; n++)
		assert_int_equal(parse(b.b_data, n), EINVAL);
	/* A tree that claims no more than is there. */
	for (n = b.b_size - 1; n >= MACHINE_FDT_HEADER; n--) {
		fdt_set_totalsize(b.b_data, (uint32_t)n);
		parse(b.b_data, n);
	}
	free(b.b_data);
}

static void
flip(const char *options, size_t step)
{
	struct blob b = blob_dump(options);
	size_t bit, bad = 0;

	for (bit = 0; bit < b.b_size * 8; bit += step) {
		b.b_data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (parse(b.b_data, b.b_size) != 0)
			bad++;
		b.b_data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(bad > 0 && bad < b.b_size * 8 / step / 2);
	assert_int_equal(parse(b.b_data, b.b_size), 0);
	free(b.b_data);
}

/* Differs from the other in few nodes: a sample of its bits. */
static void
flipped_gicv2(void **state)
{
	(void)state;
	flip(",gic-version=2 -smp 2", 11);
}

static void
flipped_gicv3(void **state)
{
	(void)state;
	flip(",gic-version=3 -smp 2", 1);
}

static void
not_a_tree(void **state)
{
	static const uint64_t zero[8], ones[8] = { UINT64_MAX, UINT64_MAX,
	    UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };

	(void)state;
	assert_int_equal(machine_from_fdt(&m, zero, sizeof(zero)), EINVAL);
	assert_int_equal(machine_from_fdt(&m, ones, sizeof(ones)), EINVAL);
	assert_int_equal(machine_fdt_size(zero), 0);
	assert_string_equal(m.m_notes,
	    "device tree: none, or of an impossible size\n");
}

/* Trees as large as they may be, each made to cost as much as it can. */

static void
begin(void *fdt)
{
	static const uint8_t cells[] = { 0, 0, 0, 2 };

	assert_int_equal(fdt_create(fdt, MACHINE_FDT_MAX), 0);
	assert_int_equal(fdt_finish_reservemap(fdt), 0);
	assert_int_equal(fdt_begin_node(fdt, ""), 0);
	fdt_property(fdt, "#address-cells", cells, 4);
	fdt_property(fdt, "#size-cells", cells, 4);
}

static void
end(void *fdt, unsigned depth)
{
	struct timespec from, to;
	int error;

	for (; depth > 0; depth--)
		assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_finish(fdt), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	error = machine_from_fdt(&m, fdt, MACHINE_FDT_MAX);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	assert_true(error != 0 && check_machine(&m));
	/* Under the sanitizers; without them a tenth. */
	assert_true(to.tv_sec - from.tv_sec < 20);
}

#define SPARE	65536

static bool
room(const void *fdt, size_t more)
{
	return (size_t)fdt_size_dt_struct(fdt) + fdt_size_dt_strings(fdt) +
	    SPARE + more < MACHINE_FDT_MAX;
}

static void
many_nodes(void **state)
{
	void *fdt = malloc(MACHINE_FDT_MAX);
	unsigned i;

	(void)state;
	begin(fdt);
	for (i = 0; room(fdt, 0) && fdt_begin_node(fdt, "n") == 0; i++) {
		fdt_property(fdt, "compatible", "virtio,mmio", 12);
		fdt_property(fdt, "reg", "\0\0\0\1\0\0\0\0\0\0\0\0\0\0\2", 16);
		fdt_end_node(fdt);
	}
	assert_true(i > 10000);
	end(fdt, 0);
	free(fdt);
}

static void
many_levels(void **state)
{
	void *fdt = malloc(MACHINE_FDT_MAX);
	unsigned i;

	(void)state;
	begin(fdt);
	for (i = 0; i < 60000 && fdt_begin_node(fdt, "n") == 0; i++)
		;
	end(fdt, i);
	free(fdt);
}

/*
 * Every node asks a parent that has a table of half the tree, and nothing in it
 * fits.
 */
static void
long_ranges(void **state)
{
	void *fdt = malloc(MACHINE_FDT_MAX);
	void *ranges = calloc(1, MACHINE_FDT_MAX / 2);

	(void)state;
	begin(fdt);
	fdt_begin_node(fdt, "soc");
	fdt_property(fdt, "ranges", ranges, MACHINE_FDT_MAX / 2);
	while (room(fdt, 0) && fdt_begin_node(fdt, "n") == 0) {
		fdt_property(fdt, "compatible", "virtio,mmio", 12);
		fdt_property(fdt, "reg", "\1\0\0\1\0\0\0\0\0\0\0\2", 12);
		fdt_end_node(fdt);
	}
	end(fdt, 1);
	free(ranges);
	free(fdt);
}

/*
 * An interrupt-map that goes back and forth between two controllers at the far
 * end.
 */
static void
long_interrupt_map(void **state)
{
	void *fdt = malloc(MACHINE_FDT_MAX);
	uint8_t *map = calloc(1, MACHINE_FDT_MAX / 2);
	static const uint8_t one[] = { 0, 0, 0, 1 };
	unsigned i;

	(void)state;
	for (i = 0; i + 24 <= MACHINE_FDT_MAX / 2; i += 24)
		map[i + 19] = (uint8_t)(1 + i / 24 % 2);
	begin(fdt);
	fdt_begin_node(fdt, "pci");
	fdt_property(fdt, "compatible", "pci-host-ecam-generic", 22);
	fdt_property(fdt, "reg", "\0\0\0\1\0\0\0\0\0\0\0\0\1\0\0", 16);
	fdt_property(fdt, "interrupt-map", map, MACHINE_FDT_MAX / 2);
	fdt_end_node(fdt);
	while (room(fdt, 4096) && fdt_begin_node(fdt, "n") == 0)
		fdt_end_node(fdt);
	for (i = 1; i <= 2; i++) {
		fdt_begin_node(fdt, i == 1 ? "a" : "b");
		fdt_property_u32(fdt, "phandle", i);
		fdt_property(fdt, "#interrupt-cells", one, 4);
		fdt_end_node(fdt);
	}
	end(fdt, 0);
	free(map);
	free(fdt);
}

/*
 * Two UARTs, the second in a bus of its own, and the one that a path is to
 * name.
 */
static void *
two_uarts(const char *path)
{
	static const char *const names[] = { "uart@1000", "uart@2000" };
	void *fdt = malloc(65536);
	unsigned i;

	fdt_create(fdt, 65536);
	fdt_finish_reservemap(fdt);
	fdt_begin_node(fdt, "");
	fdt_begin_node(fdt, "aliases");
	fdt_property_string(fdt, "console", "/soc/uart@2000");
	fdt_property_string(fdt, "bus", "/soc");
	fdt_end_node(fdt);
	fdt_begin_node(fdt, "memory@0");
	fdt_property_string(fdt, "device_type", "memory");
	fdt_property(fdt, "reg", "\0\0\0\0\0\0\0\0\1\0\0", 12);
	fdt_end_node(fdt);
	for (i = 0; i < 2; i++) {
		if (i == 1) {
			fdt_begin_node(fdt, "soc");
			fdt_property_u32(fdt, "#address-cells", 2);
			fdt_property_u32(fdt, "#size-cells", 1);
			fdt_property(fdt, "ranges", NULL, 0);
		}
		fdt_begin_node(fdt, names[i]);
		fdt_property_string(fdt, "compatible", "arm,pl011");
		fdt_property(fdt, "reg", i == 0 ?
		    "\0\0\0\0\0\0\x10\0\0\0\x10" :
		    "\0\0\0\0\0\0\x20\0\0\0\x10", 12);
		fdt_end_node(fdt);
	}
	fdt_end_node(fdt);
	fdt_begin_node(fdt, "chosen");	/* last: found in time all the same */
	fdt_property(fdt, "stdout-path", path, (int)strlen(path) + 1);
	fdt_end_node(fdt);
	fdt_end_node(fdt);
	assert_int_equal(fdt_finish(fdt), 0);
	return fdt;
}

/*
 * As the specification writes paths: options behind a colon, aliases, names
 * without the unit's address.
 */
static void
stdout_path(void **state)
{
	static const struct {
		const char *path;
		unsigned base;		/* 0x1000 also where none is named */
		bool is_stdout;
	} cases[] = {
		{ "/uart@1000", 0x1000, true },
		{ "/soc/uart@2000", 0x2000, true },
		{ "/soc/uart@2000:115200n8", 0x2000, true },
		{ "/soc/uart", 0x2000, true },
		{ "/uart", 0x1000, true },
		{ "//soc//uart@2000", 0x2000, true },
		{ "console", 0x2000, true },
		{ "console:9600", 0x2000, true },
		{ "bus/uart@2000:9600", 0x2000, true },
		{ "/soc/uart@200", 0x1000, false },
		{ "/soc/uart@20000", 0x1000, false },
		{ "/so/uart@2000", 0x1000, false },
		{ "/soc/uart@2000/child", 0x1000, false },
		{ "/soc", 0x1000, false },
		{ "/", 0x1000, false },
		{ "", 0x1000, false },
		{ ":", 0x1000, false },
		{ "nobody", 0x1000, false },
		{ "nobody/uart@2000", 0x1000, false },
	};
	unsigned i;
	void *fdt;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fdt = two_uarts(cases[i].path);
		assert_int_equal(machine_from_fdt(&m, fdt, 65536), 0);
		assert_int_equal(m.m_uart.mu_base, cases[i].base);
		assert_int_equal(m.m_uart.mu_stdout, cases[i].is_stdout);
		free(fdt);
	}
}

static void
memory_ranges(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	machine_add_memory(&m, 0x3000, 0x1000);
	machine_add_memory(&m, 0x1000, 0x1000);
	machine_add_memory(&m, 0x2800, 0x1000);	/* no whole page of its own beside 0x3000 */
	assert_int_equal(m.m_nmem, 2);
	machine_add_memory(&m, 0x1800, 0x2000);
	assert_int_equal(m.m_nmem, 1);
	assert_int_equal(m.m_mem[0].mr_base, 0x1000);
	assert_int_equal(m.m_mem[0].mr_size, 0x3000);
	machine_add_memory(&m, UINT64_MAX - 10, 20);
	machine_add_memory(&m, 0x9000, UINT64_MAX);
	assert_int_equal(m.m_nmem, 2);
	assert_true(check_machine(&m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gicv2),
		cmocka_unit_test(gicv3),
		cmocka_unit_test(secure),
		cmocka_unit_test(apple),
		cmocka_unit_test(truncated),
		cmocka_unit_test(flipped_gicv2),
		cmocka_unit_test(flipped_gicv3),
		cmocka_unit_test(not_a_tree),
		cmocka_unit_test(many_nodes),
		cmocka_unit_test(many_levels),
		cmocka_unit_test(long_ranges),
		cmocka_unit_test(long_interrupt_map),
		cmocka_unit_test(stdout_path),
		cmocka_unit_test(memory_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
