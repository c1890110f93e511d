/* SPDX-License-Identifier: ISC */
/*
 * The life of a device (General Initialization And Device Operation), its
 * interrupts, and the latch.
 */
#include "await.h"
#include "mem.h"
#include "virtio_var.h"
#include "virtq_var.h"

#define RESET_TIMEOUT_NS	1000000000ull
#define RESET_SPINS		100u	/* looks before we let others run */
#define RESET_MAXLOOKS		20000u	/* should the clock stand still */
#define RESET_PAUSE_US		100u

/* Messages that a device may provoke: so many at once, then one a second. */
#define LOG_BURST		16u
#define LOG_INTERVAL_NS		1000000000ull

static uint8_t
status_read(struct pv_virtio *dev)
{
	return dev->vd_ops->to_status_read(dev->vd_transport);
}

void
virtio_status_add(struct pv_virtio *dev, uint8_t bits)
{
	dev->vd_ops->to_status_write(dev->vd_transport,
	    status_read(dev) | bits);
}

bool
virtio_may_log(struct pv_virtio *dev)
{
	uint64_t now = pv_kern_uptime_ns();

	if (now - dev->vd_logged_ns >= LOG_INTERVAL_NS) {
		dev->vd_logged_ns = now;
		if (dev->vd_nlogged > 0)
			dev->vd_nlogged--;
	}
	if (dev->vd_nlogged >= LOG_BURST)
		return false;
	dev->vd_nlogged++;
	return true;
}

int
virtio_await(int (*look)(void *), void *arg)
{
	uint64_t start = pv_kern_uptime_ns();
	unsigned int looks;
	int error;

	for (looks = 0; looks < RESET_MAXLOOKS; looks++) {
		error = look(arg);
		if (error != EAGAIN)
			return error;
		if (pv_kern_uptime_ns() - start >= RESET_TIMEOUT_NS)
			break;
		if (looks < RESET_SPINS)
			pv_kern_delay_us(1);
		else
			pv_kern_pause_us(RESET_PAUSE_US);
	}
	return ETIMEDOUT;
}

/*
 * Reset is asynchronous (Device Reset): the device is quiet once the status
 * reads 0, and not before.
 */
static int
reset_look(void *arg)
{
	uint8_t status = status_read(arg);

	if (status == 0)
		return 0;
	return status == STATUS_GONE ? EIO : EAGAIN;
}

int
virtio_reset(struct pv_virtio *dev)
{
	int error;

	__atomic_store_n(&dev->vd_started, 0, __ATOMIC_RELEASE);
	dev->vd_nresets++;
	dev->vd_ops->to_status_write(dev->vd_transport, 0);
	error = virtio_await(reset_look, dev);
	dev->vd_lost = error != 0;
	if (error) {
		virtio_log(dev, PV_LOG_ERROR, "%s", error == EIO ?
		    "the device is gone" : "reset not confirmed");
		return error;
	}
	dev->vd_why = NULL;
	__atomic_store_n(&dev->vd_broken, 0, __ATOMIC_RELEASE);
	return 0;
}

int
pv_virtio_init(struct pv_virtio *dev, const struct pv_transport_ops *ops,
    void *transport, unsigned int type, bus_dma_tag_t dmat, const char *name,
    const struct pv_virtio_callbacks *cb, void *arg)
{
	memset(dev, 0, sizeof(*dev));
	dev->vd_ops = ops;
	dev->vd_transport = transport;
	dev->vd_type = type;
	dev->vd_dmat = dmat;
	dev->vd_name = name;
	pv_virtio_set_callbacks(dev, cb, arg);
	return virtio_reset(dev);
}

void
pv_virtio_set_callbacks(struct pv_virtio *dev,
    const struct pv_virtio_callbacks *cb, void *arg)
{
	memset(&dev->vd_cb, 0, sizeof(dev->vd_cb));
	if (cb != NULL)
		dev->vd_cb = *cb;
	dev->vd_cb_arg = arg;
}

int
virtio_enable_queue(struct pv_virtq *vq)
{
	struct pv_virtio *dev = vq->vq_dev;
	struct pv_queue_place place;
	int error;

	virtq_place(vq, &place);
	error = dev->vd_ops->to_queue_enable(dev->vd_transport, vq->vq_index,
	    &place);
	if (error)
		virtio_log(dev, PV_LOG_ERROR,
		    "queue %u can't be enabled: error %d", vq->vq_index, error);
	return error;
}

static int
start_queues(struct pv_virtio *dev)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < dev->vd_nqueues && error == 0; i++)
		if (dev->vd_queues[i] != NULL)
			error = virtio_enable_queue(dev->vd_queues[i]);
	return error;
}

/* A legacy device may keep a queue's place over a reset. */
static void
stop_queues(struct pv_virtio *dev)
{
	unsigned int i;

	if (dev->vd_ops->to_queue_stop == NULL || !virtio_is_legacy(dev))
		return;
	for (i = 0; i < dev->vd_nqueues; i++)
		if (dev->vd_queues[i] != NULL)
			dev->vd_ops->to_queue_stop(dev->vd_transport,
			    dev->vd_queues[i]->vq_index);
}

static void
intr_teardown(struct pv_virtio *dev)
{
	if (dev->vd_intr_mode == PV_INTR_MODE_NONE)
		return;
	dev->vd_ops->to_intr_teardown(dev->vd_transport);
	dev->vd_intr_mode = PV_INTR_MODE_NONE;
}

/*
 * The driver's callbacks may come from DRIVER_OK on; so vd_started is set right
 * before it.
 */
static int
start_driver_ok(struct pv_virtio *dev)
{
	unsigned int i;
	uint8_t status;

	__atomic_store_n(&dev->vd_started, 1, __ATOMIC_RELEASE);
	virtio_status_add(dev, PV_STATUS_DRIVER_OK);
	status = status_read(dev);
	/* One that is gone seems to need a reset too. */
	if ((status & PV_STATUS_NEEDS_RESET) ||
	    !(status & PV_STATUS_DRIVER_OK)) {
		virtio_log(dev, PV_LOG_ERROR,
		    "DRIVER_OK not taken: status 0x%x", status);
		return EIO;
	}
	for (i = 0; i < dev->vd_nqueues; i++)
		if (dev->vd_queues[i] != NULL)
			virtq_notify_again(dev->vd_queues[i]);
	return 0;
}

/* A far queue has no vector, and the others need none on its account. */
static unsigned int
vectored_queues(const struct pv_virtio *dev)
{
	unsigned int n = dev->vd_nqueues;

	while (n > 0 && (n > PV_MAXQUEUES || dev->vd_queues[n - 1] == NULL))
		n--;
	return n;
}

int
pv_virtio_start(struct pv_virtio *dev)
{
	int error;

	if (virtio_is_broken(dev))
		return EIO;
	if (virtio_is_started(dev))
		return EINVAL;
	dev->vd_intr_mode = dev->vd_ops->to_intr_setup(dev->vd_transport, dev,
	    vectored_queues(dev));
	error = start_queues(dev);
	if (error == 0)
		error = start_driver_ok(dev);
	if (error)
		pv_virtio_stop(dev);
	return error;
}

int
pv_virtio_stop(struct pv_virtio *dev)
{
	int error;

	__atomic_store_n(&dev->vd_started, 0, __ATOMIC_RELEASE);
	stop_queues(dev);
	error = virtio_reset(dev);
	intr_teardown(dev);
	return error ? ETIMEDOUT : 0;
}

void
pv_virtio_fail(struct pv_virtio *dev)
{
	if (dev->vd_intr_mode != PV_INTR_MODE_NONE)
		pv_virtio_stop(dev);
	virtio_status_add(dev, PV_STATUS_FAILED);
}

int
pv_virtio_break(struct pv_virtio *dev, const char *why)
{
	if (__atomic_exchange_n(&dev->vd_broken, 1, __ATOMIC_ACQ_REL) != 0)
		return EIO;
	__atomic_store_n(&dev->vd_why, why, __ATOMIC_RELEASE);
	virtio_log(dev, PV_LOG_ERROR, "broken: %s", why);
	if (dev->vd_cb.vc_broken != NULL)
		dev->vd_cb.vc_broken(dev->vd_cb_arg, why);
	return EIO;
}

const char *
pv_virtio_broken(const struct pv_virtio *dev)
{
	const char *why;

	if (!virtio_is_broken(dev))
		return NULL;
	why = __atomic_load_n(&dev->vd_why, __ATOMIC_ACQUIRE);
	return why != NULL ? why : "broken";
}

/* Status first: a device in need of a reset has no configuration to look at. */
static int
status_check(struct pv_virtio *dev)
{
	uint8_t status = status_read(dev);

	if (status == STATUS_GONE)
		return pv_virtio_break(dev, "the device is gone");
	if (status & PV_STATUS_NEEDS_RESET)
		return pv_virtio_break(dev, "the device needs a reset");
	return 0;
}

/* Vectors of one device may fire on several CPUs at once. */
static void
count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void
config_changed(struct pv_virtio *dev)
{
	count(&dev->vd_nconfig);
	if (dev->vd_cb.vc_config != NULL)
		dev->vd_cb.vc_config(dev->vd_cb_arg);
}

static void
queue_used(struct pv_virtq *vq)
{
	if (vq == NULL)
		return;
	count(&vq->vq_counters.qc_interrupts);
	if (vq->vq_intr != NULL)
		vq->vq_intr(vq->vq_arg);
}

static bool
intr_is_welcome(struct pv_virtio *dev)
{
	count(&dev->vd_nintr);
	if (virtio_is_started(dev) && !virtio_is_broken(dev))
		return true;
	count(&dev->vd_nspurious);
	return false;
}

/* A region is judged by what every transport says of it. */
int
pv_virtio_shm(struct pv_virtio *dev, unsigned int id, struct pv_shm *shm)
{
	int error = ENOTSUP;

	if (dev->vd_ops->to_shm != NULL)
		error = dev->vd_ops->to_shm(dev->vd_transport, id, shm);
	if (error == 0 && shm->sh_start + shm->sh_len <= shm->sh_start) {
		pv_kern_log(PV_LOG_WARNING, dev->vd_name, "shared memory %u "
		    "ignored: 0x%llx + 0x%llx", id,
		    (unsigned long long)shm->sh_start,
		    (unsigned long long)shm->sh_len);
		error = ENXIO;
	}
	if (error)
		memset(shm, 0, sizeof(*shm));
	return error;
}

int
pv_virtio_intr(struct pv_virtio *dev, unsigned int pending)
{
	unsigned int i;

	if (!intr_is_welcome(dev))
		return 1;
	if (pending & PV_INTR_CONFIG) {
		if (status_check(dev))
			return 1;
		config_changed(dev);
	}
	if (pending & PV_INTR_QUEUE)
		for (i = 0; i < dev->vd_nqueues; i++)
			queue_used(dev->vd_queues[i]);
	return 1;
}

int
pv_virtio_intr_queue(struct pv_virtio *dev, unsigned int queue)
{
	if (!intr_is_welcome(dev))
		return 1;
	if (queue < PV_MAXQUEUES)
		queue_used(dev->vd_queues[queue]);
	return 1;
}

int
pv_virtio_poll(struct pv_virtio *dev)
{
	unsigned int i, pending;
	struct pv_virtq *vq;
	int found = 0;

	if (!virtio_is_started(dev) || virtio_is_broken(dev))
		return 0;
	if (status_check(dev))
		return 1;
	pending = dev->vd_ops->to_intr_status(dev->vd_transport);
	if (pending & PV_INTR_CONFIG) {
		config_changed(dev);
		found = 1;
	}
	for (i = 0; i < dev->vd_nqueues; i++) {
		vq = dev->vd_queues[i];
		if (vq == NULL || !pv_virtq_pending(vq))
			continue;
		if (vq->vq_intr != NULL)
			vq->vq_intr(vq->vq_arg);
		found = 1;
	}
	return found;
}

void
pv_virtio_deny(struct pv_virtio *dev, uint64_t features)
{
	dev->vd_denied = features;
}

unsigned int
pv_virtio_type(const struct pv_virtio *dev)
{
	return dev->vd_type;
}

uint64_t
pv_virtio_features(const struct pv_virtio *dev)
{
	return dev->vd_features;
}

const struct pv_negotiation *
pv_virtio_negotiation(const struct pv_virtio *dev)
{
	return &dev->vd_ng;
}
