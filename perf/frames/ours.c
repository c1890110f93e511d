/* SPDX-License-Identifier: ISC */
/*
 * This project's network driver, by its public functions. A buffer that came is
 * sent as it is; one that was sent is posted to receive into.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <paravane/net.h>

#include "frames.h"
#include "vhost_user.h"

#define MEMORY		(32u << 20)
#define BUFFER		2048u
#define BUFFERS		1024u

/* What frames of this size do not need, and DPDK's driver does not ask for. */
#define DENIED	(PV_F_BIT(PV_NET_F_CSUM) | PV_F_BIT(PV_NET_F_GUEST_CSUM) | \
	PV_F_BIT(PV_NET_F_GUEST_TSO4) | PV_F_BIT(PV_NET_F_GUEST_TSO6) | \
	PV_F_BIT(PV_NET_F_GUEST_ECN) | PV_F_BIT(PV_NET_F_GUEST_UFO) | \
	PV_F_BIT(PV_NET_F_HOST_TSO4) | PV_F_BIT(PV_NET_F_HOST_TSO6) | \
	PV_F_BIT(PV_NET_F_HOST_ECN) | PV_F_BIT(PV_NET_F_HOST_UFO) | \
	PV_F_BIT(PV_NET_F_GUEST_USO4) | PV_F_BIT(PV_NET_F_GUEST_USO6) | \
	PV_F_BIT(PV_NET_F_HOST_USO) | PV_F_BIT(PV_NET_F_MRG_RXBUF))

struct buffer {
	struct pv_net_rxbuf bf_rx;
	struct pv_piece bf_frame;
};

static struct shmem memory;
static struct pv_virtio device;
static struct pv_net net;
static struct buffer buffers[BUFFERS];
static struct buffer *spare[BUFFERS];
static unsigned int nspare;
static unsigned int length;
static struct pv_net_tx sent[BURST];	/* what is the same in all stays */

/* All lie in one map, as DPDK's in one area. */
static const char *
make_buffers(void)
{
	const bus_size_t len = BUFFERS * BUFFER;
	uint8_t *va = shmem_alloc(&memory, len, 4096);
	bus_dmamap_t map;
	struct buffer *bf;

	if (va == NULL || bus_dmamap_create(&memory.sm_tag, len, 1, len, 0, 0,
	    &map) != 0 || bus_dmamap_load(&memory.sm_tag, map, va, len, NULL,
	    0) != 0)
		return "no memory";
	for (bf = buffers; bf < &buffers[BUFFERS]; bf++) {
		bf->bf_rx.rb_va = va + (bf - buffers) * BUFFER;
		bf->bf_rx.rb_cookie = bf;
		bf->bf_rx.rb_piece = (struct pv_piece){ map,
		    (bus_size_t)(bf - buffers) * BUFFER, BUFFER };
		bf->bf_frame.pc_map = map;
		spare[nspare++] = bf;
	}
	return NULL;
}

/* As many as there is room for. */
static void
post(unsigned int n)
{
	struct pv_net_rxbuf rb[BURST];
	unsigned int i, taken;

	if (n > nspare)
		n = nspare;
	if (n > BURST)
		n = BURST;
	for (i = 0; i < n; i++)
		rb[i] = spare[nspare - 1 - i]->bf_rx;
	pv_net_post(&net, 0, rb, n, &taken);
	nspare -= taken;
}

/* Nothing is merged: each frame begins behind the header. */
static void
prepare(void)
{
	unsigned int i;

	for (i = 0; i < BUFFERS; i++)
		buffers[i].bf_frame.pc_off = buffers[i].bf_rx.rb_piece.pc_off +
		    pv_net_hdrlen(&net);
	for (i = 0; i < BURST; i++)
		sent[i].tx_npieces = 1;
}

static const char *
connect_to(const char *path)
{
	const struct vhost_params vp = {
		.vp_path = path, .vp_type = PV_TYPE_NET,
		.vp_shmem = &memory, .vp_poll = 1,
		.vp_mac = { 2, 0, 0, 0, 0, 1 }
	};
	struct vhost *vh = vhost_new(&vp);

	if (vh == NULL || vhost_connect(vh) != 0)
		return vh != NULL ? vhost_error(vh) : "no memory";
	if (pv_virtio_init(&device, &vhost_transport, vh, PV_TYPE_NET,
	    &memory.sm_tag, "net0", NULL, NULL) != 0)
		return "the device can't be had";
	return NULL;
}

static const char *
ours_open(const struct front_params *fp)
{
	struct pv_net_params np = {
		.np_rxsize = fp->fp_size, .np_txsize = fp->fp_size,
		.np_deny = DENIED
	};
	static const struct pv_net_callbacks none;
	const char *why;
	unsigned int i;

	length = fp->fp_length;
	if (!fp->fp_packed)
		np.np_deny |= PV_F_BIT(PV_F_RING_PACKED);
	if (!fp->fp_in_order)
		np.np_deny |= PV_F_BIT(PV_F_IN_ORDER);
	if (shmem_init(&memory, 1, MEMORY) != 0)
		return "no memory";
	why = make_buffers();
	if (why == NULL)
		why = connect_to(fp->fp_path);
	if (why != NULL)
		return why;
	pv_virtio_deny(&device, np.np_deny);
	if (pv_net_attach(&net, &device, &none, NULL, &np) != 0)
		return "the driver does not attach";
	if (fp->fp_packed && !pv_virtio_has(&device, PV_F_RING_PACKED))
		return "packed rings are not negotiated";
	if (fp->fp_in_order && !pv_virtio_has(&device, PV_F_IN_ORDER))
		return "in order is not negotiated";
	prepare();
	pv_net_rx_intr(&net, 0, 0);
	pv_net_tx_intr(&net, 0, 0);
	for (i = 0; i < fp->fp_size; i += BURST)
		post(BURST);
	return NULL;
}

static void
reclaim(void)
{
	unsigned int n;

	if (pv_net_reclaim(&net, 0, (void **)&spare[nspare], BURST, &n) == 0)
		nspare += n;
}

static inline void
put_frame(struct pv_net_tx *tx, struct buffer *bf, unsigned int len)
{
	bf->bf_frame.pc_len = len;
	tx->tx_pieces = &bf->bf_frame;
	tx->tx_hdr = bf->bf_rx.rb_va;
	tx->tx_cookie = bf;
}

/* What is not taken is spare. */
static unsigned int
transmit(unsigned int n)
{
	unsigned int i, taken;

	pv_net_transmit(&net, 0, sent, n, &taken);
	for (i = taken; i < n; i++)
		spare[nspare++] = sent[i].tx_cookie;
	return taken;
}

static unsigned int
ours_send(unsigned int n)
{
	unsigned int i;

	reclaim();
	if (n > nspare)
		n = nspare;
	for (i = 0; i < n; i++) {
		struct buffer *bf = spare[--nspare];

		memcpy((uint8_t *)bf->bf_rx.rb_va + pv_net_hdrlen(&net),
		    "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
		put_frame(&sent[i], bf, length);
	}
	return transmit(n);
}

static unsigned int
ours_round(void)
{
	struct pv_net_rx rx[BURST];
	unsigned int i, n;

	if (pv_net_receive(&net, 0, rx, BURST, &n) != 0)
		errx(1, "%s", pv_virtio_broken(&device));
	if (n == 0)
		return 0;
	for (i = 0; i < n; i++)
		put_frame(&sent[i], rx[i].rx_cookie, rx[i].rx_len);
	reclaim();
	transmit(n);
	post(n);
	return n;
}

int
main(int argc, char **argv)
{
	static const struct front ours = {
		.fr_name = "paravane",
		.fr_open = ours_open,
		.fr_send = ours_send,
		.fr_round = ours_round
	};

	return frames_main(argc, argv, &ours);
}
