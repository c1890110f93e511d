/* SPDX-License-Identifier: ISC */
/*
 * For clients that render (Device Operation: controlq (3d)): contexts,
 * capability sets, resources, blobs, command streams. They are passed on, and
 * what comes back is judged.
 */
#include "gpuvar.h"

static int
gpu_ready_for(const struct pv_gpu *sc, unsigned int feature)
{
	if (!sc->sc_running)
		return ENXIO;
	if (!pv_virtio_has(sc->sc_dev, feature))
		return ENOTSUP;
	return gpu_ready(sc);
}

/* Begin a command that is a context's. */
static uint8_t *
gpu_begin_ctx(struct pv_gpu *sc, uint32_t ctx, uint32_t command)
{
	uint8_t *p = gpu_begin_command(sc, command);

	sc->sc_cmds->gc_slots[GPU_SLOT_COMMAND].gs_ctx = ctx;
	pv_dev_put32(p + GPU_HDR_CTX_ID, ctx);
	return p;
}

/* Capability sets */

int
pv_gpu_capset_info(struct pv_gpu *sc, unsigned int index,
    struct pv_gpu_capset *cs)
{
	const uint8_t *answer;
	uint8_t *p;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_VIRGL);
	if (error)
		return error;
	if (index >= sc->sc_ncapsets)
		return ERANGE;
	answer = sc->sc_cmds->gc_answer;
	p = gpu_begin_command(sc, GPU_CMD_GET_CAPSET_INFO);
	pv_dev_put32(p + GPU_CAPSET_INDEX, index);
	error = gpu_command(sc, GPU_CAPSET_LEN, NULL, GPU_CAPSET_RESP_LEN);
	if (error == 0)
		error = gpu_answered(sc, GPU_RESP_OK_CAPSET_INFO,
		    GPU_CAPSET_RESP_LEN, NULL);
	if (error)
		return error;
	cs->cs_id = pv_dev_get32(answer + GPU_CAPSET_RESP_ID);
	cs->cs_max_version = pv_dev_get32(answer + GPU_CAPSET_RESP_VERSION);
	cs->cs_max_size = pv_dev_get32(answer + GPU_CAPSET_RESP_SIZE);
	return 0;
}

int
pv_gpu_capset(struct pv_gpu *sc, const struct pv_gpu_capset *cs,
    uint32_t version, void *buf, size_t *len)
{
	uint32_t got;
	uint8_t *p;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_VIRGL);
	if (error)
		return error;
	if (cs->cs_max_size > PV_GPU_CAPSET_MAX || cs->cs_max_size > *len)
		return EFBIG;
	p = gpu_begin_command(sc, GPU_CMD_GET_CAPSET);
	pv_dev_put32(p + GPU_CAPSET_ID, cs->cs_id);
	pv_dev_put32(p + GPU_CAPSET_VERSION, version);
	error = gpu_command(sc, GPU_CAPSET_LEN, NULL,
	    GPU_HDRLEN + cs->cs_max_size);
	if (error == 0)
		error = gpu_answered(sc, GPU_RESP_OK_CAPSET, GPU_HDRLEN, &got);
	if (error)
		return error;
	*len = got - GPU_HDRLEN;
	memcpy(buf, sc->sc_cmds->gc_answer + GPU_HDRLEN, *len);
	return 0;
}

/* Contexts */

int
pv_gpu_ctx_create(struct pv_gpu *sc, uint32_t ctx, uint32_t capset,
    const char *name)
{
	uint32_t n = 0;
	uint8_t *p;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_VIRGL);
	if (error)
		return error;
	if (ctx == 0 || capset > 255)
		return EINVAL;
	if (capset != 0 && !pv_virtio_has(sc->sc_dev, PV_GPU_F_CONTEXT_INIT))
		return ENOTSUP;
	p = gpu_begin_ctx(sc, ctx, GPU_CMD_CTX_CREATE);
	for (; n < GPU_CTX_NAMELEN && name[n] != '\0'; n++)
		p[GPU_CTX_NAME + n] = (uint8_t)name[n];
	pv_dev_put32(p + GPU_CTX_NLEN, n);
	pv_dev_put32(p + GPU_CTX_INIT, capset);
	return gpu_simple(sc, GPU_CTX_LEN, NULL);
}

int
pv_gpu_ctx_destroy(struct pv_gpu *sc, uint32_t ctx)
{
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_VIRGL);
	if (error)
		return error;
	gpu_begin_ctx(sc, ctx, GPU_CMD_CTX_DESTROY);
	return gpu_simple(sc, GPU_HDRLEN, NULL);
}

/* A command of a context that names a resource, and no more. */
static int
gpu_ctx_resource(struct pv_gpu *sc, uint32_t ctx, uint32_t command,
    const struct pv_gpu_resource *gr)
{
	uint8_t *p;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_VIRGL);
	if (error)
		return error;
	if (gr->gr_id == 0)
		return EINVAL;
	p = gpu_begin_ctx(sc, ctx, command);
	pv_dev_put32(p + GPU_UNREF_RESOURCE, gr->gr_id);
	return gpu_simple(sc, GPU_UNREF_LEN, NULL);
}

int
pv_gpu_ctx_attach(struct pv_gpu *sc, uint32_t ctx,
    const struct pv_gpu_resource *gr)
{
	return gpu_ctx_resource(sc, ctx, GPU_CMD_CTX_ATTACH_RESOURCE, gr);
}

int
pv_gpu_ctx_detach(struct pv_gpu *sc, uint32_t ctx,
    const struct pv_gpu_resource *gr)
{
	return gpu_ctx_resource(sc, ctx, GPU_CMD_CTX_DETACH_RESOURCE, gr);
}

/* Resources */

static void
gpu_resource_made(struct pv_gpu *sc, struct pv_gpu_resource *gr, uint32_t id)
{
	gr->gr_id = id;
	gr->gr_backed = gr->gr_mapped = 0;
	gr->gr_next = sc->sc_resources;
	sc->sc_resources = gr;
}

static void
gpu_resource_gone(struct pv_gpu *sc, struct pv_gpu_resource *gr)
{
	struct pv_gpu_resource **link = &sc->sc_resources;

	while (*link != gr)
		link = &(*link)->gr_next;
	*link = gr->gr_next;
	gr->gr_id = 0;
}

int
pv_gpu_resource_3d(struct pv_gpu *sc, struct pv_gpu_resource *gr,
    uint32_t ctx, const struct pv_gpu_3d *t)
{
	const uint32_t words[] = { t->t_target, t->t_format, t->t_bind,
	    t->t_width, t->t_height, t->t_depth, t->t_array_size,
	    t->t_last_level, t->t_nr_samples, t->t_flags };
	unsigned int i;
	uint8_t *p;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_VIRGL);
	if (error)
		return error;
	if (gr->gr_id != 0)
		return EINVAL;
	p = gpu_begin_ctx(sc, ctx, GPU_CMD_RESOURCE_CREATE_3D);
	pv_dev_put32(p + GPU_3D_RESOURCE, ++sc->sc_resource);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		pv_dev_put32(p + GPU_3D_WORDS + 4 * i, words[i]);
	error = gpu_simple(sc, GPU_3D_LEN, NULL);
	if (error)
		return error;
	gr->gr_size = 0;
	gr->gr_hostonly = 0;
	gpu_resource_made(sc, gr, sc->sc_resource);
	return 0;
}

/* The segments of a piece. Errors: EINVAL it is not in its map. */
static int
gpu_list_piece(const struct pv_piece *pc, uint8_t *entry, unsigned int *n)
{
	const bus_dma_segment_t *seg = pc->pc_map->dm_segs;
	const bus_dma_segment_t *end = seg + pc->pc_map->dm_nsegs;
	bus_size_t off = pc->pc_off, left = pc->pc_len, len;

	*n = 0;
	while (left > 0 && seg < end) {
		if (off >= seg->ds_len) {
			off -= (seg++)->ds_len;
			continue;
		}
		len = seg->ds_len - off < left ? seg->ds_len - off : left;
		if (len > GPU_ENTRY_MAX)
			len = GPU_ENTRY_MAX;
		if (entry != NULL) {
			pv_dev_put64(entry + GPU_ENTRY_ADDR,
			    seg->ds_addr + off);
			pv_dev_put32(entry + GPU_ENTRY_LENGTH, (uint32_t)len);
			entry += GPU_ENTRYLEN;
		}
		left -= len;
		off += len;
		(*n)++;
	}
	return left == 0 && *n > 0 ? 0 : EINVAL;
}

/* Memory with that list; the device reads it during a command alone. */
static int
gpu_piece_entries(struct pv_gpu *sc, const struct pv_piece *pc,
    struct pv_dmamem *list, unsigned int *n)
{
	int error;

	error = gpu_list_piece(pc, NULL, n);
	if (error)
		return error;
	if (*n > GPU_MAXENTRIES)
		return EFBIG;
	error = pv_dmamem_alloc(list, sc->sc_dev->vd_dmat,
	    (bus_size_t)*n * GPU_ENTRYLEN, DMA_LINE, GPU_MAXLISTSEGS, 0, 0);
	if (error)
		return error;
	return gpu_list_piece(pc, list->dm_kva, n);
}

/*
 * Without an answer the device may read the list still: it is kept until a
 * reset. There is one at most, as nothing more is sent before that.
 */
static void
gpu_free_entries(struct pv_gpu *sc, struct pv_dmamem *list)
{
	if (pv_virtio_broken(sc->sc_dev) == NULL)
		pv_dmamem_free(list);
	else if (list->dm_kva != NULL)
		sc->sc_cmds->gc_left = *list;
}

static int
gpu_blob_valid(const struct pv_gpu_resource *gr, const struct pv_gpu_blob *b,
    const struct pv_piece *pc)
{
	if (gr->gr_id != 0 || b->b_size == 0 ||
	    b->b_mem < PV_GPU_BLOB_GUEST || b->b_mem > PV_GPU_BLOB_HOST3D_GUEST)
		return 0;
	return pc == NULL || (b->b_mem != PV_GPU_BLOB_HOST3D &&
	    pc->pc_len >= b->b_size);
}

static int
gpu_create_blob(struct pv_gpu *sc, uint32_t ctx, const struct pv_gpu_blob *b,
    const struct pv_dmamem *list, unsigned int n)
{
	uint8_t *p = gpu_begin_ctx(sc, ctx, GPU_CMD_RESOURCE_CREATE_BLOB);

	pv_dev_put32(p + GPU_BLOB_RESOURCE, ++sc->sc_resource);
	pv_dev_put32(p + GPU_BLOB_MEM, b->b_mem);
	pv_dev_put32(p + GPU_BLOB_FLAGS, b->b_flags);
	pv_dev_put32(p + GPU_BLOB_NENTRIES, n);
	pv_dev_put64(p + GPU_BLOB_ID, b->b_id);
	pv_dev_put64(p + GPU_BLOB_SIZE, b->b_size);
	return gpu_simple(sc, GPU_BLOB_LEN, n > 0 ? list : NULL);
}

int
pv_gpu_resource_blob(struct pv_gpu *sc, struct pv_gpu_resource *gr,
    uint32_t ctx, const struct pv_gpu_blob *b, const struct pv_piece *pc)
{
	struct pv_dmamem list = { 0 };
	unsigned int n = 0;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_RESOURCE_BLOB);
	if (error == 0 && b->b_mem != PV_GPU_BLOB_GUEST)
		error = gpu_ready_for(sc, PV_GPU_F_VIRGL);
	if (error)
		return error;
	if (!gpu_blob_valid(gr, b, pc))
		return EINVAL;
	if (pc != NULL)
		error = gpu_piece_entries(sc, pc, &list, &n);
	if (error == 0)
		error = gpu_create_blob(sc, ctx, b, &list, n);
	gpu_free_entries(sc, &list);
	if (error)
		return error;
	gr->gr_size = b->b_size;
	gr->gr_hostonly = b->b_mem == PV_GPU_BLOB_HOST3D;
	gpu_resource_made(sc, gr, sc->sc_resource);
	gr->gr_backed = pc != NULL;
	return 0;
}

int
pv_gpu_resource_back(struct pv_gpu *sc, struct pv_gpu_resource *gr,
    const struct pv_piece *pc)
{
	struct pv_dmamem list = { 0 };
	unsigned int n;
	uint8_t *p;
	int error;

	error = gpu_ready(sc);
	if (error)
		return error;
	if (gr->gr_id == 0 || gr->gr_backed || gr->gr_hostonly)
		return EINVAL;
	error = gpu_piece_entries(sc, pc, &list, &n);
	if (error)
		goto out;
	p = gpu_begin_command(sc, GPU_CMD_RESOURCE_ATTACH_BACKING);
	pv_dev_put32(p + GPU_ATTACH_RESOURCE, gr->gr_id);
	pv_dev_put32(p + GPU_ATTACH_NENTRIES, n);
	error = gpu_simple(sc, GPU_ATTACH_LEN, &list);
	if (error == 0)
		gr->gr_backed = 1;
out:
	gpu_free_entries(sc, &list);
	return error;
}

int
pv_gpu_resource_unback(struct pv_gpu *sc, struct pv_gpu_resource *gr)
{
	int error;

	error = gpu_ready(sc);
	if (error)
		return error;
	if (gr->gr_id == 0 || !gr->gr_backed)
		return EINVAL;
	error = gpu_of_resource(sc, GPU_CMD_RESOURCE_DETACH_BACKING, gr->gr_id);
	if (error == 0)
		gr->gr_backed = 0;
	return error;
}

int
pv_gpu_resource_free(struct pv_gpu *sc, struct pv_gpu_resource *gr)
{
	int error;

	if (gr->gr_id == 0)
		return 0;
	error = gr->gr_mapped ? pv_gpu_unmap_blob(sc, gr) : gpu_ready(sc);
	if (error == 0)
		error = gpu_of_resource(sc, GPU_CMD_RESOURCE_UNREF, gr->gr_id);
	if (error == 0)
		gpu_resource_gone(sc, gr);
	return error;
}

uint32_t
pv_gpu_resource_id(const struct pv_gpu_resource *gr)
{
	return gr->gr_id;
}

int
pv_gpu_uuid(struct pv_gpu *sc, const struct pv_gpu_resource *gr,
    uint8_t uuid[16])
{
	uint8_t *p;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_RESOURCE_UUID);
	if (error)
		return error;
	if (gr->gr_id == 0)
		return EINVAL;
	p = gpu_begin_command(sc, GPU_CMD_RESOURCE_ASSIGN_UUID);
	pv_dev_put32(p + GPU_UNREF_RESOURCE, gr->gr_id);
	error = gpu_command(sc, GPU_UNREF_LEN, NULL, GPU_UUID_RESP_LEN);
	if (error == 0)
		error = gpu_answered(sc, GPU_RESP_OK_RESOURCE_UUID,
		    GPU_UUID_RESP_LEN, NULL);
	if (error == 0)
		memcpy(uuid, sc->sc_cmds->gc_answer + GPU_UUID_RESP_UUID, 16);
	return error;
}

/* Blobs in the host visible region */

int
pv_gpu_hostvisible(const struct pv_gpu *sc, struct pv_shm *shm)
{
	*shm = sc->sc_hostvisible;
	return shm->sh_len == 0 ? ENOTSUP : 0;
}

static int
gpu_map_valid(const struct pv_gpu *sc, const struct pv_gpu_resource *gr,
    uint64_t offset)
{
	uint64_t room = sc->sc_hostvisible.sh_len;

	return gr->gr_id != 0 && gr->gr_hostonly && !gr->gr_mapped &&
	    offset % PAGE_SIZE == 0 && gr->gr_size <= room &&
	    offset <= room - gr->gr_size;
}

int
pv_gpu_map_blob(struct pv_gpu *sc, struct pv_gpu_resource *gr, uint64_t offset,
    unsigned int *cache)
{
	uint8_t *p;
	int error;

	error = gpu_ready_for(sc, PV_GPU_F_RESOURCE_BLOB);
	if (error)
		return error;
	if (sc->sc_hostvisible.sh_len == 0)
		return ENOTSUP;
	if (!gpu_map_valid(sc, gr, offset))
		return EINVAL;
	p = gpu_begin_command(sc, GPU_CMD_RESOURCE_MAP_BLOB);
	pv_dev_put32(p + GPU_MAP_RESOURCE, gr->gr_id);
	pv_dev_put64(p + GPU_MAP_OFFSET, offset);
	error = gpu_command(sc, GPU_MAP_LEN, NULL, GPU_MAP_RESP_LEN);
	if (error == 0)
		error = gpu_answered(sc, GPU_RESP_OK_MAP_INFO,
		    GPU_MAP_RESP_LEN, NULL);
	if (error)
		return error;
	gr->gr_mapped = 1;
	*cache = pv_dev_get32(sc->sc_cmds->gc_answer + GPU_MAP_RESP_INFO) &
	    GPU_MAP_CACHE_MASK;
	/* A word that nobody knows: the kind that every mapping may have. */
	if (*cache > PV_GPU_CACHE_WC)
		*cache = PV_GPU_CACHE_NONE;
	return 0;
}

int
pv_gpu_unmap_blob(struct pv_gpu *sc, struct pv_gpu_resource *gr)
{
	int error;

	error = gpu_ready(sc);
	if (error)
		return error;
	if (gr->gr_id == 0 || !gr->gr_mapped)
		return EINVAL;
	error = gpu_of_resource(sc, GPU_CMD_RESOURCE_UNMAP_BLOB, gr->gr_id);
	if (error == 0)
		gr->gr_mapped = 0;
	return error;
}

/* What takes a fence */

/* A job of one command of a context's, on one of its rings. */
static int
gpu_begin_3d(struct pv_gpu *sc, uint32_t ctx, int ring, uint32_t command,
    struct gpu_slot **slot, uint8_t **request)
{
	struct gpu_job *job;
	int error;

	/* CONTEXT_INIT is not without VIRGL. */
	error = gpu_ready_for(sc, ring >= 0 ? PV_GPU_F_CONTEXT_INIT :
	    PV_GPU_F_VIRGL);
	if (error)
		return error;
	if (ring >= PV_GPU_MAXRINGS)
		return EINVAL;
	error = gpu_job_begin(sc, 1, &job);
	if (error)
		return error;
	*slot = gpu_job_slot(sc, job, command, request);
	(*slot)->gs_ctx = ctx;
	pv_dev_put32(*request + GPU_HDR_CTX_ID, ctx);
	if (ring < 0)
		return 0;
	pv_dev_put32(*request + GPU_HDR_FLAGS,
	    GPU_FLAG_FENCE | GPU_FLAG_RING_IDX);
	(*request)[GPU_HDR_RING_IDX] = (uint8_t)ring;
	return 0;
}

static int
gpu_send_3d(struct pv_gpu *sc, struct gpu_slot *slot, uint32_t len,
    const struct pv_piece *pieces, unsigned int npieces, uint64_t *fence)
{
	struct gpu_job *job = slot->gs_job;
	int error;

	error = gpu_job_enqueue(sc, slot, len, pieces, npieces);
	if (error == 0) {
		gpu_job_send(sc, job, GPU_TIMEOUT_3D_NS, fence);
		return 0;
	}
	gpu_job_cancel(sc, job);
	return error == ENOBUFS ? EBUSY : error;
}

int
pv_gpu_submit_3d(struct pv_gpu *sc, uint32_t ctx, int ring,
    const struct pv_piece *pieces, unsigned int npieces, uint64_t *fence)
{
	struct gpu_slot *slot;
	uint64_t size = 0;
	unsigned int i;
	uint8_t *p;
	int error;

	if (npieces == 0 || npieces > GPU_MAXSTREAM)
		return npieces == 0 ? EINVAL : EFBIG;
	for (i = 0; i < npieces; i++)
		size += pieces[i].pc_len;
	if (size > UINT32_MAX)
		return EINVAL;
	error = gpu_begin_3d(sc, ctx, ring, GPU_CMD_SUBMIT_3D, &slot, &p);
	if (error)
		return error;
	pv_dev_put32(p + GPU_SUBMIT_SIZE, (uint32_t)size);
	return gpu_send_3d(sc, slot, GPU_SUBMIT_LEN, pieces, npieces, fence);
}

int
pv_gpu_transfer_3d(struct pv_gpu *sc, uint32_t ctx, int ring,
    const struct pv_gpu_resource *gr, const struct pv_gpu_transfer *tr,
    uint64_t *fence)
{
	const struct pv_gpu_box *b = &tr->tr_box;
	const uint32_t box[] = { b->x, b->y, b->z, b->w, b->h, b->d };
	struct gpu_slot *slot;
	unsigned int i;
	uint8_t *p;
	int error;

	if (gr->gr_id == 0)
		return EINVAL;
	error = gpu_begin_3d(sc, ctx, ring, tr->tr_from_host ?
	    GPU_CMD_TRANSFER_FROM_HOST_3D : GPU_CMD_TRANSFER_TO_HOST_3D,
	    &slot, &p);
	if (error)
		return error;
	for (i = 0; i < sizeof(box) / sizeof(box[0]); i++)
		pv_dev_put32(p + GPU_T3D_BOX + 4 * i, box[i]);
	pv_dev_put64(p + GPU_T3D_OFFSET, tr->tr_offset);
	pv_dev_put32(p + GPU_T3D_RESOURCE, gr->gr_id);
	pv_dev_put32(p + GPU_T3D_LEVEL, tr->tr_level);
	pv_dev_put32(p + GPU_T3D_STRIDE, tr->tr_stride);
	pv_dev_put32(p + GPU_T3D_LAYER_STRIDE, tr->tr_layer_stride);
	return gpu_send_3d(sc, slot, GPU_T3D_LEN, NULL, 0, fence);
}
