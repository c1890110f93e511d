/* SPDX-License-Identifier: ISC */
/*
 * The device's side of rings, written from the specification and independent of
 * lib/: offsets are computed here, memory is reached by device addresses alone.
 * What is of packed rings alone is in fake_packed.c.
 */
#include <stdlib.h>
#include <string.h>

#include "fake_ring.h"
#include "wire.h"

#define F_NEXT		1
#define F_WRITE		2
#define F_INDIRECT	4

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

static uint16_t
load16(bus_addr_t addr)
{
	uint16_t v = 0;

	port_dma_read(addr, &v, sizeof(v));
	return wire16(v);
}

static void
store16(bus_addr_t addr, uint16_t v)
{
	v = wire16(v);
	port_dma_write(addr, &v, sizeof(v));
}

static bus_addr_t
avail_event(const struct fake_queue *fq)
{
	return fq->fq_device + 4 + 8 * (bus_addr_t)fq->fq_size;
}

static bus_addr_t
used_event(const struct fake_queue *fq)
{
	return fq->fq_driver + 4 + 2 * (bus_addr_t)fq->fq_size;
}

/*
 * The available index; in a packed ring the number of descriptors that were
 * ever made available.
 */
static uint16_t
avail_index(const struct fake_dev *fd, const struct fake_queue *fq)
{
	if (fake_is_packed(fd))
		return (uint16_t)(fq->fq_avail + pk_ahead(&fq->fq_packed,
		    &fq->fq_packed.pk_avail));
	return load16(fq->fq_driver + 2);
}

static void
check_overlap(bus_addr_t a, bus_size_t alen, bus_addr_t b, bus_size_t blen,
    bus_addr_t line, const char *what)
{
	bus_addr_t a0 = a & ~(line - 1), a1 = (a + alen - 1) | (line - 1);
	bus_addr_t b0 = b & ~(line - 1), b1 = (b + blen - 1) | (line - 1);

	if (a0 <= b1 && b0 <= a1)
		port_violation("%s share a line of %u bytes", what,
		    (unsigned int)line);
}

/* What the memory of a new ring holds, and where it is. */
static int
judge_ring(const struct fake_queue *fq, unsigned int queue)
{
	unsigned int n = fq->fq_size;

	if (port_dma_kva(fq->fq_desc, 16 * n) == NULL ||
	    port_dma_kva(fq->fq_driver, 6 + 2 * n) == NULL ||
	    port_dma_kva(fq->fq_device, 6 + 8 * n) == NULL) {
		strict_broken(STRICT_ADDRESS, "the ring of queue %u", queue);
		return 0;
	}
	if (load16(fq->fq_device) != 0 || load16(fq->fq_device + 2) != 0)
		strict_broken(STRICT_USED_INITIAL, "queue %u", queue);
	return 1;
}

/* What a device that is not gone has of memory. */
static const char *
holds(void *arg, bus_addr_t addr, bus_size_t len)
{
	struct fake_dev *fd = arg;
	const struct fake_queue *fq = fd->fd_queues;
	struct pv_queue_place qp = { 0 };
	const char *what = NULL;
	unsigned int i;

	if (fd->fd_gone)
		return NULL;
	for (i = 0; i < fd->fd_nqueues && what == NULL; i++, fq++) {
		qp.qp_size = fq->fq_size;
		qp.qp_desc = fq->fq_desc;
		qp.qp_driver = fq->fq_driver;
		qp.qp_device = fq->fq_device;
		if (!fq->fq_ready)
			continue;
		if (fake_is_packed(fd))
			what = pk_holds(&fq->fq_packed, addr, len);
		else
			what = holds_what(&fq->fq_holds, &qp, fq->fq_avail,
			    addr, len);
	}
	return what;
}

static const char *
lent(void *arg, bus_addr_t addr, bus_size_t len)
{
	struct fake_dev *fd = arg;

	return fd->fd_gone || fd->fd_lent == NULL ? NULL :
	    fd->fd_lent(fd, addr, len);
}

/* A split ring's place; whether it can be used. */
static int
split_place(const struct fake_dev *fd, const struct fake_queue *fq,
    unsigned int queue)
{
	unsigned int n = fq->fq_size;

	if ((fq->fq_desc & 15) || (fq->fq_driver & 1) || (fq->fq_device & 3)) {
		strict_broken(STRICT_RING_ALIGN, "queue %u", queue);
		return 0;
	}
	if (fd->fd_strict && !judge_ring(fq, queue))
		return 0;
	check_overlap(fq->fq_driver, 6 + 2 * n, fq->fq_device, 6 + 8 * n,
	    128, "driver and device area");
	check_overlap(fq->fq_desc, 16 * n, fq->fq_device, 6 + 8 * n, 128,
	    "descriptor and device area");
	return 1;
}

static void
split_fields(const struct fake_queue *fq)
{
	port_dma_field(fq->fq_driver, 2, PORT_FIELD_FLAGS);
	port_dma_field(fq->fq_driver + 2, 2, PORT_FIELD_INDEX);
	port_dma_field(used_event(fq), 2, PORT_FIELD_EVENT);
	port_dma_field(fq->fq_device, 4, PORT_FIELD_POLLED);
	port_dma_field(avail_event(fq), 2, PORT_FIELD_POLLED);
}

static struct fake_more *
more(const struct fake_queue *fq)
{
	static struct fake_more *all;
	struct fake_more *fm;

	for (fm = all; fm != NULL; fm = fm->fm_next)
		if (fm->fm_queue == fq)
			return fm;
	fm = malloc(sizeof(*fm));
	if (fm == NULL)
		abort();
	fm->fm_queue = fq;
	fm->fm_next = all;
	return all = fm;
}

/* Whether it is the time to enable a queue, of this size. */
static int
judge_enable(const struct fake_dev *fd, const struct fake_queue *fq,
    unsigned int queue)
{
	unsigned int n = fq->fq_size;

	if (!fd->fd_legacy && !(fd->fd_status & PV_STATUS_FEATURES_OK))
		strict_broken(fd->fd_refused ? STRICT_REFUSED_GOES_ON :
		    STRICT_QUEUE_LIFE, "queue %u before FEATURES_OK", queue);
	if ((fd->fd_status & PV_STATUS_DRIVER_OK) && !fq->fq_stopped)
		strict_broken(STRICT_QUEUE_LIFE, "queue %u after DRIVER_OK",
		    queue);
	if (n == 0 || n > fq->fq_max ||
	    (!fake_is_packed(fd) && (n & (n - 1)) != 0)) {
		strict_broken(STRICT_QUEUE_SIZE, "queue %u: %u", queue, n);
		return 0;
	}
	return 1;
}

void
fake_queue_enable(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	int packed = fake_is_packed(fd);

	if (fd->fd_refuse_queues || !judge_enable(fd, fq, queue))
		return;
	if (!(packed ? fake_packed_place(fd, fq, queue) :
	    split_place(fd, fq, queue)))
		return;
	fq->fq_ready = 1;
	fq->fq_stopped = 0;
	if (packed || fake_has(fd, PV_F_IN_ORDER))
		fq->fq_more = more(fq);
	fd->fd_holder.ph_what = holds;
	fd->fd_holder.ph_lent = lent;
	fd->fd_holder.ph_arg = fd;
	port_hold(&fd->fd_holder);
	if (packed)
		fake_packed_begin(fq);
	else
		split_fields(fq);
	/* Asks for a doorbell at the first chain, whatever stood there. */
	fake_no_notify(fd, queue, fq->fq_no_notify);
}

static struct fake_dev *watched;

static void
watch_queue(const struct fake_dev *fd, struct fake_queue *fq, char kind)
{
	if (!fq->fq_ready)
		return;
	if (avail_index(fd, fq) == fq->fq_seen) {
		if (kind != 'r')
			fq->fq_ordered = 1;
	} else if (kind == 'm')
		fq->fq_checked = 1;
}

/*
 * Each barrier of the driver's: what of the available index it has stored by
 * then, seen in memory that is the same for both.
 */
static void
watch(char kind, bool outer)
{
	struct fake_dev *fd = watched;
	unsigned int i;

	if (fd == NULL || fd->fd_gone ||
	    !(fd->fd_status & PV_STATUS_DRIVER_OK))
		return;
	if (!outer && fake_has(fd, PV_F_ORDER_PLATFORM))
		strict_broken(STRICT_BARRIER_PLATFORM, "'%c'", kind);
	for (i = 0; i < fd->fd_nqueues; i++)
		watch_queue(fd, &fd->fd_queues[i], kind);
}

static int
can_watch(void)
{
	return port_bus == &port_plain_bus && !port.po_shadow;
}

void
fake_watch(struct fake_dev *fd)
{
	watched = fd;
	port_barrier_hook = fd != NULL && can_watch() ? watch : NULL;
}

/* The index is another than it was: what came before it is to be seen. */
static void
judge_index(struct fake_dev *fd, unsigned int queue, uint16_t idx)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	if (idx == fq->fq_seen)
		return;
	if ((uint16_t)(idx - fq->fq_seen) > fq->fq_size)
		strict_broken(STRICT_AVAIL_BACK, "queue %u: %u after %u", queue,
		    idx, fq->fq_seen);
	if (port_barrier_hook == watch && !fq->fq_ordered)
		strict_broken(STRICT_BARRIER_INDEX, "queue %u", queue);
	fq->fq_seen = idx;
	fq->fq_ordered = 0;
}

/* The driver returned: it has told of what the device wants to be told of. */
void
fake_owed(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	uint16_t idx = avail_index(fd, fq), event = fq->fq_event;
	uint16_t n = (uint16_t)(idx - fq->fq_settled);
	int owed;

	if (fake_has(fd, PV_F_EVENT_IDX) && !fq->fq_all &&
	    !(fake_is_packed(fd) && fq->fq_no_notify))
		owed = (uint16_t)(idx - event - 1) < n;
	else
		owed = n != 0 && !fq->fq_no_notify;
	if (owed)
		strict_broken(STRICT_NOTIFY_MISSING, "queue %u", queue);
	fq->fq_settled = idx;
}

static void
judge_doorbell(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	uint16_t idx = avail_index(fd, fq);

	if (fq->fq_no_notify && idx != fq->fq_rung)
		strict_broken(STRICT_NOTIFY_UNWANTED, "queue %u", queue);
	if (port_barrier_hook == watch && idx != fq->fq_rung &&
	    !fq->fq_checked)
		strict_broken(STRICT_BARRIER_NOTIFY, "queue %u", queue);
	fq->fq_checked = 0;
	fq->fq_rung = fq->fq_settled = idx;
	judge_index(fd, queue, idx);
}

/* The upper half of a doorbell's value. */
static void
judge_data(const struct fake_dev *fd, const struct fake_queue *fq,
    uint32_t data)
{
	uint32_t want = 0;

	if (fake_has(fd, PV_F_NOTIFICATION_DATA))
		want = fake_is_packed(fd) ? fake_packed_next(fq) :
		    avail_index(fd, fq);
	if (data >> 16 != want)
		strict_broken(STRICT_NOTIFY_VALUE, "data 0x%x, not 0x%x above",
		    data, want);
}

void
fake_doorbell(struct fake_dev *fd, uint32_t data)
{
	unsigned int queue = data & 0xffff;
	struct fake_queue *fq;

	if (fd->fd_gone)
		return;
	if (!(fd->fd_status & PV_STATUS_DRIVER_OK)) {
		strict_broken(STRICT_NOTIFY_EARLY, "data 0x%x", data);
		return;
	}
	if (queue >= fd->fd_nqueues || !fd->fd_queues[queue].fq_ready) {
		strict_broken(STRICT_NOTIFY_VALUE, "queue %u", queue);
		return;
	}
	fq = &fd->fd_queues[queue];
	fq->fq_doorbells++;
	fq->fq_notify_data = data;
	judge_data(fd, fq, data);
	if (fd->fd_needs_told)
		strict_broken(STRICT_STATUS_NEEDS_RESET, "a doorbell");
	if (fd->fd_strict)
		judge_doorbell(fd, queue);
	if (fd->fd_notify != NULL)
		fd->fd_notify(fd, queue);
}

void
fake_no_notify(struct fake_dev *fd, unsigned int queue, int on)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	fq->fq_no_notify = on;
	if (fake_is_packed(fd)) {
		fake_packed_ask(fd, fq, !on);
		return;
	}
	if (fake_has(fd, PV_F_EVENT_IDX)) {
		fq->fq_event = (uint16_t)(on ? fq->fq_avail - 1 : fq->fq_avail);
		store16(avail_event(fq), fq->fq_event);
		/* Has no meaning then. */
		if (fd->fd_strict)
			store16(fq->fq_device, !on);
		return;
	}
	store16(fq->fq_device, on ? 1 : 0);
	if (fd->fd_strict)
		store16(avail_event(fq), (uint16_t)(fq->fq_avail - 2));
}

unsigned int
fake_available(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	unsigned int n;

	if (!fq->fq_ready)
		return 0;
	n = (uint16_t)(avail_index(fd, fq) - fq->fq_avail);
	if (n > fq->fq_size && !fd->fd_lenient) {
		strict_broken(STRICT_AVAIL_BACK,
		    "queue %u: %u ahead of %u entries", queue, n, fq->fq_size);
		return 0;
	}
	if (fd->fd_strict)
		judge_index(fd, queue, (uint16_t)(n + fq->fq_avail));
	return n;
}

/* The same as a question: who judges nothing need not count a packed ring's. */
static int
has_available(struct fake_dev *fd, unsigned int queue)
{
	const struct fake_queue *fq = &fd->fd_queues[queue];

	if (fake_is_packed(fd) && !fd->fd_strict)
		return fq->fq_ready &&
		    pk_available(&fq->fq_packed, &fq->fq_packed.pk_avail);
	return fake_available(fd, queue) != 0;
}

static void
load_desc(bus_addr_t table, unsigned int i, struct desc *d)
{
	uint8_t b[16];

	port_dma_read(table + 16 * (bus_addr_t)i, b, sizeof(b));
	d->addr = wire_get(b, 8);
	d->len = (uint32_t)wire_get(b + 8, 4);
	d->flags = (uint16_t)wire_get(b + 12, 2);
	d->next = (uint16_t)wire_get(b + 14, 2);
}

int
fake_add_piece(struct fake_chain *fc, bus_addr_t addr, uint32_t len, int write)
{
	unsigned int n = fc->fc_nout + fc->fc_nin;

	if (n == FAKE_MAXSEGS) {
		port_violation("a chain too long for the model");
		return -1;
	}
	if (len == 0)
		strict_broken(STRICT_DESC_FLAGS, "a descriptor of length 0");
	fc->fc_segs[n].addr = addr;
	fc->fc_segs[n].len = len;
	if (write) {
		fc->fc_nin++;
		fc->fc_inlen += len;
	} else {
		if (fc->fc_nin != 0)
			strict_broken(STRICT_CHAIN_ORDER, "descriptor %u", n);
		fc->fc_nout++;
		fc->fc_outlen += len;
	}
	return 0;
}

uint64_t
fake_sum(uint64_t sum, uint64_t addr, uint64_t rest)
{
	sum = (sum ^ addr) * 0x100000001b3ull;
	return (sum ^ rest) * 0x100000001b3ull;
}

static void
add_sum(struct fake_chain *fc, const struct desc *d)
{
	fc->fc_sum = fake_sum(fc->fc_sum, d->addr, (uint64_t)d->next << 48 |
	    (uint64_t)d->flags << 32 | d->len);
	fc->fc_ndescs++;
}

static int
good_indirect(const struct fake_dev *fd, const struct fake_chain *fc,
    const struct desc *d, unsigned int count)
{
	enum strict_rule rule = STRICT_NRULES;

	if (!fake_has(fd, PV_F_INDIRECT_DESC))
		rule = STRICT_INDIRECT_UNASKED;
	else if (fc->fc_indirect)
		rule = STRICT_INDIRECT_NESTED;
	else if (d->flags & F_NEXT)
		rule = STRICT_INDIRECT_NEXT;
	else if ((d->flags & ~F_INDIRECT) || d->len == 0 || d->len % 16 != 0 ||
	    count != 1)
		rule = STRICT_DESC_FLAGS;
	if (rule == STRICT_NRULES)
		return 1;
	strict_broken(rule, "flags 0x%x, length %u, descriptor %u", d->flags,
	    d->len, count);
	return 0;
}

/* Follow a chain through a table of n entries. */
static int
walk(struct fake_dev *fd, bus_addr_t table, unsigned int n, unsigned int i,
    struct fake_chain *fc, unsigned int most)
{
	unsigned int count = 0;
	struct desc d;

	for (;;) {
		if (i >= n || count++ == most) {
			strict_broken(i >= n ? STRICT_DESC_FLAGS : most == n ?
			    STRICT_CHAIN_LONG : STRICT_CHAIN_SIZE,
			    "descriptor %u of %u, after %u", i, n, count);
			fc->fc_bad = 1;
			return -1;
		}
		load_desc(table, i, &d);
		if (d.flags & ~(F_NEXT | F_WRITE | F_INDIRECT))
			strict_broken(STRICT_DESC_FLAGS, "flags 0x%x", d.flags);
		if (fd->fd_strict)
			add_sum(fc, &d);
		if (d.flags & F_INDIRECT) {
			if (!good_indirect(fd, fc, &d, count)) {
				fc->fc_bad = 1;
				return -1;
			}
			if (d.len / 16 > most)
				strict_broken(STRICT_CHAIN_SIZE,
				    "a table of %u, a queue of %u", d.len / 16,
				    most);
			fc->fc_indirect = 1;
			return walk(fd, d.addr, d.len / 16, 0, fc, d.len / 16);
		}
		if (fake_add_piece(fc, d.addr, d.len, d.flags & F_WRITE))
			return -1;
		if (!(d.flags & F_NEXT))
			break;
		if (fake_has(fd, PV_F_IN_ORDER) && d.next != (i + 1) % n)
			strict_broken(STRICT_ORDER_NEXT, "%u after %u of %u",
			    d.next, i, n);
		i = d.next;
	}
	if (d.next != 0)
		port_violation("the last descriptor's next is %u", d.next);
	return 0;
}

/* Two neighbours that could be one, in address, direction and length. */
static unsigned int
joined(const struct fake_dev *fd, const struct fake_chain *fc)
{
	unsigned int i, n = 0;

	for (i = 1; i < fc->fc_nout + fc->fc_nin; i++)
		if (i != fc->fc_nout && fc->fc_segs[i - 1].addr +
		    fc->fc_segs[i - 1].len == fc->fc_segs[i].addr &&
		    (fd->fd_maxseg == 0 || (uint64_t)fc->fc_segs[i - 1].len +
		    fc->fc_segs[i].len <= fd->fd_maxseg))
			n++;
	return n;
}

static int
held(const struct fake_chain *fc)
{
	unsigned int i;

	for (i = 0; i < fc->fc_nout + fc->fc_nin; i++)
		if (port_dma_kva(fc->fc_segs[i].addr, fc->fc_segs[i].len) ==
		    NULL)
			return 0;
	return 1;
}

static void
judge_flags(const struct fake_dev *fd, const struct fake_queue *fq)
{
	uint16_t flags = load16(fq->fq_driver);

	if (fake_has(fd, PV_F_EVENT_IDX) ? flags != 0 : flags > 1)
		strict_broken(fake_has(fd, PV_F_EVENT_IDX) ?
		    STRICT_AVAIL_FLAGS_EVENT : STRICT_AVAIL_FLAGS, "0x%x",
		    flags);
}

void
fake_judge_chain(const struct fake_dev *fd, struct fake_chain *fc)
{
	if (fc->fc_outlen + fc->fc_inlen > 1ull << 32) {
		strict_broken(STRICT_CHAIN_LONG, "%llu bytes",
		    (unsigned long long)(fc->fc_outlen + fc->fc_inlen));
		fc->fc_bad = 1;
	} else if (!fc->fc_bad && !held(fc)) {
		strict_broken(STRICT_ADDRESS, "a descriptor's");
		fc->fc_bad = 1;
	}
	if (joined(fd, fc) > 1)
		strict_broken(STRICT_CHAIN_EXCESS, "%u more than it takes",
		    joined(fd, fc));
}

/* Before the device says that it is done with a chain. */
static void
judge_return(struct fake_dev *fd, struct fake_queue *fq,
    const struct fake_chain *fc)
{
	static struct fake_chain now;

	if (fc->fc_bad)
		return;
	if (!held(fc)) {
		strict_broken(STRICT_ENTRY_REMOVED, "chain %u", fc->fc_head);
		return;
	}
	if (fake_is_packed(fd)) {
		fake_packed_judge_return(fq, fc);
		return;
	}
	memset(&now, 0, sizeof(now));
	if (walk(fd, fq->fq_desc, fq->fq_size, fc->fc_head, &now,
	    fq->fq_size) || now.fc_sum != fc->fc_sum)
		strict_broken(STRICT_ENTRY_ALTERED, "chain %u", fc->fc_head);
}

static void
split_pop(struct fake_dev *fd, struct fake_queue *fq, struct fake_chain *fc)
{
	fc->fc_head = load16(fq->fq_driver + 4 +
	    2 * (bus_addr_t)(fq->fq_avail & (fq->fq_size - 1)));
	fq->fq_avail++;
	holds_take(&fq->fq_holds, fc->fc_head);
	if (!fq->fq_no_notify && fake_has(fd, PV_F_EVENT_IDX)) {
		fq->fq_event = fq->fq_avail;
		store16(avail_event(fq), fq->fq_event);
	}
	walk(fd, fq->fq_desc, fq->fq_size, fc->fc_head, fc, fq->fq_size);
	if (fd->fd_strict) {
		judge_flags(fd, fq);
		fake_judge_chain(fd, fc);
	}
}

/* With IN_ORDER: whose turn it is to be given back. */
static void
line_up(struct fake_dev *fd, struct fake_queue *fq, const struct fake_chain *fc)
{
	uint16_t used = (uint16_t)(fc->fc_indirect || fc->fc_bad ? 1 :
	    fc->fc_nout + fc->fc_nin);

	if (!fake_is_packed(fd)) {
		if (fc->fc_head != fq->fq_next)
			strict_broken(STRICT_ORDER_NEXT,
			    "descriptor %u, not %u", fc->fc_head, fq->fq_next);
		fq->fq_next = (uint16_t)((fc->fc_head + used) &
		    (fq->fq_size - 1));
	}
	if (fq->fq_ntaken == FAKE_TAKEN) {
		port_violation("more in order than the model holds");
		return;
	}
	fq->fq_more->fm_taken[fq->fq_ntaken++] = (struct fake_taken){
		.ft_id = fc->fc_head, .ft_inlen = (uint32_t)fc->fc_inlen,
		.ft_ndescs = (uint16_t)fc->fc_ndescs,
	};
}

int
fake_pop(struct fake_dev *fd, unsigned int queue, struct fake_chain *fc)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	if (fd->fd_gone || fq->fq_resetting != 0 ||
	    !has_available(fd, queue))
		return 0;
	if (fd->fd_strict && port_bell == 0)
		fake_owed(fd, queue);
	memset(fc, 0, offsetof(struct fake_chain, fc_segs));
	fc->fc_sum = 0;
	fc->fc_ndescs = 0;
	fc->fc_bad = 0;
	fc->fc_table = (struct ring_seg){ 0 };
	if (fake_is_packed(fd))
		fake_packed_pop(fd, fq, fc);
	else
		split_pop(fd, fq, fc);
	if (fake_has(fd, PV_F_IN_ORDER))
		line_up(fd, fq, fc);
	return 1;
}

/* Move bytes between buf and the chain's part [first, first + n). */
static size_t
move(const struct fake_chain *fc, unsigned int first, unsigned int n,
    size_t off, void *buf, size_t len, int write)
{
	unsigned int i;
	size_t done = 0, part;

	for (i = first; i < first + n && done < len; i++) {
		if (off >= fc->fc_segs[i].len) {
			off -= fc->fc_segs[i].len;
			continue;
		}
		part = fc->fc_segs[i].len - off;
		if (part > len - done)
			part = len - done;
		if (write)
			port_dma_write(fc->fc_segs[i].addr + off,
			    (char *)buf + done, part);
		else
			port_dma_read(fc->fc_segs[i].addr + off,
			    (char *)buf + done, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t
fake_chain_read(const struct fake_chain *fc, size_t off, void *buf,
    size_t len)
{
	return move(fc, 0, fc->fc_nout, off, buf, len, 0);
}

size_t
fake_chain_write(const struct fake_chain *fc, size_t off, const void *buf,
    size_t len)
{
	return move(fc, fc->fc_nout, fc->fc_nin, off, (void *)(uintptr_t)buf,
	    len, 1);
}

/* A used entry for the last of n chains; ndescs: in a packed ring, of all. */
static void
use(struct fake_dev *fd, struct fake_queue *fq, const struct fake_taken *ft,
    unsigned int n, unsigned int ndescs)
{
	uint32_t elem[2] = { wire32(ft->ft_id), wire32(ft->ft_len) };

	if (fake_is_packed(fd)) {
		fake_packed_give(fd, fq, ft->ft_id, ft->ft_len, ft->ft_inlen,
		    ndescs);
		return;
	}
	port_dma_write(fq->fq_device + 4 +
	    8 * (bus_addr_t)(fq->fq_used & (fq->fq_size - 1)), elem,
	    sizeof(elem));
	fq->fq_used = (uint16_t)(fq->fq_used + n);
	holds_give(&fq->fq_holds, ft->ft_id);
}

void
fake_push_raw(struct fake_dev *fd, unsigned int queue, uint32_t id,
    uint32_t len)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	const struct fake_taken ft = { .ft_id = id, .ft_len = len,
	    .ft_inlen = 1 };
	unsigned int n = pk_list(&fq->fq_packed, id);

	use(fd, fq, &ft, 1, n != 0 ? n : 1);
}

void
fake_set_used_idx(struct fake_dev *fd, unsigned int queue, uint16_t idx)
{
	if (!fake_is_packed(fd))
		store16(fd->fd_queues[queue].fq_device + 2, idx);
}

static int
wanted(const struct fake_dev *fd, const struct fake_queue *fq, uint16_t old)
{
	uint16_t new = fq->fq_used;

	if (fake_is_packed(fd))
		return pk_wants(&fq->fq_packed, old);
	if (!fake_has(fd, PV_F_EVENT_IDX))
		return (load16(fq->fq_driver) & 1) == 0;
	return (uint16_t)(new - load16(used_event(fq)) - 1) <
	    (uint16_t)(new - old);
}

void
fake_interrupt(struct fake_dev *fd, unsigned int queue, int force)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	int tell = wanted(fd, fq, fq->fq_signalled);

	fq->fq_signalled = fq->fq_used;
	if ((!tell && !force) || fq->fq_silent)
		return;
	fq->fq_interrupts++;
	if (tell)
		fq->fq_told = 1;
	if (fd->fd_signal != NULL)
		fd->fd_signal(fd, (int)queue);
}

/*
 * The first of those in line, as many as one used entry may stand for: it
 * speaks of the last alone, and of the others only that they were used whole.
 */
static unsigned int
batch(const struct fake_dev *fd, const struct fake_queue *fq)
{
	const struct fake_taken *ft = fq->fq_more->fm_taken;
	unsigned int n, most = fd->fd_batch != 0 ? fd->fd_batch : FAKE_TAKEN;

	for (n = 0; n < fq->fq_ntaken && n < most && ft[n].ft_done; n++)
		if (ft[n].ft_len != ft[n].ft_inlen)
			return n + 1;
	return n;
}

static void
give_batch(struct fake_dev *fd, struct fake_queue *fq, unsigned int n)
{
	struct fake_taken *ft = fq->fq_more->fm_taken, last = ft[n - 1];
	unsigned int i, ndescs = last.ft_ndescs;

	for (i = 0; i + 1 < n; i++) {
		ndescs += ft[i].ft_ndescs;
		holds_give(&fq->fq_holds, ft[i].ft_id);
		pk_skip(&fq->fq_packed, ft[i].ft_id);
	}
	use(fd, fq, &last, n, ndescs);
	fq->fq_ntaken -= n;
	memmove(ft, ft + n, fq->fq_ntaken * sizeof(*ft));
}

void
fake_flush(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	unsigned int n, given = 0;

	if (!fake_has(fd, PV_F_IN_ORDER) || !fq->fq_ready)
		return;
	for (; (n = batch(fd, fq)) != 0; given++)
		give_batch(fd, fq, n);
	if (given != 0)
		fake_set_used_idx(fd, queue, fq->fq_used);
}

static void
give_in_order(struct fake_dev *fd, unsigned int queue, uint32_t id,
    uint32_t len)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	struct fake_taken *ft = fq->fq_more->fm_taken;
	unsigned int i;

	for (i = 0; i < fq->fq_ntaken; i++)
		if (ft[i].ft_id == id && !ft[i].ft_done) {
			ft[i].ft_done = 1;
			ft[i].ft_len = len;
			break;
		}
	if (fd->fd_batch == 0 || batch(fd, fq) >= fd->fd_batch)
		fake_flush(fd, queue);
}

void
fake_give(struct fake_dev *fd, unsigned int queue, const struct fake_chain *fc,
    uint32_t len)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	struct fake_taken ft = { .ft_id = fc->fc_head, .ft_len = len,
	    .ft_inlen = (uint32_t)fc->fc_inlen };

	if (fd->fd_strict)
		judge_return(fd, fq, fc);
	if (fake_has(fd, PV_F_IN_ORDER)) {
		give_in_order(fd, queue, fc->fc_head, len);
		return;
	}
	use(fd, fq, &ft, 1, fc->fc_ndescs);
	fake_set_used_idx(fd, queue, fq->fq_used);
}

void
fake_push(struct fake_dev *fd, unsigned int queue, const struct fake_chain *fc,
    uint32_t len)
{
	fake_give(fd, queue, fc, len);
	fake_interrupt(fd, queue, 0);
}

/* As it is when the device begins; where it was, a legacy device may keep. */
void
fake_queue_clear(struct fake_queue *fq)
{
	pk_end(&fq->fq_packed);
	fq->fq_size = fq->fq_max;
	fq->fq_ready = 0;
	fq->fq_vector = FAKE_NO_VECTOR;
	fq->fq_avail = fq->fq_used = fq->fq_signalled = 0;
	fq->fq_no_notify = fq->fq_all = 0;
	fq->fq_seen = fq->fq_rung = fq->fq_settled = 0;
	fq->fq_ordered = fq->fq_checked = 0;
	fq->fq_vector_unread = fq->fq_told = 0;
	fq->fq_resetting = 0;
	fq->fq_stopped = 0;
	fq->fq_ntaken = 0;
	fq->fq_next = 0;
	memset(&fq->fq_holds, 0, sizeof(fq->fq_holds));
}

static void
queue_reset_done(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	fake_queue_clear(fq);
	fq->fq_desc = fq->fq_driver = fq->fq_device = 0;
	fq->fq_stopped = 1;
	if (fd->fd_queue_reset != NULL)
		fd->fd_queue_reset(fd, queue);
}

uint32_t
fake_queue_reset_read(struct fake_dev *fd)
{
	struct fake_queue *fq = fake_selected(fd);

	if (fd->fd_gone)
		return UINT32_MAX;
	if (!fake_has(fd, PV_F_RING_RESET))
		strict_broken(STRICT_QUEUE_RESET, "read, not negotiated");
	if (fq == NULL || fq->fq_resetting == 0)
		return 0;
	if (--fq->fq_resetting > 0 || fd->fd_reset_never) {
		fq->fq_resetting += fd->fd_reset_never != 0;
		return 1;
	}
	queue_reset_done(fd, fd->fd_queue_sel);
	return 0;
}

void
fake_queue_reset_write(struct fake_dev *fd, uint32_t val)
{
	struct fake_queue *fq = fake_selected(fd);

	if (fd->fd_gone)
		return;
	if (!fake_has(fd, PV_F_RING_RESET) || val != 1 || fq == NULL ||
	    !fq->fq_ready || fq->fq_resetting != 0) {
		strict_broken(STRICT_QUEUE_RESET, "%u written, queue %u", val,
		    fd->fd_queue_sel);
		return;
	}
	if (fd->fd_queue_deaf)
		return;
	/* It is confirmed by being read back, and not before. */
	fq->fq_resetting = 1 + fd->fd_queue_looks;
}
