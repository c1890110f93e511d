/* SPDX-License-Identifier: ISC */
#ifndef PORT_VAR_H
#define PORT_VAR_H

/* Whether po_fail_after says that this allocation fails. */
int port_may_fail(void);

/* Nobody has anything. */
void port_hold_reset(void);

/* After the bus was reset: what was lost is nobody's. */
void port_buf_reset(void);

#endif
