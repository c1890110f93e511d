/* SPDX-License-Identifier: ISC */
/*
 * Configuration that changes while it is read, under the generation counter and
 * on a legacy device without one. What is read must have been there at one
 * moment; a device that never comes to rest costs a bounded number of tries.
 */
#include <string.h>

#include "draw.h"
#include "port.h"
#include "rig.h"

#define LEN		48
#define NFIELDS		4
#define MAXCOUNT	6
#define NVERSIONS	200	/* each byte counts up: none comes back */

static struct rig rig;
static uint8_t versions[NVERSIONS][LEN];
static unsigned int nversions;
static int quiet;		/* it changes, and does not say so */

struct fields {
	unsigned int n;
	struct pv_config_field cf[NFIELDS];
	uint64_t values[NFIELDS][MAXCOUNT];
};

static void
change(struct rig *rg)
{
	unsigned int i, from = draw(LEN), n = 1 + draw(16);

	if (nversions == NVERSIONS)
		return;
	for (i = from; i < LEN && i < from + n; i++)
		rg->rg_config[i]++;
	memcpy(versions[nversions++], rg->rg_config, LEN);
	if (!quiet)
		rg->rg_generation++;
}

static void
config_read(struct rig *rg, unsigned int off)
{
	(void)off;
	if (draw(6) == 0)
		change(rg);
}

static void
choose_fields(struct fields *f)
{
	struct pv_config_field *cf;
	unsigned int i;

	memset(f, 0, sizeof(*f));
	f->n = 1 + draw(NFIELDS);
	for (i = 0; i < f->n; i++) {
		cf = &f->cf[i];
		cf->cf_width = (uint8_t)(1u << draw(4));
		cf->cf_count = (uint8_t)(1 + draw(MAXCOUNT));
		cf->cf_off = (uint16_t)(draw(8) == 0 ? strange() : draw(LEN));
		cf->cf_to = f->values[i];
	}
}

static int
fields_inside(const struct fields *f)
{
	unsigned int i;

	for (i = 0; i < f->n; i++)
		if (f->cf[i].cf_off + f->cf[i].cf_count * f->cf[i].cf_width >
		    LEN)
			return 0;
	return 1;
}

/* The values are those of this version (bytes lie as in memory: little-endian). */
static int
fields_are(const struct fields *f, const uint8_t *version)
{
	unsigned int i;

	for (i = 0; i < f->n; i++)
		if (memcmp(f->cf[i].cf_to, version + f->cf[i].cf_off,
		    f->cf[i].cf_count * (size_t)f->cf[i].cf_width) != 0)
			return 0;
	return 1;
}

static void
check_fields(const struct fields *f)
{
	unsigned int i;

	for (i = 0; i < nversions; i++)
		if (fields_are(f, versions[i]))
			break;
	holds(RULE_ONCE, i < nversions || (quiet && !rig.rg_legacy));
}

static void
step(void)
{
	struct fields f;
	int error;

	/* Only what changes from here on counts. */
	memcpy(versions[0], rig.rg_config, LEN);
	nversions = 1;
	choose_fields(&f);
	bounded(5, error = pv_virtio_config_read(&rig.rg_dev, f.cf, f.n));
	if (error == 0) {
		holds(RULE_RANGES, fields_inside(&f));
		check_fields(&f);
	} else
		must(error == EIO || error == ERANGE);
	must(fields_inside(&f) || error == ERANGE);
}

void
scene_config(void)
{
	unsigned int i;

	port_reset();
	rig_new(&rig, PV_TYPE_ENTROPY);
	rig.rg_legacy = (int)draw(2);
	rig.rg_configlen = LEN;
	quiet = draw(4) == 0;
	rig_init(&rig);
	rig.rg_config_read = config_read;
	for (i = 0; draw_more(i); i++)
		step();
	must(pv_virtio_stop(&rig.rg_dev) == 0);
	must(port_check() == 0);
}
