/* SPDX-License-Identifier: ISC */
/*
 * The kernel and a device beneath guest/disk, in one thread: whoever waits lets
 * the device work, and looks after it as the service thread does.
 *
 * The device has a medium, and above it a cache of its own that a flush empties;
 * a power cut loses what is in the cache. Faults are asked for by number.
 */
#ifndef DISK_FAKE_H
#define DISK_FAKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "diskvar.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"

#define FAKE_QUEUE	64

struct fake {
	uint8_t		*f_medium;	/* what a power cut leaves */
	uint8_t		*f_seen;	/* what the device answers */
	uint64_t	f_size;
	struct disk_req	*f_queue[FAKE_QUEUE];	/* taken, not done */
	unsigned	f_n;
	unsigned	f_room;		/* how many it takes */
	uint64_t	f_done;		/* requests done */
	uint64_t	f_writes, f_flushes, f_reads;
	/* Faults. */
	uint64_t	f_bad;		/* byte whose sector can't be written */
	uint64_t	f_bad_read;
	bool		f_allbad;	/* no write succeeds */
	unsigned	f_fail_flush;	/* so many fail */
	unsigned	f_hang;		/* so many calls of poll do nothing */
	unsigned	f_break_after;	/* breaks when so many are done; 0 off */
	bool		f_hung;		/* nothing is answered */
	int		f_reset_error;
	unsigned	f_resets;
	bool		f_lifo;		/* the last taken is done first */
	bool		f_quiet;	/* it was told not to interrupt */
	struct disk_unit *f_unit;
};

static uint64_t fake_now = 1;
static char fake_log[4096];
static struct disk_geometry fake_geo = {
	.dg_sector = 512, .dg_writeback = true, .dg_discard_max = 1 << 20,
	.dg_zero_max = 1 << 20
};
static void fake_idle(void);

size_t
page_total(void)
{
	return (32u << 20) / PAGE_SIZE;
}

uint64_t
uptime_ns(void)
{
	return fake_now += NS_PER_US;	/* who looks again sees time pass */
}

void
klog(enum log_level level, const char *fmt, ...)
{
	size_t at = strlen(fake_log);
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(fake_log + at, sizeof(fake_log) - at, fmt, ap);
	va_end(ap);
}

uint64_t
cmdline_get_number(const char *name, uint64_t value)
{
	(void)name;
	return value;
}

struct thread *
thread_create(const char *name, void (*fn)(void *), void *arg)
{
	(void)name;
	(void)fn;
	(void)arg;
	return (struct thread *)&fake_now;
}

void
thread_yield(void)
{
}

void
mutex_lock(struct mutex *m)
{
	assert_null(m->mtx_owner);	/* there is but one thread */
	m->mtx_owner = (struct thread *)&fake_now;
}

void
mutex_unlock(struct mutex *m)
{
	assert_non_null(m->mtx_owner);
	m->mtx_owner = NULL;
}

int
tty_captured(void)
{
	return 0;
}

void
event_signal(struct event *ev)
{
	ev->ev_count++;
}

int
event_wait(struct event *ev, uint64_t ns)
{
	if (ev->ev_count == 0) {
		fake_now += ns;
		fake_idle();
	}
	if (ev->ev_count == 0)
		return ETIMEDOUT;
	ev->ev_count = 0;
	return 0;
}

static void
fake_copy(struct fake *f, const struct disk_req *rq, bool write)
{
	uint64_t pos = rq->rq_pos, len;
	uint8_t *p;
	unsigned i;

	for (i = 0; (p = disk_req_part(rq, i, &len)) != NULL; i++) {
		if (write)
			memcpy(f->f_seen + pos, p, len);
		else
			memcpy(p, f->f_seen + pos, len);
		pos += len;
	}
}

static bool
fake_covers(const struct disk_req *rq, uint64_t at)
{
	return at >= rq->rq_pos && at < rq->rq_pos + rq->rq_len;
}

/* As QEMU does it: what lies side by side and waits is one request, and fails as one. */
static bool
fake_beside_bad(const struct fake *f, const struct disk_req *rq)
{
	const struct disk_req *q;
	unsigned i;

	for (i = 0; i < f->f_n; i++) {
		q = f->f_queue[i];
		if (q->rq_op == DISK_OP_WRITE && fake_covers(q, f->f_bad) &&
		    (q->rq_pos + q->rq_len == rq->rq_pos ||
		    rq->rq_pos + rq->rq_len == q->rq_pos))
			return true;
	}
	return false;
}

static int
fake_carry_out(struct fake *f, struct disk_req *rq)
{
	if (rq->rq_op != DISK_OP_FLUSH && rq->rq_op != DISK_OP_ID &&
	    (rq->rq_pos > f->f_size || rq->rq_len > f->f_size - rq->rq_pos))
		return EIO;
	switch (rq->rq_op) {
	case DISK_OP_READ:
		f->f_reads++;
		if (fake_covers(rq, f->f_bad_read))
			return EIO;
		fake_copy(f, rq, false);
		return 0;
	case DISK_OP_WRITE:
		f->f_writes++;
		if (f->f_allbad || fake_covers(rq, f->f_bad) ||
		    fake_beside_bad(f, rq))
			return EIO;
		fake_copy(f, rq, true);
		if (!fake_geo.dg_writeback)
			memcpy(f->f_medium, f->f_seen, f->f_size);
		return 0;
	case DISK_OP_FLUSH:
		f->f_flushes++;
		if (f->f_fail_flush != 0) {
			f->f_fail_flush--;
			return EIO;
		}
		memcpy(f->f_medium, f->f_seen, f->f_size);
		return 0;
	case DISK_OP_DISCARD:
	case DISK_OP_ZERO:
		memset(f->f_seen + rq->rq_pos, 0, rq->rq_len);
		return 0;
	case DISK_OP_ID:
		memcpy(rq->rq_data, "fake", 5);
		return 0;
	}
	return EINVAL;
}

static int
fake_start(void *arg, struct disk_req *rq)
{
	struct fake *f = arg;

	if (f->f_n == f->f_room)
		return EAGAIN;
	f->f_queue[f->f_n++] = rq;
	return 0;
}

static void
fake_publish(void *arg)
{
	(void)arg;
}

static void
fake_poll(void *arg, bool quiet)
{
	struct fake *f = arg;
	struct disk_req *rq;

	f->f_quiet = quiet;
	if (f->f_hang > 0) {
		f->f_hang--;
		return;
	}
	if (f->f_n == 0 || f->f_hung)
		return;
	if (f->f_break_after != 0 && --f->f_break_after == 0) {
		f->f_unit->du_broken = true;
		return;
	}
	f->f_n--;
	if (f->f_lifo)
		rq = f->f_queue[f->f_n];
	else {
		rq = f->f_queue[0];
		memmove(f->f_queue, f->f_queue + 1, f->f_n * sizeof(rq));
	}
	f->f_done++;
	unit_done(rq, fake_carry_out(f, rq));
}

static uint64_t fake_oldest_ns;

static uint64_t
fake_oldest(void *arg)
{
	struct fake *f = arg;

	if (f->f_n == 0 || !f->f_hung)
		fake_oldest_ns = fake_now;
	return fake_now - fake_oldest_ns;
}

static int
fake_reset(void *arg)
{
	struct fake *f = arg;

	f->f_resets++;
	f->f_n = 0;
	fake_oldest_ns = fake_now;
	return f->f_reset_error;
}

static int
fake_stop(void *arg)
{
	struct fake *f = arg;

	f->f_n = 0;
	return f->f_reset_error;
}

static void
fake_stats(void *arg, struct disk_stats *ds)
{
	(void)arg;
	(void)ds;
}

static const struct disk_ops fake_ops = {
	.do_start = fake_start,
	.do_publish = fake_publish,
	.do_poll = fake_poll,
	.do_oldest = fake_oldest,
	.do_reset = fake_reset,
	.do_stop = fake_stop,
	.do_stats = fake_stats,
};

static struct fake *
fake_new(uint64_t size)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->f_medium = calloc(1, size + 1);
	f->f_seen = calloc(1, size + 1);
	f->f_size = size;
	f->f_room = 16;
	f->f_bad = f->f_bad_read = UINT64_MAX;
	return f;
}

static void
fake_free(struct fake *f)
{
	free(f->f_medium);
	free(f->f_seen);
	free(f);
}

/* Attached, its table read. */
static void
fake_attach(struct fake *f)
{
	fake_geo.dg_size = f->f_size;
	assert_int_equal(disk_unit_attach(&fake_ops, f, &fake_geo, &f->f_unit),
	    0);
	unit_scan(f->f_unit);
	f->f_unit->du_rescan = false;
	f->f_unit->du_scanned = true;
}

#endif
