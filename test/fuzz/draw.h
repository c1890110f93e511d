/* SPDX-License-Identifier: ISC */
/*
 * What a hostile device does next, drawn from one of two sources: a generator
 * with a seed (test/unit/test_hostile.c), or the bytes of a fuzzer's input
 * (main.c). A scene is a driver's life under such a device; scenes know nothing
 * of which source it is.
 */
#ifndef DRAW_H
#define DRAW_H

#include <stddef.h>
#include <stdint.h>

/* Begin anew with a source. The bytes outlive the scene. */
void draw_from_seed(uint64_t seed);
void draw_from_bytes(const void *, size_t);

/*
 * 0 .. below - 1. Bytes that have run out give below - 1, which is the dull
 * choice everywhere.
 */
uint32_t draw(uint32_t below);

/* While on, each choice is the dull one, and the source stays as it is. */
void draw_dull(int on);

/* Whether a scene that has taken so many steps goes on. */
int draw_more(unsigned int steps);

/*
 * Whether the device lies now: malice times in 256, but not before it has told
 * the truth so often (peace), so that a driver's deep states are reached.
 */
extern unsigned int malice, peace;
int lies(void);

/* It answers nothing any more. */
extern int silent;

/* A value that is wrong in an interesting way. */
uint32_t strange(void);

/* Any bytes; of long runs not each is drawn by itself. */
void scribble(void *, size_t len);

/* What must hold, whatever the device does. */
#define must(what) do {							\
	if (!(what))							\
		scene_failed(__FILE__, __LINE__, #what);		\
} while (0)

/* The same, of the twelve rules (doc/hostile.md); how often each was asked. */
enum rule {
	RULE_PRIVATE = 1,	/* descriptors, free list: never read back */
	RULE_ID,		/* a used id is outstanding */
	RULE_LENGTH,		/* a used length is at most what was posted */
	RULE_INDEX,		/* the used index is at most what is in flight */
	RULE_ONCE,		/* fields that belong together are of one moment */
	RULE_BOUNDED,		/* every wait has an end; then it is broken */
	RULE_WINDOW,		/* no access beyond a BAR or a window */
	RULE_RANGES,		/* what the configuration says is sane */
	RULE_REUSE,		/* no memory of the device's is given up */
	RULE_INTERRUPT,		/* none too early; a lost one is made up for */
	RULE_SILENT,		/* a device that stops answering costs a while */
	RULE_REMOVAL,		/* one that is gone never confirms */
	NRULES
};

extern unsigned long rule_asked[NRULES];

#define holds(rule, what) do {						\
	rule_asked[rule]++;						\
	if (!(what))							\
		scene_failed(__FILE__, __LINE__, #rule ": " #what);	\
} while (0)

/* Defined by who runs scenes; does not return. */
void scene_failed(const char *file, int line, const char *what)
    __attribute__((__noreturn__));

/*
 * Between scene_call and scene_returned a driver's function runs: it costs the
 * port's clock no more than so many seconds.
 */
void scene_call(void);
void scene_returned(unsigned int seconds);

#define bounded(seconds, call) do {					\
	scene_call();							\
	call;								\
	scene_returned(seconds);					\
} while (0)

void scene_ring(void);
void scene_packed(void);
void scene_config(void);
void scene_net(void);
void scene_gpu(void);
void scene_blk(void);
void scene_console(void);
void scene_entropy(void);
void scene_pci(void);
void scene_mmio(void);

#endif
