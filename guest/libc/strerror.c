/* SPDX-License-Identifier: ISC */

/*
 * picolibc's strerror() asks this for numbers that it does not know. It does so by a weak
 * reference, and a null address is too far from code as high as ours.
 */

#include <stddef.h>

char *_user_strerror(int, int, int *);

char *
_user_strerror(int number, int internal, int *error)
{
	(void)number;
	(void)internal;
	(void)error;
	return NULL;
}
