/* SPDX-License-Identifier: ISC */
/*
 * The transports: a function whose configuration space, and a register block
 * whose values, are the source's; behind each a device that is honest where
 * nobody meddles. No access may leave what was mapped, no call hang, and
 * nothing stay behind but what a device that never confirmed may still reach.
 */
#include <string.h>

#include "draw.h"
#include "stand.h"

#define NQUEUES	3

static struct stand st;
static struct port_bus_space lying;	/* before the model's own */
static bus_size_t window;		/* bytes that were mapped */
static const struct pv_feature_table no_features;

static uint32_t
lying_read(void *v, bus_size_t off, unsigned int width)
{
	const struct port_bus_space *bs = v;
	uint32_t val;

	holds(RULE_WINDOW, width <= window && off <= window - width);
	must(off % width == 0);
	val = bs->bs_read(bs->bs_arg, off, width);
	if (lies())
		val = strange() & (UINT32_MAX >> (32 - 8 * width));
	return val;
}

static void
lying_write(void *v, bus_size_t off, unsigned int width, uint32_t val)
{
	const struct port_bus_space *bs = v;

	holds(RULE_WINDOW, width <= window && off <= window - width);
	must(off % width == 0);
	if (lies() && lies())
		return;
	bs->bs_write(bs->bs_arg, off, width, val);
	if (lies() && lies())
		st.st_fd.fd_gone = 1;
}

static void
lie_over(const struct port_bus_space *bs)
{
	lying.bs_read = lying_read;
	lying.bs_write = lying_write;
	lying.bs_arg = (void *)(uintptr_t)bs;
}

/* A wait in vain does not cost a scene thousands of looks. */
static void
at_tick(void *arg)
{
	(void)arg;
	port.po_now_ns += 1000000;
}

/* What the model says of a driver that was lied to is no finding. */
static void
begin(enum stand_kind kind)
{
	port_quiet = 1;
	malice = draw(3) == 0 ? 0 : 1 + draw(40);
	stand_init(&st, kind, PV_TYPE_NET, NQUEUES);
	port.po_tick = at_tick;
	st.st_fd.fd_lenient = 1;
	st.st_fd.fd_reset_looks = draw(4);
	st.st_fd.fd_nqueues = draw(2) ? NQUEUES : draw(FAKE_MAXQUEUES);
	st.st_fd.fd_queues[draw(NQUEUES)].fq_max = strange();
	if (draw(4) == 0)
		st.st_fd.fd_features = strange() | (uint64_t)strange() << 32;
}

/*
 * Nothing stays but what a lost device may still reach: that is memory for
 * DMA, no handler and no BAR.
 */
static void
end(int lost)
{
	must(port.po_allocs == 0);
	if (!lost)
		must(port.po_dmamems == 0 && port.po_loads == 0 &&
		    port.po_dmamaps == 0);
	port_reset();
	port_quiet = 0;
}

static void
device(struct fake_dev *fd, unsigned int queue)
{
	struct fake_chain fc;

	while (fake_pop(fd, queue, &fc))
		fake_push(fd, queue, &fc, lies() ? strange() : 0);
}

static void
use_queue(struct pv_virtq *vq, struct port_buf *pb)
{
	struct pv_piece pc = { pb->pb_map, 0, pb->pb_len };
	struct pv_used us;

	(void)pv_virtq_enqueue(vq, &pc, 1, 0, pb);
	(void)pv_virtq_publish(vq);
	if (pv_virtq_dequeue(vq, &us) == 0) {
		holds(RULE_ID, us.us_cookie == pb);
		holds(RULE_LENGTH, us.us_len == 0);
	}
}

static void
use_device(struct pv_virtq **vqs)
{
	struct port_buf *pb = port_buf_new(64);
	struct pv_config_field cf = { 0, 8, 1, &(uint64_t){ 0 } };
	unsigned int i, q;

	for (i = 0; i < 40 && draw_more(i); i++) {
		q = draw(NQUEUES);
		if (vqs[q] != NULL)
			use_queue(vqs[q], pb);
		cf.cf_off = (uint16_t)draw(512);
		bounded(5, pv_virtio_config_read(&st.st_dev, &cf, 1));
		pv_virtio_config_write(&st.st_dev, draw(512), 1 << draw(3),
		    strange());
		if (st.st_fd.fd_signal != NULL)
			st.st_fd.fd_signal(&st.st_fd, (int)draw(NQUEUES) - 1);
		pv_virtio_poll(&st.st_dev);
	}
	port_buf_free(pb);
}

/* What is found of shared memory is memory, and within its BAR. */
static void
find_regions(void)
{
	struct pv_shm shm;
	uint64_t size;
	unsigned int id;

	for (id = 0; id < 3; id++) {
		if (pv_virtio_shm(&st.st_dev, id, &shm) != 0) {
			holds(RULE_RANGES, shm.sh_len == 0);
			continue;
		}
		holds(RULE_RANGES, shm.sh_len > 0 &&
		    shm.sh_start + shm.sh_len > shm.sh_start);
		if (st.st_kind != STAND_PCI)
			continue;
		holds(RULE_WINDOW, shm.sh_bar >= 0 && fake_pci_ops.po_bar_size(
		    &st.st_fp, (unsigned int)shm.sh_bar, &size) == 0 &&
		    shm.sh_start + shm.sh_len <= size);
	}
}

/* As a driver would, on whatever is there. Whether the device was lost. */
static int
drive(void)
{
	struct pv_virtq_params vp = { .vp_name = "fuzz", .vp_size = 8,
	    .vp_maxpieces = 2, .vp_maxsegs = 4 };
	struct pv_virtq *vqs[NQUEUES] = { NULL };
	unsigned int i;
	int lost = 0;

	st.st_fd.fd_notify = device;
	find_regions();
	bounded(60, i = pv_virtio_negotiate(&st.st_dev, &no_features,
	    NULL) != 0);
	if (i == 0) {
		for (i = 0; i < NQUEUES; i++)
			if (pv_virtq_alloc(&st.st_dev, i, &vp, &vqs[i]) != 0)
				vqs[i] = NULL;
		bounded(10, i = pv_virtio_start(&st.st_dev) != 0);
		if (i == 0)
			use_device(vqs);
		bounded(5, lost = pv_virtio_stop(&st.st_dev));
	}
	for (i = 0; i < NQUEUES; i++) {
		while (vqs[i] != NULL && pv_virtq_drain(vqs[i]) != NULL)
			;
		pv_virtq_free(vqs[i]);
	}
	return lost;
}

/* PCI */

static int
map_bar(void *v, unsigned int bar, bus_space_tag_t *tag,
    bus_space_handle_t *handle, bus_size_t *size)
{
	int error;

	holds(RULE_WINDOW, bar < PV_PCI_MAXBARS);
	error = fake_pci_ops.po_map_bar(v, bar, tag, handle, size);
	if (error == 0) {
		*tag = &lying;
		window = *size;
	}
	return error;
}

static uint32_t
conf_read(void *v, unsigned int reg)
{
	uint32_t val;

	holds(RULE_WINDOW, reg % 4 == 0 && reg <= 252);
	val = fake_pci_ops.po_conf_read(v, reg);
	return lies() && lies() ? strange() : val;
}

/* A word of the configuration space, here and there, is another. */
static void
meddle(struct fake_pci *fp)
{
	unsigned int i, n = draw(2) ? 0 : draw(40), off;
	uint32_t val;

	for (i = 0; i < n; i++) {
		off = draw(4) ? 0x40 + draw(64) : draw(253);
		val = strange();
		memcpy(fp->fp_conf + off, &val, 1 + draw(4));
	}
	if (draw(4) == 0)
		scribble(fp->fp_conf + 0x40, 0xc0);
}

void
scene_pci(void)
{
	struct pv_pci_ops ops = fake_pci_ops;
	int error, lost = 0;

	begin(STAND_PCI);
	ops.po_map_bar = map_bar;
	ops.po_conf_read = conf_read;
	lie_over(&st.st_fp.fp_space);
	if (draw(2)) {
		st.st_fp.fp_shmlen = (uint64_t)strange() << draw(33);
		fake_pci_region(&st.st_fp, 24, draw(3), draw(8) ?
		    FAKE_PCI_SHMBAR : FAKE_PCI_BAR, strange(), strange());
		fake_pci_region(&st.st_fp, 24, draw(3), FAKE_PCI_SHMBAR,
		    (uint64_t)strange() << draw(33),
		    (uint64_t)strange() << draw(33));
	}
	meddle(&st.st_fp);
	if (draw(4) == 0)
		st.st_fp.fp_barlen = strange();
	st.st_fp.fp_bars |= draw(64);
	st.st_fp.fp_vectors = draw(5);
	st.st_fp.fp_no_line = (int)draw(2);
	error = pv_pci_attach(&st.st_pp, &ops, &st.st_fp, "fake0");
	if (error == 0) {
		bounded(5, error = pv_virtio_init(&st.st_dev,
		    &pv_pci_transport, &st.st_pp, st.st_pp.pp_type,
		    &port_dma_tag, "fake0", NULL, NULL));
		if (error == 0)
			lost = drive();
		pv_pci_detach(&st.st_pp);
	}
	must(fake_pci_check(&st.st_fp) == 0);
	end(lost);
}

/* MMIO */

void
scene_mmio(void)
{
	int error, lost = 0;

	begin(draw(3) == 0 ? STAND_LEGACY : STAND_MMIO);
	lie_over(&st.st_fm.fm_space);
	window = draw(2) ? FAKE_MMIO_SIZE : draw(FAKE_MMIO_SIZE + 1);
	st.st_fm.fm_no_intr = (int)draw(2);
	error = pv_mmio_attach(&st.st_mm, &lying, 0, window, &fake_mmio_ops,
	    &st.st_fm, "fake0");
	if (error == 0) {
		bounded(5, error = pv_virtio_init(&st.st_dev,
		    &pv_mmio_transport, &st.st_mm, st.st_mm.mm_type,
		    &port_dma_tag, "fake0", NULL, NULL));
		if (error == 0)
			lost = drive();
		pv_mmio_detach(&st.st_mm);
	}
	must(st.st_fm.fm_fn == NULL);
	end(lost);
}
