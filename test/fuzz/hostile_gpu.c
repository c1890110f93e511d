/* SPDX-License-Identifier: ISC */
/*
 * A display driver under a device that does anything at all.
 */
#include <string.h>

#include <paravane/gpu.h>

#include "hostile.h"
#include "wire.h"

struct backing {
	uint32_t id;
	uint32_t n;
	struct {
		uint64_t addr;
		uint32_t len, pad;
	} entries[256];
};

#define NBACKINGS	64

static struct pv_gpu gpu;
static struct backing backings[NBACKINGS];
static unsigned int mapped[64], nmapped;

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

	if (type == 0x106) {
		b = backing_of(0);
		rig_read(rc, 28, &n, 4);
		n = wire32(n);
		if (b == NULL || n > 256 || rc->rc_outlen < 32 + 16 * n)
			return 0x1201;
		b->id = id;
		b->n = n;
		rig_read(rc, 32, b->entries, 16 * n);
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

static uint32_t
gpu_display_info(uint8_t *answer)
{
	uint32_t mode[6] = { 0, 0, 64 + 8 * draw(8), 64 + 8 * draw(8), 1, 0 };
	unsigned int i;

	if (lies())
		for (i = 0; i < 6; i++)
			mode[i] = draw(4) ? mode[i] : strange();
	/* Nothing that a test has no memory for. */
	if (mode[2] <= 16384 && mode[3] <= 16384 && mode[2] * mode[3] > 1u << 20)
		mode[2] = 16385;
	for (i = 0; i < 6; i++)
		wire_put(answer + 24 + 4 * i, 4, mode[i]);
	return 0x1101;
}

static void
gpu_device(struct rig *rg, unsigned int queue)
{
	uint32_t type, id, len = 24;
	uint8_t head[64], answer[1056 + 24];
	struct rig_chain rc;

	(void)rg;
	while (!(lies() && lies()) && hostile_take(queue, &rc)) {
		memset(head, 0, sizeof(head));
		memset(answer, 0, sizeof(answer));
		rig_read(&rc, 0, head, rc.rc_outlen < 64 ? rc.rc_outlen : 64);
		type = (uint32_t)wire_get(head, 4);
		id = (uint32_t)wire_get(head + 24, 4);
		memcpy(answer + 4, head + 4, 20);
		if (type == 0x100) {
			type = gpu_display_info(answer);
			len = 408;
		} else if (type == 0x10a) {
			scribble(answer + 24, 1032);
			type = 0x1104;
			len = 1056;
		} else if (type == 0x102 || type == 0x106 || type == 0x107)
			type = gpu_backing(&rc, type, id);
		else
			type = 0x1100;
		if (lies() && lies())
			type = strange();
		wire_put(answer, 4, type);
		if (lies() && lies())
			scribble(answer, 24);
		rig_write(&rc, 0, answer, len < rc.rc_inlen ? len : rc.rc_inlen);
		hostile_give(queue, &rc, len);
	}
	hostile_whim();
}

static void
gpu_held(void)
{
	unsigned int i, e;

	for (i = 0; i < NBACKINGS; i++)
		for (e = 0; e < backings[i].n; e++)
			must(port_dma_kva(backings[i].entries[e].addr,
			    backings[i].entries[e].len) != NULL);
}

static void
gpu_revoke(void *arg, unsigned int generation)
{
	(void)arg;
	if (draw(2)) {
		pv_gpu_revoked(&gpu, generation);
		return;
	}
	must(nmapped < 64);
	mapped[nmapped++] = generation;
}

static void
gpu_step(void)
{
	struct pv_gpu_geometry gg;
	uint8_t *p = pv_gpu_kva(&gpu);

	pv_gpu_geometry(&gpu, &gg);
	switch (draw(8)) {
	case 0: case 1:
		p[draw((uint32_t)gg.gg_len)] = 1;
		pv_gpu_flush(&gpu, draw(100), draw(100), strange(), strange());
		break;
	case 2:
		pv_gpu_flush_begin(&gpu, draw(10), draw(10), draw(50),
		    draw(50));
		break;
	case 3:
		pv_gpu_flush_end(&gpu);
		break;
	case 4:
		pv_gpu_changed(&gpu);
		break;
	case 5:
		pv_gpu_mmap(&gpu, (off_t)draw(4) * (off_t)PAGE_SIZE / 2,
		    PROT_READ);
		break;
	case 6:
		if (nmapped > 0)
			pv_gpu_revoked(&gpu, mapped[--nmapped]);
		break;
	case 7:
		gpu_device(&rig, 0);
		pv_virtio_poll(&rig.rg_dev);
		break;
	}
	gpu_held();
	if (nbroken == 0 && draw(40) != 0)
		return;
	must(pv_gpu_stop(&gpu) == 0);
	memset(backings, 0, sizeof(backings));
	nbroken = 0;
	pv_gpu_start(&gpu);
}

void
scene_gpu(void)
{
	static const struct pv_gpu_callbacks cb = { .gc_broken = hostile_broken,
	    .gc_revoke = gpu_revoke };
	unsigned int i;
	int error, lost;

	hostile_begin(PV_TYPE_GPU);
	memset(backings, 0, sizeof(backings));
	nmapped = 0;
	rig_put32(&rig, 8, draw(4) ? 1 : strange());
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_GPU_F_EDID);
	rig.rg_notify = gpu_device;
	if (pv_gpu_attach(&gpu, rig_init(&rig), &cb, NULL, NULL) == 0) {
		for (i = 0; draw_more(i); i++)
			bounded(60, gpu_step());
		lost = hostile_gone();
		if (!lost)
			memset(backings, 0, sizeof(backings));
		while ((error = pv_gpu_detach(&gpu)) == EBUSY) {
			must(nmapped > 0);
			pv_gpu_revoked(&gpu, mapped[--nmapped]);
		}
		must((error != 0) == lost);
		gpu_held();
		must((pv_gpu_detach(&gpu) != 0) == lost);
	}
	hostile_end();
}
