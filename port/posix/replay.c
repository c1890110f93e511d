/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "replay.h"

#define TRIES	3u
#define BATCH	64u

void
replay_init(struct replay *rp, struct pv_blk *sc, unsigned int tries)
{
	memset(rp, 0, sizeof(*rp));
	rp->rp_blk = sc;
	rp->rp_tries = tries != 0 ? tries : TRIES;
	pthread_mutex_init(&rp->rp_lock, NULL);
}

void
replay_fini(struct replay *rp)
{
	pthread_mutex_destroy(&rp->rp_lock);
}

void
replay_counters(const struct replay *rp, struct replay_counters *rc)
{
	*rc = rp->rp_counters;
}

static bool
has_place(const struct pv_blk_request *br)
{
	switch (br->br_op) {
	case PV_BLK_READ:
	case PV_BLK_WRITE:
	case PV_BLK_DISCARD:
	case PV_BLK_WRITE_ZEROES:
	case PV_BLK_SECURE_ERASE:
		return true;
	default:
		return false;
	}
}

static bool
changes(const struct pv_blk_request *br)
{
	return has_place(br) && br->br_op != PV_BLK_READ;
}

/* Neither end is above 2^63: pv_blk_submit has seen to that, or will refuse. */
static bool
overlaps(const struct pv_blk_request *a, const struct pv_blk_request *b)
{
	return has_place(a) && a->br_offset < b->br_offset + b->br_len &&
	    b->br_offset < a->br_offset + a->br_len;
}

void
replay_note(struct replay *rp, struct replay_request *rr)
{
	struct replay_request *old;

	if (changes(&rr->rr_br))
		for (old = rp->rp_first; old != NULL; old = old->rr_next)
			if (overlaps(&old->rr_br, &rr->rr_br))
				old->rr_overtaken = 1;
	rr->rr_overtaken = 0;
	rr->rr_drained = 0;
	rr->rr_tries = 0;
	rr->rr_listed = 1;
	rr->rr_next = NULL;
	rr->rr_prev = rp->rp_last;
	if (rp->rp_last != NULL)
		rp->rp_last->rr_next = rr;
	else
		rp->rp_first = rr;
	rp->rp_last = rr;
}

void
replay_forget(struct replay *rp, struct replay_request *rr)
{
	if (!rr->rr_listed)
		return;
	if (rr->rr_next != NULL)
		rr->rr_next->rr_prev = rr->rr_prev;
	else
		rp->rp_last = rr->rr_prev;
	if (rr->rr_prev != NULL)
		rr->rr_prev->rr_next = rr->rr_next;
	else
		rp->rp_first = rr->rr_next;
	rr->rr_listed = 0;
}

static int
submit_some(struct replay *rp, unsigned int queue,
    struct replay_request *const *rr, unsigned int n, unsigned int *accepted)
{
	struct pv_blk_request *br[BATCH] = { NULL };
	unsigned int i;
	int error;

	for (i = 0; i < n; i++)
		br[i] = &rr[i]->rr_br;
	pthread_mutex_lock(&rp->rp_lock);
	for (i = 0; i < n; i++) {
		/* What is under way already is refused below, and stays. */
		if (rr[i]->rr_listed)
			break;
		rr[i]->rr_queue = queue;
		replay_note(rp, rr[i]);
	}
	pthread_mutex_unlock(&rp->rp_lock);
	error = pv_blk_submit(rp->rp_blk, queue, br, i, accepted);
	if (error == 0)
		return i < n ? EINVAL : 0;
	pthread_mutex_lock(&rp->rp_lock);
	while (i-- > *accepted)
		replay_forget(rp, rr[i]);
	pthread_mutex_unlock(&rp->rp_lock);
	return error;
}

/*
 * Noted before it is submitted, since it may be done before that returns. A
 * write that is refused has then marked what it overlaps: those fail where they
 * need not have, which does no harm.
 */
int
replay_submit(struct replay *rp, unsigned int queue,
    struct replay_request *const *rr, unsigned int n, unsigned int *accepted)
{
	unsigned int part, some;
	int error = 0;

	for (*accepted = 0; error == 0 && *accepted < n; *accepted += some) {
		part = n - *accepted < BATCH ? n - *accepted : BATCH;
		some = 0;
		error = submit_some(rp, queue, rr + *accepted, part, &some);
	}
	return error;
}

int
replay_complete(struct replay *rp, unsigned int queue,
    struct replay_request **rr, unsigned int n, unsigned int *done)
{
	struct pv_blk_request *br[BATCH];
	unsigned int i;
	int error;

	if (n > BATCH)
		n = BATCH;
	error = pv_blk_complete(rp->rp_blk, queue, br, n, done);
	if (*done == 0)
		return error;
	pthread_mutex_lock(&rp->rp_lock);
	for (i = 0; i < *done; i++) {
		rr[i] = (struct replay_request *)(void *)br[i];
		replay_forget(rp, rr[i]);
	}
	pthread_mutex_unlock(&rp->rp_lock);
	return error;
}

static void
give_up(struct replay *rp, struct replay_request *rr, int error)
{
	replay_forget(rp, rr);
	rr->rr_br.br_error = error;
	rr->rr_next = rp->rp_failed;
	rp->rp_failed = rr;
}

/* Why a drained request is not sent again: a counter of that, or NULL. */
static uint64_t *
reason(struct replay *rp, const struct replay_request *rr, int error)
{
	if (error)
		return &rp->rp_counters.rc_unconfirmed;
	if (rr->rr_overtaken)
		return &rp->rp_counters.rc_overtaken;
	if (rr->rr_tries >= rp->rp_tries)
		return &rp->rp_counters.rc_worn;
	return NULL;
}

unsigned int
replay_stopped(struct replay *rp, int error)
{
	struct replay_request *rr, *next;
	struct pv_blk_request *br;
	uint64_t *why;
	unsigned int n = 0;

	while ((br = pv_blk_drain(rp->rp_blk)) != NULL) {
		rr = (struct replay_request *)(void *)br;
		/* Done, well or not, if not for the stop itself. */
		if (br->br_error != EIO)
			give_up(rp, rr, br->br_error);
		else
			rr->rr_drained = 1;
	}
	for (rr = rp->rp_first; rr != NULL; rr = next) {
		next = rr->rr_next;
		if (!rr->rr_drained)
			continue;
		rr->rr_tries++;
		why = reason(rp, rr, error);
		if (why != NULL) {
			(*why)++;
			give_up(rp, rr, EIO);
		} else
			n++;
	}
	return n;
}

struct replay_request *
replay_failed(struct replay *rp)
{
	struct replay_request *rr = rp->rp_failed;

	if (rr != NULL)
		rp->rp_failed = rr->rr_next;
	return rr;
}

int
replay_again(struct replay *rp)
{
	struct replay_request *rr, *next;
	struct pv_blk_request *br;
	unsigned int queues = pv_blk_info(rp->rp_blk)->bi_nqueues, done;
	int error;

	for (rr = rp->rp_first; rr != NULL; rr = next) {
		next = rr->rr_next;
		if (!rr->rr_drained)
			continue;
		br = &rr->rr_br;
		if (rr->rr_queue >= queues)
			rr->rr_queue = 0;
		error = pv_blk_submit(rp->rp_blk, rr->rr_queue, &br, 1, &done);
		if (error == EIO || error == ENXIO)
			return error;
		if (error) {
			give_up(rp, rr, error);
			continue;
		}
		rr->rr_drained = 0;
		rp->rp_counters.rc_again++;
	}
	return 0;
}
