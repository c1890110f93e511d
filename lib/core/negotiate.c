/* SPDX-License-Identifier: ISC */
/*
 * Feature negotiation (General Initialization And Device Operation / Device
 * Initialization): by the driver's table, down its ladder, with a record of why
 * each bit stands or fell.
 */
#include "mem.h"
#include "virtq_var.h"

#define UNSTEADY_TRIES	8	/* of values that change under us */

/* What the core drives itself, for every device. */
#define CORE_FEATURES							\
	(PV_F_BIT(PV_F_ANY_LAYOUT) | PV_F_BIT(PV_F_INDIRECT_DESC) |	\
	PV_F_BIT(PV_F_EVENT_IDX) | PV_F_BIT(PV_F_VERSION_1) |		\
	PV_F_BIT(PV_F_ACCESS_PLATFORM) |				\
	PV_F_BIT(PV_F_RING_PACKED) | PV_F_BIT(PV_F_IN_ORDER) |		\
	PV_F_BIT(PV_F_ORDER_PLATFORM) |					\
	PV_F_BIT(PV_F_NOTIFICATION_DATA) |				\
	PV_F_BIT(PV_F_NOTIF_CONFIG_DATA) | PV_F_BIT(PV_F_RING_RESET))

/* Steps of the core's own, after the driver's: each also leaves these. */
static const uint64_t core_ladder[] = {
	PV_F_BIT(PV_F_RING_PACKED),
	PV_F_BIT(PV_F_IN_ORDER) | PV_F_BIT(PV_F_NOTIFICATION_DATA) |
	    PV_F_BIT(PV_F_NOTIF_CONFIG_DATA) | PV_F_BIT(PV_F_RING_RESET),
	PV_F_BIT(PV_F_INDIRECT_DESC) | PV_F_BIT(PV_F_EVENT_IDX),
};

#define NCORE_LADDER	(sizeof(core_ladder) / sizeof(core_ladder[0]))

static uint64_t
transport_carries(const struct pv_virtio *dev)
{
	const struct pv_transport_ops *ops = dev->vd_ops;
	uint64_t features = ~PV_F_BIT(PV_F_NOTIF_CONFIG_DATA);

	if (ops->to_features_carried != NULL)
		features = ops->to_features_carried(dev->vd_transport);
	if (ops->to_queue_reset == NULL)
		features &= ~PV_F_BIT(PV_F_RING_RESET);
	return features;
}

/*
 * Step 0 is the whole wish. Those of the core that would leave nothing of what
 * the device has are passed over. False: there are no more.
 */
static bool
ladder_step(const struct pv_virtio *dev, unsigned int *step,
    struct pv_ladder_step *ls)
{
	const struct pv_feature_table *ft = dev->vd_table;
	unsigned int i, n = *step - 1;

	memset(ls, 0, sizeof(*ls));
	if (*step == 0)
		return true;
	if (n < ft->ft_nladder) {
		*ls = ft->ft_ladder[n];
		return true;
	}
	n -= ft->ft_nladder;
	for (i = 0; i < NCORE_LADDER; i++) {
		ls->ls_drop |= core_ladder[i];
		if (i < n || (core_ladder[i] & dev->vd_ng.ng_offered) == 0)
			continue;
		*step += i - n;
		return true;
	}
	return false;
}

static uint64_t
table_mask(const struct pv_feature_table *ft, uint8_t flags)
{
	uint64_t mask = 0;
	unsigned int i;

	for (i = 0; i < ft->ft_nfeatures; i++)
		if (ft->ft_features[i].fe_flags & flags)
			mask |= PV_F_BIT(ft->ft_features[i].fe_bit);
	return mask;
}

void
pv_virtio_drop(struct pv_virtio *dev, uint64_t *features, unsigned int bit,
    enum pv_feature_why why)
{
	if ((*features & PV_F_BIT(bit)) == 0)
		return;
	*features &= ~PV_F_BIT(bit);
	dev->vd_ng.ng_why[bit] = (uint8_t)why;
}

static void
drop_mask(struct pv_virtio *dev, uint64_t *features, uint64_t mask,
    enum pv_feature_why why)
{
	unsigned int bit;

	for (bit = 0; bit < 64; bit++)
		if (mask & PV_F_BIT(bit))
			pv_virtio_drop(dev, features, bit, why);
}

/* Leave what depends on something that is left, until nothing more falls. */
static void
drop_dependents(struct pv_virtio *dev, uint64_t *features)
{
	const struct pv_feature_table *ft = dev->vd_table;
	const struct pv_feature *fe;
	uint64_t before;
	unsigned int i;

	do {
		before = *features;
		for (i = 0; i < ft->ft_nfeatures; i++) {
			fe = &ft->ft_features[i];
			if (fe->fe_depends & ~*features)
				pv_virtio_drop(dev, features, fe->fe_bit,
				    PV_WHY_DEPENDS);
		}
	} while (*features != before);
}

/* The record of a try before anything was judged. */
static uint64_t
record_begin(struct pv_virtio *dev, uint64_t offered)
{
	struct pv_negotiation *ng = &dev->vd_ng;
	uint64_t features;
	unsigned int bit;

	ng->ng_offered = offered;
	ng->ng_asked = CORE_FEATURES | table_mask(dev->vd_table,
	    PV_FEATURE_WANTED | PV_FEATURE_REQUIRED);
	ng->ng_accepted = 0;
	for (bit = 0; bit < 64; bit++)
		ng->ng_why[bit] = offered & PV_F_BIT(bit) ?
		    PV_WHY_UNKNOWN : PV_WHY_NOT_OFFERED;
	features = offered & ng->ng_asked;
	for (bit = 0; bit < 64; bit++)
		if (features & PV_F_BIT(bit))
			ng->ng_why[bit] = PV_WHY_ACCEPTED;
	return features;
}

static void
add_mask(struct pv_virtio *dev, uint64_t *features, uint64_t mask)
{
	unsigned int bit;

	mask &= dev->vd_ng.ng_offered & ~dev->vd_denied;
	*features |= mask;
	for (bit = 0; bit < 64; bit++)
		if (mask & PV_F_BIT(bit))
			dev->vd_ng.ng_why[bit] = PV_WHY_ACCEPTED;
}

static int
check_required(struct pv_virtio *dev, uint64_t features)
{
	const struct pv_feature_table *ft = dev->vd_table;
	const char *name;
	uint64_t missing;
	unsigned int bit;

	missing = table_mask(ft, PV_FEATURE_REQUIRED);
	if (!virtio_is_legacy(dev))
		missing |= PV_F_BIT(PV_F_VERSION_1);
	missing &= ~features;
	if (missing == 0)
		return 0;
	bit = (unsigned int)__builtin_ctzll(missing);
	name = pv_virtio_feature_name(dev, bit);
	virtio_log(dev, PV_LOG_ERROR, "required feature %s (bit %u): %s",
	    name != NULL ? name : "?", bit, pv_feature_why_name(
	    (enum pv_feature_why)dev->vd_ng.ng_why[bit]));
	return ENOTSUP;
}

/*
 * What transport and tag have the means for. A packed ring is written by both
 * sides within a line.
 */
static uint64_t
carried(const struct pv_virtio *dev)
{
	uint64_t features = transport_carries(dev) |
	    PV_F_BIT(PV_F_RING_RESET);

	if ((dev->vd_ng.ng_offered & ~dev->vd_denied &
	    PV_F_BIT(PV_F_RING_PACKED)) && !virtq_can_pack(dev->vd_dmat))
		features &= ~PV_F_BIT(PV_F_RING_PACKED);
	return features;
}

/* What this try accepts, judged by table, port, step and the driver's check. */
static int
choose(struct pv_virtio *dev, const struct pv_ladder_step *ls, void *sc,
    uint64_t *chosen)
{
	const struct pv_feature_table *ft = dev->vd_table;
	uint64_t features, able;
	int error;

	features = record_begin(dev,
	    dev->vd_ops->to_features_read(dev->vd_transport));
	drop_mask(dev, &features, dev->vd_denied, PV_WHY_DENIED);
	able = carried(dev);
	drop_mask(dev, &features, ~able, PV_WHY_TRANSPORT);
	drop_mask(dev, &features, ls->ls_drop, PV_WHY_REFUSED);
	drop_dependents(dev, &features);
	if (ft->ft_check != NULL) {
		error = ft->ft_check(sc, dev, &features, 0);
		if (error)
			return error;
		features &= dev->vd_ng.ng_offered;
	}
	add_mask(dev, &features, ls->ls_add & able);
	drop_dependents(dev, &features);
	*chosen = features;
	return check_required(dev, features);
}

/* Offer them to the device. *refused: it would not have this set. */
static int
confirm(struct pv_virtio *dev, uint64_t features, void *sc, bool *refused)
{
	const struct pv_feature_table *ft = dev->vd_table;
	uint64_t same = features;
	uint8_t status;

	dev->vd_ops->to_features_write(dev->vd_transport, features);
	if (!virtio_is_legacy(dev)) {
		virtio_status_add(dev, PV_STATUS_FEATURES_OK);
		status = dev->vd_ops->to_status_read(dev->vd_transport);
		if (status == STATUS_GONE)
			return EIO;
		if ((status & PV_STATUS_FEATURES_OK) == 0 ||
		    (status & PV_STATUS_NEEDS_RESET)) {
			*refused = true;
			return ENOTSUP;
		}
	}
	dev->vd_features = features;
	if (ft->ft_check == NULL)
		return 0;
	return ft->ft_check(sc, dev, &same, 1);
}

static int
try_step(struct pv_virtio *dev, const struct pv_ladder_step *ls, void *sc,
    bool *refused)
{
	uint64_t features;
	int error;

	*refused = false;
	dev->vd_features = 0;
	dev->vd_ng.ng_tries++;
	error = virtio_reset(dev);
	if (error)
		return error;
	virtio_status_add(dev, PV_STATUS_ACKNOWLEDGE);
	virtio_status_add(dev, PV_STATUS_DRIVER);
	error = choose(dev, ls, sc, &features);
	if (error)
		return error;
	error = confirm(dev, features, sc, refused);
	if (error == 0)
		dev->vd_ng.ng_accepted = features;
	/*
	 * RING_RESET is taken in any case, as devices on record insist on it;
	 * but it is not in use where the transport can't carry it.
	 */
	dev->vd_features = error ? 0 : features & transport_carries(dev);
	return error;
}

int
pv_virtio_negotiate(struct pv_virtio *dev, const struct pv_feature_table *ft,
    void *sc)
{
	struct pv_ladder_step ls;
	unsigned int step = 0, unsteady = 0;
	bool refused, more;
	int error = ENOTSUP;

	/* A reset would take the vectors of a device that still runs. */
	if (dev->vd_intr_mode != PV_INTR_MODE_NONE)
		pv_virtio_stop(dev);
	memset(&dev->vd_ng, 0, sizeof(dev->vd_ng));
	dev->vd_table = ft;
	while ((more = ladder_step(dev, &step, &ls))) {
		error = try_step(dev, &ls, sc, &refused);
		if (error == 0)
			return 0;
		if (refused) {
			virtio_log(dev, PV_LOG_WARNING,
			    "feature set %u refused", step);
			step++;
			continue;
		}
		if (error != EAGAIN || ++unsteady == UNSTEADY_TRIES)
			break;
	}
	if (error == ENOTSUP && !more)
		virtio_log(dev, PV_LOG_ERROR, "every feature set was refused");
	pv_virtio_fail(dev);
	return error;
}
