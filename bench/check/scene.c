/* SPDX-License-Identifier: ISC */
#include <bench.h>

#include "scene.h"

/* A ring is in one segment, and a page of a framebuffer. */
#define REGION		0x100000000ull	/* of shared memory: beyond 32 bits */
#define SPLIT_SEGSIZE	(PAGE_SIZE > 16384u ? PAGE_SIZE : 16384u)

static uint32_t (*real_read)(void *, bus_size_t, unsigned int);
static void (*real_write)(void *, bus_size_t, unsigned int, uint32_t);
static struct scene *now;

/* Each access to a register may be the one that finds the device gone. */
static void
count(void)
{
	struct fake_dev *fd = &now->sc_st.st_fd;

	if (++now->sc_accesses == now->sc_run->rn_remove)
		fd->fd_gone = 1;
}

static uint32_t
counted_read(void *arg, bus_size_t off, unsigned int width)
{
	count();
	return real_read(arg, off, width);
}

static void
counted_write(void *arg, bus_size_t off, unsigned int width, uint32_t val)
{
	count();
	real_write(arg, off, width, val);
}

static void
count_accesses(struct scene *sc)
{
	struct port_bus_space *bs = sc->sc_st.st_kind == STAND_PCI ?
	    &sc->sc_st.st_fp.fp_space : &sc->sc_st.st_fm.fm_space;

	now = sc;
	real_read = bs->bs_read;
	real_write = bs->bs_write;
	bs->bs_read = counted_read;
	bs->bs_write = counted_write;
}

void
scene_fail(struct scene *sc, const char *file, int line, const char *what)
{
	const char *why = sc->sc_st.st_dev.vd_why;
	size_t n = strlen(port.po_log);

	snprintf(sc->sc_why, sizeof(sc->sc_why), "%s:%d: %s%s%s\n%.200s", file,
	    line, what, why != NULL ? "; broken: " : "", why != NULL ? why : "",
	    port.po_log + (n > 200 ? n - 200 : 0));
	longjmp(sc->sc_jmp, 1);
}

void
scene_attach_failed(struct scene *sc, int error)
{
	if (!scene_gone(sc))
		scene_fail(sc, "attach", error, strerror(error));
}

int
scene_reliable(const struct scene *sc)
{
	return !sc->sc_polls && !vdev_has(&sc->sc_vd, Q_LOSE);
}

void
scene_settle(struct scene *sc)
{
	struct fake_dev *fd = &sc->sc_st.st_fd;
	unsigned int i;

	/* A driver that awaits an answer looks for itself. */
	if (sc->sc_run->rn_type == PV_TYPE_NET)
		fake_noticed(fd, 2);
	/* Interrupts that do not come tell nobody. */
	if (!scene_reliable(sc)) {
		for (i = 0; i < fd->fd_nqueues; i++)
			fake_noticed(fd, (int)i);
		fake_noticed(fd, -1);
	}
	fake_settle(fd);
}

void
scene_poll(struct scene *sc)
{
	if (!scene_reliable(sc))
		pv_virtio_poll(sc->sc_dev);
}

void
scene_note_queue(void *arg, unsigned int queue)
{
	struct scene *sc = arg;

	sc->sc_notes[queue]++;
	fake_noticed(&sc->sc_st.st_fd, (int)queue);
}

void
scene_note_0(void *arg)
{
	scene_note_queue(arg, 0);
}

void
scene_note_1(void *arg)
{
	scene_note_queue(arg, 1);
}

void
scene_note_changed(void *arg)
{
	struct scene *sc = arg;

	sc->sc_changed++;
}

void
scene_note_broken(void *arg, const char *why)
{
	struct scene *sc = arg;

	(void)why;
	sc->sc_broken++;
}

static void
use_bus(const struct run *rn)
{
	struct bench_dma config = { .bd_seed = rn->rn_seed };

	config.bd_line = rn->rn_seed & 1 ? 128 : 64;
	config.bd_refuse_coherent = rn->rn_bus == BUS_REFUSE;
	config.bd_bounce = rn->rn_bus == BUS_BOUNCE;
	bench_dma_use(rn->rn_bus == BUS_PLAIN || rn->rn_bus == BUS_SPLIT ?
	    NULL : &config);
}

/* How the interrupts of this run are made. */
static void
choose_interrupts(struct scene *sc)
{
	static const unsigned int vectors[] = { 99, 1, 2, 0, 0, 99, 3 };
	unsigned int v = vectors[sc->sc_run->rn_seed % 7];
	struct fake_pci *fp = &sc->sc_st.st_fp;

	if (sc->sc_st.st_kind != STAND_PCI) {
		sc->sc_polls = sc->sc_run->rn_seed % 5 == 4;
		sc->sc_st.st_fm.fm_no_intr = sc->sc_polls;
		return;
	}
	if (v != 99)
		fp->fp_vectors = v;
	fp->fp_no_line = sc->sc_run->rn_seed % 7 == 4;
	sc->sc_polls = fp->fp_vectors == 0 && fp->fp_no_line;
}

/*
 * What a kernel's code for buses does: waits for a function that is late, and
 * gives its BAR an address in the window, after one that is not.
 */
static void
bring_in(struct scene *sc)
{
	struct fake_pci *fp = &sc->sc_st.st_fp;
	const unsigned int low = FAKE_PCI_BAR_LOW, high = low + 4;
	uint64_t size, addr;
	unsigned int i;

	for (i = 0; fake_pci_bus_read(fp, 0) == UINT32_MAX && i < 100; i++) {
		MUST(sc, stand_attach(&sc->sc_st) == EIO);
		pv_kern_delay_us(10000);
	}
	MUST(sc, stand_attach(&sc->sc_st) == EINVAL);
	MUST(sc, fake_pci_check(fp) == 0);
	fake_pci_bus_write(fp, low, UINT32_MAX);
	fake_pci_bus_write(fp, high, UINT32_MAX);
	size = -((uint64_t)fake_pci_bus_read(fp, high) << 32 |
	    (fake_pci_bus_read(fp, low) & ~15u));
	MUST(sc, size == fp->fp_barlen);
	fake_pci_bus_write(fp, low, (uint32_t)size);
	fake_pci_bus_write(fp, high, 0);
	MUST(sc, (fake_pci_bus_read(fp, low) & ~15u) == 0);
	addr = (fp->fp_window + size - 1) & ~(size - 1);
	fake_pci_bus_write(fp, low, (uint32_t)addr);
	fake_pci_bus_write(fp, high, (uint32_t)(addr >> 32));
	MUST(sc, (fake_pci_bus_read(fp, low) & ~15u) == (uint32_t)addr);
	fake_pci_bus_write(fp, 4, FAKE_PCI_MEMORY | FAKE_PCI_MASTER);
}

static int
attach_transport(struct scene *sc)
{
	struct fake_pci *fp = &sc->sc_st.st_fp;
	int error;

	if (fp->fp_cold)
		bring_in(sc);
	if (sc->sc_st.st_kind == STAND_PCI &&
	    pv_pci_match((0x1040u + sc->sc_run->rn_type) << 16 | 0x1af4, 0) !=
	    sc->sc_run->rn_type)
		fake_pci_declined(fp);
	error = stand_attach(&sc->sc_st);
	sc->sc_dev = &sc->sc_st.st_dev;
	if (error == 0 || sc->sc_dev->vd_ops != NULL)
		sc->sc_attached = 1;
	return error;
}

/* The kind of ring is packed where that is offered, and memory lets it be. */
static void
judge_kind(struct scene *sc)
{
	const struct fake_dev *fd = &sc->sc_st.st_fd;
	int packed = (fd->fd_features & PV_F_BIT(PV_F_RING_PACKED)) != 0 &&
	    sc->sc_run->rn_bus != BUS_REFUSE;

	if (!scene_gone(sc) && fd->fd_was_ok)
		MUST(sc, (fd->fd_was_packed != 0) == packed);
}

static void
play(struct scene *sc)
{
	if (attach_transport(sc) != 0) {
		MUST(sc, scene_gone(sc));
		return;
	}
	sc->sc_run->rn_play(sc);
	judge_kind(sc);
	fake_judge(&sc->sc_st.st_fd, !scene_gone(sc) &&
	    sc->sc_run->rn_remove == 0);
}

static void
finish(struct scene *sc)
{
	uint64_t took;

	if (sc->sc_attached && sc->sc_st.st_kind == STAND_PCI) {
		pv_pci_detach(&sc->sc_st.st_pp);
		MUST(sc, fake_pci_check(&sc->sc_st.st_fp) == 0);
	} else if (sc->sc_attached) {
		pv_mmio_detach(&sc->sc_st.st_mm);
		MUST(sc, sc->sc_st.st_fm.fm_fn == NULL);
	}
	took = port.po_now_ns - 1000000000ull;
	MUST(sc, took < 60000000000ull);
	MUST(sc, port.po_violations == 0);
	/* What a device that is gone may still reach is never freed. */
	if (!scene_gone(sc))
		MUST(sc, port.po_allocs == 0 && port.po_dmamems == 0 &&
		    port.po_dmamaps == 0 && port.po_loads == 0);
}

int
scene_run(struct scene *sc, const struct run *rn)
{
	int failed;

	memset(sc, 0, sizeof(*sc));
	sc->sc_run = rn;
	use_bus(rn);
	stand_init(&sc->sc_st, rn->rn_kind, rn->rn_type,
	    vdev_queues(rn->rn_type));
	if (rn->rn_bus == BUS_SPLIT)
		port.po_segsize = SPLIT_SEGSIZE;
	strict_begin();
	vdev_init(&sc->sc_vd, &sc->sc_st.st_fd, rn->rn_profile, rn->rn_seed,
	    rn->rn_leave);
	/* It is written from both sides, so it takes coherent memory. */
	if (rn->rn_bus == BUS_REFUSE)
		sc->sc_st.st_fd.fd_should &= ~PV_F_BIT(PV_F_RING_PACKED);
	/* A function with odd structures has no room for one of it. */
	if (rn->rn_type == PV_TYPE_GPU && !vdev_has(&sc->sc_vd, Q_ODD))
		vdev_gpu_region(&sc->sc_vd, REGION, 2 * PAGE_SIZE);
	if (rn->rn_kind == STAND_PCI && vdev_has(&sc->sc_vd, Q_ODD))
		fake_pci_odd(&sc->sc_st.st_fp, (unsigned int)rn->rn_seed);
	else if (vdev_has(&sc->sc_vd, Q_ODD))
		sc->sc_st.st_fm.fm_undefined = 0xfffffff8;
	if (rn->rn_kind == STAND_PCI && rn->rn_remove == 0)
		vdev_slot(&sc->sc_vd, &sc->sc_st.st_fp);
	choose_interrupts(sc);
	count_accesses(sc);
	failed = setjmp(sc->sc_jmp);
	if (failed == 0) {
		play(sc);
		finish(sc);
	}
	vdev_fini(&sc->sc_vd);
	port_reset();
	return failed;
}
