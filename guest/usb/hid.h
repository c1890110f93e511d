/* SPDX-License-Identifier: ISC */
/*
 * Human interface devices (USB Device Class Definition for HID 1.11, and the
 * HID Usage Tables): what reports of keyboards and pointers mean. Pure: reports
 * in, bytes for the terminal out. Reports are the device's and may be anything.
 */
#ifndef HID_H
#define HID_H

#include "mtypes.h"

#define HID_KEYS	6	/* of a boot report, pressed at once */
#define HID_BYTES	8	/* at most, of one key */

struct hid_keyboard {
	uint8_t		hk_modifiers;
	uint8_t		hk_keys[HID_KEYS];
	bool		hk_caps;
	uint8_t		hk_repeat;	/* the key that repeats; 0: none */
	uint64_t	hk_next;	/* when it does */
	/* Bytes for the terminal. */
	void		(*hk_out)(const unsigned char *, size_t);
};

/*
 * hid_keyboard_report - a report of the boot protocol (HID, appendix B.1)
 *
 * US layout; control, shift, caps lock, alt as an escape before. Returns true
 * if the state of caps lock changed.
 *
 * hid_keyboard_repeat - press the key that is held, if it is time
 *
 * Returns when it wants to be called again; UINT64_MAX: nothing is held.
 */
bool	hid_keyboard_report(struct hid_keyboard *, const uint8_t *, size_t len,
	    uint64_t now);
uint64_t hid_keyboard_repeat(struct hid_keyboard *, uint64_t now);

/* One field of a report. */
struct hid_field {
	uint16_t	hf_bit;		/* from the report's start */
	uint8_t		hf_bits;	/* 0: there is none; at most 32 */
	uint32_t	hf_max;		/* logical maximum */
};

struct hid_pointer {
	uint8_t		hp_id;		/* of its report; 0: there is none */
	struct hid_field hp_x, hp_y, hp_buttons;
	uint32_t	hp_at_x, hp_at_y, hp_pressed;
	uint64_t	hp_reports;
};

/*
 * hid_pointer_parse - find an absolute pointer in a report descriptor
 *
 * False if there is none.
 *
 * hid_pointer_report - take a report of it
 */
bool	hid_pointer_parse(struct hid_pointer *, const uint8_t *, size_t len);
void	hid_pointer_report(struct hid_pointer *, const uint8_t *, size_t len);

#endif
