/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

struct shmem sm;
struct vhost *vh;
struct pv_virtio dev;
_Atomic int broken;

const struct option driver_help[] = {
	{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
};

unsigned long long
number(const char *text, unsigned long long least, unsigned long long most)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (end == text || *end != '\0' || *text == '-' || errno != 0 ||
	    n < least || n > most) {
		if (most >= LONG_MAX)
			warnx("%s: a number is wanted, %llu at least", text,
			    least);
		else
			warnx("%s: a number from %llu to %llu is wanted", text,
			    least, most);
		usage(stderr);
		exit(2);
	}
	return n;
}

void
on_broken(void *arg, const char *why)
{
	(void)arg;
	printf("broken: %s\n", why);
	broken = 1;
}

void
reconnect(void)
{
	unsigned int tries;

	for (tries = 0; tries < 200; tries++) {
		if (vhost_connected(vh) || vhost_connect(vh) == 0)
			return;
		if (tries == 10)
			warnx("%s; waiting for a back end", vhost_error(vh));
		usleep(100000);
	}
	errx(1, "no back end: %s", vhost_error(vh));
}

void
driver_begin(struct vhost_params *vp, size_t memory, const char *name)
{
	int error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	error = shmem_init(&sm, 2, memory);
	if (error)
		errx(1, "memory: %s", strerror(error));
	vp->vp_shmem = &sm;
	vp->vp_timeout_ms = 20000;
	vh = vhost_new(vp);
	reconnect();
	error = pv_virtio_init(&dev, &vhost_transport, vh, vp->vp_type,
	    &sm.sm_tag, name, NULL, NULL);
	if (error)
		driver_attached(error);
}

void
driver_attached(int error)
{
	if (error)
		errx(1, "attach: %s (%s)", strerror(error), vhost_error(vh));
}

void
driver_end(int error)
{
	if (error)
		errx(1, "detach: %s", vhost_error(vh));
	vhost_free(vh);
	puts("done");
}
