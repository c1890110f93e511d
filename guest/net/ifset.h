/* SPDX-License-Identifier: ISC */
#ifndef IFSET_H
#define IFSET_H

struct net_if;

/*
 * ifset - what `ifconfig` sets: settings one after the other, ended by NULL
 *
 * Stops at the first that fails, and has said why; returns its error.
 */
int	ifset(struct net_if *, char **argv);
void	ifset_help(void);

/* The words for receive modes, in the order of their bits, PV_NET_MODE_*. */
#define IFSET_NMODES	6
extern const char *const ifset_modes[IFSET_NMODES];

#endif
