/* SPDX-License-Identifier: ISC */
/*
 * What goes over the control queue (Network Device / Device Operation / Control
 * Virtqueue): one command at a time, of which the port notes what is to be set
 * again at the next start.
 */
#include "net_var.h"

#define NET_CTRL_TIMEOUT_NS	1000000000ULL
#define NET_RESTORE_TIMEOUT_NS	10000000000ULL	/* all commands of a start */

#define ALL_MODES	(PV_NET_MODE_PROMISC | PV_NET_MODE_ALLMULTI |	\
			PV_NET_MODE_ALLUNI | PV_NET_MODE_NOMULTI |	\
			PV_NET_MODE_NOUNI | PV_NET_MODE_NOBCAST)
#define BASIC_MODES	(PV_NET_MODE_PROMISC | PV_NET_MODE_ALLMULTI)

/* Some thousand commands, each just in time, would keep a start for hours. */
static int
ctrl_is_late(const struct pv_net_ctrl *nc)
{
	return nc->nc_until_ns != 0 && pv_kern_uptime_ns() >= nc->nc_until_ns;
}

/* Hand the command over and wait for it, with a bound. */
static int
ctrl_wait(struct pv_net *sc, uint32_t *len)
{
	struct pv_dev_wait wait;
	struct pv_used used;
	int error;

	pv_virtq_publish(sc->sc_ctrlq);
	pv_dev_wait_begin(&wait, NET_CTRL_TIMEOUT_NS);
	while ((error = pv_virtq_dequeue(sc->sc_ctrlq, &used)) == EAGAIN) {
		if (pv_dev_wait(&wait) || ctrl_is_late(sc->sc_ctrl)) {
			pv_virtio_break(sc->sc_dev, "control queue: no answer");
			return ETIMEDOUT;
		}
		(void)pv_virtq_stalled_ns(sc->sc_ctrlq);
	}
	*len = used.us_len;
	return error;
}

/*
 * Pieces: class and command; data if there are any; what the device writes,
 * with the ack among it. A command without an answer may still be read from its
 * place.
 */
int
net_ctrl(struct pv_net *sc, const struct net_command *cmd, uint32_t *used)
{
	const struct pv_dmamem *dm = &sc->sc_ctrl->nc_mem;
	struct pv_piece pieces[3];
	uint8_t *memory = dm->dm_kva, ack = 0xff;
	unsigned int n = 0;
	int error;

	if (pv_virtio_broken(sc->sc_dev) != NULL)
		return EIO;
	memory[CTRL_REQUEST] = cmd->cm_class;
	memory[CTRL_REQUEST + 1] = cmd->cm_command;
	pieces[n++] = pv_dev_piece(dm, CTRL_REQUEST, NET_CTRL_HDRLEN);
	memcpy(&memory[CTRL_REQUEST + NET_CTRL_HDRLEN], sc->sc_ctrl->nc_data,
	    cmd->cm_len);
	if (cmd->cm_len > 0)
		pieces[n++] = pv_dev_piece(dm, CTRL_REQUEST + NET_CTRL_HDRLEN,
		    cmd->cm_len);
	pieces[n] = pv_dev_piece(dm, CTRL_ANSWER, (bus_size_t)cmd->cm_before +
	    1 + cmd->cm_after);
	error = pv_virtq_enqueue(sc->sc_ctrlq, pieces, n, 1, sc);
	if (error == 0)
		error = ctrl_wait(sc, used);
	if (error)
		return error;
	if (*used > cmd->cm_before)
		pv_dev_copy_once(&ack, memory + CTRL_ANSWER + cmd->cm_before,
		    1);
	if (ack == NET_CTRL_OK)
		return 0;
	sc->sc_info.ni_ctrl_errors++;
	return EIO;
}

static int
ctrl_send(struct pv_net *sc, uint8_t class, uint8_t command, unsigned int len)
{
	const struct net_command cmd = { class, command, (uint16_t)len, 0, 0 };
	uint32_t used;

	return net_ctrl(sc, &cmd, &used);
}

/* Whether a command can go now; else it waits for the next start. */
int
net_ctrl_ready(const struct pv_net *sc, uint64_t features, int *error)
{
	*error = 0;
	if (!sc->sc_running)
		return 0;
	if ((pv_virtio_features(sc->sc_dev) & features) != 0)
		return 1;
	*error = ENOTSUP;
	return 0;
}

/* Packet Receive Filtering */

static int
ctrl_mode(struct pv_net *sc, unsigned int bit, unsigned int mode)
{
	uint8_t command = 0;
	int error;

	/* Commands are numbered as the bits are. */
	while (bit >> command != 1)
		command++;
	sc->sc_ctrl->nc_data[0] = (mode & bit) != 0;
	error = ctrl_send(sc, NET_CTRL_RX, command, 1);
	if (error == 0)
		sc->sc_info.ni_rxmode = (sc->sc_info.ni_rxmode & ~bit) |
		    (mode & bit);
	return error;
}

/* What the port wants, and what it takes to get that. */
static unsigned int
ctrl_modes(const struct pv_net *sc)
{
	const struct pv_net_ctrl *nc = sc->sc_ctrl;
	unsigned int mode = nc->nc_rxmode | nc->nc_overflow;

	/* A device can't pick out the frames for an address that we made. */
	if (!sc->sc_macknown)
		mode |= PV_NET_MODE_PROMISC;
	if (net_has(sc, PV_NET_F_CTRL_RX_EXTRA))
		return mode;
	if (nc->nc_overflow & PV_NET_MODE_ALLUNI)
		mode |= PV_NET_MODE_PROMISC;
	return mode & BASIC_MODES;
}

/*
 * How the first two stand after a reset is not said anywhere, so both are sent;
 * of the rest, what is another.
 */
static int
ctrl_send_rxmode(struct pv_net *sc)
{
	unsigned int mode = ctrl_modes(sc), bit;
	int error = 0;

	for (bit = 1; bit <= PV_NET_MODE_NOBCAST && error == 0; bit <<= 1)
		if ((bit & BASIC_MODES) ||
		    ((mode ^ sc->sc_info.ni_rxmode) & bit))
			error = ctrl_mode(sc, bit, mode);
	return error;
}

int
pv_net_set_rxmode(struct pv_net *sc, unsigned int mode)
{
	struct pv_net_ctrl *nc = sc->sc_ctrl;

	nc->nc_set |= NET_SET_RXMODE;
	nc->nc_rxmode = (uint8_t)(mode & ALL_MODES);
	if (!sc->sc_running || !net_has(sc, PV_NET_F_CTRL_RX))
		return 0;
	return ctrl_send_rxmode(sc);
}

/* Setting MAC Address Filtering */

static int
ctrl_send_mac(struct pv_net *sc, const uint8_t *mac)
{
	memcpy(sc->sc_ctrl->nc_data, mac, 6);
	return ctrl_send(sc, NET_CTRL_MAC, NET_CTRL_MAC_ADDR_SET, 6);
}

int
pv_net_set_mac(struct pv_net *sc, const uint8_t *mac)
{
	int error;

	if (!net_mac_valid(mac))
		return EINVAL;
	if (net_ctrl_ready(sc, NET_BIT(CTRL_MAC_ADDR), &error)) {
		error = ctrl_send_mac(sc, mac);
		sc->sc_macknown |= error == 0;
	}
	if (error)
		return error;
	memcpy(sc->sc_mac, mac, 6);
	sc->sc_ctrl->nc_set |= NET_SET_MAC;
	return 0;
}

static unsigned int
ctrl_put_macs(uint8_t *to, const uint8_t *macs, unsigned int n)
{
	pv_dev_put32(to, n);
	memcpy(to + 4, macs, (size_t)n * 6);
	return 4 + n * 6;
}

/* The tables; what does not fit, or is refused, is had by a mode. */
static int
ctrl_send_macs(struct pv_net *sc)
{
	struct pv_net_ctrl *nc = sc->sc_ctrl;
	uint8_t *data = sc->sc_ctrl->nc_data;
	unsigned int len;
	int error;

	len = ctrl_put_macs(data, nc->nc_macs, nc->nc_nuni);
	len += ctrl_put_macs(data + len, nc->nc_macs + (size_t)nc->nc_nuni * 6,
	    nc->nc_nmulti);
	error = ctrl_send(sc, NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, len);
	if (pv_virtio_broken(sc->sc_dev) != NULL)
		return error;
	if (error && nc->nc_nuni > 0)
		nc->nc_overflow |= PV_NET_MODE_ALLUNI;
	if (error && nc->nc_nmulti > 0)
		nc->nc_overflow |= PV_NET_MODE_ALLMULTI;
	if ((nc->nc_set & NET_SET_RXMODE) &&
	    ctrl_modes(sc) != sc->sc_info.ni_rxmode)
		return ctrl_send_rxmode(sc);
	return 0;
}

static int
macs_valid(const uint8_t *macs, unsigned int n, unsigned int group)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if ((macs[(size_t)i * 6] & 1u) != group)
			return 0;
	return 1;
}

int
pv_net_set_macs(struct pv_net *sc, const uint8_t *uni, unsigned int nuni,
    const uint8_t *multi, unsigned int nmulti)
{
	struct pv_net_ctrl *nc = sc->sc_ctrl;

	if (!macs_valid(uni, nuni, 0) || !macs_valid(multi, nmulti, 1))
		return EINVAL;
	nc->nc_overflow = 0;
	if (nuni > PV_NET_MAXMACS) {
		nc->nc_overflow |= PV_NET_MODE_ALLUNI;
		nuni = 0;
	}
	if (nmulti > PV_NET_MAXMACS - nuni) {
		nc->nc_overflow |= PV_NET_MODE_ALLMULTI;
		nmulti = 0;
	}
	if (nuni > 0)
		memcpy(nc->nc_macs, uni, (size_t)nuni * 6);
	if (nmulti > 0)
		memcpy(nc->nc_macs + (size_t)nuni * 6, multi,
		    (size_t)nmulti * 6);
	nc->nc_nuni = nuni;
	nc->nc_nmulti = nmulti;
	nc->nc_set |= NET_SET_MACS;
	if (!sc->sc_running || !net_has(sc, PV_NET_F_CTRL_RX))
		return 0;
	return ctrl_send_macs(sc);
}

/* VLAN Filtering */

static int
ctrl_send_vlan(struct pv_net *sc, unsigned int id, int on)
{
	pv_dev_put16(sc->sc_ctrl->nc_data, (uint16_t)id);
	return ctrl_send(sc, NET_CTRL_VLAN,
	    on ? NET_CTRL_VLAN_ADD : NET_CTRL_VLAN_DEL, 2);
}

int
pv_net_set_vlan(struct pv_net *sc, unsigned int id, int on)
{
	uint8_t *byte, bit = (uint8_t)(1u << id % 8);
	int error;

	if (id >= NET_NVLANS)
		return EINVAL;
	if (net_ctrl_ready(sc, NET_BIT(CTRL_VLAN), &error))
		error = ctrl_send_vlan(sc, id, on);
	if (error)
		return error;
	byte = &sc->sc_ctrl->nc_vlans[id / 8];
	*byte = (uint8_t)(on ? *byte | bit : *byte & ~bit);
	return 0;
}

static void
restore_vlans(struct pv_net *sc)
{
	unsigned int id;

	for (id = 0; id < NET_NVLANS; id++)
		if (sc->sc_ctrl->nc_vlans[id / 8] & 1u << id % 8)
			ctrl_send_vlan(sc, id, 1);
}

/* Gratuitous Packet Sending */

int
pv_net_announced(struct pv_net *sc)
{
	int error;

	if (!net_ctrl_ready(sc, NET_BIT(GUEST_ANNOUNCE), &error))
		return error;
	error = ctrl_send(sc, NET_CTRL_ANNOUNCE, NET_CTRL_ANNOUNCE_ACK, 0);
	if (error == 0)
		sc->sc_info.ni_announces++;
	return error;
}

/* Offloads State Configuration */

/* Each needs the checksum, and ECN something that it is of. */
static int
offloads_valid(uint64_t on)
{
	if ((on & ~NET_GUEST_OFFLOADS) ||
	    (on != 0 && (on & NET_BIT(GUEST_CSUM)) == 0))
		return 0;
	return (on & NET_BIT(GUEST_ECN)) == 0 ||
	    (on & (NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6))) != 0;
}

static int
ctrl_send_offloads(struct pv_net *sc, uint64_t on)
{
	int error;

	pv_dev_put64(sc->sc_ctrl->nc_data, on);
	error = ctrl_send(sc, NET_CTRL_OFFLOADS, NET_CTRL_OFFLOADS_SET, 8);
	if (error == 0)
		sc->sc_info.ni_offloads = on;
	return error;
}

int
pv_net_set_offloads(struct pv_net *sc, uint64_t on)
{
	int error;

	if (!offloads_valid(on))
		return EINVAL;
	if (net_ctrl_ready(sc, NET_BIT(CTRL_GUEST_OFFLOADS), &error)) {
		if (on & ~pv_virtio_features(sc->sc_dev))
			return EINVAL;
		error = ctrl_send_offloads(sc, on);
	}
	if (error)
		return error;
	sc->sc_ctrl->nc_set |= NET_SET_OFFLOADS;
	sc->sc_ctrl->nc_offloads = on;
	return 0;
}

/* Device operation in multiqueue mode */

/*
 * A key for those who have none: what it is matters only to whom would like
 * all of our flows in one queue.
 */
static void
make_key(uint8_t *key)
{
	uint64_t x = pv_kern_uptime_ns();
	unsigned int i;

	for (i = 0; i < PV_NET_MAXKEY; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		key[i] = (uint8_t)(x >> 56);
	}
}

/* The longest table that the device takes, over all pairs evenly. */
static unsigned int
put_even_table(const struct pv_net *sc, uint8_t *to, unsigned int pairs)
{
	unsigned int i, n = 1, queue = 0;

	while (n * 2 <= sc->sc_info.ni_table)
		n *= 2;
	for (i = 0; i < n; i++) {
		pv_dev_put16(to + 2 * i, (uint16_t)queue);
		if (++queue == pairs)
			queue = 0;
	}
	return n;
}

static unsigned int
put_table(const struct pv_net *sc, uint8_t *to, unsigned int pairs)
{
	const struct net_rss *rs = &sc->sc_ctrl->nc_rss;
	unsigned int i;

	if (rs->rs_ntable == 0)
		return put_even_table(sc, to, pairs);
	for (i = 0; i < rs->rs_ntable; i++)
		pv_dev_put16(to + 2 * i, rs->rs_table[i]);
	return rs->rs_ntable;
}

static unsigned int
put_key(const struct pv_net *sc, uint8_t *to)
{
	const struct net_rss *rs = &sc->sc_ctrl->nc_rss;

	to[0] = (uint8_t)rs->rs_nkey;
	memcpy(to + 1, rs->rs_key, rs->rs_nkey);
	return 1 + rs->rs_nkey;
}

/* Receive-side scaling / Setting RSS parameters; or only what is hashed. */
static int
ctrl_send_rss(struct pv_net *sc, unsigned int pairs)
{
	const struct net_rss *rs = &sc->sc_ctrl->nc_rss;
	uint8_t *data = sc->sc_ctrl->nc_data;
	unsigned int n, len = 8;

	pv_dev_put32(data, rs->rs_types);
	if (!net_has(sc, PV_NET_F_RSS)) {
		memset(data + 4, 0, 8);
		len = 12 + put_key(sc, data + 12);
		return ctrl_send(sc, NET_CTRL_MQ, NET_CTRL_MQ_HASH_CONFIG,
		    len);
	}
	n = put_table(sc, data + len, pairs);
	pv_dev_put16(data + 4, (uint16_t)(n - 1));
	pv_dev_put16(data + 6, (uint16_t)rs->rs_default);
	len += 2 * n;
	pv_dev_put16(data + len, (uint16_t)pairs);
	len += 2;
	len += put_key(sc, data + len);
	return ctrl_send(sc, NET_CTRL_MQ, NET_CTRL_MQ_RSS_CONFIG, len);
}

/* Spread evenly, by all that the device can hash if the port has not chosen. */
static void
rss_evenly(struct pv_net *sc)
{
	struct net_rss *rs = &sc->sc_ctrl->nc_rss;

	rs->rs_ntable = rs->rs_default = 0;
	if (sc->sc_ctrl->nc_set & NET_SET_RSS)
		return;
	rs->rs_types = sc->sc_info.ni_hash_types;
	rs->rs_nkey = PV_NET_MAXKEY;
	make_key(rs->rs_key);
}

static int
ctrl_send_pairs(struct pv_net *sc, unsigned int pairs)
{
	int error;

	if (net_has(sc, PV_NET_F_MQ)) {
		pv_dev_put16(sc->sc_ctrl->nc_data, (uint16_t)pairs);
		error = ctrl_send(sc, NET_CTRL_MQ, NET_CTRL_MQ_PAIRS_SET, 2);
	} else {
		if ((sc->sc_ctrl->nc_set & NET_SET_RSS) == 0)
			rss_evenly(sc);
		error = ctrl_send_rss(sc, pairs);
	}
	if (error)
		return error;
	net_pairs_set(sc, pairs);
	sc->sc_info.ni_pairs = pairs;
	return 0;
}

int
pv_net_set_pairs(struct pv_net *sc, unsigned int pairs)
{
	struct pv_net_ctrl *nc = sc->sc_ctrl;
	const struct net_rss spread = nc->nc_rss;
	unsigned int before = net_pairs(sc);
	int error;

	if (pairs == 0 || (sc->sc_running && pairs > sc->sc_nqueues))
		return EINVAL;
	if (!sc->sc_running || pairs == before) {
		nc->nc_pairs = pairs;
		return 0;
	}
	rss_evenly(sc);
	/* Nothing may be sent on those that go once the command is there. */
	net_pairs_set(sc, net_least(pairs, before));
	error = ctrl_send_pairs(sc, pairs);
	if (error) {
		net_pairs_set(sc, before);
		nc->nc_rss = spread;
		return error;
	}
	nc->nc_pairs = pairs;
	if (net_has(sc, PV_NET_F_MQ) && net_has(sc, PV_NET_F_RSS))
		nc->nc_set &= (uint8_t)~NET_SET_RSS;
	return 0;
}

static int
rss_valid(const struct pv_net *sc, const struct pv_net_rss *rss)
{
	const struct pv_net_info *ni = &sc->sc_info;
	unsigned int i;

	if ((rss->nr_types & ~ni->ni_hash_types) || rss->nr_nkey > ni->ni_key ||
	    rss->nr_ntable > ni->ni_table ||
	    (rss->nr_ntable & (rss->nr_ntable - 1)) != 0 ||
	    rss->nr_default >= net_pairs(sc))
		return 0;
	for (i = 0; i < rss->nr_ntable; i++)
		if (rss->nr_table[i] >= net_pairs(sc))
			return 0;
	return 1;
}

static void
rss_note(struct net_rss *rs, const struct pv_net_rss *rss)
{
	rs->rs_types = rss->nr_types;
	rs->rs_default = rss->nr_default;
	rs->rs_ntable = rss->nr_ntable;
	if (rss->nr_ntable > 0)
		memcpy(rs->rs_table, rss->nr_table,
		    rss->nr_ntable * sizeof(*rss->nr_table));
	rs->rs_nkey = rss->nr_nkey;
	if (rss->nr_nkey > 0)
		memcpy(rs->rs_key, rss->nr_key, rss->nr_nkey);
	else {
		rs->rs_nkey = PV_NET_MAXKEY;
		make_key(rs->rs_key);
	}
}

int
pv_net_set_rss(struct pv_net *sc, const struct pv_net_rss *rss)
{
	struct pv_net_ctrl *nc = sc->sc_ctrl;
	const struct net_rss before = nc->nc_rss;
	int error;

	if (!net_ctrl_ready(sc, NET_BIT(RSS) | NET_BIT(HASH_REPORT), &error))
		return error ? error : ENETDOWN;
	if (!rss_valid(sc, rss))
		return EINVAL;
	rss_note(&nc->nc_rss, rss);
	error = ctrl_send_rss(sc, net_pairs(sc));
	if (error)
		nc->nc_rss = before;
	else
		nc->nc_set |= NET_SET_RSS;
	return error;
}

/* What was set may be of queues and types that there are no more. */
static void
rss_fit(struct pv_net *sc, unsigned int pairs)
{
	struct net_rss *rs = &sc->sc_ctrl->nc_rss;
	unsigned int i;

	rs->rs_types &= sc->sc_info.ni_hash_types;
	if (rs->rs_default >= pairs)
		rs->rs_default = 0;
	if (rs->rs_ntable > sc->sc_info.ni_table)
		rs->rs_ntable = 0;
	for (i = 0; i < rs->rs_ntable; i++)
		if (rs->rs_table[i] >= pairs)
			rs->rs_ntable = 0;
}

/* Notifications Coalescing */

static void
put_coalescing(uint8_t *to, const struct pv_net_coalescing *co)
{
	pv_dev_put32(to, co->co_frames);
	pv_dev_put32(to + 4, co->co_us);
}

/* Where the values of vq are kept; NET_NCOALS: there is no such queue. */
static unsigned int
coal_index(const struct pv_net *sc, unsigned int vq)
{
	if (vq == PV_NET_ALL_RXQ)
		return NET_COAL_RX;
	if (vq == PV_NET_ALL_TXQ)
		return NET_COAL_TX;
	return vq / 2 < net_pairs(sc) ? vq : NET_NCOALS;
}

static int
ctrl_send_coalescing(struct pv_net *sc, unsigned int index,
    const struct pv_net_coalescing *co)
{
	uint8_t *data = sc->sc_ctrl->nc_data;

	if (index >= NET_COAL_RX) {
		put_coalescing(data, co);
		return ctrl_send(sc, NET_CTRL_COAL, index == NET_COAL_RX ?
		    NET_CTRL_COAL_RX_SET : NET_CTRL_COAL_TX_SET, 8);
	}
	pv_dev_put32(data, index);
	put_coalescing(data + 4, co);
	return ctrl_send(sc, NET_CTRL_COAL, NET_CTRL_COAL_VQ_SET, 12);
}

static uint64_t
coal_feature(unsigned int index)
{
	return index >= NET_COAL_RX ? NET_BIT(NOTF_COAL) :
	    NET_BIT(VQ_NOTF_COAL);
}

static int
coal_is_set(const struct pv_net_ctrl *nc, unsigned int index)
{
	return nc->nc_coalset[index / 8] >> index % 8 & 1;
}

/* Those of all queues of a kind take the place of those of each. */
static void
coal_note(struct pv_net_ctrl *nc, unsigned int index,
    const struct pv_net_coalescing *co)
{
	unsigned int i;

	if (index >= NET_COAL_RX)
		for (i = index & 1; i < NET_COAL_RX; i += 2)
			nc->nc_coalset[i / 8] &= (uint8_t)~(1u << i % 8);
	nc->nc_coalset[index / 8] |= (uint8_t)(1u << index % 8);
	nc->nc_coals[index] = *co;
}

int
pv_net_set_coalescing(struct pv_net *sc, unsigned int vq,
    const struct pv_net_coalescing *co)
{
	unsigned int index = coal_index(sc, vq);
	int error;

	if (index == NET_NCOALS)
		return EINVAL;
	if (net_ctrl_ready(sc, coal_feature(index), &error))
		error = ctrl_send_coalescing(sc, index, co);
	if (error == 0)
		coal_note(sc->sc_ctrl, index, co);
	return error;
}

/* Those of all queues first. */
static void
restore_coalescing(struct pv_net *sc)
{
	const struct pv_net_ctrl *nc = sc->sc_ctrl;
	unsigned int i;
	int error;

	for (i = NET_NCOALS; i-- > 0;)
		if (coal_is_set(nc, i) &&
		    (i >= NET_COAL_RX || i / 2 < net_pairs(sc)) &&
		    net_ctrl_ready(sc, coal_feature(i), &error))
			ctrl_send_coalescing(sc, i, &nc->nc_coals[i]);
}

void
net_ctrl_requeue(struct pv_net *sc, unsigned int vq)
{
	const struct pv_net_ctrl *nc = sc->sc_ctrl;

	if (coal_is_set(nc, vq) && net_has(sc, PV_NET_F_VQ_NOTF_COAL))
		ctrl_send_coalescing(sc, vq, &nc->nc_coals[vq]);
}

int
pv_net_get_coalescing(struct pv_net *sc, unsigned int vq,
    struct pv_net_coalescing *co)
{
	const struct net_command cmd = { NET_CTRL_COAL, NET_CTRL_COAL_VQ_GET,
	    4, 8, 0 };
	uint8_t answer[8];
	uint32_t used;
	int error;

	if (!net_ctrl_ready(sc, NET_BIT(VQ_NOTF_COAL), &error))
		return error ? error : ENETDOWN;
	if (coal_index(sc, vq) >= NET_COAL_RX)
		return EINVAL;
	pv_dev_put32(sc->sc_ctrl->nc_data, vq);
	error = net_ctrl(sc, &cmd, &used);
	if (error)
		return error;
	pv_dev_copy_once(answer, net_ctrl_answer(sc), sizeof(answer));
	co->co_frames = pv_dev_get32(answer);
	co->co_us = pv_dev_get32(answer + 4);
	return 0;
}

/* Once the device runs again. What it refuses is counted, and left. */
void
net_ctrl_restore(struct pv_net *sc)
{
	struct pv_net_ctrl *nc = sc->sc_ctrl;
	unsigned int pairs = sc->sc_nqueues;

	nc->nc_stats = 0;
	if (!net_has(sc, PV_NET_F_CTRL_VQ))
		return;
	nc->nc_until_ns = pv_kern_uptime_ns() + NET_RESTORE_TIMEOUT_NS;
	if (nc->nc_pairs != 0)
		pairs = net_least(nc->nc_pairs, pairs);
	rss_fit(sc, pairs);
	if (pairs > 1 && ctrl_send_pairs(sc, pairs) != 0)
		rss_fit(sc, 1);
	if (!sc->sc_macknown && net_has(sc, PV_NET_F_CTRL_MAC_ADDR))
		sc->sc_macknown = ctrl_send_mac(sc, sc->sc_mac) == 0;
	if (net_has(sc, PV_NET_F_CTRL_RX)) {
		if (nc->nc_set & NET_SET_MACS)
			ctrl_send_macs(sc);
		if (nc->nc_set & NET_SET_RXMODE)
			ctrl_send_rxmode(sc);
	}
	if (net_has(sc, PV_NET_F_CTRL_VLAN))
		restore_vlans(sc);
	if ((nc->nc_set & NET_SET_OFFLOADS) &&
	    net_has(sc, PV_NET_F_CTRL_GUEST_OFFLOADS))
		ctrl_send_offloads(sc, nc->nc_offloads &
		    pv_virtio_features(sc->sc_dev));
	if ((nc->nc_set & NET_SET_RSS) && (net_has(sc, PV_NET_F_RSS) ||
	    net_has(sc, PV_NET_F_HASH_REPORT)))
		ctrl_send_rss(sc, net_pairs(sc));
	restore_coalescing(sc);
	nc->nc_until_ns = 0;
}
