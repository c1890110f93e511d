/* SPDX-License-Identifier: ISC */
/*
 * vhost_blk [options] SOCKET EXPECT OPS - the disk driver against a back end
 *
 *	-s		listen, and let the back end connect
 *	-r		resume rings in a new back end, if it tracks what is in
 *			flight; otherwise requests are sent again (replay.h)
 *	-d MASK		device features to leave; -D MASK protocol's
 *	-q N		queues, each a thread's
 *	-g		memory grows on the way, and is used
 *
 * Each thread has a part of the disk, writes to chunks of it what follows from
 * place and generation, and reads others back. At the end all of the disk, as
 * it must be, goes to the file EXPECT. A back end that goes away is waited for
 * 20 seconds.
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <paravane/blk.h>

#include "driver.h"
#include "replay.h"

#define CHUNK	65536u
#define NSLOTS	16u
#define STUCK	20000000000ull

struct slot {
	struct replay_request sl_rr;	/* first */
	struct pv_piece sl_pieces[2];
	bus_dmamap_t sl_map;
	uint8_t *sl_va;
	unsigned int sl_chunk;
	unsigned int sl_off, sl_len;	/* in the chunk */
};

struct worker {
	pthread_t w_thread;
	unsigned int w_queue;
	unsigned int w_first, w_nchunks;
	unsigned long w_ops, w_seed;
	unsigned long w_started, w_done, w_errors;
	unsigned int w_grown;
	struct slot w_slots[NSLOTS];
	struct slot *w_free[NSLOTS];
	unsigned int w_nfree;
	struct replay_request *w_ready[NSLOTS];	/* to be submitted */
	unsigned int w_nready;
};

static struct pv_blk blk;
static struct replay rp;
static struct worker workers[4];
static unsigned int nworkers = 1;
static uint8_t *disk;			/* as it must be */
static uint8_t *taken;			/* chunks with a request */
static uint8_t *extra;			/* memory that came later */
static pthread_rwlock_t running = PTHREAD_RWLOCK_INITIALIZER;
static unsigned long breaks;

static void
on_done(void *arg, unsigned int queue)
{
	(void)arg;
	(void)queue;
}

static void
on_changed(void *arg)
{
	(void)arg;
}

static const struct pv_blk_callbacks callbacks = {
	on_done, on_changed, on_broken
};

static unsigned int
draw(struct worker *w, unsigned int below)
{
	w->w_seed = w->w_seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned int)(w->w_seed >> 33) % below;
}

static void
slot_memory(struct slot *sl, uint8_t *va)
{
	if (sl->sl_map == NULL && bus_dmamap_create(&sm.sm_tag, CHUNK, 4,
	    CHUNK, 0, 0, &sl->sl_map) != 0)
		errx(1, "no map");
	if (sl->sl_map->dm_mapsize != 0)
		bus_dmamap_unload(&sm.sm_tag, sl->sl_map);
	if (bus_dmamap_load(&sm.sm_tag, sl->sl_map, va, CHUNK, NULL, 0) != 0)
		errx(1, "no load");
	sl->sl_va = va;
}

/* Where nobody has a request: overlapping ones would have no order. */
static unsigned int
free_chunk(struct worker *w)
{
	unsigned int chunk;

	do
		chunk = w->w_first + draw(w, w->w_nchunks);
	while (taken[chunk]);
	taken[chunk] = 1;
	return chunk;
}

static void
prepare(struct worker *w, struct slot *sl)
{
	struct pv_blk_request *br = &sl->sl_rr.rr_br;
	uint8_t *place;
	unsigned int i, half;

	if (extra != NULL && !(w->w_grown & 1u << (sl - w->w_slots))) {
		slot_memory(sl, extra + (w->w_queue * NSLOTS +
		    (unsigned int)(sl - w->w_slots)) * CHUNK);
		w->w_grown |= 1u << (sl - w->w_slots);
	}
	sl->sl_chunk = free_chunk(w);
	sl->sl_off = draw(w, 64) * 512;
	sl->sl_len = (1 + draw(w, 64)) * 512;
	place = disk + (size_t)sl->sl_chunk * CHUNK + sl->sl_off;
	br->br_op = w->w_started % 64 == 63 ? PV_BLK_FLUSH :
	    draw(w, 3) != 0 ? PV_BLK_WRITE : PV_BLK_READ;
	if (br->br_op == PV_BLK_WRITE) {
		for (i = 0; i < sl->sl_len; i++)
			place[i] = (uint8_t)(w->w_started * 7 + i * 3 +
			    (i >> 9));
		memcpy(sl->sl_va, place, sl->sl_len);
	} else
		memset(sl->sl_va, 0xee, CHUNK);
	half = sl->sl_len / 1024 * 512;
	sl->sl_pieces[0] = (struct pv_piece){ sl->sl_map, 0,
	    half != 0 ? half : sl->sl_len };
	sl->sl_pieces[1] = (struct pv_piece){ sl->sl_map, half,
	    sl->sl_len - half };
	br->br_offset = (uint64_t)sl->sl_chunk * CHUNK + sl->sl_off;
	br->br_len = sl->sl_len;
	br->br_pieces = sl->sl_pieces;
	br->br_npieces = br->br_op == PV_BLK_FLUSH ? 0 : half != 0 ? 2 : 1;
	br->br_cookie = sl;
}

static void
finish(struct worker *w, struct slot *sl)
{
	const struct pv_blk_request *br = &sl->sl_rr.rr_br;

	if (br->br_error != 0) {
		printf("request %u at %llu: %s\n", br->br_op,
		    (unsigned long long)br->br_offset, strerror(br->br_error));
		w->w_errors++;
	} else if (br->br_op == PV_BLK_READ && memcmp(sl->sl_va,
	    disk + br->br_offset, sl->sl_len) != 0)
		errx(1, "what was read at %llu is not what was written",
		    (unsigned long long)br->br_offset);
	taken[sl->sl_chunk] = 0;
	w->w_free[w->w_nfree++] = sl;
	__atomic_fetch_add(&w->w_done, 1, __ATOMIC_RELAXED);
}

/* Both in batches: what is submitted at once has one doorbell. */
static void
submit(struct worker *w)
{
	unsigned int accepted = 0;

	while (w->w_nfree > 0 && w->w_started < w->w_ops) {
		prepare(w, w->w_free[--w->w_nfree]);
		w->w_ready[w->w_nready++] = &w->w_free[w->w_nfree]->sl_rr;
		w->w_started++;
	}
	if (w->w_nready == 0)
		return;
	if (replay_submit(&rp, w->w_queue, w->w_ready, w->w_nready,
	    &accepted) != 0 && pv_virtio_broken(&dev) == NULL)
		errx(1, "not accepted");
	w->w_nready -= accepted;	/* it is broken: another time */
	memmove(w->w_ready, w->w_ready + accepted,
	    w->w_nready * sizeof(w->w_ready[0]));
}

static unsigned int
complete(struct worker *w)
{
	struct replay_request *rr[NSLOTS];
	unsigned int i, n = 0;

	replay_complete(&rp, w->w_queue, rr, NSLOTS, &n);
	for (i = 0; i < n; i++)
		finish(w, (struct slot *)(void *)rr[i]);
	return n;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	uint64_t last = pv_kern_uptime_ns();

	while (w->w_done < w->w_ops) {
		pthread_rwlock_rdlock(&running);
		if (!broken && vhost_connected(vh))
			submit(w);
		if (complete(w) != 0)
			last = pv_kern_uptime_ns();
		else if (!broken && !pv_blk_intr(&blk, w->w_queue, 1) &&
		    vhost_wait(vh, (int)w->w_queue, 200) == ENOTCONN)
			broken = 1;
		pthread_rwlock_unlock(&running);
		if (broken)
			usleep(2000);
		if (pv_kern_uptime_ns() - last > STUCK)
			errx(1, "queue %u: nothing for long: %lu of %lu, %s",
			    w->w_queue, w->w_done, w->w_ops, vhost_error(vh));
	}
	return NULL;
}

static struct worker *
worker_of(const struct slot *sl)
{
	unsigned int i = 0;

	while (sl < workers[i].w_slots || sl >= workers[i].w_slots + NSLOTS)
		i++;
	return &workers[i];
}

static void
start_again(void)
{
	struct replay_request *rr;
	int error;

	replay_stopped(&rp, pv_blk_stop(&blk));
	while ((rr = replay_failed(&rp)) != NULL)
		finish(worker_of((struct slot *)(void *)rr),
		    (struct slot *)(void *)rr);
	reconnect();
	error = pv_blk_start(&blk);
	if (error == 0)
		error = replay_again(&rp);
	if (error)
		errx(1, "start: %s (%s)", strerror(error), vhost_error(vh));
}

/* The threads are kept away meanwhile, but where the rings are. */
static void
mend(bool resume)
{
	broken = 1;
	pthread_rwlock_wrlock(&running);
	breaks++;
	if (resume && pv_virtio_broken(&dev) == NULL)
		reconnect();
	else
		start_again();
	broken = 0;
	printf("goes on: %lu\n", breaks);
	pthread_rwlock_unlock(&running);
}

static void
grow(void)
{
	int error;

	error = shmem_grow(&sm, 16 << 20);
	if (error == 0)
		error = vhost_memory(vh);
	if (error)
		errx(1, "grow: %s (%s)", strerror(error), vhost_error(vh));
	extra = shmem_alloc(&sm, 12 << 20, 4096);
	if (extra == NULL)
		errx(1, "grow: no memory");
}

static void
make_workers(unsigned long ops)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	unsigned int i, j, chunks = (unsigned int)(bi->bi_capacity / CHUNK);
	struct worker *w;
	uint8_t *mem;

	disk = calloc(1, (size_t)bi->bi_capacity);
	taken = calloc(1, chunks);
	for (i = 0; i < nworkers; i++) {
		w = &workers[i];
		w->w_queue = i;
		w->w_ops = ops / nworkers;
		w->w_seed = i + 1;
		w->w_first = chunks / nworkers * i;
		w->w_nchunks = chunks / nworkers;
		mem = shmem_alloc(&sm, NSLOTS * CHUNK, 4096);
		if (mem == NULL)
			errx(1, "no memory");
		for (j = 0; j < NSLOTS; j++) {
			slot_memory(&w->w_slots[j], mem + j * CHUNK);
			w->w_free[w->w_nfree++] = &w->w_slots[j];
		}
	}
}

static unsigned long
all(size_t off)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < nworkers; i++)
		n += __atomic_load_n((unsigned long *)(void *)
		    ((char *)&workers[i] + off), __ATOMIC_RELAXED);
	return n;
}

static void
run(unsigned long ops, bool resume, int growing)
{
	unsigned int i;

	for (i = 0; i < nworkers; i++)
		pthread_create(&workers[i].w_thread, NULL, work, &workers[i]);
	while (all(offsetof(struct worker, w_done)) < ops) {
		usleep(1000);
		vhost_attend(vh, VHOST_ALL);
		if (broken || !vhost_connected(vh))
			mend(resume);
		if (growing && all(offsetof(struct worker, w_done)) > ops / 3) {
			grow();
			growing = 0;
		}
	}
	for (i = 0; i < nworkers; i++)
		pthread_join(workers[i].w_thread, NULL);
}

static void
flush(void)
{
	struct replay_request rr, *prr = &rr;
	unsigned int n = 0;

	memset(&rr, 0, sizeof(rr));
	rr.rr_br.br_op = PV_BLK_FLUSH;
	if (replay_submit(&rp, 0, &prr, 1, &n) != 0)
		errx(1, "flush");
	while (n = 0, replay_complete(&rp, 0, &prr, 1, &n) == 0 && n == 0)
		if (!pv_blk_intr(&blk, 0, 1))
			vhost_wait(vh, 0, 200);
	if (rr.rr_br.br_error != 0)
		errx(1, "flush: %s", strerror(rr.rr_br.br_error));
}

static void
report(const char *expect)
{
	const struct pv_blk_info *bi = pv_blk_info(&blk);
	struct replay_counters rc;
	struct vhost_counters vc;
	char text[200];
	FILE *f;

	f = fopen(expect, "w");
	if (f == NULL || fwrite(disk, (size_t)bi->bi_capacity, 1, f) != 1 ||
	    fclose(f) != 0)
		err(1, "%s", expect);
	vhost_counters(vh, &vc);
	vhost_protocol_text(vh, text, sizeof(text));
	replay_counters(&rp, &rc);
	printf("protocol: %s\nfeatures: 0x%llx\n", text,
	    (unsigned long long)pv_virtio_features(&dev));
	printf("capacity: %llu queues: %u\n",
	    (unsigned long long)bi->bi_capacity, bi->bi_nqueues);
	printf("requests: done %lu errors %lu\n",
	    all(offsetof(struct worker, w_done)),
	    all(offsetof(struct worker, w_errors)));
	printf("breaks: %lu connects: %llu resumes: %llu again: %llu\n",
	    breaks, (unsigned long long)vc.vc_connects,
	    (unsigned long long)vc.vc_resumes, (unsigned long long)rc.rc_again);
	printf("kicks: %llu calls: %llu regions: %u\n",
	    (unsigned long long)vc.vc_kicks, (unsigned long long)vc.vc_calls,
	    sm.sm_nregions);
}

void
usage(FILE *to)
{
	fputs("usage: vhost_blk [-srg] [-d MASK] [-D MASK] [-q N] SOCKET EXPECT "
	    "OPS\n\n"
	    "Makes OPS requests of a disk that a vhost-user back end serves "
	    "(QEMU's storage\n"
	    "daemon), checks what it reads, and leaves in the file EXPECT what "
	    "the image must\n"
	    "then be.\n\n"
	    "  -s       listen at SOCKET, and let the back end connect\n"
	    "  -r       resume the rings in a new back end, if it tracks what "
	    "is in flight;\n"
	    "           otherwise requests are sent again\n"
	    "  -d MASK  device features to leave; -D MASK: the protocol's\n"
	    "  -q N     queues, each a thread's (1)\n"
	    "  -g       memory grows on the way, and is used\n"
	    "  -h       this text\n", to);
}

int
main(int argc, char **argv)
{
	struct pv_blk_params bp = { .bp_size = 64 };
	struct vhost_params vp = { .vp_type = PV_TYPE_BLK };
	int c, error, growing = 0;
	unsigned long ops;

	while ((c = getopt_long(argc, argv, "srd:D:q:gh", driver_help,
	    NULL)) != -1)
		switch (c) {
		case 's': vp.vp_server = 1; break;
		case 'r': vp.vp_resume = 1; break;
		case 'd': bp.bp_deny = number(optarg, 0, UINT64_MAX); break;
		case 'D': vp.vp_protocol_deny = number(optarg, 0, UINT64_MAX);
			break;
		case 'q': bp.bp_nqueues = (unsigned int)number(optarg, 1,
			    sizeof(workers) / sizeof(workers[0])); break;
		case 'g': growing = 1; break;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	if (argc - optind != 3) {
		usage(stderr);
		return 2;
	}
	vp.vp_path = argv[optind];
	ops = (unsigned long)number(argv[optind + 2], 1, LONG_MAX);
	driver_begin(&vp, 4 << 20, "disk0");
	driver_attached(pv_blk_attach(&blk, &dev, &callbacks, NULL, &bp));
	nworkers = pv_blk_info(&blk)->bi_nqueues;
	replay_init(&rp, &blk, 0);
	make_workers(ops);
	puts("up");
	run(ops / nworkers * nworkers, vp.vp_resume, growing);
	flush();
	report(argv[optind + 1]);
	error = pv_blk_detach(&blk);
	replay_fini(&rp);
	driver_end(error);
	return 0;
}
