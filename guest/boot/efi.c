/* SPDX-License-Identifier: ISC */
/*
 * The EFI application: learn the machine while firmware's services last, take
 * its memory over, start the kernel.
 *
 * This runs where firmware loaded it, not where it is linked: it reaches
 * everything PC-relative, and has no table of pointers, no switch that a
 * compiler would make one of, and no initialised pointer.
 */
#include <string.h>

#include "bootinfo.h"
#include "efi.h"
#include "efi_log.h"
#include "efi_progress.h"
#include "efi_quiesce.h"
#include "machine.h"

#define MAXEXITS	8
#define MAP_SLACK	4096	/* the map grows by what allocating it takes */
#define CFG_NAME	"paravane.cfg"
#define LOG_NAME	"paravane.log"	/* as long as that */
#define MAXPATH		256
#define MAXNODES	64		/* of a device path */

static struct {
	efi_handle	e_image;
	struct efi_system *e_system;
	struct efi_boot_services *e_boot;
	struct efi_loaded_image *e_loaded;
	uint8_t		*e_map;		/* memory map */
	size_t		e_map_size;	/* bytes in it */
	size_t		e_map_room;
	size_t		e_map_key;
	size_t		e_descriptor;	/* bytes in one */
} efi;

static const struct efi_guid guid_loaded_image = { 0x5b1b31a1, 0x9562, 0x11d2,
    { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const struct efi_guid guid_file_system = { 0x964e5b22, 0x6459, 0x11d2,
    { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const struct efi_guid guid_fdt = { 0xb1b621d5, 0xf19c, 0x41a5,
    { 0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0 } };
static const struct efi_guid guid_acpi = { 0x8868e871, 0xe4f1, 0x11d3,
    { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };

static void
say(const char *s)
{
	struct efi_text_output *out = efi.e_system->st_out;
	uint16_t c[3];

	for (; out != NULL && *s != '\0'; s++) {
		c[0] = *s == '\n' ? '\r' : (uint16_t)*s;
		c[1] = *s == '\n' ? '\n' : 0;
		c[2] = 0;
		out->to_output(out, c);
	}
}

static efi_status
map_get(void)
{
	uint32_t version;

	efi.e_map_size = efi.e_map_room;
	return efi.e_boot->bs_get_memory_map(&efi.e_map_size, efi.e_map,
	    &efi.e_map_key, &efi.e_descriptor, &version);
}

/* Room for the map, with some to spare: later nothing may be allocated. */
static efi_status
map_alloc(void)
{
	efi_status status;

	status = map_get();
	if (status != EFI_BUFFER_TOO_SMALL)
		return status == EFI_SUCCESS ? EFI_LOAD_ERROR : status;
	efi.e_map_room = efi.e_map_size + MAP_SLACK;
	status = efi.e_boot->bs_allocate_pool(EFI_LOADER_DATA, efi.e_map_room,
	    (void **)&efi.e_map);
	if (status != EFI_SUCCESS)
		return status;
	return map_get();
}

/* The n-th descriptor, NULL behind the last. */
static const struct efi_memory *
map_entry(size_t n)
{
	if (efi.e_descriptor < sizeof(struct efi_memory) ||
	    n >= efi.e_map_size / efi.e_descriptor)
		return NULL;
	return (const struct efi_memory *)(efi.e_map + n * efi.e_descriptor);
}

/* Memory that firmware has mapped as such, and where its tables may be. */
static bool
type_readable(uint32_t type)
{
	return (type >= EFI_LOADER_CODE && type <= EFI_CONVENTIONAL) ||
	    type == EFI_ACPI_RECLAIM || type == EFI_ACPI_NVS;
}

static bool
type_free(uint32_t type)
{
	return (type >= EFI_LOADER_CODE && type <= EFI_BOOT_DATA) ||
	    type == EFI_CONVENTIONAL;
}

/* Bytes that can be read at an address: 0 where there is no memory. */
static size_t
readable(uint64_t pa)
{
	const struct efi_memory *em;
	uint64_t size;
	size_t i;

	for (i = 0; (em = map_entry(i)) != NULL; i++) {
		if (em->em_pages > UINT64_C(1) << 40)
			continue;
		size = em->em_pages << 12;
		if (type_readable(em->em_type) && pa >= em->em_physical &&
		    pa - em->em_physical < size)
			return (size_t)(size - (pa - em->em_physical));
	}
	return 0;
}

/* A table may lie across two entries of the map. */
static const void *
map_table(void *arg, uint64_t pa, size_t len)
{
	uint64_t at = pa, left = len;
	size_t n;

	(void)arg;
	while (left > 0) {
		n = readable(at);
		if (n == 0)
			return NULL;
		if (n >= left)
			break;
		at += n;
		left -= n;
	}
	return (const void *)(uintptr_t)pa;
}

static void *
table_find(const struct efi_guid *guid)
{
	const struct efi_table *ct = efi.e_system->st_tables;
	size_t i;

	for (i = 0; ct != NULL && i < efi.e_system->st_ntables && i < 256; i++)
		if (memcmp(&ct[i].ct_guid, guid, sizeof(*guid)) == 0)
			return ct[i].ct_table;
	return NULL;
}

/* The command line */

/*
 * Load options are text in UTF-16 by custom only: a boot manager may leave
 * bytes of its own there, which are not taken.
 */
static bool
options_get(char *to, size_t room)
{
	const uint8_t *p = efi.e_loaded->li_options;
	size_t n = efi.e_loaded->li_options_size / 2, i;
	bool any = false;

	for (i = 0; p != NULL && i < n; i++) {
		uint32_t c = p[2 * i] | (uint32_t)p[2 * i + 1] << 8;

		if (c == 0)
			break;
		if (i + 1 >= room || c > '~' || (c < ' ' && c != '\t' &&
		    c != '\n' && c != '\r'))
			return false;
		to[i] = (char)c;
		any |= c > ' ';
	}
	to[p == NULL ? 0 : i] = '\0';
	return any;
}

/* Where the application was loaded from, up to the last separator. */
static size_t
path_directory(uint16_t *to, size_t room)
{
	const uint8_t *p = (const uint8_t *)efi.e_loaded->li_path;
	size_t fill = 0, dir = 0, nodes = 0, len, i;

	while (p != NULL && p[0] != EFI_PATH_END && nodes++ < MAXNODES) {
		len = p[2] | (size_t)p[3] << 8;
		if (len < sizeof(struct efi_device_path))
			break;
		for (i = 4; p[0] == EFI_PATH_MEDIA && p[1] == EFI_PATH_FILE &&
		    i + 1 < len && fill < room; i += 2) {
			to[fill] = (uint16_t)(p[i] | p[i + 1] << 8);
			if (to[fill] == 0)
				break;
			fill++;
			if (to[fill - 1] == '\\' || to[fill - 1] == '/')
				dir = fill;
		}
		p += len;
	}
	return dir;
}

static void
path_append(uint16_t *to, size_t at, size_t room, const char *name)
{
	while (*name != '\0' && at + 1 < room)
		to[at++] = (uint16_t)*name++;
	to[at] = 0;
}

static bool
file_read(struct efi_file *root, const uint16_t *path, char *to, size_t room)
{
	struct efi_file *file;
	size_t n = room - 1, i;

	if (root->ef_open(root, &file, path, EFI_FILE_READ, 0) != EFI_SUCCESS)
		return false;
	if (file->ef_read(file, &n, to) != EFI_SUCCESS || n > room - 1)
		n = 0;
	file->ef_close(file);
	for (i = 0; i < n; i++)
		if (to[i] == '\0' || to[i] == '\n' || to[i] == '\r')
			to[i] = ' ';
	to[n] = '\0';
	return n > 0;
}

/*
 * The directory's volume that we were loaded from, and the path of a file in
 * it.
 */
static struct efi_file *
beside(const char *name, uint16_t *path)
{
	struct efi_file_system *fs;
	struct efi_file *root;
	size_t dir;

	if (efi.e_loaded->li_device == NULL ||
	    efi.e_boot->bs_handle_protocol(efi.e_loaded->li_device,
	    &guid_file_system, (void **)&fs) != EFI_SUCCESS ||
	    fs->fs_open_volume(fs, &root) != EFI_SUCCESS)
		return NULL;
	dir = path_directory(path, MAXPATH - sizeof(CFG_NAME));
	path_append(path, dir, MAXPATH, name);
	return root;
}

static bool
config_get(char *to, size_t room)
{
	uint16_t path[MAXPATH];
	struct efi_file *root = beside(CFG_NAME, path);
	bool found;

	if (root == NULL)
		return false;
	found = file_read(root, path, to, room);
	root->ef_close(root);
	return found;
}

/* Only who has put a file there wants one written. */
static struct efi_file *
log_open(void)
{
	uint16_t path[MAXPATH];
	struct efi_file *root = beside(LOG_NAME, path), *file = NULL;

	if (root == NULL)
		return NULL;
	if (root->ef_open(root, &file, path, EFI_FILE_READ | EFI_FILE_WRITE,
	    0) != EFI_SUCCESS)
		file = NULL;
	root->ef_close(root);
	efi_progress_file(file);
	return file;
}

static void
log_machine(void)
{
	static char buf[PROGRESS_KERNEL];

	efi_progress_log(buf, efi_log(&machine, buf, sizeof(buf)));
}

/* No file may be open when firmware goes. */
static void
log_close(struct efi_file *file, const char *stage)
{
	efi_progress(efi.e_system, stage);
	efi_progress_file(NULL);
	if (file != NULL)
		file->ef_close(file);
}

/* The machine */

static int
machine_learn(void)
{
	const void *fdt = table_find(&guid_fdt);
	uint64_t rsdp = (uint64_t)(uintptr_t)table_find(&guid_acpi);
	size_t avail = readable((uint64_t)(uintptr_t)fdt);
	int error = -1;

	if (fdt != NULL && avail >= MACHINE_FDT_HEADER)
		error = machine_from_fdt(&machine, fdt, avail);
	/* Whatever memory the tree has or lacks: EFI's map counts. */
	if (machine.m_source == MACHINE_FDT && machine.m_gic.mg_version != 0)
		return 0;
	if (rsdp != 0)
		error = machine_from_acpi(&machine, rsdp, map_table, NULL);
	/* Without it nothing would run; here a message is still seen. */
	return machine.m_gic.mg_version == 0 ? -1 : error;
}

static void
memory_take(void)
{
	const struct efi_memory *em;
	size_t i;

	machine.m_nmem = 0;
	machine.m_nreserved = 0;
	for (i = 0; (em = map_entry(i)) != NULL; i++)
		if (type_free(em->em_type) && em->em_pages <= UINT64_C(1) << 40 &&
		    (em->em_attributes & EFI_MEMORY_WB) != 0)
			machine_add_memory(&machine, em->em_physical,
			    em->em_pages << 12);
}

/*
 * Firmware may change the map while it ends: then the key is stale, and we read
 * the map again.
 */
static efi_status
boot_services_exit(void)
{
	efi_status status;
	int i;

	for (i = 0; i < MAXEXITS; i++) {
		status = map_get();
		if (status != EFI_SUCCESS)
			return status;
		status = efi.e_boot->bs_exit_boot_services(efi.e_image,
		    efi.e_map_key);
		if (status != EFI_INVALID_PARAMETER)
			return status;
	}
	return status;
}

static void
command_line(char *fdt_line)
{
	char *line = machine.m_cmdline;

	/* fdt_line is what the tree has: the last resort. */
	if (options_get(line, MACHINE_CMDLINE) ||
	    config_get(line, MACHINE_CMDLINE))
		return;
	memcpy(line, fdt_line, MACHINE_CMDLINE);
}

efi_status efi_entry(efi_handle, struct efi_system *);

/* All that boot_enter() starts from, but memory as it is in the end. */
static int
machine_take(void)
{
	static char fdt_line[MACHINE_CMDLINE];
	unsigned i;

	if (machine_learn() != 0)
		return -1;
	memcpy(fdt_line, machine.m_cmdline, sizeof(fdt_line));
	command_line(fdt_line);
	machine.m_efi = true;
	for (i = 0; i < machine.m_nhosts; i++)
		machine.m_host[i].mh_assigned = true;
	memory_take();
	return 0;
}

efi_status
efi_entry(efi_handle image, struct efi_system *system)
{
	struct efi_file *log;
	efi_status status;

	efi.e_image = image;
	efi.e_system = system;
	efi.e_boot = system->st_boot;
	status = efi.e_boot->bs_handle_protocol(image, &guid_loaded_image,
	    (void **)&efi.e_loaded);
	if (status != EFI_SUCCESS)
		return status;
	log = log_open();
	efi_progress(system, "firmware: entered");
	status = map_alloc();
	if (status != EFI_SUCCESS) {
		log_close(log, "firmware: no memory map");
		return status;
	}
	if (machine_take() != 0) {
		log_machine();
		log_close(log, "firmware: this machine can't be understood");
		say("paravane: this machine can't be understood\n");
		say(machine.m_notes);
		return EFI_LOAD_ERROR;
	}
	log_machine();
	log_close(log, PROGRESS_LEFT);
	status = boot_services_exit();
	if (status != EFI_SUCCESS) {
		say("paravane: firmware doesn't let go\n");
		return status;
	}
	efi_quiesce(&machine);
	memory_take();
	boot_enter();
}
