/* SPDX-License-Identifier: ISC */
/*
 * The commands for files: ls, cat, cp, rm, mkdir.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "kmem.h"
#include "shell.h"
#include "tty.h"

#define CHUNK	(64u << 10)

static int
fail(const char *what, const char *path, int error)
{
	if (error != EINTR)
		tty_printf("%s: %s: %s\n", what, path, file_error(error));
	return error;
}

static int
ls_entry(void *arg, const struct file_entry *fe)
{
	(void)arg;
	if (tty_interrupted())
		return EINTR;
	if (fe->fe_directory)
		tty_printf("%10s  %s/\n", "", fe->fe_name);
	else
		tty_printf("%10u  %s\n", fe->fe_size, fe->fe_name);
	return 0;
}

static int
cmd_ls(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/";
	int error;

	if (argc > 2)
		return shell_usage(argv[0]);
	error = file_list(path, ls_entry, NULL);
	return error == 0 ? 0 : fail("ls", path, error);
}
COMMAND(ls, cmd_ls, "ls [[DISK:]PATH]", "list a directory of a FAT disk");

/* Call fn with all that a file holds. */
static int
each_chunk(struct file *fi, int (*fn)(void *, const void *, size_t),
    void *arg)
{
	void *buf = kmalloc(CHUNK);
	size_t n = 0;
	int error;

	if (buf == NULL)
		return ENOMEM;
	do {
		error = file_read(fi, buf, CHUNK, &n);
		if (error == 0 && n > 0)
			error = fn(arg, buf, n);
		if (error == 0 && tty_interrupted())
			error = EINTR;
	} while (error == 0 && n == CHUNK);
	kfree(buf);
	return error;
}

static int
to_tty(void *arg, const void *buf, size_t len)
{
	(void)arg;
	tty_write(buf, len);
	return 0;
}

static int
to_file(void *arg, const void *buf, size_t len)
{
	return file_write(arg, buf, len);
}

static int
cmd_cat(int argc, char **argv)
{
	struct file *fi;
	int error;

	if (argc != 2)
		return shell_usage(argv[0]);
	error = file_open(argv[1], FILE_READ, &fi);
	if (error == 0) {
		error = each_chunk(fi, to_tty, NULL);
		file_close(fi);
	}
	return error == 0 ? 0 : fail("cat", argv[1], error);
}
COMMAND(cat, cmd_cat, "cat [DISK:]FILE", "show a file of a FAT disk");

/* FROM's last name below TO, if that is a directory. */
static void
target(const char *from, const char *to, char *buf, size_t len)
{
	const char *name = strrchr(from, '/');
	struct file_entry fe;

	if (name == NULL)
		name = strchr(from, ':');
	name = name == NULL ? from : name + 1;
	if (file_stat(to, &fe) == 0 && fe.fe_directory)
		snprintf(buf, len, "%s/%s", to, name);
	else
		snprintf(buf, len, "%s", to);
}

static int
copy(struct file *from, const char *path)
{
	struct file *to;
	int error, closed;

	error = file_open(path, FILE_CREATE, &to);
	if (error != 0)
		return error;
	error = each_chunk(from, to_file, to);
	closed = file_close(to);
	return error != 0 ? error : closed;
}

static int
cmd_cp(int argc, char **argv)
{
	char path[SHELL_LINE_MAX];
	struct file *from;
	int error;

	if (argc != 3)
		return shell_usage(argv[0]);
	error = file_open(argv[1], FILE_READ, &from);
	if (error != 0)
		return fail("cp", argv[1], error);
	target(argv[1], argv[2], path, sizeof(path));
	/* It would be emptied before it is read. */
	error = file_is(from, path) ? EEXIST : copy(from, path);
	file_close(from);
	return error == 0 ? 0 : fail("cp", path, error);
}
COMMAND(cp, cmd_cp, "cp [DISK:]FILE [DISK:]FILE|DIR",
    "copy a file, over one that is there");

static int
cmd_rm(int argc, char **argv)
{
	int error = 0, i;

	if (argc < 2)
		return shell_usage(argv[0]);
	for (i = 1; i < argc && error == 0; i++) {
		error = file_remove(argv[i]);
		if (error != 0)
			fail("rm", argv[i], error);
	}
	return error;
}
COMMAND(rm, cmd_rm, "rm [DISK:]PATH ...",
    "remove files and empty directories of a FAT disk");

static int
cmd_mkdir(int argc, char **argv)
{
	int error;

	if (argc != 2)
		return shell_usage(argv[0]);
	error = file_mkdir(argv[1]);
	return error == 0 ? 0 : fail("mkdir", argv[1], error);
}
COMMAND(mkdir, cmd_mkdir, "mkdir [DISK:]DIR", "make a directory on a FAT disk");
