/* SPDX-License-Identifier: ISC */
#include "dev.h"

#define DEV_PAUSE_MAX_US	500

void *
pv_dev_mem_alloc(const struct pv_virtio *dev, size_t size, bus_size_t len,
    unsigned int nsegs, int *error)
{
	void *mem = pv_kern_alloc(size);

	*error = mem == NULL ? ENOMEM : pv_dmamem_alloc(mem, dev->vd_dmat, len,
	    DMA_LINE, nsegs, 0, 0);
	if (*error == 0)
		return mem;
	pv_kern_free(mem, size);
	return NULL;
}

int
pv_dev_queue(struct pv_virtio *dev, unsigned int index,
    const struct pv_virtq_params *params, struct pv_virtq **vqp)
{
	if (*vqp != NULL && pv_virtq_restart(*vqp) == 0)
		return 0;
	pv_dev_queue_free(vqp);
	return pv_virtq_alloc(dev, index, params, vqp);
}

void
pv_dev_queue_free(struct pv_virtq **vqp)
{
	pv_virtq_free(*vqp);
	*vqp = NULL;
}

void
pv_dev_queue_drain(const struct pv_virtio *dev, struct pv_virtq *vq)
{
	while (vq != NULL && !dev->vd_lost && pv_virtq_drain(vq) != NULL)
		continue;
}

void
pv_dev_wait_begin(struct pv_dev_wait *dw, uint64_t timeout_ns)
{
	dw->dw_deadline = pv_kern_uptime_ns() + timeout_ns;
	dw->dw_pause_us = 1;
}

int
pv_dev_wait_over(const struct pv_dev_wait *dw)
{
	return pv_kern_uptime_ns() >= dw->dw_deadline ? ETIMEDOUT : 0;
}

int
pv_dev_wait(struct pv_dev_wait *dw)
{
	if (pv_dev_wait_over(dw))
		return ETIMEDOUT;
	pv_kern_pause_us(dw->dw_pause_us);
	if (dw->dw_pause_us < DEV_PAUSE_MAX_US)
		dw->dw_pause_us *= 2;
	return 0;
}

int
pv_dev_read_fields(struct pv_virtio *dev, uint64_t features,
    const struct pv_dev_field *df, unsigned int nfields, void *to, size_t len)
{
	struct pv_config_field fields[PV_DEV_MAXFIELDS];
	unsigned int i, n = 0;
	int error;

	memset(to, 0, len);
	for (i = 0; i < nfields; i++)
		if (features & df[i].df_features)
			fields[n++] = (struct pv_config_field){
			    df[i].df_off, df[i].df_width, 1,
			    (uint8_t *)to + df[i].df_to };
	error = n > 0 ? pv_virtio_config_read(dev, fields, n) : 0;
	if (error != ERANGE)
		return error;
	memset(to, 0, len);
	for (i = 0; i < n; i++) {
		error = pv_virtio_config_read(dev, &fields[i], 1);
		if (error && error != ERANGE)
			return error;
	}
	return 0;
}
