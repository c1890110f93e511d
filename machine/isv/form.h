/* SPDX-License-Identifier: ISC */
#ifndef ISV_FORM_H
#define ISV_FORM_H

#include <stdint.h>

/*
 * isv_form - how a hypervisor sees an A64 instruction that touches a device
 *
 * word		the instruction
 *
 * A data abort taken to EL2 describes the access in ESR_EL2.ISS only for a
 * load or store of a single general-purpose register, acquire and release
 * semantics included, exclusives and write-back excluded (Arm Architecture
 * Reference Manual, "ISS encoding for an exception from a Data Abort", ISV).
 * For every other form a hypervisor has no syndrome to emulate from.
 *
 * Returns one of the forms below. Never fails: a word that is no load, store
 * or cache maintenance is ISV_NONE; one in the load and store space that no
 * listed class covers is ISV_OTHER, so that an unknown form is never taken for
 * a good one.
 */
enum isv_form {
	ISV_NONE,	/* makes no access */
	ISV_VALID,	/* a single general-purpose register, no write-back */
	ISV_PAIR,	/* LDP, STP, LDNP, STNP, LDPSW */
	ISV_WRITEBACK,	/* pre-index or post-index */
	ISV_SIMD,	/* a SIMD, floating point, SVE or SME register */
	ISV_EXCLUSIVE,	/* LDXR, STXR, LDXP, LDAXR and their like */
	ISV_ATOMIC,	/* LSE atomics, SWP, CAS, CASP, LD64B */
	ISV_TAG,	/* memory tagging */
	ISV_COPY,	/* memory copy and set */
	ISV_MAINTENANCE,/* DC, IC */
	ISV_OTHER
};

enum isv_form	isv_form(uint32_t word);

/* The form's name as it is reported; never NULL. */
const char	*isv_form_name(enum isv_form);

/* Whether a hypervisor can emulate a device access of this form. */
int	isv_form_ok(enum isv_form);

#endif /* ISV_FORM_H */
