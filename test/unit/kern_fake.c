/* SPDX-License-Identifier: ISC */
/*
 * The guest's kernel, as far as most tests need one: memory, and the rest says
 * and awaits nothing. A test that looks at one of them has its own instead.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "kmem.h"
#include "log.h"
#include "shell.h"
#include "thread.h"
#include "tty.h"

#define FAKE	__attribute__((__weak__))

/* As kmem.h promises, and not more. */
FAKE void *
kmalloc(size_t n)
{
	void *p;

	return posix_memalign(&p, n < 128 ? 16 : 128, n) == 0 ? p : NULL;
}

FAKE void *
kzalloc(size_t n)
{
	void *p = kmalloc(n);

	return p == NULL ? NULL : memset(p, 0, n);
}

FAKE void
kfree(void *p)
{
	free(p);
}

FAKE void
klog(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

FAKE void
tty_printf(const char *fmt, ...)
{
	(void)fmt;
}

FAKE int
shell_usage(const char *name)
{
	(void)name;
	return EINVAL;
}

FAKE void
mutex_lock(struct mutex *mtx)
{
	(void)mtx;
}

FAKE int
tty_lock(struct mutex *mtx)
{
	mutex_lock(mtx);
	return 0;
}

FAKE void
mutex_unlock(struct mutex *mtx)
{
	(void)mtx;
}

FAKE void
event_signal(struct event *ev)
{
	ev->ev_count++;
}

FAKE int
event_wait(struct event *ev, uint64_t timeout_ns)
{
	(void)ev;
	(void)timeout_ns;
	return 0;
}

FAKE bool
cmdline_test_run(void)
{
	return false;
}
