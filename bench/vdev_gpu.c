/* SPDX-License-Identifier: ISC */
/*
 * A display: resources and pictures as a host keeps them.
 */
#include <stdlib.h>
#include <string.h>

#include "vdev.h"
#include "wire.h"

#define CONTROLQ	0
#define CURSORQ		1

#define G(n)	PV_F_BIT(PV_GPU_F_##n)

#define FEATURES	(G(VIRGL) | G(EDID) | G(RESOURCE_UUID) |	      \
			G(RESOURCE_BLOB) | G(CONTEXT_INIT))

#define HDRLEN		24
#define INFO_LEN	(HDRLEN + 16 * 24)

#define CMD_INFO	0x0100
#define CMD_CREATE	0x0101
#define CMD_UNREF	0x0102
#define CMD_SCANOUT	0x0103
#define CMD_FLUSH	0x0104
#define CMD_TRANSFER	0x0105
#define CMD_ATTACH	0x0106
#define CMD_DETACH	0x0107
#define CMD_EDID	0x010a
#define CMD_LAST	0x010d
#define CMD_CURSOR	0x0300
#define CMD_CURSOR_LAST	0x0301

#define OK_NODATA	0x1100
#define OK_INFO		0x1101
#define OK_EDID		0x1104
#define ERR_UNSPEC	0x1200
#define ERR_SCANOUT	0x1202
#define ERR_RESOURCE	0x1203
#define ERR_PARAMETER	0x1205

static const struct fake_field fields[] = {
	{ 0, 4, 1, 0, -1 },		/* events_read */
	{ 4, 4, 1, 1, -1 },		/* events_clear */
	{ 8, 4, 2, 0, -1 },		/* num_scanouts, num_capsets */
};

static void
checksum(uint8_t *block)
{
	uint8_t sum = 0;
	unsigned int i;

	for (i = 0; i < 127; i++)
		sum = (uint8_t)(sum + block[i]);
	block[127] = (uint8_t)-sum;
}

static void
config_written(struct fake_dev *fd, unsigned int off)
{
	uint32_t events = (uint32_t)wire_get(fd->fd_config, 4);
	uint32_t clear = (uint32_t)wire_get(fd->fd_config + 4, 4);

	if (off != 4 || (clear & ~events) != 0)
		strict_broken(STRICT_GPU_EVENTS, "0x%x of 0x%x at %u", clear,
		    events, off);
	wire_put(fd->fd_config, 4, events & ~clear);
	wire_put(fd->fd_config + 4, 4, 0);
}

static const char *
lent(struct fake_dev *fd, bus_addr_t addr, bus_size_t len)
{
	const struct vdev *vd = fd->fd_data;
	const struct vdev_resource *vr = vd->vd_gpu.vg_res;
	unsigned int i, e;

	for (i = 0; i < VDEV_MAXRES; i++, vr++)
		for (e = 0; e < vr->vr_nentries; e++)
			if (addr < vr->vr_entries[e].addr +
			    vr->vr_entries[e].len &&
			    vr->vr_entries[e].addr < addr + len)
				return "the backing of a resource";
	return NULL;
}

static void
gpu_init(struct vdev *vd)
{
	struct vdev_gpu *vg = &vd->vd_gpu;
	uint32_t config[4] = { 0, 0, wire32(1), 0 };

	fake_config_set(vd->vd_dev, 0, config, sizeof(config));
	vd->vd_dev->fd_config_written = config_written;
	vd->vd_dev->fd_lent = lent;
	if (vdev_has(vd, Q_NO_EDID))
		vd->vd_dev->fd_features &= ~FEATURES;
	vg->vg_modes[0].w = 64 + 4 * vdev_random(vd, 40);
	vg->vg_modes[0].h = 48 + vdev_random(vd, 100);
	vg->vg_modes[0].enabled = 1;
	memcpy(vg->vg_edid, "\0\xff\xff\xff\xff\xff\xff\0", 8);
	checksum(vg->vg_edid);
}

static struct vdev_resource *
find(struct vdev *vd, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < VDEV_MAXRES; i++)
		if (vd->vd_gpu.vg_res[i].vr_id == id)
			return &vd->vd_gpu.vg_res[i];
	return NULL;
}

/* A resource that a command names; NULL, and said, if there is none. */
static struct vdev_resource *
named(struct vdev *vd, uint32_t id)
{
	struct vdev_resource *vr = id != 0 ? find(vd, id) : NULL;

	if (vr == NULL)
		strict_broken(STRICT_GPU_RESOURCE, "%u does not exist", id);
	return vr;
}

static void
drop(struct vdev_resource *vr)
{
	free(vr->vr_pixels);
	free(vr->vr_entries);
	memset(vr, 0, sizeof(*vr));
}

static void
gpu_reset(struct vdev *vd)
{
	unsigned int i;

	for (i = 0; i < VDEV_MAXRES; i++)
		drop(&vd->vd_gpu.vg_res[i]);
	vd->vd_gpu.vg_scanout_res = 0;
}

static int
inside(const struct vdev_resource *vr, const uint32_t *rect)
{
	return rect[2] != 0 && rect[3] != 0 && rect[0] <= vr->vr_w &&
	    rect[2] <= vr->vr_w - rect[0] && rect[1] <= vr->vr_h &&
	    rect[3] <= vr->vr_h - rect[1];
}

static uint64_t
backed(const struct vdev_resource *vr)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < vr->vr_nentries; i++)
		n += vr->vr_entries[i].len;
	return n;
}

/* What a host has been given as backing it may look at at any time. */
static void
judge_held(struct vdev *vd)
{
	unsigned int i, e;
	struct vdev_resource *vr;

	for (i = 0; i < VDEV_MAXRES; i++) {
		vr = &vd->vd_gpu.vg_res[i];
		for (e = 0; e < vr->vr_nentries; e++)
			if (port_dma_kva(vr->vr_entries[e].addr,
			    vr->vr_entries[e].len) == NULL) {
				strict_broken(STRICT_GPU_HELD, "resource %u",
				    vr->vr_id);
				vr->vr_nentries = 0;
			}
	}
}

static uint32_t
create(struct vdev *vd, const uint32_t *p)
{
	static const uint8_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134 };
	struct vdev_resource *vr = find(vd, 0);

	if (p[0] == 0 || find(vd, p[0]) != NULL) {
		strict_broken(STRICT_GPU_RESOURCE, "%u is created", p[0]);
		return ERR_RESOURCE;
	}
	if (p[1] > 134 || memchr(formats, (int)p[1], sizeof(formats)) == NULL ||
	    p[2] == 0 || p[3] == 0 || p[2] > 16384 || p[3] > 16384) {
		strict_broken(STRICT_GPU_FORMAT, "%u, %u x %u", p[1], p[2],
		    p[3]);
		return ERR_PARAMETER;
	}
	if (vr == NULL)
		return 0x1201;
	vr->vr_id = p[0];
	vr->vr_w = p[2];
	vr->vr_h = p[3];
	vr->vr_pixels = calloc((size_t)p[2] * p[3], 4);
	return OK_NODATA;
}

static uint32_t
attach(struct vdev *vd, const struct fake_chain *fc, const uint32_t *p)
{
	struct vdev_resource *vr = named(vd, p[0]);
	size_t want = 16 * (size_t)p[1];
	uint32_t i;

	if (vr == NULL)
		return ERR_RESOURCE;
	if (vr->vr_nentries != 0 || p[1] == 0 || p[1] > VDEV_MAXENTRIES ||
	    fc->fc_outlen != 32 + want) {
		strict_broken(STRICT_GPU_BACKING, "%u entries in %llu bytes, "
		    "over %u", p[1], (unsigned long long)fc->fc_outlen,
		    vr->vr_nentries);
		return ERR_UNSPEC;
	}
	vr->vr_entries = malloc(want);
	fake_chain_read(fc, 32, vr->vr_entries, want);
	vr->vr_nentries = p[1];
	for (i = 0; i < p[1]; i++) {
		vr->vr_entries[i].addr = wire64(vr->vr_entries[i].addr);
		vr->vr_entries[i].len = wire32(vr->vr_entries[i].len);
	}
	if (backed(vr) < 4ull * vr->vr_w * vr->vr_h)
		strict_broken(STRICT_GPU_BACKING, "%llu bytes for %u x %u",
		    (unsigned long long)backed(vr), vr->vr_w, vr->vr_h);
	judge_held(vd);
	return OK_NODATA;
}

static void
backing_read(const struct vdev_resource *vr, uint64_t off, void *to,
    size_t len)
{
	uint32_t e;
	size_t n;

	for (e = 0; e < vr->vr_nentries && len > 0; e++) {
		if (off >= vr->vr_entries[e].len) {
			off -= vr->vr_entries[e].len;
			continue;
		}
		n = vr->vr_entries[e].len - (size_t)off;
		if (n > len)
			n = len;
		port_dma_read(vr->vr_entries[e].addr + off, to, n);
		to = (char *)to + n;
		len -= n;
		off = 0;
	}
}

static uint32_t
transfer(struct vdev *vd, const uint32_t *p)
{
	struct vdev_resource *vr = named(vd, p[6]);
	uint64_t off = p[4] | (uint64_t)p[5] << 32, last;
	uint32_t row;

	if (vr == NULL)
		return ERR_RESOURCE;
	last = off + 4ull * ((uint64_t)(p[3] - 1) * vr->vr_w + p[2]);
	if (!inside(vr, p) || last > backed(vr) || last < off) {
		strict_broken(STRICT_GPU_TRANSFER, "%u, %u + %u, %u at %llu",
		    p[0], p[1], p[2], p[3], (unsigned long long)off);
		return ERR_PARAMETER;
	}
	for (row = 0; row < p[3]; row++)
		backing_read(vr, off + 4ull * row * vr->vr_w,
		    &vr->vr_pixels[(size_t)(p[1] + row) * vr->vr_w + p[0]],
		    4 * (size_t)p[2]);
	return OK_NODATA;
}

static uint32_t
scanout(struct vdev *vd, const uint32_t *p)
{
	struct vdev_resource *vr;
	uint32_t n;

	n = (uint32_t)wire_get(vd->vd_dev->fd_config + 8, 4);
	if (p[4] >= n) {
		strict_broken(STRICT_GPU_SCANOUT, "scanout %u of %u", p[4], n);
		return ERR_SCANOUT;
	}
	if (p[5] == 0) {
		vd->vd_gpu.vg_scanout_res = 0;
		return OK_NODATA;
	}
	vr = named(vd, p[5]);
	if (vr == NULL)
		return ERR_RESOURCE;
	if (!inside(vr, p)) {
		strict_broken(STRICT_GPU_SCANOUT, "%u, %u + %u, %u of %u x %u",
		    p[0], p[1], p[2], p[3], vr->vr_w, vr->vr_h);
		return ERR_PARAMETER;
	}
	vd->vd_gpu.vg_scanout_res = p[5];
	return OK_NODATA;
}

static uint32_t
flush(struct vdev *vd, const uint32_t *p)
{
	struct vdev_resource *vr = named(vd, p[4]);

	if (vr == NULL)
		return ERR_RESOURCE;
	if (!inside(vr, p)) {
		strict_broken(STRICT_GPU_FLUSH, "%u, %u + %u, %u of %u x %u",
		    p[0], p[1], p[2], p[3], vr->vr_w, vr->vr_h);
		return ERR_PARAMETER;
	}
	memcpy(vd->vd_gpu.vg_flushed, p, 16);
	vd->vd_gpu.vg_flushes++;
	return OK_NODATA;
}

static uint32_t
unref(struct vdev *vd, const uint32_t *p, int detach)
{
	struct vdev_resource *vr = named(vd, p[0]);

	if (vr == NULL)
		return ERR_RESOURCE;
	if (!detach) {
		if (vd->vd_gpu.vg_scanout_res == p[0])
			vd->vd_gpu.vg_scanout_res = 0;
		drop(vr);
		return OK_NODATA;
	}
	if (vr->vr_nentries == 0) {
		strict_broken(STRICT_GPU_BACKING, "resource %u has none", p[0]);
		return ERR_UNSPEC;
	}
	free(vr->vr_entries);
	vr->vr_entries = NULL;
	vr->vr_nentries = 0;
	return OK_NODATA;
}

/* What each command's request has to be long, and its answer at least. */
static void
lengths(uint32_t type, size_t *out, size_t *in)
{
	static const uint8_t request[] = { 24, 40, 32, 48, 48, 56, 32, 32, 0, 0,
	    32 };

	*out = type <= CMD_EDID ? request[type - CMD_INFO] : HDRLEN;
	*in = type == CMD_INFO ? INFO_LEN : type == CMD_EDID ? 32 + 1024 :
	    HDRLEN;
}

static uint32_t
run(struct vdev *vd, const struct fake_chain *fc, uint32_t type,
    const uint32_t *p, uint8_t *answer, uint32_t *len)
{
	uint32_t modes[16 * 6];

	switch (type) {
	case CMD_INFO:
		memcpy(modes, vd->vd_gpu.vg_modes, sizeof(modes));
		wire32_all(modes, 16 * 6);
		memcpy(answer + HDRLEN, modes, sizeof(modes));
		*len = INFO_LEN;
		return OK_INFO;
	case CMD_CREATE:
		return create(vd, p);
	case CMD_UNREF:
		return unref(vd, p, 0);
	case CMD_SCANOUT:
		return scanout(vd, p);
	case CMD_FLUSH:
		return flush(vd, p);
	case CMD_TRANSFER:
		return transfer(vd, p);
	case CMD_ATTACH:
		return attach(vd, fc, p);
	case CMD_DETACH:
		return unref(vd, p, 1);
	default:
		wire_put(answer + HDRLEN, 4, 128);
		memcpy(answer + 32, vd->vd_gpu.vg_edid, 1024);
		*len = 32 + 1024;
		return OK_EDID;
	}
}

/* Whether the request can be run; says what is wrong with it. */
static int
good_request(struct vdev *vd, unsigned int queue, const struct fake_chain *fc,
    uint32_t type, const uint8_t *request)
{
	size_t out, in;
	uint32_t flags;

	if (fc->fc_outlen < HDRLEN || fc->fc_inlen < HDRLEN) {
		strict_broken(STRICT_GPU_HEADER, "%llu bytes, answer %llu",
		    (unsigned long long)fc->fc_outlen,
		    (unsigned long long)fc->fc_inlen);
		return 0;
	}
	if (queue != (type >= CMD_CURSOR && type <= CMD_CURSOR_LAST)) {
		strict_broken(STRICT_GPU_QUEUE, "command 0x%x on %u", type,
		    queue);
		return 0;
	}
	if (queue == CURSORQ)
		return 1;
	if (type < CMD_INFO || type > CMD_EDID || type == 0x108 ||
	    type == 0x109 ||
	    (type == CMD_EDID && !fake_has(vd->vd_dev, PV_GPU_F_EDID))) {
		strict_broken(STRICT_GPU_FEATURE, "command 0x%x", type);
		return 0;
	}
	lengths(type, &out, &in);
	flags = (uint32_t)wire_get(request + 4, 4);
	if (type == CMD_INFO && fc->fc_inlen < in) {
		strict_broken(STRICT_GPU_INFO_ROOM, "%llu bytes",
		    (unsigned long long)fc->fc_inlen);
		if (vdev_has(vd, Q_INFO_ROOM))
			fake_needs_reset(vd->vd_dev);
		return 0;
	}
	if ((type != CMD_ATTACH && fc->fc_outlen != out) ||
	    fc->fc_outlen < out || fc->fc_inlen < in || (flags & ~1u) != 0) {
		strict_broken(STRICT_GPU_HEADER, "command 0x%x: %llu bytes, "
		    "answer %llu, flags 0x%x", type,
		    (unsigned long long)fc->fc_outlen,
		    (unsigned long long)fc->fc_inlen, flags);
		return 0;
	}
	return 1;
}

static void
gpu_take(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	uint8_t request[64] = { 0 }, answer[2048] = { 0 };
	uint32_t type, len = HDRLEN, p[10];

	vd->vd_gpu.vg_commands++;
	fake_chain_read(fc, 0, request, sizeof(request));
	type = (uint32_t)wire_get(request, 4);
	memcpy(p, request + HDRLEN, sizeof(p));
	wire32_all(p, sizeof(p) / sizeof(p[0]));
	judge_held(vd);
	if (!good_request(vd, queue, fc, type, request))
		type = ERR_UNSPEC;
	else if (queue == CURSORQ)
		type = OK_NODATA;
	else
		type = run(vd, fc, type, p, answer, &len);
	if (request[4] & 1)
		memcpy(answer + 4, request + 4, 12);
	wire_put(answer, 4, type);
	len = (uint32_t)fake_chain_write(fc, 0, answer, len);
	vdev_push(vd, queue, fc, len);
}

void
vdev_gpu_resize(struct vdev *vd, uint32_t w, uint32_t h)
{
	uint32_t event = wire32(1);

	vd->vd_gpu.vg_modes[0].w = w;
	vd->vd_gpu.vg_modes[0].h = h;
	fake_config_change(vd->vd_dev, 0, &event, 4);
}

uint32_t
vdev_gpu_pixel(struct vdev *vd, uint32_t x, uint32_t y)
{
	struct vdev_resource *vr = vd->vd_gpu.vg_scanout_res == 0 ? NULL :
	    find(vd, vd->vd_gpu.vg_scanout_res);

	if (vr == NULL || x >= vr->vr_w || y >= vr->vr_h)
		return 0xdddddddd;
	return wire32(vr->vr_pixels[(size_t)y * vr->vr_w + x]);
}

const struct vdev_type vdev_gpu_type = {
	.vt_type = PV_TYPE_GPU,
	.vt_queues = 2,
	.vt_known = FEATURES,
	.vt_fields = fields,
	.vt_nfields = sizeof(fields) / sizeof(fields[0]),
	.vt_init = gpu_init,
	.vt_take = gpu_take,
	.vt_reset = gpu_reset,
};
