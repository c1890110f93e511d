/* SPDX-License-Identifier: ISC */
/*
 * Runs within the EFI application: see efi.c for what that forbids.
 */
#include <string.h>

#include "efi.h"
#include "efi_progress.h"

#define FILE_MAX	(1u << 20)	/* of a longer one the rest stays */

static struct efi_file *progress_file;

static const struct efi_guid guid_progress = { 0x38cd61d9, 0x3757, 0x42cd,
    { 0x93, 0x8f, 0x53, 0xca, 0xf4, 0x08, 0xaf, 0xb5 } };
static const uint16_t name[] = u"ParavaneStage";

static efi_status
file_put(uint64_t off, const char *text, size_t len)
{
	efi_status status = progress_file->ef_set_position(progress_file, off);

	if (status == EFI_SUCCESS)
		status = progress_file->ef_write(progress_file, &len, text);
	return status;
}

/* Blanks, so that it is text to any program, from off to the end. */
static void
file_clear(uint64_t off, uint64_t end)
{
	static char blank[4096];
	size_t n;

	memset(blank, ' ', sizeof(blank));
	for (n = PROGRESS_LINE; n <= sizeof(blank); n += PROGRESS_LINE) {
		blank[n - 2] = '\r';
		blank[n - 1] = '\n';
	}
	for (; off < end; off += n) {
		n = sizeof(blank) - off % sizeof(blank);
		if (n > end - off)
			n = (size_t)(end - off);
		if (file_put(off, blank + off % sizeof(blank), n) !=
		    EFI_SUCCESS)
			return;
	}
}

static uint64_t
file_size(void)
{
	uint64_t size;

	if (progress_file->ef_set_position(progress_file, UINT64_MAX) !=
	    EFI_SUCCESS || progress_file->ef_get_position(progress_file,
	    &size) != EFI_SUCCESS)
		return 0;
	return size;
}

void
efi_progress_file(struct efi_file *file)
{
	uint64_t size;

	progress_file = file;
	if (file == NULL)
		return;
	size = file_size();
	if (size < PROGRESS_FILE)
		size = PROGRESS_FILE;
	file_clear(0, size < FILE_MAX ? size : FILE_MAX);
}

void
efi_progress(struct efi_system *system, const char *text)
{
	const struct efi_runtime_services *rt = system->st_runtime;
	char line[PROGRESS_LINE];
	size_t len = strnlen(text, sizeof(line) - 2);

	if (rt != NULL)
		rt->rs_set_variable(name, &guid_progress, EFI_VARIABLE_KEPT,
		    len, text);
	if (progress_file == NULL)
		return;
	memset(line, ' ', sizeof(line));
	memcpy(line, text, len);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	if (file_put(0, line, sizeof(line)) == EFI_SUCCESS)
		progress_file->ef_flush(progress_file);
}

void
efi_progress_log(const char *text, size_t len)
{
	if (progress_file == NULL)
		return;
	if (len > PROGRESS_KERNEL - PROGRESS_LINE)
		len = PROGRESS_KERNEL - PROGRESS_LINE;
	if (file_put(PROGRESS_LINE, text, len) == EFI_SUCCESS)
		progress_file->ef_flush(progress_file);
}
