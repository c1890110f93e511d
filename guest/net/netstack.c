/* SPDX-License-Identifier: ISC */
/*
 * The stack's thread, and how interfaces get their addresses.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/nd6.h"
#include "lwip/prot/dhcp.h"
#include "lwip/netif.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#include "arena.h"
#include "cmdline.h"
#include "ifnet.h"
#include "init.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "netstack.h"
#include "net_guest.h"
#include "thread.h"
#include "tty.h"
#include "virtio_guest.h"

#define NET_WATCH_MS	200	/* looked at this often without an interrupt, */
#define NET_SOON_MS	20	/* and with frames that are not back */
#define NET_LOOK_NS	(30 * NS_PER_US)	/* before one is asked for */
#define IPV6_MINMTU	1280
#define DHCP_MINMTU	576
#define ARENA_MIN	(1024u * 1024)
#define ARENA_MAX	(8u * 1024 * 1024)

static struct event net_event;
static struct event net_address_event;
static struct net_if *net_list;
static bool net_ready;
static bool net_serving;
static uint64_t net_random_state;

/* What lwIP asks of its port */

u32_t
sys_now(void)
{
	return (u32_t)(uptime_ns() / NS_PER_MS);
}

/* splitmix64; what it starts from is the clock, and the interfaces' addresses. */
u32_t
net_random(void)
{
	uint64_t z = net_random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (u32_t)(z >> 32);
}

/* Add to what random numbers come from. */
static void
net_stir(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len-- > 0)
		net_random_state = (net_random_state ^ *p++) *
		    0x100000001b3u;
	net_random_state ^= time_counter();
}

_Noreturn void
net_assert_failed(int line)
{
	panic("lwIP: assertion at line %d", line);
}

void
net_diag(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
}

/* The thread */

void
net_kick(void)
{
	event_signal(&net_event);
}

/* An MTU that DHCP told: not from within lwIP, it may restart the device. */
static void
net_want(struct net_if *ifp)
{
	unsigned int mtu = ifp->if_wantmtu;

	if (ifp->if_busy)
		return;		/* the next time, then */
	ifp->if_wantmtu = 0;
	if (mtu != 0 && mtu != ifp->if_netif.mtu && net_set_mtu(ifp, mtu) == 0)
		klog_some(&ifp->if_log, LOG_INFO, "%s: mtu %u by DHCP",
		    ifp->if_name, mtu);
}

static bool
net_work(void)
{
	struct net_if *ifp;
	bool busy = false;

	for (ifp = net_list; ifp != NULL; ifp = ifp->if_next) {
		if_service(ifp);
		net_want(ifp);
		busy |= if_poll(ifp);
	}
	netif_poll_all();
	sys_check_timeouts();
	for (ifp = net_list; ifp != NULL; ifp = ifp->if_next)
		if_flush(ifp);
	return busy;
}

static void
net_interrupts(bool on)
{
	struct net_if *ifp;

	for (ifp = net_list; ifp != NULL; ifp = ifp->if_next)
		if (if_intr(ifp, on))
			net_kick();
}

static bool
net_drained(void)
{
	struct net_if *ifp;

	for (ifp = net_list; ifp != NULL; ifp = ifp->if_next)
		if (if_outstanding(ifp) != 0)
			return false;
	return true;
}

/* What waits to be sent is looked after sooner. */
static uint64_t
net_timeout(void)
{
	u32_t ms = sys_timeouts_sleeptime();
	u32_t most = net_drained() ? NET_WATCH_MS : NET_SOON_MS;

	return (ms < most ? ms : most) * NS_PER_MS;
}

static void
net_watch(uint64_t now)
{
	static uint64_t last;
	struct net_if *ifp;

	if (now - last < NET_SOON_MS * NS_PER_MS ||
	    (now - last < NET_WATCH_MS * NS_PER_MS && net_drained()))
		return;
	last = now;
	for (ifp = net_list; ifp != NULL; ifp = ifp->if_next)
		if_watch(ifp);
}

/*
 * To sleep and be interrupted takes longer than many a frame is on its way:
 * where the last few came soon, look for a while.
 */
static bool
net_look(uint64_t *usual_ns)
{
	uint64_t began = uptime_ns(), now = began;
	bool found = false;

	if (*usual_ns > NET_LOOK_NS)
		return false;
	while (!found && now - began < NET_LOOK_NS) {
		thread_yield();
		found = net_work();
		now = uptime_ns();
	}
	if (found)
		*usual_ns = (*usual_ns * 7 + now - began) / 8;
	return found;
}

static void
net_thread(void *arg)
{
	uint64_t usual_ns = NET_LOOK_NS * 2, slept;

	(void)arg;
	for (;;) {
		slept = uptime_ns();
		event_wait(&net_event, net_timeout());
		net_interrupts(false);
		usual_ns = (usual_ns * 7 + uptime_ns() - slept) / 8;
		net_watch(slept);
		do {
			while (net_work())
				thread_yield();
		} while (net_look(&usual_ns));
		net_interrupts(true);
	}
}

void
net_drain(void)
{
	uint64_t end = uptime_ns() + NS_PER_S;

	while (!net_drained() && uptime_ns() < end) {
		net_kick();
		thread_sleep(NS_PER_MS);
	}
}

/* Start */

static size_t
arena_choose(void)
{
	uint64_t size = page_total() * PAGE_SIZE / 16;

	size = cmdline_get_number("netmem", size);
	if (size < ARENA_MIN)
		size = ARENA_MIN;
	if (size > ARENA_MAX)
		size = ARENA_MAX;
	return size & ~(size_t)(ARENA_UNIT - 1);
}

/* The stack before the first interface; 0 or ENOMEM. Any number of times. */
static int
net_prepare(void)
{
	size_t size;
	void *mem = NULL, *map = NULL;

	if (net_ready)
		return 0;
	for (size = arena_choose(); size >= ARENA_MIN / 2; size /= 2) {
		mem = kmalloc(size);
		if (mem != NULL)
			break;
	}
	map = kmalloc(size >> ARENA_MINSHIFT);
	if (mem == NULL || map == NULL) {
		kfree(mem);
		kfree(map);
		return ENOMEM;
	}
	net_stir(NULL, 0);
	arena_init(mem, size, map);
	lwip_init();
	net_ready = true;
	if (thread_create("net", net_thread, NULL) == NULL)
		return ENOMEM;
	return 0;
}

/* Addresses */

static const char *
net_setting(void)
{
	const char *s = cmdline_get("net");

	return s != NULL && *s != '\0' ? s : "dhcp";
}

static bool
net_up_address(const struct net_if *ifp)
{
	const struct netif *netif = &ifp->if_netif;

	return netif_is_up(netif) && netif_is_link_up(netif) &&
	    !ip4_addr_isany_val(*netif_ip4_addr(netif));
}

int
net_up(void)
{
	struct net_if *ifp;

	for (ifp = net_list; ifp != NULL; ifp = ifp->if_next)
		if (net_up_address(ifp))
			return 1;
	return 0;
}

int
net_wait(uint64_t timeout_ns)
{
	uint64_t end = uptime_ns() + timeout_ns;

	while (!net_up()) {
		if (tty_interrupted())
			return EINTR;
		if (uptime_ns() >= end)
			return ETIMEDOUT;
		event_wait(&net_address_event, TTY_SLICE_NS);
	}
	return 0;
}

static void
net_ipv6(struct net_if *ifp)
{
	struct netif *netif = &ifp->if_netif;
	bool on = netif->mtu >= IPV6_MINMTU;
	s8_t i;

	netif_set_ip6_autoconfig_enabled(netif, on);
	if (on && ip6_addr_isinvalid(netif_ip6_addr_state(netif, 0)))
		netif_create_ip6_linklocal_address(netif, 1);
	for (i = 0; !on && i < LWIP_IPV6_NUM_ADDRESSES; i++)
		netif_ip6_addr_set_state(netif, i, IP6_ADDR_INVALID);
}

/* ADDR/LEN[,GATEWAY[,DNS]] */
int
net_parse(const char *text, struct net_static *ns)
{
	char word[3][20] = { "", "", "" };
	ip4_addr_t dns;
	unsigned int n = 0, at = 0;
	unsigned long len;
	char *slash, *end;

	memset(ns, 0, sizeof(*ns));
	for (; *text != '\0'; text++) {
		if (*text == ',') {
			if (++n == 3)
				return EINVAL;
			at = 0;
		} else {
			if (at + 1 == sizeof(word[0]))
				return EINVAL;
			word[n][at++] = *text;
			word[n][at] = '\0';
		}
	}
	slash = strchr(word[0], '/');
	if (slash == NULL)
		return EINVAL;
	*slash++ = '\0';
	len = strtoul(slash, &end, 10);
	if (*slash == '\0' || *end != '\0' || len < 1 || len > 32 ||
	    !ip4addr_aton(word[0], &ns->ns_addr))
		return EINVAL;
	ns->ns_mask.addr = lwip_htonl(0xffffffffu << (32 - len));
	if (word[1][0] != '\0' && !ip4addr_aton(word[1], &ns->ns_gateway))
		return EINVAL;
	if (word[2][0] != '\0') {
		if (!ip4addr_aton(word[2], &dns))
			return EINVAL;
		ip_addr_copy_from_ip4(ns->ns_dns, dns);
		ns->ns_has_dns = true;
	}
	return 0;
}

void
net_set_static(struct net_if *ifp, const struct net_static *ns)
{
	ifp->if_dhcp = false;
	dhcp_release_and_stop(&ifp->if_netif);
	netif_set_addr(&ifp->if_netif, &ns->ns_addr, &ns->ns_mask,
	    &ns->ns_gateway);
	if (ns->ns_has_dns)
		dns_setserver(0, &ns->ns_dns);
}

int
net_start_dhcp(struct net_if *ifp)
{
	if (ifp->if_netif.mtu < DHCP_MINMTU) {
		klog(LOG_WARN, "%s: mtu %u is too small for DHCP: "
		    "set an address by hand", ifp->if_name,
		    ifp->if_netif.mtu);
		return EMSGSIZE;
	}
	ifp->if_dhcp = true;
	return dhcp_start(&ifp->if_netif) == ERR_OK ? 0 : ENOMEM;
}

static void
net_configure(struct net_if *ifp)
{
	const char *setting = net_setting();
	struct net_static ns;

	if (strcmp(setting, "off") == 0)
		return;
	net_ipv6(ifp);
	netif_set_up(&ifp->if_netif);
	if (strcmp(setting, "dhcp") == 0) {
		net_start_dhcp(ifp);
		return;
	}
	if (ifp != net_list)
		return;
	if (net_parse(setting, &ns) == 0)
		net_set_static(ifp, &ns);
	else
		klog(LOG_ERR, "net=%s: not ADDR/LEN[,GATEWAY[,DNS]]",
		    setting);
}

/*
 * A server may tell an MTU. It lowers ours, or raises it again, but never above
 * what the device takes.
 */
void
net_dhcp_option(struct netif *netif, unsigned int msg_type,
    unsigned int option, unsigned int len, struct pbuf *p, unsigned int offset)
{
	struct net_if *ifp = if_of(netif);
	uint8_t value[2];
	unsigned int mtu;

	if (ifp == NULL || msg_type != DHCP_ACK || option != DHCP_OPTION_MTU ||
	    len != sizeof(value) ||
	    pbuf_copy_partial(p, value, sizeof(value), (u16_t)offset) !=
	    sizeof(value))
		return;
	mtu = (unsigned int)value[0] << 8 | value[1];
	if (mtu < DHCP_MINMTU || mtu > pv_net_hardmtu(&ifp->if_net)) {
		klog_some(&ifp->if_log, LOG_WARN,
		    "%s: mtu %u from DHCP ignored", ifp->if_name, mtu);
		return;
	}
	ifp->if_wantmtu = mtu;
	net_kick();
}

/* What it says of itself */

struct text {
	char		*t_buf;
	size_t		t_len;
	size_t		t_at;
};

static void __attribute__((format(printf, 2, 3)))
text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->t_at + 1 >= t->t_len)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->t_buf + t->t_at, t->t_len - t->t_at, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->t_at += (size_t)n;
}

/*
 * Of the features those that a network driver asks for: `devices` has the
 * others, and what belongs to rings and transports.
 */
#define NET_FEATURES	(PV_F_BIT(PV_F_NOTIFY_ON_EMPTY) - 1)

bool
net_feature(const struct net_if *ifp, unsigned int *next, char *buf, size_t len)
{
	const struct pv_virtio *dev = ifp->if_dev;
	const struct pv_negotiation *ng = pv_virtio_negotiation(dev);
	uint64_t asked = (ng->ng_asked | ng->ng_accepted) & NET_FEATURES;
	const char *name;
	unsigned int bit;
	bool refused;

	for (; *next < 2 * 64; (*next)++) {
		bit = *next % 64;
		refused = *next >= 64;
		name = pv_virtio_feature_name(dev, bit);
		if ((asked >> bit & 1) == 0 || name == NULL ||
		    (ng->ng_accepted >> bit & 1) == refused)
			continue;
		if (refused)
			(void)snprintf(buf, len, "-%s(%s)", name,
			    pv_feature_why_name(ng->ng_why[bit]));
		else
			(void)snprintf(buf, len, "+%s", name);
		(*next)++;
		return true;
	}
	return false;
}

const char *
net_ntoa(const ip_addr_t *addr)
{
	static char text[IPADDR_STRLEN_MAX];
	char *p;

	ipaddr_ntoa_r(addr, text, sizeof(text));
	for (p = text; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'F')
			*p = (char)(*p + 'a' - 'A');
	return text;
}

unsigned int
net_prefix(const ip4_addr_t *mask)
{
	u32_t bits = lwip_ntohl(mask->addr);
	unsigned int n = 0;

	while (bits & 0x80000000u) {
		bits <<= 1;
		n++;
	}
	return n;
}

char *
net_describe(struct net_if *ifp, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };
	const struct netif *netif = &ifp->if_netif;

	if (len == 0)
		return buf;
	buf[0] = '\0';
	if (net_up_address(ifp))
		text_add(&t, "%s/%u", ip4addr_ntoa(netif_ip4_addr(netif)),
		    net_prefix(netif_ip4_netmask(netif)));
	else
		text_add(&t, "%s", !ifp->if_running ? "stopped" :
		    netif_is_link_up(netif) ? "no address" : "no link");
	text_add(&t, " mtu %u (hardmtu %u)", netif->mtu,
	    pv_net_hardmtu(&ifp->if_net));
	return buf;
}

/* As many rows as the features take. */
static void
net_announce(struct net_if *ifp)
{
	char line[TTY_WIDTH], word[56];
	struct text t = { line, sizeof(line), 0 };
	unsigned int next = 0;

	text_add(&t, "%s: ", ifp->if_name);
	(void)net_describe(ifp, line + t.t_at, sizeof(line) - t.t_at);
	t.t_at = strlen(line);
	while (net_feature(ifp, &next, word, sizeof(word))) {
		if (t.t_at + 1 + strlen(word) >= sizeof(line)) {
			kprintf("%s\n", line);
			t.t_at = 0;
			text_add(&t, "     ");
		}
		text_add(&t, " %s", word);
	}
	kprintf("%s\n", line);
}

/* lwIP tells of a changed address, flag or link. */
static void
net_status(struct netif *netif)
{
	struct net_if *ifp = if_of(netif);
	u32_t addr = netif_ip4_addr(netif)->addr;

	if (ifp == NULL || !net_up_address(ifp) || addr == ifp->if_announced)
		return;
	ifp->if_announced = addr;
	if (log_may(&ifp->if_log))
		net_announce(ifp);
	event_signal(&net_address_event);
	/* Nobody could ask before; and who waits for an address has it now. */
	if (!net_serving)
		net_services();
	net_serving = true;
}

void
if_link_changed(struct net_if *ifp)
{
	struct netif *netif = &ifp->if_netif;
	bool up = ifp->if_running && pv_net_link(&ifp->if_net) == 1;

	if (up == (netif_is_link_up(netif) != 0))
		return;
	klog_some(&ifp->if_log, LOG_INFO, "%s: link %s, mtu %u", ifp->if_name,
	    up ? "up" : "down", pv_net_mtu(&ifp->if_net));
	if (up)
		netif_set_link_up(netif);
	else {
		netif_set_link_down(netif);
		ifp->if_announced = 0;
	}
}

int
net_set_mtu(struct net_if *ifp, unsigned int mtu)
{
	int error = if_set_mtu(ifp, mtu);

	if (error == 0)
		net_ipv6(ifp);
	return error;
}

/* Interfaces */

struct net_if *
net_next(struct net_if *ifp)
{
	return ifp == NULL ? net_list : ifp->if_next;
}

struct pv_net *
net_driver(struct net_if *ifp)
{
	return &ifp->if_net;
}

struct net_if *
net_find(const char *name)
{
	struct net_if *ifp;

	for (ifp = net_list; ifp != NULL; ifp = ifp->if_next)
		if (strcmp(ifp->if_name, name) == 0)
			return ifp;
	return NULL;
}

static void
net_append(struct net_if *ifp)
{
	struct net_if **pp = &net_list;

	while (*pp != NULL)
		pp = &(*pp)->if_next;
	*pp = ifp;
}

static void
net_remove(struct net_if *ifp)
{
	struct net_if **pp = &net_list;

	while (*pp != NULL && *pp != ifp)
		pp = &(*pp)->if_next;
	if (*pp != NULL)
		*pp = ifp->if_next;
}

int
net_attach(struct pv_virtio *dev, const struct pv_bus_dma_tag *dmat,
    const char *name, struct net_if **ifpp)
{
	struct net_if *ifp;
	int error = net_prepare();

	if (error)
		return error;
	ifp = kzalloc(sizeof(*ifp));
	if (ifp == NULL)
		return ENOMEM;
	ifp->if_dev = dev;
	ifp->if_dmat = dmat;
	ifp->if_name = name;
	error = if_attach(ifp, cmdline_get_number("netdeny", 0));
	if (error) {
		kfree(ifp);
		return error;
	}
	net_stir(pv_net_mac(&ifp->if_net), 6);
	netif_add_noaddr(&ifp->if_netif, ifp, if_init, ethernet_input);
	netif_set_hostname(&ifp->if_netif, "paravane");
	netif_set_status_callback(&ifp->if_netif, net_status);
	netif_set_link_callback(&ifp->if_netif, net_status);
	if (net_list == NULL)
		netif_set_default(&ifp->if_netif);
	net_append(ifp);
	if_link_changed(ifp);
	net_configure(ifp);
	net_kick();
	if (ifpp != NULL)
		*ifpp = ifp;
	return 0;
}

int
net_detach(struct net_if *ifp)
{
	int error;

	while (ifp->if_busy)		/* bounded, as resets are */
		thread_sleep(NS_PER_MS);
	dhcp_release_and_stop(&ifp->if_netif);
	if_flush(ifp);
	dhcp_cleanup(&ifp->if_netif);
	netif_remove(&ifp->if_netif);
	net_remove(ifp);
	if (netif_default == NULL && net_list != NULL)
		netif_set_default(&net_list->if_netif);
	error = if_detach(ifp);
	if (error == 0)
		kfree(ifp);
	return error;
}

static void
net_init(void)
{
	uint8_t seed[16];

	if (net_prepare() != 0) {
		klog(LOG_ERR, "net: no memory");
		return;
	}
	net_stir(seed, virtio_entropy(seed, sizeof(seed)));
}
INIT(INIT_NET, net_init);
