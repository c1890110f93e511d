/* SPDX-License-Identifier: ISC */
#include "itscmd.h"

#define CMD_MOVI	0x01
#define CMD_INT		0x03
#define CMD_SYNC	0x05
#define CMD_MAPD	0x08
#define CMD_MAPC	0x09
#define CMD_MAPTI	0x0a
#define CMD_INV		0x0c
#define CMD_INVALL	0x0d
#define CMD_DISCARD	0x0f

#define VALID		(1ull << 63)
#define ITT_MASK	0x000fffffffffff00ull
#define RD_MASK		0x000fffffffff0000ull

uint64_t
its_rdbase(bool by_address, paddr_t pa, uint64_t gicr_typer)
{
	if (by_address)
		return pa & RD_MASK;
	return (gicr_typer >> 8 & 0xffff) << 16;
}

static void
command(struct its_cmd *c, uint64_t code, uint32_t devid, uint64_t w1,
    uint64_t w2)
{
	c->ic_w[0] = code | (uint64_t)devid << 32;
	c->ic_w[1] = w1;
	c->ic_w[2] = w2;
	c->ic_w[3] = 0;
}

void
its_mapd(struct its_cmd *c, uint32_t devid, paddr_t itt, unsigned eventbits,
    bool valid)
{
	command(c, CMD_MAPD, devid, (eventbits - 1) & 31,
	    (itt & ITT_MASK) | (valid ? VALID : 0));
}

void
its_mapc(struct its_cmd *c, unsigned collection, uint64_t rd, bool valid)
{
	command(c, CMD_MAPC, 0, 0, (collection & 0xffff) | (rd & RD_MASK) |
	    (valid ? VALID : 0));
}

void
its_mapti(struct its_cmd *c, uint32_t devid, uint32_t event, uint32_t intid,
    unsigned collection)
{
	command(c, CMD_MAPTI, devid, event | (uint64_t)intid << 32,
	    collection & 0xffff);
}

void
its_movi(struct its_cmd *c, uint32_t devid, uint32_t event,
    unsigned collection)
{
	command(c, CMD_MOVI, devid, event, collection & 0xffff);
}

void
its_discard(struct its_cmd *c, uint32_t devid, uint32_t event)
{
	command(c, CMD_DISCARD, devid, event, 0);
}

void
its_inv(struct its_cmd *c, uint32_t devid, uint32_t event)
{
	command(c, CMD_INV, devid, event, 0);
}

void
its_invall(struct its_cmd *c, unsigned collection)
{
	command(c, CMD_INVALL, 0, 0, collection & 0xffff);
}

void
its_int(struct its_cmd *c, uint32_t devid, uint32_t event)
{
	command(c, CMD_INT, devid, event, 0);
}

void
its_sync(struct its_cmd *c, uint64_t rd)
{
	command(c, CMD_SYNC, 0, 0, rd & RD_MASK);
}
