/* SPDX-License-Identifier: ISC */
/*
 * vhost_net [options] SOCKET FRAMES - the network driver against a back end
 * that sends each frame back with its addresses exchanged (testpmd, macswap)
 *
 *	-s		listen, and let the back end connect
 *	-p		poll: no interrupts
 *	-d MASK		device features to leave; -D MASK protocol's
 *	-z SIZE		ring entries
 *	-m MTU
 *	-w N		frames under way at most
 *	-x N		rounds: stop, start and go on, so often
 *
 * Each frame has a length and contents that follow from its number; what comes
 * back is held to that, byte by byte. A back end that goes away is waited for
 * 20 seconds. It ends with "done" and what it counted, or with what was wrong.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <paravane/net.h>

#include "vhost_user.h"

#define NBUFS	256u
#define BUFLEN	10240u
#define LONGEST	9014u
#define HDR	64u		/* before the frame; the header ends there */
#define STUCK	15000000000ull	/* nanoseconds without a frame */

struct buf {
	uint8_t *b_va;
	bus_dmamap_t b_map;
	unsigned long b_frame;
	struct buf *b_next;
};

static struct shmem sm;
static struct vhost *vh;
static struct pv_virtio dev;
static struct pv_net net;
static struct buf bufs[2 * NBUFS], *txfree;
static unsigned char back[1 << 16];	/* by number, modulo */
static unsigned long total, sent, received, lost, breaks;
static unsigned int window = 128, npieces, longest;
static int polling;
static volatile int broken;

static void
nothing(void *arg)
{
	(void)arg;
}

static void
on_broken(void *arg, const char *why)
{
	(void)arg;
	printf("broken: %s\n", why);
	broken = 1;
}

static void
no_queue(void *arg, unsigned int queue)
{
	(void)arg;
	(void)queue;
}

static const struct pv_net_callbacks callbacks = {
	.nc_rx = no_queue, .nc_tx = no_queue, .nc_changed = nothing,
	.nc_broken = on_broken,
};

static void
make_buffers(void)
{
	uint8_t *mem = shmem_alloc(&sm, sizeof(bufs) / sizeof(*bufs) * BUFLEN,
	    4096);
	unsigned int i;

	if (mem == NULL)
		errx(1, "no memory");
	for (i = 0; i < 2 * NBUFS; i++) {
		bufs[i].b_va = mem + i * BUFLEN;
		if (bus_dmamap_create(&sm.sm_tag, BUFLEN, 2, BUFLEN, 0, 0,
		    &bufs[i].b_map) != 0 || bus_dmamap_load(&sm.sm_tag,
		    bufs[i].b_map, bufs[i].b_va, BUFLEN, NULL, 0) != 0)
			errx(1, "no map");
		if (i >= NBUFS) {
			bufs[i].b_next = txfree;
			txfree = &bufs[i];
		}
	}
}

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
fill(uint8_t *p, unsigned long n)
{
	unsigned int i, len = length_of(n);

	memcpy(p, "\2\0\0\0\0\1\2\0\0\0\0\2\x88\xb5", 14);
	for (i = 14; i < len; i++)
		p[i] = byte_of(n, i);
	memcpy(p + 14, &n, sizeof(n));
}

static void
check(const uint8_t *p, unsigned int len)
{
	unsigned long n;
	unsigned int i;

	memcpy(&n, p + 14, sizeof(n));
	if (len < 64 || n >= sent || len != length_of(n))
		errx(1, "frame %lu of %lu came back with %u bytes", n, sent,
		    len);
	if (memcmp(p, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14) != 0)
		errx(1, "frame %lu: addresses", n);
	for (i = 14 + sizeof(n); i < len; i++)
		if (p[i] != byte_of(n, i))
			errx(1, "frame %lu: byte %u of %u is 0x%02x", n, i,
			    len, p[i]);
	if (back[n % sizeof(back)] == (unsigned char)(n / sizeof(back) + 1))
		errx(1, "frame %lu came back twice", n);
	back[n % sizeof(back)] = (unsigned char)(n / sizeof(back) + 1);
}

static void
post(struct buf *b)
{
	const struct pv_net_rxbuf rb = {
		.rb_piece = { b->b_map, 0, BUFLEN },
		.rb_va = b->b_va,
		.rb_cookie = b,
	};
	unsigned int done;

	pv_net_post(&net, 0, &rb, 1, &done);
}

static void
post_all(void)
{
	unsigned int i, n = pv_net_rx_size(&net);

	for (i = 0; i < NBUFS && i < n; i++)
		post(&bufs[i]);
}

static void
reclaim(void)
{
	void *cookies[64];
	unsigned int i, n;

	while (pv_net_reclaim(&net, 0, cookies, 64, &n) == 0 && n > 0)
		for (i = 0; i < n; i++) {
			((struct buf *)cookies[i])->b_next = txfree;
			txfree = cookies[i];
		}
}

static int
transmit(void)
{
	struct pv_net_tx tx;
	struct pv_piece pc;
	struct buf *b = txfree;
	unsigned int done, hdr = pv_net_hdrlen(&net);

	if (b == NULL || sent == total || sent - received - lost >= window)
		return 0;
	fill(b->b_va + HDR, sent);
	memset(&tx, 0, sizeof(tx));
	pc = (struct pv_piece){ b->b_map, HDR, length_of(sent) };
	tx.tx_pieces = &pc;
	tx.tx_npieces = 1;
	tx.tx_hdr = b->b_va + HDR - hdr;
	tx.tx_cookie = b;
	txfree = b->b_next;
	if (pv_net_transmit(&net, 0, &tx, 1, &done) != 0) {
		b->b_next = txfree;
		txfree = b;
		return 0;
	}
	sent++;
	return 1;
}

/* A frame in several buffers is put together first. */
static unsigned int
receive(void)
{
	static uint8_t frame[BUFLEN * 4];
	static unsigned int have;
	struct pv_net_rx rx[64];
	unsigned int i, n = 0, got = 0;

	while (pv_net_receive(&net, 0, rx, 64, &n) == 0 && n > 0) {
		for (i = 0; i < n; i++) {
			struct buf *b = rx[i].rx_cookie;

			if (rx[i].rx_flags & PV_NET_RX_ERROR)
				errx(1, "a frame with an error");
			memcpy(frame + have, b->b_va + rx[i].rx_off,
			    rx[i].rx_len);
			have += rx[i].rx_len;
			npieces++;
			if ((rx[i].rx_flags & PV_NET_RX_MORE) == 0) {
				check(frame, have);
				have = 0;
				received++;
				got++;
			}
			post(b);
		}
	}
	return got;
}

static void
drain(void)
{
	struct buf *b;

	while ((b = pv_net_drain_tx(&net, 0)) != NULL) {
		b->b_next = txfree;
		txfree = b;
	}
	while (pv_net_drain_rx(&net, 0) != NULL)
		;
	/* What was under way, either way, is lost. */
	lost = sent - received;
}

static void
reconnect(void)
{
	unsigned int tries;
	int error;

	for (tries = 0; tries < 200; tries++) {
		error = vhost_connected(vh) ? 0 : vhost_connect(vh);
		if (error == 0)
			return;
		usleep(100000);
	}
	errx(1, "reconnect: %s", vhost_error(vh));
}

static void
again(void)
{
	int error;

	breaks++;
	broken = 0;
	error = pv_net_stop(&net);
	if (error)
		errx(1, "stop: %s", strerror(error));
	drain();
	reconnect();
	error = pv_net_start(&net);
	if (error)
		errx(1, "start: %s (%s)", strerror(error), vhost_error(vh));
	post_all();
}

static void
rest(void)
{
	int error;

	if (polling) {
		if (!vhost_connected(vh))
			pv_virtio_poll(&dev);
		return;
	}
	if (pv_net_rx_intr(&net, 0, 1))
		return;
	error = vhost_wait(vh, 0, 200);
	if (error == ENOTCONN && !broken)
		usleep(10000);
	vhost_attend(vh, VHOST_ALL);
}

static void
run(unsigned long until)
{
	uint64_t last = pv_kern_uptime_ns();

	while (received + lost < until) {
		reclaim();
		while (transmit())
			;
		if (receive() != 0)
			last = pv_kern_uptime_ns();
		else
			rest();
		if (broken)
			again();
		if (pv_kern_uptime_ns() - last > STUCK)
			errx(1, "no frame for long: sent %lu, back %lu, lost "
			    "%lu %s", sent, received, lost, vhost_error(vh));
	}
}

static void
report(void)
{
	struct vhost_counters vc;
	char text[200];

	vhost_counters(vh, &vc);
	vhost_protocol_text(vh, text, sizeof(text));
	printf("protocol: %s\nfeatures: 0x%llx\n", text,
	    (unsigned long long)pv_virtio_features(&dev));
	printf("mtu: %u\nmac: %02x\nhdr: %u\n", pv_net_mtu(&net),
	    pv_net_mac(&net)[5], pv_net_hdrlen(&net));
	printf("frames: sent %lu back %lu lost %lu buffers %u\n", sent,
	    received, lost, npieces);
	printf("breaks: %lu connects: %llu\n", breaks,
	    (unsigned long long)vc.vc_connects);
	printf("kicks: %llu calls: %llu\n", (unsigned long long)vc.vc_kicks,
	    (unsigned long long)vc.vc_calls);
}

int
main(int argc, char **argv)
{
	struct pv_net_params np = { .np_rxsize = 256, .np_txsize = 256 };
	struct vhost_params vp = {
		.vp_type = PV_TYPE_NET, .vp_shmem = &sm,
		.vp_timeout_ms = 20000,
		.vp_mac = { 2, 0, 0, 0, 0, 1 },
	};
	unsigned int rounds = 1, i;
	int c, error;

	while ((c = getopt(argc, argv, "spd:D:z:m:w:x:")) != -1)
		switch (c) {
		case 's': vp.vp_server = 1; break;
		case 'p': vp.vp_poll = polling = 1; break;
		case 'd': np.np_deny = strtoull(optarg, NULL, 0); break;
		case 'D': vp.vp_protocol_deny = strtoull(optarg, NULL, 0);
			break;
		case 'z': np.np_rxsize = np.np_txsize =
			    (unsigned int)atoi(optarg); break;
		case 'm': vp.vp_mtu = (uint16_t)atoi(optarg); break;
		case 'w': window = (unsigned int)atoi(optarg); break;
		case 'x': rounds = (unsigned int)atoi(optarg); break;
		default: return 2;
		}
	if (argc - optind != 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	vp.vp_path = argv[optind];
	total = strtoul(argv[optind + 1], NULL, 0);
	error = shmem_init(&sm, 2, 8 << 20);
	if (error)
		errx(1, "memory: %s", strerror(error));
	make_buffers();
	vh = vhost_new(&vp);
	reconnect();
	error = pv_virtio_init(&dev, &vhost_transport, vh, PV_TYPE_NET,
	    &sm.sm_tag, "net0", NULL, NULL);
	if (error == 0)
		error = pv_net_attach(&net, &dev, &callbacks, NULL, &np);
	if (error)
		errx(1, "attach: %s (%s)", strerror(error), vhost_error(vh));
	longest = pv_net_mtu(&net) + 14;
	if (longest > LONGEST)
		longest = LONGEST;
	post_all();
	puts("up");
	for (i = 1; i <= rounds; i++) {
		run(total / rounds * i);
		if (i < rounds)
			again();
	}
	run(total);
	report();
	if (pv_net_detach(&net) != 0)
		errx(1, "detach: %s", vhost_error(vh));
	vhost_free(vh);
	puts("done");
	return 0;
}
