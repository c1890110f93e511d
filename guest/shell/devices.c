/* SPDX-License-Identifier: ISC */
/* What there is, and what was agreed on with it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <paravane/net.h>

#include "disk.h"
#include "disk_guest.h"
#include "net_guest.h"
#include "pci.h"
#include "shell.h"
#include "tty.h"
#include "virtio_guest.h"

static const char *
bit_name(const struct pv_virtio *dev, unsigned int bit, char *buf, size_t len)
{
	const char *name = pv_virtio_feature_name(dev, bit);

	if (name != NULL)
		return name;
	(void)snprintf(buf, len, "bit%u", bit);
	return buf;
}

/* Where the rows of a list stand, and what begins one. */
#define INDENT	12

static unsigned int
begin(const char *what)
{
	unsigned int len = (unsigned int)strlen(what);

	tty_printf("  %-9s", what);
	return 2 + (len < 9 ? 9 : len);
}

/* "  offered   0000000130000020 MAC STATUS ..." */
static void
show_features(const struct pv_virtio *dev, const char *what, uint64_t features)
{
	unsigned int bit, column = begin(what);
	char buf[16];

	tty_item(&column, INDENT, " %016llx", (unsigned long long)features);
	for (bit = 0; bit < 64; bit++)
		if (features >> bit & 1)
			tty_item(&column, INDENT, " %s",
			    bit_name(dev, bit, buf, sizeof(buf)));
	tty_printf("\n");
}

/* What is not in use though one side knows it, and why. */
static void
show_dropped(const struct pv_virtio *dev, const struct pv_negotiation *ng)
{
	uint64_t dropped = (ng->ng_offered | ng->ng_asked) & ~ng->ng_accepted;
	unsigned int bit, column;
	char buf[16];

	if (dropped == 0)
		return;
	column = begin("dropped");
	for (bit = 0; bit < 64; bit++)
		if (dropped >> bit & 1)
			tty_item(&column, INDENT, " -%s(%s)",
			    bit_name(dev, bit, buf, sizeof(buf)),
			    pv_feature_why_name(ng->ng_why[bit]));
	tty_printf("\n");
}

static void
show_queue(const struct pv_virtq *vq)
{
	/* A row may wait for a slow console, and a reset free the queue. */
	struct pv_virtq_counters qc;
	unsigned int column;
	char what[16], text[80];

	pv_virtq_counters(vq, &qc);
	(void)snprintf(text, sizeof(text), " %s: %u entries, %u outstanding,",
	    pv_virtq_name(vq), pv_virtq_size(vq), pv_virtq_outstanding(vq));
	(void)snprintf(what, sizeof(what), "queue %u", pv_virtq_index(vq));
	column = begin(what);
	tty_item(&column, INDENT, "%s", text);
	tty_item(&column, INDENT, " %lu in, %lu used,", qc.qc_enqueued,
	    qc.qc_used);
	tty_item(&column, INDENT, " %lu doorbells, %lu interrupts",
	    qc.qc_doorbells, qc.qc_interrupts);
	if (qc.qc_clamped > 0 || qc.qc_full > 0)
		tty_item(&column, INDENT, ", %lu clamped, %lu times full",
		    qc.qc_clamped, qc.qc_full);
	if (qc.qc_again > 0)
		tty_item(&column, INDENT, ", %lu rung again", qc.qc_again);
	tty_printf("\n");
}

static void
show_net(const struct virtio_dev *vg)
{
	struct pv_net *net = net_driver(vg->vg_driver.vd_net);
	struct pv_net_counters nc;
	unsigned int column;
	char buf[80];

	pv_net_counters(net, PV_NET_ALL_QUEUES, &nc);
	tty_printf("  net       %s\n", net_describe(vg->vg_driver.vd_net, buf,
	    sizeof(buf)));
	column = begin("frames");
	tty_item(&column, INDENT, " out %lu (%lu bytes, %lu too long),",
	    nc.nc_tx_frames, nc.nc_tx_bytes, nc.nc_tx_toolong);
	tty_item(&column, INDENT, " in %lu (%lu bytes, %lu too long, %lu bad)",
	    nc.nc_rx_frames, nc.nc_rx_bytes, nc.nc_rx_oversize,
	    nc.nc_rx_errors);
	tty_printf("\n");
}

static void
show_gpu(const struct pv_gpu *gpu)
{
	struct pv_gpu_geometry gg;
	const struct pv_gpu_counters *gc = pv_gpu_counters(gpu);
	unsigned int column = begin("display");

	pv_gpu_geometry(gpu, &gg);
	tty_item(&column, INDENT, " %u x %u, %llu commands,", gg.gg_width,
	    gg.gg_height, (unsigned long long)gc->gc_commands);
	tty_item(&column, INDENT, " %llu flushes, %llu pixels,",
	    (unsigned long long)gc->gc_flushes,
	    (unsigned long long)gc->gc_pixels);
	tty_item(&column, INDENT, " %llu resizes, %llu errors",
	    (unsigned long long)gc->gc_resizes,
	    (unsigned long long)gc->gc_errors);
	tty_printf("\n");
}

static void
show_disk(const char *name)
{
	struct disk_info di;
	unsigned int pos = 0;

	/* Opened it would be waited for. */
	while (disk_next(&pos, &di))
		if (strcmp(di.di_name, name) == 0)
			tty_printf("  disk      %s, %llu bytes, %s%s\n", name,
			    (unsigned long long)di.di_size, di.di_writeback ?
			    "write-back" : "write-through", di.di_readonly ?
			    ", read-only" : "");
}

static void
show_driver(const struct virtio_dev *vg)
{
	const struct pv_console *con = &vg->vg_driver.vd_console;

	switch (vg->vg_type) {
	case PV_TYPE_NET:
		show_net(vg);
		break;
	case PV_TYPE_GPU:
		show_gpu(&vg->vg_driver.vd_gpu);
		break;
	case PV_TYPE_CONSOLE:
		tty_printf("  bytes     out %llu, in %llu\n",
		    (unsigned long long)con->sc_out,
		    (unsigned long long)con->sc_in);
		break;
	case PV_TYPE_BLK:
		show_disk(vblk_disk(vg->vg_driver.vd_blk));
		break;
	default:
		break;
	}
}

static void
show_virtio(const struct virtio_dev *vg)
{
	const struct pv_virtio *dev = &vg->vg_virtio;
	const struct pv_negotiation *ng = pv_virtio_negotiation(dev);
	unsigned int i, column;

	show_features(dev, "offered", ng->ng_offered);
	show_features(dev, "asked", ng->ng_asked);
	show_features(dev, "accepted", ng->ng_accepted);
	show_dropped(dev, ng);
	for (i = 0; i <= PV_MAXQUEUES; i++)
		if (vg->vg_attached && dev->vd_queues[i] != NULL)
			show_queue(dev->vd_queues[i]);
	column = begin("interrupts");
	tty_item(&column, INDENT, " %s: %llu, of them %llu of configuration,",
	    virtio_intr_name(vg), (unsigned long long)dev->vd_nintr,
	    (unsigned long long)dev->vd_nconfig);
	tty_item(&column, INDENT, " %llu spurious; %llu found by polling",
	    (unsigned long long)dev->vd_nspurious,
	    (unsigned long long)vg->vg_polled);
	tty_printf("\n");
	tty_printf("  resets    %llu, %u to agree; broken %llu times\n",
	    (unsigned long long)dev->vd_nresets, ng->ng_tries,
	    (unsigned long long)vg->vg_nbroken);
}

static void
show_device(struct virtio_dev *vg)
{
	const char *type = pv_virtio_type_name(vg->vg_type), *why;
	char buf[96];

	virtio_describe(vg, buf, sizeof(buf));
	tty_printf("%s: %s, type %u (%s), %scoherent\n", vg->vg_name, buf,
	    vg->vg_type, type != NULL ? type : "unknown",
	    vg->vg_coherent ? "" : "not ");
	if (!vg->vg_attached && vg->vg_error == ENODEV)
		tty_printf("  no driver for this type\n");
	else if (!vg->vg_attached)
		tty_printf("  not running, error %d\n", vg->vg_error);
	if (!vg->vg_ready)
		return;
	why = pv_virtio_broken(&vg->vg_virtio);
	if (why != NULL)
		tty_printf("  broken: %s\n", why);
	show_virtio(vg);
	if (vg->vg_attached)
		show_driver(vg);
}

static int
show_devices(void)
{
	struct virtio_dev *vg;

	if (virtio_next(NULL) == NULL)
		tty_printf("no virtio device\n");
	for (vg = virtio_next(NULL); vg != NULL; vg = virtio_next(vg)) {
		if (tty_interrupted())
			return EINTR;
		show_device(vg);
	}
	return 0;
}

static int
cmd_devices(int argc, char **argv)
{
	struct virtio_dev *vg;
	int error = 0;

	if (argc > 2)
		return shell_usage(argv[0]);
	/* None is taken out while it is shown. */
	if (pci_hold() != 0)
		return EBUSY;
	if (argc == 1)
		error = show_devices();
	else if ((vg = virtio_find(argv[1])) != NULL)
		show_device(vg);
	else {
		tty_printf("devices: there is no `%s'\n", argv[1]);
		error = ENXIO;
	}
	pci_drop();
	return error;
}
COMMAND(devices, cmd_devices, "devices [NAME]",
    "the virtio devices: transport, features, queues, interrupts");
