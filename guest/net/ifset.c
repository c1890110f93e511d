/* SPDX-License-Identifier: ISC */
/* What `ifconfig` sets, and the longer things that it shows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktime.h"

#include "lwip/dhcp.h"
#include "lwip/netif.h"

#include "announce.h"
#include "ifnet.h"
#include "ifset.h"
#include "netstack.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"

/* A word for the user in the place of an error's own. */
static int
failed(struct net_if *ifp, const char *what, int error)
{
	if (error == ENOTSUP)
		tty_printf("%s: %s: the device does not offer it\n",
		    ifp->if_name, what);
	else if (error != 0)
		tty_printf("%s: %s: %s\n", ifp->if_name, what,
		    strerror(error));
	return error;
}

static int
on_or_off(const char *what, const char *text, bool *on)
{
	*on = strcmp(text, "on") == 0;
	if (*on || strcmp(text, "off") == 0)
		return 0;
	tty_printf("%s: on or off, not %s\n", what, text);
	return EINVAL;
}

static int
set_mtu(struct net_if *ifp, char **argv)
{
	unsigned int hard = pv_net_hardmtu(&ifp->if_net);
	unsigned long long mtu;
	int error;

	if (shell_number("mtu", argv[1], 0, UINT32_MAX, &mtu) != 0)
		return EINVAL;
	if (mtu > hard) {
		tty_printf("%s: mtu %llu refused: above the hard mtu %u\n",
		    ifp->if_name, mtu, hard);
		return EINVAL;
	}
	if (mtu < PV_NET_MINMTU) {
		tty_printf("%s: mtu %llu refused: below %u\n", ifp->if_name,
		    mtu, PV_NET_MINMTU);
		return EINVAL;
	}
	error = net_set_mtu(ifp, (unsigned int)mtu);
	if (error)
		tty_printf("%s: mtu %llu refused: %s\n", ifp->if_name, mtu,
		    strerror(error));
	return error;
}

static int
set_up(struct net_if *ifp, char **argv)
{
	bool was_up = netif_is_up(&ifp->if_netif);

	(void)argv;
	netif_set_up(&ifp->if_netif);
	return ifp->if_dhcp && !was_up ? net_start_dhcp(ifp) : 0;
}

static int
set_down(struct net_if *ifp, char **argv)
{
	(void)argv;
	dhcp_release_and_stop(&ifp->if_netif);
	netif_set_down(&ifp->if_netif);
	return 0;
}

static int
set_dhcp(struct net_if *ifp, char **argv)
{
	(void)argv;
	netif_set_up(&ifp->if_netif);
	return net_start_dhcp(ifp);
}

/* Six numbers of two hexadecimal digits. */
static int
parse_mac(const char *text, uint8_t *mac)
{
	unsigned int i;
	char *end;

	for (i = 0; i < 6; i++) {
		mac[i] = (uint8_t)strtoul(text, &end, 16);
		if (end == text || end > text + 2 ||
		    *end != (i == 5 ? '\0' : ':'))
			return EINVAL;
		text = end + 1;
	}
	return 0;
}

static int
set_mac(struct net_if *ifp, char **argv)
{
	uint8_t mac[6];
	int error;

	if (parse_mac(argv[1], mac) != 0) {
		tty_printf("mac: %s is not like 02:00:00:00:00:01\n", argv[1]);
		return EINVAL;
	}
	if ((mac[0] & 1) || memcmp(mac, "\0\0\0\0\0", sizeof(mac)) == 0) {
		tty_printf("mac: %s is a group's, or nobody's\n", argv[1]);
		return EINVAL;
	}
	error = pv_net_set_mac(&ifp->if_net, mac);
	if (error == 0) {
		memcpy(ifp->if_netif.hwaddr, mac, sizeof(mac));
		net_tell(&ifp->if_netif);
	}
	return failed(ifp, "mac", error);
}

const char *const ifset_modes[IFSET_NMODES] = {
	"promisc", "allmulti", "alluni", "nomulti", "nouni", "nobcast"
};

static int
set_mode(struct net_if *ifp, char **argv)
{
	unsigned int i, bit;
	bool on;

	if (on_or_off(argv[0], argv[1], &on) != 0)
		return EINVAL;
	for (i = 0; strcmp(ifset_modes[i], argv[0]) != 0; i++)
		continue;
	bit = 1u << i;
	if (on && bit > PV_NET_MODE_ALLMULTI &&
	    !pv_virtio_has(ifp->if_dev, PV_NET_F_CTRL_RX_EXTRA))
		return failed(ifp, argv[0], ENOTSUP);
	ifp->if_rxmode = on ? ifp->if_rxmode | bit : ifp->if_rxmode & ~bit;
	return failed(ifp, argv[0],
	    pv_net_set_rxmode(&ifp->if_net, ifp->if_rxmode));
}

static int
set_vlan(struct net_if *ifp, char **argv)
{
	unsigned long long id;
	uint32_t bit;
	int error;
	bool on;

	if (shell_number("vlan", argv[1], 0, 4095, &id) != 0 ||
	    on_or_off("vlan", argv[2], &on) != 0)
		return EINVAL;
	error = pv_net_set_vlan(&ifp->if_net, (unsigned int)id, on);
	bit = 1u << id % 32;
	if (error == 0)
		ifp->if_vlans[id / 32] = on ? ifp->if_vlans[id / 32] | bit :
		    ifp->if_vlans[id / 32] & ~bit;
	return failed(ifp, "vlan", error);
}

/* What is queued on pairs that go is sent before; for a second at most. */
static void
settle_pairs(struct net_if *ifp, unsigned int from)
{
	uint64_t end = uptime_ns() + NS_PER_S;
	const struct if_pair *ip;

	if_flush(ifp);
	for (ip = ifp->if_pair + from; ip < ifp->if_pair + ifp->if_npairs; ip++)
		while (ip->ip_outstanding + ip->ip_ntx != 0 &&
		    uptime_ns() < end) {
			net_kick();
			thread_sleep(NS_PER_MS);
		}
}

static int
set_pairs(struct net_if *ifp, char **argv)
{
	const struct pv_net_info *ni = pv_net_info(&ifp->if_net);
	const unsigned int before = ni->ni_pairs;
	unsigned long long n;
	int error;

	if (shell_number("pairs", argv[1], 1, ni->ni_maxpairs, &n) != 0)
		return EINVAL;
	if (n < ifp->if_sendpairs)
		ifp->if_sendpairs = (unsigned int)n;
	settle_pairs(ifp, (unsigned int)n);
	error = n == ni->ni_pairs ? 0 :
	    pv_net_set_pairs(&ifp->if_net, (unsigned int)n);
	/* With MQ the device spreads as it likes then. */
	if (error == 0 && n != before &&
	    pv_virtio_has(ifp->if_dev, PV_NET_F_MQ))
		ifp->if_rss = NULL;
	ifp->if_sendpairs = ni->ni_pairs;
	return failed(ifp, "pairs", error);
}

/*
 * Of the device while it runs: what it leaves to us to check, or puts together.
 */
static int
set_rx_offload(struct net_if *ifp, char **argv)
{
	const uint64_t csum = PV_F_BIT(PV_NET_F_GUEST_CSUM);
	uint64_t now = pv_net_info(&ifp->if_net)->ni_offloads, mask, has;
	bool on;

	if (on_or_off(argv[0], argv[1], &on) != 0)
		return EINVAL;
	has = pv_virtio_features(ifp->if_dev) & (PV_NET_LRO | csum);
	mask = has & PV_NET_LRO;
	if (strcmp(argv[0], "rxcsum") == 0)
		mask = on ? has & csum : has;
	if (on && mask == 0)
		return failed(ifp, argv[0], ENOTSUP);
	if (on && ((now | mask) & csum) == 0) {
		tty_printf("%s: %s: needs rxcsum\n", ifp->if_name, argv[0]);
		return EINVAL;
	}
	/* A device without the feature refuses even to leave it off. */
	mask = on ? now | mask : now & ~mask;
	if (mask == now)
		return 0;
	if (!pv_virtio_has(ifp->if_dev, PV_NET_F_CTRL_GUEST_OFFLOADS)) {
		tty_printf("%s: %s: only by `feature' here\n", ifp->if_name,
		    argv[0]);
		return ENOTSUP;
	}
	return failed(ifp, argv[0], pv_net_set_offloads(&ifp->if_net, mask));
}

static int
set_txcsum(struct net_if *ifp, char **argv)
{
	bool on;

	if (on_or_off("txcsum", argv[1], &on) != 0)
		return EINVAL;
	if (on && !pv_virtio_has(ifp->if_dev, PV_NET_F_CSUM))
		return failed(ifp, "txcsum", ENOTSUP);
	ifp->if_notxcsum = !on;
	if_checksums(ifp);
	return 0;
}

/* But joined datagrams are not apart again in lwIP. */
#define CAN_WANT	(PV_NET_OPTIONAL & ~(PV_F_BIT(PV_NET_F_GUEST_USO4) | \
			PV_F_BIT(PV_NET_F_GUEST_USO6)))

static int
set_feature(struct net_if *ifp, char **argv)
{
	const uint64_t deny = ifp->if_deny, want = ifp->if_want;
	unsigned int bit;
	const char *name;
	int error;
	bool on;

	if (on_or_off("feature", argv[2], &on) != 0)
		return EINVAL;
	for (bit = 0; bit < 64; bit++) {
		name = pv_virtio_feature_name(ifp->if_dev, bit);
		if (name != NULL && strcmp(name, argv[1]) == 0)
			break;
	}
	if (bit == 64) {
		tty_printf("feature: none is called %s\n", argv[1]);
		return EINVAL;
	}
	if (on && (pv_virtio_negotiation(ifp->if_dev)->ng_offered &
	    PV_F_BIT(bit)) == 0)
		return failed(ifp, argv[1], ENOTSUP);
	if (on) {
		ifp->if_deny &= ~PV_F_BIT(bit);
		ifp->if_want |= PV_F_BIT(bit) & CAN_WANT;
	} else
		ifp->if_deny |= PV_F_BIT(bit);
	error = if_renegotiate(ifp, deny, want);
	if (error)
		tty_printf("%s: %s %s: the device can't be had so: %s\n",
		    ifp->if_name, argv[1], argv[2], strerror(error));
	else if (on && !pv_virtio_has(ifp->if_dev, bit)) {
		tty_printf("%s: %s: not in use: %s\n", ifp->if_name, argv[1],
		    pv_feature_why_name(pv_virtio_negotiation(
		    ifp->if_dev)->ng_why[bit]));
		error = ENOTSUP;
	}
	return error;
}

/* Which headers to spread received frames by, over the pairs in use. */
static int
set_rss(struct net_if *ifp, char **argv)
{
	static const struct {
		const char	*name;
		uint32_t	types;
	} kinds[] = {
		{ "off", 0 },
		{ "ip", PV_NET_HASH_BIT(PV_NET_HASH_IPV4) |
		    PV_NET_HASH_BIT(PV_NET_HASH_IPV6) },
		{ "tcp", PV_NET_HASH_BIT(PV_NET_HASH_TCPV4) |
		    PV_NET_HASH_BIT(PV_NET_HASH_TCPV6) },
		{ "udp", PV_NET_HASH_BIT(PV_NET_HASH_UDPV4) |
		    PV_NET_HASH_BIT(PV_NET_HASH_UDPV6) },
		{ "all", UINT32_MAX }
	};
	struct pv_net_rss rss = { .nr_types = 0 };
	unsigned int i, n = sizeof(kinds) / sizeof(kinds[0]);
	int error;

	for (i = 0; i < n && strcmp(kinds[i].name, argv[1]) != 0; i++)
		continue;
	if (i == n) {
		tty_printf("rss: off, ip, tcp, udp or all, not %s\n", argv[1]);
		return EINVAL;
	}
	rss.nr_types = kinds[i].types &
	    pv_net_info(&ifp->if_net)->ni_hash_types;
	error = pv_net_set_rss(&ifp->if_net, &rss);
	if (error == 0)
		ifp->if_rss = i == 0 ? NULL : kinds[i].name;
	return failed(ifp, "rss", error);
}

/* Of all queues at once, or where the device has not that, of each. */
static int
coalesce(struct pv_net *net, bool rx, const struct pv_net_coalescing *co)
{
	unsigned int i;
	int error;

	error = pv_net_set_coalescing(net, rx ? PV_NET_ALL_RXQ :
	    PV_NET_ALL_TXQ, co);
	if (error != ENOTSUP)
		return error;
	error = 0;
	for (i = 0; i < pv_net_info(net)->ni_pairs && error == 0; i++)
		error = pv_net_set_coalescing(net, rx ? PV_NET_RXQ(i) :
		    PV_NET_TXQ(i), co);
	return error;
}

static int
set_coalesce(struct net_if *ifp, char **argv)
{
	struct pv_net_coalescing co;
	unsigned long long frames, us;
	bool rx = strcmp(argv[1], "rx") == 0;
	int error;

	if (!rx && strcmp(argv[1], "tx") != 0) {
		tty_printf("coalesce: rx or tx, not %s\n", argv[1]);
		return EINVAL;
	}
	if (shell_number("frames", argv[2], 0, UINT32_MAX, &frames) != 0 ||
	    shell_number("microseconds", argv[3], 0, UINT32_MAX, &us) != 0)
		return EINVAL;
	co.co_frames = (uint32_t)frames;
	co.co_us = (uint32_t)us;
	error = coalesce(&ifp->if_net, rx, &co);
	if (error == 0)
		ifp->if_coalesce[rx ? 0 : 1] = co;
	return failed(ifp, "coalesce", error);
}

static void
show_ring(struct net_if *ifp, const char *name, unsigned int vq)
{
	struct pv_virtq_counters qc;
	struct pv_net_stat stat[PV_NET_MAXSTATS];
	unsigned int i, n = 0, column = 16;

	if (pv_net_ring_counters(&ifp->if_net, vq, &qc) != 0)
		return;
	tty_printf("\t  %s: %lu queued, %lu used, %lu doorbells, "
	    "%lu interrupts, %lu full\n", name, qc.qc_enqueued, qc.qc_used,
	    qc.qc_doorbells, qc.qc_interrupts, qc.qc_full);
	if (pv_net_stats(&ifp->if_net, vq, stat, &n) != 0 || n == 0)
		return;
	tty_printf("\t    device:");
	for (i = 0; i < n; i++)
		tty_item(&column, 16, " %s %llu", stat[i].st_name,
		    (unsigned long long)stat[i].st_value);
	tty_printf("\n");
}

static int
show_stats(struct net_if *ifp, char **argv)
{
	struct pv_net_counters nc;
	unsigned int i;

	(void)argv;
	for (i = 0; i < ifp->if_npairs; i++) {
		pv_net_counters(&ifp->if_net, i, &nc);
		tty_printf("\tpair %u: rx %lu frames %lu bytes (%lu "
		    "coalesced), tx %lu frames %lu bytes%s\n", i,
		    nc.nc_rx_frames, nc.nc_rx_bytes, nc.nc_rx_gso,
		    nc.nc_tx_frames, nc.nc_tx_bytes,
		    ifp->if_pair[i].ip_remote != NULL ?
		    ", on a processor of its own" : "");
		show_ring(ifp, "rx", PV_NET_RXQ(i));
		show_ring(ifp, "tx", PV_NET_TXQ(i));
	}
	show_ring(ifp, "control", PV_NET_CTRLQ);
	return 0;
}

static const struct setting {
	const char	*se_name;
	int		(*se_fn)(struct net_if *, char **argv);
	bool		se_alone;	/* it commands the device */
	unsigned int	se_args;
	const char	*se_help;
} settings[] = {
	{ "up", set_up, false, 0, "up, down\tuse it, or not" },
	{ "down", set_down, false, 0, NULL },
	{ "dhcp", set_dhcp, false, 0, "dhcp\t\task for an address" },
	{ "mtu", set_mtu, false, 1, "mtu N\t\t68 to what the device takes" },
	{ "mac", set_mac, true, 1, "mac ADDRESS\tits own, such as "
	    "02:00:00:00:00:01" },
	{ "promisc", set_mode, true, 1, "promisc on|off\t"
	    "receive all frames" },
	{ "allmulti", set_mode, true, 1, "allmulti on|off\t"
	    "receive all to groups" },
	{ "alluni", set_mode, true, 1, "alluni on|off\t"
	    "receive all to single addresses" },
	{ "nomulti", set_mode, true, 1, "nomulti, nouni, nobcast on|off\n\t\t\t"
	    "none to groups, to single addresses, to all" },
	{ "nouni", set_mode, true, 1, NULL },
	{ "nobcast", set_mode, true, 1, NULL },
	{ "vlan", set_vlan, true, 2, "vlan ID on|off\t"
	    "receive those of this VLAN" },
	{ "txcsum", set_txcsum, false, 1, "txcsum on|off\tthe device completes "
	    "TCP's checksums" },
	{ "rxcsum", set_rx_offload, true, 1, "rxcsum on|off\tit checks those of "
	    "TCP and UDP" },
	{ "lro", set_rx_offload, true, 1, "lro on|off\t"
	    "it joins TCP's segments" },
	{ "pairs", set_pairs, true, 1, "pairs N\t\tof queues to use" },
	{ "rss", set_rss, true, 1, "rss off|ip|tcp|udp|all\n\t\t\t"
	    "by what to spread frames over them" },
	{ "coalesce", set_coalesce, true, 3, "coalesce rx|tx FRAMES US\n\t\t\t"
	    "interrupt after so many, or so long" },
	{ "feature", set_feature, false, 2, "feature NAME on|off\n\t\t\tnegotiate "
	    "anew, with it or without" },
	{ "stats", show_stats, true, 0, "stats\t\tshow counters by queue, and the "
	    "device's" },
};

void
ifset_help(void)
{
	unsigned int i;

	shell_usage("ifconfig");
	tty_printf("settings, one or more:\n"
	    "\tADDR/LEN[,GATEWAY[,DNS]]\n\t\t\tan address of its own\n");
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (settings[i].se_help != NULL)
			tty_printf("\t%s\n", settings[i].se_help);
}

static int
set_address(struct net_if *ifp, const char *text)
{
	struct net_static ns;

	if (net_parse(text, &ns) != 0) {
		tty_printf("%s: neither a setting nor an address; see "
		    "`ifconfig --help'\n", text);
		return EINVAL;
	}
	netif_set_up(&ifp->if_netif);
	net_set_static(ifp, &ns);
	return 0;
}

static int
set(struct net_if *ifp, const struct setting *se, char **argv)
{
	int error;

	if (!se->se_alone)
		return se->se_fn(ifp, argv);
	if (!if_claim(ifp))
		return failed(ifp, se->se_name, EBUSY);
	error = se->se_fn(ifp, argv);
	if_unclaim(ifp);
	return error;
}

int
ifset(struct net_if *ifp, char **argv)
{
	const struct setting *se, *end = settings +
	    sizeof(settings) / sizeof(settings[0]);
	unsigned int i;
	int error = 0;

	for (; *argv != NULL && error == 0; argv++) {
		for (se = settings; se < end; se++)
			if (strcmp(se->se_name, *argv) == 0)
				break;
		if (se == end) {
			error = set_address(ifp, *argv);
			continue;
		}
		for (i = 1; i <= se->se_args; i++) {
			if (argv[i] == NULL) {
				tty_printf("%s: a word is missing; see "
				    "`ifconfig --help'\n", *argv);
				return EINVAL;
			}
		}
		error = set(ifp, se, argv);
		argv += se->se_args;
	}
	return error;
}
