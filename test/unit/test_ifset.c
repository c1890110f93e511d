/* SPDX-License-Identifier: ISC */
/* UNIT: guest/net/ifset.c test/unit/kern_fake.c */
/* UNIT-CFLAGS: -Iguest/net -isystem $(SRC)/lwip/src/include */
/*
 * What `ifconfig` sets where QEMU has no such device: the driver notes what it
 * is asked. The rest is tried in test/guest/netdev.t.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kmem.h"
#include "announce.h"
#include "ifnet.h"
#include "ifset.h"
#include "ktime.h"
#include "netstack.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"
#include "lwip/dhcp.h"

static struct {
	struct pv_net_info info;
	unsigned int ncoals, refuse_at;
	struct {
		unsigned int vq, frames, us;
	} coals[8];
	unsigned int mode;
	unsigned int claims;
} dev;

static struct pv_virtio virtio;
static struct net_if ifs;
static char said[1024];

/* The driver, as far as a case asks it. */

const struct pv_net_info *
pv_net_info(const struct pv_net *sc)
{
	(void)sc;
	return &dev.info;
}

int
pv_net_set_coalescing(struct pv_net *sc, unsigned int vq,
    const struct pv_net_coalescing *co)
{
	const bool all = vq == PV_NET_ALL_RXQ || vq == PV_NET_ALL_TXQ;

	(void)sc;
	if (!pv_virtio_has(&virtio, all ? PV_NET_F_NOTF_COAL :
	    PV_NET_F_VQ_NOTF_COAL))
		return ENOTSUP;
	if (dev.refuse_at != 0 && dev.ncoals + 1 == dev.refuse_at)
		return EIO;
	dev.coals[dev.ncoals].vq = vq;
	dev.coals[dev.ncoals].frames = co->co_frames;
	dev.coals[dev.ncoals++].us = co->co_us;
	return 0;
}

int
pv_net_set_rxmode(struct pv_net *sc, unsigned int mode)
{
	(void)sc;
	dev.mode = mode;
	return 0;
}

bool
if_claim(struct net_if *ifp)
{
	(void)ifp;
	dev.claims++;
	return true;
}

void
if_unclaim(struct net_if *ifp)
{
	(void)ifp;
	dev.claims--;
}

void
tty_printf(const char *fmt, ...)
{
	size_t at = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + at, sizeof(said) - at, fmt, ap);
	va_end(ap);
}

int
shell_number(const char *what, const char *text, unsigned long long min,
    unsigned long long max, unsigned long long *value)
{
	(void)what;
	*value = strtoull(text, NULL, 0);
	return *value < min || *value > max ? EINVAL : 0;
}

/* What no case comes to. */
#define NEVER(type, name, ...)						\
type name(__VA_ARGS__);							\
type									\
name(__VA_ARGS__)							\
{									\
	fail_msg("%s", __func__);					\
	return (type)0;							\
}

#pragma GCC diagnostic ignored "-Wunused-parameter"
NEVER(int, if_renegotiate, struct net_if *ifp, uint64_t deny, uint64_t want)
NEVER(void, if_checksums, struct net_if *ifp)
NEVER(void, if_flush, struct net_if *ifp)
NEVER(void, net_kick, void)
NEVER(int, net_parse, const char *text, struct net_static *ns)
NEVER(int, net_set_mtu, struct net_if *ifp, unsigned int mtu)
NEVER(void, net_set_static, struct net_if *ifp, const struct net_static *ns)
NEVER(int, net_start_dhcp, struct net_if *ifp)
NEVER(void, net_tell, struct netif *netif)
NEVER(void, dhcp_release_and_stop, struct netif *netif)
NEVER(void, netif_set_up, struct netif *netif)
NEVER(void, netif_set_down, struct netif *netif)
NEVER(void, pv_net_counters, const struct pv_net *sc, unsigned int queue,
    struct pv_net_counters *nc)
NEVER(int, pv_net_ring_counters, const struct pv_net *sc, unsigned int vq,
    struct pv_virtq_counters *qc)
NEVER(int, pv_net_stats, struct pv_net *sc, unsigned int vq,
    struct pv_net_stat *st, unsigned int *n)
NEVER(int, pv_net_set_mac, struct pv_net *sc, const uint8_t *mac)
NEVER(int, pv_net_set_vlan, struct pv_net *sc, unsigned int id, int on)
NEVER(int, pv_net_set_pairs, struct pv_net *sc, unsigned int n)
NEVER(int, pv_net_set_offloads, struct pv_net *sc, uint64_t on)
NEVER(int, pv_net_set_rss, struct pv_net *sc, const struct pv_net_rss *rss)
NEVER(unsigned int, pv_net_hardmtu, const struct pv_net *sc)
NEVER(uint64_t, pv_virtio_features, const struct pv_virtio *d)
NEVER(const char *, pv_virtio_feature_name, const struct pv_virtio *d,
    unsigned int bit)
NEVER(const char *, pv_feature_why_name, enum pv_feature_why why)
NEVER(const struct pv_negotiation *, pv_virtio_negotiation,
    const struct pv_virtio *d)
NEVER(void, thread_sleep, uint64_t ns)
NEVER(void, tty_item, unsigned int *column, unsigned int indent,
    const char *fmt, ...)
NEVER(uint64_t, uptime_ns, void)

static int
setup(void **state)
{
	(void)state;
	memset(&dev, 0, sizeof(dev));
	memset(&ifs, 0, sizeof(ifs));
	memset(&virtio, 0, sizeof(virtio));
	memset(said, 0, sizeof(said));
	dev.info.ni_pairs = 3;
	ifs.if_name = "net0";
	ifs.if_dev = &virtio;
	return 0;
}

static int
set_words(uint64_t features, char **words)
{
	int error;

	virtio.vd_features = features;
	error = ifset(&ifs, words);
	assert_int_equal(dev.claims, 0);
	return error;
}

static void
delays_are_those_of_all_queues_at_once(void **state)
{
	char *words[] = { "coalesce", "tx", "8", "50", NULL };

	(void)state;
	assert_int_equal(set_words(PV_F_BIT(PV_NET_F_NOTF_COAL) |
	    PV_F_BIT(PV_NET_F_VQ_NOTF_COAL), words), 0);
	assert_int_equal(dev.ncoals, 1);
	assert_int_equal(dev.coals[0].vq, PV_NET_ALL_TXQ);
	assert_int_equal(dev.coals[0].frames, 8);
	assert_int_equal(dev.coals[0].us, 50);
	assert_int_equal(ifs.if_coalesce[1].co_frames, 8);
	assert_int_equal(ifs.if_coalesce[0].co_frames, 0);
}

/* A device that can delay each queue's, but has no word for all. */
static void
delays_are_those_of_each_queue_otherwise(void **state)
{
	char *words[] = { "coalesce", "rx", "4", "20", NULL };
	unsigned int i;

	(void)state;
	assert_int_equal(set_words(PV_F_BIT(PV_NET_F_VQ_NOTF_COAL), words), 0);
	assert_int_equal(dev.ncoals, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(dev.coals[i].vq, PV_NET_RXQ(i));
		assert_int_equal(dev.coals[i].frames, 4);
		assert_int_equal(dev.coals[i].us, 20);
	}
	assert_int_equal(ifs.if_coalesce[0].co_us, 20);
	assert_string_equal(said, "");
}

static void
delays_that_are_refused_are_not_shown(void **state)
{
	char *words[] = { "coalesce", "rx", "4", "20", NULL };

	(void)state;
	assert_int_equal(set_words(0, words), ENOTSUP);
	assert_non_null(strstr(said, "does not offer it"));
	dev.refuse_at = 2;
	assert_int_equal(set_words(PV_F_BIT(PV_NET_F_VQ_NOTF_COAL), words),
	    EIO);
	assert_int_equal(dev.ncoals, 1);
	assert_int_equal(ifs.if_coalesce[0].co_frames, 0);
}

static void
modes_are_words_in_the_order_of_their_bits(void **state)
{
	static const struct {
		const char *word;
		unsigned int bit;
	} modes[IFSET_NMODES] = {
		{ "promisc", PV_NET_MODE_PROMISC },
		{ "allmulti", PV_NET_MODE_ALLMULTI },
		{ "alluni", PV_NET_MODE_ALLUNI },
		{ "nomulti", PV_NET_MODE_NOMULTI },
		{ "nouni", PV_NET_MODE_NOUNI },
		{ "nobcast", PV_NET_MODE_NOBCAST },
	};
	char word[16], *words[] = { word, "on", NULL };
	unsigned int i;

	(void)state;
	for (i = 0; i < IFSET_NMODES; i++) {
		snprintf(word, sizeof(word), "%s", modes[i].word);
		ifs.if_rxmode = 0;
		assert_int_equal(set_words(
		    PV_F_BIT(PV_NET_F_CTRL_RX_EXTRA), words), 0);
		assert_int_equal(dev.mode, modes[i].bit);
		assert_int_equal(set_words(0, words),
		    modes[i].bit <= PV_NET_MODE_ALLMULTI ? 0 : ENOTSUP);
	}
}

#define T(f)	cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(delays_are_those_of_all_queues_at_once),
		T(delays_are_those_of_each_queue_otherwise),
		T(delays_that_are_refused_are_not_shown),
		T(modes_are_words_in_the_order_of_their_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
