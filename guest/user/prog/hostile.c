/* SPDX-License-Identifier: ISC */

/*
 * hostile - try what a program must not be able to do
 *
 * Without an argument: bad pointers, lengths and numbers to every call, and
 * mappings beyond the end of the display. All must be refused; the exit status
 * is 1 if any is not. With an argument: one access or instruction which must
 * kill the program, so that a status below 128 is a failure.
 */

#include <errno.h>
#include <string.h>

#include "sys.h"

#define KERNEL_TEXT	0xffffffff80000000ul
#define KERNEL_DMAP	0xffff000040000000ul
#define KERNEL_KVA	0xffffa00000000000ul
#define PAGE		4096ul

static int failures;

/* Addresses that no call may follow. */
static const uint64_t bad[] = {
	0, 1, 8, 0xfff, 0x8000, 0x3ffff8,
	0x09000000, 0x0a000000, 0x08000000, 0x40000000, 0x40080000,
	0x10000000, 0x4010000000, 0x70000000, 0x8000000000,
	0x00007ffffffdfff8, 0x00007fffffff0000, 0x00007ffffffffff8,
	0x00007fffffffffff, 0x0000800000000000,
	0x0000ffffffffffff, 0x0001000000000000, 0x0100000000400000,
	0x8000000000000000, 0xff00000000400000,
	KERNEL_DMAP, KERNEL_DMAP + 8, KERNEL_KVA, KERNEL_TEXT,
	KERNEL_TEXT + 0x1000, 0xfffffffffffff000, 0xfffffffffffffff8,
	0xffffffffffffffff,
};
#define NBAD	(sizeof(bad) / sizeof(bad[0]))

static void
expect(const char *what, uint64_t value, int64_t got, int refused)
{
	if (refused)
		return;
	failures++;
	print("hostile: %s with %llx: %lld\n", what,
	    (unsigned long long)value, (long long)got);
}

static int
one_of(int64_t got, int a, int b)
{
	return got == -a || got == -b;
}

static void
try_pointers(int fd)
{
	static const uint64_t request[] = { SYS_DISPLAY_GEOMETRY,
	    SYS_DISPLAY_FLUSH, SYS_DISPLAY_WAIT };
	unsigned int i, j;
	int64_t got;

	for (i = 0; i < NBAD; i++) {
		got = sys_call(SYS_write, 1, bad[i], 16, 0);
		expect("write", bad[i], got, got == -EFAULT);
		got = sys_call(SYS_read, 0, bad[i], 16, 0);
		expect("read", bad[i], got, got == -EFAULT);
		got = sys_call(SYS_open, bad[i], 0, 0, 0);
		expect("open", bad[i], got, got == -EFAULT);
		for (j = 0; j < 3; j++) {
			got = sys_call(SYS_ioctl, (uint64_t)fd, request[j],
			    bad[i], 0);
			expect("ioctl", bad[i], got,
			    one_of(got, EFAULT, EINVAL) ||
			    one_of(got, EPERM, ENXIO));
		}
		got = sys_call(SYS_munmap, bad[i], PAGE, 0, 0);
		expect("munmap", bad[i], got, got == -EINVAL);
		got = sys_call(SYS_munmap, bad[i], bad[i], 0, 0);
		expect("munmap of as much", bad[i], got, got == -EINVAL);
	}
}

/* Reading into constants and code, from a page's end, and without end. */
static void
try_own_memory(void)
{
	static const char constant[16] = "constant";
	int64_t at, got;

	got = sys_call(SYS_read, 0, (uint64_t)constant, 1, 0);
	expect("read into constants", (uint64_t)constant, got, got == -EFAULT);
	got = sys_call(SYS_read, 0, (uint64_t)main, 1, 0);
	expect("read into code", (uint64_t)main, got, got == -EFAULT);
	at = sys_mmap(PAGE, SYS_PROT_READ | SYS_PROT_WRITE, -1, 0);
	expect("mmap", PAGE, at, at > 0);
	if (at <= 0)
		return;
	memset((void *)at, 'x', PAGE);
	got = sys_call(SYS_open, (uint64_t)at + PAGE - 8, 0, 0, 0);
	expect("open up to a page's end", (uint64_t)at, got,
	    one_of(got, EFAULT, ENAMETOOLONG));
	got = sys_call(SYS_open, (uint64_t)at, 0, 0, 0);
	expect("open of no string", (uint64_t)at, got, got == -ENAMETOOLONG);
	got = sys_call(SYS_write, 1, (uint64_t)at + PAGE, UINT64_MAX, 0);
	expect("write without end", (uint64_t)at, got, got == -EFAULT);
	got = sys_munmap((void *)at, 2 * PAGE);
	expect("munmap of more", (uint64_t)at, got, got == -EINVAL);
	got = sys_munmap((void *)at, PAGE);
	expect("munmap", (uint64_t)at, got, got == 0);
	got = sys_munmap((void *)at, PAGE);
	expect("munmap again", (uint64_t)at, got, got == -EINVAL);
	got = sys_call(SYS_write, 1, (uint64_t)at, 1, 0);
	expect("write from unmapped memory", (uint64_t)at, got,
	    got == -EFAULT);
}

static void
try_numbers(void)
{
	static const uint64_t odd[] = { SYS_count, SYS_count + 1, 255, 1u << 31,
	    UINT32_MAX, 1ul << 32, 1ul << 63, UINT64_MAX };
	unsigned int i;
	int64_t got;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		got = sys_call(odd[i], bad[0], bad[5], bad[9], 0);
		expect("call", odd[i], got, got == -ENOSYS);
		got = sys_call(SYS_write, odd[i], (uint64_t)"x", 1, 0);
		expect("write to", odd[i], got, got == -EBADF);
		got = sys_call(SYS_close, odd[i], 0, 0, 0);
		expect("close", odd[i], got, got == -EBADF);
		got = sys_call(SYS_ioctl, odd[i], SYS_DISPLAY_TAKE, 0, 0);
		expect("ioctl of", odd[i], got, got == -EBADF);
		if (odd[i] != UINT64_MAX) {
			got = sys_call(SYS_mmap, PAGE, 3, odd[i], 0);
			expect("mmap of", odd[i], got, got == -EBADF);
		}
		got = sys_call(SYS_mmap, PAGE, odd[i] & ~3ul,
		    UINT64_MAX, 0);
		expect("mmap with rights", odd[i], got, got == -EINVAL);
	}
	got = sys_call(SYS_mmap, PAGE, 7, UINT64_MAX, 0);
	expect("mmap to execute", 7, got, got == -EINVAL);
	got = sys_call(SYS_mmap, 0, 3, UINT64_MAX, 0);
	expect("mmap of nothing", 0, got, got == -EINVAL);
	got = sys_call(SYS_mmap, 1ul << 30, 3, UINT64_MAX, 0);
	expect("mmap of too much", 1ul << 30, got, got == -ENOMEM);
	got = sys_call(SYS_mmap, UINT64_MAX, 3, UINT64_MAX, 0);
	expect("mmap of everything", UINT64_MAX, got, got == -EINVAL);
}

/* Structures at each address that is not aligned, in memory that is ours. */
static void
try_unaligned(int fd, struct sys_flush *mine)
{
	static const uint64_t request[] = { SYS_DISPLAY_GEOMETRY,
	    SYS_DISPLAY_FLUSH, SYS_DISPLAY_WAIT };
	unsigned int i, off;
	int64_t got;

	for (i = 0; i < 3; i++) {
		for (off = 1; off < 8; off++) {
			got = sys_ioctl(fd, request[i], (char *)mine + off);
			expect("ioctl, unaligned", off, got, got == -EINVAL);
		}
	}
}

static void
try_flush(int fd, const struct sys_display *sd)
{
	struct sys_flush all = { .sf_generation = sd->sd_generation,
	    .sf_x = UINT32_MAX, .sf_y = UINT32_MAX, .sf_width = UINT32_MAX,
	    .sf_height = UINT32_MAX };
	int64_t got;

	got = sys_ioctl(fd, SYS_DISPLAY_FLUSH, &all);
	expect("flush far outside", UINT32_MAX, got, got <= 0);
	all.sf_x = all.sf_y = 1;
	got = sys_ioctl(fd, SYS_DISPLAY_FLUSH, &all);
	expect("flush of too much", UINT32_MAX, got, got <= 0);
	all.sf_generation++;
	got = sys_ioctl(fd, SYS_DISPLAY_FLUSH, &all);
	expect("flush of what is to come", all.sf_generation, got,
	    got == -ESTALE);
	try_unaligned(fd, &all);
}

static void
try_display_maps(int fd, const struct sys_display *sd)
{
	const uint64_t len = sd->sd_len;
	const struct { uint64_t len, offset; } wrong[] = {
		{ len + PAGE, 0 }, { PAGE, len }, { 2 * PAGE, len - PAGE },
		{ len, PAGE }, { PAGE, 1 }, { PAGE, 2048 },
		{ PAGE, len + PAGE }, { PAGE, 1ul << 31 },
		{ PAGE, 1ul << 32 }, { PAGE, 1ul << 62 },
		{ PAGE, INT64_MAX - PAGE + 1 }, { PAGE, 1ul << 63 },
		{ PAGE, -PAGE }, { 2 * PAGE, -PAGE }, { PAGE, UINT64_MAX },
		{ PAGE, KERNEL_DMAP }, { PAGE, KERNEL_TEXT },
	};
	unsigned int i;
	int64_t got;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		got = sys_mmap(wrong[i].len, 3, fd, wrong[i].offset);
		expect("mmap of the display", wrong[i].offset, got,
		    got == -EINVAL);
	}
	got = sys_mmap(PAGE, 7, fd, 0);
	expect("mmap of the display to execute", 7, got, got == -EINVAL);
	got = sys_mmap(PAGE, 3, fd, len - PAGE);
	expect("mmap of the last page", len - PAGE, got, got > 0);
	got = sys_mmap(len, 1, fd, 0);
	expect("mmap of all", len, got, got > 0);
	/* left mapped: the end of the program must undo it */
}

static void
try_display(int fd)
{
	struct sys_display sd;
	int64_t got;

	got = sys_mmap(PAGE, 3, fd, 0);
	expect("mmap of a display not taken", 0, got, got == -EPERM);
	got = sys_ioctl(fd, SYS_DISPLAY_GEOMETRY, &sd);
	expect("geometry of a display not taken", 0, got, got == -EPERM);
	got = sys_ioctl(fd, SYS_DISPLAY_TAKE, NULL);
	if (got == -ENXIO)
		return;
	expect("take", 0, got, got == 0);
	got = sys_ioctl(fd, 99, NULL);
	expect("ioctl of no such request", 99, got, got == -ENOTTY);
	try_pointers(fd);
	got = sys_ioctl(fd, SYS_DISPLAY_GEOMETRY, &sd);
	expect("geometry", 0, got, got == 0);
	if (got == 0) {
		try_flush(fd, &sd);
		try_display_maps(fd, &sd);
	}
}

static void
try_exhaustion(void)
{
	int64_t got;
	int n;

	for (n = 0; (got = sys_open(SYS_PATH_TTY)) >= 0; n++)
		if (n > 1000)
			break;
	expect("open without end", (uint64_t)n, got, got == -EMFILE);
	for (n = 0; (got = sys_mmap(PAGE, 3, -1, 0)) > 0; n++)
		if (n > 100000)
			break;
	expect("mmap without end", (uint64_t)n, got, got == -ENOMEM);
}

static void
touch(uint64_t at, int store)
{
	volatile uint8_t *p = (volatile uint8_t *)at;

	if (store)
		*p = 1;
	else
		(void)*p;
}

/* Each of these must not come back. */
static int
do_what_kills(const char *what)
{
	if (strcmp(what, "null") == 0)
		touch(0, 0);
	else if (strcmp(what, "kernel-text") == 0)
		touch(KERNEL_TEXT, 0);
	else if (strcmp(what, "kernel-dmap") == 0)
		touch(KERNEL_DMAP, 1);
	else if (strcmp(what, "kernel-device") == 0)
		touch(KERNEL_KVA, 0);
	else if (strcmp(what, "device") == 0)
		touch(0x09000000, 1);
	else if (strcmp(what, "code") == 0)
		touch((uint64_t)main, 1);
	else if (strcmp(what, "constant") == 0)
		touch((uint64_t)"constant", 1);
	else if (strcmp(what, "stack") == 0)
		((int (*)(void))(uint64_t)__builtin_frame_address(0))();
	else if (strcmp(what, "jump-kernel") == 0)
		((int (*)(void))KERNEL_TEXT)();
	else if (strcmp(what, "jump-odd") == 0)
		((int (*)(void))((uint64_t)main + 2))();
	else if (strcmp(what, "undefined") == 0)
		__asm__ volatile("udf #1");
	else if (strcmp(what, "break") == 0)
		__asm__ volatile("brk #1");
	else if (strcmp(what, "hypervisor") == 0)
		__asm__ volatile("hvc #0");
	else if (strcmp(what, "register") == 0)
		__asm__ volatile("msr ttbr0_el1, xzr");
	else if (strcmp(what, "mask") == 0)
		__asm__ volatile("msr daifset, #2");
	else if (strcmp(what, "simd") == 0)
		__asm__ volatile(".inst 0x4e080c00");	/* dup v0.2d, x0 */
	else if (strcmp(what, "sp") == 0)
		__asm__ volatile("mov x0, sp; mov sp, %0; str x0, [sp]; "
		    "mov sp, x0" : : "r"(KERNEL_DMAP) : "x0", "memory");
	print("hostile: %s did no harm\n", what);
	return 2;
}

int
main(int argc, char **argv)
{
	int64_t fd;

	if (argc > 1)
		return do_what_kills(argv[1]);
	fd = sys_open(SYS_PATH_TTY);
	expect("open", 0, fd, fd > 2);
	try_pointers((int)fd);
	try_own_memory();
	try_numbers();
	try_display((int)fd);
	try_exhaustion();
	print("hostile: %s\n", failures > 0 ? "not all refused" :
	    "all refused");
	return failures > 0;
}
