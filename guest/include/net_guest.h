/* SPDX-License-Identifier: ISC */
/*
 * The guest's network: lwIP on the library's network driver.
 *
 * Queue pairs beyond the first are served by the other CPUs
 * (guest/net/ifnet.h). One thread ("net", CPU 0) receives, runs the protocols'
 * timers and hands to the devices what was queued. Threads are cooperative and
 * nothing within lwIP yields, so any thread of CPU 0 may call lwIP's raw API;
 * interrupt handlers never do. What a thread sends goes out when the net thread
 * next runs.
 *
 * No copy: received frames stay in the driver's buffers until lwIP frees them;
 * what is sent is read by the device where lwIP has it. For that, all memory
 * that lwIP allocates is loaded for DMA once; see guest/net/arena.h.
 *
 * Command line:
 *
 * net=dhcp		the first interface asks for an address (default; the
 *			others do too)
 * net=ADDR/LEN[,GATEWAY[,DNS]]
 *			the first interface has this one, the others none
 * net=off		no interface is brought up
 * netmem=BYTES		memory for packets (default: a sixteenth of RAM,
 *			1 to 8 MiB)
 * netpairs=N		pairs of queues to take of a device (default: one for
 *			each CPU, at most 8)
 * netdeny=MASK		feature bits that network devices are to leave
 * netreset=queue	a transmit queue that hangs is reset alone, if it can be
 */
#ifndef NET_GUEST_H
#define NET_GUEST_H

#include <stddef.h>
#include <stdint.h>

struct net_if;
struct pv_bus_dma_tag;
struct pv_net;
struct pv_virtio;

/*
 * net_attach - bring up a device of type PV_TYPE_NET
 *
 * dev		initialised by pv_virtio_init with no callbacks: they are
 *		this driver's
 * dmat		its DMA tag
 * name		"net0"; outlives the interface
 *
 * Comes before or after the stack's start (INIT_NET). Returns 0, ENOMEM, or
 * what pv_net_attach said. Threads only.
 */
int	net_attach(struct pv_virtio *dev, const struct pv_bus_dma_tag *dmat,
	    const char *name, struct net_if **);

/*
 * net_detach - take an interface away, with whatever is in flight
 *
 * After it the device is reset and quiet, or (ETIMEDOUT) the memory that it can
 * still reach is given up for ever. Threads only.
 */
int	net_detach(struct net_if *);

/* net_kick - the net thread has something to do; any context */
void	net_kick(void);

/* net_next - the interfaces one after the other; NULL begins and ends */
struct net_if	*net_next(struct net_if *);
struct pv_net	*net_driver(struct net_if *);

/*
 * net_describe - "10.0.2.15/24 mtu 1500 (hardmtu 65435)"
 *
 * What is truncated ends with the buffer. Returns buf.
 */
char	*net_describe(struct net_if *, char *buf, size_t len);

/*
 * net_feature - one after another the features that the driver asked for
 *
 * *next is 0 at first and kept here. Leaves "+MAC" in buf, first for each that
 * is in use, then "-MTU(not offered)" for each that is not, and why. False:
 * there is no other.
 */
bool	net_feature(const struct net_if *, unsigned int *next, char *buf,
	    size_t len);

/*
 * net_up - whether an interface with link has an address
 * net_wait - wait until one has; 0, ETIMEDOUT, or EINTR after Ctrl-C
 */
int	net_up(void);
int	net_wait(uint64_t timeout_ns);

#endif
