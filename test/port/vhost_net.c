/* SPDX-License-Identifier: ISC */
/*
 * vhost_net [options] SOCKET FRAMES - the network driver against a back end
 * that sends each frame back, on the queue it came on, with its addresses
 * exchanged (testpmd, macswap)
 *
 *	-s		listen, and let the back end connect
 *	-p		poll: no interrupts
 *	-d MASK		device features to leave; -D MASK protocol's
 *	-z SIZE		ring entries
 *	-m MTU
 *	-w N		frames under way at most, on each queue
 *	-q N		queue pairs, each a thread's
 *	-x N		stop, start and go on, so often
 *	-r N		take each transmit queue back by itself, so often: when
 *			all frames are back, since testpmd drops what it has
 *			between its ports then
 *
 * Each frame has a length and contents that follow from queue and number; what
 * comes back is held to that, byte by byte, and comes once. A back end that
 * goes away is waited for 20 seconds. While it starts testpmd drops what it can't
 * send yet: so each queue begins with a probe, repeated until one comes back.
 * It ends with "done" behind what it counted, or with what was wrong.
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <paravane/net.h>

#include "driver.h"

#define NBUFS	256u		/* of a pair, in each direction */
#define BUFLEN	10240u
#define LONGEST	9014u
#define HDR	64u		/* before the frame; the header ends there */
#define MAXPAIRS 4u
#define STUCK	20000000000ull	/* nanoseconds without a frame */
#define PROBE	100000000ull
#define PROBES	~0ul		/* the number of all of them */

struct buf {
	uint8_t *b_va;
	bus_dmamap_t b_map;
	struct buf *b_next;
};

struct pair {
	pthread_t p_thread;
	unsigned int p_queue;
	unsigned long p_total, p_sent, p_received, p_lost;
	unsigned long p_pieces;
	uint64_t p_last;		/* when a frame came */
	uint64_t p_probed;
	int p_ready;			/* a probe came back */
	struct buf p_bufs[2 * NBUFS];
	struct buf *p_free;
	uint8_t p_frame[4 * BUFLEN];	/* that is put together */
	unsigned int p_have;
	unsigned char p_back[1 << 16];	/* by number, modulo */
};

static struct pv_net net;
static struct pair *pairs[MAXPAIRS];
static unsigned int npairs = 1, window = 128, longest;
static unsigned long breaks;
static _Atomic unsigned long limit;	/* of each pair, in this round */
static int polling, resets;
static pthread_rwlock_t running = PTHREAD_RWLOCK_INITIALIZER;

static const struct pv_net_callbacks callbacks = { .nc_broken = on_broken };

static void
make_pair(unsigned int queue)
{
	struct pair *p = calloc(1, sizeof(*p));
	uint8_t *mem = shmem_alloc(&sm, 2 * NBUFS * BUFLEN, 4096);
	struct buf *b;
	unsigned int i;

	if (p == NULL || mem == NULL)
		errx(1, "no memory");
	p->p_queue = queue;
	pairs[queue] = p;
	for (i = 0; i < 2 * NBUFS; i++) {
		b = &p->p_bufs[i];
		b->b_va = mem + i * BUFLEN;
		if (bus_dmamap_create(&sm.sm_tag, BUFLEN, 2, BUFLEN, 0, 0,
		    &b->b_map) != 0 || bus_dmamap_load(&sm.sm_tag, b->b_map,
		    b->b_va, BUFLEN, NULL, 0) != 0)
			errx(1, "no map");
		if (i >= NBUFS) {
			b->b_next = p->p_free;
			p->p_free = b;
		}
	}
}

/* What a number says: which queue's, too. */
static unsigned int
length_of(unsigned long n)
{
	return 64 + (unsigned int)(n * 2654435761u >> 7) % (longest - 63);
}

static uint8_t
byte_of(unsigned long n, unsigned int i)
{
	return (uint8_t)(n * 31 + i * 7 + (n >> 8));
}

static void
fill(uint8_t *to, unsigned long n)
{
	unsigned int i, len = length_of(n);

	memcpy(to, "\2\0\0\0\0\1\2\0\0\0\0\2\x88\xb5", 14);
	for (i = 14; i < len; i++)
		to[i] = byte_of(n, i);
	memcpy(to + 14, &n, sizeof(n));
}

static void
check(struct pair *p, const uint8_t *f, unsigned int len)
{
	unsigned long n, k;
	unsigned char *back;
	unsigned int i;

	memcpy(&n, f + 14, sizeof(n));
	if (n == PROBES && len == length_of(n)) {
		p->p_ready = 1;
		return;
	}
	k = n >> 2;
	if (len < 64 || (n & 3) != p->p_queue || k >= p->p_sent ||
	    len != length_of(n))
		errx(1, "frame %lu of %lu came back to queue %u with %u bytes",
		    n, p->p_sent, p->p_queue, len);
	if (memcmp(f, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14) != 0)
		errx(1, "frame %lu: addresses", n);
	for (i = 14 + sizeof(n); i < len; i++)
		if (f[i] != byte_of(n, i))
			errx(1, "frame %lu: byte %u of %u is 0x%02x", n, i,
			    len, f[i]);
	back = &p->p_back[k % sizeof(p->p_back)];
	if (*back == (unsigned char)(k / sizeof(p->p_back) + 1))
		errx(1, "frame %lu came back twice", n);
	*back = (unsigned char)(k / sizeof(p->p_back) + 1);
	__atomic_fetch_add(&p->p_received, 1, __ATOMIC_RELAXED);
}

static void
post(struct pair *p, struct buf *b)
{
	const struct pv_net_rxbuf rb = {
		.rb_piece = { b->b_map, 0, BUFLEN },
		.rb_va = b->b_va,
		.rb_cookie = b,
	};
	unsigned int done;

	pv_net_post(&net, p->p_queue, &rb, 1, &done);
}

static void
post_all(void)
{
	unsigned int q, i, n = pv_net_rx_size(&net);

	for (q = 0; q < npairs; q++)
		for (i = 0; i < NBUFS && i < n; i++)
			post(pairs[q], &pairs[q]->p_bufs[i]);
}

static void
reclaim(struct pair *p)
{
	void *cookies[64];
	unsigned int i, n;
	struct buf *b;

	while (pv_net_reclaim(&net, p->p_queue, cookies, 64, &n) == 0 && n > 0)
		for (i = 0; i < n; i++) {
			b = cookies[i];
			b->b_next = p->p_free;
			p->p_free = b;
		}
}

/* The number of the next frame, or there is none to send. */
static bool
next_frame(struct pair *p, unsigned int n, unsigned long *number)
{
	unsigned long under_way = p->p_sent - p->p_received - p->p_lost;

	*number = p->p_ready ? (p->p_sent + n) << 2 | p->p_queue : PROBES;
	if (p->p_free == NULL)
		return false;
	if (p->p_ready)
		return p->p_sent + n < p->p_total && p->p_sent + n < limit &&
		    under_way + n < window;
	if (n != 0 || pv_kern_uptime_ns() - p->p_probed < PROBE)
		return false;
	p->p_probed = pv_kern_uptime_ns();
	return true;
}

static void
transmit(struct pair *p)
{
	struct pv_net_tx tx[32];
	struct pv_piece pc[32];
	unsigned int i, n = 0, done = 0, hdr = pv_net_hdrlen(&net);
	unsigned long number;
	struct buf *b;

	while (n < 32 && next_frame(p, n, &number)) {
		b = p->p_free;
		p->p_free = b->b_next;
		fill(b->b_va + HDR, number);
		pc[n] = (struct pv_piece){ b->b_map, HDR, length_of(number) };
		memset(&tx[n], 0, sizeof(tx[n]));
		tx[n].tx_pieces = &pc[n];
		tx[n].tx_npieces = 1;
		tx[n].tx_hdr = b->b_va + HDR - hdr;
		tx[n++].tx_cookie = b;
	}
	if (n != 0)
		pv_net_transmit(&net, p->p_queue, tx, n, &done);
	if (p->p_ready)
		p->p_sent += done;
	for (i = n; i-- > done;) {
		b = tx[i].tx_cookie;
		b->b_next = p->p_free;
		p->p_free = b;
	}
}

static void
receive(struct pair *p)
{
	struct pv_net_rx rx[64];
	unsigned int i, n = 0;
	struct buf *b;

	while (pv_net_receive(&net, p->p_queue, rx, 64, &n) == 0 && n > 0) {
		for (i = 0; i < n; i++) {
			b = rx[i].rx_cookie;
			if (rx[i].rx_flags & PV_NET_RX_ERROR)
				errx(1, "a frame with an error");
			memcpy(p->p_frame + p->p_have, b->b_va + rx[i].rx_off,
			    rx[i].rx_len);
			p->p_have += rx[i].rx_len;
			p->p_pieces++;
			if ((rx[i].rx_flags & PV_NET_RX_MORE) == 0) {
				check(p, p->p_frame, p->p_have);
				p->p_have = 0;
			}
			post(p, b);
		}
		p->p_last = pv_kern_uptime_ns();
	}
}

static int
finished(const struct pair *p)
{
	return p->p_received + p->p_lost >= p->p_total;
}

static void
rest(struct pair *p)
{
	if (polling) {
		if (!vhost_connected(vh))
			broken = 1;
	} else if (!pv_net_rx_intr(&net, p->p_queue, 1) &&
	    vhost_wait(vh, (int)PV_NET_RXQ(p->p_queue), 100) == ENOTCONN)
		broken = 1;
}

/* One look, with the lock; false when all is back. */
static bool
work_once(struct pair *p)
{
	unsigned long before = p->p_received;

	if (pv_kern_uptime_ns() - p->p_last > STUCK)
		errx(1, "queue %u: no frame for long: sent %lu, back %lu, "
		    "lost %lu %s", p->p_queue, p->p_sent, p->p_received,
		    p->p_lost, vhost_error(vh));
	if (!broken) {
		reclaim(p);
		transmit(p);
		receive(p);
		if (before == p->p_received && !finished(p))
			rest(p);
	}
	return !finished(p);
}

static void *
work(void *arg)
{
	bool more = true;

	while (more) {
		pthread_rwlock_rdlock(&running);
		more = work_once(arg);
		pthread_rwlock_unlock(&running);
		if (broken)
			usleep(2000);
	}
	return NULL;
}

/* What was under way, either way, is lost. */
static void
drain(struct pair *p)
{
	struct buf *b;

	while ((b = pv_net_drain_tx(&net, p->p_queue)) != NULL) {
		b->b_next = p->p_free;
		p->p_free = b;
	}
	while (pv_net_drain_rx(&net, p->p_queue) != NULL)
		;
	p->p_have = 0;
	p->p_ready = 0;
	p->p_lost = p->p_sent - p->p_received;
	p->p_last = pv_kern_uptime_ns();
}

/* The threads are kept away meanwhile. */
static void
again(void)
{
	unsigned int q;
	int error;

	pthread_rwlock_wrlock(&running);
	breaks++;
	error = pv_net_stop(&net);
	if (error)
		errx(1, "stop: %s", strerror(error));
	for (q = 0; q < npairs; q++)
		drain(pairs[q]);
	reconnect();
	error = pv_net_start(&net);
	if (error)
		errx(1, "start: %s (%s)", strerror(error), vhost_error(vh));
	post_all();
	broken = 0;
	printf("again: %lu\n", breaks);
	pthread_rwlock_unlock(&running);
}

static unsigned long
all(size_t off)
{
	unsigned long n = 0;
	unsigned int q;

	for (q = 0; q < npairs; q++)
		n += __atomic_load_n((unsigned long *)(void *)
		    ((char *)pairs[q] + off), __ATOMIC_RELAXED);
	return n;
}

#define ALL(member)	all(offsetof(struct pair, member))

/* One ring of each pair is stopped, and started; nothing is under way. */
static void
reset_queues(void)
{
	struct buf *b;
	unsigned int q;
	int error;

	pthread_rwlock_wrlock(&running);
	for (q = 0; q < npairs; q++) {
		error = pv_net_reset_tx(&net, q);
		while ((b = pv_net_drain_tx(&net, q)) != NULL) {
			b->b_next = pairs[q]->p_free;
			pairs[q]->p_free = b;
		}
		if (error == 0)
			error = pv_net_resume_tx(&net, q);
		if (error)
			errx(1, "reset of queue %u: %s (%s)", q,
			    strerror(error), vhost_error(vh));
		pairs[q]->p_ready = 0;
		pairs[q]->p_probed = 0;
	}
	printf("reset: %d\n", ++resets);
	broken = 0;
	pthread_rwlock_unlock(&running);
}

/* Whether a round is over; those that end in a stop do so in traffic. */
static bool
round_over(int reset)
{
	unsigned long back = ALL(p_received) + ALL(p_lost);

	return reset ? back >= npairs * limit :
	    back > npairs * (limit - window);
}

/* A round's last frames are under way when it is stopped. */
static void
run(unsigned long total, unsigned int rounds, int reset)
{
	unsigned int q, round = 1;

	limit = rounds > 1 ? total / npairs / rounds : total;
	for (q = 0; q < npairs; q++) {
		pairs[q]->p_total = total / npairs;
		pairs[q]->p_last = pv_kern_uptime_ns();
		pthread_create(&pairs[q]->p_thread, NULL, work, pairs[q]);
	}
	total = total / npairs * npairs;
	while (ALL(p_received) + ALL(p_lost) < total) {
		usleep(1000);
		vhost_attend(vh, VHOST_ALL);
		if (broken || !vhost_connected(vh)) {
			broken = 1;
			again();
		} else if (round < rounds && round_over(reset)) {
			broken = 1;		/* keeps the threads away */
			if (reset)
				reset_queues();
			else
				again();
			limit = ++round == rounds ? total :
			    total / npairs / rounds * round;
		}
	}
	for (q = 0; q < npairs; q++)
		pthread_join(pairs[q]->p_thread, NULL);
}

static void
report(void)
{
	struct vhost_counters vc;
	char text[200];
	unsigned int q;

	vhost_counters(vh, &vc);
	vhost_protocol_text(vh, text, sizeof(text));
	printf("protocol: %s\nfeatures: 0x%llx\n", text,
	    (unsigned long long)pv_virtio_features(&dev));
	printf("mtu: %u mac: %02x pairs: %u ring: %u\n", pv_net_mtu(&net),
	    pv_net_mac(&net)[5], npairs, pv_net_rx_size(&net));
	for (q = 0; q < npairs; q++)
		printf("queue %u: back %lu\n", q, pairs[q]->p_received);
	printf("frames: sent %lu back %lu lost %lu buffers %lu\n",
	    ALL(p_sent), ALL(p_received), ALL(p_lost), ALL(p_pieces));
	printf("breaks: %lu connects: %llu\n", breaks,
	    (unsigned long long)vc.vc_connects);
	printf("kicks: %llu calls: %llu\n", (unsigned long long)vc.vc_kicks,
	    (unsigned long long)vc.vc_calls);
}

void
usage(FILE *to)
{
	fputs("usage: vhost_net [-sp] [-d MASK] [-D MASK] [-z SIZE] [-m MTU] "
	    "[-w N] [-q N] [-x N]\n"
	    "                 [-r N] SOCKET FRAMES\n\n"
	    "Sends FRAMES by a vhost-user back end that returns each one "
	    "(testpmd, macswap),\n"
	    "and checks what comes back.\n\n"
	    "  -s       listen at SOCKET, and let the back end connect\n"
	    "  -p       poll: no interrupts\n"
	    "  -d MASK  device features to leave; -D MASK: the protocol's\n"
	    "  -z SIZE  ring entries (256); testpmd drops what a short ring "
	    "has no room for:\n"
	    "           then also -w\n"
	    "  -m MTU   the device's, 68 to 65535\n"
	    "  -w N     frames under way at most, on each queue (128)\n"
	    "  -q N     queue pairs, each a thread's (1)\n"
	    "  -x N     stop and start, so that there are N rounds (1)\n"
	    "  -r N     the same of each transmit queue alone (RING_RESET)\n"
	    "  -h       this text\n", to);
}

int
main(int argc, char **argv)
{
	struct pv_net_params np = { .np_rxsize = 256, .np_txsize = 256 };
	struct vhost_params vp = {
		.vp_type = PV_TYPE_NET, .vp_mac = { 2, 0, 0, 0, 0, 1 },
	};
	unsigned int rounds = 1, q;
	unsigned long frames;
	int c;

	while ((c = getopt_long(argc, argv, "spd:D:z:m:w:q:x:r:h",
	    driver_help, NULL)) != -1)
		switch (c) {
		case 's': vp.vp_server = 1; break;
		case 'p': vp.vp_poll = polling = 1; break;
		case 'd': np.np_deny = number(optarg, 0, UINT64_MAX); break;
		case 'D': vp.vp_protocol_deny = number(optarg, 0, UINT64_MAX);
			break;
		case 'z': np.np_rxsize = np.np_txsize =
			    (unsigned int)number(optarg, 2, 32768); break;
		case 'm': vp.vp_mtu = (uint16_t)number(optarg, 68, 65535);
			break;
		case 'w': window = (unsigned int)number(optarg, 1, 65536);
			break;
		case 'q': np.np_pairs = vp.vp_nqueues =
			    (unsigned int)number(optarg, 1, MAXPAIRS); break;
		case 'x': rounds = (unsigned int)number(optarg, 1, 1000000);
			break;
		case 'r': rounds = (unsigned int)number(optarg, 1, 1000000);
			vp.vp_ring_reset = 1; break;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	if (argc - optind != 2) {
		usage(stderr);
		return 2;
	}
	frames = (unsigned long)number(argv[optind + 1], 1, LONG_MAX);
	vp.vp_path = argv[optind];
	driver_begin(&vp, 12 << 20, "net0");
	driver_attached(pv_net_attach(&net, &dev, &callbacks, NULL, &np));
	npairs = pv_net_info(&net)->ni_pairs;
	longest = pv_net_mtu(&net) + 14;
	if (longest > LONGEST)
		longest = LONGEST;
	for (q = 0; q < npairs; q++)
		make_pair(q);
	post_all();
	puts("up");
	run(frames, rounds, vp.vp_ring_reset);
	report();
	driver_end(pv_net_detach(&net));
	return 0;
}
