/* SPDX-License-Identifier: ISC */
/*
 * Waiting for what a device confirms: resets of it, and of one queue.
 */
#ifndef CORE_AWAIT_H
#define CORE_AWAIT_H

#include <paravane/kern.h>

/*
 * virtio_await - until look says that it is done, a second at most
 *
 * look(arg) returns 0 done, EAGAIN not yet, or an error that ends the wait.
 * Returns that, or ETIMEDOUT. Context: thread.
 */
int virtio_await(int (*look)(void *), void *arg);

#endif
