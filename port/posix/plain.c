/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>

#include "plain.h"

/* No properties, no generation, no interrupt that waits. */
static unsigned int
none(void *arg)
{
	(void)arg;
	return 0;
}

static uint8_t
status_read(void *arg)
{
	const struct plain *pl = arg;

	return pl->pl_status;
}

static void
status_write(void *arg, uint8_t status)
{
	struct plain *pl = arg;

	pl->pl_status = status;
}

static uint64_t
features_read(void *arg)
{
	const struct plain *pl = arg;

	return pl->pl_offered;
}

static void
features_write(void *arg, uint64_t features)
{
	(void)arg;
	(void)features;
}

static int
config_read(void *arg, unsigned int off, unsigned int width, uint32_t *val)
{
	const struct plain *pl = arg;
	uint32_t v = 0;

	if (off > pl->pl_configlen || width > pl->pl_configlen - off)
		return ERANGE;
	while (width > 0)
		v = v << 8 | pl->pl_config[off + --width];
	*val = v;
	return 0;
}

static int
config_write(void *arg, unsigned int off, unsigned int width, uint32_t val)
{
	(void)arg;
	(void)off;
	(void)width;
	(void)val;
	return ERANGE;
}

static unsigned int
config_size(void *arg)
{
	const struct plain *pl = arg;

	return pl->pl_configlen;
}

static unsigned int
queue_count(void *arg)
{
	const struct plain *pl = arg;

	return pl->pl_nqueues;
}

static unsigned int
queue_max(void *arg, unsigned int queue)
{
	const struct plain *pl = arg;

	return queue < pl->pl_nqueues ? pl->pl_queue_max : 0;
}

static int
queue_enable(void *arg, unsigned int queue, const struct pv_queue_place *qp)
{
	const struct plain *pl = arg;

	if (pl->pl_enable != NULL)
		pl->pl_enable(queue, qp);
	return 0;
}

static void
notify(void *arg, unsigned int queue, uint32_t data)
{
	const struct plain *pl = arg;

	if (pl->pl_notify != NULL)
		pl->pl_notify(queue, data);
}

static enum pv_intr_mode
intr_setup(void *arg, struct pv_virtio *dev, unsigned int nqueues)
{
	const struct plain *pl = arg;

	(void)dev;
	(void)nqueues;
	return pl->pl_intr;
}

static void
intr_teardown(void *arg)
{
	(void)arg;
}

static void
describe(void *arg, char *buf, size_t len)
{
	(void)arg;
	snprintf(buf, len, "plain");
}

const struct pv_transport_ops plain_transport = {
	.to_name = "plain",
	.to_properties = none,
	.to_status_read = status_read,
	.to_status_write = status_write,
	.to_features_read = features_read,
	.to_features_write = features_write,
	.to_config_read = config_read,
	.to_config_write = config_write,
	.to_config_generation = none,
	.to_config_size = config_size,
	.to_queue_count = queue_count,
	.to_queue_max = queue_max,
	.to_queue_enable = queue_enable,
	.to_notify = notify,
	.to_intr_setup = intr_setup,
	.to_intr_teardown = intr_teardown,
	.to_intr_status = none,
	.to_describe = describe,
};
