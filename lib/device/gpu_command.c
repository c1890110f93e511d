/* SPDX-License-Identifier: ISC */
/*
 * Commands of the control queue. Each is fenced. One that is not answered in
 * time breaks the device, so that the memory of both stays as it is until a
 * reset was confirmed.
 */
#include "gpuvar.h"

void
gpu_init_slots(struct pv_gpu_cmds *cmds)
{
	struct gpu_slot *slot;
	unsigned int i;

	for (i = 0; i < GPU_NSLOTS; i++) {
		slot = &cmds->gc_slots[i];
		slot->gs_state = SLOT_FREE;
		slot->gs_off = i * GPU_SLOT_LEN;
		slot->gs_answer = slot->gs_off + GPU_REQUEST_LEN;
		slot->gs_fb = NULL;
	}
	cmds->gc_slots[GPU_SLOT_COMMAND].gs_answer = GPU_NSLOTS * GPU_SLOT_LEN;
	for (i = 0; i < GPU_NJOBSLOTS; i++)
		cmds->gc_free[i] = (uint8_t)(GPU_NJOBSLOTS - 1 - i);
	cmds->gc_nfree = GPU_NJOBSLOTS;
}

/*
 * What is in a slot without an answer, the device may still read. The next
 * command is written elsewhere, and fails when it is sent.
 */
uint8_t *
gpu_begin(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t command)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;
	uint8_t *request = slot->gs_state == SLOT_SENT ? cmds->gc_answer :
	    (uint8_t *)cmds->gc_dma.dm_kva + slot->gs_off;

	slot->gs_command = command;
	slot->gs_fence = ++cmds->gc_fence;
	slot->gs_ctx = 0;
	slot->gs_job = NULL;
	slot->gs_fb = NULL;
	memset(request, 0, GPU_REQUEST_LEN);
	pv_dev_put32(request + GPU_HDR_TYPE, command);
	pv_dev_put32(request + GPU_HDR_FLAGS, GPU_FLAG_FENCE);
	pv_dev_put64(request + GPU_HDR_FENCE_ID, slot->gs_fence);
	return request;
}

/* Enqueue a request of len bytes, with pieces behind it. */
static int
gpu_enqueue(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t len,
    const struct pv_piece *more, unsigned int nmore, uint32_t answerlen)
{
	const struct pv_dmamem *dma = &sc->sc_cmds->gc_dma;
	struct pv_piece pieces[GPU_MAXSTREAM + 2];
	unsigned int nout = 0;
	int error;

	pieces[nout++] = pv_dev_piece(dma, slot->gs_off, len);
	while (nout <= nmore) {
		pieces[nout] = more[nout - 1];
		nout++;
	}
	pieces[nout] = pv_dev_piece(dma, slot->gs_answer, answerlen);
	error = pv_virtq_enqueue(sc->sc_ctrlq, pieces, nout, 1, slot);
	if (error)
		return error;
	slot->gs_state = SLOT_SENT;
	sc->sc_counters.gc_commands++;
	return 0;
}

/* Answers */

static const char *
gpu_command_name(uint32_t command)
{
	static const char *const names[] = {
		"GET_DISPLAY_INFO", "RESOURCE_CREATE_2D", "RESOURCE_UNREF",
		"SET_SCANOUT", "RESOURCE_FLUSH", "TRANSFER_TO_HOST_2D",
		"RESOURCE_ATTACH_BACKING", "RESOURCE_DETACH_BACKING",
		"GET_CAPSET_INFO", "GET_CAPSET", "GET_EDID",
		"RESOURCE_ASSIGN_UUID", "RESOURCE_CREATE_BLOB",
		"SET_SCANOUT_BLOB",
	};
	uint32_t i = command - GPU_CMD_GET_DISPLAY_INFO;

	return i < sizeof(names) / sizeof(names[0]) ? names[i] :
	    command >= GPU_CMD_UPDATE_CURSOR ? "a cursor's" : "a context's";
}

/* The device refused a command: an honest answer, if not what we hoped for. */
static int
gpu_refused(struct pv_gpu *sc, const struct gpu_slot *slot, uint32_t type)
{
	sc->sc_counters.gc_errors++;
	virtio_log(sc->sc_dev, PV_LOG_ERROR, "%s (0x%x): the device answered "
	    "0x%x", gpu_command_name(slot->gs_command), slot->gs_command, type);
	return type == GPU_RESP_ERR_OUT_OF_MEMORY ? ENOMEM : EIO;
}

/*
 * What the device wrote is copied first, to gc_answer; *len, if wanted, is how
 * much of it there is.
 */
int
gpu_answer(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t expected,
    uint32_t minlen, uint32_t *len)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;
	uint8_t *answer = cmds->gc_answer;
	uint32_t type, got = slot->gs_answerlen;

	slot->gs_state = SLOT_FREE;
	if (got > sizeof(cmds->gc_answer))
		got = sizeof(cmds->gc_answer);
	if (got < GPU_HDRLEN)
		return pv_virtio_break(sc->sc_dev, "answer without a header");
	pv_dev_copy_once(answer, (uint8_t *)cmds->gc_dma.dm_kva +
	    slot->gs_answer, got);
	/* A device that fences tells which one; not all do. */
	if ((pv_dev_get32(answer + GPU_HDR_FLAGS) & GPU_FLAG_FENCE) &&
	    (pv_dev_get64(answer + GPU_HDR_FENCE_ID) != slot->gs_fence ||
	    pv_dev_get32(answer + GPU_HDR_CTX_ID) != slot->gs_ctx))
		return pv_virtio_break(sc->sc_dev, "answer to another command");
	type = pv_dev_get32(answer + GPU_HDR_TYPE);
	if (type >= GPU_RESP_ERR_FIRST && type <= GPU_RESP_ERR_LAST)
		return gpu_refused(sc, slot, type);
	if (type != expected)
		return pv_virtio_break(sc->sc_dev, "answer of a wrong type");
	if (got < minlen)
		return pv_virtio_break(sc->sc_dev, "answer cut short");
	if (len != NULL)
		*len = got;
	return 0;
}

/* Waits */

/*
 * A device that is quick takes some tens of microseconds, and who sleeps that
 * long sleeps longer: look often at first.
 */
#define GPU_QUICK_LOOKS		64
#define GPU_QUICK_US		2

struct gpu_wait {
	struct pv_dev_wait gw_wait;
	unsigned int gw_looks;
};

static void
gpu_wait_begin(struct gpu_wait *gw, uint64_t timeout_ns)
{
	pv_dev_wait_begin(&gw->gw_wait, timeout_ns);
	gw->gw_looks = 0;
}

static int
gpu_wait(struct pv_gpu *sc, struct gpu_wait *gw)
{
	sc->sc_counters.gc_waits++;
	if (gw->gw_looks++ < GPU_QUICK_LOOKS)
		gw->gw_wait.dw_pause_us = GPU_QUICK_US;
	return pv_dev_wait(&gw->gw_wait);
}

/* Jobs */

static void
gpu_job_end(struct pv_gpu *sc, struct gpu_job *job)
{
	job->gj_left = 0;
	sc->sc_cmds->gc_njobs--;
	if (sc->sc_cmds->gc_error == 0)
		sc->sc_cmds->gc_error = job->gj_error;
	if (sc->sc_cb.gc_done != NULL)
		sc->sc_cb.gc_done(sc->sc_arg, job->gj_fence, job->gj_error);
}

/* The device is broken: nothing that is under way will end well. */
static int
gpu_jobs_fail(struct pv_gpu *sc, int error)
{
	struct gpu_job *job = sc->sc_cmds->gc_jobs;
	unsigned int i;

	for (i = 0; i < GPU_NJOBS; i++, job++) {
		if (job->gj_left == 0)
			continue;
		job->gj_error = error;
		gpu_job_end(sc, job);
	}
	return error;
}

/* The device no longer reads what was synced for a command. */
static void
gpu_synced_over(struct gpu_slot *slot)
{
	if (slot->gs_fb != NULL)
		pv_dmamem_sync(&slot->gs_fb->fb_dma, slot->gs_syncoff,
		    slot->gs_synclen, BUS_DMASYNC_POSTWRITE);
	slot->gs_fb = NULL;
}

static void
gpu_job_answered(struct pv_gpu *sc, struct gpu_slot *slot)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;
	struct gpu_job *job = slot->gs_job;
	int error;

	gpu_synced_over(slot);
	cmds->gc_free[cmds->gc_nfree++] = (uint8_t)(slot - cmds->gc_slots);
	error = gpu_answer(sc, slot, GPU_RESP_OK_NODATA, GPU_HDRLEN, NULL);
	if (job->gj_error == 0)
		job->gj_error = error;
	if (--job->gj_left == 0)
		gpu_job_end(sc, job);
}

static int
gpu_overdue(struct pv_gpu *sc)
{
	const struct gpu_job *job = sc->sc_cmds->gc_jobs;
	uint64_t now;
	unsigned int i;

	if (sc->sc_cmds->gc_njobs == 0)
		return 0;
	now = pv_kern_uptime_ns();
	for (i = 0; i < GPU_NJOBS; i++, job++) {
		if (job->gj_left == 0 || now < job->gj_deadline)
			continue;
		pv_virtio_break(sc->sc_dev, "control queue: no answer");
		return ETIMEDOUT;
	}
	return 0;
}

static int
gpu_take(struct pv_gpu *sc)
{
	struct gpu_slot *slot;
	struct pv_used used;
	int error;

	while ((error = pv_virtq_dequeue(sc->sc_ctrlq, &used)) == 0) {
		slot = used.us_cookie;
		slot->gs_answerlen = used.us_len;
		slot->gs_state = SLOT_DONE;
		if (slot->gs_job != NULL)
			gpu_job_answered(sc, slot);
	}
	return error == EAGAIN ? 0 : error;
}

int
gpu_poll(struct pv_gpu *sc)
{
	int error;

	do
		error = gpu_take(sc);
	while (error == 0 && sc->sc_cb.gc_progress != NULL &&
	    pv_virtq_intr_enable(sc->sc_ctrlq));
	if (error == 0)
		error = gpu_overdue(sc);
	(void)pv_virtq_stalled_ns(sc->sc_ctrlq);
	return error ? gpu_jobs_fail(sc, error) : 0;
}

/* A place for a job: of those that have ended, the one that did longest ago. */
static struct gpu_job *
gpu_job_place(struct pv_gpu_cmds *cmds)
{
	struct gpu_job *job, *best = NULL;

	for (job = cmds->gc_jobs; job < cmds->gc_jobs + GPU_NJOBS; job++)
		if (job->gj_left == 0 &&
		    (best == NULL || job->gj_fence < best->gj_fence))
			best = job;
	return best;
}

/* A command takes two descriptors, where there are no indirect ones. */
static int
gpu_room(const struct pv_gpu *sc, unsigned int n)
{
	return sc->sc_cmds->gc_nfree >= n &&
	    pv_virtq_room(sc->sc_ctrlq) >= 2 * n;
}

int
gpu_job_begin(struct pv_gpu *sc, unsigned int n, struct gpu_job **jobp)
{
	struct gpu_job *job;
	int error;

	error = gpu_poll(sc);
	if (error)
		return error;
	job = gpu_job_place(sc->sc_cmds);
	if (job == NULL || !gpu_room(sc, n)) {
		sc->sc_counters.gc_busy++;
		return EBUSY;
	}
	job->gj_error = 0;
	job->gj_left = n;
	job->gj_fence = ++sc->sc_cmds->gc_jobfence;
	sc->sc_cmds->gc_njobs++;
	*jobp = job;
	return 0;
}

/* Nobody was told of its fence. */
void
gpu_job_cancel(struct pv_gpu *sc, struct gpu_job *job)
{
	job->gj_left = 0;
	sc->sc_cmds->gc_njobs--;
}

int
gpu_job_broken(struct pv_gpu *sc, struct gpu_job *job)
{
	gpu_job_cancel(sc, job);
	return gpu_jobs_fail(sc, pv_virtio_break(sc->sc_dev,
	    "control queue: no room"));
}

struct gpu_slot *
gpu_job_slot(struct pv_gpu *sc, struct gpu_job *job, uint32_t command,
    uint8_t **request)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;
	struct gpu_slot *slot;

	slot = &cmds->gc_slots[cmds->gc_free[cmds->gc_nfree - 1]];
	*request = gpu_begin(sc, slot, command);
	slot->gs_job = job;
	return slot;
}

int
gpu_job_enqueue(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t len,
    const struct pv_piece *pieces, unsigned int npieces)
{
	int error;

	error = gpu_enqueue(sc, slot, len, pieces, npieces, GPU_HDRLEN);
	if (error)
		return error;
	sc->sc_cmds->gc_nfree--;
	return 0;
}

void
gpu_job_send(struct pv_gpu *sc, struct gpu_job *job, uint64_t timeout_ns,
    uint64_t *fence)
{
	struct pv_gpu_cmds *cmds = sc->sc_cmds;

	job->gj_deadline = pv_kern_uptime_ns() + timeout_ns;
	if (cmds->gc_njobs > sc->sc_counters.gc_most)
		sc->sc_counters.gc_most = cmds->gc_njobs;
	pv_virtq_publish(sc->sc_ctrlq);
	if (fence != NULL)
		*fence = job->gj_fence;
}

int
gpu_wait_jobs(struct pv_gpu *sc)
{
	struct gpu_wait wait;
	int error;

	/* Each job has a bound of its own. */
	gpu_wait_begin(&wait, GPU_TIMEOUT_3D_NS);
	error = gpu_poll(sc);
	while (sc->sc_cmds->gc_njobs > 0) {	/* none after an error */
		gpu_wait(sc, &wait);
		error = gpu_poll(sc);
	}
	return error;
}

void
gpu_jobs_stopped(struct pv_gpu *sc, int confirmed)
{
	unsigned int i;

	gpu_jobs_fail(sc, EIO);
	if (!confirmed)
		return;
	for (i = 0; i < GPU_NSLOTS; i++)
		gpu_synced_over(&sc->sc_cmds->gc_slots[i]);
	gpu_init_slots(sc->sc_cmds);
	pv_dmamem_free(&sc->sc_cmds->gc_left);
}

/* Commands that are waited for */

uint8_t *
gpu_begin_command(struct pv_gpu *sc, uint32_t command)
{
	return gpu_begin(sc, &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND], command);
}

int
gpu_answered(struct pv_gpu *sc, uint32_t expected, uint32_t minlen,
    uint32_t *len)
{
	return gpu_answer(sc, &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND],
	    expected, minlen, len);
}

static int
gpu_await(struct pv_gpu *sc, const struct gpu_slot *slot)
{
	struct gpu_wait wait;
	int error;

	gpu_wait_begin(&wait, GPU_TIMEOUT_NS);
	while ((error = gpu_poll(sc)) == 0 && slot->gs_state != SLOT_DONE) {
		error = gpu_wait(sc, &wait);
		if (error == 0)
			continue;
		pv_virtio_break(sc->sc_dev, "control queue: no answer");
		return gpu_jobs_fail(sc, error);
	}
	return error;
}

int
gpu_command(struct pv_gpu *sc, uint32_t len, const struct pv_dmamem *more,
    uint32_t answerlen)
{
	struct gpu_slot *slot = &sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND];
	struct pv_piece piece;
	unsigned int n = 0;
	int error;

	if (more != NULL) {
		piece = pv_dev_piece(more, 0, more->dm_size);
		n = 1;
	}
	error = gpu_enqueue(sc, slot, len, &piece, n, answerlen);
	if (error == ENOBUFS) {
		error = gpu_wait_jobs(sc);
		if (error == 0)
			error = gpu_enqueue(sc, slot, len, &piece, n,
			    answerlen);
	}
	if (error)
		return error;
	pv_virtq_publish(sc->sc_ctrlq);
	return gpu_await(sc, slot);
}

int
gpu_simple(struct pv_gpu *sc, uint32_t len, const struct pv_dmamem *more)
{
	int error;

	error = gpu_command(sc, len, more, GPU_HDRLEN);
	if (error)
		return error;
	return gpu_answered(sc, GPU_RESP_OK_NODATA, GPU_HDRLEN, NULL);
}

/* RESOURCE_DETACH_BACKING, RESOURCE_UNREF and others look alike. */
int
gpu_of_resource(struct pv_gpu *sc, uint32_t command, uint32_t resource)
{
	uint8_t *p = gpu_begin_command(sc, command);

	pv_dev_put32(p + GPU_UNREF_RESOURCE, resource);
	return gpu_simple(sc, GPU_UNREF_LEN, NULL);
}

/* Fences */

int
pv_gpu_poll(struct pv_gpu *sc)
{
	return sc->sc_running ? gpu_poll(sc) : ENXIO;
}

int
pv_gpu_fence(const struct pv_gpu *sc, uint64_t fence)
{
	const struct pv_gpu_cmds *cmds = sc->sc_cmds;
	unsigned int i;

	if (cmds == NULL || fence > cmds->gc_jobfence)
		return EINVAL;
	for (i = 0; i < GPU_NJOBS; i++)
		if (cmds->gc_jobs[i].gj_fence == fence)
			return cmds->gc_jobs[i].gj_left > 0 ? EAGAIN :
			    cmds->gc_jobs[i].gj_error;
	return 0;
}

int
pv_gpu_fence_wait(struct pv_gpu *sc, uint64_t fence)
{
	struct gpu_wait wait;
	int error;

	gpu_wait_begin(&wait, GPU_TIMEOUT_3D_NS);
	while ((error = pv_gpu_fence(sc, fence)) == EAGAIN) {
		gpu_poll(sc);
		error = pv_gpu_fence(sc, fence);
		if (error != EAGAIN)
			break;
		gpu_wait(sc, &wait);
	}
	return error;
}
