/* SPDX-License-Identifier: ISC */
/*
 * A display driver under a device that does anything at all.
 */
#include <stdlib.h>
#include <string.h>

#include <paravane/gpu.h>

#include "hostile.h"
#include "wire.h"

#define NBACKINGS	64
#define NMAPPED		64
#define NMODES		16
#define EDID		(24 + 8)	/* where it begins in an answer */
#define BLOCK		128

struct backing {
	uint32_t id;
	uint32_t n;
	struct {
		uint64_t addr;
		uint32_t len, pad;
	} entries[256];
};

static struct pv_gpu gpu;
static struct pv_gpu_fb *page;		/* the port's; NULL: none */
static struct pv_gpu_resource res;
static struct port_buf *buf;		/* a client's, of 4 KiB */
static uint64_t fence;
static struct backing backings[NBACKINGS];
static unsigned int backing_resets;	/* when they were made */
static unsigned int mapped[NMAPPED], nmapped;

/* A reset that was confirmed takes all of them. */
static void
gpu_forget(void)
{
	if (!hostile_lost() && backing_resets != rig.rg_resets) {
		memset(backings, 0, sizeof(backings));
		backing_resets = rig.rg_resets;
	}
}

static struct backing *
backing_of(uint32_t id)
{
	unsigned int i;

	for (i = 0; i < NBACKINGS; i++)
		if (backings[i].id == id)
			return &backings[i];
	return NULL;
}

/* It attaches honestly, and lets go only of what it says it lets go of. */
static uint32_t
gpu_backing(const struct rig_chain *rc, uint32_t type, uint32_t id)
{
	struct backing *b;
	uint32_t i, n;

	uint32_t at = type == 0x106 ? 32 : 56;

	if (type == 0x106 || type == 0x10c) {
		b = backing_of(0);
		rig_read(rc, type == 0x106 ? 28 : 36, &n, 4);
		n = wire32(n);
		if (b == NULL || n > 256 || rc->rc_outlen < at + 16 * n)
			return 0x1201;
		b->id = id;
		b->n = n;
		rig_read(rc, at, b->entries, 16 * n);
		for (i = 0; i < n; i++) {
			b->entries[i].addr = wire64(b->entries[i].addr);
			b->entries[i].len = wire32(b->entries[i].len);
		}
	} else if (lies()) {
		return 0x1200;
	} else if ((b = backing_of(id)) != NULL) {
		memset(b, 0, sizeof(*b));
	}
	return 0x1100;
}

/* One display, of 16 that it may be. */
static uint32_t
gpu_display_info(uint8_t *answer)
{
	uint32_t mode[6] = { 0, 0, 64 + 8 * draw(8), 64 + 8 * draw(8),
	    draw(8) != 0, 0 };
	uint8_t *at = answer + 24;
	unsigned int i;

	if (draw(4) == 0)
		at += 24 * draw(NMODES);
	if (draw(16) == 0)
		mode[2 + draw(2)] = draw(2) ? 0 : 16385;
	if (lies())
		for (i = 0; i < 6; i++)
			mode[i] = draw(4) ? mode[i] : strange();
	/* Nothing that a test has no memory for. */
	if (mode[2] <= 16384 && mode[3] <= 16384 &&
	    (uint64_t)mode[2] * mode[3] > 1u << 16)
		mode[2] = 16385;
	for (i = 0; i < 6; i++)
		wire_put(at + 4 * i, 4, mode[i]);
	return 0x1101;
}

/* A sound one, of up to eight blocks, unless it lies. */
static uint32_t
gpu_edid(uint8_t *answer)
{
	static const uint8_t magic[8] = { 0, 255, 255, 255, 255, 255, 255, 0 };
	unsigned int n = 1 + draw(8), i, j;
	uint8_t *p = answer + EDID;
	uint32_t size = n * BLOCK;

	scribble(p, size);
	if (!lies()) {
		memcpy(p, magic, sizeof(magic));
		p[126] = (uint8_t)(n - 1);
	}
	for (i = 0; i < n && !lies(); i++) {
		p[i * BLOCK + BLOCK - 1] = 0;
		for (j = 0; j < BLOCK - 1; j++)
			p[i * BLOCK + BLOCK - 1] = (uint8_t)(p[i * BLOCK +
			    BLOCK - 1] - p[i * BLOCK + j]);
	}
	wire_put(answer + 24, 4, lies() ? strange() : size);
	return 0x1104;
}

static uint32_t
gpu_answer(const struct rig_chain *rc, uint8_t *answer, uint32_t *len)
{
	uint8_t head[64] = { 0 };
	uint32_t type;

	rig_read(rc, 0, head, rc->rc_outlen < 64 ? rc->rc_outlen : 64);
	type = (uint32_t)wire_get(head, 4);
	memcpy(answer + 4, head + 4, 20);
	*len = 24;
	switch (type) {
	case 0x100:
		*len += 24 * (draw(4) == 0 ? draw(NMODES + 1) : NMODES);
		return gpu_display_info(answer);
	case 0x10a:
		*len = 24 + 8 + 1024;
		return draw(8) == 0 ? 0x1200 : gpu_edid(answer);
	case 0x108:
		wire_put(answer + 24, 4, strange());
		wire_put(answer + 32, 4, draw(2) ? draw(200) : strange());
		*len = draw(8) ? 40 : 24 + draw(17);
		return 0x1102;
	case 0x109:
		*len = 24 + draw(200);
		return 0x1103;
	case 0x10b:
		*len = draw(8) ? 40 : 24 + draw(16);
		return 0x1105;
	case 0x208:
		wire_put(answer + 24, 4, strange());
		*len = draw(8) ? 32 : 24 + draw(8);
		return 0x1106;
	case 0x102: case 0x106: case 0x107: case 0x10c:
		return gpu_backing(rc, type, (uint32_t)wire_get(head + 24, 4));
	default:
		return lies() ? 0x1200 + draw(8) : 0x1100;
	}
}

static void
gpu_device(struct rig *rg, unsigned int queue)
{
	uint8_t answer[24 + 8 + 1024];
	struct rig_chain rc;
	uint32_t len, type;

	(void)rg;
	gpu_forget();
	while (!(lies() && lies()) && hostile_take(queue, &rc)) {
		memset(answer, 0, sizeof(answer));
		type = gpu_answer(&rc, answer, &len);
		if (lies() && lies())
			type = strange();
		wire_put(answer, 4, type);
		if (lies() && lies())
			scribble(answer, 24);
		rig_write(&rc, 0, answer, len < rc.rc_inlen ? len :
		    rc.rc_inlen);
		hostile_give(queue, &rc, len);
	}
	hostile_whim();
}

static void
gpu_held(void)
{
	unsigned int i, e;

	gpu_forget();
	for (i = 0; i < NBACKINGS; i++)
		for (e = 0; e < backings[i].n; e++)
			holds(RULE_REUSE, port_dma_kva(
			    backings[i].entries[e].addr,
			    backings[i].entries[e].len) != NULL);
}

static void
gpu_revoke(void *arg, unsigned int generation)
{
	(void)arg;
	if (draw(2) || nmapped == NMAPPED) {
		pv_gpu_revoked(&gpu, generation);
		return;
	}
	mapped[nmapped++] = generation;
}

/* Whatever the device said of its displays, this is one. */
static void
gpu_sane(void)
{
	struct pv_gpu_geometry gg;
	const uint8_t *edid;
	size_t len = pv_gpu_edid(&gpu, &edid);
	bus_size_t sum = 0, seglen;
	bus_addr_t addr;
	unsigned int i;

	pv_gpu_geometry(&gpu, &gg);
	holds(RULE_RANGES, gg.gg_width >= 1 && gg.gg_width <= PV_GPU_MAXWIDTH);
	holds(RULE_RANGES, gg.gg_height >= 1 &&
	    gg.gg_height <= PV_GPU_MAXWIDTH);
	holds(RULE_RANGES, gg.gg_stride == 4 * gg.gg_width);
	holds(RULE_RANGES, gg.gg_len >= (size_t)gg.gg_stride * gg.gg_height);
	holds(RULE_RANGES, gg.gg_len % PAGE_SIZE == 0);
	holds(RULE_RANGES, gg.gg_scanout < PV_GPU_MAXSCANOUTS);
	holds(RULE_RANGES, len <= PV_GPU_EDID_MAX && len % BLOCK == 0);
	for (i = 0; pv_gpu_segment(&gpu, i, &addr, &seglen) == 0; i++)
		sum += seglen;
	must(i == gg.gg_nsegs && sum == gg.gg_len);
}

static void
gpu_map(void)
{
	struct pv_gpu_geometry gg;
	off_t off = (off_t)draw(64) * (off_t)PAGE_SIZE / 2;
	paddr_t pa = pv_gpu_mmap(&gpu, off, PROT_READ);

	pv_gpu_geometry(&gpu, &gg);
	must((pa == (paddr_t)-1) == ((size_t)off % PAGE_SIZE != 0 ||
	    (size_t)off >= gg.gg_len));
}

static void
gpu_draw(void)
{
	struct pv_gpu_geometry gg;
	uint8_t *p = pv_gpu_kva(&gpu);

	pv_gpu_geometry(&gpu, &gg);
	p[0] = p[gg.gg_len - 1] = 1;
	if (draw(2))
		pv_gpu_flush(&gpu, draw(100), draw(100), draw(100), draw(100));
	else
		pv_gpu_flush(&gpu, strange(), strange(), strange(), strange());
}

/* The display's size changes: the device says so, and the port looks. */
static void
gpu_change(void)
{
	rig_put32(&rig, 0, draw(4) != 0);
	rig_config_changed(&rig);
	hostile_scarce();
	pv_gpu_changed(&gpu);
	hostile_plenty();
}

/* Nothing beyond the bytes, whatever they say. */
static void
gpu_parse(void)
{
	struct pv_gpu_monitor mo;
	const uint8_t *edid;
	size_t len = pv_gpu_head_edid(&gpu, draw(4), &edid);
	uint8_t *exact = malloc(len + 1);
	unsigned int i;

	if (len > 0)
		memcpy(exact, edid, len);
	if (pv_gpu_edid_parse(exact, len, &mo) == 0) {
		holds(RULE_RANGES, mo.mo_nmodes <= PV_GPU_MAXMODES);
		for (i = 0; i < mo.mo_nmodes; i++)
			holds(RULE_RANGES, mo.mo_modes[i].md_width > 0 &&
			    mo.mo_modes[i].md_height > 0);
	} else
		holds(RULE_RANGES, len == 0);
	free(exact);
}

/* Without a wait; what has a fence gets to its end, whatever comes. */
static void
gpu_present(void)
{
	struct pv_gpu_fb *fb = draw(4) && page != NULL ? page :
	    pv_gpu_head_fb(&gpu, draw(3));
	int error;

	if (fb == NULL)
		return;
	pv_gpu_damage(&gpu, fb, draw(70), draw(70), draw(70), draw(70));
	if (draw(2))
		pv_gpu_damage(&gpu, fb, strange(), strange(), strange(),
		    strange());
	if (draw(4) == 0)
		error = pv_gpu_show(&gpu, draw(4), draw(4) ? fb : NULL, NULL,
		    &fence);
	else
		error = pv_gpu_present(&gpu, fb, &fence);
	if (error == 0 && draw(2)) {
		pv_gpu_fence_wait(&gpu, fence);
		holds(RULE_BOUNDED, pv_gpu_fence(&gpu, fence) != EAGAIN);
	}
}

static void
gpu_page(void)
{
	if (page == NULL) {
		hostile_scarce();
		if (pv_gpu_fb_create(&gpu, 1 + draw(80), 1 + draw(80),
		    PV_GPU_B8G8R8X8, &page) != 0)
			page = NULL;
		hostile_plenty();
	} else if (pv_gpu_fb_destroy(&gpu, page) == 0)
		page = NULL;
}

static void
gpu_cursor(void)
{
	static const uint32_t image[64 * 64];

	switch (draw(3)) {
	case 0:
		hostile_scarce();
		pv_gpu_cursor_set(&gpu, draw(3), image, draw(66), draw(66));
		hostile_plenty();
		break;
	case 1:
		pv_gpu_cursor_move(&gpu, draw(3), strange(), strange());
		break;
	case 2:
		pv_gpu_cursor_hide(&gpu, draw(3));
		break;
	}
}

static void
gpu_resource(void)
{
	static const struct pv_gpu_3d texture;
	const struct pv_gpu_blob b = { 1 + draw(3), 0, 1, PAGE_SIZE };
	const struct pv_piece pc = { buf->pb_map, draw(2000), 1 + draw(2000) };
	unsigned int cache = 0;
	struct pv_shm shm;

	switch (draw(6)) {
	case 0:
		pv_gpu_resource_3d(&gpu, &res, 1, &texture);
		break;
	case 1:
		pv_gpu_resource_blob(&gpu, &res, 1, &b, NULL);
		break;
	case 2:
		pv_gpu_resource_back(&gpu, &res, &pc);
		break;
	case 3:
		pv_gpu_resource_unback(&gpu, &res);
		break;
	case 4:
		if (pv_gpu_map_blob(&gpu, &res, 0, &cache) == 0)
			holds(RULE_RANGES, cache <= PV_GPU_CACHE_WC &&
			    pv_gpu_hostvisible(&gpu, &shm) == 0 &&
			    shm.sh_len >= PAGE_SIZE &&
			    shm.sh_start + shm.sh_len > shm.sh_start);
		break;
	case 5:
		pv_gpu_resource_free(&gpu, &res);
		break;
	}
}

static void
gpu_render(void)
{
	const struct pv_piece pc = { buf->pb_map, draw(2000), 1 + draw(2000) };
	struct pv_gpu_capset cs = { 0, 0, 0 };
	uint8_t caps[256], uuid[16];
	size_t len = sizeof(caps);

	switch (draw(4)) {
	case 0:
		pv_gpu_ctx_create(&gpu, 1, draw(3), "fuzz");
		break;
	case 1:
		if (pv_gpu_capset_info(&gpu, draw(3), &cs) == 0 &&
		    pv_gpu_capset(&gpu, &cs, 1, caps, &len) == 0)
			holds(RULE_RANGES, len <= sizeof(caps));
		break;
	case 2:
		pv_gpu_submit_3d(&gpu, 1, (int)draw(66) - 1, &pc, 1, &fence);
		break;
	case 3:
		pv_gpu_uuid(&gpu, &res, uuid);
		break;
	}
}

static void
gpu_more(void)
{
	switch (draw(6)) {
	case 0:
		gpu_parse();
		break;
	case 1:
		gpu_present();
		break;
	case 2:
		gpu_page();
		break;
	case 3:
		gpu_cursor();
		break;
	case 4:
		gpu_resource();
		break;
	case 5:
		gpu_render();
		break;
	}
}

static void
gpu_act(void)
{
	switch (draw(12)) {
	case 0: case 1:
		if (pv_gpu_kva(&gpu) != NULL)
			gpu_draw();
		break;
	case 2:
		pv_gpu_flush_begin(&gpu, draw(10), draw(10), draw(50),
		    draw(50));
		break;
	case 3:
		pv_gpu_flush_end(&gpu);
		break;
	case 4:
		gpu_change();
		break;
	case 5:
		gpu_map();
		break;
	case 6:
		if (nmapped > 0)
			pv_gpu_revoked(&gpu, mapped[--nmapped]);
		break;
	case 7:
		gpu_device(&rig, 0);
		gpu_device(&rig, 1);
		pv_virtio_poll(&rig.rg_dev);
		break;
	default:
		gpu_more();
		break;
	}
}

static void
gpu_step(void)
{
	gpu_act();
	if (pv_gpu_kva(&gpu) != NULL)
		gpu_sane();
	gpu_held();
	if (nbroken == 0 && draw(40) != 0)
		return;
	holds(RULE_REMOVAL, (pv_gpu_stop(&gpu) != 0) == hostile_lost());
	nbroken = hostile_lost();	/* then this was the last step */
	if (nbroken)
		return;
	hostile_scarce();
	pv_gpu_start(&gpu);
	hostile_plenty();
}

/* To the end, which comes when the last page is unmapped. */
static void
gpu_detach(void)
{
	int error, lost;

	gpu_forget();
	lost = hostile_gone();
	while ((error = pv_gpu_detach(&gpu)) == EBUSY) {
		must(nmapped > 0);
		pv_gpu_revoked(&gpu, mapped[--nmapped]);
	}
	holds(RULE_REMOVAL, (error != 0) == lost);
	gpu_held();
	must((pv_gpu_detach(&gpu) != 0) == lost);
	page = NULL;
}

void
scene_gpu(void)
{
	static const struct pv_gpu_callbacks cb = { .gc_broken = hostile_broken,
	    .gc_changed = hostile_intr, .gc_revoke = gpu_revoke };
	struct pv_gpu_params params = { .gp_width = 64, .gp_height = 64 };
	unsigned int i;
	int error;

	hostile_begin(PV_TYPE_GPU);
	memset(backings, 0, sizeof(backings));
	backing_resets = nmapped = 0;
	params.gp_force = draw(8) == 0;
	params.gp_maxseg = draw(4) == 0 ? PAGE_SIZE : 0;
	rig_put32(&rig, 8, draw(4) ? 1 + draw(NMODES) : strange());
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	if (draw(4) == 0) {
		rig.rg_offered |= draw(64);
		params.gp_3d = 1;
		rig.rg_region.sh_start = (uint64_t)strange() << 32 | strange();
		rig.rg_region.sh_len = draw(2) ? PAGE_SIZE :
		    (uint64_t)strange() << 32 | strange();
		rig.rg_no_region = 0;
		params.gp_heads = draw(4);
		rig_put32(&rig, 12, draw(4));
	}
	buf = port_buf_new(4096);
	memset(&res, 0, sizeof(res));
	rig.rg_notify = gpu_device;
	hostile_scarce();
	bounded(120, error = pv_gpu_attach(&gpu, rig_init(&rig), &cb, NULL,
	    &params));
	hostile_plenty();
	if (error == 0) {
		for (i = 0; draw_more(i) && !(hostile_lost() && nbroken); i++)
			bounded(60, gpu_step());
		gpu_detach();
	}
	/* Where no reset was confirmed a device may still read what it got. */
	if (hostile_lost())
		port_buf_lose(buf);
	else
		port_buf_free(buf);
	hostile_end();
}
