/* SPDX-License-Identifier: ISC */
/*
 * A fake device's packed rings: what a driver is held to in them.
 */
#include <string.h>

#include "fake_ring.h"
#include "wire.h"

int
fake_packed_place(const struct fake_dev *fd, const struct fake_queue *fq,
    unsigned int queue)
{
	struct pk_desc d;
	unsigned int i, n = fq->fq_size;

	if ((fq->fq_desc & 15) || (fq->fq_driver & 3) || (fq->fq_device & 3)) {
		strict_broken(STRICT_RING_ALIGN, "queue %u", queue);
		return 0;
	}
	if (!fd->fd_strict)
		return 1;
	if (port_dma_kva(fq->fq_desc, PK_LEN * n) == NULL ||
	    port_dma_kva(fq->fq_driver, 4) == NULL ||
	    port_dma_kva(fq->fq_device, 4) == NULL) {
		strict_broken(STRICT_ADDRESS, "the ring of queue %u", queue);
		return 0;
	}
	for (i = 0; i < n; i++) {
		pk_load(fq->fq_desc, i, &d);
		if ((d.pd_flags & (PK_AVAIL | PK_USED)) == 0)
			continue;
		strict_broken(STRICT_RING_INITIAL, "queue %u: descriptor %u, "
		    "flags 0x%x", queue, i, d.pd_flags);
		break;
	}
	return 1;
}

void
fake_packed_begin(struct fake_queue *fq)
{
	const struct pv_queue_place qp = {
		.qp_size = fq->fq_size, .qp_desc = fq->fq_desc,
		.qp_driver = fq->fq_driver, .qp_device = fq->fq_device,
	};

	pk_begin(&fq->fq_packed, &qp);
}

uint16_t
fake_packed_next(const struct fake_queue *fq)
{
	struct pk_at pa = fq->fq_packed.pk_avail;

	pk_step(&fq->fq_packed, &pa, pk_ahead(&fq->fq_packed, &pa));
	return (uint16_t)(pa.pa_pos | pa.pa_wrap << 15);
}

static uint64_t
sum_of(uint64_t sum, const struct pk_desc *d)
{
	return fake_sum(sum, d->pd_addr, (uint64_t)d->pd_flags << 48 |
	    (uint64_t)d->pd_id << 32 | d->pd_len);
}

/* All that is in a table, as pieces (fc not NULL), and in one number. */
static uint64_t
table(const struct ring_seg *at, struct fake_chain *fc)
{
	struct pk_desc d;
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < at->len / PK_LEN; i++) {
		pk_load(at->addr, i, &d);
		sum = sum_of(sum, &d);
		if (fc == NULL)
			continue;
		if (d.pd_flags & ~PK_WRITE)
			strict_broken(STRICT_INDIRECT_FLAGS,
			    "flags 0x%x of descriptor %u", d.pd_flags, i);
		if (fake_add_piece(fc, d.pd_addr, d.pd_len,
		    d.pd_flags & PK_WRITE))
			break;
	}
	return sum;
}

static int
good_table(const struct fake_dev *fd, const struct fake_queue *fq,
    const struct pk_desc *d, unsigned int count)
{
	enum strict_rule rule = STRICT_NRULES;

	if (!fake_has(fd, PV_F_INDIRECT_DESC))
		rule = STRICT_INDIRECT_UNASKED;
	else if ((d->pd_flags & PK_NEXT) || count != 1)
		rule = STRICT_INDIRECT_NEXT;
	else if (d->pd_len == 0 || d->pd_len % PK_LEN != 0)
		rule = STRICT_DESC_FLAGS;
	else if (d->pd_len / PK_LEN > fq->fq_size)
		rule = STRICT_CHAIN_SIZE;
	if (rule == STRICT_NRULES)
		return 1;
	strict_broken(rule, "flags 0x%x, length %u, descriptor %u",
	    d->pd_flags, d->pd_len, count);
	return 0;
}

static void
add_desc(const struct fake_dev *fd, struct fake_queue *fq,
    const struct pk_desc *d, struct fake_chain *fc)
{
	const unsigned int known = PK_NEXT | PK_WRITE |
	    PK_INDIRECT | PK_AVAIL | PK_USED;

	fc->fc_ndescs++;
	if (d->pd_flags & ~known)
		strict_broken(STRICT_DESC_FLAGS, "flags 0x%x", d->pd_flags);
	if (!(d->pd_flags & PK_INDIRECT)) {
		fake_add_piece(fc, d->pd_addr, d->pd_len,
		    d->pd_flags & PK_WRITE);
		return;
	}
	if (!good_table(fd, fq, d, fc->fc_ndescs)) {
		fc->fc_bad = 1;
		return;
	}
	fc->fc_indirect = 1;
	fc->fc_table = (struct ring_seg){ d->pd_addr, d->pd_len };
	fc->fc_sum = table(&fc->fc_table, fc);
}

/* From now until it is passed by a used one, a slot stays as it is. */
static void
remember(struct fake_queue *fq, unsigned int pos, const struct pk_desc *d)
{
	if (pos < FAKE_SLOTS)
		fq->fq_more->fm_slots[pos] = sum_of(0, d);
}

static void
judge_slots(const struct fake_queue *fq)
{
	const struct pk_ring *pk = &fq->fq_packed;
	struct pk_at pa = pk->pk_used;
	uint16_t n = (uint16_t)(pk->pk_ntaken - pk->pk_nused);
	struct pk_desc d;

	for (; n > 0; n--, pk_step(pk, &pa, 1)) {
		if (pa.pa_pos >= FAKE_SLOTS)
			continue;
		pk_load(pk->pk_desc, pa.pa_pos, &d);
		if (sum_of(0, &d) == fq->fq_more->fm_slots[pa.pa_pos])
			continue;
		strict_broken(STRICT_ENTRY_ALTERED, "descriptor %u",
		    pa.pa_pos);
		return;
	}
}

static void
judge_events(const struct fake_dev *fd, const struct fake_queue *fq)
{
	struct pk_at pa = { 0 };
	unsigned int flags = pk_event(&fq->fq_packed, &pa);

	if (flags > PK_EVENT_DESC || (flags == PK_EVENT_DESC &&
	    (!fake_has(fd, PV_F_EVENT_IDX) || pa.pa_pos >= fq->fq_size)))
		strict_broken(STRICT_EVENT_FLAGS, "flags 0x%x, offset %u",
		    flags, pa.pa_pos);
}

/* The rest of a list whose first descriptor is d; d is its last then. */
static void
follow(struct fake_dev *fd, struct fake_queue *fq, struct pk_desc *d,
    struct fake_chain *fc)
{
	struct pk_ring *pk = &fq->fq_packed;
	unsigned int pos;

	while (!fc->fc_bad && (d->pd_flags & PK_NEXT)) {
		pos = pk->pk_avail.pa_pos;
		if (fc->fc_ndescs == fq->fq_size) {
			strict_broken(STRICT_CHAIN_SIZE, "a list of more than "
			    "%u", fq->fq_size);
			fc->fc_bad = 1;
		} else if ((uint16_t)(pk->pk_ntaken - pk->pk_nused) ==
		    fq->fq_size || !pk_follow(pk, d)) {
			strict_broken(STRICT_LIST_PARTIAL,
			    "descriptor %u of a list", fc->fc_ndescs);
			fc->fc_bad = 1;
		} else {
			remember(fq, pos, d);
			add_desc(fd, fq, d, fc);
		}
	}
}

void
fake_packed_pop(struct fake_dev *fd, struct fake_queue *fq,
    struct fake_chain *fc)
{
	struct pk_ring *pk = &fq->fq_packed;
	unsigned int pos = pk->pk_avail.pa_pos;
	struct pk_desc d;

	if (fd->fd_strict)
		judge_slots(fq);
	if (!pk_next(pk, &d))
		return;
	remember(fq, pos, &d);
	add_desc(fd, fq, &d, fc);
	follow(fd, fq, &d, fc);
	fc->fc_head = d.pd_id;
	fq->fq_avail = pk->pk_ntaken;
	if (pk_list(pk, d.pd_id) != 0)
		strict_broken(STRICT_ID_TWICE, "id %u", d.pd_id);
	pk_took(pk, d.pd_id, fc->fc_ndescs, fc->fc_segs,
	    fc->fc_nout + fc->fc_nin, &fc->fc_table);
	if (!fq->fq_no_notify && fake_has(fd, PV_F_EVENT_IDX))
		fake_packed_ask(fd, fq, 1);
	if (fd->fd_strict) {
		judge_events(fd, fq);
		fake_judge_chain(fd, fc);
	}
}

void
fake_packed_judge_return(struct fake_queue *fq, const struct fake_chain *fc)
{
	judge_slots(fq);
	if (fc->fc_indirect && table(&fc->fc_table, NULL) != fc->fc_sum)
		strict_broken(STRICT_ENTRY_ALTERED, "the table of id %u",
		    fc->fc_head);
}

/*
 * A used length counts only with the WRITE flag, and a strict device fills it
 * in only then; others have always filled it in, and leave the flag out.
 */
void
fake_packed_give(const struct fake_dev *fd, struct fake_queue *fq,
    uint32_t id, uint32_t len, uint32_t inlen, unsigned int ndescs)
{
	unsigned int flags = 0;

	if (fd->fd_strict) {
		if (inlen == 0 && len == 0)
			len = 0xdddddddd;
		else
			flags = PK_WRITE;
	}
	pk_use(&fq->fq_packed, id, len, ndescs, flags);
	fq->fq_used = fq->fq_packed.pk_nused;
}

/*
 * Doorbells are wanted: at the next descriptor, or (also with EVENT_IDX) all.
 */
void
fake_packed_ask(const struct fake_dev *fd, struct fake_queue *fq, int on)
{
	const struct pk_at none = { 0x7ddd, 1 };
	const struct pk_ring *pk = &fq->fq_packed;

	fq->fq_event = fq->fq_avail;
	fq->fq_all = !fake_has(fd, PV_F_EVENT_IDX) ||
	    (fd->fd_strict && (fq->fq_avail & 16));
	if (!on)
		pk_ask(pk, PK_EVENT_DISABLE, &none);
	else if (fq->fq_all)
		pk_ask(pk, PK_EVENT_ENABLE, &none);
	else
		pk_ask(pk, PK_EVENT_DESC, &pk->pk_avail);
}
