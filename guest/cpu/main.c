/* SPDX-License-Identifier: ISC */
/* From the first line of C to the first thread and the table of init.h. */
#include <errno.h>
#include <string.h>

#include "bootinfo.h"
#include "cmdline.h"
#include "cpu.h"
#include "init.h"
#include "intr.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "machine.h"
#include "thread.h"
#include "vm.h"
#include "cpuvar.h"

extern const struct initcall init_start[], init_end[];

/* The linker sorted them by level. */
static void
run_inits(unsigned from, unsigned to)
{
	for (const struct initcall *ic = init_start; ic < init_end; ic++)
		if (ic->ic_level >= from && ic->ic_level < to)
			ic->ic_fn();
}

static unsigned held;
static struct event released;

void
init_hold(void)
{
	held++;
}

void
init_release(void)
{
	if (--held == 0)
		event_signal(&released);
}

int
init_wait(uint64_t timeout_ns)
{
	uint64_t end = uptime_ns() + timeout_ns, now;

	while (held > 0) {
		now = uptime_ns();
		if (now >= end || event_wait(&released, end - now) != 0)
			return ETIMEDOUT;
		/* Others may wait, too. */
		event_signal(&released);
		thread_yield();
	}
	return 0;
}

static int
read_tree(paddr_t dtb)
{
	const void *head, *fdt;
	size_t len;

	if (dtb == 0 || (dtb & 7) != 0)
		return -1;
	head = vm_fixmap(dtb, MACHINE_FDT_HEADER);
	if (head == NULL)
		return -1;
	len = machine_fdt_size(head);
	if (len == 0)
		return -1;
	fdt = vm_fixmap(dtb, len);
	if (fdt == NULL)
		return -1;
	return machine_from_fdt(&machine, fdt, len);
}

static void
say_what_it_is(void)
{
	char line[128];

	cpu_describe(line, sizeof(line));
	klog(LOG_INFO, "cpu: %u of %u, %s", cpu_count(), machine.m_ncpus,
	    line);
	intr_describe(line, sizeof(line));
	klog(LOG_INFO, "intr: %s", line);
	time_describe(line, sizeof(line));
	klog(LOG_INFO, "time: %s", line);
	klog(LOG_INFO, "memory: %zu MiB in %u ranges, %zu MiB free",
	    page_total() >> (20 - PAGE_SHIFT), machine.m_nmem,
	    page_free_count() >> (20 - PAGE_SHIFT));
}

static void
start(void *arg)
{
	(void)arg;
	time_check();
	cpu_start_all();
	say_what_it_is();
	run_inits(INIT_TTY, UINT32_MAX);
}

void
boot_main(paddr_t dtb, paddr_t image, unsigned entry_el, unsigned efi)
{
	int error = 0;

	cpu_init(entry_el);
	time_init_early();
	vm_init_early(image);
	if (!efi) {
		memset(&machine, 0, sizeof(machine));
		error = read_tree(dtb);
	}
	if (error && machine.m_nmem == 0)
		panic("no device tree at 0x%llx", (unsigned long long)dtb);
	cmdline_init(machine.m_cmdline);
	/* What goes wrong from here on can be said. */
	run_inits(0, INIT_TTY);
	vm_init();
	cpu_init_emergency();
	if (machine.m_notes[0] != '\0')
		kprintf("%s", machine.m_notes);
	intr_init();
	thread_init();
	time_init();
	/* Interrupts, and errors that are reported late (SError). */
	__asm__ volatile("msr daifclr, #6" : : : "memory");
	if (thread_create("main", start, NULL) == NULL)
		panic("no memory for a thread");
	thread_exit();
}
