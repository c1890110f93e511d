/* SPDX-License-Identifier: ISC */
/*
 * The kernel's command line: words apart by blanks, each NAME or NAME=VALUE.
 * Double quotes, anywhere in a word, keep blanks: run="ping 10.0.2.2;
 * poweroff". A backslash within quotes takes the next character as it is. Bytes
 * outside printable ASCII count as blanks. An unfinished quote ends with the
 * line. Unknown words are ignored: other boot loaders add theirs.
 *
 * Words that are known:
 *
 * run="CMD;CMD;..."	the shell runs these after start-up
 * test			a panic ends the run by powering off
 * debug		consoles show what otherwise dmesg alone does
 * console=WHICH	where the shell is: pl011, fb, virtio (default: all that exist)
 * dma=noncoherent	treat devices' DMA as not coherent with the caches, whatever firmware says
 * segsize=BYTES	longest contiguous run that bus_dmamem_alloc gives in one segment
 * msi=off|v2m|its	MSI: none, or by this controller alone
 * intx=off		no INTx either: poll
 * timer=physical	use the physical timer, not the virtual one
 * maxcpus=N		start no more than this many processors
 * net=dhcp|off|ADDR/LEN[,GATEWAY[,DNS]]
 *			where interfaces have their addresses from
 * netmem=BYTES		memory for packets
 * netpairs=N		pairs of queues to take of a network device
 * netdeny=MASK		feature bits that network devices are to leave
 * netreset=queue	one that sends nothing is reset alone, if it can be
 * diskcache=BYTES	memory for blocks of disks
 * disktimeout=SECONDS	a disk that does not answer for so long is reset
 * diskdeny=MASK	feature bits that block devices are to leave
 */
#ifndef PARAVANE_GUEST_CMDLINE_H
#define PARAVANE_GUEST_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMDLINE_MAXWORDS	64
#define CMDLINE_SIZE		2048

struct cmdline {
	unsigned	cl_nwords;
	uint16_t	cl_word[CMDLINE_MAXWORDS];	/* offsets into cl_text */
	char		cl_text[CMDLINE_SIZE];
};

/*
 * cmdline_parse - take a command line apart
 *
 * s		at most len bytes, ended by NUL if shorter; need not stay
 *
 * Words beyond CMDLINE_MAXWORDS, or beyond CMDLINE_SIZE bytes in all, are
 * dropped whole: then false.
 */
bool	cmdline_parse(struct cmdline *, const char *s, size_t len);

/*
 * The last word NAME's or NAME=VALUE's value: "" if there is none, NULL if the
 * word isn't there.
 */
const char *cmdline_value(const struct cmdline *, const char *name);

/*
 * Its value as a number (decimal, 0x..., suffix k, m or g); fallback if absent
 * or malformed.
 */
uint64_t cmdline_number(const struct cmdline *, const char *name,
	    uint64_t fallback);

/*
 * The same from the command line that we were booted with: after cmdline_init
 * only.
 */
void	cmdline_init(const char *);
const char *cmdline_get(const char *name);
uint64_t cmdline_get_number(const char *name, uint64_t fallback);
/* The option's value is exactly this. */
bool	cmdline_is(const char *name, const char *value);
/* What is said is for a program: run= or test is given. */
bool	cmdline_test_run(void);

#endif
