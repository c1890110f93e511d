/* SPDX-License-Identifier: ISC */
/*
 * Planted violations of split virtqueues.
 */
#include <string.h>

#include "planted.h"

#define INDIRECT	PV_F_BIT(PV_F_INDIRECT_DESC)
#define EVENT		PV_F_BIT(PV_F_EVENT_IDX)

static void
shift_device(struct raw *r, struct pv_queue_place *qp)
{
	(void)r;
	qp->qp_device += 2;
}

static void
ring_off_its_alignment(struct raw *r)
{
	raw_agree(r);
	raw_queue_place(r, shift_device);
}

static void
spoil_used(struct raw *r, struct pv_queue_place *qp)
{
	(void)qp;
	*raw_device_word(r, 0, 0) = 1;
}

static void
used_ring_not_cleared(struct raw *r)
{
	raw_agree(r);
	raw_queue_place(r, spoil_used);
}

static void
writable_before_readable(struct raw *r)
{
	raw_up(r);
	raw_desc(r, 0, 0, raw_buf(r, 0), 64, DESC_NEXT | DESC_WRITE, 1);
	raw_desc(r, 0, 1, raw_buf(r, 512), 64, 0, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
pieces_without_need(struct raw *r)
{
	unsigned int i;

	raw_up(r);
	for (i = 0; i < 4; i++)
		raw_desc(r, 0, i, raw_buf(r, 16 * i), 16,
		    i < 3 ? DESC_NEXT : 0, i < 3 ? i + 1 : 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
longer_than_4_gib(struct raw *r)
{
	raw_up(r);
	raw_desc(r, 0, 0, raw_buf(r, 0), UINT32_MAX, DESC_NEXT | DESC_WRITE, 1);
	raw_desc(r, 0, 1, raw_buf(r, 512), UINT32_MAX, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
a_loop(struct raw *r)
{
	raw_up(r);
	raw_desc(r, 0, 0, raw_buf(r, 0), 16, DESC_NEXT, 1);
	raw_desc(r, 0, 1, raw_buf(r, 512), 16, DESC_NEXT, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
a_descriptor_of_nothing(struct raw *r)
{
	raw_up(r);
	raw_desc(r, 0, 0, raw_buf(r, 0), 0, 0, 0);
	r->r_fd->fd_lenient = 1;
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
indirect_not_negotiated(struct raw *r)
{
	r->r_deny = INDIRECT;
	raw_up(r);
	raw_put_desc(r->r_buf->pb_va, raw_buf(r, 512), 64, 0, 0);
	raw_send(r, 0, 16, DESC_INDIRECT);
}

static void
a_table_in_a_table(struct raw *r)
{
	raw_up(r);
	raw_put_desc(r->r_buf->pb_va, raw_buf(r, 256), 16, DESC_INDIRECT, 0);
	raw_put_desc(r->r_buf->pb_va + 256, raw_buf(r, 512), 64, 0, 0);
	raw_send(r, 0, 16, DESC_INDIRECT);
}

static void
a_table_longer_than_the_queue(struct raw *r)
{
	unsigned int i;

	raw_up(r);
	for (i = 0; i <= RAW_SIZE; i++)
		raw_put_desc(r->r_buf->pb_va + 16 * i, raw_buf(r,
		    1024 + 64 * i), 16, i < RAW_SIZE ? DESC_NEXT : 0,
		    i < RAW_SIZE ? i + 1 : 0);
	raw_send(r, 0, 16 * (RAW_SIZE + 1), DESC_INDIRECT);
}

static void
a_table_with_a_next(struct raw *r)
{
	raw_up(r);
	raw_put_desc(r->r_buf->pb_va, raw_buf(r, 512), 64, 0, 0);
	raw_desc(r, 0, 1, raw_buf(r, 600), 16, 0, 0);
	raw_desc(r, 0, 0, raw_buf(r, 0), 16, DESC_INDIRECT | DESC_NEXT, 1);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
index_goes_back(struct raw *r)
{
	raw_up(r);
	raw_send(r, 0, 64, DESC_WRITE);
	raw_send(r, 0, 64, DESC_WRITE);
	pv_md_wmb(true);
	*raw_driver_word(r, 0, 1) = 1;
	pv_md_mb(true);
	raw_kick(r, 0);
}

static void
strange_flags(struct raw *r)
{
	r->r_deny = EVENT;
	raw_up(r);
	*raw_driver_word(r, 0, 0) = 2;
	raw_send(r, 0, 64, DESC_WRITE);
}

static void
flags_beside_event_idx(struct raw *r)
{
	raw_up(r);
	*raw_driver_word(r, 0, 0) = 1;
	raw_send(r, 0, 64, DESC_WRITE);
}

static void
no_bell(struct raw *r)
{
	r->r_deny = EVENT;
	raw_up(r);
	raw_desc(r, 0, 0, raw_buf(r, 0), 64, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	fake_settle(r->r_fd);
}

static void
no_bell_with_event_idx(struct raw *r)
{
	raw_up(r);
	raw_desc(r, 0, 0, raw_buf(r, 0), 64, DESC_WRITE, 0);
	raw_avail(r, 0, 0);
	fake_settle(r->r_fd);
}

static void
a_bell_too_many(struct raw *r)
{
	r->r_deny = EVENT;
	raw_up(r);
	fake_no_notify(r->r_fd, 0, 1);
	raw_send(r, 0, 64, DESC_WRITE);
}

static void
a_bell_too_many_with_event_idx(struct raw *r)
{
	raw_up(r);
	fake_no_notify(r->r_fd, 0, 1);
	raw_send(r, 0, 64, DESC_WRITE);
}

static void
avail_again(struct raw *r, int first, int second)
{
	raw_up(r);
	raw_send(r, 0, 64, DESC_WRITE);
	raw_desc(r, 0, 0, raw_buf(r, 0), 64, DESC_WRITE, 0);
	*raw_driver_word(r, 0, 3) = 0;
	if (first)
		pv_md_wmb(true);
	*raw_driver_word(r, 0, 1) = 2;
	if (second)
		pv_md_mb(true);
	raw_kick(r, 0);
}

static void
no_barrier_before_the_index(struct raw *r)
{
	avail_again(r, 0, 1);
}

static void
no_barrier_before_the_check(struct raw *r)
{
	avail_again(r, 1, 0);
}

static int
gives_up(void *arg)
{
	struct raw *r = arg;

	if (*raw_device_word(r, 0, 1) == 0)
		raw_set_status(r, raw_status(r) | PV_STATUS_FAILED);
	return 1;
}

static void
stumbles_over_spurious_interrupts(struct raw *r)
{
	raw_up(r);
	raw_handler(r, gives_up);
	fake_interrupt(r->r_fd, 0, 1);
	fake_judge(r->r_fd, 1);
}

#define P(fn, rule)	{ #fn, STRICT_##rule, STAND_PCI, 4, 1, fn }

const struct planted planted_ring[] = {
	P(ring_off_its_alignment, RING_ALIGN),
	P(used_ring_not_cleared, USED_INITIAL),
	P(writable_before_readable, CHAIN_ORDER),
	P(pieces_without_need, CHAIN_EXCESS),
	P(longer_than_4_gib, CHAIN_LONG),
	P(a_loop, CHAIN_LONG),
	P(a_descriptor_of_nothing, DESC_FLAGS),
	P(indirect_not_negotiated, INDIRECT_UNASKED),
	P(a_table_in_a_table, INDIRECT_NESTED),
	P(a_table_longer_than_the_queue, CHAIN_SIZE),
	P(a_table_with_a_next, INDIRECT_NEXT),
	P(index_goes_back, AVAIL_BACK),
	P(strange_flags, AVAIL_FLAGS),
	P(flags_beside_event_idx, AVAIL_FLAGS_EVENT),
	P(no_bell, NOTIFY_MISSING),
	P(no_bell_with_event_idx, NOTIFY_MISSING),
	P(a_bell_too_many, NOTIFY_UNWANTED),
	P(a_bell_too_many_with_event_idx, NOTIFY_UNWANTED),
	P(no_barrier_before_the_index, BARRIER_INDEX),
	P(no_barrier_before_the_check, BARRIER_NOTIFY),
	P(stumbles_over_spurious_interrupts, GAVE_UP),
	{ NULL, STRICT_NRULES, STAND_PCI, 0, 0, NULL },
};
