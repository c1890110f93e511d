/* SPDX-License-Identifier: ISC */
/*
 * conform - a driver by hand that breaks one rule at a time
 *
 * A line of TAP for each planted violation: its name, and the rule that the
 * strict model has to report, alone. Before them the same driver without a
 * violation, on each transport, of which nothing may be reported; at the end,
 * that no rule is without a violation that shows it.
 */
#include <stdio.h>
#include <string.h>

#include "planted.h"

static unsigned int number, failed;

static void
result(int good, const char *name, const char *rule)
{
	printf("%sok %u - %s %s\n", good ? "" : "not ", ++number, name, rule);
	fflush(stdout);
	failed += !good;
}

static void
say(void)
{
	unsigned int i;

	for (i = 0; i < STRICT_NRULES; i++)
		if (strict_found(i))
			fprintf(stderr, "#   reported: %s\n", strict_name(i));
}

static void
run(const struct planted *pl)
{
	static struct raw r;
	int good;

	raw_new(&r, pl->pl_kind, pl->pl_type, pl->pl_nqueues);
	strict_begin();
	strict_expect(pl->pl_rule);
	pl->pl_fn(&r);
	good = strict_only(pl->pl_rule) && port_check_rules() == 0;
	if (!good)
		say();
	/* How it ends is not what it is about. */
	strict_expect(STRICT_ENTRY_REMOVED);
	port_quiet = 1;
	raw_end(&r);
	port_quiet = 0;
	result(good, pl->pl_name, strict_name(pl->pl_rule));
}

static int
handled(void *arg)
{
	struct raw *r = arg;
	unsigned int i;

	r->r_handled++;
	r->r_ops->to_intr_status(r->r_tr);
	for (i = 0; i < r->r_nqueues; i++)
		fake_noticed(r->r_fd, (int)i);
	return 1;
}

static void
good_driver(enum stand_kind kind, uint64_t deny, const char *name)
{
	static struct raw r;
	unsigned int i;
	int good;

	raw_new(&r, kind, PV_TYPE_ENTROPY, 2);
	strict_begin();
	r.r_deny = deny;
	if (kind == STAND_PCI)
		fake_pci_odd(&r.r_st.st_fp, 3);
	else
		r.r_st.st_fm.fm_undefined = 0x80;
	if (kind == STAND_LEGACY) {
		raw_attach(&r);
		raw_reset(&r);
		raw_hello(&r);
		raw_features(&r);
		raw_driver_ok(&r);
	} else {
		raw_up(&r);
		raw_handler(&r, handled);
		for (i = 0; i < 100; i++) {
			raw_desc(&r, i % 2, 0, raw_buf(&r, 64 * i), 64,
			    DESC_NEXT, 1);
			raw_desc(&r, i % 2, 1, raw_buf(&r, 64 * i), 64,
			    DESC_WRITE, 0);
			raw_avail(&r, i % 2, 0);
			raw_kick(&r, i % 2);
			fake_settle(r.r_fd);
		}
	}
	fake_judge(r.r_fd, 1);
	raw_end(&r);
	good = strict_last == STRICT_NRULES && port.po_violations == 0;
	if (!good)
		say();
	result(good, name, "none");
}

static void
good_packed_driver(uint64_t features, const char *name)
{
	static struct raw r;
	int good;

	raw_new(&r, STAND_PCI, PV_TYPE_ENTROPY, 1);
	strict_begin();
	packed_good_driver(&r, features);
	fake_judge(r.r_fd, 1);
	raw_end(&r);
	good = strict_last == STRICT_NRULES && port.po_violations == 0;
	if (!good)
		say();
	result(good, name, "none");
}

static void
all_shown(const struct planted *const *lists, unsigned int nlists)
{
	unsigned char shown[STRICT_NRULES] = { 0 };
	const struct planted *pl;
	unsigned int i;

	for (i = 0; i < nlists; i++)
		for (pl = lists[i]; pl->pl_name != NULL; pl++)
			shown[pl->pl_rule] = 1;
	for (i = 0; i < STRICT_NRULES; i++)
		if (!shown[i])
			result(0, "no_violation_shows", strict_name(i));
}

int
main(void)
{
	static const struct planted *const lists[] = {
		planted_core, planted_ring, planted_transport, planted_device,
		planted_blk, planted_packed,
	};
	const unsigned int n = sizeof(lists) / sizeof(lists[0]);
	const struct planted *pl;
	unsigned int i;

	good_driver(STAND_PCI, 0, "good_driver_pci");
	good_driver(STAND_MMIO, 0, "good_driver_mmio");
	good_driver(STAND_LEGACY, 0, "good_driver_legacy");
	good_driver(STAND_PCI, PV_F_BIT(PV_F_EVENT_IDX), "good_driver_flags");
	good_packed_driver(0, "good_driver_packed");
	good_packed_driver(PV_F_BIT(PV_F_IN_ORDER), "good_driver_in_order");
	good_packed_driver(PV_F_BIT(PV_F_NOTIFICATION_DATA),
	    "good_driver_data");
	for (i = 0; i < n; i++)
		for (pl = lists[i]; pl->pl_name != NULL; pl++)
			run(pl);
	all_shown(lists, n);
	printf("1..%u\n", number);
	return failed != 0;
}
