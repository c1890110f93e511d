/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "hostile.h"

#define MAXHELD	1024

struct rig rig;
int nbroken;
static unsigned int rogue;		/* since this many resets */
static unsigned int held_resets, nheld;
static struct held {
	bus_addr_t addr;
	uint32_t len;
	unsigned int queue;
	uint16_t head;
} held[MAXHELD];

void
hostile_broken(void *arg, const char *why)
{
	(void)arg;
	must(why != NULL);
	nbroken++;
}

static void
forget_after_reset(void)
{
	if (rig.rg_gone || rig.rg_stuck)
		return;
	if (held_resets != rig.rg_resets)
		nheld = 0;
	held_resets = rig.rg_resets;
}

static void
hold(unsigned int queue, const struct rig_chain *rc)
{
	unsigned int i;

	for (i = 0; i < rc->rc_nsegs && nheld < MAXHELD; i++)
		held[nheld++] = (struct held){ rc->rc_segs[i].addr,
		    rc->rc_segs[i].len, queue, rc->rc_head };
}

static void
let_go(unsigned int queue, uint16_t head)
{
	unsigned int i, n = 0;

	for (i = 0; i < nheld; i++)
		if (held[i].queue != queue || held[i].head != head)
			held[n++] = held[i];
	nheld = n;
}

void
hostile_held(void)
{
	unsigned int i;

	forget_after_reset();
	for (i = 0; i < nheld; i++)
		must(port_dma_kva(held[i].addr, held[i].len) != NULL);
}

/*
 * Once it has given back a chain that it was not asked about, it can't know
 * what is its own still: then it takes no more until a reset.
 */
int
hostile_take(unsigned int queue, struct rig_chain *rc)
{
	if (rogue == rig.rg_resets || rig.rg_gone ||
	    !rig_take(&rig, queue, rc))
		return 0;
	hostile_held();
	hold(queue, rc);
	return 1;
}

void
hostile_give(unsigned int queue, const struct rig_chain *rc, uint32_t len)
{
	uint32_t id = rc->rc_head;

	hostile_held();
	/* It keeps this one, for ever. */
	if (lies() && lies())
		return;
	let_go(queue, rc->rc_head);
	if (lies())
		len = strange();
	if (lies()) {
		id = strange();
		rogue = rig.rg_resets;
		nheld = 0;
	}
	rig_give(&rig, queue, id, len);
	/* Chains that it was not shown yet may be among those. */
	if (lies() && lies()) {
		rig_used_index(&rig, queue, (uint16_t)strange());
		rogue = rig.rg_resets;
		nheld = 0;
	}
}

void
hostile_whim(void)
{
	if (lies())
		rig_interrupt(&rig, draw(4));
	if (lies() && lies())
		rig.rg_status |= PV_STATUS_NEEDS_RESET;
	if (lies()) {
		scribble(rig.rg_config, 32);
		rig.rg_generation += draw(2);
	}
	if (lies() && lies())
		rig.rg_offered = PV_F_BIT(PV_F_VERSION_1) | strange() |
		    (uint64_t)strange() << 32;
}

void
hostile_begin(unsigned int type)
{
	port_reset();
	malice = draw(3) == 0 ? 0 : 1 + draw(64);
	rig_new(&rig, type);
	rig.rg_intr = (int)draw(2);
	port.po_shadow = (int)draw(2);
	port.po_segsize = draw(2) ? 65536 : 0;
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_EVENT_IDX);
	if (draw(2))
		rig.rg_offered |= PV_F_BIT(PV_F_INDIRECT_DESC);
	nbroken = 0;
	rogue = 0;
	nheld = held_resets = 0;
}

int
hostile_gone(void)
{
	if (draw(8) != 0)
		return 0;
	if (draw(2))
		rig.rg_gone = 1;
	else
		rig.rg_stuck = 1;
	return 1;
}

void
hostile_end(void)
{
	if (!rig.rg_gone && !rig.rg_stuck)
		must(port_check() == 0);
	else
		must(port_check_rules() == 0);
}
