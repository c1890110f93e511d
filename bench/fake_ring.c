/* SPDX-License-Identifier: ISC */
/*
 * The device's side of split rings, written from the specification and
 * independent of lib/: offsets are computed here, memory is reached by device
 * addresses alone.
 */
#include <string.h>

#include "fake.h"
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
		if (fq->fq_ready)
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

void
fake_queue_enable(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	unsigned int n = fq->fq_size;

	if (fd->fd_refuse_queues)
		return;
	if (fake_has(fd, PV_F_RING_PACKED))
		port_violation("queue %u: packed rings are accepted, and this "
		    "is a split one", queue);
	if (!fd->fd_legacy && !(fd->fd_status & PV_STATUS_FEATURES_OK))
		strict_broken(fd->fd_refused ? STRICT_REFUSED_GOES_ON :
		    STRICT_QUEUE_LIFE, "queue %u before FEATURES_OK", queue);
	if (fd->fd_status & PV_STATUS_DRIVER_OK)
		strict_broken(STRICT_QUEUE_LIFE, "queue %u after DRIVER_OK",
		    queue);
	if (n == 0 || n > fq->fq_max || (n & (n - 1)) != 0) {
		strict_broken(STRICT_QUEUE_SIZE, "queue %u: %u", queue, n);
		return;
	}
	if ((fq->fq_desc & 15) || (fq->fq_driver & 1) || (fq->fq_device & 3)) {
		strict_broken(STRICT_RING_ALIGN, "queue %u", queue);
		return;
	}
	if (fd->fd_strict && !judge_ring(fq, queue))
		return;
	check_overlap(fq->fq_driver, 6 + 2 * n, fq->fq_device, 6 + 8 * n,
	    128, "driver and device area");
	check_overlap(fq->fq_desc, 16 * n, fq->fq_device, 6 + 8 * n, 128,
	    "descriptor and device area");
	fq->fq_ready = 1;
	fd->fd_holder.ph_what = holds;
	fd->fd_holder.ph_lent = lent;
	fd->fd_holder.ph_arg = fd;
	port_hold(&fd->fd_holder);
	port_dma_field(fq->fq_driver, 2, PORT_FIELD_FLAGS);
	port_dma_field(fq->fq_driver + 2, 2, PORT_FIELD_INDEX);
	port_dma_field(used_event(fq), 2, PORT_FIELD_EVENT);
	port_dma_field(fq->fq_device, 4, PORT_FIELD_POLLED);
	port_dma_field(avail_event(fq), 2, PORT_FIELD_POLLED);
	/* Asks for a doorbell at the first chain, whatever stood there. */
	fake_no_notify(fd, queue, fq->fq_no_notify);
}

static struct fake_dev *watched;

static void
watch_queue(struct fake_queue *fq, char kind)
{
	if (!fq->fq_ready)
		return;
	if (load16(fq->fq_driver + 2) == fq->fq_seen) {
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
		watch_queue(&fd->fd_queues[i], kind);
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
	uint16_t idx = load16(fq->fq_driver + 2), event = fq->fq_event;
	uint16_t n = (uint16_t)(idx - fq->fq_settled);
	int owed;

	if (fake_has(fd, PV_F_EVENT_IDX))
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
	uint16_t idx = load16(fq->fq_driver + 2);

	if (fq->fq_no_notify && idx != fq->fq_rung)
		strict_broken(STRICT_NOTIFY_UNWANTED, "queue %u", queue);
	if (port_barrier_hook == watch && idx != fq->fq_rung &&
	    !fq->fq_checked)
		strict_broken(STRICT_BARRIER_NOTIFY, "queue %u", queue);
	fq->fq_checked = 0;
	fq->fq_rung = fq->fq_settled = idx;
	judge_index(fd, queue, idx);
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
	if (fake_has(fd, PV_F_NOTIFICATION_DATA) &&
	    data >> 16 != load16(fq->fq_driver + 2))
		strict_broken(STRICT_NOTIFY_VALUE, "data 0x%x", data);
	else if (!fake_has(fd, PV_F_NOTIFICATION_DATA) && data >> 16 != 0)
		strict_broken(STRICT_NOTIFY_VALUE, "0x%x", data);
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
	n = (uint16_t)(load16(fq->fq_driver + 2) - fq->fq_avail);
	if (n > fq->fq_size && !fd->fd_lenient) {
		strict_broken(STRICT_AVAIL_BACK,
		    "queue %u: %u ahead of %u entries", queue, n, fq->fq_size);
		return 0;
	}
	if (fd->fd_strict)
		judge_index(fd, queue, (uint16_t)(n + fq->fq_avail));
	return n;
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

static int
add_seg(struct fake_chain *fc, const struct desc *d)
{
	unsigned int n = fc->fc_nout + fc->fc_nin;

	if (n == FAKE_MAXSEGS) {
		port_violation("a chain too long for the model");
		return -1;
	}
	if (d->len == 0)
		strict_broken(STRICT_DESC_FLAGS, "a descriptor of length 0");
	fc->fc_segs[n].addr = d->addr;
	fc->fc_segs[n].len = d->len;
	if (d->flags & F_WRITE) {
		fc->fc_nin++;
		fc->fc_inlen += d->len;
	} else {
		if (fc->fc_nin != 0)
			strict_broken(STRICT_CHAIN_ORDER, "descriptor %u", n);
		fc->fc_nout++;
		fc->fc_outlen += d->len;
	}
	return 0;
}

/* What its descriptors are, in one number. */
static void
add_sum(struct fake_chain *fc, const struct desc *d)
{
	uint64_t words[2];
	unsigned int i;

	memcpy(&words[0], &d->addr, 8);
	memcpy(&words[1], &d->len, 8);
	for (i = 0; i < 2; i++)
		fc->fc_sum = (fc->fc_sum ^ words[i]) * 0x100000001b3ull;
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
		if (add_seg(fc, &d))
			return -1;
		if (!(d.flags & F_NEXT))
			break;
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
judge_chain(const struct fake_dev *fd, const struct fake_queue *fq,
    struct fake_chain *fc)
{
	uint16_t flags = load16(fq->fq_driver);

	if (fake_has(fd, PV_F_EVENT_IDX) ? flags != 0 : flags > 1)
		strict_broken(fake_has(fd, PV_F_EVENT_IDX) ?
		    STRICT_AVAIL_FLAGS_EVENT : STRICT_AVAIL_FLAGS, "0x%x",
		    flags);
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
judge_return(struct fake_dev *fd, const struct fake_queue *fq,
    const struct fake_chain *fc)
{
	static struct fake_chain now;

	if (fc->fc_bad)
		return;
	if (!held(fc)) {
		strict_broken(STRICT_ENTRY_REMOVED, "chain %u", fc->fc_head);
		return;
	}
	memset(&now, 0, sizeof(now));
	if (walk(fd, fq->fq_desc, fq->fq_size, fc->fc_head, &now,
	    fq->fq_size) || now.fc_sum != fc->fc_sum)
		strict_broken(STRICT_ENTRY_ALTERED, "chain %u", fc->fc_head);
}

int
fake_pop(struct fake_dev *fd, unsigned int queue, struct fake_chain *fc)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	if (fd->fd_gone || fake_available(fd, queue) == 0)
		return 0;
	if (fd->fd_strict && port_bell == 0)
		fake_owed(fd, queue);
	memset(fc, 0, offsetof(struct fake_chain, fc_segs));
	fc->fc_sum = 0;
	fc->fc_ndescs = 0;
	fc->fc_bad = 0;
	fc->fc_head = load16(fq->fq_driver + 4 +
	    2 * (bus_addr_t)(fq->fq_avail & (fq->fq_size - 1)));
	fq->fq_avail++;
	holds_take(&fq->fq_holds, fc->fc_head);
	if (!fq->fq_no_notify && fake_has(fd, PV_F_EVENT_IDX)) {
		fq->fq_event = fq->fq_avail;
		store16(avail_event(fq), fq->fq_event);
	}
	walk(fd, fq->fq_desc, fq->fq_size, fc->fc_head, fc, fq->fq_size);
	if (fd->fd_strict)
		judge_chain(fd, fq, fc);
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

void
fake_push_raw(struct fake_dev *fd, unsigned int queue, uint32_t id,
    uint32_t len)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	uint32_t elem[2] = { wire32(id), wire32(len) };

	port_dma_write(fq->fq_device + 4 +
	    8 * (bus_addr_t)(fq->fq_used & (fq->fq_size - 1)), elem,
	    sizeof(elem));
	fq->fq_used++;
	holds_give(&fq->fq_holds, id);
}

void
fake_set_used_idx(struct fake_dev *fd, unsigned int queue, uint16_t idx)
{
	store16(fd->fd_queues[queue].fq_device + 2, idx);
}

void
fake_interrupt(struct fake_dev *fd, unsigned int queue, int force)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	uint16_t old = fq->fq_signalled, new = fq->fq_used, event;
	int wanted;

	if (fake_has(fd, PV_F_EVENT_IDX)) {
		event = load16(used_event(fq));
		wanted = (uint16_t)(new - event - 1) < (uint16_t)(new - old);
	} else
		wanted = (load16(fq->fq_driver) & 1) == 0;
	fq->fq_signalled = new;
	if ((!wanted && !force) || fq->fq_silent)
		return;
	if (fd->fd_defer) {
		fd->fd_pending_queues |= 1ull << queue;
		return;
	}
	fq->fq_interrupts++;
	if (wanted)
		fq->fq_told = 1;
	if (fd->fd_signal != NULL)
		fd->fd_signal(fd, (int)queue);
}

void
fake_give(struct fake_dev *fd, unsigned int queue, const struct fake_chain *fc,
    uint32_t len)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	if (fd->fd_strict)
		judge_return(fd, fq, fc);
	fake_push_raw(fd, queue, fc->fc_head, len);
	fake_set_used_idx(fd, queue, fq->fq_used);
}

void
fake_push(struct fake_dev *fd, unsigned int queue, const struct fake_chain *fc,
    uint32_t len)
{
	fake_give(fd, queue, fc, len);
	fake_interrupt(fd, queue, 0);
}
