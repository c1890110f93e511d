/* SPDX-License-Identifier: ISC */
#ifndef LINES_H
#define LINES_H

/* What the files of guest/shell share. */

#include "edit.h"

struct command;

extern struct edit_history shell_history;

/* The linker's tables of pointers. */
extern const struct command *const __start_set_command[];
extern const struct command *const __stop_set_command[];

/* command_find - by its name; NULL if there is none */
const struct command *command_find(const char *name);

/*
 * tty_forget_interrupt - a line is done, and with it the Ctrl-C that ended it
 *
 * Not when it begins: what is typed right behind Enter is for its commands.
 */
void	tty_forget_interrupt(void);

/*
 * words_split - take a command out of a line, in words
 *
 * line		changed: the words are made of it
 * next		where the next command begins; NULL if there is none
 *
 * Returns how many words there are; -1 if more than max - 1, -2 if a quote
 * has no end.
 */
int	words_split(char *line, char **argv, int max, char **next);

#endif
