/* SPDX-License-Identifier: ISC */
/*
 * replay.h - requests to a disk whose back end died: which are sent again
 *
 * A request that was not completed may have been carried out, whole, in part or
 * not at all. Sent again it gives what it would have given, unless a write to
 * the same place was submitted after it: that one may be done and reported, and
 * must not be undone. So
 *
 *	a request is sent again only if no write (or discard, write zeroes,
 *	secure erase) that overlaps it was submitted after it; else it fails
 *	with EIO
 *
 * A read as well: what it was to find may be there no more. A flush, and what
 * has no place on the disk, is always sent again. All in the order in which
 * they were submitted. One that was sent so often that it seems to be what the
 * back end dies of fails too; and nothing is sent again after a reset that was
 * not confirmed, as the old back end may still be at work.
 *
 * The rule needs no log of what was done: a write marks, when it is submitted,
 * the requests under way that it overlaps. That is a walk over them; who keeps
 * thousands under way pays for it.
 *
 *	replay_submit, replay_complete	in place of pv_blk_submit and _complete
 *	pv_blk_stop
 *	replay_stopped			takes all back by pv_blk_drain
 *	replay_failed			those that are not sent again
 *	vhost_connect, pv_blk_start
 *	replay_again			the others
 *
 * Threads: submit and complete as pv_blk_submit and _complete of blk.h, one for
 * each queue; the others when no such call runs.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <pthread.h>

#include <paravane/blk.h>

/* The caller's request, with what is remembered of it. Zeroed at first. */
struct replay_request {
	struct pv_blk_request rr_br;	/* first; br_cookie is the caller's */

	/* private */
	struct replay_request *rr_next;	/* in the order of submission */
	struct replay_request *rr_prev;
	unsigned int rr_queue;
	unsigned int rr_tries;		/* that ended in a drain */
	uint8_t rr_listed;
	uint8_t rr_overtaken;		/* by a write that overlaps it */
	uint8_t rr_drained;
};

struct replay_counters {
	uint64_t rc_again;		/* requests sent again */
	uint64_t rc_overtaken;		/* that failed, each for its reason */
	uint64_t rc_worn;
	uint64_t rc_unconfirmed;
};

/* Members are private. */
struct replay {
	struct pv_blk *rp_blk;
	unsigned int rp_tries;
	pthread_mutex_t rp_lock;
	struct replay_request *rp_first;	/* under way */
	struct replay_request *rp_last;
	struct replay_request *rp_failed;	/* to be handed back */
	struct replay_counters rp_counters;
};

/*
 * replay_init - sc is attached, and not submitted to by others. tries: how
 * often a request may end in a drain before it fails; 0: three times.
 */
void replay_init(struct replay *, struct pv_blk *sc, unsigned int tries);
void replay_fini(struct replay *);

/*
 * replay_submit - as pv_blk_submit; on its errors nothing is remembered of what
 * was not accepted.
 */
int replay_submit(struct replay *, unsigned int queue,
    struct replay_request *const *rr, unsigned int n, unsigned int *accepted);

/* As pv_blk_complete. */
int replay_complete(struct replay *, unsigned int queue,
    struct replay_request **rr, unsigned int n, unsigned int *done);

/*
 * replay_stopped - after pv_blk_stop, with what it returned: takes back all
 * that is under way, and decides. Returns how many will be sent again.
 */
unsigned int replay_stopped(struct replay *, int error);

/*
 * replay_failed - the next request that will not be sent again, with its
 * br_error, or that had been done (br_error 0) without being taken; until NULL.
 */
struct replay_request *replay_failed(struct replay *);

/*
 * replay_again - after pv_blk_start: send the others. A request that the disk
 * as it is now does not take (it has become smaller, say) fails with that
 * error, and comes by replay_failed. 0, or what pv_blk_submit says of a device that
 * broke meanwhile: then stop once more.
 */
int replay_again(struct replay *);

void replay_counters(const struct replay *, struct replay_counters *);

/*
 * The rule alone, on which the above stands: a request is submitted, and is
 * done. Both under the caller's own lock.
 */
void replay_note(struct replay *, struct replay_request *);
void replay_forget(struct replay *, struct replay_request *);

#endif
