/* SPDX-License-Identifier: ISC */

/*
 * System calls and faults of programs. What a program passes is never
 * followed: copyin and copyout do that with its rights.
 */

#include <errno.h>
#include <string.h>

#include "cpu.h"
#include "ktime.h"
#include "tty.h"
#include "user.h"

#include "abi.h"
#include "process.h"

#define MMAP_MAX	(1ul << 31)

static struct file *
file_get(struct process *pr, uint64_t fd)
{
	if (fd >= PROC_MAXFILES || pr->pr_file[fd].fi_kind == FILE_NONE)
		return NULL;
	return &pr->pr_file[fd];
}

/* Structures: aligned to 8, as C has them. */
static int
get(uint64_t from, void *to, size_t len)
{
	if (from % 8 != 0)
		return EINVAL;
	return copyin((const void *)from, to, len);
}

static int
put(const void *from, uint64_t to, size_t len)
{
	if (to % 8 != 0)
		return EINVAL;
	return copyout(from, (void *)to, len);
}

static int64_t
sys_exit(struct process *pr, const uint64_t *arg)
{
	process_exit(pr, (int)(arg[0] & 0x7f));
}

static int64_t
sys_write(struct process *pr, const uint64_t *arg)
{
	uint64_t len = arg[2] < SYS_IO_MAX ? arg[2] : SYS_IO_MAX, done, n;
	char buf[256];
	int error;

	if (file_get(pr, arg[0]) == NULL)
		return -EBADF;
	for (done = 0; done < len; done += n) {
		n = len - done < sizeof(buf) ? len - done : sizeof(buf);
		if (arg[1] + done < arg[1])
			return -EFAULT;
		error = copyin((const void *)(arg[1] + done), buf, n);
		if (error != 0)
			return done > 0 ? (int64_t)done : -error;
		tty_write(buf, n);
	}
	return (int64_t)done;
}

static int
read_byte(struct process *pr)
{
	int c;

	do {
		c = tty_getc(TTY_SLICE_NS);
		if (c == -2)
			process_kill(pr, USER_KILLED_INTR);
	} while (c == -1 && pr->pr_killed == 0);
	return c;
}

static int64_t
sys_read(struct process *pr, const uint64_t *arg)
{
	int error, c;
	char byte;

	if (file_get(pr, arg[0]) == NULL)
		return -EBADF;
	if (arg[2] == 0)
		return 0;
	/* Before the key is taken: is there a place for it? */
	byte = 0;
	error = copyout(&byte, (void *)arg[1], 1);
	if (error != 0)
		return -error;
	c = read_byte(pr);
	if (c < 0)
		return -EINTR;
	byte = (char)c;
	error = copyout(&byte, (void *)arg[1], 1);
	return error != 0 ? -error : 1;
}

static int64_t
sys_open(struct process *pr, const uint64_t *arg)
{
	char path[SYS_PATH_MAX];
	unsigned int fd;
	int error;

	error = copyinstr((const void *)arg[0], path, sizeof(path), NULL);
	if (error != 0)
		return -error;
	if (strcmp(path, SYS_PATH_TTY) != 0)
		return -ENOENT;
	for (fd = 0; fd < PROC_MAXFILES; fd++) {
		if (pr->pr_file[fd].fi_kind == FILE_NONE) {
			pr->pr_file[fd].fi_kind = FILE_TTY;
			return fd;
		}
	}
	return -EMFILE;
}

static int64_t
sys_close(struct process *pr, const uint64_t *arg)
{
	struct file *fi = file_get(pr, arg[0]);

	if (fi == NULL)
		return -EBADF;
	if (fi->fi_display)
		display_give_back(pr, fi);
	fi->fi_kind = FILE_NONE;
	return 0;
}

static int64_t
ioctl_geometry(struct process *pr, uint64_t arg)
{
	struct sys_display sd;
	int error = display_geometry(pr, &sd);

	if (error == 0)
		error = put(&sd, arg, sizeof(sd));
	return -error;
}

static int64_t
ioctl_flush(struct process *pr, uint64_t arg)
{
	struct sys_flush sf;
	int error = get(arg, &sf, sizeof(sf));

	if (error == 0)
		error = sf.sf_zero != 0 ? EINVAL : display_flush(pr, &sf);
	return -error;
}

static int64_t
ioctl_wait(struct process *pr, uint64_t arg)
{
	struct sys_wait sw;
	int error = get(arg, &sw, sizeof(sw));

	if (error == 0)
		error = sw.sw_zero != 0 ? EINVAL : display_wait(pr, &sw);
	return -error;
}

static int64_t
sys_ioctl(struct process *pr, const uint64_t *arg)
{
	struct file *fi = file_get(pr, arg[0]);

	if (fi == NULL)
		return -EBADF;
	if (arg[1] == SYS_DISPLAY_TAKE)
		return -display_take(pr, fi);
	if (!fi->fi_display)
		return -EPERM;
	switch (arg[1]) {
	case SYS_DISPLAY_GEOMETRY:
		return ioctl_geometry(pr, arg[2]);
	case SYS_DISPLAY_FLUSH:
		return ioctl_flush(pr, arg[2]);
	case SYS_DISPLAY_WAIT:
		return ioctl_wait(pr, arg[2]);
	default:
		return -ENOTTY;
	}
}

static int
mmap_region(struct process *pr, struct region *rg, uint64_t fd)
{
	struct file *fi;

	if (fd == UINT64_MAX)
		return rg->rg_offset != 0 ? EINVAL : region_memory(pr, rg);
	fi = file_get(pr, fd);
	if (fi == NULL)
		return EBADF;
	return fi->fi_display ? display_map(pr, rg) : EPERM;
}

static int64_t
sys_mmap(struct process *pr, const uint64_t *arg)
{
	uint64_t len = arg[0], prot = arg[1], offset = arg[3];
	struct region *rg;
	int error;

	if (len == 0 || len > MMAP_MAX || offset > INT64_MAX - MMAP_MAX)
		return -EINVAL;
	if ((prot & SYS_PROT_READ) == 0 ||
	    (prot & ~(uint64_t)(SYS_PROT_READ | SYS_PROT_WRITE)) != 0)
		return -EINVAL;
	rg = region_new(pr);
	if (rg == NULL)
		return -ENOMEM;
	rg->rg_len = (len + PAGE_MASK) & ~PAGE_MASK;
	rg->rg_offset = offset;
	rg->rg_prot = VM_USER | VM_READ |
	    (prot & SYS_PROT_WRITE ? VM_WRITE : 0);
	rg->rg_va = process_place(pr, rg->rg_len);
	if (rg->rg_va == 0)
		return -ENOMEM;
	error = mmap_region(pr, rg, arg[2]);
	return error != 0 ? -error : (int64_t)rg->rg_va;
}

static int64_t
sys_munmap(struct process *pr, const uint64_t *arg)
{
	uint64_t len = arg[1];
	struct region *rg;

	if (len == 0 || len > MMAP_MAX || arg[0] < PROC_MMAP_MIN ||
	    arg[0] >= PROC_MMAP_MAX)
		return -EINVAL;
	rg = region_find(pr, arg[0], (len + PAGE_MASK) & ~PAGE_MASK);
	if (rg == NULL)
		return -EINVAL;
	region_free(pr, rg);
	return 0;
}

static int64_t
sys_yield(struct process *pr, const uint64_t *arg)
{
	(void)pr;
	(void)arg;
	thread_yield();
	return 0;
}

static int64_t
sys_sleep(struct process *pr, const uint64_t *arg)
{
	uint64_t start = uptime_ns(), past, left;

	while ((past = uptime_ns() - start) < arg[0] && pr->pr_killed == 0) {
		left = arg[0] - past;
		thread_sleep(left < TTY_SLICE_NS ? left : TTY_SLICE_NS);
	}
	return 0;
}

static int64_t
sys_gettime(struct process *pr, const uint64_t *arg)
{
	(void)pr;
	(void)arg;
	return (int64_t)uptime_ns();
}

static int64_t (*const syscalls[SYS_count])(struct process *,
    const uint64_t *) = {
	[SYS_exit] = sys_exit,
	[SYS_write] = sys_write,
	[SYS_read] = sys_read,
	[SYS_open] = sys_open,
	[SYS_close] = sys_close,
	[SYS_ioctl] = sys_ioctl,
	[SYS_mmap] = sys_mmap,
	[SYS_munmap] = sys_munmap,
	[SYS_yield] = sys_yield,
	[SYS_sleep] = sys_sleep,
	[SYS_gettime] = sys_gettime,
};

void
user_syscall(struct trapframe *tf)
{
	struct process *pr = process_self();
	uint64_t number = tf->tf_x[8];
	int64_t result = -ENOSYS;

	if (pr->pr_killed == 0 && number < SYS_count)
		result = syscalls[number](pr, tf->tf_x);
	if (pr->pr_killed != 0)
		process_exit(pr, 0);
	tf->tf_x[0] = (uint64_t)result;
}

void
user_fault(struct trapframe *tf)
{
	struct process *pr = process_self();
	uint64_t class = ESR_EC(tf->tf_esr);
	bool access = class == ESR_EC_IABT_LOW || class == ESR_EC_DABT_LOW;

	if (pr->pr_killed == 0) {
		pr->pr_killed = access ? USER_KILLED_FAULT :
		    USER_KILLED_ILLEGAL;
		tty_printf("%s: killed: %s at 0x%llx", pr->pr_name,
		    esr_name(tf->tf_esr), (unsigned long long)tf->tf_elr);
		if (access)
			tty_printf(", address 0x%llx",
			    (unsigned long long)tf->tf_far);
		tty_printf("\n");
	}
	process_exit(pr, 0);
}
