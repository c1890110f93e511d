/* SPDX-License-Identifier: ISC */
/*
 * Finding a PCI function's virtio structures. Nothing here is believed: the
 * list may loop or run out of configuration space, the structures may lie
 * anywhere.
 */
#include "../core/mem.h"
#include "pci_var.h"

/* One capability as it reads. */
struct cap {
	unsigned int cp_type;
	unsigned int cp_bar;
	int cp_id;
	unsigned int cp_len;		/* of the capability itself */
	uint64_t cp_off;
	uint64_t cp_length;
	uint32_t cp_multiplier;
};

/* BARs mapped so far; and regions, to be judged when all else is known. */
struct bars {
	struct cap br_regions[PV_PCI_MAXREGIONS];
	unsigned int br_nregions;
	bus_space_tag_t br_iot[PV_PCI_MAXBARS];
	bus_space_handle_t br_ioh[PV_PCI_MAXBARS];
	bus_size_t br_size[PV_PCI_MAXBARS];
};

static const uint8_t transitional_types[] = {
	PV_TYPE_NET, PV_TYPE_BLK, PV_TYPE_BALLOON, PV_TYPE_CONSOLE,
	PV_TYPE_SCSI, PV_TYPE_ENTROPY, 0, 0, 0, PV_TYPE_9P,
};

unsigned int
pv_pci_match(uint32_t id, uint32_t subsystem)
{
	unsigned int device = id >> 16, type;

	if ((id & 0xffff) != PV_PCI_VENDOR || device < PV_PCI_DEVICE_MIN ||
	    device > PV_PCI_DEVICE_MAX)
		return 0;
	if (device >= PV_PCI_DEVICE_MODERN)
		return device - PV_PCI_DEVICE_MODERN;
	type = subsystem >> 16;
	if (type != 0 && type < 64)
		return type;
	device -= PV_PCI_DEVICE_MIN;
	if (device < sizeof(transitional_types))
		return transitional_types[device];
	return 0;
}

static uint32_t
conf_read(const struct pv_pci *pp, unsigned int reg)
{
	return pp->pp_ops->po_conf_read(pp->pp_cookie, reg);
}

static void
complain(const struct pv_pci *pp, const struct cap *cp, const char *what)
{
	pv_kern_log(PV_LOG_WARNING, pp->pp_name,
	    "pci: structure %u ignored: %s (bar %u, 0x%llx + 0x%llx)",
	    cp->cp_type, what, cp->cp_bar, (unsigned long long)cp->cp_off,
	    (unsigned long long)cp->cp_length);
}

static int
map_bar(struct pv_pci *pp, struct bars *br, unsigned int bar)
{
	int error;

	if (pp->pp_mapped & (1u << bar))
		return 0;
	error = pp->pp_ops->po_map_bar(pp->pp_cookie, bar, &br->br_iot[bar],
	    &br->br_ioh[bar], &br->br_size[bar]);
	if (error == 0)
		pp->pp_mapped |= (uint8_t)(1u << bar);
	return error;
}

/* What a structure needs to be: its least length, and its alignment. */
static const struct {
	uint32_t length;
	uint32_t align;
} needs[] = {
	[VIRTIO_CAP_COMMON] = { COMMON_LEN, 4 },
	[VIRTIO_CAP_NOTIFY] = { 2, 2 },
	[VIRTIO_CAP_ISR] = { 1, 1 },
	[VIRTIO_CAP_DEVICE] = { 1, 4 },
};

static const char *
cap_fault(struct pv_pci *pp, struct bars *br, const struct cap *cp)
{
	if (cp->cp_bar >= PV_PCI_MAXBARS)
		return "no such BAR";
	if (cp->cp_length < needs[cp->cp_type].length)
		return "too short";
	if (cp->cp_off % needs[cp->cp_type].align != 0)
		return "unaligned";
	if (cp->cp_type == VIRTIO_CAP_NOTIFY) {
		if (cp->cp_len < VIRTIO_CAP_NOTIFY_LEN)
			return "no room for the multiplier";
		if (cp->cp_multiplier == 1 ||
		    (cp->cp_multiplier & (cp->cp_multiplier - 1)) != 0)
			return "multiplier";
	}
	if (map_bar(pp, br, cp->cp_bar) != 0)
		return "BAR can't be mapped";
	if (cp->cp_off > br->br_size[cp->cp_bar] ||
	    cp->cp_length > br->br_size[cp->cp_bar] - cp->cp_off)
		return "outside the BAR";
	return NULL;
}

static struct pv_window *
window_of(struct pv_pci *pp, unsigned int type)
{
	switch (type) {
	case VIRTIO_CAP_COMMON:
		return &pp->pp_common;
	case VIRTIO_CAP_NOTIFY:
		return &pp->pp_notify;
	case VIRTIO_CAP_ISR:
		return &pp->pp_isr;
	case VIRTIO_CAP_DEVICE:
		return &pp->pp_device;
	default:
		return NULL;	/* others are of no use to us */
	}
}

static void
take_place(struct pv_pci *pp, const struct cap *cp, int id)
{
	struct pv_pci_place *pl = &pp->pp_places[pp->pp_nplaces++];

	pl->pl_off = cp->cp_off;
	pl->pl_len = cp->cp_length;
	pl->pl_bar = (uint8_t)cp->cp_bar;
	pl->pl_id = id;
}

/* The first good structure of a kind is taken. */
static void
take_cap(struct pv_pci *pp, struct bars *br, const struct cap *cp)
{
	struct pv_window *pw = window_of(pp, cp->cp_type);
	const char *fault;

	if (pw->pw_len != 0)
		return;
	fault = cap_fault(pp, br, cp);
	if (fault != NULL) {
		complain(pp, cp, fault);
		return;
	}
	pw->pw_iot = br->br_iot[cp->cp_bar];
	pw->pw_ioh = br->br_ioh[cp->cp_bar];
	pw->pw_off = cp->cp_off;
	pw->pw_len = cp->cp_length;
	if (cp->cp_type == VIRTIO_CAP_NOTIFY)
		pp->pp_notify_multiplier = cp->cp_multiplier;
	take_place(pp, cp, -1);
}

/* Whether something else is there, of the device's or another region. */
static const char *
region_meets(const struct pv_pci *pp, const struct cap *cp)
{
	const struct pv_pci_place *pl = pp->pp_places;
	unsigned int i;

	for (i = 0; i < pp->pp_nplaces; i++, pl++) {
		if (pl->pl_id == cp->cp_id)
			return "its id again";
		if (pl->pl_bar == cp->cp_bar &&
		    pl->pl_off < cp->cp_off + cp->cp_length &&
		    cp->cp_off < pl->pl_off + pl->pl_len)
			return "in the way";
	}
	return NULL;
}

static const char *
region_fault(const struct pv_pci *pp, const struct cap *cp)
{
	uint64_t size;

	if (cp->cp_len < VIRTIO_CAP_64_LEN)
		return "no room for 64 bits";
	if (cp->cp_bar >= PV_PCI_MAXBARS)
		return "no such BAR";
	if (pp->pp_ops->po_bar_size(pp->pp_cookie, cp->cp_bar, &size) != 0)
		return "BAR can't be mapped";
	if (cp->cp_off >= size || cp->cp_length - 1 >= size - cp->cp_off)
		return "empty, or outside the BAR";
	return region_meets(pp, cp);
}

static void
take_regions(struct pv_pci *pp, const struct bars *br)
{
	const struct cap *cp = br->br_regions;
	const char *fault;
	unsigned int i;

	if (pp->pp_ops->po_bar_size == NULL)
		return;
	for (i = 0; i < br->br_nregions; i++, cp++) {
		fault = region_fault(pp, cp);
		if (fault != NULL)
			complain(pp, cp, fault);
		else
			take_place(pp, cp, cp->cp_id);
	}
}

/* As many words as a structure of its type has, and the capability too. */
static void
read_cap(const struct pv_pci *pp, unsigned int reg, uint32_t head,
    struct cap *cp)
{
	uint32_t words[VIRTIO_CAP_64_LEN / 4] = { 0 };
	unsigned int i, len = VIRTIO_CAP_LEN;

	cp->cp_len = (head >> 16) & 0xff;
	cp->cp_type = head >> 24;
	if (cp->cp_type == VIRTIO_CAP_NOTIFY)
		len = VIRTIO_CAP_NOTIFY_LEN;
	else if (cp->cp_type == VIRTIO_CAP_SHM)
		len = VIRTIO_CAP_64_LEN;
	if (len > cp->cp_len)
		len = VIRTIO_CAP_LEN;
	for (i = 1; i < len / 4; i++)
		words[i] = conf_read(pp, reg + 4 * i);
	cp->cp_bar = words[VIRTIO_CAP_BAR / 4] & 0xff;
	cp->cp_id = (int)(words[VIRTIO_CAP_BAR / 4] >> 8 & 0xff);
	cp->cp_off = words[VIRTIO_CAP_OFFSET / 4];
	cp->cp_length = words[VIRTIO_CAP_LENGTH / 4];
	cp->cp_multiplier = words[VIRTIO_CAP_MULTIPLIER / 4];
	if (cp->cp_type != VIRTIO_CAP_SHM)
		return;
	cp->cp_off |= (uint64_t)words[VIRTIO_CAP_OFFSET_HI / 4] << 32;
	cp->cp_length |= (uint64_t)words[VIRTIO_CAP_LENGTH_HI / 4] << 32;
}

/* Others are not even read: behind one of them is a window to registers. */
static void
look_at_cap(struct pv_pci *pp, struct bars *br, unsigned int reg,
    uint32_t head)
{
	struct cap cap;

	if (head >> 24 == VIRTIO_CAP_SHM) {
		if (br->br_nregions < PV_PCI_MAXREGIONS)
			read_cap(pp, reg, head,
			    &br->br_regions[br->br_nregions++]);
	} else if (window_of(pp, head >> 24) != NULL) {
		read_cap(pp, reg, head, &cap);
		take_cap(pp, br, &cap);
	}
}

/*
 * Walk the list. Returns how many capabilities of virtio were seen, good or
 * not; a list longer than what fits is a loop.
 */
static unsigned int
walk_caps(struct pv_pci *pp, struct bars *br)
{
	unsigned int reg, n, seen = 0;
	uint32_t head;

	if ((conf_read(pp, PCI_COMMAND_STATUS) & PCI_STATUS_CAPLIST) == 0)
		return 0;
	reg = conf_read(pp, PCI_CAPPTR) & 0xfc;
	for (n = 0; n < PCI_CAP_MAX && reg >= PCI_CAP_FIRST; n++) {
		head = conf_read(pp, reg);
		if ((head & 0xff) == PCI_CAP_VENDOR &&
		    ((head >> 16) & 0xff) >= VIRTIO_CAP_LEN &&
		    reg + ((head >> 16) & 0xff) <= PCI_CAP_END) {
			seen++;
			look_at_cap(pp, br, reg, head);
		}
		reg = (head >> 8) & 0xfc;
	}
	if (reg >= PCI_CAP_FIRST)
		pv_kern_log(PV_LOG_WARNING, pp->pp_name,
		    "pci: the capability list is a loop");
	take_regions(pp, br);
	return seen;
}

static int
judge(struct pv_pci *pp, unsigned int seen)
{
	if (seen == 0 && pp->pp_id >> 16 < PV_PCI_DEVICE_MODERN) {
		pv_kern_log(PV_LOG_ERROR, pp->pp_name, "pci: %04x:%04x rev %u "
		    "is a legacy-only virtio %s device, which is not driven "
		    "(QEMU: disable-modern=off)", pp->pp_id & 0xffff,
		    pp->pp_id >> 16, pp->pp_revision,
		    pv_virtio_type_name(pp->pp_type) != NULL ?
		    pv_virtio_type_name(pp->pp_type) : "unknown");
		return ENOTSUP;
	}
	if (pp->pp_common.pw_len == 0 || pp->pp_notify.pw_len == 0) {
		pv_kern_log(PV_LOG_ERROR, pp->pp_name,
		    "pci: no usable %s structure among %u capabilities",
		    pp->pp_common.pw_len == 0 ? "common" : "notification",
		    seen);
		return EINVAL;
	}
	return 0;
}

/* How many there are may depend on the features: QEMU's is so. */
int
pci_count_queues(struct pv_pci *pp)
{
	unsigned int n;

	n = window_read_2(&pp->pp_common, COMMON_NUM_QUEUES);
	if (n == 0xffff &&
	    window_read_1(&pp->pp_common, COMMON_DEVICE_STATUS) == 0xff)
		return EIO;
	pp->pp_nqueues = n;
	return 0;
}

static int
read_queues(struct pv_pci *pp)
{
	int error = pci_count_queues(pp);

	if (error)
		return error;
	pp->pp_doorbells = pv_kern_alloc((PV_MAXQUEUES + 1) *
	    sizeof(*pp->pp_doorbells));
	return pp->pp_doorbells == NULL ? ENOMEM : 0;
}

/* All but those to keep, as a mask. */
static void
unmap_bars(struct pv_pci *pp, unsigned int keep)
{
	unsigned int bar;

	for (bar = 0; bar < PV_PCI_MAXBARS; bar++)
		if (pp->pp_mapped & ~keep & (1u << bar))
			pp->pp_ops->po_unmap_bar(pp->pp_cookie, bar);
	pp->pp_mapped &= (uint8_t)keep;
}

/* BARs that no structure of ours lies in need not stay mapped. */
static unsigned int
bars_in_use(const struct pv_pci *pp)
{
	const struct pv_pci_place *pl = pp->pp_places;
	unsigned int i, used = 0;

	for (i = 0; i < pp->pp_nplaces; i++, pl++)
		if (pl->pl_id < 0)
			used |= 1u << pl->pl_bar;
	return used;
}

int
pv_pci_attach(struct pv_pci *pp, const struct pv_pci_ops *ops, void *cookie,
    const char *name)
{
	struct bars bars;
	int error;

	memset(pp, 0, sizeof(*pp));
	memset(&bars, 0, sizeof(bars));
	pp->pp_ops = ops;
	pp->pp_cookie = cookie;
	pp->pp_name = name;
	pp->pp_id = conf_read(pp, PCI_ID);
	if (pp->pp_id == UINT32_MAX)
		return EIO;
	pp->pp_revision = (uint8_t)conf_read(pp, PCI_CLASS_REVISION);
	pp->pp_type = pv_pci_match(pp->pp_id, conf_read(pp, PCI_SUBSYSTEM));
	if (pp->pp_type == 0)
		return ENXIO;
	error = judge(pp, walk_caps(pp, &bars));
	if (error == 0)
		error = read_queues(pp);
	unmap_bars(pp, error ? 0 : bars_in_use(pp));
	return error;
}

void
pv_pci_detach(struct pv_pci *pp)
{
	pci_intr_teardown(pp);
	pv_kern_free(pp->pp_doorbells,
	    (PV_MAXQUEUES + 1) * sizeof(*pp->pp_doorbells));
	pp->pp_doorbells = NULL;
	unmap_bars(pp, 0);
}
