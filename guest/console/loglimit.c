/* SPDX-License-Identifier: ISC */
/* How much of what a device can cause is said. */

#include "ktime.h"
#include "log.h"

#define LOG_BURST	16u
#define LOG_AGAIN_NS	(1 * NS_PER_S)

bool
log_may(struct log_limit *ll)
{
	uint64_t again = (uptime_ns() - ll->ll_since_ns) / LOG_AGAIN_NS;
	unsigned long long left = ll->ll_left;

	ll->ll_since_ns += again * LOG_AGAIN_NS;
	ll->ll_said -= again < ll->ll_said ? (unsigned int)again : ll->ll_said;
	if (ll->ll_said == LOG_BURST) {
		ll->ll_left++;
		return false;
	}
	ll->ll_said++;
	ll->ll_left = 0;
	if (left != 0)
		klog(LOG_WARN, "log: %llu like the next were left out", left);
	return true;
}
