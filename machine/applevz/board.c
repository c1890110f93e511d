/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine `applevz`: what a generic arm64 guest finds under Apple's
 * Virtualization framework, as public records have it.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/guest-random.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/applevz/applevz.h"
#include "hw/arm/fdt.h"
#include "hw/boards.h"
#include "hw/intc/arm_gicv3_common.h"
#include "hw/irq.h"
#include "hw/loader.h"
#include "hw/pci-host/gpex.h"
#include "hw/qdev-properties.h"
#include "hw/sysbus.h"
#include "net/net.h"
#include "standard-headers/linux/input.h"
#include <libfdt.h>
#include "sysemu/device_tree.h"
#include "sysemu/reset.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"
#include "cpu.h"
#include "target/arm/cpregs.h"
#include "target/arm/internals.h"
#include "target/arm/kvm-consts.h"

#define GICD_BASE	0x10000000ULL
#define GICR_BASE	0x10010000ULL
#define GICR_SIZE	0x20000ULL
#define V2M_BASE	0x1fff0000ULL
#define V2M_SIZE	0x10000ULL
#define V2M_SPI		96		/* INTIDs 128-255 */
#define V2M_COUNT	128
#define RTC_BASE	0x20050000ULL
#define RTC_SPI		4
#define GPIO_BASE	0x20060000ULL
#define GPIO_SPI	5		/* INTID 37 */
#define GPIO_POWER	3		/* the line with the power button */
#define ECAM_BASE	0x40000000ULL
#define ECAM_SIZE	0x10000000ULL
#define PIO_BASE	0x6fff0000ULL
#define PIO_SIZE	0x10000ULL
#define INTX_SPI	36		/* slot 8, pin B: INTID 69 */
#define RAM_BASE	0x70000000ULL

#define PPI_MAINTENANCE	9
#define PPI_TIMER_HYP	10
#define PPI_TIMER_VIRT	11
#define PPI_TIMER_SEC	13
#define PPI_TIMER_PHYS	14

#define MIDR		0x610f0000
#define BLOCK		(2 * MiB)
#define IMAGE_MAGIC	0x644d5241	/* "ARM\x64" */

#define TYPE_APPLEVZ_MACHINE	MACHINE_TYPE_NAME("applevz")
OBJECT_DECLARE_SIMPLE_TYPE(AppleVZState, APPLEVZ_MACHINE)

struct AppleVZState {
	MachineState av_parent;

	/* options */
	bool av_nested;
	bool av_hide_gic;
	bool av_odd_bytes;
	bool av_tree_apart;
	char *av_conduit;
	char *av_assign;
	uint64_t av_cntfrq;
	uint64_t av_window;
	uint32_t av_spis;
	uint32_t av_pa_bits;

	DeviceState *av_gic;
	DeviceState *av_pci;
	DeviceState *av_button;
	MemoryRegion av_bytes;
	Notifier av_powerdown;
	hwaddr av_high;			/* where the 64-bit window begins */
	hwaddr av_entry;
	hwaddr av_tree;
	uint32_t av_phandle_gic;
	uint32_t av_phandle_v2m;
	uint32_t av_phandle_clock;
};

static bool strict;

void
applevz_violation(const char *who, const char *fmt, ...)
{
	static char *last;
	g_autofree char *why = NULL, *line = NULL;
	va_list ap;

	if (!strict)
		return;
	va_start(ap, fmt);
	why = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	line = g_strdup_printf("applevz: strict: %s: %s\n", who, why);
	if (last && strcmp(line, last) == 0)
		return;
	g_free(last);
	last = g_steal_pointer(&line);
	fputs(last, stderr);
}

/* The processors. */

static const ARMCPRegInfo gic_hidden = {
	.name = "ID_AA64PFR0_EL1", .state = ARM_CP_STATE_AA64,
	.opc0 = 3, .opc1 = 0, .crn = 0, .crm = 4, .opc2 = 0,
	.access = PL1_R, .type = ARM_CP_CONST | ARM_CP_OVERRIDE,
};

/* Physical addresses: 36 bits in one record. 0: as the processor has them. */
static void
cpu_addresses(ARMCPU *cpu, uint32_t bits)
{
	static const uint32_t known[] = { 32, 36, 40, 42, 44, 48 };
	int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i] == bits)
			cpu->isar.id_aa64mmfr0 = FIELD_DP64(
			    cpu->isar.id_aa64mmfr0, ID_AA64MMFR0, PARANGE, i);
	}
}

static void
cpu_make(AppleVZState *s, int i)
{
	MachineState *ms = MACHINE(s);
	Object *cpu = object_new(ms->cpu_type);
	bool smc = strcmp(s->av_conduit, "smc") == 0;

	cpu_addresses(ARM_CPU(cpu), s->av_pa_bits);
	object_property_set_uint(cpu, "midr", MIDR, &error_fatal);
	object_property_set_uint(cpu, "mp-affinity",
	    arm_cpu_mp_affinity(i, GICV3_TARGETLIST_BITS), &error_fatal);
	object_property_set_int(cpu, "psci-conduit",
	    smc ? QEMU_PSCI_CONDUIT_SMC : QEMU_PSCI_CONDUIT_HVC, &error_fatal);
	object_property_set_bool(cpu, "start-powered-off", i > 0, &error_fatal);
	object_property_set_bool(cpu, "has_el3", false, &error_fatal);
	if (!s->av_nested)
		object_property_set_bool(cpu, "has_el2", false, &error_fatal);
	object_property_set_uint(cpu, "cntfrq", s->av_cntfrq, &error_fatal);
	object_property_set_link(cpu, "memory", OBJECT(get_system_memory()),
	    &error_fatal);
	qdev_realize(DEVICE(cpu), NULL, &error_fatal);
	if (s->av_hide_gic) {
		ARMCPRegInfo ri = gic_hidden;

		ri.resetvalue = ARM_CPU(cpu)->isar.id_aa64pfr0;
		define_one_arm_cp_reg(ARM_CPU(cpu), &ri);
	}
	object_unref(cpu);
}

static void
cpu_restart(void *opaque)
{
	AppleVZState *s = APPLEVZ_MACHINE(qdev_get_machine());
	CPUState *cs = opaque;

	cpu_reset(cs);
	if (cs != first_cpu || !s->av_entry)
		return;
	cpu_set_pc(cs, s->av_entry);
	ARM_CPU(cs)->env.xregs[0] = s->av_tree;
	arm_rebuild_hflags(&ARM_CPU(cs)->env);
}

/* Interrupts. */

static qemu_irq
spi(AppleVZState *s, int n)
{
	return qdev_get_gpio_in(s->av_gic, n);
}

/* In GICD_TYPER this QEMU tells of 32 fewer than it has. */
static int
gic_lines(AppleVZState *s)
{
	return s->av_spis + 2 * GIC_INTERNAL;
}

static void
gic_wire(AppleVZState *s, int i, int cpus)
{
	static const int timer[] = {
		[GTIMER_PHYS] = PPI_TIMER_PHYS,
		[GTIMER_VIRT] = PPI_TIMER_VIRT,
		[GTIMER_HYP] = PPI_TIMER_HYP,
		[GTIMER_SEC] = PPI_TIMER_SEC,
	};
	static const int line[] = {
		ARM_CPU_IRQ, ARM_CPU_FIQ, ARM_CPU_VIRQ, ARM_CPU_VFIQ
	};
	DeviceState *cpu = DEVICE(qemu_get_cpu(i));
	SysBusDevice *gic = SYS_BUS_DEVICE(s->av_gic);
	int ppi = gic_lines(s) + (i - 1) * GIC_INTERNAL + GIC_NR_SGIS, t;

	for (t = 0; t < ARRAY_SIZE(timer); t++)
		qdev_connect_gpio_out(cpu, t, spi(s, ppi + timer[t]));
	qdev_connect_gpio_out_named(cpu, "gicv3-maintenance-interrupt", 0,
	    spi(s, ppi + PPI_MAINTENANCE));
	for (t = 0; t < ARRAY_SIZE(line); t++)
		sysbus_connect_irq(gic, i + t * cpus,
		    qdev_get_gpio_in(cpu, line[t]));
}

static void
gic_make(AppleVZState *s)
{
	int cpus = MACHINE(s)->smp.cpus, i;
	DeviceState *v2m;

	s->av_gic = qdev_new("arm-gicv3");
	qdev_prop_set_uint32(s->av_gic, "revision", 3);
	qdev_prop_set_uint32(s->av_gic, "num-cpu", cpus);
	qdev_prop_set_uint32(s->av_gic, "num-irq", gic_lines(s));
	qdev_prop_set_bit(s->av_gic, "has-security-extensions", false);
	qdev_prop_set_uint32(s->av_gic, "len-redist-region-count", 1);
	qdev_prop_set_uint32(s->av_gic, "redist-region-count[0]", cpus);
	sysbus_realize_and_unref(SYS_BUS_DEVICE(s->av_gic), &error_fatal);
	sysbus_mmio_map(SYS_BUS_DEVICE(s->av_gic), 0, GICD_BASE);
	sysbus_mmio_map(SYS_BUS_DEVICE(s->av_gic), 1, GICR_BASE);
	for (i = 0; i < cpus; i++)
		gic_wire(s, i, cpus);

	v2m = qdev_new("arm-gicv2m");
	qdev_prop_set_uint32(v2m, "base-spi", V2M_SPI);
	qdev_prop_set_uint32(v2m, "num-spi", V2M_COUNT);
	sysbus_realize_and_unref(SYS_BUS_DEVICE(v2m), &error_fatal);
	sysbus_mmio_map(SYS_BUS_DEVICE(v2m), 0, V2M_BASE);
	for (i = 0; i < V2M_COUNT; i++)
		sysbus_connect_irq(SYS_BUS_DEVICE(v2m), i, spi(s, V2M_SPI + i));
}

/* The clock and the power button. */

static void
button_press(Notifier *n, void *data)
{
	AppleVZState *s = container_of(n, AppleVZState, av_powerdown);

	qemu_set_irq(qdev_get_gpio_in(s->av_button, 0), 1);
}

static void
board_devices(AppleVZState *s)
{
	DeviceState *gpio;

	sysbus_create_simple("pl031", RTC_BASE, spi(s, RTC_SPI));
	gpio = sysbus_create_simple("pl061", GPIO_BASE, spi(s, GPIO_SPI));
	s->av_button = sysbus_create_simple("gpio-key", -1,
	    qdev_get_gpio_in(gpio, GPIO_POWER));
	s->av_powerdown.notify = button_press;
	qemu_register_powerdown_notifier(&s->av_powerdown);
}

/*
 * PCI. With `odd-bytes` a read of the configuration space that is no aligned
 * word gives nonsense, as one record has it.
 */

static MemoryRegion *
ecam_of(AppleVZState *s)
{
	return sysbus_mmio_get_region(SYS_BUS_DEVICE(s->av_pci), 0);
}

static uint64_t
bytes_read(void *opaque, hwaddr addr, unsigned int size)
{
	AppleVZState *s = opaque;
	MemoryRegion *ecam = ecam_of(s);
	uint64_t value = 0;

	memory_region_dispatch_read(ecam, addr, &value, size_memop(size),
	    MEMTXATTRS_UNSPECIFIED);
	if (size == 4)
		return value;
	applevz_violation("pci", "read of %u bytes at 0x%" HWADDR_PRIx
	    " of the configuration space: only words are safe", size, addr);
	return value ^ 0xa5a5;
}

static void
bytes_write(void *opaque, hwaddr addr, uint64_t value, unsigned int size)
{
	AppleVZState *s = opaque;
	MemoryRegion *ecam = ecam_of(s);

	memory_region_dispatch_write(ecam, addr, value, size_memop(size),
	    MEMTXATTRS_UNSPECIFIED);
}

static const MemoryRegionOps bytes_ops = {
	.read = bytes_read,
	.write = bytes_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
};

static void
window(AppleVZState *s, const char *name, hwaddr base, uint64_t size)
{
	MemoryRegion *alias = g_new0(MemoryRegion, 1);

	memory_region_init_alias(alias, OBJECT(s), name,
	    sysbus_mmio_get_region(SYS_BUS_DEVICE(s->av_pci), 1), base, size);
	memory_region_add_subregion(get_system_memory(), base, alias);
}

static void
pci_nics(PCIBus *bus)
{
	int i;

	for (i = 0; i < nb_nics; i++) {
		PCIDevice *nic = pci_new(-1, "applevz-net");

		qdev_set_nic_properties(DEVICE(nic), &nd_table[i]);
		nd_table[i].instantiated = true;
		pci_realize_and_unref(nic, bus, &error_fatal);
	}
}

static void
pci_make(AppleVZState *s)
{
	uint8_t *config;
	PCIBus *bus;
	int i;

	s->av_pci = qdev_new(TYPE_GPEX_HOST);
	/* As on Apple's machine an access to no device's BAR aborts. */
	qdev_prop_set_bit(s->av_pci, "allow-unmapped-accesses", false);
	sysbus_realize_and_unref(SYS_BUS_DEVICE(s->av_pci), &error_fatal);
	if (s->av_odd_bytes) {
		memory_region_init_io(&s->av_bytes, OBJECT(s), &bytes_ops, s,
		    "applevz-ecam", ECAM_SIZE);
		memory_region_add_subregion(get_system_memory(), ECAM_BASE,
		    &s->av_bytes);
	} else {
		sysbus_mmio_map(SYS_BUS_DEVICE(s->av_pci), 0, ECAM_BASE);
	}
	window(s, "applevz-mmio", APPLEVZ_MMIO_BASE, APPLEVZ_MMIO_SIZE);
	window(s, "applevz-mmio64", s->av_high, s->av_window);
	sysbus_mmio_map(SYS_BUS_DEVICE(s->av_pci), 2, PIO_BASE);
	for (i = 0; i < GPEX_NUM_IRQS; i++) {
		sysbus_connect_irq(SYS_BUS_DEVICE(s->av_pci), i,
		    spi(s, INTX_SPI + i));
		gpex_set_irq_num(GPEX_HOST(s->av_pci), i, INTX_SPI + i);
	}

	bus = PCI_HOST_BRIDGE(s->av_pci)->bus;
	config = pci_find_device(bus, 0, 0)->config;
	pci_config_set_vendor_id(config, APPLEVZ_PCI_VENDOR);
	pci_config_set_device_id(config, APPLEVZ_PCI_BRIDGE);
	pci_nics(bus);
}

/* The device tree. There is no serial port in it. */

#define SPI(n, flags)	GIC_FDT_IRQ_TYPE_SPI, (n), (flags)
#define PPI(n)		GIC_FDT_IRQ_TYPE_PPI, (n), GIC_FDT_IRQ_FLAGS_LEVEL_HI

static void
node_reg(void *fdt, const char *node, uint64_t base, uint64_t size)
{
	qemu_fdt_add_subnode(fdt, node);
	qemu_fdt_setprop_sized_cells(fdt, node, "reg", 2, base, 2, size);
}

static void
strings(void *fdt, const char *node, const char *name, const char *text,
    int len)
{
	qemu_fdt_setprop(fdt, node, name, text, len);
}

static void
tree_root(AppleVZState *s, void *fdt)
{
	const char *memory = "/memory@70000000";
	uint8_t seed[40];

	qemu_fdt_setprop_cell(fdt, "/", "#address-cells", 2);
	qemu_fdt_setprop_cell(fdt, "/", "#size-cells", 2);
	qemu_fdt_setprop_string(fdt, "/", "compatible", "applevz");
	qemu_fdt_setprop_string(fdt, "/", "model", "applevz");
	qemu_fdt_setprop_cell(fdt, "/", "interrupt-parent", s->av_phandle_gic);

	qemu_guest_getrandom_nofail(seed, sizeof(seed));
	qemu_fdt_add_subnode(fdt, "/chosen");
	qemu_fdt_setprop(fdt, "/chosen", "kaslr-seed", seed, 8);
	qemu_fdt_setprop(fdt, "/chosen", "rng-seed", seed + 8, 32);

	node_reg(fdt, memory, RAM_BASE, MACHINE(s)->ram_size);
	qemu_fdt_setprop_string(fdt, memory, "device_type", "memory");
}

static void
tree_cpus(AppleVZState *s, void *fdt)
{
	const char psci[] = "arm,psci-1.0\0arm,psci-0.2";
	int i;

	qemu_fdt_add_subnode(fdt, "/cpus");
	qemu_fdt_setprop_cell(fdt, "/cpus", "#address-cells", 2);
	qemu_fdt_setprop_cell(fdt, "/cpus", "#size-cells", 0);
	for (i = MACHINE(s)->smp.cpus - 1; i >= 0; i--) {
		uint64_t id = ARM_CPU(qemu_get_cpu(i))->mp_affinity;
		g_autofree char *node =
		    g_strdup_printf("/cpus/cpu@%" PRIx64, id);

		qemu_fdt_add_subnode(fdt, node);
		qemu_fdt_setprop_string(fdt, node, "device_type", "cpu");
		qemu_fdt_setprop_string(fdt, node, "compatible", "arm,arm-v8");
		qemu_fdt_setprop_string(fdt, node, "enable-method", "psci");
		qemu_fdt_setprop_u64(fdt, node, "reg", id);
	}
	qemu_fdt_add_subnode(fdt, "/psci");
	strings(fdt, "/psci", "compatible", psci, sizeof(psci));
	qemu_fdt_setprop_string(fdt, "/psci", "method", s->av_conduit);
}

static void
tree_interrupts(AppleVZState *s, void *fdt)
{
	const char *gic = "/intc@10000000";
	const char *v2m = "/intc@10000000/v2m@1fff0000";

	qemu_fdt_add_subnode(fdt, gic);
	qemu_fdt_setprop_string(fdt, gic, "compatible", "arm,gic-v3");
	qemu_fdt_setprop_cell(fdt, gic, "#interrupt-cells", 3);
	qemu_fdt_setprop(fdt, gic, "interrupt-controller", NULL, 0);
	qemu_fdt_setprop_sized_cells(fdt, gic, "reg", 2, GICD_BASE, 2,
	    GICR_BASE - GICD_BASE, 2, GICR_BASE, 2,
	    GICR_SIZE * MACHINE(s)->smp.cpus);
	qemu_fdt_setprop_cells(fdt, gic, "interrupts", PPI(PPI_MAINTENANCE));
	qemu_fdt_setprop_cell(fdt, gic, "#address-cells", 2);
	qemu_fdt_setprop_cell(fdt, gic, "#size-cells", 2);
	qemu_fdt_setprop(fdt, gic, "ranges", NULL, 0);
	qemu_fdt_setprop_cell(fdt, gic, "phandle", s->av_phandle_gic);
	node_reg(fdt, v2m, V2M_BASE, V2M_SIZE);
	qemu_fdt_setprop_string(fdt, v2m, "compatible", "arm,gic-v2m-frame");
	qemu_fdt_setprop(fdt, v2m, "msi-controller", NULL, 0);
	qemu_fdt_setprop_cell(fdt, v2m, "phandle", s->av_phandle_v2m);

	qemu_fdt_add_subnode(fdt, "/timer");
	qemu_fdt_setprop_string(fdt, "/timer", "compatible", "arm,armv8-timer");
	qemu_fdt_setprop(fdt, "/timer", "always-on", NULL, 0);
	qemu_fdt_setprop_cells(fdt, "/timer", "interrupts", PPI(PPI_TIMER_SEC),
	    PPI(PPI_TIMER_PHYS), PPI(PPI_TIMER_VIRT), PPI(PPI_TIMER_HYP));
}

static void
tree_primecell(AppleVZState *s, void *fdt, const char *node, uint64_t base,
    int irq, const char *compatible, int len)
{
	node_reg(fdt, node, base, 0x1000);
	strings(fdt, node, "compatible", compatible, len);
	qemu_fdt_setprop_cells(fdt, node, "interrupts",
	    SPI(irq, GIC_FDT_IRQ_FLAGS_LEVEL_HI));
	qemu_fdt_setprop_cell(fdt, node, "clocks", s->av_phandle_clock);
	qemu_fdt_setprop_string(fdt, node, "clock-names", "apb_pclk");
}

static void
tree_devices(AppleVZState *s, void *fdt)
{
	const char pl031[] = "arm,pl031\0arm,primecell";
	const char pl061[] = "arm,pl061\0arm,primecell";
	const char *gpio = "/pl061@20060000", *key = "/gpio-keys/poweroff";
	uint32_t phandle = qemu_fdt_alloc_phandle(fdt);

	qemu_fdt_add_subnode(fdt, "/apb-pclk");
	qemu_fdt_setprop_string(fdt, "/apb-pclk", "compatible", "fixed-clock");
	qemu_fdt_setprop_cell(fdt, "/apb-pclk", "#clock-cells", 0);
	qemu_fdt_setprop_cell(fdt, "/apb-pclk", "clock-frequency", 24000000);
	qemu_fdt_setprop_cell(fdt, "/apb-pclk", "phandle", s->av_phandle_clock);

	tree_primecell(s, fdt, "/pl031@20050000", RTC_BASE, RTC_SPI, pl031,
	    sizeof(pl031));
	tree_primecell(s, fdt, gpio, GPIO_BASE, GPIO_SPI, pl061, sizeof(pl061));
	qemu_fdt_setprop(fdt, gpio, "gpio-controller", NULL, 0);
	qemu_fdt_setprop_cell(fdt, gpio, "#gpio-cells", 2);
	qemu_fdt_setprop_cell(fdt, gpio, "phandle", phandle);
	qemu_fdt_add_subnode(fdt, "/gpio-keys");
	qemu_fdt_setprop_string(fdt, "/gpio-keys", "compatible", "gpio-keys");
	qemu_fdt_add_subnode(fdt, key);
	qemu_fdt_setprop_string(fdt, key, "label", "power button");
	qemu_fdt_setprop_cell(fdt, key, "linux,code", KEY_POWER);
	qemu_fdt_setprop_cells(fdt, key, "gpios", phandle, GPIO_POWER, 0);
}

static void
tree_pci(AppleVZState *s, void *fdt)
{
	const char *pci = "/pci@40000000";

	node_reg(fdt, pci, ECAM_BASE, ECAM_SIZE);
	qemu_fdt_setprop_string(fdt, pci, "compatible",
	    "pci-host-ecam-generic");
	qemu_fdt_setprop_string(fdt, pci, "device_type", "pci");
	qemu_fdt_setprop_cell(fdt, pci, "#address-cells", 3);
	qemu_fdt_setprop_cell(fdt, pci, "#size-cells", 2);
	qemu_fdt_setprop_cells(fdt, pci, "bus-range", 0, 255);
	qemu_fdt_setprop(fdt, pci, "dma-coherent", NULL, 0);
	qemu_fdt_setprop_cell(fdt, pci, "msi-parent", s->av_phandle_v2m);
	qemu_fdt_setprop_sized_cells(fdt, pci, "ranges",
	    1, 0x1000000, 2, 0, 2, PIO_BASE, 2, PIO_SIZE,
	    1, 0x2000000, 2, APPLEVZ_MMIO_BASE, 2, APPLEVZ_MMIO_BASE,
	    2, APPLEVZ_MMIO_SIZE,
	    1, 0x3000000, 2, s->av_high, 2, s->av_high, 2, s->av_window);
}

static void
tree_make(AppleVZState *s)
{
	MachineState *ms = MACHINE(s);
	int size;
	void *fdt;

	fdt = create_device_tree(&size);
	if (fdt == NULL) {
		error_report("applevz: no memory for the device tree");
		exit(1);
	}
	ms->fdt = fdt;
	s->av_phandle_gic = qemu_fdt_alloc_phandle(fdt);
	s->av_phandle_v2m = qemu_fdt_alloc_phandle(fdt);
	s->av_phandle_clock = qemu_fdt_alloc_phandle(fdt);
	tree_root(s, fdt);
	tree_cpus(s, fdt);
	tree_interrupts(s, fdt);
	tree_devices(s, fdt);
	tree_pci(s, fdt);
}

/*
 * The arm64 Image protocol. The tree lies behind the image's end, in the
 * same block of 2 MiB where there is room for it; behind it the initrd.
 */

static void
image_load(AppleVZState *s, hwaddr *end)
{
	MachineState *ms = MACHINE(s);
	g_autofree char *data = NULL;
	uint64_t offset, memory;
	gsize size;

	if (!g_file_get_contents(ms->kernel_filename, &data, &size, NULL)) {
		error_report("applevz: cannot read %s", ms->kernel_filename);
		exit(1);
	}
	if (size < 64 || ldl_le_p(data + 56) != IMAGE_MAGIC) {
		error_report("applevz: %s is no arm64 Image: nothing else"
		    " boots, and nothing is decompressed", ms->kernel_filename);
		exit(1);
	}
	offset = ldq_le_p(data + 8);
	memory = ldq_le_p(data + 16);
	if (memory == 0)
		offset = 0x80000;
	memory = MAX(memory, size);
	if (offset >= BLOCK || memory > ms->ram_size ||
	    offset + memory + 2 * BLOCK > ms->ram_size) {
		error_report("applevz: %s is too large for %" PRIu64
		    " MiB of RAM", ms->kernel_filename, ms->ram_size / MiB);
		exit(1);
	}
	rom_add_blob_fixed("applevz.image", data, size, RAM_BASE + offset);
	s->av_entry = RAM_BASE + offset;
	*end = s->av_entry + memory;
}

static void
initrd_load(AppleVZState *s, hwaddr start)
{
	MachineState *ms = MACHINE(s);
	ssize_t size;

	if (ms->initrd_filename == NULL)
		return;
	size = load_image_targphys(ms->initrd_filename, start,
	    RAM_BASE + ms->ram_size - start);
	if (size < 0) {
		error_report("applevz: cannot load %s, or it is too large",
		    ms->initrd_filename);
		exit(1);
	}
	qemu_fdt_setprop_sized_cells(ms->fdt, "/chosen", "linux,initrd-start",
	    2, start);
	qemu_fdt_setprop_sized_cells(ms->fdt, "/chosen", "linux,initrd-end",
	    2, start + size);
}

static void
tree_user(MachineState *ms)
{
	int size;

	if (ms->dtb == NULL)
		return;
	g_free(ms->fdt);
	ms->fdt = load_device_tree(ms->dtb, &size);
	if (ms->fdt == NULL) {
		error_report("applevz: cannot load the device tree %s",
		    ms->dtb);
		exit(1);
	}
}

static void
boot_load(Notifier *n, void *data)
{
	AppleVZState *s = APPLEVZ_MACHINE(qdev_get_machine());
	MachineState *ms = MACHINE(s);
	hwaddr end = RAM_BASE;
	int size;

	tree_user(ms);
	if (ms->kernel_cmdline && *ms->kernel_cmdline)
		qemu_fdt_setprop_string(ms->fdt, "/chosen", "bootargs",
		    ms->kernel_cmdline);
	if (ms->kernel_filename) {
		image_load(s, &end);
		initrd_load(s, ROUND_UP(end, BLOCK) + BLOCK);
	}
	fdt_pack(ms->fdt);
	size = fdt_totalsize(ms->fdt);
	qemu_fdt_dumpdtb(ms->fdt, size);
	s->av_tree = ROUND_UP(end, 8);
	if (s->av_tree_apart ||
	    s->av_tree / BLOCK != (s->av_tree + size) / BLOCK)
		s->av_tree = ROUND_UP(end, BLOCK);
	rom_add_blob_fixed("applevz.tree", ms->fdt, size, s->av_tree);
}

static Notifier boot_notifier = { .notify = boot_load };

static void
machine_init(MachineState *ms)
{
	AppleVZState *s = APPLEVZ_MACHINE(ms);
	int i;

	if (ms->firmware) {
		error_report("applevz: there is no place for firmware:"
		    " use -kernel");
		exit(1);
	}
	s->av_high = ROUND_UP(RAM_BASE + ms->ram_size, 512 * MiB);
	memory_region_add_subregion(get_system_memory(), RAM_BASE, ms->ram);
	for (i = 0; i < ms->smp.cpus; i++)
		cpu_make(s, i);
	for (i = 0; i < ms->smp.cpus; i++)
		qemu_register_reset(cpu_restart, qemu_get_cpu(i));
	gic_make(s);
	board_devices(s);
	pci_make(s);
	tree_make(s);
	qemu_add_machine_init_done_notifier(&boot_notifier);
}

static void
machine_reset(MachineState *ms, ShutdownCause reason)
{
	AppleVZState *s = APPLEVZ_MACHINE(ms);
	enum applevz_assign how = APPLEVZ_ASSIGN_NONE;

	qemu_devices_reset(reason);
	if (strcmp(s->av_assign, "some") == 0)
		how = APPLEVZ_ASSIGN_SOME;
	else if (strcmp(s->av_assign, "all") == 0)
		how = APPLEVZ_ASSIGN_ALL;
	applevz_assign(how, s->av_high, s->av_window);
}

/* The machine's options. */

#define BOOL_OPTION(name, place)					\
static bool								\
name##_get(Object *obj, Error **errp)					\
{									\
	return place;							\
}									\
static void								\
name##_set(Object *obj, bool value, Error **errp)			\
{									\
	place = value;							\
}

BOOL_OPTION(strict, strict)
BOOL_OPTION(nested, APPLEVZ_MACHINE(obj)->av_nested)
BOOL_OPTION(hide_gic, APPLEVZ_MACHINE(obj)->av_hide_gic)
BOOL_OPTION(odd_bytes, APPLEVZ_MACHINE(obj)->av_odd_bytes)
BOOL_OPTION(tree_apart, APPLEVZ_MACHINE(obj)->av_tree_apart)

static char *
conduit_get(Object *obj, Error **errp)
{
	return g_strdup(APPLEVZ_MACHINE(obj)->av_conduit);
}

static void
conduit_set(Object *obj, const char *value, Error **errp)
{
	if (strcmp(value, "smc") != 0 && strcmp(value, "hvc") != 0) {
		error_setg(errp, "psci is smc or hvc");
		return;
	}
	g_free(APPLEVZ_MACHINE(obj)->av_conduit);
	APPLEVZ_MACHINE(obj)->av_conduit = g_strdup(value);
}

static char *
assign_get(Object *obj, Error **errp)
{
	return g_strdup(APPLEVZ_MACHINE(obj)->av_assign);
}

static void
assign_set(Object *obj, const char *value, Error **errp)
{
	if (strcmp(value, "none") != 0 && strcmp(value, "some") != 0 &&
	    strcmp(value, "all") != 0) {
		error_setg(errp, "assign is none, some or all");
		return;
	}
	g_free(APPLEVZ_MACHINE(obj)->av_assign);
	APPLEVZ_MACHINE(obj)->av_assign = g_strdup(value);
}

static void
options(ObjectClass *oc)
{
#define ADD(option, function, text) do {				\
	object_class_property_add_bool(oc, option, function##_get,	\
	    function##_set);						\
	object_class_property_set_description(oc, option, text);	\
} while (0)
	ADD("strict", strict, "say why, whenever a guest breaks a rule");
	ADD("nested", nested, "nested virtualization: enter at EL2");
	ADD("hide-gic", hide_gic, "ID_AA64PFR0_EL1.GIC reads 0");
	ADD("odd-bytes", odd_bytes,
	    "only reads of words of the configuration space are good");
	ADD("tree-apart", tree_apart,
	    "the device tree in a 2 MiB block of its own");
#undef ADD
	object_class_property_add_str(oc, "psci", conduit_get, conduit_set);
	object_class_property_set_description(oc, "psci", "smc or hvc");
	object_class_property_add_str(oc, "assign", assign_get, assign_set);
	object_class_property_set_description(oc, "assign",
	    "whose BARs have addresses at the start: none, some, all");
}

static void
machine_instance_init(Object *obj)
{
	AppleVZState *s = APPLEVZ_MACHINE(obj);

	s->av_conduit = g_strdup("smc");
	s->av_assign = g_strdup("none");
	s->av_cntfrq = 24000000;
	s->av_window = GiB;
	s->av_spis = 224;
	s->av_pa_bits = 36;
	object_property_add_uint32_ptr(obj, "pa-bits", &s->av_pa_bits,
	    OBJ_PROP_FLAG_READWRITE);
	object_property_set_description(obj, "pa-bits",
	    "physical address bits: 36, as in one record, 40, 42, 44, 48");
	object_property_add_uint64_ptr(obj, "cntfrq", &s->av_cntfrq,
	    OBJ_PROP_FLAG_READWRITE);
	object_property_set_description(obj, "cntfrq",
	    "the timer's frequency, in Hz");
	object_property_add_uint64_ptr(obj, "window", &s->av_window,
	    OBJ_PROP_FLAG_READWRITE);
	object_property_set_description(obj, "window",
	    "bytes of the 64-bit PCI window");
	object_property_add_uint32_ptr(obj, "spis", &s->av_spis,
	    OBJ_PROP_FLAG_READWRITE);
	object_property_set_description(obj, "spis",
	    "shared interrupts, a multiple of 32 (224, as in 2024)");
}

static void
machine_class_init(ObjectClass *oc, void *data)
{
	/* What Apple's processors have not. A user's -cpu overrides it. */
	static GlobalProperty lacking[] = {
		{ "max-" TYPE_ARM_CPU, "sve", "off" },
		{ "max-" TYPE_ARM_CPU, "sme", "off" },
		{ "max-" TYPE_ARM_CPU, "lpa2", "off" },
		{ "max-" TYPE_ARM_CPU, "pmu", "off" },
		{ "max-" TYPE_ARM_CPU, "pauth-impdef", "on" },
	};
	MachineClass *mc = MACHINE_CLASS(oc);

	mc->desc = "what a guest finds under Apple's Virtualization framework";
	mc->init = machine_init;
	mc->reset = machine_reset;
	mc->max_cpus = 64;
	mc->default_cpus = 2;
	mc->default_cpu_type = ARM_CPU_TYPE_NAME("max");
	mc->default_ram_size = 512 * MiB;
	mc->default_ram_id = "applevz.ram";
	mc->block_default_type = IF_NONE;
	mc->no_parallel = 1;
	mc->no_floppy = 1;
	mc->no_cdrom = 1;
	mc->minimum_page_bits = 12;
	compat_props_add(mc->compat_props, lacking, ARRAY_SIZE(lacking));
	options(oc);
}

static const TypeInfo machine_type = {
	.name = TYPE_APPLEVZ_MACHINE,
	.parent = TYPE_MACHINE,
	.instance_size = sizeof(AppleVZState),
	.instance_init = machine_instance_init,
	.class_init = machine_class_init,
};

static void
machine_register(void)
{
	type_register_static(&machine_type);
}

type_init(machine_register)
