/* SPDX-License-Identifier: ISC */
/*
 * All consoles' text is in one ring; each console has its own place in it. An
 * atomic console gets text from whoever says it, the others from the console
 * thread.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmdline.h"
#include "console.h"
#include "console_text.h"
#include "cpu.h"
#include "init.h"
#include "ktime.h"
#include "log.h"
#include "spin.h"
#include "thread.h"

#define TEXT_SIZE	65536	/* a power of two */
#define TEXT_CHUNK	512
#define ROOM_WAIT_NS	(1 * NS_PER_S)
#define LATE_WAIT_NS	(NS_PER_MS / 10)

static struct spin text_spin;
static char text_ring[TEXT_SIZE];
static uint64_t text_end;		/* bytes ever said */
static struct console *consoles;

static struct event console_event;
static int console_running;

/* Who has it may take it again. */
struct lock {
	struct thread	*lk_owner;
	unsigned int	 lk_depth;
	struct mutex	 lk_mutex;
};
static struct lock consoles_lock, displays_lock;

static int draining;			/* somebody waits to see all of it */
static const char *alone;		/* the only one that shows text */

static int edit_active;
static int edit_disturbed;
static int text_midline;

struct console *
console_next(struct console *con)
{
	return con == NULL ? consoles : con->con_next;
}

int
console_colour(void)
{
	return !cmdline_test_run();
}

static uint64_t
backlog(const struct console *con)
{
	return text_end - con->con_pos;
}

/* Text that the ring no longer has is lost to a console. */
static void
skip_lost(struct console *con)
{
	uint64_t lost;

	if (backlog(con) <= TEXT_SIZE)
		return;
	lost = backlog(con) - TEXT_SIZE;
	con->con_lost += lost;
	con->con_pos += lost;
}

/* It is told so where the text would be. False: it takes nothing now. */
static int
tell_lost(struct console *con)
{
	char buf[48];
	int n;

	if (con->con_lost == con->con_told)
		return 1;
	n = snprintf(buf, sizeof(buf), "\r\n[%llu bytes lost]\r\n",
	    (unsigned long long)(con->con_lost - con->con_told));
	if (con->con_write(con, buf, (size_t)n) == 0)
		return 0;
	con->con_told = con->con_lost;
	return 1;
}

static size_t
text_copy(const struct console *con, char *buf, size_t size)
{
	size_t at = con->con_pos % TEXT_SIZE, n = size, first;

	if (backlog(con) < n)
		n = (size_t)backlog(con);
	first = n < TEXT_SIZE - at ? n : TEXT_SIZE - at;
	memcpy(buf, text_ring + at, first);
	memcpy(buf + first, text_ring, n - first);
	return n;
}

/* Offer n bytes of text. False: not all were taken. */
static int
offer(struct console *con, const char *buf, size_t n)
{
	int deaf = alone != NULL && strcmp(con->con_name, alone) != 0;
	size_t taken = deaf ? n : con->con_write(con, buf, n);

	con->con_pos += taken;
	if (taken > 0)
		con->con_stuck = 0;
	return taken == n;
}

/* Offer text until there is none or no more is taken; the lock is held. */
static void
drain_atomic(struct console *con)
{
	char buf[TEXT_CHUNK];
	size_t n;

	skip_lost(con);
	if (!tell_lost(con))
		return;
	do
		n = text_copy(con, buf, sizeof(buf));
	while (n > 0 && offer(con, buf, n));
}

static void
drain_all_atomic(void)
{
	struct console *con;

	for (con = consoles; con != NULL; con = con->con_next)
		if (con->con_flags & CONSOLE_ATOMIC)
			drain_atomic(con);
}

/* The same for the console thread and a panic, without the lock. */
static void
drain(struct console *con)
{
	char buf[TEXT_CHUNK];
	uint64_t saved;
	size_t n;

	skip_lost(con);
	if (!tell_lost(con))
		return;
	do {
		saved = spin_lock(&text_spin);
		skip_lost(con);
		n = text_copy(con, buf, sizeof(buf));
		spin_unlock(&text_spin, saved);
	} while (n > 0 && offer(con, buf, n));
}

static void
text_put(const char *s, size_t len)
{
	for (; len > 0; len--, s++) {
		if (*s == '\n')
			text_ring[text_end++ % TEXT_SIZE] = '\r';
		text_ring[text_end++ % TEXT_SIZE] = *s;
		text_midline = *s != '\n';
	}
}

void
console_kick(void)
{
	if (console_running && !panicking())
		event_signal(&console_event);
}

void
console_write(const char *buf, size_t len)
{
	uint64_t saved = spin_lock(&text_spin);

	text_put(buf, len);
	drain_all_atomic();
	spin_unlock(&text_spin, saved);
	console_kick();
}

void
console_say(const char *buf, size_t len)
{
	uint64_t saved = spin_lock(&text_spin);
	int disturbs = edit_active && !edit_disturbed && len > 0;

	if (disturbs) {
		edit_disturbed = 1;
		if (text_midline)
			text_put("\n", 1);
	}
	text_put(buf, len);
	drain_all_atomic();
	spin_unlock(&text_spin, saved);
	console_kick();
	if (edit_disturbed && !panicking())
		tty_wake();
}

void
console_editing(int on)
{
	edit_active = on;
	edit_disturbed = 0;
}

int
console_disturbed(void)
{
	if (!edit_disturbed || text_midline)
		return 0;
	edit_disturbed = 0;
	return 1;
}

void
console_input(struct console *con, const void *buf, size_t len)
{
	(void)con;
	tty_input(buf, len);
}

/* `console=` names one of ours; other names are other systems' words. */
int
console_wanted(const char *name)
{
	static const char *const known[] = { "pl011", "fb", "virtio" };
	const char *want = cmdline_get("console");
	size_t i;

	if (want == NULL)
		return 1;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(want, known[i]) == 0)
			return strcmp(want, name) == 0;
	return 1;
}

void
console_alone(const char *name)
{
	console_drain();
	alone = name;
}

void
console_register(struct console *con)
{
	uint64_t saved;

	if (!console_wanted(con->con_name))
		return;
	saved = spin_lock(&text_spin);
	con->con_pos = text_end > TEXT_SIZE ? text_end - TEXT_SIZE : 0;
	con->con_lost = con->con_told = 0;
	con->con_stuck = 0;
	con->con_next = consoles;
	consoles = con;
	drain_all_atomic();
	spin_unlock(&text_spin, saved);
	console_kick();
}

void
console_unregister(struct console *con)
{
	uint64_t saved = spin_lock(&text_spin);
	struct console **p;

	for (p = &consoles; *p != NULL; p = &(*p)->con_next) {
		if (*p == con) {
			*p = con->con_next;
			break;
		}
	}
	spin_unlock(&text_spin, saved);
}

static int
held_by_other(const struct lock *lk)
{
	return lk->lk_depth > 0 && lk->lk_owner != thread_self();
}

static void
lock_take(struct lock *lk)
{
	if (panicking())
		return;
	if (lk->lk_depth == 0 || held_by_other(lk)) {
		mutex_lock(&lk->lk_mutex);
		lk->lk_owner = thread_self();
	}
	lk->lk_depth++;
}

static void
lock_drop(struct lock *lk)
{
	if (panicking() || --lk->lk_depth > 0)
		return;
	lk->lk_owner = NULL;
	mutex_unlock(&lk->lk_mutex);
}

void
console_lock(void)
{
	lock_take(&consoles_lock);
}

void
console_unlock(void)
{
	lock_drop(&consoles_lock);
}

void
display_lock(void)
{
	lock_take(&displays_lock);
}

void
display_unlock(void)
{
	lock_drop(&displays_lock);
}

int
display_busy(void)
{
	return held_by_other(&displays_lock);
}

static void
serve(struct console *con)
{
	uint64_t saved;

	if (con->con_poll != NULL)
		con->con_poll(con);
	if (con->con_flags & CONSOLE_ATOMIC) {
		saved = spin_lock(&text_spin);
		drain_atomic(con);
		spin_unlock(&text_spin, saved);
	} else
		drain(con);
	if (con->con_flush != NULL)
		con->con_flush(con);
}

static void
console_thread(void *arg)
{
	struct console *con;

	(void)arg;
	for (;;) {
		console_lock();
		for (con = consoles; con != NULL; con = con->con_next)
			serve(con);
		console_unlock();
		(void)event_wait(&console_event, CONSOLE_POLL_NS);
	}
}

void
console_start(void)
{
	if (console_running)
		return;
	if (thread_create("console", console_thread, NULL) == NULL) {
		klog(LOG_ERR, "console: no memory for the thread");
		return;
	}
	console_running = 1;
	console_kick();
}
INIT(INIT_TTY, console_start);

/*
 * Wait until no console has more than limit bytes to go. One that takes
 * nothing for ROOM_WAIT_NS is stuck: nobody waits for it until it goes on.
 */
void
console_wait(uint64_t limit)
{
	struct console *con;
	uint64_t pos, since = 0;

	if (!console_running || panicking())
		return;
	for (;;) {
		for (con = consoles; con != NULL; con = con->con_next)
			if (!con->con_stuck && backlog(con) > limit)
				break;
		if (con == NULL)
			return;
		pos = con->con_pos;
		since = uptime_ns();
		while (con->con_pos == pos &&
		    uptime_ns() - since < ROOM_WAIT_NS) {
			console_kick();
			thread_sleep(NS_PER_MS);
		}
		if (con->con_pos == pos)
			con->con_stuck = 1;
	}
}

int
console_draining(void)
{
	return draining > 0;
}

/* Whether a console has still to show what it took. */
static int
flush_all(void)
{
	struct console *con;
	int late = 0;

	console_lock();
	for (con = consoles; con != NULL; con = con->con_next)
		if (con->con_flush != NULL) {
			con->con_flush(con);
			late |= con->con_late;
		}
	console_unlock();
	return late;
}

void
console_drain(void)
{
	uint64_t start;

	console_wait(0);
	if (!console_running || panicking())
		return;
	start = uptime_ns();
	draining++;
	while (flush_all() && uptime_ns() - start < ROOM_WAIT_NS)
		thread_sleep(LATE_WAIT_NS);
	draining--;
}

void
console_settle(void)
{
	struct console *con;

	for (con = consoles; con != NULL; con = con->con_next) {
		drain(con);
		if (con->con_flush != NULL)
			con->con_flush(con);
	}
}
