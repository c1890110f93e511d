/* SPDX-License-Identifier: ISC */
#include "field.h"

static bool
has(const struct pv_window *pw, unsigned int off, unsigned int width)
{
	return off % width == 0 && off < pw->pw_len &&
	    width <= pw->pw_len - off;
}

int
field_read(const struct pv_window *pw, unsigned int off, unsigned int width,
    uint32_t *val)
{
	bus_size_t reg = pw->pw_off + off;

	if (!has(pw, off, width))
		return ERANGE;
	switch (width) {
	case 1:
		*val = bus_space_read_1(pw->pw_iot, pw->pw_ioh, reg);
		return 0;
	case 2:
		*val = bus_space_read_2(pw->pw_iot, pw->pw_ioh, reg);
		return 0;
	default:
		*val = bus_space_read_4(pw->pw_iot, pw->pw_ioh, reg);
		return 0;
	}
}

int
field_write(const struct pv_window *pw, unsigned int off, unsigned int width,
    uint32_t val)
{
	bus_size_t reg = pw->pw_off + off;

	if (!has(pw, off, width))
		return ERANGE;
	switch (width) {
	case 1:
		bus_space_write_1(pw->pw_iot, pw->pw_ioh, reg, (uint8_t)val);
		return 0;
	case 2:
		bus_space_write_2(pw->pw_iot, pw->pw_ioh, reg, (uint16_t)val);
		return 0;
	default:
		bus_space_write_4(pw->pw_iot, pw->pw_ioh, reg, val);
		return 0;
	}
}
