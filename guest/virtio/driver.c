/* SPDX-License-Identifier: ISC */
/*
 * The library's drivers, each tied to the part of the guest that uses it:
 * network, display, consoles, entropy.
 */
#include <errno.h>
#include <string.h>

#include "cmdline.h"
#include "console.h"
#include "disk_guest.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "net_guest.h"
#include "thread.h"
#include "user.h"
#include "virtiovar.h"

static void
note_changed(void *arg)
{
	struct virtio_dev *vg = arg;

	vg->vg_changed = true;
	virtio_wake();
}

static void
note_broken(void *arg, const char *why)
{
	struct virtio_dev *vg = arg;

	(void)why;
	vg->vg_broken = true;
	virtio_wake();
}

/*
 * Network: guest/net has its own callbacks, and brings broken devices up
 * itself.
 */

static int
net_driver_attach(struct virtio_dev *vg)
{
	return net_attach(&vg->vg_virtio, vg->vg_dmat, vg->vg_name,
	    &vg->vg_driver.vd_net);
}

static int
net_driver_detach(struct virtio_dev *vg)
{
	return net_detach(vg->vg_driver.vd_net);
}

/* Disks: guest/disk likewise. */

static int
blk_driver_attach(struct virtio_dev *vg)
{
	return vblk_attach(&vg->vg_virtio, vg->vg_dmat, vg->vg_name,
	    &vg->vg_driver.vd_blk);
}

static int
blk_driver_detach(struct virtio_dev *vg)
{
	return vblk_detach(vg->vg_driver.vd_blk);
}

/* Display */

static void
gpu_revoke(void *arg, unsigned int generation)
{
	struct virtio_dev *vg = arg;

	user_display_revoke(&vg->vg_driver.vd_gpu, generation);
}

static int
gpu_attach(struct virtio_dev *vg)
{
	static const struct pv_gpu_callbacks cb = {
		.gc_changed = note_changed,
		.gc_revoke = gpu_revoke,
		.gc_broken = note_broken,
	};
	struct pv_gpu *gpu = &vg->vg_driver.vd_gpu;
	struct pv_gpu_params params;
	int error;

	memset(&params, 0, sizeof(params));
	params.gp_maxseg = cmdline_get_number("segsize", 0) &
	    ~(uint64_t)PAGE_MASK;
	params.gp_heads = FBCON_HEADS;
	params.gp_colour = fbcon_colour();
	params.gp_nowait = 1;
	error = pv_gpu_attach(gpu, &vg->vg_virtio, &cb, vg, &params);
	if (error != 0)
		return error;
	error = fbcon_attach(gpu, params.gp_colour != 0);
	if (error != 0)
		klog(LOG_DEBUG, "%s: no text console, error %d", vg->vg_name,
		    error);
	user_display_attach(gpu);
	return 0;
}

/* Another one takes its place, if there is one. */
static void
gpu_succeed(void)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_GPU, 0);

	if (vg == NULL)
		return;
	(void)fbcon_attach(&vg->vg_driver.vd_gpu, 0);
	user_display_attach(&vg->vg_driver.vd_gpu);
}

/*
 * EBUSY only while a program maps the display, which user_display_detach has
 * ended.
 */
static int
gpu_detach(struct virtio_dev *vg)
{
	struct pv_gpu *gpu = &vg->vg_driver.vd_gpu;

	display_lock();
	fbcon_detach(gpu);
	user_display_detach(gpu);
	display_unlock();
	gpu_succeed();
	return pv_gpu_detach(gpu);
}

static void
gpu_changed(struct virtio_dev *vg)
{
	struct pv_gpu *gpu = &vg->vg_driver.vd_gpu;
	int changed;

	display_lock();
	changed = pv_gpu_changed(gpu);
	if (changed == 1)
		fbcon_changed(gpu);
	display_unlock();
	if (changed == 1)
		user_display_changed(gpu);
	if (changed < 0)
		klog_some(&vg->vg_log, LOG_WARN,
		    "%s: the display changed, error %d", vg->vg_name,
		    -changed);
}

static int
gpu_restart(struct virtio_dev *vg)
{
	struct pv_gpu *gpu = &vg->vg_driver.vd_gpu;
	int error;

	display_lock();
	error = pv_gpu_stop(gpu);
	if (error == 0)
		error = pv_gpu_start(gpu);
	display_unlock();
	if (error == 0)
		fbcon_repaint(gpu);
	return error;
}

/* Console */

static void
console_note(void *arg)
{
	(void)arg;
	vcon_kick();
}

static int
console_attach(struct virtio_dev *vg)
{
	static const struct pv_console_callbacks cb = {
		.cc_input = console_note,
		.cc_room = console_note,
		.cc_broken = note_broken,
	};
	struct pv_console *con = &vg->vg_driver.vd_console;
	int error;

	error = pv_console_attach(con, &vg->vg_virtio, &cb, vg);
	if (error != 0)
		return error;
	error = vcon_attach(con);
	if (error != 0)
		pv_console_detach(con);
	return error;
}

static int
console_detach(struct virtio_dev *vg)
{
	vcon_detach(&vg->vg_driver.vd_console);
	return pv_console_detach(&vg->vg_driver.vd_console);
}

static int
console_restart(struct virtio_dev *vg)
{
	struct pv_console *con = &vg->vg_driver.vd_console;
	int error;

	console_lock();
	error = pv_console_stop(con);
	if (error == 0)
		error = pv_console_start(con);
	console_unlock();
	vcon_kick();
	return error;
}

/* Entropy */

#define ENTROPY_LOOKS	50	/* for the host's answer, 10 ms apart */

static struct event entropy_event;

static void
entropy_ready(void *arg)
{
	(void)arg;
	event_signal(&entropy_event);
}

static int
entropy_attach(struct virtio_dev *vg)
{
	static const struct pv_entropy_callbacks cb = {
		.ec_ready = entropy_ready,
		.ec_broken = note_broken,
	};

	return pv_entropy_attach(&vg->vg_driver.vd_entropy, &vg->vg_virtio,
	    &cb, vg);
}

static int
entropy_detach(struct virtio_dev *vg)
{
	return pv_entropy_detach(&vg->vg_driver.vd_entropy);
}

static int
entropy_restart(struct virtio_dev *vg)
{
	int error = pv_entropy_stop(&vg->vg_driver.vd_entropy);

	return error != 0 ? error : pv_entropy_start(&vg->vg_driver.vd_entropy);
}

size_t
virtio_entropy(void *buf, size_t len)
{
	struct virtio_dev *vg = virtio_find_type(PV_TYPE_ENTROPY, 0);
	struct pv_entropy *sc;
	unsigned int looks;
	int n;

	if (vg == NULL)
		return 0;
	sc = &vg->vg_driver.vd_entropy;
	/* A host that stops the machine for a while costs one of them. */
	for (looks = 0; looks < ENTROPY_LOOKS; looks++) {
		/*
		 * Before the request: a late answer to an earlier one is as
		 * good.
		 */
		n = pv_entropy_read(sc, buf, len);
		if (n != 0)
			break;
		if (pv_entropy_request(sc) != 0)
			return 0;
		event_wait(&entropy_event, 10 * NS_PER_MS);
	}
	return n > 0 ? (size_t)n : 0;
}

static const struct virtio_driver drivers[] = {
	{ PV_TYPE_NET, net_driver_attach, net_driver_detach, NULL, NULL },
	{ PV_TYPE_BLK, blk_driver_attach, blk_driver_detach, NULL, NULL },
	{ PV_TYPE_GPU, gpu_attach, gpu_detach, gpu_changed, gpu_restart },
	{ PV_TYPE_CONSOLE, console_attach, console_detach, NULL,
	    console_restart },
	{ PV_TYPE_ENTROPY, entropy_attach, entropy_detach, NULL,
	    entropy_restart },
};

const struct virtio_driver *
virtio_driver_of(unsigned type)
{
	size_t i;

	for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i].vr_type == type)
			return &drivers[i];
	return NULL;
}
