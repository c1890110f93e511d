/* SPDX-License-Identifier: ISC */
#ifndef VERSION_H
#define VERSION_H

/*
 * paravane_version - which source this image was built of
 *
 * The first twelve digits of the commit, with "+" if files were changed since;
 * "unknown" outside a repository. Made by the build: two builds of one source
 * have the same.
 */
extern const char paravane_version[];

#endif
