/* SPDX-License-Identifier: ISC */
/*
 * Virtio Over PCI Bus: the operations, through the structures that pci_cap.c
 * found. Every field at its own width, 64-bit ones as two halves.
 */
#include "../core/await.h"
#include "field.h"
#include "pci_var.h"
#include "text.h"

static unsigned int
pci_properties(void *v)
{
	(void)v;
	return 0;
}

static uint8_t
pci_status_read(void *v)
{
	struct pv_pci *pp = v;

	return window_read_1(&pp->pp_common, COMMON_DEVICE_STATUS);
}

static void
pci_status_write(void *v, uint8_t status)
{
	struct pv_pci *pp = v;

	window_write_1(&pp->pp_common, COMMON_DEVICE_STATUS, status);
}

static uint64_t
pci_features_read(void *v)
{
	struct pv_pci *pp = v;
	uint32_t lo, hi;

	window_write_4(&pp->pp_common, COMMON_DEVICE_FEATURE_SELECT, 0);
	lo = window_read_4(&pp->pp_common, COMMON_DEVICE_FEATURE);
	window_write_4(&pp->pp_common, COMMON_DEVICE_FEATURE_SELECT, 1);
	hi = window_read_4(&pp->pp_common, COMMON_DEVICE_FEATURE);
	return (uint64_t)hi << 32 | lo;
}

static void
pci_features_write(void *v, uint64_t features)
{
	struct pv_pci *pp = v;

	pp->pp_notify_wide =
	    (features & PV_F_BIT(PV_F_NOTIFICATION_DATA)) != 0;
	pp->pp_notify_given =
	    (features & PV_F_BIT(PV_F_NOTIF_CONFIG_DATA)) != 0;
	window_write_4(&pp->pp_common, COMMON_DRIVER_FEATURE_SELECT, 0);
	window_write_4(&pp->pp_common, COMMON_DRIVER_FEATURE,
	    (uint32_t)features);
	window_write_4(&pp->pp_common, COMMON_DRIVER_FEATURE_SELECT, 1);
	window_write_4(&pp->pp_common, COMMON_DRIVER_FEATURE,
	    (uint32_t)(features >> 32));
}

/* The fields of these are there only where the structure is long enough. */
static uint64_t
pci_features_carried(void *v)
{
	const struct pv_pci *pp = v;
	uint64_t carried = UINT64_MAX;

	if (pp->pp_common.pw_len < COMMON_QUEUE_NOTIF_CONFIG_DATA + 2)
		carried &= ~PV_F_BIT(PV_F_NOTIF_CONFIG_DATA);
	if (pp->pp_common.pw_len < COMMON_QUEUE_RESET + 2)
		carried &= ~PV_F_BIT(PV_F_RING_RESET);
	return carried;
}

static int
pci_config_read(void *v, unsigned int off, unsigned int width, uint32_t *val)
{
	const struct pv_pci *pp = v;

	return field_read(&pp->pp_device, off, width, val);
}

static int
pci_config_write(void *v, unsigned int off, unsigned int width, uint32_t val)
{
	const struct pv_pci *pp = v;

	return field_write(&pp->pp_device, off, width, val);
}

static uint32_t
pci_config_generation(void *v)
{
	struct pv_pci *pp = v;

	return window_read_1(&pp->pp_common, COMMON_CONFIG_GENERATION);
}

static unsigned int
pci_config_size(void *v)
{
	struct pv_pci *pp = v;

	return (unsigned int)pp->pp_device.pw_len;	/* 32 bits said so */
}

static unsigned int
pci_queue_count(void *v)
{
	struct pv_pci *pp = v;

	if (pci_count_queues(pp) != 0)
		return 0;
	return pp->pp_nqueues;
}

static void
queue_select(struct pv_pci *pp, unsigned int queue)
{
	window_write_2(&pp->pp_common, COMMON_QUEUE_SELECT, (uint16_t)queue);
}

static unsigned int
pci_queue_max(void *v, unsigned int queue)
{
	struct pv_pci *pp = v;

	queue_select(pp, queue);
	return window_read_2(&pp->pp_common, COMMON_QUEUE_SIZE);
}

/* All far queues have one place. */
static struct pv_pci_doorbell *
doorbell_of(const struct pv_pci *pp, unsigned int queue)
{
	return &pp->pp_doorbells[queue < PV_MAXQUEUES ? queue : PV_MAXQUEUES];
}

/*
 * Where this queue's doorbell is (Notification capability: offset +
 * queue_notify_off * notify_off_multiplier).
 */
static int
find_doorbell(struct pv_pci *pp, unsigned int queue)
{
	struct pv_pci_doorbell *pd = doorbell_of(pp, queue);
	uint64_t off;
	unsigned int width = pp->pp_notify_wide ? 4 : 2;

	off = window_read_2(&pp->pp_common, COMMON_QUEUE_NOTIFY_OFF);
	off *= pp->pp_notify_multiplier;
	if (off + width > pp->pp_notify.pw_len ||
	    (pp->pp_notify.pw_off + off) % width != 0) {
		pv_kern_log(PV_LOG_ERROR, pp->pp_name, "pci: doorbell of queue "
		    "%u at 0x%llx is outside its window", queue,
		    (unsigned long long)off);
		return EIO;
	}
	pd->pd_off = pp->pp_notify.pw_off + off;
	pd->pd_data = (uint16_t)queue;
	if (pp->pp_notify_given)
		pd->pd_data = window_read_2(&pp->pp_common,
		    COMMON_QUEUE_NOTIF_CONFIG_DATA);
	return 0;
}

static void
write_address(struct pv_pci *pp, bus_size_t reg, bus_addr_t addr)
{
	window_write_4(&pp->pp_common, reg, (uint32_t)addr);
	window_write_4(&pp->pp_common, reg + 4,
	    (uint32_t)((uint64_t)addr >> 32));
}

static int
pci_queue_enable(void *v, unsigned int queue, const struct pv_queue_place *qp)
{
	struct pv_pci *pp = v;
	int error;

	if (queue >= pp->pp_nqueues)
		return EIO;
	queue_select(pp, queue);
	error = find_doorbell(pp, queue);
	if (error)
		return error;
	window_write_2(&pp->pp_common, COMMON_QUEUE_SIZE,
	    (uint16_t)qp->qp_size);
	if (window_read_2(&pp->pp_common, COMMON_QUEUE_SIZE) != qp->qp_size)
		return EIO;
	write_address(pp, COMMON_QUEUE_DESC, qp->qp_desc);
	write_address(pp, COMMON_QUEUE_DRIVER, qp->qp_driver);
	write_address(pp, COMMON_QUEUE_DEVICE, qp->qp_device);
	window_write_2(&pp->pp_common, COMMON_QUEUE_ENABLE, 1);
	if (window_read_2(&pp->pp_common, COMMON_QUEUE_ENABLE) != 1)
		return EIO;
	return 0;
}

/* queue_reset: both read 0 once the queue is quiet. */
static int
reset_look(void *v)
{
	struct pv_pci *pp = v;
	uint16_t busy = window_read_2(&pp->pp_common, COMMON_QUEUE_RESET);

	if (busy == 0xffff)
		return EIO;
	return busy != 0 || window_read_2(&pp->pp_common,
	    COMMON_QUEUE_ENABLE) != 0 ? EAGAIN : 0;
}

static int
pci_queue_reset(void *v, unsigned int queue)
{
	struct pv_pci *pp = v;
	int error;

	queue_select(pp, queue);
	window_write_2(&pp->pp_common, COMMON_QUEUE_RESET, 1);
	error = virtio_await(reset_look, pp);
	return error ? error : pci_intr_restore(pp, queue);
}

/* The regions stood in configuration space, and were judged there. */
static int
pci_shm(void *v, unsigned int id, struct pv_shm *shm)
{
	const struct pv_pci *pp = v;
	const struct pv_pci_place *pl = pp->pp_places;
	unsigned int i;

	for (i = 0; i < pp->pp_nplaces; i++, pl++) {
		if (pl->pl_id < 0 || (unsigned int)pl->pl_id != id)
			continue;
		shm->sh_bar = pl->pl_bar;
		shm->sh_start = pl->pl_off;
		shm->sh_len = pl->pl_len;
		return 0;
	}
	return ENXIO;
}

/* What the device is to read for the queue's index takes that one's place. */
static void
pci_notify(void *v, unsigned int queue, uint32_t data)
{
	const struct pv_pci *pp = v;
	const struct pv_pci_doorbell *pd = doorbell_of(pp, queue);

	if (pp->pp_notify_wide)
		bus_space_write_4(pp->pp_notify.pw_iot, pp->pp_notify.pw_ioh,
		    pd->pd_off, (data & 0xffff0000u) | pd->pd_data);
	else
		bus_space_write_2(pp->pp_notify.pw_iot, pp->pp_notify.pw_ioh,
		    pd->pd_off, pd->pd_data);
}

static void
pci_describe(void *v, char *buf, size_t len)
{
	const struct pv_pci *pp = v;
	struct text t;

	text_init(&t, buf, len);
	text_str(&t, "pci ");
	text_hex(&t, pp->pp_id & 0xffff, 4);
	text_str(&t, ":");
	text_hex(&t, pp->pp_id >> 16, 4);
	text_str(&t, " rev ");
	text_dec(&t, pp->pp_revision);
}

const struct pv_transport_ops pv_pci_transport = {
	.to_name = "pci",
	.to_properties = pci_properties,
	.to_status_read = pci_status_read,
	.to_status_write = pci_status_write,
	.to_features_read = pci_features_read,
	.to_features_write = pci_features_write,
	.to_features_carried = pci_features_carried,
	.to_config_read = pci_config_read,
	.to_config_write = pci_config_write,
	.to_config_generation = pci_config_generation,
	.to_config_size = pci_config_size,
	.to_queue_count = pci_queue_count,
	.to_queue_max = pci_queue_max,
	.to_queue_enable = pci_queue_enable,
	.to_queue_reset = pci_queue_reset,
	.to_shm = pci_shm,
	.to_notify = pci_notify,
	.to_intr_setup = pci_intr_setup,
	.to_intr_teardown = pci_intr_teardown,
	.to_intr_status = pci_intr_status,
	.to_describe = pci_describe,
};
