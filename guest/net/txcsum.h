/* SPDX-License-Identifier: ISC */
#ifndef TXCSUM_H
#define TXCSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * tx_checksum - prepare a frame for the device to complete its TCP checksum
 *
 * frame	its first len bytes, headers included
 *
 * Puts the sum over the pseudo header where the checksum belongs, and tells
 * where to begin adding and where the result goes. False, and nothing done, if
 * it is not a whole TCP segment. (Network Device / Packet Transmission)
 */
bool	tx_checksum(void *frame, size_t len, uint16_t *start,
	    uint16_t *offset);

/*
 * tx_flow - a number that all frames of a flow have: of the addresses and, for
 * TCP and UDP that is not cut, the ports; 0 of what is not IP
 */
uint32_t tx_flow(const void *frame, size_t len);

#endif
