/* SPDX-License-Identifier: ISC */
/* Commands that show and set interfaces. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/netif.h"
#include "lwip/stats.h"
#include "lwip/tcp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/udp.h"

#include "arena.h"
#include "ifset.h"
#include "ifnet.h"
#include "kmem.h"
#include "netstack.h"
#include "pci.h"
#include "rxpool.h"
#include "shell.h"
#include "tty.h"

static void
show_inet(const struct net_if *ifp)
{
	const struct netif *netif = &ifp->if_netif;

	if (ip4_addr_isany_val(*netif_ip4_addr(netif)))
		return;
	tty_printf("\tinet %s/%u", ip4addr_ntoa(netif_ip4_addr(netif)),
	    net_prefix(netif_ip4_netmask(netif)));
	tty_printf(" gateway %s%s\n", ip4addr_ntoa(netif_ip4_gw(netif)),
	    dhcp_supplied_address(netif) ? " (dhcp)" : "");
}

static void
show_inet6(const struct net_if *ifp)
{
	const struct netif *netif = &ifp->if_netif;
	u8_t state;
	s8_t i;

	for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		state = netif_ip6_addr_state(netif, i);
		if (ip6_addr_isinvalid(state))
			continue;
		tty_printf("\tinet6 %s%s\n",
		    net_ntoa(netif_ip_addr6(netif, i)),
		    ip6_addr_istentative(state) ? " (tentative)" :
		    ip6_addr_isduplicated(state) ? " (duplicated)" :
		    ip6_addr_isdeprecated(state) ? " (deprecated)" : "");
	}
}

static void
show_counters(struct net_if *ifp)
{
	struct pv_net_counters nc;
	const struct if_counters *ic = &ifp->if_counters;

	pv_net_counters(&ifp->if_net, PV_NET_ALL_QUEUES, &nc);
	tty_printf("\trx %llu frames %llu bytes, %llu above mtu, "
	    "%llu errors, %llu dropped, %llu copied\n",
	    (unsigned long long)nc.nc_rx_frames,
	    (unsigned long long)nc.nc_rx_bytes,
	    (unsigned long long)nc.nc_rx_oversize,
	    (unsigned long long)nc.nc_rx_errors,
	    (unsigned long long)ic->ic_rx_dropped,
	    (unsigned long long)ic->ic_rx_copied);
	tty_printf("\ttx %llu frames %llu bytes, %llu above mtu, "
	    "%llu dropped, %llu full, %llu copied\n",
	    (unsigned long long)nc.nc_tx_frames,
	    (unsigned long long)nc.nc_tx_bytes,
	    (unsigned long long)nc.nc_tx_toolong,
	    (unsigned long long)ic->ic_tx_dropped,
	    (unsigned long long)ic->ic_tx_full,
	    (unsigned long long)ic->ic_tx_copied);
	if (ic->ic_resets + ic->ic_queues != 0)
		tty_printf("\t%llu resets, %llu of them as it sent nothing "
		    "more, %llu of a queue alone; %llu frames sent again\n",
		    (unsigned long long)ic->ic_resets,
		    (unsigned long long)ic->ic_hung,
		    (unsigned long long)ic->ic_queues,
		    (unsigned long long)ic->ic_tx_again);
	if (ic->ic_announced != 0)
		tty_printf("\tannounced %llu times at the host's asking\n",
		    (unsigned long long)ic->ic_announced);
}

static void
show_buffers(const struct net_if *ifp)
{
	const struct rxpool *rp;
	unsigned int i, n = 0, posted = 0, remote = 0;

	if (ifp->if_npairs == 0)
		return;
	for (i = 0; i < ifp->if_npairs; i++) {
		rp = ifp->if_pair[i].ip_pool;
		n += rp->rp_nslots;
		posted += rp->rp_posted;
		remote += ifp->if_pair[i].ip_remote != NULL;
	}
	tty_printf("\tbuffers %u of %zu bytes: %u with the device, %u in use\n",
	    n, ifp->if_pair[0].ip_pool->rp_buflen, posted, if_lent(ifp));
	if (ifp->if_npairs > 1)
		tty_printf("\tqueues %u pairs, %u in use, %u on other "
		    "processors\n", ifp->if_npairs, ifp->if_sendpairs,
		    remote);
}

static void
show_media(struct net_if *ifp)
{
	const struct pv_net_info *ni = pv_net_info(&ifp->if_net);

	if (ni->ni_speed != 0)
		tty_printf("\tmedia %u Mbit/s%s\n", ni->ni_speed,
		    ni->ni_duplex == PV_NET_DUPLEX_FULL ? " full-duplex" :
		    ni->ni_duplex == PV_NET_DUPLEX_HALF ? " half-duplex" : "");
}

/* What ifset.c sets, in its words. */
static void
show_settings(struct net_if *ifp)
{
	static const char *const way[] = { "rx", "tx" };
	const uint64_t offloads = pv_net_info(&ifp->if_net)->ni_offloads;
	const bool is_on[] = {
		pv_virtio_has(ifp->if_dev, PV_NET_F_CSUM) &&
		    !ifp->if_notxcsum,
		offloads & PV_F_BIT(PV_NET_F_GUEST_CSUM),
		offloads & PV_NET_LRO,
	};
	static const char *const name[] = { "txcsum", "rxcsum", "lro" };
	unsigned int i, column = 12;
	bool some = false;

	tty_printf("\ton:");
	for (i = 0; i < IFSET_NMODES; i++)
		if (ifp->if_rxmode & 1u << i)
			tty_printf(" %s", ifset_modes[i]);
	for (i = 0; i < sizeof(is_on) / sizeof(is_on[0]); i++)
		if (is_on[i])
			tty_printf(" %s", name[i]);
	tty_printf("\n");
	for (i = 0; i < 4096; i++) {
		if ((ifp->if_vlans[i / 32] & 1u << i % 32) == 0)
			continue;
		if (!some)
			tty_printf("\tvlan");
		tty_item(&column, 12, " %u", i);
		some = true;
	}
	if (some)
		tty_printf("\n");
	if (ifp->if_rss != NULL)
		tty_printf("\trss %s\n", ifp->if_rss);
	for (i = 0; i < 2; i++)
		if (ifp->if_coalesce[i].co_frames != 0)
			tty_printf("\tcoalesce %s %u frames %u us\n", way[i],
			    ifp->if_coalesce[i].co_frames,
			    ifp->if_coalesce[i].co_us);
}

static void
show_if(struct net_if *ifp)
{
	const struct netif *netif = &ifp->if_netif;
	const u8_t *mac = netif->hwaddr;
	unsigned int next = 0, column;
	char word[56];

	tty_printf("%s: %s%s%s mtu %u hardmtu %u\n", ifp->if_name,
	    netif_is_up(netif) ? "up" : "down",
	    ifp->if_running ? " running" : " stopped",
	    netif_is_link_up(netif) ? "" : " (no link)",
	    netif->mtu, pv_net_hardmtu(&ifp->if_net));
	tty_printf("\tether %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1],
	    mac[2], mac[3], mac[4], mac[5]);
	show_media(ifp);
	show_settings(ifp);
	show_inet(ifp);
	show_inet6(ifp);
	show_counters(ifp);
	show_buffers(ifp);
	tty_printf("\tfeatures:");
	for (column = 17; net_feature(ifp, &next, word, sizeof(word));)
		tty_item(&column, 8, " %s", word);
	tty_printf("\n");
}

static struct net_if *
find_if(const char *name)
{
	struct net_if *ifp = net_find(name);

	if (ifp == NULL)
		tty_printf("%s: no such interface\n", name);
	return ifp;
}

static int
ifconfig(int argc, char **argv)
{
	struct net_if *ifp;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		ifset_help();
		return 0;
	}
	if (argc > 1 && argv[1][0] == '-')
		return shell_usage(argv[0]);
	if (argc == 1) {
		for (ifp = net_next(NULL); ifp != NULL; ifp = net_next(ifp))
			show_if(ifp);
		return 0;
	}
	ifp = find_if(argv[1]);
	if (ifp == NULL)
		return ENXIO;
	if (argc == 2) {
		show_if(ifp);
		return 0;
	}
	return ifset(ifp, argv + 2);
}

/* The interface stays meanwhile. */
static int
cmd_ifconfig(int argc, char **argv)
{
	int error = pci_hold();

	if (error)
		return error;
	error = ifconfig(argc, argv);
	pci_drop();
	return error;
}
COMMAND(ifconfig, cmd_ifconfig,
    "ifconfig [--help | IF [SETTING...]]",
    "show or set network interfaces");

/*
 * Frames for tests of the driver: broadcast, of the EtherType that is set aside
 * for experiments, and past the stack, which would refuse or cut what is long.
 */
static int
cmd_sendframe(int argc, char **argv)
{
	static const uint8_t header[14] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0, 0, 0, 0, 0, 0, 0x88, 0xb5 };
	unsigned long long len;
	struct net_if *ifp;
	uint8_t *frame;
	size_t i;
	int error;

	if (argc != 3)
		return shell_usage(argv[0]);
	ifp = find_if(argv[1]);
	if (ifp == NULL)
		return ENXIO;
	if (shell_number("length", argv[2], 1, 65521, &len) != 0)
		return EINVAL;
	frame = kmalloc(sizeof(header) + len);
	if (frame == NULL)
		return ENOMEM;
	memcpy(frame, header, sizeof(header));
	memcpy(frame + 6, ifp->if_netif.hwaddr, 6);
	for (i = 0; i < len; i++)
		frame[sizeof(header) + i] = (uint8_t)i;
	error = if_raw(ifp, frame, sizeof(header) + len);
	kfree(frame);
	if (error == EMSGSIZE)
		tty_printf("%s: %llu bytes: message too long\n", ifp->if_name,
		    len);
	else if (error)
		tty_printf("%s: %llu bytes: %s\n", ifp->if_name, len,
		    strerror(error));
	else
		tty_printf("%s: %llu bytes sent\n", ifp->if_name, len);
	return error;
}
COMMAND(sendframe, cmd_sendframe, "sendframe IF BYTES",
    "give the driver a test frame with BYTES after its header");

#define ADDRESS_LEN	(IPADDR_STRLEN_MAX + 8)

static const char *
address(char *text, const ip_addr_t *addr, u16_t port)
{
	snprintf(text, ADDRESS_LEN, "%s:%u",
	    ip_addr_isany(addr) ? "*" : net_ntoa(addr), port);
	return text;
}

/*
 * The n-th of a list. A line may wait for a slow console, while connections
 * come and go: each is written at once, and counted from the front anew.
 */
#define NTH(list, n) ({							\
	__typeof__(*(list)) *pcb_ = (list);				\
	unsigned int left_ = (n);					\
									\
	while (pcb_ != NULL && left_-- > 0)				\
		pcb_ = pcb_->next;					\
	pcb_;								\
})

static void
show_tcp(struct tcp_pcb *const *list)
{
	char local[ADDRESS_LEN], remote[ADDRESS_LEN];
	const struct tcp_pcb *pcb;
	unsigned int n;

	for (n = 0; (pcb = NTH(*list, n)) != NULL; n++)
		tty_printf("tcp  %-28s %-28s %s, mss %u\n",
		    address(local, &pcb->local_ip, pcb->local_port),
		    address(remote, &pcb->remote_ip, pcb->remote_port),
		    tcp_debug_state_str(pcb->state), pcb->mss);
}

static int
cmd_sockets(int argc, char **argv)
{
	const struct tcp_pcb_listen *lpcb;
	const struct arena_counters *ac = arena_counters();
	const struct udp_pcb *upcb;
	char local[ADDRESS_LEN];
	unsigned int n;

	(void)argv;
	if (argc != 1)
		return shell_usage(argv[0]);
	for (n = 0; (lpcb = NTH(tcp_listen_pcbs.listen_pcbs, n)) != NULL; n++)
		tty_printf("tcp  %-28s %-28s LISTEN\n",
		    address(local, &lpcb->local_ip, lpcb->local_port), "");
	show_tcp(&tcp_active_pcbs);
	show_tcp(&tcp_tw_pcbs);
	for (n = 0; (upcb = NTH(udp_pcbs, n)) != NULL; n++)
		tty_printf("udp  %s\n",
		    address(local, &upcb->local_ip, upcb->local_port));
	tty_printf("memory %zu bytes: %zu used, %zu at most, "
	    "%llu requests failed\n", ac->ac_size, ac->ac_used, ac->ac_peak,
	    (unsigned long long)ac->ac_failed);
	return 0;
}
COMMAND(sockets, cmd_sockets, "sockets",
    "list TCP connections, UDP ports and the network's memory");
