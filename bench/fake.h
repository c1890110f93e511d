/* SPDX-License-Identifier: ISC */
/*
 * A virtio device in the test's process: the device's side of features,
 * status, configuration and rings, split and packed, behind a fake PCI function
 * or a fake MMIO register block.
 *
 *	struct fake_dev fd;
 *	struct fake_pci fp;
 *
 *	fake_init(&fd, PV_TYPE_NET, 2);		two queues of at most 256
 *	fd.fd_features |= PV_F_BIT(PV_NET_F_MAC);
 *	fd.fd_notify = my_device;		called at each doorbell
 *	fake_pci_init(&fp, &fd);
 *	pv_pci_attach(&pp, &fake_pci_ops, &fp, "net0");
 *	pv_virtio_init(&dev, &pv_pci_transport, &pp, pp.pp_type,
 *	    &port_dma_tag, "net0", ...);
 *
 * my_device takes chains with fake_pop, reads and writes them with
 * fake_chain_read and _write, and gives them back with fake_push. It is strict:
 * what the specification forbids the driver is a port_violation().
 */
#ifndef FAKE_H
#define FAKE_H

#include <paravane/mmio.h>
#include <paravane/pci.h>

#include "holds.h"
#include "packed.h"
#include "port.h"
#include "strict.h"

#define FAKE_MAXQUEUES	72	/* more than the library has near */
#define FAKE_NO_VECTOR	0xffff	/* VIRTIO_MSI_NO_VECTOR */
#define FAKE_MAXSEGS	1100
#define FAKE_CONFIGLEN	256
#define FAKE_SLOTS	256	/* of a packed ring that are kept an eye on */
#define FAKE_TAKEN	256	/* chains that IN_ORDER keeps account of */
#define FAKE_REGIONS	8	/* of shared memory */

struct fake_dev;

/* A field of the device's configuration. */
struct fake_field {
	uint16_t ff_off;
	uint8_t ff_width;	/* of one access: 1, 2, 4 */
	uint8_t ff_count;
	uint8_t ff_writable;
	int8_t ff_feature;	/* there only with this; -1: always */
};

/* A feature, and those that it asks for: all, and one of the others. */
struct fake_depend {
	uint8_t fp_bit;
	uint64_t fp_all;
	uint64_t fp_any;	/* 0: none */
};

/* With IN_ORDER: a chain that was taken, and perhaps is done. */
struct fake_taken {
	uint32_t ft_id, ft_len, ft_inlen;
	uint16_t ft_ndescs;
	uint8_t ft_done;
};

/* What only some queues need; one that has it once keeps it. */
struct fake_more {
	struct fake_more *fm_next;
	const struct fake_queue *fm_queue;
	uint64_t fm_slots[FAKE_SLOTS];	/* packed: what was in those taken */
	struct fake_taken fm_taken[FAKE_TAKEN];
};

struct fake_queue {
	unsigned int fq_max;		/* entries; 0: no such queue */
	unsigned int fq_size;
	bus_addr_t fq_desc, fq_driver, fq_device;
	int fq_ready;
	unsigned int fq_vector;		/* MSI-X; or FAKE_NO_VECTOR */
	unsigned int fq_notify_off;	/* PCI */
	uint16_t fq_avail;		/* next available entry to take */
	uint16_t fq_used;		/* next used entry to fill */
	uint16_t fq_signalled;		/* used index at the last interrupt */
	int fq_no_notify;		/* doorbells are not wanted */
	uint16_t fq_event;		/* or wanted beyond this index */
	int fq_silent;			/* interrupts are not sent */
	unsigned int fq_doorbells;	/* counters */
	unsigned int fq_interrupts;
	uint32_t fq_notify_data;	/* of the last doorbell */
	uint16_t fq_seen;		/* available index, as last looked at */
	uint16_t fq_rung;		/* and when the last doorbell came */
	uint16_t fq_settled;		/* up to there no doorbell is owed */
	int fq_ordered;			/* a barrier since then */
	int fq_checked;			/* a full one after the index */
	int fq_vector_unread;		/* written, and not read back */
	int fq_told;			/* an interrupt was sent; fake_noticed */
	uint16_t fq_notify_id;		/* with NOTIF_CONFIG_DATA */
	unsigned int fq_resetting;	/* looks until a reset of it is done */
	int fq_stopped;			/* it was reset, and not enabled since */
	struct holds fq_holds;
	/*
	 * A packed ring's: fq_avail and fq_used count descriptors there, and so
	 * do all fields that are compared with them.
	 */
	struct pk_ring fq_packed;
	int fq_all;			/* each descriptor is to be told of */
	struct fake_more *fq_more;	/* packed, or IN_ORDER */
	unsigned int fq_ntaken;		/* of fm_taken */
	uint16_t fq_next;		/* split, IN_ORDER: the next head */
};

struct fake_dev {
	/* set by the test, before or after the driver attaches */
	unsigned int fd_type;
	uint64_t fd_features;		/* offered */
	struct pv_shm fd_regions[FAKE_REGIONS];	/* by id; length 0: none */
	uint64_t fd_needs;		/* FEATURES_OK is refused without all */
	uint64_t fd_refuses;		/* and with any of these */
	uint64_t fd_together;		/* and with some but not all of these */
	uint8_t fd_config[FAKE_CONFIGLEN];
	unsigned int fd_configlen;
	unsigned int fd_reset_looks;	/* status reads before a reset is done */
	int fd_reset_never;
	int fd_gone;			/* all ones are read from now on */
	int fd_lenient;			/* ring contents are not judged */
	int fd_refuse_queues;		/* enabling one has no effect */
	unsigned int fd_batch;		/* IN_ORDER: so many by one used entry
					 * (0: as many as are done) */
	int fd_queue_deaf;		/* its reset reads as done, and is not */
	unsigned int fd_queue_looks;	/* reads before a queue's reset is done */
	uint64_t fd_maxseg;		/* bytes of one descriptor; 0: no limit */
	int fd_legacy;			/* set by fake_mmio_init */
	int fd_pci;			/* and by fake_pci_init */
	/*
	 * Judge all that strict.h names, behave as the specification allows at
	 * its worst, and know what the configuration and features are.
	 */
	int fd_strict;
	uint64_t fd_known;		/* features of this type and of rings */
	uint64_t fd_should;		/* a driver should take these */
	const struct fake_field *fd_fields;
	unsigned int fd_nfields;
	const struct fake_depend *fd_depends;
	unsigned int fd_ndepends;

	/* hooks; NULL: none */
	void (*fd_notify)(struct fake_dev *, unsigned int queue);
	void (*fd_reset)(struct fake_dev *);
	void (*fd_queue_reset)(struct fake_dev *, unsigned int queue);
	void (*fd_status_written)(struct fake_dev *, uint8_t);
	void (*fd_config_reading)(struct fake_dev *, unsigned int off);
	void (*fd_config_written)(struct fake_dev *, unsigned int off);
	/* what it was lent: ph_lent, port.h */
	const char *(*fd_lent)(struct fake_dev *, bus_addr_t, bus_size_t);
	void *fd_data;			/* the test's */

	/* state, to be looked at, or spoiled */
	uint8_t fd_status;
	uint64_t fd_accepted;		/* written by the driver */
	uint32_t fd_generation;
	uint32_t fd_feature_sel, fd_driver_sel, fd_queue_sel;
	unsigned int fd_resetting;	/* looks still to come */
	struct fake_queue fd_queues[FAKE_MAXQUEUES];
	unsigned int fd_nqueues;
	int fd_refused;			/* the last FEATURES_OK was */
	int fd_was_ok;			/* DRIVER_OK was set once */
	int fd_was_packed;		/* with RING_PACKED, the last time */
	int fd_gave_up;			/* FAILED was set */
	int fd_needs_told;		/* NEEDS_RESET, and the driver knows */
	int fd_changed;			/* configuration, not looked at since */
	int fd_reads;			/* of configuration, since a generation */
	unsigned int fd_regions_seen;	/* mask of those looked at */
	int fd_generation_read;		/* before those */

	struct port_holder fd_holder;

	/* set by the transport */
	void (*fd_signal)(struct fake_dev *, int queue);	/* -1: config */
	void *fd_transport;
};

/*
 * Queues of at most 256 entries; offers VERSION_1, INDIRECT_DESC, EVENT_IDX.
 */
void fake_init(struct fake_dev *, unsigned int type, unsigned int nqueues);

/*
 * Between two calls of the driver, when it owes nothing: a doorbell that is
 * missing, a change of configuration that nobody looked at, used buffers that
 * nobody was told of.
 */
void fake_settle(struct fake_dev *);

/* The driver told its owner of this queue (or of the configuration: -1). */
void fake_noticed(struct fake_dev *, int queue);

/* The device is at its end, and asks for a reset. */
void fake_needs_reset(struct fake_dev *);

/* At the end of a driver that could have driven this device, or could not. */
void fake_judge(struct fake_dev *, int drivable);

/*
 * Look at each barrier of the driver's, until the next port_reset or
 * fake_watch(NULL): where CPU and device see one memory.
 */
void fake_watch(struct fake_dev *);

/* Whether the driver and device agreed on a feature. */
int fake_has(const struct fake_dev *, unsigned int bit);

/* Configuration bytes, with a new generation and an interrupt. */
void fake_config_change(struct fake_dev *, unsigned int off, const void *,
    size_t len);
/* The same before the driver looks: no interrupt. */
void fake_config_set(struct fake_dev *, unsigned int off, const void *,
    size_t len);

/* A chain that the driver made available. */
struct fake_chain {
	unsigned int fc_head;		/* what the used ring calls it */
	int fc_indirect;
	unsigned int fc_nout, fc_nin;
	uint64_t fc_outlen, fc_inlen;	/* bytes */
	struct ring_seg fc_segs[FAKE_MAXSEGS];	/* outs, then ins */
	struct ring_seg fc_table;	/* packed: an indirect table, or none */
	uint64_t fc_sum;		/* of its descriptors, if strict */
	unsigned int fc_ndescs;
	int fc_bad;			/* could not be followed */
};

/*
 * fake_region - a shared memory region, before the driver attaches
 *
 * start	MMIO: the physical address; PCI: the offset in a BAR of its own,
 *		whose size, if it is less, becomes start + len
 *
 * Returns 1; 0 where there can be none: the transport is legacy, or the
 * function has no room for a capability.
 */
int fake_region(struct fake_dev *, unsigned int id, uint64_t start,
    uint64_t len);

/* Take the next chain: 1, or 0 if there is none. */
int fake_pop(struct fake_dev *, unsigned int queue, struct fake_chain *);

/* Bytes of what the driver sent; of what it will read. Returns bytes moved. */
size_t fake_chain_read(const struct fake_chain *, size_t off, void *,
    size_t len);
size_t fake_chain_write(const struct fake_chain *, size_t off, const void *,
    size_t len);

/*
 * Give a chain back, and interrupt if the driver wants that. With IN_ORDER
 * those that were taken before it come first; and until fd_batch are done, or
 * fake_flush, none is given.
 */
void fake_push(struct fake_dev *, unsigned int queue,
    const struct fake_chain *, uint32_t len);

/* The same without the interrupt. */
void fake_give(struct fake_dev *, unsigned int queue,
    const struct fake_chain *, uint32_t len);

/* With IN_ORDER: all that is done is given. */
void fake_flush(struct fake_dev *, unsigned int queue);

/*
 * The parts of fake_push, for devices that misbehave: any id and length into
 * the next used entry; any used index; an interrupt if it is wanted by the
 * index as it is (force: in any case).
 */
void fake_push_raw(struct fake_dev *, unsigned int queue, uint32_t id,
    uint32_t len);
void fake_set_used_idx(struct fake_dev *, unsigned int queue, uint16_t);
void fake_interrupt(struct fake_dev *, unsigned int queue, int force);
void fake_config_interrupt(struct fake_dev *);

/* The used side asks for no doorbells (on), or for one at the next chain. */
void fake_no_notify(struct fake_dev *, unsigned int queue, int on);

/* Available entries not taken yet. */
unsigned int fake_available(struct fake_dev *, unsigned int queue);

/* For transports */
void fake_access(struct fake_dev *);	/* other than to configuration */
uint32_t fake_generation_read(struct fake_dev *);
uint8_t fake_status_read(struct fake_dev *);
void fake_status_write(struct fake_dev *, uint8_t);
uint32_t fake_features_read(struct fake_dev *);
void fake_features_write(struct fake_dev *, uint32_t);
uint32_t fake_config_read(struct fake_dev *, unsigned int off,
    unsigned int width);
void fake_config_write(struct fake_dev *, unsigned int off, unsigned int width,
    uint32_t val);
struct fake_queue *fake_selected(struct fake_dev *);	/* NULL: no such queue */
void fake_set_half(bus_addr_t *, int high, uint32_t val);
void fake_owed(struct fake_dev *, unsigned int queue);
void fake_queue_enable(struct fake_dev *, unsigned int queue);
void fake_queue_clear(struct fake_queue *);
uint32_t fake_queue_reset_read(struct fake_dev *);
void fake_queue_reset_write(struct fake_dev *, uint32_t);
void fake_doorbell(struct fake_dev *, uint32_t data);

/*
 * A PCI function: modern virtio, id 0x1040 + type, with its structures in BAR 4
 * and a capability list like QEMU's. A test changes what it likes after
 * fake_pci_init.
 */
#define FAKE_PCI_CAPS	0x40	/* the first capability: the common one */
#define FAKE_PCI_BAR	4
#define FAKE_PCI_BARLEN	0x4000
#define FAKE_PCI_COMMON	0x0000	/* in the BAR */
#define FAKE_PCI_ISR	0x1000
#define FAKE_PCI_DEVICE	0x2000
#define FAKE_PCI_NOTIFY	0x3000
#define FAKE_PCI_MAXVECTORS 80
#define FAKE_PCI_SHMBAR	2	/* for fake_region; it is never mapped */

struct fake_pci {
	struct fake_dev *fp_dev;
	uint8_t fp_conf[256];
	uint32_t fp_multiplier;
	bus_size_t fp_barlen;		/* as po_map_bar says */
	uint64_t fp_shmlen;		/* of FAKE_PCI_SHMBAR; 0: there is none */
	unsigned int fp_vectors;	/* MSI-X vectors; 0 by default */
	unsigned int fp_refuse_vectors;	/* FAKE_NO_VECTOR from this one on */
	int fp_refuse_queue_vectors;	/* any but configuration's */
	int fp_refuse_size;		/* queue_size keeps its value */
	unsigned int fp_bars;		/* mask of those that can be mapped */
	int fp_no_line;			/* no INTx */
	uint8_t fp_isr;
	unsigned int fp_config_vector;
	int fp_config_unread;		/* as fq_vector_unread */
	unsigned int fp_cfg_cap;	/* where the PCI access capability is */
	unsigned int fp_vendor_cap;	/* and the vendor data */
	uint8_t fp_region_caps[FAKE_REGIONS];	/* and those of regions */
	/* as a kernel finds it: fake_pci_cold */
	int fp_cold;
	uint64_t fp_appears_ns;		/* until then there is nothing */
	uint64_t fp_window;		/* of the bus: where BARs may lie */
	uint64_t fp_windowlen;
	int fp_mapped;			/* outstanding po_map_bar */
	int fp_established;		/* outstanding handlers */
	struct {
		int (*fn)(void *);
		void *arg;
	} fp_handlers[FAKE_PCI_MAXVECTORS], fp_line;
	struct port_bus_space fp_space;
};

extern const struct pv_pci_ops fake_pci_ops;	/* cookie: struct fake_pci * */

void fake_pci_init(struct fake_pci *, struct fake_dev *);

/*
 * A capability of shared memory (id, BAR, place) at the list's end, with this
 * length of its own. Returns where it is; 0: there is no room.
 */
unsigned int fake_pci_region(struct fake_pci *, unsigned int caplen,
    unsigned int id, unsigned int bar, uint64_t off, uint64_t len);

/*
 * What the specification allows a function to be and few are: structures of
 * unknown type, in reserved BARs, twice, longer than they need be; vendor data;
 * another revision. What may not be touched of it reports itself.
 */
void fake_pci_odd(struct fake_pci *, unsigned int seed);

/*
 * The slot that a function is in, as a kernel's own code for buses finds it:
 * there from appears_ns on, with a BAR that has no address, decoding and
 * mastering off. What is done to it before that is put right goes nowhere, and
 * is a violation. An address outside of the window is not taken over.
 */
void fake_pci_cold(struct fake_pci *, uint64_t appears_ns, uint64_t window,
    uint64_t len);
uint32_t fake_pci_bus_read(struct fake_pci *, unsigned int reg);
void fake_pci_bus_write(struct fake_pci *, unsigned int reg, uint32_t val);

/* For the model: whether it is there, and has that of PCI_COMMAND_*. */
#define FAKE_PCI_MEMORY		2
#define FAKE_PCI_MASTER		4
#define FAKE_PCI_BAR_LOW	(0x10 + 4 * FAKE_PCI_BAR)
int fake_pci_present(const struct fake_pci *);
int fake_pci_command(const struct fake_pci *, unsigned int bits);
int fake_pci_placed(const struct fake_pci *);

/* The bus says: this function was not matched by a driver for its type. */
void fake_pci_declined(struct fake_pci *);

/* Handlers or BARs left: 0 if none. */
int fake_pci_check(const struct fake_pci *);

/* An MMIO register block of version 1 (legacy) or 2. */
struct fake_mmio {
	struct fake_dev *fm_dev;
	unsigned int fm_version;
	unsigned int fm_device_id;
	uint32_t fm_magic;
	uint32_t fm_page_size;
	uint32_t fm_align;
	uint32_t fm_status;		/* of interrupts */
	unsigned int fm_known;		/* identification read: 1 magic, 2
					 * version, 4 device id */
	int fm_sel, fm_driver_sel;	/* written */
	uint32_t fm_shm_sel;
	uint32_t fm_undefined;		/* bits set in the status besides */
	int fm_looked;			/* in this interrupt */
	int fm_stopping;		/* QueueReady is to be read back */
	int fm_no_intr;
	int (*fm_fn)(void *);
	void *fm_arg;
	struct port_bus_space fm_space;
};

#define FAKE_MMIO_SIZE	0x200

extern const struct pv_mmio_ops fake_mmio_ops;	/* cookie: struct fake_mmio * */

void fake_mmio_init(struct fake_mmio *, struct fake_dev *, unsigned int version);

/* After a driver looked at it: what it said of a place without a device. */
void fake_mmio_judge(const struct fake_mmio *);

#endif
