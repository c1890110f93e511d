/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mistakes.h"

#define PATIENCE_NS	60000000000ull

struct raw mistake_raw;
struct vdev mistake_vd;
struct desk mistake_desk;

static void
tick(void *arg)
{
	(void)arg;
	if (port.po_now_ns < PATIENCE_NS)
		return;
	fprintf(stderr, "a wait without a bound\n");
	_exit(1);
}

void
mistake_patience(void)
{
	port.po_tick = tick;
}

void
mistake_device(enum stand_kind kind, unsigned int type, const char *profile,
    uint64_t features)
{
	struct raw *r = &mistake_raw;

	raw_new(r, kind, type, vdev_queues(type));
	strict_begin();
	vdev_init(&mistake_vd, r->r_fd, profile_named(profile), 2, 0);
	r->r_fd->fd_strict = 1;
	r->r_fd->fd_reset_looks = 0;
	r->r_fd->fd_features = features | PV_F_BIT(PV_F_VERSION_1) |
	    PV_F_BIT(PV_F_EVENT_IDX) | PV_F_BIT(PV_F_INDIRECT_DESC);
	mistake_vd.vd_net.vn_mtu = 1500;
	fake_watch(r->r_fd);
	mistake_patience();
}

void
mistake_memory(const char *words, size_t len)
{
	desk_config(words);
	desk_new(&mistake_desk, len, 0, 0);
}

void
mistake_want(int cond, const char *what)
{
	if (!cond)
		fprintf(stderr, "missing: %s\n", what);
}

void *
mistake_alloc(size_t len)
{
	return calloc(1, len);
}

void
mistake_free(void *p)
{
	free(p);
}

void
mistake_settle(void)
{
	unsigned int i;

	for (i = 0; i < mistake_raw.r_nqueues; i++)
		fake_noticed(mistake_raw.r_fd, (int)i);
	fake_settle(mistake_raw.r_fd);
}

uint32_t
mistake_gpu(uint32_t type, uint32_t outlen, uint32_t inlen,
    const uint32_t *words)
{
	uint8_t *request = mistake_raw.r_buf->pb_va;
	uint32_t answer;

	memset(request, 0, outlen);
	memcpy(request, &type, 4);
	if (words != NULL)
		memcpy(request + 24, words, outlen - 24);
	raw_request(&mistake_raw, 0, outlen, inlen);
	memcpy(&answer, request + 4096, 4);
	return answer;
}

void
mistake_resource(uint32_t w, uint32_t h)
{
	uint64_t addr = raw_buf(&mistake_raw, 2048);
	const uint32_t create[4] = { 1, 2, w, h };
	const uint32_t attach[6] = { 1, 1, (uint32_t)addr,
	    (uint32_t)(addr >> 32), 4 * w * h, 0 };
	const uint32_t show[6] = { 0, 0, w, h, 0, 1 };

	mistake_gpu(0x101, 40, 24, create);
	mistake_gpu(0x106, 48, 24, attach);
	mistake_gpu(0x103, 48, 24, show);
}
