/* SPDX-License-Identifier: ISC */
/*
 * Console and entropy.
 */
#include "scene.h"

static struct pv_console con;
static struct pv_entropy ent;

static const struct pv_console_callbacks console_callbacks = {
	scene_note_0, scene_note_1, scene_note_changed, scene_note_broken
};

static const struct pv_entropy_callbacks entropy_callbacks = {
	scene_note_0, scene_note_broken
};

static void
settle(struct scene *sc)
{
	/* Output is looked after at the next write. */
	if (sc->sc_run->rn_type == PV_TYPE_CONSOLE)
		fake_noticed(&sc->sc_st.st_fd, 1);
	scene_settle(sc);
}

static int
needs_reset(struct scene *sc)
{
	fake_needs_reset(&sc->sc_st.st_fd);
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
	return sc->sc_broken == 1;
}

static void
talk(struct scene *sc)
{
	struct vdev_console *vc = &sc->sc_vd.vd_con;
	char text[900], in[64];
	unsigned int i, k, notes;
	size_t len, at, before;
	int n;

	for (i = 0; i < 6; i++) {
		len = 1 + vdev_random(&sc->sc_vd, sizeof(text) - 1);
		for (k = 0; k < len; k++)
			text[k] = (char)('a' + (k + i) % 26);
		vc->vc_outlen = before = 0;
		for (at = 0, k = 0; at < len && k < 1000; k++) {
			n = pv_console_write(&con, text + at, len - at);
			WANT(sc, n >= 0);
			at += (size_t)n;
			settle(sc);
		}
		WANT(sc, at == len);
		WANT(sc, pv_console_flush(&con, 100000) == 0);
		WANT(sc, vc->vc_outlen == len + before);
		WANT(sc, memcmp(vc->vc_out, text, len) == 0);
		notes = sc->sc_notes[0];
		WANT(sc, vdev_console_input(&sc->sc_vd, text, 30));
		scene_poll(sc);
		if (scene_reliable(sc))
			WANT(sc, sc->sc_notes[0] > notes);
		n = pv_console_read(&con, in, 20);
		WANT(sc, n == 20 && memcmp(in, text, 20) == 0);
		n = pv_console_read(&con, in, sizeof(in));
		WANT(sc, n == 10 && memcmp(in, text + 20, 10) == 0);
		settle(sc);
	}
out:	;
}

static void
sizes(struct scene *sc)
{
	unsigned int cols = 0, rows = 0;

	if (!pv_virtio_has(sc->sc_dev, PV_CONSOLE_F_SIZE)) {
		WANT(sc, pv_console_size(&con, &cols, &rows) == ENOTSUP);
		return;
	}
	WANT(sc, pv_console_size(&con, &cols, &rows) == 0);
	WANT(sc, cols == 80 && rows == 25);
	sc->sc_changed = 0;
	vdev_console_resize(&sc->sc_vd, 132, 50);
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
	if (!sc->sc_polls)
		WANT(sc, sc->sc_changed > 0);
	WANT(sc, pv_console_size(&con, &cols, &rows) == 0);
	WANT(sc, cols == 132 && rows == 50);
	vdev_console_resize(&sc->sc_vd, 80, 25);
	WANT(sc, pv_console_size(&con, &cols, &rows) == 0);
	settle(sc);
out:	;
}

void
scene_console(struct scene *sc)
{
	int error;

	memset(&con, 0, sizeof(con));
	error = pv_console_attach(&con, sc->sc_dev, &console_callbacks, sc);
	if (error) {
		scene_attach_failed(sc, error);
		return;
	}
	talk(sc);
	if (scene_gone(sc))
		goto out;
	sizes(sc);
	sc->sc_vd.vd_hold = 1;
	WANT(sc, pv_console_write(&con, "lost", 4) == 4);
	WANT(sc, pv_console_flush(&con, 1000) == ETIMEDOUT);
	if (vdev_has(&sc->sc_vd, Q_NEEDS_RESET)) {
		WANT(sc, needs_reset(sc));
		MUST(sc, pv_console_write(&con, "x", 1) == -EIO);
	}
	error = pv_console_stop(&con);
	sc->sc_vd.vd_hold = 0;
	sc->sc_broken = 0;
	WANT(sc, error == 0);
	WANT(sc, pv_console_start(&con) == 0);
	talk(sc);
	if (scene_gone(sc))
		goto out;
	sc->sc_vd.vd_hold = 1;
	WANT(sc, pv_console_write(&con, "in flight", 9) == 9);
out:
	error = pv_console_detach(&con);
	MUST(sc, error == 0 || scene_gone(sc));
}

static void
gather(struct scene *sc)
{
	uint8_t buf[PV_ENTROPY_BUFLEN + 16];
	unsigned int i, notes;
	int n;

	for (i = 0; i < 8; i++) {
		notes = sc->sc_notes[0];
		WANT(sc, pv_entropy_request(&ent) == 0);
		scene_poll(sc);
		if (scene_reliable(sc))
			WANT(sc, sc->sc_notes[0] > notes);
		memset(buf, 0xa5, sizeof(buf));
		n = pv_entropy_read(&ent, buf, sizeof(buf));
		WANT(sc, n > 0);
		vdev_entropy_got(&sc->sc_vd, buf, (size_t)n);
		MUST(sc, buf[n] == 0xa5);
		settle(sc);
	}
	WANT(sc, pv_entropy_read(&ent, buf, sizeof(buf)) == 0);
out:	;
}

void
scene_entropy(struct scene *sc)
{
	uint8_t buf[8];
	int error;

	memset(&ent, 0, sizeof(ent));
	error = pv_entropy_attach(&ent, sc->sc_dev, &entropy_callbacks, sc);
	if (error) {
		scene_attach_failed(sc, error);
		return;
	}
	gather(sc);
	if (scene_gone(sc))
		goto out;
	sc->sc_vd.vd_hold = 1;
	WANT(sc, pv_entropy_request(&ent) == 0);
	WANT(sc, pv_entropy_read(&ent, buf, sizeof(buf)) == 0);
	if (vdev_has(&sc->sc_vd, Q_NEEDS_RESET)) {
		WANT(sc, needs_reset(sc));
		MUST(sc, pv_entropy_read(&ent, buf, sizeof(buf)) == -EIO);
	}
	error = pv_entropy_stop(&ent);
	sc->sc_vd.vd_hold = 0;
	sc->sc_broken = 0;
	WANT(sc, error == 0);
	WANT(sc, pv_entropy_start(&ent) == 0);
	gather(sc);
	if (scene_gone(sc))
		goto out;
	sc->sc_vd.vd_hold = 1;
	WANT(sc, pv_entropy_request(&ent) == 0);
out:
	error = pv_entropy_detach(&ent);
	MUST(sc, error == 0 || scene_gone(sc));
}
