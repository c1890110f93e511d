/* SPDX-License-Identifier: ISC */

/*
 * Loads and stores of A64 by encoding class (Arm Architecture Reference
 * Manual, "A64 instruction set encoding", Loads and Stores).
 */

#include <stdbool.h>

#include "form.h"

#define BIT(w, n)		(((w) >> (n)) & 1)
#define FIELD(w, hi, lo)						\
	(((w) >> (lo)) & ((1u << ((hi) - (lo) + 1)) - 1))

/* size 001000 o2 L o1 Rs o0 Rt2 Rn Rt */
static enum isv_form
form_exclusive(uint32_t w)
{
	bool o2 = BIT(w, 23), o1 = BIT(w, 21), pair = BIT(w, 31);

	if (o2)
		return o1 ? ISV_ATOMIC : ISV_VALID;	/* CAS : LDAR, STLR */
	if (o1 && !pair)
		return ISV_ATOMIC;			/* CASP */
	return ISV_EXCLUSIVE;
}

/* size 111 V 00 opc 1 Rs o3 opc2 00 Rn Rt */
static enum isv_form
form_atomic(uint32_t w)
{
	/* LDAPR: a load of one register with acquire semantics */
	if ((w & 0x3ffffc00) == 0x38bfc000)
		return ISV_VALID;
	return ISV_ATOMIC;
}

/* size 111 V 0x opc ..., the forms that name a single register */
static enum isv_form
form_register(uint32_t w)
{
	unsigned int mode = FIELD(w, 11, 10);

	if (BIT(w, 24))
		return BIT(w, 26) ? ISV_SIMD : ISV_VALID; /* unsigned offset */
	if (BIT(w, 21)) {
		if (mode == 0)
			return BIT(w, 26) ? ISV_SIMD : form_atomic(w);
		if (BIT(w, 26))
			return ISV_SIMD;
		if (mode == 2)
			return ISV_VALID;		/* register offset */
		return BIT(w, 11) ? ISV_WRITEBACK : ISV_VALID; /* LDRAA */
	}
	if (BIT(w, 26))
		return ISV_SIMD;
	/* unscaled, post-index, unprivileged, pre-index */
	return mode & 1 ? ISV_WRITEBACK : ISV_VALID;
}

/* xx 011 V 01: LDAPUR, memory copies, tags, the pairs of RCPC3 */
static enum isv_form
form_rcpc(uint32_t w)
{
	unsigned int mode = FIELD(w, 11, 10);

	if (FIELD(w, 31, 24) == 0xd9 && BIT(w, 21))
		return ISV_TAG;
	if (mode == 1)
		return ISV_COPY;
	if (BIT(w, 26))
		return ISV_SIMD;
	if (mode == 0 && !BIT(w, 21))
		return ISV_VALID;			/* LDAPUR, STLUR */
	if (mode == 2)
		return BIT(w, 23) ? ISV_WRITEBACK : ISV_PAIR;
	return ISV_OTHER;
}

static enum isv_form
form_load_store(uint32_t w)
{
	if ((w & 0xbe000000) == 0x0c000000)
		return ISV_SIMD;			/* LD1 to ST4 */
	if ((w & 0x3f000000) == 0x08000000)
		return form_exclusive(w);
	switch (FIELD(w, 29, 27) << 1 | BIT(w, 25)) {
	case 3 << 1:					/* xx 011 V 0x */
		if (BIT(w, 24))
			return form_rcpc(w);
		return BIT(w, 26) ? ISV_SIMD : ISV_VALID; /* literal */
	case 5 << 1:					/* xx 101 V 0 */
		if (BIT(w, 26))
			return ISV_SIMD;
		if (FIELD(w, 31, 30) == 1 && !BIT(w, 22))
			return ISV_TAG;			/* STGP */
		return ISV_PAIR;
	case 7 << 1:					/* xx 111 V 0 */
		return form_register(w);
	default:
		return ISV_OTHER;
	}
}

/* SYS with CRn 7: caches by CRm; address translation and others beside them */
static enum isv_form
form_sys(uint32_t w)
{
	const unsigned int caches = 1u << 1 | 1u << 4 | 1u << 5 | 1u << 6 |
	    1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14;

	return caches >> FIELD(w, 11, 8) & 1 ? ISV_MAINTENANCE : ISV_NONE;
}

enum isv_form
isv_form(uint32_t w)
{
	if (FIELD(w, 28, 25) == 2)
		return ISV_SIMD;			/* SVE */
	if (FIELD(w, 28, 25) == 0 && BIT(w, 31))
		return ISV_SIMD;			/* SME */
	if ((w & 0xfff8f000) == 0xd5087000)
		return form_sys(w);
	if ((w & 0x0a000000) == 0x08000000)
		return form_load_store(w);
	return ISV_NONE;
}

int
isv_form_ok(enum isv_form form)
{
	return form == ISV_VALID;
}

const char *
isv_form_name(enum isv_form form)
{
	switch (form) {
	case ISV_NONE:
		return "none";
	case ISV_VALID:
		return "single";
	case ISV_PAIR:
		return "pair";
	case ISV_WRITEBACK:
		return "write-back";
	case ISV_SIMD:
		return "simd";
	case ISV_EXCLUSIVE:
		return "exclusive";
	case ISV_ATOMIC:
		return "atomic";
	case ISV_TAG:
		return "tag";
	case ISV_COPY:
		return "copy";
	case ISV_MAINTENANCE:
		return "maintenance";
	case ISV_OTHER:
		break;
	}
	return "other";
}
