/* SPDX-License-Identifier: ISC */
/*
 * A field of the device configuration, where that is a window of registers. One
 * access of just its width; ERANGE if it is not inside, or unaligned.
 */
#ifndef TRANSPORT_FIELD_H
#define TRANSPORT_FIELD_H

#include <paravane/transport.h>

int field_read(const struct pv_window *, unsigned int off, unsigned int width,
    uint32_t *val);
int field_write(const struct pv_window *, unsigned int off, unsigned int width,
    uint32_t val);

#endif
