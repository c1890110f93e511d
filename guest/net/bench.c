/* SPDX-License-Identifier: ISC */
/*
 * `netbench`: frames at the driver, without the stack. What is sent is UDP for
 * port 9, or TCP that the device cuts; what is received is only counted.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "ifnet.h"
#include "kmem.h"
#include "ktime.h"
#include "netstack.h"
#include "pci.h"
#include "rxpool.h"
#include "shell.h"
#include "thread.h"
#include "trial.h"
#include "tty.h"
#include "txcsum.h"

#define BATCH_MAX	256u
#define HEAD		256u		/* of a slot: virtio's header, ours */
#define FRAME_AT	64u		/* where the frame begins in it */
#define HEADERS		54u		/* Ethernet, IPv4, TCP */
#define STALL_NS	(2 * NS_PER_S)
#define LOOKS		64u		/* for each look at the clock */
#define LOOK_NS		(50 * NS_PER_US)

enum { W_SIZE, W_BATCH, W_FRAMES, W_MS, W_GSO, W_QUEUE, W_GAP, NWORDS };

struct bench {
	struct net_if	*nb_if;
	struct pv_net	*nb_net;
	unsigned int	nb_queue;
	size_t		nb_size;	/* of a frame */
	unsigned int	nb_batch;
	uint64_t	nb_frames;	/* to send; 0: until the time is over */
	uint64_t	nb_ns;
	unsigned int	nb_gso;
	uint64_t	nb_gap_ns;	/* from batch to batch */
	/* Slots, as many as fit the ring, in batches that go one by one. */
	unsigned int	nb_nbatches;
	unsigned int	nb_next;
	struct pv_net_tx *nb_tx;
	struct pv_piece	(*nb_piece)[2];
	uint8_t		*nb_busy;	/* frames of a batch with the device */
	uint8_t		*nb_head;
	uint8_t		*nb_data;	/* what follows the headers of all */
	size_t		nb_stride;
	/* results */
	uint64_t	nb_done;
	uint64_t	nb_bytes;
	uint64_t	nb_buffers;
	uint64_t	nb_coalesced;
	int		nb_error;
};

/* Of all benches: it outlives each of them. */
static struct event bench_event;

struct tally {
	uint64_t	ta_doorbells;
	uint64_t	ta_interrupts;
};

static void
tally_ring(struct bench *nb, unsigned int vq, struct tally *ta)
{
	struct pv_virtq_counters qc;

	(void)pv_net_ring_counters(nb->nb_net, vq, &qc);
	ta->ta_doorbells += qc.qc_doorbells;
	ta->ta_interrupts += qc.qc_interrupts;
}

static void
tally(struct bench *nb, struct tally *ta)
{
	unsigned int i;

	memset(ta, 0, sizeof(*ta));
	for (i = 0; i < nb->nb_if->if_npairs; i++) {
		tally_ring(nb, PV_NET_RXQ(i), ta);
		tally_ring(nb, PV_NET_TXQ(i), ta);
	}
}

/* Sending */

static void
put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
ip_checksum(uint8_t *ip)
{
	uint32_t sum = 0;
	unsigned int i;

	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)));
}

/* To an address of nobody's, so that no stack has work with it. */
static void
frame_headers(const struct bench *nb, uint8_t *frame)
{
	static const uint8_t to[6] = { 0x02, 0, 0, 0, 0x99, 0x99 };
	static const uint8_t from[4] = { 198, 18, 0, 1 };
	static const uint8_t whom[4] = { 198, 18, 0, 2 };
	uint8_t *ip = frame + PV_NET_ETHER_HDRLEN, *l4 = ip + 20;
	size_t len = nb->nb_size - PV_NET_ETHER_HDRLEN;

	memset(frame, 0, HEADERS);
	memcpy(frame, to, 6);
	memcpy(frame + 6, nb->nb_if->if_netif.hwaddr, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned int)len);
	ip[8] = 64;
	ip[9] = nb->nb_gso != 0 ? 6 : 17;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, whom, 4);
	ip_checksum(ip);
	put16(l4, 9);
	put16(l4 + 2, 9);
	if (nb->nb_gso != 0) {
		l4[12] = 0x50;
		l4[13] = 0x10;		/* ACK */
		put16(l4 + 14, 0xffff);
	} else
		put16(l4 + 4, (unsigned int)(len - 20));
}

static void
slot_init(struct bench *nb, unsigned int i)
{
	uint8_t *frame = nb->nb_head + i * nb->nb_stride + FRAME_AT;
	struct pv_piece *pc = nb->nb_piece[i];
	struct pv_net_tx *tx = &nb->nb_tx[i];
	size_t first = nb->nb_gso != 0 ? HEADERS : nb->nb_size;

	frame_headers(nb, frame);
	pc[0].pc_map = pc[1].pc_map = nb->nb_if->if_arena;
	pc[0].pc_off = (size_t)(frame - (uint8_t *)arena_base());
	pc[0].pc_len = first;
	pc[1].pc_len = nb->nb_size - first;
	tx->tx_pieces = pc;
	tx->tx_npieces = 1;
	tx->tx_hdr = frame - pv_net_hdrlen(nb->nb_net);
	tx->tx_cookie = (void *)(uintptr_t)(i / nb->nb_batch + 1);
	if (nb->nb_gso == 0)
		return;
	pc[1].pc_off = (size_t)(nb->nb_data - (uint8_t *)arena_base());
	tx->tx_npieces = 2;
	tx->tx_flags = PV_NET_TX_CSUM | PV_NET_TX_TSO4;
	tx->tx_gso_size = (uint16_t)nb->nb_gso;
	tx->tx_hdr_len = HEADERS;
	(void)tx_checksum(frame, HEADERS, &tx->tx_csum_start,
	    &tx->tx_csum_offset);
}

static int
send_prepare(struct bench *nb)
{
	unsigned int ring = pv_net_tx_size(nb->nb_net), i, n;

	if (nb->nb_batch > ring)
		nb->nb_batch = ring;
	nb->nb_nbatches = ring / nb->nb_batch;
	n = nb->nb_nbatches * nb->nb_batch;
	nb->nb_stride = nb->nb_gso != 0 ? HEAD :
	    (FRAME_AT + nb->nb_size + 127) & ~(size_t)127;
	nb->nb_tx = kzalloc(n * sizeof(*nb->nb_tx));
	nb->nb_piece = kzalloc(n * sizeof(*nb->nb_piece));
	nb->nb_busy = kzalloc(nb->nb_nbatches * sizeof(*nb->nb_busy));
	nb->nb_head = net_calloc(n, nb->nb_stride);
	nb->nb_data = nb->nb_gso != 0 ? net_calloc(1, nb->nb_size) : NULL;
	if (nb->nb_tx == NULL || nb->nb_piece == NULL || nb->nb_busy == NULL ||
	    nb->nb_head == NULL || (nb->nb_gso != 0 && nb->nb_data == NULL))
		return ENOMEM;
	for (i = 0; i < n; i++)
		slot_init(nb, i);
	return 0;
}

static void
send_free(struct bench *nb)
{
	kfree(nb->nb_tx);
	kfree(nb->nb_piece);
	kfree(nb->nb_busy);
	net_free(nb->nb_head);
	net_free(nb->nb_data);
}

static unsigned int
send_reclaim(struct bench *nb)
{
	void *cookies[64];
	unsigned int i, n = 0;

	nb->nb_error = pv_net_reclaim(nb->nb_net, nb->nb_queue, cookies, 64,
	    &n);
	for (i = 0; i < n; i++)
		nb->nb_busy[(uintptr_t)cookies[i] - 1]--;
	return n;
}

/*
 * Wait until the next batch is back; bounded. The time is not asked for while
 * the device has work: an emulator may let nobody else run meanwhile.
 */
static void
send_wait(struct bench *nb, unsigned int batch)
{
	unsigned int idle = 0;

	while (nb->nb_busy[batch] != 0 && nb->nb_error == 0) {
		if (send_reclaim(nb) != 0) {
			idle = 0;
			continue;
		}
		thread_yield();
		if (++idle % LOOKS == 0 && pv_net_stalled_ns(nb->nb_net,
		    nb->nb_queue) > STALL_NS)
			nb->nb_error = ETIMEDOUT;
	}
}

/* Of a batch what the ring takes: with few entries it takes less. */
static void
send_batch(struct bench *nb)
{
	struct pv_net_tx *tx = &nb->nb_tx[nb->nb_next * nb->nb_batch];
	unsigned int taken = 0, n = nb->nb_batch;
	int error;

	if (nb->nb_frames != 0 && nb->nb_frames - nb->nb_done < n)
		n = (unsigned int)(nb->nb_frames - nb->nb_done);
	while (n > 0 && nb->nb_error == 0) {
		error = pv_net_transmit(nb->nb_net, nb->nb_queue, tx, n,
		    &taken);
		nb->nb_busy[nb->nb_next] = (uint8_t)(nb->nb_busy[nb->nb_next] +
		    taken);
		nb->nb_done += taken;
		tx += taken;
		n -= taken;
		if (error == ENOBUFS)
			(void)send_reclaim(nb);
		else
			nb->nb_error = error;
	}
	if (++nb->nb_next == nb->nb_nbatches)
		nb->nb_next = 0;
}

static void
send(struct bench *nb)
{
	uint64_t began = uptime_ns();
	unsigned int i, n;

	for (n = 0; nb->nb_error == 0 &&
	    (nb->nb_frames == 0 || nb->nb_done < nb->nb_frames) &&
	    !tty_interrupted(); n++) {
		if (n % LOOKS == 0 && uptime_ns() - began >= nb->nb_ns)
			break;
		send_wait(nb, nb->nb_next);
		if (nb->nb_error == 0)
			send_batch(nb);
		if (nb->nb_gap_ns != 0)
			thread_sleep(nb->nb_gap_ns);
	}
	for (i = 0; i < nb->nb_nbatches; i++)
		send_wait(nb, i);
	nb->nb_bytes = nb->nb_done * nb->nb_size;
}

/* Receiving */

static unsigned int
receive_pair(struct bench *nb, struct if_pair *ip)
{
	unsigned int i, n = 0;

	nb->nb_error = pv_net_receive(nb->nb_net, ip->ip_queue, ip->ip_rx,
	    ip->ip_nrx, &n);
	for (i = 0; i < n; i++) {
		nb->nb_bytes += ip->ip_rx[i].rx_len;
		nb->nb_done += (ip->ip_rx[i].rx_flags & PV_NET_RX_MORE) == 0;
		nb->nb_coalesced += (ip->ip_rx[i].rx_flags &
		    PV_NET_RX_GSO) != 0;
		rxpool_put(ip->ip_rx[i].rx_cookie);
	}
	nb->nb_buffers += n;
	ip->ip_pool->rp_posted -= n;
	if (n != 0)
		ifrx_post(ip);
	return n;
}

static bool
receive_all(struct bench *nb)
{
	unsigned int i, n = 0;

	for (i = 0; i < nb->nb_if->if_npairs && nb->nb_error == 0; i++)
		n += receive_pair(nb, &nb->nb_if->if_pair[i]);
	return n != 0;
}

static bool
receive_intr(struct bench *nb, int on)
{
	bool found = false;
	unsigned int i;

	for (i = 0; i < nb->nb_if->if_npairs; i++)
		found |= pv_net_rx_intr(nb->nb_net, i, on) != 0;
	return found;
}

static void
receive_watch(struct bench *nb)
{
	unsigned int i;

	for (i = 0; i < nb->nb_if->if_npairs; i++)
		pv_net_rx_watch(nb->nb_net, i);
}

/* As the stack does: look for a while, then have oneself interrupted. */
static void
receive(struct bench *nb)
{
	uint64_t now = uptime_ns(), end = now + nb->nb_ns, quiet = now;
	unsigned int rounds = 0;

	while (nb->nb_error == 0 && now < end && !tty_interrupted()) {
		if (receive_all(nb)) {
			quiet = now;
			if (++rounds % LOOKS != 0)
				continue;
		} else if (now - quiet < LOOK_NS)
			thread_yield();
		else if (!receive_intr(nb, 1)) {
			event_wait(&bench_event, end - now < NS_PER_MS * 10 ?
			    end - now : NS_PER_MS * 10);
			(void)receive_intr(nb, 0);
			receive_watch(nb);
		}
		now = uptime_ns();
	}
}

/* The command */

static void
say(const struct bench *nb, const char *what, uint64_t ns,
    const struct tally *a, const struct tally *b)
{
	uint64_t us = ns / NS_PER_US + 1;

	tty_printf("netbench: %s %s size=%zu batch=%u gso=%u frames=%llu "
	    "bytes=%llu us=%llu frames/s=%llu bytes/s=%llu doorbells=%llu "
	    "interrupts=%llu buffers=%llu coalesced=%llu\n",
	    nb->nb_if->if_name, what, nb->nb_size, nb->nb_batch, nb->nb_gso,
	    (unsigned long long)nb->nb_done, (unsigned long long)nb->nb_bytes,
	    (unsigned long long)us,
	    (unsigned long long)(nb->nb_done * 1000000 / us),
	    (unsigned long long)(nb->nb_bytes * 1000000 / us),
	    (unsigned long long)(b->ta_doorbells - a->ta_doorbells),
	    (unsigned long long)(b->ta_interrupts - a->ta_interrupts),
	    (unsigned long long)nb->nb_buffers,
	    (unsigned long long)nb->nb_coalesced);
}

static int
on_if(struct bench *nb, bool sending)
{
	struct tally before, after;
	uint64_t began;

	if (sending) {
		nb->nb_error = send_prepare(nb);
		if (nb->nb_error != 0)
			return nb->nb_error;
	}
	tally(nb, &before);
	began = uptime_ns();
	if (sending)
		send(nb);
	else
		receive(nb);
	began = uptime_ns() - began;
	tally(nb, &after);
	if (nb->nb_error == 0)
		say(nb, sending ? "send" : "recv", began, &before, &after);
	return nb->nb_error;
}

/* After an error the device may have the frames: they are given up. */
static int
run(struct bench *nb, bool sending)
{
	int error = if_borrow(nb->nb_if, &bench_event);

	if (error)
		return error;
	error = on_if(nb, sending);
	if (error == 0 || error == ENOMEM)
		send_free(nb);
	else
		if_hung(&nb->nb_if->if_pair[nb->nb_queue]);
	if_return(nb->nb_if);
	return error;
}

/* A host without a back end, or with nobody at the other end, takes no frame. */
static void
say_why(const struct bench *nb, int error)
{
	const char *name = nb->nb_if->if_name;

	if (error != ETIMEDOUT) {
		tty_printf("netbench: %s: %s\n", name, strerror(error));
		return;
	}
	if (nb->nb_done == 0)
		tty_printf("netbench: %s: what the stack has sent does not "
		    "come back: nothing was tried\n", name);
	else
		tty_printf("netbench: %s: %llu frames sent, and for %u s the "
		    "device gave none back\n", name,
		    (unsigned long long)nb->nb_done,
		    (unsigned int)(STALL_NS / NS_PER_S));
	tty_printf("Has it a back end, and is anybody at the other end? "
	    "`devices %s' shows its queues.\n", name);
}

static int
check(const struct bench *nb, bool sending)
{
	size_t most = nb->nb_gso != 0 ? PV_NET_MAXGSO :
	    PV_NET_ETHER_HDRLEN + nb->nb_if->if_netif.mtu;

	if (sending && (nb->nb_size > most || (nb->nb_gso != 0 &&
	    (nb->nb_size <= HEADERS || !pv_virtio_has(nb->nb_if->if_dev,
	    PV_NET_F_HOST_TSO4))))) {
		tty_printf("netbench: %s: frames of %zu bytes%s are not for "
		    "this device\n", nb->nb_if->if_name, nb->nb_size,
		    nb->nb_gso != 0 ? " to be cut" : "");
		return EINVAL;
	}
	if (nb->nb_queue >= nb->nb_if->if_npairs) {
		tty_printf("netbench: %s has %u queue pairs\n",
		    nb->nb_if->if_name, nb->nb_if->if_npairs);
		return EINVAL;
	}
	return 0;
}

/* netbench tcp send HOST PORT MS, netbench tcp receive HOST PORT */
static int
netbench_tcp(int argc, char **argv)
{
	unsigned long long port, ms = 0;
	bool sending = argc > 2 && strcmp(argv[2], "send") == 0;

	if (argc != (sending ? 6 : 5) ||
	    (!sending && strcmp(argv[2], "receive") != 0))
		return shell_usage(argv[0]);
	if (shell_number("port", argv[4], 1, 65535, &port) != 0 ||
	    (sending && shell_number("ms", argv[5], 1, 60000, &ms) != 0))
		return EINVAL;
	return tcp_bench(sending, argv[3], (unsigned int)port, ms);
}

static int
netbench(int argc, char **argv)
{
	struct trial_word words[NWORDS] = {
		[W_SIZE] = { "size", 64, 60, PV_NET_MAXGSO },
		[W_BATCH] = { "batch", 32, 1, BATCH_MAX - 1 },
		[W_FRAMES] = { "frames", 0, 0, UINT32_MAX },
		[W_MS] = { "ms", 1000, 1, 60000 },
		[W_GSO] = { "gso", 0, 0, 16384 },
		[W_GAP] = { "gap", 0, 0, 1000000 },
		[W_QUEUE] = { "queue", 0, 0, PV_NET_MAXPAIRS - 1 },
	};
	struct bench *nb;
	bool sending;
	int error;

	if (argc < 3 || (strcmp(argv[2], "send") != 0 &&
	    strcmp(argv[2], "recv") != 0))
		return shell_usage(argv[0]);
	sending = argv[2][0] == 's';
	if (trial_words("netbench", argv + 3, words, NWORDS) != 0)
		return EINVAL;
	nb = kzalloc(sizeof(*nb));
	if (nb == NULL)
		return ENOMEM;
	nb->nb_if = net_find(argv[1]);
	if (nb->nb_if == NULL) {
		tty_printf("%s: no such interface\n", argv[1]);
		kfree(nb);
		return ENXIO;
	}
	nb->nb_net = &nb->nb_if->if_net;
	nb->nb_size = words[W_SIZE].tw_value;
	nb->nb_batch = (unsigned int)words[W_BATCH].tw_value;
	nb->nb_frames = words[W_FRAMES].tw_value;
	nb->nb_ns = words[W_MS].tw_value * NS_PER_MS;
	nb->nb_gso = (unsigned int)words[W_GSO].tw_value;
	nb->nb_gap_ns = words[W_GAP].tw_value * NS_PER_US;
	nb->nb_queue = (unsigned int)words[W_QUEUE].tw_value;
	error = check(nb, sending);
	if (error == 0) {
		error = run(nb, sending);
		if (error != 0)
			say_why(nb, error);
	}
	kfree(nb);
	return error;
}

/* The interface stays meanwhile. */
static int
cmd_netbench(int argc, char **argv)
{
	int error;

	if (argc > 1 && strcmp(argv[1], "tcp") == 0)
		return netbench_tcp(argc, argv);
	(void)pci_hold();
	error = netbench(argc, argv);
	pci_drop();
	return error;
}
COMMAND(netbench, cmd_netbench,
    "netbench IF send|recv [size=N] [batch=N] [frames=N] [ms=N] [gso=N] "
    "[gap=US] [queue=N] | tcp send HOST PORT MS | tcp receive HOST PORT", "frames at the driver, without the stack; TCP");
