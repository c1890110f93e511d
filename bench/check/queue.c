/* SPDX-License-Identifier: ISC */
/*
 * A queue by itself: what no driver of the library asks of one. It is filled
 * and emptied by one and by many, moderated, stopped with buffers at the
 * device, made smaller and larger, and goes on; the device under it gives
 * random bytes.
 */
#include "scene.h"

#define NBUF	64
#define LEN	96u

struct qbuf {
	struct port_buf *qb_pb;
	int qb_out;			/* with queue or device */
};

static struct pv_virtq *vq;
static struct qbuf bufs[NBUF];

static const struct pv_feature_table none;

static int
is_packed(const struct scene *sc)
{
	return pv_virtio_has(sc->sc_dev, PV_F_RING_PACKED);
}

static struct qbuf *
unused(void)
{
	unsigned int i;

	for (i = 0; i < NBUF; i++)
		if (!bufs[i].qb_out)
			return &bufs[i];
	return NULL;
}

static void
came_back(struct scene *sc, void *cookie)
{
	struct qbuf *qb = cookie;

	MUST(sc, qb >= bufs && qb < bufs + NBUF && qb->qb_out);
	qb->qb_out = 0;
}

/* One chain, in as many pieces as its turn says. */
static int
post_one(struct scene *sc, unsigned int npieces)
{
	struct pv_piece pc[3];
	struct qbuf *qb = unused();
	unsigned int i;
	int error;

	MUST(sc, qb != NULL);
	for (i = 0; i < npieces; i++) {
		pc[i].pc_map = qb->qb_pb->pb_map;
		/* Apart, so that they are no one piece. */
		pc[i].pc_off = i * (LEN + 32);
		pc[i].pc_len = LEN;
	}
	error = pv_virtq_enqueue(vq, pc, 0, npieces, qb);
	qb->qb_out = error == 0;
	return error;
}

static void
post_many(struct scene *sc, unsigned int n)
{
	struct pv_piece pc[NBUF];
	void *cookies[NBUF];
	unsigned int i, k, taken;
	int error;

	for (i = k = 0; i < NBUF && k < n; i++) {
		if (bufs[i].qb_out)
			continue;
		pc[k].pc_map = bufs[i].qb_pb->pb_map;
		pc[k].pc_off = 0;
		pc[k].pc_len = LEN;
		cookies[k++] = &bufs[i];
	}
	error = pv_virtq_enqueue_batch(vq, pc, cookies, k, 1, &taken);
	MUST(sc, taken <= k && (error == 0) == (taken == k));
	for (i = 0; i < taken; i++)
		((struct qbuf *)cookies[i])->qb_out = 1;
}

static unsigned int
take_all(struct scene *sc, unsigned int at_once)
{
	struct pv_used us[16];
	unsigned int i, n, total = 0;
	int error;

	for (;;) {
		if (at_once > 1)
			error = pv_virtq_dequeue_batch(vq, us, at_once, &n);
		else {
			error = pv_virtq_dequeue(vq, us);
			n = error == 0;
		}
		if (error == EAGAIN)
			return total;
		MUST(sc, error == 0 || scene_gone(sc));
		for (i = 0; i < n; i++) {
			came_back(sc, us[i].us_cookie);
			MUST(sc, us[i].us_len > 0 && us[i].us_len <= 3 * LEN);
		}
		total += n;
		if (error != 0)
			return total;
	}
}

static void
traffic(struct scene *sc)
{
	unsigned int i, k, n, got, notes, size = pv_virtq_size(vq);

	for (i = 0; i < 24; i++) {
		n = 1 + vdev_random(&sc->sc_vd, size < 12 ? size : 12);
		for (k = 0; k < n && i % 3 != 0; k++)
			if (post_one(sc, 1 + (i + k) % 3) == ENOBUFS)
				break;
		if (i % 3 == 0)
			post_many(sc, n);
		n = pv_virtq_outstanding(vq);
		notes = sc->sc_notes[0];
		pv_virtq_publish(vq);
		scene_poll(sc);
		/* After moderation the next one may be later. */
		if (scene_reliable(sc) && (i == 0 || i % 4 != 0))
			WANT(sc, sc->sc_notes[0] > notes);
		got = take_all(sc, 1 + i % 9);
		while (!scene_gone(sc) && (i % 4 == 3 ?
		    pv_virtq_moderate(vq, 4) : pv_virtq_intr_enable(vq)))
			got += take_all(sc, 16);
		WANT(sc, got == n);
		WANT(sc, pv_virtq_room(vq) == size);
		fake_noticed(&sc->sc_st.st_fd, 0);
		scene_settle(sc);
	}
out:	;
}

static void
all_back(struct scene *sc)
{
	unsigned int i;

	for (i = 0; i < NBUF; i++)
		MUST(sc, !bufs[i].qb_out);
}

static void
drain(struct scene *sc)
{
	void *cookie;

	while ((cookie = pv_virtq_drain(vq)) != NULL)
		came_back(sc, cookie);
	all_back(sc);
}

static void
begin_anew(struct scene *sc)
{
	WANT(sc, pv_virtio_stop(sc->sc_dev) == 0);
	drain(sc);
	WANT(sc, pv_virtio_negotiate(sc->sc_dev, &none, NULL) == 0);
	WANT(sc, pv_virtq_restart(vq) == 0);
	WANT(sc, pv_virtio_start(sc->sc_dev) == 0);
	traffic(sc);
out:	;
}

/* This queue alone is stopped, in traffic, and comes back in another size. */
static void
reset_in_traffic(struct scene *sc, unsigned int size)
{
	unsigned int i;
	int error;

	if (!pv_virtio_has(sc->sc_dev, PV_F_RING_RESET)) {
		WANT(sc, pv_virtq_reset(vq) == ENOTSUP);
		return;
	}
	sc->sc_vd.vd_hold = 1;
	for (i = 0; i < 5; i++)
		WANT(sc, post_one(sc, 1 + i % 2) == 0);
	pv_virtq_publish(vq);
	WANT(sc, post_one(sc, 1) == 0);	/* the device has not seen this */
	error = pv_virtq_reset(vq);
	sc->sc_vd.vd_hold = 0;
	if (sc->sc_st.st_fd.fd_queue_deaf) {
		/* The device has the buffers still: nothing is given back. */
		WANT(sc, error == ETIMEDOUT);
		WANT(sc, pv_virtio_broken(sc->sc_dev) != NULL);
		begin_anew(sc);
		return;
	}
	WANT(sc, error == 0);
	WANT(sc, pv_virtq_resize(vq, size) == EBUSY);
	WANT(sc, pv_virtq_reenable(vq) == EBUSY);
	drain(sc);
	WANT(sc, pv_virtq_resize(vq, size) == 0);
	WANT(sc, pv_virtq_size(vq) == (is_packed(sc) || size != 24 ? size : 16));
	WANT(sc, pv_virtq_reenable(vq) == 0);
	traffic(sc);
out:
	sc->sc_vd.vd_hold = 0;
}

static void
restart(struct scene *sc)
{
	sc->sc_vd.vd_hold = 1;
	WANT(sc, post_one(sc, 2) == 0);
	pv_virtq_publish(vq);
out:
	sc->sc_vd.vd_hold = 0;
	if (!scene_gone(sc))
		begin_anew(sc);
}

static void
play(struct scene *sc)
{
	static const unsigned int sizes[] = { 8, 24, 128 };
	unsigned int i;

	traffic(sc);
	for (i = 0; i < 3 && !scene_gone(sc); i++)
		reset_in_traffic(sc, sizes[i]);
	if (!scene_gone(sc))
		restart(sc);
}

void
scene_queue(struct scene *sc)
{
	struct pv_virtq_params params = {
		.vp_name = "q", .vp_size = 32, .vp_maxpieces = 3,
		.vp_maxsegs = 4, .vp_intr = scene_note_0, .vp_arg = sc,
	};
	void (*let_go)(struct port_buf *);
	unsigned int i;
	int error;

	memset(bufs, 0, sizeof(bufs));
	vq = NULL;
	for (i = 0; i < NBUF; i++)
		bufs[i].qb_pb = port_buf_new(3 * (LEN + 32));
	error = pv_virtio_negotiate(sc->sc_dev, &none, NULL);
	if (error == 0)
		error = pv_virtq_alloc(sc->sc_dev, 0, &params, &vq);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error == 0)
		play(sc);
	else
		scene_attach_failed(sc, error);
	error = pv_virtio_stop(sc->sc_dev);
	MUST(sc, error == 0 || scene_gone(sc));
	if (vq != NULL)
		drain(sc);
	pv_virtq_free(vq);
	let_go = scene_gone(sc) ? port_buf_lose : port_buf_free;
	for (i = 0; i < NBUF; i++)
		let_go(bufs[i].qb_pb);
}
