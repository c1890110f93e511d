/* SPDX-License-Identifier: ISC */
/* lwIP's HTTP server wants a list of constant files. There are none: each page is made when it is asked for. */
#ifndef PARAVANE_PAGES_H
#define PARAVANE_PAGES_H

#define FS_ROOT		((const struct fsdata_file *)NULL)

#endif
