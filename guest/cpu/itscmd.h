/* SPDX-License-Identifier: ISC */
/* Commands of the ITS (IHI 0069, "ITS commands"): four little-endian words. */
#ifndef GUEST_CPU_ITSCMD_H
#define GUEST_CPU_ITSCMD_H

#include "mtypes.h"

struct its_cmd {
	uint64_t	ic_w[4];
};

/* rd is a redistributor as commands name it: its_rdbase(). */
uint64_t its_rdbase(bool by_address, paddr_t pa, uint64_t gicr_typer);

void	its_mapd(struct its_cmd *, uint32_t devid, paddr_t itt,
	    unsigned eventbits, bool valid);
void	its_mapc(struct its_cmd *, unsigned collection, uint64_t rd,
	    bool valid);
void	its_mapti(struct its_cmd *, uint32_t devid, uint32_t event,
	    uint32_t intid, unsigned collection);
void	its_movi(struct its_cmd *, uint32_t devid, uint32_t event,
	    unsigned collection);
void	its_discard(struct its_cmd *, uint32_t devid, uint32_t event);
void	its_inv(struct its_cmd *, uint32_t devid, uint32_t event);
void	its_invall(struct its_cmd *, unsigned collection);
void	its_int(struct its_cmd *, uint32_t devid, uint32_t event);
void	its_sync(struct its_cmd *, uint64_t rd);

#endif
