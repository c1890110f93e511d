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

#endif
