/* SPDX-License-Identifier: ISC */
#ifndef PORT_VAR_H
#define PORT_VAR_H

/* Whether po_fail_after says that this allocation fails. */
int port_may_fail(void);

#endif
