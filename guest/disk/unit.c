/* SPDX-License-Identifier: ISC */
/*
 * A disk's requests. They wait in the order they came, go to the driver as soon
 * as it has room and nothing that they overlap is before them, and come back
 * done. A reset puts all that the device had back in front of the line, in the
 * same order: so the same data goes to the same sectors before anything later
 * does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmdline.h"
#include "diskvar.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"

#define TIMEOUT_S	30		/* disktimeout= */
#define MAX_RESETS	8		/* in a row, with nothing done */
#define LOOK_NS		(100 * NS_PER_MS)	/* behind interrupts */
#define SPIN_NS		(500 * NS_PER_US)	/* not worth a sleep */
#define LOOK_AHEAD	256		/* that wait, for one to start */
#define WRITEBACK_NS	(2 * NS_PER_S)	/* dirty no longer than about that */

enum { RQ_WAITING, RQ_ACTIVE, RQ_DONE };

static struct event service_event, tidy_event;

void
unit_kick(void)
{
	event_signal(&service_event);
}

int
unit_error(const struct disk_unit *du)
{
	return du->du_gone ? ENXIO : du->du_dead ? EIO : 0;
}

/* Lists */

static void
list_add(struct disk_req ***tail, struct disk_req *rq)
{
	rq->rq_next = NULL;
	**tail = rq;
	*tail = &rq->rq_next;
}

/* Take out what *at points to. */
static void
list_cut(struct disk_req **at, struct disk_req ***tail)
{
	struct disk_req *rq = *at;

	*at = rq->rq_next;
	if (*tail == &rq->rq_next)
		*tail = at;
	rq->rq_next = NULL;
}

static void
active_cut(struct disk_unit *du, struct disk_req *rq)
{
	struct disk_req **at;

	for (at = &du->du_active; *at != NULL; at = &(*at)->rq_next)
		if (*at == rq) {
			list_cut(at, &du->du_active_tail);
			return;
		}
}

/* Order */

static bool
changes(const struct disk_req *rq)
{
	return rq->rq_op == DISK_OP_WRITE || rq->rq_op == DISK_OP_DISCARD ||
	    rq->rq_op == DISK_OP_ZERO;
}

/* Whether b has to wait for a. What came later may well have gone before. */
static bool
after(const struct disk_req *b, const struct disk_req *a)
{
	if (a->rq_order > b->rq_order)
		return false;
	if (b->rq_op == DISK_OP_FLUSH)
		return changes(a);
	if (a->rq_op == DISK_OP_FLUSH || (!changes(a) && !changes(b)))
		return false;
	return a->rq_pos < b->rq_pos + b->rq_len &&
	    b->rq_pos < a->rq_pos + a->rq_len;
}

static bool
held(const struct disk_unit *du, const struct disk_req *rq)
{
	const struct disk_req *p;

	for (p = du->du_active; p != NULL; p = p->rq_next)
		if (after(rq, p))
			return true;
	for (p = du->du_waiting; p != rq; p = p->rq_next)
		if (after(rq, p))
			return true;
	return false;
}

/* The end of a request */

static void
count_done(struct disk_unit *du, const struct disk_req *rq)
{
	struct disk_stats *ds = &du->du_stats;

	if (rq->rq_error != 0) {
		ds->ds_errors++;
		return;
	}
	switch (rq->rq_op) {
	case DISK_OP_READ:
		ds->ds_reads++;
		ds->ds_read_bytes += rq->rq_len;
		break;
	case DISK_OP_WRITE:
		ds->ds_writes++;
		ds->ds_write_bytes += rq->rq_len;
		break;
	case DISK_OP_FLUSH:
		ds->ds_flushes++;
		break;
	case DISK_OP_DISCARD:
	case DISK_OP_ZERO:
		ds->ds_discards++;
		break;
	case DISK_OP_ID:
		break;
	}
}

/* It is on no list. */
static void
finish(struct disk_req *rq, int error, bool lost)
{
	struct disk_unit *du = rq->rq_unit;
	struct event *ev = rq->rq_event;

	rq->rq_error = error;
	rq->rq_lost = lost;
	if (changes(rq))
		du->du_unflushed = true;
	count_done(du, rq);
	rq->rq_state = RQ_DONE;
	if (rq->rq_done != NULL)
		rq->rq_done(rq);
	else if (ev != NULL)
		event_signal(ev);
}

void
unit_done(struct disk_req *rq, int error)
{
	struct disk_unit *du = rq->rq_unit;

	active_cut(du, rq);
	du->du_failed = 0;
	finish(rq, error, false);
}

/* To the driver */

static int
start(struct disk_unit *du, struct disk_req **at)
{
	struct disk_req *rq = *at;
	int error;

	/* First on the list: the driver may end it at once. */
	list_cut(at, &du->du_waiting_tail);
	list_add(&du->du_active_tail, rq);
	rq->rq_state = RQ_ACTIVE;
	error = du->du_ops->do_start(du->du_arg, rq);
	if (error == 0)
		return 0;
	active_cut(du, rq);
	if (error != EAGAIN) {
		finish(rq, error, false);
		return 0;
	}
	rq->rq_state = RQ_WAITING;
	rq->rq_next = *at;
	*at = rq;
	if (rq->rq_next == NULL)
		du->du_waiting_tail = &rq->rq_next;
	return EAGAIN;
}

static bool
ready(const struct disk_unit *du)
{
	return unit_error(du) == 0 && !du->du_resetting && !du->du_broken;
}

/* Start whatever may be. What a rq_done submits meanwhile is seen here too. */
static void
dispatch(struct disk_unit *du)
{
	struct disk_req **at = &du->du_waiting;
	unsigned seen = 0;

	if (du->du_dispatching || *at == NULL)
		return;
	du->du_dispatching = true;
	while (*at != NULL && ready(du) && seen++ < LOOK_AHEAD) {
		if (held(du, *at))
			at = &(*at)->rq_next;
		else if (start(du, at) != 0)
			break;
	}
	if (ready(du))
		du->du_ops->do_publish(du->du_arg);
	du->du_dispatching = false;
}

/* What a rq_done submits meanwhile goes to the device together, afterwards. */
static void
poll(struct disk_unit *du)
{
	bool nested = du->du_dispatching;

	if (unit_error(du) != 0 || du->du_resetting)
		return;
	if (!du->du_broken) {
		du->du_dispatching = true;
		du->du_unarmed = du->du_quiet;
		du->du_ops->do_poll(du->du_arg, du->du_quiet);
		du->du_dispatching = nested;
	}
	dispatch(du);
	if (du->du_broken)
		unit_kick();
}

static void
fail_all(struct disk_unit *du, int error, bool lost)
{
	struct disk_req *rq;

	while ((rq = du->du_active) != NULL) {
		list_cut(&du->du_active, &du->du_active_tail);
		finish(rq, error, lost);
	}
	while ((rq = du->du_waiting) != NULL) {
		list_cut(&du->du_waiting, &du->du_waiting_tail);
		finish(rq, error, false);
	}
}

void
unit_submit_all(struct disk_unit *du, struct disk_req *const *rqs, unsigned n)
{
	static uint64_t order;
	int error = unit_error(du);
	bool awaited = true;
	struct disk_req *rq;

	for (; n > 0; n--) {
		rq = *rqs++;
		rq->rq_unit = du;
		rq->rq_order = order++;
		rq->rq_tries = 0;
		rq->rq_state = RQ_WAITING;
		rq->rq_event = NULL;
		rq->rq_lost = false;
		awaited = awaited && rq->rq_done == NULL;
		if (error != 0)
			finish(rq, error, false);
		else
			list_add(&du->du_waiting_tail, rq);
	}
	dispatch(du);
	/* Who waits for it looks by himself. */
	if (du->du_unarmed && !du->du_quiet && !awaited)
		poll(du);
}

void
unit_submit(struct disk_unit *du, struct disk_req *rq)
{
	unit_submit_all(du, &rq, 1);
}

void
unit_wait_event(struct disk_unit *du, struct event *ev)
{
	poll(du);
	event_wait(ev, LOOK_NS);
}

/*
 * To sleep and be interrupted takes longer than many a disk does: where the
 * last few were quick, look for a while, and let it not interrupt.
 */
static void
spin(struct disk_req *rq)
{
	struct disk_unit *du = rq->rq_unit;
	uint64_t end = uptime_ns() + SPIN_NS;

	if (du->du_wait_ns > SPIN_NS || du->du_quiet)
		return;
	du->du_quiet = true;
	while (rq->rq_state != RQ_DONE && ready(du) && uptime_ns() < end) {
		poll(du);
		thread_yield();
	}
	du->du_quiet = false;
	if (du->du_active != NULL)
		poll(du);
}

/* Its end is signalled while it waits, so that it can't be missed. */
int
unit_wait(struct disk_req *rq)
{
	struct disk_unit *du = rq->rq_unit;
	struct event ev = EVENT_INIT;
	uint64_t began = uptime_ns();

	spin(rq);
	rq->rq_event = &ev;
	while (rq->rq_state != RQ_DONE)
		unit_wait_event(du, &ev);
	rq->rq_event = NULL;
	du->du_wait_ns = (du->du_wait_ns * 3 + uptime_ns() - began) / 4;
	return rq->rq_error;
}

int
unit_flush(struct disk_unit *du)
{
	struct disk_req rq;

	memset(&rq, 0, sizeof(rq));
	rq.rq_op = DISK_OP_FLUSH;
	unit_submit(du, &rq);
	return unit_wait(&rq);
}

/* Resets */

/* What the device had comes first again, but for what was tried too often. */
static void
requeue(struct disk_unit *du)
{
	struct disk_req *rq, *back = NULL, **tail = &back;

	while ((rq = du->du_active) != NULL) {
		list_cut(&du->du_active, &du->du_active_tail);
		if (++rq->rq_tries >= DISK_TRIES) {
			finish(rq, EIO, false);
			continue;
		}
		du->du_stats.ds_retried++;
		rq->rq_state = RQ_WAITING;
		list_add(&tail, rq);
	}
	if (back == NULL)
		return;
	*tail = du->du_waiting;
	if (du->du_waiting == NULL)
		du->du_waiting_tail = tail;
	du->du_waiting = back;
}

static void
forget_cached(struct disk_unit *du)
{
	uint64_t bytes = cache_drop_unit(du);

	if (bytes != 0)
		klog(LOG_ERR, "%s: %llu bytes were not yet written",
		    du->du_name, (unsigned long long)bytes);
}

static void
give_up(struct disk_unit *du, bool lost)
{
	klog(LOG_ERR, "%s: given up: every request fails from here on",
	    du->du_name);
	du->du_dead = true;
	fail_all(du, EIO, lost);
	forget_cached(du);
}

/* Threads that wait for requests go on waiting, and are told in the end. */
static void
reset(struct disk_unit *du)
{
	int error;

	mutex_lock(&du->du_reset);
	if (unit_error(du) != 0)
		goto out;
	du->du_resetting = true;
	du->du_broken = false;
	du->du_stats.ds_resets++;
	error = du->du_ops->do_reset(du->du_arg);
	du->du_resetting = false;
	if (du->du_gone)
		goto out;
	if (error != 0) {
		klog(LOG_ERR, "%s: not up again after a reset, error %d",
		    du->du_name, error);
		give_up(du, error == ETIMEDOUT);
	} else if (++du->du_failed > MAX_RESETS)
		give_up(du, false);
	else {
		requeue(du);
		dispatch(du);
	}
out:
	mutex_unlock(&du->du_reset);
}

static uint64_t
timeout_ns(void)
{
	static uint64_t ns;

	if (ns == 0)
		ns = cmdline_get_number("disktimeout", TIMEOUT_S) * NS_PER_S;
	return ns;
}

static bool
hung(const struct disk_unit *du)
{
	return unit_error(du) == 0 && !du->du_resetting && !du->du_broken &&
	    du->du_active != NULL &&
	    du->du_ops->do_oldest(du->du_arg) > timeout_ns();
}

static void
service(struct disk_unit *du)
{
	poll(du);
	if (hung(du)) {
		du->du_stats.ds_timeouts++;
		klog(LOG_ERR, "%s: no answer for %llu s: reset", du->du_name,
		    (unsigned long long)(timeout_ns() / NS_PER_S));
		du->du_broken = true;
	}
	if (du->du_broken && unit_error(du) == 0)
		reset(du);
}

/* A reference keeps a unit where it is while a thread looks at it. */
static void
each_unit(void (*fn)(struct disk_unit *))
{
	struct disk_unit *du = unit_next(NULL), *next;

	while (du != NULL) {
		du->du_refs++;
		if (!du->du_gone)
			fn(du);
		next = unit_next(du);
		unit_release(du);
		du = next;
	}
}

static void
service_thread(void *arg)
{
	(void)arg;
	for (;;) {
		each_unit(service);
		event_wait(&service_event, LOOK_NS);
	}
}

/* What may take long and is nobody's errand: tables, writing back. */
static void
tidy(struct disk_unit *du)
{
	if (du->du_rescan) {
		du->du_rescan = false;	/* it may be asked for meanwhile */
		if (!unit_scan(du))
			du->du_rescan = true;
		du->du_scanned = true;
		event_signal(&du->du_scan_event);
	}
	if (du->du_ndirty == 0 && du->du_nwrote == 0)
		return;
	if (uptime_ns() - du->du_dirty_since < WRITEBACK_NS)
		return;
	mutex_lock(&du->du_lock);
	du->du_dirty_since = uptime_ns();
	if (unit_error(du) == 0)
		cache_sync(du);
	mutex_unlock(&du->du_lock);
}

static void
tidy_thread(void *arg)
{
	(void)arg;
	for (;;) {
		each_unit(tidy);
		event_wait(&tidy_event, WRITEBACK_NS / 4);
	}
}

static int
threads_start(void)
{
	static bool started;

	if (started)
		return 0;
	if (thread_create("disk", service_thread, NULL) == NULL ||
	    thread_create("diskd", tidy_thread, NULL) == NULL)
		return ENOMEM;
	started = true;
	return 0;
}

/* Coming and going */

int
disk_unit_attach(const struct disk_ops *ops, void *arg,
    const struct disk_geometry *geo, struct disk_unit **unit)
{
	struct disk_unit *du;

	if (cache_init() != 0 || threads_start() != 0)
		return ENOMEM;
	du = kzalloc(sizeof(*du));
	if (du == NULL)
		return ENOMEM;
	du->du_ops = ops;
	du->du_arg = arg;
	du->du_geo = *geo;
	du->du_waiting_tail = &du->du_waiting;
	du->du_active_tail = &du->du_active;
	du->du_refs = 1;
	du->du_rescan = true;
	if (cache_attach(du) != 0) {
		kfree(du);
		return ENOMEM;
	}
	unit_link(du);
	*unit = du;
	event_signal(&tidy_event);
	return 0;
}

int
disk_unit_detach(struct disk_unit *du)
{
	int error;

	du->du_gone = true;
	/* Whoever is in the driver leaves it. */
	mutex_lock(&du->du_reset);
	error = du->du_ops->do_stop(du->du_arg);
	mutex_unlock(&du->du_reset);
	fail_all(du, ENXIO, error != 0);
	du->du_scanned = true;
	event_signal(&du->du_scan_event);
	forget_cached(du);
	unit_release(du);
	return error;
}

void
disk_unit_changed(struct disk_unit *du, const struct disk_geometry *geo)
{
	if (geo->dg_size != du->du_geo.dg_size)
		klog_some(&du->du_log, LOG_INFO,
		    "%s: %llu bytes now, %llu before", du->du_name,
		    (unsigned long long)geo->dg_size,
		    (unsigned long long)du->du_geo.dg_size);
	du->du_geo = *geo;
	du->du_rescan = true;
	event_signal(&tidy_event);
}

void
unit_release(struct disk_unit *du)
{
	if (--du->du_refs > 0)
		return;
	unit_unlink(du);
	cache_detach(du);
	kfree(du->du_parts);
	kfree(du);
}
