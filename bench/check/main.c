/* SPDX-License-Identifier: ISC */
/*
 * bench - every driver against every device model
 *
 * Plays each driver's scene over each transport, against each profile, with
 * subsets of the features offered, over several kinds of bus, and once for each
 * moment at which the device can be taken away. A line for each class of runs;
 * the last line is `N passed, N failed`.
 */
#include <getopt.h>
#include <time.h>

#include "scene.h"

#define N(n)	PV_F_BIT(PV_NET_F_##n)
#define B(n)	PV_F_BIT(PV_BLK_F_##n)
#define G(n)	PV_F_BIT(PV_GPU_F_##n)
#define C(n)	PV_F_BIT(PV_CONSOLE_F_##n)

static const struct {
	const char *name;
	unsigned int type;
	void (*play)(struct scene *);
	uint64_t bits;			/* worth to be left, one at a time */
} drivers[] = {
	{ "net", PV_TYPE_NET, scene_net, N(CSUM) | N(GUEST_CSUM) |
	    N(CTRL_GUEST_OFFLOADS) | N(MTU) | N(MAC) | N(GUEST_TSO4) |
	    N(GUEST_TSO6) | N(GUEST_ECN) | N(GUEST_UFO) | N(HOST_TSO4) |
	    N(HOST_TSO6) | N(HOST_ECN) | N(HOST_UFO) | N(MRG_RXBUF) |
	    N(STATUS) | N(CTRL_VQ) | N(CTRL_RX) | N(CTRL_VLAN) |
	    N(CTRL_RX_EXTRA) | N(GUEST_ANNOUNCE) | N(MQ) | N(CTRL_MAC_ADDR) |
	    N(SPEED_DUPLEX) },
	{ "blk", PV_TYPE_BLK, scene_blk, B(SIZE_MAX) | B(SEG_MAX) | B(GEOMETRY) |
	    B(BLK_SIZE) | B(SCSI) | B(FLUSH) | B(TOPOLOGY) | B(CONFIG_WCE) |
	    B(MQ) | B(DISCARD) | B(WRITE_ZEROES) | B(LIFETIME) |
	    B(SECURE_ERASE) },
	{ "gpu", PV_TYPE_GPU, scene_gpu, G(VIRGL) | G(EDID) | G(RESOURCE_UUID) |
	    G(RESOURCE_BLOB) | G(CONTEXT_INIT) },
	{ "console", PV_TYPE_CONSOLE, scene_console, C(SIZE) | C(MULTIPORT) |
	    C(EMERG_WRITE) },
	{ "entropy", PV_TYPE_ENTROPY, scene_entropy, 0 },
	{ "queue", PV_TYPE_ENTROPY, scene_queue, 0 },
};

static const char *const transports[] = { "pci", "mmio", "legacy" };
static const char *const buses[BUS_N] = {
	"plain", "noncoherent", "refuse", "bounce", "split"
};

#define NDRIVERS	(sizeof(drivers) / sizeof(drivers[0]))
#define RING_BITS	(PV_F_BIT(PV_F_INDIRECT_DESC) | PV_F_BIT(PV_F_EVENT_IDX) | \
			PV_F_BIT(PV_F_ACCESS_PLATFORM) |		\
			PV_F_BIT(PV_F_ORDER_PLATFORM) | PV_F_BIT(PV_F_RING_RESET) | \
			PV_F_BIT(PV_F_IN_ORDER) |			\
			PV_F_BIT(PV_F_NOTIFICATION_DATA) |		\
			PV_F_BIT(PV_F_NOTIF_CONFIG_DATA))

#define PACKED		PV_F_BIT(PV_F_RING_PACKED)

static struct {
	const char *driver, *transport, *profile;
	uint64_t seed, leave;
	unsigned int seeds, bus, remove;
	int one, verbose, list;
} opt = { .seed = 1, .seeds = 2, .bus = BUS_N };

static unsigned int passed, failed;
static struct scene scene;

static double
clock_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static const char *
driver_name(const struct run *rn)
{
	unsigned int i;

	for (i = 0; i < NDRIVERS; i++)
		if (drivers[i].play == rn->rn_play)
			return drivers[i].name;
	return "?";
}

static void
again(const struct run *rn)
{
	printf("    build/bench --driver %s --transport %s --profile %s "
	    "--seed %llu --leave 0x%llx --bus %s",
	    driver_name(rn), transports[rn->rn_kind],
	    rn->rn_profile->pr_name, (unsigned long long)rn->rn_seed,
	    (unsigned long long)rn->rn_leave, buses[rn->rn_bus]);
	if (rn->rn_remove)
		printf(" --remove %u", rn->rn_remove);
	printf("\n");
}

static int
one(const struct run *rn)
{
	if (opt.verbose)
		again(rn);
	if (scene_run(&scene, rn) == 0)
		return 1;
	printf("  %s\n", scene.sc_why);
	again(rn);
	return 0;
}

static void
line(int good, const struct run *rn, const char *what, unsigned int n,
    double began)
{
	printf("%-7s %-8s %-7s %-8s %-9s %5u runs %6.2f s\n",
	    good ? "ok" : "FAILED", driver_name(rn),
	    transports[rn->rn_kind], rn->rn_profile->pr_name, what, n,
	    clock_s() - began);
	fflush(stdout);
	if (good)
		passed++;
	else
		failed++;
}

/* The i-th subset of features to leave; 0 when there are no more. */
static int
subset(const struct run *rn, uint64_t bits, unsigned int i, uint64_t *leave)
{
	uint64_t all = bits | RING_BITS, x = rn->rn_seed + i;
	unsigned int b, n = 0;

	if (i == 0)
		*leave = 0;
	else if (i == 1)
		*leave = all;
	else if (i < 6) {
		x *= 0x9e3779b97f4a7c15ull;
		x ^= x >> 29;
		*leave = x * 0xbf58476d1ce4e5b9ull & all;
	} else {
		for (b = 0; b < 64; b++)
			if ((all & PV_F_BIT(b)) && n++ == i - 6) {
				*leave = PV_F_BIT(b);
				return 1;
			}
		return 0;
	}
	return 1;
}

/* Of the kind of ring that is not left. */
static void
features(struct run *rn, uint64_t bits, const char *what, uint64_t leave,
    unsigned int seeds)
{
	double began = clock_s();
	unsigned int i, n = 0, s;

	for (s = 0; s < seeds; s++) {
		rn->rn_seed = opt.seed + s;
		for (i = 0; subset(rn, bits, i, &rn->rn_leave); i++) {
			rn->rn_leave |= leave;
			rn->rn_bus = (enum scene_bus)((i + s) % BUS_N);
			n++;
			if (!one(rn)) {
				line(0, rn, what, n, began);
				return;
			}
		}
	}
	line(1, rn, what, n, began);
}

/* How often the device is touched with either kind of ring; 0: a failure. */
static unsigned int
length(struct run *rn, uint64_t leave)
{
	rn->rn_leave = leave;
	return one(rn) ? scene.sc_accesses : 0;
}

/* Once, to learn how long it is; then it ends at each of its accesses. */
static void
removal(struct run *rn)
{
	unsigned int total[2], at, step, n = 0;
	double began = clock_s();

	rn->rn_seed = opt.seed;
	rn->rn_bus = BUS_PLAIN;
	total[0] = length(rn, PACKED);
	total[1] = length(rn, 0);
	if (total[0] == 0 || total[1] == 0) {
		line(0, rn, "removal", 1, began);
		return;
	}
	/* Each of those of the start; then with longer steps. */
	for (at = 1; at <= total[at % 2]; at += step) {
		step = at < 150 ? 1 : 1 + (at / 40) / opt.seeds;
		rn->rn_remove = at;
		rn->rn_leave = at % 2 ? 0 : PACKED;
		rn->rn_bus = at % 16 == 3 ? BUS_NONCOHERENT : BUS_PLAIN;
		n++;
		if (!one(rn)) {
			line(0, rn, "removal", n, began);
			rn->rn_remove = 0;
			return;
		}
	}
	rn->rn_remove = 0;
	line(1, rn, "removal", n, began);
}

static int
has_class(unsigned int type, enum stand_kind kind, const struct profile *pr)
{
	if (kind == STAND_PCI ? profile_has(pr, Q_NO_PCI) :
	    profile_has(pr, Q_NO_MMIO))
		return 0;
	if (kind == STAND_LEGACY && !STAND_HAS_LEGACY)
		return 0;
	/* There never was a display before virtio 1.0. */
	return !(kind == STAND_LEGACY && type == PV_TYPE_GPU);
}

static int
chosen(const char *want, const char *name)
{
	return want == NULL || strcmp(want, name) == 0;
}

static void
class(unsigned int d, enum stand_kind kind, const struct profile *pr)
{
	struct run rn = {
		.rn_type = drivers[d].type, .rn_play = drivers[d].play,
		.rn_kind = kind, .rn_profile = pr
	};

	if (opt.list) {
		printf("%-8s %-7s %s\n", drivers[d].name, transports[kind],
		    pr->pr_name);
		return;
	}
	if (opt.one) {
		rn.rn_seed = opt.seed;
		rn.rn_leave = opt.leave;
		rn.rn_bus = opt.bus == BUS_N ? BUS_PLAIN :
		    (enum scene_bus)opt.bus;
		rn.rn_remove = opt.remove;
		line(one(&rn), &rn, "one", 1, clock_s());
		return;
	}
	features(&rn, drivers[d].bits, "split", PACKED, opt.seeds);
	if (profile_has(pr, Q_PACKED) && kind != STAND_LEGACY)
		features(&rn, drivers[d].bits, "packed", 0,
		    (opt.seeds + 1) / 2);
	removal(&rn);
}

static void
usage(FILE *to)
{
	fputs("usage: bench [--driver net|blk|gpu|console|entropy|queue] "
	    "[--transport pci|mmio|legacy]\n"
	    "             [--profile NAME] [--seed N] [--seeds N] [--verbose]\n"
	    "             [--leave MASK] [--bus NAME] [--remove N]\n"
	    "       bench --list | --properties | --help\n\n"
	    "Plays drivers against device models, all of them if none is "
	    "named.\n\n"
	    "--seed N      the first seed (1); --seeds N: how many (2)\n"
	    "--leave MASK  features that the device does not offer\n"
	    "--bus NAME    plain, noncoherent, refuse (and no memory is "
	    "coherent), bounce, split\n"
	    "--remove N    the device is gone at the Nth access to a register\n"
	    "              Any of these three: one run for each combination\n"
	    "--list        the combinations\n"
	    "--properties  what the profiles are, and from where that is "
	    "known\n"
	    "--verbose     each run, and the drivers' messages\n", to);
}

static void
properties(void)
{
	const struct profile *pr;
	unsigned int i, k;

	for (i = 0; (pr = profile_at(i)) != NULL; i++) {
		printf("%s: %s\n", pr->pr_name, pr->pr_text);
		for (k = 0; k < pr->pr_nproperties; k++)
			printf("    %s\n\t(%s)\n",
			    pr->pr_properties[k].pp_text,
			    pr->pr_properties[k].pp_source);
	}
}

static uint64_t
number(const char *what, const char *text, uint64_t least, uint64_t most)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (end != text && *end == '\0' && *text != '-' && errno == 0 &&
	    n >= least && n <= most)
		return n;
	fprintf(stderr, "bench: --%s %s: no number from %llu to %llu\n", what,
	    text, (unsigned long long)least, (unsigned long long)most);
	exit(2);
}

static unsigned int
bus_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < BUS_N; i++)
		if (strcmp(buses[i], name) == 0)
			return i;
	fprintf(stderr, "bench: there is no bus %s; see --help\n", name);
	exit(2);
}

static void
options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "driver", 1, NULL, 'd' }, { "transport", 1, NULL, 't' },
		{ "profile", 1, NULL, 'p' }, { "seed", 1, NULL, 's' },
		{ "seeds", 1, NULL, 'n' }, { "leave", 1, NULL, 'l' },
		{ "bus", 1, NULL, 'b' }, { "remove", 1, NULL, 'r' },
		{ "verbose", 0, NULL, 'v' }, { "list", 0, NULL, 'L' },
		{ "properties", 0, NULL, 'P' }, { "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			opt.driver = optarg;
			break;
		case 't':
			opt.transport = optarg;
			break;
		case 'p':
			opt.profile = optarg;
			break;
		case 's':
			opt.seed = number("seed", optarg, 0, UINT64_MAX);
			break;
		case 'n':
			opt.seeds = (unsigned int)number("seeds", optarg, 1,
			    UINT32_MAX);
			break;
		case 'l':
			opt.leave = number("leave", optarg, 0, UINT64_MAX);
			opt.one = 1;
			break;
		case 'b':
			opt.bus = bus_named(optarg);
			opt.one = 1;
			break;
		case 'r':
			opt.remove = (unsigned int)number("remove", optarg, 0,
			    UINT32_MAX);
			opt.one = 1;
			break;
		case 'v':
			opt.verbose = 1;
			break;
		case 'L':
			opt.list = 1;
			break;
		case 'P':
			properties();
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			fputs("bench: see --help\n", stderr);
			exit(2);
		}
	}
	if (optind != argc) {
		fprintf(stderr, "bench: what is %s? see --help\n",
		    argv[optind]);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	const struct profile *pr;
	unsigned int d, p, n = 0;
	enum stand_kind kind;

	options(argc, argv);
	for (d = 0; d < NDRIVERS; d++)
		for (kind = STAND_PCI; kind <= STAND_LEGACY; kind++)
			for (p = 0; (pr = profile_at(p)) != NULL; p++)
				if (chosen(opt.driver, drivers[d].name) &&
				    chosen(opt.transport, transports[kind]) &&
				    chosen(opt.profile, pr->pr_name) &&
				    has_class(drivers[d].type, kind, pr)) {
					class(d, kind, pr);
					n++;
				}
	if (n == 0) {
		fprintf(stderr, "bench: no such combination; see --list\n");
		return 2;
	}
	if (!opt.list)
		printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
