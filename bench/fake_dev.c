/* SPDX-License-Identifier: ISC */
/*
 * The device itself: status, features, configuration.
 */
#include <string.h>

#include "fake.h"
#include "wire.h"

void
fake_init(struct fake_dev *fd, unsigned int type, unsigned int nqueues)
{
	unsigned int i;

	port_hold_end(&fd->fd_holder);
	for (i = 0; i < FAKE_MAXQUEUES; i++)
		pk_end(&fd->fd_queues[i].fq_packed);
	memset(fd, 0, sizeof(*fd));
	fd->fd_type = type;
	fd->fd_features = PV_F_BIT(PV_F_VERSION_1) |
	    PV_F_BIT(PV_F_INDIRECT_DESC) | PV_F_BIT(PV_F_EVENT_IDX);
	fd->fd_nqueues = nqueues;
	for (i = 0; i < nqueues; i++) {
		fd->fd_queues[i].fq_max = 256;
		fd->fd_queues[i].fq_size = 256;
		fd->fd_queues[i].fq_vector = FAKE_NO_VECTOR;
		fd->fd_queues[i].fq_notify_off = i;
		fd->fd_queues[i].fq_notify_id = (uint16_t)(i ^ 0x5a0);
	}
}

int
fake_has(const struct fake_dev *fd, unsigned int bit)
{
	return (fd->fd_accepted & fd->fd_features & PV_F_BIT(bit)) != 0;
}

void
fake_config_set(struct fake_dev *fd, unsigned int off, const void *p,
    size_t len)
{
	memcpy(fd->fd_config + off, p, len);
	if (fd->fd_configlen < off + len)
		fd->fd_configlen = (unsigned int)(off + len);
}

void
fake_config_change(struct fake_dev *fd, unsigned int off, const void *p,
    size_t len)
{
	fake_config_set(fd, off, p, len);
	fd->fd_generation++;
	fd->fd_changed = 1;
	fake_config_interrupt(fd);
}

static void
reset(struct fake_dev *fd)
{
	struct fake_queue *fq;
	unsigned int i;

	fd->fd_status = 0;
	fd->fd_accepted = 0;
	fd->fd_refused = fd->fd_needs_told = fd->fd_changed = 0;
	for (i = 0; i < fd->fd_nqueues; i++) {
		fq = &fd->fd_queues[i];
		fake_queue_clear(fq);
		/* A legacy device may keep the place: QueuePFN is not it. */
		if (!fd->fd_legacy)
			fq->fq_desc = fq->fq_driver = fq->fq_device = 0;
	}
	port_hold_end(&fd->fd_holder);
	if (fd->fd_reset != NULL)
		fd->fd_reset(fd);
}

uint8_t
fake_status_read(struct fake_dev *fd)
{
	if (fd->fd_gone)
		return 0xff;
	if (fd->fd_status & PV_STATUS_NEEDS_RESET)
		fd->fd_needs_told = 1;
	if (fd->fd_resetting > 0) {
		if (!fd->fd_reset_never && --fd->fd_resetting == 0)
			reset(fd);
		else
			return fd->fd_status ? fd->fd_status : 1;
	}
	return fd->fd_status;
}

static void
judge_depends(const struct fake_dev *fd)
{
	const struct fake_depend *fp = fd->fd_depends;
	unsigned int i;

	for (i = 0; i < fd->fd_ndepends; i++, fp++) {
		if ((fd->fd_accepted & PV_F_BIT(fp->fp_bit)) == 0)
			continue;
		if ((fp->fp_all & ~fd->fd_accepted) != 0 || (fp->fp_any != 0 &&
		    (fp->fp_any & fd->fd_accepted) == 0))
			strict_broken(STRICT_FEATURE_DEPENDS, "bit %u of 0x%llx",
			    fp->fp_bit, (unsigned long long)fd->fd_accepted);
	}
}

static void
judge_features(const struct fake_dev *fd)
{
	uint64_t got = fd->fd_accepted, lacks;

	if (got & PV_F_BIT(PV_F_SR_IOV))
		strict_broken(STRICT_SR_IOV, "accepted");
	else if (got & ~fd->fd_known)
		strict_broken(STRICT_FEATURE_UNKNOWN, "accepted 0x%llx",
		    (unsigned long long)(got & ~fd->fd_known));
	if ((fd->fd_features & PV_F_BIT(PV_F_VERSION_1)) &&
	    (got & PV_F_BIT(PV_F_VERSION_1)) == 0)
		strict_broken(STRICT_VERSION_1, "accepted 0x%llx",
		    (unsigned long long)got);
	judge_depends(fd);
	/*
	 * A device that refuses a set may have good reason to be asked again.
	 */
	lacks = fd->fd_features & fd->fd_should & ~got;
	if (lacks != 0 && fd->fd_refuses == 0)
		strict_broken(STRICT_SHOULD_ACCEPT, "0x%llx is left",
		    (unsigned long long)lacks);
}

static void
check_features(struct fake_dev *fd)
{
	if (fd->fd_accepted & ~fd->fd_features)
		strict_broken(STRICT_FEATURE_OFFERED, "accepted 0x%llx",
		    (unsigned long long)(fd->fd_accepted & ~fd->fd_features));
	if (fd->fd_strict)
		judge_features(fd);
	if ((fd->fd_accepted & fd->fd_needs) != fd->fd_needs ||
	    (fd->fd_accepted & fd->fd_refuses) != 0 ||
	    ((fd->fd_accepted & fd->fd_together) != 0 &&
	    (fd->fd_together & fd->fd_features & ~fd->fd_accepted) != 0))
		fd->fd_status &= (uint8_t)~PV_STATUS_FEATURES_OK;
	fd->fd_refused = (fd->fd_status & PV_STATUS_FEATURES_OK) == 0;
}

static void
check_status(const struct fake_dev *fd, uint8_t status)
{
	uint8_t old = fd->fd_status, new = status & (uint8_t)~old;

	if (old & ~status)
		strict_broken(STRICT_STATUS_CLEARED, "0x%x after 0x%x", status,
		    old);
	if ((old & PV_STATUS_FAILED) && new != 0)
		strict_broken(STRICT_STATUS_FAILED, "0x%x after 0x%x", status,
		    old);
	if ((new & PV_STATUS_DRIVER) && !(status & PV_STATUS_ACKNOWLEDGE))
		strict_broken(STRICT_STATUS_ORDER, "DRIVER without ACKNOWLEDGE");
	if ((new & PV_STATUS_FEATURES_OK) && !(old & PV_STATUS_DRIVER))
		strict_broken(STRICT_STATUS_ORDER, "FEATURES_OK without DRIVER");
	if ((new & PV_STATUS_FEATURES_OK) && fd->fd_legacy)
		strict_broken(STRICT_STATUS_ORDER, "FEATURES_OK on a legacy device");
	if ((new & PV_STATUS_DRIVER_OK) && !fd->fd_legacy &&
	    !(old & PV_STATUS_FEATURES_OK))
		strict_broken(fd->fd_refused ? STRICT_REFUSED_GOES_ON :
		    STRICT_STATUS_ORDER, "DRIVER_OK without FEATURES_OK");
}

/* A display's driver has asked where all that there is lies. */
static void
judge_regions(const struct fake_dev *fd)
{
	unsigned int id;

	for (id = 0; fd->fd_type == PV_TYPE_GPU && id < FAKE_REGIONS; id++)
		if (fd->fd_regions[id].sh_len != 0 &&
		    !(fd->fd_regions_seen & 1u << id))
			strict_broken(STRICT_GPU_SHM, "region %u", id);
}

void
fake_status_write(struct fake_dev *fd, uint8_t status)
{
	if (fd->fd_gone)
		return;
	if (status == 0) {
		fd->fd_resetting = fd->fd_reset_never ? 1 : fd->fd_reset_looks;
		if (fd->fd_resetting == 0)
			reset(fd);
		return;
	}
	if (fd->fd_resetting > 0)
		strict_broken(STRICT_RESET_AWAITED, "status 0x%x written",
		    status);
	check_status(fd, status);
	if (status & PV_STATUS_DRIVER_OK) {
		judge_regions(fd);
		fd->fd_was_ok = 1;
		fd->fd_was_packed = fake_has(fd, PV_F_RING_PACKED);
	}
	if (status & PV_STATUS_FAILED)
		fd->fd_gave_up = 1;
	if ((status & PV_STATUS_FEATURES_OK) &&
	    !(fd->fd_status & PV_STATUS_FEATURES_OK)) {
		fd->fd_status = status;
		check_features(fd);
	} else
		fd->fd_status = status;
	if (fd->fd_status_written != NULL)
		fd->fd_status_written(fd, status);
}

uint32_t
fake_features_read(struct fake_dev *fd)
{
	if (fd->fd_gone)
		return UINT32_MAX;
	if (fd->fd_feature_sel > 1)
		return 0;
	return (uint32_t)(fd->fd_features >> (32 * fd->fd_feature_sel));
}

void
fake_features_write(struct fake_dev *fd, uint32_t val)
{
	unsigned int shift = 32 * fd->fd_driver_sel;

	if (fd->fd_gone)
		return;
	if (!(fd->fd_status & PV_STATUS_DRIVER))
		strict_broken(STRICT_STATUS_ORDER,
		    "features written before DRIVER");
	if (fd->fd_status & PV_STATUS_FEATURES_OK)
		strict_broken(STRICT_FEATURE_LATE, "written after FEATURES_OK");
	if (fd->fd_driver_sel > 1)
		return;
	fd->fd_accepted &= ~((uint64_t)UINT32_MAX << shift);
	fd->fd_accepted |= (uint64_t)val << shift;
}

static const struct fake_field *
field_of(const struct fake_dev *fd, unsigned int off)
{
	const struct fake_field *ff = fd->fd_fields;
	unsigned int i;

	for (i = 0; i < fd->fd_nfields; i++, ff++)
		if (off >= ff->ff_off &&
		    off - ff->ff_off < (unsigned int)ff->ff_width * ff->ff_count)
			return ff;
	return NULL;
}

static void
judge_field(const struct fake_dev *fd, unsigned int off, unsigned int width,
    int write)
{
	const struct fake_field *ff = field_of(fd, off);

	if (ff == NULL) {
		strict_broken(STRICT_MMIO_PLACE,
		    "the configuration has no field at %u", off);
		return;
	}
	if (width != ff->ff_width || (off - ff->ff_off) % width != 0)
		strict_broken(STRICT_CONFIG_WIDTH, "%u bytes at %u", width, off);
	if (ff->ff_feature >= 0 && (fd->fd_features &
	    PV_F_BIT(ff->ff_feature)) == 0)
		strict_broken(STRICT_CONFIG_OPTIONAL,
		    "the field at %u needs bit %d", off, ff->ff_feature);
	if (write && !ff->ff_writable)
		strict_broken(STRICT_CONFIG_WRITE, "the field at %u", off);
}

void
fake_access(struct fake_dev *fd)
{
	if (fd->fd_reads > 1 && fd->fd_strict && !fd->fd_legacy)
		strict_broken(STRICT_CONFIG_GENERATION,
		    "none was read after %d fields", fd->fd_reads);
	fd->fd_reads = 0;
	fd->fd_generation_read = 0;
}

uint32_t
fake_generation_read(struct fake_dev *fd)
{
	fd->fd_reads = 0;
	fd->fd_generation_read = 1;
	return fd->fd_generation;
}

void
fake_needs_reset(struct fake_dev *fd)
{
	fd->fd_status |= PV_STATUS_NEEDS_RESET;
	fake_config_interrupt(fd);
}

void
fake_noticed(struct fake_dev *fd, int queue)
{
	if (queue >= 0)
		fd->fd_queues[queue].fq_told = 0;
	else
		fd->fd_changed = 0;
}

static void
settle_queue(struct fake_dev *fd, unsigned int queue)
{
	struct fake_queue *fq = &fd->fd_queues[queue];

	if (fq->fq_ready)
		fake_owed(fd, queue);
	if (fq->fq_told)
		strict_broken(STRICT_USED_UNSEEN, "queue %u", queue);
	fq->fq_told = 0;
}

void
fake_settle(struct fake_dev *fd)
{
	unsigned int i;

	if (!fd->fd_strict || fd->fd_gone ||
	    !(fd->fd_status & PV_STATUS_DRIVER_OK))
		return;
	if (fd->fd_changed)
		strict_broken(STRICT_CONFIG_CHANGE, "nobody looked");
	fd->fd_changed = 0;
	for (i = 0; i < fd->fd_nqueues; i++)
		settle_queue(fd, i);
}

void
fake_judge(struct fake_dev *fd, int drivable)
{
	if (drivable && !fd->fd_was_ok)
		strict_broken(STRICT_GAVE_UP, "no DRIVER_OK, features 0x%llx",
		    (unsigned long long)fd->fd_features);
	else if (drivable && fd->fd_gave_up)
		strict_broken(STRICT_GAVE_UP, "FAILED, features 0x%llx",
		    (unsigned long long)fd->fd_features);
	if (!drivable && !fd->fd_gave_up && !fd->fd_gone)
		strict_broken(STRICT_FAILED_UNSAID, "features 0x%llx",
		    (unsigned long long)fd->fd_features);
}

uint32_t
fake_config_read(struct fake_dev *fd, unsigned int off, unsigned int width)
{
	uint32_t val = 0;

	if (fd->fd_gone)
		return UINT32_MAX >> (32 - 8 * width);
	if (fd->fd_config_reading != NULL)
		fd->fd_config_reading(fd, off);
	if (off % width != 0)
		strict_broken(STRICT_CONFIG_WIDTH, "%u bytes at %u", width, off);
	if (fd->fd_strict)
		judge_field(fd, off, width, 0);
	if (fd->fd_reads++ == 1 && fd->fd_strict && !fd->fd_legacy &&
	    !fd->fd_generation_read)
		strict_broken(STRICT_CONFIG_GENERATION,
		    "none was read before %u", off);
	fd->fd_changed = 0;
	if (off < FAKE_CONFIGLEN && width <= FAKE_CONFIGLEN - off)
		val = (uint32_t)wire_get(fd->fd_config + off, width);
	return val;
}

struct fake_queue *
fake_selected(struct fake_dev *fd)
{
	return fd->fd_queue_sel < fd->fd_nqueues ?
	    &fd->fd_queues[fd->fd_queue_sel] : NULL;
}

void
fake_set_half(bus_addr_t *addr, int high, uint32_t val)
{
	if (high)
		*addr = (*addr & UINT32_MAX) | (bus_addr_t)val << 32;
	else
		*addr = (*addr & ~(bus_addr_t)UINT32_MAX) | val;
}

void
fake_config_write(struct fake_dev *fd, unsigned int off, unsigned int width,
    uint32_t val)
{
	if (fd->fd_gone)
		return;
	if (off % width != 0)
		strict_broken(STRICT_CONFIG_WIDTH, "%u bytes at %u", width, off);
	if (fd->fd_strict)
		judge_field(fd, off, width, 1);
	if (fd->fd_strict && !fd->fd_legacy &&
	    !(fd->fd_status & PV_STATUS_FEATURES_OK))
		strict_broken(STRICT_CONFIG_EARLY, "%u written", off);
	if (off < FAKE_CONFIGLEN && width <= FAKE_CONFIGLEN - off)
		wire_put(fd->fd_config + off, width, val);
	if (fd->fd_config_written != NULL)
		fd->fd_config_written(fd, off);
}

void
fake_config_interrupt(struct fake_dev *fd)
{
	if (fd->fd_signal != NULL)
		fd->fd_signal(fd, -1);
}
