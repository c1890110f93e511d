/* SPDX-License-Identifier: ISC */
/*
 * Entropy (Device Types / Entropy Device). One queue; the device fills what we
 * post. The driver to read first: the others have the same shape.
 */
#include <paravane/entropy.h>

#include "dev.h"

/* All that it could offer is the core's. */
static const struct pv_feature_table entropy_features;

int
pv_entropy_start(struct pv_entropy *sc)
{
	const struct pv_virtq_params params = {
		.vp_name = "request",
		.vp_size = 8,
		.vp_maxpieces = 1,
		.vp_maxsegs = 1,
		.vp_policy = PV_VIRTQ_CLAMP,
		.vp_intr = sc->sc_cb.ec_ready,
		.vp_arg = sc->sc_arg,
	};
	int error;

	if (sc->sc_running)
		return EBUSY;
	if (sc->sc_dev->vd_lost)
		return EIO;
	error = pv_virtio_negotiate(sc->sc_dev, &entropy_features, sc);
	if (error)
		return error;
	error = pv_dev_queue(sc->sc_dev, 0, &params, &sc->sc_requestq);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error) {
		pv_entropy_stop(sc);
		pv_virtio_fail(sc->sc_dev);
		return error;
	}
	sc->sc_running = 1;
	return 0;
}

int
pv_entropy_attach(struct pv_entropy *sc, struct pv_virtio *dev,
    const struct pv_entropy_callbacks *cb, void *arg)
{
	int error;

	memset(sc, 0, sizeof(*sc));
	sc->sc_dev = dev;
	sc->sc_arg = arg;
	if (cb != NULL)
		sc->sc_cb = *cb;
	sc->sc_mem = pv_dev_mem_alloc(dev, sizeof(*sc->sc_mem),
	    PV_ENTROPY_BUFLEN, 1, &error);
	if (error)
		goto fail;
	pv_dev_set_callbacks(dev, sc->sc_cb.ec_broken, NULL, arg);
	error = pv_entropy_start(sc);
	if (error)
		goto detach;
	return 0;

detach:
	pv_entropy_detach(sc);
fail:
	pv_virtio_fail(dev);
	return error;
}

int
pv_entropy_stop(struct pv_entropy *sc)
{
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	sc->sc_asked = 0;
	pv_dev_queue_drain(sc->sc_dev, sc->sc_requestq);
	return error;
}

int
pv_entropy_detach(struct pv_entropy *sc)
{
	int error;

	error = pv_entropy_stop(sc);
	pv_dev_queue_free(&sc->sc_requestq);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	pv_dev_mem_free(sc->sc_mem, sizeof(*sc->sc_mem), error != 0);
	sc->sc_mem = NULL;
	return error;
}

int
pv_entropy_request(struct pv_entropy *sc)
{
	struct pv_piece piece;
	int error;

	if (!sc->sc_running)
		return ENXIO;
	if (sc->sc_asked)
		return pv_virtio_broken(sc->sc_dev) != NULL ? EIO : 0;
	piece = pv_dev_piece(sc->sc_mem, 0, PV_ENTROPY_BUFLEN);
	error = pv_virtq_enqueue(sc->sc_requestq, &piece, 0, 1, sc);
	if (error)
		return error;
	sc->sc_asked = 1;
	pv_virtq_intr_enable(sc->sc_requestq);
	pv_virtq_publish(sc->sc_requestq);
	return 0;
}

int
pv_entropy_read(struct pv_entropy *sc, void *buf, size_t len)
{
	struct pv_used used;
	int error;

	if (!sc->sc_running)
		return -ENXIO;
	error = pv_virtq_dequeue(sc->sc_requestq, &used);
	if (error == EAGAIN) {
		(void)pv_virtq_stalled_ns(sc->sc_requestq);
		return 0;
	}
	if (error)
		return -error;
	sc->sc_asked = 0;
	if (len > used.us_len)
		len = used.us_len;
	memcpy(buf, sc->sc_mem->dm_kva, len);
	sc->sc_bytes += len;
	return (int)len;
}
