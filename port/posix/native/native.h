/* SPDX-License-Identifier: ISC */
#ifndef NATIVE_H
#define NATIVE_H

#include <paravane/kern.h>

/* Messages up to this level go to stderr; PV_LOG_WARNING at first. */
extern enum pv_log_level native_log_level;

#endif
