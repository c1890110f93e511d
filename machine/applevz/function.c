/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holds of every PCI function of the machine's: see applevz.h.
 */

#include "qemu/osdep.h"
#include "hw/applevz/applevz.h"
#include "qemu/timer.h"

/* As read in the records: not a bit that a guest can clear. */
#define COMMAND_ALWAYS	PCI_COMMAND_INVALIDATE

static QTAILQ_HEAD(, applevz_function) functions =
    QTAILQ_HEAD_INITIALIZER(functions);
static uint64_t high_base, high_size;

static struct applevz_function *
function_of(PCIDevice *dev)
{
	struct applevz_function *f;

	QTAILQ_FOREACH(f, &functions, af_entry) {
		if (f->af_dev == dev)
			return f;
	}
	g_assert_not_reached();
}

static bool
inside(uint64_t addr, uint64_t size, uint64_t base, uint64_t length)
{
	return addr >= base && size <= length && addr - base <= length - size;
}

/* Is this value of BAR n acceptable: no address, or one in a window? */
static bool
bar_good(PCIDevice *dev, int n, bool wide)
{
	uint8_t *at = dev->config + PCI_BASE_ADDRESS_0 + n * 4;
	uint64_t size = dev->io_regions[n].size, addr, all;

	addr = pci_get_long(at) & PCI_BASE_ADDRESS_MEM_MASK;
	all = (uint32_t)-size;
	if (wide) {
		addr |= (uint64_t)pci_get_long(at + 4) << 32;
		all = -size;
		/* Half of an address, or of the question for the size. */
		if (addr >> 32 == UINT32_MAX)
			return true;
	}
	return addr == 0 || addr == all ||
	    inside(addr, size, APPLEVZ_MMIO_BASE, APPLEVZ_MMIO_SIZE) ||
	    (wide && inside(addr, size, high_base, high_size));
}

/*
 * A 64-bit BAR is judged when its upper half is written, the lower one
 * alone being no address; written in the other order, by the lower.
 */
static void
bar_check(struct applevz_function *f, int n, bool upper)
{
	PCIDevice *dev = f->af_dev;
	uint8_t *at = dev->config + PCI_BASE_ADDRESS_0 + n * 4;
	bool wide = dev->io_regions[n].type & PCI_BASE_ADDRESS_MEM_TYPE_64;
	int words = wide ? 2 : 1, i;

	if (wide && !upper && pci_get_long(at + 4) == 0)
		return;
	if (bar_good(dev, n, wide)) {
		for (i = 0; i < words; i++)
			f->af_bar[n + i] = pci_get_long(at + i * 4);
		return;
	}
	applevz_violation(f->af_who, "BAR %d at 0x%08x%08x is outside the"
	    " windows: rejected", n, wide ? pci_get_long(at + 4) : 0,
	    pci_get_long(at));
	for (i = 0; i < words; i++)
		f->af_write(dev, PCI_BASE_ADDRESS_0 + (n + i) * 4,
		    f->af_bar[n + i], 4);
}

static void
function_write(PCIDevice *dev, uint32_t addr, uint32_t value, int len)
{
	struct applevz_function *f = function_of(dev);
	int n = ((int)addr - PCI_BASE_ADDRESS_0) / 4;

	f->af_write(dev, addr, value, len);
	if (addr < PCI_BASE_ADDRESS_0 || n > 5)
		return;
	if (dev->io_regions[n].size)
		bar_check(f, n, false);
	else if (n > 0 && dev->io_regions[n - 1].size &&
	    dev->io_regions[n - 1].type & PCI_BASE_ADDRESS_MEM_TYPE_64)
		bar_check(f, n - 1, true);
}

static void
function_appear(void *opaque)
{
	struct applevz_function *f = opaque;

	pci_set_power(f->af_dev, true);
}

void
applevz_function_init(struct applevz_function *f, PCIDevice *dev,
    const char *who, uint32_t late_ms)
{
	f->af_dev = dev;
	f->af_who = who;
	f->af_late_ms = late_ms;
	f->af_write = dev->config_write;
	dev->config_write = function_write;
	pci_set_word(dev->config + PCI_COMMAND, COMMAND_ALWAYS);
	pci_config_set_interrupt_pin(dev->config, 2);
	f->af_timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, function_appear, f);
	QTAILQ_INSERT_TAIL(&functions, f, af_entry);
}

void
applevz_function_exit(struct applevz_function *f)
{
	QTAILQ_REMOVE(&functions, f, af_entry);
	timer_free(f->af_timer);
	f->af_dev->config_write = f->af_write;
}

void
applevz_function_reset(struct applevz_function *f)
{
	memset(f->af_bar, 0, sizeof(f->af_bar));
	if (f->af_late_ms == 0)
		return;
	pci_set_power(f->af_dev, false);
	timer_mod(f->af_timer,
	    qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + f->af_late_ms);
}

/*
 * The addresses that Apple's firmware would give: a function's 64-bit BARs
 * above RAM, the others below. It leaves virtio's old four types on (0x16),
 * others as they were.
 */
static void
function_assign(struct applevz_function *f, uint64_t *low, uint64_t *high)
{
	PCIDevice *dev = f->af_dev;
	uint16_t id = pci_get_word(dev->config + PCI_DEVICE_ID);
	int n;

	for (n = 0; n < PCI_ROM_SLOT; n++) {
		PCIIORegion *r = &dev->io_regions[n];
		bool wide = r->type & PCI_BASE_ADDRESS_MEM_TYPE_64;
		uint64_t *next = wide ? high : low;

		if (r->size == 0)
			continue;
		*next = ROUND_UP(*next, MAX(r->size, 0x1000));
		f->af_bar[n] = *next;
		f->af_write(dev, PCI_BASE_ADDRESS_0 + n * 4, *next, 4);
		if (wide) {
			f->af_bar[n + 1] = *next >> 32;
			f->af_write(dev, PCI_BASE_ADDRESS_0 + n * 4 + 4,
			    *next >> 32, 4);
		}
		*next += r->size;
	}
	if (id >= 0x1041 && id <= 0x1044)
		f->af_write(dev, PCI_COMMAND, COMMAND_ALWAYS |
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

void
applevz_assign(enum applevz_assign how, uint64_t base, uint64_t size)
{
	uint64_t low = APPLEVZ_MMIO_BASE, high = base;
	struct applevz_function *f;
	int i = 0;

	high_base = base;
	high_size = size;
	QTAILQ_FOREACH(f, &functions, af_entry) {
		if (how == APPLEVZ_ASSIGN_ALL ||
		    (how == APPLEVZ_ASSIGN_SOME && i % 2 == 0))
			function_assign(f, &low, &high);
		i++;
	}
}
