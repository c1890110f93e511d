/* SPDX-License-Identifier: ISC */
/*
 * Planted violations of packed virtqueues, and of what else is negotiated for
 * queues: IN_ORDER, NOTIFICATION_DATA, NOTIF_CONFIG_DATA, RING_RESET.
 */
#include <string.h>

#include "planted.h"

#define F(name)		PV_F_BIT(PV_F_##name)

/* In the common structure, and in the register block. */
#define C_SELECT	0x16
#define C_ENABLE	0x1c
#define C_NOTIF_DATA	0x38
#define C_RESET		0x3a
#define R_SELECT	0x030
#define R_READY		0x044
#define R_RESET		0x0c0

/* The driver's place in queue 0. */
static unsigned int pos, wrap;

/* Up, with these features too. */
static void
up(struct raw *r, uint64_t features)
{
	r->r_fd->fd_features |= features;
	pos = 0;
	wrap = 1;
	raw_up(r);
}

static void
up_packed(struct raw *r)
{
	up(r, F(RING_PACKED));
}

/* All of a descriptor but its flags; those, as they show it available here. */
static void
body(struct raw *r, unsigned int at, bus_addr_t addr, uint32_t len,
    unsigned int id)
{
	uint8_t *p = r->r_queues[0].rq_desc->pb_va + 16 * at;
	uint16_t i = (uint16_t)id;

	memcpy(p, &addr, 8);
	memcpy(p + 8, &len, 4);
	memcpy(p + 12, &i, 2);
}

static unsigned int
available(unsigned int flags)
{
	return flags | (wrap ? PK_AVAIL : PK_USED);
}

static void
show(struct raw *r, unsigned int at, unsigned int flags)
{
	uint16_t f = (uint16_t)flags;

	memcpy(r->r_queues[0].rq_desc->pb_va + 16 * at + 14, &f, 2);
}

static void
step(void)
{
	if (++pos == RAW_SIZE) {
		pos = 0;
		wrap ^= 1;
	}
}

static uint32_t
bell_value(const struct raw *r)
{
	return (r->r_fd->fd_accepted & F(NOTIFICATION_DATA)) ?
	    (pos | wrap << 15) << 16 : 0;
}

static void
kick(struct raw *r)
{
	r->r_ops->to_notify(r->r_tr, 0, bell_value(r));
}

/* n descriptors, a list, each of 16 bytes apart from the next; with a doorbell. */
static void
supply(struct raw *r, unsigned int n, unsigned int flags, unsigned int id)
{
	unsigned int i, head = pos, head_flags = 0, f;

	for (i = 0; i < n; i++) {
		body(r, pos, raw_buf(r, 64 * i), 16, id);
		f = available(flags | (i + 1 < n ? PK_NEXT : 0));
		if (i == 0)
			head_flags = f;
		else
			show(r, pos, f);
		step();
	}
	pv_md_wmb(true);
	show(r, head, head_flags);
	pv_md_mb(true);
	kick(r);
}

static void
hold(struct fake_dev *fd, unsigned int queue)
{
	static struct fake_chain fc;

	while (fake_pop(fd, queue, &fc))
		continue;
}

/* One descriptor that names a table of n, which is in r_buf. */
static void
table(struct raw *r, unsigned int n)
{
	body(r, pos, raw_buf(r, 0), 16 * n, 0);
	pv_md_wmb(true);
	show(r, pos, available(PK_INDIRECT));
	step();
	pv_md_mb(true);
	kick(r);
}

static void
table_entry(struct raw *r, unsigned int i, unsigned int flags)
{
	bus_addr_t addr = raw_buf(r, 1024 + 64 * i);
	uint8_t *p = r->r_buf->pb_va + 16 * i;
	uint16_t half[2] = { 0, (uint16_t)flags };
	uint32_t len = 16;

	memcpy(p, &addr, 8);
	memcpy(p + 8, &len, 4);
	memcpy(p + 12, half, 4);
}

/* Nothing is wrong with these; main.c looks that nothing is reported. */

void
packed_good_driver(struct raw *r, uint64_t features)
{
	unsigned int i;

	up(r, F(RING_PACKED) | features);
	for (i = 0; i < 100; i++) {
		supply(r, 1 + i % 3, i % 2 ? PK_WRITE : 0, i % 5);
		fake_noticed(r->r_fd, 0);
		fake_settle(r->r_fd);
		table_entry(r, 0, 0);
		table_entry(r, 1, PK_WRITE);
		table(r, 2);
		fake_noticed(r->r_fd, 0);
		fake_settle(r->r_fd);
	}
}

/* The ring */

static void
place(struct raw *r, void (*fn)(struct raw *, struct pv_queue_place *))
{
	r->r_fd->fd_features |= F(RING_PACKED);
	raw_agree(r);
	raw_queue_place(r, fn);
}

static void
shift_driver(struct raw *r, struct pv_queue_place *qp)
{
	(void)r;
	qp->qp_driver += 2;
}

static void
packed_ring_off_its_alignment(struct raw *r)
{
	place(r, shift_driver);
}

static void
spoil_ring(struct raw *r, struct pv_queue_place *qp)
{
	(void)qp;
	show(r, 3, PK_AVAIL);
}

static void
packed_ring_not_cleared(struct raw *r)
{
	place(r, spoil_ring);
}

/* Descriptors */

static void
takes_a_descriptor_in_use(struct raw *r)
{
	unsigned int i;

	up_packed(r);
	r->r_fd->fd_notify = hold;
	for (i = 0; i <= RAW_SIZE; i++)
		supply(r, 1, PK_WRITE, i);
}

static void
changes_what_is_available(struct raw *r)
{
	up_packed(r);
	r->r_fd->fd_notify = hold;
	supply(r, 1, PK_WRITE, 0);
	body(r, 0, raw_buf(r, 0), 32, 0);
	supply(r, 1, PK_WRITE, 1);
}

static void
an_id_twice(struct raw *r)
{
	up_packed(r);
	r->r_fd->fd_notify = hold;
	supply(r, 1, PK_WRITE, 3);
	supply(r, 1, PK_WRITE, 3);
}

static void
a_list_longer_than_the_queue(struct raw *r)
{
	unsigned int i;

	up_packed(r);
	for (i = 1; i < RAW_SIZE; i++) {
		body(r, i, raw_buf(r, 64 * i), 16, 0);
		show(r, i, available(PK_NEXT));
	}
	body(r, 0, raw_buf(r, 0), 16, 0);
	pv_md_wmb(true);
	show(r, 0, available(PK_NEXT));
	wrap = 0;
	pv_md_mb(true);
	kick(r);
}

static void
packed_writable_before_readable(struct raw *r)
{
	up_packed(r);
	body(r, 0, raw_buf(r, 0), 16, 0);
	body(r, 1, raw_buf(r, 64), 16, 0);
	show(r, 1, available(0));
	pv_md_wmb(true);
	show(r, 0, available(PK_NEXT | PK_WRITE));
	pos = 2;
	pv_md_mb(true);
	kick(r);
}

static void
a_list_without_room(struct raw *r)
{
	unsigned int i;

	up_packed(r);
	r->r_fd->fd_notify = hold;
	for (i = 0; i + 1 < RAW_SIZE; i++)
		supply(r, 1, PK_WRITE, i);
	supply(r, 1, PK_NEXT, i);
}

static void
the_first_before_the_rest(struct raw *r)
{
	up_packed(r);
	supply(r, 1, PK_NEXT, 0);
}

static void
packed_indirect_not_negotiated(struct raw *r)
{
	r->r_deny = F(INDIRECT_DESC);
	up_packed(r);
	table_entry(r, 0, 0);
	table(r, 1);
}

static void
flags_in_a_packed_table(struct raw *r)
{
	up_packed(r);
	table_entry(r, 0, PK_NEXT);
	table_entry(r, 1, 0);
	table(r, 2);
}

static void
a_packed_table_longer_than_the_queue(struct raw *r)
{
	unsigned int i;

	up_packed(r);
	for (i = 0; i <= RAW_SIZE; i++)
		table_entry(r, i, 0);
	table(r, RAW_SIZE + 1);
}

static void
a_table_in_a_list(struct raw *r)
{
	up_packed(r);
	table_entry(r, 0, 0);
	body(r, 0, raw_buf(r, 512), 16, 0);
	body(r, 1, raw_buf(r, 0), 16, 0);
	show(r, 1, available(PK_INDIRECT));
	pv_md_wmb(true);
	show(r, 0, available(PK_NEXT));
	pos = 2;
	pv_md_mb(true);
	kick(r);
}

/* Order and doorbells */

static void
again(struct raw *r, int first, int second)
{
	up_packed(r);
	supply(r, 1, PK_WRITE, 0);
	body(r, pos, raw_buf(r, 0), 16, 0);
	if (first)
		pv_md_wmb(true);
	show(r, pos, available(PK_WRITE));
	step();
	if (second)
		pv_md_mb(true);
	kick(r);
}

static void
no_barrier_before_the_flags(struct raw *r)
{
	again(r, 0, 1);
}

static void
no_barrier_before_the_events(struct raw *r)
{
	again(r, 1, 0);
}

static void
strange_event_flags(struct raw *r)
{
	r->r_deny = F(EVENT_IDX);
	up_packed(r);
	*raw_driver_word(r, 0, 1) = PK_EVENT_DESC;
	supply(r, 1, PK_WRITE, 0);
}

static void
no_packed_bell(struct raw *r)
{
	up_packed(r);
	body(r, 0, raw_buf(r, 0), 16, 0);
	pv_md_wmb(true);
	show(r, 0, available(PK_WRITE));
	pv_md_mb(true);
	fake_settle(r->r_fd);
}

static void
a_packed_bell_too_many(struct raw *r)
{
	up_packed(r);
	fake_no_notify(r->r_fd, 0, 1);
	supply(r, 1, PK_WRITE, 0);
}

static void
a_bell_with_an_old_place(struct raw *r)
{
	up(r, F(RING_PACKED) | F(NOTIFICATION_DATA));
	body(r, 0, raw_buf(r, 0), 16, 0);
	pv_md_wmb(true);
	show(r, 0, available(PK_WRITE));
	pv_md_mb(true);
	kick(r);
}

static void
leaves_packed_rings(struct raw *r)
{
	r->r_fd->fd_should = F(RING_PACKED);
	r->r_deny = F(RING_PACKED);
	up(r, F(RING_PACKED));
}

/* NOTIF_CONFIG_DATA */

static void
leaves_what_bells_say(struct raw *r)
{
	r->r_fd->fd_should = F(NOTIF_CONFIG_DATA);
	r->r_deny = F(NOTIF_CONFIG_DATA);
	up(r, F(NOTIF_CONFIG_DATA));
}

static void
a_bell_with_the_index(struct raw *r)
{
	up(r, F(NOTIF_CONFIG_DATA));
	raw_write(r, FAKE_PCI_NOTIFY, 2, 0);
}

static void
a_bell_with_the_index_and_data(struct raw *r)
{
	up(r, F(NOTIF_CONFIG_DATA) | F(NOTIFICATION_DATA));
	raw_write(r, FAKE_PCI_NOTIFY, 4, 0);
}

static void
reads_what_bells_say_unasked(struct raw *r)
{
	up(r, 0);
	raw_write(r, C_SELECT, 2, 0);
	raw_read(r, C_NOTIF_DATA, 2);
}

/* IN_ORDER, in a split ring */

static void
begins_anywhere(struct raw *r)
{
	up(r, F(IN_ORDER));
	raw_desc(r, 0, 2, raw_buf(r, 0), 16, 0, 0);
	raw_avail(r, 0, 2);
	raw_kick(r, 0);
}

static void
a_next_that_is_not(struct raw *r)
{
	up(r, F(IN_ORDER));
	raw_desc(r, 0, 0, raw_buf(r, 0), 16, DESC_NEXT, 2);
	raw_desc(r, 0, 2, raw_buf(r, 64), 16, 0, 0);
	raw_avail(r, 0, 0);
	raw_kick(r, 0);
}

static void
a_table_out_of_order(struct raw *r)
{
	up(r, F(IN_ORDER));
	raw_put_desc(r->r_buf->pb_va, raw_buf(r, 512), 16, DESC_NEXT, 2);
	raw_put_desc(r->r_buf->pb_va + 32, raw_buf(r, 640), 16, 0, 0);
	raw_send(r, 0, 48, DESC_INDIRECT);
}

/* RING_RESET */

static void
reset_queue(struct raw *r)
{
	if (r->r_st.st_kind == STAND_PCI) {
		raw_write(r, C_SELECT, 2, 0);
		raw_write(r, C_RESET, 2, 1);
	} else {
		raw_write(r, R_SELECT, 4, 0);
		raw_write(r, R_RESET, 4, 1);
	}
}

static void
does_not_await_a_queue_s_reset(struct raw *r)
{
	up(r, F(RING_RESET));
	reset_queue(r);
	raw_write(r, C_ENABLE, 2, 1);
}

static void
does_not_await_it_on_mmio(struct raw *r)
{
	up(r, F(RING_RESET));
	reset_queue(r);
	raw_write(r, R_READY, 4, 1);
}

static void
enables_what_it_has_not_set_up(struct raw *r)
{
	up(r, F(RING_RESET));
	reset_queue(r);
	raw_read(r, C_RESET, 2);
	raw_write(r, C_ENABLE, 2, 1);
}

static void
resets_a_queue_unasked(struct raw *r)
{
	up(r, 0);
	reset_queue(r);
}

#define P(fn, rule)	{ #fn, STRICT_##rule, STAND_PCI, 4, 1, fn }
#define M(fn, rule)	{ #fn, STRICT_##rule, STAND_MMIO, 4, 1, fn }

const struct planted planted_packed[] = {
	P(packed_ring_off_its_alignment, RING_ALIGN),
	P(packed_ring_not_cleared, RING_INITIAL),
	P(takes_a_descriptor_in_use, ENTRY_ALTERED),
	P(changes_what_is_available, ENTRY_ALTERED),
	P(an_id_twice, ID_TWICE),
	P(a_list_longer_than_the_queue, CHAIN_SIZE),
	P(packed_writable_before_readable, CHAIN_ORDER),
	P(a_list_without_room, LIST_PARTIAL),
	P(the_first_before_the_rest, LIST_PARTIAL),
	P(packed_indirect_not_negotiated, INDIRECT_UNASKED),
	P(flags_in_a_packed_table, INDIRECT_FLAGS),
	P(a_packed_table_longer_than_the_queue, CHAIN_SIZE),
	P(a_table_in_a_list, INDIRECT_NEXT),
	P(no_barrier_before_the_flags, BARRIER_INDEX),
	P(no_barrier_before_the_events, BARRIER_NOTIFY),
	P(strange_event_flags, EVENT_FLAGS),
	P(no_packed_bell, NOTIFY_MISSING),
	P(a_packed_bell_too_many, NOTIFY_UNWANTED),
	P(a_bell_with_an_old_place, NOTIFY_VALUE),
	P(leaves_packed_rings, SHOULD_ACCEPT),
	P(leaves_what_bells_say, SHOULD_ACCEPT),
	P(a_bell_with_the_index, NOTIFY_VALUE),
	P(a_bell_with_the_index_and_data, NOTIFY_VALUE),
	P(reads_what_bells_say_unasked, NOTIFY_DATA),
	P(begins_anywhere, ORDER_NEXT),
	P(a_next_that_is_not, ORDER_NEXT),
	P(a_table_out_of_order, ORDER_NEXT),
	P(does_not_await_a_queue_s_reset, QUEUE_RESET_AWAITED),
	M(does_not_await_it_on_mmio, QUEUE_RESET_AWAITED),
	P(enables_what_it_has_not_set_up, ADDRESS),
	P(resets_a_queue_unasked, QUEUE_RESET),
	{ NULL, STRICT_NRULES, STAND_PCI, 0, 0, NULL },
};
