/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port of the second console function, which is a SPICE agent's: nobody
 * reads it here. What a driver owes it is DEVICE_READY and PORT_OPEN before
 * any write; and a write to a port that nobody drains has killed the VMM,
 * which `kills` repeats.
 */

#include "qemu/osdep.h"
#include "hw/applevz/applevz.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/virtio-serial.h"
#include "qemu/error-report.h"

#define TYPE_APPLEVZ_AGENT	"applevz-agent"
OBJECT_DECLARE_SIMPLE_TYPE(AppleVZAgent, APPLEVZ_AGENT)

struct AppleVZAgent {
	VirtIOSerialPort aa_port;
	bool aa_kills;
};

static ssize_t
agent_data(VirtIOSerialPort *port, const uint8_t *data, ssize_t length)
{
	if (!port->guest_connected)
		applevz_violation("spice", "%zd bytes are written to port %u,"
		    " which was not opened", length, port->id);
	else
		applevz_violation("spice", "%zd bytes are written to port %u,"
		    " which nobody drains", length, port->id);
	if (APPLEVZ_AGENT(port)->aa_kills) {
		error_report("applevz: a write to a port that nobody drains");
		exit(1);
	}
	return length;
}

static void
agent_realize(DeviceState *dev, Error **errp)
{
	VirtIOSerialPort *port = VIRTIO_SERIAL_PORT(dev);

	if (port->name == NULL)
		port->name = g_strdup("com.redhat.spice.0");
	virtio_serial_open(port);
}

static Property agent_properties[] = {
	DEFINE_PROP_BOOL("kills", AppleVZAgent, aa_kills, false),
	DEFINE_PROP_END_OF_LIST(),
};

static void
agent_class(ObjectClass *oc, void *data)
{
	VirtIOSerialPortClass *c = VIRTIO_SERIAL_PORT_CLASS(oc);

	c->realize = agent_realize;
	c->have_data = agent_data;
	device_class_set_props(DEVICE_CLASS(oc), agent_properties);
	set_bit(DEVICE_CATEGORY_INPUT, DEVICE_CLASS(oc)->categories);
}

static const TypeInfo agent_types[] = {
	{
		.name = TYPE_APPLEVZ_AGENT,
		.parent = TYPE_VIRTIO_SERIAL_PORT,
		.instance_size = sizeof(AppleVZAgent),
		.class_init = agent_class,
	},
};

DEFINE_TYPES(agent_types)
