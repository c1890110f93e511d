/* SPDX-License-Identifier: ISC */
/*
 * The command `devices`: what each device offered, what was asked and accepted, and why the rest was not.
 */
#include <errno.h>
#include <string.h>

#include <paravane/virtq.h>

#include "pci.h"
#include "shell.h"
#include "tty.h"
#include "virtiovar.h"

static void
feature_show(const struct virtio_dev *vg, unsigned bit, bool accepted)
{
	const struct pv_negotiation *ng =
	    pv_virtio_negotiation(&vg->vg_virtio);
	const char *name = pv_virtio_feature_name(&vg->vg_virtio, bit);

	if (name != NULL)
		tty_printf(" %c%s", accepted ? '+' : '-', name);
	else
		tty_printf(" %c%u", accepted ? '+' : '-', bit);
	if (!accepted)
		tty_printf("(%s)", pv_feature_why_name(ng->ng_why[bit]));
}

static void
features_show(const struct virtio_dev *vg)
{
	const struct pv_negotiation *ng =
	    pv_virtio_negotiation(&vg->vg_virtio);
	unsigned bit;

	tty_printf("    offered 0x%llx, asked 0x%llx, accepted 0x%llx, "
	    "%u %s\n   ", (unsigned long long)ng->ng_offered,
	    (unsigned long long)ng->ng_asked,
	    (unsigned long long)ng->ng_accepted, ng->ng_tries,
	    ng->ng_tries == 1 ? "try" : "tries");
	for (bit = 0; bit < 64; bit++)
		if (ng->ng_accepted & PV_F_BIT(bit))
			feature_show(vg, bit, true);
	for (bit = 0; bit < 64; bit++)
		if (((ng->ng_offered | ng->ng_asked) & ~ng->ng_accepted) &
		    PV_F_BIT(bit))
			feature_show(vg, bit, false);
	tty_printf("\n");
}

static void
queues_show(const struct virtio_dev *vg)
{
	const struct pv_virtio *dev = &vg->vg_virtio;
	const struct pv_virtq_counters *qc;
	unsigned i;

	for (i = 0; i < PV_MAXQUEUES && i < dev->vd_nqueues; i++) {
		const struct pv_virtq *vq = dev->vd_queues[i];

		if (vq == NULL)
			continue;
		qc = pv_virtq_counters(vq);
		tty_printf("    queue %u %s: %u entries, %u outstanding, "
		    "%llu in, %llu used, %llu doorbells, %llu interrupts",
		    i, pv_virtq_name(vq), pv_virtq_size(vq),
		    pv_virtq_outstanding(vq),
		    (unsigned long long)qc->qc_enqueued,
		    (unsigned long long)qc->qc_used,
		    (unsigned long long)qc->qc_doorbells,
		    (unsigned long long)qc->qc_interrupts);
		if (qc->qc_full != 0)
			tty_printf(", %llu times full",
			    (unsigned long long)qc->qc_full);
		if (qc->qc_clamped != 0)
			tty_printf(", %llu lengths clamped",
			    (unsigned long long)qc->qc_clamped);
		tty_printf("\n");
	}
}

static void
state_show(struct virtio_dev *vg)
{
	const char *why = pv_virtio_broken(&vg->vg_virtio);
	const struct pv_virtio *dev = &vg->vg_virtio;

	tty_printf("    interrupts: %s; %llu taken, %llu config, "
	    "%llu spurious, %llu found by polling; DMA %scoherent\n",
	    virtio_intr_name(vg), (unsigned long long)dev->vd_nintr,
	    (unsigned long long)dev->vd_nconfig,
	    (unsigned long long)dev->vd_nspurious,
	    (unsigned long long)vg->vg_polled, vg->vg_coherent ? "" : "non-");
	if (why != NULL)
		tty_printf("    broken: %s\n", why);
	if (dev->vd_nresets > 1 || vg->vg_nbroken != 0)
		tty_printf("    %llu resets, broken %llu times\n",
		    (unsigned long long)dev->vd_nresets,
		    (unsigned long long)vg->vg_nbroken);
}

static void
device_show(struct virtio_dev *vg)
{
	char buf[96];

	virtio_describe(vg, buf, sizeof(buf));
	tty_printf("%s: %s\n", vg->vg_name, buf);
	if (!vg->vg_attached) {
		if (vg->vg_error == ENODEV)
			tty_printf("    no driver for this type\n");
		else
			tty_printf("    not attached, error %d (%s)\n",
			    vg->vg_error, strerror(vg->vg_error));
		return;
	}
	features_show(vg);
	queues_show(vg);
	state_show(vg);
}

static int
cmd_devices(int argc, char **argv)
{
	struct virtio_dev *vg;

	if (argc > 2)
		return shell_usage(argv[0]);
	if (argc == 2) {
		vg = virtio_find(argv[1]);
		if (vg == NULL) {
			tty_printf("devices: no %s\n", argv[1]);
			return ENXIO;
		}
		device_show(vg);
		return 0;
	}
	for (vg = virtio_next(NULL); vg != NULL; vg = virtio_next(vg))
		device_show(vg);
	if (virtio_next(NULL) == NULL)
		tty_printf("no virtio device was found\n");
	return 0;
}
COMMAND(devices, cmd_devices, "devices [name]",
    "virtio devices: features and why, queues, interrupts");
