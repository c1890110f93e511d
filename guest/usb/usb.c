/* SPDX-License-Identifier: ISC */
/*
 * What is plugged into USB ports: found, set up, and listened to if it is a
 * keyboard or an absolute pointer. Hubs are not gone through.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmdline.h"
#include "console.h"
#include "console_text.h"
#include "dma.h"
#include "init.h"
#include "kmem.h"
#include "ktime.h"
#include "log.h"
#include "pci.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"
#include "usbvar.h"

#define PCI_CLASS_XHCI	0x0c0330

#define DEBOUNCE_NS	(100 * NS_PER_MS)
#define RESET_NS	(500 * NS_PER_MS)
#define RECOVERY_NS	(10 * NS_PER_MS)
#define LOOK_NS		(500 * NS_PER_MS)	/* at ports that say nothing */
#define WATCH_NS	(100 * NS_PER_MS)	/* behind interrupts */
#define POLL_NS		(8 * NS_PER_MS)
#define MAX_FAILURES	5
#define VECTOR_NONE	(-2)

/* Requests (USB 2.0, Standard Device Requests; HID, Requests) */
#define TO_DEVICE	0x00
#define TO_INTERFACE	0x21
#define FROM_DEVICE	0x80
#define FROM_INTERFACE	0x81
#define GET_DESCRIPTOR	6
#define SET_CONFIGURATION 9
#define SET_REPORT	9
#define SET_IDLE	10
#define SET_PROTOCOL	11
#define DESC_DEVICE	1
#define DESC_CONFIG	2
#define DESC_INTERFACE	4
#define DESC_ENDPOINT	5
#define DESC_HID	0x21
#define DESC_REPORT	0x22

static struct xhci *controllers;
static struct mutex usb_mutex;
static struct event usb_event;
static bool usb_running;

void
usb_wake(void)
{
	event_signal(&usb_event);
}

void
usb_pause(uint64_t ns)
{
	event_wait(&usb_event, ns);
}

static void
settle(const struct xhci *hc, uint64_t ns)
{
	uint64_t end = uptime_ns() + ns, now;

	while ((now = uptime_ns()) < end && !hc->hc_gone)
		usb_pause(end - now);
}

/* Of a field's range, in parts of 65536. */
static uint16_t
fraction(uint32_t at, const struct hid_field *hf)
{
	if (at >= hf->hf_max)
		return UINT16_MAX;
	return (uint16_t)(((uint64_t)at << 16) / hf->hf_max);
}

void
usb_report(struct usb_dev *ud, const uint8_t *data, size_t len)
{
	struct hid_pointer *hp = &ud->ud_u.u_pointer;

	if (ud->ud_kind == USB_POINTER) {
		hid_pointer_report(hp, data, len);
		fbcon_point(fraction(hp->hp_at_x, &hp->hp_x),
		    fraction(hp->hp_at_y, &hp->hp_y));
	} else if (ud->ud_kind == USB_KEYBOARD)
		ud->ud_lamp |= hid_keyboard_report(&ud->ud_u.u_keyboard, data,
		    len, uptime_ns());
}

/* Descriptors */

static void
endpoint_parse(struct usb_dev *ud, const uint8_t *d)
{
	unsigned interval = d[6], i;

	ud->ud_endpoint = d[2] & 0xf;
	ud->ud_maxpacket = (d[4] | (unsigned)d[5] << 8) & 0x7ff;
	if (ud->ud_speed >= SPEED_HIGH) {
		ud->ud_interval = interval < 1 ? 0 : interval > 16 ? 15 :
		    interval - 1;
		return;
	}
	/* Frames of a millisecond, as a power of two of 125 us. */
	for (i = 3; i < 10 && interval >> (i - 2) != 0;)
		i++;
	ud->ud_interval = i;
}

unsigned
usb_config_parse(struct usb_dev *ud, const uint8_t *d, size_t len)
{
	enum usb_kind kind = USB_OTHER;
	size_t at, n;

	ud->ud_kind = USB_OTHER;
	if (len < 9 || d[1] != DESC_CONFIG)
		return 0;
	for (at = 0; len - at >= 2; at += n) {
		const uint8_t *p = d + at;

		n = p[0];
		if (n < 2 || n > len - at)
			break;
		if (p[1] == DESC_INTERFACE && n >= 9) {
			kind = p[5] != 3 || p[3] != 0 ? USB_OTHER :
			    p[6] == 1 && p[7] == 1 ? USB_KEYBOARD : USB_POINTER;
			ud->ud_interface = p[2];
			ud->ud_reportlen = 0;
		} else if (p[1] == DESC_HID && n >= 9)
			ud->ud_reportlen = p[7] | (unsigned)p[8] << 8;
		else if (p[1] == DESC_ENDPOINT && n >= 7 && kind != USB_OTHER &&
		    (p[2] & 0x8f) > 0x80 && (p[3] & 3) == 3) {
			endpoint_parse(ud, p);
			if (ud->ud_maxpacket == 0 ||
			    ud->ud_maxpacket > USB_REPORT)
				continue;
			ud->ud_kind = kind;
			break;
		}
	}
	return d[5];
}

/* At most len bytes, copied: the device may change its mind. */
static int
descriptor(struct usb_dev *ud, unsigned type, unsigned value, unsigned index,
    uint8_t *buf, unsigned len, unsigned *got)
{
	int error;

	if (len > USB_BUFFER)
		len = USB_BUFFER;
	error = xhci_control(ud, type, GET_DESCRIPTOR, value << 8, index, len,
	    got);
	if (error == 0)
		memcpy(buf, xhci_buffer(ud), *got);
	return error;
}

static int
identify(struct usb_dev *ud, uint8_t *buf)
{
	unsigned got;
	int error;

	error = descriptor(ud, FROM_DEVICE, DESC_DEVICE, 0, buf, 8, &got);
	if (error != 0)
		return error;
	if (got == 8 && ud->ud_speed == SPEED_FULL && buf[7] > 8 &&
	    buf[7] <= 64) {
		error = xhci_maxpacket(ud, buf[7]);
		if (error != 0)
			return error;
	}
	error = descriptor(ud, FROM_DEVICE, DESC_DEVICE, 0, buf, 18, &got);
	if (error != 0)
		return error;
	ud->ud_id = (uint32_t)buf[8] | (uint32_t)buf[9] << 8 |
	    (uint32_t)buf[10] << 16 | (uint32_t)buf[11] << 24;
	return got == 18 ? 0 : EIO;
}

/* What it sends: a keyboard always the same, a pointer what it says. */
static int
protocol(struct usb_dev *ud, uint8_t *buf)
{
	unsigned got;
	int error;

	if (ud->ud_kind == USB_KEYBOARD) {
		ud->ud_u.u_keyboard.hk_out = tty_input;
		error = xhci_control(ud, TO_INTERFACE, SET_PROTOCOL, 0,
		    ud->ud_interface, 0, NULL);
		if (error == 0)
			error = xhci_control(ud, TO_INTERFACE, SET_IDLE, 0,
			    ud->ud_interface, 0, NULL);
		return error == EPIPE ? 0 : error;
	}
	error = descriptor(ud, FROM_INTERFACE, DESC_REPORT, ud->ud_interface,
	    buf, ud->ud_reportlen, &got);
	if (error == 0 && !hid_pointer_parse(&ud->ud_u.u_pointer, buf, got))
		ud->ud_kind = USB_OTHER;
	return error;
}

static int
configure(struct usb_dev *ud, uint8_t *buf)
{
	unsigned got, number;
	int error;

	error = descriptor(ud, FROM_DEVICE, DESC_CONFIG, 0, buf, 9, &got);
	if (error == 0 && got < 9)
		error = EIO;
	if (error == 0)
		error = descriptor(ud, FROM_DEVICE, DESC_CONFIG, 0, buf,
		    buf[2] | (unsigned)buf[3] << 8, &got);
	if (error != 0)
		return error;
	number = usb_config_parse(ud, buf, got);
	if (ud->ud_kind == USB_OTHER)
		return 0;
	error = xhci_control(ud, TO_DEVICE, SET_CONFIGURATION, number, 0, 0,
	    NULL);
	if (error == 0)
		error = protocol(ud, buf);
	if (error != 0 || ud->ud_kind == USB_OTHER)
		return error;
	error = xhci_endpoint(ud);
	if (error == 0)
		xhci_listen(ud);
	return error;
}

static const char *
kind_name(const struct usb_dev *ud)
{
	return ud->ud_kind == USB_KEYBOARD ? "keyboard" :
	    ud->ud_kind == USB_POINTER ? "pointer" : "no driver";
}

static int
enumerate(struct usb_dev *ud)
{
	uint8_t buf[USB_BUFFER];
	int error = xhci_device(ud);

	memset(buf, 0, sizeof(buf));
	if (error == 0)
		error = identify(ud, buf);
	if (error == 0)
		error = configure(ud, buf);
	return error;
}

/* Ports */

/* The port's status once it passes packets; 0: it does not. */
static uint32_t
port_enable(struct xhci *hc, unsigned port)
{
	uint64_t end;
	uint32_t v;

	settle(hc, DEBOUNCE_NS);
	v = xhci_port(hc, port);
	if (v != UINT32_MAX && (v & PORT_CONNECTED) != 0 &&
	    (v & PORT_ENABLED) == 0)
		xhci_port_write(hc, port, PORT_RESET);
	for (end = uptime_ns() + RESET_NS; !hc->hc_gone; usb_pause(NS_PER_MS)) {
		v = xhci_port(hc, port);
		if (v == UINT32_MAX || (v & PORT_CONNECTED) == 0 ||
		    uptime_ns() >= end)
			return 0;
		if ((v & PORT_ENABLED) != 0 && (v & PORT_RESET) == 0)
			break;
	}
	xhci_port_write(hc, port, v & PORT_CHANGES);
	settle(hc, RECOVERY_NS);
	return v;
}

static void
port_fill(struct xhci *hc, unsigned port)
{
	uint32_t v = port_enable(hc, port);
	struct usb_dev *ud;
	int error;

	if (v == 0)
		return;
	ud = kzalloc(sizeof(*ud));
	if (ud == NULL)
		return;
	ud->ud_hc = hc;
	ud->ud_port = port;
	ud->ud_speed = PORT_SPEED(v);
	error = enumerate(ud);
	if (error != 0) {
		klog_some(&hc->hc_log, LOG_WARN, "%s: port %u: error %d",
		    hc->hc_name, port, error);
		xhci_drop(ud);
		kfree(ud);
		return;
	}
	hc->hc_port[port].xp_dev = ud;
	klog_some(&hc->hc_log, LOG_INFO, "%s: port %u: %04x:%04x, %s",
	    hc->hc_name, port, (unsigned)(ud->ud_id & 0xffff),
	    (unsigned)(ud->ud_id >> 16), kind_name(ud));
}

static void
port_empty(struct xhci *hc, unsigned port)
{
	struct usb_dev *ud = hc->hc_port[port].xp_dev;

	if (ud == NULL)
		return;
	hc->hc_port[port].xp_dev = NULL;
	klog_some(&hc->hc_log, LOG_INFO, "%s: port %u: %s", hc->hc_name, port,
	    ud->ud_failed ? "failed" : "empty");
	xhci_drop(ud);
	kfree(ud);
}

static void
port_look(struct xhci *hc, unsigned port)
{
	struct xhci_port *xp = &hc->hc_port[port];
	uint32_t v = xhci_port(hc, port);

	if (v == UINT32_MAX)
		return;
	if ((v & PORT_CHANGES) != 0)
		xhci_port_write(hc, port, v & PORT_CHANGES);
	if ((v & PORT_CONNECTED) == 0 || (v & PORT_CONNECT_CHANGE) != 0) {
		port_empty(hc, port);
		xp->xp_tries = 0;
	} else if (xp->xp_dev != NULL && xp->xp_dev->ud_failed)
		port_empty(hc, port);
	if ((v & PORT_CONNECTED) != 0 && xp->xp_dev == NULL &&
	    xp->xp_tries < USB_RETRIES && hc->hc_broken == NULL) {
		xp->xp_tries++;
		port_fill(hc, port);
	}
}

/* Controllers */

static void
empty(struct xhci *hc)
{
	unsigned port;

	for (port = 1; port <= hc->hc_ports; port++)
		port_empty(hc, port);
}

static void
recover(struct xhci *hc)
{
	int error;

	klog(LOG_ERR, "%s: broken: %s", hc->hc_name, hc->hc_broken);
	error = xhci_stop(hc);
	empty(hc);
	if (error == 0 && ++hc->hc_failures <= MAX_FAILURES)
		error = xhci_start(hc);
	if (!hc->hc_running)
		klog(LOG_ERR, "%s: given up, error %d", hc->hc_name, error);
}

/* Lamps, and keys that are held; when it is to be called again. */
static uint64_t
keyboard(struct usb_dev *ud)
{
	struct hid_keyboard *hk = &ud->ud_u.u_keyboard;

	if (ud->ud_lamp) {
		ud->ud_lamp = false;
		*(uint8_t *)xhci_buffer(ud) = hk->hk_caps ? 2 : 0;
		(void)xhci_control(ud, TO_INTERFACE, SET_REPORT, 0x200,
		    ud->ud_interface, 1, NULL);
	}
	return hid_keyboard_repeat(hk, uptime_ns());
}

static uint64_t
service(struct xhci *hc)
{
	uint64_t now = uptime_ns(), next, at;
	struct usb_dev *ud;
	unsigned port;

	if (hc->hc_gone || !hc->hc_running)
		return UINT64_MAX;
	xhci_poll(hc);
	next = now + (hc->hc_vector == VECTOR_NONE ? POLL_NS : WATCH_NS);
	if (hc->hc_changed || now - hc->hc_looked > LOOK_NS) {
		hc->hc_changed = false;
		hc->hc_looked = now;
		for (port = 1; port <= hc->hc_ports; port++)
			port_look(hc, port);
	}
	for (port = 1; port <= hc->hc_ports; port++) {
		ud = hc->hc_port[port].xp_dev;
		if (ud == NULL || ud->ud_kind != USB_KEYBOARD || ud->ud_failed)
			continue;
		at = keyboard(ud);
		if (at < next)
			next = at;
	}
	if (hc->hc_broken != NULL && !hc->hc_gone)
		recover(hc);
	return hc->hc_changed ? now : next;
}

static void
usb_thread(void *arg)
{
	uint64_t next, at, now;
	bool settled = false;	/* what was there at the start is looked at */
	struct xhci *hc;

	(void)arg;
	for (;;) {
		next = UINT64_MAX;
		mutex_lock(&usb_mutex);
		for (hc = controllers; hc != NULL; hc = hc->hc_next) {
			at = service(hc);
			if (at < next)
				next = at;
		}
		mutex_unlock(&usb_mutex);
		now = uptime_ns();
		/* A port that changed meanwhile asks for another look now. */
		if (!settled && next > now) {
			settled = true;
			init_release();
		}
		event_wait(&usb_event, next == UINT64_MAX ? EVENT_FOREVER :
		    next > now + NS_PER_MS ? next - now : NS_PER_MS);
	}
}

static void
name(struct xhci *hc)
{
	const struct xhci *other;
	unsigned n = 0;

	do {
		snprintf(hc->hc_name, sizeof(hc->hc_name), "xhci%u", n++ % 100);
		for (other = controllers; other != NULL;
		    other = other->hc_next)
			if (strcmp(other->hc_name, hc->hc_name) == 0)
				break;
	} while (other != NULL);
}

static void
interrupts(struct xhci *hc)
{
	static const int ways[] = { 0, -1 };
	unsigned i;

	hc->hc_vector = VECTOR_NONE;
	for (i = 0; i < 2 && hc->hc_vector == VECTOR_NONE; i++)
		if (pci_intr_establish(hc->hc_pci, ways[i], 0, hc->hc_name,
		    xhci_intr, hc) == 0)
			hc->hc_vector = ways[i];
}

static int
start(struct xhci *hc)
{
	volatile void *va;
	uint64_t size;
	int error;

	error = pci_map_bar(hc->hc_pci, 0, &va, &size);
	if (error != 0)
		return error;
	error = xhci_find(hc, 0, (bus_space_handle_t)va, size);
	if (error == 0)
		error = xhci_reset(hc);
	if (error == 0) {
		pci_master(hc->hc_pci, true);
		interrupts(hc);
		error = xhci_start(hc);
	}
	if (error != 0) {
		pci_master(hc->hc_pci, false);
		pci_intr_disestablish(hc->hc_pci, 0);
		pci_intr_disestablish(hc->hc_pci, -1);
		pci_unmap_bar(hc->hc_pci, 0);
	}
	return error;
}

static bool
usb_attach(struct pci_dev *pd)
{
	struct xhci *hc;
	int error;

	if (pd->pd_class >> 8 != PCI_CLASS_XHCI)
		return false;
	hc = kzalloc(sizeof(*hc));
	if (hc == NULL)
		return false;
	hc->hc_pci = pd;
	hc->hc_dmat = pci_coherent(pd) &&
	    !cmdline_is("dma", "noncoherent") ? &dma_tag_coherent :
	    &dma_tag_noncoherent;
	name(hc);
	pci_enable(pd);
	error = start(hc);
	if (error != 0) {
		klog(LOG_ERR, "%s: does not start, error %d", hc->hc_name,
		    error);
		pci_release(pd);
		kfree(hc);
		return true;
	}
	pd->pd_owner = hc;
	mutex_lock(&usb_mutex);
	hc->hc_next = controllers;
	controllers = hc;
	mutex_unlock(&usb_mutex);
	if (!usb_running) {
		init_hold();
		usb_running = thread_create("usb", usb_thread, NULL) != NULL;
		if (!usb_running)
			init_release();
	}
	usb_wake();
	return true;
}

static void
usb_detach(struct pci_dev *pd)
{
	struct xhci *hc = pd->pd_owner, **hcp;

	if (hc == NULL) {
		pci_release(pd);
		return;
	}
	/* What is under way with it ends soon. */
	hc->hc_gone = true;
	usb_wake();
	mutex_lock(&usb_mutex);
	for (hcp = &controllers; *hcp != hc;)
		hcp = &(*hcp)->hc_next;
	*hcp = hc->hc_next;
	(void)xhci_stop(hc);
	empty(hc);
	mutex_unlock(&usb_mutex);
	klog(LOG_INFO, "%s: taken out%s", hc->hc_name,
	    pd->pd_gone ? " by surprise" : "");
	pci_master(pd, false);
	pci_intr_disestablish(pd, hc->hc_vector);
	pci_unmap_bar(pd, 0);
	pci_release(pd);
	kfree(hc);
}

static struct pci_driver driver = {
	.pr_attach = usb_attach,
	.pr_detach = usb_detach,
};

static void
usb_init(void)
{
	pci_register(&driver);
}
INIT(INIT_DRIVER, usb_init);

static void
show_device(const struct usb_dev *ud)
{
	static const char *const speeds[] = { "?", "full", "low", "high",
	    "super" };
	const struct hid_pointer *hp = &ud->ud_u.u_pointer;

	tty_printf("  port %u  %04x:%04x %s, %s speed, %llu reports\n",
	    ud->ud_port, (unsigned)(ud->ud_id & 0xffff),
	    (unsigned)(ud->ud_id >> 16), kind_name(ud),
	    speeds[ud->ud_speed <= SPEED_SUPER ? ud->ud_speed : 0],
	    (unsigned long long)ud->ud_reports);
	if (ud->ud_kind == USB_POINTER)
		tty_printf("          at %u of %u, %u of %u, buttons %x\n",
		    (unsigned)hp->hp_at_x, (unsigned)hp->hp_x.hf_max,
		    (unsigned)hp->hp_at_y, (unsigned)hp->hp_y.hf_max,
		    (unsigned)hp->hp_pressed);
}

static void
show(const struct xhci *hc)
{
	char where[16];
	unsigned port;

	pci_name(hc->hc_pci, where, sizeof(where));
	tty_printf("%s: pci %s, %u ports, %s: %llu interrupts, %llu strange "
	    "events%s%s\n", hc->hc_name, where, hc->hc_ports,
	    hc->hc_vector == 0 ? "MSI-X" : hc->hc_vector == -1 ? "INTx" :
	    "polling", (unsigned long long)hc->hc_nintr,
	    (unsigned long long)hc->hc_strange,
	    hc->hc_running ? "" : ", not running",
	    hc->hc_broken == NULL ? "" : ", broken");
	for (port = 1; port <= hc->hc_ports; port++)
		if (hc->hc_port[port].xp_dev != NULL)
			show_device(hc->hc_port[port].xp_dev);
}

static int
cmd_usb(int argc, char **argv)
{
	const struct xhci *hc;

	if (argc != 1)
		return shell_usage(argv[0]);
	if (tty_lock(&usb_mutex) != 0)
		return EBUSY;
	if (controllers == NULL)
		tty_printf("no USB controller\n");
	for (hc = controllers; hc != NULL; hc = hc->hc_next)
		show(hc);
	mutex_unlock(&usb_mutex);
	return 0;
}
COMMAND(usb, cmd_usb, "usb", "USB controllers, keyboards and pointers");
