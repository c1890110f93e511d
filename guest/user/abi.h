/* SPDX-License-Identifier: ISC */
/*
 * What a program may ask of the guest, shared by both.
 *
 * SVC #0 with the number in x8 and arguments in x0 to x5. x0 becomes the
 * result: 0 or more, or an errno value as a negative number. Every pointer is
 * looked at before it is used: EFAULT if it does not lead to the program's own
 * memory with the right to do what is asked, EINVAL if it is one to a
 * structure and not aligned to 8.
 *
 *  0 exit(status)			does not return
 *  1 write(fd, buf, len)		bytes written, at most SYS_IO_MAX
 *  2 read(fd, buf, len)		bytes read, 1 at least
 *  3 open(path)			a file descriptor; SYS_PATH_TTY is all
 *  4 close(fd)
 *  5 ioctl(fd, SYS_DISPLAY_*, arg)
 *  6 mmap(len, prot, fd, offset)	where; fd -1: fresh memory, zeroed.
 *					Otherwise the display's pixels
 *  7 munmap(address, len)		just what one mmap gave
 *  8 yield()
 *  9 sleep(ns)
 * 10 gettime()				nanoseconds since the guest's start
 *
 * Descriptors 0, 1 and 2 are open: the terminal.
 *
 * The display, through a descriptor of the terminal:
 *
 * SYS_DISPLAY_TAKE	(0) become the one who draws. EBUSY: another program
 *			is. ENXIO: there is no display. Lasts until the
 *			descriptor is closed. All that follows needs it: EPERM.
 * SYS_DISPLAY_GEOMETRY	(struct sys_display *) is filled in
 * SYS_DISPLAY_FLUSH	(struct sys_flush *) what was drawn there becomes
 *			visible. ESTALE: the generation is past, map anew.
 * SYS_DISPLAY_WAIT	(struct sys_wait *) until the generation is another.
 *			ETIMEDOUT: it is not.
 *
 * After a resize the display has a new generation. Mappings of an old one can
 * still be written to; it is seen by nobody.
 */
#ifndef GUEST_USER_ABI_H
#define GUEST_USER_ABI_H

#define SYS_exit	0
#define SYS_write	1
#define SYS_read	2
#define SYS_open	3
#define SYS_close	4
#define SYS_ioctl	5
#define SYS_mmap	6
#define SYS_munmap	7
#define SYS_yield	8
#define SYS_sleep	9
#define SYS_gettime	10
#define SYS_count	11

#define SYS_IO_MAX	4096
#define SYS_PATH_TTY	"/dev/ttyC0"
#define SYS_PATH_MAX	32

#define SYS_PROT_READ	1
#define SYS_PROT_WRITE	2

#define SYS_DISPLAY_TAKE	1
#define SYS_DISPLAY_GEOMETRY	2
#define SYS_DISPLAY_FLUSH	3
#define SYS_DISPLAY_WAIT	4

#ifndef __ASSEMBLER__

#include <stdint.h>

/* Pixels are 32-bit words, 0xXXRRGGBB; X is 0xff or may be. */
struct sys_display {
	uint32_t	sd_width;	/* pixels */
	uint32_t	sd_height;
	uint32_t	sd_stride;	/* bytes from row to row */
	uint32_t	sd_generation;
	uint64_t	sd_len;		/* bytes that can be mapped */
};

struct sys_flush {
	uint32_t	sf_generation;
	uint32_t	sf_x;		/* pixels */
	uint32_t	sf_y;
	uint32_t	sf_width;
	uint32_t	sf_height;
	uint32_t	sf_zero;	/* 0 */
};

struct sys_wait {
	uint32_t	sw_generation;
	uint32_t	sw_zero;	/* 0 */
	uint64_t	sw_timeout_ns;
};

#endif /* __ASSEMBLER__ */

#endif
