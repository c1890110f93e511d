/* SPDX-License-Identifier: ISC */
/*
 * Which requests are sent again after a disk's back end died:
 * port/posix/replay.c over a driver that notes what it is given.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <paravane/blk.h>

static int stub_submit(struct pv_blk *, unsigned int,
    struct pv_blk_request *const *, unsigned int, unsigned int *);
static int stub_complete(struct pv_blk *, unsigned int,
    struct pv_blk_request **, unsigned int, unsigned int *);
static struct pv_blk_request *stub_drain(struct pv_blk *);
static const struct pv_blk_info *stub_info(const struct pv_blk *);

#define pv_blk_submit	stub_submit
#define pv_blk_complete	stub_complete
#define pv_blk_drain	stub_drain
#define pv_blk_info(sc)	stub_info(sc)

#include "../../port/posix/replay.c"

#define NREQS	512

static struct replay rp;
static struct pv_blk blk;
static struct pv_blk_info info;
static struct pv_blk_request *has[NREQS];	/* the driver, in order */
static unsigned int nhas, queues[NREQS];
static int refuse_at, refuse_with;		/* the next so many-th */
static struct replay_request reqs[NREQS];

static int
stub_submit(struct pv_blk *sc, unsigned int queue,
    struct pv_blk_request *const *br, unsigned int n, unsigned int *accepted)
{
	assert_ptr_equal(sc, &blk);
	for (*accepted = 0; *accepted < n; ++*accepted) {
		if (refuse_at-- == 0)
			return refuse_with;
		queues[nhas] = queue;
		has[nhas++] = br[*accepted];
	}
	return 0;
}

static void
take(unsigned int i)
{
	memmove(&has[i], &has[i + 1], (--nhas - i) * sizeof(has[0]));
}

/* The next to be done: the one whose br_state the test sets. */
static int
stub_complete(struct pv_blk *sc, unsigned int queue,
    struct pv_blk_request **br, unsigned int n, unsigned int *done)
{
	unsigned int i = 0;

	(void)sc;
	(void)queue;
	*done = 0;
	while (i < nhas && *done < n) {
		if (has[i]->br_state == 0) {
			i++;
			continue;
		}
		br[(*done)++] = has[i];
		take(i);
	}
	return 0;
}

/* In no order. */
static struct pv_blk_request *
stub_drain(struct pv_blk *sc)
{
	struct pv_blk_request *br;

	(void)sc;
	if (nhas == 0)
		return NULL;
	br = has[nhas / 2];
	take(nhas / 2);
	if (br->br_state == 0)
		br->br_error = EIO;
	return br;
}

static const struct pv_blk_info *
stub_info(const struct pv_blk *sc)
{
	(void)sc;
	return &info;
}

static int
setup(void **state)
{
	(void)state;
	memset(reqs, 0, sizeof(reqs));
	nhas = 0;
	refuse_at = -1;
	info.bi_nqueues = 2;
	replay_init(&rp, &blk, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	replay_fini(&rp);
	return 0;
}

static struct replay_request *
submit(unsigned int i, enum pv_blk_op op, uint64_t off, uint64_t len)
{
	struct replay_request *rr = &reqs[i];
	unsigned int n;

	rr->rr_br.br_op = (uint8_t)op;
	rr->rr_br.br_offset = off;
	rr->rr_br.br_len = len;
	rr->rr_br.br_state = 0;
	rr->rr_br.br_error = 0;
	assert_int_equal(replay_submit(&rp, i % 2, &rr, 1, &n), 0);
	assert_int_equal(n, 1);
	return rr;
}

static void
done(struct replay_request *rr)
{
	struct replay_request *got;
	unsigned int n;

	rr->rr_br.br_state = 1;
	assert_int_equal(replay_complete(&rp, 0, &got, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_ptr_equal(got, rr);
}

/* It dies and comes back: what is sent again, in which order. */
static void
die(unsigned int again)
{
	assert_int_equal(replay_stopped(&rp, 0), again);
	assert_int_equal(nhas, 0);
	assert_int_equal(replay_again(&rp), 0);
	assert_int_equal(nhas, again);
}

static void
fails(struct replay_request *rr, int error)
{
	assert_ptr_equal(replay_failed(&rp), rr);
	assert_int_equal(rr->rr_br.br_error, error);
}

static void
what_nothing_overtook_is_sent_again_in_order(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++)
		submit(i, i % 3 == 0 ? PV_BLK_READ : PV_BLK_WRITE, i * 4096,
		    4096);
	done(&reqs[7]);
	done(&reqs[50]);
	die(98);
	assert_null(replay_failed(&rp));
	for (i = 0; i < 98; i++) {
		unsigned int want = i + (i >= 7) + (i >= 49);

		assert_ptr_equal(has[i], &reqs[want].rr_br);
		assert_int_equal(queues[i], want % 2);
	}
}

/* The later write is done and reported: the earlier must not undo it. */
static void
a_write_is_not_sent_again_over_a_later_one(void **state)
{
	struct replay_request *old;

	(void)state;
	old = submit(0, PV_BLK_WRITE, 8192, 4096);
	done(submit(1, PV_BLK_WRITE, 8192 + 3584, 512));
	die(0);
	fails(old, EIO);
	assert_null(replay_failed(&rp));
}

static void
so_for_each_kind_of_change(void **state)
{
	static const enum pv_blk_op ops[] = { PV_BLK_WRITE, PV_BLK_DISCARD,
	    PV_BLK_WRITE_ZEROES, PV_BLK_SECURE_ERASE };
	struct replay_request *old, *new;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		old = submit(0, PV_BLK_WRITE_ZEROES, 0, 1 << 20);
		new = submit(1, ops[i], 1000 * 512, 512);
		done(new);
		die(0);
		fails(old, EIO);
		old = submit(0, PV_BLK_READ, 0, 1 << 20);
		new = submit(1, ops[i], 1000 * 512, 512);
		die(1);
		fails(old, EIO);
		assert_ptr_equal(has[0], &new->rr_br);
		done(new);
	}
}

static void
what_lies_beside_it_is(void **state)
{
	(void)state;
	submit(0, PV_BLK_WRITE, 4096, 4096);
	done(submit(1, PV_BLK_WRITE, 0, 4096));
	done(submit(2, PV_BLK_WRITE, 8192, 4096));
	done(submit(3, PV_BLK_READ, 4096, 4096));
	die(1);
	assert_null(replay_failed(&rp));
}

static void
an_earlier_write_overtakes_nothing(void **state)
{
	struct replay_request *first, *second;

	(void)state;
	first = submit(0, PV_BLK_WRITE, 0, 4096);
	second = submit(1, PV_BLK_WRITE, 0, 4096);
	die(1);
	fails(first, EIO);
	assert_ptr_equal(has[0], &second->rr_br);
}

static void
a_flush_is_always_sent_again(void **state)
{
	struct replay_request *rr[2];

	(void)state;
	rr[0] = submit(0, PV_BLK_FLUSH, 0, 0);
	rr[1] = submit(1, PV_BLK_GETID, 0, 0);
	done(submit(2, PV_BLK_WRITE, 0, 1 << 20));
	die(2);
	assert_ptr_equal(has[0], &rr[0]->rr_br);
	assert_ptr_equal(has[1], &rr[1]->rr_br);
}

/* The caller may use it again for something else at once. */
static void
a_request_used_anew_is_a_new_one(void **state)
{
	struct replay_request *rr;

	(void)state;
	rr = submit(0, PV_BLK_WRITE, 0, 4096);
	submit(1, PV_BLK_WRITE, 0, 4096);
	die(1);
	fails(rr, EIO);
	submit(0, PV_BLK_WRITE, 1 << 20, 4096);
	die(2);
	assert_null(replay_failed(&rp));
}

static void
it_stays_overtaken_over_two_deaths(void **state)
{
	struct replay_request *rr;

	(void)state;
	rr = submit(0, PV_BLK_WRITE, 0, 4096);
	die(1);
	done(submit(1, PV_BLK_WRITE, 0, 4096));
	die(0);
	fails(rr, EIO);
}

static void
what_kills_the_back_end_is_given_up(void **state)
{
	struct replay_request *rr = submit(0, PV_BLK_WRITE, 0, 4096);
	struct replay_counters rc;

	(void)state;
	die(1);
	die(1);
	die(0);
	fails(rr, EIO);
	replay_counters(&rp, &rc);
	assert_int_equal(rc.rc_worn, 1);
	assert_int_equal(rc.rc_again, 2);
}

/* The old one may still write: nothing is put beside that. */
static void
nothing_is_sent_after_a_reset_without_confirmation(void **state)
{
	struct replay_request *rr = submit(0, PV_BLK_READ, 0, 4096);

	(void)state;
	assert_int_equal(replay_stopped(&rp, ETIMEDOUT), 0);
	assert_int_equal(replay_again(&rp), 0);
	assert_int_equal(nhas, 0);
	fails(rr, EIO);
}

static void
what_was_done_is_handed_back_as_it_is(void **state)
{
	struct replay_request *rr[2];

	(void)state;
	rr[0] = submit(0, PV_BLK_WRITE, 0, 4096);
	rr[1] = submit(1, PV_BLK_WRITE, 4096, 4096);
	rr[0]->rr_br.br_state = rr[1]->rr_br.br_state = 1;
	rr[1]->rr_br.br_error = ENOTSUP;
	die(0);
	assert_int_equal(rr[0]->rr_br.br_error, 0);
	assert_int_equal(rr[1]->rr_br.br_error, ENOTSUP);
	assert_non_null(replay_failed(&rp));
	assert_non_null(replay_failed(&rp));
	assert_null(replay_failed(&rp));
}

static void
a_disk_that_came_back_smaller_refuses_some(void **state)
{
	struct replay_request *rr = submit(1, PV_BLK_WRITE, 1 << 20, 4096);

	(void)state;
	submit(3, PV_BLK_WRITE, 0, 4096);
	info.bi_nqueues = 1;
	assert_int_equal(replay_stopped(&rp, 0), 2);
	refuse_at = 0;
	refuse_with = EINVAL;
	assert_int_equal(replay_again(&rp), 0);
	fails(rr, EINVAL);
	assert_int_equal(nhas, 1);
	assert_int_equal(queues[0], 0);
}

/* It dies while things are sent again: the rest is for the next time. */
static void
it_dies_while_they_are_sent_again(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 10; i++)
		submit(i, PV_BLK_WRITE, i * 4096, 4096);
	assert_int_equal(replay_stopped(&rp, 0), 10);
	refuse_at = 4;
	refuse_with = EIO;
	assert_int_equal(replay_again(&rp), EIO);
	assert_int_equal(nhas, 4);
	die(10);
	for (i = 0; i < 10; i++)
		assert_ptr_equal(has[i], &reqs[i].rr_br);
}

static void
what_was_refused_is_not_remembered(void **state)
{
	struct replay_request *rr[200];
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 200; i++) {
		rr[i] = &reqs[i];
		rr[i]->rr_br.br_op = PV_BLK_WRITE;
		rr[i]->rr_br.br_offset = i * 4096;
		rr[i]->rr_br.br_len = 4096;
	}
	refuse_at = 150;
	refuse_with = EROFS;
	assert_int_equal(replay_submit(&rp, 0, rr, 200, &n), EROFS);
	assert_int_equal(n, 150);
	/* One that is under way is not taken twice. */
	assert_int_equal(replay_submit(&rp, 0, rr + 3, 1, &n), EINVAL);
	assert_int_equal(n, 0);
	die(150);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_nothing_overtook_is_sent_again_in_order),
		T(a_write_is_not_sent_again_over_a_later_one),
		T(so_for_each_kind_of_change),
		T(what_lies_beside_it_is),
		T(an_earlier_write_overtakes_nothing),
		T(a_flush_is_always_sent_again),
		T(a_request_used_anew_is_a_new_one),
		T(it_stays_overtaken_over_two_deaths),
		T(what_kills_the_back_end_is_given_up),
		T(nothing_is_sent_after_a_reset_without_confirmation),
		T(what_was_done_is_handed_back_as_it_is),
		T(a_disk_that_came_back_smaller_refuses_some),
		T(it_dies_while_they_are_sent_again),
		T(what_was_refused_is_not_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
