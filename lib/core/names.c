/* SPDX-License-Identifier: ISC */
/*
 * Names for people.
 */
#include <paravane/virtio.h>

static const char *const type_names[] = {
	[PV_TYPE_NET] = "net",
	[PV_TYPE_BLK] = "blk",
	[PV_TYPE_CONSOLE] = "console",
	[PV_TYPE_ENTROPY] = "entropy",
	[PV_TYPE_BALLOON] = "balloon",
	[PV_TYPE_SCSI] = "scsi",
	[PV_TYPE_9P] = "9p",
	[PV_TYPE_GPU] = "gpu",
	[PV_TYPE_RTC] = "rtc",
	[PV_TYPE_INPUT] = "input",
	[PV_TYPE_VSOCK] = "vsock",
	[PV_TYPE_SOUND] = "sound",
	[PV_TYPE_FS] = "fs",
};

static const char *const core_names[64] = {
	[PV_F_NOTIFY_ON_EMPTY] = "NOTIFY_ON_EMPTY",
	[PV_F_ANY_LAYOUT] = "ANY_LAYOUT",
	[PV_F_INDIRECT_DESC] = "INDIRECT_DESC",
	[PV_F_EVENT_IDX] = "EVENT_IDX",
	[PV_F_VERSION_1] = "VERSION_1",
	[PV_F_ACCESS_PLATFORM] = "ACCESS_PLATFORM",
	[PV_F_RING_PACKED] = "RING_PACKED",
	[PV_F_IN_ORDER] = "IN_ORDER",
	[PV_F_ORDER_PLATFORM] = "ORDER_PLATFORM",
	[PV_F_SR_IOV] = "SR_IOV",
	[PV_F_NOTIFICATION_DATA] = "NOTIFICATION_DATA",
	[PV_F_NOTIF_CONFIG_DATA] = "NOTIF_CONFIG_DATA",
	[PV_F_RING_RESET] = "RING_RESET",
	[PV_F_ADMIN_VQ] = "ADMIN_VQ",
};

static const char *const why_names[] = {
	[PV_WHY_ACCEPTED] = "accepted",
	[PV_WHY_NOT_OFFERED] = "not offered",
	[PV_WHY_UNKNOWN] = "not driven",
	[PV_WHY_DEPENDS] = "depends on another",
	[PV_WHY_VALUE] = "value",
	[PV_WHY_REFUSED] = "refused",
	[PV_WHY_TRANSPORT] = "transport",
	[PV_WHY_DENIED] = "denied",
};

const char *
pv_virtio_type_name(unsigned int type)
{
	if (type >= sizeof(type_names) / sizeof(type_names[0]))
		return NULL;
	return type_names[type];
}

const char *
pv_virtio_feature_name(const struct pv_virtio *dev, unsigned int bit)
{
	const struct pv_feature_table *ft = dev->vd_table;
	unsigned int i;

	if (ft != NULL)
		for (i = 0; i < ft->ft_nfeatures; i++)
			if (ft->ft_features[i].fe_bit == bit)
				return ft->ft_features[i].fe_name;
	return bit < 64 ? core_names[bit] : NULL;
}

const char *
pv_feature_why_name(enum pv_feature_why why)
{
	if ((unsigned int)why >= sizeof(why_names) / sizeof(why_names[0]))
		return "?";
	return why_names[why];
}
