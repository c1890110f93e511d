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
#define CMD_CAPSET_INFO	0x0108
#define CMD_CAPSET	0x0109
#define CMD_EDID	0x010a
#define CMD_UUID	0x010b
#define CMD_BLOB	0x010c
#define CMD_SCANOUT_BLOB 0x010d
#define CMD_CTX_CREATE	0x0200
#define CMD_CTX_DESTROY	0x0201
#define CMD_CTX_ATTACH	0x0202
#define CMD_CTX_DETACH	0x0203
#define CMD_CREATE_3D	0x0204
#define CMD_TO_HOST_3D	0x0205
#define CMD_FROM_HOST_3D 0x0206
#define CMD_SUBMIT	0x0207
#define CMD_MAP		0x0208
#define CMD_UNMAP	0x0209
#define CMD_CURSOR	0x0300
#define CMD_MOVE	0x0301

#define FLAG_FENCE	1u
#define FLAG_RING	2u

#define OK_NODATA	0x1100
#define OK_INFO		0x1101
#define OK_CAPSET_INFO	0x1102
#define OK_CAPSET	0x1103
#define OK_EDID		0x1104
#define OK_UUID		0x1105
#define OK_MAP		0x1106
#define ERR_UNSPEC	0x1200
#define ERR_SCANOUT	0x1202
#define ERR_RESOURCE	0x1203
#define ERR_CONTEXT	0x1204
#define ERR_PARAMETER	0x1205

/* A command, its request's length and its answer's; 0: more may follow. */
static const struct command {
	uint32_t type;
	int feature;			/* that it needs; -1: none */
	uint16_t out, in;
	int more;			/* something follows the request */
} commands[] = {
	{ CMD_INFO, -1, 24, INFO_LEN, 0 },
	{ CMD_CREATE, -1, 40, 24, 0 },
	{ CMD_UNREF, -1, 32, 24, 0 },
	{ CMD_SCANOUT, -1, 48, 24, 0 },
	{ CMD_FLUSH, -1, 48, 24, 0 },
	{ CMD_TRANSFER, -1, 56, 24, 0 },
	{ CMD_ATTACH, -1, 32, 24, 1 },
	{ CMD_DETACH, -1, 32, 24, 0 },
	{ CMD_CAPSET_INFO, PV_GPU_F_VIRGL, 32, 40, 0 },
	{ CMD_CAPSET, PV_GPU_F_VIRGL, 32, 24, 0 },
	{ CMD_EDID, PV_GPU_F_EDID, 32, 32 + 1024, 0 },
	{ CMD_UUID, PV_GPU_F_RESOURCE_UUID, 32, 40, 0 },
	{ CMD_BLOB, PV_GPU_F_RESOURCE_BLOB, 56, 24, 1 },
	{ CMD_SCANOUT_BLOB, PV_GPU_F_RESOURCE_BLOB, 96, 24, 0 },
	{ CMD_CTX_CREATE, PV_GPU_F_VIRGL, 96, 24, 0 },
	{ CMD_CTX_DESTROY, PV_GPU_F_VIRGL, 24, 24, 0 },
	{ CMD_CTX_ATTACH, PV_GPU_F_VIRGL, 32, 24, 0 },
	{ CMD_CTX_DETACH, PV_GPU_F_VIRGL, 32, 24, 0 },
	{ CMD_CREATE_3D, PV_GPU_F_VIRGL, 72, 24, 0 },
	{ CMD_TO_HOST_3D, PV_GPU_F_VIRGL, 72, 24, 0 },
	{ CMD_FROM_HOST_3D, PV_GPU_F_VIRGL, 72, 24, 0 },
	{ CMD_SUBMIT, PV_GPU_F_VIRGL, 32, 24, 1 },
	{ CMD_MAP, PV_GPU_F_RESOURCE_BLOB, 40, 32, 0 },
	{ CMD_UNMAP, PV_GPU_F_RESOURCE_BLOB, 32, 24, 0 },
	{ CMD_CURSOR, -1, 56, 24, 0 },
	{ CMD_MOVE, -1, 56, 24, 0 },
};

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
	memset(vd->vd_gpu.vg_heads, 0, sizeof(vd->vd_gpu.vg_heads));
	memset(vd->vd_gpu.vg_contexts, 0, sizeof(vd->vd_gpu.vg_contexts));
	memset(vd->vd_gpu.vg_timelines, 0, sizeof(vd->vd_gpu.vg_timelines));
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

static int
is_format(uint32_t format)
{
	static const uint8_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134 };

	return format <= 134 &&
	    memchr(formats, (int)format, sizeof(formats)) != NULL;
}

static uint32_t
create(struct vdev *vd, const uint32_t *p)
{
	struct vdev_resource *vr = find(vd, 0);

	if (p[0] == 0 || find(vd, p[0]) != NULL) {
		strict_broken(STRICT_GPU_RESOURCE, "%u is created", p[0]);
		return ERR_RESOURCE;
	}
	if (!is_format(p[1]) || p[2] == 0 || p[3] == 0 || p[2] > 16384 || p[3] > 16384) {
		strict_broken(STRICT_GPU_FORMAT, "%u, %u x %u", p[1], p[2],
		    p[3]);
		return ERR_PARAMETER;
	}
	if (vr == NULL)
		return 0x1201;
	vr->vr_id = p[0];
	vr->vr_format = p[1];
	vr->vr_w = p[2];
	vr->vr_h = p[3];
	vr->vr_pixels = calloc((size_t)p[2] * p[3], 4);
	return OK_NODATA;
}

/* The entries that follow the first off bytes of a request. */
static int
take_entries(const struct fake_chain *fc, struct vdev_resource *vr,
    uint32_t off, uint32_t n)
{
	size_t want = 16 * (size_t)n;
	uint32_t i;

	if (vr->vr_nentries != 0 || n == 0 || n > VDEV_MAXENTRIES ||
	    fc->fc_outlen != off + want) {
		strict_broken(STRICT_GPU_BACKING, "%u entries in %llu bytes, "
		    "over %u", n, (unsigned long long)fc->fc_outlen,
		    vr->vr_nentries);
		return 0;
	}
	vr->vr_entries = malloc(want);
	fake_chain_read(fc, off, vr->vr_entries, want);
	vr->vr_nentries = n;
	for (i = 0; i < n; i++) {
		vr->vr_entries[i].addr = wire64(vr->vr_entries[i].addr);
		vr->vr_entries[i].len = wire32(vr->vr_entries[i].len);
	}
	return 1;
}

static uint32_t
attach(struct vdev *vd, const struct fake_chain *fc, const uint32_t *p)
{
	struct vdev_resource *vr = named(vd, p[0]);

	if (vr == NULL)
		return ERR_RESOURCE;
	if (!take_entries(fc, vr, 32, p[1]))
		return ERR_UNSPEC;
	if (vr->vr_kind == VDEV_2D && backed(vr) < 4ull * vr->vr_w * vr->vr_h)
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

/* The head that a scanout's command names, or NULL. */
static struct vdev_head *
head_of(struct vdev *vd, uint32_t i, enum strict_rule rule)
{
	uint32_t n = (uint32_t)wire_get(vd->vd_dev->fd_config + 8, 4);

	if (i < n)
		return &vd->vd_gpu.vg_heads[i];
	strict_broken(rule, "scanout %u of %u", i, n);
	return NULL;
}

/* p: a rectangle, a scanout, a resource; and for a blob what it is. */
static uint32_t
scanout(struct vdev *vd, const uint32_t *p, int blob)
{
	struct vdev_head *vh = head_of(vd, p[4], STRICT_GPU_SCANOUT);
	struct vdev_resource *vr;

	if (vh == NULL)
		return ERR_SCANOUT;
	vh->vh_res = 0;
	if (p[5] == 0)
		return OK_NODATA;
	vr = named(vd, p[5]);
	if (vr == NULL)
		return ERR_RESOURCE;
	if (blob) {
		if (vr->vr_kind != VDEV_BLOB || !is_format(p[8]) ||
		    p[10] < 4 * p[6] || p[6] > 16384 || p[7] > 16384 ||
		    p[14] + (uint64_t)p[10] * p[7] > vr->vr_size) {
			strict_broken(STRICT_GPU_BLOB, "%u x %u of %llu bytes",
			    p[6], p[7], (unsigned long long)vr->vr_size);
			return ERR_PARAMETER;
		}
		free(vr->vr_pixels);
		vr->vr_pixels = calloc((size_t)p[6] * p[7], 4);
		vr->vr_w = p[6];
		vr->vr_h = p[7];
		vr->vr_format = p[8];
	}
	if (!inside(vr, p) || (vr->vr_kind == VDEV_BLOB) != blob) {
		strict_broken(STRICT_GPU_SCANOUT, "%u, %u + %u, %u of %u x %u",
		    p[0], p[1], p[2], p[3], vr->vr_w, vr->vr_h);
		return ERR_PARAMETER;
	}
	vh->vh_res = p[5];
	memcpy(vh->vh_rect, p, sizeof(vh->vh_rect));
	return OK_NODATA;
}

/* A blob is looked at where it lies. */
static void
look(struct vdev_resource *vr, const uint32_t *p)
{
	uint32_t row;

	for (row = p[1]; row < p[1] + p[3]; row++)
		backing_read(vr, 4 * ((uint64_t)row * vr->vr_w + p[0]),
		    &vr->vr_pixels[(size_t)row * vr->vr_w + p[0]],
		    4 * (size_t)p[2]);
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
	if (vr->vr_kind == VDEV_BLOB)
		look(vr, p);
	return OK_NODATA;
}

static uint32_t
unref(struct vdev *vd, const uint32_t *p, int detach)
{
	struct vdev_resource *vr = named(vd, p[0]);
	unsigned int i;

	if (vr == NULL)
		return ERR_RESOURCE;
	if (!detach) {
		for (i = 0; i < VDEV_HEADS; i++)
			if (vd->vd_gpu.vg_heads[i].vh_res == p[0])
				vd->vd_gpu.vg_heads[i].vh_res = 0;
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

/* Blobs */

static uint32_t
create_blob(struct vdev *vd, const struct fake_chain *fc, const uint32_t *p)
{
	struct vdev_resource *vr = find(vd, 0);
	uint64_t size = p[6] | (uint64_t)p[7] << 32;

	if (p[0] == 0 || find(vd, p[0]) != NULL) {
		strict_broken(STRICT_GPU_RESOURCE, "%u is created", p[0]);
		return ERR_RESOURCE;
	}
	if (p[1] == 0 || p[1] > 3 || size == 0 || (p[2] & ~7u) != 0 ||
	    (p[1] != 1 && !fake_has(vd->vd_dev, PV_GPU_F_VIRGL)) ||
	    (p[1] == 2 && p[3] != 0)) {
		strict_broken(STRICT_GPU_BLOB, "kind %u, flags 0x%x, %llu "
		    "bytes, %u entries", p[1], p[2], (unsigned long long)size,
		    p[3]);
		return ERR_PARAMETER;
	}
	if (vr == NULL)
		return 0x1201;
	if (p[3] != 0 && !take_entries(fc, vr, 56, p[3]))
		return ERR_UNSPEC;
	vr->vr_id = p[0];
	vr->vr_kind = VDEV_BLOB;
	vr->vr_mem = p[1];
	vr->vr_size = size;
	if (p[3] != 0 && backed(vr) < size)
		strict_broken(STRICT_GPU_BLOB, "%llu bytes for %llu",
		    (unsigned long long)backed(vr), (unsigned long long)size);
	judge_held(vd);
	return OK_NODATA;
}

static uint32_t
map(struct vdev *vd, const uint32_t *p, int on, uint8_t *answer, uint32_t *len)
{
	struct vdev_resource *vr = named(vd, p[0]);
	uint64_t off = p[2] | (uint64_t)p[3] << 32;
	uint64_t room = vd->vd_gpu.vg_visible;

	if (vr == NULL)
		return ERR_RESOURCE;
	if (vr->vr_kind != VDEV_BLOB || vr->vr_mem != 2 ||
	    vr->vr_mapped == on ||
	    (on && (off > room || vr->vr_size > room - off))) {
		strict_broken(STRICT_GPU_MAP, "resource %u at 0x%llx of 0x%llx",
		    p[0], (unsigned long long)off, (unsigned long long)room);
		return ERR_PARAMETER;
	}
	vr->vr_mapped = on;
	if (!on)
		return OK_NODATA;
	wire_put(answer + HDRLEN, 4, PV_GPU_CACHE_WC);
	*len = HDRLEN + 8;
	return OK_MAP;
}

static uint32_t
uuid(struct vdev *vd, const uint32_t *p, uint8_t *answer, uint32_t *len)
{
	unsigned int i;

	if (named(vd, p[0]) == NULL)
		return ERR_RESOURCE;
	for (i = 0; i < 16; i++)
		answer[HDRLEN + i] = (uint8_t)(p[0] + i);
	*len = HDRLEN + 16;
	return OK_UUID;
}

/* Contexts */

static uint32_t
capset(struct vdev *vd, const struct fake_chain *fc, const uint32_t *p,
    int info, uint8_t *answer, uint32_t *len)
{
	uint32_t n = (uint32_t)wire_get(vd->vd_dev->fd_config + 12, 4), i;

	if (info ? p[0] >= n : p[0] == 0 || p[0] > n || p[1] > 1 ||
	    fc->fc_inlen < HDRLEN + VDEV_CAPSET) {
		strict_broken(STRICT_GPU_CAPSET, "%u of %u, version %u", p[0],
		    n, p[1]);
		return ERR_PARAMETER;
	}
	if (info) {
		wire_put(answer + HDRLEN, 4, p[0] + 1);
		wire_put(answer + HDRLEN + 4, 4, 1);
		wire_put(answer + HDRLEN + 8, 4, VDEV_CAPSET);
		*len = HDRLEN + 16;
		return OK_CAPSET_INFO;
	}
	for (i = 0; i < VDEV_CAPSET; i++)
		answer[HDRLEN + i] = (uint8_t)(i * 7 + p[0]);
	*len = HDRLEN + VDEV_CAPSET;
	return OK_CAPSET;
}

/* Where a context stands; -1 there is none. */
static int
context(const struct vdev *vd, uint32_t id)
{
	int i;

	for (i = 0; i < VDEV_CONTEXTS; i++)
		if (vd->vd_gpu.vg_contexts[i] == id)
			return i;
	return -1;
}

static uint32_t
ctx_create(struct vdev *vd, uint32_t ctx, const uint32_t *p)
{
	int i = context(vd, 0);

	if (ctx == 0 || context(vd, ctx) >= 0 || p[0] > 64 || (p[1] & 0xff &&
	    !fake_has(vd->vd_dev, PV_GPU_F_CONTEXT_INIT))) {
		strict_broken(STRICT_GPU_CONTEXT, "%u is created, for 0x%x, "
		    "a name of %u", ctx, p[1], p[0]);
		return ERR_CONTEXT;
	}
	if (i < 0)
		return 0x1201;
	vd->vd_gpu.vg_contexts[i] = ctx;
	memset(vd->vd_gpu.vg_timelines[i], 0,
	    sizeof(vd->vd_gpu.vg_timelines[i]));
	return OK_NODATA;
}

static uint32_t
create_3d(struct vdev *vd, const uint32_t *p)
{
	struct vdev_resource *vr = find(vd, 0);

	if (p[0] == 0 || find(vd, p[0]) != NULL) {
		strict_broken(STRICT_GPU_RESOURCE, "%u is created", p[0]);
		return ERR_RESOURCE;
	}
	if (vr == NULL)
		return 0x1201;
	vr->vr_id = p[0];
	vr->vr_kind = VDEV_3D;
	vr->vr_w = p[4];
	vr->vr_h = p[5];
	return OK_NODATA;
}

static uint32_t
submit(struct vdev *vd, const struct fake_chain *fc, const uint32_t *p)
{
	struct vdev_gpu *vg = &vd->vd_gpu;

	if (p[0] == 0 || fc->fc_outlen != 32 + (uint64_t)p[0]) {
		strict_broken(STRICT_GPU_CONTEXT, "a stream of %u bytes in "
		    "%llu", p[0], (unsigned long long)fc->fc_outlen);
		return ERR_PARAMETER;
	}
	vg->vg_streamlen = p[0];
	memset(vg->vg_stream, 0, sizeof(vg->vg_stream));
	fake_chain_read(fc, 32, vg->vg_stream, p[0] < sizeof(vg->vg_stream) ?
	    p[0] : sizeof(vg->vg_stream));
	return OK_NODATA;
}

/* Commands of contexts, all of which name one that exists. */
static uint32_t
run_3d(struct vdev *vd, const struct fake_chain *fc, uint32_t type,
    uint32_t ctx, const uint32_t *p)
{
	int i = context(vd, ctx);

	if (type == CMD_CTX_CREATE)
		return ctx_create(vd, ctx, p);
	if (ctx == 0 ? type != CMD_CREATE_3D : i < 0) {
		strict_broken(STRICT_GPU_CONTEXT, "%u does not exist", ctx);
		return ERR_CONTEXT;
	}
	switch (type) {
	case CMD_CTX_DESTROY:
		vd->vd_gpu.vg_contexts[i] = 0;
		return OK_NODATA;
	case CMD_CREATE_3D:
		return create_3d(vd, p);
	case CMD_SUBMIT:
		return submit(vd, fc, p);
	case CMD_TO_HOST_3D:
	case CMD_FROM_HOST_3D:
		return named(vd, p[8]) == NULL ? ERR_RESOURCE : OK_NODATA;
	default:
		return named(vd, p[0]) == NULL ? ERR_RESOURCE : OK_NODATA;
	}
}

/* Fences of one ring of a context ascend. */
static int
good_ring(struct vdev *vd, const uint8_t *request)
{
	uint32_t flags = (uint32_t)wire_get(request + 4, 4);
	uint64_t fence = wire_get(request + 8, 8), *last;
	int i = context(vd, (uint32_t)wire_get(request + 16, 4));
	unsigned int ring = request[20];

	if (!(flags & FLAG_RING) || i < 0)
		return 1;
	last = ring < PV_GPU_MAXRINGS ? &vd->vd_gpu.vg_timelines[i][ring] :
	    NULL;
	if (last == NULL || fence <= *last ||
	    !fake_has(vd->vd_dev, PV_GPU_F_CONTEXT_INIT)) {
		strict_broken(STRICT_GPU_RING, "fence %llu on ring %u",
		    (unsigned long long)fence, ring);
		return 0;
	}
	*last = fence;
	return 1;
}

/*
 * p: the head, its place, the image; of an update the hot spot. A move that
 * names no image hides it, as with QEMU.
 */
static uint32_t
cursor(struct vdev *vd, uint32_t type, const uint32_t *p)
{
	struct vdev_head *vh = head_of(vd, p[0], STRICT_GPU_CURSOR);
	struct vdev_resource *vr = p[4] != 0 ? find(vd, p[4]) : NULL;

	if (vh == NULL)
		return ERR_SCANOUT;
	vh->vh_x = p[1];
	vh->vh_y = p[2];
	if (type == CMD_MOVE) {
		if (p[4] == 0)
			vh->vh_cursor = 0;
		return OK_NODATA;
	}
	if (p[4] != 0 && (vr == NULL || vr->vr_w != 64 || vr->vr_h != 64 ||
	    p[5] >= 64 || p[6] >= 64)) {
		strict_broken(STRICT_GPU_CURSOR, "resource %u, hot spot %u, %u",
		    p[4], p[5], p[6]);
		return ERR_RESOURCE;
	}
	vh->vh_cursor = p[4];
	vh->vh_hot_x = p[5];
	vh->vh_hot_y = p[6];
	return OK_NODATA;
}

static uint32_t
info(struct vdev *vd, uint8_t *answer, uint32_t *len)
{
	uint32_t modes[16 * 6];

	memcpy(modes, vd->vd_gpu.vg_modes, sizeof(modes));
	wire32_all(modes, 16 * 6);
	memcpy(answer + HDRLEN, modes, sizeof(modes));
	*len = INFO_LEN;
	return OK_INFO;
}

static uint32_t
run(struct vdev *vd, const struct fake_chain *fc, uint32_t type, uint32_t ctx,
    const uint32_t *p, uint8_t *answer, uint32_t *len)
{
	switch (type) {
	case CMD_INFO:
		return info(vd, answer, len);
	case CMD_CREATE:
		return create(vd, p);
	case CMD_UNREF:
		return unref(vd, p, 0);
	case CMD_SCANOUT:
	case CMD_SCANOUT_BLOB:
		return scanout(vd, p, type == CMD_SCANOUT_BLOB);
	case CMD_FLUSH:
		return flush(vd, p);
	case CMD_TRANSFER:
		return transfer(vd, p);
	case CMD_ATTACH:
		return attach(vd, fc, p);
	case CMD_DETACH:
		return unref(vd, p, 1);
	case CMD_EDID:
		wire_put(answer + HDRLEN, 4, 128);
		memcpy(answer + 32, vd->vd_gpu.vg_edid, 1024);
		*len = 32 + 1024;
		return OK_EDID;
	case CMD_UUID:
		return uuid(vd, p, answer, len);
	case CMD_BLOB:
		return create_blob(vd, fc, p);
	case CMD_CAPSET_INFO:
	case CMD_CAPSET:
		return capset(vd, fc, p, type == CMD_CAPSET_INFO, answer, len);
	case CMD_MAP:
	case CMD_UNMAP:
		return map(vd, p, type == CMD_MAP, answer, len);
	case CMD_CURSOR:
	case CMD_MOVE:
		return cursor(vd, type, p);
	default:
		return run_3d(vd, fc, type, ctx, p);
	}
}

static const struct command *
command_of(uint32_t type)
{
	unsigned int i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].type == type)
			return &commands[i];
	return NULL;
}

/* Whether a request has its length, and room for its answer. */
static int
good_lengths(struct vdev *vd, const struct fake_chain *fc,
    const struct command *c, uint32_t flags)
{
	if (c->type == CMD_INFO && fc->fc_inlen < c->in) {
		strict_broken(STRICT_GPU_INFO_ROOM, "%llu bytes",
		    (unsigned long long)fc->fc_inlen);
		if (vdev_has(vd, Q_INFO_ROOM))
			fake_needs_reset(vd->vd_dev);
		return 0;
	}
	if ((!c->more && fc->fc_outlen != c->out) || fc->fc_outlen < c->out ||
	    fc->fc_inlen < c->in || (flags & ~(FLAG_FENCE | FLAG_RING)) != 0) {
		strict_broken(STRICT_GPU_HEADER, "command 0x%x: %llu bytes, "
		    "answer %llu, flags 0x%x", c->type,
		    (unsigned long long)fc->fc_outlen,
		    (unsigned long long)fc->fc_inlen, flags);
		return 0;
	}
	return 1;
}

/* Whether the request can be run; says what is wrong with it. */
static int
good_request(struct vdev *vd, unsigned int queue, const struct fake_chain *fc,
    uint32_t type, const uint8_t *request)
{
	const struct command *c = command_of(type);

	if (fc->fc_outlen < HDRLEN || fc->fc_inlen < HDRLEN) {
		strict_broken(STRICT_GPU_HEADER, "%llu bytes, answer %llu",
		    (unsigned long long)fc->fc_outlen,
		    (unsigned long long)fc->fc_inlen);
		return 0;
	}
	if (queue != (type == CMD_CURSOR || type == CMD_MOVE)) {
		strict_broken(STRICT_GPU_QUEUE, "command 0x%x on %u", type,
		    queue);
		return 0;
	}
	if (c == NULL || (c->feature >= 0 &&
	    !fake_has(vd->vd_dev, (unsigned int)c->feature))) {
		strict_broken(STRICT_GPU_FEATURE, "command 0x%x", type);
		return 0;
	}
	return good_lengths(vd, fc, c, (uint32_t)wire_get(request + 4, 4)) &&
	    good_ring(vd, request);
}

static void
gpu_take(struct vdev *vd, unsigned int queue, struct fake_chain *fc)
{
	static uint8_t answer[HDRLEN + PV_GPU_CAPSET_MAX];
	uint8_t request[96] = { 0 };
	uint32_t type, len = HDRLEN, p[18];

	memset(answer, 0, sizeof(answer));
	fake_chain_read(fc, 0, request, sizeof(request));
	type = (uint32_t)wire_get(request, 4);
	memcpy(p, request + HDRLEN, sizeof(p));
	wire32_all(p, sizeof(p) / sizeof(p[0]));
	judge_held(vd);
	if (!good_request(vd, queue, fc, type, request))
		type = ERR_UNSPEC;
	else
		type = run(vd, fc, type, (uint32_t)wire_get(request + 16, 4),
		    p, answer, &len);
	if (request[4] & FLAG_FENCE)
		memcpy(answer + 4, request + 4, 20);
	wire_put(answer, 4, type);
	len = (uint32_t)fake_chain_write(fc, 0, answer, len);
	vdev_push(vd, queue, fc, len);
}

void
vdev_gpu_heads(struct vdev *vd, unsigned int heads, unsigned int capsets)
{
	uint32_t config[2] = { wire32(heads), wire32(capsets) };

	fake_config_set(vd->vd_dev, 8, config, sizeof(config));
}

void
vdev_gpu_region(struct vdev *vd, uint64_t start, uint64_t len)
{
	if (fake_region(vd->vd_dev, 1, start, len))
		vd->vd_gpu.vg_visible = len;
}

void
vdev_gpu_head_resize(struct vdev *vd, unsigned int head, uint32_t w, uint32_t h)
{
	uint32_t event = wire32(1);

	vd->vd_gpu.vg_modes[head].w = w;
	vd->vd_gpu.vg_modes[head].h = h;
	vd->vd_gpu.vg_modes[head].enabled = w != 0;
	fake_config_change(vd->vd_dev, 0, &event, 4);
}

void
vdev_gpu_resize(struct vdev *vd, uint32_t w, uint32_t h)
{
	vdev_gpu_head_resize(vd, 0, w, h);
}

uint32_t
vdev_gpu_head_pixel(struct vdev *vd, unsigned int head, uint32_t x, uint32_t y)
{
	const struct vdev_head *vh = &vd->vd_gpu.vg_heads[head];
	struct vdev_resource *vr = vh->vh_res == 0 ? NULL :
	    find(vd, vh->vh_res);

	if (vr == NULL || x >= vh->vh_rect[2] || y >= vh->vh_rect[3])
		return 0xdddddddd;
	x += vh->vh_rect[0];
	y += vh->vh_rect[1];
	return wire32(vr->vr_pixels[(size_t)y * vr->vr_w + x]);
}

uint32_t
vdev_gpu_pixel(struct vdev *vd, uint32_t x, uint32_t y)
{
	return vdev_gpu_head_pixel(vd, 0, x, y);
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
