/* SPDX-License-Identifier: ISC */
/*
 * What the device counts (Network Device / Control Virtqueue / Device
 * Statistics).
 */
#include "net_var.h"

#define STATS_TYPE_MAX	6		/* values of one type */

/* The values of each type, in order, and what it takes to ask for them. */
struct net_stats_type {
	uint8_t ns_type;
	uint64_t ns_features;		/* any of them; 0: none needed */
	const char *ns_names[STATS_TYPE_MAX];
};

static const struct net_stats_type stats_types[] = {
	{ NET_STATS_RX_BASIC, 0, { "rx_notifications", "rx_packets",
	    "rx_bytes", "rx_interrupts", "rx_drops", "rx_drop_overruns" } },
	{ NET_STATS_RX_CSUM, NET_BIT(GUEST_CSUM), { "rx_csum_valid",
	    "rx_needs_csum", "rx_csum_none", "rx_csum_bad" } },
	{ NET_STATS_RX_GSO, NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6),
	    { "rx_gso_packets", "rx_gso_bytes", "rx_gso_packets_coalesced",
	    "rx_gso_bytes_coalesced" } },
	{ NET_STATS_RX_SPEED, 0, { "rx_packets_allowance_exceeded",
	    "rx_bytes_allowance_exceeded" } },
	{ NET_STATS_TX_BASIC, 0, { "tx_notifications", "tx_packets",
	    "tx_bytes", "tx_interrupts", "tx_drops", "tx_drop_malformed" } },
	{ NET_STATS_TX_CSUM, NET_BIT(CSUM), { "tx_csum_none",
	    "tx_needs_csum" } },
	{ NET_STATS_TX_GSO, NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6) |
	    NET_BIT(HOST_USO), { "tx_gso_packets", "tx_gso_bytes",
	    "tx_gso_segments", "tx_gso_segments_bytes",
	    "tx_gso_packets_noseg", "tx_gso_bytes_noseg" } },
	{ NET_STATS_TX_SPEED, 0, { "tx_packets_allowance_exceeded",
	    "tx_bytes_allowance_exceeded" } },
	{ NET_STATS_CVQ, 0, { "command_num", "ok_num" } },
};

#define NTYPES	(sizeof(stats_types) / sizeof(stats_types[0]))

/* The types that a virtqueue can have: 16 for each half of a pair. */
static uint64_t
stats_of(const struct pv_net *sc, unsigned int vq)
{
	if (vq == PV_NET_CTRLQ)
		return PV_F_BIT(NET_STATS_CVQ);
	if (vq / 2 >= sc->sc_nqueues)
		return 0;
	return vq % 2 == 0 ? 0xffffULL : 0xffff0000ULL;
}

/* Those of them that can be asked for now, by what was negotiated. */
static uint64_t
stats_known(const struct pv_net *sc)
{
	const struct net_stats_type *ns;
	uint64_t types = 0;
	unsigned int i;

	for (i = 0; i < NTYPES; i++) {
		ns = &stats_types[i];
		if (ns->ns_features == 0 ||
		    (pv_virtio_features(sc->sc_dev) & ns->ns_features) != 0)
			types |= PV_F_BIT(ns->ns_type);
	}
	return types;
}

static int
stats_query(struct pv_net *sc, uint64_t *types)
{
	static const struct net_command cmd = { NET_CTRL_STATS,
	    NET_CTRL_STATS_QUERY, 0, 0, 8 };
	uint8_t answer[9];
	uint32_t used;
	int error;

	error = net_ctrl(sc, &cmd, &used);
	if (error)
		return error;
	if (used < sizeof(answer))
		return EIO;
	/* The first byte was read with the command. */
	pv_dev_copy_once(answer + 1, net_ctrl_answer(sc) + 1,
	    sizeof(answer) - 1);
	*types = pv_dev_get64(answer + 1);
	return 0;
}

/* The values of one reply; 0, or EIO if it has none or was not asked for. */
static int
stats_take(const uint8_t *reply, unsigned int size, uint64_t types,
    struct pv_net_stat *st, unsigned int *n)
{
	unsigned int i, j, type = reply[NET_REPLY_TYPE];

	for (i = 0; i < NTYPES && stats_types[i].ns_type != type; i++)
		continue;
	if (i == NTYPES || (types & PV_F_BIT(type)) == 0)
		return EIO;
	for (j = 0; j < STATS_TYPE_MAX &&
	    stats_types[i].ns_names[j] != NULL; j++) {
		if (NET_REPLY_HDRLEN + 8 * (j + 1) > size ||
		    *n == PV_NET_MAXSTATS)
			return EIO;
		st[*n].st_name = stats_types[i].ns_names[j];
		st[(*n)++].st_value = pv_dev_get64(reply + NET_REPLY_HDRLEN +
		    8 * j);
	}
	return 0;
}

/* All replies; each type once. */
static int
stats_parse(const uint8_t *answer, unsigned int len, unsigned int index,
    uint64_t types, struct pv_net_stat *st, unsigned int *n)
{
	unsigned int size;
	int error = 0;

	*n = 0;
	while (len > 0 && error == 0) {
		if (len < NET_REPLY_HDRLEN)
			return EIO;
		size = pv_dev_get16(answer + NET_REPLY_SIZE);
		if (size > len ||
		    pv_dev_get16(answer + NET_REPLY_VQ) != index)
			return EIO;
		error = stats_take(answer, size, types, st, n);
		types &= ~PV_F_BIT(answer[NET_REPLY_TYPE] & 63);
		answer += size;
		len -= size;
	}
	return error;
}

static int
stats_get(struct pv_net *sc, unsigned int index, uint64_t types,
    struct pv_net_stat *st, unsigned int *n)
{
	static const struct net_command cmd = { NET_CTRL_STATS,
	    NET_CTRL_STATS_GET, 16, 0, CTRL_ANSWER_SIZE - 1 };
	uint8_t answer[CTRL_ANSWER_SIZE], *data = sc->sc_ctrl->nc_data;
	uint32_t used;
	int error;

	pv_dev_put64(data, index);
	pv_dev_put64(data + 8, types);
	error = net_ctrl(sc, &cmd, &used);
	if (error)
		return error;
	pv_dev_copy_once(answer + 1, net_ctrl_answer(sc) + 1, used - 1);
	return stats_parse(answer + 1, used - 1, index, types, st, n);
}

int
pv_net_stats(struct pv_net *sc, unsigned int vq, struct pv_net_stat *st,
    unsigned int *n)
{
	struct pv_net_ctrl *nc = sc->sc_ctrl;
	uint64_t types = stats_of(sc, vq);
	int error;

	*n = 0;
	if (!net_ctrl_ready(sc, NET_BIT(DEVICE_STATS), &error))
		return error ? error : ENETDOWN;
	if (types == 0)
		return EINVAL;
	if (nc->nc_stats == 0)
		error = stats_query(sc, &nc->nc_stats);
	if (error)
		return error;
	types &= nc->nc_stats & stats_known(sc);
	if (types == 0)
		return 0;
	return stats_get(sc, vq == PV_NET_CTRLQ ? net_ctrlq_index(sc) : vq,
	    types, st, n);
}
