/* SPDX-License-Identifier: ISC */
/*
 * The registry of virtio devices, and the thread that looks after them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmdline.h"
#include "cpu.h"
#include "dma.h"
#include "init.h"
#include "intr.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "machine.h"
#include "pci.h"
#include "thread.h"
#include "virtiovar.h"
#include "vm.h"

#define POLL_FAST_NS	(1 * NS_PER_MS)		/* no interrupts: this is all there is */
#define POLL_SLOW_NS	(50 * NS_PER_MS)	/* behind interrupts */
#define RESCAN_EARLY_NS	(100 * NS_PER_MS)	/* devices appear late, most of them soon */
#define RESCAN_LATE_NS	(2 * NS_PER_S)
#define EARLY_NS	(10 * NS_PER_S)
#define QUIET_LOOKS	3			/* at PCI without a find: start-up is over */
#define MAX_BROKEN	8			/* then a device is given up */
#define RESET_NS	(1 * NS_PER_S)

static struct virtio_dev *devs, **devs_tail = &devs;
static struct event wake;
static bool saying;		/* who comes is announced */
static unsigned quiet_looks;
static struct log_limit plug_log;	/* of those that come and go */

struct virtio_dev *
virtio_next(struct virtio_dev *vg)
{
	return vg == NULL ? devs : vg->vg_next;
}

struct virtio_dev *
virtio_find(const char *name)
{
	struct virtio_dev *vg;

	for (vg = devs; vg != NULL; vg = vg->vg_next)
		if (strcmp(vg->vg_name, name) == 0)
			return vg;
	return NULL;
}

struct virtio_dev *
virtio_find_type(unsigned type, unsigned n)
{
	struct virtio_dev *vg;

	for (vg = devs; vg != NULL; vg = vg->vg_next)
		if (vg->vg_type == type && vg->vg_attached && n-- == 0)
			return vg;
	return NULL;
}

static const struct pv_transport_ops *
transport_ops(const struct virtio_dev *vg)
{
	return vg->vg_pci != NULL ? &pv_pci_transport : &pv_mmio_transport;
}

static void *
transport_of(struct virtio_dev *vg)
{
	if (vg->vg_pci != NULL)
		return &vg->vg_transport.vt_pci;
	return &vg->vg_transport.vt_mmio;
}

void
virtio_describe(struct virtio_dev *vg, char *buf, size_t len)
{
	if (vg->vg_gone)
		snprintf(buf, len, "taken out");
	else
		transport_ops(vg)->to_describe(transport_of(vg), buf, len);
}

const char *
virtio_intr_name(const struct virtio_dev *vg)
{
	switch (vg->vg_virtio.vd_intr_mode) {
	case PV_INTR_MODE_PER_QUEUE:
		return "MSI-X, one a queue";
	case PV_INTR_MODE_SHARED:
		return "MSI-X, shared";
	case PV_INTR_MODE_LINE:
		return vg->vg_pci != NULL ? "INTx" : "line";
	case PV_INTR_MODE_POLL:
		return "polling";
	case PV_INTR_MODE_NONE:
		break;
	}
	return "none";
}

static void
dev_say(struct virtio_dev *vg)
{
	char buf[96];

	virtio_describe(vg, buf, sizeof(buf));
	kprintf("%s: %s, %s\n", vg->vg_name, buf, vg->vg_attached ?
	    virtio_intr_name(vg) : "no driver runs it");
}

void
virtio_say(void)
{
	struct virtio_dev *vg;

	for (vg = devs; vg != NULL; vg = vg->vg_next)
		dev_say(vg);
	saying = true;
}

void
virtio_wake(void)
{
	event_signal(&wake);
}

/*
 * One that was taken out leaves its name, and its place, to the next of its
 * type.
 */
static struct virtio_dev *
dev_reuse(unsigned type)
{
	struct virtio_dev *vg, *next;
	char name[sizeof(vg->vg_name)];

	for (vg = devs; vg != NULL; vg = vg->vg_next)
		if (vg->vg_gone && vg->vg_type == type)
			break;
	if (vg == NULL)
		return NULL;
	next = vg->vg_next;
	memcpy(name, vg->vg_name, sizeof(name));
	memset(vg, 0, sizeof(*vg));
	vg->vg_next = next;
	vg->vg_listed = true;
	memcpy(vg->vg_name, name, sizeof(name));
	return vg;
}

static struct virtio_dev *
dev_named(unsigned type)
{
	struct virtio_dev *vg = kzalloc(sizeof(*vg)), *other;
	const char *kind = pv_virtio_type_name(type);
	unsigned n = 0;

	if (vg == NULL)
		return NULL;
	for (other = devs; other != NULL; other = other->vg_next)
		if (other->vg_type == type)
			n++;
	if (kind == NULL)
		snprintf(vg->vg_name, sizeof(vg->vg_name), "virtio%u.%u", type,
		    n);
	else
		snprintf(vg->vg_name, sizeof(vg->vg_name), "%s%u", kind, n);
	return vg;
}

static struct virtio_dev *
dev_new(unsigned type, bool coherent)
{
	struct virtio_dev *vg = dev_reuse(type);

	if (vg == NULL)
		vg = dev_named(type);
	if (vg == NULL)
		return NULL;
	vg->vg_type = type;
	vg->vg_coherent = coherent && !cmdline_is("dma", "noncoherent");
	vg->vg_dmat = vg->vg_coherent ? &dma_tag_coherent :
	    &dma_tag_noncoherent;
	return vg;
}

/* From here on it is listed, whatever becomes of it. */
static void
dev_add(struct virtio_dev *vg)
{
	if (!vg->vg_listed) {
		*devs_tail = vg;
		devs_tail = &vg->vg_next;
		vg->vg_listed = true;
	}
	vg->vg_error = virtio_attach(vg);
	if (saying && log_may(&plug_log))
		dev_say(vg);
	/* What it has made ready begins, before the next one. */
	thread_yield();
}

static void
dev_master(struct virtio_dev *vg, bool on)
{
	if (vg->vg_pci != NULL)
		pci_master(vg->vg_pci, on);
}

static int
dev_attach(struct virtio_dev *vg)
{
	const struct virtio_driver *vr = virtio_driver_of(vg->vg_type);
	int error;

	/*
	 * A reset, also of what no driver takes: firmware may have left it
	 * running.
	 */
	error = pv_virtio_init(&vg->vg_virtio, transport_ops(vg),
	    transport_of(vg), vg->vg_type, vg->vg_dmat, vg->vg_name, NULL,
	    NULL);
	vg->vg_ready = error == 0;
	if (error != 0)
		return error;
	if (vr == NULL)
		return ENODEV;
	dev_master(vg, true);
	vg->vg_changed = false;
	vg->vg_broken = false;
	error = vr->vr_attach(vg);
	if (error != 0) {
		klog(LOG_ERR, "%s: the driver doesn't attach, error %d",
		    vg->vg_name, error);
		dev_master(vg, false);
		return error;
	}
	vg->vg_attached = true;
	return 0;
}

int
virtio_attach(struct virtio_dev *vg)
{
	int error;

	if (vg->vg_gone)
		return ENXIO;
	if (vg->vg_attached || vg->vg_busy)
		return EBUSY;
	vg->vg_busy = true;
	error = dev_attach(vg);
	vg->vg_busy = false;
	return error;
}

int
virtio_detach(struct virtio_dev *vg)
{
	int error;

	if (!vg->vg_attached)
		return ENXIO;
	vg->vg_attached = false;
	vg->vg_busy = true;
	error = virtio_driver_of(vg->vg_type)->vr_detach(vg);
	/* If it did not confirm its reset, this is what keeps it off memory. */
	dev_master(vg, false);
	vg->vg_busy = false;
	return error;
}

/* One that was made for nothing: its place stays if it had one. */
static void
dev_drop(struct virtio_dev *vg)
{
	vg->vg_pci = NULL;
	vg->vg_gone = true;
	vg->vg_error = ENXIO;
	if (!vg->vg_listed)
		kfree(vg);
}

static bool
pci_found(struct pci_dev *pd)
{
	unsigned type = pv_pci_match(pd->pd_id, pd->pd_subsystem);
	struct virtio_dev *vg;

	if (type == 0)
		return false;
	vg = dev_new(type, pci_coherent(pd));
	if (vg == NULL)
		return false;
	pd->pd_owner = vg;
	vg->vg_pci = pd;
	pci_enable(pd);
	if (pv_pci_attach(&vg->vg_transport.vt_pci, &virtio_pci_ops, vg,
	    vg->vg_name) != 0) {
		/* It has said why. Left as it is, quiet. */
		pci_release(pd);
		pd->pd_owner = NULL;
		dev_drop(vg);
		return true;
	}
	dev_add(vg);
	return true;
}

/* It goes: its driver lets go of it, whatever is under way. */
static void
pci_ejected(struct pci_dev *pd)
{
	struct virtio_dev *vg = pd->pd_owner;
	int error;

	if (vg == NULL) {
		pci_release(pd);
		return;
	}
	/* Another thread has it just now: bounded, as resets are. */
	while (vg->vg_busy)
		thread_sleep(NS_PER_MS);
	error = virtio_detach(vg);
	/* Nobody attaches it again. */
	vg->vg_gone = true;
	if (error != 0 && error != ENXIO && !pd->pd_gone)
		klog_some(&plug_log, LOG_WARN,
		    "%s: its driver ends with error %d", vg->vg_name, error);
	pv_pci_detach(&vg->vg_transport.vt_pci);
	pci_release(pd);
	vg->vg_ready = false;
	klog_some(&plug_log, LOG_INFO, "%s: taken out%s", vg->vg_name,
	    pd->pd_gone ? " by surprise" : "");
	dev_drop(vg);
}

static struct pci_driver pci_driver = {
	.pr_attach = pci_found,
	.pr_detach = pci_ejected,
};

static void
mmio_found(const struct machine_mmio *mm)
{
	volatile void *va = vm_map_device(mm->mm_base, mm->mm_size);
	struct pv_mmio probe;
	struct virtio_dev *vg;

	if (va == NULL)
		return;
	/* The type isn't known before, and most places are empty. */
	if (pv_mmio_attach(&probe, 0, (bus_space_handle_t)va, mm->mm_size,
	    &virtio_mmio_ops, NULL, "virtio-mmio") != 0) {
		vm_unmap_device(va, mm->mm_size);
		return;
	}
	vg = dev_new(probe.mm_type, mm->mm_coherent);
	pv_mmio_detach(&probe);
	if (vg == NULL)
		return;
	vg->vg_node = mm;
	if (pv_mmio_attach(&vg->vg_transport.vt_mmio, 0, (bus_space_handle_t)va,
	    mm->mm_size, &virtio_mmio_ops, vg, vg->vg_name) == 0)
		dev_add(vg);
}

/* A device that broke is brought up again, unless it does nothing else. */
static void
dev_service(struct virtio_dev *vg)
{
	const struct virtio_driver *vr = virtio_driver_of(vg->vg_type);
	const char *why;
	int error;

	if (vg->vg_broken && vr->vr_restart != NULL) {
		why = pv_virtio_broken(&vg->vg_virtio);
		vg->vg_broken = false;
		vg->vg_nbroken++;
		klog(LOG_ERR, "%s: broken: %s", vg->vg_name,
		    why != NULL ? why : "?");
		if (vg->vg_nbroken > MAX_BROKEN) {
			klog(LOG_ERR, "%s: given up", vg->vg_name);
			return;
		}
		error = vr->vr_restart(vg);
		klog(error != 0 ? LOG_ERR : LOG_INFO, error != 0 ?
		    "%s: not up again, error %d" : "%s: up again",
		    vg->vg_name, error);
	}
	if (vg->vg_changed && vr->vr_changed != NULL) {
		vg->vg_changed = false;
		vr->vr_changed(vg);
	}
}

/*
 * Does what an interrupt would have done. Every interrupt of a device comes to
 * this CPU.
 */
static void
dev_poll(struct virtio_dev *vg)
{
	uint64_t daif = intr_disable();

	if (pv_virtio_poll(&vg->vg_virtio) != 0)
		vg->vg_polled++;
	intr_restore(daif);
}

static uint64_t
devs_service(void)
{
	struct virtio_dev *vg;
	uint64_t next = POLL_SLOW_NS;

	for (vg = devs; vg != NULL; vg = vg->vg_next) {
		if (!vg->vg_attached)
			continue;
		if (vg->vg_virtio.vd_intr_mode == PV_INTR_MODE_POLL)
			next = POLL_FAST_NS;
		if (!vg->vg_nopoll)
			dev_poll(vg);
		dev_service(vg);
	}
	return next;
}

/*
 * Devices may come one by one when the guest has been up for a while, so that
 * none says that the others are there. They belong to start-up until nothing
 * more has come.
 */
static void
look_note(unsigned found)
{
	if (quiet_looks == QUIET_LOOKS)
		return;
	quiet_looks = found != 0 ? 0 : quiet_looks + 1;
	if (uptime_ns() >= EARLY_NS)
		quiet_looks = QUIET_LOOKS;
	if (quiet_looks == QUIET_LOOKS)
		init_release();
}

/* What has come or gone on PCI; how long until it is looked at again. */
static uint64_t
buses_service(uint64_t *rescan)
{
	uint64_t now = uptime_ns(), next;
	bool look = now >= *rescan;
	unsigned found;

	found = pci_service(&next);
	if (look) {
		found += pci_rescan();
		*rescan = now + (now < EARLY_NS ? RESCAN_EARLY_NS :
		    RESCAN_LATE_NS);
	}
	if (found != 0)
		pci_attach();
	if (look || found != 0)
		look_note(found);
	return next > now + POLL_FAST_NS ? next - now : POLL_FAST_NS;
}

static void
virtio_thread(void *arg)
{
	uint64_t rescan = uptime_ns() + RESCAN_EARLY_NS, wait, slots;

	(void)arg;
	for (;;) {
		wait = devs_service();
		slots = buses_service(&rescan);
		event_wait(&wake, slots < wait ? slots : wait);
	}
}

static void
virtio_init(void)
{
	unsigned i;

	pci_on_event(virtio_wake);
	pci_register(&pci_driver);
	pci_attach();
	for (i = 0; i < machine.m_nmmio; i++)
		mmio_found(&machine.m_mmio[i]);
	if (machine.m_nhosts == 0)
		quiet_looks = QUIET_LOOKS;
	else
		init_hold();
	if (thread_create("virtio", virtio_thread, NULL) == NULL) {
		if (machine.m_nhosts != 0)
			init_release();
		klog(LOG_ERR, "virtio: no thread: lost interrupts stay lost");
	}
}
INIT(INIT_DEVICE, virtio_init);

/*
 * Without the drivers: nothing of theirs is touched, so that it is right in a
 * panic.
 */
static void
dev_reset(struct virtio_dev *vg)
{
	const struct pv_transport_ops *ops = transport_ops(vg);
	uint64_t end = uptime_ns() + RESET_NS;
	uint8_t status;

	ops->to_status_write(transport_of(vg), 0);
	do {
		status = ops->to_status_read(transport_of(vg));
		if (status == 0 || status == 0xff)
			return;
		delay_us(10);
	} while (uptime_ns() < end);
}

void
virtio_quiesce(void)
{
	struct virtio_dev *vg;

	for (vg = devs; vg != NULL; vg = vg->vg_next)
		if (vg->vg_ready)
			dev_reset(vg);
	pci_quiesce();
}
