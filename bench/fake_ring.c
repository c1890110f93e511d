/* SPDX-License-Identifier: ISC */
/*
 * The device's side of split rings, written from the specification and
 * independent of lib/: offsets are computed here, memory is reached by device
 * addresses alone.
 */
#include <string.h>

#include "fake.h"

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
	return v;
}

static void
store16(bus_addr_t addr, uint16_t v)
{
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

void
fake_queue_enable(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];
	unsigned int n = fq->fq_size;

	if (fd->fd_refuse_queues)
		return;
	if (!fd->fd_legacy && !(fd->fd_status & PV_STATUS_FEATURES_OK))
		port_violation("queue enabled before FEATURES_OK");
	if (fd->fd_status & PV_STATUS_DRIVER_OK)
		port_violation("queue enabled after DRIVER_OK");
	if (n == 0 || n > fq->fq_max || (n & (n - 1)) != 0)
		port_violation("queue size %u", n);
	if ((fq->fq_desc & 15) || (fq->fq_driver & 1) || (fq->fq_device & 3))
		port_violation("ring alignment");
	check_overlap(fq->fq_driver, 6 + 2 * n, fq->fq_device, 6 + 8 * n,
	    128, "driver and device area");
	check_overlap(fq->fq_desc, 16 * n, fq->fq_device, 6 + 8 * n, 128,
	    "descriptor and device area");
	fq->fq_ready = 1;
	port_dma_field(fq->fq_driver, 2, PORT_FIELD_FLAGS);
	port_dma_field(fq->fq_driver + 2, 2, PORT_FIELD_INDEX);
	port_dma_field(used_event(fq), 2, PORT_FIELD_EVENT);
	port_dma_field(fq->fq_device, 4, PORT_FIELD_POLLED);
	port_dma_field(avail_event(fq), 2, PORT_FIELD_POLLED);
	/* Asks for a doorbell at the first chain, whatever stood there. */
	fake_no_notify(fd, queue, fq->fq_no_notify);
}

void
fake_doorbell(struct fake_dev *fd, uint32_t data)
{
	unsigned int queue = data & 0xffff;
	struct fake_queue *fq;

	if (fd->fd_gone)
		return;
	if (!(fd->fd_status & PV_STATUS_DRIVER_OK)) {
		port_violation("doorbell before DRIVER_OK");
		return;
	}
	if (queue >= fd->fd_nqueues || !fd->fd_queues[queue].fq_ready) {
		port_violation("doorbell of queue %u", queue);
		return;
	}
	fq = &fd->fd_queues[queue];
	fq->fq_doorbells++;
	fq->fq_notify_data = data;
	if (fake_has(fd, PV_F_NOTIFICATION_DATA) &&
	    data >> 16 != load16(fq->fq_driver + 2))
		port_violation("notification data %x", data);
	if (fd->fd_notify != NULL)
		fd->fd_notify(fd, queue);
}

void
fake_no_notify(struct fake_dev *fd, unsigned int queue, int on)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	fq->fq_no_notify = on;
	if (fake_has(fd, PV_F_EVENT_IDX))
		store16(avail_event(fq),
		    (uint16_t)(on ? fq->fq_avail - 1 : fq->fq_avail));
	else
		store16(fq->fq_device, on ? 1 : 0);
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
		port_violation("available index is %u ahead of a queue of %u",
		    n, fq->fq_size);
		return 0;
	}
	return n;
}

static void
load_desc(bus_addr_t table, unsigned int i, struct desc *d)
{
	uint8_t b[16];

	port_dma_read(table + 16 * (bus_addr_t)i, b, sizeof(b));
	memcpy(&d->addr, b, 8);
	memcpy(&d->len, b + 8, 4);
	memcpy(&d->flags, b + 12, 2);
	memcpy(&d->next, b + 14, 2);
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
		port_violation("a descriptor of length 0");
	fc->fc_segs[n].addr = d->addr;
	fc->fc_segs[n].len = d->len;
	if (d->flags & F_WRITE) {
		fc->fc_nin++;
		fc->fc_inlen += d->len;
	} else {
		if (fc->fc_nin != 0)
			port_violation("a piece to read after one to write");
		fc->fc_nout++;
		fc->fc_outlen += d->len;
	}
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
			port_violation("chain leaves its table, or loops");
			return -1;
		}
		load_desc(table, i, &d);
		if (d.flags & ~(F_NEXT | F_WRITE | F_INDIRECT))
			port_violation("descriptor flags 0x%x", d.flags);
		if (d.flags & F_INDIRECT) {
			if (fc->fc_indirect || (d.flags & ~F_INDIRECT) ||
			    d.len == 0 || d.len % 16 != 0 || count != 1 ||
			    !fake_has(fd, PV_F_INDIRECT_DESC)) {
				port_violation("a wrong indirect descriptor");
				return -1;
			}
			if (d.len / 16 > most)
				port_violation("table longer than the queue");
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

int
fake_pop(struct fake_dev *fd, unsigned int queue, struct fake_chain *fc)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	if (fd->fd_gone || fake_available(fd, queue) == 0)
		return 0;
	memset(fc, 0, offsetof(struct fake_chain, fc_segs));
	fc->fc_head = load16(fq->fq_driver + 4 +
	    2 * (bus_addr_t)(fq->fq_avail & (fq->fq_size - 1)));
	fq->fq_avail++;
	if (!fq->fq_no_notify && fake_has(fd, PV_F_EVENT_IDX))
		store16(avail_event(fq), fq->fq_avail);
	walk(fd, fq->fq_desc, fq->fq_size, fc->fc_head, fc, fq->fq_size);
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
	uint32_t elem[2] = { id, len };

	port_dma_write(fq->fq_device + 4 +
	    8 * (bus_addr_t)(fq->fq_used & (fq->fq_size - 1)), elem,
	    sizeof(elem));
	fq->fq_used++;
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
	if (fd->fd_signal != NULL)
		fd->fd_signal(fd, (int)queue);
}

void
fake_push(struct fake_dev *fd, unsigned int queue, const struct fake_chain *fc,
    uint32_t len)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	fake_push_raw(fd, queue, fc->fc_head, len);
	fake_set_used_idx(fd, queue, fq->fq_used);
	fake_interrupt(fd, queue, 0);
}
