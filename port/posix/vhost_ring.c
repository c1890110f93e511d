/* SPDX-License-Identifier: ISC */
/*
 * What the back end is told of memory and rings, from FEATURES_OK on.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vhost_var.h"

#define INFLIGHT_MAX	(1ull << 30)	/* bytes; more is not believed */

/* The device may not be told addresses of this process: its own stand twice. */
static struct vw_region
region_of(const struct shmem_region *sr)
{
	const struct vw_region vr = {
		.vr_guest = sr->sr_addr,
		.vr_size = sr->sr_size,
		.vr_user = sr->sr_addr,
	};

	return vr;
}

static int
show_slots(struct vhost *vh, unsigned int n)
{
	const struct shmem *sm = vh->vh_params.vp_shmem;
	struct vw_msg m;
	int error = 0;

	while (vh->vh_shown < n && error == 0) {
		memset(&m, 0, sizeof(m));
		m.u.vw_slot.vm_region =
		    region_of(&sm->sm_regions[vh->vh_shown]);
		error = vhost_tell(vh, &m, VW_ADD_MEM_REG,
		    sizeof(m.u.vw_slot), &sm->sm_regions[vh->vh_shown].sr_fd,
		    1);
		if (error == 0)
			vh->vh_shown++;
	}
	return error;
}

static int
show_table(struct vhost *vh, unsigned int n)
{
	const struct shmem *sm = vh->vh_params.vp_shmem;
	int fds[VW_MAXREGIONS], error;
	struct vw_msg m;
	unsigned int i;

	memset(&m, 0, sizeof(m));
	m.u.vw_memory.vm_n = n;
	for (i = 0; i < n; i++) {
		m.u.vw_memory.vm_regions[i] = region_of(&sm->sm_regions[i]);
		fds[i] = sm->sm_regions[i].sr_fd;
	}
	error = vhost_tell(vh, &m, VW_SET_MEM_TABLE,
	    8 + n * sizeof(struct vw_region), fds, n);
	if (error == 0)
		vh->vh_shown = n;
	return error;
}

int
vhost_show_memory(struct vhost *vh)
{
	unsigned int n;

	n = __atomic_load_n(&vh->vh_params.vp_shmem->sm_nregions,
	    __ATOMIC_ACQUIRE);
	if (n == vh->vh_shown)
		return 0;
	if (n > vh->vh_slots)
		return vhost_fail(vh, ENOSPC,
		    "the back end takes %u regions of memory, not %u",
		    vh->vh_slots, n);
	return vhost_has(vh, VHOST_P_CONFIGURE_MEM_SLOTS) ?
	    show_slots(vh, n) : show_table(vh, n);
}

void
vhost_inflight_drop(struct vhost *vh)
{
	int fd = vh->vh_inflight;

	__atomic_store_n(&vh->vh_inflight, -1, __ATOMIC_RELAXED);
	if (fd >= 0)
		close(fd);
}

/* The back end's file is only handed on, but a wrong one would end it. */
static int
inflight_check(struct vhost *vh)
{
	const struct vw_inflight *vi = &vh->vh_inflight_place;
	struct stat st;

	if (fstat(vh->vh_inflight, &st) == 0 && vi->vi_size > 0 &&
	    vi->vi_size <= INFLIGHT_MAX && (uint64_t)st.st_size >=
	    vi->vi_size && vi->vi_offset <= (uint64_t)st.st_size -
	    vi->vi_size)
		return 0;
	vhost_inflight_drop(vh);
	vhost_end(vh, VHOST_BAD);
	return vhost_fail(vh, EPROTO,
	    "the back end's in-flight memory is not as long as it says");
}

static int
inflight_get(struct vhost *vh, unsigned int nqueues, unsigned int size)
{
	struct vw_inflight *vi = &vh->vh_inflight_place;
	struct vw_msg m;
	int fd, error;

	memset(&m, 0, sizeof(m));
	m.u.vw_inflight.vi_nqueues = (uint16_t)nqueues;
	m.u.vw_inflight.vi_queuesize = (uint16_t)size;
	error = vhost_send(vh, &m, VW_GET_INFLIGHT_FD, sizeof(*vi), NULL, 0);
	if (error == 0)
		error = vhost_answer(vh, &m, VW_GET_INFLIGHT_FD,
		    VW_INFLIGHT_LEN, sizeof(*vi), &fd);
	if (error)
		return error;
	__atomic_store_n(&vh->vh_inflight, fd, __ATOMIC_RELAXED);
	*vi = m.u.vw_inflight;
	vi->vi_nqueues = (uint16_t)nqueues;
	vi->vi_queuesize = (uint16_t)size;
	vi->vi_pad = 0;
	return inflight_check(vh);
}

static int
inflight_set(struct vhost *vh)
{
	struct vw_msg m;

	memset(&m, 0, sizeof(m));
	m.u.vw_inflight = vh->vh_inflight_place;
	return vhost_tell(vh, &m, VW_SET_INFLIGHT_FD, sizeof(m.u.vw_inflight),
	    &vh->vh_inflight, 1);
}

/* A ring that the back end serves. */
static bool
is_its(const struct vhost *vh, unsigned int queue)
{
	return vh->vh_queues[queue].vq_placed && !vhost_is_ctrl(vh, queue);
}

/* A new back end is given the old one's; after a reset there is a new one. */
static int
inflight_prepare(struct vhost *vh, bool resume)
{
	unsigned int i, n = 0, size = 0;
	int error;

	if (!vhost_has(vh, VHOST_P_INFLIGHT_SHMFD))
		return 0;
	for (i = 0; i < vh->vh_nqueues; i++) {
		if (!is_its(vh, i))
			continue;
		n = i + 1;
		if (size < vh->vh_queues[i].vq_place.qp_size)
			size = vh->vh_queues[i].vq_place.qp_size;
	}
	if (!resume) {
		vhost_inflight_drop(vh);
		error = n == 0 ? 0 : inflight_get(vh, n, size);
		if (error || n == 0)
			return error;
	}
	return inflight_set(vh);
}

static bool
is_packed(const struct vhost *vh)
{
	return (vh->vh_accepted & PV_F_BIT(PV_F_RING_PACKED)) != 0;
}

/*
 * Where the old back end had got to. Of a split ring the used index tells, in
 * memory; of a packed one only what it noted down itself. Either is the back
 * ends' affair: nothing here depends on it. Read, not mapped, so that who cuts
 * the file short does no harm.
 */
static uint32_t
base_of(const struct vhost *vh, unsigned int queue)
{
	const struct vw_inflight *vi = &vh->vh_inflight_place;
	const struct pv_queue_place *qp = &vh->vh_queues[queue].vq_place;
	struct vw_packed_inflight vp;
	const uint8_t *used;
	uint32_t base;
	uint64_t off;

	if (!is_packed(vh)) {
		used = shmem_kva(vh->vh_params.vp_shmem, qp->qp_device, 4);
		return used == NULL ? 0 : (uint32_t)used[2] |
		    (uint32_t)used[3] << 8;
	}
	off = vi->vi_offset + vi->vi_size / vi->vi_nqueues * queue;
	if (pread(vh->vh_inflight, &vp, sizeof(vp), (off_t)off) !=
	    (ssize_t)sizeof(vp))
		return 0x80008000u;
	base = (vp.vp_oldused & 0x7fffu) | (vp.vp_oldwrap ? 0x8000u : 0);
	return base << 16 | base;
}

static int
event_make(int *fd)
{
	if (*fd < 0)
		*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return *fd < 0 ? errno : 0;
}

static int
tell_event(struct vhost *vh, uint32_t request, unsigned int queue, int fd)
{
	struct vw_msg m;

	m.u.vw_u64 = queue | (fd < 0 ? VW_NOFD : 0);
	return vhost_tell(vh, &m, request, 8, &fd, fd >= 0);
}

static int
tell_place(struct vhost *vh, unsigned int queue)
{
	const struct pv_queue_place *qp = &vh->vh_queues[queue].vq_place;
	struct vw_msg m;

	memset(&m, 0, sizeof(m));
	m.u.vw_addr.va_index = queue;
	m.u.vw_addr.va_desc = qp->qp_desc;
	m.u.vw_addr.va_avail = qp->qp_driver;
	m.u.vw_addr.va_used = qp->qp_device;
	return vhost_tell(vh, &m, VW_SET_VRING_ADDR, sizeof(m.u.vw_addr),
	    NULL, 0);
}

/* The kick is last: with it the back end starts. */
static int
ring_start(struct vhost *vh, unsigned int queue, bool resume)
{
	struct vhost_queue *vq = &vh->vh_queues[queue];
	uint32_t base;
	int error;

	base = resume ? base_of(vh, queue) : is_packed(vh) ? 0x80008000u : 0;
	error = event_make(&vq->vq_kick);
	if (error)
		return vhost_fail(vh, error, "eventfd: %s", strerror(error));
	error = vhost_tell_ring(vh, VW_SET_VRING_NUM, queue,
	    vq->vq_place.qp_size);
	if (error == 0)
		error = vhost_tell_ring(vh, VW_SET_VRING_BASE, queue, base);
	if (error == 0)
		error = tell_place(vh, queue);
	if (error == 0)
		error = tell_event(vh, VW_SET_VRING_CALL, queue, vq->vq_call);
	if (error == 0) {
		vq->vq_running = 1;
		error = tell_event(vh, VW_SET_VRING_KICK, queue, vq->vq_kick);
	}
	return error;
}

/*
 * Of a network device the pairs that the driver asked for; of any other, all.
 * Without protocol features rings need no enabling.
 */
static int
ring_enable(struct vhost *vh, unsigned int queue)
{
	if ((vh->vh_offered & 1ull << VW_F_PROTOCOL) == 0 ||
	    !vh->vh_queues[queue].vq_running)
		return 0;
	return vhost_tell_ring(vh, VW_SET_VRING_ENABLE, queue,
	    !vhost_is_net(vh) || queue < 2 * vh->vh_pairs);
}

int
vhost_rings_enable(struct vhost *vh, unsigned int pairs)
{
	unsigned int i;
	int error = 0;

	vh->vh_pairs = pairs;
	for (i = 0; i < vh->vh_nqueues && error == 0; i++)
		error = ring_enable(vh, i);
	return error;
}

int
vhost_rings_start(struct vhost *vh, bool resume)
{
	unsigned int i;
	int error;

	error = inflight_prepare(vh, resume);
	for (i = 0; i < vh->vh_nqueues && error == 0; i++)
		if (is_its(vh, i))
			error = ring_start(vh, i, resume);
	if (error == 0)
		error = vhost_rings_enable(vh, resume ? vh->vh_pairs : 1);
	return error;
}

/*
 * The eventfds of all other rings once more, which changes nothing for a ring
 * that goes on. DPDK takes GET_VRING_BASE for the end of the device: its driver
 * forgets which rings are in use, and is told afterwards only of those whose
 * state has changed. A new eventfd is such a change.
 */
static int
rings_remind(struct vhost *vh, unsigned int but)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < vh->vh_nqueues && error == 0; i++)
		if (i != but && vh->vh_queues[i].vq_running)
			error = tell_event(vh, VW_SET_VRING_CALL, i,
			    vh->vh_queues[i].vq_call);
	return error;
}

/* A ring that was stopped alone; in use if it was. */
int
vhost_ring_again(struct vhost *vh, unsigned int queue)
{
	int error;

	error = ring_start(vh, queue, false);
	if (error == 0)
		error = ring_enable(vh, queue);
	if (error == 0)
		error = rings_remind(vh, queue);
	return error;
}

/* GET_VRING_BASE stops a ring, and its answer says that it has stopped. */
int
vhost_ring_stop(struct vhost *vh, unsigned int queue)
{
	struct vw_msg m;
	int error;

	if (!vh->vh_queues[queue].vq_running)
		return 0;
	m.u.vw_state.vs_index = queue;
	m.u.vw_state.vs_num = 0;
	error = vhost_send(vh, &m, VW_GET_VRING_BASE, 8, NULL, 0);
	if (error == 0)
		error = vhost_answer(vh, &m, VW_GET_VRING_BASE, 8, 8, NULL);
	if (error)
		return error;
	if (m.u.vw_state.vs_index != queue) {
		vhost_end(vh, VHOST_BAD);
		return vhost_fail(vh, EPROTO,
		    "the back end stopped another ring than asked");
	}
	vh->vh_queues[queue].vq_running = 0;
	return 0;
}

int
vhost_rings_stop(struct vhost *vh)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < vh->vh_nqueues && error == 0; i++)
		error = vhost_ring_stop(vh, i);
	return error;
}
