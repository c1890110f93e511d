/* SPDX-License-Identifier: ISC */
/*
 * The pages of the HTTP server: what the shell's commands print. `/` has many of
 * them on one page, `/NAME` one as plain text, `/report` the whole record. None
 * takes anything from the request, and none waits.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lwip/apps/fs.h"

#include "arch/cc.h"
#include "shell.h"
#include "tty.h"

#define PAGE_MAX	(96u * 1024)

struct page {
	char		*pg_text;
	size_t		pg_len;
	bool		pg_html;
};

static const char *const page_commands[] = {
	"uptime", "cpus", "devices", "ifconfig", "sockets", "intr", "mem",
	"threads", "dmesg",
};

/* Beside those, and what is the same again in one text. */
static const char *const page_others[] = { "machine", "pci", "report" };

#define NCOMMANDS	(sizeof(page_commands) / sizeof(page_commands[0]))
#define NOTHERS		(sizeof(page_others) / sizeof(page_others[0]))

static void
page_raw(struct page *pg, const char *s, size_t len)
{
	if (len > PAGE_MAX - pg->pg_len)
		len = PAGE_MAX - pg->pg_len;
	memcpy(pg->pg_text + pg->pg_len, s, len);
	pg->pg_len += len;
}

static void
page_string(struct page *pg, const char *s)
{
	page_raw(pg, s, strlen(s));
}

/* What a command prints: colours dropped, and what HTML would take as its own. */
static void
page_output(void *arg, const char *s, size_t len)
{
	struct page *pg = arg;
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] == '\033') {
			while (i + 1 < len && !(s[i] >= '@' && s[i] != '['))
				i++;
		} else if (pg->pg_html && s[i] == '<')
			page_string(pg, "&lt;");
		else if (pg->pg_html && s[i] == '&')
			page_string(pg, "&amp;");
		else if (s[i] != '\r')
			page_raw(pg, &s[i], 1);
	}
}

static void
page_command(struct page *pg, const char *name)
{
	if (tty_capture(page_output, pg) != 0) {
		page_string(pg, "busy\n");
		return;
	}
	(void)shell_run(name);
	(void)tty_capture(NULL, NULL);
}

static void
page_all(struct page *pg)
{
	size_t i;

	page_string(pg, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
	    "<title>Paravane</title></head>\n<body><h1>Paravane</h1>\n"
	    "<p><a href=\"/report\">The whole record as text</a></p>\n");
	for (i = 0; i < NCOMMANDS; i++) {
		page_string(pg, "<h2><a href=\"/");
		page_string(pg, page_commands[i]);
		page_string(pg, "\">");
		page_string(pg, page_commands[i]);
		page_string(pg, "</a></h2>\n<pre>\n");
		page_command(pg, page_commands[i]);
		page_string(pg, "</pre>\n");
	}
	page_string(pg, "</body></html>\n");
}

static const char *
page_find(const char *name)
{
	size_t i;

	if (name[0] != '/')
		return NULL;
	for (i = 0; i < NCOMMANDS; i++)
		if (strcmp(name + 1, page_commands[i]) == 0)
			return page_commands[i];
	for (i = 0; i < NOTHERS; i++)
		if (strcmp(name + 1, page_others[i]) == 0)
			return page_others[i];
	return NULL;
}

int
fs_open_custom(struct fs_file *file, const char *name)
{
	struct page pg = { .pg_len = 0 };
	const char *command = page_find(name);
	char head[128];
	int n;

	pg.pg_html = strcmp(name, "/index.html") == 0;
	if (!pg.pg_html && command == NULL)
		return 0;
	pg.pg_text = net_alloc(PAGE_MAX);
	if (pg.pg_text == NULL)
		return 0;
	n = snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\n"
	    "Content-Type: text/%s; charset=utf-8\r\n"
	    "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
	    pg.pg_html ? "html" : "plain");
	page_raw(&pg, head, (size_t)n);
	if (pg.pg_html)
		page_all(&pg);
	else
		page_command(&pg, command);

	memset(file, 0, sizeof(*file));
	file->data = pg.pg_text;
	file->len = (int)pg.pg_len;
	file->index = file->len;
	file->flags = FS_FILE_FLAGS_HEADER_INCLUDED;
	return 1;
}

void
fs_close_custom(struct fs_file *file)
{
	net_free((void *)(uintptr_t)file->data);
	file->data = NULL;
}
