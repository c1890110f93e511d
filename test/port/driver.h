/* SPDX-License-Identifier: ISC */
/*
 * What the programs share that drive a device over vhost-user: vhost_net.c,
 * vhost_blk.c. Any error ends the program.
 */
#ifndef PORT_DRIVER_H
#define PORT_DRIVER_H

#include <getopt.h>

#include "vhost_user.h"

extern struct shmem sm;
extern struct vhost *vh;
extern struct pv_virtio dev;
extern _Atomic int broken;

/* Each program's own. */
void usage(FILE *to);

/* --help, as -h. */
extern const struct option driver_help[];

/* An option's number; of anything else there is only the usage. */
unsigned long long number(const char *, unsigned long long least,
    unsigned long long most);

/* A driver's callback: it is said, and broken is set. */
void on_broken(void *, const char *why);

/* A back end that went away is waited for, 20 seconds. */
void reconnect(void);

/* The device of that name, in a region of so many bytes, connected. */
void driver_begin(struct vhost_params *, size_t memory, const char *name);

/* With the error of the driver's attach, and of its detach. */
void driver_attached(int error);
void driver_end(int error);

#endif
