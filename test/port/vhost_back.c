/* SPDX-License-Identifier: ISC */
/*
 * vhost_back [-p] [-k POINT] [-n COUNT] SOCKET IMAGE - a disk that is a
 * vhost-user back end and tracks what is in flight (QEMU's
 * docs/interop/vhost-user.rst, Inflight I/O tracking), for tests that kill it
 *
 *	-p	packed rings
 *	-k	die by SIGKILL at a point on a request's way, at its COUNTth
 *		passing: see enum point
 *
 * It takes several requests before it serves any, and serves them in no order,
 * so that what is in flight is not what comes next in the ring. It trusts its
 * front end, as it is no product; it is written from the document alone.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "message.h"

#define BIT(n)		(1ull << (n))
#define FEATURES	(BIT(2) | BIT(6) | BIT(9) | BIT(12) | BIT(28) | \
    BIT(32) | BIT(VW_F_PROTOCOL))
#define PACKED		BIT(34)
#define PROTOCOL	(BIT(0) | BIT(3) | BIT(9) | BIT(12) | BIT(15) | BIT(16))

#define NQUEUES		2u
#define MAXSIZE		256u
#define MAXREGIONS	16u
#define DEPTH		6u	/* requests kept before one is served */

#define D_NEXT		0x0001u
#define D_WRITE		0x0002u
#define D_INDIRECT	0x0004u
#define D_AVAIL		0x0080u
#define D_USED		0x8000u

enum point {
	NEVER,
	TAKEN,			/* noted as in flight, nothing done */
	HALF_TAKEN,		/* packed: within a chain, or before it */
	SERVED,			/* done, and nobody told */
	LISTED,			/* noted as used, not yet shown */
	SHOWN,			/* shown as used, still noted as in flight */
	CLEARED			/* not noted any more, index not yet */
};

struct desc {
	uint64_t d_addr;
	uint32_t d_len;
	uint16_t d_a;		/* split: flags, next; packed: id, flags */
	uint16_t d_b;
};

struct split_state {
	uint8_t inflight;
	uint8_t pad[5];
	uint16_t next;
	uint64_t counter;
};

struct split_region {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct split_state desc[];
};

struct packed_state {
	uint8_t inflight;
	uint8_t pad;
	uint16_t next;
	uint16_t last;
	uint16_t num;
	uint64_t counter;
	uint16_t id;
	uint16_t flags;
	uint32_t len;
	uint64_t addr;
};

struct packed_region {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t free_head;
	uint16_t old_free_head;
	uint16_t used_idx;
	uint16_t old_used_idx;
	uint8_t used_wrap_counter;
	uint8_t old_used_wrap_counter;
	uint8_t pad[7];
	struct packed_state desc[];
};

struct queue {
	unsigned int num;
	uint64_t desc, avail, used;	/* as told; resolved when used */
	int kick, call;
	bool started;
	uint16_t next;			/* avail index, or slot */
	bool wrap;
	void *region;
	uint64_t counter;
	uint16_t pending[MAXSIZE];	/* heads, or entries of the region */
	unsigned int npending;
};

static struct queue queues[NQUEUES];
static struct {
	uint64_t guest, size;
	uint8_t *va;
} regions[MAXREGIONS];
static unsigned int nregions;
static int image, sock;
static uint64_t capacity;
static bool offer_packed, packed;
static enum point die_at;
static unsigned int die_count = 1, seed = 1, nserved;
static uint8_t *inflight;
static size_t inflight_len, stride;

static void
point(enum point p)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (p == die_at && --die_count == 0)
		raise(SIGKILL);
}

static void *
at(uint64_t addr, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < nregions; i++)
		if (addr >= regions[i].guest && addr - regions[i].guest <
		    regions[i].size && len <= regions[i].size -
		    (addr - regions[i].guest))
			return regions[i].va + (addr - regions[i].guest);
	errx(1, "no memory at 0x%llx", (unsigned long long)addr);
}

static unsigned int
draw(unsigned int below)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % below;
}

/* A chain, with what there is to read first. */
struct seg {
	uint8_t *va;
	uint32_t len;
	bool write;
};

static void
seg_add(struct seg *segs, unsigned int *n, uint64_t addr, uint32_t len,
    unsigned int flags)
{
	if (*n == 128)
		errx(1, "a chain without end");
	segs[(*n)++] = (struct seg){ at(addr, len), len,
	    (flags & D_WRITE) != 0 };
}

static void
indirect(struct seg *segs, unsigned int *n, uint64_t addr, uint32_t len)
{
	const struct desc *d = at(addr, len);
	unsigned int i, max = len / 16;

	if (packed) {
		for (i = 0; i < max; i++)
			seg_add(segs, n, d[i].d_addr, d[i].d_len, d[i].d_b);
		return;
	}
	for (i = 0;; i = d[i].d_b) {
		seg_add(segs, n, d[i].d_addr, d[i].d_len, d[i].d_a);
		if ((d[i].d_a & D_NEXT) == 0)
			break;
	}
}

static unsigned int
split_segs(struct queue *q, unsigned int head, struct seg *segs)
{
	const struct desc *d = at(q->desc, q->num * 16);
	unsigned int n = 0, i;

	for (i = head;; i = d[i].d_b) {
		if (d[i].d_a & D_INDIRECT)
			indirect(segs, &n, d[i].d_addr, d[i].d_len);
		else
			seg_add(segs, &n, d[i].d_addr, d[i].d_len, d[i].d_a);
		if ((d[i].d_a & D_NEXT) == 0)
			return n;
	}
}

/* From the region: the ring may be written over by now. */
static unsigned int
packed_segs(struct queue *q, unsigned int e, struct seg *segs)
{
	const struct packed_region *r = q->region;
	unsigned int n = 0, left = r->desc[e].num;

	for (; left-- > 0; e = r->desc[e].next) {
		const struct packed_state *s = &r->desc[e];

		if (s->flags & D_INDIRECT)
			indirect(segs, &n, s->addr, s->len);
		else
			seg_add(segs, &n, s->addr, s->len, s->flags);
	}
	return n;
}

/* Reads and writes between header and status. */
static uint32_t
serve(const struct seg *segs, unsigned int n)
{
	uint32_t type, done = 1;
	uint64_t off;
	uint8_t status = 0;
	unsigned int i;
	ssize_t did;

	memcpy(&type, segs[0].va, 4);
	memcpy(&off, segs[0].va + 8, 8);
	off *= 512;
	for (i = 1; i + 1 < n && type <= 1; i++) {
		did = type == 1 ? pwrite(image, segs[i].va, segs[i].len,
		    (off_t)off) : pread(image, segs[i].va, segs[i].len,
		    (off_t)off);
		if (did != (ssize_t)segs[i].len)
			status = 1;
		off += segs[i].len;
		done += type == 0 ? segs[i].len : 0;
	}
	if (type != 0 && type != 1 && type != 4)
		status = 2;
	*segs[n - 1].va = status;
	return done;
}

static bool
split_take(struct queue *q)
{
	const volatile uint16_t *avail = at(q->avail, 6 + 2 * q->num);
	struct split_region *r = q->region;
	uint16_t head;

	if (avail[1] == q->next)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	point(HALF_TAKEN);
	head = avail[2 + q->next % q->num];
	r->desc[head].counter = q->counter++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->desc[head].inflight = 1;
	q->next++;
	q->pending[q->npending++] = head;
	point(TAKEN);
	return true;
}

static void
split_give(struct queue *q, uint16_t head, uint32_t len)
{
	struct split_region *r = q->region;
	uint8_t *used = at(q->used, 6 + 8 * q->num);
	volatile uint16_t *idx = (uint16_t *)(void *)(used + 2);
	uint32_t elem[2] = { head, len };

	memcpy(used + 4 + (*idx % q->num) * 8, elem, 8);
	r->desc[head].next = r->last_batch_head;
	r->last_batch_head = head;
	point(LISTED);
	*idx = (uint16_t)(*idx + 1);
	point(SHOWN);
	r->desc[head].inflight = 0;
	point(CLEARED);
	r->used_idx = *idx;
}

static void
advance(uint16_t *slot, bool *wrap, unsigned int by, unsigned int num)
{
	unsigned int next = *slot + by;

	if (next >= num) {
		next -= num;
		*wrap = !*wrap;
	}
	*slot = (uint16_t)next;
}

static bool
packed_take(struct queue *q)
{
	struct packed_region *r = q->region;
	const volatile struct desc *ring = at(q->desc, q->num * 16);
	unsigned int flags = ring[q->next].d_b;
	struct packed_state *head = &r->desc[r->old_free_head], *s;

	if (((flags & D_AVAIL) != 0) != q->wrap ||
	    ((flags & D_USED) != 0) == q->wrap)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	head->num = 0;
	head->counter = q->counter++;
	head->inflight = 1;
	q->pending[q->npending++] = r->old_free_head;
	do {
		point(HALF_TAKEN);
		flags = ring[q->next].d_b;
		s = &r->desc[r->free_head];
		if ((flags & D_NEXT) == 0)
			head->last = r->free_head;
		head->num++;
		s->addr = ring[q->next].d_addr;
		s->len = ring[q->next].d_len;
		s->id = ring[q->next].d_a;
		s->flags = (uint16_t)flags;
		r->free_head = s->next;
		advance(&q->next, &q->wrap, 1, q->num);
	} while (flags & D_NEXT);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->old_free_head = r->free_head;
	point(TAKEN);
	return true;
}

static void
packed_give(struct queue *q, uint16_t e, uint32_t len)
{
	struct packed_region *r = q->region;
	volatile struct desc *d = at(q->desc, q->num * 16);
	struct packed_state *s = &r->desc[e];
	bool wrap = r->used_wrap_counter;

	d += r->used_idx;
	d->d_a = r->desc[s->last].id;
	d->d_len = len;
	r->desc[s->last].next = r->free_head;
	r->free_head = e;
	advance(&r->used_idx, &wrap, s->num, q->num);
	point(LISTED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	d->d_b = (uint16_t)(r->used_wrap_counter ? D_AVAIL | D_USED : 0);
	r->used_wrap_counter = wrap;
	point(SHOWN);
	s->inflight = 0;
	point(CLEARED);
	r->old_free_head = r->free_head;
	r->old_used_idx = r->used_idx;
	r->old_used_wrap_counter = r->used_wrap_counter;
}

/* One of those that were taken, whichever. */
static void
give_one(struct queue *q)
{
	unsigned int i = draw(q->npending), n;
	uint16_t which = q->pending[i];
	const uint64_t one = 1;
	struct seg segs[128];
	uint32_t len;

	if (++nserved == 200)
		puts("busy");
	memmove(&q->pending[i], &q->pending[i + 1],
	    (--q->npending - i) * sizeof(q->pending[0]));
	n = packed ? packed_segs(q, which, segs) : split_segs(q, which, segs);
	len = serve(segs, n);
	point(SERVED);
	if (packed)
		packed_give(q, which, len);
	else
		split_give(q, which, len);
	if (q->call >= 0 && write(q->call, &one, sizeof(one)) < 0)
		warn("call");
}

static bool
work(struct queue *q)
{
	bool did = false;

	if (!q->started)
		return false;
	while (q->npending < DEPTH &&
	    (packed ? packed_take(q) : split_take(q)))
		did = true;
	if (q->npending == 0 || (!did && q->npending < DEPTH && draw(4) != 0))
		return did;
	give_one(q);
	return true;
}

/* When a queue starts: what the one before had in flight. */

static int
by_counter(const void *a, const void *b, void *arg)
{
	const struct queue *q = arg;
	uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
	uint64_t cx, cy;

	if (packed) {
		const struct packed_region *r = q->region;

		cx = r->desc[x].counter;
		cy = r->desc[y].counter;
	} else {
		const struct split_region *r = q->region;

		cx = r->desc[x].counter;
		cy = r->desc[y].counter;
	}
	return cx < cy ? -1 : cx > cy;
}

static void
split_recover(struct queue *q)
{
	struct split_region *r = q->region;
	const uint16_t *used = at(q->used, 4);
	uint16_t i, head;

	if (r->version == 0) {
		r->version = 1;
		r->desc_num = (uint16_t)q->num;
		return;
	}
	head = r->last_batch_head;
	for (i = r->used_idx; i != used[1]; i++) {
		r->desc[head].inflight = 0;
		head = r->desc[head].next;
	}
	r->used_idx = used[1];
	for (i = 0; i < q->num; i++)
		if (r->desc[i].inflight)
			q->pending[q->npending++] = i;
	q->next = (uint16_t)(r->used_idx + q->npending);
}

static void
packed_init(struct queue *q, struct packed_region *r)
{
	unsigned int i;

	r->version = 1;
	r->desc_num = (uint16_t)q->num;
	r->used_wrap_counter = r->old_used_wrap_counter = 1;
	for (i = 0; i < q->num; i++)
		r->desc[i].next = (uint16_t)(i + 1);
}

static void
packed_recover(struct queue *q)
{
	struct packed_region *r = q->region;
	const struct desc *d = at(q->desc, q->num * 16);
	unsigned int i, flags, free_of[MAXSIZE] = { 0 };
	bool wrapped;

	if (r->version == 0) {
		packed_init(q, r);
		return;
	}
	wrapped = r->used_idx < r->old_used_idx;
	if (r->used_idx != r->old_used_idx) {
		flags = d[r->old_used_idx].d_b & (D_AVAIL | D_USED);
		if (flags == (r->old_used_wrap_counter ? D_AVAIL | D_USED :
		    0u)) {
			r->old_free_head = r->free_head;
			r->old_used_idx = r->used_idx;
			if (wrapped)
				r->old_used_wrap_counter ^= 1;
		}
	}
	r->free_head = r->old_free_head;
	r->used_idx = r->old_used_idx;
	r->used_wrap_counter = r->old_used_wrap_counter;
	for (i = r->free_head; i < q->num && !free_of[i]; i = r->desc[i].next) {
		free_of[i] = 1;
		r->desc[i].inflight = 0;
	}
	q->next = r->used_idx;
	q->wrap = r->used_wrap_counter;
	for (i = 0; i < q->num; i++)
		if (r->desc[i].inflight) {
			q->pending[q->npending++] = (uint16_t)i;
			advance(&q->next, &q->wrap, r->desc[i].num, q->num);
		}
}

static void
recover(struct queue *q)
{
	q->npending = 0;
	q->counter = 0;
	q->next = 0;
	q->wrap = true;
	if (packed)
		packed_recover(q);
	else
		split_recover(q);
	qsort_r(q->pending, q->npending, sizeof(q->pending[0]), by_counter, q);
	if (q->npending != 0) {
		q->counter = 1ull << 32;	/* after all of them */
		printf("in flight: %u\n", q->npending);
	}
}

/* Messages */

static void
answer(struct vw_msg *m, size_t len, int fd)
{
	m->vw_flags = VW_VERSION | VW_REPLY;
	m->vw_size = (uint32_t)len;
	if (!message_send(sock, m, VW_HEADER + len, fd))
		warn("answer");
}

static void
answer_u64(struct vw_msg *m, uint64_t val)
{
	m->u.vw_u64 = val;
	answer(m, 8, -1);
}

static void
answer_config(struct vw_msg *m)
{
	const uint64_t sectors = capacity / 512;
	const uint32_t segs = 32, block = 512;
	uint8_t *c = m->u.vw_config.vc_data;

	if (m->u.vw_config.vc_size > 60) {
		answer(m, 0, -1);
		return;
	}
	memset(c, 0, 60);
	memcpy(c, &sectors, 8);
	memcpy(c + 12, &segs, 4);
	memcpy(c + 20, &block, 4);
	c[34] = NQUEUES;
	answer(m, VW_CONFIG_LEN + m->u.vw_config.vc_size, -1);
}

static void
map_inflight(int fd, struct vw_inflight vi)
{
	inflight_len = (size_t)vi.vi_size;
	stride = inflight_len / vi.vi_nqueues;
	inflight = mmap(NULL, inflight_len, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, (off_t)vi.vi_offset);
	if (inflight == MAP_FAILED)
		err(1, "in-flight memory");
}

static void
answer_inflight(struct vw_msg *m)
{
	struct vw_inflight vi = m->u.vw_inflight;
	size_t each = (packed ? sizeof(struct packed_region) +
	    vi.vi_queuesize * sizeof(struct packed_state) :
	    sizeof(struct split_region) +
	    vi.vi_queuesize * sizeof(struct split_state)) + 63;
	int fd = memfd_create("inflight", MFD_CLOEXEC);

	vi.vi_size = (each & ~(size_t)63) * vi.vi_nqueues;
	vi.vi_offset = 0;
	if (fd < 0 || ftruncate(fd, (off_t)vi.vi_size) != 0)
		err(1, "in-flight memory");
	m->u.vw_inflight = vi;
	answer(m, sizeof(vi), fd);
	close(fd);
}

static void
add_region(const struct vw_region *vr, int fd)
{
	if (nregions == MAXREGIONS)
		errx(1, "regions");
	regions[nregions].guest = vr->vr_guest;
	regions[nregions].size = vr->vr_size;
	regions[nregions].va = mmap(NULL, vr->vr_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, (off_t)vr->vr_offset);
	if (regions[nregions++].va == MAP_FAILED)
		err(1, "memory");
	close(fd);
}

static void
ring_message(struct vw_msg *m, int fd)
{
	struct queue *q = &queues[m->u.vw_state.vs_index % NQUEUES];

	switch (m->vw_request) {
	case VW_SET_VRING_NUM:
		q->num = m->u.vw_state.vs_num;
		if (q->num == 0 || q->num > MAXSIZE)
			errx(1, "a ring of %u", q->num);
		break;
	case VW_SET_VRING_ADDR:
		q->desc = m->u.vw_addr.va_desc;
		q->avail = m->u.vw_addr.va_avail;
		q->used = m->u.vw_addr.va_used;
		break;
	case VW_SET_VRING_CALL:
		q->call = m->u.vw_u64 & VW_NOFD ? -1 : fd;
		break;
	case VW_SET_VRING_KICK:
		q->kick = fd;
		q->region = inflight + (size_t)(q - queues) * stride;
		recover(q);
		q->started = true;
		break;
	}
}

/* True if that was the answer, and no acknowledgement is due. */
static bool
handle(struct vw_msg *m, int *fds)
{
	struct queue *q;
	static uint64_t status;

	switch (m->vw_request) {
	case VW_GET_FEATURES:
		answer_u64(m, FEATURES | (offer_packed ? PACKED : 0));
		return true;
	case VW_SET_FEATURES:
		packed = (m->u.vw_u64 & PACKED) != 0;
		break;
	case VW_GET_PROTOCOL:
		answer_u64(m, PROTOCOL);
		return true;
	case VW_GET_QUEUE_NUM:
		answer_u64(m, NQUEUES);
		return true;
	case VW_GET_MAX_MEM_SLOTS:
		answer_u64(m, MAXREGIONS);
		return true;
	case VW_GET_CONFIG:
		answer_config(m);
		return true;
	case VW_GET_INFLIGHT_FD:
		answer_inflight(m);
		return true;
	case VW_SET_INFLIGHT_FD:
		map_inflight(fds[0], m->u.vw_inflight);
		break;
	case VW_GET_STATUS:
		answer_u64(m, status);
		return true;
	case VW_SET_STATUS:
		status = m->u.vw_u64;
		break;
	case VW_ADD_MEM_REG: {
		const struct vw_region vr = m->u.vw_slot.vm_region;

		add_region(&vr, fds[0]);
		break;
	}
	case VW_GET_VRING_BASE:
		q = &queues[m->u.vw_state.vs_index % NQUEUES];
		while (q->npending != 0)
			give_one(q);
		q->started = false;
		m->u.vw_state.vs_num = q->next;
		answer(m, 8, -1);
		return true;
	default:
		ring_message(m, fds[0]);
		break;
	}
	return false;
}

static int
message(void)
{
	int fds[MESSAGE_FDS] = { -1 };
	struct vw_msg m;
	bool need;
	size_t n;

	if (!message_take(sock, &m, fds, &n))
		return -1;
	need = (m.vw_flags & VW_NEED_REPLY) != 0;
	if (!handle(&m, fds) && need)
		answer_u64(&m, 0);
	return 0;
}

static void
serve_all(void)
{
	struct pollfd pfd[NQUEUES + 1];
	unsigned int i;
	uint64_t n;
	bool did;

	for (;;) {
		did = false;
		for (i = 0; i < NQUEUES; i++) {
			did = work(&queues[i]) || did;
			did = did || queues[i].npending != 0;
			pfd[i] = (struct pollfd){ queues[i].started ?
			    queues[i].kick : -1, POLLIN, 0 };
		}
		pfd[NQUEUES] = (struct pollfd){ sock, POLLIN, 0 };
		if (poll(pfd, NQUEUES + 1, did ? 0 : 1000) < 0)
			err(1, "poll");
		for (i = 0; i < NQUEUES; i++)
			if ((pfd[i].revents & POLLIN) &&
			    read(queues[i].kick, &n, sizeof(n)) < 0 &&
			    errno != EAGAIN)
				warn("kick");
		if (pfd[NQUEUES].revents != 0 && message() != 0)
			return;
	}
}

static void
usage(FILE *to)
{
	fputs("usage: vhost_back [-p] [-k POINT] [-n COUNT] SOCKET IMAGE\n\n"
	    "Serves the file IMAGE as a disk over vhost-user, to one front "
	    "end; tracks what is\n"
	    "in flight.\n\n"
	    "  -p        packed rings\n"
	    "  -k POINT  die at a point on a request's way, 1 to 6 (enum "
	    "point in the source)\n"
	    "  -n COUNT  when that is passed so often\n"
	    "  -h        this text\n", to);
}

int
main(int argc, char **argv)
{
	static const struct option longer[] = {
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int c, fd;

	while ((c = getopt_long(argc, argv, "hpk:n:", longer, NULL)) != -1)
		switch (c) {
		case 'p': offer_packed = true; break;
		case 'k': die_at = (enum point)atoi(optarg); break;
		case 'n': die_count = (unsigned int)atoi(optarg); break;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	if (argc - optind != 2) {
		usage(stderr);
		return 2;
	}
	if (strlen(argv[optind]) >= sizeof(sun.sun_path))
		errx(2, "%s: too long for a socket", argv[optind]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	image = open(argv[optind + 1], O_RDWR | O_CLOEXEC);
	if (image < 0)
		err(1, "%s", argv[optind + 1]);
	capacity = (uint64_t)lseek(image, 0, SEEK_END);
	strcpy(sun.sun_path, argv[optind]);
	unlink(sun.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    listen(fd, 1) != 0)
		err(1, "%s", sun.sun_path);
	puts("listening");
	sock = accept(fd, NULL, NULL);
	if (sock < 0)
		err(1, "accept");
	serve_all();
	puts("closed");
	return 0;
}
