/* SPDX-License-Identifier: ISC */
/*
 * The strict model: what the specification forbids a driver, each as a rule
 * that a device model reports when it sees it broken, with the sentence that
 * asks for it (by its label and its ordinal there; the text here is ours).
 *
 *	strict_broken(STRICT_CHAIN_ORDER, "queue %u", queue);
 *
 * A broken rule is a port_violation(); a test that plants one says so before:
 *
 *	strict_expect(STRICT_CHAIN_ORDER);
 *	... the small violation ...
 *	assert(strict_only(STRICT_CHAIN_ORDER));
 */
#ifndef STRICT_H
#define STRICT_H

#define L_STATUS	"Basic Facilities of a Virtio Device / Device Status Field"
#define L_FEATURES	"Basic Facilities of a Virtio Device / Feature Bits"
#define L_RESET		"Basic Facilities of a Virtio Device / Device Reset"
#define L_CONFIG	"Basic Facilities of a Virtio Device / Device Configuration Space"
#define L_INIT		"General Initialization And Device Operation / Device Initialization"
#define L_CLEANUP	"General Initialization And Device Operation / Device Cleanup"
#define L_RESERVED	"Reserved Feature Bits"
#define L_QUEUES	"Basic Facilities of a Virtio Device / Virtqueues"
#define L_FRAMING	"Basic Facilities of a Virtio Device / Message Framing"
#define L_TABLE		L_QUEUES " / The Virtqueue Descriptor Table"
#define L_INDIRECT	L_TABLE " / Indirect Descriptors"
#define L_AVAIL		L_QUEUES " / The Virtqueue Available Ring"
#define L_USED		L_QUEUES " / The Virtqueue Used Ring"
#define L_INTR		L_QUEUES " / Used Buffer Notification Suppression"
#define L_BELL		L_QUEUES " / Available Buffer Notification Suppression"
#define L_SUPPLY	L_QUEUES " / Supplying Buffers to The Device"
#define L_PACKED	"Basic Facilities of a Virtio Device / Packed Virtqueues"
#define L_P_TABLE	L_PACKED " / The Virtqueue Descriptor Table"
#define L_P_LIST	L_PACKED " / Scatter-Gather Support"
#define L_P_EVENT	L_PACKED " / Event Suppression Structure Format"
#define L_RING_RESET	L_QUEUES " / Virtqueue Reset / Virtqueue Reset"
#define L_PCI		"Virtio Transport Options / Virtio Over PCI Bus"
#define L_PCI_FIND	L_PCI " / PCI Device Discovery"
#define L_PCI_LAYOUT	L_PCI " / PCI Device Layout"
#define L_PCI_CAP	L_PCI " / Virtio Structure PCI Capabilities"
#define L_PCI_COMMON	L_PCI_LAYOUT " / Common configuration structure layout"
#define L_PCI_ISR	L_PCI_LAYOUT " / ISR status capability"
#define L_PCI_VENDOR	L_PCI_LAYOUT " / Vendor data capability"
#define L_PCI_CFG	L_PCI_LAYOUT " / PCI configuration access capability"
#define L_PCI_OPER	L_PCI " / PCI-specific Initialization And Device Operation"
#define L_PCI_MSIX	L_PCI_OPER " / Device Initialization / MSI-X Vector Configuration"
#define L_PCI_BELL	L_PCI_OPER " / Available Buffer Notifications"
#define L_PCI_CHANGE	L_PCI_OPER " / Notification of Device Configuration Changes"
#define L_MMIO		"Virtio Transport Options / Virtio Over MMIO"
#define L_MMIO_REGS	L_MMIO " / MMIO Device Register Layout"
#define L_MMIO_OPER	L_MMIO " / MMIO-specific Initialization And Device Operation"
#define L_MMIO_INIT	L_MMIO_OPER " / Device Initialization"
#define L_MMIO_INTR	L_MMIO_OPER " / Notifications From The Device"
#define L_NET		"Device Types / Network Device"
#define L_NET_CONFIG	L_NET " / Device configuration layout"
#define L_NET_TX	L_NET " / Device Operation / Packet Transmission"
#define L_NET_POST	L_NET " / Device Operation / Setting Up Receive Buffers"
#define L_NET_RX	L_NET " / Device Operation / Processing of Incoming Packets"
#define L_NET_CTRL	L_NET " / Device Operation / Control Virtqueue"
#define L_NET_MACS	L_NET_CTRL " / Setting MAC Address Filtering"
#define L_NET_ANNOUNCE	L_NET_CTRL " / Gratuitous Packet Sending"
#define L_NET_MQ	L_NET_CTRL " / Automatic receive steering in multiqueue mode"
#define L_NET_RSS	L_NET_CTRL " / Receive-side scaling (RSS)"
#define L_NET_OFFLOADS	L_NET_CTRL " / Offloads State Configuration / Setting Offloads State"
#define L_NET_COAL	L_NET_CTRL " / Notifications Coalescing"
#define L_NET_STATS	L_NET_CTRL " / Device Statistics"
#define L_BLK		"Device Types / Block Device / Device Operation"
#define L_BLK_INIT	"Device Types / Block Device / Device Initialization"
#define L_CONSOLE	"Device Types / Console Device / Device Operation"
#define L_ENTROPY	"Device Types / Entropy Device / Device Operation"
#define L_GPU		"Device Types / GPU Device / Device Operation"

/*
 * Identifier, name in reports and in test/conform, label, ordinal of the first
 * sentence there that asks for it (0: prose), and what it is.
 */
#define STRICT_RULES(X)							      \
X(STATUS_ORDER, "status-order", L_STATUS, 1,				      \
	"each status bit is set after those of the steps before it")	      \
X(STATUS_CLEARED, "status-cleared", L_STATUS, 2,			      \
	"only a reset clears status bits")				      \
X(STATUS_FAILED, "status-failed", L_STATUS, 3,				      \
	"after FAILED nothing but a reset")				      \
X(STATUS_NEEDS_RESET, "status-needs-reset", L_STATUS, 4,		      \
	"nothing is awaited of a device that asked for a reset")	      \
X(FEATURE_OFFERED, "feature-offered", L_FEATURES, 1,			      \
	"only what was offered is accepted")				      \
X(FEATURE_DEPENDS, "feature-depends", L_FEATURES, 2,			      \
	"a feature is accepted with all that it depends on")		      \
X(FEATURE_UNKNOWN, "feature-unknown", L_FEATURES, 5,			      \
	"bits that are undefined, reserved or not for this device stay 0")    \
X(GAVE_UP, "gave-up", L_FEATURES, 8,					      \
	"a device within the specification is driven")			      \
X(FAILED_UNSAID, "failed-unsaid", L_FEATURES, 7,			      \
	"a driver that can't go on sets FAILED")			      \
X(RESET_AWAITED, "reset-awaited", L_RESET, 1,				      \
	"a reset is over when the status reads 0, not before")		      \
X(CONFIG_GENERATION, "config-generation", L_CONFIG, 2,			      \
	"fields that belong together are read between two equal generations") \
X(CONFIG_OPTIONAL, "config-optional", L_CONFIG, 3,			      \
	"a field that comes with a feature is read only if that is offered")  \
X(CONFIG_EARLY, "config-early", L_INIT, 2,				      \
	"configuration is not written before FEATURES_OK")		      \
X(CONFIG_CHANGE, "config-change", L_PCI_CHANGE, 1,			      \
	"a change of configuration is noticed on whatever interrupt")	      \
X(FEATURE_LATE, "feature-late", L_INIT, 3,				      \
	"features do not change after FEATURES_OK")			      \
X(REFUSED_GOES_ON, "refused-goes-on", L_INIT, 5,			      \
	"a driver whose features were refused does not go on")		      \
X(NOTIFY_EARLY, "notify-early", L_INIT, 6,				      \
	"no doorbell before DRIVER_OK")					      \
X(ENTRY_ALTERED, "entry-altered", L_CLEANUP, 1,				      \
	"descriptors of what the device has are not touched")		      \
X(ENTRY_REMOVED, "entry-removed", L_CLEANUP, 2,				      \
	"buffers stay until they are used or the device is reset")	      \
X(VERSION_1, "version-1", L_RESERVED, 1,				      \
	"VERSION_1 is accepted")					      \
X(SHOULD_ACCEPT, "should-accept", L_RESERVED, 2,			      \
	"this feature should be accepted where it is offered")		      \
X(ADDRESS, "address", L_RESERVED, 4,					      \
	"addresses are those of the bus")				      \
X(BARRIER_PLATFORM, "barrier-platform", L_RESERVED, 7,			      \
	"with ORDER_PLATFORM barriers are those for hardware")		      \
X(SR_IOV, "sr-iov", L_RESERVED, 8,					      \
	"SR_IOV is not accepted of a device that can't have it")	      \
X(RING_ALIGN, "ring-align", L_QUEUES, 1,				      \
	"the parts of a ring are aligned")				      \
X(CHAIN_ORDER, "chain-order", L_FRAMING, 1,				      \
	"what the device writes follows what it reads")			      \
X(CHAIN_EXCESS, "chain-excess", L_FRAMING, 2,				      \
	"a buffer takes no more descriptors than it needs")		      \
X(CHAIN_LONG, "chain-long", L_TABLE, 1,					      \
	"a chain is at most 4 GiB, and no loop")			      \
X(DESC_FLAGS, "desc-flags", L_TABLE, 0,					      \
	"a descriptor has a length, known flags, and its table")	      \
X(INDIRECT_UNASKED, "indirect-unasked", L_INDIRECT, 1,			      \
	"indirect descriptors are negotiated")				      \
X(INDIRECT_NESTED, "indirect-nested", L_INDIRECT, 2,			      \
	"a table holds no further table")				      \
X(CHAIN_SIZE, "chain-size", L_INDIRECT, 3,				      \
	"a chain has no more descriptors than the queue entries")	      \
X(INDIRECT_NEXT, "indirect-next", L_INDIRECT, 4,			      \
	"a descriptor of a table has no next")				      \
X(AVAIL_BACK, "avail-back", L_AVAIL, 1,					      \
	"the available index only goes on")				      \
X(AVAIL_FLAGS, "avail-flags", L_INTR, 1,				      \
	"the available ring's flags are 0 or 1")			      \
X(AVAIL_FLAGS_EVENT, "avail-flags-event", L_INTR, 2,			      \
	"with EVENT_IDX the available ring's flags are 0")		      \
X(USED_BEYOND, "used-beyond", L_USED, 1,				      \
	"nothing beyond the used length is taken for data")		      \
X(USED_INITIAL, "used-initial", L_BELL, 1,				      \
	"the used ring begins as zeros")				      \
X(NOTIFY_MISSING, "notify-missing", L_BELL, 4,				      \
	"a device that wants a doorbell gets one")			      \
X(NOTIFY_UNWANTED, "notify-unwanted", L_BELL, 3,			      \
	"a device that wants no doorbell gets none")			      \
X(BARRIER_INDEX, "barrier-index", L_SUPPLY " / Updating idx", 1,	      \
	"a barrier stands before the index")				      \
X(BARRIER_NOTIFY, "barrier-notify", L_SUPPLY " / Notifying The Device", 1,    \
	"a barrier stands between the index and the look at the device's wish") \
X(ORDER_NEXT, "order-next", L_TABLE, 2,					      \
	"with IN_ORDER descriptors are taken in the order of the table")      \
X(RING_INITIAL, "ring-initial", L_PACKED, 0,				      \
	"a packed ring begins as zeros")				      \
X(LIST_PARTIAL, "list-partial", L_P_LIST, 6,				      \
	"the first descriptor of a list is available last")		      \
X(INDIRECT_FLAGS, "indirect-flags", L_P_TABLE " / Indirect Descriptors", 2,   \
	"descriptors of a packed ring's table have no flag but WRITE")	      \
X(ID_TWICE, "id-twice", L_P_TABLE, 0,					      \
	"an id is one list's until that is used")			      \
X(EVENT_FLAGS, "event-flags", L_P_EVENT, 0,				      \
	"event suppression has known flags, and an offset in the ring")	      \
X(QUEUE_RESET, "queue-reset", L_RING_RESET, 0,				      \
	"a queue is reset by 1, if that was negotiated, while it is enabled") \
X(QUEUE_RESET_AWAITED, "queue-reset-awaited", L_RING_RESET, 1,		      \
	"a queue's reset is over when it reads 0, not before")		      \
X(NOTIFY_DATA, "notify-data", L_PCI_COMMON, 0,				      \
	"queue_notif_config_data is there if that was negotiated")	      \
X(QUEUE_LIFE, "queue-life", L_INIT, 1,					      \
	"queues are set up between FEATURES_OK and DRIVER_OK")		      \
X(NOTIFY_VALUE, "notify-value", L_PCI_BELL, 3,				      \
	"a doorbell says which queue, and no more than was negotiated")	      \
X(NOTIFY_WIDTH, "notify-width", L_PCI_BELL, 1,				      \
	"a doorbell is 16 bits wide, with NOTIFICATION_DATA 32")	      \
X(CONFIG_WIDTH, "config-width", L_PCI_LAYOUT, 1,			      \
	"configuration is accessed in the width of its fields")		      \
X(CONFIG_WRITE, "config-write", L_NET_CONFIG, 1,			      \
	"what the device alone writes is not written")			      \
X(PCI_MATCH, "pci-match", L_PCI_FIND, 1,				      \
	"each id of virtio's is matched, of any revision")		      \
X(PCI_CAP_TYPE, "pci-cap-type", L_PCI_CAP, 1,				      \
	"a structure of an unknown type is passed over")		      \
X(PCI_CAP_FIRST, "pci-cap-first", L_PCI_CAP, 2,				      \
	"the first structure of a type is the one to use")		      \
X(PCI_CAP_BAR, "pci-cap-bar", L_PCI_CAP, 4,				      \
	"a structure in a reserved BAR is passed over")			      \
X(PCI_WINDOW, "pci-window", L_PCI_CAP, 5,				      \
	"nothing outside of the structures is touched")			      \
X(PCI_CAP_WRITE, "pci-cap-write", L_PCI_CAP, 7,				      \
	"capabilities are not written")					      \
X(PCI_READ_ONLY, "pci-read-only", L_PCI_COMMON, 1,			      \
	"fields of the device are not written")				      \
X(PCI_WIDTH, "pci-width", L_PCI_COMMON, 0,				      \
	"the common structure is accessed in the width of its fields")	      \
X(QUEUE_SIZE, "queue-size", L_PCI_COMMON, 2,				      \
	"a queue's size is a power of two, not 0, and no more than the device's") \
X(QUEUE_LATE, "queue-late", L_PCI_COMMON, 4,				      \
	"a queue's fields are written before it is enabled")		      \
X(QUEUE_ENABLE_0, "queue-enable-0", L_PCI_COMMON, 6,			      \
	"queue_enable is never written 0")				      \
X(ISR_MSIX, "isr-msix", L_PCI_ISR, 1,					      \
	"with MSI-X the ISR status is not looked at")			      \
X(PCI_VENDOR, "pci-vendor", L_PCI_VENDOR, 1,				      \
	"vendor data is left alone")					      \
X(PCI_CFG_ACCESS, "pci-cfg-access", L_PCI_CFG, 2,			      \
	"pci_cfg_data is touched only through a window that was set")	      \
X(MSIX_RANGE, "msix-range", L_PCI_MSIX, 2,				      \
	"no vector beyond the table")					      \
X(MSIX_VERIFY, "msix-verify", L_PCI_MSIX, 3,				      \
	"a vector that was written is read back")			      \
X(MMIO_PLACE, "mmio-place", L_MMIO_REGS, 1,				      \
	"only registers that exist are touched")			      \
X(MMIO_READ_ONLY, "mmio-read-only", L_MMIO_REGS, 2,			      \
	"registers to read are not written")				      \
X(MMIO_WRITE_ONLY, "mmio-write-only", L_MMIO_REGS, 3,			      \
	"registers to write are not read")				      \
X(MMIO_WIDTH, "mmio-width", L_MMIO_REGS, 4,				      \
	"registers are accessed by 32 aligned bits")			      \
X(MMIO_MAGIC, "mmio-magic", L_MMIO_REGS, 6,				      \
	"what has another magic value is left alone")			      \
X(MMIO_VERSION, "mmio-version", L_MMIO_REGS, 7,				      \
	"a version that is not known is left alone")			      \
X(MMIO_ABSENT, "mmio-absent", L_MMIO_REGS, 8,				      \
	"device 0 is left alone")					      \
X(MMIO_ABSENT_SAID, "mmio-absent-said", L_MMIO_REGS, 9,			      \
	"device 0 is no error")						      \
X(MMIO_FEATURE_SEL, "mmio-feature-sel", L_MMIO_REGS, 10,		      \
	"the half of the features is chosen before it is accessed")	      \
X(MMIO_READY, "mmio-ready", L_MMIO_REGS, 13,				      \
	"a queue that is ready keeps its size and place")		      \
X(MMIO_STOP, "mmio-stop", L_MMIO_REGS, 14,				      \
	"QueueReady is read back after a 0")				      \
X(MMIO_ACK, "mmio-ack", L_MMIO_REGS, 17,				      \
	"an interrupt that was handled is acknowledged")		      \
X(MMIO_ACK_BITS, "mmio-ack-bits", L_MMIO_REGS, 18,			      \
	"only known bits are acknowledged")				      \
X(MMIO_ORDER, "mmio-order", L_MMIO_INIT, 1,				      \
	"magic value, version and device id are read before all else")	      \
X(MMIO_SHM, "mmio-shm", L_MMIO_INIT, 5,					      \
	"shared memory is left alone by who expects none")		      \
X(MMIO_STATUS, "mmio-status", L_MMIO_INTR, 1,				      \
	"an interrupt begins with a look at its status")		      \
X(USED_UNSEEN, "used-unseen", L_MMIO_INTR, 2,				      \
	"an interrupt may speak of any queue")				      \
X(LEGACY_PLACE, "legacy-place", L_MMIO " / Legacy interface", 0,	      \
	"page size and alignment are known before a queue has a place")	      \
X(NET_MAC, "net-mac", L_NET_CONFIG, 3,					      \
	"the device's address is used")					      \
X(NET_MAC_LOCAL, "net-mac-local", L_NET_CONFIG, 4,			      \
	"without one it is locally administered")			      \
X(NET_LINK, "net-link", L_NET_CONFIG, 5,				      \
	"the link is as the status says, and up without one")		      \
X(NET_RX_SHORT, "net-rx-short", L_NET_POST, 2,				      \
	"a buffer holds the largest frame")				      \
X(NET_TX_LONG, "net-tx-long", L_NET_CONFIG, 9,				      \
	"no frame is longer than the MTU")				      \
X(NET_TX_HEADER, "net-tx-header", L_NET_TX, 1,				      \
	"a frame has the header that was negotiated, and an Ethernet one")    \
X(NET_NUM_BUFFERS, "net-num-buffers", L_NET_TX, 2,			      \
	"num_buffers is 0 on what is sent")				      \
X(NET_CSUM, "net-csum", L_NET_TX, 3,					      \
	"without CSUM the flags are 0")					      \
X(NET_CSUM_FULL, "net-csum-full", L_NET_TX, 4,				      \
	"what asks for no checksum has it")				      \
X(NET_CSUM_PLACE, "net-csum-place", L_NET_TX, 22,			      \
	"what is left to the device comes out right")			      \
X(NET_GSO, "net-gso", L_NET_TX, 24,					      \
	"segmentation is negotiated")					      \
X(NET_ECN, "net-ecn", L_NET_TX, 9,					      \
	"TCP that is to be cut and has CWR set says so")		      \
X(NET_GSO_CSUM, "net-gso-csum", L_NET_TX, 25,				      \
	"what is to be cut leaves its checksum to the device")		      \
X(NET_GSO_SIZE, "net-gso-size", L_NET_TX, 26,				      \
	"it names the size of its parts, which are within the MTU")	      \
X(NET_HDR_LEN, "net-hdr-len", L_NET_TX, 27,				      \
	"and the exact length of its headers")				      \
X(NET_HDR_HINT, "net-hdr-hint", L_NET_RX, 4,				      \
	"a received header's length is a hint, within the frame")	      \
X(NET_SPEED, "net-speed", L_NET_CONFIG, 11,				      \
	"a speed or duplex that can't be is not known")			      \
X(NET_QUEUE, "net-queue", L_NET_MQ, 4,					      \
	"frames go only on queues that are in use")			      \
X(NET_QUEUE_BEFORE, "net-queue-before", L_NET_MQ, 1,			      \
	"queues are there before they are used, with buffers")		      \
X(NET_PAIRS, "net-pairs", L_NET_MQ, 2,					      \
	"from one to all pairs are asked for")				      \
X(NET_RSS, "net-rss", L_NET_RSS, 2,					      \
	"a table of queues in use, a power of two, as long as may be")	      \
X(NET_HASH_TYPES, "net-hash-types", L_NET_RSS, 5,			      \
	"only hashes that the device has")				      \
X(NET_MAC_SET, "net-mac-set", L_NET_MACS, 2,				      \
	"an address that is not the device's is told to it")		      \
X(NET_MACS, "net-macs", L_NET_MACS, 3,					      \
	"two tables, of single addresses and of groups")		      \
X(NET_ANNOUNCE, "net-announce", L_NET_ANNOUNCE, 1,			      \
	"announcements are sent, and then acknowledged")		      \
X(NET_OFFLOADS, "net-offloads", L_NET_OFFLOADS, 1,			      \
	"only offloads that were negotiated")				      \
X(NET_COAL, "net-coal", L_NET_COAL, 1,					      \
	"coalescing is of a queue in use")				      \
X(NET_COAL_ERROR, "net-coal-error", L_NET_COAL, 4,			      \
	"an answer that is an error has no values")			      \
X(NET_STATS, "net-stats", L_NET_STATS, 1,				      \
	"the statistics asked for are there, and of that queue")	      \
X(NET_STATS_ROOM, "net-stats-room", L_NET_STATS, 3,			      \
	"there is room for all that is asked for")			      \
X(NET_FLAGS, "net-flags", L_NET_TX, 36,					      \
	"flags of received frames are not on what is sent")		      \
X(NET_RX_LOST, "net-rx-lost", L_NET_RX, 1,				      \
	"what a header says besides does not lose the frame")		      \
X(NET_RX_CSUM, "net-rx-csum", L_NET_RX, 5,				      \
	"a checksum counts as checked only if the device says so")	      \
X(NET_CTRL, "net-ctrl", L_NET_CTRL " / Packet Receive Filtering", 1,	      \
	"only commands that were negotiated")				      \
X(BLK_CAPACITY, "blk-capacity", L_BLK, 1,				      \
	"the capacity is as the device has it now")			      \
X(BLK_BEYOND, "blk-beyond", L_BLK, 2,					      \
	"no request goes beyond the capacity")				      \
X(BLK_READ_ONLY, "blk-read-only", L_BLK, 3,				      \
	"what is read-only is not written")				      \
X(BLK_FLUSH_SECTOR, "blk-flush-sector", L_BLK, 4,			      \
	"the sector is 0 but of reads and writes")			      \
X(BLK_FLUSH_DATA, "blk-flush-data", L_BLK, 5,				      \
	"a flush has no data")						      \
X(BLK_LENGTH, "blk-length", L_BLK, 6,					      \
	"data are whole sectors, in one direction")			      \
X(BLK_RANGE_LENGTH, "blk-range-length", L_BLK, 7,			      \
	"ranges are whole")						      \
X(BLK_ID_LENGTH, "blk-id-length", L_BLK, 8,				      \
	"the device's name is 20 bytes")				      \
X(BLK_DISCARD_MANY, "blk-discard-many", L_BLK, 9,			      \
	"no more ranges to discard than the device takes")		      \
X(BLK_ERASE_MANY, "blk-erase-many", L_BLK, 10,				      \
	"no more ranges to erase than the device takes")		      \
X(BLK_ZEROES_MANY, "blk-zeroes-many", L_BLK, 11,			      \
	"no more ranges of zeroes than the device takes")		      \
X(BLK_FLUSH, "blk-flush", L_BLK, 12,					      \
	"only what was flushed is taken for stable")			      \
X(BLK_UNMAP, "blk-unmap", L_BLK, 13,					      \
	"unmap is for zeroes alone")					      \
X(BLK_DISCARDED, "blk-discarded", L_BLK, 14,				      \
	"what was discarded is not known")				      \
X(BLK_DOUBTFUL, "blk-doubtful", L_BLK, 15,				      \
	"what a failed range did is not known")				      \
X(BLK_DATA, "blk-data", L_BLK, 0,					      \
	"what is read is what was written")				      \
X(BLK_HEADER, "blk-header", L_BLK, 0,					      \
	"a request has its header, and room for the status")		      \
X(BLK_FEATURE, "blk-feature", L_BLK, 0,					      \
	"only requests that were negotiated")				      \
X(BLK_SEGMENTS, "blk-segments", L_BLK_INIT, 0,				      \
	"no more segments, and no longer ones, than the device takes")	      \
X(BLK_RANGE_LONG, "blk-range-long", L_BLK_INIT, 0,			      \
	"no longer range than the device takes")			      \
X(BLK_WRITEBACK, "blk-writeback", L_BLK_INIT, 2,			      \
	"a cache that may be volatile is taken for that")		      \
X(BLK_WRITEBACK_EARLY, "blk-writeback-early", L_BLK_INIT, 3,		      \
	"the cache's mode is read after FEATURES_OK")			      \
X(CONSOLE_RX, "console-rx", L_CONSOLE, 1,				      \
	"a receive buffer is only written")				      \
X(CONSOLE_TX, "console-tx", L_CONSOLE, 2,				      \
	"a transmit buffer is only read")				      \
X(ENTROPY_READ, "entropy-read", L_ENTROPY, 1,				      \
	"a buffer for entropy is only written")				      \
X(ENTROPY_LENGTH, "entropy-length", L_ENTROPY, 2,			      \
	"as many bytes are taken as the device gave")			      \
X(GPU_HEADER, "gpu-header", L_GPU " / Device Operation: Request header", 0,   \
	"a request has its header, its length, and room for the answer")      \
X(GPU_QUEUE, "gpu-queue", L_GPU, 0,					      \
	"each command is on its queue")					      \
X(GPU_FEATURE, "gpu-feature", L_GPU, 0,					      \
	"only commands that were negotiated")				      \
X(GPU_INFO_ROOM, "gpu-info-room", L_GPU, 0,				      \
	"display information has room for all scanouts")		      \
X(GPU_RESOURCE, "gpu-resource", L_GPU, 0,				      \
	"a resource is named by an id that is not 0, once, while it exists")  \
X(GPU_FORMAT, "gpu-format", L_GPU, 0,					      \
	"a resource has a format that exists, and a size")		      \
X(GPU_BACKING, "gpu-backing", L_GPU, 0,					      \
	"a resource has one backing at a time, large enough")		      \
X(GPU_SCANOUT, "gpu-scanout", L_GPU, 0,					      \
	"a scanout exists, and shows a part of its resource")		      \
X(GPU_TRANSFER, "gpu-transfer", L_GPU, 0,				      \
	"a transfer lies inside of resource and backing")		      \
X(GPU_FLUSH, "gpu-flush", L_GPU, 0,					      \
	"a flush lies inside of its resource")				      \
X(GPU_HELD, "gpu-held", L_GPU, 0,					      \
	"backing stays until it is detached")				      \
X(GPU_BLOB, "gpu-blob", L_GPU, 0,					      \
	"a blob has a size, a kind that was negotiated, and its memory")      \
X(GPU_SHM, "gpu-shm", "Device Types / GPU Device / "			      \
	"Device Initialization", 0,					      \
	"all shared memory regions are asked for")			      \
X(GPU_MAP, "gpu-map", L_GPU, 0,						      \
	"a blob of the host's is mapped once, inside of the region")	      \
X(GPU_CURSOR, "gpu-cursor", L_GPU, 0,					      \
	"a cursor is an image of 64 x 64, shown where there is a head")	      \
X(GPU_CAPSET, "gpu-capset", L_GPU, 0,					      \
	"capability sets are asked for by an index that there is")	      \
X(GPU_CONTEXT, "gpu-context", L_GPU, 0,					      \
	"a context exists, once, and a stream is as long as it says")	      \
X(GPU_RING, "gpu-ring", L_GPU, 0,					      \
	"a ring is one of 64, and its fences ascend")			      \
X(GPU_EVENTS, "gpu-events", "Device Types / GPU Device / "		      \
	"Device configuration layout", 0,				      \
	"only events that were pending are cleared, nothing else is written")

enum strict_rule {
#define X(id, name, label, ordinal, text) STRICT_##id,
	STRICT_RULES(X)
#undef X
	STRICT_NRULES
};

void strict_broken(enum strict_rule, const char *fmt, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* Forget what was found, and what was expected. */
void strict_begin(void);

/* This rule is about to be broken: counted, and no violation. */
void strict_expect(enum strict_rule);

unsigned int strict_found(enum strict_rule);

/* Whether this rule was broken, and no other. */
int strict_only(enum strict_rule);

/* NULL beyond the last. */
const char *strict_name(enum strict_rule);

/* The last one that was broken without being expected; STRICT_NRULES: none. */
extern enum strict_rule strict_last;

#endif
