/* SPDX-License-Identifier: ISC */
/*
 * The eXtensible Host Controller (xHCI specification 1.1). One command, one
 * control transfer and one report of each device are under way at most.
 *
 * The controller is not trusted: what it writes is read once and held against
 * what we asked for; an event that fits nothing is counted and passed over; and
 * nothing is waited for without a bound.
 */
#include <errno.h>
#include <string.h>

#include "ktime.h"
#include "log.h"
#include "usbvar.h"

/* Capability registers */
#define CAP_LENGTH		0x00
#define CAP_HCSPARAMS1		0x04
#define CAP_HCSPARAMS2		0x08
#define CAP_HCCPARAMS1		0x10
#define CAP_DBOFF		0x14
#define CAP_RTSOFF		0x18
#define HCC_64BIT		0x1
#define HCC_CONTEXT_64		0x4

/* Operational registers */
#define OP_COMMAND		0x00
#define OP_STATUS		0x04
#define OP_PAGESIZE		0x08
#define OP_CRCR			0x18
#define OP_DCBAAP		0x30
#define OP_CONFIG		0x38
#define OP_PORT(n)		(0x400 + 16 * ((n) - 1))
#define COMMAND_RUN		0x1
#define COMMAND_RESET		0x2
#define COMMAND_INTERRUPT	0x4
#define STATUS_HALTED		0x1
#define STATUS_ERROR		0x1004	/* the host's, the controller's */
#define STATUS_EVENT		0x8
#define STATUS_NOT_READY	0x800

/* What is written back to a port's register without doing anything. */
#define PORT_KEEP		0x0e00c200u

/* Runtime registers: of interrupter 0 */
#define RUN_IMAN		0x20
#define RUN_IMOD		0x24
#define RUN_ERSTSZ		0x28
#define RUN_ERSTBA		0x30
#define RUN_ERDP		0x38
#define IMAN_PENDING		0x1
#define IMAN_ENABLE		0x2
#define IMOD_1MS		4000
#define ERDP_BUSY		0x8

/* TRBs: four words */
#define TRB_SIZE		16
#define TRB_CYCLE		0x1
#define TRB_TOGGLE		0x2	/* of a link */
#define TRB_SHORT		0x4	/* tell a short packet */
#define TRB_IOC			0x20
#define TRB_IMMEDIATE		0x40
#define TRB_IN			0x10000
#define TRB_TYPE(t)		((uint32_t)(t) << 10)
#define TRB_TYPE_OF(v)		((v) >> 10 & 0x3f)
#define TRB_SLOT(v)		((v) >> 24)
#define TRB_ENDPOINT(v)		((v) >> 16 & 0x1f)
#define TRB_CODE(v)		((v) >> 24)
#define TRB_LENGTH(v)		((v) & 0xffffff)

enum {
	TRB_NORMAL = 1, TRB_SETUP, TRB_DATA, TRB_STATUS, TRB_LINK = 6,
	TRB_ENABLE_SLOT = 9, TRB_DISABLE_SLOT, TRB_ADDRESS, TRB_CONFIGURE,
	TRB_EVALUATE, TRB_RESET_ENDPOINT, TRB_DEQUEUE = 16,
	TRB_TRANSFER_EVENT = 32, TRB_COMMAND_EVENT, TRB_PORT_EVENT,
};

#define CODE_SUCCESS		1
#define CODE_STALL		6
#define CODE_SHORT		13

/* One page has all of a controller's: */
#define MEM_DCBAA		0
#define MEM_ERST		256
#define MEM_SCRATCH		512	/* addresses of scratchpads */
#define MEM_COMMAND		1024
#define MEM_EVENT		2048
#define MEM_SIZE		4096
#define SCRATCH_MAX		64
#define NCOMMAND		64
#define NEVENT			128

/*
 * And two pages have all of a device's; parts of which one side alone writes.
 */
#define DEV_CONTEXT		0	/* the controller's */
#define DEV_CONTROL		2176
#define DEV_INTERRUPT		2688
#define DEV_BUFFER		3200
#define DEV_REPORT		3712
#define DEV_INPUT		4096
#define DEV_SIZE		8192
#define DEV_NTRB		32

#define HALT_NS			(100 * NS_PER_MS)
#define RESET_NS		(1 * NS_PER_S)
#define COMMAND_NS		(2 * NS_PER_S)
#define TRANSFER_NS		(1 * NS_PER_S)

static uint32_t
op_read(const struct xhci *hc, unsigned reg)
{
	return bus_space_read_4(hc->hc_iot, hc->hc_op, reg);
}

static void
op_write(const struct xhci *hc, unsigned reg, uint32_t v)
{
	bus_space_write_4(hc->hc_iot, hc->hc_op, reg, v);
}

static void
run_write(const struct xhci *hc, unsigned reg, uint32_t v)
{
	bus_space_write_4(hc->hc_iot, hc->hc_run, reg, v);
}

static void
run_write_addr(const struct xhci *hc, unsigned reg, bus_addr_t addr)
{
	run_write(hc, reg, (uint32_t)addr);
	run_write(hc, reg + 4, (uint32_t)(addr >> 32));
}

static void
op_write_addr(const struct xhci *hc, unsigned reg, bus_addr_t addr)
{
	op_write(hc, reg, (uint32_t)addr);
	op_write(hc, reg + 4, (uint32_t)(addr >> 32));
}

static void
doorbell(const struct xhci *hc, unsigned slot, uint32_t endpoint)
{
	pv_md_wmb(1);
	bus_space_write_4(hc->hc_iot, hc->hc_bell, slot * 4, endpoint);
}

/* Memory */

static int
mem_alloc(bus_dma_tag_t t, struct usb_mem *um, size_t size)
{
	int error, n;

	error = bus_dmamem_alloc(t, size, PAGE_SIZE, 0, &um->um_seg, 1, &n,
	    BUS_DMA_ZERO);
	if (error != 0)
		return error;
	error = bus_dmamem_map(t, &um->um_seg, 1, size, &um->um_va,
	    BUS_DMA_COHERENT);
	if (error != 0)
		goto free;
	error = bus_dmamap_create(t, size, 1, size, 0, 0, &um->um_map);
	if (error != 0)
		goto unmap;
	error = bus_dmamap_load_raw(t, um->um_map, &um->um_seg, 1, size, 0);
	if (error != 0)
		goto destroy;
	um->um_addr = um->um_map->dm_segs[0].ds_addr;
	um->um_size = size;
	memset(um->um_va, 0, size);
	return 0;

destroy:
	bus_dmamap_destroy(t, um->um_map);
unmap:
	bus_dmamem_unmap(t, um->um_va, size);
free:
	bus_dmamem_free(t, &um->um_seg, 1);
	return error;
}

/* lost: the controller might still write there; it stays behind. */
static void
mem_free(bus_dma_tag_t t, struct usb_mem *um, bool lost)
{
	if (um->um_size != 0 && !lost) {
		bus_dmamap_unload(t, um->um_map);
		bus_dmamap_destroy(t, um->um_map);
		bus_dmamem_unmap(t, um->um_va, um->um_size);
		bus_dmamem_free(t, &um->um_seg, 1);
	}
	um->um_size = 0;
}

static void *
mem_at(const struct usb_mem *um, size_t off)
{
	return (char *)um->um_va + off;
}

/* Rings */

static void
ring_init(struct xhci_ring *xr, const struct usb_mem *um, size_t off,
    unsigned size)
{
	volatile uint32_t *link;

	memset(mem_at(um, off), 0, size * TRB_SIZE);
	xr->xr_trb = mem_at(um, off);
	xr->xr_addr = um->um_addr + off;
	xr->xr_size = size;
	xr->xr_at = 0;
	xr->xr_cycle = TRB_CYCLE;
	link = xr->xr_trb + 4 * (size - 1);
	link[0] = (uint32_t)xr->xr_addr;
	link[1] = (uint32_t)(xr->xr_addr >> 32);
}

/* The cycle bit last; returns where the controller sees it. */
static bus_addr_t
ring_put(struct xhci_ring *xr, uint64_t param, uint32_t status,
    uint32_t control)
{
	volatile uint32_t *trb = xr->xr_trb + 4 * xr->xr_at;
	bus_addr_t addr = xr->xr_addr + xr->xr_at * TRB_SIZE;

	trb[0] = (uint32_t)param;
	trb[1] = (uint32_t)(param >> 32);
	trb[2] = status;
	pv_md_wmb(1);
	trb[3] = control | xr->xr_cycle;
	if (++xr->xr_at == xr->xr_size - 1) {
		pv_md_wmb(1);
		xr->xr_trb[4 * xr->xr_at + 3] = TRB_TYPE(TRB_LINK) |
		    TRB_TOGGLE | xr->xr_cycle;
		xr->xr_at = 0;
		xr->xr_cycle ^= TRB_CYCLE;
	}
	return addr;
}

/* Events */

static void
transfer_event(struct xhci *hc, bus_addr_t addr, uint32_t status,
    uint32_t control)
{
	unsigned slot = TRB_SLOT(control), code = TRB_CODE(status);
	struct usb_dev *ud = slot <= hc->hc_slots ? hc->hc_dev[slot] : NULL;
	bool control_pipe = TRB_ENDPOINT(control) == 1;
	struct usb_request *rq;

	if (ud == NULL || (!control_pipe &&
	    TRB_ENDPOINT(control) != 2 * ud->ud_endpoint + 1)) {
		hc->hc_strange++;
		return;
	}
	rq = control_pipe ? &ud->ud_ep0 : &ud->ud_ep1;
	if (rq->rq_addr == 0 || (addr != rq->rq_addr && addr != rq->rq_data)) {
		hc->hc_strange++;
		return;
	}
	if (addr == rq->rq_data || !control_pipe)
		rq->rq_left = TRB_LENGTH(status);
	if (control_pipe && addr == rq->rq_data && code == CODE_SHORT)
		return;		/* its last TRB's event is to come */
	rq->rq_code = code;
	rq->rq_addr = 0;
}

static void
event(struct xhci *hc, bus_addr_t addr, uint32_t status, uint32_t control)
{
	struct usb_request *rq = &hc->hc_request;

	switch (TRB_TYPE_OF(control)) {
	case TRB_TRANSFER_EVENT:
		transfer_event(hc, addr, status, control);
		break;
	case TRB_COMMAND_EVENT:
		if (rq->rq_addr == 0 || addr != rq->rq_addr) {
			hc->hc_strange++;
			break;
		}
		rq->rq_addr = 0;
		rq->rq_code = TRB_CODE(status);
		hc->hc_request_slot = TRB_SLOT(control);
		break;
	case TRB_PORT_EVENT:
		hc->hc_changed = true;
		break;
	default:
		break;
	}
}

/* At most a ring full at once. */
static void
events(struct xhci *hc)
{
	volatile uint32_t *trb;
	uint32_t control, status;
	bus_addr_t addr;
	unsigned n;

	for (n = 0; n < NEVENT; n++) {
		trb = hc->hc_event + 4 * hc->hc_event_at;
		control = trb[3];
		if ((control & TRB_CYCLE) != hc->hc_event_cycle)
			break;
		pv_md_rmb(1);
		addr = trb[0];
		addr |= (bus_addr_t)trb[1] << 32;
		status = trb[2];
		event(hc, addr, status, control);
		if (++hc->hc_event_at == NEVENT) {
			hc->hc_event_at = 0;
			hc->hc_event_cycle ^= TRB_CYCLE;
		}
	}
	if (n != 0)
		run_write_addr(hc, RUN_ERDP, (hc->hc_mem.um_addr + MEM_EVENT +
		    hc->hc_event_at * TRB_SIZE) | ERDP_BUSY);
}

/* The last report is taken, and the next one asked for. */
static void
report(struct usb_dev *ud)
{
	struct usb_request *rq = &ud->ud_ep1;
	uint8_t copy[USB_REPORT];
	size_t len;

	if (ud->ud_interrupt.xr_trb == NULL || rq->rq_addr != 0 ||
	    rq->rq_code == 0)
		return;
	if (rq->rq_left > ud->ud_maxpacket ||
	    (rq->rq_code != CODE_SUCCESS && rq->rq_code != CODE_SHORT)) {
		ud->ud_failed = true;
		rq->rq_code = 0;
		return;
	}
	len = ud->ud_maxpacket - rq->rq_left;
	memcpy(copy, mem_at(&ud->ud_mem, DEV_REPORT), len);
	xhci_listen(ud);
	ud->ud_reports++;
	usb_report(ud, copy, len);
}

void
xhci_poll(struct xhci *hc)
{
	uint32_t status = op_read(hc, OP_STATUS);
	unsigned slot;

	if (!hc->hc_running || hc->hc_gone)
		return;
	if (status == UINT32_MAX)
		hc->hc_broken = "it is gone";
	else if ((status & STATUS_ERROR) != 0)
		hc->hc_broken = "it reports an error";
	if (hc->hc_broken != NULL)
		return;
	events(hc);
	for (slot = 1; slot <= hc->hc_slots; slot++)
		if (hc->hc_dev[slot] != NULL)
			report(hc->hc_dev[slot]);
}

int
xhci_intr(void *arg)
{
	struct xhci *hc = arg;
	uint32_t status = op_read(hc, OP_STATUS);

	if (status == UINT32_MAX || (status & STATUS_EVENT) == 0)
		return 0;
	hc->hc_nintr++;
	op_write(hc, OP_STATUS, STATUS_EVENT);
	run_write(hc, RUN_IMAN, IMAN_PENDING | IMAN_ENABLE);
	usb_wake();
	return 1;
}

static int
await(struct xhci *hc, struct usb_request *rq, uint64_t ns)
{
	uint64_t end = uptime_ns() + ns;

	while (rq->rq_addr != 0) {
		if (hc->hc_gone || hc->hc_broken != NULL)
			return ENXIO;
		if (uptime_ns() >= end)
			return ETIMEDOUT;
		usb_pause(NS_PER_MS);
		xhci_poll(hc);
	}
	return 0;
}

/*
 * 0; EIO it was refused; ETIMEDOUT, ENXIO the controller is no good any more.
 */
static int
command(struct xhci *hc, uint64_t param, uint32_t control)
{
	struct usb_request *rq = &hc->hc_request;
	int error;

	if (hc->hc_gone || hc->hc_broken != NULL)
		return ENXIO;
	rq->rq_addr = ring_put(&hc->hc_command, param, 0, control);
	doorbell(hc, 0, 0);
	error = await(hc, rq, COMMAND_NS);
	if (error == ETIMEDOUT)
		hc->hc_broken = "it does not answer a command";
	rq->rq_addr = 0;
	return error != 0 ? error : rq->rq_code == CODE_SUCCESS ? 0 : EIO;
}

/* The controller */

int
xhci_find(struct xhci *hc, bus_space_tag_t t, bus_space_handle_t h,
    bus_size_t size)
{
	uint32_t len, ports, run, bell, params;

	if (size < 0x1000)
		return ENXIO;
	len = bus_space_read_4(t, h, CAP_LENGTH) & 0xff;
	params = bus_space_read_4(t, h, CAP_HCSPARAMS1);
	run = bus_space_read_4(t, h, CAP_RTSOFF) & ~0x1fu;
	bell = bus_space_read_4(t, h, CAP_DBOFF) & ~3u;
	hc->hc_slots = params & 0xff;
	ports = params >> 24;
	if (params == UINT32_MAX || len < 0x20 || hc->hc_slots == 0 ||
	    len + OP_PORT(ports + 1) > size || run >= size ||
	    size - run < 0x40)
		return ENXIO;
	if (hc->hc_slots > XHCI_SLOTS)
		hc->hc_slots = XHCI_SLOTS;
	if (bell >= size || size - bell < 4 * (hc->hc_slots + 1))
		return ENXIO;
	hc->hc_ports = ports < XHCI_PORTS ? ports : XHCI_PORTS;
	hc->hc_iot = t;
	hc->hc_op = h + len;
	hc->hc_run = h + run;
	hc->hc_bell = h + bell;
	hc->hc_context = (bus_space_read_4(t, h, CAP_HCCPARAMS1) &
	    HCC_CONTEXT_64) != 0 ? 64 : 32;
	hc->hc_wide = (bus_space_read_4(t, h, CAP_HCCPARAMS1) & HCC_64BIT) != 0;
	params = bus_space_read_4(t, h, CAP_HCSPARAMS2);
	hc->hc_nscratch = (params >> 21 & 0x1f) << 5 | params >> 27;
	return hc->hc_nscratch > SCRATCH_MAX ? ENOTSUP : 0;
}

static int
op_await(struct xhci *hc, unsigned reg, uint32_t mask, uint32_t want,
    uint64_t ns)
{
	uint64_t end = uptime_ns() + ns;
	uint32_t v;

	for (;;) {
		v = op_read(hc, reg);
		if (v == UINT32_MAX)
			return EIO;
		if ((v & mask) == want)
			return 0;
		if (uptime_ns() >= end)
			return ETIMEDOUT;
		usb_pause(NS_PER_MS);
	}
}

int
xhci_reset(struct xhci *hc)
{
	int error;

	op_write(hc, OP_COMMAND, 0);
	error = op_await(hc, OP_STATUS, STATUS_HALTED, STATUS_HALTED, HALT_NS);
	if (error == EIO)
		return error;
	op_write(hc, OP_COMMAND, COMMAND_RESET);
	error = op_await(hc, OP_COMMAND, COMMAND_RESET, 0, RESET_NS);
	if (error == 0)
		error = op_await(hc, OP_STATUS, STATUS_NOT_READY, 0, RESET_NS);
	return error;
}

static int
memory(struct xhci *hc)
{
	volatile uint64_t *list;
	unsigned i;
	int error;

	error = mem_alloc(hc->hc_dmat, &hc->hc_mem, MEM_SIZE);
	if (error != 0)
		return error;
	if (!hc->hc_wide && (hc->hc_mem.um_addr >> 32) != 0)
		return ENOTSUP;
	if (hc->hc_nscratch == 0)
		return 0;
	if ((op_read(hc, OP_PAGESIZE) & 1) == 0)
		return ENOTSUP;
	error = mem_alloc(hc->hc_dmat, &hc->hc_scratch,
	    hc->hc_nscratch * PAGE_SIZE);
	if (error != 0)
		return error;
	list = mem_at(&hc->hc_mem, MEM_SCRATCH);
	for (i = 0; i < hc->hc_nscratch; i++)
		list[i] = hc->hc_scratch.um_addr + i * PAGE_SIZE;
	list = mem_at(&hc->hc_mem, MEM_DCBAA);
	list[0] = hc->hc_mem.um_addr + MEM_SCRATCH;
	return 0;
}

static void
rings(struct xhci *hc)
{
	bus_addr_t base = hc->hc_mem.um_addr;
	volatile uint64_t *erst = mem_at(&hc->hc_mem, MEM_ERST);

	ring_init(&hc->hc_command, &hc->hc_mem, MEM_COMMAND, NCOMMAND);
	hc->hc_event = mem_at(&hc->hc_mem, MEM_EVENT);
	hc->hc_event_at = 0;
	hc->hc_event_cycle = TRB_CYCLE;
	erst[0] = base + MEM_EVENT;
	erst[1] = NEVENT;
	pv_md_wmb(1);
	op_write(hc, OP_CONFIG, hc->hc_slots);
	op_write_addr(hc, OP_DCBAAP, base + MEM_DCBAA);
	op_write_addr(hc, OP_CRCR, (base + MEM_COMMAND) | TRB_CYCLE);
	run_write(hc, RUN_ERSTSZ, 1);
	run_write_addr(hc, RUN_ERDP, base + MEM_EVENT);
	run_write_addr(hc, RUN_ERSTBA, base + MEM_ERST);
	run_write(hc, RUN_IMOD, IMOD_1MS);
	run_write(hc, RUN_IMAN, IMAN_PENDING | IMAN_ENABLE);
}

int
xhci_start(struct xhci *hc)
{
	unsigned port;
	int error = xhci_reset(hc);

	if (error != 0)
		return error;
	hc->hc_broken = NULL;
	error = memory(hc);
	if (error == 0) {
		rings(hc);
		op_write(hc, OP_COMMAND, COMMAND_RUN | COMMAND_INTERRUPT);
		error = op_await(hc, OP_STATUS, STATUS_HALTED, 0, HALT_NS);
	}
	hc->hc_running = true;
	if (error != 0) {
		xhci_stop(hc);
		return error;
	}
	for (port = 1; port <= hc->hc_ports; port++)
		if ((xhci_port(hc, port) & PORT_POWER) == 0)
			xhci_port_write(hc, port, PORT_POWER);
	hc->hc_changed = true;
	return 0;
}

/*
 * Its devices are dropped after it. Without a confirmed reset the memory stays
 * behind.
 */
int
xhci_stop(struct xhci *hc)
{
	int error;

	if (!hc->hc_running)
		return 0;
	hc->hc_running = false;
	error = xhci_reset(hc);
	hc->hc_lost = error != 0;
	mem_free(hc->hc_dmat, &hc->hc_mem, hc->hc_lost);
	mem_free(hc->hc_dmat, &hc->hc_scratch, hc->hc_lost);
	return error;
}

uint32_t
xhci_port(struct xhci *hc, unsigned port)
{
	return op_read(hc, OP_PORT(port));
}

void
xhci_port_write(struct xhci *hc, unsigned port, uint32_t set)
{
	uint32_t v = op_read(hc, OP_PORT(port));

	if (v != UINT32_MAX)
		op_write(hc, OP_PORT(port), (v & PORT_KEEP) | set);
}

/* Devices */

/* Input context: a control context, then the slot's, then the endpoints'. */
static volatile uint32_t *
input(struct usb_dev *ud, unsigned context)
{
	return mem_at(&ud->ud_mem, DEV_INPUT + context * ud->ud_hc->hc_context);
}

static void
input_begin(struct usb_dev *ud, uint32_t add, unsigned entries)
{
	volatile uint32_t *in;

	memset(mem_at(&ud->ud_mem, DEV_INPUT), 0, DEV_SIZE - DEV_INPUT);
	in = input(ud, 0);
	in[1] = add;
	in = input(ud, 1);
	in[0] = entries << 27 | ud->ud_speed << 20;
	in[1] = ud->ud_port << 16;
}

/* Type 4 is control, 7 interrupt and in. */
static void
input_endpoint(struct usb_dev *ud, unsigned context, unsigned type,
    unsigned maxpacket, const struct xhci_ring *xr)
{
	volatile uint32_t *in = input(ud, context + 1);

	in[1] = maxpacket << 16 | type << 3 | 3 << 1;	/* three tries */
	in[2] = (uint32_t)xr->xr_addr | TRB_CYCLE;
	in[3] = (uint32_t)(xr->xr_addr >> 32);
	in[4] = 8;
	if (type != 4) {
		in[0] = ud->ud_interval << 16;
		in[4] = maxpacket << 16 | maxpacket;
	}
}

static int
input_command(struct usb_dev *ud, unsigned type)
{
	return command(ud->ud_hc, ud->ud_mem.um_addr + DEV_INPUT,
	    TRB_TYPE(type) | ud->ud_slot << 24);
}

int
xhci_device(struct usb_dev *ud)
{
	static const unsigned maxpacket[] = { 8, 8, 8, 64, 512 };
	struct xhci *hc = ud->ud_hc;
	volatile uint64_t *dcbaa = mem_at(&hc->hc_mem, MEM_DCBAA);
	int error = command(hc, 0, TRB_TYPE(TRB_ENABLE_SLOT));

	if (error != 0)
		return error;
	ud->ud_slot = hc->hc_request_slot;
	if (ud->ud_slot == 0 || ud->ud_slot > hc->hc_slots ||
	    hc->hc_dev[ud->ud_slot] != NULL) {
		ud->ud_slot = 0;
		hc->hc_broken = "it gives a slot that is none";
		return EIO;
	}
	error = mem_alloc(hc->hc_dmat, &ud->ud_mem, DEV_SIZE);
	if (error != 0)
		return error;
	if (!hc->hc_wide && (ud->ud_mem.um_addr >> 32) != 0)
		return ENOTSUP;
	hc->hc_dev[ud->ud_slot] = ud;
	dcbaa[ud->ud_slot] = ud->ud_mem.um_addr + DEV_CONTEXT;
	ring_init(&ud->ud_control, &ud->ud_mem, DEV_CONTROL, DEV_NTRB);
	input_begin(ud, 3, 1);
	input_endpoint(ud, 1, 4, maxpacket[ud->ud_speed > SPEED_SUPER ?
	    SPEED_SUPER : ud->ud_speed], &ud->ud_control);
	return input_command(ud, TRB_ADDRESS);
}

/* Full speed's first packet tells how long the others may be. */
int
xhci_maxpacket(struct usb_dev *ud, unsigned maxpacket)
{
	input_begin(ud, 2, 1);
	input_endpoint(ud, 1, 4, maxpacket, &ud->ud_control);
	return input_command(ud, TRB_EVALUATE);
}

int
xhci_endpoint(struct usb_dev *ud)
{
	unsigned context = 2 * ud->ud_endpoint + 1;
	struct xhci_ring *xr = &ud->ud_interrupt;
	int error;

	ring_init(xr, &ud->ud_mem, DEV_INTERRUPT, DEV_NTRB);
	input_begin(ud, 1 | 1u << context, context);
	input_endpoint(ud, context, 7, ud->ud_maxpacket, xr);
	error = input_command(ud, TRB_CONFIGURE);
	if (error != 0)
		xr->xr_trb = NULL;
	return error;
}

void
xhci_drop(struct usb_dev *ud)
{
	struct xhci *hc = ud->ud_hc;
	volatile uint64_t *dcbaa;
	bool lost = hc->hc_lost;

	if (ud->ud_slot == 0)
		return;
	if (hc->hc_running) {
		lost = command(hc, 0, TRB_TYPE(TRB_DISABLE_SLOT) |
		    ud->ud_slot << 24) != 0;
		dcbaa = mem_at(&hc->hc_mem, MEM_DCBAA);
		dcbaa[ud->ud_slot] = 0;
	}
	if (hc->hc_running && lost && hc->hc_broken == NULL)
		hc->hc_broken = "it does not let a device go";
	hc->hc_dev[ud->ud_slot] = NULL;
	mem_free(hc->hc_dmat, &ud->ud_mem, lost);
	ud->ud_slot = 0;
}

/* After a refusal: the pipe is as new. */
static int
control_recover(struct usb_dev *ud)
{
	struct xhci_ring *xr = &ud->ud_control;
	uint32_t where = ud->ud_slot << 24 | 1 << 16;
	int error;

	error = command(ud->ud_hc, 0, TRB_TYPE(TRB_RESET_ENDPOINT) | where);
	if (error != 0)
		return error;
	return command(ud->ud_hc, (xr->xr_addr + xr->xr_at * TRB_SIZE) |
	    xr->xr_cycle, TRB_TYPE(TRB_DEQUEUE) | where);
}

static void
control_put(struct usb_dev *ud, uint64_t setup, bool in, unsigned len)
{
	struct xhci_ring *xr = &ud->ud_control;
	struct usb_request *rq = &ud->ud_ep0;

	memset(rq, 0, sizeof(*rq));
	ring_put(xr, setup, 8, TRB_TYPE(TRB_SETUP) | TRB_IMMEDIATE |
	    (len == 0 ? 0 : in ? 3 << 16 : 2 << 16));
	if (len != 0)
		rq->rq_data = ring_put(xr, ud->ud_mem.um_addr + DEV_BUFFER,
		    len, TRB_TYPE(TRB_DATA) | TRB_SHORT | (in ? TRB_IN : 0));
	rq->rq_addr = ring_put(xr, 0, 0, TRB_TYPE(TRB_STATUS) | TRB_IOC |
	    (in && len != 0 ? 0 : TRB_IN));
	doorbell(ud->ud_hc, ud->ud_slot, 1);
}

int
xhci_control(struct usb_dev *ud, unsigned type, unsigned what, unsigned value,
    unsigned index, unsigned len, unsigned *got)
{
	struct usb_request *rq = &ud->ud_ep0;
	uint64_t setup = type | what << 8 | (uint64_t)value << 16 |
	    (uint64_t)index << 32 | (uint64_t)len << 48;
	int error;

	if (len > USB_BUFFER)
		return EINVAL;
	control_put(ud, setup, (type & 0x80) != 0, len);
	error = await(ud->ud_hc, rq, TRANSFER_NS);
	rq->rq_addr = 0;
	if (error != 0) {
		ud->ud_failed = true;
		return error;
	}
	if (rq->rq_code == CODE_STALL) {
		error = control_recover(ud);
		return error != 0 ? error : EPIPE;
	}
	if (rq->rq_code != CODE_SUCCESS || rq->rq_left > len)
		return EIO;
	if (got != NULL)
		*got = len - rq->rq_left;
	return 0;
}

void
xhci_listen(struct usb_dev *ud)
{
	struct usb_request *rq = &ud->ud_ep1;

	rq->rq_code = 0;
	rq->rq_left = 0;
	rq->rq_addr = ring_put(&ud->ud_interrupt, ud->ud_mem.um_addr +
	    DEV_REPORT, ud->ud_maxpacket, TRB_TYPE(TRB_NORMAL) | TRB_SHORT |
	    TRB_IOC);
	doorbell(ud->ud_hc, ud->ud_slot, 2 * ud->ud_endpoint + 1);
}

void *
xhci_buffer(struct usb_dev *ud)
{
	return mem_at(&ud->ud_mem, DEV_BUFFER);
}
