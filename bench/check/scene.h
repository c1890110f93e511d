/* SPDX-License-Identifier: ISC */
/*
 * Scenes: a driver of lib/ plays its whole life against a device model. What a
 * run is about stands in struct run; a scene fails by scene_fail, which does
 * not return.
 */
#ifndef SCENE_H
#define SCENE_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stand.h"
#include "vdev.h"

enum scene_bus {
	BUS_PLAIN,		/* one memory */
	BUS_NONCOHERENT,	/* the DMA sanitizer, lines of 64 or 128 bytes */
	BUS_REFUSE,		/* as that, and no memory can be coherent */
	BUS_BOUNCE,
	BUS_SPLIT,		/* one memory, in short segments */
	BUS_N
};

struct scene;

struct run {
	unsigned int rn_type;
	void (*rn_play)(struct scene *);
	enum stand_kind rn_kind;
	const struct profile *rn_profile;
	uint64_t rn_seed;
	uint64_t rn_leave;	/* features that are not offered */
	enum scene_bus rn_bus;
	unsigned int rn_remove;	/* the device is gone at this access to a
				 * register; 0: never */
};

struct scene {
	const struct run *sc_run;
	struct stand sc_st;
	struct vdev sc_vd;
	struct pv_virtio *sc_dev;
	unsigned int sc_accesses;	/* to registers, so far */
	int sc_polls;			/* there are no interrupts */
	int sc_attached;		/* the transport */
	unsigned int sc_broken, sc_changed;
	unsigned int sc_notes[16];	/* callbacks, by queue */
	char sc_why[512];
	jmp_buf sc_jmp;
};

/*
 * One run of a scene. 0, or 1: sc_why says what failed. sc_accesses is how
 * often the driver touched the device.
 */
int scene_run(struct scene *, const struct run *);

/* What scenes call */
_Noreturn void scene_fail(struct scene *, const char *file, int line,
    const char *what);

/* No driver fails to attach, but where the device is gone. */
void scene_attach_failed(struct scene *, int error);

static inline int
scene_gone(const struct scene *sc)
{
	return sc->sc_st.st_fd.fd_gone;
}

/* This holds, or the device is gone, or the scene has failed. */
#define WANT(sc, cond) do {						\
	if (!(cond)) {							\
		if (scene_gone(sc))					\
			goto out;					\
		scene_fail(sc, __FILE__, __LINE__, #cond);		\
	}								\
} while (0)

/* This holds in any case. */
#define MUST(sc, cond) do {						\
	if (!(cond))							\
		scene_fail(sc, __FILE__, __LINE__, #cond);		\
} while (0)

/* Between two calls of the driver. */
void scene_settle(struct scene *);

/* Where interrupts may be lost, or there are none: what a watchdog does. */
void scene_poll(struct scene *);

/* Whether the device's interrupts can be relied on. */
int scene_reliable(const struct scene *);

/* Drivers' callbacks; arg is the scene. Queues 0 and 1, any queue. */
void scene_note_0(void *arg);
void scene_note_1(void *arg);
void scene_note_queue(void *arg, unsigned int queue);
void scene_note_changed(void *arg);
void scene_note_broken(void *arg, const char *why);

void scene_net(struct scene *);
void scene_blk(struct scene *);
void scene_gpu(struct scene *);
void scene_console(struct scene *);
void scene_entropy(struct scene *);
void scene_queue(struct scene *);

#endif
