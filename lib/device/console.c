/* SPDX-License-Identifier: ISC */
/*
 * A serial console (Device Types / Console Device), one port. Output is copied
 * into buffers that go round in order; input is copied out of those that the
 * device filled.
 */
#include <paravane/console.h>

#include "dev.h"

/* Console Device / Virtqueues; Device configuration layout */
#define CONSOLE_RXQ		0
#define CONSOLE_TXQ		1
#define CONSOLE_CFG_COLS	0	/* 16 bits */
#define CONSOLE_CFG_ROWS	2	/* 16 */

#define CONSOLE_NRX		16
#define CONSOLE_RXLEN		DMA_LINE
#define CONSOLE_NTX		16
#define CONSOLE_TXLEN		(2 * DMA_LINE)
#define CONSOLE_TXOFF		(CONSOLE_NRX * CONSOLE_RXLEN)
#define CONSOLE_MEMLEN		(CONSOLE_TXOFF + CONSOLE_NTX * CONSOLE_TXLEN)

struct console_buf {
	bus_size_t cb_off;		/* in cm_dma */
	uint32_t cb_begin;		/* input not yet read: from here */
	uint32_t cb_end;		/* to here */
	uint8_t cb_busy;		/* output: the device's */
};

struct pv_console_mem {
	struct pv_dmamem cm_dma;	/* first */
	struct console_buf cm_rx[CONSOLE_NRX];
	struct console_buf cm_tx[CONSOLE_NTX];
	struct console_buf *cm_reading;	/* NULL: nothing was received */
	unsigned int cm_nexttx;
};

static const struct pv_feature console_feature_list[] = {
	{ PV_CONSOLE_F_SIZE, PV_FEATURE_WANTED, "SIZE", 0 },
	{ PV_CONSOLE_F_MULTIPORT, PV_FEATURE_NAMED, "MULTIPORT", 0 },
	{ PV_CONSOLE_F_EMERG_WRITE, PV_FEATURE_NAMED, "EMERG_WRITE", 0 },
};

static const struct pv_ladder_step console_ladder[] = {
	{ PV_F_BIT(PV_CONSOLE_F_SIZE), 0 },
};

static const struct pv_feature_table console_features = {
	.ft_features = console_feature_list,
	.ft_nfeatures = sizeof(console_feature_list) /
	    sizeof(console_feature_list[0]),
	.ft_ladder = console_ladder,
	.ft_nladder = sizeof(console_ladder) / sizeof(console_ladder[0]),
};

static uint8_t *
console_bytes(const struct pv_console *sc, const struct console_buf *buf)
{
	return (uint8_t *)sc->sc_mem->cm_dma.dm_kva + buf->cb_off;
}

/* Life */

static int
console_alloc_queues(struct pv_console *sc)
{
	struct pv_virtq_params params = {
		.vp_name = "rx",
		.vp_size = CONSOLE_NRX,
		.vp_maxpieces = 1,
		.vp_maxsegs = 1,
		.vp_policy = PV_VIRTQ_CLAMP,
		.vp_intr = sc->sc_cb.cc_input,
		.vp_arg = sc->sc_arg,
	};
	int error;

	error = pv_dev_queue(sc->sc_dev, CONSOLE_RXQ, &params, &sc->sc_rxq);
	if (error)
		return error;
	params.vp_name = "tx";
	params.vp_size = CONSOLE_NTX;
	params.vp_intr = sc->sc_cb.cc_room;
	return pv_dev_queue(sc->sc_dev, CONSOLE_TXQ, &params, &sc->sc_txq);
}

static int
console_post(struct pv_console *sc, struct console_buf *buf)
{
	struct pv_piece piece;

	piece = pv_dev_piece(&sc->sc_mem->cm_dma, buf->cb_off, CONSOLE_RXLEN);
	return pv_virtq_enqueue(sc->sc_rxq, &piece, 0, 1, buf);
}

/* Post what input buffers the ring takes: it may be smaller than we wished. */
static void
console_post_all(struct pv_console *sc)
{
	unsigned int i;

	for (i = 0; i < CONSOLE_NRX; i++)
		if (console_post(sc, &sc->sc_mem->cm_rx[i]))
			break;
	pv_virtq_publish(sc->sc_rxq);
}

int
pv_console_start(struct pv_console *sc)
{
	int error;

	if (sc->sc_running)
		return EBUSY;
	if (sc->sc_dev->vd_lost)
		return EIO;
	error = pv_virtio_negotiate(sc->sc_dev, &console_features, sc);
	if (error)
		return error;
	error = console_alloc_queues(sc);
	if (error == 0)
		error = pv_virtio_start(sc->sc_dev);
	if (error) {
		pv_console_stop(sc);
		pv_virtio_fail(sc->sc_dev);
		return error;
	}
	sc->sc_running = 1;
	pv_virtq_intr_disable(sc->sc_txq);
	console_post_all(sc);
	return 0;
}

static int
console_alloc_memory(struct pv_console *sc)
{
	struct pv_console_mem *cm;
	unsigned int i;
	int error;

	cm = pv_dev_mem_alloc(sc->sc_dev, sizeof(*cm), CONSOLE_MEMLEN, 1,
	    &error);
	if (error)
		return error;
	for (i = 0; i < CONSOLE_NRX; i++)
		cm->cm_rx[i].cb_off = i * CONSOLE_RXLEN;
	for (i = 0; i < CONSOLE_NTX; i++)
		cm->cm_tx[i].cb_off = CONSOLE_TXOFF + i * CONSOLE_TXLEN;
	sc->sc_mem = cm;
	return 0;
}

int
pv_console_attach(struct pv_console *sc, struct pv_virtio *dev,
    const struct pv_console_callbacks *cb, void *arg)
{
	int error;

	memset(sc, 0, sizeof(*sc));
	sc->sc_dev = dev;
	sc->sc_arg = arg;
	if (cb != NULL)
		sc->sc_cb = *cb;
	error = console_alloc_memory(sc);
	if (error)
		goto fail;
	pv_dev_set_callbacks(dev, sc->sc_cb.cc_broken, sc->sc_cb.cc_changed,
	    arg);
	error = pv_console_start(sc);
	if (error)
		goto detach;
	return 0;

detach:
	pv_console_detach(sc);
fail:
	pv_virtio_fail(dev);
	return error;
}

int
pv_console_stop(struct pv_console *sc)
{
	struct console_buf *buf;
	int error;

	error = pv_virtio_stop(sc->sc_dev);
	sc->sc_running = 0;
	sc->sc_mem->cm_reading = NULL;
	pv_dev_queue_drain(sc->sc_dev, sc->sc_rxq);
	if (sc->sc_txq != NULL && error == 0)
		while ((buf = pv_virtq_drain(sc->sc_txq)) != NULL)
			buf->cb_busy = 0;
	return error;
}

int
pv_console_detach(struct pv_console *sc)
{
	int error;

	error = pv_console_stop(sc);
	pv_dev_queue_free(&sc->sc_rxq);
	pv_dev_queue_free(&sc->sc_txq);
	pv_virtio_set_callbacks(sc->sc_dev, NULL, NULL);
	pv_dev_mem_free(sc->sc_mem, sizeof(*sc->sc_mem), error != 0);
	sc->sc_mem = NULL;
	return error;
}

/* Output */

static int
console_reclaim(struct pv_console *sc)
{
	struct console_buf *buf;
	struct pv_used used;
	int error;

	while ((error = pv_virtq_dequeue(sc->sc_txq, &used)) == 0) {
		buf = used.us_cookie;
		buf->cb_busy = 0;
	}
	(void)pv_virtq_stalled_ns(sc->sc_txq);
	return error == EAGAIN ? 0 : error;
}

/* Copy at most a buffer's worth; how much was taken, 0 if there is no room. */
static size_t
console_send(struct pv_console *sc, const uint8_t *from, size_t len)
{
	struct pv_console_mem *cm = sc->sc_mem;
	struct console_buf *buf = &cm->cm_tx[cm->cm_nexttx];
	struct pv_piece piece;

	if (buf->cb_busy)
		return 0;
	if (len > CONSOLE_TXLEN)
		len = CONSOLE_TXLEN;
	memcpy(console_bytes(sc, buf), from, len);
	piece = pv_dev_piece(&cm->cm_dma, buf->cb_off, len);
	if (pv_virtq_enqueue(sc->sc_txq, &piece, 1, 0, buf))
		return 0;
	buf->cb_busy = 1;
	cm->cm_nexttx = (cm->cm_nexttx + 1) % CONSOLE_NTX;
	sc->sc_out += len;
	return len;
}

static size_t
console_send_all(struct pv_console *sc, const uint8_t *from, size_t len)
{
	size_t n, done = 0;

	while (done < len) {
		n = console_send(sc, from + done, len - done);
		if (n == 0)
			break;
		done += n;
	}
	pv_virtq_publish(sc->sc_txq);
	return done;
}

int
pv_console_write(struct pv_console *sc, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	size_t done;

	if (!sc->sc_running)
		return -ENXIO;
	if (console_reclaim(sc))
		return -EIO;
	if (len > CONSOLE_NTX * CONSOLE_TXLEN)
		len = CONSOLE_NTX * CONSOLE_TXLEN;
	done = console_send_all(sc, from, len);
	if (done == len)
		return (int)done;
	/* Be told when there is room, unless there is some already. */
	if (pv_virtq_intr_delay(sc->sc_txq, CONSOLE_NTX / 2)) {
		if (console_reclaim(sc))
			return -EIO;
		done += console_send_all(sc, from + done, len - done);
	}
	return (int)done;
}

int
pv_console_flush(struct pv_console *sc, unsigned int timeout_us)
{
	uint64_t deadline;

	if (!sc->sc_running)
		return EIO;
	deadline = pv_kern_uptime_ns() + timeout_us * 1000ULL;
	for (;;) {
		if (console_reclaim(sc))
			return EIO;
		if (pv_virtq_outstanding(sc->sc_txq) == 0)
			return 0;
		if (pv_kern_uptime_ns() >= deadline)
			return ETIMEDOUT;
		pv_kern_delay_us(10);
	}
}

/* Input */

/* The buffer to read from next, in cm_reading; EAGAIN if there is none. */
static int
console_next(struct pv_console *sc)
{
	struct pv_used used;
	struct console_buf *buf;
	int error;

	error = pv_virtq_dequeue(sc->sc_rxq, &used);
	if (error) {
		(void)pv_virtq_stalled_ns(sc->sc_rxq);
		return error;
	}
	buf = used.us_cookie;
	buf->cb_begin = 0;
	buf->cb_end = used.us_len;
	sc->sc_mem->cm_reading = buf;
	return 0;
}

static size_t
console_take(struct pv_console *sc, struct console_buf *buf, uint8_t *to,
    size_t len)
{
	if (len > buf->cb_end - buf->cb_begin)
		len = buf->cb_end - buf->cb_begin;
	memcpy(to, console_bytes(sc, buf) + buf->cb_begin, len);
	buf->cb_begin += (uint32_t)len;
	sc->sc_in += len;
	return len;
}

int
pv_console_read(struct pv_console *sc, void *buf, size_t len)
{
	struct pv_console_mem *cm = sc->sc_mem;
	uint8_t *to = buf;
	size_t done = 0;
	int error = 0;

	if (!sc->sc_running)
		return -ENXIO;
	if (len > CONSOLE_NRX * CONSOLE_RXLEN)
		len = CONSOLE_NRX * CONSOLE_RXLEN;
	while (done < len) {
		if (cm->cm_reading == NULL)
			error = console_next(sc);
		if (error == EAGAIN && pv_virtq_intr_enable(sc->sc_rxq)) {
			error = 0;
			continue;
		}
		if (error)
			break;
		done += console_take(sc, cm->cm_reading, to + done, len - done);
		if (cm->cm_reading->cb_begin == cm->cm_reading->cb_end) {
			console_post(sc, cm->cm_reading);
			cm->cm_reading = NULL;
		}
	}
	pv_virtq_publish(sc->sc_rxq);
	if (done == 0 && error != 0 && error != EAGAIN)
		return -EIO;
	return (int)done;
}

int
pv_console_size(struct pv_console *sc, unsigned int *cols, unsigned int *rows)
{
	uint16_t c = 0, r = 0;
	const struct pv_config_field fields[2] = {
		{ CONSOLE_CFG_COLS, 2, 1, &c },
		{ CONSOLE_CFG_ROWS, 2, 1, &r },
	};
	int error;

	if (!pv_virtio_has(sc->sc_dev, PV_CONSOLE_F_SIZE))
		return ENOTSUP;
	error = pv_virtio_config_read(sc->sc_dev, fields, 2);
	if (error)
		return EIO;
	if (c == 0 || r == 0)
		return ENOTSUP;
	*cols = c;
	*rows = r;
	return 0;
}
