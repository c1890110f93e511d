/* SPDX-License-Identifier: ISC */
/*
 * What memory a driver's attach asks for is taken from it, in two ways: from one
 * allocation on there is none, and one alone fails. To be included after
 * cmocka.h by the test of a driver, which stands on a rig.
 */
#ifndef ATTACH_FAILS_H
#define ATTACH_FAILS_H

#include "port.h"
#include "rig.h"

struct attach_fails {
	struct rig *af_rig;
	int (*af_setup)(void **state);
	int (*af_attach)(void);		/* an errno */
	void (*af_work)(void);		/* a little of it, attached; or NULL */
	void (*af_detach)(void);
	void (*af_forget)(void);	/* what the model keeps; or NULL */
	int af_least;			/* allocations that it has more than */
};

/* The n-th allocation fails, and with all those that follow. */
static void
attach_without_memory(const struct attach_fails *af, void **state)
{
	int error = ENOMEM, n;

	for (n = 0; error != 0; n++) {
		af->af_setup(state);
		port.po_fail_after = n;
		error = af->af_attach();
		port.po_fail_after = -1;
		if (error == 0)
			break;
		assert_int_equal(error, ENOMEM);
		assert_true(af->af_rig->rg_status & PV_STATUS_FAILED);
		assert_int_equal(port_check(), 0);
		assert_true(n < 200);
	}
	af->af_detach();
	assert_true(n > af->af_least);
}

/* One allocation after another fails, and the next does not. */
static void
attach_without_one(const struct attach_fails *af, void **state)
{
	int error, left, n;

	for (n = 0;; n++) {
		af->af_setup(state);
		port.po_fail_one = 1;
		port.po_fail_after = n;
		error = af->af_attach();
		left = port.po_fail_after;
		port.po_fail_after = -1;
		if (error == 0) {
			if (af->af_work != NULL)
				af->af_work();
			af->af_detach();
		} else
			assert_int_equal(error, ENOMEM);
		if (af->af_forget != NULL)
			af->af_forget();
		assert_int_equal(port_check(), 0);
		if (left >= 0)
			break;
	}
	assert_true(n > af->af_least);
}

#endif
