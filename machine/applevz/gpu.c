/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple's display device: one scanout, 2D commands, no EDID. A question for
 * the display's information with room for less than the whole answer makes
 * it ask for its reset. With `x-is-alpha` the unused byte of a pixel is
 * composited over black, as one bring-up saw it.
 */

#include "qemu/osdep.h"
#include "hw/applevz/virtio.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/virtio-gpu.h"
#include "qapi/error.h"
#include "qemu/iov.h"
#include "ui/console.h"

#define TYPE_APPLEVZ_GPU	"applevz-gpu-device"
OBJECT_DECLARE_SIMPLE_TYPE(AppleVZGPU, APPLEVZ_GPU)

/* struct virtio_gpu_resp_display_info, 16 modes. */
#define DISPLAY_INFO	408

struct AppleVZGPU {
	VirtIOGPU ag_gpu;
	bool ag_x_is_alpha;
	bool ag_cursor_said;
};

static const VirtIOGPUClass *
gpu_parent(void)
{
	return VIRTIO_GPU_CLASS(object_class_by_name(TYPE_VIRTIO_GPU));
}

static void
compose(VirtIOGPU *g, const struct virtio_gpu_transfer_to_host_2d *t)
{
	struct virtio_gpu_simple_resource *res;
	uint32_t *row, x, y, stride;

	QTAILQ_FOREACH(res, &g->reslist, next) {
		if (res->resource_id == t->resource_id)
			break;
	}
	if (res == NULL || res->image == NULL ||
	    res->format != VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM ||
	    t->r.x > res->width || t->r.width > res->width - t->r.x ||
	    t->r.y > res->height || t->r.height > res->height - t->r.y)
		return;
	row = pixman_image_get_data(res->image);
	stride = pixman_image_get_stride(res->image) / 4;
	for (y = t->r.y; y < t->r.y + t->r.height; y++) {
		for (x = t->r.x; x < t->r.x + t->r.width; x++) {
			uint32_t p = row[y * stride + x], a = p >> 24;

			row[y * stride + x] = 0xff000000 |
			    (p >> 16 & 0xff) * a / 255 << 16 |
			    (p >> 8 & 0xff) * a / 255 << 8 |
			    (p & 0xff) * a / 255;
		}
	}
}

static void
gpu_command(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
	VirtIODevice *vdev = VIRTIO_DEVICE(g);
	AppleVZGPU *a = APPLEVZ_GPU(g);
	struct virtio_gpu_transfer_to_host_2d t = { 0 };
	size_t room = iov_size(cmd->elem.in_sg, cmd->elem.in_num);
	uint32_t type;

	iov_to_buf(cmd->elem.out_sg, cmd->elem.out_num, 0, &t, sizeof(t));
	type = le32_to_cpu(t.hdr.type);
	if (!a->ag_cursor_said && !virtio_queue_enabled(vdev, 1)) {
		applevz_violation("gpu", "the cursor queue is not configured");
		a->ag_cursor_said = true;
	}
	if (type == VIRTIO_GPU_CMD_GET_DISPLAY_INFO && room < DISPLAY_INFO) {
		applevz_violation("gpu", "room for %zu of the %d bytes of"
		    " display information: DEVICE_NEEDS_RESET", room,
		    DISPLAY_INFO);
		applevz_needs_reset(vdev);
		return;
	}
	if (type != VIRTIO_GPU_CMD_GET_DISPLAY_INFO &&
	    (type < VIRTIO_GPU_CMD_RESOURCE_CREATE_2D ||
	    type > VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING))
		applevz_violation("gpu", "command 0x%x is none of the 2D ones",
		    type);
	gpu_parent()->process_cmd(g, cmd);
	if (a->ag_x_is_alpha && type == VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D &&
	    cmd->error == 0) {
		t.resource_id = le32_to_cpu(t.resource_id);
		t.r.x = le32_to_cpu(t.r.x);
		t.r.y = le32_to_cpu(t.r.y);
		t.r.width = le32_to_cpu(t.r.width);
		t.r.height = le32_to_cpu(t.r.height);
		compose(g, &t);
	}
}

static void
gpu_reset(VirtIODevice *vdev)
{
	APPLEVZ_GPU(vdev)->ag_cursor_said = false;
	VIRTIO_DEVICE_CLASS(gpu_parent())->reset(vdev);
}

static char *
size_get(Object *obj, Error **errp)
{
	struct virtio_gpu_requested_state *r = &VIRTIO_GPU(
	    APPLEVZ_VIRTIO(obj)->vp_vdev)->parent_obj.req_state[0];

	return g_strdup_printf("%ux%u", r->width, r->height);
}

/* The host's window was resized. */
static void
size_set(Object *obj, const char *value, Error **errp)
{
	QemuUIInfo info = { 0 };

	if (sscanf(value, "%ux%u", &info.width, &info.height) != 2 ||
	    info.width == 0 || info.height == 0) {
		error_setg(errp, "size is WIDTHxHEIGHT");
		return;
	}
	dpy_set_ui_info(VIRTIO_GPU(APPLEVZ_VIRTIO(obj)->vp_vdev)->
	    parent_obj.scanout[0].con, &info, false);
}

static Property gpu_properties[] = {
	DEFINE_PROP_BOOL("x-is-alpha", AppleVZGPU, ag_x_is_alpha, false),
	DEFINE_PROP_END_OF_LIST(),
};

static void
gpu_device_class(ObjectClass *oc, void *data)
{
	device_class_set_props(DEVICE_CLASS(oc), gpu_properties);
	VIRTIO_GPU_CLASS(oc)->process_cmd = gpu_command;
	VIRTIO_DEVICE_CLASS(oc)->reset = gpu_reset;
}

static void
gpu_finish(AppleVZVirtio *s)
{
	QemuConsole *con = VIRTIO_GPU(s->vp_vdev)->parent_obj.scanout[0].con;

	object_property_set_link(OBJECT(con), "device", OBJECT(s),
	    &error_abort);
}

static void
gpu_init(Object *obj)
{
	AppleVZVirtio *s = APPLEVZ_VIRTIO(obj);

	object_property_set_bool(OBJECT(s->vp_vdev), "edid", false,
	    &error_abort);
	object_property_add_str(obj, "size", size_get, size_set);
}

static void
gpu_pci_class(ObjectClass *oc, void *data)
{
	AppleVZVirtioClass *c = APPLEVZ_VIRTIO_CLASS(oc);

	c->vc_who = "gpu";
	c->vc_device = TYPE_APPLEVZ_GPU;
	c->vc_class = 0x0380;
	c->vc_vectors = 3;
	c->vc_finish = gpu_finish;
	DEVICE_CLASS(oc)->hotpluggable = false;
	set_bit(DEVICE_CATEGORY_DISPLAY, DEVICE_CLASS(oc)->categories);
}

static const TypeInfo gpu_types[] = {
	{
		.name = TYPE_APPLEVZ_GPU,
		.parent = TYPE_VIRTIO_GPU,
		.instance_size = sizeof(AppleVZGPU),
		.class_init = gpu_device_class,
	},
	{
		.name = "applevz-gpu",
		.parent = TYPE_APPLEVZ_VIRTIO,
		.instance_size = sizeof(AppleVZVirtio),
		.instance_init = gpu_init,
		.class_init = gpu_pci_class,
	},
};

DEFINE_TYPES(gpu_types)
