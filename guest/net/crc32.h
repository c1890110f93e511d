/* SPDX-License-Identifier: ISC */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

/*
 * crc32 - the CRC of IEEE 802.3, as zlib and gzip have it
 *
 * Begin with crc 0; go on with what was returned.
 */
uint32_t crc32(uint32_t crc, const void *, size_t);

#endif
