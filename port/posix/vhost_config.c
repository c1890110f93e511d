/* SPDX-License-Identifier: ISC */
/*
 * Device configuration: the back end's, copied whole so that a driver reads one
 * state of it, or of a network device what the port said.
 */
#include <string.h>

#include "vhost_var.h"

#define NET_STATUS	6		/* offsets (Network Device / Device
					 * configuration layout) */
#define NET_PAIRS	8
#define NET_MTU		10
#define NET_LEN		12

/*
 * How long it is, by device type: the longest that a back end may know first.
 * One that has it shorter refuses.
 */
static const unsigned short blk_lengths[] = { 96, 72, 60, 36, 34, 24, 8, 0 };
static const unsigned short any_lengths[] = { 256, 64, 16, 8, 4, 0 };

static int
fetch(struct vhost *vh, unsigned int len, uint8_t *data, bool *refused)
{
	struct vw_msg m;
	int error;

	memset(&m, 0, sizeof(m));
	m.u.vw_config.vc_size = len;
	error = vhost_send(vh, &m, VW_GET_CONFIG, VW_CONFIG_LEN + len, NULL,
	    0);
	if (error == 0)
		error = vhost_answer(vh, &m, VW_GET_CONFIG, 0,
		    VW_CONFIG_LEN + len, NULL);
	if (error)
		return error;
	*refused = m.vw_size != VW_CONFIG_LEN + len;
	if (*refused && m.vw_size > VW_CONFIG_LEN) {
		vhost_end(vh, VHOST_BAD);
		return vhost_fail(vh, EPROTO,
		    "the back end gave another part of the configuration");
	}
	memcpy(data, m.u.vw_config.vc_data, len);
	return 0;
}

static void
take(struct vhost *vh, const uint8_t *data, unsigned int len)
{
	pthread_mutex_lock(&vh->vh_config_lock);
	if (len != vh->vh_configlen || memcmp(data, vh->vh_config, len) != 0)
		vh->vh_generation++;
	memcpy(vh->vh_config, data, len);
	vh->vh_configlen = len;
	pthread_mutex_unlock(&vh->vh_config_lock);
}

/* What QEMU would say to its guest of a network device. */
static void
make_net(struct vhost *vh)
{
	const struct vhost_params *vp = &vh->vh_params;
	unsigned int pairs = vh->vh_nqueues / 2;
	uint8_t data[NET_LEN] = { 0 };

	memcpy(data, vp->vp_mac, sizeof(vp->vp_mac));
	data[NET_STATUS] = vhost_state(vh) == VHOST_UP;
	data[NET_PAIRS] = (uint8_t)pairs;
	data[NET_MTU] = (uint8_t)vp->vp_mtu;
	data[NET_MTU + 1] = (uint8_t)(vp->vp_mtu >> 8);
	take(vh, data, sizeof(data));
}

int
vhost_config_fetch(struct vhost *vh)
{
	const unsigned short *len = any_lengths;
	uint8_t data[VHOST_MAXCONFIG];
	bool refused = true;
	int error = 0;

	if (vhost_is_net(vh)) {
		make_net(vh);
		return 0;
	}
	if (!vhost_has(vh, VHOST_P_CONFIG))
		return 0;
	if (vh->vh_params.vp_type == PV_TYPE_BLK)
		len = blk_lengths;
	for (; *len != 0 && refused && error == 0; len++) {
		/* Once it is known, it does not get shorter. */
		if (vh->vh_configlen != 0 && *len != vh->vh_configlen)
			continue;
		error = fetch(vh, *len, data, &refused);
		if (error == 0 && !refused)
			take(vh, data, *len);
	}
	if (error == 0 && refused)
		error = vhost_fail(vh, EPROTO,
		    "the back end gives no configuration");
	return error;
}

int
vhost_config_put(struct vhost *vh, unsigned int off, unsigned int width,
    uint32_t val)
{
	struct vw_msg m;
	unsigned int i;

	if (!vhost_has(vh, VHOST_P_CONFIG))
		return ENOTSUP;
	memset(&m, 0, sizeof(m));
	m.u.vw_config.vc_offset = off;
	m.u.vw_config.vc_size = width;
	for (i = 0; i < width; i++)
		m.u.vw_config.vc_data[i] = (uint8_t)(val >> 8 * i);
	return vhost_tell(vh, &m, VW_SET_CONFIG, VW_CONFIG_LEN + width, NULL,
	    0);
}
