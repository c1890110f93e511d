/* SPDX-License-Identifier: ISC */
/*
 * Device configuration (Basic Facilities of a Virtio Device / Device
 * Configuration Space): fields that belong together come from one generation,
 * or on legacy devices from two readings that agree.
 */
#include "virtio_var.h"

#define CONFIG_TRIES	32

/* What one pass over the fields found out, beside the values. */
struct pass {
	bool ps_changed;	/* a value is another than *cf_to held */
	bool ps_ones;		/* every bit read as 1 */
};

static int
read_wide(struct pv_virtio *dev, unsigned int off, unsigned int width,
    uint64_t *val)
{
	uint32_t lo, hi;
	int error;

	if (width != 8) {
		error = dev->vd_ops->to_config_read(dev->vd_transport, off,
		    width, &lo);
		if (error == 0)
			*val = lo;
		return error;
	}
	error = dev->vd_ops->to_config_read(dev->vd_transport, off, 4, &lo);
	if (error == 0)
		error = dev->vd_ops->to_config_read(dev->vd_transport,
		    off + 4, 4, &hi);
	if (error == 0)
		*val = (uint64_t)hi << 32 | lo;
	return error;
}

/* Put val into element i of an array of this width; true if it was another. */
static bool
store(void *to, unsigned int width, unsigned int i, uint64_t val)
{
	uint64_t old;

	switch (width) {
	case 1:
		old = ((uint8_t *)to)[i];
		((uint8_t *)to)[i] = (uint8_t)val;
		break;
	case 2:
		old = ((uint16_t *)to)[i];
		((uint16_t *)to)[i] = (uint16_t)val;
		break;
	case 4:
		old = ((uint32_t *)to)[i];
		((uint32_t *)to)[i] = (uint32_t)val;
		break;
	default:
		old = ((uint64_t *)to)[i];
		((uint64_t *)to)[i] = val;
		break;
	}
	return old != val;
}

static int
read_field(struct pv_virtio *dev, const struct pv_config_field *cf,
    struct pass *ps)
{
	unsigned int i, width = cf->cf_width;
	uint64_t val = 0;
	int error;

	if (width != 1 && width != 2 && width != 4 && width != 8)
		return ERANGE;
	for (i = 0; i < cf->cf_count; i++) {
		error = read_wide(dev, cf->cf_off + i * width, width, &val);
		if (error)
			return error;
		if (store(cf->cf_to, width, i, val))
			ps->ps_changed = true;
		if (val != UINT64_MAX >> (64 - 8 * width))
			ps->ps_ones = false;
	}
	return 0;
}

static int
read_pass(struct pv_virtio *dev, const struct pv_config_field *cf,
    unsigned int n, struct pass *ps)
{
	unsigned int i;
	int error;

	ps->ps_changed = false;
	ps->ps_ones = true;
	for (i = 0; i < n; i++) {
		error = read_field(dev, &cf[i], ps);
		if (error)
			return error;
	}
	return 0;
}

static int
read_generation(struct pv_virtio *dev, const struct pv_config_field *cf,
    unsigned int n, struct pass *ps, bool *steady)
{
	uint32_t before, after;
	int error;

	before = dev->vd_ops->to_config_generation(dev->vd_transport);
	error = read_pass(dev, cf, n, ps);
	after = dev->vd_ops->to_config_generation(dev->vd_transport);
	*steady = before == after;
	return error;
}

static int
read_twice(struct pv_virtio *dev, const struct pv_config_field *cf,
    unsigned int n, struct pass *ps, bool *steady)
{
	int error;

	error = read_pass(dev, cf, n, ps);
	if (error)
		return error;
	error = read_pass(dev, cf, n, ps);
	*steady = !ps->ps_changed;
	return error;
}

int
pv_virtio_config_read(struct pv_virtio *dev, const struct pv_config_field *cf,
    unsigned int n)
{
	bool legacy = virtio_is_legacy(dev), steady = false;
	struct pass ps;
	int error, tries;

	if (virtio_is_broken(dev))
		return EIO;
	for (tries = 0; tries < CONFIG_TRIES && !steady; tries++) {
		error = legacy ? read_twice(dev, cf, n, &ps, &steady) :
		    read_generation(dev, cf, n, &ps, &steady);
		if (error)
			return error;
	}
	if (!steady)
		return EIO;
	if (ps.ps_ones && dev->vd_ops->to_status_read(dev->vd_transport) ==
	    STATUS_GONE)
		return pv_virtio_break(dev, "the device is gone");
	return 0;
}

int
pv_virtio_config_write(struct pv_virtio *dev, unsigned int off,
    unsigned int width, uint32_t val)
{
	if (virtio_is_broken(dev))
		return EIO;
	if ((width != 1 && width != 2 && width != 4) || off % width != 0)
		return ERANGE;
	return dev->vd_ops->to_config_write(dev->vd_transport, off, width,
	    val);
}
