/* SPDX-License-Identifier: ISC */
/*
 * virtio.h - the life of a virtio device: reset, negotiation, configuration,
 * interrupts, failure
 *
 * A port makes a transport (pci.h, mmio.h or its own), gives it to
 * pv_virtio_init, looks at pv_virtio_type and attaches the driver of that type
 * (net.h, gpu.h, ...). What stands under "For drivers" is of no use to a port.
 *
 * The device is not trusted. At the first violation the device is latched as
 * broken: each entry point then returns EIO, and vc_broken tells the port,
 * once. The port keeps the device's owners away and, from a thread, calls the
 * driver's stop function, which resets the device within a bound and gives each
 * buffer back; the driver's start function may then bring it up anew.
 */
#ifndef PARAVANE_VIRTIO_H
#define PARAVANE_VIRTIO_H

#include <paravane/transport.h>

/* Device types (Device Types). */
#define PV_TYPE_NET		1
#define PV_TYPE_BLK		2
#define PV_TYPE_CONSOLE		3
#define PV_TYPE_ENTROPY		4
#define PV_TYPE_BALLOON		5
#define PV_TYPE_SCSI		8
#define PV_TYPE_9P		9
#define PV_TYPE_GPU		16
#define PV_TYPE_RTC		17
#define PV_TYPE_INPUT		18
#define PV_TYPE_VSOCK		19
#define PV_TYPE_SOUND		25
#define PV_TYPE_FS		26

/* Device status (Device Status Field). */
#define PV_STATUS_ACKNOWLEDGE	0x01
#define PV_STATUS_DRIVER	0x02
#define PV_STATUS_DRIVER_OK	0x04
#define PV_STATUS_FEATURES_OK	0x08
#define PV_STATUS_NEEDS_RESET	0x40
#define PV_STATUS_FAILED	0x80

/* Feature bits of all devices (Reserved Feature Bits), as bit numbers. */
#define PV_F_NOTIFY_ON_EMPTY	24
#define PV_F_ANY_LAYOUT		27
#define PV_F_INDIRECT_DESC	28
#define PV_F_EVENT_IDX		29
#define PV_F_VERSION_1		32
#define PV_F_ACCESS_PLATFORM	33
#define PV_F_RING_PACKED	34
#define PV_F_IN_ORDER		35
#define PV_F_ORDER_PLATFORM	36
#define PV_F_SR_IOV		37
#define PV_F_NOTIFICATION_DATA	38
#define PV_F_NOTIF_CONFIG_DATA	39
#define PV_F_RING_RESET		40
#define PV_F_ADMIN_VQ		41

#define PV_F_BIT(n)		(1ULL << (n))

/* Why a feature bit is not in use. */
enum pv_feature_why {
	PV_WHY_ACCEPTED,	/* it is in use */
	PV_WHY_NOT_OFFERED,	/* the driver wants it, the device lacks it */
	PV_WHY_UNKNOWN,		/* the driver does not drive it */
	PV_WHY_DEPENDS,		/* a bit that it depends on is not in use */
	PV_WHY_VALUE,		/* its configuration value can't be honoured */
	PV_WHY_REFUSED,		/* dropped after the device refused a set */
	PV_WHY_TRANSPORT,	/* this transport or tag can't carry it */
	PV_WHY_DENIED		/* the port asked to leave it */
};

/* The record of a negotiation; it stays readable until the next one. */
struct pv_negotiation {
	uint64_t ng_offered;	/* by the device */
	uint64_t ng_asked;	/* what the driver would have liked */
	uint64_t ng_accepted;	/* what is in use, but for RING_RESET where the
				 * transport can't: pv_virtio_features */
	uint8_t ng_why[64];	/* enum pv_feature_why, by bit */
	unsigned int ng_tries;	/* resets it took */
};

/*
 * What the device tells the port. Both are called from whatever context found
 * out, interrupt context included: they note and return. Either may be NULL.
 */
struct pv_virtio_callbacks {
	/* The latch was set. Once for each start. why is a constant text. */
	void (*vc_broken)(void *arg, const char *why);
	/* The configuration changed: call the driver's changed function. */
	void (*vc_config)(void *arg);
};

struct pv_virtq;
struct pv_feature_table;

/*
 * That the library drives on one device: those of the indexes below, and one
 * more of any higher one, which has no interrupt vector of its own.
 */
#define PV_MAXQUEUES	64

/* The device's state. The port allocates it; all members are private. */
struct pv_virtio {
	const struct pv_transport_ops *vd_ops;	/* set by pv_virtio_init */
	void *vd_transport;
	bus_dma_tag_t vd_dmat;
	const char *vd_name;
	unsigned int vd_type;
	struct pv_virtio_callbacks vd_cb;
	void *vd_cb_arg;
	uint64_t vd_denied;			/* features the port refuses */
	const struct pv_feature_table *vd_table; /* set by driver */
	struct pv_negotiation vd_ng;
	uint64_t vd_features;			/* accepted */
	uint8_t vd_started;			/* DRIVER_OK is set */
	uint8_t vd_lost;			/* a reset was not confirmed */
	unsigned int vd_broken;			/* the latch; atomic */
	const char *vd_why;
	enum pv_intr_mode vd_intr_mode;
	unsigned int vd_nqueues;		/* set by allocation */
	struct pv_virtq *vd_queues[PV_MAXQUEUES + 1]; /* the last: farther */
	unsigned long vd_nintr;			/* counters; of interrupts: */
	unsigned long vd_nconfig;		/* atomic */
	unsigned long vd_nspurious;
	uint64_t vd_nresets;
	uint64_t vd_logged_ns;			/* bound of messages */
	unsigned int vd_nlogged;
};

/*
 * pv_virtio_init - take a transport into use, and reset the device
 *
 * ops, transport	they outlive the use of dev
 * type			the device type that the transport found
 * dmat			all DMA of this device goes through it
 * name			for messages; it outlives the use of dev
 * cb, arg		may be NULL; *cb is copied
 *
 * Errors: ETIMEDOUT the reset was not confirmed within a second; EIO the device
 * is gone (all ones are read). Context: thread.
 */
int pv_virtio_init(struct pv_virtio *, const struct pv_transport_ops *,
    void *transport, unsigned int type, bus_dma_tag_t dmat, const char *name,
    const struct pv_virtio_callbacks *cb, void *arg);

/*
 * pv_virtio_deny - features, as a mask, that the next negotiation leaves
 * though driver and device have them. Context: thread.
 */
void pv_virtio_deny(struct pv_virtio *, uint64_t features);

/* Device type; features in use as a mask; the record. Context: any. */
unsigned int pv_virtio_type(const struct pv_virtio *);
uint64_t pv_virtio_features(const struct pv_virtio *);
const struct pv_negotiation *pv_virtio_negotiation(const struct pv_virtio *);

/*
 * pv_virtio_type_name, pv_virtio_feature_name, pv_feature_why_name - names for
 * people: "net", "MTU", "not offered". Of a bit without a name: NULL.
 * Context: any.
 */
const char *pv_virtio_type_name(unsigned int type);
const char *pv_virtio_feature_name(const struct pv_virtio *, unsigned int bit);
const char *pv_feature_why_name(enum pv_feature_why);

/*
 * pv_virtio_broken - NULL, or why the device is latched as broken.
 * Context: any.
 */
const char *pv_virtio_broken(const struct pv_virtio *);

/*
 * pv_virtio_poll - do what an interrupt would have done
 *
 * For devices without interrupts, and for a watchdog behind those that have
 * them: reads the status of interrupts and device, and calls the callbacks of
 * queues that have something. Returns nonzero if there was anything.
 * Context: any, but not beside the transport's own interrupt handler on
 * another CPU.
 */
int pv_virtio_poll(struct pv_virtio *);

/* For transports */

/*
 * pv_virtio_intr - an interrupt arrived, and what is pending is PV_INTR_*.
 * pv_virtio_intr_queue - the vector of one queue fired.
 * Return 1. Before DRIVER_OK, and after the latch, both do nothing but count.
 * Context: any.
 */
int pv_virtio_intr(struct pv_virtio *, unsigned int pending);
int pv_virtio_intr_queue(struct pv_virtio *, unsigned int queue);

/* For drivers */

/*
 * pv_virtio_set_callbacks - a driver puts its own in the place of those of
 * pv_virtio_init. cb may be NULL; *cb is copied. Context: thread, while the
 * device is stopped.
 */
void pv_virtio_set_callbacks(struct pv_virtio *,
    const struct pv_virtio_callbacks *cb, void *arg);

struct pv_feature {
	uint8_t fe_bit;
	uint8_t fe_flags;		/* PV_FEATURE_* */
	const char *fe_name;
	uint64_t fe_depends;		/* mask: all must be in use */
};

#define PV_FEATURE_WANTED	0x01	/* ask for it if offered */
#define PV_FEATURE_REQUIRED	0x02	/* no attach without it */
#define PV_FEATURE_NAMED	0x04	/* known by name, not asked for */

/*
 * A step of the ladder, tried after a refusal, in order. Steps do not add up:
 * each is applied to what the driver wants as a whole. The core goes on with
 * steps of its own, which leave the bits of rings.
 */
struct pv_ladder_step {
	uint64_t ls_drop;		/* leave these */
	uint64_t ls_add;		/* take these if offered, though the
					 * check dropped them */
};

/*
 * A driver's features. VERSION_1, INDIRECT_DESC, EVENT_IDX, ANY_LAYOUT,
 * ACCESS_PLATFORM and the other bits of rings are the core's: it adds them. A
 * legacy device without ANY_LAYOUT (pv_virtio_has) expects a header in pieces
 * of its own.
 */
struct pv_feature_table {
	const struct pv_feature *ft_features;
	unsigned int ft_nfeatures;
	const struct pv_ladder_step *ft_ladder;
	unsigned int ft_nladder;
	/*
	 * Called before FEATURES_OK of each try with what would be accepted;
	 * reads configuration, and drops with pv_virtio_drop what it can't
	 * honour. Called again after FEATURES_OK: EAGAIN there (a value has
	 * changed) restarts the negotiation, a bounded number of times.
	 * May be NULL.
	 */
	int (*ft_check)(void *sc, struct pv_virtio *, uint64_t *features,
	    int confirmed);
};

/*
 * pv_virtio_negotiate - reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK
 *
 * Steps down the table's ladder while the device refuses. On success the
 * device awaits its queues.
 *
 * Errors: ENOTSUP a required feature is not offered, or every set was refused;
 * ETIMEDOUT the reset; EIO the device is gone; EAGAIN its values never held
 * still; and what ft_check returned. On error the device has FAILED set.
 * Context: thread. (General Initialization And Device Operation / Device
 * Initialization)
 */
int pv_virtio_negotiate(struct pv_virtio *, const struct pv_feature_table *,
    void *sc);

/* Leave a bit during ft_check, and remember why. */
void pv_virtio_drop(struct pv_virtio *, uint64_t *features, unsigned int bit,
    enum pv_feature_why);

/*
 * pv_virtio_shm - the shared memory region that the device calls id
 *
 * id		the device type says which it has
 *
 * Of a PCI function the region lies in its BAR, and meets neither another
 * region nor a structure that the device is controlled by. After negotiation; a
 * reset may move it. Errors: ENOTSUP the transport has no such thing; ENXIO
 * there is none, or only one that can't be, of which a message speaks. Then
 * *shm is all 0. Context: thread. (Basic Facilities of a Virtio Device / Shared
 * Memory Regions)
 */
int pv_virtio_shm(struct pv_virtio *, unsigned int id, struct pv_shm *shm);

/* Whether a bit is in use. Context: any. */
static inline int
pv_virtio_has(const struct pv_virtio *dev, unsigned int bit)
{
	return (dev->vd_features & PV_F_BIT(bit)) != 0;
}

/*
 * pv_virtio_config_read - read fields that belong together
 *
 * Each field is read once at its natural width, an 8-byte one as two halves,
 * into *cf_to (a uint8_t, uint16_t, uint32_t or uint64_t by cf_width; cf_count
 * of them) in the CPU's byte order, all under one generation; on a legacy
 * device all are read twice until two readings agree. Errors: ERANGE a field is
 * outside the configuration; EIO it did not hold still, or the device is gone.
 * Context: any.
 */
struct pv_config_field {
	uint16_t cf_off;
	uint8_t cf_width;	/* 1, 2, 4, 8 */
	uint8_t cf_count;
	void *cf_to;
};

int pv_virtio_config_read(struct pv_virtio *, const struct pv_config_field *,
    unsigned int nfields);

/* Write one field of width 1, 2 or 4. Errors: ERANGE, EIO. Context: any. */
int pv_virtio_config_write(struct pv_virtio *, unsigned int off,
    unsigned int width, uint32_t val);

/*
 * pv_virtio_start - set up interrupts, enable the queues that were allocated,
 * set DRIVER_OK. Errors: EINVAL it is started; EIO the device is broken, or
 * does not go on; ERANGE a legacy device can't reach a queue's address. On
 * error the device was reset as by pv_virtio_stop: the caller frees its queues
 * and calls pv_virtio_fail. What was published before is notified now. Context:
 * thread.
 */
int pv_virtio_start(struct pv_virtio *);

/*
 * pv_virtio_stop - reset, and wait for the confirmation
 *
 * Tears the interrupts down. Bounded: 0 the device is quiet, all buffers are
 * the driver's again; ETIMEDOUT it never confirmed (or is gone): what it could
 * still reach must stay mapped for ever. Clears the latch only if 0.
 * Context: thread.
 */
int pv_virtio_stop(struct pv_virtio *);

/* pv_virtio_fail - give a device up: FAILED is set. Context: thread. */
void pv_virtio_fail(struct pv_virtio *);

/*
 * pv_virtio_break - set the latch; why is a constant text. Returns EIO, for
 * return pv_virtio_break(...). Only the first call tells the port.
 * Context: any.
 */
int pv_virtio_break(struct pv_virtio *, const char *why);

#endif /* PARAVANE_VIRTIO_H */
