/* SPDX-License-Identifier: ISC */
/*
 * Processes: private to guest/user. All of it in threads only; a process is
 * touched by its own thread, and by others while that one is blocked or at
 * EL0, which needs no lock as threads are cooperative.
 */
#ifndef GUEST_USER_PROCESS_H
#define GUEST_USER_PROCESS_H

#include "mtypes.h"
#include "thread.h"
#include "vm.h"

#define PROC_MAXREGIONS	24
#define PROC_MAXFILES	8
#define PROC_MAXPAGES	4096		/* 16 MiB of memory of its own */
#define PROC_STACK_SIZE	0x10000ul
#define PROC_STACK_TOP	0x00007fffffff0000ul
#define PROC_MMAP_MIN	0x0000100000000000ul
#define PROC_MMAP_MAX	0x0000700000000000ul
#define PROC_ARGS_MAX	1024		/* bytes of all arguments */

enum region_kind {
	REGION_NONE,
	REGION_MEMORY,		/* pages of the process's own */
	REGION_DISPLAY,		/* pages of the framebuffer */
	REGION_SCRATCH		/* the scratch page, again and again */
};

struct region {
	enum region_kind rg_kind;
	vaddr_t		 rg_va;
	size_t		 rg_len;
	int		 rg_prot;
	unsigned int	 rg_generation;	/* of the display */
	uint64_t	 rg_offset;	/* in the display */
};

enum file_kind {
	FILE_NONE,
	FILE_TTY
};

struct file {
	enum file_kind	 fi_kind;
	bool		 fi_display;	/* this one took the display */
};

struct process {
	const char	*pr_name;
	struct vmspace	*pr_space;
	vaddr_t		 pr_entry;
	vaddr_t		 pr_sp;
	vaddr_t		 pr_mmap_next;
	size_t		 pr_pages;	/* REGION_MEMORY in all */
	paddr_t		 pr_scratch;	/* page behind REGION_SCRATCH, or 0 */
	struct region	 pr_region[PROC_MAXREGIONS];
	struct file	 pr_file[PROC_MAXFILES];
	int		 pr_killed;	/* USER_KILLED_*, 0: not */
	int		 pr_status;
	struct event	 pr_exited;
};

/*
 * process_start - load a program and let it run
 *
 * Errors as user_exec. process_wait waits for the end, gives the status and
 * frees the process; ETIMEDOUT leaves it.
 */
int	process_start(int argc, char *const argv[], struct process **);
int	process_wait(struct process *, uint64_t timeout_ns, int *status);

/* process_kill - have it end soon; why is USER_KILLED_* */
void	process_kill(struct process *, int why);

/* process_exit - the present thread's process ends */
void	process_exit(struct process *, int status) __attribute__((noreturn));

/* The present thread's process. */
struct process *process_self(void);

/*
 * Regions. process_place finds len bytes of free addresses: 0 if there are
 * none. region_new returns NULL if there are too many. region_memory backs a
 * new region with zeroed pages. region_free unmaps, gives pages back and
 * forgets it. process_room: whether programs may take more of the memory.
 */
bool	process_room(void);
vaddr_t	process_place(struct process *, size_t len);
struct region *region_new(struct process *);
struct region *region_find(struct process *, vaddr_t, size_t len);
int	region_memory(struct process *, struct region *);
void	region_free(struct process *, struct region *);

/* The display's side: display.c. Errors as in abi.h, positive. */
struct sys_display;
struct sys_flush;
struct sys_wait;
int	display_take(struct process *, struct file *);
void	display_give_back(struct process *, struct file *);
int	display_geometry(struct process *, struct sys_display *);
int	display_flush(struct process *, const struct sys_flush *);
int	display_wait(struct process *, const struct sys_wait *);
int	display_map(struct process *, struct region *);
/* After a region of this generation is gone. */
void	display_unmapped(struct process *, unsigned int generation);

#endif
